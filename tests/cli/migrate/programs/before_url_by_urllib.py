from urllib.request import urlopen, urlretrieve

from openai import OpenAI

client = OpenAI()


def image_url(prompt):
    return client.images.generate(model="dall-e-2", prompt=prompt, response_format="url", size="256x256").data[0].url


urlretrieve(image_url("a snail"), "snail.png")
with urlopen(image_url("a heron")) as answer, open("heron.png", "wb") as file:
    file.write(answer.read())
