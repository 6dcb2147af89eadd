"""What carries a batch out: threads for a sync client, tasks for an async one. What to do, `schedule` decides."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import html
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import anyio
import openai

from ionos_openai.batch.bucket import open_store
from ionos_openai.batch.plan import Plan
from ionos_openai.batch.request import ImageRequest
from ionos_openai.batch.results import BatchEvent, BatchResult, Estimate, Progress, read_batch
from ionos_openai.batch.schedule import Schedule, Unit
from ionos_openai.batch.stored import Store
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.client.pacing.turns import while_wanted
from ionos_openai.client.settings import settings_of
from ionos_openai.client.telemetry import BatchSpan
from ionos_openai.errors import InvalidRequestError, keep_partial_results, partial_results
from ionos_openai.errors.notices import in_notebook
from ionos_openai.images.generate import agenerate_images, generate_images
from ionos_openai.images.image import GeneratedImage, partial_images, rescue_images

log = logging.getLogger("ionos_openai")

Client = TypeVar("Client", "openai.OpenAI", "openai.AsyncOpenAI")
Made = TypeVar("Made")
Begun = TypeVar("Begun", bound="asyncio.Future[Any]")

# Windows lets no Ctrl-C through to a thread that waits without an end.
_LONGEST_WAIT = 0.5 if os.name == "nt" else None
_CLOSED = "This batch was closed. Call generate_batch() again: it goes on where this one ended."
_FORKED = "This batch belongs to the process that made it, which a fork has left. Make one in this process."


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


class _Bell:
    """Wakes all that wait for a unit to be settled; a signal that interrupts one of them breaks it for none."""

    def __init__(self) -> None:
        self._inboxes: list[queue.SimpleQueue[None]] = []

    def ring(self) -> None:
        for inbox in tuple(self._inboxes):
            inbox.put(None)

    @contextlib.contextmanager
    def listening(self) -> Iterator[queue.SimpleQueue[None]]:
        inbox = queue.SimpleQueue[None]()
        self._inboxes.append(inbox)
        try:
            yield inbox
        finally:
            self._inboxes.remove(inbox)


class _ProgressBar:
    """A bar with a line in the output of the cell that runs, updated in place."""

    def __init__(self) -> None:
        self._line = ""
        self._handle: Any = None

    def show(self, line: str, done: int, total: int | None) -> None:
        """Show how far it is; without a total the bar only says that there is work going on."""
        if line == self._line:
            return
        self._line = line
        width = "" if total is None else f' value="{done}" max="{max(1, total)}"'
        bar = f'<progress{width} style="width:24em;vertical-align:middle"></progress> {html.escape(line)}'
        bundle = {"text/html": bar, "text/plain": line}
        if self._handle is None:
            self._handle = import_module("IPython.display").display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


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
        store: Store | None = None,
    ) -> None:
        """Made by `generate_batch` and `agenerate_batch`; holds the directory from now on, or one that is given."""
        self._client: Client = _for_batch(client)
        self._clock = clock or Clock()
        with contextlib.ExitStack() as held:
            store = store or open_store(plan.directory)
            held.callback(store.close)
            self._schedule = Schedule(requests, plan, store, self._clock)
            self._held = held.pop_all()
        self._concurrency = plan.concurrency
        self._timeout = timeout
        self._on_event = on_event
        self._bar = _ProgressBar() if on_event is None and in_notebook() else None
        self._span = BatchSpan(settings_of(client))
        self._began = self._over = self._closed = False
        self._pid = os.getpid()
        self._prepare()
        _made.add(self)

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
    def directory(self) -> Path | str:
        """Where the pictures go: a directory, or a bucket's URL."""
        place = self._schedule.plan.directory
        return place if isinstance(place, Path) else str(place)

    def __repr__(self) -> str:
        """Tell what it is doing, and at the beginning what is to be done with it."""
        if not hasattr(self, "_pid"):  # its making failed, and what shows a traceback's variables asks for it
            return object.__repr__(self)
        if not self._began:
            prompts = "" if self.estimate.prompts is None else f"{self.estimate.prompts} "
            return f"{type(self).__name__}({prompts}waiting: {self._how_to_begin})"
        progress = self.progress
        left = "" if progress.left is None else f", {progress.left} left"
        return f"{type(self).__name__}({progress.done} done, {progress.failed} failed{left})"

    def _check_open(self) -> None:
        """Refuse to begin with a batch that is closed; one that is closed meanwhile just ends."""
        if self._closed and not self._over:
            raise InvalidRequestError(_CLOSED)

    def _begin(self) -> None:
        if self._is_forked():
            raise InvalidRequestError(_FORKED)
        if not self._began:
            self._began = True
            self._schedule.note_estimate()
            self._tell()

    def _with_earlier(self, made: list[BatchResult]) -> list[BatchResult]:
        left: set[str] = self._schedule.skipped - {result.id for result in made}
        recorded: list[BatchResult] = read_batch(self._schedule.plan.directory) if left else []
        return [*(result for result in recorded if result.id in left), *made]

    def _tell(self) -> None:
        self._span.tell(self.progress.left)
        for event in self._schedule.pop_events():
            if self._on_event is not None:
                self._on_event(event)
        if self._bar is not None:
            progress = self.progress
            self._bar.show(str(progress), progress.done + progress.failed + progress.skipped, progress.total)

    def __del__(self) -> None:
        """See that what ended it is known, where it was forgotten and not closed."""
        if hasattr(self, "_pid"):  # not where its making failed
            self._rescue_untold()

    def _rescue_untold(self) -> None:
        if not self._is_forked() and (fatal := self._schedule.pop_fatal()) is not None:
            rescue_untold(fatal, self.directory)

    def _is_forked(self) -> bool:
        """Tell whether this is a copy in a child process, in which no thread works and nothing is on its way."""
        return os.getpid() != self._pid

    def _free(self) -> None:
        self._closed = True
        self._held.close()
        progress = self.progress
        facts = {name: getattr(progress, name) for name in ("total", "done", "failed", "skipped", "images", "limited")}
        self._span.end({**facts, "cost": progress.cost and str(progress.cost)})

    def _raise_untold(self) -> None:
        if (fatal := self._schedule.pop_fatal()) is not None:
            raise fatal

    def _hand_on(self, fatal: BaseException, error: BaseException) -> None:
        """Have the error that leaves the batch carry the pictures that could not be saved, where somebody sees it."""
        if fatal is error:
            return
        if fatal is not self._schedule.fatal:
            raise fatal  # such as a second Ctrl-C
        keep_partial_results(error, [*partial_results(error), *partial_results(fatal)])
        error.add_note(f"The batch into {self.directory} ended before: {fatal}")
        if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError):
            rescue_untold(fatal, self.directory)


_made: weakref.WeakSet[_BatchRun[Any]] = weakref.WeakSet()


@atexit.register
def _rescue_at_exit() -> None:
    for batch in list(_made):
        batch._rescue_untold()


class Batch(_BatchRun["openai.OpenAI"]):
    """A batch in a directory, made by `generate_batch`; nothing is sent before the first result is asked for.

    Iterate over it for a `BatchResult` a prompt, in the order in which they finish, or call `run()`. Leaving a loop
    early, an exception and Ctrl-C first finish and record what is in flight; the next run goes on from there.
    """

    _how_to_begin = "iterate or call .run()"

    def _prepare(self) -> None:
        self._bell = _Bell()
        self._stopped = False

    def run(self) -> list[BatchResult]:
        """Carry it out.

        Returns:
            A result a prompt: those of earlier runs, marked so, then those of this one in the order in which they
            finished. Iterating yields this run's alone.

        Raises:
            openai.AuthenticationError: The token was refused; so for `openai.PermissionDeniedError`.
            ImageSaveError: The disk or the directory fails; `partial_images(error)` has what could not be saved.
        """
        return self._with_earlier(list(self))

    def stop(self) -> None:
        """Begin nothing new; iterating ends with what is in flight. May be called from a signal handler or a thread."""
        self._stopped = True
        self._schedule.ending = True
        self._bell.ring()

    def close(self) -> None:
        """Finish and record what is on its way, and free the directory; again is harmless.

        May be called from another thread; the one that iterates then ends too. In a forked child it waits for nothing.

        Raises:
            ImageSaveError: A picture that was on its way could not be saved; `partial_images(error)` has it. Only
                where that was not raised by the iteration; so for what else ended the run.
        """
        if self._is_forked():
            self._closed = True
        if self._closed:
            return
        self._schedule.end()
        try:
            with self._bell.listening() as inbox:
                while self._schedule.flying:
                    self._clock.wait(inbox, None)
        except BaseException:
            self._leave()
            raise
        self._free()
        self._raise_untold()

    def _leave(self) -> None:
        """Wait for nothing; the directory stays locked until the last thread has written."""
        self._closed = True
        if not self._schedule.flying:
            self._free()

    def _close_for(self, error: BaseException) -> None:
        """Close on the way out with an error."""
        try:
            self.close()
        except BaseException as fatal:  # noqa: BLE001 - it is raised, or goes with the error
            self._hand_on(fatal, error)

    def __iter__(self) -> Iterator[BatchResult]:
        """Yield the results; closes the batch when the loop is left."""
        self._check_open()
        try:
            while (result := self._advance()) is not None:
                yield result
        except BaseException as error:
            self._close_for(error)
            raise

    def __next__(self) -> BatchResult:
        """Return the next result."""
        self._check_open()
        result = self._advance()
        if result is None:
            raise StopIteration
        return result

    def __enter__(self) -> Self:
        """Return the batch itself."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close it."""
        self.close() if error is None else self._close_for(error)

    def _advance(self) -> BatchResult | None:
        if self._over:
            return None
        self._begin()
        try:
            with self._bell.listening() as inbox:
                while True:
                    pause = self._launch()
                    self._tell()
                    if (result := self._schedule.pop_result()) is not None:
                        return result
                    if self._schedule.over:
                        self._over = True
                        self._tell()
                        self.close()
                        return None
                    if pause != 0.0:
                        self._clock.wait(inbox, pause)
        except BaseException as error:
            # After `stop()` it is the second wish to leave.
            if isinstance(error, KeyboardInterrupt) and self._stopped:
                self._schedule.end()
                self._leave()
            self._close_for(error)
            raise

    def _launch(self) -> float | None:
        """Begin what can be begun; return the seconds until more can be, None where what is in flight decides."""
        while self._schedule.flying < self._concurrency:
            found = self._schedule.take()
            if not isinstance(found, Unit):
                return found
            self._start(found)
        return None

    def _start(self, unit: Unit) -> None:
        context = contextvars.copy_context()
        try:
            threading.Thread(target=context.run, args=(self._work, unit), name="ionos-openai-batch").start()
        except RuntimeError as error:  # none can be started: at the interpreter's end, or there are too many
            if isinstance(error.__context__, KeyboardInterrupt):  # which broke the lock that tells of its start
                raise error.__context__ from None
            self._work(unit)

    def _work(self, unit: Unit) -> None:
        if not self._schedule.begin(unit):
            return
        made: Sequence[GeneratedImage] | BaseException
        try:
            with self._span.linked(unit.request.metadata), while_wanted(lambda: not self._schedule.ending):
                made = generate_images(self._client, **_arguments(unit), timeout=self._timeout)
        except BaseException as error:  # noqa: BLE001 - what follows from it is decided elsewhere
            made = error
        self._schedule.settle(unit, made)
        self._bell.ring()
        if self._closed and not self._schedule.flying:
            self._free()


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
        self._tasks: set[asyncio.Future[Any]] = set()  # what was sent, and what is being written
        self._launching = asyncio.Lock()  # two that iterate take turns at reading the requests

    async def run(self) -> list[BatchResult]:
        """Do what `Batch.run` does."""
        made = [result async for result in self]
        return await self._in_thread(self._with_earlier, made)

    def stop(self) -> None:
        """Begin nothing new; iterating ends with what is in flight. May be called from anywhere."""
        self._schedule.ending = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake.set)

    async def aclose(self) -> None:
        """Finish and record what is on its way, and free the directory; again is harmless.

        Being cancelled meanwhile, by asyncio or by a scope of anyio's, takes effect afterwards.

        Raises what `Batch.close` raises.
        """
        if self._is_forked():
            self._closed = True
        if self._closed:
            return
        self._schedule.end()
        cancelled = None
        with anyio.CancelScope(shield=True):
            while self._tasks:
                try:
                    await asyncio.wait(self._tasks)  # being cancelled while it waits cancels none of them
                except asyncio.CancelledError as error:
                    cancelled = error
        if not self._closed:
            self._free()
        if cancelled is not None:
            raise cancelled
        self._raise_untold()

    async def _close_for(self, error: BaseException) -> None:
        """Close on the way out with an error."""
        try:
            await self.aclose()
        except BaseException as fatal:  # noqa: BLE001 - it is raised, or goes with the error
            self._hand_on(fatal, error)

    async def __aiter__(self) -> AsyncIterator[BatchResult]:
        """Yield the results; closes the batch when the loop is left."""
        self._check_open()
        try:
            while (result := await self._advance()) is not None:
                yield result
        except BaseException as error:
            await self._close_for(error)
            raise

    async def __anext__(self) -> BatchResult:
        """Return the next result."""
        self._check_open()
        result = await self._advance()
        if result is None:
            raise StopAsyncIteration
        return result

    async def __aenter__(self) -> Self:
        """Return the batch itself."""
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close it."""
        await (self.aclose() if error is None else self._close_for(error))

    async def _advance(self) -> BatchResult | None:
        if self._over:
            return None
        self._loop = asyncio.get_running_loop()
        self._begin()
        try:
            while True:
                self._wake.clear()
                pause = await self._launch()
                self._tell()
                if (result := self._schedule.pop_result()) is not None:
                    return result
                if self._schedule.over:
                    self._over = True
                    self._tell()
                    await self.aclose()
                    return None
                with contextlib.suppress(TimeoutError):
                    await (asyncio.sleep(0) if pause == 0.0 else asyncio.wait_for(self._wake.wait(), pause))
        except BaseException as error:
            await self._close_for(error)
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
        """Ask in a thread, since it reads files and the user's iterable; cancelled, leave the unit to the next run.

        The iterable may wait for its next item for ever, so the thread is one that nothing waits for.
        """
        taking = Future[Unit | float | None]()

        def take() -> None:
            found = None
            with contextlib.suppress(InvalidStateError):  # it was cancelled meanwhile
                try:
                    found = self._schedule.take()
                except BaseException as error:  # noqa: BLE001 - raised where the unit is asked for
                    taking.set_exception(error)
                else:
                    taking.set_result(found)
            if taking.cancelled() and isinstance(found, Unit):
                self._schedule.abandon(found)

        threading.Thread(target=contextvars.copy_context().run, args=(take,), daemon=True).start()
        return await asyncio.wrap_future(taking)

    def _in_thread(self, function: Callable[..., Made], *arguments: Any) -> asyncio.Future[Made]:
        """Do what `asyncio.to_thread` does, but as no task: the end of a loop cancels all tasks."""
        call = functools.partial(contextvars.copy_context().run, function, *arguments)
        return self._await_at_close(asyncio.get_running_loop().run_in_executor(None, call))

    def _await_at_close(self, begun: Begun) -> Begun:
        self._tasks.add(begun)
        begun.add_done_callback(self._tasks.discard)
        return begun

    async def _work(self, unit: Unit) -> None:
        if not self._schedule.begin(unit):
            return
        made: Sequence[GeneratedImage] | BaseException
        try:
            with self._span.linked(unit.request.metadata), while_wanted(lambda: not self._schedule.ending):
                made = await agenerate_images(self._client, **_arguments(unit), timeout=self._timeout)
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


def _arguments(unit: Unit) -> dict[str, Any]:
    request = unit.request
    asked = {"prompt": request.prompt, "model": request.model, "size": request.size, "seed": request.seed}
    return {**asked, "extra_body": dict(request.extra) or None, "sign": False}  # signed when it is saved


def rescue_untold(fatal: BaseException, directory: Path | str) -> None:
    """Keep the pictures of an error that nobody may see, and say so in the log."""
    images = partial_images(fatal)
    try:
        kept = ", ".join(map(str, rescue_images(images))) if images else "none came that is not saved"
    except OSError as error:
        kept = f"they are lost, for they cannot be saved elsewhere either ({error})"
    log.error("The batch into %s ended: %s Pictures that could not be saved: %s.", directory, fatal, kept)
