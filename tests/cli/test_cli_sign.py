"""`sign`, `--sign`, and what `inspect`, `doctor`, `batch` and `gallery` tell of signatures."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ionos_openai import read_provenance, read_signature, write_provenance
from ionos_openai.errors import notices
from ionos_openai.provenance import ALGORITHMIC, COMPOSITE, TRAINED, describe

pytest.importorskip("c2pa", reason="needs the extra c2pa")
pytest.importorskip("ionos_openai.cli.app", reason="the command line's packages are not installed")

from tests.provenance.authority import DAY, Authority, Leaf, pem, stamping

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.terminal import Result

RECORD = describe(model="black-forest-labs/FLUX.1-schnell", size="24x16")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Leaf:
    return authority.leaf()


@pytest.fixture
def signing(authority: Authority, leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate and its key in the environment; the sandbox answers, and the root is in trust.pem."""
    chain, key = leaf.write(Path("pki").absolute())
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    monkeypatch.setenv("IONOS_C2PA_CERTIFICATE", str(chain))
    monkeypatch.setenv("IONOS_C2PA_PRIVATE_KEY", str(key))
    Path("trust.pem").write_bytes(pem(authority.root))
    return chain, key


def put(name: str, kind: str = "JPEG", *, marked: bool = True) -> Path:
    buffer = io.BytesIO()
    Image.effect_noise((24, 16), 60).convert("RGB").save(buffer, kind)
    data = buffer.getvalue()
    Path(name).write_bytes(write_provenance(data, RECORD) if marked else data)
    return Path(name)


# sign


def test_a_picture_is_signed_beside_itself(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """The file stays as it is; what its mark says is signed; nothing is overwritten."""
    before = put("fox.jpg").read_bytes()
    put("owl.gif", "GIF", marked=False)
    assert cli("sign", "fox.jpg", "owl.gif").out == (
        "fox.jpg\tsigned as fox-signed.jpg\nowl.gif\tsigned as owl-signed.gif\n"
    )
    assert cli("sign", "fox.jpg", "--quiet").out == "fox.jpg\n"
    assert Path("fox.jpg").read_bytes() == before
    found = read_signature("fox-signed.jpg", trust="trust.pem")
    assert found is not None
    assert (found.state, found.digital_source_type) == ("trusted", TRAINED)
    assert read_provenance("fox-signed.jpg") == RECORD
    assert Path("fox-signed-2.jpg").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_it_is_signed_in_place_only_where_that_is_asked_for(
    cli: Callable[..., Result], signing: tuple[Path, Path]
) -> None:
    """Permissions stay; a second signature has the first one as its parent."""
    put("fox.jpg").chmod(0o640)
    assert cli("sign", "fox.jpg", "--overwrite").out == "fox.jpg\tsigned\n"
    assert cli("sign", "fox.jpg", "--overwrite", "--json").json()["files"] == [
        {"path": "fox.jpg", "written": "fox.jpg"}
    ]
    assert Path("fox.jpg").stat().st_mode & 0o777 == 0o640
    found = read_signature("fox.jpg")
    assert found is not None
    assert found.ingredients == ("parentOf, image/jpeg",)


def test_the_options_say_with_what(
    cli: Callable[..., Result], authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificate, key and authority for time stamps; the passphrase comes from its variable."""
    chain, key = authority.leaf("Somebody").write(tmp_path / "other", passphrase="hush")
    monkeypatch.setenv("IONOS_C2PA_PASSPHRASE", "hush")
    put("fox.jpg")
    with stamping(authority) as (url, asked):
        done = cli("sign", "fox.jpg", "--certificate", str(chain), "--key", str(key), "--tsa-url", url)
    assert (done.code, done.err, len(asked)) == (0, "", 1)
    found = read_signature("fox-signed.jpg")
    assert found is not None
    assert (found.signer, found.stamped_by) == ("CN=Somebody, O=Tests & Co", "CN=Clock of the tests, O=Tests & Co")


def test_what_cannot_be_signed_is_told_and_the_rest_goes_on(
    cli: Callable[..., Result], signing: tuple[Path, Path]
) -> None:
    """No file is written for it; the code is 1."""
    put("good.jpg")
    Path("text.jpg").write_text("text")
    done = cli("sign", "text.jpg", "gone.jpg", "good.jpg", "--tsa-url", "http://127.0.0.1:9/")
    assert done.code == 1
    assert done.err.splitlines() == [
        "Error: text.jpg: its bytes are not JPEG, PNG, WebP, GIF or AVIF.",
        "Error: gone.jpg: No such file or directory.",
        "Error: good.jpg: it cannot be signed: the time-stamp authority 127.0.0.1 gives no time stamp.",
    ]
    assert not Path("good-signed.jpg").exists()


def test_nothing_to_sign_with_is_a_usage_error(
    cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, signing: tuple[Path, Path]
) -> None:
    """As is a certificate that is not there, no file, and no c2pa-python."""
    put("fox.jpg")
    missing = cli("sign", "fox.jpg", "--certificate", "gone.pem")
    assert (missing.code, missing.err) == (
        2,
        "Error: The certificate 'gone.pem' cannot be read: No such file or directory.\n",
    )
    assert cli("sign").code == 2
    for name in ("CERTIFICATE", "PRIVATE_KEY"):
        monkeypatch.delenv(f"IONOS_C2PA_{name}")
    assert "IONOS_C2PA_CERTIFICATE" in cli("sign", "fox.jpg").err
    monkeypatch.setitem(sys.modules, "c2pa", None)
    done = cli("sign", "fox.jpg")
    assert (done.code, done.err) == (2, 'Error: Signatures need c2pa-python: pip install "ionos-openai[c2pa]".\n')


def test_a_certificate_for_development_signs_at_once(cli: Callable[..., Result]) -> None:
    """Its files are told, and not made twice."""
    put("fox.jpg")
    made = cli("sign", "--make-test-certificate", "dev")
    names = [str(Path("dev") / name) for name in ("certificate.pem", "key.pem", "root.pem")]
    assert made.out.splitlines() == names
    again = cli("sign", "--make-test-certificate", "dev")
    assert (again.code, again.err) == (2, "Error: Cannot make a certificate in dev: File exists.\n")
    assert cli("sign", "fox.jpg", "--certificate", names[0], "--key", names[1]).code == 0
    assert "\ttrusted\t" not in cli("inspect", "fox-signed.jpg").out
    assert "\ttrusted\t" in cli("inspect", "fox-signed.jpg", "--trust", names[2]).out


# inspect and mark


def test_inspect_validates(
    cli: Callable[..., Result], signing: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted by the list that is given or set, valid without; a changed picture is an error that is told."""
    signed = put("fox.jpg")
    cli("sign", "fox.jpg", "--overwrite")
    data = bytearray(signed.read_bytes())
    data[-100] ^= 1
    Path("bad.jpg").write_bytes(data)
    assert [line.split("\t")[5] for line in cli("inspect", "fox.jpg", "bad.jpg").out.splitlines()] == [
        "valid",
        "invalid",
    ]
    bad = cli("inspect", "bad.jpg")
    assert (bad.code, bad.err) == (1, "Error: bad.jpg: its signature is invalid: the picture was changed.\n")
    [facts] = cli("inspect", "fox.jpg", "--trust", "trust.pem", "--json").json()["files"]
    said = facts["signature"]
    assert (said["state"], said["signer"], said["problems"]) == ("trusted", "CN=A. Nonymous, O=Tests & Co", [])
    monkeypatch.setenv("IONOS_C2PA_TRUST", "trust.pem")
    assert cli("inspect", "fox.jpg").out.split("\t")[5] == "trusted"
    assert cli("inspect", "fox.jpg", "--trust", "fox.jpg").code == 2


def test_inspect_tells_a_person_who_signed_what(
    cli: Callable[..., Result], signing: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lines of their own: state, signer, issuer, time, source, software, what it was made from."""
    put("fox.jpg")
    cli("sign", "fox.jpg", "--overwrite")
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    told = cli("inspect", "fox.jpg").out
    assert "  Signature: valid, signer not in a trust list that was given\n" in told
    assert "  Signed by: CN=A. Nonymous, O=Tests & Co, issued by CN=Root of the tests, O=Tests & Co\n" in told
    assert "as the signer says; no time stamp\n" in told
    assert f"  Signed source: made by a trained model ({TRAINED.rpartition('/')[2]})\n" in told
    assert "  Signature: trusted by trust.pem\n" in cli("inspect", "fox.jpg", "--trust", "trust.pem").out


def test_mark_says_what_to_do_about_a_signed_picture(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """The signature stays whole, the mark goes beside."""
    put("fox.jpg")
    cli("sign", "fox.jpg", "--overwrite")
    before = Path("fox.jpg").read_bytes()
    done = cli("mark", "fox.jpg", "--creator", "Me")
    assert done.out == "fox.jpg\tsidecar fox.xmp\n"
    assert done.err == (
        "Warning: fox.jpg is signed: to have the mark in it, mark the unsigned picture and sign it then.\n"
    )
    assert Path("fox.jpg").read_bytes() == before


# generate, edit, batch


def test_generate_and_edit_sign_what_they_save(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """Into files and into a pipe; an edit names its parent, and the sandbox's pictures are placeholders."""
    assert cli("generate", "a fox", "--sign").code == 0
    assert cli("edit", "a-fox.jpg", "a hat", "-o", "hat.png", "--sign").code == 0
    piped = subprocess.run(
        [sys.executable, "-m", "ionos_openai", "generate", "an owl", "--sign", "-o", "-"],
        capture_output=True,
        check=True,
    )
    found = [read_signature(source) for source in ("a-fox.jpg", "hat.png", piped.stdout)]
    for signature in found:
        assert signature is not None
        assert signature.digital_source_type == ALGORITHMIC != COMPOSITE
    assert found[1] is not None
    assert found[1].ingredients == ("parentOf, image/jpeg",)


@pytest.mark.parametrize("command", [("generate", "a fox"), ("edit", "fox.jpg", "a hat"), ("batch", "prompts.txt")])
def test_what_cannot_sign_is_refused_before_anything_is_sent(
    command: tuple[str, ...], cli: Callable[..., Result], signing: tuple[Path, Path], authority: Authority
) -> None:
    """The code is 2, and no picture is made."""
    put("fox.jpg")
    Path("prompts.txt").write_text("a fox\n")
    authority.leaf(end=-DAY / 2).write(signing[0].parent)
    done = cli(*command, "--sign", "-o", "out/")
    assert done.code == 2
    assert "Error: Pictures cannot be signed: the certificate ended on 20" in done.err
    assert not list(Path("out").glob("*.jpg")) if Path("out").exists() else True


def test_a_batch_ends_with_how_many_are_marked_and_signed(
    cli: Callable[..., Result], signing: tuple[Path, Path]
) -> None:
    """In the sentence and in the document; the manifest of each prompt has a field for it."""
    Path("prompts.txt").write_text("a fox\nan owl\n")
    done = cli("batch", "prompts.txt", "-o", "out", "--sign")
    assert "2 made (2 pictures), 2 marked, 2 signed" in done.err
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    assert [line["unsigned"] for line in lines] == [[], []]
    Path("more.txt").write_text("a heron\n")
    document = cli("batch", "more.txt", "-o", "out", "--sign", "--json").json()
    assert (document["marked"], document["signed"]) == (1, 1)


def test_a_batch_goes_on_where_a_signature_fails(
    cli: Callable[..., Result], signing: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures are saved marked, each is warned of, and the manifest says why."""
    monkeypatch.setenv("IONOS_C2PA_TSA_URL", "http://127.0.0.1:9/")
    Path("prompts.txt").write_text("a fox\nan owl\n")
    done = cli("batch", "prompts.txt", "-o", "out", "--sign")
    assert done.code == 0
    assert "2 made (2 pictures), 2 marked, 0 signed" in done.err
    assert done.err.count("was saved without a signature: the time-stamp authority 127.0.0.1") == 2
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    assert all("the time-stamp authority" in line["unsigned"][0] for line in lines)
    assert read_provenance("out/a-fox.jpg") is not None


def test_a_flag_asks_for_no_less_than_the_settings(
    cli: Callable[..., Result], signing: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With IONOS_SIGN=required `--sign` keeps to that: the picture is kept elsewhere, and the code is not 0."""
    monkeypatch.setenv("IONOS_SIGN", "required")
    monkeypatch.setenv("IONOS_C2PA_TSA_URL", "http://127.0.0.1:9/")
    done = cli("generate", "a fox", "--sign", "-o", "out/")
    assert done.code != 0
    assert list(Path("out").glob("*.jpg")) == []
    kept = done.err.partition("it was saved as ")[2].partition(".jpg")[0] + ".jpg"
    assert read_provenance(kept) is not None
    assert read_signature(kept) is None


# doctor and gallery


def _checks(cli: Callable[..., Result]) -> dict[str, dict[str, str]]:
    document = cli("doctor", "--offline", "--json").json()
    return {check["name"]: check for check in document["checks"]}


def test_doctor_checks_what_signs(
    cli: Callable[..., Result], signing: tuple[Path, Path], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good, about to end, ended, another key; and never the passphrase."""
    monkeypatch.setenv("IONOS_C2PA_PASSPHRASE", "correct-horse-battery")
    monkeypatch.setenv("IONOS_C2PA_TSA_URL", "https://user:correct-horse-battery@tsa.example/")
    authority.leaf().write(signing[0].parent, passphrase="correct-horse-battery")
    good = _checks(cli)["signature"]
    assert good["state"] == "good"
    assert "A. Nonymous" in good["text"]
    assert "Root of the tests" in good["text"]
    authority.leaf(end=20 * DAY).write(signing[0].parent, passphrase="correct-horse-battery")
    soon = _checks(cli)["signature"]
    assert (soon["state"], soon["remedy"]) == ("warning", "Get a new certificate before it ends.")
    authority.leaf(end=-DAY / 2).write(signing[0].parent, passphrase="correct-horse-battery")
    assert _checks(cli)["signature"]["state"] == "broken"
    signing[1].write_bytes(authority.leaf().key_pem())
    other = cli("doctor", "--offline")
    assert other.code == 2
    assert "correct-horse-battery" not in other.out + other.err


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such permissions")
def test_doctor_warns_of_a_key_that_others_may_read(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """With the command that mends it."""
    notices.reset()
    signing[1].chmod(0o644)
    assert "chmod 600" in cli("doctor", "--offline").out


def test_doctor_says_nothing_of_signatures_where_nobody_signs(cli: Callable[..., Result]) -> None:
    """No line for what is not set up."""
    assert "signature" not in _checks(cli)


def test_the_gallery_shows_who_signed(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """On the card and among the facts; a changed picture is said to be one."""
    Path("pictures").mkdir()
    put("pictures/fox.jpg")
    cli("sign", "pictures/fox.jpg", "--overwrite")
    data = bytearray(Path("pictures/fox.jpg").read_bytes())
    data[-100] ^= 1
    Path("pictures/bad.jpg").write_bytes(data)
    put("pictures/plain.jpg")
    assert cli("gallery", "pictures").code == 0
    page = Path("pictures/index.html").read_text()
    assert page.count("<i>signed by CN=A. Nonymous, O=Tests &amp; Co</i>") == 1
    assert page.count("<i>signature invalid</i>") == 1


def test_doctor_names_what_keeps_a_certificate_from_signing(
    cli: Callable[..., Result], signing: tuple[Path, Path], authority: Authority
) -> None:
    """The clock, the purpose, the key usage, and the order of the chain."""
    strangers, leaf = Authority("Another root"), authority.leaf()
    chains = {
        "look at this machine's clock": authority.leaf(begin=DAY),
        "extended key usage": authority.leaf(usages=()),
        "digitalSignature": authority.leaf(signs=False),
        "mend the order": Leaf(certificate=leaf.certificate, key=leaf.key, root=strangers.root),
        "the signer's own comes first": Leaf(certificate=authority.root, key=leaf.key, root=leaf.certificate),
    }
    for said, wrong in chains.items():
        wrong.write(signing[0].parent)
        check = _checks(cli)["signature"]
        assert (check["state"], said in check["text"]) == ("broken", True), check


def test_doctor_warns_of_an_issuer_that_ends_soon(cli: Callable[..., Result], signing: tuple[Path, Path]) -> None:
    """The chain holds for as long as the first of its certificates to end."""
    authority = Authority(end=20 * DAY)
    authority.leaf().write(signing[0].parent)
    check = _checks(cli)["signature"]
    assert (check["state"], "19 days left" in check["text"]) == ("warning", True)
