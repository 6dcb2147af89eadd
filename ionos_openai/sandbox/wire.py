"""Requests and answers as they go over the wire, and what a request's body says, without any HTTP library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Literal, TypeAlias

from ionos_openai.errors.masking import mask_secrets

ConnectionFault: TypeAlias = Literal["", "timeout", "cut-body", "slow-body"]
"""What goes wrong on the way: no answer ever comes, or after half of it the connection ends, or pauses."""

SANDBOX_HEADER = "x-sandbox"
"""The header that each of the sandbox's answers has, and none of the service's."""

_LONGEST_REASON = 500
LARGEST_BODY = 64 * 2**20  # bytes
_MOST_PARTS = 64
_LONGEST_HEAD = 8192  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRequest:
    """A request to the sandbox."""

    method: str  # "GET", "POST" and the like
    path: str  # such as "/v1/images/generations"; a query string is passed over
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # in any case; they hold the token
    body: bytes = field(default=b"", repr=False)  # as sent

    def header(self, name: str) -> str:
        """Return the header of this name, in any case; empty where there is none."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    @property
    def route(self) -> str:
        """The path without a query string."""
        return self.path.partition("?")[0]

    @property
    def token(self) -> str | None:
        """The bearer token, or None."""
        scheme, _, token = self.header("authorization").strip().partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    def mask(self, text: str) -> str:
        """Return a text without this request's token, and what else looks like a secret."""
        return mask_secrets(text, self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxResponse:
    """The sandbox's answer."""

    status: int
    headers: Mapping[str, str]  # their names in lower case
    body: bytes = field(repr=False)  # all of it; that of a stream holds all its events
    delay: float = 0.0  # how long the answer takes from the request's arrival on, in seconds
    connection: ConnectionFault = ""
    pause: float = 0.0  # how long a slow body pauses, in seconds

    def with_headers(self, **headers: str) -> SandboxResponse:
        """Return the same answer with more headers; an underscore stands for a hyphen in their names."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})

    def because(self, reason: str) -> SandboxResponse:
        """Return the same answer with a header that says why it is no better; a header is a line of ASCII."""
        line = " ".join(reason[:_LONGEST_REASON].split()).encode("ascii", "backslashreplace").decode()
        return self.with_headers(x_sandbox_reason="".join(filter(str.isprintable, line)))


class Refusal(Exception):  # noqa: N818  # it ends a request as it should be ended, and never leaves this package
    """A request that is to be refused; it becomes an answer."""

    def __init__(self, status: int, behaviour: str, message: str, *, silent: bool = False) -> None:
        """Keep the status, the name of the behaviour that refuses, and what to say, in the header alone if `silent`."""
        super().__init__(message)
        self.status, self.behaviour, self.silent = status, behaviour, silent

    def answer(self) -> SandboxResponse:
        """Return the answer, whose code "sandbox-..." tells that the words are not the service's."""
        if self.silent:
            return SandboxResponse(status=self.status, headers={}, body=b"").because(str(self))
        return error_answer(self.status, f"sandbox-{self.behaviour}", str(self))


def json_answer(payload: object, *, status: int = 200) -> SandboxResponse:
    """Return `payload` as a JSON answer."""
    body = json.dumps(payload, separators=(",", ":")).encode("ascii")
    return SandboxResponse(status=status, headers={"content-type": "application/json"}, body=body)


def error_answer(status: int, code: str, message: str) -> SandboxResponse:
    """Return an error in the shape of the recorded 401, and beside it in the one that every SDK shows."""
    entry = {"errorCode": code, "message": message}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "code": code, "param": None}
    return json_answer({"httpStatus": status, "messages": [entry], "error": error}, status=status).because(message)


def unauthorized(reason: str = "the token is not taken") -> SandboxResponse:
    """Return the 401 as it was recorded; `reason` stands in the sandbox's own header alone."""
    message = "Unauthorized, wrong or no api key provided to process this request"
    entry = {"errorCode": "paas-auth-1", "message": message}
    return json_answer({"httpStatus": 401, "messages": [entry]}, status=401).because(reason)


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
    try:
        if not request.body:
            return Content()
        if not content_type.strip().lower().startswith("multipart/"):
            return Content(values=_read_json(request.body))
        parts = read_form(request.body, content_type)
        values = {part.name: part.content.decode("utf-8") for part in parts if part.filename is None}
        files = tuple((part.name, part.content) for part in parts if part.filename is not None)
        return Content(values=values, files=files, is_form=True)
    except UnicodeDecodeError:
        reason = "the form is not in UTF-8"
    except ValueError as error:
        reason = str(error)
    return Content(refusal=Refusal(400, "malformed", f"The request cannot be read: {reason}"))


def _read_json(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        # Python's own words would quote the body, or tell of Python's limits.
        raise ValueError("the body is not JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004  # a reason like the others
    return values


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
