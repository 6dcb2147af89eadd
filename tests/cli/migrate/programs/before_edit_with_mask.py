import base64
from io import BytesIO
from pathlib import Path

from openai import OpenAI
from PIL import Image

picture, mask = BytesIO(), BytesIO()
Image.new("RGBA", (128, 128), "navy").save(picture, "PNG")
Image.new("RGBA", (128, 128), (0, 0, 0, 0)).save(mask, "PNG")

edited = OpenAI(webhook_secret=None).images.edit(
    model="dall-e-2",
    image=("picture.png", picture.getvalue()),
    mask=("mask.png", mask.getvalue()),
    prompt="a moon above the sea",
    n=1,
    size="1024x1024",
    response_format="b64_json",
)
Path("moon.jpg").write_bytes(base64.b64decode(edited.data[0].b64_json))
