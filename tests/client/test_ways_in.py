"""A guard: every way into the SDK's constructor, and every variable that it reads, was looked at by somebody.

A new one may be a new way to sign in, or lead a request elsewhere: look at `_REFUSED` and `_Ionos.__init__` in
`ionos_openai/client/hooks.py`, mend what lets it through, and only then add it to the list.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import openai
import pytest

# What the client takes as its own, or passes on to the SDK as it is.
TAKEN = {
    "api_key", "base_url", "websocket_base_url", "timeout", "max_retries", "default_headers", "default_query",
    "http_client", "webhook_secret", "_strict_response_validation", "_enforce_credentials",
}  # fmt: skip
REFUSED = {"admin_api_key", "data_residency", "organization", "project", "provider", "workload_identity"}
# Whose values are dropped or never asked for; OPENAI_LOG only sets how much the SDK logs.
VARIABLES = {
    "OPENAI_ADMIN_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET",
}  # fmt: skip
# Of the old module-level client and of Azure's, which nothing here makes.
OTHERS = {"OPENAI_API_TYPE", "OPENAI_API_VERSION"}


@pytest.mark.parametrize("client", [openai.OpenAI, openai.AsyncOpenAI])
def test_every_argument_of_the_sdk_was_reviewed(client: type[openai.OpenAI | openai.AsyncOpenAI]) -> None:
    """An argument that nobody has looked at goes through `**options` in silence."""
    arguments = set(inspect.signature(client).parameters)
    assert arguments - TAKEN - REFUSED == set(), "look at _REFUSED in ionos_openai/client/hooks.py"


def test_every_variable_of_the_sdk_was_reviewed() -> None:
    """A variable that nobody has looked at may send OpenAI's own secrets to IONOS."""
    folder = Path(openai.__file__).parent
    files = [file for file in folder.rglob("*.py") if not {"types", "resources"} & set(file.parts)]
    found = {name for file in files for name in re.findall(r"\bOPENAI_[A-Z_]+\b", file.read_text("utf-8"))}
    assert found - VARIABLES - OTHERS == set(), "look at _Ionos.__init__ in ionos_openai/client/hooks.py"
