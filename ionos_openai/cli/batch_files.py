"""The prompts of a batch out of a file: a prompt a line, CSV or JSON lines; each bad row is named with its line."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ionos_openai.batch import ImageRequest
from ionos_openai.batch.request import NUMBERS, TEXTS, check, complete, digest, read_row
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.words import plural

_STANDARD = "-"
KNOWN_COLUMNS = frozenset({*TEXTS, *NUMBERS} - {"prompt"})
_MOST_SHOWN = 20
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # what .xlsx and .ods, and what .xls begin with
_IN_EXCEL = "In Excel: File > Save As > CSV UTF-8 (Comma delimited)."
_HARMLESS = re.compile(r"^'(?=\s*[=+@-]|[\t\r])")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")  # a brace, or a column, whose name may have anything else in it
_EXTENSION = re.compile(r"(?i)\.(?:png|jpe?g|webp)$|$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """How prompts and names are made out of columns: "Photo of {title}"; and which column has the prompt itself."""

    prompt: str | None = None
    name: str | None = None
    prompt_column: str | None = None

    def fill(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with the prompt and the name that are made of it; no column for them may be missing or empty."""
        made = dict(row)
        if self.prompt_column is not None:
            column = _column(self.prompt_column, row)
            made["prompt"] = made.pop(column) if column != "prompt" else made[column]
        cell = lambda field: field[0][0] if field[1] is None else _cell(field[1], row)  # noqa: E731
        for name, template in (("prompt", self.prompt), ("name", self.name)):
            if template is not None:
                made[name] = _FIELD.sub(cell, template)
        return made

    def columns(self) -> set[str]:
        """Return the columns that prompt and name are made of, in small letters; a lonely brace is an error."""
        for option, template in (("prompt", self.prompt or ""), ("name", self.name or "")):
            try:
                list(string.Formatter().parse(_FIELD.sub("", template)))
            except ValueError as error:
                raise InvalidRequestError(f"--{option} cannot be read ({error}): write {{{{ for a brace.") from None
        columns = re.findall(_FIELD, f"{self.prompt or ''}{self.name or ''}")
        return {column.strip().casefold() for column in columns if column}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of a file; `used` are the columns that prompts and names are made of, in small letters."""

    source: str
    used: set[str]
    lines: list[int] = field(default_factory=list)
    requests: list[ImageRequest] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def place(self, index: int) -> str:
        """Return where a row stands, and its name: "products.csv:5 (A0003)"."""
        name = self.requests[index].name
        return f"{_shown(self.source)}:{self.lines[index]}{f' ({name})' if name else ''}"


def read_table(
    source: str, labels: Mapping[str, str], *, n: int, templates: Templates | None = None, **asked: Any
) -> Table:
    """Read the prompts of a file, or of "-", whose kind is found out; an `InvalidRequestError` names all bad rows.

    `labels` are metadata behind columns of the same name; `n` and `asked`, as `complete` takes it, are for other rows.
    """
    templates = templates or Templates()
    table, problems = Table(source=source, used=templates.columns()), dict[str, list[str]]()
    text = _read(source)
    needs_prompt = templates.prompt is None and templates.prompt_column is None
    for line, row in _rows(text, _kind(source, text, needs_prompt=needs_prompt), needs_prompt=needs_prompt):
        try:
            if isinstance(row, Exception):
                raise row
            request = read_row(templates.fill(row), labels, n)
            check(complete(request, **asked))
            table.columns.update(dict.fromkeys(row))
            table.lines.append(line)
            table.requests.append(request)
        except InvalidRequestError as error:
            problems.setdefault(str(error), []).append(str(line))
    if problems:
        raise InvalidRequestError(f"Nothing was sent: {_shown(source)} has {_describe(problems)}")
    if not table.requests:
        raise InvalidRequestError(f"{_shown(source)} has no prompts: write one a line.")
    _tell_apart(table)
    return table


def _describe(problems: Mapping[str, Sequence[str]]) -> str:
    """Return how many rows are bad, and each reason with its lines."""
    told = []
    for problem, lines in problems.items():
        more = f" and {len(lines) - _MOST_SHOWN} more" if len(lines) > _MOST_SHOWN else ""
        told.append(f"line{'s' * (len(lines) > 1)} {', '.join(lines[:_MOST_SHOWN])}{more}: {problem}")
    left = sum(len(lines) for lines in list(problems.values())[_MOST_SHOWN:])
    told[_MOST_SHOWN:] = [f"And {left} more."] if left else []
    return f"{plural(sum(map(len, problems.values())), 'bad row')}. {' '.join(told)}"


def _tell_apart(table: Table) -> None:
    """Give rows that ask for different pictures under one name names of their own: the second one's ends in _2."""
    taken = {request.name.casefold() for request in table.requests if request.name}
    seen: dict[str, dict[str, str]] = {}
    for index, request in enumerate(table.requests):
        if not request.name:
            continue
        names, asked = seen.setdefault(request.name.casefold(), {}), digest(request)
        if asked not in names:
            numbers = itertools.count(len(names) + 1)
            others = (_EXTENSION.sub(rf"_{number}\g<0>", request.name, count=1) for number in numbers)
            names[asked] = next(other for other in others if other.casefold() not in taken) if names else request.name
            taken.add(names[asked].casefold())
        if names[asked] != request.name:
            note = f"{_shown(table.source)}:{table.lines[index]}: {request.name} is the name of an earlier row too: "
            table.notes.append(f"{note}this one's files are called {names[asked]}.")
            table.requests[index] = replace(request, name=names[asked])
    if len(table.notes) > _MOST_SHOWN:
        table.notes[_MOST_SHOWN:] = [f"{len(table.notes) - _MOST_SHOWN} further rows have names of earlier ones."]


def _cell(column: str, row: Mapping[str, Any]) -> str:
    value = row[_column(column, row)]
    text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
    if not text:
        raise InvalidRequestError(f"the column {column} is empty.")
    return text


def _column(wanted: str, row: Mapping[str, Any]) -> str:
    """Return a column as the file writes it, whatever the case of its letters."""
    found = [column for column in row if column.casefold() == wanted.strip().casefold()]
    if not found:
        meant = get_close_matches(wanted.casefold(), [column.casefold() for column in row], n=1)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        raise InvalidRequestError(f"there is no column {wanted or '{}'}.{hint} The columns are: {', '.join(row)}.")
    return wanted if wanted in row else found[0]


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Read "KEY=VALUE"s; one that has no key or no equals sign is an `InvalidRequestError`."""
    metadata = {}
    for label in labels:
        key, equals, value = label.partition("=")
        if not equals or not key.strip():
            raise InvalidRequestError(f"--label {label!r} cannot be read: write KEY=VALUE.")
        metadata[key.strip()] = value
    return metadata


def _shown(source: str) -> str:
    return "Standard input" if source == _STANDARD else source


def _read(source: str) -> str:
    if source == _STANDARD and sys.stdin is None:
        raise InvalidRequestError("Standard input is closed: pipe the prompts in, or name a file with them.")
    try:
        data = sys.stdin.buffer.read() if source == _STANDARD else Path(source).read_bytes()
    except OSError as error:
        raise InvalidRequestError(f"Cannot read {source}: {error.strerror}. Name a file with prompts.") from None
    if data.startswith(_SPREADSHEETS):
        raise InvalidRequestError(f"{_shown(source)} is a spreadsheet: export it. {_IN_EXCEL}")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        wrong = text.find("\0")  # UTF-16 without its mark has one in every other place
    except UnicodeDecodeError as error:
        wrong = error.start
    if wrong < 0:
        return text
    line = data.count(b"\n", 0, wrong) + 1
    raise InvalidRequestError(f"{_shown(source)} is not UTF-8 text (line {line}): save it as UTF-8. {_IN_EXCEL}")


def _kind(source: str, text: str, *, needs_prompt: bool) -> str:
    suffix = Path(source).suffix.lower()
    if source != _STANDARD:
        kinds = {".txt": "txt", ".csv": "csv", ".tsv": "csv", ".json": "jsonl", ".jsonl": "jsonl", ".ndjson": "jsonl"}
        if suffix in kinds or not suffix:
            return kinds.get(suffix, "txt")
        raise InvalidRequestError(f"{source} is no .txt, .csv or .jsonl file: rename it, or pipe it in with -.")
    first = next(filter(str.strip, text.splitlines()), "")
    if first.lstrip().startswith(("{", "[")):
        return "jsonl"
    columns = [column.strip().strip('"').lower() for column in re.split("[,;\t]", first)]
    return "csv" if "prompt" in columns or first.startswith("sep=") or not needs_prompt else "txt"


def _rows(text: str, kind: str, *, needs_prompt: bool) -> Iterator[tuple[int, dict[str, Any] | InvalidRequestError]]:
    """Yield each row with the number of the line where it begins."""
    if kind == "csv":
        yield from _csv_rows(text, needs_prompt=needs_prompt)
        return
    if kind == "jsonl" and text.lstrip().startswith("["):
        array = _json_row(f'{{"rows": {text}}}')
        rows = array if isinstance(array, Exception) else array["rows"]
        yield from enumerate(map(_json_object, rows), 1) if isinstance(rows, list) else [(1, rows)]
        return
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip() or (kind == "txt" and line.lstrip().startswith("#")):
            continue
        yield number, {"prompt": line.strip()} if kind == "txt" else _json_row(line)


def _json_row(line: str) -> dict[str, Any] | InvalidRequestError:
    try:
        row = json.loads(line)
    except ValueError as error:
        return InvalidRequestError(f"it is no JSON ({error}).")
    except RecursionError:
        return InvalidRequestError("it is nested too deeply.")
    return _json_object(row)


def _json_object(row: object) -> dict[str, Any] | InvalidRequestError:
    if isinstance(row, str):
        return {"prompt": row}
    return row if isinstance(row, dict) else InvalidRequestError("it is no JSON object.")


def _csv_rows(text: str, *, needs_prompt: bool) -> Iterator[tuple[int, dict[str, Any] | InvalidRequestError]]:
    said = re.match(r"sep=(.)\r?\n", text)  # as Excel writes it, and leaves out of the table
    line = first = 2 if said else 1
    text = text[said.end() :] if said else text
    head = re.sub('"[^"]*"', "", text.split("\n", 1)[0])
    delimiter = said[1] if said else "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    while True:
        try:
            cells = next(records, [] if names is None else None)
            if cells is None:
                return
            if names is None:
                names = _column_names(cells, needs_prompt=needs_prompt)
            elif any(cell.strip() for cell in cells):
                yield line, _csv_row(names, cells)
        except csv.Error as error:
            yield line, InvalidRequestError(f"it is no CSV ({error}): check its quotes.")
        except InvalidRequestError as error:
            yield line, error
        if names is None:
            return
        line = records.line_num + first


def _column_names(columns: Iterable[str], *, needs_prompt: bool) -> list[str]:
    known = {*TEXTS, *NUMBERS}
    names = [column.lower() if column.lower() in known else column for column in map(str.strip, columns)]
    if "prompt" not in names and needs_prompt:
        there = ", ".join(filter(None, names))
        raise InvalidRequestError(
            f"there is no column called prompt. The columns are: {there}. Name one with --prompt-column, or make the "
            "prompt of them, as in --prompt 'Photo of {title}'."
        )
    for name, times in Counter(names).items():
        if name and times > 1:
            raise InvalidRequestError(f"there are {times} columns called {name}: leave one, or rename them.")
    return names


def _csv_row(names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    if len(cells) > len(names):
        raise InvalidRequestError(f"it has {len(cells)} cells, and there are {len(names)} columns.")
    for number, (name, cell) in enumerate(zip(names, cells, strict=False), 1):
        if cell.strip() and not name:
            raise InvalidRequestError(f"column {number} has no name, and a cell here: name it in line 1.")
    # An apostrophe that keeps a spreadsheet from taking a cell for a formula is no part of it.
    return {name: _HARMLESS.sub("", cell, count=1) for name, cell in zip(names, cells, strict=False) if name}
