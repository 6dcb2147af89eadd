"""Pictures that cannot go where they should are kept where they can be: they may have been paid for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ionos_openai.client.settings import saving_settings
from ionos_openai.errors import ImageSaveError
from ionos_openai.files.names import choose_saving
from ionos_openai.files.writing import state_directory
from ionos_openai.images.image import GeneratedImage, write_images


def rescue_images(images: Sequence[GeneratedImage]) -> list[Path | str]:
    """Save pictures below the user's state directory, else in the system's temporary one; else an `ImageSaveError`."""
    saving = choose_saving(saving_settings, provenance=None, prompt_in_metadata=None, sign=False)
    try:
        written, _ = write_images(images, state_directory() / "rescued", saving)
    except ImageSaveError:
        written, _ = write_images(images, Path(tempfile.mkdtemp(prefix="ionos-openai-")), saving)
    return [picture.path for picture in written]
