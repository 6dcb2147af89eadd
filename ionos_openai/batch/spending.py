"""What a batch has spent, or may have by what is on its way, held against its limits."""

from __future__ import annotations

from decimal import Decimal

from ionos_openai.batch.plan import Plan
from ionos_openai.batch.request import ImageRequest
from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.prices import Money


class Spending:
    """The pictures that were asked for, which the limits bound, and those that came, which cost something."""

    def __init__(self, plan: Plan) -> None:
        """Begin with nothing."""
        self._plan = plan
        self._images = 0
        self._amount = Decimal(0)
        self._currency: str | None = None
        self._cost: Money | None = None
        self._is_known = True

    @property
    def cost(self) -> Money | None:
        """What the pictures that came cost; None where that is not known, or none came."""
        return self._cost if self._is_known else None

    def check(self, request: ImageRequest) -> None:
        """Refuse a request where max_cost is given, and its price is not known or in another currency."""
        if self._plan.ceiling is None:
            return
        price = self._plan.price_of(request)
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
        most, ceiling = self._plan.max_images, self._plan.ceiling
        if most is not None and self._images + 1 > most:
            return f"max_images={most}"
        price = self._plan.price_of(request)
        if ceiling is None or price is None:
            return None
        after = Money(amount=self._amount + price.amount, currency=price.currency)
        return None if ceiling.allows(after) else f"max_cost={ceiling.amount} {price.currency}"

    def reserve(self, request: ImageRequest, number: int = 1) -> None:
        """Count a picture that is asked for."""
        self._images += number
        price = self._plan.price_of(request)
        if price is not None:
            self._amount += number * price.amount

    def release(self, request: ImageRequest) -> None:
        """Count one no more, of which it is certain that nobody will be billed."""
        self.reserve(request, -1)

    def add(self, request: ImageRequest, number: int = 1) -> None:
        """Count pictures that came and are no placeholders."""
        price = self._plan.price_of(request)
        if price is None or (self._cost is not None and self._cost.currency != price.currency):
            self._is_known = False
        else:
            before = self._cost.amount if self._cost is not None else Decimal(0)
            self._cost = Money(amount=before + price.amount * number, currency=price.currency)
