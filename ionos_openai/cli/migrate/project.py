"""From paths to migrations and back: which files are read, how, and how an edited one is written."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import stat
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ionos_openai import errors
from ionos_openai.cli.migrate.configuration import search_configuration
from ionos_openai.cli.migrate.facts import RELEVANT
from ionos_openai.cli.migrate.findings import Migration, SourceError
from ionos_openai.cli.migrate.notebook import migrate_notebook
from ionos_openai.cli.migrate.program import check_syntax
from ionos_openai.cli.migrate.source import migrate_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LARGEST = 10**6  # bytes
_LARGEST_NOTEBOOK = 32 * 10**6  # bytes; the pictures in a notebook's outputs count too
_SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", "node_modules", "__pycache__", "site-packages", "dist-packages"}
    | {".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
_CONFIGURATION = frozenset({".yaml", ".yml", ".toml", ".json", ".env"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMigration:
    """What became of one file."""

    path: Path  # the file
    migration: Migration | None = None  # what was found; None where it could not be read
    skipped: str | None = None  # why it could not be read; None where it was
    matters: bool = True  # whether anything in it looks like OpenAI's
    data: bytes = b""  # its bytes as they were read
    encoding: str = "utf-8"  # the encoding of its text

    @property
    def original(self) -> str:
        """The text as it was read."""
        return self.data.decode(self.encoding)

    @property
    def is_changed(self) -> bool:
        """Whether `write_edited` has anything to write."""
        return self.migration is not None and self.path.suffix == ".py" and self.migration.edited != self.original

    @property
    def left_by_hand(self) -> bool:
        """Whether a person has something to do."""
        if self.migration is None:
            return self.matters
        return any(finding.effort == "hand" for finding in self.migration.findings)


def find_sources(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yield the files to read: those named, and in directories the Python, notebook and configuration files.

    Links are not followed: what they lead to within a directory is found anyway, and what lies outside is not meant.
    Version control, virtual environments and installed packages are passed over.

    Raises:
        ConfigurationError: A path does not exist. Raised before the first file comes.
    """
    roots = [Path(path) for path in paths]
    for root in roots:
        if not os.path.lexists(root) or not root.exists():
            raise errors.ConfigurationError(f"There is no file or directory {root}: name one that exists.")
    seen: set[Path] = set()
    for root in roots:
        for path in _walk(root) if root.is_dir() else [root]:
            real = path.resolve()
            if real not in seen:
                seen.add(real)
                yield path


def _walk(root: Path) -> Iterator[Path]:
    real = root.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_entered(here / name, real))
        for name in sorted(names):
            path = here / name
            if _is_read(path) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _is_entered(folder: Path, root: Path) -> bool:
    if folder.name in _SKIPPED_FOLDERS or folder.is_symlink():
        return False
    # A junction of Windows is no link, and leads out all the same.
    if os.name == "nt" and not folder.resolve().is_relative_to(root):
        return False
    return not any(os.path.lexists(folder / mark) for mark in _ENVIRONMENT_MARKS)


def _is_read(path: Path) -> bool:
    return path.suffix in {".py", ".ipynb"} or _is_configuration(path)


def _is_configuration(path: Path) -> bool:
    return path.suffix in _CONFIGURATION or path.name == ".env" or path.name.startswith(".env.")


def migrate_file(path: Path) -> FileMigration:
    """Read a file and find what it meets on IONOS; whatever is wrong with it comes back as `skipped`."""
    matters = True
    try:
        data, matters = _read(path)
        if data is not None:
            return _migrate(path, data, matters=matters)
        reason = f"it is larger than {_limit(path) // 10**6} MB"
    except (SyntaxError, LookupError, UnicodeDecodeError):
        reason = "its text is not in the encoding that it says"
    except SourceError as error:
        reason = str(error)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
    return FileMigration(path=path, skipped=reason, matters=matters)


def _limit(path: Path) -> int:
    return _LARGEST_NOTEBOOK if path.suffix == ".ipynb" else _LARGEST


def _read(path: Path) -> tuple[bytes | None, bool]:
    """Return a file's bytes, None where it is too large, and whether anything in it looks like OpenAI's."""
    limit = _limit(path)
    with path.open("rb") as file:
        data = file.read(limit + 1)
        if len(data) <= limit:
            # Without NULs, text in UTF-16 shows its letters too.
            return data, bool(RELEVANT.search(data.replace(b"\0", b"")))
        matters = bool(RELEVANT.search(data))
        while not matters and (more := file.read(limit)):
            data = data[-100:] + more
            matters = bool(RELEVANT.search(data))
        return None, matters


def _migrate(path: Path, data: bytes, *, matters: bool) -> FileMigration:
    if _is_configuration(path):
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
        found = search_configuration(text, holds_secrets=path.name.startswith(".env") or path.suffix == ".env")
        return FileMigration(path=path, migration=found, matters=matters)
    if path.suffix == ".ipynb":
        text = data.decode("utf-8-sig")
        found = migrate_notebook(text, str(path)) if matters else Migration(findings=(), edited=text)
        return FileMigration(path=path, migration=found, matters=matters, data=data, encoding="utf-8-sig")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding)
    if text.encode(encoding) != data:
        raise SourceError(f"its {encoding} text would not survive")
    if not matters:
        check_syntax(text)
    found = migrate_source(text, path) if matters else Migration(findings=(), edited=text)
    return FileMigration(path=path, migration=found, matters=matters, data=data, encoding=encoding)


def write_edited(file: FileMigration) -> None:
    """Replace a file by its edited text, whole or not at all; encoding, byte order mark and mode stay.

    Raises:
        SourceError: It was changed since it was read, or cannot be written; it is as it was then.
    """
    if file.migration is None or not file.is_changed:
        return
    target = file.path.resolve()
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        data = file.migration.edited.encode(file.encoding)
        if not os.access(target, os.W_OK):
            raise SourceError("it is write-protected")
        with part.open("xb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        shutil.copymode(target, part)
        _keep_owner(target, part)
        if target.read_bytes() != file.data:
            raise SourceError("it was changed while it was read")
        part.replace(target)
    except (OSError, UnicodeEncodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its encoding lacks a letter"
        raise SourceError(f"it cannot be written ({why})") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _keep_owner(target: Path, part: Path) -> None:
    if hasattr(os, "chown"):
        found = target.stat()
        with contextlib.suppress(OSError):
            os.chown(part, found.st_uid, found.st_gid)
