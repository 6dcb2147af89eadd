import base64
import logging
import time

import openai
from openai import (
    APIConnectionError,
    OpenAI,  # the client
    RateLimitError,
)

log = logging.getLogger(__name__)


def with_retries(client: "OpenAI", prompt: str, attempts: int = 3):
    for attempt in range(attempts):
        try:
            return client.images.generate(model="dall-e-3", prompt=prompt, response_format="b64_json", quality="hd")
        except (RateLimitError, APIConnectionError):
            time.sleep(2**attempt)
        except openai.BadRequestError as error:
            log.error("refused: %s", error.code)
            raise
    raise RuntimeError("no picture")


client = OpenAI(
    base_url=None,
    default_headers={"X-Team": "design"}, project="proj",
    organization="org",
)
picture = with_retries(client, "a mill").data[0]
with open("mill.png", "wb") as f: f.write(base64.b64decode(picture.b64_json))
