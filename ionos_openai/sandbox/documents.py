"""A small JSON document that fits a JSON schema or is like an example, for structured answers and calls of tools.

What is not understood is refused by name. Libraries that do this (jsf, hypothesis-jsonschema, polyfactory; 2026-11)
throw random documents, and bring forty megabytes, a testing framework, or models instead of schemas.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

_Schema: TypeAlias = dict[str, Any]
_Seen: TypeAlias = tuple[str, ...]

_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_DESCRIBING = frozenset(_TABLES["describing"].split())
_KNOWN = _DESCRIBING | frozenset(_TABLES["meant"].split())
_FORMATS, (_TEXT, *_SAMPLES) = _TABLES["formats"], _TABLES["samples"]
_LONGEST_TEXT = 10_000
_LONGEST_MATCHED = 40  # characters; a pattern may take exponentially long
_DEEPEST, _MOST_STEPS = 60, 5000
# What the words of an example say of the value in their place.
_SAID: tuple[tuple[str, object], ...] = ((r"\b(int|integer|float|number)\b", 0), (r"\b(bool|boolean|True or)\b", False))


class NoDocumentError(ValueError):
    """No document can be made; the message says why."""


def minimal_document(schema: object) -> object:
    """Return a document that fits a schema, or raise a NoDocumentError: what is required, the first of each choice."""
    try:
        return _Maker(schema).make(schema)
    except NoDocumentError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise NoDocumentError("a keyword in it has a value of the wrong kind") from None


def like_example(example: object) -> object:
    """Return an example whose texts became what they stand for: "{age} # a single int value" becomes a number."""
    if isinstance(example, dict):
        return {name: like_example(value) for name, value in example.items()}
    if isinstance(example, list):
        return [like_example(value) for value in example]
    if not isinstance(example, str):
        return example
    _, named, words = example.partition("JSON schema: ")
    with contextlib.suppress(ValueError, RecursionError):
        if named:
            return minimal_document(json.loads(words))
    if choice := re.search(r"one of: ([^;]+)", example):
        return choice[1].strip()
    return next((value for words, value in _SAID if re.search(words, example)), _TEXT)


class _Maker:
    def __init__(self, root: object) -> None:
        self._root: Any = root
        self._steps = 0

    def make(self, schema: object, seen: _Seen = (), *, depth: int = 0) -> object:
        self._steps += 1
        if self._steps > _MOST_STEPS or depth > _DEEPEST:
            raise NoDocumentError("it is too large, or has no end")
        schema = {} if schema is True else schema
        if not isinstance(schema, dict):
            raise NoDocumentError("a schema in it is no object")
        if unknown := sorted(name for name in map(str, set(schema) - _KNOWN) if not name.startswith("x-")):
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
        return self._of_kind(kinds, schema, seen, depth + 1)

    def _of_kind(self, kind: object, schema: _Schema, seen: _Seen, depth: int) -> object:
        match kind:
            case "object":
                return self._object(schema, seen, depth)
            case "array":
                return self._array(schema, seen, depth)
            case "string":
                return _text(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean" | "null":
                return False if kind == "boolean" else None
        raise NoDocumentError(f"the type {kind!r} is not known")

    def _object(self, schema: _Schema, seen: _Seen, depth: int) -> object:
        known, others = schema.get("properties") or {}, schema.get("additionalProperties", True)
        # Where nothing is required, lists come all the same: some programs ask for nothing else.
        names = schema.get("required") or [name for name in known if "array" in str(known[name].get("type"))]
        if names and "propertyNames" in schema:
            raise NoDocumentError("propertyNames is not understood here where names are required")
        return {str(name): self.make(known.get(name, others), seen, depth=depth) for name in names}

    def _array(self, schema: _Schema, seen: _Seen, depth: int) -> object:
        first, others = schema.get("prefixItems") or [], schema.get("items", True)
        number = range(min(schema.get("minItems") or 0, _MOST_STEPS))
        made = [self.make(first[place] if place < len(first) else others, seen, depth=depth) for place in number]
        if not made and isinstance(others, dict) and schema.get("maxItems") != 0:
            with contextlib.suppress(NoDocumentError):  # some programs cannot read a list with nothing in it
                made = [self.make(others, seen, depth=depth)]
        if schema.get("uniqueItems") and any(item in made[:place] for place, item in enumerate(made)):
            raise NoDocumentError("uniqueItems is not understood here where several items are needed")
        return made

    def _first(self, schemas: Iterable[object], seen: _Seen, depth: int) -> object:
        """Make a document of the first schema that one can be made of."""
        problem = NoDocumentError("a choice in it has no options")
        for schema in schemas:
            try:
                return self.make(schema, seen, depth=depth + 1)
            except NoDocumentError as error:
                problem = error
        raise problem

    def _followed(self, schema: _Schema, seen: _Seen) -> tuple[_Seen, _Schema]:
        place, target = str(schema["$ref"]), self._root
        if place in seen or not place.startswith("#"):
            raise NoDocumentError(f"$ref {place[:80]} leads {'into itself' if place in seen else 'elsewhere'}")
        for step in place.split("/")[1:]:
            target = target[step.replace("~1", "/").replace("~0", "~")]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return (*seen, place), _merged([target, rest])

    def _both(self, schema: _Schema, parts: Sequence[Any], seen: _Seen) -> object:
        """Return a schema for what is to fit this one and all of the parts."""
        if len(parts) == 1 and not set(schema) - _DESCRIBING:
            return parts[0]
        return _merged([schema, *(self._followed(part, seen)[1] if "$ref" in part else part for part in parts)])


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
    padded = (_TEXT * (min(least, _LONGEST_TEXT) // len(_TEXT) + 1))[: max(least, min(most, len(_TEXT)))]
    texts: list[str] = [padded, *(_SAMPLES if pattern is not None else ())] if kind is None else [_FORMATS[kind]]
    for text in texts:
        if not least <= len(text) <= most:
            continue
        try:
            if pattern is None or (len(text) <= _LONGEST_MATCHED and re.search(str(pattern), text)):
                return text
        except re.error:
            raise NoDocumentError("a pattern in it cannot be read") from None
    raise NoDocumentError(f"no text was found that fits {'pattern' if pattern is not None else 'its length'}")


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
