from base64 import b64decode
from ionos_openai import create_client
client = create_client()
r = client.images.generate(prompt="a red bicycle", model="dall-e-2", size="512x512", n=2, response_format="b64_json")
for i, d in enumerate(r.data): open("bicycle%d.png" % i, "wb").write(b64decode(d.b64_json))
