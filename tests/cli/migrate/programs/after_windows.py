import base64
from ionos_openai import create_client

client = create_client(
    timeout=9,
)
if True:
	image = client.images.generate(model="dall-e-3", prompt="a crow", response_format="b64_json")
	open("crow.jpg", "wb").write(base64.b64decode(image.data[0].b64_json))
