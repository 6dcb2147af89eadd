# runs with: flask
import base64
import os

from flask import Flask, Response, request
from ionos_openai import create_client
from openai import OpenAI

app = Flask(__name__)
app.config["CLIENT"] = create_client()


@app.get("/picture")
def picture() -> Response:
    client: OpenAI = app.config["CLIENT"]
    result = client.images.generate(model="gpt-image-1", prompt=request.args["prompt"], user="visitor")
    return Response(base64.b64decode(result.data[0].b64_json), mimetype="image/jpeg")


if __name__ == "__main__":
    with app.test_client() as browser, open("answer.jpg", "wb") as file:
        file.write(browser.get("/picture?prompt=a+swan").data)
