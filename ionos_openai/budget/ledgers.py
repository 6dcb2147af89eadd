"""Where the buckets' levels are kept: in this process, or in a small file that all processes of a host share.

A change reads, calculates and writes under a lock, and takes well under a millisecond; nobody sleeps holding it. The
operating system releases the file's lock when its holder dies.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, TypeVar

from ionos_openai.budget import buckets
from ionos_openai.budget.buckets import Bucket, Grant, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger("ionos_openai")

Result = TypeVar("Result")

_FILE_SIZE = 512  # Always as long, so that one write replaces all of it and nothing has to be cut off.
_LOCK_PATIENCE = 5.0  # Seconds; a lock is held for well under a millisecond, unless its holder was stopped.


class Ledger(Protocol):
    """Keeps how full buckets are.

    Attributes:
        remote: Whether a call may take long enough for async code to make it in a thread.
    """

    remote: bool

    def take(self, bucket: Bucket, *, held: bool = False, longest: float = float("inf")) -> Grant:
        """Take one unit (`buckets.take`)."""

    def give_back(self, bucket: Bucket) -> None:
        """Put back one unit that was not used."""

    def set_back(self, bucket: Bucket, seconds: float) -> None:
        """Empty the bucket, so that the next unit may be used in `seconds`."""


class _LocalLedger:
    """What a ledger on this host is made of: `_change` applies a function to a bucket's level."""

    remote = False

    def take(self, bucket: Bucket, *, held: bool = False, longest: float = float("inf")) -> Grant:
        return self._change(bucket, lambda level, now: buckets.take(level, bucket, now, held=held, longest=longest))

    def give_back(self, bucket: Bucket) -> None:
        self._change(bucket, lambda level, now: (buckets.give_back(level, bucket, now), None))

    def set_back(self, bucket: Bucket, seconds: float) -> None:
        self._change(bucket, lambda level, now: (buckets.set_back(level, bucket, now, seconds), None))

    def _change(self, bucket: Bucket, change: Callable[[Level, float], tuple[Level, Result]]) -> Result:
        raise NotImplementedError


class MemoryLedger(_LocalLedger):
    """Levels of this process alone."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets; `clock` returns seconds."""
        self._clock = clock
        self._levels: dict[str, Level] = {}
        self._lock = threading.Lock()

    def _change(self, bucket: Bucket, change: Callable[[Level, float], tuple[Level, Result]]) -> Result:
        with self._lock:
            level, result = change(self._levels.get(bucket.name, Level()), self._clock())
            self._levels[bucket.name] = level
        return result


class FileLedger(_LocalLedger):
    """Levels in a file, shared by every process that opens it; opened anew for each change, so that a fork is safe.

    Where the file cannot be made, written or locked, levels are kept in this process, after one WARNING.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Remember `path`; `clock` returns seconds on the clock that all processes share: the wall's."""
        self.path = path
        self._clock = clock
        self._own: MemoryLedger | None = None

    def _change(self, bucket: Bucket, change: Callable[[Level, float], tuple[Level, Result]]) -> Result:
        if self._own is None:
            try:
                return self._change_file(bucket, change)
            except OSError as error:
                self._own = MemoryLedger()
                log.warning(
                    "%s cannot be shared (%s): this process keeps within the contract's limits without the others of "
                    "this host. Make it writable, set IONOS_BUDGET_URL, or IONOS_PACE=off.",
                    self.path,
                    error.strerror or type(error).__name__,
                )
        return self._own._change(bucket, change)

    def _change_file(self, bucket: Bucket, change: Callable[[Level, float], tuple[Level, Result]]) -> Result:
        file = self._open()
        try:
            _lock(file)
            levels = _parse(os.read(file, _FILE_SIZE))
            level, result = change(levels.get(bucket.name, Level()), self._clock())
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, _format({**levels, bucket.name: level}))
            return result
        finally:
            os.close(file)  # and with it the lock

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)


def _parse(data: bytes) -> dict[str, Level]:
    """Read the file's levels; what cannot be read counts as full, and a 429 would tell."""
    try:
        entries = json.loads(data) if data.strip() else {}
        return {name: Level(**{key: float(value) for key, value in entry.items()}) for name, entry in entries.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _format(levels: Mapping[str, Level]) -> bytes:
    return json.dumps({name: asdict(level) for name, level in levels.items()}).encode().ljust(_FILE_SIZE)


def _lock(file: int) -> None:
    """Lock an open file until it is closed.

    Raises:
        OSError: The file system has no locks, or another process has held this one for 5 s.
    """
    give_up = time.monotonic() + _LOCK_PATIENCE
    pause = 0.0002
    while not _try_lock(file):
        if time.monotonic() > give_up:
            raise OSError(errno.EDEADLK, "another process holds its lock")
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, _FILE_SIZE, os.SEEK_SET)  # Behind the data, since Windows keeps others from reading it.
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
