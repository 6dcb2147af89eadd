"""The landscape of a placeholder picture: a sky, a sun, and ridges that lose themselves in the haze; all in px."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour: TypeAlias = tuple[int, int, int]
Outline: TypeAlias = list[tuple[float, float]]

# Larger scenes are drawn at this size and enlarged: nobody sees the difference, everybody the time.
_LONGEST_SIDE = 2048
_SHORTEST_SIDE = 16
_GRAIN_DEPTH = 12
_FINENESS = 3  # Silhouettes are drawn so many times larger and averaged down, which smooths their edges.


class Palette(NamedTuple):
    """The light of a scene: its colours from the top of the sky to the ridge that is nearest."""

    top: Colour
    middle: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_PALETTES = {
    name: Palette(*(tuple(bytes.fromhex(colour)) for colour in colours.split()))  # type: ignore[arg-type]  # three bytes each
    for name, colours in _TABLES["palettes"].items()
}


def draw_scene(prompt: str, size: tuple[int, int], *, digest: bytes) -> tuple[Image.Image, Palette]:
    """Draw in RGB, `size` px, what words of a prompt name and `digest` throws; return it with its colours."""
    shrink = min(1.0, _LONGEST_SIDE / max(size))
    width, height = (max(_SHORTEST_SIDE, round(side * shrink)) for side in size)
    scene = _Scene(prompt, width, height, random.Random(digest))  # noqa: S311  # a picture, not a secret
    image = scene.draw()
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC), scene.palette


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours; `share` is how much of the other there is, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _named_in(prompt: str, table: str) -> Sequence[str]:
    text = prompt[:2000].lower()
    words = (named for words, named in _TABLES[table].items() if re.search(rf"\b(?:{words})(?:s|es)?\b", text))
    return next(words, ())


def _gradient(colours: Sequence[Colour], size: tuple[int, int]) -> Image.Image:
    """Return a picture that runs through `colours` from its top to its bottom."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    return column.resize((1, size[1]), Image.Resampling.BICUBIC).resize(size, Image.Resampling.NEAREST)


@lru_cache(maxsize=2)
def _grain(size: tuple[int, int]) -> Image.Image:
    """Return a fine, even noise: it keeps the gradients from banding and looks like paper."""
    tile = Image.frombytes("L", (256, 256), hashlib.shake_256(b"grain").digest(256 * 256))
    tile = tile.point([value * _GRAIN_DEPTH // 255 for value in range(256)])
    grain = Image.new("L", size)
    for corner in itertools.product(range(0, size[0], 256), range(0, size[1], 256)):
        grain.paste(tile, corner)
    return Image.merge("RGB", (grain, grain, grain))


class _Scene:
    """A landscape while it is drawn: what is thrown first, place and light, holds for all of it."""

    def __init__(self, prompt: str, width: int, height: int, chance: random.Random) -> None:
        self.palette = _PALETTES[chance.choice(_named_in(prompt, "lights") or tuple(_PALETTES))]
        self._place = chance.choice(_named_in(prompt, "places") or ("hills", "peaks", "hills", "sea"))
        self._width, self._height, self._chance = width, height, chance
        self._unit = min(width, height)
        self._horizon = height * chance.uniform(0.60, 0.66)
        self._sun = (width * chance.uniform(0.56, 0.8), self._horizon - height * chance.uniform(0.02, 0.12))
        self._radius = self._unit * chance.uniform(0.055, 0.085)
        self._image = self._sky()

    def draw(self) -> Image.Image:
        """Draw on the sky what stands before it."""
        red, green, blue = self.palette.top
        if 0.299 * red + 0.587 * green + 0.114 * blue < 0.12 * 255:
            self._draw_stars()
        self._draw_sun()
        if self._place == "sea":
            self._draw_sea()
        else:
            self._draw_land()
        return ImageChops.add(self._image, _grain(self._image.size), offset=-_GRAIN_DEPTH // 2)

    def _sky(self) -> Image.Image:
        """Return the sky with its clouds and the sun's glow, drawn small, as all of it is soft, and enlarged."""
        small = (max(8, self._width // 4), max(8, self._height // 4))
        across, down = small[0] / self._width, small[1] / self._height
        palette = self.palette
        sky = _gradient((palette.top, palette.middle, palette.low, palette.low), small)
        clouds = self._clouds().resize((small[0], max(1, int(self._horizon * down))), Image.Resampling.BICUBIC)
        sky.paste(blend(palette.low, palette.sun, 0.35), (0, 0), clouds)
        for reach, strength in ((7.5 * self._radius, 0.42), (2.6 * self._radius, 0.5)):
            box = (max(2, int(2 * reach * across)), max(2, int(2 * reach * down)))
            fading = [round(strength * 255 * max(0.0, 1 - value / 240) ** 2) for value in range(256)]
            glow = Image.radial_gradient("L").point(fading).resize(box, Image.Resampling.BILINEAR)
            corner = (int(self._sun[0] * across - box[0] / 2), int(self._sun[1] * down - box[1] / 2))
            sky.paste(palette.sun, corner, glow)
        return sky.resize((self._width, self._height), Image.Resampling.BICUBIC)

    def _clouds(self) -> Image.Image:
        """Return a mask of long soft streaks."""
        mask, chance = Image.new("L", (128, 128)), self._chance
        draw = ImageDraw.Draw(mask)
        for _ in range(chance.randrange(5, 9)):
            x, y, long = chance.uniform(-30, 110), chance.uniform(24, 120), chance.uniform(24, 70)
            for _ in range(5):
                left, level = x + chance.uniform(0, long * 0.6), y + chance.gauss(0, 1.4)
                thick = chance.uniform(0.2, 1.3)
                draw.ellipse((left, level - thick, left + long * 0.7, level + thick), fill=chance.randrange(45, 130))
        return mask.filter(ImageFilter.BoxBlur((3.2, 0.9))).filter(ImageFilter.BoxBlur((3.2, 0.9)))

    def _draw_stars(self) -> None:
        draw, chance = ImageDraw.Draw(self._image), self._chance
        for _ in range(int(self._width * self._horizon / 4000)):
            x, y = chance.uniform(0, self._width), self._horizon * chance.random() ** 1.4
            there = self._image.getpixel((min(int(x), self._width - 1), int(y)))
            glow = chance.uniform(0.15, 0.9) ** 2
            colour = blend(there, (255, 250, 235), glow)  # type: ignore[arg-type]  # RGB pixels are triples
            radius = 0.3 + glow * self._unit / 900
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def _draw_sun(self) -> None:
        side = max(2, int(2 * self._radius))
        disc = Image.new("L", (side * _FINENESS, side * _FINENESS))
        ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), fill=245)
        x, y = self._sun
        self._image.paste(self.palette.sun, (int(x - side / 2), int(y - side / 2)), disc.reduce(_FINENESS))

    def _draw_land(self) -> None:
        """Draw five ridges, the farthest first."""
        palette, outlines = self.palette, {"city": (self._skyline, 1.0), "peaks": (self._peaks, 0.5)}
        outlined, nearest = outlines.get(self._place, (self._hills, 1.0))
        for depth in (0.0, 0.25, 0.5, 0.75, 1.0):
            level = self._horizon + (self._height - self._horizon) * (0.72 * depth**1.25 + 0.02)
            outline = (outlined if depth <= nearest else self._hills)(level, depth)
            colour = blend(palette.far, palette.near, depth**0.9)
            self._paste_ridge(outline, colour, blend(colour, palette.low, 0.34 * (1 - depth)))
            if self._place == "city" and depth > 0.4:
                self._light_windows(outline, blend(colour, palette.sun, 0.75))

    def _hills(self, level: float, depth: float) -> Outline:
        waves = [
            (self._chance.uniform(0.7, 1.3) * frequency, self._chance.uniform(0, math.tau), share)
            for frequency, share in ((1.1, 1.0), (2.7, 0.42), (6.3, 0.13))
        ]
        swing = self._height * (0.045 + 0.02 * depth) * min(1.0, self._width / self._height + 0.3)
        steps = min(128, max(16, self._width // 2))  # no finer than can be seen
        places = [step / steps for step in range(steps + 1)]
        rises = [sum(share * math.sin(math.tau * many * x + start) for many, start, share in waves) for x in places]
        return [(self._width * x, level - swing * rise) for x, rise in zip(places, rises, strict=True)]

    def _peaks(self, level: float, depth: float) -> Outline:
        """Fold a line again and again, each time half as high: a mountain range."""
        swing = self._height * (0.17 - 0.13 * depth) * min(1.0, self._width / self._height + 0.2)
        line = [self._chance.uniform(-0.5, 0.5) * swing for _ in range(5)]
        for _ in range(6):
            swing *= 0.52
            between = [(a + b) / 2 + self._chance.uniform(-1, 1) * swing for a, b in itertools.pairwise(line)]
            line = [y for pair in zip(line, between, strict=False) for y in pair] + line[-1:]
        step = self._width / (len(line) - 1)
        return [(place * step, level - y - self._height * 0.03) for place, y in enumerate(line)]

    def _skyline(self, level: float, depth: float) -> Outline:
        outline: Outline = []
        unit, chance = self._unit, self._chance
        x = -unit * chance.uniform(0, 0.04)
        while x < self._width:
            wide = unit * chance.uniform(0.028, 0.06) * (1 + 0.5 * depth)
            tall = unit * (0.05 + 0.24 * chance.random() ** 2) * (1 - 0.35 * depth)
            roof = level - tall
            outline += [(x, level), (x, roof)]
            if tall > unit * 0.15:
                step, mast = wide * 0.28, tall * 0.16
                stairs = [(step, 0.0), (step, -mast), (wide / 2 - 1, -mast), (wide / 2, -2.6 * mast)]
                left = [(x + dx, roof + dy) for dx, dy in stairs]
                outline += [*left, *((2 * x + wide - px, py) for px, py in reversed(left))]
            outline += [(x + wide, roof), (x + wide, level)]
            x += wide + unit * chance.choice((0.0, 0.0, 0.004, 0.012))
        return outline

    def _light_windows(self, outline: Outline, colour: Colour) -> None:
        draw = ImageDraw.Draw(self._image)
        grid = max(3, self._unit // 110)
        for (left, roof), (right, other) in itertools.pairwise(outline):
            if roof != other or right - left < 3 * grid:
                continue
            for x in range(int(left) + grid, int(right) - grid, grid):
                for y in range(int(roof) + grid, min(self._height, int(roof) + 18 * grid), 2 * grid):
                    if self._chance.random() < 0.22:
                        draw.rectangle((x, y, x + grid // 3, y + grid // 2), fill=colour)

    def _paste_ridge(self, outline: Outline, colour: Colour, haze: Colour) -> None:
        """Fill everything below an outline, dense at its upper edge and hazy at its foot."""
        width, height = self._width, self._height
        top = max(0, math.floor(min(y for _, y in outline)))
        foot = min(height, max(top + 1, math.ceil(max(y for _, y in outline))))
        if top >= height:
            return
        filling = _gradient((colour, colour, haze), (width, height - top))
        mask = Image.new("L", (width * _FINENESS, (foot - top) * _FINENESS))
        corners = [(x * _FINENESS, (y - top) * _FINENESS) for x, y in outline]
        below = mask.height + _FINENESS
        corners = [(corners[0][0], below), *corners, (corners[-1][0] + 1, below)]
        ImageDraw.Draw(mask).polygon(corners, fill=255)
        self._image.paste(filling.crop((0, 0, width, foot - top)), (0, top), mask.reduce(_FINENESS))
        self._image.paste(filling.crop((0, foot - top, *filling.size)), (0, foot))

    def _draw_sea(self) -> None:
        palette, width, height = self.palette, self._width, self._height
        coast = self._hills(self._horizon, 0.0)
        tilt = self._chance.choice((-1, 1))
        coast = [(x, y + tilt * height * 0.11 * (x / width - 0.5)) for x, y in coast]
        self._paste_ridge(coast, palette.far, blend(palette.far, palette.low, 0.5))
        shore = int(self._horizon + height * 0.02)
        water = (blend(palette.low, palette.far, 0.3), blend(palette.far, palette.near, 0.35), palette.near)
        self._image.paste(_gradient(water, (width, height - shore)), (0, shore))
        self._image.paste(palette.sun, (0, shore), self._glitter(height - shore))

    def _glitter(self, depth: int) -> Image.Image:
        """Return a mask of the sun's path on the water: strokes that grow and scatter as they come nearer."""
        chance, width = self._chance, self._width
        mask = Image.new("L", (width, depth))
        draw = ImageDraw.Draw(mask)
        for _ in range(420):
            near = chance.random() ** 1.3
            y, thick = near * depth, max(0.0, (0.25 + 2.2 * near) * depth / 400)
            spread = width * (0.015 + 0.075 * near)
            long = width * (0.004 + 0.03 * near) * chance.uniform(0.4, 1.4)
            x = chance.gauss(self._sun[0], spread)
            bright = round(230 * (1 - 0.75 * near) * math.exp(-(((x - self._sun[0]) / spread) ** 2) / 3))
            draw.ellipse((x - long, y - thick, x + long, y + thick), fill=max(bright, 12))
        return mask.filter(ImageFilter.GaussianBlur(depth / 420))
