"""The picture files of a directory, and how to tell that one has changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeAlias

from ionos_openai.batch.records import Problem
from ionos_openai.files.formats import EXTENSIONS

_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg"})

Stamp: TypeAlias = tuple[int, ...]
"""Size in bytes and time of change in ns, of a picture and then of its sidecars."""


def list_pictures(folder: Path) -> tuple[dict[str, Stamp], list[Problem]]:
    """List the files that are pictures by their extension; hidden ones are left out.

    Returns:
        By name and in the order of the names, what changes when the file or its sidecar does; and what has the name
        of a picture and is no file.

    Raises:
        OSError: The directory cannot be read.
    """
    with os.scandir(folder) as found:
        entries = {entry.name: entry for entry in found if not entry.name.startswith(".")}
    stamps: dict[str, Stamp] = {}
    problems: list[Problem] = []
    for name in sorted(entries):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  A Path for each of 100,000 names takes a second.
        if suffix.lower() not in _SUFFIXES:
            continue
        sidecars = [sidecar for sidecar in (f"{stem}.xmp", f"{name}.xmp") if sidecar in entries]
        try:
            facts = [entries[part].stat() for part in (name, *sidecars)]
        except OSError as error:
            problems.append(Problem(name=name, message=f"it cannot be read: {error.strerror}"))
            continue
        mode = facts[0].st_mode
        if stat.S_ISREG(mode):
            stamps[name] = tuple(number for fact in facts for number in (fact.st_size, fact.st_mtime_ns))
        else:  # Opening a pipe would wait for ever.
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            problems.append(Problem(name=name, message=f"it is {kind}"))
    return stamps, problems
