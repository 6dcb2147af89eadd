"""What the bytes of a picture say: its format and size, whether it is whole, and the same picture in another format.

A picture is a row of blocks: segments in a JPEG, chunks in a PNG or WebP, boxes in an AVIF. Each format has one
iterator over them, for whoever reads or writes such a picture: it goes forward once, takes time in proportion to the
number of blocks, copies none, and believes a length only as far as there are bytes; a picture that is damaged or ends
too early is a `FormatError`, one that ends in the head of a block a `struct.error`. Only `open_picture` and `convert`
load Pillow. Sizes are in pixels.
"""

from __future__ import annotations

import collections
import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from PIL import Image


ImageFormat: TypeAlias = Literal["JPEG", "PNG", "WEBP", "GIF", "AVIF"]
"""A format that is recognised, by Pillow's name for it."""

WritableFormat: TypeAlias = Literal["JPEG", "PNG", "WEBP"]
"""A format that pictures are converted to."""

MEDIA_TYPES: dict[ImageFormat, str] = {name: f"image/{name.lower()}" for name in get_args(ImageFormat)}
EXTENSIONS: dict[ImageFormat, str] = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "AVIF": ".avif"}

# Stands in the bytes of every picture of the sandbox, so that it is known for a placeholder wherever it goes.
SANDBOX_MARK = b"ionos-openai sandbox placeholder"
_MARK_REACH = 2048
_BEGINNINGS = re.compile(
    rb"(?s)(?P<JPEG>\xff\xd8\xff)|(?P<PNG>\x89PNG\r\n\x1a\n)|(?P<WEBP>RIFF....WEBP)|(?P<GIF>GIF8[79]a)"
)
_FOREIGN = {
    "it is an HTML page": (b"<!doctype html", b"<html"),
    "it is XML or SVG text": (b"<svg", b"<?xml"),
    "it is JSON": (b"{", b"["),
}
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ONE_PASS = frozenset({0xC0, 0xC1})
# Elsewhere, 0xFF is followed by 0, by padding, or it is a marker without content (01, D0 to D7).
_JPEG_NEXT_SEGMENT = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_GIF_NEXT_BLOCK = re.compile(rb"[!,;]")
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_AVIF_BOXES = frozenset({b"ftyp", b"meta", b"moov", b"mdat"})


class FormatError(ValueError):
    """The bytes are no whole picture. The message is a clause such as "the PNG ends too early"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What the bytes of a whole picture say: its format, and its size in px."""

    format: ImageFormat
    width: int
    height: int


def recognise(data: bytes) -> Recognised:
    """Read format, and width and height in px, of an encoded picture, and check that it is whole.

    Bytes after its end are tolerated. A `FormatError` where its format is not known, it ends too early, has a wrong
    checksum (PNG), or no size.
    """
    found = sniff(data)
    if found is None:
        text = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        known = (words for words, beginnings in _FOREIGN.items() if text.startswith(beginnings))
        raise FormatError(next(known, "its bytes are not JPEG, PNG, WebP, GIF or AVIF") if data else "it is empty")
    try:
        width, height = _READERS[found](data)
    except (struct.error, IndexError):
        raise _cut_off(found) from None
    if width < 1 or height < 1:
        raise FormatError(f"the {found} has no size")
    return Recognised(format=found, width=width, height=height)


def is_marked_sandbox(data: bytes) -> bool:
    """Tell whether a picture carries the mark of the sandbox, near its beginning or its end, or by a C2PA manifest."""
    if SANDBOX_MARK in data[:_MARK_REACH] or SANDBOX_MARK in data[-_MARK_REACH:]:
        return True
    # A manifest pushes it away from there: in a WebP it is the last chunk, elsewhere it stands at the beginning.
    return (data[8:12] == b"WEBP" or b"jumb" in data[:_MARK_REACH]) and SANDBOX_MARK in data


def sniff(data: bytes) -> ImageFormat | None:
    """Tell by its first bytes which format a picture is of; None where it is none of these."""
    if match := _BEGINNINGS.match(data):
        return match.lastgroup  # type: ignore[return-value]  # the groups are called as the formats
    if data[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12]} | {data[start : start + 4] for start in range(16, length, 4)}
    return "AVIF" if _AVIF_BRANDS & brands else None


def _cut_off(found: str) -> FormatError:
    return FormatError(f"the {found} ends too early")


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker of each segment up to the end marker, and where its content begins and ends.

    Between segments stands the data of a scan (0xDA); also stray bytes, which cameras and editors leave there, and
    which every decoder passes over.
    """
    position, scanned = 2, False
    while match := _JPEG_NEXT_SEGMENT.search(data, position):
        position, marker = match.start(), match[1][0]
        if marker == 0xD9 and scanned:
            return
        if not scanned and marker in {0xD8, 0xD9}:
            raise FormatError("the JPEG is damaged")
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + max(length, 2)
        if end > len(data):
            raise _cut_off("JPEG")
        yield marker, position + 4, end
        position, scanned = end, scanned or marker == 0xDA
    raise _cut_off("JPEG")


def png_chunks(data: bytes, *, verify: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk up to the last one, and where its content begins and ends.

    Only with `verify` are checksums checked; those of a large picture cost more than all the rest.
    """
    view, kind, position = memoryview(data), b"", 8
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            raise _cut_off("PNG")
        if verify and zlib.crc32(view[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise FormatError("the PNG has a wrong checksum")
        if (kind == b"IHDR") != (position == 8):
            raise FormatError("the PNG is damaged")
        yield kind, start, end
        position = end + 4


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and where its content begins and ends; behind an odd length stands a pad byte."""
    end, position = webp_end(data), 12
    if end > len(data):
        raise _cut_off("WEBP")
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        start, position = position + 8, position + 8 + length
        if position > end:
            raise FormatError("the WEBP is damaged")
        yield kind, start, position
        position += length % 2


def webp_end(data: bytes) -> int:
    """Return where a WebP says that it ends."""
    return 8 + int(struct.unpack_from("<I", data, 4)[0])


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG with this content, of at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG with this content."""
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a WebP with this content, and its pad byte where it needs one."""
    return struct.pack("<4sI", kind, len(content)) + content + b"\0" * (len(content) % 2)


def _read_jpeg(data: bytes) -> tuple[int, int]:
    size, frame, components, scan, behind = None, 0, 0, 0, 0
    segments = jpeg_segments(data)
    for marker, start, end in segments:
        if marker in _JPEG_FRAMES:
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            size, frame = (width, height), marker
        if marker == 0xDA:
            scan, behind = start, end
            break
    if size is None:
        raise FormatError("the JPEG is damaged")
    # Data of a single scan cannot hold FFD9 but as the end. Between several scans stand tables, which can: walk those.
    if frame not in _JPEG_ONE_PASS or data[scan] != components:
        collections.deque(segments, maxlen=0)
    elif data.rfind(b"\xff\xd9", behind) < 0:
        raise _cut_off("JPEG")
    return size


def _read_png(data: bytes) -> tuple[int, int]:
    pixels = sum(kind == b"IDAT" for kind, _, _ in png_chunks(data, verify=True))
    length, _, width, height = struct.unpack_from(">I4sII", data, 8)
    if length != 13 or not pixels:
        raise FormatError(f"the PNG {'has no pixels' if length == 13 else 'is damaged'}")
    return width, height


def _read_webp(data: bytes) -> tuple[int, int]:
    size, pixels = None, False
    for kind, start, _ in webp_chunks(data):
        size = size or _webp_size(data, kind, start)
        pixels = pixels or kind in {b"VP8 ", b"VP8L", b"ANMF"}
    if size is None or not pixels:
        raise FormatError("the WEBP is damaged")
    return size


def _webp_size(data: bytes, kind: bytes, start: int) -> tuple[int, int] | None:
    if kind == b"VP8 " and data[start + 3 : start + 6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, start + 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[start] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, start + 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        bits = int.from_bytes(data[start + 4 : start + 10], "little")
        return (bits & 0xFFFFFF) + 1, (bits >> 24) + 1
    return None


def _read_gif(data: bytes) -> tuple[int, int]:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _gif_colours(flags)
    # Between blocks, as decoders do, what begins none is passed over.
    while (match := _GIF_NEXT_BLOCK.search(data, position)) and match[0] != b";":
        position = match.end() + 1  # of an extension, its label
        if match[0] == b",":
            position = match.end() + 10 + _gif_colours(data[match.end() + 8])
        while data[position]:
            position += 1 + data[position]
        position += 1
    if match is None:
        raise _cut_off("GIF")
    return width, height


def _gif_colours(flags: int) -> int:
    """Return how many bytes the colour table has that stands behind these flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_avif(data: bytes) -> tuple[int, int]:
    boxes: list[tuple[bytes, int, int]] = []
    try:
        boxes.extend(_boxes(data, 0, len(data)))
    except (struct.error, FormatError):
        end = boxes[-1][2] if boxes else 0
        if data[end + 4 : end + 8] in _AVIF_BOXES:  # else it is no box, but bytes behind the last one
            raise
    spans = [(start + 4, end) for kind, start, end in boxes if kind == b"meta"]
    if not spans or all(kind != b"mdat" for kind, _, _ in boxes):
        raise _cut_off("AVIF")
    for wanted in (b"iprp", b"ipco", b"ispe"):
        spans = [(start, end) for span in spans for kind, start, end in _boxes(data, *span) if kind == wanted]
    sizes = [struct.unpack_from(">II", data, start + 4) for start, _ in spans]
    # A picture made of tiles also has the size of a tile: the largest one is the picture's.
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return width, height


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each ISO box between `start` and `end`."""
    while start < end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        stop = start + length if length else end
        if stop > end:
            raise _cut_off("AVIF")
        if stop < start + header:
            raise FormatError("the AVIF is damaged")
        yield kind, start + header, stop
        start = stop


FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
"""What Pillow may take bytes for that come from outside: its readers of other formats start programs, or are old."""

_READERS = dict(zip(FORMATS, (_read_jpeg, _read_png, _read_webp, _read_gif, _read_avif), strict=True))


def open_picture(data: bytes) -> Image.Image:
    """Open a picture with Pillow, its pixels loaded; an OSError where Pillow cannot read it, or has too many pixels.

    Other exceptions of Pillow's decoders are possible.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise OSError("the installed Pillow cannot read it") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the second where warnings are errors
        bound = f"PIL.Image.MAX_IMAGE_PIXELS, {Image.MAX_IMAGE_PIXELS:,}, bounds them"
        raise OSError(f"it has too many pixels; {bound}") from None
    picture.load()
    return picture


def orientation(data: bytes) -> int:
    """Return the EXIF orientation of a picture, 1 to 8: 1 is upright, and above 4 height and width change places."""
    from PIL import Image

    found = 1
    if any(sign in data for sign in (b"Exif\0\0", b"EXIF", b"eXIf")):
        with contextlib.suppress(Exception), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            found = picture.getexif().get(0x0112, 1)
    return found if found in range(2, 9) else 1


def upright(data: bytes) -> bytes:
    """Return a JPEG, PNG or WebP turned as its EXIF data says, encoded anew; one that needs it not as it is."""
    target = next((target for target in get_args(WritableFormat) if target == sniff(data)), None)
    with contextlib.suppress(Exception):  # Pillow's decoders raise exceptions of every kind
        if target and orientation(data) > 1:
            return convert(data, target)
    return data


def convert(data: bytes, target: WritableFormat) -> bytes:
    """Encode a picture anew in another format, once `open_picture` has opened it.

    JPEG is written with quality 95, transparent parts on white; PNG without loss; WebP with quality 90. A rotation in
    the EXIF data is applied; of an animation, the first frame is taken. The colour profile stays where the colours
    do, and so does the mark of the sandbox; other metadata may be lost.
    """
    from PIL import ImageOps

    source = open_picture(data)
    profile = source.info.get("icc_profile")
    picture = fit_mode(ImageOps.exif_transpose(source), target)
    # The colour space that a profile is for stands in its header.
    fits = isinstance(profile, bytes) and profile[16:20] == (b"GRAY" if picture.mode == "L" else b"RGB ")
    options: dict[str, object] = {
        "icc_profile": profile if fits else None,
        "quality": {"JPEG": 95, "WEBP": 90}.get(target),
    }
    marked = is_marked_sandbox(data)
    if marked and target == "WEBP":
        options["xmp"] = b"<!-- " + SANDBOX_MARK + b" -->"
    written = io.BytesIO()
    picture.save(written, format=target, **options)
    return _insert_mark(written.getvalue(), target) if marked else written.getvalue()


def fit_mode(picture: Image.Image, target: WritableFormat) -> Image.Image:
    """Return a Pillow image in a mode that the format can hold, with its colours; the same one where it has it."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    is_transparent = picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info
    if is_transparent and target == "JPEG":
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    wanted = "RGBA" if is_transparent else "L" if picture.mode == "L" and target != "WEBP" else "RGB"
    return picture if picture.mode == wanted else picture.convert(wanted)


def _insert_mark(data: bytes, target: WritableFormat) -> bytes:
    """Put the mark close to the beginning: Pillow would put it behind the colour profile, out of reach."""
    if target == "JPEG":
        # The JFIF header has to stay first.
        start = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
        return data[:start] + jpeg_segment(0xFE, SANDBOX_MARK) + data[start:]
    if target == "PNG":
        return data[:33] + png_chunk(b"tEXt", b"Comment\0" + SANDBOX_MARK) + data[33:]
    return data
