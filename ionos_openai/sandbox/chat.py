"""Chat, completions and embeddings in OpenAI's documented shapes: fixed answers that say that no model runs here."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import re
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import pybase64

from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.hub.models import find_model, makes_images
from ionos_openai.sandbox.documents import NoDocumentError, like_example, minimal_document
from ionos_openai.sandbox.wire import Refusal, SandboxResponse, json_answer

_Fields: TypeAlias = Mapping[str, Any]

CHAT_ANSWER = "PLACEHOLDER: this is the ionos-openai sandbox; no model has read your message."
COMPLETION = " PLACEHOLDER: this is the ionos-openai sandbox; no model has read your prompt."

_EMBEDDING_WORDS = ("embedding", "bge-", "mpnet", "sentence-transformers")
_OTHER_WORDS = ("reranker", "ocr")
_MOST_CHOICES, _MOST_STOPS, _MOST_PROMPTS, _MOST_INPUTS = 128, 4, 128, 2048
_LONGEST_PROMPT, _MOST_BRACES = 200_000, 500  # of which a schema is looked for
# They ask for something in the answer that nobody has documented; all that only steers a model's words changes nothing.
_UNDOCUMENTED = ("audio", "function_call", "functions", "logprobs", "suffix", "top_logprobs", "web_search_options")
# Source: the models' own pages on huggingface.co, 2026-11.
_DIMENSIONS = (("bge-", 1024), ("mpnet", 768), ("qwen3-vl-embedding-8b", 4096), ("", 1024))  # the last of any other


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saying:
    """What the sandbox says: a text, or as a text the arguments of a tool that is called."""

    text: str
    tool: str = ""
    finish: str = "stop"


def purpose_of(model: str) -> Literal["images", "embeddings", "chat", "other"]:
    """Tell by a model's id what it can be asked for."""
    name = model.lower()
    if find_model(model) is not None or makes_images(model):
        return "images"
    if any(word in name for word in _OTHER_WORDS):
        return "other"
    return "embeddings" if any(word in name for word in _EMBEDDING_WORDS) else "chat"


def chat(values: _Fields, model: str, number: int) -> SandboxResponse:
    """Answer a chat, or refuse what is not documented; `number` tells it from other chats."""
    messages = values.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "chat", "messages is missing, or no list of messages")
    _refuse_undocumented(values)
    parts = [part for message in messages for part in _parts(message)]
    texts = [str(part.get("text") or "") for part in parts]
    pictures = [_described(part.get("image_url")) for part in parts if part["type"] == "image_url"]
    wanted = _object(values.get("response_format"))
    said = _limited(_call(values, messages) or _Saying(text=_answer(wanted, texts, pictures)), values)
    names = [f"call-sandbox-{number}-{place}" for place in range(_count(values, "n", default=1, most=_MOST_CHOICES))]
    whole = [
        {"index": place, "message": _message(said, name), "finish_reason": said.finish, "logprobs": None}
        for place, name in enumerate(names)
    ]
    chunks = (
        {"index": place, "delta": delta, "finish_reason": None if delta else said.finish}
        for place, name in enumerate(names)
        for delta in _deltas(said, name)
    )
    head = {"id": f"chatcmpl-sandbox-{number}", "object": "chat.completion", "model": model}
    return _reply(values, head, whole, chunks, _usage(texts, [said.text] * len(names)))


def complete(values: _Fields, model: str, number: int) -> SandboxResponse:
    """Answer a completion, or refuse what is not documented; `number` tells it from others."""
    prompts = _texts(values, "prompt", "completions", most=_MOST_PROMPTS)
    _refuse_undocumented(values)
    said = _limited(_Saying(text=COMPLETION), values)
    is_echo, times = values.get("echo") is True, _count(values, "n", default=1, most=_MOST_CHOICES)
    heads = [prompt if is_echo and isinstance(prompt, str) else "" for prompt in prompts]
    texts = [head + said.text for head in heads for _ in range(times)]
    done = {"logprobs": None, "finish_reason": said.finish}
    whole = [{**done, "index": place, "text": text} for place, text in enumerate(texts)]
    chunks = (
        {**done, "index": place, "text": piece} | ({"finish_reason": None} if piece else {})
        for place, text in enumerate(texts)
        for piece in [*_pieces(text), ""]
    )
    head = {"id": f"cmpl-sandbox-{number}", "object": "text_completion", "model": model}
    return _reply(values, head, whole, chunks, _usage(map(_spelt, prompts), [said.text] * len(texts)))


def embed(values: _Fields, model: str) -> SandboxResponse:
    """Answer embeddings as lists of floats, or as base64 where that is asked for; equal inputs have equal ones."""
    texts = [_spelt(text) for text in _texts(values, "input", "embeddings", most=_MOST_INPUTS)]
    if not all(texts):
        raise Refusal(400, "embeddings", "input has a text with nothing in it")
    length = next(length for word, length in _DIMENSIONS if word in model.lower())
    vectors: list[list[float] | str] = [_vector(f"{model}\0{text}", length) for text in texts]
    if values.get("encoding_format") == "base64":
        vectors = [pybase64.b64encode(struct.pack(f"<{length}f", *vector)).decode("ascii") for vector in vectors]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = _usage(texts, [])
    del usage["completion_tokens"]
    return json_answer({"object": "list", "data": data, "model": model, "usage": usage})


def _vector(text: str, length: int) -> list[float]:
    """Return a direction thrown with the text's digest, of length 1."""
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * length)
    numbers = [number + 0.5 for number in struct.unpack(f"<{length}h", digest)]  # never all 0
    norm = math.hypot(*numbers)
    return [round(number / norm, 7) for number in numbers]


def _texts(values: _Fields, name: str, behaviour: str, *, most: int) -> list[str | list[int]]:
    """Return what is to be read: texts, or lists of tokens; one alone needs no list around it."""
    value = values.get(name)
    texts: list[Any] = value if isinstance(value, list) and not _is_tokens(value) else [value]
    if not 0 < len(texts) <= most or not all(isinstance(text, str) or _is_tokens(text) for text in texts):
        raise Refusal(400, behaviour, f"{name} is missing, or no text and no list of 1 to {most} texts")
    return texts


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _spelt(text: str | list[int]) -> str:
    return text if isinstance(text, str) else " ".join(map(str, text))


def _refuse_undocumented(values: _Fields) -> None:
    asked = [name for name in _UNDOCUMENTED if values.get(name)]
    if values.get("modalities") not in (None, [], ["text"]):
        asked.append("modalities")
    if asked:
        raise Refusal(400, "undocumented", f"{asked[0]} is not documented")


def _parts(message: _Fields) -> list[_Fields]:
    """Return the parts of a message: texts and pictures."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    for part in parts:
        kind = _object(part).get("type")
        if kind not in ("text", "image_url", "refusal"):
            raise Refusal(400, "undocumented", f"content of the type {str(kind)[:40]} is not documented")
    return parts


def _answer(wanted: _Fields, texts: Sequence[str], pictures: Sequence[str]) -> str:
    """Return the answer as the kind of text that is wanted as `response_format`, or by the messages as code."""
    kind, described = wanted.get("type", "text"), _object(wanted.get("json_schema")).get("schema")
    if kind == "text" and any("```json" in text for text in texts) and (document := _asked_for(texts)):
        return f"```json\n{document}\n```"
    if kind == "text":
        return f"{CHAT_ANSWER} It came with {' and '.join(pictures)}." if pictures else CHAT_ANSWER
    if kind == "json_object":
        return _asked_for(texts, by_example=True) or json.dumps({"placeholder": CHAT_ANSWER})
    if kind == "json_schema" and isinstance(described, dict):
        return _fitting(described, "structured", "response_format.json_schema")
    what = "json_schema needs a schema" if kind == "json_schema" else f"the type {str(kind)[:40]} is not documented"
    raise Refusal(400, "structured", f"response_format: {what}")


def _fitting(schema: object, behaviour: str, place: str) -> str:
    try:
        return json.dumps(minimal_document(schema))
    except NoDocumentError as error:
        raise Refusal(400, behaviour, f"The sandbox finds nothing that fits {place}: {error}") from None


def _asked_for(texts: Sequence[str], *, by_example: bool = False) -> str:
    """Return what fits the last schema in the messages, where many frameworks put it, or is like the first example."""
    objects = [found for found in _objects_in("\n".join(texts)[-_LONGEST_PROMPT:]) if found]
    schemas = [found for found in objects if {"properties", "$ref"} & set(found)]
    with contextlib.suppress(NoDocumentError):
        if schemas:
            return json.dumps(minimal_document(schemas[-1]))
        if objects and by_example:
            return json.dumps(like_example(objects[0]))
    return ""


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    decoder, end = json.JSONDecoder(), 0
    for _ in range(_MOST_BRACES):
        if (at := text.find("{", end)) < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value


def _described(image_url: object) -> str:
    """Say what a picture is by its bytes; one at an address is not fetched."""
    url = image_url.get("url") if isinstance(image_url, dict) else image_url
    if not isinstance(url, str) or not url.startswith(("data:", "https://", "http://")):
        raise Refusal(400, "image-input", "image_url needs a url: data: with base64, or https:")
    if not url.startswith("data:"):
        return "a picture at an address that nobody has opened"
    try:
        picture = recognise(pybase64.b64decode(url.partition(",")[2], validate=True))
    except ValueError as error:
        what = str(error) if isinstance(error, FormatError) else "it is not base64"
        raise Refusal(400, "image-input", f"image_url has no picture that can be read: {what}") from None
    return f"a {picture.format} of {picture.width}x{picture.height} px"


def _call(values: _Fields, messages: Sequence[_Fields]) -> _Saying | None:
    """Return the call of a tool where one is required or named; else None, as nobody here would want one."""
    choice, functions = values.get("tool_choice"), _functions(values.get("tools"))
    if choice in (None, "none", "auto"):
        return None
    name: object = None
    if choice == "required":
        # In turn: a program that needs the result of each would ask for ever.
        calls = [message["tool_calls"] for message in messages if isinstance(message.get("tool_calls"), list)]
        called = [_object(_object(call).get("function")).get("name") for call in itertools.chain(*calls)]
        name = next((name for name in functions if name not in called), next(reversed(functions), ""))
    elif _object(choice).get("type") == "function":
        name = _object(choice.get("function")).get("name")
    else:
        raise Refusal(400, "tools", f"tool_choice {str(_object(choice).get('type', choice))[:40]} is not documented")
    if not isinstance(name, str) or name not in functions:
        raise Refusal(400, "tools", "tool_choice asks for a tool that is not among the tools")
    schema = functions[name].get("parameters") or {"type": "object"}
    return _Saying(text=_fitting(schema, "tools", f"the parameters of {name[:80]}"), tool=name, finish="tool_calls")


def _functions(tools: object) -> dict[str, dict[str, Any]]:
    functions = {}
    for tool in tools if isinstance(tools, list) else [tools] if tools else []:
        kind, function = _object(tool).get("type"), _object(_object(tool).get("function"))
        if kind != "function":
            raise Refusal(400, "tools", f"tools of the type {str(kind)[:40]} are not documented")
        if not isinstance(function.get("name"), str):
            raise Refusal(400, "tools", "a tool needs a function with a name")
        functions[function["name"]] = function
    return functions


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _limited(said: _Saying, values: _Fields) -> _Saying:
    """Cut what is said at a stop word, and after as many words as tokens are allowed."""
    text, stop = said.text, values.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    are_texts = isinstance(stops, list) and all(word and isinstance(word, str) for word in stops)
    if not are_texts or len(stops) > _MOST_STOPS:
        raise Refusal(400, "chat-limits", f"stop is a text, or a list of up to {_MOST_STOPS} texts")
    if not said.tool:
        text = text[: min((place for word in stops if (place := text.find(word)) >= 0), default=len(text))]
    words = re.findall(r"\s*\S+", text)
    most = min(_count(values, name, default=len(words) + 1) for name in ("max_completion_tokens", "max_tokens"))
    if len(words) > most:
        return replace(said, text="".join(words[:most]), finish="length")
    return replace(said, text=text)


def _count(values: _Fields, name: str, *, default: int, most: int | None = None) -> int:
    value = default if values.get(name) is None else values[name]
    if type(value) is int and 1 <= value <= (most or value):
        return value
    raise Refusal(400, "chat-limits", f"{name} is a whole number from 1{f' to {most}' if most else ''}")


def _usage(asked: Iterable[str], said: Iterable[str]) -> dict[str, int]:
    # Words, as no tokenizer is here: a client's bookkeeping has something to count.
    read, told = (sum(len(text.split()) for text in texts) for texts in (asked, said))
    return {"prompt_tokens": read, "completion_tokens": told, "total_tokens": read + told}


def _message(said: _Saying, identifier: str) -> dict[str, Any]:
    if not said.tool:
        return {"role": "assistant", "content": said.text}
    call = {"id": identifier, "type": "function", "function": {"name": said.tool, "arguments": said.text}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _deltas(said: _Saying, identifier: str) -> Iterator[dict[str, Any]]:
    """Yield what a message is put together of, an empty one last."""
    first = _message(replace(said, text=""), identifier)
    for call in first.get("tool_calls", ()):
        call["index"] = 0
    yield first
    for piece in _pieces(said.text):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} if said.tool else {"content": piece}
    yield {}


def _pieces(text: str) -> list[str]:
    return [piece for piece in re.split("(?= )", text) if piece]


def _reply(values: _Fields, head: _Fields, whole: object, chunks: Iterable[_Fields], usage: object) -> SandboxResponse:
    """Answer with the choices as a whole or, where a stream is wanted, with their chunks as events."""
    head = {**head, "created": int(time.time())}
    if values.get("stream") is not True:
        return json_answer({**head, "choices": whole, "usage": usage})
    head = {**head, "object": str(head["object"]).replace("chat.completion", "chat.completion.chunk")}
    events: list[dict[str, Any]] = [{**head, "choices": [chunk]} for chunk in chunks]
    options = values.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        events.append({**head, "choices": [], "usage": usage})
    texts = [*(json.dumps(event, separators=(",", ":")) for event in events), "[DONE]"]
    body = "".join(f"data: {text}\n\n" for text in texts).encode("ascii")
    return SandboxResponse(status=200, headers={"content-type": "text/event-stream; charset=utf-8"}, body=body)
