"""The picture files of a directory, and how to tell that one has changed."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TypeAlias

from ionos_openai.batch.records import Problem
from ionos_openai.files.formats import EXTENSIONS

_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg"})

Stamp: TypeAlias = tuple[int, ...]
"""Size in bytes and time of change in ns, of a picture and then of its sidecars."""


def list_folders(folder: Path, *, recursive: bool) -> tuple[list[str], int]:
    """Return the folders to look into, each with its slash and the folder itself as "", and how many are left out.

    No link is followed, and what is hidden is no folder of pictures.
    """
    found, left = [""], [""]
    while left:
        prefix = left.pop()
        with contextlib.suppress(OSError), os.scandir(folder / prefix) as entries:
            inside = [entry for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != "."]
            below = sorted(f"{prefix}{entry.name}/" for entry in inside)
            found += below
            left += below if recursive else []
    return (found, 0) if recursive else ([""], len([path for path in found[1:] if _has_pictures(folder / path)]))


def _has_pictures(folder: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(os.path.splitext(entry.name)[1].lower() in _SUFFIXES for entry in entries)  # noqa: PTH122
    return False


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
            facts = [entries[name].stat(), *(entries[sidecar].stat(follow_symlinks=False) for sidecar in sidecars)]
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
