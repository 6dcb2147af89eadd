"""Faults that the sandbox shows when it is asked to, so that programs can be tested against them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, get_args

import pybase64

from ionos_openai.sandbox.drawing import in_another_format
from ionos_openai.sandbox.wire import ConnectionFault, SandboxResponse, error_answer, json_answer, unauthorized

FaultsOption: TypeAlias = "Mapping[str, float] | Iterable[str] | None"
"""Names with how often each is shown, from 0 to 1; or names alone, or as "NAME:RATE"."""

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


def _reencode(text: str) -> str:
    return pybase64.b64encode(in_another_format(pybase64.b64decode(text))).decode("ascii")


_ANSWERS: dict[str, Callable[[], SandboxResponse]] = {
    "rate-limit": rate_limit,
    "server-error": server_error,
    "empty-400": lambda: SandboxResponse(status=400, headers={}, body=b""),
    "html-502": lambda: SandboxResponse(status=502, headers={"content-type": "text/html"}, body=_PROXY_PAGE),
    "bad-json": lambda: replace(json_answer({}), body=b'{"data": [{"b64_json": '),
    "unauthorized": unauthorized,
    "expired": unauthorized,
}
_PICTURE_ANSWERS: dict[str, Callable[[], SandboxResponse]] = {
    "no-data": lambda: json_answer({"data": []}),
    "url-only": lambda: json_answer({"data": [{"url": "http://sandbox.invalid/picture.jpg"}]}),
}

MADE_UP: dict[str, Callable[[], SandboxResponse]] = {
    **_ANSWERS,
    **_PICTURE_ANSWERS,
    "timeout": lambda: json_answer({}),  # nobody will see it
}
"""Faults that take the place of an answer."""

PICTURE_FAULTS: dict[str, Callable[[SandboxResponse], SandboxResponse]] = {
    "bad-base64": lambda answer: _spoil(answer, lambda text: "*not base64*" + text[:64]),
    "truncated-image": lambda answer: _spoil(answer, lambda text: text[: len(text) // 8 * 4]),
    "wrong-format": lambda answer: _spoil(answer, _reencode),
}
"""Faults that spoil a picture which was drawn as asked."""

CONNECTION_FAULTS: dict[str, ConnectionFault] = {name: name for name in get_args(ConnectionFault) if name}
"""Faults of the connection, whatever it carries."""

FAULT_NAMES = tuple(sorted({*MADE_UP, *PICTURE_FAULTS, *CONNECTION_FAULTS}))

PICTURE_FAULT_NAMES = frozenset([*_PICTURE_ANSWERS, *PICTURE_FAULTS])
"""Faults that befall requests for pictures only."""


def check_fault(name: str) -> None:
    """Raise a ValueError that names the faults where `name` is none of them."""
    if name not in FAULT_NAMES:
        raise ValueError(f"There is no fault {name!r}: the faults are {', '.join(FAULT_NAMES)}.")


def read_faults(option: FaultsOption) -> tuple[tuple[str, float], ...]:
    """Return the faults that an option means, in its order, with how often each is shown, from 0 to 1.

    Raises:
        ValueError: There is no such fault, or a rate is no number from 0 to 1.
    """
    pairs: Iterable[tuple[str, float | str]] = ()
    if isinstance(option, Mapping):
        pairs = option.items()
    elif option is not None:
        names = option if isinstance(option, Iterable) and not isinstance(option, str) else [option]
        parts = [str(name).partition(":") for name in names]
        pairs = [(name, rate if colon else 1.0) for name, colon, rate in parts]
    return tuple((name, _read_rate(name, rate)) for name, rate in pairs)


def _read_rate(name: str, rate: float | str) -> float:
    check_fault(name)
    try:
        number = float(rate)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"A fault's rate is from 0 to 1, such as {name}:0.1, not {rate!r}.")
    return number
