"""Traces and metrics of requests for pictures, by OpenTelemetry where `opentelemetry-api` is installed; else nothing.

A request is one CLIENT span, `image_generation MODEL`, with the attributes of OpenTelemetry's GenAI conventions that
fit, and what nobody else can tell under `ionos.`. Several pictures of one call have a parent. A batch is a span that
its requests are linked to; a row with a `traceparent` in its metadata continues that trace. Pictures are never in it,
prompts only with `IONOS_TELEMETRY_CONTENT=on`. Chat and embeddings are left to the instrumentations that there are.

Source: OpenTelemetry semantic conventions for GenAI, and pydantic-ai's `ImageGenerator`, 2026-11.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import pybase64
from openai.types import ImagesResponse

from ionos_openai.client.pacing.turns import holding
from ionos_openai.files.formats import is_marked_sandbox, recognise
from ionos_openai.hub.prices import parse_prices, price_of
from ionos_openai.provenance import has_c2pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2 as httpx

    from ionos_openai.client.calls import Remembered
    from ionos_openai.client.settings import IonosSettings

_NAME = "ionos_openai"
_OPERATION = "image_generation"
_INSTRUMENTS = {
    "gen_ai.client.operation.duration": ("create_histogram", "s"),
    "ionos.client.wait.duration": ("create_histogram", "s"),
    "ionos.client.images": ("create_counter", "{image}"),
    "ionos.client.refusals": ("create_counter", "{response}"),
    "ionos.client.cost": ("create_counter", "1"),
    "ionos.batch.rows_left": ("create_gauge", "{row}"),
}


@functools.cache
def _api() -> Any:
    """Return the tracer, what makes links and statuses, the instruments, and `metrics`; None without OpenTelemetry."""
    try:
        trace, metrics = import_module("opentelemetry.trace"), import_module("opentelemetry.metrics")
    except ImportError:
        return None
    meter = metrics.get_meter(_NAME)
    instruments = {name: getattr(meter, make)(name, unit=unit) for name, (make, unit) in _INSTRUMENTS.items()}
    return trace.get_tracer(_NAME), trace, instruments, metrics


def _is_on(settings: IonosSettings | None) -> bool:
    return (settings is None or settings.telemetry != "off") and _api() is not None


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that are not None: an attribute has a value."""
    return {name: fact for name, fact in facts.items() if fact is not None}


@dataclass(slots=True)
class PictureCall:
    """One request for a picture on its way, with all its attempts."""

    settings: IonosSettings | None
    remembered: Remembered | None  # None where it is for no picture, of which nothing is told
    url: httpx.URL
    waited: float = 0.0  # seconds, for the contract's limits
    attempts: int = 0
    refusals: int = 0  # answers of 429
    _status: int | None = None
    _trace: str | None = None
    _came: dict[str, Any] = field(default_factory=dict)
    _began: float = 0.0
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _span: Any = None
    _part: Any = None  # the span of the attempt that is being made

    def __enter__(self) -> Self:
        """Begin the span, where anybody looks at it."""
        if self.remembered is None or not _is_on(self.settings):
            return self
        tracer, trace, *_ = _api()
        batch, parent = _batch.get()
        self._span = self._held.enter_context(
            tracer.start_as_current_span(
                f"{_OPERATION} {self.remembered.model}",
                context=parent,
                kind=trace.SpanKind.CLIENT,
                links=[trace.Link(batch)] if batch is not None else None,
                record_exception=False,
                set_status_on_exception=False,
            )
        )
        self._began = time.monotonic()
        self._held.enter_context(holding(_current, self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """End it, and count."""
        if self._span is None or self.remembered is None:
            return
        self._end_part()
        with self._held:
            if self._is_seen():
                self._tell(self.remembered, kind)

    def _is_seen(self) -> bool:
        """Tell whether anybody looks: the API's own providers, which stand in for a missing one, keep nothing."""
        provider = type(_api()[3].get_meter_provider())
        return self._span.is_recording() or not provider.__module__.startswith("opentelemetry.metrics")

    def _tell(self, remembered: Remembered, kind: type[BaseException] | None) -> None:
        _, trace, instruments, _ = _api()
        known = _told(self._known(remembered) | {"error.type": kind and kind.__qualname__})
        if kind is not None:  # without its words, in which a prompt may be
            self._span.set_status(trace.Status(trace.StatusCode.ERROR, kind.__qualname__))
        details = {
            "ionos.wait.seconds": self.waited,
            "ionos.attempts": self.attempts,
            "ionos.refusals": self.refusals,
            "ionos.trace_id": self._trace,
            "ionos.request.size": remembered.size,
            "ionos.request.edit": remembered.edited,
            "gen_ai.prompt": remembered.prompt if self.settings and self.settings.telemetry_content else None,
        }
        self._span.set_attributes(_told(known | details | self._came))
        instruments["gen_ai.client.operation.duration"].record(time.monotonic() - self._began, known)
        instruments["ionos.client.wait.duration"].record(self.waited, known)
        instruments["ionos.client.refusals"].add(self.refusals, known)
        instruments["ionos.client.images"].add(int("ionos.image.format" in self._came), known)
        if (amount := self._came.get("ionos.cost.amount")) is not None:
            instruments["ionos.client.cost"].add(amount, {**known, "currency": self._came["ionos.cost.currency"]})

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            part.set_attributes(_told({"http.response.status_code": self._status}))
            part.end()

    def _known(self, remembered: Remembered) -> dict[str, Any]:
        """Return what both the span and the metrics say."""
        return {
            "gen_ai.operation.name": _OPERATION,
            "gen_ai.provider.name": "ionos",
            "gen_ai.request.model": remembered.model,
            "gen_ai.output.type": "image",
            "server.address": self.url.host,
            "server.port": self.url.port or (443 if self.url.scheme == "https" else 80),
            "http.response.status_code": self._status,
        }

    def take(self, answer: Any) -> Any:
        """Return an answer, having noted what came where somebody looks; a raw one is not opened for it."""
        if self._span is None or not isinstance(answer, ImagesResponse) or not answer.data or not self._is_seen():
            return answer
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            data = pybase64.b64decode(answer.data[0].b64_json or (answer.data[0].url or "").partition(",")[2])
            found, is_placeholder = recognise(data), is_marked_sandbox(data)
            model, prices = (self.remembered and self.remembered.model) or "", self.settings and self.settings.prices
            price = None if is_placeholder else price_of(model, parse_prices(prices or ""))
            self._came = {
                "ionos.image.format": found.format,
                "ionos.image.size": f"{found.width}x{found.height}",
                "ionos.image.placeholder": is_placeholder,
                "ionos.image.signed": has_c2pa(data),
                "ionos.cost.amount": price and float(price.amount),
                "ionos.cost.currency": price and price.currency,
            }
        return answer


_current: contextvars.ContextVar[PictureCall | None] = contextvars.ContextVar("ionos_openai_picture", default=None)
# The span of a batch, to which its requests are linked, and the context that a row's `traceparent` names.
_batch: contextvars.ContextVar[tuple[Any, Any]] = contextvars.ContextVar("ionos_openai_batch", default=(None, None))


def note_response(response: httpx.Response) -> None:
    """Note an answer to an attempt."""
    if (call := _current.get()) is not None:
        call._status, call._trace = response.status_code, response.headers.get("x-trace-id")
        call.refusals += response.status_code == 429
        call._end_part()


@contextlib.contextmanager
def attempt() -> Iterator[None]:
    """Note an attempt, which waits for its turn in the block; at `IONOS_TELEMETRY=detailed` both are spans."""
    if (call := _current.get()) is None:
        yield
        return
    began = time.monotonic()
    is_detailed = call.settings is not None and call.settings.telemetry == "detailed"
    call._end_part()
    try:
        with _api()[0].start_as_current_span("wait for the limits") if is_detailed else contextlib.nullcontext():
            yield
    finally:
        call.attempts += 1
        call.waited += time.monotonic() - began
    if is_detailed:
        call._part = _api()[0].start_span(f"attempt {call.attempts}")


def several(settings: IonosSettings | None, number: int) -> contextlib.AbstractContextManager[Any]:
    """Return the parent of the spans of so many pictures of one call; nothing for one."""
    if number < 2 or not _is_on(settings):
        return contextlib.nullcontext()
    about = {"gen_ai.provider.name": "ionos", "ionos.images": number}
    return _api()[0].start_as_current_span(_OPERATION, attributes=about, record_exception=False)  # type: ignore[no-any-return]


class BatchSpan:
    """The span of a batch's run, to which its requests are linked."""

    def __init__(self, settings: IonosSettings | None) -> None:
        """Begin it, where anybody looks."""
        self._span = _api()[0].start_span("image_batch") if _is_on(settings) else None

    def linked(self, metadata: Mapping[str, object]) -> contextlib.AbstractContextManager[Any]:
        """Have the request in the block linked to it, and continue the trace that a row's metadata names."""
        if self._span is None:
            return contextlib.nullcontext()
        carried = {name: text for name, text in metadata.items() if isinstance(text, str)}
        parent = import_module("opentelemetry.propagate").extract(carried) if "traceparent" in carried else None
        return holding(_batch, (self._span.get_span_context(), parent))

    def tell(self, left: int | None) -> None:
        """Tell how many rows are left."""
        if self._span is not None and left is not None:
            _api()[2]["ionos.batch.rows_left"].set(left)

    def end(self, facts: Mapping[str, Any]) -> None:
        """End it, with what the run came to; again is harmless."""
        span, self._span = self._span, None
        if span is not None:
            span.set_attributes(_told({f"ionos.batch.{name}": value for name, value in facts.items()}))
            span.end()
