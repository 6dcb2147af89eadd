import flask
from openai import OpenAI

app = flask.Flask("atelier")
client = OpenAI(organization="org-atelier")


@app.get("/sketch")
def sketch():
    answer = client.images.generate(model="dall-e-3", prompt=flask.request.args["of"], size="1024x1536")
    return f'<img src="{answer.data[0].url}">'


with open("page.html", "wb") as page:
    page.write(app.test_client().get("/sketch?of=a+lighthouse").data)
