"""DTW distances against the full matrix, all costs and bands; what jitted code is built on."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import bounds, dtw, dtw_pairwise, dtw_path, dtw_search, warp
from operators.kernels.dtw import (
    derivative,
    dtw_distance,
    dtw_distance_absolute,
    dtw_distance_multivariate,
    dtw_distance_symbols,
    dtw_per_step,
    dtw_within,
    itakura,
    sakoe_chiba,
)
from tests import naive_dtw

# Quarters add up without rounding, so that two orders of summation agree to the last bit.
quarters = st.integers(-12, 12).map(lambda n: n / 4)
# Up to several vectors of cells, odd and even.
series = st.lists(quarters, min_size=1, max_size=28).map(np.array)
radii = st.integers(0, 28)


@given(series, series, radii)
def test_distance_is_that_of_the_full_matrix(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: int
) -> None:
    assert dtw_distance(x, y, radius) == naive_dtw.dtw_distance(x, y, radius)


@given(series, series, radii)
def test_distance_is_symmetric_and_falls_as_the_band_widens(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: int
) -> None:
    assert dtw_distance(x, y, radius) == dtw_distance(y, x, radius)
    assert dtw_distance(x, y, radius + 1) <= dtw_distance(x, y, radius)


@given(series)
def test_radius_0_is_squared_euclidean_distance(x: NDArray[np.float64]) -> None:
    y = x[::-1].copy()
    assert dtw_distance(x, y, 0) == ((x - y) ** 2).sum()


def test_distances_that_others_publish() -> None:
    # The manuals of dtaidistance (the root of the sum), tslearn and aeon.
    a, b = [0.0, 0, 1, 2, 1, 0, 1, 0, 0], [0.0, 1, 2, 0, 0, 0, 0, 0, 0]
    assert dtw_distance(np.array(a), np.array(b), 9) == pytest.approx(1.4142135623730951**2)
    assert dtw_distance(np.array([1.0, 2, 3]), np.array([1.0, 2, 2, 3]), 4) == 0.0
    assert dtw_distance(np.arange(1.0, 11), np.arange(11.0, 21), 10) == 768.0


def test_an_empty_series_is_infinitely_far_from_any_but_an_empty_one() -> None:
    nothing, two = np.empty(0), np.zeros(2)
    for distance in (dtw_distance, dtw_distance_absolute):
        assert distance(nothing, nothing, 3) == 0.0
        assert distance(nothing, two, 3) == distance(two, nothing, 3) == np.inf
    none, some = np.empty(0, np.int64), np.zeros(2, np.int64)
    assert dtw_distance_symbols(none, none, 3) == 0.0
    assert dtw_distance_symbols(none, some, 3) == dtw_distance_symbols(some, none, 3) == np.inf
    assert dtw_distance_multivariate(np.empty((0, 2)), np.empty((0, 2)), 3) == 0.0
    assert dtw_distance_multivariate(np.empty((0, 2)), np.zeros((1, 2)), 3) == np.inf


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_value_that_is_not_finite_has_no_distance(wrong: float, place: int) -> None:
    x, y = np.arange(20.0), np.ones(17)
    x[place] = wrong
    both = np.stack([np.ones(20), x], axis=1)
    other = np.ones((17, 2))
    for radius in (0, 20):
        assert np.isnan(dtw_distance(x, y, radius))
        assert np.isnan(dtw_distance(y, x, radius))
        assert np.isnan(dtw_distance(x, x, radius))
        assert np.isnan(dtw_distance_absolute(x, y, radius))
        assert np.isnan(dtw_distance_multivariate(both, other, radius))
        assert np.isnan(dtw_distance_multivariate(other, both, radius))
        assert np.isnan(dtw_per_step(x, y, radius))
    assert np.isnan(dtw_within(x, y, sakoe_chiba(20, 17, 3), 0.0))


@given(series, series, radii)
def test_absolute_cost(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> None:
    expected = naive_dtw.banded_distance(len(x), len(y), radius, lambda i, j: float(abs(x[i] - y[j])))
    assert dtw_distance_absolute(x, y, radius) == expected


symbols = st.lists(st.sampled_from([-1, 2**53, 2**53 + 1, 7]), min_size=1, max_size=20).map(
    lambda values: np.array(values, np.int64)
)


@given(symbols, symbols, radii)
def test_symbols_are_the_same_or_not(x: NDArray[np.int64], y: NDArray[np.int64], radius: int) -> None:
    expected = naive_dtw.banded_distance(len(x), len(y), radius, lambda i, j: float(x[i] != y[j]))
    assert dtw_distance_symbols(x, y, radius) == expected


@given(series, series, radii, st.integers(1, 4), st.integers(0, 99))
def test_dimensions_are_warped_together(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: int, dimensions: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = np.stack([rng.permutation(x) for _ in range(dimensions)], axis=1)
    b = np.stack([rng.permutation(y) for _ in range(dimensions)], axis=1)
    expected = naive_dtw.banded_distance(
        len(x), len(y), radius, lambda i, j: float(((a[i] - b[j]) ** 2).sum())
    )
    assert dtw_distance_multivariate(a, b, radius) == expected


def bands(rng: np.random.Generator, n: int, m: int) -> NDArray[np.int64]:
    """Two limits that do not fall, in steps of any size on both sides of the diagonal; often with a path."""
    spread = int(rng.integers(1, 9))
    middle = (np.arange(n) + 0.5) * m / n
    lower = np.maximum.accumulate(np.clip((middle - rng.integers(0, spread, n)).astype(int), 0, m - 1))
    upper = np.maximum.accumulate(np.clip((middle + 1 + rng.integers(0, spread, n)).astype(int), 1, m))
    lower[0] *= rng.random() < 0.1
    upper[-1] = m
    if rng.random() < 0.8:
        lower = np.minimum(lower, upper - 1)
        upper[:-1] = np.maximum(upper[:-1], lower[1:])
    return np.array([lower, upper])


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
def test_any_band_and_a_cutoff(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, band = rng.integers(-9, 9, n) / 4, rng.integers(-9, 9, m) / 4, bands(rng, n, m)
    expected = naive_dtw.matrix_distance(
        n, m, lambda i, j: bool(band[0, i] <= j < band[1, i]), lambda i, j: float((x[i] - y[j]) ** 2)
    )
    assert dtw_within(x, y, band, np.inf) == expected
    for share in (0.3, 0.99, 1.0, 1.5):
        cutoff = min(expected, 1e6) * share
        assert dtw_within(x, y, band, cutoff) == (expected if expected <= cutoff else np.inf)


def test_a_band_that_leaves_out_a_corner_or_a_row_holds_no_path() -> None:
    x = np.zeros(3)
    for lower, upper in (([1, 1, 1], [3, 3, 3]), ([0, 0, 0], [1, 2, 2]), ([0, 2, 2], [1, 2, 3])):
        assert dtw_within(x, x, np.array([lower, upper]), np.inf) == np.inf


def test_limits_that_grow_in_leaps_keep_what_is_outside_out() -> None:
    # Bands whose anti-diagonals begin and end anywhere, in numbers that hypothesis would not draw.
    rng = np.random.default_rng(1)
    for _ in range(300):
        n, m = rng.integers(8, 20, 2)
        x, y, band = rng.integers(0, 9, n) / 1.0, rng.integers(0, 9, m) / 1.0, bands(rng, n, m)
        expected = naive_dtw.matrix_distance(
            n,
            m,
            lambda i, j, band=band: bool(band[0, i] <= j < band[1, i]),  # type: ignore[misc]
            lambda i, j, x=x, y=y: float((x[i] - y[j]) ** 2),  # type: ignore[misc]
        )
        assert dtw_within(x, y, band, np.inf) == expected


def test_sakoe_chiba_is_the_band_of_the_plain_distance() -> None:
    x, y = np.arange(9.0), np.arange(6.0) ** 2
    for radius in range(10):
        assert dtw_within(x, y, sakoe_chiba(9, 6, radius), np.inf) == dtw_distance(x, y, radius)


@given(st.integers(2, 30), st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.25]))
def test_itakura_is_the_parallelogram_of_series_of_one_length(n: int, slope: float) -> None:
    lower, upper = itakura(n, n, slope)
    for i in range(n):
        rest = n - 1 - i
        inside = {
            j
            for j in range(n)
            if j <= slope * i + 1e-9
            and i <= slope * j + 1e-9
            and n - 1 - j <= slope * rest + 1e-9
            and rest <= slope * (n - 1 - j) + 1e-9
        }
        missing = inside - set(range(lower[i], upper[i]))
        assert not missing
        # More than the parallelogram only where a row would not reach the next one.
        more = set(range(lower[i], upper[i])) - inside
        assert all(j < lower[i + 1] for j in more)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1.0, 10.0))
def test_itakura_always_holds_a_path(n: int, m: int, slope: float) -> None:
    band = itakura(n, m, slope)
    assert (np.diff(band) >= 0).all()
    assert (band[0] >= 0).all()
    assert (band[1] <= m).all()
    assert dtw_within(np.zeros(n), np.zeros(m), band, np.inf) == 0.0


def test_distance_per_step_does_not_grow_with_the_rate_of_sampling() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=20), rng.normal(size=20)
    once = dtw_per_step(x, y, 20)
    assert once == dtw_distance(x, y, 20) / len(dtw_path.dtw_path(x, y, 20))
    assert dtw_per_step(x.repeat(4), y.repeat(4), 80) == pytest.approx(once, rel=0.3)
    assert np.isnan(dtw_per_step(x[:0], y, 3))


def test_derivative_is_the_estimate_of_keogh_and_pazzani() -> None:
    x = np.array([1.0, 3.0, 2.0, 7.0, 7.0])
    inside = [((x[i] - x[i - 1]) + (x[i + 1] - x[i - 1]) / 2) / 2 for i in range(1, 4)]
    assert derivative(x).tolist() == [inside[0], *inside, inside[-1]]
    assert derivative(x + 100).tolist() == derivative(x).tolist()


def test_each_file_knows_what_it_is_built_on() -> None:
    built_on = {
        dtw: (dtw._BUILT_ON, (warp,)),
        dtw_path: (dtw_path._BUILT_ON, (warp,)),
        dtw_search: (dtw_search._BUILT_ON, (bounds, dtw_pairwise)),
    }
    for file, (known, others) in built_on.items():
        now = tuple(crc32(Path(other.__file__).read_bytes()) for other in others)
        told = known if isinstance(known, tuple) else (known,)
        assert told == now, f"{file.__name__}: set _BUILT_ON to {', '.join(f'0x{n:X}' for n in now)}"
