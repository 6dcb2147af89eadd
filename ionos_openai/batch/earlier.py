"""What an earlier run has done of what is asked for now: decided here, for the estimate and for the run alike."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from ionos_openai.batch.bucket import open_store, read_history
from ionos_openai.batch.costs import Spending
from ionos_openai.batch.plan import PUT_BACK, Plan
from ionos_openai.batch.records import Record, StoredFile
from ionos_openai.batch.request import ImageRequest, check, digest, digest_metadata, digest_prompt, identify
from ionos_openai.batch.results import Estimate
from ionos_openai.batch.stored import FileState, Store
from ionos_openai.client.pacing.rates import estimate_seconds
from ionos_openai.errors import BatchRunningError, ImageSaveError, InvalidRequestError
from ionos_openai.errors.words import printable

REDO = ".ionos-batch.redo"
"""The note of what is to be made once more: the same call goes on where such a run was cut short."""

PromptState: TypeAlias = Literal["new", "failed", "chosen", FileState]
"""Never tried; tried in vain; to be made once more; or what became of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a prompt stands."""

    request: ImageRequest  # what is asked
    id: str  # what it is known by
    state: PromptState  # what has become of it
    record: Record | None  # its newest line; None where it has none
    is_left: bool  # whether pictures are to be made
    kept: tuple[StoredFile, ...] = ()  # those of its pictures that then need not be made again
    is_relabelled: bool = False  # whether it has other metadata than what is recorded

    @property
    def is_modified(self) -> bool:
        """Whether somebody has changed a picture of it, now or before."""
        return self.state == "modified" or (self.record is not None and self.record.status == "modified")

    @property
    def names(self) -> str:
        """What a person knows its pictures by, without those that are kept; without any, its prompt."""
        kept = {file.name for file in self.kept}
        names = [name for name in (self.record.names if self.record else ()) if name not in kept]
        return printable(", ".join(names))[:200] or repr(self.request.prompt[:60])


class Redo:
    """The names, of files or requests, to be made once more."""

    def __init__(self, store: Store, names: Collection[str]) -> None:
        """Look for a note of the same names."""
        self.names = frozenset({names} if isinstance(names, str) else names)
        # When their making began, in ISO 8601, where a run with the same names was cut short: what was recorded from
        # then on is made once more already.
        self.since: str | None = None
        self._store = store
        self._is_noted = False
        note: object = None
        if self.names:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                note = json.loads(store.read(REDO))
        if isinstance(note, dict) and note.get("names") == sorted(self.names) and isinstance(note.get("started"), str):
            self.since, self._is_noted = note["started"], True

    def begin(self) -> None:
        """Leave a note, before the first picture is made once more."""
        if not self._is_noted:
            note = {"started": datetime.now(UTC).isoformat(timespec="microseconds"), "names": sorted(self.names)}
            self._store.note(REDO, json.dumps(note).encode())
            self._is_noted = True

    def is_made(self, started: str | None) -> bool:
        """Tell whether what was begun then belongs to the run that was cut short."""
        return self.since is not None and started is not None and started >= self.since

    def finish(self) -> None:
        """Forget the note: all of it is made."""
        if self._is_noted:
            self._store.note(REDO, None)


class Earlier:
    """The requests of this run, held against the manifest and the files."""

    def __init__(self, plan: Plan, store: Store) -> None:
        """Have seen no request yet."""
        self.redo = Redo(store, plan.redo)
        self.unmatched = set(self.redo.names)  # those that no request had so far
        self._plan = plan
        self._store = store
        self._seen: dict[int, int] = {}  # numbers, which take half the memory of their texts

    def count(self, digest: str) -> str:
        """Count a request; return its id, as the first, second, ... of equal ones."""
        key = int(digest, 16)
        self._seen[key] = number = self._seen.get(key, 0) + 1
        return identify(digest, number)

    @property
    def seen(self) -> set[str]:
        """The ids of what was counted."""
        counted = ((f"{key:024x}", number) for key, number in self._seen.items())
        return {identify(mark, place) for mark, number in counted for place in range(1, number + 1)}

    def judge(self, raw: str | ImageRequest, *, closely: bool) -> Standing | None:
        """Count the next request, and tell how it stands; None where nothing is to be made of it nor told.

        `closely` looks at its files, and at their bytes where the plan says so; the estimate takes their word for it,
        unless missing ones are to be made again. An InvalidRequestError where it is to be made and cannot work.
        """
        plan = self._plan
        # A bare prompt is no request before one is needed: there may be 100,000.
        request = None if isinstance(raw, str) else plan.complete(raw)
        mark = self.count(digest(request) if request else digest_prompt(str(raw), model=plan.model, size=plan.size))
        known = self._store.state(mark, request.metadata if request else None)
        looks, verify = closely or plan.missing == "remake", closely and plan.verify
        is_kept = (known == "done" and not looks) or (known == "same" and not verify)
        if is_kept and not self.redo.names:
            return None
        record = None if known is None else self._store.find(mark)
        is_damaged = known is not None and (record is None or (record.files is None and record.status != "failed"))
        if is_damaged and not plan.buys_damaged:
            raise ImageSaveError(f"{self._store.path}: the line of {request or raw!r:.60} is damaged. {PUT_BACK}")
        if record is None and plan.only_failed:
            return None
        state = self._state(record, looks=looks, verify=verify)
        # A bare prompt says nothing of its metadata, and changes none.
        is_relabelled = request is not None and record is not None and _has_other_metadata(request, record)
        is_as_it_was = state == "same" and record is not None and record.status != "modified" and not is_relabelled
        if is_as_it_was and not self.redo.names:
            return None
        standing = self._standing(request or plan.complete(raw), mark, record, state)
        return replace(standing, is_relabelled=is_relabelled)

    def _state(self, record: Record | None, *, looks: bool, verify: bool) -> PromptState:
        if record is None:
            return "new"
        if record.status == "failed":
            return "failed"
        if (files := record.files) is None:
            return "damaged"
        return self._store.look_at(files, verify=verify) if looks else "same"

    def _standing(self, request: ImageRequest, id: str, record: Record | None, state: PromptState) -> Standing:
        chosen = _chosen(request, record, self.redo.names)
        self.unmatched -= chosen
        if chosen and record is not None and not self.redo.is_made(record.started):
            state = "chosen"
        remade = ("missing",) if self._plan.missing == "remake" else ()
        is_left = state in ("new", "failed", "chosen", "damaged", *remade)
        kept: tuple[StoredFile, ...] = ()
        if is_left:
            check(request)
            kept = () if state == "chosen" else self._there(record)[: request.n - 1]
        return Standing(request=request, id=id, state=state, record=record, is_left=is_left, kept=kept)

    def _there(self, record: Record | None) -> tuple[StoredFile, ...]:
        """Return those of the recorded pictures that are neither missing nor damaged."""
        verify = self._plan.verify
        files = (record.files if record is not None else None) or ()
        pictures = (file for file in files if file.format)  # and not bytes that nobody could read
        return tuple(
            file for file in pictures if self._store.look_at([file], verify=verify) not in ("missing", "damaged")
        )

    def renewed(self, standing: Standing, record: Record) -> dict[str, Any]:
        """Return a line that says of a prompt's recorded pictures what they are now, and what its metadata is."""
        first: dict[str, Any] = {"id": standing.id, "status": "modified" if standing.is_modified else record.status}
        if standing.state in ("modified", "touched"):
            first["files"] = [self._store.renewed(file).facts() for file in record.files or ()]
        if standing.is_relabelled:
            first["metadata"] = dict(standing.request.metadata)
        return first | {name: value for name, value in record.line.items() if name not in first}

    def estimate(self, requests: Iterable[str | ImageRequest]) -> Estimate:
        """Return what a list of requests will take; an InvalidRequestError where one that is to be made cannot work."""
        spending = Spending(self._plan)
        if not isinstance(requests, Sequence):
            spending.check(ImageRequest(prompt="", model=self._plan.model))
            return Estimate()
        prompts = images = 0
        for number, raw in enumerate(requests, 1):
            try:
                standing = self.judge(raw, closely=False)
                if standing is None or not standing.is_left:
                    continue
                spending.check(standing.request)
            except InvalidRequestError as error:
                raise InvalidRequestError(f"Request {number} cannot work: {error}") from None
            left = standing.request.n - len(standing.kept)
            spending.add(standing.request, left)
            prompts, images = prompts + 1, images + left
        self._seen.clear()
        seconds = None if self._plan.limits is None else estimate_seconds(images, self._plan.limits)
        return Estimate(prompts=prompts, images=images, cost=spending.cost, seconds=seconds)


def _has_other_metadata(request: ImageRequest, record: Record) -> bool:
    """Tell whether other metadata is given than was recorded; what JSON does not have counts as none that is."""
    asked, recorded = request.metadata, record.metadata
    return asked != recorded and digest_metadata(asked) not in (None, digest_metadata(recorded))


def _chosen(request: ImageRequest, record: Record | None, redo: frozenset[str]) -> frozenset[str]:
    """Return those of the names that mean this prompt: by its own name or its files', with or without extension."""
    if record is None or not redo:
        return frozenset()
    names = {name for name in (request.name, *record.names) if name}
    return redo & (names | {name.rpartition(".")[0] or name for name in names})


def supersede(directory: str | os.PathLike[str], asked: Collection[str]) -> list[Record]:
    """Record which pictures gave way to others of their name, as a prompt was corrected; and which are asked for again.

    `asked` are the ids of what is asked for now; what gave way this time is returned. Nothing is recorded where another
    run has begun; the next one does it.
    """
    newest: dict[str, tuple[str, str, int]] = {}
    for record in read_history(directory):
        if record.name is not None:
            newest[record.id] = (record.name.casefold(), record.status, hash(record.prompt))
    made: dict[str, set[int]] = {}
    for mark in newest.keys() & set(asked):
        name, status, prompt = newest[mark]
        if status != "failed":
            made.setdefault(name, set()).add(prompt)
    given_way, back = set[str](), set[str]()
    for mark, (name, status, prompt) in newest.items():
        if mark in asked and status == "superseded":
            back.add(mark)
        elif mark not in asked and status not in ("failed", "superseded") and prompt not in made.get(name, {prompt}):
            given_way.add(mark)
    if not given_way | back:
        return []
    records = {record.id: record for record in read_history(directory) if record.id in given_way | back}
    with contextlib.suppress(BatchRunningError, ImageSaveError), contextlib.closing(open_store(directory)) as store:
        for record in records.values():
            first = {"id": record.id, "status": "superseded" if record.id in given_way else "done"}
            store.append(first | {name: value for name, value in record.line.items() if name not in first})
        return [record for record in records.values() if record.id in given_way]
    return []
