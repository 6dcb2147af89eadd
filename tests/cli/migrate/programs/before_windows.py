import base64
from openai import OpenAI

client = OpenAI(
    organization="o",
    timeout=9,
)
if True:
	image = client.images.generate(model="dall-e-3", prompt="a crow", response_format="b64_json")
	open("crow.jpg", "wb").write(base64.b64decode(image.data[0].b64_json))
