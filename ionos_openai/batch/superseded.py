"""Pictures that gave way: a prompt was corrected, and made once more under the same name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from ionos_openai.batch.bucket import open_store, read_history
from ionos_openai.batch.records import Record
from ionos_openai.errors import BatchRunningError, ImageSaveError


def supersede(directory: str | os.PathLike[str], asked: Collection[str]) -> list[Record]:
    """Record which pictures gave way to others of the same name, and which count again, as their prompt came back.

    `asked` are the ids of what is asked for now; what gave way this time is returned. Nothing is recorded where another
    run has begun; the next one does it.
    """
    newest: dict[str, tuple[str, str, int]] = {}
    for record in read_history(directory):
        if record.name is not None:
            newest[record.id] = (record.name.casefold(), record.status, hash(record.prompt))
    made: dict[str, set[int]] = {}
    for mark in newest.keys() & set(asked):
        name, status, prompt = newest[mark]
        if status != "failed":
            made.setdefault(name, set()).add(prompt)
    given_way, back = set[str](), set[str]()
    for mark, (name, status, prompt) in newest.items():
        if mark in asked and status == "superseded":
            back.add(mark)
        elif mark not in asked and status not in ("failed", "superseded") and prompt not in made.get(name, {prompt}):
            given_way.add(mark)
    if not given_way | back:
        return []
    records = {record.id: record for record in read_history(directory) if record.id in given_way | back}
    with contextlib.suppress(BatchRunningError, ImageSaveError), contextlib.closing(open_store(directory)) as store:
        for record in records.values():
            first = {"id": record.id, "status": "superseded" if record.id in given_way else "done"}
            store.append(first | {name: value for name, value in record.line.items() if name not in first})
        return [record for record in records.values() if record.id in given_way]
    return []
