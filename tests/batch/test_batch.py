"""A batch: many prompts, one directory, nothing bought twice and nothing lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import errno
import gc
import hashlib
import inspect
import io
import itertools
import json
import logging
import os
import queue
import shutil
import socket
import threading
import tracemalloc
import warnings
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import openai
import pytest
from PIL import Image

from ionos_openai import (
    Batch,
    BatchEvent,
    BatchRunningError,
    ImageRequest,
    ImageSaveError,
    InvalidRequestError,
    IonosSettings,
    IonosWarning,
    agenerate_batch,
    create_async_client,
    create_client,
    generate_batch,
    partial_images,
    read_provenance,
)
from ionos_openai.batch import lock, read_batch
from ionos_openai.batch.bucket import read_history
from ionos_openai.batch.drive import Clock
from ionos_openai.batch.manifest import Manifest
from ionos_openai.batch.plan import make_plan
from ionos_openai.batch.request import digest, digest_prompt
from ionos_openai.errors import ConfigurationError
from ionos_openai.errors.http import http_library
from ionos_openai.files import writing as files
from ionos_openai.hub.prices import Money, parse_prices
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.torture.service import Service

FLUX = "black-forest-labs/FLUX.1-schnell"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"


class VirtualClock:
    """Time that only passes when a batch waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, wake: queue.SimpleQueue[None], seconds: float | None) -> None:
        """Wait for real only for what is on its way."""
        try:
            wake.get(timeout=10 if seconds is None else 0.05)
        except queue.Empty:
            assert seconds is not None, "nothing came back"
            self.waits.append(seconds)
            self.now += seconds


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that no test waits for."""
    return VirtualClock()


def batch_by(clock: Any, client: openai.OpenAI, requests: Any, directory: Path, **options: Any) -> Batch:
    """Return what `generate_batch` returns, by a clock that is handed in."""
    parameters = inspect.signature(generate_batch).parameters.values()
    given = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY} | options
    carried = {name: given.pop(name) for name in ("timeout", "on_event")}
    plan = make_plan(client, directory, **given)
    return Batch(client, requests, plan, clock=clock, **carried)


@pytest.fixture
async def async_client(service: Service) -> Any:
    """Its async twin."""
    async with create_async_client(api_key=make_token(), base_url=service.url) as made:
        yield made


def record(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the manifest."""
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def pictures(folder: Path) -> list[str]:
    """Return the names of the pictures."""
    return sorted(path.name for path in folder.glob("*.jpg"))


def failing(*faults: str | None) -> Any:
    """Return a fault for each of the first requests, then none."""
    return lambda number, prompt: faults[number - 1] if number <= len(faults) else None


# What it makes and records.


def test_each_prompt_becomes_a_picture_and_a_line(client: openai.OpenAI, tmp_path: Path) -> None:
    """A line says what was asked, which file came of it with its digest, and what it cost."""
    request = ImageRequest(prompt="a fox", metadata={"sku": "7"}, seed=3, name="fox")
    [result] = generate_batch(client, [request], tmp_path / "out").run()
    data = result.paths[0].read_bytes()
    [line] = record(tmp_path / "out")
    assert result.paths == (tmp_path / "out" / "fox.jpg",)
    assert (result.status, result.attempts, result.cost) == ("done", 1, Money(amount=Decimal("0.032"), currency="USD"))
    assert line["files"] == [
        {
            "name": "fox.jpg",
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "format": "JPEG",
            "width": 64,
            "height": 64,
            "mtime": result.paths[0].stat().st_mtime,
        }
    ]
    asked = {"prompt": "a fox", "model": FLUX, "size": "1024x1024", "n": 1, "name": "fox", "seed": 3, "extra": {}}
    assert line["request"] == asked
    assert line["metadata"] == {"sku": "7"}
    assert line["cost"] == {"amount": "0.032", "currency": "USD"}
    assert (line["id"], line["status"], line["error"], line["sandbox"]) == (result.id, "done", None, False)


def test_nothing_is_sent_before_it_is_asked_for(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """A batch says what to do with it, and sends nothing until then."""
    waiting = generate_batch(client, ["a", "b", "a"], tmp_path)
    assert repr(waiting) == "Batch(3 waiting: iterate or call .run())"
    assert service.requests == 0
    assert len(waiting.run()) == 3
    assert repr(waiting) == "Batch(3 done, 0 failed, 0 left)"
    assert list(waiting) == []


def test_the_estimate_is_logged_first(client: openai.OpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Number and cost stand in the log before the first request."""
    with caplog.at_level(logging.INFO, "ionos_openai"):
        generate_batch(client, [ImageRequest(prompt="a", n=2), "b"], tmp_path).run()
    ours = [line.getMessage() for line in caplog.records if line.name == "ionos_openai"]
    assert ours[0] == f"Batch into {tmp_path}: 3 pictures, 0.096 USD."


def test_the_estimate_tells_what_the_limits_take(tmp_path: Path) -> None:
    """300 pictures of a paced client take 28 minutes; they are counted without those that are done."""
    with create_client(api_key=make_token(), pace=True) as paced:
        waiting = generate_batch(paced, [f"p{number}" for number in range(300)], tmp_path)
        waiting.close()
    assert str(waiting.estimate) == "300 pictures, 9.60 USD, at least 28 min within the limits"


def test_several_pictures_of_a_prompt_are_requests_of_their_own(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """`n` pictures are one result with `n` paths."""
    [result] = generate_batch(client, [ImageRequest(prompt="a", n=3)], tmp_path).run()
    assert sorted(path.name for path in result.paths) == ["a-2.jpg", "a-3.jpg", "a.jpg"]
    assert (service.requests, result.attempts) == (3, 3)
    assert result.cost == Money(amount=Decimal("0.096"), currency="USD")


def test_placeholders_cost_nothing_and_are_recorded_as_such(tmp_path: Path) -> None:
    """The sandbox's pictures have no cost in the record."""
    with create_client(sandbox=True) as stand_in:
        [result] = generate_batch(stand_in, ["a"], tmp_path).run()
    assert (result.sandbox, result.cost) == (True, None)
    assert (record(tmp_path)[0]["sandbox"], record(tmp_path)[0]["cost"]) == (True, None)


def test_a_plain_client_works_with_a_warning(service: Service, tmp_path: Path) -> None:
    """The SDK's own client makes the pictures too; that nothing paces it is said."""
    with (
        openai.OpenAI(api_key="plain", base_url=service.url) as plain,
        pytest.warns(IonosWarning, match=r"^This client is not from create_client\(\), so nothing keeps its requests"),
    ):
        assert len(list(generate_batch(plain, ["a"], tmp_path))) == 1


def check_secret(folder: Path) -> None:
    """See that neither the file's name nor its bytes tell the prompt or are marked."""
    [path] = folder.glob("*.jpg")
    assert path.name == f"{hashlib.sha256(b'secret merger').hexdigest()[:16]}.jpg"
    assert read_provenance(path) is None


SECRET = IonosSettings(file_names="digest", provenance=False)


def test_the_clients_settings_say_how_pictures_are_saved(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names and marks are those of `generate_images`; the environment has no part in it."""
    monkeypatch.setenv("IONOS_FILE_NAMES", "prompt")
    with create_client(api_key=make_token(), base_url=service.url, settings=SECRET) as client:
        generate_batch(client, ["secret merger"], tmp_path).run()
    check_secret(tmp_path)


def test_the_arguments_win_over_the_clients_settings(service: Service, tmp_path: Path) -> None:
    """Of marking; what is recorded is the same prompt."""
    with create_client(api_key=make_token(), base_url=service.url, settings=SECRET) as client:
        generate_batch(client, ["a fox"], tmp_path, provenance=True, prompt_in_metadata=True).run()
    [path] = tmp_path.glob("*.jpg")
    found = read_provenance(path)
    assert found is not None
    assert found.prompt == "a fox"


async def test_the_async_clients_settings_say_how_pictures_are_saved(service: Service, tmp_path: Path) -> None:
    """Its async twin."""
    async with create_async_client(api_key=make_token(), base_url=service.url, settings=SECRET) as client:
        await agenerate_batch(client, ["secret merger"], tmp_path).run()
    check_secret(tmp_path)


def test_the_prompt_is_in_the_metadata_where_the_clients_settings_say_so(service: Service, tmp_path: Path) -> None:
    """By default it is not."""
    for number, settings in enumerate((IonosSettings(), IonosSettings(prompt_in_metadata=True))):
        with create_client(api_key=make_token(), base_url=service.url, settings=settings) as client:
            [result] = generate_batch(client, ["a fox"], tmp_path / str(number)).run()
        mark = read_provenance(result.paths[0])
        assert mark is not None
        assert mark.prompt == ("a fox" if number else None)


def test_requests_may_be_endless(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """A lazy iterable is read only as far as it is needed."""
    taken: list[int] = []

    def prompts() -> Iterator[str]:
        for number in itertools.count():
            taken.append(number)
            yield f"prompt {number}"

    assert len(list(generate_batch(client, prompts(), tmp_path, max_images=5))) == 5
    assert service.requests == 5
    assert len(taken) == 6


# Going on.


def test_the_same_call_again_makes_nothing_again(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """Rows may be inserted and changed places; equal ones are told apart by their number; metadata does not count."""
    generate_batch(client, ["a", "b", "a"], tmp_path).run()
    again = generate_batch(client, ["new", "b", ImageRequest(prompt="a", metadata={"x": 1}), "a", "a"], tmp_path)
    assert repr(again) == "Batch(2 waiting: iterate or call .run())"
    assert sorted(result.request.prompt for result in again) == ["a", "new"]
    assert (service.requests, again.progress.skipped) == (5, 3)
    assert pictures(tmp_path) == ["a-2.jpg", "a-3.jpg", "a.jpg", "b.jpg", "new.jpg"]


def test_another_model_size_name_or_seed_is_another_picture(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """What is sent, and the name, make a request what it is."""
    generate_batch(client, ["a"], tmp_path).run()
    others = [
        ImageRequest(prompt="a", model="klein"),
        ImageRequest(prompt="a", size="1024x1792"),
        ImageRequest(prompt="a", name="b"),
        ImageRequest(prompt="a", seed=1),
        ImageRequest(prompt="a", extra={"steps": 4}),
    ]
    assert len(list(generate_batch(client, ["a", *others], tmp_path))) == 5


def test_what_failed_is_tried_again(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """A failed prompt has a line with its error, and the next run makes it."""
    service.fault = failing("400")
    [result] = generate_batch(client, ["a"], tmp_path).run()
    assert isinstance(result.error, openai.BadRequestError)
    error = record(tmp_path)[0]["error"]
    assert (error["type"], error["code"], error["status"]) == ("BadRequestError", "bad", 400)
    assert "The prompt is refused" in error["message"]
    assert generate_batch(client, ["a"], tmp_path).run()[0].error is None
    assert [line["status"] for line in record(tmp_path)] == ["failed", "done"]


def test_of_several_pictures_only_the_missing_ones_are_made(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """What came before a failure is recorded, and counts the next time."""
    service.fault = failing(None, None, "400")
    request = ImageRequest(prompt="a", n=3)
    [first] = generate_batch(client, [request], tmp_path, concurrency=1).run()
    assert (len(first.paths), first.status) == (2, "failed")
    [second] = generate_batch(client, [request], tmp_path).run()
    assert (len(second.paths), second.status, service.requests) == (3, "done", 4)
    assert second.cost == Money(amount=Decimal("0.032"), currency="USD")


def test_only_what_failed_can_be_asked_for(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """`only_failed` leaves new prompts alone."""
    service.fault = failing("400")
    generate_batch(client, ["a", "b"], tmp_path, concurrency=1).run()
    results = generate_batch(client, ["new", "a", "b"], tmp_path, only_failed=True)
    assert [result.request.prompt for result in results] == ["a"]


@pytest.mark.parametrize("name", ["light", "light.jpg"])
def test_chosen_pictures_are_made_once_more(
    client: openai.OpenAI, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`redo` takes the names of requests and files, keeps the old file, and says which names it did not find."""
    requests = [ImageRequest(prompt="a", name="light"), "b"]
    generate_batch(client, requests, tmp_path).run()
    again = generate_batch(client, requests, tmp_path, redo=[name, "nobody"])
    assert again.estimate.images == 1
    assert [result.paths[0].name for result in again] == ["light-2.jpg"]
    assert "Nothing to make again is called nobody." in caplog.text
    assert pictures(tmp_path) == ["b.jpg", "light-2.jpg", "light.jpg"]
    assert list(generate_batch(client, requests, tmp_path)) == []


def test_a_changed_picture_is_kept_and_reported(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """Somebody added a copyright: it is recorded as modified, and told in each run."""
    generate_batch(client, ["a"], tmp_path).run()
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"behind the end")
    for _ in range(2):
        events: list[BatchEvent] = []
        again = generate_batch(client, ["a"], tmp_path, on_event=events.append)
        assert list(again) == []
        assert [event.message for event in events if event.kind == "modified"] == [
            "a.jpg was changed by somebody: kept."
        ]
        assert (again.progress.modified, again.progress.skipped, service.requests) == (1, 1, 1)
    assert [line["status"] for line in record(tmp_path)] == ["done", "modified"]


@pytest.mark.parametrize("kind", ["directory", "bucket"])
def test_other_metadata_of_a_finished_prompt_is_recorded(
    kind: str, client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """Its pictures stay; it is told once, and whoever says nothing of metadata changes none."""
    out: Any = tmp_path / "out" if kind == "directory" else f"file://{tmp_path.as_posix()}/out"
    fox, shared = {"prompt": "fox", "sku": "4711", "tags": ["red", 1]}, {"prompt": "hare", "sku": "4712"}
    [before, _] = generate_batch(client, [fox, shared], out, concurrency=1).run()
    for requests, told in [
        ([ImageRequest(prompt="fox", metadata={"tags": ("red", 1), "sku": "4711"}), shared], []),
        ([fox | {"sku": "4811", "room": "hall"}, shared], ["fox.jpg has other metadata now: recorded."]),
        ([{"room": "hall", **fox, "sku": "4811"}, shared], []),
        (["fox", "hare"], []),
        ([ImageRequest(prompt="fox", metadata={"sku": object()}), shared], []),
        (["fox", ImageRequest(prompt="hare")], ["hare.jpg has other metadata now: recorded."]),
    ]:
        events: list[BatchEvent] = []
        again = generate_batch(client, requests, out, on_event=events.append)
        assert list(again) == []
        assert [event.message for event in events if event.kind == "modified"] == told
        assert (again.progress.skipped, again.progress.modified, service.requests) == (2, 0, 2)
    results = read_batch(out)
    assert [dict(result.metadata) for result in results] == [{"sku": "4811", "tags": ["red", 1], "room": "hall"}, {}]
    assert (results[0].paths, results[0].cost, results[0].status) == (before.paths, before.cost, "done")
    assert len(list(read_history(out))) == 4


def test_other_metadata_goes_with_a_changed_or_a_missing_picture(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """Each is recorded and told, and neither makes the other be told again."""
    requests = [ImageRequest(prompt=prompt, metadata={"sku": 1}) for prompt in ("a", "b")]
    generate_batch(client, requests, tmp_path).run()
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"behind the end")
    (tmp_path / "b.jpg").unlink()
    for newly_told in (2, 0):
        events: list[BatchEvent] = []
        again = generate_batch(
            client, [replace(request, metadata={"sku": 2}) for request in requests], tmp_path, on_event=events.append
        )
        again.run()
        assert (again.progress.modified, again.progress.missing, service.requests) == (1, 1, 2)
        told = [event.message for event in events if "other metadata" in event.message]
        assert len(told) == newly_told
    assert [(line["status"], line["metadata"]) for line in record(tmp_path)[2:]] == [
        ("modified", {"sku": 2}),
        ("done", {"sku": 2}),
    ]


def test_a_copied_directory_is_not_bought_again(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """Files with other times and the same bytes are what was recorded."""
    generate_batch(client, ["a"], tmp_path).run()
    os.utime(tmp_path / "a.jpg", (1, 1))
    again = generate_batch(client, ["a"], tmp_path)
    assert (list(again), again.progress.modified, service.requests) == ([], 0, 1)


@pytest.mark.parametrize(("missing", "bought"), [("keep", 1), ("remake", 2)])
def test_a_picture_that_is_gone_is_made_again_only_where_asked(
    client: openai.OpenAI, service: Service, tmp_path: Path, missing: Any, bought: int
) -> None:
    """It may have been moved into an archive, or sorted out."""
    generate_batch(client, ["a"], tmp_path).run()
    (tmp_path / "a.jpg").unlink()
    again = generate_batch(client, ["a"], tmp_path, missing=missing)
    again.run()
    assert (service.requests, again.progress.missing) == (bought, 2 - bought)


@pytest.mark.parametrize("lost", ["gone", "broken"])
def test_of_several_pictures_only_the_lost_one_is_made_again(
    client: openai.OpenAI, service: Service, tmp_path: Path, lost: str
) -> None:
    """The estimate says so beforehand, the others stay, and a changed one among them too."""
    request = ImageRequest(prompt="a", n=3)
    generate_batch(client, [request], tmp_path).run()
    path = tmp_path / "a-2.jpg"
    path.unlink() if lost == "gone" else path.write_bytes(b"\xff\xd8")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + b"a copyright")
    events: list[BatchEvent] = []
    again = generate_batch(client, [request], tmp_path, missing="remake", on_event=events.append)
    assert (again.estimate.prompts, again.estimate.images) == (1, 1)
    [result] = again.run()
    assert service.requests == 4
    assert {path.name for path in result.paths} == {"a.jpg", "a-3.jpg", "a-2.jpg" if lost == "gone" else "a-4.jpg"}
    assert any(event.message.startswith("a-2.jpg is ") for event in events)
    assert generate_batch(client, [request], tmp_path, missing="remake").estimate.images == 0


def test_verify_makes_only_the_broken_one_of_several_again(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """Damage that keeps size and time is seen with `verify` alone, and the whole ones are kept then too."""
    request = ImageRequest(prompt="a", n=3)
    generate_batch(client, [request], tmp_path).run()
    path = tmp_path / "a.jpg"
    before = path.stat()
    path.write_bytes(b"\0" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    events: list[BatchEvent] = []
    [result] = generate_batch(client, [request], tmp_path, verify=True, on_event=events.append).run()
    assert {path.name for path in result.paths} == {"a-2.jpg", "a-3.jpg", "a-4.jpg"}
    assert service.requests == 4
    assert any(event.message == "a.jpg is damaged: it is made again." for event in events)


def test_a_picture_that_is_broken_is_made_again(client: openai.OpenAI, tmp_path: Path) -> None:
    """What does not decode any more is no picture; the broken file is left to the user."""
    generate_batch(client, ["a"], tmp_path).run()
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")
    assert [result.paths[0].name for result in generate_batch(client, ["a"], tmp_path)] == ["a-2.jpg"]


def test_verify_compares_the_bytes(client: openai.OpenAI, tmp_path: Path) -> None:
    """A change that keeps size and time is seen with `verify` alone."""
    generate_batch(client, ["a"], tmp_path).run()
    path = tmp_path / "a.jpg"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for verify, modified in ((False, 0), (True, 1)):
        again = generate_batch(client, ["a"], tmp_path, verify=verify)
        again.run()
        assert again.progress.modified == modified


def test_a_torn_last_line_is_mended(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """A line that death left unfinished is cut off; a whole one without its line break gets it; foreign ones stay."""
    generate_batch(client, ["a", "b"], tmp_path, concurrency=1).run()
    path = tmp_path / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"no JSON\n\n[]\n" + whole[:-20])
    going_on: Any = {"ignore_damaged": True}
    assert [result.request.prompt for result in generate_batch(client, ["a", "b"], tmp_path, **going_on)] == ["b"]
    path.write_bytes(path.read_bytes()[:-1])
    assert list(generate_batch(client, ["a", "b"], tmp_path, **going_on)) == []
    assert path.read_bytes().endswith(b"}\n")
    assert path.read_bytes().startswith(b"no JSON\n\n[]\n" + whole.splitlines(keepends=True)[0])


def test_a_line_that_is_nested_without_end_is_passed_over(client: openai.OpenAI, tmp_path: Path) -> None:
    """It is no line of ours, and breaks nothing; also as the torn last one."""
    nested = b"[" * 100_000
    (tmp_path / "manifest.jsonl").write_bytes(nested + b"\n" + nested)
    assert len(list(generate_batch(client, ["a"], tmp_path, ignore_damaged=True))) == 1
    assert list(generate_batch(client, ["a"], tmp_path, ignore_damaged=True)) == []


@pytest.mark.parametrize("breaks", [False, True])
def test_a_batch_that_is_dropped_or_fails_leaves_no_file_open(
    client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: bool
) -> None:
    """Nor its directory locked; a file left open would be a warning, and an error here."""
    if breaks:
        generate_batch(client, ["a"], tmp_path).close()
        with monkeypatch.context() as patch, pytest.raises(ImageSaveError):  # noqa: PT012 - the line is what fails
            patch.setattr(Manifest, "_read", mock.Mock(side_effect=OSError(errno.EIO, "broken")))
            opened = open_files()
            generate_batch(client, ["a"], tmp_path)
    else:
        opened = open_files()
        dropped = generate_batch(client, ["a"], tmp_path)
        assert dropped.estimate.images == 1
        del dropped
    gc.collect()
    assert open_files() == opened
    generate_batch(client, ["a"], tmp_path).close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fcntl")
@pytest.mark.parametrize("refuses", [False, True])
def test_on_macos_the_drives_own_cache_is_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """Where a file system cannot do that, the usual sync does."""
    import fcntl

    full, usual = mock.Mock(side_effect=OSError(errno.ENOTTY, "no") if refuses else None), mock.Mock()
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", usual)
    with (tmp_path / "file").open("wb") as file:
        files.sync_file(file.fileno())
    assert (full.call_count, full.call_args.args[1], usual.call_count) == (1, 51, refuses)


# One at a time.


def test_a_second_run_in_a_directory_is_refused(client: openai.OpenAI, tmp_path: Path) -> None:
    """The error names the process; when the first run is over, the directory is free."""
    with generate_batch(client, ["a"], tmp_path), pytest.raises(BatchRunningError) as caught:
        generate_batch(client, ["a"], tmp_path)
    message = str(caught.value)
    assert message.startswith(
        f"Another run works in {tmp_path} (process {os.getpid()} on {socket.gethostname()}, since "
    )
    assert message.endswith("). Wait for its end, or choose another directory.")
    assert len(list(generate_batch(client, ["a"], tmp_path))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_hold_the_directory(client: openai.OpenAI, tmp_path: Path) -> None:
    """It may live on when the run's own process is long dead."""
    first = generate_batch(client, ["a"], tmp_path)
    (over, end), (there, begin) = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of forks beside threads.
        child = os.fork()
    if child == 0:
        os.close(end)
        os.write(begin, b"1")
        os.read(over, 1)  # until the test is over
        os._exit(0)
    try:
        os.read(there, 1)
        first.close()
        assert len(list(generate_batch(client, ["a"], tmp_path))) == 1
    finally:
        for handle in (over, end, there, begin):
            os.close(handle)
        os.waitpid(child, 0)


@pytest.mark.parametrize("wrong", ["async", "none"])
def test_what_cannot_be_asked_is_refused_before_a_directory_is_made(
    client: openai.OpenAI, tmp_path: Path, wrong: str
) -> None:
    """A client of the other kind, or none at all."""
    folder = tmp_path / "out"
    if wrong == "none":
        with pytest.raises(InvalidRequestError, match="no client: make one with create_client"):
            generate_batch(None, ["a"], folder)  # type: ignore[arg-type]  # that is the mistake
    else:
        other: Any = create_async_client(sandbox=True)
        with pytest.raises(InvalidRequestError, match=r"is an AsyncOpenAI: use agenerate_batch\(\)"):
            generate_batch(other, ["a"], folder)
        with pytest.raises(InvalidRequestError, match=r"is an OpenAI: use generate_batch\(\)"):
            agenerate_batch(client, ["a"], folder)  # type: ignore[arg-type]  # that is the mistake
    assert not folder.exists()


def open_files() -> int:
    """Count this process' open files, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def refuse_locks(handle: int) -> None:
    """Do what a mounted drive does."""
    raise OSError(errno.ENOTSUP, "Operation not supported")


def test_without_locks_a_file_stands_in(client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a drive without locks a second run is refused too, and the file is gone in the end."""
    monkeypatch.setattr(lock, "try_lock", refuse_locks)
    with generate_batch(client, ["a"], tmp_path), pytest.raises(BatchRunningError, match="If that process is dead"):
        generate_batch(client, ["a"], tmp_path)
    assert not (tmp_path / lock.OWNER).exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot ask for a process without opening it")
@pytest.mark.parametrize(("host", "is_free"), [(socket.gethostname(), True), ("elsewhere", False)])
def test_the_file_of_a_dead_process_is_taken_over(
    client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_free: bool
) -> None:
    """On the same host it is known to be dead; of another host nobody can tell."""
    monkeypatch.setattr(lock, "try_lock", refuse_locks)
    owner = {"pid": os.getpid(), "host": host, "started": "2026-01-01", "born": "long ago"}
    (tmp_path / lock.OWNER).write_text(json.dumps(owner))
    with contextlib.nullcontext() if is_free else pytest.raises(BatchRunningError):
        generate_batch(client, ["a"], tmp_path).close()


# Failure.


def test_what_may_work_later_is_tried_again(
    client: openai.OpenAI, service: Service, tmp_path: Path, clock: VirtualClock
) -> None:
    """5xx, cut connections and broken answers go back to the queue, after 1 and 2 seconds."""
    service.fault = failing("500", "truncated", None)
    [result] = batch_by(clock, client, ["a"], tmp_path).run()
    assert (result.attempts, result.status, clock.waits) == (3, "done", [1.0, 2.0])


@pytest.mark.parametrize("fault", ["500", "502", "cut", "truncated", "not-json", "empty"])
def test_attempts_are_counted_and_end(
    client: openai.OpenAI, service: Service, tmp_path: Path, clock: VirtualClock, fault: str
) -> None:
    """After `max_attempts` it is that prompt's failure, and not one request more was sent."""
    service.fault = lambda number, prompt: fault
    [result] = batch_by(clock, client, ["a"], tmp_path, max_attempts=2).run()
    assert (result.attempts, result.status, service.requests) == (2, "failed", 2)
    assert record(tmp_path)[0]["attempts"] == 2


def test_429_waits_as_long_as_the_service_says_and_does_not_count(
    service: Service, client: openai.OpenAI, tmp_path: Path, clock: VirtualClock
) -> None:
    """However often it comes, and at least 0.2 s; one pause holds for all."""
    service.fault = failing(*["429"] * 7)
    results = batch_by(clock, client, ["a", "b"], tmp_path, concurrency=1, max_attempts=1).run()
    assert [result.attempts for result in results] == [1, 1]
    assert clock.waits == [pytest.approx(0.2)] * 7


def test_a_refused_token_ends_the_run_with_everything_kept(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """After a 401 nothing more is sent, and the next run goes on."""
    service.fault = failing(None, "401")
    results: list[str] = []
    prompts = [f"p{number}" for number in range(20)]
    with pytest.raises(openai.AuthenticationError):
        results.extend(result.request.prompt for result in generate_batch(client, prompts, tmp_path, concurrency=1))
    assert (results, service.requests) == (["p0"], 2)
    assert len(list(generate_batch(client, prompts, tmp_path))) == 19


def test_a_full_disk_ends_the_run_with_the_picture_on_the_error(
    client: openai.OpenAI, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved stays, and what could not be saved is on the error."""

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    generate_batch(client, ["a"], tmp_path).run()
    monkeypatch.setattr(files, "_write_synced", full)
    with pytest.raises(ImageSaveError) as caught:
        generate_batch(client, ["a", "b", "c", "d"], tmp_path, concurrency=1).run()
    assert [image.prompt for image in partial_images(caught.value)] == ["b"]
    assert service.requests == 2
    monkeypatch.undo()
    assert len(record(tmp_path)) == 1


@pytest.mark.parametrize("another", [False, True])
def test_a_lost_directory_ends_the_run(
    client: openai.OpenAI, service: Service, tmp_path: Path, *, another: bool
) -> None:
    """When somebody moves it away, or puts another in its place, no picture is bought that would not be recorded."""
    folder, moved = tmp_path / "out", threading.Event()
    service.fault = lambda number, prompt: None if number == 1 or moved.wait(10) else "500"
    running = generate_batch(client, ["a", "b", "c", "d"], folder, concurrency=1)
    next(running)
    shutil.move(folder, tmp_path / "elsewhere")
    if another:
        folder.mkdir()
    moved.set()
    with pytest.raises(ImageSaveError, match="Cannot use the record"):
        list(running)
    assert service.requests == 2
    assert (folder / "b.jpg").exists()


def test_a_name_that_cannot_be_converted_to_is_saved_as_sent(
    client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that was paid for is not lost to a conversion."""

    def refuse(*args: object) -> bytes:
        raise OSError("broken pixels")

    monkeypatch.setattr("ionos_openai.images.image.convert", refuse)
    [result] = generate_batch(client, [ImageRequest(prompt="a", name="fox.png")], tmp_path).run()
    assert [path.name for path in result.paths] == ["fox.jpg"]


# Limits of one's own.


def test_it_stops_before_it_spends_more(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """`max_cost` is never passed, also with several requests at once, and the rest is left to the next run."""
    prompts = [f"p{number}" for number in range(9)]
    first = generate_batch(client, prompts, tmp_path, max_cost="0.1 USD")
    assert len(first.run()) == 3
    assert (first.progress.left, first.progress.cost) == (6, Money(amount=Decimal("0.096"), currency="USD"))
    assert len(list(generate_batch(client, prompts, tmp_path, max_images=4))) == 4
    assert service.requests == 7


def test_a_refused_request_spends_nothing(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """After a 400 there is still room for another prompt; a picture that got lost on its way may be billed."""
    service.fault = failing("400", None)
    assert len(list(generate_batch(client, ["a", "b"], tmp_path, max_images=1, concurrency=1))) == 2
    service.fault = lambda number, prompt: "cut" if number == 3 else None
    lost = generate_batch(client, ["c", "d"], tmp_path, max_images=1, max_attempts=1, concurrency=1)
    assert [result.status for result in lost] == ["failed"]


def test_max_cost_needs_a_price(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """An unknown price is an error before anything is sent; the contract's own makes it work."""
    with pytest.raises(InvalidRequestError) as caught:
        generate_batch(client, ["a"], tmp_path, model="klein", max_cost=1)
    assert str(caught.value) == (
        f"Request 1 cannot work: max_cost cannot be kept: the price of {KLEIN} is not known. Give the contract's own "
        f"with prices={{'{KLEIN}': '0.03 EUR'}} or IONOS_PRICES, or leave max_cost out."
    )
    own = generate_batch(client, ["a"], tmp_path, model="klein", max_cost="1 EUR", prices={"klein": "0.03 EUR"})
    assert own.run()[0].cost == Money(amount=Decimal("0.03"), currency="EUR")
    assert service.requests == 1


def test_prices_come_from_the_settings(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`IONOS_PRICES` comes before the catalogue; what cannot be read is told at once."""
    monkeypatch.setenv("IONOS_PRICES", "flux.1=0.02 eur, klein=1 CHF")
    with create_client(api_key=make_token(), base_url=service.url) as own:
        assert str(generate_batch(own, ["a"], tmp_path).run()[0].cost) == "0.02 EUR"
    for wrong in ("flux.1", "flux.1=2", "flux.1=EUR 2", "flux.9=1 EUR"):
        monkeypatch.setenv("IONOS_PRICES", wrong)
        with pytest.raises(ConfigurationError, match="IONOS_PRICES in the environment"):
            IonosSettings()
    assert parse_prices("") == {}


@pytest.mark.parametrize("limit", ["much", -1, "5 EUR", True, float("nan")])
def test_a_limit_that_cannot_be_kept_is_refused(client: openai.OpenAI, tmp_path: Path, limit: Any) -> None:
    """No amount, or another currency than the prices'."""
    with pytest.raises(InvalidRequestError, match="max_cost"):
        generate_batch(client, ["a"], tmp_path, max_cost=limit)


# Arguments.


@pytest.mark.parametrize(
    "arguments",
    [
        {"concurrency": 0},
        {"max_attempts": 0},
        {"max_images": -1},
        {"missing": "buy"},
        {"size": "big"},
        {"model": " "},
        {"prices": {"flux.1": "free"}},
    ],
)
def test_bad_arguments_are_refused_at_the_call(client: openai.OpenAI, tmp_path: Path, arguments: Any) -> None:
    """Nothing is sent, and no directory is left behind."""
    with pytest.raises(InvalidRequestError):
        generate_batch(client, ["a"], tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "request_",
    [
        "",
        7,
        ImageRequest(prompt="a", n=0),
        ImageRequest(prompt="a", name="a/b"),
        ImageRequest(prompt="a", size="64x64"),
        ImageRequest(prompt="a", model=" "),
        ImageRequest(prompt="a", seed="x"),  # type: ignore[arg-type]
        ImageRequest(prompt="a", extra={"x": object()}),
        ImageRequest(prompt="a", metadata=[1]),  # type: ignore[arg-type]
    ],
)
def test_a_bad_request_of_a_list_is_refused_at_the_call(
    client: openai.OpenAI, service: Service, tmp_path: Path, request_: Any
) -> None:
    """It is named by its number; of a lazy iterable it is a result, and the others are made."""
    with pytest.raises(InvalidRequestError, match=r"^Request 2 cannot work: "):
        generate_batch(client, ["a", request_], tmp_path)
    assert service.requests == 0
    results = generate_batch(client, iter(["a", request_, "b"]), tmp_path).run()
    assert sorted(result.status for result in results) == ["done", "done", "failed"]


def test_one_text_is_no_list(client: openai.OpenAI, tmp_path: Path) -> None:
    """A prompt where a list belongs would be one request a letter."""
    with pytest.raises(InvalidRequestError, match="The requests are one text"):
        generate_batch(client, "a fox", tmp_path)


# Leaving early.


def test_leaving_the_loop_finishes_what_is_in_flight(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """After `break` everything that was asked for is saved and recorded, and the directory is free."""
    service.delay = 0.05
    running = generate_batch(client, [f"p{number}" for number in range(20)], tmp_path)
    for _ in running:
        break
    assert len(record(tmp_path)) == len(pictures(tmp_path)) == service.requests < 20
    with pytest.raises(InvalidRequestError, match="This batch was closed"):
        running.run()
    left = 20 - service.requests
    assert len(list(generate_batch(client, [f"p{number}" for number in range(20)], tmp_path))) == left


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_finishes_what_is_in_flight(
    client: openai.OpenAI, service: Service, tmp_path: Path, error: type[BaseException]
) -> None:
    """Ctrl-C in the loop's body, or a mistake of the user's, loses nothing."""
    service.delay = 0.05
    running = generate_batch(client, [f"p{number}" for number in range(20)], tmp_path)
    with pytest.raises(error):  # noqa: PT012 - leaving the loop is what is tested
        for _ in running:
            raise error
    assert len(record(tmp_path)) == service.requests < 20


def test_ctrl_c_while_waiting_finishes_what_is_in_flight(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """It comes where the batch itself waits."""
    waits = iter([KeyboardInterrupt])

    class Interrupted(Clock):
        def wait(self, wake: queue.SimpleQueue[None], seconds: float | None) -> None:
            for error in waits:
                raise error
            super().wait(wake, seconds)

    service.delay = 0.2
    with pytest.raises(KeyboardInterrupt):
        batch_by(Interrupted(), client, ["a", "b", "c"], tmp_path, concurrency=2).run()
    assert (len(record(tmp_path)), service.requests) == (2, 2)


def test_a_broken_source_of_requests_loses_nothing(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """What the user's own generator raises comes through, after what was asked for is recorded."""

    def prompts() -> Iterator[str]:
        yield "a"
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        generate_batch(client, prompts(), tmp_path).run()
    assert len(record(tmp_path)) == service.requests == 1


def test_stopping_ends_with_what_is_in_flight(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """`stop()` begins nothing new; the results of what is in flight still come."""
    running = generate_batch(client, [f"p{number}" for number in range(20)], tmp_path, concurrency=2)
    next(running)
    running.stop()
    assert 1 + len(list(running)) == len(record(tmp_path)) == service.requests <= 4


def test_a_batch_waits_for_the_limits_whatever_the_clients_max_wait(service: Service, tmp_path: Path) -> None:
    """That bounds calls that somebody waits for."""
    settings = IonosSettings(images_per_minute=1200, image_burst=2)
    with create_client(api_key=make_token(), base_url=service.url, pace=True, max_wait=0, settings=settings) as client:
        running = generate_batch(client, ["a", "b", "c"], tmp_path)
        assert [result.status for result in running] == ["done"] * 3
        assert (running.progress.limited, running.progress.attempts) == (0, 3)


def test_stopping_sends_nothing_that_still_waits_for_the_limit(service: Service, tmp_path: Path) -> None:
    """What waits for its turn was not asked for: it is neither bought nor recorded, and the next run makes it."""
    settings = IonosSettings(images_per_minute=1, image_burst=2)
    with create_client(api_key=make_token(), base_url=service.url, pace=True, settings=settings) as client:
        with generate_batch(client, ["a", "b", "c", "d"], tmp_path, concurrency=3) as running:
            next(running)
            running.stop()
            assert list(running) == []
        assert (service.requests, len(record(tmp_path)), running.progress.failed) == (1, 1, 0)
    with create_client(api_key=make_token(), base_url=service.url) as client:
        assert len(list(generate_batch(client, ["a", "b", "c", "d"], tmp_path))) == 3


async def test_leaving_an_async_loop_sends_nothing_that_still_waits_for_the_limit(
    service: Service, tmp_path: Path
) -> None:
    """Its async twin."""
    settings = IonosSettings(images_per_minute=1, image_burst=2)
    async with (
        create_async_client(api_key=make_token(), base_url=service.url, pace=True, settings=settings) as client,
        agenerate_batch(client, ["a", "b", "c", "d"], tmp_path, concurrency=3) as running,
    ):
        async for _ in running:
            break
    assert (service.requests, len(record(tmp_path))) == (1, 1)


def test_events_tell_what_happens(client: openai.OpenAI, service: Service, tmp_path: Path, clock: VirtualClock) -> None:
    """In order: the estimate, what is waited for, and each result."""
    service.fault = failing("429", "500", None, "400")
    events: list[BatchEvent] = []
    batch_by(clock, client, ["a", "b"], tmp_path, concurrency=1, max_images=9, on_event=events.append).run()
    kinds = [event.kind for event in events]
    assert sorted(kinds) == ["done", "estimate", "failed", "retrying", "waiting"]
    assert kinds[:2] == ["estimate", "waiting"]
    assert all(event.result is not None for event in events if event.kind in ("done", "failed"))


# The async twin.


async def test_the_async_twin_does_the_same(async_client: openai.AsyncOpenAI, service: Service, tmp_path: Path) -> None:
    """Faults, limits and resume; and the directory is free in the end."""
    service.fault = failing("429", None, "400")
    prompts = [f"p{number}" for number in range(6)]
    waiting = agenerate_batch(async_client, prompts, tmp_path)
    assert repr(waiting) == "AsyncBatch(6 waiting: iterate with async for, or await .run())"
    statuses = [result.status async for result in waiting]
    assert sorted(statuses) == ["done"] * 5 + ["failed"]
    again = await agenerate_batch(async_client, prompts, tmp_path).run()
    assert [(result.status, result.earlier) for result in again] == [("done", True)] * 5 + [("done", False)]
    assert len(pictures(tmp_path)) == 6


async def test_cancelling_finishes_what_is_in_flight(
    async_client: openai.AsyncOpenAI, service: Service, tmp_path: Path
) -> None:
    """A cancelled task ends with everything recorded that was asked for."""
    service.delay = 0.1
    running = agenerate_batch(async_client, [f"p{number}" for number in range(20)], tmp_path, concurrency=3)
    task = asyncio.create_task(running.run())
    while service.requests < 3:  # noqa: ASYNC110 - the service counts in threads of its own
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 3 <= len(record(tmp_path)) == service.requests < 20


async def test_requests_that_take_their_time_hold_up_no_loop(async_client: openai.AsyncOpenAI, tmp_path: Path) -> None:
    """The iterable is read in a thread, with the context of who iterates; here it waits for another task."""
    ready, who = threading.Event(), contextvars.ContextVar("who", default="nobody")

    def prompts() -> Iterator[str]:
        assert ready.wait(10)
        yield who.get()

    who.set("a user")
    running = asyncio.create_task(agenerate_batch(async_client, prompts(), tmp_path).run())
    await asyncio.sleep(0.01)
    ready.set()
    assert [result.request.prompt for result in await running] == ["a user"]


async def test_being_cancelled_while_a_request_is_read_sends_nothing(
    async_client: openai.AsyncOpenAI, service: Service, tmp_path: Path
) -> None:
    """What was taken meanwhile is left to the next run, and the directory is free."""
    ready, begun = threading.Event(), threading.Event()

    def prompts() -> Iterator[str]:
        begun.set()
        assert ready.wait(10)
        yield "a"

    running = agenerate_batch(async_client, prompts(), tmp_path, max_images=1)
    task = asyncio.create_task(running.run())
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0.01)
    ready.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (service.requests, running.progress.in_flight) == (0, 0)
    assert len(await agenerate_batch(async_client, ["a"], tmp_path).run()) == 1


def test_the_end_of_a_loop_waits_for_what_is_recorded(service: Service, tmp_path: Path) -> None:
    """`asyncio.run` cancels the tasks that are left; a picture that came is recorded all the same."""
    service.delay = 0.05

    async def make() -> None:
        async with create_async_client(api_key=make_token(), base_url=service.url) as client:
            await agenerate_batch(client, [f"p{number}" for number in range(9)], tmp_path).run()

    async def leave() -> None:
        left.append(asyncio.create_task(make()))
        while not (tmp_path / "p0.jpg").exists():  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.001)

    left: list[asyncio.Task[Any]] = []
    asyncio.run(leave())
    assert left[0].cancelled()
    assert sorted(file["name"] for line in record(tmp_path) for file in line["files"]) == pictures(tmp_path)
    with create_client(api_key=make_token(), base_url=service.url) as client:
        assert len(list(generate_batch(client, [f"p{number}" for number in range(9)], tmp_path))) < 9


async def test_leaving_an_async_loop_finishes_what_is_in_flight(
    async_client: openai.AsyncOpenAI, service: Service, tmp_path: Path
) -> None:
    """With `async with`, that is waited for."""
    service.delay = 0.02
    async with agenerate_batch(async_client, [f"p{number}" for number in range(20)], tmp_path) as running:
        async for _ in running:
            break
    assert len(record(tmp_path)) == service.requests < 20


def test_the_end_of_the_event_loop_tells_what_it_drops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that is left early, as the last thing before asyncio.run() ends, cannot finish what is on its way."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    body = {"data": [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}]}
    asked: list[Any] = []

    async def answer(request: Any) -> Any:
        asked.append(request)
        if len(asked) > 1:
            await asyncio.Event().wait()  # for ever
        return http_library().Response(200, json=body)

    async def main() -> None:
        http = openai.DefaultAsyncHttpxClient(transport=http_library().MockTransport(answer))
        client = create_async_client(api_key=make_token(), pace=False, http_client=http)
        async for _ in agenerate_batch(client, ["a", "b", "c"], tmp_path, concurrency=2):
            break

    asyncio.run(main())
    assert "its picture may be paid for and is lost" in caplog.text
    assert len(record(tmp_path)) == 1


async def test_a_refused_token_ends_an_async_run(
    async_client: openai.AsyncOpenAI, service: Service, tmp_path: Path
) -> None:
    """It is raised after the results that came before."""
    service.fault = lambda number, prompt: "401" if number > 2 else None
    seen = 0
    with pytest.raises(openai.AuthenticationError):  # noqa: PT012 - the results before it are what is counted
        async for _ in agenerate_batch(async_client, [f"p{number}" for number in range(20)], tmp_path, concurrency=1):
            seen += 1
    assert (seen, service.requests) == (2, 3)


# What it takes.


def test_what_is_remembered_takes_at_most_270_bytes_a_prompt(client: openai.OpenAI, tmp_path: Path) -> None:
    """Some 200 as a rule; more in the moment when a table grows, since the old one is still there."""
    prompts = [f"prompt {number}" for number in range(88_000)]  # tables grow at 87,381
    head = '{{"id": "{}", "status": "done", "files": []}}\n'
    lines = (head.format(digest_prompt(prompt, model=FLUX, size="1024x1024")) for prompt in prompts)
    (tmp_path / "manifest.jsonl").write_text("".join(lines))
    tracemalloc.start()
    try:
        with generate_batch(client, prompts, tmp_path) as waiting:
            _, worst = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert waiting.estimate.images == 0
    assert worst / len(prompts) <= 270


@pytest.mark.parametrize("prompt", ["a fox", 'a "quoted"\\ fox', "ein Bär 🦊\n", "\ud800"])
def test_a_bare_prompt_is_known_as_its_request_is(prompt: str) -> None:
    """The short way to a prompt's digest gives what the long way gives."""
    request = ImageRequest(prompt=prompt, model=FLUX, size=None)
    assert digest_prompt(prompt, model=FLUX, size=None) == digest(request)


def test_a_batch_is_public() -> None:
    """What `generate_batch` returns can be named in annotations."""
    assert Batch.__module__.startswith("ionos_openai.")
