"""The real OpenAI client, set up for IONOS.

`create_client` and `create_async_client` return instances of two small subclasses of the SDK's clients. The
subclasses do only what cannot be done from outside, and each of it in a hook that exists on every supported version:

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
from typing import TYPE_CHECKING, TypeVar, cast

import openai

from ionos_openai.budget import Budget, PacedCall, Pacing, arepeat, current_call, repeat
from ionos_openai.calls import IMAGE_PATHS, adapt_call, merge_call, with_bytes
from ionos_openai.errors import ConfigurationError, MissingTokenError
from ionos_openai.explain import (
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
from ionos_openai.fanout import asend_all, send_all
from ionos_openai.plan import explaining_environment, make_plan
from ionos_openai.settings import IonosSettings
from ionos_openai.tokens import (
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
from ionos_openai.transport import answering_async_client, answering_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2 as httpx
    from openai._models import FinalRequestOptions
    from pydantic import SecretStr

    from ionos_openai.compat import CompatMode
    from ionos_openai.sandbox import Sandbox

# Arguments of the SDK's own that would send the IONOS token somewhere else, and those that are OpenAI's own data.
_NOT_AT_IONOS = ("provider", "workload_identity", "data_residency")
_NOT_FOR_IONOS = ("organization", "project", "admin_api_key")


def create_client(
    *,
    settings: IonosSettings | None = None,
    api_key: str | SecretStr | TokenSource | None = None,
    base_url: str | httpx.URL | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    max_retries: int | None = None,
    default_headers: Mapping[str, str] | None = None,
    default_query: Mapping[str, object] | None = None,
    http_client: openai.DefaultHttpxClient | None = None,
    ca_bundle: str | os.PathLike[str] | None = None,
    compat: CompatMode | None = None,
    pace: bool | None = None,
    max_wait: float | None = None,
    sandbox: bool | Sandbox | None = None,
) -> openai.OpenAI:
    """Make an `openai.OpenAI` that talks to the IONOS AI Model Hub.

    Every argument is optional; what is not given comes from `settings`, which by default reads the environment and
    the `.env` file of the working directory (see `ionos_openai.settings` for the variables). Nothing is read from,
    or sent because of, an `OPENAI_*` variable.

    Args:
        settings: Ready-made settings; arguments win over them.
        api_key: The IONOS token, or a callable that returns it and is asked at each request.
        base_url: Another address of the service. Given here, its host may lie outside ionos.com.
        timeout: Seconds, or an `openai.Timeout`; None means no limit; by default the SDK's 600 s.
        max_retries: How often the SDK tries again after 408, 409, 5xx and broken connections; by default 2. A picture
            whose answer was lost may have been billed. A 429 is not counted, as nothing was made; with 0 it is an
            error at once.
        default_headers: Headers for every request.
        default_query: Query parameters for every request.
        http_client: An HTTP client of your own, used as it is.
        ca_bundle: A PEM file with a private CA's certificates, trusted beside the usual ones.
        compat: What becomes of image requests written for OpenAI: "adapt" (the default) changes what IONOS does not
            know, with a `CompatibilityWarning`; "strict" refuses it; "off" sends what the SDK sends.
        pace: Whether each attempt waits for its turn in the contract's limits, and after a 429 for another one; by
            default where the service's host is one of ionos.com. So a server on this machine or elsewhere, and the
            stand-in, are not paced unless True is given (for the stand-in: here; else also in the settings). False
            gives the plain SDK's behaviour.
        max_wait: Seconds that a call may spend waiting for the limits and between its attempts; by default as long
            as needed. Where it would be longer, `BudgetExceededError` is raised at once.
        sandbox: True, or a `Sandbox`: the in-process stand-in answers. No token, no socket; the pictures are
            placeholders that say so.

    Returns:
        A client whose every resource is the SDK's.

    Raises:
        MissingTokenError: There is no token.
        InvalidTokenError: The token cannot work: a token's ID, another service's key, expired, and the like.
        UntrustedHostError: The token would leave for a host that nobody named in code, or unencrypted.
        ConfigurationError: Another setting cannot work.
        BudgetUnavailableError: The Redis of `IONOS_BUDGET_URL` is not there.
    """
    plan = make_plan(
        settings,
        api_key=api_key,
        base_url=base_url,
        max_retries=max_retries,
        ca_bundle=ca_bundle,
        compat=compat,
        pace=pace,
        max_wait=max_wait,
        sandbox=sandbox,
        http_client=http_client,
    )

    def make() -> IonosOpenAI:
        own = http_client
        if plan.answer is not None:
            own = answering_client(plan.answer)
        elif plan.certificates is not None:
            own = openai.DefaultHttpxClient(verify=plan.certificates)
        return IonosOpenAI(
            api_key=cast("str | TokenSource", plan.api_key),
            base_url=plan.base_url,
            timeout=_timeout(timeout, plan.settings),
            max_retries=plan.settings.max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=own,
        )

    client = explaining_environment(make)
    client.ionos_settings, client.ionos_pacing = plan.settings, plan.pacing
    return client


def create_async_client(
    *,
    settings: IonosSettings | None = None,
    api_key: str | SecretStr | TokenSource | AsyncTokenSource | None = None,
    base_url: str | httpx.URL | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    max_retries: int | None = None,
    default_headers: Mapping[str, str] | None = None,
    default_query: Mapping[str, object] | None = None,
    http_client: openai.DefaultAsyncHttpxClient | None = None,
    ca_bundle: str | os.PathLike[str] | None = None,
    compat: CompatMode | None = None,
    pace: bool | None = None,
    max_wait: float | None = None,
    sandbox: bool | Sandbox | None = None,
) -> openai.AsyncOpenAI:
    """Make an `openai.AsyncOpenAI`, as `create_client` makes an `openai.OpenAI`.

    `api_key` may also be a callable that returns an awaitable, and `http_client` is an async one.
    """
    plan = make_plan(
        settings,
        api_key=api_key,
        base_url=base_url,
        max_retries=max_retries,
        ca_bundle=ca_bundle,
        compat=compat,
        pace=pace,
        max_wait=max_wait,
        sandbox=sandbox,
        http_client=http_client,
    )

    def make() -> AsyncIonosOpenAI:
        own = http_client
        if plan.answer is not None:
            own = answering_async_client(plan.answer)
        elif plan.certificates is not None:
            own = openai.DefaultAsyncHttpxClient(verify=plan.certificates)
        return AsyncIonosOpenAI(
            api_key=cast("str | AsyncTokenSource", plan.api_key),
            base_url=plan.base_url,
            timeout=_timeout(timeout, plan.settings),
            max_retries=plan.settings.max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=own,
        )

    client = explaining_environment(make)
    client.ionos_settings, client.ionos_pacing = plan.settings, plan.pacing
    return client


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


def _timeout(
    given: float | openai.Timeout | openai.NotGiven | None, settings: IonosSettings
) -> float | openai.Timeout | openai.NotGiven | None:
    if isinstance(given, openai.NotGiven) and settings.timeout is not None:
        return settings.timeout
    return given


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
