"""`ionos-openai doctor`: the checks as a table."""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ionos_openai.cli.doctor.checks import Check, Look, examine, parse_duration
from ionos_openai.cli.terminal.exits import worst
from ionos_openai.cli.terminal.output import one_line
from ionos_openai.errors.masking import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ionos_openai.cli.terminal.options import Connection
    from ionos_openai.cli.terminal.output import Terminal

_SYMBOLS = {"good": "✓", "note": "·", "warning": "!", "broken": "✗"}
_STYLES = {"good": "green", "note": "dim", "warning": "yellow", "broken": "red"}


def show(connection: Connection, terminal: Terminal, *, offline: bool, min_validity: str) -> int:
    """Look at everything and tell what was found.

    Returns:
        The exit code: 0 where nothing is broken, else the worst one of what is.

    Raises:
        InvalidRequestError: `min_validity` cannot be read.
    """
    look = Look(
        connection=connection, offline=offline, min_validity=parse_duration(min_validity), now=datetime.now(UTC)
    )
    with terminal.waiting("Looking around"):
        checks = [_clean(check) for check in examine(look)]
    code = worst(check.exit_code for check in checks)
    if terminal.json:
        terminal.document(
            {
                "sandbox": any(check.name == "stand-in" for check in checks),
                "checks": [dataclasses.asdict(check) for check in checks],
                "exit_code": code,
            }
        )
    elif terminal.pretty:
        _print_table(terminal, checks)
    else:
        for check in checks:
            terminal.row([check.state, check.name, check.text, check.remedy or "-"])
    return code


def _clean(check: Check) -> Check:
    return dataclasses.replace(
        check, text=one_line(mask_secrets(check.text)), remedy=one_line(mask_secrets(check.remedy))
    )


def _print_table(terminal: Terminal, checks: Sequence[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    draws_symbols = "utf" in (sys.stdout.encoding or "").lower()
    for check in checks:
        symbol = f"{_SYMBOLS[check.state]} " if draws_symbols else ""
        state = Text(f"{symbol}{check.state}", style=f"bold {_STYLES[check.state]}")
        text = Text(check.text)
        if check.remedy:
            text.append(f"\n{check.remedy}", style=_STYLES[check.state])
        table.add_row(state, check.name, text)
    terminal.table(table)
    terminal.text(Text(_summary(checks), style="bold"))


def _summary(checks: Sequence[Check]) -> str:
    broken = sum(check.state == "broken" for check in checks)
    warnings = sum(check.state == "warning" for check in checks)
    counts = [f"{broken} broken"] * bool(broken) + [f"{warnings} to look at"] * bool(warnings)
    return f"\n{', '.join(counts).capitalize()}." if counts else "\nAll good."
