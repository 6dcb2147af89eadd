"""`ionos-openai verify`: the sandbox's table asked of a service, what it costs, and what is kept of the answers."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import create_client
from ionos_openai.cli import app
from ionos_openai.cli.verify import command
from ionos_openai.cli.verify.asking import Burst
from ionos_openai.cli.verify.command import verify
from ionos_openai.cli.verify.probes import (
    NEVER_ASKED,
    PROBES,
    judge_burst,
    judge_chat,
    judge_created,
    judge_image_answer,
    judge_models,
    judge_rate_limit,
    judge_shape,
    judge_stream,
    judge_unauthorized,
)
from ionos_openai.cli.verify.replies import Answer, describe_jpeg
from ionos_openai.errors.http import http_library
from ionos_openai.sandbox import Sandbox, SandboxServer
from ionos_openai.sandbox.behaviours import BEHAVIOURS
from ionos_openai.sandbox.limits import REQUEST_RATE
from ionos_openai.sandbox.service import MODELS_2026_08
from tests.loopback import Answer as Reply, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ionos_openai.cli.verify.command import RowFinding
    from tests.terminal import Result

ALL_IMAGES = 18  # for each row but the limit of images
LIMITS = {"rate-limit", "image-limit", "request-limit"}
COSTLESS = {"unauthorized", "models", "models-created", "error-shape", "malformed", "unknown-path", "browsers"}
TOKEN = "opaque-token-0123456789-abcdefghijklmnopqrstuvwxyz"


class Clock:
    """A clock that goes on only when somebody sleeps."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ask(sandbox: Sandbox, *, clock: Clock | None = None, **options: Any) -> dict[str, RowFinding]:
    """Ask a sandbox in this process, without any waiting."""
    clock = clock or Clock()
    with create_client(sandbox=sandbox) as client:
        return {one.behaviour.name: one for one in verify(client, clock=clock, sleep=clock.sleep, **options)}


def ask_server(sandbox: Sandbox, clock: Clock, **options: Any) -> dict[str, RowFinding]:
    """Ask a sandbox over HTTP, without any waiting."""
    with SandboxServer(sandbox) as server, create_client(base_url=server.base_url, api_key=server.token) as client:
        return {one.behaviour.name: one for one in verify(client, clock=clock, sleep=clock.sleep, **options)}


def ask_script(
    server: LoopbackServer, *, token: str = TOKEN, timeout: float = 5, **options: Any
) -> dict[str, RowFinding]:
    """Ask a scripted server, without any waiting."""
    clock = Clock()
    with create_client(base_url=server.url, api_key=token, timeout=timeout) as client:
        return {one.behaviour.name: one for one in verify(client, clock=clock, sleep=clock.sleep, **options)}


def having(found: dict[str, RowFinding], verdict: str) -> set[str]:
    return {name for name, one in found.items() if one.verdict == verdict}


def posts(sandbox: Sandbox) -> list[str]:
    return [one.path for one in sandbox.requests if one.path.startswith("/v1/images/")]


# Against the sandbox's own server.


def test_every_row_of_the_table_has_a_probe_or_a_reason() -> None:
    """The table that `--explain` prints is the one that is asked."""
    assert sorted([*PROBES, *NEVER_ASKED]) == sorted(behaviour.name for behaviour in BEHAVIOURS)


def test_every_row_holds_at_home() -> None:
    """With enough to spend and limits provoked, every row that can be asked holds against the sandbox's own server."""
    clock = Clock()
    found = ask_server(Sandbox(limits="documented", clock=clock), clock, spend=ALL_IMAGES, limits=True)
    assert list(found) == [behaviour.name for behaviour in BEHAVIOURS]
    assert having(found, "as the stand-in") == {*PROBES} - {"image-limit"}
    assert having(found, "not asked") == {*NEVER_ASKED, "image-limit"}
    assert {name: found[name].text for name in NEVER_ASKED} == NEVER_ASKED


def test_the_limit_of_images_holds_at_home() -> None:
    """With 24 pictures more to spend, the limit of images is reached and holds, after the bucket was let fill."""
    # Requests are not limited here: on this clock, all of them arrive at once.
    clock = Clock()
    sandbox = Sandbox(limits="10:20", clock=clock)
    found = ask_server(sandbox, clock, spend=ALL_IMAGES + 24, limits=True)
    assert having(found, "different") == {"rate-limit", "request-limit"}
    assert (found["image-limit"].verdict, found["image-limit"].pictures) == ("as the stand-in", 24)
    assert len(posts(sandbox)) == ALL_IMAGES + 24 - 1  # one of them with n=2
    assert [one["status"] for one in found["image-limit"].exchanges] == [200, 429]


def test_nothing_that_may_cost_is_asked_by_itself() -> None:
    """Without anything to spend no picture, no chat and no embedding is asked for, and the reason is told."""
    sandbox = Sandbox()
    found = ask_server(sandbox, Clock())
    assert having(found, "as the stand-in") == COSTLESS
    assert having(found, "not asked") == set(found) - COSTLESS
    assert {(one.method, one.path) for one in sandbox.requests} == {
        *(("GET", "/v1/models"), ("GET", "/v1/embeddings"), ("GET", "/v1/ionos-openai-verify")),
        ("POST", "/v1/chat/completions"),
    }
    assert all("model" not in one.body for one in sandbox.requests)
    assert found["n"].text == "it asks for 2 pictures, which may be billed: see --spend"
    assert found["chat"].text == "it costs a few tokens: --spend 1 or more asks it"
    assert found["rate-limit"].text == "it provokes a limit: --provoke-limits asks it"


@pytest.mark.parametrize("spend", [1, 4, ALL_IMAGES - 1, ALL_IMAGES])
def test_no_more_pictures_are_asked_for_than_may_be(spend: int) -> None:
    """Each picture asked for counts, also those of an `n` of 2 and those that are refused."""
    sandbox = Sandbox()
    found = ask(sandbox, spend=spend)
    asked = sum(one.body.get("n", 1) for one in sandbox.requests if one.path.startswith("/v1/images/"))  # type: ignore[misc]
    assert asked == sum(one.pictures for one in found.values()) <= spend
    assert having(found, "different") == having(found, "no answer") == set()
    assert (having(found, "not asked") == {*NEVER_ASKED, *LIMITS}) is (spend == ALL_IMAGES)


def test_a_429_counts_too() -> None:
    """Asked again after a 429, a picture counts again: the server never sees more requests than pictures may be."""
    sandbox = Sandbox(faults={"rate-limit": 0.5})
    ask(sandbox, spend=6)
    assert 1 <= len(posts(sandbox)) <= 6


def test_a_limit_in_the_way_is_waited_for() -> None:
    """A 429 is no difference: the row is asked again after the time that it names."""
    sandbox, clock = Sandbox(), Clock()
    sandbox.fault("rate-limit", times=2)
    found = ask(sandbox, clock=clock)
    assert having(found, "as the stand-in") == COSTLESS
    assert clock.now >= 1002


@pytest.mark.parametrize(
    ("options", "different"),
    [
        ({"unknown_model": "not-found"}, {"unknown-model"}),
        ({"image_format": "PNG"}, {"jpeg", "other-formats"}),
        ({"sizes": "any"}, {"other-sizes"}),
        ({"embeddings_base64": "answer"}, {"embeddings-base64"}),
        ({"cors": True}, {"browsers"}),
        ({"models": [*MODELS_2026_08, "acme/new-model"]}, {"models"}),
    ],
)
def test_exactly_what_is_otherwise_differs(options: dict[str, Any], different: set[str]) -> None:
    """Where a server is told to do one thing otherwise, its row differs and no other."""
    found = ask(Sandbox(**options), spend=ALL_IMAGES)
    assert having(found, "different") == different
    assert having(found, "no answer") == set()


def test_what_came_is_told() -> None:
    """A row that differs says in few words what came instead."""
    assert ask(Sandbox(unknown_model="not-found"), spend=ALL_IMAGES)["unknown-model"].text == (
        "404: nobody/nothing is none of the models in GET /v1/models (sandbox-unknown-model)"
    )
    models = [one for one in MODELS_2026_08 if one != "BAAI/bge-m3"] + ["acme/new-model"]
    found = ask(Sandbox(models=models, image_format="PNG"), spend=3)
    assert found["models"].text == "also has acme/new-model; does not have BAAI/bge-m3"
    assert found["jpeg"].text == "200 with a PNG of 1024x1024 px"


def test_a_model_that_is_not_offered_is_no_difference_of_other_rows() -> None:
    """Rows about a model that is not in the list are not asked, since a refusal would tell nothing of them."""
    found = ask(Sandbox(models=[one for one in MODELS_2026_08 if "FLUX.2" not in one]), spend=ALL_IMAGES)
    assert having(found, "different") == {"models"}
    gone = {"other-formats", "client-size-rule", "size-limit", "ignored-parameters", "equal-requests", "edits"}
    assert having(found, "not asked") == {*NEVER_ASKED, *LIMITS, *gone}
    assert found["edits"].text == "black-forest-labs/FLUX.2-klein-4B is not in the list of models"


def test_limits_that_nobody_keeps_differ() -> None:
    """A server that counts nothing differs in the rows about limits, and the limit of images needs enough to spend."""
    found = ask(Sandbox(), limits=True)
    assert having(found, "different") == {"rate-limit", "request-limit"}
    assert found["rate-limit"].text == "none of 30 requests in 0.0 s was refused"
    assert found["image-limit"].text == "it asks for 24 pictures, which may be billed: see --spend"


# Servers that are broken.


@pytest.mark.parametrize("fault", ["html-502", "timeout", "cut-body", "rate-limit"])
def test_what_tells_nothing_is_no_difference(fault: str) -> None:
    """A gateway's page, a timeout, a cut connection or a limit is no answer, and the walk goes to its end."""
    clock = Clock()
    with (
        SandboxServer(Sandbox(faults=[fault])) as server,
        create_client(base_url=server.base_url, api_key="sandbox", timeout=0.1) as client,
    ):
        found = list(verify(client, clock=clock, sleep=clock.sleep))
    assert {one.behaviour.name for one in found if one.verdict == "no answer"} == COSTLESS
    assert len(found) == len(BEHAVIOURS)


@pytest.mark.parametrize("fault", ["bad-json", "server-error", "empty-400"])
def test_wrong_answers_differ(fault: str) -> None:
    """An answer that is another one is told as such, whatever it is."""
    found = ask(Sandbox(faults=[fault]), spend=ALL_IMAGES)
    assert having(found, "no answer") == set()
    assert {"unauthorized", "models", "models-created", "error-shape"} <= having(found, "different")
    assert having(found, "as the stand-in") <= {
        *("required", "n", "size-limit", "unknown-model", "cannot-edit", "malformed", "embeddings-base64"),
        *("other-sizes", "stream", "undocumented"),
    }


@pytest.mark.parametrize("fault", ["bad-base64", "truncated-image", "no-data", "url-only", "wrong-format"])
def test_spoilt_pictures_end_nothing(fault: str) -> None:
    """A picture that cannot be read differs, and the other rows are asked all the same."""
    found = ask(Sandbox(faults=[fault]), spend=ALL_IMAGES)
    assert "jpeg" in having(found, "different")
    assert having(found, "as the stand-in") >= {*COSTLESS, "chat", "embeddings", "embeddings-base64"}


BODIES = (
    *(b"", b"<html><title>Hello</title></html>", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe\x00", b"[" * 5000),
    *(b'{"data": 1}', b'{"data": [1, null, {"id": 5}]}', b'{"data": [{"b64_json": 7}], "usage": NaN}'),
    *(b'{"messages": [{"message": {}}]}', b'{"choices": [{"message": []}]}', b'{"data": {"a": []}}'),
)


@pytest.mark.parametrize("status", [200, 400])
def test_a_body_of_any_shape_ends_nothing(server: LoopbackServer, status: int) -> None:
    """Whatever a service sends, each row is asked and told, and what is kept is JSON."""
    clock = Clock()
    with create_client(base_url=server.url, api_key=TOKEN) as client:
        for body in BODIES:
            server.default = Reply(status, body, {"Content-Type": "application/json"})
            found = list(verify(client, spend=ALL_IMAGES, clock=clock, sleep=clock.sleep))
            assert len(found) == len(BEHAVIOURS)
            assert not [one.text for one in found if "could not be judged" in one.text], body
            json.loads(json.dumps([list(one.exchanges) for one in found], allow_nan=False))


def test_nobody_listening_is_no_answer() -> None:
    """Where nobody listens, no row has an answer."""
    with LoopbackServer() as gone:
        url = gone.url
    with create_client(base_url=url, api_key="sandbox") as client:
        found = {one.behaviour.name: one for one in verify(client, spacing=0)}
    assert having(found, "no answer") == COSTLESS


# What is kept.


@pytest.mark.parametrize(("piece", "step"), [(b": ping\n\n", 0.5), (bytes(2**20), 0.0)], ids=["slow", "large"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_an_end_is_given_up(piece: bytes, step: float, status: int) -> None:
    """An answer that comes piece by piece for ever is no answer, and the client is left as it was."""
    clock = Clock()

    def pieces() -> Iterator[bytes]:
        while True:
            clock.sleep(step)
            yield piece

    http = http_library()
    transport = http.MockTransport(lambda _: http.Response(status, content=pieces()))
    with create_client(
        base_url="http://127.0.0.1:1/v1", api_key=TOKEN, http_client=openai.DefaultHttpxClient(transport=transport)
    ) as client:
        hooks = {name: list(own) for name, own in client._client.event_hooks.items()}
        found = {one.behaviour.name: one for one in verify(client, clock=clock, sleep=clock.sleep)}
        assert client._client.event_hooks == hooks
    assert having(found, "no answer") == COSTLESS
    assert {found[name].text for name in COSTLESS} == {"no end in time"}


def test_no_secret_is_told_or_kept(server: LoopbackServer) -> None:
    """Token, contract and trace id are in no text and in no answer that is kept, wherever a server puts them."""
    token = make_token()
    trace = "0123456789abcdef0123456789abcdef"
    echo = f"x{'y' * 470} {token} of contract 31000000, see {trace}"
    body = {"messages": [{"errorCode": token, "message": echo}], "contractNumber": 31000000, token: [trace, token]}
    server.default = Reply(400, body, {"x-trace-id": trace, "Retry-After": token, "Set-Cookie": token, "X-Other": "1"})
    found = ask_script(server, token=token, spend=ALL_IMAGES, limits=True)
    kept = json.dumps([[one.text, list(one.exchanges)] for one in found.values()])
    for secret in (*token.split("."), "31000000", trace, "Set-Cookie", "set-cookie", "x-other"):
        assert secret not in kept
    assert found["unauthorized"].exchanges[0]["headers"] == {
        "content-type": "application/json",
        "retry-after": "<token>",
        "x-trace-id": "<32 characters>",
    }


def test_an_opaque_token_is_not_cut_in_half(server: LoopbackServer) -> None:
    """A token that looks like nothing is hidden before a text is cut, at whatever place it stands."""
    for width in (470, 486):
        server.default = Reply(400, {"message": f"{'y ' * (width // 2)}{TOKEN}"})
        found = ask_script(server)
        kept = json.dumps([[one.text, list(one.exchanges)] for one in found.values()])
        assert not any(TOKEN[:length] in kept for length in (8, 20, len(TOKEN)))


def test_pictures_are_kept_as_facts() -> None:
    """Of a picture its format, size and digest are kept, and an embedding is cut."""
    found = ask(Sandbox(), spend=ALL_IMAGES)
    (first, second) = found["image-answer"].exchanges
    picture = first["body"]["data"][0]["b64_json"]  # type: ignore[index]
    assert (picture["picture"], picture["width"], picture["height"]) == ("JPEG", 1024, 1024)
    assert sorted(picture) == ["bytes", "height", "picture", "sha256", "width"]
    assert second["request"] == {
        "method": "POST",
        "path": "/images/generations",
        "with_token": True,
        "body": {
            "model": "black-forest-labs/FLUX.1-schnell",
            "prompt": "A lighthouse on a cliff at dusk",
            "size": "1024x1024",
            "response_format": "url",
        },
    }
    vector = found["embeddings"].exchanges[0]["body"]["data"][0]["embedding"]  # type: ignore[index]
    assert (len(vector), vector[-1]) == (5, "… 1024 in all")
    assert len(json.dumps([list(one.exchanges) for one in found.values()])) < 50_000


# Judging.


def answer(status: int = 200, body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (answer(400), "400 with an empty body"),
        (answer(200, {"b": 1, "a": 2}), "200 with JSON that has a, b"),
        (answer(200, {}), "200 with JSON that has nothing in it"),
        (answer(200, []), "200 with JSON that is no object"),
        (answer(422, {"detail": "No."}), "422: No."),
        (Answer(status=200, body=b"<title>Hi</title>"), "200 with no JSON"),
        (Answer(status=502, body=b"<title>Bad Gateway</title>"), "502: Bad Gateway"),
    ],
)
def test_answers_are_told_in_few_words(given: Answer, text: str) -> None:
    """Status and what the body says, or is."""
    assert given.describe() == text


def test_the_judges_say_what_is_otherwise() -> None:
    """Each difference that matters is told."""
    wrong = answer(401, {"httpStatus": 401}, x_trace_id="abc")
    assert judge_unauthorized(wrong) == "401 with JSON that has httpStatus; x-trace-id is not 32 hex digits"
    entries = [{"id": one, "object": "model", "created": 5, "owned_by": "acme", "more": 1} for one in MODELS_2026_08]
    models = answer(200, {"data": entries, "object": "list"})
    assert judge_models(models) == "other fields: more; owned_by is acme"
    assert (judge_created(models, now=5.0), judge_created(models, now=1000.0)) == ("", "created is 5")
    image = answer(200, {"created": 1, "data": [{"b64_json": "eA==", "url": None}], "usage": {"total_tokens": 3}})
    assert judge_image_answer(image) == (
        'other fields: created, url; no picture in data[0].b64_json; usage is {"total_tokens": 3}'
    )
    assert judge_shape(answer(400, {"httpStatus": 400, "messages": [{"errorCode": "x", "message": "y"}]})) == ""
    assert judge_shape(answer(400, {"error": {"message": "y"}})) == "400: y"
    assert judge_chat(answer(200, {"object": "chat.completion", "choices": []})) != ""
    stream = Answer(status=200, headers={"content-type": "text/event-stream"}, body=b"data: {}\n\n")
    assert judge_stream(stream) == "the stream does not end with [DONE]"


@pytest.mark.parametrize(
    ("passed", "seconds", "text"),
    [(10, 0.0, ""), (14, 0.5, ""), (15, 0.5, "15 passed in 0.5 s"), (9, 0.5, "9 passed in 0.5 s")],
)
def test_a_burst_is_judged_by_what_a_bucket_lets_through(passed: int, seconds: float, text: str) -> None:
    """As many as the bucket holds, what it gained meanwhile, and a little for the way."""
    burst = Burst(passed=passed, refused=(answer(429, retry_after="1"),), seconds=seconds)
    assert judge_burst(burst, REQUEST_RATE) == text
    assert judge_rate_limit(burst) == ""
    assert judge_rate_limit(Burst(passed=10, refused=(answer(429),), seconds=0)) == "429 without Retry-After"


def test_kinds_of_jpeg_are_told_apart() -> None:
    """Progressive and other subsamplings are seen."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (32, 32)).save(out, "JPEG", progressive=True, subsampling=0)
    assert describe_jpeg(out.getvalue()) == "JFIF 1.01, progressive, 4:4:4"


# The command.


@pytest.fixture
def run(cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Carry out the command in this process, without waiting between requests."""
    monkeypatch.setattr(command, "SPACING", 0.0)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return functools.partial(cli, "verify")


@pytest.fixture
def at_home(ionos_sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """The sandbox's server, which the settings point at."""
    monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
    monkeypatch.setenv("IONOS_BASE_URL", ionos_sandbox_server.base_url)
    return ionos_sandbox_server


def test_a_pipe_gets_the_rows(at_home: SandboxServer, run: Callable[..., Result], tmp_path: Path) -> None:
    """The table goes into a pipe tab-separated, the answers into a file, and the exit code is 0."""
    file = tmp_path / "answers.json"
    result = run("--spend", "18", "--yes", "--answers", str(file))
    assert result.code == 0
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert [row[:2] for row in rows] == [[behaviour.name, behaviour.basis] for behaviour in BEHAVIOURS]
    assert rows[0][2:] == ["as the stand-in", "-"]
    assert ["expired", "INF", "not asked", "it takes a token that has expired"] in rows
    document = json.loads(file.read_text(encoding="ascii"))
    assert (document["schema"], document["sandbox"], document["service"]) == (1, False, f"{at_home.base_url}/")
    assert (document["pictures"], document["exit_code"], len(document["rows"])) == (18, 0, len(BEHAVIOURS))
    assert len(posts(at_home.sandbox)) == 17
    assert TOKEN not in result.out + file.read_text(encoding="ascii")


def test_the_answers_can_go_to_standard_output(run: Callable[..., Result]) -> None:
    """`--json` prints the document alone; the sandbox in process says that it is no service."""
    result = run("--sandbox", "--json")
    document = json.loads(result.out)
    assert (result.code, document["sandbox"], document["service"]) == (0, True, None)
    assert result.err == "Warning: The sandbox was asked about itself, not the service.\n"


def test_spending_is_confirmed(at_home: SandboxServer, run: Callable[..., Result]) -> None:
    """Without `--yes` and without anybody to ask, nothing is asked, and the cost is told as far as it is known."""
    result = run("--spend", "3")
    assert (result.code, result.out, list(at_home.sandbox.requests)) == (2, "", [])
    assert result.err == (
        "Error: Up to 3 pictures and a few tokens of text are asked of 127.0.0.1. Each picture may be billed, also "
        "where a refusal is expected; black-forest-labs/FLUX.1-schnell costs 0.032 USD a picture, "
        "black-forest-labs/FLUX.2-klein-4B costs an unknown amount a picture. Nobody is here to confirm that: add "
        "--yes.\n"
    )


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_somebody_is_asked(
    at_home: SandboxServer, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    """On a terminal the question is put, and only a yes goes on."""
    keyboard = io.StringIO(typed)
    monkeypatch.setattr(keyboard, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", keyboard)
    result = run("--spend", "1")
    assert result.code == code
    assert "Go on? [y/N] " in result.err
    assert bool(at_home.sandbox.requests) is (code == 0)


def test_a_difference_is_told_by_the_exit_code(at_home: SandboxServer, run: Callable[..., Result]) -> None:
    """1 where a row differs, 75 where one has no answer, 77 where the token is refused."""
    at_home.sandbox.fault("server-error")
    assert run().code == 1
    at_home.sandbox.fault("html-502")
    assert run().code == 75
    at_home.sandbox.token = "another"
    result = run()
    assert result.code == 77
    assert "models\tREC\tno answer\t401: Unauthorized, wrong or no api key provided" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spend", "-1"], "Invalid value: --spend is a number of pictures from 0. See: ionos-openai verify --help"),
        (["--answers", "."], "--answers . is a directory: name a file."),
    ],
)
def test_what_cannot_work_is_said_first(run: Callable[..., Result], arguments: list[str], message: str) -> None:
    """Before anything is asked, in one line."""
    result = run("--sandbox", *arguments)
    assert (result.code, result.err) == (2, f"Error: {message}\n")


def test_what_came_is_kept_when_the_walk_is_interrupted(
    at_home: SandboxServer, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After Ctrl-C the file holds the rows that were asked."""

    def interrupted(*arguments: Any, **options: Any) -> Any:
        for number, finding in enumerate(verify(*arguments, **options)):
            if number == 3:
                raise KeyboardInterrupt
            yield finding

    monkeypatch.setattr(command, "verify", interrupted)
    file = tmp_path / "answers.json"
    assert run("--answers", str(file)).code == 130
    assert [row["name"] for row in json.loads(file.read_text(encoding="ascii"))["rows"]] == [
        *("unauthorized", "models", "models-created")
    ]


def test_a_person_sees_a_table(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a table with a summary below."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = run("--sandbox").out
    assert "What came, or why nothing was asked" in out
    assert "7 as the sandbox, 31 not asked; 0 pictures asked for." in out


def test_the_bases_are_explained(run: Callable[..., Result], capsys: pytest.CaptureFixture[str]) -> None:
    """Under both tables, where no program reads it, and in both helps."""
    legend = "Basis: DOC an official page, REC a recorded answer, CODE a client's code, INF inferred, choice nothing is"
    assert run("--sandbox").err.startswith(legend)
    assert legend in " ".join(run("--help").out.split())
    assert app.run(["sandbox", "--explain"]) == 0
    assert capsys.readouterr().err.startswith(legend)
    app.run(["sandbox", "--help"])
    assert legend in " ".join(capsys.readouterr().out.split())


def test_a_wrong_command_line_prints_no_document_beside_a_file(run: Callable[..., Result]) -> None:
    """Standard output has a document only with `--json`."""
    assert run("--answers", "answers.json", "--nonsense").out == ""
    assert json.loads(run("--json", "--nonsense").out)["error"]["type"] == "UsageError"


def test_its_help_loads_nothing_heavy() -> None:
    """`verify --help` loads none of openai, Pillow and pydantic; rich is loaded by old versions of Typer."""
    script = (
        "import sys; from ionos_openai.cli.app import run; run(['verify', '--help']); "
        "print(sorted({'openai', 'PIL', 'pydantic', 'httpx', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
