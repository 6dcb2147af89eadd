"""The sandbox behind an SDK client, in this process, as slow and as broken as it is asked to be."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, cast

import anyio.to_thread
import openai

from ionos_openai.errors.http import http_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2 as httpx

    from ionos_openai.sandbox import Sandbox, SandboxResponse


_answering: list[Sandbox | None] = []


@contextlib.contextmanager
def answering(sandbox: Sandbox | None) -> Iterator[None]:
    """Have a sandbox answer the clients of this process, which need no token in the block; None answers nobody.

    It answers those too that were made before, but for those that were given a sandbox of their own.
    """
    _answering.append(sandbox)
    try:
        yield
    finally:
        _answering.remove(sandbox)


def standing_sandbox() -> Sandbox | None:
    """Return the sandbox that answers all clients; None where each is answered as usual."""
    return _answering[-1] if _answering else None


def needs_no_token() -> bool:
    """Tell whether a client may be made without a token; it gets the sandbox's, which the service refuses."""
    return bool(_answering)


def answering_client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """Return an HTTP client that asks `answer` instead of the network."""
    return openai.DefaultHttpxClient(transport=http_library().MockTransport(answer))


def answering_async_client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    """Do what `answering_client` does, for async code; `answer` runs in a thread."""

    async def answer_in_thread(request: httpx.Request) -> httpx.Response:
        return await anyio.to_thread.run_sync(answer, request)

    return openai.DefaultAsyncHttpxClient(transport=http_library().MockTransport(answer_in_thread))


def _travel(reply: SandboxResponse, request: httpx.Request) -> None:
    """Let an answer come as slowly as it is to, or break as on a connection; what would be a timeout is one at once."""
    http, seconds = http_library(), reply.delay + reply.pause
    patience = request.extensions.get("timeout", {}).get("read")
    if reply.connection == "timeout" or (patience is not None and seconds > patience):
        raise http.ReadTimeout("The read operation timed out", request=request)
    if seconds:
        time.sleep(seconds)
    if reply.connection == "cut-body":
        what = f"(received {len(reply.body) // 2} bytes, expected {len(reply.body)})"
        message = f"peer closed connection without sending complete message body {what}"
        raise http.RemoteProtocolError(message, request=request)


def asking(sandbox: Sandbox) -> Callable[[httpx.Request], httpx.Response]:
    """Return what answers a request of the SDK's with the sandbox's answer."""
    from ionos_openai.sandbox import SandboxRequest

    def answer(request: httpx.Request) -> httpx.Response:
        headers, body = dict(request.headers), request.read()
        asked = SandboxRequest(method=request.method, path=request.url.path, headers=headers, body=body)
        reply = sandbox.respond(asked)
        _travel(reply, request)
        response = http_library().Response(reply.status, headers=dict(reply.headers), content=reply.body)
        return cast("httpx.Response", response)

    return answer
