"""The lines of a manifest, read with patience: what cannot be understood is passed over.

A line has "id", "status" ("done", "failed" or "modified"), "request", "metadata", "files" (name, sha256, bytes,
format, width, height, mtime), "error", "attempts", "started", "seconds", "cost" and "sandbox". A later line with the
same id supersedes an earlier one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from ionos_openai.hub.prices import read_money

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from ionos_openai.hub.prices import Money

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a file.

    Attributes:
        name: The file's name.
        message: What is wrong, as a clause such as "it is empty".
    """

    name: str
    message: str


class StoredFile(NamedTuple):
    """What a line says of one file: its name, SHA-256, size in bytes, format, px, and time of change in s."""

    name: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    mtime: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """One line; what it does not say, or not in the right type, is None or empty.

    Attributes:
        line: Its JSON object.
        folder: The directory whose manifest it is from.
    """

    line: Mapping[str, Any]
    folder: str = ""

    @property
    def id(self) -> str:
        """What its prompt is known by."""
        return str(self.line["id"])

    @property
    def status(self) -> str:
        """One of "done", "failed", "modified", or a word of a later version."""
        return _text(self.line.get("status")) or ""

    @property
    def prompt(self) -> str | None:
        """The text that was sent."""
        return _text(self._request.get("prompt"))

    @property
    def model(self) -> str | None:
        """The model's id."""
        return _text(self._request.get("model"))

    @property
    def size(self) -> str | None:
        """The size that was asked for, "WIDTHxHEIGHT" in px."""
        return _text(self._request.get("size"))

    @property
    def seed(self) -> int | None:
        """The seed that was sent."""
        seed = self._request.get("seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def has_extra(self) -> bool:
        """Whether further parameters were sent."""
        return bool(_mapping(self._request.get("extra")))

    @property
    def metadata(self) -> Mapping[str, object]:
        """The user's own columns."""
        return _mapping(self.line.get("metadata"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its pictures' files."""
        found = (_text(_mapping(fact).get("name", fact)) for fact in self.line.get("files") or ())
        return tuple(name for name in found if name is not None)

    @property
    def files(self) -> tuple[StoredFile, ...] | None:
        """What is said of the files; None where that is too little to compare them with what is there."""
        try:
            return tuple(
                StoredFile(
                    fact["name"],
                    fact["sha256"],
                    fact["bytes"],
                    fact["format"],
                    fact["width"],
                    fact["height"],
                    fact.get("mtime"),
                )
                for fact in self.line["files"] or ()
            )
        except (KeyError, TypeError, AttributeError):
            return None

    @property
    def error(self) -> str | None:
        """What went wrong."""
        error = self.line.get("error")
        return _text(_mapping(error).get("message")) or _text(_mapping(error).get("type")) or _text(error)

    @property
    def started(self) -> str | None:
        """When its first request was sent, in ISO 8601; it tells one run's lines from another's."""
        return _text(self.line.get("started"))

    @property
    def cost(self) -> Money | None:
        """What the pictures that the run made cost together."""
        return read_money(self.line.get("cost"))

    @property
    def sandbox(self) -> bool:
        """Whether the sandbox was asked."""
        return self.line.get("sandbox") is True

    @property
    def _request(self) -> Mapping[str, object]:
        return _mapping(self.line.get("request"))


def read_line(line: bytes, folder: str = "") -> Record | None:
    """Return what a line says; None where it is damaged or none of ours."""
    try:
        found = from_json(line)  # in a third of the time
    except ValueError:  # also at half a surrogate pair, which only the other one reads
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return None
    is_ours = isinstance(found, dict) and isinstance(found.get("id"), str)
    return Record(found, folder) if is_ours and isinstance(found.get("files") or [], list) else None


def read_manifest(directory: str | os.PathLike[str]) -> Iterator[Record]:
    """Yield the lines of a directory's manifest, oldest first; lines that cannot be read are passed over.

    Raises:
        OSError: There is no manifest, or it cannot be opened.
    """
    folder = str(Path(directory).resolve())  # the same however the directory is named
    with (Path(directory) / MANIFEST).open("rb") as lines:
        for line in lines:
            record = read_line(line, folder)
            if record is not None:
                yield record


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The newest line of each request, in the order in which they first appear, and the lines that are damaged."""

    records: tuple[Record, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_records(folder: Path) -> Records:
    """Read the manifest of a directory.

    Returns:
        What could be read; nothing where there is no such file. A last line without its end is passed over in
        silence: that is how a run that was killed leaves it.
    """
    try:
        lines = (folder / MANIFEST).read_bytes().split(b"\n")
    except FileNotFoundError:
        return Records()
    except OSError as error:
        return Records(problems=(Problem(name=MANIFEST, message=f"it cannot be read: {error.strerror}"),))
    records: dict[str, Record] = {}
    damaged: list[int] = []
    for number, line in enumerate(lines, 1):
        record = read_line(line)
        if record is not None:
            records[record.id] = record
        elif line.strip() and number < len(lines):
            damaged.append(number)
    return Records(records=tuple(records.values()), problems=tuple(_tell(damaged)))


def _tell(damaged: list[int]) -> Iterator[Problem]:
    if damaged:
        shown = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        lines = f"line {shown} is" if len(damaged) == 1 else f"{len(damaged)} lines ({shown}) are"
        yield Problem(name=MANIFEST, message=f"{lines} damaged and passed over")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
