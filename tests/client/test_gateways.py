"""Gateways in front of the service, and uploads as services like OpenAI's take them."""

from __future__ import annotations

import base64
import inspect
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import (
    CompatibilityWarning,
    ImageRequest,
    InvalidTokenError,
    IonosSettings,
    UnknownModelError,
    create_async_client,
    create_client,
    estimate_cost,
    generate_batch,
    generate_images,
    list_image_models,
)
from ionos_openai.hub.credentials import check_token
from ionos_openai.images import ImageDecodeError, decode_images
from tests.loopback import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.loopback import LoopbackServer

KEYS = ["sk-gateway-0123456789abcdefghij", "sk-1234"]
OTHER_KEYS = ["1c2f3a4b-0000-4000-8000-123456789abc", "team.s3cr3t", "pk_live_12"]
FLUX = "black-forest-labs/FLUX.1-schnell"


def picture(kind: str = "PNG") -> bytes:
    """Return a small picture of a format."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, kind)
    return buffer.getvalue()


def drawn() -> Answer:
    """Return an answer with a picture."""
    return Answer(body={"data": [{"b64_json": base64.b64encode(picture()).decode()}]})


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("source", [lambda key: key, lambda key: lambda: key], ids=["text", "callable"])
def test_a_gateways_key_goes_to_the_gateway_alone(
    key: str, source: Callable[[str], Any], server: LoopbackServer
) -> None:
    """By its beginning it is another service's key, which IONOS' host never gets."""
    with create_client(api_key=source(key), base_url=server.url) as client:
        client.models.list()
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    with pytest.raises(InvalidTokenError), create_client(api_key=source(key), pace=False) as client:
        client.models.list()
    with pytest.raises(InvalidTokenError):
        create_client(api_key=key, base_url="https://api.ionos.com")


@pytest.mark.parametrize("key", [*KEYS, *OTHER_KEYS])
def test_a_gateways_key_may_have_any_shape(key: str) -> None:
    """What a token's ID and another key of IONOS' look like says nothing elsewhere; blanks inside say it anywhere."""
    url, now = "https://gateway.example/v1", datetime.now(UTC)
    assert check_token(key, now=now, url=url).kind == "opaque"
    with pytest.raises(InvalidTokenError):
        check_token(f"{key} {key}", now=now, url=url)


@pytest.mark.parametrize("alias", ["house-flux", "flux", "flux-schnell", "imagen:latest"])
def test_a_gateways_alias_goes_through_as_it_is(alias: str, server: LoopbackServer, tmp_path: Path) -> None:
    """In the SDK's calls, in `generate_images` and in a batch, where its price can be said; IONOS gets none."""
    server.default = drawn()
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        client.images.generate(model=alias, prompt="a fox")
        generate_images(client, "a fox", model=alias)
        requests = ["a fox", ImageRequest(prompt="a hat", model=alias)]
        results = generate_batch(client, requests, tmp_path, model=alias, prices={alias: "0.02 EUR"}, max_cost=1).run()
    assert {request.json()["model"] for request in server.requests} == {alias}
    assert str(results[0].cost.amount if results[0].cost else None) == "0.02"
    with create_client(sandbox=True) as client, pytest.raises(UnknownModelError):
        generate_images(client, "a fox", model=alias)


def test_settings_may_name_a_gateways_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the gateway's address; a price may be named so too."""
    monkeypatch.setenv("IONOS_BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("IONOS_IMAGE_MODEL", "house-flux")
    monkeypatch.setenv("IONOS_PRICES", "house-flux=0.02 EUR")
    assert IonosSettings(env_file=None).image_model == "house-flux"
    monkeypatch.delenv("IONOS_BASE_URL")
    with pytest.raises(openai.OpenAIError, match="house-flux"):
        IonosSettings(env_file=None)


def test_what_a_gateways_list_says_of_a_model_counts_before_its_name(server: LoopbackServer) -> None:
    """`mode`, as LiteLLM has it; without one the name tells."""
    said = [
        {"id": "painter", "mode": "image_generation"}, {"id": "retoucher", "model_info": {"mode": "image_edit"}},
        {"id": "flux-talk", "mode": "chat"}, {"id": "flux-2-new"}, {"id": "llama"}, {"id": FLUX, "mode": "chat"},
    ]  # fmt: skip
    server.default = Answer(body={"object": "list", "data": said})
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        found = {model.id: model.reason for model in list_image_models(client)}
    assert found == {FLUX: "catalogue", "flux-2-new": "name pattern", "painter": "its mode", "retoucher": "its mode"}
    assert estimate_cost("painter", 1) is None


REFUSALS = [
    {"error": {"message": "no foxes, please", "code": "moderated"}},
    {"error": "no foxes, please", "created": 1, "data": None},
    {"data": [], "detail": [{"msg": "no foxes, please"}]},
    {"messages": [{"errorCode": "moderated", "message": "no foxes, please"}]},
    {"success": False, "errors": [{"code": 7, "message": "no foxes, please"}]},
    {"data": [{"b64_json": None, "error": {"message": "no foxes, please"}}]},
    {"data": [{"b64_json": "", "finish_reason": "no foxes, please"}]},
    {"error": {"error": {"message": "no foxes, please"}}},
    {"status": "rejected", "reason": "no foxes, please"},
    {"errors": ["no foxes, please"], "data": "none"},
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("n", [1, 3])
def test_a_refusal_with_status_200_keeps_its_words(refusal: object, n: int, server: LoopbackServer) -> None:
    """Wherever an answer has them, also as one of several."""
    server.answers = [drawn()] * (n - 1)
    server.default = Answer(body=refusal)
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        with pytest.raises(ImageDecodeError, match=r"no foxes, please") as caught:
            generate_images(client, "a fox", n=n)
        assert len(caught.value.images) == n - 1
        merged = client.images.generate(prompt="a fox", n=2, model=FLUX)
    with pytest.raises(ImageDecodeError, match=r"no foxes, please"):
        decode_images(merged)


def test_a_refusal_may_be_a_list(server: LoopbackServer) -> None:
    """Which is no answer of the service's, and is told with its words."""
    server.default = Answer(body=[{"error": {"message": "no foxes, please", "code": 400}}])
    said = pytest.raises(openai.APIResponseValidationError, match=r" It says: no foxes, please$")
    with create_client(api_key=KEYS[0], base_url=server.url) as client, said:
        generate_images(client, "a fox")


@pytest.mark.parametrize("data", ["none", {"b64_json": "QUJD"}, [None], ["QUJD"], [7, []], [{"url": 5}]])
@pytest.mark.parametrize("n", [1, 2])
def test_an_answer_of_another_shape_is_no_picture(data: object, n: int, server: LoopbackServer) -> None:
    """The SDK checks nothing of it; asked for with a URL as OpenAI's models have it, too."""
    server.default = Answer(body={"data": data})
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        with pytest.raises(ImageDecodeError):
            generate_images(client, "a fox", n=n)
        with pytest.warns(CompatibilityWarning), pytest.raises(ImageDecodeError):
            decode_images(client.images.generate(prompt="a fox", n=n, response_format="url"))


def test_no_secret_is_in_the_words_of_a_refusal(server: LoopbackServer) -> None:
    """A gateway may repeat the key."""
    server.default = Answer(body={"error": {"message": f"the key {KEYS[0]} may not draw"}})
    with create_client(api_key=KEYS[0], base_url=server.url) as client, pytest.raises(ImageDecodeError) as caught:
        generate_images(client, "a fox")
    assert "may not draw" in str(caught.value)
    assert KEYS[0] not in str(caught.value)


CALLS: dict[str, Callable[[openai.OpenAI], Any]] = {
    "pictures": lambda client: client.images.generate(
        prompt="a", model="dall-e-3", n=2, quality="hd", response_format="url", size="auto", style="vivid"
    ),
    "no model": lambda client: client.images.generate(prompt="a"),
    "an edit": lambda client: client.images.edit(image=picture(), prompt="a", model="gpt-image-1"),
    "embeddings": lambda client: client.embeddings.create(model="m", input="a", encoding_format="base64"),
}


@pytest.mark.parametrize("name", CALLS)
def test_off_means_off(name: str, server: LoopbackServer) -> None:
    """The request and the answer are a plain client's."""
    vector = {"object": "embedding", "index": 0, "embedding": "AAAAAA=="}
    server.default = Answer(body={"data": [vector if name == "embeddings" else {"b64_json": "AAAA"}], "more": 1})
    seen = []
    for client in (
        openai.OpenAI(api_key=KEYS[0], base_url=server.url),
        create_client(api_key=KEYS[0], base_url=server.url, compat="off"),
    ):
        with client:
            answer = CALLS[name](client).to_dict(warnings=False)
        (request,) = server.requests
        server.requests.clear()
        boundary = request.headers["content-type"].partition("boundary=")[2].encode() or b"none"
        seen.append((answer, request.path, request.body.replace(boundary, b"-")))
    assert seen[0] == seen[1]


def test_off_sends_any_name_of_a_model(server: LoopbackServer) -> None:
    """Also OpenAI's, which a gateway may have an alias for."""
    server.default = drawn()
    with create_client(api_key=KEYS[0], base_url=server.url, compat="off") as client:
        generate_images(client, "a fox", model="dall-e-3")
    assert server.requests[0].json()["model"] == "dall-e-3"


class Named(io.BytesIO):
    """A buffer with the name of a file, as web frameworks make them."""

    name = "folder/upload.bin"


UPLOADS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "bytes": (lambda _: picture(), "image.png"),
    "a buffer": (lambda _: io.BytesIO(picture("JPEG")), "image.jpg"),
    "a buffer of WebP": (lambda _: io.BytesIO(picture("WEBP")), "image.webp"),
    "a named buffer": (lambda _: Named(picture()), "upload.bin.png"),
    "a path that ends wrongly": (lambda path: path, "fox.png"),
    "an open file": (lambda path: path.open("rb"), "fox.png"),
    "a name without an end": (lambda _: ("fox", picture()), "fox.png"),
    "a name that fits": (lambda _: ("Fox.JPEG", picture("JPEG")), "Fox.JPEG"),
    "a GIF": (lambda _: ("a.b", picture("GIF")), "a.b.gif"),
}


@pytest.mark.parametrize("form", UPLOADS)
@pytest.mark.parametrize("field", ["image", "mask"])
async def test_uploads_have_the_name_and_type_of_their_bytes(
    form: str, field: str, server: LoopbackServer, tmp_path: Path
) -> None:
    """In sync and async clients."""
    path = tmp_path / "fox.jpg"
    path.write_bytes(picture())
    make, name = UPLOADS[form]
    name = name.replace("image", field)
    server.default = drawn()
    files: list[Any] = [make(path), make(path)]
    given = [{"image": picture(), field: file} for file in files]
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        client.images.edit(prompt="a hat", model="klein", **given[0])
    async with create_async_client(api_key=KEYS[0], base_url=server.url) as client:
        await client.images.edit(prompt="a hat", model="klein", **given[1])
    for file in files:
        if inspect.ismethod(getattr(file, "close", None)) or hasattr(file, "fileno"):
            file.close()
    kind = {"jpg": "jpeg", "JPEG": "jpeg"}.get(end := name.rpartition(".")[2], end)
    for request in server.requests:
        pattern = rb'name="%s"; filename="([^"]*)"\r\nContent-Type: (\S+)' % field.encode()
        assert re.findall(pattern, request.body) == [(name.encode(), f"image/{kind}".encode())]


def test_a_type_in_words_and_what_is_no_picture_stay(server: LoopbackServer) -> None:
    """Whoever says a type means it."""
    server.default = drawn()
    with create_client(api_key=KEYS[0], base_url=server.url) as client:
        client.images.edit(
            image=("a.jpg", picture(), "image/x-own"), mask=("m.dat", b"no picture"), prompt="a", model="klein"
        )
    head = re.findall(rb'filename="([^"]*)"\r\nContent-Type: (\S+)', server.requests[0].body)
    assert head == [(b"a.jpg", b"image/x-own"), (b"m.dat", b"application/octet-stream")]
