"""What one picture file says of itself, and its thumbnail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ionos_openai.files.formats import FormatError, is_marked_sandbox, recognise
from ionos_openai.files.names import digest
from ionos_openai.gallery.thumbnails import ThumbnailError, is_too_large, write_thumbnail
from ionos_openai.provenance import COMPOSITE, Provenance, ProvenanceError, read_provenance

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_FILE = 1 << 28  # bytes, as for provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one file says.

    Attributes:
        width: In px; 0 where it is no picture.
        height: In px; 0 where it is no picture.
        thumbnail: The thumbnail's name without extension; None where there is none.
        too_large: Whether the picture has too many pixels to be opened unasked.
        problem: What is wrong with it, as a clause.
        model: The model's id, from the provenance as all that follows.
        size: "WIDTHxHEIGHT" in px as it was asked for.
        seed: The seed that was sent.
        prompt: The text that was sent.
        alt: The text for people who do not see the picture.
        created: When it was made, in ISO 8601.
        credit: Creator, credit line and copyright notice.
        edited: Whether it was made out of other pictures.
        sandbox: Whether it is a placeholder of the stand-in.
    """

    width: int = 0
    height: int = 0
    thumbnail: str | None = None
    too_large: bool = False
    problem: str | None = None
    model: str | None = None
    size: str | None = None
    seed: int | None = None
    prompt: str | None = None
    alt: str | None = None
    created: str | None = None
    credit: str | None = None
    edited: bool = False
    sandbox: bool = False


def thumbnail_name(name: str) -> str:
    """Return the name without extension of a picture's thumbnail: short, and valid whatever the picture is called."""
    return digest(name)


def read_facts(path: Path, thumbnails: Path, *, keep_thumbnail: bool) -> tuple[Facts, bool]:
    """Read a picture, and make its thumbnail.

    Args:
        path: The picture.
        thumbnails: The directory of the thumbnails.
        keep_thumbnail: Whether there is one already that is good.

    Returns:
        What the file says, and whether a thumbnail was made.

    Raises:
        OSError: The file cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE:
        return Facts(problem="it is larger than 256 MiB"), False
    data = path.read_bytes()
    try:
        found = recognise(data)
    except FormatError as error:
        return Facts(problem=str(error)), False
    facts = _from_provenance(path, data, Facts(width=found.width, height=found.height))
    if is_too_large(found.width, found.height):
        return replace(facts, too_large=True, problem="it has too many pixels for a thumbnail"), False
    name = thumbnail_name(path.name)
    try:
        if not keep_thumbnail:
            write_thumbnail(data, thumbnails / f"{name}.jpg")
    except ThumbnailError as error:
        return replace(facts, problem=str(error)), False
    return replace(facts, thumbnail=name), not keep_thumbnail


def _from_provenance(path: Path, data: bytes, facts: Facts) -> Facts:
    try:
        found = read_provenance(path) or Provenance()
    except (ProvenanceError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return replace(facts, problem=f"its provenance cannot be read: {why}", sandbox=is_marked_sandbox(data))
    return replace(
        facts,
        model=found.model,
        size=found.size,
        seed=found.seed,
        prompt=found.prompt,
        alt=found.alt,
        created=found.created.isoformat() if found.created else None,
        credit=" · ".join(part for part in (found.creator, found.credit, found.copyright) if part) or None,
        edited=found.digital_source_type == COMPOSITE,
        sandbox=found.placeholder or is_marked_sandbox(data),
    )
