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
from tests import REPOSITORY
from tests.recordings import source_of

if TYPE_CHECKING:
    from ionos_openai.sandbox import Sandbox, SandboxServer

EXAMPLE = REPOSITORY / "tests" / "example_project"


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("IONOS_", "PYTEST_"))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
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
    """The client, the sandbox and its server share requests, faults and limits."""
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


@pytest.fixture
def difficult_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own environment, which has values that cannot work and a `.env` file that cannot be read."""
    monkeypatch.setenv("IONOS_MAX_RETRIES", "0")
    monkeypatch.setenv("IONOS_TIMEOUT", "abc")
    Path(".env").write_bytes(b"IONOS_SANDBOX=\xff")


@pytest.mark.usefixtures("difficult_environment")
async def test_the_environment_has_no_part_in_the_fixtures(request: pytest.FixtureRequest) -> None:
    """The fixtures' clients have the defaults, whatever the environment says."""
    for name in ("ionos_client", "ionos_async_client"):
        assert request.getfixturevalue(name).max_retries == 2
    assert len((await request.getfixturevalue("ionos_async_client").models.list()).data) == 20
    assert request.getfixturevalue("ionos_vcr_config")


async def test_the_async_client(ionos_async_client: openai.AsyncOpenAI) -> None:
    """The async client asks the sandbox too."""
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


RECORDING_CONFTEST = """
import pytest

pytest_plugins = ["ionos_openai.testing"]


@pytest.fixture
def vcr_config(ionos_vcr_config):
    return ionos_vcr_config
"""
RECORDING_TESTS = """
import openai
import pytest
from ionos_openai import generate_images


@pytest.mark.vcr
def test_in_process(ionos_client):
    generate_images(ionos_client, "a fox")


@pytest.mark.vcr
def test_over_http(ionos_sandbox_server):
    with openai.OpenAI(base_url=ionos_sandbox_server.base_url, api_key="x", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError):
            client.images.generate(model="nobody/nothing", prompt="a fox")
"""


@pytest.mark.slow
def test_a_users_cassettes_say_who_answered(tmp_path: Path) -> None:
    """What a user records from the fixtures says that the sandbox answered, over HTTP too, be it an error."""
    (tmp_path / "conftest.py").write_text(RECORDING_CONFTEST, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(RECORDING_TESTS, encoding="utf-8")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--record-mode=once", folder=tmp_path)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    paths = sorted((tmp_path / "cassettes").rglob("*.yaml"))
    assert [source_of(path) for path in paths] == ["stand-in", "stand-in"]


@pytest.mark.parametrize(
    "text",
    [
        '{"prompt": "a cookie on a plate"}',
        '{"prompt": "cookie: the movie", "size": "1024x1024"}',
        "prompt: a letter of authorization, a ring bearer at a wedding",
        '{"b64_json": "abceyJabcdefgh", "prompt": "sk-8 boards"}',
        '{"seen": "Bearer <token>"}',
    ],
)
def test_prompts_are_no_secrets(tmp_path: Path, text: str) -> None:
    """Words that also stand in headers are no secret where they are mere words."""
    (tmp_path / "one.json").write_text(text, encoding="utf-8")
    assert_no_secrets(tmp_path)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("headers:\n  Set-Cookie:\n  - a=b", "cookie"),
        ('{"headers": {"Proxy-Authorization": ["x"]}}', "authorization"),
        ('{"body": "{\\"cookie\\": \\"a=b\\"}"}', "cookie"),
        ("a: bearer a1b2", "Bearer"),
        ("a: bearer abcdefghijkl", "Bearer"),
        ("a: bearer abc.def", "Bearer"),
        ("a: 'eyJhbGci'", "eyJ"),
        ("a: sk-abcdefgh", "sk-"),
    ],
)
def test_what_is_no_word_is_a_secret(tmp_path: Path, text: str, sign: str) -> None:
    """Headers, and what has the look of a token, are found."""
    (tmp_path / "one.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=rf"one\.yaml \({sign}\)"):
        assert_no_secrets(tmp_path)


def test_secrets_are_found_and_not_repeated(tmp_path: Path) -> None:
    """Each file with what looks like a secret is named with its kind; a directory without cassettes is a mistake."""
    with pytest.raises(AssertionError) as caught:
        assert_no_secrets(tmp_path)
    assert str(caught.value) == f"There are no cassettes (.yaml, .yml, .json) in {tmp_path}."
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.yaml").write_text("Authorization: Bearer my-secret-token", encoding="utf-8")
    (tmp_path / "two.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        assert_no_secrets(tmp_path, "my-secret-token")
    assert str(caught.value) == (
        "What looks like a secret stands in deep/one.yaml (Bearer, authorization, a token): "
        "record them again, scrubbed."
    )


# Applications that make their own clients.

APPLICATION = """
from ionos_openai import create_async_client, create_client, generate_images

client, later = create_client(), create_async_client()


def draw(prompt):
    return generate_images(client, prompt, size="64x64", model="klein")
"""
APPLICATION_TESTS = """
import openai
import pytest

import application
from ionos_openai import BudgetExceededError, create_client
from ionos_openai.sandbox import Sandbox


@pytest.mark.parametrize("turn", [1, 2])
def test_it_draws(ionos_environment, turn):
    assert application.draw("a fox")[0].sandbox
    assert [request.body["prompt"] for request in ionos_environment.requests] == ["a fox"]
    assert {request.token for request in ionos_environment.requests} == {"sandbox"}


def test_faults_and_limits(ionos_environment):
    ionos_environment.fault("unauthorized")
    with pytest.raises(openai.AuthenticationError):
        application.draw("a fox")
    ionos_environment.limits(images_per_minute=1, image_burst=1)
    application.draw("a fox")
    with pytest.raises(openai.RateLimitError):
        application.client.with_options(max_retries=0).images.generate(prompt="a fox")


def test_in_a_loop_and_made_later(ionos_environment):
    import asyncio

    async def names():
        return [model.id for model in (await application.later.models.list()).data]

    assert len(asyncio.run(names())) == len(asyncio.run(names())) == 20
    create_client().models.list()
    own = Sandbox()
    create_client(sandbox=own).models.list()
    assert (len(ionos_environment.requests), len(own.requests)) == (3, 1)


def test_without_it_nobody_answers(monkeypatch):
    with pytest.raises(openai.OpenAIError):
        application.client.with_options(max_retries=0).models.list()
"""


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ0ZXN0In0.c2lnbmF0dXJl"])
def test_an_application_that_makes_its_client_at_import(tmp_path: Path, token: str) -> None:
    """It is answered by each test's fresh sandbox, be there a token in the environment or none, and else by nobody."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["ionos_openai.testing"]\n', encoding="utf-8")
    (tmp_path / "application.py").write_text(APPLICATION, encoding="utf-8")
    (tmp_path / "test_application.py").write_text(APPLICATION_TESTS, encoding="utf-8")
    variables = {"IONOS_API_TOKEN": token, "HTTPS_PROXY": "http://127.0.0.1:1", "IONOS_BASE_URL": ""}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("IONOS_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment |= {name: value for name, value in variables.items() if value}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert "5 passed" in done.stdout, done.stdout + done.stderr


def test_the_environments_variables_are_the_sandboxs(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Nothing of a developer's own variables is left."""
    monkeypatch.setenv("IONOS_TIMEOUT", "abc")
    sandbox = request.getfixturevalue("ionos_environment")
    assert sandbox is request.getfixturevalue("ionos_sandbox")
    left = {name: value for name, value in os.environ.items() if name.startswith("IONOS_")}
    assert left == {"IONOS_SANDBOX": "1", "IONOS_API_TOKEN": "sandbox"}
