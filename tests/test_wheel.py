"""What a wheel holds and says of itself: built from this tree, without a network."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

import ionos_openai
from tests import REPOSITORY

if TYPE_CHECKING:
    from email.message import Message

pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -e '.[dev]'")
LICENCE = (REPOSITORY / "ionos_openai" / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.iterdir()
    assert path.name == f"ionos_openai-{ionos_openai.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def in_dist_info(wheel: zipfile.ZipFile, name: str) -> bytes:
    """Return what a file of the wheel's metadata holds."""
    return wheel.read(f"ionos_openai-{ionos_openai.__version__}.dist-info/{name}")


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """What the wheel says of itself."""
    return email.message_from_bytes(in_dist_info(wheel, "METADATA"))


def test_the_whole_package_is_in_it_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every module, the mark of types, the page's templates and the licence; no test."""
    kept = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "ionos_openai").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == kept
    assert {
        "ionos_openai/py.typed",
        "ionos_openai/LICENSE",
        "ionos_openai/gallery/templates/gallery.html",
        "ionos_openai/gallery/templates/gallery.css",
        "ionos_openai/gallery/templates/gallery.js",
    } <= found


def test_the_licence_is_told_and_in_it(wheel: zipfile.ZipFile, metadata: Message) -> None:
    """PEP 639: an expression, the file's path, its text among the metadata, and no classifier that says it again."""
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["ionos_openai/LICENSE"]
    assert in_dist_info(wheel, "licenses/ionos_openai/LICENSE") == LICENCE
    assert b"Copyright (c) 2026 the ionos_openai authors" in LICENCE
    assert metadata["License"] is None
    assert not [name for name in metadata.get_all("Classifier", []) if name.startswith("License")]


def test_the_metadata_says_what_is_supported(metadata: Message) -> None:
    """Every Python, every extra, and the README as the description; no address, since there is none."""
    assert metadata["Requires-Python"] == ">=3.11"
    pythons = [name for name in metadata.get_all("Classifier", []) if name.startswith("Programming Language")]
    assert pythons == [f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)]
    assert {"cli", "redis", "sandbox", "dev"} <= set(metadata.get_all("Provides-Extra", []))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Project-URL"] is None


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    """`ionos-openai` leads to the command line."""
    assert in_dist_info(wheel, "entry_points.txt").decode().split("\n")[:2] == [
        "[console_scripts]",
        "ionos-openai = ionos_openai.__main__:main",
    ]
