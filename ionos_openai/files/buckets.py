"""A bucket in place of a directory: `s3://bucket/prefix`, `gs://`, `az://`, `file:///directory`, `memory://name`.

An object is there whole or not at all, with its content type and, as metadata, its SHA-256. Nothing is overwritten
unless it is asked for: the storage itself refuses a name that is taken. Whether it does so is found out when a bucket
is first used; where it does not, names carry a digest, so that two writers never meet. Clocks of machines do not count:
times are the storage's own. obstore, the extra `buckets`, is loaded with the first bucket.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from ionos_openai import errors
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.files.formats import MEDIA_TYPES, sniff
from ionos_openai.files.names import numbered, split_extension
from ionos_openai.files.opening import LARGEST
from ionos_openai.files.writing import check_directory, write_new

_URL = re.compile(r"(s3a?|gs|az|azure|abfss?|adl|file|memory)://", re.IGNORECASE)
_SAID = tuple(re.compile(said) for said in ("<Code>([^<]*)</Code>", "<Message>([^<]*)</Message>"))
_RETRIES = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}  # of 5xx, timeouts and broken connections
_OUR_TYPES = {".xmp": "application/rdf+xml", ".json": "application/json"}
_FEW = 4  # names that are tried before the others are listed
_memories: dict[str, Any] = {}


class Written(NamedTuple):
    """A file or an object that was written: where, what, and the tag that a bucket gave to this content."""

    path: Path | str
    data: bytes
    tag: str | None = None


class Listed(NamedTuple):
    """An object: its name under the prefix, size in bytes, tag, and when the storage wrote it, in s."""

    name: str
    bytes: int
    tag: str | None
    time: float


class StorageBucket:
    """A prefix of a bucket; `str(bucket)` is its URL, `bucket / "fox.jpg"` an object's.

    What its methods cannot do for the storage's sake is an `ImageSaveError`.
    """

    # Returns the directory for pictures that the storage does not take; None where that is an error.
    keep: Callable[[errors.ImageSaveError], Path] | None = None
    kept: Path | None = None  # that directory, once there are any

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """Ask for nothing yet. `options` are what obstore's stores take, such as an endpoint."""
        if re.match(r"\w+://[^/@]*:[^/@]*@", url):
            raise errors.ConfigurationError(
                "There are keys in the bucket's URL: set them as variables, such as AWS_ACCESS_KEY_ID."
            )
        try:
            import obstore
            from obstore.store import from_url
        except ImportError as error:
            from ionos_openai.files.installation import how_to_install

            needed = f"A URL as directory needs obstore: {how_to_install('buckets')}."
            raise errors.ConfigurationError(needed) from error
        self._obstore, self._taken = obstore, obstore.exceptions.AlreadyExistsError
        self._url, scheme = url.rstrip("/") if url[-3:] != "://" else url, url.partition(":")[0].lower()
        self._has_attributes = scheme != "file"
        self._refuses_taken: bool | None = True if scheme in ("file", "memory") else None
        given = {"mkdir": True} if scheme == "file" else {"retry_config": _RETRIES, **options}
        try:
            if scheme == "memory":
                self._store = _memories.setdefault(self._url, from_url("memory:///"))
            else:
                self._store = from_url(self._url, **given)
        except Exception as error:
            # obstore's exceptions have no base that would be told from Python's.
            raise errors.ConfigurationError(f"Cannot use {url} as directory: {_reason(error)}.") from error

    def __str__(self) -> str:
        """Return its URL."""
        return self._url

    def __truediv__(self, name: str) -> str:
        """Return an object's URL."""
        return f"{self._url}/{name}"

    @contextlib.contextmanager
    def _telling(self, verb: str, what: str = "", *, passing: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        try:
            yield
        except passing:
            raise
        except Exception as error:
            where = self / what if what else self
            told = f"Cannot {verb} {where}: {_reason(error)}. Check the bucket's name, endpoint, region and keys."
            wrapped = errors.ImageSaveError(told)
            wrapped.errno = errno.EIO
            raise wrapped from error

    def check(self) -> None:
        """Prove that an object can be written, and find out whether the storage refuses a name that is taken."""
        if self._refuses_taken is not None:
            return
        probe = f".probe-{secrets.token_hex(8)}"
        with self._telling("write"):
            self._put(probe, b"", "overwrite")
        self._refuses_taken = False
        try:
            self._put(probe, b"", "create")
        except Exception as error:  # noqa: BLE001 - any other one says that it does not know the question
            self._refuses_taken = isinstance(error, self._taken)
        self.remove(probe)

    def write(self, name: str, data: bytes, *, overwrite: bool = False, number: int = 1) -> Written:
        """Write a picture or what belongs to it, under the next free name as `write_new` does.

        Once the storage took something no more, all goes where `keep` says, under names with eight digits before them.
        """
        try:
            if self.kept is None:
                return self._write(name, data, overwrite=overwrite, number=number)
        except errors.ImageSaveError as error:
            if self.keep is None:
                raise
            self.kept = self.keep(error)
        name = name if overwrite else f"{secrets.token_hex(4)}-{numbered(name, number)}"
        return Written(write_new(self.kept, name, data, overwrite=overwrite), data)

    def _write(self, name: str, data: bytes, *, overwrite: bool, number: int) -> Written:
        self.check()
        if overwrite:
            return self.put(numbered(name, number), data)
        if not self._refuses_taken:
            stem, suffix = split_extension(name)
            return self.put(f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}{suffix}", data)
        for candidate in self._free_names(name, number):
            with contextlib.suppress(self._taken), self._telling("write", candidate, passing=self._taken):
                return Written(self / candidate, data, self._put(candidate, data, "create"))
        raise AssertionError("there is always another name")

    def _free_names(self, name: str, number: int) -> Iterator[str]:
        """Yield names to try; after a few that are taken, those behind the last one that is listed."""
        yield from (numbered(name, tried) for tried in range(number, number + _FEW))
        stem, suffix = map(re.escape, split_extension(name))
        taken = re.compile(f"{stem}-(\\d{{1,9}}){suffix}")
        found = (taken.fullmatch(listed.name) for listed in self.list())
        highest = max((int(match[1]) for match in found if match), default=0)
        yield from (numbered(name, tried) for tried in itertools.count(max(highest + 1, number + _FEW)))

    def put(self, name: str, data: bytes) -> Written:
        """Write an object under this very name, in the place of one that is there."""
        with self._telling("write", name):
            return Written(self / name, data, self._put(name, data, "overwrite"))

    def _put(self, name: str, data: bytes, mode: Literal["create", "overwrite"]) -> str | None:
        kind = sniff(data)
        media = MEDIA_TYPES[kind] if kind else _OUR_TYPES.get(split_extension(name)[1], "application/octet-stream")
        facts = {"Content-Type": media, "sha256": hashlib.sha256(data).hexdigest()} if self._has_attributes else None
        # In one request, however large: what is done in parts takes four.
        return self._obstore.put(self._store, name, data, attributes=facts, mode=mode, use_multipart=False)["e_tag"]

    def read(self, name: str) -> bytes:
        """Return an object's content; a `FileNotFoundError` where there is none."""
        with self._telling("read", name, passing=FileNotFoundError):
            found = self._obstore.get(self._store, name)
            if found.meta["size"] > LARGEST:
                raise OSError(errno.EFBIG, f"it has more than {LARGEST:,} bytes")
            return bytes(found.bytes())

    def find(self, name: str) -> Listed | None:
        """Return what the storage says of an object; None where there is none."""
        with contextlib.suppress(FileNotFoundError), self._telling("read", name, passing=FileNotFoundError):
            return _listed(self._obstore.head(self._store, name))
        return None

    def list(self, folder: str | None = None) -> Iterator[Listed]:
        """Yield the objects under the prefix, or of a folder in it, by a thousand a request."""
        with self._telling("list"):
            for chunk in self._obstore.list(self._store, folder, chunk_size=1000):
                yield from map(_listed, chunk)

    def remove(self, *names: str) -> None:
        """Remove objects; those that cannot be removed do no harm."""
        for name in names:
            with contextlib.suppress(Exception):  # such as a key that may not
                self._obstore.delete(self._store, name)


Place: TypeAlias = Path | StorageBucket
"""Where pictures go."""


def is_url(directory: object) -> bool:
    """Tell whether it names a bucket."""
    return isinstance(directory, str) and _URL.match(directory) is not None


def check_place(place: Place) -> Place:
    """Prove that a place takes files, before anything is paid for; an `ImageSaveError` where it does not."""
    if isinstance(place, Path):
        check_directory(place)
    else:
        place.check()
    return place


def write_into(
    place: Place, name: str, data: bytes, *, overwrite: bool = False, number: int = 1, follow: bool = False
) -> Written:
    """Do what `write_new` does, in a directory or a bucket."""
    if isinstance(place, StorageBucket):
        return place.write(name, data, overwrite=overwrite, number=number)
    return Written(write_new(place, name, data, overwrite=overwrite, number=number, follow=follow), data)


def _listed(meta: Mapping[str, Any]) -> Listed:
    return Listed(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"].timestamp())


def _reason(error: Exception) -> str:
    """Return what a storage said, in a line and without secrets."""
    text = str(error)
    if "//169.254." in text:  # where obstore looks last, on machines of AWS
        return "there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    said = [match[1] for match in (pattern.search(text) for pattern in _SAID) if match]
    told = ": ".join(said) or text.partition("\n")[0][:300] or type(error).__name__
    return mask_secrets(" ".join(told.split())).rstrip(".")
