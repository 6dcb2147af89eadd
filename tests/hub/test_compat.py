"""Code written for OpenAI on a client from the factory: what is adapted, refused, or sent as it is."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from openai.types import ImagesResponse
from PIL import Image

from ionos_openai import (
    CompatibilityWarning,
    ConfigurationError,
    InvalidRequestError,
    IonosSettings,
    UnknownModelError,
    UnsupportedParameterError,
    create_async_client,
    create_client,
    decode_images,
    partial_images,
)
from ionos_openai.errors import notices
from ionos_openai.hub.compat import adapt_image_request, merge_answers, shape_answer
from tests.loopback import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.loopback import LoopbackServer, Received

FLUX_1 = "black-forest-labs/FLUX.1-schnell"
FLUX_2 = "black-forest-labs/FLUX.2-klein-4B"
SDK = tuple(int(part) for part in openai.__version__.split(".")[:2])


@pytest.fixture(autouse=True)
def _forget_earlier_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_seen", set())


def bad_number(n: object) -> str:
    """Return the message for a number of pictures that cannot be asked for."""
    return f"n is {n!r}: it must be a whole number from 1 to 100. For hundreds of pictures use generate_batch."


def bad_size(size: object) -> str:
    """Return the message for a size that cannot be read."""
    return (
        f"The size {size!r} cannot be used: write WIDTHxHEIGHT in pixels, such as '1024x1024', each side from 1 to "
        "16384."
    )


def picture(colour: str = "red") -> bytes:
    """Return a small JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def answer(colour: str = "red", **fields: object) -> Answer:
    """Return an answer with one picture, as IONOS gives it."""
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return Answer(body={"data": [{"b64_json": base64.b64encode(picture(colour)).decode()}], "usage": usage, **fields})


@pytest.fixture
def images(server: LoopbackServer) -> LoopbackServer:
    """A loopback server that answers every request with a picture."""
    server.default = answer()
    return server


_clients: list[openai.OpenAI] = []


@pytest.fixture(autouse=True)
def _close_clients() -> Iterator[None]:
    yield
    while _clients:
        _clients.pop().close()


def client_for(server: LoopbackServer, **options: Any) -> openai.OpenAI:
    """Return a client whose requests the server keeps; it is closed at the test's end."""
    _clients.append(create_client(api_key="test", base_url=server.url, max_retries=0, **options))
    return _clients[-1]


def plain_client_for(server: LoopbackServer) -> openai.OpenAI:
    """Return the SDK's own client."""
    _clients.append(openai.OpenAI(api_key="test", base_url=server.url))
    return _clients[-1]


def messages(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the texts of warnings."""
    return [str(one.message) for one in caught]


def test_the_readmes_line_works_with_a_warning_for_each_change(images: LoopbackServer) -> None:
    """The call that OpenAI's users have runs, and says what to write instead."""
    with pytest.warns(CompatibilityWarning) as caught:
        response = client_for(images).images.generate(
            model="gpt-image-1", prompt="a fox", n=4, quality="high", size="1536x1024"
        )
    assert len(response.data or []) == 4
    assert messages(list(caught)) == [
        "quality='high' is left out, since only OpenAI's models know it: remove it.",
        "model='gpt-image-1' is OpenAI's, which OpenAI retired on 2026-10-23: black-forest-labs/FLUX.1-schnell is "
        "asked instead. Write model='black-forest-labs/FLUX.1-schnell'; IONOS_IMAGE_MODEL sets another default.",
        "FLUX.1-schnell makes 1024x1024 or 1024x1792 or 1792x1024, so 1536x1024 becomes 1792x1024: "
        "write size='1792x1024'.",
    ]
    assert {one.filename for one in caught} == {__file__}
    sent = [request.json() for request in images.requests]
    assert sent == [{"model": FLUX_1, "prompt": "a fox", "size": "1792x1024"}] * 4


@pytest.mark.parametrize(
    "name", ["dall-e-2", "dall-e-3", "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "chatgpt-image-latest", None]
)
def test_openais_models_become_the_configured_ones(name: str | None) -> None:
    """For generating and for editing alike, and where no model is named."""
    fields = {"prompt": "p"} if name is None else {"prompt": "p", "model": name}
    adapted = adapt_image_request(fields, mode="adapt", default_model=FLUX_2)
    assert adapted.fields["model"] == FLUX_2
    assert [change.kind for change in adapted.changes] == ["model"]


def test_the_edit_model_is_used_for_edits(images: LoopbackServer) -> None:
    """images.edit asks the configured edit model, in the SDK's form."""
    with pytest.warns(CompatibilityWarning, match="IONOS_IMAGE_EDIT_MODEL"):
        client_for(images).images.edit(model="gpt-image-1", image=picture(), prompt="a hat")
    assert FLUX_2 in images.requests[0].raw
    assert images.requests[0].headers["content-type"].startswith("multipart/form-data")


def test_a_short_model_name_is_resolved_and_a_wrong_one_refused(images: LoopbackServer) -> None:
    """A short name needs no warning; an unknown one is not sent to IONOS."""
    client_for(images).images.generate(model="flux.2", prompt="p")
    assert images.requests[0].json()["model"] == FLUX_2
    with create_client(sandbox=True) as client, pytest.raises(UnknownModelError):
        client.images.generate(model="no-such-model", prompt="p")
    assert len(images.requests) == 1


def test_a_full_id_that_nobody_knows_is_sent(images: LoopbackServer) -> None:
    """A new model at IONOS needs no new version of this package."""
    client_for(images).images.generate(model="vendor/new-model", prompt="p", size="640x480")
    assert images.requests[0].json() == {"model": "vendor/new-model", "prompt": "p", "size": "640x480"}


NOT_SENT = {
    "quality": "high", "style": "vivid", "background": "transparent", "moderation": "low", "output_compression": 50,
    "partial_images": 1, "complexity": "high", "safety_identifier": "s", "input_fidelity": "high", "svg": {},
    "frame_count": 2, "frame_duration_ms": 5, "markup": [], "not_yet_invented": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", ["output_compression", "partial_images"])
def test_a_number_of_0_is_said_to_be_left_out_as_any_other(name: str) -> None:
    """0 is not False, which asks for nothing."""
    fields = {"prompt": "p", "model": FLUX_1, name: 0, "stream": False}
    (change,) = adapt_image_request(fields, mode="adapt", default_model=FLUX_1).changes
    assert change.message == f"{name}=0 is left out, since only OpenAI's models know it: remove it."
    with pytest.raises(UnsupportedParameterError):
        adapt_image_request(fields, mode="strict", default_model=FLUX_1)


@pytest.mark.parametrize("name", NOT_SENT)
def test_what_only_openai_knows_is_left_out(name: str) -> None:
    """Each parameter that is left out is named."""
    adapted = adapt_image_request(
        {"prompt": "p", "model": FLUX_1, name: NOT_SENT[name]}, mode="adapt", default_model=FLUX_1
    )
    assert adapted.fields == {"prompt": "p", "model": FLUX_1}
    assert [change.kind for change in adapted.changes] == [name]


def test_what_is_not_known_to_be_unsupported_is_sent(images: LoopbackServer) -> None:
    """output_format, user, seed and extra_body go through, without a warning."""
    client_for(images).images.generate(
        model=FLUX_1,
        prompt="p",
        user="u",
        extra_body={"seed": 1, "output_format": "png", "quality": "kept, as it was put there on purpose"},
    )
    assert images.requests[0].json() == {
        "model": FLUX_1,
        "prompt": "p",
        "user": "u",
        "seed": 1,
        "output_format": "png",
        "quality": "kept, as it was put there on purpose",
    }
    body = {"model": FLUX_1, "prompt": "p", "seed": 5}
    client_for(images).post("/images/generations", body=body, cast_to=ImagesResponse)
    assert images.requests[1].json() == body


@pytest.mark.parametrize(
    ("size", "becomes"),
    [
        ("auto", "1024x1024"),
        ("256x256", "1024x1024"),
        ("512x512", "1024x1024"),
        ("1536x1024", "1792x1024"),
        ("1024x1536", "1024x1792"),
        ("1792x1024", "1792x1024"),
        ("3840x2160", "1792x1024"),
        ("64x65", "1024x1792"),
    ],
)
def test_a_forbidden_size_becomes_the_nearest_of_the_same_orientation(size: str, becomes: str) -> None:
    """Landscape stays landscape, portrait stays portrait."""
    adapted = adapt_image_request({"prompt": "p", "model": FLUX_1, "size": size}, mode="adapt", default_model=FLUX_1)
    assert adapted.fields["size"] == becomes
    assert [change.kind for change in adapted.changes] == ([] if size == becomes else ["size"])


def test_a_size_that_only_a_clients_code_forbids_is_sent_with_a_warning() -> None:
    """The rule may be wrong, so it changes nothing; strict does not refuse it either."""
    for mode in ("adapt", "strict"):
        adapted = adapt_image_request(
            {"prompt": "p", "model": FLUX_2, "size": "500x500"},
            mode=mode,  # type: ignore[arg-type]
            default_model=FLUX_1,
        )
        assert adapted.fields["size"] == "500x500"
        assert [change.kind for change in adapted.changes] == ["size-doubt"]


@pytest.mark.parametrize("mode", ["adapt", "strict"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": "1024:1024"}, bad_size("1024:1024")),
        ({"size": "0x0"}, bad_size("0x0")),
        ({"size": "99999x99999"}, bad_size("99999x99999")),
        ({"size": 1024}, bad_size(1024)),
        ({"n": 0}, bad_number(0)),
        ({"n": -1}, bad_number(-1)),
        ({"n": 1000}, bad_number(1000)),
        ({"prompt": 5}, "The prompt is int, not text."),
        ({"prompt": None}, "The prompt is NoneType, not text."),
        ({"prompt": ""}, "The prompt is empty: say what the picture shows."),
        ({"prompt": " \n"}, "The prompt is empty: say what the picture shows."),
        (
            {"prompt": "a \ud800"},
            "The prompt holds '\\ud800', half of a character, which cannot be sent: read or decode the text with its "
            "right encoding.",
        ),
        ({"model": 5}, "The model is int, not text: name one, such as FLUX.1-schnell."),
        ({"model": ""}, "The model is empty: name one, such as FLUX.1-schnell."),
        ({"model": "a/\ud800"}, "The model is no valid text: name one, such as FLUX.1-schnell."),
        ({"stream": True}, "IONOS does not stream images: leave stream=True out."),
    ],
)
def test_bad_input_is_refused(fields: dict[str, object], message: str, mode: Any) -> None:
    """What cannot be adapted has a clear error."""
    with pytest.raises(InvalidRequestError) as caught:
        adapt_image_request(
            {"prompt": "p", "model": "dall-e-3"} | fields
            if mode == "adapt"
            else {"prompt": "p", "model": FLUX_1} | fields,
            mode=mode,
            default_model=FLUX_1,
        )
    assert str(caught.value) == message


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["model", "prompt", "n", "size", "response_format", "quality", "stream", "user"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_any_fields_are_adapted_or_refused_with_our_own_error(fields: dict[str, object]) -> None:
    """Nothing that a caller can pass ends in another exception."""
    try:
        adapted = adapt_image_request({"prompt": "p"} | fields, mode="adapt", default_model=FLUX_1)
    except InvalidRequestError:
        return
    assert 1 <= adapted.n <= 100
    assert isinstance(adapted.fields["model"], str)


@pytest.mark.parametrize("mode", ["adapt", "strict"])
@pytest.mark.parametrize("size", ["1024X1792", " 1024 x 1792\n", "10\u0662\u0664x1792"])
def test_a_size_is_sent_in_its_plain_form_however_it_was_written(size: str, mode: Any) -> None:
    """The service is sent WIDTHxHEIGHT alone."""
    for model in (FLUX_1, "vendor/new-model"):
        adapted = adapt_image_request({"prompt": "p", "model": model, "size": size}, mode=mode, default_model=FLUX_1)
        assert adapted.fields["size"] == "1024x1792"
        assert not adapted.changes


STRICT = [
    {"model": "dall-e-3"},
    {"model": None},
    {"quality": "hd"},
    {"style": "vivid"},
    {"size": "auto"},
    {"size": "512x512"},
    {"response_format": "url"},
]


@pytest.mark.parametrize("fields", STRICT)
def test_strict_refuses_what_would_have_to_be_changed(fields: dict[str, Any], images: LoopbackServer) -> None:
    """Before anything is sent."""
    arguments = {name: value for name, value in ({"model": FLUX_1} | fields).items() if value is not None}
    with pytest.raises(UnsupportedParameterError, match=r"compat='strict' refuses this request\. What "):
        client_for(images, compat="strict").images.generate(prompt="p", **arguments)
    assert not images.requests


def test_off_sends_exactly_what_the_sdk_sends(images: LoopbackServer) -> None:
    """The body is byte for byte that of a plain client."""
    arguments: dict[str, Any] = {
        "model": "dall-e-3", "prompt": "p", "n": 2, "quality": "hd", "size": "auto", "response_format": "url",
    }  # fmt: skip
    client_for(images, compat="off").images.generate(**arguments)
    plain_client_for(images).images.generate(**arguments)
    assert images.requests[0].body == images.requests[1].body


def test_compat_comes_from_argument_settings_or_environment(
    images: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order; with_options() keeps it; an unknown one is refused."""
    monkeypatch.setenv("IONOS_COMPAT", "strict")
    with pytest.raises(UnsupportedParameterError):
        client_for(images).with_options(timeout=5).images.generate(model="dall-e-3", prompt="p")
    client_for(images, settings=IonosSettings(compat="off")).images.generate(model="dall-e-3", prompt="p")
    assert images.requests[0].json()["model"] == "dall-e-3"
    with pytest.raises(ConfigurationError, match="compat= is not known: choose adapt or strict or off"):
        client_for(images, compat="loose")


def test_a_url_that_is_asked_for_is_a_data_uri(images: LoopbackServer) -> None:
    """`url` displays, `b64_json` is None, and decode_images still reads it."""
    with pytest.warns(CompatibilityWarning, match="url holds a data URI"):
        response = client_for(images).images.generate(model=FLUX_1, prompt="p", response_format="url")
    assert images.requests[0].json()["response_format"] == "b64_json"
    (item,) = response.data or []
    assert item.b64_json is None
    assert item.url == f"data:image/jpeg;base64,{base64.b64encode(picture()).decode()}"
    assert decode_images(response)[0].data == picture()


def test_usage_and_created_have_openais_shape(images: LoopbackServer) -> None:
    """Cost logging written for OpenAI does not crash after a paid picture."""
    response = client_for(images).images.generate(model=FLUX_1, prompt="p")
    assert isinstance(response.created, int)
    if SDK >= (1, 76):
        usage: Any = response.usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (0, 0, 0)
        assert usage.input_tokens_details.text_tokens == 0
        assert (usage.prompt_tokens, usage.completion_tokens) == (0, 0)
        images.default = answer(usage=None)
        usage = client_for(images).images.generate(model=FLUX_1, prompt="p").usage
        assert (usage.input_tokens, usage.prompt_tokens, usage.total_tokens) == (0, 0, 0)


@pytest.mark.skipif(SDK >= (1, 76), reason="the SDK's answers for images have a class for their usage")
def test_usage_is_a_dict_where_the_sdk_has_no_class_for_it(images: LoopbackServer) -> None:
    """For one picture and for several."""
    for n in (1, 2):
        images.default = answer(usage={"prompt_tokens": 3, "total_tokens": 5})
        usage: Any = client_for(images).images.generate(model=FLUX_1, prompt="p", n=n).usage  # type: ignore[attr-defined,unused-ignore]
        assert (usage["prompt_tokens"], usage["input_tokens"], usage["total_tokens"]) == (3 * n, 3 * n, 5 * n)


@pytest.mark.skipif(SDK < (1, 76), reason="the SDK's answers for images have no usage yet")
def test_usage_of_several_requests_is_summed() -> None:
    """What is None counts as 0."""
    counts = [{"prompt_tokens": 3, "total_tokens": 5}, None, {"prompt_tokens": None, "total_tokens": 2}]
    responses = [shape_answer(ImagesResponse.construct(data=[], usage=usage), wants_url=False) for usage in counts]
    usage: Any = merge_answers(responses).usage
    assert (usage.prompt_tokens, usage.input_tokens, usage.total_tokens) == (3, 3, 7)


def test_several_pictures_come_in_one_response_that_remembers_what_was_asked(images: LoopbackServer) -> None:
    """`n` above 1 is as many requests; the answer is one ImagesResponse."""
    response = client_for(images).images.generate(model=FLUX_1, prompt="a fox", n=3)
    assert type(response).__name__ == "ImagesResponse"
    pictures = decode_images(response)
    assert [(one.prompt, one.model) for one in pictures] == [("a fox", FLUX_1)] * 3
    assert len(images.requests) == 3


async def test_several_pictures_async(images: LoopbackServer) -> None:
    """The async client does the same."""
    async with create_async_client(api_key="test", base_url=images.url) as client:
        response = await client.images.generate(model=FLUX_1, prompt="a fox", n=3)
    assert len(decode_images(response)) == 3


SOME_FAIL: dict[str, Any] = {"model": FLUX_1, "prompt": "a fox", "n": 4}


def check_what_is_kept(error: openai.APIStatusError, images: LoopbackServer) -> None:
    """Check the class's fields, and that what came is on the error."""
    assert (error.status_code, error.request_id) == (500, "ab" * 16)
    kept = partial_images(error)
    assert len(kept) == len(images.requests) - 1
    assert all(one.prompt == "a fox" for one in kept)


def test_if_some_fail_the_first_cause_is_raised_and_the_rest_kept(images: LoopbackServer) -> None:
    """The SDK's own class, with status and id; the pictures that came are on it."""
    images.answers = [answer(), Answer(500, {"message": "no"}, {"x-trace-id": "ab" * 16})]
    with pytest.raises(openai.InternalServerError) as caught:
        client_for(images).images.generate(**SOME_FAIL)
    check_what_is_kept(caught.value, images)


async def test_if_some_fail_async_the_rest_is_kept_too(images: LoopbackServer) -> None:
    """The async client does the same."""
    images.answers = [answer(), Answer(500, {"message": "no"}, {"x-trace-id": "ab" * 16})]
    async with create_async_client(api_key="test", base_url=images.url, max_retries=0) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.images.generate(**SOME_FAIL)
    check_what_is_kept(caught.value, images)


def test_a_raw_response_is_adapted_and_holds_one_picture(images: LoopbackServer) -> None:
    """Its parsed answer knows what was asked; more than one picture is refused."""
    raw = client_for(images).images.with_raw_response
    with pytest.raises(InvalidRequestError, match="ask with n=1"):
        raw.generate(model=FLUX_1, prompt="p", n=2)
    assert not images.requests
    with pytest.warns(CompatibilityWarning):
        response = raw.generate(model="dall-e-3", prompt="p").parse()
    assert decode_images(response)[0].model == FLUX_1


def test_a_streamed_response_is_adapted_and_holds_one_picture(images: LoopbackServer) -> None:
    """Its parsed answer knows what was asked; more than one picture is refused."""
    streamed = client_for(images).images.with_streaming_response
    with pytest.raises(InvalidRequestError, match="ask with n=1"), streamed.generate(model=FLUX_1, prompt="p", n=2):
        pass
    assert not images.requests
    with pytest.warns(CompatibilityWarning), streamed.generate(model="dall-e-3", prompt="p") as stream:
        response = stream.parse()
    assert decode_images(response)[0].model == FLUX_1


def test_an_open_file_is_read_once_and_sent_each_time(images: LoopbackServer, tmp_path: Path) -> None:
    """Each of the requests carries the whole file, also at a retry."""
    path = tmp_path / "in.jpg"
    path.write_bytes(picture())
    images.answers = [Answer(500, {}, {"retry-after-ms": "1"})]
    with path.open("rb") as file:
        client_for(images).with_options(max_retries=1).images.edit(model=FLUX_2, image=file, prompt="a hat", n=3)
    assert len(images.requests) == 4
    assert all(picture() in request.body and b'filename="in.jpg"' in request.body for request in images.requests)


def form_of(request: Received) -> list[bytes]:
    """Return the parts of a form, without the boundary, which is another one each time."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    return sorted(request.body.replace(boundary, b"-").split(b"---"))


def named(part: bytes) -> bytes:
    """Return a form's part of a file that the SDK has no name for as it is with the name and type of its bytes."""
    return re.sub(
        rb'name="(image|mask)(\[\]|)"; filename="upload"\r\nContent-Type: application/octet-stream',
        rb'name="\1\2"; filename="\1.jpg"\r\nContent-Type: image/jpeg',
        part,
    )


def read_to_its_end() -> io.BytesIO:
    """Return what Pillow has just written a picture to."""
    buffer = io.BytesIO()
    buffer.write(picture())
    return buffer


FILES: dict[str, Callable[[Path], Any]] = {
    "a file": lambda path: path.open("rb"),
    "a buffer": lambda _: read_to_its_end(),
    "a name and a file": lambda path: ("fox.jpg", path.open("rb")),
    "a name, a file and a type": lambda path: ("fox.jpg", path.open("rb"), "image/jpeg"),
    "a name, a buffer, a type and headers": lambda _: ("fox.jpg", read_to_its_end(), "image/jpeg", {"X-A": "b"}),
    "a name and bytes": lambda _: ("fox.jpg", picture()),
    "a path": lambda path: path,
}


@pytest.mark.parametrize("pace", [False, True])
@pytest.mark.parametrize("form", FILES)
def test_a_file_in_any_of_the_sdks_forms_is_sent_as_the_sdk_sends_it(
    form: str, pace: bool, images: LoopbackServer, tmp_path: Path
) -> None:
    """Names, types and the whole content are those of a plain client, wherever a file was read to.

    One that has no name gets one here.
    """
    path = tmp_path / "in.jpg"
    path.write_bytes(picture())
    made = [FILES[form](path) for _ in range(4)]
    with ExitStack() as stack:
        for one in made:
            handle = one[1] if isinstance(one, tuple) else one
            if hasattr(handle, "close"):
                stack.enter_context(handle)
        mode = "off" if pace else "adapt"  # paced calls read files too
        client_for(images, pace=pace, compat=mode).images.edit(model=FLUX_2, image=made[0], mask=made[1], prompt="p")
        plain_client_for(images).images.edit(model=FLUX_2, image=made[2], mask=made[3], prompt="p")
    ours, plain = (form_of(request) for request in images.requests)
    unnamed = form == "a buffer" and mode == "adapt"
    assert [named(part) for part in ours] == [named(part) for part in plain] if unnamed else ours == plain
    assert images.requests[0].body.count(picture()) == 2


def test_one_open_file_can_be_used_for_several_edits(images: LoopbackServer, tmp_path: Path) -> None:
    """Each sends the whole file, as a plain client does."""
    path = tmp_path / "in.jpg"
    path.write_bytes(picture())
    with path.open("rb") as file:
        for _ in range(2):
            client_for(images).images.edit(model=FLUX_2, image=file, prompt="a hat")
    assert all(picture() in request.body for request in images.requests)


def test_a_file_that_cannot_be_rewound_is_sent_from_where_it_stands(images: LoopbackServer) -> None:
    """Such as a pipe."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(picture())
    with os.fdopen(reading, "rb") as file:
        client_for(images).images.edit(model=FLUX_2, image=("fox.jpg", file), prompt="a hat", n=2)
    assert all(picture() in request.body for request in images.requests)


def test_a_file_in_text_mode_is_refused(images: LoopbackServer, tmp_path: Path) -> None:
    """What it reads is no longer the picture; the SDK's exception, with a remedy."""
    path = tmp_path / "in.jpg"
    path.write_bytes(picture())
    with path.open(encoding="latin-1") as file, pytest.raises(TypeError) as caught:
        client_for(images).images.edit(model=FLUX_2, image=("in.jpg", file), prompt="a hat")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "A file to upload must be opened in binary mode, as open(path, 'rb') does, not in text mode."
    )
    assert not images.requests


@pytest.mark.skipif(SDK < (1, 76), reason="the SDK sends one picture yet")
def test_several_inputs_and_a_mask_are_sent_as_the_sdk_sends_them(images: LoopbackServer) -> None:
    """Field names and files are those of a plain client."""
    arguments: dict[str, Any] = {
        "image": [("a.jpg", picture()), picture("blue")], "mask": picture("green"), "prompt": "p", "model": FLUX_2,
    }  # fmt: skip
    client_for(images).images.edit(**arguments)
    plain_client_for(images).images.edit(**arguments)
    ours, plain = (form_of(request) for request in images.requests)
    assert ours == [named(part) for part in plain]


def test_embeddings_are_asked_as_floats(server: LoopbackServer) -> None:
    """The SDK's default, base64, ends in a 500 at IONOS (recorded 2026-08); the caller gets floats."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
    server.default = Answer(body={"object": "list", "data": [vector], "model": "m", "usage": {}})
    response = client_for(server).embeddings.create(model="BAAI/bge-m3", input="text")
    assert server.requests[0].json().get("encoding_format", "float") == "float"
    assert response.data[0].embedding == [0.5, 0.25]


@pytest.mark.parametrize("mode", ["adapt", "strict", "off"])
def test_chat_is_untouched(mode: str, server: LoopbackServer) -> None:
    """Chat, tools and with_options send what a plain client sends."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    server.default = Answer(
        body={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )
    arguments: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "n": 2,
    }
    response = client_for(server, compat=mode).with_options(timeout=5).chat.completions.create(**arguments)
    plain_client_for(server).chat.completions.create(**arguments)
    assert response.choices[0].message.content == "hi"
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("mode", ["adapt", "strict", "off"])
def test_streamed_chat_is_untouched(mode: str, server: LoopbackServer) -> None:
    """Events arrive as the SDK gives them."""
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunk["choices"] = [{"index": 0, "delta": {"content": "hi"}}]  # type: ignore[assignment]
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    server.default = Answer(body=events, headers={"Content-Type": "text/event-stream"})
    stream = client_for(server, compat=mode).chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    assert [event.choices[0].delta.content for event in stream] == ["hi"]


def test_a_warning_comes_once_for_each_place(images: LoopbackServer) -> None:
    """A loop warns once; another line warns again."""
    client = client_for(images)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            client.images.generate(model="dall-e-3", prompt="p")
        client.images.generate(model="dall-e-3", prompt="p")
    assert len({one.lineno for one in caught}) == len(caught) == 2


async def test_without_a_users_frame_a_warning_comes_once_a_process(images: LoopbackServer) -> None:
    """Under gather no line of the user's is on the stack."""
    async with create_async_client(api_key="test", base_url=images.url) as client:
        with pytest.warns(CompatibilityWarning) as caught:
            await asyncio.gather(*(client.images.generate(model="dall-e-3", prompt="p") for _ in range(3)))
    assert len(caught) == 1


def test_a_warning_points_past_libraries_at_the_users_line(images: LoopbackServer, tmp_path: Path) -> None:
    """The standard library and installed packages between the user and the client are not the user."""
    library: dict[str, Any] = {"__name__": "helper"}
    source = "def make(client):\n    return client.images.generate(model='dall-e-3', prompt='p', style='vivid')\n"
    exec(compile(source, str(tmp_path / "site-packages" / "helper.py"), "exec"), library)
    streamed = client_for(images).images.with_streaming_response
    with warnings.catch_warnings(record=True) as caught, ExitStack() as stack:
        warnings.simplefilter("always")
        stack.enter_context(streamed.generate(model="dall-e-3", prompt="p", quality="hd"))
        library["make"](client_for(images))
    assert [one.filename for one in caught] == [__file__] * 4


def test_a_warning_points_at_the_library_where_no_line_of_the_users_is_known(
    images: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the frames that are left, the one that called us."""
    monkeypatch.setattr(notices, "_is_installed", lambda _: True)
    with pytest.warns(CompatibilityWarning) as caught:
        client_for(images).images.generate(model="dall-e-3", prompt="p")
    assert caught[0].filename == __file__


async def test_an_awaited_call_warns_at_its_line(images: LoopbackServer) -> None:
    """With a plain await the user's line is known."""
    async with create_async_client(api_key="test", base_url=images.url) as client:
        with pytest.warns(CompatibilityWarning) as caught:
            await client.images.generate(model="dall-e-3", prompt="p")
    assert caught[0].filename == __file__


def test_as_an_error_a_warning_rises_before_anything_is_sent_each_time(images: LoopbackServer) -> None:
    """Under -W error nothing is sent, however often it is tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CompatibilityWarning)
        for _ in range(2):
            with pytest.raises(CompatibilityWarning):
                client_for(images).images.generate(model="dall-e-3", prompt="p")
    assert not images.requests
