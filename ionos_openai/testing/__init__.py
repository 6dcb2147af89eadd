"""Fixtures for the tests of programs that use this package: no token, no network, no cost.

Write in the outermost `conftest.py`, and the fixtures below are there; nothing loads them by itself:

    pytest_plugins = ["ionos_openai.testing"]

`ionos_sandbox_server` needs uvicorn, `ionos_vcr_config` needs vcrpy (with pytest-recording), the others pytest alone.
While tests are collected, an application may make its client at import without a token.

PYTEST_DONT_REWRITE: a conftest may import from here before pytest loads it as a plugin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

try:
    import pytest
except ImportError as error:
    raise ImportError("ionos_openai.testing holds fixtures for pytest: install it with pip install pytest.") from error

import openai

from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.in_process import answering
from ionos_openai.client.settings import IonosSettings, own_variables
from ionos_openai.errors.masking import SIGNS_OF_SECRETS
from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.sandbox import Sandbox, SandboxServer

__all__ = [
    "assert_no_secrets",
    "ionos_async_client",
    "ionos_client",
    "ionos_environment",
    "ionos_sandbox",
    "ionos_sandbox_server",
    "ionos_vcr_config",
]

_CASSETTES = frozenset({".yaml", ".yml", ".json"})

# As keys of YAML or JSON, or at the head of a line: a prompt may have these words.
_HEADERS = {
    name: rf"""(?im:^[\s?-]*[\w-]*{name}\s*:|["'][\w-]*{name}\\?["']\s*:)""" for name in ("authorization", "cookie")
}
_SIGNS = {name: re.compile(pattern) for name, pattern in {**SIGNS_OF_SECRETS, **_HEADERS}.items()}


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
    return cassettes.vcr_config()


def signs_of_secrets(text: str, *tokens: str) -> list[str]:
    """Name what in a file's text looks like a secret, or is one of the tokens; the secrets are not repeated."""
    found = [name for name, pattern in _SIGNS.items() if pattern.search(text)]
    return [*found, *("a token" for token in tokens if token and token in text)]


def assert_no_secrets(directory: str | os.PathLike[str], *tokens: str) -> None:
    """Fail where a cassette (.yaml, .yml, .json) in a directory, or below it, holds what looks like a secret.

    The tokens must not be in them, whatever they look like. The AssertionError names files and kinds, never the secret;
    that there is no cassette at all is one too.
    """
    root = Path(directory)
    paths = sorted(path for path in root.rglob("*") if path.suffix in _CASSETTES and path.is_file())
    if not paths:
        raise AssertionError(f"There are no cassettes (.yaml, .yml, .json) in {root}.")
    found = [
        f"{path.relative_to(root).as_posix()} ({', '.join(signs)})"
        for path in paths
        if (signs := signs_of_secrets(path.read_text(encoding="utf-8", errors="replace"), *tokens))
    ]
    if found:
        raise AssertionError(f"What looks like a secret stands in {'; '.join(found)}: record them again, scrubbed.")
