"""Where the buckets' levels are kept: in this process, or in a small file that all processes of a host share.

A change reads, calculates and writes under a lock, and takes well under a millisecond; nobody sleeps holding it. The
operating system releases the file's lock when its holder dies.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from ionos_openai.client.pacing.rates import Bucket, Grant, Level, Operation, apply, join
from ionos_openai.errors.notices import is_first
from ionos_openai.files.locks import try_lock
from ionos_openai.files.opening import make_own_directory, open_own

log = logging.getLogger("ionos_openai")

_FILE_SIZE = 512  # Always as long, so that one write replaces all of it and nothing has to be cut off.
_LOCK_PATIENCE = 5.0  # Seconds; a lock is held for well under a millisecond, unless its holder was stopped.
_LONGEST_ALONE = 60.0  # Seconds until a file that could not be used is tried again.
_ALONE = (
    "%s cannot be shared (%s): this process keeps within the contract's limits without the others of this host. Make "
    "it writable, set IONOS_BUDGET_URL, or IONOS_PACE=off."
)


class Ledger(ABC):
    """Keeps how full buckets are; how, each kind says in `_apply`."""

    def is_slow(self) -> bool:
        """Tell whether a call may take so long just now that async code had better make it in a thread."""
        return False

    def take(self, bucket: Bucket, *, held: bool = False, longest: float = math.inf) -> Grant:
        """Take one unit (`rates.take`)."""
        return self._apply("take", bucket, longest, held=held)

    def give_back(self, bucket: Bucket) -> None:
        """Put back one unit that was not used."""
        self._apply("give_back", bucket)

    def set_back(self, bucket: Bucket, seconds: float) -> None:
        """Empty the bucket, so that the next unit may be used in `seconds`."""
        self._apply("set_back", bucket, seconds)

    @abstractmethod
    def _apply(self, operation: Operation, bucket: Bucket, argument: float = 0.0, *, held: bool = False) -> Grant:
        """Do what `rates.apply` does, to the level that is kept."""


class MemoryLedger(Ledger):
    """Levels of this process alone."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets; `clock` returns seconds."""
        self._clock = clock
        self._levels: dict[str, Level] = {}
        self._lock = threading.Lock()

    def _apply(self, operation: Operation, bucket: Bucket, argument: float = 0.0, *, held: bool = False) -> Grant:
        with self._lock:
            level, grant = apply(operation, self.level(bucket), bucket, self._clock(), argument, held=held)
            self._levels[bucket.name] = level
        return grant

    def level(self, bucket: Bucket) -> Level:
        """Return how full a bucket is."""
        return self._levels.get(bucket.name, Level())

    def forget(self, bucket: Bucket) -> None:
        """Have a bucket full again."""
        self._levels.pop(bucket.name, None)


class FileLedger(Ledger):
    """Levels in a file, shared by every process that opens it; opened anew for each change, so that a fork is safe.

    Where the file cannot be made, written or locked, levels are kept in this process, after one WARNING; a minute later
    the file is tried again, and takes over what was spent meanwhile.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Remember `path`; `clock` returns seconds on the clock that all processes share: the wall's."""
        self.path = path
        self._clock = clock
        self._own = MemoryLedger(clock=clock)
        self._alone_since: float | None = None

    def is_slow(self) -> bool:
        """Tell whether another process, or a thread, is at the file just now."""
        if self._is_alone():
            return False
        try:
            with os.fdopen(self._open(), "r+b", buffering=0) as file:
                return not try_lock(file.fileno())
        except OSError:  # what cannot be opened or locked takes no time
            return False

    def _is_alone(self) -> bool:
        since = self._alone_since
        return since is not None and 0 <= self._clock() - since < _LONGEST_ALONE

    def _apply(self, operation: Operation, bucket: Bucket, argument: float = 0.0, *, held: bool = False) -> Grant:
        if not self._is_alone():
            try:
                return self._apply_in_file(operation, bucket, argument, held=held)
            except OSError as error:
                self._alone_since = self._clock()
                if is_first(f"{self.path} cannot be shared"):
                    log.warning(_ALONE, self.path, error.strerror or type(error).__name__)
        return self._own._apply(operation, bucket, argument, held=held)

    def _apply_in_file(self, operation: Operation, bucket: Bucket, argument: float, *, held: bool) -> Grant:
        with os.fdopen(self._open(), "r+b", buffering=0) as file:  # closing it releases its lock
            _lock(file.fileno())
            levels = _parse(file.read(_FILE_SIZE))
            now = self._clock()
            level = join(levels.get(bucket.name, Level()), self._own.level(bucket), now)
            level, grant = apply(operation, level, bucket, now, argument, held=held)
            file.seek(0)
            file.write(_format({**levels, bucket.name: level}))
            self._own.forget(bucket)
        return grant

    def _open(self) -> int:
        make_own_directory(self.path.parent)
        return open_own(self.path, os.O_RDWR | os.O_CREAT, 0o600)


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
    """Lock an open file until it is closed; an OSError where there are no locks, or another holds it for 5 s."""
    give_up, pause = time.monotonic() + _LOCK_PATIENCE, 0.0002
    while not try_lock(file):
        if time.monotonic() > give_up:
            raise OSError(errno.EDEADLK, "another process holds its lock")
        time.sleep(pause)
        pause = min(2 * pause, 0.01)
