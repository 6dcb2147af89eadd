def make_picture(prompt, path):
    import base64
    import os

    from openai import OpenAI

    with OpenAI(api_key=os.environ.get("OPENAI_API_KEY", "")) as client:
        answer = client.images.generate(model="gpt-image-1", prompt=prompt, size="auto")
    with open(path, "wb") as target:
        target.write(base64.b64decode(answer.data[0].b64_json))


make_picture("a teapot", "teapot.jpg")
