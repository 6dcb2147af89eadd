"""Names that a room hands on, loaded on first use."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def lazy(room: str, *homes: str) -> Callable[[str], object]:
    """Return a `__getattr__` for a module (PEP 562): a public name is that of the first of the homes that has it."""

    def load(name: str) -> object:
        ours = sys.modules[room]
        for home in homes if name in vars(ours).get("__all__", (name,)) and not name.startswith("_") else ():
            module = importlib.import_module(home)
            if hasattr(module, name):
                setattr(ours, name, getattr(module, name))
                return getattr(ours, name)
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    return load
