"""What a command prints: each form of a result once, and only the one that is wanted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from rich.text import Text

from ionos_openai.cli.terminal.exits import Outcome
from ionos_openai.cli.terminal.output import Terminal, csv_line, headed, plain_table, visible
from ionos_openai.errors import InvalidRequestError, InvalidTokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table


def _shown() -> Iterator[Table | Text]:
    yield plain_table(("Name", "Text"), [("a", "word " * 30)])
    yield Text("a/path/" * 20)


def test_a_result_has_one_form(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the document or rows, people get what is shown."""
    Terminal(json=True).result({"a": 1}, [["b", "c"]], _shown)
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "a": 1}
    Terminal().result({"a": 1}, [["b", "c"]], _shown)
    assert capsys.readouterr().out == "b\tc\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Terminal().result({"a": 1}, [["b", "c"]], _shown)
    lines = capsys.readouterr().out.splitlines()
    assert "Name" in lines[0]
    assert len(lines) > 3, "the table's last column is folded"
    assert lines[-1] == "a/path/" * 20, "a path is not"


def test_a_part_is_left_to_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed as it comes is no line beside a JSON document."""
    Terminal(json=True).part([["b"]], _shown)
    assert capsys.readouterr().out == ""
    Terminal(quiet=True).part([["b"]], _shown)
    assert capsys.readouterr().out == "b\n"


def test_what_is_said_of_a_path_stands_below_it() -> None:
    """The path comes first, so that it can be copied; a line may have a style of its own."""
    path, line, warning = headed("fox.png", ["PNG", ("a placeholder", "yellow")])
    assert (path.plain, line.plain, warning.plain, warning.style) == ("fox.png", "  PNG", "  a placeholder", "yellow")


def test_an_outcome_ends_as_its_worst_failure_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Each failure is told at once; the document has them all, and the one that decides the exit code."""
    outcome = Outcome(terminal=Terminal(json=True))
    outcome.fail(InvalidRequestError("It is empty."), prompt="a")
    outcome.fail(InvalidTokenError("It has ended."), "b: it has ended.", path="b", message="b")
    assert outcome.end({"made": []}) == 77
    printed = capsys.readouterr()
    assert printed.err == "Error: It is empty.\nError: b: it has ended.\n"
    document = json.loads(printed.out)
    assert list(document) == ["schema", "made", "errors", "error"]
    assert [list(error)[:2] for error in document["errors"]] == [["prompt", "message"], ["path", "message"]]
    assert document["error"] == document["errors"][1]
    assert document["error"]["message"] == "b"


def test_an_outcome_without_a_failure_has_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A document says that something went wrong only where it did; a code without an error has one of its own."""
    outcome = Outcome(terminal=Terminal(json=True))
    assert outcome.end({}, otherwise={"message": "left"}) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "errors": []}
    outcome.codes.append(1)
    assert outcome.end({}, otherwise={"message": "left"}) == 1
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "errors": [], "error": {"message": "left"}}


@pytest.mark.parametrize(("instead", "said"), [(None, "a\\tb\udc80\\ud800"), (" ", "a b\udc80 ")])
def test_a_cell_has_no_control_characters(instead: str | None, said: str) -> None:
    """They are written out or replaced, as is half a character; a byte of a file's name that is no Unicode stays."""
    assert visible("a\tb\udc80\ud800", instead=instead) == said


def test_what_is_printed_gives_a_terminal_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """In rows and below a path alike."""
    bad = "a\x1b]0;title\x07\tb\u202ec"
    Terminal().part([[bad, bad]], lambda: ())
    assert capsys.readouterr().out == "\t".join([r"a\x1b]0;title\x07\tb\u202ec"] * 2) + "\n"
    assert all(line.plain.isprintable() for line in headed(bad, [bad, (bad, "bold")]))


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        (" +1+cmd|x", "' +1+cmd|x"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", '"\'\t=1"'),
        ("\r=1", '"\'\r=1"'),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a;=1+1", '"a;=1+1"'),
        ('a";=1+1', '"a"";=1+1"'),
        ("a\x1b]0;\u202eb", '"a ]0; b"'),
        ("a\ud800b", "a b"),
        ("-2.5", "-2.5"),
        ("a-fox = a fox", "a-fox = a fox"),
    ],
)
def test_a_cell_of_csv_is_no_formula(cell: str, written: str) -> None:
    """Also where a spreadsheet cuts lines at semicolons or tabs; numbers stay numbers."""
    assert csv_line([cell, "1"]) == f"{written},1"
