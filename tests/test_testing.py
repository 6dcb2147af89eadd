"""The kit for our users' tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest
import vcr

from ionos_openai import generate_images
from ionos_openai.testing import assert_no_secrets

if TYPE_CHECKING:
    from ionos_openai.sandbox import Sandbox, SandboxServer

EXAMPLE = Path(__file__).with_name("example_project")


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("IONOS_", "PYTEST_"))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_example_project_passes(tmp_path: Path) -> None:
    """A user's project with one line in its conftest has the fixtures, and its three tests pass."""
    shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    done = run(
        "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error", folder=tmp_path / "project"
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_is_loaded_unasked(tmp_path: Path) -> None:
    """Without that line, pytest knows no fixture of ours."""
    (tmp_path / "test_it.py").write_text("def test_it(ionos_sandbox): pass\n", encoding="utf-8")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert "fixture 'ionos_sandbox' not found" in done.stdout


def test_without_pytest_the_error_says_so(tmp_path: Path) -> None:
    """The module's import names what to install."""
    done = run("-c", "import sys; sys.modules['pytest'] = None; import ionos_openai.testing", folder=tmp_path)
    expected = "ImportError: ionos_openai.testing holds fixtures for pytest: install it with pip install pytest."
    assert done.stderr.splitlines()[-1] == expected


def test_the_fixtures_are_one_stand_in(
    ionos_sandbox: Sandbox, ionos_client: openai.OpenAI, ionos_sandbox_server: SandboxServer
) -> None:
    """The client, the stand-in and its server share requests, faults and limits."""
    assert generate_images(ionos_client, "a fox", model="klein", size="64x64")[0].sandbox
    with openai.OpenAI(
        base_url=ionos_sandbox_server.base_url, api_key=ionos_sandbox_server.token, max_retries=0
    ) as plain:
        assert len(plain.models.list().data) == 20
        assert [request.path for request in ionos_sandbox.requests] == ["/v1/images/generations", "/v1/models"]
        ionos_sandbox.fault("unauthorized")
        with pytest.raises(openai.AuthenticationError):
            plain.models.list()
        ionos_sandbox.limits("documented")
        for _ in range(10):
            ionos_client.models.list()
        with pytest.raises(openai.RateLimitError):
            plain.models.list()


async def test_the_async_client(ionos_async_client: openai.AsyncOpenAI) -> None:
    """The async client asks the stand-in too."""
    assert len((await ionos_async_client.models.list()).data) == 20


def test_a_users_cassettes_are_scrubbed(
    ionos_vcr_config: dict[str, object], ionos_client: openai.OpenAI, tmp_path: Path
) -> None:
    """What a user records is small, holds no token, and replays only for the same request."""
    path = tmp_path / "fox.yaml"
    recorder = vcr.VCR(record_mode="once", **ionos_vcr_config)
    with recorder.use_cassette(str(path)):
        generate_images(ionos_client, "a fox", size="1024x1024")
    assert_no_secrets(tmp_path, "sandbox-token")
    assert path.stat().st_size < 10_000
    with recorder.use_cassette(str(path)) as cassette:
        generate_images(ionos_client, "a fox", size="1024x1024")
        assert cassette.play_count == 1


def test_secrets_are_found_and_not_repeated(tmp_path: Path) -> None:
    """Each file with what looks like a secret is named with its kind; a directory without cassettes is a mistake."""
    with pytest.raises(AssertionError) as caught:
        assert_no_secrets(tmp_path)
    assert str(caught.value) == f"There are no cassettes (.yaml, .yml, .json) in {tmp_path}."
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.yaml").write_text("Authorization: Bearer my-secret", encoding="utf-8")
    (tmp_path / "two.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        assert_no_secrets(tmp_path, "my-secret")
    assert str(caught.value) == (
        "What looks like a secret stands in deep/one.yaml (Bearer, authorization, a token): "
        "record them again, scrubbed."
    )
