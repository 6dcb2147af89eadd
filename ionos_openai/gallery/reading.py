"""All pictures of a directory: listed, and read by several threads."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ionos_openai import errors
from ionos_openai.batch.records import Problem
from ionos_openai.files.formats import EXTENSIONS, FormatError, is_marked_sandbox, recognise
from ionos_openai.files.names import digest
from ionos_openai.files.opening import LARGEST, read_regular
from ionos_openai.gallery.entries import Entry
from ionos_openai.gallery.thumbnails import ThumbnailError, is_too_large, write_thumbnail
from ionos_openai.provenance import COMPOSITE, Provenance, read_provenance, read_signature

_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg"})
_MOST_THREADS = 4
_LARGE = 1 << 24  # px
_alone = threading.Lock()  # Large pictures are decoded one after the other: each may take hundreds of MB.


class Found(NamedTuple):
    """A picture's file: when it was changed, in ns, its size in bytes, and whether it has a sidecar."""

    changed: int
    size: int
    has_sidecar: bool


def list_folders(folder: Path, *, recursive: bool) -> tuple[list[str], int]:
    """Return the folders to look into, each with its slash and the folder itself as "", and how many are left out.

    No link is followed, and what is hidden is no folder of pictures.
    """
    found, left = [""], [""]
    while left:
        prefix = left.pop()
        with contextlib.suppress(OSError), os.scandir(folder / prefix) as entries:
            inside = [entry for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != "."]
            below = sorted(f"{prefix}{entry.name}/" for entry in inside)
            found += below
            left += below if recursive else []
    return (found, 0) if recursive else ([""], len([path for path in found[1:] if _has_pictures(folder / path)]))


def _has_pictures(folder: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(os.path.splitext(entry.name)[1].lower() in _SUFFIXES for entry in entries)  # noqa: PTH122
    return False


def list_pictures(folder: Path, places: Iterable[str]) -> tuple[dict[str, Found], list[Problem]]:
    """List the files in some places of a folder that are pictures by their extension; hidden ones are left out.

    Returned is what is known of each, in the order of the names; and what has the name of a picture and is no file.
    """
    listed, problems = dict[str, Found](), list[Problem]()
    for place in places:
        with os.scandir(folder / place) as found:
            entries = {entry.name: entry for entry in found if not entry.name.startswith(".")}
        for name in sorted(entries):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122  A Path for each of 100,000 names takes a second.
            if suffix.lower() not in _SUFFIXES:
                continue
            try:
                facts = entries[name].stat()
            except OSError as error:
                problems.append(Problem(name=place + name, message=f"it cannot be read: {error.strerror}"))
                continue
            if stat.S_ISREG(facts.st_mode):
                has_sidecar = f"{stem}.xmp" in entries or f"{name}.xmp" in entries
                listed[place + name] = Found(facts.st_mtime_ns, facts.st_size, has_sidecar)
            else:  # Opening a pipe would wait for ever.
                kind = "a directory" if stat.S_ISDIR(facts.st_mode) else "no regular file"
                problems.append(Problem(name=place + name, message=f"it is {kind}"))
    return listed, problems


def read_pictures(
    folder: Path, thumbnails: Path, listed: Mapping[str, Found], on_progress: Callable[[int, int], object] | None = None
) -> tuple[list[Entry], int]:
    """Read all pictures, and make the thumbnails that are missing or of another picture.

    A thumbnail is as old as its picture: a file that takes the place of another one may be older than that. Returned is
    what the files say, in their order, and how many thumbnails were made.
    """
    ages = _thumbnail_ages(thumbnails)
    new = {name for name, found in listed.items() if ages.get(digest(name)) != found.changed}

    def read(name: str) -> Entry:
        try:
            entry = _read(folder, name, listed[name], thumbnails, keep_thumbnail=name not in new)
        except OSError as error:
            entry = Entry(problem=f"it cannot be read: {error.strerror}")
        return replace(entry, name=name, changed=listed[name].changed)

    entries, done = list[Entry](), 0
    # Pillow lets other threads run while it decodes and encodes.
    pool = ThreadPoolExecutor(max_workers=min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        for entry in pool.map(read, listed):
            entries.append(entry)
            if entry.name in new and on_progress is not None:
                on_progress(done := done + 1, len(new))
    finally:
        pool.shutdown(cancel_futures=True)  # At Ctrl-C only what has begun is waited for.
    return entries, sum(entry.thumbnail is not None and entry.name in new for entry in entries)


def _thumbnail_ages(thumbnails: Path) -> dict[str, int]:
    """Return of when each thumbnail's picture is, in ns; empty files are what a crash leaves."""
    with os.scandir(thumbnails) as found:
        own = (entry for entry in found if entry.name.endswith(".jpg") and entry.is_file(follow_symlinks=False))
        facts = {entry.name: entry.stat() for entry in own}
    return {name.removesuffix(".jpg"): fact.st_mtime_ns for name, fact in facts.items() if fact.st_size}


def _read(folder: Path, name: str, found: Found, thumbnails: Path, *, keep_thumbnail: bool) -> Entry:
    """Read a picture, and make its thumbnail unless there is one already that is good."""
    path = folder / name
    if found.size > LARGEST:
        return Entry(problem="it is larger than 256 MiB")
    data = read_regular(Path(os.path.realpath(path)))  # a link may lead to a picture, not to a device
    try:
        picture = recognise(data)
    except FormatError as error:
        return Entry(problem=str(error))
    entry = Entry(width=picture.width, height=picture.height, signed=_signer(data))
    entry = _from_provenance(path if found.has_sidecar else data, data, entry)
    if is_too_large(picture.width, picture.height):
        return replace(entry, too_large=True, problem="it has too many pixels for a thumbnail")
    thumbnail = digest(name)  # short, and valid whatever the picture is called
    try:
        if not keep_thumbnail:
            with _alone if picture.width * picture.height > _LARGE else contextlib.nullcontext():
                write_thumbnail(data, thumbnails / f"{thumbnail}.jpg")
            with contextlib.suppress(OSError):  # Then it is made again the next time.
                os.utime(thumbnails / f"{thumbnail}.jpg", ns=(found.changed, found.changed))
    except ThumbnailError as error:
        return replace(entry, problem=str(error))
    return replace(entry, thumbnail=thumbnail)


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
