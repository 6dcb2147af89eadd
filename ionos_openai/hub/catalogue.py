"""What is known of the image models, with dates and sources: `catalogue.toml`. Sizes are in px, width before height."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ionos_openai.errors.words import Brief

Basis: TypeAlias = Literal["DOC", "REC", "CODE"]
"""How a fact is known: an official page, a recorded answer, or a client's code that is believed to run."""

ImageModelName: TypeAlias = (
    Literal[
        "black-forest-labs/FLUX.1-schnell",
        "black-forest-labs/FLUX.2-klein-4B",
        "stabilityai/stable-diffusion-xl-base-1.0",
    ]
    | str
)
"""An image model's id or a short name for it; new ids work without a new version of this package."""

DEFAULT_IMAGE_MODEL = "black-forest-labs/FLUX.1-schnell"
DEFAULT_EDIT_MODEL = "black-forest-labs/FLUX.2-klein-4B"


class DefaultSize(str):
    """A size that nobody chose, so that an aspect ratio may take its place."""

    __slots__ = ()


DEFAULT_SIZE = DefaultSize("1024x1024")

# Source: OpenAI's deprecations page, as of 2026-11.
OPENAI_RETIRED = {"dall-e-2": "2026-05-12", "dall-e-3": "2026-05-12", "gpt-image-1": "2026-10-23"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from, and when it was last seen there."""

    page: str
    seen: date
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """The sizes that a model makes. One whose source is only CODE is warned about, never enforced."""

    choices: tuple[str, ...] = ()  # the allowed sizes, such as "1024x1024"; empty where the rule is a range
    multiple_of: int = 1  # what each side is a multiple of, in px
    minimum: int = 1  # the shortest side, in px
    maximum: int | None = None  # the longest side, in px; None where no limit is known
    source: Source

    @property
    def is_official(self) -> bool:
        """Whether the service itself says so."""
        return self.source.basis != "CODE"

    def allows(self, width: int, height: int) -> bool:
        """Tell whether `width` x `height` px fits the rule."""
        if self.choices:
            return f"{width}x{height}" in self.choices
        sides = (width, height)
        return all(not side % self.multiple_of and self.minimum <= side <= (self.maximum or side) for side in sides)

    def describe(self) -> str:
        """Return the rule as a phrase, such as "1024x1024 or 1024x1792"."""
        if self.choices:
            return " or ".join(self.choices)
        limit = f" to {self.maximum}" if self.maximum else " upwards"
        return f"sides that are multiples of {self.multiple_of}, {self.minimum}{limit} px"


def show_amount(amount: Decimal, currency: str) -> str:
    """Return "12.80 USD" or "0.032 USD": in cents, where it is less than 1 with all that it has."""
    cents = f"{amount:.2f}"
    return f"{cents if abs(amount) >= 1 or Decimal(cents) == amount else f'{amount.normalize():f}'} {currency}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Money(Brief):
    """An amount in a currency, without tax."""

    amount: Decimal
    currency: str

    def times(self, number: int) -> Money:
        """Return so many times the amount."""
        return Money(amount=self.amount * number, currency=self.currency)

    def facts(self) -> dict[str, str]:
        """Return it as records and documents have it: {"amount": "0.032", "currency": "USD"}."""
        return {"amount": f"{self.amount:f}", "currency": self.currency}

    def __str__(self) -> str:
        """Return it as "0.032 USD", from 1 upwards in cents."""
        return show_amount(self.amount, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Price(Money):
    """What one image costs, without tax."""

    source: Source


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImageModel(Brief):
    """A model that makes images.

    `id` is what to send as `model`, `name` its last part, and `reason` why it counts as one. What the catalogue does
    not know is None or empty: what it is for, whether it takes pictures as input, the sizes it makes, the licence of
    its weights, what an image costs, and the longest prompt that it reads, in what are likely tokens. `retired` models
    are in the service's lists no longer; `sources` say where these facts come from, with dates.
    """

    id: str
    name: str
    purpose: str = ""
    reason: Literal["catalogue", "name pattern", "its mode"]
    can_edit: bool | None = None
    size_rule: SizeRule | None = None
    licence: str | None = None
    price: Price | None = None
    prompt_limit: int | None = None
    retired: bool = False
    sources: tuple[Source, ...] = ()

    def __str__(self) -> str:
        """Return it as a phrase: "FLUX.1-schnell: artistic, stylised images from text, 0.032 USD"."""
        price = "price not known" if self.price is None else str(self.price)
        return f"{self.name}: {self.purpose or 'not in the catalogue'}, {'retired' if self.retired else price}"


def _known_model(row: dict[str, Any]) -> ImageModel:
    """Return the model of which a row of `catalogue.toml` tells."""
    facts = {**row, "name": row["id"].rpartition("/")[2], "sources": tuple(Source(**seen) for seen in row["sources"])}
    if rule := row.get("size_rule"):
        choices = tuple(rule.get("choices", ()))
        facts["size_rule"] = SizeRule(**{**rule, "choices": choices, "source": Source(**rule["source"])})
    if price := row.get("price"):
        facts["price"] = Price(**{**price, "amount": Decimal(price["amount"]), "source": Source(**price["source"])})
    return ImageModel(reason="catalogue", **facts)


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["models"]
CATALOGUE: tuple[ImageModel, ...] = tuple(map(_known_model, _ROWS))
