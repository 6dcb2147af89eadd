"""Words on a placeholder picture: text that Pillow's bundled font can show, wrapped into the room there is."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, cast

from PIL import ImageDraw, ImageFont

from ionos_openai.sandbox.scenery import Colour

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST_TEXT = 600  # Characters; more could not be read on a picture anyway.
_LINE_HEIGHT = 1.24

_DRAWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_BUILT, _MARKS, _SPELLINGS = _DRAWN["built"], {**_DRAWN["above"], **_DRAWN["below"]}, str.maketrans(_DRAWN["spellings"])
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Text that was made to fit: its font, its lines and the distance between them, in px."""

    font: Font
    lines: tuple[str, ...]
    pitch: float


def _is_freetype() -> bool:
    return isinstance(load_font(16), ImageFont.FreeTypeFont)


@lru_cache(maxsize=64)
def load_font(size: int) -> Font:
    """Return Pillow's bundled font with letters of `size` px; a fixed one where Pillow lacks FreeType."""
    try:
        return ImageFont.load_default(size=size)
    except ImportError:
        return ImageFont.load_default()


def readable(text: str) -> str:
    """Spell 600 characters with what `write` can show, or name them: "[fox face]", "[Cyrillic text 3f9a]"."""
    cut = (" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text[:_LONGEST_TEXT])
    words = unicodedata.normalize("NFC", "".join(cut)).split()
    pieces = (piece for word in words for piece in _spell(word))
    # A sentence in one foreign script is named once, not once per word; all else is a run of its own.
    runs = itertools.groupby(enumerate(pieces), key=lambda piece: (piece[1][0], piece[1][0][:1] == "[" or piece[0]))
    kept = []
    for (shown, _), run in runs:
        digest = hashlib.sha256("".join(meant for _, (_, meant) in run).encode("utf-8", "surrogatepass")).hexdigest()
        kept.append(f"{shown[:-1]} {digest[:4]}]" if shown.endswith(" text]") else shown)
    joined = re.sub(r"\] ([,.;:!?])", r"]\1", " ".join(kept))
    return spell_out(joined + ("…" if len(text) > _LONGEST_TEXT and kept else ""))


def spell_out(text: str) -> str:
    """Replace the few signs that the bitmap font lacks, where it is the one in use."""
    return text if _is_freetype() else text.replace("…", "...").replace("·", "-")


def fit(text: str, *, width: float, height: float, sizes: tuple[int, ...]) -> Lines | None:
    """Wrap what `readable` returned in the largest of `sizes`, in px, in which it fits, else shorten it in the last.

    Each line has `width` px of room, all of them `height`; there is None without text, or room for any.
    """
    for size in sizes:
        font, pitch = load_font(size), size * _LINE_HEIGHT
        room = max(0, int(height // pitch))
        lines = list(itertools.islice(_wrap(text, font, width), room + 1))
        # A word that had to be broken reads better in smaller letters, a short prompt in one or two lines.
        if lines and len(lines) <= room and max(map(len, text.split())) <= max(map(len, lines)):
            return Lines(font=font, lines=tuple(lines), pitch=pitch)
    if not lines or room < 1 or length("MMM", font) > width:
        return None
    if len(lines) > room:
        lines[room - 1 :] = [_shorten(lines[room - 1], font, width)]
    return Lines(font=font, lines=tuple(lines), pitch=pitch)


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, font: Font, ink: Colour) -> None:
    """Write a line that `readable` returned, its upper left corner at `place`, with the marks over its letters."""
    draw.text(place, "".join(_bare(letter) for letter in text), font=font, fill=ink)
    if text.isascii() or not isinstance(font, ImageFont.FreeTypeFont):
        return
    thick = max(1, round(font.size * 0.07))
    for number, letter in enumerate(text):
        middle = place[0] + length(text[:number], font) + length(letter, font) / 2
        for stroke in _strokes(letter, font):
            points = [(middle + x, place[1] + y) for x, y in stroke]
            if len(points) > 1:
                draw.line(points, fill=ink, width=thick, joint="curve")
            else:
                (x, y), wide = points[0], max(0.6, thick * 0.7)
                draw.ellipse((x - wide, y - wide, x + wide, y + wide), fill=ink)


def _strokes(letter: str, font: ImageFont.FreeTypeFont) -> Iterator[list[tuple[float, float]]]:
    """Yield what is drawn over a letter, in px from the middle of the line's upper edge over it."""
    size, base = font.size, font.getmetrics()[0]
    for stroke in _BUILT.get(letter, ("", []))[1]:
        yield [(x * length(letter, font), base + (y - 1) * 0.72 * size) for x, y in stroke]
    top = font.getbbox(_bare(letter)[:1])[1] - 0.05 * size
    for mark in unicodedata.normalize("NFD", letter)[1:]:
        up = base + 0.02 * size if mark in _DRAWN["below"] else top - 0.13 * size
        top -= 0.0 if mark in _DRAWN["below"] else 0.17 * size
        for stroke in _MARKS.get(mark, ()):
            yield [(x * 0.3 * size, up + y * 0.13 * size) for x, y in stroke]


def length(text: str, font: Font) -> float:
    """Return how wide a text is that `readable` returned, in px."""
    return font.getlength("".join(_bare(letter) for letter in text))


@lru_cache(maxsize=4096)
def _bare(letter: str) -> str:
    """Return the letters of the font over which a letter's marks are drawn; itself where it has none."""
    if letter.isascii() or not _is_freetype():
        return letter
    apart = unicodedata.normalize("NFD", letter)
    base, marks = apart[0], apart[1:]
    is_marked = marks and base.isascii() and all(mark in _MARKS for mark in marks)
    return _BUILT[letter][0] if letter in _BUILT else base if is_marked else letter


def _spell(word: str) -> Iterator[tuple[str, str]]:
    """Yield the word as it can be shown, with what is meant; its foreign parts are pieces of their own."""
    letters = ((_show(letter), letter) for letter in word)
    for foreign, pairs in itertools.groupby(letters, key=lambda pair: pair[0][:1] == "["):
        if foreign:
            yield from pairs
        elif plain := "".join(shown for shown, _ in pairs):
            yield plain, plain


@lru_cache(maxsize=4096)
def _show(character: str) -> str:
    """Return what stands for one character: itself, a plainer spelling, a name in brackets, or nothing."""
    if _has_glyph(character) or _bare(character) != character:
        return character if character != "[" else "("  # Brackets are for what we name ourselves.
    category = unicodedata.category(character)
    if category[0] in "MC" or category == "Sk":
        return ""
    spelt = unicodedata.normalize("NFKD", character.translate(_SPELLINGS)).translate(_SPELLINGS)
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
    if not _is_freetype() or character == " ":
        return " " <= character <= "~"
    # A missing glyph is drawn as the same empty box for every character that lacks one.
    masks = (load_font(16).getmask(letter) for letter in (character, "\uffff"))
    drawn, missing = (bytes(cast("Iterable[int]", mask)) for mask in masks)
    return drawn != missing


def _wrap(text: str, font: Font, width: float) -> Iterator[str]:
    """Yield lines no wider than `width` px; a word that is wider than a line is broken."""
    line, used, blank = "", 0.0, length(" ", font)
    for word in itertools.chain.from_iterable(_break(whole, font, width) for whole in text.split()):
        wide = length(word, font)
        if line and used + blank + wide > width:
            yield line
            line, used = "", 0.0
        used += wide + (blank if line else 0.0)
        line = f"{line} {word}" if line else word
    if line:
        yield line


def _break(word: str, font: Font, width: float) -> Iterator[str]:
    while len(word) > 1 and length(word, font) > width:
        share = max(1, min(len(word) - 1, int(len(word) * width / length(word, font))))
        yield word[:share]
        word = word[share:]
    yield word


def _shorten(line: str, font: Font, width: float) -> str:
    ellipsis = spell_out("…")
    while line and length(line + ellipsis, font) > width:
        line = line[:-1]
    return line.rstrip(" ,.;:-") + ellipsis
