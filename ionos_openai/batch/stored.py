"""A batch's pictures on disk: saved and described, and compared with what was recorded of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.batch.records import StoredFile
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.files.names import parse_format
from ionos_openai.images.image import save_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ionos_openai.files.names import SavingSettings
    from ionos_openai.images.image import GeneratedImage

FileState: TypeAlias = Literal["same", "touched", "modified", "missing", "damaged"]
"""What became of a file: "touched" has another time but the same bytes; "damaged" is no whole picture any more."""

_WORST_FIRST: tuple[FileState, ...] = ("damaged", "missing", "modified", "touched", "same")


def save(image: GeneratedImage, directory: Path, *, name: str | None, saving: SavingSettings) -> StoredFile:
    """Save a picture into a directory; return what the manifest says of it.

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
    is_as_sent = path.suffix.lower() == image.extension
    format_ = image.format if is_as_sent else parse_format(path.suffix)
    return describe(path, format=format_, width=image.width, height=image.height)


def describe(path: Path, *, format: str, width: int, height: int) -> StoredFile:
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
    return StoredFile(path.name, digest, found.st_size, format, width, height, found.st_mtime)


def look(directory: str, files: Sequence[StoredFile], *, verify: bool) -> FileState:
    """Tell what became of recorded files: the worst of them decides, and "missing" where none are recorded.

    With `verify`, digests are compared also where size and time are the same.
    """
    states: list[FileState] = [_look(f"{directory}{os.sep}{file.name}", file, verify=verify) for file in files]
    if not states:
        return "missing"
    return states[0] if len(states) == 1 else min(states, key=_WORST_FIRST.index)


def _look(path: str, file: StoredFile, *, verify: bool) -> FileState:
    try:
        found = os.stat(path)  # noqa: PTH116  A Path for each of 100,000 files takes longer than asking for it.
        is_same_time = found.st_mtime == file.mtime
        if found.st_size == file.bytes and is_same_time and not verify:
            return "same"
        data = Path(path).read_bytes()
    except OSError:
        return "missing"
    if hashlib.sha256(data).hexdigest() == file.sha256:
        return "same" if is_same_time else "touched"
    try:
        recognise(data)
    except FormatError:
        return "damaged"
    return "modified"
