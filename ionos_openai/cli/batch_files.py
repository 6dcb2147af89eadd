"""The prompts of a batch out of a file: a prompt a line, CSV with columns, or JSON lines.

Everything is read and checked before anything is sent; each bad row is named with its line.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionos_openai.batch.request import NUMBERS, TEXTS, check, complete, read_row
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ionos_openai.batch import ImageRequest

_STANDARD = "-"
_MOST_SHOWN = 20


def read_requests(
    source: str, labels: Mapping[str, str], *, model: str, size: str | None, n: int
) -> list[ImageRequest]:
    """Read the prompts of a file, each with the labels as further metadata.

    Args:
        source: A path that ends in .txt, .csv or .jsonl, or "-" for standard input, whose kind is found out.
        labels: Metadata for each prompt; a column of the same name comes before them.
        model: The id of the model for rows without one.
        size: "WIDTHxHEIGHT" in px for rows without one.
        n: How many pictures for rows that do not say.

    Raises:
        InvalidRequestError: The file cannot be read, or has rows that cannot work; all of them are named.
    """
    text = _read(source)
    requests, problems = [], []
    for line, row in _rows(text, _kind(source, text)):
        try:
            if isinstance(row, Exception):
                raise row
            request = read_row(row, labels, n)
            check(complete(request, model=model, size=size))
            requests.append(request)
        except InvalidRequestError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        told = problems[:_MOST_SHOWN]
        told += [f"And {len(problems) - _MOST_SHOWN} more."] if len(problems) > _MOST_SHOWN else []
        counted = plural(len(problems), "bad row")
        raise InvalidRequestError(f"Nothing was sent: {_shown(source)} has {counted}. {' '.join(told)}")
    if not requests:
        raise InvalidRequestError(f"{_shown(source)} has no prompts: write one a line.")
    return requests


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Read "KEY=VALUE"s.

    Raises:
        InvalidRequestError: One has no key or no equals sign.
    """
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
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise InvalidRequestError(f"{_shown(source)} is not UTF-8 text (line {line}): save it as UTF-8.")


def _kind(source: str, text: str) -> str:
    suffix = Path(source).suffix.lower()
    if source != _STANDARD:
        kinds = {".txt": "txt", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", "": "txt"}
        if suffix in kinds:
            return kinds[suffix]
        raise InvalidRequestError(f"{source} is no .txt, .csv or .jsonl file: rename it, or pipe it in with -.")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        return "jsonl"
    columns = [column.strip().strip('"').lower() for column in first.replace(";", ",").split(",")]
    return "csv" if "prompt" in columns else "txt"


def _rows(text: str, kind: str) -> Iterator[tuple[int, dict[str, Any] | InvalidRequestError]]:
    """Yield each row with the number of the line where it begins."""
    if kind == "csv":
        yield from _csv_rows(text)
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
    if isinstance(row, str):
        return {"prompt": row}
    return row if isinstance(row, dict) else InvalidRequestError("it is no JSON object.")


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | InvalidRequestError]]:
    records = _csv_records(text)
    line, head = next(records, (1, []))
    names = head if isinstance(head, InvalidRequestError) else _column_names(head)
    if isinstance(names, InvalidRequestError):
        yield line, names
        return
    for line, cells in records:
        if isinstance(cells, InvalidRequestError):
            yield line, cells
        elif any(cell.strip() for cell in cells):
            yield line, _csv_row(names, cells)


def _csv_records(text: str) -> Iterator[tuple[int, list[str] | InvalidRequestError]]:
    """Yield the cells of each record, or why it has none, with the number of the line where it begins."""
    head = text.split("\n", 1)[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            yield line, next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, InvalidRequestError(f"it is no CSV ({error}): check its quotes.")
        line = records.line_num + 1


def _column_names(columns: Iterable[str]) -> list[str] | InvalidRequestError:
    known = {*TEXTS, *NUMBERS}
    names = [column.lower() if column.lower() in known else column for column in map(str.strip, columns)]
    if "prompt" not in names:
        return InvalidRequestError("there is no column called prompt.")
    for name, times in Counter(names).items():
        if name and times > 1:
            return InvalidRequestError(f"there are {times} columns called {name}: leave one, or rename them.")
    return names


def _csv_row(names: Sequence[str], cells: Sequence[str]) -> dict[str, Any] | InvalidRequestError:
    if len(cells) > len(names):
        return InvalidRequestError(f"it has {len(cells)} cells, and there are {len(names)} columns.")
    for number, (name, cell) in enumerate(zip(names, cells, strict=False), 1):
        if cell.strip() and not name:
            return InvalidRequestError(f"column {number} has no name, and a cell here: name it in line 1.")
    return {name: cell for name, cell in zip(names, cells, strict=False) if name}
