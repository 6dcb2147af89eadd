"""A small JSON document that fits a JSON schema, for structured answers and calls of tools.

What is not understood is refused with its name, so that no document is sent that does not fit. The libraries that make
documents from schemas (jsf, hypothesis-jsonschema, polyfactory; seen 2026-11) throw random ones, and bring forty
megabytes, a testing framework, or models instead of schemas.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Schema: TypeAlias = dict[str, Any]

_TEXT = "placeholder"
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z", "date": "2026-01-01", "time": "00:00:00Z", "duration": "P1D",
    "email": "nobody@example.org", "hostname": "example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
    "uri": "https://example.org/", "url": "https://example.org/", "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip
_SAMPLES = ("Placeholder", "PLACEHOLDER", "a", "A", "0", "10", "100", "1.0", "AA", "AAA", "0000", "00000", "a0", "A0")
_LONGEST_TEXT = 10_000
_LONGEST_MATCHED = 40  # characters; a pattern may take exponentially long
_DEEPEST, _MOST_STEPS = 60, 5000
_DESCRIBING_WORDS = (
    "$anchor $comment $defs $id $schema default definitions deprecated description discriminator example examples "
    "propertyOrdering readOnly strict title writeOnly"
)
_MEANT_WORDS = (
    "$ref additionalProperties allOf anyOf const enum exclusiveMaximum exclusiveMinimum format items maxItems "
    "maxLength maxProperties maximum minItems minLength minimum multipleOf nullable oneOf pattern prefixItems "
    "properties required type unevaluatedProperties uniqueItems"
)
_DESCRIBING = frozenset(_DESCRIBING_WORDS.split())
_KNOWN = _DESCRIBING | frozenset(_MEANT_WORDS.split())


class NoDocumentError(ValueError):
    """No document can be made; the message says why."""


def minimal_document(schema: object) -> object:
    """Return a document that fits a schema: what is required, and the first of each choice that ends.

    Raises:
        NoDocumentError: The schema has a keyword that is not understood here, or it fits nothing that was tried.
    """
    try:
        return _Maker(schema).make(schema)
    except NoDocumentError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise NoDocumentError("a keyword in it has a value of the wrong kind") from None


class _Maker:
    def __init__(self, root: object) -> None:
        self._root: Any = root
        self._steps = 0

    def make(self, schema: object, seen: tuple[str, ...] = (), *, depth: int = 0) -> object:
        self._steps += 1
        if self._steps > _MOST_STEPS or depth > _DEEPEST:
            raise NoDocumentError("it is too large, or has no end")
        schema = {} if schema is True else schema
        if not isinstance(schema, dict):
            raise NoDocumentError("a schema in it is no object")
        if unknown := sorted(map(str, set(schema) - _KNOWN)):
            raise NoDocumentError(f"{unknown[0]} is not understood here")
        if "const" in schema:
            return schema["const"]
        if "$ref" in schema:
            seen, schema = self._followed(schema, seen)
            return self.make(schema, seen, depth=depth + 1)
        for name in ("anyOf", "oneOf", "allOf"):
            if isinstance(options := schema.get(name), list) and options:
                rest = {key: value for key, value in schema.items() if key != name}
                parts = [options] if name == "allOf" else [[option] for option in options]
                return self._first((self._both(rest, part, seen) for part in parts), seen, depth)
        if isinstance(values := schema.get("enum"), list) and values:
            return values[0]
        kinds = schema.get("type") or ("object" if "properties" in schema or "required" in schema else "string")
        if isinstance(kinds, list):
            return self._first(({**schema, "type": kind} for kind in kinds), seen, depth)
        return self._of_kind(kinds, schema, seen, depth)

    def _of_kind(self, kind: object, schema: _Schema, seen: tuple[str, ...], depth: int) -> object:
        match kind:
            case "object":
                known, others = schema.get("properties") or {}, schema.get("additionalProperties", True)
                needed = {str(name): known.get(name, others) for name in schema.get("required") or ()}
                return {name: self.make(part, seen, depth=depth + 1) for name, part in needed.items()}
            case "array":
                first, others = schema.get("prefixItems") or [], schema.get("items", True)
                number = range(min(schema.get("minItems") or 0, _MOST_STEPS))
                parts = [first[place] if place < len(first) else others for place in number]
                made = [self.make(part, seen, depth=depth + 1) for part in parts]
                if not made and isinstance(others, dict) and schema.get("maxItems") != 0:
                    with contextlib.suppress(NoDocumentError):  # some programs cannot read a list with nothing in it
                        made = [self.make(others, seen, depth=depth + 1)]
                if schema.get("uniqueItems") and any(item in made[:place] for place, item in enumerate(made)):
                    raise NoDocumentError("uniqueItems is not understood here where several items are needed")
                return made
            case "string":
                return _text(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean" | "null":
                return False if kind == "boolean" else None
        raise NoDocumentError(f"the type {kind!r} is not known")

    def _first(self, schemas: Iterable[object], seen: tuple[str, ...], depth: int) -> object:
        """Make a document of the first schema that one can be made of."""
        problem = NoDocumentError("a choice in it has no options")
        for schema in schemas:
            try:
                return self.make(schema, seen, depth=depth + 1)
            except NoDocumentError as error:
                problem = error
        raise problem

    def _followed(self, schema: _Schema, seen: tuple[str, ...]) -> tuple[tuple[str, ...], _Schema]:
        place, target = str(schema["$ref"]), self._root
        if place in seen or not place.startswith("#"):
            raise NoDocumentError(f"$ref {place[:80]} leads {'into itself' if place in seen else 'elsewhere'}")
        for step in place.split("/")[1:]:
            target = target[step.replace("~1", "/").replace("~0", "~")]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return (*seen, place), _merged([target, rest])

    def _both(self, schema: _Schema, parts: Sequence[Any], seen: tuple[str, ...]) -> object:
        """Return a schema for what is to fit this one and all of the parts."""
        if len(parts) == 1 and not set(schema) - _DESCRIBING:
            return parts[0]
        flat = [self._followed(part, seen)[1] if "$ref" in part else part for part in parts]
        return _merged([schema, *flat])


def _merged(schemas: Sequence[_Schema]) -> _Schema:
    """Return a schema for what is to fit all of these; what two of them say differently, the later one says."""
    merged: _Schema = {}
    for schema in schemas:
        both = {
            "properties": {**(merged.get("properties") or {}), **(schema.get("properties") or {})},
            "required": list(dict.fromkeys([*(merged.get("required") or ()), *(schema.get("required") or ())])),
        }
        merged = {**merged, **schema, **{name: value for name, value in both.items() if value}}
    return merged


def _text(schema: _Schema) -> str:
    least, most = schema.get("minLength") or 0, schema.get("maxLength", _LONGEST_TEXT)
    kind, pattern = schema.get("format"), schema.get("pattern")
    if kind is not None and kind not in _FORMATS:
        raise NoDocumentError(f"the format {kind} is not understood here")
    if kind is not None:
        texts = [_FORMATS[kind]]
    else:
        padded = (_TEXT * (min(least, _LONGEST_TEXT) // len(_TEXT) + 1))[: max(least, min(most, len(_TEXT)))]
        texts = [padded, *_SAMPLES] if pattern is not None else [padded]
    fitting = (text for text in texts if least <= len(text) <= most and _matches(text, pattern))
    text = next(fitting, None)
    if text is None:
        raise NoDocumentError(f"no text was found that fits {'pattern' if pattern is not None else 'its length'}")
    return text


def _matches(text: str, pattern: object) -> bool:
    try:
        return pattern is None or (len(text) <= _LONGEST_MATCHED and bool(re.search(str(pattern), text)))
    except re.error:
        raise NoDocumentError("a pattern in it cannot be read") from None


def _number(schema: _Schema, *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or 1
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    over, under = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    nearest = max(low, over) if max(low, over) > 0 else min(0, high, under)
    tried: list[float] = [(math.floor(nearest / step) + more) * step for more in (0, 1, -1)]
    if not whole and "multipleOf" not in schema:
        tried += [nearest, (max(low, over, -1e9) + min(high, under, 1e9)) / 2]
    for number in tried:
        if low <= number <= high and over < number < under and (not whole or number == int(number)):
            return int(number) if whole else number
    raise NoDocumentError("no number fits its bounds")
