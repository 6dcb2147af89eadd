import argparse
import base64
import sys

from openai import OpenAI, OpenAIError


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("wish")
    parser.add_argument("--quality", default="high")
    given = parser.parse_args(arguments)
    try:
        made = OpenAI().images.generate(model="gpt-image-1.5", prompt=given.wish, quality=given.quality, n=2)
    except OpenAIError as error:
        sys.exit(str(error))
    for number, item in enumerate(made.data):
        with open(f"wish{number}.jpg", "wb") as file:
            file.write(base64.b64decode(item.b64_json))


main(["a tall ship"])
