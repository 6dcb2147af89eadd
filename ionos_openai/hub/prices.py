"""What a picture costs: a contract's own prices, else the dated catalogue's. Unknown is unknown, never 0."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ionos_openai import errors
from ionos_openai.hub.catalogue import Money as Money
from ionos_openai.hub.models import find_model, model_to_send

_EXAMPLE = "'0.03 EUR'"
_MOST_DIGITS = 15  # of an amount in a record, before its point or behind it; more is damage


def parse_money(text: str) -> Money:
    """Read "0.03 EUR"; what is no amount with a currency of three letters is an `InvalidRequestError`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]{3})\s*", text) if isinstance(text, str) else None
    if not match:
        raise errors.InvalidRequestError(f"{text!r} is no price: write an amount and a currency, such as {_EXAMPLE}.")
    return Money(amount=Decimal(match[1]), currency=match[2].upper())


def read_money(value: object) -> Money | None:
    """Return an amount as a record has it, {"amount": "0.03", "currency": "EUR"}; None where it is none."""
    if not isinstance(value, Mapping):
        return None
    currency = value.get("currency")
    try:
        amount = Decimal(str(value.get("amount")))
    except InvalidOperation:
        return None
    is_sane = amount.is_finite() and abs(amount.adjusted()) <= _MOST_DIGITS
    return Money(amount=amount, currency=currency) if isinstance(currency, str) and currency and is_sane else None


def parse_prices(prices: str | Mapping[str, str], url: object = None) -> dict[str, Money]:
    """Read the price of one picture, by the model's id.

    Prices are "FLUX.1-schnell=0.03 EUR, klein=0.02 EUR", or a mapping of the same; a model is an id or a short name,
    for a service at another `url` than IONOS' also a name of its own. All else is an `InvalidRequestError`.
    """
    if isinstance(prices, str):
        pairs = [part.partition("=") for part in prices.split(",") if part.strip()]
        if not all(price.strip() for _, _, price in pairs):
            raise errors.InvalidRequestError(f"The prices {prices!r} cannot be read: write MODEL={_EXAMPLE[1:-1]}, ...")
        prices = {model: price for model, _, price in pairs}
    return {model_to_send(model, url): parse_money(price) for model, price in prices.items()}


def price_of(model: str, prices: Mapping[str, Money] | None = None) -> Money | None:
    """Return what one picture of a model, named by its full id, costs by `prices`, else by the catalogue, else None."""
    if prices and model in prices:
        return prices[model]
    known = find_model(model)
    price = known and known.price
    return Money(amount=price.amount, currency=price.currency) if price else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that may be spent; without a currency it is that of the prices."""

    amount: Decimal
    currency: str | None = None

    def allows(self, spent: Money) -> bool:
        """Tell whether `spent` is within it; in another currency nobody can, which is an `InvalidRequestError`."""
        if self.currency not in (None, spent.currency):
            remedy = "give both in one currency, or the contract's own price with prices= or IONOS_PRICES"
            message = f"max_cost is in {self.currency} and the price in {spent.currency}: {remedy}."
            raise errors.InvalidRequestError(message)
        return spent.amount <= self.amount


def parse_ceiling(limit: Decimal | float | str) -> Ceiling:
    """Read 5, "5" or "5 EUR"; what is no amount, or below 0, is an `InvalidRequestError`."""
    text, currency = str(limit).strip(), None
    if match := re.fullmatch(r"(.*\d)\s*([A-Za-z]{3})", text):
        text, currency = match[1], match[2].upper()
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if isinstance(limit, bool) or not amount.is_finite() or amount < 0:
        raise errors.InvalidRequestError(f"max_cost={limit!r} is no amount: write 5 or '5 EUR'.")
    return Ceiling(amount=amount, currency=currency)
