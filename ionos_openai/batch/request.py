"""One prompt of a batch: what it asks for, whether that can work, and what it is known by."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any

from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.numbers import is_whole_number, whole_number
from ionos_openai.files.names import choose_format, clean_name
from ionos_openai.hub.compat import check_number, check_prompt, choose_size
from ionos_openai.hub.models import check_size, resolve_model

# Made once: `json.dumps` would make it anew for each of 100,000 requests.
_encode = json.JSONEncoder(sort_keys=True, default=repr).encode
_ASKED = ("prompt", "model", "size", "n", "name", "seed")
_asked = attrgetter(*_ASKED)
TEXTS = ("prompt", "model", "size", "aspect_ratio", "name")
NUMBERS = ("n", "seed")
_AS_ROWS = ("to_dicts()", "to_pylist()", 'to_dict("records")')  # of polars, PyArrow and pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One prompt of a batch.

    Attributes:
        prompt: What the picture shows.
        model: An id or a short name; None means the batch's.
        size: "WIDTHxHEIGHT" in px; None means the batch's.
        aspect_ratio: "16:9" or the like, in place of `size`: the nearest size that the model makes.
        n: How many pictures, 1 to 100; each is a request and is billed.
        name: The files' name, by default made from the prompt; one in .png, .jpg or .webp asks for that format.
        seed: Sent as it is; whether the service honours it is not known.
        extra: Further fields of the request, sent as they are; JSON values.
        metadata: Columns of your own, such as a customer or a sku; they go into the manifest and are never sent.
    """

    prompt: str
    model: str | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    n: int = 1
    name: str | None = None
    seed: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)


def check_source(requests: Any) -> Iterable[Any]:
    """Return what has requests in it; refuse one text, a mapping and a table, which give letters, keys and columns."""
    if isinstance(requests, str):
        problem = "one text: pass a list of prompts, such as [prompt]"
    elif isinstance(requests, Mapping):
        named = "[ImageRequest(prompt=prompt, name=name) for name, prompt in prompts.items()]"
        problem = f"one mapping: pass its prompts, list(prompts.values()), or {named}"
    elif hasattr(requests, "columns"):
        rows = next((call for call in _AS_ROWS if hasattr(requests, call.partition("(")[0])), _AS_ROWS[-1])
        problem = f"a table: pass its rows, table.{rows}"
    elif isinstance(requests, Iterable):
        return requests
    else:
        problem = f"{type(requests).__name__}: pass a list of prompts"
    raise InvalidRequestError(f"The requests are {problem}.")


def read_row(row: Mapping[str, Any], labels: Mapping[str, str] | None = None, n: int = 1) -> ImageRequest:
    """Return the request of a row of a table; columns that a request has no place for are its metadata.

    None, a blank text and NaN are no value; `labels` are further metadata, behind the row's own; `n` counts where the
    row says nothing. An InvalidRequestError where a value is of the wrong kind.
    """
    row = {str(key): value for key, value in row.items() if not _is_blank(value)}
    for name in TEXTS:
        if not isinstance(row.get(name, ""), str):
            raise InvalidRequestError(f"{name} is no text.")
    known: dict[str, Any] = {name: row[name].strip() for name in TEXTS if name in row}
    known |= {name: _number(name, row[name]) for name in NUMBERS if name in row}
    known |= {name: row[name] for name in ("extra", "metadata") if isinstance(row.get(name), dict)}
    others = {key: _plain(value) for key, value in row.items() if key not in known}
    known["metadata"] = {**(labels or {}), **known.get("metadata", {}), **others}
    return ImageRequest(**{"prompt": "", "n": n, **known})


def _is_blank(value: object) -> bool:
    try:
        return value is None or (isinstance(value, str) and not value.strip()) or bool(value != value)
    except (TypeError, ValueError) as error:  # pandas' NA raises the first one, an array the second
        return isinstance(error, TypeError)


def _plain(value: object) -> object:
    """Return a value of a table's own types as JSON has it; a date as text."""
    if isinstance(value, (str, int, float, list, dict)):
        return value
    return str(value) if (number := whole_number(value)) is None else number


def _number(name: str, value: Any) -> int:
    value = float(value) if isinstance(value, str) and re.fullmatch(r"\s*\d+\.0*\s*", value) else value  # Excel's 2.0
    is_spelled = isinstance(value, str) or (isinstance(value, float) and value.is_integer())
    with contextlib.suppress(ValueError):
        if (number := whole_number(int(value) if is_spelled else value)) is not None:
            return number
    raise InvalidRequestError(f"{name}={value!r} is no whole number.")


def complete(
    request: str | ImageRequest | Mapping[str, object],
    *,
    model: str,
    size: str | None,
    aspect_ratio: str | None = None,
    name_model: Callable[[str], str] = resolve_model,
) -> ImageRequest:
    """Return a request with the batch's model and size where it has none; an aspect ratio becomes a size.

    An InvalidRequestError where it is none, its model is not known, or it has both a size and an aspect ratio.
    """
    if isinstance(request, str):
        return ImageRequest(prompt=request, model=model, size=size)
    if isinstance(request, Mapping):
        request = read_row(request)
    if not isinstance(request, ImageRequest):
        raise InvalidRequestError(f"A request is a prompt, a dict or an ImageRequest, not {type(request).__name__}.")
    chosen = name_model(request.model) if request.model is not None else model
    if request.size is not None or request.aspect_ratio is not None:
        size = choose_size(request.size, request.aspect_ratio, chosen)
    elif aspect_ratio is not None and chosen != model:
        size = choose_size(None, aspect_ratio, chosen)
    whole = {name: whole_number(getattr(request, name)) for name in NUMBERS}
    numbers: dict[str, Any] = {name: number for name, number in whole.items() if number is not None}
    return replace(request, model=chosen, size=size, aspect_ratio=None, **numbers)


def check(request: ImageRequest) -> None:
    """Refuse what `complete` returned where it cannot work."""
    if not isinstance(request.prompt, str) or not request.prompt.strip():
        check_prompt(request.prompt)
    check_number(request.n)
    if request.size is not None:
        check_size(request.size, request.model or "")
    if request.name is not None:
        choose_format(clean_name(request.name), "JPEG", None)
    if request.seed is not None and not is_whole_number(request.seed):
        raise InvalidRequestError(f"seed={request.seed!r} is no whole number.")
    _check_json("extra", request.extra)
    _check_json("metadata", request.metadata)


def _check_json(kind: str, values: object) -> None:
    problem = None if isinstance(values, Mapping) else f"it is {type(values).__name__}, not a mapping"
    if isinstance(values, Mapping) and values:
        try:
            json.dumps(dict(values), allow_nan=False)
        except (TypeError, ValueError) as error:
            problem = str(error)
    if problem is not None:
        raise InvalidRequestError(f"{kind}= cannot be kept as JSON: {problem}. Use texts and numbers.")


def is_recordable(request: ImageRequest) -> bool:
    """Tell whether a request that `check` refused can still stand in the manifest as it is."""
    with contextlib.suppress(TypeError, ValueError):
        json.dumps([describe_request(request), dict(request.metadata)], allow_nan=False)
        return isinstance(request.prompt, str)
    return False


def describe_request(request: ImageRequest) -> dict[str, object]:
    """Return what the manifest says of a request, without its metadata."""
    return {**dict(zip(_ASKED, _asked(request), strict=True)), "extra": dict(request.extra)}


def digest(request: ImageRequest) -> str:
    """Return 24 hexadecimal digits that stand for what is asked, and under which name; metadata does not count."""
    if request.extra:
        _check_json("extra", request.extra)
    try:
        asked = _encode((*_asked(request), dict(request.extra) if request.extra else None))
    except ValueError as error:  # a number of thousands of digits
        raise InvalidRequestError(f"The request cannot be sent as JSON: {error}.") from None
    return hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()


def digest_metadata(metadata: Mapping[str, object]) -> str | None:
    """Return 12 hexadecimal digits that stand for metadata; "" for none, None where JSON does not have it."""
    if not metadata:
        return ""
    with contextlib.suppress(TypeError, ValueError):
        text = json.dumps({str(name): value for name, value in metadata.items()}, sort_keys=True, allow_nan=False)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return None


def digest_prompt(prompt: str, *, model: str, size: str | None) -> str:
    """Return what `digest` returns for a bare prompt."""
    text = f"[{encode_basestring_ascii(prompt)}{_end_of_bare(model, size)}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@functools.lru_cache(maxsize=8)
def _end_of_bare(model: str, size: str | None) -> str:
    return f", {_encode((model, size, 1, None, None, None))[1:]}"


def identify(digest: str, occurrence: int) -> str:
    """Return the id of the first, second, ... of equal requests."""
    return digest if occurrence == 1 else f"{digest}-{occurrence}"
