"""The entries of a gallery: what the files say and what the manifest says, put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

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
        return _moment(self.created)

    @property
    def date(self) -> datetime | None:
        """The same, or else when the file was changed."""
        if self.made is not None or self.changed is None:
            return self.made
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.changed // 1_000_000_000)
        except OverflowError:  # A file system may hold any number.
            return None


def make_entries(
    files: Sequence[Entry], records: Sequence[Record], folder: str = ""
) -> tuple[list[Entry], list[Problem]]:
    """Return an entry for each file, failed request, and file of the manifest that is gone; and problems of the latter.

    `folder` is where file and manifest are, "" or with its slash.
    """
    record_of = {folder + name: record for record in records for name in record.names}
    known = [_of_file(file, record_of.get(file.name or "", Record({}))) for file in files]
    without = list(_without_file(records, {file.name for file in files}, folder))
    gone = "the manifest names it, but it is gone"
    return [*known, *without], [Problem(name=entry.name, message=gone) for entry in without if entry.name is not None]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries with their rows, the newest first."""
    found = list(entries)
    asked = sorted((entry for entry in found if entry.asked), key=lambda entry: entry.asked or "")
    rows = {id(entry): row for row, entry in enumerate(asked)}
    # A picture's own date may be one of whole seconds, in which a batch makes several.
    age = lambda entry: (-_seconds(entry.date), -_seconds(_moment(entry.asked)), entry.name or "")  # noqa: E731
    return sorted((replace(entry, row=rows.get(id(entry))) for entry in found), key=age)


def _of_file(file: Entry, record: Record) -> Entry:
    said = {"size": file.size or (f"{file.width}x{file.height}" if file.width else None), **_said(record)}
    said["created"] = file.created or record.started
    return replace(file, **said, state=_STATES.get(record.status, "made") if file.width else "broken")


def _without_file(records: Sequence[Record], names: set[str | None], folder: str) -> Iterator[Entry]:
    for record in records:
        said = _said(record)
        if record.status == "failed":
            yield Entry(**said, state="failed", problem=record.error or "the manifest does not say why")
        for name in (folder + name for name in record.names):
            if name not in names and record.status != "superseded":
                yield Entry(**said, name=name, state="gone", problem="the file is not there any more")


def _said(record: Record) -> dict[str, Any]:
    """Return what a line of the manifest says of each of its pictures; what it does not say is not in it."""
    said = {name: getattr(record, name) for name in ("prompt", "model", "size", "seed", "cost", "sandbox")}
    said |= {"created": record.started, "asked": record.started, "shares_cost": max(1, len(record.names))}
    said["has_extra"] = bool(record.extra)
    said["metadata"] = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in record.metadata.items()
        if value is not None
    }
    return {name: value for name, value in said.items() if value is not None and value is not False}


def _seconds(date: datetime | None) -> float:
    # A picture's date may come without its zone; none is as likely as UTC.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() if date else 0.0


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
