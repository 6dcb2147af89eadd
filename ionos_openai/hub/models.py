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
from typing import Any
from urllib.parse import urlsplit

from ionos_openai import errors
from ionos_openai.errors.numbers import whole_number
from ionos_openai.hub.answers import read_field
from ionos_openai.hub.catalogue import CATALOGUE, OPENAI_RETIRED, ImageModel, Price, SizeRule

_OPENAI_MODEL = re.compile(r"(dall-e|gpt-image|chatgpt-image)\b", re.IGNORECASE)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, which cannot be encoded
_LONGEST_SIDE = 16_384  # px; no image model comes near it, so that more is a slip of the pen


class Cost(Price):
    """What some images cost together, by the published price of one, without tax; `source` says where it comes from."""

    __slots__ = ()


class ModelList(list[ImageModel]):
    """A list of models that a notebook shows as a table. In all else it is a list."""

    def _repr_html_(self) -> str:
        rules = {model.id: model.size_rule and model.size_rule.describe() for model in self}
        rows = [(model.id, model.purpose, rules[model.id] or "", str(model.price or "")) for model in self]
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
_IMAGE_MODES = ("image_generation", "image_edit")  # as LiteLLM's lists say it
_IDS = [model.id for model in CATALOGUE]
_OFFERED = [model.id for model in CATALOGUE if not model.retired]


def select_image_models(entries: object) -> list[ImageModel]:
    """Filter the `data` of `GET /v1/models` to the models that make images, in the catalogue's order, then by name.

    An entry is the SDK's `Model`, or anything with an `id`; what is none is passed over, for the SDK checks no shape.
    What the list of a gateway says of a model's `mode` counts before its name.
    """
    offered = {
        identifier: read_field(entry, "mode") or read_field(read_field(entry, "model_info"), "mode")
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(identifier := read_field(entry, "id"), str)
    }
    known = [model for model in CATALOGUE if model.id in offered]
    others = [
        ImageModel(id=identifier, name=identifier.rpartition("/")[2], reason="its mode" if mode else "name pattern")
        for identifier, mode in offered.items()
        if find_model(identifier) is None and (mode in _IMAGE_MODES if mode else makes_images(identifier))
    ]
    return ModelList([*known, *sorted(others, key=lambda model: model.name.lower())])


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
    short for one of the candidates, by default the catalogue's ids. Where not exactly one fits, or it is no text that
    can be sent, it is an `UnknownModelError`, whose `.candidates` lists them.
    """
    offered, ids = (_OFFERED, _IDS) if candidates is None else (list(candidates),) * 2
    name = _named(name)
    if problem := _no_name(name):
        raise errors.UnknownModelError(f"The model {problem}: name one, such as FLUX.1-schnell.", candidates=offered)
    wanted = name.strip().lower()
    exact = [known for known in ids if wanted in (known.lower(), _last_part(known))]
    if len(exact) != 1 and "/" in wanted:
        return name.strip()
    # It stands for a part of the id's last part: "flux.1", "schnell", "klein".
    short = re.compile(rf"(?:^|[-_.]){re.escape(_NICKNAMES.get(wanted, wanted))}(?:$|[-_.])")
    matches = exact or [known for known in ids if short.search(_last_part(known))]
    if len(matches) == 1:
        return matches[0]
    problem = f"The model name {name!r} fits several models: {', '.join(matches)}. Write one of them in full."
    raise errors.UnknownModelError(problem if matches else _no_match(name, offered), candidates=matches or offered)


def model_to_send(name: object, url: object = None, *, verbatim: bool = False) -> str:
    """Return the id to send to the service at `url`, by default IONOS' own, as `resolve_model` does.

    Where the host is none of ionos.com, a name that nobody knows may be an alias of a gateway's, and stays as it is;
    with `verbatim` it does anywhere, also where it is OpenAI's.
    """
    wanted = _named(name)
    try:
        return resolve_model(wanted)
    except errors.UnknownModelError:
        from ionos_openai.hub.credentials import is_ionos_host  # which loads the SDK

        is_ours = url is None or is_ionos_host(urlsplit(str(url)).hostname or "")
        if _no_name(wanted) or not (verbatim or not (is_ours or is_openai_model(wanted))):
            raise
        return str(wanted).strip()


def naming_for(client: object) -> Callable[[object], str]:
    """Return `model_to_send` for any client of the SDK's; one with compat="off" sends any name."""
    verbatim = getattr(getattr(client, "ionos_settings", None), "compat", None) == "off"
    return functools.partial(model_to_send, url=getattr(client, "base_url", ""), verbatim=verbatim)


def _named(model: Any) -> Any:
    """Return the id of an entry of a list of models, the SDK's or ours; anything else as it is."""
    return identifier if isinstance(identifier := read_field(model, "id"), str) else model


def _no_name(name: object) -> str:
    if not isinstance(name, str):
        return f"is {type(name).__name__}, not text"
    if not name.strip():
        return "is empty"
    return "is no valid text" if _LONE_SURROGATE.search(name) else ""


def _no_match(name: str, offered: list[str]) -> str:
    known = ", ".join(offered)
    if is_openai_model(name):
        whose = f"{name!r} is OpenAI's{retired_by_openai(name)}"
        return f"The model {whose}: leave the model out, or name one of IONOS': {known}."
    hint = suggest_model(name, offered)
    return (
        f"No image model fits the name {name!r}. {f'Did you mean {hint}? ' if hint else ''}"
        f"Known: {known}. A model that is not among them is named with its full id (vendor/name)."
    )


def suggest_model(name: str, candidates: Iterable[str] = _OFFERED) -> str | None:
    """Return the known image model whose id looks most like `name`, or None where none does."""
    spellings = {part: known for known in candidates for part in (known.lower(), _last_part(known))}
    close = difflib.get_close_matches(name.lower(), spellings, n=1, cutoff=0.5)
    return spellings[close[0]] if close else None


def _last_part(identifier: str) -> str:
    return identifier.lower().rpartition("/")[2]


def estimate_cost(model: str, images: int) -> Cost | None:
    """Estimate what so many images of a model (its id, or a short name) cost, from the catalogue's dated prices.

    It is None where the model or its price is not known; nothing is asked. `images` that are negative, or no whole
    number, are an `InvalidRequestError`.
    """
    number = whole_number(images)
    if number is None or number < 0:
        raise errors.InvalidRequestError(f"images is {images!r}: it must be a whole number from 0.")
    try:
        known = find_model(resolve_model(model))
    except errors.UnknownModelError:
        return None
    price = known and known.price
    return Cost(amount=price.amount * number, currency=price.currency, source=price.source) if price else None


def parse_size(size: str) -> tuple[int, int]:
    """Read "1024x1792", also with the * of IONOS' own pages or a multiplication sign, as (1024, 1792), in px.

    What is not two whole numbers from 1 to 16384 is an `InvalidRequestError`.
    """
    side = r"\s*([1-9]\d{0,4})\s*"
    match = re.fullmatch(f"{side}[xX*\u00d7]{side}", size) if isinstance(size, str) else None
    if not match or max(int(match[1]), int(match[2])) > _LONGEST_SIDE:
        remedy = f"write WIDTHxHEIGHT in pixels, such as '1024x1024', each side from 1 to {_LONGEST_SIDE}"
        raise errors.InvalidRequestError(f"The size {size!r} cannot be used: {remedy}.")
    return int(match[1]), int(match[2])


def check_size(size: str, model: str) -> str | None:
    """Hold a size against the rule of a model, named by its full id; what breaks an official one is refused.

    Where the rule is known from a client's code alone, so that the size may work, a warning's text is returned.
    """
    width, height = parse_size(size)
    if (broken := broken_rule(model, width, height)) is None:
        return None
    rule, makes = broken
    message = f"{makes}, not {width}x{height}"
    if not rule.is_official:
        return f"{message}, as far as is known; the service may refuse it."
    source = f"{rule.source.page}, {rule.source.seen:%Y-%m}"
    raise errors.InvalidRequestError(f"{message} (source: {source}). Choose one of them.")


def broken_rule(model: str, width: int, height: int) -> tuple[SizeRule, str] | None:
    """Return the rule that a size in px breaks, and what the model makes as a phrase; None where it breaks none."""
    known = find_model(model)
    rule = known.size_rule if known else None
    if known is None or rule is None or rule.allows(width, height):
        return None
    return rule, f"{known.name} makes {rule.describe()}"
