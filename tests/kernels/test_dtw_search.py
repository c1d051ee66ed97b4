"""Search with bounds against search without; what the bounds exclude must not be missed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dtw import dtw_nearest, dtw_search
from tests import naive_dtw

# Without the JIT an example takes up to half a second.
few = settings(max_examples=40)


def near_and_far(rng: np.random.Generator, query: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Candidates at all distances, so that the bounds exclude many; in steps that tie."""
    noise = rng.integers(-2, 3, (count, len(query))) * rng.integers(0, 9, (count, 1)) / 4
    return np.asarray(query + noise)


@few
@given(
    st.integers(0, 2**32),
    st.integers(1, 10),
    st.sampled_from([0, 1, 31, 32, 33, 150, 200]),
    st.integers(0, 6),
    st.sampled_from([1, 2, 5, 40]),
)
def test_the_nearest_are_those_of_a_search_without_bounds(
    seed: int, n: int, c: int, radius: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    query = rng.integers(-6, 7, n) / 4
    candidates = near_and_far(rng, query, c)
    candidates[rng.random(c) < 0.1, rng.integers(n)] = rng.choice([np.nan, np.inf])
    rows, distances = dtw_nearest(query, candidates, radius, k)
    assert list(zip(rows.tolist(), distances.tolist(), strict=True)) == naive_dtw.nearest(
        query, candidates, radius, k
    )


@pytest.mark.parametrize("seed", range(8))
def test_no_bound_excludes_the_nearest_of_noise_where_all_bounds_are_low(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, candidates = rng.normal(size=18), rng.normal(size=(160, 18))
    for radius in (1, 3):
        rows, distances = dtw_nearest(query, candidates, radius, 2)
        expected = naive_dtw.nearest(query, candidates, radius, 2)
        assert rows.tolist() == [row for row, _ in expected]
        assert distances == pytest.approx([distance for _, distance in expected])


def test_lanes_are_not_abandoned_for_samples_that_cost_just_what_they_must() -> None:
    # 32 candidates with a bound of 0 set the cutoff to 16; the nearest costs 12.8, all of it at its end.
    turns, level = np.tile([1.0, -1.0], 8), np.zeros(16)
    query = np.concatenate([turns, level])
    candidates = np.full((33, 32), 0.3)
    candidates[:, 16:] = 0.0
    candidates[7] = 0.0
    candidates[32] = np.concatenate([turns, np.full(16, np.sqrt(0.8))])
    rows, distances = dtw_nearest(query, candidates, 1, 1)
    assert rows.tolist() == [32]
    assert distances == pytest.approx([12.8])


def test_of_equal_candidates_the_first_are_the_nearest_whatever_their_bounds() -> None:
    rng = np.random.default_rng(4)
    query = rng.integers(-1, 2, 9) / 1.0
    candidates = rng.integers(-1, 2, (400, 9)) / 1.0
    for k in (1, 3, 40):
        rows, distances = dtw_nearest(query, candidates, 2, k)
        found = list(zip(rows.tolist(), distances.tolist(), strict=True))
        assert found == naive_dtw.nearest(query, candidates, 2, k)


@few
@given(
    st.integers(0, 2**32),
    st.integers(5, 10),
    st.integers(0, 120),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(0, 12),
)
def test_the_best_windows_are_those_of_a_search_without_bounds(
    seed: int, m: int, n: int, radius: int, k: int, exclusion: int
) -> None:
    rng = np.random.default_rng(seed)
    query, series = rng.normal(size=m), rng.normal(size=n).cumsum() + 1e3
    series[n // 2 : n // 2 + m + 2] = 7.7
    series[n // 4 : n // 4 + 1] = rng.choice([np.nan, np.inf, 0.0])
    with np.errstate(invalid="ignore"):  # without the JIT NumPy warns of inf - inf
        starts, distances = dtw_search(query, series, radius, k, exclusion)
    expected = naive_dtw.search(query, series, radius, k, exclusion)
    assert starts.tolist() == [start for start, _ in expected]
    assert distances == pytest.approx([distance for _, distance in expected])


# Found among thousands: a cutoff from windows that one better window excludes together misses the k-th best.
@pytest.mark.parametrize("seed", [58, 75, 225, 801, 3396])
def test_a_better_window_may_exclude_several_that_would_have_been_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, n, width = int(rng.integers(8, 16)), int(rng.integers(150, 400)), int(rng.integers(2, 7))
    smooth = np.convolve(rng.normal(size=n + width), np.ones(width), "valid")[:n] + rng.normal(size=n) * 0.1
    series, place = rng.normal(size=n), int(rng.integers(0, n - 80))
    series[place : place + 70] = smooth[place : place + 70] * 3
    query = smooth[place + 30 : place + 30 + m] + rng.normal(size=m) * 0.2
    radius, k, exclusion = int(rng.integers(2, 6)), int(rng.integers(2, 5)), int(rng.integers(3, 14))
    starts, _ = dtw_search(query, series, radius, k, exclusion)
    assert starts.tolist() == [start for start, _ in naive_dtw.search(query, series, radius, k, exclusion)]


def test_scale_and_level_of_a_window_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    query, series = rng.normal(size=10), rng.normal(size=200) * 20
    series[60:70] = query * 1e3 + 1e6
    series[120:130] = query * 1e-3 - 5
    starts, distances = dtw_search(query, series, 0, 2, 5)
    assert sorted(starts.tolist()) == [60, 120]
    assert distances == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("m", range(3, 12))
def test_a_constant_window_is_none_however_its_mean_is_rounded(m: int) -> None:
    for value in (0.1, 7.7, -1e9 / 3):
        assert len(dtw_search(np.arange(m) ** 2.0, np.full(40, value), 1, 3, 0)[0]) == 0


def test_without_windows_nothing_is_found() -> None:
    query = np.array([0.0, 1.0, 0.0])
    for series in (np.zeros(0), np.zeros(2), np.zeros(50), np.full(50, np.nan)):
        starts, distances = dtw_search(query, series, 1, 3, 0)
        assert len(starts) == len(distances) == 0


def test_nothing_is_near_a_query_that_is_not_finite() -> None:
    query = np.array([0.0, np.nan, 1.0])
    assert len(dtw_nearest(query, np.zeros((40, 3)), 1, 2)[0]) == 0
    assert len(dtw_search(query, np.arange(50.0) ** 2, 1, 2, 0)[0]) == 0
