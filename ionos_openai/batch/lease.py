"""One run at a time in a bucket, from any machine: a claim that expires unless it is renewed.

A run puts an object under `.lock/` and lists what others have put there. Nobody's clock counts but the storage's, and
nothing but that what was put is listed. Who finds a claim of a run that works, watches whether it is renewed: then that
run lives; a claim that is not renewed for `LEASE` seconds is of a dead one. Of two that come at once, one stays.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import secrets
import threading
import time
import weakref

from ionos_openai.batch.lock import myself, read_owner, running
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.buckets import Listed, StorageBucket

FOLDER = ".lock"
LEASE = 24.0  # seconds after which a claim that was not renewed is a dead run's
_RENEWALS = 6  # in that time


class Lease:
    """Held from its making until `release`, as long as it can be renewed; a fork leaves it to the parent."""

    def __init__(self, bucket: StorageBucket) -> None:
        """Take it, in up to `LEASE` seconds where a run has died here; a BatchRunningError where another run works."""
        self._bucket = bucket
        self._claim, self._held = (f"{FOLDER}/{kind}-{secrets.token_hex(8)}.json" for kind in ("claim", "held"))
        self._renewals = itertools.count()
        self._over = threading.Event()
        try:
            self._enter()
        finally:
            self._bucket.remove(self._claim)
        self._closing = weakref.finalize(self, _release, bucket, self._held, self._over, os.getpid())
        kept = weakref.ref(self), self._over  # no reference that counts: a batch that is forgotten ends it
        with contextlib.suppress(RuntimeError):  # none can be started: `check` renews it too
            threading.Thread(target=_keep, args=kept, daemon=True, name="ionos-openai-lease").start()

    def _enter(self) -> None:
        seen: dict[str, str | None] = {}
        while others := self._others(self._claim):
            for other in others:
                is_renewed = seen.get(other.name, other.tag) != other.tag
                # Two that claim see each other, so the first by name stays; what is held may have been so before.
                if other.name < self._claim or (is_renewed and "/held-" in other.name):
                    raise running(self._bucket, read_owner(functools.partial(self._bucket.read, other.name)))
            seen |= {other.name: other.tag for other in others}
            time.sleep(LEASE / _RENEWALS / 4)
        self._put(self._held)

    def _put(self, name: str) -> None:
        said = {**myself(), "renewals": next(self._renewals)}  # so that the tag is another one
        self._bucket.put(name, json.dumps(said).encode())
        self._renewed = _now()

    def _others(self, mine: str) -> list[Listed]:
        """Renew the own claim, which has to be there; return those of runs that live, and remove those of dead ones."""
        if mine == self._claim:
            self._put(mine)
        claims = {claim.name: claim for claim in self._bucket.list(FOLDER)}
        if mine not in claims or (mine == self._held and any("/held-" in name for name in claims.keys() - {mine})):
            raise ImageSaveError(f"Another run has taken over {self._bucket}, as this one was not heard of for long.")
        now = claims.pop(mine).time
        self._bucket.remove(*(name for name, claim in claims.items() if now - claim.time > LEASE))
        return [claim for claim in claims.values() if now - claim.time <= LEASE]

    def renew(self) -> None:
        """Renew it, and see that nobody took it over meanwhile. Raises what `check` raises."""
        self._others(self._held)
        self._put(self._held)

    def check(self) -> None:
        """See that it is held still, else an ImageSaveError; a machine that slept asks the storage first."""
        if any(now - before > LEASE / 2 for now, before in zip(_now(), self._renewed, strict=True)):
            self.renew()

    def release(self) -> None:
        """Give it back; again is harmless."""
        self._closing()


def _release(bucket: StorageBucket, name: str, over: threading.Event, pid: int) -> None:
    over.set()
    if os.getpid() == pid:
        bucket.remove(name)


def _now() -> tuple[float, float]:
    # The first one stands still while a machine sleeps, the second one may be set back.
    return time.monotonic(), time.time()


def _keep(reference: weakref.ref[Lease], over: threading.Event) -> None:
    while not over.wait(LEASE / _RENEWALS) and (lease := reference()) is not None:
        with contextlib.suppress(ImageSaveError):  # `check` tells it, before the next picture is bought
            lease.renew()
        del lease
