"""The alignment: a path within the band, whose cost is the distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dtw import dtw_distance, dtw_path
from tests import naive_dtw

quarters = st.integers(-12, 12).map(lambda n: n / 4)
series = st.lists(quarters, min_size=1, max_size=20).map(np.array)


def cost(path: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(((x[path[:, 0]] - y[path[:, 1]]) ** 2).sum())


@given(series, series, st.integers(0, 20))
def test_a_path_costs_the_distance(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> None:
    path = dtw_path(x, y, radius)
    assert naive_dtw.is_path(path, len(x), len(y), radius)
    assert cost(path, x, y) == dtw_distance(x, y, radius)


# Too large for one block: halved once, many times, down to single rows, and with a band that cuts halves.
@pytest.mark.parametrize(
    ("n", "m", "radius"),
    [(150, 150, 150), (150, 150, 9), (140, 123, 20), (2, 8500, 0), (3, 6000, 9), (260, 70, 5)],
)
def test_a_path_in_halves_costs_the_distance(n: int, m: int, radius: int) -> None:
    rng = np.random.default_rng(n + m)
    x, y = rng.integers(-12, 12, n) / 4, rng.integers(-12, 12, m) / 4
    path = dtw_path(x, y, radius)
    assert naive_dtw.is_path(path, n, m, radius)
    assert cost(path, x, y) == dtw_distance(x, y, radius)


@pytest.mark.parametrize("seed", range(20))
def test_a_path_in_halves_stays_in_a_band_it_would_leave(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, radius = int(rng.integers(135, 260)), int(rng.integers(1, 9))
    m = n + int(rng.integers(-4, 5))
    x, y = rng.integers(-4, 5, n) / 4, rng.integers(-4, 5, m) / 4
    path = dtw_path(x, y, radius)
    assert naive_dtw.is_path(path, n, m, radius)
    assert cost(path, x, y) == dtw_distance(x, y, radius)


def test_a_path_in_halves_does_not_leave_the_band_to_come_back() -> None:
    # One runs ahead of the other by up to 12, is level with it in the middle, and then falls behind.
    n, rng = 160, np.random.default_rng(6)
    time = np.arange(n)
    base = rng.normal(size=n + 1)
    for turns in (1, 2, 3):
        warped = time + 12 * np.sin(2 * np.pi * turns * time / n)
        x, y = (np.round(np.interp(t, np.arange(n + 1), base) * 8) / 8 for t in (time, warped))
        for a, b in ((x, y), (y, x), (x[::-1].copy(), y[::-1].copy())):
            path = dtw_path(a, b, 5)
            assert naive_dtw.is_path(path, n, n, 5)
            assert cost(path, a, b) == dtw_distance(a, b, 5) > dtw_distance(a, b, 20)


def test_values_whose_squares_overflow_have_the_path_of_small_ones() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=150), rng.normal(size=140)
    assert dtw_path(x * 2.0**900, y * 2.0**900, 30).tolist() == dtw_path(x, y, 30).tolist()


def test_series_that_are_empty_or_not_finite_have_no_path() -> None:
    two = np.zeros(2)
    for x, y in ((two, two[:0]), (two[:0], two), (np.array([0.0, np.nan]), two), (two, np.array([np.inf]))):
        assert dtw_path(x, y, 2).shape == (0, 2)
