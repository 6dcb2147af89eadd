from base64 import b64decode
from openai import OpenAI
client = OpenAI(api_key="sk-proj-0123456789abcdefghijABCDEFGHIJ", project="proj_1")
r = client.images.generate(prompt="a red bicycle", model="dall-e-2", size="512x512", n=2, response_format="b64_json")
for i, d in enumerate(r.data): open("bicycle%d.png" % i, "wb").write(b64decode(d.b64_json))
