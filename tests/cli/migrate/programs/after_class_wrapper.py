from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

from ionos_openai import create_client
from openai import OpenAI
from openai.types import ImagesResponse


@dataclass
class Illustrator:
    folder: Path
    model: str = "dall-e-3"
    client: OpenAI = field(default_factory=lambda: create_client(timeout=60))

    def _ask(self, prompt: str, **options) -> ImagesResponse:
        return self.client.images.generate(model=self.model, prompt=prompt, response_format="b64_json", **options)

    def draw(self, prompt: str) -> Path:
        path = self.folder / (prompt.replace(" ", "_") + ".png")
        path.write_bytes(base64.b64decode(self._ask(prompt, size="1024x1024", style="natural").data[0].b64_json))
        return path


print(Illustrator(Path(".")).draw("an owl at night"))
