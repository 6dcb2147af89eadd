import asyncio
import base64
from pathlib import Path

from ionos_openai import create_async_client
import openai


async def save(client: openai.AsyncOpenAI, prompt: str) -> None:
    response = await client.images.generate(model="gpt-image-1", prompt=prompt, size="1536x1024")
    Path(f"{prompt}.jpg").write_bytes(base64.b64decode(response.data[0].b64_json))


async def main() -> None:
    client = create_async_client()
    async with asyncio.TaskGroup() as group:
        for prompt in ("north", "south"):
            group.create_task(save(client, prompt))


asyncio.run(main())
