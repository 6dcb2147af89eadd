"""What a request's body says, be it JSON or a multipart form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser

from ionos_openai.sandbox.wire import Refusal, SandboxRequest

LARGEST_BODY = 64 * 2**20  # bytes
_MOST_PARTS = 64
_LONGEST_HEAD = 8192  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The parameters of a request."""

    values: Mapping[str, object] = field(default_factory=dict)  # the parameters by name
    files: tuple[tuple[str, bytes], ...] = ()  # the files of a form: field name and content, in order
    is_form: bool = False  # whether it came as a form, whose values are all texts
    refusal: Refusal | None = None  # why it could not be read; None where it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form; `filename` is None where it is not a file."""

    name: str
    filename: str | None = None
    content: bytes = field(repr=False)


def read_content(request: SandboxRequest) -> Content:
    """Read a request's body; it is refused where it is too large, or neither a JSON object nor a form in UTF-8."""
    if len(request.body) > LARGEST_BODY:
        return Content(refusal=Refusal(413, "size-limit", f"The request is larger than {LARGEST_BODY} bytes"))
    content_type = request.header("content-type")
    is_form = content_type.strip().lower().startswith("multipart/")
    try:
        if not request.body:
            return Content()
        return _read_parts(request.body, content_type) if is_form else _read_json(request.body)
    except UnicodeDecodeError:
        reason = "the form is not in UTF-8"
    except ValueError as error:
        reason = str(error)
    return Content(refusal=Refusal(400, "malformed", f"The request cannot be read: {reason}"))


def _read_json(body: bytes) -> Content:
    try:
        values = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        # Python's own words would quote the body, or tell of Python's limits.
        raise ValueError("the body is not JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004  # a reason like the others
    return Content(values=values)


def _read_parts(body: bytes, content_type: str) -> Content:
    parts = read_form(body, content_type)
    values = {part.name: part.content.decode("utf-8") for part in parts if part.filename is None}
    files = tuple((part.name, part.content) for part in parts if part.filename is not None)
    return Content(values=values, files=files, is_form=True)


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Split a form into its parts, in order, or raise a ValueError that says why it is none."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary("")
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise ValueError("the body is not a multipart form with a boundary")
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(delimiter, _MOST_PARTS + 1)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError(f"the form has no end, or more than {_MOST_PARTS} parts")
    return [_read_part(piece) for piece in pieces[1:-1]]


def _read_part(piece: bytes) -> Part:
    head, found, content = piece.partition(b"\r\n\r\n")
    if not found or len(head) > _LONGEST_HEAD:
        raise ValueError("a part of the form has no head, or one that is too long")
    header = BytesHeaderParser().parsebytes(head.strip(b"\r\n \t") + b"\r\n\r\n")
    name = header.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise ValueError("a part of the form has no name")
    return Part(name=name, filename=header.get_filename(), content=content)
