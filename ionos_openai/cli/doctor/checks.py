"""What `ionos-openai doctor` looks at. No result holds a secret, whole or in part: they are pasted into issues."""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import os
import platform
import re
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ionos_openai import __version__
from ionos_openai.cli.terminal.exits import DOCTOR_ADVICE, TEMPORARY, USAGE, exit_code, message
from ionos_openai.client.construction import check_env_file
from ionos_openai.client.settings import (
    CERTIFICATE_VARIABLES,
    IonosSettings,
    TokenFile,
    dress_of,
    foreign_variables,
    load_signer,
    setting_variables,
)
from ionos_openai.errors import ConfigurationError, InvalidRequestError
from ionos_openai.errors.http import http_library
from ionos_openai.hub import credentials
from ionos_openai.hub.credentials import SANDBOX_TOKEN, TOKEN_ADVICE
from ionos_openai.hub.models import select_image_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ionos_openai.cli.terminal.options import Connection

State: TypeAlias = Literal["good", "note", "warning", "broken"]

_SUPPORTED_SDK = ((1, 60), (4, 0))  # from the first, up to but not including the second
_LONGEST_WAIT = 30.0  # seconds for the one request that is sent
_READ_BY_THE_SDK = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_TOLD_ELSEWHERE = frozenset({"api_key", "api_key_file", "base_url", "ca_bundle", "sandbox", "c2pa_passphrase"})
# Where a setting needs more than the core: the module that it needs, and the extra that has it.
_EXTRAS = {
    "budget_url": ("redis", "redis"),
    "c2pa_trust": ("c2pa", "c2pa"),
    **dict.fromkeys(("telemetry", "telemetry_content"), ("opentelemetry", "otel")),
}
_RENEWAL = timedelta(days=30)  # before a certificate ends
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found at one place."""

    state: State  # "note" is neither good nor bad
    name: str  # what was looked at
    text: str  # what was found
    remedy: str = ""  # what to do about it; empty where there is nothing to do, or where `text` says it
    exit_code: int = 0  # what a broken place stands for; 0 for all others


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How to look, and at what."""

    connection: Connection  # which service to ask
    settings: IonosSettings
    offline: bool = False  # whether nothing is sent
    min_validity: timedelta = timedelta(days=7)  # a token that ends sooner is warned about

    @property
    def sandbox(self) -> bool:
        """Whether the sandbox answers."""
        return self.connection.uses_sandbox(self.settings)


def parse_duration(text: str) -> timedelta:
    """Read "7d", "12h" or "30m"; raise an `InvalidRequestError` for what is no number with d, h or m."""
    match = re.fullmatch(r"(\d{1,6})([dhm])", text.strip().lower(), re.ASCII)
    if not match:
        raise InvalidRequestError("--min-validity cannot be read: write a number and d, h or m, such as 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def examine(connection: Connection, *, offline: bool, min_validity: timedelta) -> Iterator[Check]:
    """Look at everything, in the order in which it is told."""
    yield from _versions()
    try:
        settings = IonosSettings()
        look = Look(connection=connection, settings=settings, offline=offline, min_validity=min_validity)
        if not look.sandbox:
            check_env_file(settings, base_url=connection.base_url, ca_bundle=connection.ca_bundle)
    except ConfigurationError as error:
        yield _broken("settings", error)
        yield from _variables(connection.ca_bundle)
        return
    if look.sandbox:
        origin = "--sandbox" if connection.sandbox else str(settings.origin("sandbox"))
        text = f"{origin}: the sandbox answers, and every picture is a placeholder"
        yield Check("warning", "sandbox", text, "For the service, leave --sandbox out and unset IONOS_SANDBOX.")
    yield from examine_with(look, _CHECKS)


def examine_with(look: Look, names: Iterable[str] = ("token", "address")) -> Iterator[Check]:
    """Make some checks, by default those of the token, and ask the service unless something is broken."""
    found = [check for name in names for check in _made(name, _CHECKS[name], look)]
    yield from found
    if look.sandbox or all(check.state != "broken" for check in found):
        yield from _made("client", _client, look)
    elif not look.offline:
        yield Check("warning", "service", "not asked", "Mend what is broken above first.")
    if look.offline and not look.sandbox:
        yield Check("note", "network", "not looked at (--offline)")


def _made(name: str, check: Callable[[Look], Iterator[Check]], look: Look) -> Iterator[Check]:
    try:
        yield from check(look)
    except openai.OpenAIError as error:
        yield _broken(name, error)


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
        remedy = "Install: pip install 'openai>=1.60,<4'"
        yield Check("warning", "openai", f"{text}: not among the tested versions", remedy)
    yield Check("good", "Pillow", importlib.metadata.version("pillow"))


def _token(look: Look) -> Iterator[Check]:
    settings, token = look.settings, look.settings.api_key
    for variable in settings.refused_variables:
        text = f"{variable} is passed over: it holds a key for IONOS' DNS and hosting API"
        yield Check("warning", "token", text, "If it was meant for the AI Model Hub, replace it by a token.")
    if token is None and settings.api_key_file is None:
        places = " and ".join(map(str, filter(None, ("the environment", settings.env_path))))
        remedy = f"Set IONOS_API_TOKEN. {TOKEN_ADVICE} Without one, --sandbox draws placeholders."
        missing = Check("broken", "token", f"none in {places}", remedy, USAGE)
        yield Check("good", "token", "none, and the sandbox needs none") if look.sandbox else missing
        return
    place = str(settings.origin("api_key" if token else "api_key_file"))
    if token is None:
        source = TokenFile(settings.api_key_file or "")
        token, place = SecretStr(source()), f"{source.path} ({place})"
        yield from _plain("token", source.path, source.dress)
    url = look.connection.base_url or settings.base_url
    facts = credentials.check_token(token, now=datetime.now(UTC), origin=place, url=url)
    is_odd = facts.kind == "opaque" and credentials.is_ionos_host(credentials.host_of(url))
    remedy = f"IONOS' tokens are JWTs, which begin with eyJ. {TOKEN_ADVICE}" if is_odd else ""
    kind = f"{'a JWT' if facts.kind == 'jwt' else 'not readable as a JWT'}, {len(token)} characters"
    if facts.kind == "sandbox":
        kind = f"the word {SANDBOX_TOKEN!r}, which is no secret and which the service does not take"
    yield Check("warning" if is_odd else "good", "token", f"{place}: {kind}", remedy)
    if facts.kind == "jwt":
        yield _expiry(facts.expires, look)
        may = "the AI Model Hub is among them" if facts.may_use_hub else "the token does not say"
        yield Check("good", "privilege", may)


def _expiry(expires: datetime | None, look: Look) -> Check:
    if expires is None:
        return Check("good", "expiry", "the token does not say")
    left = expires - datetime.now(UTC)
    text = f"{expires:%Y-%m-%d %H:%M} UTC, {_span(left)} left"
    if left < look.min_validity:
        return Check("warning", "expiry", f"{text}, less than {_span(look.min_validity)}", TOKEN_ADVICE)
    return Check("good", "expiry", text)


def _span(time_left: timedelta) -> str:
    hours, minutes = divmod(int(time_left.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _address(look: Look) -> Iterator[Check]:
    settings, given, place = look.settings, look.connection.base_url, look.settings.origin("base_url")
    origin = "--base-url" if given is not None else str(place or "the default")
    url = credentials.normalise_base_url(given or settings.base_url, origin=origin)
    yield from _plain("base_url", origin, dress_of(given or ""))
    host = credentials.host_of(url)
    is_secret = settings.api_key is None or settings.api_key.get_secret_value() != SANDBOX_TOKEN
    if is_secret:
        named = given is not None or place is None
        credentials.check_base_url(url, origin=origin, named_in_code=named, allowed_hosts=settings.allowed_hosts)
    text = f"{url} ({origin}) is not IONOS'; "
    known = "IONOS' own" if credentials.is_ionos_host(host) else "this machine" if credentials.is_loopback(host) else ""
    if known:
        yield Check("good", "address", f"{url} ({origin}), {known}")
    elif not is_secret:
        yield Check("good", "address", f"{text}only the word {SANDBOX_TOKEN!r}, which is no secret, goes there")
    else:
        text += f"the token goes there, as {'IONOS_ALLOWED_HOSTS' if given is None else origin} allows it"
        yield Check("warning", "address", text, "Turn a gateway's own retries off: each may buy a picture again.")


def _settings(look: Look) -> Iterator[Check]:
    """Tell what is in force because somebody set it, where, how it was written, and what it needs."""
    for name in type(look.settings).model_fields:
        origin, value = look.settings.origin(name), getattr(look.settings, name)
        if origin is None:
            continue
        if name not in _TOLD_ELSEWHERE:
            yield Check("note", name, f"{_shown(value)} ({origin})")
        yield from _plain(name, origin, origin.dress)
        module, extra = _EXTRAS.get(name, ("", ""))
        if module and value not in ("off", False) and importlib.util.find_spec(module) is None:
            text = f"{origin} needs the extra {extra}, which is not installed"
            yield Check("warning", name, text, f'Install: pip install "ionos-openai[{extra}]"')


def _plain(name: str, place: object, dress: str) -> Iterator[Check]:
    """Warn of a value that works here all the same, and may not with the next program."""
    if dress:
        yield Check("warning", name, f"{place} is written {dress}", "Write the plain value.")


def _unknown(look: Look) -> Iterator[Check]:
    """Tell of variables that look like ours and that nothing here reads."""
    known = [variable for variable, _ in setting_variables()]
    for origin in look.settings.unknown_variables:
        similar = difflib.get_close_matches(origin.variable.upper(), known, n=1, cutoff=0.75)
        meant = f"If {similar[0]} is meant, write that." if similar else "Another program's can stay."
        yield Check("warning", "variable", f"{origin} is not known here, so nothing reads it", meant)


def _signing(look: Look) -> Iterator[Check]:
    """Tell whether pictures can be signed, where anything is set for it."""
    settings = look.settings
    if not (settings.sign or settings.c2pa_certificate or settings.c2pa_private_key):
        return
    signer = load_signer(settings.sign or True, settings)
    leaf = signer.chain[0]
    left = min(certificate.not_valid_after_utc for certificate in signer.chain) - datetime.now(UTC)
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


def _variables(given: object, configured: object = None) -> Iterator[Check]:
    """Tell of other programs' variables, and whether the certificates of an option or a setting can be used."""
    found, bundle = foreign_variables(), given or configured
    # OPENAI_LOG is the SDK's own matter, and works.
    openais = [name for name in found if name.upper().startswith("OPENAI_") and name.upper() != "OPENAI_LOG"]
    if openais:
        text = f"{', '.join(openais)}: nothing of it is sent (a plain openai.OpenAI would use it, with IONOS too)"
        yield Check("good", "OPENAI_*", text)
    for name in found:
        if name.upper().endswith("_PROXY"):
            yield Check("note", "proxy", f"{name}={found[name]}")
    if bundle is not None:
        yield _certificates("--ca-bundle" if given else "IONOS_CA_BUNDLE", str(bundle))
    trusted = bundle is not None or any(name in found for name in _READ_BY_THE_SDK)
    for name in filter(found.get, CERTIFICATE_VARIABLES):
        if name in _READ_BY_THE_SDK:
            yield _certificates(name, found[name])
        elif not trusted:
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


_CHECKS: dict[str, Callable[[Look], Iterator[Check]]] = {
    "token": _token,
    "address": _address,
    "settings": _settings,
    "variable": _unknown,
    "signature": _signing,
    "certificates": lambda look: _variables(look.connection.ca_bundle, look.settings.ca_bundle),
}
"""What is looked at, by the name of what is broken where that fails."""


def _client(look: Look) -> Iterator[Check]:
    """Make a client, which may fail by a proxy that cannot be one, and ask with it."""
    is_offline = look.offline and not look.sandbox
    # Paced, it might ask a Redis, which is a network too.
    settings = look.settings.model_copy(update={"pace": False}) if is_offline else look.settings
    with look.connection.connect(settings) as client:
        yield from () if is_offline else _ask(client, look)


def _resolve(url: str) -> Check:
    host = credentials.host_of(url)
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        text = f"{host} has no address here ({getattr(error, 'strerror', None) or error})"
        if any(name.upper() in ("HTTPS_PROXY", "ALL_PROXY") for name in foreign_variables()):
            return Check("warning", "host", f"{text}: with a proxy, the proxy finds it")
        return Check("broken", "host", text, "Check the connection, the name server and the address.", TEMPORARY)
    return Check("good", "host", f"{host} is {', '.join(addresses[:3])}")


def _ask(client: openai.OpenAI, look: Look) -> Iterator[Check]:
    """Ask for the models, once; the same request tells of TLS, since it goes the client's own way, proxies included."""
    url = str(client.base_url)
    trust = "works, and the certificate is trusted" if url.startswith("https:") else "not used: plain http"
    tls = [] if look.sandbox else [Check("good", "TLS", trust)]
    yield from () if look.sandbox else (_resolve(url),)
    begun = time.perf_counter()
    try:
        entries = client.with_options(max_retries=0, timeout=_LONGEST_WAIT).models.list().data or []
    except openai.OpenAIError as error:
        yield from tls if isinstance(error, openai.APIStatusError) else ()
        untrusted = isinstance(error, openai.APIConnectionError) and "CERTIFICATE_VERIFY_FAILED" in str(error)
        yield _broken("TLS" if untrusted else "service", error)
        return
    took = time.perf_counter() - begun
    yield from tls
    yield Check("good", "service", f"{'the sandbox ' * look.sandbox}answered GET /models in {took * 1000:.0f} ms")
    offered, wanted = [model.id for model in select_image_models(entries)], look.settings.image_model
    text = ", ".join(offered)
    if not offered:
        yield Check("warning", "models", "none that is known to make pictures", "See all: ionos-openai models --all")
    elif wanted in offered:
        yield Check("good", "models", text)
    else:
        text += f"; the default model {wanted} is not among them"
        yield Check("warning", "models", text, "Set IONOS_IMAGE_MODEL to one of them, or give --model.")
