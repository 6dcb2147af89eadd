import base64
import openai
from openai import AsyncOpenAI, OpenAI


def sync(prompt: str) -> str: client = OpenAI(); return client.images.generate(model="dall-e-3", prompt=prompt, response_format="b64_json").data[0].b64_json
async def concurrent(prompt: str) -> str:
    client = AsyncOpenAI(project="p")
    return (await client.images.generate(model="dall-e-3", prompt=prompt, response_format="b64_json")).data[0].b64_json


def is_client(thing: object) -> bool:
    return isinstance(thing, (openai.OpenAI, openai.AsyncOpenAI))


if __name__ == "__main__":
    import asyncio
    open("a.jpg", "wb").write(base64.b64decode(sync("a pear")))
    open("b.jpg", "wb").write(base64.b64decode(asyncio.run(concurrent("a plum"))))
