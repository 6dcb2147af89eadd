"""What came: how it is told in few words, and what of it may be kept and sent in. Nothing in here asks anything.

What is kept has no token, no contract number, no trace id, and no picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Any

import pybase64

from ionos_openai.errors.masking import TOKEN, Secrets, each_leaf
from ionos_openai.errors.words import shorten
from ionos_openai.files.formats import FORMATS, FormatError, recognise
from ionos_openai.hub.answers import read_error_body
from ionos_openai.hub.credentials import read_token
from ionos_openai.images.image import ImageDecodeError, decode_images

if TYPE_CHECKING:
    from ionos_openai.images.image import GeneratedImage

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
# No header that tells of rates is known: one that comes is worth telling.
_HEADERS = re.compile(r"content-type|retry-after|allow|x-trace-id|(x-)?ratelimit-.*")
_SHORTEST_CONTRACT = 5  # characters; less would be found in any number
_SHORTEST_PICTURE = 100  # characters of base64
_LONGEST_TEXT = 2000  # characters
_MOST_ENTRIES = 200
_SHOWN_NUMBERS = 4
_DEEPEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came, its whole body too; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """Return the parsed body; None where it is no JSON."""
        return parse(self.body)

    def image(self) -> GeneratedImage | None:
        """Return the first picture in it, if there is one."""
        if not fits(value := self.json(), {"data": list}):
            return None
        try:
            return decode_images(value)[0]
        except ImageDecodeError as error:
            return error.images[0] if error.images else None

    def unless(self, shape: object = None, *, status: int = 200, label: str = "") -> str:
        """Return what came; empty where it has this status, and JSON of a shape where one is given (see `fits`)."""
        is_wanted = self.status == status and (shape is None or fits(self.json(), shape))
        return "" if is_wanted else f"{label}{self.describe()}"

    def describe(self) -> str:
        """Say what it is: "400 with an empty body", "200 with a JPEG of 512x512 px", "404: There is ... (code)"."""
        image = self.image()
        if image is not None:
            return f"{self.status} with a {image.format} of {image.width}x{image.height} px"
        if not self.body.strip():
            return f"{self.status} with an empty body"
        value = self.json()
        said = read_error_body(self.body[:20_000].decode("utf-8", "replace") if value is None else value)
        if said.message and (value is not None or self.status >= 400):
            return f"{self.status}: {said.message}{f' ({said.code})' if said.code else ''}"
        if isinstance(value, dict):
            return f"{self.status} with JSON that has {', '.join(sorted(value)[:10]) or 'nothing in it'}"
        return f"{self.status} with {'no JSON' if value is None else 'JSON that is no object'}"


def parse(text: str | bytes) -> Any:
    """Return the parsed JSON; None where it is none."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def fits(value: object, shape: object) -> bool:
    """Tell whether parsed JSON has a shape: a type, what a function says, or the value itself.

    Of an object it has at least the names; a list has the shape of all entries of a list, a tuple that of each.
    """
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(name in value and fits(value[name], shape[name]) for name in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and bool(value) and all(fits(entry, shape[0]) for entry in value)
    if isinstance(shape, tuple):
        return isinstance(value, list) and len(value) == len(shape) and all(map(fits, value, shape))
    if isinstance(shape, type | UnionType):
        return isinstance(value, shape)
    return bool(shape(value)) if callable(shape) else value == shape


def describe_jpeg(data: bytes) -> str:
    """Say which kind of JPEG it is: "JFIF 1.01, baseline, 4:2:0"."""
    from PIL import Image, JpegImagePlugin

    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        version = picture.info.get("jfif_version")
        jfif = f"JFIF {version[0]}.{version[1]:02d}" if version else "no JFIF"
        kind = "progressive" if picture.info.get("progressive") else "baseline"
        sampling = JpegImagePlugin.get_sampling(picture) if isinstance(picture, JpegImagePlugin.JpegImageFile) else -1
    return f"{jfif}, {kind}, {_SUBSAMPLINGS.get(sampling, 'another subsampling')}"


class Keeper(Secrets):
    """Turns answers into what may be kept. What is to be hidden is learned from what was sent and what came."""

    def learn_token(self, token: str) -> None:
        """Hide a token, the parts of a JWT, and the number of the contract in it."""
        super().learn_token(token)
        self.learn(read_token(token).contract or "", "<contract>", shortest=_SHORTEST_CONTRACT)

    def without_tokens(self, body: bytes) -> bytes:
        """Return a body without the tokens; what else is hidden could be part of a picture by chance."""
        for secret, name in self.names.items():
            if name == TOKEN:
                body = body.replace(secret.encode(), name.encode())
        return body

    def text(self, text: str, *, longest: int = _LONGEST_TEXT) -> str:
        """Mask a text, and only then cut it: half a token would not be known for one."""
        return shorten(self.mask(text), longest)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that are known to be harmless, masked; of a trace id only its shape."""
        kept = {name: self.text(value) for name, value in headers.items() if _HEADERS.fullmatch(name)}
        if "x-trace-id" in kept:
            kept["x-trace-id"] = f"<{len(headers['x-trace-id'])} characters>"
        return kept

    def body(self, body: bytes) -> object:
        """Return a body as JSON can hold it; a picture becomes its format, size and digest."""
        with contextlib.suppress(ValueError, RecursionError):
            return self.value(json.loads(body))
        with contextlib.suppress(UnicodeDecodeError):
            return self.text(body.decode("utf-8"))
        return _bytes_facts(body)

    def value(self, value: object) -> object:
        """Return a parsed JSON value as it may be kept."""
        return each_leaf(value, self._leaf, depth=_DEEPEST, deeper="…", most=_MOST_ENTRIES, shorten=_shortened)

    def _leaf(self, leaf: object) -> object:
        if isinstance(leaf, str):
            return _picture_facts(leaf) or self.text(leaf)
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return str(leaf)  # JSON has no word for it
        return self.names.get(str(leaf), leaf) if isinstance(leaf, int) else leaf


def _shortened(entries: list[object]) -> list[object]:
    is_embedding = all(isinstance(entry, int | float) for entry in entries)
    most = _SHOWN_NUMBERS if is_embedding else _MOST_ENTRIES
    return [*entries[:most], f"… {len(entries)} in all"] if len(entries) > most else entries


def _picture_facts(text: str) -> dict[str, object] | None:
    address = re.match(r"data:[^,]{,58},", text)
    with contextlib.suppress(ValueError):
        if len(text) >= _SHORTEST_PICTURE:
            return _bytes_facts(pybase64.b64decode(text[address.end() if address else 0 :], validate=True))
    return None


def _bytes_facts(data: bytes) -> dict[str, object]:
    facts: dict[str, object] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        found = recognise(data)
    except FormatError as error:
        return {"no_picture": str(error), **facts}
    return {"picture": found.format, "width": found.width, "height": found.height, **facts}
