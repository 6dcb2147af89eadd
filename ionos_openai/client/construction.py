"""What a client is to be made of: arguments, settings and the environment together, checked before anything is sent."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast, get_args
from urllib.parse import urlsplit

from ionos_openai.client.in_process import asking
from ionos_openai.client.pacing import Limits, Pacing
from ionos_openai.client.settings import IonosSettings, foreign_variables
from ionos_openai.client.tokens import AsyncTokenSource, TokenSource, as_text, find_token
from ionos_openai.errors import ConfigurationError, IonosError
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.hub.compat import CompatMode
from ionos_openai.hub.credentials import SANDBOX_TOKEN, check_base_url, is_ionos_host, normalise_base_url

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import httpx2 as httpx
    from pydantic import SecretStr

    from ionos_openai.sandbox import Sandbox

log = logging.getLogger("ionos_openai")

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a client is to be made of, sync or async.

    Attributes:
        settings: The settings, with the arguments that stand for some of them.
        api_key: The token, checked, or what is asked for it.
        base_url: The service's address, checked.
        pacing: How the client is paced; None where it is not.
        answer: The stand-in, where it answers instead of the network.
        certificates: What is trusted, where a CA bundle was named.
    """

    settings: IonosSettings
    api_key: str | TokenSource | AsyncTokenSource = field(repr=False)
    base_url: str
    pacing: Pacing | None
    answer: Callable[[httpx.Request], httpx.Response] | None
    certificates: ssl.SSLContext | None


def make_plan(
    settings: IonosSettings | None,
    *,
    api_key: str | SecretStr | TokenSource | AsyncTokenSource | None,
    base_url: str | httpx.URL | None,
    max_retries: int | None,
    ca_bundle: str | os.PathLike[str] | None,
    compat: CompatMode | None,
    pace: bool | None,
    max_wait: float | None,
    sandbox: bool | Sandbox | None,
    http_client: object,
) -> Plan:
    """Decide on all of it; arguments win over settings. Raises what `create_client` raises."""
    settings = _with(settings or IonosSettings(), max_retries=max_retries, compat=compat, pace=pace, max_wait=max_wait)
    if ca_bundle and http_client is not None:
        raise ConfigurationError("ca_bundle= and http_client= exclude each other: give your own client verify=.")
    stand_in = _choose_sandbox(settings, wanted=sandbox, api_key=api_key)
    url = _find_address(settings, base_url)
    token: str | TokenSource | AsyncTokenSource = SANDBOX_TOKEN
    answer = certificates = None
    if stand_in is None:
        token = find_token(settings, api_key)
        _check_trusted(settings, url, token, named_in_code=base_url is not None)
        bundle = Path(ca_bundle) if ca_bundle else settings.ca_bundle
        certificates = trust_also(bundle) if bundle and http_client is None else None
    elif http_client is not None:
        raise ConfigurationError("sandbox= and http_client= exclude each other: the stand-in is asked in process.")
    else:
        answer = asking(stand_in)
        token = token if api_key is None else as_text(api_key)
    return Plan(
        settings=settings,
        api_key=token,
        base_url=url,
        pacing=_pacing(settings, url, wanted=pace, in_process=answer is not None),
        answer=answer,
        certificates=certificates,
    )


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
    _check_readable(url, origin)
    return url


def _check_trusted(
    settings: IonosSettings, url: str, token: str | TokenSource | AsyncTokenSource, *, named_in_code: bool
) -> None:
    """Refuse an address to which the token may not go."""
    if token == SANDBOX_TOKEN:
        return
    place = settings.origin("base_url")
    check_base_url(
        url,
        origin="base_url=" if named_in_code else str(place or "base_url"),
        named_in_code=named_in_code or place is None or place.place == "code",
        allowed_hosts=settings.allowed_hosts,
    )


def _with(settings: IonosSettings, **given: object) -> IonosSettings:
    """Return the settings with what was given as an argument; None counts as not given."""
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("compat", "off") not in get_args(CompatMode):
        raise ConfigurationError(f"compat= is not known: choose {' or '.join(get_args(CompatMode))}.")
    max_retries = given.get("max_retries", 0)
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
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
    limits = Limits(**{one.name: getattr(settings, one.name) for one in fields(Limits)})
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


def _check_readable(url: str, origin: str) -> None:
    """Refuse a URL that the HTTP library itself cannot read, such as one whose host is no valid international name."""
    try:
        http_library().URL(url)
    except (http_library().InvalidURL, ValueError):
        problem = f"{origin} is not a URL that the HTTP library can read: check the host's name."
    else:
        return
    raise ConfigurationError(problem)


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
