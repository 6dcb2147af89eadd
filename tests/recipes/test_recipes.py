"""The recipes that start the sandbox: their commands, run without a container, do what the recipes wait for."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from tests.sandbox.test_sandbox_clients import run


def recipe(name: str) -> Any:
    """Return a recipe's YAML, parsed."""
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


@pytest.mark.skipif(os.name == "nt", reason="The command is for a Linux container")
def test_the_compose_file_starts_the_server() -> None:
    """The command of the compose file, run as a plain process, passes the check that the app waits for."""
    compose = recipe("compose.yaml")
    service = compose["services"]["ionos"]
    assert compose["services"]["app"]["depends_on"] == {"ionos": {"condition": "service_healthy"}}
    start = shlex.split(service["command"])[-1].partition("&& exec ")[2].replace("8600", "0").split()
    assert start[:2] == ["ionos-openai", "sandbox"]
    command = [sys.executable, "-m", "ionos_openai", *start[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(line for line in process.stdout if "IONOS_BASE_URL" in line).strip().partition("=")[2]
            with urllib.request.urlopen(address.replace("/v1", "/sandbox/health")) as answer:
                assert json.load(answer) == {"status": "ok", "sandbox": True, "pid": process.pid}
            check = service["healthcheck"]["test"].replace("http://127.0.0.1:8600", address.removesuffix("/v1"))
            run(sys.executable, *shlex.split(check)[1:])
            started = time.monotonic()
            process.terminate()  # as `docker stop` does
            process.communicate(timeout=10)
            assert time.monotonic() - started < 2
        finally:
            process.kill()


def test_the_workflow_is_whole() -> None:
    """The GitHub Actions job starts the same command and waits until it answers."""
    workflow = recipe("workflow.yaml")
    (job,) = workflow["jobs"].values()
    steps = "\n".join(step.get("run", "") for step in job["steps"])
    assert "ionos-openai sandbox" in steps
    assert "/sandbox/health" in steps
    assert '| grep "\\"pid\\":$!"' in steps
    assert job["env"] == {
        "IONOS_BASE_URL": "http://127.0.0.1:8600/v1",
        "IONOS_API_TOKEN": "sandbox",
        "OPENAI_BASE_URL": "http://127.0.0.1:8600/v1",
        "OPENAI_API_KEY": "sandbox",
    }


def test_the_image_starts_the_same_command() -> None:
    """The Dockerfile's command is the one of the compose file, and it is no shell that a signal would stop at."""
    lines = Path(__file__).with_name("Dockerfile").read_text(encoding="utf-8").splitlines()
    started = json.loads(lines[-1].removeprefix("CMD "))
    assert " ".join(started) in recipe("compose.yaml")["services"]["ionos"]["command"]
