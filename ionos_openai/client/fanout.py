"""The same request several times, side by side: after a failure none is sent, and what is on its way finishes."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from ionos_openai.client.pacing import WithdrawnError, while_wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")

_SIDE_BY_SIDE = 8
_LONGEST_WAIT = 0.5  # Seconds: Windows lets no Ctrl-C through to a thread that waits without an end.


def send_all(send: Callable[[], Answer], times: int) -> tuple[list[Answer], list[BaseException]]:
    """Call `send` so many times, in up to eight threads; a single call is made directly, and may raise.

    Returns:
        The answers that came, in the order of the calls, and what was raised instead, an interruption first.
    """
    if times == 1:
        return [send()], []
    failed = threading.Event()
    failures: list[BaseException] = []

    def send_unless_failed() -> list[Answer]:
        if failed.is_set():
            return []
        try:
            with while_wanted(lambda: not failed.is_set()):
                return [send()]
        except WithdrawnError:
            return []
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(min(times, _SIDE_BY_SIDE), thread_name_prefix="ionos-openai") as pool:
        futures = [pool.submit(contextvars.copy_context().run, send_unless_failed) for _ in range(times)]
        try:
            while wait(futures, _LONGEST_WAIT).not_done:
                pass
        except BaseException as interruption:  # noqa: BLE001 - returned, and raised with the answers that came
            failed.set()
            failures.append(interruption)
    failures += [failure for future in futures if (failure := future.exception()) is not None]
    return [answer for future in futures if future.exception() is None for answer in future.result()], failures


async def asend_all(send: Callable[[], Awaitable[Answer]], times: int) -> tuple[list[Answer], list[BaseException]]:
    """Do what `send_all` does, in tasks; being cancelled cancels the calls."""
    import anyio  # comes with the SDK

    if times == 1:
        return [await send()], []
    answers: dict[int, Answer] = {}
    failures: list[BaseException] = []
    turns = anyio.Semaphore(_SIDE_BY_SIDE)

    async def send_in_turn(place: int) -> None:
        async with turns:
            if failures:
                return
            try:
                with while_wanted(lambda: not failures):
                    answers[place] = await send()
            except WithdrawnError:
                return
            except Exception as failure:  # noqa: BLE001 - returned, and raised with the answers that came
                failures.append(failure)

    async with anyio.create_task_group() as group:
        for place in range(times):
            group.start_soon(send_in_turn, place)
    return [answers[place] for place in sorted(answers)], failures
