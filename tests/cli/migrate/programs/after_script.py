import base64

from ionos_openai import create_client

client = create_client()

result = client.images.generate(model="gpt-image-1", prompt="a fox in the snow")
with open("fox.jpg", "wb") as file:
    file.write(base64.b64decode(result.data[0].b64_json))
