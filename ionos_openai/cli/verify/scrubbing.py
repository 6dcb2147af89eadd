"""What of an answer may be kept and sent in: no token, no contract number, no trace id, and no picture."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING

import pybase64

from ionos_openai.errors.masking import mask_secrets
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.hub.credentials import read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADERS = frozenset({"content-type", "retry-after", "allow", "x-trace-id"})
_RATE_HEADERS = ("x-ratelimit-", "ratelimit-")  # none is known: one that comes is worth telling
_SHORTEST_SECRET = 12  # characters; a token such as "sandbox" is none, and stands in many a text
_SHORTEST_CONTRACT = 5  # characters; less would be found in any number
_SHORTEST_PICTURE = 100  # characters of base64
_TOKEN = "<token>"  # noqa: S105  # what is written in its place
_LONGEST_TEXT = 2000  # characters
_MOST_ENTRIES = 200
_SHOWN_NUMBERS = 4
_DEEPEST = 12


class Scrubber:
    """Turns answers into what may be kept. What is to be hidden is learned from what was sent and what came."""

    def __init__(self) -> None:
        """Know of no secret yet."""
        self._secrets: dict[str, str] = {}

    def learn(self, token: str) -> None:
        """Hide a token, the parts of a JWT, and the number of the contract in it."""
        hidden = {part: _TOKEN for part in (token, *token.split(".")) if len(part) >= _SHORTEST_SECRET}
        contract = read_token(token).contract or ""
        if len(contract) >= _SHORTEST_CONTRACT:
            hidden[contract] = "<contract>"
        self._hide(hidden)

    def learn_trace(self, trace: str) -> None:
        """Hide a trace id, which leads whoever runs the service to a user."""
        if len(trace) >= _SHORTEST_SECRET and not trace.startswith("<"):
            self._hide({trace: "<trace id>"})

    def without_tokens(self, body: bytes) -> bytes:
        """Return a body without the tokens; what else is hidden could be part of a picture by chance."""
        for secret, name in self._longest_first():
            if name == _TOKEN:
                body = body.replace(secret.encode(), name.encode())
        return body

    def text(self, text: str, *, longest: int = _LONGEST_TEXT) -> str:
        """Mask a text, and only then cut it: half a token would not be known for one."""
        for secret, name in self._longest_first():
            text = text.replace(secret, name)
        text = mask_secrets(text)
        return text if len(text) <= longest else f"{text[: longest - 1]}…"

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that are known to be harmless, masked; of a trace id only its shape."""
        kept = {
            name: self.text(value)
            for name, value in headers.items()
            if name in _HEADERS or name.startswith(_RATE_HEADERS)
        }
        if "x-trace-id" in kept:
            kept["x-trace-id"] = f"<{len(headers['x-trace-id'])} characters>"
        return kept

    def body(self, body: bytes) -> object:
        """Return a body as JSON can hold it; a picture becomes its format, size and digest."""
        try:
            return self._value(json.loads(body), _DEEPEST)
        except (ValueError, RecursionError):
            pass
        try:
            return self.text(body.decode("utf-8"))
        except UnicodeDecodeError:
            return _bytes_facts(body)

    def value(self, value: object) -> object:
        """Return a parsed JSON value as it may be kept."""
        return self._value(value, _DEEPEST)

    def _hide(self, hidden: Mapping[str, str]) -> None:
        self._secrets = {**self._secrets, **hidden}  # anew: other threads may be reading the old one

    def _longest_first(self) -> list[tuple[str, str]]:
        return sorted(self._secrets.items(), key=lambda pair: len(pair[0]), reverse=True)

    def _value(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return _picture_facts(value) or self.text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has no word for it
        if isinstance(value, int) and str(value) in self._secrets:
            return self._secrets[str(value)]
        if not isinstance(value, dict | list):
            return value
        if depth == 0:
            return "…"
        if isinstance(value, list):
            return self._list(value, depth)
        return {self.text(str(key)): self._value(one, depth - 1) for key, one in list(value.items())[:_MOST_ENTRIES]}

    def _list(self, value: list[object], depth: int) -> list[object]:
        most = _MOST_ENTRIES
        if all(isinstance(one, int | float) for one in value):
            most = _SHOWN_NUMBERS  # an embedding
        more = [f"… {len(value)} in all"] if len(value) > most else []
        return [*(self._value(one, depth - 1) for one in value[:most]), *more]


def _picture_facts(text: str) -> dict[str, object] | None:
    if len(text) < _SHORTEST_PICTURE:
        return None
    head, comma, rest = text[:64].partition(",")
    encoded = rest + text[64:] if comma and head.startswith("data:") else text
    try:
        data = pybase64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    return _bytes_facts(data)


def _bytes_facts(data: bytes) -> dict[str, object]:
    facts: dict[str, object] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        found = recognise(data)
    except FormatError as error:
        return {"no_picture": str(error), **facts}
    return {"picture": found.format, "width": found.width, "height": found.height, **facts}
