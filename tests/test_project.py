"""What stands beside the package for whoever works on it: workflow, hooks, changelog, tox environments."""

from __future__ import annotations

import re
import tomllib

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

import ionos_openai
from tests import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))


def test_the_workflow_runs_the_checks_with_every_python() -> None:
    """`.ci/run` decides, and finds each Python that is promised; the lowest is `python3`, which comes last."""
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    (pythons,) = [
        step["with"]["python-version"].split() for step in job["steps"] if "setup-python" in step.get("uses", "")
    ]
    assert pythons == PYTHONS[::-1]


def test_tox_has_every_python() -> None:
    """Each that is promised has an environment."""
    assert {f"py{python.replace('.', '')}" for python in PYTHONS} <= set(PROJECT["tool"]["tox"]["env_list"])


def test_the_hooks_run_what_the_checks_run() -> None:
    """Ruff, mypy and the order of the rooms, in the versions that are installed."""
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    checks = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    programs = [hook["entry"].split()[0] for hook in hooks]
    assert programs == ["ruff", "ruff", "mypy", "lint-imports"]
    assert all(f"bin/{program}" in checks for program in programs)


def test_the_changelog_knows_this_version() -> None:
    """What is not released yet comes first, then the version that the package says it is."""
    text = (REPOSITORY / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert versions[1][0] == ionos_openai.__version__
    assert all(date for _, date in versions[1:])
