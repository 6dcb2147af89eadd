"""`ionos-openai costs`: what batches have cost, by their records."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ionos_openai.batch.costs import Sum, summarise
from ionos_openai.batch.records import MANIFEST, read_manifest
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import visible
from ionos_openai.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ionos_openai.batch.records import Record
    from ionos_openai.cli.terminal.output import Terminal

_COLUMNS = ("pictures", "cost", "unknown_price", "placeholders", "failed")


def show(directories: Sequence[str], terminal: Terminal, *, by: str | None, as_csv: bool) -> int:
    """Print the sums.

    Raises:
        InvalidRequestError: A directory has no record, or it cannot be read.
    """
    sums = summarise((entry for one in directories for entry in _entries(one)), by=by)
    rows = [[group, *_cells(one)] for group, one in sorted(sums.items())]
    if terminal.json:
        groups = [{"group": group, **_facts(one)} for group, one in sorted(sums.items())]
        terminal.document({"by": by, "groups": groups})
        return MADE
    head = [by or "", *_COLUMNS] if by else list(_COLUMNS)
    lines = rows if by else [row[1:] for row in rows]
    if as_csv:
        for cells in [head, *lines]:
            terminal.row([_csv_line(cells)])
        return MADE
    head, *lines = [[visible(cell) for cell in cells] for cells in [head, *lines]]
    if terminal.pretty:
        _print_table(head, lines, terminal)
    else:
        for cells in [head, *lines]:
            terminal.row(cells)
    return MADE


def _entries(directory: str) -> list[Record]:
    try:
        return list(read_manifest(directory))
    except OSError as error:
        problem = f"Cannot read {directory}/{MANIFEST}: {error.strerror}. Name the directory of a batch."
        raise InvalidRequestError(problem) from None


def _cells(one: Sum) -> list[str]:
    return [
        str(one.pictures),
        one.cost(),
        *(str(number) for number in (one.unknown_price, one.placeholders, one.failed)),
    ]


def _facts(one: Sum) -> dict[str, object]:
    amounts = [{"amount": f"{amount:f}", "currency": currency} for currency, amount in sorted(one.amounts.items())]
    numbers = {name: getattr(one, name) for name in ("pictures", "unknown_price", "placeholders", "failed")}
    return {**numbers, "costs": amounts}


def _csv_line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so that cells with either of the two are quoted
    return text.getvalue().removesuffix("\r\n")


def _print_table(head: Sequence[str], lines: Sequence[Sequence[str]], terminal: Terminal) -> None:
    from rich.table import Table

    table = Table(*[name.replace("_", " ") for name in head])
    for line in lines:
        table.add_row(*line)
    terminal.table(table)
