"""One holder at a time of an open file: the operating system's lock, which ends with its process, however that dies."""

from __future__ import annotations

import errno
import os
import sys

_BEYOND = 1 << 30  # Windows keeps everyone from reading what is locked: lock what is not there
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})


def try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; False where somebody else has. An OSError where there are no locks."""
    try:
        _lock(handle)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
