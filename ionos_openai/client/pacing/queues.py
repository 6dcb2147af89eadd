"""Who is next: the queue of this process before one bucket, first come, first served.

Only the first in the queue has a unit of the shared bucket: processes take turns, and one that is killed has spent a
single unit. Nothing in here waits; the threads' and the event loops' ways to wait are in `turns`.
"""

from __future__ import annotations

import bisect
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ionos_openai.errors import BudgetExceededError
from ionos_openai.errors.notices import is_first

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

    from ionos_openai.client.pacing.ledgers import Ledger
    from ionos_openai.client.pacing.rates import Bucket, Grant

log = logging.getLogger("ionos_openai")

_WAITING = (
    "Waiting %.0f s for the contract's limit on %s (one every %.3g s). max_wait= or IONOS_MAX_WAIT bounds such waits, "
    "pace=False or IONOS_PACE=off turns them off."
)
_WORTH_TELLING = 5.0  # Seconds


@dataclass(slots=True, eq=False)
class Turn:
    """One attempt's place in a queue."""

    ticket: int  # when its call came: the smaller, the earlier
    give_up: float  # until when it may wait, on the queue's clock
    max_wait: float | None  # what the user set as the bound, for messages; None where there is none
    signal: threading.Event | anyio.Event = field(repr=False)  # set once it is the first
    told: bool = False  # whether its wait was logged


class Queue:
    """The queue before one bucket; safe to use from several threads."""

    def __init__(self, bucket: Bucket, ledger: Ledger, clock: Callable[[], float]) -> None:
        """Begin with nobody waiting; `clock` returns seconds and is never put back."""
        self.bucket, self.ledger, self.clock = bucket, ledger, clock
        self._turns: list[Turn] = []
        self._holds = False  # whether a unit was taken for the first in the queue
        self._due = 0.0
        self._full_at = 0.0
        self._lock = threading.Lock()

    def enter(self, turn: Turn) -> None:
        """Queue up, behind the first in any case, who may be asking the ledger; raise where it cannot come in time."""
        with self._lock:
            if self._turns:
                place = bisect.bisect_right(self._turns, turn.ticket, lo=1, key=lambda waiting: waiting.ticket)
                self._check(turn, self._expected(place))
                self._turns.insert(place, turn)
                return
            self._turns.append(turn)
            turn.signal.set()

    def _expected(self, place: int) -> float:
        """Return how long who stands at `place` will wait at least, as far as this process knows."""
        ahead = place - 1 if self._holds else place
        full_at = max(self._full_at, self.clock()) + (ahead + 1) * self.bucket.interval
        return full_at - self.bucket.capacity * self.bucket.interval - self.clock()

    def pause(self, turn: Turn) -> float:
        """Return for how many seconds the first has to wait before it asks the ledger again."""
        seconds = max(0.0, self._due - self.clock()) if self._holds else 0.0
        self._check(turn, seconds)
        return seconds

    def ask(self, turn: Turn) -> Grant:
        """Ask the ledger for a unit for the first, or whether its unit still holds now that it is due."""
        return self.ledger.take(self.bucket, held=self._holds, longest=max(0.0, turn.give_up - self.clock()))

    def settle(self, turn: Turn, grant: Grant) -> bool:
        """Take note of the ledger's answer; true where the attempt may be made now."""
        now = self.clock()
        self._full_at = now + grant.backlog
        if not grant.granted:
            raise self._exceeded(turn, grant.delay)
        self._holds = True
        self._due = now + grant.delay
        if grant.delay > 0:
            return False
        with self._lock:
            self._holds = False
            self._go(turn)
        return True

    def leave(self, turn: Turn) -> None:
        """Step out of the queue; a unit that was taken goes to the next, else back to the ledger."""
        with self._lock:
            if turn not in self._turns:
                return
            self._go(turn)
            spare = self._holds and not self._turns
            self._holds = self._holds and not spare
        if spare:
            self.give_back()

    def give_back(self) -> None:
        """Give a unit back, unless that could block a loop."""
        if not self.ledger.is_slow():
            self.ledger.give_back(self.bucket)

    def _go(self, turn: Turn) -> None:
        was_first = self._turns[0] is turn
        self._turns.remove(turn)
        if was_first and self._turns:
            self._turns[0].signal.set()

    def too_late(self, turn: Turn) -> BudgetExceededError:
        """Return the error for a turn that did not even become the first in time."""
        with self._lock:
            place = self._turns.index(turn)
            return self._exceeded(turn, max(self._expected(place), self.bucket.interval))

    def _check(self, turn: Turn, seconds: float) -> None:
        if seconds > 0 and self.clock() + seconds > turn.give_up:
            raise self._exceeded(turn, seconds)
        if seconds > _WORTH_TELLING and not turn.told:
            turn.told = True
            level = logging.WARNING if is_first("a wait for the contract's limits") else logging.INFO
            log.log(level, _WAITING, seconds, self.bucket.name, self.bucket.interval)

    def _exceeded(self, turn: Turn, seconds: float) -> BudgetExceededError:
        return BudgetExceededError(
            f"The contract's limit of {self.bucket.name} has no turn left within max_wait={turn.max_wait or 0:g} s: "
            f"the next is in {seconds:.1f} s. Try again then, or raise max_wait= or IONOS_MAX_WAIT.",
            retry_after=seconds,
        )
