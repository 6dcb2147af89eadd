"""The course of a batch: what is asked for next, and what follows from each answer.

Nothing here sends anything or waits. `take` is called by one thread, `settle` by any; both are told the time by a
clock, which is handed in. Times are in seconds.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ionos_openai.batch import stored as pictures
from ionos_openai.batch.failure import describe_error, may_be_billed, meaning, pause_after_limit, pause_before_attempt
from ionos_openai.batch.request import (
    ImageRequest,
    check,
    complete,
    describe_request,
    digest,
    digest_prompt,
    identify,
    is_recordable,
)
from ionos_openai.batch.results import BatchEvent, BatchResult, Estimate, EventKind, Progress
from ionos_openai.client.pacing.rates import Limits, estimate_seconds
from ionos_openai.errors import ImageSaveError, InvalidRequestError, keep_partial_results, partial_results
from ionos_openai.hub.prices import Ceiling, Money, price_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ionos_openai.batch.manifest import Entry, Manifest
    from ionos_openai.files.names import SavingSettings
    from ionos_openai.images.image import GeneratedImage

log = logging.getLogger("ionos_openai")

Missing: TypeAlias = Literal["keep", "remake"]
Clock: TypeAlias = Callable[[], float]

_SKIPS_AT_ONCE = 500  # then whoever drives the run may look after other things
_UNFINISHED = {
    "type": "Unfinished",
    "message": "The other pictures of this prompt are in work.",
    "code": None,
    "status": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a batch is to be carried out; see `generate_batch` for the meaning."""

    directory: Path
    saving: SavingSettings
    model: str
    size: str | None
    max_attempts: int = 3
    max_images: int | None = None
    ceiling: Ceiling | None = None
    prices: Mapping[str, Money] = field(default_factory=dict)
    missing: Missing = "keep"
    verify: bool = False
    redo: frozenset[str] = frozenset()
    only_failed: bool = False
    limits: Limits | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """A prompt in work.

    Attributes:
        request: What is asked.
        id: What it is known by.
        fresh: Pictures that have not been asked for yet.
        open: Pictures that are not settled yet, the fresh ones among them.
        files: What the manifest says of its pictures.
        paths: Where they are.
        kept: How many of them are from an earlier run.
    """

    request: ImageRequest
    id: str
    fresh: int
    open: int
    began: float
    started: str
    files: list[dict[str, object]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    kept: int = 0
    attempts: int = 0
    error: Exception | None = None
    sandbox: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """One picture of a prompt: one request, and how often it has failed."""

    item: Item
    tries: int = 0

    @property
    def request(self) -> ImageRequest:
        """What is asked."""
        return self.item.request


class Run:
    """The state of a batch.

    Attributes:
        plan: How it is carried out.
        ending: Whether nothing new is begun any more.
        fatal: What ended it; None where nothing did.
        flying: How many units were taken and are not settled.
    """

    def __init__(self, requests: Iterable[str | ImageRequest], plan: Plan, manifest: Manifest, clock: Clock) -> None:
        """Check what can be checked and counted: the requests where they are a list.

        Raises:
            InvalidRequestError: A request of a list cannot work, or its price is needed and not known.
        """
        self.plan = plan
        self.ending = False
        self.fatal: BaseException | None = None
        self.flying = 0
        self._manifest = manifest
        self._clock = clock
        self._lock = threading.RLock()
        self._folder = str(plan.directory)
        self._total = len(requests) if isinstance(requests, Sequence) else None
        self.estimate = _survey(requests, plan, manifest)
        self._source = iter(requests)
        self._item: Item | None = None
        self._again: list[tuple[float, int, Unit]] = []
        self._order = itertools.count()
        self._paused_until = 0.0
        self._spent = _Spending(plan)
        self._done: deque[BatchResult] = deque()
        self._events: deque[BatchEvent] = deque()
        self._counts = dict.fromkeys(
            ("done", "failed", "skipped", "modified", "missing", "images", "attempts", "limited"), 0
        )
        self._cost: Money | None = None
        self._priceless = False
        self._unmatched = set(plan.redo)

    # What comes next ------------------------------------------------------------------------------------------------

    def take(self) -> Unit | float | None:
        """Return what to ask for now, the seconds until there is something, or None.

        None while units are in flight means: ask again when one is settled; else the run is over.
        """
        now = self._clock()
        with self._lock:
            if self.ending:
                return None
            if self._again and (now < self._paused_until or self._again[0][0] <= now):
                return self._take_again(now)
            needs_item = self._item is None
        # Outside of the lock: the requests may come from anywhere, and take their time.
        found = self._next_item(now) if needs_item else None
        with self._lock:
            if isinstance(found, Item):
                self._item = found
            elif found is not None:
                return found
            return self._take_fresh(now)

    def _take_again(self, now: float) -> Unit | float | None:
        if now < self._paused_until:
            return self._paused_until - now
        if not self._afford_or_end(self._again[0][2].item):
            return None
        return self._begin(heapq.heappop(self._again)[2])

    def _take_fresh(self, now: float) -> Unit | float | None:
        item = self._item
        if item is None:
            return max(0.0, self._again[0][0] - now) if self._again else None
        if not self._afford_or_end(item):
            return None
        item.fresh -= 1
        if not item.fresh:
            self._item = None
        return self._begin(Unit(item=item))

    def _begin(self, unit: Unit) -> Unit:
        self._spent.reserve(unit.request)
        self.flying += 1
        return unit

    def _afford_or_end(self, item: Item) -> bool:
        """End where one more picture is beyond the limits and nothing can change that; return whether it is within."""
        reached = self._spent.reached(item.request)
        if reached is not None and not self.flying:
            self._end(f"{reached} is reached; what is left is made by the next run.")
        return reached is None

    def _next_item(self, now: float) -> Item | float | None:
        """Return the next prompt that is to be made, 0.0 where none was found yet, None where there is none."""
        for raw in itertools.islice(self._source, _SKIPS_AT_ONCE):
            try:
                request, mark = _marked(raw, self.plan)
                occurrence = self._manifest.occurrence(mark)
                if self._skip_untouched(mark, occurrence):
                    continue
                request = request or complete(raw, model=self.plan.model, size=self.plan.size)
                identifier = identify(mark, occurrence)
                entry = self._recorded(mark, occurrence, identifier)
                if self._skip_settled(request, entry):
                    continue
                check(request)
                self._spent.check(request)
            except InvalidRequestError as error:
                self._refuse(raw, error)
                continue
            return self._item_for(request, identifier, entry, now)
        else:
            return self._after_block()

    def _after_block(self) -> float | None:
        try:
            following = next(self._source)
        except StopIteration:
            self._tell_unmatched()
            return None
        self._source = itertools.chain((following,), self._source)
        return 0.0

    def _recorded(self, mark: str, occurrence: int, identifier: str) -> Entry | None:
        if not self._manifest.knows(mark, occurrence):
            return None
        return self._manifest.find(mark, occurrence, identifier)

    def _item_for(self, request: ImageRequest, identifier: str, entry: Entry | None, now: float) -> Item:
        kept = _kept(request, entry, self.plan)
        left = request.n - len(kept)
        return Item(
            request=request,
            id=identifier,
            fresh=left,
            open=left,
            began=now,
            started=datetime.now(UTC).isoformat(timespec="microseconds"),
            files=kept,
            paths=[self.plan.directory / str(fact["name"]) for fact in kept],
            kept=len(kept),
        )

    # What an earlier run has done -----------------------------------------------------------------------------------

    def _skip_untouched(self, mark: str, occurrence: int) -> bool:
        """Skip the usual case, one untouched file; return whether it is one. Other cases are looked into."""
        if self.plan.verify or self.plan.redo:
            return False
        file = self._manifest.glance(mark, occurrence)
        if file is None or not pictures.is_same(f"{self._folder}{os.sep}{file[0]}", file[1], file[2]):
            return False
        self._counts["skipped"] += 1
        return True

    def _skip_settled(self, request: ImageRequest, entry: Entry | None) -> bool:
        """Skip a prompt of which nothing is to be made, and note why; return whether it is one."""
        plan = self.plan
        status = entry.get("status") if entry is not None else None
        if plan.redo and entry is not None and self._tick_off(request, entry):
            return False
        if entry is None or status == "failed":
            if plan.only_failed and entry is None:
                self._counts["skipped"] += 1
                return True
            return False
        return self._keep_or_remake(request, entry)

    def _keep_or_remake(self, request: ImageRequest, entry: Entry) -> bool:
        """Record and tell what became of the pictures of a prompt that is done; return whether they are kept."""
        try:
            state = pictures.look(self._folder, entry["files"], verify=self.plan.verify)
        except (KeyError, TypeError):
            return False
        if state == "damaged" or (state == "missing" and self.plan.missing == "remake"):
            there = [fact["name"] for fact in _there(entry, self.plan, verify=self.plan.verify)]
            lost = {**entry, "files": [fact for fact in entry["files"] if fact["name"] not in there]}
            self._tell(state, f"{_named(request, lost)} is {state}: it is made again.", request)
            return False
        self._counts["skipped"] += 1
        if state == "same" and entry["status"] != "modified":
            return True
        if state in ("modified", "touched"):
            status = "modified" if state == "modified" else entry["status"]
            files = pictures.describe_again(self.plan.directory, entry["files"])
            with self._lock:
                self._manifest.append({"id": entry["id"], "status": status, "files": files, **_rest(entry)}, sync=False)
            entry = {**entry, "status": status}
        if state == "missing":
            self._counts["missing"] += 1
            self._tell("missing", f"{_named(request, entry)} is not there any more: not made again.", request)
        elif entry["status"] == "modified":
            self._counts["modified"] += 1
            self._tell("modified", f"{_named(request, entry)} was changed by somebody: kept.", request)
        return True

    def _tick_off(self, request: ImageRequest, entry: Entry) -> bool:
        """Strike a prompt's names off those to be made again; return whether it had any."""
        chosen = _chosen(request, entry, self.plan.redo)
        self._unmatched -= chosen
        return bool(chosen)

    def _tell_unmatched(self) -> None:
        if self._unmatched:
            names = ", ".join(sorted(self._unmatched))
            self._unmatched = set()
            log.warning("Nothing to make again is called %s. Use the names of the files or the requests.", names)

    def _refuse(self, raw: object, error: InvalidRequestError) -> None:
        """Record a request that cannot work; nothing was sent for it."""
        request = raw if isinstance(raw, ImageRequest) else ImageRequest(prompt=str(raw)[:200])
        if not is_recordable(request):
            request = ImageRequest(prompt=str(request.prompt))
        mark = digest(request)
        identifier = identify(mark, self._manifest.occurrence(mark))
        now, started = self._clock(), datetime.now(UTC).isoformat(timespec="microseconds")
        item = Item(request=request, id=identifier, fresh=0, open=0, began=now, started=started, error=error)
        with self._lock:
            self._finish(item)

    # What follows from an answer ------------------------------------------------------------------------------------

    def settle(self, unit: Unit, made: GeneratedImage | BaseException) -> None:
        """Take what came of a unit: save and record the picture, or decide what follows from the error."""
        try:
            if isinstance(made, BaseException):
                self._fail(unit, made)
            else:
                self._succeed(unit, made)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the run and is raised there
            with self._lock:
                self._die(error)
        finally:
            with self._lock:
                self.flying -= 1

    def _succeed(self, unit: Unit, image: GeneratedImage) -> None:
        item = unit.item
        try:
            path, facts = pictures.save(image, self.plan.directory, name=item.request.name, saving=self.plan.saving)
        except Exception as error:
            keep_partial_results(error, [image])
            raise
        with self._lock:
            self._count_attempt(item)
            self._count_picture(item, is_placeholder=image.sandbox)
            item.files.append(facts)
            item.paths.append(path)
            item.sandbox = item.sandbox or image.sandbox
            item.open -= 1
            try:
                self._record(item)
            except ImageSaveError as error:
                error.paths = list(item.paths)
                raise

    def _record(self, item: Item) -> None:
        if item.open:
            self._manifest.append(self._entry(item, "failed", _UNFINISHED))
        else:
            self._finish(item)

    def _fail(self, unit: Unit, error: BaseException) -> None:
        what = meaning(error)
        with self._lock:
            if not may_be_billed(error):
                self._spent.release(unit.request)
            if what == "end":
                self._die(error)
            elif what == "wait":
                self._wait(unit, error)
            elif what == "retry" and unit.tries + 1 < self.plan.max_attempts:
                self._retry(unit, error)
            else:
                self._give_up(unit, error)

    def _wait(self, unit: Unit, error: BaseException) -> None:
        pause = pause_after_limit(error)
        now = self._clock()
        self._counts["limited"] += 1
        if now + pause > self._paused_until:
            self._paused_until = now + pause
            self._note("waiting", f"The service's limit is reached: waiting {pause:.0f} s, as it asks.")
        self._put_back(unit, now + pause)

    def _retry(self, unit: Unit, error: BaseException) -> None:
        unit.tries += 1
        self._count_attempt(unit.item)
        pause = pause_before_attempt(error, unit.tries)
        self._put_back(unit, self._clock() + pause)
        why = describe_error(error)["message"]
        self._note("retrying", f"Attempt {unit.tries} failed, the next one is in {pause:.0f} s: {why}", unit.request)

    def _put_back(self, unit: Unit, due: float) -> None:
        heapq.heappush(self._again, (due, next(self._order), unit))

    def _give_up(self, unit: Unit, error: BaseException) -> None:
        item = unit.item
        self._count_attempt(item)
        item.error = item.error or (error if isinstance(error, Exception) else None)
        item.open -= 1 + item.fresh
        item.fresh = 0
        if self._item is item:
            self._item = None
        if not item.open:
            self._finish(item)

    def _finish(self, item: Item) -> None:
        status: Literal["done", "failed"] = "done" if item.error is None else "failed"
        error = None if item.error is None else describe_error(item.error)
        self._manifest.append(self._entry(item, status, error))
        self._counts[status] += 1
        result = BatchResult(
            request=item.request,
            paths=tuple(item.paths),
            error=item.error,
            attempts=item.attempts,
            seconds=self._clock() - item.began,
            cost=self._cost_of(item),
            sandbox=item.sandbox,
            id=item.id,
        )
        self._done.append(result)
        message = str(error["message"]) if error else ", ".join(path.name for path in item.paths)
        self._events.append(BatchEvent(kind=status, message=message, request=item.request, result=result))

    def _entry(self, item: Item, status: str, error: Mapping[str, object] | None) -> dict[str, Any]:
        cost = self._cost_of(item)
        return {
            "id": item.id,
            "status": status,
            "files": item.files,
            "request": describe_request(item.request),
            "metadata": dict(item.request.metadata),
            "error": error,
            "attempts": item.attempts,
            "started": item.started,
            "seconds": round(self._clock() - item.began, 3),
            "cost": None if cost is None else {"amount": f"{cost.amount:f}", "currency": cost.currency},
            "sandbox": item.sandbox,
        }

    def _cost_of(self, item: Item) -> Money | None:
        price = None if item.sandbox else price_of(item.request.model or "", self.plan.prices)
        return None if price is None else price.times(len(item.files) - item.kept)

    def _count_attempt(self, item: Item) -> None:
        item.attempts += 1
        self._counts["attempts"] += 1

    def _count_picture(self, item: Item, *, is_placeholder: bool) -> None:
        self._counts["images"] += 1
        price = price_of(item.request.model or "", self.plan.prices)
        if is_placeholder:
            return
        if price is None or (self._cost is not None and self._cost.currency != price.currency):
            self._priceless = True
            return
        before = self._cost.amount if self._cost is not None else Decimal(0)
        self._cost = Money(amount=before + price.amount, currency=price.currency)

    # The end, and what is told --------------------------------------------------------------------------------------

    def _die(self, error: BaseException) -> None:
        self.ending = True
        if self.fatal is None:
            self.fatal = error
        elif self.fatal is not error:
            _join_partial_results(self.fatal, error)

    def _end(self, why: str) -> None:
        self.ending = True
        self._note("end", why)
        log.warning("%s", why)

    def abandon(self, unit: Unit) -> None:
        """Note that a unit was given up; the next run makes it."""
        with self._lock:
            self._spent.release(unit.request)
            self.flying -= 1

    def break_off(self) -> None:
        """Begin nothing new. May be called from a signal handler."""
        self.ending = True

    def goes_on(self) -> bool:
        """Tell whether anything is to be begun any more."""
        return not self.ending

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
        return Progress(
            total=self._total,
            in_flight=self.flying,
            retrying=len(self._again),
            cost=None if self._priceless else self._cost,
            **self._counts,
        )


class _Spending:
    """What has been spent or may be by what is in flight, held against the limits of the run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._images = 0
        self._amount = Decimal(0)
        self._currency: str | None = None

    def check(self, request: ImageRequest) -> None:
        """Refuse a request whose price would be needed.

        Raises:
            InvalidRequestError: max_cost is given, and the price is not known or in another currency.
        """
        if self._plan.ceiling is None:
            return
        price = price_of(request.model or "", self._plan.prices)
        if price is None:
            raise InvalidRequestError(
                f"max_cost cannot be kept: the price of {request.model} is not known. Give the contract's own with "
                f"prices={{{request.model!r}: '0.03 EUR'}} or IONOS_PRICES, or leave max_cost out."
            )
        self._plan.ceiling.allows(price)
        if self._currency not in (None, price.currency):
            raise InvalidRequestError(
                f"max_cost cannot be kept: prices are in {self._currency} and {price.currency}. Give all in one "
                "currency with prices= or IONOS_PRICES."
            )
        self._currency = price.currency

    def reached(self, request: ImageRequest) -> str | None:
        """Return the limit that one more picture would pass, or None."""
        plan = self._plan
        if plan.max_images is not None and self._images + 1 > plan.max_images:
            return f"max_images={plan.max_images}"
        price = price_of(request.model or "", plan.prices)
        if plan.ceiling is None or price is None:
            return None
        after = Money(amount=self._amount + price.amount, currency=price.currency)
        return None if plan.ceiling.allows(after) else f"max_cost={plan.ceiling.amount} {price.currency}"

    def reserve(self, request: ImageRequest) -> None:
        self._book(request, 1)

    def release(self, request: ImageRequest) -> None:
        self._book(request, -1)

    def _book(self, request: ImageRequest, number: int) -> None:
        self._images += number
        price = price_of(request.model or "", self._plan.prices)
        if price is not None:
            self._amount += number * price.amount


def _survey(requests: Iterable[str | ImageRequest], plan: Plan, manifest: Manifest) -> Estimate:
    """Return what a list of requests will take, by what the manifest records; check those that are to be made."""
    spending = _Spending(plan)
    if not isinstance(requests, Sequence):
        spending.check(ImageRequest(prompt="", model=plan.model))
        return Estimate()
    prompts, images, costs = 0, 0, dict[str | None, Decimal]()
    for number, raw in enumerate(requests, 1):
        wanted = _wanted(raw, number, plan, manifest, spending)
        if wanted is not None:
            request, left = wanted
            price = price_of(request.model or "", plan.prices)
            currency = price.currency if price else None
            costs[currency] = costs.get(currency, Decimal(0)) + (price.amount * left if price else 0)
            prompts, images = prompts + 1, images + left
    manifest.forget_occurrences()
    currency, amount = next(iter(costs.items()), (None, Decimal(0)))
    cost = Money(amount=amount, currency=currency) if currency is not None and len(costs) == 1 else None
    seconds = None if plan.limits is None else estimate_seconds(images, plan.limits)
    return Estimate(prompts=prompts, images=images, cost=cost, seconds=seconds)


def _wanted(
    raw: str | ImageRequest, number: int, plan: Plan, manifest: Manifest, spending: _Spending
) -> tuple[ImageRequest, int] | None:
    """Return a request with the number of pictures that are to be made for it; None where there are none."""
    try:
        request, mark = _marked(raw, plan)
        occurrence = manifest.occurrence(mark)
        known = manifest.knows(mark, occurrence)
        if known == "done" and not plan.redo and plan.missing == "keep":
            return None
        request = request or complete(raw, model=plan.model, size=plan.size)
        entry = manifest.find(mark, occurrence, identify(mark, occurrence)) if known else None
        if not _is_left(request, entry, plan):
            return None
        check(request)
        spending.check(request)
    except InvalidRequestError as error:
        problem = str(error)
    else:
        return request, request.n - len(_kept(request, entry, plan))
    raise InvalidRequestError(f"Request {number} cannot work: {problem}")


def _is_left(request: ImageRequest, entry: Entry | None, plan: Plan) -> bool:
    """Tell whether pictures are to be made, without a look at files unless missing ones are to be made again."""
    if entry is None:
        return not plan.only_failed
    if entry.get("status") == "failed" or _chosen(request, entry, plan.redo):
        return True
    return plan.missing == "remake" and len(_there(entry, plan, verify=False)) < request.n


def _kept(request: ImageRequest, entry: Entry | None, plan: Plan) -> list[dict[str, object]]:
    """Return the pictures of a prompt that is not settled, which need not be made again."""
    if entry is None or _chosen(request, entry, plan.redo):
        return []
    return _there(entry, plan, verify=plan.verify)[: request.n - 1]


def _there(entry: Entry, plan: Plan, *, verify: bool) -> list[dict[str, object]]:
    """Return those of the recorded pictures that are neither missing nor damaged."""
    try:
        states = [(one, pictures.look(str(plan.directory), [one], verify=verify)) for one in entry["files"]]
    except (KeyError, TypeError):
        return []
    return [one for one, state in states if state not in ("missing", "damaged")]


def _marked(raw: str | ImageRequest, plan: Plan) -> tuple[ImageRequest | None, str]:
    """Return a request with its digest; None in place of the request for a bare prompt, which may need none."""
    if isinstance(raw, str):
        return None, digest_prompt(raw, model=plan.model, size=plan.size)
    request = complete(raw, model=plan.model, size=plan.size)
    return request, digest(request)


def _chosen(request: ImageRequest, entry: Entry, names: frozenset[str]) -> frozenset[str]:
    """Return those of `names` that mean this prompt: by its own name or its files', with or without extension."""
    files = entry.get("files") or []
    known = {request.name, *(fact.get("name") for fact in files if isinstance(fact, dict))}
    whole = {str(name) for name in known if name}
    return names & (whole | {name.rpartition(".")[0] or name for name in whole})


def _rest(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in ("id", "status", "files")}


def _named(request: ImageRequest, entry: Entry) -> str:
    files = entry.get("files") or []
    return ", ".join(str(fact["name"]) for fact in files) or repr(request.prompt[:60])


def _join_partial_results(error: BaseException, other: BaseException) -> None:
    keep_partial_results(error, [*partial_results(error), *partial_results(other)])


def system_clock() -> float:
    """Return seconds that only ever go on."""
    return time.monotonic()
