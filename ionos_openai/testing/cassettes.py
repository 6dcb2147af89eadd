"""Cassettes: what of a conversation is written down, how it is made readable, and which requests are the same.

What is written holds no token, no cookie, no trace id and no header but a few, and a picture is a few pixels large.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pybase64
from PIL import Image

from ionos_openai.errors.masking import Secrets, each_leaf, mask_recorded
from ionos_openai.files.formats import FORMATS, SANDBOX_MARK, is_marked_sandbox
from ionos_openai.sandbox.wire import SANDBOX_HEADER, Part, read_form

RECORDED_FROM = "x-recorded-from"
"""The header by which every recorded answer says who gave it: "stand-in" or "service"."""

TRACE_ID = "0" * 32

_ANSWER_HEADERS = frozenset({"content-type", "retry-after", "x-trace-id", RECORDED_FROM})
_BOUNDARY = "form"
_FORM_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"
_LONGEST_SIDE = 8  # px
_EXIF_DESCRIPTION = 0x010E

_NAMED_TRACE = re.compile(r"(?i)(trace[-_]?id\W{1,8})[0-9a-f]{32}\b")
_EXACTLY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
_MOST_ROUNDS = 20
_SHORTEST_PICTURE = 60  # characters of base64
_PIXELS_URI = "data:image/png;base64,"
_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{200,}")
_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,")


def vcr_config() -> dict[str, object]:
    """Return the arguments for `vcr.VCR`, or what pytest-recording's fixture `vcr_config` is to return."""
    logging.getLogger("vcr").setLevel(logging.WARNING)  # at INFO vcrpy logs whole bodies
    scrubber = Scrubber()
    return {
        "match_on": ("method", "scheme", "host", "port", "path", "query", "body"),
        "decode_compressed_response": True,
        "before_record_request": scrubber.request,
        "before_record_response": scrubber.answer,
    }


class Scrubber:
    """Turns requests and answers into what may be written down; what was scrubbed before stays as it is.

    The tokens to look for are those that the requests themselves carry, the trace ids those of the answers.
    """

    def __init__(self) -> None:
        """Know of no secret yet."""
        self._secrets = Secrets()

    def request(self, request: Any) -> Any:
        """Scrub a `vcr.request.Request`; vcrpy hands over a copy of its own."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._secrets.learn_token(headers.get("authorization", "").strip().rpartition(" ")[2])
        content_type = headers.get("content-type", "")
        request.uri = self._mask(request.uri)
        if not isinstance(request.body, bytes) or not request.body:
            request.headers = {}  # Early versions of the SDK give a type to what is not there.
            return request
        request.headers = {"content-type": content_type} if content_type else {}
        if content_type.startswith("multipart/form-data"):
            request.body = self._form(request.body, content_type)
            request.headers["content-type"] = _FORM_TYPE
        else:
            # Versions of the SDK order the fields differently.
            request.body = self._json(request.body, self._request_text, sort_keys=True)
        return request

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Scrub an answer: vcrpy's dict of status, headers and body."""
        headers = {name.lower(): list(values) for name, values in answer["headers"].items()}
        if headers.get("content-encoding"):
            raise ValueError(f"The answer's encoding {headers['content-encoding']} cannot be read, so not be scrubbed.")
        for trace in headers.get("x-trace-id", []):
            self._secrets.learn(trace, TRACE_ID)
        body = self._json(answer["body"]["string"], self._answer_text)
        headers = {name: [self._mask(value) for value in values] for name, values in headers.items()}
        kept = {name: headers[name] for name in sorted(_ANSWER_HEADERS & headers.keys())}
        if "x-trace-id" in kept:
            kept["x-trace-id"] = [TRACE_ID]
        kept.setdefault(RECORDED_FROM, ["stand-in" if SANDBOX_HEADER in headers else "service"])
        status = {**answer["status"], "message": self._mask(answer["status"]["message"] or "")}
        return {"status": status, "headers": kept, "body": {"string": body}}

    def _mask(self, text: str) -> str:
        return _without_named_traces(mask_recorded(self._secrets.hide(text)))

    def _request_text(self, text: str) -> str:
        """Mask a text that is sent; a picture becomes a few pixels, and other base64 its digest."""
        head, data = _data_in(text)
        if (head or len(text) > _SHORTEST_PICTURE) and (pixels := pixels_of(data)):
            return f"{_PIXELS_URI if head else ''}{pixels}"
        return _LONG_BASE64.sub(lambda found: _digest(found[0].encode(), "characters"), self._mask(text))

    def _form(self, body: bytes, content_type: str) -> bytes:
        """Write a form with a boundary that is always the same, sorted by field, its files as digests."""
        if content_type == _FORM_TYPE:
            return body
        try:
            parts = sorted(read_form(body, content_type), key=lambda part: part.name)
        except ValueError:
            return self._raw(body)
        # No carriage return: with one, YAML could not show the form line by line.
        return "\n".join([*map(self._part, parts), f"--{_BOUNDARY}--"]).encode()

    def _part(self, part: Part) -> str:
        if part.filename is None:
            filename, content = "", self._request_text(part.content.decode("utf-8", "backslashreplace"))
        else:
            content = pixels_of(part.content) or _digest(part.content, "bytes")
            filename = f'; filename="{part.filename}"'
        return f'--{_BOUNDARY}\nContent-Disposition: form-data; name="{part.name}"{filename}\n\n{content}'

    def _json(self, body: bytes, change: Callable[[str], str], *, sort_keys: bool = False) -> bytes:
        try:
            # In JSON, the name of a trace id and the id itself are texts of their own.
            value = json.loads(_without_named_traces(body.decode("utf-8-sig")))
        except (ValueError, RecursionError):
            return self._raw(body)
        value = each_leaf(value, lambda leaf: change(leaf) if isinstance(leaf, str) else leaf)
        # ASCII alone: vcrpy writes files in the system's encoding and reads them as UTF-8.
        return json.dumps(value, indent=2, sort_keys=sort_keys).encode("ascii")

    def _answer_text(self, text: str) -> str:
        masked = self._mask(text)
        return shrink_base64(text) if masked == text else masked

    def _raw(self, body: bytes) -> bytes:
        # Latin-1 gives every byte a character and back, and tokens are ASCII.
        return self._mask(body.decode("latin-1")).encode("latin-1")


def shrink_base64(text: str) -> str:
    """Shrink a picture in base64, or in a `data:` URI; any other text is returned as it is."""
    head, data = _data_in(text)
    try:
        return head + pybase64.b64encode(shrink_picture(data)).decode("ascii")
    except ValueError:
        return text


def shrink_picture(data: bytes) -> bytes:
    """Shrink a picture to at most 8 x 8 px, in its own format with the sandbox's mark, or raise a ValueError."""
    kind, is_large, small = _small(data)
    if not is_large:
        return data
    out, exif = io.BytesIO(), Image.Exif()
    if is_marked_sandbox(data):
        exif[_EXIF_DESCRIPTION] = SANDBOX_MARK.decode("ascii")
    small = small.convert("RGB") if kind == "JPEG" else small
    small.save(out, kind, exif=exif, optimize=True, **_EXACTLY.get(kind, {}))
    return out.getvalue()


def pixels_of(data: bytes) -> str:
    """Return what stands for a picture that is sent: base64 of a PNG of at most 8 x 8 px; empty where it is none.

    It is the same for what `shrink_picture` left of it, also saved in another format without loss, so that a picture
    which comes out of a cassette and is sent on is the recorded one. It is not compressed: libraries differ in that.
    """
    out = io.BytesIO()
    try:
        _small(data)[2].save(out, "PNG", compress_level=0)
    except ValueError:
        return ""
    return pybase64.b64encode(out.getvalue()).decode("ascii")


def _small(data: bytes) -> tuple[str, bool, Image.Image]:
    """Return a picture's format, whether it is above 8 x 8 px, and it so small, with pixels that a JPEG leaves."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            kind, is_large, small = picture.format or "PNG", max(picture.size) > _LONGEST_SIDE, picture.convert("RGBA")
    except Exception as error:
        # Pillow's decoders raise exceptions of every kind.
        raise ValueError("not a picture that can be shrunk") from error
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    alpha, colours = small.getchannel("A"), small.convert("RGB")
    for _ in range(_MOST_ROUNDS):
        saved = io.BytesIO()
        colours.save(saved, "JPEG", **_EXACTLY["JPEG"])
        before, colours = colours.tobytes(), Image.open(saved).convert("RGB")
        if colours.tobytes() == before:
            break
    colours.putalpha(alpha)
    return kind, is_large, colours


def _data_in(text: str) -> tuple[str, bytes]:
    """Return the head of a `data:` URI, empty where a text has none, and what its base64 stands for."""
    found = _DATA_URI.match(text)
    head = found[0] if found else ""
    try:
        return head, pybase64.b64decode(text[len(head) :], validate=True)
    except ValueError:
        return head, b""


def _without_named_traces(text: str) -> str:
    return _NAMED_TRACE.sub(rf"\g<1>{TRACE_ID}", text)


def _digest(data: bytes, unit: str) -> str:
    return f"<{len(data)} {unit}, sha256 {hashlib.sha256(data).hexdigest()[:16]}>"
