"""The real OpenAI client, set up for IONOS: `create_client`, and what its clients are made of.

- `settings`, `tokens`: what the environment, `.env` and code say; `construction`: a client made of it;
- `hooks`: the two subclasses of the SDK's clients; `calls`, `fanout`: a call as IONOS takes it, once or n times, and
  what was asked, kept with the response; `explain`: IONOS' words in the SDK's exceptions;
- `pacing`: each attempt waits for its turn in the contract's limits;
- `transport`: the HTTP client; `in_process`: the sandbox in the network's place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import openai
from pydantic import SecretStr

from ionos_openai.client.construction import construct
from ionos_openai.client.hooks import AsyncIonosOpenAI, IonosOpenAI
from ionos_openai.client.settings import IonosSettings
from ionos_openai.client.tokens import AsyncTokenSource, TokenSource
from ionos_openai.errors.http import http_library
from ionos_openai.hub.compat import CompatMode
from ionos_openai.hub.credentials import conceal

if TYPE_CHECKING:
    import httpx2 as httpx

    from ionos_openai.sandbox import Sandbox
else:  # for `typing.get_type_hints`, which shall load no Pillow, and whichever HTTP library there is
    httpx, Sandbox = http_library(), Any

__all__ = ["IonosSettings", "create_async_client", "create_client"]


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
    """Make an `openai.OpenAI`, with every resource of the SDK's, that talks to the IONOS AI Model Hub.

    What is not given comes from `settings`, which by default reads the environment and the `.env` file of the working
    directory (see `ionos_openai.client.settings`). Nothing is read from, or sent because of, an `OPENAI_*` variable.

    Args:
        settings: Ready-made settings; arguments win over them.
        api_key: The IONOS token, or a callable that returns it and is asked at each request.
        base_url: Another address of the service. Given here, its host may lie outside ionos.com.
        timeout: Seconds for the whole of an answer that is not streamed, or an `openai.Timeout` with them as `read`;
            None means no limit; by default the SDK's 600 s.
        max_retries: How often the SDK tries again after 408, 409, 5xx and broken connections, by default 2; what was
            lost may have been billed. A 429 is not counted, as nothing was made; with 0 it is an error at once.
        default_headers: Headers for every request.
        default_query: Query parameters for every request.
        http_client: An HTTP client of your own, used as it is; no redirect takes our requests to another origin.
        ca_bundle: A PEM file with a private CA's certificates, trusted beside the usual ones.
        compat: What becomes of image requests written for OpenAI: "adapt" (the default) changes what IONOS does not
            know, with a `CompatibilityWarning`; "strict" refuses it; "off" sends what the SDK sends.
        pace: Whether each attempt waits for its turn in the contract's limits, and after a 429 for another one; by
            default where the service's host is one of ionos.com. For the sandbox only True here does it.
        max_wait: Seconds that a call may spend waiting for the limits and between its attempts; by default as long
            as needed. Where it would be longer, `BudgetExceededError` is raised at once.
        sandbox: True, or a `Sandbox`: this stand-in for the service answers, with placeholders; no token, no socket.

    Raises:
        MissingTokenError: There is no token.
        InvalidTokenError: The token cannot work: a token's ID, another service's key, expired, and the like.
        UntrustedHostError: The token would leave for a host that nobody named in code, or unencrypted.
        ConfigurationError: Another setting cannot work.
        BudgetUnavailableError: The Redis of `IONOS_BUDGET_URL` is not there.
    """
    api_key = conceal(api_key)  # type: ignore[assignment]  # where it is text, no traceback's variables show it
    return construct(IonosOpenAI, **locals())  # all of the arguments, under their own names


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
    api_key = conceal(api_key)  # type: ignore[assignment]  # where it is text, no traceback's variables show it
    return construct(AsyncIonosOpenAI, **locals())  # all of the arguments, under their own names
