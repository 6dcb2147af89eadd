"""What the sandbox can be told: limits, latency and faults, with clocks handed in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ionos_openai.sandbox import Limits, Rate, Sandbox, SandboxRequest, SandboxResponse
from ionos_openai.sandbox.chat import purpose_of
from ionos_openai.sandbox.faults import read_latency
from ionos_openai.sandbox.limits import DOCUMENTED, Buckets, read_limits

IMAGE = b'{"model": "black-forest-labs/FLUX.2-klein-4B", "prompt": "a fox", "size": "16x16"}'


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(sandbox: Sandbox, path: str = "models", *, token: str = "x", body: bytes = b"") -> SandboxResponse:
    method = "POST" if body else "GET"
    headers = {"authorization": f"Bearer {token}"}
    return sandbox.respond(SandboxRequest(method=method, path=f"/v1/{path}", headers=headers, body=body))


def test_the_documented_limits() -> None:
    """10 images a minute, 20 in a burst; 5 requests a second, 10 in a burst."""
    assert read_limits("documented") == DOCUMENTED
    assert Limits(requests=Rate(per_minute=300, burst=10), images=Rate(per_minute=10, burst=20)) == DOCUMENTED
    assert read_limits("off") == read_limits(None) == Limits()
    assert read_limits("1.5:3") == Limits(images=Rate(per_minute=1.5, burst=3))
    assert read_limits(DOCUMENTED) is DOCUMENTED


@pytest.mark.parametrize(
    "text", ["", "10", ":", "0:5", "0.0:5", "5:0", "-1:5", "a:b", "1:2:3", "\u0661:\u0662", "1e9:1"]
)
def test_limits_that_cannot_work(text: str) -> None:
    """Limits that cannot be read, or would let nothing through, are refused."""
    with pytest.raises(ValueError) as caught:
        read_limits(text)
    expected = f"Limits are 'documented', 'off' or IMAGES_PER_MINUTE:BURST such as 10:20, not {text!r}."
    assert str(caught.value) == expected


@pytest.mark.parametrize("scale", [0, -1, 1e-320, 1e7, float("nan"), float("inf"), "1", None])
def test_time_scales_that_cannot_work(scale: Any) -> None:
    """A scale that is no number, or that no time can be told with, is refused."""
    with pytest.raises(ValueError, match=r"^time_scale is a number from 0\.001 to 1000000, not "):
        Sandbox(time_scale=scale)


@pytest.mark.parametrize("scale", [0.001, 1_000_000])
def test_the_slowest_and_the_fastest_time(scale: float) -> None:
    """At both ends, a limit is answered with a time to wait."""
    sandbox = Sandbox(limits="1:1", time_scale=scale, clock=Clock())
    assert ask(sandbox, "images/generations", body=IMAGE).status == 200
    assert ask(sandbox, "images/generations", body=IMAGE).headers["retry-after"] == str(max(1, int(60 / scale)))


def test_images_wait_for_the_bucket_to_fill() -> None:
    """After a burst of 20, one more image is let through every 6 s, and the answer says how long to wait."""
    clock = Clock()
    buckets = Buckets(Limits(images=DOCUMENTED.images), clock=clock)
    assert [buckets.take("a", image=True) for _ in range(20)] == [0.0] * 20
    assert buckets.take("a", image=True) == pytest.approx(6.0)
    clock.now = 5.5
    assert buckets.take("a", image=True) == pytest.approx(0.5)
    clock.now = 6.0
    assert buckets.take("a", image=True) == 0.0
    assert buckets.take("a", image=True) == pytest.approx(6.0)
    clock.now = 1000.0
    assert sum(buckets.take("a", image=True) == 0.0 for _ in range(30)) == 20


def test_who_is_refused_takes_nothing() -> None:
    """A refused image takes no request either, and other tokens and other requests have their own."""
    clock = Clock()
    buckets = Buckets(Limits(requests=Rate(per_minute=60, burst=3), images=Rate(per_minute=60, burst=1)), clock=clock)
    assert buckets.take("a", image=True) == 0.0
    assert [buckets.take("a", image=True) > 0 for _ in range(5)] == [True] * 5
    assert [buckets.take("a", image=False) == 0.0 for _ in range(3)] == [True, True, False]
    assert buckets.take("b", image=True) == 0.0


@given(
    rate=st.builds(Rate, per_minute=st.floats(0.1, 1e5), burst=st.integers(1, 50)),
    steps=st.lists(st.floats(0, 100), max_size=100),
)
def test_no_window_lets_more_through_than_it_may(rate: Rate, steps: list[float]) -> None:
    """In any stretch of time no more passes than the burst and what the rate adds; who waits as told gets through."""
    clock = Clock()
    buckets = Buckets(Limits(images=rate), clock=clock)
    passed: list[float] = []
    for step in steps:
        clock.now += step
        wait = buckets.take("a", image=True)
        if wait == 0:
            passed.append(clock.now)
        else:
            clock.now += wait + 1e-6
            assert buckets.take("a", image=True) == 0
            passed.append(clock.now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            allowed = rate.burst + (passed[last] - passed[first]) * rate.per_minute / 60
            assert last - first + 1 <= allowed + 1e-3


def test_time_can_run_faster() -> None:
    """At a scale of 60, the 6 s of an image are a tenth of a second; Retry-After is in whole seconds all the same."""
    clock = Clock()
    sandbox = Sandbox(limits="10:1", time_scale=60, clock=clock)
    statuses = []
    for clock.now in (0.0, 0.05, 0.101):
        answer = ask(sandbox, "images/generations", body=IMAGE)
        statuses.append((answer.status, answer.headers.get("retry-after")))
    assert statuses == [(200, None), (429, "1"), (200, None)]


def test_a_wrong_token_is_refused_before_it_is_counted() -> None:
    """A 401 takes nothing from a bucket."""
    sandbox = Sandbox(token="right", limits=Limits(requests=Rate(per_minute=1, burst=1)), clock=Clock())
    assert [ask(sandbox, token=token).status for token in ("wrong", "wrong", "right", "right")] == [401, 401, 200, 429]


def test_many_tokens_do_not_fill_the_memory() -> None:
    """Buckets of tokens that are long full again are forgotten."""
    buckets = Buckets(DOCUMENTED, clock=Clock())
    for number in range(25_000):
        buckets.take(str(number), image=False)
    assert len(buckets._full_at) <= 10_001


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (None, (0, 0)),
        (2, (2, 2)),
        (0.5, (0.5, 0.5)),
        ("2", (2, 2)),
        ("0.5-2", (0.5, 2)),
        ((1, 3.5), (1, 3.5)),
        ([0, 1], (0, 1)),
    ],
)
def test_latencies(option: Any, expected: tuple[float, float]) -> None:
    """A latency is seconds, or a range of them."""
    assert read_latency(option) == expected


@pytest.mark.parametrize(
    "option", ["", "x", "-1", "2-1", "1-2-3", -1, 5000, float("nan"), 10**400, (1,), (2, 1), ["0", 1], {}]
)
def test_latencies_that_cannot_work(option: Any) -> None:
    """A latency that is none is refused."""
    with pytest.raises(ValueError, match=r"A latency is seconds such as 2, or a range such as 0\.5-2, up to 3600; not"):
        read_latency(option)


def test_a_latency_is_told_and_not_slept() -> None:
    """Answers carry how long they take, the same in every run."""

    def delays() -> list[float]:
        sandbox = Sandbox(latency="0.5-2")
        return [ask(sandbox).delay for _ in range(20)]

    assert delays() == delays()
    assert 0.5 <= min(delays()) < 1 < 1.5 < max(delays()) <= 2


@pytest.mark.parametrize("faults", [{"server-error": 0.3}, ["server-error:0.3"], "server-error:0.3"])
def test_faults_at_a_rate(faults: Any) -> None:
    """A share of the requests meets a fault, the same ones in every run."""

    def statuses() -> list[int]:
        sandbox = Sandbox(faults=faults)
        return [ask(sandbox).status for _ in range(200)]

    assert statuses() == statuses()
    assert 40 < statuses().count(500) < 80


def test_faults_without_a_rate_befall_every_request() -> None:
    """Standing faults of pictures leave other requests alone, and a fault that is asked for comes first."""
    sandbox = Sandbox(faults=["no-data", "server-error:0"])
    assert json.loads(ask(sandbox, "images/generations", body=IMAGE).body) == {"data": []}
    assert ask(sandbox).status == 200
    sandbox.fault("html-502")
    assert ask(sandbox, "images/generations", body=IMAGE).status == 502


@pytest.mark.parametrize(
    "faults", [{"x": 1}, ["rate-limit:2"], ["rate-limit:"], {"rate-limit": -0.1}, "rate-limit:x", 5, [5]]
)
def test_faults_that_cannot_work(faults: Any) -> None:
    """A fault that does not exist, or a rate that is none, is refused."""
    with pytest.raises(ValueError, match=r"There is no fault|A fault's rate is from 0 to 1"):
        Sandbox(faults=faults)


@pytest.mark.parametrize(
    ("model", "purpose"),
    [
        ("black-forest-labs/FLUX.1-schnell", "images"),
        ("BAAI/bge-m3", "embeddings"),
        ("paraphrase-multilingual-mpnet-base-v2-migration", "embeddings"),
        ("Qwen/Qwen3-VL-Embedding-8B", "embeddings"),
        ("Qwen/Qwen3-VL-Reranker-8B", "other"),
        ("lightonai/LightOnOCR-2-1B", "other"),
        ("openai/gpt-oss-120b", "chat"),
    ],
)
def test_what_models_are_for(model: str, purpose: str) -> None:
    """A model is asked only for what its name promises."""
    assert purpose_of(model) == purpose


def test_limits_by_the_names_of_the_settings() -> None:
    """Limits can be given as a client's settings name them; the other number of a pair is as documented."""
    sandbox = Sandbox(clock=Clock())
    sandbox.limits(images_per_minute=60, image_burst=2)
    assert [ask(sandbox, "images/generations", body=IMAGE).status for _ in range(3)] == [200, 200, 429]
    assert [ask(sandbox).status for _ in range(50)] == [200] * 50
    sandbox.limits(requests_per_second=1)
    assert [ask(sandbox).status for _ in range(11)] == [200] * 10 + [429]
    sandbox.limits("off")
    assert ask(sandbox).status == 200
    with pytest.raises(ValueError, match=r"^Limits are given as one value or by their names, not both\.$"):
        sandbox.limits("off", image_burst=1)
    with pytest.raises(ValueError, match="a rate above 0"):
        sandbox.limits(images_per_minute=0)
    with pytest.raises(TypeError, match="images_per_hour"):
        sandbox.limits(images_per_hour=1)
