import base64
import json
import os
from pathlib import Path

from openai import OpenAI

TOOL = {"name": "draw", "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}}


def draw(what: str) -> str:
    """What the agent calls."""
    client = OpenAI(api_key=os.getenv("OPENAI_API_KEY"))
    made = client.images.generate(model="gpt-image-1", prompt=what, moderation="low", size="1024x1024")
    Path("drawn.jpg").write_bytes(base64.b64decode(made.data[0].b64_json))
    return json.dumps({"file": "drawn.jpg"})


print(draw(**json.loads('{"what": "two herons"}')))
