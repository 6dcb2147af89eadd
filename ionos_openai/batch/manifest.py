"""The record of a batch: `manifest.jsonl`, a JSON object a line, only ever appended to, synced before a result counts.

A line has "id", "status" ("done", "failed" or "modified"), "request", "metadata", "files" (name, sha256, bytes,
format, width, height, mtime), "error", "attempts", "started", "seconds", "cost" and "sandbox". A later line with the
same id supersedes an earlier one. What a process that died left torn at the end is cut off before the next line.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ionos_openai.batch.index import Index
from ionos_openai.batch.request import key_of
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.writing import sync_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Entry: TypeAlias = "dict[str, Any]"
"""One line, parsed."""

MANIFEST = "manifest.jsonl"
_START = re.compile(rb'\{"id": "([0-9a-f]{24})(?:-(\d{1,18}))?", "status": "(\w+)"')
_ONE_FILE = re.compile(
    rb'\{"id": "([0-9a-f]{24})(?:-(\d{1,18}))?", "status": "done", "files": \[\{"name": "([^"\\]+)", '
    rb'"sha256": "[0-9a-f]{64}", "bytes": (\d+), [^{}\[\]]*"mtime": (\d+\.\d+)\}\]'
)
_ID = re.compile(r"([0-9a-f]{24})(?:-(\d{1,18}))?")
_BLOCK = 1 << 16


class Manifest:
    """A directory's manifest, opened to look up what is recorded and to record more. One process at a time."""

    def __init__(self, directory: Path) -> None:
        """Open the manifest, mend its end, and index it.

        Raises:
            ImageSaveError: It cannot be opened or read.
        """
        self.path = directory / MANIFEST
        self._index = Index()
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

    def occurrence(self, digest: str) -> int:
        """Count a request of this run; return whether it is the first, second, ... of equal ones."""
        return self._index.count(key_of(digest, 1))

    def forget_occurrences(self) -> None:
        """Begin counting the requests anew."""
        self._index.forget_counts()

    def knows(self, digest: str, occurrence: int) -> str:
        """Tell without reading the file what is recorded: "done", "failed" or "" for nothing."""
        place = self._index.place(key_of(digest, occurrence))
        return "" if not place else "done" if place & 1 else "failed"

    def glance(self, digest: str, occurrence: int) -> tuple[str, int, float] | None:
        """Return name, size in bytes and time of the one file of a prompt that is done, by a look at its line.

        None where it is not done, or not so simple: then `find` parses the line, which takes ten times as long.
        """
        place = self._index.place(key_of(digest, occurrence))
        if not place & 1:
            return None
        self._lines.seek((place >> 1) - 1)
        seen = _ONE_FILE.match(self._lines.readline())
        if seen is None or seen[1].decode() != digest or int(seen[2] or 1) != occurrence:
            return None
        return seen[3].decode(), int(seen[4]), float(seen[5])

    def find(self, digest: str, occurrence: int, identifier: str) -> Entry | None:
        """Return the newest line of an id; None where there is none that can be read."""
        place = self._index.place(key_of(digest, occurrence))
        if not place:
            return None
        self._lines.seek((place >> 1) - 1)
        entry = parse_entry(self._lines.readline())
        return entry if entry is not None and entry["id"] == identifier else None

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
        if parse_entry(self._lines.read()) is None:
            os.ftruncate(self._handle, start)
            return start
        os.write(self._handle, b"\n")
        return size + 1

    def _read(self) -> None:
        self._lines.seek(0)
        offset, match, set_place = 0, _START.match, self._index.set_place
        for line in self._lines:
            found = match(line)
            if found is None:
                self._keep_foreign(line, offset)
            else:
                mark, number, status = found.groups()
                key = key_of(mark, int(number)) if number else int(mark[:16], 16) or 1
                set_place(key, (offset + 1) << 1 | (status != b"failed"))
            offset += len(line)

    def _keep_foreign(self, line: bytes, offset: int) -> None:
        entry = parse_entry(line)
        found = _ID.fullmatch(entry["id"]) if entry else None
        if entry and found:
            is_done = entry.get("status") != "failed"
            self._index.set_place(key_of(found[1], int(found[2] or 1)), (offset + 1) << 1 | is_done)


def read_manifest(directory: str | os.PathLike[str]) -> Iterator[Entry]:
    """Yield the lines of a directory's manifest, oldest first; lines that cannot be read are passed over.

    Raises:
        OSError: There is no manifest, or it cannot be opened.
    """
    with (Path(directory) / MANIFEST).open("rb") as lines:
        for line in lines:
            entry = parse_entry(line)
            if entry is not None:
                yield entry


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


def parse_entry(line: bytes) -> Entry | None:
    """Return a line's object; None where it is none of ours."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("id"), str) else None


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
