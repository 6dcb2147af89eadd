"""How each row of the table of behaviours is asked of a service, and what counts as the same.

The texts of refusals and the codes that begin with "sandbox-" are the sandbox's own, so that they are not compared:
of a refusal its status counts, and its shape in a row of its own. Whatever else the sandbox decided counts: that a
service answers otherwise is what a report is for.

What judges an answer returns what is different, and an empty text where nothing is.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pybase64

from ionos_openai.cli.verify.asking import Asker, Burst, Question, Unanswered
from ionos_openai.cli.verify.replies import Answer, describe_jpeg, fits, parse
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, DEFAULT_SIZE
from ionos_openai.sandbox.chat import purpose_of
from ionos_openai.sandbox.faults import server_error
from ionos_openai.sandbox.limits import IMAGE_RATE, REQUEST_RATE, Rate, time_to_fill
from ionos_openai.sandbox.service import MODELS_2026_08
from ionos_openai.sandbox.wire import unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ionos_openai.sandbox.wire import SandboxResponse

_PROMPT = "A lighthouse on a cliff at dusk"
_IMAGES, _EDITS, _CHAT, _EMBEDDINGS = "/images/generations", "/images/edits", "/chat/completions", "/embeddings"
_FLUX1, _FLUX2 = DEFAULT_IMAGE_MODEL, DEFAULT_EDIT_MODEL
_BASE_SIZES = {_FLUX1: DEFAULT_SIZE, _FLUX2: "512x512"}
_CHAT_MODEL = "meta-llama/Meta-Llama-3.1-8B-Instruct"  # the smallest of the recorded lists
_SEEING_MODEL = "mistralai/Mistral-Small-24B-Instruct"
_EMBEDDING_MODEL = "BAAI/bge-m3"
_JPEG = "JFIF 1.01, baseline, 4:2:0"
_COLOUR = {"colour": {"type": "string"}}
_SCHEMA = {"type": "object", "properties": _COLOUR, "required": ["colour"], "additionalProperties": False}
_ZERO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_ENTRY = {"id", "object", "created", "owned_by"}
_LIST = {"data": [dict]}
_CLOCKS_DIFFER = 300  # seconds
_MANY_REQUESTS = 30
_MANY_IMAGES = 24
_IMAGE_SPACING = 0.25  # seconds; more at once would meet the limit of requests instead
_SLACK = 2  # what the way and the clocks may make of a limit


@dataclass(kw_only=True)
class Asking(Asker):
    """One walk through the table, and what several of its rows share."""

    _pictures: dict[str, Answer] = field(default_factory=dict)

    @cached_property
    def models(self) -> Answer:
        """The list of models, asked for once."""
        return self.ask(Question("/models"))

    @cached_property
    def burst(self) -> Burst:
        """What came of asking for the list of models too often: the one limit that costs nothing to reach."""
        burst = self.provoke(Question("/models"), count=_MANY_REQUESTS, rest=time_to_fill(REQUEST_RATE))
        self.sleep(time_to_fill(REQUEST_RATE))
        return burst

    def offered(self) -> list[str]:
        """Return the ids in the list of models; empty where it did not come."""
        with contextlib.suppress(Unanswered):
            if fits(self.models.json(), {"data": [{"id": str}]}):
                return [entry["id"] for entry in self.models.json()["data"]]
        return []

    def require(self, model: str) -> str:
        """Return the model, unless it is not in the list of models, so that a refusal would tell nothing else."""
        if model not in (self.offered() or [model]):
            raise Unanswered(f"{model} is not in the list of models", is_asked=False)
        return model

    def picture(self, model: str) -> Answer:
        """Return the answer with a picture of a model, asked for once."""
        if model not in self._pictures:
            self._pictures[model] = self.image(model)
        return self._pictures[model]

    def image(self, model: str | None, **parameters: object) -> Answer:
        """Ask for a picture, as `wish` says."""
        return self.ask(self.wish(model, **parameters))

    def wish(self, model: str | None, **parameters: object) -> Question:
        """Return the question for a picture; None as a model or a parameter leaves it out."""
        size = _BASE_SIZES[self.require(model)] if model in _BASE_SIZES else None
        body = {"model": model, "prompt": _PROMPT, "size": size, **parameters}
        sent = {name: value for name, value in body.items() if value is not None}
        number = parameters.get("n")
        return Question(_IMAGES, sent, pictures=number if isinstance(number, int) else 1)

    def edit(self, model: str) -> Answer:
        """Ask for an edit of a small picture with a mask."""
        body, data = {"model": self.require(model), "prompt": _PROMPT}, _png(128, 96)
        files = [("image[]", ("picture.png", data, "image/png")), ("mask", ("mask.png", data, "image/png"))]
        return self.ask(Question(_EDITS, body, files, pictures=1))

    def words(self, path: str, body: dict[str, object], model: str = _CHAT_MODEL, purpose: str = "chat") -> Answer:
        """Ask the model, or one in the list with the same purpose, for something that costs a few tokens."""
        if not self.spend:
            raise Unanswered("it costs a few tokens: --spend 1 or more asks it", is_asked=False)
        offered = self.offered()
        others = (other for other in offered if purpose_of(other) == purpose and not other.endswith("-migration"))
        return self.ask(Question(path, {"model": model if model in offered else next(others, model), **body}))

    def chat(self, content: object = "Say hello.", *, model: str = _CHAT_MODEL, **values: object) -> Answer:
        """Ask for a short answer."""
        messages = [{"role": "user", "content": content}]
        return self.words(_CHAT, {"messages": messages, "max_tokens": 16, **values}, model)

    def embedding(self, encoding: str) -> Answer:
        """Ask for an embedding."""
        body: dict[str, object] = {"input": "a fox", "encoding_format": encoding}
        return self.words(_EMBEDDINGS, body, _EMBEDDING_MODEL, "embeddings")


def judge_unauthorized(answer: Answer) -> str:
    """Compare with the recorded 401, and look for a trace id."""
    trace = answer.headers.get("x-trace-id", "")
    missing = "x-trace-id is not 32 hex digits" if trace else "no header x-trace-id"
    return _joined(_differs(answer, unauthorized()), "" if re.fullmatch(r"[0-9a-f]{32}", trace) else missing)


def judge_models(answer: Answer) -> str:
    """Compare with the list of 2026-08."""
    if difference := answer.unless(_LIST):
        return difference
    payload = answer.json()
    ids = {str(entry.get("id")) for entry in payload["data"]}
    owners = {str(entry.get("owned_by")) for entry in payload["data"]} - {"unknown"}
    fields = set(payload) ^ {"data", "object"} | {name for entry in payload["data"] for name in set(entry) ^ _ENTRY}
    return _joined(
        _listed("also has", ids - set(MODELS_2026_08)),
        _listed("does not have", set(MODELS_2026_08) - ids),
        _listed("other fields:", fields),
        _listed("owned_by is", owners),
    )


def judge_created(answer: Answer, *, now: float) -> str:
    """Compare each model's `created` with the time."""
    if difference := answer.unless(_LIST):
        return difference
    times = [entry.get("created") for entry in answer.json()["data"]]
    others = {str(made) for made in times if not (isinstance(made, int) and abs(made - now) <= _CLOCKS_DIFFER)}
    return _listed("created is", others)


def judge_image_answer(answer: Answer) -> str:
    """Look for base64 in its place, zero usage, and nothing beside them."""
    if difference := answer.unless(_LIST):
        return difference
    payload = answer.json()
    item, usage = payload["data"][0], payload.get("usage", _ZERO_USAGE)
    return _joined(
        _listed("other fields:", (set(payload) ^ {"data", "usage"}) | (set(item) ^ {"b64_json"})),
        "no picture in data[0].b64_json" if answer.image() is None else "",
        "b64_json is a data URI" if str(item.get("b64_json")).startswith("data:") else "",
        f"usage is {json.dumps(usage)}" if usage != _ZERO_USAGE else "",
    )


def judge_picture(answer: Answer, *, kind: str = "", size: tuple[int, int] | None = None, label: str = "") -> str:
    """Look for a picture of this format and size."""
    image = answer.image()
    if image is None or kind not in ("", image.format) or size not in (None, (image.width, image.height)):
        return f"{label}{answer.describe()}"
    return answer.unless(label=label)


def judge_shape(answer: Answer) -> str:
    """Look for the shape of the recorded 401 in a refusal."""
    shape = {"httpStatus": answer.status, "messages": [lambda entry: _has_only(entry, "errorCode", "message")]}
    # The sandbox's error.message beside them is its own, as its texts are.
    is_refusal = 400 <= answer.status < 500 and fits(answer.json(), shape)
    return "" if is_refusal and not set(answer.json()) - {*shape, "error"} else answer.describe()


def judge_chat(answer: Answer) -> str:
    """Look for a chat completion in OpenAI's shape."""
    choices = [{"message": {"content": str}}]
    usage = dict.fromkeys(_ZERO_USAGE, object)
    return answer.unless({"object": "chat.completion", "choices": choices, "usage": usage})


def judge_stream(answer: Answer) -> str:
    """Look for chunks of a chat as events, the last one [DONE]."""
    if answer.status != 200 or not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return f"with stream: {answer.describe()}"
    lines = answer.body.decode("utf-8", "replace").splitlines()
    events = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    if not events or events[-1] != "[DONE]":
        return "the stream does not end with [DONE]"
    is_chat = fits([parse(event) for event in events[:-1]], [{"object": "chat.completion.chunk"}])
    return "" if is_chat else "the stream's events are not chunks of a chat"


def judge_rate_limit(burst: Burst) -> str:
    """Look for a 429 that says when to come again."""
    if not burst.refused:
        return f"none of {burst.passed} requests in {burst.seconds:.1f} s was refused"
    after = burst.refused[0].headers.get("retry-after")
    if after is None:
        return "429 without Retry-After"
    return "" if re.fullmatch(r"[0-9]{1,9}", after) else f"Retry-After is no number of seconds: {after[:40]}"


def judge_burst(burst: Burst, rate: Rate) -> str:
    """Compare how many passed with what a bucket that was full lets through."""
    most = rate.burst + burst.seconds * rate.per_minute / 60 + _SLACK
    if not burst.refused:
        return f"none of {burst.passed} in {burst.seconds:.1f} s was refused"
    return "" if rate.burst <= burst.passed <= most else f"{burst.passed} passed in {burst.seconds:.1f} s"


def _image_answer(asking: Asking) -> str:
    first = judge_image_answer(asking.picture(_FLUX1))
    second = judge_image_answer(asking.image(_FLUX1, response_format="url"))
    return first if first == second else _joined(first, f"with response_format=url: {second or 'none of that'}")


def _jpeg(asking: Asking) -> str:
    answer = asking.picture(_FLUX1)
    if (difference := judge_picture(answer, kind="JPEG")) or (image := answer.image()) is None:
        return difference
    return "" if (found := describe_jpeg(image.data)) == _JPEG else found


def _required(asking: Asking) -> str:
    asking.check_budget(2)
    return _joined(
        asking.image(_FLUX1, prompt=None).unless(status=400, label="without prompt: "),
        asking.image(None).unless(status=400, label="without model: "),
    )


def _size(asking: Asking) -> str:
    asking.check_budget(2)
    return _joined(
        judge_picture(asking.image(_FLUX1, size="1024*1024"), size=(1024, 1024), label="1024*1024: "),
        judge_picture(asking.image(_FLUX1, size=None), size=(1024, 1024), label="left out: "),
    )


def _unknown_model(asking: Asking) -> str:
    answer = asking.image("nobody/nothing", size=DEFAULT_SIZE)
    return answer.describe() if answer.body else answer.unless(status=400)


def _equal_requests(asking: Asking) -> str:
    first, answer = asking.picture(_FLUX2).image(), asking.image(_FLUX2)
    second = answer.image()
    if first is None or second is None:
        return answer.describe()
    return "the same picture came twice" if first.data == second.data else ""


def _ignored_parameters(asking: Asking) -> str:
    base = asking.picture(_FLUX2).image()
    if base is None:
        raise Unanswered("there is no picture without them to compare with", is_asked=False)
    wanted = "jpeg" if base.format == "PNG" else "png"
    answer = asking.image(_FLUX2, seed=1, quality="hd", output_format=wanted, user="ionos-openai-verify")
    return judge_picture(answer, kind=base.format, size=(base.width, base.height))


def _error_shape(asking: Asking) -> str:
    answer = asking.ask(Question(_CHAT, {}))
    # What an unknown model is answered is a row of its own, and has no body.
    refusals = [refusal for refusal in asking.refusals if refusal.body] or [answer]
    return next(filter(None, map(judge_shape, refusals)), "")


def _structured(asking: Asking) -> str:
    wanted = {"type": "json_schema", "json_schema": {"name": "fox", "schema": _SCHEMA, "strict": True}}
    answer = asking.chat("Which colour has a fox?", response_format=wanted, max_tokens=50)
    return answer.unless({"choices": [{"message": {"content": _has_colour}}]})


def _tools(asking: Asking) -> str:
    tools = [{"type": "function", "function": {"name": "paint", "description": "Paints.", "parameters": _SCHEMA}}]
    answer = asking.chat("Paint a fox.", tools=tools, tool_choice="required", max_tokens=50)
    return answer.unless({"choices": [{"message": {"tool_calls": [{"function": {"arguments": _has_colour}}]}}]})


def _image_input(asking: Asking) -> str:
    url = f"data:image/png;base64,{pybase64.b64encode(_png(64, 64)).decode('ascii')}"
    content = [{"type": "text", "text": "Which colour?"}, {"type": "image_url", "image_url": {"url": url}}]
    return judge_chat(asking.chat(content, model=_SEEING_MODEL))


def _browsers(asking: Asking) -> str:
    let_in = asking.models.headers.get("access-control-allow-origin")
    return asking.models.unless({}) or (f"access-control-allow-origin is {let_in}" if let_in else "")


def _image_limit(asking: Asking) -> str:
    rest = min(asking.asked, IMAGE_RATE.burst) * 60 / IMAGE_RATE.per_minute
    burst = asking.provoke(asking.wish(_FLUX1), count=_MANY_IMAGES, rest=rest, spacing=_IMAGE_SPACING)
    return judge_burst(burst, IMAGE_RATE)


PROBES: dict[str, Callable[[Asking], str]] = {
    "unauthorized": lambda asking: judge_unauthorized(asking.ask(Question("/models", token=False))),
    "models": lambda asking: judge_models(asking.models),
    "models-created": lambda asking: judge_created(asking.models, now=time.time()),
    "image-answer": _image_answer,
    "jpeg": _jpeg,
    "other-formats": lambda asking: judge_picture(asking.picture(_FLUX2), kind="JPEG"),
    "required": _required,
    "n": lambda asking: asking.image(_FLUX1, n=2).unless(status=400),
    "size": _size,
    "other-sizes": lambda asking: asking.image(_FLUX1, size="512x512").unless(status=400),
    "client-size-rule": lambda asking: judge_picture(asking.image(_FLUX2, size="65x50"), size=(65, 50)),
    "size-limit": lambda asking: asking.image(_FLUX2, size="4112x64").unless(status=400),
    "unknown-model": _unknown_model,
    "ignored-parameters": _ignored_parameters,
    "stream": lambda asking: asking.image(_FLUX1, stream=True).unless(status=400),
    "equal-requests": _equal_requests,
    "edits": lambda asking: judge_picture(asking.edit(_FLUX2), size=(128, 96)),
    "cannot-edit": lambda asking: asking.edit(_FLUX1).unless(status=400),
    "error-shape": _error_shape,
    "malformed": lambda asking: asking.ask(Question(_CHAT, ["no object"])).unless(status=400),
    "unknown-path": lambda asking: _joined(
        asking.ask(Question("/ionos-openai-verify")).unless(status=404, label="unknown path: "),
        asking.ask(Question(_EMBEDDINGS)).unless(status=405, label="wrong method: "),
    ),
    "rate-limit": lambda asking: judge_rate_limit(asking.burst),
    "image-limit": _image_limit,
    "request-limit": lambda asking: judge_burst(asking.burst, REQUEST_RATE),
    "chat": lambda asking: _joined(judge_chat(asking.chat()), judge_stream(asking.chat(stream=True))),
    "chat-limits": lambda asking: _joined(
        asking.chat(max_tokens=1).unless({"choices": ({"finish_reason": "length"},)}, label="max_tokens: "),
        asking.chat(n=2, max_tokens=1).unless({"choices": (dict, dict)}, label="n: "),
        asking.chat(stop=["e"]).unless({"choices": ({"finish_reason": "stop"},)}, label="stop: "),
    ),
    "structured": _structured,
    "tools": _tools,
    "image-input": _image_input,
    "undocumented": lambda asking: asking.chat(logprobs=True).unless(status=400),
    "completions": lambda asking: asking.words("/completions", {"prompt": "A fox is", "max_tokens": 4}).unless(
        {"choices": [{"text": str}]}
    ),
    "embeddings": lambda asking: asking.embedding("float").unless({"data": [{"embedding": [int | float]}]}),
    "embeddings-base64": lambda asking: _differs(asking.embedding("base64"), server_error()),
    "browsers": _browsers,
}
"""What asks and judges a row, by its name."""

NEVER_ASKED: dict[str, str] = {
    "unknown-fault": "the sandbox alone has it",
    "server-error": "nobody can make the service fail; embeddings-base64 ends in the same answer",
    "expired": "it takes a token that has expired",
    "reports": "the sandbox alone has it",
}
"""Why a row is not asked, by its name."""


def _has_only(value: object, *names: str) -> bool:
    return isinstance(value, dict) and set(value) == set(names)


def _has_colour(text: object) -> bool:
    return _has_only(parse(str(text)), "colour")


def _listed(what: str, names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"{what} {', '.join(shown[:5])}{more}" if shown else ""


def _joined(*differences: str) -> str:
    return "; ".join(filter(None, differences))


def _differs(answer: Answer, recorded: SandboxResponse) -> str:
    body = json.loads(recorded.body)
    return answer.unless(lambda came: came == body, status=recorded.status)


def _png(width: int, height: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (30, 90, 160)).save(out, "PNG")
    return out.getvalue()
