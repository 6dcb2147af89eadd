"""`ionos-openai batch` and `costs`: files of prompts in, what is printed, and with which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai.batch import ImageRequest, Progress
from ionos_openai.batch.costs import summarise
from ionos_openai.batch.records import Record
from ionos_openai.cli.batch import progress_line, tell_regularly
from ionos_openai.cli.batch_files import read_table
from ionos_openai.cli.terminal.output import Terminal
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.prices import Money
from tests.tokens import make_token
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.terminal import Result

FLUX = "black-forest-labs/FLUX.1-schnell"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service on loopback that the command line takes for the real one."""
    with Service() as running:
        monkeypatch.setenv("IONOS_API_TOKEN", make_token())
        monkeypatch.setenv("IONOS_BASE_URL", running.url)
        yield running


def read(name: str, content: str | bytes, **labels: str) -> list[ImageRequest]:
    """Write a file and read its prompts."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(name, labels, model=FLUX, size="1024x1024", n=1).requests


# Files.


def test_a_text_file_has_a_prompt_a_line() -> None:
    """Blank lines and comments are skipped; a byte order mark and Windows' line ends do no harm."""
    requests = read("p.txt", b"\xef\xbb\xbfa fox\r\n\r\n# no prompt\r\n  ein B\xc3\xa4r \r\n")
    assert [request.prompt for request in requests] == ["a fox", "ein Bär"]


def test_csv_has_columns_and_the_others_are_metadata() -> None:
    """Quoted cells may have line breaks; labels are further metadata, and a column comes before a label."""
    text = 'prompt,sku,N,name,seed,size\n"a fox,\nred",7,2,fox,,1024x1792\n\na bear,,,,5,\n'
    requests = read("p.csv", text, sku="0", campaign="May")
    assert requests == [
        ImageRequest(prompt="a fox,\nred", n=2, name="fox", size="1024x1792", metadata={"sku": "7", "campaign": "May"}),
        ImageRequest(prompt="a bear", seed=5, metadata={"sku": "0", "campaign": "May"}),
    ]


def test_json_lines_have_an_object_a_line() -> None:
    """Other keys are metadata, kept as they are."""
    requests = read("p.jsonl", '{"prompt": "a", "seed": 3, "sku": 7, "extra": {"steps": 4}}\n\n"b"\n')
    assert requests == [
        ImageRequest(prompt="a", seed=3, extra={"steps": 4}, metadata={"sku": 7}),
        ImageRequest(prompt="b"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "p.csv",
            'prompt,n,size\nfox,x,\n"a\nb",0,\n,1,\nbear,1,9x9\na,b,c,d\n',
            "Nothing was sent: p.csv has 5 bad rows. line 2: n='x' is no whole number. line 3: ",
        ),
        ("p.csv", "a,b\n1,2\n", "Nothing was sent: p.csv has 1 bad row. line 1: there is no column called prompt."),
        ("p.jsonl", '{"prompt": "a"}\n[1]\n', "Nothing was sent: p.jsonl has 1 bad row. line 2: it is no JSON object."),
        ("p.jsonl", '{"prompt": 1}\n', "Nothing was sent: p.jsonl has 1 bad row. line 1: prompt is no text."),
        ("p.txt", "# nothing\n", "p.txt has no prompts: write one a line."),
        ("p.txt", b"a\nb\xe4r\n", "p.txt is not UTF-8 text (line 2): save it as UTF-8."),
        ("p.xls", "", "p.xls is no .txt, .csv or .jsonl file: rename it, or pipe it in with -."),
    ],
)
def test_bad_rows_are_named_with_their_lines(name: str, content: str | bytes, message: str) -> None:
    """All of them at once, before anything is sent."""
    with pytest.raises(InvalidRequestError) as caught:
        read(name, content)
    assert str(caught.value).startswith(message)


def test_every_bad_row_is_named() -> None:
    """The line is that where the row begins."""
    with pytest.raises(InvalidRequestError) as caught:
        read("p.csv", 'prompt,n,size\nfox,x,\n"a\nb",0,\n,1,\nbear,1,9x9\na,b,c,d\n')
    assert [part.split(":")[0] for part in str(caught.value).split("line ")[1:]] == ["2", "3", "5", "6", "7"]


# The command.


def test_a_batch_from_the_terminal(cli: Callable[..., Result], service: Service) -> None:
    """A line a picture on standard output, a summary on standard error, and the second run has nothing to do."""
    Path("p.txt").write_text("a fox\na bear\n")
    first = cli("batch", "p.txt", "-o", "out", "--concurrency", "1")
    assert first.code == 0
    assert (
        first.out == f"{Path('out/a-fox.jpg')}\t{FLUX}\t1024x1024\t-\n{Path('out/a-bear.jpg')}\t{FLUX}\t1024x1024\t-\n"
    )
    assert first.err.splitlines()[0] == "2 pictures, 0.064 USD."
    assert first.err.splitlines()[-1] == (f"2 made (2 pictures); 0 s; 0.064 USD. Record: {Path('out/manifest.jsonl')}")
    second = cli("batch", "p.txt", "-o", "out")
    assert (second.code, second.out, service.requests) == (0, "", 2)
    assert second.err.splitlines()[0] == "Nothing is left to be made."
    assert "2 done before" in second.err


def test_json_is_one_document(cli: Callable[..., Result], service: Service) -> None:
    """With what was made, what failed, and the error that decided the exit code."""
    service.fault = lambda number, prompt: "400" if prompt == "b" else None
    Path("p.csv").write_text("prompt,sku\na,7\nb,8\n")
    result = cli("batch", "p.csv", "-o", "out", "--json", "--label", "campaign=May")
    document = result.json()
    assert (result.code, document["done"], document["failed"], document["cost"]) == (
        1,
        1,
        1,
        {"amount": "0.032", "currency": "USD"},
    )
    assert document["images_saved"][0]["metadata"] == {"campaign": "May", "sku": "7"}
    assert document["errors"][0]["prompt"] == "b"
    assert document["error"] == document["errors"][0]


def test_a_dry_run_sends_nothing_and_leaves_nothing(cli: Callable[..., Result], service: Service) -> None:
    """It checks the file, and tells number, cost and what is done."""
    Path("p.txt").write_text("a\nb\n")
    result = cli("batch", "p.txt", "-o", "out", "--dry-run", "-n", "2")
    assert (result.code, result.out) == (0, "Would make 4 pictures, 0.128 USD. Nothing was sent.\n")
    assert not Path("out").exists()
    document = cli("batch", "p.txt", "-o", "out", "--dry-run", "--json", "--sandbox").json()
    assert (document["images"], document["sandbox"]) == (2, True)
    assert cli("batch", "p.txt", "-o", "made", "--sandbox", "-q").code == 0
    done = cli("batch", "p.txt", "-o", "made", "--sandbox", "--dry-run").out
    assert done == "Nothing is left to be made; 2 of 2 prompts are done. Nothing was sent.\n"
    assert service.requests == 0


def test_retry_failed_and_redo(cli: Callable[..., Result], service: Service) -> None:
    """Failed prompts alone, or chosen ones once more."""
    service.fault = lambda number, prompt: "400" if number == 1 else None
    Path("p.txt").write_text("a\nb\n")
    assert cli("batch", "p.txt", "-o", "out", "--concurrency", "1", "-q").code == 1
    Path("p.txt").write_text("a\nb\nc\n")
    assert cli("batch", "p.txt", "-o", "out", "--retry-failed", "-q").out == f"{Path('out/a.jpg')}\n"
    assert cli("batch", "p.txt", "-o", "out", "--redo", "b", "-q").out.count("\n") == 2
    Path("out/b-2.jpg").unlink()
    assert cli("batch", "p.txt", "-o", "out", "--missing", "remake", "-q").out == f"{Path('out/b-2.jpg')}\n"


def test_a_limit_of_ones_own_leaves_the_rest(cli: Callable[..., Result], service: Service) -> None:
    """The run ends before it would spend more, says what is left, and with 1."""
    Path("p.txt").write_text("a\nb\nc\n")
    result = cli("batch", "p.txt", "-o", "out", "--max-cost", "0.07")
    assert (result.code, service.requests) == (1, 2)
    assert "Warning: --max-cost 0.07 USD is reached; what is left is made by the next run." in result.err
    assert "1 left" in result.err
    assert cli("batch", "p.txt", "-o", "out", "--max-images", "0").code == 1
    assert cli("batch", "p.txt", "-o", "out", "--max-cost", "much").code == 2


def test_a_refused_token_ends_with_77(cli: Callable[..., Result], service: Service) -> None:
    """After it nothing more is sent."""
    service.fault = lambda number, prompt: "401"
    Path("p.txt").write_text("\n".join(f"p{number}" for number in range(30)))
    result = cli("batch", "p.txt", "-o", "out", "--concurrency", "2")
    assert (result.code, service.requests <= 2) == (77, True)


def test_usage_is_checked_first(cli: Callable[..., Result], service: Service) -> None:
    """A label without a value, a missing file, an unknown word: 2, and nothing is sent or made."""
    Path("p.txt").write_text("a\n")
    for wrong in (
        ["p.txt"],
        ["p.txt", "-o", "out", "--label", "x"],
        ["no.txt", "-o", "out"],
        ["p.txt", "-o", "out", "--missing", "buy"],
        ["p.txt", "-o", "out", "--concurrency", "0"],
        ["p.txt", "-o", "-"],
        ["p.txt", "-o", ""],
    ):
        assert cli("batch", *wrong).code == 2
    assert (service.requests, [path.name for path in Path().iterdir()]) == (0, ["p.txt"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program can take")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_in_flight(service: Service, number: signal.Signals) -> None:
    """No new prompts, everything that was asked for is recorded, and it says how to go on; the code is 130."""
    service.delay = 0.3
    Path("p.txt").write_text("\n".join(f"p{number}" for number in range(30)))
    child = subprocess.Popen(
        [sys.executable, "-m", "ionos_openai", "batch", "p.txt", "-o", "out", "--concurrency", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while service.requests < 3 and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert len(Path("out/manifest.jsonl").read_text().splitlines()) == service.requests == out.count("\n") < 30
    assert "what is on its way is still saved; Ctrl-C again drops it." in err
    assert err.splitlines()[-1] == "Run the same command again: it goes on where this one ended."


# How far it is.


def test_the_line_about_progress() -> None:
    """Done, failed, asked for, the pace, the time left by the limits, and the cost."""
    progress = Progress(
        total=300,
        done=40,
        failed=1,
        skipped=9,
        in_flight=4,
        images=40,
        attempts=41,
        cost=Money(amount=Decimal("1.28"), currency="USD"),
    )
    assert progress_line(progress, 126.0, ContractLimits()) == (
        "49 of 300 done, 1 failed, 4 asked for or waiting for the limit, 19.0 pictures/min, 25 min left, 1.28 USD"
    )
    assert progress_line(Progress(), 0.0, None) == "0 done, 0 asked for or waiting for the limit"


class _Soon(threading.Event):
    """The end of a run that comes while the third line is waited for; no time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return len(self.waited) > 2


def test_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """The first one after ten, and none after the end."""
    over = _Soon()
    tell_regularly(Terminal(), lambda: f"line {len(over.waited)}", over)
    assert (capsys.readouterr().err, over.waited) == ("line 1\nline 2\n", [10.0] * 3)


# Costs.


def entry(identifier: str, files: list[str], **others: Any) -> Record:
    """Return a line of a record."""
    cost = {"amount": str(Decimal("0.032") * len(files)), "currency": "USD"}
    line = {"id": identifier, "status": "done", "started": "1", "cost": cost, "metadata": {"sku": identifier}}
    return Record({**line, "files": [{"name": name} for name in files], **others})


def test_costs_count_each_picture_once() -> None:
    """A line that supersedes another of the same run is no further picture; one of a later run is."""
    lines = [
        entry("a", ["a.jpg"], status="failed"),
        entry("a", ["a.jpg", "a-2.jpg"]),
        entry("a", ["a-3.jpg"], started="2"),
        entry("b", ["b.jpg"], cost=None),
        entry("c", ["c.jpg"], cost=None, sandbox=True),
        entry("d", [], cost=None, status="failed"),
    ]
    [(_, whole)] = summarise(lines, by=None).items()
    assert (whole.pictures, whole.cost(), whole.unknown_price, whole.placeholders, whole.failed) == (
        4,
        "0.096 USD",
        1,
        1,
        1,
    )
    assert summarise(lines, by="sku")["b"].cost() == "unknown"


def test_costs_of_a_directory(cli: Callable[..., Result], service: Service) -> None:
    """As lines, as CSV by a column, and as JSON; a directory without a record is an error."""
    Path("p.csv").write_text("prompt,sku\na,7\nb,8\nc,7\n")
    assert cli("batch", "p.csv", "-o", "out", "-q").code == 0
    assert cli("costs", "out").out == "pictures\tcost\tunknown_price\tplaceholders\tfailed\n3\t0.096 USD\t0\t0\t0\n"
    assert cli("costs", "out", "--by", "sku", "--csv").out.splitlines() == [
        "sku,pictures,cost,unknown_price,placeholders,failed",
        "7,2,0.064 USD,0,0,0",
        "8,1,0.032 USD,0,0,0",
    ]
    [group] = cli("costs", "out", "--json").json()["groups"]
    assert group["costs"] == [{"amount": "0.096", "currency": "USD"}]
    assert cli("costs", "nowhere").code == 2
    assert json.loads(Path("out/manifest.jsonl").read_text().splitlines()[0])["status"] == "done"
