"""What a client calls: a turn for each attempt, and another one after a 429. Sync in threads, async in an event loop.

Threads share one queue and each event loop has its own: one that stands still holds up nobody. The ledger is shared.
"""

from __future__ import annotations

import bisect
import contextlib
import contextvars
import functools
import hashlib
import itertools
import logging
import math
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio.to_thread
import openai
from anyio.lowlevel import RunVar
from pydantic import SecretStr

from ionos_openai.client.pacing.ledgers import FileLedger, Ledger, RedisLedger
from ionos_openai.client.pacing.rates import Bucket, ContractLimits, Grant
from ionos_openai.errors import BudgetExceededError
from ionos_openai.errors.notices import is_first
from ionos_openai.files.writing import state_directory
from ionos_openai.hub.credentials import read_token

if TYPE_CHECKING:
    import httpx2 as httpx

log = logging.getLogger("ionos_openai")

Answer = TypeVar("Answer")

_LONGEST_RETRY_AFTER = 86_400.0  # Seconds; after a day the service is asked again, whatever it said.
LONG_WAIT = 3600.0  # Seconds; of a longer wait a WARNING tells.
_LONGEST_GUESS = 60.0  # Seconds, where a 429 does not say how long.
_PATIENCE = 1.0  # Seconds, beyond `max_wait`, for those ahead who are just asking the ledger.
_WAITING = (
    "Waiting %.0f s for the contract's limit on %s (one every %.3g s). max_wait= or IONOS_MAX_WAIT bounds such waits, "
    "pace=False or IONOS_PACE=off turns them off."
)
_WORTH_TELLING = 5.0  # Seconds

_contracts: dict[tuple[object, ...], Contract] = {}
_state_directory: Path | None = None  # where levels are kept; None means where this user's state is
_counter = itertools.count()
_current: contextvars.ContextVar[PacedCall | None] = contextvars.ContextVar("ionos_openai_call", default=None)
_wanted: contextvars.ContextVar[Callable[[], bool] | None] = contextvars.ContextVar("ionos_openai_wanted", default=None)
_LOOK_EVERY = 0.25  # Seconds, whether a call that waits is still wanted.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How a client is paced."""

    limits: ContractLimits = field(default_factory=ContractLimits)
    max_wait: float | None = None  # seconds that a call may wait for turns and between attempts; None sets no bound
    redis_url: SecretStr | None = None  # where levels are kept; None means in a file of this user's on this host

    def check(self) -> None:
        """Connect to Redis, where it is asked for; raises what `RedisLedger` raises."""
        if self.redis_url is not None:
            _open_ledger(self.redis_url, "")

    def contract(self, token: str | SecretStr) -> Contract:
        """Return the token's contract: the same for all clients of this process."""
        name = token = contract_name(token)  # it may raise, and then no variable of this frame holds the token
        # By process, since neither queues nor locks outlive a fork.
        key = (os.getpid(), name, self.redis_url, self.limits)
        if key not in _contracts:
            for other in [other for other in list(_contracts) if other[0] != key[0]]:
                _contracts.pop(other, None)
            _contracts.setdefault(key, Contract(self.limits, _open_ledger(self.redis_url, name)))
        return _contracts[key]

    async def acontract(self, token: str | SecretStr) -> Contract:
        """Do what `contract` does, in an event loop."""
        is_slow = self.redis_url is not None
        return await anyio.to_thread.run_sync(self.contract, token) if is_slow else self.contract(token)


def reset(*, state_directory: Path | None = None) -> None:
    """Begin as a new process does; `state_directory` is where levels are kept from now on, by default the user's."""
    global _state_directory  # noqa: PLW0603 - of the whole process, as the contracts are
    _contracts.clear()
    _state_directory = state_directory


def contract_name(token: str | SecretStr) -> str:
    """Return a name for the token's contract: its number, or a digest of the token where it does not say."""
    token = token.get_secret_value() if isinstance(token, SecretStr) else token
    contract = read_token(token).contract or ""
    if re.fullmatch(r"[0-9A-Za-z]{1,40}", contract):
        return f"contract-{contract}"
    return f"token-{hashlib.sha256(token.encode()).hexdigest()[:32]}"


def _open_ledger(redis_url: SecretStr | None, contract: str) -> Ledger:
    if redis_url is None:
        return FileLedger((_state_directory or state_directory()) / f"{contract}.json")
    return RedisLedger(redis_url, contract)


class PerLoop(Generic[Answer]):
    """One of a thing for each event loop, none of which can use another's."""

    def __init__(self, make: Callable[[], Answer]) -> None:
        """Have made none; `make` makes one."""
        self._make = make
        self._made: RunVar[Answer] = RunVar(f"ionos_openai_{next(_counter)}")

    def get(self) -> Answer:
        """Return the running loop's."""
        made = self._made.get(None)
        if made is None:
            self._made.set(made := self._make())
        return made


@dataclass(slots=True, eq=False)
class Turn:
    """One attempt's place in a queue."""

    ticket: int  # when its call came: the smaller, the earlier
    give_up: float  # until when it may wait, on the queue's clock
    max_wait: float | None  # what the user set as the bound, for messages; None where there is none
    signal: threading.Event | anyio.Event = field(repr=False)  # set once it is the first
    told: bool = False  # whether its wait was logged


class Queue:
    """Who of this process is next before one bucket, first come, first served; safe to use from several threads.

    Only the first in the queue has a unit of the shared bucket: processes take turns, and one that is killed has spent
    a single unit. Nothing in here waits.
    """

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


class Contract:
    """The buckets of one contract, with the queues of this process before them."""

    def __init__(
        self,
        limits: ContractLimits,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begin with nobody waiting; `clock` and `sleep`, in seconds, are for tests."""
        self.limits, self.ledger = limits, ledger
        self.clock, self.sleep = clock, sleep
        self._of_threads = self._open_queues()
        self._of_loop = PerLoop(self._open_queues)

    def _open_queues(self) -> tuple[Queue, ...]:
        buckets = (self.limits.images, self.limits.requests)
        return tuple(Queue(bucket, self.ledger, self.clock) for bucket in buckets)

    def queues(self, *, images: bool, in_loop: bool) -> tuple[Queue, ...]:
        """Return the queues through which a call goes, in order."""
        queues = self._of_loop.get() if in_loop else self._of_threads
        return queues if images else queues[1:]


class WithdrawnError(Exception):
    """Nobody wants what a call waited to ask for; nothing was sent for this attempt."""


@contextlib.contextmanager
def holding(variable: contextvars.ContextVar[Answer], value: Answer) -> Iterator[None]:
    """Have a variable be `value` in the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def while_wanted(is_wanted: Callable[[], bool]) -> contextlib.AbstractContextManager[None]:
    """Let calls in the block give up waiting, with a WithdrawnError, soon after `is_wanted` says no."""
    return holding(_wanted, is_wanted)


class PacedCall:
    """One call of the SDK's, with all its attempts."""

    def __init__(
        self, contract: Contract, *, images: bool, max_wait: float | None = None, max_retries: int = 2
    ) -> None:
        """Begin a call, for an image or not; `max_retries` of 0 makes a 429 an error at once."""
        self.contract, self.images = contract, images
        self.ticket = next(_counter)  # an earlier call goes first, also after a 429
        self.left = math.inf if max_wait is None else max_wait  # seconds that it may still wait
        self.refusals = 0  # how many of its attempts were answered with 429
        self._max_wait, self._max_retries = max_wait, max_retries
        self._is_wanted = _wanted.get()

    def wait(self) -> None:
        """Wait for the turn of one attempt; a BudgetExceededError where it would not come within `max_wait`."""
        with contextlib.ExitStack() as passed:  # should a later queue fail, what the others granted goes back
            for queue in self.contract.queues(images=self.images, in_loop=False):
                signal = threading.Event()
                with self._turn(queue, signal) as turn:
                    if not _wait_for(signal, self.left + _PATIENCE):
                        raise queue.too_late(turn)
                    while True:
                        if seconds := self._still_wanted(queue.pause(turn)):
                            self.contract.sleep(seconds)
                        elif queue.settle(turn, queue.ask(turn)):
                            break
                passed.callback(queue.give_back)
            passed.pop_all()

    async def await_turn(self) -> None:
        """Do what `wait` does, in an event loop; of one that is cancelled, a unit taken from Redis stays spent."""
        with contextlib.ExitStack() as passed:  # should a later queue fail, what the others granted goes back
            for queue in self.contract.queues(images=self.images, in_loop=True):
                signal = anyio.Event()
                with self._turn(queue, signal) as turn:
                    with anyio.move_on_after(self.left + _PATIENCE):
                        await signal.wait()
                    if not signal.is_set():
                        raise queue.too_late(turn)
                    while True:
                        if seconds := self._still_wanted(queue.pause(turn)):
                            await anyio.sleep(seconds)
                        elif queue.settle(turn, await self.without_blocking(functools.partial(queue.ask, turn))):
                            break
                passed.callback(queue.give_back)
            passed.pop_all()

    def _still_wanted(self, seconds: float) -> float:
        """Return for how long to sleep before the next look; give up where the call is not wanted any more."""
        if self._is_wanted is None:
            return seconds
        if not self._is_wanted():
            raise WithdrawnError
        return min(seconds, _LOOK_EVERY)

    @contextlib.contextmanager
    def _turn(self, queue: Queue, signal: threading.Event | anyio.Event) -> Iterator[Turn]:
        began = self.contract.clock()
        turn = Turn(ticket=self.ticket, give_up=began + self.left, max_wait=self._max_wait, signal=signal)
        queue.enter(turn)
        try:
            yield turn
        except BaseException:
            queue.leave(turn)
            raise
        finally:
            self.left = max(0.0, self.left - (self.contract.clock() - began))

    def between_attempts(self, seconds: float) -> None:
        """Count a sleep of the SDK's between two attempts; a BudgetExceededError where `max_wait` leaves no time."""
        if seconds > self.left:
            raise self._exceeded(f"The attempt failed, and the next would be in {seconds:.1f} s, later", seconds)
        self.left -= seconds

    def set_back(self, error: openai.RateLimitError) -> float:
        """Take note of a 429, for everyone on the contract; return for how many seconds."""
        limits, ledger = self.contract.limits, self.contract.ledger
        bucket, seconds = find_cause(read_retry_after(error.response), limits, images=self.images, turn=self.refusals)
        self.refusals += 1
        if self.images and bucket.name != limits.images.name:
            ledger.give_back(limits.images)
        ledger.set_back(bucket, seconds)
        level = logging.WARNING if seconds > LONG_WAIT else logging.INFO
        log.log(level, "The service answered 429: the next of the %s goes in %.1f s.", bucket.name, seconds)
        return seconds

    def check_again(self, error: openai.RateLimitError, seconds: float) -> None:
        """Return where the call is to be made again after a 429 that costs so many seconds; else raise."""
        told_not_to = error.response.headers.get("x-should-retry") == "false"
        if self._max_retries == 0 or told_not_to or is_used_up(error):
            raise error
        if seconds > self.left:
            what = f"The service answered 429 and asks to wait {seconds:.1f} s, longer"
            raise self._exceeded(what, seconds) from error

    def _exceeded(self, what: str, seconds: float) -> BudgetExceededError:
        remedy = "Try again then, or raise max_wait= or IONOS_MAX_WAIT."
        return BudgetExceededError(f"{what} than max_wait={self._max_wait:g} s allows. {remedy}", retry_after=seconds)

    async def without_blocking(self, question: Callable[[], Answer]) -> Answer:
        """Return what `question`, which asks the ledger, returns; from a thread where that may take long."""
        return await anyio.to_thread.run_sync(question) if self.contract.ledger.is_slow() else question()


def _wait_for(signal: threading.Event, seconds: float) -> bool:
    """Wait in steps, since Windows lets no Ctrl-C through to a thread that waits without an end."""
    end = time.monotonic() + seconds
    while not (is_set := signal.wait(min(1.0, max(0.0, end - time.monotonic())))) and time.monotonic() < end:
        pass
    return is_set


def current_call() -> PacedCall | None:
    """Return the call whose attempt is being made; None outside of one and without pacing."""
    return _current.get()


def repeat(call: PacedCall | None, attempt: Callable[[], Answer]) -> Answer:
    """Make `attempt` until no 429 comes; without a call just once, hidden from a client that waits for its answer."""
    with holding(_current, call):
        while True:
            try:
                return attempt()
            except openai.RateLimitError as error:
                if call is None or isinstance(error, BudgetExceededError):
                    raise
                call.check_again(error, call.set_back(error))


async def arepeat(call: PacedCall | None, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do what `repeat` does, in an event loop."""
    with holding(_current, call):
        while True:
            try:
                return await attempt()
            except openai.RateLimitError as error:
                if call is None or isinstance(error, BudgetExceededError):
                    raise
                call.check_again(error, await call.without_blocking(functools.partial(call.set_back, error)))


def count_refusals(options: dict[str, Any]) -> None:
    """Have a raw answer's `retries_taken` count the 429s that were waited out; `options` are the SDK's for parsing."""
    if (call := current_call()) is not None:
        options["retries_taken"] = options.get("retries_taken", 0) + call.refusals


def is_used_up(error: openai.RateLimitError) -> bool:
    """Tell whether a 429 is about a quota that is used up, which no waiting refills."""
    body = error.body if isinstance(error.body, Mapping) else {}
    return "insufficient_quota" in (error.code, body.get("type"), body.get("code"))


def find_cause(retry_after: float | None, limits: ContractLimits, *, images: bool, turn: int) -> tuple[Bucket, float]:
    """Tell which bucket a 429 is about, and for how many seconds.

    Only the wait tells: an empty bucket of requests has one again after a fraction of a second, which a header in whole
    seconds makes 1. Without `retry_after`, each of the 429s that the same call has met before, `turn`, doubles it.
    """
    short = max(limits.requests.interval, min(1.0, limits.images.interval / 6))
    bucket = limits.images if images and (retry_after is None or retry_after > short) else limits.requests
    if retry_after is None:
        return bucket, min(_LONGEST_GUESS, max(1.0, bucket.interval) * 2 ** min(turn, 10))
    return bucket, min(_LONGEST_RETRY_AFTER, max(retry_after, limits.requests.interval))


def read_retry_after(response: httpx.Response) -> float | None:
    """Return for how many seconds, a day at most, `Retry-After-Ms` or `Retry-After` asks to wait; None without them."""
    text = response.headers.get("retry-after", "").strip()
    with contextlib.suppress(ValueError):
        milliseconds = float(response.headers.get("retry-after-ms", ""))
        text = text if not math.isfinite(milliseconds) else str(milliseconds / 1000)
    try:
        seconds = float(text)
    except ValueError:
        if (until := _read_date(text)) is None:
            return None
        # From the answer's own date where it has one: this machine's clock may be wrong.
        now = _read_date(response.headers.get("date", "")) or datetime.now(UTC)
        seconds = (until - now).total_seconds()
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _read_date(text: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
        date = parsedate_to_datetime(text)
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None
