"""Small copies of pictures, for a page that shows many."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

from ionos_openai.files.formats import FORMATS, fit_mode
from ionos_openai.files.writing import replace_file

LONGEST_SIDE = 384  # px: sharp on a dense screen in a column of 190 px
_SMALLEST_SIDE = 256  # px of a JPEG: resampling it to more would take most of the time
_QUALITY = 80


class ThumbnailError(Exception):
    """A picture can have no thumbnail. The message is a clause such as "it has too many pixels"."""


def is_too_large(width: int, height: int) -> bool:
    """Tell whether a picture of so many px is beyond what Pillow takes for harmless, its `MAX_IMAGE_PIXELS`."""
    from PIL import Image  # here, as a page of pictures that are known needs no Pillow

    return Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS


def write_thumbnail(data: bytes, path: Path) -> None:
    """Write a thumbnail of a picture that is not too large.

    Transparent parts become white, and of an animation the first frame is taken. The file appears whole or not at
    all, but is not synced: it can be made again.

    Raises:
        ThumbnailError: Pillow cannot read the picture, or the thumbnail cannot be written.
    """
    try:
        encoded = _shrink(data)
    except Exception as error:
        raise ThumbnailError(f"its pixels cannot be read ({type(error).__name__})") from error
    try:
        replace_file(path, encoded)
    except OSError as error:
        raise ThumbnailError(f"its thumbnail cannot be written: {error.strerror}") from error


def _shrink(data: bytes) -> bytes:
    from PIL import Image, ImageOps

    # Closed, and not only left: the pixels, which may be hundreds of MB, would wait for the garbage collector.
    with closing(Image.open(io.BytesIO(data), formats=FORMATS)) as opened:
        picture: Image.Image = opened
        # A JPEG is decoded at a fraction of its size right away: 1024x1024 px at a quarter, which is not resampled.
        picture.draft("RGB", (_SMALLEST_SIDE, _SMALLEST_SIDE))
        if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off
            picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
        small = fit_mode(picture, "PNG")  # in which colours can be mixed
        # Halving comes first, as it costs next to nothing; what is left is resampled well.
        small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), reducing_gap=1.1)
        upright = fit_mode(ImageOps.exif_transpose(small), "JPEG")
    written = io.BytesIO()
    upright.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
