"""A batch's own manifest: `manifest.jsonl`, a JSON object a line, only ever appended to, synced before a result counts.

What a process that died left torn at the end is cut off before the next line. What the lines say, `records` reads.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import weakref
from typing import TYPE_CHECKING, Any

from ionos_openai.batch.records import MANIFEST, Record, read_line
from ionos_openai.batch.request import identify
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.writing import sync_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# As every line of a batch begins, so that most lines need not be parsed to find them again.
_START = re.compile(rb'\{"id": "([0-9a-f]{24})(?:-(\d{1,18}))?", "status": "(\w+)"')
_BLOCK = 1 << 16


class Manifest:
    """A directory's manifest, opened to look up what is recorded and to record more. One process at a time.

    Where each prompt's newest line is takes 100 to 135 bytes of memory a prompt.
    """

    def __init__(self, directory: Path) -> None:
        """Open the manifest, mend its end, and note where its lines are.

        Raises:
            ImageSaveError: It cannot be opened or read.
        """
        self.path = directory / MANIFEST
        self._places: dict[int, int] = {}  # twice the offset, and 1 more where it is no failure
        try:
            with contextlib.ExitStack() as opened:
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
                self._handle = os.open(self.path, flags, 0o666)
                opened.callback(os.close, self._handle)
                self._lines = opened.enter_context(self.path.open("rb", buffering=_BLOCK))
                self._size = self._mend()
                self._read()
                self._closing = weakref.finalize(self, opened.pop_all().close)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def close(self) -> None:
        """Close the files; again is harmless."""
        self._closing()

    def place(self, digest: str, occurrence: int) -> int | None:
        """Return where a prompt's newest line is, an odd number where it is no failure; None where it has none."""
        return self._places.get(_key(digest, occurrence))

    def read(self, place: int, digest: str, occurrence: int) -> Record | None:
        """Return a prompt's line at a place; None where it cannot be read."""
        self._lines.seek(place >> 1)
        record = read_line(self._lines.readline())
        return record if record is not None and record.id == identify(digest, occurrence) else None

    def append(self, entry: Mapping[str, object], *, sync: bool = True) -> None:
        """Write one line, whole or not at all, and by default wait until it is on the disk.

        Raises:
            ImageSaveError: It cannot be written.
        """
        line = _encode(entry)
        try:
            self._check_there()
            self._write(line)
            if sync:
                sync_file(self._handle)
        except OSError as error:
            raise _unusable(self.path, error) from error
        self._size += len(line)

    def _check_there(self) -> None:
        """Refuse to go on writing into a file that was deleted or moved away with its directory."""
        there, ours = self.path.stat(), os.fstat(self._handle)
        if (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
            raise FileNotFoundError(errno.ENOENT, "it was moved or replaced", str(self.path))

    def _write(self, line: bytes) -> None:
        try:
            written = 0
            while written < len(line):
                written += os.write(self._handle, line[written:])
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise

    def _mend(self) -> int:
        """Cut off a last line that was never finished; return the file's size."""
        size = os.fstat(self._handle).st_size
        start = _last_line(self._lines, size)
        if start == size:
            return size
        self._lines.seek(start)
        if read_line(self._lines.read()) is None:
            os.ftruncate(self._handle, start)
            return start
        os.write(self._handle, b"\n")
        return size + 1

    def _read(self) -> None:
        self._lines.seek(0)
        offset, match, places = 0, _START.match, self._places
        for line in self._lines:
            found = match(line) or match(_rewritten(line))
            if found is not None:
                places[_key(found[1], int(found[2] or 1))] = offset << 1 | (found[3] != b"failed")
            offset += len(line)


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
    """Return where the unfinished last line begins; `size` where the file ends with a line break."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        lines.seek(start)
        found = lines.read(end - start).rfind(b"\n")
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
