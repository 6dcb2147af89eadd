"""Some rounds of what `kill.py` does by the hundred, and a service that fails in every way at once."""

from __future__ import annotations

import hashlib
import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import create_client
from tests.batch.test_batch import VirtualClock, batch_by
from tests.tokens import make_token
from tests.torture import full_disk, interrupt, strangers, ways_out
from tests.torture.kill import torment
from tests.torture.service import FAULTS, Service

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.slow
def test_killing_it_loses_and_tears_nothing() -> None:
    """Whenever SIGKILL comes: what was recorded stays, no file is torn, and the runs after it make the rest."""
    tally = torment(rounds=10, seed=3, prompts=16)
    assert (tally.rounds, tally.problems) == (10, [])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.slow
def test_killing_it_in_a_bucket_loses_nothing() -> None:
    """Nor is anything bought twice but what was on its way."""
    pytest.importorskip("obstore")
    from tests.torture import kill_bucket

    tally = kill_bucket.torment(rounds=3, seed=3, prompts=12)
    assert (tally.rounds, tally.problems) == (3, [])


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals to a child")
@pytest.mark.slow
@pytest.mark.parametrize(
    "harness", [interrupt, full_disk, ways_out], ids=lambda module: module.__name__.rpartition(".")[2]
)
def test_whatever_ends_it_nothing_that_was_paid_for_is_lost(harness: Any) -> None:
    """Ctrl-C, a full disk, and every way out of the loop: ten rounds of each, and no child hangs."""
    tally = harness.torment(10, 5)
    assert (tally.rounds, tally.problems) == (10, [])


@pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices are POSIX's")
@pytest.mark.slow
def test_a_directory_of_a_stranger_does_no_harm() -> None:
    """Whatever is in it: no file elsewhere is made, destroyed or read, and no command hangs or breaks."""
    tally = strangers.torment(10, 5)
    assert (tally.rounds, tally.problems) == (10, [])


def test_every_prompt_ends_as_a_picture_or_a_recorded_error(tmp_path: Path) -> None:
    """With 429 storms, 5xx, cut connections, stalls and broken answers in every second answer."""
    chance, clock = random.Random(1), VirtualClock()
    prompts = [f"prompt {number}" for number in range(40)]
    with Service() as service, create_client(api_key=make_token(), base_url=service.url, timeout=0.25) as client:
        service.fault = lambda number, prompt: chance.choice(FAULTS) if chance.random() < 0.5 else None
        results = batch_by(clock, client, prompts, tmp_path, concurrency=8).run()
        assert sorted(result.request.prompt for result in results) == sorted(prompts)
        service.fault = lambda number, prompt: None
        again = list(batch_by(clock, client, prompts, tmp_path, concurrency=8))
    assert len(again) == sum(result.error is not None for result in results)
    newest = {line["id"]: line for line in map(json.loads, (tmp_path / "manifest.jsonl").read_text().splitlines())}
    assert [line["status"] for line in newest.values()] == ["done"] * 40
    for line in newest.values():
        [file] = line["files"]
        assert hashlib.sha256((tmp_path / file["name"]).read_bytes()).hexdigest() == file["sha256"]
