import base64
from unittest.mock import MagicMock, patch

from openai import OpenAI

client = OpenAI()


def draw(words):
    made = client.images.generate(model="gpt-image-1", prompt=words)
    return base64.b64decode(made.data[0].b64_json)


def test_draw():
    answer = MagicMock(data=[MagicMock(b64_json="aGk=")])
    with patch.object(client.images, "generate", return_value=answer) as generate:
        assert draw("a bell") == b"hi"
    assert generate.call_args.kwargs["prompt"] == "a bell"


test_draw()
open("bell.jpg", "wb").write(draw("a bell"))
