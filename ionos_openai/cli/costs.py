"""`ionos-openai costs`: what batches have cost, by their records."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ionos_openai.batch.manifest import MANIFEST, read_manifest
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import visible
from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.prices import read_money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ionos_openai.batch.manifest import Entry
    from ionos_openai.cli.terminal.output import Terminal

_COLUMNS = ("pictures", "cost", "unknown_price", "placeholders", "failed")


@dataclass(slots=True)
class Sum:
    """What a group of prompts comes to.

    Attributes:
        pictures: How many were made, placeholders not counted.
        amounts: What they cost, by currency.
        unknown_price: How many of them have no known price.
        placeholders: How many pictures are the stand-in's.
        failed: How many prompts have failed at last.
    """

    pictures: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    unknown_price: int = 0
    placeholders: int = 0
    failed: int = 0

    def add(self, made: int, entry: Entry) -> None:
        """Add the pictures that a run made of a prompt."""
        if entry.get("sandbox"):
            self.placeholders += made
            return
        self.pictures += made
        cost = read_money(entry.get("cost"))
        if cost is None:
            self.unknown_price += made
        else:
            self.amounts[cost.currency] = self.amounts.get(cost.currency, Decimal(0)) + cost.amount

    def cost(self) -> str:
        """Return the amounts as a phrase; "unknown" where there is none and some price is not known."""
        known = " + ".join(f"{amount:f} {currency}" for currency, amount in sorted(self.amounts.items()))
        return known or ("unknown" if self.unknown_price else "0")


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


def summarise(entries: Iterable[Entry], *, by: str | None) -> dict[str, Sum]:
    """Sum the lines of records, oldest first.

    Args:
        entries: The lines. Later ones about the same work of one run supersede earlier ones; work of another run
            on the same prompt adds to it.
        by: A metadata column, or "model"; None puts all into one group.

    Returns:
        The sums by the column's value, "" for prompts without one; at least one group.
    """
    work: dict[tuple[str, str], tuple[str, int, Entry]] = {}
    files: dict[str, set[str]] = defaultdict(set)
    states: dict[str, tuple[str, str]] = {}
    for entry in entries:
        pictures = entry.get("files") or []
        if not isinstance(pictures, list):
            continue  # the line is damaged
        group, identifier = _group(entry, by), f"{entry.get('_directory', '')}\0{entry['id']}"
        names = {str(one.get("name")) for one in pictures if isinstance(one, dict)}
        key = (identifier, str(entry.get("started")))
        new = names - files[identifier]
        files[identifier] |= names
        before = work[key][1] if key in work else 0
        work[key] = (group, before + len(new), entry)
        states[identifier] = (group, str(entry.get("status")))
    sums: dict[str, Sum] = defaultdict(Sum)
    for group, made, entry in work.values():
        sums[group].add(made, entry)
    for group, status in states.values():
        sums[group].failed += status == "failed"
    return dict(sums) or {"": Sum()}


def _entries(directory: str) -> list[Entry]:
    try:
        entries = list(read_manifest(directory))
    except OSError as error:
        problem = f"Cannot read {directory}/{MANIFEST}: {error.strerror}. Name the directory of a batch."
        raise InvalidRequestError(problem) from None
    place = str(Path(directory).resolve())  # a directory that is named twice counts once
    return [{**entry, "_directory": place} for entry in entries]


def _group(entry: Entry, by: str | None) -> str:
    if by is None:
        return ""
    metadata, request = entry.get("metadata"), entry.get("request")
    value = metadata.get(by) if isinstance(metadata, dict) else None
    if value is None and by == "model" and isinstance(request, dict):
        value = request.get("model")
    text = "" if value is None else str(value)
    return text.encode(errors="backslashreplace").decode()  # half a surrogate pair cannot be printed


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
