"""`ionos-openai migrate`, as it is called."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from ionos_openai.cli.app import run
from ionos_openai.cli.migrate import project

Call: TypeAlias = Callable[..., tuple[int, str, str]]

KEY = "sk-proj-canary0123456789abcdef"
ASKED = "client.images.generate(prompt='x', model='FLUX.1-schnell')\n"
SOURCE = f"from openai import OpenAI\nclient = OpenAI()\n{ASKED}"
WRITTEN = f"from ionos_openai import create_client\nclient = create_client()\n{ASKED}"
DIFF = f"""\
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@
-from openai import OpenAI
-client = OpenAI()
+from ionos_openai import create_client
+client = create_client()
 {ASKED}"""


NEXT = """\
Next: install ionos-openai where the code runs, set IONOS_API_TOKEN there, and try it with IONOS_SANDBOX=1, which \
needs no token. Tests that mock OpenAI's classes mock the factories instead.
"""


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["migrate", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_in_a_pipe_each_place_is_a_line_with_tabs(called: Call) -> None:
    """A place, its state, what the code does, what happens, what to write; nothing is changed."""
    Path("a.py").write_text(SOURCE)
    assert called("a.py") == (
        0,
        "a.py:2\t--write does it\tmakes a client with OpenAI\tas it stands, it asks a service other than IONOS\t"
        "create_client()\n",
        f"1 file for --write to change; 0 places left to do by hand.\n{NEXT}",
    )
    assert Path("a.py").read_text() == SOURCE


def test_write_changes_the_files_and_says_so(called: Call) -> None:
    """What is safe is written; the next run finds nothing."""
    Path("a.py").write_text(SOURCE)
    code, out, err = called(".", "--write")
    assert (code, out.split("\t")[1], Path("a.py").read_text()) == (0, "written", WRITTEN)
    assert err == f"1 file written; 0 places left to do by hand.\n{NEXT}"
    assert called(".") == (0, "", "Nothing of OpenAI's images found.\n")


def test_diff_shows_what_write_would_change(called: Call) -> None:
    """Standard output is the diff alone, and the file stays."""
    Path("a.py").write_text(SOURCE)
    assert called("a.py", "--diff")[:2] == (0, DIFF)
    assert Path("a.py").read_text() == SOURCE


COMMON = """\
import os

from openai import OpenAI

KEY = os.environ["OPENAI_API_KEY"]  # TOKENIZERS_PARALLELISM = "false"
client = OpenAI(api_key=os.environ["OPENAI_API_KEY"], organization=os.getenv("OPENAI_ORG_ID"))
client.images.generate(prompt="x", model="dall-e-3")
token_type, tokenizer = "bearer", "cl100k_base"
"""


@pytest.mark.parametrize("source", [COMMON, COMMON.rstrip(), COMMON.replace("\n", "\r\n")])
def test_the_diff_applies(called: Call, source: str) -> None:
    """Its lines are those of the file, whatever they end with, and make of it what --write makes."""
    Path("a.py").write_bytes(source.encode())
    shown = called("a.py", "--diff")[1]
    called("a.py", "--write")
    assert applied(source, shown) == Path("a.py").read_bytes().decode() != source


def applied(text: str, diff: str) -> str:
    """Apply a unified diff of one file, each of whose lines must be as the file has it."""
    before, after = text.splitlines(keepends=True), []
    for hunk in re.split(r"(?m)^@@ .*\n", diff)[1:]:
        hunk = re.sub(r"\n\\ No newline at end of file\n", "", hunk)
        for line in re.findall(r"[^\n]*\n|[^\n]+", hunk):
            if line[0] in " -":
                assert before.pop(0) == line[1:]
            after += [line[1:]] if line[0] in " +" else []
    return "".join([*after, *before])


def test_what_is_left_to_a_person_is_exit_code_1(called: Call) -> None:
    """Also after everything safe was written."""
    Path("a.py").write_text(SOURCE + "open(client.images.generate(prompt='x').data[0].url + '.png', 'w')\n")
    assert called("a.py")[0] == 1
    assert called("a.py", "--write")[0] == 1


def test_one_bad_file_does_not_stop_the_others(called: Call) -> None:
    """It is told as skipped, the others are written."""
    Path("a.py").write_text("import openai (\n")
    Path("b.py").write_bytes(b"# \xe9 openai")
    Path("c.py").write_text(SOURCE)
    code, out, err = called(".", "--write")
    assert (code, [line.split("\t")[:2] for line in out.splitlines()]) == (
        1,
        [["c.py:2", "written"], ["a.py", "skipped"], ["b.py", "skipped"]],
    )
    assert err.startswith("1 file written; 0 places left to do by hand; 2 files skipped.")
    assert Path("c.py").read_text() == WRITTEN


@pytest.mark.parametrize("options", [[], ["--diff"], ["--json"], ["--diff", "--json"], ["--write"]])
def test_no_key_is_ever_shown(called: Call, options: list[str]) -> None:
    """Not in the report, not in the diff's lines nor around them, not in JSON."""
    Path("a.py").write_text(
        f"OTHER = '{KEY}'\nfrom openai import OpenAI\nPASSWORD = 'hunter2hunter2'\n"
        "client = OpenAI(api_key='another secret value', timeout=3)\n"
        f"# {KEY}\n"
    )
    Path(".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    Path("n.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": f"import openai\nx='{KEY}'"}]}))
    code, out, err = called(".", *options)
    assert code == 1
    assert not [secret for secret in (KEY, "canary", "another secret", "hunter2") if secret in out + err]


def test_json_is_one_document(called: Call) -> None:
    """With its schema, every finding and skip, and the diff where it is asked for."""
    Path("a.py").write_text(SOURCE)
    Path("b.py").write_text("openai (")
    code, out, _ = called(".", "--diff", "--json")
    assert (code, json.loads(out)) == (
        1,
        {
            "schema": 1,
            "findings": [
                {
                    "path": "a.py",
                    "line": 2,
                    "kind": "client",
                    "code": "makes a client with OpenAI",
                    "on_ionos": "as it stands, it asks a service other than IONOS",
                    "remedy": "create_client()",
                    "effort": "write",
                    "cell": None,
                }
            ],
            "skipped": [{"path": "b.py", "reason": "it is not valid Python in line 1 ('(' was never closed)"}],
            "changes": ["a.py"],
            "written": False,
            "left_by_hand": True,
            "diff": DIFF.rstrip("\n"),
        },
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.py", "--diff", "--write"], "Error: Invalid value: --diff and --write exclude each other."),
        (["b.py"], "Error: There is no file or directory b.py: name one that exists."),
        ([], "Error: Missing argument"),
    ],
)
def test_usage_is_exit_code_2(called: Call, arguments: list[str], message: str) -> None:
    """A wrong command line changes nothing."""
    Path("a.py").write_text(SOURCE)
    code, out, err = called(*arguments)
    assert (code, out, err.startswith(message)) == (2, "", True)
    assert Path("a.py").read_text() == SOURCE


def test_on_a_terminal_a_stranger_s_code_gives_no_commands(called: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its text nor its name."""
    name = "a\x1b]0;title\x07\u202e.py"
    Path(name).write_text(
        "from openai import OpenAI\nOpenAI().images.generate(model='dall-e-3', size='\x1b]0;t\x07\u202e')\n"
    )
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # without colours
    _, out, err = called(".")
    assert out
    assert all(line.isprintable() for line in (out + err).split("\n"))


def test_a_file_without_end_is_passed_over(called: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that is too large, no more than so many bytes are searched for what matters."""
    monkeypatch.setattr(project, "LARGEST", 3 * 10**6)
    with Path("a.py").open("wb") as file:
        file.truncate(10 << 30)
    code, out, _ = called(".")
    assert (code, out) == (0, "a.py\tskipped\tit is larger than 1 MB\t-\t-\n")


def test_on_a_terminal_each_place_is_three_lines(called: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """People get the place, what happens and what to write, each in a line of its own."""
    Path("a.py").write_text(SOURCE)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # without colours
    code, out, _ = called("a.py")
    assert (code, out.splitlines()) == (
        0,
        [
            "a.py:2  --write does it  makes a client with OpenAI",
            "    on IONOS: as it stands, it asks a service other than IONOS",
            "    write:    create_client()",
        ],
    )
