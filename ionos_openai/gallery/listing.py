"""The picture files of a directory, and how to tell that one has changed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ionos_openai.batch.records import Problem
from ionos_openai.files.formats import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg"})

Stamp: TypeAlias = tuple[int, ...]
"""Size in bytes and time of change in ns, of a picture and then of its sidecars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The picture files of a directory.

    Attributes:
        stamps: By name and in the order of the names, what changes when the file or its sidecar does.
        problems: What has the name of a picture and is no file.
    """

    stamps: Mapping[str, Stamp]
    problems: tuple[Problem, ...]


def list_pictures(folder: Path) -> Listing:
    """List the files that are pictures by their extension; hidden ones are left out.

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
        try:
            about = entries[name].stat()
            beside = [entries[one].stat() for one in (f"{stem}.xmp", f"{name}.xmp") if one in entries]
        except OSError as error:
            problems.append(Problem(name=name, message=f"it cannot be read: {error.strerror}"))
            continue
        if stat.S_ISREG(about.st_mode):
            stamps[name] = tuple(number for one in (about, *beside) for number in (one.st_size, one.st_mtime_ns))
        else:  # Opening a pipe would wait for ever.
            problems.append(Problem(name=name, message=f"it is {_kind(about.st_mode)}"))
    return Listing(stamps=stamps, problems=tuple(problems))


def _kind(mode: int) -> str:
    return "a directory" if stat.S_ISDIR(mode) else "no regular file"
