"""What the SDK's own exceptions say of an IONOS answer: text, code, id, cause and remedy, and never a secret."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.in_process import answering_client
from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import TOKEN_ADVICE
from tests import REPOSITORY
from tests.errors.test_errors import JSON
from tests.loopback import MODEL_LIST, Answer, LoopbackServer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = make_token()
RECORDED = REPOSITORY / "tests" / "recorded"
TRACE = "0123456789abcdef0123456789abcdef"
AUTH = "Unauthorized, wrong or no api key provided to process this request"
LATER = " It is no fault of the request: try again later."
NETWORK = "Network error: json: cannot unmarshal string into Go struct field Embedding.data.embedding of type []float32"
AUTH_HINT = f" The likely cause: the token is wrong, was deleted or has expired. {TOKEN_ADVICE}"
ACCESS_HINT = " The likely cause: the token's user has no access to the AI Model Hub, or not to this model."
LIMIT_HINT = " A limit of the contract is reached: wait for the time in the Retry-After header, then try again."
KNOWN = " Known image models: black-forest-labs/FLUX.1-schnell, black-forest-labs/FLUX.2-klein-4B."
NO_TEXT = "the answer has no text."


def recorded(name: str) -> object:
    return json.loads((RECORDED / name).read_text())


def failing(status: int, body: object = b"", **headers: str) -> Callable[[Any], Any]:
    """Return a service that answers everything so."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: Any) -> Any:
        request.read()
        return http_library().Response(status, content=content, headers=headers, request=request)

    return answer


def client_for(answer: Callable[[Any], Any], **options: Any) -> openai.OpenAI:
    """Return a client of that service, which sends image requests as they are."""
    http_client = answering_client(answer)
    return create_client(api_key=TOKEN, max_retries=0, http_client=http_client, compat="off", **options)


def refusal(
    status: int, body: object = b"", call: Callable[[openai.OpenAI], object] | None = None, **headers: str
) -> Any:
    """Return the exception that a call ends in when the service answers so."""
    with client_for(failing(status, body, **headers)) as client, pytest.raises(openai.APIStatusError) as caught:
        (call or (lambda one: one.models.list()))(client)
    return caught.value


def generate(model: str | None = "black-forest-labs/FLUX.1-schnell") -> Callable[[openai.OpenAI], object]:
    return lambda client: client.post("/images/generations", cast_to=object, body={"model": model, "prompt": "p"})


# The contract's shapes.

CASES: dict[str, tuple[int, object, type[openai.APIStatusError], str, str | None]] = {
    "401": (
        401, recorded("error-401.json"), openai.AuthenticationError,
        f"Error code: 401 - {AUTH} (paas-auth-1).{AUTH_HINT}", "paas-auth-1",
    ),
    "401 without a body": (
        401, b"", openai.AuthenticationError, f"Error code: 401 - {NO_TEXT}{AUTH_HINT}", None
    ),
    "500": (
        500, recorded("error-500.json"), openai.InternalServerError, f"Error code: 500 - {NETWORK}.{LATER}", None
    ),
    "403": (
        403, {"httpStatus": 403, "messages": [{"errorCode": "paas-auth-2", "message": "Forbidden."}]},
        openai.PermissionDeniedError, f"Error code: 403 - Forbidden. (paas-auth-2).{ACCESS_HINT}", "paas-auth-2",
    ),
    "429": (429, b"", openai.RateLimitError, f"Error code: 429 - {NO_TEXT}{LIMIT_HINT}", None),
    "404": (404, {"detail": "Not Found"}, openai.NotFoundError, "Error code: 404 - Not Found.", None),
    "400 with detail": (
        400, {"detail": [{"msg": "size is wrong", "type": "value_error"}]}, openai.BadRequestError,
        "Error code: 400 - size is wrong.", None,
    ),
    "409": (409, {"message": "busy"}, openai.ConflictError, "Error code: 409 - busy.", None),
    "422": (422, {"error": "no"}, openai.UnprocessableEntityError, "Error code: 422 - no.", None),
    "418": (418, {"error": {"message": "m", "errorCode": "c"}}, openai.APIStatusError, "Error code: 418 - m (c).", "c"),
    "a proxy's page": (
        502, b"<html><head><title>502 Bad Gateway</title></head><body><h1>x</h1></body></html>",
        openai.InternalServerError, f"Error code: 502 - 502 Bad Gateway.{LATER}", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "message", "code"), CASES.values(), ids=CASES.keys())
def test_each_answer_becomes_the_sdks_exception_with_the_services_words(
    status: int, body: object, kind: type[openai.APIStatusError], message: str, code: str | None
) -> None:
    """Class and status are the SDK's; text, code and trace id are IONOS'."""
    error = refusal(status, body, **{"x-trace-id": TRACE})
    assert type(error) is kind
    assert (str(error), error.message, error.code) == (message, message, code)
    assert (error.status_code, error.request_id) == (status, TRACE)


def test_the_sdks_own_fields_win_where_the_answer_has_them() -> None:
    """An answer in OpenAI's shape keeps its code, type, param and request id."""
    body = {"error": {"message": "m", "code": "own", "type": "t", "param": "p", "errorCode": "other"}}
    error = refusal(400, body, **{"x-request-id": "mine", "x-trace-id": TRACE})
    assert (error.code, error.type, error.param, error.request_id) == ("own", "t", "p", "mine")
    assert error.body == body["error"]


WAYS: dict[str, Callable[[openai.OpenAI], object]] = {
    "plain": lambda client: client.models.list(),
    "raw": lambda client: client.models.with_raw_response.list(),
    "streamed": lambda client: client.models.with_streaming_response.list().__enter__(),
    "stream": lambda client: client.chat.completions.create(model="m", messages=[], stream=True),
    "raw stream": lambda client: client.chat.completions.with_raw_response.create(model="m", messages=[], stream=True),
    "a copy": lambda client: client.with_options(timeout=3).models.list(),
    "post": lambda client: client.post("/anything", cast_to=object, body={}),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_streamed_and_raw_calls_fail_as_readably(
    way: Callable[[openai.OpenAI], object], server: LoopbackServer
) -> None:
    """Text, code and id are there however the call is made."""
    server.default = Answer(401, recorded("error-401.json"), {"x-trace-id": TRACE})
    with (
        create_client(api_key=TOKEN, base_url=server.url) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        way(client)
    assert str(caught.value) == f"Error code: 401 - {AUTH} (paas-auth-1).{AUTH_HINT}"
    assert (caught.value.code, caught.value.request_id) == ("paas-auth-1", TRACE)


async def test_the_async_client_fails_as_readably(server: LoopbackServer) -> None:
    """The async client's exceptions say the same, plain, raw and streamed."""
    server.default = Answer(401, recorded("error-401.json"), {"x-trace-id": TRACE})
    async with create_async_client(api_key=TOKEN, base_url=server.url) as client:
        for way in (
            lambda: client.models.list(),
            lambda: client.models.with_raw_response.list(),
            lambda: client.models.with_streaming_response.list().__aenter__(),
            lambda: client.chat.completions.create(model="m", messages=[], stream=True),
        ):
            with pytest.raises(openai.AuthenticationError) as caught:
                await way()
            assert str(caught.value) == f"Error code: 401 - {AUTH} (paas-auth-1).{AUTH_HINT}"
            assert (caught.value.code, caught.value.request_id) == ("paas-auth-1", TRACE)


# Models.


@pytest.mark.parametrize(
    ("status", "body", "model", "hint"),
    [
        (400, b"", "FLUX.1-schnel", " The service may not offer the model 'FLUX.1-schnel'. Did you mean "
                                    f"black-forest-labs/FLUX.1-schnell?{KNOWN}"),
        (404, {"detail": "Not Found"}, "dall-e-3", f" The service may not offer the model 'dall-e-3'.{KNOWN}"),
        (400, {"message": "x"}, "gpt-image-1", f" The service may not offer the model 'gpt-image-1'.{KNOWN}"),
        (400, b"", "black-forest-labs/FLUX.1-schnell",
         f" The service may not offer the model 'black-forest-labs/FLUX.1-schnell'.{KNOWN}"),
        (404, {"message": "x"}, "black-forest-labs/FLUX.1-schnell",
         f" The service may not offer the model 'black-forest-labs/FLUX.1-schnell'.{KNOWN}"),
        (400, {"message": "bad size"}, "black-forest-labs/FLUX.1-schnell", ""),
        (400, {"message": "x"}, "stabilityai/stable-diffusion-xl-base-1.0",
         f" The service may not offer the model 'stabilityai/stable-diffusion-xl-base-1.0'.{KNOWN}"),
        (400, b"", None, KNOWN),
        (400, b"", TOKEN, f" The service may not offer the model '<token>'.{KNOWN}"),
    ],
)  # fmt: skip
def test_an_unknown_image_model_names_the_known_ones(status: int, body: object, model: str | None, hint: str) -> None:
    """Where the model may be the reason, the known image models and the likely one are said; else not."""
    assert str(refusal(status, body, generate(model))).partition(".")[2].endswith(hint)
    assert ("Known image models" in str(refusal(status, body, generate(model)))) is bool(hint)


def test_other_endpoints_say_nothing_of_image_models() -> None:
    """A 400 or 404 beside the images is about something else."""
    for call in (
        lambda client: client.embeddings.create(model="nothing", input="x", encoding_format="float"),
        lambda client: client.chat.completions.create(model="nothing", messages=[]),
    ):
        assert str(refusal(400, b"", call)) == f"Error code: 400 - {NO_TEXT}"


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("model", ["gpt-4o", "o3-mini", "text-embedding-3-small", "chatgpt-4o-latest"])
def test_a_model_of_openais_is_said_to_be_missing(status: int, model: str) -> None:
    """Code that was written for OpenAI names one; what IONOS offers is asked for, not guessed."""
    error = refusal(status, b"", lambda client: client.chat.completions.create(model=model, messages=[]))
    assert str(error) == (
        f"Error code: {status} - {NO_TEXT} The service may not offer the model '{model}'; client.models.list() tells "
        "what it offers."
    )
    error = refusal(400, b"", lambda client: client.chat.completions.create(model=f"openai/{model}", messages=[]))
    assert str(error) == f"Error code: 400 - {NO_TEXT}"


def test_an_edit_names_the_known_models_too() -> None:
    """The form of an edit is not read again, so the models are named without the one that was asked for."""
    error = refusal(400, b"", lambda client: client.images.edit(image=b"x", prompt="p", model="nothing/known"))
    assert str(error) == f"Error code: 400 - {NO_TEXT}{KNOWN}"


# Bodies of any kind.

DEEP = b'{"error":' * 5_000 + b"1" + b"}" * 5_000
BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n ",
    "not UTF-8": "Ungültige Größe".encode("latin-1"),
    "binary": bytes(range(256)),
    "UTF-16": '{"message": "x"}'.encode("utf-16"),
    "a list": b'[{"message": "x"}]',
    "a list of text": b'["x"]',
    "a number": b"42",
    "a float": b"NaN",
    "null": b"null",
    "true": b"true",
    "text": b'"no"',
    "cut off": b'{"error": {"mess',
    "deep": DEEP,
    "a deep list": b"[" * 100_000,
    "huge": json.dumps({"error": {"message": "x" * 3_000_000}}).encode(),
    "huge words": json.dumps({"message": "word " * 100_000}).encode(),
    "huge HTML": b"<html>" + b"<p>no</p>" * 60_000,
    "a lone surrogate": b'{"message": "\\ud800 x", "code": "\\udfff"}',
    "a picture": json.dumps({"message": base64.b64encode(bytes(100_000)).decode()}).encode(),
    "wrong kinds": b'{"messages": {"message": 1}, "error": [], "detail": {"msg": 2}, "code": [], "errorCode": 3}',
    "a list as code": b'{"error": {"message": "m", "code": ["x"], "type": 5, "param": {}}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("status", [400, 500])
def test_no_body_breaks_the_error(status: int, body: bytes) -> None:
    """Whatever comes as the body: the SDK's exception of the status, with a message of at most 1,000 characters."""
    error = refusal(status, body, generate())
    assert error.status_code == status
    assert str(error).startswith(f"Error code: {status} - ")
    assert len(str(error)) <= 1_000
    assert str(error).isprintable()
    assert len("".join(traceback.format_exception(error))) < 20_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([400, 401, 403, 404, 429, 500]), JSON | st.binary(max_size=40), st.text(max_size=300))
def test_no_json_breaks_the_error_or_shows_the_token(status: int, body: object, model: str) -> None:
    """For any JSON: a short message, and the token, which the body may repeat, is in no part of the exception."""
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
    except ValueError:
        return
    error = refusal(status, content, generate(model.encode("utf-8", "replace").decode()))
    assert len(str(error)) <= 1_000
    assert TOKEN not in f"{error} {error!r} {error.args} {error.message} {error.body!r} {error.code} {error.type}"


ECHOES: dict[str, object] = {
    "in a message": {"message": f"the token {TOKEN} is bad"},
    "in messages": {"messages": [{"message": f"{TOKEN}", "errorCode": TOKEN}]},
    "in text": f"no such key: Bearer {TOKEN}".encode(),
    "in HTML": f"<html><title>{TOKEN}</title>{TOKEN}</html>".encode(),
    "as a key": {TOKEN: {TOKEN: [TOKEN]}},
    "in every field": {"error": {"message": TOKEN, "code": TOKEN, "type": TOKEN, "param": TOKEN}},
}


@pytest.mark.parametrize("token", [TOKEN, "opaque-token-12345"])
@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES.keys())
def test_a_token_that_the_answer_repeats_is_masked(body: object, token: str, caplog: pytest.LogCaptureFixture) -> None:
    """Message, code, body, repr, arguments, traceback and log have a placeholder in its place."""
    caplog.set_level(logging.DEBUG)
    content = (body if isinstance(body, bytes) else json.dumps(body).encode()).replace(TOKEN.encode(), token.encode())
    http_client = answering_client(failing(401, content))
    with (
        create_client(api_key=token, max_retries=0, http_client=http_client) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    error = caught.value
    shown = [
        str(error),
        repr(error),
        repr(error.args),
        repr(error.body),
        error.message,
        error.code,
        error.type,
        error.param,
    ]
    shown += ["".join(traceback.format_exception(error)), caplog.text, repr(error.response), repr(error.request)]
    assert token not in "".join(map(str, shown))
    assert "<token>" in repr(error.body)


@pytest.mark.parametrize("name", ["x-trace-id", "x-request-id"])
@pytest.mark.parametrize("token", [TOKEN, "opaque-token-12345"])
def test_a_token_that_a_header_repeats_is_masked(name: str, token: str) -> None:
    """The request id is shown by tools of the users' own."""
    http_client = answering_client(failing(401, **{name: f"id of {token}"}))
    with (
        create_client(api_key=token, max_retries=0, http_client=http_client) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.request_id == "id of <token>"


# Answers that cannot be read.

CALLS: dict[str, Callable[[Any], Any]] = {
    "models": lambda client: client.models.list(),
    "images": lambda client: client.images.generate(prompt="p", model="vendor/m"),
    "edits": lambda client: client.images.edit(image=b"x", prompt="p", model="vendor/m"),
    "chat": lambda client: client.chat.completions.create(model="m", messages=[]),
    "embeddings": lambda client: client.embeddings.create(model="m", input="x"),
}
UNREADABLE = {
    "a page": (f"<html>{TOKEN}</html>".encode(), "text/html", "text/html"),
    "a page said to be JSON": (f"<html>{TOKEN}</html>".encode(), "application/json", "application/json"),
    "empty": (b"", "application/json", "application/json"),
    "empty without a type": (b"", "", "no content type"),
    "cut off": (f'{{"data":[{{"b64_json":"{TOKEN}'.encode(), "application/json; charset=utf-8", "application/json"),
    "not UTF-8": (b"\xff\xfe{", "application/json", "application/json"),
    **{
        f"the JSON {body.decode()[:9]}": (body, "application/json", "application/json")
        for body in (b"null", b"[]", b"5", b'"x"', b"[" * 100_000)
    },
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("body", "sent", "said"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_an_answer_that_cannot_be_read_is_the_sdks_exception(
    call: Callable[[Any], Any], body: bytes, sent: str, said: str, server: LoopbackServer
) -> None:
    """Of what came, the message tells kind and size, and `body` is the text; status and id stay, sync and async."""
    server.default = Answer(200, body, {"Content-Type": sent, "x-trace-id": TRACE})
    message = (
        f"The answer ({len(body)} bytes) is not the JSON object that the service sends (status 200, {said}): it was "
        "cut off, or base_url does not lead to the service."
    )
    with (
        create_client(api_key=TOKEN, base_url=server.url) as client,
        pytest.raises(openai.APIResponseValidationError) as caught,
    ):
        call(client)
    async with create_async_client(api_key=TOKEN, base_url=server.url) as asynchronous:
        with pytest.raises(openai.APIResponseValidationError) as also:
            await call(asynchronous)
    assert len(server.requests) == 2
    for error in (caught.value, also.value):
        assert (str(error), error.message, error.status_code) == (message, message, 200)
        assert TOKEN not in str(error.body)
        assert str(error.body)[:9000] == body.decode(errors="replace").replace(TOKEN, "<token>")[:9000]
        assert (error.request_id, error.__cause__, error.__context__) == (TRACE, None, None)  # type: ignore[attr-defined]


def test_other_answers_are_the_sdks_matter(server: LoopbackServer) -> None:
    """Text and JSON of any shape, where they are asked for, and raw answers come as they are."""
    server.default = Answer(200, b"[1]", {"Content-Type": "application/json"})
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        assert client.get("/x", cast_to=object) == [1]
        assert client.get("/x", cast_to=str) == "[1]"
        assert client.models.with_raw_response.list().http_response.content == b"[1]"
        server.default = Answer(200, b"{", {"Content-Type": "application/json"})
        with pytest.raises(openai.APIResponseValidationError):
            client.get("/x", cast_to=object)


# Errors in the middle of a stream.

EVENT = b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}\n\n'


async def stream_error(server: LoopbackServer, event: bytes) -> list[Any]:
    """Return what a stream ends in whose second event is `event`, sync and async."""
    server.default = Answer(200, EVENT + event, {"Content-Type": "text/event-stream", "x-trace-id": TRACE})
    asked: dict[str, Any] = {"model": "m", "messages": [], "stream": True}
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        events = client.chat.completions.create(**asked)
        assert next(events).id == "1"
        with pytest.raises(openai.APIError) as caught:
            next(events)
    async with create_async_client(api_key=TOKEN, base_url=server.url) as asynchronous:
        with pytest.raises(openai.APIError) as also:
            [one async for one in await asynchronous.chat.completions.create(**asked)]
    return [caught.value, also.value]


async def test_an_error_in_a_stream_is_as_readable(server: LoopbackServer) -> None:
    """It has the service's text, code and id, and neither the token nor base64 in anything."""
    data = base64.b64encode(bytes(range(256))).decode()
    said = {"error": {"httpStatus": 500, "errorCode": "c-1", "message": f"echo {TOKEN} {data}", TOKEN: data}}
    for error in await stream_error(server, f"data: {json.dumps(said)}\n\n".encode()):
        assert (str(error), error.message) == ("echo <token> <data>", "echo <token> <data>")
        assert (error.code, error.request_id) == ("c-1", TRACE)
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert TOKEN not in shown
        assert data not in shown


async def test_an_event_that_is_no_json_is_the_sdks_exception(server: LoopbackServer) -> None:
    """What was cut off in the middle of an event is not shown."""
    for error in await stream_error(server, f'data: {{"x": "{TOKEN}\n\n'.encode()):
        assert type(error) is openai.APIResponseValidationError
        assert str(error).startswith("An event of the stream is not the JSON object that the service sends (status 200")
        assert (error.__cause__, error.__context__) == (None, None)


def test_the_stand_ins_token_is_an_ordinary_word() -> None:
    """The literal token "sandbox" is no secret, so the word is not masked where a message needs it."""
    answer = failing(400, {"message": "the sandbox says no"})
    with (
        create_client(api_key="sandbox", http_client=answering_client(answer)) as client,
        pytest.raises(openai.BadRequestError, match="the sandbox says no"),
    ):
        client.models.list()


# Connections.


def raising(kind: str, message: str) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        raise getattr(http_library(), kind)(message, request=request)

    return answer


def test_a_connection_error_says_its_cause() -> None:
    """The SDK's "Connection error." gets the cause, cut short and masked."""
    for said, shown in (
        ("[Errno -2] Name or service not known", "[Errno -2] Name or service not known"),
        ("407\n Proxy  Authentication", "407 Proxy Authentication"),
        (f"Illegal header value b'Bearer {TOKEN}'", "Illegal header value b'Bearer <token>'"),
        (f"{'x ' * 130}{TOKEN}", f"{'x ' * 130}<token>"),
        ("", "ConnectError"),
    ):
        with client_for(raising("ConnectError", said)) as client, pytest.raises(openai.APIConnectionError) as caught:
            client.models.list()
        assert str(caught.value) == caught.value.message == f"Connection error. ({shown})"
    with (
        client_for(raising("ConnectError", "x " * 5_000)) as client,
        pytest.raises(openai.APIConnectionError) as caught,
    ):
        client.models.list()
    assert len(str(caught.value)) < 400


def test_a_timeout_stays_the_sdks() -> None:
    """A timeout is the SDK's APITimeoutError with its own words."""
    with client_for(raising("ReadTimeout", "x")) as client, pytest.raises(openai.APITimeoutError) as caught:
        client.models.list()
    assert str(caught.value) == "Request timed out."


async def test_a_refused_connection_is_explained_async() -> None:
    """A closed port is told by the async client with the system's words."""
    with LoopbackServer() as closed:
        url = closed.url
    async with create_async_client(api_key=TOKEN, base_url=url, max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError) as caught:
            await client.models.list()
    assert str(caught.value).startswith("Connection error. (")


# Retries stay the SDK's.

SOON = {"Retry-After-Ms": "1"}


@pytest.mark.parametrize("status", [408, 409, 500])
async def test_the_sdks_retries_are_as_they_were(status: int, server: LoopbackServer) -> None:
    """Twice a temporary failure and then an answer: three requests, sync and async, and no error."""
    server.answers = [Answer(status, recorded("error-500.json"), SOON), Answer(status, b"", SOON)]
    with create_client(api_key=TOKEN, base_url=server.url) as client:
        assert client.models.list().data[0].id == MODEL_LIST["data"][0]["id"]  # type: ignore[index]
    server.answers = [Answer(status, b"", SOON), Answer(status, b"", SOON)]
    async with create_async_client(api_key=TOKEN, base_url=server.url) as asynchronous:
        assert (await asynchronous.models.list()).data
    assert [request.headers.get("x-stainless-retry-count") for request in server.requests] == ["0", "1", "2"] * 2


@pytest.mark.parametrize(
    ("status", "retries", "requests"), [(500, 2, 3), (500, 0, 1), (400, 2, 1), (401, 2, 1), (404, 2, 1)]
)
def test_the_last_answer_is_raised_when_the_retries_are_used_up(
    status: int, retries: int, requests: int, server: LoopbackServer
) -> None:
    """As many requests as the SDK makes, and the exception of the last."""
    server.default = Answer(status, {"error": {"message": "still no"}}, SOON)
    with (
        create_client(api_key=TOKEN, base_url=server.url, max_retries=retries) as client,
        pytest.raises(openai.APIStatusError, match=f"^Error code: {status} - still no"),
    ):
        client.models.list()
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    "body",
    [
        b"<p>abc " * 500_000,
        b'{"detail":[' + b'{"msg":"a","x":[["b"]]},' * 150_000 + b"{}]}",
        b'"' + b"a" * 4_000_000 + b'"',
    ],
    ids=["a page", "many small ones", "a long one"],
)
def test_an_error_answer_of_any_size_is_cut_before_it_is_looked_at(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing parses or masks more than a quarter of a megabyte of it, and a header is no message."""
    parsed: list[int] = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda text, **options: parsed.append(len(text)) or loads(text, **options))
    answer = failing(500, body, **{"x-trace-id": "a-" * 50_000, "content-type": "a-" * 50_000})
    with client_for(answer) as client, pytest.raises(openai.InternalServerError) as caught:
        client.models.list()
    assert len(str(caught.value)) < 1000
    assert len(str(caught.value.body)) < 40_000
    assert len(caught.value.request_id or "") == 200
    assert max(parsed, default=0) < 10_000
    answer = failing(200, b"<p>", **{"content-type": "a-" * 50_000})
    with client_for(answer) as client, pytest.raises(openai.APIResponseValidationError) as unreadable:
        client.models.list()
    assert len(str(unreadable.value)) < 1000
