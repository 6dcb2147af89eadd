"""Opening files that a stranger may have put there: no link is followed, no device or pipe is read or waited for.

Of an open file there is one holder at a time: the system's lock, which ends with its process, however that dies.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from ionos_openai import errors

LARGEST = 256 * 1024 * 1024
"""Bytes; a file that is larger is no picture or record of ours."""

_BEYOND = 1 << 30  # Windows keeps everyone from reading what is locked: lock what is not there
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
_CAREFULLY = 0
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # no system has them all
    _CAREFULLY |= getattr(os, _flag, 0)


def at_home(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home directory for its ~, as a shell has it; a ConfigurationError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        problem = f"The ~ of {os.fspath(path)} stands for no directory: write the whole path."
    raise errors.ConfigurationError(problem)


def open_own(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """Open a file to write into it, or to lock it: a regular one with a single name, of this user or the directory's.

    `flags` are as for `os.open`, without O_TRUNC: what is not ours must not be cut before that is known. The
    `strerror` of an OSError says what it is instead.
    """
    handle = _open(path, flags, mode)
    found, why = os.fstat(handle), None
    if found.st_nlink > 1:
        why = "it has a second name, as another file (a hard link)"
    elif hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), Path(path).absolute().parent.stat().st_uid):
        # A drive that is mounted from elsewhere may show all of its files as somebody else's.
        why = "it belongs to another user"
    if why is not None:
        os.close(handle)
        raise _refusal(path, why)
    return handle


def make_own_directory(path: Path) -> None:
    """Make a directory for this user alone, and its parents, where it is missing.

    An OSError where it cannot be made, belongs to another user, or such a user's link leads there; root is none.
    """
    if hasattr(os, "geteuid"):
        for place in (path, *path.parents):
            if place.is_symlink() and place.lstat().st_uid not in (os.geteuid(), 0):
                raise _refusal(place, "a link of another user leads there")
    if not path.exists():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid") and path.stat().st_uid not in (os.geteuid(), 0):
        raise _refusal(path, "its directory belongs to another user")


def read_regular(path: str | os.PathLike[str], *, most: int = LARGEST) -> bytes:
    """Read a regular file of at most `most` bytes; an OSError where it is none."""
    handle = open_regular(path, most=most)
    with open(handle, "rb") as file:  # noqa: PTH123 - an open descriptor, not a path
        return file.read(most)


def open_regular(path: str | os.PathLike[str], *, most: int = LARGEST) -> int:
    """Open a regular file of at most `most` bytes, for reading; an OSError where it is none."""
    handle = _open(path, os.O_RDONLY)
    if os.fstat(handle).st_size > most:
        os.close(handle)
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", os.fspath(path))
    return handle


def try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; False where somebody else has. An OSError where there are no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BEYOND, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _open(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(path):  # noqa: PTH114 - Windows
        raise _refusal(path, "it is a link")
    try:
        handle = os.open(path, flags | _CAREFULLY, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):  # the second is FreeBSD's
            raise _refusal(path, "it is a link") from None
        if error.errno == errno.ENXIO:
            raise _refusal(path, "it is no regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _refusal(path, "it is no regular file")
    return handle


def _refusal(path: str | os.PathLike[str], why: str) -> OSError:
    return OSError(errno.EPERM, why, os.fspath(path))
