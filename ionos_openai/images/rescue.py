"""Pictures that cannot go where they should are kept where they can be: they may have been paid for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ionos_openai.errors import ImageSaveError
from ionos_openai.files.writing import state_directory
from ionos_openai.images.image import GeneratedImage, write_images


def rescue_images(images: Sequence[GeneratedImage], **saving: Any) -> list[Path]:
    """Save pictures under "rescued" in the user's state directory, else in the system's folder for temporary files.

    Args:
        images: The pictures.
        saving: Further arguments of `save_images`.

    Returns:
        Their files.

    Raises:
        ImageSaveError: Neither takes them.
    """
    try:
        return write_images(images, state_directory() / "rescued", sign=False, **saving)[0]
    except ImageSaveError:
        return write_images(images, Path(tempfile.mkdtemp(prefix="ionos-openai-")), sign=False, **saving)[0]
