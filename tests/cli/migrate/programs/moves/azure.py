import os

from openai import AzureOpenAI

client = AzureOpenAI(
    api_version="2024-02-01",
    azure_endpoint=os.environ.get("AZURE_ENDPOINT", ""),
    api_key=os.environ.get("AZURE_KEY"),
)
made = client.images.generate(model="house-dalle", prompt="a brick house", n=1)
open("house.txt", "w").write(made.model_dump()["data"][0]["url"])
