"""What batches cost: one that runs, held against its limits; those that have run, by the lines of their manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from ionos_openai import errors
from ionos_openai.batch.records import Record
from ionos_openai.hub.catalogue import show_amount
from ionos_openai.hub.prices import Money

if TYPE_CHECKING:  # summing what is recorded does without the SDK
    from ionos_openai.batch.plan import Plan
    from ionos_openai.batch.request import ImageRequest


class Spending:
    """The pictures that were asked for, which the limits bound, and those that came, which cost something."""

    def __init__(self, plan: Plan) -> None:
        """Begin with nothing."""
        self._plan = plan
        self._images = 0
        self._amount = Decimal(0)
        self._currency: str | None = None
        self._costs: dict[str | None, Decimal] = defaultdict(Decimal)  # of what came, by currency

    @property
    def cost(self) -> Money | None:
        """What the pictures that came cost; None where that is not known, or none came."""
        currency, amount = next(iter(self._costs.items()), (None, Decimal(0)))
        return None if currency is None or len(self._costs) > 1 else Money(amount=amount, currency=currency)

    def check(self, request: ImageRequest) -> None:
        """Refuse a request where max_cost is given, and its price is not known or in another currency."""
        if self._plan.ceiling is None:
            return
        price = self._plan.price_of(request)
        if price is None:
            problem = (
                f"the price of {request.model} is not known. Give the contract's own with "
                f"prices={{{request.model!r}: '0.03 EUR'}} or IONOS_PRICES, or leave max_cost out"
            )
            raise errors.InvalidRequestError(f"max_cost cannot be kept: {problem}.")
        self._plan.ceiling.allows(price)
        if self._currency not in (None, price.currency):
            problem = f"prices are in {self._currency} and {price.currency}. Give all in one currency with prices="
            raise errors.InvalidRequestError(f"max_cost cannot be kept: {problem} or IONOS_PRICES.")
        self._currency = price.currency

    def reached(self, request: ImageRequest) -> str | None:
        """Return the limit that one more picture would pass, or None."""
        most, ceiling = self._plan.max_images, self._plan.ceiling
        if most is not None and self._images + 1 > most:
            return f"max_images={most}"
        price = self._plan.price_of(request)
        if ceiling is None or price is None:
            return None
        after = Money(amount=self._amount + price.amount, currency=price.currency)
        return None if ceiling.allows(after) else f"max_cost={ceiling.amount} {price.currency}"

    def reserve(self, request: ImageRequest, number: int = 1) -> None:
        """Count a picture that is asked for; with -1 one no more, of which it is certain that nobody will be billed."""
        self._images += number
        price = self._plan.price_of(request)
        if price is not None:
            self._amount += number * price.amount

    def add(self, request: ImageRequest, number: int = 1) -> None:
        """Count pictures that came and are no placeholders."""
        price = self._plan.price_of(request)
        self._costs[price.currency if price else None] += price.amount * number if price else 0


@dataclass(slots=True)
class Sum:
    """What a group of prompts comes to."""

    pictures: int = 0  # how many were made, placeholders not counted
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # what they cost, by currency
    unknown_price: int = 0  # how many of them have no known price
    placeholders: int = 0  # how many pictures are the sandbox's
    failed: int = 0  # how many prompts have failed at last

    def add(self, made: int, record: Record) -> None:
        """Add the pictures that a run made of a prompt."""
        if record.sandbox:
            self.placeholders += made
            return
        self.pictures += made
        if record.cost is None:
            self.unknown_price += made
        else:
            self.amounts[record.cost.currency] += record.cost.amount

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
