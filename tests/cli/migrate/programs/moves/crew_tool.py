import json

from crewai.tools import BaseTool
from openai import OpenAI


class Illustrator(BaseTool):
    name: str = "Illustrator"
    model: str = "dall-e-3"
    size: str = "1024x1024"

    def _run(self, **given) -> str:
        client = OpenAI()
        made = client.images.generate(model=self.model, prompt=given["description"], size=self.size, n=1)
        return json.dumps({"image_url": made.data[0].url, "description": made.data[0].revised_prompt})


with open("tool.json", "w") as file:
    file.write(Illustrator()._run(description="a red barn"))
