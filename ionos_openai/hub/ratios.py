"""A size out of an aspect ratio: the nearest one that the model makes. Sizes are in px, width before height."""

from __future__ import annotations

import contextlib
import math
import re

from ionos_openai.errors import InvalidRequestError, IonosWarning
from ionos_openai.errors.notices import warn_once
from ionos_openai.hub.catalogue import DefaultSize, SizeRule
from ionos_openai.hub.compat import nearest_size
from ionos_openai.hub.models import find_model, parse_size

_SIDE = 1024  # of the square that has as many px as the size shall have
_ENOUGH = math.log(1.25)  # how far from that its px may be for the sake of its shape
_USUAL = (16, 64, 2048)  # where no rule is known: what each side is a multiple of, the least, the most


def choose_size(size: str | None, aspect_ratio: str | None, model: str) -> str | None:
    """Return the size to ask the model for: `size`, or the nearest one that it makes to a ratio such as "16:9".

    One that is not exactly of the ratio is an `IonosWarning`; both, or what cannot be read, an `InvalidRequestError`.
    """
    if aspect_ratio is None:
        with contextlib.suppress(InvalidRequestError):  # what cannot be read is refused with the rest of its request
            plain = size and "{}x{}".format(*parse_size(size))
            size = plain if plain != size else size  # the default stays the object that it is
        return size
    if size is not None and not isinstance(size, DefaultSize):
        raise InvalidRequestError(f"aspect_ratio={aspect_ratio!r} and size={size!r} exclude each other: leave one out.")
    number = r"\s*(\d{1,4}(?:\.\d{1,4})?)\s*"
    match = re.fullmatch(f"{number}[:/]{number}", aspect_ratio) if isinstance(aspect_ratio, str) else None
    if match is None or not float(match[1]) or not float(match[2]):
        raise InvalidRequestError(
            f"The aspect ratio {aspect_ratio!r} cannot be read: write WIDTH:HEIGHT, as in '16:9'."
        )
    ratio = float(match[1]) / float(match[2])
    known = find_model(model)
    rule = known.size_rule if known else None
    chosen = _nearest(ratio, rule)
    width, height = parse_size(chosen)
    if not math.isclose(width / height, ratio):
        makes = f"{known.name} makes {rule.describe()}" if known and rule else f"The sizes of {model} are not known"
        warn_once(f"aspect_ratio {model}", f"{makes}, so {match[0].strip()} is asked for as {chosen}.", IonosWarning)
    return chosen


def _nearest(ratio: float, rule: SizeRule | None) -> str:
    if rule is not None and rule.choices:
        width = _SIDE * math.sqrt(ratio)
        return nearest_size(round(width) or 1, round(width / ratio) or 1, rule)
    step, least, most = (rule.multiple_of, rule.minimum, rule.maximum or _USUAL[2]) if rule else _USUAL

    def distance(sides: tuple[int, int]) -> tuple[bool, float, float]:
        width, height = sides
        area = abs(math.log(width * height) - 2 * math.log(_SIDE))
        return area > _ENOUGH, abs(math.log(width / height) - math.log(ratio)), area

    allowed = range(math.ceil(least / step) * step, most + 1, step)
    fitting = [(width, min(allowed, key=lambda height: abs(height - width / ratio))) for width in allowed]
    return "{}x{}".format(*min(fitting, key=distance))
