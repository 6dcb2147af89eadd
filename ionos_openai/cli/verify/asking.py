"""Asks a service, through a real client, and never for more pictures than it may.

What is sent is counted before it is sent. Nothing is sent twice by itself but after a 429, and that counts again.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
from openai._types import Omit  # the SDK exports it under this name alone on every supported version

from ionos_openai.cli.verify.replies import Answer
from ionos_openai.cli.verify.scrubbing import Keeper
from ionos_openai.client.hooks import IonosOpenAI
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import IonosError
from ionos_openai.errors.http import http_library
from ionos_openai.hub.answers import LARGEST_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx2 as httpx

_TRIES = 3  # where a limit is in the way
_LONGEST_REST = 60.0  # seconds after a 429
_GATEWAY = (408, 429, 502, 503, 504)  # these tell of what is on the way to the service, and not of what it does
_REFUSED_TOKEN = (401, 403)
_LONGEST_REASON = 300  # characters
_LONGEST_BODY = 60.0  # seconds from an answer's head to its end; the client's timeout is for the next piece alone
_LARGEST_BODY = 64 * 2**20  # bytes


class NotAsked(Exception):  # noqa: N818  # it ends a row as it should be ended, and never leaves this package
    """A row is not asked; the message says why."""


class NoAnswer(Exception):  # noqa: N818  # as above
    """Nothing came that tells of a behaviour.

    Attributes:
        token: Whether the token is the reason.
    """

    def __init__(self, message: str, *, token: bool = False) -> None:
        """Keep what happened, and whether the token is the reason."""
        super().__init__(message)
        self.token = token


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What came of many requests in a short time: how many `passed`, and the answers with a 429.

    `seconds` is how long the requests took to be sent and answered.
    """

    passed: int
    refused: tuple[Answer, ...]
    seconds: float


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks one service."""

    # a client of `create_client`, or any of the SDK's; it is asked by a copy. Retries and changes of requests are
    # off, waiting for the contract's limits stays as it is
    client: openai.OpenAI
    spend: int  # the most pictures to ask for
    spacing: float  # seconds from one request to the next, at least
    clock: Callable[[], float]  # returns seconds that never run backwards
    sleep: Callable[[float], None]  # waits for so many seconds
    asked: int = 0  # how many pictures were asked for
    # what was asked and what came, scrubbed, since it was last emptied
    exchanges: list[dict[str, object]] = field(default_factory=list)
    _next_at: float = 0.0
    _keeper: Keeper = field(default_factory=Keeper)

    def __post_init__(self) -> None:
        """Know the token, which is to be hidden."""
        self._next_at = self.clock()
        if isinstance(self.client.api_key, str):
            self._keeper.learn(self.client.api_key)

    @property
    def left(self) -> int:
        """How many pictures may still be asked for."""
        return self.spend - self.asked

    def mask(self, text: str) -> str:
        """Return a text as it may be shown, in one line."""
        return self._keeper.text(" ".join(text.split()), longest=_LONGEST_REASON)

    def get(self, path: str, *, token: bool = True) -> Answer:
        """Ask with GET; without `token`, nobody says who asks.

        Raises:
            NoAnswer: Nothing came that tells of a behaviour.
        """
        return self._patiently(_Question(method="GET", path=path, token=token))

    def post(
        self, path: str, body: object, *, pictures: int = 0, files: Sequence[tuple[str, tuple[str, bytes, str]]] = ()
    ) -> Answer:
        """Ask with POST: `body` is sent as JSON, or as the fields of a form where there are `files`.

        `pictures` is how many pictures it asks for, billed or not.

        Raises:
            NotAsked: More pictures would be asked for than may be.
            NoAnswer: Nothing came that tells of a behaviour.
        """
        return self._patiently(_Question(method="POST", path=path, body=body, files=tuple(files), pictures=pictures))

    def burst(self, path: str, body: object = None, *, count: int, pictures: int = 0, spacing: float = 0.0) -> Burst:
        """Ask `count` times without waiting for answers, and without keeping to any limit; a 429 ends the sending.

        Without a body it is a GET, else a POST of JSON. `pictures` is what each request asks for, `spacing` the seconds
        from one request to the next.

        Raises:
            NotAsked: More pictures would be asked for than may be.
            NoAnswer: A request was not answered.
        """
        question = _Question(method="GET" if body is None else "POST", path=path, body=body, pictures=pictures)
        self._count(question, times=count)
        hurrying = _as_it_is(self.client, paced=False)
        started = self.clock()
        with ThreadPoolExecutor(max_workers=count) as pool:
            futures: list[Future[Answer]] = []
            for _ in range(count):
                if any(sent.done() and not sent.exception() and sent.result().status == 429 for sent in futures):
                    break
                futures.append(pool.submit(self._once, question, hurrying))
                if spacing:
                    self.sleep(spacing)
        self.asked -= pictures * (count - len(futures))
        answers = [future.result() for future in futures]
        seconds = self.clock() - started
        for status in sorted({answer.status for answer in answers}):
            self._keep(question, next(answer for answer in answers if answer.status == status))
        refused = tuple(answer for answer in answers if answer.status == 429)
        return Burst(passed=len(answers) - len(refused), refused=refused, seconds=seconds)

    def _patiently(self, question: _Question) -> Answer:
        client = _as_it_is(self.client, paced=True)
        left = _TRIES
        while True:
            left -= 1
            self._count(question)
            if (wait := self._next_at - self.clock()) > 0:
                self.sleep(wait)
            self._next_at = self.clock() + self.spacing
            answer = self._once(question, client)
            self._keep(question, answer)
            if answer.status != 429 or not left or question.pictures > self.left:
                break
            self.sleep(_rest(answer))
        if answer.status in _GATEWAY or (question.token and answer.status in _REFUSED_TOKEN):
            raise NoAnswer(self.mask(answer.describe()), token=answer.status in _REFUSED_TOKEN)
        return answer

    def _count(self, question: _Question, *, times: int = 1) -> None:
        """Count what a request asks for before it is sent."""
        pictures = question.pictures * times
        if pictures > self.left:
            raise NotAsked(f"asks for {pictures} more pictures, and {self.left} of {self.spend} may still be asked for")
        self.asked += pictures

    def _once(self, question: _Question, client: openai.OpenAI) -> Answer:
        try:
            response = question.send(client)
        except (IonosError, openai.APIConnectionError) as error:
            # Some of ours are an APIStatusError too, with an answer that nobody sent.
            self._learn(getattr(error, "request", None))
            reason = self.mask(_reason(error))
            self.exchanges.append({"request": question.facts(self._keeper), "error": reason})
            raise NoAnswer(reason, token=isinstance(error, openai.AuthenticationError)) from None
        except openai.APIStatusError as error:
            response = error.response
        self._learn(response.request)
        # Before anything is cut out of it: half a token would not be known for one.
        headers = {name.lower(): self._keeper.text(value) for name, value in response.headers.items()}
        self._keeper.learn_trace(headers.get("x-trace-id", ""))
        body = response.content if response.status_code < 400 else response.content[:LARGEST_ERROR]
        return Answer(status=response.status_code, headers=headers, body=self._keeper.without_tokens(body))

    def _learn(self, request: httpx.Request | None) -> None:
        if request is not None:
            self._keeper.learn(request.headers.get("authorization", "").partition(" ")[2])

    def _keep(self, question: _Question, answer: Answer) -> None:
        body = self._keeper.body(answer.body) if answer.body else None
        facts = {"status": answer.status, "headers": self._keeper.headers(answer.headers), "body": body}
        self.exchanges.append({"request": question.facts(self._keeper), **facts})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is to be sent."""

    method: str
    path: str
    body: object = None
    files: tuple[tuple[str, tuple[str, bytes, str]], ...] = ()
    pictures: int = 0
    token: bool = True

    def send(self, client: openai.OpenAI) -> Any:
        """Return the response of the HTTP library."""
        headers: dict[str, object] = {} if self.token else {"Authorization": Omit()}
        if self.files:
            headers["Content-Type"] = "multipart/form-data"
        further: dict[str, Any] = {"cast_to": http_library().Response, "options": {"headers": headers}}
        if self.method == "GET":
            return client.get(self.path, **further)
        return client.post(self.path, body=self.body, files=list(self.files) or None, **further)

    def facts(self, keeper: Keeper) -> dict[str, object]:
        """Return what may be kept of it."""
        facts: dict[str, object] = {"method": self.method, "path": self.path, "with_token": self.token}
        if self.body is not None:
            facts["body"] = keeper.value(self.body)
        if self.files:
            facts["files"] = {name: f"{len(data)} bytes" for name, (_, data, _) in self.files}
        return facts


@contextlib.contextmanager
def ending(client: openai.OpenAI, *, clock: Callable[[], float]) -> Iterator[None]:
    """Give up an answer that goes on and on, also one of a copy of the client, for as long as the block runs.

    `clock` returns seconds that never run backwards.
    """
    hooks = client._client.event_hooks["response"]

    def bound(response: httpx.Response) -> None:
        response.stream = _bounded(response.stream, clock)

    hooks.append(bound)
    try:
        yield
    finally:
        hooks.remove(bound)


def _bounded(stream: Any, clock: Callable[[], float]) -> Any:
    """Return a stream of the HTTP library that ends in `NoAnswer` where it takes too long or is too large."""

    class Bounded(http_library().SyncByteStream):  # type: ignore[misc]  # whichever library it is
        def __iter__(self) -> Iterator[bytes]:
            began, size = clock(), 0
            for piece in stream:
                size += len(piece)
                if size > _LARGEST_BODY or clock() - began > _LONGEST_BODY:
                    raise NoAnswer("no end in time")
                yield piece

        def close(self) -> None:
            stream.close()

    return Bounded()


def _reason(error: Exception) -> str:
    if isinstance(error.__cause__, NoAnswer):
        return str(error.__cause__)
    return "no answer in time" if isinstance(error, openai.APITimeoutError) else str(error) or type(error).__name__


def _as_it_is(client: openai.OpenAI, *, paced: bool) -> openai.OpenAI:
    """Return a copy of a client that sends requests as they are, once."""
    own = client.with_options(max_retries=0)
    if isinstance(own, IonosOpenAI):
        own.ionos_settings = (own.ionos_settings or IonosSettings()).model_copy(update={"compat": "off"})
        own.ionos_pacing = own.ionos_pacing if paced else None
    return own


def _rest(answer: Answer) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), _LONGEST_REST) if asked.isascii() and asked.isdigit() else 1.0
