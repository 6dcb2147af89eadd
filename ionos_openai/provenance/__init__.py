"""The mark and the signature: where a picture comes from, beside its pixels as XMP or in a sidecar, and read back.

The encoded picture stays bit for bit what it was. What is written is a statement, not a proof: anybody can change or
remove it, unless it is signed. All sizes are in bytes unless said otherwise.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ionos_openai import errors
from ionos_openai.errors.loading import lazy
from ionos_openai.files.formats import SANDBOX_MARK, ImageFormat, is_marked_sandbox, sniff
from ionos_openai.files.opening import at_home
from ionos_openai.provenance.carriers import embed, scan
from ionos_openai.provenance.packet import build_packet, read_packets, to_xmp
from ionos_openai.provenance.record import ALGORITHMIC, COMPOSITE, TRAINED, Provenance, describe, merge
from ionos_openai.provenance.sidecars import load, sidecar_path
from ionos_openai.provenance.signing import Signature, Signer, read_signature, write_signature

if TYPE_CHECKING:
    from ionos_openai.errors import ProvenanceError, SignedPictureError

__all__ = [
    "ALGORITHMIC",
    "COMPOSITE",
    "TRAINED",
    "Provenance",
    "ProvenanceError",
    "Signature",
    "SignedPictureError",
    "Signer",
    "describe",
    "has_c2pa",
    "read_provenance",
    "read_signature",
    "sidecar_path",
    "to_xmp",
    "write_provenance",
    "write_signature",
]

__getattr__ = lazy(__name__, "ionos_openai.errors")

WITHOUT_CARRIER: dict[ImageFormat, bytes] = {
    "GIF": b"C2PA_GIF",  # the name of an application extension
    "AVIF": bytes.fromhex("d8fec3d61b0e483c92975828877ec481"),  # the type of a box
}
"""The formats that take no XMP packet, and what shows a C2PA manifest in each. Source: C2PA specification 2.4, A.3."""
_TEXT_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<\0", b"\xfe\xff\0<")


def write_provenance(data: bytes, provenance: Provenance) -> bytes:
    """Write the fields of `provenance` into a picture's XMP metadata; pixels and other metadata stay as they are.

    What says how the picture was made (source type, AI system and version, prompt and its writer, model, size, seed,
    placeholder) is one statement: it replaces the former one as a whole. Of the other fields, those that are None stay
    as the picture has them. A property that says the same already is kept with its translations.

    Args:
        data: An encoded JPEG, PNG or WebP; one of the sandbox still carries its mark near the beginning or the end.
        provenance: What to say. Where the packet would be longer than a JPEG segment (65,502 bytes) or 1 MiB in PNG
            and WebP, the prompt is cut to what fits and ends in "…".

    Raises:
        SignedPictureError: The picture has a C2PA manifest, or names one on the web: write `to_xmp(provenance)` to
            `sidecar_path(path)`.
        ProvenanceError: It is no whole JPEG, PNG or WebP, the XMP in it is damaged or hostile, or the packet too long.

    Source: XMP Specification Part 3; PNG Specification, Third Edition; WebP Container Specification; read 2026-11.
    """
    layout = scan(data)
    if layout is None:
        why = "The bytes are no JPEG, PNG or WebP, which can take an XMP packet. Write the sidecar instead."
        raise errors.ProvenanceError(why)
    if layout.signed:
        why = "The picture has a C2PA manifest, whose signature an insertion would break. Write the sidecar instead."
        raise errors.SignedPictureError(why)
    marked = is_marked_sandbox(data) or any(SANDBOX_MARK in packet for packet in layout.packets)
    packet = build_packet(provenance, layout.packets, longest=layout.longest, marked=marked)
    return embed(data, layout, packet)


def read_provenance(source: bytes | str | os.PathLike[str]) -> Provenance | None:
    """Read what a picture's metadata, or its sidecar's, says about where it comes from, whichever program wrote it.

    A sidecar ("fox.xmp" or "fox.jpg.xmp" beside "fox.jpg") speaks where the picture itself says nothing; where a C2PA
    manifest forbids to write into it, the sidecar comes first. GIF and AVIF are not searched, only their sidecars.

    Args:
        source: The bytes of a picture or of an XMP packet, or the path of either. Of a path, at most 256 MiB.

    Raises:
        ProvenanceError: It is neither a picture nor XMP, is damaged or hostile, or ends too early.
        OSError: The file cannot be read.
    """
    if isinstance(source, bytes):
        return _read(source)
    path = at_home(source)
    data = load(path)
    own = _read(data)
    if own is not None and not has_c2pa(data):
        return own
    place, beside = sidecar_path(path), None
    with contextlib.suppress(FileNotFoundError):
        beside = None if place == path else read_packets([load(place)])
    return merge(beside, own) if beside and own else beside or own


def has_c2pa(data: bytes) -> bool:
    """Tell whether a picture carries a C2PA manifest or names one on the web. No signature is verified."""
    sign = WITHOUT_CARRIER.get(sniff(data) or "JPEG")
    if sign is not None:
        return sign in data
    try:
        layout = scan(data)
    except errors.ProvenanceError:
        return False
    return layout is not None and layout.signed


def _read(data: bytes) -> Provenance | None:
    layout = scan(data)
    if layout is not None:
        return read_packets(layout.packets)
    if data[:64].lstrip(b" \t\r\n").startswith(_TEXT_STARTS):
        return read_packets([data])
    if sniff(data) == "GIF" or data[4:8] == b"ftyp":
        return None
    raise errors.ProvenanceError("The bytes are neither a picture nor XMP. Take the file as it was saved.")
