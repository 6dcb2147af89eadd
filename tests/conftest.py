"""What every test stands on: an environment without anybody's variables, a folder of its own, and cassettes.

A test marked with `vcr` replays `cassettes/NAME.yaml`, NAME being its `default_cassette`. With `--record-mode` its
clients ask the sandbox, with `--live` as well the service, and what comes is recorded.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from pytest_recording import network

from ionos_openai import create_async_client, create_client
from ionos_openai.client.pacing import turns
from ionos_openai.errors import notices
from ionos_openai.sandbox import Sandbox
from tests import REPOSITORY, recordings
from tests.terminal import Result
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    import openai

    from tests.loopback import LoopbackServer

pytest_plugins = ["ionos_openai.testing"]

CASSETTES = REPOSITORY / "cassettes"
RECORD_COMMAND = "pytest --record-mode=rewrite tests/testing/test_cassettes.py"
OF_A_JOB = {"CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "COLUMNS", "LINES"}

_live_token = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets recording reach the service."""
    parser.addoption(
        "--live",
        action="store_true",
        help="With --record-mode: record from the service. Needs IONOS_API_TOKEN, and every picture costs money.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register our marker, take the token before the tests hide it, and quieten vcrpy."""
    config.addinivalue_line(
        "markers", "fault(name, times=1): What the first requests meet; recorded from the sandbox, also with --live."
    )
    logging.getLogger("vcr").setLevel(logging.WARNING)  # at INFO it logs whole bodies
    if not config.getoption("--live"):
        return
    if config.getoption("--record-mode") in (None, "none"):
        raise pytest.UsageError("--live records from the service: add --record-mode=rewrite, or leave --live out.")
    token = os.environ.get("IONOS_API_TOKEN", "").strip()
    if not token:
        raise pytest.UsageError("--live asks the service and needs a token: set IONOS_API_TOKEN.")
    config.stash[_live_token] = token


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose cassette is missing, or was not played to its end."""
    cassette = getattr(item, "funcargs", {}).get("vcr")
    replays = cassette is not None and cassette.write_protected
    if replays:
        recordings.check_present(cassette, command=RECORD_COMMAND)
    result = yield
    if replays:
        recordings.check_played(cassette)
    return result


def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    """Have cassettes written so that they can be read."""
    vcr.register_serializer("yaml", recordings.ReadableYaml)


@pytest.fixture(autouse=True)
def _clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the developer's own variables and `.env` file, and those of a job that runs the tests, from every test."""
    for name in list(os.environ):
        if name.startswith(("IONOS_", "OPENAI_", "AWS_")) or name.lower().endswith("_proxy") or name in OF_A_JOB:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    # No test waits for the service's limits unless it asks to, nor touches how full this user's buckets are.
    monkeypatch.setenv("IONOS_PACE", "off")
    state = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(state))
    turns.reset(state_directory=state / "ionos-openai")
    notices.reset()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A loopback server that keeps each request as it came and answers from a script."""
    from tests.loopback import LoopbackServer

    with LoopbackServer() as running:
        yield running


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    """The folder of all cassettes, beside the package and the tests."""
    return str(CASSETTES)


@pytest.fixture
def recorded_from(request: pytest.FixtureRequest, record_mode: str) -> recordings.RecordedFrom:
    """Who answers while a cassette is recorded, or who answered when the one that is replayed was."""
    if request.node.get_closest_marker("vcr") is None:
        return "stand-in"  # The plugin asks for `vcr_config` in every test.
    if record_mode == "none":
        path = CASSETTES / f"{request.getfixturevalue('default_cassette_name')}.yaml"
        return recordings.source_of(path) if path.is_file() else "stand-in"
    is_live = _live_token in request.config.stash and request.node.get_closest_marker("fault") is None
    return "service" if is_live else "stand-in"


@pytest.fixture
def vcr_config(ionos_vcr_config: dict[str, object]) -> dict[str, object]:
    """How cassettes are recorded and replayed."""
    return ionos_vcr_config


@pytest.fixture
def _client_options(
    request: pytest.FixtureRequest, record_mode: str, recorded_from: recordings.RecordedFrom
) -> Iterator[dict[str, Any]]:
    """What makes a client that fits the record mode; only `--live` lets a request out."""
    with ExitStack() as stack:
        if record_mode == "none":
            options: dict[str, Any] = {"api_key": make_token()}
        elif recorded_from == "service":
            # Only what is not compressed can be scrubbed for certain.
            headers = {"accept-encoding": "identity"}
            options = {"api_key": request.config.stash[_live_token], "default_headers": headers}
        else:
            # The plugin lets every request out that is to be recorded.
            stack.enter_context(network.blocking_context(allowed_hosts=request.getfixturevalue("allowed_hosts")))
            options = {"api_key": make_token(), "sandbox": _sandbox(request)}
        yield options


def _sandbox(request: pytest.FixtureRequest) -> Sandbox:
    sandbox = Sandbox()
    marker = request.node.get_closest_marker("fault")
    if marker is not None:
        sandbox.fault(*marker.args, **marker.kwargs)
    return sandbox


@pytest.fixture
def cassette_client(_client_options: dict[str, Any]) -> Iterator[openai.OpenAI]:
    """A client of the factory on the production URL, whose answers come from the cassette or go into it."""
    with create_client(**_client_options) as client:
        yield client


@pytest.fixture
async def cassette_async_client(_client_options: dict[str, Any]) -> AsyncIterator[openai.AsyncOpenAI]:
    """The async twin of `cassette_client`."""
    async with create_async_client(**_client_options) as client:
        yield client


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Carry out a command line in this process."""
    app = pytest.importorskip("ionos_openai.cli.app", reason="the command line's packages are not installed")

    def run(*arguments: str) -> Result:
        code = app.run(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
