"""The live line: a bar, and how far it is in words, cut to the terminal's width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console, RenderableType


class LiveLine(Progress):
    """rich's display, which asks by itself how far it is, four times a second."""

    def __init__(self, console: Console, read: Callable[[], tuple[int, int | None, str]]) -> None:
        """Ask `read` for how many are done, of how many, and further words."""
        self._read = read
        words = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        super().__init__(BarColumn(16), words, console=console, transient=True, refresh_per_second=4)
        self.add_task("")

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the line as it is now."""
        for task in self.task_ids:
            done, total, words = self._read()
            share = f"{done * 100 // total if total else 0:3}%  {done} of {total}" if total is not None else str(done)
            self.update(task, completed=done, total=total, description=", ".join(filter(None, (share, words))))
        return super().get_renderables()
