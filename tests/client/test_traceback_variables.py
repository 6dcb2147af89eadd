"""What shows the variables of a traceback (Sentry, rich, cgitb) shows no token: no frame has it, ours or not."""

from __future__ import annotations

import asyncio
import io
import socket
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import IonosSettings, create_async_client, create_client, edit_images, generate_batch, generate_images
from ionos_openai.client.in_process import answering_async_client, answering_client
from ionos_openai.client.settings import TokenFile
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import forget_variables
from tests.loopback import Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.loopback import LoopbackServer

TOKEN = make_token()
EXPIRED = make_token(exp=1_700_000_000)
PASSWORD = "correct-horse-battery"
NOWHERE = "https://nowhere.invalid/v1"


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def setting(name: str, value: str) -> Callable[[pytest.MonkeyPatch], Any]:
    """Have a variable of the environment stand beside the token's."""

    def fail(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IONOS_API_TOKEN", TOKEN)
        monkeypatch.setenv("IONOS_PACE", "on")
        monkeypatch.setenv(name, value)
        create_client()

    return fail


def expired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a client with a token that has expired."""
    monkeypatch.setenv("IONOS_API_TOKEN", EXPIRED)
    create_client()


def in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a host that the token may not go to, unencrypted."""
    create_client(api_key=f" Bearer {TOKEN}", base_url="http://example.com")


def in_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a value that cannot be."""
    IonosSettings(env_file=None, api_key=TOKEN, timeout=-1)


def in_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the token in `.env`, and an error beside it."""
    with open(".env", "w", encoding="utf-8") as file:  # noqa: PTH123 - the working directory's
        file.write(f"IONOS_API_TOKEN={TOKEN}\nIONOS_TIMEOUT=soon\n")
    create_client()


def in_token_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a token in a file that has expired."""
    with open("token", "w", encoding="utf-8") as file:  # noqa: PTH123 - the working directory's
        file.write(EXPIRED)
    create_client(api_key=TokenFile("token"))
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "token")
    create_client()


def from_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a callable return a token with a line break in it."""
    create_client(api_key=lambda: f"{TOKEN[:40]}\n{TOKEN[40:]}", max_retries=0, pace=False).models.list()


def to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask another host with the client."""
    create_client(api_key=TOKEN, pace=False).post("https://example.com/", cast_to=object)


def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask where nobody listens."""
    client = create_client(api_key=TOKEN, base_url=f"http://127.0.0.1:{closed_port()}", max_retries=0)
    generate_images(client, "a fox", n=2)


def no_connection_async(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask where nobody listens, in an event loop."""
    client = create_async_client(api_key=TOKEN, base_url=f"http://127.0.0.1:{closed_port()}", max_retries=0)
    asyncio.run(client.models.list())


def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a Redis that is not there, with a password."""
    pytest.importorskip("redis")
    monkeypatch.setenv("IONOS_BUDGET_URL", f"redis://user:{PASSWORD}@127.0.0.1:{closed_port()}/0")
    create_client(api_key=TOKEN, pace=True)


def bad_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a copy a token that is none."""
    create_client(api_key=TOKEN, pace=False).with_options(api_key=f"{TOKEN} {TOKEN}").models.list()


def bad_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a copy what IONOS must not get."""
    create_client(api_key=TOKEN).copy(api_key=TOKEN, organization="org")


def bad_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what is no HTTP client, which the SDK's constructor finds out."""
    create_client(api_key=TOKEN, http_client=object())  # type: ignore[arg-type]


def bad_client_of_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do so with a copy."""
    create_async_client(api_key=TOKEN).with_options(api_key=TOKEN, http_client=object())  # type: ignore[arg-type]


def broken(kind: str, *, in_loop: bool = False) -> Callable[[pytest.MonkeyPatch], Any]:
    """Have the HTTP library fail, in a frame that holds the request's headers as its own frames do."""

    def answer(request: Any) -> Any:
        headers = dict(request.headers)
        raise getattr(http_library(), kind)(f"after {len(headers)} headers", request=request)

    def fail(monkeypatch: pytest.MonkeyPatch) -> None:
        if in_loop:
            own = answering_async_client(answer)
            asyncio.run(create_async_client(api_key=lambda: TOKEN, http_client=own, max_retries=0).models.list())
        create_client(api_key=TOKEN, http_client=answering_client(answer), max_retries=1).models.list()

    return fail


def redis_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Redis be gone when the first request counts towards the contract."""
    pytest.importorskip("redis")
    url = f"redis://user:{PASSWORD}@127.0.0.1:{closed_port()}/0"
    monkeypatch.setattr("ionos_openai.client.pacing.turns.Pacing.check", lambda self: None)
    create_client(api_key=TOKEN, pace=True, settings=IonosSettings(budget_url=url)).models.list()


def bad_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for what cannot be."""
    edit_images(create_client(api_key=TOKEN), b"no picture", "a fox")


def bad_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for a batch that cannot be."""
    generate_batch(create_client(api_key=TOKEN), ["", "b"], "out")


ERRORS = [
    setting("IONOS_TIMEOUT", "abc"),
    setting("IONOS_IMAGE_MODEL", "no-such-model"),
    setting("IONOS_BASE_URL", NOWHERE),
    setting("IONOS_CA_BUNDLE", "no-such-file.pem"),
    setting("IONOS_PRICES", "much"),
    setting("IONOS_BUDGET_URL", f"http://user:{PASSWORD}@x"),
    setting("HTTPS_PROXY", f"ftp://user:{PASSWORD}@proxy:1"),
    *(expired, in_code, in_settings, in_file, in_token_file, from_callable, to_another_host, no_connection),
    *(no_connection_async, no_redis, bad_copy, bad_option, bad_request, bad_batch, redis_later),
    *(bad_client, bad_client_of_copy, *map(broken, ("ReadTimeout", "WriteError")), broken("ReadError", in_loop=True)),
]


def values(value: object, depth: int = 4) -> Iterator[str]:
    """Show a variable as Sentry does: what is in mappings and lists, the repr of all else."""
    yield repr(value)
    if depth and isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from values(inner, depth - 1)


def shown(error: BaseException) -> str:
    """Return what is shown of an error, with the variables of each frame that did not belong to these tests."""
    seen: list[str] = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if Path(__file__).parents[1] not in Path(frame.f_code.co_filename).parents or "request" in frame.f_locals:
            seen += [f"{name} = {text}" for name, value in frame.f_locals.items() for text in values(value)]
    for other in (error.__cause__, error.__context__):
        seen += [shown(other)] if other is not None else []
    return "\n".join([str(error), *seen])


@pytest.mark.parametrize("fail", ERRORS)
def test_no_variable_of_a_traceback_holds_a_token(
    fail: Callable[[pytest.MonkeyPatch], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor a password; whatever went wrong, and wherever the token came from."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((openai.OpenAIError, AttributeError, TypeError, ValueError)) as caught:
        fail(monkeypatch)
    text = shown(caught.value)
    for secret in (TOKEN, EXPIRED, PASSWORD, TOKEN[:40]):
        assert secret not in text


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_nor_one_of_an_answer_that_refuses(server: LoopbackServer, status: int) -> None:
    """Also where the service repeats the token."""
    server.default = Answer(status, {"messages": [{"message": f"no {TOKEN}"}]})
    client = create_client(api_key=TOKEN, base_url=server.url, max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        generate_images(client, "a fox", n=2)
    assert TOKEN not in shown(caught.value)


def test_the_users_own_frames_keep_their_variables() -> None:
    """What was being handled when a call began is not ours."""

    def fail(mine: str) -> None:
        raise LookupError(mine)

    with pytest.raises(LookupError) as outside:
        fail("kept")
    error = ValueError("inner")
    error.__context__ = outside.value
    forget_variables(error, outside=outside.value)
    assert [frame.f_locals for frame, _ in traceback.walk_tb(outside.tb)][-1] == {"mine": "kept"}
    forget_variables(error)
    assert [frame.f_locals for frame, _ in traceback.walk_tb(outside.tb)][-1] == {}


def test_what_rich_shows_holds_no_token(server: LoopbackServer) -> None:
    """`rich.traceback` with `show_locals` looks into more than a repr does."""
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=400)
    from rich.traceback import Traceback

    server.default = Answer(401, {})
    client = create_client(api_key=TOKEN, base_url=server.url, max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    console.print(Traceback.from_exception(caught.type, caught.value, caught.tb, show_locals=True))
    assert "AuthenticationError" in console.file.getvalue()
    assert TOKEN[:40] not in console.file.getvalue()
