"""The limits of a contract, and token buckets as pure functions (the generic cell rate algorithm, GCRA).

Times are seconds on whichever clock a ledger has; it is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

# What of a burst stays unused. The service's clock starts when a request arrives, ours when it leaves: paced with the
# whole burst of 20 images one 429 came in 10 of 10 runs, with 19 none (measured on a server with the same bucket,
# 2026-11). A spare unit forgives a delay on the way as long as its interval: 6 s for images, 2 x 0.2 s for requests.
_IMAGE_MARGIN = 1
_REQUEST_MARGIN = 2

Operation: TypeAlias = Literal["take", "give_back", "set_back"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit of "images" or "requests", its `name`: `capacity` at once after a rest, one more every `interval` s."""

    name: str
    capacity: int
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLimits:
    """The limits of a contract: how much in the long run, and how much at once after a rest.

    Source: IONOS documentation, AI Model Hub, rate limits, 2026-11: 10 images a minute with a burst of 20 that refills
    at that rate, 5 requests of any kind a second with a burst of 10, a contract.
    """

    images_per_minute: float = 10
    image_burst: int = 20
    requests_per_second: float = 5
    request_burst: int = 10

    @property
    def images(self) -> Bucket:
        """The bucket of images, with a margin of one."""
        return Bucket("images", max(1, self.image_burst - _IMAGE_MARGIN), 60 / self.images_per_minute)

    @property
    def requests(self) -> Bucket:
        """The bucket of requests, with a margin of two."""
        return Bucket("requests", max(1, self.request_burst - _REQUEST_MARGIN), 1 / self.requests_per_second)


def estimate_seconds(images: int, limits: ContractLimits) -> float:
    """Return after how many seconds the last of so many images may be asked for, with full buckets, no neighbours."""
    return max(max(0.0, (images - bucket.capacity) * bucket.interval) for bucket in (limits.images, limits.requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How full a bucket is."""

    full_at: float = 0.0  # when it will be full again if nobody takes from it. (GCRA's "theoretical arrival time".)
    blocked_until: float = 0.0  # until when nothing may go, since the service said so with a 429
    seen: float = 0.0  # the latest time that was read, by which a clock that was put back is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The answer to `take`: whether a unit was taken, which it was not where the wait would have been too long."""

    granted: bool
    delay: float  # seconds until it may be used
    backlog: float  # seconds until the bucket is full again


def take(
    level: Level, bucket: Bucket, now: float, *, held: bool = False, longest: float = float("inf")
) -> tuple[Level, Grant]:
    """Take one unit, for now or for the earliest time at which it may be used; none with a wait beyond `longest` s.

    `held` says that a unit which was taken earlier has become due. It holds, unless a 429 came in between.
    """
    level = at(level, now)
    if held and level.blocked_until <= now:
        return level, Grant(granted=True, delay=0.0, backlog=max(0.0, level.full_at - now))
    full_at = max(level.full_at, now) + bucket.interval
    delay = max(0.0, full_at - bucket.capacity * bucket.interval - now, level.blocked_until - now)
    granted = delay <= longest
    if granted:
        level = replace(level, full_at=full_at)
    return level, Grant(granted=granted, delay=delay, backlog=max(0.0, level.full_at - now))


def give_back(level: Level, bucket: Bucket, now: float) -> Level:
    """Put back one unit that was not used."""
    level = at(level, now)
    return replace(level, full_at=level.full_at - bucket.interval)


def set_back(level: Level, bucket: Bucket, now: float, seconds: float) -> Level:
    """Empty the bucket, so that the next unit may be used in `seconds`."""
    level, until = at(level, now), now + seconds
    full_at = max(level.full_at, until + (bucket.capacity - 1) * bucket.interval)
    return replace(level, full_at=full_at, blocked_until=max(level.blocked_until, until))


def apply(
    operation: Operation, level: Level, bucket: Bucket, now: float, argument: float, *, held: bool
) -> tuple[Level, Grant]:
    """Carry out one operation by its name; `argument` is the longest wait of `take`, the seconds of `set_back`."""
    if operation == "take":
        return take(level, bucket, now, held=held, longest=argument)
    is_set_back = operation == "set_back"
    level = set_back(level, bucket, now, argument) if is_set_back else give_back(level, bucket, now)
    return level, Grant(granted=True, delay=0.0, backlog=max(0.0, level.full_at - now))


def join(level: Level, other: Level, now: float) -> Level:
    """Return the emptier of two levels of a bucket, as of `now`."""
    level, other = at(level, now), at(other, now)
    blocked_until = max(level.blocked_until, other.blocked_until)
    return Level(full_at=max(level.full_at, other.full_at), blocked_until=blocked_until, seen=now)


def at(level: Level, now: float) -> Level:
    """Return the level as of `now`; where the clock was put back, what lies ahead lies no further ahead than before."""
    back = max(0.0, level.seen - now)
    return Level(full_at=level.full_at - back, blocked_until=level.blocked_until - back, seen=now)
