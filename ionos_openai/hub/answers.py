"""The service's error answers, of any shape, made readable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ionos_openai.errors.masking import mask_body
from ionos_openai.errors.words import printable

LARGEST_ERROR = 1 << 18  # bytes of an error answer that are looked at; to parse and mask 60 MB takes seconds
_LONGEST_MESSAGE = 500
_LONGEST_CODE = 80


class ErrorText(NamedTuple):
    """What an error answer says: its text and its code, each None where the answer has none."""

    message: str | None
    code: str | None


def read_error_body(body: object, secret: str | None = None) -> ErrorText:
    """Read the text and the code out of an error answer of any shape: parsed JSON, or the text where it was not JSON.

    The text is the first that a known shape has (`messages[]`, `error`, `message`, `detail`), or what is visible of an
    HTML page: at most 500 characters, masked, also of `secret`, the token that was sent.

    Source: IONOS documentation and recorded answers, 2026-11 (`messages[]`, `error.message`); public clients' code.
    """
    text, code = _find_text(mask_body(body, secret))
    return ErrorText(message=_presentable(text), code=_presentable(code, longest=_LONGEST_CODE))


def _find_text(body: object) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        # Of plain text one line says enough.
        lines = [_strip_html(body)] if "<" in body else [line for line in body.splitlines() if line.strip()]
        return (lines[0] if lines else None), None
    if isinstance(body, list) and body and isinstance(body[0], Mapping):
        body = body[0]
    if not isinstance(body, Mapping):
        return None, None
    messages, error, detail = body.get("messages") or body.get("errors"), body.get("error"), body.get("detail")
    if isinstance(messages, list) and (said := _joined(messages, "message")):
        return said, next((code for entry in messages if isinstance(entry, Mapping) and (code := _code(entry))), None)
    if isinstance(error, Mapping):
        text, code = _find_text(error)
        return text or _text(error.get("type")), code
    texts = [error, *map(body.get, ("message", "msg")), _joined(detail, "msg") if isinstance(detail, list) else detail]
    texts += map(body.get, ("error_description", "reason", "finish_reason", "title"))  # as gateways say it
    return next(filter(None, map(_text, texts)), None), _code(body)


def _joined(entries: list[object], name: str) -> str | None:
    texts = [_text(entry.get(name)) for entry in entries if isinstance(entry, Mapping)]
    return "; ".join(filter(None, texts if any(texts) else map(_text, entries))) or None


def _code(body: Mapping[str, object]) -> str | None:
    return _text(body.get("code")) or _text(body.get("errorCode"))


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _strip_html(text: str) -> str:
    title = re.search(r"(?is)<title[^<>]*>\s*([^<\s][^<]*)</title>", text[:10_000])
    return title[1] if title else re.sub(r"(?s)<(?:style|script)\b.*?(?:</[^<>]*>|$)|<[^<>]*>", " ", text[:10_000])


def _presentable(text: str | None, *, longest: int = _LONGEST_MESSAGE) -> str | None:
    text = " ".join(printable((text or "")[: 20 * _LONGEST_MESSAGE]).split())
    return (text if len(text) <= longest else text[: longest - 1] + "…") or None


def read_field(source: object, key: str) -> object:
    """Return what an object of the SDK's, or a mapping in its place, has under `key`; None where it has nothing."""
    return source.get(key) if isinstance(source, Mapping) else getattr(source, key, None)
