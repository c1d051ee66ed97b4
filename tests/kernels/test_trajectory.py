"""Path and velocity are those of the window, whatever came before it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.trajectory import advance, lengths

Series = NDArray[np.float64]


def follow(x: Series, size: int, rows: NDArray[np.int32], lanes: int = 1) -> tuple[Series, Series]:
    """Path and velocity with each sample."""
    ordinals = np.empty(len(x), np.int64)
    velocities, paths = np.empty(len(x)), np.empty(len(x))
    advance(rows, x, np.zeros((lanes, size)), np.zeros(lanes, np.int64), ordinals, velocities)
    lengths(rows, x, ordinals, np.zeros((lanes, size)), np.zeros(lanes), np.zeros(lanes), paths)
    return paths, velocities


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(3, 12))
def test_path_and_velocity_are_those_of_the_window(values: list[float], size: int) -> None:
    x = np.array(values)
    paths, velocities = follow(x, size, np.zeros(len(x), np.int32))
    for k in range(len(x)):
        window = x[k + 1 - size : k + 1]
        if k + 1 < size:
            assert np.isnan(paths[k])
            assert np.isnan(velocities[k])
        else:
            assert paths[k] == pytest.approx(np.abs(np.diff(window)).sum(), rel=1e-13)
            assert velocities[k] == (window[-1] - window[0]) / (size - 1)


def test_lanes_that_take_turns_do_not_know_of_each_other() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=90)
    rows = rng.integers(0, 3, 90).astype(np.int32)
    paths, velocities = follow(x, 7, rows, lanes=3)
    for row in range(3):
        here = rows == row
        alone = follow(x[here], 7, np.zeros(here.sum(), np.int32))
        np.testing.assert_array_equal((paths[here], velocities[here]), alone)


@pytest.mark.parametrize("place", range(10, 20))
def test_nothing_is_left_of_a_great_value_when_it_has_left(place: int) -> None:
    x = np.arange(60.0) % 2
    x[place] = 1e150
    paths, _ = follow(x, 10, np.zeros(60, np.int32))
    assert paths[place] == pytest.approx(1e150)
    assert (paths[place + 10 :] == 9.0).all()
