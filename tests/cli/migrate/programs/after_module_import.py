import base64
from ionos_openai import create_client
import openai

API_KEY = None
client = create_client()

try:
    image = client.images.generate(model="dall-e-3", prompt="two boats", response_format="b64_json")
except openai.RateLimitError as error:
    raise SystemExit(f"too fast: {error}")
else:
    with open("boats.png", "wb") as f:
        f.write(base64.b64decode(image.data[0].b64_json))
