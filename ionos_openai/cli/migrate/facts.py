"""What there is to say of each thing that code does with OpenAI's images, and how OpenAI's names look in a text.

Source: the client's own adapting (`compat="adapt"`), the AI Model Hub's documentation as of 2026-11, and OpenAI's
announcements of the retirements.
"""

from __future__ import annotations

import dataclasses
import re

from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, DEFAULT_SIZE, OPENAI_RETIRED
from ionos_openai.hub.compat import MOST_PICTURES

OPENAI_MODEL = re.compile(
    r"(?<![\w.-])(?:dall-e(?:-[23])?|gpt-image-(?:1(?:-mini|\.5)?|2)(?:-20\d\d-\d\d-\d\d)?|chatgpt-image-latest)(?![\w-]|\.\w)"
)
"""A name of one of OpenAI's image models, wherever it stands in a text."""

ADDRESS = re.compile(r"api\.openai\.com/v1/images")
"""The address of OpenAI's image endpoints."""

RELEVANT = re.compile(
    rb"openai|dall-?e|gpt-image|chatgpt-image|create_variation|images\s*\.\s*(?:generate|edit|with_)"
    rb"|images/(?:generations|edits)|image_generation|ImageGenerationTool|litellm",
    re.IGNORECASE,
)
"""What a source that can matter at all has in its bytes, whatever its encoding."""

_LEFT_OUT, _AS_IT_IS = "left out with a warning", "sent as it is; whether the service heeds it is not known"
_REFUSED = "an error before anything is sent"
_UNREAD = "create_client() reads no OPENAI_* variable"
_SAVING = "from ionos_openai import save_images; save_images(response, directory)"
_CLIENT = "client = create_client(), then "
_BECOMES = "becomes the configured image model, for edits the edit model, with a warning"
OUR_MODELS = {"generate": DEFAULT_IMAGE_MODEL, "edit": DEFAULT_EDIT_MODEL}
"""The models to ask, by the method."""
_OUR_MODELS = f'model="{DEFAULT_IMAGE_MODEL}", for edits "{DEFAULT_EDIT_MODEL}"'

_SENSELESS = (
    *("complexity", "frame_duration_ms", "input_fidelity", "moderation", "partial_images", "quality"),
    "safety_identifier",
)

DROPPED = frozenset({*_SENSELESS, "style", "background", "output_compression"})
"""The parameters that only OpenAI's models know."""

# What happens, and what to write instead.
_ADAPTED = {
    "model openai": (_BECOMES, _OUR_MODELS),
    "model missing": ("the configured image model is asked, for edits the edit model", _OUR_MODELS),
    "n several": ("as many requests at a time, one answer; each picture is billed", "nothing to change"),
    "size auto": ("becomes the default size, with a warning", f'size="{DEFAULT_SIZE}"'),
    "size other": ("becomes the nearest size of the same orientation, with a warning", "a size that the model makes"),
    "response_format url": (
        "asked as base64; the url is a data URI: it displays, and it cannot be fetched with requests or httpx",
        'response_format="b64_json", then save_images(response, directory) of ionos_openai',
    ),
    "output_format": (
        _AS_IT_IS,
        'read the format from the bytes; decode_images(response)[0].save("name.png") converts',
    ),
    **dict.fromkeys(_SENSELESS, (_LEFT_OUT, "leave it out")),
    "style": (_LEFT_OUT, "say the style in the prompt"),
    "background": (_LEFT_OUT, "say it in the prompt"),
    "output_compression": (_LEFT_OUT, "compress when saving"),
    "markup": (_LEFT_OUT, "say it in the prompt"),
    "mask": (_AS_IT_IS, "say in the prompt what to change and what to keep"),
    "user": ("sent as it is", "nothing to change"),
    "seed": (_AS_IT_IS, "nothing to change"),
    "model: named": (f"given to a client from create_client(), it {_BECOMES}", _OUR_MODELS),
    "call: revised": ("the service may send none, then it is None", "the prompt that you sent"),
    "setting: named": (_UNREAD, "nothing to change for pictures"),
    "url: data": ("it is a data URI: it displays, and it cannot be fetched with requests or httpx", _SAVING),
    # Source: urllib.request.DataHandler, Python's documentation.
    "url: opened": ("urllib reads data URIs too", "nothing to change"),
}
_BY_HAND = {
    "model other": (
        "is sent as it is; not known to be one of the image models there",
        f'model="{DEFAULT_IMAGE_MODEL}", or one that `ionos-openai models` lists',
    ),
    "model short": (
        "a name without a slash that is short for no model: an error before anything is sent",
        f'model="{DEFAULT_IMAGE_MODEL}", or one that `ionos-openai models` lists',
    ),
    "n impossible": (_REFUSED, f"n=1 to {MOST_PICTURES}, or several calls"),
    "n raw": (f"{_REFUSED}: several requests have no one raw answer", "n=1, or without with_raw_response"),
    "size unreadable": (_REFUSED, f'WIDTHxHEIGHT in pixels, such as size="{DEFAULT_SIZE}"'),
    "background transparent": (
        _LEFT_OUT,
        "cut the background out yourself: the JPEG of FLUX.1-schnell has no transparency",
    ),
    "frame_count": (_LEFT_OUT, "one call for each picture"),
    "svg": (_LEFT_OUT, "pictures are made of pixels: leave it out"),
    "parameter: mapping": (
        f"they are not seen here; among them, stream=True and n above {MOST_PICTURES} would be an error",
        "look where they come from; the client adapts the others, with a warning",
    ),
    "stream": (f"{_REFUSED}: pictures are not streamed", "without stream=; the whole picture comes at once"),
    "call: address": (
        "what is sent there reaches OpenAI; no client is there to adapt it",
        f"{_CLIENT}client.images.generate(...)",
    ),
    "call: cell": ("what it does is not seen", "look through it; client = create_client() makes the pictures"),
    "call: tool": (
        "IONOS has no image_generation tool",
        f"{_CLIENT}client.images.generate(prompt=...).data[0].b64_json in the place of .result",
    ),
    "call: chat": ("no chat model of IONOS' makes pictures", f"{_CLIENT}client.images.generate(prompt=...)"),
    "call: litellm": (
        "asks OpenAI or the service that LiteLLM is set to",
        f'model="openai/{DEFAULT_IMAGE_MODEL}", api_base= and api_key= of IONOS; or {_CLIENT}client.images',
    ),
    "call: langchain": ("asks OpenAI", 'client=create_client().images, with model_name="dall-e-3" for a data URI'),
    "call: wrapper": (
        "asks OpenAI with a client of its own",
        "give it create_client() or its .images where it takes a client; else generate_images of ionos_openai",
    ),
    "call: batch": ("IONOS documents no Batch API", "generate_batch(prompts, directory) of ionos_openai"),
    "dependency: missing": (
        "the migrated code imports ionos_openai, and nothing here installs it",
        "add ionos-openai to it",
    ),
    "call: module": ("asks OpenAI's service with OPENAI_API_KEY", f"{_CLIENT}client.images.generate(...)"),
    "call: old": (
        "openai 1.0 and later no longer have it",
        f"{_CLIENT}client.images.generate(prompt=...).data[0].b64_json",
    ),
    "call: variation": (
        "IONOS documents no such endpoint",
        "client.images.edit(image=..., prompt=...) with a prompt that says what to vary",
    ),
    "client: class": ("as it stands, it asks a service other than IONOS", "create_client()"),
    "format: edit": ("the format of the edit model's pictures is not known", _SAVING),
    "format: png": (
        "FLUX.1-schnell sends JPEG",
        "the extension from the bytes: save_images(response, directory); GeneratedImage.save converts",
    ),
    "key: literal": (
        "an OpenAI key does not work; whoever can read the file can use it",
        "withdraw the key where it was made, remove it here, and set IONOS_API_TOKEN in the environment",
    ),
    "setting: module": (
        "a client from create_client() takes nothing from the openai module",
        "remove it; give create_client() what it needs, the token in IONOS_API_TOKEN",
    ),
    "setting: token": (_UNREAD, "IONOS_API_TOKEN for the token"),
    "setting: used": (
        _UNREAD,
        "remove it where it is for pictures only; the token is IONOS_API_TOKEN, an address IONOS_BASE_URL",
    ),
    "url: fetched": (
        "there is nothing to fetch: the picture is in the answer",
        f"base64.b64decode(response.data[0].b64_json) is its content; {_SAVING}",
    ),
    "url: none": ('it is None, but with response_format="url", where it is a data URI', _SAVING),
}


def _kind(name: str) -> str:
    kind, colon, _ = name.partition(":")
    return kind if colon else "model" if name.startswith("model ") else "parameter"


FACTS = {
    name: Finding(
        line=0,
        kind=_kind(name),
        code="",
        on_ionos=on_ionos,
        remedy=remedy,
        effort="hand" if name in _BY_HAND else "none",
    )
    for name, (on_ionos, remedy) in {**_ADAPTED, **_BY_HAND}.items()
}
"""By the parameter, or the parameter and what is passed ("n several" is n=2 and more), else by kind: what to say `at` a
place."""


def address_finding(line: int) -> Finding:
    """Return what there is to say of the address of an image endpoint of OpenAI's."""
    return FACTS["call: address"].at(line, "has the address of OpenAI's image endpoint")


def model_findings(text: str, line: int, *, adapted: bool) -> list[Finding]:
    """Return what there is to say of the names of OpenAI's image models in a text; `adapted`: a client adapts them."""
    fact = FACTS["model: named"]
    fact = fact if adapted else dataclasses.replace(fact, effort="hand")
    return [fact.at(line, f"names {name}{retirement(name)}") for name in dict.fromkeys(OPENAI_MODEL.findall(text))]


def retirement(model: str) -> str:
    """Return " (retired DATE)" for a model that OpenAI has withdrawn, else nothing."""
    return f" (retired {OPENAI_RETIRED[model]})" if model in OPENAI_RETIRED else ""
