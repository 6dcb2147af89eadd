"""The signature: asked for, made with the user's certificate, told when it breaks, and never in a picture's way."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import shutil
import struct
import subprocess
import sys
import time
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ionos_openai import (
    ConfigurationError,
    GeneratedImage,
    IonosSettings,
    IonosWarning,
    Provenance,
    SignatureError,
    Signer,
    aedit_images,
    agenerate_images,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    generate_images,
    partial_images,
    read_provenance,
    read_signature,
    save_images,
    write_provenance,
    write_signature,
)
from ionos_openai.errors import notices
from ionos_openai.files.formats import is_marked_sandbox
from ionos_openai.provenance import ALGORITHMIC, COMPOSITE, TRAINED, describe
from ionos_openai.provenance.signing import make_test_certificate
from ionos_openai.sandbox import Sandbox

pytest.importorskip("c2pa", reason="needs the extra c2pa")

from tests.provenance.authority import CLAIM_SIGNING, DAY, DOCUMENT_SIGNING, Authority, Leaf, pem, stamping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openai

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
FLUX = "black-forest-labs/FLUX.1-schnell"
RECORD = describe(model=FLUX, size="64x48", created=MADE)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
SECRET = "correct-horse-battery"


def encode(kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def image(kind: str = "JPEG", **facts: Any) -> GeneratedImage:
    facts = {"data": encode(kind), "prompt": "a fox", "model": FLUX, "size": "64x48", "created": MADE, **facts}
    return GeneratedImage(format=kind, width=64, height=48, **facts)  # type: ignore[arg-type]


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGBA").tobytes()


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Leaf:
    return authority.leaf()


@pytest.fixture
def files(leaf: Leaf, tmp_path: Path) -> tuple[Path, Path]:
    return leaf.write(tmp_path / "pki")


@pytest.fixture
def signer(files: tuple[Path, Path]) -> Signer:
    return Signer(*files)


@pytest.fixture
def trust(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "trust.pem"
    path.write_bytes(pem(authority.root))
    return path


@pytest.fixture
def configured(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("IONOS_C2PA_CERTIFICATE", str(files[0]))
    monkeypatch.setenv("IONOS_C2PA_PRIVATE_KEY", str(files[1]))
    return files


def quietly(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what a call returns, and the warnings that it gives."""
    with pytest.warns(IonosWarning) as seen:
        result = call()
    return result, [str(warning.message) for warning in seen]


# What is signed.


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_signed_and_keeps_its_pixels(kind: str, signer: Signer, trust: Path) -> None:
    """The signature names signer and issuer, and adds at most 20 kB; the pixels and the mark stay."""
    picture = image(kind)
    plain = write_provenance(picture.data, RECORD) if kind in ("JPEG", "PNG", "WEBP") else picture.data
    signed = picture.to_bytes(sign=signer)
    assert pixels(signed) == pixels(picture.data)
    assert 0 < len(signed) - len(plain) <= 20_000
    found = read_signature(signed, trust=trust)
    assert found is not None
    assert (found.state, found.problems, found.ingredients) == ("trusted", (), ())
    assert (found.signer, found.issuer) == ("CN=A. Nonymous, O=Tests & Co", "CN=Root of the tests, O=Tests & Co")
    assert (found.digital_source_type, found.time, found.stamped_by) == (TRAINED, MADE, None)
    assert (found.software, found.generator) == (f"IONOS AI Model Hub, {FLUX}", "ionos-openai 0.1.0")
    if kind in ("JPEG", "PNG", "WEBP"):
        assert read_provenance(signed) == read_provenance(plain) == RECORD


def test_a_signer_that_no_list_names_is_valid_and_not_trusted(signer: Signer, tmp_path: Path) -> None:
    """Without a trust list, and with one of somebody else's, an intact signature is just that."""
    signed = write_signature(encode(), signer, RECORD)
    other = tmp_path / "other.pem"
    other.write_bytes(pem(Authority("Somebody else").root))
    assert [found.state for found in (read_signature(signed), read_signature(signed, trust=other)) if found] == [
        "valid",
        "valid",
    ]


def test_what_is_not_signed_has_no_signature(tmp_path: Path) -> None:
    """A picture without a manifest, a marked one and other bytes have none; a path is read as its bytes."""
    path = tmp_path / "fox.jpg"
    path.write_bytes(write_provenance(encode(), RECORD))
    assert [read_signature(source) for source in (encode("GIF"), b"no picture", path, str(path))] == [None] * 4


@pytest.mark.parametrize("kind", ["es256", "es384", "es512", "ps256", "ed25519"])
def test_every_kind_of_key_signs(kind: str, authority: Authority, trust: Path, tmp_path: Path) -> None:
    """ECDSA on three curves, RSA and Ed25519."""
    signer = Signer(*authority.leaf(kind=kind).write(tmp_path / "pki"))
    signer.check()
    found = read_signature(write_signature(encode("PNG"), signer, RECORD), trust=trust)
    assert found is not None
    assert (found.state, repr(signer)) == ("trusted", f"Signer('O=Tests & Co,CN=A. Nonymous', {kind!r})")


@pytest.mark.parametrize("usage", [CLAIM_SIGNING, DOCUMENT_SIGNING])
def test_the_purposes_that_c2pa_names_are_taken(usage: Any, authority: Authority, trust: Path, tmp_path: Path) -> None:
    """A certificate for C2PA claims or for documents signs, and is trusted."""
    signer = Signer(*authority.leaf(usages=(usage,)).write(tmp_path / "pki"))
    found = read_signature(write_signature(encode(), signer, RECORD), trust=trust)
    assert found is not None
    assert found.state == "trusted"


def test_the_prompt_is_signed_only_where_it_is_asked_for(signer: Signer) -> None:
    """A prompt may be confidential."""
    picture = image(prompt="a fox of Project Heron")
    assert b"Project Heron" not in picture.to_bytes(sign=signer)
    assert b"Project Heron" not in picture.to_bytes(sign=signer, provenance=False)
    # Once in the mark, and once in what is signed.
    assert picture.to_bytes(sign=signer, prompt_in_metadata=True).count(b"Project Heron") == 2


def test_a_placeholder_is_signed_as_one_whatever_is_said_of_it(signer: Signer, tmp_path: Path) -> None:
    """The sandbox's pictures never pass for a model's, also with a mark that says so, and when they were converted."""
    with create_client(sandbox=True) as client:
        [made] = generate_images(client, "a fox", directory=tmp_path, sign=signer)
    assert made.path is not None
    lying = write_provenance(made.data, Provenance(digital_source_type=TRAINED, ai_system="IONOS AI Model Hub"))
    signed = [made.path.read_bytes(), write_signature(lying, signer), made.to_bytes(format="PNG", sign=signer)]
    signed += [write_signature(signed[0], signer), write_signature(made.to_bytes(format="WEBP"), signer)]
    for data in signed:
        found = read_signature(data)
        assert found is not None
        assert is_marked_sandbox(data)
        assert found.digital_source_type == ALGORITHMIC


def test_a_picture_that_says_nothing_is_signed_as_opened(signer: Signer) -> None:
    """Nothing is claimed of how it was made."""
    found = read_signature(write_signature(encode(), signer))
    assert found is not None
    assert (found.digital_source_type, found.software, found.ingredients) == (None, None, ("parentOf, image/jpeg",))


# Edits, and signatures over signatures.


def test_an_edit_has_its_inputs_with_their_own_manifests(signer: Signer, trust: Path, tmp_path: Path) -> None:
    """The first input is the parent, its manifest is kept; further ones are inputs."""
    original = tmp_path / "original.png"
    original.write_bytes(write_signature(encode("PNG"), signer, RECORD))
    with create_client(sandbox=True) as client:
        [made] = edit_images(client, [original, encode()], "a hat", directory=tmp_path, name="edited", sign=signer)
    assert made.path is not None
    found = read_signature(made.path, trust=trust)
    assert found is not None
    assert (found.state, found.ingredients) == ("trusted", ("parentOf, image/png", "inputTo, image/jpeg"))
    edited = image(inputs=(original.read_bytes(),), edited=True).to_bytes(sign=signer)
    assert edited.count(b"urn:c2pa:") > made.data.count(b"urn:c2pa:")
    said = read_signature(edited)
    assert said is not None
    assert said.digital_source_type == COMPOSITE


def test_decoded_pictures_can_be_told_their_inputs(signer: Signer) -> None:
    """Who edits with the SDK's own call says what went in."""
    with create_client(sandbox=True) as client:
        response = client.images.edit(image=("a.png", encode("PNG"), "image/png"), prompt="a hat", model="klein")
    [made] = decode_images(response, inputs=[encode("PNG")])
    found = read_signature(made.to_bytes(sign=signer))
    assert found is not None
    assert found.ingredients == ("parentOf, image/png",)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_signed_picture_is_signed_over_and_loses_nothing(kind: str, authority: Authority, trust: Path) -> None:
    """The old manifest is within the new one, as its parent's."""
    first, second = (authority.leaf(name) for name in ("First", "Second"))
    once = write_signature(encode(kind), _with_callback(first), RECORD)
    twice = write_signature(once, _with_callback(second))
    found = read_signature(twice, trust=trust)
    assert found is not None
    assert (found.state, found.signer) == ("trusted", "CN=Second, O=Tests & Co")
    assert found.ingredients == (f"parentOf, image/{kind.lower()}",)
    assert b"First" in twice
    assert pixels(twice) == pixels(once)


def test_a_picture_that_came_signed_keeps_its_manifest(signer: Signer, tmp_path: Path) -> None:
    """Where a service signs its pictures, the mark goes beside and our signature over theirs."""
    theirs = write_signature(encode(), _with_callback(Authority("Their root").leaf("Their service")), RECORD)
    path = image(data=theirs).save(tmp_path / "fox.jpg", sign=signer)
    found = read_signature(path)
    assert found is not None
    assert (found.state, found.signer) == ("valid", "CN=A. Nonymous, O=Tests & Co")
    assert (found.ingredients, found.digital_source_type) == (("parentOf, image/jpeg",), TRAINED)
    assert b"Their service" in path.read_bytes()
    assert read_provenance(path) == RECORD


def _with_callback(leaf: Leaf, **further: Any) -> Signer:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return Signer(leaf.chain, sign=lambda data: leaf.key.sign(data, ec.ECDSA(hashes.SHA256())), **further)  # type: ignore[union-attr, call-arg, arg-type]


# Tampering.


@pytest.mark.parametrize(("kind", "place"), [("JPEG", -200), ("PNG", -80), ("WEBP", 600), ("GIF", -60), ("AVIF", -20)])
def test_a_changed_byte_of_the_picture_is_told(kind: str, place: int, signer: Signer, trust: Path) -> None:
    """One bit of the pixels is enough."""
    signed = write_signature(encode(kind), signer, RECORD)
    found = read_signature(flipped(signed, place), trust=trust)
    assert found is not None
    assert (found.state, found.problems) == ("invalid", ("the picture was changed",))
    assert found.signer == "CN=A. Nonymous, O=Tests & Co"


def test_a_changed_mark_and_a_changed_statement_are_told(signer: Signer) -> None:
    """The mark is signed with the picture; what the manifest says is signed too."""
    signed = write_signature(write_provenance(encode(), RECORD), signer, RECORD)
    mark = read_signature(signed.replace(b"64x48", b"640x4"))
    statement = read_signature(signed.replace(b"c2pa.created", b"c2pa.creatED"))
    source = read_signature(signed.replace(b"IONOS AI Model Hub, bl", b"IONOS AI Model Hub, xx"))
    for found in (mark, statement, source):
        assert found is not None
        assert (found.state, bool(found.problems)) == ("invalid", True)


def test_an_ingredient_that_was_changed_is_told(signer: Signer) -> None:
    """A parent with a broken signature stays one, and it is said of it."""
    broken = flipped(write_signature(encode(), signer, RECORD), -200)
    found = read_signature(write_signature(encode("PNG"), signer, RECORD, inputs=[broken]))
    assert found is not None
    assert found.ingredients == ("parentOf, image/jpeg, the picture was changed",)


# What cannot sign is refused before anything is asked for.


def _self_signed(authority: Authority) -> Leaf:
    leaf = authority.leaf()
    return Leaf(certificate=authority.root, key=authority._key, root=leaf.certificate)


BAD: dict[str, tuple[Callable[[Authority], Leaf], str]] = {
    "expired": (lambda authority: authority.leaf(end=-DAY / 2), r"the certificate ended on 20"),
    "not yet valid": (lambda authority: authority.leaf(begin=DAY), r"the certificate is valid from .* clock"),
    "no purpose": (lambda authority: authority.leaf(usages=()), r"extended key usage has none of .*emailProtection"),
    "no signing": (lambda authority: authority.leaf(signs=False), r"key usage does not have digitalSignature"),
    "self-signed": (_self_signed, r"the first certificate is its own issuer"),
    "another chain": (
        lambda authority: Leaf(**{**vars(authority.leaf()), "root": Authority("Elsewhere").root}),
        r"a certificate of the chain did not issue the one before it",
    ),
    "another issuer of the same name": (
        lambda authority: Leaf(**{**vars(authority.leaf()), "root": Authority().root}),
        r"a certificate of the chain did not issue the one before it",
    ),
    "another key": (
        lambda authority: Leaf(**{**vars(authority.leaf()), "key": authority.leaf().key}),
        r"does not belong to the first certificate",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_sign_is_refused_before_the_first_request(
    kind: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call that makes pictures says what is wrong with the certificate, and nothing is sent or written."""
    make, words = BAD[kind]
    chain, key = make(authority).write(tmp_path / "pki")
    monkeypatch.setenv("IONOS_C2PA_CERTIFICATE", str(chain))
    monkeypatch.setenv("IONOS_C2PA_PRIVATE_KEY", str(key))
    sandbox, out = Sandbox(), tmp_path / "out"
    with create_client(sandbox=sandbox) as client:
        for call in _calls(client, out):
            with pytest.raises(ConfigurationError, match=words):
                call(sign=True)
    assert (list(sandbox.requests), out.exists()) == ([], False)


def _calls(client: openai.OpenAI, out: Path) -> list[Callable[..., object]]:
    return [
        lambda **given: generate_images(client, "a fox", **given),
        lambda **given: generate_images(client, "a fox", directory=out, **given),
        lambda **given: edit_images(client, encode(), "a fox", directory=out, **given),
    ]


def test_the_settings_of_a_client_count_as_the_argument_does(configured: tuple[Path, Path], tmp_path: Path) -> None:
    """`IonosSettings(sign=...)` signs, `sign=False` does not; a key that cannot be is refused before a request."""
    with create_client(sandbox=True, settings=IonosSettings(sign=True)) as client:
        [signed] = generate_images(client, "a fox", directory=tmp_path)
        [plain] = generate_images(client, "a fox", directory=tmp_path, sign=False)
    found = [read_signature(made.path) for made in (signed, plain) if made.path]
    assert found[0] is not None
    assert found[1] is None
    sandbox = Sandbox()
    configured[1].unlink()
    with (
        create_client(sandbox=sandbox, settings=IonosSettings(sign="required")) as client,
        pytest.raises(ConfigurationError, match="cannot be read: No such file"),
    ):
        generate_images(client, "a fox")
    assert not sandbox.requests


async def test_the_async_calls_do_the_same(signer: Signer, tmp_path: Path) -> None:
    """Sign, with the parent of an edit; refuse before anything is sent."""
    sandbox = Sandbox()
    async with create_async_client(sandbox=sandbox) as client:
        [made] = await agenerate_images(client, "a fox", directory=tmp_path, sign=signer)
        [edited] = await aedit_images(client, made, "a hat", directory=tmp_path, sign=signer)
        asked = len(sandbox.requests)
        with pytest.raises(ConfigurationError, match="IONOS_C2PA_CERTIFICATE"):
            await agenerate_images(client, "a fox", sign=True)
    assert len(sandbox.requests) == asked
    assert made.path is not None
    assert edited.path is not None
    found = read_signature(edited.path)
    assert read_signature(made.path) is not None
    assert found is not None
    assert found.ingredients == ("parentOf, image/jpeg",)


@pytest.mark.parametrize("missing", ["c2pa", "cryptography"])
def test_without_the_extra_a_signature_says_how_to_install_it(
    missing: str, leaf: Leaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent; a picture that is here already is saved, and the warning says the same."""
    monkeypatch.setitem(sys.modules, missing, None)
    sandbox, install = Sandbox(), r'pip install "ionos-openai\[c2pa\]"'
    with create_client(sandbox=sandbox) as client:
        for call in _calls(client, tmp_path / "out"):
            for sign in (True, "required"):
                with pytest.raises(ConfigurationError, match=install):
                    call(sign=sign)
    assert not sandbox.requests
    with pytest.raises(ConfigurationError, match=install):
        Signer(leaf.chain, sign=bytes)
    with pytest.warns(IonosWarning, match=install):
        path = image().save(tmp_path / "fox.jpg", sign=True)
    assert read_provenance(path) == RECORD


def test_without_the_extra_all_else_goes_on(tmp_path: Path) -> None:
    """Neither import nor saving needs c2pa-python."""
    code = (
        "import sys; sys.modules['c2pa'] = None; from ionos_openai import create_client, generate_images; "
        f"print(generate_images(create_client(sandbox=True), 'a fox', directory={str(tmp_path)!r})[0].path.name)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "a-fox.jpg"


# When signing fails, nothing is lost.


def test_a_key_that_is_gone_leaves_the_picture_marked_and_unsigned(
    configured: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where pictures are here already they are saved, and one warning for each says why it has no signature."""
    configured[1].unlink()
    monkeypatch.setenv("IONOS_SIGN", "on")
    paths, said = quietly(lambda: save_images([image(), image("GIF")], tmp_path / "out"))
    assert [path.name for path in paths] == ["a-fox.jpg", "a-fox-2.gif"]
    assert len(said) == 2
    assert all("was saved without a signature: The private key" in text for text in said)
    assert [read_provenance(path) for path in paths] == [RECORD, RECORD]
    assert [read_signature(path) for path in paths] == [None, None]
    data, said = quietly(lambda: image().to_bytes())
    assert read_provenance(data) == RECORD
    assert said[0].startswith("The picture has no signature: The private key")


def test_a_function_that_fails_costs_the_signature_alone(
    leaf: Leaf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a KMS says goes into no message and no log, as it may hold a secret."""
    answers = iter([True])
    honest = _with_callback(leaf)

    def sign(data: bytes) -> bytes:
        if not next(answers, None):
            raise RuntimeError(SECRET)
        return honest._sign(data)

    caplog.set_level(logging.DEBUG)
    signer = Signer(leaf.chain, sign=sign)
    signer.check()
    path, said = quietly(lambda: image().save(tmp_path / "fox.jpg", sign=signer))
    assert said == ["fox.jpg was saved without a signature: the key cannot be used (RuntimeError)."]
    assert read_provenance(path) == RECORD
    assert SECRET not in caplog.text + repr(signer) + repr(vars(signer).keys())


def test_a_required_signature_that_fails_is_an_error_with_the_pictures(leaf: Leaf, tmp_path: Path) -> None:
    """Nothing is written; the pictures that were paid for are on the error, and can be saved without."""
    signer = _with_callback(leaf, tsa_url="http://127.0.0.1:9/", required=True)
    with create_client(sandbox=True) as client, pytest.raises(SignatureError) as caught:
        generate_images(client, "a fox", n=2, directory=tmp_path / "out", sign=signer)
    assert "the time-stamp authority 127.0.0.1 gives no time stamp" in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []
    came = partial_images(caught.value)
    assert len(came) == 2
    with pytest.raises(SignatureError) as caught:
        save_images(came, tmp_path / "out", sign=signer)
    assert partial_images(caught.value) == came
    assert len(save_images(came, tmp_path / "out", sign=False)) == 2


def test_required_by_the_settings_is_an_error_with_the_pictures_too(
    configured: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`IONOS_SIGN=required` and a key that is gone: pictures in memory are not saved unsigned in silence."""
    configured[1].unlink()
    monkeypatch.setenv("IONOS_SIGN", "required")
    with pytest.raises(ConfigurationError) as caught:
        save_images([image()], tmp_path / "out")
    assert [made.prompt for made in partial_images(caught.value)] == ["a fox"]
    with pytest.raises(ConfigurationError):
        image().to_bytes()


def test_bytes_that_are_no_picture_cannot_be_signed(signer: Signer) -> None:
    """The message says what they are not."""
    with pytest.raises(SignatureError, match=r"^its bytes are not JPEG, PNG, WebP, GIF or AVIF$"):
        write_signature(b"BM no picture of these", signer, RECORD)
    with pytest.raises(SignatureError):
        write_signature(encode()[:30], signer, RECORD)


# Time stamps.


def test_a_time_stamp_is_asked_for_and_told(authority: Authority, trust: Path, tmp_path: Path) -> None:
    """The trial before the first request asks for none; each picture has its own, by the authority's clock."""
    files = authority.leaf().write(tmp_path / "pki")
    with stamping(authority) as (url, asked):
        signer = Signer(*files, tsa_url=url)
        signer.check()
        assert asked == []
        signed = write_signature(encode(), signer, RECORD)
        assert len(asked) == 1
    found = read_signature(signed, trust=trust)
    assert found is not None
    assert (found.state, found.stamped_by) == ("trusted", "CN=Clock of the tests, O=Tests & Co")
    assert found.time is not None
    assert abs((found.time - datetime.now(UTC)).total_seconds()) < 60
    assert len(signed) - len(encode()) < 20_000


def test_an_authority_that_refuses_costs_the_signature_alone(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The picture is saved without, with a warning that names the authority's host alone."""
    chain, key = authority.leaf().write(tmp_path / "pki")
    with stamping(authority, answers=False) as (url, asked):
        monkeypatch.setenv("IONOS_C2PA_CERTIFICATE", str(chain))
        monkeypatch.setenv("IONOS_C2PA_PRIVATE_KEY", str(key))
        monkeypatch.setenv("IONOS_C2PA_TSA_URL", url.replace("://", f"://user:{SECRET}@"))
        with create_client(sandbox=True) as client:
            [made], said = quietly(lambda: generate_images(client, "a fox", directory=tmp_path, sign=True))
    assert asked
    assert said == ["a-fox.jpg was saved without a signature: the time-stamp authority 127.0.0.1 gives no time stamp."]
    assert made.path is not None
    assert read_provenance(made.path) is not None


def test_an_address_that_is_no_url_is_refused(leaf: Leaf) -> None:
    """Its words are not in the message."""
    with pytest.raises(ConfigurationError, match="begin it with https://") as caught:
        Signer(leaf.chain, sign=bytes, tsa_url=f"ftp://{SECRET}")
    assert SECRET not in str(caught.value)


# The key is a secret.


def test_a_key_with_a_passphrase_opens_with_it_alone(leaf: Leaf, tmp_path: Path) -> None:
    """From a text, a secret, a function or the settings; no message and no variable of a traceback has it."""
    files = leaf.write(tmp_path / "pki", passphrase=SECRET)
    for right in (SECRET, lambda: SECRET):
        Signer(*files, passphrase=right).check()
    for wrong in (None, "battery-staple-wrong", lambda: "battery-staple-wrong"):
        with pytest.raises(ConfigurationError, match="its passphrase") as caught:
            Signer(*files, passphrase=wrong)
        seen = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in seen.stack if "ionos_openai" in frame.filename]
        assert ours
        assert "battery-staple-wrong" not in repr([frame.locals for frame in ours])


def test_no_frame_of_ours_shows_a_key(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Also where the key's file is given in the certificate's place, or its text in that of a path."""
    secret = files[1].read_text()
    part = secret.splitlines()[1][:30]
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().leaf().chain)
    for call in (lambda: Signer(files[1], files[1]), lambda: Signer(other, files[1]), lambda: Signer(files[0], secret)):
        with pytest.raises(ConfigurationError) as caught:
            call()
        error: BaseException | None = caught.value
        while error is not None:
            seen = traceback.TracebackException.from_exception(error, capture_locals=True)
            ours = [str(frame.locals) for frame in seen.stack if f"{os.sep}ionos_openai{os.sep}" in frame.filename]
            assert part not in str(error)
            assert [text for text in ours if part in text] == []
            error = error.__cause__ or error.__context__


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such permissions")
def test_a_key_that_others_may_read_is_warned_of(files: tuple[Path, Path]) -> None:
    """With what to do about it; it still signs."""
    notices.reset()
    files[1].chmod(0o644)
    with pytest.warns(IonosWarning, match="may be read by others: chmod 600 it"):
        signer = Signer(*files)
    signer.check()


def test_a_signer_is_not_copied(leaf: Leaf) -> None:
    """What holds a key may hold a connection to it."""
    signer = _with_callback(leaf)
    assert copy.deepcopy({"sign": signer})["sign"] is signer


def test_an_algorithm_that_nobody_knows_is_refused(leaf: Leaf) -> None:
    """When it is tried, before anything is sent."""
    with pytest.raises(ConfigurationError, match="RS256"):
        Signer(leaf.chain, sign=bytes, algorithm="RS256").check()  # type: ignore[arg-type]


def test_certificate_and_key_are_tried_once(leaf: Leaf, tmp_path: Path) -> None:
    """A remote key is asked once for the trial and once a picture."""
    honest, asked = _with_callback(leaf), []

    def sign(data: bytes) -> bytes:
        asked.append(len(data))
        return honest._sign(data)

    signer = Signer(leaf.chain, sign=sign)
    with create_client(sandbox=True) as client:
        for name in ("one", "two"):
            generate_images(client, "a fox", n=2, directory=tmp_path, name=name, sign=signer)
    assert len(asked) == 5


def test_a_function_that_answers_with_another_key_is_found_out(
    authority: Authority, leaf: Leaf, tmp_path: Path
) -> None:
    """Before the first picture; and where it begins to in between, that picture is saved without a signature."""
    honest, other = _with_callback(leaf), _with_callback(authority.leaf())
    with pytest.raises(ConfigurationError, match="Pictures cannot be signed"):
        Signer(leaf.chain, sign=other._sign).check()
    keys = iter([honest, other])
    signer = Signer(leaf.chain, sign=lambda data: next(keys)._sign(data))
    path, said = quietly(lambda: image().save(tmp_path / "fox.jpg", sign=signer))
    assert len(said) == 1
    assert (read_provenance(path), read_signature(path)) == (RECORD, None)


def test_many_threads_sign_with_one_signer(signer: Signer, trust: Path) -> None:
    """As a batch does."""
    with ThreadPoolExecutor(8) as pool:
        signed = list(pool.map(lambda _: write_signature(encode(), signer, RECORD), range(40)))
    assert {found.state for data in signed if (found := read_signature(data, trust=trust))} == {"trusted"}


# Hostile manifests.


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


_HEAD = _box(b"jumd", b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0")


def _nested(depth: int) -> bytes:
    step = len(_HEAD) + 8
    return b"".join(struct.pack(">I", step * (depth - level)) + b"jumb" + _HEAD for level in range(depth))


def _png_with(manifest: bytes) -> bytes:
    content = b"caBX" + manifest
    chunk = struct.pack(">I", len(manifest)) + content + struct.pack(">I", zlib.crc32(content))
    plain = encode("PNG")
    return plain[:33] + chunk + plain[33:]


HOSTILE = {
    "nested": _nested(100_000),
    "huge": _box(b"jumb", _HEAD + _box(b"json", b"x" * 20_000_000)),
    "many": _box(b"jumb", _HEAD + _box(b"jumb", _HEAD) * 50_000),
    "a length that lies": struct.pack(">I", 0x7FFFFFFF) + b"jumb" + _HEAD,
    "a long length that lies": struct.pack(">I", 1) + b"jumb" + struct.pack(">Q", 1 << 62) + _HEAD,
    "no length": struct.pack(">I", 0) + b"jumb" + _HEAD + b"\0" * 1000,
    "empty": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_manifest_is_told_in_no_time_and_signed_over(kind: str, signer: Signer) -> None:
    """It neither hangs nor ends the process, and keeps nobody's own picture from being signed or refused."""
    data, began = _png_with(HOSTILE[kind]), time.monotonic()
    found = read_signature(data)
    assert found is not None
    assert (found.state, found.signer) == ("invalid", None)
    assert found.problems[0].startswith("the manifest cannot be read (")
    try:
        write_signature(data, signer, RECORD)
    except SignatureError as error:
        assert str(error)  # noqa: PT017 - either is right
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_manifest_that_unpacks_to_much_more_is_not_unpacked(leaf: Leaf) -> None:
    """A compressed one of a few kB may hold any number of MB."""
    import c2pa

    core = {"prefer_compress_manifests": True, "max_decompressed_manifest_size_in_mb": 200}
    context = c2pa.Context.from_dict({"core": core, "verify": {"verify_after_sign": False}})
    chain, sign = leaf.chain.decode(), _with_callback(leaf)._sign
    thumbnail = {"format": "image/jpeg", "identifier": "thumbnail.jpg"}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created"}]}}
    packed = io.BytesIO()
    with (
        c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, chain, None) as native,
        c2pa.Builder({"thumbnail": thumbnail, "assertions": [actions]}, context) as builder,
    ):
        builder.add_resource("thumbnail.jpg", io.BytesIO(bytes(40_000_000)))
        builder.sign(native, "image/png", io.BytesIO(encode("PNG")), packed)
    assert len(packed.getvalue()) < 50_000
    found = read_signature(packed.getvalue())
    assert found is not None
    assert (found.state, found.problems) == ("invalid", ("the manifest cannot be read (output exceeds maximum size)",))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_manifest_that_is_cut_off_is_invalid_or_none(kind: str, signer: Signer) -> None:
    """Wherever a signed picture ends, reading says so or finds nothing; it never raises."""
    signed = write_signature(encode(kind), signer, RECORD)
    for end in range(20, len(signed), 997):
        found = read_signature(signed[:end])
        assert found is None or found.state == "invalid"


def test_a_remote_manifest_is_never_fetched(signer: Signer) -> None:
    """Neither by reading, nor by signing it, nor as the parent of an edit."""
    with stamping(Authority(), answers=False) as (url, asked):
        xmp = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{url}"/>'
            "</rdf:RDF></x:xmpmeta>"
        )
        remote = encode(xmp=xmp.encode())
        assert read_signature(remote) is None
        both = _png_with(_HEAD)
        read_signature(both)
        write_signature(remote, signer)
        write_signature(encode(), signer, RECORD, inputs=[remote])
    assert asked == []


def test_a_long_history_is_read_in_time(signer: Signer) -> None:
    """Forty signatures over each other are read in well under a second each."""
    data = write_signature(encode("PNG"), signer, RECORD)
    for _ in range(40):
        data = write_signature(data, signer)
    began = time.monotonic()
    found = read_signature(data)
    assert found is not None
    assert found.state == "valid"
    assert time.monotonic() - began < 5


def test_a_report_without_end_is_not_taken_in(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a manifest makes of itself as JSON is bounded."""
    monkeypatch.setattr("ionos_openai.provenance.signing._LONGEST_REPORT", 100)
    found = read_signature(write_signature(encode(), signer, RECORD))
    assert found is not None
    assert (found.state, found.problems) == ("invalid", ("the manifest is larger than any that a picture needs",))


# For development, and for other programs.


def test_a_certificate_for_development_says_so(tmp_path: Path) -> None:
    """Its key is for its owner alone, nothing is overwritten, and it signs what its own root makes trusted."""
    chain, key, root = make_test_certificate(tmp_path / "pki")
    if os.name != "nt":
        assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    with pytest.raises(FileExistsError):
        make_test_certificate(tmp_path / "pki")
    assert key.read_bytes() == before
    found = read_signature(write_signature(encode(), Signer(chain, key), RECORD), trust=root)
    assert found is not None
    assert (found.state, found.signer) == ("trusted", "CN=ionos-openai TEST signer, trusted by nobody")


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exiftool_reads_mark_and_manifest_without_a_warning(kind: str, signer: Signer, tmp_path: Path) -> None:
    """Every field of the mark is still there, and JUMBF with them."""
    path = image(kind).save(tmp_path / "fox", sign=signer, prompt_in_metadata=True)
    ended = subprocess.run(["exiftool", "-j", "-G0:1", str(path)], capture_output=True, text=True, check=True)
    [facts] = json.loads(ended.stdout)
    assert [name for name in facts if "Warning" in name or "Error" in name] == []
    assert ended.stderr == ""
    texts = json.dumps(facts)
    assert TRAINED in texts
    assert f"IONOS AI Model Hub, {FLUX}" in texts
    assert "a fox" in texts
    # ExifTool 12.57 knows no manifest in WebP.
    assert kind == "WEBP" or any("JUMBF" in name for name in facts)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks nothing")
def test_a_forked_process_signs(files: tuple[Path, Path]) -> None:
    """With the signer that it was forked with."""
    code = (
        "import os, sys, warnings; from ionos_openai.provenance.signing import *; warnings.simplefilter('ignore')\n"
        f"signer = Signer({str(files[0])!r}, {str(files[1])!r}); signer.check(); child = os.fork()\n"
        "from ionos_openai.provenance.signing import _TRIAL\n"
        "signed = read_signature(write_signature(_TRIAL, signer))\n"
        "if child: print(signed.state, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "else: os._exit(0 if signed.state == 'valid' else 1)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split() == ["valid", "0"]


@pytest.mark.parametrize("year", [1, 9999])
def test_a_date_at_the_end_of_the_calendar_is_signed_as_today(year: int, signer: Signer) -> None:
    """A mark may say anything of when a picture was made."""
    zone = timezone(timedelta(hours=14 if year == 1 else -14))
    edge = datetime(1, 1, 1, tzinfo=zone) if year == 1 else datetime(9999, 12, 31, 23, tzinfo=zone)
    found = read_signature(write_signature(encode(), signer, replace(RECORD, created=edge)))
    assert found is not None
    assert found.time is not None
    assert 1 < found.time.year < 9999
