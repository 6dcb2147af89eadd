"""Words on a placeholder picture: text that Pillow's bundled font can show, wrapped into the room there is."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

from PIL import ImageFont

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST_TEXT = 600  # Characters; more could not be read on a picture anyway.
_LINE_HEIGHT = 1.24

# The bundled font has hardly more than ASCII: what has a usual spelling in it gets that one.
# fmt: off
_SPELLINGS = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae", "Æ": "Ae",
    "ø": "oe", "Ø": "Oe", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i",
    "\u201e": "\u201c", "\u201a": "\u2018",  # low quotation marks
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),  # hyphens, dashes, minus
    "\u00d7": "x", "•": "·", "€": "EUR", "→": "->", "←": "<-",
})
# fmt: on
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Text that was made to fit: its font, its lines and the distance between them, in px."""

    font: Font
    lines: tuple[str, ...]
    pitch: float


@lru_cache(maxsize=64)
def load_font(size: int) -> Font:
    """Return Pillow's bundled font with letters of `size` px; a fixed one where Pillow lacks FreeType."""
    try:
        return ImageFont.load_default(size=size)
    except ImportError:
        return ImageFont.load_default()


def readable(text: str) -> str:
    """Spell `text` with the characters that the bundled font can show.

    Accents are dropped and umlauts spelled out; an emoji is named ("[fox face]") and so is a script that the font
    does not have ("[Cyrillic text]"). At most the first 600 characters are read.
    """
    cut = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text[:_LONGEST_TEXT]
    )
    words = unicodedata.normalize("NFC", cut).translate(_SPELLINGS).split()
    pieces = (piece for word in words for piece in _spell(word))
    # A sentence in one foreign script is named once, not once per word.
    kept = [piece for piece, _ in itertools.groupby(pieces)]
    joined = re.sub(r"\] ([,.;:!?])", r"]\1", " ".join(kept))
    return spell_out(joined + ("…" if len(text) > _LONGEST_TEXT and kept else ""))


def spell_out(text: str) -> str:
    """Replace the few signs that the bitmap font lacks, where it is the one in use."""
    if isinstance(load_font(16), ImageFont.FreeTypeFont):
        return text
    return text.replace("…", "...").replace("·", "-")


def fit(text: str, *, width: float, height: float, sizes: tuple[int, ...]) -> Lines | None:
    """Wrap what `readable` returned in the largest of `sizes` in which it fits, else shorten it in the smallest.

    Each line has `width` px of room, all of them `height`; the sizes of letters, in px, begin with the largest.

    Returns:
        The lines, the last one ending in an ellipsis where something was left out; None where there is no text
        or no room for any.
    """
    lines: list[str] = []
    room, font = 0, load_font(sizes[-1])
    for size in sizes:
        font = load_font(size)
        room = int(height // (size * _LINE_HEIGHT))
        lines = list(itertools.islice(_wrap(text, font, width), max(room, 0) + 1))
        # A word that had to be broken reads better in smaller letters, a short prompt in one or two lines.
        if lines and len(lines) <= room and max(map(len, text.split())) <= max(map(len, lines)):
            return Lines(font=font, lines=tuple(lines), pitch=size * _LINE_HEIGHT)
    if not lines or room < 1 or font.getlength("MMM") > width:
        return None
    if len(lines) > room:
        lines = [*lines[: room - 1], _shorten(lines[room - 1], font, width)]
    return Lines(font=font, lines=tuple(lines), pitch=sizes[-1] * _LINE_HEIGHT)


def _spell(word: str) -> Iterator[str]:
    """Yield the word as it can be shown, its foreign parts as pieces of their own."""
    for foreign, characters in itertools.groupby(map(_show, word), key=lambda shown: shown[:1] == "["):
        if foreign:
            yield from characters
        elif plain := "".join(characters):
            yield plain


@lru_cache(maxsize=4096)
def _show(character: str) -> str:
    """Return what stands for one character: itself, a plainer spelling, a name in brackets, or nothing."""
    if _has_glyph(character):
        return character if character != "[" else "("  # Brackets are for what we name ourselves.
    category = unicodedata.category(character)
    if category[0] in "MC" or category == "Sk":
        return ""
    spelt = unicodedata.normalize("NFKD", character).translate(_SPELLINGS)
    plain = "".join(letter for letter in spelt if unicodedata.category(letter)[0] != "M")
    if plain and all(map(_has_glyph, plain)):
        return plain
    name = unicodedata.name(character, "")
    if category[0] == "S" and name:
        return f"[{name.lower()}]"
    script = name.partition(" ")[0]
    if category[0] in "PNZ" or not script:
        return "·"
    return "[East Asian text]" if script in _EAST_ASIAN else f"[{script.capitalize()} text]"


def _has_glyph(character: str) -> bool:
    font = load_font(16)
    if isinstance(font, ImageFont.FreeTypeFont):
        # A missing glyph is drawn as the same empty box for every character that lacks one.
        drawn, missing = (bytes(cast("Iterable[int]", font.getmask(letter))) for letter in (character, "\uffff"))
        return character == " " or drawn != missing
    return " " <= character <= "~"


def _wrap(text: str, font: Font, width: float) -> Iterator[str]:
    """Yield lines no wider than `width` px; a word that is wider than a line is broken."""
    line, used, blank = "", 0.0, font.getlength(" ")
    for word in itertools.chain.from_iterable(_break(whole, font, width) for whole in text.split()):
        wide = font.getlength(word)
        if line and used + blank + wide > width:
            yield line
            line, used = "", 0.0
        used += wide + (blank if line else 0.0)
        line = f"{line} {word}" if line else word
    if line:
        yield line


def _break(word: str, font: Font, width: float) -> Iterator[str]:
    while len(word) > 1 and font.getlength(word) > width:
        share = max(1, min(len(word) - 1, int(len(word) * width / font.getlength(word))))
        yield word[:share]
        word = word[share:]
    yield word


def _shorten(line: str, font: Font, width: float) -> str:
    ellipsis = spell_out("…")
    while line and font.getlength(line + ellipsis) > width:
        line = line[:-1]
    return line.rstrip(" ,.;:-") + ellipsis
