"""The cards of a gallery: what the files say and what the manifest says, put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.batch.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ionos_openai.batch.records import Record
    from ionos_openai.gallery.facts import Facts
    from ionos_openai.gallery.listing import Stamp
    from ionos_openai.hub.prices import Money

State: TypeAlias = Literal["made", "modified", "broken", "failed", "gone"]
"""A picture; one that was changed since; a file that is none; no picture came; the file is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One card.

    Attributes:
        name: The file's name; None where a request led to no file.
        state: What became of it.
        thumbnail: The thumbnail's name without extension; None where there is none.
        shows_itself: Whether the picture may stand in for its missing thumbnail.
        prompt: The text that was asked for; None where it was not kept.
        model: The model's id.
        pixels: Width and height in px; None where there is no picture.
        size: "WIDTHxHEIGHT" in px to ask for it again.
        seed: The seed that was sent.
        has_extra: Whether further parameters were sent.
        date: When it was asked for or made; without those, when the file was changed.
        date_is_of_file: Whether it is the latter.
        cost: What its request cost; None where unknown.
        shares_cost: How many pictures that was for.
        metadata: The user's own columns.
        note: What went wrong.
        alt: The text for people who do not see the picture.
        credit: Creator, credit line and copyright notice.
        edited: Whether it was made out of other pictures.
        sandbox: Whether it is a placeholder of the stand-in.
    """

    name: str | None
    state: State
    thumbnail: str | None = None
    shows_itself: bool = False
    prompt: str | None = None
    model: str | None = None
    pixels: tuple[int, int] | None = None
    size: str | None = None
    seed: int | None = None
    has_extra: bool = False
    date: datetime | None = None
    date_is_of_file: bool = False
    cost: Money | None = None
    shares_cost: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    alt: str | None = None
    credit: str | None = None
    edited: bool = False
    sandbox: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether there is a picture to look at."""
        return self.state in ("made", "modified")


def make_entries(
    facts: Mapping[str, Facts], stamps: Mapping[str, Stamp], records: tuple[Record, ...]
) -> tuple[list[Entry], list[Problem]]:
    """Put the cards together, the newest first.

    Args:
        facts: What each file says.
        stamps: When each file was changed.
        records: What the manifest says.

    Returns:
        A card for each file, for each request that failed, and for each file of the manifest that is gone; and what
        is to be told about the latter.
    """
    record_of = {name: record for record in records for name in record.files}
    entries = [_of_file(name, one, stamps[name][1], record_of.get(name)) for name, one in facts.items()]
    without = list(_without_file(records, facts))
    gone = [
        Problem(name=entry.name, message="the manifest names it, but it is gone")
        for entry in without
        if entry.name is not None
    ]
    return sorted([*entries, *without], key=_age), gone


def _of_file(name: str, facts: Facts, changed: int, record: Record | None) -> Entry:
    asked = record
    made = _moment(facts.created) or (asked.started if asked else None)
    pixels = (facts.width, facts.height) if facts.width else None
    recorded = (asked.size if asked else None) or facts.size
    return Entry(
        name=name,
        state="broken" if pixels is None else "modified" if asked and asked.status == "modified" else "made",
        thumbnail=facts.thumbnail,
        shows_itself=pixels is not None and not facts.too_large,
        prompt=(asked.prompt if asked else None) or facts.prompt,
        model=(asked.model if asked else None) or facts.model,
        pixels=pixels,
        size=recorded or (f"{facts.width}x{facts.height}" if pixels else None),
        seed=asked.seed if asked and asked.seed is not None else facts.seed,
        has_extra=asked.has_extra if asked else False,
        date=made or _changed(changed),
        date_is_of_file=made is None,
        cost=asked.cost if asked else None,
        shares_cost=len(asked.files) if asked else 1,
        metadata=asked.metadata if asked else {},
        note=facts.problem,
        alt=facts.alt,
        credit=facts.credit,
        edited=facts.edited,
        sandbox=facts.sandbox or (asked.sandbox if asked else False),
    )


def _without_file(records: tuple[Record, ...], facts: Mapping[str, Facts]) -> Iterator[Entry]:
    for record in records:
        if record.status == "failed":
            yield _of_record(record, None, "failed", record.error or "the manifest does not say why")
        for name in record.files:
            if name not in facts:
                yield _of_record(record, name, "gone", "the file is not there any more")


def _of_record(record: Record, name: str | None, state: State, note: str) -> Entry:
    return Entry(
        name=name,
        state=state,
        prompt=record.prompt,
        model=record.model,
        size=record.size,
        seed=record.seed,
        has_extra=record.has_extra,
        date=record.started,
        cost=record.cost,
        shares_cost=max(1, len(record.files)),
        metadata=record.metadata,
        note=note,
        sandbox=record.sandbox,
    )


def _age(entry: Entry) -> tuple[float, str]:
    date = entry.date
    # A picture's date may come without its zone; none is as likely as UTC.
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() if date else 0.0
    return -seconds, entry.name or ""


def _changed(nanoseconds: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=nanoseconds // 1_000_000_000)
    except OverflowError:  # A file system may hold any number.
        return None


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
