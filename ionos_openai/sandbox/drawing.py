"""The placeholder picture: a landscape, the prompt written on it, and a strip and a mark that say what it is."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFilter
from PIL.PngImagePlugin import PngInfo

from ionos_openai.errors.words import plural
from ionos_openai.files.formats import FORMATS, SANDBOX_MARK
from ionos_openai.sandbox.lettering import Lines, fit, length, load_font, readable, spell_out, write
from ionos_openai.sandbox.scenery import Palette, blend, draw_scene

PlaceholderFormat: TypeAlias = Literal["JPEG", "PNG", "WEBP"]

_CLAIM = ("PLACEHOLDER", "ionos-openai sandbox", "not made by a model")  # As much of it as fits is written.
_JPEG_QUALITY = 88
_LIGHT = (255, 253, 248)
_PALE = (208, 208, 218)
_MOST_CARDS = 3
_EXIF_DESCRIPTION = 0x010E
_LARGEST_INPUT = 64_000_000  # px; a larger picture would cost too much memory to open.


def placeholder(
    prompt: str,
    *,
    model: str,
    size: tuple[int, int],
    format: PlaceholderFormat,  # as Pillow's own save() calls it
    inputs: Sequence[bytes] = (),
    take: int = 1,
) -> bytes:
    """Draw the placeholder for a prompt: the same bytes for the same arguments and version of Pillow.

    Written on it are the prompt, as far as font and room last, the end of the model's id, and which one of equal
    requests this is: `take`, from 1. `size` is in px; up to three `inputs` are shown small, and a ValueError says that
    one is no picture. The bytes have `formats.SANDBOX_MARK` near their begin or end; JPEG is baseline, 4:2:0.
    """
    again, number = (f"\0{take}", f" · take {take}") if take > 1 else ("", "")
    digest = hashlib.sha256(f"{model}\0{prompt}{again}".encode("utf-8", "surrogatepass")).digest()
    most = max(16, max(size) // 2)
    cards = [_open(data, most=most) for data in inputs[:_MOST_CARDS]]
    image, palette = draw_scene(prompt, size, digest=digest)
    _draw_cards(image, cards)
    _write_prompt(image, readable(prompt), palette)
    edited = f"edit of {plural(len(inputs), 'picture')} · " if inputs else ""
    _write_claim(image, f"{edited}{model.rpartition('/')[2]} · {size[0]}x{size[1]}{number}", palette)
    return _encode(image, format, take)


def picture_size(data: bytes) -> tuple[int, int]:
    """Return width and height, in px, of an encoded picture; a ValueError says that it is none, or too large."""
    return _open(data).size


def _open(data: bytes, *, most: int = 0) -> Image.Image:
    """Open a picture that a stranger sent, if it is not too large: its head, or it with at most so many px a side."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if most and width * height <= _LARGEST_INPUT:
                image.draft("RGB", (most, most))
                image.thumbnail((most, most))
                return image.convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the second where warnings are errors
        raise ValueError("a picture of more pixels than this sandbox opens") from None
    except Exception as error:  # Pillow raises a dozen kinds for hostile bytes
        raise ValueError("not a picture that can be read") from error
    if width * height > _LARGEST_INPUT:
        raise ValueError(f"{width}x{height} px is more than this sandbox opens")
    return image


def _draw_cards(image: Image.Image, cards: Sequence[Image.Image]) -> None:
    """Lay the inputs on the scene like photographs on a table."""
    unit = min(image.size)
    angles = {1: (-4.0,), 2: (5.0, -4.0), 3: (6.0, -3.0, 4.0)}.get(len(cards), ()) if unit >= 48 else ()
    for place, (card, angle) in enumerate(zip(cards, angles, strict=False)):
        card.thumbnail((int(unit * 0.34), int(unit * 0.34)))
        border, (width, height) = max(2, unit // 70), card.size
        # White paper, with clear room around it for turning.
        photo = Image.new("RGBA", (width + 4 * border, height + 6 * border), (250, 249, 245, 0))
        photo.paste((250, 249, 245, 255), (border, border, width + 3 * border, height + 5 * border))
        photo.alpha_composite(card, (2 * border, 2 * border))
        photo = photo.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        x = int(image.width * (place + 1) / (len(cards) + 1) - photo.width / 2)
        y = int(image.height * 0.61 - photo.height / 2)
        shadow = photo.getchannel("A").point([value * 2 // 5 for value in range(256)])
        shadow = shadow.filter(ImageFilter.GaussianBlur(unit / 120))
        image.paste((10, 10, 20), (x + unit // 150, y + unit // 80), shadow)
        image.paste(photo, (x, y), photo)


def _write_prompt(image: Image.Image, text: str, palette: Palette) -> None:
    width, height = image.size
    unit = min(width, height * 1.1)
    margin = unit * 0.07
    sizes = tuple(dict.fromkeys(max(9, round(unit * share)) for share in (0.066, 0.056, 0.047, 0.04, 0.034, 0.029)))
    lines = fit(text, width=min(width - 2 * margin, unit * 1.25), height=height * 0.36 - margin, sizes=sizes)
    if lines is None:
        return
    _soften_behind(image, lines, (margin, margin), blend(palette.top, (0, 0, 0), 0.4))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines.lines):
        write(draw, (margin, margin + number * lines.pitch), line, lines.font, _LIGHT)


def _soften_behind(image: Image.Image, lines: Lines, corner: tuple[float, float], shade: tuple[int, int, int]) -> None:
    """Lay a soft shade under the text, so that it stands out from stars and clouds."""
    left, top = corner
    room = int(lines.pitch)
    width = max(length(line, lines.font) for line in lines.lines) + 2 * room
    height = len(lines.lines) * lines.pitch + 2 * room
    small = Image.new("L", (max(8, int(width / 4)), max(8, int(height / 4))))
    inset = room / 4
    ImageDraw.Draw(small).rectangle((inset, inset, small.width - inset, small.height - inset), fill=95)
    mask = small.filter(ImageFilter.GaussianBlur(room / 8))
    mask = mask.resize((mask.width * 4, mask.height * 4), Image.Resampling.BICUBIC)
    image.paste(shade, (int(left) - room, int(top) - room), mask)


def _write_claim(image: Image.Image, facts: str, palette: Palette) -> None:
    """Write along the lower edge that this is a placeholder, and for what."""
    width, height = image.size
    size = max(9, round(min(width, height) * 0.0205))
    font, margin = load_font(size), min(width * 0.05, height * 0.077)
    room = width - 2 * margin
    claims = (spell_out(" · ".join(_CLAIM[:parts])) for parts in (3, 2, 1))
    claim = next((text for text in claims if font.getlength(text) <= room), None)
    if claim is None or height < 2.4 * size:
        return
    facts = readable(facts)
    beside = font.getlength(claim) + length(facts, font) + 2 * size <= room
    below = not beside and length(facts, font) <= room and height > 10 * size
    strip = round(size * (3.9 if below else 2.6))
    dark = blend(palette.near, (0, 0, 0), 0.45)
    image.paste(dark, (0, height - strip, width, height), Image.new("L", (width, strip), 205))
    # The bitmap font knows no anchors, so the middle of a line is reckoned here.
    top = height - strip / 2 - size * (0.66 if below else 0.0) - sum(font.getbbox("Hg")[1::2]) / 2
    draw = ImageDraw.Draw(image)
    write(draw, (margin, top), claim, font, _LIGHT)
    if beside:
        write(draw, (width - margin - length(facts, font), top), facts, font, _PALE)
    elif below:
        write(draw, (margin, top + 1.35 * size), facts, font, _PALE)


def _encode(image: Image.Image, format: PlaceholderFormat, take: int = 1) -> bytes:  # as above
    """Encode with the mark: a JPEG comment, a PNG text chunk, or WebP's EXIF."""
    out = io.BytesIO()
    mark = SANDBOX_MARK.decode("ascii") + (f", take {take}" if take > 1 else "")  # tiny pictures may be alike
    if format == "JPEG":
        image.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling="4:2:0", comment=mark.encode("ascii"))
    elif format == "PNG":
        chunks = PngInfo()
        chunks.add_text("Comment", mark)
        image.save(out, "PNG", pnginfo=chunks, compress_level=1)
    else:
        exif = Image.Exif()
        exif[_EXIF_DESCRIPTION] = mark
        image.save(out, "WEBP", quality=_JPEG_QUALITY, method=0, exif=exif)
    return out.getvalue()


def in_another_format(data: bytes) -> bytes:
    """Encode a placeholder anew: a PNG where it is something else, a JPEG where it is a PNG."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return _encode(image.convert("RGB"), "JPEG" if image.format == "PNG" else "PNG")
