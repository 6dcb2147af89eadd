"""What came, and how it is told in few words. Nothing in here asks anything."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ionos_openai.hub.answers import read_error_body
from ionos_openai.images.image import ImageDecodeError, decode_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ionos_openai.images.image import GeneratedImage

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came, its whole body too; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> object:
        """Return the parsed body; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def fields(self) -> dict[str, object]:
        """Return the body's object; empty where it is none."""
        value = self.json()
        return value if isinstance(value, dict) else {}

    def image(self) -> GeneratedImage | None:
        """Return the first picture in it, if there is one."""
        if not isinstance(self.fields().get("data"), list):
            return None
        try:
            return decode_images(self.fields())[0]
        except ImageDecodeError as error:
            return error.images[0] if error.images else None

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
        return f"{self.status} with {'JSON that is no object' if value is not None else 'no JSON'}"


def describe_jpeg(data: bytes) -> str:
    """Say which kind of JPEG it is: "JFIF 1.01, baseline, 4:2:0"."""
    from PIL import Image, JpegImagePlugin

    from ionos_openai.files.formats import FORMATS

    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        version = picture.info.get("jfif_version")
        jfif = f"JFIF {version[0]}.{version[1]:02d}" if version else "no JFIF"
        kind = "progressive" if picture.info.get("progressive") else "baseline"
        sampling = JpegImagePlugin.get_sampling(picture) if isinstance(picture, JpegImagePlugin.JpegImageFile) else -1
    return f"{jfif}, {kind}, {_SUBSAMPLINGS.get(sampling, 'another subsampling')}"
