"""A small HTTP server on loopback for tests: it keeps what came, byte for byte, and answers what it is told to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    raw: str
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer: a status, further headers, and a body (a dict goes as JSON)."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the body's bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


MODEL_LIST = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "unknown"}]}


class LoopbackServer:
    """Runs in a thread for as long as the `with` block; `answers` are used in turn, then `default`."""

    def __init__(self, *, wrap_socket: Callable[[Any], Any] | None = None) -> None:
        """Bind a free port on 127.0.0.1; `wrap_socket` turns the socket into a TLS one."""
        self.requests: list[Received] = []
        self.answers: list[Answer] = []
        self.default = Answer(body=MODEL_LIST)
        self._tls = wrap_socket is not None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for the acknowledgement of its headers

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                raw = f"{self.requestline}\r\n{self.headers.as_string()}\r\n{body.decode('utf-8', 'replace')}"
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append(Received(self.command, self.path, headers, raw, body))
                answer = outer.answers.pop(0) if outer.answers else outer.default
                encoded = answer.encoded()
                self.send_response(answer.status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(encoded)), **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if wrap_socket is not None:
            self._server.socket = wrap_socket(self._server.socket)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
