"""From an item of a response, or whatever else people hold a picture in, to its bytes."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pybase64
from openai.types import Image

from ionos_openai.client.settings import open_bucket
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.files.buckets import is_url
from ionos_openai.files.formats import fit_mode, sniff
from ionos_openai.files.names import shown
from ionos_openai.files.opening import at_home, read_regular
from ionos_openai.hub.answers import read_error_body, read_field

_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
_LONGEST_SHOWN = 200  # characters of a path
_BYTES = (bytes, bytearray, memoryview)
_HELD = (*_BYTES, io.IOBase, Path)
_IN_BASE64 = re.compile(rb"\s*(?:data:[^,]{,99},)?[\w+/=\s-]{64,}", re.ASCII)
_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
ASK_AGAIN = "Ask for it again."
_ASK_BASE64 = "Ask with response_format='b64_json'"


class ItemError(Exception):
    """Why an item is no picture, and how to ask better: what follows "Item 2 of 3 "."""


def item_bytes(item: object) -> bytes:
    """Return the bytes of an item's picture; base64 is one too, and what `read_picture` takes. Else an `ItemError`."""
    if isinstance(item, _HELD) or is_url(item) or _is_pillow(item):
        try:
            data = read_picture(item)
        except InvalidRequestError as error:
            raise ItemError(f"is no picture: {error}") from None
        if not isinstance(item, _BYTES) or sniff(data) or not _IN_BASE64.fullmatch(data[:_LONGEST_SHOWN]):
            return data
        item = data.decode("ascii", "replace")
    if isinstance(item, str):
        item = {"b64_json": item}
    text, url = as_text(read_field(item, "b64_json")), as_text(read_field(item, "url"))
    if not text.strip() and url[:5].lower() == "data:":
        text = url
    if not text.strip() and not url.strip():
        missing = f": `b64_json` and `url` are both missing or empty. {_ASK_BASE64}."
        raise ItemError(f"has no picture{f'. It says: {said}' if (said := refusal(item)) else missing}")
    if not text.strip():
        raise ItemError(f"is only a URL{_address(url)}. {_ASK_BASE64}, or download the URL yourself.")
    # Most are in the form that the service sends.
    for encoded in (lambda: text, lambda: _normalise(text)):
        with contextlib.suppress(ValueError):
            return pybase64.b64decode(encoded(), validate=True)
    raise ItemError(f"is not base64. {ASK_AGAIN}")


def refusal(answer: object) -> str:
    """Return what an answer, or an item of one, says in place of a picture, as gateways do with status 200."""
    said = read_error_body(answer if isinstance(answer, Mapping) else getattr(answer, "model_extra", None))
    return f"{said.message}{f' ({said.code})' if said.code else ''}" if said.message else ""


def is_item(held: object) -> bool:
    """Tell whether it is one picture, as an item of a response, as base64 or as `read_picture` takes it."""
    if isinstance(held, str):
        return not held.lstrip().startswith(("<", "{", "["))  # as pages are, and JSON
    is_field = any(isinstance(read_field(held, name), str) for name in ("b64_json", "url"))
    return is_field or isinstance(held, (Image, *_HELD)) or _is_pillow(held)


def as_held(held: Any) -> Any:
    """Return text that names a file as a path (it has a dot, as base64 has not), and what has an open file as that.

    So have the temporary files of Python and the uploads of web frameworks. Not for an answer's, nor for a bucket's.
    """
    is_path = isinstance(held, str) and is_item(held) and "." in held[-_LONGEST_SHOWN:] and held[:5].lower() != "data:"
    is_path = is_path and not is_url(held)
    inner = getattr(held, "file", None)
    return Path(held) if is_path or isinstance(held, os.DirEntry) else inner if isinstance(inner, io.IOBase) else held


def _is_pillow(held: object) -> bool:
    return any(base.__module__.startswith("PIL.") for base in type(held).__mro__)


def is_upload(image: object) -> bool:
    """Tell whether it is a file as the SDK takes it for an upload: its name, its content, perhaps its type."""
    return isinstance(image, tuple) and len(image) > 1 and isinstance(image[1], (*_BYTES, io.IOBase))


def read_picture(image: Any) -> bytes:
    """Return the picture of a path, bytes, an open file, the SDK's file tuple or a Pillow image, encoded.

    What is none of these, or cannot be read, is an `InvalidRequestError`.
    """
    image = as_held(image[1] if is_upload(image) else image)
    if isinstance(image, io.IOBase) and not isinstance(image, io.TextIOBase):
        image.seek(0)
        image = image.read()
    if isinstance(image, _BYTES):
        return bytes(image)
    if isinstance(image, (str, os.PathLike)):
        return _read_file(os.fspath(image))
    if not callable(getattr(image, "save", None)):
        raise InvalidRequestError(f"Cannot edit a {type(image).__name__}: pass a path, bytes or a Pillow image.")
    return _encode(image)


def _read_file(path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    try:
        return open_bucket(folder).read(name) if is_url(path) else read_regular(at_home(path).resolve())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
    # Raised outside of the handler: the system's exception holds the whole text, which may be a picture.
    if path[:5].lower() == "data:" or (len(path) > _LONGEST_SHOWN and "." not in path):
        remedy = "pass its bytes, which base64.b64decode makes of it (of a data: URI, what follows the comma)"
        raise InvalidRequestError(f"The picture is text in base64, not a path: {remedy}.")
    raise InvalidRequestError(f"Cannot read the picture {shown(path, _LONGEST_SHOWN)}: {why}.")


def _encode(image: Any) -> bytes:
    from PIL import ImageOps

    buffer = io.BytesIO()
    try:
        picture = ImageOps.exif_transpose(image)
        (picture if picture.mode in _PNG_MODES else fit_mode(picture, "PNG")).save(buffer, format="PNG")
    except Exception as error:  # Pillow raises exceptions of every kind, also for pixels that it reads only now
        remedy = "Pass an RGB or RGBA one, or a path."
        raise InvalidRequestError(f"Cannot edit the Pillow image: {error}. {remedy}") from error
    return buffer.getvalue()


def _address(url: str) -> str:
    # Behind the question mark of such URLs stands a signature, which is a secret.
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.hostname:
            return f" ({mask_secrets(f'{parts.scheme}://{parts.hostname}{parts.path}'[:200])})"
    return ""


def _normalise(text: str) -> bytes:
    """Bring base64 with a `data:` prefix, line breaks or the URL-safe alphabet into the standard form."""
    start = text.find(",", 0, 512) + 1 if text[:64].lstrip()[:5].lower() == "data:" else 0
    plain = text[start:].encode("ascii").translate(_URL_SAFE_TO_STANDARD, b" \t\r\n\f\v").rstrip(b"=")
    return plain + b"=" * (-len(plain) % 4)


def as_text(value: object) -> str:
    """Return `value` where it is text, else ""."""
    return value if isinstance(value, str) else ""
