"""All pictures of a directory, read by several threads, and remembered until one of them changes."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ionos_openai import errors
from ionos_openai.files.formats import FormatError, is_marked_sandbox, recognise
from ionos_openai.files.names import digest
from ionos_openai.files.opening import LARGEST, read_regular
from ionos_openai.files.writing import replace_file
from ionos_openai.gallery.entries import Entry
from ionos_openai.gallery.thumbnails import ThumbnailError, is_too_large, write_thumbnail
from ionos_openai.provenance import COMPOSITE, Provenance, read_provenance, read_signature

if TYPE_CHECKING:
    from ionos_openai.gallery.listing import Stamp


_MEMORY = "facts.json"
_VERSION = 2  # of what is remembered; another one is not believed
_MOST_THREADS = 4
_LONGEST_FACTS = 1 << 14  # bytes for a picture, on average
_LARGE = 1 << 24  # px
_alone = threading.Lock()  # Large pictures are decoded one after the other: each may take hundreds of MB.
_OF_PICTURE = 2  # numbers of a stamp; more are those of sidecars
_NOT_OF_FILE = {"row", "asked", "name", "changed", "state", "has_extra", "cost", "shares_cost", "metadata"}
_DEFAULTS = {field.name: field.default for field in fields(Entry) if field.name not in _NOT_OF_FILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A picture as it was read: whether its thumbnail was made for that, and whether it is worth remembering."""

    entry: Entry
    made: bool = False
    lasts: bool = True


def read_pictures(
    folder: Path, thumbnails: Path, stamps: Mapping[str, Stamp], on_progress: Callable[[int, int], object] | None = None
) -> tuple[list[Entry], int]:
    """Read the pictures that are new or changed, and make the thumbnails that are missing or older.

    What is remembered of the last time lies with the thumbnails.

    Returns:
        What the files say, in the order of the stamps, and how many thumbnails were made.
    """
    remembered = _recall(thumbnails / _MEMORY, most=_LONGEST_FACTS * (len(stamps) + 8))
    ages = _thumbnail_ages(thumbnails)
    found = {
        name: _Seen(entry=remembered[name][1])
        for name, stamp in stamps.items()
        if name in remembered and remembered[name][0] == stamp and _is_settled(remembered[name][1], ages)
    }

    def read(name: str) -> _Seen:
        keep = _keeps_thumbnail(ages.get(digest(name)), stamps[name], remembered.get(name))
        try:
            return _read(folder, name, thumbnails, keep_thumbnail=keep, has_sidecar=len(stamps[name]) > _OF_PICTURE)
        except OSError as error:
            return _Seen(entry=Entry(problem=f"it cannot be read: {error.strerror}"), lasts=False)

    unread = [name for name in stamps if name not in found]
    # Pillow lets other threads run while it decodes and encodes.
    pool = ThreadPoolExecutor(max_workers=min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        for number, seen in enumerate(pool.map(read, unread), 1):
            found[unread[number - 1]] = seen
            if on_progress is not None:
                on_progress(number, len(unread))
    finally:
        pool.shutdown(cancel_futures=True)  # At Ctrl-C only what has begun is waited for.
    lasting = {name: (stamps[name], seen.entry) for name, seen in found.items() if seen.lasts}
    if lasting != remembered:
        _remember(thumbnails / _MEMORY, lasting)
    made = sum(seen.made for seen in found.values())
    return [replace(found[name].entry, name=name, changed=stamp[1]) for name, stamp in stamps.items()], made


def _is_settled(entry: Entry, ages: Mapping[str, int]) -> bool:
    """Tell whether nothing is gained by reading a file again that has not changed."""
    if not entry.width:
        return entry.thumbnail is None  # It is no picture, and will not become one.
    return entry.problem is None and entry.thumbnail in ages


def _keeps_thumbnail(age: int | None, stamp: Stamp, remembered: tuple[Stamp, Entry] | None) -> bool:
    """Tell whether a thumbnail is there and of the picture as it is; a sidecar may have changed."""
    if age is None:
        return False
    # A file that takes the place of another one may be older than it, and than its thumbnail.
    return remembered[0][:2] == stamp[:2] if remembered else age >= stamp[1]


def _thumbnail_ages(thumbnails: Path) -> dict[str, int]:
    """Return when each thumbnail was made, in ns; empty files are what a crash leaves."""
    with os.scandir(thumbnails) as found:
        own = (entry for entry in found if entry.name.endswith(".jpg") and entry.is_file(follow_symlinks=False))
        facts = {entry.name: entry.stat() for entry in own}
    return {name.removesuffix(".jpg"): fact.st_mtime_ns for name, fact in facts.items() if fact.st_size}


def _read(folder: Path, name: str, thumbnails: Path, *, keep_thumbnail: bool, has_sidecar: bool) -> _Seen:
    """Read a picture, and make its thumbnail unless there is one already that is good."""
    path = folder / name
    if path.stat().st_size > LARGEST:
        return _Seen(entry=Entry(problem="it is larger than 256 MiB"))
    data = read_regular(Path(os.path.realpath(path)))  # a link may lead to a picture, not to a device
    try:
        found = recognise(data)
    except FormatError as error:
        return _Seen(entry=Entry(problem=str(error)))
    entry = Entry(width=found.width, height=found.height, signed=_signer(data))
    entry = _from_provenance(path if has_sidecar else data, data, entry)
    if is_too_large(found.width, found.height):
        return _Seen(entry=replace(entry, too_large=True, problem="it has too many pixels for a thumbnail"))
    thumbnail = digest(name)  # short, and valid whatever the picture is called
    try:
        if not keep_thumbnail:
            with _alone if found.width * found.height > _LARGE else contextlib.nullcontext():
                write_thumbnail(data, thumbnails / f"{thumbnail}.jpg")
    except ThumbnailError as error:
        return _Seen(entry=replace(entry, problem=str(error)))
    return _Seen(entry=replace(entry, thumbnail=thumbnail), made=not keep_thumbnail)


def _from_provenance(source: Path | bytes, data: bytes, entry: Entry) -> Entry:
    try:
        found = read_provenance(source) or Provenance()
    except (OSError, errors.ProvenanceError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        return replace(entry, problem=f"its provenance cannot be read: {why}", sandbox=is_marked_sandbox(data))
    return replace(
        entry,
        model=found.model,
        size=found.size,
        seed=found.seed,
        prompt=found.prompt,
        alt=found.alt,
        created=found.created.isoformat() if found.created else None,
        credit=" · ".join(part for part in (found.creator, found.credit, found.copyright) if part) or None,
        edited=found.digital_source_type == COMPOSITE,
        sandbox=found.placeholder or is_marked_sandbox(data),
    )


def _signer(data: bytes) -> str | None:
    try:
        signature = read_signature(data)
    except errors.ConfigurationError:  # c2pa-python is not installed
        return None
    if signature is None:
        return None
    return "signature invalid" if signature.state == "invalid" else f"signed by {signature.signer}"


def _recall(path: Path, *, most: int) -> dict[str, tuple[Stamp, Entry]]:
    """Return what is remembered; nothing where it is missing, damaged, of another version, or over `most` bytes."""
    try:
        found = json.loads(read_regular(path, most=most))
        if found["version"] != _VERSION:
            return {}
        return {name: (tuple(stamp), _entry(given)) for name, (stamp, given) in found["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _entry(given: Mapping[str, object]) -> Entry:
    for name, value in given.items():
        default = _DEFAULTS[name]
        expected = (int if name == "seed" else str) if default is None else type(default)
        if not isinstance(value, expected) or (isinstance(value, bool) and default is not False):
            raise TypeError(name)
    return Entry(**given)  # type: ignore[arg-type]  # their types were just checked


def _remember(path: Path, entries: Mapping[str, tuple[Stamp, Entry]]) -> None:
    files = {
        name: (stamp, {key: value for key in _DEFAULTS if (value := getattr(entry, key)) != _DEFAULTS[key]})
        for name, (stamp, entry) in entries.items()
    }
    with contextlib.suppress(OSError):  # Then the next time takes as long as the first.
        replace_file(path, json.dumps({"version": _VERSION, "files": files}, separators=(",", ":")).encode())
