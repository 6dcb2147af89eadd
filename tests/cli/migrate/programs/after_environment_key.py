"""Draw a lighthouse."""

import base64
import os
from pathlib import Path

from ionos_openai import create_client

client = create_client(
    # generous: pictures take their time
    timeout=120.0,
    max_retries=3,  # and the network is bad
)


def main() -> None:
    response = client.images.generate(
        model="dall-e-3",
        prompt="a lighthouse",
        size="1024x1792",
        quality="hd",
        style="vivid",
        n=1,
        response_format="b64_json",
    )
    Path("lighthouse.png").write_bytes(base64.b64decode(response.data[0].b64_json))


if __name__ == "__main__":
    main()
