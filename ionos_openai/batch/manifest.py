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
from ionos_openai.batch.stored import FileState, PromptRecord, Store
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.buckets import Written
from ionos_openai.files.opening import open_own, read_regular
from ionos_openai.files.writing import sync_file, write_new

_ID = re.compile(r"[0-9a-f]{24}(?:-\d{1,18})?")


class Manifest(Store):
    """A directory's manifest, opened to look up what is recorded and to record more. One process at a time.

    Where each prompt's newest line is takes 100 to 135 bytes of memory a prompt.
    """

    def __init__(self, directory: Path) -> None:
        """Lock the directory, open its manifest, mend its end, and note where its lines are."""
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
                lines = os.fdopen(open_own(self.path, os.O_RDONLY), "rb", buffering=1 << 16)
                self._lines = opened.enter_context(lines)
                self._read()
            except OSError as error:
                raise _unusable(self.path, error) from error
            self._closing = weakref.finalize(self, opened.pop_all().close)

    def close(self) -> None:
        """Close the files; again is harmless."""
        self._handle = -1  # so that a thread that comes late writes into no other file that has this number by then
        self._closing()

    def state(self, mark: str, metadata: object = None) -> PromptRecord | None:  # noqa: ARG002 - the line has that
        """Return what is recorded of an id; None where nothing is."""
        place = self._places.get(_key(mark))
        return None if place is None else "done" if place & 1 else "failed"

    def find(self, mark: str) -> Record | None:
        """Return the newest line of an id; None where there is none, or it cannot be read."""
        place = self._places.get(_key(mark))
        if place is None:
            return None
        self._lines.seek(place >> 1)
        record = read_line(self._lines.readline(LONGEST_LINE))
        return record if record is not None and record.id == mark else None

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
        """Write one line, whole or not at all, and by default wait until it is on the disk."""
        line = encode(entry)
        self.check()
        try:
            self._write(line)
            if sync:
                sync_file(self._handle)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def check(self) -> None:
        """See that the file is what it was when its last line was written: not moved, replaced, cut or written to."""
        try:
            there, ours = self.path.stat(), os.fstat(self._handle)
        except OSError as error:
            raise _unusable(self.path, error) from error
        if not os.path.samestat(there, ours):
            raise _unusable(self.path, OSError(errno.ENOENT, "it was moved or replaced"))
        if ours.st_size != self._size:
            why = "something else has written into it or cut it off"
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

    def _read(self) -> None:
        """Note where each line is; a last one that was never finished is cut off, or ended where it is whole."""
        offset, line, size = 0, b"", 0
        for number, (line, size) in enumerate(each_line(self._lines), 1):
            record = read_line(line)
            if record is not None and _ID.fullmatch(record.id):
                self._places[_key(record.id)] = offset << 1 | (record.status != "failed")
            elif record is None and line.strip():
                self.damaged.append(number)
            offset += size
        if line.strip() and not is_json(line):
            self.damaged.pop()
            offset -= size
            os.ftruncate(self._handle, offset)
        elif line and not line.endswith(b"\n"):
            offset += os.write(self._handle, b"\n")
        self._size = offset


def _key(mark: str) -> int:
    """Return the number that stands for an id: it takes half the memory of its text."""
    digest, _, occurrence = mark.partition("-")
    return int(digest, 16) | int(occurrence or 0) << 96


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
