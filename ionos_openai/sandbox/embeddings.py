"""Embeddings: directions thrown with the input's digest, since no model runs here."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import TYPE_CHECKING

import pybase64

from ionos_openai.sandbox.chat import is_tokens
from ionos_openai.sandbox.wire import Refusal, SandboxResponse, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_INPUTS = 2048
# Source: the models' own pages on huggingface.co, 2026-11.
_DIMENSIONS = (("bge-", 1024), ("mpnet", 768), ("qwen3-vl-embedding-8b", 4096))
_USUAL_DIMENSIONS = 1024


def embed(values: Mapping[str, object], model: str) -> SandboxResponse:
    """Answer embeddings as lists of floats, or as base64 where that is asked for; equal inputs have equal embeddings.

    Raises:
        Refusal: There is no input, or it is no text and no list of texts or tokens.
    """
    inputs = _inputs(values.get("input"))
    length = next((length for word, length in _DIMENSIONS if word in model.lower()), _USUAL_DIMENSIONS)
    vectors: list[list[float] | str] = [_vector(f"{model}\0{text}", length) for text in inputs]
    if values.get("encoding_format") == "base64":
        vectors = [pybase64.b64encode(struct.pack(f"<{length}f", *vector)).decode("ascii") for vector in vectors]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    words = sum(len(text.split()) for text in inputs)
    usage = {"prompt_tokens": words, "total_tokens": words}
    return json_answer({"object": "list", "data": data, "model": model, "usage": usage})


def _inputs(value: object) -> list[str]:
    texts = value if isinstance(value, list) and not is_tokens(value) else [value]
    if not texts or len(texts) > _MOST_INPUTS:
        raise Refusal(400, "embeddings", f"input is 1 to {_MOST_INPUTS} texts")
    if not all((isinstance(text, str) and text) or is_tokens(text) for text in texts):
        raise Refusal(400, "embeddings", "input is missing, or no text and no list of texts")
    return [" ".join(map(str, text)) if is_tokens(text) else str(text) for text in texts]


def _vector(text: str, length: int) -> list[float]:
    """Return a direction thrown with the text's digest, of length 1."""
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * length)
    numbers = [number + 0.5 for number in struct.unpack(f"<{length}h", digest)]  # never all 0
    norm = math.hypot(*numbers)
    return [round(number / norm, 7) for number in numbers]
