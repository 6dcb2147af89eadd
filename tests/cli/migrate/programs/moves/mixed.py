import base64

from openai import OpenAI


class Reporter:
    def __init__(self, timeout=30):
        self.client = OpenAI(timeout=timeout)

    def caption(self, topic):
        said = self.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": topic}])
        return said.choices[0].message.content

    def illustrate(self, topic):
        made = self.client.images.generate(model="gpt-image-1", prompt=topic)
        with open("story.jpg", "wb") as file:
            file.write(base64.b64decode(made.data[0].b64_json))


Reporter().illustrate("a market at dawn")
