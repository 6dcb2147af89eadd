"""The lines of a manifest, read with patience: what cannot be understood is passed over.

A line has "id", "status" ("done", "failed", "modified", or "superseded" by one of its name), "request", "metadata",
"files" (name, sha256, bytes, format, width, height, mtime), "error", "attempts", "started", "seconds", "cost" and
"sandbox"; where signatures were asked for "unsigned", why pictures have none. A later line with the same id supersedes
an earlier one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Generic, NamedTuple, TypeVar

from pydantic_core import from_json

from ionos_openai.errors.numbers import is_whole_number
from ionos_openai.files.opening import at_home, open_regular
from ionos_openai.hub.prices import read_money

MANIFEST = "manifest.jsonl"
LONGEST_LINE = 1 << 26
"""Bytes of a line of a manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a file, as a clause such as "it is empty"."""

    name: str
    message: str


class StoredFile(NamedTuple):
    """What a line says of one file: name, SHA-256, size in bytes, format, px, time of change in s, a bucket's tag."""

    name: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    mtime: float | None = None
    tag: str | None = None

    def facts(self) -> dict[str, object]:
        """Return it as it is recorded."""
        facts = self._asdict()
        del facts["mtime" if self.tag is not None else "tag"]
        return facts


_facts = itemgetter(*StoredFile._fields[:-2])
Said = TypeVar("Said")


class _Said(Generic[Said]):
    """An attribute of a record that is read when it is asked for: most are not, and there may be 100,000 lines."""

    def __init__(self, read: Callable[[Mapping[str, Any]], Said]) -> None:
        self._read = read

    def __get__(self, record: Record, kind: type[Record] | None = None) -> Said:
        return self._read(record.line)


@dataclass(frozen=True, slots=True)
class Record:
    """One line; what it does not say, or not in the right type, is None or empty."""

    line: Mapping[str, Any]  # its JSON object
    folder: str = ""  # the directory whose manifest it is from

    id = _Said(lambda line: str(line["id"]))  # what its prompt is known by
    status = _Said(lambda line: _text(line.get("status")) or "")  # also a word of a later version
    prompt = _Said(lambda line: _text(_request(line).get("prompt")))  # the text that was sent
    model = _Said(lambda line: _text(_request(line).get("model")))  # the model's id
    size = _Said(lambda line: _text(_request(line).get("size")))  # "WIDTHxHEIGHT" in px as it was asked for
    seed = _Said(lambda line: _whole(_request(line).get("seed")))  # the seed that was sent
    name = _Said(lambda line: _text(_request(line).get("name")))  # the name that its files were to have
    n = _Said(lambda line: _whole(_request(line).get("n")) or 1)  # how many pictures were asked for
    extra = _Said(lambda line: _mapping(_request(line).get("extra")))  # further parameters
    attempts = _Said(lambda line: _whole(line.get("attempts")) or 0)  # how many requests it took
    metadata = _Said(lambda line: _mapping(line.get("metadata")))  # the user's own columns
    names = _Said(lambda line: tuple(_names(line.get("files") or ())))  # the names of its pictures' files
    files = _Said(lambda line: _files(line))  # None where that is too little to compare them with what is there
    error = _Said(lambda line: _message(line.get("error")))  # what went wrong
    started = _Said(lambda line: _text(line.get("started")))  # in ISO 8601; it tells one run's lines from another's
    cost = _Said(lambda line: read_money(line.get("cost")))  # what the pictures that the run made cost together
    sandbox = _Said(lambda line: line.get("sandbox") is True)  # whether the sandbox was asked


def read_line(line: bytes, folder: str = "") -> Record | None:
    """Return what a line says; None where it is damaged or none of ours."""
    try:
        found = _parse(line)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(found, dict) and isinstance(found.get("id"), str)
    return Record(found, folder) if is_ours and isinstance(found.get("files") or [], list) else None


def is_json(line: bytes) -> bool:
    """Tell whether a line is whole, be it one of ours or not."""
    try:
        _parse(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(line: bytes) -> Any:
    if b"\\u" in line:  # escapes, half a surrogate pair among them: older versions of the other make no text of them
        return json.loads(line)
    return from_json(line, cache_strings="keys")  # in a third of the time


def each_line(lines: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield each line and its size in bytes; of one that is longer than 64 MiB, and no line of ours, its beginning."""
    while line := lines.readline(LONGEST_LINE):
        size, end = len(line), line
        while len(end) == LONGEST_LINE and not end.endswith(b"\n"):
            end = lines.readline(LONGEST_LINE)
            size += len(end)
        yield line if size <= LONGEST_LINE else line[:100] + b"\n", size


def read_manifest(directory: str | os.PathLike[str], damaged: list[int] | None = None) -> Iterator[Record]:
    """Yield the lines of a directory's manifest, oldest first; those that cannot be read go into `damaged`, by number.

    A last line without its end is passed over in silence: that is how a run that was killed leaves it.
    """
    path = at_home(directory)
    folder = str(path.resolve())  # the same however the directory is named
    with os.fdopen(open_regular(path / MANIFEST, most=sys.maxsize), "rb") as lines:
        for number, (line, _) in enumerate(each_line(lines), 1):
            record = read_line(line, folder)
            if record is not None:
                yield record
            elif damaged is not None and line.strip() and line.endswith(b"\n"):
                damaged.append(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The newest line of each request, in the order in which they first appear, and the lines that are damaged."""

    records: tuple[Record, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_records(folder: Path) -> Records:
    """Read the manifest of a directory; nothing where there is no such file."""
    damaged = list[int]()
    try:
        records = {record.id: record for record in read_manifest(folder, damaged)}
    except FileNotFoundError:
        return Records()
    except OSError as error:
        return Records(problems=(Problem(name=MANIFEST, message=f"it cannot be read: {error.strerror}"),))
    message = f"{describe_damaged(damaged)} damaged and passed over"
    problems = (Problem(name=MANIFEST, message=message),) if damaged else ()
    return Records(records=tuple(records.values()), problems=problems)


def describe_damaged(lines: Sequence[int]) -> str:
    """Return which lines of a manifest are damaged, by their numbers: the subject of a sentence, and its "is"."""
    shown = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
    return f"line {shown} is" if len(lines) == 1 else f"{len(lines)} lines ({shown}) are"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _request(line: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(line.get("request"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _whole(value: object) -> int | None:
    return value if is_whole_number(value) else None


def _message(error: object) -> str | None:
    return _text(_mapping(error).get("message")) or _text(_mapping(error).get("type")) or _text(error)


def _names(files: Iterable[object]) -> Iterator[str]:
    yield from filter(None, (_text(_mapping(fact).get("name", fact)) for fact in files))


def _files(line: Mapping[str, Any]) -> tuple[StoredFile, ...] | None:
    try:
        files = tuple(
            StoredFile._make((*_facts(fact), fact.get("mtime"), fact.get("tag"))) for fact in line["files"] or ()
        )
    except (KeyError, TypeError, AttributeError):
        return None
    return files if all(map(_is_sound, files)) else None


def _is_sound(file: StoredFile) -> bool:
    texts, numbers = (file.name, file.sha256, file.format), (file.bytes, file.width, file.height)
    is_time = file.mtime is None or isinstance(file.mtime, int | float)
    is_told = is_time and (file.tag is None or isinstance(file.tag, str))
    return is_told and all(isinstance(text, str) for text in texts) and all(map(is_whole_number, numbers))
