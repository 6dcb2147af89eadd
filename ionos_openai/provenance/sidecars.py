"""Sidecars: the XMP file beside a picture whose own bytes may not be touched or have no place for a packet.

Two names are in use: "fox.xmp" and, where several pictures share a name, "fox.jpg.xmp". Which picture a "fox.xmp" is
about, it says itself in `photoshop:SidecarForExtension`, as Adobe's programs do.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from ionos_openai import errors
from ionos_openai.files.opening import read_regular
from ionos_openai.files.writing import write_new
from ionos_openai.provenance.packet import read_extension, to_xmp
from ionos_openai.provenance.record import Provenance


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Return where the sidecar of the picture at `path` is, or would be written: "fox.xmp" beside "fox.jpg".

    "fox.jpg.xmp" where there is such a file, or "fox.xmp" is about a picture with another extension.
    """
    path = Path(path)
    short, full = path.with_name(f"{path.stem}.xmp"), path.with_name(f"{path.name}.xmp")
    return full if full.exists() or _is_about_another(short, path) else short


def write_sidecar(path: Path, record: Provenance, *, overwrite: bool) -> Path:
    """Write what `record` says into the sidecar of the picture at `path`, to `sidecar_path(path)`.

    With `overwrite`, a "fox.xmp" that does not say which picture it is about is this one's. Without, it is left alone,
    and the sidecar is called "fox.jpg.xmp". A damaged one is a `ProvenanceError`, and what is not written an OSError.
    """
    place = sidecar_path(path)
    if not overwrite and place.exists():
        place = path.with_name(f"{path.name}.xmp")
    existing = b""
    with contextlib.suppress(FileNotFoundError):
        existing = load(place)
    packet = to_xmp(record, existing, extension=path.suffix[1:])
    return write_new(place.parent, place.name, packet, overwrite=True)


def load(path: Path) -> bytes:
    """Read a file of at most 256 MiB, perhaps behind a link; another one, or none, is a `ProvenanceError`."""
    try:
        return read_regular(os.path.realpath(path))  # which takes a link to itself for a file
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EFBIG) or path.is_dir():
            raise
        what = "is larger than 256 MiB" if error.errno == errno.EFBIG else "is no file"
        raise errors.ProvenanceError(f"{path.name!r} {what}. Take the picture itself.") from None


def _is_about_another(sidecar: Path, picture: Path) -> bool:
    try:
        extension = read_extension(load(sidecar)) if sidecar != picture and sidecar.exists() else None
    except (OSError, errors.ProvenanceError):  # reading or writing it says what is wrong
        return False
    return extension is not None and extension.lower() != picture.suffix[1:].lower()
