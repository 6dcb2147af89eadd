import base64

import streamlit as st
from openai import OpenAI

st.title("Draw something")
key = st.secrets["openai_key"]
client = OpenAI(api_key=key)
wish = st.text_input("What?")
if wish:
    with st.spinner("Drawing ..."):
        made = client.images.generate(model="gpt-image-1-mini", prompt=wish, quality="low", output_compression=50)
    st.image(base64.b64decode(made.data[0].b64_json))
