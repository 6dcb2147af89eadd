"""From the command line's options to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.client import create_client
from ionos_openai.errors import ConfigurationError, IonosError
from ionos_openai.settings import IonosSettings, foreign_variables

if TYPE_CHECKING:
    import openai

    from ionos_openai.cli.options import Connection


def connect(connection: Connection, settings: IonosSettings) -> openai.OpenAI:
    """Make the client that the options and the settings ask for.

    Raises:
        ConfigurationError: A setting, or a variable that the HTTP library reads, cannot work.
        InvalidTokenError: The token cannot work.
    """
    try:
        return create_client(
            settings=settings,
            base_url=connection.base_url,
            ca_bundle=connection.ca_bundle,
            max_wait=connection.max_wait,
            sandbox=True if connection.sandbox else None,
        )
    except IonosError:
        raise
    # The HTTP library's own words may hold a proxy's password, so that they are not passed on.
    except ImportError:
        problem = f"{_set('PROXY')} names a SOCKS proxy, which needs the package socksio: pip install socksio"
    except OSError:
        problem = f"The certificates that {_set('SSL_CERT')} names cannot be read: mend or unset it"
    except ValueError:
        problem = f"{_set('PROXY')} cannot be used: write http://HOST:PORT, or unset it"
    raise ConfigurationError(f"{problem}.")


def _set(part: str) -> str:
    """Return the variables that are set and have `part` in their name, as a phrase."""
    names = [name for name in foreign_variables() if part in name.upper() and name.upper() != "NO_PROXY"]
    return " or ".join(names) or f"A {part} variable"


def uses_sandbox(connection: Connection, settings: IonosSettings) -> bool:
    """Tell whether the stand-in answers instead of the service."""
    return connection.sandbox or settings.sandbox
