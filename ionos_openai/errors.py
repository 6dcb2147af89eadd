"""The exceptions and warnings of this package, and an IONOS error answer made readable.

The tree::

    openai.OpenAIError
    └── IonosError
        ├── ConfigurationError
        │   ├── MissingTokenError
        │   ├── InvalidTokenError     also openai.AuthenticationError
        │   └── UntrustedHostError
        ├── BatchRunningError
        ├── BudgetExceededError       also openai.RateLimitError
        ├── BudgetUnavailableError
        ├── InvalidRequestError       also ValueError
        │   ├── UnknownModelError
        │   └── UnsupportedParameterError
        ├── ImageDecodeError          also ValueError
        ├── ImageSaveError            also OSError
        └── ProvenanceError           also ValueError
            └── SignedPictureError

What the service refuses stays the SDK's own exception (`openai.BadRequestError` and its siblings): the client
only gives it IONOS' words. Nothing in here ever holds a token or base64.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openai

from ionos_openai.transport import http_library

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types import ImagesResponse

    from ionos_openai.images import GeneratedImage

_LONGEST_MESSAGE = 500
_LONGEST_CODE = 80
_KEY = re.compile(r"\bsk-[\w-]{8,}")
# In one piece, or in the lines of 64 or 76 characters that mail and PEM break it into.
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{120,}|(?:[A-Za-z0-9+/_=-]{60,}\s+){2,}[A-Za-z0-9+/_=-]*")


class IonosError(openai.OpenAIError):
    """Base of every exception that this package itself raises."""


class ConfigurationError(IonosError):
    """A setting, argument or environment variable has a value that cannot work."""


class MissingTokenError(ConfigurationError):
    """There is no IONOS token in any of the places where one is looked for."""


class InvalidTokenError(ConfigurationError, openai.AuthenticationError):
    """The token cannot work, which was seen before anything was sent.

    It is an `openai.AuthenticationError`, so that handlers for a refused token catch it. Its `response` is an
    empty 401 made on this machine.
    """

    def __init__(self, message: str) -> None:
        """Keep `message`; the 401 that the SDK's class asks for is made here."""
        http = http_library()
        response = http.Response(401, request=http.Request("GET", "https://token.invalid/"))
        openai.AuthenticationError.__init__(self, message, response=response, body=None)


class UntrustedHostError(ConfigurationError):
    """The token would go to a host that nobody named in code, or over an unencrypted connection."""


class BudgetExceededError(IonosError, openai.RateLimitError):
    """Keeping within the contract's limits would take longer than `max_wait` allows; nothing was sent.

    It is an `openai.RateLimitError`, so that handlers for a 429 catch it. Its `response` is a 429 made on this machine.

    Attributes:
        retry_after: Seconds after which a try is worth it.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        """Keep `message` and `retry_after`; the 429 that the SDK's class asks for is made here."""
        http = http_library()
        headers = {"Retry-After": str(math.ceil(retry_after))}
        response = http.Response(429, headers=headers, request=http.Request("POST", "https://budget.invalid/"))
        openai.RateLimitError.__init__(self, message, response=response, body=None)
        self.retry_after = retry_after


class BudgetUnavailableError(IonosError):
    """Redis, which keeps the contract's limits for several hosts, cannot be asked; nothing was sent."""


class BatchRunningError(IonosError):
    """Another run of a batch works in the same directory."""


class InvalidRequestError(IonosError, ValueError):
    """A prompt, size, number or name cannot work, which was seen before anything was sent."""


class UnknownModelError(InvalidRequestError):
    """A model name fits none of the known image models, or more than one.

    Attributes:
        candidates: The ids among which to choose.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        """Keep `message` and the ids among which to choose."""
        super().__init__(message)
        self.candidates = list(candidates)


class UnsupportedParameterError(InvalidRequestError):
    """A parameter of OpenAI's that IONOS does not take, where it may not be left out in silence.

    Attributes:
        parameter: Its name.
    """

    def __init__(self, message: str, *, parameter: str = "") -> None:
        """Keep `message` and the parameter's name."""
        super().__init__(message)
        self.parameter = parameter


class ImageDecodeError(IonosError, ValueError):
    """An item of the response is not a picture.

    Attributes:
        index: Which item of `data` it is, from 0; None where the response has no items at all.
        images: The pictures of the same response that are good, in order.
    """

    def __init__(self, message: str, *, index: int | None = None, images: Sequence[GeneratedImage] = ()) -> None:
        """Keep `message`, the bad item's index and the good pictures."""
        super().__init__(message)
        self.index = index
        self.images = list(images)


class ImageSaveError(IonosError, OSError):
    """A picture could not be written; the pictures themselves are still in memory.

    Attributes:
        paths: What was already written by the same call, in order.
    """

    def __init__(self, message: str, *, paths: Sequence[Path] = ()) -> None:
        """Keep `message` and what was already written."""
        super().__init__(message)
        self.paths = list(paths)


class ProvenanceError(IonosError, ValueError):
    """The bytes cannot be read for provenance, or cannot take it. The message says why, and what to do."""


class SignedPictureError(ProvenanceError):
    """The picture carries a C2PA manifest, whose signature any insertion would break."""


class IonosWarning(UserWarning):
    """Base of every warning that this package gives."""


class CompatibilityWarning(IonosWarning):
    """A request written for OpenAI was changed for IONOS; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """What an error answer says: its text and its code, each None where the answer has none."""

    message: str | None = None
    code: str | None = None


def read_error_body(body: object, secret: str | None = None) -> ErrorText:
    """Read the text and the code out of an error answer of any shape.

    Args:
        body: The parsed JSON, or the text where it was not JSON.
        secret: The token that was sent, to be masked should the answer repeat it.

    Returns:
        The first text that one of the known shapes has: `messages[]`, `error`, `message`, `detail`, or the
        visible text of an HTML page. At most 500 characters, secrets and base64 masked.

    Source: IONOS documentation and recorded answers, 2026-11 (`messages[]`, `error.message`); the other shapes
    are those that public clients read.
    """
    text, code = _find_text(mask_body(body, secret))
    return ErrorText(message=_presentable(text), code=_presentable(code, longest=_LONGEST_CODE))


def mask_secrets(text: str, secret: str | None = None) -> str:
    """Replace `secret`, and what looks like a token, a key or base64, by a short placeholder."""
    if secret:
        text = text.replace(secret, "<token>")
    text = re.sub(r"eyJ[\w-]{5,}(?:\.[\w-]*)*", "<token>", text)
    text = re.sub(r"(?i)\bbearer\s+[^\s\"',;<>]+", "Bearer <token>", text)
    text = _KEY.sub(lambda found: "<token>" if _is_random(found[0], 10, r"\d|[a-z][A-Z]") else found[0], text)
    return _BASE64.sub(lambda found: "<data>" if _is_random(found[0], 20, r"\d") else found[0], text)


def _is_random(text: str, least: int, sign: str) -> bool:
    """Tell a key or data from a path of names: by a piece of `least` letters and digits in which `sign` is found.

    Of data that is all alike, such as the base64 of zeros, a piece of 60 tells.
    """
    pieces = re.finditer(rf"[A-Za-z0-9+]{{{least},}}", text)
    return any(len(one[0]) >= 60 or re.search(sign, one[0]) for one in pieces)


def mask_body(body: object, secret: str | None = None, *, depth: int = 20) -> object:
    """Return the parsed JSON `body` with `mask_secrets` applied to each text in it, cut off at `depth` levels."""
    if isinstance(body, str):
        return mask_secrets(body, secret)
    if isinstance(body, (list, dict)) and depth == 0:
        return None
    if isinstance(body, list):
        return [mask_body(one, secret, depth=depth - 1) for one in body]
    if isinstance(body, dict):
        return {mask_secrets(str(key), secret): mask_body(one, secret, depth=depth - 1) for key, one in body.items()}
    return body


def _find_text(body: object) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        return _strip_html(body), None
    if not isinstance(body, Mapping):
        return None, None
    messages = body.get("messages")
    if isinstance(messages, list):
        entries = [entry for entry in messages if isinstance(entry, Mapping)]
        texts = [_text(entry.get("message")) for entry in entries]
        codes = [_text(entry.get("errorCode")) for entry in entries]
        if any(texts):
            return "; ".join(text for text in texts if text), next((code for code in codes if code), None)
    error = body.get("error")
    if isinstance(error, Mapping):
        return _text(error.get("message")), _code(error)
    detail = body.get("detail")
    if isinstance(detail, list):
        parts = [_text(entry.get("msg")) for entry in detail if isinstance(entry, Mapping)]
        detail = "; ".join(part for part in parts if part)
    return next((text for text in map(_text, (error, body.get("message"), detail)) if text), None), _code(body)


def _code(body: Mapping[str, object]) -> str | None:
    return _text(body.get("code")) or _text(body.get("errorCode"))


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _strip_html(text: str) -> str:
    if "<" not in text:
        return text
    title = re.search(r"(?is)<title[^<>]*>([^<]*)</title>", text[:10_000])
    if title and title[1].strip():
        return title[1]
    return re.sub(r"(?s)<(?:style|script)\b.*?(?:</[^<>]*>|$)|<[^<>]*>", " ", text[:10_000])


def _presentable(text: str | None, *, longest: int = _LONGEST_MESSAGE) -> str | None:
    if not text:
        return None
    # A terminal's control sequences and lone surrogates come from the other side too: neither belongs on a screen.
    text = "".join(letter if letter.isprintable() else " " for letter in text[: 20 * _LONGEST_MESSAGE])
    text = " ".join(text.split())
    return (text if len(text) <= longest else text[: longest - 1] + "…") or None


def keep_partial_results(error: BaseException, results: Sequence[ImagesResponse | GeneratedImage]) -> None:
    """Attach to `error` what had already come when it was raised; `partial_images` reads it."""
    error.ionos_partial_results = list(results)  # type: ignore[attr-defined]


def partial_results(error: BaseException) -> list[ImagesResponse | GeneratedImage]:
    """Return what `keep_partial_results` attached to `error`; nothing attached gives an empty list."""
    return list(getattr(error, "ionos_partial_results", ()))
