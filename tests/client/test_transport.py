"""The way to the service: proxies, certificates, and an end in time; with servers and proxies on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import traceback
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import openai
import pytest
import trustme

from ionos_openai import agenerate_batch, agenerate_images, generate_batch, generate_images
from ionos_openai.client import create_async_client, create_client
from ionos_openai.client.construction import trust_also
from ionos_openai.client.in_process import answering_async_client, answering_client
from ionos_openai.client.settings import IonosSettings, foreign_variables
from ionos_openai.errors import ConfigurationError, UntrustedHostError
from ionos_openai.errors.http import http_library
from tests.loopback import MODEL_LIST, Answer, LoopbackServer
from tests.proxy import ConnectProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "opaque-token-of-mine"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "in the body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "in a header": (HEAD + b"X-Long: ", b"x"),
    "in many headers": (HEAD, b"X-More: 1\r\n"),
    "in chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "before the answer": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "in an error": (HEAD.replace(b"200 OK", b"400 No") + b"Content-Length: 100000\r\n\r\n", b" "),
}
IN_TIME = 0.4  # seconds
CA_ADVICE = (
    " The server's certificate is not trusted: behind a proxy with a CA of its own, name the CA's PEM file with "
    "ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle."
)


class Network(NamedTuple):
    """A TLS server whose certificate a private CA signed, and a proxy that stands before it."""

    server: LoopbackServer
    proxy: ConnectProxy
    ca: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context, and the PEM file of the private CA behind it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "private-ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, path


@pytest.fixture
def network(certificates: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The server and the proxy, with HTTPS_PROXY set."""
    context, ca = certificates
    with (
        LoopbackServer(wrap_socket=lambda plain: context.wrap_socket(plain, server_side=True)) as server,
        ConnectProxy() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield Network(server, proxy, ca)


def way(network: Network) -> tuple[int, list[str]]:
    """Return how many requests came, and what the proxy was asked for."""
    return len(network.server.requests), network.proxy.asked


@pytest.mark.parametrize("told", ["argument", "variable", "settings"])
def test_a_private_ca_behind_a_proxy_works(told: str, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in any of three ways, the private CA is trusted through the CONNECT proxy, without any warning."""
    if told == "variable":
        monkeypatch.setenv("IONOS_CA_BUNDLE", str(network.ca))
    settings = IonosSettings(ca_bundle=network.ca) if told == "settings" else None
    bundle = network.ca if told == "argument" else None
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with create_client(api_key="t", base_url=network.server.url, settings=settings, ca_bundle=bundle) as client:
            assert client.models.list().data[0].id == "m"
            assert client.with_options(timeout=5).models.list().data[0].id == "m"
    assert seen == []
    assert way(network) == (2, [f"CONNECT 127.0.0.1:{network.server.port}"])
    assert network.server.requests[0].headers["authorization"] == "Bearer t"


async def test_a_private_ca_behind_a_proxy_works_async(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The async client trusts it alike."""
    monkeypatch.setenv("IONOS_CA_BUNDLE", str(network.ca))
    async with create_async_client(api_key="t", base_url=network.server.url) as client:
        assert (await client.models.list()).data[0].id == "m"
    async with create_async_client(api_key="t", base_url=network.server.url, ca_bundle=str(network.ca)) as client:
        assert (await client.models.list()).data[0].id == "m"
    assert way(network) == (2, [f"CONNECT 127.0.0.1:{network.server.port}"] * 2)


def test_the_usual_certificates_stay_trusted(certificates: tuple[ssl.SSLContext, Path]) -> None:
    """A private CA is added to the usual ones and replaces none; the host's name is still checked."""
    usual, wider = http_library().create_ssl_context(), trust_also(certificates[1])
    assert wider.cert_store_stats()["x509_ca"] == usual.cert_store_stats()["x509_ca"] + 1
    assert (wider.verify_mode, wider.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_without_the_ca_the_error_says_what_to_name(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    """A certificate that is not trusted is the SDK's connection error with the cause and the remedy, and no token."""
    with (
        create_client(api_key="t0ken-canary", base_url=network.server.url, max_retries=0) as client,
        pytest.raises(openai.APIConnectionError) as caught,
    ):
        client.models.list()
    message = str(caught.value)
    assert message.startswith("Connection error. (")
    assert "CERTIFICATE_VERIFY_FAILED" in message
    assert message.endswith(CA_ADVICE)
    assert caught.value.message == message
    assert "t0ken-canary" not in message + caplog.text
    assert network.server.requests == []


async def test_without_the_ca_the_async_error_says_what_to_name(network: Network) -> None:
    """The async client's error is as clear."""
    async with create_async_client(api_key="t", base_url=network.server.url, max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError) as caught:
            await client.models.list()
    assert str(caught.value).endswith(CA_ADVICE)


def test_no_proxy_leads_past_the_proxy(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host in NO_PROXY is asked directly, with a private CA as without one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with create_client(api_key="t", base_url=network.server.url, ca_bundle=network.ca) as client:
        client.models.list()
    assert way(network) == (1, [])


def test_ssl_cert_file_works_as_in_the_plain_sdk(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SSL_CERT_FILE does for the SDK's own client, it does for ours, through the proxy too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(network.ca))
    with openai.OpenAI(api_key="t", base_url=network.server.url) as plain:
        plain.models.list()
    with create_client(api_key="t", base_url=network.server.url) as client:
        client.models.list()
    assert way(network) == (2, [f"CONNECT 127.0.0.1:{network.server.port}"] * 2)


def test_ssl_cert_file_and_a_ca_bundle_work_together(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bundle is added to what SSL_CERT_FILE names."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(network.ca))
    with create_client(api_key="t", base_url=network.server.url, ca_bundle=other) as client:
        client.models.list()
    assert way(network)[0] == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HTTPS_PROXY", "socks5://user:pass-word@localhost:1080", "HTTPS_PROXY names a SOCKS proxy.* pip install"),
        ("ALL_PROXY", "gopher://user:pass-word@localhost:1", "ALL_PROXY cannot be used: write http://HOST:PORT"),
        ("HTTPS_PROXY", "http://user:pass-word#x@localhost:1", "HTTPS_PROXY cannot be used: write http://HOST:PORT"),
        ("SSL_CERT_FILE", __file__, "that SSL_CERT_FILE names cannot be read"),
    ],
)
@pytest.mark.parametrize("create", [create_client, create_async_client])
@pytest.mark.parametrize("own_ca", [False, True])
def test_what_the_environment_names_and_cannot_be_used_is_said(
    create: Any, own_ca: bool, name: str, value: str, message: str, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable's name, without its value, whether a CA of one's own is trusted beside or not."""
    if "socks" in value and find_spec("socksio"):
        pytest.skip("socksio is installed")
    for other in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message) as caught:
        create(api_key="t", base_url=network.server.url, ca_bundle=network.ca if own_ca else None)
    shown = "".join(traceback.format_exception(caught.value))
    assert "pass-word" not in shown
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("create", [create_client, create_async_client])
@pytest.mark.parametrize("kind", [ValueError, OSError, ImportError])
def test_what_no_variable_can_have_caused_is_not_put_down_to_one(
    create: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a variable of the kind, the constructor's own error comes out."""
    for name in foreign_variables():
        monkeypatch.delenv(name)

    def fail(*args: object, **options: object) -> None:
        raise kind("something else")

    for name in ("OpenAI", "AsyncOpenAI"):
        monkeypatch.setattr(getattr(openai, name), "__init__", fail)
    with pytest.raises(kind, match=r"^something else$"):
        create(api_key="t")


def test_a_users_own_http_client_is_used_as_it_is(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `http_client=`, neither the CA bundle nor anything else is changed about it."""
    monkeypatch.setenv("IONOS_CA_BUNDLE", "/nowhere/ca.pem")
    own = openai.DefaultHttpxClient(verify=trust_also(network.ca), trust_env=False, headers={"x-own": "yes"})
    with create_client(api_key="t", base_url=network.server.url, http_client=own) as client:
        assert client._client is own
        assert client.with_options(timeout=4)._client is own
        client.models.list()
    assert way(network) == (1, [])
    assert network.server.requests[0].headers["x-own"] == "yes"


@pytest.mark.parametrize("create", [create_client, create_async_client])
def test_a_ca_bundle_beside_an_http_client_is_refused(create: Any) -> None:
    """It could not be added to a client that is used as it is."""
    with pytest.raises(ConfigurationError) as caught:
        create(api_key="t", ca_bundle="ca.pem", http_client=object())
    assert str(caught.value) == "ca_bundle= and http_client= exclude each other: give your own client verify=."


def test_a_ca_bundle_that_cannot_work_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    """A missing file and one without a certificate are told apart, with the remedy."""
    missing, empty, junk = tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path / "junk.pem"
    empty.write_bytes(b"")
    junk.write_text("-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n")
    remedy = ": mend ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle."
    for path, problem in (
        (missing, "cannot be read (No such file or directory)"),
        (empty, "holds no certificate in PEM form"),
        (junk, "holds no certificate in PEM form"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            create_client(api_key="t", ca_bundle=path)
        assert str(caught.value) == f"The CA bundle {path} {problem}{remedy}"
        assert caught.value.__context__ is None


def test_the_http_library_is_the_one_the_sdk_stands_on() -> None:
    """The SDK's own default client is an instance of what is found."""
    with openai.DefaultHttpxClient() as client:
        assert isinstance(client, http_library().Client)
    assert http_library().__name__ == ("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")


async def test_a_client_can_be_answered_without_a_network() -> None:
    """The answering clients serve sync and async alike, and see the request as it would have left."""
    asked: list[str] = []

    def answer(request: object) -> object:
        asked.append(str(request.url))  # type: ignore[attr-defined]
        return http_library().Response(200, json=MODEL_LIST)

    with create_client(api_key="t", http_client=answering_client(answer)) as client:
        assert client.models.list().data[0].id == "m"
    async with create_async_client(api_key="t", http_client=answering_async_client(answer)) as asynchronous:
        assert (await asynchronous.models.list()).data[0].id == "m"
    assert asked == ["https://openai.inference.de-txl.ionos.com/v1/models"] * 2


class DrippingServer:
    """Begins to answer whatever comes, and goes on without an end, or with one after so many pieces."""

    def __init__(self, head: bytes, piece: bytes, *, pieces: int = 100_000, end: bytes = b"") -> None:
        self._talk = (head, *(piece for _ in range(pieces)), end)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._stopped = threading.Event()

    def __enter__(self) -> DrippingServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            for piece in self._talk:
                connection.sendall(piece)
                if self._stopped.wait(0.05):
                    return
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65_536)


@pytest.fixture
def proxy_server() -> Iterator[LoopbackServer]:
    """A server that stands for a proxy on another machine, and notes what it would have seen."""
    with LoopbackServer() as running:
        running.default = Answer(502, {})
        yield running


@pytest.mark.parametrize("where", DRIPS)
async def test_an_answer_that_drips_ends_in_time(where: str) -> None:
    """`timeout` is for the whole of an answer, though each piece comes in time; it may have been billed."""
    with DrippingServer(*DRIPS[where]) as server:
        options: dict[str, Any] = {"api_key": TOKEN, "base_url": server.url, "max_retries": 0}
        began = time.monotonic()
        with create_client(**options, timeout=IN_TIME) as client, pytest.raises(openai.APITimeoutError):
            generate_images(client, "a fox")
        async with create_async_client(**options) as asynchronous:
            with pytest.raises(openai.APITimeoutError):
                await agenerate_images(asynchronous, "a fox", timeout=openai.Timeout(60, read=IN_TIME))
        assert 2 * IN_TIME <= time.monotonic() - began < 8 * IN_TIME


async def test_a_batch_gives_up_an_answer_that_drips(tmp_path: Path) -> None:
    """Sync and async, and goes on; the time begins anew with each attempt."""
    with DrippingServer(*DRIPS["in the body"]) as server:
        options: dict[str, Any] = {"api_key": TOKEN, "base_url": server.url, "timeout": IN_TIME}
        with create_client(**options) as client:
            results = generate_batch(client, ["a fox", "an owl"], tmp_path / "sync", max_attempts=1).run()
        async with create_async_client(**options) as asynchronous:
            batch = agenerate_batch(asynchronous, ["a fox"], tmp_path / "async", max_attempts=1)
            results += [result async for result in batch]
    assert [type(result.error) for result in results] == [openai.APITimeoutError] * 3


async def test_a_stream_may_take_longer_than_its_pieces() -> None:
    """What is streamed is waited for piece by piece, as the SDK does."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    event = b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}\n\n'
    with DrippingServer(head, event, pieces=14, end=b"data: [DONE]\n\n") as server:
        options: dict[str, Any] = {"api_key": TOKEN, "base_url": server.url, "max_retries": 0, "timeout": IN_TIME}
        asked: dict[str, Any] = {"model": "m", "messages": [], "stream": True}
        with create_client(**options) as client:
            assert len(list(client.chat.completions.create(**asked))) == 14
        async with create_async_client(**options) as asynchronous:
            assert len([event async for event in await asynchronous.chat.completions.create(**asked)]) == 14


def test_the_time_of_an_answer_begins_when_the_request_was_sent(server: LoopbackServer) -> None:
    """One after another over the same connection, each has all of it."""
    with create_client(api_key=TOKEN, base_url=server.url, timeout=IN_TIME) as client:
        for _ in range(3):
            client.models.list()
            time.sleep(IN_TIME / 2)
    assert len(server.requests) == 3


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_plain_http_to_this_machine_passes_proxies_by(
    host: str, variable: str, server: LoopbackServer, proxy_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is another machine: it would see the token and the prompt in clear."""
    monkeypatch.setenv(variable, proxy_server.url.removesuffix("/v1"))
    url = server.url.replace("127.0.0.1", host)
    with create_client(api_key=TOKEN, base_url=url) as client:
        client.models.list()
        client.with_options(base_url=server.url).models.list()
    async with create_async_client(api_key=TOKEN, base_url=url) as asynchronous:
        await asynchronous.models.list()
    assert (len(server.requests), proxy_server.requests) == (3, [])


async def test_where_a_proxy_cannot_be_passed_by_nothing_is_sent(
    server: LoopbackServer, proxy_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an HTTP client of the user's own, and of a copy that goes elsewhere."""
    proxy = proxy_server.url.removesuffix("/v1")
    said = (
        "The request to 127.0.0.1 would go through a proxy unencrypted, so the token was not sent: name this machine "
        "in NO_PROXY, or give http_client= no proxy."
    )
    options: dict[str, Any] = {"api_key": TOKEN, "base_url": server.url, "max_retries": 0}
    with create_client(http_client=openai.DefaultHttpxClient(proxy=proxy), **options) as client:
        with pytest.raises(UntrustedHostError) as caught:
            client.models.list()
        assert str(caught.value) == said
    monkeypatch.setenv("HTTP_PROXY", proxy)
    own = openai.DefaultAsyncHttpxClient()
    async with create_async_client(http_client=own, **options) as asynchronous:
        with pytest.raises(UntrustedHostError) as caught:
            await asynchronous.models.list()
        assert str(caught.value) == said
    with create_client(api_key=TOKEN) as client, pytest.raises(UntrustedHostError) as caught:
        client.with_options(base_url="http://127.0.0.9:8/v1").models.list()
    assert str(caught.value) == said.replace("127.0.0.1", "127.0.0.9")
    assert server.requests == proxy_server.requests == []


def test_the_sandboxs_token_goes_through_a_proxy_to_other_machines(
    proxy_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no secret, and the sandbox may stand behind one."""
    proxy_server.default = Answer(body=MODEL_LIST)
    monkeypatch.setenv("HTTP_PROXY", proxy_server.url.removesuffix("/v1"))
    with create_client(api_key="sandbox", base_url="http://sandbox:8600/v1") as client:
        assert client.models.list().data[0].id == "m"
    assert [request.path for request in proxy_server.requests] == ["http://sandbox:8600/v1/models"]
