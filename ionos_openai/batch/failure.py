"""What a failed request means for a batch: end it, wait, try again, or this one prompt's failure."""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

import openai

from ionos_openai import errors
from ionos_openai.client.pacing.turns import WithdrawnError, is_used_up, read_retry_after
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.images.image import ImageDecodeError

Meaning: TypeAlias = Literal["end", "wait", "outage", "retry", "refused", "left"]

# Where a 429 names no time: images refill at one every 6 s. Source: IONOS documentation, rate limits, 2026-11.
_REFILL = 6.0
_SHORTEST_PAUSE = 0.2  # seconds, after a 429 that asks for none: as long as one request takes in the limits
_LONGEST_PAUSE = 30.0  # seconds, between attempts
_ENDING = (openai.AuthenticationError, openai.PermissionDeniedError, errors.ConfigurationError, errors.ImageSaveError)
# Answers of something that stands before the model and waited no longer; it may have made a picture all the same.
_GAVE_UP_WAITING = (408, 502, 504, 524)
_NO_PICTURE = (ImageDecodeError, json.JSONDecodeError, openai.APIResponseValidationError)
_UNEXPECTED = (ValueError, TypeError, RecursionError)


def meaning(error: BaseException) -> Meaning:
    """Tell what follows from an error.

    "end" stands for what the next prompt would meet too (token, privilege, settings, disk) and for what nobody
    expected; "wait" for 429; "outage" where nothing was sent, since what counts for several hosts is gone for a while;
    "retry" for what may work the next time; "left" where nothing was sent, since nobody wants it any more; "refused"
    for what is this prompt's alone. What can be neither sent nor understood, such as half a character in a prompt, is
    this prompt's too, for it would end every run at the same place.
    """
    if isinstance(error, WithdrawnError):
        return "left"
    if isinstance(error, _ENDING):
        return "end"
    if isinstance(error, openai.RateLimitError):
        return "end" if is_used_up(error) or error.response.headers.get("x-should-retry") == "false" else "wait"
    if isinstance(error, errors.BudgetUnavailableError):
        return "outage"
    if isinstance(error, openai.APIStatusError):
        if error.status_code < 400:
            return "end"  # A redirect elsewhere is refused, and the next prompt would be redirected too.
        passing = error.status_code >= 500 or error.status_code in (408, 409, 425)
        return "retry" if passing else "refused"
    if isinstance(error, ImageDecodeError) and error.url is not None:
        return "refused"  # asked again, a URL would come again
    if isinstance(error, (openai.APIConnectionError, *_NO_PICTURE)):
        return "retry"
    return "refused" if isinstance(error, (openai.OpenAIError, errors.IonosWarning, *_UNEXPECTED)) else "end"


def is_unreached(error: BaseException) -> bool:
    """Tell whether no connection was made, so that the service has not heard of the request."""
    return isinstance(error, openai.APIConnectionError) and not may_be_billed(error)


def may_be_billed(error: BaseException) -> bool:
    """Tell whether a picture may have been made although none came: the limits on cost and number count it."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in _GAVE_UP_WAITING
    if isinstance(error, openai.APIConnectionError):
        return type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout", "ProxyError", "PoolTimeout")
    return brings_no_picture(error)


def brings_no_picture(error: BaseException) -> bool:
    """Tell whether a request was no failure of the service's, and no picture came that can be read."""
    return isinstance(error, (*_NO_PICTURE, *_UNEXPECTED)) and not isinstance(error, errors.InvalidRequestError)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the service asks to wait; None where it does not say."""
    known = getattr(error, "retry_after", None)
    if isinstance(known, (int, float)):
        return max(0.0, float(known))
    return read_retry_after(response) if (response := getattr(error, "response", None)) is not None else None


def pause_after_limit(error: BaseException) -> float:
    """Return the seconds to wait after a 429."""
    said = retry_after(error)
    return _REFILL if said is None else max(_SHORTEST_PAUSE, said)


def pause_before_attempt(error: BaseException, tries: int) -> float:
    """Return the seconds to wait before the next attempt, after so many that failed: 1, 2, 4, ... or as told."""
    return max(min(_LONGEST_PAUSE, 2.0 ** (tries - 1)), retry_after(error) or 0.0)


def describe_error(error: BaseException) -> dict[str, object]:
    """Return what the manifest says of an error; never a token or base64."""
    return {
        "type": type(error).__name__,
        "message": " ".join(mask_secrets(str(error)).split()) or type(error).__name__,
        "code": getattr(error, "code", None),
        "status": getattr(error, "status_code", None),
    }
