"""Fixtures for the tests of programs that use this package: no token, no network, no cost.

Write in the outermost `conftest.py`, and the fixtures below are there; nothing loads them by itself:

    pytest_plugins = ["ionos_openai.testing"]

`ionos_sandbox`, `ionos_client` and `ionos_async_client` need nothing but pytest; `ionos_sandbox_server` needs uvicorn,
and `ionos_vcr_config` needs vcrpy (with pytest-recording).

PYTEST_DONT_REWRITE: a conftest may import from here before pytest loads it as a plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import pytest
except ImportError as error:
    raise ImportError("ionos_openai.testing holds fixtures for pytest: install it with pip install pytest.") from error

from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.settings import IonosSettings
from ionos_openai.sandbox import Sandbox, SandboxServer
from ionos_openai.testing.secrets import assert_no_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai

__all__ = [
    "assert_no_secrets",
    "ionos_async_client",
    "ionos_client",
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
    """A client of `create_client`, answered by `ionos_sandbox` in this process."""
    with create_client(sandbox=ionos_sandbox, settings=_defaults()) as client:
        yield client


@pytest.fixture
def ionos_async_client(ionos_sandbox: Sandbox) -> openai.AsyncOpenAI:
    """The async twin of `ionos_client`. It holds no connection, so that it need not be closed."""
    return create_async_client(sandbox=ionos_sandbox, settings=_defaults())


def _defaults() -> IonosSettings:
    """Return settings that nobody's environment has a part in: tests are to pass on every machine."""
    return IonosSettings.model_construct()


@pytest.fixture
def ionos_sandbox_server(ionos_sandbox: Sandbox) -> Iterator[SandboxServer]:
    """`ionos_sandbox` over HTTP on a free port of this machine: `.base_url`, `.token`, `.sandbox`."""
    with SandboxServer(ionos_sandbox) as server:
        yield server


@pytest.fixture
def ionos_vcr_config() -> dict[str, object]:
    """What `vcr_config` of pytest-recording is to return for cassettes that hold no secret and stay small.

    Each recorded answer says who gave it, "service" or "stand-in" (the sandbox), in the header x-recorded-from.
    The body is matched; of headers only a few are kept; the token and trace ids are scrubbed from headers, addresses
    and bodies; pictures are shrunk to a few pixels; and vcrpy does not log bodies.
    """
    try:
        from ionos_openai.testing import cassettes
    except ImportError as error:
        raise ImportError("ionos_vcr_config needs vcrpy: install it with pip install pytest-recording.") from error
    cassettes.quiet_vcr()
    return cassettes.vcr_config()
