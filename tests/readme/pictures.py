"""Make the README's pictures again: the first command's placeholder, and a gallery in a browser.

It needs what `[dev]` installs, and Chromium. From the top of a clone: `python -m tests.readme.pictures`.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from ionos_openai import ImageRequest, create_client, generate_batch, generate_images, write_provenance
from ionos_openai.cli.app import run
from ionos_openai.provenance import read_provenance

HERE = Path(__file__).parent
FIRST = "A futuristic cityscape at sunset, highly detailed"
REQUESTS = [
    ImageRequest(prompt="A field of sunflowers", size="1792x1024", metadata={"sku": "4714"}),
    ImageRequest(prompt="A wooden toy train", model="klein", metadata={"sku": "4713"}),
    ImageRequest(prompt="A lighthouse at dusk", size="1024x1792", metadata={"sku": "4712"}),
    ImageRequest(prompt="A fox in the snow", metadata={"sku": "4711"}),
]


def encode(picture: Image.Image) -> bytes:
    """Return a small WebP."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", quality=80, method=6)
    return buffer.getvalue()


def placeholder() -> bytes:
    """Return the first command's picture, smaller, with its mark."""
    image = generate_images(create_client(sandbox=True), FIRST)[0]
    provenance = read_provenance(image.to_bytes())
    assert provenance is not None
    return write_provenance(encode(image.to_pil().resize((384, 384))), provenance)


def gallery(folder: Path) -> bytes:
    """Return the upper part of a gallery's page."""
    list(generate_batch(create_client(sandbox=True), REQUESTS, folder, concurrency=1))
    run(["gallery", str(folder)])
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 500}, color_scheme="light")
        page.goto((folder / "index.html").as_uri())
        page.wait_for_load_state("networkidle")
        shot = page.screenshot()
        browser.close()
    return encode(Image.open(io.BytesIO(shot)))


def main() -> None:
    """Write both pictures beside this file."""
    (HERE / "placeholder.webp").write_bytes(placeholder())
    with tempfile.TemporaryDirectory() as folder:
        (HERE / "gallery.webp").write_bytes(gallery(Path(folder) / "campaign"))


if __name__ == "__main__":
    main()
