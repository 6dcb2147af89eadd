"""The same request several times, side by side: after a failure none is sent, and what is on its way finishes."""

from __future__ import annotations

import contextlib
import contextvars
import operator
import threading
from collections.abc import Awaitable, Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, Self, TypeVar

import anyio

from ionos_openai.client.pacing.turns import WithdrawnError, while_wanted
from ionos_openai.client.settings import IonosSettings
from ionos_openai.client.telemetry import several
from ionos_openai.errors import has_partial_results, keep_partial_results

Answer = TypeVar("Answer")

_SIDE_BY_SIDE = 8
_LONGEST_WAIT = 0.5  # Seconds: Windows lets no Ctrl-C through to a thread that waits without an end.


class FanOut(Generic[Answer]):
    """So many equal requests, and what became of them, which is there also where the sending was interrupted."""

    def __init__(self, times: int, settings: IonosSettings | None = None) -> None:
        """Have sent nothing yet; `settings` say whether it is told of."""
        self.failures: list[BaseException] = []  # what was raised instead of answers, an interruption first
        self._times = operator.index(times)
        self._answers: dict[int, Answer] = {}
        self._ended: list[int] = []  # places, in whatever order
        self._is_over = False
        self._span = several(settings, self._times)

    def __enter__(self) -> Self:
        """Return it; an exception in the block carries the answers that came, unless it carries something already."""
        self._span.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Attach the answers."""
        if error is not None and self._answers and not has_partial_results(error):
            keep_partial_results(error, self.answers)
        self._span.__exit__(None, None, None)  # what went wrong, the requests' own say

    @property
    def answers(self) -> list[Answer]:
        """The answers that came, in the order of the requests."""
        return [self._answers[place] for place in sorted(self._answers)]

    def send(self, send: Callable[[], Answer]) -> None:
        """Call `send` so many times, in up to eight threads; a single call is made directly, and may raise."""
        if self._times == 1:
            self._answers[0] = send()
            return
        # A signal may interrupt this at any place: no signal breaks these queues.
        waiting, bell = SimpleQueue[int](), SimpleQueue[None]()
        for place in range(self._times):
            waiting.put(place)
        try:
            self._start(lambda: self._work(send, waiting, bell))
            self._wait(bell)
        except BaseException as interruption:  # noqa: BLE001 - raised with the answers that came
            self._is_over = True
            self.failures.insert(0, interruption)
            self._work(send, waiting, bell)  # which only ends what nobody has begun
            self._wait(bell)

    def _wait(self, bell: SimpleQueue[None]) -> None:
        while len(self._ended) < self._times:
            with contextlib.suppress(Empty):
                bell.get(timeout=_LONGEST_WAIT)

    def _start(self, work: Callable[[], None]) -> None:
        for number in range(min(self._times, _SIDE_BY_SIDE)):
            name, context = f"ionos-openai_{number}", contextvars.copy_context()
            try:
                threading.Thread(target=context.run, args=(work,), name=name).start()
            except RuntimeError as error:  # none can be started: at the interpreter's end, or there are too many
                if isinstance(error.__context__, KeyboardInterrupt):  # which broke the lock that tells of its start
                    raise error.__context__ from None
                work()

    def _work(self, send: Callable[[], Answer], waiting: SimpleQueue[int], bell: SimpleQueue[None]) -> None:
        with contextlib.suppress(Empty):
            while True:
                place = waiting.get_nowait()
                try:
                    with self._kept(BaseException):
                        if not self._is_over:
                            self._answers[place] = send()
                finally:
                    self._ended.append(place)
                    bell.put(None)

    @contextlib.contextmanager
    def _kept(self, kind: type[BaseException]) -> Iterator[None]:
        """Keep what fails in the block: nothing more is sent; what waits for its turn then withdraws."""
        try:
            with while_wanted(lambda: not self._is_over), contextlib.suppress(WithdrawnError):
                yield
        except kind as failure:
            self._is_over = True
            self.failures.insert(len(self.failures) if isinstance(failure, Exception) else 0, failure)

    async def asend(self, send: Callable[[], Awaitable[Answer]]) -> None:
        """Do what `send` does, in tasks; being cancelled cancels the calls."""
        if self._times == 1:
            self._answers[0] = await send()
            return
        turns = anyio.Semaphore(_SIDE_BY_SIDE)

        async def send_in_turn(place: int) -> None:
            async with turns:
                with self._kept(Exception):  # being cancelled is no failure
                    if not self._is_over:
                        self._answers[place] = await send()

        async with anyio.create_task_group() as group:
            for place in range(self._times):
                group.start_soon(send_in_turn, place)
