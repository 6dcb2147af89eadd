from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from openai import OpenAI, RateLimitError

client = OpenAI(max_retries=1)
draw = partial(client.images.generate, model="dall-e-3", response_format="b64_json")


def save(prompt):
    try:
        response = draw(prompt=prompt)
    except RateLimitError:
        return None
    with open(prompt + ".jpg", "wb") as file:
        file.write(b64decode(response.data[0].b64_json))
    return prompt


with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(save, ["one", "two"])))
