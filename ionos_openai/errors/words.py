"""Words that several messages need."""

from __future__ import annotations


def plural(count: int, noun: str, plural: str | None = None) -> str:
    """Return "1 picture" or "3 pictures"; `plural` is for a noun that takes more than an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def printable(text: str, *, instead: str = " ") -> str:
    """Return `text` with `instead` for each control character and half of a character: neither belongs on a screen."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


EMPTY_PROMPT = "The prompt is empty: say what the picture shows."
