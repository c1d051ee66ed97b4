"""Times of samples: what is a break, and which stretch is left."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.spacing import spacing


@pytest.mark.parametrize(
    ("at", "first", "stop", "remarks"),
    [
        ([0, 1, 2, 3], 0, 4, ()),
        ([5.0, 5.5, 6.0, 8.0, 8.5, 9.0], 0, 3, ("a gap of 2 (median step 0.5) after sample 3",)),
        ([0, 1, 2, 3, 6, 7], 0, 6, ()),  # three steps are no gap yet
        ([0, 1, 2, 9, 10, 19], 0, 3, ("a gap of 7 (median step 1) after sample 3, and 1 times more",)),
        ([9, 0, 1, 2], 1, 4, ("time goes backwards after sample 1",)),
        ([3, 2, 1], 0, 1, ("time goes backwards after sample 1, and 1 times more",)),
        ([0, 1, np.nan, 3, 4, 5], 3, 6, ("no finite time at sample 3",)),
        ([0, 0, 0, 0, 9], 0, 5, ("most samples have the time of the one before: gaps cannot be told",)),
        ([7], 0, 1, ()),
        ([], 0, 0, ()),
    ],
)
def test_breaks_are_named_and_the_longest_stretch_is_left(
    at: list[float], first: int, stop: int, remarks: tuple[str, ...]
) -> None:
    found = spacing(np.array(at, np.float64))
    assert (found.first, found.stop, found.remarks) == (first, stop, remarks)


def test_the_step_is_the_median() -> None:
    assert spacing(np.array([0.0, 1.0, 2.0, 4.0, 100.0])).step == 1.5
    assert math.isnan(spacing(np.array([3.0])).step)


@given(st.lists(st.floats(0.25, 0.5), min_size=1, max_size=30), st.integers(0, 40), st.floats(2, 99))
def test_a_gap_is_found_wherever_it_is(steps: list[float], place: int, gap: float) -> None:
    place %= len(steps)
    at = np.cumsum([0.0, *steps[:place], gap, *steps[place:]])
    found = spacing(at)
    # The longer side of the gap; of equal ones the first.
    expected = (0, place + 1) if 2 * (place + 1) >= len(at) else (place + 1, len(at))
    if len(steps) > 2:  # else the gap may be the median
        assert (found.first, found.stop) == expected
        assert len(found.remarks) == 1
