"""What becomes of each parameter of an OpenAI image call on IONOS: one row each, for reports and for people.

Source: the client's own adapting (`compat="adapt"`), the AI Model Hub's documentation as of 2026-11, and OpenAI's
announcements of the retirements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, DEFAULT_SIZE, OPENAI_RETIRED
from ionos_openai.hub.compat import MOST_PICTURES

OPENAI_MODEL = re.compile(r"(?<![\w.-])(?:dall-e(?:-[23])?|gpt-image-[\w.-]*\w|chatgpt-image-latest)(?![\w-])")
"""A name of one of OpenAI's image models, wherever it stands in a text."""

ADDRESS = re.compile(r"api\.openai\.com/v1/images")
"""The address of OpenAI's image endpoints."""

RELEVANT = re.compile(
    rb"openai|dall-?e|gpt-image|chatgpt-image|create_variation|images\s*\.\s*(?:generate|edit|with_)", re.IGNORECASE
)
"""What a source that can matter at all has in its bytes, whatever its encoding."""

RETIRED = OPENAI_RETIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happens to one parameter, or to some of its values.

    Attributes:
        parameter: Its name.
        values: The values meant, as people would write them; empty for any.
        on_ionos: What happens.
        remedy: What to write instead.
        by_hand: Whether a person has to change the code.
    """

    parameter: str
    values: str = ""
    on_ionos: str
    remedy: str
    by_hand: bool = False


def _left_out(parameter: str, remedy: str = "leave it out", values: str = "", *, by_hand: bool = False) -> Fact:
    return Fact(parameter=parameter, values=values, on_ionos="left out with a warning", remedy=remedy, by_hand=by_hand)


FACTS: dict[str, Fact] = {
    "model openai": Fact(
        parameter="model",
        values="dall-e-2, dall-e-3, gpt-image-*, chatgpt-image-latest",
        on_ionos="becomes the configured image model, for edits the edit model, with a warning",
        remedy=f'model="{DEFAULT_IMAGE_MODEL}", for edits "{DEFAULT_EDIT_MODEL}"',
    ),
    "model missing": Fact(
        parameter="model",
        values="left out",
        on_ionos="the configured image model is asked, for edits the edit model",
        remedy=f'model="{DEFAULT_IMAGE_MODEL}", for edits "{DEFAULT_EDIT_MODEL}"',
    ),
    "model other": Fact(
        parameter="model",
        values="another name",
        on_ionos="is sent as it is; not known to be one of the image models there",
        remedy=f'model="{DEFAULT_IMAGE_MODEL}", or one that `ionos-openai models` lists',
        by_hand=True,
    ),
    "n several": Fact(
        parameter="n",
        values=f"2 to {MOST_PICTURES}",
        on_ionos="as many requests at a time, one answer; each picture is billed",
        remedy="nothing to change",
    ),
    "n impossible": Fact(
        parameter="n",
        values=f"below 1, above {MOST_PICTURES}",
        on_ionos="an error before anything is sent",
        remedy=f"n=1 to {MOST_PICTURES}, or several calls",
        by_hand=True,
    ),
    "n raw": Fact(
        parameter="n",
        values="above 1, with_raw_response",
        on_ionos="an error before anything is sent: several requests have no one raw answer",
        remedy="n=1, or without with_raw_response",
        by_hand=True,
    ),
    "size auto": Fact(
        parameter="size",
        values="auto",
        on_ionos="becomes the default size, with a warning",
        remedy=f'size="{DEFAULT_SIZE}"',
    ),
    "size other": Fact(
        parameter="size",
        values="not made by the model",
        on_ionos="becomes the nearest size of the same orientation, with a warning",
        remedy="a size that the model makes",
    ),
    "size unreadable": Fact(
        parameter="size",
        values="not WIDTHxHEIGHT",
        on_ionos="an error before anything is sent",
        remedy=f'WIDTHxHEIGHT in pixels, such as size="{DEFAULT_SIZE}"',
        by_hand=True,
    ),
    "response_format url": Fact(
        parameter="response_format",
        values="url",
        on_ionos="asked as base64; the url is a data URI: it displays, and it cannot be fetched with requests or httpx",
        remedy='response_format="b64_json", then save_images(response, directory) of ionos_openai',
    ),
    "output_format": Fact(
        parameter="output_format",
        on_ionos="sent as it is; whether the service heeds it is not known",
        remedy='read the format from the bytes; decode_images(response)[0].save("name.png") converts',
    ),
    "quality": _left_out("quality"),
    "style": _left_out("style", "say the style in the prompt"),
    "background": _left_out("background", "say it in the prompt"),
    "background transparent": _left_out(
        "background",
        "cut the background out yourself: the JPEG of FLUX.1-schnell has no transparency",
        "transparent",
        by_hand=True,
    ),
    "moderation": _left_out("moderation"),
    "output_compression": _left_out("output_compression", "compress when saving"),
    "partial_images": _left_out("partial_images"),
    "complexity": _left_out("complexity"),
    "input_fidelity": _left_out("input_fidelity"),
    "safety_identifier": _left_out("safety_identifier"),
    "frame_count": _left_out("frame_count", "one call for each picture", by_hand=True),
    "frame_duration_ms": _left_out("frame_duration_ms"),
    "markup": _left_out("markup", "say it in the prompt"),
    "svg": _left_out("svg", "pictures are made of pixels: leave it out", by_hand=True),
    "stream": Fact(
        parameter="stream",
        values="True",
        on_ionos="an error before anything is sent: pictures are not streamed",
        remedy="without stream=; the whole picture comes at once",
        by_hand=True,
    ),
    "mask": Fact(
        parameter="mask",
        on_ionos="sent as it is; whether the service heeds it is not known",
        remedy="say in the prompt what to change and what to keep",
    ),
    "user": Fact(parameter="user", on_ionos="sent as it is", remedy="nothing to change"),
    "seed": Fact(
        parameter="seed",
        on_ionos="sent as it is; whether the service heeds it is not known",
        remedy="nothing to change",
    ),
}
