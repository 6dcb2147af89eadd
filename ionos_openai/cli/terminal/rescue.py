"""A picture that could not go where it should is saved where it can be: it may have been paid for."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionos_openai.images.image import save_images

if TYPE_CHECKING:
    from ionos_openai.cli.terminal.output import Terminal
    from ionos_openai.images.image import GeneratedImage


def rescue(image: GeneratedImage, terminal: Terminal, *, advice: str = "", **saving: Any) -> GeneratedImage:
    """Save a picture in the system's folder for temporary files, and say so.

    Args:
        image: The picture.
        terminal: Where it is said.
        advice: What is said besides.
        saving: Further arguments of `save_images`.

    Returns:
        The picture with its new path; as it was where that folder takes none either, which is said too.
    """
    try:
        [path] = save_images([image], Path(tempfile.mkdtemp(prefix="ionos-openai-")), **{**saving, "sign": False})
    except OSError as error:  # an ImageSaveError is one too
        terminal.error(f"The picture is lost, the system's folder for temporary files takes none either: {error}")
        return image
    terminal.warn(f"So that the picture is not lost, it was saved as {path}.{advice}")
    return replace(image, path=path)
