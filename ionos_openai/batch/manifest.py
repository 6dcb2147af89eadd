"""A batch in a directory: `manifest.jsonl`, a JSON object a line, only ever appended to, synced before a result counts.

What a process that died left torn at the end is cut off before the next line. Any other line that cannot be read is
noted: the pictures that it was about would be bought again. What the lines say, `records` reads.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ionos_openai.batch.lock import DirectoryLock
from ionos_openai.batch.records import LONGEST_LINE, MANIFEST, Record, StoredFile, each_line, is_json, read_line
from ionos_openai.batch.request import identify
from ionos_openai.batch.stored import FileState, PromptRecord, Store
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.buckets import Written
from ionos_openai.files.opening import open_own, read_regular
from ionos_openai.files.writing import sync_file, write_new

# As every line of a batch begins, so that most lines need not be parsed to find them again.
_START = re.compile(rb'\{"id": "([0-9a-f]{24})(?:-(\d{1,18}))?", "status": "(\w+)"')
_BLOCK = 1 << 16


class Manifest(Store):
    """A directory's manifest, opened to look up what is recorded and to record more. One process at a time.

    Where each prompt's newest line is takes 100 to 135 bytes of memory a prompt.

    Attributes:
        damaged: The numbers of the lines, from 1, that cannot be read; none where a last one was cut off.
    """

    def __init__(self, directory: Path) -> None:
        """Lock the directory, open its manifest, mend its end, and note where its lines are.

        Raises:
            BatchRunningError: Another run has it.
            ImageSaveError: It cannot be opened or read.
        """
        self.place = directory
        self.path: Path = directory / MANIFEST
        self.damaged: list[int] = []
        self._folder = str(directory)
        self._places: dict[int, int] = {}  # twice the offset, and 1 more where it is no failure
        with contextlib.ExitStack() as opened:
            opened.callback(DirectoryLock(directory).release)
            try:
                self._handle = open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
                opened.callback(os.close, self._handle)
                lines = os.fdopen(open_own(self.path, os.O_RDONLY), "rb", buffering=_BLOCK)
                self._lines = opened.enter_context(lines)
                self._size = self._mend()
                self._read()
            except OSError as error:
                raise _unusable(self.path, error) from error
            self._closing = weakref.finalize(self, opened.pop_all().close)

    def close(self) -> None:
        """Close the files; again is harmless."""
        self._handle = -1  # so that a thread that comes late writes into no other file that has this number by then
        self._closing()

    def state(self, digest: str, occurrence: int = 1) -> PromptRecord | None:
        """Return what is recorded of the first, second, ... of equal requests; None where nothing is."""
        place = self._places.get(_key(digest, occurrence))
        return None if place is None else "done" if place & 1 else "failed"

    def find(self, digest: str, occurrence: int = 1) -> Record | None:
        """Return the newest line of a request; None where there is none, or it cannot be read."""
        place = self._places.get(_key(digest, occurrence))
        if place is None:
            return None
        self._lines.seek(place >> 1)
        record = read_line(self._lines.readline(LONGEST_LINE))
        return record if record is not None and record.id == identify(digest, occurrence) else None

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return read_regular(f"{self._folder}{os.sep}{name}")

    def stamp(self, written: Written) -> dict[str, Any]:
        """Return the time of a file's last change, in s."""
        try:
            return {"mtime": os.stat(written.path).st_mtime}  # noqa: PTH116 - in half the time
        except OSError as error:
            raise ImageSaveError(f"Cannot read {written.path} back: {error.strerror}. The picture is saved.") from error

    def look(self, file: StoredFile, *, verify: bool) -> FileState:
        """Tell what became of a recorded file, by its size and time, else by its bytes."""
        try:
            found = os.lstat(f"{self._folder}{os.sep}{file.name}")
            if not stat.S_ISREG(found.st_mode):
                return "damaged"
            is_same_time = found.st_mtime == file.mtime
            if found.st_size == file.bytes and is_same_time and not verify:
                return "same"
            data = self.read(file.name)
        except FileNotFoundError:
            return "missing"
        except (OSError, ValueError) as error:  # the second for a name that no file has
            return "missing" if isinstance(error, PermissionError) else "damaged"
        return self.compare(data, file, is_untouched=is_same_time)

    def note(self, name: str, data: bytes | None) -> None:
        """Leave a note of the batch's own in the directory; None removes it."""
        if data is not None:
            write_new(self._folder, name, data, overwrite=True)
            return
        with contextlib.suppress(OSError):
            (self.path.parent / name).unlink(missing_ok=True)

    def append(self, entry: Mapping[str, object], *, sync: bool = True) -> None:
        """Write one line, whole or not at all, and by default wait until it is on the disk.

        Raises:
            ImageSaveError: It cannot be written.
        """
        line = encode(entry)
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
    return encode({"id": record.id, "status": "failed" if record.status == "failed" else "done"})


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


def encode(entry: Mapping[str, object]) -> bytes:
    """Return a record as a line."""
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
