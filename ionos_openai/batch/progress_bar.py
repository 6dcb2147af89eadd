"""How far a batch is, as a bar in a notebook."""

from __future__ import annotations

import html
from importlib import import_module
from typing import Any


class ProgressBar:
    """A bar with a line in the output of the cell that runs, updated in place."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._line = ""
        self._handle: Any = None

    def show(self, line: str, done: int, total: int | None) -> None:
        """Show how far it is; without a total the bar only says that there is work going on."""
        if line == self._line:
            return
        self._line = line
        width = "" if total is None else f' value="{done}" max="{max(1, total)}"'
        bar = f'<progress{width} style="width:24em;vertical-align:middle"></progress> {html.escape(line)}'
        bundle = {"text/html": bar, "text/plain": line}
        if self._handle is None:
            self._handle = import_module("IPython.display").display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
