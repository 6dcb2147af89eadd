"""Every setting, and where its value comes from. The only reader of the environment.

A value is taken from the argument, else the environment, else the `.env` file of the working directory, else the
default; the token last from what `ionos-openai login` kept on this machine, but never where `CI` is set. Within one
place the token's variables go in the order `IONOS_API_TOKEN`, `IONOS_API_TOKEN_FILE`, `IONOS_API_KEY`, `IONOS_TOKEN`.
Blank counts as unset; outer blanks are stripped.

A setting is a field of `IonosSettings`, a line of its docstring, and an argument in `SettingValues`; its variable is
`IONOS_` and its name. What stands below, of each its variables and its default, is made of the fields.
"""

from __future__ import annotations

import configparser
import contextlib
import functools
import logging
import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, Unpack

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ionos_openai.client import login
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.errors import ConfigurationError, IonosError
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.words import printable, undressed
from ionos_openai.files.buckets import Place, StorageBucket, is_url
from ionos_openai.files.names import FileNames, SavingSettings
from ionos_openai.files.opening import at_home
from ionos_openai.hub import credentials
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL
from ionos_openai.hub.compat import CompatMode
from ionos_openai.hub.models import model_to_send
from ionos_openai.hub.prices import parse_prices
from ionos_openai.provenance.signing import Signer, load_library

log = logging.getLogger("ionos_openai")

_LIMITS = ContractLimits()
_LARGEST = 1 << 20  # bytes of a .env

# In the order in which they are looked up; every other setting has the one variable that is called like it.
_TOKEN_ORDER = ("IONOS_API_TOKEN", "IONOS_API_TOKEN_FILE", "IONOS_API_KEY", "IONOS_TOKEN")
TOKEN_VARIABLES = tuple(variable for variable in _TOKEN_ORDER if not variable.endswith("_FILE"))
_TOKEN_SETTINGS = frozenset({"api_key", "api_key_file"})  # The first that has a value decides both.
_SAVING_SETTINGS = frozenset(field.name for field in fields(SavingSettings))
# A `.env` that came with somebody's files neither sends anything anywhere new, nor says which signers are trusted.
_ONLY_REAL_ENVIRONMENT = frozenset({"allowed_hosts", "c2pa_tsa_url", "c2pa_trust"})
# The words that pydantic takes for a switch.
_ON, _OFF = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")

# How a value may be written that is not plain, and by what that is seen.
_DRESSES = {
    "in quotes": r"""(?s)^\s*(["']).*\1\s*$""",
    "with a line break at its end": r"[\r\n]\s*$",
    'with "Bearer" in front': r"(?i)^\s*bearer\s",
    "with ~ for a user's directory": r"^\s*~",
    "with the path of an endpoint": r"^\s*https?://.*/(?:(?:images|chat)/\w+|completions|embeddings|models)/*\s*$",
}

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a setting's value came from: code, the environment, the `.env` file at `path`, or a login.

    `variable` is the variable's name; for code the setting's own, for a login where the token is kept. `dress` is how
    the value was written where it was not plain, such as "in quotes".
    """

    place: Literal["code", "environment", ".env", "login"]
    variable: str
    path: Path | None = None
    dress: str = ""

    def __str__(self) -> str:
        """Return a phrase for messages: "IONOS_API_TOKEN in the environment"."""
        if self.place == "code":
            return f"{self.variable}="
        if self.place == "login":
            return f"the login in {self.variable}"
        return f"{self.variable} in {self.path or 'the environment'}"


def _file_path(value: Path) -> Path:
    if credentials.looks_like_token(str(value)):
        raise ValueError("it holds a token or key: name a file, and put the token into IONOS_API_TOKEN")
    if "-----BEGIN" in str(value):
        raise ValueError("it holds a key or certificate: write that into a file, and name the file")
    return at_home(value)


def _split_hosts(value: object) -> object:
    value = value.replace(",", " ").split() if isinstance(value, str) else value
    return tuple(value) if isinstance(value, Iterable) else value


def _checked(check: Callable[[str, str], object]) -> AfterValidator:
    """Have a text be what `check`, which gets the service's address too, makes of it where that is a text again."""

    def validate(value: str, info: ValidationInfo) -> str:
        try:
            result = check(value, info.data.get("base_url", credentials.BASE_URL))
        except IonosError as error:
            raise ValueError(str(error)) from None
        return result if isinstance(result, str) else value

    return AfterValidator(validate)


TelemetryLevel: TypeAlias = Literal["on", "off", "detailed"]
_Url = Annotated[str, _checked(lambda url, _: credentials.normalise_base_url(url, origin="the URL"))]
_Model = Annotated[str, _checked(model_to_send)]
_File = Annotated[Path, AfterValidator(_file_path)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Burst = Annotated[int, Field(ge=1)]


class SettingValues(TypedDict, total=False):
    """The arguments of `IonosSettings`, all optional; for type checkers, which cannot derive them from its fields."""

    api_key: str | SecretStr | None
    api_key_file: str | os.PathLike[str] | None
    base_url: str
    allowed_hosts: Iterable[str]
    image_model: str
    image_edit_model: str
    timeout: float | None
    max_retries: int
    ca_bundle: str | os.PathLike[str] | None
    sandbox: bool
    file_names: FileNames
    provenance: bool
    prompt_in_metadata: bool
    sign: bool | Literal["required"]
    c2pa_certificate: str | os.PathLike[str] | None
    c2pa_private_key: str | os.PathLike[str] | None
    c2pa_passphrase: str | SecretStr | None
    c2pa_tsa_url: str | None
    c2pa_trust: str | os.PathLike[str] | None
    compat: CompatMode
    pace: bool | None
    max_wait: float | None
    images_per_minute: float
    image_burst: int
    requests_per_second: float
    request_burst: int
    budget_url: str | SecretStr | None
    prices: str
    telemetry: TelemetryLevel
    telemetry_content: bool


class IonosSettings(BaseSettings):
    """The settings of a client: arguments first, then the environment, then `.env`, then the defaults.

    Attributes:
        api_key: The IONOS token, without which no client can be made; never shown in a repr.
        api_key_file: A file that holds the token, read again when it changes.
        base_url: The service's address; by default IONOS' server in Berlin.
        allowed_hosts: Hosts outside ionos.com to which `IONOS_BASE_URL` may point; never taken from `.env`.
        image_model, image_edit_model: The models where none is named, for edits too: an id or a short name.
        timeout: Seconds before a request is given up; None means the SDK's 600.
        max_retries: How often the SDK tries again after 408, 409, 5xx and broken connections; each may be billed.
        ca_bundle: A PEM file with a private CA's certificates, trusted beside the usual ones.
        sandbox: Whether the sandbox, in this process, answers instead of the service.
        file_names: Whether file names are made of the "prompt" or of its "digest".
        provenance: Whether the metadata of saved pictures says how they were made.
        prompt_in_metadata: Whether it has the prompt too, which may be confidential.
        sign: Whether saved pictures are signed; with "required" those that cannot be are not saved.
        c2pa_certificate, c2pa_private_key: PEM files: the chain to sign with, the signer's own first, and its key.
        c2pa_passphrase: What the private key is encrypted with; never shown in a repr.
        c2pa_tsa_url: The authority that is asked for time stamps of signatures; never taken from `.env`.
        c2pa_trust: A PEM file with the certificates that make a signer trusted; never taken from `.env`.
        compat: Whether requests for OpenAI are changed with a warning ("adapt"), refused ("strict") or left ("off").
        pace: Whether requests wait for the contract's limits; None means where the service's host is one of ionos.com.
        max_wait: Seconds that a call may wait for the limits and between its attempts; None means no bound.
        images_per_minute, requests_per_second: How many the contract allows in the long run.
        image_burst, request_burst: How many it allows at once after a rest.
        budget_url: The Redis through which hosts share the limits, never in a repr; None means a file on this host.
        prices: What a picture costs by the contract, such as "klein=0.02 EUR, ..."; before the catalogue's prices.
        telemetry: Whether OpenTelemetry is told of picture requests: "on", "off", or "detailed", with each wait.
        telemetry_content: Whether it is told the prompts too, which may be confidential.

    Raises:
        ConfigurationError: A value cannot work, or the `.env` file cannot be read. No value is in the message.
    """

    model_config = SettingsConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: Annotated[SecretStr | None, BeforeValidator(lambda token: credentials.conceal(token) or None)] = None
    api_key_file: _File | None = None
    base_url: _Url = credentials.BASE_URL
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_split_hosts)] = ()
    image_model: _Model = DEFAULT_IMAGE_MODEL
    image_edit_model: _Model = DEFAULT_EDIT_MODEL
    timeout: _Positive | None = None
    max_retries: Annotated[int, Field(ge=0, le=100)] = 2
    ca_bundle: _File | None = None
    sandbox: bool = False
    file_names: FileNames = "prompt"
    provenance: bool = True
    prompt_in_metadata: bool = False
    sign: bool | Literal["required"] = False
    c2pa_certificate: _File | None = None
    c2pa_private_key: _File | None = None
    c2pa_passphrase: SecretStr | None = None
    c2pa_tsa_url: str | None = None
    c2pa_trust: _File | None = None
    compat: CompatMode = "adapt"
    pace: bool | None = None
    max_wait: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    images_per_minute: _Positive = _LIMITS.images_per_minute
    image_burst: _Burst = _LIMITS.image_burst
    requests_per_second: _Positive = _LIMITS.requests_per_second
    request_burst: _Burst = _LIMITS.request_burst
    budget_url: SecretStr | None = None
    prices: Annotated[str, _checked(parse_prices)] = ""
    telemetry: TelemetryLevel = "on"
    telemetry_content: bool = False

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)
    _refused: tuple[str, ...] = PrivateAttr(default=())
    _env_path: Path | None = PrivateAttr(default=None)

    def __init__(self, *, env_file: str | os.PathLike[str] | None = ".env", **values: Unpack[SettingValues]) -> None:
        """Take `values` first, then the environment, then `env_file` (None: no file)."""
        given: dict[str, Any] = {name: _undressed(name, value) for name, value in values.items() if value is not None}
        values = {}
        env_path = None if env_file is None else _absolute(Path(env_file))
        found, origins, refused = _look_around(env_path)
        if _TOKEN_SETTINGS & given.keys():
            found = {name: value for name, value in found.items() if name not in _TOKEN_SETTINGS}
        asks = not (_TOKEN_SETTINGS | {"sandbox"}) & (found | given).keys() and not is_in_ci()
        if asks and (kept := login.read()) is not None:
            found["api_key"], origins["api_key"] = kept.token, Origin(place="login", variable=kept.place)
        merged = found | given
        origins |= {name: Origin(place="code", variable=name) for name in given}
        problem: str | None = None
        try:
            super().__init__(_env_file=None, **merged)  # or pydantic would read the file once more, its own way
        except ValidationError as error:
            problem = _describe(error, origins)
        # Raised out here, so that the raw values in pydantic's error do not travel along as its context.
        if problem:
            raise ConfigurationError(problem)
        self._origins = {name: origins[name] for name in merged if name in type(self).model_fields}
        self._refused, self._env_path = refused, env_path

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use what `__init__` gathered: pydantic's own sources cannot tell which variable a value came from."""
        return (sources["init_settings"],)

    def origin(self, name: str) -> Origin | None:
        """Return where the value of the setting `name` came from; None where it is the default."""
        return self._origins.get(name)

    @property
    def refused_variables(self) -> tuple[str, ...]:
        """The variables that were passed over because they hold a key for IONOS' DNS and hosting API."""
        return self._refused

    @property
    def unknown_variables(self) -> list[Origin]:
        """The variables that begin with IONOS_ and are no setting's, in the environment and in the `.env` file."""
        known = {variable for variable, _ in setting_variables()}
        own = [Origin(place="environment", variable=name) for name in own_variables()]
        names = [name for name in _read_env_file(self._env_path) if name.upper().startswith("IONOS_")]
        own += [Origin(place=".env", variable=name, path=self._env_path) for name in names]
        return [origin for origin in own if origin.variable not in known]

    @property
    def env_path(self) -> Path | None:
        """The `.env` file that was looked for, whether it exists or not; None where it is turned off."""
        return self._env_path


@functools.cache
def setting_variables() -> tuple[tuple[str, str], ...]:
    """Return each variable with its setting, in the order in which they are looked up."""
    tokens = ((variable, "api_key" if variable in TOKEN_VARIABLES else "api_key_file") for variable in _TOKEN_ORDER)
    others = [name for name in IonosSettings.model_fields if name not in _TOKEN_SETTINGS]
    return *tokens, *((f"IONOS_{name.upper()}", name) for name in others)


def dress_of(text: str) -> str:
    """Tell how a value is written that is not plain, such as "in quotes"; empty where it is."""
    return next((words for words, sign in _DRESSES.items() if re.search(sign, text)), "")


def own_variables() -> list[str]:
    """Return the names of all variables in the environment that begin with IONOS_, in any case."""
    return [name for name in os.environ if name.upper().startswith("IONOS_")]


class TokenFile:
    """A token that lies in a file, as Docker and Kubernetes hand out secrets; read again when the file changes.

    Calling it returns the token; it works as `api_key=` of a client. Such a call raises a ConfigurationError where the
    file cannot be read or is empty, and there is no earlier token.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remember `path`; nothing is read yet."""
        self.path = at_home(path)
        self._token = ""
        self._stamp: tuple[int, int, int] | None = None
        self.dress = ""  # how the file has the token, as `dress_of` tells it

    def __call__(self) -> str:
        """Return the token that the file holds now."""
        problem: str | None = None
        try:
            status = self.path.stat()
            if (stamp := (status.st_mtime_ns, status.st_size, status.st_ino)) != self._stamp:
                text = self.path.read_text(encoding="utf-8-sig").strip()
                self._token, self.dress = credentials.clean_token(text) or self._token, dress_of(text)
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "not UTF-8 text"
        # Explained out here, so that the file's bytes in a UnicodeDecodeError do not travel along as its context.
        if problem and not self._token:
            remedy = "Mend IONOS_API_TOKEN_FILE or api_key_file=."
            raise ConfigurationError(f"The token file {self.path} cannot be read ({problem}). {remedy}")
        if problem:  # While a secret is being swapped, the file may be gone for a moment: the one from before holds.
            log.warning("The token file %s cannot be read (%s): the token read before is used.", self.path, problem)
        if not self._token:
            raise ConfigurationError(f"The token file {self.path} is empty: write the IONOS token into it.")
        return self._token

    def __repr__(self) -> str:
        """Return the path, never the token."""
        return f"TokenFile({str(self.path)!r})"


def settings_of(client: object) -> IonosSettings | None:
    """Return the settings of a client from the factory; None of any other one, and of a mock, which has everything."""
    settings = getattr(client, "ionos_settings", None)
    return settings if isinstance(settings, IonosSettings) else None


def saving_settings() -> SavingSettings:
    """Return what the environment, else `.env`, says of saving pictures; what cannot be read counts as unset.

    Never raises: it is asked when a picture that was paid for is about to be written.
    """
    found: dict[str, Any] = {}
    with contextlib.suppress(ConfigurationError):
        found, _, _ = _look_around(_absolute(Path(".env")), only=_SAVING_SETTINGS)
    return SavingSettings(
        file_names="digest" if str(found.get("file_names")).lower() == "digest" else "prompt",
        provenance=_switch(found.get("provenance"), default=True),
        prompt_in_metadata=_switch(found.get("prompt_in_metadata"), default=False),
        sign="required" if found.get("sign") == "required" else _switch(found.get("sign"), default=False),
    )


def open_place(directory: str | os.PathLike[str] | Place) -> Place:
    """Return the directory, or the bucket of a URL such as "s3://bucket/prefix", by the storage's own variables.

    Where obstore is missing or cannot use the URL, or a path was a URL, it is a `ConfigurationError`.
    """
    if isinstance(directory, StorageBucket):
        return directory
    if not is_url(directory) and (lost := re.match(r"[A-Za-z][\w+.-]+:[/\\]", os.fspath(directory))):
        known = "s3://, gs://, az:// or file://"
        raise ConfigurationError(f"{lost[0]} begins no directory. A bucket's URL is text that begins with {known}.")
    return open_bucket(str(directory)) if is_url(directory) else at_home(directory)


def open_bucket(url: str) -> StorageBucket:
    """Return the bucket of a URL. Raises what `open_place` raises."""
    return StorageBucket(url, _options_for(url))


def _options_for(url: str) -> dict[str, Any]:
    """Return what S3's variables and files say and obstore does not read: profiles, and that an endpoint is local."""
    if url[:2].lower() != "s3":
        return {}
    told = {name: os.environ.get(f"AWS_{name}") for name in ("PROFILE", "CONFIG_FILE", "SHARED_CREDENTIALS_FILE")}
    profile, found = told["PROFILE"] or "default", dict[str, str]()
    sections = (profile if profile == "default" else f"profile {profile}", profile)
    files = (told["CONFIG_FILE"] or "~/.aws/config", told["SHARED_CREDENTIALS_FILE"] or "~/.aws/credentials")
    for section, file in zip(sections, files, strict=True):
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError, RuntimeError):
            parser.read(Path(file).expanduser(), encoding="utf-8")
            found |= dict(parser[section]) if parser.has_section(section) else {}
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        found = {name: value for name, value in found.items() if not name.startswith("aws_")}
    if os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        found.pop("region", None)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or found.get("endpoint_url")
    known = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region")
    options: dict[str, Any] = {name: found[name] for name in known if found.get(name)}
    if endpoint:
        options["endpoint"] = endpoint
    return {**options, "client_options": {"allow_http": (endpoint or "").startswith("http://"), "timeout": "60s"}}


def load_signer(sign: Literal[True, "required"] | Signer, settings: IonosSettings | None = None) -> Signer:
    """Return what pictures are to be signed with, once it was tried.

    A `ConfigurationError` says that it cannot sign, that there is none, or that c2pa-python is not installed.
    """
    load_library()
    if not isinstance(sign, Signer):
        settings = settings or IonosSettings(sandbox=True)  # which looks for no token
        certificate, key = settings.c2pa_certificate, settings.c2pa_private_key
        if certificate is None or key is None:
            raise ConfigurationError(
                "Nothing to sign with: set IONOS_C2PA_CERTIFICATE and IONOS_C2PA_PRIVATE_KEY, or pass a Signer."
            )
        changed = tuple(os.path.getmtime(path) if os.path.isfile(path) else 0 for path in (certificate, key))  # noqa: PTH113, PTH204
        sign = _signer(certificate, key, settings.c2pa_passphrase, settings.c2pa_tsa_url, sign, changed)
    sign.check()
    return sign


@functools.lru_cache(maxsize=4)  # a picture is not to cost the reading of a key
def _signer(
    certificate: Path, key: Path, passphrase: SecretStr | None, tsa_url: str | None, sign: object, _changed: object
) -> Signer:
    return Signer(certificate, key, passphrase=passphrase, tsa_url=tsa_url, required=sign == "required")


def _switch(value: str | None, *, default: bool) -> bool:
    word = (value or "").lower()
    return word in _ON or (default and word not in _OFF)


def _look_around(
    env_path: Path | None, *, only: Container[str] | None = None
) -> tuple[dict[str, Any], dict[str, Origin], tuple[str, ...]]:
    """Return the values of environment and `.env`, the origin of each, and the variables that hold hosting keys."""
    found: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    refused, decided = list[str](), set[str]()
    for place, path, variables in (("environment", None, os.environ), (".env", env_path, _read_env_file(env_path))):
        for variable, name in setting_variables():
            if (only and name not in only) or (path and name in _ONLY_REAL_ENVIRONMENT):
                continue
            value = _undressed(name, variables.get(variable) or "")
            if not value:
                continue
            # Of a passphrase every letter counts, and none is told.
            dress = "" if name == "c2pa_passphrase" else dress_of(variables[variable] or "")
            origin = Origin(place=place, variable=variable, path=path, dress=dress)  # type: ignore[arg-type]  # of a pair
            kind = "token" if name in _TOKEN_SETTINGS else name
            if name == "api_key" and credentials.is_hosting_key(value.get_secret_value()):
                refused.append(str(origin))
                log.info("%s holds a key for IONOS' DNS and hosting API: passed over.", origin)
            elif kind in decided:
                log.debug("%s is not used: the value was already taken from elsewhere.", origin)
            else:
                decided.add(kind)
                found[name], origins[name] = value, origin
                if kind == "token":
                    log.debug("The IONOS token is taken from %s.", origin)
    return found, origins, tuple(refused)


def _undressed(name: str, value: Any) -> Any:
    """Return a value without what came along with it, such as quotes; a secret is concealed."""
    if isinstance(value, str):
        value = value.strip() if name == "c2pa_passphrase" else undressed(value)
    if name in ("budget_url", "c2pa_passphrase"):  # the first may hold a password
        return SecretStr(value) if isinstance(value, str) else value
    return credentials.conceal(value) if name == "api_key" else value


__doc__ = f"{__doc__}\n| setting | variables | default |\n| --- | --- | --- |\n"
for _name, _field in IonosSettings.model_fields.items():
    _variables = ", ".join(f"`{variable}`" for variable, of_setting in setting_variables() if of_setting == _name)
    __doc__ += f"| `{_name}` | {_variables} | {_field.default!r} |\n"


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:  # the working directory is gone, and with it a file in it
        return path


def _read_env_file(path: Path | None) -> Mapping[str, str | None]:
    problem = "is not UTF-8 text: save it as UTF-8"
    try:
        if path is None or not path.is_file():
            return {}
        if path.stat().st_size > _LARGEST:
            problem = "is larger than 1 MiB: move it away"
        # UTF-16 without a mark at its start reads as UTF-8 with a NUL beside each letter.
        elif "\0" not in (text := path.read_text(encoding="utf-8-sig")):
            # A file may have come with somebody else's code: its ${...} would take in any secret of the environment.
            return dotenv_values(stream=StringIO(text), interpolate=False)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}): mend its permissions"
    except UnicodeDecodeError:
        pass
    # Raised out here: a UnicodeDecodeError holds what the file has.
    raise ConfigurationError(f"{path} {problem}, or turn it off with IonosSettings(env_file=None).")


def _describe(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    problems = []
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(entry["loc"][0]) if entry["loc"] else "settings"
        if entry["type"] == "extra_forbidden":
            problems.append(f"There is no setting {name!r}.")
        else:
            message = mask_secrets(entry["msg"].removeprefix("Value error, ").rstrip("."))
            problems.append(f"Cannot use {origins.get(name, name)}: {message[:1].lower()}{message[1:]}.")
    return " ".join(problems)


def is_in_ci() -> bool:
    """Tell whether this is a job of continuous integration, which has its token from its own store."""
    return _switch(os.environ.get("CI"), default=bool(os.environ.get("CI")))


def foreign_variables() -> dict[str, str]:
    """Return other programs' variables that bear on a client, sorted by name: OpenAI's, proxies', certificates'.

    The values are fit to be shown: none for `OPENAI_*`, proxies without user and password, and no control characters.
    """
    found: dict[str, str] = {}
    for name, value in sorted(os.environ.items()):
        if not value.strip():
            continue
        if name.upper().startswith("OPENAI_"):
            found[name] = ""
        elif (is_proxy := name.upper() in _PROXY_VARIABLES) or name in CERTIFICATE_VARIABLES:
            user = r"(?is)^([a-z][a-z0-9+.-]*://)?.*@"
            shown = re.sub(user, r"\1***@", value.strip()) if is_proxy else value.strip()
            found[name] = printable(mask_secrets(shown), instead="?")[:500]
    return found
