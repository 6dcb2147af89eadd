"""A client made of arguments, settings and the environment together, all of it checked before anything is sent."""

from __future__ import annotations

import logging
import ssl
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ionos_openai.client.hooks import AsyncIonosOpenAI, IonosOpenAI
from ionos_openai.client.in_process import answering_async_client, answering_client, asking, needs_no_token
from ionos_openai.client.pacing import ContractLimits, Pacing
from ionos_openai.client.settings import IonosSettings, foreign_variables
from ionos_openai.client.tokens import AsyncTokenSource, TokenSource, find_token
from ionos_openai.client.transport import make_http_client
from ionos_openai.errors import ConfigurationError, IonosError, MissingTokenError, UntrustedHostError
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.numbers import is_whole_number
from ionos_openai.hub.compat import CompatMode
from ionos_openai.hub.credentials import SANDBOX_TOKEN, check_base_url, is_ionos_host, is_loopback, normalise_base_url

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    import httpx2 as httpx

    from ionos_openai.sandbox import Sandbox

log = logging.getLogger("ionos_openai")

Made = TypeVar("Made")
IonosClient = TypeVar("IonosClient", IonosOpenAI, AsyncIonosOpenAI)


def construct(
    kind: type[IonosClient],
    settings: IonosSettings | None,
    *,
    api_key: Any,  # text only as a `SecretStr`
    base_url: str | httpx.URL | None,
    timeout: float | openai.Timeout | openai.NotGiven | None,
    max_retries: int | None,
    default_headers: Mapping[str, str] | None,
    default_query: Mapping[str, object] | None,
    http_client: httpx.Client | httpx.AsyncClient | None,
    ca_bundle: str | os.PathLike[str] | None,
    compat: CompatMode | None,
    pace: bool | None,
    max_wait: float | None,
    sandbox: bool | Sandbox | None,
) -> IonosClient:
    """Make a client of one of the two kinds; arguments win over settings. Raises what `create_client` raises."""
    settings = _with(settings or IonosSettings(), max_retries=max_retries, compat=compat, pace=pace, max_wait=max_wait)
    if ca_bundle and http_client is not None:
        raise ConfigurationError("ca_bundle= and http_client= exclude each other: give your own client verify=.")
    chosen = _choose_sandbox(settings, wanted=sandbox, api_key=api_key)
    url = _find_address(settings, base_url)
    if chosen is None:
        check_env_file(settings, api_key, base_url=base_url, ca_bundle=ca_bundle)
        token = _trusted_token(settings, api_key, url, named_in_code=base_url is not None)
    elif http_client is not None:
        raise ConfigurationError("sandbox= and http_client= exclude each other: the stand-in is asked in process.")
    else:
        token = SecretStr(SANDBOX_TOKEN) if api_key is None else api_key
    pacing = _pacing(settings, url, wanted=pace, in_process=chosen is not None)
    timeout = settings.timeout if isinstance(timeout, openai.NotGiven) and settings.timeout else timeout

    def make() -> IonosClient:
        own = http_client or _own_http_client(chosen, ca_bundle or settings.ca_bundle, kind, url)
        return kind(
            api_key=token,
            base_url=url,
            timeout=timeout,
            max_retries=settings.max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=own,
        )

    client = explaining_environment(make)
    client.ionos_settings, client.ionos_pacing, client.ionos_sandboxed = settings, pacing, chosen is sandbox is not None
    return client


def _own_http_client(
    sandbox: Sandbox | None,
    ca_bundle: str | os.PathLike[str] | None,
    kind: type[openai.OpenAI | openai.AsyncOpenAI],
    url: str,
) -> httpx.Client | httpx.AsyncClient:
    """Return an HTTP client that asks the sandbox, or the service at `url`, trusting the bundle where there is one."""
    in_loop = issubclass(kind, openai.AsyncOpenAI)
    if sandbox is not None:
        return (answering_async_client if in_loop else answering_client)(asking(sandbox))
    verify = None if ca_bundle is None else trust_also(Path(ca_bundle))
    return make_http_client(url, verify, in_loop=in_loop)


def explaining_environment(make: Callable[[], Made]) -> Made:
    """Return what `make` makes; where the HTTP library cannot use what the environment names, say which variable it is.

    Raises:
        ConfigurationError: A proxy or a file of certificates that the environment names cannot be used.
    """
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
    try:
        http_library().URL(url)  # which cannot read, for one, a host that is no valid international name
    except (http_library().InvalidURL, ValueError):
        problem = f"{origin} is not a URL that the HTTP library can read: check the host's name."
    else:
        return url
    raise ConfigurationError(problem)


def _trusted_token(
    settings: IonosSettings, api_key: Any, url: str, *, named_in_code: bool
) -> SecretStr | TokenSource | AsyncTokenSource:
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


def _with(settings: IonosSettings, **given: object) -> IonosSettings:
    """Return the settings with what was given as an argument; None counts as not given."""
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("compat", "off") not in get_args(CompatMode):
        raise ConfigurationError(f"compat= is not known: choose {' or '.join(get_args(CompatMode))}.")
    max_retries = given.get("max_retries", 0)
    if not is_whole_number(max_retries) or max_retries < 0:
        raise ConfigurationError("max_retries= is not a whole number from 0: leave it out for the default.")
    max_wait = given.get("max_wait", 0)
    if isinstance(max_wait, bool) or not isinstance(max_wait, (int, float)) or not max_wait >= 0:
        raise ConfigurationError("max_wait= is not a number of seconds from 0: leave it out to wait as long as needed.")
    if not isinstance(given.get("pace", True), bool):
        raise ConfigurationError("pace= is neither True nor False: leave it out for the default.")
    return settings.model_copy(update=given) if given else settings


def _pacing(settings: IonosSettings, base_url: str, *, wanted: bool | None, in_process: bool) -> Pacing | None:
    """Return how the client is paced; None where it is not."""
    if in_process:
        paces = wanted is True
    elif settings.pace is not None:
        paces = settings.pace
    else:
        paces = is_ionos_host(urlsplit(base_url).hostname or "")
    if not paces:
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
                f"{origin} asks for the stand-in, but there is a real token too: which one is meant? Remove the line, "
                "or ask for the stand-in in code (sandbox=True) or in the environment (IONOS_SANDBOX=1)."
            )
        if origin is not None and origin.place != "code":
            log.warning("%s is set: the stand-in answers, every picture is a placeholder.", origin)
        wanted = True
    if not wanted:
        return None
    from ionos_openai.sandbox import Sandbox

    return Sandbox() if wanted is True else wanted


def trust_also(bundle: Path) -> ssl.SSLContext:
    """Return the SDK's own checks of certificates, trusting those in a PEM file too.

    Raises:
        ConfigurationError: The file cannot be read, or holds no certificate.
    """
    context = explaining_environment(lambda: cast("ssl.SSLContext", http_library().create_ssl_context()))
    try:
        context.load_verify_locations(cafile=bundle)
    except ssl.SSLError:
        problem = "holds no certificate in PEM form"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    else:
        return context
    shown = mask_secrets(str(bundle))
    raise ConfigurationError(f"The CA bundle {shown} {problem}: mend ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle.")
