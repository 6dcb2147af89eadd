"""The exceptions, which derive from the SDK's; `ionos_openai.errors` hands them on, and has their tree.

They stand apart so that what goes well need not load the SDK: whoever raises or catches one asks `errors` for it then.
"""

from __future__ import annotations

import contextlib
import copyreg
import math
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openai

from ionos_openai import errors
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import mask_secrets


def reduced(error: BaseException) -> tuple[Any, ...]:
    """Return what an exception is pickled as: without what was sent, which holds the token, and with the answer masked.

    So it comes out of a pool of processes, and of whatever else hands exceptions on.
    """
    state, http = dict(vars(error)), http_library()
    if isinstance(request := state.get("request"), http.Request):
        state["request"] = http.Request(request.method, request.url)
    if isinstance(response := state.get("response"), http.Response):
        secret = response.request.headers.get("authorization", "").partition(" ")[2]
        headers = {name: mask_secrets(value, secret) for name, value in response.headers.items()}
        for name in ("content-encoding", "content-length", "transfer-encoding"):  # of what came, not of what is kept
            headers.pop(name, None)
        text = ""
        with contextlib.suppress(RuntimeError):  # a stream's was not kept
            text = mask_secrets(response.text, secret)
        request = http.Request(response.request.method, response.request.url)
        state["response"] = http.Response(response.status_code, headers=headers, text=text, request=request)
    # A constructor may ask for more than a message, so it is not called; of an OSError, that sets no `args` either.
    return copyreg.__newobj__, (type(error), *error.args), {**state, "args": error.args}  # type: ignore[attr-defined]


class IonosError(openai.OpenAIError):
    """Base of every exception that this package itself raises."""

    __reduce__ = reduced

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the message, and none of the frames that led to it."""
        return traceback.format_exception_only(self)


class ConfigurationError(IonosError):
    """A setting, argument or environment variable has a value that cannot work."""


class MissingTokenError(ConfigurationError):
    """There is no IONOS token in any of the places where one is looked for."""


class InvalidTokenError(ConfigurationError, openai.AuthenticationError):
    """The token cannot work, which was seen before anything was sent.

    Handlers for a refused token catch it, for it is an `openai.AuthenticationError`; its `response` was made here.
    """

    def __init__(self, message: str) -> None:
        """Keep `message`, and make the 401 that the SDK's class asks for."""
        openai.AuthenticationError.__init__(self, message, response=_response(401, "GET", "token"), body=None)


class UntrustedHostError(ConfigurationError):
    """The token would go to a host that nobody named in code, or over an unencrypted connection."""


class BudgetExceededError(IonosError, openai.RateLimitError):
    """Keeping within the contract's limits would take longer than `max_wait` allows; nothing was sent.

    Handlers for a 429 catch it, for it is an `openai.RateLimitError`; its `response` was made here. `retry_after` is
    the number of seconds after which a try is worth it.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        """Keep both, and make the 429 that the SDK's class asks for."""
        response = _response(429, "POST", "budget", {"Retry-After": str(math.ceil(retry_after))})
        openai.RateLimitError.__init__(self, message, response=response, body=None)
        self.retry_after = retry_after


class BudgetUnavailableError(IonosError):
    """Redis, which keeps the contract's limits for several hosts, cannot be asked; nothing was sent."""


class BatchRunningError(IonosError):
    """Another run of a batch works in the same directory."""


class InvalidRequestError(IonosError, ValueError):
    """A prompt, size, number or name cannot work, which was seen before anything was sent."""


class UnknownModelError(InvalidRequestError):
    """A model name fits none of the known image models, or more than one; `candidates` are ids to choose from."""

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        """Keep both."""
        super().__init__(message)
        self.candidates = list(candidates)


class UnsupportedParameterError(InvalidRequestError):
    """A `parameter` of OpenAI's that IONOS does not take, where it may not be left out in silence."""

    def __init__(self, message: str, *, parameter: str = "") -> None:
        """Keep `message` and the parameter's name."""
        super().__init__(message)
        self.parameter = parameter


class ImageSaveError(IonosError, OSError):
    """A picture could not be written, and is still in memory; `paths` is what the same call wrote before, in order."""

    def __init__(self, message: str, *, paths: Sequence[Path | str] = ()) -> None:
        """Keep both."""
        super().__init__(message)
        self.paths = list(paths)


class SignatureError(ImageSaveError):
    """A picture could not be signed, and was not to be saved without a signature."""


class ProvenanceError(IonosError, ValueError):
    """The bytes cannot be read for provenance, or cannot take it. The message says why, and what to do."""


class SignedPictureError(ProvenanceError):
    """The picture carries a C2PA manifest, whose signature any insertion would break."""


def _response(status: int, method: str, host: str, headers: Mapping[str, str] | None = None) -> Any:
    http = http_library()
    return http.Response(status, headers=headers, request=http.Request(method, f"https://{host}.invalid/"))


for _kind in tuple(vars().values()):
    if isinstance(_kind, type) and issubclass(_kind, IonosError):
        _kind.__module__ = errors.__name__  # where users know it, in tracebacks and pickles
        setattr(errors, _kind.__name__, _kind)
