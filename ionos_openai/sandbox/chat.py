"""Chat and embeddings: fixed answers that say what they are, since no model runs here.

The shapes are OpenAI's, which the service is documented to be compatible with; its own answers were not recorded,
but for the 500 that base64 embeddings end in.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard

from ionos_openai.hub.models import find_model, makes_images
from ionos_openai.sandbox.wire import Refusal, SandboxResponse, json_answer

CHAT_ANSWER = "PLACEHOLDER: this is the ionos-openai stand-in; no model has read your message."

EVENT_STREAM = "text/event-stream; charset=utf-8"

_MOST_INPUTS = 2048
_EMBEDDING_WORDS = ("embedding", "bge-", "mpnet", "sentence-transformers")
_OTHER_WORDS = ("reranker", "ocr")
# Source: the models' own pages on huggingface.co, 2026-11.
_DIMENSIONS = (("bge-", 1024), ("mpnet", 768), ("qwen3-vl-embedding-8b", 4096))
_USUAL_DIMENSIONS = 1024


def purpose_of(model: str) -> Literal["images", "embeddings", "chat", "other"]:
    """Tell by a model's id what it can be asked for."""
    name = model.lower()
    if find_model(model) is not None or makes_images(model):
        return "images"
    if any(word in name for word in _OTHER_WORDS):
        return "other"
    return "embeddings" if any(word in name for word in _EMBEDDING_WORDS) else "chat"


def chat(values: Mapping[str, object], model: str, number: int) -> SandboxResponse:
    """Answer a chat; `number` tells it from other chats.

    Raises:
        Refusal: There are no messages.
    """
    messages = values.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "chat", "messages is missing, or no list of messages")
    head: dict[str, object] = {"id": f"chatcmpl-sandbox-{number}", "created": int(time.time()), "model": model}
    usage = _usage(messages, CHAT_ANSWER)
    if values.get("stream") is True:
        options = values.get("stream_options")
        wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        chunks = _chunks(head)
        return _stream([*chunks, {**chunks[0], "choices": [], "usage": usage}] if wants_usage else chunks)
    message = {"role": "assistant", "content": CHAT_ANSWER}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return json_answer({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def embed(values: Mapping[str, object], model: str) -> SandboxResponse:
    """Answer embeddings as lists of floats; equal inputs have equal embeddings.

    Raises:
        Refusal: There is no input, or it is no text and no list of texts or tokens.
    """
    inputs = _inputs(values.get("input"))
    length = next((length for word, length in _DIMENSIONS if word in model.lower()), _USUAL_DIMENSIONS)
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(f"{model}\0{text}", length)}
        for index, text in enumerate(inputs)
    ]
    words = sum(len(text.split()) for text in inputs)
    usage = {"prompt_tokens": words, "total_tokens": words}
    return json_answer({"object": "list", "data": data, "model": model, "usage": usage})


def _usage(messages: Sequence[Mapping[str, object]], answer: str) -> dict[str, int]:
    # Words, as no tokenizer is here: a client's bookkeeping has something to count.
    asked = sum(len(str(message.get("content") or "").split()) for message in messages)
    told = len(answer.split())
    return {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}


def _chunks(head: Mapping[str, object]) -> list[dict[str, object]]:
    pieces = [{"content": piece} for piece in re.split("(?= )", CHAT_ANSWER)]
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *pieces, {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"} for delta in deltas]
    return [{**head, "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]


def _stream(chunks: Sequence[Mapping[str, object]]) -> SandboxResponse:
    events = [*(json.dumps(chunk, separators=(",", ":")) for chunk in chunks), "[DONE]"]
    body = "".join(f"data: {event}\n\n" for event in events).encode("ascii")
    return SandboxResponse(status=200, headers={"content-type": EVENT_STREAM}, body=body)


def _inputs(value: object) -> list[str]:
    texts = value if isinstance(value, list) and not _is_tokens(value) else [value]
    if not texts or len(texts) > _MOST_INPUTS:
        raise Refusal(400, "embeddings", f"input is 1 to {_MOST_INPUTS} texts")
    if not all((isinstance(text, str) and text) or _is_tokens(text) for text in texts):
        raise Refusal(400, "embeddings", "input is missing, or no text and no list of texts")
    return [" ".join(map(str, text)) if _is_tokens(text) else str(text) for text in texts]


def _is_tokens(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _vector(text: str, length: int) -> list[float]:
    """Return a direction thrown with the text's digest, of length 1."""
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * length)
    numbers = [number + 0.5 for number in struct.unpack(f"<{length}h", digest)]  # never all 0
    norm = math.hypot(*numbers)
    return [round(number / norm, 7) for number in numbers]
