"""Where clients run, and what people hand them: dressed values, other processes, other event loops, no home."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import threading
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import (
    BudgetExceededError,
    ConfigurationError,
    IonosSettings,
    agenerate_images,
    create_async_client,
    create_client,
    generate_batch,
    generate_images,
    partial_images,
)
from ionos_openai.client.settings import TokenFile
from ionos_openai.errors import InvalidRequestError
from ionos_openai.files.writing import state_directory
from ionos_openai.sandbox import Sandbox
from tests import REPOSITORY
from tests.loopback import Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.loopback import LoopbackServer

TOKEN = make_token()
ELSEWHERE = "https://gateway.ionos.com/v1"


# Values that arrive dressed.


@pytest.mark.parametrize("dress", ['"{}"', "'{}'", "  {}\r", '"{}"\r\n', "' {} '"])
def test_what_came_along_with_a_value_is_taken_off(monkeypatch: pytest.MonkeyPatch, dress: str) -> None:
    """Quotes that Docker's --env-file keeps, and the end of a line from Windows."""
    values = {"API_TOKEN": f"Bearer {TOKEN}", "BASE_URL": ELSEWHERE, "TIMEOUT": "7.5", "SANDBOX": "off", "PACE": "no"}
    for name, value in values.items():
        monkeypatch.setenv(f"IONOS_{name}", dress.format(value))
    with create_client() as client:
        assert client.auth_headers == {"Authorization": f"Bearer {TOKEN}"}
        assert (str(client.base_url), client.timeout) == (f"{ELSEWHERE}/", 7.5)
    given = IonosSettings(
        api_key=dress.format(TOKEN), base_url=dress.format(ELSEWHERE), prices=dress.format("klein=1 EUR")
    )
    assert (given.base_url, given.prices) == (ELSEWHERE, "klein=1 EUR")


def test_a_passphrase_keeps_its_quotes() -> None:
    """They may be a part of it."""
    passphrase = IonosSettings(env_file=None, sandbox=True, c2pa_passphrase='"a"').c2pa_passphrase
    assert passphrase is not None
    assert passphrase.get_secret_value() == '"a"'


@pytest.mark.parametrize(
    "endpoint", ["/images/generations", "/images/edits/", "/chat/completions", "/completions", "/embeddings", "/models"]
)
def test_the_whole_address_of_an_endpoint_is_the_services(server: LoopbackServer, endpoint: str) -> None:
    """As the documentation's examples have it; with and without its version."""
    for url in (server.url, server.url.removesuffix("/v1")):
        with create_client(api_key=TOKEN, base_url=url + endpoint) as client:
            assert str(client.base_url) == f"{server.url}/"


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In settings and token files, and wherever pictures are written or read; no directory is called so."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "token").write_text(TOKEN)
    assert TokenFile("~/token")() == TOKEN
    monkeypatch.setenv("IONOS_API_TOKEN_FILE", "~/token")
    monkeypatch.setenv("IONOS_CA_BUNDLE", "~/ca.pem")
    assert (IonosSettings().api_key_file, IonosSettings().ca_bundle) == (tmp_path / "token", tmp_path / "ca.pem")
    with create_client(sandbox=True) as client:
        [image] = generate_images(client, "a fox", directory="~/pictures")
        assert image.path is not None
        assert image.path.parent == tmp_path / "pictures"
        assert image.save("~/fox") == tmp_path / "fox.jpg"
        generate_batch(client, ["a mug"], "~/many").run()
    assert (tmp_path / "many" / "manifest.jsonl").is_file()
    assert not Path("~").exists()


def test_a_tilde_without_a_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""

    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    sandbox = Sandbox()
    with create_client(sandbox=sandbox) as client, pytest.raises(ConfigurationError, match="write the whole path"):
        generate_images(client, "a fox", directory="~/pictures")
    assert not sandbox.requests


# Other processes.


def fail(kind: str) -> None:
    """Raise what a client raises, in whichever process."""
    sandbox = Sandbox()
    with create_client(sandbox=sandbox, max_retries=0) as client:
        if kind == "budget":
            raise BudgetExceededError("no turn", retry_after=2.5)
        if kind == "several":
            sandbox.fault("server-error")
            generate_images(client, "a fox", n=2)
        sandbox.fault(kind, times=9)
        client.models.list() if kind == "html" else generate_images(client, "a fox")


KINDS = ["budget", "several", "unauthorized", "rate-limit", "server-error", "cut-body", "timeout"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_exception_can_be_pickled(kind: str) -> None:
    """With its words, its attributes and the pictures that came."""
    with pytest.raises(openai.OpenAIError) as caught:
        fail(kind)
    error, twin = caught.value, pickle.loads(pickle.dumps(caught.value))
    assert (type(twin), str(twin), set(vars(twin))) == (type(error), str(error), set(vars(error)))
    for name in ("status_code", "code", "request_id", "body", "retry_after"):
        assert getattr(twin, name, None) == getattr(error, name, None)
    assert partial_images(twin) == partial_images(error)


def test_no_token_is_pickled(server: LoopbackServer) -> None:
    """Neither that of the request, nor one that the answer repeats."""
    server.default = Answer(400, {"error": {"message": f"of {TOKEN}"}}, {"x-said": TOKEN})
    with create_client(api_key=TOKEN, base_url=server.url) as client, pytest.raises(openai.BadRequestError) as caught:
        client.models.list()
    pickled = pickle.dumps(caught.value)
    assert not any(part.encode() in pickled for part in TOKEN.split("."))
    assert pickle.loads(pickled).response.json()["error"]["message"] == "of <token>"


def test_exceptions_come_out_of_a_pool_of_processes() -> None:
    """Which would else break, and with it all other jobs."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        errors = [pool.submit(fail, kind).exception(timeout=60) for kind in ("budget", "server-error")]
    assert [type(error) for error in errors] == [BudgetExceededError, openai.InternalServerError]


# Other event loops.


@pytest.fixture
def _unclosed() -> Iterator[None]:
    """Let connections of loops that ended be left behind, as programs do that never close their clients."""
    yield
    gc.collect()


IN_LOOPS = [pytest.mark.usefixtures("_unclosed"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def in_loops(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test whose client lives longer than its event loops."""
    return functools.reduce(lambda marked, mark: mark(marked), IN_LOOPS, test)


@in_loops
def test_one_async_client_works_in_several_loops(server: LoopbackServer) -> None:
    """One after the other, as scripts and Streamlit have it; a copy that was made in between too."""
    server.default = Answer(200, {"object": "list", "data": []})
    client = create_async_client(api_key=TOKEN, base_url=server.url)

    async def ask(asked: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(asked.models.list() for _ in range(3)))

    asyncio.run(ask(client))
    asyncio.run(ask(client.with_options(max_retries=0)))
    asyncio.run(ask(client))
    asyncio.run(client.close())
    assert len(server.requests) == 9


@in_loops
def test_one_async_client_works_in_loops_of_two_threads(server: LoopbackServer) -> None:
    """At the same time: neither takes the other's connections."""
    server.default = Answer(200, {"object": "list", "data": []})
    client = create_async_client(api_key=TOKEN, base_url=server.url)
    together, failures = threading.Barrier(2), list[BaseException]()

    async def ask() -> None:
        for _ in range(5):
            await client.models.list()
            await asyncio.to_thread(together.wait, 20)

    def run() -> None:
        try:
            asyncio.run(ask())
        except BaseException as failure:  # noqa: BLE001 - a thread's is seen by nobody
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(server.requests) == 10


@in_loops
def test_an_http_client_of_an_ended_loop_is_the_sdks_error(server: LoopbackServer) -> None:
    """One of the user's own cannot be made anew, and the error says why."""
    server.default = Answer(200, {"object": "list", "data": []})
    own = openai.DefaultAsyncHttpxClient()
    client = create_async_client(api_key=TOKEN, base_url=server.url, http_client=own, max_retries=0)  # type: ignore[arg-type]
    asyncio.run(_list(client))
    with pytest.raises(openai.APIConnectionError):
        asyncio.run(_list(client))


async def _list(client: openai.AsyncOpenAI) -> None:
    await client.models.list()


def test_the_sandbox_answers_in_any_loop() -> None:
    """It has no connections."""
    client = create_async_client(sandbox=True)
    for _ in range(2):
        assert len(asyncio.run(agenerate_images(client, "a fox", n=2))) == 2


# Where there is less than usual.

PROGRAMS: dict[str, Callable[[], dict[str, str]]] = {
    "no home": lambda: {"HOME": "", "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "IONOS_PACE": "on"},
    "a narrow locale": lambda: {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
PROGRAM = """
import os, sys
for name, value in list(os.environ.items()):
    if not value:
        del os.environ[name]
if os.name == "posix":
    import pwd

    def nobody(uid):
        raise KeyError(uid)

    pwd.getpwuid = nobody
from ionos_openai import create_client, generate_batch, generate_images
from ionos_openai.sandbox import Sandbox

client = create_client(sandbox=Sandbox(), pace=True)
generate_images(client, "Ein F\\u00fcchschen", directory=sys.argv[1])
generate_batch(client, ["\\u72d0", "a mug"], sys.argv[1] + "/many").run()
print(sorted(ascii(name) for name in os.listdir(sys.argv[1])))
"""


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("flags", [[], ["-OO", "-W", "error"]], ids=["plain", "optimised and strict"])
def test_a_program_runs_with_less_than_usual(tmp_path: Path, name: str, flags: list[str]) -> None:
    """Nobody's home, letters that no file name has: what is missing is done without."""
    environment = {**os.environ, **PROGRAMS[name](), "TMPDIR": str(tmp_path)}
    command = [sys.executable, *flags, "-c", PROGRAM, str(tmp_path / "pictures")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not Path("~").exists()


def test_a_name_with_letters_that_no_file_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is paid."""
    sandbox = Sandbox()
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii"))
    with create_client(sandbox=sandbox) as client, pytest.raises(InvalidRequestError, match="letters"):
        generate_images(client, "a fox", directory="pictures", name="Füchschen")
    assert not sandbox.requests


def test_state_is_kept_where_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the temporary files, apart from other users'."""

    def nobody(*_: Any, **__: Any) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_state_dir", nobody)
    assert "ionos-openai-" in str(state_directory())


@pytest.mark.parametrize("in_loop", [False, True])
def test_a_proxy_that_is_in_between_is_named(monkeypatch: pytest.MonkeyPatch, in_loop: bool) -> None:
    """By its host and port, and without its password; not where none was asked."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hush@127.0.0.1:{port}")

    def ask() -> None:
        if in_loop:
            asyncio.run(_list(create_async_client(api_key=TOKEN, max_retries=0)))
        else:
            create_client(api_key=TOKEN, max_retries=0).models.list()

    with pytest.raises(openai.APIConnectionError) as caught:
        ask()
    assert f"The proxy 127.0.0.1:{port} was asked" in str(caught.value)
    assert "hush" not in str(caught.value)
    direct = create_client(api_key=TOKEN, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
    with pytest.raises(openai.APIConnectionError) as caught, direct:
        direct.models.list()
    assert "proxy" not in str(caught.value)


def test_pyinstaller_is_told_what_to_collect() -> None:
    """By the entry point that it asks for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, function = project["entry-points"]["pyinstaller40"]["hook-dirs"].partition(":")
    (folder,) = getattr(importlib.import_module(module), function)()
    hook = Path(folder, "hook-ionos_openai.py").read_text("utf-8")
    assert "collect_data_files" in hook
    assert "collect_submodules" in hook
