"""The service's rate limits, counted per token.

Source: IONOS documentation of the AI Model Hub's limits, 2026-11: per contract, for which tokens stand here, 5 requests
a second, 10 in a burst; images 10 a minute, 20 in a burst, refilled at the base rate; past it 429 with Retry-After.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

_MOST_BUCKETS = 10_000
_BREATH = 1e-6  # seconds; sums of floats must not refuse what is due now


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A token bucket: how many it gains in a minute, above 0, and how many it holds, at least 1."""

    per_minute: float
    burst: int

    def __post_init__(self) -> None:
        """Refuse a bucket that nothing would ever come out of."""
        if not (math.isfinite(self.per_minute) and self.per_minute > 0 and self.burst >= 1):
            raise ValueError(f"A limit needs a rate above 0 and a burst of at least 1, not {self}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a token may ask for: requests of any kind, and pictures, which count as requests too; None is no limit."""

    requests: Rate | None = None
    images: Rate | None = None


REQUEST_RATE, IMAGE_RATE = Rate(per_minute=300, burst=10), Rate(per_minute=10, burst=20)
DOCUMENTED = Limits(requests=REQUEST_RATE, images=IMAGE_RATE)

LimitsOption: TypeAlias = Limits | str | None
"""`Limits`, "documented", "off" (as None), or "IMAGES_PER_MINUTE:BURST", which limits nothing but images."""


def read_limits(
    option: LimitsOption = None,
    *,
    images_per_minute: float | None = None,
    image_burst: int | None = None,
    requests_per_second: float | None = None,
    request_burst: int | None = None,
) -> Limits:
    """Return the limits of an option, or of numbers named as a client's settings are; a ValueError where that is wrong.

    Where one number of a pair is left out, it is as documented; where both are, nothing is limited by them.
    """

    def changed(usual: Rate, **numbers: float | None) -> Rate | None:
        given: dict[str, Any] = {name: number for name, number in numbers.items() if number is not None}
        return replace(usual, **given) if given else None

    each = None if requests_per_second is None else 60 * requests_per_second
    requests = changed(REQUEST_RATE, per_minute=each, burst=request_burst)
    images = changed(IMAGE_RATE, per_minute=images_per_minute, burst=image_burst)
    if option is not None and (requests or images):
        raise ValueError("Limits are given as one value or by their names, not both.")
    if option is None or option == "off":
        return Limits(requests=requests, images=images)
    if isinstance(option, Limits) or option == "documented":
        return DOCUMENTED if isinstance(option, str) else option
    numbers = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?):(\d{1,9})", str(option), re.ASCII)
    per_minute, burst = (float(numbers[1]), int(numbers[2])) if numbers else (0.0, 0)
    if not per_minute or not burst:
        raise ValueError(f"Limits are 'documented', 'off' or IMAGES_PER_MINUTE:BURST such as 10:20, not {option!r}.")
    return Limits(images=Rate(per_minute=per_minute, burst=burst))


def time_to_fill(rate: Rate) -> float:
    """Return after how many seconds an empty bucket is full."""
    return rate.burst * 60 / rate.per_minute


class Buckets:
    """The buckets of all tokens. It may be used from several threads at once."""

    def __init__(self, limits: Limits, *, time_scale: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with every bucket full; time by `clock`, in seconds, runs `time_scale` times as fast."""
        self._limits, self._time_scale, self._clock = limits, time_scale, clock
        self._lock = threading.Lock()
        # By token and kind; when the bucket is full again. A full one needs no entry.
        self._full_at: dict[tuple[bytes, str], float] = {}

    def take(self, token: str, *, image: bool) -> float:
        """Let a request through and return 0, or the seconds that it has to wait; then no bucket loses anything."""
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
            if len(self._full_at) > _MOST_BUCKETS:
                kept = [(key, at) for key, at in self._full_at.items() if at > now]
                self._full_at = dict(kept[-_MOST_BUCKETS // 2 :])
        return 0.0
