"""The landscape of a placeholder picture: a sky, a sun, and ridges that lose themselves in the haze.

A few words of the prompt choose the place and the light; chance, thrown with the prompt's own digest, does the
rest. All measures are in pixels of the picture, from its upper left corner.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour: TypeAlias = tuple[int, int, int]
Outline: TypeAlias = list[tuple[float, float]]

# Larger scenes are drawn at this size and enlarged: nobody sees the difference, everybody the time.
_LONGEST_SIDE = 2048
_SHORTEST_SIDE = 16
_FINENESS = 3  # Silhouettes are drawn so many times larger and averaged down, which smooths their edges.


class Palette(NamedTuple):
    """The light of a scene: its colours from the top of the sky to the ridge that is nearest."""

    top: Colour
    middle: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour


def _palette(colours: str) -> Palette:
    return Palette(*(tuple(bytes.fromhex(colour)) for colour in colours.split()))  # type: ignore[arg-type]  # three bytes each


_PALETTES = {
    "dusk": _palette("2b2b5e 86568f f4a57c ffe6bd a96d8e 1c1836"),
    "dawn": _palette("5f86b3 cdb4c6 fbdcc0 fff4dc a39fc0 2c3a58"),
    "noon": _palette("3a80b4 88bdd6 e6efe2 fffbe8 8fb5bb 1d4650"),
    "ember": _palette("371c3e 9e3a45 f29a5b ffe0a4 ab5158 211026"),
    "meadow": _palette("3f7a74 9dc0a6 eef0cf fffadf 7fa695 143129"),
    "night": _palette("0a1029 1d2c58 52689b f4f1de 35466f 060a1a"),
    "aurora": _palette("081626 12455c 5fb7a1 eafff1 2a6472 051019"),
    "rose": _palette("6c5079 cf959f fbe0cf fff3e6 ab7f97 3c2542"),
    "desert": _palette("4f7396 d3b292 f8dfb2 fff4d4 c9946a 5c2e24"),
    "winter": _palette("6d8cab b9cbda f0f2f4 ffffff 9fb4c6 33485e"),
    "lagoon": _palette("0d4656 2b978d f3e6b9 fffbe2 55a39d 062c34"),
}

_LIGHTS = (
    (r"night|midnight|moon|star|galaxy|nacht|mond|stern", ("night", "aurora")),
    (r"sunset|dusk|evening|sonnenuntergang|abend", ("dusk", "ember")),
    (r"sunrise|dawn|morning|sonnenaufgang|morgen", ("dawn", "rose")),
    (r"snow|ice|winter|frost|arctic|schnee|eis", ("winter", "dawn")),
    (r"desert|sand|dune|canyon|w\u00fcste", ("desert", "ember")),
    (r"fire|lava|volcano|autumn|feuer|herbst", ("ember", "dusk")),
    (r"forest|tree|garden|jungle|moss|meadow|wald|wiese", ("meadow", "dawn", "lagoon")),
    (r"sea|ocean|beach|lake|river|harbou?r|meer|strand", ("lagoon", "noon", "dusk", "rose")),
    (r"cyberpunk|neon|futuristic", ("dusk", "aurora", "night")),
)
_PLACES = (
    (r"city|cityscape|skyline|street|building|tower|urban|cyberpunk|stadt", "city"),
    (r"sea|ocean|beach|lake|river|harbou?r|ship|boat|sail\w*|island|lighthouse|meer|strand|schiff", "sea"),
    (r"forest|tree|pine|wood|fox|deer|bear|owl|jungle|wald|fuchs", "forest"),
    (r"mountain|peak|alp|snow|glacier|castle|dragon|berg|gipfel", "peaks"),
    (r"desert|dune|sand|field|meadow|hill|w\u00fcste|wiese", "hills"),
)


def draw_scene(prompt: str, size: tuple[int, int], *, digest: bytes) -> tuple[Image.Image, Palette]:
    """Draw the landscape for a prompt, whose words choose the place and the light where they name one.

    Chance is thrown with `digest`: the same digest, prompt and size give the same pixels.

    Returns:
        The landscape, `size` (width and height) px, in RGB, and its colours.
    """
    chance = random.Random(digest)  # noqa: S311  # a picture, not a secret
    palette = _PALETTES[chance.choice(_named_in(prompt, _LIGHTS) or tuple(_PALETTES))]
    place = chance.choice(_named_in(prompt, _PLACES) or ("hills", "peaks", "forest", "sea"))
    width, height = _working_size(size)
    horizon = height * chance.uniform(0.60, 0.66)
    sun = (width * chance.uniform(0.56, 0.8), horizon - height * chance.uniform(0.02, 0.12))
    radius = min(width, height) * chance.uniform(0.055, 0.085)
    image = _sky((width, height), palette, chance, horizon, (*sun, radius))
    red, green, blue = palette.top
    if 0.299 * red + 0.587 * green + 0.114 * blue < 0.12 * 255:
        _draw_stars(image, chance, horizon)
    _draw_disc(image, palette.sun, sun, radius)
    _draw_place(image, place, palette, chance, horizon, sun)
    image = ImageChops.add(image, _grain(image.size), offset=-_GRAIN_DEPTH // 2)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC), palette


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours; `share` is how much of the other there is, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _named_in(prompt: str, table: Sequence[tuple[str, str | tuple[str, ...]]]) -> tuple[str, ...]:
    text = prompt[:2000].lower()
    for words, named in table:
        if re.search(rf"\b(?:{words})(?:s|es)?\b", text):
            return (named,) if isinstance(named, str) else named
    return ()


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    shrink = min(1.0, _LONGEST_SIDE / max(size))
    width, height = (max(_SHORTEST_SIDE, round(side * shrink)) for side in size)
    return width, height


def _gradient(colours: Sequence[Colour], size: tuple[int, int]) -> Image.Image:
    """Return a picture that runs through `colours` from its top to its bottom."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    return column.resize((1, size[1]), Image.Resampling.BICUBIC).resize(size, Image.Resampling.NEAREST)


_GRAIN_DEPTH = 12


@lru_cache(maxsize=2)
def _grain(size: tuple[int, int]) -> Image.Image:
    """Return a fine, even noise: it keeps the gradients from banding and looks like paper."""
    tile = Image.frombytes("L", (256, 256), hashlib.shake_256(b"grain").digest(256 * 256))
    tile = tile.point([value * _GRAIN_DEPTH // 255 for value in range(256)])
    grain = Image.new("L", size)
    for left in range(0, size[0], 256):
        for top in range(0, size[1], 256):
            grain.paste(tile, (left, top))
    return Image.merge("RGB", (grain, grain, grain))


def _draw_stars(image: Image.Image, chance: random.Random, horizon: float) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(int(image.width * horizon / 4000)):
        x, y = chance.uniform(0, image.width), horizon * chance.random() ** 1.4
        there = image.getpixel((min(int(x), image.width - 1), int(y)))
        glow = chance.uniform(0.15, 0.9) ** 2
        colour = blend(there, (255, 250, 235), glow)  # type: ignore[arg-type]  # RGB pixels are triples
        radius = 0.3 + glow * min(image.size) / 900
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _sky(
    size: tuple[int, int], palette: Palette, chance: random.Random, horizon: float, sun: tuple[float, float, float]
) -> Image.Image:
    """Draw the sky with its clouds and the sun's glow, small, as all of it is soft, and enlarge it."""
    small = (max(8, size[0] // 4), max(8, size[1] // 4))
    across, down = small[0] / size[0], small[1] / size[1]
    sky = _gradient((palette.top, palette.middle, palette.low, palette.low), small)
    clouds = _clouds(chance).resize((small[0], max(1, int(horizon * down))), Image.Resampling.BICUBIC)
    sky.paste(blend(palette.low, palette.sun, 0.35), (0, 0), clouds)
    x, y, radius = sun
    for reach, strength in ((7.5, 0.42), (2.6, 0.5)):
        box = (max(2, int(2 * reach * radius * across)), max(2, int(2 * reach * radius * down)))
        fading = [round(strength * 255 * max(0.0, 1 - value / 240) ** 2) for value in range(256)]
        glow = Image.radial_gradient("L").point(fading).resize(box, Image.Resampling.BILINEAR)
        sky.paste(palette.sun, (int(x * across - box[0] / 2), int(y * down - box[1] / 2)), glow)
    return sky.resize(size, Image.Resampling.BICUBIC)


def _clouds(chance: random.Random) -> Image.Image:
    """Return a mask of long soft streaks."""
    mask = Image.new("L", (128, 128))
    draw = ImageDraw.Draw(mask)
    for _ in range(chance.randrange(5, 9)):
        x, y, long = chance.uniform(-30, 110), chance.uniform(24, 120), chance.uniform(24, 70)
        for _ in range(5):
            left, level = x + chance.uniform(0, long * 0.6), y + chance.gauss(0, 1.4)
            thick = chance.uniform(0.2, 1.3)
            draw.ellipse((left, level - thick, left + long * 0.7, level + thick), fill=chance.randrange(45, 130))
    return mask.filter(ImageFilter.BoxBlur((3.2, 0.9))).filter(ImageFilter.BoxBlur((3.2, 0.9)))


def _draw_disc(image: Image.Image, colour: Colour, centre: tuple[float, float], radius: float) -> None:
    side = max(2, int(2 * radius))
    disc = Image.new("L", (side * _FINENESS, side * _FINENESS))
    ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), fill=245)
    image.paste(colour, (int(centre[0] - side / 2), int(centre[1] - side / 2)), disc.reduce(_FINENESS))


def _draw_place(
    image: Image.Image, place: str, palette: Palette, chance: random.Random, horizon: float, sun: tuple[float, float]
) -> None:
    if place == "sea":
        _draw_sea(image, palette, chance, horizon, sun[0])
        return
    layers = 5
    for layer in range(layers):
        depth = layer / (layers - 1)
        level = horizon + (image.height - horizon) * (0.72 * depth**1.25 + 0.02)
        outline = _outline(place, image.size, level, depth, chance)
        colour = blend(palette.far, palette.near, depth**0.9)
        haze = blend(colour, palette.low, 0.34 * (1 - depth))
        _paste_ridge(image, outline, colour, haze)
        if place == "city" and depth > 0.4:
            _light_windows(image, outline, blend(colour, palette.sun, 0.75), chance)


def _outline(place: str, size: tuple[int, int], level: float, depth: float, chance: random.Random) -> Outline:
    if place == "city":
        return _skyline(size, level, depth, chance)
    if place == "peaks" and depth < 0.6:
        return _peaks(size, level, depth, chance)
    hills = _hills(size, level, depth, chance)
    if place == "forest" and depth > 0.3:
        return _plant(hills, size, depth, chance)
    return hills


def _hills(size: tuple[int, int], level: float, depth: float, chance: random.Random) -> Outline:
    width, height = size
    waves = [
        (chance.uniform(0.7, 1.3) * frequency, chance.uniform(0, math.tau), share)
        for frequency, share in ((1.1, 1.0), (2.7, 0.42), (6.3, 0.13))
    ]
    swing = height * (0.045 + 0.02 * depth) * min(1.0, width / height + 0.3)
    steps = min(128, max(16, width // 2))  # no finer than can be seen
    return [
        (width * step / steps, level - swing * sum(s * math.sin(math.tau * f * step / steps + p) for f, p, s in waves))
        for step in range(steps + 1)
    ]


def _peaks(size: tuple[int, int], level: float, depth: float, chance: random.Random) -> Outline:
    """Fold a line again and again, each time half as high: a mountain range."""
    width, height = size
    swing = height * (0.17 - 0.13 * depth) * min(1.0, width / height + 0.2)
    line = [chance.uniform(-0.5, 0.5) * swing for _ in range(5)]
    for _ in range(6):
        swing *= 0.52
        between = [(a + b) / 2 + chance.uniform(-1, 1) * swing for a, b in itertools.pairwise(line)]
        line = [y for pair in zip(line, between, strict=False) for y in pair] + line[-1:]
    return [(width * step / (len(line) - 1), level - y - height * 0.03) for step, y in enumerate(line)]


def _plant(hills: Outline, size: tuple[int, int], depth: float, chance: random.Random) -> Outline:
    """Set conifers along a ridge, so that its outline is theirs."""
    outline: Outline = []
    tallest = min(size) * (0.02 + 0.085 * depth**1.5)
    x = 0.0
    while x < size[0]:
        ground = hills[min(len(hills) - 1, int(x / size[0] * (len(hills) - 1)))][1] + tallest * 0.1
        tall = tallest * chance.uniform(0.45, 1.0)
        half = max(1.0, tall * chance.uniform(0.16, 0.22))  # no narrower than can be seen
        tiers = ((1.0, 0.0), (0.55, 0.33), (0.75, 0.33), (0.38, 0.66), (0.6, 0.66), (0.0, 1.0))
        left = [(x + half - half * out, ground - tall * up) for out, up in tiers]
        right = [(x + half + half * out, ground - tall * up) for out, up in reversed(tiers[:-1])]
        outline += left + right
        x += half * chance.choice((1.2, 1.6, 2.0, 2.2, 3.4))
    return [(0.0, outline[0][1]), *outline, (float(size[0]), outline[-1][1])]


def _skyline(size: tuple[int, int], level: float, depth: float, chance: random.Random) -> Outline:
    outline: Outline = []
    unit = min(size)
    x = -unit * chance.uniform(0, 0.04)
    while x < size[0]:
        wide = unit * chance.uniform(0.028, 0.06) * (1 + 0.5 * depth)
        tall = unit * (0.05 + 0.24 * chance.random() ** 2) * (1 - 0.35 * depth)
        roof = level - tall
        outline += [(x, level), (x, roof), (x + wide, roof)]
        if tall > unit * 0.15:
            step, mast = wide * 0.28, tall * 0.16
            stairs = [(step, 0.0), (step, -mast), (wide / 2 - 1, -mast), (wide / 2, -2.6 * mast)]
            left = [(x + dx, roof + dy) for dx, dy in stairs]
            right = [(2 * x + wide - px, py) for px, py in reversed(left)]
            outline[-1:] = [*left, *right, (x + wide, roof)]
        outline.append((x + wide, level))
        x += wide + unit * chance.choice((0.0, 0.0, 0.004, 0.012))
    return outline


def _light_windows(image: Image.Image, outline: Outline, colour: Colour, chance: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    grid = max(3, min(image.size) // 110)
    for (left, roof), (right, other) in itertools.pairwise(outline):
        if roof != other or right - left < 3 * grid:
            continue
        for x in range(int(left) + grid, int(right) - grid, grid):
            for y in range(int(roof) + grid, min(image.height, int(roof) + 18 * grid), 2 * grid):
                if chance.random() < 0.22:
                    draw.rectangle((x, y, x + grid // 3, y + grid // 2), fill=colour)


def _paste_ridge(image: Image.Image, outline: Outline, colour: Colour, haze: Colour) -> None:
    """Fill everything below an outline, dense at its upper edge and hazy at its foot."""
    top = max(0, math.floor(min(y for _, y in outline)))
    foot = min(image.height, max(top + 1, math.ceil(max(y for _, y in outline))))
    if top >= image.height:
        return
    filling = _gradient((colour, colour, haze), (image.width, image.height - top))
    mask = Image.new("L", (image.width * _FINENESS, (foot - top) * _FINENESS))
    corners = [(x * _FINENESS, (y - top) * _FINENESS) for x, y in outline]
    below = mask.height + _FINENESS
    corners = [(corners[0][0], below), *corners, (corners[-1][0] + 1, below)]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    band = (0, 0, image.width, foot - top)
    image.paste(filling.crop(band), (0, top), mask.reduce(_FINENESS))
    image.paste(filling.crop((0, foot - top, *filling.size)), (0, foot))


def _draw_sea(image: Image.Image, palette: Palette, chance: random.Random, horizon: float, sun: float) -> None:
    width, height = image.size
    coast = _hills(image.size, horizon, 0.0, chance)
    tilt = chance.choice((-1, 1))
    coast = [(x, y + tilt * height * 0.11 * (x / width - 0.5)) for x, y in coast]
    _paste_ridge(image, coast, palette.far, blend(palette.far, palette.low, 0.5))
    shore = int(horizon + height * 0.02)
    water = (blend(palette.low, palette.far, 0.3), blend(palette.far, palette.near, 0.35), palette.near)
    image.paste(_gradient(water, (width, height - shore)), (0, shore))
    _draw_glitter(image, palette, chance, shore, sun)
    _draw_boat(image, palette, (width * chance.uniform(0.14, 0.4), shore + height * 0.09))


def _draw_glitter(image: Image.Image, palette: Palette, chance: random.Random, shore: int, sun: float) -> None:
    """Draw the sun's path on the water: strokes that grow and scatter as they come nearer."""
    depth = image.height - shore
    mask = Image.new("L", (image.width, depth))
    draw = ImageDraw.Draw(mask)
    for _ in range(420):
        near = chance.random() ** 1.3
        y, thick = near * depth, max(0.0, (0.25 + 2.2 * near) * depth / 400)
        spread = image.width * (0.015 + 0.075 * near)
        long = image.width * (0.004 + 0.03 * near) * chance.uniform(0.4, 1.4)
        x = chance.gauss(sun, spread)
        bright = round(230 * (1 - 0.75 * near) * math.exp(-(((x - sun) / spread) ** 2) / 3))
        draw.ellipse((x - long, y - thick, x + long, y + thick), fill=max(bright, 12))
    image.paste(palette.sun, (0, shore), mask.filter(ImageFilter.GaussianBlur(depth / 420)))


def _draw_boat(image: Image.Image, palette: Palette, keel: tuple[float, float]) -> None:
    unit = min(image.size) * 0.04
    box = (int(4 * unit), int(4 * unit))
    if unit < 2:
        return
    mask = Image.new("L", (box[0] * _FINENESS, box[1] * _FINENESS))
    draw = ImageDraw.Draw(mask)
    shapes = (
        ((0.9, 3.0), (3.1, 3.0), (2.75, 3.4), (1.2, 3.4)),
        ((1.95, 0.7), (1.95, 2.85), (0.85, 2.85)),
        ((2.1, 1.1), (2.1, 2.85), (3.0, 2.85)),
    )
    for shape in shapes:
        draw.polygon([(x * unit * _FINENESS, y * unit * _FINENESS) for x, y in shape], fill=235)
    corner = (int(keel[0] - 2 * unit), int(keel[1] - 3.4 * unit))
    image.paste(palette.near, corner, mask.reduce(_FINENESS))
