# runs with: fastapi
import asyncio
import base64
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import Response
from openai import AsyncOpenAI

app = FastAPI()


def get_client() -> AsyncOpenAI:
    return AsyncOpenAI(max_retries=4)


@app.get("/picture")
async def picture(prompt: str, client: Annotated[AsyncOpenAI, Depends(get_client)]) -> Response:
    answer = await client.images.generate(prompt=prompt, model="gpt-image-1", size="1024x1024")
    return Response(base64.b64decode(answer.data[0].b64_json), media_type="image/jpeg")


if __name__ == "__main__":
    Path("answer.jpg").write_bytes(asyncio.run(picture("a tram", get_client())).body)
