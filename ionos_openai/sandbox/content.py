"""What a request's body says, be it JSON or a form, and what of it may be kept on record."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ionos_openai.errors.masking import mask_secrets
from ionos_openai.sandbox.multipart import read_form
from ionos_openai.sandbox.wire import Refusal, SandboxRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BODY = 64 * 2**20  # bytes
_SHORTEST_SECRET = 12  # Characters; a token such as "sandbox" is none, and stands in many a prompt.
_LONGEST_TEXT = 10_000
_MOST_ENTRIES = 100
_DEEPEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The parameters of a request.

    Attributes:
        values: The parameters by name.
        files: The files of a form: field name and content, in order.
        is_form: Whether it came as a form, whose values are all texts.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    files: tuple[tuple[str, bytes], ...] = ()
    is_form: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as the stand-in keeps it: no header, no token, no base64.

    Attributes:
        method: "GET", "POST" and the like.
        path: Without a query string.
        body: The parameters; a file of a form is only named with its size. Empty where the body could not be read.
        token: Which token came, without the token itself: "sandbox", "token 1", "token 2", ..., or "none".
    """

    method: str
    path: str
    body: Mapping[str, object]
    token: str


def read_content(request: SandboxRequest) -> Content:
    """Read a request's body.

    Raises:
        Refusal: It is too large, or neither a JSON object nor a form in UTF-8.
    """
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


def record(request: SandboxRequest, content: Content, *, token_name: str) -> RecordedRequest:
    """Return what of a request may be kept; `token_name` is what its token is called."""
    token = request.token or ""
    secret = token if len(token) >= _SHORTEST_SECRET else None
    files: dict[str, object] = {}
    for name, data in content.files:
        files[name] = f"{files[name]}, {len(data)} bytes" if name in files else f"{len(data)} bytes"
    body = _presentable({**content.values, **files}, secret, _DEEPEST)
    path = _presentable(request.path.partition("?")[0], secret, 1)
    fields = body if isinstance(body, dict) else {}
    return RecordedRequest(method=request.method[:20], path=str(path), body=fields, token=token_name)


def _presentable(value: object, secret: str | None, depth: int) -> object:
    """Copy `value` without secrets and base64, cut to what is bearable."""
    if isinstance(value, str):
        text = value[:_LONGEST_TEXT]
        return mask_secrets(text.replace(secret, "<token>") if secret else text)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, list):
        return [_presentable(one, secret, depth - 1) for one in value[:_MOST_ENTRIES]]
    return {
        str(_presentable(key, secret, 1)): _presentable(one, secret, depth - 1)
        for key, one in list(value.items())[:_MOST_ENTRIES]
    }
