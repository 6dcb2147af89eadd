"""The image models: a dated catalogue of what is known of them, and discovery of what the service offers.

The service's model list says nothing of what a model does, so a model counts as one that makes images where the
catalogue has it, or where its name is that of a known family. Sizes are in pixels, width before height.
"""

from __future__ import annotations

import difflib
import functools
import html
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from ionos_openai import errors
from ionos_openai.errors.loading import lazy
from ionos_openai.errors.numbers import whole_number
from ionos_openai.hub.catalogue import CATALOGUE, OPENAI_RETIRED, ImageModel, Price, SizeRule

__getattr__ = lazy(__name__, "ionos_openai.hub.offers")  # which loads the SDK

_OPENAI_MODEL = re.compile(r"(dall-e|gpt-image|chatgpt-image)\b", re.IGNORECASE)

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, which cannot be encoded
_LONGEST_SIDE = 16_384  # px; no image model comes near it, so that more is a slip of the pen


class Cost(Price):
    """What some images cost, by the published price of one, without tax.

    Attributes:
        amount: For all of them together.
        currency: Its code, such as "USD".
        source: Where the price comes from, and its date (`source.seen`).
    """

    __slots__ = ()


class ModelList(list[ImageModel]):
    """A list of models that a notebook shows as a table. In all else it is a list."""

    def _repr_html_(self) -> str:
        sizes = {model.id: model.size_rule.describe() if model.size_rule else "" for model in self}
        rows = [(model.id, model.purpose, sizes[model.id], str(model.price or "")) for model in self]
        lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
        return f"<table>{_HEAD}<tr>{'</tr><tr>'.join(lines)}</tr></table>"


_HEAD = "<tr><th>model</th><th>purpose</th><th>sizes, px</th><th>price, without tax</th></tr>"
_NICKNAMES = {"sdxl": "stable-diffusion-xl"}

# Families whose every member makes pictures, by the name's last part. "-image" alone covers Qwen-Image,
# GLM-Image, HunyuanImage and what else calls itself so.
_MAKES_IMAGES = re.compile(
    r"^(flux|stable-?diffusion|sdxl|sd-?[1-9]|sd-turbo|dall-?e|imagen(?!et)|pixart|kandinsky|kolors|playground-v|"
    r"hidream|sana(?![a-z])|lumina|auraflow|wuerstchen|stable-cascade|deepfloyd|recraft|ideogram|seedream|cogview|"
    r"omnigen|qwen-?image|z-image|janus(?!coder))|(^|[-_.])t2i([-_.]|$)|image(-edit|-turbo|[-_.]?\d|$)|text-?to-?image",
    re.IGNORECASE,
)
# What reads pictures or works on them without making any.
_MAKES_NONE = re.compile(
    r"embed|rerank|ocr|caption|classif|detect|segment|retriev|(^|[-_])vl([-_\d]|$)|vision|clip|siglip|guard|"
    r"safety|prompt|video|(^|[-_.])vae([-_.]|$)|image-?(to|2)-?text|-migration$",
    re.IGNORECASE,
)

# As LiteLLM's lists say it.
_IMAGE_MODES = ("image_generation", "image_edit")


def select_image_models(entries: Iterable[object]) -> list[ImageModel]:
    """Filter entries of a model list to the models that make images, in the catalogue's order, then by name.

    The entries are the `data` of `GET /v1/models`: the SDK's `Model` objects, or anything with an `id`. Those without a
    usable id are passed over. What a gateway's list says of a model's `mode` counts before its name.
    """
    offered = {
        identifier: _field(entry, "mode") or _field(_field(entry, "model_info"), "mode")
        for entry in entries
        if isinstance(identifier := _field(entry, "id"), str)
    }
    known = [model for model in CATALOGUE if model.id in offered]
    others = [
        ImageModel(id=identifier, name=identifier.rpartition("/")[2], reason="its mode" if mode else "name pattern")
        for identifier, mode in offered.items()
        if find_model(identifier) is None and (mode in _IMAGE_MODES if mode else makes_images(identifier))
    ]
    return ModelList([*known, *sorted(others, key=lambda model: model.name.lower())])


def _field(entry: object, name: str) -> object:
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name, None)


def makes_images(identifier: str) -> bool:
    """Tell from a model's id alone whether it belongs to a family that makes images."""
    name = identifier.rpartition("/")[2]
    return bool(_MAKES_IMAGES.search(name)) and not _MAKES_NONE.search(name)


def find_model(identifier: str) -> ImageModel | None:
    """Return the catalogue's entry for exactly this id, or None."""
    return next((model for model in CATALOGUE if model.id == identifier), None)


def is_openai_model(name: object) -> bool:
    """Tell whether `name` is that of one of OpenAI's own image models."""
    return isinstance(name, str) and bool(_OPENAI_MODEL.match(name.strip()))


def retired_by_openai(name: str) -> str:
    """Return ", which OpenAI retired on 2026-05-12" or the like; "" where no such date is known."""
    retired = OPENAI_RETIRED.get(name.strip().lower())
    return f", which OpenAI retired on {retired}" if retired else ""


def resolve_model(name: str, candidates: Iterable[str] | None = None) -> str:
    """Turn an id or a short name ("flux.1", "FLUX.1-schnell", "sdxl"), in any case, into the id to send.

    A name with a slash is an id and stays as it is: the service may have models that nobody here knows. The others are
    short for one of the candidates, by default the catalogue's ids.

    Raises:
        UnknownModelError: It is no text that can be sent, no candidate fits, or several do; `.candidates` lists them.
    """
    offered = [model.id for model in CATALOGUE if not model.retired] if candidates is None else list(candidates)
    if problem := _no_name(name):
        raise errors.UnknownModelError(f"The model {problem}: name one, such as FLUX.1-schnell.", candidates=offered)
    wanted = name.strip().lower()
    ids = [model.id for model in CATALOGUE] if candidates is None else list(candidates)
    exact = [known for known in ids if wanted in (known.lower(), known.lower().rpartition("/")[2])]
    if len(exact) == 1:
        return exact[0]
    if "/" in wanted:
        return name.strip()
    wanted = _NICKNAMES.get(wanted, wanted)
    matches = exact or [known for known in ids if _is_short_for(wanted, known)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise errors.UnknownModelError(
            f"The model name {name!r} fits several models: {', '.join(matches)}. Write one of them in full.",
            candidates=matches,
        )
    raise errors.UnknownModelError(_no_match(name, offered), candidates=offered)


def model_to_send(name: object, url: object = None, *, verbatim: bool = False) -> str:
    """Return the id to send to the service at `url`, by default IONOS' own, as `resolve_model` does.

    Where the host is none of ionos.com, a name that nobody knows may be an alias of a gateway's, and stays as it is;
    with `verbatim` it does anywhere, also where it is OpenAI's.

    Raises:
        UnknownModelError: As from `resolve_model`.
    """
    try:
        return resolve_model(name)  # type: ignore[arg-type]  # what is no text is refused there
    except errors.UnknownModelError:
        from ionos_openai.hub.credentials import is_ionos_host  # which loads the SDK

        is_ours = url is None or is_ionos_host(urlsplit(str(url)).hostname or "")
        if not isinstance(name, str) or _no_name(name) or not (verbatim or not (is_ours or is_openai_model(name))):
            raise
        return name.strip()


def naming_for(client: object) -> Callable[[object], str]:
    """Return `model_to_send` for any client of the SDK's; one with compat="off" sends any name."""
    verbatim = getattr(getattr(client, "ionos_settings", None), "compat", None) == "off"
    return functools.partial(model_to_send, url=getattr(client, "base_url", ""), verbatim=verbatim)


def _no_name(name: object) -> str:
    if not isinstance(name, str):
        return f"is {type(name).__name__}, not text"
    if not name.strip():
        return "is empty"
    return "is no valid text" if _LONE_SURROGATE.search(name) else ""


def _no_match(name: str, offered: list[str]) -> str:
    if is_openai_model(name):
        return (
            f"The model {name!r} is OpenAI's{retired_by_openai(name)}: leave the model out, or name one of IONOS': "
            f"{', '.join(offered)}."
        )
    hint = suggest_model(name, offered)
    return (
        f"No image model fits the name {name!r}. {f'Did you mean {hint}? ' if hint else ''}"
        f"Known: {', '.join(offered)}. A model that is not among them is named with its full id (vendor/name)."
    )


def suggest_model(name: str, candidates: Iterable[str] | None = None) -> str | None:
    """Return the known image model whose id looks most like `name`, or None where none does."""
    ids = [model.id for model in CATALOGUE if not model.retired] if candidates is None else list(candidates)
    spellings = {part: known for known in ids for part in (known.lower(), known.lower().rpartition("/")[2])}
    close = difflib.get_close_matches(name.lower(), spellings, n=1, cutoff=0.5)
    return spellings[close[0]] if close else None


def _is_short_for(wanted: str, identifier: str) -> bool:
    """Whether `wanted` stands at the start of a part of the id's last part: "flux.1", "schnell", "klein"."""
    name = identifier.lower().rpartition("/")[2]
    return bool(re.search(rf"(?:^|[-_.]){re.escape(wanted)}(?:$|[-_.])", name))


def estimate_cost(model: str, images: int) -> Cost | None:
    """Estimate what images cost, from the catalogue's dated prices; nothing is asked.

    Args:
        model: A model's id, or a short name for it.
        images: How many, from 0.

    Returns:
        The cost of all of them; None where the model or its price is not known.

    Raises:
        InvalidRequestError: `images` is negative, or no whole number.
    """
    number = whole_number(images)
    if number is None or number < 0:
        raise errors.InvalidRequestError(f"images is {images!r}: it must be a whole number from 0.")
    try:
        known = find_model(resolve_model(model))
    except errors.UnknownModelError:
        return None
    if known is None or known.price is None:
        return None
    price = known.price
    return Cost(amount=price.amount * number, currency=price.currency, source=price.source)


def parse_size(size: str) -> tuple[int, int]:
    """Read "1024x1792" as (1024, 1792), in px.

    Raises:
        InvalidRequestError: It is not two whole numbers from 1 to 16384 with an x between them.
    """
    match = re.fullmatch(r"\s*([1-9]\d{0,4})\s*[xX]\s*([1-9]\d{0,4})\s*", size) if isinstance(size, str) else None
    if not match or max(int(match[1]), int(match[2])) > _LONGEST_SIDE:
        raise errors.InvalidRequestError(
            f"The size {size!r} cannot be used: write WIDTHxHEIGHT in pixels, such as '1024x1024', each side from 1 to "
            f"{_LONGEST_SIDE}."
        )
    return int(match[1]), int(match[2])


def check_size(size: str, model: str) -> str | None:
    """Hold a size against the model's rule.

    Args:
        size: "WIDTHxHEIGHT" in px.
        model: The model's full id; one that the catalogue does not know has no rule.

    Returns:
        None where the size fits or no rule is known, else a warning's text: the rule is known from a client's
        code alone, so that the size may work.

    Raises:
        InvalidRequestError: The size cannot be read, or breaks an official rule.
    """
    width, height = parse_size(size)
    broken = broken_rule(model, width, height)
    if broken is None:
        return None
    rule, makes = broken
    message = f"{makes}, not {width}x{height}"
    if not rule.is_official:
        return f"{message}, as far as is known; the service may refuse it."
    raise errors.InvalidRequestError(
        f"{message} (source: {rule.source.page}, {rule.source.seen:%Y-%m}). Choose one of them."
    )


def broken_rule(model: str, width: int, height: int) -> tuple[SizeRule, str] | None:
    """Return the rule that a size in px breaks, and what the model makes as a phrase; None where it breaks none."""
    known = find_model(model)
    rule = known.size_rule if known else None
    if known is None or rule is None or rule.allows(width, height):
        return None
    return rule, f"{known.name} makes {rule.describe()}"
