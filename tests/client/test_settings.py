"""Where each setting's value comes from, and that no value of a secret shows on the way."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import pickle
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from ionos_openai.client import create_async_client, create_client, settings as settings_module
from ionos_openai.client.settings import IonosSettings, Origin, SettingValues, TokenFile, saving_settings
from ionos_openai.errors import ConfigurationError, InvalidTokenError, MissingTokenError
from ionos_openai.files.names import SavingSettings
from ionos_openai.hub.credentials import BASE_URL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.loopback import LoopbackServer

CANARY = "eyJcanaryCANARYcanary0123456789"
NO_FILE = "it holds a token or key: name a file, and put the token into IONOS_API_TOKEN."
HOSTING_KEY = "0123456789abcdef.hostingCANARYkey"
FLUX2 = "black-forest-labs/FLUX.2-klein-4B"

# Setting, variable, what the variable holds, what the setting becomes, what code gives instead.
ROWS = [
    ("base_url", "IONOS_BASE_URL", "https://a.ionos.com/", "https://a.ionos.com/v1", "https://b.ionos.com/v1"),
    ("image_model", "IONOS_IMAGE_MODEL", "klein", FLUX2, "vendor/other"),
    ("image_edit_model", "IONOS_IMAGE_EDIT_MODEL", "vendor/editor", "vendor/editor", "vendor/other"),
    ("timeout", "IONOS_TIMEOUT", "12.5", 12.5, 3.0),
    ("max_retries", "IONOS_MAX_RETRIES", "0", 0, 7),
    ("ca_bundle", "IONOS_CA_BUNDLE", "/ca.pem", Path("/ca.pem"), Path("/other.pem")),
    ("sandbox", "IONOS_SANDBOX", "1", True, False),
    ("file_names", "IONOS_FILE_NAMES", "digest", "digest", "prompt"),
    ("sign", "IONOS_SIGN", "required", "required", True),
    ("c2pa_certificate", "IONOS_C2PA_CERTIFICATE", "/chain.pem", Path("/chain.pem"), Path("/other.pem")),
    ("c2pa_private_key", "IONOS_C2PA_PRIVATE_KEY", "/key.pem", Path("/key.pem"), Path("/other.pem")),
    ("c2pa_passphrase", "IONOS_C2PA_PASSPHRASE", "hush", SecretStr("hush"), SecretStr("other")),
    ("compat", "IONOS_COMPAT", "strict", "strict", "off"),
    ("pace", "IONOS_PACE", "on", True, False),
    ("max_wait", "IONOS_MAX_WAIT", "30", 30.0, 5.0),
    ("images_per_minute", "IONOS_IMAGES_PER_MINUTE", "60", 60.0, 30.0),
    ("image_burst", "IONOS_IMAGE_BURST", "100", 100, 50),
    ("requests_per_second", "IONOS_REQUESTS_PER_SECOND", "2.5", 2.5, 50.0),
    ("request_burst", "IONOS_REQUEST_BURST", "40", 40, 20),
    ("budget_url", "IONOS_BUDGET_URL", "redis://a/0", SecretStr("redis://a/0"), SecretStr("redis://b/0")),
    ("api_key_file", "IONOS_API_TOKEN_FILE", "/run/secrets/ionos", Path("/run/secrets/ionos"), Path("/other")),
]
DEFAULTS = {
    "api_key": None,
    "api_key_file": None,
    "base_url": BASE_URL,
    "allowed_hosts": (),
    "image_model": "black-forest-labs/FLUX.1-schnell",
    "image_edit_model": FLUX2,
    "timeout": None,
    "max_retries": 2,
    "ca_bundle": None,
    "sandbox": False,
    "file_names": "prompt",
    "provenance": True,
    "prompt_in_metadata": False,
    "sign": False,
    "c2pa_certificate": None,
    "c2pa_private_key": None,
    "c2pa_passphrase": None,
    "c2pa_tsa_url": None,
    "c2pa_trust": None,
    "compat": "adapt",
    "pace": None,
    "max_wait": None,
    "images_per_minute": 10,
    "image_burst": 20,
    "requests_per_second": 5,
    "request_burst": 10,
    "budget_url": None,
    "prices": "",
    "telemetry": "on",
    "telemetry_content": False,
}


@pytest.fixture(autouse=True)
def _nothing_about_pacing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are read here, not used: every default counts."""
    monkeypatch.delenv("IONOS_PACE")


def write_env(*lines: str) -> Path:
    """Write a `.env` into the working directory."""
    path = Path(".env")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.absolute()


def token_of(settings: IonosSettings) -> str | None:
    """Return the token's text."""
    return settings.api_key.get_secret_value() if settings.api_key else None


def everything_said(error: BaseException) -> str:
    """Return all that a log, a notebook or an error tracker would show of `error` and what it brings along."""
    seen: list[str] = ["".join(traceback.format_exception(error))]
    current: BaseException | None = error
    while current is not None:
        seen += [str(current), repr(current), repr(current.args), repr(vars(current))]
        current = current.__cause__ or current.__context__
    return "\n".join(seen)


# The table.


def test_without_anything_every_setting_has_its_default() -> None:
    """With no variable and no file, each setting is what the table says, and comes from nowhere."""
    settings = IonosSettings()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert all(settings.origin(name) is None for name in DEFAULTS)
    assert set(DEFAULTS) == set(IonosSettings.model_fields) == set(SettingValues.__annotations__)


@pytest.mark.parametrize(("name", "variable", "text", "value", "given"), ROWS, ids=[row[0] for row in ROWS])
def test_the_argument_wins_over_the_environment_over_the_file_over_the_default(
    name: str, variable: str, text: str, value: object, given: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row of the table is taken from the first place that has it, and says which that was."""
    path = write_env(f"{variable}={text}")
    assert getattr(IonosSettings(env_file=None), name) == DEFAULTS[name]
    from_file = IonosSettings()
    assert getattr(from_file, name) == value
    assert from_file.origin(name) == Origin(place=".env", variable=variable, path=path)

    write_env(f"{variable}=nonsense-that-would-be-refused-or-differ")
    monkeypatch.setenv(variable, text)
    from_environment = IonosSettings()
    assert getattr(from_environment, name) == value
    assert from_environment.origin(name) == Origin(place="environment", variable=variable)

    from_code = IonosSettings(**{name: given})  # type: ignore[arg-type]
    assert getattr(from_code, name) == given
    assert from_code.origin(name) == Origin(place="code", variable=name)


def test_the_documented_table_names_every_setting_and_variable() -> None:
    """The module's table is the one place where all of this is written down."""
    for name in DEFAULTS:
        assert f"| `{name}` |" in (settings_module.__doc__ or "")
    for variable in ("IONOS_API_TOKEN", "IONOS_API_KEY", "IONOS_TOKEN", "IONOS_ALLOWED_HOSTS", *(r[1] for r in ROWS)):
        assert f"`{variable}`" in (settings_module.__doc__ or "")


TOKEN_ORDER = ["IONOS_API_TOKEN", "IONOS_API_KEY", "IONOS_TOKEN"]


@pytest.mark.parametrize("place", ["environment", ".env"])
@pytest.mark.parametrize("first", range(3))
def test_the_tokens_variables_count_in_their_order(first: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one place the official name wins, then the others in turn."""
    names = TOKEN_ORDER[first:]
    if place == "environment":
        for name in names:
            monkeypatch.setenv(name, f"token-{name}")
    else:
        write_env(*(f"{name}=token-{name}" for name in reversed(names)))
    assert token_of(IonosSettings()) == f"token-{names[0]}"


def test_a_better_name_in_the_file_does_not_lose_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The environment's worse name is taken, and the log says at DEBUG which one was and which was not."""
    path = write_env(f"IONOS_API_TOKEN={CANARY}")
    monkeypatch.setenv("IONOS_TOKEN", "token-from-environment")
    caplog.set_level(logging.DEBUG, "ionos_openai")
    assert token_of(IonosSettings()) == "token-from-environment"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "The IONOS token is taken from IONOS_TOKEN in the environment."),
        ("DEBUG", f"IONOS_API_TOKEN in {path} is not used: the value was already taken from elsewhere."),
    ]


def test_a_file_of_a_better_name_stands_between_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token's file comes after IONOS_API_TOKEN and before the other names."""
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "/run/secrets/ionos")
    monkeypatch.setenv("IONOS_API_KEY", "worse")
    settings = IonosSettings()
    assert (settings.api_key, settings.api_key_file) == (None, Path("/run/secrets/ionos"))
    monkeypatch.setenv("IONOS_API_TOKEN", "better")
    settings = IonosSettings()
    assert (token_of(settings), settings.api_key_file) == ("better", None)


def test_a_token_in_code_leaves_no_other_token_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file nor a variable mixes with a token that code gives, and the other way round."""
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "/run/secrets/ionos")
    settings = IonosSettings(api_key="from-code")
    assert (token_of(settings), settings.api_key_file) == ("from-code", None)
    monkeypatch.setenv("IONOS_API_TOKEN", "from-environment")
    settings = IonosSettings(api_key_file="mine")
    assert (settings.api_key, settings.api_key_file) == (None, Path("mine"))


@pytest.mark.parametrize("blank", ["", " ", "\t", "  \n "])
def test_a_blank_variable_counts_as_unset(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank in the environment hides neither a worse name nor the file, for any setting."""
    monkeypatch.setenv("IONOS_API_TOKEN", blank)
    monkeypatch.setenv("IONOS_TIMEOUT", blank)
    monkeypatch.setenv("IONOS_SANDBOX", blank)
    monkeypatch.setenv("IONOS_API_KEY", "good")
    write_env("IONOS_TIMEOUT=5", "IONOS_SANDBOX=", "IONOS_MAX_RETRIES='  '")
    settings = IonosSettings()
    assert (token_of(settings), settings.timeout, settings.sandbox, settings.max_retries) == ("good", 5, False, 2)


def test_outer_blanks_are_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pasted with blanks or a line break around it works."""
    monkeypatch.setenv("IONOS_API_TOKEN", "  Bearer abc\r\n")
    monkeypatch.setenv("IONOS_BASE_URL", " https://a.ionos.com/v1/ ")
    monkeypatch.setenv("IONOS_ALLOWED_HOSTS", " a.example,  b.example c.example,")
    settings = IonosSettings()
    assert token_of(settings) == "abc"
    assert settings.base_url == "https://a.ionos.com/v1"
    assert settings.allowed_hosts == ("a.example", "b.example", "c.example")
    assert token_of(IonosSettings(api_key=SecretStr(" abc "))) == "abc"


def test_a_hosting_key_is_passed_over_by_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A key for IONOS' DNS API in IONOS_API_KEY is named and left, and the next variable is tried."""
    monkeypatch.setenv("IONOS_API_KEY", HOSTING_KEY)
    monkeypatch.setenv("IONOS_TOKEN", "good")
    caplog.set_level(logging.DEBUG, "ionos_openai")
    settings = IonosSettings()
    assert token_of(settings) == "good"
    assert settings.refused_variables == ("IONOS_API_KEY in the environment",)
    assert caplog.messages[0] == (
        "IONOS_API_KEY in the environment holds a key for IONOS' DNS and hosting API: passed over."
    )
    assert HOSTING_KEY not in caplog.text


def test_the_missing_token_names_variables_places_and_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a missing token says what to set, where it looked and how to try without."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used")
    monkeypatch.setenv("IONOS_API_KEY", HOSTING_KEY)
    start = (
        "No IONOS token: set IONOS_API_TOKEN (or IONOS_API_KEY or IONOS_TOKEN, or IONOS_API_TOKEN_FILE to a file that "
        "holds it), or pass api_key= in code. Looked in the environment"
    )
    end = (
        " IONOS_API_KEY in the environment holds a key for IONOS' DNS and hosting API, which the AI Model Hub does not "
        "take. Make a token in IONOS' Data Center Designer under Management > Token Manager. To try without one, use "
        "the sandbox, which draws placeholders: sandbox=True, IONOS_SANDBOX=1 or --sandbox."
    )
    with pytest.raises(MissingTokenError) as caught:
        create_client()
    assert str(caught.value) == f"{start} and {Path('.env').absolute()}.{end}"
    with pytest.raises(MissingTokenError) as caught:
        create_async_client(settings=IonosSettings(env_file=None))
    assert str(caught.value) == f"{start} (.env is turned off).{end}"


def test_a_blank_token_in_code_is_an_error_and_not_another_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where code hands over an empty token, no other one is taken in its place: it may be someone else's."""
    monkeypatch.setenv("IONOS_API_TOKEN", "someone-elses")
    for make in (lambda: create_client(api_key=" "), lambda: create_client(settings=IonosSettings(api_key=""))):
        with pytest.raises(InvalidTokenError, match=r"^api_key= is empty or not text\."):
            make()


# The .env file.


def test_unknown_lines_in_the_file_are_ignored() -> None:
    """Other programs' lines, comments, exports and lines that cannot be parsed do no harm."""
    write_env(
        "# a comment", "OPENAI_API_KEY=sk-other", "export IONOS_TIMEOUT='4'", "AWS_SECRET=x", "IONOS_UNKNOWN=1",
        "IONOS_SANDBOX", "IONOS_MAX_RETRIES=1 # fewer",
    )  # fmt: skip
    settings = IonosSettings()
    assert (settings.timeout, settings.max_retries, settings.sandbox) == (4, 1, False)


def test_a_file_cannot_take_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` that came with somebody's code sends no variable's value to an address that it names."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("IONOS_API_TOKEN", CANARY)
    write_env(
        "IONOS_BUDGET_URL=redis://${OPENAI_API_KEY}:${IONOS_API_TOKEN}@evil.example/0",
        'IONOS_BASE_URL="https://a.ionos.com/${OPENAI_API_KEY}"',
        "IONOS_PRICES=",
    )
    settings = IonosSettings()
    assert settings.budget_url is not None
    assert settings.budget_url.get_secret_value() == "redis://${OPENAI_API_KEY}:${IONOS_API_TOKEN}@evil.example/0"
    assert settings.base_url == "https://a.ionos.com/${OPENAI_API_KEY}"


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    """Notepad's UTF-8 with a mark at the start works."""
    Path(".env").write_bytes(b"\xef\xbb\xbfIONOS_API_TOKEN=abc\r\nIONOS_TIMEOUT=4\r\n")
    assert (token_of(IonosSettings()), IonosSettings().timeout) == ("abc", 4)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_named_without_its_content(encoding: str) -> None:
    """A `.env` that is not UTF-8 is an error with the remedy, and nothing of its secrets comes along."""
    Path(".env").write_bytes(f"OPENAI_API_KEY=sk-{CANARY}\nNAME=Jürgen\nIONOS_API_TOKEN={CANARY}\n".encode(encoding))
    with pytest.raises(ConfigurationError) as caught:
        IonosSettings()
    assert str(caught.value) == (
        f"{Path('.env').absolute()} is not UTF-8 text: save it as UTF-8, or turn it off with "
        "IonosSettings(env_file=None)."
    )
    assert caught.value.__context__ is None
    assert CANARY not in everything_said(caught.value)
    assert IonosSettings(env_file=None).api_key is None


def test_a_file_that_may_not_be_read_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission denied is said as such, with the file's path."""
    path = write_env("IONOS_API_TOKEN=abc")

    def refuse(self: Path, **options: object) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigurationError) as caught:
        IonosSettings()
    assert str(caught.value) == (
        f"{path} cannot be read (Permission denied): mend its permissions, or turn it off with "
        "IonosSettings(env_file=None)."
    )


def test_a_file_without_end_is_not_read() -> None:
    """Whoever made it: it is no text of settings."""
    with write_env("IONOS_API_TOKEN=abc").open("r+b") as file:
        file.truncate(10 << 30)
    with pytest.raises(ConfigurationError, match=r"\.env is larger than 1 MiB: move it away, or turn it off with "):
        IonosSettings()


def test_a_folder_called_env_is_no_file() -> None:
    """A virtual environment that is named `.env` is passed over."""
    Path(".env").mkdir()
    assert IonosSettings().origin("api_key") is None


def test_another_file_is_read_when_it_is_named(tmp_path: Path) -> None:
    """`env_file=` takes a path, and what is written in the working directory's file is then not looked at."""
    write_env("IONOS_TIMEOUT=4")
    other = tmp_path / "prod.env"
    other.write_text("IONOS_MAX_RETRIES=5")
    settings = IonosSettings(env_file=str(other))
    assert (settings.timeout, settings.max_retries, settings.env_path) == (None, 5, other)


@pytest.mark.parametrize("name", ["c2pa_tsa_url", "c2pa_trust"])
def test_whom_to_ask_and_whom_to_trust_is_never_taken_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` that came with pictures neither sends their digests anywhere nor makes their signer trusted."""
    write_env(f"IONOS_{name.upper()}=http://bad.example/")
    assert getattr(IonosSettings(), name) is None
    monkeypatch.setenv(f"IONOS_{name.upper()}", "/good")
    assert str(getattr(IonosSettings(), name)).replace("\\", "/") == "/good"


def test_a_key_in_place_of_a_files_name_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who puts the key itself into the variable is told so; no message has it."""
    monkeypatch.setenv("IONOS_C2PA_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----")
    with pytest.raises(ConfigurationError, match="write that into a file, and name the file") as caught:
        IonosSettings()
    assert "CANARY" not in everything_said(caught.value)


def test_allowed_hosts_are_never_taken_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env`, which may come with a cloned repository, cannot name a host that gets the token."""
    write_env("IONOS_ALLOWED_HOSTS=evil.example")
    assert IonosSettings().allowed_hosts == ()
    monkeypatch.setenv("IONOS_ALLOWED_HOSTS", "good.example")
    assert IonosSettings().allowed_hosts == ("good.example",)


# Validation errors.

BAD_VALUES = {
    "IONOS_TIMEOUT": (CANARY, "input should be a valid number, unable to parse string as a number."),
    "IONOS_MAX_RETRIES": (CANARY, "input should be a valid integer, unable to parse string as an integer."),
    "IONOS_SANDBOX": (CANARY, "input should be a valid boolean, unable to interpret input."),
    "IONOS_FILE_NAMES": (CANARY, "input should be 'prompt' or 'digest'."),
    "IONOS_BASE_URL": (
        f"https://user:{CANARY}@ionos.com",
        "the URL has a user name or password in front of the host: leave them out.",
    ),
}


@pytest.mark.parametrize("place", ["environment", ".env"])
@pytest.mark.parametrize("variable", [*BAD_VALUES, "IONOS_IMAGE_MODEL"])
def test_a_bad_value_is_named_by_its_variable_and_never_shown(
    variable: str, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret in the wrong variable shows in no message, argument, context, traceback or log."""
    value, said = BAD_VALUES.get(variable, (CANARY, ""))
    caplog.set_level(logging.DEBUG)
    where = "the environment"
    if place == "environment":
        monkeypatch.setenv(variable, value)
        monkeypatch.setenv("IONOS_API_TOKEN", CANARY)
    else:
        where = str(write_env(f"IONOS_API_TOKEN={CANARY}", f"{variable}={value}"))
    with pytest.raises(ConfigurationError) as caught:
        IonosSettings()
    assert str(caught.value).startswith(f"Cannot use {variable} in {where}: {said}")
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    assert CANARY not in everything_said(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timeout": 0}, "Cannot use timeout=: input should be greater than 0."),
        ({"timeout": float("inf")}, "Cannot use timeout=: input should be a finite number."),
        ({"max_retries": -1}, "Cannot use max_retries=: input should be greater than or equal to 0."),
        ({"api_key": 5}, "Cannot use api_key=: input should be a valid string."),
        ({"apikey": CANARY}, "There is no setting 'apikey'."),
        ({"api_key_file": CANARY}, f"Cannot use api_key_file=: {NO_FILE}"),
        ({"api_key_file": f"Bearer {CANARY}"}, f"Cannot use api_key_file=: {NO_FILE}"),
        ({"ca_bundle": CANARY}, f"Cannot use ca_bundle=: {NO_FILE}"),
        ({"base_url": "nowhere", "timeout": "x"}, None),
    ],
)
def test_a_bad_argument_is_named_without_its_value(values: dict[str, object], message: str | None) -> None:
    """What code got wrong is one ConfigurationError that names each argument."""
    with pytest.raises(ConfigurationError) as caught:
        IonosSettings(**values)  # type: ignore[arg-type]
    if message is not None:
        assert str(caught.value) == message
    else:
        assert str(caught.value).count("Cannot use") == 2
    assert CANARY not in everything_said(caught.value)


@pytest.mark.parametrize("name", ["IONOS_API_TOKEN_FILE", "IONOS_CA_BUNDLE"])
def test_a_token_in_place_of_a_file_is_refused_unseen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pasted into the wrong variable shows in no message."""
    monkeypatch.setenv(name, CANARY)
    with pytest.raises(ConfigurationError) as caught:
        create_client()
    assert str(caught.value) == f"Cannot use {name} in the environment: {NO_FILE}"
    assert CANARY not in everything_said(caught.value)


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_whatever_is_given_settings_come_out_or_a_configuration_error(values: dict[str, object]) -> None:
    """No value makes anything but an IonosSettings or a ConfigurationError."""
    with contextlib.suppress(ConfigurationError):
        assert isinstance(IonosSettings(env_file=None, **values).max_retries, int)  # type: ignore[arg-type]


def test_no_form_of_the_settings_shows_the_token() -> None:
    """Neither repr, str, a dump nor JSON of the settings holds the token."""
    settings = IonosSettings(api_key=CANARY)
    shown = [repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json(), f"{settings}"]
    assert CANARY not in "".join(shown)
    assert token_of(settings) == CANARY


def test_settings_survive_being_copied_and_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy says the same, and where it came from, without looking around again."""
    monkeypatch.setenv("IONOS_API_TOKEN", "abc")
    settings = IonosSettings()
    monkeypatch.setenv("IONOS_API_TOKEN", "changed")
    for twin in (
        copy.copy(settings),
        copy.deepcopy(settings),
        settings.model_copy(),
        pickle.loads(pickle.dumps(settings)),
    ):
        assert token_of(twin) == "abc"
        assert twin.origin("api_key") == Origin(place="environment", variable="IONOS_API_TOKEN")


# In the user's own settings.


class Nested(BaseSettings):
    """A user's own settings, with ours inside."""

    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__", env_file=".env", extra="ignore")

    name: str = "app"
    ionos: IonosSettings = Field(default_factory=IonosSettings)


def test_the_settings_nest_in_a_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside another settings class they are filled from our variables, from its variables, or from a given object."""
    monkeypatch.setenv("IONOS_API_TOKEN", CANARY)
    nested = Nested()
    assert token_of(nested.ionos) == CANARY
    assert CANARY not in repr(nested)
    monkeypatch.setenv("APP_IONOS__TIMEOUT", "9")
    write_env("APP_IONOS__MAX_RETRIES=4", "APP_NAME=x")
    nested = Nested()
    assert (nested.name, nested.ionos.timeout, nested.ionos.max_retries, token_of(nested.ionos)) == ("x", 9, 4, CANARY)
    given = IonosSettings(api_key="given", env_file=None)
    monkeypatch.delenv("APP_IONOS__TIMEOUT")
    Path(".env").unlink()
    assert Nested(ionos=given).ionos is given
    assert token_of(IonosSettings.model_validate({"api_key": "validated"})) == "validated"


def test_a_bad_value_in_a_users_own_settings_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our ConfigurationError comes out of the user's class as it is."""
    monkeypatch.setenv("APP_IONOS__TIMEOUT", CANARY)
    monkeypatch.setenv("APP_IONOS__API_KEY", CANARY)
    with pytest.raises(ConfigurationError) as caught:
        Nested()
    assert str(caught.value).startswith("Cannot use timeout=: input should be a valid number")
    assert CANARY not in everything_said(caught.value)


# A token that lies in a file.


def replace(path: Path, content: str | bytes) -> None:
    """Swap the file as Docker and Kubernetes do: a new one is moved over the old one."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(fresh, path)  # noqa: PTH105 - the atomic move is the point


def sent_tokens(server: LoopbackServer) -> list[str]:
    return [request.headers["authorization"] for request in server.requests]


def test_a_rotated_file_is_read_again_without_a_new_client(
    tmp_path: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A replaced token is used from the next request on; one that is gone or empty for a moment leaves the old one."""
    path = tmp_path / "token"
    replace(path, "first\n")
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", str(path))
    with create_client(base_url=server.url) as client:
        client.models.list()
        replace(path, "Bearer second")
        client.models.list()
        path.unlink()
        client.with_options(timeout=3).models.list()
        replace(path, " \n")
        client.models.list()
        replace(path, b"\xff\xfe\x00")
        client.models.list()
        replace(path, "\ufeffthird")
        client.copy().models.list()
    assert sent_tokens(server) == [f"Bearer {word}" for word in ("first", *["second"] * 4, "third")]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"The token file {path} cannot be read (No such file or directory): the token read before is used.",
        f"The token file {path} cannot be read (not UTF-8 text): the token read before is used.",
    ]


async def test_a_rotated_file_is_read_again_by_the_async_client(tmp_path: Path, server: LoopbackServer) -> None:
    """The async client asks the file at each request too."""
    path = tmp_path / "token"
    replace(path, "first")
    async with create_async_client(base_url=server.url, settings=IonosSettings(api_key_file=path)) as client:
        await client.models.list()
        replace(path, "second")
        await client.with_options(max_retries=0).models.list()
        path.unlink()
        await client.models.list()
    assert sent_tokens(server) == ["Bearer first", "Bearer second", "Bearer second"]


FILE_PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot be read (No such file or directory)"),
    "a folder": (Path.mkdir, "cannot be read (Is a directory)"),
    "not text": (lambda path: path.write_bytes(b"\xff" + CANARY.encode()), "cannot be read (not UTF-8 text)"),
    "empty": (lambda path: path.write_bytes(b"\n"), "is empty: write the IONOS token into it."),
}


@pytest.mark.parametrize(("make", "said"), FILE_PROBLEMS.values(), ids=FILE_PROBLEMS.keys())
def test_a_token_file_without_a_token_is_an_error_at_once(
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    """What is wrong with the file is said when the client is made, without the file's content."""
    path = tmp_path / "token"
    make(path)
    with pytest.raises(ConfigurationError) as caught:
        create_client(settings=IonosSettings(api_key_file=path))
    remedy = "" if said.endswith("it.") else ". Mend IONOS_API_TOKEN_FILE or api_key_file=."
    assert str(caught.value) == f"The token file {path} {said}{remedy}"
    assert CANARY not in everything_said(caught.value)


def test_a_bad_token_in_a_file_names_the_file(tmp_path: Path, server: LoopbackServer) -> None:
    """A mistake in the file is told of the file, at the start and after a rotation, and nothing is sent."""
    path = tmp_path / "token"
    path.write_text("sk-abcdefgh")
    with pytest.raises(InvalidTokenError, match=rf"^The token in {path} is an OpenAI key"):
        create_client(settings=IonosSettings(api_key_file=path))
    replace(path, "good")
    with create_client(settings=IonosSettings(api_key_file=path), base_url=server.url) as client:
        replace(path, HOSTING_KEY)
        with pytest.raises(InvalidTokenError, match=rf"^The token in {path} is a key for IONOS' DNS") as caught:
            client.models.list()
    assert server.requests == []
    assert HOSTING_KEY not in everything_said(caught.value)


def test_a_token_file_shows_its_path_alone(tmp_path: Path) -> None:
    """The repr of a TokenFile that was read does not hold the token."""
    path = tmp_path / "token"
    path.write_text(CANARY)
    source = TokenFile(path)
    assert source() == CANARY
    assert repr(source) == f"TokenFile({str(path)!r})"


# How to save is asked when a paid picture is about to be written.


def test_the_settings_of_saving_never_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from the environment, else from the file, and a file that cannot be read counts as none."""
    assert saving_settings() == SavingSettings(file_names="prompt", provenance=True, prompt_in_metadata=False)
    write_env("IONOS_FILE_NAMES=Digest\nIONOS_PROVENANCE=Off\nIONOS_PROMPT_IN_METADATA=1")
    assert saving_settings() == SavingSettings(file_names="digest", provenance=False, prompt_in_metadata=True)
    for name in ("IONOS_FILE_NAMES", "IONOS_PROVENANCE", "IONOS_PROMPT_IN_METADATA"):
        monkeypatch.setenv(name, "nonsense")
    assert saving_settings() == SavingSettings()
    for name in ("IONOS_FILE_NAMES", "IONOS_PROVENANCE", "IONOS_PROMPT_IN_METADATA"):
        monkeypatch.delenv(name)
    Path(".env").write_bytes(b"\xff\xfe")
    assert saving_settings() == SavingSettings()


def test_no_settings_need_a_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the working directory is gone, so is its `.env`, and the rest counts."""

    def gone(self: Path) -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "absolute", gone)
    monkeypatch.setenv("IONOS_TIMEOUT", "5")
    assert saving_settings() == SavingSettings()
    assert (IonosSettings().timeout, IonosSettings().env_path) == (5, Path(".env"))


@pytest.mark.parametrize(("word", "on"), [("off", False), ("0", False), ("no", False), ("ON", True), ("true", True)])
def test_the_mark_has_the_same_switch_everywhere(word: str, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's settings and the settings of saving read the same words."""
    monkeypatch.setenv("IONOS_PROVENANCE", word)
    monkeypatch.setenv("IONOS_PROMPT_IN_METADATA", word)
    both = (saving_settings(), IonosSettings())
    assert all((one.provenance, one.prompt_in_metadata) == (on, on) for one in both)
