"""The course of a batch: what is asked for next, and what follows from each answer.

Nothing here sends anything or waits. `take` is called by one thread, `settle` by any; both are told the time by a
clock, which is handed in. Times are in seconds.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ionos_openai.batch import failure
from ionos_openai.batch.costs import Spending
from ionos_openai.batch.earlier import Earlier, Standing
from ionos_openai.batch.plan import PUT_BACK, Plan
from ionos_openai.batch.records import StoredFile, describe_damaged
from ionos_openai.batch.request import ImageRequest, digest, is_recordable
from ionos_openai.batch.results import BatchEvent, BatchResult, EventKind, Progress, clock_time
from ionos_openai.batch.stored import Store, record_line, warn
from ionos_openai.client.pacing.turns import LONG_WAIT
from ionos_openai.errors import ImageSaveError, InvalidRequestError, keep_partial_results, partial_results
from ionos_openai.hub.prices import Money
from ionos_openai.images.image import GeneratedImage, ImageDecodeError, partial_images
from ionos_openai.provenance.marking import Unsigned

log = logging.getLogger("ionos_openai")

UnitState: TypeAlias = Literal["taken", "flying", "resting", "settled", "left"]
"""Handed out to be sent; sent, or waiting for its turn; to be asked for again; recorded, as a picture or a failure; not
recorded, so the next run makes it."""

_SKIPS_AT_ONCE = 500  # then whoever drives the run may look after other things
_LONGEST_OUTAGE = 120.0  # seconds
_OUTAGE_PAUSE = 5.0  # seconds
_UNREACHED_IN_A_ROW = 5  # connections that were not made; then the network is out
_UNREADABLE_AT_FIRST = 3  # prompts
_NO_MORE = object()
_IN_WORK = "The other pictures of this prompt are in work."
_UNFINISHED = {"type": "Unfinished", "message": _IN_WORK, "code": None, "status": None}


@dataclass(slots=True, kw_only=True, eq=False)
class Prompt:
    """A prompt in work."""

    request: ImageRequest  # what is asked
    id: str  # what it is known by
    began: float  # when, by the batch's clock
    # the same as a date, in ISO 8601
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    fresh: int = 0  # how many of its pictures have not been asked for yet
    units: list[Unit] = field(default_factory=list)  # those that have
    # what the manifest says of its pictures, those of an earlier run first
    files: list[StoredFile] = field(default_factory=list)
    kept: int = 0  # how many of them are from an earlier run
    attempts: int = 0
    error: Exception | None = None
    sandbox: bool = False
    unsigned: list[str] = field(default_factory=list)  # why pictures have no signature though they should

    def is_last(self, unit: Unit) -> bool:
        """Tell whether the prompt is finished when this unit is settled."""
        return not self.fresh and all(other is unit or other.state == "settled" for other in self.units)


@dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """One picture of a prompt: one request, how often it has failed, and where it is; only the schedule moves it."""

    prompt: Prompt
    tries: int = 0
    state: UnitState = "left"

    @property
    def request(self) -> ImageRequest:
        """What is asked."""
        return self.prompt.request


class Schedule:
    """What is to be done in a batch, and what has been."""

    def __init__(
        self, requests: Iterable[str | ImageRequest], plan: Plan, store: Store, clock: Callable[[], float]
    ) -> None:
        """Check what can be checked and counted: the requests of a list, and that no record is damaged."""
        self.plan = plan
        self.ending = False  # whether nothing new is begun any more; may be set by anybody, a signal handler too
        self.over = False  # whether at the last `take` nothing was left to be asked for, nor on its way
        self.fatal: BaseException | None = None  # what ended it
        self._is_told = False
        self._store = store
        self._clock = clock
        self._lock = threading.RLock()
        self._total = len(requests) if isinstance(requests, Sequence) else None
        self._events: deque[BatchEvent] = deque()
        self._tell_damaged(store.damaged)
        self._earlier = Earlier(plan, store)
        self.estimate = self._earlier.estimate(requests)
        self._source = iter(requests)
        self._current: Prompt | None = None
        self._flying: set[Unit] = set()
        self._resting: list[tuple[float, int, Unit]] = []
        self._order = itertools.count()
        self._paused_until = 0.0
        self._spending = Spending(plan)
        self._out_since: float | None = None  # when what keeps the limits for several hosts was gone
        self._unreached = 0  # connections in a row that were not made
        self._is_readable = False  # whether any picture has come
        self._unreadable = 0  # prompts that were given up since no answer held one
        self._done: deque[BatchResult] = deque()
        self._counts: Counter[str] = Counter()

    @property
    def flying(self) -> int:
        """How many units were taken and are not settled."""
        return len(self._flying)

    @property
    def skipped(self) -> set[str]:
        """The ids of the prompts that were looked at in this run, and may have results of an earlier one."""
        return self._earlier.seen if self._counts["skipped"] else set()

    def _move(self, unit: Unit, state: UnitState) -> None:
        """Give a unit another state; nothing else does. What is told of it must be there before."""
        with self._lock:
            unit.state = state
            if state == "taken":
                self._spending.reserve(unit.request)
                self._flying.add(unit)
            elif state != "flying":
                self._flying.discard(unit)

    def begin(self, unit: Unit) -> bool:
        """Note that a taken unit is sent now; False where it was left or begun meanwhile: it must not be sent."""
        with self._lock:
            is_taken = unit.state == "taken"
            if is_taken:
                self._move(unit, "flying")
            return is_taken

    def end(self) -> None:
        """Begin nothing new, and leave what was taken and not sent to the next run: then all that flies, comes back.

        Whoever hands out units may be interrupted anywhere between `take` and `begin`.
        """
        self.ending = True
        with contextlib.suppress(RuntimeError):  # at last it is not held by this thread
            while True:  # An interruption may have come while the lock was given back.
                self._lock.release()
        with self._lock:
            for unit in [unit for unit in self._flying if unit.state == "taken"]:
                self.abandon(unit)

    def take(self) -> Unit | float | None:
        """Return what to ask for now, the seconds until there is something, or None.

        None means: ask again when a unit is settled, unless it is `over`.
        """
        is_idle = not self.flying
        try:
            found = self._find(self._clock())
        except ImageSaveError as error:  # the record: nothing more is bought
            self._die(error)
            found = None
        self.over = is_idle and found is None
        if self.over and not self.ending and not self._counts["failed"]:
            self._earlier.redo.finish()
        return found

    def _find(self, now: float) -> Unit | float | None:
        with self._lock:
            if self.ending:
                return None
            self._store.check()
            if self._resting and (now < self._paused_until or self._resting[0][0] <= now):
                return self._take_again(now)
        # Outside of the lock: the requests may come from anywhere, and take their time.
        if self._current is None:
            found = self._next_prompt(now)
            if not (found is None or isinstance(found, Prompt)):
                return found
            self._current = found
        with self._lock:
            return self._take_fresh(now)

    def _take_again(self, now: float) -> Unit | float | None:
        if now < self._paused_until:
            return self._paused_until - now
        if not self._afford_or_end(self._resting[0][2].request):
            return None
        unit = heapq.heappop(self._resting)[2]
        self._move(unit, "taken")
        return unit

    def _take_fresh(self, now: float) -> Unit | float | None:
        prompt = self._current
        if prompt is None:
            return max(0.0, self._resting[0][0] - now) if self._resting else None
        if not self._afford_or_end(prompt.request):
            return None
        unit = Unit(prompt=prompt)
        prompt.units.append(unit)
        prompt.fresh -= 1
        if not prompt.fresh:
            self._current = None
        self._move(unit, "taken")
        return unit

    def _afford_or_end(self, request: ImageRequest) -> bool:
        """End where one more picture is beyond the limits and nothing can change that; return whether it is within."""
        reached = self._spending.reached(request)
        if reached is not None and not self.flying:
            self.ending = True
            why = f"{reached} is reached; what is left is made by the next run."
            self._note("end", why)
            log.warning("%s", why)
        return reached is None

    def _next_prompt(self, now: float) -> Prompt | float | None:
        """Return the next prompt that is to be made, 0.0 where none was found yet, None where there is none."""
        for _ in range(_SKIPS_AT_ONCE):
            raw: Any = next(self._source, _NO_MORE)
            if raw is _NO_MORE:
                self._tell_unmatched()
            if raw is _NO_MORE or self.ending:  # which it may be for long, where the next one was waited for
                return None
            try:
                standing = self._earlier.judge(raw, closely=True)
                if standing is not None and standing.is_left:
                    self._spending.check(standing.request)
                    return self._begin(standing, now)
            except InvalidRequestError as error:
                self._refuse(raw, error)
                continue
            self._counts["skipped"] += 1
            if standing is not None:
                self._tell_kept(standing)
        return 0.0

    def _begin(self, standing: Standing, now: float) -> Prompt:
        if standing.state in ("damaged", "missing"):
            self._tell(standing.state, f"{standing.names} is {standing.state}: it is made again.", standing.request)
        if standing.state == "chosen":
            self._earlier.redo.begin()
        kept = list(standing.kept)
        fresh = standing.request.n - len(kept)
        return Prompt(request=standing.request, id=standing.id, began=now, fresh=fresh, files=kept, kept=len(kept))

    def _tell_damaged(self, lines: Sequence[int]) -> None:
        if lines:
            message = f"{describe_damaged(lines)} damaged: what stood there is made again."
            if not self.plan.buys_damaged:
                raise ImageSaveError(f"{self._store.path}: {describe_damaged(lines)} damaged. {PUT_BACK}")
            log.warning("%s: %s", self._store.path, message)
            self._note("damaged", message)

    def _tell_kept(self, standing: Standing) -> None:
        """Record and tell what became of the pictures of a prompt that is done."""
        is_other = standing.state in ("modified", "touched") or standing.is_relabelled
        if standing.record is not None and is_other:
            line = self._earlier.renewed(standing, standing.record)
            with self._lock:
                self._store.append(line, sync=False)
        if standing.state == "missing":
            self._counts["missing"] += 1
            self._tell("missing", f"{standing.names} is not there any more: not made again.", standing.request)
        elif standing.is_modified:
            self._counts["modified"] += 1
            self._tell("modified", f"{standing.names} was changed by somebody: kept.", standing.request)
        if standing.is_relabelled:
            self._tell("modified", f"{standing.names} has other metadata now: recorded.", standing.request)

    def _tell_unmatched(self) -> None:
        if unmatched := ", ".join(sorted(self._earlier.unmatched)):
            self._earlier.unmatched.clear()
            log.warning("Nothing to make again is called %s. Use the names of the files or the requests.", unmatched)

    def _refuse(self, raw: object, error: InvalidRequestError) -> None:
        """Record a request that cannot work; nothing was sent for it."""
        request = raw if isinstance(raw, ImageRequest) else ImageRequest(prompt=str(raw)[:200])
        if not is_recordable(request):
            request = ImageRequest(prompt=str(request.prompt))
        mark = self._earlier.count(digest(request))
        with self._lock:
            self._finish(Prompt(request=request, id=mark, began=self._clock(), error=error))

    def settle(self, unit: Unit, made: Sequence[GeneratedImage] | BaseException) -> None:
        """Take what came of a unit: save and record its pictures, or decide what follows from the error.

        An answer with several pictures is more than was asked for; they are paid for, so all of them are kept.
        """
        try:
            came = partial_images(made) if isinstance(made, BaseException) else made
            if came:
                self._succeed(unit, came)
            else:
                self._fail(unit, made)  # type: ignore[arg-type]  # an error, as no picture came
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is raised there
            self._die(error)
        finally:
            if unit.state == "flying":
                self._move(unit, "left")

    def abandon(self, unit: Unit) -> None:
        """Note that a unit was given up; the next run makes it."""
        with self._lock:
            self._spending.reserve(unit.request, -1)
            self._move(unit, "left")

    def _succeed(self, unit: Unit, images: Sequence[GeneratedImage]) -> None:
        name, files, problems = unit.request.name, list[StoredFile](), list[str]()
        for image in images:
            try:
                file, told = self._store.save(image, name=name, saving=self.plan.saving)
            except Exception as error:  # noqa: BLE001 - it ends the run, with the picture on it
                keep_partial_results(error, [image])
                self._die(error)
            else:
                files.append(file)
                problems += told
        if files:
            self._count_signed(unit, problems, len(files))
            self._take_files(unit, files, is_sandbox=images[0].sandbox)
        warn(problems)

    def _count_signed(self, unit: Unit, problems: Sequence[str], saved: int) -> None:
        unsigned = [problem for problem in problems if isinstance(problem, Unsigned)]
        with self._lock:
            self._counts["marked"] += saved - len(problems) + len(unsigned) if self.plan.saving.provenance else 0
            self._counts["signed"] += saved - len(unsigned) if self.plan.saving.sign else 0
            unit.prompt.unsigned += unsigned
            for problem in unsigned:
                self._note("unsigned", problem, unit.request)

    def _take_files(self, unit: Unit, files: Sequence[StoredFile], *, is_sandbox: bool) -> None:
        """Record pictures that are on the disk."""
        prompt = unit.prompt
        with self._lock:
            self._count_attempt(prompt)
            self._counts["images"] += len(files)
            self._is_readable, self._out_since, self._unreached = True, None, 0
            self._spending.reserve(prompt.request, len(files) - 1)
            if not is_sandbox:
                self._spending.add(prompt.request, len(files))
            prompt.files += files
            prompt.sandbox = prompt.sandbox or is_sandbox
            try:
                self._record(unit)
            except ImageSaveError as error:
                error.paths = self._paths(prompt)
                raise

    def _record(self, unit: Unit) -> None:
        if unit.prompt.is_last(unit):
            self._finish(unit.prompt)
        else:
            self._store.append(self._line(unit.prompt, "failed", _UNFINISHED))
        self._move(unit, "settled")

    def _fail(self, unit: Unit, error: BaseException) -> None:
        with self._lock:
            what = self._look_at_network(error, failure.meaning(error))
            if not failure.may_be_billed(error):
                self._spending.reserve(unit.request, -1)
            if isinstance(error, ImageDecodeError) and error.data is not None:
                self._keep_unreadable(unit, error, error.data)
            elif what == "end":
                self._die(error)
            elif what == "wait":
                self._wait(unit, error)
            elif what == "outage":
                self._sit_out(unit, error)
            elif what == "unreached":
                self._put_back(unit, self._clock() + failure.pause_before_attempt(error, self._unreached))
            elif what == "retry" and unit.tries + 1 < self.plan.max_attempts:
                self._retry(unit, error)
            elif what != "left":
                self._give_up(unit, error)

    def _keep_unreadable(self, unit: Unit, error: ImageDecodeError, data: bytes) -> None:
        """Keep bytes of which nobody knows the format, which were paid for; asked again, the same would come."""
        try:
            file = self._store.save_unreadable(data, unit.request, self.plan.saving)
        except ImageSaveError as problem:
            raise problem from error  # which has the bytes
        unit.prompt.files.append(file)
        self._give_up(unit, ImageDecodeError(f"{error} It is kept as {file.name}.", index=error.index, data=data))

    def _wait(self, unit: Unit, error: BaseException) -> None:
        pause = failure.pause_after_limit(error)
        due = self._clock() + pause
        self._counts["limited"] += 1
        if due > self._paused_until:
            self._paused_until = due
            if pause > LONG_WAIT:
                log.warning("The service asks to wait %.0f s, and the batch into %s does.", pause, self.plan.directory)
            self._note("waiting", f"The service's limit is reached: waiting {pause:.0f} s, as it asks.")
        self._put_back(unit, due)

    def _look_at_network(self, error: BaseException, what: failure.Meaning) -> failure.Meaning | Literal["unreached"]:
        """Count connections that were not made; several in a row are an outage, for a plan with patience."""
        if what != "retry" or self.plan.patience is None or not failure.is_unreached(error):
            if what in ("wait", "retry", "refused"):  # an answer came, or a part of one
                self._unreached, self._out_since = 0, None
            return what
        self._unreached += 1
        return "outage" if self._unreached >= _UNREACHED_IN_A_ROW else "unreached"

    def _sit_out(self, unit: Unit, error: BaseException) -> None:
        """Wait for the network, or for what keeps the limits for several hosts; what was not sent is not counted."""
        now = self._clock()
        longest = (self.plan.patience or 0.0) if self._unreached else _LONGEST_OUTAGE
        if self._out_since is None:
            self._out_since = now
            what = f"The service cannot be reached: waiting for the network, {clock_time(longest)} at most."
            if not self._unreached:
                log.warning("%s The batch into %s waits for it.", error, self.plan.directory)
                what = f"{error} Waiting for it."
            self._note("waiting", what)
        if now - self._out_since > longest:
            self._die(error)
            return
        self._paused_until = max(self._paused_until, now + _OUTAGE_PAUSE)
        self._put_back(unit, now + _OUTAGE_PAUSE)

    def _retry(self, unit: Unit, error: BaseException) -> None:
        unit.tries += 1
        self._count_attempt(unit.prompt)
        pause = failure.pause_before_attempt(error, unit.tries)
        why = failure.describe_error(error)["message"]
        self._note("retrying", f"Attempt {unit.tries} failed, the next one is in {pause:.0f} s: {why}", unit.request)
        self._put_back(unit, self._clock() + pause)

    def _put_back(self, unit: Unit, due: float) -> None:
        heapq.heappush(self._resting, (due, next(self._order), unit))
        self._move(unit, "resting")

    def _give_up(self, unit: Unit, error: BaseException) -> None:
        prompt = unit.prompt
        self._count_attempt(prompt)
        self._end_unreadable(error)
        prompt.error = prompt.error or (error if isinstance(error, Exception) else None)
        prompt.fresh = 0
        if self._current is prompt:
            self._current = None
        if prompt.is_last(unit):
            self._finish(prompt)
        self._move(unit, "settled")

    def _end_unreadable(self, error: BaseException) -> None:
        """End where no answer held a picture so far: all others would be so too, and paid for."""
        self._unreadable += failure.brings_no_picture(error)
        if self._unreadable >= _UNREADABLE_AT_FIRST and not self._is_readable:
            error.add_note("None of the first answers of the batch held a picture, so no more are asked for.")
            self._die(error)

    def _finish(self, prompt: Prompt) -> None:
        status: Literal["done", "failed"] = "done" if prompt.error is None else "failed"
        error = None if prompt.error is None else failure.describe_error(prompt.error)
        self._store.append(self._line(prompt, status, error))
        self._counts[status] += 1
        paths = tuple(self._paths(prompt))
        result = BatchResult(request=prompt.request, paths=paths, error=prompt.error, **self._facts(prompt))
        self._done.append(result)
        message = str(error["message"]) if error else ", ".join(file.name for file in prompt.files)
        self._events.append(BatchEvent(kind=status, message=message, request=prompt.request, result=result))

    def _line(self, prompt: Prompt, status: str, error: Mapping[str, object] | None) -> dict[str, Any]:
        facts: dict[str, Any] = {"id": prompt.id, "status": status, "started": prompt.started, "error": error}
        facts |= self._facts(prompt) | ({"unsigned": prompt.unsigned} if self.plan.saving.sign else {})
        return record_line(prompt.request, prompt.files, **facts)

    def _facts(self, prompt: Prompt) -> dict[str, Any]:
        known = {name: getattr(prompt, name) for name in ("id", "attempts", "sandbox")}
        return {**known, "seconds": self._clock() - prompt.began, "cost": self._cost_of(prompt)}

    def _paths(self, prompt: Prompt) -> list[Path | str]:
        return [self._store.path_of(file.name) for file in prompt.files]

    def _cost_of(self, prompt: Prompt) -> Money | None:
        price = None if prompt.sandbox else self.plan.price_of(prompt.request)
        return None if price is None else price.times(len(prompt.files) - prompt.kept)

    def _count_attempt(self, prompt: Prompt) -> None:
        prompt.attempts += 1
        self._counts["attempts"] += 1

    def _die(self, error: BaseException) -> None:
        with self._lock:
            self.ending = True
            if self.fatal is None:
                self.fatal = error
            elif self.fatal is not error:
                keep_partial_results(self.fatal, [*partial_results(self.fatal), *partial_results(error)])
                if isinstance(self.fatal, ImageSaveError) and isinstance(error, ImageSaveError):
                    self.fatal.paths += error.paths

    def pop_fatal(self) -> BaseException | None:
        """Return what ended the run, once: whoever asks tells it, and has the pictures that could not be saved."""
        with self._lock:
            told, self._is_told = self._is_told, True
            return None if told else self.fatal

    def pop_result(self) -> BatchResult | None:
        """Return the next finished result, or None."""
        return self._done.popleft() if self._done else None

    def pop_events(self) -> list[BatchEvent]:
        """Return what happened since the last call, oldest first."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def note_estimate(self) -> None:
        """Log the estimate, before anything is sent."""
        log.info("Batch into %s: %s.", self.plan.directory, self.estimate)
        self._note("estimate", f"{self.estimate}.")

    def _tell(self, kind: EventKind, message: str, request: ImageRequest) -> None:
        log.info("%s", message)
        self._note(kind, message, request)

    def _note(self, kind: EventKind, message: str, request: ImageRequest | None = None) -> None:
        self._events.append(BatchEvent(kind=kind, message=message, request=request))

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        numbers = {"in_flight": self.flying, "retrying": len(self._resting), **self._counts}
        return Progress(total=self._total, cost=self._spending.cost, **numbers)
