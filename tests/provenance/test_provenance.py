"""Provenance written into pictures and read back: pixels stay, foreign metadata stays, and hostile bytes do no harm.

ExifTool 12.57 (Debian 12) does not know IPTC's 2025.1 properties and shows them by the names they have in the packet;
13.59 knows them. Both names are the same, so that the test holds on either.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import time
import tracemalloc
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageCms

from ionos_openai.errors import IonosError
from ionos_openai.files.formats import SANDBOX_MARK, convert, is_marked_sandbox, recognise
from ionos_openai.provenance import (
    ALGORITHMIC,
    COMPOSITE,
    TRAINED,
    Provenance,
    ProvenanceError,
    SignedPictureError,
    describe,
    has_c2pa,
    read_provenance,
    sidecar_path,
    to_xmp,
    write_provenance,
)
from ionos_openai.sandbox.drawing import placeholder

FLUX = "black-forest-labs/FLUX.1-schnell"
FULL = Provenance(
    digital_source_type=TRAINED,
    ai_system=f"IONOS AI Model Hub, {FLUX}",
    ai_system_version="1.0",
    prompt='A fox 🦊 says "]]>" & <b>\n\tFüchse',
    prompt_writer="Bob",
    model=FLUX,
    size="1024x1024",
    seed=0,
    placeholder=True,
    creator_tool="ionos-openai",
    created=datetime(2026, 11, 22, 17, 0, tzinfo=UTC),
    creator="Ann; Ben",
    credit="Credit & Co",
    copyright="© 2026 Ann",
    alt="A fox's face",
)
TOO_LONG_HINT = "shorten alt, copyright, credit or creator, or remove metadata that the picture already has."

_NOISE = Image.frombytes("RGB", (48, 32), random.Random(1).randbytes(48 * 32 * 3))


def encode(format: str, image: Image.Image = _NOISE, **options: object) -> bytes:
    """Return `image` as Pillow encodes it."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _veiled() -> Image.Image:
    veiled = _NOISE.convert("RGBA")
    veiled.putalpha(_NOISE.getchannel("R"))
    return veiled


def _described() -> Image.Exif:
    exif = Image.Exif()
    # Besides a description, the tags that ExifTool misses elsewhere: resolution in both directions, unit, positioning.
    for tag, value in {0x010E: "a description", 0x011A: 72.0, 0x011B: 72.0, 0x0128: 2, 0x0213: 1}.items():
        exif[tag] = value
    return exif


_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURES = {
    "JPEG": encode("JPEG"),
    "JPEG progressive": encode("JPEG", progressive=True, icc_profile=_PROFILE, exif=_described(), comment=b"hello"),
    "JPEG CMYK": encode("JPEG", _NOISE.convert("CMYK")),
    "PNG": encode("PNG"),
    "PNG palette": encode("PNG", _NOISE.quantize(7), transparency=1, icc_profile=_PROFILE, exif=_described()),
    "PNG animated": encode("PNG", save_all=True, append_images=[_NOISE.rotate(180)]),
    "WEBP lossy": encode("WEBP"),
    "WEBP lossless": encode("WEBP", lossless=True),
    "WEBP lossless alpha": encode("WEBP", _veiled(), lossless=True),
    "WEBP lossy alpha": encode("WEBP", _veiled()),
    "WEBP extended": encode("WEBP", icc_profile=_PROFILE, exif=_described()),
    "WEBP animated": encode("WEBP", save_all=True, append_images=[_NOISE.rotate(180)]),
}
every_picture = pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES.keys())
every_carrier = pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])


def xmp(body: str, head: str = "") -> bytes:
    """Return a packet as another program would write it."""
    return (
        f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:zoo="https://zoo.invalid/ns#">{body}</rdf:RDF></x:xmpmeta>'
    ).encode()


FOREIGN = xmp(
    '<rdf:Description rdf:about="uuid:1" xmp:CreatorTool="Other 1.0" zoo:animal="a &quot;fox&quot;&#10;">'
    "<dc:subject><rdf:Bag><rdf:li>den</rdf:li><rdf:li>snow</rdf:li></rdf:Bag></dc:subject>"
    '<zoo:food rdf:parseType="Resource"><zoo:kind>hen &amp; egg&#13;</zoo:kind></zoo:food>'
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">Mine</rdf:li><rdf:li xml:lang="de">Meins</rdf:li></rdf:Alt>'
    "</dc:rights></rdf:Description>"
)


def with_xmp(format: str, packet: bytes) -> bytes:
    """Return a picture with `packet` where other programs put it. Pillow writes it to WebP only, in every version."""
    if format == "PNG":
        return png(packet)
    if format == "WEBP":
        return encode(format, xmp=packet)
    data, content = encode("JPEG"), b"http://ns.adobe.com/xap/1.0/\0" + packet
    end = 4 + int.from_bytes(data[4:6], "big")  # of the JFIF segment
    return data[:end] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + data[end:]


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """Return a chunk of a PNG, its length field a wrong one where one is given."""
    length = len(content) if length is None else length
    return struct.pack(">I", length) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(packet: bytes, *, behind: bool = False, flags: bytes = b"\0\0") -> bytes:
    """Return a PNG with an iTXt chunk of XMP, in front of the pixels or behind them."""
    data, text = PICTURES["PNG"], chunk(b"iTXt", b"XML:com.adobe.xmp\0" + flags + b"\0\0" + packet)
    place = len(data) - 12 if behind else 33
    return data[:place] + text + data[place:]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a RIFF file of WebP chunks."""
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def signed(format: str) -> bytes:
    """Return a picture with the outline of a C2PA manifest, as its specification places it."""
    box = struct.pack(">I4sI4s", 60, b"jumb", 40, b"jumd") + bytes.fromhex("63327061001100108000 00AA00389B71")
    box += b"\x03c2pa\0" + bytes(20)
    data = PICTURES[{"WEBP": "WEBP lossy"}.get(format, format)]
    if format == "JPEG":
        content = b"JP\x02\x11\0\0\0\1" + box
        return data[:20] + b"\xff\xeb" + struct.pack(">H", 2 + len(content)) + content + data[20:]
    if format == "PNG":
        return data[:33] + chunk(b"caBX", box) + data[33:]
    pixels = data[20 : 20 + struct.unpack_from("<I", data, 16)[0]]
    extended = b"\0\0\0\0" + (47).to_bytes(3, "little") + (31).to_bytes(3, "little")
    return riff((b"VP8X", extended), (b"VP8 ", pixels), (b"C2PA", box))


def frames(data: bytes) -> list[bytes]:
    """Return the pixels of every frame."""
    with Image.open(io.BytesIO(data)) as picture:
        shown = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            shown.append(picture.tobytes())
    return shown


def refusal(data: bytes) -> str:
    """Return the message with which writing is refused."""
    with pytest.raises(ProvenanceError) as caught:
        write_provenance(data, FULL)
    return str(caught.value)


@every_picture
def test_everything_written_is_read(data: bytes) -> None:
    """What is read from a marked picture is what was written, field by field."""
    assert read_provenance(data) is None
    assert read_provenance(write_provenance(data, FULL)) == FULL


@every_picture
def test_pixels_stay(data: bytes) -> None:
    """Every frame of a marked picture decodes to the same pixels, and format and size stay."""
    marked = write_provenance(data, FULL)

    assert frames(marked) == frames(data)
    assert recognise(marked) == recognise(data)


@pytest.mark.parametrize("name", [name for name in PICTURES if not name.startswith("WEBP")])
def test_only_an_insertion(name: str) -> None:
    """Without the inserted segment or chunk, a marked JPEG or PNG is the original, byte for byte."""
    data = PICTURES[name]
    marked = write_provenance(data, FULL)
    length = len(marked) - len(data)

    assert any(marked[:place] + marked[place + length :] == data for place in range(len(data)))


@pytest.mark.parametrize("name", [name for name in PICTURES if name.startswith("WEBP")])
def test_chunks_stay(name: str) -> None:
    """A marked WebP has the chunks of the original, byte for byte and in their order, and a header and XMP besides."""

    def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
        found, position = [], 12
        while position < len(data):
            kind, length = struct.unpack_from("<4sI", data, position)
            found.append((kind, data[position + 8 : position + 8 + length]))
            position += 8 + length + length % 2
        return [one for one in found if one[0] not in {b"VP8X", b"XMP "}]

    assert chunks(write_provenance(PICTURES[name], FULL)) == chunks(PICTURES[name])


@every_picture
def test_marking_twice_is_marking_once(data: bytes) -> None:
    """The same record written again changes nothing."""
    once = write_provenance(data, FULL)
    assert write_provenance(once, FULL) == once


def test_merging_twice_is_merging_once() -> None:
    """Merged into what others wrote, the same record written again changes nothing either."""
    for record in (FULL, Provenance(seed=1), Provenance(copyright="Mine", creator_tool="Other 1.0"), Provenance()):
        once = to_xmp(record, FOREIGN)
        assert to_xmp(record, once) == once


@every_carrier
def test_statement_is_replaced_as_a_whole(format: str) -> None:
    """A new record leaves nothing of the former statement, and keeps who is credited."""
    data = write_provenance(with_xmp(format, to_xmp(FULL)), Provenance(digital_source_type=COMPOSITE, seed=5))

    assert read_provenance(data) == Provenance(
        digital_source_type=COMPOSITE,
        seed=5,
        creator_tool=FULL.creator_tool,
        created=FULL.created,
        creator=FULL.creator,
        credit=FULL.credit,
        copyright=FULL.copyright,
        alt=FULL.alt,
    )
    assert b"Bob" not in data


@every_carrier
def test_foreign_fields_stay(format: str) -> None:
    """Fields of other programs keep their values, their structure and their prefixes."""
    data = write_provenance(with_xmp(format, FOREIGN), Provenance(digital_source_type=TRAINED, copyright="Mine"))

    text = data[data.index(b"<x:xmpmeta") : data.index(b"</x:xmpmeta>")].decode()
    assert 'rdf:about="uuid:1" xmp:CreatorTool="Other 1.0" zoo:animal="a &quot;fox&quot;&#10;"' in text
    assert "<dc:subject><rdf:Bag><rdf:li>den</rdf:li><rdf:li>snow</rdf:li></rdf:Bag></dc:subject>" in text
    assert '<zoo:food rdf:parseType="Resource"><zoo:kind>hen &amp; egg&#13;</zoo:kind></zoo:food>' in text
    assert '<rdf:li xml:lang="x-default">Mine</rdf:li><rdf:li xml:lang="de">Meins</rdf:li>' in text
    assert data.count(b"W5M0MpCehiHzreSzNTczkc9d") == 1
    assert read_provenance(data) == Provenance(digital_source_type=TRAINED, creator_tool="Other 1.0", copyright="Mine")


def test_attribute_is_replaced() -> None:
    """A field that another program wrote as an attribute is replaced, and its text is gone."""
    written = to_xmp(Provenance(creator_tool="ionos-openai"), FOREIGN)

    assert read_provenance(written) == Provenance(creator_tool="ionos-openai", copyright="Mine")
    assert b"Other 1.0" not in written


def test_prefix_of_two_namespaces() -> None:
    """Two namespaces under one prefix stay two."""
    packet = xmp(
        '<rdf:Description xmlns:a="u:1#"><a:one>1</a:one></rdf:Description>'
        '<rdf:Description xmlns:a="u:2#" xmlns="u:3#"><a:two>2</a:two><three/></rdf:Description>'
    )
    again = to_xmp(Provenance(seed=1), to_xmp(Provenance(seed=1), packet)).decode()

    assert "<a:one>1</a:one>" in again
    assert "<a1:two>2</a1:two><ns:three/>" in again
    assert all(name in again for name in ('xmlns:a="u:1#"', 'xmlns:a1="u:2#"', 'xmlns:ns="u:3#"'))


@pytest.mark.parametrize("behind", [False, True])
def test_packet_is_found_anywhere(behind: bool) -> None:
    """A PNG's packet is found and merged in front of the pixels and behind them, compressed or not."""
    for flags, packet in ((b"\0\0", FOREIGN), (b"\1\0", zlib.compress(FOREIGN))):
        data = png(packet, behind=behind, flags=flags)
        assert read_provenance(data) == Provenance(creator_tool="Other 1.0", copyright="Mine")
        again = write_provenance(data, Provenance(seed=1))
        assert read_provenance(again) == Provenance(creator_tool="Other 1.0", copyright="Mine", seed=1)
        assert again.count(b"XML:com.adobe.xmp") == 1


def test_several_packets_become_one() -> None:
    """Of several packets the first mention counts, and nothing of the others is lost."""
    other = xmp('<rdf:Description xmp:CreatorTool="Second" zoo:animal="owl"/>')
    first = png(FOREIGN)
    data = first[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + other) + first[33:]
    again = write_provenance(data, Provenance(seed=1))

    assert read_provenance(again) == Provenance(creator_tool="Second", copyright="Mine", seed=1)
    assert b'zoo:animal="owl"' in again
    assert b"hen &amp; egg" in again


def test_extended_xmp_of_others_stays() -> None:
    """The segments in which others continue a long packet stay as they are, and so does what points to them."""
    content = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", 4, 0) + b"<x/>"
    extension = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    note = '<rdf:Description xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="' + "A" * 32 + '"/>'
    data = with_xmp("JPEG", xmp(note))
    end = data.index(b"</x:xmpmeta>") + len("</x:xmpmeta>")
    marked = write_provenance(data[:end] + extension + data[end:], FULL)

    assert extension in marked
    assert b'xmpNote:HasExtendedXMP="' + b"A" * 32 in marked
    assert read_provenance(marked) == FULL


TEXTS = st.text(st.characters(exclude_categories=()), max_size=60)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.builds(
        Provenance,
        digital_source_type=st.sampled_from([None, TRAINED, COMPOSITE, ALGORITHMIC]),
        ai_system=st.none() | TEXTS,
        prompt=st.none() | TEXTS,
        model=st.none() | TEXTS,
        seed=st.none() | st.integers(-(2**64), 2**64),
        placeholder=st.booleans(),
        created=st.none() | st.datetimes(timezones=st.none() | st.timezones()),
        creator=st.none() | TEXTS,
        copyright=st.none() | TEXTS,
        alt=st.none() | TEXTS,
    ),
    st.sampled_from(["JPEG", "PNG", "WEBP lossy", "WEBP extended"]),
)
def test_any_text_survives(record: Provenance, name: str) -> None:
    """Any text, number and date survives the round trip, and writing again changes nothing."""
    data = write_provenance(PICTURES[name], record)

    assert (read_provenance(data) or Provenance()) == record
    assert write_provenance(data, record) == data


def test_control_characters_are_dropped() -> None:
    r"""Control characters and what XML cannot hold are dropped, "\r" becomes "\n", and a blank text is none."""
    record = Provenance(prompt="a\0b\x1b[31m\r\nc\rd\te\x85\ud800\uffff", alt=" \x07 ")

    assert record == Provenance(prompt="ab[31m\nc\nd\te", alt=None)


def test_date_with_seconds_in_its_offset() -> None:
    """A date whose offset has seconds, which XMP cannot write, is the same moment in UTC."""
    odd = datetime(1890, 1, 1, 12, tzinfo=timezone(timedelta(minutes=53, seconds=28)))
    assert b">1890-01-01T11:06:32+00:00<" in to_xmp(Provenance(created=odd))


@pytest.mark.parametrize("letter", ["x", "🦊", "&", "é\n"])
def test_long_prompt_is_cut_in_a_jpeg(letter: str) -> None:
    """In a JPEG a prompt is cut to fill the segment and ends in an ellipsis; nothing else is lost."""
    long = replace(FULL, prompt=letter * 70_000)
    data = write_provenance(with_xmp("JPEG", FOREIGN), long)
    found = read_provenance(data)

    assert found is not None
    assert found.prompt is not None
    assert found == replace(long, prompt=found.prompt)
    assert found.prompt.endswith("…")
    assert long.prompt is not None
    assert long.prompt.startswith(found.prompt[:-1])
    start = data.index(b"http://ns.adobe.com/xap/1.0/\0") - 4
    assert 65_490 < struct.unpack_from(">H", data, start + 2)[0] - 31 <= 65_502
    assert write_provenance(data, long) == data


def test_long_prompt_stays_elsewhere() -> None:
    """PNG, WebP and sidecars hold a prompt of 200,000 characters whole; past 1 MiB it is cut there too."""
    long = replace(FULL, prompt="fox " * 50_000 + "!")
    assert read_provenance(write_provenance(PICTURES["PNG"], long)) == long
    assert read_provenance(write_provenance(PICTURES["WEBP lossy"], long)) == long
    assert read_provenance(to_xmp(long)) == long

    packet = to_xmp(replace(FULL, prompt="x" * 2_000_000))
    assert len(packet) == 1 << 20


def test_other_texts_are_not_cut() -> None:
    """A text other than the prompt that does not fit is an error that says which to shorten."""
    with pytest.raises(ProvenanceError) as caught:
        write_provenance(PICTURES["JPEG"], Provenance(alt="x" * 70_000, prompt="fox"))
    size, _, rest = str(caught.value).removeprefix("The XMP packet would be ").partition(" bytes")
    assert 70_000 < int(size.replace(",", "")) < 71_000
    assert rest == f", and 65,502 fit: {TOO_LONG_HINT}"


@every_carrier
@pytest.mark.parametrize("prompt", [None, "fox" * 40_000])
def test_placeholders_stay_marked(format: str, prompt: str | None) -> None:
    """A placeholder of the stand-in is known for one after marking, converted or not, however long the prompt."""
    drawn = placeholder("a fox", model=FLUX, size=(256, 256), format=format)  # type: ignore[arg-type]  # a parameter
    record = describe(model=FLUX, prompt=prompt)
    for data in (drawn, *(convert(drawn, target) for target in ("JPEG", "PNG", "WEBP"))):
        marked = write_provenance(data, record)
        assert is_marked_sandbox(marked)
        assert write_provenance(marked, record) == marked


@every_carrier
def test_mark_comes_back(format: str) -> None:
    """A record of a placeholder brings the mark back into a picture that lost it."""
    data = encode(format)
    assert not is_marked_sandbox(data)
    assert is_marked_sandbox(write_provenance(data, describe(model=FLUX, placeholder=True)))
    assert not is_marked_sandbox(write_provenance(data, describe(model=FLUX)))


def test_comment_behind_a_profile_does_not_lose_the_mark() -> None:
    """A mark that stood behind a small profile stays near the beginning."""
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(SANDBOX_MARK)) + SANDBOX_MARK
    profile = b"\xff\xe2" + struct.pack(">H", 602) + b"ICC_PROFILE\0" + bytes(588)
    data = PICTURES["JPEG"][:20] + profile + comment + PICTURES["JPEG"][20:]
    assert is_marked_sandbox(write_provenance(data, describe(model=FLUX, prompt="x" * 70_000)))


def test_describe() -> None:
    """What a picture is said to be follows from how it was made; the prompt is left out unless it is given."""
    created = datetime(2026, 11, 22, 18, 0, 0, 123, tzinfo=timezone(timedelta(hours=1)))
    made = describe(model=FLUX, size="1024x1024", seed=1, created=created)

    assert made == Provenance(
        digital_source_type=TRAINED,
        ai_system=f"IONOS AI Model Hub, {FLUX}",
        model=FLUX,
        size="1024x1024",
        seed=1,
        creator_tool="ionos-openai",
        created=datetime(2026, 11, 22, 17, tzinfo=UTC),
    )
    assert describe(model=None, edited=True, prompt="fox") == Provenance(
        digital_source_type=COMPOSITE, ai_system="IONOS AI Model Hub", creator_tool="ionos-openai", prompt="fox"
    )
    assert describe(model=FLUX, edited=True, placeholder=True) == Provenance(
        digital_source_type=ALGORITHMIC, model=FLUX, placeholder=True, creator_tool="ionos-openai sandbox, placeholder"
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{TRAINED}"/>', Provenance(digital_source_type=TRAINED)),
        (
            f'<rdf:Description><Iptc4xmpExt:DigitalSourceType rdf:resource="{TRAINED}"/></rdf:Description>',
            Provenance(digital_source_type=TRAINED),
        ),
        (
            f"<rdf:Description><Iptc4xmpExt:DigitalSourceType>\n {TRAINED}\n</Iptc4xmpExt:DigitalSourceType>"
            "<Iptc4xmpExt:AISystemUsed><rdf:Bag><rdf:li>DALL-E</rdf:li></rdf:Bag></Iptc4xmpExt:AISystemUsed>"
            "</rdf:Description>",
            Provenance(digital_source_type=TRAINED, ai_system="DALL-E"),
        ),
        (
            "<rdf:Description><dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Ben</rdf:li></rdf:Seq></dc:creator>"
            '<dc:rights><rdf:Alt><rdf:li xml:lang="de">Meins</rdf:li><rdf:li xml:lang="x-default">Mine</rdf:li>'
            "</rdf:Alt></dc:rights></rdf:Description>",
            Provenance(creator="Ann; Ben", copyright="Mine"),
        ),
        (
            '<rdf:Description><Iptc4xmpExt:AISystemUsed rdf:parseType="Resource"><rdf:value>Imagen</rdf:value>'
            "</Iptc4xmpExt:AISystemUsed></rdf:Description>",
            Provenance(ai_system="Imagen"),
        ),
        ('<rdf:Description xmp:CreateDate="2024-05-03"/>', Provenance(created=datetime(2024, 5, 3))),
        ('<rdf:Description xmp:CreateDate="2024"/>', None),
        ('<rdf:Description xmp:CreateDate="2024-13-99T99:99"/>', None),
        ('<rdf:Description zoo:animal="fox"/>', None),
        ("", None),
    ],
)
def test_other_makers_fields(body: str, found: Provenance | None) -> None:
    """Fields are found in every form in which programs write them; a date that is none is left out."""
    assert read_provenance(xmp(body)) == found
    assert read_provenance(with_xmp("JPEG", xmp(body, '<?xpacket begin="" id="1"?>') + b"\n" * 3000)) == found


def test_sidecar_in_utf_16() -> None:
    """A packet in UTF-16 is read, and so is one behind a byte order mark."""
    text = to_xmp(FULL).decode()
    assert read_provenance(text.encode("utf-16")) == FULL
    assert read_provenance(b"\xef\xbb\xbf" + text.encode()) == FULL


@every_carrier
def test_signed_picture_is_not_touched(format: str, tmp_path: Path) -> None:
    """A picture with a C2PA manifest is refused by an error of its own, and its sidecar is read instead."""
    data = signed(format)
    assert recognise(data).format == format
    assert has_c2pa(data)
    assert not has_c2pa(PICTURES[{"WEBP": "WEBP lossy"}.get(format, format)])
    with pytest.raises(SignedPictureError) as caught:
        write_provenance(data, FULL)
    assert str(caught.value) == (
        "The picture has a C2PA manifest, whose signature an insertion would break. Write the sidecar instead."
    )

    path = tmp_path / "fox.jpg"
    path.write_bytes(data)
    assert read_provenance(path) is None
    sidecar_path(path).write_bytes(to_xmp(FULL))
    assert read_provenance(path) == FULL


def test_sidecar_completes_a_signed_picture(tmp_path: Path) -> None:
    """Beside a signed picture with fields of its own, the sidecar's fields come first."""
    data = signed("PNG")
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + FOREIGN)
    (tmp_path / "fox.png").write_bytes(data[:33] + text + data[33:])
    (tmp_path / "fox.xmp").write_bytes(to_xmp(Provenance(creator_tool="ionos-openai", seed=0)))

    assert read_provenance(tmp_path / "fox.png") == Provenance(creator_tool="ionos-openai", seed=0, copyright="Mine")


@pytest.mark.parametrize("name", ["fox.xmp", "fox.gif.xmp"])
def test_sidecar_names(name: str, tmp_path: Path) -> None:
    """A sidecar is found under both names in use, also beside formats that are not searched."""
    path = tmp_path / "fox.gif"
    path.write_bytes(encode("GIF"))
    assert read_provenance(str(path)) is None
    (tmp_path / name).write_bytes(to_xmp(FULL))

    assert read_provenance(path) == FULL
    assert read_provenance(tmp_path / name) == FULL


@pytest.mark.skipif(os.name == "nt", reason="Windows has other links")
def test_sidecar_that_leads_to_itself(tmp_path: Path) -> None:
    """It is no file, and told as such; a link to a sidecar elsewhere is one."""
    (tmp_path / "fox.jpg").write_bytes(encode("JPEG"))
    (tmp_path / "fox.xmp").symlink_to("fox.xmp")
    with pytest.raises(ProvenanceError) as caught:
        read_provenance(tmp_path / "fox.jpg")
    assert str(caught.value) == "'fox.xmp' is no file. Take the picture itself."
    (tmp_path / "hen.xmp").write_bytes(to_xmp(FULL))
    (tmp_path / "fox.xmp").unlink()
    (tmp_path / "fox.xmp").symlink_to("hen.xmp")
    assert read_provenance(tmp_path / "fox.jpg") == FULL


def test_picture_speaks_before_its_neighbour(tmp_path: Path) -> None:
    """A picture that speaks for itself takes nothing from a sidecar, which may be another picture's."""
    record = Provenance(digital_source_type=TRAINED)
    (tmp_path / "fox.jpg").write_bytes(write_provenance(PICTURES["JPEG"], record))
    (tmp_path / "fox.xmp").write_bytes(to_xmp(FULL))

    assert read_provenance(tmp_path / "fox.jpg") == record


def test_sidecar_path() -> None:
    """The sidecar's name is the picture's with another extension, whatever stands in it."""
    for name in ("fox.jpg", "fox", "a.b.png", ".hidden", "füchse 🦊.webp"):
        assert sidecar_path(Path("dir") / name) == Path("dir") / f"{Path(name).stem}.xmp"


def test_sidecar_is_merged() -> None:
    """What another program wrote into a sidecar stays."""
    merged = to_xmp(FULL, FOREIGN)
    assert read_provenance(merged) == FULL
    assert b"hen &amp; egg" in merged


def test_no_picture() -> None:
    """What is no picture is an error for reading and writing; GIF and AVIF are not written."""
    no_carrier = "The bytes are no JPEG, PNG or WebP, which can take an XMP packet. Write the sidecar instead."
    for data in (b"", b"hello", b"{}", encode("GIF"), b"RIFF\0\0\0\0AVI "):
        assert refusal(data) == no_carrier
        assert not has_c2pa(data)
    for data in (b"", b"hello", b"{}", b"RIFF\0\0\0\0AVI "):
        with pytest.raises(ProvenanceError, match=r"^The bytes are neither a picture nor XMP\. Take the file as it"):
            read_provenance(data)
    assert read_provenance(encode("GIF")) is None
    assert issubclass(ProvenanceError, (IonosError, ValueError))


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file and a directory are the operating system's errors."""
    for path in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(OSError):
            read_provenance(path)


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;</x>'
)
DTD = "has a document type, which XMP never needs and attacks do"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (BOMB, DTD),
        (BOMB.decode().encode("utf-16"), DTD),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', DTD),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]><x>&e;</x>', DTD),
        (b"<x>&undefined;</x>", "is damaged"),
        (b"<x><y></x>", "is damaged"),
        (b"<x/><y/>", "is damaged"),
        (b"<" + b"x" * 1000, "is damaged"),
        (b'<?xml version="1.0" encoding="rot13"?><x/>', "has an unknown encoding"),
        (b"<x>" * 100, "is nested too deep"),
        (b"<x>" + b"<y/>" * 60_000 + b"</x>", "has too many elements"),
        (b"<x>" + b" " * (1 << 20) + b"</x>", "is larger than 1 MiB"),
    ],
)
def test_hostile_packets(packet: bytes, reason: str) -> None:
    """A damaged or hostile packet is refused by name, in reading and in writing, in a picture and alone."""
    message = f"The XMP packet {reason}. Remove it with an editor of metadata, and try again."
    data = png(packet)
    assert refusal(data) == message
    for source in (data, packet):
        with pytest.raises(ProvenanceError) as caught:
            read_provenance(source)
        assert str(caught.value) == message


def test_xml_that_is_no_rdf() -> None:
    """XML of another kind is refused; a packet without elements is as good as none."""
    assert refusal(png(b"<svg><g/></svg>")) == (
        "The XMP packet is no RDF. Remove it with an editor of metadata, and try again."
    )
    for packet in (b"", b"\0\0", b"<!-- nothing -->", b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'):
        assert read_provenance(png(packet)) is None
        assert read_provenance(write_provenance(png(packet), FULL)) == FULL


@pytest.mark.parametrize("kind", [b"iTXt", b"zTXt"])
def test_compressed_bomb(kind: bytes) -> None:
    """A few kB that unpack to 64 MiB cost neither memory nor more than a moment."""
    squeezed = zlib.compress(b"<x>" + b" " * (64 << 20), 9)
    keyword = b"XML:com.adobe.xmp\0\1\0\0\0" if kind == b"iTXt" else b"XML:com.adobe.xmp\0\0"
    data = PICTURES["PNG"][:33] + chunk(kind, keyword + squeezed) + PICTURES["PNG"][33:]
    tracemalloc.start()
    try:
        if kind == b"iTXt":
            assert "is larger than 1 MiB" in refusal(data)
        else:
            assert read_provenance(write_provenance(data, FULL)) == FULL
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_many_small_bombs_have_one_bound() -> None:
    """Packets that are each within the bounds are not so together, neither in bytes nor in elements."""
    rdf = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>%b"
    rdf += b"</rdf:RDF></x:xmpmeta>"
    for body, count, reason in ((b" " * 900_000, 300, "larger than 1 MiB"), (b"<a/>" * 30_000, 2, "too many elements")):
        bomb = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(rdf % body, 9))
        data = PICTURES["PNG"][:33] + bomb * count + PICTURES["PNG"][33:]
        tracemalloc.start()
        try:
            assert reason in refusal(data)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()


def test_several_creators_are_a_list() -> None:
    """Each is an item of its own, as other programs read them."""
    packet = to_xmp(Provenance(creator="Ann; Bob"))
    assert packet.count(b"<rdf:li>") == 2
    assert read_provenance(packet) == Provenance(creator="Ann; Bob")


def test_pictures_of_one_name_keep_their_sidecars_apart(tmp_path: Path) -> None:
    """Which picture a "fox.xmp" is about, it says itself; one that does not say is everybody's."""
    paths = {name: tmp_path / name for name in ("fox.jpg", "fox.png", "fox.webp")}
    for path, kind in zip(paths.values(), ("JPEG", "PNG", "WEBP lossy"), strict=True):
        path.write_bytes(PICTURES[kind])
    (tmp_path / "fox.xmp").write_bytes(to_xmp(Provenance(credit="a"), extension="JPG"))
    assert sidecar_path(paths["fox.jpg"]) == tmp_path / "fox.xmp"
    assert sidecar_path(paths["fox.png"]) == tmp_path / "fox.png.xmp"
    assert read_provenance(paths["fox.jpg"]) == Provenance(credit="a")
    assert read_provenance(paths["fox.webp"]) is None
    sidecar_path(paths["fox.png"]).write_bytes(to_xmp(Provenance(credit="b")))
    assert read_provenance(paths["fox.png"]) == Provenance(credit="b")
    (tmp_path / "fox.xmp").write_bytes(to_xmp(Provenance(credit="c")))
    assert read_provenance(paths["fox.webp"]) == Provenance(credit="c")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["fox.jpg", "fox.xmp", "fox.jpg.xmp"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """Neither as a picture nor as its sidecar."""
    picture = tmp_path / "fox.jpg"
    if name != "fox.jpg":
        picture.write_bytes(PICTURES["JPEG"])
    os.mkfifo(tmp_path / name)
    with pytest.raises(ProvenanceError, match=f"'{name}' is no file"):
        read_provenance(picture)


def test_damaged_compression() -> None:
    """A compressed packet that cannot be unpacked, or ends too early, is an error."""
    for content in (b"no zlib", zlib.compress(FOREIGN)[:-20]):
        assert refusal(png(content, flags=b"\1\0")) == "The PNG is damaged. Take an undamaged file."


@pytest.mark.parametrize("name", ["JPEG progressive", "PNG palette", "WEBP extended"])
def test_truncated_anywhere(name: str) -> None:
    """A picture that is cut off anywhere is refused in writing; reading ends in an error, None or what is there."""
    data = write_provenance(PICTURES[name], FULL)
    for length in {*range(0, len(data) - 1, 13), *range(80)}:
        with pytest.raises(ProvenanceError):
            write_provenance(data[:length], FULL)
        try:
            assert read_provenance(data[:length]) in (None, FULL)
        except ProvenanceError:
            continue


@pytest.mark.parametrize(
    "data",
    [
        PICTURES["PNG"][:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0", length=0xFFFFFFFF),
        PICTURES["PNG"][:33] + chunk(b"IDAT", b"", length=0x7FFFFFFF),
        PICTURES["PNG"][:33] + chunk(b"IEND", b""),
        PICTURES["PNG"][:8] + PICTURES["PNG"][33:],
        b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff",
        b"RIFF\x16\0\0\0WEBPXMP \xff\xff\xff\xff" + bytes(8),
        riff((b"VP8 ", PICTURES["WEBP lossy"][20:]), (b"VP8X", bytes(10))),
        riff((b"VP8X", bytes(4)), (b"VP8 ", PICTURES["WEBP lossy"][20:])),
        riff((b"EXIF", b"x")),
        b"\xff\xd8\xff\xe1\0\0" + bytes(100),
        b"\xff\xd8\xff\xe1\xff\xff" + bytes(100),
        b"\xff\xd8\xff\xd9" + bytes(100),
        b"\xff\xd8\xff\xff\xff",
        b"\xff\xd8" + b"\xff\xe1\0\2" * 1000,
    ],
)
def test_wrong_lengths(data: bytes) -> None:
    """Lengths that point outside the bytes, and missing parts, are clear errors."""
    assert refusal(data).endswith((" Take the whole file.", " Take an undamaged file."))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xe1\0\2" * 200_000 + PICTURES["JPEG"][2:],
        b"\xff\xd8" + b"\xff" * 800_000 + PICTURES["JPEG"][2:],
        PICTURES["PNG"][:33] + chunk(b"teXt", b"") * 60_000 + PICTURES["PNG"][33:],
        riff((b"VP8 ", PICTURES["WEBP lossy"][20:]), *[(b"junk", b"")] * 90_000),
        png(xmp("".join(f'<rdf:Description xmlns:a="u:{number}#" a:b="c"/>' for number in range(12_000)))),
        png(xmp("<rdf:Description>" + "<dc:creator>x</dc:creator>" * 30_000 + "</rdf:Description>")),
    ],
    ids=["segments", "fill bytes", "chunks", "RIFF chunks", "namespaces", "repeated fields"],
)
def test_linear_time(data: bytes) -> None:
    """Endless segments, chunks, namespaces or fields take time in proportion to their bytes."""
    begin = time.process_time()
    assert read_provenance(write_provenance(data, FULL)) == FULL
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("name", ["JPEG progressive", "PNG palette", "WEBP lossless alpha", "WEBP extended"])
def test_fuzz(name: str) -> None:
    """Whatever is done to the bytes, there is a result or a `ProvenanceError`, and a result is read again."""
    chance = random.Random(name)
    original = write_provenance(PICTURES[name], FULL)
    for _ in range(400):
        data = bytearray(original)
        for _ in range(chance.randint(1, 6)):
            start = chance.randrange(len(data))
            data[start : start + chance.choice((0, 1, 1, 1, 4))] = chance.randbytes(chance.choice((0, 1, 1, 4)))
        mutant = bytes(data)
        with contextlib.suppress(ProvenanceError):
            read_provenance(mutant)
        has_c2pa(mutant)
        try:
            marked = write_provenance(mutant, FULL)
        except ProvenanceError:
            continue
        assert read_provenance(marked) == FULL


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"<x"]), st.binary(max_size=200)
)
def test_any_bytes(head: bytes, rest: bytes) -> None:
    """Any bytes end in a result, None or a `ProvenanceError`."""
    for use in (read_provenance, has_c2pa, lambda data: write_provenance(data, FULL)):
        try:
            use(head + rest)
        except ProvenanceError:
            continue


def test_odd_webp_without_its_pad() -> None:
    """A WebP whose last chunk lacks its pad byte, and bytes behind the end, are no obstacle."""
    data = riff((b"VP8 ", PICTURES["WEBP lossy"][20:]), (b"junk", b"odd"))
    unpadded = data[:4] + struct.pack("<I", len(data) - 9) + data[8:-1]
    for tail in (b"", b"behind the end"):
        marked = write_provenance(unpadded + tail, FULL)
        assert read_provenance(marked) == FULL
        assert marked.endswith(tail)
        assert recognise(marked) == recognise(data)
        assert write_provenance(marked, FULL) == marked


def run(*command: str) -> str:
    """Return what a judge prints; skip where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _extension(name: str) -> str:
    return {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}[name.split()[0]]


def test_exiftool_reads_every_field(tmp_path: Path) -> None:
    """ExifTool reads every field from every kind of picture and from a sidecar, and finds nothing to warn of."""
    for number, (name, data) in enumerate(PICTURES.items()):
        merged = write_provenance(data, Provenance(creator="Foreign"))
        (tmp_path / f"{number}.{_extension(name)}").write_bytes(write_provenance(merged, FULL))
    (tmp_path / "sidecar.xmp").write_bytes(to_xmp(FULL))
    (tmp_path / "merged.jpg").write_bytes(write_provenance(with_xmp("JPEG", FOREIGN), FULL))
    answer = run("exiftool", "-j", "-G1", "-a", "-validate", "-warning", "-error", "-XMP:all", str(tmp_path))
    found = json.loads(answer[answer.index("[") : answer.rindex("]") + 1])

    assert len(found) == len(PICTURES) + 2
    expected = {
        "ExifTool:Validate": "OK",
        "XMP-iptcExt:DigitalSourceType": FULL.digital_source_type,
        "XMP-iptcExt:AISystemUsed": FULL.ai_system,
        "XMP-iptcExt:AISystemVersionUsed": 1.0,
        "XMP-iptcExt:AIPromptInformation": FULL.prompt,
        "XMP-iptcExt:AIPromptWriterName": "Bob",
        "XMP-ionosopenai:Model": FLUX,
        "XMP-ionosopenai:Size": "1024x1024",
        "XMP-ionosopenai:Seed": 0,
        "XMP-ionosopenai:Placeholder": True,
        "XMP-xmp:CreatorTool": "ionos-openai",
        "XMP-xmp:CreateDate": "2026:11:22 17:00:00+00:00",
        "XMP-dc:Creator": ["Ann", "Ben"],
        "XMP-photoshop:Credit": "Credit & Co",
        "XMP-dc:Rights": "© 2026 Ann",
        "XMP-iptcCore:AltTextAccessibility": "A fox's face",
    }
    for file in found:
        shown = {key: value for key, value in file.items() if key in expected or "arning" in key or "rror" in key}
        assert shown == expected, file["SourceFile"]
    merged_file = next(file for file in found if file["SourceFile"].endswith("merged.jpg"))
    assert merged_file["XMP-dc:Subject"] == ["den", "snow"]
    assert merged_file["XMP-zoo:FoodKind"].startswith("hen & egg")


@pytest.mark.parametrize(
    ("judge", "verdict", "kind"),
    [
        (("pngcheck", "-v"), "No errors detected", "PNG"),
        (("jpeginfo", "-c"), " OK ", "JPEG"),
        (("webpinfo",), "No error detected.", "WEBP"),
    ],
)
def test_judges_find_no_fault(judge: tuple[str, ...], verdict: str, kind: str, tmp_path: Path) -> None:
    """The checkers of each format find no fault in any marked picture."""
    # jpeginfo cannot read CMYK, marked or not.
    for name in (name for name in PICTURES if name.startswith(kind) and "CMYK" not in name):
        path = tmp_path / f"marked.{_extension(name)}"
        path.write_bytes(write_provenance(PICTURES[name], FULL))
        report = run(*judge, str(path))
        assert verdict in report
        assert "warning" not in report.lower()


RIGHTS = "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>Jörg</rdf:li></rdf:Alt></dc:rights>"


def careless(more: str = "", declared: str = "rdf dc") -> str:
    """Return a packet that declares only some of the prefixes which it uses, and holds `more`."""
    spaces = {"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "dc": "http://purl.org/dc/elements/1.1/"}
    said = " ".join(f"xmlns:{prefix}='{spaces[prefix]}'" for prefix in declared.split())
    return f"<rdf:RDF {said}><rdf:Description rdf:about=''>{RIGHTS}{more}</rdf:Description></rdf:RDF>"


SOURCES = {
    "UTF-16 without its mark, little end first": (careless().encode("utf-16-le"), None),
    "UTF-16 without its mark, big end first": (careless().encode("utf-16-be"), None),
    "an encoding that it does not have": (("<?xml version='1.0' encoding='UTF-16'?>" + careless()).encode(), None),
    "Latin-1 in all of it": (careless("<dc:source>Köln</dc:source>").encode("latin-1"), "Köln"),
    "a blank line in front of the declaration": (("\n<?xml version='1.0'?>" + careless()).encode(), None),
    "no prefix declared at all": (careless("<xmpMM:DocumentID>7</xmpMM:DocumentID>", "").encode(), None),
    "a prefix that nobody knows": (careless("<zoo:animal>fox</zoo:animal>").encode(), None),
    "an entity of HTML": (careless("<dc:source>caf&eacute;</dc:source>").encode(), "caf&eacute;"),
    "a reference to a control character": (careless("<dc:source>a&#11;b</dc:source>").encode(), "ab"),
    "a bare <": (careless("<dc:source>I <3 hens</dc:source>").encode(), "I <3 hens"),
    "a NUL within": (careless("<dc:source>a\0b</dc:source>").encode(), "ab"),
    "a page behind it": (careless().encode() + b"\0\0<html>", None),
}


@pytest.mark.parametrize(("packet", "source"), SOURCES.values(), ids=SOURCES.keys())
@every_carrier
def test_xmp_that_is_no_xml_is_read_and_merged(format: str, packet: bytes, source: str | None, tmp_path: Path) -> None:
    """What programs have written and lenient readers read is read, and stays beside the new fields, as good XML."""
    data = with_xmp(format, packet)
    assert read_provenance(data) == Provenance(copyright="Jörg")
    marked = write_provenance(data, Provenance(model=FLUX))
    assert read_provenance(marked) == Provenance(model=FLUX, copyright="Jörg")
    assert write_provenance(marked, Provenance(model=FLUX)) == marked
    if exiftool := shutil.which("exiftool"):
        path = tmp_path / f"fox.{format.lower()}"
        path.write_bytes(marked)
        shown = subprocess.run([exiftool, "-j", "-XMP-dc:all", path], capture_output=True, check=True).stdout
        assert (json.loads(shown)[0]["Rights"], json.loads(shown)[0].get("Source")) == ("Jörg", source)


@pytest.mark.parametrize(
    "packet", [careless()[:-30], careless("<dc:a></dc:b>"), careless("<dc:a x=1/>"), "<rdf:RDF " * 10_000]
)
def test_xmp_that_cannot_be_mended_is_left_alone(packet: str) -> None:
    """What has lost its structure is refused by name, soon."""
    began = time.perf_counter()
    assert refusal(with_xmp("PNG", packet.encode())).startswith("The XMP packet is damaged.")
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("said", "is_signed"),
    [
        ("<dcterms:provenance>https://manifests.invalid/1</dcterms:provenance>", True),
        ("<dcterms:provenance rdf:resource='http://manifests.invalid/1'/>", True),
        ("</rdf:Description><rdf:Description dcterms:provenance=' https://manifests.invalid/1'>", True),
        ("<dcterms:provenance>Bought from a farm.</dcterms:provenance>", False),
        ("<dc:source>https://manifests.invalid/provenance</dc:source>", False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_manifest_elsewhere_is_a_signature(said: str, is_signed: bool, encoding: str, tmp_path: Path) -> None:
    """A picture that names a C2PA manifest on the web is not touched; its sidecar is."""
    data = with_xmp("JPEG", careless(said).encode(encoding))
    assert has_c2pa(data) == is_signed
    if not is_signed:
        assert read_provenance(write_provenance(data, FULL)) == FULL
        return
    with pytest.raises(SignedPictureError):
        write_provenance(data, FULL)
    (tmp_path / "fox.jpg").write_bytes(data)
    (tmp_path / "fox.xmp").write_bytes(to_xmp(Provenance(alt="A fox")))
    assert read_provenance(tmp_path / "fox.jpg") == Provenance(alt="A fox", copyright="Jörg")


def test_a_record_shows_what_it_says() -> None:
    """And nothing of what it does not say; long texts are cut."""
    record = Provenance(model=FLUX, seed=0, prompt="fox " * 1000, placeholder=True)
    assert str(record).startswith("prompt: fox fox")
    assert str(record).endswith(f"…, model: {FLUX}, seed: 0, placeholder: True")
    assert repr(Provenance(alt="A fox")) == "Provenance(alt: A fox)"
    assert len(repr(record)) < 400
