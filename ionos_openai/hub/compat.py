"""An image request as it is written for OpenAI, made into one that IONOS takes, and the answer into OpenAI's shape.

Pure: a request in, a request and its changes out. What is known of IONOS' parameters is little, so the rule is: what
there is evidence for, or at least no evidence against and no meaning of OpenAI's own, goes through untouched; what only
OpenAI's models know is left out, and said.

Source: IONOS documentation and recorded requests, 2026-11; OpenAI's retirement dates from its deprecations page.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pybase64

from ionos_openai import errors
from ionos_openai.errors.notices import warn_once
from ionos_openai.errors.numbers import whole_number
from ionos_openai.errors.words import EMPTY_PROMPT
from ionos_openai.files.formats import MEDIA_TYPES, recognise
from ionos_openai.hub import models
from ionos_openai.hub.catalogue import DEFAULT_SIZE, DefaultSize, SizeRule

if TYPE_CHECKING:
    from openai.types import Image, ImagesResponse

CompatMode: TypeAlias = Literal["adapt", "strict", "off"]
"""What becomes of requests written for OpenAI: they are adapted with a warning, refused, or sent as they are."""

MOST_PICTURES = 100
SIZE_DOUBT = "size-doubt"
"""The kind of the one change that changes nothing: the service may refuse the size."""

# What goes through: IONOS documents these or its clients send them, or nothing is known against them.
_SENT = frozenset({"model", "prompt", "n", "size", "response_format", "output_format", "user", "seed"})
_SIDE = 1024  # of the square that has as many px as the size shall have
_ENOUGH = math.log(1.25)  # how far from that its px may be for the sake of its shape
_USUAL = (16, 64, 2048)  # where no rule is known: what each side is a multiple of, the least, the most
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")


class Change(NamedTuple):
    """One thing that is not sent as it was written: which, and what to write instead."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A request for IONOS."""

    fields: dict[str, object] = field(repr=False)  # the fields to send
    changes: tuple[Change, ...] = ()  # what was changed, and what the service may refuse
    n: int = 1  # how many pictures are wanted: as many requests of one
    wants_url: bool = False  # whether the answer is to hold data URIs in `url`
    keeps_base64: bool = False  # whether it is to hold base64 besides


def adapt_image_request(
    fields: Mapping[str, object],
    *,
    mode: Literal["adapt", "strict"],
    default_model: str,
    edits: bool = False,
    url: str | None = None,
) -> Adapted:
    """Make a request that IONOS takes out of the fields of one for OpenAI, without files; return it and its changes.

    `mode` "adapt" changes what IONOS does not know, "strict" refuses it. `default_model` is asked for OpenAI's models
    and where none is named; `edits` tells that it goes to `/images/edits`. At another `url` than IONOS' own, a gateway
    may know models by names of its own. A prompt, a model, `n` or a size that cannot work is an `InvalidRequestError`,
    `stream=True`, and in "strict" anything that would have to be changed, an `UnsupportedParameterError`.
    """
    if fields.get("stream"):
        remedy = "IONOS does not stream images: leave stream=True out."
        raise errors.UnsupportedParameterError(remedy, parameter="stream")
    check_prompt(fields.get("prompt"))
    sent = {name: value for name, value in fields.items() if name in _SENT and value is not None}
    # Of the numbers, 0 equals False and still says something.
    others = {name: value for name, value in fields.items() if name not in _SENT}
    changes = [_left_out(name, value) for name, value in others.items() if value is not None and value is not False]
    by_default = "response_format" not in sent and _had_url_by_default(fields.get("model"))
    changes += _adapt_model(sent, default_model, url, edits=edits, beside=_URL_BESIDE if by_default else "")
    changes += _adapt_size(sent)
    if wants_url := sent.get("response_format") == "url":
        sent["response_format"] = "b64_json"
        changes.append(Change("response_format", _AS_DATA_URI))
    refused = next((change for change in changes if change.kind != SIZE_DOUBT), None)
    if mode == "strict" and refused:
        would = "compat='strict' refuses this request. What compat='adapt' would do"
        raise errors.UnsupportedParameterError(f"{would}: {refused.message}", parameter=refused.kind)
    n = check_number(sent.pop("n", 1))
    return Adapted(fields=sent, changes=tuple(changes), n=n, wants_url=wants_url or by_default, keeps_base64=by_default)


def check_prompt(prompt: object) -> None:
    """Refuse what is no text, empty, or cannot be encoded, with an `InvalidRequestError`."""
    if not isinstance(prompt, str):
        remedy = " For several prompts call generate_batch(client, prompts, directory)." * isinstance(prompt, Iterable)
        raise errors.InvalidRequestError(f"The prompt is {type(prompt).__name__}, not text.{remedy}")
    if not prompt.strip():
        raise errors.InvalidRequestError(EMPTY_PROMPT)
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        what = f"{prompt[error.start]!r}, half of a character, which cannot be sent"
        remedy = "read or decode the text with its right encoding"
        raise errors.InvalidRequestError(f"The prompt holds {what}: {remedy}.") from None


def check_number(n: object) -> int:
    """Return `n` if so many pictures can be asked for at once; else it is an `InvalidRequestError`."""
    number = whole_number(n)
    if number is None or not 1 <= number <= MOST_PICTURES:
        bounds = f"it must be a whole number from 1 to {MOST_PICTURES}"
        raise errors.InvalidRequestError(f"n is {n!r}: {bounds}. For hundreds of pictures use generate_batch.")
    return number


_AS_DATA_URI = (
    "response_format='url' is asked for as base64, and url holds a data URI: it displays in a page, but cannot be "
    "downloaded with an HTTP client. Use ionos_openai.save_images(response, directory), or b64_json."
)
_URL_BESIDE = (
    " OpenAI's answer had a URL, so url holds a data URI here, which displays in a page but cannot be downloaded; the "
    "picture is in b64_json too."
)


def _had_url_by_default(model: object) -> bool:
    """Tell whether OpenAI answered a URL for want of a `response_format`. Source: OpenAI's API reference, 2026-04."""
    return model is None or (isinstance(model, str) and model.startswith(("dall-e-2", "dall-e-3")))


def _left_out(name: str, value: object) -> Change:
    shown = repr(value) if isinstance(value, (str, int, float)) and len(repr(value)) <= 40 else "..."
    return Change(name, f"{name}={shown} is left out, since only OpenAI's models know it: remove it.")


def _adapt_model(
    sent: dict[str, object], default_model: str, url: str | None, *, edits: bool, beside: str
) -> list[Change]:
    name = sent.get("model")
    if name is not None and not models.is_openai_model(name):
        sent["model"] = models.model_to_send(name, url)
        return []
    sent["model"] = default_model
    variable = "IONOS_IMAGE_EDIT_MODEL" if edits else "IONOS_IMAGE_MODEL"
    asked = f"model={name!r} is OpenAI's{models.retired_by_openai(str(name))}: {default_model} is asked instead."
    asked = f"No model is named, so {default_model} is asked." if name is None else asked
    return [Change("model", f"{asked} Write model={default_model!r}; {variable} sets another default.{beside}")]


def _adapt_size(sent: dict[str, object]) -> list[Change]:
    size, model = sent.get("size"), str(sent["model"])
    if size is None:
        return []
    if size == "auto":
        sent["size"] = DEFAULT_SIZE
        return [Change("size", f"size='auto' becomes {DEFAULT_SIZE}: write size={DEFAULT_SIZE!r}.")]
    width, height = models.parse_size(size)  # type: ignore[arg-type]  # what is no text is refused there
    sent["size"] = size = f"{width}x{height}"
    if (broken := models.broken_rule(model, width, height)) is None:
        return []
    rule, makes = broken
    if not rule.is_official:
        return [Change(SIZE_DOUBT, models.check_size(size, model) or "")]
    sent["size"] = nearest = nearest_size(width, height, rule)
    return [Change("size", f"{makes}, so {size} becomes {nearest}: write size={nearest!r}.")]


def nearest_size(width: int, height: int, rule: SizeRule) -> str:
    """Return the choice of `rule` that is nearest to `width` x `height` px, of the same orientation if there is one."""

    def distance(choice: str) -> tuple[bool, float]:
        across, down = models.parse_size(choice)
        turned = (across > down) != (width > height) or (across < down) != (width < height)
        shape = abs(math.log(across / down) - math.log(width / height))
        return turned, shape + abs(math.log(across * down) - math.log(width * height))

    return min(rule.choices, key=distance)


def choose_size(size: str | None, aspect_ratio: str | None, model: str) -> str | None:
    """Return the size to ask the model for: `size`, or the nearest one that it makes to a ratio such as "16:9".

    One that is not exactly of the ratio is an `IonosWarning`; both, or what cannot be read, an `InvalidRequestError`.
    """
    if aspect_ratio is None:
        with contextlib.suppress(errors.InvalidRequestError):  # it is refused with the rest of its request
            plain = size and "{}x{}".format(*models.parse_size(size))
            size = plain if plain != size else size  # the default stays the object that it is
        return size
    if size is not None and not isinstance(size, DefaultSize):
        both = f"aspect_ratio={aspect_ratio!r} and size={size!r}"
        raise errors.InvalidRequestError(f"{both} exclude each other: leave one out.")
    number = r"\s*(\d{1,4}(?:\.\d{1,4})?)\s*"
    match = re.fullmatch(f"{number}[:/]{number}", aspect_ratio) if isinstance(aspect_ratio, str) else None
    if match is None or not float(match[1]) or not float(match[2]):
        problem = f"The aspect ratio {aspect_ratio!r} cannot be read"
        raise errors.InvalidRequestError(f"{problem}: write WIDTH:HEIGHT, as in '16:9'.")
    ratio = float(match[1]) / float(match[2])
    known = models.find_model(model)
    rule = known.size_rule if known else None
    chosen = _nearest(ratio, rule)
    width, height = models.parse_size(chosen)
    if not math.isclose(width / height, ratio):
        makes = f"{known.name} makes {rule.describe()}" if known and rule else f"The sizes of {model} are not known"
        message = f"{makes}, so {match[0].strip()} is asked for as {chosen}."
        warn_once(f"aspect_ratio {model}", message, errors.IonosWarning)
    return chosen


def _nearest(ratio: float, rule: SizeRule | None) -> str:
    if rule is not None and rule.choices:
        width = _SIDE * math.sqrt(ratio)
        return nearest_size(round(width) or 1, round(width / ratio) or 1, rule)
    step, least, most = (rule.multiple_of, rule.minimum, rule.maximum or _USUAL[2]) if rule else _USUAL

    def distance(sides: tuple[int, int]) -> tuple[bool, float, float]:
        width, height = sides
        area = abs(math.log(width * height) - 2 * math.log(_SIDE))
        return area > _ENOUGH, abs(math.log(width / height) - math.log(ratio)), area

    allowed = range(math.ceil(least / step) * step, most + 1, step)
    fitting = [(width, min(allowed, key=lambda height: abs(height - width / ratio))) for width in allowed]
    return "{}x{}".format(*min(fitting, key=distance))


def shape_answer(response: ImagesResponse, *, wants_url: bool, keeps_base64: bool = False) -> ImagesResponse:
    """Bring an answer of IONOS into the shape that code written for OpenAI reads, in place.

    `created` is now where the answer has none; `usage` has OpenAI's token counts too, zeros where the answer has none;
    with `wants_url`, each picture stands in `url` as a data URI, and in `b64_json` only with `keeps_base64`.
    """
    if not isinstance(getattr(response, "created", None), int):
        response.created = int(time.time())
    _set_usage(response, _counts(response))
    for item in _items(response) if wants_url else ():
        with contextlib.suppress(ValueError):  # no picture
            kind = recognise(pybase64.b64decode(item.b64_json or "", validate=True)).format
            item.url = f"data:{MEDIA_TYPES[kind]};base64,{item.b64_json}"
            item.b64_json = item.b64_json if keeps_base64 else None
    return response


def merge_answers(responses: Sequence[ImagesResponse]) -> ImagesResponse:
    """Merge the answers to several requests for one picture each, in order, into one; usage is summed."""
    from openai.types import ImagesResponse

    merged = ImagesResponse.construct(
        created=responses[0].created, data=[item for response in responses for item in _items(response)]
    )
    for response in responses:  # what a gateway says in place of a picture
        for name, value in (response.model_extra or {}).items() if not _items(response) else ():
            setattr(merged, name, value)
    each = [_counts(response) for response in responses]
    _set_usage(merged, {name: sum(counts[name] for counts in each) for name in _COUNTS})
    return merged


def _items(response: ImagesResponse) -> list[Image]:
    """Return the items of an answer, of which the SDK checks nothing."""
    data: object = response.data
    return [item for item in data if hasattr(item, "b64_json")] if isinstance(data, list) else []


def _counts(response: ImagesResponse) -> dict[str, int]:
    """Return every token count of an answer's usage; what is missing or no number counts as 0."""
    usage: Any = getattr(response, "usage", None)
    if not isinstance(usage, Mapping):
        usage = usage.model_dump() if hasattr(usage, "model_dump") else {}
    counts = {name: usage[name] if isinstance(usage.get(name), int) else 0 for name in _COUNTS}
    counts["input_tokens"] = counts["input_tokens"] or counts["prompt_tokens"]
    counts["output_tokens"] = counts["output_tokens"] or counts["completion_tokens"]
    return counts


def _set_usage(response: ImagesResponse, counts: Mapping[str, int]) -> None:
    from openai.types import images_response

    none = {"image_tokens": 0, "text_tokens": 0}
    details = {"input_tokens_details": {**none, "text_tokens": counts["input_tokens"]}, "output_tokens_details": none}
    # Before openai 1.76 an answer for images had no usage but what the service sent.
    usage_class = getattr(images_response, "Usage", None)
    usage: Any = usage_class.construct(**details, **counts) if usage_class else dict(counts)
    response.usage = usage
