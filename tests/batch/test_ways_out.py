"""However a batch is left: it ends, what was sent is recorded, the directory is free, and what is lost is told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ionos_openai import (
    ImageSaveError,
    agenerate_batch,
    create_async_client,
    generate_batch,
    generate_images,
    partial_images,
)
from ionos_openai.batch import stored
from ionos_openai.batch.records import read_records
from tests.tokens import make_token
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import openai

PROMPTS = [f"prompt {number}" for number in range(8)]


class MineError(Exception):
    """What the user's own code raises."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's state is kept."""
    monkeypatch.setattr("ionos_openai.images.image.state_directory", lambda: tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def service() -> Iterator[Service]:
    """A service on loopback that takes a moment."""
    with Service() as running:
        running.delay = 0.05
        yield running


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What makes the disk full from then on."""

    def full(*given: object, **further: object) -> None:
        raise ImageSaveError("No space left on device")

    return lambda: monkeypatch.setattr(stored, "write_images", full)


def recorded(folder: Path) -> int:
    """Return how many prompts are recorded as done."""
    return sum(record.status == "done" for record in read_records(folder).records)


@contextlib.contextmanager
def starting(monkeypatch: pytest.MonkeyPatch, *, before: int = 0, after: int = 0) -> Iterator[None]:
    """Interrupt before or after so many threads of the package are started."""
    start, count = threading.Thread.start, itertools.count(1)

    def interrupted(thread: threading.Thread) -> None:
        number = next(count) if thread.name.startswith("ionos-openai") else -1
        if number == before:
            raise KeyboardInterrupt
        start(thread)
        if number == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        yield


def test_an_interruption_while_a_unit_is_handed_over_ends_it(
    client: openai.OpenAI, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the thread that works on it has begun or not."""
    for _ in range(2):
        with starting(monkeypatch, before=2), pytest.raises(KeyboardInterrupt):
            generate_batch(client, PROMPTS, tmp_path).run()
    with starting(monkeypatch, after=1), pytest.raises(KeyboardInterrupt):
        generate_batch(client, PROMPTS, tmp_path).run()
    assert recorded(tmp_path) == service.requests == 3
    assert len(list(generate_batch(client, PROMPTS, tmp_path))) == 5


def test_where_no_thread_can_be_started_it_works_in_this_one(
    client: openai.OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter, or where there are too many; so do several pictures of one call."""

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("ionos-openai"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert len(list(generate_batch(client, PROMPTS[:3], tmp_path))) == 3
    assert len(generate_images(client, "a fox", n=3)) == 3


def test_an_interruption_that_breaks_the_start_of_a_thread_is_one(
    client: openai.OpenAI, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it strikes in the lock that the start waits for, Python raises a RuntimeError; the thread works."""
    start = threading.Thread.start

    def break_lock(thread: threading.Thread) -> None:
        start(thread)
        if thread.name.startswith("ionos-openai"):
            try:
                raise KeyboardInterrupt
            finally:
                raise RuntimeError("cannot release un-acquired lock")

    monkeypatch.setattr(threading.Thread, "start", break_lock)
    with pytest.raises(KeyboardInterrupt):
        generate_batch(client, PROMPTS, tmp_path).run()
    assert recorded(tmp_path) == service.requests == 1
    with pytest.raises(KeyboardInterrupt):
        generate_images(client, "a fox", n=3)


@pytest.mark.parametrize("way", ["break", "exception", "interruption"])
def test_what_cannot_be_saved_on_the_way_out_is_told_and_kept(
    client: openai.OpenAI,
    service: Service,
    tmp_path: Path,
    fill: Callable[[], None],
    state: Path,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    """It is in a file that the log names: whoever leaves a loop asks the batch for nothing any more."""
    error = {"break": None, "exception": MineError(), "interruption": KeyboardInterrupt()}[way]
    with contextlib.suppress(MineError, KeyboardInterrupt), generate_batch(client, PROMPTS, tmp_path) as batch:
        next(batch)
        for _ in batch:
            fill()
            if error is None:
                break
            raise error
    lost = len(service.numbers) - recorded(tmp_path)
    saved = list((state / "rescued").glob("*.jpg"))
    assert len(saved) == lost > 0
    assert all(str(path) in caplog.text for path in saved)
    generate_batch(client, [], tmp_path).close()


def test_a_callback_that_fails_loses_nothing(
    client: openai.OpenAI, service: Service, tmp_path: Path, fill: Callable[[], None]
) -> None:
    """Its own exception carries the pictures, with a note."""

    def hear(event: Any) -> None:
        if event.kind == "done":
            fill()
            raise MineError

    with pytest.raises(MineError) as raised:
        generate_batch(client, PROMPTS, tmp_path, on_event=hear).run()
    assert len(partial_images(raised.value)) == service.requests - recorded(tmp_path)
    assert "No space left on device" in raised.value.__notes__[0]


def test_a_batch_that_is_forgotten_tells_what_it_could_not_keep(
    client: openai.OpenAI, tmp_path: Path, fill: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """As soon as nobody can close it any more, and it frees the directory."""
    batch = generate_batch(client, PROMPTS, tmp_path)
    next(batch)
    fill()
    del batch
    waiting = threading.active_count()
    while any(thread.name == "ionos-openai-batch" for thread in threading.enumerate()):
        time.sleep(0.005)
    assert waiting
    gc.collect()
    assert "No space left on device" in caplog.text
    generate_batch(client, [], tmp_path).close()


def test_closing_it_from_another_thread_ends_both(client: openai.OpenAI, tmp_path: Path) -> None:
    """What was on its way is still among the results."""
    batch = generate_batch(client, map(str, range(1000)), tmp_path)
    results = [next(batch)]
    closing = threading.Thread(target=batch.close)
    closing.start()
    results += batch if batch.progress.in_flight else []
    closing.join(10)
    assert not closing.is_alive()
    assert recorded(tmp_path) >= len(results)
    generate_batch(client, [], tmp_path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_waits_for_nothing(client: openai.OpenAI, tmp_path: Path) -> None:
    """It may leave the loop, close the batch or forget it; it cannot go on with it."""
    batch = generate_batch(client, PROMPTS, tmp_path)
    next(batch)
    child = os.fork()
    if not child:
        try:
            next(batch)
        except ValueError:
            batch.close()
            os._exit(7)
        os._exit(1)
    deadline = time.monotonic() + 10
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 7
    assert len(batch.run()) == 7


@pytest.mark.parametrize("way", ["timeout", "scope", "group", "twice"])
async def test_an_async_batch_that_is_cancelled_records_what_was_sent(
    service: Service, tmp_path: Path, way: str
) -> None:
    """In the ways of asyncio and of anyio, which cancels again at each await."""
    service.delay = 0.2

    async def work() -> None:
        async with agenerate_batch(client, map(str, range(100)), tmp_path) as batch:
            async for _ in batch:
                pass

    async with create_async_client(api_key=make_token(), base_url=service.url) as client:
        await cancelled(work, way)
        await asyncio.sleep(0.1)  # the service counts a moment after it has answered
        assert recorded(tmp_path) == service.requests > 0
        await agenerate_batch(client, [], tmp_path).aclose()


async def cancelled(work: Any, way: str) -> None:
    """Begin the work, and cancel it soon."""
    if way == "timeout":
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work(), 0.3)
    elif way == "scope":
        with anyio.move_on_after(0.3):
            await work()
    elif way == "group":
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await anyio.sleep(0.3)
            group.cancel_scope.cancel()
    else:
        task = asyncio.create_task(work())
        for pause in (0.3, 0.02):
            await asyncio.sleep(pause)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_being_cancelled_waits_for_no_iterable(service: Service, tmp_path: Path) -> None:
    """The next prompt may never come; where it comes late, it is left to the next run."""
    prompts: queue.Queue[str] = queue.Queue()
    prompts.put("a")
    async with create_async_client(api_key=make_token(), base_url=service.url) as client:
        with anyio.move_on_after(0.5):
            async for _ in agenerate_batch(client, iter(prompts.get, None), tmp_path):
                pass
        prompts.put("b")
        await asyncio.sleep(0.1)
        assert service.prompts == ["a"]
        await agenerate_batch(client, [], tmp_path).aclose()


def test_several_pictures_of_one_call_survive_an_interruption(
    client: openai.OpenAI, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they are asked for, and while they are decoded."""
    with starting(monkeypatch, after=5), pytest.raises(KeyboardInterrupt) as raised:
        generate_images(client, "a fox", n=8, directory=tmp_path)
    assert len(list(tmp_path.glob("*.jpg"))) == len(partial_images(raised.value)) == len(service.numbers) >= 5

    def interrupt(*given: object, **further: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ionos_openai.images.generate.decode_images", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        generate_images(client, "a fox", n=3)
    assert len(partial_images(raised.value)) == 3
