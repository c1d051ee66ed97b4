"""Rows in one array: no cell twice, none outside."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from operators.rows import placed


def check(rows: list[int], width: int) -> int:
    places, cells = placed(rows, width)
    taken = [
        int(place) + column
        for place, columns in zip(places, rows, strict=True)
        for column in range(columns.bit_length())
        if columns >> column & 1
    ]
    assert len(taken) == len(set(taken))
    assert (places >= 0).all()
    assert (places + width <= cells).all()
    return cells - len(taken)


@given(st.lists(st.integers(0, 1 << 12), max_size=60))
def test_no_cell_is_given_twice(rows: list[int]) -> None:
    check(rows, 13)


def test_many_rows_leave_few_gaps() -> None:
    draw = random.Random(3)
    letters = sum(1 << bit for bit in range(20, 82))
    sparse = [
        sum(1 << bit for bit in draw.sample(range(3, 90), draw.choice([1, 1, 1, 2, 3]))) for _ in range(5000)
    ]
    assert check([letters, letters << 5, letters >> 9] * 60 + sparse, 90) < 2000


def test_a_row_wider_than_most() -> None:
    check([1 << 2500 | 1 << 3, *([1 << 1200 | 1 << 40 | 1 << 3] * 9), 1 << 2999] * 5, 3000)
    check([1 << 9000 | 1 << 5000 | 1 << 3, 1 << 4 | 1 << 8999] * 9, 9001)
