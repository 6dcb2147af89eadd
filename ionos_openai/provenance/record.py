"""What is said about a picture: one immutable record."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from ionos_openai.errors.words import Brief, shorten

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for a picture that a trained model made. Source: IPTC NewsCodes, digitalsourcetype, 2024-10."""

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a picture that a trained model edited. Source: IPTC NewsCodes, digitalsourcetype, 2024-10."""

ALGORITHMIC = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
"""IPTC's term for what an algorithm drew without training data, as placeholders are. Source: as above."""

AI_SYSTEM = "IONOS AI Model Hub"
CREATOR_TOOL = "ionos-openai"

# Control characters other than tab and newline, lone surrogates, and the two code points that XML cannot hold.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Provenance(Brief):
    r"""What a picture's metadata says about where it comes from.

    Texts are cleaned on construction, so that what is written is what is read: control characters but tab and newline
    are dropped, "\r\n" and "\r" become "\n", and a text without a visible character becomes None.

    Source: IPTC Photo Metadata Standard 2025.1, 2025-11.
    """

    digital_source_type: str | None = None  # IPTC's term as a URI: `TRAINED`, `COMPOSITE`, `ALGORITHMIC` or another one
    ai_system: str | None = None  # the AI system and the model that made the picture
    ai_system_version: str | None = None  # the version of that system, where it is known
    prompt: str | None = None  # it may be confidential: leave it None unless its owner wants it public
    prompt_writer: str | None = None  # the name of the person who wrote the prompt
    model: str | None = None  # the id of the model
    size: str | None = None  # "WIDTHxHEIGHT" in px as it was asked for
    seed: int | None = None  # the number that the picture was drawn from, where one was sent
    placeholder: bool = False  # whether the picture is a placeholder of the sandbox, which no model made
    creator_tool: str | None = None  # the program that asked for the picture
    created: datetime | None = None  # when the picture was made; without a time zone, the zone is unknown
    creator: str | None = None  # the names of the makers, separated by "; "
    credit: str | None = None  # the credit line
    copyright: str | None = None  # the copyright notice
    alt: str | None = None  # the text for people who do not see the picture

    def __post_init__(self) -> None:
        """Clean the texts."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str):
                object.__setattr__(self, field.name, clean_text(value))

    def __str__(self) -> str:
        """Return what is said: "model: black-forest-labs/FLUX.1-schnell, seed: 7"."""
        return ", ".join(f"{name.replace('_', ' ')}: {shorten(str(value), 200)}" for name, value in self.said.items())

    @property
    def said(self) -> dict[str, Any]:
        """The fields that say something."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None and value is not False}


def describe(
    *,
    model: str | None,
    size: str | None = None,
    seed: int | None = None,
    created: datetime | None = None,
    prompt: str | None = None,
    edited: bool = False,
    placeholder: bool = False,
) -> Provenance:
    """Say what this package knows about a picture that it asked for; `edited` is one that is made out of others.

    For a `placeholder` of the sandbox no AI system is named, since none made it.
    """
    drawn = COMPOSITE if edited else TRAINED
    return Provenance(
        digital_source_type=ALGORITHMIC if placeholder else drawn,
        ai_system=None if placeholder else ", ".join(part for part in (AI_SYSTEM, model) if part),
        prompt=prompt,
        model=model,
        size=size,
        seed=seed,
        placeholder=placeholder,
        creator_tool=f"{CREATOR_TOOL} sandbox, placeholder" if placeholder else CREATOR_TOOL,
        created=created.astimezone(UTC).replace(microsecond=0) if created else None,
    )


def clean_text(text: str) -> str | None:
    """Return what of a text can be written; None where nothing visible is left."""
    text = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text if text.strip() else None


def merge(first: Provenance, second: Provenance) -> Provenance:
    """Return `first`, with the fields of `second` where it says nothing."""
    return replace(second, **first.said)
