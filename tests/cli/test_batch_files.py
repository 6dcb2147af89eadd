"""Damaged files of prompts are refused before anything is sent, and damaged records do not upset the costs."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai.batch import ImageRequest
from ionos_openai.batch.records import read_records
from ionos_openai.cli.batch_files import read_table
from ionos_openai.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.terminal import Result

FLUX = "black-forest-labs/FLUX.1-schnell"


def read(name: str, content: str) -> list[ImageRequest]:
    """Write a file and read its prompts."""
    Path(name).write_bytes(content.encode())
    return read_table(name, {}, model=FLUX, size=None, n=1).requests


def complaint(name: str, content: str) -> str:
    """Return what is wrong with the rows of a file that is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        read(name, content)
    start, _, rest = str(caught.value).partition(". ")
    assert start.startswith(f"Nothing was sent: {name} has ")
    return rest


# Files of prompts.


def test_a_cell_too_long_is_a_bad_row() -> None:
    """The rows after it are checked too, and the limit of the process stays."""
    limit = csv.field_size_limit()
    assert complaint("p.csv", f"prompt,n\n{'x' * (limit + 1)},1\nfox,1\nbear,x\n") == (
        f"line 2: it is no CSV (field larger than field limit ({limit})): check its quotes. "
        "line 4: n='x' is no whole number."
    )
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('prompt,sku\nowl,0\n"a fox,1\nb cat,2\n', "line 3: it is no CSV (unexpected end of data): check its quotes."),
        ('"prompt,sku\na fox,1\n', "line 1: it is no CSV (unexpected end of data): check its quotes."),
        ('prompt\n"a" fox\n', "line 2: it is no CSV (',' expected after '\"'): check its quotes."),
        ("prompt,prompt,sku\na,b,1\n", "line 1: there are 2 columns called prompt: leave one, or rename them."),
        ("prompt,Prompt\na,b\n", "line 1: there are 2 columns called prompt: leave one, or rename them."),
        ("prompt,sku, sku \na,1,2\n", "line 1: there are 2 columns called sku: leave one, or rename them."),
        ("prompt,,sku\na,,1\nb,x,2\n", "line 3: column 2 has no name, and a cell here: name it in line 1."),
    ],
)
def test_broken_csv_is_refused(content: str, problem: str) -> None:
    """What a program guesses from a missing quote or a double name would be bought."""
    assert complaint("p.csv", content) == problem


def test_an_empty_column_without_a_name_is_left_out() -> None:
    """Tables often end each line with commas, and end in rows of nothing but commas."""
    assert read("p.csv", "prompt,sku,,\nfox,1,,\nbear,2\n,,,,\n") == [
        ImageRequest(prompt="fox", metadata={"sku": "1"}),
        ImageRequest(prompt="bear", metadata={"sku": "2"}),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"prompt": "b", "n": 1e400}', "n=inf is no whole number."),
        ('{"prompt": "b", "seed": -1e400}', "seed=-inf is no whole number."),
        ("[" * 100_000, "it is nested too deeply."),
    ],
)
def test_extreme_json_is_a_bad_row(row: str, problem: str) -> None:
    """JSON has no limits; what is beyond ours is named with its line."""
    assert complaint("p.jsonl", f'"a"\n{row}\n') == f"line 2: {problem}"


def test_the_kind_of_standard_input_is_found_out_with_semicolons_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As German spreadsheets write them: else the header would be bought as a picture."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"prompt;sku\na fox;7\n"), encoding="utf-8"))
    [request] = read_table("-", {}, model=FLUX, size=None, n=1).requests
    assert request == ImageRequest(prompt="a fox", metadata={"sku": "7"})


def test_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell's `0<&-` leaves it."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InvalidRequestError) as caught:
        read_table("-", {}, model=FLUX, size=None, n=1)
    assert str(caught.value) == "Standard input is closed: pipe the prompts in, or name a file with them."


# Costs.


def record(directory: str, *entries: dict[str, Any]) -> None:
    """Write a batch's record."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    lines = [{"id": f"{number:024x}", "status": "done", **entry} for number, entry in enumerate(entries)]
    (Path(directory) / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def picture(sku: str = "", amount: str = "0.032") -> dict[str, Any]:
    """Return what a record says of one picture."""
    return {"files": [{"name": "a.jpg"}], "metadata": {"sku": sku}, "cost": {"amount": amount, "currency": "USD"}}


def test_a_damaged_line_is_passed_over(cli: Callable[..., Result]) -> None:
    """One whose files are no list, or that is nested without end, says nothing about pictures."""
    record("out", picture(), {"files": 5})
    with Path("out/manifest.jsonl").open("a") as manifest:
        manifest.write("[" * 100_000 + "\n")
    assert cli("costs", "out").out.splitlines()[1:] == ["1\t0.032 USD\t0\t0\t0"]


@pytest.mark.parametrize("amount", ["1E+999999999999", "1E-999999999999", "1e16", "NaN", "Infinity", "much"])
def test_an_amount_that_is_none_is_unknown(cli: Callable[..., Result], amount: str) -> None:
    """It neither ends the sum nor becomes part of it, and the gallery passes over it too."""
    record("out", picture(), picture(amount=amount))
    assert cli("costs", "out").out.splitlines()[1:] == ["2\t0.032 USD\t1\t0\t0"]
    known, unknown = read_records(Path("out")).records
    assert (str(known.cost), unknown.cost) == ("0.032 USD", None)


def test_a_directory_that_is_named_twice_counts_once(cli: Callable[..., Result]) -> None:
    """However it is written."""
    record("out/real", picture())
    record("out/other", picture())
    same = ["out/real", "out/real/", "out/other/../real", str(Path("out/real").resolve())]
    assert cli("costs", *same, "out/other").out.splitlines()[1:] == ["2\t0.064 USD\t0\t0\t0"]


@pytest.mark.parametrize("sku", ["a\u2028b", "a\x0bb", "a\nb", "a\rb", 'a"b', "a,b", "a;b"])
def test_csv_keeps_what_a_column_holds(cli: Callable[..., Result], sku: str) -> None:
    """Each group is one record, whatever its name has in it."""
    record("out", picture(sku))
    rows = list(csv.reader(io.StringIO(cli("costs", "out", "--by", "sku", "--csv").out, newline="")))
    assert rows == [
        ["sku", "pictures", "cost", "unknown_price", "placeholders", "failed"],
        [sku, "1", "0.032 USD", "0", "0", "0"],
    ]


def test_control_characters_of_a_column_are_written_out(cli: Callable[..., Result]) -> None:
    """A tab is no further cell, a line break no further line, and no terminal obeys them."""
    record("out", picture("a\tb\n\x1b[31mc"), picture("ä\u2028"), picture("\ud800"))
    cells = [line.split("\t") for line in cli("costs", "out", "--by", "sku").out.split("\n")]
    assert [line[0] for line in cells] == ["sku", r"\ud800", r"a\tb\n\x1b[31mc", r"ä\u2028", ""]
    assert [len(line) for line in cells] == [6, 6, 6, 6, 1]
