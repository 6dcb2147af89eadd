"""What the sandbox does, and how each of its behaviours is known: the rows of `behaviours.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

BehaviourBasis: TypeAlias = Literal["DOC", "REC", "CODE", "INF", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One thing that the sandbox does; an error that it made up has the code "sandbox-" and the name."""

    name: str
    does: str
    basis: BehaviourBasis  # how it is known that the service does so
    chosen: str = ""  # what the sandbox had to decide about it; empty where nothing


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
BEHAVIOURS = tuple(Behaviour(name=name, **row) for name, row in _ROWS.items())
