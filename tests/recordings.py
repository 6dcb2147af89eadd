"""Our own cassettes: written so that they can be read, each saying who answered, and played to their end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import yaml
from vcr.serializers import yamlserializer

from ionos_openai.testing.cassettes import RECORDED_FROM

RecordedFrom: TypeAlias = Literal["stand-in", "service"]
"""Who answered while a cassette was recorded: the value of the header `RECORDED_FROM`."""


class ReadableYaml:
    """A serializer for vcrpy: YAML with bodies line by line, and a first line that says who answered."""

    @staticmethod
    def serialize(cassette: Mapping[str, Any]) -> str:
        """Write a cassette."""
        answers = [interaction["response"] for interaction in cassette["interactions"]]
        sources = sorted({source for answer in answers for source in answer["headers"].get(RECORDED_FROM, ["unknown"])})
        text: str = yaml.dump(dict(cassette), Dumper=_LineByLine, sort_keys=False, width=1000)
        return f"# Recorded from the {' and the '.join(sources)}: see README.md.\n{text}"

    deserialize = staticmethod(yamlserializer.deserialize)


class _LineByLine(yaml.SafeDumper):
    """Writes a text of several lines as it reads, where that loses nothing."""

    def ignore_aliases(self, data: object) -> bool:  # the base class asks with it
        """Write what two answers share twice, and not as "&id001"."""
        return True


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    readable = "\n" in text and text.isascii() and text.replace("\n", "").isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if readable else None)


_LineByLine.add_representer(str, _write_text)


def source_of(path: Path) -> RecordedFrom:
    """Return who answered when a cassette was recorded; a ValueError where it does not say so, or says two things."""
    interactions = ReadableYaml.deserialize(path.read_text(encoding="utf-8"))["interactions"]
    found = {tuple(played["response"]["headers"].get(RECORDED_FROM, ())) for played in interactions}
    for source in get_args(RecordedFrom):
        if found == {(source,)}:
            return cast("RecordedFrom", source)
    raise ValueError(f"{path.name} does not say who answered: each answer needs the header {RECORDED_FROM}.")


def check_present(cassette: Any, *, command: str) -> None:
    """Fail where a `vcr.cassette.Cassette` is to be replayed that was never recorded; `command` records it."""
    if not (path := Path(cassette._path)).is_file():  # public only in later versions of vcrpy
        raise AssertionError(f"There is no cassette {path.name}: record it with `{command}`.")


def check_played(cassette: Any) -> None:
    """Fail where not every recorded request was made again."""
    if cassette.play_count < len(cassette):
        name = Path(cassette._path).name
        left = [request for number, request in enumerate(cassette.requests) if not cassette.play_counts[number]]
        unplayed = ", ".join(f"{request.method} {request.path}" for request in left)
        raise AssertionError(f"{name}: {cassette.play_count} of {len(cassette)} requests were made; not {unplayed}.")
