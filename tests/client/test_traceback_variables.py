"""What shows the variables of a traceback (Sentry, rich, cgitb) shows no token: none of our frames holds it as text."""

from __future__ import annotations

import asyncio
import socket
import traceback
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import (
    IonosSettings,
    create_async_client,
    create_client,
    edit_images,
    generate_batch,
    generate_images,
)
from ionos_openai.client.settings import TokenFile
from tests.loopback import Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    *(no_connection_async, no_redis, bad_copy, bad_option, bad_request, bad_batch),
]


def shown(error: BaseException) -> str:
    """Return what is shown of an error, with the variables of each frame of this package."""
    seen: list[str] = []
    for frame in traceback.walk_tb(error.__traceback__):
        if (
            "ionos_openai/" in frame[0].f_code.co_filename.replace("\\", "/")
            and "/tests/" not in frame[0].f_code.co_filename
        ):
            seen += [f"{name} = {value!r}" for name, value in frame[0].f_locals.items()]
    for other in (error.__cause__, error.__context__):
        seen += [shown(other)] if other is not None else []
    return "\n".join([str(error), *seen])


@pytest.mark.parametrize("fail", ERRORS)
def test_no_variable_of_a_traceback_holds_a_token(
    fail: Callable[[pytest.MonkeyPatch], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor a password; whatever went wrong, and wherever the token came from."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((openai.OpenAIError, ValueError)) as caught:
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
