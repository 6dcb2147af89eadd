"""What was asked of an image model, remembered with the response that it led to.

The service's answer repeats neither prompt nor model nor size. A client from the factory attaches them to the SDK's
response object, where they neither show in its `repr` nor in its dump; and the object shows itself as its pictures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openai import types
from pydantic import BaseModel

from ionos_openai.errors import IonosError

_LONGEST_SHOWN = 2000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One request for images, as it was sent; None stands for what it did not have."""

    prompt: str | None
    model: str | None  # its id
    size: str | None  # "WIDTHxHEIGHT" in px
    edited: bool  # whether pictures were sent along to be edited
    created: datetime  # when the request was made, in UTC
    seed: int | None = None


class _Brief(BaseModel):
    """A model of the SDK's that a notebook shows as its pictures; its `repr` has the beginning of a long text."""

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            is_long = isinstance(value, str) and len(value) > _LONGEST_SHOWN
            yield name, f"{value[:16]}… ({len(value):,} characters)" if is_long else value

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        try:
            # By the front door: what shows pictures stands upon this room.
            images = sys.modules["ionos_openai"].decode_images(self)
        except IonosError:
            return {"text/plain": repr(self)}
        return (images[0] if len(images) == 1 else images)._repr_mimebundle_(include, exclude)


class Image(_Brief, types.Image):
    """An item of a response that shows its picture, with a short `repr`."""


class ImagesResponse(_Brief, types.ImagesResponse):
    """A response that shows its pictures, with a short `repr`."""


def remember(response: object, remembered: Remembered) -> None:
    """Attach `remembered` to a response of the SDK."""
    # Past pydantic's __setattr__, as the SDK itself does for `_request_id`: not a field, so never dumped.
    object.__setattr__(response, "_ionos_remembered", remembered)
    if type(response) is types.ImagesResponse:
        object.__setattr__(response, "__class__", ImagesResponse)
        for item in response.data if isinstance(response.data, list) else ():  # the SDK checks nothing of it
            if type(item) is types.Image:
                object.__setattr__(item, "__class__", Image)


def recall(response: object) -> Remembered | None:
    """Return what `remember` attached to `response`, or None."""
    remembered = getattr(response, "_ionos_remembered", None)
    return remembered if isinstance(remembered, Remembered) else None  # a mock has whatever it is asked for
