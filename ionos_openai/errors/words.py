"""Words that several messages need."""

from __future__ import annotations

import re


class Brief:
    """Its `repr` is its name with what `str` says of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a line, however much it holds."""
        return f"{type(self).__name__}({self})"


def undressed(text: str) -> str:
    """Return `text` without outer blanks and without the quotes around it that `docker --env-file` or `set` keeps."""
    return re.sub(r"(?s)^([\"'])(.*)\1$", r"\2", text.strip()).strip()


def plural(count: int, noun: str, plural: str | None = None) -> str:
    """Return "1 picture" or "3 pictures"; `plural` is for a noun that takes more than an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def shorten(text: str, longest: int = 60) -> str:
    """Return `text`, or what of it fits before "…"."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def printable(text: str, *, instead: str = " ") -> str:
    """Return `text` with `instead` for each control character and half of a character: neither belongs on a screen."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


EMPTY_PROMPT = "The prompt is empty: say what the picture shows."
