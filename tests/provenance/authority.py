"""A certificate authority, and one for time stamps on loopback, made for a test: trusted by nobody else."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

DAY = timedelta(days=1)
CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_NO_USE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def new_key(kind: str = "es256") -> CertificateIssuerPrivateKeyTypes:
    """Make a private key for an algorithm."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("ps"):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key({"es256": ec.SECP256R1(), "es384": ec.SECP384R1(), "es512": ec.SECP521R1()}[kind])


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A signer's certificate with its key and its issuer."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes
    root: x509.Certificate

    @property
    def chain(self) -> bytes:
        return pem(self.certificate, self.root)

    def key_pem(self, passphrase: str = "") -> bytes:
        encryption = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    def write(self, folder: Path, passphrase: str = "") -> tuple[Path, Path]:
        """Write chain and key as files; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        chain, key = folder / "chain.pem", folder / "key.pem"
        chain.write_bytes(self.chain)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem(passphrase))
        return chain, key


class Authority:
    """A root certificate that issues others."""

    def __init__(self, name: str = "Root of the tests", *, end: timedelta = 90 * DAY) -> None:
        self._key = new_key()
        self.root = self._issue(name, self._key, name, is_root=True, end=end)

    def _issue(
        self,
        subject: str,
        key: CertificateIssuerPrivateKeyTypes,
        issuer: str,
        *,
        is_root: bool = False,
        usages: Sequence[x509.ObjectIdentifier] = (),
        begin: timedelta = -DAY,
        end: timedelta = 90 * DAY,
        signs: bool = True,
    ) -> x509.Certificate:
        now, public = datetime.now(UTC), key.public_key()
        use = {**_NO_USE, **({"key_cert_sign": True, "crl_sign": True} if is_root else {"digital_signature": signs})}
        use |= {} if is_root or signs else {"key_agreement": True}
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**use), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if usages:
            is_stamping = ExtendedKeyUsageOID.TIME_STAMPING in usages
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=is_stamping)
        return builder.sign(self._key, hashes.SHA256())

    def leaf(
        self,
        subject: str = "A. Nonymous",
        *,
        kind: str = "es256",
        usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
        begin: timedelta = -DAY,
        end: timedelta = 90 * DAY,
        signs: bool = True,
    ) -> Leaf:
        """Issue a certificate to sign with."""
        key = new_key(kind)
        issuer = self.root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        certificate = self._issue(subject, key, str(issuer), usages=usages, begin=begin, end=end, signs=signs)
        return Leaf(certificate=certificate, key=key, root=self.root)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests & Co")]
    )


@contextlib.contextmanager
def stamping(authority: Authority, *, answers: bool = True) -> Iterator[tuple[str, list[bytes]]]:
    """Serve time stamps (RFC 3161) on loopback, or refuse each; yields the address and the requests that came."""
    leaf, asked = authority.leaf("Clock of the tests", usages=(ExtendedKeyUsageOID.TIME_STAMPING,)), list[bytes]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(request)
            content = _stamp(request, leaf) if answers else b""
            self.send_response(200 if answers else 503)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            asked.append(self.path.encode())
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, *parts)


def _set(*parts: bytes) -> bytes:
    return _tlv(0x31, *parts)


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytes([40 * first + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        content += bytes(reversed(groups))
    return _tlv(0x06, content)


def _integer(number: int) -> bytes:
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _parts(content: bytes) -> list[bytes]:
    """Split the content of a constructed value into its values."""
    parts = []
    while content:
        length, head = content[1], 2
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(content[2:head], "big")
        parts.append(content[: head + length])
        content = content[head + length :]
    return parts


def _content(value: bytes) -> bytes:
    return value[2 + (value[1] & 0x7F if value[1] & 0x80 else 0) :]


_SHA256 = _sequence(_oid("2.16.840.1.101.3.4.2.1"))
_TST_INFO, _SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"


def _stamp(request: bytes, leaf: Leaf) -> bytes:
    """Answer a request for a time stamp. Source: RFC 3161, RFC 5652, RFC 5816."""
    parts = _parts(_content(request))
    nonce = [part for part in parts[2:] if part[0] == 0x02]
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    serial = _integer(secrets.randbits(63))
    info = _sequence(_integer(1), _oid("1.2.3.4.1"), parts[1], serial, _tlv(0x18, now), *nonce)
    encoded = leaf.certificate.public_bytes(serialization.Encoding.DER)
    attributes = [
        _sequence(_oid("1.2.840.113549.1.9.3"), _set(_oid(_TST_INFO))),
        _sequence(_oid("1.2.840.113549.1.9.4"), _set(_tlv(0x04, hashlib.sha256(info).digest()))),
        _sequence(
            _oid("1.2.840.113549.1.9.16.2.47"),
            _set(_sequence(_sequence(_sequence(_tlv(0x04, hashlib.sha256(encoded).digest()))))),
        ),
    ]
    attributes.sort()
    signature = leaf.key.sign(_set(*attributes), ec.ECDSA(hashes.SHA256()))  # type: ignore[union-attr, call-arg, arg-type]
    issuer = leaf.certificate.issuer.public_bytes()
    signer = _sequence(
        _integer(1),
        _sequence(issuer, _integer(leaf.certificate.serial_number)),
        _SHA256,
        _tlv(0xA0, *attributes),
        _sequence(_oid("1.2.840.10045.4.3.2")),
        _tlv(0x04, signature),
    )
    content = _sequence(_oid(_TST_INFO), _tlv(0xA0, _tlv(0x04, info)))
    certificates = _tlv(0xA0, encoded, leaf.root.public_bytes(serialization.Encoding.DER))
    signed = _sequence(_integer(3), _set(_SHA256), content, certificates, _set(signer))
    token = _sequence(_oid(_SIGNED_DATA), _tlv(0xA0, signed))
    return _sequence(_sequence(_integer(0)), token)
