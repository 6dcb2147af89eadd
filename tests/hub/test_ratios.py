"""A size out of an aspect ratio, in every place that takes one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import (
    ImageRequest,
    InvalidRequestError,
    IonosWarning,
    agenerate_images,
    create_async_client,
    create_client,
    edit_images,
    generate_batch,
    generate_images,
)
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL
from ionos_openai.hub.compat import choose_size
from ionos_openai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.terminal import Result

TOLD = "ignore:.*is asked for as:ionos_openai.IonosWarning"


@pytest.mark.filterwarnings(TOLD)
@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ("1:1", "1024x1024"), ("16:9", "1792x1024"), ("9:16", "1024x1792"), ("4/3", "1792x1024"),
        (" 2.39 : 1 ", "1792x1024"), ("9999:1", "1792x1024"), ("1:9999", "1024x1792"),
    ],
)  # fmt: skip
def test_the_nearest_choice_of_the_same_orientation(ratio: str, expected: str) -> None:
    """Where the model has a few sizes."""
    assert choose_size(None, ratio, DEFAULT_IMAGE_MODEL) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [("1:1", "1024x1024"), ("16:9", "1280x720"), ("3:2", "1248x832"), ("2:3", "832x1248"), ("4:1", "2048x512")],
)
@pytest.mark.parametrize("model", [DEFAULT_EDIT_MODEL, "vendor/unknown"])
def test_the_exact_shape_near_a_megapixel(model: str, ratio: str, expected: str) -> None:
    """Where the model has a range of sizes, or none is known; nothing is told, as it is what was asked."""
    assert choose_size(None, ratio, model) == expected


def test_what_differs_is_told() -> None:
    """With the sizes that there are."""
    with pytest.warns(IonosWarning, match="makes 1024x1024 or .*, so 16:9 is asked for as 1792x1024"):
        choose_size(None, "16:9", DEFAULT_IMAGE_MODEL)


@pytest.mark.parametrize("ratio", ["wide", "16", "16:0", "0:9", "-1:2", "16:9:1", "", "1e3:1", 1.5, "१:१x"])
def test_a_ratio_that_cannot_be_read_names_the_remedy(ratio: Any) -> None:
    """Before anything is sent."""
    with create_client(sandbox=True) as client, pytest.raises(InvalidRequestError, match="write WIDTH:HEIGHT"):
        generate_images(client, "a fox", aspect_ratio=ratio)


@pytest.mark.parametrize("size", ["1024x1024", "512x512"])
def test_size_and_ratio_exclude_each_other(size: str, tmp_path: Path, cli: Callable[..., Result]) -> None:
    """Also where the size is the default one, said in words."""
    with create_client(sandbox=True) as client:
        with pytest.raises(InvalidRequestError, match="exclude each other"):
            generate_images(client, "a fox", size=size, aspect_ratio="1:1")
        with pytest.raises(InvalidRequestError, match="exclude each other"):
            generate_batch(client, ["a fox"], tmp_path, size=size, aspect_ratio="1:1")
        with pytest.raises(InvalidRequestError, match="exclude each other"):
            generate_batch(client, [ImageRequest(prompt="a", size=size, aspect_ratio="1:1")], tmp_path)
    assert cli("generate", "a fox", "--sandbox", "--size", size, "--aspect-ratio", "1:1").code == 2


@pytest.mark.filterwarnings(TOLD)
async def test_every_function_takes_a_ratio(tmp_path: Path) -> None:
    """A batch's rows each by their own model, and what is recorded is the size."""
    with create_client(sandbox=True) as client:
        (image,) = generate_images(client, "a fox", aspect_ratio="16:9")
        (edited,) = edit_images(client, image, "a hat", aspect_ratio="3:2")
        rows: list[Any] = [
            "a", ImageRequest(prompt="b", model="klein"), ImageRequest(prompt="c", aspect_ratio="1:1"),
            ImageRequest(prompt="d", size="1024x1792"), {"prompt": "e", "aspect_ratio": "1:2"},
        ]  # fmt: skip
        results = generate_batch(client, rows, tmp_path, aspect_ratio="16:9").run()
        again = generate_batch(client, rows, tmp_path, aspect_ratio="16:9").estimate
    async with create_async_client(sandbox=True) as asynchronous:
        (tall,) = await agenerate_images(asynchronous, "a fox", aspect_ratio="9:16")
    assert [(image.width, image.height), (edited.width, edited.height)] == [(1792, 1024), (1248, 832)]
    assert (tall.size, tall.width, tall.height) == ("1024x1792", 1024, 1792)
    sizes = {result.request.prompt: result.request.size for result in results}
    assert sizes == {"a": "1792x1024", "b": "1280x720", "c": "1024x1024", "d": "1024x1792", "e": "1024x1792"}
    assert again.images == 0


def test_the_commands_take_a_ratio(tmp_path: Path, cli: Callable[..., Result]) -> None:
    """As an option, and a batch as a column too."""
    made = cli("generate", "a fox", "--sandbox", "--json", "-o", f"{tmp_path}/", "--aspect-ratio", "9:16")
    picture = json.loads(made.out)["images"][0]
    assert (picture["width"], picture["height"]) == (1024, 1792)
    edited = cli("edit", picture["path"], "a hat", "--sandbox", "--json", "-o", f"{tmp_path}/", "--aspect-ratio", "3:2")
    assert json.loads(edited.out)["images"][0]["width"] == 1248
    (tmp_path / "rows.csv").write_text("prompt,aspect_ratio\na,1:1\nb,\n")
    command = ["batch", str(tmp_path / "rows.csv"), "--sandbox", "-o", str(tmp_path / "many"), "--aspect-ratio", "16:9"]
    assert cli(*command).code == 0
    lines = (tmp_path / "many" / "manifest.jsonl").read_text().splitlines()
    sizes = {line["request"]["prompt"]: line["request"]["size"] for line in map(json.loads, lines) if "request" in line}
    assert sizes == {"a": "1024x1024", "b": "1792x1024"}


@pytest.mark.parametrize("size", ["1024*1792", " 1024 X 1792 ", "1024\u00d71792"])
def test_a_size_is_asked_for_in_its_plain_form(size: str, tmp_path: Path) -> None:
    """So that a batch knows its pictures again, however it is spelled; none is made twice."""
    sandbox = Sandbox()
    client = create_client(sandbox=sandbox)
    assert generate_images(client, "a fox", size=size)[0].size == "1024x1792"
    assert client.images.generate(prompt="a fox", model=DEFAULT_IMAGE_MODEL, size=size).data  # type: ignore[call-overload]
    generate_batch(client, ["a hen"], tmp_path, size="1024x1792").run()
    for requests in ([{"prompt": "a hen", "size": size}], ["a hen"]):
        generate_batch(client, requests, tmp_path, size=size).run()
    sent = [request.body["size"] for request in sandbox.requests]
    assert sent == ["1024x1792"] * 3


def test_a_size_that_cannot_be_read_is_refused_with_its_request(tmp_path: Path) -> None:
    """In a batch with the row's number, and nothing is sent."""
    sandbox = Sandbox()
    with pytest.raises(InvalidRequestError, match=r"^Request 2 cannot work: The size '9' cannot be used"):
        generate_batch(create_client(sandbox=sandbox), ["a", {"prompt": "b", "size": "9"}], tmp_path).run()
    assert not sandbox.requests
