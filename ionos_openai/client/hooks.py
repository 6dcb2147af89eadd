"""The two small subclasses of the SDK's clients that `create_client` and `create_async_client` return.

They do only what cannot be done from outside, and each of it in a hook that exists on every supported version:

- `__init__`: nothing of the `OPENAI_*` variables, which the SDK reads at every construction, is kept;
- `copy`: what belongs to this package goes along to `with_options()` and `copy()`;
- `request`: once a call: it is adapted to IONOS, its answer remembers what was asked, and a 429 has it made again;
- `_prepare_options`: once an attempt: it waits for its turn in the contract's limits;
- `_should_retry`, `_calculate_retry_timeout`: a 429 is not for the SDK to retry, and its sleeps count as waiting;
- `_prepare_request`: the last look at what leaves this machine: the token's checks, and where it goes;
- `_make_status_error`: IONOS' words in the SDK's exceptions;
- `_process_response`: an answer that cannot be read is an exception of the SDK's too, also in the middle of a stream;
- `websocket_base_url`: every WebSocket asks for it, which none of the above would see.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from copy import copy
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self, cast

import openai
from openai._base_client import BaseClient  # of both clients, on every supported version
from pydantic import SecretStr

from ionos_openai.client import explain, telemetry, tokens
from ionos_openai.client.calls import IMAGE_PATHS, Call, adapt_call, merge_call, with_bytes
from ionos_openai.client.fanout import FanOut
from ionos_openai.client.in_process import answering_async_client, answering_client, asking, standing_sandbox
from ionos_openai.client.pacing import turns
from ionos_openai.client.settings import IonosSettings
from ionos_openai.client.tokens import AsyncTokenSource, TokenSource
from ionos_openai.client.transport import awaiting_answer, watch, watch_client
from ionos_openai.errors import ConfigurationError, MissingTokenError
from ionos_openai.hub.answers import LARGEST_ERROR
from ionos_openai.hub.credentials import SANDBOX_TOKEN, conceal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2 as httpx
    from openai._models import FinalRequestOptions

    from ionos_openai.sandbox import Sandbox


# Arguments of the SDK's own that lead elsewhere or are OpenAI's own data, and why each is refused.
_SIGNS_IN = "signs in at another service, and IONOS takes its own token: use api_key="
_OPENAIS = "is OpenAI's own and would be sent to IONOS: leave it out"
_REFUSED = {
    "provider": _SIGNS_IN,
    "workload_identity": _SIGNS_IN,
    "data_residency": "chooses among OpenAI's own hosts, where the IONOS token would go: use base_url=",
    **dict.fromkeys(("organization", "project", "admin_api_key"), _OPENAIS),
}


class _Ionos(BaseClient[Any, Any]):
    """What both clients do alike; the class beside it is `openai.OpenAI` or `openai.AsyncOpenAI`.

    Signatures are open, so that they stay the SDK's own whichever version is installed.
    """

    api_key: str
    ionos_settings: IonosSettings | None = None
    ionos_pacing: turns.Pacing | None = None
    ionos_sandboxed = False  # whether it was given a sandbox of its own
    _standing: tuple[Sandbox, Self] | None = None  # the sandbox of a test, and the copy that it answers
    _token_source: TokenSource | AsyncTokenSource | None = None
    _refreshes = 0  # how often the callable was asked
    ionos_http_clients: turns.PerLoop[httpx.AsyncClient] | None = None  # of async code, where they are our own
    websocket_base_url: Any = tokens.no_websockets

    def __init__(
        self, *, api_key: Any = None, default_headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """Take the SDK's own arguments, and nothing from its variables."""
        api_key = conceal(api_key)
        _check_options(api_key, options)
        self._token_source = cast("TokenSource", api_key) if callable(api_key) else None
        # Not the token: the variables of a traceback would show it.
        options |= {"api_key": "-", "default_headers": default_headers}
        super().__init__(**options)
        # Of a callable it is empty until that is asked, as in the SDK.
        self.api_key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else ""
        self._in_loop = isinstance(self, openai.AsyncOpenAI)
        # The contracts that requests count towards, by the token and the process for which that was found out.
        self._contracts: dict[tuple[object, ...], turns.Contract] = {}
        watch_client(self._client, in_loop=self._in_loop)
        # What the SDK's constructor took from `OPENAI_*` variables, as it does for each copy again.
        self._custom_headers = dict(default_headers or {})
        left = dict.fromkeys(("organization", "project", "admin_api_key"))
        given = {"_ambient_authorizations": frozenset[object](), "webhook_secret": options.get("webhook_secret")}
        for name, value in {**left, **given}.items():
            if hasattr(self, name):
                setattr(self, name, value)

    def copy(self, **options: Any) -> Self:
        """Return the SDK's copy, with what belongs to this package."""
        options["api_key"] = conceal(options.get("api_key") or self._token_source)
        # Given, so that the SDK does not look at ours, which would refuse.
        options["websocket_base_url"] = options.get("websocket_base_url") or tokens.NO_WEBSOCKETS
        copied: Self = super().copy(**options)  # type: ignore[misc]  # of the class beside this one
        for name in ("ionos_settings", "ionos_pacing", "ionos_sandboxed", "_contracts"):
            setattr(copied, name, getattr(self, name))
        copied.ionos_http_clients = None if options.get("http_client") else self.ionos_http_clients
        return copied

    with_options = copy

    def _answered_by_test(self) -> Self | None:
        """Return a copy that the sandbox of a running test answers, where there is one; else None."""
        sandbox = standing_sandbox()
        if sandbox is None or self.ionos_sandboxed:
            return None
        if self._standing is None or self._standing[0] is not sandbox:
            own = (answering_async_client if self._in_loop else answering_client)(asking(sandbox))
            copied = self.copy(api_key=sandbox.token or SANDBOX_TOKEN, http_client=own)
            copied.ionos_pacing, copied.ionos_sandboxed = None, True
            self._standing = sandbox, copied
        return self._standing[1]

    def _should_retry(self, response: httpx.Response) -> bool:
        is_for_pacing = response.status_code == 429 and turns.current_call() is not None
        return not is_for_pacing and super()._should_retry(response)

    def _calculate_retry_timeout(self, *args: Any, **kwargs: Any) -> float:
        seconds = super()._calculate_retry_timeout(*args, **kwargs)
        if (call := turns.current_call()) is not None:
            call.between_attempts(seconds)
        return seconds

    def _make_status_error_from_response(self, response: httpx.Response) -> openai.APIStatusError:
        if response.is_stream_consumed and len(response.content) > LARGEST_ERROR:
            said = response.content[:LARGEST_ERROR].decode("utf-8", "replace")
            return self._make_status_error("", body=said, response=response)
        return super()._make_status_error_from_response(response)

    def _make_status_error(self, err_msg: str, *, body: object, response: httpx.Response) -> openai.APIStatusError:
        message = explain.describe_answer(response, body) or err_msg
        return explain.add_ids(
            super()._make_status_error(message, body=explain.readable_body(response, body), response=response)
        )

    def _telling(self, call: Call) -> telemetry.PictureCall:
        return telemetry.PictureCall(self.ionos_settings, call.remembered, self._base_url)

    def _contract_key(self) -> tuple[object, ...]:
        return self._token_source or self.api_key, os.getpid()

    def _paced_call(self, options: FinalRequestOptions, contract: turns.Contract | None) -> turns.PacedCall | None:
        """Begin a call that counts towards `contract`; without one it is not paced."""
        if contract is None or self.ionos_pacing is None:
            return None
        images = options.url in IMAGE_PATHS
        if images and options.files:
            options.files = with_bytes(options.files)  # an open file would be at its end when the call is made again
        is_plain = isinstance(getattr(options, "content", None), bytes | str | None)
        retries = options.get_max_retries(self.max_retries) if is_plain and (images or not options.files) else 0
        return turns.PacedCall(contract, images=images, max_wait=self.ionos_pacing.max_wait, max_retries=retries)


class IonosOpenAI(_Ionos, openai.OpenAI):
    """An `openai.OpenAI` that keeps its token to IONOS. Made by `create_client`."""

    def request(self, cast_to: Any, options: FinalRequestOptions, *args: Any, **kwargs: Any) -> Any:
        """Make the SDK's request, adapted to IONOS; one for `n` pictures becomes `n` requests."""
        if (standing := self._answered_by_test()) is not None:
            return standing.request(cast_to, options, *args, **kwargs)
        call = adapt_call(options, self.ionos_settings or IonosSettings(), str(self.base_url))

        def attempt() -> Any:
            return super(IonosOpenAI, self).request(cast_to, copy(options), *args, **kwargs)

        def send() -> Any:
            with awaiting_answer(), explain.explaining_connections(), self._telling(call) as picture:
                return picture.take(turns.repeat(self._paced_call(options, self._find_contract()), attempt))

        with FanOut[Any](call.n, self.ionos_settings) as sent:
            sent.send(send)
            return merge_call(call, sent.answers, sent.failures)

    def _find_contract(self) -> turns.Contract | None:
        if self.ionos_pacing is not None and self._contract_key() not in self._contracts:
            # A callable is asked once more than there are requests: the contract is that of the first token.
            token = SecretStr(tokens.plain_token(self._token_source() if self._token_source else self.api_key))
            self._contracts[self._contract_key()] = self.ionos_pacing.contract(token)
        return self._contracts.get(self._contract_key())

    def _process_response(self, *, cast_to: Any, response: httpx.Response, **kwargs: Any) -> Any:
        turns.count_refusals(kwargs)
        try:
            answer = super()._process_response(cast_to=cast_to, response=response, **kwargs)
        except explain.UNREADABLE:
            if explain.is_readable(response):
                raise
            answer = explain.NOTHING
        return explain.check_parsed(answer, response, cast_to)

    def _refresh_api_key(self) -> str:
        """Take the callable's next token, as the SDK does: it is `api_key` until the request after."""
        if self._token_source is not None:
            source, url = self._token_source, str(self.base_url)
            self.api_key = tokens.checked_token(source(), source, url).get_secret_value()
            self._refreshes += 1
        return self.api_key

    def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        refreshes = self._refreshes
        options = super()._prepare_options(options)
        if self._refreshes == refreshes:  # not every version of the SDK does so
            self._refresh_api_key()
        with telemetry.attempt():
            if (call := turns.current_call()) is not None:
                call.wait()
        return options

    def _prepare_request(self, request: httpx.Request) -> None:
        super()._prepare_request(request)
        tokens.check_departure(request, str(self.base_url))
        watch(request, in_loop=self._in_loop)


class AsyncIonosOpenAI(_Ionos, openai.AsyncOpenAI):
    """An `openai.AsyncOpenAI` that keeps its token to IONOS. Made by `create_async_client`."""

    @property
    def _client(self) -> httpx.AsyncClient:
        """The HTTP client: of our own ones that of this event loop, since none can use another's connections."""
        with contextlib.suppress(RuntimeError):  # there is no loop
            return self.ionos_http_clients.get() if self.ionos_http_clients else self._first_client
        return self._first_client

    @_client.setter
    def _client(self, client: httpx.AsyncClient) -> None:
        self._first_client = client

    async def request(self, cast_to: Any, options: FinalRequestOptions, *args: Any, **kwargs: Any) -> Any:
        """Make the SDK's request, adapted to IONOS; one for `n` pictures becomes `n` requests."""
        if (standing := self._answered_by_test()) is not None:
            return await standing.request(cast_to, options, *args, **kwargs)
        call = adapt_call(options, self.ionos_settings or IonosSettings(), str(self.base_url))

        async def attempt() -> Any:
            return await super(AsyncIonosOpenAI, self).request(cast_to, copy(options), *args, **kwargs)

        async def send() -> Any:
            with awaiting_answer(), explain.explaining_connections(), self._telling(call) as picture:
                paced = self._paced_call(options, await self._find_contract())
                return picture.take(await turns.arepeat(paced, attempt))

        with FanOut[Any](call.n, self.ionos_settings) as sent:
            await sent.asend(send)
            return merge_call(call, sent.answers, sent.failures)

    async def _find_contract(self) -> turns.Contract | None:
        if self.ionos_pacing is not None and self._contract_key() not in self._contracts:
            token = SecretStr(tokens.plain_token(await self._given_token()))
            self._contracts[self._contract_key()] = await self.ionos_pacing.acontract(token)
        return self._contracts.get(self._contract_key())

    async def _process_response(self, *, cast_to: Any, response: httpx.Response, **kwargs: Any) -> Any:
        turns.count_refusals(kwargs)
        try:
            answer = await super()._process_response(cast_to=cast_to, response=response, **kwargs)
        except explain.UNREADABLE:
            if explain.is_readable(response):
                raise
            answer = explain.NOTHING
        return explain.check_parsed(answer, response, cast_to)

    async def _refresh_api_key(self) -> str:
        """Do what the sync one does."""
        if self._token_source is not None:
            source, url = self._token_source, str(self.base_url)
            self.api_key = tokens.checked_token(await self._given_token(), source, url).get_secret_value()
            self._refreshes += 1
        return self.api_key

    async def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        refreshes = self._refreshes
        options = await super()._prepare_options(options)
        if self._refreshes == refreshes:  # not every version of the SDK does so
            await self._refresh_api_key()
        with telemetry.attempt():
            if (call := turns.current_call()) is not None:
                await call.await_turn()
        return options

    async def _prepare_request(self, request: httpx.Request) -> None:
        await super()._prepare_request(request)
        tokens.check_departure(request, str(self.base_url))
        watch(request, in_loop=self._in_loop)

    async def _given_token(self) -> object:
        token = self._token_source() if self._token_source else self.api_key
        return await token if inspect.isawaitable(token) else token


def _sign_as_the_sdk(kind: type[_Ionos], sdks: type[BaseClient[Any, Any]]) -> None:
    """Have what is overridden show the SDK's signature and docstring, for help, autospec and dependency injection."""
    for name in ("__init__", "copy", "with_options", "request"):
        ours, theirs = getattr(kind, name), getattr(sdks, name)
        own = FunctionType(ours.__code__, ours.__globals__, closure=ours.__closure__)  # both clients share some
        own.__kwdefaults__ = ours.__kwdefaults__
        setattr(kind, name, functools.update_wrapper(own, theirs))
    kind.__doc__ = sdks.__doc__ or kind.__doc__


_sign_as_the_sdk(IonosOpenAI, openai.OpenAI)
_sign_as_the_sdk(AsyncIonosOpenAI, openai.AsyncOpenAI)


def _check_options(api_key: object, options: Mapping[str, object]) -> None:
    if not api_key:
        raise MissingTokenError("No IONOS token: api_key is empty. Make clients with create_client().")
    for name, why in _REFUSED.items():
        if options.get(name) is not None and not isinstance(options[name], openai.NotGiven):
            raise ConfigurationError(f"{name}= {why}.")
