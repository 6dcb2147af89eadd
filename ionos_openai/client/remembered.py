"""What was asked of an image model, remembered with the response that it led to.

The service's answer repeats neither prompt nor model nor size. A client from the factory attaches them to the SDK's
response object, where they neither show in its `repr` nor in its dump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One request for images, as it was sent."""

    prompt: str | None  # the text that was sent; None where the request had none
    model: str | None  # the model's id as it was sent; None where the request had none
    size: str | None  # "WIDTHxHEIGHT" in px as it was sent; None where it was left to the service
    edited: bool  # whether pictures were sent along to be edited
    created: datetime  # when the request was made, in UTC
    seed: int | None = None  # the seed that was sent; None where none was


def remember(response: object, remembered: Remembered) -> None:
    """Attach `remembered` to a response of the SDK."""
    # Past pydantic's __setattr__, as the SDK itself does for `_request_id`: not a field, so never dumped.
    object.__setattr__(response, "_ionos_remembered", remembered)


def recall(response: object) -> Remembered | None:
    """Return what `remember` attached to `response`, or None."""
    remembered = getattr(response, "_ionos_remembered", None)
    return remembered if isinstance(remembered, Remembered) else None  # a mock has whatever it is asked for
