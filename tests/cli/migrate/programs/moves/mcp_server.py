import asyncio
import base64

from mcp.server.fastmcp import FastMCP, Image
from openai import AsyncOpenAI

server = FastMCP("easel")
openai_client = AsyncOpenAI(max_retries=1)


@server.tool()
async def easel(prompt: str) -> Image:
    made = await openai_client.images.generate(prompt=prompt, model="gpt-image-1", background="auto", size="auto")
    return Image(data=base64.b64decode(made.data[0].b64_json), format="jpeg")


with open("easel.jpg", "wb") as file:
    file.write(asyncio.run(easel("a still life")).data)
