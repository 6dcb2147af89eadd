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
        │   └── SignatureError
        └── ProvenanceError           also ValueError
            └── SignedPictureError

What the service refuses stays the SDK's own exception (`openai.BadRequestError` and its siblings): the client
only gives it IONOS' words. `ImageDecodeError`, which carries pictures, stands in `ionos_openai.images`. Nothing in
here ever holds a token or base64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ionos_openai.errors.loading import lazy

if TYPE_CHECKING:
    from ionos_openai.errors.exceptions import *  # noqa: F403 - the tree above has their names

__getattr__ = lazy(__name__, "ionos_openai.errors.exceptions")


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
    """Return what `keep_partial_results` attached to `error`, else an empty list."""
    return list(getattr(error, "ionos_partial_results", ()))
