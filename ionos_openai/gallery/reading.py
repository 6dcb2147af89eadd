"""All pictures of a directory, read by several threads, and remembered until one of them changes."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from ionos_openai.batch.records import Problem
from ionos_openai.gallery.facts import Facts, read_facts, thumbnail_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ionos_openai.gallery.listing import Listing, Stamp

_MEMORY = "facts.json"
_VERSION = 1  # of what is remembered; another one is not believed
_MOST_THREADS = 4
_TYPES = {field.name: type(field.default) for field in fields(Facts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the pictures of a directory say.

    Attributes:
        facts: By name, in the order of the listing.
        problems: The files that are no whole pictures, or of which something cannot be read.
        thumbnails_made: How many thumbnails were missing or older than their pictures.
    """

    facts: Mapping[str, Facts]
    problems: tuple[Problem, ...]
    thumbnails_made: int


def read_pictures(folder: Path, thumbnails: Path, listing: Listing) -> Reading:
    """Read the pictures that are new or changed, and make the thumbnails that are missing or older.

    Args:
        folder: Where the pictures are.
        thumbnails: Where the thumbnails are, and what is remembered of the last time.
        listing: The pictures.
    """
    remembered = _recall(thumbnails / _MEMORY)
    ages = _thumbnail_ages(thumbnails)
    known = {
        name: remembered[name][1]
        for name, stamp in listing.stamps.items()
        if name in remembered and remembered[name][0] == stamp and _is_settled(remembered[name][1], ages)
    }

    def read(name: str) -> tuple[Facts, bool, bool]:
        keep = _keeps_thumbnail(ages.get(thumbnail_name(name)), listing.stamps[name], remembered.get(name))
        try:
            return *read_facts(folder / name, thumbnails, keep_thumbnail=keep), True
        except OSError as error:
            return Facts(problem=f"it cannot be read: {error.strerror}"), False, False

    unread = [name for name in listing.stamps if name not in known]
    found = dict(zip(unread, _in_threads(read, unread), strict=True))
    facts = {name: known[name] if name in known else found[name][0] for name in listing.stamps}
    lasting = {name: (listing.stamps[name], facts[name]) for name in facts if name in known or found[name][2]}
    if lasting != remembered:
        _remember(thumbnails / _MEMORY, lasting)
    return Reading(
        facts=facts,
        problems=tuple(Problem(name=name, message=one.problem) for name, one in facts.items() if one.problem),
        thumbnails_made=sum(made for _, made, _ in found.values()),
    )


def _is_settled(facts: Facts, ages: Mapping[str, int]) -> bool:
    """Tell whether nothing is gained by reading a file again that has not changed."""
    if not facts.width:
        return True  # It is no picture, and will not become one.
    return facts.problem is None and facts.thumbnail in ages


def _keeps_thumbnail(age: int | None, stamp: Stamp, remembered: tuple[Stamp, Facts] | None) -> bool:
    """Tell whether a thumbnail is there and of the picture as it is; a sidecar may have changed."""
    if age is None:
        return False
    # A file that takes the place of another one may be older than it, and than its thumbnail.
    return remembered[0][:2] == stamp[:2] if remembered else age >= stamp[1]


def _thumbnail_ages(thumbnails: Path) -> dict[str, int]:
    """Return when each thumbnail was made, in ns; empty files are what a crash leaves."""
    with os.scandir(thumbnails) as found:
        about = {entry.name: entry.stat() for entry in found if entry.name.endswith(".jpg")}
    return {name.removesuffix(".jpg"): one.st_mtime_ns for name, one in about.items() if one.st_size}


def _in_threads(
    read: Callable[[str], tuple[Facts, bool, bool]], names: Iterable[str]
) -> list[tuple[Facts, bool, bool]]:
    # Pillow lets other threads run while it decodes and encodes.
    pool = ThreadPoolExecutor(max_workers=min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        return list(pool.map(read, names))
    finally:
        pool.shutdown(cancel_futures=True)  # At Ctrl-C only what has begun is waited for.


def _recall(path: Path) -> dict[str, tuple[Stamp, Facts]]:
    """Return what is remembered; nothing where it is missing, damaged or of another version."""
    try:
        found = json.loads(path.read_bytes())
        if found["version"] != _VERSION:
            return {}
        return {name: (tuple(stamp), _facts(given)) for name, (stamp, given) in found["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _facts(given: Mapping[str, object]) -> Facts:
    for name, value in given.items():
        expected = _TYPES[name]
        if expected is not type(None) and type(value) is not expected:
            raise TypeError(name)
        if expected is type(None) and not isinstance(value, int if name == "seed" else str):
            raise TypeError(name)
    return Facts(**given)  # type: ignore[arg-type]  # their types were just checked


def _remember(path: Path, facts: Mapping[str, tuple[Stamp, Facts]]) -> None:
    empty = asdict(Facts())
    files = {
        name: (stamp, {key: value for key, value in asdict(one).items() if value != empty[key]})
        for name, (stamp, one) in facts.items()
    }
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(json.dumps({"version": _VERSION, "files": files}, separators=(",", ":")).encode())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # Then the next time takes as long as the first.
