"""The image models that the service offers, asked with a client of either kind."""

from __future__ import annotations

import openai

from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.catalogue import ImageModel
from ionos_openai.hub.models import select_image_models


def list_image_models(client: openai.OpenAI) -> list[ImageModel]:
    """Ask the service, with any `openai.OpenAI` that points at it, for its models; return those that make images.

    They come in the catalogue's order, then by name. Source: `GET /v1/models`, as recorded 2025-03 to 2026-08.

    Raises:
        openai.APIError: The service could not be asked, or it refused.
        InvalidRequestError: The client is an `openai.AsyncOpenAI`.
    """
    check_client(client, "alist_image_models")
    return select_image_models(client.models.list().data)


async def alist_image_models(client: openai.AsyncOpenAI) -> list[ImageModel]:
    """Do what `list_image_models` does, with an `openai.AsyncOpenAI`."""
    check_client(client, "list_image_models", awaited=True)
    return select_image_models((await client.models.list()).data)


def check_client(client: object, twin: str, *, awaited: bool = False) -> None:
    """Refuse, before anything is sent, what is no client, or one of the other kind, which `twin` takes."""
    if isinstance(client, openai.OpenAI if awaited else openai.AsyncOpenAI):
        what = "an OpenAI, which nothing awaits: use {}" if awaited else "an AsyncOpenAI: use {}, and await it"
        raise InvalidRequestError(f"The client is {what.format(twin)}.")
    if not (hasattr(client, "images") or hasattr(client, "models")):
        raise InvalidRequestError(f"The client is {type(client).__name__}: pass what create_client() returns.")
