"""A service on loopback that counts what it serves and misbehaves as told; a bucket of images may stand before it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


def _base_picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


class Service:
    """Answers each request for a picture with one of its own; runs in threads for as long as the `with` block.

    Attributes:
        served: How many pictures went out whole, by prompt.
        numbers: The numbers of the pictures that went out whole, which are in the pictures too.
        busy: How many requests are being answered.
        refused: How many requests were answered with 429.
        requests: How many requests came.
        fault: Asked before each answer, with the request's number; returns a fault's name or None.
        delay: Seconds before each answer.
    """

    def __init__(self, *, capacity: int | None = None, interval: float = 0.0, padding: int = 0) -> None:
        """Bind a free port; with `capacity` and `interval` in seconds, pictures pass a token bucket."""
        self.served: Counter[str] = Counter()
        self.prompts: list[str] = []
        self.numbers: list[int] = []
        self.busy = 0
        self.refused = self.requests = 0
        self.fault: Callable[[int, str], str | None] = lambda number, prompt: None
        self.delay = 0.0
        self.first = self.last = 0.0
        self._capacity, self._interval, self._full_at = capacity, interval, 0.0
        self._picture = _base_picture()
        self._padding = b"\0" * padding
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                outer.busy += 1
                try:
                    with contextlib.suppress(ConnectionError):
                        outer._answer(self, body)
                finally:
                    outer.busy -= 1

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args: object) -> None:
                """Clients are killed while they read: that is what it is for."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _passes(self) -> float:
        """Take one from the bucket; return the seconds to wait where it is empty."""
        if self._capacity is None:
            return 0.0
        now = time.monotonic()
        full_at = max(self._full_at, now) + self._interval
        wait = full_at - self._capacity * self._interval - now
        if wait <= 0:
            self._full_at = full_at
        return max(0.0, wait)

    def _answer(self, handler: Any, body: dict[str, Any]) -> None:
        prompt = str(body.get("prompt"))
        with self._lock:
            self.requests += 1
            number = self.requests
            self.prompts.append(prompt)
            self.first = self.first or time.monotonic()
            wait = self._passes()
            self.refused += wait > 0
        fault = self.fault(number, prompt)
        if wait > 0:
            _send(handler, 429, b"{}", {"Retry-After": f"{wait:.3f}"})
        elif fault is not None:
            _misbehave(handler, fault, self._body(prompt, number))
        else:
            if self.delay:
                time.sleep(self.delay)
            _send(handler, 200, self._body(prompt, number))
            with self._lock:
                self.served[prompt] += 1
                self.numbers.append(number)
                self.last = time.monotonic()

    def _body(self, prompt: str, number: int) -> bytes:
        comment = f"{number} {prompt}".encode()[:60_000]
        marked = self._picture[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + self._picture[2:]
        text = base64.b64encode(marked + self._padding).decode()
        return json.dumps({"data": [{"b64_json": text}]}).encode()

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


FAULTS = ("429", "500", "502", "400", "cut", "stall", "truncated", "not-json", "empty")


def _send(handler: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    content = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    for name, value in content.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _misbehave(handler: Any, fault: str, body: bytes) -> None:
    if fault == "429":
        _send(handler, 429, b"{}", {"Retry-After": "0.05"})
    elif fault == "500":
        _send(handler, 500, b'{"error": {"httpStatus": 500, "message": "backend"}}')
    elif fault == "502":
        _send(handler, 502, b"<html><title>502 Bad Gateway</title></html>", {"Content-Type": "text/html"})
    elif fault == "400":
        _send(handler, 400, b'{"messages": [{"errorCode": "bad", "message": "The prompt is refused"}]}')
    elif fault == "401":
        _send(handler, 401, b'{"messages": [{"errorCode": "paas-auth-1", "message": "Unauthorized"}]}')
    elif fault == "truncated":
        item = json.loads(body)["data"][0]["b64_json"]
        _send(handler, 200, json.dumps({"data": [{"b64_json": item[: len(item) // 8 * 4]}]}).encode())
    elif fault == "not-json":
        _send(handler, 200, body[: len(body) // 2])
    elif fault == "empty":
        _send(handler, 200, b'{"data": []}')
    else:
        _break(handler, fault, body)


def _break(handler: Any, fault: str, body: bytes) -> None:
    """Cut the connection in the body, for "stall" after a while."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    if fault == "stall":
        time.sleep(0.3)
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
