import asyncio
import base64

from ionos_openai import create_client

client = create_client(timeout=None)


async def main():
    response = await asyncio.to_thread(
        client.with_options(max_retries=1).images.generate, model="dall-e-3", prompt="a harbour", n=2, response_format="b64_json"
    )
    for index, image in enumerate(response.data):
        with open(f"harbour{index}.jpg", "wb") as file:
            file.write(base64.b64decode(image.b64_json))

asyncio.run(main())
