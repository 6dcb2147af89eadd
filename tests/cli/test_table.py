"""A table of products: prompts out of columns, names that stay apart, what became of each row, a lost network."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import create_client, generate_batch
from ionos_openai.batch import ImageRequest
from ionos_openai.cli.batch_files import Templates, read_table
from ionos_openai.errors import InvalidRequestError
from tests.loopback import Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.terminal import Result

FLUX = "black-forest-labs/FLUX.1-schnell"
PRODUCTS = "sku,Title,category\nA1,Mug,kitchen\nA2,Lamp,home\nA3,Chair,garden\n"
OF_COLUMNS = ("--prompt", "Photo of {title}, {category}", "--name", "{sku}")


def _table(content: str | bytes, source: str = "p.csv", /, **templates: str) -> Any:
    Path(source).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(source, {}, model=FLUX, size=None, n=1, templates=Templates(**templates))


def _refusal(content: str | bytes, source: str = "p.csv", /, **templates: str) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        _table(content, source, **templates)
    return str(caught.value)


# Prompts out of columns.


def test_prompts_and_names_are_made_of_columns_whatever_their_case() -> None:
    """A brace is written twice; the columns stay as metadata."""
    table = _table(PRODUCTS, prompt="{{{TITLE}}} in {category}", name="{sku}")
    assert table.requests[0] == ImageRequest(
        prompt="{Mug} in kitchen", name="A1", metadata={"sku": "A1", "Title": "Mug", "category": "kitchen"}
    )
    assert [table.place(index) for index in range(3)] == ["p.csv:2 (A1)", "p.csv:3 (A2)", "p.csv:4 (A3)"]


def test_a_columns_name_may_have_anything_but_braces_in_it() -> None:
    """Nothing in a name is taken for a format; a field without one names no column."""
    [request] = _table("Color: main,a!b\nred,big\n", prompt="{color: MAIN} and {a!b}").requests
    assert request.prompt == "red and big"
    assert "line 2: there is no column {}." in _refusal("a\n1\n", prompt="{}")


def test_a_column_can_have_the_prompts() -> None:
    """It is no metadata then."""
    assert _table(PRODUCTS, prompt_column="title").requests[1] == ImageRequest(
        prompt="Lamp", metadata={"sku": "A2", "category": "home"}
    )


@pytest.mark.parametrize(
    ("content", "templates", "said"),
    [
        (
            PRODUCTS,
            {},
            "p.csv has 1 bad row. line 1: there is no column called prompt. The columns are: sku, Title, category. "
            "Name one with --prompt-column, or make the prompt of them, as in --prompt 'Photo of {title}'.",
        ),
        (
            PRODUCTS,
            {"prompt": "Photo of {titel}"},
            "p.csv has 3 bad rows. lines 2, 3, 4: there is no column titel. Did you mean title? The columns are: sku, "
            "Title, category.",
        ),
        (
            "sku,title\nA1,Mug\nA2,\nA3, \nA4,Cup\n",
            {"prompt": "Photo of {title}"},
            "p.csv has 2 bad rows. lines 3, 4: the column title is empty.",
        ),
        ("a,b\n1,2\n", {"prompt": "{a"}, "--prompt cannot be read (expected '}' before end of string): write {{"),
    ],
)
def test_columns_that_are_missing_or_empty_are_named_with_their_lines(
    content: str, templates: dict[str, str], said: str
) -> None:
    """Equal reasons are one, with all their lines."""
    assert said in _refusal(content, **templates)


@pytest.mark.parametrize(
    "content",
    [
        b"prompt\tsku\na fox, red\t7\n",
        b"sep=;\r\nprompt;sku\r\na fox, red;7\r\n",
        "prompt;sku\r\na fox, red;7\r\n".encode("utf-16"),
        b'[{"prompt": "a fox, red", "sku": "7"}]',
        b'"prompt","sku"\n"a fox, red","7"\n',
    ],
)
def test_tables_are_read_as_programs_write_them(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tabs, Excel's `sep=`, UTF-16 and an array of JSON, from a file as from a pipe."""
    name = "p.json" if content.startswith(b"[") else "p.csv"
    [request] = _table(content, name).requests
    assert request == ImageRequest(prompt="a fox, red", metadata={"sku": "7"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    assert read_table("-", {}, model=FLUX, size=None, n=1).requests == [request]


def test_lines_are_counted_as_an_editor_does_behind_sep() -> None:
    """The line with the separator is one of the file's."""
    assert _refusal("sep=;\nprompt;n\nfox;1\nbear;x\n") == (
        "Nothing was sent: p.csv has 1 bad row. line 4: n='x' is no whole number."
    )


def test_a_number_may_be_written_as_a_spreadsheet_does() -> None:
    """2.0 is 2, 2.5 is none."""
    assert _table("prompt,n,seed\nfox,2.0,7.\n").requests == [ImageRequest(prompt="fox", n=2, seed=7)]
    assert "n='2.5' is no whole number." in _refusal("prompt,n\nfox,2.5\n")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"PK\x03\x04...", "p.xlsx", "p.xlsx is a spreadsheet: export it. In Excel: File > Save As > CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0...", "p.xls", "p.xls is a spreadsheet: export it."),
        ("prompt\nfox\n".encode("utf-16-le"), "p.csv", "p.csv is not UTF-8 text (line 1): save it as UTF-8."),
        ("prompt\nBär\n".encode("cp1252"), "p.csv", "save it as UTF-8. In Excel: File > Save As > CSV UTF-8"),
        (b'[{"prompt": "a"}, 7]', "p.json", "line 2: it is no JSON object."),
        (b'[{"prompt": "a"}', "p.json", "line 1: it is no JSON"),
    ],
)
def test_what_cannot_be_read_names_the_menu_that_helps(content: bytes, name: str, said: str) -> None:
    """No reader of spreadsheets is needed to say how to export one."""
    assert said in _refusal(content, name)


# Names.


def test_rows_of_one_name_are_told_apart_in_the_same_way_each_time() -> None:
    """By their order, so that rows of other names may be put between them; equal rows stay equal."""
    rows = "name,prompt\nA1,a\nA1,b\na1.png,c\nA1,b\nA1_2,d\nB,e\n"
    table = _table(rows)
    assert [request.name for request in table.requests] == ["A1", "A1_3", "a1.png", "A1_3", "A1_2", "B"]
    assert table.notes[0] == "p.csv:3: A1 is the name of an earlier row too: this one's files are called A1_3."
    further = _table(rows.replace("B,e\n", "").replace("\n", "\nB,x\n", 1))
    assert [request.name for request in further.requests] == ["B", "A1", "A1_3", "a1.png", "A1_3", "A1_2"]


def test_many_rows_of_one_name_are_told_briefly(cli: Callable[..., Result]) -> None:
    """Twenty of them by line; and so are pictures that a new template supersedes, ten of them by name."""
    table = _table("name,prompt\n" + "".join(f"A,{number}\n" for number in range(30)))
    assert len(table.notes) == 21
    assert table.notes[-1] == "9 further rows have names of earlier ones."
    Path("p.csv").write_text("sku\n" + "".join(f"A{number}\n" for number in range(12)))
    line = ("batch", "p.csv", "-o", "out", "--sandbox", "-q", "--name", "{sku}", "--prompt")
    assert cli(*line, "A {sku}").code == 0
    assert cli(*line, "Photo of {sku}").err.endswith(
        " and 2 more are of older prompts of their names: superseded (results --all shows them).\n"
    )


def test_a_corrected_prompt_supersedes_the_picture_of_the_older_one(cli: Callable[..., Result]) -> None:
    """It is recorded, left out of the results, and counts again where the prompt comes back."""
    Path("p.csv").write_text("sku,title\nA1,Mug\nA2,Lamp\n")
    line = ("batch", "p.csv", "-o", "out", "--sandbox", "--prompt", "Photo of {title}", "--name", "{sku}")
    assert cli(*line).code == 0
    Path("p.csv").write_text("sku,title\nA1,Mug\nA2,Lantern\n")
    said = "A2.jpg is of an older prompt of this name: superseded (results --all shows it)."
    assert said in cli(*line).err
    assert said not in cli(*line).err
    assert _files(cli) == {"A1.jpg": "done", "A2-2.jpg": "done"}
    assert _files(cli, "--all") == {"A1.jpg": "done", "A2.jpg": "superseded", "A2-2.jpg": "done"}
    Path("p.csv").write_text("sku,title\nA1,Mug\nA2,Lamp\n")
    assert "1 made" not in cli(*line).err
    assert _files(cli) == {"A1.jpg": "done", "A2.jpg": "done"}
    assert cli("costs", "out").out.splitlines()[1] == "0\t0\t0\t3\t0"


def _files(cli: Callable[..., Result], *options: str) -> dict[str, str]:
    found = cli("results", "out", "--json", *options).json()["requests"]
    return {request["files"][0]: request["status"] for request in found}


# What became of each row.


def test_a_dry_run_shows_prompts_names_and_what_becomes_of_each_column(cli: Callable[..., Result]) -> None:
    """Before anything is sent."""
    Path("p.csv").write_text(PRODUCTS.replace("category\n", "category,size,note\n").replace("en\n", "en,512x512,x\n"))
    Path("p.csv").write_text("sku,Title,size,note\nA1,Mug,,x\nA2,Lamp,,\n")
    line = ("batch", "p.csv", "-o", "out", "--sandbox", "--prompt", "Photo of {title}", "--name", "{sku}", "--dry-run")
    result = cli(*line)
    assert result.out == "Would make 2 pictures, 0.064 USD. Nothing was sent.\n"
    assert result.err == (
        "p.csv:2 (A1): Photo of Mug -> A1\n"
        "p.csv:3 (A2): Photo of Lamp -> A2\n"
        "Column sku: in prompt or name, and metadata\n"
        "Column Title: in prompt or name, and metadata\n"
        "Column size: of the request (size)\n"
        "Column note: metadata\n"
    )


def test_failures_are_named_by_file_line_and_name_and_can_be_made_again(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """The reasons are summed at the end; `results --failed` is a file that makes just those rows, and no others."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    server.default = Answer(400, {"error": {"message": "Too rude."}})
    Path("p.csv").write_text("sku,title\nA1,=Mug\nA2,Lamp\n")
    line = ("-o", "out", "--base-url", server.url, "--concurrency", "1")
    result = cli("batch", "p.csv", *line, "--prompt", "{title}", "--name", "{sku}")
    assert result.code == 1
    assert "Error: p.csv:2 (A1): The service answered 400 - Too rude.\n" in result.err
    assert "Error: 2 times: The service answered 400 - Too rude. (p.csv:2 (A1), p.csv:3 (A2))\n" in result.err
    again = cli("results", "out", "--failed").out
    head, first, _ = again.splitlines()
    assert head == "prompt,model,size,n,name,seed,sku,title"
    assert first == f"'=Mug,{FLUX},1024x1024,1,A1,,A1,'=Mug"
    Path("again.csv").write_text(again)
    asked = len(server.requests)
    result = cli("batch", "again.csv", *line)
    assert len(server.requests) == asked + 2
    assert "Error: again.csv:2 (A1): " in result.err
    assert len(cli("results", "out", "--json").json()["requests"]) == 2


def test_results_have_the_users_columns_and_open_in_a_spreadsheet(cli: Callable[..., Result]) -> None:
    """A row a request; with the mark that Excel needs, and no cell that it takes for a formula."""
    Path("p.csv").write_text("prompt,name,note\na fox,F1,=1+1\n")
    assert cli("batch", "p.csv", "-o", "out", "--sandbox").code == 0
    text = cli("results", "out", "--excel").out
    assert text[0] == "\ufeff"
    [row] = csv.DictReader(io.StringIO(text[1:]))
    assert row == {
        "note": "'=1+1",
        "file": "F1.jpg",
        "prompt": "a fox",
        "model": FLUX,
        "size": "1024x1024",
        "status": "done",
        "cost": "placeholder",
        "error": "",
    }
    assert cli("results", "out").out.splitlines()[1].startswith("=1+1\tF1.jpg\ta fox\t")
    assert cli("results", ".").err == "Error: . has no manifest.jsonl: name the directory of a batch.\n"
    assert cli("results", "out", "--csv", "--json").code == 2


# A network that is lost.


class _Time:
    """Seconds that pass when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, wake: Any, seconds: float | None) -> None:
        """Let the time pass; without an end, wait for a thread."""
        if seconds is None:
            wake.get(timeout=10)
        else:
            self.now += seconds


@pytest.mark.parametrize("back_after", [None, 200.0])
def test_a_lost_network_is_waited_for_and_burns_no_row(
    back_after: float | None, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After five connections in a row that fail; past the patience the run ends with the error, and all is left."""
    clock, told = _Time(), list[str]()
    client = create_client(api_key=make_token(), sandbox=True)
    make = client.images.generate
    lost = openai.APIConnectionError(request=openai.DefaultHttpxClient().build_request("POST", "https://a.invalid/"))
    lost.__cause__ = type("ConnectError", (Exception,), {})("no name")

    def generate(*arguments: Any, **further: Any) -> Any:
        if back_after is None or clock.now < back_after:
            raise lost
        return make(*arguments, **further)

    monkeypatch.setattr("ionos_openai.batch.drive.Clock", lambda: clock)
    monkeypatch.setattr("ionos_openai.batch.drive.generate_images", _through(generate))
    batch = generate_batch(
        client,
        ["a", "b", "c"],
        tmp_path,
        patience=600,
        concurrency=1,
        on_event=lambda event: told.append(event.message) if event.kind == "waiting" else None,
    )
    if back_after is None:
        with pytest.raises(openai.APIConnectionError):
            batch.run()
        assert 600 <= clock.now < 700
    else:
        batch.run()
    assert told == ["The service cannot be reached: waiting for the network, 10 min at most."]
    progress = batch.progress
    assert (progress.failed, progress.left) == (0, 3 if back_after is None else 0)
    lines = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ([] if back_after is None else ["done"] * 3)


def _through(generate: Callable[..., Any]) -> Callable[..., Any]:
    from ionos_openai.images.generate import generate_images

    def made(client: Any, prompt: str, **further: Any) -> Any:
        client.images.generate = generate
        return generate_images(client, prompt, **further)

    return made


def test_the_live_line_is_one_line_of_a_terminal(tmp_path: Path) -> None:
    """On a terminal of 80 columns a bar, percent, numbers; no paths; at the end where to look."""
    if sys.platform == "win32":
        pytest.skip("it has no pseudo-terminals")
    Path("p.txt").write_text("a fox\n" * 3 + "a cat\n")
    text = _on_terminal("batch p.txt -o out --sandbox --concurrency 1")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    assert re.search(r"^━+ +\d+%  \d of 4", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 80
    assert "out/a-fox.jpg" not in shown
    assert "Look at it: ionos-openai gallery out --open, or ionos-openai results out" in shown
    assert "out/a-fox" in _on_terminal("batch p.txt -o again --sandbox -v").replace("again", "out")


def _on_terminal(line: str) -> str:
    import os
    import pty
    import subprocess

    from tests import REPOSITORY

    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "ionos_openai", *line.split()], stdout=theirs, stderr=theirs, env=environment
    ) as running:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 65536):
                parts.append(part)
        except OSError:  # Linux' way to say that the other end is closed
            pass
        running.wait(30)
    os.close(ours)
    return b"".join(parts).decode()
