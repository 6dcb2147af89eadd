"""The sandbox over HTTP, for clients in any language, served by uvicorn with its plain parser (h11).

Pictures are drawn in threads, so that a large one holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from ionos_openai.errors import ConfigurationError
from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.sandbox.service import Sandbox
from ionos_openai.sandbox.wire import LARGEST_BODY, Refusal, SandboxRequest, SandboxResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    import uvicorn

    # The three parts of ASGI, as its specification has them.
    _Scope = MutableMapping[str, Any]
    _Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    _Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    _Asgi = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_WAITING_CONNECTIONS = 1024
_MOST_IN_WORK = 4 * LARGEST_BODY  # bytes of all bodies that are being read or answered
_KEEP_ALIVE = 75  # seconds; longer than clients keep idle connections, so that it is not we who close one under them
_NO_ADDRESS = "{!r} is no address of this machine: choose one such as 127.0.0.1 or 0.0.0.0."
_TAKEN = "is taken: choose another port, or 0 for any that is free."
_NO_RIGHTS = "needs rights that this process does not have: choose a port above 1023."
_PROBLEMS = {"EADDRINUSE": _TAKEN, "EACCES": _NO_RIGHTS, "EPERM": _NO_RIGHTS}


class SandboxServer:
    """Serves a sandbox over HTTP: in a thread for as long as a `with` block, or until Ctrl-C with `run()`.

    By default it counts no limits, and only this machine reaches it. `port` 0 takes any that is free; afterwards `host`
    and `port` are the address in numbers. A ConfigurationError says that uvicorn is missing or nobody may listen there.
    """

    def __init__(self, sandbox: Sandbox | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Take the port; requests wait until serving begins."""
        self.sandbox = Sandbox() if sandbox is None else sandbox
        self._pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="sandbox")
        self._server = _uvicorn_server(_application(self.sandbox, self._pool))
        self._socket = _listen(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self._thread = threading.Thread(target=self.run, name="ionos-openai sandbox", daemon=True)

    @property
    def url(self) -> str:
        """The server's address, such as "http://127.0.0.1:8600"; at a wildcard address, how this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(self.host), str(self.host))  # noqa: S104  # only compared
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What clients take as `base_url`."""
        return f"{self.url}/v1"

    @property
    def token(self) -> str:
        """A token that it takes."""
        return SANDBOX_TOKEN if self.sandbox.token is None else self.sandbox.token

    def run(self) -> None:
        """Serve in the main thread until Ctrl-C, a KeyboardInterrupt, which closes what is on its way."""
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self.close()

    def __enter__(self) -> Self:
        """Serve in a thread."""
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        """Close all connections and free the port."""
        self._server.should_exit = True
        self._thread.join()

    def close(self) -> None:
        """Free the port of a server that is not serving; one that served has done so."""
        self._socket.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _uvicorn_server(application: _Asgi) -> uvicorn.Server:
    try:
        import uvicorn
    except ImportError:
        raise ConfigurationError("The sandbox's server needs uvicorn. Install with: pip install uvicorn") from None

    class ClosingServer(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()  # or whoever waits would be answered with a 500
            await super().shutdown(sockets)

    config = uvicorn.Config(
        application,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="critical",  # it would report each connection that a fault ends as our mistake
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=0,  # nobody needs the answers of a sandbox that is told to stop
    )

    return ClosingServer(config)


def _listen(host: str, port: int) -> socket.socket:
    if not host.strip():  # which bind would take for every address
        raise ConfigurationError(_NO_ADDRESS.format(host))
    # With its protocol named: only then does asyncio turn Nagle's algorithm off, which would hold up each small answer.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_WAITING_CONNECTIONS)
    except OverflowError:
        problem = f"{port} is no port: choose one from 0 (any that is free) to 65535."
    except (socket.gaierror, UnicodeError):
        problem = _NO_ADDRESS.format(host)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "").removeprefix("WSA")  # which Windows puts before it
        other = f"cannot be listened on ({error.strerror}): choose another address or port."
        problem = f"{host}:{port} {_PROBLEMS.get(name, other)}"
    else:
        return listener
    listener.close()
    raise ConfigurationError(problem)


def _application(sandbox: Sandbox, pool: ThreadPoolExecutor) -> _Asgi:
    """Return the sandbox as an ASGI application."""
    bodies = _Bodies()

    async def answer(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        reply: SandboxResponse | None = None
        async with bodies.read(receive) as body:
            if isinstance(body, Refusal):
                reply = body.answer()
            elif body is not None:
                headers = _headers(scope)
                request = SandboxRequest(method=scope["method"], path=scope["path"], headers=headers, body=body)
                answering = loop.run_in_executor(pool, sandbox.respond, request) if body else None
                # Without a body at once, so that /sandbox/health answers while pictures are drawn.
                reply = await _while_wanted(receive, answering) if answering else sandbox.respond(request)
        if reply is None:
            return
        if (left := arrived + reply.delay - loop.time()) > 0:
            await asyncio.sleep(left)
        if reply.connection != "timeout":
            await _answer(reply, send)
            return
        while (await receive())["type"] != "http.disconnect":
            pass

    return answer


async def _while_wanted(receive: _Receive, answering: asyncio.Future[SandboxResponse]) -> SandboxResponse | None:
    """Return the answer, or None once the client is gone; then it is not begun, where it was not yet."""
    # All of the body has come, so that nothing else can.
    leaving: asyncio.Future[Any] = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({leaving, answering}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        leaving.cancel()
        answering.cancel()


class _Bodies:
    """Reads the bodies of requests, and bounds the bytes of all that are in work."""

    def __init__(self) -> None:
        self._size = 0

    @contextlib.asynccontextmanager
    async def read(self, receive: _Receive) -> AsyncIterator[bytes | Refusal | None]:
        """Hold a whole body; a refusal where there are too many, None where the client is gone before its end."""
        content, is_beyond = bytearray(), False
        message: MutableMapping[str, Any] = {"more_body": True}
        try:
            while message.get("more_body", False):
                message = await receive()
                # What is too large is refused, but read to its end: many clients listen only then.
                piece = message.get("body", b"")[: LARGEST_BODY + 1 - len(content)]
                is_beyond = is_beyond or self._size + len(piece) > _MOST_IN_WORK
                if not is_beyond:
                    content += piece
                    self._size += len(piece)
            refusal = Refusal(503, "size-limit", "Too many large requests are being read") if is_beyond else None
            yield None if message["type"] != "http.request" else refusal or bytes(content)
        finally:
            self._size -= len(content)


def _headers(scope: _Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def _answer(reply: SandboxResponse, send: _Send) -> None:
    headers = dict(reply.headers)
    is_stream = headers.get("content-type", "").startswith("text/event-stream")
    if not is_stream and reply.status != 204:
        headers.setdefault("content-length", str(len(reply.body)))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    half = len(reply.body) // 2
    last, pieces = reply.body, []
    if reply.connection in ("cut-body", "slow-body"):
        pieces, last = [reply.body[:half]], reply.body[half:]
    elif is_stream:
        pieces, last = [event + b"\n\n" for event in reply.body.split(b"\n\n") if event], b""
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(reply.pause)
    if reply.connection != "cut-body":  # the server ends a connection whose answer is not whole
        await send({"type": "http.response.body", "body": last})
