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

from ionos_openai.cli.verify.replies import Answer, Keeper
from ionos_openai.client.hooks import IonosOpenAI
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import IonosError
from ionos_openai.errors.http import http_library
from ionos_openai.errors.words import plural
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


@dataclass(eq=False)
class Unanswered(Exception):  # noqa: N818  # it ends a row as it should be ended, and never leaves this package
    """Nothing came that tells of a behaviour."""

    why: str
    is_asked: bool = True  # whether anything was to be asked
    token: bool = False  # whether the token is the reason


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be sent: with GET where there is no body, else with POST."""

    path: str
    body: object = None  # sent as JSON, or as the fields of a form where there are `files`
    files: Sequence[tuple[str, tuple[str, bytes, str]]] = ()
    pictures: int = 0  # how many pictures it asks for, billed or not
    token: bool = True  # whether it says who asks

    def send(self, client: openai.OpenAI) -> Any:
        """Return the response of the HTTP library."""
        headers: dict[str, object] = {} if self.token else {"Authorization": Omit()}
        if self.files:
            headers["Content-Type"] = "multipart/form-data"
        further: dict[str, Any] = {"cast_to": http_library().Response, "options": {"headers": headers}}
        if self.body is None:
            return client.get(self.path, **further)
        return client.post(self.path, body=self.body, files=list(self.files) or None, **further)

    def facts(self, keeper: Keeper) -> dict[str, object]:
        """Return what may be kept of it."""
        method = "GET" if self.body is None else "POST"
        facts: dict[str, object] = {"method": method, "path": self.path, "with_token": self.token}
        if self.body is not None:
            facts["body"] = keeper.value(self.body)
        if self.files:
            facts["files"] = {name: f"{len(data)} bytes" for name, (_, data, _) in self.files}
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What came of many requests in a short time."""

    passed: int  # how many did
    refused: tuple[Answer, ...]  # the answers with a 429
    seconds: float  # how long the requests took to be sent and answered


@dataclass(kw_only=True)
class Asker:
    """Asks one service."""

    # a client of `create_client`, or any of the SDK's; it is asked by a copy. Retries and changes of requests are
    # off, waiting for the contract's limits stays as it is
    client: openai.OpenAI
    spend: int  # the most pictures to ask for
    limits: bool  # whether they may be provoked
    spacing: float  # seconds from one request to the next, at least
    clock: Callable[[], float]  # returns seconds that never run backwards
    sleep: Callable[[float], None]  # waits for so many seconds
    asked: int = 0  # how many pictures were asked for
    refusals: list[Answer] = field(default_factory=list)  # what was answered with 4xx, but for 429
    # what was asked and what came, scrubbed, since it was last emptied
    exchanges: list[dict[str, object]] = field(default_factory=list)
    _keeper: Keeper = field(default_factory=Keeper)

    def __post_init__(self) -> None:
        """Know the token, which is to be hidden."""
        if isinstance(self.client.api_key, str):
            self._keeper.learn_token(self.client.api_key)

    def check_budget(self, pictures: int) -> None:
        """Raise `Unanswered` where so many pictures may not be asked for any more."""
        if pictures > (left := self.spend - self.asked):
            spent = f", and {left} of {self.spend} are left" if self.spend else ""
            why = f"it asks for {plural(pictures, 'picture')}, which may be billed{spent}: see --spend"
            raise Unanswered(why, is_asked=False)

    def mask(self, text: str) -> str:
        """Return a text as it may be shown, in one line."""
        return self._keeper.text(" ".join(text.split()), longest=_LONGEST_REASON)

    def ask(self, question: Question) -> Answer:
        """Ask once, and again where a limit is in the way; raise `Unanswered` where that tells nothing."""
        client = self._copy(paced=True)
        for left in reversed(range(_TRIES)):
            self.check_budget(question.pictures)
            self.asked += question.pictures
            self.sleep(self.spacing)
            answer = self._once(question, client)
            self._keep(question, answer)
            if answer.status != 429 or not left or question.pictures > self.spend - self.asked:
                break
            rest = answer.headers.get("retry-after", "")
            self.sleep(min(float(rest), _LONGEST_REST) if rest.isascii() and rest.isdigit() else 1.0)
        is_refused_token = question.token and answer.status in _REFUSED_TOKEN
        if is_refused_token or answer.status in _GATEWAY:
            raise Unanswered(self.mask(answer.describe()), token=is_refused_token)
        if question.body is not None and 400 <= answer.status < 500:
            self.refusals.append(answer)
        return answer

    def provoke(self, question: Question, *, count: int, rest: float, spacing: float = 0.0) -> Burst:
        """Ask `count` times, every `spacing` seconds, without waiting for answers and without keeping to any limit.

        It begins after so many seconds of `rest`, and a 429 ends the sending. Raises `Unanswered` as `ask` does.
        """
        if not self.limits:
            raise Unanswered("it provokes a limit: --provoke-limits asks it", is_asked=False)
        self.check_budget(question.pictures * count)
        self.sleep(rest)
        hurrying, started = self._copy(paced=False), self.clock()
        with ThreadPoolExecutor(max_workers=count) as pool:
            futures: list[Future[Answer]] = []
            for _ in range(count):
                if any(sent.done() and not sent.exception() and sent.result().status == 429 for sent in futures):
                    break
                self.asked += question.pictures
                futures.append(pool.submit(self._once, question, hurrying))
                self.sleep(spacing)
        answers = [future.result() for future in futures]
        seconds = self.clock() - started
        for _, answer in sorted({answer.status: answer for answer in reversed(answers)}.items()):
            self._keep(question, answer)
        refused = tuple(answer for answer in answers if answer.status == 429)
        return Burst(passed=len(answers) - len(refused), refused=refused, seconds=seconds)

    @contextlib.contextmanager
    def bounding(self) -> Iterator[None]:
        """Give up an answer that goes on and on, also one of a copy of the client, for as long as the block runs."""
        hooks = self.client._client.event_hooks["response"]

        def read(response: Any) -> None:
            began, pieces, size = self.clock(), [], 0
            with contextlib.closing(response.stream) as stream:
                for piece in stream:
                    pieces.append(piece)
                    size += len(piece)
                    if size > _LARGEST_BODY or self.clock() - began > _LONGEST_BODY:
                        raise Unanswered("no end in time")
            response.stream = http_library().ByteStream(b"".join(pieces))

        hooks.append(read)
        try:
            yield
        finally:
            hooks.remove(read)

    def _copy(self, *, paced: bool) -> openai.OpenAI:
        """Return a copy of the client that sends requests as they are, once."""
        own = self.client.with_options(max_retries=0)
        if isinstance(own, IonosOpenAI):
            own.ionos_settings = (own.ionos_settings or IonosSettings()).model_copy(update={"compat": "off"})
            own.ionos_pacing = own.ionos_pacing if paced else None
        return own

    def _once(self, question: Question, client: openai.OpenAI) -> Answer:
        try:
            response = question.send(client)
        except (IonosError, openai.APIConnectionError) as error:
            # Some of ours are an APIStatusError too, with an answer that nobody sent.
            self._learn(getattr(error, "request", None))
            reason = str(error) or type(error).__name__
            if isinstance(error, openai.APITimeoutError):
                reason = "no answer in time"
            reason = self.mask(str(error.__cause__) if isinstance(error.__cause__, Unanswered) else reason)
            self.exchanges.append({"request": question.facts(self._keeper), "error": reason})
            raise Unanswered(reason, token=isinstance(error, openai.AuthenticationError)) from None
        except openai.APIStatusError as error:
            response = error.response
        self._learn(response.request)
        # Before anything is cut out of it: half a token would not be known for one.
        headers = {name.lower(): self._keeper.text(value) for name, value in response.headers.items()}
        trace = headers.get("x-trace-id", "")
        if not trace.startswith("<"):  # It leads whoever runs the service to a user.
            self._keeper.learn(trace, "<trace id>")
        body = response.content if response.status_code < 400 else response.content[:LARGEST_ERROR]
        return Answer(status=response.status_code, headers=headers, body=self._keeper.without_tokens(body))

    def _learn(self, request: httpx.Request | None) -> None:
        if request is not None:
            self._keeper.learn_token(request.headers.get("authorization", "").partition(" ")[2])

    def _keep(self, question: Question, answer: Answer) -> None:
        body = self._keeper.body(answer.body) if answer.body else None
        facts = {"status": answer.status, "headers": self._keeper.headers(answer.headers), "body": body}
        self.exchanges.append({"request": question.facts(self._keeper), **facts})
