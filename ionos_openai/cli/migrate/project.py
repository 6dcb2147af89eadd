"""From paths to migrations and back: which files are read, how, and how an edited one is written."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import os
import re
import stat
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ionos_openai import errors
from ionos_openai.cli.migrate.configuration import INSTALLING, search_configuration
from ionos_openai.cli.migrate.facts import LANGUAGES, RELEVANT, WORDS
from ionos_openai.cli.migrate.findings import Migration, Others, SourceError
from ionos_openai.cli.migrate.notebook import migrate_notebook
from ionos_openai.cli.migrate.program import parse
from ionos_openai.cli.migrate.source import migrate_source
from ionos_openai.files.opening import LARGEST
from ionos_openai.files.writing import write_new

_LARGEST = 10**6  # bytes
_LARGEST_NOTEBOOK = 32 * 10**6  # bytes; the pictures in a notebook's outputs count too
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
_CONFIGURATION = frozenset({".yaml", ".yml", ".toml", ".json", ".env"})
_FOREIGN_CALL = re.compile(rb"images/generations|images\s*\.\s*(?:generate|edit)|\bdall-e-|gpt-image-|GenerateImage")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMigration:
    """What became of one file."""

    path: Path  # the file
    migration: Migration | None = None  # what was found; None where it could not be read
    skipped: str | None = None  # why it could not be read; None where it was
    matters: bool = True  # whether anything in it looks like OpenAI's
    data: bytes = b""  # its bytes as they were read, where they are to change
    encoding: str = "utf-8"  # the encoding of its text

    @property
    def original(self) -> str:
        """The text as it was read."""
        return self.data.decode(self.encoding)

    @property
    def is_changed(self) -> bool:
        """Whether `write_edited` has anything to write."""
        return self.migration is not None and bool(self.data) and self.migration.edited != self.original

    @property
    def left_by_hand(self) -> bool:
        """Whether a person has something to do."""
        found = self.migration
        return any(finding.effort == "hand" for finding in found.findings) if found else self.matters


def migrate_files(paths: Iterable[str | os.PathLike[str]], *, calls: bool = False) -> list[FileMigration]:
    """Read files and directories (`ConfigurationError`: there is none), and find what they meet on IONOS."""
    sources = find_sources(paths)
    alone = Others(modules=frozenset(part for path in sources for part in (*path.parent.parts, path.stem)))
    migrate = functools.partial(migrate_file, calls=calls)
    files = [migrate(path, others=alone) for path in sources]
    # A file that never names OpenAI may still chat with a client that another one makes.
    makers = {_module(file.path)[-1].encode() for file in files if file.migration and file.migration.shared.made}

    def names_maker(data: bytes) -> bool:
        return not makers.isdisjoint(re.findall(rb"[\w\x80-\xff]+", data))

    for index, file in enumerate(files):
        if makers and not file.matters and file.path.suffix == ".py":
            files[index] = migrate(file.path, others=alone, is_relevant=names_maker)
    sharing = _Sharing(files)
    for index, file in enumerate(files):
        others = sharing.of(file.path, alone) if file.path.suffix == ".py" and file.migration else alone
        if others != alone:
            files[index] = migrate(file.path, others=others)
    # Settings matter where pictures are made, and dependencies where code changes.
    draws = any(file.migration.draws for file in files if file.migration)
    wanted = {"setting": draws, "dependency": any(file.is_changed for file in files)}
    for index, file in enumerate(files):
        if file.migration and _is_configuration(file.path):
            findings = tuple(finding for finding in file.migration.findings if wanted.get(finding.kind, True))
            files[index] = dataclasses.replace(file, migration=dataclasses.replace(file.migration, findings=findings))
    return files


class _Sharing:
    """Which files of a project make the clients that others import."""

    def __init__(self, files: Sequence[FileMigration]) -> None:
        self._shared = {file.path: file.migration.shared for file in files if file.migration}
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self._shared:
            self._by_name[_module(path)[-1]].append(path)
        self._imported: defaultdict[Path, set[str]] = defaultdict(set)
        self._draw, self._use = (defaultdict[tuple[Path, str], set[str]](set) for _ in range(2))
        for path, shared in self._shared.items():
            for maker, name in (target for full in shared.imports.values() for target in self._targets(full)):
                self._imported[maker].add(name)
            for used, names in ((self._draw, shared.draws), (self._use, shared.other_uses)):
                for target in (target for full in names for target in self._targets(full)):
                    used[target].add(path.name)

    def _targets(self, full: str, hops: int = 2) -> Iterator[tuple[Path, str]]:
        """Yield where in the project a full name may stand: the file, and its name there."""
        parts = [part for part in full.split(".") if part]
        for length in range(1, len(parts)):
            for path in self._by_name.get(parts[length - 1], ()):
                if _module(path)[-length:] == parts[:length]:
                    yield path, parts[length]
                    again = self._shared[path].imports.get(parts[length])
                    yield from self._targets(again, hops - 1) if again and hops else ()

    def of(self, path: Path, alone: Others) -> Others:
        """Return what the other files have to do with one."""
        shared = self._shared[path]
        draw, use = (
            {name: tuple(sorted(files)) for name in shared.made if (files := used.get((path, name.removesuffix("()"))))}
            for used in (self._draw, self._use)
        )
        imported = frozenset(self._imported[path]) if shared.made else frozenset()
        clients = frozenset(full for full in shared.draws if self._is_client(full))
        return dataclasses.replace(alone, draw=draw, use_otherwise=use, imported=imported, clients=clients)

    def _is_client(self, full: str) -> bool:
        return any(self._shared[path].made & {name, f"{name}()"} for path, name in self._targets(full))


def _module(path: Path) -> list[str]:
    return [*path.parent.parts, *([] if path.stem == "__init__" else [path.stem])] or [path.stem]


def other_languages(paths: Iterable[str | os.PathLike[str]]) -> dict[str, int]:
    """Count the files of other languages that ask OpenAI for pictures, by language."""
    found: defaultdict[str, int] = defaultdict(int)
    for root in map(Path, paths):
        for path in _walk(root, lambda path: path.suffix in LANGUAGES) if root.is_dir() else [root]:
            language = LANGUAGES.get(path.suffix)
            if language:
                with contextlib.suppress(OSError), path.open("rb") as file:
                    found[language] += bool(_FOREIGN_CALL.search(file.read(_LARGEST)))
    return {language: count for language, count in found.items() if count}


def find_sources(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the files to read: those named (`ConfigurationError`: there is none), and in directories the known kinds.

    Links are not followed: what they lead to within a directory is found anyway, and what lies outside is not meant.
    Version control, virtual environments and installed packages are passed over.
    """
    roots = [Path(path) for path in paths]
    for root in roots:
        if not os.path.lexists(root) or not root.exists():
            raise errors.ConfigurationError(f"There is no file or directory {root}: name one that exists.")
    found: dict[Path, Path] = {}
    for root in roots:
        for path in _walk(root, _is_read) if root.is_dir() else [root]:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _walk(root: Path, is_meant: Callable[[Path], bool]) -> Iterator[Path]:
    real = root.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_entered(here / name, real))
        for name in sorted(names):
            path = here / name
            if is_meant(path) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _is_entered(folder: Path, root: Path) -> bool:
    # A junction of Windows is no link, and leads out all the same.
    leads_out = folder.is_symlink() or (os.name == "nt" and not folder.resolve().is_relative_to(root))
    is_installed = any(os.path.lexists(folder / mark) for mark in _ENVIRONMENT_MARKS)
    return not leads_out and not is_installed and folder.name not in WORDS["skipped_folders"]


def _is_read(path: Path) -> bool:
    return path.suffix in {".py", ".ipynb"} or _is_configuration(path)


def _is_configuration(path: Path) -> bool:
    named = path.name == ".env" or path.name.startswith(".env.") or INSTALLING.fullmatch(path.name)
    return path.suffix in _CONFIGURATION or bool(named)


def migrate_file(
    path: Path,
    *,
    calls: bool = False,
    others: Others | None = None,
    is_relevant: Callable[[bytes], object] = RELEVANT.search,
) -> FileMigration:
    """Read a file and, where its bytes matter, find what it meets on IONOS; what is wrong comes back as `skipped`."""
    matters, limit = True, _LARGEST_NOTEBOOK if path.suffix == ".ipynb" else _LARGEST
    try:
        data, matters = _read(path, limit, is_relevant)
        if data is None:
            return FileMigration(path=path, skipped=f"it is larger than {limit // 10**6} MB", matters=matters)
        return _migrate(path, data, matters=matters, calls=calls, others=others)
    except (SyntaxError, LookupError, UnicodeDecodeError):
        reason = "its text is not in the encoding that it says"
    except SourceError as error:
        reason = str(error)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
    return FileMigration(path=path, skipped=reason, matters=matters)


def _read(path: Path, limit: int, is_relevant: Callable[[bytes], object]) -> tuple[bytes | None, bool]:
    """Return a file's bytes, None where it is too large, and whether anything in it looks like OpenAI's."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
        if len(data) <= limit:
            # Without NULs, text in UTF-16 shows its letters too.
            return data, bool(is_relevant(data.replace(b"\0", b"")))
        matters = bool(is_relevant(data))
        while not matters and file.tell() < LARGEST and (more := file.read(limit)):
            data = data[-100:] + more
            matters = bool(is_relevant(data))
        return None, matters


def _migrate(path: Path, data: bytes, *, matters: bool, calls: bool, others: Others | None) -> FileMigration:
    encoding = "utf-8"
    found = Migration(findings=(), edited="")
    if _is_configuration(path):
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
        is_env = path.name.startswith(".env") or path.suffix == ".env"
        found = search_configuration(text, holds_secrets=is_env, installs=bool(INSTALLING.fullmatch(path.name)))
    elif path.suffix == ".ipynb":
        text = data.decode("utf-8-sig")
        found = migrate_notebook(text, str(path), others=others) if matters else found
    else:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        if text.encode(encoding) != data:
            raise SourceError(f"its {encoding} text would not survive")
        found = migrate_source(text, path, calls=calls, others=others) if matters else found
        if not matters:
            parse(text)
    if found.edited in (text, ""):
        # Of a thousand files, only those that change are kept.
        found, data = dataclasses.replace(found, edited=""), b""
    return FileMigration(path=path, migration=found, matters=matters, data=data, encoding=encoding)


def write_edited(file: FileMigration) -> None:
    """Replace a file by its edited text, whole or, with `SourceError`, not at all; encoding, mark and mode stay."""
    if file.migration is None or not file.is_changed:
        return
    target = file.path.resolve()
    try:
        data = file.migration.edited.encode(file.encoding)
        if not os.access(target, os.W_OK):
            raise SourceError("it is write-protected")
        if target.read_bytes() != file.data:
            raise SourceError("it was changed while it was read")
        write_new(target.parent, target.name, data, overwrite=True)
    except UnicodeEncodeError as error:
        raise SourceError("it cannot be written (its encoding lacks a letter)") from error
    except (OSError, errors.ImageSaveError) as error:
        raise SourceError(f"it cannot be written ({os.strerror(error.errno or 0)})") from error
