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
        read_batch,
    )
    from ionos_openai.client import IonosSettings, create_async_client, create_client
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
        SignatureError,
        SignedPictureError,
        UnknownModelError,
        UnsupportedParameterError,
        UntrustedHostError,
    )
    from ionos_openai.hub import BASE_URL, Cost, ImageModel, Money, alist_image_models, estimate_cost, list_image_models
    from ionos_openai.images import (
        GeneratedImage,
        ImageDecodeError,
        aedit_images,
        agenerate_images,
        decode_images,
        edit_images,
        generate_images,
        partial_images,
        save_images,
        show,
    )
    from ionos_openai.provenance import (
        Provenance,
        Signature,
        Signer,
        read_provenance,
        read_signature,
        write_provenance,
        write_signature,
    )

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
    "Signature",
    "SignatureError",
    "SignedPictureError",
    "Signer",
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
    "read_batch",
    "read_provenance",
    "read_signature",
    "save_images",
    "show",
    "write_provenance",
    "write_signature",
]

# From the ground up: a name's home is the first that has it, and loads no room which that one does not stand on.
_ROOMS = ("errors", "provenance", "hub", "client", "images", "batch")


def __getattr__(name: str) -> object:
    """Load a public name from its room on first use (PEP 562)."""
    for room in _ROOMS if name in __all__ else ():
        home = importlib.import_module(f"{__name__}.{room}")
        if hasattr(home, name):
            value = globals()[name] = getattr(home, name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
