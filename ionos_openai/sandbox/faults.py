"""Faults and latency that the sandbox shows when it is asked to, so that programs can be tested against them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

import pybase64

from ionos_openai.sandbox.drawing import in_another_format
from ionos_openai.sandbox.wire import ConnectionFault, SandboxResponse, error_answer, json_answer, unauthorized

FaultsOption: TypeAlias = "Mapping[str, float] | Iterable[str] | None"
"""Names with how often each is shown, from 0 to 1; or names alone, or as "NAME:RATE"."""

LatencyOption: TypeAlias = float | list[float] | tuple[float, float] | str | None
"""Seconds, a range of them as a pair or as "0.5-2", or None for none."""

_LONGEST_LATENCY = 3600.0  # seconds
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:-(\d{1,9}(?:\.\d{1,9})?))?", re.ASCII)
_BACKEND_FAILURE = (
    "Network error: json: cannot unmarshal string into Go struct field Embedding.data.embedding of type []float32"
)
_PROXY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)


def rate_limit(seconds: int = 1) -> SandboxResponse:
    """Return the 429 that asks to come again after `seconds`."""
    # That a 429 carries Retry-After is documented; its body and the second are chosen here.
    return error_answer(429, "sandbox-rate-limit", "Too many requests").with_headers(retry_after=str(seconds))


def server_error(*, images: bool = False) -> SandboxResponse:
    """Return the 500 as it was recorded of embeddings; where `images` were asked for, with words that fit them."""
    message = "Network error: the model that makes images did not answer" if images else _BACKEND_FAILURE
    return json_answer({"error": {"httpStatus": 500, "message": message}}, status=500)


def _spoil(answer: SandboxResponse, spoil: Callable[[str], str]) -> SandboxResponse:
    payload = json.loads(answer.body)
    for item in payload["data"]:
        item["b64_json"] = spoil(item["b64_json"])
    return json_answer(payload)


_EMPTY_PICTURES: dict[str, Callable[[], SandboxResponse]] = {
    "no-data": lambda: json_answer({"data": []}),
    "url-only": lambda: json_answer({"data": [{"url": "http://sandbox.invalid/picture.jpg"}]}),
}
MADE_UP: dict[str, Callable[[], SandboxResponse]] = {
    "rate-limit": rate_limit,
    "server-error": server_error,
    "empty-400": lambda: SandboxResponse(status=400, headers={}, body=b""),
    "html-502": lambda: SandboxResponse(status=502, headers={"content-type": "text/html"}, body=_PROXY_PAGE),
    "bad-json": lambda: replace(json_answer({}), body=b'{"data": [{"b64_json": '),
    "unauthorized": unauthorized,
    "expired": unauthorized,
    "timeout": lambda: json_answer({}),  # nobody will see it
    **_EMPTY_PICTURES,
}
"""Faults that take the place of an answer."""

PICTURE_FAULTS: dict[str, Callable[[SandboxResponse], SandboxResponse]] = {
    "bad-base64": lambda answer: _spoil(answer, lambda text: "*not base64*" + text[:64]),
    "truncated-image": lambda answer: _spoil(answer, lambda text: text[: len(text) // 8 * 4]),
    "wrong-format": lambda answer: _spoil(
        answer, lambda text: pybase64.b64encode(in_another_format(pybase64.b64decode(text))).decode("ascii")
    ),
}
"""Faults that spoil a picture which was drawn as asked."""

CONNECTION_FAULTS: dict[str, ConnectionFault] = {name: name for name in get_args(ConnectionFault) if name}
FAULT_NAMES = tuple(sorted({*MADE_UP, *PICTURE_FAULTS, *CONNECTION_FAULTS}))
PICTURE_FAULT_NAMES = frozenset([*_EMPTY_PICTURES, *PICTURE_FAULTS])
"""Faults that befall requests for pictures only; all others whatever is asked for."""


def check_fault(name: str) -> None:
    """Raise a ValueError that names the faults where `name` is none of them."""
    if name not in FAULT_NAMES:
        raise ValueError(f"There is no fault {name!r}: the faults are {', '.join(FAULT_NAMES)}.")


def read_faults(option: FaultsOption) -> tuple[tuple[str, float], ...]:
    """Return the faults that an option means, in its order, with how often each is shown, or raise a ValueError."""
    pairs: Iterable[tuple[str, float | str]] = ()
    if isinstance(option, Mapping):
        pairs = option.items()
    elif option is not None:
        names = option if isinstance(option, Iterable) and not isinstance(option, str) else [option]
        parts = [str(name).partition(":") for name in names]
        pairs = [(name, rate if colon else 1.0) for name, colon, rate in parts]
    read = []
    for name, rate in pairs:
        check_fault(name)
        try:
            read.append((name, float(rate)))
        except (TypeError, ValueError):
            read.append((name, -1.0))
        if not 0 <= read[-1][1] <= 1:
            raise ValueError(f"A fault's rate is from 0 to 1, such as {name}:0.1, not {rate!r}.")
    return tuple(read)


def read_latency(option: LatencyOption) -> tuple[float, float]:
    """Return the fewest and the most seconds that an answer takes, or raise a ValueError."""
    bounds: Sequence[Any] = option if isinstance(option, list | tuple) else (0 if option is None else option,) * 2
    if isinstance(option, str):
        found = _SECONDS.fullmatch(option)
        bounds = (float(found[1]), float(found[2] or found[1])) if found else ()
    are_numbers = len(bounds) == 2 and all(isinstance(bound, int | float) for bound in bounds)
    if not are_numbers or not 0 <= bounds[0] <= bounds[1] <= _LONGEST_LATENCY:
        raise ValueError(f"A latency is seconds such as 2, or a range such as 0.5-2, up to 3600; not {option!r}.")
    return float(bounds[0]), float(bounds[1])
