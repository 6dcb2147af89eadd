"""What was asked for on the command line. Loads nothing, so that `--help` stays quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which service to ask; what is not given comes from the settings.

    Attributes:
        base_url: Its address, as given with `--base-url`.
        ca_bundle: A PEM file of a private CA, as given with `--ca-bundle`.
        sandbox: Whether `--sandbox` was given.
    """

    base_url: str | None = None
    ca_bundle: str | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """How pictures are to be made and where they go; None means the library's default.

    Attributes:
        output: A file, a directory, or "-" for standard output; None means the current folder.
        model: An id or a short name.
        size: "WIDTHxHEIGHT" in px.
        n: How many pictures of each prompt.
        name: The files' name.
        format: What to convert to.
        overwrite: Whether files of the same name are replaced.
    """

    output: str | None = None
    model: str | None = None
    size: str | None = None
    n: int = 1
    name: str | None = None
    format: str | None = None
    overwrite: bool = False
