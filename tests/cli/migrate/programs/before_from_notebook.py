# %%
import base64, os
show = open("cactus.jpg", "wb").write
# %%
from openai import OpenAI; client = OpenAI()
# %%
result = client.images.generate(model="gpt-image-1", prompt="a cactus", n=1)
# %%
show(base64.b64decode(result.data[0].b64_json))
