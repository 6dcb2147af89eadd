"""`ionos-openai mark`, `sign` and `inspect`: where pictures say they come from, file by file; no pixel is decoded."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionos_openai import errors
from ionos_openai.cli.terminal.exits import Outcome
from ionos_openai.cli.terminal.output import PLACEHOLDER, headed, visible
from ionos_openai.cli.terminal.prompts import expand
from ionos_openai.errors.notices import warn_user
from ionos_openai.files.formats import FormatError, Recognised, is_marked_sandbox, recognise
from ionos_openai.files.opening import LARGEST
from ionos_openai.files.writing import write_new
from ionos_openai.provenance import (
    ALGORITHMIC,
    COMPOSITE,
    TRAINED,
    WITHOUT_CARRIER,
    Provenance,
    Signature,
    describe,
    has_c2pa,
    read_provenance,
    read_signature,
    sidecar_path,
    write_provenance,
    write_signature,
)
from ionos_openai.provenance.record import merge
from ionos_openai.provenance.sidecars import write_sidecar
from ionos_openai.provenance.signing import load_library, make_test_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.text import Text

    from ionos_openai.cli.terminal.options import SignOptions
    from ionos_openai.cli.terminal.output import Terminal

_SOURCES = {
    TRAINED: "made by a trained model",
    COMPOSITE: "edited by a trained model",
    ALGORITHMIC: "drawn by an algorithm without training data",
}
# What a person is told of a mark; a field that is called here as it is everywhere has no label.
_LABELS = {
    "digital_source_type": "Source",
    "ai_system": "AI system",
    "ai_system_version": "Version",
    "size": "Size asked for",
    "prompt_writer": "Prompt by",
    "creator_tool": "Program",
    "alt": "Alt text",
}


class _FileError(Exception):
    """Why a file could not be done: a clause that follows its name."""


def mark(paths: Sequence[str], terminal: Terminal, *, like: str | None, words: Mapping[str, str | None]) -> int:
    """Write into each picture where it comes from, with words of one's own; the exit code is 1 where one failed."""
    try:
        original = None if like is None else read_provenance(like)
    except (OSError, errors.ProvenanceError) as error:
        raise errors.InvalidRequestError(f"Cannot take the mark from {like}: {_clause(error)}.") from error
    if like is not None and original is None:
        raise errors.InvalidRequestError(f"Cannot take the mark from {like}: it does not say where it comes from.")
    given = {name: text for name, text in words.items() if text is not None}

    def work(name: str) -> tuple[dict[str, object], None]:
        written = _mark(Path(name), original, given)
        beside = "marked" if written == Path(name) else f"sidecar {written}"
        return _tell_written(terminal, name, written, "unchanged" if written is None else beside), None

    return _each(paths, terminal, work)


def sign(paths: Sequence[str], options: SignOptions, terminal: Terminal) -> int:
    """Sign each picture, beside it or in its place, or make a certificate for development; return the exit code."""
    if (directory := options.make_test_certificate) is not None:
        try:
            made = dict(zip(("certificate", "key", "root"), map(str, make_test_certificate(directory)), strict=True))
        except OSError as error:
            raise errors.InvalidRequestError(f"Cannot make a certificate in {directory}: {_reason(error)}.") from error
        terminal.result(made, [[path] for path in made.values()], lambda: headed(directory, made.values()))
        return 0
    from ionos_openai.client.settings import IonosSettings, load_signer

    given = {"c2pa_certificate": options.certificate, "c2pa_private_key": options.key, "c2pa_tsa_url": options.tsa_url}
    signer = load_signer(True, IonosSettings(sandbox=True, **given))  # type: ignore[arg-type]  # noqa: FBT003 - as `sign=`

    def work(name: str) -> tuple[dict[str, object], None]:
        path, (data, _) = Path(name), _read(Path(name))
        try:
            signed = write_signature(data, signer, read_provenance(path))
        except errors.SignatureError as error:
            raise _FileError(f"it cannot be signed: {error}") from None
        if options.overwrite:
            _replace(path, signed)
        else:
            path = write_new(path.parent, f"{path.stem}-signed{path.suffix}", signed)
        return _tell_written(terminal, name, path, "signed" if options.overwrite else f"signed as {path}"), None

    return _each(paths, terminal, work)


def inspect(paths: Sequence[str], terminal: Terminal, *, trust: str | None = None) -> int:
    """Show what each picture is and says; the exit code is 1 where one cannot be read or its signature is invalid."""

    def work(name: str) -> tuple[dict[str, object], Exception | None]:
        facts, problem = _look(Path(name), name, trust)
        _tell_facts(terminal, facts)
        return facts, problem

    return _each(paths, terminal, work)


def _validate(data: bytes, trust: str | None) -> dict[str, Any]:
    """Return what a signature says, and whom that is trusted by; nothing where c2pa-python is not installed."""
    from ionos_openai.client.settings import IonosSettings

    try:
        load_library()
    except errors.ConfigurationError:
        if trust is not None:
            raise
        return {}
    anchors = trust or IonosSettings(sandbox=True).c2pa_trust  # which looks for no token
    found = read_signature(data, trust=anchors)
    return {} if found is None else {**_record_facts(found), "trusted_by": str(anchors) if anchors else None}


def _each(
    paths: Sequence[str], terminal: Terminal, work: Callable[[str], tuple[dict[str, object], Exception | None]]
) -> int:
    """Do the work on each file, which returns its facts and what is wrong all the same; the rest goes on."""
    outcome = Outcome(terminal=terminal)
    for name in expand(paths):
        problem: Exception | None
        try:
            facts, problem = work(name)
            outcome.made.append(facts)
        except (_FileError, OSError) as error:  # first: to ask for the other one loads the SDK
            problem = error
        except errors.ProvenanceError as error:
            problem = error
        if problem is not None:
            reason = f"{_clause(problem)}."
            outcome.fail(problem, reason, where=name, path=name, message=f"{name}: {reason}")
    return outcome.end({"files": outcome.made})


def _mark(path: Path, original: Provenance | None, words: dict[str, str]) -> Path | None:
    """Mark one file; return what was written, the picture or its sidecar, or None where it said all that already."""
    data, found = _read(path)
    record = original or read_provenance(path) or Provenance()
    if not (original or record.digital_source_type):
        record = merge(record, describe(model=None, placeholder=is_marked_sandbox(data)))
    record = replace(record, **words)  # type: ignore[arg-type]  # they are its texts
    if found.format in WITHOUT_CARRIER:
        return _write_beside(path, record)
    try:
        marked = write_provenance(data, record)
    except errors.SignedPictureError:
        advice = f"{path} is signed: to have the mark in it, mark the unsigned picture and sign it then."
        warn_user(advice, errors.IonosWarning)
        return _write_beside(path, record)
    if marked == data:
        return None
    _replace(path, marked)
    return path


def _write_beside(path: Path, record: Provenance) -> Path:
    try:
        return write_sidecar(path, record, overwrite=True)
    except errors.ImageSaveError as error:
        raise _FileError(f"its sidecar cannot be written ({_reason(error)})") from None


def _replace(path: Path, data: bytes) -> None:
    """Replace a file in one step; a link stays one, and permissions stay as they are."""
    real = path.resolve()
    if not os.access(real, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        write_new(real.parent, real.name, data, overwrite=True)
    except errors.ImageSaveError as error:
        raise _FileError(f"it cannot be written ({_reason(error)}) and is as it was") from None


def _read(path: Path) -> tuple[bytes, Recognised]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
        raise _FileError("it is a directory; name the files in it" if path.is_dir() else "it is no file")
    if status.st_size > LARGEST:
        raise _FileError("it is larger than 256 MiB")
    data = path.read_bytes()
    try:
        return data, recognise(data)
    except FormatError as error:
        raise _FileError(str(error)) from None


def _look(path: Path, name: str, trust: str | None) -> tuple[dict[str, object], Exception | None]:
    data, found = _read(path)
    record, problem = None, None
    try:
        record = read_provenance(path)
    except (errors.ProvenanceError, OSError) as error:
        problem = _FileError(f"its metadata cannot be read: {_clause(error)}")
    sidecar = sidecar_path(path)
    facts: dict[str, object] = {
        "path": name,
        "format": found.format,
        "width": found.width,
        "height": found.height,
        "bytes": len(data),
        "sandbox": is_marked_sandbox(data),
        "c2pa": has_c2pa(data),
        "sidecar": str(sidecar) if sidecar.is_file() else None,
        "provenance": None if record is None else _record_facts(record),
    }
    if facts["c2pa"] and (signature := _validate(data, trust)):
        facts["signature"] = signature
        if signature["state"] == "invalid":
            problem = problem or _FileError(f"its signature is invalid: {', '.join(signature['problems'])}")
    return facts, problem


def _record_facts(record: Provenance | Signature) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()}


def _tell_written(terminal: Terminal, name: str, written: Path | None, what: str) -> dict[str, object]:
    """Tell what became of a file, and return it for the document."""
    cells = [name] if terminal.quiet else [name, what]
    terminal.part([cells], lambda: _beside(*map(visible, cells)))
    return {"path": name, "written": None if written is None else str(written)}


def _beside(name: str, what: str) -> Iterator[Text]:
    from rich.text import Text

    yield Text.assemble((name, "bold green"), f"  {what}")


def _tell_facts(terminal: Terminal, facts: dict[str, Any]) -> None:
    record: dict[str, Any] = facts["provenance"] or {}
    name, form, size = facts["path"], facts["format"], f"{facts['width']}x{facts['height']}"
    source = (record.get("digital_source_type") or "-").rpartition("/")[2]
    signature = facts.get("signature")
    signed = signature["state"] if signature else "c2pa" if facts["c2pa"] else "-"
    lines = [f"{form}, {size}, {facts['bytes']:,} bytes"]
    lines += [PLACEHOLDER] if facts["sandbox"] else []
    lines += [
        f"{_LABELS.get(key) or key.capitalize()}: {_words(value)}"
        for key, value in record.items()
        if value is not None and key != "placeholder"
    ]
    lines += [] if record else ["Says nothing of where it comes from."]
    lines += [f"Sidecar: {facts['sidecar']}"] if facts["sidecar"] else []
    if signature is not None:
        lines += _signature_lines(signature)
    elif facts["c2pa"]:
        lines += ['C2PA manifest: there is one, not verified (pip install "ionos-openai[c2pa]")']
    row = [name, form, size, source, record.get("model") or "-", signed, facts["sidecar"] or "-"]
    terminal.part([row], lambda: headed(name, lines))


def _signature_lines(signature: dict[str, Any]) -> Iterator[str]:
    untrusted = "valid, signer not in a trust list that was given"
    valid = f"trusted by {signature['trusted_by']}" if signature["state"] == "trusted" else untrusted
    stamp = signature["stamped_by"] and f"by the time stamp of {signature['stamped_by']}"
    time = signature["time"] and f"{signature['time']}, {stamp or 'as the signer says; no time stamp'}"
    source = signature["digital_source_type"]
    said = {
        "Signature": "invalid: " + ", ".join(signature["problems"]) if signature["state"] == "invalid" else valid,
        "Signed by": signature["signer"] and f"{signature['signer']}, issued by {signature['issuer']}",
        "Signed" if stamp else "Made": time,
        "Signed source": source and _words(source),
        "Signed software": signature["software"],
        "Made from": "; ".join(signature["ingredients"]),
    }
    yield from (f"{label}: {words}" for label, words in said.items() if words)


def _words(value: object) -> str:
    text = str(value)
    return f"{_SOURCES[text]} ({text.rpartition('/')[2]})" if text in _SOURCES else text


def _clause(error: Exception) -> str:
    return _reason(error) if isinstance(error, OSError) else str(error).rstrip(".")


def _reason(error: OSError) -> str:
    # The message of an ImageSaveError speaks of pictures in memory; here the file is still there.
    return error.strerror or (os.strerror(error.errno) if error.errno else type(error).__name__)
