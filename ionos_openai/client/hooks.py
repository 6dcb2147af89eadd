"""The two small subclasses of the SDK's clients that `create_client` and `create_async_client` return.

They do only what cannot be done from outside, and each of it in a hook that exists on every supported version:

- `__init__`: nothing of the `OPENAI_*` variables, which the SDK reads at every construction, is kept;
- `copy`: what belongs to this package goes along to `with_options()` and `copy()`;
- `request`: once a call: it is adapted to IONOS, what was asked for is remembered with the response, and a 429 makes it
  be made again;
- `_prepare_options`: once an attempt: it waits for its turn in the contract's limits;
- `_should_retry`, `_calculate_retry_timeout`: a 429 is not for the SDK to retry, and its sleeps count as waiting;
- `_prepare_request`: the last look at what leaves this machine: the token's checks, and where it goes;
- `_make_status_error`: IONOS' words in the SDK's exceptions;
- `_process_response`: an answer that cannot be read is an exception of the SDK's too, also in the middle of a stream;
- `websocket_base_url`: every WebSocket asks for it, which none of the above would see.
"""

from __future__ import annotations

import inspect
import os
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import openai

from ionos_openai.client.calls import IMAGE_PATHS, adapt_call, merge_call, with_bytes
from ionos_openai.client.explain import (
    NOTHING,
    UNREADABLE,
    add_ids,
    aexplained_events,
    check_parsed,
    describe_answer,
    explained_events,
    explaining_connections,
    is_readable,
    readable_body,
)
from ionos_openai.client.fanout import asend_all, send_all
from ionos_openai.client.pacing import Budget, PacedCall, Pacing, arepeat, current_call, repeat
from ionos_openai.client.settings import IonosSettings
from ionos_openai.client.tokens import (
    FROM_SOURCE,
    NO_WEBSOCKETS,
    AsyncTokenSource,
    TokenSource,
    as_text,
    check_departure,
    clean_authorization,
    no_websockets,
    plain_token,
    set_token,
    wants_token,
)
from ionos_openai.errors import ConfigurationError, MissingTokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2 as httpx
    from openai._models import FinalRequestOptions


# Arguments of the SDK's own that would send the IONOS token somewhere else, and those that are OpenAI's own data.
_NOT_AT_IONOS = ("provider", "workload_identity", "data_residency")
_NOT_FOR_IONOS = ("organization", "project", "admin_api_key")


class IonosOpenAI(openai.OpenAI):
    """An `openai.OpenAI` that keeps its token to IONOS. Made by `create_client`."""

    ionos_settings: IonosSettings | None = None
    ionos_pacing: Pacing | None = None
    _budget: _Budgeted | None = None
    _token_source: TokenSource | None = None

    # Behind the type checkers' backs: for them, the signatures stay the SDK's own, whichever version is installed.
    if not TYPE_CHECKING:

        def __init__(self, *, api_key=None, default_headers=None, **options):
            """Take the SDK's own arguments, and nothing from its variables."""
            api_key = as_text(api_key)
            _check_options(api_key, options)
            self._token_source = api_key if callable(api_key) else None
            super().__init__(
                api_key=FROM_SOURCE if callable(api_key) else api_key, default_headers=default_headers, **options
            )
            _forget_environment(self, default_headers, options)

        websocket_base_url = no_websockets

        def copy(self, **options):
            """Return the SDK's copy, with what belongs to this package."""
            # Given, so that the SDK does not look at ours, which would refuse.
            options["websocket_base_url"] = options.get("websocket_base_url") or NO_WEBSOCKETS
            return _hand_on(self, super().copy(**options))

        with_options = copy

        def request(self, cast_to, options, *args, **kwargs):
            """Make the SDK's request, adapted to IONOS; one for `n` pictures becomes `n` requests."""
            call = adapt_call(options, self.ionos_settings or IonosSettings())

            def attempt():
                return super(IonosOpenAI, self).request(cast_to, copy(options), *args, **kwargs)

            def send():
                with explaining_connections():
                    paced = _paced_call(self, options, _find_budget(self))
                    return repeat(paced, attempt, repeatable=_is_repeatable(options))

            return merge_call(call, *send_all(send, call.n))

        def _process_response(self, *, cast_to, response, **kwargs):
            try:
                answer = super()._process_response(cast_to=cast_to, response=response, **kwargs)
            except UNREADABLE:
                if is_readable(response):
                    raise
                answer = NOTHING
            if isinstance(answer, openai.Stream):
                answer._iterator = explained_events(answer._iterator, response)
            return check_parsed(answer, response, cast_to)

        def _prepare_options(self, options):
            options = super()._prepare_options(options)
            if (call := current_call()) is not None:
                call.wait()
            return options

        def _should_retry(self, response):
            return not _is_for_pacing(response) and super()._should_retry(response)

        def _calculate_retry_timeout(self, *args, **kwargs):
            return _counted(super()._calculate_retry_timeout(*args, **kwargs))

    def _prepare_request(self, request: httpx.Request) -> None:
        super()._prepare_request(request)
        if self._token_source is not None and wants_token(request):
            set_token(request, self._token_source(), self._token_source)
        clean_authorization(request)
        check_departure(request, str(self.base_url))

    def _make_status_error(self, err_msg: str, *, body: object, response: httpx.Response) -> openai.APIStatusError:
        message = describe_answer(response, body) or err_msg
        return add_ids(super()._make_status_error(message, body=readable_body(response, body), response=response))


class AsyncIonosOpenAI(openai.AsyncOpenAI):
    """An `openai.AsyncOpenAI` that keeps its token to IONOS. Made by `create_async_client`."""

    ionos_settings: IonosSettings | None = None
    ionos_pacing: Pacing | None = None
    _budget: _Budgeted | None = None
    _token_source: TokenSource | AsyncTokenSource | None = None

    if not TYPE_CHECKING:

        def __init__(self, *, api_key=None, default_headers=None, **options):
            """Take the SDK's own arguments, and nothing from its variables."""
            api_key = as_text(api_key)
            _check_options(api_key, options)
            self._token_source = api_key if callable(api_key) else None
            super().__init__(
                api_key=FROM_SOURCE if callable(api_key) else api_key, default_headers=default_headers, **options
            )
            _forget_environment(self, default_headers, options)

        websocket_base_url = no_websockets

        def copy(self, **options):
            """Return the SDK's copy, with what belongs to this package."""
            # Given, so that the SDK does not look at ours, which would refuse.
            options["websocket_base_url"] = options.get("websocket_base_url") or NO_WEBSOCKETS
            return _hand_on(self, super().copy(**options))

        with_options = copy

        async def request(self, cast_to, options, *args, **kwargs):
            """Make the SDK's request, adapted to IONOS; one for `n` pictures becomes `n` requests."""
            call = adapt_call(options, self.ionos_settings or IonosSettings())

            async def attempt():
                return await super(AsyncIonosOpenAI, self).request(cast_to, copy(options), *args, **kwargs)

            async def send():
                with explaining_connections():
                    paced = _paced_call(self, options, await _afind_budget(self))
                    return await arepeat(paced, attempt, repeatable=_is_repeatable(options))

            return merge_call(call, *await asend_all(send, call.n))

        async def _process_response(self, *, cast_to, response, **kwargs):
            try:
                answer = await super()._process_response(cast_to=cast_to, response=response, **kwargs)
            except UNREADABLE:
                if is_readable(response):
                    raise
                answer = NOTHING
            if isinstance(answer, openai.AsyncStream):
                answer._iterator = aexplained_events(answer._iterator, response)
            return check_parsed(answer, response, cast_to)

        async def _prepare_options(self, options):
            options = await super()._prepare_options(options)
            if (call := current_call()) is not None:
                await call.await_turn()
            return options

        def _should_retry(self, response):
            return not _is_for_pacing(response) and super()._should_retry(response)

        def _calculate_retry_timeout(self, *args, **kwargs):
            return _counted(super()._calculate_retry_timeout(*args, **kwargs))

    async def _prepare_request(self, request: httpx.Request) -> None:
        await super()._prepare_request(request)
        if self._token_source is not None and wants_token(request):
            token = self._token_source()
            token = await token if inspect.isawaitable(token) else token
            set_token(request, token, self._token_source)
        clean_authorization(request)
        check_departure(request, str(self.base_url))

    def _make_status_error(self, err_msg: str, *, body: object, response: httpx.Response) -> openai.APIStatusError:
        message = describe_answer(response, body) or err_msg
        return add_ids(super()._make_status_error(message, body=readable_body(response, body), response=response))


def _check_options(api_key: object, options: Mapping[str, object]) -> None:
    if not api_key:
        raise MissingTokenError("No IONOS token: api_key is empty. Make clients with create_client().")
    for name in _NOT_AT_IONOS:
        if options.get(name) is not None:
            raise ConfigurationError(f"{name}= belongs to OpenAI's own service and would send the IONOS token there.")
    for name in _NOT_FOR_IONOS:
        if options.get(name) is not None:
            raise ConfigurationError(f"{name}= is OpenAI's own and would be sent to IONOS: leave it out.")


def _forget_environment(
    client: openai.OpenAI | openai.AsyncOpenAI,
    default_headers: Mapping[str, str] | None,
    options: Mapping[str, object],
) -> None:
    """Drop what the SDK's constructor took from `OPENAI_*` variables, as it does for each copy again."""
    client.organization = None
    client.project = None
    client._custom_headers = dict(default_headers or {})
    left = {
        "webhook_secret": options.get("webhook_secret"),
        "admin_api_key": None,
        "_ambient_authorizations": frozenset(),
    }
    for name, value in left.items():
        if hasattr(client, name):
            setattr(client, name, value)


_Client = TypeVar("_Client", IonosOpenAI, AsyncIonosOpenAI)


def _hand_on(original: _Client, copied: _Client) -> _Client:
    copied.ionos_settings, copied.ionos_pacing = original.ionos_settings, original.ionos_pacing
    if copied._token_source is None and copied.api_key == FROM_SOURCE:
        copied._token_source = original._token_source
    if (copied.api_key, copied._token_source) == (original.api_key, original._token_source):
        copied._budget = original._budget
    return copied


@dataclass(frozen=True, slots=True, kw_only=True)
class _Budgeted:
    """Which budget a client's requests count towards: that of its token's contract, for the present process."""

    api_key: str = field(repr=False)
    process: int
    budget: Budget


def _known_budget(client: IonosOpenAI | AsyncIonosOpenAI) -> Budget | None:
    known = client._budget
    fits = known is not None and (known.api_key, known.process) == (client.api_key, os.getpid())
    return known.budget if known is not None and fits else None


def _find_budget(client: IonosOpenAI) -> Budget | None:
    if client.ionos_pacing is None or (known := _known_budget(client)):
        return known if client.ionos_pacing else None
    # A callable is asked once more than there are requests: the contract is that of the first token.
    token = plain_token(client._token_source() if client._token_source else client.api_key)
    budget = client.ionos_pacing.budget(token)
    client._budget = _Budgeted(api_key=client.api_key, process=os.getpid(), budget=budget)
    return budget


async def _afind_budget(client: AsyncIonosOpenAI) -> Budget | None:
    if client.ionos_pacing is None or (known := _known_budget(client)):
        return known if client.ionos_pacing else None
    token = client._token_source() if client._token_source else client.api_key
    budget = await client.ionos_pacing.abudget(plain_token(await token if inspect.isawaitable(token) else token))
    client._budget = _Budgeted(api_key=client.api_key, process=os.getpid(), budget=budget)
    return budget


def _paced_call(
    client: IonosOpenAI | AsyncIonosOpenAI, options: FinalRequestOptions, budget: Budget | None
) -> PacedCall | None:
    if budget is None or client.ionos_pacing is None:
        return None
    if options.files:
        options.files = with_bytes(options.files)  # an open file would be at its end when the call is made again
    return PacedCall(
        budget,
        images=options.url in IMAGE_PATHS,
        max_wait=client.ionos_pacing.max_wait,
        max_retries=options.get_max_retries(client.max_retries),
    )


def _is_repeatable(options: FinalRequestOptions) -> bool:
    return isinstance(getattr(options, "content", None), (bytes, str, type(None)))


def _is_for_pacing(response: httpx.Response) -> bool:
    return response.status_code == 429 and current_call() is not None


def _counted(seconds: float) -> float:
    if (call := current_call()) is not None:
        call.between_attempts(seconds)
    return seconds
