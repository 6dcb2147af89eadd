"""What a command prints: each form of a result once, and only the one that is wanted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from rich.text import Text

from ionos_openai.cli.terminal.output import Terminal, plain_table, visible

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


@pytest.mark.parametrize(("instead", "said"), [(None, "a\\tb\udc80"), (" ", "a b\udc80")])
def test_a_cell_has_no_control_characters(instead: str | None, said: str) -> None:
    """They are written out or replaced; a byte of a file's name that is no Unicode stays."""
    assert visible("a\tb\udc80", instead=instead) == said
