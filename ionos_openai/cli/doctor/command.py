"""`ionos-openai doctor`: the checks as a table."""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ionos_openai.cli.doctor.checks import Check, Look, examine, parse_duration
from ionos_openai.cli.terminal.exits import worst
from ionos_openai.cli.terminal.output import one_line, plain_table
from ionos_openai.errors.masking import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table
    from rich.text import Text

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
    validity = parse_duration(min_validity)
    look = Look(connection=connection, offline=offline, min_validity=validity, now=datetime.now(UTC))
    with terminal.waiting("Looking around"):
        checks = [clean(check) for check in examine(look)]
    code = worst(check.exit_code for check in checks)
    sandbox = any(check.name == "stand-in" for check in checks)
    show_checks(checks, terminal, {"exit_code": code}, sandbox=sandbox)
    return code


def show_checks(
    checks: Sequence[Check], terminal: Terminal, further: Mapping[str, object], *, sandbox: bool = False
) -> None:
    """Print what was found, and in the document further facts."""
    terminal.result(
        {"sandbox": sandbox, "checks": [dataclasses.asdict(check) for check in checks], **further},
        ([check.state, check.name, check.text, check.remedy or "-"] for check in checks),
        lambda: _shown(checks),
    )


def clean(check: Check) -> Check:
    """Return a check as it can be shown: no secret, no control character."""
    text, remedy = (one_line(mask_secrets(words)) for words in (check.text, check.remedy))
    return dataclasses.replace(check, text=text, remedy=remedy)


def _shown(checks: Sequence[Check]) -> Iterator[Table | Text]:
    from rich.text import Text

    table = plain_table(("", "", ""))
    table.show_header = False
    table.columns[1].style = "bold"
    draws_symbols = "utf" in (sys.stdout.encoding or "").lower()
    for check in checks:
        symbol = f"{_SYMBOLS[check.state]} " if draws_symbols else ""
        state = Text(f"{symbol}{check.state}", style=f"bold {_STYLES[check.state]}")
        remedy = f"\n{check.remedy}" if check.remedy else ""
        table.add_row(state, check.name, Text.assemble(check.text, (remedy, _STYLES[check.state])))
    yield table
    yield Text(_summary(checks), style="bold")


def _summary(checks: Sequence[Check]) -> str:
    broken = sum(check.state == "broken" for check in checks)
    warnings = sum(check.state == "warning" for check in checks)
    counts = [f"{broken} broken"] * bool(broken) + [f"{warnings} to look at"] * bool(warnings)
    return f"\n{', '.join(counts).capitalize()}." if counts else "\nAll good."
