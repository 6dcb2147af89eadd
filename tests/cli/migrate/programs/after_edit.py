import base64
import io

from ionos_openai import create_client
from PIL import Image

client = create_client()
Image.new("RGB", (256, 256), "teal").save("input.png")

with open("input.png", "rb") as source:
    result = client.images.edit(model="gpt-image-1", image=source, prompt="add a sun")

Image.open(io.BytesIO(base64.b64decode(result.data[0].b64_json))).save("output.png")
