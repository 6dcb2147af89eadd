"""A batch's own manifest: `manifest.jsonl`, a JSON object a line, only ever appended to, synced before a result counts.

What a process that died left torn at the end is cut off before the next line. Any other line that cannot be read is
noted: the pictures that it was about would be bought again. What the lines say, `records` reads.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ionos_openai.batch.records import LONGEST_LINE, MANIFEST, Record, each_line, is_json, read_line
from ionos_openai.batch.request import identify
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.opening import open_own
from ionos_openai.files.writing import sync_file

# As every line of a batch begins, so that most lines need not be parsed to find them again.
_START = re.compile(rb'\{"id": "([0-9a-f]{24})(?:-(\d{1,18}))?", "status": "(\w+)"')
_BLOCK = 1 << 16


class Manifest:
    """A directory's manifest, opened to look up what is recorded and to record more. One process at a time.

    Where each prompt's newest line is takes 100 to 135 bytes of memory a prompt.

    Attributes:
        damaged: The numbers of the lines, from 1, that cannot be read; none where a last one was cut off.
    """

    def __init__(self, directory: Path) -> None:
        """Open the manifest, mend its end, and note where its lines are.

        Raises:
            ImageSaveError: It cannot be opened or read.
        """
        self.path = directory / MANIFEST
        self.damaged: list[int] = []
        self._places: dict[int, int] = {}  # twice the offset, and 1 more where it is no failure
        try:
            with contextlib.ExitStack() as opened:
                self._handle = open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
                opened.callback(os.close, self._handle)
                lines = os.fdopen(open_own(self.path, os.O_RDONLY), "rb", buffering=_BLOCK)
                self._lines = opened.enter_context(lines)
                self._size = self._mend()
                self._read()
                self._closing = weakref.finalize(self, opened.pop_all().close)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def close(self) -> None:
        """Close the files; again is harmless."""
        self._handle = -1  # so that a thread that comes late writes into no other file that has this number by then
        self._closing()

    def place(self, digest: str, occurrence: int) -> int | None:
        """Return where a prompt's newest line is, an odd number where it is no failure; None where it has none."""
        return self._places.get(_key(digest, occurrence))

    def read(self, place: int, digest: str, occurrence: int) -> Record | None:
        """Return a prompt's line at a place; None where it cannot be read."""
        self._lines.seek(place >> 1)
        record = read_line(self._lines.readline(LONGEST_LINE))
        return record if record is not None and record.id == identify(digest, occurrence) else None

    def append(self, entry: Mapping[str, object], *, sync: bool = True) -> None:
        """Write one line, whole or not at all, and by default wait until it is on the disk.

        Raises:
            ImageSaveError: It cannot be written.
        """
        line = _encode(entry)
        self.check()
        try:
            self._write(line)
            if sync:
                sync_file(self._handle)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def check(self) -> None:
        """See that the file is still what it was when its last line was written.

        Raises:
            ImageSaveError: It was deleted, moved away with its directory, replaced, cut off or written to.
        """
        try:
            there, ours = self.path.stat(), os.fstat(self._handle)
        except OSError as error:
            raise _unusable(self.path, error) from error
        why = None
        if (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
            why = "it was moved or replaced"
        elif ours.st_size != self._size:
            why = "something else has written into it or cut it off"
        if why:
            raise _unusable(self.path, OSError(errno.ENOENT, why))

    def _write(self, line: bytes) -> None:
        try:
            written = 0
            while written < len(line):
                written += os.write(self._handle, line[written:])
        except BaseException:  # Ctrl-C too
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(line)  # also where it then cannot be synced: later lines stand behind it

    def _mend(self) -> int:
        """Cut off a last line that was never finished, or cannot be read; return the file's size."""
        size = os.fstat(self._handle).st_size
        start = _last_line(self._lines, size)
        self._lines.seek(start)
        line = self._lines.read(min(size - start, LONGEST_LINE + 1))
        if line.strip() and not is_json(line):
            os.ftruncate(self._handle, start)
            return start
        if not line or line.endswith(b"\n"):
            return size
        os.write(self._handle, b"\n")
        return size + 1

    def _read(self) -> None:
        self._lines.seek(0)
        offset, match, places = 0, _START.match, self._places
        for number, (line, size) in enumerate(each_line(self._lines), 1):
            found = match(line) if line.endswith(b"}\n") else None
            found = found or match(_rewritten(line))
            if found is not None:
                places[_key(found[1], int(found[2] or 1))] = offset << 1 | (found[3] != b"failed")
            elif line.strip() and read_line(line) is None:
                self.damaged.append(number)
            offset += size


def _key(digest: str | bytes, occurrence: int) -> int:
    """Return the number that stands for an id: it takes half the memory of its text."""
    return int(digest, 16) | (occurrence - 1) << 96


def _rewritten(line: bytes) -> bytes:
    """Return how a batch writes the beginning of a line that something else has written."""
    record = read_line(line)
    if record is None:
        return b""
    return _encode({"id": record.id, "status": "failed" if record.status == "failed" else "done"})


def _last_line(lines: Any, size: int) -> int:
    """Return where the last line begins, whether it is finished or not."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        lines.seek(start)
        found = lines.read(end - start).rfind(b"\n", 0, size - 1 - start)
        if found >= 0:
            return start + int(found) + 1
        end = start
    return 0


def _encode(entry: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can only spell out
        return json.dumps(entry).encode() + b"\n"


def _unusable(path: Path, error: OSError) -> ImageSaveError:
    wrapped = ImageSaveError(
        f"Cannot use the record {path}: {error.strerror or error}. What is saved stays; mend that, and run it again."
    )
    wrapped.errno = error.errno
    return wrapped
