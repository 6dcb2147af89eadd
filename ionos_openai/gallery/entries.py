"""The entries of a gallery: what the files say and what the manifest says, put together."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from ionos_openai.batch.records import Problem, Record
from ionos_openai.hub.prices import Money

EntryState: TypeAlias = Literal["made", "modified", "broken", "failed", "gone", "superseded"]
"""A picture; one that was changed since; a file that is none; no picture came; the file is not there any more; of an
older prompt of its name."""


_STATES: dict[str, EntryState] = {"modified": "modified", "superseded": "superseded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One card: what a file says of itself, then what the manifest adds."""

    name: str | None = None  # the file's name; None where a request led to no file
    changed: int | None = None  # when the file was changed, in ns since 1970; None where there is none
    width: int = 0  # in px; 0 where there is no picture
    height: int = 0  # in px; 0 where there is no picture
    thumbnail: str | None = None  # the thumbnail's name without extension; None where there is none
    too_large: bool = False  # whether the picture has too many pixels to be opened unasked
    problem: str | None = None  # what went wrong, as a clause
    model: str | None = None  # the model's id
    size: str | None = None  # "WIDTHxHEIGHT" in px to ask for it again
    seed: int | None = None  # the seed that was sent
    prompt: str | None = None  # the text that was asked for; None where it was not kept
    alt: str | None = None  # the text for people who do not see the picture
    asked: str | None = None  # when the batch asked for it, in ISO 8601
    created: str | None = None  # when it was made or asked for, in ISO 8601
    credit: str | None = None  # creator, credit line and copyright notice
    signed: str | None = None  # who signed it, where it is signed
    edited: bool = False  # whether it was made out of other pictures
    sandbox: bool = False  # whether it is a placeholder of the sandbox
    state: EntryState = "made"  # what became of it
    has_extra: bool = False  # whether further parameters were sent
    cost: Money | None = None  # what its request cost; None where unknown
    shares_cost: int = 1  # how many pictures that was for
    metadata: Mapping[str, str] = field(default_factory=dict)  # the user's own columns
    row: int | None = None  # its place in the order in which the batch's file was asked for

    @property
    def is_picture(self) -> bool:
        """Whether there is a picture to look at."""
        return self.state in ("made", "modified")

    @property
    def made(self) -> datetime | None:
        """When it was made or asked for."""
        try:
            return datetime.fromisoformat(self.created) if self.created else None
        except ValueError:
            return None

    @property
    def date(self) -> datetime | None:
        """The same, or else when the file was changed."""
        made = self.made
        if made is not None or self.changed is None:
            return made
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.changed // 1_000_000_000)
        except OverflowError:  # A file system may hold any number.
            return None


def make_entries(
    files: Sequence[Entry], records: Sequence[Record], folder: str = ""
) -> tuple[list[Entry], list[Problem]]:
    """Put together what each file says and what the manifest says; `folder` is where both are, "" or with its slash.

    Returns:
        An entry for each file, for each request that failed, and for each file of the manifest that is gone; and what
        is to be told about the latter.
    """
    record_of = {folder + name: record for record in records for name in record.names}
    known = [_of_file(entry, record_of.get(entry.name or "", Record({}))) for entry in files]
    without = list(_without_file(records, {entry.name for entry in files}, folder))
    names = [entry.name for entry in without if entry.name is not None]
    gone = [Problem(name=name, message="the manifest names it, but it is gone") for name in names]
    return [*known, *without], gone


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries with their rows, the newest first."""
    found = list(entries)
    asked = sorted((entry for entry in found if entry.asked), key=lambda entry: entry.asked or "")
    rows = {id(entry): row for row, entry in enumerate(asked)}
    return sorted((replace(entry, row=rows.get(id(entry))) for entry in found), key=_age)


def _of_file(file: Entry, record: Record) -> Entry:
    state = _STATES.get(record.status, "made")
    said = _of_record(record, file.name, state, file.problem)
    return replace(
        file,
        state=said.state if file.width else "broken",
        prompt=said.prompt or file.prompt,
        model=said.model or file.model,
        size=said.size or file.size or (f"{file.width}x{file.height}" if file.width else None),
        seed=file.seed if said.seed is None else said.seed,
        created=file.created or said.created,
        asked=said.asked,
        sandbox=file.sandbox or said.sandbox,
        has_extra=said.has_extra,
        cost=said.cost,
        shares_cost=said.shares_cost,
        metadata=said.metadata,
    )


def _without_file(records: Sequence[Record], names: set[str | None], folder: str) -> Iterator[Entry]:
    for record in records:
        if record.status == "failed":
            yield _of_record(record, None, "failed", record.error or "the manifest does not say why")
        for name in (folder + name for name in record.names):
            if name not in names and record.status != "superseded":
                yield _of_record(record, name, "gone", "the file is not there any more")


def _of_record(record: Record, name: str | None, state: EntryState, problem: str | None) -> Entry:
    metadata = {key: value for key, value in record.metadata.items() if value is not None}
    return Entry(
        name=name,
        state=state,
        prompt=record.prompt,
        model=record.model,
        size=record.size,
        seed=record.seed,
        has_extra=record.has_extra,
        created=record.started,
        asked=record.started,
        cost=record.cost,
        shares_cost=max(1, len(record.names)),
        metadata={key: _shown(value) for key, value in metadata.items()},
        problem=problem,
        sandbox=record.sandbox,
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _age(entry: Entry) -> tuple[float, float, str]:
    date = entry.date
    # A picture's date may come without its zone; none is as likely as UTC.
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() if date else 0.0
    # A picture's own date may be one of whole seconds, in which a batch makes several.
    return -seconds, -_moment(entry.asked), entry.name or ""


def _moment(text: str | None) -> float:
    with contextlib.suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    return 0.0
