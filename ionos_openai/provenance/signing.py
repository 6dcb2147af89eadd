"""The signature: a C2PA manifest over a picture and its mark, with the user's own certificate; made and validated.

The network is asked for time stamps alone, and only where an authority's address is given: a manifest that lies
elsewhere is never fetched. Source: C2PA Technical Specification 2.4; c2pa-python 0.38 (c2pa-rs 0.91), 2026-11.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from ionos_openai import errors
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.notices import warn_once
from ionos_openai.errors.words import printable
from ionos_openai.files.formats import MEDIA_TYPES, is_marked_sandbox, sniff
from ionos_openai.files.opening import read_regular
from ionos_openai.provenance.record import CREATOR_TOOL, Provenance, describe
from ionos_openai.provenance.sidecars import load

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from pydantic import SecretStr
else:  # for `typing.get_type_hints`, which shall not load them
    Certificate = SecretStr = Any

Algorithm: TypeAlias = Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]

# Purposes of a certificate that C2PA takes. Source: C2PA specification 2.4, 14.5, and the default of c2pa-rs.
_PURPOSES = {
    "1.3.6.1.4.1.62558.2.1": "C2PA claim signing",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.36": "documentSigning",
    "1.3.6.1.4.1.311.76.59.1.9": "Microsoft's C2PA signing",
}
_STAMPING = "1.3.6.1.5.5.7.3.8"
_LARGEST_PEM, _LONGEST_REPORT = 1 << 20, 1 << 24  # bytes; characters, of which a long history takes a few 100,000
_CHANGES = {
    "Hash.mismatch": "the picture was changed",
    "hashedURI.mismatch": "what is said of it was changed",
    "claimSignature.mismatch": "the statement or its signature was changed",
}
_TRIAL = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What the C2PA manifest of a picture says, and whether that holds."""

    state: Literal["trusted", "valid", "invalid"]  # by an anchor that was given; intact; changed or unreadable
    signer: str | None = None  # the certificate's subject, such as "CN=A. Nonymous, O=Example"
    issuer: str | None = None  # whose certificate that is by
    time: datetime | None = None  # when it was signed by the time stamp, else when it was made as the signer says
    stamped_by: str | None = None  # the authority of the time stamp; None where there is none
    problems: tuple[str, ...] = ()  # what is wrong, as clauses, such as "the picture was changed"
    digital_source_type: str | None = None  # IPTC's term as a URI
    software: str | None = None  # what made or edited the picture
    generator: str | None = None  # the program that wrote the manifest
    ingredients: tuple[str, ...] = ()  # what it was made from, such as "parentOf image/png"


class Signer:
    """A certificate, and its key or whatever holds the key, which is never shown."""

    def __init__(
        self,
        certificate: str | os.PathLike[str] | bytes,
        private_key: str | os.PathLike[str] | None = None,
        *,
        sign: Callable[[bytes], bytes] | None = None,
        algorithm: Algorithm = "es256",
        passphrase: str | SecretStr | Callable[[], str] | None = None,
        tsa_url: str | None = None,
        required: bool = False,
    ) -> None:
        """Sign with a key in a file; or with a function, so that the key can stay in a KMS, an HSM or an agent.

        Args:
            certificate: The chain in PEM, the signer's certificate first: a file, or the PEM itself.
            private_key: The file of the key, in PEM. One that others may read is warned of.
            sign: Signs the bytes that it is given, in any thread; ECDSA as DER, or as r and s.
            algorithm: How `sign` does it.
            passphrase: What the file of the key is encrypted with, or a function that returns it.
            tsa_url: The authority for time stamps (RFC 3161), which gets a digest and 30 s; None asks for none.
            required: Whether what cannot be signed is an error; by default it is saved unsigned, with a warning.

        Raises:
            ConfigurationError: They cannot be read or do not belong together, or c2pa-python is not installed.
        """
        if passphrase is not None and not callable(passphrase):
            passphrase = _hidden(passphrase)  # what shows the variables of a traceback shows no secret
        name, private_key = os.fspath(private_key or ""), None
        if "-----BEGIN" in name:
            name = ""
            raise errors.ConfigurationError("The private key itself was given: write it into a file, and name that.")
        load_library()
        if tsa_url is not None and urlsplit(tsa_url).scheme not in ("http", "https"):
            raise errors.ConfigurationError("The time-stamp authority's address is no URL: begin it with https://.")
        self.chain, self.tsa_url, self.required = _read_chain(certificate), tsa_url, required
        self.exposed, self._tried = "", False  # the warning of a key that others may read; whether it is known to work
        # c2pa checks again what a function or an authority answered; a key that belongs to the certificate needs none.
        self.asks = sign is not None or tsa_url is not None
        if sign is None:
            key, problem = _read_key(name, passphrase, self.chain[0])
            if problem:
                raise errors.ConfigurationError(f"The private key {name!r} {problem}.")
            sign, algorithm = _signing_with(key)
            if os.name != "nt" and Path(name).stat().st_mode & 0o044:
                self.exposed = f"The private key {name!r} may be read by others: chmod 600 it."
                warn_once(f"key:{name}", self.exposed, errors.IonosWarning)
        self._sign, self._algorithm = sign, algorithm

    def check(self) -> None:
        """Try certificate and key, once, on a picture made here, without a time stamp; raise a `ConfigurationError`."""
        if not self._tried:
            alone = copy.copy(self)
            alone.tsa_url = None
            try:
                _check_chain(self.chain, datetime.now(UTC))
                write_signature(_TRIAL, alone, describe(model=None, placeholder=True))
            except errors.SignatureError as error:
                raise errors.ConfigurationError(f"Pictures cannot be signed: {error}.") from None
        self._tried = True

    def __deepcopy__(self, _: object) -> Signer:
        """Return itself: what holds the key is not to be copied."""
        return self

    def __repr__(self) -> str:
        """Tell for whom it signs, where its making did not fail: what shows a traceback's variables asks too."""
        made = hasattr(self, "_sign")
        return f"Signer({self.chain[0].subject.rfc4514_string()!r}, {self._algorithm!r})" if made else "Signer()"


Sign: TypeAlias = bool | Literal["required"] | Signer  # with the settings' certificate; that or not at all; with this


def write_signature(
    data: bytes, signer: Signer, provenance: Provenance | None = None, *, inputs: Sequence[bytes] = ()
) -> bytes:
    """Sign an encoded picture; its pixels, and the mark in it, stay as they are.

    Args:
        data: A JPEG, PNG, WebP, GIF or AVIF. A C2PA manifest that it has stays in the new one, as its parent's.
        signer: Whom to sign for.
        provenance: What to say; by default what the mark in the picture says. A placeholder of the sandbox is signed
            as one, whatever that is; what says nothing of its source is signed as a picture that was opened.
        inputs: The pictures that it was made from, with the manifests that they have; the first is the parent.

    Raises:
        SignatureError: It cannot be signed: by the key, the certificate, the time stamp or the picture.
        ConfigurationError: c2pa-python is not installed.
    """
    record, sources = _prepare(data, provenance, inputs)
    library, failures, signed = load_library(), list[str](), io.BytesIO()
    chain, labels = _to_pem(*signer.chain), [f"input-{number}" for number in range(len(sources))]
    manifest = _manifest(record, labels, edited=bool(inputs))
    context = _context(os.getpid(), checks=getattr(signer, "asks", True))  # so is what takes a `Signer`'s place

    def sign(content: bytes) -> bytes:
        try:
            return bytes(signer._sign(content))
        except Exception as error:  # noqa: BLE001 - c2pa would log its words, which may hold a secret
            failures.append(type(error).__name__)
            return b""

    try:
        algorithm = library.C2paSigningAlg[signer._algorithm.upper()]
        with (
            library.Signer.from_callback(sign, algorithm, chain, signer.tsa_url) as native,
            library.Builder(manifest, context) as builder,
        ):
            for label, source in zip(labels, sources, strict=True):
                ingredient = {"relationship": "parentOf" if label == labels[0] else "inputTo", "label": label}
                builder.add_ingredient(ingredient, _media_type(source), io.BytesIO(source))
            builder.sign(native, _media_type(data), io.BytesIO(data), signed)
            return signed.getvalue()
    except (library.C2paError, KeyError) as error:
        problem = _explain(str(error), failures, signer.tsa_url)
    raise errors.SignatureError(problem)


def _explain(text: str, failures: Sequence[str], tsa_url: str | None) -> str:
    if failures:
        return f"the key cannot be used ({failures[0]})"
    if tsa_url is not None and re.search("http resolver|time ?stamp", text, re.IGNORECASE):
        return f"the time-stamp authority {urlsplit(tsa_url).hostname} gives no time stamp"
    return _clean(text.partition(": ")[2] or text)


def _prepare(data: bytes, record: Provenance | None, inputs: Sequence[bytes]) -> tuple[Provenance, list[bytes]]:
    """Return what is to be said of a picture, and the pictures that it comes from."""
    from ionos_openai.provenance import has_c2pa, read_provenance

    with contextlib.suppress(errors.ProvenanceError):  # a damaged mark says nothing
        record = record or read_provenance(data)
    record = record or Provenance()
    if record.placeholder or is_marked_sandbox(data):
        record = describe(model=None, created=record.created, prompt=record.prompt, placeholder=True)
    opens = has_c2pa(data) or not (inputs or record.digital_source_type)
    return record, [*[data] * opens, *inputs]


def _manifest(record: Provenance, labels: Sequence[str], *, edited: bool) -> dict[str, Any]:
    """Return what is signed: how the picture was made, by what and when; the prompt only where the record has it."""
    actions: list[dict[str, Any]] = []
    if labels:
        actions.append({"action": "c2pa.opened", "parameters": {"ingredientIds": labels[:1]}})
    if edited or not labels:
        agent = {"name": record.ai_system or record.creator_tool or CREATOR_TOOL}
        parameters = _given(ingredientIds=labels[1:], prompt=record.prompt)
        action = "c2pa.edited" if edited else "c2pa.created"
        actions.append({"action": action, "softwareAgent": agent, **_given(parameters=parameters)})
    made = record.created
    when = (made if made and 1 < made.year < 9999 else datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    actions[-1] |= _given(when=when.isoformat(), digitalSourceType=record.digital_source_type)
    return {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]}


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value}


def read_signature(
    source: bytes | str | os.PathLike[str], *, trust: str | os.PathLike[str] | None = None
) -> Signature | None:
    """Validate the signature of a picture, its bytes or a path of at most 256 MiB of them, without the network.

    Args:
        source: The picture; None is returned where it has no manifest in it.
        trust: A PEM file with the certificates that the chain of a signer or of a time stamp may lead to, such as
            C2PA's trust list. Without it no signer is "trusted".

    Raises:
        ConfigurationError: The trust list cannot be read, or c2pa-python is not installed.
        OSError, ProvenanceError: The picture cannot be read.
    """
    from ionos_openai.provenance import has_c2pa

    data = source if isinstance(source, bytes) else load(Path(source))
    if sniff(data) is None or not has_c2pa(data):
        return None
    library, problem = load_library(), "the manifest cannot be understood"
    context = _context(os.getpid(), "" if trust is None else _to_pem(*_read_chain(trust)))
    try:
        with library.Reader(_media_type(data), io.BytesIO(data), context=context) as reader:
            state, report = reader.get_validation_state(), reader.crjson()
        if len(report) <= _LONGEST_REPORT:
            return _read_report(json.loads(report)["manifests"][0], state)
        problem = "the manifest is larger than any that a picture needs"
    except library.C2paError as error:
        if str(error).startswith("Remote"):
            return None  # it lies elsewhere
        problem = f"the manifest cannot be read ({_clean(str(error).partition(': ')[2])})"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return Signature(state="invalid", problems=(problem,))


def _read_report(active: Mapping[str, Any], state: str) -> Signature:
    """Return what c2pa's report says of a manifest; of its actions, the last that tells a source counts."""
    said, results, signed = active["assertions"], active["validationResults"], active.get("signature") or {}
    actions = [action for label in said if label.startswith("c2pa.actions") for action in said[label]["actions"]]
    made = next((action for action in reversed(actions) if "digitalSourceType" in action), (actions or [{}])[-1])
    is_stamped = any(entry["code"] == "timeStamp.validated" for entry in results["success"])
    certificate, stamp = signed.get("certificateInfo") or {}, signed["timeStampInfo"] if is_stamped else {}
    time, problems = stamp.get("timestamp") or made.get("when"), _failures(results)
    generator = (active.get("claim.v2") or active.get("claim") or {}).get("claim_generator_info")
    return Signature(
        state="invalid" if state == "Invalid" or problems else "trusted" if state == "Trusted" else "valid",
        signer=_name(certificate.get("subject")),
        issuer=_name(certificate.get("issuer")),
        time=datetime.fromisoformat(time) if time else None,
        stamped_by=_name((stamp.get("certificateInfo") or {}).get("subject")),
        problems=tuple(problems),
        digital_source_type=_name(made.get("digitalSourceType")),
        software=_name(made.get("softwareAgent")),
        generator=_name(generator[0] if isinstance(generator, list) else generator),
        ingredients=tuple(_ingredient(said[label]) for label in said if label.startswith("c2pa.ingredient")),
    )


def _failures(results: Mapping[str, Any]) -> list[str]:
    """Return what is wrong, each thing once; that a signer is in no trust list is not."""
    problems = []
    for entry in results.get("failure") or ():
        known = (words for end, words in _CHANGES.items() if entry["code"].endswith(end))
        problems.append(next(known, None) or _clean(f"{entry.get('explanation')} ({entry['code']})"))
    return [problem for problem in dict.fromkeys(problems) if not problem.endswith("(signingCredential.untrusted)")]


def _ingredient(found: Mapping[str, Any]) -> str:
    problems = _failures((found.get("validationResults") or {}).get("activeManifest") or {})
    words = [found.get("relationship"), found.get("dc:title") or found.get("dc:format"), *problems[:1]]
    return _clean(", ".join(str(word) for word in words if word))


def _name(said: object) -> str | None:
    """Return a name as text; one in parts as "CN=A. Nonymous, O=Example", and a program with its version."""
    if isinstance(said, dict):
        program = [str(said[part]) for part in ("name", "version") if part in said]
        said = " ".join(program) or ", ".join(f"{part}={value}" for part, value in said.items())
    return _clean(str(said)) if said else None


def _clean(text: str) -> str:
    return printable(mask_secrets(text), instead="?")[:300]


def _media_type(data: bytes) -> str:
    kind = sniff(data)
    if kind is None:
        raise errors.SignatureError("its bytes are not JPEG, PNG, WebP, GIF or AVIF")
    return MEDIA_TYPES[kind]


def load_library() -> Any:
    """Return c2pa, or raise a `ConfigurationError` that says how to install it."""
    with contextlib.suppress(ImportError):
        importlib.import_module("cryptography")
        return importlib.import_module("c2pa")
    raise errors.ConfigurationError('Signatures need c2pa-python: pip install "ionos-openai[c2pa]".')


@functools.lru_cache(maxsize=4)
def _context(_process: int, anchors: str = "", *, checks: bool = True) -> Any:
    """Return how c2pa is to work: no network, no thumbnails. Each process has its own: none outlives a fork."""
    from importlib.metadata import version  # which takes longer to load than all the rest

    program = {"name": CREATOR_TOOL, "version": version("ionos-openai")}
    builder = {"thumbnail": {"enabled": False}, "created_assertion_labels": ["c2pa.actions"]}
    settings = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": checks},
        "core": {"allowed_network_hosts": []},
        "builder": {**builder, "claim_generator_info": program},
        "trust": {"trust_config": "\n".join([*_PURPOSES, _STAMPING]), "user_anchors": anchors or None},
    }
    return load_library().Context.from_dict(settings)


def _check_chain(chain: Sequence[Certificate], now: datetime) -> None:
    """Raise a `SignatureError` where certificates cannot sign pictures."""
    leaf, fields = chain[0], {field.oid.dotted_string: field.value for field in chain[0].extensions}
    purposes = {purpose.dotted_string for purpose in fields.get("2.5.29.37", ())}
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    taken = ", ".join(_PURPOSES.values())
    is_broken = not all(_has_issued(upper, lower) for lower, upper in itertools.pairwise(chain))
    signs = getattr(fields.get("2.5.29.15"), "digital_signature", False)
    problems = {
        "the first certificate is its own issuer: the signer's own comes first": leaf.subject == leaf.issuer,
        "a certificate of the chain did not issue the one before it: mend the order": is_broken,
        f"the certificate is valid from {begin:%Y-%m-%d}: look at this machine's clock": now < begin,
        f"the certificate ended on {end:%Y-%m-%d}: get a new one": now > end,
        f"the certificate's extended key usage has none of {taken}: get one that has": not purposes & _PURPOSES.keys(),
        "the certificate's key usage does not have digitalSignature: get one that has": not signs,
    }
    for problem in itertools.compress(problems, problems.values()):
        raise errors.SignatureError(problem)


def _has_issued(upper: Certificate, lower: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):  # another name, kind of key, or key
        return False
    return True


def _read_chain(source: str | os.PathLike[str] | bytes) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    text = source if isinstance(source, bytes) else os.fsencode(source)
    what = "The certificate" if b"-----BEGIN" in text else f"The certificate {os.fspath(source)!r}"
    try:
        return load_pem_x509_certificates(text if b"-----BEGIN" in text else _read_pem(os.fsdecode(text)))
    except OSError as error:
        raise errors.ConfigurationError(f"{what} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise errors.ConfigurationError(f"{what} is no chain in PEM form.") from error


def _hidden(secret: str | SecretStr) -> Callable[[], str]:
    return lambda: secret if isinstance(secret, str) else secret.get_secret_value()


def _read_key(path: str, passphrase: Callable[[], str] | None, leaf: Certificate) -> tuple[Any, str | None]:
    """Read a private key, or return what is wrong with it: no frame of an exception is to hold a secret."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read_pem(path), passphrase().encode() if passphrase else None)
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None, "is no key in PEM form, or its passphrase (IONOS_C2PA_PASSPHRASE) is missing, wrong or not needed"
    is_other = key.public_key() != leaf.public_key()
    other = "does not belong to the first certificate: the signer's own comes first, then its issuers'"
    return key, other if is_other else None


def _read_pem(path: str) -> bytes:
    return read_regular(Path(path).resolve(), most=_LARGEST_PEM)


def _signing_with(key: Any) -> tuple[Callable[[bytes], bytes], Any]:
    """Return how a key signs, and the algorithm's name; a key that C2PA does not take fails when it is tried."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        digest = hashes.SHA256()
        return lambda data: key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest), "ps256"
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda data: bytes(key.sign(data)), "ed25519"
    bits = {384: 384, 521: 512}.get(key.key_size, 256)
    return lambda data: key.sign(data, ec.ECDSA(getattr(hashes, f"SHA{bits}")())), f"es{bits}"


def _to_pem(*certificates: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def make_test_certificate(directory: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Make a chain for development that nobody trusts; return the files of chain, key and root, their owner's alone."""
    load_library()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root, leaf = (_to_pem(_issue(role, own, root_key)) for role, own in (("root", root_key), ("signer", key)))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "certificate.pem", folder / "key.pem", folder / "root.pem"
    for path, text in zip(paths, (leaf + root, secret, root), strict=True):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - its mode
            file.write(text)
    return paths


def _issue(role: str, key: Any, root_key: Any) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    is_root, now = role == "root", datetime.now(UTC)
    issuer, subject = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"ionos-openai TEST {name}, trusted by nobody")])
        for name in ("root", role)
    )
    usage = [not is_root, False, False, False, False, is_root, is_root, False, False]  # to sign; of a root, to issue
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(365)
    )
    for extension, is_critical in (
        (x509.BasicConstraints(ca=is_root, path_length=None), True),
        (x509.KeyUsage(*usage), True),
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(root_key, hashes.SHA256())
