"""File names, and writes that are whole, synced and never take another file's name."""

from __future__ import annotations

import base64
import errno
import multiprocessing
import os
import random
import signal
import stat
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ionos_openai.client import settings as settings_module
from ionos_openai.errors import ImageSaveError, InvalidRequestError
from ionos_openai.files import writing as files
from ionos_openai.files.names import SavingSettings, choose_format, choose_saving, clean_name, shorten, slug
from ionos_openai.files.writing import check_directory, write_new
from ionos_openai.images.image import GeneratedImage, save_images

RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com¹", "lpt9", "com0"}


def image(prompt: str | None = None, data: bytes = b"bytes") -> GeneratedImage:
    return GeneratedImage(data=data, format="JPEG", width=1, height=1, prompt=prompt)


@pytest.fixture(autouse=True)
def _without_marks(monkeypatch) -> None:
    """Names and writing are tested here, with bytes that are no pictures and cannot be marked."""
    monkeypatch.setenv("IONOS_PROVENANCE", "off")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(params=["with hard links", "without hard links", "without os.link"])
def any_file_system(request, monkeypatch) -> None:
    """Run on a file system that has hard links, and on ones that refuse them."""
    if request.param == "without hard links":
        monkeypatch.setattr(os, "link", refuse_link)
    if request.param == "without os.link":
        monkeypatch.delattr(os, "link")


def refuse_link(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A futuristic cityscape at sunset, highly detailed", "a-futuristic-cityscape-at-sunset-highly-detailed"),
        ("  Ein  Fuchs/Über\\den:Wolken!? ", "ein-fuchs-über-den-wolken"),
        ("e\u0301te\u0301", "été"),
        ("狐と月", "狐と月"),
        ("หมาจิ้งจอก", "หมาจิ้งจอก"),
        ("ثعلب ٣", "ثعلب-٣"),
        ("fox_2 (final).png", "fox-2-final-png"),
        ("", "image"),
        ("🦊🌅", "image"),
        ("❤️", "image"),
        ("👩🏽‍🚀 astronaut ❤️", "astronaut"),
        ("\u0301fox", "fox"),
        ("\ud800", "image"),
        ("...", "image"),
        ("CON", "image-con"),
        ("Lpt³", "image-lpt³"),
        ("conquer", "conquer"),
        ("a" * 200, "a" * 80),
        ("a" * 79 + " b", "a" * 79),
        ("a" * 79 + "x\u0328\u0320", "a" * 79),
        ("狐" * 80, "狐" * 66),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_a_prompt_becomes_a_file_name(prompt: str, name: str) -> None:
    """Letters and digits of any script stay, all else becomes single hyphens."""
    assert slug(prompt) == name


@given(st.text(max_size=300))
def test_any_prompt_becomes_a_name_that_is_valid_everywhere(prompt: str) -> None:
    """Whatever the prompt, the name is short, normalised, and valid on Windows too."""
    name = slug(prompt)

    assert 0 < len(name) <= 80
    assert len(name.encode()) <= 200
    assert unicodedata.is_normalized("NFC", name)
    assert not set(name) & set('<>:"/\\|?*. ')
    assert name == name.strip("-")
    assert unicodedata.category(name[0])[0] in "LN"
    assert name not in RESERVED


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Fox & Hound", "Fox & Hound"),
        ('a<b>c:d"e|f?g*h\ti\x00.png', "a-b-c-d-e-f-g-h-i-.png"),
        ("  fox.png. . ", "fox.png"),
        ("photo.v2", "photo.v2"),
        ("NUL", "image-NUL"),
        ("con .tar.gz", "image-con .tar.gz"),
        ("COM¹.png", "image-COM¹.png"),
        ("ConIn$", "image-ConIn$"),
        ("console", "console"),
        (".hidden", ".hidden"),
        ("fox\u202egpj.exe", "fox-gpj.exe"),
        ("\u2066fox\u2069", "-fox-"),
    ],
)
def test_a_name_is_kept_as_written_where_every_system_takes_it(name: str, cleaned: str) -> None:
    """Only what Windows forbids, or shows letters in another order, is changed in a name that the user chose."""
    assert clean_name(name) == cleaned


@pytest.mark.parametrize("name", ["a/b", "a\\b", "../fox", "/"])
def test_a_name_that_is_a_path_is_refused(tmp_path, name: str) -> None:
    """A name cannot lead out of the directory, and nothing is written or made."""
    with pytest.raises(InvalidRequestError) as caught:
        save_images([image()], tmp_path / "new", name=name)

    assert str(caught.value) == (
        f"name={name!r} is a path: give the directory as the directory, and a plain file name as name."
    )
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["", " ", ".", "..", ". .", "..."])
def test_a_name_of_nothing_is_refused(name: str) -> None:
    """Names that are empty once cleaned are errors."""
    with pytest.raises(InvalidRequestError) as caught:
        clean_name(name)

    assert str(caught.value) == f"name={name!r} is no file name: give one with letters in it, such as 'fox'."


@pytest.mark.parametrize("name", [".png", ".JPG", ".gif"])
def test_an_extension_alone_is_no_name(tmp_path, name: str) -> None:
    """It would be a hidden file of another format."""
    with pytest.raises(InvalidRequestError) as caught:
        GeneratedImage(data=b"x", format="JPEG", width=1, height=1).save(tmp_path / name)

    assert str(caught.value) == f"{name!r} is an extension without a name: write one, such as 'fox{name}'."
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=300))
def test_any_accepted_name_is_valid_on_windows(name: str) -> None:
    """Whatever is accepted as a name can be a file on Windows, and fits its limits."""
    try:
        full = shorten(choose_format(clean_name(name), "JPEG")[0])
    except InvalidRequestError:
        return

    assert len(full.encode()) <= 200
    assert full.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))
    assert not any(c in '<>:"/\\|?*' or ord(c) < 32 for c in full)
    assert full.partition(".")[0].rstrip().lower() not in RESERVED


@pytest.mark.parametrize(
    ("name", "source", "wanted", "expected"),
    [
        ("fox", "JPEG", None, ("fox.jpg", None)),
        ("fox", "AVIF", None, ("fox.avif", None)),
        ("photo.v2", "JPEG", None, ("photo.v2.jpg", None)),
        ("photo.v2", "JPEG", "PNG", ("photo.v2.png", "PNG")),
        ("fox.JPEG", "JPEG", None, ("fox.JPEG", None)),
        ("fox.jpg", "JPEG", "JPEG", ("fox.jpg", None)),
        ("fox.PNG", "JPEG", None, ("fox.PNG", "PNG")),
        ("fox.webp", "PNG", "WEBP", ("fox.webp", "WEBP")),
        ("fox.gif", "GIF", None, ("fox.gif", None)),
    ],
)
def test_name_and_bytes_decide_the_format(name, source, wanted, expected) -> None:
    """An extension asks for a format, and a name without one gets that of the bytes."""
    assert choose_format(name, source, wanted) == expected


def test_a_long_name_keeps_its_extension(tmp_path) -> None:
    """A name is cut to 200 bytes, before its extension and between letters."""
    (path,) = save_images([image()], tmp_path, name="ü" * 300 + ".jpg")

    assert path.name == "ü" * 98 + ".jpg"


@pytest.mark.usefixtures("any_file_system")
def test_several_pictures_of_one_call_are_numbered(tmp_path) -> None:
    """The first picture has the plain name, the next ones numbers, and no existing file is touched."""
    first = save_images([image("Fox", b"1"), image("Fox", b"2")], tmp_path / "a/b", file_names="prompt")
    second = save_images([image("Fox", b"3"), image("Fox", b"4")], tmp_path / "a/b", file_names="prompt")

    assert [path.name for path in first + second] == ["fox.jpg", "fox-2.jpg", "fox-3.jpg", "fox-4.jpg"]
    assert [path.read_bytes() for path in first + second] == [b"1", b"2", b"3", b"4"]
    assert names(tmp_path / "a/b") == ["fox-2.jpg", "fox-3.jpg", "fox-4.jpg", "fox.jpg"]


@pytest.mark.usefixtures("any_file_system")
def test_overwriting_replaces_file_by_file(tmp_path) -> None:
    """With overwrite=True the same call writes the same names, and still one file per picture."""
    for round_ in (b"old", b"new"):
        paths = save_images(
            [image(None, round_ + b"1"), image(None, round_ + b"2")], tmp_path, name="fox", overwrite=True
        )

    assert {path.name: path.read_bytes() for path in paths} == {"fox.jpg": b"new1", "fox-2.jpg": b"new2"}
    assert names(tmp_path) == ["fox-2.jpg", "fox.jpg"]


needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions and links")


@needs_posix
def test_overwriting_keeps_permissions_and_the_link_that_was_named(tmp_path) -> None:
    """In a chain of links, in another directory, and of several pictures; the rest is replaced as ever."""
    store = tmp_path / "store"
    store.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (store / name).write_bytes(b"old")
        (store / name).chmod(0o604)
    (tmp_path / "hop.jpg").symlink_to(store / "a.jpg")
    (tmp_path / "fox.jpg").symlink_to("hop.jpg")
    (tmp_path / "fox-2.jpg").symlink_to("store/b.jpg")
    paths = save_images([image(data=b"1"), image(data=b"2")], tmp_path, name="fox", overwrite=True)

    assert [path.is_symlink() for path in paths] == [True, True]
    assert [(path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in paths] == [(b"1", 0o604), (b"2", 0o604)]
    assert (names(tmp_path), names(store)) == (["fox-2.jpg", "fox.jpg", "hop.jpg", "store"], ["a.jpg", "b.jpg"])


@needs_posix
@pytest.mark.parametrize("target", ["notes", "nowhere.jpg", "folder.jpg"])
def test_a_link_to_anything_but_a_picture_is_replaced(target: str, tmp_path) -> None:
    """What it leads to is neither written nor made."""
    (tmp_path / "notes").write_bytes(b"precious")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "fox.jpg").symlink_to(target)
    assert not image(data=b"new").save(tmp_path / "fox.jpg", overwrite=True).is_symlink()
    assert (tmp_path / "notes").read_bytes() == b"precious"
    assert names(tmp_path) == ["folder.jpg", "fox.jpg", "notes"]


@needs_posix
def test_a_link_whose_name_nobody_chose_is_replaced(tmp_path) -> None:
    """A stranger's directory may hold one under the name that a prompt leads to."""
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    (tmp_path / "fox.jpg").symlink_to("mine.jpg")
    (path,) = save_images(image("Fox", b"new"), tmp_path, overwrite=True)
    assert (path.is_symlink(), (tmp_path / "mine.jpg").read_bytes()) == (False, b"mine")


@pytest.mark.parametrize("before", [b"", b"longer than the new one", b"short"])
def test_a_file_that_is_mounted_by_itself_is_written_into(before: bytes, tmp_path, monkeypatch) -> None:
    """It cannot be replaced, as a container's `-v ./fox.jpg:/data/fox.jpg`; nothing is left beside it."""

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    (tmp_path / "fox.jpg").write_bytes(before)
    number = (tmp_path / "fox.jpg").stat().st_ino
    monkeypatch.setattr(Path, "replace", refuse)
    image(data=b"new picture").save(tmp_path / "fox.jpg", overwrite=True)
    assert ((tmp_path / "fox.jpg").read_bytes(), (tmp_path / "fox.jpg").stat().st_ino) == (b"new picture", number)
    assert names(tmp_path) == ["fox.jpg"]


@pytest.mark.usefixtures("any_file_system")
def test_a_name_that_is_a_directory_or_a_dangling_link_is_taken(tmp_path) -> None:
    """Whatever stands under a name, it is left alone."""
    (tmp_path / "fox.jpg").mkdir()
    (tmp_path / "fox-3.jpg").symlink_to(tmp_path / "nowhere")

    written = [write_new(tmp_path, "fox.jpg", b"x").name for _ in range(2)]

    assert written == ["fox-2.jpg", "fox-4.jpg"]
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("any_file_system")
def test_a_name_taken_while_writing_is_left_alone(tmp_path, monkeypatch) -> None:
    """A file that another program makes after the directory was read is not replaced."""
    listed = os.listdir

    def list_then_race(path):
        found = listed(path)
        for name in ("fox.jpg", "fox-2.jpg"):
            Path(path, name).write_bytes(b"theirs")
        return found

    monkeypatch.setattr(os, "listdir", list_then_race)

    assert write_new(tmp_path, "fox.jpg", b"ours").name == "fox-3.jpg"
    assert (tmp_path / "fox-2.jpg").read_bytes() == b"theirs"


def test_numbers_that_belong_to_another_name_do_not_count(tmp_path) -> None:
    """The lowest free number is taken, whatever else ends in a number."""
    for name in ("fox.jpg", "fox-2024.jpg", "fox-2.png", "fox-x.jpg", "foxes-2.jpg", "fox-²2.jpg"):
        (tmp_path / name).touch()

    assert write_new(tmp_path, "fox.jpg", b"x").name == "fox-2.jpg"


def test_one_save_among_thousands_of_the_same_name_tries_few_names(tmp_path, monkeypatch) -> None:
    """The number comes from one look at the directory, not from trying each."""
    for number in range(1, 2001):
        (tmp_path / files.numbered("fox.jpg", number)).touch()
    tried, link = [], os.link
    monkeypatch.setattr(os, "link", lambda part, final: (tried.append(final), link(part, final)))

    assert write_new(tmp_path, "fox.jpg", b"x").name == "fox-2001.jpg"
    assert len(tried) == 2


def test_a_digest_does_not_tell_the_prompt(tmp_path) -> None:
    """file_names="digest" names files by the prompt's SHA-256, and pictures without a prompt "image"."""
    paths = save_images([image("Fox"), image(None)], tmp_path, file_names="digest")

    assert [path.name for path in paths] == ["f55bd2cdfae79728.jpg", "image.jpg"]


def test_an_unknown_way_of_naming_is_refused(tmp_path) -> None:
    """Only the two known ways exist."""
    with pytest.raises(InvalidRequestError) as caught:
        save_images([image("Fox")], tmp_path, file_names="secret")  # type: ignore[arg-type]

    assert str(caught.value) == "file_names='secret' is not known: choose 'prompt' or 'digest'."


def test_the_setting_decides_where_the_call_does_not(tmp_path, monkeypatch) -> None:
    """The settings are asked once a call, and not at all where the call leaves nothing open."""
    asked = []

    def settings() -> SavingSettings:
        asked.append(1)
        return SavingSettings(file_names="digest", provenance=False)

    monkeypatch.setattr(settings_module, "saving_settings", settings)

    first, second = save_images([image("Fox"), image("Hen")], tmp_path)
    image("Fox").save(tmp_path / "plain", provenance=False)
    save_images(image("Fox"), tmp_path, name="named", provenance=False)

    assert (first.stem, second.stem) == (files.digest("Fox"), files.digest("Hen"))
    assert asked == [1]


def test_settings_are_read_only_for_what_the_arguments_leave_open() -> None:
    """An argument wins; without the mark, whether it has the prompt is no question."""
    settings = SavingSettings(file_names="digest", provenance=False, prompt_in_metadata=True)

    def refuse() -> SavingSettings:
        raise AssertionError

    assert choose_saving(settings, provenance=None, prompt_in_metadata=None) == settings
    assert choose_saving(lambda: settings, provenance=True, prompt_in_metadata=None) == SavingSettings(
        file_names="digest", provenance=True, prompt_in_metadata=True
    )
    for provenance, prompt in ((False, None), (True, False)):
        assert choose_saving(
            refuse, file_names="prompt", provenance=provenance, prompt_in_metadata=prompt
        ) == SavingSettings(provenance=provenance)


def test_the_prompt_of_a_response_names_its_files(tmp_path) -> None:
    """A plain dict is decoded and saved under the prompt that is handed over."""
    gif = b"GIF89a\x01\x00\x02\x00\x00\x00\x00;"

    paths = save_images(
        {"data": [{"b64_json": base64.b64encode(gif).decode()}]}, tmp_path, prompt="A Fox", file_names="prompt"
    )

    assert [path.name for path in paths] == ["a-fox.gif"]
    assert paths[0].read_bytes() == gif


def test_saving_nothing_writes_nothing(tmp_path) -> None:
    """No pictures give no paths."""
    assert save_images([], tmp_path, file_names="prompt") == []


@pytest.mark.parametrize("spell", ["out", "out/"])
def test_a_picture_saved_into_a_directory_is_named_after_its_prompt(tmp_path, monkeypatch, spell: str) -> None:
    """An existing directory, or a path that ends in a separator, gets a file with the prompt's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IONOS_FILE_NAMES", raising=False)
    if not spell.endswith("/"):
        Path("out").mkdir()

    assert image("A fox").save(spell) == Path("out/a-fox.jpg")
    assert names(tmp_path / "out") == ["a-fox.jpg"]


def test_save_makes_directories_and_never_overwrites(tmp_path) -> None:
    """Parents are made, a taken name leads to the next one, overwrite=True replaces."""
    target = tmp_path / "deep" / "er" / "fox"

    assert image().save(target) == target.with_suffix(".jpg")
    assert image(data=b"2").save(target).name == "fox-2.jpg"
    assert image(data=b"3").save(str(target), overwrite=True).read_bytes() == b"3"
    assert names(target.parent) == ["fox-2.jpg", "fox.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.usefixtures("any_file_system")
def test_files_have_the_usual_permissions(tmp_path) -> None:
    """Others may read a picture where the umask lets them."""
    before = os.umask(0o027)
    try:
        path = write_new(tmp_path, "fox.jpg", b"x")
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_directory_that_can_be_written_is_made_and_left_empty(tmp_path) -> None:
    """The check makes the directory and leaves nothing in it."""
    assert check_directory(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert check_directory(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert names(tmp_path / "a" / "b") == []


def test_a_directory_that_is_a_file_is_refused(tmp_path) -> None:
    """A file where the directory should be is a clear error, before and while saving."""
    (tmp_path / "file").touch()

    for act in (check_directory, lambda path: save_images([image()], path, name="a")):
        with pytest.raises(ImageSaveError) as caught:
            act(tmp_path / "file")
        assert str(caught.value) == f"{tmp_path / 'file'} is a file, not a directory. Choose another directory."
        with pytest.raises(ImageSaveError) as caught:
            act(tmp_path / "file" / "deeper")
        assert str(caught.value) == (
            f"Cannot make the directory {tmp_path / 'file' / 'deeper'}: Not a directory. Choose another directory."
        )


def test_a_directory_that_takes_no_files_is_refused(tmp_path, monkeypatch) -> None:
    """What counts is whether a file can be made, also for an administrator."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ImageSaveError) as caught:
        check_directory(tmp_path)

    assert str(caught.value) == (
        f"Cannot write into the directory {tmp_path}: Permission denied. Choose another directory."
    )
    assert caught.value.errno == errno.EACCES


@pytest.mark.usefixtures("any_file_system")
def test_a_full_disk_leaves_no_torn_file_and_tells_what_is_written(tmp_path, monkeypatch) -> None:
    """The disk fills up at the second picture: the first is kept and named, of the second nothing is left."""
    calls, sync = [], os.fsync

    def fill_up(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 3:  # The first picture, its directory, the second picture.
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fill_up)

    with pytest.raises(ImageSaveError) as caught:
        save_images([image(), image()], tmp_path, name="fox")

    assert str(caught.value) == (
        f"Cannot save fox-2.jpg in {tmp_path}: No space left on device. "
        "The pictures are still in memory: save them elsewhere with image.save(path)."
    )
    assert caught.value.paths == [tmp_path / "fox.jpg"]
    assert names(tmp_path) == ["fox.jpg"]


def test_an_error_of_the_link_that_is_no_refusal_is_told(tmp_path, monkeypatch) -> None:
    """A disk that fails while the name is given is an error, and the hidden file is removed."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", fail)

    with pytest.raises(ImageSaveError, match="Input/output error"):
        write_new(tmp_path, "fox.jpg", b"x")
    assert names(tmp_path) == []


def test_file_and_directory_are_synced_before_the_save_returns(tmp_path, monkeypatch) -> None:
    """The bytes are on disk before the name shows, and the name is before the call returns."""
    seen, sync = [], os.fsync

    def watch(handle: int) -> None:
        found = os.fstat(handle)
        seen.append(("directory" if stat.S_ISDIR(found.st_mode) else found.st_size, names(tmp_path)))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write_new(tmp_path, "fox.jpg", b"12345")

    (size, before), (kind, after) = seen
    assert (size, kind, after) == (5, "directory", ["fox.jpg"])
    assert before[0].startswith(".fox.jpg.")
    assert before[0].endswith(".part")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_is_used_all_the_same(tmp_path, monkeypatch, number: int) -> None:
    """Some mounted drives refuse to sync; pictures are saved on them."""

    def refuse(_: int) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "fsync", refuse)

    assert write_new(tmp_path, "fox.jpg", b"x").read_bytes() == b"x"


@pytest.mark.usefixtures("any_file_system")
def test_old_leftovers_are_swept_and_nothing_else(tmp_path) -> None:
    """A save removes our hidden files that are older than an hour, and no others."""
    ours = [".fox.jpg.0123456789abcdef.part", ".fox.jpg.ionos.claim"]
    others = [".fox.part", "fox.0123456789abcdef.part", ".bashrc", ".a.claim", ".fox.jpg.0123456789ABCDEF.part"]
    hour_ago = time.time() - 3700
    for name in [*ours, *others]:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (hour_ago, hour_ago))
    young = tmp_path / ".owl.jpg.0123456789abcdef.part"
    young.touch()

    write_new(tmp_path, "fox.jpg", b"x")

    assert names(tmp_path) == sorted([*others, young.name, "fox.jpg"])


def test_a_claim_of_another_process_is_respected(tmp_path, monkeypatch) -> None:
    """Where names are claimed, a claimed name is not used."""
    monkeypatch.setattr(os, "link", refuse_link)
    (tmp_path / ".fox.jpg.ionos.claim").touch()

    assert write_new(tmp_path, "fox.jpg", b"x").name == "fox-2.jpg"


@pytest.mark.usefixtures("any_file_system")
def test_an_explicit_path_may_use_the_whole_length_of_a_name(tmp_path) -> None:
    """Hidden names stay within the system's limit, also for the longest name."""
    name = "x" * 251 + ".jpg"

    assert image().save(tmp_path / name).name == name


def save_many(directory: str, worker: int, *, links: bool) -> None:
    if not links:
        os.link = refuse_link  # type: ignore[assignment]
    for number in range(10):
        write_new(directory, "fox.jpg", f"{worker}-{number};".encode() * 5000)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.slow
def test_four_processes_that_save_one_name_at_once_lose_nothing(tmp_path, links: bool) -> None:
    """Forty saves by four processes give forty whole files with forty contents."""
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=save_many, args=(str(tmp_path), number), kwargs={"links": links}) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0] * 4
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert contents == {f"{w}-{n};".encode() * 5000 for w in range(4) for n in range(10)}
    assert len(names(tmp_path)) == 40


SAVE_FOR_EVER = """
import os, sys, errno
from ionos_openai.files.writing import write_new
def refuse(*_): raise OSError(errno.EOPNOTSUPP, "refused")
if sys.argv[2] == "no links": os.link = refuse
print("ready", flush=True)
while True: write_new(sys.argv[1], "fox.jpg", b"whole;" * 50_000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("links", ["links", "no links"])
def test_a_killed_process_leaves_no_torn_file(tmp_path, links: str) -> None:
    """Whenever a process dies, visible files are whole, and at most one hidden .part is left."""
    for round_ in range(4):
        before = set(names(tmp_path))
        child = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(tmp_path), links], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout
            child.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(random.Random(round_).uniform(0.01, 0.05))
            child.kill()
        left = [name for name in names(tmp_path) if name.startswith(".") and name not in before]
        assert len([name for name in left if name.endswith(".part")]) <= 1

    visible = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert all(path.read_bytes() == b"whole;" * 50_000 for path in visible)
    assert visible


def test_saving_looks_through_no_directory_twice(tmp_path, monkeypatch) -> None:
    """What takes as long as there are files is done once, for leftovers; a free number is found without."""
    for number in range(50):
        (tmp_path / f"other-{number}.jpg").touch()
    looks, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: (looks.append(folder), listdir(folder))[1])
    for name in ("owl.jpg", "cat.jpg", "fox.jpg", "fox.jpg", "fox.jpg", "fox.jpg"):
        write_new(tmp_path, name, b"x")
    assert all((tmp_path / name).exists() for name in ("fox.jpg", "fox-2.jpg", "fox-3.jpg", "fox-4.jpg"))
    assert len(looks) == 1


def test_leftovers_are_judged_by_the_file_systems_own_clock(tmp_path, monkeypatch) -> None:
    """A file server may be hours behind this machine, and what others are just writing is no leftover."""
    hours_behind = time.time() - 7200
    young = tmp_path / ".owl.jpg.0123456789abcdef.part"
    young.touch()
    os.utime(young, (hours_behind, hours_behind))
    written = files._write_synced
    monkeypatch.setattr(
        files, "_write_synced", lambda path, data: (written(path, data), os.utime(path, (hours_behind, hours_behind)))
    )
    write_new(tmp_path, "fox.jpg", b"x")
    assert young.exists()


def test_a_free_number_among_many_is_found_in_few_looks(tmp_path, monkeypatch) -> None:
    """The lowest of the next few; behind them a free one, however many files and gaps there are, without a listing."""
    for number in [*range(1, 5), *range(6, 400), 500]:
        (tmp_path / files.numbered("fox.jpg", number)).touch()
    write_new(tmp_path, "owl.jpg", b"x")  # so that leftovers were looked for
    looks, exists = [], os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: (looks.append(path), exists(path))[1])
    monkeypatch.setattr(os, "listdir", lambda folder: pytest.fail("the directory was listed"))
    assert write_new(tmp_path, "fox.jpg", b"x").name == "fox-5.jpg"
    assert [write_new(tmp_path, "fox.jpg", b"x").name for _ in range(3)] == [
        "fox-400.jpg",
        "fox-401.jpg",
        "fox-402.jpg",
    ]
    assert len(looks) < 4 * 30


def test_leftovers_beside_what_can_be_made_again_are_swept(tmp_path) -> None:
    """As those of pictures are; a fresh one is somebody's at work."""
    old, young = tmp_path / ".a.jpg.0123456789abcdef.part", tmp_path / ".b.jpg.0123456789abcdef.part"
    for path, age in ((old, 7200), (young, 60)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    files.replace_file(tmp_path / "facts.json", b"{}")
    assert names(tmp_path) == [young.name, "facts.json"]
