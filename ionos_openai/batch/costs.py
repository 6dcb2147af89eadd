"""What batches have cost, by the lines of their manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from ionos_openai.batch.records import Record
from ionos_openai.hub.catalogue import show_amount


@dataclass(slots=True)
class Sum:
    """What a group of prompts comes to."""

    pictures: int = 0  # how many were made, placeholders not counted
    amounts: dict[str, Decimal] = field(default_factory=dict)  # what they cost, by currency
    unknown_price: int = 0  # how many of them have no known price
    placeholders: int = 0  # how many pictures are the sandbox's
    failed: int = 0  # how many prompts have failed at last

    def add(self, made: int, record: Record) -> None:
        """Add the pictures that a run made of a prompt."""
        if record.sandbox:
            self.placeholders += made
            return
        self.pictures += made
        cost = record.cost
        if cost is None:
            self.unknown_price += made
        else:
            self.amounts[cost.currency] = self.amounts.get(cost.currency, Decimal(0)) + cost.amount

    def cost(self) -> str:
        """Return the amounts as a phrase; "unknown" where there is none and some price is not known."""
        known = " + ".join(show_amount(amount, currency) for currency, amount in sorted(self.amounts.items()))
        return known or ("unknown" if self.unknown_price else "0")


def summarise(records: Iterable[Record], *, by: str | None) -> dict[str, Sum]:
    """Sum records, oldest first, by the values of a metadata column or by "model"; None puts all into one group.

    Later ones about the same work of one run supersede earlier ones; work of another run on the same prompt adds to it.
    Prompts without a value are in the group "".
    """
    made: dict[tuple[str, str, str | None], tuple[int, Record]] = {}
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    newest: dict[tuple[str, str], Record] = {}
    for record in records:
        prompt = (record.folder, record.id)
        run = (*prompt, record.started)
        new = set(record.names) - files[prompt]
        files[prompt] |= new
        made[run] = ((made[run][0] if run in made else 0) + len(new), record)
        newest[prompt] = record
    sums: dict[str, Sum] = defaultdict(Sum)
    for number, record in made.values():
        sums[_group(record, by)].add(number, record)
    for record in newest.values():
        sums[_group(record, by)].failed += record.status == "failed"
    return dict(sums) or {"": Sum()}


def _group(record: Record, by: str | None) -> str:
    value = None if by is None else record.metadata.get(by)
    if value is None and by == "model":
        value = record.model
    text = "" if value is None else str(value)
    return text.encode(errors="backslashreplace").decode()  # half a surrogate pair cannot be printed
