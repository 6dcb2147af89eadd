"""What OpenTelemetry is told of requests for pictures: never a picture, and a prompt only where it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import openai
import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from ionos_openai import (
    ImageRequest,
    IonosSettings,
    agenerate_images,
    create_async_client,
    create_client,
    edit_images,
    generate_batch,
    generate_images,
)
from ionos_openai.client import telemetry
from ionos_openai.sandbox import Sandbox
from tests.loopback import Answer
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.loopback import LoopbackServer

PROMPT = "a confidential fox"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"


class Seen:
    """What was exported."""

    def __init__(self) -> None:
        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader])

    def named(self, name: str) -> list[Any]:
        """Return the spans whose names begin so."""
        return [span for span in self.spans.get_finished_spans() if span.name.startswith(name)]

    def everything(self) -> str:
        """Return all that was exported, as text."""
        data = self.reader.get_metrics_data()
        return " ".join([*(span.to_json() for span in self.spans.get_finished_spans()), data.to_json() if data else ""])


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """Providers of this test's own."""
    from opentelemetry import metrics, trace

    exported = Seen()
    monkeypatch.setattr(trace, "get_tracer", exported.provider.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", exported.meters.get_meter)
    telemetry._api.cache_clear()
    yield exported
    telemetry._api.cache_clear()


def attributes(span: Any) -> Mapping[str, Any]:
    """Return a span's attributes."""
    found: Mapping[str, Any] = span.attributes
    return found


def test_a_request_is_a_span_and_counted(seen: Seen) -> None:
    """With what was asked, what came, and how long it took; neither prompt nor picture."""
    with create_client(sandbox=True) as client:
        generate_images(client, PROMPT, model="flux.1", size="1024x1024")
    [span] = seen.named("image_generation")
    assert (span.name, span.kind) == ("image_generation black-forest-labs/FLUX.1-schnell", SpanKind.CLIENT)
    told = attributes(span)
    assert told["gen_ai.provider.name"] == "ionos"
    assert told["gen_ai.output.type"] == "image"
    assert (told["server.address"], told["server.port"]) == ("openai.inference.de-txl.ionos.com", 443)
    assert (told["http.response.status_code"], told["ionos.attempts"], told["ionos.refusals"]) == (200, 1, 0)
    assert (told["ionos.request.size"], told["ionos.image.size"]) == ("1024x1024", "1024x1024")
    assert (told["ionos.image.format"], told["ionos.image.placeholder"]) == ("JPEG", True)
    assert "ionos.cost.amount" not in told
    text = seen.everything()
    assert PROMPT not in text
    assert len(text) < 30_000
    assert '"gen_ai.client.operation.duration"' in text


async def test_several_pictures_have_a_parent_across_threads_and_tasks(seen: Seen) -> None:
    """So also below a span of the user's own."""
    with create_client(sandbox=True) as client, seen.provider.get_tracer("mine").start_as_current_span("mine"):
        generate_images(client, PROMPT, n=3)
        client.images.generate(model="flux.1", prompt=PROMPT, n=2)
    async with create_async_client(sandbox=True) as asynchronous:
        await agenerate_images(asynchronous, PROMPT, n=3)
    parents = [span for span in seen.named("image_generation") if "ionos.images" in attributes(span)]
    children = seen.named("image_generation black")
    assert [attributes(span)["ionos.images"] for span in parents] == [3, 2, 3]
    assert len(children) == 8
    assert {child.parent.span_id for child in children} == {parent.context.span_id for parent in parents}
    [mine] = seen.named("mine")
    assert [parent.parent and parent.parent.span_id for parent in parents] == [mine.context.span_id] * 2 + [None]


def test_an_edit_says_so(seen: Seen) -> None:
    """The operation is the same one."""
    with create_client(sandbox=True) as client:
        [image] = generate_images(client, PROMPT, model=KLEIN)
        edit_images(client, image, PROMPT)
    spans = seen.named("image_generation")
    assert [attributes(span)["ionos.request.edit"] for span in spans] == [False, True]


def test_a_429_and_then_a_picture(seen: Seen, server: LoopbackServer) -> None:
    """Both attempts are counted, and the wait; the trace id is IONOS' own."""
    picture = json.loads(Sandbox().respond(_request()).body)
    server.answers = [Answer(429, {}, {"Retry-After": "0.05"}), Answer(200, picture, {"x-trace-id": "trace-1"})]
    settings = IonosSettings(env_file=None, telemetry="detailed", telemetry_content=True, prices="flux.1=0.5 EUR")
    with create_client(settings=settings, api_key=make_token(), base_url=server.url, pace=True) as client:
        generate_images(client, PROMPT, model="flux.1")
    [span] = seen.named("image_generation")
    told = attributes(span)
    assert (told["ionos.attempts"], told["ionos.refusals"], told["ionos.trace_id"]) == (2, 1, "trace-1")
    assert told["ionos.wait.seconds"] > 0
    assert told["gen_ai.prompt"] == PROMPT
    waits = seen.named("wait for the limits")
    assert [wait.parent.span_id for wait in waits] == [span.context.span_id] * 2
    tries = seen.named("attempt")
    assert [(part.name, attributes(part)["http.response.status_code"]) for part in tries] == [
        ("attempt 1", 429),
        ("attempt 2", 200),
    ]


def _request() -> Any:
    from ionos_openai.sandbox import SandboxRequest

    body = json.dumps({"model": "black-forest-labs/FLUX.1-schnell", "prompt": "x"}).encode()
    headers = {"authorization": "Bearer sandbox"}
    return SandboxRequest(method="POST", path="/v1/images/generations", headers=headers, body=body)


def test_a_refusal_is_an_error_without_its_words(seen: Seen, server: LoopbackServer) -> None:
    """The service may repeat the prompt in them."""
    server.default = Answer(400, {"messages": [{"message": f"refused: {PROMPT}"}]})
    client = create_client(api_key=make_token(), base_url=server.url)
    with client, pytest.raises(openai.BadRequestError):
        generate_images(client, PROMPT)
    [span] = seen.named("image_generation")
    assert attributes(span)["error.type"] == "BadRequestError"
    assert attributes(span)["http.response.status_code"] == 400
    assert not span.status.is_ok
    assert PROMPT not in seen.everything()


def test_a_batch_is_a_span_that_its_requests_are_linked_to(seen: Seen, tmp_path: Path) -> None:
    """What was done before is told too."""
    with create_client(sandbox=True) as client:
        generate_batch(client, ["a", "b"], tmp_path).run()
        generate_batch(client, ["a", "b", "c"], tmp_path).run()
    first, second = seen.named("image_batch")
    assert (attributes(first)["ionos.batch.done"], attributes(second)["ionos.batch.skipped"]) == (2, 2)
    links = [span.links[0].context.span_id for span in seen.named("image_generation black")]
    assert sorted(links) == sorted([first.context.span_id] * 2 + [second.context.span_id])


def test_chat_is_left_to_others_and_all_of_it_can_be_turned_off(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """No span is doubled."""
    with create_client(sandbox=True) as client:
        model = next(model.id for model in client.models.list() if "llama" in model.id.lower())
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "a"}])
    monkeypatch.setenv("IONOS_TELEMETRY", "off")
    with create_client(sandbox=True) as client:
        generate_images(client, PROMPT, n=2)
    assert seen.spans.get_finished_spans() == ()


def test_without_opentelemetry_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures come all the same."""
    monkeypatch.setattr(telemetry, "import_module", _missing)
    telemetry._api.cache_clear()
    with create_client(sandbox=True) as client:
        assert len(generate_images(client, PROMPT, n=2)) == 2
    telemetry._api.cache_clear()


def _missing(name: str) -> Any:
    raise ModuleNotFoundError(name)


INSTRUMENTATIONS = {
    "opentelemetry.instrumentation.openai_v2": "OpenAIInstrumentor",
    "openinference.instrumentation.openai": "OpenAIInstrumentor",
    "opentelemetry.instrumentation.openai": "OpenAIInstrumentor",
}


# In a process of its own: not all that an instrumentation wraps is unwrapped again.
INSTRUMENTED = """
import json, sys
from importlib import import_module
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ionos_openai import create_client, generate_images

spans = InMemorySpanExporter()
trace.set_tracer_provider(provider := TracerProvider())
provider.add_span_processor(SimpleSpanProcessor(spans))
getattr(import_module(sys.argv[1]), sys.argv[2])().instrument(tracer_provider=provider, skip_dep_check=True)
with create_client(sandbox=True) as client:
    assert len(generate_images(client, "a fox", n=2)) == 2
    model = next(model.id for model in client.models.list() if "llama" in model.id.lower())
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": "a"}])
print(json.dumps([(span.name, span.attributes.get("gen_ai.provider.name")) for span in spans.get_finished_spans()]))
"""


@pytest.mark.parametrize("module", INSTRUMENTATIONS)
def test_with_another_instrumentation_nothing_is_doubled_or_broken(module: str) -> None:
    """Its spans of chat are its own; ours of pictures stay one a request."""
    command = [sys.executable, "-c", INSTRUMENTED, module, INSTRUMENTATIONS[module]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    if "ModuleNotFoundError" in ended.stderr:
        pytest.skip(f"needs {module}, or what it needs: {ended.stderr.splitlines()[-1]}")
    spans = json.loads(ended.stdout)
    ours = [name for name, provider in spans if provider == "ionos"]
    assert sorted(ours) == ["image_generation"] + ["image_generation black-forest-labs/FLUX.1-schnell"] * 2
    assert any("image" not in name for name, _ in spans)  # the chat's, which the instrumentation tells of


def test_a_row_continues_the_trace_that_it_names(seen: Seen, tmp_path: Path) -> None:
    """As a worker on another machine gets it; one that cannot be read is none."""
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    rows = [
        ImageRequest(prompt="a", metadata={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01", "sku": 7}),
        ImageRequest(prompt="b", metadata={"traceparent": "nonsense"}),
    ]
    with create_client(sandbox=True) as client:
        generate_batch(client, rows, tmp_path).run()
    traces = [f"{span.context.trace_id:032x}" for span in seen.named("image_generation black")]
    assert (len(traces), traces.count(trace_id)) == (2, 1)


def test_where_nobody_listens_no_picture_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a provider a call costs a few microseconds, and not the decoding of its picture."""
    monkeypatch.setattr(telemetry, "recognise", _missing)
    with create_client(sandbox=True) as client:
        assert len(generate_images(client, PROMPT)) == 1
