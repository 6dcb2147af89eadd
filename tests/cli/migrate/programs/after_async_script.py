import asyncio
import base64

from ionos_openai import create_async_client


async def main():
    client = create_async_client()
    response = await client.images.generate(model="dall-e-3", prompt="a bridge", response_format="b64_json")
    with open("bridge.png", "wb") as file:
        file.write(base64.b64decode(response.data[0].b64_json))
    await client.close()


asyncio.run(main())
