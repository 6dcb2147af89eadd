"""How a batch is to be carried out: what the caller says, checked and put together with the client's settings."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

import openai

from ionos_openai.batch.request import ImageRequest, complete
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.client.settings import IonosSettings, load_signer, open_place, settings_of
from ionos_openai.errors import InvalidRequestError, IonosWarning
from ionos_openai.errors.notices import warn_once
from ionos_openai.errors.numbers import check_whole_number
from ionos_openai.files.buckets import Place, check_place
from ionos_openai.files.names import SavingSettings, choose_saving
from ionos_openai.hub.compat import choose_size
from ionos_openai.hub.models import naming_for, parse_size
from ionos_openai.hub.prices import Ceiling, Money, parse_ceiling, parse_prices, price_of
from ionos_openai.provenance.signing import Sign

Missing: TypeAlias = Literal["keep", "remake"]

PUT_BACK = (
    "What was recorded there would be bought again. Put the file back from a copy, or pass "
    "ignore_damaged=True (in the terminal --ignore-damaged) to buy them again."
)
"""What to do about damaged lines of a manifest."""

_UNPACED = (
    "This client is not from create_client(), so nothing keeps its requests within the contract's limits: the batch "
    "only waits after each 429. Make the client with ionos_openai.create_client()."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a batch is to be carried out: what the caller says, which `generate_batch` tells, checked and filled in."""

    directory: Place
    saving: SavingSettings
    model: str
    size: str | None
    aspect_ratio: str | None  # for requests with a model of their own and no size
    name_model: Callable[[str], str]
    concurrency: int
    max_attempts: int
    max_images: int | None
    patience: float | None = None
    missing: Missing = "keep"
    verify: bool = False
    redo: Collection[str] = ()
    only_failed: bool = False
    ignore_damaged: bool = False
    ceiling: Ceiling | None = None
    prices: Mapping[str, Money] = field(default_factory=dict)
    limits: ContractLimits | None = None

    @property
    def buys_damaged(self) -> bool:
        """Whether pictures whose record cannot be read are bought again."""
        return self.ignore_damaged or self.missing == "remake"

    def complete(self, request: str | ImageRequest) -> ImageRequest:
        """Return a request with the batch's model and size where it has none. Raises what `complete` raises."""
        return complete(
            request, model=self.model, size=self.size, aspect_ratio=self.aspect_ratio, name_model=self.name_model
        )

    def price_of(self, request: ImageRequest) -> Money | None:
        """Return what one picture of a request costs; None where that is not known."""
        return price_of(request.model or "", self.prices)


def make_plan(
    client: openai.OpenAI | openai.AsyncOpenAI,
    directory: str | os.PathLike[str],
    *,
    model: str | None,
    size: str | None,
    aspect_ratio: str | None,
    max_cost: Decimal | float | str | None,
    prices: Mapping[str, str] | None,
    provenance: bool | None,
    prompt_in_metadata: bool | None,
    sign: Sign | None,
    **asked: Any,
) -> Plan:
    """Check the arguments, and last of all the directory, so that a call that cannot work leaves none behind."""
    asked = _checked(**asked)
    if size is not None:
        parse_size(size)
    settings = settings_of(client)
    limits: ContractLimits | None = ContractLimits()
    if settings is None:
        warn_once("batch-unpaced", _UNPACED, IonosWarning)
        settings = IonosSettings()
    else:
        pacing = getattr(client, "ionos_pacing", None)  # none for a client that is not paced, such as the sandbox's
        limits = None if pacing is None else pacing.limits
    saving = choose_saving(settings, provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
    name_model = naming_for(client)
    chosen = settings.image_model if model is None else name_model(model)
    plan = Plan(
        directory=open_place(directory),
        saving=replace(saving, sign=saving.sign and load_signer(saving.sign, settings)),
        model=chosen,
        size=choose_size(size, aspect_ratio, chosen),
        aspect_ratio=aspect_ratio,
        name_model=name_model,
        ceiling=None if max_cost is None else parse_ceiling(max_cost),
        prices=parse_prices(settings.prices if prices is None else prices, client.base_url),
        limits=limits,
        **asked,
    )
    check_place(plan.directory)
    return plan


def _checked(**asked: Any) -> dict[str, Any]:
    if asked["patience"] is not None and not 0 <= asked["patience"] < math.inf:
        raise InvalidRequestError(f"patience={asked['patience']} must be a number of seconds from 0.")
    if asked["missing"] not in get_args(Missing):
        known = " or ".join(get_args(Missing))
        raise InvalidRequestError(f"missing={asked['missing']!r} is not known: choose {known}.")
    if asked["max_images"] is not None:
        asked["max_images"] = check_whole_number("max_images", asked["max_images"], least=0)
    numbers = {
        name: check_whole_number(name, asked[name], least=1, most=100) for name in ("concurrency", "max_attempts")
    }
    return asked | numbers
