"""Whole numbers, which True and 1.0 are not, and NumPy's are."""

from __future__ import annotations

import contextlib
import operator
from typing import TypeGuard

from ionos_openai import errors


def is_whole_number(value: object) -> TypeGuard[int]:
    """Tell whether `value` is a whole number."""
    return whole_number(value) is not None


def whole_number(value: object) -> int | None:
    """Return `value` as an int where it is a whole number; None where it is none."""
    with contextlib.suppress(TypeError):
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # or it raises
    return None


def check_whole_number(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """Return `value` if it is a whole number from `least` to `most`; else it is an `InvalidRequestError`."""
    number = whole_number(value)
    if number is None or number < least or (most is not None and number > most):
        bound = f"from {least} to {most}" if most is not None else f"from {least}"
        raise errors.InvalidRequestError(f"{name}={value!r} must be a whole number {bound}.")
    return number
