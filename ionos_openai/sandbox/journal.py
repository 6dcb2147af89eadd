"""What the sandbox was asked and what it answered, told to whoever asks it at /sandbox/."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.sandbox.wire import Refusal, SandboxResponse, json_answer

if TYPE_CHECKING:
    from collections.abc import Collection

    from ionos_openai.sandbox.content import RecordedRequest

PREFIX = "/sandbox/"
REQUESTS_LOG = logging.getLogger("ionos_openai.sandbox.requests")
"""Is told of each request in a line, at INFO, once it is answered."""
_MOST_REQUESTS = 1000
_MOST_TOKENS = 1000
_OTHER = "other"


class Journal:
    """Keeps the last 1000 `requests`, the newest last, and counts all. It may be used from several threads at once.

    Some paths are counted by name; all others are counted together, as anybody may ask for anything.
    """

    def __init__(self, paths: Collection[str]) -> None:
        """Start with nothing; see the class for the arguments."""
        self.requests: deque[RecordedRequest] = deque(maxlen=_MOST_REQUESTS)
        self._paths = frozenset(paths)
        self._lock = threading.Lock()
        self._names: dict[bytes, str] = {}
        self._forget()

    def name_of(self, token: str | None) -> str:
        """Return what a token is called here: by a number, as the token itself is shown nowhere."""
        if token is None or token == SANDBOX_TOKEN:
            return token or "none"
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        with self._lock:
            if digest not in self._names and len(self._names) >= _MOST_TOKENS:
                return _OTHER
            return self._names.setdefault(digest, f"token {len(self._names) + 1}")

    def count(self, request: RecordedRequest, response: SandboxResponse) -> None:
        """Count a request and its answer, and tell of them in a line."""
        REQUESTS_LOG.info("%s", request.line())
        path = request.path if request.path in self._paths else _OTHER
        made = path.startswith("/v1/images/") and response.status == 200 and not response.connection
        with self._lock:
            self._requests += 1
            self._images += made
            self._by["path"][path] += 1
            self._by["status"][response.connection or str(response.status)] += 1
            self._by["token"][request.token] += 1
            if request.fault:
                self._by["fault"][request.fault] += 1

    def answer(self, method: str, path: str) -> SandboxResponse:
        """Answer a request below /sandbox/.

        Raises:
            Refusal: There is nothing at this path, or not with this method.
        """
        name, method = path.removeprefix(PREFIX), method.upper()
        if name not in ("health", "requests", "stats"):
            raise Refusal(404, "reports", "Below /sandbox/ there are health, requests and stats")
        if method == "DELETE" and name != "health":
            self.clear()
            return json_answer({"status": "cleared"})
        if method not in ("GET", "HEAD"):
            raise Refusal(405, "reports", "This path is asked with GET or DELETE")
        if name == "health":
            return json_answer({"status": "ok", "sandbox": True, "pid": os.getpid()})  # whose port it is
        requests = {"requests": [dataclasses.asdict(request) for request in list(self.requests)]}
        return json_answer(requests if name == "requests" else self._stats())

    def clear(self) -> None:
        """Forget all requests and counts."""
        self.requests.clear()
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._requests = self._images = 0
        self._by: dict[str, Counter[str]] = {kind: Counter() for kind in ("path", "status", "token", "fault")}
        self._since = datetime.now(UTC)

    def _stats(self) -> dict[str, object]:
        with self._lock:
            counts = {f"by_{kind}": dict(sorted(counter.items())) for kind, counter in self._by.items()}
            since = self._since.isoformat(timespec="seconds")
            return {"since": since, "requests": self._requests, "images": self._images, **counts}
