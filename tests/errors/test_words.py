"""Words and whole numbers, each in one place."""

from __future__ import annotations

import re

import pytest

from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.numbers import check_whole_number, is_whole_number
from ionos_openai.errors.words import plural


def test_a_noun_follows_its_number() -> None:
    counts = [plural(count, "picture") for count in (0, 1, 2)]

    assert counts == ["0 pictures", "1 picture", "2 pictures"]
    assert plural(2, "entry", "entries") == "2 entries"


def test_true_and_floats_are_no_whole_numbers() -> None:
    assert [is_whole_number(value) for value in (0, -3, True, 1.0, "1", None)] == [True, True, *[False] * 4]


@pytest.mark.parametrize(
    ("value", "most", "bound"),
    [(0, None, "from 1"), (True, None, "from 1"), (9, 8, "from 1 to 8"), (2.0, 8, "from 1 to 8")],
)
def test_what_is_out_of_bounds_is_refused_with_the_bounds(value: object, most: int | None, bound: str) -> None:
    with pytest.raises(
        InvalidRequestError, match=f"^{re.escape(f'workers={value!r} must be a whole number {bound}.')}$"
    ):
        check_whole_number("workers", value, least=1, most=most)


def test_what_is_within_bounds_comes_back() -> None:
    assert check_whole_number("workers", 8, least=1, most=8) == 8
