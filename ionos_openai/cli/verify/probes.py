"""How each row of the table of behaviours is asked of a service, and what counts as the same.

The texts of refusals and the codes that begin with "sandbox-" are the sandbox's own, so that they are not compared:
of a refusal its status counts, and its shape in a row of its own. Whatever else the sandbox decided counts: that a
service answers otherwise is what a report is for.
"""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pybase64

from ionos_openai.cli.verify.asking import Asker, Burst, NoAnswer, NotAsked
from ionos_openai.cli.verify.replies import Answer, describe_jpeg
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, DEFAULT_SIZE
from ionos_openai.sandbox.chat import purpose_of
from ionos_openai.sandbox.faults import server_error
from ionos_openai.sandbox.limits import IMAGE_RATE, REQUEST_RATE, time_to_fill
from ionos_openai.sandbox.service import MODELS_2026_08
from ionos_openai.sandbox.wire import unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ionos_openai.sandbox.wire import SandboxResponse

_PROMPT = "A lighthouse on a cliff at dusk"
_IMAGES, _EDITS, _CHAT, _EMBEDDINGS = "/images/generations", "/images/edits", "/chat/completions", "/embeddings"
_COMPLETIONS = "/completions"
_NOWHERE = "/ionos-openai-verify"
_FLUX1, _FLUX2 = DEFAULT_IMAGE_MODEL, DEFAULT_EDIT_MODEL
_BASE_SIZES = {_FLUX1: DEFAULT_SIZE, _FLUX2: "512x512"}
_CHAT_MODEL = "meta-llama/Meta-Llama-3.1-8B-Instruct"  # the smallest of the recorded lists
_SEEING_MODEL = "mistralai/Mistral-Small-24B-Instruct"
_EMBEDDING_MODEL = "BAAI/bge-m3"
_JPEG = "JFIF 1.01, baseline, 4:2:0"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
_ZERO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_ENTRY = {"id", "object", "created", "owned_by"}
_CLOCKS_DIFFER = 300  # seconds
_MANY_REQUESTS = 30
_MANY_IMAGES = 24
_IMAGE_SPACING = 0.25  # seconds; more at once would meet the limit of requests instead
_SLACK = 2  # what the way and the clocks may make of a limit


@dataclass(slots=True)
class Asking:
    """One walk through the table: who is asked, whether limits may be provoked, and what several rows share."""

    asker: Asker
    limits: bool
    refusals: list[Answer] = field(default_factory=list)
    _models: Answer | None = None
    _pictures: dict[str, Answer] = field(default_factory=dict)
    _burst: Burst | None = None

    def models(self) -> Answer:
        """Return the list of models, asked for once."""
        if self._models is None:
            self._models = self.asker.get("/models")
        return self._models

    def offered(self) -> list[str]:
        """Return the ids in the list of models; empty where it did not come."""
        try:
            entries = self.models().fields().get("data")
        except NoAnswer:
            return []
        return [identifier for entry in _entries(entries) if isinstance(identifier := entry.get("id"), str)]

    def choose(self, wanted: str, purpose: str) -> str:
        """Return the wanted model, or another one for the purpose where it is not in the list."""
        offered = self.offered()
        others = (model for model in offered if purpose_of(model) == purpose and not model.endswith("-migration"))
        return wanted if wanted in offered else next(others, wanted)

    def require(self, model: str) -> str:
        """Return the model.

        Raises:
            NotAsked: It is not in the list of models, so that a refusal would tell nothing else.
        """
        offered = self.offered()
        if offered and model not in offered:
            raise NotAsked(f"{model} is not in the list of models")
        return model

    def missing(self, models: Iterable[str]) -> int:
        """Return how many of the shared pictures of these models are yet to be asked for."""
        return sum(model not in self._pictures for model in models)

    def picture(self, model: str) -> Answer:
        """Return the answer with a picture of a model, asked for once."""
        if model not in self._pictures:
            self._pictures[model] = self.image(model, size=_BASE_SIZES[model])
        return self._pictures[model]

    def image(self, model: str | None, **parameters: object) -> Answer:
        """Ask for a picture; None as a model or a parameter leaves it out."""
        if model in _BASE_SIZES:
            self.require(str(model))
        body = {"model": model, "prompt": _PROMPT, **parameters}
        sent = {name: value for name, value in body.items() if value is not None}
        number = parameters.get("n")
        return self._note(self.asker.post(_IMAGES, sent, pictures=number if isinstance(number, int) else 1))

    def edit(self, model: str) -> Answer:
        """Ask for an edit of a small picture with a mask."""
        body = {"model": self.require(model), "prompt": _PROMPT}
        data = _png(128, 96)
        files = [("image[]", ("picture.png", data, "image/png")), ("mask", ("mask.png", data, "image/png"))]
        return self._note(self.asker.post(_EDITS, body, files=files, pictures=1))

    def post(self, path: str, body: object) -> Answer:
        """Ask for something that is no picture."""
        return self._note(self.asker.post(path, body))

    def burst(self) -> Burst:
        """Ask for the list of models more often than is allowed: the one limit that costs nothing to reach."""
        if self._burst is None:
            self.asker.sleep(time_to_fill(REQUEST_RATE))
            self._burst = self.asker.burst("/models", count=_MANY_REQUESTS)
            self.asker.sleep(time_to_fill(REQUEST_RATE))
        return self._burst

    def _note(self, answer: Answer) -> Answer:
        if 400 <= answer.status < 500:
            self.refusals.append(answer)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a row is asked."""

    ask: Callable[[Asking], str]  # asks, and returns what is different; empty where nothing is
    pictures: int = 0  # how many pictures it asks for, beside the shared ones
    shared: tuple[str, ...] = ()  # the models of which it looks at the shared picture
    tokens: bool = False  # whether a few tokens may be billed
    limits: bool = False  # whether it provokes a limit


def judge_unauthorized(answer: Answer) -> str:
    """Compare with the recorded 401, and look for a trace id."""
    trace = answer.headers.get("x-trace-id", "")
    is_traced = re.fullmatch(r"[0-9a-f]{32}", trace)
    return _joined(
        _differs(answer, unauthorized()),
        "" if is_traced else "x-trace-id is not 32 hex digits" if trace else "no header x-trace-id",
    )


def judge_models(answer: Answer) -> str:
    """Compare with the list of 2026-08."""
    payload = answer.fields()
    entries = _entries(payload.get("data"))
    if answer.status != 200 or not entries:
        return answer.describe()
    ids = {str(entry.get("id")) for entry in entries}
    owners = sorted({str(entry.get("owned_by")) for entry in entries} - {"unknown"})
    keys = set(payload) ^ {"data", "object"} | {key for entry in entries for key in set(entry) ^ _ENTRY}
    return _joined(
        _listed("also has", ids - set(MODELS_2026_08)),
        _listed("does not have", set(MODELS_2026_08) - ids),
        _listed("other fields:", keys),
        _listed("owned_by is", owners),
    )


def judge_created(answer: Answer, *, now: float) -> str:
    """Compare each model's `created` with the time."""
    entries = _entries(answer.fields().get("data"))
    if answer.status != 200 or not entries:
        return answer.describe()
    times = [entry.get("created") for entry in entries]
    if all(isinstance(created, int) and abs(created - now) <= _CLOCKS_DIFFER for created in times):
        return ""
    return _listed("created is", {str(created) for created in times})


def judge_image_answer(answer: Answer) -> str:
    """Look for base64 in its place, zero usage, and nothing beside them."""
    payload = answer.fields()
    items = _entries(payload.get("data"))
    if answer.status != 200 or not items:
        return answer.describe()
    usage = payload.get("usage", _ZERO_USAGE)
    return _joined(
        _listed("other fields:", (set(payload) ^ {"data", "usage"}) | (set(items[0]) ^ {"b64_json"})),
        "no picture in data[0].b64_json" if answer.image() is None else "",
        "b64_json is a data URI" if str(items[0].get("b64_json")).startswith("data:") else "",
        f"usage is {json.dumps(usage)}" if usage != _ZERO_USAGE else "",
    )


def judge_picture(answer: Answer, *, kind: str = "", size: tuple[int, int] | None = None) -> str:
    """Look for a picture of this format and size."""
    image = answer.image()
    if answer.status != 200 or image is None:
        return answer.describe()
    same = (not kind or image.format == kind) and (size is None or (image.width, image.height) == size)
    return "" if same else answer.describe()


def judge_jpeg(answer: Answer) -> str:
    """Look at which kind of JPEG it is."""
    image = answer.image()
    if answer.status != 200 or image is None or image.format != "JPEG":
        return answer.describe()
    found = describe_jpeg(image.data)
    return "" if found == _JPEG else found


def judge_refusal(answer: Answer, *, status: int = 400, empty: bool = False) -> str:
    """Look for a status, and for an empty body where it is to be `empty`."""
    return "" if answer.status == status and not (empty and answer.body) else answer.describe()


def judge_shape(answer: Answer) -> str:
    """Look for the shape of the recorded 401 in a refusal."""
    payload = answer.fields()
    messages = _entries(payload.get("messages"))
    # The sandbox's error.message beside them is its own, as its texts are.
    is_refusal = 400 <= answer.status < 500 and set(payload) - {"error"} == {"httpStatus", "messages"}
    has_words = messages and all(set(message) == {"errorCode", "message"} for message in messages)
    return "" if is_refusal and payload["httpStatus"] == answer.status and has_words else answer.describe()


def judge_chat(answer: Answer) -> str:
    """Look for a chat completion in OpenAI's shape."""
    payload = answer.fields()
    choices, usage = _entries(payload.get("choices")), payload.get("usage")
    message = choices[0].get("message") if choices else None
    has_text = isinstance(message, dict) and isinstance(message.get("content"), str)
    has_usage = isinstance(usage, dict) and set(_ZERO_USAGE) <= set(usage)
    fits = answer.status == 200 and payload.get("object") == "chat.completion" and has_text and has_usage
    return "" if fits else answer.describe()


def judge_choice(answer: Answer, *, finish: str = "", count: int = 1) -> str:
    """Look for so many choices, all of which end so."""
    choices = _entries(answer.fields().get("choices"))
    ends = {str(choice.get("finish_reason")) for choice in choices}
    fits = answer.status == 200 and len(choices) == count and (not finish or ends == {finish})
    return "" if fits else answer.describe()


def judge_fit(answer: Answer, *, called: bool = False) -> str:
    """Look for a JSON object with the one key that was asked for: in the answer, or in a call's arguments."""
    choices = _entries(answer.fields().get("choices"))
    message = choices[0].get("message") if choices else None
    text = message.get("content") if isinstance(message, dict) else None
    if called and isinstance(message, dict):
        calls = _entries(message.get("tool_calls"))
        function = calls[0].get("function") if calls else None
        text = function.get("arguments") if isinstance(function, dict) else None
    return "" if answer.status == 200 and set(_object(str(text))) == set(_SCHEMA["required"]) else answer.describe()


def judge_stream(answer: Answer) -> str:
    """Look for chunks of a chat as events, the last one [DONE]."""
    if answer.status != 200 or not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return f"with stream: {answer.describe()}"
    lines = answer.body.decode("utf-8", "replace").splitlines()
    events = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    chunks = [_object(event) for event in events[:-1]]
    if not events or events[-1] != "[DONE]":
        return "the stream does not end with [DONE]"
    if not chunks or any(chunk.get("object") != "chat.completion.chunk" for chunk in chunks):
        return "the stream's events are not chunks of a chat"
    return ""


def judge_embeddings(answer: Answer) -> str:
    """Look for lists of floats."""
    entries = _entries(answer.fields().get("data"))
    vector = entries[0].get("embedding") if entries else None
    fits = isinstance(vector, list) and vector and all(isinstance(number, int | float) for number in vector)
    return "" if answer.status == 200 and fits else answer.describe()


def judge_rate_limit(burst: Burst) -> str:
    """Look for a 429 that says when to come again."""
    if not burst.refused:
        return f"none of {burst.passed} requests in {burst.seconds:.1f} s was refused"
    after = burst.refused[0].headers.get("retry-after")
    if after is None:
        return "429 without Retry-After"
    return "" if re.fullmatch(r"[0-9]{1,9}", after) else f"Retry-After is no number of seconds: {after[:40]}"


def judge_burst(burst: Burst, *, capacity: int, per_minute: float) -> str:
    """Compare how many passed with what a bucket that was full lets through."""
    most = capacity + burst.seconds * per_minute / 60 + _SLACK
    if not burst.refused:
        return f"none of {burst.passed} in {burst.seconds:.1f} s was refused"
    return "" if capacity <= burst.passed <= most else f"{burst.passed} passed in {burst.seconds:.1f} s"


def _image_answer(asking: Asking) -> str:
    first = judge_image_answer(asking.picture(_FLUX1))
    second = judge_image_answer(asking.image(_FLUX1, size=DEFAULT_SIZE, response_format="url"))
    return first if first == second else _joined(first, f"with response_format=url: {second or 'none of that'}")


def _required(asking: Asking) -> str:
    return _joined(
        _labelled("without prompt", judge_refusal(asking.image(_FLUX1, prompt=None))),
        _labelled("without model", judge_refusal(asking.image(None))),
    )


def _size(asking: Asking) -> str:
    return _joined(
        _labelled("1024*1024", judge_picture(asking.image(_FLUX1, size="1024*1024"), size=(1024, 1024))),
        _labelled("left out", judge_picture(asking.image(_FLUX1), size=(1024, 1024))),
    )


def _equal_requests(asking: Asking) -> str:
    first, second = asking.picture(_FLUX2), asking.image(_FLUX2, size=_BASE_SIZES[_FLUX2])
    pictures = first.image(), second.image()
    if pictures[0] is None or pictures[1] is None:
        return second.describe()
    return "the same picture came twice" if pictures[0].data == pictures[1].data else ""


def _ignored_parameters(asking: Asking) -> str:
    base = asking.picture(_FLUX2).image()
    if base is None:
        raise NotAsked("there is no picture without them to compare with")
    wanted = "jpeg" if base.format == "PNG" else "png"
    parameters = {"seed": 1, "quality": "hd", "output_format": wanted, "user": "ionos-openai-verify"}
    answer = asking.image(_FLUX2, size=_BASE_SIZES[_FLUX2], **parameters)
    return judge_picture(answer, kind=base.format, size=(base.width, base.height))


def _error_shape(asking: Asking) -> str:
    answer = asking.post(_CHAT, {})
    # What an unknown model is answered is a row of its own, and has no body.
    refusals = [refusal for refusal in asking.refusals if refusal.body] or [answer]
    return next((difference for difference in map(judge_shape, refusals) if difference), "")


def _unknown_path(asking: Asking) -> str:
    return _joined(
        _labelled("unknown path", judge_refusal(asking.asker.get(_NOWHERE), status=404)),
        _labelled("wrong method", judge_refusal(asking.asker.get(_EMBEDDINGS), status=405)),
    )


def _ask_chat(asking: Asking, content: object = "Say hello.", **values: object) -> Answer:
    body = {"model": asking.choose(_CHAT_MODEL, "chat"), "messages": [{"role": "user", "content": content}]}
    return asking.post(_CHAT, {**body, "max_tokens": 16, **values})


def _chat(asking: Asking) -> str:
    return _joined(judge_chat(_ask_chat(asking)), judge_stream(_ask_chat(asking, stream=True)))


def _chat_limits(asking: Asking) -> str:
    return _joined(
        _labelled("max_tokens", judge_choice(_ask_chat(asking, max_tokens=1), finish="length")),
        _labelled("n", judge_choice(_ask_chat(asking, n=2, max_tokens=1), count=2)),
        _labelled("stop", judge_choice(_ask_chat(asking, stop=["e"]), finish="stop")),
    )


def _structured(asking: Asking) -> str:
    wanted = {"type": "json_schema", "json_schema": {"name": "fox", "schema": _SCHEMA, "strict": True}}
    return judge_fit(_ask_chat(asking, "Which colour has a fox?", response_format=wanted, max_tokens=50))


def _tools(asking: Asking) -> str:
    tools = [{"type": "function", "function": {"name": "paint", "description": "Paints.", "parameters": _SCHEMA}}]
    return judge_fit(_ask_chat(asking, "Paint a fox.", tools=tools, tool_choice="required", max_tokens=50), called=True)


def _image_input(asking: Asking) -> str:
    url = f"data:image/png;base64,{pybase64.b64encode(_png(64, 64)).decode('ascii')}"
    content = [{"type": "text", "text": "Which colour?"}, {"type": "image_url", "image_url": {"url": url}}]
    return judge_chat(_ask_chat(asking, content, model=asking.choose(_SEEING_MODEL, "chat")))


def _completions(asking: Asking) -> str:
    body = {"model": asking.choose(_CHAT_MODEL, "chat"), "prompt": "A fox is", "max_tokens": 4}
    answer = asking.post(_COMPLETIONS, body)
    choices = _entries(answer.fields().get("choices"))
    return "" if answer.status == 200 and choices and isinstance(choices[0].get("text"), str) else answer.describe()


def _browsers(asking: Asking) -> str:
    answer = asking.models()
    let_in = answer.headers.get("access-control-allow-origin")
    if answer.status != 200 or answer.json() is None:
        return answer.describe()
    return f"access-control-allow-origin is {let_in}" if let_in else ""


def _embedding(asking: Asking, encoding: str) -> Answer:
    model = asking.choose(_EMBEDDING_MODEL, "embeddings")
    return asking.post(_EMBEDDINGS, {"model": model, "input": "a fox", "encoding_format": encoding})


def _image_limit(asking: Asking) -> str:
    rate = IMAGE_RATE
    asking.asker.sleep(min(asking.asker.asked, rate.burst) * 60 / rate.per_minute)
    body = {"model": asking.require(_FLUX1), "prompt": _PROMPT, "size": DEFAULT_SIZE}
    burst = asking.asker.burst(_IMAGES, body, count=_MANY_IMAGES, pictures=1, spacing=_IMAGE_SPACING)
    return judge_burst(burst, capacity=rate.burst, per_minute=rate.per_minute)


def _request_limit(asking: Asking) -> str:
    return judge_burst(asking.burst(), capacity=REQUEST_RATE.burst, per_minute=REQUEST_RATE.per_minute)


PROBES: dict[str, Probe] = {
    "unauthorized": Probe(ask=lambda asking: judge_unauthorized(asking.asker.get("/models", token=False))),
    "models": Probe(ask=lambda asking: judge_models(asking.models())),
    "models-created": Probe(ask=lambda asking: judge_created(asking.models(), now=time.time())),
    "image-answer": Probe(ask=_image_answer, pictures=1, shared=(_FLUX1,)),
    "jpeg": Probe(ask=lambda asking: judge_jpeg(asking.picture(_FLUX1)), shared=(_FLUX1,)),
    "other-formats": Probe(ask=lambda asking: judge_picture(asking.picture(_FLUX2), kind="JPEG"), shared=(_FLUX2,)),
    "required": Probe(ask=_required, pictures=2),
    "n": Probe(ask=lambda asking: judge_refusal(asking.image(_FLUX1, size=DEFAULT_SIZE, n=2)), pictures=2),
    "size": Probe(ask=_size, pictures=2),
    "other-sizes": Probe(ask=lambda asking: judge_refusal(asking.image(_FLUX1, size="512x512")), pictures=1),
    "client-size-rule": Probe(
        ask=lambda asking: judge_picture(asking.image(_FLUX2, size="65x50"), size=(65, 50)), pictures=1
    ),
    "size-limit": Probe(ask=lambda asking: judge_refusal(asking.image(_FLUX2, size="4112x64")), pictures=1),
    "unknown-model": Probe(
        ask=lambda asking: judge_refusal(asking.image("nobody/nothing", size=DEFAULT_SIZE), empty=True), pictures=1
    ),
    "ignored-parameters": Probe(ask=_ignored_parameters, pictures=1, shared=(_FLUX2,)),
    "stream": Probe(ask=lambda asking: judge_refusal(asking.image(_FLUX1, size=DEFAULT_SIZE, stream=True)), pictures=1),
    "equal-requests": Probe(ask=_equal_requests, pictures=1, shared=(_FLUX2,)),
    "edits": Probe(ask=lambda asking: judge_picture(asking.edit(_FLUX2), size=(128, 96)), pictures=1),
    "cannot-edit": Probe(ask=lambda asking: judge_refusal(asking.edit(_FLUX1)), pictures=1),
    "error-shape": Probe(ask=_error_shape),
    "malformed": Probe(ask=lambda asking: judge_refusal(asking.post(_CHAT, ["no object"]))),
    "unknown-path": Probe(ask=_unknown_path),
    "rate-limit": Probe(ask=lambda asking: judge_rate_limit(asking.burst()), limits=True),
    "image-limit": Probe(ask=_image_limit, pictures=_MANY_IMAGES, limits=True),
    "request-limit": Probe(ask=_request_limit, limits=True),
    "chat": Probe(ask=_chat, tokens=True),
    "chat-limits": Probe(ask=_chat_limits, tokens=True),
    "structured": Probe(ask=_structured, tokens=True),
    "tools": Probe(ask=_tools, tokens=True),
    "image-input": Probe(ask=_image_input, tokens=True),
    "undocumented": Probe(ask=lambda asking: judge_refusal(_ask_chat(asking, logprobs=True)), tokens=True),
    "completions": Probe(ask=_completions, tokens=True),
    "embeddings": Probe(ask=lambda asking: judge_embeddings(_embedding(asking, "float")), tokens=True),
    "embeddings-base64": Probe(ask=lambda asking: _differs(_embedding(asking, "base64"), server_error()), tokens=True),
    "browsers": Probe(ask=_browsers),
}
"""How each row is asked, by its name."""

NEVER_ASKED: dict[str, str] = {
    "unknown-fault": "the sandbox alone has it",
    "server-error": "nobody can make the service fail; embeddings-base64 ends in the same answer",
    "expired": "it takes a token that has expired",
    "reports": "the sandbox alone has it",
}
"""Why a row is not asked, by its name."""


def _entries(value: object) -> list[dict[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _listed(what: str, names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"{what} {', '.join(shown[:5])}{more}" if shown else ""


def _joined(*differences: str) -> str:
    return "; ".join(filter(None, differences))


def _labelled(label: str, difference: str) -> str:
    return difference and f"{label}: {difference}"


def _differs(answer: Answer, recorded: SandboxResponse) -> str:
    is_same = answer.status == recorded.status and answer.json() == json.loads(recorded.body)
    return "" if is_same else answer.describe()


def _png(width: int, height: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (30, 90, 160)).save(out, "PNG")
    return out.getvalue()
