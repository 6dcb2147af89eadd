"""From a prompt to pictures: generate_images, edit_images and their async twins."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock, NonCallableMagicMock

import openai
import pytest
from openai.types import Model
from PIL import Image

from ionos_openai import (
    GeneratedImage,
    ImageDecodeError,
    ImageSaveError,
    InvalidRequestError,
    IonosSettings,
    IonosWarning,
    aedit_images,
    agenerate_images,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    estimate_cost,
    generate_batch,
    generate_images,
    list_image_models,
    partial_images,
)
from ionos_openai.client.in_process import answering_client
from ionos_openai.errors import notices
from ionos_openai.errors.http import http_library
from ionos_openai.images.generate import _as_file
from ionos_openai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.loopback import LoopbackServer

FLUX_1 = "black-forest-labs/FLUX.1-schnell"
FLUX_2 = "black-forest-labs/FLUX.2-klein-4B"
HOSTILE_NAMES = ("../fox", "a/b", "")


def bad_number(n: object) -> str:
    """Return the message for a number of pictures that cannot be asked for."""
    return f"n is {n!r}: it must be a whole number from 1 to 100. For hundreds of pictures use generate_batch."


IN_BASE64 = (
    "The picture is text in base64, not a path: pass its bytes, which base64.b64decode makes of it (of a data: URI, "
    "what follows the comma)."
)


def bad_size(size: object) -> str:
    """Return the message for a size that cannot be read."""
    return (
        f"The size {size!r} cannot be used: write WIDTHxHEIGHT in pixels, such as '1024x1024', each side from 1 to "
        "16384."
    )


def jpeg(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    """Return a small JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def body_of(*pictures: bytes) -> bytes:
    """Return an answer of the service with these pictures."""
    return json.dumps({"data": [{"b64_json": base64.b64encode(one).decode()} for one in pictures]}).encode()


def client_that(answer: Callable[[int, dict[str, Any]], tuple[int, bytes]], **options: Any) -> openai.OpenAI:
    """Return a client whose n-th request, from 0, is answered by `answer(n, fields)`."""
    count = iter(range(1000))
    lock = threading.Lock()
    response = http_library().Response

    def respond(request: Any) -> Any:
        with lock:
            number = next(count)
        status, body = answer(number, json.loads(request.read()))
        return response(status, content=body)

    return create_client(api_key="test", http_client=answering_client(respond), max_retries=0, **options)


def test_one_prompt_gives_one_picture_that_knows_what_was_asked() -> None:
    """The picture has the size that was asked for and remembers prompt, model, size and time."""
    (image,) = generate_images(create_client(sandbox=True), "a fox in the snow", size="1024x1792")
    assert (image.format, image.width, image.height) == ("JPEG", 1024, 1792)
    assert (image.prompt, image.model, image.size) == ("a fox in the snow", FLUX_1, "1024x1792")
    assert image.created is not None
    assert not image.edited
    assert image.sandbox


async def test_the_async_twin_gives_the_same_picture() -> None:
    """The sandbox draws the same bytes for the same request, sync and async."""
    (image,) = await agenerate_images(create_async_client(sandbox=True), "a fox")
    (same,) = generate_images(create_client(sandbox=True), "a fox")
    assert image.data == same.data


def test_the_request_is_the_recorded_one() -> None:
    """Nothing but model, prompt and size is sent, as in the recorded body that worked."""
    sent: list[dict[str, Any]] = []
    client = client_that(lambda _, fields: (sent.append(fields), (200, body_of(jpeg())))[1])
    generate_images(client, "A futuristic cityscape at sunset, highly detailed")
    prompt = "A futuristic cityscape at sunset, highly detailed"
    assert sent == [{"model": FLUX_1, "prompt": prompt, "size": "1024x1024"}]


def test_several_pictures_are_several_requests_of_one() -> None:
    """`n` pictures are `n` requests without `n`, since the service refuses more than one."""
    sent: list[dict[str, Any]] = []
    client = client_that(lambda _, fields: (sent.append(fields), (200, body_of(jpeg())))[1])
    assert len(generate_images(client, "a fox", n=12)) == 12
    assert len(sent) == 12
    assert all("n" not in fields for fields in sent)


async def test_several_async_pictures_are_several_requests_of_one() -> None:
    """The async twin sends `n` requests too."""
    stand_in = Sandbox()
    images = await agenerate_images(create_async_client(sandbox=stand_in), "a fox", n=3)
    assert len(images) == 3
    assert len(stand_in.requests) == 3


def test_seed_and_extra_fields_are_sent_as_they_are() -> None:
    """What is not known to be unsupported goes to the service untouched."""
    sent: list[dict[str, Any]] = []
    client = client_that(lambda _, fields: (sent.append(fields), (200, body_of(jpeg())))[1])
    generate_images(client, "a fox", size=None, seed=7, extra_body={"user": "u"})
    assert sent == [{"model": FLUX_1, "prompt": "a fox", "seed": 7, "user": "u"}]


def test_the_model_comes_from_the_clients_settings() -> None:
    """Without `model=`, the settings of the client decide, also after with_options()."""
    client = create_client(sandbox=True, settings=IonosSettings(image_model="flux.2"))
    assert generate_images(client.with_options(timeout=5), "a fox")[0].model == FLUX_2


def test_a_plain_client_works_too(server: LoopbackServer) -> None:
    """Any openai.OpenAI will do; what was asked is known all the same."""
    from tests.loopback import Answer

    server.answers = [Answer(body=json.loads(body_of(jpeg())))]
    client = openai.OpenAI(api_key="test", base_url=server.url)
    (image,) = generate_images(client, "a fox")
    assert (image.prompt, image.model, image.size) == ("a fox", FLUX_1, "1024x1024")


def test_a_short_model_name_is_sent_in_full() -> None:
    """A short name becomes the id."""
    assert generate_images(create_client(sandbox=True), "a fox", model="flux.2")[0].model == FLUX_2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": ""}, "The prompt is empty: say what the picture shows."),
        ({"prompt": " \n"}, "The prompt is empty: say what the picture shows."),
        ({"prompt": None}, "The prompt is NoneType, not text."),
        (
            {"model": "dall-e-3"},
            "The model 'dall-e-3' is OpenAI's, which OpenAI retired on 2026-05-12: leave the model out, or name one of "
            f"IONOS': {FLUX_1}, {FLUX_2}.",
        ),
        ({"model": 5}, "The model is int, not text: name one, such as FLUX.1-schnell."),
        ({"n": 0}, bad_number(0)),
        ({"n": 101}, bad_number(101)),
        ({"n": True}, bad_number(True)),
        ({"n": 1.0}, bad_number(1.0)),
        ({"size": "1024:1024"}, bad_size("1024:1024")),
        ({"size": "0x0"}, bad_size("0x0")),
        ({"seed": 1.0}, "seed=1.0 is no whole number."),
        ({"seed": True}, "seed=True is no whole number."),
        ({"name": 4711, "directory": "x"}, "name=4711 is no text: write name='4711'."),
        ({"format": 4, "directory": "x"}, "format='4' cannot be written: choose JPEG, PNG or WEBP."),
        (
            {"size": "512x512"},
            "FLUX.1-schnell makes 1024x1024 or 1024x1792 or 1792x1024, not 512x512 "
            "(source: https://docs.ionos.com/cloud/ai/ai-model-hub, 2026-11). Choose one of them.",
        ),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(arguments: dict[str, Any], message: str) -> None:
    """A clear error, and no request."""
    stand_in = Sandbox()
    client = create_client(sandbox=stand_in)
    with pytest.raises(InvalidRequestError) as caught:
        generate_images(client, **{"prompt": "a fox", **arguments})
    assert str(caught.value) == message
    assert not stand_in.requests


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_bad_file_name_is_refused_before_anything_is_sent(name: str, tmp_path: Path) -> None:
    """A name that cannot be written must not cost a picture."""
    stand_in = Sandbox()
    with pytest.raises(InvalidRequestError):
        generate_images(create_client(sandbox=stand_in), "a fox", directory=tmp_path, name=name)
    assert not stand_in.requests


def test_a_bad_directory_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """A directory that is a file must not cost a picture."""
    stand_in = Sandbox()
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageSaveError):
        generate_images(create_client(sandbox=stand_in), "a fox", directory=tmp_path / "file")
    assert not stand_in.requests


def test_with_a_directory_the_pictures_are_saved_and_say_where(tmp_path: Path) -> None:
    """Each result's path is the file with its bytes, and the mark in them."""
    images = generate_images(create_client(sandbox=True), "a fox", n=2, directory=tmp_path / "new")
    assert [image.path for image in images] == [tmp_path / "new/a-fox.jpg", tmp_path / "new/a-fox-2.jpg"]
    assert all(image.path and image.path.read_bytes() == image.to_bytes() for image in images)


async def test_the_async_twin_saves_too(tmp_path: Path) -> None:
    """Name and format work as in save_images."""
    (image,) = await agenerate_images(create_async_client(sandbox=True), "a fox", directory=tmp_path, name="fox.png")
    assert image.path == tmp_path / "fox.png"
    assert image.path.read_bytes().startswith(b"\x89PNG")


def test_a_failure_raises_the_sdks_exception_and_keeps_the_other_pictures(tmp_path: Path) -> None:
    """What was paid for is on the error and, with a directory, on disk."""
    client = client_that(lambda number, _: (500, b"{}") if number == 2 else (200, body_of(jpeg())))
    with pytest.raises(openai.InternalServerError) as caught:
        generate_images(client, "a fox", n=4, directory=tmp_path)
    images = partial_images(caught.value)
    assert images
    assert sorted(image.path for image in images if image.path) == sorted(tmp_path.iterdir())


def test_after_a_failure_no_further_request_is_begun() -> None:
    """A wrong token does not burn through a hundred requests."""
    count: list[int] = []
    client = client_that(lambda number, _: (count.append(number), (401, b"{}"))[1])
    with pytest.raises(openai.AuthenticationError):
        generate_images(client, "a fox", n=100)
    assert len(count) <= 8  # those that were on their way


async def test_an_async_failure_keeps_the_other_pictures() -> None:
    """The async twin keeps what came, too."""
    stand_in = Sandbox()
    stand_in.fault("empty-400")
    with pytest.raises(openai.BadRequestError) as caught:
        await agenerate_images(create_async_client(sandbox=stand_in), "a fox", n=3)
    assert len(partial_images(caught.value)) == len(stand_in.requests) - 1


def test_a_broken_picture_keeps_the_other_pictures() -> None:
    """An answer without a picture is an ImageDecodeError that has the good ones, each once."""
    client = client_that(lambda number, _: (200, b'{"data": []}' if number == 1 else body_of(jpeg())))
    with pytest.raises(ImageDecodeError) as caught:
        generate_images(client, "a fox", n=3)
    assert len(partial_images(caught.value)) == 2
    assert all(isinstance(image, GeneratedImage) and image.prompt == "a fox" for image in caught.value.images)


def test_pictures_survive_a_disk_that_fails_after_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When saving fails, the pictures are on the error."""

    def no_space(*_: object, **__: object) -> list[Path]:
        raise ImageSaveError("No space left on device.")

    monkeypatch.setattr("ionos_openai.images.generate.save_images", no_space)
    with pytest.raises(ImageSaveError) as caught:
        generate_images(create_client(sandbox=True), "a fox", directory=tmp_path)
    assert len(partial_images(caught.value)) == 1


def test_a_size_that_only_a_clients_code_forbids_is_warned_about_at_the_callers_line() -> None:
    """A rule that is not official does not refuse a size."""
    with pytest.warns(IonosWarning, match="the service may refuse it") as caught:
        (image,) = generate_images(create_client(sandbox=True), "a fox", model=FLUX_2, size="500x300")
    assert (image.width, image.height) == (500, 300)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("compat", ["adapt", "strict", "off"])
def test_a_size_is_warned_about_once_a_call(n: int, compat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once more by the client that carries the call out."""
    monkeypatch.setattr(notices, "_seen", set())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generate_images(create_client(sandbox=True, compat=compat), "a fox", model="klein", size="513x512", n=n)
    assert [(one.filename, str(one.message)) for one in caught] == [
        (
            __file__,
            "FLUX.2-klein-4B makes sides that are multiples of 16, 64 to 2048 px, not 513x512, as far as is known; "
            "the service may refuse it.",
        )
    ]


async def test_an_async_size_is_warned_about_once_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tasks too, where no line of the user's is on the stack."""
    monkeypatch.setattr(notices, "_seen", set())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await agenerate_images(create_async_client(sandbox=True), "a fox", model="klein", size="513x512", n=3)
    assert [one.filename for one in caught] == [__file__]


def test_a_size_is_sent_in_its_plain_form() -> None:
    """Also by a plain client."""
    sent: list[dict[str, Any]] = []
    client = client_that(lambda _, fields: (sent.append(fields), (200, body_of(jpeg())))[1], compat="off")
    (image,) = generate_images(client, "a fox", size=" 1024X1792")
    assert (sent[0]["size"], image.size) == ("1024x1792", "1024x1792")


def test_a_client_of_the_other_kind_is_refused_before_anything_is_sent() -> None:
    """The function that takes it is named."""
    stand_in = Sandbox()
    client: Any = create_async_client(sandbox=stand_in)
    for function, call in (
        ("agenerate_images", lambda: generate_images(client, "a fox")),
        ("aedit_images", lambda: edit_images(client, jpeg(), "a hat")),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            call()
        assert str(caught.value) == f"The client is an AsyncOpenAI: use {function}, and await it."
    assert not stand_in.requests


async def test_a_sync_client_is_refused_before_anything_is_sent() -> None:
    """A picture that was paid for would be lost otherwise."""
    stand_in = Sandbox()
    client: Any = create_client(sandbox=stand_in)
    for function, call in (
        ("generate_images", agenerate_images(client, "a fox")),
        ("edit_images", aedit_images(client, jpeg(), "a hat")),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            await call
        assert str(caught.value) == f"The client is an OpenAI, which nothing awaits: use {function}."
    assert not stand_in.requests


def test_a_page_of_a_proxy_is_an_error_that_names_the_address() -> None:
    """The user passed no response, so that the address is what to look at."""
    client = openai.OpenAI(
        api_key="test", http_client=answering_client(lambda _: http_library().Response(200, text="<html>"))
    )
    with pytest.raises(ImageDecodeError, match="check base_url"):
        generate_images(client, "a fox")


def test_a_long_prompt_is_warned_about() -> None:
    """The model's limit is documented without a unit, so nothing is refused."""
    with pytest.warns(IonosWarning) as caught:
        generate_images(create_client(sandbox=True), "fox " * 300)
    assert str(caught[0].message) == (
        "The prompt has 1200 characters; FLUX.1-schnell reads about 256 tokens (some 1024 characters), so its end "
        "may be ignored."
    )


def inputs(tmp_path: Path) -> list[Any]:
    """Return the same picture in each form that can be edited."""
    path = tmp_path / "in.jpg"
    path.write_bytes(jpeg())
    made = GeneratedImage(data=jpeg(), format="JPEG", width=8, height=8)
    client = create_client(sandbox=True)
    answer = client.images.generate(prompt="a fox", model="flux.1")
    return [
        *(path, str(path), jpeg(), bytearray(jpeg()), made, Image.new("RGBA", (8, 8), "red")),
        *(
            answer,
            answer.data,
            answer.model_dump(),
            client.images.with_raw_response.generate(prompt="a", model="flux.1"),
        ),
        *((image for image in [made]), {"a": made}.values(), tempfile.NamedTemporaryFile(dir=tmp_path)),
        *generate_batch(client, ["a hen"], tmp_path / "batch", model="flux.1"),
    ]


def test_a_picture_in_any_form_can_be_edited(tmp_path: Path) -> None:
    """A path, bytes, an earlier result, a Pillow image, an answer and what it is made of, an open file."""
    client = create_client(sandbox=True)
    for image in inputs(tmp_path):
        if not isinstance(image, bytearray) and callable(getattr(image, "write", None)):
            image.write(jpeg())
        (edited,) = edit_images(client, image, "add a hat", size="256x256")
        assert edited.edited
        assert (edited.model, edited.prompt, edited.width) == (FLUX_2, "add a hat", 256)


async def test_the_async_twin_edits_too() -> None:
    """The async twin sends the same form."""
    (edited,) = await aedit_images(create_async_client(sandbox=True), jpeg(size=(64, 64)), "add a hat", mask=jpeg())
    assert edited.edited


def test_several_pictures_can_be_sent_where_the_sdk_can() -> None:
    """Older SDKs send one picture only, which is said before anything is sent."""
    client = create_client(sandbox=True)
    two = [jpeg(), jpeg("blue")]
    if tuple(int(part) for part in openai.__version__.split(".")[:2]) >= (1, 76):
        assert len(edit_images(client, two, "mix them", size="256x256")) == 1
    else:
        with pytest.raises(InvalidRequestError, match="sends one picture at a time"):
            edit_images(client, two, "mix them")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([], "There is no picture to edit: pass at least one."),
        (iter([[], ()]), "There is no picture to edit: pass at least one."),
        (b"<html>", "Cannot edit picture 1: it is an HTML page."),
        (b"", "Cannot edit picture 1: it is empty."),
        ("no-such-file.png", "Cannot read the picture 'no-such-file.png': No such file or directory."),
        (base64.b64encode(jpeg()).decode(), IN_BASE64),
        ("data:image/jpeg;base64,QUJD", IN_BASE64),
        (5, "Cannot edit a int: pass a path, bytes or a Pillow image."),
    ],
)
def test_what_cannot_be_edited_is_refused_before_anything_is_sent(image: Any, message: str) -> None:
    """A clear error, and no request."""
    stand_in = Sandbox()
    with pytest.raises(InvalidRequestError) as caught:
        edit_images(create_client(sandbox=stand_in), image, "add a hat")
    assert str(caught.value) == message
    assert caught.value.__context__ is None or not isinstance(image, str)
    assert not stand_in.requests


def test_a_path_that_no_system_takes_is_refused() -> None:
    """The system's exception is no OSError."""
    with pytest.raises(InvalidRequestError, match=r"Cannot read the picture 'a\\x00b': .*null"):
        edit_images(create_client(sandbox=True), "a\0b", "add a hat")


@pytest.mark.parametrize("mode", ["CMYK", "F", "HSV", "PA", "YCbCr", "1", "I;16", "LA", "P"])
def test_a_pillow_image_of_any_mode_can_be_edited(mode: str) -> None:
    """What PNG cannot hold is converted; the mask too."""
    image = Image.new(mode, (64, 64))
    (edited,) = edit_images(create_client(sandbox=True), image, "add a hat", mask=image)
    assert edited.edited


def test_a_pillow_image_that_cannot_be_written_is_refused() -> None:
    """Pillow reads the pixels only then; nothing is sent."""
    stand_in = Sandbox()
    cut = Image.open(io.BytesIO(jpeg(size=(64, 64))[:-20]))
    with pytest.raises(InvalidRequestError) as caught:
        edit_images(create_client(sandbox=stand_in), cut, "add a hat")
    assert str(caught.value).startswith("Cannot edit the Pillow image: ")
    assert str(caught.value).endswith(". Pass an RGB or RGBA one, or a path.")
    assert not stand_in.requests


def test_a_model_that_cannot_edit_is_refused() -> None:
    """FLUX.1-schnell is documented as text to image only."""
    with pytest.raises(InvalidRequestError) as caught:
        edit_images(create_client(sandbox=True), jpeg(), "add a hat", model="flux.1")
    assert str(caught.value) == "FLUX.1-schnell makes pictures from text alone; edit with FLUX.2-klein-4B."


@pytest.mark.parametrize("client", [None, "a fox", {"a": 1}])
async def test_what_is_no_client_is_refused(client: Any) -> None:
    """By the name of its type, and with what to pass."""
    said = rf"^The client is {type(client).__name__}: pass what create_client\(\) returns\.$"
    for make in (generate_images, edit_images):
        with pytest.raises(InvalidRequestError, match=said):
            make(client, "a hat", "a hat") if make is edit_images else make(client, "a hat")  # type: ignore[operator]
    with pytest.raises(InvalidRequestError, match=said):
        await agenerate_images(client, "a hat")


def test_numbers_and_models_come_as_other_libraries_have_them(tmp_path: Path) -> None:
    """A number by its `__index__`, also further fields; a model as an entry of a list; a name as a path."""

    class Number:
        def __index__(self) -> int:
            return 2

    sandbox = Sandbox()
    client: Any = create_client(sandbox=sandbox)
    (model, *_), number, steps = list_image_models(client), Number(), {"steps": Number()}
    for entry in (model, Model(id=model.id, created=1, object="model", owned_by="x"), {"id": model.id}):
        images = generate_images(client, "a", model=entry, n=number, seed=number, extra_body=steps)
        assert [(image.model, image.seed) for image in images] == [(model.id, 2)] * 2
        assert client.images.generate(prompt="a", model=entry).data
    assert estimate_cost(model, number) == estimate_cost("flux.1", 2)  # type: ignore[arg-type]
    (image,) = generate_images(client, "a", directory=tmp_path, name=Path("fox.png"))  # type: ignore[arg-type]
    assert image.path == tmp_path / "fox.png"


async def test_of_a_mock_nothing_is_remembered_or_set(tmp_path: Path) -> None:
    """In place of a client or a response it has every attribute, none of which says anything."""
    real = create_client(sandbox=True).images.generate(prompt="a fox", model="flux.1")
    response = MagicMock(data=real.data)
    (image,) = decode_images(response)
    assert (image.prompt, image.model, image.size, image.seed, image.created) == (None,) * 5
    for client in (MagicMock(), MagicMock(spec=openai.OpenAI, images=MagicMock()), NonCallableMagicMock()):
        client.images.generate.return_value = real
        (image,) = generate_images(client, "a fox", directory=tmp_path)
        assert (image.model, image.path is not None) == (FLUX_1, True)
    client = MagicMock()
    client.images.edit = AsyncMock(return_value=real)
    (image,) = await aedit_images(client, image, "a hat")
    assert image.model == FLUX_2


@pytest.mark.parametrize(
    "held",
    [
        lambda path: ("fox.png", path.read_bytes()),
        lambda path: (None, path.read_bytes(), "image/png"),
        lambda path: ("fox.png", io.BufferedReader(io.BytesIO(path.read_bytes())), "image/png", {"X-Fox": "1"}),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: [path, io.BytesIO(path.read_bytes())][:1],
        lambda path: [("fox.png", io.BytesIO(path.read_bytes()))],
    ],
)
def test_a_picture_to_edit_may_be_what_the_sdk_takes(held: Callable[[Path], Any], tmp_path: Path) -> None:
    """Its tuples of name, content and type, and open files."""
    path = tmp_path / "fox.png"
    Image.new("RGB", (64, 64), "teal").save(path)
    sandbox = Sandbox()
    edit_images(create_client(sandbox=sandbox), held(path), "a hat", mask=path)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [2, 5, 6])
def test_a_picture_to_edit_is_sent_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    """A model sees no EXIF data: pixels are turned, whether they come as a file or as a Pillow image."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 32), "teal").save(tmp_path / "fox", kind, exif=exif)
    data = (tmp_path / "fox").read_bytes()
    for held in (data, Image.open(io.BytesIO(data)), ("fox", data)):
        (_, sent, media_type) = _as_file(held, 1)
        with Image.open(io.BytesIO(sent)) as seen:
            assert seen.size == ((64, 32) if orientation < 5 else (32, 64))
            assert seen.getexif().get(0x0112, 1) == 1
            assert media_type == seen.get_format_mimetype()
    upright = Image.new("RGB", (64, 32), "teal")
    upright.save(tmp_path / "fox", kind)
    assert _as_file(tmp_path / "fox", 1)[1] == (tmp_path / "fox").read_bytes()
