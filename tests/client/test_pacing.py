"""Paced clients: unchanged code gets its pictures within the limits. On virtual time: nobody sleeps."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import functools
import json
import logging
import math
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from unittest import mock

import openai
import pytest

from ionos_openai import BudgetExceededError, IonosSettings, create_async_client, create_client, generate_images
from ionos_openai.client import fanout
from ionos_openai.client.in_process import answering_async_client, answering_client
from ionos_openai.client.pacing import turns as pacing_module
from ionos_openai.client.pacing.ledgers import MemoryLedger
from ionos_openai.client.pacing.rates import Bucket, ContractLimits, Level, take
from ionos_openai.client.pacing.turns import Contract, PacedCall, current_call
from ionos_openai.errors import BudgetUnavailableError, ConfigurationError, IonosError
from ionos_openai.errors.http import http_library
from tests import REPOSITORY
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.loopback import LoopbackServer

FLUX = "black-forest-labs/FLUX.1-schnell"
PICTURE = {"created": 1, "data": [{"b64_json": base64.b64encode(b"x").decode()}]}
CHAT: dict[str, object] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}


class Service:
    """A service with the documented buckets, on a virtual clock; `answers` go first.

    Attributes:
        now: The virtual time in seconds.
        sent: Of each request: when it came, its prompt, its status.
        late: How many seconds a request is on its way.
    """

    def __init__(self) -> None:
        """Begin with full buckets."""
        self.now = 1_000_000.0
        self.late = 0.0
        self.sent: list[tuple[float, str | None, int]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.buckets = {
            "images": Bucket(name="images", capacity=20, interval=6.0),
            "requests": Bucket(name="requests", capacity=10, interval=0.2),
        }
        self._levels = dict.fromkeys(self.buckets, Level())

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def take_image(self) -> None:
        """Be a neighbour on the same contract who makes an image."""
        self._levels["images"], _ = take(self._levels["images"], self.buckets["images"], self.now)

    def answer(self, request: Any) -> Any:
        """Answer a request."""
        is_image = "/images/" in request.url.path
        prompt = json.loads(request.read()).get("prompt") if request.content.startswith(b"{") else None
        status, headers = self.answers.pop(0) if self.answers else self._judge(images=is_image)
        self.sent.append((self.now, prompt, status))
        body = PICTURE if is_image else CHAT
        return http_library().Response(status, headers=headers, json=body if status == 200 else {"message": "no"})

    def _judge(self, *, images: bool) -> tuple[int, dict[str, str]]:
        for name in ("requests", *(["images"] if images else [])):
            level, grant = take(self._levels[name], self.buckets[name], self.now + self.late, longest=1e-6)
            self._levels[name] = level
            if not grant.granted:
                return 429, {"Retry-After": str(math.ceil(grant.delay))}
        return 200, {}

    @property
    def statuses(self) -> list[int]:
        """The statuses of all answers, in order."""
        return [status for _, _, status in self.sent]

    @property
    def made(self) -> list[str | None]:
        """The prompts of the pictures that were made, in order."""
        return [prompt for _, prompt, status in self.sent if status == 200]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service, on whose clock paced clients wait and the SDK sleeps."""
    service = Service()
    ledgers: dict[str, MemoryLedger] = {}
    monkeypatch.setattr(time, "sleep", service.sleep)
    clock = functools.partial(getattr, service, "now")
    monkeypatch.setattr(pacing_module, "Contract", functools.partial(Contract, clock=clock, sleep=service.sleep))
    monkeypatch.setattr(
        pacing_module, "_open_ledger", lambda _, name: ledgers.setdefault(name, MemoryLedger(clock=clock))
    )
    return service


def client_for(service: Service, **options: Any) -> openai.OpenAI:
    """Return a paced client of the service."""
    return create_client(
        **{"api_key": make_token(), "pace": True, "http_client": answering_client(service.answer), **options}
    )


def draw(client: openai.OpenAI, prompt: str = "a fox") -> None:
    """Ask for a picture, as code on the SDK does."""
    client.images.generate(model=FLUX, prompt=prompt)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose waits pass at once on a service's clock."""

    def __init__(self, service: Service) -> None:
        """Take the time from `service`."""
        super().__init__()
        select = self._selector.select  # type: ignore[attr-defined]  # the standard library's own

        def at_once(timeout: float | None = None) -> Any:
            if timeout:
                service.sleep(timeout)
            return select(0 if timeout is not None else 0.05)

        self._selector.select = at_once  # type: ignore[attr-defined]
        self.time = lambda: service.now  # type: ignore[method-assign]


def run_virtually(service: Service, main: Callable[[openai.AsyncOpenAI], Any], **options: Any) -> Any:
    """Run a coroutine with a paced async client of the service, on its clock."""

    async def answer(request: Any) -> Any:
        return service.answer(request)

    async def with_client() -> Any:
        http = openai.DefaultAsyncHttpxClient(transport=http_library().MockTransport(answer))
        async with create_async_client(
            **{"api_key": make_token(), "pace": True, "http_client": http, **options}
        ) as client:
            return await main(client)

    # Virtual time does not wait for threads, so the loop stands still until one is through.
    async def in_thread(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(contextvars.copy_context().run, function, *arguments).result()

    with (
        mock.patch("anyio.to_thread.run_sync", in_thread),
        mock.patch("asyncio.to_thread", in_thread),
        mock.patch("openai._utils._sync.to_thread", in_thread, create=True),
        asyncio.Runner(loop_factory=lambda: VirtualLoop(service)) as runner,
    ):
        return runner.run(with_client())


async def adraw(client: openai.AsyncOpenAI, prompt: str = "a fox") -> None:
    """Ask for a picture, as async code on the SDK does."""
    await client.images.generate(model=FLUX, prompt=prompt)


def ideal(images: int) -> float:
    """Return the seconds that the documented bucket takes for so many."""
    return (images - 20) * 6.0


# Unchanged code.


def test_a_loop_gets_all_pictures_without_a_429(service: Service) -> None:
    """300 prompts in a row take what the bucket takes."""
    begin, client = service.now, client_for(service)
    for _ in range(300):
        draw(client)
    assert service.statuses == [200] * 300
    assert service.now - begin <= 1.03 * ideal(300)


def test_gathered_calls_get_all_pictures_first_come_first_served(service: Service) -> None:
    """100 prompts at once, in their order."""
    prompts = [f"fox {number}" for number in range(100)]
    begin = service.now

    async def main(client: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(adraw(client, prompt) for prompt in prompts))

    run_virtually(service, main)
    assert service.statuses == [200] * 100
    assert service.made == prompts
    assert service.now - begin <= 1.03 * ideal(100)


def test_a_thread_pool_gets_all_pictures(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """On real time, with limits that pass quickly; the server sees no span with more than the limit."""
    from tests.loopback import Answer

    server.default = Answer(body=PICTURE)
    arrived: list[float] = []
    settings = IonosSettings(images_per_minute=6000, image_burst=5, requests_per_second=10_000, request_burst=100)
    with create_client(api_key="t", base_url=server.url, pace=True, settings=settings) as client:

        def work(number: int) -> None:
            draw(client, f"fox {number}")
            arrived.append(time.monotonic())

        begin = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(30)))
    assert len(server.requests) == 30
    assert time.monotonic() - begin >= (30 - 4) * 0.01


def test_several_pictures_of_one_call_are_paced_each(service: Service) -> None:
    """`n=3` is three requests, so three turns."""
    begin = service.now

    async def main(client: openai.AsyncOpenAI) -> None:
        await client.images.generate(model=FLUX, prompt="a fox", n=3)

    run_virtually(service, main, settings=IonosSettings(image_burst=2))
    assert service.now - begin == pytest.approx(12.0)


def test_after_a_failure_nothing_that_waits_is_sent(service: Service) -> None:
    """Of three pictures the second is refused, so the third, which waits for its turn, is not asked for."""
    service.answers = [(200, {}), (400, {})]

    async def main(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.BadRequestError):
            await client.images.generate(model=FLUX, prompt="a fox", n=3)

    run_virtually(service, main, settings=IonosSettings(image_burst=2))
    assert service.statuses == [200, 400]


def test_several_calls_are_waited_for_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows lets no Ctrl-C through to a wait without an end; here it comes at the second look."""
    go_on, looks = threading.Event(), []

    class Inbox(queue.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if timeout is None:  # what waits to be sent
                return super().get(block)
            looks.append(timeout)
            if len(looks) == 2:
                go_on.set()
                raise KeyboardInterrupt
            return super().get(block, 0.0 if len(looks) == 1 else timeout)

    monkeypatch.setattr(fanout, "SimpleQueue", Inbox)
    asked = fanout.FanOut[bool](2)
    asked.send(lambda: go_on.wait(10))
    assert (asked.answers, looks[:2]) == ([True, True], [0.5, 0.5])
    assert [type(failure) for failure in asked.failures] == [KeyboardInterrupt]


def test_only_images_count_as_images(service: Service) -> None:
    """Chat goes at the rate of requests, also while images wait."""
    begin, client = service.now, client_for(service)
    for _ in range(19):
        draw(client)
    for _ in range(10):
        client.chat.completions.create(model="m", messages=[])
    assert service.statuses == [200] * 29
    assert service.now - begin == pytest.approx((29 - 8) * 0.2)


def test_edits_count_as_images(service: Service) -> None:
    """They make pictures too."""
    begin = service.now
    client = client_for(service, settings=IonosSettings(image_burst=2))
    for _ in range(3):
        client.images.edit(model="black-forest-labs/FLUX.2-klein-4B", image=b"\x89PNG\r\n\x1a\n", prompt="a hat")
    assert service.now - begin == pytest.approx(12.0)


def test_copies_share_the_budget_of_their_contract(service: Service) -> None:
    """`with_options` and `copy` keep it, and so does another client; another contract's token has its own."""
    begin, client = service.now, client_for(service, settings=IonosSettings(image_burst=2))
    other = client_for(service, settings=IonosSettings(image_burst=2), max_wait=60)
    for one in (client, client.with_options(timeout=5), client.copy(), other):
        draw(one)
    assert service.now - begin == pytest.approx(18.0)
    draw(client.copy(api_key=make_token(identity={"contractNumber": 7})))
    assert service.now - begin == pytest.approx(18.0)


def test_a_callables_token_says_the_contract(service: Service) -> None:
    """It is asked once more than there are requests, for as long as the client and its copies live."""
    asked: list[int] = []

    def token() -> str:
        asked.append(1)
        return make_token()

    begin, client = service.now, client_for(service, api_key=token, settings=IonosSettings(image_burst=2))
    draw(client)
    draw(client.with_options(timeout=5))
    draw(client_for(service, settings=IonosSettings(image_burst=2)))
    assert service.now - begin == pytest.approx(12.0)
    assert len(asked) == 3


# A 429.


def test_a_busy_neighbour_costs_time_and_no_picture(service: Service) -> None:
    """Whoever else spends the contract's images: each call ends with a picture."""
    client = client_for(service)
    for number in range(60):
        draw(client, f"fox {number}")
        if number % 3 == 0:
            service.take_image()
    assert service.made == [f"fox {number}" for number in range(60)]
    assert 429 in service.statuses


def test_after_429s_an_earlier_call_goes_first(service: Service) -> None:
    """Calls that were refused keep their place before those that came later."""
    prompts = [f"fox {number}" for number in range(12)]
    service.answers = [(429, {"Retry-After": "30"})] * 4

    async def main(client: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(adraw(client, prompt) for prompt in prompts))

    run_virtually(service, main, settings=IonosSettings(image_burst=5))
    assert sorted(service.made, key=lambda prompt: int(str(prompt)[4:])) == prompts
    assert {service.made.index(prompt) for prompt in prompts[:4]} <= set(range(5))  # behind the one in line
    assert service.statuses.count(429) == 4


@pytest.mark.parametrize("seconds", [7, 90, 200])
def test_retry_after_is_obeyed_whatever_its_length(service: Service, seconds: int) -> None:
    """The plain SDK ignores or gives up on long ones."""
    begin = service.now
    service.answers = [(429, {"Retry-After": str(seconds)})]
    draw(client_for(service))
    assert [(at - begin, status) for at, _, status in service.sent] == [(0, 429), (pytest.approx(seconds), 200)]


def test_retry_after_may_be_a_date(service: Service) -> None:
    """It counts from the answer's own date."""
    begin, now = service.now, datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    headers = {
        "Retry-After": format_datetime(now + timedelta(seconds=40), usegmt=True),
        "Date": format_datetime(now, usegmt=True),
    }
    service.answers = [(429, headers)]
    draw(client_for(service))
    assert service.now - begin == pytest.approx(40)


def test_a_429_sets_the_bucket_back_for_everyone(service: Service) -> None:
    """Another client's next picture waits too; its chat does not."""
    begin = service.now
    service.answers = [(429, {"Retry-After": "30"})]
    with pytest.raises(openai.RateLimitError):
        draw(client_for(service, max_retries=0))
    other = client_for(service)
    other.chat.completions.create(model="m", messages=[])
    assert service.now == begin
    draw(other)
    assert service.now - begin == pytest.approx(30)


@pytest.mark.parametrize("where", ["client", "copy"])
def test_without_retries_a_429_is_an_error_at_once(service: Service, where: str) -> None:
    """It is the SDK's own, with the service's answer."""
    service.answers = [(429, {"Retry-After": "30"})]
    client = (
        client_for(service, max_retries=0) if where == "client" else client_for(service).with_options(max_retries=0)
    )
    with pytest.raises(openai.RateLimitError) as caught:
        draw(client)
    assert not isinstance(caught.value, IonosError)
    assert caught.value.response.headers["retry-after"] == "30"


def test_429s_spend_none_of_the_sdks_retries(service: Service) -> None:
    """Ten of them, then two 500s, then the picture."""
    service.answers = [(429, {"Retry-After": "1"})] * 10 + [(500, {})] * 2
    draw(client_for(service))
    assert service.statuses == [429] * 10 + [500, 500, 200]


def test_other_failures_are_retried_as_often_as_the_sdk_does(service: Service) -> None:
    """Three attempts, each with its turn."""
    service.answers = [(503, {})] * 3
    with pytest.raises(openai.InternalServerError):
        draw(client_for(service))
    assert service.statuses == [503] * 3


def test_an_open_file_is_sent_whole_after_a_429(service: Service, tmp_path: Path) -> None:
    """Also where requests are not adapted."""
    sizes: list[int] = []

    def answer(request: Any) -> Any:
        sizes.append(len(request.read()))
        return service.answer(request)

    path = tmp_path / "fox.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    service.answers = [(429, {"Retry-After": "1"})]
    with path.open("rb") as file:
        client_for(service, compat="off", http_client=answering_client(answer)).images.edit(
            model="m", image=file, prompt="a hat"
        )
    assert len(sizes) == 2
    assert sizes[0] == sizes[1] > 1000


# max_wait.


def test_a_wait_that_would_be_too_long_is_an_error_at_once(service: Service) -> None:
    """It says when, it is the SDK's RateLimitError, and nothing was sent or waited for."""
    client = client_for(service, settings=IonosSettings(image_burst=2), max_wait=5)
    draw(client)
    begin = service.now
    with pytest.raises(openai.RateLimitError) as caught:
        draw(client)
    error = caught.value
    assert isinstance(error, BudgetExceededError)
    assert str(error) == (
        "The contract's limit of images has no turn left within max_wait=5 s: the next is in 6.0 s. Try again then, or "
        "raise max_wait= or IONOS_MAX_WAIT."
    )
    assert error.retry_after == pytest.approx(6.0)
    assert (error.status_code, error.response.headers["retry-after"]) == (429, "6")
    assert (service.now, len(service.sent)) == (begin, 1)
    service.sleep(2)
    draw(client)
    assert service.statuses == [200, 200]


def test_of_many_calls_those_that_would_come_too_late_fail_at_once(service: Service) -> None:
    """The others go; 20 s are enough for the burst and three more."""
    begin = service.now
    failed: list[float] = []

    async def one(client: openai.AsyncOpenAI) -> None:
        try:
            await adraw(client)
        except BudgetExceededError:
            failed.append(service.now - begin)

    async def main(client: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(one(client) for _ in range(50)))

    run_virtually(service, main, max_wait=20)
    assert service.statuses == [200] * 22
    assert len(failed) == 28


def test_a_call_behind_others_fails_at_once(service: Service) -> None:
    """Without waiting to be the first in line; `retry_after` counts those ahead."""
    late: list[tuple[float, float]] = []

    async def main(client: openai.AsyncOpenAI) -> None:
        options: Any = {"api_key": make_token(), "pace": True, "settings": settings, "http_client": client._client}
        hurried = create_async_client(max_wait=5, **options)
        begin = service.now
        waiting = [asyncio.create_task(adraw(client)) for _ in range(10)]
        await asyncio.sleep(1)
        try:
            await adraw(hurried)
        except BudgetExceededError as error:
            late.append((service.now - begin, error.retry_after))
        await asyncio.gather(*waiting)

    settings = IonosSettings(image_burst=2)
    run_virtually(service, main, settings=settings)
    assert late == [(pytest.approx(1.0), pytest.approx(59.0))]


def test_max_wait_bounds_a_429_too(service: Service) -> None:
    """The service's wait is longer than what is left."""
    service.answers = [(429, {"Retry-After": "30"})]
    with pytest.raises(BudgetExceededError) as caught:
        draw(client_for(service, max_wait=20))
    assert str(caught.value) == (
        "The service answered 429 and asks to wait 30.0 s, longer than max_wait=20 s allows. Try again then, or raise "
        "max_wait= or IONOS_MAX_WAIT."
    )
    assert isinstance(caught.value.__cause__, openai.RateLimitError)
    assert caught.value.retry_after == 30


def test_max_wait_bounds_all_waits_of_a_call_together(service: Service) -> None:
    """Two 429s of 8 s each are more than 15 s."""
    service.answers = [(429, {"Retry-After": "8"})] * 2
    with pytest.raises(BudgetExceededError):
        draw(client_for(service, max_wait=15))
    assert service.statuses == [429, 429]


def test_max_wait_bounds_the_sdks_own_sleeps(service: Service) -> None:
    """A 503 that asks for 30 s."""
    service.answers = [(503, {"Retry-After": "30"})]
    with pytest.raises(BudgetExceededError) as caught:
        draw(client_for(service, max_wait=20))
    assert str(caught.value) == (
        "The attempt failed, and the next would be in 30.0 s, later than max_wait=20 s allows. Try again then, or "
        "raise max_wait= or IONOS_MAX_WAIT."
    )


def test_max_wait_of_zero_never_waits(service: Service) -> None:
    """What may go at once goes."""
    client = client_for(service, max_wait=0, settings=IonosSettings(image_burst=3))
    draw(client)
    draw(client)
    with pytest.raises(BudgetExceededError):
        draw(client)
    assert service.statuses == [200, 200]


@pytest.mark.parametrize("max_wait", [-1, math.nan, "5", True])
def test_a_max_wait_that_is_no_number_of_seconds_is_an_error(max_wait: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"^max_wait= is not a number of seconds from 0: leave it out"):
        create_client(api_key="t", max_wait=max_wait)


# Waiting.


def test_a_cancelled_wait_moves_the_others_up(service: Service) -> None:
    """Its unit goes to the next in line, or back."""
    begin = service.now

    async def main(client: openai.AsyncOpenAI) -> None:
        tasks = [asyncio.create_task(adraw(client, f"fox {number}")) for number in range(5)]
        await asyncio.sleep(1)
        tasks[1].cancel()  # the first in line
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        late = asyncio.create_task(adraw(client, "never"))
        await asyncio.sleep(1)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        await adraw(client, "last")

    run_virtually(service, main, settings=IonosSettings(image_burst=2))
    assert service.made == ["fox 0", "fox 2", "fox 4", "last"]
    assert [at - begin for at, _, _ in service.sent] == pytest.approx([0, 6, 12, 18])


def test_an_interrupted_wait_gives_its_unit_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting: the next call takes that turn."""
    begin, client = service.now, client_for(service, settings=IonosSettings(image_burst=2))
    draw(client)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    contract = client.ionos_pacing.contract(make_token())  # type: ignore[attr-defined]
    monkeypatch.setattr(contract, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw(client)
    monkeypatch.setattr(contract, "sleep", service.sleep)
    draw(client)
    assert service.now - begin == pytest.approx(6)


def test_two_event_loops_do_not_disturb_each_other(service: Service) -> None:
    """A task that waits in a loop which no longer runs holds nobody up."""

    async def leave_waiting(client: openai.AsyncOpenAI) -> None:
        stuck.append(asyncio.create_task(adraw(client, "stuck")))
        await asyncio.sleep(0.1)

    stuck: list[asyncio.Task[None]] = []
    settings = IonosSettings(image_burst=2)
    loop = VirtualLoop(service)
    http = answering_async_client(service.answer)
    client = create_async_client(api_key=make_token(), pace=True, settings=settings, http_client=http)
    draw(client_for(service, settings=settings))
    loop.run_until_complete(leave_waiting(client))
    draw(client_for(service, settings=settings), "free")
    assert service.made == ["a fox", "free"]
    stuck[0].cancel()
    loop.run_until_complete(asyncio.gather(*stuck, return_exceptions=True))
    loop.close()


def test_the_first_long_wait_of_a_process_is_a_warning(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """It gives the wait and the switch; later ones are information."""
    client = client_for(service, settings=IonosSettings(image_burst=2))
    with caplog.at_level(logging.INFO, logger="ionos_openai"):
        for _ in range(3):
            draw(client)
    assert [record.levelname for record in caplog.records if record.name == "ionos_openai"] == ["WARNING", "INFO"]
    assert caplog.messages[0] == (
        "Waiting 6 s for the contract's limit on images (one every 6 s). max_wait= or IONOS_MAX_WAIT bounds such "
        "waits, pace=False or IONOS_PACE=off turns them off."
    )


def test_a_lost_redis_stops_requests(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent unpaced, and nobody is left waiting in line."""
    client = client_for(service)
    ledger = client.ionos_pacing.contract(make_token()).ledger  # type: ignore[attr-defined]

    def gone(*args: object, **options: object) -> None:
        raise BudgetUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "take", gone)
        for _ in range(2):
            with pytest.raises(BudgetUnavailableError):
                draw(client)
    assert service.sent == []
    draw(client)


def test_an_async_client_asks_a_remote_ledger_in_a_thread(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop is never blocked by Redis; 40 pictures come all the same."""
    asked_in: set[int] = set()
    client = client_for(service)
    ledger = client.ionos_pacing.contract(make_token()).ledger  # type: ignore[attr-defined]
    take_from, ledger.is_slow = ledger.take, lambda: True

    def noted(*args: Any, **options: Any) -> Any:
        asked_in.add(threading.get_ident())
        return take_from(*args, **options)

    monkeypatch.setattr(ledger, "take", noted)

    async def main(client: openai.AsyncOpenAI) -> None:
        await asyncio.gather(*(adraw(client) for _ in range(40)))

    run_virtually(service, main)
    assert service.statuses == [200] * 40
    assert threading.get_ident() not in asked_in


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_others_wait_is_safe(tmp_path: Path) -> None:
    """The child has queues and locks of its own, and shares the file."""
    code = """
import os, sys, threading, time
from pathlib import Path
from ionos_openai.client.pacing import turns
from ionos_openai.client.pacing.rates import ContractLimits
from ionos_openai.client.pacing.turns import PacedCall, Pacing
turns.reset(state_directory=Path(sys.argv[1]))
plan = Pacing(limits=ContractLimits(images_per_minute=600, image_burst=2))
def draw(): PacedCall(plan.contract("t"), images=True).wait()
draw()
threads = [threading.Thread(target=draw) for _ in range(5)]
for thread in threads: thread.start()
child = os.fork()
if child == 0:
    begin = time.monotonic(); draw(); draw()
    os._exit(0 if time.monotonic() - begin > 0.1 else 3)
for thread in threads: thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stderr) == (0, "")


# Whether.


@pytest.mark.parametrize(
    ("options", "environment", "paces"),
    [
        ({}, None, True),
        ({"base_url": "https://other.ionos.com"}, None, True),
        ({"base_url": "http://127.0.0.1:1"}, None, False),
        ({"base_url": "https://gateway.example"}, None, False),
        ({"base_url": "https://ionos.com.example"}, None, False),
        ({"base_url": "https://gateway.example"}, "on", True),
        ({"base_url": "https://gateway.example", "pace": True}, None, True),
        ({}, "off", False),
        ({"pace": False}, "on", False),
        ({"pace": True}, "off", True),
        ({"sandbox": True}, None, False),
        ({"sandbox": True}, "on", False),
        ({"sandbox": True, "pace": True}, None, True),
    ],
)
def test_whether_a_client_is_paced(
    options: dict[str, Any], environment: str | None, paces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default towards IONOS' hosts alone; arguments win over the settings; the stand-in has to be named in code."""
    monkeypatch.delenv("IONOS_PACE")
    if environment:
        monkeypatch.setenv("IONOS_PACE", environment)
    for make in (create_client, create_async_client):
        client: Any = make(**({} if options.get("sandbox") else {"api_key": make_token()}), **options)
        assert (client.ionos_pacing is not None) is paces
        assert (client.with_options(timeout=1).ionos_pacing is not None) is paces


def test_the_stand_in_makes_100_pictures_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users' own tests take no eight minutes."""
    monkeypatch.delenv("IONOS_PACE")

    def refuse(*args: object) -> None:
        pytest.fail("the stand-in was paced")

    monkeypatch.setattr(PacedCall, "wait", refuse)
    client = create_client(sandbox=True)
    assert len(generate_images(client, "a fox", n=100, model="klein", size="64x64")) == 100


def test_without_pacing_a_429_is_the_sdks(service: Service) -> None:
    """Three attempts, then its error."""
    service.answers = [(429, {"Retry-After": "1"})] * 3
    with pytest.raises(openai.RateLimitError):
        draw(client_for(service, pace=False))
    assert service.statuses == [429] * 3


def test_other_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """All four, and the bound."""
    values = {
        "IONOS_IMAGES_PER_MINUTE": "60",
        "IONOS_IMAGE_BURST": "100",
        "IONOS_REQUESTS_PER_SECOND": "50",
        "IONOS_REQUEST_BURST": "200",
        "IONOS_MAX_WAIT": "30",
        "IONOS_PACE": "on",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    client: Any = create_client(api_key="t")
    assert client.ionos_pacing.limits == ContractLimits(
        images_per_minute=60, image_burst=100, requests_per_second=50, request_burst=200
    )
    assert client.ionos_pacing.max_wait == 30


def test_a_redis_that_is_not_there_is_an_error_when_the_client_is_made() -> None:
    """Not at the first picture; without the password."""
    pytest.importorskip("redis")
    settings = IonosSettings(budget_url="redis://:pass-CANARY@127.0.0.1:1/0")
    assert "CANARY" not in repr(settings)
    with pytest.raises(BudgetUnavailableError, match=r"^Redis at redis://127\.0\.0\.1:1/0 keeps") as caught:
        create_client(api_key="t", pace=True, settings=settings)
    assert "CANARY" not in repr(caught.value)


def test_a_client_within_a_clients_request_is_its_own(service: Service) -> None:
    """A token that another, unpaced client fetches spends no turn of the first one's."""
    inner = create_client(api_key="t", pace=False, http_client=answering_client(service.answer))
    seen: list[object] = []

    def answer(request: Any) -> Any:
        seen.append(current_call())
        return service.answer(request)

    plain = create_client(api_key="t", pace=False, http_client=answering_client(answer))

    def token() -> str:
        inner.models.list()
        plain.models.list()
        return make_token()

    draw(client_for(service, api_key=token))
    assert seen == [None, None]


def test_what_waits_is_kept_where_the_user_keeps_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One small file a contract, without the token."""
    pacing_module.reset(state_directory=tmp_path / "ionos-openai")
    token = make_token()
    PacedCall(pacing_module.Pacing().contract(token), images=True).wait()
    (path,) = (tmp_path / "ionos-openai").iterdir()
    assert path.name == "contract-31000000.json"
    assert path.stat().st_size == 512
    assert token not in path.read_text()
    assert set(json.loads(path.read_text())) == {"images", "requests"}


# The recipe.


async def test_the_readmes_web_application(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers with a picture, and where the limit leaves no turn with a 503 that says when."""
    fastapi = pytest.importorskip("fastapi")
    recipe = REPOSITORY / "tests" / "recipes" / "web_application.py"
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    web: dict[str, Any] = {"__name__": "web"}
    exec(compile(recipe.read_text(encoding="utf-8"), recipe.name, "exec"), web)
    answer = await web["picture"]("a fox")
    assert (answer.status_code, answer.media_type, answer.body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    settings = IonosSettings(image_burst=2)
    web["client"] = create_async_client(sandbox=True, pace=True, max_wait=5, settings=settings)
    await web["picture"]("a fox")
    with pytest.raises(fastapi.HTTPException) as caught:
        await web["picture"]("a fox")
    assert (caught.value.status_code, caught.value.headers) == (503, {"Retry-After": "6"})
