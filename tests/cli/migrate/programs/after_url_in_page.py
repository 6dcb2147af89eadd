import os
from ionos_openai import create_client

client = create_client()
response = client.images.generate(
    model="dall-e-3", prompt="a castle", size="1792x1024", quality="standard", response_format="url")
url = response.data[0].url
page = f"<h1>{response.data[0].revised_prompt}</h1><img src='{url}'>"
open("castle.html", "w").write(page)
