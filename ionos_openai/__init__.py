"""The official OpenAI client, set up for image models on the IONOS AI Model Hub, and tools for the pictures it returns.

    from ionos_openai import create_client, generate_images

    client = create_client()                       # an openai.OpenAI; the token comes from IONOS_API_TOKEN
    generate_images(client, "a fox in the snow")[0].save("fox.png")

Names load on first use, so that `import ionos_openai` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionos_openai.batch import (
        AsyncBatch,
        Batch,
        BatchEvent,
        BatchResult,
        Estimate,
        ImageRequest,
        Progress,
        agenerate_batch,
        generate_batch,
    )
    from ionos_openai.client import create_async_client, create_client
    from ionos_openai.client.settings import IonosSettings
    from ionos_openai.errors import (
        BatchRunningError,
        BudgetExceededError,
        BudgetUnavailableError,
        CompatibilityWarning,
        ConfigurationError,
        ImageSaveError,
        InvalidRequestError,
        InvalidTokenError,
        IonosError,
        IonosWarning,
        MissingTokenError,
        ProvenanceError,
        SignedPictureError,
        UnknownModelError,
        UnsupportedParameterError,
        UntrustedHostError,
    )
    from ionos_openai.hub.catalogue import ImageModel
    from ionos_openai.hub.credentials import BASE_URL
    from ionos_openai.hub.models import Cost, alist_image_models, estimate_cost, list_image_models
    from ionos_openai.hub.prices import Money
    from ionos_openai.images.generate import aedit_images, agenerate_images, edit_images, generate_images
    from ionos_openai.images.image import GeneratedImage, ImageDecodeError, decode_images, partial_images, save_images
    from ionos_openai.provenance import Provenance, read_provenance, write_provenance

__version__ = "0.1.0"

__all__ = [
    "BASE_URL",
    "AsyncBatch",
    "Batch",
    "BatchEvent",
    "BatchResult",
    "BatchRunningError",
    "BudgetExceededError",
    "BudgetUnavailableError",
    "CompatibilityWarning",
    "ConfigurationError",
    "Cost",
    "Estimate",
    "GeneratedImage",
    "ImageDecodeError",
    "ImageModel",
    "ImageRequest",
    "ImageSaveError",
    "InvalidRequestError",
    "InvalidTokenError",
    "IonosError",
    "IonosSettings",
    "IonosWarning",
    "MissingTokenError",
    "Money",
    "Progress",
    "Provenance",
    "ProvenanceError",
    "SignedPictureError",
    "UnknownModelError",
    "UnsupportedParameterError",
    "UntrustedHostError",
    "aedit_images",
    "agenerate_batch",
    "agenerate_images",
    "alist_image_models",
    "create_async_client",
    "create_client",
    "decode_images",
    "edit_images",
    "estimate_cost",
    "generate_batch",
    "generate_images",
    "list_image_models",
    "partial_images",
    "read_provenance",
    "save_images",
    "write_provenance",
]

_HOMES = {
    "batch": (
        "AsyncBatch",
        "Batch",
        "BatchEvent",
        "BatchResult",
        "Estimate",
        "ImageRequest",
        "Progress",
        "agenerate_batch",
        "generate_batch",
    ),
    "client": ("create_async_client", "create_client"),
    "client.settings": ("IonosSettings",),
    "hub.catalogue": ("ImageModel",),
    "hub.credentials": ("BASE_URL",),
    "hub.models": ("Cost", "alist_image_models", "estimate_cost", "list_image_models"),
    "hub.prices": ("Money",),
    "images.generate": ("aedit_images", "agenerate_images", "edit_images", "generate_images"),
    "images.image": ("GeneratedImage", "ImageDecodeError", "decode_images", "partial_images", "save_images"),
    "provenance": ("Provenance", "read_provenance", "write_provenance"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOME_OF.get(name, 'errors')}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
