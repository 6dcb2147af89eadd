# In[1]:
from openai import OpenAI

client = OpenAI()

# In[2]:
MODEL = "gpt-image-1"

# In[3]:
import base64

reply = client.images.generate(model=MODEL, prompt="an open window", quality="high")
with open("window.jpg", "wb") as out: out.write(base64.b64decode(reply.data[0].b64_json))
