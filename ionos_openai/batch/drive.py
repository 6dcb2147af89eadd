"""What carries a batch out: threads for a sync client, tasks for an async one. What to do, `schedule` decides."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import os
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ionos_openai.batch.lock import DirectoryLock
from ionos_openai.batch.manifest import Manifest
from ionos_openai.batch.progress_bar import ProgressBar
from ionos_openai.batch.schedule import Schedule, Unit
from ionos_openai.client.pacing import while_wanted
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.notices import in_notebook
from ionos_openai.images.generate import agenerate_images, generate_images

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from pathlib import Path

    import openai

    from ionos_openai.batch.plan import Plan
    from ionos_openai.batch.request import ImageRequest
    from ionos_openai.batch.results import BatchEvent, BatchResult, Estimate, Progress
    from ionos_openai.client.pacing.rates import ContractLimits

log = logging.getLogger("ionos_openai")

Client = TypeVar("Client", "openai.OpenAI", "openai.AsyncOpenAI")
Made = TypeVar("Made")
Begun = TypeVar("Begun", bound="asyncio.Future[Any]")

# Windows lets no Ctrl-C through to a thread that waits without an end.
_LONGEST_WAIT = 0.5 if os.name == "nt" else None
_CLOSED = "This batch was closed. Call generate_batch() again: it goes on where this one ended."


class Clock:
    """The time that a batch goes by, in seconds that only ever go on; another one may be handed in."""

    def __call__(self) -> float:
        """Return what it is."""
        return time.monotonic()

    def wait(self, wake: queue.SimpleQueue[None], seconds: float | None) -> None:
        """Wait until a unit is settled, at most so many seconds."""
        if _LONGEST_WAIT is not None:
            seconds = _LONGEST_WAIT if seconds is None else min(seconds, _LONGEST_WAIT)
        with contextlib.suppress(queue.Empty):
            wake.get(timeout=seconds)


def _for_batch(client: Client) -> Client:
    """Return a client that leaves trying again to the batch, and waits for the limits as long as it takes."""
    copied = client.with_options(max_retries=0)
    pacing = getattr(copied, "ionos_pacing", None)
    if pacing is not None:
        copied.ionos_pacing = replace(pacing, max_wait=None)  # type: ignore[attr-defined]  # it has one
    return copied


class _BatchRun(Generic[Client]):
    """Carries out what a schedule says, and holds the directory meanwhile; the two kinds of batch say with what."""

    _how_to_begin = ""

    def __init__(
        self,
        client: Client,
        requests: Iterable[str | ImageRequest],
        plan: Plan,
        *,
        timeout: float | openai.Timeout | openai.NotGiven | None,
        on_event: Callable[[BatchEvent], object] | None,
        clock: Clock | None = None,
    ) -> None:
        """Made by `generate_batch` and `agenerate_batch`; holds the directory from now on."""
        if isinstance(requests, str):
            raise InvalidRequestError("The requests are one text: pass a list of prompts, such as [prompt].")
        self._client: Client = _for_batch(client)
        self._clock = clock or Clock()
        with contextlib.ExitStack() as held:
            held.callback(DirectoryLock(plan.directory).release)
            manifest = Manifest(plan.directory)
            held.callback(manifest.close)
            self._schedule = Schedule(requests, plan, manifest, self._clock)
            self._held = held.pop_all()
        self._concurrency = plan.bounds.concurrency
        self._timeout = timeout
        self._on_event = on_event
        self._bar = ProgressBar() if on_event is None and in_notebook() else None
        self._began = self._over = self._closed = False
        self._prepare()

    def _prepare(self) -> None:
        """Make what it waits with."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._schedule.progress

    @property
    def estimate(self) -> Estimate:
        """What it will take, as it was when it was made."""
        return self._schedule.estimate

    @property
    def limits(self) -> ContractLimits | None:
        """The limits that the client keeps to by itself; None where it does not."""
        return self._schedule.plan.limits

    @property
    def directory(self) -> Path:
        """Where the pictures go."""
        return self._schedule.plan.directory

    def __repr__(self) -> str:
        """Tell what it is doing, and at the beginning what is to be done with it."""
        if not self._began:
            prompts = self.estimate.prompts
            waiting = "waiting" if prompts is None else f"{prompts} waiting"
            return f"{type(self).__name__}({waiting}: {self._how_to_begin})"
        progress = self.progress
        left = "" if progress.left is None else f", {progress.left} left"
        return f"{type(self).__name__}({progress.done} done, {progress.failed} failed{left})"

    def _begin(self) -> None:
        if self._closed and not self._over:
            raise InvalidRequestError(_CLOSED)
        if not self._began:
            self._began = True
            self._schedule.note_estimate()
            self._tell()

    def _tell(self) -> None:
        for event in self._schedule.pop_events():
            if self._on_event is not None:
                self._on_event(event)
        if self._bar is not None:
            progress = self.progress
            self._bar.show(str(progress), progress.done + progress.failed + progress.skipped, progress.total)

    def _is_wanted(self) -> bool:
        return not self._schedule.ending

    def _next_told(self) -> BatchResult | None:
        self._tell()
        return self._schedule.pop_result()

    def _free(self) -> None:
        self._closed = True
        self._held.close()

    def _tell_end(self) -> None:
        self._tell()
        if self._schedule.fatal is not None:
            raise self._schedule.fatal


class Batch(_BatchRun["openai.OpenAI"]):
    """A batch in a directory, made by `generate_batch`; nothing is sent before the first result is asked for.

    Iterate over it for a `BatchResult` a prompt, in the order in which they finish, or call `run()`. Leaving a loop
    early, an exception and Ctrl-C first finish and record what is in flight; the next run goes on from there.
    """

    _how_to_begin = "iterate or call .run()"

    def _prepare(self) -> None:
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None
        self._stopped = False

    def run(self) -> list[BatchResult]:
        """Carry it out.

        Returns:
            One result a prompt that was made or failed in this run, in the order in which they finished.

        Raises:
            openai.AuthenticationError: The token was refused; so for `openai.PermissionDeniedError`.
            ImageSaveError: The disk or the directory fails; `partial_images(error)` has what could not be saved.
        """
        return list(self)

    def stop(self) -> None:
        """Begin nothing new; iterating ends with what is in flight. May be called from a signal handler or a thread."""
        self._stopped = True
        self._schedule.ending = True
        self._wake.put(None)

    def close(self) -> None:
        """Finish and record what is in flight, and free the directory; again is harmless."""
        if self._closed:
            return
        self._schedule.ending = True
        try:
            while self._schedule.flying:
                self._clock.wait(self._wake, None)
        except BaseException:
            self._abandon()
            raise
        if self._pool is not None:
            self._pool.shutdown()
        self._free()

    def _abandon(self) -> None:
        """Wait for nothing any more. The directory stays locked: threads may still be writing."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[BatchResult]:
        """Yield the results; closes the batch when the loop is left."""
        try:
            while (result := self._advance()) is not None:
                yield result
        finally:
            self.close()

    def __next__(self) -> BatchResult:
        """Return the next result."""
        result = self._advance()
        if result is None:
            raise StopIteration
        return result

    def __enter__(self) -> Self:
        """Return the batch itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def _advance(self) -> BatchResult | None:
        if self._over:
            return None
        self._begin()
        try:
            while True:
                pause = self._launch()
                result = self._next_told()
                if result is not None:
                    return result
                if self._schedule.over:
                    self._end()
                    return None
                if pause != 0.0:
                    self._clock.wait(self._wake, pause)
        except KeyboardInterrupt:
            # After `stop()` it is the second wish to leave.
            if self._stopped:
                self._abandon()
            else:
                self.close()
            raise
        except BaseException:
            self.close()
            raise

    def _launch(self) -> float | None:
        """Begin what can be begun; return the seconds until more can be, None where what is in flight decides."""
        while self._schedule.flying < self._concurrency:
            found = self._schedule.take()
            if not isinstance(found, Unit):
                return found
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="ionos-openai-batch")
            self._pool.submit(contextvars.copy_context().run, self._work, found)
        return None

    def _work(self, unit: Unit) -> None:
        try:
            with while_wanted(self._is_wanted):
                made: Any = _only(generate_images(self._client, **_arguments(unit), timeout=self._timeout))
        except BaseException as error:  # noqa: BLE001 - what follows from it is decided elsewhere
            made = error
        self._schedule.settle(unit, made)
        self._wake.put(None)

    def _end(self) -> None:
        self._over = True
        self.close()
        self._tell_end()


class AsyncBatch(_BatchRun["openai.AsyncOpenAI"]):
    """The async twin of `Batch`: iterate with `async for`, or await `run()`. Needs asyncio.

    Being cancelled finishes and records what is in flight first. A loop that is left early does so in the
    background, and only as long as the event loop lives: leave it within `async with`, or `await batch.aclose()`.
    What the end of `asyncio.run()` cancels may be paid for and is lost, with a WARNING in the log.
    """

    _how_to_begin = "iterate with async for, or await .run()"

    def _prepare(self) -> None:
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Future[Any]] = set()
        self._launching = asyncio.Lock()  # two that iterate take turns at reading the requests

    async def run(self) -> list[BatchResult]:
        """Do what `Batch.run` does."""
        return [result async for result in self]

    def stop(self) -> None:
        """Begin nothing new; iterating ends with what is in flight. May be called from anywhere."""
        self._schedule.ending = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake.set)

    async def aclose(self) -> None:
        """Finish and record what is in flight, and free the directory; again is harmless."""
        if self._closed:
            return
        self._schedule.ending = True
        if self._tasks:
            await asyncio.wait(self._tasks)  # being cancelled while it waits cancels none of them
        if not self._closed:
            self._free()

    async def __aiter__(self) -> AsyncIterator[BatchResult]:
        """Yield the results; closes the batch when the loop is left."""
        try:
            while (result := await self._advance()) is not None:
                yield result
        finally:
            await self.aclose()

    async def __anext__(self) -> BatchResult:
        """Return the next result."""
        result = await self._advance()
        if result is None:
            raise StopAsyncIteration
        return result

    async def __aenter__(self) -> Self:
        """Return the batch itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self.aclose()

    async def _advance(self) -> BatchResult | None:
        if self._over:
            return None
        self._loop = asyncio.get_running_loop()
        self._begin()
        try:
            while True:
                self._wake.clear()
                pause = await self._launch()
                result = self._next_told()
                if result is not None:
                    return result
                if self._schedule.over:
                    await self._end()
                    return None
                await self._pause(pause)
        except BaseException:
            await self.aclose()
            raise

    async def _launch(self) -> float | None:
        async with self._launching:
            while self._schedule.flying < self._concurrency:
                found = await self._take()
                if not isinstance(found, Unit):
                    return found
                self._await_at_close(asyncio.create_task(self._work(found)))
        return None

    async def _take(self) -> Unit | float | None:
        """Ask in a thread, since it reads files and the user's iterable; cancelled, leave the unit to the next run."""
        taking = self._in_thread(self._schedule.take)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._give_up)
            raise

    def _give_up(self, taking: asyncio.Future[Unit | float | None]) -> None:
        found = None if taking.exception() else taking.result()
        if isinstance(found, Unit):
            self._schedule.abandon(found)

    def _in_thread(self, function: Callable[..., Made], *arguments: Any) -> asyncio.Future[Made]:
        """Do what `asyncio.to_thread` does, but as no task: the end of a loop cancels all tasks."""
        call = functools.partial(contextvars.copy_context().run, function, *arguments)
        return self._await_at_close(asyncio.get_running_loop().run_in_executor(None, call))

    def _await_at_close(self, begun: Begun) -> Begun:
        self._tasks.add(begun)
        begun.add_done_callback(self._tasks.discard)
        return begun

    async def _pause(self, seconds: float | None) -> None:
        if seconds == 0.0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _work(self, unit: Unit) -> None:
        try:
            with while_wanted(self._is_wanted):
                made: Any = _only(await agenerate_images(self._client, **_arguments(unit), timeout=self._timeout))
        except asyncio.CancelledError:
            self._schedule.abandon(unit)
            log.warning(
                "A request of the batch into %s was cancelled on its way; its picture may be paid for and is lost. "
                "Leave such a loop within `async with agenerate_batch(...) as batch:`, which waits.",
                self.directory,
            )
            raise
        except Exception as error:  # noqa: BLE001 - what follows from it is decided elsewhere
            made = error
        # Writing waits for the disk, so it leaves the loop alone; once begun it is not given up.
        await asyncio.shield(self._in_thread(self._schedule.settle, unit, made))
        self._wake.set()

    async def _end(self) -> None:
        self._over = True
        await self.aclose()
        self._tell_end()


def _arguments(unit: Unit) -> dict[str, Any]:
    request = unit.request
    asked = {"prompt": request.prompt, "model": request.model, "size": request.size, "seed": request.seed}
    return {**asked, "extra_body": dict(request.extra) or None}


def _only(images: list[Any]) -> Any:
    # An answer with several pictures, which the service does not send, would be more than was asked for.
    return images[0]
