"""Fixtures for the tests of programs that use this package: no token, no network, no cost.

Write in the outermost `conftest.py`, and the fixtures below are there; nothing loads them by itself:

    pytest_plugins = ["ionos_openai.testing"]

`ionos_sandbox_server` needs uvicorn, `ionos_vcr_config` needs vcrpy (with pytest-recording), the others pytest alone.
While tests are collected, an application may make its client at import without a token.

PYTEST_DONT_REWRITE: a conftest may import from here before pytest loads it as a plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import pytest
except ImportError as error:
    raise ImportError("ionos_openai.testing holds fixtures for pytest: install it with pip install pytest.") from error

from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.in_process import answering
from ionos_openai.client.settings import IonosSettings, own_variables
from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.sandbox import Sandbox, SandboxServer
from ionos_openai.testing.secrets import assert_no_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai

__all__ = [
    "assert_no_secrets",
    "ionos_async_client",
    "ionos_client",
    "ionos_environment",
    "ionos_sandbox",
    "ionos_sandbox_server",
    "ionos_vcr_config",
]


@pytest.fixture
def ionos_sandbox() -> Sandbox:
    """A fresh sandbox: `.requests` holds what it was asked, `.fault(...)` and `.limits(...)` make it difficult."""
    return Sandbox()


@pytest.fixture
def ionos_client(ionos_sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    """A client of `create_client`, answered by `ionos_sandbox` here; nobody's environment has a part in it."""
    with create_client(sandbox=ionos_sandbox, settings=IonosSettings.model_construct()) as client:
        yield client


@pytest.fixture
def ionos_async_client(ionos_sandbox: Sandbox) -> openai.AsyncOpenAI:
    """The async twin of `ionos_client`. It holds no connection, so that it need not be closed."""
    return create_async_client(sandbox=ionos_sandbox, settings=IonosSettings.model_construct())


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let modules that make a client when they are imported be imported; no sandbox answers it by that."""
    with answering(None):
        yield


@pytest.fixture
def ionos_environment(ionos_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """`ionos_sandbox` for applications that make their own clients: it answers every client of this process.

    Clients that were made before are answered by it too, whatever token they have, but for those that were given a
    sandbox. Of the variables that begin with IONOS_ only IONOS_SANDBOX=1 and IONOS_API_TOKEN=sandbox are set.
    """
    for name in own_variables():
        monkeypatch.delenv(name)
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    monkeypatch.setenv("IONOS_API_TOKEN", SANDBOX_TOKEN)
    with answering(ionos_sandbox):
        yield ionos_sandbox


@pytest.fixture
def ionos_sandbox_server(ionos_sandbox: Sandbox) -> Iterator[SandboxServer]:
    """`ionos_sandbox` over HTTP on a free port of this machine: `.base_url`, `.token`, `.sandbox`."""
    with SandboxServer(ionos_sandbox) as server:
        yield server


@pytest.fixture
def ionos_vcr_config() -> dict[str, object]:
    """What `vcr_config` of pytest-recording is to return for cassettes that hold no secret and stay small.

    Each recorded answer says who gave it, "service" or "stand-in" (the sandbox), in the header x-recorded-from.
    The body is matched; few headers are kept; the token and trace ids are scrubbed from headers, addresses and bodies;
    pictures are shrunk to a few pixels, by which those that are sent are matched; and vcrpy does not log bodies.
    """
    try:
        from ionos_openai.testing import cassettes
    except ImportError as error:
        raise ImportError("ionos_vcr_config needs vcrpy: install it with pip install pytest-recording.") from error
    cassettes.quiet_vcr()
    return cassettes.vcr_config()
