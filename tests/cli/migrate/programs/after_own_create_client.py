import base64
import functools

from ionos_openai import create_client as create_ionos_client
from openai import OpenAI


@functools.lru_cache
def create_client() -> OpenAI:
    return create_ionos_client(timeout=30)


image = create_client().images.generate(model="gpt-image-1", prompt="a violin").data[0]
open("violin.jpg", "wb").write(base64.b64decode(image.b64_json))
