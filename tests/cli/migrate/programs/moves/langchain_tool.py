from langchain_core.tools import tool
from openai import OpenAI

client = OpenAI()


@tool
def picture(description: str) -> str:
    """Draw a picture and return its address."""
    return client.images.generate(model="dall-e-3", prompt=description, style="natural").data[0].url


with open("address.txt", "w") as file:
    file.write(picture.invoke({"description": "a mill by a stream"}))
