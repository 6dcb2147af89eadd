"""The service's error answers, of any shape, made readable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ionos_openai.errors.masking import mask_body
from ionos_openai.errors.words import printable

LARGEST_ERROR = 1 << 18
"""Bytes of an error answer that are looked at; to parse and mask 60 MB takes seconds."""

_LONGEST_MESSAGE = 500
_LONGEST_CODE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """What an error answer says: its text and its code, each None where the answer has none."""

    message: str | None = None
    code: str | None = None


def read_error_body(body: object, secret: str | None = None) -> ErrorText:
    """Read the text and the code out of an error answer of any shape: parsed JSON, or the text where it was not JSON.

    The text is the first that one of the known shapes has: `messages[]`, `error`, `message`, `detail`, or what is
    visible of an HTML page. At most 500 characters; secrets and base64 are masked, and so is `secret`, the token that
    was sent, should the answer repeat it.

    Source: IONOS documentation and recorded answers, 2026-11 (`messages[]`, `error.message`); the other shapes
    are those that public clients read.
    """
    text, code = _find_text(mask_body(body, secret))
    return ErrorText(message=_presentable(text), code=_presentable(code, longest=_LONGEST_CODE))


def _find_text(body: object) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        # Of plain text one line says enough.
        lines = [_strip_html(body)] if "<" in body else [line for line in body.splitlines() if line.strip()]
        return (lines[0] if lines else None), None
    if not isinstance(body, Mapping):
        return None, None
    messages = body.get("messages") or body.get("errors")
    if isinstance(messages, list):
        entries = [entry for entry in messages if isinstance(entry, Mapping)]
        texts = [_text(entry.get("message")) for entry in entries]
        codes = [_code(entry) for entry in entries]
        if any(texts):
            return "; ".join(text for text in texts if text), next((code for code in codes if code), None)
    error = body.get("error")
    if isinstance(error, Mapping):
        return _text(error.get("message")), _code(error)
    detail = body.get("detail")
    if isinstance(detail, list):
        parts = [_text(entry.get("msg")) for entry in detail if isinstance(entry, Mapping)]
        detail = "; ".join(part for part in parts if part)
    return next(
        (text for text in map(_text, (error, body.get("message"), body.get("msg"), detail)) if text), None
    ), _code(body)


def _code(body: Mapping[str, object]) -> str | None:
    return _text(body.get("code")) or _text(body.get("errorCode"))


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _strip_html(text: str) -> str:
    title = re.search(r"(?is)<title[^<>]*>([^<]*)</title>", text[:10_000])
    if title and title[1].strip():
        return title[1]
    return re.sub(r"(?s)<(?:style|script)\b.*?(?:</[^<>]*>|$)|<[^<>]*>", " ", text[:10_000])


def _presentable(text: str | None, *, longest: int = _LONGEST_MESSAGE) -> str | None:
    if not text:
        return None
    text = " ".join(printable(text[: 20 * _LONGEST_MESSAGE]).split())
    return (text if len(text) <= longest else text[: longest - 1] + "…") or None
