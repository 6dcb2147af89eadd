"""A batch's pictures on disk: saved and described, and compared with what was recorded of them."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from ionos_openai.batch.records import StoredFile
from ionos_openai.batch.request import ImageRequest
from ionos_openai.errors import ImageSaveError, IonosWarning, SignatureError
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.files.names import (
    SavingSettings,
    clean_name,
    is_plain_name,
    parse_format,
    prompt_name,
    shorten,
    split_extension,
)
from ionos_openai.files.opening import open_regular, read_regular
from ionos_openai.files.writing import write_new
from ionos_openai.images.image import GeneratedImage, write_images
from ionos_openai.provenance.marking import warn_unmarked

log = logging.getLogger("ionos_openai")

FileState: TypeAlias = Literal["same", "touched", "modified", "missing", "damaged"]
"""What became of a file: "touched" has another time but the same bytes; "damaged" is no whole picture any more, or no
regular file of the directory: a link or a device is not looked into."""

_WORST_FIRST: tuple[FileState, ...] = ("damaged", "missing", "modified", "touched", "same")


def save(
    image: GeneratedImage, directory: Path, *, name: str | None, saving: SavingSettings
) -> tuple[StoredFile, list[str]]:
    """Save a picture into a directory; return what the manifest says of it, and what there is to `warn` of.

    Raises:
        ImageSaveError: It cannot be written.
    """
    try:
        [path], problems = write_images([image], directory, saving, name=name)
    except ImageSaveError as error:
        if error.errno is not None or name is None or isinstance(error, SignatureError):
            raise
        # It cannot be converted to what the name asks for: as it was sent it is not lost.
        [path], problems = write_images([image], directory, saving, name=Path(name).stem)
    is_as_sent = path.suffix.lower() == image.extension
    format_ = image.format if is_as_sent else parse_format(path.suffix)
    return describe(path, format=format_, width=image.width, height=image.height), problems


def save_unreadable(data: bytes, directory: Path, request: ImageRequest, saving: SavingSettings) -> StoredFile:
    """Save what came in place of a picture; return what the manifest says of it: no format, and 0x0 px.

    Raises:
        ImageSaveError: It cannot be written.
    """
    name = request.name and split_extension(clean_name(request.name))[0]
    path = write_new(directory, shorten(f"{name or prompt_name(request.prompt, saving.file_names)}.bin"), data)
    return describe(path, format="", width=0, height=0)


def warn(problems: Sequence[str]) -> None:
    """Warn of pictures without a mark, which are recorded by now; where warnings are errors, the log has it."""
    try:
        warn_unmarked(problems)
    except IonosWarning as warning:
        log.warning("%s", warning)


def describe(path: Path, *, format: str, width: int, height: int) -> StoredFile:
    """Return what the manifest says of a file.

    Raises:
        ImageSaveError: It cannot be read back.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
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
    if not is_plain_name(file.name):
        return "damaged"
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return "damaged"
        is_same_time = found.st_mtime == file.mtime
        if found.st_size == file.bytes and is_same_time and not verify:
            return "same"
        data = read_regular(path)
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError) as error:  # the second for a name that no file has
        return "missing" if isinstance(error, PermissionError) else "damaged"
    if hashlib.sha256(data).hexdigest() == file.sha256:
        return "same" if is_same_time else "touched"
    try:
        recognise(data)
    except FormatError:
        return "damaged"
    return "modified"
