"""From a response to pictures: decoding, checking, showing, converting."""

from __future__ import annotations

import base64
import functools
import io
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from openai.types import Image as SDKImage, ImagesResponse, Model
from PIL import Image, ImageCms

from ionos_openai.client.calls import Remembered, remember
from ionos_openai.errors import ImageSaveError, InvalidRequestError, keep_partial_results
from ionos_openai.files.formats import SANDBOX_MARK, FormatError, recognise
from ionos_openai.images.image import GeneratedImage, ImageDecodeError, decode_images, partial_images, save_images
from ionos_openai.provenance import read_provenance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Image.init()
HAS_AVIF = "AVIF" in Image.SAVE  # since Pillow 11.3, where it was built with it
ALL_FORMATS = ["JPEG", "PROGRESSIVE", "CMYK", "PNG", "WEBP", "LOSSLESS", "VP8X", "GIF", *(["AVIF"] if HAS_AVIF else [])]
WHOLE_CHECKED = ALL_FORMATS[:8]
NOTED = datetime(2026, 11, 1, 12, tzinfo=UTC)


def encode(image: Image.Image, fmt: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, fmt, **options)
    return target.getvalue()


@functools.cache
def picture(kind: str = "JPEG", width: int = 24, height: int = 16) -> bytes:
    colours = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (colours, colours.rotate(180), colours))
    match kind:
        case "PROGRESSIVE":
            return encode(image, "JPEG", progressive=True)
        case "CMYK":
            return encode(image.convert("CMYK"), "JPEG")
        case "LOSSLESS":
            return encode(image, "WEBP", lossless=True)
        case "VP8X":
            image.putalpha(colours)
            return encode(image, "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
        case "AVIF":
            if not HAS_AVIF:
                pytest.skip("this Pillow writes no AVIF")
            return encode(image, "AVIF", speed=10)
    return encode(image, kind)


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def answer(*items: object, **fields: object) -> dict[str, object]:
    return {"data": [{"b64_json": text(i)} if isinstance(i, bytes) else i for i in items], **fields}


def error_of(response: object) -> ImageDecodeError:
    with pytest.raises(ImageDecodeError) as caught:
        decode_images(response)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_each_format_is_recognised_with_its_size_and_bytes_untouched(kind: str) -> None:
    """The format and the size come from the bytes, and the bytes stay as they were sent."""
    data = picture(kind)
    name = {"PROGRESSIVE": "JPEG", "CMYK": "JPEG", "LOSSLESS": "WEBP", "VP8X": "WEBP"}.get(kind, kind)

    (image,) = decode_images(answer(data))

    assert (image.format, image.width, image.height, image.data) == (name, 24, 16, data)
    assert image.to_pil().size == (24, 16)


@pytest.mark.parametrize(
    ("kind", "media_type", "extension"),
    [
        ("JPEG", "image/jpeg", ".jpg"),
        ("PNG", "image/png", ".png"),
        ("WEBP", "image/webp", ".webp"),
        ("GIF", "image/gif", ".gif"),
        ("AVIF", "image/avif", ".avif"),
    ],
)
def test_a_picture_knows_its_media_type_extension_and_data_uri(kind: str, media_type: str, extension: str) -> None:
    """Media type, extension and data URI fit the bytes, and the URI decodes to the same picture."""
    (image,) = decode_images(answer(picture(kind)))

    assert (image.media_type, image.extension) == (media_type, extension)
    assert image.data_uri == f"data:{media_type};base64,{text(image.data)}"
    assert decode_images(answer({"url": image.data_uri})) == [image]


@pytest.mark.parametrize(
    "spell",
    [
        lambda data: base64.encodebytes(data).decode(),
        lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: text(data).rstrip("="),
        lambda data: "data:image/png;base64," + text(data),
        lambda data: " Data:;base64," + base64.encodebytes(data).decode(),
    ],
)
@pytest.mark.parametrize("tail", [b"", b"\xfb", b"\xff\xfe"])
def test_every_usual_form_of_base64_is_read(spell: object, tail: bytes) -> None:
    """Line breaks, the URL-safe alphabet, missing padding and a data: prefix give the same bytes."""
    data = picture() + tail

    (image,) = decode_images(answer({"b64_json": spell(data)}))  # type: ignore[operator]

    assert image.data == data


def test_the_sdks_response_is_read_like_its_dict() -> None:
    """An ImagesResponse, with or without the optional fields, gives the same pictures as its dict."""
    body = answer(picture(), {"b64_json": text(picture("PNG")), "url": None}, usage={"total_tokens": 0})

    from_model = decode_images(ImagesResponse.construct(**body))

    assert from_model == decode_images(body)
    assert [image.format for image in from_model] == ["JPEG", "PNG"]


def test_base64_wins_over_a_url_beside_it() -> None:
    """An item with both is read from its base64."""
    (image,) = decode_images(answer({"b64_json": text(picture()), "url": "https://example.com/x.png"}))

    assert image.data == picture()


def test_what_was_asked_comes_from_the_response() -> None:
    """A response that remembers its request gives it to each picture, and arguments win over it."""
    response = ImagesResponse.construct(**answer(picture()))
    remember(response, Remembered(prompt="a fox", model="m", size="24x16", edited=True, created=NOTED))

    (image,) = decode_images(response)
    (argued,) = decode_images(response, prompt="", model="other", size="1x1")

    assert (image.prompt, image.model, image.size, image.edited, image.created) == ("a fox", "m", "24x16", True, NOTED)
    assert (argued.prompt, argued.model, argued.size, argued.edited) == ("", "other", "1x1", True)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (1_790_000_000, datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        (1_790_000_000_000, None),
        (float("nan"), None),
        ("yesterday", None),
    ],
)
def test_created_is_a_date_or_nothing(created: object, expected: datetime | None) -> None:
    """Only plausible Unix seconds become a date."""
    (image,) = decode_images(answer(picture(), created=created))

    assert image.created == expected


def test_a_revised_prompt_is_kept() -> None:
    """What the service made of the prompt is on the picture, and nothing where it says nothing."""
    item = {"b64_json": text(picture()), "revised_prompt": "a red fox"}

    assert [image.revised_prompt for image in decode_images(answer(item, picture()))] == ["a red fox", None]


ELSEWHERE = "Check base_url, and ask again: something between you and the service may have answered."


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"url": None},
            "Item 2 of 3 has no picture: `b64_json` and `url` are both missing or empty. "
            "Ask with response_format='b64_json'.",
        ),
        (
            None,
            "Item 2 of 3 has no picture: `b64_json` and `url` are both missing or empty. "
            "Ask with response_format='b64_json'.",
        ),
        (
            {"b64_json": " ", "url": "https://u:p@cdn.example.com/a/b.png?sig=hidden#x"},
            "Item 2 of 3 is only a URL (https://cdn.example.com/a/b.png). Ask with "
            "response_format='b64_json', or download the URL yourself.",
        ),
        (
            {"url": "https://[broken"},
            "Item 2 of 3 is only a URL. Ask with response_format='b64_json', or download the URL yourself.",
        ),
        ({"b64_json": "not base64!"}, "Item 2 of 3 is not base64. Ask for it again."),
        ({"b64_json": "ünïcode"}, "Item 2 of 3 is not base64. Ask for it again."),
        ({"b64_json": "A"}, "Item 2 of 3 is not base64. Ask for it again."),
        ({"url": "data:image/png;base64,"}, "Item 2 of 3 is no whole picture: it is empty. Ask for it again."),
        (picture("PNG")[:-20], "Item 2 of 3 is no whole picture: the PNG ends too early. Ask for it again."),
        (picture()[:-2], "Item 2 of 3 is no whole picture: the JPEG ends too early. Ask for it again."),
        (
            b"<!DOCTYPE html><title>Bad gateway</title>",
            f"Item 2 of 3 is no whole picture: it is an HTML page. {ELSEWHERE}",
        ),
        (b'{"error": 1}', f"Item 2 of 3 is no whole picture: it is JSON. {ELSEWHERE}"),
        (
            b"BM not known",
            "Item 2 of 3 is no whole picture: its bytes are not JPEG, PNG, WebP, GIF or AVIF. Ask for it again.",
        ),
    ],
)
def test_a_bad_item_is_named_with_its_reason_and_a_remedy(item: object, message: str) -> None:
    """The message says which item, why, and how to ask better; the good items are on the error."""
    error = error_of(answer(picture(), item, picture("PNG")))

    assert str(error) == message
    assert error.index == 1
    assert [image.format for image in error.images] == ["JPEG", "PNG"]


@pytest.mark.parametrize("response", [{}, {"data": None}, {"data": []}, {"data": "text"}, ImagesResponse.construct()])
def test_a_response_without_items_is_an_error(response: object) -> None:
    """Missing or empty data is an error without an index."""
    error = error_of(response)

    assert str(error) == f"The response has no pictures: its `data` is missing or empty. {ELSEWHERE}"
    assert (error.index, error.images) == (None, [])


def test_something_else_than_a_response_is_an_error() -> None:
    """The SDK returns text where a proxy answered with a page; that is told, not shown."""
    assert str(error_of("<html>")) == (
        "This is no images response but str. Pass what client.images.generate() or client.images.edit() returned. If "
        "that is what it returned: check base_url, and ask again: something between you and the service may have "
        "answered."
    )


def pillow() -> Image.Image:
    return Image.open(io.BytesIO(picture("PNG")))


def written(file: Any) -> object:
    file.write(picture())
    return file


HELD: dict[str, Callable[[Path], object]] = {
    "a dict's items": lambda folder: answer(picture(), picture("PNG"))["data"],
    "one of them": lambda folder: {"b64_json": text(picture())},
    "an item with a data URI": lambda folder: SDKImage(url=f"data:image/png;base64,{text(picture('PNG'))}"),
    "a tuple of responses": lambda folder: (
        answer(picture()),
        ImagesResponse.construct(data=[SDKImage(b64_json=text(picture()))]),
    ),
    "a view of bytes": lambda folder: memoryview(picture("WEBP")),
    "a stream": lambda folder: io.BytesIO(picture("GIF")),
    "a data URI": lambda folder: f"data:image/jpeg;base64,{text(picture())}",
    "Pillow's images": lambda folder: (image for image in [pillow(), pillow().convert("CMYK")]),
    "a path": lambda folder: save_images(answer(picture()), folder / "from")[0],
    "paths as text": lambda folder: [*map(str, save_images(answer(picture()), folder / "from"))],
    "base64 as bytes": lambda folder: [base64.encodebytes(picture()), f"data:;base64,{text(picture())}".encode()],
    "a temporary file": lambda folder: written(tempfile.NamedTemporaryFile(dir=folder)),  # noqa: SIM115 - held open
    "an upload of a web framework": lambda folder: SimpleNamespace(filename="a", file=io.BytesIO(picture())),
    "pictures by name": lambda folder: dict(enumerate(decode_images(answer(picture(), picture("PNG"))))),
    "a mixture": lambda folder: [answer(picture()), [picture("PNG")], decode_images(answer(picture("WEBP")))],
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD.keys())
def test_pictures_are_taken_as_people_hold_them(held: Callable[[Path], object], tmp_path: Path) -> None:
    """Whatever holds some is decoded and saved."""
    images = decode_images(held(tmp_path), prompt="a fox")
    assert {image.prompt for image in images} == {"a fox"}
    paths = save_images(held(tmp_path), tmp_path / "to", prompt="a fox")
    assert [recognise(path.read_bytes()).format for path in paths] == [image.format for image in images]


@pytest.mark.parametrize(
    "held",
    [
        None,
        7,
        object(),
        ["a fox", 7],
        iter([None]),
        {"prompt": "a fox"},
        Model(id="m", created=1, object="model", owned_by="x"),
        SimpleNamespace(data=memoryview(b""), __array__=None),
        {"a": decode_images(answer(picture()))[0], "b": None},
    ],
)
def test_what_holds_no_picture_is_refused_by_name(held: object, tmp_path: Path) -> None:
    """With what to pass instead, and nothing is written."""
    with pytest.raises(ImageDecodeError, match=r"(Pass what client\.|missing or empty|is no whole picture)"):
        save_images(held, tmp_path / "to")
    assert not (tmp_path / "to").exists()


async def test_a_call_that_was_not_awaited_is_told() -> None:
    """What an async client returns is a coroutine."""

    async def generate() -> None: ...

    coroutine = generate()
    assert "is no images response but coroutine, to await first." in str(error_of(coroutine))
    await coroutine


def test_an_answer_names_no_file_of_ours(tmp_path: Path) -> None:
    """Text in the place of an item is base64 at best: a server could ask for any file."""
    (path,) = save_images(answer(picture()), tmp_path, name="mine.jpg")
    for response in ({"data": [str(path)]}, ImagesResponse.construct(data=[str(path)]), {"data": [{"url": str(path)}]}):
        assert "Item 1 of 1 is" in str(error_of(response))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_path_to_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nor one to a directory or a device."""
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/./zero", tmp_path):
        assert "it is no regular file" in str(error_of(path))


def test_nothing_saves_nothing(tmp_path: Path) -> None:
    """A choice may be empty."""
    assert save_images([], tmp_path) == save_images(iter(()), tmp_path) == decode_images(()) == []


def test_somebodys_file_is_not_said_to_be_made_by_a_model(tmp_path: Path) -> None:
    """A path leads to whatever picture, which is copied as it is; bytes came from a model."""
    (tmp_path / "holiday.jpg").write_bytes(picture())
    (copied,) = save_images(tmp_path / "holiday.jpg", tmp_path / "to")
    (marked,) = save_images(picture(), tmp_path / "to")
    assert (copied.read_bytes(), read_provenance(copied)) == (picture(), None)
    assert read_provenance(marked) is not None


@pytest.mark.parametrize("broken", ["QUJD" * 50 + "!", "QUJD" * 50 + "é", "QUJD" * 50])
def test_no_exception_behind_the_error_holds_base64(broken: str) -> None:
    """Neither the error nor what led to it holds what could not be decoded."""
    error = error_of(answer({"b64_json": broken}))

    assert error.__cause__ is None
    assert error.__context__ is None
    assert "QUJD" not in str(error)
    assert "QUJD" not in repr(error)


@pytest.mark.parametrize("place", [20, 40, -20, -2])
def test_a_flipped_bit_in_a_png_is_found(place: int) -> None:
    """Every byte of a PNG's chunks is under a checksum, which is checked."""
    data = bytearray(picture("PNG"))
    data[place] ^= 1

    assert str(error_of(answer(bytes(data)))) == (
        "Item 1 of 1 is no whole picture: the PNG has a wrong checksum. Ask for it again."
    )


@pytest.mark.parametrize("kind", WHOLE_CHECKED)
def test_no_cut_of_a_small_picture_is_accepted(kind: str) -> None:
    """A JPEG, PNG or WebP that ends anywhere before its end is refused."""
    data = picture(kind)

    for end in range(len(data)):
        with pytest.raises(FormatError):
            recognise(data[:end])


@pytest.mark.parametrize("kind", ["AVIF"])
def test_a_cut_of_other_formats_is_refused_or_survived(kind: str) -> None:
    """A cut GIF or AVIF raises nothing but the reader's own error."""
    data = picture(kind)

    for end in range(len(data)):
        try:
            recognise(data[:end])
        except FormatError:
            continue
        assert kind == "GIF"


def test_an_end_marker_inside_a_progressive_jpegs_tables_is_no_end() -> None:
    """Between the scans of a JPEG a comment may hold the end marker's bytes: a cut there is still found."""
    data = picture("PROGRESSIVE")
    second_scan = data.rindex(b"\xff\xda")
    comment = b"\xff\xfe\x00\x06\xff\xd9ab"
    longer = data[:second_scan] + comment + data[second_scan:]

    assert recognise(longer).width == 24
    with pytest.raises(FormatError, match="ends too early"):
        recognise(longer[: second_scan + 6])


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\n", b"trailer" * 40, b"\xff\xd9;GIF89a"])
@pytest.mark.parametrize("kind", ["JPEG", "PROGRESSIVE", "PNG", "WEBP", "GIF", "AVIF"])
def test_bytes_behind_the_end_are_tolerated(kind: str, tail: bytes) -> None:
    """Some encoders add padding behind the picture, cameras and phones whole records."""
    assert recognise(picture(kind) + tail).width == 24


@pytest.mark.parametrize("frame", [0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCF])
def test_every_kind_of_jpeg_frame_has_a_size(frame: int) -> None:
    """Size is read from all frame headers; fill bytes and bare markers are passed over."""
    data = picture()
    start = data.index(b"\xff\xc0")
    other = data[:start] + b"\xff\xff\xff\x01\xff" + bytes([frame]) + data[start + 2 :]

    assert (recognise(other).width, recognise(other).height) == (24, 16)


@given(start=st.sampled_from(ALL_FORMATS), data=st.binary(max_size=200), keep=st.integers(0, 60))
def test_arbitrary_bytes_never_crash_a_reader(start: str, data: bytes, keep: int) -> None:
    """Random bytes, also behind a real beginning, are refused or accepted, and nothing else."""
    try:
        found = recognise(picture(start)[:keep] + data)
    except FormatError:
        return
    assert found.width > 0


@given(kind=st.sampled_from(ALL_FORMATS), place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@settings(max_examples=200)
def test_a_damaged_byte_never_crashes_a_reader(kind: str, place: float, value: int) -> None:
    """One wrong byte anywhere is refused or accepted, and nothing else."""
    data = bytearray(picture(kind))
    data[int(place * len(data))] = value
    try:
        recognise(bytes(data))
    except FormatError:
        return


def test_hostile_blocks_are_read_in_linear_time() -> None:
    """A megabyte of the smallest blocks, nested or not, takes no more than a moment."""
    size = 1_000_000
    hostile = [
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * (size // 4),
        picture("PROGRESSIVE")[:-2] + b"\xff\x00" * (size // 2),
        b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x08free" * (size // 8),
        b"\0\0\0\x10ftypavif\0\0\0\0" + b"".join(struct.pack(">I4s", 8 * n, b"meta") for n in range(9000, 0, -1)),
        b"RIFF" + struct.pack("<I", size - 8) + b"WEBP" + b"junk\0\0\0\0" * (size // 8),
    ]
    started = time.process_time()

    for data in hostile:
        with pytest.raises(FormatError):
            recognise(data)

    assert time.process_time() - started < 5


def test_a_picture_without_size_is_refused() -> None:
    """A header that says 0 px is no picture."""
    header = b"IHDR" + struct.pack(">II", 0, 16) + b"\x08\x02\0\0\0"
    data = picture("PNG")

    with pytest.raises(FormatError, match=r"^the PNG has no size$"):
        recognise(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])


def test_the_repr_is_short_and_without_data() -> None:
    """A notebook cell that ends with a picture shows one short line."""
    image = GeneratedImage(
        data=b"x" * 204_000,
        format="JPEG",
        width=1024,
        height=1024,
        prompt="A futuristic city at sunset, " * 9,
        model="m",
    )

    assert repr(image) == (
        "GeneratedImage(JPEG, 1024x1024, 204 kB, prompt='A futuristic city at sunset, A futurist…', model='m')"
    )
    small = GeneratedImage(data=SANDBOX_MARK, format="PNG", width=1, height=2, prompt="fox")
    assert repr(small) == "GeneratedImage(PNG, 1x2, 32 bytes, prompt='fox', sandbox=True)"
    assert "2.1 MB" in repr(GeneratedImage(data=b"x" * 2_100_000, format="PNG", width=1, height=1))


def test_a_picture_survives_pickling() -> None:
    """Pictures can go to another process."""
    (image,) = decode_images(answer(picture()))

    assert pickle.loads(pickle.dumps(image)) == image


@pytest.mark.parametrize("data", [SANDBOX_MARK + b"x" * 5000, b"x" * 5000 + SANDBOX_MARK])
def test_the_stand_ins_mark_is_seen_at_either_end(data: bytes) -> None:
    """A placeholder says that it is one."""
    image = GeneratedImage(data=data, format="PNG", width=1, height=1)

    assert image.sandbox
    assert not GeneratedImage(data=b"x" * 5000, format="PNG", width=1, height=1).sandbox


@pytest.mark.parametrize("source", [kind for kind in ALL_FORMATS if kind not in {"PROGRESSIVE", "LOSSLESS"}])
@pytest.mark.parametrize(("name", "target"), [("a.jpg", "JPEG"), ("a.PNG", "PNG"), ("a.webp", "WEBP")])
def test_a_file_name_asks_for_a_format(tmp_path, source: str, name: str, target: str) -> None:
    """What is saved under an extension is a real picture of that format, untouched where it was one already."""
    (image,) = decode_images(answer(picture(source)))

    path = image.save(tmp_path / name)

    assert path == tmp_path / name
    written = path.read_bytes()
    assert (recognise(written).format, opened(path).size) == (target, (24, 16))
    assert written == image.to_bytes(format=target)
    unmarked = image.save(tmp_path / "unmarked" / name, provenance=False).read_bytes()
    assert (unmarked == image.data) == (image.format == target)


@pytest.mark.parametrize("target", ["JPEG", "PNG", "WEBP"])
def test_a_conversion_keeps_the_mark_and_the_profile(tmp_path, target: str) -> None:
    """A converted placeholder still says that it is one, and the colours keep their profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + os.urandom(6000)
    source = {"JPEG": "PNG"}.get(target, "JPEG")
    plain = encode(Image.new("RGB", (300, 200), "red"), source, icc_profile=profile)
    (image,) = decode_images(answer(plain + SANDBOX_MARK))

    (path,) = save_images(image, tmp_path, name="a", format=target.lower())

    (converted,) = decode_images(answer(path.read_bytes()))
    assert (converted.format, converted.sandbox) == (target, True)
    assert converted.to_pil().info["icc_profile"] == profile


def test_a_transparent_picture_becomes_a_jpeg_on_white(tmp_path) -> None:
    """JPEG has no transparency: what was transparent is white."""
    data = encode(Image.new("RGBA", (16, 16), (255, 0, 0, 0)), "PNG")
    (image,) = decode_images(answer(data))

    assert opened(image.save(tmp_path / "a.jpg")).getpixel((8, 8)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGBA"])
@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_pictures_of_every_mode_are_converted(tmp_path, mode: str, name: str) -> None:
    """Grey, palette and 16-bit pictures become JPEG and WebP as well."""
    (image,) = decode_images(answer(encode(Image.new(mode, (16, 16)), "PNG")))

    assert opened(image.save(tmp_path / name)).size == (16, 16)


def test_a_rotation_in_the_metadata_is_applied_when_converting(tmp_path) -> None:
    """A picture that is shown turned is turned, as its metadata may get lost."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (image,) = decode_images(answer(encode(Image.new("RGB", (24, 16)), "JPEG", exif=exif)))

    assert opened(image.save(tmp_path / "a.png")).size == (16, 24)


def test_a_picture_that_pillow_cannot_read_is_an_error_that_tells_how_to_keep_it(tmp_path) -> None:
    """A failed conversion loses nothing, writes nothing, and says what to do."""
    image = GeneratedImage(data=b"nothing", format="JPEG", width=1, height=1)

    with pytest.raises(ImageSaveError) as caught:
        save_images([image], tmp_path, name="a.png")

    assert str(caught.value) == (
        "Cannot convert the JPEG picture to PNG: the installed Pillow cannot read it. "
        "It is still in memory: save it without a format, as it came."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fmt", "message"),
    [
        ("a.png", "JPEG", "'a.png' contradicts format='JPEG': leave one of the two out."),
        ("a", "BMP", "format='BMP' cannot be written: choose JPEG, PNG or WEBP."),
        ("a.tiff", None, "'a.tiff' cannot be written: end the name in .jpg, .png or .webp."),
    ],
)
def test_a_format_that_cannot_work_is_refused_before_anything_is_written(
    tmp_path, name: str, fmt: str | None, message: str
) -> None:
    """Contradictions and unknown formats are errors with a remedy, and no directory is made."""
    images = decode_images(answer(picture()))

    for save in (
        lambda: images[0].save(tmp_path / "new" / name, format=fmt),
        lambda: save_images(images, tmp_path / "new", name=name, format=fmt),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            save()
        assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_partial_images_gathers_what_came_before_an_error() -> None:
    """Pictures of a decode error, kept pictures, and the good items of kept responses come in order."""
    good, other = decode_images(answer(picture(), picture("PNG")))
    error = ImageDecodeError("x", images=[good])
    keep_partial_results(error, [other, ImagesResponse.construct(**answer(b"broken", picture("GIF")))])

    assert [image.format for image in partial_images(error)] == ["JPEG", "PNG", "GIF"]
    assert partial_images(KeyboardInterrupt()) == []


def test_importing_images_does_not_import_pillow() -> None:
    """Pillow is loaded only to convert or to show."""
    code = "import sys, ionos_openai.images; print('PIL' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
