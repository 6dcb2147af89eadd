"""Discovery: which of the service's models make images, and short names for them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import openai
import pytest
from hypothesis import given, settings, strategies as st

from ionos_openai.client import create_async_client, create_client
from ionos_openai.errors import InvalidRequestError, UnknownModelError
from ionos_openai.hub import alist_image_models, list_image_models
from ionos_openai.hub.catalogue import CATALOGUE, DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, Price, SizeRule
from ionos_openai.hub.models import (
    check_size,
    estimate_cost,
    find_model,
    makes_images,
    parse_size,
    resolve_model,
    select_image_models,
    suggest_model,
)
from ionos_openai.hub.prices import Money
from tests import REPOSITORY
from tests.loopback import Answer, LoopbackServer
from tests.tokens import make_token

FLUX1 = "black-forest-labs/FLUX.1-schnell"
FLUX2 = "black-forest-labs/FLUX.2-klein-4B"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
LISTS = {"2025-03": [FLUX1, SDXL], "2025-08": [FLUX1, SDXL], "2026-08": [FLUX1, FLUX2]}


def recorded(month: str) -> Any:
    return json.loads((REPOSITORY / "tests" / "recorded" / f"models-{month}.json").read_text())


@pytest.mark.parametrize(("month", "expected"), LISTS.items())
async def test_the_recorded_lists_give_their_image_models(
    month: str, expected: list[str], server: LoopbackServer
) -> None:
    """Each recorded list gives its image models, from any client of the SDK's, sync and async."""
    server.default = Answer(body=recorded(month))
    with openai.OpenAI(api_key="x", base_url=server.url) as plain:
        found = list_image_models(plain)
    with create_client(api_key=make_token(), base_url=server.url) as client:
        assert list_image_models(client) == found
    async with openai.AsyncOpenAI(api_key="x", base_url=server.url) as plain_async:
        assert await alist_image_models(plain_async) == found
    async with create_async_client(api_key=make_token(), base_url=server.url) as asynchronous:
        assert await alist_image_models(asynchronous) == found
    assert [model.id for model in found] == expected
    assert {model.reason for model in found} == {"catalogue"}
    assert {request.path for request in server.requests} == {"/v1/models"}


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": []},
        {"object": "list", "data": None},
        {"object": "list"},
        {},
        {"data": {"id": FLUX1}},
        {"data": 5},
        {"data": [None, 5, "x", [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"object": "model"}]},
    ],
)
async def test_a_list_that_lacks_anything_is_an_empty_one(body: object, server: LoopbackServer) -> None:
    """Whatever is missing in the list or its entries breaks nothing."""
    server.default = Answer(body=body)
    with create_client(api_key="t", base_url=server.url) as client:
        assert list_image_models(client) == []
    async with create_async_client(api_key="t", base_url=server.url) as asynchronous:
        assert await alist_image_models(asynchronous) == []


async def test_a_client_of_the_other_kind_is_refused(server: LoopbackServer) -> None:
    """Rather than an empty list; nothing is asked."""
    asynchronous: Any = create_async_client(api_key="t", base_url=server.url)
    with pytest.raises(InvalidRequestError) as caught:
        list_image_models(asynchronous)
    assert str(caught.value) == "The client is an AsyncOpenAI: use alist_image_models, and await it."
    client: Any = create_client(api_key="t", base_url=server.url)
    with pytest.raises(InvalidRequestError) as caught:
        await alist_image_models(client)
    assert str(caught.value) == "The client is an OpenAI, which nothing awaits: use list_image_models."
    assert not server.requests


def test_entries_that_lack_fields_are_still_found(server: LoopbackServer) -> None:
    """An id alone is enough, each model counts once, and the order is the catalogue's, then by name."""
    ids = ["zzz/flux-9", FLUX2, "a/Qwen-Image", FLUX1, FLUX1, "b/sd-3.5"]
    server.default = Answer(body={"data": [{"id": one} for one in ids]})
    with create_client(api_key="t", base_url=server.url) as client:
        found = list_image_models(client)
    assert [model.id for model in found] == [FLUX1, FLUX2, "zzz/flux-9", "a/Qwen-Image", "b/sd-3.5"]
    assert [model.reason for model in found] == ["catalogue"] * 2 + ["name pattern"] * 3
    assert (found[2].name, found[2].purpose, found[2].can_edit, found[2].price) == ("flux-9", "", None, None)


MAKERS = [
    "black-forest-labs/FLUX.2-dev", "black-forest-labs/FLUX.1-Kontext-dev", "FLUX.3-pro", "flux-schnell",
    "stabilityai/stable-diffusion-3.5-large", "stable-diffusion-v1-5", "StableDiffusion-4", "sdxl-turbo", "sd-turbo",
    "SD3.5-large", "Qwen/Qwen-Image", "Qwen/Qwen-Image-Edit", "Qwen/Qwen-Image-Edit-2511", "Qwen/Qwen-Image-2.0",
    "Qwen/Qwen-Image-Lightning", "zai-org/GLM-Image", "tencent/HunyuanImage-3.0", "Tongyi-MAI/Z-Image-Turbo",
    "openai/gpt-image-1", "openai/dall-e-3", "google/imagen-4.0", "Imagen4", "PixArt-Sigma", "kandinsky-5", "Kolors",
    "HiDream-I1-Full", "Sana_1600M", "sana-1.5", "playground-v2.5", "deepseek-ai/Janus-Pro-7B", "Wan2.2-T2I-A14B",
    "deepseek-ai/JanusFlow-1.3B", "black-forest-labs/FLUX.1-Redux-dev", "CogView4-6B", "vendor/text-to-image-1",
]  # fmt: skip
NO_MAKERS = [
    "Qwen/Qwen3-VL-Embedding-8B", "Qwen/Qwen3-VL-Reranker-8B", "lightonai/LightOnOCR-2-1B", "BAAI/bge-m3",
    "bge-m3-migration", "black-forest-labs/FLUX.1-schnell-migration", "stable-diffusion-xl-base-1.0-migration",
    "Qwen/Qwen3-VL-30B", "Qwen/Qwen-Image-VL", "openai/gpt-oss-120b", "openai/clip-vit-large", "google/siglip-so400m",
    "llava-hf/llava-image-to-text", "vendor/image-embedding-1", "vendor/image-classifier-2", "vendor/image-captioner",
    "meta-llama/Llama-3.2-11B-Vision", "black-forest-labs/FLUX-embeddings", "CompVis/stable-diffusion-safety-checker",
    "Flux-Prompt-Enhance", "stabilityai/sd-vae-ft-mse", "vendor/image2text", "vendor/image2video-2",
    "stable-diffusion-video", "vendor/imagenet-vit", "sanabil-7b", "mistralai/Mistral-Nemo-Instruct-2407",
    "vendor/influx-db-assistant", "flux/llama-3", "", "/", "image/llama",
    "internlm/JanusCoder-8B", "internlm/JanusCoderV-7B",
]  # fmt: skip


@pytest.mark.parametrize("identifier", MAKERS)
def test_families_that_make_images_are_known_by_name(identifier: str) -> None:
    """A new member of a known family is found without a new version of this package."""
    assert makes_images(identifier)
    assert [model.id for model in select_image_models([{"id": identifier}])] == [identifier]


@pytest.mark.parametrize("identifier", NO_MAKERS)
def test_what_reads_pictures_or_none_at_all_is_left_out(identifier: str) -> None:
    """Embedding, reranking, OCR, vision-language models, aliases and texts are no image models."""
    assert not makes_images(identifier)
    assert select_image_models([{"id": identifier}]) == []


def test_every_fact_of_the_catalogue_has_a_dated_source() -> None:
    """Each entry, size rule and price says where it is from, when it was seen and on which basis."""
    for model in CATALOGUE:
        sources = [*model.sources]
        sources += [model.size_rule.source] if model.size_rule else []
        sources += [model.price.source] if model.price else []
        assert model.sources
        assert all(source.page and source.seen.year >= 2025 for source in sources)
        assert {source.basis for source in sources} <= {"DOC", "REC", "CODE"}
        assert (model.reason, model.name) == ("catalogue", model.id.rpartition("/")[2])
    assert len({model.id for model in CATALOGUE}) == len(CATALOGUE)
    edit = find_model(DEFAULT_EDIT_MODEL)
    assert (DEFAULT_IMAGE_MODEL, DEFAULT_EDIT_MODEL) == (FLUX1, FLUX2)
    assert edit is not None
    assert edit.can_edit
    assert [model.id for model in CATALOGUE if model.retired] == [SDXL]
    assert find_model("nothing") is None


# Names.


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        (FLUX1, FLUX1),
        (FLUX1.upper(), FLUX1),
        ("FLUX.1-schnell", FLUX1),
        (" flux.1 ", FLUX1),
        ("Schnell", FLUX1),
        ("klein", FLUX2),
        ("flux.2", FLUX2),
        ("FLUX.2-KLEIN", FLUX2),
        ("sdxl", SDXL),
        ("SDXL", SDXL),
        ("stable-diffusion", SDXL),
        ("vendor/unknown-model", "vendor/unknown-model"),
        (" vendor/unknown-model ", "vendor/unknown-model"),
    ],
)
def test_a_short_name_resolves_to_the_one_model_it_fits(name: str, identifier: str) -> None:
    """An id stays, in the catalogue's spelling where it has it; a short name becomes the id."""
    assert resolve_model(name) == identifier


def test_a_name_that_fits_none_or_several_lists_the_candidates() -> None:
    """The error says what there is, and what was likely meant."""
    current = [model.id for model in CATALOGUE if not model.retired]
    ids = ", ".join(current)
    end = f"Known: {ids}. A model that is not among them is named with its full id (vendor/name)."
    for name, message, candidates in (
        (
            "flux",
            f"The model name 'flux' fits several models: {FLUX1}, {FLUX2}. Write one of them in full.",
            [FLUX1, FLUX2],
        ),
        ("FLUX.1-schnel", f"No image model fits the name 'FLUX.1-schnel'. Did you mean {FLUX1}? {end}", None),
        ("qqq", f"No image model fits the name 'qqq'. {end}", None),
        ("", "The model is empty: name one, such as FLUX.1-schnell.", None),
        (" ", "The model is empty: name one, such as FLUX.1-schnell.", None),
        (None, "The model is NoneType, not text: name one, such as FLUX.1-schnell.", None),
        ("a/\udc80", "The model is no valid text: name one, such as FLUX.1-schnell.", None),
        (
            "DALL-E-2",
            "The model 'DALL-E-2' is OpenAI's, which OpenAI retired on 2026-05-12: leave the model out, or name one of "
            f"IONOS': {ids}.",
            None,
        ),
        (
            "gpt-image-1.5",
            f"The model 'gpt-image-1.5' is OpenAI's: leave the model out, or name one of IONOS': {ids}.",
            None,
        ),
    ):
        with pytest.raises(UnknownModelError) as caught:
            resolve_model(name)  # type: ignore[arg-type]
        assert str(caught.value) == message
        assert caught.value.candidates == (candidates or current)


def test_a_name_is_looked_up_among_given_candidates() -> None:
    """Ids of a live list take the catalogue's place, and two vendors' models of one name are told apart."""
    ids = ["a/flux-9", "b/flux-9", "c/other"]
    assert resolve_model("other", ids) == "c/other"
    with pytest.raises(UnknownModelError) as caught:
        resolve_model("flux-9", ids)
    assert caught.value.candidates == ["a/flux-9", "b/flux-9"]
    assert suggest_model("c/othr", ids) == "c/other"
    assert suggest_model("FLUX.1") == FLUX1
    assert suggest_model("zzzzzz") is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_name_breaks_the_lookup(name: str) -> None:
    """Any text gives an id or an UnknownModelError."""
    try:
        assert resolve_model(name)
    except UnknownModelError as error:
        found = error
    else:
        return
    assert found.candidates


# Sizes.


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024x1792", (1024, 1792)),
        (" 64 X 64 ", (64, 64)),
        ("1x16384", (1, 16384)),
        ("1024*1792", (1024, 1792)),
        ("64 \u00d7 32", (64, 32)),
    ],
)
def test_a_size_is_width_and_height(text: str, size: tuple[int, int]) -> None:
    """Two whole numbers with an x between them are read, or with what else people write there."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "1024", "1024x", "x1024", "0x5", "1x16385", "-1x5", "1.5x2", "1024:1024", "1x2x3", "auto", None, 5]
)
def test_what_is_no_size_is_refused(text: object) -> None:
    """Anything else is an error that shows how to write it."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_size(text)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"The size {text!r} cannot be used: write WIDTHxHEIGHT in pixels, such as '1024x1024', each side from 1 to "
        "16384."
    )


def test_an_official_rule_is_enforced_and_one_from_code_alone_warned_about() -> None:
    """FLUX.1's sizes are IONOS' own, FLUX.2's only a client's; what the catalogue does not know has no rule."""
    assert check_size("1024x1792", FLUX1) is None
    with pytest.raises(InvalidRequestError) as caught:
        check_size("512x512", FLUX1)
    assert re.fullmatch(
        r"FLUX\.1-schnell makes 1024x1024 or 1024x1792 or 1792x1024, not 512x512 "
        r"\(source: https://docs\.ionos\.com/\S+, 2026-11\)\. Choose one of them\.",
        str(caught.value),
    )
    assert check_size("64x2048", FLUX2) is None
    for size in ("63x64", "2064x64", "100x100"):
        assert check_size(size, FLUX2) == (
            f"FLUX.2-klein-4B makes sides that are multiples of 16, 64 to 2048 px, not {size}, as far as is known; the "
            "service may refuse it."
        )
    assert check_size("1x1", SDXL) is check_size("1x1", "vendor/unknown") is None
    source = CATALOGUE[0].sources[0]
    assert SizeRule(multiple_of=8, minimum=8, source=source).describe() == "sides that are multiples of 8, 8 upwards px"
    assert SizeRule(minimum=8, source=source).allows(9, 100_000)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("0.5", "0.50"),
        ("0.032", "0.032"),
        ("0.0320", "0.032"),
        ("0.00041", "0.00041"),
        ("3.2", "3.20"),
        ("12.864", "12.86"),
        ("-2.5", "-2.50"),
        ("1E+2", "100.00"),
        ("9" * 40, "9" * 40 + ".00"),
    ],
)
def test_an_amount_is_in_cents_unless_it_is_smaller(amount: str, shown: str) -> None:
    """What a record and a document have stays exact."""
    money = Money(amount=Decimal(amount), currency="EUR")
    assert (str(money), repr(money)) == (f"{shown} EUR", f"Money({shown} EUR)")
    assert Decimal(money.facts()["amount"]) == Decimal(amount)
    price = Price(amount=Decimal(amount), currency="EUR", source=CATALOGUE[0].sources[0])
    assert (str(price), repr(price)) == (f"{shown} EUR", f"Price({shown} EUR)")


def test_models_are_short_lines_and_a_table() -> None:
    """What is known of each, and a table that no name turns into HTML."""
    models = select_image_models([{"id": "black-forest-labs/FLUX.1-schnell"}, {"id": "a<b>/qwen-image"}])
    assert str(models[0]) == "FLUX.1-schnell: artistic, stylised images from text, 0.032 USD"
    assert repr(models) == f"[ImageModel({models[0]}), ImageModel(qwen-image: not in the catalogue, price not known)]"
    assert repr(estimate_cost("flux.1", 100)) == "Cost(3.20 USD)"
    html = models._repr_html_()  # type: ignore[attr-defined]  # a notebook asks for it
    assert (html.count("<tr>"), html.count("<td>"), "a&lt;b&gt;/qwen-image" in html) == (3, 8, True)
