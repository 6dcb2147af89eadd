"""Whole programs in the styles that people write: what `--write` makes of them, and that they run then.

`programs/before_NAME.py` is written for OpenAI, `programs/after_NAME.py` what it becomes, byte for byte. A line
`# needs: a, b` names parameters that the oldest SDK lacks, `# runs with: package` what else must be installed.
"""

from __future__ import annotations

import gc
import importlib.util
import inspect
import os
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from openai.resources.images import Images

from ionos_openai.cli.migrate.project import migrate_file, write_edited
from ionos_openai.cli.migrate.source import migrate_source

PROGRAMS = Path(__file__).parent / "programs"
NAMES = sorted(path.stem.removeprefix("before_") for path in PROGRAMS.glob("before_*.py"))
IN_A_PROCESS = ["async_script", "command_line"]
_PICTURE = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|data:image/(?:jpeg|png);base64,")


def _after(name: str) -> Path:
    return PROGRAMS / f"after_{name}.py"


def _skip_where_it_cannot_run(program: str) -> None:
    for package in re.findall(r"(?m)^# runs with: (\w+)", program):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    for parameters in re.findall(r"(?m)^# needs: (.+)", program):
        if not set(parameters.split(", ")) <= set(inspect.signature(Images.generate).parameters):
            pytest.skip(f"this SDK has no {parameters}")


def _pictures() -> list[Path]:
    return [path for path in Path.cwd().rglob("*") if path.is_file() and _PICTURE.search(path.read_bytes())]


def test_there_are_more_than_twenty_programs_that_are_rewritten() -> None:
    """The styles that people write in are many, and so are the programs here."""
    assert len([name for name in NAMES if _after(name).exists()]) > 20


@pytest.mark.parametrize("name", NAMES)
def test_writing_makes_exactly_the_expected_program(name: str, tmp_path: Path) -> None:
    """What is written is the expected file, byte for byte, line ends included."""
    path = tmp_path / f"{name}.py"
    path.write_bytes((PROGRAMS / f"before_{name}.py").read_bytes())
    write_edited(migrate_file(path))
    assert path.read_bytes() == _after(name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_migrated_program_is_left_alone(name: str) -> None:
    """Migrating twice changes nothing more."""
    again = migrate_file(_after(name))
    assert again.migration is not None
    assert not again.is_changed
    assert [finding for finding in again.migration.findings if finding.effort == "write"] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IN_A_PROCESS])
def test_a_migrated_program_leaves_a_picture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing changed but what is written, the program runs and its picture is on disk."""
    _skip_where_it_cannot_run(_after(name).read_text(encoding="utf-8"))
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    with warnings.catch_warnings():
        # People's programs warn, of files left open and of what the client adapts.
        warnings.simplefilter("ignore")
        runpy.run_path(str(_after(name)), run_name="__main__")
        gc.collect()
    assert _pictures() != []


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_a_migrated_program_runs_as_a_script(name: str) -> None:
    """It runs as people run it, in a process of its own."""
    _skip_where_it_cannot_run(_after(name).read_text(encoding="utf-8"))
    environment = {**os.environ, "IONOS_SANDBOX": "1", "PYTHONPATH": str(PROGRAMS.parents[3])}
    done = subprocess.run([sys.executable, _after(name)], env=environment, capture_output=True, check=False)
    assert (done.returncode, _pictures() != []) == (0, True), done.stderr.decode()


@pytest.mark.parametrize("name", NAMES)
def test_only_lines_of_clients_and_imports_change(name: str) -> None:
    """Each line that has nothing to do with a client stays as it was."""
    before = (PROGRAMS / f"before_{name}.py").read_bytes().decode()
    untouched = [line for line in before.splitlines() if "images.generate" in line and "OpenAI(" not in line]
    edited = migrate_source(before).edited.splitlines()
    assert [line for line in untouched if line not in edited] == []
