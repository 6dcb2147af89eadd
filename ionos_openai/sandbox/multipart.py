"""The body of a multipart form, read into its fields and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser

_MOST_PARTS = 64
_LONGEST_HEAD = 8192  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form; `filename` is None where it is not a file."""

    name: str
    filename: str | None = None
    content: bytes = field(repr=False)


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Split a form into its parts, in order; its Content-Type names the boundary.

    Raises:
        ValueError: It is not a whole multipart form, or it has more than 64 parts.
    """
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
