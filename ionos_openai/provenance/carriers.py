"""JPEG, PNG and WebP as carriers of an XMP packet: where it stands, and the same bytes with another one.

Only the structure is walked, once and forward, and never the pixels; a length is believed only as far as there are
bytes. What stands in a picture besides XMP goes over unchanged.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.errors import ProvenanceError
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.provenance.rdf import LONGEST_PACKET

if TYPE_CHECKING:
    from collections.abc import Callable

CarrierFormat: TypeAlias = Literal["JPEG", "PNG", "WEBP"]

# A segment of a JPEG holds 65,533 bytes, 29 of which are the name of the namespace; the last two are spared as the
# XMP specification, Part 3, does.
LONGEST: dict[CarrierFormat, int] = {"JPEG": 65_502, "PNG": LONGEST_PACKET, "WEBP": LONGEST_PACKET}

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_WEBP_XMP_FLAG = 0x04
_WEBP_ALPHA_FLAG = 0x10
_WEBP_LARGEST = 2**32 - 2


@dataclass(slots=True)
class Layout:
    """What the walk through a picture found.

    Attributes:
        packets: The XMP packets, in order.
        spans: Where the segments or chunks of the packets begin and end.
        place: Where a new one goes.
        signed: Whether there is a C2PA manifest.
        end: Where the walk ended.
        room: How many bytes of packets are still unpacked, one more than all of them may have.
    """

    packets: list[bytes] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    place: int = 0
    signed: bool = False
    end: int = 0
    room: int = LONGEST_PACKET + 1


def sniff(data: bytes) -> CarrierFormat | None:
    """Tell by its first bytes which carrier a picture is; None where it is none."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_PNG_SIGNATURE):
        return "PNG"
    return "WEBP" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def scan(data: bytes, format: CarrierFormat) -> Layout:
    """Walk through a picture; a JPEG only as far as its pixels.

    Raises:
        ProvenanceError: It is damaged or ends too early.
    """
    try:
        return _SCANNERS[format](data)
    except (struct.error, IndexError):
        raise cut_off(format) from None


def check_whole(data: bytes, format: CarrierFormat) -> None:
    """Check that a picture which `scan` found good has its pixels to their end.

    Checksums are left alone: those of a large PNG cost more than all the rest.

    Raises:
        ProvenanceError: It is damaged or ends too early.
    """
    if format == "PNG":
        return
    try:
        recognise(data)
    except FormatError as error:
        reason = str(error)
        raise ProvenanceError(f"{reason[:1].upper()}{reason[1:]}. Take the whole file.") from None


def cut_off(format: str) -> ProvenanceError:
    """Make the error for a picture that ends too early."""
    return ProvenanceError(f"The {format} ends too early. Take the whole file.")


def _damaged(format: str) -> ProvenanceError:
    return ProvenanceError(f"The {format} is damaged. Take an undamaged file.")


def embed(data: bytes, format: CarrierFormat, layout: Layout, packet: bytes) -> bytes:
    """Return the picture with `packet` in the place of the packets that it had.

    Raises:
        ProvenanceError: The picture is damaged, or a WebP would become too large.
    """
    return _EMBEDDERS[format](data, layout, packet)


def _splice(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace the bytes between each start and end, with one copy of the rest."""
    view, position = memoryview(data), 0
    parts: list[bytes | memoryview] = []
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += (view[position:start], new)
        position = end
    return b"".join((*parts, view[position:]))


def _scan_jpeg(data: bytes) -> Layout:
    layout, position, marker, leading = Layout(place=2), 2, 0, True
    while marker != 0xDA:
        if data[position] != 0xFF:
            raise _damaged("JPEG")
        marker = data[position + 1]
        if marker == 0xFF or marker in _JPEG_BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        if marker in {0xD8, 0xD9} or length < 2:
            raise _damaged("JPEG")
        if end > len(data):
            raise cut_off("JPEG")
        _note_jpeg(data, layout, marker, position, end)
        leading = leading and _stays_first(data, marker, position)
        layout.place = end if leading else layout.place
        position = end
    layout.end = position
    return layout


def _note_jpeg(data: bytes, layout: Layout, marker: int, start: int, end: int) -> None:
    if marker == 0xE1 and data.startswith(_JPEG_XMP, start + 4, end):
        layout.packets.append(data[start + 4 + len(_JPEG_XMP) : end])
        layout.spans.append((start, end))
    elif marker == 0xEB and data.startswith(b"JP", start + 4, end):
        layout.signed |= data.find(b"jumb", start, end) >= 0 and data.find(b"c2pa", start, end) >= 0


def _stays_first(data: bytes, marker: int, start: int) -> bool:
    # Readers look for JFIF and EXIF in front. Comments too, as the mark of the stand-in is one, and has to stay near
    # the beginning. Nothing else: offsets in a multi-picture segment count from itself, so nothing may come behind it.
    return marker in {0xE0, 0xFE} or (marker == 0xE1 and data.startswith((_JPEG_EXIF, _JPEG_XMP), start + 4))


def _embed_jpeg(data: bytes, layout: Layout, packet: bytes) -> bytes:
    content = _JPEG_XMP + packet
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    return _splice(data, [(layout.place, layout.place, segment), *((*span, b"") for span in layout.spans)])


def _scan_png(data: bytes) -> Layout:
    layout, position, kind = Layout(), 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise cut_off("PNG")
        if (kind == b"IHDR") != (position == 8):
            raise _damaged("PNG")
        if kind == b"iTXt" and data.startswith(_PNG_KEYWORD, position + 8, end - 4):
            layout.packets.append(_png_text(data[position + 8 + len(_PNG_KEYWORD) : end - 4], max(1, layout.room)))
            layout.spans.append((position, end))
            layout.room -= len(layout.packets[-1])
        elif kind == b"IDAT":
            layout.place = layout.place or position
        layout.signed = layout.signed or kind == b"caBX"
        position = end
    if not layout.place:
        raise _damaged("PNG")
    layout.end = position
    return layout


def _png_text(content: bytes, longest: int) -> bytes:
    """Return the text of a chunk from behind its keyword: two flags, language, translated keyword, text.

    Of a compressed one at most `longest` bytes: what it unpacks to can have a thousand times its size.
    """
    _, _, text = content[2:].partition(b"\0")
    _, _, text = text.partition(b"\0")
    if not content[:1].strip(b"\0"):
        return text
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(text, longest)
    except zlib.error:
        raise _damaged("PNG") from None
    if len(unpacked) < longest and not unpacker.eof:
        raise _damaged("PNG")
    return unpacked


def _embed_png(data: bytes, layout: Layout, packet: bytes) -> bytes:
    # In front of the pixels, where readers need not skip them; behind all else, so that a mark in front stays in front.
    content = b"iTXt" + _PNG_KEYWORD + b"\0\0\0\0" + packet
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return _splice(data, [(layout.place, layout.place, chunk), *((*span, b"") for span in layout.spans)])


def _scan_webp(data: bytes) -> Layout:
    layout, position = Layout(), 12
    layout.end = 8 + struct.unpack_from("<I", data, 4)[0]
    if layout.end > len(data):
        raise cut_off("WEBP")
    while position + 8 <= layout.end:
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length
        misplaced = (kind == b"VP8X") and (position != 12 or length < 10)
        if end > layout.end or misplaced:
            raise _damaged("WEBP")
        # The pad byte of the last chunk is missing in some files.
        padded = min(end + length % 2, layout.end)
        if kind == b"XMP ":
            layout.packets.append(data[position + 8 : end])
            layout.spans.append((position, padded))
        layout.signed = layout.signed or kind == b"C2PA"
        position = end + length % 2
    layout.place = position
    return layout


def _embed_webp(data: bytes, layout: Layout, packet: bytes) -> bytes:
    place = min(layout.place, layout.end)
    missing = layout.place > layout.end and all(end != place for _, end in layout.spans)
    chunk = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
    edits = [(place, place, b"\0" * missing + chunk), *((*span, b"") for span in layout.spans), _webp_header(data)]
    size = layout.end - 8 + sum(len(new) - (end - start) for start, end, new in edits)
    if size > _WEBP_LARGEST:
        raise ProvenanceError("The WEBP would pass 4 GiB, the most that the format holds. Write the sidecar instead.")
    return _splice(data, [(4, 8, struct.pack("<I", size)), *edits])


def _webp_header(data: bytes) -> tuple[int, int, bytes]:
    """Return the edit that announces XMP: a flag in the extended header, or such a header where there is none."""
    if data[12:16] == b"VP8X":
        return 20, 21, bytes([data[20] | _WEBP_XMP_FLAG])
    found = recognise(data)
    lossless = data[12:16] == b"VP8L"
    alpha = _WEBP_ALPHA_FLAG if lossless and struct.unpack_from("<I", data, 21)[0] >> 28 & 1 else 0
    flags = struct.pack("<B3x", _WEBP_XMP_FLAG | alpha)
    canvas = (found.width - 1).to_bytes(3, "little") + (found.height - 1).to_bytes(3, "little")
    return 12, 12, b"VP8X" + struct.pack("<I", 10) + flags + canvas


_SCANNERS: dict[CarrierFormat, Callable[[bytes], Layout]] = {"JPEG": _scan_jpeg, "PNG": _scan_png, "WEBP": _scan_webp}
_EMBEDDERS: dict[CarrierFormat, Callable[[bytes, Layout, bytes], bytes]] = {
    "JPEG": _embed_jpeg,
    "PNG": _embed_png,
    "WEBP": _embed_webp,
}
