"""The factory: a real client whose token goes to IONOS alone, and which nothing of OpenAI's variables reaches."""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
import traceback
import types
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types import ImagesResponse
from pydantic import SecretStr

from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.calls import recall
from ionos_openai.client.in_process import answering_async_client, answering_client
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import ConfigurationError, InvalidTokenError, MissingTokenError, UntrustedHostError
from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import BASE_URL
from ionos_openai.sandbox import Sandbox
from tests.client.test_settings import write_env
from tests.loopback import MODEL_LIST, Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "opaque-token-of-mine"
PIXEL = "/9j/4AAQ"
IMAGES = Answer(body={"created": 1, "data": [{"b64_json": PIXEL}]})


class Outbox:
    """Keeps the requests that a client would have sent, and answers each with a model list."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def __call__(self, request: Any) -> Any:
        request.read()
        self.requests.append(request)
        return http_library().Response(200, json=MODEL_LIST, request=request)

    @property
    def sync(self) -> Any:
        return answering_client(self)

    @property
    def asynchronous(self) -> Any:
        return answering_async_client(self)

    def tokens(self) -> list[str]:
        return [request.headers["authorization"] for request in self.requests]


@pytest.fixture
def outbox() -> Outbox:
    """An HTTP client without a network."""
    return Outbox()


# The factory.


def test_the_clients_are_the_sdks_own() -> None:
    """`isinstance` holds, for copies too, and every resource of the SDK is there."""
    with create_client(api_key=TOKEN) as client:
        assert isinstance(client, openai.OpenAI)
        assert isinstance(client.with_options(timeout=3), openai.OpenAI)
        assert type(client.copy()) is type(client)
        for resource in ("chat", "embeddings", "images", "models", "completions"):
            assert type(getattr(client, resource)) is type(getattr(openai.OpenAI(api_key="x"), resource))
    assert isinstance(create_async_client(api_key=TOKEN), openai.AsyncOpenAI)


def test_both_factories_take_the_same_keyword_only_arguments() -> None:
    """The async twin differs in no parameter, and none of either is positional."""
    parameters = inspect.signature(create_client).parameters
    assert list(parameters) == list(inspect.signature(create_async_client).parameters)
    assert {one.kind for one in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("make", [create_client, create_async_client])
def test_by_default_the_sdks_own_limits_hold(make: Callable[..., Any]) -> None:
    """Without any setting the client points at IONOS, with the SDK's timeout and retries."""
    client = make(api_key=TOKEN)
    plain = openai.OpenAI(api_key="x")
    assert str(client.base_url) == f"{BASE_URL}/"
    assert (client.timeout, client.max_retries) == (plain.timeout, plain.max_retries)
    assert client.with_options(timeout=3).ionos_settings is client.ionos_settings


@pytest.mark.parametrize("make", [create_client, create_async_client])
def test_arguments_win_over_the_given_settings_over_the_environment(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each argument of the factory wins over the settings passed in, and those over the environment."""
    for name, value in {"API_TOKEN": "from-environment", "TIMEOUT": "1", "MAX_RETRIES": "1"}.items():
        monkeypatch.setenv(f"IONOS_{name}", value)
    monkeypatch.setenv("IONOS_BASE_URL", "https://environment.ionos.com")
    settings = IonosSettings(api_key="from-settings", timeout=2, max_retries=3, base_url="https://settings.ionos.com")
    seen = [
        (client.api_key, client.timeout, client.max_retries, str(client.base_url))
        for client in (
            make(),
            make(settings=settings),
            make(settings=settings, api_key="given", timeout=4, max_retries=0, base_url="https://given.example/v2/"),
        )
    ]
    assert seen == [
        ("from-environment", 1, 1, "https://environment.ionos.com/v1/"),
        ("from-settings", 2, 3, "https://settings.ionos.com/v1/"),
        ("given", 4, 0, "https://given.example/v2/"),
    ]
    assert make(settings=settings, timeout=None).timeout is None


def test_a_token_may_be_a_secret_str_or_carry_a_bearer(outbox: Outbox) -> None:
    """A SecretStr and a "Bearer" in front work, at the factory, in a copy, as an attribute and in a header."""
    with create_client(api_key=SecretStr(f" Bearer {TOKEN}\n"), http_client=outbox.sync) as client:
        client.models.list()
        client.copy(api_key=f"Bearer {TOKEN}\n").models.list()
        client.copy(api_key=SecretStr(TOKEN)).models.list()  # type: ignore[arg-type]
        client.models.list(extra_headers={"Authorization": f"Bearer {TOKEN}\n"})
        client.api_key = f"Bearer {TOKEN}\n"
        client.models.list()
    assert outbox.tokens() == [f"Bearer {TOKEN}"] * 5


def test_default_headers_and_query_go_along(server: LoopbackServer) -> None:
    """What code sets for every request is sent with every request, also from copies."""
    with create_client(
        api_key=TOKEN, base_url=server.url, default_headers={"X-Mine": "1"}, default_query={"trace": "yes"}
    ) as client:
        client.models.list()
        client.with_options(default_headers={"X-More": "2"}).models.list()
    assert [request.path for request in server.requests] == ["/v1/models?trace=yes"] * 2
    assert [request.headers["x-mine"] for request in server.requests] == ["1", "1"]
    assert server.requests[1].headers["x-more"] == "2"


def test_what_belongs_to_openais_service_alone_is_refused() -> None:
    """A copy cannot be led to OpenAI's own providers, where the IONOS token would go."""
    client = create_client(api_key=TOKEN)
    reasons = {"provider": "signs in", "workload_identity": "signs in", "data_residency": "among OpenAI's own hosts"}
    for name, why in reasons.items():
        with pytest.raises(ConfigurationError) as caught:
            type(client)(api_key=TOKEN, base_url=BASE_URL, **{name: "x"})  # type: ignore[call-arg]
        assert str(caught.value).startswith(f"{name}= ")
        assert why in str(caught.value)
    with pytest.raises(MissingTokenError, match="Make clients with create_client"):
        type(client)(base_url=BASE_URL)
    names = ["organization", "project"]
    if hasattr(client, "admin_api_key"):
        names.append("admin_api_key")
    for name in names:
        with pytest.raises(ConfigurationError) as caught:
            client.copy(**{name: "x"})  # type: ignore[arg-type]
        assert str(caught.value) == f"{name}= is OpenAI's own and would be sent to IONOS: leave it out."


def test_a_webhook_secret_of_the_codes_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent nowhere; that of the variable is not taken."""
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec-canary-of-openai")
    client: Any = create_client(api_key=TOKEN)
    if not hasattr(client, "webhook_secret"):
        pytest.skip("this version of the SDK has no webhooks")
    assert client.webhook_secret is None
    copied = client.copy(webhook_secret="whsec-mine")
    assert (copied.webhook_secret, copied.with_options(timeout=3).webhook_secret) == ("whsec-mine", "whsec-mine")


@pytest.mark.parametrize("make", [create_client, create_async_client])
@pytest.mark.parametrize("value", [-1, 1.5, True, "2"])
def test_a_number_of_retries_that_is_none_is_an_error(make: Callable[..., Any], value: object) -> None:
    """It is said of the argument, on every version of the SDK."""
    with pytest.raises(ConfigurationError) as caught:
        make(api_key=TOKEN, max_retries=value)
    assert str(caught.value) == "max_retries= is not a whole number from 0: leave it out for the default."


# WebSockets.


def refuse_to_connect(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Stand in for the package websockets, wherever a version of the SDK takes it from; return what it is asked."""
    asked: list[object] = []
    for name, attribute in (
        ("websockets", None),
        ("websockets.sync", None),
        ("websockets.sync.client", "connect"),
        ("websockets.asyncio", None),
        ("websockets.asyncio.client", "connect"),
        ("openai.lib._websocket", "_WebSocketConnect"),
    ):
        module = types.ModuleType(name)
        if attribute:
            setattr(module, attribute, lambda *args, **options: asked.append((args, options)))
        monkeypatch.setitem(sys.modules, name, module)
    return asked


async def test_no_websocket_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A WebSocket passes none of the token's checks, so none is opened: not by a copy, nor to another address."""
    asked = refuse_to_connect(monkeypatch)
    message = r"^IONOS documents no API over WebSockets, so the token was not sent over one\.$"
    for key in (TOKEN, lambda: TOKEN):
        client: Any = create_client(api_key=key)  # type: ignore[arg-type]
        for one in (client, client.copy(), client.with_options(base_url="http://192.0.2.2/v1").copy(api_key="other")):
            for resource in ("realtime", "responses", "beta.realtime", "live"):
                connect = getattr(attrgetter(resource)(one), "connect", None) if has(one, resource) else None
                if connect is not None:
                    with pytest.raises(ConfigurationError, match=message), connect(**arguments_of(connect)):
                        pass
        asynchronous: Any = create_async_client(api_key=key)  # type: ignore[arg-type]
        realtime = asynchronous.realtime if has(asynchronous, "realtime") else asynchronous.beta.realtime
        with pytest.raises(ConfigurationError, match=message):
            async with realtime.connect(model="m"):
                pass
        with pytest.raises(ConfigurationError, match=message):
            client.with_options(websocket_base_url="wss://192.0.2.2/v1")
        with pytest.raises(ConfigurationError, match=message):
            client.websocket_base_url = "wss://192.0.2.2/v1"
        assert not hasattr(client, "websocket_base_url")
    assert asked == []


def has(client: object, path: str) -> bool:
    try:
        attrgetter(path)(client)
    except AttributeError:
        return False
    return True


def arguments_of(connect: Callable[..., object]) -> dict[str, str]:
    required = [one for one in inspect.signature(connect).parameters.values() if one.default is one.empty]
    return {one.name: "x" for one in required if one.kind is one.KEYWORD_ONLY}


async def test_what_was_asked_is_remembered_with_the_response(server: LoopbackServer) -> None:
    """A response knows prompt, model and size, sync, async, raw and for edits, and neither repr nor dump shows it."""
    server.default = IMAGES
    asked = {"model": "vendor/m", "prompt": "a fox", "size": "512x512"}
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        responses = [
            client.images.generate(**asked),  # type: ignore[call-overload]
            client.with_options(timeout=3).images.generate(**asked),  # type: ignore[call-overload]
            client.images.with_raw_response.generate(**asked).parse(),  # type: ignore[call-overload]
            client.images.edit(image=b"x", **asked),  # type: ignore[call-overload]
        ]
    async with create_async_client(api_key=TOKEN, base_url=server.url) as asynchronous:
        responses.append(await asynchronous.images.generate(**asked))  # type: ignore[call-overload]
    for response in responses:
        assert isinstance(response, ImagesResponse)
        known = recall(response)
        assert known is not None
        assert (known.prompt, known.model, known.size) == ("a fox", "vendor/m", "512x512")
        assert "fox" not in repr(response) + response.model_dump_json()
    assert [recall(response).edited for response in responses] == [False, False, False, True, False]  # type: ignore[union-attr]
    assert recall(openai.OpenAI(api_key="x", base_url=server.url).images.generate(prompt="p")) is None


# The stand-in.


async def test_the_stand_in_needs_no_token_and_no_socket() -> None:
    """`sandbox=True` answers in process, sync and async, with whatever token, and a Sandbox of one's own is used."""
    with create_client(sandbox=True) as client:
        assert client.models.list().data
    async with create_async_client(sandbox=Sandbox(), api_key=TOKEN) as asynchronous:
        assert (await asynchronous.models.list()).data
    with pytest.raises(ConfigurationError) as caught:
        create_client(sandbox=True, http_client=openai.DefaultHttpxClient())
    assert str(caught.value) == "sandbox= and http_client= exclude each other: the sandbox is asked in process."


def test_the_stand_in_by_variable_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each client that IONOS_SANDBOX turns to the stand-in says so once; one that code turns says nothing."""
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    for _ in range(2):
        create_client().models.list()
    create_client(sandbox=True)
    create_client(sandbox=False, api_key=TOKEN)
    said = "IONOS_SANDBOX in the environment is set: the sandbox answers, every picture is a placeholder."
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [said] * 2


@pytest.mark.parametrize("token", ["variable", "file", "argument"])
def test_a_file_cannot_swap_the_service_for_the_stand_in(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` that asks for the stand-in while there is a real token is an error, wherever the token is from."""
    path = write_env("IONOS_SANDBOX=1")
    if token == "variable":
        monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    elif token == "file":
        monkeypatch.setenv("IONOS_API_TOKEN_FILE", "/run/secrets/ionos")
    with pytest.raises(ConfigurationError) as caught:
        create_client(api_key=TOKEN if token == "argument" else None)
    assert str(caught.value) == (
        f"IONOS_SANDBOX in {path} asks for the sandbox, but there is a real token too: which one is meant? Remove "
        "the line, or ask for the sandbox in code (sandbox=True) or in the environment (IONOS_SANDBOX=1)."
    )


# The token, at each use.


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("3f2b8c1e-0d4a-4b6f-9a7e-5c1d2e3f4a5b", "is a UUID"),
        ("sk-abcdefghijk", "is an OpenAI key"),
        ("0123456789abcdef.ghijklmnop", "is a key for IONOS' DNS and hosting API"),
        ("two words", "has blanks, line breaks"),
        (make_token(days=-1), "expired on"),
        (make_token(privileges=["OTHER"]), "lacks the privilege"),
    ],
)
async def test_a_bad_token_is_refused_before_anything_is_sent(token: str, message: str, outbox: Outbox) -> None:
    """Given to the factory, a copy, a header, an attribute or by a callable: InvalidTokenError, and nothing leaves."""
    for make in (create_client, create_async_client):
        with pytest.raises(InvalidTokenError, match=rf"^api_key= {message}") as caught:
            make(api_key=token)
        assert token not in str(caught.value)
    with create_client(api_key=TOKEN, http_client=outbox.sync) as client:
        with pytest.raises(InvalidTokenError, match=rf"^The token {message}"):
            client.copy(api_key=token).models.list()
        with pytest.raises(InvalidTokenError, match=rf"^The token {message}"):
            client.models.list(extra_headers={"Authorization": f"Bearer {token}"})
        client.api_key = token
        with pytest.raises(openai.AuthenticationError, match=rf"^The token {message}"):
            client.models.list()
    with (
        create_client(api_key=lambda: token, http_client=outbox.sync) as client,
        pytest.raises(InvalidTokenError, match=rf"^The token from the api_key callable {message}"),
    ):
        client.models.list()
    async with create_async_client(api_key=lambda: token, http_client=outbox.asynchronous) as asynchronous:
        with pytest.raises(InvalidTokenError, match=rf"^The token from the api_key callable {message}"):
            await asynchronous.models.list()
    assert outbox.requests == []


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which variable holds the bad token."""
    monkeypatch.setenv("IONOS_TOKEN", "sk-abcdefghijk")
    with pytest.raises(InvalidTokenError, match=r"^IONOS_TOKEN in the environment is an OpenAI key"):
        create_client()
    path = write_env("IONOS_API_TOKEN=sk-abcdefghijk")
    monkeypatch.delenv("IONOS_TOKEN")
    with pytest.raises(InvalidTokenError) as caught:
        create_client()
    assert str(caught.value).startswith(f"IONOS_API_TOKEN in {path} is an OpenAI key")


def test_a_callable_is_asked_at_each_use(server: LoopbackServer) -> None:
    """Each attempt, retries included, carries what the callable returns then; copies keep it, or take another."""
    given: list[str] = []

    def source() -> str:
        given.append(f"token-{len(given) + 1}")
        return f" Bearer {given[-1]}\n"

    server.answers = [Answer(500, {}, {"Retry-After-Ms": "1"}), Answer(500, {}, {"Retry-After-Ms": "1"})]
    with create_client(api_key=source, base_url=server.url) as client:
        assert given == []
        client.models.list()
        client.with_options(timeout=9).models.list()
        client.copy().copy().models.with_raw_response.list()
        client.copy(api_key=lambda: "another").models.list()
        client.copy(api_key="fixed").models.list()
        client.copy(api_key=lambda: "another").copy().models.list()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {one}" for one in (*(f"token-{n}" for n in range(1, 6)), "another", "fixed", "another")]


async def test_an_async_callable_is_asked_at_each_use(server: LoopbackServer) -> None:
    """The async client takes a callable that returns an awaitable, and a plain one, and asks at each request."""
    given: list[str] = []

    async def source() -> str:
        given.append(f"token-{len(given) + 1}")
        return given[-1]

    async with create_async_client(api_key=source, base_url=server.url) as client:
        await client.models.list()
        await client.with_options(timeout=9).models.list()
        await client.copy(api_key=lambda: "plain").models.list()  # type: ignore[arg-type,return-value]
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer plain"]


@pytest.mark.parametrize("value", [None, "", 5, b"token"])
def test_a_callable_that_returns_no_token_is_an_error(value: object, outbox: Outbox) -> None:
    """What is not text is refused at the use, and nothing is sent."""
    with (
        create_client(api_key=lambda: value, http_client=outbox.sync) as client,  # type: ignore[arg-type,return-value]
        pytest.raises(InvalidTokenError, match=r"^The token from the api_key callable is empty or not text\."),
    ):
        client.models.list()
    assert outbox.requests == []


def test_an_async_callable_for_the_sync_client_is_an_error(outbox: Outbox) -> None:
    """A coroutine is no token: refused without the interpreter's own warning about it."""

    async def source() -> str:
        return TOKEN

    with (
        create_client(api_key=source, http_client=outbox.sync) as client,  # type: ignore[arg-type]
        pytest.raises(InvalidTokenError, match=r"^The token from the api_key callable is empty or not text\."),
    ):
        client.models.list()


def test_what_a_callable_raises_comes_out(outbox: Outbox) -> None:
    """An error of the user's own code is neither swallowed nor tried again."""
    asked: list[int] = []

    def source() -> str:
        asked.append(1)
        raise LookupError("the vault is closed")

    with (
        create_client(api_key=source, http_client=outbox.sync) as client,
        pytest.raises(LookupError, match="the vault is closed"),
    ):
        client.models.list()
    assert len(asked) == 1


def test_a_token_that_ends_soon_is_warned_of_once_a_process(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    """Less than seven days left: one WARNING with the date, however many clients and requests there are."""
    with create_client(api_key=make_token(days=7.5), http_client=outbox.sync) as client:
        client.models.list()
    assert caplog.records == []
    for _ in range(2):
        with create_client(api_key=make_token(days=6.5), http_client=outbox.sync) as client:
            client.models.list()
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("api_key= expires on 20")
    assert warnings[0].endswith(" UTC. Make a token in IONOS' Data Center Designer under Management > Token Manager.")


# Where the token may go.


def test_a_foreign_host_in_a_variable_is_refused_with_the_ways_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host outside ionos.com needs code or the real environment's IONOS_ALLOWED_HOSTS; a `.env` cannot allow it."""
    monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    monkeypatch.setenv("IONOS_BASE_URL", "https://gateway.example/ionos")
    write_env("IONOS_ALLOWED_HOSTS=gateway.example")
    for make in (create_client, create_async_client):
        with pytest.raises(UntrustedHostError) as caught:
            make()
        assert str(caught.value) == (
            "IONOS_BASE_URL in the environment points at gateway.example, which is not a host of ionos.com, so the "
            "token was not sent there. If it is meant: pass base_url= in code (or --base-url), or set "
            "IONOS_ALLOWED_HOSTS=gateway.example in the real environment (a .env file cannot allow it)."
        )
    assert str(create_client(base_url="https://gateway.example/ionos").base_url) == "https://gateway.example/ionos/"
    assert create_client(settings=IonosSettings(base_url="https://gateway.example")).api_key == TOKEN
    monkeypatch.setenv("IONOS_ALLOWED_HOSTS", "other.example, Gateway.Example")
    assert str(create_client().base_url) == "https://gateway.example/ionos/"


def test_a_foreign_host_in_a_file_is_refused_for_a_token_in_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` beside the code cannot lead the token of the code away."""
    path = write_env("IONOS_BASE_URL=https://evil-ionos.com/v1")
    with pytest.raises(UntrustedHostError) as caught:
        create_client(api_key=TOKEN)
    assert str(caught.value).startswith(
        f"IONOS_BASE_URL in {path} points at evil-ionos.com, which is not a host of ionos"
    )
    monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    with pytest.raises(UntrustedHostError):
        create_client()
    assert create_client(settings=IonosSettings(env_file=None)).api_key == TOKEN


@pytest.mark.parametrize(
    "line",
    [
        "IONOS_BASE_URL=http://127.0.0.1:{port}/v1",
        "IONOS_BASE_URL=https://localhost:{port}/v1",
        "IONOS_API_TOKEN_FILE=/dev/zero",
        "IONOS_CA_BUNDLE=their.pem",
        "IONOS_BUDGET_URL=redis://127.0.0.1:{port}/0",
    ],
)
@pytest.mark.parametrize("place", ["code", "environment"])
def test_a_file_of_somebody_else_leads_no_token_anywhere(
    line: str, place: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a `.env` names counts only with a token of its own; the line to move is named, and nothing is opened."""
    path = write_env(line.format(port=server.port))
    if place == "environment" and "TOKEN_FILE" not in line:
        monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    if place == "code" and "TOKEN_FILE" in line:
        assert create_client(api_key=TOKEN).api_key == TOKEN  # the file is not looked at
        return
    with pytest.raises(UntrustedHostError) as caught:
        create_client(api_key=TOKEN if place == "code" else None, pace=True)
    assert str(caught.value).startswith(f"{line.partition('=')[0]} in {path} counts only together with a token in that")
    assert server.requests == []


def test_a_file_that_brings_its_own_token_is_used(server: LoopbackServer) -> None:
    """As one of the user's own does; and the word `sandbox` is no secret."""
    write_env(f"IONOS_API_TOKEN={TOKEN}", f"IONOS_BASE_URL={server.url}")
    create_client().models.list()
    write_env(f"IONOS_BASE_URL={server.url}")
    create_client(api_key="sandbox").models.list()
    (Path.cwd() / "token").write_text("sandbox\n")
    write_env(f"IONOS_BASE_URL={server.url}", "IONOS_API_TOKEN_FILE=token")
    create_client().models.list()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {TOKEN}", "Bearer sandbox", "Bearer sandbox"]


def test_a_file_may_choose_among_ionos_own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """That leads the token nowhere new; and what code says wins anyway."""
    write_env("IONOS_BASE_URL=https://openai.inference.de-fra.ionos.com/v1", "IONOS_CA_BUNDLE=their.pem")
    with pytest.raises(UntrustedHostError, match="IONOS_CA_BUNDLE"):
        create_client(api_key=TOKEN)
    write_env("IONOS_BASE_URL=https://openai.inference.de-fra.ionos.com/v1")
    assert "de-fra" in str(create_client(api_key=TOKEN).base_url)


def test_loopback_needs_no_permission(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http to this machine works from a variable as it is, with and without slash and /v1."""
    monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    for url in (server.url, f"{server.url}/", server.url.removesuffix("/v1"), server.url.removesuffix("v1")):
        monkeypatch.setenv("IONOS_BASE_URL", url)
        create_client().models.list()
    assert [request.path for request in server.requests] == ["/v1/models"] * 4


@pytest.mark.parametrize("url", ["https://xn--a.example", "https://" + "a" * 1000 + ".ionos.com"])
def test_a_url_that_the_http_library_cannot_read_is_a_configuration_error(url: str) -> None:
    """Nothing of the HTTP library's own exceptions comes out of the factory."""
    with contextlib.suppress(ConfigurationError):  # whether it is refused depends on the library's version
        assert create_client(api_key=TOKEN, base_url=url).api_key == TOKEN


def test_an_empty_base_url_in_code_is_an_error() -> None:
    """`base_url=""` is no silent way to the default."""
    with pytest.raises(ConfigurationError, match=r"^base_url= is not an http or https URL with a host"):
        create_client(api_key=TOKEN, base_url="")


def test_the_stand_ins_token_may_go_anywhere(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The literal token "sandbox" is no secret: compose files send it to plain http hosts, and to absolute URLs."""
    monkeypatch.setenv("IONOS_API_TOKEN", "sandbox")
    monkeypatch.setenv("IONOS_BASE_URL", "http://sandbox:8600/v1")
    with create_client(http_client=outbox.sync) as client:
        client.models.list()
        client.get("http://elsewhere.example/x", cast_to=object)
    assert [str(request.url) for request in outbox.requests] == [
        "http://sandbox:8600/v1/models",
        "http://elsewhere.example/x",
    ]
    assert outbox.tokens() == ["Bearer sandbox"] * 2
    monkeypatch.setenv("IONOS_API_TOKEN", "sandbox2")
    with pytest.raises(UntrustedHostError, match="would send the token to sandbox unencrypted"):
        create_client()


FOREIGN = [
    "https://evil.example/v1/models",
    "http://openai.inference.de-txl.ionos.com/v1/models",
    "https://openai.inference.de-txl.ionos.com:8443/v1/models",
    "https://other.ionos.com/v1/models",
    "https://openai.inference.de-txl.ionos.com.evil.example/v1",
    "https://openai.inference.de-txl.ionos.com@evil.example/v1",
    "https://openai.inference.de-txl.ionos.com./v1",
    "http://127.0.0.1:9/v1",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_an_absolute_url_never_gets_the_token_elsewhere(url: str, outbox: Outbox) -> None:
    """`client.get()` and `client.post()` to another origin are refused, whatever kind of token the client has."""
    for key in (TOKEN, lambda: TOKEN):
        with create_client(api_key=key, http_client=outbox.sync) as client:  # type: ignore[arg-type]
            for call in (client.get, client.with_options(timeout=3).post, client.copy().delete):
                with pytest.raises(UntrustedHostError, match="so the token was not sent"):
                    call(url, cast_to=object)  # type: ignore[operator]
        async with create_async_client(api_key=key, http_client=outbox.asynchronous) as asynchronous:  # type: ignore[arg-type]
            with pytest.raises(UntrustedHostError, match="so the token was not sent"):
                await asynchronous.post(url, cast_to=object)
    assert outbox.requests == []


def test_an_absolute_url_of_the_same_origin_and_one_without_a_token_work(outbox: Outbox) -> None:
    """The check is on the token's way: the client's own service, or a request without any token, may be asked."""
    with create_client(api_key=TOKEN, http_client=outbox.sync) as client:
        client.get(f"{BASE_URL}/models", cast_to=object)
        client.get("//evil.example/models", cast_to=object)
        client.get("../../models", cast_to=object)
        headers = {"Authorization": openai._types.Omit()}  # type: ignore[attr-defined]
        client.get("https://elsewhere.example/x", cast_to=object, options={"headers": headers})
    assert [request.url.host for request in outbox.requests] == ["openai.inference.de-txl.ionos.com"] * 3 + [
        "elsewhere.example"
    ]
    assert "authorization" not in outbox.requests[3].headers


def test_a_header_of_the_users_own_is_held_to_the_same_rules(outbox: Outbox) -> None:
    """An Authorization header that code sets goes to the client's own service alone, of whatever scheme."""
    with create_client(api_key=TOKEN, http_client=outbox.sync) as client:
        client.models.list(extra_headers={"Authorization": "Basic bWU6c2VjcmV0"})
        for value in ("Basic bWU6c2VjcmV0", "Bearer other-token", "raw-token"):
            with pytest.raises(UntrustedHostError):
                client.get("https://evil.example", cast_to=object, options={"headers": {"Authorization": value}})
    assert outbox.tokens() == ["Basic bWU6c2VjcmV0"]


@pytest.mark.parametrize("header", ["{}\n", " {}\t", "Basic {}\r\n", "Bearer {}\n", "bearer  {}"])
def test_blanks_around_a_header_of_the_users_own_are_stripped(header: str, server: LoopbackServer) -> None:
    """They would make the HTTP library quote the token in its error, with whatever scheme."""
    with create_client(
        api_key=TOKEN, base_url=server.url, default_headers={"Authorization": header.format("secret-one")}
    ) as client:
        client.models.list()
    assert server.requests[0].headers["authorization"] in ("secret-one", "Basic secret-one", "Bearer secret-one")


@pytest.mark.parametrize("header", ["secret-\x01one", "secret-\none", "Basic secret-\x7fone", "Bearer secret-\x01one"])
def test_a_header_that_none_can_have_is_refused_unseen(header: str, server: LoopbackServer) -> None:
    """The HTTP library, whose error would hold it, is not asked."""
    with (
        create_client(api_key=TOKEN, base_url=server.url, default_headers={"Authorization": header}) as client,
        pytest.raises(InvalidTokenError) as caught,
    ):
        client.models.list()
    assert "secret-" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def test_another_base_url_in_a_copy_is_named_in_code_but_must_be_encrypted(outbox: Outbox) -> None:
    """`with_options(base_url=...)` and the attribute count as code; plain http beyond this machine is refused."""
    with create_client(api_key=TOKEN, http_client=outbox.sync) as client:
        client.with_options(base_url="https://gateway.example/v1").models.list()
        with pytest.raises(UntrustedHostError) as caught:
            client.with_options(base_url="http://gateway.example/v1").models.list()
        client.base_url = "http://gateway.example/v1"
        with pytest.raises(UntrustedHostError):
            client.models.list()
    assert str(caught.value) == (
        "The request would send the token to gateway.example unencrypted: use https (plain http is for this machine "
        "alone, or for the token 'sandbox')."
    )
    assert [str(request.url) for request in outbox.requests] == ["https://gateway.example/v1/models"]


@pytest.fixture
def elsewhere() -> Iterator[LoopbackServer]:
    """A second server, of another origin."""
    with LoopbackServer() as running:
        yield running


@pytest.mark.parametrize(
    ("status", "host"),
    [
        (301, "127.0.0.1"),
        (302, "localhost"),
        (303, "127.0.0.1"),
        (307, "localhost"),
        (307, "127.0.0.1"),
        (308, "localhost"),
    ],
)
async def test_a_redirect_to_another_origin_never_gets_the_token(
    status: int, host: str, server: LoopbackServer, elsewhere: LoopbackServer
) -> None:
    """Nor the request: it is an error that names the place. Another port of the same machine is elsewhere already."""
    target = f"http://{host}:{elsewhere.port}/v1/models"
    server.default = Answer(status, {}, {"Location": target})
    with create_client(api_key=TOKEN, base_url=server.url, default_headers={"X-Mine": "1"}) as client:
        for send in (client.models.list, lambda: client.post("/models", cast_to=object, body={})):
            with pytest.raises(openai.APIStatusError, match=f"redirects to http://{host}:{elsewhere.port}") as caught:
                send()
            assert caught.value.status_code == status
    async with create_async_client(api_key=lambda: TOKEN, base_url=server.url) as asynchronous:  # type: ignore[arg-type,return-value]
        with pytest.raises(openai.APIStatusError, match="redirects"):
            await asynchronous.models.list()
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {TOKEN}"] * 3
    assert elsewhere.requests == []


def test_a_redirect_within_the_origin_keeps_the_token(server: LoopbackServer) -> None:
    """A path that moved on the same server is followed with the token."""
    server.answers = [Answer(307, {}, {"Location": "/v2/models"})]
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        client.models.list()
    assert [(r.path, r.headers["authorization"]) for r in server.requests] == [
        ("/v1/models", f"Bearer {TOKEN}"),
        ("/v2/models", f"Bearer {TOKEN}"),
    ]


# Isolation from OpenAI.

LEAKS = {
    "OPENAI_API_KEY": "sk-canary-of-openai",
    "OPENAI_ADMIN_KEY": "sk-admin-canary-of-openai",
    "OPENAI_ORG_ID": "org-canary-of-openai",
    "OPENAI_PROJECT_ID": "proj-canary-of-openai",
    "OPENAI_BASE_URL": "http://canary-of-openai.invalid/v1",
    "OPENAI_WEBHOOK_SECRET": "whsec-canary-of-openai",
    "OPENAI_CUSTOM_HEADERS": (
        "Authorization: Bearer canary-of-openai\naUTHORIZATION: Bearer canary-of-openai\nX-Gateway: canary-of-openai\n"
        "OpenAI-Organization: canary-of-openai\nX-Both: same\nUser-Agent: canary-of-openai"
    ),
}


def leak(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)


def assert_isolated(server: LoopbackServer, count: int, token: str = TOKEN) -> None:
    assert len(server.requests) == count
    for request in server.requests:
        raw = request.raw.lower()
        assert "canary" not in raw
        assert "openai-organization" not in raw
        assert "openai-project" not in raw
        assert raw.count("authorization:") == 1
        assert request.headers["authorization"] in {f"Bearer {token}", "Bearer other"}


@pytest.mark.parametrize(("moment", "kind"), [("before", "text"), ("after", "text"), ("both", "callable")])
def test_nothing_of_openais_variables_reaches_the_wire(
    moment: str, kind: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set before or after the client is made: no value of theirs is in any raw request, whatever way it is sent."""
    key: Any = TOKEN if kind == "text" else lambda: TOKEN
    if moment != "after":
        leak(monkeypatch)
    with create_client(api_key=key, base_url=server.url) as client:
        if moment == "after":
            leak(monkeypatch)
        elif moment == "both":
            monkeypatch.setenv("OPENAI_ORG_ID", "org-other-canary")
            monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Other: canary")
        client.models.list()
        client.with_options(timeout=9).models.list()
        client.copy().models.list()
        client.copy().with_options(max_retries=1).copy(api_key="other").models.list()
        client.models.with_raw_response.list()
        with client.models.with_streaming_response.list() as streamed:
            streamed.read()
        server.answers = [Answer(500, {}, {"Retry-After-Ms": "1"}), Answer(307, {}, {"Location": "/v1/models"})]
        client.models.list()
        server.answers = [IMAGES, IMAGES]
        client.images.generate(prompt="p", model="vendor/m")
        client.images.edit(image=b"x", prompt="p", model="vendor/m")
        for name in ("organization", "project", "webhook_secret", "admin_api_key"):
            assert getattr(client.copy(), name, None) is None
    assert_isolated(server, 11)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_nothing_of_openais_variables_reaches_the_wire_async(
    moment: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The async client is as isolated."""
    if moment == "before":
        leak(monkeypatch)
    async with create_async_client(api_key=TOKEN, base_url=server.url) as client:
        leak(monkeypatch)
        await client.models.list()
        await client.with_options(timeout=9).models.list()
        await client.copy().models.list()
        await client.copy(api_key="other").models.list()
        await client.models.with_raw_response.list()
        async with client.models.with_streaming_response.list() as streamed:
            await streamed.read()
        server.answers = [Answer(500, {}, {"Retry-After-Ms": "1"}), Answer(307, {}, {"Location": "/v1/models"})]
        await client.models.list()
        server.answers = [IMAGES]
        await client.images.generate(prompt="p", model="vendor/m")
    assert_isolated(server, 10)


def test_after_a_redirect_elsewhere_nothing_of_openais_is_there(
    server: LoopbackServer, elsewhere: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place that a redirect leads to gets nothing; so also with an HTTP client of the user's own."""
    leak(monkeypatch)
    server.default = Answer(307, {}, {"Location": f"{elsewhere.url}/models"})
    for own in (None, openai.DefaultHttpxClient()):
        client = create_client(api_key=TOKEN, base_url=server.url, http_client=own)
        with client, pytest.raises(openai.APIStatusError, match="redirects to"):
            client.models.list()
    assert elsewhere.requests == []


def test_without_an_ionos_token_openais_key_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_API_KEY is no second choice."""
    leak(monkeypatch)
    with pytest.raises(MissingTokenError) as caught:
        create_client()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    client = create_client()
    assert (client.api_key, str(client.base_url)) == (TOKEN, f"{BASE_URL}/")


async def test_a_header_set_in_code_stays_though_the_variable_names_it_too(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What code sets is sent, with another value than the variable's or with the very same, also from copies."""
    leak(monkeypatch)
    headers = {"X-Gateway": "mine", "x-both": "same"}
    with create_client(api_key=TOKEN, base_url=server.url, default_headers=headers) as client:
        client.models.list()
        client.with_options(timeout=3).models.list()
        client.copy(default_headers={"X-More": "1"}).models.list()
        client.models.list(extra_headers={"X-Both": "same"})
    async with create_async_client(api_key=TOKEN, base_url=server.url, default_headers=headers) as asynchronous:
        await asynchronous.copy().models.list()
    for request in server.requests:
        assert (request.headers["x-gateway"], request.headers["x-both"]) == ("mine", "same")
    assert server.requests[2].headers["x-more"] == "1"
    assert_isolated(server, 5)


def test_a_plain_client_would_have_leaked(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above can fail: the SDK's own client sends OpenAI's project to the same server."""
    leak(monkeypatch)
    with openai.OpenAI(api_key=TOKEN, base_url=server.url) as client:
        client.models.list()
    assert LEAKS["OPENAI_PROJECT_ID"] in server.requests[0].raw
