"""Code that was written for OpenAI's client gets from ours what it got there, on every version of the SDK."""

from __future__ import annotations

import base64
import struct
import warnings
from typing import TYPE_CHECKING

import openai
import pytest

from ionos_openai import CompatibilityWarning, IonosSettings, create_async_client, create_client, generate_batch
from ionos_openai.client.settings import TokenFile
from tests.loopback import Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.loopback import LoopbackServer

TOKEN, NEXT = make_token(sub="first"), make_token(sub="second")


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3", None])
@pytest.mark.parametrize("n", [1, 2])
def test_where_openai_answered_a_url_there_is_one(model: str | None, n: int) -> None:
    """The picture stands in `url` and in `b64_json`, and the warning says so; tools for agents join the former."""
    named = {} if model is None else {"model": model}
    with create_client(sandbox=True) as client, pytest.warns(CompatibilityWarning, match="url holds a data URI"):
        response = client.images.generate(prompt="a fox", n=n, **named)  # type: ignore[call-overload]
    for item in response.data:
        assert item.url == f"data:image/jpeg;base64,{item.b64_json}"


@pytest.mark.parametrize("asked", [{"model": "gpt-image-1"}, {"model": "dall-e-3", "response_format": "b64_json"}])
def test_where_openai_answered_base64_there_is_no_url(asked: dict[str, str]) -> None:
    """Nor a word of it."""
    with create_client(sandbox=True) as client, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        response = client.images.generate(prompt="a fox", **asked)  # type: ignore[call-overload]
    assert response.data[0].url is None
    assert not any("data URI" in str(warning.message) for warning in told)


@pytest.mark.parametrize("token", ["code", "message", "messages", "error", "a", "eleven-long"])
def test_a_short_token_spoils_no_exception(server: LoopbackServer, token: str) -> None:
    """It is no secret that could be told from words; text and code of an answer stay."""
    server.default = Answer(400, {"error": {"message": "a message of eleven-long words", "code": "code"}})
    with create_client(api_key=token, base_url=server.url) as client, pytest.raises(openai.BadRequestError) as caught:
        client.models.list()
    assert (caught.value.code, "a message of eleven-long words" in str(caught.value)) == ("code", True)


async def test_a_callables_token_is_the_clients_as_in_the_sdk(server: LoopbackServer, tmp_path: Path) -> None:
    """Empty before the first request, and then the last one; whoever sends it on sends no placeholder."""
    tokens = [TOKEN] * 2 + [NEXT] * 9
    client = create_client(api_key=lambda: tokens.pop(0), base_url=server.url)
    assert client.api_key == ""
    client.models.list()
    assert client.api_key == TOKEN
    assert client.auth_headers == {"Authorization": f"Bearer {TOKEN}"}
    copy = client.with_options(max_retries=0)
    client.models.list()
    copy.models.list()
    assert copy.api_key == NEXT
    assert client._refresh_api_key() == NEXT
    (tmp_path / "token").write_text(TOKEN)
    async with create_async_client(api_key=TokenFile(tmp_path / "token"), base_url=server.url) as asynchronous:  # type: ignore[arg-type]
        await asynchronous.models.list()
        assert asynchronous.api_key == TOKEN
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {token}" for token in (TOKEN, TOKEN, NEXT, TOKEN)]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-should-retry": "false", "Retry-After": "0"}, {}),
        ({"Retry-After": "0"}, {"error": {"code": "insufficient_quota", "message": "used up"}}),
        ({}, {"error": {"type": "insufficient_quota", "message": "used up"}}),
    ],
)
def test_a_429_that_no_waiting_helps_is_an_error(
    server: LoopbackServer, tmp_path: Path, headers: dict[str, str], body: dict[str, object]
) -> None:
    """Also in a batch, which ends with everything kept."""
    server.default = Answer(429, body, headers)
    with create_client(api_key=TOKEN, base_url=server.url, pace=True) as client:
        with pytest.raises(openai.RateLimitError):
            client.images.generate(model="flux.1", prompt="a fox")
        assert len(server.requests) == 1
        with pytest.raises(openai.RateLimitError):
            generate_batch(client, ["a", "b"], tmp_path, concurrency=1).run()
        assert len(server.requests) == 2


def test_milliseconds_count_and_refusals_are_counted(server: LoopbackServer) -> None:
    """`retry-after-ms` counts before seconds; a raw answer tells how often it was asked again."""
    server.answers = [Answer(429, {}, {"retry-after-ms": "40", "Retry-After": "900"})] * 2
    settings = IonosSettings(env_file=None, request_burst=50, requests_per_second=50)
    with create_client(settings=settings, api_key=TOKEN, base_url=server.url, pace=True, max_wait=5) as client:
        raw = client.models.with_raw_response.list()
    assert (raw.retries_taken, len(server.requests)) == (2, 3)


def test_a_parser_of_the_users_may_make_anything_of_an_answer(server: LoopbackServer) -> None:
    """As the SDK lets it."""
    from openai._base_client import make_request_options
    from openai.types import ImagesResponse

    server.default = Answer(200, {"data": [{"b64_json": "AAAA"}]})
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        for made in ("text", None, 5, [1]):
            options = make_request_options(post_parser=lambda response, made=made: made)  # type: ignore[misc]
            body = {"model": "flux.1", "prompt": "a"}
            assert client.post("/images/generations", cast_to=ImagesResponse, body=body, options=options) == made


def test_base64_that_was_asked_for_in_words_comes_as_base64(server: LoopbackServer) -> None:
    """Though IONOS is asked for floats; without a word the SDK gives floats, as ever."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, -2.0]}
    server.default = Answer(200, {"object": "list", "data": [vector], "model": "m"})
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        in_words = client.embeddings.create(model="m", input="a", encoding_format="base64")
        plain = client.embeddings.create(model="m", input="a")
    assert base64.b64decode(in_words.data[0].embedding) == struct.pack("<2f", 0.5, -2.0)  # type: ignore[arg-type]
    assert plain.data[0].embedding == [0.5, -2.0]
    asked = [request.json().get("encoding_format", "float") for request in server.requests]  # 1.60 may leave it out
    assert asked == ["float"] * 2


def test_an_answer_that_is_no_json_is_attached_and_told_in_a_line(server: LoopbackServer) -> None:
    """The message is for people; the whole text stands on the error."""
    text = "upstream is gone\nTraceback (most recent call last):\n  a line\n"
    server.default = Answer(502, text.encode(), {"Content-Type": "text/plain"})
    client = create_client(api_key=TOKEN, base_url=server.url, max_retries=0)
    with client, pytest.raises(openai.InternalServerError) as caught:
        client.models.list()
    assert "upstream is gone" in str(caught.value)
    assert "a line" not in str(caught.value)
    assert "a line" in str(caught.value.body)
