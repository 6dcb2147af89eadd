"""What a batch takes for its requests: prompts, rows of tables, numbers of NumPy's kind; and what it refuses."""

from __future__ import annotations

import collections
import datetime
import types
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import (
    BatchEvent,
    BatchResult,
    ImageRequest,
    ImageSaveError,
    InvalidRequestError,
    IonosError,
    MissingTokenError,
    UnknownModelError,
    create_client,
    generate_batch,
    generate_images,
)
from ionos_openai.batch.request import complete, read_row
from ionos_openai.hub.prices import parse_money
from ionos_openai.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


class Number:
    """A whole number of another library's, as NumPy's and PyTorch's are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Missing:
    """What pandas has where a value is missing: it refuses to be compared."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_rows_of_a_table_are_requests(tmp_path: Path) -> None:
    """Columns that a request has go where they belong, blanks are no value, and the rest is the user's own."""
    rows = [
        {"prompt": "a fox", "sku": Number(7), "seed": 3.0, "name": float("nan"), "day": datetime.date(2026, 11, 28)},
        {"prompt": "a hen", "sku": 8, "seed": float("nan"), "name": "hen", "day": Missing(), "n": "2"},
        {"prompt": "a cow", "metadata": {"sku": 9}, "extra": {"user": "me"}},
    ]
    results = generate_batch(create_client(sandbox=True), rows, tmp_path).run()
    found = {result.request.prompt: result.request for result in results}
    assert found["a fox"].metadata == {"sku": 7, "day": "2026-11-28"}
    assert (found["a fox"].seed, found["a fox"].name) == (3, None)
    assert (found["a hen"].metadata, found["a hen"].n, found["a hen"].seed) == ({"sku": 8}, 2, None)
    assert (found["a cow"].metadata, found["a cow"].extra) == ({"sku": 9}, {"user": "me"})
    assert list(generate_batch(create_client(sandbox=True), iter(rows), tmp_path)) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": ["a fox", "a hen"]}, "prompt is no text."),
        ({"prompt": "a fox", "n": 1.5}, "n=1.5 is no whole number."),
        ({"prompt": "a fox", "seed": True}, "seed=True is no whole number."),
        ({"text": "a fox"}, "The prompt is empty: say what the picture shows."),
        (ImageRequest(prompt=["a fox"]), "The prompt is list, not text. For several prompts call generate_batch"),  # type: ignore[arg-type]
        (("prompt", "a fox"), "A request is a prompt, a dict or an ImageRequest, not tuple."),
    ],
)
def test_a_request_that_cannot_work_is_named_before_anything_is_sent(row: Any, problem: str, tmp_path: Path) -> None:
    """Of a list, with its number."""
    sandbox = Sandbox()
    with pytest.raises(InvalidRequestError) as caught:
        generate_batch(create_client(sandbox=sandbox), ["a hen", row], tmp_path)
    assert str(caught.value).startswith(f"Request 2 cannot work: {problem}")
    assert not sandbox.requests


def table(*rows: str) -> object:
    """Return what has columns, and methods that give rows."""
    calls = dict.fromkeys((*rows, "__iter__"), lambda self: iter(["prompt", "sku"]))
    return type("Table", (), {"columns": ["prompt", "sku"], **calls})()


SOURCES: dict[str, tuple[Any, str]] = {
    "a text": ("a fox", "one text: pass a list of prompts, such as [prompt]."),
    "a frozen mapping": (
        types.MappingProxyType({"4711": "a fox"}),
        "one mapping: pass its prompts, list(prompts.values()), or [ImageRequest(prompt=prompt, name=name) for name, "
        "prompt in prompts.items()].",
    ),
    "a counter": (collections.Counter(["a fox"]), "one mapping: pass its prompts, list(prompts.values())"),
    "pandas": (table("to_dict"), 'a table: pass its rows, table.to_dict("records").'),
    "polars": (table("to_dict", "to_dicts"), "a table: pass its rows, table.to_dicts()."),
    "PyArrow": (table("to_pylist"), "a table: pass its rows, table.to_pylist()."),
    "nothing": (None, "NoneType: pass a list of prompts."),
    "one request": (ImageRequest(prompt="a fox"), "ImageRequest: pass a list of prompts."),
}


@pytest.mark.parametrize(("source", "problem"), SOURCES.values(), ids=SOURCES.keys())
def test_what_holds_no_requests_is_refused_with_the_line_to_write(source: Any, problem: str, tmp_path: Path) -> None:
    """Its letters, keys or columns are no prompts, and would be paid for."""
    sandbox = Sandbox()
    with pytest.raises(InvalidRequestError) as caught:
        generate_batch(create_client(sandbox=sandbox), source, tmp_path)
    assert str(caught.value).startswith(f"The requests are {problem}")
    assert not sandbox.requests


def test_whole_numbers_of_another_library_are_whole_numbers(tmp_path: Path) -> None:
    """For a call, for a batch and for a request; what is recorded and sent is plain."""
    sandbox, two = Sandbox(), Number(2)
    client: Any = create_client(sandbox=sandbox)
    images = generate_images(client, "a fox", n=two, seed=two, directory=tmp_path / "one")  # type: ignore[arg-type]
    assert [image.seed for image in images] == [2, 2]
    assert len(client.images.generate(prompt="a fox", model="flux.1", n=two).data) == 2
    limits: Any = {"concurrency": two, "max_attempts": two, "max_images": two}
    request: Any = ImageRequest(prompt="a fox", n=two, seed=two)  # type: ignore[arg-type]
    (result,) = generate_batch(client, [request], tmp_path, **limits)
    assert (result.request, len(result.paths)) == (
        ImageRequest(prompt="a fox", n=2, seed=2, model=images[0].model, size="1024x1024"),
        2,
    )
    plain = ImageRequest(prompt="a fox", n=2, seed=2)
    assert list(generate_batch(client, [plain], tmp_path)) == []
    assert len(sandbox.requests) == 6


def test_a_row_keeps_what_labels_say_behind_its_own() -> None:
    """A column of the same name comes first; how many pictures is the caller's default."""
    row = read_row({"prompt": " a fox ", "sku": "7"}, {"sku": "0", "job": "spring"}, 3)
    assert row == ImageRequest(prompt="a fox", n=3, metadata={"sku": "7", "job": "spring"})
    assert complete({"prompt": "a fox", "size": "64x64"}, model="m", size=None).size == "64x64"


def test_what_a_batch_tells_is_short(tmp_path: Path) -> None:
    """A result, an event, how far it is and what it will take are lines."""
    events: list[BatchEvent] = []
    batch = generate_batch(create_client(sandbox=True), ["a fox " * 30], tmp_path, on_event=events.append)
    (result,) = batch.run()
    name = result.paths[0].name
    assert str(result) == f"{repr('a fox ' * 30)[:59].rstrip()}…: {name}, placeholder"
    assert repr(result) == f"BatchResult({result})"
    assert repr(batch.progress) == "Progress(1 of 1 done)"
    assert repr(events[-1]) == f"BatchEvent({events[-1].message})"
    assert repr(batch.estimate) == f"Estimate({batch.estimate})"
    paid = BatchResult(request=ImageRequest(prompt="a hen"), error=ValueError("no hen"), cost=parse_money("3 EUR"))
    assert str(paid) == "'a hen': 3.00 EUR, failed: no hen"


def test_an_error_of_ours_is_its_message_in_a_notebook() -> None:
    """With its notes, and none of the frames that led to it."""
    for made in (MissingTokenError("No token."), ImageSaveError("Full."), UnknownModelError("No such model.")):
        made.add_note("See the log.")
        with pytest.raises(IonosError) as caught:
            raise made from OSError()
        shown = "".join(caught.value._render_traceback_())
        assert shown.endswith(f"{type(made).__name__}: {made}\nSee the log.\n")
        assert "Traceback" not in shown
