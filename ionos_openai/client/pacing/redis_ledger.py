"""The buckets' levels in Redis, for processes on many hosts; on Redis' own clock."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ionos_openai.client.pacing.ledgers import Ledger
from ionos_openai.client.pacing.rates import Bucket, Grant, Operation
from ionos_openai.errors import BudgetUnavailableError, ConfigurationError

_SCRIPT = Path(__file__).with_name("level.lua")
_PATIENCE = 2.0  # Seconds for one attempt to connect, and for one answer.
_GONE = 2.0  # Seconds after giving up, in which whoever else waits is told at once instead of trying as long again.
_RECONNECTS = 8  # With growing pauses of at most 2 s: some 10 s, or 25 s where the host does not answer at all.


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
        self._ask(lambda: _ping(_connect(url, self._shown, 0)))  # no long wait where it was never there

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


def _ping(probe: Any) -> None:
    with probe:
        probe.ping()


def _connect(url: SecretStr, shown: str, reconnects: int) -> Any:
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError("IONOS_BUDGET_URL needs the package redis: pip install redis") from None
    lost = (redis.ConnectionError, redis.TimeoutError)
    retry = Retry(ExponentialBackoff(cap=2.0, base=0.05), reconnects, supported_errors=lost)
    patience = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
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
