"""A picture: decoded, shown and saved; and from a prompt, or a picture to edit, to pictures."""

from __future__ import annotations

from ionos_openai.images.display import ImageList
from ionos_openai.images.generate import aedit_images, agenerate_images, edit_images, generate_images
from ionos_openai.images.image import GeneratedImage, ImageDecodeError, decode_images, partial_images, save_images, show

__all__ = [
    "GeneratedImage",
    "ImageDecodeError",
    "ImageList",
    "aedit_images",
    "agenerate_images",
    "decode_images",
    "edit_images",
    "generate_images",
    "partial_images",
    "save_images",
    "show",
]
