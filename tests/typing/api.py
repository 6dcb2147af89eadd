"""Every public function, used as users use it. Only type-checked, never run."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import assert_type

import openai
from openai.types import ImagesResponse
from PIL.Image import Image
from pydantic import SecretStr

from ionos_openai import (
    BASE_URL,
    AsyncBatch,
    Batch,
    BatchEvent,
    BatchResult,
    ConfigurationError,
    Cost,
    Estimate,
    GeneratedImage,
    ImageDecodeError,
    ImageModel,
    ImageRequest,
    ImageSaveError,
    InvalidRequestError,
    InvalidTokenError,
    IonosError,
    IonosSettings,
    IonosWarning,
    MissingTokenError,
    Money,
    Progress,
    Provenance,
    ProvenanceError,
    Signature,
    SignatureError,
    SignedPictureError,
    Signer,
    UnknownModelError,
    UntrustedHostError,
    aedit_images,
    agenerate_batch,
    agenerate_images,
    alist_image_models,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    estimate_cost,
    generate_batch,
    generate_images,
    list_image_models,
    partial_images,
    read_provenance,
    read_signature,
    save_images,
    write_provenance,
    write_signature,
)
from ionos_openai.sandbox import Sandbox, SandboxRequest, SandboxResponse

address: str = BASE_URL


def token() -> str:
    """Return a token that is asked for at each request."""
    return "token"


async def token_async() -> str:
    """Return a token that is awaited at each request."""
    return "token"


def make_clients() -> None:
    """Make clients in every way; they are the SDK's."""
    assert_type(create_client(), openai.OpenAI)
    assert_type(create_async_client(), openai.AsyncOpenAI)
    create_client(api_key="token", base_url="https://example.com/v1", timeout=30, max_retries=0)
    create_client(api_key=SecretStr("token"), timeout=None, default_headers={"a": "b"}, default_query={"c": 1})
    create_client(api_key=token, timeout=openai.Timeout(10), ca_bundle=Path("ca.pem"))
    create_client(sandbox=True, settings=IonosSettings(image_model="flux.1"))
    create_client(sandbox=Sandbox(token="only-this", unknown_model="not-found", image_format="PNG"))
    create_client(http_client=openai.DefaultHttpxClient())
    create_async_client(api_key=token_async, http_client=openai.DefaultAsyncHttpxClient())
    with create_client() as client:
        assert_type(client, openai.OpenAI)
        assert_type(client.with_options(max_retries=1), openai.OpenAI)
        assert_type(client.copy(api_key="other"), openai.OpenAI)


def use_the_sdk(client: openai.OpenAI) -> None:
    """Ask with the SDK's own methods, and decode and save without a cast."""
    response = client.images.generate(model="black-forest-labs/FLUX.1-schnell", prompt="a fox", size="1024x1024")
    assert_type(response, ImagesResponse)
    assert_type(decode_images(response)[0].save("x"), Path)
    assert_type(decode_images(client.images.generate(prompt="a fox"))[0].save("x"), Path)
    assert_type(
        decode_images(client.images.edit(image=b"", prompt="bluer"), prompt="bluer", edited=True)[0].data, bytes
    )
    assert_type(save_images(response, "pictures", name="fox", format="PNG", overwrite=True), list[Path | str])
    decode_images({"data": []}, prompt="a fox", model="flux.1", size="1024x1024")


def use_our_functions(client: openai.OpenAI) -> None:
    """Ask with ours."""
    assert_type(list_image_models(client), list[ImageModel])
    images = generate_images(client, "a fox", model="sdxl", n=2, size=None, seed=1, extra_body={"steps": 4}, timeout=9)
    assert_type(images, list[GeneratedImage])
    assert_type(save_images(images, Path("pictures")), list[Path | str])
    generate_images(client, "a fox", directory="pictures", name="fox.png", format="PNG", overwrite=True)
    assert_type(edit_images(client, "fox.png", "bluer"), list[GeneratedImage])
    edit_images(client, [Path("fox.png"), b"", images[0], images[0].to_pil()], "bluer", mask="mask.png", size="64x64")


async def use_our_async_functions(client: openai.AsyncOpenAI) -> None:
    """Ask with their async twins."""
    assert_type(await alist_image_models(client), list[ImageModel])
    assert_type(await agenerate_images(client, "a fox", n=2), list[GeneratedImage])
    assert_type(await aedit_images(client, b"", "bluer"), list[GeneratedImage])
    assert_type(decode_images(await client.images.generate(prompt="a fox")), list[GeneratedImage])


def hear(event: BatchEvent) -> None:
    """Take what a batch tells."""
    assert_type(event.result, BatchResult | None)


def make_a_batch(client: openai.OpenAI) -> None:
    """Many prompts into a directory."""
    requests: list[str | ImageRequest] = [ImageRequest(prompt="a fox", n=2, metadata={"sku": 7}), "a lighthouse"]
    batch = generate_batch(client, requests, Path("out"), max_cost="5 EUR", prices={"klein": "1 EUR"}, on_event=hear)
    assert_type(batch, Batch)
    assert_type((batch.estimate, batch.progress), tuple[Estimate, Progress])
    for result in batch:
        assert_type((result.paths, result.error), tuple[tuple[Path | str, ...], Exception | None])
        assert_type(result.cost, Money | None)
    assert_type(generate_batch(client, iter(["a"]), "out", missing="remake", redo=["fox"]).run(), list[BatchResult])


async def make_an_async_batch(client: openai.AsyncOpenAI) -> None:
    """Do the same with the async twin."""
    async with agenerate_batch(client, ["a"], "out", timeout=9) as batch:
        assert_type(batch, AsyncBatch)
        async for result in batch:
            assert_type(result, BatchResult)


def look_at_pictures(image: GeneratedImage, model: ImageModel) -> None:
    """Read what a picture and a model say of themselves."""
    assert_type((image.data, image.width, image.height), tuple[bytes, int, int])
    assert_type((image.prompt, image.model, image.size), tuple[str | None, str | None, str | None])
    assert_type((image.created, image.edited, image.sandbox), tuple[datetime | None, bool, bool])
    assert_type((image.media_type, image.extension, image.data_uri), tuple[str, str, str])
    assert_type(image.to_pil(), Image)
    assert_type(image.save(Path("x"), format="WEBP", overwrite=True), Path)
    assert_type(image.save("x", provenance=False, prompt_in_metadata=True), Path)
    assert_type((image.seed, image.to_bytes(format="PNG", provenance=True)), tuple[int | None, bytes])
    assert_type((model.id, model.name, model.can_edit), tuple[str, str, bool | None])


def tell_where_pictures_come_from(image: GeneratedImage) -> None:
    """Read and write the mark, and estimate what pictures cost."""
    found = read_provenance("fox.jpg")
    assert_type(found, Provenance | None)
    assert_type(write_provenance(image.data, found or Provenance(model="m", creator="Me")), bytes)
    cost = estimate_cost("flux.1", 3)
    assert_type(cost, Cost | None)
    if cost is not None:
        assert_type((cost.amount, cost.currency, cost.source.seen), tuple[Decimal, str, date])
    wrong: type[ProvenanceError] = SignedPictureError
    signer = Signer("chain.pem", "key.pem", passphrase=lambda: "hush", tsa_url="https://tsa.example/", required=True)
    remote = Signer(b"", sign=lambda data: data, algorithm="ps256")
    assert_type(write_signature(image.data, signer, found, inputs=[image.data]), bytes)
    assert_type(read_signature("fox.jpg", trust="trust.pem"), Signature | None)
    assert_type((image.save("x", sign=remote), image.to_bytes(sign="required")), tuple[Path, bytes])
    unsigned: type[ImageSaveError] = SignatureError
    assert_type(len(unsigned.__name__), int)
    assert_type(len(wrong.__name__), int)


def set_up() -> None:
    """Make settings in code."""
    settings = IonosSettings(api_key="token", image_edit_model="klein", timeout=30, max_retries=1, sandbox=True)
    assert_type(settings.api_key, SecretStr | None)
    assert_type(settings.image_model, str)


def handle_errors(client: openai.OpenAI) -> None:
    """Catch what can go wrong, with the SDK's classes and with ours."""
    try:
        generate_images(client, "a fox", n=3, directory="pictures")
    except openai.RateLimitError as error:
        assert_type(error.response.headers.get("retry-after") is None, bool)
        assert_type(partial_images(error), list[GeneratedImage])
    except openai.APIStatusError as error:
        assert_type(error.request_id, str | None)
    except ImageDecodeError as error:
        assert_type((error.index, error.images), tuple[int | None, list[GeneratedImage]])
    except ImageSaveError as error:
        assert_type(error.paths, list[Path | str])
    except UnknownModelError as error:
        assert_type(error.candidates, list[str])


def check_the_tree() -> None:
    """Hold our exceptions against the SDK's."""
    base: type[openai.OpenAIError] = IonosError
    refused: tuple[type[openai.AuthenticationError], ...] = (InvalidTokenError,)
    configured: tuple[type[ConfigurationError], ...] = (MissingTokenError, UntrustedHostError, InvalidTokenError)
    wrong: type[ValueError] = InvalidRequestError
    warned: type[UserWarning] = IonosWarning
    assert_type(len((base, wrong, warned, *refused, *configured)), int)


def stand_in(sandbox: Sandbox) -> None:
    """Ask the sandbox without a client."""
    sandbox.fault("rate-limit", times=2)
    assert_type(sandbox.respond(SandboxRequest(method="GET", path="/v1/models")), SandboxResponse)
