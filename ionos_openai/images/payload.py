"""From an item of a response to the bytes of its picture."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import pybase64

from ionos_openai.errors.masking import mask_secrets

_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
ASK_AGAIN = "Ask for it again."
_ASK_BASE64 = "Ask with response_format='b64_json'"


class ItemError(Exception):
    """Why an item is no picture, and how to ask better: what follows "Item 2 of 3 "."""


def item_bytes(item: object) -> bytes:
    """Return the bytes of an item's picture.

    Raises:
        ItemError: It has none, or what it has is not base64.
    """
    text, url = as_text(read_field(item, "b64_json")), as_text(read_field(item, "url"))
    if not text.strip() and url[:5].lower() == "data:":
        text = url
    if not text.strip() and not url.strip():
        raise ItemError(f"has no picture: `b64_json` and `url` are both missing or empty. {_ASK_BASE64}.")
    if not text.strip():
        raise ItemError(f"is only a URL{_address(url)}. {_ASK_BASE64}, or download the URL yourself.")
    # Most are in the form that the service sends.
    for encoded in (lambda: text, lambda: _normalise(text)):
        with contextlib.suppress(ValueError):
            return pybase64.b64decode(encoded(), validate=True)
    raise ItemError(f"is not base64. {ASK_AGAIN}")


def _address(url: str) -> str:
    # Behind the question mark of such URLs stands a signature, which is a secret.
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.hostname:
            return f" ({mask_secrets(f'{parts.scheme}://{parts.hostname}{parts.path}'[:200])})"
    return ""


def _normalise(text: str) -> bytes:
    """Bring base64 with a `data:` prefix, line breaks or the URL-safe alphabet into the standard form."""
    start = 0
    if text[:64].lstrip()[:5].lower() == "data:":
        start = text.find(",", 0, 512) + 1
    plain = text[start:].encode("ascii").translate(_URL_SAFE_TO_STANDARD, b" \t\r\n\f\v").rstrip(b"=")
    return plain + b"=" * (-len(plain) % 4)


def read_field(source: object, key: str) -> object:
    """Return what an object of the SDK's, or a mapping in its place, has under `key`; None where it has nothing."""
    return source.get(key) if isinstance(source, Mapping) else getattr(source, key, None)


def as_text(value: object) -> str:
    """Return `value` where it is text, else ""."""
    return value if isinstance(value, str) else ""
