"""A batch in a bucket: each record is an object under `.records/`, and the pictures are objects beside it.

What a run needs to know before it goes on stands in the names of the records, so that a list is enough: the request's
id, when it was recorded, its status, a print of each of its files, which the list of the pictures has to match, and one
of its metadata, where it has any.

    .records/ID/TIME.STATUS.PRINT-PRINT.METADATA.json

What the storage does not take any more is kept in the user's state directory, as a batch in a directory of its own; the
next run puts it into the bucket. Until then nothing more is bought.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ionos_openai.batch.lock import Lease
from ionos_openai.batch.manifest import Manifest, encode
from ionos_openai.batch.records import MANIFEST, Record, Records, StoredFile, read_line, read_manifest, read_records
from ionos_openai.batch.request import digest_metadata
from ionos_openai.batch.stored import FileState, PromptRecord, Store
from ionos_openai.client.settings import open_bucket, open_place
from ionos_openai.errors import BatchRunningError, ImageSaveError, InvalidRequestError
from ionos_openai.files.buckets import Listed, Place, StorageBucket, Written
from ionos_openai.files.names import is_plain_name
from ionos_openai.files.opening import read_regular
from ionos_openai.files.writing import make_directory, state_directory, write_new
from ionos_openai.provenance import sidecar_path

log = logging.getLogger("ionos_openai")

FOLDER = ".records"
_NAME = re.compile(
    r"\.records/([0-9a-f]{24}(?:-\d{1,18})?)/([0-9a-f]{14})\.(\w+)\.([0-9a-f-]*)(?:\.([0-9a-f]{12}))?\.json"
)
_MOST_PRINTS = 12  # more make a name that some storages refuse: then the record is read
_AT_ONCE = 64  # records that are read
_KEPT = re.compile("[0-9a-f]{8}-")  # before the name of what is kept here, which is in the bucket what has no such


def open_store(directory: str | os.PathLike[str] | Place, *, exclusive: bool = True) -> Store:
    """Open a directory, or a bucket by its URL, for pictures and records.

    Exclusive, one run holds it, as a batch does. Otherwise any number of processes may save and record; a directory is
    then written as a bucket is.

    Raises:
        BatchRunningError: Another run holds it.
        ConfigurationError: It is a URL, and obstore is not installed or cannot use it.
        ImageSaveError: It cannot be written to.
    """
    place = open_place(directory)
    if isinstance(place, Path) and exclusive:
        return Manifest(place)
    if isinstance(place, Path):
        place = open_bucket(make_directory(place).resolve().as_uri())
    place.check()
    return BucketStore(place, exclusive=exclusive)


class BucketStore(Store):
    """A bucket's pictures and records. Exclusive, it knows all records by one list; shared, it asks for each."""

    def __init__(self, bucket: StorageBucket, *, exclusive: bool) -> None:
        """Open it; what an earlier run could not put into it comes first. Raises what `open_store` raises."""
        self.place: StorageBucket = bucket
        self.path = bucket / FOLDER
        self._exclusive = exclusive
        self._entries: dict[str, tuple[str, PromptRecord]] = {}  # by id: the newest record's name, and what it says
        self._tried: dict[str, tuple[object, str]] = {}  # when it was begun and the record, of what has failed so far
        self._aside: Manifest | None = None
        self._why: ImageSaveError | None = None
        self._turning = threading.Lock()
        self._uploads = state_directory() / "uploads" / hashlib.sha256(str(bucket).encode()).hexdigest()[:16]
        self._lease = Lease(bucket) if exclusive else None
        bucket.keep = bucket.kept = None
        try:
            if exclusive:
                self._index()
                self._upload()
                bucket.keep = lambda error: Path(self._turn_aside(error).path).parent
        except BaseException:
            self.close()
            raise

    def _index(self) -> None:
        newest: dict[str, re.Match[str]] = {}
        present = set[str]()
        for listed in self.place.list():
            if (match := _NAME.fullmatch(listed.name)) is not None:
                before = newest.get(match[1])
                if before is None or before[2] < match[2]:
                    newest[match[1]] = match
            elif "/" not in listed.name:
                present.add(_print(*listed[:3]))
        for mark, match in newest.items():
            prints = match[4].split("-")
            is_same = match[3] in ("done", "superseded") and present.issuperset(prints)
            self._entries[mark] = (match[0], "same" if is_same else "failed" if match[3] == "failed" else "done")

    def _entry(self, mark: str) -> tuple[str, PromptRecord] | tuple[None, None]:
        if self._exclusive:
            return self._entries.get(mark, (None, None))
        names = [listed.name for listed in self.place.list(f"{FOLDER}/{mark}") if _NAME.fullmatch(listed.name)]
        newest = max(names, default=None)
        return (newest, "failed" if ".failed." in newest else "done") if newest else (None, None)

    def state(self, mark: str, metadata: Mapping[str, object] | None = None) -> PromptRecord | None:
        """Return what is recorded of an id; None where nothing is."""
        name, state = self._entry(mark)
        if state == "same" and metadata is not None:
            match = _NAME.fullmatch(name or "")
            return "same" if match and digest_metadata(metadata) in (None, match[5] or "") else "done"
        return state

    def find(self, mark: str) -> Record | None:
        """Return the newest record of an id; None where there is none, or it cannot be read."""
        name, _ = self._entry(mark)
        record = _read(self.place, name) if name else None
        return record if record is not None and record.id == mark else None

    def append(self, entry: Mapping[str, object], *, sync: bool = True) -> None:
        """Record a prompt in an object of its own, which takes the place of what this run recorded of it before."""
        mark, status, files = str(entry["id"]), str(entry["status"]), entry["files"]
        before, _ = self._entry(mark)  # whose time counts too, as clocks differ
        after = int(before.split("/")[2][:14], 16) + 1 if before else 0
        prints = [_print(file["name"], file["bytes"], file.get("tag")) for file in files]  # type: ignore[attr-defined]
        shown = "-".join(prints if len(prints) <= _MOST_PRINTS else [])
        about = digest_metadata(entry.get("metadata") or {})  # type: ignore[arg-type]
        shown += f".{about}" if about else ""
        name = f"{FOLDER}/{mark}/{max(time.time_ns() // 1000, after):014x}.{status}.{shown}.json"
        aside = self._aside
        if aside is None:
            try:
                self.place.put(name, encode(entry))
            except ImageSaveError as error:
                aside = self._turn_aside(error)
        if aside is not None:
            aside.append(entry, sync=sync)
            return
        self._entries[mark] = (name, "failed" if status == "failed" else "done")
        started, tried = self._tried.pop(mark, (None, ""))
        if started is not None and started == entry.get("started"):
            self.place.remove(tried)
        if status == "failed":
            self._tried[mark] = (entry.get("started"), name)

    def check(self) -> None:
        """See that nobody else works here and the storage takes what is bought."""
        if self._aside is not None:
            raise ImageSaveError(
                f"{str(self._why).rstrip('.')}. What came since is kept in {self._aside.place}; the next run into "
                f"{self.place} puts it there, on this machine."
            ) from self._why
        if self._lease is not None:
            self._lease.check()

    def close(self) -> None:
        """Let go of it; again is harmless."""
        if self._aside is not None:
            self._aside.close()
        if self._lease is not None:
            self._lease.release()

    def read(self, name: str) -> bytes:
        """Return an object's content."""
        return self.place.read(name)

    def stamp(self, written: Written) -> dict[str, Any]:
        """Return the storage's tag of this content."""
        found = None if written.tag or isinstance(written.path, Path) else self.place.find(Path(written.path).name)
        return {"tag": found.tag if found else written.tag}

    def look(self, file: StoredFile, *, verify: bool) -> FileState:
        """Tell what became of a recorded object, by its size and tag, else by its bytes."""
        found = self.place.find(file.name)
        if found is None:
            return "missing"
        is_untouched = (found.bytes, found.tag) == (file.bytes, file.tag)
        if is_untouched and not verify:
            return "same"
        return self.compare(self.read(file.name), file, is_untouched=is_untouched)

    def note(self, name: str, data: bytes | None) -> None:
        """Leave a note of the batch's own in the bucket; None removes it."""
        if data is None:
            self.place.remove(name)
        else:
            self.place.put(name, data)

    def path_of(self, name: str) -> Path | str:
        """Return a picture's URL; the path of one that the storage did not take."""
        kept = self.place.kept and self.place.kept / name
        return kept if kept and kept.exists() else self.place / name

    def _turn_aside(self, error: ImageSaveError) -> Manifest:
        """Keep what comes from now on in the user's state directory; return the batch there."""
        if self.place.keep is None:  # it is shared, or opened only now
            raise error
        with self._turning:
            if self._aside is None:
                self.place.kept = make_directory(self._uploads / secrets.token_hex(4))
                self._aside, self._why = Manifest(self.place.kept), error
                log.error("%s What comes now is kept in %s.", error, self.place.kept)
            return self._aside

    def _upload(self) -> None:
        """Put into the bucket what earlier runs had to keep here."""
        for folder in sorted(self._uploads.glob("*")) if self._uploads.is_dir() else ():
            with contextlib.suppress(BatchRunningError), contextlib.closing(Manifest(folder)):
                for record in {record.id: record for record in read_manifest(folder)}.values():
                    files = [self._uploaded(folder, file).facts() for file in record.files or ()]
                    self.append({**record.line, "files": files})
                log.info("%s was put into %s.", folder, self.place)
                shutil.rmtree(folder, ignore_errors=True)

    def _uploaded(self, folder: Path, file: StoredFile) -> StoredFile:
        path = folder / file.name
        if not is_plain_name(file.name) or not path.exists():
            return file  # it is in the bucket already
        written = self.place.write(_KEPT.sub("", file.name, count=1), read_regular(path))
        sidecar = sidecar_path(path)
        if sidecar.exists():
            self.place.write(f"{Path(written.path).name}.xmp", read_regular(sidecar), overwrite=True)
        return file._replace(name=Path(written.path).name, mtime=None, tag=written.tag)


def _print(name: str, size: int, tag: str | None) -> str:
    return hashlib.blake2b(f"{name}\n{size}\n{tag}".encode(), digest_size=6).hexdigest()


def _read(bucket: StorageBucket, name: str) -> Record | None:
    try:
        return read_line(bucket.read(name), str(bucket))
    except FileNotFoundError:
        return None


def read_objects(bucket: StorageBucket) -> Iterator[Record]:
    """Yield the records of a bucket, oldest first, many read at a time; an InvalidRequestError where there are none."""
    found = (_NAME.fullmatch(listed.name) for listed in bucket.list(FOLDER))
    names = [match[0] for match in sorted(filter(None, found), key=lambda match: match[2])]
    if not names:
        raise InvalidRequestError(f"{bucket} has no records of a batch: name the URL that the batch was given.")
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ionos-openai-records") as readers:
        for start in range(0, len(names), 1000):
            records = readers.map(lambda name: _read(bucket, name), names[start : start + 1000])
            yield from (record for record in records if record is not None)


def read_newest(directory: str | os.PathLike[str] | Place) -> Records:
    """Read the newest record of each prompt in a directory or a bucket; an InvalidRequestError where there are none."""
    place = open_place(directory)
    if not isinstance(place, Path):
        return Records(records=tuple({record.id: record for record in read_objects(place)}.values()))
    if not (place / MANIFEST).is_file():
        raise InvalidRequestError(f"{directory} has no {MANIFEST}: name the directory of a batch.")
    return read_records(place)


def mirror(url: str, directory: str | os.PathLike[str]) -> Path:
    """Copy a bucket's pictures and records into a directory, as a batch's; what is there already is not fetched again.

    A directory that has the record of another batch is an InvalidRequestError, as is a bucket without any.
    """
    records, folder, bucket = read_newest(url).records, make_directory(directory), open_bucket(url)
    if {record.id for record in read_records(folder).records} - {record.id for record in records}:
        raise InvalidRequestError(f"{folder} has the record of another batch: name another directory with -o.")

    def fetch(listed: Listed) -> None:
        path = folder / listed.name
        if not path.exists() or path.stat().st_size != listed.bytes:
            write_new(folder, listed.name, bucket.read(listed.name), overwrite=True)

    with ThreadPoolExecutor(_AT_ONCE // 8) as fetchers:
        wanted = (listed for listed in bucket.list() if is_plain_name(listed.name) and listed.name[0] != ".")
        list(fetchers.map(fetch, wanted))
    write_new(folder, MANIFEST, b"".join(encode(record.line) for record in records), overwrite=True)
    return folder


def read_history(directory: str | os.PathLike[str]) -> Iterator[Record]:
    """Yield what is recorded in a directory or a bucket, oldest first. Raises what the two readers raise."""
    place = open_place(directory)
    return read_manifest(place) if isinstance(place, Path) else read_objects(place)
