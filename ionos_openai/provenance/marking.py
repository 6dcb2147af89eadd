"""The mark of a picture that is about to be written: into its bytes, else into a sidecar, and never in its way.

A picture may have been paid for: one that cannot be marked goes as it was sent, and a warning says so once it is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ionos_openai import errors
from ionos_openai.errors import IonosWarning
from ionos_openai.errors.notices import warn_user
from ionos_openai.files.buckets import Place, StorageBucket
from ionos_openai.files.formats import ImageFormat
from ionos_openai.provenance import WITHOUT_CARRIER, Provenance, to_xmp, write_provenance
from ionos_openai.provenance.sidecars import write_sidecar
from ionos_openai.provenance.signing import Signer, write_signature


class Unsigned(str):
    """The warning that a picture has no signature."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A picture's bytes, marked as far as they take it."""

    data: bytes = field(repr=False)  # what to write
    beside: Provenance | None = None  # what a sidecar has to say, since the bytes may not or cannot hold it
    problem: str | None = None  # why there is no mark at all, as a clause; None where there is one, or none is wanted
    signed: bool = False  # whether it is signed
    unsigned: str | None = None  # why it is not though it should be, as a clause


def mark(data: bytes, format: ImageFormat, say: Callable[[], Provenance]) -> Marked:
    """Mark an encoded picture with what `say` returns; never raises but for an interruption."""
    record: Provenance | None = None
    try:
        record = say()
        if format not in WITHOUT_CARRIER:
            return Marked(data=write_provenance(data, record))
    except errors.SignedPictureError:
        pass
    except errors.ProvenanceError as error:
        return Marked(data=data, problem=str(error).rstrip("."))
    except Exception as error:  # noqa: BLE001 - whatever a hostile picture does to the marking, it is not lost
        return Marked(data=data, problem=type(error).__name__)
    return Marked(data=data, beside=record)


def add_signature(
    marked: Marked, signer: Signer | str, say: Callable[[], Provenance] | None, inputs: Sequence[bytes]
) -> Marked:
    """Sign a marked picture, or say why not, as `signer` may do; a `SignatureError` only where it has to be signed."""
    if isinstance(signer, str):
        return replace(marked, unsigned=signer)
    try:
        signed = write_signature(marked.data, signer, say and say(), inputs=inputs)
        return replace(marked, data=signed, signed=True)
    except Exception as error:  # noqa: BLE001 - whatever a hostile picture does to the signing, it is not lost
        problem = str(error).rstrip(".") if isinstance(error, errors.IonosError) else type(error).__name__
    if signer.required:
        still = "It is still in memory: save it with sign=False."
        raise errors.SignatureError(f"The picture cannot be signed: {problem}. {still}")
    return replace(marked, unsigned=problem)


def finish(marked: Marked, path: Path | str, place: Place, *, overwrite: bool) -> list[str]:
    """Write the sidecar that a picture just written needs, if any; return why it has no mark or no signature.

    With `overwrite`, a sidecar that is there already is this picture's; its foreign fields stay. This never raises.
    """
    problem, path = marked.problem, Path(path)
    if marked.beside is not None:
        try:
            if isinstance(place, StorageBucket):
                packet = to_xmp(marked.beside, extension=path.suffix[1:])
                place.write(f"{path.name}.xmp", packet, overwrite=True)
            else:
                write_sidecar(path, marked.beside, overwrite=overwrite)
        except errors.ProvenanceError as error:
            problem = str(error).rstrip(".")
        except Exception as error:  # noqa: BLE001 - the picture is there, which counts more
            reason = getattr(error, "strerror", None) or type(error).__name__
            problem = f"its sidecar cannot be written ({reason})"
    sent = f"{path.name} was saved as it was sent, without a mark of where it comes from: {problem}."
    unsigned = Unsigned(f"{path.name} was saved without a signature: {marked.unsigned}.")
    return [*[sent] * bool(problem), *[unsigned] * bool(marked.unsigned)]


def warn_unmarked(problems: Iterable[str | None]) -> None:
    """Warn of pictures without a mark or a signature; call it when all of them are safe, as warnings may be errors."""
    for problem in filter(None, problems):
        warn_user(problem, IonosWarning)
