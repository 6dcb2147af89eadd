import base64
import openai

API_KEY = None
client = openai.OpenAI(api_key=API_KEY, base_url="https://api.openai.com/v1")

try:
    image = client.images.generate(model="dall-e-3", prompt="two boats", response_format="b64_json")
except openai.RateLimitError as error:
    raise SystemExit(f"too fast: {error}")
else:
    with open("boats.png", "wb") as f:
        f.write(base64.b64decode(image.data[0].b64_json))
