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
    """One request for images, as it was sent.

    Attributes:
        prompt: The text that was sent; None where the request had none.
        model: The model's id as it was sent; None where the request had none.
        size: "WIDTHxHEIGHT" in px as it was sent; None where it was left to the service.
        seed: The seed that was sent; None where none was.
        edited: Whether pictures were sent along to be edited.
        created: When the request was made, in UTC.
    """

    prompt: str | None
    model: str | None
    size: str | None
    edited: bool
    created: datetime
    seed: int | None = None


def remember(response: object, remembered: Remembered) -> None:
    """Attach `remembered` to a response of the SDK."""
    # Past pydantic's __setattr__, as the SDK itself does for `_request_id`: not a field, so never dumped.
    object.__setattr__(response, "_ionos_remembered", remembered)


def recall(response: object) -> Remembered | None:
    """Return what `remember` attached to `response`, or None."""
    return getattr(response, "_ionos_remembered", None)
