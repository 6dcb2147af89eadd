"""What is to be made once more, noted in the directory: the same call goes on where such a run was cut short."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from datetime import UTC, datetime

from ionos_openai.batch.stored import Store

REDO = ".ionos-batch.redo"


class Redo:
    """The names to be made once more.

    Attributes:
        names: The names, of files or requests.
        since: When their making began, in ISO 8601, where a run with the same names was cut short; pictures recorded
            from then on are made once more already. None where none was.
    """

    def __init__(self, store: Store, names: Collection[str]) -> None:
        """Look for a note of the same names."""
        self.names = frozenset({names} if isinstance(names, str) else names)
        self.since: str | None = None
        self._store = store
        self._is_noted = False
        note: object = None
        if self.names:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                note = json.loads(store.read(REDO))
        if isinstance(note, dict) and note.get("names") == sorted(self.names) and isinstance(note.get("started"), str):
            self.since, self._is_noted = note["started"], True

    def begin(self) -> None:
        """Leave a note, before the first picture is made once more.

        Raises:
            ImageSaveError: It cannot be written.
        """
        if not self._is_noted:
            note = {"started": datetime.now(UTC).isoformat(timespec="microseconds"), "names": sorted(self.names)}
            self._store.note(REDO, json.dumps(note).encode())
            self._is_noted = True

    def is_made(self, started: str | None) -> bool:
        """Tell whether what was begun then belongs to the run that was cut short."""
        return self.since is not None and started is not None and started >= self.since

    def finish(self) -> None:
        """Forget the note: all of it is made."""
        if self._is_noted:
            self._store.note(REDO, None)
