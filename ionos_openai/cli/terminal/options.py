"""What was asked for on the command line. Loads nothing, so that `--help` stays quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which service to ask; what is not given comes from the settings.

    Attributes:
        base_url: Its address, as given with `--base-url`.
        ca_bundle: A PEM file of a private CA, as given with `--ca-bundle`.
        max_wait: Seconds to wait for the contract's limits at most, as given with `--max-wait`.
        sandbox: Whether `--sandbox` was given.
    """

    base_url: str | None = None
    ca_bundle: str | None = None
    max_wait: float | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a batch is to be carried out; None means the library's default.

    Attributes:
        output: The directory for pictures and record.
        model: An id or a short name, for rows without one.
        size: "WIDTHxHEIGHT" in px, for rows without one.
        n: How many pictures, for rows that do not say.
        labels: "KEY=VALUE"s that become metadata of each prompt.
        concurrency: How many requests at once.
        timeout: Seconds for each request.
        max_cost: The most to spend, such as "5 EUR".
        max_images: The most pictures to ask for.
        missing: "keep" or "remake", for recorded pictures that are gone.
        verify: Whether recorded pictures are compared byte for byte.
        redo: Names whose pictures are made once more.
        retry_failed: Whether only what failed before is made.
        dry_run: Whether nothing is sent.
        provenance: Whether the metadata says how the pictures were made.
        prompt_in_metadata: Whether it has the prompt too.
    """

    output: str
    model: str | None = None
    size: str | None = None
    n: int = 1
    labels: tuple[str, ...] = ()
    concurrency: int = 4
    timeout: float | None = None
    max_cost: str | None = None
    max_images: int | None = None
    missing: Literal["keep", "remake"] = "keep"
    verify: bool = False
    redo: tuple[str, ...] = ()
    retry_failed: bool = False
    dry_run: bool = False
    provenance: bool | None = None
    prompt_in_metadata: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """How pictures are to be made and where they go; None means the library's default.

    Attributes:
        output: A file, a directory, or "-" for standard output; None means the current folder.
        model: An id or a short name.
        size: "WIDTHxHEIGHT" in px.
        n: How many pictures of each prompt.
        seed: Sent as it is.
        name: The files' name.
        format: What to convert to.
        overwrite: Whether files of the same name are replaced.
        provenance: Whether the metadata says how the pictures were made.
        prompt_in_metadata: Whether it has the prompt too.
    """

    output: str | None = None
    model: str | None = None
    size: str | None = None
    n: int = 1
    seed: int | None = None
    name: str | None = None
    format: str | None = None
    overwrite: bool = False
    provenance: bool | None = None
    prompt_in_metadata: bool | None = None
