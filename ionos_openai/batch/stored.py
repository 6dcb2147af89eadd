"""A batch's pictures on disk: saved and described, and compared with what was recorded of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ionos_openai.errors import ImageSaveError
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.files.names import parse_format
from ionos_openai.images.image import save_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ionos_openai.files.names import SavingSettings
    from ionos_openai.images.image import GeneratedImage

State: TypeAlias = Literal["same", "touched", "modified", "missing", "damaged"]
"""What became of a file: "touched" has another time but the same bytes; "damaged" is no whole picture any more."""

_WORST_FIRST: tuple[State, ...] = ("damaged", "missing", "modified", "touched", "same")


def save(
    image: GeneratedImage, directory: Path, *, name: str | None, saving: SavingSettings
) -> tuple[Path, dict[str, object]]:
    """Save a picture; return where it is and what the manifest says of it.

    Raises:
        ImageSaveError: It cannot be written.
    """
    try:
        path = save_images([image], directory, name=name, **asdict(saving))[0]
    except ImageSaveError as error:
        if error.errno is not None or name is None:
            raise
        # It cannot be converted to what the name asks for: as it was sent it is not lost.
        path = save_images([image], directory, name=Path(name).stem, **asdict(saving))[0]
    return path, describe_file(path, format=_format_of(path, image), width=image.width, height=image.height)


def _format_of(path: Path, image: GeneratedImage) -> str:
    return image.format if path.suffix.lower() == image.extension else parse_format(path.suffix)


def describe_file(path: Path, *, format: str, width: int, height: int) -> dict[str, object]:
    """Return what the manifest says of a file.

    Raises:
        ImageSaveError: It cannot be read back.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found = os.fstat(file.fileno())
    except OSError as error:
        raise ImageSaveError(f"Cannot read {path} back: {error.strerror}. The picture is saved.") from error
    facts: dict[str, object] = {"name": path.name, "sha256": digest, "bytes": found.st_size, "format": format}
    return facts | {"width": width, "height": height, "mtime": found.st_mtime}


def is_same(path: str, size: int, time: float) -> bool:
    """Tell whether a file has the size in bytes and the time that were recorded."""
    try:
        found = os.stat(path)  # noqa: PTH116  A Path for each of 100,000 files takes longer than asking for it.
    except OSError:
        return False
    return found.st_size == size and found.st_mtime == time


def look(directory: str, files: list[Any], *, verify: bool) -> State:
    """Tell what became of recorded files: the worst of them decides.

    Args:
        directory: Where they are.
        files: What was recorded of them.
        verify: Whether to compare digests where size and time are the same.
    """
    if not files:
        return "missing"
    states = {_look(f"{directory}{os.sep}{fact['name']}", fact, verify=verify) for fact in files}
    return next(state for state in _WORST_FIRST if state in states)


def _look(path: str, fact: Mapping[str, Any], *, verify: bool) -> State:
    try:
        found = os.stat(path)  # noqa: PTH116  A Path for each of 100,000 files takes longer than asking for it.
    except OSError:
        return "missing"
    if found.st_size == fact["bytes"] and found.st_mtime == fact.get("mtime") and not verify:
        return "same"
    return _read(Path(path), fact, is_same_time=found.st_mtime == fact.get("mtime"))


def _read(path: Path, fact: Mapping[str, Any], *, is_same_time: bool) -> State:
    try:
        data = path.read_bytes()
    except OSError:
        return "missing"
    if hashlib.sha256(data).hexdigest() == fact["sha256"]:
        return "same" if is_same_time else "touched"
    try:
        recognise(data)
    except FormatError:
        return "damaged"
    return "modified"


def describe_again(directory: Path, files: list[Any]) -> list[dict[str, object]]:
    """Return what is to be recorded of files that somebody changed."""
    known = [(directory / fact["name"], fact) for fact in files]
    return [
        describe_file(path, format=fact["format"], width=fact["width"], height=fact["height"]) for path, fact in known
    ]
