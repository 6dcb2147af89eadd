"""Changes of a source as spans of bytes: what lies outside of them stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Edit:
    """Put `new` in the place of the bytes from `start` to `end`."""

    start: int
    end: int
    new: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a list between parentheses.

    Attributes:
        start: Where it begins.
        end: Where it ends, its comma not counted.
        after: Where its comma ends; the same as `end` without one.
        dropped: Whether it goes.
    """

    start: int
    end: int
    after: int
    dropped: bool


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Carry out edits; where two overlap, all that either of them covers goes."""
    pieces: list[bytes] = []
    done = 0
    for edit in sorted(edits, key=lambda one: (one.start, -one.end)):
        if edit.start < done:
            done = max(done, edit.end)
            continue
        pieces += [data[done : edit.start], edit.new]
        done = edit.end
    return b"".join([*pieces, data[done:]])


def drop_items(data: bytes, start: int, end: int, items: Sequence[Item]) -> list[Edit]:
    """Remove entries from a list, lines and comments of the others untouched.

    Args:
        data: The source.
        start: Where the list begins, behind its parenthesis.
        end: Where it ends, before its parenthesis.
        items: Its entries, in order.

    Returns:
        The edits; one that empties the list where nothing but blanks would stay.
    """
    edits = [_drop(data, start, end, items, index) for index, item in enumerate(items) if item.dropped]
    shifted = [Edit(start=edit.start - start, end=edit.end - start) for edit in edits]
    if edits and not apply_edits(data[start:end], shifted).strip():
        return [Edit(start=start, end=end)]
    return edits


def _drop(data: bytes, start: int, end: int, items: Sequence[Item], index: int) -> Edit:
    item = items[index]
    line = max(data.rfind(b"\n", start, item.start), data.rfind(b"\r", start, item.start)) + 1
    rest = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)").match(data, item.after, end)
    if line > start and rest and not data[line : item.start].strip():
        return Edit(start=line, end=rest.end())
    if index and rest and b"#" not in data[items[index - 1].after : item.start]:
        return Edit(start=items[index - 1].after, end=item.after)
    if index + 1 < len(items):
        return Edit(start=item.start, end=items[index + 1].start)
    kept = next((other for other in reversed(items[:index]) if not other.dropped), None)
    if kept is None or b"#" in data[kept.end : item.start]:
        return Edit(start=item.start, end=item.after)
    return Edit(start=kept.end, end=item.after)
