"""All pictures of a directory: listed, read by several threads, and copied small for a page that shows many."""

from __future__ import annotations

import contextlib
import io
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
from ionos_openai.files.formats import EXTENSIONS, FORMATS, FormatError, fit_mode, is_marked_sandbox, recognise
from ionos_openai.files.names import digest
from ionos_openai.files.opening import LARGEST, read_regular
from ionos_openai.files.writing import replace_file
from ionos_openai.gallery.entries import Entry
from ionos_openai.provenance import COMPOSITE, Provenance, read_provenance, read_signature

_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg"})
_MOST_THREADS = 4
_LARGE = 1 << 24  # px
_LONGEST_SIDE = 384  # px: sharp on a dense screen in a column of 190 px
_SMALLEST_SIDE = 256  # px of a JPEG: resampling it to more would take most of the time
_QUALITY = 80
_alone = threading.Lock()  # Large pictures are decoded one after the other: each may take hundreds of MB.


class Found(NamedTuple):
    """A picture's file: when it was changed, in ns, its size in bytes, and whether it has a sidecar."""

    changed: int
    size: int
    has_sidecar: bool


def list_folders(folder: Path, *, recursive: bool) -> tuple[list[str], int]:
    """Return the folders to look into, each with its slash, and how many are left out; no links, nothing hidden."""
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
    """Return what is known of the files that are called pictures and not hidden, by name, and what is no file."""
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
    """Return what the files say, in their order, and how many thumbnails were missing, or of other pictures, and made.

    A thumbnail is as old as its picture: a file that takes the place of another one may be older than that.
    """
    with os.scandir(thumbnails) as there:
        own = (entry for entry in there if entry.name.endswith(".jpg") and entry.is_file(follow_symlinks=False))
        facts = {entry.name.removesuffix(".jpg"): entry.stat() for entry in own}
    ages = {name: fact.st_mtime_ns for name, fact in facts.items() if fact.st_size}  # a crash leaves empty files
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
    from PIL import Image  # which a page without pictures does not need

    if Image.MAX_IMAGE_PIXELS is not None and picture.width * picture.height > Image.MAX_IMAGE_PIXELS:
        return replace(entry, too_large=True, problem="it has too many pixels for a thumbnail")
    thumbnail = digest(name)  # short, and valid whatever the picture is called
    if not keep_thumbnail:
        with _alone if picture.width * picture.height > _LARGE else contextlib.nullcontext():
            problem = write_thumbnail(data, thumbnails / f"{thumbnail}.jpg")
        if problem:
            return replace(entry, problem=problem)
        with contextlib.suppress(OSError):  # Then it is made again the next time.
            os.utime(thumbnails / f"{thumbnail}.jpg", ns=(found.changed, found.changed))
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


def write_thumbnail(data: bytes, path: Path) -> str | None:
    """Write a thumbnail, whole or not at all, but not synced; return why a picture can have none, as a clause."""
    try:
        encoded = _shrink(data)
    except Exception as error:  # noqa: BLE001 - Pillow raises a dozen kinds for hostile bytes
        return f"its pixels cannot be read ({type(error).__name__})"
    try:
        replace_file(path, encoded)
    except OSError as error:
        return f"its thumbnail cannot be written: {error.strerror}"
    return None


def _shrink(data: bytes) -> bytes:
    from PIL import Image, ImageOps

    # Closed, and not only left: the pixels, which may be hundreds of MB, would wait for the garbage collector.
    with contextlib.closing(Image.open(io.BytesIO(data), formats=FORMATS)) as opened:
        picture: Image.Image = opened
        # A JPEG is decoded at a fraction of its size right away: 1024x1024 px at a quarter, which is not resampled.
        picture.draft("RGB", (_SMALLEST_SIDE, _SMALLEST_SIDE))
        if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off
            picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
        small = fit_mode(picture, "PNG")  # in which colours can be mixed
        # Halving comes first, as it costs next to nothing; what is left is resampled well.
        small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), reducing_gap=1.1)
        upright = fit_mode(ImageOps.exif_transpose(small), "JPEG")
    written = io.BytesIO()
    upright.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
