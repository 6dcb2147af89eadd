"""Writing files so that none is ever torn, lost or overwritten.

A picture is written under a hidden name, synced, and only then shown under its real one, which is never taken from
another file. Nothing here needs a lock, so any number of processes and hosts may save into one directory. What a
process that dies leaves behind is hidden, and a later save removes it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ionos_openai import errors
from ionos_openai.files.names import cut, digest, numbered
from ionos_openai.files.opening import at_home


def _numbers_of(*names: str) -> frozenset[int]:
    # Not every system has every error.
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_LEFTOVER = re.compile(r"(?s)\..+\.(?:[0-9a-f]{16}\.part|ionos\.claim)")
_LEFTOVER_AGE = 3600.0  # seconds
_FEW = 8  # numbers that are tried one by one
_MOST_SWEPT = 10_000  # directories of which it is known that they were swept
_swept: set[str] = set()
# An answer of `os.link` that is about this file or disk. All others mean that hard links do not work here.
_LINK_FAILURES = _numbers_of("ENOENT", "ENOSPC", "EDQUOT", "EIO", "EROFS", "ENAMETOOLONG", "ESTALE")
_SYNC_REFUSED = _numbers_of("EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EPERM")


def check_directory(directory: str | os.PathLike[str]) -> Path:
    """Make a directory if it is missing, and prove that it takes files; an ImageSaveError where it does not."""
    path = make_directory(directory)
    # Only trying tells: os.access answers yes to root on a read-only mount, and on Windows knows no permissions.
    probe = path / _part_name("probe")
    try:
        probe.open("xb").close()
        probe.unlink()
    except OSError as error:
        raise _save_error(f"Cannot write into the directory {path}", error, _ELSEWHERE) from error
    return path


def state_directory() -> Path:
    """Return where this package keeps its state for this user; it need not be there yet."""
    return user_directory("state")


def user_directory(kind: Literal["state", "config"]) -> Path:
    """Return where this package keeps what is this user's; among the temporary files where there is no home."""
    import platformdirs  # only where it is needed

    find = platformdirs.user_state_dir if kind == "state" else platformdirs.user_config_dir
    with contextlib.suppress(RuntimeError):
        found = Path(find("ionos-openai", appauthor=False))
        if found.is_absolute():  # and not "~/..."
            return found
    return Path(tempfile.gettempdir(), f"ionos-openai-{os.geteuid() if hasattr(os, 'geteuid') else 'user'}", kind)


def is_directory(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a directory at `path`; never raises."""
    return os.path.isdir(path)  # noqa: PTH112  The method of a Path raises where the way there is barred.


def make_directory(directory: str | os.PathLike[str]) -> Path:
    """Make a directory and its parents if they are missing; an ImageSaveError where that cannot be."""
    path = at_home(directory)
    try:
        if is_directory(path):
            return path
        missing = [path, *(parent for parent in path.parents if not parent.exists())]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            _sync_directory(made.parent)
    except FileExistsError as error:
        raise errors.ImageSaveError(f"{path} is a file, not a directory. {_ELSEWHERE}") from error
    except (OSError, ValueError) as error:
        raise _save_error(f"Cannot make the directory {path}", error, _ELSEWHERE) from error
    return path


def write_new(
    directory: str | os.PathLike[str],
    name: str,
    data: bytes,
    *,
    overwrite: bool = False,
    number: int = 1,
    follow: bool = False,
) -> Path:
    """Write a file whole or not at all, synced to disk, without taking another file's name; return its path.

    A missing directory is made. Of a name that is taken, the next free one of fox-2.jpg, fox-3.jpg, ... is used;
    `number` is the first to try. `overwrite` replaces a file in one step, its permissions kept; one mounted by itself
    is written into. `follow` says that the user chose the name: of a link with its extension the file behind it is
    replaced. An ImageSaveError where the system refuses it; no file is left then.
    """
    folder = make_directory(directory)
    try:
        if overwrite:
            path = folder / numbered(name, number)
            real = path.resolve() if follow and path.is_symlink() else path
            _overwrite(real if real.suffix.lower() == path.suffix.lower() and real.is_file() else path, data)
            return path
        with _written(folder / name, data) as part:
            candidates = (folder / candidate for candidate in _free_names(folder, name, number))
            return next(path for path in candidates if _show(part, path))
    except (OSError, ValueError) as error:
        raise _save_error(f"Cannot save {numbered(name, number)} in {folder}", error, _IN_MEMORY) from error


_ELSEWHERE = "Choose another directory."
_IN_MEMORY = "The pictures are still in memory: save them elsewhere with image.save(path)."


def _save_error(what: str, error: Exception, remedy: str) -> errors.ImageSaveError:
    wrapped = errors.ImageSaveError(f"{what}: {getattr(error, 'strerror', None) or error}. {remedy}")
    wrapped.errno = getattr(error, "errno", None)
    return wrapped


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that can be made again, whole or not at all, in the place of what is there; not synced."""
    with _written(path, data, is_synced=False) as part:
        part.replace(path)


def _overwrite(path: Path, data: bytes) -> None:
    with _written(path, data) as part:
        with contextlib.suppress(OSError):  # there is none, or its drive knows no permissions
            if stat.S_ISREG(found := path.lstat().st_mode):
                part.chmod(found & 0o777)
        try:
            part.replace(path)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _write_synced(path, data, "r+b")  # It is mounted by itself.


@contextlib.contextmanager
def _written(path: Path, data: bytes, *, is_synced: bool = True) -> Iterator[Path]:
    """Write a hidden file beside `path` for the block to put in its place; remove what it leaves."""
    part = path.with_name(_part_name(path.name))
    try:
        if is_synced:
            _write_synced(part, data)
        else:
            with part.open("xb") as file:
                file.write(data)
        _sweep(path.parent, part)
        yield part
    finally:
        # Where it could not be removed (a virus scanner on Windows holds it), a later save does so.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    if is_synced:
        _sync_directory(path.parent)


def _write_synced(path: Path, data: bytes, mode: str = "xb") -> None:
    # Opened so, the file gets the usual permissions; those of `tempfile` keep everyone else out.
    with path.open(mode) as file:
        file.write(data)
        file.truncate()
        file.flush()
        with _letting_refuse():
            sync_file(file.fileno())


@contextlib.contextmanager
def _letting_refuse() -> Iterator[None]:
    """Pass over the answer of a file system that cannot sync."""
    try:
        yield
    except OSError as error:
        if error.errno not in _SYNC_REFUSED:
            raise


def sync_file(handle: int) -> None:
    """Wait until what was written into an open file is on the disk; an OSError where that cannot be."""
    if sys.platform == "darwin":  # where fsync leaves it in the drive's own cache
        import fcntl

        with contextlib.suppress(OSError):  # not every file system can
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def _sync_directory(folder: Path) -> None:
    """Make the names in a directory last, where the system can do so."""
    if os.name == "nt":
        return
    with _letting_refuse():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _show(part: Path, final: Path) -> bool:
    """Give a finished file its real name; False, with nothing done, where that name is taken."""
    try:
        os.link(part, final)
    except FileExistsError:
        return False
    except (OSError, AttributeError) as error:
        # Drives that are mounted from elsewhere, Android and FAT know no hard links.
        if isinstance(error, OSError) and error.errno in _LINK_FAILURES:
            raise
        return _show_by_renaming(part, final)
    return True


def _show_by_renaming(part: Path, final: Path) -> bool:
    # Only Windows refuses a taken name by itself. Elsewhere renaming would replace a file in silence: whoever makes the
    # claim owns the name until it is removed. A name that leaves no room is claimed by a digest, the same for all
    # spellings that may be one file.
    name = final.name if cut(final.name, 240) == final.name else digest(final.name.casefold())
    claim = final.with_name(f".{name}.ionos.claim")
    try:
        if os.name == "nt":
            part.rename(final)
            return True
        claim.open("xb").close()
    except FileExistsError:
        return False
    try:
        if os.path.lexists(final):
            return False
        part.replace(final)
        return True
    finally:
        claim.unlink(missing_ok=True)


def _free_names(folder: Path, name: str, number: int) -> Iterator[str]:
    """Yield names to try, from `number` upwards: it, then the lowest free one of the next few.

    Where many are taken, a free one behind them is found by ever longer steps, then halved ones: the time does not
    depend on how many files there are, and hardly on how many have this name.
    """
    yield numbered(name, number)
    last, step = number, 1  # the last that is known to be taken
    while os.path.lexists(folder / numbered(name, last + step)):
        last += step
        step *= 1 if last < number + _FEW else 2
    while step > 1:
        step //= 2
        last += step if os.path.lexists(folder / numbered(name, last + step)) else 0
    yield from (numbered(name, later) for later in itertools.count(last + 1))


def _sweep(folder: Path, part: Path) -> None:
    """Remove the hidden files that processes left which died more than an hour ago, once a directory and process.

    `part` was just made there: its time is the file system's own, whose clock may be another than this machine's.
    """
    where = str(folder.absolute())
    if where in _swept:
        return
    if len(_swept) >= _MOST_SWEPT:
        _swept.clear()
    _swept.add(where)
    oldest, names = part.stat().st_mtime - _LEFTOVER_AGE, []
    with contextlib.suppress(PermissionError):  # a directory may take files and still not be listed
        names = os.listdir(folder)  # noqa: PTH208  Names are enough, and a Path for each costs ten times as much.
    for path in [folder / name for name in names if name[0] == "." and _LEFTOVER.fullmatch(name)]:
        with contextlib.suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_mtime < oldest:
                path.unlink()


def _part_name(name: str) -> str:
    return f".{cut(name)}.{secrets.token_hex(8)}.part"
