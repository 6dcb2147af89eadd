"""What the sandbox was asked and what it answered, told to whoever asks it at / and below /sandbox/."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import os
import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from ionos_openai.errors.masking import each_leaf
from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.sandbox.wire import Content, Refusal, SandboxRequest, SandboxResponse, json_answer

PREFIX = "/sandbox/"
REQUESTS_LOG = logging.getLogger("ionos_openai.sandbox.requests")
"""Is told of each request in a line, at INFO, once it is answered."""
_MOST_REQUESTS, _MOST_TOKENS, _SHOWN_REQUESTS = 1000, 1000, 50
_OTHER = "other"
_LARGEST_RECORD = 20_000  # characters of texts, each leaf counted for 20 more
_LONGEST_TEXT, _MOST_ENTRIES, _DEEPEST = 10_000, 50, 8
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


@dataclass(slots=True, kw_only=True)
class RecordedRequest:
    """A request as the sandbox keeps it, and what became of it: no header, no token, no base64."""

    method: str  # "GET", "POST" and the like
    path: str  # without a query string
    # the parameters; a file of a form is only named with its size. Empty where the body could not be read
    body: Mapping[str, object]
    token: str  # which token came, without the token itself: "sandbox", "token 1", "token 2", ..., or "none"
    status: int | None = None  # of the answer; None as long as there is none
    fault: str = ""  # the fault that befell it; empty where none did
    reason: str = ""  # why it was refused; empty where it was not

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Status, request, model, size and reason, in short; a hyphen for a model or a size that was not named."""
        values = (self.body.get(name) for name in ("model", "size"))
        model, size = (value[:80] if isinstance(value, str) and value else "-" for value in values)
        return str(self.status or "..."), f"{self.method} {self.path[:200]}", model, size, self.reason


class Journal:
    """Keeps the last 1000 `requests`, the newest last, and counts all. It may be used from several threads at once."""

    def __init__(self, paths: Collection[str]) -> None:
        """Start with nothing; all but these paths are counted together, as anybody may ask for anything."""
        self.requests: deque[RecordedRequest] = deque(maxlen=_MOST_REQUESTS)
        self._paths = frozenset(paths)
        self._lock = threading.Lock()
        self._names: dict[bytes, str] = {}
        self._forget()

    def keep(self, request: SandboxRequest, content: Content) -> RecordedRequest:
        """Keep of a request what may be kept."""
        files: dict[str, object] = {}
        for name, data in content.files:
            files[name] = f"{files[name]}, {len(data)} bytes" if name in files else f"{len(data)} bytes"
        left = _LARGEST_RECORD

        def keepable(leaf: object) -> object:
            nonlocal left
            if isinstance(leaf, float) and not math.isfinite(leaf):
                leaf = str(leaf)  # JSON has no word for it
            elif isinstance(leaf, int) and abs(leaf) > 1 << 64:
                leaf = "a number of many digits"
            if isinstance(leaf, str):
                leaf = request.mask(leaf[: max(0, min(left, _LONGEST_TEXT))])
            left -= 20 + (len(leaf) if isinstance(leaf, str) else 0)
            return leaf if left > 0 else "…"

        body = each_leaf({**content.values, **files}, keepable, depth=_DEEPEST, deeper="…", most=_MOST_ENTRIES)
        fields = body if isinstance(body, dict) else {}
        path, token = str(keepable(request.route)), self._name_of(request.token)
        recorded = RecordedRequest(method=request.method[:20], path=path, body=fields, token=token)
        self.requests.append(recorded)
        return recorded

    def _name_of(self, token: str | None) -> str:
        """Return what a token is called here: by a number, as the token itself is shown nowhere."""
        if token is None or token == SANDBOX_TOKEN:
            return token or "none"
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        with self._lock:
            if digest not in self._names and len(self._names) >= _MOST_TOKENS:
                return _OTHER
            return self._names.setdefault(digest, f"token {len(self._names) + 1}")

    def close(self, recorded: RecordedRequest, request: SandboxRequest, response: SandboxResponse) -> None:
        """Record what became of a request, count it, and tell of it in a line."""
        recorded.status, recorded.reason = response.status, request.mask(response.headers.get("x-sandbox-reason", ""))
        status, asked, *rest = recorded.cells
        REQUESTS_LOG.info("%s", " ".join([asked, *rest[:2], status, recorded.reason]).rstrip())
        path = recorded.path if recorded.path in self._paths else _OTHER
        with self._lock:
            self._images += path.startswith("/v1/images/") and response.status == 200 and not response.connection
            self._by["path"][path] += 1
            self._by["status"][response.connection or str(response.status)] += 1
            self._by["token"][recorded.token] += 1
            if recorded.fault:
                self._by["fault"][recorded.fault] += 1

    def answer(self, request: SandboxRequest, *, token: str) -> SandboxResponse:
        """Answer a request for / or below /sandbox/, or refuse it; the page at / shows `token` as the one to set."""
        name, method = request.route.removeprefix(PREFIX), request.method.upper()
        if name == "/" and method in ("GET", "HEAD"):
            return self._page(request.header("host"), token)
        if name not in ("health", "requests", "stats"):
            raise Refusal(404, "reports", "Below /sandbox/ there are health, requests and stats")
        if method == "DELETE" and name != "health":
            self.requests.clear()
            with self._lock:
                self._forget()
            return json_answer({"status": "cleared"})
        if method not in ("GET", "HEAD"):
            raise Refusal(405, "reports", "This path is asked with GET or DELETE")
        if name == "health":
            return json_answer({"status": "ok", "sandbox": True, "pid": os.getpid()})  # whose port it is
        if name == "requests":
            return json_answer({"requests": [dataclasses.asdict(recorded) for recorded in list(self.requests)]})
        with self._lock:
            counts = {f"by_{kind}": dict(sorted(counter.items())) for kind, counter in self._by.items()}
            since, requests = self._since.isoformat(timespec="seconds"), sum(self._by["path"].values())
            return json_answer({"since": since, "requests": requests, "images": self._images, **counts})

    def _page(self, host: str, token: str) -> SandboxResponse:
        """Return the page for people: what this is, the two variables, and the last requests, the newest first."""
        shown = reversed(list(self.requests)[-_SHOWN_REQUESTS:])
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}' for cell in recorded.cells)}</tr>\n" for recorded in shown)
        page = Template((Path(__file__).with_name("page.html")).read_text("utf-8"))
        text = page.substitute(base_url=escape(f"http://{host}/v1"), token=escape(token), rows=rows)
        response = SandboxResponse(status=200, headers={}, body=text.encode("utf-8", "backslashreplace"))
        headers = {"content_type": "text/html; charset=utf-8", "cache_control": "no-store"}
        return response.with_headers(**headers, content_security_policy=_POLICY)

    def _forget(self) -> None:
        self._images = 0
        self._by: dict[str, Counter[str]] = {kind: Counter() for kind in ("path", "status", "token", "fault")}
        self._since = datetime.now(UTC)
