"""`ionos-openai mark` and `inspect`, and what `generate` says of marks and costs."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ionos_openai import Provenance, read_provenance, write_provenance
from ionos_openai.cli import app
from ionos_openai.files.formats import SANDBOX_MARK
from ionos_openai.provenance import TRAINED, has_c2pa, sidecar_path, to_xmp
from tests import REPOSITORY
from tests.loopback import Answer, LoopbackServer
from tests.terminal import Result
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable


FLUX = "black-forest-labs/FLUX.1-schnell"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"
ORIGIN = Provenance(digital_source_type=TRAINED, ai_system="System", model="m", size="8x8", seed=3, credit="Agency")


def encode(kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, kind)
    return buffer.getvalue()


def signed() -> bytes:
    content = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
    data = encode()
    data = data[:2] + b"\xff\xeb" + (2 + len(content)).to_bytes(2, "big") + content + data[2:]
    assert has_c2pa(data)
    return data


def put(name: str, data: bytes) -> Path:
    path = Path(name)
    path.write_bytes(data)
    return path


@pytest.fixture
def service(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    """A loopback server that the command line takes for the service."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_BASE_URL", server.url)
    server.default = Answer(body={"data": [{"b64_json": base64.b64encode(encode()).decode()}]})
    return server


def sit_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both outputs be terminals."""
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")


# mark


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_mark_brings_back_what_a_resize_lost(kind: str, cli: Callable[..., Result]) -> None:
    """With --like the copy says what the original says, and the options add to it; the pixels stay as they are."""
    put("fox.jpg", write_provenance(encode(), ORIGIN))
    small = put("small", encode(kind))

    result = cli("mark", "small", "--like", "fox.jpg", "--creator", "A; B", "--copyright", "©", "--alt", "A fox")

    assert result == Result(0, "small\tmarked\n", "")
    record = read_provenance(small)
    assert record is not None
    assert (record.model, record.seed, record.credit) == ("m", 3, "Agency")
    assert (record.creator, record.copyright, record.alt) == ("A; B", "©", "A fox")
    assert small.read_bytes() == write_provenance(encode(kind), record)


def test_mark_takes_the_origin_from_a_sidecar_too(cli: Callable[..., Result]) -> None:
    """--like reads a sidecar as well as a picture."""
    put("fox.xmp", to_xmp(ORIGIN))
    put("small.jpg", encode())
    assert cli("mark", "small.jpg", "--like", "fox.xmp").code == 0
    assert read_provenance("small.jpg") == read_provenance("fox.xmp")


def test_mark_without_an_original_says_the_general_thing(cli: Callable[..., Result]) -> None:
    """What says nothing is made by a model; what tells its source keeps that; a placeholder stays one."""
    foreign = Provenance(digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture")
    put("plain.jpg", encode())
    put("photo.jpg", write_provenance(encode(), foreign))
    put("named.jpg", write_provenance(encode(), Provenance(creator="Me")))
    put("placeholder.jpg", encode() + SANDBOX_MARK)
    names = ["plain.jpg", "photo.jpg", "named.jpg", "placeholder.jpg"]

    assert cli("mark", *names, "--credit", "Agency").code == 0

    plain, photo, named, placeholder = (read_provenance(name) for name in names)
    assert plain == Provenance(
        digital_source_type=TRAINED, ai_system="IONOS AI Model Hub", creator_tool="ionos-openai", credit="Agency"
    )
    assert photo is not None
    assert (photo.digital_source_type, photo.ai_system, photo.credit) == (foreign.digital_source_type, None, "Agency")
    assert named is not None
    assert (named.digital_source_type, named.creator) == (TRAINED, "Me")
    assert placeholder is not None
    assert placeholder.placeholder


def test_marking_again_changes_nothing(cli: Callable[..., Result]) -> None:
    """A file that says all that already is left alone."""
    put("a.jpg", encode())
    cli("mark", "a.jpg")
    before = Path("a.jpg").stat()
    assert cli("mark", "a.jpg").out == "a.jpg\tunchanged\n"
    assert (Path("a.jpg").stat().st_mtime_ns, Path("a.jpg").stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("data", [signed(), encode("GIF")], ids=["signed", "gif"])
def test_mark_writes_beside_what_it_may_not_touch(data: bytes, cli: Callable[..., Result]) -> None:
    """A signed picture and a GIF stay as they are; their sidecar keeps what it has of others."""
    path = put("fox.img", data)
    sidecar_path(path).write_bytes(to_xmp(Provenance(creator="Me")))

    advice = "Warning: fox.img is signed: to have the mark in it, mark the unsigned picture and sign it then.\n"
    said = advice if has_c2pa(data) else ""
    assert cli("mark", "fox.img", "--credit", "Agency") == Result(0, "fox.img\tsidecar fox.xmp\n", said)

    assert path.read_bytes() == data
    record = read_provenance(path)
    assert record is not None
    assert (record.digital_source_type, record.creator, record.credit) == (TRAINED, "Me", "Agency")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions and links")
def test_mark_keeps_links_and_permissions(cli: Callable[..., Result]) -> None:
    """The file behind a symbolic link is replaced, not the link, and keeps its mode."""
    put("real.jpg", encode()).chmod(0o640)
    Path("link.jpg").symlink_to("real.jpg")
    assert cli("mark", "link.jpg").code == 0
    assert Path("link.jpg").is_symlink()
    assert stat.S_IMODE(Path("real.jpg").stat().st_mode) == 0o640
    assert read_provenance("real.jpg") is not None
    assert sorted(path.name for path in Path().iterdir()) == ["link.jpg", "real.jpg"]


BAD = {
    "missing.jpg": "No such file or directory",
    "folder": "it is a directory; name the files in it",
    "empty.jpg": "it is empty",
    "text.jpg": "its bytes are not JPEG, PNG, WebP, GIF or AVIF",
    "cut.jpg": "the JPEG ends too early",
    "page.jpg": "it is an HTML page",
}


def put_bad_files() -> None:
    Path("folder").mkdir()
    put("empty.jpg", b"")
    put("text.jpg", b"text")
    put("cut.jpg", encode()[:-9])
    put("page.jpg", b"<html>")


@pytest.mark.parametrize("command", ["mark", "inspect"])
def test_a_bad_file_is_told_and_the_rest_goes_on(command: str, cli: Callable[..., Result]) -> None:
    """Each bad file has a line of its own on standard error; the others are done; the code is 1."""
    put_bad_files()
    put("good.jpg", encode())

    result = cli(command, *BAD, "good.jpg")

    assert result.code == 1
    assert [line.split("\t")[0] for line in result.out.splitlines()] == ["good.jpg"]
    assert result.err.splitlines() == [f"Error: {name}: {why}." for name, why in BAD.items()]


@pytest.mark.parametrize("command", ["mark", "inspect"])
def test_errors_are_in_the_json_document(command: str, cli: Callable[..., Result]) -> None:
    """The document lists what was done and what was not, and `error` is the first of these."""
    put("good.jpg", encode())
    document = cli(command, "missing.jpg", "good.jpg", "--json").json()
    assert [one["path"] for one in document["files"]] == ["good.jpg"]
    assert [(one["path"], one["exit_code"]) for one in document["errors"]] == [("missing.jpg", 1)]
    assert (document["schema"], document["error"]) == (1, document["errors"][0])


@pytest.mark.parametrize(
    ("like", "why"),
    [("missing.jpg", "No such file or directory"), ("plain.jpg", "it does not say where it comes from")],
)
def test_an_original_that_says_nothing_is_refused_before_anything_is_written(
    like: str, why: str, cli: Callable[..., Result]
) -> None:
    """One line, the code for usage, and no file is touched."""
    put("plain.jpg", encode())
    result = cli("mark", "plain.jpg", "--like", like)
    assert result == Result(2, "", f"Error: Cannot take the mark from {like}: {why}.\n")
    assert Path("plain.jpg").read_bytes() == encode()


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """A full disk or missing permission is told for that file, without words about pictures in memory."""
    put("a.jpg", encode())

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ionos_openai.files.writing._write_synced", full)
        result = cli("mark", "a.jpg")
    assert result.err == "Error: a.jpg: it cannot be written (No space left on device) and is as it was.\n"
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        result = cli("mark", "a.jpg")
    assert result.err == "Error: a.jpg: Permission denied.\n"
    assert Path("a.jpg").read_bytes() == encode()


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
@pytest.mark.parametrize("name", ["a\nb.jpg", "tab\t.jpg", "quote'\".jpg", "fox 🦊.jpg", "\x1b[2J.jpg"])
def test_any_name_is_one_cell_of_one_line(name: str, cli: Callable[..., Result]) -> None:
    """Line breaks, tabs and escapes in a name are written out; --json has the name as it is."""
    put(name, encode())
    shown = name.replace("\n", "\\n").replace("\t", "\\t").replace("\x1b", "\\x1b")
    assert cli("mark", name).out == f"{shown}\tmarked\n"
    assert cli("inspect", name).out.split("\t")[0] == shown
    assert cli("inspect", name, "--json").json()["files"][0]["path"] == name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are no Unicode")
def test_a_name_that_is_no_unicode_is_printed_as_it_is() -> None:
    """In a pipe the name's bytes come out as they went in."""
    name = os.fsencode(Path.cwd()) + b"/\xff.jpg"
    Path(os.fsdecode(name)).write_bytes(encode())
    root = str(REPOSITORY)
    done = subprocess.run(
        [sys.executable, "-m", "ionos_openai", "inspect", name],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": root, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert (done.returncode, done.stdout.split(b"\t")[0]) == (0, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(cli: Callable[..., Result]) -> None:
    """What is no regular file is not opened."""
    os.mkfifo("pipe")
    assert cli("inspect", "pipe").err == "Error: pipe: it is no file.\n"


# inspect


def test_inspect_in_a_pipe_is_a_line_of_cells(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]) -> None:
    """Path, format, size, source, model, C2PA, sidecar; a hyphen where there is none."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    put("a.jpg", write_provenance(encode(), ORIGIN))
    put("b.png", encode("PNG"))
    put("c.jpg", signed())
    put("c.xmp", to_xmp(ORIGIN))
    assert cli("inspect", "a.jpg", "b.png", "c.jpg") == Result(
        0,
        "a.jpg\tJPEG\t8x8\ttrainedAlgorithmicMedia\tm\t-\t-\n"
        "b.png\tPNG\t8x8\t-\t-\t-\t-\n"
        "c.jpg\tJPEG\t8x8\ttrainedAlgorithmicMedia\tm\tc2pa\tc.xmp\n",
        "",
    )


def test_inspect_in_json_has_every_field(cli: Callable[..., Result]) -> None:
    """Facts of the file, and each field of the provenance, dates in ISO form."""
    path = put("a.jpg", write_provenance(encode(), ORIGIN))
    (facts,) = cli("inspect", "a.jpg", "--json").json()["files"]
    provenance = facts.pop("provenance")
    assert facts == {
        "path": "a.jpg",
        "format": "JPEG",
        "width": 8,
        "height": 8,
        "bytes": path.stat().st_size,
        "sandbox": False,
        "c2pa": False,
        "sidecar": None,
    }
    assert set(provenance) == set(Provenance.__dataclass_fields__)
    assert (provenance["model"], provenance["seed"], provenance["created"]) == ("m", 3, None)


def test_inspect_tells_a_person_in_words(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]) -> None:
    """What is known stands in lines of its own, and that a manifest is not verified without the extra c2pa."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    sit_at_a_terminal(monkeypatch)
    put("c.jpg", signed())
    put("c.xmp", to_xmp(ORIGIN))
    put("d.jpg", encode())
    assert cli("inspect", "c.jpg", "d.jpg").out == (
        "c.jpg\n"
        f"  JPEG, 8x8, {len(signed())} bytes\n"
        "  Source: made by a trained model (trainedAlgorithmicMedia)\n"
        "  AI system: System\n"
        "  Model: m\n"
        "  Size asked for: 8x8\n"
        "  Seed: 3\n"
        "  Credit: Agency\n"
        "  Sidecar: c.xmp\n"
        '  C2PA manifest: there is one, not verified (pip install "ionos-openai[c2pa]")\n'
        "d.jpg\n"
        f"  JPEG, 8x8, {len(encode())} bytes\n"
        "  Says nothing of where it comes from.\n"
    )


def test_damaged_metadata_is_told_beside_the_rest(cli: Callable[..., Result]) -> None:
    """Format and size of a picture are shown although its XMP cannot be read; the code is 1."""
    data = write_provenance(encode(), ORIGIN)
    put("a.jpg", data.replace(b"<rdf:RDF", b"<rdf:RDG"))
    result = cli("inspect", "a.jpg")
    assert (result.code, result.out) == (1, "a.jpg\tJPEG\t8x8\t-\t-\t-\t-\n")
    assert result.err.startswith("Error: a.jpg: its metadata cannot be read: ")


def test_a_picture_beyond_pillows_limit_is_inspected_and_marked(cli: Callable[..., Result]) -> None:
    """No pixel is decoded, so that 900 million of them are no danger."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")]
    put("large.png", b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert cli("mark", "large.png").code == 0
    assert cli("inspect", "large.png").out.startswith("large.png\tPNG\t30000x30000\ttrainedAlgorithmicMedia\t")


# generate


def test_generate_marks_what_it_saves(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """By default without the prompt; --prompt-in-metadata adds it, --no-provenance leaves all out."""
    cli("generate", "a")
    cli("generate", "b", "--prompt-in-metadata", "--format", "webp")
    cli("generate", "c", "--no-provenance")
    first, second = read_provenance("a.jpg"), read_provenance("b.webp")
    assert first is not None
    assert second is not None
    assert (first.model, first.prompt, second.model, second.prompt) == (FLUX, None, FLUX, "b")
    assert Path("c.jpg").read_bytes() == encode()


def test_batch_marks_what_it_saves(cli: Callable[..., Result]) -> None:
    """With the same options, which win over the settings."""
    Path("prompts.txt").write_text("a fox\n")
    for folder, option in (("a", []), ("b", ["--prompt-in-metadata"]), ("c", ["--no-provenance"])):
        assert cli("batch", "prompts.txt", "-o", folder, "--sandbox", *option).code == 0
    first, second, third = (read_provenance(f"{folder}/a-fox.jpg") for folder in "abc")
    assert first is not None
    assert second is not None
    assert (first.prompt, second.prompt, third) == (None, "a fox", None)


def test_a_seed_is_sent_and_recorded(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """As it is, since nothing is known of what the service makes of it."""
    cli("generate", "a", "--seed", "7")
    found = read_provenance("a.jpg")
    assert found is not None
    assert (json.loads(service.requests[0].body)["seed"], found.seed) == (7, 7)


def test_settings_turn_the_mark_off(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """IONOS_PROVENANCE=off holds for the command line too."""
    monkeypatch.setenv("IONOS_PROVENANCE", "off")
    cli("generate", "a")
    assert Path("a.jpg").read_bytes() == encode()


def test_a_picture_in_a_pipe_is_marked_too(service: LoopbackServer, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """`-o -` writes the marked picture, or with --no-provenance the one that was sent."""
    app.run(["generate", "a", "-o", "-"])
    assert read_provenance(capfdbinary.readouterr().out) is not None
    app.run(["generate", "a", "-o", "-", "--no-provenance"])
    assert capfdbinary.readouterr().out == encode()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("-n", "2"), "Cost: 0.064 USD for 2 pictures, by the price of 2026-06-02.\n"),
        ((), "Cost: 0.032 USD for 1 picture, by the price of 2026-06-02.\n"),
        (("-m", KLEIN), "Cost: not known, there is no published price of FLUX.2-klein-4B.\n"),
        (("--sandbox",), "No cost: placeholders of the sandbox.\n"),
        (("-q",), ""),
        (("--json",), ""),
    ],
)
def test_a_person_is_told_the_cost(
    arguments: tuple[str, ...],
    line: str,
    service: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    cli: Callable[..., Result],
) -> None:
    """One line on standard error at the end, unless only paths or JSON are wanted."""
    sit_at_a_terminal(monkeypatch)
    err = cli("generate", "a", *arguments).err
    told = [one for one in err.replace("\r", "\n").splitlines(keepends=True) if "ost:" in one]
    assert told == ([line] if line else [])


def test_programs_find_the_cost_in_the_document(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """The amount is text with all its digits; null where no price is known, and for placeholders."""
    costs = [
        cli("generate", "a", "--json", *more).json()["cost"] for more in (("-n", "3"), ("-m", KLEIN), ("--sandbox",))
    ]
    assert costs == [{"amount": "0.096", "currency": "USD", "seen": "2026-06-02"}, None, None]
    assert cli("generate", "a").err == ""


def test_help_of_both_commands_says_what_they_take(cli: Callable[..., Result]) -> None:
    """Both take files."""
    for command in ("mark", "inspect"):
        text = " ".join(cli(command, "--help").out.split())
        assert f"Usage: ionos-openai {command} [OPTIONS] FILE..." in text
