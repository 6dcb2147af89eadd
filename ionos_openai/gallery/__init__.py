"""A directory of pictures as one page, out of the pictures, their provenance, and the manifest of a batch."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ionos_openai import errors
from ionos_openai.batch.records import Problem, Record, read_records
from ionos_openai.errors.words import printable
from ionos_openai.files.opening import at_home, open_regular
from ionos_openai.files.writing import is_directory, make_directory, write_new
from ionos_openai.gallery.entries import Entry, in_order, make_entries
from ionos_openai.gallery.page import MARK, render
from ionos_openai.gallery.reading import Found, list_folders, list_pictures, read_pictures

__all__ = ["Gallery", "Problem", "make_gallery", "write_gallery"]

log = logging.getLogger("ionos_openai")

PAGE = "index.html"
THUMBNAILS = ".thumbnails"
_THUMBNAIL = re.compile(r"[0-9a-f]{16}\.jpg")
_MARK_REACH = 2048  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """A gallery that was written."""

    path: Path  # the page
    pictures: int  # how many it shows
    failed: int  # how many requests of the manifest it shows that led to no picture
    thumbnails: int  # how many were made; the others were there already
    problems: tuple[Problem, ...]  # what could not be read or is gone, in the order of the files' names
    left_out: int = 0  # how many sub-folders with pictures it does not show


def write_gallery(directory: str | os.PathLike[str], *, recursive: bool = False, caption: str | None = None) -> Path:
    """Write `index.html` into a directory, a page of the pictures in it, and return its path.

    Thumbnails of at most 384 px a side go into `.thumbnails`, and stay as long as their pictures stay as they are. What
    could not be read or is gone is logged as a WARNING of `ionos_openai`; `make_gallery` returns it instead. A notebook
    shows the page in a new tab with `webbrowser.open(path.resolve().as_uri())`.

    Args:
        directory: Where the pictures are; `manifest.jsonl` in it tells more about them.
        recursive: Whether pictures in sub-folders are shown too, with what their manifests tell.
        caption: The column of metadata that stands on each card; None means its first one.

    Raises:
        InvalidRequestError: `directory` is no directory, cannot be read, or has an `index.html` of another maker.
        ImageSaveError: The page or the directory of thumbnails cannot be written.
    """
    gallery = make_gallery(directory, recursive=recursive, caption=caption)
    for problem in gallery.problems:
        log.warning("%s", printable(f"{problem.name}: {problem.message}."))
    return gallery.path


def make_gallery(
    directory: str | os.PathLike[str],
    *,
    recursive: bool = False,
    caption: str | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Gallery:
    """Do as `write_gallery`, and return what came of it; `on_progress` gets how many are read, of how many to read."""
    folder = at_home(directory)
    folders, left_out, listed, unlisted = _list(folder, recursive=recursive)
    _check_page(folder / PAGE)
    thumbnails = folder / THUMBNAILS
    if thumbnails.is_symlink():  # to where others' files may be
        raise errors.InvalidRequestError(f"{thumbnails} is a link: move it away.")
    make_directory(thumbnails)
    files, made = read_pictures(folder, thumbnails, listed, on_progress)
    _sweep(thumbnails, {f"{entry.thumbnail}.jpg" for entry in files if entry.thumbnail})
    found, gone, records, damaged = list[Entry](), list[Problem](), list[Record](), list[Problem]()
    inside = {place: list(group) for place, group in groupby(files, lambda file: (file.name or "").rpartition("/")[0])}
    for prefix in folders:
        manifest = read_records(folder / prefix)
        here, lost = make_entries(inside.get(prefix[:-1], ()), manifest.records, prefix)
        found, gone, records = [*found, *here], [*gone, *lost], [*records, *manifest.records]
        damaged += [replace(problem, name=prefix + problem.name) for problem in manifest.problems]
    entries = in_order(found)
    path = _write(folder, render(folder.resolve().name or "Gallery", entries, records, caption).encode())
    unread = [Problem(name=entry.name, message=entry.problem) for entry in files if entry.name and entry.problem]
    return Gallery(
        path=path,
        pictures=sum(entry.is_picture for entry in entries),
        failed=sum(entry.state == "failed" for entry in entries),
        thumbnails=made,
        problems=(*sorted((*unlisted, *unread, *gone), key=lambda problem: problem.name), *damaged),
        left_out=left_out,
    )


def _list(folder: Path, *, recursive: bool) -> tuple[list[str], int, dict[str, Found], list[Problem]]:
    if not is_directory(folder):
        raise errors.InvalidRequestError(f"{folder} is not a directory: name the one with the pictures.")
    try:
        folders, left_out = list_folders(folder, recursive=recursive)
        return folders, left_out, *list_pictures(folder, folders)
    except OSError as error:
        why = f"{folder} cannot be read: {error.strerror}. Check its permissions."
        raise errors.InvalidRequestError(why) from error


def _check_page(path: Path) -> None:
    """See to it that nobody's own page is replaced."""
    try:
        with os.fdopen(open_regular(path), "rb") as page:
            ours = MARK.encode() in page.read(_MARK_REACH)
    except FileNotFoundError:
        return
    except OSError as error:
        raise errors.InvalidRequestError(f"{path} cannot be read: {error.strerror}. Move it away.") from error
    if not ours:
        raise errors.InvalidRequestError(f"{path} is not a page of this program, so it is kept: move it away.")


def _sweep(thumbnails: Path, wanted: set[str]) -> None:
    """Remove the thumbnails of pictures that are gone; what cannot be removed does no harm."""
    for path in thumbnails.iterdir():
        if _THUMBNAIL.fullmatch(path.name) and path.name not in wanted:
            with contextlib.suppress(OSError):
                path.unlink()


def _write(folder: Path, page: bytes) -> Path:
    try:
        return write_new(folder, PAGE, page, overwrite=True)
    except errors.ImageSaveError as error:
        why = getattr(error.__cause__, "strerror", None) or error.__cause__
        raise errors.ImageSaveError(
            f"Cannot write {folder / PAGE}: {why}. Check the directory and the disk."
        ) from error
