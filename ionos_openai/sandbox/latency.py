"""How long the sandbox takes to answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

LatencyOption: TypeAlias = float | list[float] | tuple[float, float] | str | None
"""Seconds, a range of them as a pair or as "0.5-2", or None for none."""

_LONGEST = 3600.0  # seconds
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:-(\d{1,9}(?:\.\d{1,9})?))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long an answer takes, from and to, in seconds."""

    least: float = 0.0
    most: float = 0.0

    def draw(self, chance: random.Random) -> float:
        """Return how long this answer takes, in seconds."""
        return self.least if self.least == self.most else chance.uniform(self.least, self.most)


def read_latency(option: LatencyOption) -> Latency:
    """Return the latency that an option means.

    Raises:
        ValueError: It is no number of seconds from 0 to 3600, and no range of them.
    """
    if option is None:
        return Latency()
    bounds: list[float] | tuple[float, ...]
    if isinstance(option, str):
        found = _SECONDS.fullmatch(option)
        bounds = (float(found[1]), float(found[2] or found[1])) if found else ()
    else:
        bounds = option if isinstance(option, list | tuple) else (option, option)
    are_numbers = all(isinstance(bound, int | float) for bound in bounds)
    if not are_numbers or len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] <= _LONGEST:
        raise ValueError(f"A latency is seconds such as 2, or a range such as 0.5-2, up to 3600; not {option!r}.")
    return Latency(least=float(bounds[0]), most=float(bounds[1]))
