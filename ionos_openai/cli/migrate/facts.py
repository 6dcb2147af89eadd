"""What there is to say of each thing that code does with OpenAI's images, and how OpenAI's names look in a text."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

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

_WORDS = {
    "image_model": DEFAULT_IMAGE_MODEL,
    "our_models": f'model="{DEFAULT_IMAGE_MODEL}", for edits "{DEFAULT_EDIT_MODEL}"',
    "size": DEFAULT_SIZE,
    "most": MOST_PICTURES,
    "client": "client = create_client(), then ",
    "saving": "from ionos_openai import save_images; save_images(response, directory)",
}

_TABLES = tomllib.loads((Path(__file__).parent / "facts.toml").read_text("utf-8"))
WORDS = {name: frozenset(words) for name, words in _TABLES["words"].items()}
"""Names of OpenAI's client and of files, by what they have in common."""

LANGUAGES: dict[str, str] = _TABLES["languages"]
"""By the ending of a file, the other languages that may ask for pictures."""

WAYS: dict[str, str] = _TABLES["ways"]
"""How what makes pictures with OpenAI is called in other packages, by the name of what there is to say."""

FACTS = {
    name: Finding(
        line=0,
        kind=name.partition(":")[0] if ":" in name else "model" if name.startswith("model ") else "parameter",
        code="".join(code),
        on_ionos=on_ionos.format(**_WORDS),
        remedy=remedy.format(**_WORDS),
        effort=effort,
    )
    for effort in ("none", "hand")
    for name, (on_ionos, remedy, *code) in _TABLES[effort].items()
}
"""What to say `at` a place, by the names in `facts.toml`."""

DROPPED = frozenset(name for name, (what, *_) in _TABLES["none"].items() if what.startswith("left out"))
"""The parameters that only OpenAI's models know."""


def model_findings(text: str, line: int, *, adapted: bool) -> list[Finding]:
    """Return what there is to say of the names of OpenAI's image models in a text; `adapted`: a client adapts them."""
    fact = FACTS["model: named"]
    fact = fact if adapted else dataclasses.replace(fact, effort="hand")
    return [fact.at(line, f"names {name}{retirement(name)}") for name in dict.fromkeys(OPENAI_MODEL.findall(text))]


def retirement(model: str) -> str:
    """Return " (retired DATE)" for a model that OpenAI has withdrawn, else nothing."""
    return f" (retired {OPENAI_RETIRED[model]})" if model in OPENAI_RETIRED else ""
