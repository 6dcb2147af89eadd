"""What of an answer may be kept and sent in: no token, no contract number, no trace id, and no picture."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

import pybase64

from ionos_openai.errors.masking import TOKEN, Secrets, each_leaf
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.hub.credentials import read_token

_HEADERS = frozenset({"content-type", "retry-after", "allow", "x-trace-id"})
_RATE_HEADERS = ("x-ratelimit-", "ratelimit-")  # none is known: one that comes is worth telling
_SHORTEST_CONTRACT = 5  # characters; less would be found in any number
_SHORTEST_PICTURE = 100  # characters of base64
_LONGEST_TEXT = 2000  # characters
_MOST_ENTRIES = 200
_SHOWN_NUMBERS = 4
_DEEPEST = 12


class Keeper:
    """Turns answers into what may be kept. What is to be hidden is learned from what was sent and what came."""

    def __init__(self) -> None:
        """Know of no secret yet."""
        self._secrets = Secrets()

    def learn(self, token: str) -> None:
        """Hide a token, the parts of a JWT, and the number of the contract in it."""
        self._secrets.learn_token(token)
        self._secrets.learn(read_token(token).contract or "", "<contract>", shortest=_SHORTEST_CONTRACT)

    def learn_trace(self, trace: str) -> None:
        """Hide a trace id, which leads whoever runs the service to a user."""
        if not trace.startswith("<"):
            self._secrets.learn(trace, "<trace id>")

    def without_tokens(self, body: bytes) -> bytes:
        """Return a body without the tokens; what else is hidden could be part of a picture by chance."""
        for secret, name in self._secrets.names.items():
            if name == TOKEN:
                body = body.replace(secret.encode(), name.encode())
        return body

    def text(self, text: str, *, longest: int = _LONGEST_TEXT) -> str:
        """Mask a text, and only then cut it: half a token would not be known for one."""
        text = self._secrets.mask(text)
        return text if len(text) <= longest else f"{text[: longest - 1]}…"

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that are known to be harmless, masked; of a trace id only its shape."""
        harmless = [name for name in headers if name in _HEADERS or name.startswith(_RATE_HEADERS)]
        kept = {name: self.text(headers[name]) for name in harmless}
        if "x-trace-id" in kept:
            kept["x-trace-id"] = f"<{len(headers['x-trace-id'])} characters>"
        return kept

    def body(self, body: bytes) -> object:
        """Return a body as JSON can hold it; a picture becomes its format, size and digest."""
        try:
            return self.value(json.loads(body))
        except (ValueError, RecursionError):
            pass
        try:
            return self.text(body.decode("utf-8"))
        except UnicodeDecodeError:
            return _bytes_facts(body)

    def value(self, value: object) -> object:
        """Return a parsed JSON value as it may be kept."""
        return each_leaf(value, self._leaf, depth=_DEEPEST, deeper="…", most=_MOST_ENTRIES, shorten=_shortened)

    def _leaf(self, leaf: object) -> object:
        if isinstance(leaf, str):
            return _picture_facts(leaf) or self.text(leaf)
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return str(leaf)  # JSON has no word for it
        return self._secrets.names.get(str(leaf), leaf) if isinstance(leaf, int) else leaf


def _shortened(entries: list[object]) -> list[object]:
    is_embedding = all(isinstance(entry, int | float) for entry in entries)
    most = _SHOWN_NUMBERS if is_embedding else _MOST_ENTRIES
    return [*entries[:most], f"… {len(entries)} in all"] if len(entries) > most else entries


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
