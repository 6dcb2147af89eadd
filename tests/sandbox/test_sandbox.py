"""The sandbox, in process."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import threading

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image, ImageDraw, ImageFont

from ionos_openai.files.formats import SANDBOX_MARK, png_chunk
from ionos_openai.sandbox import Sandbox, SandboxRequest, SandboxResponse, lettering
from ionos_openai.sandbox.behaviours import BEHAVIOURS
from ionos_openai.sandbox.drawing import placeholder
from ionos_openai.sandbox.faults import FAULT_NAMES

FLUX1 = "black-forest-labs/FLUX.1-schnell"
FLUX2 = "black-forest-labs/FLUX.2-klein-4B"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ0ZXN0In0.c2lnbmF0dXJl"
UNAUTHORIZED = {
    "httpStatus": 401,
    "messages": [
        {"errorCode": "paas-auth-1", "message": "Unauthorized, wrong or no api key provided to process this request"}
    ],
}
BACKEND_FAILURE = {
    "error": {
        "httpStatus": 500,
        "message": "Network error: json: cannot unmarshal string into Go struct field Embedding.data.embedding "
        "of type []float32",
    }
}


def ask(sandbox: Sandbox, body: object, path: str = "generations", **headers: str) -> SandboxResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sandbox.respond(
        SandboxRequest(
            method="POST",
            path=f"/v1/images/{path}",
            headers={"AUTHORIZATION": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            | {name.replace("_", "-"): value for name, value in headers.items()},
            body=raw,
        )
    )


def small(**parameters: object) -> dict[str, object]:
    """Return the parameters of a picture that is drawn quickly."""
    return {"model": FLUX2, "prompt": "a fox", "size": "64x64"} | parameters


def form(*parts: tuple[str, str | bytes]) -> tuple[bytes, str]:
    """Return a multipart form and its content type; bytes are sent as files."""
    out = b""
    for name, content in parts:
        file = '; filename="a.png"\r\nContent-Type: image/png' if isinstance(content, bytes) else ""
        data = content if isinstance(content, bytes) else content.encode()
        out += f'--xyz\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"
    return out + b"--xyz--\r\n", "multipart/form-data; boundary=xyz"


def edit(sandbox: Sandbox, *parts: tuple[str, str | bytes]) -> SandboxResponse:
    body, content_type = form(*parts)
    return ask(sandbox, body, "edits", Content_Type=content_type)


def png(width: int, height: int, colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def picture(response: SandboxResponse) -> bytes:
    assert response.status == 200, response.body
    return base64.b64decode(json.loads(response.body)["data"][0]["b64_json"], validate=True)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def refused(response: SandboxResponse) -> tuple[int, str, str]:
    """Return status, code and text of an error in IONOS' shape, which stands there in OpenAI's and as a header too."""
    payload = json.loads(response.body)
    assert payload["httpStatus"] == response.status
    (message,) = payload["messages"]
    assert (payload["error"]["code"], payload["error"]["message"]) == (message["errorCode"], message["message"])
    assert response.headers["x-sandbox-reason"]
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-trace-id"])
    return response.status, message["errorCode"], message["message"]


# What is documented or recorded.


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer", "Bearer  ", TOKEN])
def test_no_bearer_token(authorization: str) -> None:
    """Without a bearer token the recorded 401 comes back, with a trace id."""
    headers = {"authorization": authorization} if authorization else {}
    response = Sandbox().respond(SandboxRequest(method="GET", path="/v1/models", headers=headers))
    assert response.status == 401
    assert json.loads(response.body) == UNAUTHORIZED
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-trace-id"])


def test_a_fixed_token() -> None:
    """A sandbox with a token of its own takes only that one."""
    sandbox = Sandbox(token="right")

    def status(token: str) -> int:
        headers = {"Authorization": f"bearer {token}"}
        return sandbox.respond(SandboxRequest(method="GET", path="/v1/models", headers=headers)).status

    assert [status("right"), status("wrong"), status("wr\u00f6ng")] == [200, 401, 401]


@pytest.mark.parametrize("token", ["", "  ", None])
def test_a_blank_token_is_none(token: str | None) -> None:
    """Where the token is left blank, any is taken."""
    sandbox = Sandbox(token=token)
    headers = {"Authorization": "Bearer any"}
    assert sandbox.token is None
    assert sandbox.respond(SandboxRequest(method="GET", path="/v1/models", headers=headers)).status == 200


def test_every_answer_says_that_it_is_the_sandboxs() -> None:
    """No answer can be taken for the service's, whatever it is."""
    sandbox = Sandbox()
    sandbox.fault("html-502")
    answers = [ask(sandbox, small()), ask(sandbox, small()), ask(sandbox, small(n=2))]
    answers.append(sandbox.respond(SandboxRequest(method="GET", path="/sandbox/health")))
    assert [answer.status for answer in answers] == [502, 200, 400, 200]
    assert {answer.headers["x-sandbox"] for answer in answers} == {"ionos-openai"}


def test_trace_ids_differ() -> None:
    """Every error answer has a trace id of its own."""
    sandbox = Sandbox()
    traces = {ask(sandbox, {}).headers["x-trace-id"] for _ in range(5)}
    assert len(traces) == 5


def test_models() -> None:
    """The list has the models of 2026-08, each with the four recorded keys."""
    headers = {"Authorization": "Bearer x"}
    response = Sandbox().respond(SandboxRequest(method="GET", path="/v1/models?limit=5", headers=headers))
    payload = json.loads(response.body)
    assert payload["object"] == "list"
    assert len(payload["data"]) == 20
    assert {FLUX1, FLUX2, "bge-m3-migration", "openai/gpt-oss-120b"} <= {one["id"] for one in payload["data"]}
    for entry in payload["data"]:
        assert list(entry) == ["id", "object", "created", "owned_by"]
        assert entry["object"] == "model"
        assert entry["owned_by"] == "unknown"
        assert entry["created"] == payload["data"][0]["created"] > 1_700_000_000


def test_other_models() -> None:
    """The list of models can be replaced, and only what is on it is drawn."""
    sandbox = Sandbox(models=["stabilityai/stable-diffusion-xl-base-1.0", "new/flux-9"])
    assert ask(sandbox, small(model="new/flux-9")).status == 200
    assert ask(sandbox, small(model=FLUX2)).status == 400


def test_a_recorded_list_is_answered_as_it_is() -> None:
    """Of an entry only what is missing is filled in; one without an id is refused."""
    whole = {"id": "new/flux-9", "object": "model", "created": 1677610602, "owned_by": "ionos"}
    sandbox = Sandbox(models=[whole, {"id": "new/flux-8", "owned_by": "me"}])
    answer = sandbox.respond(SandboxRequest(method="GET", path="/v1/models", headers={"Authorization": "Bearer x"}))
    first, second = json.loads(answer.body)["data"]
    assert first == whole
    assert (second["owned_by"], second["object"], second["created"] > 1_700_000_000) == ("me", "model", True)
    for nothing in ("", {}, {"id": 7}):
        with pytest.raises(ValueError, match=r"^A model needs an id\.$"):
            Sandbox(models=[nothing])


def test_flux1_sends_a_jpeg_of_the_recorded_kind() -> None:
    """FLUX.1-schnell answers a baseline JFIF 1.01 JPEG with 4:2:0 of the asked size, and zero usage."""
    response = ask(Sandbox(), {"model": FLUX1, "prompt": "A futuristic cityscape", "size": "1024x1024"})
    payload = json.loads(response.body)
    assert payload["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert list(payload) == ["data", "usage"]
    assert list(payload["data"][0]) == ["b64_json"]
    data = picture(response)
    assert data[:4] == b"\xff\xd8\xff\xe0"
    assert data[6:13] == b"JFIF\0\x01\x01"
    image = opened(data)
    assert (image.format, image.size, image.mode) == ("JPEG", (1024, 1024), "RGB")
    frame = data.index(b"\xff\xc0")  # SOF0: baseline
    assert data[frame + 10 : frame + 19 : 3] == b"\x01\x02\x03"
    assert data[frame + 11 : frame + 20 : 3] == b"\x22\x11\x11"
    assert 100_000 < len(data) < 300_000


@pytest.mark.parametrize("size", ["1024x1792", "1792x1024"])
def test_flux1_has_two_more_sizes(size: str) -> None:
    """FLUX.1-schnell also draws the two long sizes."""
    image = opened(picture(ask(Sandbox(), {"model": FLUX1, "prompt": "x", "size": size})))
    assert f"{image.width}x{image.height}" == size


def test_size_left_out() -> None:
    """A picture whose size is left out is 1024x1024 px."""
    assert opened(picture(ask(Sandbox(), {"model": FLUX1, "prompt": "x"}))).size == (1024, 1024)


@pytest.mark.parametrize("missing", ["model", "prompt"])
@pytest.mark.parametrize("value", [None, "", "  ", 7, ["x"]])
def test_model_and_prompt_are_needed(missing: str, value: object) -> None:
    """Without a model or a prompt a picture is refused."""
    assert refused(ask(Sandbox(), small(**{missing: value}))) == (400, "sandbox-required", f"{missing} is missing")


@pytest.mark.parametrize("number", [0, 2, 10, -1, "2", [1], {}, "1", 1.0, True])
def test_n_above_one_fails(number: object) -> None:
    """Any n but 1 is refused."""
    assert refused(ask(Sandbox(), small(n=number))) == (400, "sandbox-n", "n can only be 1")


@pytest.mark.parametrize("parameters", [{"n": 1}, {"n": None}, {"seed": 1, "quality": "hd", "user": "x", "style": []}])
def test_what_changes_nothing(parameters: dict[str, object]) -> None:
    """One picture may be asked for by number, and parameters that nothing is known of are ignored."""
    assert picture(ask(Sandbox(), small(**parameters))) == picture(ask(Sandbox(), small()))


@pytest.mark.parametrize(
    "size", ["", "big", "auto", "1024", "1024X1024", " 64x64", "0x0", "0x64", "-1x5", 1024, [64, 64]]
)
def test_sizes_that_cannot_be_read(size: object) -> None:
    """A size is WIDTHxHEIGHT."""
    expected = (400, "sandbox-size", "size must be WIDTHxHEIGHT, such as 1024x1024")
    assert refused(ask(Sandbox(), small(size=size))) == expected


def test_an_official_rule_is_held() -> None:
    """A size that breaks a documented rule is refused."""
    response = ask(Sandbox(), {"model": FLUX1, "prompt": "x", "size": "512x512"})
    message = (
        "FLUX.1-schnell makes 1024x1024 or 1024x1792 or 1792x1024, as is documented, not 512x512; --sizes any (sizes=) "
        "draws it"
    )
    assert refused(response) == (400, "sandbox-other-sizes", message)
    any_size = Sandbox(sizes="any")
    assert opened(picture(ask(any_size, {"model": FLUX1, "prompt": "x", "size": "512x256"}))).size == (512, 256)


def test_the_api_pages_way_to_write_a_size() -> None:
    """A size may be written with an asterisk."""
    assert opened(picture(ask(Sandbox(), small(size="64*80")))).size == (64, 80)


def test_a_rule_from_client_code_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """A size that breaks a rule known from a client's code alone is drawn, with a warning in the log."""
    with caplog.at_level(logging.WARNING, "ionos_openai.sandbox"):
        assert opened(picture(ask(Sandbox(), small(size="65x50")))).size == (65, 50)
    (message,) = caplog.messages
    assert message == (
        "FLUX.2-klein-4B makes sides that are multiples of 16, 64 to 2048 px, as far as is known from a client's "
        "code; 65x50 is drawn all the same, but the service may refuse it."
    )


def test_a_side_may_be_too_long() -> None:
    """Sides above 4096 px are refused, whatever the model's rule."""
    expected = (400, "sandbox-size-limit", "No side may be longer than 4096 px")
    assert refused(ask(Sandbox(), small(size="4097x64"))) == expected


@pytest.mark.parametrize(
    "model", ["nobody/nothing", "openai/gpt-oss-120b", "Qwen/Qwen3-VL-Embedding-8B", "FLUX.1-schnell"]
)
def test_unknown_models(model: str) -> None:
    """A model that is unknown or makes no images is refused in either of the two ways that are told of."""
    response = ask(Sandbox(), small(model=model))
    assert (response.status, response.body) == (400, b"")
    reason = response.headers["x-sandbox-reason"]
    assert re.fullmatch(rf"{model} (is no model for images|is none of the models in GET /v1/models)", reason)
    response = ask(Sandbox(unknown_model="not-found"), small(model=model))
    assert refused(response) == (404, "sandbox-unknown-model", reason)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request cannot be read: the body is not JSON in UTF-8"),
        (b'{"prompt": "\xff"}', "The request cannot be read: the body is not JSON in UTF-8"),
        (b"[" * 100_000, "The request cannot be read: the body is not JSON in UTF-8"),
        (b'["a fox"]', "The request cannot be read: the body is not a JSON object"),
        (b"null", "The request cannot be read: the body is not a JSON object"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "The request cannot be read: the body is not JSON in UTF-8"),
    ],
)
def test_malformed_bodies(body: bytes, message: str) -> None:
    """A body that is no JSON object is refused in IONOS' shape."""
    assert refused(ask(Sandbox(), body)) == (400, "sandbox-malformed", message)


def test_a_body_may_be_too_large() -> None:
    """A request beyond 64 MiB is refused before it is read."""
    assert refused(ask(Sandbox(), bytes(2**26 + 1)))[:2] == (413, "sandbox-size-limit")


def test_paths_and_methods() -> None:
    """Unknown paths are 404, wrong methods 405 with the right one."""
    headers = {"Authorization": "Bearer x"}
    sandbox = Sandbox()
    response = sandbox.respond(SandboxRequest(method="GET", path="/v1/nothing", headers=headers))
    assert refused(response)[:2] == (404, "sandbox-unknown-path")
    response = sandbox.respond(SandboxRequest(method="GET", path="/v1/images/edits", headers=headers))
    assert refused(response) == (405, "sandbox-unknown-path", "This path is asked with POST")
    assert response.headers["allow"] == "POST"


# Edits.


@pytest.mark.parametrize("field", ["image", "image[]", "image[0]"])
def test_an_edit_shows_its_input(field: str) -> None:
    """An edit answers a picture of the asked size that depends on what was sent."""
    fields = (("model", FLUX2), ("prompt", "a fox"), ("size", "128x128"), ("n", "1"))
    red = picture(edit(Sandbox(), *fields, (field, png(200, 100, "red"))))
    blue = picture(edit(Sandbox(), *fields, (field, png(200, 100, "blue"))))
    assert opened(red).size == (128, 128)
    assert red != blue


def test_the_input_is_seen_in_the_picture() -> None:
    """The middle of the placeholder of an edit has the colour of a one-coloured input."""
    data = placeholder("x", model=FLUX2, size=(512, 512), format="PNG", inputs=[png(300, 300, "#ff0000")])
    red, green, blue = opened(data).getpixel((256, 300))  # type: ignore[misc]  # RGB pixels are triples
    assert red > 230
    assert max(green, blue) < 25


@pytest.mark.parametrize(
    ("sent", "expected"),
    [((200, 100), (192, 96)), ((30, 30), (64, 64)), ((3000, 1500), (2048, 1024)), ((1024, 768), (1024, 768))],
)
def test_the_size_of_an_edit(
    sent: tuple[int, int], expected: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """An edit without a size has the first input's, rounded to what the model makes."""
    parts = (("model", FLUX2), ("prompt", "x"), ("image[]", png(*sent)), ("image[]", png(5, 5)), ("mask", png(5, 5)))
    assert opened(picture(edit(Sandbox(), *parts))).size == expected
    assert not caplog.messages


def test_edits_that_are_refused() -> None:
    """An edit needs a model that edits, and pictures that are pictures."""
    sandbox, image = Sandbox(), ("image", png(8, 8))
    fields = (("model", FLUX2), ("prompt", "x"))
    assert refused(edit(sandbox, ("model", FLUX1), ("prompt", "x"), image)) == (
        400,
        "sandbox-cannot-edit",
        "FLUX.1-schnell makes pictures from text alone",
    )
    assert refused(edit(sandbox, *fields))[2] == "The form has no file named image or image[]"
    assert refused(edit(sandbox, *fields, ("image", b"GIF?")))[2] == "image is not a picture that can be read"
    assert refused(edit(sandbox, *fields, image, ("mask", b"")))[2] == "mask is not a picture that can be read"
    assert refused(edit(sandbox, *fields, ("image", png(99, 99)[:-60])))[2] == (
        "An input is not a picture that can be read"
    )
    head = png_chunk(b"IHDR", b"\0\1\0\0" * 2 + b"\x08\x02\0\0\0")
    assert refused(edit(sandbox, *fields, ("image", png(8, 8)[:8] + head + png(8, 8)[33:])))[2] == (
        "image is a picture of more pixels than this sandbox opens"
    )
    assert refused(edit(sandbox, ("model", FLUX2), image))[2] == "prompt is missing"
    assert refused(edit(sandbox, *fields, image, ("n", "2")))[2] == "n can only be 1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz\r\n",
        b"--xyz\r\n\r\n\r\n--xyz--",
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--",
        b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n" * 65 + b"--xyz--\r\n",
    ],
)
def test_broken_forms(body: bytes) -> None:
    """A form that is cut short, unnamed or endless is refused."""
    response = ask(Sandbox(), body, "edits", Content_Type="multipart/form-data; boundary=xyz")
    assert refused(response)[:2] == (400, "sandbox-malformed" if body else "sandbox-required")


def test_a_form_is_text() -> None:
    """A form whose fields are not in UTF-8 is refused, and a size of nothing is none."""
    body, content_type = form(("model", FLUX2), ("prompt", "~"), ("image", png(8, 8)))
    response = ask(Sandbox(), body.replace(b"~", b"\xff"), "edits", Content_Type=content_type)
    assert refused(response)[2] == "The request cannot be read: the form is not in UTF-8"
    fields = (("model", FLUX2), ("prompt", "x"), ("image", png(8, 8)), ("size", "0x0"))
    assert refused(edit(Sandbox(), *fields))[:2] == (400, "sandbox-size")


def test_a_form_without_a_boundary() -> None:
    """A form must name its boundary."""
    response = ask(Sandbox(), b"x", "edits", Content_Type="multipart/form-data")
    assert refused(response)[2] == "The request cannot be read: the body is not a multipart form with a boundary"


# Pictures.


def test_drawing_is_deterministic() -> None:
    """The same requests in the same order give the same bytes; another prompt or model gives others."""
    sandbox = Sandbox()
    first = picture(ask(sandbox, small()))
    assert picture(ask(Sandbox(), small())) == first
    assert picture(ask(sandbox, small(prompt="an owl"))) != first
    assert placeholder("a", model="m", size=(64, 64), format="PNG") != placeholder(
        "a", model="n", size=(64, 64), format="PNG"
    )


@pytest.mark.parametrize("size", ["1x1", "16x16", "64x64", "400x300"])
def test_equal_requests_are_no_twins(size: str) -> None:
    """The k-th of equal requests gives another picture than those before, and the same one in each run."""

    def takes() -> list[bytes]:
        sandbox = Sandbox()
        return [picture(ask(sandbox, small(size=size))) for _ in range(5)]

    first, second = takes(), takes()
    assert first == second
    assert len(set(first)) == 5
    assert all(SANDBOX_MARK in data for data in first)


def test_equal_edits_are_no_twins() -> None:
    """So it is with edits: it counts what is edited."""
    sandbox, fields = Sandbox(), (("model", FLUX2), ("prompt", "a hat"), ("size", "64x64"))
    red, blue, again = (picture(edit(sandbox, *fields, ("image", png(9, 9, name)))) for name in ("red", "blue", "red"))
    assert len({red, blue, again}) == 3
    assert picture(edit(Sandbox(), *fields, ("image", png(9, 9, "red")))) == red


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", ["1x1", "16x16", "64x64", "640x480"])
def test_the_mark_is_in_the_bytes(format: str, size: str) -> None:
    """Every placeholder has the mark near the beginning or the end of its bytes, whatever its format."""
    sandbox = Sandbox(image_format=format)  # type: ignore[arg-type]  # one of the three
    data = picture(ask(sandbox, small(size=size)))
    assert SANDBOX_MARK in data[:2048] + data[-2048:]
    image = opened(data)
    assert (image.format, f"{image.width}x{image.height}") == (format, size)


PROMPTS = [
    "",
    " \t\n",
    "x" * 5000,
    "\U0001f98a\U0001f3fd\u200d\u2744\ufe0f in the snow",
    "\u4e00\u53ea\u72d0\u72f8",
    "\u05e9\u05dc\u05d5\u05dd \u202e\u0645\u0631\u062d\u0628\u0627",
    "\ud800 \x00\x1b[31m",
    "Z\u0351\u036b\u0343algo" * 40,
    "[Gr\u00f6\u00dfe]",
]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (16, 16), (33, 70), (300, 200), (1200, 40), (40, 1200)])
def test_any_prompt_at_any_size(size: tuple[int, int]) -> None:
    """Any text can be drawn at any size."""
    for prompt in PROMPTS:
        for inputs in ((), (png(3, 5),) * 4):
            data = placeholder(prompt, model="a/b", size=size, format="PNG", inputs=inputs)
            assert opened(data).size == size


def test_a_large_picture() -> None:
    """The largest size is drawn."""
    assert opened(placeholder("x", model="a/b", size=(4096, 2100), format="JPEG")).size == (4096, 2100)


@pytest.mark.parametrize("scene", ["city at night", "sea", "forest", "mountains", "desert dunes"])
def test_every_scene(scene: str) -> None:
    """Every landscape can be drawn at every shape."""
    for size in ((1, 1), (20, 300), (300, 20), (200, 200)):
        assert opened(placeholder(scene, model="m", size=size, format="JPEG")).size == size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a fox", "a fox"),
        ("  two\n lines ", "two lines"),
        ("very very old", "very very old"),
        (
            "Gr\u00f6\u00dfe \u00dcbung cafe\u0301 \u0151 na\u0131ve",
            "Gr\u00f6\u00dfe \u00dcbung caf\u00e9 \u0151 naive",
        ),
        ("\u00e6on \u0142\u00f3d\u017a \u1ebf", "aeon \u0142\u00f3d\u017a \u1ebf"),
        ("\u201equoted\u201c \u2013 4\u00d74 \u20ac", "\u201cquoted\u201c - 4x4 \u20ac"),
        ("\U0001f98a in snow", "[fox face] in snow"),
        ("\u4e00\u53ea \u72d0\u72f8, fox", "[East Asian text 0194], fox"),
        ("\u043a\u0440\u0430\u0441\u043d\u0430\u044f \u043b\u0438\u0441\u0430", "[Cyrillic text 44e4]"),
        ("[x]", "(x]"),
        ("", ""),
    ],
)
def test_what_the_font_lacks_is_spelled_out(text: str, shown: str) -> None:
    """Characters without a glyph are shown in words, never as boxes."""
    assert lettering.readable(text) == shown


def test_letters_keep_their_marks() -> None:
    """A letter with a mark is as wide as the letter, and another picture than it."""
    font = lettering.load_font(40)

    def written(text: str) -> bytes:
        image = Image.new("RGB", (120, 60))
        lettering.write(ImageDraw.Draw(image), (10, 5), text, font, (255, 255, 255))
        return image.tobytes()

    for plain, marked in (("o", "öóòôõōŏőǒọø"), ("a", "äáàâåąã"), ("c", "çćč"), ("U", "ÜÚŮ"), ("l", "ł"), ("C", "€")):
        assert {lettering.length(letter, font) for letter in marked} == {lettering.length(plain, font)}
        assert len({written(letter) for letter in plain + marked}) == len(plain + marked)
    assert written("ß") != written(" ")


def test_texts_of_another_script_are_told_apart() -> None:
    """Two texts that cannot be shown have other names."""
    shown = {lettering.readable(text) for text in ("\u043a\u043e\u0442", "\u043f\u0451\u0441", "\u4e00", "\u4e8c")}
    assert len(shown) == 4


def test_long_prompts_end_in_an_ellipsis() -> None:
    """A prompt that does not fit is cut at its end, and the cut is marked."""
    lines = lettering.fit("word " * 200, width=300, height=60, sizes=(40, 12))
    assert lines is not None
    assert lines.lines[-1].endswith("…")
    assert all(lines.font.getlength(line) <= 300 for line in lines.lines)


def test_without_freetype(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Pillow was built without FreeType, its bitmap font is used."""
    if not hasattr(ImageFont, "load_default_imagefont"):
        pytest.skip("Pillow in use offers its bitmap font only where FreeType is missing")
    bitmap = ImageFont.load_default_imagefont()

    def load_default(size: float | None = None) -> ImageFont.ImageFont:
        if size is not None:
            raise ImportError("The _imagingft C module is not installed")
        return bitmap

    monkeypatch.setattr(ImageFont, "load_default", load_default)
    for cached in (lettering.load_font, lettering._show, lettering._bare):
        cached.cache_clear()
    try:
        for prompt in [*PROMPTS, "word " * 300]:
            data = placeholder(prompt, model="a/b", size=(500, 300), format="PNG")
            assert opened(data).size == (500, 300)
    finally:
        for cached in (lettering.load_font, lettering._show, lettering._bare):
            cached.cache_clear()


# Faults.


def test_faults_that_answer() -> None:
    """Faults take the place of an answer, once each, in the order asked for."""
    sandbox = Sandbox()
    for name in (
        "rate-limit",
        "server-error",
        "empty-400",
        "html-502",
        "bad-json",
        "unauthorized",
        "no-data",
        "url-only",
    ):
        sandbox.fault(name)
    limited, failed, empty, proxy, bad, unauthorized, nothing, url = (ask(sandbox, small()) for _ in range(8))
    assert refused(limited)[0] == 429
    assert limited.headers["retry-after"] == "1"
    said = "Network error: the model that makes images did not answer"
    assert (failed.status, json.loads(failed.body)) == (500, {"error": {"httpStatus": 500, "message": said}})
    assert (empty.status, empty.body) == (400, b"")
    assert (proxy.status, proxy.headers["content-type"]) == (502, "text/html")
    assert b"502 Bad Gateway" in proxy.body
    assert bad.status == 200
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(bad.body)
    assert json.loads(unauthorized.body) == UNAUTHORIZED
    assert (nothing.status, json.loads(nothing.body)) == (200, {"data": []})
    (item,) = json.loads(url.body)["data"]
    assert item == {"url": "http://sandbox.invalid/picture.jpg"}
    assert ask(sandbox, small()).status == 200


def test_faults_of_a_picture() -> None:
    """A picture can come as what is not base64, cut short, or in a format that the model does not send."""
    whole = picture(ask(Sandbox(), small()))

    def spoilt(fault: str) -> bytes:
        sandbox = Sandbox()
        sandbox.fault(fault)
        answer = ask(sandbox, small())
        assert answer.headers["x-sandbox-reason"] == f"the fault {fault} was asked for"
        assert "x-sandbox-reason" not in ask(sandbox, small()).headers
        return picture(answer)

    cut = spoilt("truncated-image")
    assert whole.startswith(cut)
    assert len(whole) // 3 < len(cut) < len(whole)
    other = spoilt("wrong-format")
    assert opened(other).format == "PNG"
    assert SANDBOX_MARK in other[:2048]
    with pytest.raises(ValueError, match="base64"):
        spoilt("bad-base64")


def test_faults_of_a_picture_wait_for_one() -> None:
    """A fault of a picture leaves a request for the models alone, and stays for the next picture."""
    sandbox = Sandbox()
    sandbox.fault("no-data")
    request = SandboxRequest(method="GET", path="/v1/models", headers={"authorization": "Bearer x"})
    assert len(json.loads(sandbox.respond(request).body)["data"]) == 20
    assert json.loads(ask(sandbox, small()).body) == {"data": []}


def test_faults_by_header() -> None:
    """The header x-sandbox-fault asks for a fault of this request alone."""
    sandbox = Sandbox()
    assert ask(sandbox, small(), X_Sandbox_Fault="html-502").status == 502
    assert ask(sandbox, small()).status == 200
    status, code, message = refused(ask(sandbox, small(), X_Sandbox_Fault="nonsense"))
    assert (status, code) == (400, "sandbox-unknown-fault")
    assert message == f"x-sandbox-fault names no fault; the faults are {', '.join(FAULT_NAMES)}"


def test_faults_that_do_not_exist() -> None:
    """An unknown fault, or none at all, is an error that names the faults."""
    with pytest.raises(ValueError) as caught:
        Sandbox().fault("nonsense")
    assert str(caught.value) == f"There is no fault 'nonsense': the faults are {', '.join(FAULT_NAMES)}."
    with pytest.raises(ValueError, match="at least once, not 0 times"):
        Sandbox().fault("rate-limit", times=0)


def test_faults_are_counted_across_threads() -> None:
    """Requests from several threads share the faults: as many befall them as were asked for."""
    sandbox = Sandbox()
    sandbox.fault("rate-limit", times=50)
    statuses: list[int] = []

    def run() -> None:
        for _ in range(20):
            request = SandboxRequest(method="GET", path="/v1/models", headers={"authorization": "Bearer x"})
            statuses.append(sandbox.respond(request).status)

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(429), statuses.count(200)) == (50, 50)


def test_threads_draw_the_same() -> None:
    """Pictures that are drawn at once are those that are drawn one by one."""
    sandbox, drawn = Sandbox(), {}
    prompts = [f"number {number}" for number in range(6)]

    def run(prompt: str) -> None:
        drawn[prompt] = picture(ask(sandbox, small(prompt=prompt)))

    threads = [threading.Thread(target=run, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == {prompt: picture(ask(Sandbox(), small(prompt=prompt))) for prompt in prompts}


# What is kept of requests.


def test_requests_are_kept_without_secrets() -> None:
    """What came is on record, without headers, tokens and base64."""
    sandbox = Sandbox()
    ask(sandbox, small(size="bad", user=f"me {TOKEN}", image="QUJD" * 100, extra=[{"key": TOKEN}]))
    (request,) = sandbox.requests
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.body == small(size="bad", user="me <token>", image="<data>", extra=[{"key": "<token>"}])
    sandbox.respond(
        SandboxRequest(
            method="GET",
            path="/v1/0123456789-abcdef?key=0123456789-abcdef",
            headers={"authorization": "Bearer 0123456789-abcdef"},
        )
    )
    assert sandbox.requests[-1].path == "/v1/<token>"
    assert TOKEN not in repr(sandbox.requests)
    assert "0123456789-abcdef" not in repr(sandbox.requests) + repr(sandbox)


def test_forms_are_kept_without_their_files() -> None:
    """A form's fields are on record, its files only by size."""
    sandbox, image = Sandbox(), png(8, 8)
    edit(sandbox, ("model", FLUX2), ("prompt", "x"), ("n", "2"), ("image[]", image), ("image[]", b"abc"))
    assert sandbox.requests[0].body == {
        "model": FLUX2,
        "prompt": "x",
        "n": "2",
        "image[]": f"{len(image)} bytes, 3 bytes",
    }


def test_the_record_is_bounded() -> None:
    """Only the last 1000 requests are kept."""
    sandbox = Sandbox()
    for number in range(1003):
        sandbox.respond(SandboxRequest(method="GET", path=f"/{number}"))
    assert [len(sandbox.requests), sandbox.requests[0].path] == [1000, "/3"]


def test_repr_shows_no_secret() -> None:
    """Neither a request nor an answer shows headers or bodies in its repr."""
    request = SandboxRequest(
        method="GET", path="/v1/models", headers={"authorization": f"Bearer {TOKEN}"}, body=b"QUJD"
    )
    assert repr(request) == "SandboxRequest(method='GET', path='/v1/models')"
    assert "b64" not in repr(ask(Sandbox(token=TOKEN), small()))
    assert TOKEN not in repr(Sandbox(token=TOKEN))


def test_settings_are_checked() -> None:
    """A switch that does not exist is an error that names those that do."""
    with pytest.raises(ValueError, match="unknown_model is 'empty-400' or 'not-found', not 'x'"):
        Sandbox(unknown_model="x")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="image_format is 'JPEG', 'PNG' or 'WEBP', not 'GIF'"):
        Sandbox(image_format="GIF")  # type: ignore[arg-type]  # that is the point


# Why a request was refused.


def test_a_request_says_what_became_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """Status and reason are on record, and in a line at INFO, without the token and the prompt."""
    sandbox = Sandbox()
    with caplog.at_level(logging.INFO, "ionos_openai.sandbox.requests"):
        ask(sandbox, small(prompt="a secret plan"))
        ask(sandbox, small(prompt="a secret plan", n=2))
        ask(sandbox, small(prompt="a secret plan", model=TOKEN))
        sandbox.respond(SandboxRequest(method="GET", path="/v1/models"))
    assert [(request.status, request.reason) for request in sandbox.requests] == [
        (200, ""),
        (400, "n can only be 1"),
        (400, "<token> is none of the models in GET /v1/models"),
        (401, "no token came"),
    ]
    assert caplog.messages == [
        f"POST /v1/images/generations {FLUX2} 64x64 200",
        f"POST /v1/images/generations {FLUX2} 64x64 400 n can only be 1",
        "POST /v1/images/generations <token> 64x64 400 <token> is none of the models in GET /v1/models",
        "GET /v1/models - - 401 no token came",
    ]


def test_a_reason_is_one_line_of_a_header() -> None:
    """Whatever a request holds, the header can be sent, and no reason has a line break in it."""
    answer = ask(Sandbox(), small(model="x\r\nset-cookie: a=b \u4e00" + "y" * 1000))
    reason = answer.headers["x-sandbox-reason"]
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 700


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/images/generations", "it is /v1/images/generations, so the base URL ends in /v1"),
        ("/v1/v1/models", "/v1 stands in it twice, as the base URL has it already; it is /v1/models"),
        ("/v1/models/", "without the slash too many it is /v1/models"),
        ("/v1//embeddings", "without the slash too many it is /v1/embeddings"),
        ("/api/v1/chat/completions", "it is /v1/chat/completions, so the base URL ends in /v1 and nothing else"),
        (
            "/v1/completions/chat/completions",
            "it is /v1/chat/completions, so the base URL ends in /v1 and nothing else",
        ),
        ("/v1", "it is the base URL itself; GET /v1/models lists the models"),
        ("/v1/responses", "the Responses API is not documented; the chat completions API is, at /v1/chat/completions"),
        (f"/v1/models/{FLUX1}", "no path for one model is documented; GET /v1/models lists them all"),
        ("/models/1234/predictions", "the native API was removed on 2026-05-05; GET /v1/models lists them all"),
    ],
)
def test_where_nothing_is_the_slip_is_named(path: str, says: str) -> None:
    """A 404 names the path, and what was likely meant."""
    answer = Sandbox().respond(SandboxRequest(method="POST", path=path, headers={"authorization": "Bearer x"}))
    assert refused(answer) == (404, "sandbox-unknown-path", f"There is nothing at {path}: {says}")


def test_head_is_a_get_without_a_body() -> None:
    """HEAD has a GET's status and length, where GET is served, and nowhere else."""
    sandbox, headers = Sandbox(), {"authorization": "Bearer x"}
    for path in ("/v1/models", "/sandbox/health"):
        answers = [sandbox.respond(SandboxRequest(method=name, path=path, headers=headers)) for name in ("GET", "HEAD")]
        assert [answer.status for answer in answers] == [200, 200]
        assert (answers[1].body, int(answers[1].headers["content-length"])) == (b"", len(answers[0].body))
    assert sandbox.respond(SandboxRequest(method="HEAD", path="/v1/embeddings", headers=headers)).status == 405


def test_a_page_for_people() -> None:
    """The sandbox's own address shows what it is, what to set, and the last requests, as text that does nothing."""
    sandbox = Sandbox()
    ask(sandbox, small(model="<script>alert(1)</script>"))
    answer = sandbox.respond(SandboxRequest(method="GET", path="/", headers={"host": 'here:1"<b>'}))
    text = answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "IONOS_BASE_URL=http://here:1&quot;&lt;b&gt;/v1\nIONOS_API_TOKEN=sandbox" in text
    assert "<td>400<td>POST /v1/images/generations<td>&lt;script&gt;alert(1)&lt;/script&gt;<td>64x64<td>" in text
    assert "<script" not in text
    hidden = Sandbox(token="mine-alone-123").respond(SandboxRequest(method="GET", path="/"))
    assert b"mine-alone" not in hidden.body
    assert sandbox.respond(SandboxRequest(method="POST", path="/")).status == 404


@pytest.mark.parametrize(
    ("cors", "path", "is_open"),
    [(False, "/v1/models", False), (True, "/v1/models", True), (False, "/sandbox/health", True)],
)
def test_browsers_ask_first(cors: bool, path: str, is_open: bool) -> None:
    """A browser is let in where that was asked for, and always to the sandbox's own paths."""
    sandbox = Sandbox(cors=cors)
    asked = {"origin": "http://x", "access-control-request-method": "GET", "access-control-request-headers": "a, b"}
    answer = sandbox.respond(SandboxRequest(method="OPTIONS", path=path, headers=asked))
    assert (answer.status == 204, answer.headers.get("access-control-allow-headers")) == (
        is_open,
        "a, b" if is_open else None,
    )
    answer = sandbox.respond(SandboxRequest(method="GET", path=path))
    assert answer.headers.get("access-control-allow-origin") == ("*" if is_open else None)


# The table, and hostile input.


def test_every_refusal_has_its_row() -> None:
    """Each row of the table is named once, and each code that the sandbox makes up is a row's name."""
    names = [behaviour.name for behaviour in BEHAVIOURS]
    assert len(set(names)) == len(names)
    assert {behaviour.basis for behaviour in BEHAVIOURS} <= {"DOC", "REC", "CODE", "INF", "choice"}
    assert all(behaviour.chosen for behaviour in BEHAVIOURS if behaviour.basis == "INF")


NAMES = st.sampled_from(["model", "prompt", "size", "n", "image", "image[]", "mask", "response_format"])
NUMBERS = st.integers(-2, 40) | st.sampled_from([4096, 4097, 10**6])
SIZES = st.builds("{}x{}".format, NUMBERS, NUMBERS).filter(lambda size: size != "4096x4096")  # too slow to draw
VALUES = (
    SIZES
    | st.sampled_from([FLUX1, FLUX2, "64x64", "1x1", "9x99999", 1, "1", None])
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)
JSON_BODIES = st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=6).map(
    lambda body: json.dumps({"size": "16x16"} | body).encode()
)
FORMS = st.lists(
    st.tuples(
        NAMES, st.sampled_from([FLUX1, FLUX2, "x", "16x16", png(4, 4), png(9, 9)[:-20]]) | st.binary(max_size=40)
    ),
    max_size=6,
).map(lambda parts: form(*parts)[0])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "POST", "post", "HEAD", ""]) | st.text(max_size=5),
    path=st.sampled_from(["/v1/models", "/v1/images/generations", "/v1/images/edits"]) | st.text(max_size=30),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "Content-Type", "x-sandbox-fault"]) | st.text(max_size=10),
        st.sampled_from(["Bearer x", "multipart/form-data; boundary=xyz", "application/json", "multipart/;;="])
        | st.sampled_from(FAULT_NAMES)
        | st.text(max_size=40),
    ),
    authorized=st.booleans(),
    body=JSON_BODIES | FORMS | st.binary(max_size=200),
)
def test_respond_never_raises(method: str, path: str, headers: dict[str, str], authorized: bool, body: bytes) -> None:
    """Whatever comes, there is an answer, and it is no failure but one that was asked for."""
    headers |= {"Authorization": "Bearer x"} if authorized else {}
    response = Sandbox().respond(SandboxRequest(method=method, path=path, headers=headers, body=body))
    assert 200 <= response.status < 600
    assert b'"sandbox-mistake"' not in response.body
    assert response.status < 500 or "x-sandbox-fault" in {name.lower() for name in headers}
    if response.status == 400 and response.body:
        assert json.loads(response.body)["messages"][0]["errorCode"].removeprefix("sandbox-") in {
            behaviour.name for behaviour in BEHAVIOURS
        }
