"""A web application in which nobody waits eight minutes for the service's limits.

`pip install "fastapi[standard]"`, then `fastapi run web_application.py`; with IONOS_SANDBOX=1 it needs no token.
"""

import openai
from fastapi import FastAPI, HTTPException, Response

from ionos_openai import BudgetExceededError, InvalidRequestError, agenerate_images, create_async_client

app = FastAPI()
client = create_async_client(max_wait=20)  # seconds


@app.get("/picture")
async def picture(prompt: str) -> Response:
    """Answer with the picture, with 422 for what cannot be drawn, or with 503 and when it is worth another try."""
    try:
        (image,) = await agenerate_images(client, prompt)
    except (InvalidRequestError, openai.BadRequestError) as error:
        raise HTTPException(422, "This cannot be drawn: write another prompt.") from error
    except BudgetExceededError as error:
        later = {"Retry-After": error.response.headers["Retry-After"]}
        raise HTTPException(503, "Too many pictures are being made.", headers=later) from error
    return Response(image.to_bytes(), media_type=image.media_type)
