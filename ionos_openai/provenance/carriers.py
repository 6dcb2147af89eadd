"""JPEG, PNG and WebP as carriers of an XMP packet: where it stands, and the same bytes with another one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ionos_openai import errors
from ionos_openai.files import formats
from ionos_openai.files.formats import FormatError, ImageFormat, recognise
from ionos_openai.provenance.packet import names_manifest
from ionos_openai.provenance.rdf import LONGEST_PACKET

# A segment of a JPEG holds 65,533 bytes, 29 of which are the name of the namespace; the last two are spared as the
# XMP specification, Part 3, does.
_LONGEST_IN_JPEG = 65_502

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_WEBP_XMP_FLAG = 0x04
_WEBP_ALPHA_FLAG = 0x10
_WEBP_LARGEST = 2**32 - 2


@dataclass(slots=True)
class Layout:
    """What the walk through a picture found."""

    format: ImageFormat  # what the picture is
    place: int = 0  # where a new packet goes
    packets: list[bytes] = field(default_factory=list)  # the XMP packets, in order
    spans: list[tuple[int, int]] = field(default_factory=list)  # where their segments or chunks begin and end
    signed: bool = False  # whether there is a C2PA manifest, or the address of one
    pad: bytes = b""  # what is missing in front of the new packet

    @property
    def longest(self) -> int:
        """How many bytes a packet may have in it."""
        return _LONGEST_IN_JPEG if self.format == "JPEG" else LONGEST_PACKET

    def add(self, packet: bytes, start: int, end: int) -> None:
        """Note a packet, and where its segment or chunk begins and ends."""
        self.packets.append(packet)
        self.spans.append((start, end))


def scan(data: bytes) -> Layout | None:
    """Walk through a picture, a JPEG to its pixels; None where it is another file, a `ProvenanceError` if damaged."""
    found = formats.sniff(data)
    walk = _SCANNERS.get(found) if found else None
    try:
        layout = walk(data) if walk else None
    except (struct.error, IndexError):
        raise _explain(f"the {found} ends too early") from None
    except FormatError as error:
        raise _explain(str(error)) from None
    if layout is not None:
        layout.signed = layout.signed or names_manifest(layout.packets)
    return layout


def _explain(problem: str, needed: str = "") -> errors.ProvenanceError:
    needed = needed or ("an undamaged" if problem.endswith("damaged") else "the whole")
    return errors.ProvenanceError(f"{problem[:1].upper()}{problem[1:]}. Take {needed} file.")


def embed(data: bytes, layout: Layout, packet: bytes) -> bytes:
    """Return a picture that has its pixels to their end, with `packet` in the place of the packets that it had."""
    try:
        if layout.format != "PNG":  # whose checksums would cost more than all the rest
            recognise(data)
    except FormatError as error:
        raise _explain(str(error), "the whole") from None
    if layout.format == "JPEG":
        block = formats.jpeg_segment(0xE1, _JPEG_XMP + packet)
    elif layout.format == "PNG":
        block = formats.png_chunk(b"iTXt", _PNG_KEYWORD + b"\0\0\0\0" + packet)
    else:
        block = layout.pad + formats.webp_chunk(b"XMP ", packet)
    edits = [(layout.place, layout.place, block), *((start, end, b"") for start, end in layout.spans)]
    if layout.format == "WEBP":
        edits += _webp_header(data, edits)
    view, position = memoryview(data), 0
    parts: list[bytes | memoryview] = []
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += (view[position:start], new)
        position = end
    return b"".join((*parts, view[position:]))


def _scan_jpeg(data: bytes) -> Layout:
    layout, leading = Layout("JPEG", place=2), True
    for marker, start, end in formats.jpeg_segments(data):
        if marker == 0xE1 and data.startswith(_JPEG_XMP, start, end):
            layout.add(data[start + len(_JPEG_XMP) : end], start - 4, end)
        elif marker == 0xEB and data.startswith(b"JP", start, end):
            layout.signed |= data.find(b"jumb", start, end) >= 0 and data.find(b"c2pa", start, end) >= 0
        elif marker == 0xDA:
            break
        # Readers look for JFIF and EXIF in front. Comments too, as the mark of the sandbox is one, and has to stay near
        # the beginning. Nothing else: offsets in a multi-picture segment count from itself, so nothing may come behind.
        leading = leading and (
            marker in {0xE0, 0xFE} or (marker == 0xE1 and data.startswith((_JPEG_EXIF, _JPEG_XMP), start))
        )
        layout.place = end if leading else layout.place
    return layout


def _scan_png(data: bytes) -> Layout:
    # A packet goes in front of the pixels, where readers need not skip them; behind all else, so that a mark in front
    # stays in front.
    layout, room = Layout("PNG"), LONGEST_PACKET + 1  # one byte more than all packets may have
    for kind, start, end in formats.png_chunks(data):
        if kind == b"IDAT":
            layout.place = layout.place or start - 8
        elif kind == b"iTXt" and data.startswith(_PNG_KEYWORD, start, end):
            packet = _png_text(data[start + len(_PNG_KEYWORD) : end], max(1, room))
            layout.add(packet, start - 8, end + 4)
            room -= len(packet)
        elif kind == b"caBX":
            layout.signed = True
    if not layout.place:
        raise FormatError("the PNG is damaged")
    return layout


def _png_text(content: bytes, longest: int) -> bytes:
    """Return the text of a chunk from behind its keyword; of a compressed one, perhaps a bomb, at most `longest`."""
    _, _, text = content[2:].partition(b"\0")
    _, _, text = text.partition(b"\0")
    if not content[:1].strip(b"\0"):
        return text
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(text, longest)
    except zlib.error:
        raise FormatError("the PNG is damaged") from None
    if len(unpacked) < longest and not unpacker.eof:
        raise FormatError("the PNG is damaged")
    return unpacked


def _scan_webp(data: bytes) -> Layout:
    layout, last = Layout("WEBP"), formats.webp_end(data)
    for kind, start, end in formats.webp_chunks(data):
        if kind == b"VP8X" and (start != 20 or end - start < 10):
            raise FormatError("the WEBP is damaged")
        # The pad byte of the last chunk is missing in some files.
        layout.place = min(end + (end - start) % 2, last)
        layout.pad = b"\0" * (layout.place == end and kind != b"XMP " and (end - start) % 2)
        if kind == b"XMP ":
            layout.add(data[start:end], start - 8, layout.place)
        layout.signed |= kind == b"C2PA"
    return layout


def _webp_header(data: bytes, edits: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Return the edits that announce XMP, in an extended header which may have to be made, and the new length."""
    if data[12:16] == b"VP8X":
        header = 20, 21, bytes([data[20] | _WEBP_XMP_FLAG])
    else:
        found = recognise(data)
        lossless = data[12:16] == b"VP8L"
        alpha = _WEBP_ALPHA_FLAG if lossless and struct.unpack_from("<I", data, 21)[0] >> 28 & 1 else 0
        canvas = (found.width - 1).to_bytes(3, "little") + (found.height - 1).to_bytes(3, "little")
        header = 12, 12, formats.webp_chunk(b"VP8X", struct.pack("<B3x", _WEBP_XMP_FLAG | alpha) + canvas)
    size = formats.webp_end(data) - 8 + sum(len(new) - (end - start) for start, end, new in [header, *edits])
    if size > _WEBP_LARGEST:
        raise errors.ProvenanceError("The WEBP would pass 4 GiB, the format's most. Write the sidecar instead.")
    return [(4, 8, struct.pack("<I", size)), header]


_SCANNERS: dict[ImageFormat, Callable[[bytes], Layout]] = {"JPEG": _scan_jpeg, "PNG": _scan_png, "WEBP": _scan_webp}
