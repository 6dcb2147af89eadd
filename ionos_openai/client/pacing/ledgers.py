"""Where the buckets' levels are kept: in this process, in a file that all processes of a host share, or in Redis.

The file is read, calculated and written under a lock, in well under a millisecond; nobody sleeps holding it. The
operating system releases it when its holder dies.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ionos_openai.client.pacing.rates import Bucket, Grant, Level, Operation, apply, join
from ionos_openai.errors import BudgetUnavailableError, ConfigurationError
from ionos_openai.errors.notices import is_first
from ionos_openai.files.opening import make_own_directory, open_own, try_lock

log = logging.getLogger("ionos_openai")

_SCRIPT = Path(__file__).with_name("level.lua")
_REDIS_PATIENCE = 2.0  # Seconds for one attempt to connect, and for one answer.
_GONE = 2.0  # Seconds after giving up, in which whoever else waits is told at once instead of trying as long again.
_RECONNECTS = 8  # With growing pauses of at most 2 s: some 10 s, or 25 s where the host does not answer at all.
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


@dataclass(eq=False, kw_only=True)
class MemoryLedger(Ledger):
    """Levels of this process alone, at first full; `clock` returns seconds."""

    clock: Callable[[], float] = time.monotonic
    levels: dict[str, Level] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def _apply(self, operation: Operation, bucket: Bucket, argument: float = 0.0, *, held: bool = False) -> Grant:
        with self._lock:
            level = self.levels.get(bucket.name, Level())
            self.levels[bucket.name], grant = apply(operation, level, bucket, self.clock(), argument, held=held)
        return grant


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
            level = join(levels.get(bucket.name, Level()), self._own.levels.get(bucket.name, Level()), now)
            level, grant = apply(operation, level, bucket, now, argument, held=held)
            file.seek(0)
            file.write(_format({**levels, bucket.name: level}))
            self._own.levels.pop(bucket.name, None)
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


class RedisLedger(Ledger):
    """Levels in Redis; where that is not there, or later after reconnecting was given up, a BudgetUnavailableError."""

    def __init__(
        self,
        url: str | SecretStr,
        contract: str,
        *,
        reconnects: int = _RECONNECTS,
        clock: Callable[[], float] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to `url`; `contract` names the contract. `clock` replaces Redis' own, `now` this machine's."""
        url = url if isinstance(url, SecretStr) else SecretStr(url)
        self._shown = without_password(url.get_secret_value())
        self._prefix = f"ionos-openai:budget:{contract}"
        self._clock, self._now = clock, now
        self._gone_until = -math.inf
        self._script = _connect(url, self._shown, reconnects).register_script(_SCRIPT.read_text("utf-8"))
        with _connect(url, self._shown, 0) as probe:  # no long wait where it was never there
            self._ask(probe.ping)

    def is_slow(self) -> bool:
        """Tell that async code had better ask in a thread."""
        return True

    def _apply(self, operation: Operation, bucket: Bucket, argument: float = 0.0, *, held: bool = False) -> Grant:
        limit = -1 if argument == math.inf else argument
        numbers = [bucket.capacity, bucket.interval, limit, int(held), self._clock() if self._clock else ""]
        keys = [f"{self._prefix}:{bucket.name}"]
        granted, delay, backlog = self._ask(lambda: self._script(keys=keys, args=[operation, *numbers]))
        return Grant(granted=bool(granted), delay=float(delay), backlog=float(backlog))

    def _ask(self, question: Callable[[], Any]) -> Any:
        import redis

        problem = f"Redis at {self._shown} keeps the contract's limits and cannot be asked"
        if self._now() >= self._gone_until:
            try:
                return question()
            except redis.RedisError as error:
                # The name of its class only: redis' own words may hold the URL.
                problem += f" ({type(error).__name__})"
                self._gone_until = self._now() + _GONE
        raise BudgetUnavailableError(f"{problem}: start it, mend IONOS_BUDGET_URL, or unset it.")


def _connect(url: SecretStr, shown: str, reconnects: int) -> Any:
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError("IONOS_BUDGET_URL needs the package redis: pip install redis") from None
    lost = (redis.ConnectionError, redis.TimeoutError)
    retry = Retry(ExponentialBackoff(cap=2.0, base=0.05), reconnects, supported_errors=lost)
    patience = {"socket_timeout": _REDIS_PATIENCE, "socket_connect_timeout": _REDIS_PATIENCE}
    try:
        return redis.Redis.from_url(url.get_secret_value(), retry=retry, retry_on_error=list(lost), **patience)
    except ValueError:
        problem = f"IONOS_BUDGET_URL={shown} is not a URL of Redis: write redis://HOST:PORT/0, or rediss:// for TLS."
    raise ConfigurationError(problem)


def without_password(url: str) -> str:
    """Return `url` fit to be shown: scheme, host, port and database, without user, password and query.

    A password with a "/", "?" or "#" in it makes its parts look like others: of such a URL nothing is shown.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not a URL)"
    is_clean = url.count("@") == parts.netloc.count("@") <= 1
    if is_clean and parts.scheme == "unix" and not host:
        return f"unix://{parts.path}"
    if not is_clean or parts.scheme not in ("redis", "rediss") or not host:
        return "(not a URL)"
    host = f"[{host}]" if ":" in host else host
    database = parts.path if re.fullmatch(r"/\d*", parts.path) else ""
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{database}"
