"""Which files are read, what is wrong with some, and how edited ones are written."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from ionos_openai.cli.migrate import program
from ionos_openai.cli.migrate.findings import SourceError
from ionos_openai.cli.migrate.project import (
    FileMigration,
    find_sources,
    migrate_file,
    migrate_files,
    other_languages,
    write_edited,
)
from ionos_openai.errors import ConfigurationError

ASKED = "client.images.generate(prompt='x')\n"
SOURCE = f"from openai import OpenAI\nclient = OpenAI()\n{ASKED}"
LATIN = b"# -*- coding: latin-1 -*-\n# \xe9\n"
WRITTEN = f"from ionos_openai import create_client\nclient = create_client()\n{ASKED}"


def put(path: str, content: str | bytes = SOURCE) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def names() -> list[str]:
    return [path.name for path in Path.cwd().iterdir()]


def written(path: Path) -> bytes:
    write_edited(migrate_file(path))
    return path.read_bytes()


def test_only_files_that_are_ours_to_read_are_found() -> None:
    """Version control, virtual environments, installed packages and links are passed over, whatever they are called."""
    for name in ["a.py", "b.ipynb", ".env", ".env.local", "sub/c.yaml", "sub/d.toml", "sub/e.json", "sub/f.yml"]:
        put(name)
    for name in [
        ".git/a.py",
        "node_modules/a.json",
        "__pycache__/a.py",
        "lib/site-packages/a.py",
        "notes.txt",
        "a.pyc",
    ]:
        put(name)
    put("anything/pyvenv.cfg")
    put("anything/a.py")
    assert [path.as_posix() for path in find_sources(["."])] == [
        ".env", ".env.local", "a.py", "b.ipynb", "sub/c.yaml", "sub/d.toml", "sub/e.json", "sub/f.yml",
    ]  # fmt: skip


def test_links_are_not_followed(tmp_path: Path) -> None:
    """What a link leads to outside the tree is neither read nor written, and a loop does not end the walk."""
    outside = put(str(tmp_path / "outside" / "a.py"))
    put("tree/b.py")
    try:
        Path("tree/linked.py").symlink_to(outside)
        Path("tree/folder").symlink_to(outside.parent, target_is_directory=True)
        Path("tree/loop").symlink_to(Path("tree").resolve(), target_is_directory=True)
    except OSError:
        pytest.skip("no links on this system")
    assert [path.as_posix() for path in find_sources(["tree"])] == ["tree/b.py"]


def test_a_file_that_is_named_twice_comes_once() -> None:
    """Overlapping paths do not double the report."""
    put("sub/a.py")
    assert len(list(find_sources(["sub", "sub/a.py", "."]))) == 1


def test_a_path_that_is_not_there_is_refused_before_anything_is_done() -> None:
    """A typo must not look like clean code."""
    put("a.py")
    with pytest.raises(ConfigurationError, match=r"^There is no file or directory b\.py: name one that exists\.$"):
        next(find_sources(["a.py", "b.py"]))


@pytest.mark.parametrize(
    ("name", "content", "reason", "matters"),
    [
        ("a.py", b"# " + b"x" * 10**7, "it is larger than 1 MB", False),
        ("a.py", b"x" * 10**6 + b"\nimport OpenAI" + b"x" * 10**6, "it is larger than 1 MB", True),
        ("a.py", "import openai  # é".encode("latin-1"), "its text is not in the encoding that it says", True),
        ("a.py", "# é".encode("latin-1"), "its text is not in the encoding that it says", False),
        ("a.py", SOURCE.encode("utf-16"), "its text is not in the encoding that it says", True),
        ("a.py", b"# coding: no-such-thing\nimport openai", "its text is not in the encoding that it says", True),
        ("a.py", b"import openai = 3", "it is not valid Python in line 1 (invalid syntax)", True),
        ("a.py", b"x = = 3", "it is not valid Python in line 1 (invalid syntax)", False),
        ("a.ipynb", b"openai", "it is not a notebook: not JSON, or of another shape", True),
    ],
)
def test_what_cannot_be_read_is_told_with_its_reason(name: str, content: bytes, reason: str, matters: bool) -> None:
    """A bad file is a reported skip; only one that looks like OpenAI's is left to a person."""
    path = put(name, content)
    found = migrate_file(path)
    assert (found.migration, found.skipped, found.left_by_hand) == (None, reason, matters)
    write_edited(found)
    assert path.read_bytes() == content


def test_a_file_that_takes_too_long_is_skipped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file never holds up the others."""
    monkeypatch.setattr(program, "LONGEST", -1.0)
    found = migrate_file(put("a.py"))
    assert (found.skipped, found.left_by_hand) == ("it takes longer than -1 s to look through: split it", True)


@pytest.mark.parametrize(
    "line",
    [
        "x = OpenAI()\nx.chat.completions.create()\nx.images.generate(model='dall-e-3')\n",
        "OpenAI().images.generate(model='dall-e-3', prompt='x')\n",
        "f(OpenAI())\ny.images.generate(model='dall-e-3')\n",
        "client.images.generate(model=MODEL, prompt='é');",
        "def f():\n    from openai import OpenAI\n    return OpenAI().images.generate(prompt='x')\n",
        "def get():\n    global client\n    client = client or OpenAI()\n    return client\n",
        "d = {'a': 'x', 'b': 'sk-aaaaaaaaaaaaaaaaaaaa'}\nu = made.data[0].url\nopen('a.png', 'wb')\n",
    ],
)
def test_what_stands_there_a_thousand_times_takes_no_longer_each_time(line: str) -> None:
    """Twelve times the lines take about twelve times as long, and not a hundred and forty-four times."""

    def measure(count: int) -> float:
        path = put("a.py", f"import os\nfrom openai import OpenAI\nMODEL = 'dall-e-3'\n{line * count}\n")
        start = time.process_time()
        assert migrate_file(path, calls=True).skipped is None
        return time.process_time() - start

    measure(100)
    assert measure(2400) < 50 * max(measure(200), 0.02)


def test_a_directory_in_a_files_place_is_told() -> None:
    """What the system refuses is told too."""
    Path("a.py").mkdir()
    assert (migrate_file(Path("a.py")).skipped or "").startswith("it cannot be read (")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xef\xbb\xbf" + SOURCE.encode(), b"\xef\xbb\xbf" + WRITTEN.encode()),
        (SOURCE.replace("\n", "\r\n").encode(), WRITTEN.replace("\n", "\r\n").encode()),
        (LATIN + SOURCE.encode(), LATIN + WRITTEN.encode()),
        (b"# coding: cp1252\n" + SOURCE.encode() + b"'\x80'", b"# coding: cp1252\n" + WRITTEN.encode() + b"'\x80'"),
        (SOURCE.encode() + "x = '漢字'\t \n\n".encode(), WRITTEN.encode() + "x = '漢字'\t \n\n".encode()),
        (b"x = 1   \n\n\n", b"x = 1   \n\n\n"),
        (b"", b""),
    ],
)  # fmt: skip
def test_encoding_line_ends_and_byte_order_mark_stay(before: bytes, after: bytes) -> None:
    """Only the bytes of what is rewritten differ."""
    assert written(put("a.py", before)) == after


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes")
def test_the_mode_stays_and_nothing_is_left_beside() -> None:
    """An executable script stays one, and no temporary file remains."""
    path = put("a.py")
    path.chmod(0o750)
    assert written(path) == WRITTEN.encode()
    assert (stat.S_IMODE(path.stat().st_mode), names()) == (0o750, ["a.py"])


def test_a_link_that_is_named_stays_a_link() -> None:
    """The file behind it is written."""
    path = put("real/a.py")
    try:
        Path("link.py").symlink_to(path)
    except OSError:
        pytest.skip("no links on this system")
    assert written(Path("link.py")) == WRITTEN.encode()
    assert Path("link.py").is_symlink()


def test_a_file_that_changed_meanwhile_is_left_alone() -> None:
    """What somebody else wrote since is not overwritten."""
    path = put("a.py")
    found = migrate_file(path)
    path.write_text("x = 1\n")
    with pytest.raises(SourceError, match=r"^it was changed while it was read$"):
        write_edited(found)
    assert (path.read_text(), names()) == ("x = 1\n", ["a.py"])


def test_a_failure_of_the_disk_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is half-written."""
    path = put("a.py")
    found = migrate_file(path)

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SourceError, match=r"^it cannot be written \(No space left on device\)$"):
        write_edited(found)
    assert (path.read_text(), names()) == (SOURCE, ["a.py"])


def test_notebooks_and_configuration_are_never_written() -> None:
    """They are only reported."""
    cell = '{"cells": [{"cell_type": "code", "source": "from openai import OpenAI; OpenAI().images.edit()"}]}'
    for name, content in [("a.ipynb", cell), (".env", "OPENAI_API_KEY=x"), ("a.toml", "model = 'dall-e-3'")]:
        path = put(name, content)
        found = migrate_file(path)
        assert isinstance(found, FileMigration)
        assert (bool(found.migration and found.migration.findings), found.is_changed) == (True, False)
        write_edited(found)
        assert path.read_text() == content


CHATS = "client.chat.completions.create()\n"


@pytest.mark.parametrize(
    ("files", "is_rewritten"),
    [
        ({"draw.py": f"from shop.client import client\n{ASKED}"}, True),
        ({"draw.py": f"from .client import client\n{ASKED}"}, True),
        ({"draw.py": "from shop import client\nclient.client.images.generate(prompt='x')\n"}, True),
        ({"draw.py": f"from shop.client import client as c\nself.c = c\nself.c.{ASKED[7:]}"}, True),
        ({"__init__.py": "from .client import client\n", "draw.py": f"from shop import client\n{ASKED}"}, True),
        ({"draw.py": f"from .client import client\n{ASKED}", "talk.py": f"from .client import client\n{CHATS}"}, False),
        (
            {"draw.py": f"from .client import client\n{ASKED}", "give.py": "from .client import client\nf(client)\n"},
            False,
        ),
        ({"talk.py": f"from .client import client\n{CHATS}"}, False),
        ({"draw.py": ASKED}, False),
        ({}, False),
    ],
)
def test_a_shared_client_is_rewritten_where_all_its_users_draw(files: dict[str, str], is_rewritten: bool) -> None:
    """The project is read as one: who imports a client, and what for, also where a file never names OpenAI."""
    put("shop/client.py", "from openai import OpenAI\nclient = OpenAI()\n")
    for name, content in files.items():
        put(f"shop/{name}", content)
    found = {file.path.name: file for file in migrate_files(["."])}
    assert found["client.py"].is_changed == is_rewritten
    unseen = [finding.code for finding in found["draw.py"].migration.findings if finding.kind == "client"] if (
        "draw.py" in found and found["draw.py"].migration
    ) else []  # fmt: skip
    assert bool(unseen) == (files == {"draw.py": ASKED})


def test_the_users_of_a_client_that_stays_are_named() -> None:
    """Its file says who asks it for pictures, and who for more."""
    put("client.py", "from openai import OpenAI\ndef get_client():\n    return OpenAI()\n")
    put("draw.py", "from client import get_client\nget_client().images.generate(prompt='x')\n")
    put("talk.py", "from client import get_client\nget_client().responses.create(input='x')\n")
    found = next(file.migration for file in migrate_files(["."]) if file.path.name == "client.py")
    assert found is not None
    assert [(finding.code, finding.remedy) for finding in found.findings] == [
        ("OpenAI(...) is used by talk.py for more than pictures", "pictures = create_client(), used by draw.py")
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("requirements.txt", "openai>=2\n"),
        ("requirements-dev.txt", "# ours\nclick\nopenai[images]==2.1\n"),
        ("pyproject.toml", "[project]\ndependencies = ['click', \"openai>=1\"]\n"),
    ],
)
def test_what_installs_openai_is_named_where_code_changes(name: str, content: str) -> None:
    """Else the written program would miss the package; nothing is said where it is there, or where nothing changes."""
    put(name, content)
    put("a.py")
    last = content.count("\n")
    assert dependencies() == [(name, last)]
    put(name, f"{content}ionos-openai\n")
    assert dependencies() == []
    put(name, content)
    put("a.py", f"from openai import OpenAI\nOpenAI().{CHATS[7:]}")
    assert dependencies() == []


def test_inline_metadata_of_a_script_are_named() -> None:
    """A runner would not install the package."""
    put("a.py", f"# /// script\n# dependencies = ['openai']\n# ///\n{SOURCE}")
    assert dependencies() == [("a.py", 2)]


def dependencies() -> list[tuple[str, int]]:
    found = [(file.path.name, finding) for file in migrate_files(["."]) if file.migration
             for finding in file.migration.findings]  # fmt: skip
    return [(name, finding.line) for name, finding in found if finding.kind == "dependency"]


def test_other_languages_are_counted() -> None:
    """Nobody reads them here, and nobody misses them either."""
    put("a.ts", "await client.images.generate({model: 'dall-e-3'})")
    put("b.go", 'url := base + "/images/generations"')
    put("c.go", "package main")
    assert other_languages(["."]) == {"TypeScript": 1, "Go": 1}
