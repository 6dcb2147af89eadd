"""`ionos-openai costs` and `results`: what batches have cost, and what became of each request, by their records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ionos_openai import errors
from ionos_openai.batch.costs import summarise
from ionos_openai.batch.records import MANIFEST, Record, read_manifest
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import Terminal, csv_line, plain_table, visible
from ionos_openai.cli.terminal.prompts import expand
from ionos_openai.files.buckets import is_url
from ionos_openai.hub.prices import Money

_SUMS = ("pictures", "cost", "unknown_price", "placeholders", "failed")
_ASKED = ("prompt", "model", "size", "n", "name", "seed")
_COLUMNS = ("file", "prompt", "model", "size", "status", "cost", "error")
_ON_SCREEN = ("file", "status", "cost", "prompt", "error")


def show_costs(directories: Sequence[str], terminal: Terminal, *, by: str | None, as_csv: bool) -> int:
    """Print the sums; a directory without a record that can be read is an error."""
    records = (record for directory in expand(directories) for record in _entries(directory))
    groups, lines = list[dict[str, object]](), [[by or "", *_SUMS]]
    for group, total in sorted(summarise(records, by=by).items()):
        counts: dict[str, object] = {"pictures": total.pictures, "unknown_price": total.unknown_price}
        counts |= {"placeholders": total.placeholders, "failed": total.failed}
        amounts = sorted(total.amounts.items())
        costs = [Money(amount=amount, currency=currency).facts() for currency, amount in amounts]
        groups.append({"group": group, **counts, "costs": costs})
        lines.append([group, *(str(counts.get(name, total.cost())) for name in _SUMS)])
    lines = lines if by else [cells[1:] for cells in lines]
    if as_csv:
        for cells in lines:
            terminal.row([csv_line(cells)])
        return MADE
    rows = [[visible(cell) for cell in cells] for cells in lines]
    terminal.result(
        {"by": by, "groups": groups},
        rows,
        lambda: [plain_table([name.replace("_", " ") for name in rows[0]], rows[1:])],
    )
    return MADE


def _entries(directory: str) -> list[Record]:
    if is_url(directory):
        from ionos_openai.batch.bucket import read_history  # which loads the SDK

        return list(read_history(directory))
    try:
        return list(read_manifest(directory))
    except OSError as error:
        problem = f"Cannot read {directory}/{MANIFEST}: {error.strerror}. Name the directory of a batch."
        raise errors.InvalidRequestError(problem) from None


def show_results(
    directory: str, terminal: Terminal, *, every: bool, failed: bool, as_csv: bool, for_excel: bool
) -> int:
    """Print a row for each request, in the order in which they were first recorded."""
    from ionos_openai.batch.bucket import read_newest  # which loads the SDK

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
