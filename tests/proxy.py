"""A small CONNECT proxy on loopback for tests: it notes where it was asked to connect, and passes bytes on."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Self

_LONGEST_TUNNEL = 10.0  # seconds


class ConnectProxy:
    """Runs in threads for as long as the `with` block; `asked` holds each "host:port" of a CONNECT."""

    def __init__(self) -> None:
        """Bind a free port on 127.0.0.1."""
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        """The value for HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Start listening."""
        self._threads[0].start()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop listening and end all tunnels."""
        self._stopped.set()
        for thread in list(self._threads):
            thread.join(_LONGEST_TUNNEL)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._tunnel, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _tunnel(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            near.settimeout(_LONGEST_TUNNEL)
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(4096)
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.asked.append(f"{method} {target}")
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), _LONGEST_TUNNEL) as far:
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._pass_on(near, far)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        while not self._stopped.is_set():
            ready, _, _ = select.select([near, far], [], [], 0.05)
            for one in ready:
                data = one.recv(65_536)
                if not data:
                    return
                other[one].sendall(data)
