"""What is known of the service: its models and prices, credentials, what differs from OpenAI, and its error answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.errors.loading import lazy

if TYPE_CHECKING:
    from ionos_openai.hub.catalogue import ImageModel
    from ionos_openai.hub.credentials import BASE_URL
    from ionos_openai.hub.models import Cost, estimate_cost
    from ionos_openai.hub.offers import alist_image_models, list_image_models
    from ionos_openai.hub.prices import Money

__all__ = ["BASE_URL", "Cost", "ImageModel", "Money", "alist_image_models", "estimate_cost", "list_image_models"]

__getattr__ = lazy(
    __name__, *(f"{__name__}.{home}" for home in ("catalogue", "prices", "models", "credentials", "offers"))
)
