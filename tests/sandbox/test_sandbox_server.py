"""The sandbox over HTTP: every row of its table, faults of the connection, limits, load and hostile input."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from ionos_openai import create_async_client, create_client, decode_images
from ionos_openai.cli import app
from ionos_openai.cli.sandbox import read_models
from ionos_openai.errors import ConfigurationError
from ionos_openai.sandbox import Sandbox, SandboxRequest, SandboxServer
from ionos_openai.sandbox.behaviours import BEHAVIOURS
from ionos_openai.sandbox.chat import CHAT_ANSWER, COMPLETION
from ionos_openai.sandbox.faults import FAULT_NAMES
from tests.sandbox.test_sandbox import BACKEND_FAILURE, FLUX1, FLUX2, UNAUTHORIZED, form, png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ0ZXN0In0.c2lnbmF0dXJl"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
BGE = "BAAI/bge-m3"


class Reply:
    """An answer as it came over the wire."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)

    def code(self) -> tuple[int, str]:
        (message,) = self.json()["messages"]
        assert re.fullmatch(r"[0-9a-f]{32}", self.headers["x-trace-id"])
        return self.status, message["errorCode"]

    def picture(self) -> Image.Image:
        assert self.status == 200, self.body[:200]
        image = Image.open(io.BytesIO(base64.b64decode(self.json()["data"][0]["b64_json"], validate=True)))
        image.load()
        return image


class Asker:
    """Asks one server, each time on a connection of its own."""

    def __init__(self, server: SandboxServer, token: str | None = "sandbox", timeout: float = 20) -> None:
        self.server, self.token, self.timeout = server, token, timeout

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=self.timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, names, answer.read())
        finally:
            connection.close()

    def image(self, model: str = FLUX2, /, **parameters: object) -> Reply:
        body = {"model": model, "prompt": "a fox", "size": "64x64"} | parameters
        return self("POST", "/v1/images/generations", {name: one for name, one in body.items() if one is not None})

    def edit(self, *parts: tuple[str, str | bytes]) -> Reply:
        body, content_type = form(*parts)
        return self("POST", "/v1/images/edits", body, content_type=content_type)


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxServer]:
    """A server without limits, for tests that leave nothing behind."""
    with SandboxServer(Sandbox(time_scale=100)) as server:
        yield server


@pytest.fixture
def ask(shared: SandboxServer) -> Asker:
    """Ask the shared server."""
    return Asker(shared)


# The table, row by row, over HTTP. Each check takes a server without limits and one that counts the documented ones.


def _unauthorized(ask: Asker) -> None:
    reply = Asker(ask.server, None)("GET", "/v1/models")
    assert (reply.status, reply.json()) == (401, UNAUTHORIZED)
    assert re.fullmatch(r"[0-9a-f]{32}", reply.headers["x-trace-id"])


def _models(ask: Asker) -> None:
    answer = ask("GET", "/v1/models").json()
    assert (answer["object"], len(answer["data"])) == ("list", 20)
    assert {tuple(entry) for entry in answer["data"]} == {("id", "object", "created", "owned_by")}
    assert {entry["owned_by"] for entry in answer["data"]} == {"unknown"}


def _models_created(ask: Asker) -> None:
    assert abs(ask("GET", "/v1/models").json()["data"][0]["created"] - time.time()) < 60


def _image_answer(ask: Asker) -> None:
    for parameters in ({}, {"response_format": "url"}):
        answer = ask.image(**parameters).json()
        assert list(answer) == ["data", "usage"]
        assert list(answer["data"][0]) == ["b64_json"]
        assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _jpeg(ask: Asker) -> None:
    picture = ask.image(FLUX1, size="1024x1024").picture()
    assert (picture.format, picture.size, picture.info["jfif_version"]) == ("JPEG", (1024, 1024), (1, 1))


def _other_formats(ask: Asker) -> None:
    assert ask.image().picture().format == "JPEG"


def _required(ask: Asker) -> None:
    assert ask.image(prompt=None).code() == (400, "sandbox-required")
    assert Asker.image(ask, None).code() == (400, "sandbox-required")  # type: ignore[arg-type]  # left out


def _n(ask: Asker) -> None:
    assert ask.image(n=2).code() == (400, "sandbox-n")


def _size(ask: Asker) -> None:
    assert ask.image(size="wide").code() == (400, "sandbox-size")
    assert ask.image(size="64*96").picture().size == (64, 96)
    assert ask.image(FLUX1, size=None).picture().size == (1024, 1024)


def _other_sizes(ask: Asker) -> None:
    assert ask.image(FLUX1, size="512x512").code() == (400, "sandbox-other-sizes")
    with SandboxServer(Sandbox(sizes="any")) as server:
        assert Asker(server).image(FLUX1, size="512x512").picture().size == (512, 512)


def _client_size_rule(ask: Asker) -> None:
    assert ask.image(size="65x50").picture().size == (65, 50)


def _size_limit(ask: Asker) -> None:
    assert ask.image(size="4112x64").code() == (400, "sandbox-size-limit")


def _unknown_model(ask: Asker) -> None:
    reply = ask.image("nobody/nothing")
    assert (reply.status, reply.body) == (400, b"")


def _ignored_parameters(ask: Asker) -> None:
    more = {"seed": 1, "quality": "hd", "user": "x", "output_format": "png"}
    with SandboxServer() as server, SandboxServer() as other:
        assert Asker(server).image(**more).picture() == Asker(other).image().picture()


def _stream(ask: Asker) -> None:
    assert ask.image(stream=True).code() == (400, "sandbox-stream")
    parts = (("model", FLUX2), ("prompt", "x"), ("image", png(8, 8)))
    assert ask.edit(*parts, ("stream", "true")).code() == (400, "sandbox-stream")
    assert ask.edit(*parts, ("stream", "false")).status == ask.image(stream=False).status == 200


def _equal_requests(ask: Asker) -> None:
    takes = []
    for _ in range(2):
        with SandboxServer() as server:
            takes.append([Asker(server).image().body for _ in range(3)])
    assert takes[0] == takes[1]
    assert len(set(takes[0])) == 3


def _edits(ask: Asker) -> None:
    parts = (("model", FLUX2), ("prompt", "x"), ("image[]", png(128, 96)), ("mask", png(8, 8)))
    reply = ask.edit(*parts)
    assert reply.picture().size == (128, 96)
    assert list(reply.json()) == ["data"]


def _cannot_edit(ask: Asker) -> None:
    assert ask.edit(("model", FLUX1), ("prompt", "x"), ("image", png(8, 8))).code() == (400, "sandbox-cannot-edit")


def _error_shape(ask: Asker) -> None:
    reply = ask.image(n=2)
    text, code = "n can only be 1", "sandbox-n"
    error = {"message": text, "type": "invalid_request_error", "code": code, "param": None}
    assert reply.json() == {"httpStatus": 400, "messages": [{"errorCode": code, "message": text}], "error": error}
    assert reply.headers["x-sandbox-reason"] == text


def _malformed(ask: Asker) -> None:
    assert ask("POST", "/v1/images/generations", b"{").code() == (400, "sandbox-malformed")
    multipart = "multipart/form-data; boundary=x"
    assert ask("POST", "/v1/images/edits", b"x", content_type=multipart).code() == (400, "sandbox-malformed")


def _unknown_path(ask: Asker) -> None:
    assert ask("GET", "/v1/nowhere").code() == (404, "sandbox-unknown-path")
    assert ask("GET", "/v1/models/").code() == (404, "sandbox-unknown-path")
    assert (ask("HEAD", "/v1/models").status, ask("HEAD", "/v1/models").body) == (200, b"")
    assert ask("GET", "/v1/images/edits").code() == (405, "sandbox-unknown-path")


def _unknown_fault(ask: Asker) -> None:
    assert ask("GET", "/v1/models", x_sandbox_fault="nonsense").code() == (400, "sandbox-unknown-fault")


def _rate_limit(ask: Asker) -> None:
    reply = ask("GET", "/v1/models", x_sandbox_fault="rate-limit")
    assert (reply.code(), reply.headers["retry-after"]) == ((429, "sandbox-rate-limit"), "1")


def _image_limit(ask: Asker) -> None:
    with SandboxServer(Sandbox(limits="10:20", clock=lambda: 1000.0)) as server:
        limited = Asker(server)
        assert [limited.image().status for _ in range(20)] == [200] * 20
        reply = limited.image()
        assert (reply.code(), reply.headers["retry-after"]) == ((429, "sandbox-rate-limit"), "6")
        assert limited("GET", "/v1/models").status == 200


def _request_limit(ask: Asker) -> None:
    with SandboxServer(Sandbox(limits="documented", clock=lambda: 1000.0)) as server:
        limited = Asker(server)
        assert [limited("GET", "/v1/models").status for _ in range(10)] == [200] * 10
        assert limited("GET", "/v1/models").code() == (429, "sandbox-rate-limit")
        assert Asker(server, "another")("GET", "/v1/models").status == 200


def _server_error(ask: Asker) -> None:
    reply = ask("GET", "/v1/models", x_sandbox_fault="server-error")
    assert (reply.status, reply.json()) == (500, BACKEND_FAILURE)
    error = {"httpStatus": 500, "message": "Network error: the model that makes images did not answer"}
    reply = ask("POST", "/v1/images/generations", b"", x_sandbox_fault="server-error")
    assert (reply.status, reply.json()) == (500, {"error": error})


def _chat(ask: Asker) -> None:
    body = {"model": LLAMA, "messages": [{"role": "user", "content": "hi there"}]}
    answer = ask("POST", "/v1/chat/completions", body).json()
    message = {"role": "assistant", "content": CHAT_ANSWER}
    assert answer["choices"] == [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    assert answer["usage"]["prompt_tokens"] == 2
    stream = ask("POST", "/v1/chat/completions", body | {"stream": True, "stream_options": {"include_usage": True}})
    assert stream.headers["content-type"].startswith("text/event-stream")
    *events, done = [line.removeprefix("data: ") for line in stream.body.decode().split("\n\n") if line]
    assert done == "[DONE]"
    chunks = [json.loads(event) for event in events]
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
    assert (said, chunks[-1]["usage"]) == (CHAT_ANSWER, answer["usage"])
    assert ask("POST", "/v1/chat/completions", {"model": LLAMA}).code() == (400, "sandbox-chat")
    assert ask("POST", "/v1/chat/completions", body | {"model": FLUX1}).status == 400


def asking_chat(ask: Asker, **values: object) -> Reply:
    return ask(
        "POST", "/v1/chat/completions", {"model": LLAMA, "messages": [{"role": "user", "content": "hi"}]} | values
    )


def _chat_limits(ask: Asker) -> None:
    answer = asking_chat(ask, n=2, max_completion_tokens=2, stop=["zzz"]).json()
    expected = [("PLACEHOLDER: this", "length")] * 2
    assert [(one["message"]["content"], one["finish_reason"]) for one in answer["choices"]] == expected
    assert asking_chat(ask, n="2").code() == (400, "sandbox-chat-limits")


def _structured(ask: Asker) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}
    (choice,) = asking_chat(ask, response_format=wanted).json()["choices"]
    assert choice["message"]["content"] == "[]"
    wanted["json_schema"] = {"schema": {"if": {}}}
    assert asking_chat(ask, response_format=wanted).code() == (400, "sandbox-structured")


def _tools(ask: Asker) -> None:
    tools = [{"type": "function", "function": {"name": "see", "parameters": {"type": "object"}}}]
    (choice,) = asking_chat(ask, tools=tools, tool_choice="required").json()["choices"]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "see", "arguments": "{}"}
    assert asking_chat(ask, tools=tools, tool_choice="auto").json()["choices"][0]["finish_reason"] == "stop"
    assert asking_chat(ask, tool_choice="required").code() == (400, "sandbox-tools")


def _image_input(ask: Asker) -> None:
    def look(data: bytes) -> Reply:
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        content = [{"type": "image_url", "image_url": {"url": url}}]
        return asking_chat(ask, messages=[{"role": "user", "content": content}])

    assert look(png(7, 9)).json()["choices"][0]["message"]["content"].endswith("a PNG of 7x9 px.")
    assert look(b"nothing").code() == (400, "sandbox-image-input")


def _undocumented(ask: Asker) -> None:
    assert asking_chat(ask, logprobs=True).code() == (400, "sandbox-undocumented")
    assert asking_chat(ask, temperature=0.5, top_k=3).status == 200


def _completions(ask: Asker) -> None:
    answer = ask("POST", "/v1/completions", {"model": LLAMA, "prompt": "hi there"}).json()
    assert (answer["object"], answer["choices"][0]["text"]) == ("text_completion", COMPLETION)
    assert ask("POST", "/v1/completions", {"model": LLAMA}).code() == (400, "sandbox-completions")


def _browsers(ask: Asker) -> None:
    asked = {"origin": "http://x", "access_control_request_method": "POST"}
    assert ask("OPTIONS", "/v1/models", **asked).status == 405
    assert "access-control-allow-origin" not in ask("GET", "/v1/models").headers
    assert ask("GET", "/sandbox/stats").headers["access-control-allow-origin"] == "*"
    with SandboxServer(Sandbox(cors=True)) as server:
        assert Asker(server, None)("OPTIONS", "/v1/models", **asked).status == 204
        assert Asker(server, None)("GET", "/v1/models").headers["access-control-allow-origin"] == "*"


def _embeddings(ask: Asker) -> None:
    body = {"model": BGE, "input": ["a fox", "a fox", "a hen", [1, 2]], "encoding_format": "float"}
    data = ask("POST", "/v1/embeddings", body).json()["data"]
    first, second, third, _tokens = (entry["embedding"] for entry in data)
    assert first == second != third
    assert (len(first), round(sum(one * one for one in first), 3)) == (1024, 1.0)
    for wrong in (None, [], "", [""], [1, "x"], {}):
        refused = ask("POST", "/v1/embeddings", {"model": BGE, "input": wrong})
        assert refused.code() == (400, "sandbox-embeddings"), wrong


def _embeddings_base64(ask: Asker) -> None:
    reply = ask("POST", "/v1/embeddings", {"model": BGE, "input": "x", "encoding_format": "base64"})
    assert (reply.status, reply.json()) == (500, BACKEND_FAILURE)
    assert "encoding_format=float" in reply.headers["x-sandbox-reason"]
    with SandboxServer(Sandbox(embeddings_base64="answer")) as server, plain(server) as client:
        floats = client.embeddings.create(model=BGE, input="a", encoding_format="float").data[0].embedding
        assert client.embeddings.create(model=BGE, input="a").data[0].embedding == pytest.approx(floats)


def _expired(ask: Asker) -> None:
    reply = ask("GET", "/v1/models", x_sandbox_fault="expired")
    assert (reply.status, reply.json()) == (401, UNAUTHORIZED)


def _reports(ask: Asker) -> None:
    with SandboxServer() as server:
        anybody, known = Asker(server, None), Asker(server, TOKEN)
        assert anybody("GET", "/sandbox/health").json() == {"status": "ok", "sandbox": True, "pid": os.getpid()}
        known.image(user=TOKEN)
        known("GET", f"/v1/{TOKEN}", x_sandbox_fault="server-error")
        (first, second) = anybody("GET", "/sandbox/requests").json()["requests"]
        assert (first["path"], first["token"], first["body"]["user"]) == (
            "/v1/images/generations",
            "token 1",
            "<token>",
        )
        assert (first["status"], first["reason"], first["fault"]) == (200, "", "")
        assert (second["path"], second["status"], second["fault"]) == ("/v1/<token>", 500, "server-error")
        assert b"ionos-openai sandbox" in anybody("GET", "/").body
        stats = anybody("GET", "/sandbox/stats").json()
        del stats["since"]
        assert stats == {
            "requests": 2,
            "images": 1,
            "by_path": {"/v1/images/generations": 1, "other": 1},
            "by_status": {"200": 1, "500": 1},
            "by_token": {"token 1": 2},
            "by_fault": {"server-error": 1},
        }
        assert anybody("DELETE", "/sandbox/requests").json() == {"status": "cleared"}
        assert anybody("GET", "/sandbox/requests").json() == {"requests": []}
        assert anybody("GET", "/sandbox/stats").json()["requests"] == 0
        assert anybody("POST", "/sandbox/health").code() == (405, "sandbox-reports")
        assert anybody("GET", "/sandbox/other").code() == (404, "sandbox-reports")


CHECKS: dict[str, Callable[[Asker], None]] = {
    "unauthorized": _unauthorized,
    "models": _models,
    "models-created": _models_created,
    "image-answer": _image_answer,
    "jpeg": _jpeg,
    "other-formats": _other_formats,
    "required": _required,
    "n": _n,
    "size": _size,
    "other-sizes": _other_sizes,
    "client-size-rule": _client_size_rule,
    "size-limit": _size_limit,
    "unknown-model": _unknown_model,
    "ignored-parameters": _ignored_parameters,
    "stream": _stream,
    "equal-requests": _equal_requests,
    "edits": _edits,
    "cannot-edit": _cannot_edit,
    "error-shape": _error_shape,
    "malformed": _malformed,
    "unknown-path": _unknown_path,
    "unknown-fault": _unknown_fault,
    "rate-limit": _rate_limit,
    "image-limit": _image_limit,
    "request-limit": _request_limit,
    "server-error": _server_error,
    "chat": _chat,
    "chat-limits": _chat_limits,
    "structured": _structured,
    "tools": _tools,
    "image-input": _image_input,
    "undocumented": _undocumented,
    "completions": _completions,
    "embeddings": _embeddings,
    "embeddings-base64": _embeddings_base64,
    "browsers": _browsers,
    "expired": _expired,
    "reports": _reports,
}


@pytest.mark.parametrize("name", [behaviour.name for behaviour in BEHAVIOURS])
def test_every_row_of_the_table_holds(name: str, ask: Asker) -> None:
    """The server does what its table says, row by row."""
    CHECKS[name](ask)


def test_no_row_is_checked_that_is_not_told() -> None:
    """The checks and the table are about the same rows."""
    assert set(CHECKS) == {behaviour.name for behaviour in BEHAVIOURS}


# Faults of the connection, over HTTP and in process alike.


def plain(server: SandboxServer, **options: Any) -> openai.OpenAI:
    """Return the SDK's own client."""
    return openai.OpenAI(base_url=server.base_url, api_key=server.token, max_retries=0, **options)


@pytest.fixture(params=["http", "in process"])
def faulty(request: pytest.FixtureRequest) -> Iterator[tuple[openai.OpenAI, Sandbox]]:
    """A client that waits for half a second, and its sandbox, whose slow bodies pause for one."""
    sandbox = Sandbox(time_scale=10)
    if request.param == "http":
        with SandboxServer(sandbox) as server, plain(server, timeout=0.5) as client:
            yield client, sandbox
    else:
        with create_client(sandbox=sandbox, timeout=0.5, max_retries=0) as client:
            yield client, sandbox


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("timeout", openai.APITimeoutError),
        ("slow-body", openai.APITimeoutError),
        ("cut-body", openai.APIConnectionError),
    ],
)
def test_faults_of_the_connection(
    faulty: tuple[openai.OpenAI, Sandbox], fault: str, expected: type[openai.APIConnectionError]
) -> None:
    """An answer that never comes, pauses or is cut short ends in the SDK's own exceptions; the next one is whole."""
    client, sandbox = faulty
    sandbox.fault(fault)
    with pytest.raises(openai.APIConnectionError) as caught:
        client.models.list()
    assert type(caught.value) is expected
    if fault == "cut-body":
        assert "peer closed connection" in str(caught.value.__cause__)
    assert len(client.models.list().data) == 20


def test_a_patient_client_gets_a_slow_body(shared: SandboxServer) -> None:
    """A slow body comes whole to whoever waits, over HTTP and in process."""
    slow = {"x-sandbox-fault": "slow-body"}
    with plain(shared, timeout=10) as client, create_client(sandbox=shared.sandbox) as ours:
        assert len(client.models.list(extra_headers=slow).data) == 20
        assert len(ours.models.list(extra_headers=slow).data) == 20


async def test_faults_of_the_connection_with_an_async_client() -> None:
    """The async client meets the same in process."""
    sandbox = Sandbox()
    sandbox.fault("cut-body")
    sandbox.fault("timeout")
    async with create_async_client(sandbox=sandbox, max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.models.list()
        with pytest.raises(openai.APITimeoutError):
            await client.models.list()


def test_latency_can_end_in_a_timeout_in_process() -> None:
    """A sandbox that is slower than the client is patient times out at once."""
    with create_client(sandbox=Sandbox(latency=30), timeout=20, max_retries=0) as client:
        started = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            client.models.list()
        assert time.monotonic() - started < 5


# Real clients in Python.


def test_the_plain_sdk_is_at_home(shared: SandboxServer) -> None:
    """The SDK's own client makes, edits, chats, streams and embeds, with nothing changed but the address."""
    with plain(shared) as client:
        made = client.images.generate(model=FLUX2, prompt="a fox", size="64x64")  # type: ignore[call-overload]
        assert decode_images(made)[0].sandbox
        edited = client.images.edit(image=png(64, 64), model=FLUX2, prompt="a hat")
        assert decode_images(edited)[0].width == 64
        messages: list[Any] = [{"role": "user", "content": "hi"}]
        assert client.chat.completions.create(model=LLAMA, messages=messages).choices[0].message.content == CHAT_ANSWER
        stream = client.chat.completions.create(model=LLAMA, messages=messages, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == CHAT_ANSWER
        vectors = client.embeddings.create(model=BGE, input=["a", "b"], encoding_format="float").data
        assert [len(one.embedding) for one in vectors] == [1024, 1024]
        with pytest.raises(openai.InternalServerError, match="cannot unmarshal string"):
            client.embeddings.create(model=BGE, input="a", encoding_format="base64")
        with pytest.raises(openai.AuthenticationError):
            client.models.list(extra_headers={"x-sandbox-fault": "unauthorized"})


def test_the_plain_sdk_waits_after_a_429() -> None:
    """A refused request is made again, and comes through once the bucket has filled."""
    with SandboxServer(Sandbox(limits="60:1", time_scale=4)) as server:
        with openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=5) as client:
            for number in range(2):
                made = client.images.generate(model=FLUX2, prompt=f"{number}", size="64x64")  # type: ignore[call-overload]
                assert decode_images(made)
        statuses = Asker(server)("GET", "/sandbox/stats").json()["by_status"]
    assert statuses["200"] == 2
    assert statuses["429"] >= 1


def test_our_client_takes_the_printed_lines(shared: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two variables that the command prints are all that a program of ours needs."""
    monkeypatch.setenv("IONOS_BASE_URL", shared.base_url)
    monkeypatch.setenv("IONOS_API_TOKEN", "sandbox")
    with create_client() as client:
        assert len(client.models.list().data) == 20
        # The SDK's default, base64, is asked as floats.
        assert len(client.embeddings.create(model=BGE, input="x").data[0].embedding) == 1024


def test_events_come_one_by_one(shared: SandboxServer) -> None:
    """A stream is sent event by event, in chunks, and not as one body."""
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=10)
    body = json.dumps({"model": LLAMA, "stream": True, "messages": [{"role": "user", "content": "x"}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer x"})
    answer = connection.getresponse()
    assert answer.getheader("transfer-encoding") == "chunked"
    assert answer.readline().startswith(b'data: {"id":"chatcmpl-sandbox-')
    answer.read()
    connection.close()


# Load.


@pytest.mark.slow
def test_many_at_a_time_wait_together() -> None:
    """64 requests at a time, each taking 2 s, are done in under 3 s."""
    with SandboxServer(Sandbox(latency=2)) as server, ThreadPoolExecutor(64) as pool:
        ask = Asker(server)
        started = time.monotonic()
        replies = list(pool.map(lambda _: ask.image(), range(64)))
        assert time.monotonic() - started < 3
    assert {reply.status for reply in replies} == {200}


def test_drawing_holds_up_nobody(shared: SandboxServer) -> None:
    """While large pictures are drawn, a question for the health is answered."""
    ask, done = Asker(shared), threading.Event()

    def draw() -> None:
        ask.image(size="2048x2048")
        done.set()

    thread = threading.Thread(target=draw)
    thread.start()
    answered = 0
    while not done.is_set():
        answered += ask("GET", "/sandbox/health").status == 200
    thread.join()
    assert answered >= 5


@pytest.mark.slow
def test_memory_stays_flat(shared: SandboxServer) -> None:
    """Once the record is full, further requests leave nothing behind, whoever asks for whatever, pictures included."""
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=10)
    path = "/v1/images/generations"

    def picture(number: int) -> bytes:
        return json.dumps({"model": FLUX2, "prompt": f"fox {number % 20}", "size": "64x64"}).encode()

    def burst(first: int, last: int) -> int:
        for number in range(first, last):
            headers = {"authorization": f"Bearer token-number-{number}"}
            connection.request("GET", f"/v1/{number}", headers=headers)
            connection.getresponse().read()
            connection.request("POST", path, picture(number), headers)
            assert connection.getresponse().read().startswith(b'{"data"')
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for number in range(1100):
            headers = {"authorization": f"Bearer early-number-{number}"}
            shared.sandbox.respond(SandboxRequest(method="POST", path=path, headers=headers, body=picture(number)))
        before = burst(0, 200)
        after = burst(200, 600)
    finally:
        tracemalloc.stop()
        connection.close()
    assert after - before < 200_000


@pytest.mark.slow
def test_what_nobody_waits_for_is_not_drawn() -> None:
    """Whoever comes behind 40 large requests that were dropped does not wait until they are drawn."""
    with SandboxServer() as server:
        for number in range(40):
            body = json.dumps({"model": FLUX2, "prompt": f"{number}", "size": "2048x2048"}).encode()
            head = "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
            head += f"Content-Length: {len(body)}"
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(head.encode() + b"\r\n\r\n" + body)
        assert Asker(server).image().status == 200
        assert len(server.sandbox.requests) < 15


# Hostile input.

PATHS = ["models", "images/generations", "images/edits", "chat/completions", "completions", "embeddings"]
WORDS = st.sampled_from(
    [FLUX2, LLAMA, BGE, "16x16", "0x0", "1x0", "-1x5", 1, True, None, "float", "base64", [], {}, [{"role": "user"}]]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    [
        "model",
        "prompt",
        "size",
        "input",
        "messages",
        "stream",
        "encoding_format",
        "n",
        "stop",
        "max_tokens",
        "tools",
        "tool_choice",
        "response_format",
    ]
)
BODIES = (
    st.dictionaries(FIELDS, WORDS | JSON, max_size=6).map(lambda body: json.dumps({"size": "16x16"} | body).encode())
    | st.binary(max_size=100)
    | st.none()
)
TYPES = st.sampled_from(["application/json", "multipart/form-data; boundary=xyz", "text/plain", "multipart/mixed;;="])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    path=st.sampled_from(
        [f"/v1/{path}" for path in PATHS] + ["/sandbox/requests", "/sandbox/stats", "/", "/v1/%ff%00"]
    ),
    body=BODIES,
    content_type=TYPES,
    fault=st.sampled_from(["", *FAULT_NAMES, "nonsense"]).filter(lambda name: name not in ("timeout", "cut-body")),
)
def test_whatever_comes_is_answered(
    shared: SandboxServer, method: str, path: str, body: bytes | None, content_type: str, fault: str
) -> None:
    """No request hangs, ends in a 500 that was not asked for, or shows a traceback."""
    headers = {"content_type": content_type} | ({"x_sandbox_fault": fault} if fault else {})
    reply = Asker(shared, timeout=10)(method, path, body, **headers)
    asked_for = fault in ("server-error", "html-502") or (body is not None and b"base64" in body)
    assert reply.status < 500 or asked_for
    assert b"Traceback" not in reply.body
    assert b"sandbox-mistake" not in reply.body


@pytest.mark.parametrize(
    "raw",
    [
        b"GET\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\r\n\r\n\r\n",
    ],
)
def test_what_is_no_http_does_no_harm(shared: SandboxServer, raw: bytes) -> None:
    """Bytes that are no request are refused without a traceback, and the next request is served."""
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b""
    assert b"Traceback" not in answer
    assert not answer.startswith(b"HTTP/1.1 5")
    assert Asker(shared)("GET", "/sandbox/health").status == 200


def test_who_leaves_early_does_no_harm(shared: SandboxServer) -> None:
    """A client that goes away while it sends, or before it is answered, leaves the server as it was."""
    for raw in (b'{"model"', json.dumps({"model": FLUX2, "prompt": "x", "size": "512x512"}).encode().ljust(1000)):
        with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
            connection.sendall(
                b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
                b"Content-Length: 1000\r\n\r\n" + raw
            )
    assert Asker(shared)("GET", "/sandbox/health").status == 200


def test_a_body_that_is_too_large_is_refused(ask: Asker) -> None:
    """A request beyond 64 MiB is read to its end and refused."""
    assert ask("POST", "/v1/images/edits", bytes(2**26 + 2)).code() == (413, "sandbox-size-limit")


# Where nobody can listen.


def test_a_taken_port_is_named() -> None:
    """Two servers cannot have the same port."""
    with SandboxServer() as server, pytest.raises(ConfigurationError) as caught:
        SandboxServer(port=server.port)
    expected = f"127.0.0.1:{server.port} is taken: choose another port, or 0 for any that is free."
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 70000, "70000 is no port: choose one from 0 (any that is free) to 65535."),
        ("no.invalid", 0, "'no.invalid' is no address of this machine: choose one such as 127.0.0.1 or 0.0.0.0."),
    ],
)
def test_addresses_that_cannot_work(host: str, port: int, message: str) -> None:
    """An address that is none is named with what to choose."""
    with pytest.raises(ConfigurationError) as caught:
        SandboxServer(host=host, port=port)
    assert str(caught.value) == message


def test_a_port_without_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that needs rights says so."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigurationError) as caught:
        SandboxServer(port=80)
    expected = "127.0.0.1:80 needs rights that this process does not have: choose a port above 1023."
    assert str(caught.value) == expected


def test_a_missing_server_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn, the error names the extra."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigurationError) as caught:
        SandboxServer()
    expected = "The sandbox's server needs uvicorn. Install with: pip install uvicorn"
    assert str(caught.value) == expected


def test_addresses_are_written_as_clients_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wildcard address is reached through this machine, and IPv6 stands in brackets."""
    with SandboxServer(Sandbox(token="mine"), host="0.0.0.0") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert (server.base_url, server.token) == (f"{server.url}/v1", "mine")
    server.host = "::1"
    assert server.url == f"http://[::1]:{server.port}"


def test_a_server_knows_where_it_listens() -> None:
    """Its address is the one that it listens on, however that was written; a server that never serves can be closed."""
    with closing(SandboxServer(host="0")) as server:
        assert (server.host, server.url) == ("0.0.0.0", f"http://127.0.0.1:{server.port}")
    with SandboxServer(port=server.port) as again:
        assert again.host == "127.0.0.1"


@pytest.mark.parametrize(("host", "is_open"), [("0", True), ("0.0.0.0", True), ("localhost", False)])
def test_an_open_address_is_warned_about(
    host: str, is_open: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever lets the network in is told so, however the address is written."""
    monkeypatch.setattr(SandboxServer, "run", lambda _: None)
    assert app.run(["sandbox", "--host", host, "--port", "0"]) == 0
    captured = capsys.readouterr()
    assert "export IONOS_BASE_URL=http://127.0.0.1:" in captured.out
    warning = "Warning: 0.0.0.0 lets the whole network in; 127.0.0.1 keeps to this machine.\n"
    assert captured.err == (warning if is_open else "")


def test_a_mistake_of_the_sandbox_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What went wrong and where is told on standard error, and nothing of the request."""

    def fail(*_: object) -> None:
        raise KeyError("a prompt")

    def run(server: SandboxServer) -> None:
        body = json.dumps({"model": FLUX2, "prompt": "a prompt"}).encode()
        headers = {"authorization": "Bearer x"}
        asked = SandboxRequest(method="POST", path="/v1/images/generations", headers=headers, body=body)
        assert server.sandbox.respond(asked).status == 500

    monkeypatch.setattr(Sandbox, "_generate", fail)
    monkeypatch.setattr(SandboxServer, "run", run)
    assert app.run(["sandbox", "--port", "0"]) == 0
    message = r"Warning: The sandbox failed at a request\. KeyError at test_sandbox_server\.py:\d+\.\n"
    assert re.fullmatch(message, capsys.readouterr().err)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_recorded_models_are_read_in_any_encoding(encoding: str) -> None:
    """A list that PowerShell wrote is read too, its entries as they are."""
    entry = {"id": "new/flux-9", "created": 1677610602, "owned_by": "ionos"}
    Path("models.json").write_text(json.dumps({"data": [entry]}), encoding=encoding)
    assert read_models("models.json") == [entry]


# The command.


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Start the command on a free port; return it with the variables that it prints."""
    command = [sys.executable, "-m", "ionos_openai", "sandbox", "--port", "0", *arguments]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("IONOS_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    variables = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines if line.startswith("export "))
    return process, variables


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes otherwise")
def test_the_terminal_sees_why() -> None:
    """The command prints a line a request: what was asked, what became of it and why."""
    process, variables = start("--limits", "off")
    try:
        with openai.OpenAI(base_url=variables["IONOS_BASE_URL"], api_key=TOKEN, max_retries=0) as client:
            with pytest.raises(openai.BadRequestError):
                client.images.generate(model="nobody/nothing", prompt="a secret plan")
            with pytest.raises(openai.BadRequestError) as caught:
                client.images.generate(model=FLUX2, prompt="a secret plan", n=2, size="auto")
            assert "n can only be 1" in str(caught.value)
            client.models.list()
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert errors.splitlines() == [
        "POST /v1/images/generations nobody/nothing - 400 nobody/nothing is none of the models in GET /v1/models",
        f"POST /v1/images/generations {FLUX2} auto 400 n can only be 1",
        "GET /v1/models - - 200",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no Ctrl-C to one process alone")
def test_ctrl_c_ends_the_command_at_once() -> None:
    """The command prints what to set, serves, and ends quietly with 0 on Ctrl-C; what is on its way is closed."""
    process, variables = start("--limits", "off", "--fault", "timeout", "--quiet")
    try:
        assert variables["IONOS_API_TOKEN"] == "sandbox"
        port = int(re.findall(r":(\d+)/v1", variables["IONOS_BASE_URL"])[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)  # the request has to be under way
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
            try:
                answer = connection.recv(1000)
            except ConnectionError:
                answer = b""
        assert (process.returncode, errors, answer) == (0, "", b"")
        assert time.monotonic() - started < 2
    finally:
        process.kill()


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """--explain prints each row of the table, for programs too, and serves nothing."""
    assert app.run(["sandbox", "--explain"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == list(CHECKS)
    assert {len(row) for row in rows} == {4}
    assert app.run(["sandbox", "--explain", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["behaviours"]] == list(CHECKS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limits", "x"], "Limits are 'documented', 'off' or IMAGES_PER_MINUTE:BURST such as 10:20, not 'x'."),
        (["--latency", "2-1"], "A latency is seconds such as 2, or a range such as 0.5-2, up to 3600; not '2-1'."),
        (["--fault", "timeout:2"], "A fault's rate is from 0 to 1, such as timeout:0.1, not '2'."),
        (["--fault", "x"], f"There is no fault 'x': the faults are {', '.join(FAULT_NAMES)}."),
        (["--limits", "0:5"], "Limits are 'documented', 'off' or IMAGES_PER_MINUTE:BURST such as 10:20, not '0:5'."),
        (["--time-scale", "0"], "time_scale is a number from 0.001 to 1000000, not 0.0."),
        (["--host="], "'' is no address of this machine: choose one such as 127.0.0.1 or 0.0.0.0."),
        (["--image-format", "gif"], "image_format is 'JPEG', 'PNG' or 'WEBP', not 'GIF'."),
        (["--sizes", "all"], "sizes is 'documented' or 'any', not 'all'."),
        (["--embeddings-base64", "no"], "embeddings_base64 is 'error' or 'answer', not 'no'."),
        (["--unknown-model", "x"], "unknown_model is 'empty-400' or 'not-found', not 'x'."),
        (["--port", "70000"], "70000 is no port: choose one from 0 (any that is free) to 65535."),
        (
            ["--models", "nowhere.json"],
            "--models nowhere.json cannot be read (No such file or directory): name another file.",
        ),
        (
            ["--models", "blank.json"],
            '--models blank.json is no list of models: it needs JSON such as {"data": [{"id": "MODEL"}]}, as GET '
            "/v1/models answers.",
        ),
        (
            ["--models", "bad.json"],
            '--models bad.json is no list of models: it needs JSON such as {"data": [{"id": "MODEL"}]}, as GET '
            "/v1/models answers.",
        ),
    ],
)
def test_options_that_cannot_work(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is one line that says what to write, and exit code 2."""
    Path("bad.json").write_text('{"data": [1]}', encoding="utf-8")
    Path("blank.json").write_text('{"data": [{"id": " "}]}', encoding="utf-8")
    assert app.run(["sandbox", "--port", "0", *arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"Error: {message}\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes otherwise")
def test_the_options_reach_the_server() -> None:
    """Another list of models, another format, a fixed token and limits are what the server goes by."""
    Path("models.json").write_text(json.dumps({"data": [{"id": "new/flux-9"}, {"id": BGE}]}), encoding="utf-8")
    options = ["--models", "models.json", "--image-format", "png", "--token", "mine-alone-123", "--limits", "1:1"]
    process, variables = start(*options)
    try:
        assert "IONOS_API_TOKEN" not in variables
        with openai.OpenAI(base_url=variables["IONOS_BASE_URL"], api_key="mine-alone-123", max_retries=0) as client:
            assert [model.id for model in client.models.list().data] == ["new/flux-9", BGE]
            made = client.images.generate(model="new/flux-9", prompt="x", size="64x64")  # type: ignore[call-overload]
            assert decode_images(made)[0].format == "PNG"
            with pytest.raises(openai.RateLimitError) as caught:
                client.images.generate(model="new/flux-9", prompt="x", size="64x64")  # type: ignore[call-overload]
            assert 55 <= int(caught.value.response.headers["retry-after"]) <= 60
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key="another").models.list()
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM
