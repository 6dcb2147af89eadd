from ionos_openai import create_client
import base64

client = create_client(max_retries=0)
data = client.images.generate(model="gpt-image-1", prompt="a kite").data
open("kite.jpg", "wb").write(base64.b64decode(data[0].b64_json))
