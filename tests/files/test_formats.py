"""The blocks of a picture, walked by one iterator a format and built by one function a format."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ionos_openai.files import formats
from ionos_openai.files.formats import FormatError
from ionos_openai.provenance import Provenance, read_provenance, write_provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WALKS: dict[str, Callable[[bytes], Iterator[tuple[Any, int, int]]]] = {
    "JPEG": formats.jpeg_segments,
    "PNG": formats.png_chunks,
    "WEBP": formats.webp_chunks,
}
SMALLEST = {
    "JPEG": b"\xff\xd8" + b"\xff\xe0\x00\x02" * 250_000,
    "PNG": b"\x89PNG\r\n\x1a\n" + formats.png_chunk(b"IHDR", bytes(13)) + formats.png_chunk(b"teXt", b"") * 80_000,
    "WEBP": b"RIFF" + struct.pack("<I", 4 + 8 * 125_000) + b"WEBP" + formats.webp_chunk(b"junk", b"") * 125_000,
}


def encode(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def test_the_blocks_of_a_png_and_a_webp_are_the_whole_picture() -> None:
    """Built again out of what the walk yields, the picture is the same, byte for byte."""
    png, webp = encode("PNG"), encode("WEBP", exif=b"Exif\0\0odd")
    walked = [formats.png_chunk(kind, png[start:end]) for kind, start, end in formats.png_chunks(png)]
    assert png[:8] + b"".join(walked) == png
    walked = [formats.webp_chunk(kind, webp[start:end]) for kind, start, end in formats.webp_chunks(webp)]
    assert webp[:12] + b"".join(walked) == webp
    assert formats.webp_end(webp) == len(webp)


def test_the_segments_of_a_jpeg_are_walked_past_its_scans() -> None:
    """Up to the first scan they are built again byte for byte; behind it every further one is found, to the end."""
    data = encode("JPEG", progressive=True, comment=b"\xff\xd9")
    segments = list(formats.jpeg_segments(data))
    first = [marker for marker, _, _ in segments].index(0xDA) + 1
    walked = b"".join(formats.jpeg_segment(marker, data[start:end]) for marker, start, end in segments[:first])
    assert data.startswith(b"\xff\xd8" + walked)
    assert [marker for marker, _, _ in segments].count(0xDA) == data.count(b"\xff\xda") > 1


@pytest.mark.parametrize("kind", WALKS)
def test_a_million_bytes_of_the_smallest_blocks_cost_a_moment_and_no_memory(kind: str) -> None:
    """A walk goes forward once, and keeps nothing of what it passed."""
    data = SMALLEST[kind]
    tracemalloc.start()
    started = time.process_time()
    try:
        deque(WALKS[kind](data), maxlen=0)
    except (FormatError, IndexError, struct.error):
        assert kind != "WEBP"  # the others have no end
    assert time.process_time() - started < 5
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("JPEG", b"\xff\xd8\xff\xe1\xff\xff" + bytes(100), "the JPEG ends too early"),
        ("JPEG", b"\xff\xd8\xff\xd9" + bytes(100), "the JPEG is damaged"),
        ("PNG", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**32 - 1, b"IHDR"), "the PNG ends too early"),
        ("PNG", b"\x89PNG\r\n\x1a\n" + formats.png_chunk(b"IDAT", b""), "the PNG is damaged"),
        ("WEBP", b"RIFF\xff\xff\xff\xffWEBP", "the WEBP ends too early"),
        ("WEBP", b"RIFF\x0c\0\0\0WEBPjunk\xff\xff\xff\xff", "the WEBP is damaged"),
    ],
)
def test_a_length_is_believed_only_as_far_as_there_are_bytes(kind: str, data: bytes, message: str) -> None:
    """The walk ends in a clause that says what is wrong."""
    with pytest.raises(FormatError) as caught:
        list(WALKS[kind](data))
    assert str(caught.value) == message


STRAY = {
    "text": b"maker note",
    "a stuffed 0xFF": b"\xff\x00\xff\x00",
    "padding and a restart marker": b"\0\xff\xff\xff\xd3\0",
}


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY.keys())
@pytest.mark.parametrize("before", [b"\xff\xdb", b"\xff\xc0", b"\xff\xda"])
def test_stray_bytes_between_the_segments_of_a_jpeg_are_passed_over(stray: bytes, before: bytes) -> None:
    """Behind any segment, as decoders do; the mark goes in, and the pixels stay what they were."""
    data = encode("JPEG")
    place = data.index(before)
    odd = data[:place] + stray + data[place:]
    assert formats.recognise(odd) == formats.Recognised(format="JPEG", width=24, height=16)
    marked = write_provenance(odd, Provenance(alt="A fox"))
    assert stray in marked
    assert read_provenance(marked) == Provenance(alt="A fox")
    with Image.open(io.BytesIO(marked)) as shown, Image.open(io.BytesIO(data)) as original:
        assert shown.tobytes() == original.tobytes()


def test_a_gif_is_walked_to_its_end() -> None:
    """What looks like an end in its pixels is none, bytes between its blocks are passed over, a cut one is refused."""
    frames = [Image.effect_noise((40, 40), 90).quantize(64) for _ in range(3)]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], comment=b"a;b")
    data = written.getvalue()
    second = data.index(b"!\xf9", data.index(b",") + 1)
    assert formats.recognise(data[:second] + b"\0\0" + data[second:]).width == 40
    for length in range(13, len(data) - 1, 7):
        with pytest.raises(FormatError, match="ends too early"):
            formats.recognise(data[:length])


def test_a_cut_avif_is_not_taken_for_one_with_bytes_behind_it() -> None:
    """A box that is not there to its end is missing, unless it is none."""
    boxes = [struct.pack(">I", 4 + len(body)) + body for body in (b"ftypavif", b"meta1234", b"mdat1234")]
    with pytest.raises(FormatError, match="ends too early"):
        formats.recognise(b"".join(boxes) + struct.pack(">I", 100) + b"mdatabc")


@pytest.mark.parametrize(("limit", "filter_"), [(199, "error"), (99, "default")])
def test_too_many_pixels_are_told_in_one_way(limit: int, filter_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Pillow warns, where warnings are errors, or refuses; with what may be changed about it."""
    written = io.BytesIO()
    Image.new("RGB", (20, 10)).save(written, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    warnings.simplefilter(filter_)
    with pytest.raises(OSError) as caught:
        formats.open_picture(written.getvalue())
    assert str(caught.value) == f"it has too many pixels; PIL.Image.MAX_IMAGE_PIXELS, {limit:,}, bounds them"
