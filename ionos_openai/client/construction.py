"""A client made of arguments, settings and the environment together, all of it checked before anything is sent."""

from __future__ import annotations

import contextlib
import functools
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ionos_openai.client.hooks import AsyncIonosOpenAI, IonosOpenAI
from ionos_openai.client.in_process import answering_async_client, answering_client, asking, needs_no_token
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.client.pacing.turns import Pacing
from ionos_openai.client.settings import IonosSettings, foreign_variables
from ionos_openai.client.tokens import Token, find_token
from ionos_openai.client.transport import make_http_client, one_for_each_loop
from ionos_openai.errors import ConfigurationError, IonosError, MissingTokenError, UntrustedHostError
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.numbers import is_whole_number
from ionos_openai.files.opening import at_home, read_regular
from ionos_openai.hub.compat import CompatMode
from ionos_openai.hub.credentials import SANDBOX_TOKEN, check_base_url, is_ionos_host, is_loopback, normalise_base_url

if TYPE_CHECKING:
    import os

    import httpx2 as httpx

    from ionos_openai.sandbox import Sandbox

log = logging.getLogger("ionos_openai")

Made = TypeVar("Made")
IonosClient = TypeVar("IonosClient", IonosOpenAI, AsyncIonosOpenAI)


# What arguments that are settings too may be, and what is wrong with another value.
_MAY_BE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "compat": (lambda mode: mode in get_args(CompatMode), f"is not known: choose {' or '.join(get_args(CompatMode))}"),
    "max_retries": (
        lambda number: is_whole_number(number) and number >= 0,
        "is not a whole number from 0: leave it out for the default",
    ),
    "max_wait": (
        lambda seconds: isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0,
        "is not a number of seconds from 0: leave it out to wait as long as needed",
    ),
    "pace": (lambda paces: isinstance(paces, bool), "is neither True nor False: leave it out for the default"),
}


def construct(
    kind: type[IonosClient],
    *,
    settings: IonosSettings | None,
    api_key: Any,  # text only as a `SecretStr`
    base_url: str | httpx.URL | None,
    http_client: Any,
    ca_bundle: str | os.PathLike[str] | None,
    sandbox: bool | Sandbox | None,
    default_query: Mapping[str, object] | None,
    **passed: Any,
) -> IonosClient:
    """Make a client of one of the two kinds; arguments win over settings. Raises what `create_client` raises."""
    chosen = {name: passed.pop(name) for name in _MAY_BE}
    settings = _with(settings or IonosSettings(), chosen)
    if ca_bundle and http_client is not None:
        raise ConfigurationError("ca_bundle= and http_client= exclude each other: give your own client verify=.")
    answering = _choose_sandbox(settings, wanted=sandbox, api_key=api_key)
    if answering is not None and http_client is not None:
        raise ConfigurationError("sandbox= and http_client= exclude each other: the sandbox is asked in process.")
    url = _find_address(settings, base_url)
    token = SecretStr(SANDBOX_TOKEN) if api_key is None else api_key
    if answering is None:
        check_env_file(settings, api_key, base_url=base_url, ca_bundle=ca_bundle)
        token = _trusted_token(settings, api_key, url, named_in_code=base_url is not None)
    pacing = _pacing(settings, url, paces=chosen["pace"] is True if answering else settings.pace)
    bundle, in_loop = ca_bundle or settings.ca_bundle, kind is AsyncIonosOpenAI
    make_http = functools.partial(_own_http_client, answering, bundle, url, in_loop=in_loop)
    passed |= {"api_key": token, "base_url": url, "max_retries": settings.max_retries, "default_query": default_query}
    if settings.timeout and isinstance(passed["timeout"], openai.NotGiven):
        passed["timeout"] = settings.timeout
    client = explaining_environment(lambda: kind(**passed, http_client=http_client or make_http()))
    client.ionos_settings, client.ionos_pacing = settings, pacing
    client.ionos_sandboxed = answering is sandbox is not None
    if isinstance(client, AsyncIonosOpenAI) and http_client is None and answering is None:
        client.ionos_http_clients = one_for_each_loop(client._client, make_http)
    return client


def _own_http_client(
    sandbox: Sandbox | None, ca_bundle: str | os.PathLike[str] | None, url: str, *, in_loop: bool
) -> Any:
    """Return an HTTP client that asks the sandbox, or the service at `url`, trusting the bundle where there is one."""
    if sandbox is not None:
        return (answering_async_client if in_loop else answering_client)(asking(sandbox))
    return make_http_client(url, None if ca_bundle is None else trust_also(at_home(ca_bundle)), in_loop=in_loop)


def explaining_environment(make: Callable[[], Made]) -> Made:
    """Return what `make` makes; a ConfigurationError names the variable whose proxy or certificates cannot be used."""
    try:
        return make()
    except IonosError:
        raise
    except (ImportError, OSError, ValueError, http_library().InvalidURL) as error:
        problem = _blame(error)
        if not problem:
            raise
    # Raised out here: the HTTP library's own words may hold a proxy's password, and are not to travel along as context.
    raise ConfigurationError(problem)


def _blame(error: Exception) -> str:
    """Say what is to be mended of the variables that are set; nothing where the error can be none of theirs."""
    variables = foreign_variables()
    proxies = " or ".join(name for name in variables if name.upper().endswith("_PROXY") and name.upper() != "NO_PROXY")
    certificates = " or ".join(name for name in variables if name.startswith("SSL_CERT"))
    if isinstance(error, OSError):
        return certificates and f"The certificates that {certificates} names cannot be read: mend or unset it."
    if isinstance(error, ImportError):
        return proxies and f"{proxies} names a SOCKS proxy, which needs the package socksio: pip install socksio."
    return proxies and f"{proxies} cannot be used: write http://HOST:PORT, or unset it."


def _find_address(settings: IonosSettings, base_url: str | httpx.URL | None) -> str:
    origin = "base_url=" if base_url is not None else str(settings.origin("base_url") or "base_url")
    url = normalise_base_url(str(settings.base_url if base_url is None else base_url), origin=origin)
    with contextlib.suppress(http_library().InvalidURL, ValueError):  # for one, of a host that is no name
        http_library().URL(url)
        return url
    raise ConfigurationError(f"{origin} is not a URL that the HTTP library can read: check the host's name.")


def _trusted_token(settings: IonosSettings, api_key: Any, url: str, *, named_in_code: bool) -> Token:
    """Return the token; refuse an address to which it may not go."""
    try:
        token = find_token(settings, api_key, url)
    except MissingTokenError:
        if not needs_no_token():
            raise
        return SecretStr(SANDBOX_TOKEN)
    place = settings.origin("base_url")
    if token != SecretStr(SANDBOX_TOKEN):
        check_base_url(
            url,
            origin="base_url=" if named_in_code else str(place or "base_url"),
            named_in_code=named_in_code or place is None or place.place == "code",
            allowed_hosts=settings.allowed_hosts,
        )
    return token


def check_env_file(settings: IonosSettings, api_key: object = None, **given: object) -> None:
    """Refuse what a `.env` file names without a token of its own: it may have come with somebody else's code.

    It could send the token, or a file that it names as one, to whoever it likes.
    """
    own = settings.origin("api_key") if api_key is None and settings.api_key is not None else None
    token = api_key if api_key is not None else settings.api_key
    if token is None and settings.api_key_file is not None:
        with contextlib.suppress(OSError):  # of the one token that is no secret, there may be a file too
            token = SecretStr(read_regular(at_home(settings.api_key_file), most=64).decode("ascii", "replace").strip())
    if (own is not None and own.place == ".env") or token == SecretStr(SANDBOX_TOKEN):
        return
    given = {**given, "api_key_file": api_key if api_key is not None else settings.api_key}
    for name in ("api_key_file", "base_url", "ca_bundle", "budget_url"):
        origin = settings.origin(name)
        if origin is None or origin.place != ".env" or given.get(name) is not None:
            continue
        if name != "base_url" or is_loopback(urlsplit(settings.base_url).hostname or ""):
            raise UntrustedHostError(
                f"{origin} counts only together with a token in that same file, which may have come with somebody "
                f"else's code. If it is yours: set {origin.variable} in the environment, or put the token beside it."
            )


def _with(settings: IonosSettings, given: Mapping[str, Any]) -> IonosSettings:
    """Return the settings with what was given as an argument; None counts as not given."""
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        is_good, problem = _MAY_BE[name]
        if not is_good(value):
            raise ConfigurationError(f"{name}= {problem}.")
    return settings.model_copy(update=given) if given else settings


def _pacing(settings: IonosSettings, base_url: str, *, paces: bool | None) -> Pacing | None:
    """Return how the client is paced; None where it is not."""
    if not (is_ionos_host(urlsplit(base_url).hostname or "") if paces is None else paces):
        return None
    limits = ContractLimits(**{field.name: getattr(settings, field.name) for field in fields(ContractLimits)})
    pacing = Pacing(limits=limits, max_wait=settings.max_wait, redis_url=settings.budget_url)
    pacing.check()
    return pacing


def _choose_sandbox(settings: IonosSettings, *, wanted: bool | Sandbox | None, api_key: object) -> Sandbox | None:
    if wanted is None and settings.sandbox:
        origin = settings.origin("sandbox")
        has_token = api_key is not None or settings.api_key is not None or settings.api_key_file is not None
        if origin is not None and origin.place == ".env" and has_token:
            raise ConfigurationError(
                f"{origin} asks for the sandbox, but there is a real token too: which one is meant? Remove the line, "
                "or ask for the sandbox in code (sandbox=True) or in the environment (IONOS_SANDBOX=1)."
            )
        if origin is not None and origin.place != "code":
            log.warning("%s is set: the sandbox answers, every picture is a placeholder.", origin)
        wanted = True
    if not wanted:
        return None
    from ionos_openai.sandbox import Sandbox

    return Sandbox() if wanted is True else wanted


def trust_also(bundle: os.PathLike[str]) -> ssl.SSLContext:
    """Return the SDK's own checks of certificates, trusting those in a PEM file too; else a ConfigurationError."""
    context = explaining_environment(lambda: cast("ssl.SSLContext", http_library().create_ssl_context()))
    try:
        context.load_verify_locations(cafile=bundle)
    except OSError as error:  # of which an SSLError is one
        is_read = isinstance(error, ssl.SSLError)
        problem = "holds no certificate in PEM form" if is_read else f"cannot be read ({error.strerror})"
    else:
        return context
    shown = mask_secrets(str(bundle))
    raise ConfigurationError(f"The CA bundle {shown} {problem}: mend ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle.")
