"""`ionos-openai results`: what became of each request of a batch, with the columns of the user's own table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ionos_openai.batch.bucket import read_newest
from ionos_openai.batch.records import Record
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import Terminal, csv_line, plain_table, visible

_ASKED = ("prompt", "model", "size", "n", "name", "seed")
_COLUMNS = ("file", "prompt", "model", "size", "status", "cost", "error")
_ON_SCREEN = ("file", "status", "cost", "prompt", "error")


def show(directory: str, terminal: Terminal, *, every: bool, failed: bool, as_csv: bool, for_excel: bool) -> int:
    """Print a row for each request, in the order in which they were first recorded."""
    found = read_newest(directory)
    records = [record for record in found.records if every or record.status != "superseded"]
    if failed:
        records = [record for record in records if record.status == "failed"]
    own = list(dict.fromkeys(str(name) for record in records for name in record.metadata))
    if failed and not terminal.json:
        lines = [[*_ASKED, *own], *([*_asked(record), *_own(record, own)] for record in records)]
    else:
        lines = [[*own, *_COLUMNS], *([*_own(record, own), *_cells(record)] for record in records)]
    if (failed or as_csv or for_excel) and not terminal.json:
        mark = "\ufeff" if for_excel or (as_csv and os.name == "nt") else ""
        for cells in lines:
            terminal.row([mark + csv_line(cells)])
            mark = ""
        return MADE
    rows = [[visible(cell) or "-" for cell in cells] for cells in lines]
    document = {"directory": directory, "requests": [_facts(record) for record in records]}
    # What fits on a screen: the first column of one's own, and what came.
    columns = [*range(min(len(own), 1)), *(len(own) + _COLUMNS.index(name) for name in _ON_SCREEN)]
    head, *picked = ([cells[column] for column in columns] for cells in rows)
    terminal.result(document, rows, lambda: [plain_table(head, picked, folded=2)])
    for problem in found.problems:
        terminal.warn(f"{problem.name}: {problem.message}.")
    return MADE


def _own(record: Record, columns: Iterable[str]) -> list[str]:
    return [_text(record.metadata.get(column)) for column in columns]


def _cells(record: Record) -> list[str]:
    cost = str(record.cost or ("placeholder" if record.sandbox else ""))
    said = (record.prompt, record.model, record.size, record.status, cost, record.error)
    return [", ".join(record.names), *map(_text, said)]


def _asked(record: Record) -> Sequence[str]:
    request = record.line.get("request")
    return [_text(request.get(name)) if isinstance(request, dict) else "" for name in _ASKED]


def _facts(record: Record) -> dict[str, object]:
    return {
        "metadata": dict(record.metadata),
        "files": list(record.names),
        **{name: getattr(record, name) for name in ("id", "name", "prompt", "model", "size", "seed", "status")},
        "cost": record.cost and record.cost.facts(),
        "sandbox": record.sandbox,
        "error": record.error,
    }


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return text.encode(errors="backslashreplace").decode()  # half a surrogate pair cannot be printed
