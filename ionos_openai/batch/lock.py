"""One run at a time in a directory.

The lock is the operating system's and ends with its process, however that dies. Where a file system has no locks
(mounted drives: errors 95, 38), a file that names process, host and start time stands in. It is taken over when its
process has gone on the same host; of another host nobody can tell, so the error then names the file to delete.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ionos_openai.batch.records import MANIFEST
from ionos_openai.errors import BatchRunningError, ImageSaveError
from ionos_openai.files.opening import open_own, read_regular, try_lock

LOCK = ".ionos-batch.lock"
OWNER = ".ionos-batch.owner"

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
                    raise running(directory, _read(directory / LOCK))
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, 0)
                    os.write(handle, json.dumps(myself()).encode())
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


def myself() -> dict[str, Any]:
    """Return what a run says of itself where it works."""
    pid = os.getpid()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": pid, "host": socket.gethostname(), "started": now, "born": _birth(pid)}


def running(directory: object, owner: dict[str, Any], advice: str = "") -> BatchRunningError:
    """Return the error that says who works in a place."""
    who = f" (process {owner['pid']} on {owner['host']}, since {owner['started']})" if owner else ""
    return BatchRunningError(
        f"Another run works in {directory}{who}. Wait for its end, or choose another directory.{advice}"
    )


def read_owner(read: Callable[[], bytes]) -> dict[str, Any]:
    """Return what a run has said of itself; nothing where that cannot be read."""
    try:
        found = json.loads(read())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and {"pid", "host", "started"} <= found.keys() else {}


def _read(path: Path) -> dict[str, Any]:
    return read_owner(lambda: read_regular(path, most=10_000))


def _own(directory: Path) -> Path:
    """Make the file that stands in for a lock, taking over one whose process is gone."""
    path = directory / OWNER
    for _ in range(3):
        try:
            with path.open("x") as file:
                json.dump(myself(), file)
        except FileExistsError:
            _clear(directory, path)
        except OSError as error:
            raise ImageSaveError(f"Cannot make {path}: {error.strerror}. Choose another directory.") from error
        else:
            return path
    raise running(directory, _read(path))


def _clear(directory: Path, path: Path) -> None:
    owner = _read(path)
    if not _is_gone(owner):
        raise running(directory, owner, f" If that process is dead, delete {path}.")
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
