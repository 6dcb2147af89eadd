"""The service's rate limits, counted per token.

Source: IONOS documentation of the AI Model Hub's limits, 2026-11: per contract 5 requests a second, 10 in a burst;
images 10 a minute, 20 in a burst, the burst refilled at the base rate; past a limit 429 with Retry-After. Tokens stand
for contracts here, since the sandbox knows no others.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

_MOST_BUCKETS = 10_000
_BREATH = 1e-6  # seconds; sums of floats must not refuse what is due now


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A token bucket.

    Attributes:
        per_minute: How many it gains in a minute, above 0.
        burst: How many it holds, at least 1.
    """

    per_minute: float
    burst: int

    def __post_init__(self) -> None:
        """Refuse a bucket that nothing would ever come out of."""
        if not (math.isfinite(self.per_minute) and self.per_minute > 0 and self.burst >= 1):
            raise ValueError(f"A limit needs a rate above 0 and a burst of at least 1, not {self}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a token may ask for; None sets no limit.

    Attributes:
        requests: Requests of any kind.
        images: Requests for pictures, which count as requests too.
    """

    requests: Rate | None = None
    images: Rate | None = None


REQUEST_RATE, IMAGE_RATE = Rate(per_minute=300, burst=10), Rate(per_minute=10, burst=20)
DOCUMENTED = Limits(requests=REQUEST_RATE, images=IMAGE_RATE)

LimitsOption: TypeAlias = Limits | str | None
"""`Limits`, "documented", "off" (as None), or "IMAGES_PER_MINUTE:BURST", which limits nothing but images."""


def read_limits(option: LimitsOption) -> Limits:
    """Return the limits that an option means.

    Raises:
        ValueError: It cannot be read, or a limit would let nothing through.
    """
    if isinstance(option, Limits):
        return option
    if option in (None, "off"):
        return Limits()
    if option == "documented":
        return DOCUMENTED
    numbers = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?):(\d{1,9})", str(option), re.ASCII)
    per_minute, burst = (float(numbers[1]), int(numbers[2])) if numbers else (0.0, 0)
    if not per_minute or not burst:
        raise ValueError(f"Limits are 'documented', 'off' or IMAGES_PER_MINUTE:BURST such as 10:20, not {option!r}.")
    return Limits(images=Rate(per_minute=per_minute, burst=burst))


def limits_of(
    *,
    images_per_minute: float | None = None,
    image_burst: int | None = None,
    requests_per_second: float | None = None,
    request_burst: int | None = None,
) -> Limits | None:
    """Return limits by the names that the settings of a client have; what is left out is as documented.

    Returns:
        The limits of images, where either of their numbers is given, and so of requests; None where nothing is given.

    Raises:
        ValueError: A limit would let nothing through.
    """
    each = requests_per_second and 60 * requests_per_second
    pairs = ((each, request_burst, REQUEST_RATE), (images_per_minute, image_burst, IMAGE_RATE))
    requests, images = (
        None
        if rate is None and burst is None
        else Rate(per_minute=usual.per_minute if rate is None else rate, burst=usual.burst if burst is None else burst)
        for rate, burst, usual in pairs
    )
    return Limits(requests=requests, images=images) if requests or images else None


def time_to_fill(rate: Rate) -> float:
    """Return after how many seconds an empty bucket is full."""
    return rate.burst * 60 / rate.per_minute


class Buckets:
    """The buckets of all tokens. It may be used from several threads at once.

    Args:
        limits: What each token may ask for.
        time_scale: How many times faster than real time they fill: at 60, a minute takes a second.
        clock: Returns a time in seconds that never runs backwards.
    """

    def __init__(self, limits: Limits, *, time_scale: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with every bucket full; see the class for the arguments."""
        self._limits = limits
        self._time_scale = time_scale
        self._clock = clock
        self._lock = threading.Lock()
        # By token and kind; when the bucket is full again. A full one needs no entry.
        self._full_at: dict[tuple[bytes, str], float] = {}

    def take(self, token: str, *, image: bool) -> float:
        """Let a request through, or tell how long it has to wait; then nothing is taken from any bucket.

        Returns:
            0, or the seconds of real time until the next request could pass.
        """
        owner = hashlib.sha256(token.encode("utf-8", "replace")).digest()  # tokens are not kept
        rates = [("requests", self._limits.requests), ("images", self._limits.images if image else None)]
        due = [((owner, kind), rate) for kind, rate in rates if rate is not None]
        with self._lock:
            now = self._clock() * self._time_scale
            full_at = {key: max(self._full_at.get(key, now), now) + 60 / rate.per_minute for key, rate in due}
            wait = max((full_at[key] - now - time_to_fill(rate) for key, rate in due), default=0.0)
            if wait > _BREATH:
                return wait / self._time_scale
            self._full_at.update(full_at)
            self._forget_some(now)
        return 0.0

    def _forget_some(self, now: float) -> None:
        if len(self._full_at) <= _MOST_BUCKETS:
            return
        kept = {key: at for key, at in self._full_at.items() if at > now}
        self._full_at = dict(list(kept.items())[-_MOST_BUCKETS // 2 :])
