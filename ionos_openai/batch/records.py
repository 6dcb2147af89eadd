"""The manifest of a batch, read with patience: what cannot be understood is passed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ionos_openai.batch.manifest import MANIFEST, parse_entry
from ionos_openai.hub.prices import read_money

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ionos_openai.hub.prices import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a file.

    Attributes:
        name: The file's name.
        message: What is wrong, as a clause such as "it is empty".
    """

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the manifest says last about one request.

    Attributes:
        prompt: The text that was sent.
        model: The model's id.
        size: "WIDTHxHEIGHT" in px as it was asked for.
        seed: The seed that was sent.
        has_extra: Whether further parameters were sent.
        metadata: The user's own columns.
        files: The names of its pictures.
        status: "done", "failed", "modified", or a word of a later version.
        error: What went wrong.
        started: When it was sent.
        cost: What all of its pictures cost together.
        sandbox: Whether the stand-in was asked.
    """

    prompt: str | None = None
    model: str | None = None
    size: str | None = None
    seed: int | None = None
    has_extra: bool = False
    metadata: Mapping[str, str]
    files: tuple[str, ...] = ()
    status: str = ""
    error: str | None = None
    started: datetime | None = None
    cost: Money | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All requests in the order in which they first appear, and the lines that are damaged."""

    records: tuple[Record, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_records(folder: Path) -> Records:
    """Read the manifest of a directory, of which a later line replaces an earlier one with the same "id".

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
        entry = parse_entry(line)
        if entry is not None:
            records[entry["id"]] = _record(entry)
        elif line.strip() and number < len(lines):
            damaged.append(number)
    return Records(records=tuple(records.values()), problems=tuple(_tell(damaged)))


def _tell(damaged: list[int]) -> Iterator[Problem]:
    if damaged:
        shown = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        lines = f"line {shown} is" if len(damaged) == 1 else f"{len(damaged)} lines ({shown}) are"
        yield Problem(name=MANIFEST, message=f"{lines} damaged and passed over")


def _record(line: Mapping[str, object]) -> Record:
    request = _mapping(line.get("request"))
    seed = request.get("seed")
    return Record(
        prompt=_text(request.get("prompt")),
        model=_text(request.get("model")),
        size=_text(request.get("size")),
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        has_extra=bool(_mapping(request.get("extra"))),
        metadata={key: _shown(value) for key, value in _mapping(line.get("metadata")).items() if value is not None},
        files=tuple(_file_names(line.get("files"))),
        status=_text(line.get("status")) or "",
        error=_error(line.get("error")),
        started=_moment(line.get("started")),
        cost=read_money(line.get("cost")),
        sandbox=line.get("sandbox") is True,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _file_names(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else []:
        name = _text(one.get("name")) if isinstance(one, Mapping) else _text(one)
        if name is not None:
            yield name


def _error(value: object) -> str | None:
    if isinstance(value, Mapping):
        return _text(value.get("message")) or _text(value.get("type"))
    return _text(value)


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
