"""Pictures at the end of a notebook's cell: one as itself, several as a grid, and as short lines elsewhere.

The front end is asked nothing: it gets what it may choose from, each picture in it once. Sizes are in pixels.
"""

from __future__ import annotations

import html
import io
import os
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pybase64

from ionos_openai.errors.words import shorten
from ionos_openai.files.formats import orientation, upright

if TYPE_CHECKING:
    from ionos_openai.images.image import GeneratedImage

Bundle: TypeAlias = dict[str, str]
"""What a cell's output may be shown as: a media type and its content, for each."""

_SHOWN_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png"}
_PREVIEW_SIDE = 512
_LONGEST_ALT = 300  # characters
_LONGEST_CAPTION = 100  # characters of the prompt


class ImageList(list["GeneratedImage"]):
    """A list of pictures that a notebook shows as a grid with captions, and so are its slices. In all else a list."""

    def __getitem__(self, place: Any) -> Any:
        """Return a picture, or several as such a list."""
        found = super().__getitem__(place)
        return ImageList(found) if isinstance(place, slice) else found

    def __add__(self, others: list[Any]) -> ImageList:  # type: ignore[override]  # of pictures alone
        """Return the pictures of both."""
        return ImageList(super().__add__(others))

    def __radd__(self, others: list[Any]) -> ImageList:
        """Return the pictures of both, where the other one is a plain list."""
        return ImageList(others + list(self))

    def save(self, directory: str | os.PathLike[str], **saving: Any) -> list[Path | str]:
        """Save them as `save_images` does, which has the same further arguments."""
        from ionos_openai.images.image import save_images

        return save_images(self, directory, **saving)

    def _repr_mimebundle_(self, include: Container[str] | None = None, exclude: Container[str] | None = None) -> Bundle:
        plain = {"text/plain": self._lines()}
        wanted = bool(self) and _is_wanted("text/html", include, exclude)
        return {"text/html": _grid(self), **plain} if wanted else plain

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's own signature
        del cycle  # a picture holds no list
        printer.text(self._lines())

    def _lines(self) -> str:
        return "\n".join(map(repr, self)) or "[]"


def picture_bundle(
    image: GeneratedImage, include: Container[str] | None, exclude: Container[str] | None
) -> tuple[Bundle, dict[str, dict[str, object]]]:
    """Return what a cell shows that ends with a picture, and its metadata: alternative text, size in px.

    A JPEG or PNG is shown as it was sent, another format as PNG.
    """
    plain = {"text/plain": repr(image)}
    # Not every front end turns a picture as its EXIF data says.
    kind, data = _SHOWN_AS_THEY_ARE.get(image.format, "image/png"), upright(image.data)
    if not _is_wanted(kind, include, exclude):
        return plain, {}
    if image.format not in _SHOWN_AS_THEY_ARE:
        kind, data = _encode(image, None)
        if not data:
            return plain, {}
    width, height = (image.height, image.width) if orientation(image.data) > 4 else (image.width, image.height)
    facts: dict[str, object] = {"alt": alt_text(image), "width": width, "height": height}
    return {kind: pybase64.b64encode_as_string(data), **plain}, {kind: facts}


def alt_text(image: GeneratedImage) -> str:
    """Return a picture's alternative text: what was asked for, and whether a model made it."""
    what = "Placeholder of the sandbox" if image.sandbox else f"Picture made by {_model(image) or 'a model'}"
    return f"{what}: {_cut(image.prompt, _LONGEST_ALT)}" if image.prompt else what


def _is_wanted(kind: str, include: Container[str] | None, exclude: Container[str] | None) -> bool:
    return (not include or kind in include) and not (exclude and kind in exclude)


def _grid(images: Sequence[GeneratedImage]) -> str:
    """Return the grid as HTML: a picture that is alone as it was sent, several as previews of at most 512 px."""
    alone = len(images) == 1
    columns = f"minmax(0,{_PREVIEW_SIDE}px)" if alone else "repeat(auto-fill,minmax(200px,1fr))"
    figures = "".join(_figure(image, preview=not alone) for image in images)
    return f'<div style="display:grid;grid-template-columns:{columns};gap:12px">{figures}</div>'


def _figure(image: GeneratedImage, *, preview: bool) -> str:
    is_large = preview and max(image.width, image.height) > _PREVIEW_SIDE
    kind, data = _encode(image, _PREVIEW_SIDE) if is_large else (image.media_type, upright(image.data))
    # What Pillow cannot read, the browser may.
    source = f"data:{kind};base64,{pybase64.b64encode_as_string(data)}" if data else image.data_uri
    facts = [_model(image), f"{image.width}x{image.height}", Path(image.path).name if image.path else ""]
    facts += ["placeholder"] if image.sandbox else []
    prompt = f"{html.escape(_cut(image.prompt, _LONGEST_CAPTION))}<br>" if image.prompt else ""
    caption = f"{prompt}<small>{html.escape(', '.join(fact for fact in facts if fact))}</small>"
    shown = f'<img src="{source}" alt="{html.escape(alt_text(image))}" style="max-width:100%;height:auto">'
    return f'<figure style="margin:0">{shown}<figcaption>{caption}</figcaption></figure>'


def _encode(image: GeneratedImage, longest: int | None) -> tuple[str, bytes]:
    """Encode a picture for showing it: as a small JPEG where it is opaque, else as PNG; without bytes on failure."""
    from PIL import ImageOps

    buffer = io.BytesIO()
    try:
        picture = ImageOps.exif_transpose(image.to_pil())
        if longest is not None:
            picture.thumbnail((longest, longest))
        transparent = "A" in picture.mode or "transparency" in picture.info
        kind = "PNG" if transparent or longest is None else "JPEG"
        picture.convert("RGBA" if transparent else "RGB").save(buffer, kind, quality=85)
    except Exception:  # noqa: BLE001 - Pillow's decoders raise exceptions of every kind
        return "", b""
    return _SHOWN_AS_THEY_ARE[kind], buffer.getvalue()


def _model(image: GeneratedImage) -> str:
    return (image.model or "").rpartition("/")[2]


def _cut(text: str, longest: int) -> str:
    return shorten(" ".join(text[: 4 * longest].split()), longest)
