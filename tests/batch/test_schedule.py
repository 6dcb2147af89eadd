"""The course of a batch without a client: what a unit's state says, when a run is over, and what a line says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import openai
import pytest
from PIL import Image

from ionos_openai.batch.manifest import Manifest
from ionos_openai.batch.plan import Plan
from ionos_openai.batch.records import Record, read_line
from ionos_openai.batch.request import ImageRequest
from ionos_openai.batch.schedule import Schedule, Unit
from ionos_openai.errors import BudgetUnavailableError
from ionos_openai.errors.http import http_library
from ionos_openai.files.names import SavingSettings
from ionos_openai.hub.models import resolve_model
from ionos_openai.images import GeneratedImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "black-forest-labs/FLUX.1-schnell"


def image() -> GeneratedImage:
    """Return a picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    return GeneratedImage(data=buffer.getvalue(), format="JPEG", width=8, height=8, prompt="a")


@pytest.fixture
def now() -> list[float]:
    """The time, which only the test changes."""
    return [100.0]


@pytest.fixture
def schedule(tmp_path: Path, now: list[float]) -> Iterator[Schedule]:
    """The schedule of a prompt with two pictures."""
    plan = Plan(
        directory=tmp_path,
        saving=SavingSettings(file_names="prompt", provenance=False, prompt_in_metadata=False),
        model=MODEL,
        size=None,
        aspect_ratio=None,
        name_model=resolve_model,
        concurrency=2,
        max_attempts=2,
        max_images=None,
    )
    manifest = Manifest(tmp_path)
    yield Schedule([ImageRequest(prompt="a", n=2)], plan, manifest, lambda: now[0])
    manifest.close()


def take(schedule: Schedule) -> Unit:
    """Take a unit, which must be there, and begin it."""
    unit = schedule.take()
    assert isinstance(unit, Unit)
    assert unit.state == "taken"
    assert schedule.begin(unit)
    assert not schedule.begin(unit)  # it is sent once, whoever begins it
    return unit


def test_it_is_over_only_after_all_that_was_taken_is_settled(schedule: Schedule) -> None:
    """What comes back between the last question and the answer is neither lost nor left."""
    first, second = take(schedule), take(schedule)
    assert (schedule.take(), schedule.over, schedule.flying) == (None, False, 2)
    schedule.settle(first, [image()])
    schedule.settle(second, [image()])
    assert not schedule.over
    assert (schedule.take(), schedule.over, schedule.flying) == (None, True, 0)
    result = schedule.pop_result()
    assert result is not None
    assert [path.name for path in result.paths] == ["a.jpg", "a-2.jpg"]


def test_a_unit_says_what_became_of_it(schedule: Schedule, now: list[float]) -> None:
    """On its way, resting until its time has come, settled; and left where the run ends or nobody wants it."""
    first, second = take(schedule), take(schedule)
    assert (first.state, second.state) == ("flying", "flying")
    schedule.settle(first, openai.APIConnectionError(request=None))  # type: ignore[arg-type]
    assert (first.state, schedule.progress.retrying, schedule.take()) == ("resting", 1, 1.0)
    now[0] += 1
    assert take(schedule) is first
    schedule.settle(first, [image()])
    schedule.abandon(second)
    assert (first.state, second.state, schedule.progress.in_flight) == ("settled", "left", 0)
    assert schedule.pop_result() is None


def test_what_was_taken_and_not_begun_is_left_at_the_end(schedule: Schedule) -> None:
    """Whoever took it may have been interrupted; whoever comes late with it must not send it."""
    unit, sent = schedule.take(), take(schedule)
    assert isinstance(unit, Unit)
    schedule.end()
    assert (unit.state, sent.state, schedule.flying) == ("left", "flying", 1)
    assert not schedule.begin(unit)
    schedule.settle(sent, [image()])
    assert (sent.state, schedule.flying, schedule.take(), schedule.over) == ("settled", 0, None, True)


def test_a_redirect_ends_a_batch(schedule: Schedule) -> None:
    """It is refused, and the next prompt would meet it too."""
    http = http_library()
    response = http.Response(307, request=http.Request("POST", "https://openai.inference.de-txl.ionos.com/"))
    error = openai.APIStatusError("It redirects.", response=response, body=None)
    schedule.settle(take(schedule), error)
    assert schedule.pop_fatal() is error
    assert schedule.pop_result() is None


def test_an_outage_of_what_keeps_the_limits_is_sat_out(schedule: Schedule, now: list[float]) -> None:
    """Nothing was sent, so no prompt fails of it; after two minutes it ends the run."""
    gone = BudgetUnavailableError("Redis is gone.")
    first, second = take(schedule), take(schedule)
    schedule.settle(first, gone)
    schedule.settle(second, gone)
    assert (first.state, second.state, first.tries, schedule.take()) == ("resting", "resting", 0, 5.0)
    now[0] += 5
    schedule.settle(take(schedule), [image()])
    now[0] += 500
    schedule.settle(take(schedule), gone)
    assert schedule.fatal is None
    now[0] += 121
    schedule.settle(take(schedule), gone)
    assert (schedule.fatal, schedule.ending, schedule.progress.failed) == (gone, True, 0)


def test_a_wait_of_centuries_is_a_day_and_a_warning(
    schedule: Schedule, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """As a number and as a date; so for single calls."""
    for said in ("99999999999999999999", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT"):
        request = http_library().Request("POST", "https://example.com/")
        response = http_library().Response(429, headers={"Retry-After": said}, request=request)
        unit = take(schedule)
        schedule.settle(unit, openai.RateLimitError("slow down", response=response, body=None))
        assert schedule.take() == 86_400.0
        now[0] += 86_400
    assert "asks to wait 86400 s" in caplog.text


@pytest.mark.parametrize("broken", [None, 5, "x", [1], {"amount": "much"}])
@pytest.mark.parametrize("field", ["request", "metadata", "error", "started", "cost", "sandbox", "status"])
def test_a_line_with_a_broken_field_is_read_without_it(field: str, broken: Any) -> None:
    """Nothing raises, and what is said has the type that is promised."""
    record = Record({"id": "a", "files": [{"name": "a.jpg"}], field: broken})
    assert record.names == ("a.jpg",)
    assert record.files is None
    assert (record.prompt, record.model, record.size, record.seed, record.cost) == (None,) * 5
    assert (record.extra, record.sandbox) == ({}, False)
    assert isinstance(record.status, str)
    assert record.error is None or isinstance(record.error, str)
    assert isinstance(record.metadata, dict)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"id": 1}', b'{"id": "a", "files": 5}', b"\xff", b"[" * 9000])
def test_a_damaged_line_says_nothing(line: bytes) -> None:
    """It is none of ours."""
    assert read_line(line) is None


def test_half_a_surrogate_pair_is_read() -> None:
    """As such a line is written."""
    record = read_line(b'{"id": "a", "request": {"prompt": "\\ud800"}}')
    assert record is not None
    assert record.prompt == "\ud800"
