"""One canary: whatever is called and whatever goes wrong, the token shows in nothing that a person or a log keeps."""

from __future__ import annotations

import base64
import inspect
import json
import logging
import traceback
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openai
import pytest

import ionos_openai
from ionos_openai import (
    GeneratedImage,
    IonosSettings,
    Provenance,
    aedit_images,
    agenerate_batch,
    agenerate_images,
    alist_image_models,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    estimate_cost,
    generate_batch,
    generate_images,
    list_image_models,
    partial_images,
    read_batch,
    read_provenance,
    read_signature,
    save_images,
    show,
    write_provenance,
    write_signature,
)
from ionos_openai.client.in_process import answering_async_client, answering_client
from ionos_openai.client.settings import TokenFile
from ionos_openai.errors.http import http_library
from tests.client.test_settings import write_env
from tests.images.test_images import picture
from tests.loopback import MODEL_LIST, Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

SOON = {"Retry-After-Ms": "1"}
PICTURE = base64.b64encode(picture()).decode()
PUBLIC_FUNCTIONS = [name for name in ionos_openai.__all__ if inspect.isfunction(getattr(ionos_openai, name))]
ASYNC_FUNCTIONS = {"create_async_client", *(name for name in PUBLIC_FUNCTIONS if name[1:] in PUBLIC_FUNCTIONS)}


class Notes(logging.Handler):
    """Keeps all that is shown: log records with their arguments, reprs, messages, warnings, tracebacks."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.shown: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.shown.append(f"{record.name}: {record.getMessage()} {record.args!r}")
        if record.exc_info:
            self.shown.append(logging.Formatter().formatException(record.exc_info))

    def look_at(self, *values: object) -> None:
        for value in values:
            self.shown += [repr(value), str(value)]

    def look_at_error(self, error: BaseException) -> None:
        self.look_at(error, error.args, *vars(error).values(), partial_images(error))
        self.shown.append("".join(traceback.format_exception(error)))

    def text(self) -> str:
        return "\n".join(self.shown)


@pytest.fixture
def notes() -> Iterator[Notes]:
    """Listens to every logger at the lowest level, the libraries' own included."""
    kept = Notes()
    names = ["", "openai", "httpx", "httpx2", "httpcore", "httpcore2", "ionos_openai", "asyncio"]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(1)
    logging.getLogger().addHandler(kept)
    yield kept
    logging.getLogger().removeHandler(kept)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def secret(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any]:
    """The canary, and the `api_key=` that brings it (None: it comes from the surroundings)."""
    token = make_token(days=3) if request.param == "a JWT" else "opaqueCANARY0123456789"
    if request.param == "a callable":
        return token, lambda: token
    if request.param == "a file":
        path = tmp_path_factory.mktemp("secret") / "token"
        path.write_text(token)
        return token, TokenFile(path)
    if request.param == "a variable":
        monkeypatch.setenv("IONOS_API_TOKEN", token)
    elif request.param == "a .env":
        write_env(f"IONOS_API_TOKEN={token}")
    return token, token if request.param == "a JWT" else None


def leaks(token: str, text: str) -> list[str]:
    """Return the lines of `text` that hold the token, or a telling part of it."""
    parts = {token, token[:20], token[-20:], base64.b64encode(token.encode()).decode()}
    if token.count(".") == 2:
        parts = {token, *token.split(".")[1:2], token[:40]}
    return [line[:300] for line in text.splitlines() if any(part in line for part in parts)]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of this package's functions that the test calls."""
    names: set[str] = set()

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            names.add(function.__name__)
            return function(*args, **options)

        return call

    for name in PUBLIC_FUNCTIONS:
        monkeypatch.setitem(globals(), name, noting(getattr(ionos_openai, name)))
    return names


def service(server: LoopbackServer) -> None:
    server.answers = [Answer(body={"created": 1, "data": [{"b64_json": PICTURE}]}) for _ in range(5)]


def failures(token: str) -> list[Answer]:
    """Return answers that go wrong, each repeating the token wherever it can."""
    echo = f"Bearer {token}"
    return [
        Answer(401, {"messages": [{"errorCode": token, "message": f"no: {token}"}]}, {"x-trace-id": "0" * 32}),
        Answer(500, {"error": {"httpStatus": 500, "message": echo}}, SOON),
        Answer(400, {token: token}),
        Answer(403, f"<html><title>{echo}</title>{token}</html>".encode()),
        Answer(404, json.dumps([token]).encode()),
        Answer(422, f"{echo}\xff".encode("latin-1")),
    ]


def try_it(notes: Notes, call: Callable[[], object]) -> None:
    with pytest.raises((openai.OpenAIError, ValueError)) as caught:
        call()
    notes.look_at_error(caught.value)


async def atry_it(notes: Notes, call: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises((openai.OpenAIError, ValueError)) as caught:
        await call()
    notes.look_at_error(caught.value)


def raising(kind: str) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        raise getattr(http_library(), kind)("nobody there", request=request)

    return answer


def use_everything(server: LoopbackServer, notes: Notes, token: str, key: Any, directory: Path) -> None:
    service(server)
    with create_client(api_key=key, base_url=server.url, max_retries=0) as client:
        notes.look_at(
            client, client.copy(), client.ionos_settings, client.images, client.base_url, client.default_query
        )
        images = generate_images(client, "a fox", directory=directory)
        images += edit_images(client, picture(), "a fox", directory=directory, name="edited.png")
        response = client.images.generate(prompt="a fox", model="flux.1")
        images += decode_images(response, prompt="a fox")
        paths = save_images(response, directory, name="again")
        raw = client.images.with_raw_response.generate(prompt="a fox", model="flux.1")
        notes.look_at(
            show([images, response]), images, response, paths, raw, raw.headers, raw.http_request, raw.http_response
        )
        notes.look_at(list_image_models(client), *(image.to_pil() for image in images))
        mark = read_provenance(write_provenance(picture(), Provenance(prompt="a fox")))
        notes.look_at(mark, estimate_cost("flux.1", 2), read_signature(picture()))
        nobody = SimpleNamespace(chain=[], tsa_url=None, _sign=bytes, _algorithm="es256")
        try_it(notes, lambda: write_signature(picture(), nobody))
        service(server)
        batch = generate_batch(client, ["a fox", "an owl"], directory / "batch")
        notes.look_at(batch, *batch)
        server.answers = failures(token)[2:3]
        notes.look_at(*generate_batch(client, ["a bad one"], directory / "batch"))
        notes.look_at(*read_batch(directory / "batch"))
        for answer in failures(token):
            server.answers = [answer] * 3
            try_it(notes, lambda: generate_images(client, "a fox"))
            try_it(notes, client.models.list)
            try_it(notes, lambda: client.models.with_streaming_response.list().__enter__())
        server.answers = [Answer(body={"data": [{"b64_json": "no picture"}], "echo": token})]
        try_it(notes, lambda: generate_images(client, "a fox"))
        try_it(notes, lambda: client.get("https://evil.example/", cast_to=object))
        try_it(notes, client.with_options(base_url="http://evil.example/").models.list)
        try_it(notes, client.copy(api_key=f"{token} {token}").models.list)
        try_it(notes, lambda: client.models.list(extra_headers={"Authorization": f"Bearer {token}\nx"}))
        server.answers = [Answer(body=MODEL_LIST)]
        client.models.list(extra_headers={"Authorization": f"Bearer {token}\n"})
    for kind in ("ReadTimeout", "ConnectError", "RemoteProtocolError"):
        http_client = answering_client(raising(kind))
        with create_client(api_key=key, http_client=http_client, max_retries=0) as client:
            try_it(notes, lambda client=client: generate_images(client, "a fox"))
    with LoopbackServer() as closed:
        url = closed.url
    with create_client(api_key=key, base_url=url, max_retries=0) as client:
        try_it(notes, lambda: edit_images(client, picture(), "a fox"))
    server.answers = [Answer(500, {}, SOON), Answer(429, {"message": token}, SOON)]
    with create_client(api_key=key, base_url=server.url) as client:
        notes.look_at(client.models.list())


async def use_everything_async(server: LoopbackServer, notes: Notes, token: str, key: Any, directory: Path) -> None:
    service(server)
    async with create_async_client(api_key=key, base_url=server.url, max_retries=0) as client:
        notes.look_at(client, client.copy(), client.images)
        images = await agenerate_images(client, "a fox", directory=directory)
        images += await aedit_images(client, picture(), "a fox", directory=directory)
        notes.look_at(images, await client.images.generate(prompt="a fox", model="flux.1"))
        batch = agenerate_batch(client, ["a fox"], directory / "abatch")
        notes.look_at(batch, [result async for result in batch])
        server.answers = []
        notes.look_at(await alist_image_models(client))
        for answer in failures(token):
            server.answers = [answer] * 2
            await atry_it(notes, lambda: agenerate_images(client, "a fox"))
            await atry_it(notes, client.models.list)
        await atry_it(notes, lambda: client.get("https://evil.example/", cast_to=object))
    http_client = answering_async_client(raising("ReadTimeout"))
    async with create_async_client(api_key=key, http_client=http_client, max_retries=0) as client:
        await atry_it(notes, client.models.list)


def check_files(token: str, directory: Path) -> None:
    written = [path for path in directory.rglob("*") if path.is_file()]
    assert len(written) >= 2
    for path in written:
        assert token.encode() not in path.read_bytes()
        assert token not in path.name


def fail_to_start(notes: Notes, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make clients whose settings cannot work, with the token in every place where it should not be."""
    for values in (
        {"api_key": f"sk-{token}"},
        {"api_key": f"{token}\n{token}"},
        {"base_url": f"https://{token}@ionos.com"},
        {"base_url": token},
        {"base_url": f"https://ionos.com/?key={token}"},
        {"compat": token},
        {"ca_bundle": "missing.pem"},
    ):
        try_it(notes, lambda values=values: create_client(**({"api_key": token} | values)))
        if "ca_bundle" not in values and "api_key" not in values:
            try_it(notes, lambda values=values: IonosSettings(**values))
    for name in ("TIMEOUT", "MAX_RETRIES", "SANDBOX", "BASE_URL", "FILE_NAMES", "COMPAT"):
        with monkeypatch.context() as patch:
            patch.setenv(f"IONOS_{name}", token)
            try_it(notes, lambda: create_client(api_key=token))


@pytest.mark.parametrize(
    ("round_trip", "secret"),
    [
        ("sync", "a JWT"),
        ("sync", "a callable"),
        ("sync", "a file"),
        ("sync", "a .env"),
        ("async", "a JWT"),
        ("async", "a variable"),
        ("async", "a callable"),
    ],
    indirect=["secret"],
)
async def test_the_token_is_in_nothing_that_is_kept(
    round_trip: str, secret: tuple[str, Any], server: LoopbackServer, notes: Notes, called: set[str], tmp_path: Path
) -> None:
    """Every public call, good and failing: no log, repr, message, traceback, warning or file holds the token."""
    token, key = secret
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        if round_trip == "sync":
            use_everything(server, notes, token, key, tmp_path)
        else:
            await use_everything_async(server, notes, token, key, tmp_path)
        notes.look_at(IonosSettings(), IonosSettings(api_key=token))
    notes.look_at(*(warning.message for warning in seen))
    assert leaks(token, notes.text()) == []
    assert any(line.startswith(("openai", "httpcore")) for line in notes.shown)
    check_files(token, tmp_path)
    sent = {request.headers["authorization"] for request in server.requests}
    assert sent == {f"Bearer {token}"}
    assert called >= {name for name in PUBLIC_FUNCTIONS if (name in ASYNC_FUNCTIONS) == (round_trip == "async")}


def test_what_cannot_start_says_nothing_of_the_token(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in a place where it does not belong is in no message of the refusal."""
    for token in (make_token(), "opaqueCANARY0123456789"):
        notes.shown.clear()
        fail_to_start(notes, token, monkeypatch)
        assert leaks(token, notes.text()) == []


@pytest.mark.parametrize("command", [["models"], ["generate", "a fox"], ["doctor", "--json"], ["models", "--json"]])
@pytest.mark.parametrize("status", [200, 401])
def test_the_terminal_shows_nothing_of_the_token(
    command: list[str], status: int, server: LoopbackServer, notes: Notes, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """No command writes the token, whatever the service answers."""
    app = pytest.importorskip("ionos_openai.cli.app")
    token = make_token()
    monkeypatch.setenv("IONOS_API_TOKEN", token)
    monkeypatch.setenv("IONOS_BASE_URL", server.url)
    server.default = Answer(status, MODEL_LIST if status == 200 else {"message": token}, SOON)
    if command[0] == "generate" and status == 200:
        server.default = Answer(body={"data": [{"b64_json": PICTURE}]})
    app.run(command)
    captured = capsys.readouterr()
    assert captured.out + captured.err
    assert leaks(token, captured.out + captured.err + notes.text()) == []


def test_a_picture_knows_what_was_asked_and_not_by_whom() -> None:
    """The repr of a picture is short and has neither base64 nor token in it."""
    image = decode_images({"data": [{"b64_json": PICTURE}]}, prompt="a fox", model="flux.1")[0]
    assert isinstance(image, GeneratedImage)
    assert len(repr(image)) < 300
    assert PICTURE[:40] not in repr(image)
