"""Whole numbers, which True and 1.0 are not."""

from __future__ import annotations

from typing import TypeGuard

from ionos_openai import errors


def is_whole_number(value: object) -> TypeGuard[int]:
    """Tell whether `value` is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_whole_number(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """Return `value`, `name` in messages, if it is a whole number from `least` to `most`; None sets no upper bound.

    Raises:
        InvalidRequestError: It is none, or out of bounds.
    """
    if not is_whole_number(value) or value < least or (most is not None and value > most):
        bound = f"from {least} to {most}" if most is not None else f"from {least}"
        raise errors.InvalidRequestError(f"{name}={value!r} must be a whole number {bound}.")
    return value
