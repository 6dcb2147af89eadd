"""What a batch tells: a result for each prompt, its progress, an estimate, and events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import InstanceOf, PlainSerializer

from ionos_openai.batch.bucket import read_newest
from ionos_openai.batch.records import Record
from ionos_openai.batch.request import ImageRequest
from ionos_openai.client.settings import open_place
from ionos_openai.errors import IonosError
from ionos_openai.errors.words import Brief, plural, shorten
from ionos_openai.files.buckets import Place
from ionos_openai.files.names import is_plain_name
from ionos_openai.hub.prices import Money

EventKind: TypeAlias = Literal[
    "estimate", "waiting", "retrying", "done", "failed", "modified", "missing", "damaged", "unsigned", "end"
]
"""What happened: for "waiting" the service's limit was met, for "unsigned" a picture could not be signed, for "end" the
run stopped before its last prompt."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchResult(Brief):
    """What became of one prompt.

    Attributes:
        request: What was asked, with the batch's model and size where it had none of its own.
        paths: The pictures' files, in a bucket their URLs, earlier runs' included; all `n` unless `error` is set.
        error: Why pictures are missing; None where none is. It is recorded and tried again by the next run.
        attempts: How many requests it took in this run, those answered with 429 not counted.
        seconds: From its first request to its last picture on disk.
        cost: What this run's pictures cost; None where the price is not known, and for placeholders.
        sandbox: Whether a picture is a placeholder of the sandbox.
        id: What it is known by in the manifest.
        earlier: Whether it is an earlier run's, as it was recorded.
        superseded: Whether a later prompt of its name took its place.
    """

    request: ImageRequest
    paths: tuple[Path | str, ...] = ()
    error: Annotated[Exception, InstanceOf(), PlainSerializer(lambda error: str(error), return_type=str)] | None = None
    attempts: int = 0
    seconds: float = 0.0
    cost: Money | None = None
    sandbox: bool = False
    id: str = ""
    earlier: bool = False
    superseded: bool = False

    @property
    def metadata(self) -> Mapping[str, object]:
        """The columns of one's own."""
        return self.request.metadata

    @property
    def status(self) -> Literal["done", "failed"]:
        """Whether all of its pictures are there."""
        return "done" if self.error is None else "failed"

    def __str__(self) -> str:
        """Return it as a phrase."""
        facts = [*(Path(path).name for path in self.paths), *([str(self.cost)] if self.cost else [])]
        facts += ["placeholder"] * self.sandbox + ["superseded"] * self.superseded
        facts += [f"failed: {self.error}"] if self.error is not None else []
        return f"{shorten(repr(self.request.prompt))}: {', '.join(facts)}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate(Brief):
    """What a batch will take: prompts still to be made, their pictures, and seconds within the documented limits.

    All three are None where the requests cannot be counted beforehand; `cost` too where a price is not known or
    currencies differ.
    """

    prompts: int | None = None
    images: int | None = None
    cost: Money | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """Return it as a phrase."""
        if self.images is None:
            return "an unknown number of pictures"
        if self.images == 0:
            return "nothing is left to be made"
        cost = "cost not known" if self.cost is None else str(self.cost)
        duration = "" if not self.seconds else f", at least {clock_time(self.seconds)} within the limits"
        return f"{plural(self.images, 'picture')}, {cost}{duration}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Progress(Brief):
    """How far this run of a batch has come.

    Attributes:
        total: How many prompts there are; None where they cannot be counted beforehand.
        done, failed: Prompts whose pictures were all made, and those that failed.
        skipped: Prompts that an earlier run has done, with `only_failed` also untried ones.
        modified, missing: Those of them whose pictures somebody changed since, or took away.
        in_flight: Requests that are on their way, or wait for their turn in the client.
        retrying: Requests that will be made again.
        images: Pictures made; of these `marked` say where they come from, and `signed` have a signature.
        attempts, limited: Requests that were not answered with 429, and those that were.
        cost: What the pictures cost; None where a price is not known.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    skipped: int = 0
    modified: int = 0
    missing: int = 0
    in_flight: int = 0
    retrying: int = 0
    images: int = 0
    marked: int = 0
    signed: int = 0
    attempts: int = 0
    limited: int = 0
    cost: Money | None = None

    @property
    def left(self) -> int | None:
        """How many prompts are neither done nor failed nor skipped; None where they cannot be counted beforehand."""
        return None if self.total is None else max(0, self.total - self.done - self.failed - self.skipped)

    def __str__(self) -> str:
        """Return it as a phrase."""
        total = "" if self.total is None else f" of {self.total}"
        failed = f", {self.failed} failed" if self.failed else ""
        cost = "" if self.cost is None else f", {self.cost}"
        return f"{self.done + self.skipped}{total} done{failed}{cost}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchEvent(Brief):
    """Something that happened, also as a line for people; the prompt it is about, and its result once there is one.

    Where it is about the whole run, `request` is None.
    """

    kind: EventKind
    message: str
    request: ImageRequest | None = None
    result: BatchResult | None = None

    def __str__(self) -> str:
        """Return the message."""
        return self.message


def read_batch(directory: str | os.PathLike[str] | Place) -> list[BatchResult]:
    """Read what a batch's directory, or a bucket's URL, records of each prompt, in the order of first recording.

    Raises:
        InvalidRequestError: Nothing is recorded there.
        ImageSaveError: The storage cannot be read.
    """
    place = open_place(directory)
    return [_as_result(record, place) for record in read_newest(directory).records]


def _as_result(record: Record, place: Place) -> BatchResult:
    asked = {name: getattr(record, name) for name in ("model", "size", "n", "name", "seed", "extra", "metadata")}
    return BatchResult(
        request=ImageRequest(prompt=record.prompt or "", **asked),
        paths=tuple(place / name for name in record.names if is_plain_name(name)),
        error=IonosError(record.error or "unknown") if record.status == "failed" else None,
        earlier=True,
        superseded=record.status == "superseded",
        **{name: getattr(record, name) for name in ("attempts", "cost", "sandbox", "id")},
    )


def clock_time(seconds: float) -> str:
    """Return a duration as "45 s", "3 min" or "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
