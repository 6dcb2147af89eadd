"""What a request's body says, be it JSON or a form, and what of it may be kept on record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ionos_openai.errors.masking import TOKEN, Secrets, each_leaf
from ionos_openai.sandbox.multipart import read_form
from ionos_openai.sandbox.wire import Refusal, SandboxRequest

LARGEST_BODY = 64 * 2**20  # bytes
_LARGEST_RECORD = 20_000  # characters of texts, each leaf counted for 20 more
_LONGEST_TEXT = 10_000
_MOST_ENTRIES = 50
_DEEPEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The parameters of a request."""

    values: Mapping[str, object] = field(default_factory=dict)  # the parameters by name
    files: tuple[tuple[str, bytes], ...] = ()  # the files of a form: field name and content, in order
    is_form: bool = False  # whether it came as a form, whose values are all texts
    refusal: Refusal | None = None  # why it could not be read; None where it was


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
    def outcome(self) -> str:
        """The status as a text."""
        return "..." if self.status is None else str(self.status)

    @property
    def subject(self) -> tuple[str, str]:
        """The model and the size that were asked for, in short; a hyphen for each that was not."""
        values = (self.body.get(name) for name in ("model", "size"))
        model, size = (value[:80] if isinstance(value, str) and value else "-" for value in values)
        return model, size

    def line(self) -> str:
        """Return all of it but the body, in one line."""
        reason = f" {self.reason}" if self.reason else ""
        return f"{self.method} {self.path[:200]} {' '.join(self.subject)} {self.outcome}{reason}"


def read_content(request: SandboxRequest) -> Content:
    """Read a request's body; it is refused where it is too large, or neither a JSON object nor a form in UTF-8."""
    try:
        return _read_body(request)
    except Refusal as refusal:
        return Content(refusal=refusal)


def _read_body(request: SandboxRequest) -> Content:
    if len(request.body) > LARGEST_BODY:
        raise Refusal(413, "size-limit", f"The request is larger than {LARGEST_BODY} bytes")
    content_type = request.header("content-type")
    if not request.body:
        return Content()
    if content_type.strip().lower().startswith("multipart/"):
        return _read_parts(request.body, content_type)
    try:
        values = json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError):
        # Python's own words would quote the body, or tell of Python's limits.
        raise _unreadable("the body is not JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise _unreadable("the body is not a JSON object")
    return Content(values=values)


def _read_parts(body: bytes, content_type: str) -> Content:
    try:
        parts = read_form(body, content_type)
        values = {part.name: part.content.decode("utf-8") for part in parts if part.filename is None}
    except UnicodeDecodeError:
        raise _unreadable("the form is not in UTF-8") from None
    except ValueError as error:
        raise _unreadable(str(error)) from None
    files = tuple((part.name, part.content) for part in parts if part.filename is not None)
    return Content(values=values, files=files, is_form=True)


def _unreadable(reason: str) -> Refusal:
    return Refusal(400, "malformed", f"The request cannot be read: {reason}")


def secrets_of(request: SandboxRequest) -> Secrets:
    """Return what masks the request's token."""
    secrets = Secrets()
    secrets.learn(request.token or "", TOKEN)
    return secrets


def record(request: SandboxRequest, content: Content, *, token_name: str) -> RecordedRequest:
    """Return what of a request may be kept; `token_name` is what its token is called."""
    secrets = secrets_of(request)
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
            leaf = secrets.mask(leaf[: max(0, min(left, _LONGEST_TEXT))])
        left -= 20 + (len(leaf) if isinstance(leaf, str) else 0)
        return leaf if left > 0 else "…"

    body = each_leaf({**content.values, **files}, keepable, depth=_DEEPEST, deeper="…", most=_MOST_ENTRIES)
    path = str(keepable(request.path.partition("?")[0]))
    fields = body if isinstance(body, dict) else {}
    return RecordedRequest(method=request.method[:20], path=path, body=fields, token=token_name)
