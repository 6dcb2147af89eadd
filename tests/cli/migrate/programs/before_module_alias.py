import base64, openai as oa

client = oa.OpenAI(organization="org-1", max_retries=0)
data = client.images.generate(model="gpt-image-1", prompt="a kite").data
open("kite.jpg", "wb").write(base64.b64decode(data[0].b64_json))
