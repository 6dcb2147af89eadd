"""A directory of pictures as a page: what is read, what is told, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import struct
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from ionos_openai import ImageSaveError, InvalidRequestError, create_client, generate_images
from ionos_openai.batch.records import read_records
from ionos_openai.cli.app import run
from ionos_openai.gallery import make_gallery, reading, write_gallery
from ionos_openai.provenance import Provenance, describe, to_xmp, write_provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCHNELL = "black-forest-labs/FLUX.1-schnell"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"
SCRIPT = "</span><script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"
LONG = "an old wooden boat 🚣 on a lake,\nwith the light of the morning, " + "and reeds, " * 30


def picture(width: int = 64, height: int = 48, *, color: Any = "teal", format: str = "JPEG", **options: Any) -> bytes:
    """Return a plain picture."""
    written = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), (width, height), color).save(written, format, **options)
    return written.getvalue()


def with_pixels_damaged() -> bytes:
    """Return a PNG that is whole, with sums that fit, but whose pixels are nonsense."""
    data = picture(format="PNG")
    start = data.index(b"IDAT")
    chunk = b"IDAT" + b"nonsense" * 8
    end = data.index(b"IEND") - 4
    sized = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[: start - 4] + sized + data[end:]


def line(number: int, prompt: str, *files: str, **further: Any) -> dict[str, Any]:
    """Return a line of a manifest."""
    request = {"prompt": prompt, "model": SCHNELL, "size": "1024x1024", "n": 1, "name": None, "seed": None, "extra": {}}
    request |= further.pop("request", {})
    return {
        "id": f"id-{number}",
        "request": request,
        "metadata": {},
        "files": [{"name": name, "sha256": "0" * 64, "bytes": 1, "format": "JPEG"} for name in files],
        "status": "done",
        "error": None,
        "attempts": 1,
        "started": f"2026-11-{number:02}T12:00:00+00:00",
        "seconds": 2.0,
        "cost": {"amount": "0.032", "currency": "USD"},
        "sandbox": False,
        **further,
    }


def write_manifest(folder: Path, *lines: dict[str, Any], end: str = "") -> None:
    """Write a manifest, with a torn last line if one is wanted."""
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / "manifest.jsonl").write_text(text + end, encoding="utf-8")


def page(folder: Path) -> str:
    """Return the page."""
    return (folder / "index.html").read_text(encoding="utf-8")


def items(folder: Path) -> list[dict[str, Any]]:
    """Return what the page tells its script of each card."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(folder), re.DOTALL)
    assert match
    found: list[dict[str, Any]] = json.loads(match[1])["items"]
    return found


def told(folder: Path) -> dict[str, str]:
    """Write the gallery, and return what is told about which file."""
    return {problem.name: problem.message for problem in make_gallery(folder).problems}


def thumbnails(folder: Path) -> dict[str, int]:
    """Return the thumbnails, and when each was written in ns."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / ".thumbnails").glob("*.jpg")}


def test_shows_the_pictures_of_a_directory(tmp_path: Path) -> None:
    """All pictures are shown, each with a thumbnail; other files, hidden ones and subdirectories are not."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "B.PNG").write_bytes(picture(format="PNG"))
    (tmp_path / "c.webp").write_bytes(picture(format="WEBP"))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".d.jpg.0123456789abcdef.part").write_bytes(b"")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "e.jpg").write_bytes(picture())
    gallery = make_gallery(tmp_path)
    assert gallery.path == tmp_path / "index.html"
    assert (gallery.pictures, gallery.failed, gallery.thumbnails, gallery.problems) == (3, 0, 3, ())
    assert re.findall(r'href="([^"]+)"', page(tmp_path)) == ["B.PNG", "a.jpg", "c.webp"]
    assert len(thumbnails(tmp_path)) == 3


def test_thumbnails_are_small_and_upright(tmp_path: Path) -> None:
    """A thumbnail is at most 384 px wide and high, turned as the EXIF data say, and never enlarged."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    (tmp_path / "turned.jpg").write_bytes(picture(1792, 1024, exif=exif))
    write_gallery(tmp_path)
    (name,) = thumbnails(tmp_path)
    with Image.open(tmp_path / ".thumbnails" / name) as small:
        assert small.size == (219, 384)
    (tmp_path / "turned.jpg").write_bytes(picture(40, 30))
    write_gallery(tmp_path)
    with Image.open(tmp_path / ".thumbnails" / name) as small:
        assert small.size == (40, 30)


@pytest.mark.parametrize(
    ("mode", "color", "shown", "options"),
    [
        ("RGBA", (255, 0, 0, 0), 255, {}),
        ("LA", (0, 0), 255, {}),
        ("P", 0, 255, {"transparency": 0}),
        ("P", 0, 0, {}),
        ("L", 128, 128, {}),
        ("1", 1, 255, {}),
        ("I;16", 0x8000, 128, {}),
        ("CMYK", (0, 0, 0, 255), 0, {"format": "JPEG"}),
    ],
)
def test_makes_thumbnails_of_every_mode(
    tmp_path: Path, mode: str, color: Any, shown: int, options: dict[str, Any]
) -> None:
    """Pictures with transparency, palettes, 16 bits or inks get a thumbnail too; transparent parts become white."""
    (tmp_path / "a.png").write_bytes(picture(400, 400, mode=mode, color=color, **{"format": "PNG", **options}))
    assert make_gallery(tmp_path).problems == ()
    (name,) = thumbnails(tmp_path)
    with Image.open(tmp_path / ".thumbnails" / name) as small:
        assert small.convert("L").getpixel((5, 5)) == pytest.approx(shown, abs=2)


def test_makes_thumbnails_only_when_missing_or_older(tmp_path: Path) -> None:
    """A second run makes none; one that is missing, empty or older than its picture is made again, and no other."""
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        (tmp_path / name).write_bytes(picture())
    assert make_gallery(tmp_path).thumbnails == 4
    before, text = thumbnails(tmp_path), page(tmp_path)
    assert make_gallery(tmp_path).thumbnails == 0
    assert (thumbnails(tmp_path), page(tmp_path)) == (before, text)
    missing, empty, *_ = sorted(before)
    (tmp_path / ".thumbnails" / missing).unlink()
    (tmp_path / ".thumbnails" / empty).write_bytes(b"")
    assert make_gallery(tmp_path).thumbnails == 2
    (tmp_path / "d.jpg").write_bytes(picture(30, 30))
    os.utime(tmp_path / "d.jpg", (time.time() + 60, time.time() + 60))
    assert make_gallery(tmp_path).thumbnails == 1
    assert make_gallery(tmp_path).thumbnails == 0


def test_makes_the_thumbnail_of_an_older_picture_that_takes_the_place(tmp_path: Path) -> None:
    """A picture replaced by an older file gets a new thumbnail; one whose sidecar alone is new keeps its own."""
    (tmp_path / "a.jpg").write_bytes(picture())
    write_gallery(tmp_path)
    (tmp_path / "a.jpg").write_bytes(picture(30, 30))
    os.utime(tmp_path / "a.jpg", (1_600_000_000, 1_600_000_000))
    assert make_gallery(tmp_path).thumbnails == 1
    (tmp_path / "a.xmp").write_bytes(to_xmp(Provenance(creator="Ada")))
    assert make_gallery(tmp_path).thumbnails == 0


def test_tries_again_what_failed_for_want_of_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thumbnail that could not be written is told, the picture takes its place, and the next run tries again."""
    (tmp_path / "a.jpg").write_bytes(picture())

    def refuse(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ionos_openai.gallery.reading.replace_file", refuse)
        assert told(tmp_path) == {"a.jpg": "its thumbnail cannot be written: No space left on device"}
    assert '<img loading=lazy src="a.jpg" alt>' in page(tmp_path)
    assert make_gallery(tmp_path).thumbnails == 1


def test_removes_thumbnails_of_pictures_that_are_gone(tmp_path: Path) -> None:
    """The thumbnail of a removed picture goes too; nothing else in the directory does."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(picture())
    write_gallery(tmp_path)
    (tmp_path / ".thumbnails" / "mine.jpg").write_bytes(b"kept")
    (tmp_path / "a.jpg").unlink()
    write_gallery(tmp_path)
    assert len(thumbnails(tmp_path)) == 2
    assert (tmp_path / ".thumbnails" / "mine.jpg").read_bytes() == b"kept"


@pytest.mark.parametrize(
    "memory",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1, "files": {"a.jpg": [[1], {"width": "x"}]}}',
        b"[" * 100_000,
        b'{"version": 1, "files": {"a.jpg": [[%d, %d], {"width": 1e9, "nonsense": 1}]}}',
    ],
    ids=range(7),
)
def test_does_not_believe_a_damaged_memory(tmp_path: Path, memory: bytes) -> None:
    """A file among the thumbnails that tells of the pictures says nothing: they are read again."""
    path = tmp_path / "a.jpg"
    path.write_bytes(picture())
    write_gallery(tmp_path)
    text = page(tmp_path)
    if b"%d" in memory:
        memory %= (path.stat().st_size, path.stat().st_mtime_ns)
    (tmp_path / ".thumbnails" / "facts.json").write_bytes(memory)
    assert make_gallery(tmp_path).problems == ()
    assert page(tmp_path) == text


def test_takes_what_the_provenance_says(tmp_path: Path) -> None:
    """Model, prompt, alternative text and credit come from the picture where there is no manifest."""
    said = describe(model=KLEIN, size="512x512", prompt="a fox", seed=7)
    (tmp_path / "a.jpg").write_bytes(write_provenance(picture(), said))
    write_gallery(tmp_path)
    assert ">a fox</span>" in page(tmp_path)
    assert "<i>FLUX.2-klein-4B</i> <i>64×48</i>" in page(tmp_path)  # noqa: RUF001  It is meant.
    assert items(tmp_path) == [{"cost": -1, "seed": "7", "saved": 1}]


def test_notices_a_changed_sidecar(tmp_path: Path) -> None:
    """What a sidecar says is shown as soon as it is written."""
    (tmp_path / "a.jpg").write_bytes(picture())
    write_gallery(tmp_path)
    assert "Ada" not in page(tmp_path)
    (tmp_path / "a.xmp").write_bytes(to_xmp(Provenance(creator="Ada")))
    write_gallery(tmp_path)
    assert [item["credit"] for item in items(tmp_path)] == ["Ada"]


def test_shows_damaged_provenance_without_it(tmp_path: Path) -> None:
    """A picture whose provenance is damaged is shown, and the damage is told."""
    marked = write_provenance(picture(), describe(model=SCHNELL))
    (tmp_path / "a.jpg").write_bytes(marked.replace(b"</rdf:RDF>", b"</rdf:XXX>"))
    gallery = make_gallery(tmp_path)
    assert gallery.pictures == 1
    assert [problem.message[:34] for problem in gallery.problems] == ["its provenance cannot be read: The"]


def test_takes_what_the_manifest_says(tmp_path: Path) -> None:
    """Prompt, model, cost, date and the user's columns come from the manifest; the last line of a request counts."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(picture())
    write_manifest(
        tmp_path,
        line(1, "an old prompt", "a.jpg"),
        line(
            1,
            "a fox",
            "a.jpg",
            "b.jpg",
            metadata={"sku": 7, "tags": ["x"]},
            cost={"amount": "0.064", "currency": "USD"},
        ),
        line(2, "refused", status="failed", cost=None, error={"type": "BadRequestError", "message": "No."}),
        line(3, "tried again", status="failed", cost=None),
        line(3, "tried again", "c.jpg", status="modified", unknown={"key": 1}),
        end='{"id": "torn", "request": {"pro',
    )
    (tmp_path / "c.jpg").write_bytes(picture())
    gallery = make_gallery(tmp_path)
    assert (gallery.pictures, gallery.failed, gallery.problems) == (3, 1, ())
    text = page(tmp_path)
    assert "an old prompt" not in text
    assert text.count(">a fox</span>") == 2
    assert text.count("<i>0.064 USD for 2</i>") == 2
    assert "0.096 USD in all" in text
    assert [item.get("state") for item in items(tmp_path)] == ["modified", "failed", None, None]
    assert items(tmp_path)[2]["metadata"] == {"sku": "7", "tags": '["x"]'}
    assert items(tmp_path)[1]["note"] == "No."


def test_an_unknown_price_is_not_counted_as_nothing(tmp_path: Path) -> None:
    """The sum says how many pictures it leaves out; a placeholder and a request that failed cost nothing."""
    write_manifest(
        tmp_path,
        line(1, "a fox", "a.jpg"),
        line(2, "a hen", "b.jpg", "c.jpg", cost=None),
        line(3, "an egg", "d.jpg", cost=None, sandbox=True),
        line(4, "refused", status="failed", cost=None),
    )
    write_gallery(tmp_path)
    assert '<p class="spent">0.032 USD in all, 2 of unknown price</p>' in page(tmp_path)


def test_tells_what_is_damaged_in_the_manifest(tmp_path: Path) -> None:
    """Damaged lines within the manifest are told in one line, and files that it names in vain one by one."""
    (tmp_path / "manifest.jsonl").write_bytes(
        b"not JSON\n\n" + json.dumps(line(1, "p", "gone.jpg", "../up.jpg")).encode() + b"\n[1]\n\xff\xfe\n{"
    )
    assert told(tmp_path) == {
        "../up.jpg": "the manifest names it, but it is gone",
        "gone.jpg": "the manifest names it, but it is gone",
        "manifest.jsonl": "3 lines (1, 4, 5) are damaged and passed over",
    }
    assert "../up.jpg" not in re.findall(r'(?:href|src)="([^"]*)"', page(tmp_path))


def test_returns_the_page_and_logs_what_is_wrong(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For notebooks: a path to open, and a warning for each file that is no picture."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(b"")
    path = write_gallery(tmp_path)
    assert path == tmp_path / "index.html"
    assert "a.jpg" in path.read_text(encoding="utf-8")
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [("WARNING", "b.jpg: it is empty.")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["id", "request", "metadata", "files", "status", "error", "started", "cost", "sandbox", "other"])
PARTS = st.dictionaries(
    st.sampled_from(["prompt", "model", "size", "seed", "extra", "name", "amount", "currency", "message"]), JSON
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(lines=st.lists(st.dictionaries(KEYS, PARTS | st.lists(PARTS, max_size=2) | JSON), max_size=3), tail=st.binary())
def test_survives_any_manifest(tmp_path_factory: pytest.TempPathFactory, lines: list[Any], tail: bytes) -> None:
    """Whatever a manifest holds, a page is made."""
    folder = tmp_path_factory.mktemp("any")
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / "manifest.jsonl").write_bytes(text.encode() + tail)
    assert make_gallery(folder).pictures == 0
    read_records(folder)


def test_tells_of_each_bad_file_and_goes_on(tmp_path: Path) -> None:
    """Files that are no pictures are told by name with the reason; the others are shown all the same."""
    (tmp_path / "good.jpg").write_bytes(picture())
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.png").write_bytes(b"<!doctype html><title>Proxy</title>")
    (tmp_path / "text.webp").write_text("hello")
    (tmp_path / "cut.jpg").write_bytes(picture()[:-40])
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "pixels.png").write_bytes(with_pixels_damaged())
    problems = told(tmp_path)
    assert problems.pop("pixels.png").startswith("its pixels cannot be read (")
    assert problems == {
        "cut.jpg": "the JPEG ends too early",
        "empty.jpg": "it is empty",
        "folder.jpg": "it is a directory",
        "page.png": "it is an HTML page",
        "text.webp": "its bytes are not JPEG, PNG, WebP, GIF or AVIF",
    }
    assert [item.get("state") for item in items(tmp_path)].count("broken") == 4
    assert told(tmp_path).keys() == {*problems, "pixels.png"}  # also when they are remembered


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_does_not_wait_for_pipes(tmp_path: Path) -> None:
    """A named pipe and a link to nowhere are told, and nothing waits for them."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    assert told(tmp_path) == {
        "link.jpg": "it cannot be read: No such file or directory",
        "pipe.jpg": "it is no regular file",
    }


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read everything")
def test_tells_of_a_file_without_permission(tmp_path: Path) -> None:
    """A picture that may not be read is told."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "a.jpg").chmod(0)
    assert told(tmp_path) == {"a.jpg": "it cannot be read: Permission denied"}


def test_tells_of_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the system while a picture is read is told, and it is tried anew the next time."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(picture())
    read = reading.read_regular

    def refuse(path: Path) -> bytes:
        if path.name == "a.jpg":
            raise PermissionError(13, "Permission denied")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_regular", refuse)
        assert told(tmp_path) == {"a.jpg": "it cannot be read: Permission denied"}
    assert told(tmp_path) == {}


def test_does_not_open_pictures_beyond_the_bomb_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture with more pixels than Pillow takes for harmless is told and linked, but neither decoded nor loaded."""
    (tmp_path / "bomb.png").write_bytes(picture(200, 200, format="PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200 * 200 - 1)
    assert told(tmp_path) == {"bomb.png": "it has too many pixels for a thumbnail"}
    assert 'href="bomb.png"' in page(tmp_path)
    assert "<img loading" not in page(tmp_path)


def test_any_file_name_becomes_a_link(tmp_path: Path) -> None:
    """Quotes, line breaks, emoji, percent and hash signs, and bytes that are no text are quoted in the link."""
    names = ["'\"<b>&.jpg", "fox #1 100%?.jpg", "fuchs 🦊.jpg", "javascript:alert(1).jpg"]
    if sys.platform == "linux":
        names += ["two\nlines.jpg", os.fsdecode(b"bytes-\xff.jpg")]
    made = [name for name in names if os.name != "nt" or not set(name) & set('<>:"|?*')]
    for name in made:
        (tmp_path / name).write_bytes(picture())
    assert make_gallery(tmp_path).pictures == len(made)
    links = re.findall(r'<a href="([^"]+)"><img', page(tmp_path))
    assert len(links) == len(made)
    assert all(re.fullmatch(r"[\w.~%-]+", link) for link in links)
    if sys.platform == "linux":
        assert "bytes-%FF.jpg" in links


def test_keeps_the_page_of_another_maker(tmp_path: Path) -> None:
    """An `index.html` that is not a gallery stays as it is, and nothing else is written."""
    (tmp_path / "index.html").write_text("<h1>Mine</h1>")
    with pytest.raises(InvalidRequestError) as caught:
        write_gallery(tmp_path)
    path = tmp_path / "index.html"
    assert str(caught.value) == f"{path} is not a page of this program, so it is kept: move it away."
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]


def test_refuses_what_is_no_directory(tmp_path: Path) -> None:
    """A file and a missing directory are refused with the remedy."""
    for path in (tmp_path / "missing", tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(InvalidRequestError) as caught:
            write_gallery(path)
        assert str(caught.value) == f"{path} is not a directory: name the one with the pictures."


def test_an_empty_directory_has_a_page(tmp_path: Path) -> None:
    """A directory without pictures gets a page that says so."""
    assert make_gallery(tmp_path).pictures == 0
    assert "There are no pictures in this directory yet." in page(tmp_path)


def test_lets_no_script_run_but_its_own(tmp_path: Path) -> None:
    """A prompt with tags is text in every place, and the page's policy names the hash of its one script."""
    (tmp_path / "a.jpg").write_bytes(picture())
    write_manifest(tmp_path, line(1, SCRIPT, "a.jpg", metadata={SCRIPT: SCRIPT}, error=SCRIPT))
    write_gallery(tmp_path)
    text = page(tmp_path)
    assert "<script>window" not in text
    assert "<img src=x" not in text
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in text


@pytest.mark.slow
def test_two_thousand_pictures(tmp_path: Path) -> None:
    """The page of 2,000 pictures with long prompts is under 1.5 MB; the second time no thumbnail is made."""
    data = picture()
    names = [f"a-fox-in-the-snow-by-the-old-lighthouse-{number}.jpg" for number in range(2000)]
    for name in names:
        (tmp_path / name).write_bytes(data)
    prompt = "a fox in the snow, " * 13
    write_manifest(
        tmp_path, *(line(1, f"{prompt}{name[-8:-4]}", name, id=name, metadata={"sku": name[-8:-4]}) for name in names)
    )
    assert make_gallery(tmp_path).thumbnails == 2000
    assert make_gallery(tmp_path).thumbnails == 0
    assert (tmp_path / "index.html").stat().st_size < 1_500_000


def test_command_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe the command prints the page's path; what is wrong with files goes to standard error."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(b"")
    assert run(["gallery", str(tmp_path)]) == 0
    assert capsys.readouterr() == (f"{tmp_path / 'index.html'}\n", "Warning: b.jpg: it is empty.\n")


def test_command_tells_of_twenty_files_at_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of very many bad files the first twenty are told, and how many more there are."""
    for number in range(23):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"")
    assert run(["gallery", str(tmp_path)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "Warning: 3 further files could not be shown; --json lists them all."


def test_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` is one document with a schema, errors included."""
    (tmp_path / "a.jpg").write_bytes(b"")
    assert run(["gallery", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "gallery": str(tmp_path / "index.html"),
        "pictures": 0,
        "failed": 0,
        "thumbnails_made": 0,
        "problems": [{"file": "a.jpg", "message": "it is empty"}],
    }
    assert run(["gallery", str(tmp_path / "missing"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 2


def test_command_opens_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--open` gives the page to the browser, and says so where there is none."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    assert run(["gallery", str(tmp_path), "--open"]) == 0
    assert opened == [(tmp_path / "index.html").as_uri()]
    page_path = tmp_path / "index.html"
    assert capsys.readouterr().err == f"Warning: No browser was found: open {page_path} yourself.\n"


# In a real browser. It runs in a thread of its own: Playwright keeps an event loop in the thread that it is used in.

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
_ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]


class Browser:
    """Chromium, one page at a time."""

    def __init__(self, browser: Any, thread: ThreadPoolExecutor, address: str) -> None:
        self._browser, self._thread, self._address = browser, thread, address

    def look(self, at: Callable[[Any], Any], *, script: str = "", address: str = "", **options: Any) -> Any:
        """Open the gallery and return what `at` says of the page; an error in the page's script fails the test."""
        return self._thread.submit(self._look, at, script, address or self._address, options).result(timeout=60)

    def _look(self, at: Callable[[Any], Any], script: str, address: str, options: dict[str, Any]) -> Any:
        context = self._browser.new_context(**options)
        try:
            errors: list[str] = []
            page = context.new_page()
            page.set_default_timeout(8000)
            page.on("pageerror", lambda error: errors.append(str(error)))
            if script:
                page.add_init_script(script)
            page.goto(address)
            found = at(page)
            assert errors == []
            return found
        finally:
            context.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with placeholders of the sandbox, a failed request, a broken picture and one that is gone."""
    folder = tmp_path_factory.mktemp("pictures")
    prompts = ["a fox in the snow", "ein Leuchtturm, Öl", SCRIPT, LONG, '-rf: it\'s a "robot" $HOME `ls` \\']
    lines = []
    with create_client(sandbox=True) as client:
        for number, prompt in enumerate(prompts, 1):
            model = (KLEIN, SCHNELL)[number % 2]
            size = "1792x1024" if number == 1 else "1024x1024"
            (image,) = generate_images(client, prompt, model=model, size=size)
            (folder / f"{number}.jpg").write_bytes(image.data)
            request = {"model": model, "size": size}
            columns = {"campaign": ("spring", "autumn")[number % 2], "sku": f"A-{number}"}
            lines.append(line(number, prompt, f"{number}.jpg", request=request, metadata=columns, sandbox=True))
    refused = {"type": "BadRequestError", "message": "The service refused the prompt."}
    lines.append(line(8, "something refused", status="failed", cost=None, error=refused))
    lines.append(line(9, "something deleted", "deleted.jpg"))
    (folder / "broken.jpg").write_bytes(picture()[:100])
    os.utime(folder / "broken.jpg", (1_600_000_000, 1_600_000_000))
    write_manifest(folder, *lines, end='{"torn')
    write_gallery(folder)
    return folder


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Browser]:
    """Chromium, headless."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if _CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    with ThreadPoolExecutor(max_workers=1) as thread, ExitStack() as stack:
        playwright = thread.submit(driver.sync_playwright().start).result(timeout=60)
        stack.callback(lambda: thread.submit(playwright.stop).result(timeout=60))
        chromium = thread.submit(lambda: playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)).result(
            timeout=60
        )
        stack.callback(lambda: thread.submit(chromium.close).result(timeout=60))
        yield Browser(chromium, thread, (site / "index.html").as_uri())


def captions(page: Any) -> list[str]:
    """Return the visible cards' captions."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#grid li:not([hidden]) > :first-child > :last-child')].map(e => e.textContent)"
    )
    return found


NEWEST = ["something deleted", "something refused", '-rf: it\'s a "robot" $HOME `ls` \\', LONG, SCRIPT]
NEWEST += ["ein Leuchtturm, Öl", "a fox in the snow", "broken.jpg"]


def test_browser_opens_the_page_without_a_network(browser: Browser, site: Path) -> None:
    """The page opens from a file, asks for nothing but files beside it, and shows the newest first."""

    def at(page: Any) -> Any:
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        page.reload(wait_until="networkidle")
        shown = "[...document.querySelectorAll('#grid img')].every((one) => one.complete && one.naturalWidth > 0)"
        return captions(page), asked, page.evaluate(shown), page.inner_text("#count")

    order, asked, shown, count = browser.look(at)
    assert order == NEWEST
    assert shown
    assert len(asked) == 6
    assert all(address.startswith(site.as_uri()) for address in asked)
    assert count == "5 pictures, 1 failed"


def test_browser_takes_a_script_in_a_prompt_as_text(browser: Browser) -> None:
    """Neither in the grid nor in the viewer does a prompt become markup."""

    def at(page: Any) -> Any:
        page.locator("#grid a").filter(has_text="<script>").click()
        return page.inner_text("#viewer-prompt"), page.evaluate("window.owned"), page.locator("[onerror]").count()

    assert browser.look(at) == (SCRIPT, None, 0)


def test_browser_searches(browser: Browser) -> None:
    """Search takes all words, in any case and without accents, of prompts and file names; what is left is counted."""

    def at(page: Any) -> Any:
        found = {}
        for words in ("FOX snow", "ol leuchtturm", "broken", "fox robot", "2.jpg"):
            page.fill("#search", words)
            found[words] = captions(page), page.inner_text("#count")
        page.fill("#search", "nothing like it")
        page.click("#reset")
        return found, captions(page), page.input_value("#search")

    found, after, left = browser.look(at)
    assert found == {
        "FOX snow": (["a fox in the snow"], "1 picture (1 of 8 entries)"),
        "ol leuchtturm": (["ein Leuchtturm, Öl"], "1 picture (1 of 8 entries)"),
        "broken": (["broken.jpg"], "0 pictures (1 of 8 entries)"),
        "fox robot": ([], "0 pictures (0 of 8 entries)"),
        "2.jpg": (["ein Leuchtturm, Öl"], "1 picture (1 of 8 entries)"),
    }
    assert (after, left) == (NEWEST, "")


def test_browser_filters(browser: Browser) -> None:
    """Model, state and each of the user's columns narrow what is shown."""

    def at(page: Any) -> Any:
        page.select_option("#model", label="FLUX.2-klein-4B")
        by_model = captions(page)
        page.select_option("#model", "")
        page.select_option("#state", label="Failed")
        failed = captions(page)
        page.select_option("#state", "")
        hidden = page.locator("#value").is_visible()
        page.select_option("#column", "campaign")
        values = page.locator("#value option").all_inner_texts()
        page.select_option("#value", "spring")
        by_campaign = captions(page)
        page.select_option("#column", "")
        return by_model, failed, hidden, values, by_campaign, len(captions(page))

    by_model, failed, hidden, values, by_campaign, every = browser.look(at)
    assert by_model == [LONG, "ein Leuchtturm, Öl"]
    assert failed == ["something refused"]
    assert hidden is False
    assert values == ["Any", "autumn", "spring"]
    assert by_campaign == [LONG, "ein Leuchtturm, Öl"]
    assert every == 8


def test_browser_sorts(browser: Browser) -> None:
    """The oldest, prompts, file names and models can come first."""

    def at(page: Any) -> Any:
        page.select_option("#sort", "old")
        oldest = captions(page)
        page.select_option("#sort", "name")
        return oldest, [caption for caption in captions(page) if caption in NEWEST[2:]]

    oldest, by_name = browser.look(at)
    assert oldest == NEWEST[::-1]
    assert by_name == [*NEWEST[2:7][::-1], "broken.jpg"]


def test_browser_is_used_by_keyboard(browser: Browser) -> None:
    """Enter opens a picture at full size, arrows and End go on, Escape closes, and the focus is where it was."""

    def at(page: Any) -> Any:
        page.fill("#search", "jpg")
        page.locator("#grid a:visible").filter(has_text="robot").focus()
        page.keyboard.press("Enter")
        seen = [page.inner_text("#position")]
        for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowRight"):
            page.keyboard.press(key)
            seen.append(page.inner_text("#position"))
        page.wait_for_function("document.querySelector('#viewer-image').naturalWidth > 0")
        image = page.get_attribute("#viewer-image", "src")
        address = page.evaluate("location.hash")
        page.keyboard.press("Escape")
        focused = page.evaluate("document.activeElement.getAttribute('href')")
        return seen, image, address, page.locator("#viewer").is_visible(), focused

    seen, image, address, is_open, focused = browser.look(at)
    assert [text.partition(" ")[0] for text in seen] == ["2", "3", "2", "1", "1", "7", "7", "1", "2"]
    assert (image, address, is_open, focused) == ("5.jpg", "#5.jpg", False, "5.jpg")


def test_browser_opens_a_picture_by_its_address(browser: Browser, site: Path) -> None:
    """An address with a file's name behind # opens that picture, with all that is known of it."""

    def at(page: Any) -> Any:
        return page.inner_text("#viewer-prompt"), page.inner_text("#facts").replace("\n", " ")

    prompt, facts = browser.look(at, address=(site / "index.html").as_uri() + "#1.jpg", timezone_id="Europe/Berlin")
    assert prompt == "a fox in the snow"
    assert f"Model {SCHNELL}" in re.sub(r"\s+", " ", facts)
    assert "Size 1792×1024 px" in re.sub(r"\s+", " ", facts)  # noqa: RUF001  It is meant.
    assert "campaign autumn sku A-1" in re.sub(r"\s+", " ", facts)
    assert re.search(r"Nov 1, 2026, 1:00\sPM", facts)


_RECORDS_COPIES = (
    "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (t) => { window.copied = t; }}})"
)
_NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined}); addEventListener('copy', () => {"
_NO_CLIPBOARD += "window.copied = document.activeElement.value; }, true)"


@pytest.mark.parametrize("script", [_RECORDS_COPIES, _NO_CLIPBOARD], ids=["clipboard", "no clipboard"])
@pytest.mark.parametrize("caption", ["-rf: it's", "an old wooden"], ids=["quotes", "lines"])
def test_browser_copies_the_command_that_makes_the_picture_again(
    browser: Browser, site: Path, tmp_path: Path, script: str, caption: str
) -> None:
    """Prompt and command are copied exactly, and the command in a shell's words makes the same picture."""

    def at(page: Any) -> Any:
        page.locator("#grid a").filter(has_text=caption).click()
        page.click("#copy-prompt")
        page.wait_for_function("document.querySelector('#copy-prompt').textContent === 'Copied'")
        prompt = page.evaluate("window.copied")
        page.click("#copy-command")
        page.wait_for_function("document.querySelector('#copy-command').textContent === 'Copied'")
        return prompt, page.evaluate("window.copied"), page.get_attribute("#viewer-image", "src")

    prompt, command, name = browser.look(at, script=script)
    assert prompt in NEWEST
    program, *words = shlex.split(command)
    assert (program, words[0], words[-1]) == ("ionos-openai", "generate", prompt)
    if script == _RECORDS_COPIES:
        assert run([*words[:-2], "-o", str(tmp_path / "again.jpg"), *words[-2:]]) == 0
        with Image.open(tmp_path / "again.jpg") as again, Image.open(site / name) as first:
            assert again.tobytes() == first.tobytes()


def test_browser_quotes_for_powershell_on_windows(browser: Browser) -> None:
    """On Windows an apostrophe in the prompt is doubled, as PowerShell reads it."""

    def at(page: Any) -> Any:
        page.locator("#grid a").filter(has_text="robot").click()
        return page.inner_text("#command")

    command = browser.look(at, script="Object.defineProperty(navigator, 'platform', {value: 'Win32'})")
    assert "-- '-rf: it''s a" in command


def test_browser_says_what_is_broken(browser: Browser, site: Path) -> None:
    """A broken picture, a failed request and a deleted file say so in the grid and in the viewer."""

    def at(page: Any) -> Any:
        said = []
        for caption in ("broken.jpg", "something refused", "something deleted"):
            card = page.locator("#grid li").filter(has_text=caption)
            in_grid = card.locator(".none").inner_text(), card.locator("b").inner_text()
            card.locator("a, button").click()
            said.append((*in_grid, page.inner_text("#viewer-none"), page.locator("#viewer-image").is_visible()))
            terms.append((page.inner_text("#facts dd >> nth=0"), "Made" in page.inner_text("#facts").split("\n")))
            page.keyboard.press("Escape")
        return said

    terms: list[tuple[str, bool]] = []
    assert browser.look(at) == [
        ("The JPEG ends too early", "unreadable", "No picture: the JPEG ends too early", False),
        ("The service refused the prompt.", "failed", "No picture: The service refused the prompt.", False),
        ("The file is not there any more", "gone", "No picture: the file is not there any more", False),
    ]
    assert terms == [("Unreadable", False), ("Failed", False), ("Gone", True)]


def test_browser_does_without_a_thumbnail(browser: Browser, tmp_path: Path) -> None:
    """Where a thumbnail was removed the picture takes its place; where both were, the card says so."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(picture())
    write_gallery(tmp_path)
    shutil.rmtree(tmp_path / ".thumbnails")
    (tmp_path / "b.jpg").unlink()

    def at(page: Any) -> Any:
        page.wait_for_selector(".none")
        return page.locator("#grid img").evaluate_all(
            "(all) => all.map((one) => one.getAttribute('src'))"
        ), page.inner_text(".none")

    assert browser.look(at, address=(tmp_path / "index.html").as_uri()) == (["a.jpg"], "the picture cannot be shown")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_fits_a_narrow_screen(browser: Browser, scheme: str) -> None:
    """At 360 px nothing is wider than the screen, neither grid nor viewer, and dark and light follow the system."""

    def at(page: Any) -> Any:
        width = "document.documentElement.scrollWidth"
        grid = page.evaluate(width)
        page.locator("#grid a").filter(has_text="an old wooden").click()
        wide = page.evaluate(
            "Math.max(...[...document.querySelectorAll('#viewer *')].map((e) => e.getBoundingClientRect().right))"
        )
        close = page.locator("#close").bounding_box()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return grid, page.evaluate(width), wide, close["width"] >= 40, background

    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    grid, viewer, wide, close_is_large, background = browser.look(at, **options)
    assert (grid, viewer) == (360, 360)
    assert wide <= 360
    assert close_is_large
    assert background == {"light": "rgb(245, 245, 242)", "dark": "rgb(18, 19, 21)"}[scheme]


def test_browser_tells_a_screen_reader(browser: Browser) -> None:
    """Each card is a link or button named after its prompt, the viewer is a named dialog, and changes are announced."""

    def at(page: Any) -> Any:
        fox = page.get_by_role("link", name="a fox in the snow", exact=True)
        counts = [fox.count(), page.get_by_role("button", name="something refused").count()]
        counts.append(page.get_by_role("search").get_by_label("Search").count())
        fox.click()
        dialog = page.get_by_role("dialog", name="a fox in the snow")
        counts += [dialog.count(), dialog.get_by_role("img", name="a fox in the snow").count()]
        counts.append(dialog.get_by_role("button", name="Next picture").count())
        return counts, page.get_by_role("status").filter(has_text="7 of 8: a fox in the snow").count()

    assert browser.look(at) == ([1, 1, 1, 1, 1, 1], 1)


def test_browser_shows_pictures_without_scripts(browser: Browser) -> None:
    """Where scripts are forbidden the pictures and prompts are there, and tools that would not work are not."""

    def at(page: Any) -> Any:
        texts = page.locator("#grid a > span:last-child").all_inner_texts()
        return "a fox in the snow" in texts, page.locator("#tools").is_visible(), page.locator("#viewer").is_visible()

    assert browser.look(at, java_script_enabled=False) == (True, False, False)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")
@pytest.mark.parametrize(
    "name", [".thumbnails", "index.html", ".thumbnails/.facts.json.part", ".thumbnails/facts.json"]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "dangling"])
def test_a_strangers_directory_makes_and_destroys_nothing_elsewhere(tmp_path: Path, name: str, kind: str) -> None:
    """Nor does it keep the gallery waiting: it is refused by name, or what is there is replaced."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    (mine / "0123456789abcdef.jpg").write_bytes(picture())
    (mine / "page").write_text("precious")
    (theirs / name).parent.mkdir(parents=True)
    (theirs / "a.jpg").write_bytes(picture())
    if kind == "pipe":
        os.mkfifo(theirs / name)
    elif kind == "link":
        (theirs / name).symlink_to(mine if name == ".thumbnails" else mine / "page")
    else:
        (theirs / name).symlink_to(mine / "made")
    with contextlib.suppress(InvalidRequestError, ImageSaveError):
        write_gallery(theirs)
    assert sorted(path.name for path in mine.iterdir()) == ["0123456789abcdef.jpg", "page"]
    assert (mine / "page").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="devices are POSIX's")
def test_a_picture_that_leads_to_a_device_is_told(tmp_path: Path) -> None:
    """It is not read, which would have no end."""
    (tmp_path / "a.jpg").symlink_to("/dev/zero")
    assert told(tmp_path) == {"a.jpg": "it is no regular file"}


@pytest.mark.parametrize(
    ("platform", "prompt", "shown"),
    [
        ("Linux x86_64", "a'; touch x; '", True),
        ("Linux x86_64", "two\nlines", True),
        ("Linux x86_64", "a\u202etouch x", False),
        ("Win32", "it\u2019s; calc", True),
        ("Win32", "a & calc", False),
        ("Win32", "a %PATH%", False),
        ("Win32", "two\nlines", False),
    ],
)
def test_browser_shows_no_command_that_does_something_else(
    browser: Browser, tmp_path: Path, platform: str, prompt: str, shown: bool
) -> None:
    """Whoever wrote the prompt, and wherever the command is pasted."""
    (tmp_path / "a.jpg").write_bytes(write_provenance(picture(), Provenance(prompt=prompt, digital_source_type="x")))
    address = write_gallery(tmp_path).resolve().as_uri()

    def at(page: Any) -> Any:
        page.locator("#grid a").click()
        return page.inner_text("#command") if page.is_visible("#command") else ""

    script = f"Object.defineProperty(navigator, 'platform', {{value: '{platform}'}})"
    command = browser.look(at, script=script, address=address)
    if shown and platform.startswith("Win"):
        assert command.endswith("'it\u2019\u2019s; calc'")
    elif shown:
        assert shlex.split(command)[-1] == prompt
    assert bool(command) == shown


@pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")
def test_a_sidecar_that_leads_nowhere_keeps_no_picture_away(tmp_path: Path) -> None:
    """One that leads to itself or to a device is told; one that leads to nothing is none."""
    for name, target in (("a.xmp", "a.xmp"), ("b.xmp", "/dev/zero"), ("c.xmp", "nowhere")):
        (tmp_path / name).with_suffix(".jpg").write_bytes(picture())
        (tmp_path / name).symlink_to(target)
    gallery = make_gallery(tmp_path)
    assert (gallery.pictures, [problem.message for problem in gallery.problems]) == (
        3,
        [f"its provenance cannot be read: '{name}.xmp' is no file. Take the picture itself" for name in "ab"],
    )


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": [[7, 7], {"thumbnail": "../../elsewhere", "prompt": "x"}]},
        {"a.jpg": [[7, 7], {"prompt": "x"}], "b": "[]," * 200_000},
    ],
    ids=["no picture", "too long"],
)
def test_what_a_stranger_wrote_into_the_memory_is_not_believed(tmp_path: Path, files: dict[str, Any]) -> None:
    """Neither the file of a thumbnail, nor a prompt; nor is a file without end taken in."""
    (tmp_path / "a.jpg").write_bytes(picture())
    found = (tmp_path / "a.jpg").stat()
    files["a.jpg"][0] = [found.st_size, found.st_mtime_ns]
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "facts.json").write_text(json.dumps({"version": 1, "files": files}))
    assert make_gallery(tmp_path).thumbnails == 1
    assert "elsewhere" not in page(tmp_path)


def test_large_pictures_are_decoded_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take hundreds of megabytes; small ones are decoded side by side."""
    at_once, most = [0], []
    make = reading.write_thumbnail

    def count(data: bytes, path: Path) -> None:
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.02)
        make(data, path)
        at_once.pop()

    monkeypatch.setattr(reading, "write_thumbnail", count)
    monkeypatch.setattr(reading, "_LARGE", 64 * 48 - 1)
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(picture())
    assert (make_gallery(tmp_path).thumbnails, set(most)) == (4, {2})


def test_the_log_has_no_control_characters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a manifest calls a file: a line of the log stays one line."""
    names = ["a\nERROR: forged.jpg", "b\x1b]0;title\x07\u202e.jpg"]
    lines = [json.dumps({"id": name, "status": "done", "files": [name]}) for name in names]
    (tmp_path / "manifest.jsonl").write_text("\n".join([*lines, ""]))
    write_gallery(tmp_path)
    assert len(caplog.messages) == 2
    assert all(message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize(
    ("prompt", "end"),
    [
        ('a fox" --base-url=http://x "', "-- 'a fox\" --base-url=http://x \"'"),
        ("a fox --overwrite", "-- 'a fox --overwrite'"),
        ('"-o x', "-- '\"-o x'"),
        ("a fox", "--size 64x48 'a fox'"),
    ],
)
def test_browser_makes_no_option_of_a_prompt_on_windows(
    browser: Browser, tmp_path: Path, prompt: str, end: str
) -> None:
    """Shells that make several words of it find them behind the end of the options."""
    (tmp_path / "a.jpg").write_bytes(write_provenance(picture(), Provenance(prompt=prompt, digital_source_type="x")))
    assert _looked_at(browser, tmp_path, "#command").endswith(end)


def test_browser_copies_no_control_characters(browser: Browser, tmp_path: Path) -> None:
    """They could end a terminal's paste, and begin a command; line breaks stay."""
    prompt = "a\x1b[201~fox\u202e\nin snow"
    line = {"id": "1", "status": "done", "request": {"prompt": prompt}, "files": ["a.jpg"]}
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    assert _looked_at(browser, tmp_path, copies=True) == "a [201~fox \nin snow"


def _looked_at(browser: Browser, folder: Path, shown: str = "", *, copies: bool = False) -> str:
    """Return what an element shows of the only picture on Windows, or the prompt that is copied."""

    def at(page: Any) -> Any:
        page.locator("#grid a").click()
        if not copies:
            return page.inner_text(shown)
        page.click("#copy-prompt")
        page.wait_for_function("window.copied !== undefined")
        return page.evaluate("window.copied")

    windows = "Object.defineProperty(navigator, 'platform', {value: 'Win32'});"
    address = write_gallery(folder).resolve().as_uri()
    return str(browser.look(at, script=windows + _RECORDS_COPIES, address=address))


# What an agency's table adds.


def test_a_card_has_a_column_and_the_script_the_order_of_the_file(tmp_path: Path) -> None:
    """The first one, or the one that is wished; rows that were asked for first come first."""
    for number in (1, 2):
        (tmp_path / f"{number}.jpg").write_bytes(picture())
    columns = {"sku": "A<1", "place": "Köln"}
    first = {**line(1, "a", "1.jpg", metadata=columns), "started": "2026-11-20T10:00:00.500000+00:00"}
    second = {**line(2, "b", "2.jpg", metadata={}), "started": "2026-11-20T10:00:00.700000+00:00"}
    write_manifest(tmp_path, second, first)
    write_gallery(tmp_path)
    assert re.findall(r"<em>([^<]*)</em>", page(tmp_path)) == ["A&lt;1"]
    write_gallery(tmp_path, caption="place")
    assert re.findall(r"<em>([^<]*)</em>", page(tmp_path)) == ["Köln"]
    assert [item["row"] for item in items(tmp_path)] == [1, 0]  # the newest first


def test_a_superseded_picture_is_marked_and_one_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    """It gave way to another one of its name."""
    (tmp_path / "1.jpg").write_bytes(picture())
    lines = [line(number, "a", f"{number}.jpg", status="superseded") for number in (1, 2)]
    write_manifest(tmp_path, *lines)
    gallery = make_gallery(tmp_path)
    assert (gallery.pictures, gallery.problems) == (0, ())
    assert '<li class="superseded">' in page(tmp_path)
    assert '<p id="others">1 superseded</p>' in page(tmp_path)


def test_sub_folders_are_shown_where_that_is_wished(tmp_path: Path, cli: Callable[..., Any]) -> None:
    """With what their own manifests say; else they are told of. What is hidden, or behind a link, is none."""
    for path in ("a.jpg", "one/a.jpg", "one/two/ä b.jpg", ".hidden/c.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(picture())
    (tmp_path / "empty").mkdir()
    if os.name != "nt":
        (tmp_path / "link").symlink_to(tmp_path / "one")
    write_manifest(tmp_path / "one", line(1, "a fox", "a.jpg", "gone.jpg"))
    result = cli("gallery", str(tmp_path))
    assert result.err == "1 sub-folder with pictures left out: --recursive shows them too.\n"
    seen = list[tuple[int, int]]()
    gallery = make_gallery(tmp_path, recursive=True, on_progress=lambda done, of: seen.append((done, of)))
    assert (gallery.pictures, gallery.left_out, seen) == (3, 0, [(1, 2), (2, 2)])
    assert [(problem.name, problem.message) for problem in gallery.problems] == [
        ("one/gone.jpg", "the manifest names it, but it is gone")
    ]
    assert set(re.findall(r'href="([^"]+)"', page(tmp_path))) == {"a.jpg", "one/a.jpg", "one/two/%C3%A4%20b.jpg"}
    assert ">a fox<" in page(tmp_path)
    assert len(thumbnails(tmp_path)) == 3
    assert make_gallery(tmp_path, recursive=True).thumbnails == 0


def test_browser_searches_all_that_is_shown_and_counts_all_of_it(browser: Browser) -> None:
    """A SKU, a size and a model are found; / goes to the search; the counts make up the entries."""

    def at(page: Any) -> Any:
        told = page.inner_text("#count"), page.inner_text("#others")
        page.keyboard.press("/")
        found = {}
        for words in ("a-3", "1792x1024", "klein", "spring"):
            page.keyboard.press("Control+a")
            page.keyboard.type(words)
            found[words] = len(captions(page))
        page.fill("#search", "")
        page.select_option("#sort", "file")
        return told, found, captions(page)[0]

    told, found, first = browser.look(at)
    assert told == ("5 pictures, 1 failed", "1 gone, 1 unreadable")
    assert found == {"a-3": 1, "1792x1024": 1, "klein": 2, "spring": 2}
    assert first == "a fox in the snow"


def test_browser_leaves_room_on_a_phone(browser: Browser) -> None:
    """The controls take less than a third of the screen, and nothing is wider than it."""

    def at(page: Any) -> Any:
        return page.evaluate("[document.querySelector('header').offsetHeight, document.documentElement.scrollWidth]")

    height, width = browser.look(at, viewport={"width": 390, "height": 844})
    assert height < 844 / 3
    assert width <= 390
