"""Mistakes that people make in the terminal, each with the whole of what they read then, 80 columns wide."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from ionos_openai.cli.app import run

TRANSCRIPTS = Path(__file__).with_name("mistakes.txt").read_text(encoding="utf-8")
FILES = {
    "products.csv": b"sku,title,category\nA1,Mug,kitchen\nA2,,home\nA3,Chair,garden\n",
    "twice.csv": b"prompt,n,size\na fox,two,\na bear,1,\na hen,two,\na cat,1,100x100\n",
    "german.csv": "prompt\nein Bär\n".encode("cp1252"),
    "products.xlsx": b"PK\x03\x04",
    "prompts.txt": b"a fox\n",
    "notes.png": b"no picture",
}


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def _transcripts() -> list[tuple[str, str, int]]:
    blocks = re.findall(r"^\$ ionos-openai ?(.*)\n((?:.*\n)*?)\(exit (\d+)\)$", TRANSCRIPTS, re.MULTILINE)
    return [(line, said, int(code)) for line, said, code in blocks]


@pytest.mark.parametrize(("line", "said", "code"), _transcripts(), ids=[line for line, _, _ in _transcripts()])
def test_a_mistake_is_answered_in_these_words(
    line: str, said: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened and what to do, each on its own line, wrapped at words; nothing is made, and no traceback shown."""
    for name, content in FILES.items():
        Path(name).write_bytes(content)
    screen = _Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    assert run(shlex.split(line)) == code
    shown = screen.getvalue().replace("\n\n", "\n").removeprefix("\n")  # rich 13.0 ends its displays in a blank line
    assert shown == said
    assert capsys.readouterr().out == ""
    assert {path.name for path in Path().iterdir()} == {*FILES}


def test_there_are_transcripts_of_more_than_twenty_mistakes() -> None:
    """Each is a line of its own; every block of the file is read."""
    lines = [line for line, _, _ in _transcripts()]
    assert len(lines) == len({*lines}) == TRANSCRIPTS.count("$ ionos-openai") > 20


def test_a_missing_token_is_answered_in_these_words(capsys: pytest.CaptureFixture[str]) -> None:
    """With the place of the file that was looked for."""
    assert run(["generate", "a fox"]) == 2
    assert capsys.readouterr().err == (
        "Error: No IONOS token: set IONOS_API_TOKEN (or IONOS_API_KEY or IONOS_TOKEN, or IONOS_API_TOKEN_FILE to a "
        f"file that holds it). Looked in the environment and {Path('.env').absolute()}. Make a token in IONOS' Data "
        "Center Designer under Management > Token Manager. To try without one, use the sandbox, which draws "
        "placeholders: IONOS_SANDBOX=1 or --sandbox.\n"
    )
