"""The HTTP client that our clients are made with, and what is looked at in every answer, of the user's own one too.

A redirect leads no request to another origin, and an answer that drips ends. What is plain http to this machine goes
through no proxy.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openai._base_client import AsyncHttpxClientWrapper, SyncHttpxClientWrapper  # on every supported version

from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import is_loopback, same_origin

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

    import httpx2 as httpx

_http = http_library()
_OURS, _ELSEWHERE = "ionos_ours", "ionos_elsewhere"
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


def make_http_client(
    base_url: str, verify: ssl.SSLContext | None, *, in_loop: bool
) -> httpx.Client | httpx.AsyncClient:
    """Return an HTTP client with the SDK's own defaults, and what is said above.

    Args:
        base_url: The service's address.
        verify: The checks of certificates; None means the usual ones.
        in_loop: Whether it is for async code.
    """
    host = urlsplit(base_url).netloc.rpartition("@")[2]
    named = host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]
    direct = {*_THIS_MACHINE, *([named] if is_loopback(named.strip("[]")) else [])}
    options: dict[str, Any] = {
        "mounts": {f"http://{name}": None for name in direct},  # encrypted, a proxy sees neither token nor prompt
    }
    if verify is not None:
        options["verify"] = verify
    return (AsyncHttpxClientWrapper if in_loop else SyncHttpxClientWrapper)(**options)


def goes_through_proxy(client: object, url: str) -> bool:
    """Tell whether an HTTP client, which may be the user's own, would hand a request to a proxy."""
    find, own = getattr(client, "_transport_for_url", None), getattr(client, "_transport", None)
    return callable(find) and find(_http.URL(url)) is not own


def redirects_to(response: httpx.Response) -> str | None:
    """Return where else an answer would have had the request go, as scheme and host; None where nowhere."""
    address = response.extensions.get(_ELSEWHERE) or response.headers.get("location")
    if not address:
        return None
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "another path"


def watch(client: Any, *, in_loop: bool) -> None:
    """Have an HTTP client, which may be the user's own, look at the answers to requests of ours."""
    look, hooks = _alook if in_loop else _look, client.event_hooks
    if look not in hooks.get("response", ()):
        client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), look]}


def mark_own(request: httpx.Request) -> None:
    """Note that a request is ours; the HTTP library hands the note on to the request that a redirect asks for."""
    request.extensions[_OURS] = True


def _look(response: httpx.Response) -> None:
    """Keep a redirect from taking prompt and pictures to another origin, where the API has none; bound the answer."""
    if not response.request.extensions.get(_OURS):
        return
    if response.has_redirect_location:
        address = response.headers["location"]
        try:
            stays = same_origin(str(response.request.url.join(address)), str(response.request.url))
        except (ValueError, _http.InvalidURL):
            stays = False
        if not stays:
            response.extensions[_ELSEWHERE] = address
            del response.headers["location"]  # so that the HTTP library takes it for an answer
    _bound(response)


async def _alook(response: httpx.Response) -> None:
    _look(response)


def _bound(response: httpx.Response) -> None:
    """Have all of an answer come within the time that each piece of it may take; a stream of events may go on."""
    seconds = response.request.extensions.get("timeout", {}).get("read")
    if seconds is not None and "event-stream" not in response.headers.get("content-type", ""):
        response.stream = _BoundedStream(response, seconds)


class _BoundedStream(_http.SyncByteStream, _http.AsyncByteStream):  # type: ignore[misc,name-defined]
    """An answer's bytes, which end at a point in time."""

    def __init__(self, response: httpx.Response, seconds: float) -> None:
        self._stream: Any = response.stream
        self._request = response.request
        self._end = time.monotonic() + seconds
        self._seconds = seconds

    def _checked(self, piece: bytes) -> bytes:
        if time.monotonic() > self._end:
            raise _http.ReadTimeout(f"the answer is not complete after {self._seconds:g} s", request=self._request)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield self._checked(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield self._checked(piece)

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()
