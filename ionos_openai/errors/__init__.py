"""What goes wrong: the exceptions and warnings of this package, and (`masking`) the one place that masks secrets.

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
        ├── ImageSaveError            also OSError
        └── ProvenanceError           also ValueError
            └── SignedPictureError

What the service refuses stays the SDK's own exception (`openai.BadRequestError` and its siblings): the client
only gives it IONOS' words. `ImageDecodeError`, which carries pictures, stands in `ionos_openai.images`. Nothing in
here ever holds a token or base64.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Sequence
from pathlib import Path

import openai

from ionos_openai.errors.http import http_library


class IonosError(openai.OpenAIError):
    """Base of every exception that this package itself raises."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the message, and none of the frames that led to it."""
        return traceback.format_exception_only(self)


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


def keep_partial_results(error: BaseException, results: Sequence[object]) -> None:
    """Attach to `error` what had already come when it was raised; `partial_images` reads it."""
    error.ionos_partial_results = list(results)  # type: ignore[attr-defined]


def has_partial_results(error: BaseException) -> bool:
    """Tell whether `keep_partial_results` was called for `error`, be it with nothing."""
    return hasattr(error, "ionos_partial_results")


def partial_results(error: BaseException) -> list[object]:
    """Return what `keep_partial_results` attached to `error`; nothing attached gives an empty list."""
    return list(getattr(error, "ionos_partial_results", ()))
