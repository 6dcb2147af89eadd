"""A user's program: greeting cards, made with whichever client it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai import agenerate_images, generate_images

if TYPE_CHECKING:
    from pathlib import Path

    import openai


def make_card(client: openai.OpenAI, name: str, directory: Path) -> Path:
    """Make a card for somebody, and return where it is."""
    image = generate_images(client, f"a birthday card for {name}")[0]
    return image.save(directory / f"card-for-{name}")


async def count_cards(client: openai.AsyncOpenAI, names: list[str]) -> int:
    """Make cards for several people at once, and count them."""
    return sum([len(await agenerate_images(client, f"a birthday card for {name}")) for name in names])
