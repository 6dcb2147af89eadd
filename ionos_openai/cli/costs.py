"""`ionos-openai costs`: what batches have cost, by their records."""

from __future__ import annotations

from collections.abc import Sequence

from ionos_openai import errors
from ionos_openai.batch.costs import Sum, summarise
from ionos_openai.batch.records import MANIFEST, Record, read_manifest
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import Terminal, csv_line, plain_table, visible
from ionos_openai.cli.terminal.prompts import expand
from ionos_openai.files.buckets import is_url
from ionos_openai.hub.prices import Money

_COLUMNS = ("pictures", "cost", "unknown_price", "placeholders", "failed")


def show(directories: Sequence[str], terminal: Terminal, *, by: str | None, as_csv: bool) -> int:
    """Print the sums; a directory without a record that can be read is an error."""
    records = (record for directory in expand(directories) for record in _entries(directory))
    sums = sorted(summarise(records, by=by).items())
    lines = [[by or "", *_COLUMNS], *([group, *map(str, _cells(total))] for group, total in sums)]
    lines = lines if by else [cells[1:] for cells in lines]
    if as_csv:
        for cells in lines:
            terminal.row([csv_line(cells)])
        return MADE
    rows = [[visible(cell) for cell in cells] for cells in lines]
    groups = [{"group": group, **_facts(total)} for group, total in sums]
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


def _cells(total: Sum) -> tuple[object, ...]:
    return total.pictures, total.cost(), total.unknown_price, total.placeholders, total.failed


def _facts(total: Sum) -> dict[str, object]:
    amounts = [Money(amount=amount, currency=currency).facts() for currency, amount in sorted(total.amounts.items())]
    return {name: cell for name, cell in zip(_COLUMNS, _cells(total), strict=True) if name != "cost"} | {
        "costs": amounts
    }
