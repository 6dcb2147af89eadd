"""`ionos-openai doctor`: the checks as a table."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING

from ionos_openai.cli.doctor.checks import Check, examine, parse_duration
from ionos_openai.cli.terminal.exits import worst
from ionos_openai.cli.terminal.output import one_line, plain_table
from ionos_openai.errors.masking import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table
    from rich.text import Text

    from ionos_openai.cli.doctor.checks import State
    from ionos_openai.cli.terminal.options import Connection
    from ionos_openai.cli.terminal.output import Terminal

_SYMBOLS = {"good": ("✓", "green"), "note": ("·", "dim"), "warning": ("!", "yellow"), "broken": ("✗", "red")}
_COUNTED: dict[State, str] = {"broken": "broken", "warning": "to look at"}


def show(connection: Connection, terminal: Terminal, *, offline: bool, min_validity: str) -> int:
    """Look at everything and tell what was found; return the exit code: the worst one of what is broken."""
    validity = parse_duration(min_validity)
    with terminal.waiting("Looking around"):
        checks = list(examine(connection, offline=offline, min_validity=validity))
    code = worst(check.exit_code for check in checks)
    sandbox = any(check.name == "sandbox" for check in checks)
    show_checks(checks, terminal, {"exit_code": code}, sandbox=sandbox)
    return code


def show_checks(
    checks: Sequence[Check], terminal: Terminal, further: Mapping[str, object], *, sandbox: bool = False
) -> None:
    """Print what was found, without any secret or control character, and in the document further facts."""
    checks = [_clean(check) for check in checks]
    terminal.result(
        {"sandbox": sandbox, "checks": [dataclasses.asdict(check) for check in checks], **further},
        ([check.state, check.name, check.text, check.remedy or "-"] for check in checks),
        lambda: _shown(checks),
    )


def _clean(check: Check) -> Check:
    text, remedy = (one_line(mask_secrets(words)) for words in (check.text, check.remedy))
    return dataclasses.replace(check, text=text, remedy=remedy)


def _shown(checks: Sequence[Check]) -> Iterator[Table | Text]:
    from rich.text import Text

    table = plain_table(("", "", ""))
    table.show_header = False
    table.columns[1].style = "bold"
    draws_symbols = "utf" in (sys.stdout.encoding or "").lower()
    for check in checks:
        symbol, style = _SYMBOLS[check.state]
        state = Text(f"{symbol} {check.state}" if draws_symbols else check.state, style=f"bold {style}")
        remedy = f"\n{check.remedy}" if check.remedy else ""
        table.add_row(state, check.name, Text.assemble(check.text, (remedy, style)))
    yield table
    states = Counter(check.state for check in checks)
    counts = [f"{states[state]} {words}" for state, words in _COUNTED.items() if states[state]]
    yield Text(f"\n{', '.join(counts) or 'All good'}.", style="bold")
