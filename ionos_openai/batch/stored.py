"""Where a batch keeps its pictures and records: it does not know whether that is a directory or a bucket.

    store = open_store("s3://bucket/prefix", exclusive=False)  # of `batch.bucket`; or a directory
    mark = digest(request)  # of `batch.request`, for a request that `complete` returned
    record = store.find(mark)  # what is recorded of it; None where nothing is
    data = store.read(record.names[0])  # one of its pictures
    file, problems = store.save(image, name=f"fox-{mark[:12]}", saving=saving)
    store.append(record_line(request, [file], id=mark, status="done", ...))

Exclusive, as a batch has it, one run holds the place, and knows all records by one list. Otherwise any number of
processes and machines may find, save and record: each record is an object of its own. A directory is then written as a
bucket is, with its records under `.records/` and not in `manifest.jsonl`.
"""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ionos_openai.batch.records import Record, StoredFile
from ionos_openai.batch.request import ImageRequest, describe_request
from ionos_openai.errors import ImageSaveError, IonosWarning, SignatureError
from ionos_openai.files.buckets import Place, Written, write_into
from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.files.names import SavingSettings, clean_name, is_plain_name, parse_format, prompt_name, shorten
from ionos_openai.hub.prices import Money
from ionos_openai.images.image import GeneratedImage, write_images
from ionos_openai.provenance.marking import warn_unmarked

log = logging.getLogger("ionos_openai")

FileState: TypeAlias = Literal["same", "touched", "modified", "missing", "damaged"]
"""What became of a file: "touched" has another time but the same bytes; "damaged" is no whole picture any more, or no
regular file of the directory: a link or a device is not looked into."""

PromptRecord: TypeAlias = Literal["failed", "done", "same"]
"""What is recorded of a prompt: it failed; it is done; it is done, and its files are known to be as they were."""

_WORST_FIRST: tuple[FileState, ...] = ("damaged", "missing", "modified", "touched", "same")


class Store(ABC):
    """A place for pictures, with a record of each prompt."""

    place: Place
    path: Path | str  # what keeps the records
    damaged: Sequence[int] = ()  # the numbers of those, from 1, that cannot be read

    @abstractmethod
    def state(self, mark: str, metadata: Mapping[str, object] | None = None) -> PromptRecord | None:
        """Return what is recorded of an id; None where nothing is. It is not "same" with metadata known to be other."""

    @abstractmethod
    def find(self, mark: str) -> Record | None:
        """Return the newest record of an id; None where there is none, or it cannot be read."""

    @abstractmethod
    def append(self, entry: Mapping[str, object], *, sync: bool = True) -> None:
        """Record a prompt, whole or not at all; an ImageSaveError where that cannot be."""

    @abstractmethod
    def check(self) -> None:
        """See, before something is bought, that nobody else works here; an ImageSaveError where somebody does."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; again is harmless."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a file's content; an OSError where it cannot be read."""

    @abstractmethod
    def stamp(self, written: Written) -> dict[str, Any]:
        """Return what tells, beside the size, that a file is still what was written: its "mtime" or its "tag"."""

    @abstractmethod
    def look(self, file: StoredFile, *, verify: bool) -> FileState:
        """Tell what became of a recorded file; with `verify`, bytes are compared also where nothing speaks for it."""

    @abstractmethod
    def note(self, name: str, data: bytes | None) -> None:
        """Leave a note of the batch's own, in place of the one with its name; None removes it."""

    def path_of(self, name: str) -> Path | str:
        """Return where a picture is: its path or its URL."""
        return self.place / name

    def save(self, image: GeneratedImage, *, name: str | None, saving: SavingSettings) -> tuple[StoredFile, list[str]]:
        """Save a picture; return what is to be recorded of it, and what there is to `warn` of."""
        try:
            [written], problems = write_images([image], self.place, saving, name=name)
        except ImageSaveError as error:
            if error.errno is not None or name is None or isinstance(error, SignatureError):
                raise
            # It cannot be converted to what the name asks for: as it was sent it is not lost.
            [written], problems = write_images([image], self.place, saving, name=Path(name).stem)
        suffix = Path(written.path).suffix
        format_ = image.format if suffix.lower() == image.extension else parse_format(suffix)
        return self._describe(written, format=format_, width=image.width, height=image.height), problems

    def save_unreadable(self, data: bytes, request: ImageRequest, saving: SavingSettings) -> StoredFile:
        """Save what came in place of a picture; return what is recorded of it: no format, and 0x0 px."""
        name = request.name and Path(clean_name(request.name)).stem
        full = shorten(f"{name or prompt_name(request.prompt, saving.file_names)}.bin")
        return self._describe(write_into(self.place, full, data), format="", width=0, height=0)

    def _describe(self, written: Written, *, format: str, width: int, height: int) -> StoredFile:
        name, sha256 = Path(written.path).name, hashlib.sha256(written.data).hexdigest()
        return StoredFile(name, sha256, len(written.data), format, width, height, **self.stamp(written))

    def renewed(self, file: StoredFile) -> StoredFile:
        """Return what is to be recorded of a file as it is now."""
        path = self.path_of(file.name)
        try:
            written = Written(path, self.read(file.name))
        except OSError as error:
            raise ImageSaveError(f"Cannot read {path} back: {error.strerror}. The picture is saved.") from error
        return self._describe(written, format=file.format, width=file.width, height=file.height)

    def look_at(self, files: Sequence[StoredFile], *, verify: bool) -> FileState:
        """Tell what became of recorded files: the worst of them decides, and "missing" where none are recorded."""
        states: list[FileState] = [
            self.look(file, verify=verify) if is_plain_name(file.name) else "damaged" for file in files
        ]
        return min(states, key=_WORST_FIRST.index, default="missing")

    def compare(self, data: bytes, file: StoredFile, *, is_untouched: bool) -> FileState:
        """Tell what became of a file, by its bytes."""
        if hashlib.sha256(data).hexdigest() == file.sha256:
            return "same" if is_untouched else "touched"
        try:
            recognise(data)
        except FormatError:
            return "damaged"
        return "modified"


def warn(problems: Sequence[str]) -> None:
    """Warn of pictures without a mark, which are recorded by now; where warnings are errors, the log has it."""
    try:
        warn_unmarked(problems)
    except IonosWarning as warning:
        log.warning("%s", warning)


def record_line(
    request: ImageRequest, files: Sequence[StoredFile], *, seconds: float, cost: Money | None, **facts: object
) -> dict[str, object]:
    """Return what is recorded of a prompt; `facts` are id, status, error, attempts, started and sandbox.

    See `records` for the fields, and `describe_error` for the error's.
    """
    asked = {"request": describe_request(request), "metadata": dict(request.metadata)}
    numbers = {"seconds": round(seconds, 3), "cost": cost and cost.facts()}
    return {**facts, "files": [file.facts() for file in files], **asked, **numbers}
