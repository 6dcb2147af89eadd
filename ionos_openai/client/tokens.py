"""A client's token: where it comes from, and the last look at it before a request leaves this machine.

The rules that are applied here are those of `credentials.py`, which is pure.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from pydantic import SecretStr

from ionos_openai.client.settings import TOKEN_VARIABLES, IonosSettings, TokenFile
from ionos_openai.errors import ConfigurationError, InvalidTokenError, MissingTokenError, UntrustedHostError
from ionos_openai.errors.notices import in_notebook, is_first
from ionos_openai.hub import credentials
from ionos_openai.hub.credentials import SANDBOX_TOKEN, TOKEN_ADVICE

if TYPE_CHECKING:
    import httpx2 as httpx

log = logging.getLogger("ionos_openai")

TokenSource: TypeAlias = Callable[[], str]
AsyncTokenSource: TypeAlias = Callable[[], Awaitable[str]]
Token: TypeAlias = SecretStr | TokenSource | AsyncTokenSource

# Stands in a copy's arguments for the address of WebSockets, since the SDK would else ask the client for its own.
NO_WEBSOCKETS = "no WebSockets"
_IN_NOTEBOOK = " In a notebook: from getpass import getpass; create_client(api_key=getpass('IONOS token: '))."
_WARN_WITHIN_DAYS = 7


def find_token(settings: IonosSettings, api_key: Token | None, url: str) -> Token:
    """Return the token for `url`, checked, or the callable to ask for it, in the order in which settings count."""
    origin, token = settings.origin("api_key"), settings.api_key if api_key is None else api_key
    if token is None and origin is None:
        if settings.api_key_file is None:
            raise MissingTokenError(_missing_token(settings))
        token = TokenFile(settings.api_key_file)
        checked_token(token(), token, url)
    elif token is None or isinstance(token, SecretStr):
        token = token or SecretStr("")
        inspect_token(token, str(origin or "api_key=") if api_key is None else "api_key=", url)
    return token


def _missing_token(settings: IonosSettings) -> str:
    looked = f"the environment and {settings.env_path}" if settings.env_path else "the environment (.env is turned off)"
    refused = "".join(
        f" {variable} holds a key for IONOS' DNS and hosting API, which the AI Model Hub does not take."
        for variable in settings.refused_variables
    )
    remedy = f"No IONOS token.{_IN_NOTEBOOK} Or set" if in_notebook() else "No IONOS token: set"
    return (
        f"{remedy} {TOKEN_VARIABLES[0]} (or {' or '.join(TOKEN_VARIABLES[1:])}, or IONOS_API_TOKEN_FILE to "
        f"a file that holds it), or pass api_key= in code. Looked in {looked}.{refused} {TOKEN_ADVICE} To try "
        "without one, use the sandbox, which draws placeholders: sandbox=True, IONOS_SANDBOX=1 or --sandbox."
    )


def inspect_token(token: SecretStr, origin: str, url: str) -> None:
    """Refuse a token that cannot work at `url`; warn, once a process, of one that ends within a week."""
    now = datetime.now(UTC)
    expires = credentials.check_token(token, now=now, origin=origin, url=url).expires
    if expires is not None and (expires - now).days < _WARN_WITHIN_DAYS and is_first("a token that expires"):
        log.warning("%s expires on %s UTC. %s", origin, expires.strftime("%Y-%m-%d at %H:%M"), TOKEN_ADVICE)


def checked_token(token: object, source: object, url: str) -> SecretStr:
    """Return what the callable `source` returned, if it can work as a token at `url`."""
    token = SecretStr(plain_token(token))
    place = f"in {source.path}" if isinstance(source, TokenFile) else "from the api_key callable"
    inspect_token(token, f"The token {place}", url)
    return token


def plain_token(token: object) -> str:
    """Return what a callable returned as a token; empty text where it is none."""
    if inspect.iscoroutine(token):
        token.close()  # an async callable in a sync client: refused when it is sent, without Python's warning of it
    return credentials.clean_token(token) if isinstance(token, str) else ""


def _clean_authorization(request: httpx.Request) -> None:
    """Strip the request's token of blanks, and refuse a line break: the HTTP library's error would quote the token."""
    if not _is_clean(request):  # asked elsewhere, so that no variable of this frame holds the token
        raise InvalidTokenError("The Authorization header has line breaks or other characters that no header can have.")


def _is_clean(request: httpx.Request) -> bool:
    given = request.headers.get("authorization", "")
    header = given.strip()
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        header = f"Bearer {credentials.clean_token(token)}"
    elif not header.isascii() or not header.isprintable():
        return False
    if header != given:
        request.headers["authorization"] = header
    return True


def _split_authorization(request: httpx.Request) -> tuple[str, SecretStr]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), SecretStr(token)


def check_departure(request: httpx.Request, base_url: str) -> None:
    """Let a request with a token go only to the client's own service, encrypted, with a token that can work."""
    _clean_authorization(request)
    scheme, token = _split_authorization(request)
    if not scheme or token == SecretStr(SANDBOX_TOKEN):
        return
    url = str(request.url)
    if not credentials.same_origin(url, base_url):
        raise UntrustedHostError(
            f"The request goes to {request.url.host} and not to the client's {base_url}, so the token was not sent: "
            "use a path, or a client of your own for other hosts."
        )
    credentials.check_secure(url, origin="The request")
    if scheme == "bearer":
        inspect_token(token, "The token", url)


class _NoWebSocketsError(ConfigurationError, AttributeError):
    """Also an AttributeError, so that whatever looks through a client's attributes passes this one over."""


def _refuse_websockets(_client: object, address: object = "where a connection goes") -> None:
    if address not in (None, NO_WEBSOCKETS):
        raise _NoWebSocketsError("IONOS documents no API over WebSockets, so the token was not sent over one.")


# For a client's `websocket_base_url`: the SDK asks for it before each connection, of which no other hook is told.
no_websockets = property(_refuse_websockets, _refuse_websockets)
