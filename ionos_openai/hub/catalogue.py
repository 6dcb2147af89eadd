"""The catalogue: what is known of the image models, with dates and sources. Sizes are in px, width before height."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

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
DEFAULT_SIZE = "".join(("1024x", "1024"))  # an object of its own: who writes the same size has chosen it


# Source: OpenAI's deprecations page, as of 2026-11.
OPENAI_RETIRED = {"dall-e-2": "2026-05-12", "dall-e-3": "2026-05-12", "gpt-image-1": "2026-10-23"}
_DOCS = "https://docs.ionos.com/cloud/ai/ai-model-hub"
_SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a fact comes from, and when it was last seen there."""

    page: str
    seen: date
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """The sizes that a model makes.

    Attributes:
        choices: The allowed sizes, such as `("1024x1024",)`; empty where the rule is a range.
        multiple_of: Each side is a multiple of this, in px.
        minimum: The shortest side allowed, in px.
        maximum: The longest side allowed, in px; None where no limit is known.
        source: Where the rule comes from. A rule whose basis is only CODE is warned about, never enforced.
    """

    choices: tuple[str, ...] = ()
    multiple_of: int = 1
    minimum: int = 1
    maximum: int | None = None
    source: Source

    @property
    def is_official(self) -> bool:
        """Whether the rule comes from the service itself, and not only from a client's code."""
        return self.source.basis != "CODE"

    def allows(self, width: int, height: int) -> bool:
        """Tell whether `width` x `height` px fits the rule."""
        if self.choices:
            return f"{width}x{height}" in self.choices
        return all(
            side % self.multiple_of == 0 and self.minimum <= side <= (self.maximum or side) for side in (width, height)
        )

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
class Price(Brief):
    """What one image costs, without tax."""

    amount: Decimal
    currency: str
    source: Source

    def __str__(self) -> str:
        """Return amount and currency: "0.032 USD"."""
        return show_amount(self.amount, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImageModel(Brief):
    """A model that makes images.

    Attributes:
        id: The id to send as `model`.
        name: The id's last part, for people.
        purpose: What it is for, in a phrase; empty for a model that the catalogue does not know.
        reason: Why it counts as an image model: "catalogue", "name pattern", or "its mode" as a gateway's list has it.
        can_edit: Whether it takes pictures as input; None where unknown.
        size_rule: The sizes it makes; None where unknown.
        licence: The licence of its weights; None where unknown.
        price: What an image costs; None where unknown.
        prompt_limit: The longest prompt that it reads, in what are likely tokens; None where unknown.
        retired: Whether the service's lists no longer have it.
        sources: Where these facts come from, with dates.
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


_AUTUMN_2026 = date(2026, 11, 1)


def _sources(identifier: str, *, documented: date, recorded: date) -> tuple[Source, ...]:
    """Return where a model was seen: in the documentation, in the service's list, and on its page of weights."""
    return (
        Source(page=_DOCS, seen=documented, basis="DOC"),
        Source(page="recorded GET /v1/models answers", seen=recorded, basis="REC"),
        Source(page=f"https://huggingface.co/{identifier}", seen=_AUTUMN_2026, basis="DOC"),
    )


CATALOGUE: tuple[ImageModel, ...] = (
    ImageModel(
        id=DEFAULT_IMAGE_MODEL,
        name="FLUX.1-schnell",
        purpose="artistic, stylised images from text",
        reason="catalogue",
        can_edit=False,
        size_rule=SizeRule(
            choices=("1024x1024", "1024x1792", "1792x1024"), source=Source(page=_DOCS, seen=_AUTUMN_2026, basis="DOC")
        ),
        licence="Apache-2.0",
        price=Price(
            amount=Decimal("0.032"),
            currency="USD",
            source=Source(page="published by IONOS staff", seen=date(2026, 6, 2), basis="DOC"),
        ),
        prompt_limit=256,
        sources=_sources(DEFAULT_IMAGE_MODEL, documented=_AUTUMN_2026, recorded=date(2026, 8, 1)),
    ),
    ImageModel(
        id=DEFAULT_EDIT_MODEL,
        name="FLUX.2-klein-4B",
        purpose="compact; makes and edits images",
        reason="catalogue",
        can_edit=True,
        size_rule=SizeRule(
            multiple_of=16,
            minimum=64,
            maximum=2048,
            source=Source(page="a public client's code", seen=_AUTUMN_2026, basis="CODE"),
        ),
        licence="Apache-2.0",
        sources=_sources(DEFAULT_EDIT_MODEL, documented=_AUTUMN_2026, recorded=date(2026, 8, 1)),
    ),
    ImageModel(
        id=_SDXL,
        name="stable-diffusion-xl-base-1.0",
        purpose="photorealistic images from text",
        reason="catalogue",
        can_edit=False,
        licence="CreativeML Open RAIL++-M",
        retired=True,
        sources=_sources(_SDXL, documented=date(2025, 8, 1), recorded=date(2025, 8, 1)),
    ),
)
