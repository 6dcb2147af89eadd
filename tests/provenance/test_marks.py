"""The mark in what is saved: on by default, without the prompt, and never in the way of a picture."""

from __future__ import annotations

import base64
import io
import json
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ionos_openai import (
    Cost,
    GeneratedImage,
    InvalidRequestError,
    IonosSettings,
    IonosWarning,
    Provenance,
    agenerate_images,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    estimate_cost,
    generate_images,
    read_provenance,
    save_images,
)
from ionos_openai.client.in_process import answering_client
from ionos_openai.errors.http import http_library
from ionos_openai.files.formats import SANDBOX_MARK
from ionos_openai.hub.models import find_model
from ionos_openai.provenance import ALGORITHMIC, COMPOSITE, TRAINED, has_c2pa, marking as marking_module, to_xmp

if TYPE_CHECKING:
    from pathlib import Path

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
FLUX = "black-forest-labs/FLUX.1-schnell"


def encode(kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def image(kind: str = "JPEG", **facts: Any) -> GeneratedImage:
    facts = {"data": encode(kind), "prompt": "a fox", "model": FLUX, "size": "24x16", "created": MADE, **facts}
    return GeneratedImage(format=kind, width=24, height=16, **facts)  # type: ignore[arg-type]


def signed() -> bytes:
    """Return a JPEG with the beginnings of a C2PA manifest."""
    content = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
    data = encode()
    data = data[:2] + b"\xff\xeb" + (2 + len(content)).to_bytes(2, "big") + content + data[2:]
    assert has_c2pa(data)
    return data


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        return opened.tobytes()


def said(**facts: Any) -> Provenance:
    """Return what the mark of `image()` says."""
    return Provenance(
        **{
            "digital_source_type": TRAINED,
            "ai_system": f"IONOS AI Model Hub, {FLUX}",
            "model": FLUX,
            "size": "24x16",
            "creator_tool": "ionos-openai",
            "created": MADE,
            **facts,
        }
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_saved_is_marked_and_its_pixels_are_as_they_were(kind: str, tmp_path: Path) -> None:
    """save, save_images and to_bytes write the same mark, without the prompt; `data` stays as it was sent."""
    one = image(kind)

    written = [one.save(tmp_path / "one").read_bytes(), save_images(one, tmp_path, name="two")[0].read_bytes()]

    assert written == [one.to_bytes()] * 2
    assert read_provenance(written[0]) == said()
    assert pixels(written[0]) == pixels(one.data)
    assert one.data == encode(kind)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("placeholder", [False, True])
def test_a_conversion_keeps_the_mark(source: str, kind: str, placeholder: bool, tmp_path: Path) -> None:
    """In every format the mark is the same, and a placeholder's says that it is one."""
    one = image(source)
    if placeholder:
        one = image(source, data=one.data + SANDBOX_MARK)

    path = one.save(tmp_path / "a", format=kind)

    facts = {
        "digital_source_type": ALGORITHMIC,
        "ai_system": None,
        "placeholder": True,
        "creator_tool": "ionos-openai sandbox, placeholder",
    }
    assert read_provenance(path) == said(**(facts if placeholder else {}))
    assert path.read_bytes() == one.to_bytes(format=kind)
    assert decode_images(answer(path))[0].sandbox == placeholder


def answer(path: Path) -> dict[str, object]:
    return {"data": [{"b64_json": base64.b64encode(path.read_bytes()).decode()}]}


def test_the_prompt_is_in_it_only_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument asks for it, else the setting; save_images takes its own prompt where the picture knows none."""
    assert read_provenance(image().to_bytes(prompt_in_metadata=True)) == said(prompt="a fox")
    (path,) = save_images(image(prompt=None), tmp_path, prompt="a hen", prompt_in_metadata=True)
    assert (path.name, read_provenance(path)) == ("a-hen.jpg", said(prompt="a hen"))
    monkeypatch.setenv("IONOS_PROMPT_IN_METADATA", "1")
    assert read_provenance(image().save(tmp_path / "a")) == said(prompt="a fox")
    assert read_provenance(image().to_bytes(prompt_in_metadata=False)) == said()


def test_without_provenance_the_bytes_are_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument turns the mark off, else the setting; the argument wins over it."""
    assert image().to_bytes(provenance=False) == image().data
    assert image().save(tmp_path / "a", provenance=False).read_bytes() == image().data
    monkeypatch.setenv("IONOS_PROVENANCE", "off")
    assert save_images(image(), tmp_path)[0].read_bytes() == image().data
    assert read_provenance(image().save(tmp_path / "b", provenance=True)) == said()


def test_edits_and_seeds_are_told() -> None:
    """An edit is a composite, and a seed that was sent is in the mark."""
    record = read_provenance(image(edited=True, seed=0).to_bytes())
    assert record == said(digital_source_type=COMPOSITE, seed=0)


def client_that_answers(data: bytes, **options: Any) -> Any:
    body = json.dumps({"data": [{"b64_json": base64.b64encode(data).decode()}]}).encode()
    response = http_library().Response
    return create_client(api_key="test", http_client=answering_client(lambda _: response(200, content=body)), **options)


@pytest.mark.parametrize(
    ("arguments", "seed"), [({"seed": 7}, 7), ({"seed": 7, "extra_body": {"seed": 8}}, 8), ({}, None)]
)
def test_the_seed_that_was_sent_is_remembered(arguments: dict[str, Any], seed: int | None) -> None:
    """generate_images knows it from its own arguments, and a client of the factory from the SDK's call."""
    client = client_that_answers(encode())
    assert generate_images(client, "a fox", **arguments)[0].seed == seed
    response = client.images.generate(prompt="a fox", model=FLUX, extra_body={"seed": seed} if seed else None)
    assert decode_images(response)[0].seed == seed
    assert decode_images(response, seed=9)[0].seed == 9


@pytest.mark.parametrize("odd", [True, "7", 7.5, None])
def test_what_is_no_whole_number_is_no_seed(odd: object) -> None:
    """A seed of another kind is sent as it is, and not remembered."""
    assert generate_images(client_that_answers(encode()), "a fox", extra_body={"seed": odd})[0].seed is None


def test_the_clients_settings_decide_for_its_pictures(tmp_path: Path) -> None:
    """Settings that were given in code hold for generate_images, and its arguments win over them."""
    settings = IonosSettings(provenance=False, file_names="digest", prompt_in_metadata=True)
    client = client_that_answers(encode(), settings=settings)
    (plain,) = generate_images(client, "a fox", directory=tmp_path)
    (marked,) = generate_images(client, "a fox", directory=tmp_path, provenance=True)
    assert plain.path is not None
    assert marked.path is not None
    assert (len(plain.path.stem), plain.path.read_bytes()) == (16, encode())
    record = read_provenance(marked.path)
    assert record is not None
    assert record.prompt == "a fox"


async def test_all_four_functions_mark(tmp_path: Path) -> None:
    """Sync and async, pictures and edits of the stand-in are saved as placeholders, an edit too."""
    client, async_client = create_client(sandbox=True), create_async_client(sandbox=True)
    (first,) = generate_images(client, "a", directory=tmp_path, prompt_in_metadata=True, seed=1)
    (second,) = await agenerate_images(async_client, "b", directory=tmp_path, prompt_in_metadata=True)
    (third,) = edit_images(client, first, "c", directory=tmp_path, prompt_in_metadata=True)
    records = [read_provenance(one.path) for one in (first, second, third) if one.path]
    assert [one and (one.placeholder, one.prompt, one.seed) for one in records] == [
        (True, "a", 1),
        (True, "b", None),
        (True, "c", None),
    ]


def test_a_signed_picture_is_not_touched_and_gets_a_sidecar(tmp_path: Path) -> None:
    """Its bytes are as they were sent; the mark stands beside it, under the longer name where the other is taken."""
    one = image(data=signed())

    first, second = (one.save(tmp_path / name) for name in ("fox.jpg", "fox.jpeg"))

    assert (first.read_bytes(), second.read_bytes()) == (signed(), signed())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fox.jpeg", "fox.jpeg.xmp", "fox.jpg", "fox.xmp"]
    assert read_provenance(first) == said()


def test_a_converted_signed_picture_carries_the_mark_itself(tmp_path: Path) -> None:
    """A conversion leaves no signature to break."""
    path = image(data=signed()).save(tmp_path / "fox.png")
    assert read_provenance(path.read_bytes()) == said()
    assert [one.name for one in tmp_path.iterdir()] == ["fox.png"]


def test_overwriting_keeps_what_others_wrote_into_the_sidecar(tmp_path: Path) -> None:
    """The sidecar of the replaced picture says the new origin, and a credit line in it stays."""
    (tmp_path / "fox.xmp").write_bytes(to_xmp(Provenance(credit="Agency", model="old", seed=3)))
    path = image(data=signed()).save(tmp_path / "fox.jpg", overwrite=True)
    assert read_provenance(path) == said(credit="Agency")


def test_a_sidecar_of_another_picture_is_left_alone(tmp_path: Path) -> None:
    """Marking or replacing a picture never speaks for the other one of its name."""
    first, second = (image(data=signed()).save(tmp_path / name) for name in ("fox.jpg", "fox.jpeg"))
    before = (tmp_path / "fox.xmp").read_bytes()
    image(data=signed()).save(second, overwrite=True)
    marking_module.write_sidecar(second, Provenance(credit="Agency"), overwrite=True)
    assert (tmp_path / "fox.xmp").read_bytes() == before
    assert read_provenance(first) == said()
    found = read_provenance(second)
    assert found is not None
    assert found.credit == "Agency"


def test_a_gif_gets_a_sidecar(tmp_path: Path) -> None:
    """Formats without a place for the packet are marked beside the file."""
    (path,) = save_images(image("GIF"), tmp_path)
    assert path.read_bytes() == encode("GIF")
    assert read_provenance(path) == said()


def test_bytes_that_need_a_sidecar_come_with_a_warning() -> None:
    """to_bytes has no place for a sidecar, and says so."""
    with pytest.warns(IonosWarning) as caught:
        assert image(data=signed()).to_bytes() == signed()
    assert str(caught[0].message) == (
        "The picture has no mark of where it comes from: its mark needs a file beside it, which save() writes."
    )
    assert caught[0].filename == __file__


def test_a_picture_that_cannot_be_marked_is_saved_first_and_then_warned_of(tmp_path: Path) -> None:
    """Even where warnings are errors, all pictures of a call are on disk before the first one is given."""
    broken = image(data=b"no picture")
    with pytest.raises(IonosWarning) as caught:
        save_images([broken, image()], tmp_path, name="a")
    assert str(caught.value) == (
        "a.jpg was saved as it was sent, without a mark of where it comes from: The bytes are no JPEG, PNG or WebP, "
        "which can take an XMP packet. Write the sidecar instead."
    )
    assert (tmp_path / "a.jpg").read_bytes() == b"no picture"
    assert read_provenance(tmp_path / "a-2.jpg") == said()


@pytest.mark.parametrize("facts", [{"seed": 10**5000}, {"created": datetime.min.replace(tzinfo=None)}, {"model": 7}])
def test_no_odd_fact_keeps_a_picture_from_being_saved(facts: dict[str, Any], tmp_path: Path) -> None:
    """Whatever the marking raises, the picture is written as it was sent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IonosWarning)
        path = image(**facts).save(tmp_path / "a")
    assert pixels(path.read_bytes()) == pixels(encode())


def test_a_sidecar_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is there, and the warning gives the reason."""

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(marking_module, "write_sidecar", full)
    with pytest.warns(IonosWarning) as caught:
        path = image(data=signed()).save(tmp_path / "a")
    assert path.read_bytes() == signed()
    assert str(caught[0].message) == (
        "a.jpg was saved as it was sent, without a mark of where it comes from: its sidecar cannot be written (No "
        "space left on device)."
    )


# Cost.


def test_a_cost_is_the_dated_price_times_the_images() -> None:
    """Exact decimals, the price's currency and source; by id or short name; none for none."""
    price = find_model(FLUX).price  # type: ignore[union-attr]
    assert price is not None
    cost = estimate_cost(FLUX, 3)
    assert cost == Cost(amount=Decimal("0.096"), currency="USD", source=price.source)
    assert (str(cost), estimate_cost("flux.1", 3)) == ("0.096 USD", cost)
    assert estimate_cost(FLUX, 0) == Cost(amount=Decimal(0), currency="USD", source=price.source)


@pytest.mark.parametrize("model", ["flux.2", "vendor/unknown", "unknown", "flux", ""])
def test_what_has_no_known_price_has_no_cost(model: str) -> None:
    """Neither a model without a price nor one that nobody knows is guessed at."""
    assert estimate_cost(model, 1) is None


@pytest.mark.parametrize("images", [-1, 1.0, True, "1", None])
def test_a_number_of_images_that_cannot_be_is_refused(images: Any) -> None:
    """Only whole numbers from 0 are counted."""
    with pytest.raises(InvalidRequestError) as caught:
        estimate_cost(FLUX, images)
    assert str(caught.value) == f"images is {images!r}: it must be a whole number from 0."
