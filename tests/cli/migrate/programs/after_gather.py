import asyncio
import base64
import os

from ionos_openai import create_async_client
from openai import AsyncOpenAI as Client

PROMPTS = ["spring", "summer", "autumn"]


async def draw(client: Client, prompt: str) -> bytes:
    response = await client.images.generate(model="gpt-image-1", prompt=prompt, quality="low")
    return base64.b64decode(response.data[0].b64_json)


async def main() -> None:
    async with create_async_client(max_retries=5) as client:
        pictures = await asyncio.gather(*(draw(client, prompt) for prompt in PROMPTS))
    for prompt, picture in zip(PROMPTS, pictures):
        with open(f"{prompt}.jpg", "wb") as file:
            file.write(picture)


if __name__ == "__main__":
    asyncio.run(main())
