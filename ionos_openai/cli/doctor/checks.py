"""What `ionos-openai doctor` looks at. No result holds a secret, whole or in part: they are pasted into issues."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ionos_openai import __version__
from ionos_openai.cli.terminal.connection import connect, uses_sandbox
from ionos_openai.cli.terminal.exits import DOCTOR_ADVICE, TEMPORARY, USAGE, exit_code, message
from ionos_openai.client.construction import check_env_file
from ionos_openai.client.settings import CERTIFICATE_VARIABLES, IonosSettings, TokenFile, foreign_variables, load_signer
from ionos_openai.errors import ConfigurationError, InvalidRequestError, IonosError
from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import (
    SANDBOX_TOKEN,
    TOKEN_ADVICE,
    TokenFacts,
    check_base_url,
    check_token,
    is_ionos_host,
    is_loopback,
    normalise_base_url,
)
from ionos_openai.hub.models import select_image_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ionos_openai.cli.terminal.options import Connection

State: TypeAlias = Literal["good", "note", "warning", "broken"]

_SUPPORTED_SDK = ((1, 60), (4, 0))  # from the first, up to but not including the second
_LONGEST_WAIT = 30.0  # seconds for the one request that is sent
_READ_BY_THE_SDK = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_TOLD_ELSEWHERE = frozenset({"api_key", "api_key_file", "base_url", "ca_bundle", "sandbox", "c2pa_passphrase"})
_RENEWAL = timedelta(days=30)  # before a certificate ends
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found at one place.

    Attributes:
        state: "good", "note" (neither good nor bad), "warning" or "broken".
        name: What was looked at.
        text: What was found.
        remedy: What to do about it; empty where there is nothing to do, or where `text` says it.
        exit_code: The exit code that a broken place stands for; 0 for all others.
    """

    state: State
    name: str
    text: str
    remedy: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How to look.

    Attributes:
        connection: Which service to ask.
        offline: Whether nothing is sent.
        min_validity: A token that ends sooner is warned about.
        now: The present time, in UTC.
    """

    connection: Connection
    offline: bool
    min_validity: timedelta
    now: datetime


def parse_duration(text: str) -> timedelta:
    """Read "7d", "12h" or "30m".

    Raises:
        InvalidRequestError: It is not a whole number and one of the letters d, h, m.
    """
    match = re.fullmatch(r"(\d{1,6})([dhm])", text.strip().lower(), re.ASCII)
    if not match:
        raise InvalidRequestError("--min-validity cannot be read: write a number and d, h or m, such as 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def examine(look: Look) -> Iterator[Check]:
    """Look at everything, in the order in which it is told."""
    yield from _versions()
    try:
        settings = IonosSettings()
        sandbox = uses_sandbox(look.connection, settings)
        if not sandbox:
            check_env_file(settings, base_url=look.connection.base_url, ca_bundle=look.connection.ca_bundle)
    except ConfigurationError as error:
        yield _broken("settings", error)
        yield from _variables(None, look.connection)
        return
    if sandbox:
        origin = "--sandbox" if look.connection.sandbox else str(settings.origin("sandbox"))
        text = f"{origin}: the stand-in answers, and every picture is a placeholder"
        yield Check("warning", "stand-in", text, "For the service, leave --sandbox out and unset IONOS_SANDBOX.")
    found = [
        *_token(settings, look, sandbox=sandbox),
        *_address(settings, look.connection),
        *_settings(settings),
        *_signing(settings, look),
        *_variables(settings, look.connection),
    ]
    yield from found
    yield from _service(settings, look, sandbox=sandbox, is_broken=any(check.state == "broken" for check in found))


def examine_token(settings: IonosSettings, look: Look) -> Iterator[Check]:
    """Look at a token alone, and ask the service with it."""
    found = [*_token(settings, look, sandbox=False), *_address(settings, look.connection)]
    yield from found
    yield from _service(settings, look, sandbox=False, is_broken=any(check.state == "broken" for check in found))


def _broken(name: str, error: Exception) -> Check:
    text, advice, _ = message(error).removesuffix(DOCTOR_ADVICE).partition(TOKEN_ADVICE)
    return Check("broken", name, text.strip(), advice, exit_code(error))


def _versions() -> Iterator[Check]:
    yield Check("good", "ionos-openai", f"{__version__}, on Python {platform.python_version()}, {platform.system()}")
    http = http_library()
    text = f"{openai.__version__}, on {http.__name__} {http.__version__}"
    numbers = tuple(int(part) for part in re.findall(r"\d+", openai.__version__)[:2])
    if _SUPPORTED_SDK[0] <= numbers < _SUPPORTED_SDK[1]:
        yield Check("good", "openai", text)
    else:
        text += ": not among the tested versions"
        yield Check("warning", "openai", text, "Install: pip install 'openai>=1.60,<4'")
    yield Check("good", "Pillow", importlib.metadata.version("pillow"))


def _token(settings: IonosSettings, look: Look, *, sandbox: bool) -> Iterator[Check]:
    for variable in settings.refused_variables:
        text = f"{variable} is passed over: it holds a key for IONOS' DNS and hosting API"
        yield Check("warning", "token", text, "If it was meant for the AI Model Hub, replace it by a token.")
    origin = settings.origin("api_key_file") if settings.api_key is None else settings.origin("api_key")
    if settings.api_key is None and settings.api_key_file is None:
        yield _no_token(settings, sandbox=sandbox)
        return
    try:
        if settings.api_key is not None:
            token, place = settings.api_key, str(origin)
        else:
            source = TokenFile(settings.api_key_file or "")
            token, place = SecretStr(source()), f"{source.path} ({origin})"
        url = look.connection.base_url or settings.base_url
        facts = check_token(token, now=look.now, origin=place, url=url)
    except IonosError as error:
        yield _broken("token", error)
        return
    yield Check("good", "token", f"{place}: {_kind(facts, token)}")
    if facts.kind == "jwt":
        yield _expiry(facts.expires, look)
        may = "the AI Model Hub is among them" if facts.may_use_hub else "the token does not say"
        yield Check("good", "privilege", may)


def _no_token(settings: IonosSettings, *, sandbox: bool) -> Check:
    if sandbox:
        return Check("good", "token", "none, and the stand-in needs none")
    places = f"the environment and {settings.env_path}" if settings.env_path else "the environment"
    remedy = f"Set IONOS_API_TOKEN. {TOKEN_ADVICE} Without one, --sandbox draws placeholders."
    return Check("broken", "token", f"none in {places}", remedy, USAGE)


def _kind(facts: TokenFacts, token: SecretStr) -> str:
    if facts.kind == "sandbox":
        return f"the word {SANDBOX_TOKEN!r}, which is no secret and which the service does not take"
    return f"{'a JWT' if facts.kind == 'jwt' else 'not readable as a JWT'}, {len(token)} characters"


def _expiry(expires: datetime | None, look: Look) -> Check:
    if expires is None:
        return Check("good", "expiry", "the token does not say")
    text = f"{expires:%Y-%m-%d %H:%M} UTC, {_span(expires - look.now)} left"
    if expires - look.now < look.min_validity:
        return Check("warning", "expiry", f"{text}, less than {_span(look.min_validity)}", TOKEN_ADVICE)
    return Check("good", "expiry", text)


def _span(time_left: timedelta) -> str:
    hours, minutes = divmod(int(time_left.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _address(settings: IonosSettings, connection: Connection) -> Iterator[Check]:
    place = settings.origin("base_url")
    origin = "--base-url" if connection.base_url is not None else str(place or "the default")
    try:
        url = normalise_base_url(connection.base_url or settings.base_url, origin=origin)
        host = urlsplit(url).hostname or ""
        if not _has_harmless_token(settings):
            named = connection.base_url is not None or place is None
            check_base_url(url, origin=origin, named_in_code=named, allowed_hosts=settings.allowed_hosts)
    except IonosError as error:
        yield _broken("address", error)
        return
    text = f"{url} ({origin}) is not IONOS'; "
    if is_ionos_host(host):
        yield Check("good", "address", f"{url} ({origin}), IONOS' own")
    elif is_loopback(host):
        yield Check("good", "address", f"{url} ({origin}), this machine")
    elif _has_harmless_token(settings):
        yield Check("good", "address", f"{text}only the word {SANDBOX_TOKEN!r}, which is no secret, goes there")
    else:
        allowed = "--base-url" if connection.base_url is not None else "IONOS_ALLOWED_HOSTS"
        text += f"the token goes there, as {allowed} allows it"
        yield Check("warning", "address", text, "Turn a gateway's own retries off: each may buy a picture again.")


def _has_harmless_token(settings: IonosSettings) -> bool:
    return settings.api_key is not None and settings.api_key.get_secret_value() == SANDBOX_TOKEN


def _settings(settings: IonosSettings) -> Iterator[Check]:
    """Tell what is in force because somebody set it, and where."""
    for name in type(settings).model_fields:
        origin = settings.origin(name)
        if origin is not None and name not in _TOLD_ELSEWHERE:
            yield Check("note", name, f"{_shown(getattr(settings, name))} ({origin})")


def _signing(settings: IonosSettings, look: Look) -> Iterator[Check]:
    """Tell whether pictures can be signed, where anything is set for it."""
    if not (settings.sign or settings.c2pa_certificate or settings.c2pa_private_key):
        return
    try:
        signer = load_signer(settings.sign or True, settings)
    except ConfigurationError as error:
        yield _broken("signature", error)
        return
    leaf = signer.chain[0]
    left = leaf.not_valid_after_utc - look.now
    text = f"{leaf.subject.rfc4514_string()}, by {leaf.issuer.rfc4514_string()}, {_span(left)} left"
    ends = "Get a new certificate before it ends." if left < _RENEWAL else ""
    yield Check("warning" if ends else "good", "signature", text, ends)
    if signer.exposed:
        yield Check("warning", "signature", signer.exposed)


def _shown(value: object) -> str:
    """Return a setting's value; of an address, which may hold a password, scheme and host."""
    address = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if "://" in address:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname or ''}"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _variables(settings: IonosSettings | None, connection: Connection) -> Iterator[Check]:
    found = foreign_variables()
    # OPENAI_LOG is the SDK's own matter, and works.
    openais = [name for name in found if name.upper().startswith("OPENAI_") and name.upper() != "OPENAI_LOG"]
    if openais:
        text = f"{', '.join(openais)}: nothing of it is sent (a plain openai.OpenAI would use it, with IONOS too)"
        yield Check("good", "OPENAI_*", text)
    for name in found:
        if name.upper().endswith("_PROXY"):
            yield Check("note", "proxy", f"{name}={found[name]}")
    bundle = connection.ca_bundle or (settings.ca_bundle if settings is not None else None)
    if bundle is not None:
        yield _certificates("--ca-bundle" if connection.ca_bundle else "IONOS_CA_BUNDLE", str(bundle))
    for name in CERTIFICATE_VARIABLES:
        if name not in found:
            continue
        if name in _READ_BY_THE_SDK:
            yield _certificates(name, found[name])
        elif bundle is None and not any(variable in found for variable in _READ_BY_THE_SDK):
            text = f"{name}={found[name]} is not read by the SDK's HTTP library"
            yield Check("warning", "certificates", text, f"If it is needed here too, set IONOS_CA_BUNDLE={found[name]}")


def _certificates(name: str, value: str) -> Check:
    try:
        if name == "SSL_CERT_DIR":
            os.listdir(value)  # noqa: PTH208  # only tried
        else:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except ssl.SSLError:
        text = f"{name}={value} holds no certificate in PEM form"
    except OSError:
        text = f"{name}={value} is not there or cannot be read"
    else:
        return Check("good", "certificates", f"{name}={value}")
    return Check("broken", "certificates", text, f"Mend {name}, or leave it out.", USAGE)


def _service(settings: IonosSettings, look: Look, *, sandbox: bool, is_broken: bool) -> Iterator[Check]:
    offline = look.offline and not sandbox
    if sandbox or not is_broken:
        try:
            # It may fail by a proxy that cannot be one. Paced, it might ask a Redis, which is a network too.
            client = connect(look.connection, settings.model_copy(update={"pace": False}) if offline else settings)
        except openai.OpenAIError as error:
            yield _broken("client", error)
        else:
            with client:
                yield from () if offline else _ask(client, settings, sandbox=sandbox)
    elif not offline:
        yield Check("warning", "service", "not asked", "Mend what is broken above first.")
    if offline:
        yield Check("note", "network", "not looked at (--offline)")


def _resolve(url: str) -> Check:
    host = urlsplit(url).hostname or ""
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        text = f"{host} has no address here ({getattr(error, 'strerror', None) or error})"
        if any(name.upper() in ("HTTPS_PROXY", "ALL_PROXY") for name in foreign_variables()):
            return Check("warning", "host", f"{text}: with a proxy, the proxy finds it")
        return Check("broken", "host", text, "Check the connection, the name server and the address.", TEMPORARY)
    return Check("good", "host", f"{host} is {', '.join(addresses[:3])}")


def _ask(client: openai.OpenAI, settings: IonosSettings, *, sandbox: bool) -> Iterator[Check]:
    """Ask for the models, once; the same request tells of TLS, since it goes the client's own way, proxies included."""
    url = str(client.base_url)
    trust = "works, and the certificate is trusted" if url.startswith("https:") else "not used: plain http"
    if not sandbox:
        yield _resolve(url)
    begun = time.perf_counter()
    try:
        entries = client.with_options(max_retries=0, timeout=_LONGEST_WAIT).models.list().data or []
    except openai.OpenAIError as error:
        if isinstance(error, openai.APIStatusError) and not sandbox:
            yield Check("good", "TLS", trust)
        untrusted = isinstance(error, openai.APIConnectionError) and "CERTIFICATE_VERIFY_FAILED" in str(error)
        yield _broken("TLS" if untrusted else "service", error)
        return
    took = time.perf_counter() - begun
    if not sandbox:
        yield Check("good", "TLS", trust)
    yield Check("good", "service", f"{'the stand-in ' if sandbox else ''}answered GET /models in {took * 1000:.0f} ms")
    yield _image_models([model.id for model in select_image_models(entries)], settings)


def _image_models(offered: Sequence[str], settings: IonosSettings) -> Check:
    if not offered:
        return Check("warning", "models", "none that is known to make pictures", "See all: ionos-openai models --all")
    text = ", ".join(offered)
    if settings.image_model not in offered:
        text += f"; the default model {settings.image_model} is not among them"
        return Check("warning", "models", text, "Set IONOS_IMAGE_MODEL to one of them, or give --model.")
    return Check("good", "models", text)
