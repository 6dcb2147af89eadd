"""The commands with a bucket's URL in the place of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.terminal import Result

pytest.importorskip("obstore", reason="obstore is not installed: pip install -e '.[buckets]'")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, which processes of this machine share."""
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    return (Path.cwd() / "bucket").as_uri()


def test_pictures_go_into_a_bucket(cli: Callable[..., Result], url: str) -> None:
    """`-o` takes its URL; one that ends in a picture's name names the picture."""
    done = cli("generate", "a fox", "-o", url, "--quiet")
    assert (done.code, done.out) == (0, f"{url}/a-fox.jpg\n")
    done = cli("edit", f"{url}/a-fox.jpg", "bluer", "-o", f"{url}/blue.png", "--quiet")
    assert (done.code, done.out) == (0, f"{url}/blue.png\n")
    assert cli("generate", "a fox", "-o", f"{url}/fox.png", "--name", "x").code == 2


def test_a_batch_in_a_bucket_is_gone_on_with_summed_and_shown(cli: Callable[..., Result], url: str) -> None:
    """The record is where the pictures are; a page of them goes into a directory."""
    Path("p.txt").write_text("a fox\na hare\n", encoding="utf-8")
    assert cli("batch", "p.txt", "-o", url, "--label", "sku=7").code == 0
    again = cli("batch", "p.txt", "-o", url, "--dry-run", "--label", "sku=7")
    assert "nothing is left to be made" in again.out.lower()
    groups = cli("costs", url, "--by", "sku", "--json").json()["groups"]
    assert [(group["group"], group["placeholders"]) for group in groups] == [("7", 2)]
    assert cli("results", url).out.count("done") == 2
    for _ in range(2):
        assert cli("gallery", url, "-o", "page", "--quiet").code == 0
    assert {"a-fox.jpg", "a-hare.jpg", "index.html", "manifest.jsonl"} <= {path.name for path in Path("page").iterdir()}


def test_what_has_no_record_is_told(cli: Callable[..., Result], url: str) -> None:
    """By the URL, with the remedy; a page needs a directory, which is not another batch's."""
    for command in ("costs", "results"):
        assert cli(command, url).code == 2
    assert "-o DIR" in cli("gallery", url).err
    Path("p.txt").write_text("a fox\n", encoding="utf-8")
    cli("batch", "p.txt", "-o", url)
    Path("other.txt").write_text("another\n", encoding="utf-8")
    cli("batch", "other.txt", "-o", "mine")
    assert "the record of another batch" in cli("gallery", url, "-o", "mine").err
