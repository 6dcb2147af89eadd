"""Which requests a manifest knows, and where: at most 100 bytes an entry, while it grows too."""

from __future__ import annotations

from array import array

_FULL = 0.75
_SMALLEST = 1024  # a power of two


class Index:
    """A table from 64-bit keys to two numbers: a place of 64 bits, and a count of 32.

    Three arrays take 20 bytes a slot; between three and six of eight slots are in use. While it grows, the old and
    the new one together take 80 bytes an entry.
    """

    def __init__(self) -> None:
        """Begin with an empty table."""
        self._used = 0
        self._make(_SMALLEST)

    def _make(self, slots: int) -> None:
        self._mask = slots - 1
        self._keys = array("Q", bytes(8 * slots))
        self._places = array("Q", bytes(8 * slots))
        self._counts = array("I", bytes(4 * slots))

    def __len__(self) -> int:
        """Return how many keys it holds."""
        return self._used

    def place(self, key: int) -> int:
        """Return the place that was set for a key, else 0."""
        return self._places[self._slot(key)]

    def set_place(self, key: int, place: int) -> None:
        """Remember a place, above 0, for a key."""
        slot = self._taken(key)  # first: it may make the arrays anew
        self._places[slot] = place

    def count(self, key: int) -> int:
        """Count a key once more; return how often it has been counted."""
        slot = self._taken(key)
        self._counts[slot] += 1
        return self._counts[slot]

    def forget_counts(self) -> None:
        """Begin counting anew."""
        self._counts = array("I", bytes(4 * len(self._keys)))

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        slot = key & mask
        found = keys[slot]
        while found and found != key:
            slot = (slot + 1) & mask
            found = keys[slot]
        return slot

    def _taken(self, key: int) -> int:
        slot = self._slot(key)
        if not self._keys[slot]:
            if self._used >= _FULL * (self._mask + 1):
                self._grow()
                slot = self._slot(key)
            self._keys[slot] = key
            self._used += 1
        return slot

    def _grow(self) -> None:
        old = zip(self._keys, self._places, self._counts, strict=True)
        self._make(2 * (self._mask + 1))
        for key, place, count in old:
            if key:
                slot = self._slot(key)
                self._keys[slot], self._places[slot], self._counts[slot] = key, place, count
