"""From the command line's options to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.client import create_client

if TYPE_CHECKING:
    import openai

    from ionos_openai.cli.terminal.options import Connection
    from ionos_openai.client.settings import IonosSettings


def connect(connection: Connection, settings: IonosSettings) -> openai.OpenAI:
    """Make the client that the options and the settings ask for; raises what `create_client` raises."""
    return create_client(
        settings=settings,
        base_url=connection.base_url,
        ca_bundle=connection.ca_bundle,
        max_wait=connection.max_wait,
        sandbox=True if connection.sandbox else None,
    )


def uses_sandbox(connection: Connection, settings: IonosSettings) -> bool:
    """Tell whether the sandbox answers instead of the service."""
    return connection.sandbox or settings.sandbox
