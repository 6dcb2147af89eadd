"""Chat and completions: fixed answers that say what they are, since no model runs here.

The shapes are OpenAI's, which the service is documented to be compatible with; its own answers were not recorded.
"""

from __future__ import annotations

import binascii
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import pybase64

from ionos_openai.files.formats import FormatError, recognise
from ionos_openai.hub.models import find_model, makes_images
from ionos_openai.sandbox.documents import NoDocumentError, minimal_document
from ionos_openai.sandbox.wire import Refusal, SandboxResponse, json_answer

CHAT_ANSWER = "PLACEHOLDER: this is the ionos-openai sandbox; no model has read your message."
COMPLETION = " PLACEHOLDER: this is the ionos-openai sandbox; no model has read your prompt."
EVENT_STREAM = "text/event-stream; charset=utf-8"

_EMBEDDING_WORDS = ("embedding", "bge-", "mpnet", "sentence-transformers")
_OTHER_WORDS = ("reranker", "ocr")
_MOST_CHOICES, _MOST_STOPS, _MOST_PROMPTS = 128, 4, 128
_LONGEST_PROMPT, _MOST_BRACES = 200_000, 500  # of which a schema is looked for
# They ask for something in the answer that nobody has documented; all that only steers a model's words changes nothing.
_UNDOCUMENTED = ("audio", "function_call", "functions", "logprobs", "suffix", "top_logprobs", "web_search_options")


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


def chat(values: Mapping[str, Any], model: str, number: int) -> SandboxResponse:
    """Answer a chat; `number` tells it from other chats.

    Raises:
        Refusal: There are no messages, or something is asked for that is not documented, or of the wrong kind.
    """
    messages = values.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "chat", "messages is missing, or no list of messages")
    _refuse_undocumented(values)
    parts = [part for message in messages for part in _parts(message)]
    texts = [str(part.get("text") or "") for part in parts]
    said = _call(values, messages) or _Saying(text=_answer(values, texts, parts))
    said, number_of_choices = _limited(said, values), _count(values, "n", most=_MOST_CHOICES) or 1
    head = {"id": f"chatcmpl-sandbox-{number}", "created": int(time.time()), "model": model}
    usage = _usage(texts, [said] * number_of_choices)
    if values.get("stream") is True:
        choices = (
            {"index": index, "delta": delta, "finish_reason": None if delta else said.finish}
            for index in range(number_of_choices)
            for delta in _deltas(said, f"call-sandbox-{number}-{index}")
        )
        return _stream({**head, "object": "chat.completion.chunk"}, choices, usage if _wants_usage(values) else None)
    messages = [_message(said, f"call-sandbox-{number}-{index}") for index in range(number_of_choices)]
    answered = [
        {"index": index, "message": message, "finish_reason": said.finish, "logprobs": None}
        for index, message in enumerate(messages)
    ]
    return json_answer({**head, "object": "chat.completion", "choices": answered, "usage": usage})


def complete(values: Mapping[str, Any], model: str, number: int) -> SandboxResponse:
    """Answer a completion; `number` tells it from others.

    Raises:
        Refusal: There is no prompt, or something is asked for that is not documented, or of the wrong kind.
    """
    prompt = values.get("prompt")
    prompts = prompt if isinstance(prompt, list) and not is_tokens(prompt) else [prompt]
    fits = all(isinstance(text, str) or is_tokens(text) for text in prompts)
    if not fits or not 0 < len(prompts) <= _MOST_PROMPTS:
        raise Refusal(400, "completions", f"prompt is missing, or no text and no list of 1 to {_MOST_PROMPTS} texts")
    _refuse_undocumented(values)
    times = _count(values, "n", most=_MOST_CHOICES) or 1
    said = _limited(_Saying(text=COMPLETION), values)
    heads = [str(text) if values.get("echo") is True and not is_tokens(text) else "" for text in prompts]
    texts = [head + said.text for head in heads for _ in range(times)]
    head = {"id": f"cmpl-sandbox-{number}", "object": "text_completion", "created": int(time.time()), "model": model}
    usage = _usage(
        [" ".join(map(str, text)) if is_tokens(text) else str(text) for text in prompts], [said] * len(texts)
    )
    blank = {"logprobs": None, "finish_reason": None}
    if values.get("stream") is True:
        chunks = (
            {**blank, "index": index, "text": piece} | ({} if piece else {"finish_reason": said.finish})
            for index, text in enumerate(texts)
            for piece in [*_pieces(text), ""]
        )
        return _stream(head, chunks, usage if _wants_usage(values) else None)
    done = {**blank, "finish_reason": said.finish}
    return json_answer(
        {
            **head,
            "choices": [{**done, "index": index, "text": text} for index, text in enumerate(texts)],
            "usage": usage,
        }
    )


def is_tokens(value: object) -> TypeGuard[list[int]]:
    """Tell whether a value is a list of tokens."""
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _refuse_undocumented(values: Mapping[str, Any]) -> None:
    asked = [name for name in _UNDOCUMENTED if values.get(name)]
    modalities = values.get("modalities")
    if modalities and modalities != ["text"]:
        asked.append("modalities")
    if asked:
        raise Refusal(400, "undocumented", f"{asked[0]} is not documented")


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parts of a message: texts and pictures."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "image_url", "refusal"):
            raise Refusal(400, "undocumented", f"content of the type {str(kind)[:40]} is not documented")
    return parts


def _answer(values: Mapping[str, Any], texts: Sequence[str], parts: Sequence[Mapping[str, Any]]) -> str:
    """Return the answer as the wanted kind of text."""
    wanted = _object(values.get("response_format"))
    kind = wanted.get("type", "text")
    if kind == "text":
        pictures = [_described(part.get("image_url")) for part in parts if part["type"] == "image_url"]
        return f"{CHAT_ANSWER} It came with {' and '.join(pictures)}." if pictures else CHAT_ANSWER
    if kind == "json_object":
        try:
            return json.dumps(minimal_document(_schema_in(texts)))
        except NoDocumentError:
            return json.dumps({"placeholder": CHAT_ANSWER})
    described = wanted.get("json_schema") if kind == "json_schema" else None
    if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
        what = "json_schema needs a schema" if kind == "json_schema" else f"the type {str(kind)[:40]} is not documented"
        raise Refusal(400, "structured", f"response_format: {what}")
    return _fitting(described["schema"], "structured", "response_format.json_schema")


def _fitting(schema: object, behaviour: str, place: str) -> str:
    try:
        return json.dumps(minimal_document(schema))
    except NoDocumentError as error:
        raise Refusal(400, behaviour, f"The sandbox finds nothing that fits {place}: {error}") from None


def _schema_in(texts: Sequence[str]) -> object:
    """Return the last JSON schema in the messages, where many frameworks put it; None where there is none."""
    text, decoder, found = "\n".join(texts)[-_LONGEST_PROMPT:], json.JSONDecoder(), None
    at = text.find("{")
    for _ in range(_MOST_BRACES):
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value, end = None, at + 1
        if isinstance(value, dict) and ({"properties", "$ref"} & set(value)):
            found = value
        at = text.find("{", end)
    return found


def _described(image_url: object) -> str:
    """Say what a picture is by its bytes; one at an address is not fetched."""
    url = image_url.get("url") if isinstance(image_url, dict) else image_url
    if not isinstance(url, str) or not url.startswith(("data:", "https://", "http://")):
        raise Refusal(400, "image-input", "image_url needs a url: data: with base64, or https:")
    if not url.startswith("data:"):
        return "a picture at an address that nobody has opened"
    try:
        picture = recognise(pybase64.b64decode(url.partition(",")[2], validate=True))
    except (FormatError, binascii.Error, ValueError) as error:
        what = str(error) if isinstance(error, FormatError) else "it is not base64"
        raise Refusal(400, "image-input", f"image_url has no picture that can be read: {what}") from None
    return f"a {picture.format} of {picture.width}x{picture.height} px"


def _call(values: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> _Saying | None:
    """Return the call of a tool where one is required or named; else None, as nobody here would want one."""
    choice, functions = values.get("tool_choice"), _functions(values.get("tools"))
    if choice in (None, "none", "auto"):
        return None
    name: object = None
    if choice == "required":
        # In turn: a program that needs the result of each would ask for ever.
        calls = [call for message in messages for call in _entries(message.get("tool_calls"))]
        called = [_object(call.get("function")).get("name") for call in calls]
        name = next((name for name in functions if name not in called), next(reversed(functions), ""))
    elif isinstance(choice, dict) and choice.get("type") == "function":
        name = _object(choice.get("function")).get("name")
    else:
        kind = choice.get("type") if isinstance(choice, dict) else choice
        raise Refusal(400, "tools", f"tool_choice {str(kind)[:40]} is not documented")
    if not isinstance(name, str) or name not in functions:
        raise Refusal(400, "tools", "tool_choice asks for a tool that is not among the tools")
    schema = functions[name].get("parameters") or {"type": "object"}
    return _Saying(text=_fitting(schema, "tools", f"the parameters of {name[:80]}"), tool=name, finish="tool_calls")


def _functions(tools: object) -> dict[str, dict[str, Any]]:
    functions = {}
    for tool in tools if isinstance(tools, list) else [tools] if tools else []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind != "function":
            raise Refusal(400, "tools", f"tools of the type {str(kind)[:40]} are not documented")
        function = _object(tool).get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Refusal(400, "tools", "a tool needs a function with a name")
        functions[function["name"]] = function
    return functions


def _entries(value: object) -> list[dict[str, Any]]:
    return [_object(entry) for entry in value] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _limited(said: _Saying, values: Mapping[str, Any]) -> _Saying:
    """Cut what is said at a stop word, and after as many words as tokens are allowed."""
    text, finish = said.text, said.finish
    stop = values.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    fits = (
        isinstance(stops, list) and len(stops) <= _MOST_STOPS and all(isinstance(word, str) and word for word in stops)
    )
    if not fits:
        raise Refusal(400, "chat-limits", f"stop is a text, or a list of up to {_MOST_STOPS} texts")
    if not said.tool:
        text = text[: min((place for word in stops if (place := text.find(word)) >= 0), default=len(text))]
    limits = [_count(values, name) for name in ("max_completion_tokens", "max_tokens")]
    most = min((limit for limit in limits if limit is not None), default=None)
    words = re.findall(r"\s*\S+", text)
    if most is not None and len(words) > most:
        text, finish = "".join(words[:most]), "length"
    return _Saying(text=text, tool=said.tool, finish=finish)


def _count(values: Mapping[str, Any], name: str, *, most: int | None = None) -> int | None:
    value = values.get(name)
    if value is None or (type(value) is int and 1 <= value <= (most or value)):
        return value
    raise Refusal(400, "chat-limits", f"{name} is a whole number from 1{f' to {most}' if most else ''}")


def _usage(asked: Sequence[str], said: Sequence[_Saying]) -> dict[str, int]:
    # Words, as no tokenizer is here: a client's bookkeeping has something to count.
    read, told = (sum(len(text.split()) for text in texts) for texts in (asked, [answer.text for answer in said]))
    return {"prompt_tokens": read, "completion_tokens": told, "total_tokens": read + told}


def _message(said: _Saying, identifier: str) -> dict[str, Any]:
    if not said.tool:
        return {"role": "assistant", "content": said.text}
    call = {"id": identifier, "type": "function", "function": {"name": said.tool, "arguments": said.text}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _deltas(said: _Saying, identifier: str) -> Iterator[dict[str, Any]]:
    """Yield what a message is put together of, an empty one last."""
    if said.tool:
        (call,) = _message(said, identifier)["tool_calls"]
        first = {**call, "index": 0, "function": {"name": said.tool, "arguments": ""}}
        yield {"role": "assistant", "content": None, "tool_calls": [first]}
        for piece in _pieces(said.text):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    else:
        yield {"role": "assistant", "content": ""}
        for piece in _pieces(said.text):
            yield {"content": piece}
    yield {}


def _pieces(text: str) -> list[str]:
    return [piece for piece in re.split("(?= )", text) if piece]


def _wants_usage(values: Mapping[str, Any]) -> bool:
    options = values.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _stream(head: Mapping[str, Any], choices: Iterator[Mapping[str, Any]], usage: object) -> SandboxResponse:
    chunks: list[dict[str, Any]] = [{**head, "choices": [choice]} for choice in choices]
    if usage is not None:
        chunks.append({**head, "choices": [], "usage": usage})
    events = [*(json.dumps(chunk, separators=(",", ":")) for chunk in chunks), "[DONE]"]
    body = "".join(f"data: {event}\n\n" for event in events).encode("ascii")
    return SandboxResponse(status=200, headers={"content-type": EVENT_STREAM}, body=body)
