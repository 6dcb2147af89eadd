# needs: output_format, background, moderation
import base64
from ionos_openai import create_client

client = create_client()
result = client.images.generate(
    model="gpt-image-1",
    prompt="a logo of a bakery",
    n=2,
    size="1536x1024",
    quality="high",
    background="opaque",
    moderation="low",
    output_format="jpeg",
    output_compression=80,
)
for number, image in enumerate(result.data, start=1):
    with open(f"logo-{number}.jpeg", "wb") as f:
        f.write(base64.b64decode(image.b64_json))
print(result.usage.total_tokens)
