"""A client from the factory and a plain one do the same, each against the same answers of a loopback server."""

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import BaseModel

from ionos_openai import create_async_client, create_client
from tests.loopback import MODEL_LIST, Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.loopback import LoopbackServer

TOKEN = make_token()
SOON = {"retry-after-ms": "1", "x-request-id": "req-1"}
USER = [{"role": "user", "content": "hi"}]
MESSAGE = {"role": "assistant", "content": '{"colour": "red"}'}
CHAT = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
CALLED = {"id": "t", "type": "function", "function": {"name": "draw", "arguments": '{"what": "a fox"}'}}
TOOLS = [{"type": "function", "function": {"name": "draw", "parameters": {"type": "object", "properties": {}}}}]
CHUNKS = [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    for choice in (
        {"index": 0, "delta": {"role": "assistant", "content": "he"}, "finish_reason": None},
        {"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"},
    )
]
FILE = {
    "id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a", "purpose": "batch",
    "status": "processed",
}  # fmt: skip
ERROR = {"error": {"message": "no", "type": "invalid_request_error", "param": "model", "code": "nope"}}
TEXT = {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": []}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
PICTURE = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": None}


class Fox(BaseModel):
    """What a chat is parsed into."""

    colour: str


def stream(*events: object, end: str = "data: [DONE]\n\n") -> Answer:
    """Return server-sent events."""
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end
    return Answer(body=body.encode(), headers={"Content-Type": "text/event-stream"})


def parse(client: Any) -> Any:
    """Parse a chat, which stood under `beta` before openai 1.92."""
    completions = client.chat.completions
    completions = completions if hasattr(completions, "parse") else client.beta.chat.completions
    return completions.parse(model="m", messages=USER, response_format=Fox).choices[0].message.parsed


def chat(client: Any, **further: Any) -> Any:
    """Ask for a chat."""
    return client.chat.completions.create(model="m", messages=USER, **further)


def streamed_bytes(client: Any) -> Any:
    """Read an answer in pieces."""
    with client.chat.completions.with_streaming_response.create(model="m", messages=USER) as response:
        return response.status_code, b"".join(response.iter_bytes())


def left_early(client: Any) -> Any:
    """Leave a stream after its first event."""
    with chat(client, stream=True) as events:
        return next(iter(events))


def raw(client: Any) -> Any:
    """Look at an answer's headers and number of retries, then parse it."""
    response = client.chat.completions.with_raw_response.create(model="m", messages=USER)
    return response.headers["x-request-id"], response.http_request.method, response.retries_taken, response.parse()


def silence(client: Any) -> Any:
    """Ask a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/v1"
        return client.with_options(base_url=url, timeout=0.05, max_retries=1).models.list()


def nobody(client: Any) -> Any:
    """Ask a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    return client.copy(base_url=f"http://127.0.0.1:{port}/v1", max_retries=0).models.list()


def page(*files: str, more: bool) -> Answer:
    """Return one page of files."""
    return Answer(body={"object": "list", "data": [{**FILE, "id": name} for name in files], "has_more": more})


DOWN, GOOD = Answer(500, ERROR, SOON), Answer(body=CHAT, headers=SOON)
EXTRAS = {"extra_headers": {"X-A": "b"}, "extra_query": {"q": "1"}, "extra_body": {"more": [1]}}
SCENARIOS: dict[str, tuple[Callable[[Any], Any], list[Answer]]] = {
    "chat": (chat, [GOOD]),
    "a chat with tools": (
        lambda client: chat(client, tools=TOOLS).choices[0].message.tool_calls,
        [Answer(body={**CHAT, "choices": [{"index": 0, "message": {**MESSAGE, "tool_calls": [CALLED]}}]})],
    ),
    "a streamed chat": (lambda client: list(chat(client, stream=True)), [stream(*CHUNKS)]),
    "a stream that is left early": (left_early, [stream(*CHUNKS)]),
    "a stream without its end": (lambda client: list(chat(client, stream=True)), [stream(*CHUNKS, end="")]),
    "an error in a stream": (lambda client: list(chat(client, stream=True)), [stream(CHUNKS[0], ERROR)]),
    "a parsed chat": (parse, [GOOD]),
    "a parsed chat that does not fit": (
        parse, [Answer(body={**CHAT, "choices": [{"index": 0, "message": {**MESSAGE, "content": "{}"}}]})]
    ),
    "a raw answer": (raw, [GOOD]),
    "a raw answer after a retry": (raw, [DOWN, GOOD]),
    "a raw stream": (
        lambda client: list(
            client.chat.completions.with_raw_response.create(model="m", messages=USER, stream=True).parse()
        ),
        [stream(*CHUNKS)],
    ),
    "an answer in pieces": (streamed_bytes, [GOOD]),
    "a completion": (lambda client: client.completions.create(model="m", prompt="a"), [Answer(body=TEXT)]),
    "a streamed completion": (
        lambda client: list(client.completions.create(model="m", prompt="a", stream=True)), [stream(TEXT, TEXT)]
    ),
    "embeddings": (
        lambda client: client.embeddings.create(model="m", input=["a"], encoding_format="float"),
        [Answer(body={"object": "list", "model": "m", "data": [VECTOR]})],
    ),
    "models": (lambda client: client.models.list(), [Answer(body=MODEL_LIST)]),
    "models, iterated over": (lambda client: list(client.models.list()), [Answer(body=MODEL_LIST)]),
    "one model": (lambda client: client.models.retrieve("m"), [Answer(body=MODEL_LIST["data"][0])]),
    "an upload": (
        lambda client: client.files.create(file=("a.jsonl", io.BytesIO(b"{}")), purpose="batch"), [Answer(body=FILE)]
    ),
    "an upload after a retry": (
        lambda client: client.files.create(file=("a.jsonl", b"{}"), purpose="batch"), [DOWN, Answer(body=FILE)]
    ),
    "pages": (
        lambda client: list(client.files.list()),
        [page("a", "b", more=True), page("c", more=True), page(more=False)],  # the empty one ends it on every version
    ),
    "a file's content": (lambda client: client.files.content("f").read(), [Answer(body=b"\x00\x01")]),
    "deleting": (
        lambda client: client.files.delete("f"), [Answer(body={"id": "f", "object": "file", "deleted": True})]
    ),
    "a path of one's own": (lambda client: client.get("/own", cast_to=object), [Answer(body={"a": [1]})]),
    "a body of one's own": (lambda client: client.post("/own", cast_to=object, body={"b": 1}), [Answer(body={})]),
    "extra headers, query and body": (lambda client: chat(client, **EXTRAS), [GOOD]),
    "a picture": (
        lambda client: client.images.generate(model="vendor/new", prompt="a fox", size="640x480").data,
        [Answer(body=PICTURE)],
    ),
    "retries": (chat, [DOWN, Answer(408, {}, SOON), GOOD]),
    "retries that are used up": (chat, [DOWN] * 3),
    "no retries": (lambda client: chat(client.with_options(max_retries=0)), [DOWN]),
    "a 429": (chat, [Answer(429, ERROR, SOON), GOOD]),
    "no retry by the server's word": (chat, [Answer(500, ERROR, {**SOON, "x-should-retry": "false"})]),
    "a retry by the server's word": (chat, [Answer(400, ERROR, {**SOON, "x-should-retry": "true"}), GOOD]),
    **{f"a {status}": (chat, [Answer(status, ERROR, SOON)]) for status in (400, 401, 403, 404, 422)},
    "a conflict": (chat, [Answer(409, ERROR, SOON)] * 3),
    "silence": (silence, []),
    "nobody there": (nobody, []),
    "a copy with a header": (lambda client: chat(client.copy(default_headers={"X-A": "b"})), [GOOD]),
    "a copy with a query": (lambda client: chat(client.with_options(default_query={"a": "1"})), [GOOD]),
    "a copy with both replaced": (
        lambda client: chat(client.copy(set_default_headers={"X-A": "b"}, set_default_query={"a": "1"})), [GOOD]
    ),
    "a copy of a copy": (lambda client: client.copy(timeout=7).copy(max_retries=9).timeout, []),
    "an argument too many": (lambda client: client.copy(nonsense=1), []),
}  # fmt: skip


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returned, or what can be told of its exception besides the words."""
    try:
        return said(call())
    except (openai.OpenAIError, TypeError, ValueError) as error:
        names = ("status_code", "code", "param", "type", "body", "request_id")
        return type(error).__name__, *(getattr(error, name, None) for name in names)


def said(value: Any) -> Any:
    """Return a result as it can be compared."""
    if isinstance(value, (list, tuple)):
        return [said(item) for item in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def sent(server: LoopbackServer) -> Iterator[tuple[object, ...]]:
    """Yield what is the same in every request that means the same, and forget the requests."""
    for request in server.requests:
        names = set(request.headers) - {"user-agent", "host"}  # the first has the class's name
        headers = {name: request.headers[name] for name in names}
        _, found, boundary = headers.get("content-type", "").partition("boundary=")
        body = request.body.replace(boundary.encode(), b"-") if found else request.body
        headers["content-type"] = headers.get("content-type", "").replace(boundary, "-") if found else ""
        yield request.method, request.path, headers, body
    server.requests.clear()


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_clients_send_and_return_the_same(name: str, server: LoopbackServer) -> None:
    """Results, exceptions, number of requests, and every byte of them but the client's name."""
    call, answers = SCENARIOS[name]
    seen = []
    for client in (
        openai.OpenAI(api_key=TOKEN, base_url=server.url),
        create_client(api_key=TOKEN, base_url=server.url),
    ):
        server.answers = list(answers)
        with client:
            seen.append((outcome(lambda client=client: call(client)), list(sent(server)), len(server.answers)))  # type: ignore[misc]
    assert seen[1] == seen[0]
    assert seen[0][2] == 0


async def achat(client: Any) -> Any:
    """Ask for a chat."""
    return await client.chat.completions.create(model="m", messages=USER)


async def astream(client: Any) -> Any:
    """Read a streamed chat."""
    return [event async for event in await client.chat.completions.create(model="m", messages=USER, stream=True)]


async def apages(client: Any) -> Any:
    """Read files page by page."""
    return [file async for file in client.files.list()]


async def araw(client: Any) -> Any:
    """Look at an answer's headers."""
    response = await client.chat.completions.with_raw_response.create(model="m", messages=USER)
    return response.headers["x-request-id"], response.retries_taken, response.parse()


ASYNC_SCENARIOS: dict[str, tuple[Callable[[Any], Any], list[Answer]]] = {
    "chat": (achat, [GOOD]),
    "a streamed chat": (astream, [stream(*CHUNKS)]),
    "an error in a stream": (astream, [stream(CHUNKS[0], ERROR)]),
    "pages": (apages, [page("a", more=True), page("b", more=True), page(more=False)]),
    "a raw answer after a retry": (araw, [DOWN, GOOD]),
    "a 400": (achat, [Answer(400, ERROR, SOON)]),
    "retries that are used up": (achat, [DOWN] * 3),
}


@pytest.mark.parametrize("name", ASYNC_SCENARIOS)
async def test_both_async_clients_send_and_return_the_same(name: str, server: LoopbackServer) -> None:
    """As the sync ones do."""
    call, answers = ASYNC_SCENARIOS[name]
    seen = []
    for client in (
        openai.AsyncOpenAI(api_key=TOKEN, base_url=server.url),
        create_async_client(api_key=TOKEN, base_url=server.url),
    ):
        server.answers = list(answers)
        async with client:
            try:
                result = said(await call(client))
            except openai.OpenAIError as error:
                result = outcome(lambda error=error: raised(error))  # type: ignore[misc]
        seen.append((result, list(sent(server))))
    assert seen[1] == seen[0]


def raised(error: Exception) -> None:
    """Raise it once more."""
    raise error
