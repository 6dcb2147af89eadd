"""A request on its way: no redirect and no proxy takes it elsewhere, and all of its answer comes in time.

Of an HTTP client of the user's own this holds as well, for our requests alone. The HTTP library tells of them by what
it documents: a hook for each answer, and `trace` for each connection, of which a client for tests has none.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openai._base_client import AsyncHttpxClientWrapper, SyncHttpxClientWrapper  # on every supported version

from ionos_openai.client.pacing.turns import PerLoop, holding
from ionos_openai.client.telemetry import note_response
from ionos_openai.errors import UntrustedHostError
from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import is_loopback, same_origin

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    import httpx2 as httpx

_OURS = "ionos_openai"  # The extension by which a request of ours is known; a redirect keeps it.
_ELSEWHERE = "ionos_elsewhere"
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


def make_http_client(
    base_url: str, verify: ssl.SSLContext | None, *, in_loop: bool
) -> httpx.Client | httpx.AsyncClient:
    """Return an HTTP client with the SDK's own defaults, which asks this machine directly; `in_loop` for async code."""
    host = urlsplit(base_url).hostname or ""
    direct = {*_THIS_MACHINE, *([f"[{host}]" if ":" in host else host] if is_loopback(host) else [])}
    # Encrypted, a proxy sees neither token nor prompt.
    options: dict[str, Any] = {"mounts": {f"http://{name}": None for name in direct}}
    options |= {} if verify is None else {"verify": verify}
    return (AsyncHttpxClientWrapper if in_loop else SyncHttpxClientWrapper)(**options)


def one_for_each_loop(first: httpx.AsyncClient, make: Callable[[], httpx.AsyncClient]) -> PerLoop[httpx.AsyncClient]:
    """Return the HTTP clients of event loops: the first loop gets `first`, each other one what `make` makes."""
    unused = [first]

    def next_one() -> httpx.AsyncClient:
        client = unused.pop() if unused else make()
        watch_client(client, in_loop=True)
        return client

    return PerLoop(next_one)


def watch_client(client: httpx.Client | httpx.AsyncClient, *, in_loop: bool) -> None:
    """Have our requests that an HTTP client sends not be redirected to another origin."""
    hooks = client.event_hooks["response"]
    if not any(hook in (_look, _alook) for hook in hooks):
        hooks.append(_alook if in_loop else _look)


def watch(request: httpx.Request, *, in_loop: bool) -> None:
    """Take a request for ours, and have its connection watched."""
    note = functools.partial(_note, request.url)

    async def anote(event: str, info: Mapping[str, Any]) -> None:
        note(event, info)

    request.extensions[_OURS] = True
    request.extensions.setdefault("trace", anote if in_loop else note)


def redirects_to(response: httpx.Response) -> str:
    """Say where else an answer would have had the request go, with the scheme and the host alone."""
    address = response.extensions.get(_ELSEWHERE) or response.headers.get("location")
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return "an address that cannot be read"
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:200] if parts.netloc else "another path"
    return where if address else "nowhere"


def _look(response: httpx.Response) -> None:
    """Keep a redirect from taking prompt and pictures to another origin; the API has none."""
    if _OURS not in response.request.extensions:
        return
    note_response(response)
    if response.has_redirect_location:
        address, stays = response.headers["location"], False
        with contextlib.suppress(ValueError, http_library().InvalidURL):
            stays = same_origin(str(response.request.url.join(address)), str(response.request.url))
        if not stays:
            response.extensions[_ELSEWHERE] = address
            del response.headers["location"]  # so that the HTTP library takes it for an answer


async def _alook(response: httpx.Response) -> None:
    _look(response)


@dataclass(slots=True)
class _Answer:
    ends: float = math.inf  # until when all of it must have come, on the monotonic clock
    proxy: str | None = None  # which was asked for a connection, as host and port


_awaited: ContextVar[_Answer | None] = ContextVar("ionos_openai_answer", default=None)


def awaiting_answer() -> AbstractContextManager[None]:
    """Have the timeout for reading be that for all of an answer, head and body, which is read in the block.

    What is streamed is read after the block, and may take its time.
    """
    return holding(_awaited, _Answer())


def proxy_asked() -> str | None:
    """Return the proxy that the last connection went to, as host and port; None where there was none."""
    return answer.proxy if (answer := _awaited.get()) is not None else None


def _note(url: httpx.URL, event: str, info: Mapping[str, Any]) -> None:
    """Take note of what the connection of a request to `url` is about to do, or has done."""
    answer = _awaited.get()
    if event.endswith(".connect_tcp.started"):
        asked, meant = (info["host"], info["port"]), (url.host, url.port or (443 if url.scheme == "https" else 80))
        if answer is not None:
            answer.proxy = None if asked == meant else "{}:{}".format(*asked)
        if asked != meant and url.scheme == "http" and is_loopback(url.host):
            raise UntrustedHostError(
                f"The request to {url.host} would go through a proxy unencrypted, so the token was not sent: name "
                "this machine in NO_PROXY, or give http_client= no proxy."
            )
    elif event.endswith(".receive_response_headers.started"):
        if answer is not None:
            seconds = info["request"].extensions.get("timeout", {}).get("read")
            answer.ends = math.inf if seconds is None else time.monotonic() + seconds
    elif event.endswith((".connect_tcp.complete", ".start_tls.complete")):
        stream = info["return_value"]
        stream.read = functools.partial(_read_in_time, stream.read)


def _read_in_time(read: Callable[[int, float | None], object], most: int, timeout: float | None = None) -> object:
    """Read from a connection, or have a coroutine read, for no longer than the answer may still take."""
    answer = _awaited.get()
    if answer is not None and answer.ends != math.inf:
        left = answer.ends - time.monotonic()
        if left <= 0:
            raise http_library().ReadTimeout("The answer did not come to its end in time")
        timeout = left if timeout is None else min(left, timeout)
    return read(most, timeout)
