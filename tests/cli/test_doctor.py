"""`ionos-openai doctor`: what it looks at, what it says, and that no secret is in it."""

from __future__ import annotations

import importlib.util
import json
import re
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme

from ionos_openai.cli import app
from ionos_openai.cli.doctor.checks import parse_duration
from ionos_openai.client.settings import foreign_variables
from ionos_openai.errors import InvalidRequestError
from tests.loopback import Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

FLUX = "black-forest-labs/FLUX.1-schnell"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"
TOKEN_PAGE = "Make a token in IONOS' Data Center Designer under Management > Token Manager."
MODELS = Answer(body={"object": "list", "data": [{"id": FLUX, "object": "model"}, {"id": "x/Llama"}]})


class Line(NamedTuple):
    """One line of the result, as it stands in a pipe."""

    state: str
    name: str
    text: str
    remedy: str


class Diagnosis(NamedTuple):
    """What the doctor said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Line]:
        """The result's lines."""
        return [Line(*line.split("\t")) for line in self.out.splitlines()]

    def named(self, name: str) -> list[Line]:
        """Return the lines about one thing."""
        return [line for line in self.lines if line.name == name]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the certificates that this machine's own environment names, and what the other tests need."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "IONOS_PACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., Diagnosis]:
    """Ask the doctor in this process."""

    def ask(*arguments: str) -> Diagnosis:
        code = app.run(["doctor", *arguments])
        captured = capsys.readouterr()
        return Diagnosis(code, captured.out, captured.err)

    return ask


@pytest.fixture
def service(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    """A loopback server that is taken for the service, and a token for it."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_BASE_URL", server.url)
    server.default = MODELS
    return server


@pytest.mark.parametrize("line", ["IONOS_API_TOKEN_FILE=/dev/zero", "IONOS_BASE_URL=http://127.0.0.1:9"])
def test_a_file_of_somebody_else_is_told_of_and_not_followed(
    line: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it names is neither opened nor asked."""
    if "TOKEN_FILE" not in line:
        monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    Path(".env").write_text(line)
    result = doctor()
    assert result.code == 2
    (broken,) = (line for line in result.lines if line.state == "broken")
    name = line.partition("=")[0]
    assert broken.text.startswith(f"{name} in {Path('.env').absolute()} counts only together with a token in that")


def test_a_sound_setup_is_all_good(service: LoopbackServer, doctor: Callable[..., Diagnosis]) -> None:
    """With a token and a service that answers, every line is good, after one request."""
    result = doctor()
    assert (result.code, result.err) == (0, "")
    assert {line.state for line in result.lines} == {"good"}
    assert [line.name for line in result.lines] == [
        *("ionos-openai", "openai", "Pillow", "token", "expiry", "privilege", "address"),
        *("host", "TLS", "service", "models"),
    ]
    assert re.fullmatch(r"answered GET /models in \d+ ms", result.named("service")[0].text)
    assert result.named("models")[0].text == FLUX
    assert [request.path for request in service.requests] == ["/v1/models"]


def test_offline_sends_nothing(service: LoopbackServer, doctor: Callable[..., Diagnosis]) -> None:
    """`--offline` looks at the machine alone."""
    result = doctor("--offline")
    assert (result.code, service.requests) == (0, [])
    assert result.lines[-1] == Line("note", "network", "not looked at (--offline)", "-")


def test_the_token_is_told_by_kind_and_length_alone(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token's place, kind, length and privilege are told, and when it ends."""
    token = make_token(days=90)
    monkeypatch.setenv("IONOS_TOKEN", token)
    result = doctor("--offline")
    assert result.named("token")[0].text == f"IONOS_TOKEN in the environment: a JWT, {len(token)} characters"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, 89 days left", result.named("expiry")[0].text)
    assert result.named("privilege")[0].text == "the AI Model Hub is among them"


def test_a_token_file_is_named(doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch) -> None:
    """A token from a file is told with the file and the variable that names it."""
    Path("secret").write_text(make_token())
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "secret")
    text = doctor("--offline").named("token")[0].text
    assert text.startswith("secret (IONOS_API_TOKEN_FILE in the environment): a JWT, ")


def test_a_token_that_does_not_say_is_let_through(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that cannot be read as a JWT is no reason to complain."""
    monkeypatch.setenv("IONOS_API_TOKEN", "x" * 40)
    result = doctor("--offline")
    assert (result.code, result.named("expiry")) == (0, [])
    assert result.named("token")[0].text == "IONOS_API_TOKEN in the environment: not readable as a JWT, 40 characters"


@pytest.mark.parametrize(
    ("address", "state"),
    [("https://openai.inference.de-txl.ionos.com/v1", "warning"), ("https://gateway.example/v1", "good")],
)
def test_a_token_that_is_no_jwt_is_warned_about_where_ionos_itself_is_asked(
    address: str, state: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway's keys may look like anything, IONOS' tokens are JWTs."""
    monkeypatch.setenv("IONOS_API_TOKEN", "0123456789abcdefghij")
    for arguments in ([], ["--base-url", address]):
        monkeypatch.setenv("IONOS_BASE_URL", "" if arguments else address)
        monkeypatch.setenv("IONOS_ALLOWED_HOSTS", "gateway.example")
        result = doctor("--offline", *arguments)
        [line] = result.named("token")
        assert (result.code, line.state) == (0, state)
        assert line.remedy.startswith("IONOS' tokens are JWTs, which begin with eyJ.") is (state == "warning")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("IONOS_API_TOKKEN", "IONOS_API_TOKEN"),
        ("IONOS_IMAGES_MODEL", "IONOS_IMAGE_MODEL"),
        ("IONOS_ALLOW_HOSTS", "IONOS_ALLOWED_HOSTS"),
        ("ionos_max_wait", "IONOS_MAX_WAIT"),
        ("IONOS_USERNAME", ""),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_variable_that_nothing_reads_is_warned_about(
    name: str, meant: str, in_file: bool, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one that is likely meant, wherever it stands, and without its value."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    place = str(Path(".env").absolute()) if in_file else "the environment"
    if in_file:
        Path(".env").write_text(f"{name}=canary\n")
    else:
        monkeypatch.setenv(name, "canary")
    result = doctor("--offline")
    remedy = f"If {meant} is meant, write that." if meant else "Another program's can stay."
    text = f"{name} in {place} is not known here, so nothing reads it"
    assert (result.code, result.named("variable")) == (0, [Line("warning", "variable", text, remedy)])
    assert "canary" not in result.out


@pytest.mark.parametrize(
    ("name", "setting", "value", "dress"),
    [
        ("IONOS_API_TOKEN", "api_key", '"{token}"', "in quotes"),
        ("IONOS_TOKEN", "api_key", " '{token}' ", "in quotes"),
        ("IONOS_API_TOKEN", "api_key", "Bearer {token}", 'with "Bearer" in front'),
        ("IONOS_API_TOKEN", "api_key", "{token}\r", "with a line break at its end"),
        ("IONOS_IMAGE_MODEL", "image_model", "klein\r\n", "with a line break at its end"),
    ],
)
def test_a_value_that_is_not_plain_is_warned_about(
    name: str, setting: str, value: str, dress: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works here, and may not with the next program."""
    token = make_token()
    monkeypatch.setenv("IONOS_API_TOKEN", token)
    if "{token}" in value:
        monkeypatch.delenv("IONOS_API_TOKEN")
    monkeypatch.setenv(name, value.format(token=token))
    result = doctor("--offline")
    line = Line("warning", setting, f"{name} in the environment is written {dress}", "Write the plain value.")
    assert (result.code, line in result.lines) == (0, True)
    assert token not in result.out


def test_a_token_file_and_an_option_that_are_not_plain_are_warned_about(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line break of a file is none; of a passphrase nothing is told, whatever it begins with."""
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "secret")
    monkeypatch.setenv("IONOS_C2PA_PASSPHRASE", "'~canary'")
    for content, warned in ((f"{make_token()}\n", False), (f"'{make_token()}'\n", True)):
        Path("secret").write_text(content)
        line = Line("warning", "token", "secret is written in quotes", "Write the plain value.")
        result = doctor("--offline")
        assert (line in result.lines, "passphrase" in result.out) == (warned, False)
    Path("secret").write_text(make_token())
    address = "https://openai.inference.de-txl.ionos.com/v1/images/generations"
    line = Line("warning", "base_url", "--base-url is written with the path of an endpoint", "Write the plain value.")
    assert line in doctor("--offline", "--base-url", address).lines


@pytest.mark.parametrize(
    ("name", "value", "module", "extra"),
    [
        ("IONOS_BUDGET_URL", "redis://127.0.0.1:9/0", "redis", "redis"),
        ("IONOS_TELEMETRY", "detailed", "opentelemetry", "otel"),
        ("IONOS_C2PA_TRUST", "trust.pem", "c2pa", "c2pa"),
    ],
)
def test_a_setting_whose_extra_is_missing_is_warned_about(
    name: str, value: str, module: str, extra: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the line that installs it; where it is installed, or nothing needs it, nothing is said."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked: None if asked == module else find(asked))
    assert "warning" not in {line.state for line in doctor("--offline").lines}
    monkeypatch.setenv(name, value)
    line = next(line for line in doctor("--offline").lines if line.state == "warning")
    assert (line.text, line.remedy) == (
        f"{name} in the environment needs the extra {extra}, which is not installed",
        f'Install: pip install "ionos-openai[{extra}]"',
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    assert "warning" not in {line.state for line in doctor("--offline").lines}


def test_a_missing_token_is_broken(doctor: Callable[..., Diagnosis]) -> None:
    """Without a token the code is that of configuration, the remedy names the way, and the service is not asked."""
    result = doctor()
    [line] = result.named("token")
    assert (result.code, line.state) == (2, "broken")
    assert line.text == f"none in the environment and {Path('.env').absolute()}"
    assert line.remedy == f"Set IONOS_API_TOKEN. {TOKEN_PAGE} Without one, --sandbox draws placeholders."
    assert result.lines[-1] == Line("warning", "service", "not asked", "Mend what is broken above first.")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (make_token(days=-1), "expired on"),
        (make_token(privileges=["OTHER"]), "lacks the privilege"),
        ("123e4567-e89b-12d3-a456-426614174000", "is a UUID"),
        ("sk-canarycanarycanary", "is an OpenAI key"),
    ],
    ids=["expired", "privilege", "uuid", "openai"],
)
def test_a_token_that_cannot_work_is_broken(
    token: str, said: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that cannot work ends with the token's code, and its line says why without the token."""
    monkeypatch.setenv("IONOS_API_TOKEN", token)
    result = doctor("--offline")
    [line] = result.named("token")
    assert (result.code, line.state) == (77, "broken")
    assert said in line.text
    assert token not in result.out


def test_a_token_file_that_cannot_be_read_is_broken(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing token file is a matter of configuration."""
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "missing")
    result = doctor("--offline")
    assert (result.code, result.named("token")[0].state) == (2, "broken")


def test_a_hosting_key_is_passed_over_with_a_warning(
    service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable with a key for IONOS' DNS and hosting API is named, and the token is taken from another one."""
    monkeypatch.setenv("IONOS_API_KEY", "canary-prefix.canary-secret")
    refused, taken = doctor("--offline").named("token")
    assert refused.state == "warning"
    assert refused.text == (
        "IONOS_API_KEY in the environment is passed over: it holds a key for IONOS' DNS and hosting API"
    )
    assert taken.text.startswith("IONOS_API_TOKEN in the environment")


@pytest.mark.parametrize(("wanted", "state"), [("7d", "warning"), ("71h", "good"), ("73h", "warning"), ("30m", "good")])
def test_a_token_that_ends_soon_is_warned_about(
    wanted: str, state: str, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token with less time left than `--min-validity` is a warning, once, and no failure."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token(days=3))
    result = doctor("--offline", "--min-validity", wanted)
    assert (result.code, result.err, result.named("expiry")[0].state) == (0, "", state)


@pytest.mark.parametrize(
    ("text", "span"),
    [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), (" 30M ", timedelta(minutes=30)), ("0d", timedelta(0))],
)
def test_durations_are_read(text: str, span: timedelta) -> None:
    """A number and d, h or m, in any case."""
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "7", "d", "7w", "-1d", "1.5h", "7d 1h", "9999999d", "٣d"])
def test_other_durations_are_refused(text: str) -> None:
    """Anything else is a usage error that shows how to write it."""
    with pytest.raises(InvalidRequestError, match="write a number and d, h or m, such as 7d"):
        parse_duration(text)


def test_a_wrong_min_validity_is_a_usage_error(doctor: Callable[..., Diagnosis]) -> None:
    """It ends with 2 before anything is looked at."""
    assert doctor("--min-validity", "soon") == Diagnosis(
        2, "", "Error: --min-validity cannot be read: write a number and d, h or m, such as 7d.\n"
    )


def test_a_foreign_address_is_broken_unless_it_is_allowed(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host outside ionos.com is broken, or a warning that says who allowed it."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_BASE_URL", "https://ionos.com.evil.example/v1")
    refused = doctor("--offline")
    assert (refused.code, refused.named("address")[0].state) == (2, "broken")
    monkeypatch.setenv("IONOS_ALLOWED_HOSTS", "ionos.com.evil.example")
    [line] = doctor("--offline").named("address")
    assert (line.state, line.text) == (
        "warning",
        "https://ionos.com.evil.example/v1 (IONOS_BASE_URL in the environment) is not IONOS'; the token goes there, "
        "as IONOS_ALLOWED_HOSTS allows it",
    )
    [line] = doctor("--offline", "--base-url", "https://gateway.example").named("address")
    assert (
        line.text
        == "https://gateway.example/v1 (--base-url) is not IONOS'; the token goes there, as --base-url allows it"
    )


def test_the_word_that_is_no_secret_may_go_anywhere(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an application in containers the sandbox has another host's name, and nobody has to allow it."""
    monkeypatch.setenv("IONOS_API_TOKEN", "sandbox")
    monkeypatch.setenv("IONOS_BASE_URL", "http://ionos:8600/v1")
    result = doctor("--offline")
    [line] = result.named("address")
    assert (result.code, line.state, line.text) == (
        0,
        "good",
        "http://ionos:8600/v1 (IONOS_BASE_URL in the environment) is not IONOS'; only the word 'sandbox', which is no "
        "secret, goes there",
    )


def test_what_is_set_is_told(doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each setting that is not its default, and where it was set; of a Redis its host alone."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    assert {line.state for line in doctor("--offline").lines[:-1]} == {"good"}
    Path(".env").write_text("IONOS_MAX_WAIT=20\n")
    values = {
        "IONOS_COMPAT": "strict",
        "IONOS_TIMEOUT": "30",
        "IONOS_IMAGE_MODEL": "klein",
        "IONOS_PACE": "off",
        "IONOS_PROVENANCE": "no",
        "IONOS_PRICES": "klein=0.02 EUR",
        "IONOS_ALLOWED_HOSTS": "a.example, b.example",
        "IONOS_BUDGET_URL": "redis://user:canary@redis.example:6379/0",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    result = doctor("--offline")
    assert [(line.name, line.text) for line in result.lines if line.state == "note"] == [
        ("allowed_hosts", "a.example, b.example (IONOS_ALLOWED_HOSTS in the environment)"),
        ("image_model", f"{KLEIN} (IONOS_IMAGE_MODEL in the environment)"),
        ("timeout", "30.0 (IONOS_TIMEOUT in the environment)"),
        ("provenance", "off (IONOS_PROVENANCE in the environment)"),
        ("compat", "strict (IONOS_COMPAT in the environment)"),
        ("pace", "off (IONOS_PACE in the environment)"),
        ("max_wait", f"20.0 (IONOS_MAX_WAIT in {Path('.env').absolute()})"),
        ("budget_url", "redis://redis.example (IONOS_BUDGET_URL in the environment)"),
        ("prices", "klein=0.02 EUR (IONOS_PRICES in the environment)"),
        ("network", "not looked at (--offline)"),
    ]
    assert "canary" not in result.out


def test_a_proxy_that_cannot_be_one_is_broken_without_a_network(
    service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client is made offline too, which sends nothing, and its error holds no password."""
    monkeypatch.setenv("ALL_PROXY", "foo://user:canary@proxy.example:1")
    result = doctor("--offline")
    [line] = result.named("client")
    assert (result.code, line.text) == (2, "ALL_PROXY cannot be used: write http://HOST:PORT, or unset it.")
    assert "canary" not in result.out
    monkeypatch.setenv("IONOS_BUDGET_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("IONOS_PACE", "on")
    monkeypatch.delenv("ALL_PROXY")
    assert doctor("--offline").code == 0


def test_openais_variables_are_named_without_their_values(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables that a plain client of the SDK would have used are named; they are no fault."""
    for name in ("OPENAI_ORG_ID", "OPENAI_CUSTOM_HEADERS", "OPENAI_API_KEY", "OPENAI_LOG"):
        monkeypatch.setenv(name, "canary")
    result = doctor("--offline", "--sandbox")
    assert result.named("OPENAI_*") == [
        Line(
            "good",
            "OPENAI_*",
            "OPENAI_API_KEY, OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID: nothing of it is sent (a plain openai.OpenAI would "
            "use it, with IONOS too)",
            "-",
        )
    ]
    assert "canary" not in result.out


def test_proxies_are_told_without_user_and_password(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy variables in any case are told, with what stands before the @ masked."""
    monkeypatch.setenv("https_proxy", "http://canary:ca@nary@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "canary:canary@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.example")
    result = doctor("--offline", "--sandbox")
    assert sorted(line.text for line in result.named("proxy")) == [
        "HTTP_PROXY=***@proxy.example:3128",
        "NO_PROXY=localhost,.example",
        "https_proxy=http://***@proxy.example:3128",
    ]
    assert "nary" not in result.out


def test_a_lone_bundle_for_requests_is_warned_about(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`REQUESTS_CA_BUNDLE` is not read by the SDK's HTTP library, which matters where nothing else is set."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    assert doctor("--offline", "--sandbox").named("certificates") == [
        Line(
            "warning",
            "certificates",
            "REQUESTS_CA_BUNDLE=/ca.pem is not read by the SDK's HTTP library",
            "If it is needed here too, set IONOS_CA_BUNDLE=/ca.pem",
        )
    ]
    trustme.CA().cert_pem.write_to_path("there.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "there.pem")
    assert doctor("--offline", "--sandbox").named("certificates") == [
        Line("good", "certificates", "SSL_CERT_FILE=there.pem", "-")
    ]


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "IONOS_CA_BUNDLE"])
def test_certificates_that_are_missing_are_broken(
    name: str, service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that names no file is a matter of configuration."""
    monkeypatch.setenv(name, "missing.pem")
    result = doctor("--offline")
    assert result.code == 2
    remedy = f"Mend {name}, or leave it out."
    assert result.named("certificates") == [
        Line("broken", "certificates", f"{name}=missing.pem is not there or cannot be read", remedy)
    ]


def test_certificates_are_loaded(
    service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a certificate is broken, also one of `--ca-bundle`, which comes before `IONOS_CA_BUNDLE`."""
    Path("empty.pem").touch()
    monkeypatch.setenv("IONOS_CA_BUNDLE", "missing.pem")
    result = doctor("--offline", "--ca-bundle", "empty.pem")
    assert (result.code, [line.text for line in result.named("certificates")]) == (
        2,
        ["--ca-bundle=empty.pem holds no certificate in PEM form"],
    )
    monkeypatch.setenv("SSL_CERT_FILE", "empty.pem")
    assert doctor("--offline").named("certificates")[1].state == "broken"
    trustme.CA().cert_pem.write_to_path("good.pem")
    monkeypatch.delenv("SSL_CERT_FILE")
    assert doctor("--offline", "--ca-bundle", "good.pem").code == 0


def test_a_setting_that_cannot_work_is_broken(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the settings cannot be read, that is said, and what else can be seen."""
    monkeypatch.setenv("IONOS_TIMEOUT", "canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    result = doctor()
    assert (result.code, result.named("settings")[0].state) == (2, "broken")
    assert "IONOS_TIMEOUT in the environment" in result.named("settings")[0].text
    assert result.lines[-1].name == "proxy"
    assert "canary" not in result.out


@pytest.mark.parametrize(("status", "code"), [(401, 77), (403, 77), (404, 1), (429, 75), (500, 75)])
def test_a_service_that_refuses_is_broken(
    status: int, code: int, service: LoopbackServer, doctor: Callable[..., Diagnosis]
) -> None:
    """What the service answers decides the exit code; TLS and host are good then, and it is asked once."""
    service.default = Answer(status, {"httpStatus": status, "messages": [{"message": "No."}]})
    result = doctor()
    assert (result.code, len(service.requests)) == (code, 1)
    assert (result.named("service")[0].state, result.named("TLS")[0].state) == ("broken", "good")
    assert result.named("service")[0].text.startswith(f"The service answered {status} - No.")


def test_an_answer_that_cannot_be_read_is_broken(service: LoopbackServer, doctor: Callable[..., Diagnosis]) -> None:
    """A page where the list of models should be is told as a line."""
    service.default = Answer(200, b"{", {"content-type": "application/json"})
    result = doctor()
    assert (result.code, result.named("service")[0].state) == (1, "broken")


def test_a_service_that_cannot_be_reached_is_temporary(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection ends with 75, and does not advise to call the doctor."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    with LoopbackServer() as gone:
        pass
    result = doctor("--base-url", gone.url)
    [line] = result.named("service")
    assert (result.code, line.state) == (75, "broken")
    assert line.text.startswith(f"Cannot reach http://127.0.0.1:{gone.port}: ")
    assert "doctor" not in line.text


def test_a_host_without_address_is_broken(doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no name server knows is told as such; with a proxy it is a warning, as the proxy resolves it."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    address = "https://no-such-host.invalid"
    assert doctor("--base-url", address).named("host")[0].state == "broken"
    with LoopbackServer() as gone:
        pass
    monkeypatch.setenv("HTTPS_PROXY", gone.url.removesuffix("/v1"))
    assert doctor("--base-url", address).named("host")[0].state == "warning"


def test_a_certificate_that_is_not_trusted_is_told_as_tls(
    doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private CA is a broken TLS line with the advice to name it, and with `--ca-bundle` all is good."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path("ca.pem")
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    with LoopbackServer(wrap_socket=lambda plain: context.wrap_socket(plain, server_side=True)) as server:
        server.default = MODELS
        untrusted = doctor("--base-url", server.url)
        trusted = doctor("--base-url", server.url, "--ca-bundle", "ca.pem")
    assert (untrusted.code, untrusted.named("TLS")[0].state) == (75, "broken")
    assert "--ca-bundle" in untrusted.named("TLS")[0].text
    assert (trusted.code, trusted.named("TLS")[0].text) == (0, "works, and the certificate is trusted")


def test_models_without_the_default_are_warned_about(service: LoopbackServer, doctor: Callable[..., Diagnosis]) -> None:
    """A default model that the service does not list is said, and so is a list without any image model."""
    service.answers = [Answer(body={"object": "list", "data": [{"id": KLEIN}]})]
    [line] = doctor().named("models")
    assert (line.state, line.text) == ("warning", f"{KLEIN}; the default model {FLUX} is not among them")
    service.answers = [Answer(body={"object": "list", "data": []})]
    [line] = doctor().named("models")
    assert (line.state, line.text) == ("warning", "none that is known to make pictures")


def test_the_stand_in_is_said(doctor: Callable[..., Diagnosis]) -> None:
    """With `--sandbox` a line says that the sandbox answers; no token is needed and nothing is sent."""
    result = doctor("--sandbox")
    [line] = result.named("sandbox")
    assert (result.code, line.state) == (0, "warning")
    assert line.text == "--sandbox: the sandbox answers, and every picture is a placeholder"
    assert result.named("token")[0].text == "none, and the sandbox needs none"
    assert result.named("service")[0].text.startswith("the sandbox answered GET /models")


def test_json_holds_the_same_lines(service: LoopbackServer, doctor: Callable[..., Diagnosis]) -> None:
    """`--json` is one document with schema 1, each check, and the exit code."""
    service.default = Answer(401, b"")
    result = doctor("--json")
    document = json.loads(result.out)
    assert (document["schema"], document["sandbox"], document["exit_code"], result.code) == (1, False, 77, 77)
    assert set(document["checks"][0]) == {"state", "name", "text", "remedy", "exit_code"}
    assert document["checks"][-1]["exit_code"] == 77


def test_a_person_sees_a_table(
    service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal each line has a symbol and a word, and a last line counts what is to be mended."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("IONOS_API_KEY", "prefix.secret")
    lines = [line.split() for line in doctor("--offline").out.splitlines()]
    assert ["✓", "good", "Pillow"] in [line[:3] for line in lines]
    assert ["!", "warning", "token"] in [line[:3] for line in lines]
    assert lines[-1] == ["1", "to", "look", "at."]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_in_the_result(
    form: list[str], service: LoopbackServer, doctor: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a canary in every variable that may hold a secret, none of them is in what is printed."""
    token = make_token(canary="canary")
    canaries = {
        "IONOS_API_TOKEN": token,
        "IONOS_API_KEY": "canary.canary",
        "IONOS_TOKEN": "sk-canary-canary",
        "OPENAI_API_KEY": "sk-canary",
        "OPENAI_ADMIN_KEY": "canary",
        "OPENAI_ORG_ID": "canary",
        "OPENAI_PROJECT_ID": "canary",
        "OPENAI_BASE_URL": "https://canary.example",
        "OPENAI_WEBHOOK_SECRET": "canary",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer canary",
        "HTTPS_PROXY": "http://user:canary@127.0.0.1:9",
        "ALL_PROXY": "http://canary@127.0.0.1:9",
        "NO_PROXY": f"127.0.0.1,{token}",
        "REQUESTS_CA_BUNDLE": f"/{token}",
    }
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    service.default = Answer(500, {"messages": [{"message": f"You sent {token}"}]})
    result = doctor(*form)
    assert result.code == 75
    for part in ("canary", token, token.split(".")[1], "c2lnbmF0dXJl"):
        assert part not in result.out + result.err


def test_foreign_variables_have_no_secret_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of OpenAI's variables are left out, blank variables too, and control characters are replaced."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("OPENAI_ORG_ID", " ")
    monkeypatch.setenv("No_Proxy", "a\x1bb")
    assert foreign_variables() == {"No_Proxy": "a?b", "OPENAI_API_KEY": ""}
