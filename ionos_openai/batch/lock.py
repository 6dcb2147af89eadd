"""One run at a time, in a directory or a bucket.

In a directory the lock is the operating system's and ends with its process, however that dies. Where a file system has
no locks (mounted drives: errors 95, 38), a file that names process, host and start time stands in. It is taken over
when its process has gone on the same host; of another host nobody can tell: the error then names the file to delete.

In a bucket a run puts a claim under `.lock/`, which expires unless it is renewed, and lists what others have put there.
Nobody's clock counts but the storage's, and nothing but that what was put is listed. Who finds a claim of a run that
works, watches whether it is renewed: then that run lives; a claim that is not renewed for `LEASE` seconds is of a dead
one. Of two that come at once, one stays.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ionos_openai.batch.records import MANIFEST
from ionos_openai.errors import BatchRunningError, ImageSaveError
from ionos_openai.files.buckets import Listed, StorageBucket
from ionos_openai.files.opening import open_own, read_regular, try_lock

LOCK = ".ionos-batch.lock"
OWNER = ".ionos-batch.owner"
LEASE = 24.0  # seconds after which a claim that was not renewed is a dead run's
_FOLDER = ".lock"  # of the claims
_RENEWALS = 6  # in the time of a lease

_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


class DirectoryLock:
    """Held from its making until `release`, or until its process dies; a child made by a fork does not hold it."""

    def __init__(self, directory: Path) -> None:
        """Take the lock; a BatchRunningError where another run has it, an ImageSaveError where it cannot be made."""
        self._owner: Path | None = None
        with contextlib.ExitStack() as opened:
            handle = self._open(directory / LOCK, opened)
            # The manifest too: whoever deletes the lock lets no other run at what this one has paid for.
            handles = [handle, self._open(directory / MANIFEST, opened)]
            try:
                is_ours = all(map(try_lock, handles))
            except OSError:
                self._owner = _own(directory)
            else:
                if not is_ours:
                    raise _running(directory, _read(directory / LOCK))
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, 0)
                    os.write(handle, json.dumps(_myself()).encode())
            self._closing = weakref.finalize(self, opened.pop_all().close)
        _held.add(self)

    def _open(self, path: Path, opened: contextlib.ExitStack) -> int:
        try:
            handle = open_own(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            problem = f"Cannot use {path}: {error.strerror}. Choose another directory."
            raise ImageSaveError(problem) from error
        opened.callback(os.close, handle)
        return handle

    def release(self) -> None:
        """Give the lock back; again is harmless."""
        if self._owner is not None:
            with contextlib.suppress(OSError):
                self._owner.unlink()
            self._owner = None
        self._closing()


def _leave_to_parent() -> None:
    """Close a forked child's copies, which would outlive the process that works here."""
    for lock in list(_held):
        lock._owner = None
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _myself() -> dict[str, Any]:
    """Return what a run says of itself where it works."""
    pid = os.getpid()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": pid, "host": socket.gethostname(), "started": now, "born": _birth(pid)}


def _running(directory: object, owner: dict[str, Any], advice: str = "") -> BatchRunningError:
    """Return the error that says who works in a place."""
    who = f" (process {owner['pid']} on {owner['host']}, since {owner['started']})" if owner else ""
    return BatchRunningError(
        f"Another run works in {directory}{who}. Wait for its end, or choose another directory.{advice}"
    )


def _read_owner(read: Callable[[], bytes]) -> dict[str, Any]:
    """Return what a run has said of itself; nothing where that cannot be read."""
    try:
        found = json.loads(read())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and {"pid", "host", "started"} <= found.keys() else {}


def _read(path: Path) -> dict[str, Any]:
    return _read_owner(lambda: read_regular(path, most=10_000))


def _own(directory: Path) -> Path:
    """Make the file that stands in for a lock, taking over one whose process is gone."""
    path = directory / OWNER
    for _ in range(3):
        try:
            with path.open("x") as file:
                json.dump(_myself(), file)
        except FileExistsError:
            _clear(directory, path)
        except OSError as error:
            raise ImageSaveError(f"Cannot make {path}: {error.strerror}. Choose another directory.") from error
        else:
            return path
    raise _running(directory, _read(path))


def _clear(directory: Path, path: Path) -> None:
    owner = _read(path)
    if not _is_gone(owner):
        raise _running(directory, owner, f" If that process is dead, delete {path}.")
    # Only one of several that see the same dead owner can move it away; whoever moves a living one puts it back.
    aside = directory / f"{OWNER}.{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        path.rename(aside)
        if _read(aside) != owner:
            aside.rename(path)
        aside.unlink(missing_ok=True)


def _is_gone(owner: dict[str, Any]) -> bool:
    if not owner or owner["host"] != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(int(owner["pid"]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return owner.get("born") != _birth(int(owner["pid"]))


def _birth(pid: int) -> str | None:
    """Return what tells a process from a later one with the same number, where the system says so."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


class Lease:
    """Held from its making until `release`, as long as it can be renewed; a fork leaves it to the parent."""

    def __init__(self, bucket: StorageBucket) -> None:
        """Take it, in up to `LEASE` seconds where a run has died here; a BatchRunningError where another run works."""
        self._bucket = bucket
        self._claim, self._held = (f"{_FOLDER}/{kind}-{secrets.token_hex(8)}.json" for kind in ("claim", "held"))
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
                    raise _running(self._bucket, _read_owner(functools.partial(self._bucket.read, other.name)))
            seen |= {other.name: other.tag for other in others}
            time.sleep(LEASE / _RENEWALS / 4)
        self._put(self._held)

    def _put(self, name: str) -> None:
        said = {**_myself(), "renewals": next(self._renewals)}  # so that the tag is another one
        self._bucket.put(name, json.dumps(said).encode())
        self._renewed = _now()

    def _others(self, mine: str) -> list[Listed]:
        """Renew the own claim, which has to be there; return those of runs that live, and remove those of dead ones."""
        if mine == self._claim:
            self._put(mine)
        claims = {claim.name: claim for claim in self._bucket.list(_FOLDER)}
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
