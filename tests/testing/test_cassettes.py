"""What the package makes of recorded conversations, what a cassette may hold, and how the recorder scrubs."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import re
import shutil
import subprocess
import sys
import textwrap
import time
import zlib
from typing import TYPE_CHECKING, Any

import openai
import pytest
import vcr
from hypothesis import example, given, strategies as st
from PIL import Image
from vcr.errors import CannotOverwriteExistingCassetteException

from ionos_openai import (
    agenerate_images,
    alist_image_models,
    create_client,
    edit_images,
    generate_images,
    list_image_models,
)
from ionos_openai.files.formats import SANDBOX_MARK, is_marked_sandbox, recognise
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL
from ionos_openai.sandbox import Sandbox
from ionos_openai.sandbox.drawing import placeholder
from ionos_openai.testing import assert_no_secrets, cassettes as recording, signs_of_secrets
from tests import REPOSITORY, recordings
from tests.conftest import CASSETTES, RECORD_COMMAND
from tests.loopback import Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = "A futuristic cityscape at sunset, highly detailed"
# Plain orange, 256 x 256 px. Written out, as an encoder's output may change.
ORANGE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAQAAAAEAAQMAAABmvDolAAAAA1BMVEX/jACO1N5wAAAAH0lEQVR42u3BAQ0AAADCoPdPbQ43oAAA"
    "AAAAAAAAvg0hAAABYOSdlwAAAABJRU5ErkJggg=="
)
PURPLE_CHECKSUM = zlib.crc32(b"PLTE\x80\x00\x80").to_bytes(4, "big")
PURPLE_PNG = ORANGE_PNG.replace(b"\xff\x8c\x00\x8e\xd4\xde\x70", b"\x80\x00\x80" + PURPLE_CHECKSUM)
LIMIT = 50_000  # bytes
FILES = sorted(CASSETTES.glob("*.yaml"))
MISS = (openai.APIConnectionError, CannotOverwriteExistingCassetteException)


@pytest.mark.vcr
@pytest.mark.default_cassette("models")
def test_models_are_found_in_the_services_list(cassette_client: openai.OpenAI) -> None:
    """Of the service's list, the models that make images are found, and none of the others."""
    found = [model.id for model in list_image_models(cassette_client)]
    assert found[0] == DEFAULT_IMAGE_MODEL
    assert not [one for one in found if re.search("embed|llama|mistral|ocr|-migration", one, re.IGNORECASE)]


@pytest.mark.vcr
@pytest.mark.default_cassette("models-async")
async def test_models_are_found_with_an_async_client(cassette_async_client: openai.AsyncOpenAI) -> None:
    """An async client finds the same models."""
    assert DEFAULT_IMAGE_MODEL in [model.id for model in await alist_image_models(cassette_async_client)]


@pytest.mark.vcr
@pytest.mark.default_cassette("image")
def test_a_prompt_becomes_a_picture(
    cassette_client: openai.OpenAI, recorded_from: recordings.RecordedFrom, tmp_path: Path
) -> None:
    """A prompt becomes a square JPEG that knows what was asked and who drew it, and can be saved."""
    (image,) = generate_images(cassette_client, PROMPT)
    assert (image.format, image.prompt, image.model) == ("JPEG", PROMPT, DEFAULT_IMAGE_MODEL)
    assert (image.size, image.edited) == ("1024x1024", False)
    assert image.width == image.height
    assert image.sandbox == (recorded_from == "stand-in")
    assert image.save(tmp_path / "city").read_bytes() == image.to_bytes()
    assert image.save(tmp_path / "plain", provenance=False).read_bytes() == image.data


@pytest.mark.vcr
@pytest.mark.default_cassette("image-async")
async def test_a_prompt_becomes_a_picture_with_an_async_client(
    cassette_async_client: openai.AsyncOpenAI, recorded_from: recordings.RecordedFrom
) -> None:
    """An async client gives the same kind of picture."""
    (image,) = await agenerate_images(cassette_async_client, PROMPT, size="1024x1792")
    assert (image.format, image.prompt, image.size) == ("JPEG", PROMPT, "1024x1792")
    assert image.height > image.width
    assert image.sandbox == (recorded_from == "stand-in")


@pytest.mark.vcr
@pytest.mark.default_cassette("edit")
def test_a_picture_is_edited(cassette_client: openai.OpenAI, recorded_from: recordings.RecordedFrom) -> None:
    """A picture and a prompt become a picture that is known for an edit."""
    (image,) = edit_images(cassette_client, ORANGE_PNG, "Make it blue", size="512x512")
    assert (image.prompt, image.model, image.edited) == ("Make it blue", DEFAULT_EDIT_MODEL, True)
    assert image.width == image.height
    assert image.sandbox == (recorded_from == "stand-in")


@pytest.mark.vcr
@pytest.mark.default_cassette("unauthorized")
@pytest.mark.fault("unauthorized")
def test_a_refused_token_is_explained(cassette_client: openai.OpenAI) -> None:
    """A refused token is the SDK's own exception with IONOS' words, code and trace id."""
    with pytest.raises(openai.AuthenticationError) as caught:
        list_image_models(cassette_client)
    assert str(caught.value).startswith(
        "Error code: 401 - Unauthorized, wrong or no api key provided to process this request (paas-auth-1). "
        "The likely cause: the token is wrong, was deleted or has expired."
    )
    assert caught.value.code == "paas-auth-1"
    assert re.fullmatch("[0-9a-f]{32}", caught.value.request_id or "")


@pytest.mark.vcr
@pytest.mark.default_cassette("rate-limit-then-image")
@pytest.mark.fault("rate-limit")
def test_a_limit_is_waited_for(cassette_client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 429 the client waits for as long as Retry-After says, and the picture comes."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    (image,) = generate_images(cassette_client, PROMPT)
    assert image.format == "JPEG"
    assert slept == [1.0]


@pytest.mark.vcr
@pytest.mark.default_cassette("server-error")
@pytest.mark.fault("server-error")
def test_a_failure_of_the_backend_is_readable(cassette_client: openai.OpenAI) -> None:
    """A 500 is the SDK's own exception with the backend's words."""
    with pytest.raises(openai.InternalServerError) as caught:
        generate_images(cassette_client.with_options(max_retries=0), PROMPT)
    assert str(caught.value) == (
        "Error code: 500 - Network error: the model that makes images did not answer. It is no fault of the request: "
        "try again later, and a picture whose answer was lost on the way may be billed."
    )


@pytest.mark.vcr
@pytest.mark.default_cassette("empty-400")
@pytest.mark.fault("empty-400")
def test_a_400_without_a_body_is_explained(cassette_client: openai.OpenAI) -> None:
    """A 400 with an empty body says which models make images."""
    with pytest.raises(openai.BadRequestError) as caught:
        generate_images(cassette_client, PROMPT, model="black-forest-labs/FLUX.1-schnel")
    assert str(caught.value) == (
        "Error code: 400 - the answer has no text. The service may not offer the model "
        "'black-forest-labs/FLUX.1-schnel'. Did you mean black-forest-labs/FLUX.1-schnell? Known image models: "
        "black-forest-labs/FLUX.1-schnell, black-forest-labs/FLUX.2-klein-4B."
    )


def recorder(mode: str = "new_episodes") -> Any:
    """Return vcrpy as our cassettes use it."""
    made = vcr.VCR(record_mode=mode, **recording.vcr_config())
    made.register_serializer("yaml", recordings.ReadableYaml)
    return made


def asking(**options: Any) -> openai.OpenAI:
    """Return a client on the production URL that tries once."""
    return create_client(api_key=make_token(), max_retries=0, **options)


def pictures_in(path: Path) -> Iterator[bytes]:
    """Yield the pictures of a cassette."""
    for interaction in recordings.ReadableYaml.deserialize(path.read_text(encoding="utf-8"))["interactions"]:
        if '"b64_json"' in interaction["response"]["body"]["string"]:
            for item in json.loads(interaction["response"]["body"]["string"])["data"]:
                yield base64.b64decode(item["b64_json"])


def test_cassettes_hold_no_secret() -> None:
    """Nothing in a cassette looks like a secret."""
    assert_no_secrets(CASSETTES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_cassette_is_small(path: Path) -> None:
    """A cassette stays under 50 kB, and its pictures at 8 px."""
    assert path.stat().st_size < LIMIT
    found = [recognise(data) for data in pictures_in(path)]
    assert all(max(one.width, one.height) <= 8 for one in found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_cassette_says_who_answered(path: Path) -> None:
    """A cassette says who answered, in its first line too, and no placeholder is passed off as the service's."""
    source = recordings.source_of(path)
    assert path.read_text(encoding="utf-8").startswith(f"# Recorded from the {source}: see README.md.\n")
    assert all(is_marked_sandbox(data) == (source == "stand-in") for data in pictures_in(path))


def test_every_cassette_is_used() -> None:
    """There is no cassette that no test replays, and none is missing."""
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py")]
    used = set(re.findall(r"^@pytest\.mark\.default_cassette\(\"(.+)\"\)", "\n".join(sources), re.MULTILINE))
    assert {path.name for path in CASSETTES.iterdir()} == {f"{name}.yaml" for name in used} | {"README.md"}


@pytest.mark.parametrize("change", [{"prompt": "A calm sea"}, {"size": "1792x1024"}, {"seed": 1}], ids=str)
def test_another_request_does_not_match(change: dict[str, Any]) -> None:
    """A request that differs in its body gets no answer from the cassette."""
    wanted = {"prompt": PROMPT, "size": "1024x1024", **change}
    with recorder(mode="none").use_cassette(str(CASSETTES / "image.yaml")) as cassette:
        with pytest.raises(MISS):
            generate_images(asking(), **wanted)
        assert cassette.play_count == 0


@pytest.mark.parametrize("change", [{"prompt": "Make it red"}, {"image": PURPLE_PNG}], ids=["prompt", "image"])
def test_another_edit_does_not_match(change: dict[str, Any]) -> None:
    """An edit with another prompt or another picture gets no answer from the cassette."""
    wanted = {"image": ORANGE_PNG, "prompt": "Make it blue", "size": "512x512", **change}
    with recorder(mode="none").use_cassette(str(CASSETTES / "edit.yaml")), pytest.raises(MISS):
        edit_images(asking(), **wanted)


def test_the_order_of_fields_does_not_matter() -> None:
    """A request whose JSON has another order gets the recorded answer."""
    body = {"size": "1024x1024", "model": DEFAULT_IMAGE_MODEL, "prompt": PROMPT}
    with recorder(mode="none").use_cassette(str(CASSETTES / "image.yaml")) as cassette:
        asking().post("/images/generations", body=body, cast_to=object)
    assert cassette.play_count == 1


def test_a_cassette_is_played_to_its_end() -> None:
    """A cassette with requests that were not made fails, and says which."""
    with recorder(mode="none").use_cassette(str(CASSETTES / "rate-limit-then-image.yaml")) as cassette:
        with pytest.raises(openai.RateLimitError):
            generate_images(asking(), PROMPT)
        with pytest.raises(AssertionError) as caught:
            recordings.check_played(cassette)
        assert str(caught.value) == (
            "rate-limit-then-image.yaml: 1 of 2 requests were made; not POST /v1/images/generations."
        )
        generate_images(asking(), PROMPT)
        recordings.check_played(cassette)


def test_a_missing_cassette_says_how_to_record_it(tmp_path: Path) -> None:
    """Where a cassette is missing, the failure names the command that records it."""
    message = r"^There is no cassette new\.yaml: record it with `pytest -x`\.$"
    with recorder(mode="none").use_cassette(str(tmp_path / "new.yaml")) as cassette:
        pass
    with pytest.raises(AssertionError, match=message):
        recordings.check_present(cassette, command="pytest -x")


def test_the_token_is_nowhere_in_a_cassette(server: LoopbackServer, tmp_path: Path) -> None:
    """A token that is echoed in body, headers and address stays out of the file, whole and in part, as do cookies."""
    token = make_token()
    client = create_client(api_key=token, base_url=server.url, max_retries=0)
    trace = "0123456789abcdef" * 2
    echo = {"seen": f"Bearer {token}", token: [{"part": token.split(".")[1], "trace": trace}], "text": "fine"}
    headers = {"Set-Cookie": "session=abc", "X-Echo": token, "Retry-After": token, "X-Trace-Id": trace, "Date": "now"}
    server.answers = [
        Answer(body=echo, headers=headers),
        Answer(body=f"<p>{token}</p>".encode(), headers={"Content-Type": "text/html"}),
    ]
    path = tmp_path / "echo.yaml"
    with recorder().use_cassette(str(path)):
        client.post(f"/echo/{token}?key={token}", body={"prompt": f"say {token}"}, cast_to=object)
        client.get("/page", cast_to=object, options={"headers": {"Cookie": "session=abc"}})
    text = path.read_text(encoding="utf-8")
    assert signs_of_secrets(text, token, *token.split("."), trace, "session=abc") == []
    (first, second) = recordings.ReadableYaml.deserialize(text)["interactions"]
    assert first["request"]["headers"] == {"content-type": ["application/json"]}
    assert json.loads(first["request"]["body"]) == {"prompt": "say <token>"}
    assert first["response"]["headers"] == {
        "content-type": ["application/json"],
        "retry-after": ["<token>"],
        "x-recorded-from": ["service"],
        "x-trace-id": [recording.TRACE_ID],
    }
    assert json.loads(first["response"]["body"]["string"]) == {
        "seen": "<token>",
        "<token>": [{"part": "<token>", "trace": recording.TRACE_ID}],
        "text": "fine",
    }
    assert second["response"]["body"]["string"] == "<p><token></p>"


def test_a_trace_id_is_nowhere_in_a_cassette(server: LoopbackServer, tmp_path: Path) -> None:
    """A trace id of an earlier answer stays out of later ones, as does one that is only named as such."""
    first, named = "0123456789abcdef" * 2, "fedcba9876543210" * 2
    server.answers = [
        Answer(body={}, headers={"X-Trace-Id": first}),
        Answer(body={"seen": first, "error": {"traceId": named}}),
        Answer(body=f"<p>Trace-ID: {named}</p>".encode(), headers={"Content-Type": "text/html"}),
    ]
    client = create_client(api_key=make_token(), base_url=server.url, max_retries=0)
    path = tmp_path / "trace.yaml"
    with recorder().use_cassette(str(path)):
        client.get("/one", cast_to=object)
        client.post(f"/two/{first}?trace_id={named}", body={"prompt": first, "trace-id": named}, cast_to=object)
        client.get("/three", cast_to=object)
    text = path.read_text(encoding="utf-8")
    assert first not in text
    assert named not in text
    assert text.count(recording.TRACE_ID) == 8


def test_prompts_about_bearers_differ(server: LoopbackServer, tmp_path: Path) -> None:
    """A prompt is written as it is where it only has a word that precedes a token elsewhere."""
    path = tmp_path / "bearer.yaml"
    with recorder().use_cassette(str(path)):
        client = create_client(api_key=make_token(), base_url=server.url, max_retries=0)
        client.post("/x", body={"prompt": "a ring bearer at a wedding"}, cast_to=object)
    assert "a ring bearer at a wedding" in path.read_text(encoding="utf-8")
    with recorder(mode="none").use_cassette(str(path)), pytest.raises(MISS):
        client.post("/x", body={"prompt": "a ring bearer in a wedding"}, cast_to=object)


def test_a_scrubbed_request_is_found_again(server: LoopbackServer, tmp_path: Path) -> None:
    """What was recorded with one token is replayed with another, without asking anybody."""
    path = tmp_path / "again.yaml"
    answers = []
    for mode in ("new_episodes", "none"):
        client = create_client(api_key=make_token(identity=mode), base_url=server.url, max_retries=0)
        with recorder(mode=mode).use_cassette(str(path)):
            answers.append(client.models.list().data)
    assert answers[0] == answers[1]
    assert len(server.requests) == 1


@pytest.mark.parametrize("secret", ["sk-proj-1234567890", "eyJhbGciOi.eyJpc3Mi.c2ln", "Bearer abc.def"])
def test_other_services_secrets_are_masked(server: LoopbackServer, tmp_path: Path, secret: str) -> None:
    """What looks like a secret is masked, though nobody sent it as the token."""
    server.answers = [Answer(body={"error": f"not {secret}!"})]
    path = tmp_path / "masked.yaml"
    with recorder().use_cassette(str(path)):
        create_client(api_key=make_token(), base_url=server.url).post("/x", body={"a": secret}, cast_to=object)
    assert signs_of_secrets(path.read_text(encoding="utf-8"), secret) == []


def test_a_compressed_answer_is_written_as_text(server: LoopbackServer, tmp_path: Path) -> None:
    """A compressed answer is scrubbed and written as text; one that cannot be unpacked is not written at all."""
    token = make_token()
    client = create_client(api_key=token, base_url=server.url, max_retries=0)
    packed = gzip.compress(json.dumps({"seen": token}).encode())
    server.answers = [
        Answer(body=packed, headers={"Content-Encoding": "gzip"}),
        Answer(body=b"?", headers={"Content-Encoding": "x-secret"}),
    ]
    path = tmp_path / "packed.yaml"
    with recorder().use_cassette(str(path)):
        assert client.get("/packed", cast_to=object) == {"seen": token}
        with pytest.raises((openai.APIConnectionError, ValueError)):
            client.get("/unreadable", cast_to=object)
    (only,) = recordings.ReadableYaml.deserialize(path.read_text(encoding="utf-8"))["interactions"]
    assert json.loads(only["response"]["body"]["string"]) == {"seen": "<token>"}


def test_a_recording_is_readable(tmp_path: Path) -> None:
    """Bodies stand in the file line by line, a form's pictures as a few pixels; it says that the sandbox answered."""
    path = tmp_path / "edit.yaml"
    with recorder().use_cassette(str(path)):
        edit_images(asking(sandbox=Sandbox()), ORANGE_PNG, "Make it blue", size="512x512")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Recorded from the stand-in: see README.md.\n")
    for line in ("Make it blue", "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAI", '"b64_json": ', "--form--"):
        assert re.search(f"^ +{re.escape(line)}", text, re.MULTILINE), line
    assert text.isascii()
    assert len(text) < 3000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("sent_as", ["PNG", "WEBP"])
def test_a_picture_that_is_sent_on_is_the_recorded_one(kind: str, sent_as: str) -> None:
    """Its pixels are those of what was left of the answer, also where it was saved without loss in another format."""

    def saved(data: bytes) -> bytes:
        out = io.BytesIO()
        with Image.open(io.BytesIO(data)) as image:
            if image.format == sent_as:
                return data
            image.save(out, sent_as, lossless=True)
        return out.getvalue()

    for number in range(5):
        answered = placeholder(f"fox {number}", model="m", size=(300, 200), format=kind)  # type: ignore[arg-type]
        small = recording.shrink_picture(answered)
        sent = recording.pixels_of(saved(answered))
        assert sent == recording.pixels_of(saved(small)) == recording.pixels_of(base64.b64decode(sent))
    assert recording.pixels_of(placeholder("an owl", model="m", size=(300, 200), format="PNG")) != sent
    assert recording.pixels_of(b"%!PS-Adobe-3.0 EPSF-3.0") == ""


def test_a_chain_of_pictures_replays(tmp_path: Path) -> None:
    """A picture that was made and is then edited, as it came or from its file, or shown to a chat model, replays."""
    path = tmp_path / "chain.yaml"

    def chain(client: openai.OpenAI, prompt: str = "a fox") -> None:
        (fox,) = generate_images(client, prompt, directory=tmp_path / str(len(list(tmp_path.iterdir()))))
        assert fox.path is not None
        edit_images(client, fox, "a hat", size="64x64")
        edit_images(client, fox.path, "another hat", size="64x64")
        content: Any = [{"type": "image_url", "image_url": {"url": fox.data_uri}}]
        messages: Any = [{"role": "user", "content": content}]
        client.chat.completions.create(model="meta-llama/Llama-3.3-70B-Instruct", messages=messages)

    with recorder().use_cassette(str(path)):
        chain(asking(sandbox=Sandbox()))
    assert path.stat().st_size < 20_000
    with recorder().use_cassette(str(path)) as cassette:
        chain(asking(sandbox=Sandbox()))
        assert cassette.play_count == len(cassette) == 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("marked", [True, False])
def test_a_picture_is_shrunk_in_its_own_format(kind: str, marked: bool) -> None:
    """A picture keeps its format and its shape at 8 px, and the sandbox's mark where it has one."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = SANDBOX_MARK.decode() if marked else "a comment"
    Image.effect_noise((400, 200), 50).convert("RGB").save(out, kind, exif=exif)
    small = recording.shrink_picture(out.getvalue())
    assert (recognise(small).format, recognise(small).width, recognise(small).height) == (kind, 8, 4)
    assert is_marked_sandbox(small) == marked
    assert b"a comment" not in small
    assert len(small) < 1200
    assert recording.shrink_picture(small) == small


@pytest.mark.parametrize("text", ["", "fine", "AAAA", "data:image/png;base64,AAAA", "not base64 *"])
def test_what_is_no_picture_stays(text: str) -> None:
    """A text that is no picture is left alone."""
    assert recording.shrink_base64(text) == text


def test_a_picture_in_a_data_uri_is_shrunk() -> None:
    """A picture in a `data:` URI is shrunk like one in b64_json."""
    small = recording.shrink_base64("data:image/png;base64," + base64.b64encode(ORANGE_PNG).decode())
    head, _, data = small.partition(",")
    assert head == "data:image/png;base64"
    assert recognise(base64.b64decode(data)).width == 8


@given(text=st.text())
@example(text="a\nb")
@example(text="  lead\ntrail \n\n")
@example(text="\r\n\x85\u2028\ufeff\ud83d😀\n")
@example(text="# no: [comment]\n---\n...\n")
def test_what_is_written_is_read_again(text: str) -> None:
    """Whatever a body holds, it is read as it was written."""
    text = text.encode("utf-8", "replace").decode()
    cassette = {"interactions": [{"request": {"body": text}, "response": {"headers": {}, "body": {"string": text}}}]}
    written = recordings.ReadableYaml.serialize(cassette)
    assert recordings.ReadableYaml.deserialize(written) == cassette
    assert written.isascii()


def test_vcrpy_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """vcrpy logs no bodies, also where everything is logged."""
    with caplog.at_level(logging.DEBUG), recorder(mode="none").use_cassette(str(CASSETTES / "image.yaml")):
        generate_images(asking(), PROMPT)
    assert [record for record in caplog.records if record.name.startswith("vcr")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ERROR: --live records from the service: add --record-mode=rewrite, or leave --live out."),
        (["--record-mode=rewrite"], "ERROR: --live asks the service and needs a token: set IONOS_API_TOKEN."),
    ],
)
def test_live_asks_for_what_it_needs(arguments: list[str], message: str) -> None:
    """`--live` without recording, or without a token, ends at once and says what is missing."""
    ended = run_pytest(CASSETTES.parent, "--live", "--collect-only", *arguments)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in ended.stderr


# Indented, so that these names do not count as used.
LAZY = textwrap.dedent(
    '''
    import pytest


    @pytest.mark.vcr
    @pytest.mark.default_cassette("image")
    def test_lazy(cassette_client):
        """Asks for nothing."""


    @pytest.mark.vcr
    @pytest.mark.default_cassette("missing")
    def test_missing(cassette_client):
        """Has no cassette."""
    '''
)


@pytest.mark.slow
def test_one_command_records_all(tmp_path: Path) -> None:
    """One command records all cassettes as they are; without it, one that is missing or not played to its end fails."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "testing").mkdir()
    for name in (
        "__init__",
        "conftest",
        "loopback",
        "recordings",
        "terminal",
        "testing/__init__",
        "testing/test_cassettes",
        "tokens",
    ):
        shutil.copy(REPOSITORY / "tests" / f"{name}.py", tmp_path / "tests" / f"{name}.py")
    shutil.copy(CASSETTES.parent / "pyproject.toml", tmp_path)
    recorded = run_pytest(tmp_path, "--record-mode=rewrite", "-m", "vcr")
    assert recorded.returncode == 0, recorded.stdout
    assert {path.name for path in (tmp_path / "cassettes").iterdir()} == {path.name for path in FILES}
    for path in FILES:
        if recordings.source_of(path) == "stand-in":
            assert outline(tmp_path / "cassettes" / path.name) == outline(path)
    (tmp_path / "tests" / "test_lazy.py").write_text(LAZY, encoding="utf-8")
    replayed = run_pytest(tmp_path, "-m", "vcr", "tests/test_lazy.py")
    assert "image.yaml: 0 of 1 requests were made; not POST /v1/images/generations." in replayed.stdout
    assert f"There is no cassette missing.yaml: record it with `{RECORD_COMMAND}`." in replayed.stdout
    assert "2 failed" in replayed.stdout


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, as a developer would."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


def outline(path: Path) -> list[Any]:
    """Return what of a cassette is the same at each recording: all but dates and pictures."""
    interactions = recordings.ReadableYaml.deserialize(path.read_text(encoding="utf-8"))["interactions"]
    for interaction in interactions:
        body = interaction["response"]["body"]
        body["string"] = re.sub(r'("created": )\d+|("b64_json": )".*"', r"\1\2…", body["string"])
    return interactions
