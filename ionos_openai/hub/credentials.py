"""The rules: what an IONOS token is, and where it may go. `tokens.py` applies them to a client.

Pure: no environment, no network, and the clock is handed in. No message in here holds a token, whole or in part.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from ionos_openai.errors import ConfigurationError, InvalidTokenError, UntrustedHostError
from ionos_openai.errors.numbers import is_whole_number
from ionos_openai.errors.words import undressed

BASE_URL = "https://openai.inference.de-txl.ionos.com/v1"
"""The only server in IONOS' published API description (Berlin). Source: IONOS documentation, 2026-11."""

TOKEN_ADVICE = "Make a token in IONOS' Data Center Designer under Management > Token Manager."  # noqa: S105 - no secret
SANDBOX_TOKEN = "sandbox"  # noqa: S105 - no secret, and that is its point

_HUB_PRIVILEGE = "ACCESS_AND_MANAGE_AI_MODEL_HUB"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HOSTING_KEY = re.compile(r"(?!eyJ)[\w-]+\.[\w-]+")
_TELLTALE = re.compile(r"(?i:bearer\s).*|eyJ[\w=.-]{20,}|sk-[\w-]{20,}", re.DOTALL)
_IONOS_HOST = re.compile(r"(?:[a-z0-9_-]+\.)*ionos\.com")
_BRACKETED = re.compile(r"\[[0-9a-fA-F:.]+\](?::\d*)?")
_LONGEST_URL = 2_000
_ENDPOINT = re.compile(r"/(?:images/(?:generations|edits)|(?:chat/)?completions|embeddings|models)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What can be read from a token without a key."""

    # "jwt", "opaque" (not readable as a JWT: let through) or "sandbox" (the sandbox's, no secret)
    kind: Literal["jwt", "opaque", "sandbox"]
    expires: datetime | None = None  # when it ends, in UTC; None where it does not say
    contract: str | None = None  # the contract's number; None where it does not say
    may_use_hub: bool | None = None  # whether its privileges name the AI Model Hub; None where it lists none


def conceal(token: object) -> object:
    """Return a token that is text as a `SecretStr`, cleaned, so that no traceback shows it; all else as it is."""
    text = token.get_secret_value() if isinstance(token, SecretStr) else token
    return SecretStr(clean_token(text)) if isinstance(text, str) else text


def clean_token(text: str) -> str:
    """Return `text` without outer blanks, without quotes (Windows' `set` keeps them) and without a leading "Bearer"."""
    return re.sub(r"(?i)^bearer(\s+|$)", "", undressed(text)).strip()


def is_hosting_key(token: str) -> bool:
    """Tell whether `token` has the shape of a key for IONOS' DNS and hosting API: "prefix.secret"."""
    return bool(_HOSTING_KEY.fullmatch(token))


def looks_like_token(text: str) -> bool:
    """Tell whether `text`, where something else belongs, is a token or an OpenAI key by its beginning."""
    return bool(_TELLTALE.fullmatch(text.strip()))


def read_token(token: str) -> TokenFacts:
    """Read what a token says of itself. Whatever cannot be read counts as not said; nothing is raised.

    Source: the structure of a recorded token, 2026-11: `exp`, `identity.contractNumber`, `identity.privileges[]`.
    """
    if token == SANDBOX_TOKEN:
        return TokenFacts(kind="sandbox")
    payload = _jwt_payload(token)
    if payload is None:
        return TokenFacts(kind="opaque")
    identity = found if isinstance(found := payload.get("identity"), dict) else {}
    privileges, contract = identity.get("privileges"), identity.get("contractNumber")
    return TokenFacts(
        kind="jwt",
        expires=_timestamp(payload.get("exp")),
        contract=str(contract) if isinstance(contract, str) or is_whole_number(contract) else None,
        may_use_hub=_HUB_PRIVILEGE in privileges if isinstance(privileges, list) and privileges else None,
    )


def check_token(token: object, *, now: datetime, origin: str = "The token", url: str = BASE_URL) -> TokenFacts:
    """Refuse a token, text or a `SecretStr`, that cannot work, with an `InvalidTokenError`; return what it says.

    `now` is the present time in UTC, `origin` where it came from, to start the messages with ("IONOS_API_TOKEN"), and
    `url` where it is to go: the keys of a gateway may have any shape.
    """
    token = conceal(token)
    if not isinstance(token, SecretStr) or not token:
        raise InvalidTokenError(f"{origin} is empty or not text. {TOKEN_ADVICE}")
    if problem := _wrong_shape(token.get_secret_value(), host_of(url)):
        raise InvalidTokenError(f"{origin} {problem}")
    facts = read_token(token.get_secret_value())
    if facts.expires is not None and facts.expires <= now:
        raise InvalidTokenError(f"{origin} expired on {facts.expires:%Y-%m-%d at %H:%M} UTC. {TOKEN_ADVICE}")
    if facts.may_use_hub is False:
        raise InvalidTokenError(
            f"{origin} lacks the privilege {_HUB_PRIVILEGE}: give its user access to the AI Model Hub in the Data "
            "Center Designer under Management > Users & Groups, then make a new token."
        )
    return facts


def _wrong_shape(token: str, host: str) -> str | None:
    if not token.isascii() or not token.isprintable() or " " in token:
        return "has blanks, line breaks or other characters inside that no token has: copy it again, in one piece."
    if token.startswith("sk-") and is_ionos_host(host):
        return f"is an OpenAI key (it starts with 'sk-'). {TOKEN_ADVICE}"
    if not is_ionos_host(host) and not is_loopback(host):
        return None  # a gateway's keys may have any shape
    if _UUID.fullmatch(token):
        return (
            "is a UUID, which is a token's ID and not the token: the token itself starts with 'eyJ' and is shown "
            f"once, when it is made. {TOKEN_ADVICE}"
        )
    if is_hosting_key(token):
        kind = "a key for IONOS' DNS and hosting API (prefix.secret)"
        return f"is {kind}, which the AI Model Hub does not take. {TOKEN_ADVICE}"
    return None


def _jwt_payload(token: str) -> dict[str, object] | None:
    payload, parts = None, token.split(".")
    if len(parts) == 3 and len(token) <= 65_536:
        with contextlib.suppress(ValueError, RecursionError):
            payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return payload if isinstance(payload, dict) else None


def _timestamp(value: object) -> datetime | None:
    with contextlib.suppress(TypeError, ValueError, OverflowError, OSError):
        return None if isinstance(value, bool) else datetime.fromtimestamp(value, UTC)  # type: ignore[arg-type]
    return None


def normalise_base_url(text: str, *, origin: str = "base_url") -> str:
    """Bring a base URL into the form that the SDK wants: no trailing slash, and "/v1" where there was no path.

    Quotes around it and the path of an endpoint, up to which it may have been copied, are taken off. `origin` is where
    it came from, to start the messages with. A user name, which makes one host look like another, is an
    `UntrustedHostError`, all else that is no such URL a `ConfigurationError`.
    """
    text = undressed(text)
    parts = _split(text)
    if len(text) > _LONGEST_URL or parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{origin} is not an http or https URL with a host, such as {BASE_URL}.")
    if "@" in parts.netloc:
        raise UntrustedHostError(f"{origin} has a user name or password in front of the host: leave them out.")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{origin} has a '?' or '#' part: leave it out.")
    path = _ENDPOINT.sub("", parts.path.rstrip("/")) or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def check_base_url(url: str, *, origin: str, named_in_code: bool, allowed_hosts: Collection[str] = ()) -> None:
    """Refuse, with an `UntrustedHostError`, a base URL, normalised, to which a token must not go.

    `origin` is where it came from, to start the messages with. A host outside ionos.com has to be `named_in_code`, or
    to be one of the `allowed_hosts` of the real environment.
    """
    check_secure(url, origin=origin)
    host = host_of(url)
    allowed = host in {allowed.lower() for allowed in allowed_hosts}
    if named_in_code or allowed or is_ionos_host(host) or is_loopback(host):
        return
    raise UntrustedHostError(
        f"{origin} points at {host}, which is not a host of ionos.com, so the token was not sent there. If it is "
        f"meant: pass base_url= in code (or --base-url), or set IONOS_ALLOWED_HOSTS={host} in the real environment "
        "(a .env file cannot allow it)."
    )


def check_secure(url: str, *, origin: str) -> None:
    """Refuse, with an `UntrustedHostError`, a URL over which a token would leave this machine unencrypted."""
    parts, host = _split(url), host_of(url)
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        remedy = "use https (plain http is for this machine alone, or for the token 'sandbox')"
        raise UntrustedHostError(f"{origin} would send the token to {host or 'no host'} unencrypted: {remedy}.")


def is_ionos_host(host: str) -> bool:
    """Tell whether `host` is ionos.com or a name below it."""
    return bool(_IONOS_HOST.fullmatch(host))


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine. Names below localhost are not: some resolvers ask the network for them."""
    with contextlib.suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def same_origin(url: str, other: str) -> bool:
    """Tell whether two URLs have the same scheme, host and port."""
    origin = _origin(url)
    return origin is not None and origin == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    parts = _split(url)
    return parts and (parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme))


def _split(url: str) -> SplitResult | None:
    # urlsplit drops tabs and line breaks in silence, parsers disagree on backslashes, and lone surrogates cannot be
    # sent: none is let through.
    if re.search(r"[\x00-\x20\x7f\\\ud800-\udfff]", url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a bad port raises when it is read
    except ValueError:
        return None
    # urlsplit takes "[::1].evil.example" for ::1.
    address = parts.netloc.rpartition("@")[2]
    return None if re.search(r"[\[\]]", address) and not _BRACKETED.fullmatch(address) else parts


def host_of(url: str) -> str:
    """Return the host of a URL; empty where it has none."""
    parts = _split(url)
    return (parts.hostname or "") if parts else ""
