"""Mutual information against counting by hand, closed forms and published delays; its first minimum."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.delay import first_minimum, mutual_information
from tests import naive_embedding, systems

JIT = hasattr(mutual_information, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points at many lags: too long without the JIT")

# Few values, so that many are equal.
series = st.lists(st.integers(-4, 4).map(float), min_size=9, max_size=60).map(np.array)


@settings(max_examples=60)
@given(series, st.integers(2, 3), st.integers(0, 6))
def test_it_is_what_counting_the_cells_gives(x: NDArray[np.float64], bins: int, longest: int) -> None:
    found = mutual_information(x, longest, bins)
    assert len(found) == longest + 1
    for lag in range(longest + 1):
        if len(x) - lag < bins * bins:
            assert math.isnan(found[lag])
        else:
            expected = naive_embedding.mutual_information(x, lag, bins)
            assert found[lag] == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(-20, 20), min_size=30, max_size=60, unique=True).map(np.array))
def test_a_monotone_distortion_changes_nothing(x: NDArray[np.float64]) -> None:
    ranks = np.argsort(np.argsort(x)).astype(np.float64)
    assert np.array_equal(mutual_information(x, 5, 4), mutual_information(3.0 * ranks - 1e6, 5, 4))


def test_time_may_run_backwards() -> None:
    x = systems.red_noise(400, 0.8, seed=2)
    assert mutual_information(x[::-1].copy(), 4, 6) == pytest.approx(mutual_information(x, 4, 6), abs=0.03)


@compiled
@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.9])
def test_gaussian_pairs_share_what_their_correlation_says(correlation: float) -> None:
    found = [mutual_information(systems.red_noise(20_000, correlation, s), 3, 32)[1:] for s in range(4)]
    expected = [-0.5 * math.log(1 - correlation ** (2 * lag)) for lag in (1, 2, 3)]
    assert np.mean(found, axis=0) == pytest.approx(expected, rel=0.05, abs=0.01)


def test_white_noise_shares_nothing_with_itself() -> None:
    n, bins = (2000, 16) if JIT else (500, 6)
    found = [mutual_information(np.random.default_rng(s).normal(size=n), 8, bins)[1:] for s in range(4)]
    deviation = (bins - 1) / (math.sqrt(2) * n)
    assert abs(np.mean(found)) < deviation
    assert np.std(found) < 2 * deviation


def test_at_lag_0_it_is_the_entropy_of_the_cells() -> None:
    x = np.arange(600.0)
    # The bias of a diagonal: as many pairs of cells as cells.
    assert mutual_information(x, 0, 5)[0] == pytest.approx(math.log(5) + (5 - 1) / (2 * 600))


@compiled
@pytest.mark.parametrize(("n", "bins"), [(2000, 20), (5000, 31), (10_000, 40)])
def test_lorenz_at_step_001_has_its_first_minimum_at_17(n: int, bins: int) -> None:
    x = systems.lorenz(n, 0.01)[-n:]
    found = first_minimum(mutual_information(x, 100, bins), 2 * bins / (math.sqrt(2) * n))
    assert 16 <= found <= 19


@compiled
def test_roessler_has_its_first_minimum_at_a_quarter_turn() -> None:
    x = systems.roessler(4000, 0.1)[-4000:]  # a turn is 58.6 samples
    assert 13 <= first_minimum(mutual_information(x, 40, 28), 0.01) <= 16


@compiled
def test_a_wave_in_noise_has_its_first_minimum_at_a_quarter_period() -> None:
    noise = np.random.default_rng(4).normal(size=8000)
    x = np.sin(np.arange(8000) * 2 * np.pi / 61.8) + 0.3 * noise
    assert 14 <= first_minimum(mutual_information(x, 60, 20), 0.01) <= 17


@compiled
def test_the_series_of_nolds_has_its_minimum_where_lorenz_has(data_dir: Path) -> None:
    x = np.loadtxt(data_dir / "dynamics" / "lorenz-x.txt")
    assert 14 <= first_minimum(mutual_information(x, 60, 20), 0.01) <= 20


@pytest.mark.parametrize(
    ("curve", "rise", "place"),
    [
        ([3.0, 2.0, 1.0, 2.0], 0.5, 2),
        ([3.0, 2.0, 1.0, 1.4, 0.0, 0.6], 0.5, 4),  # the first dip is no deeper than it trembles
        ([3.0, 2.0, 1.0], 0.5, -1),
        ([3.0, 2.0, 1.0, 1.5], 0.5, -1),  # not by more
        ([1.0, 2.0, 3.0], 0.5, -1),  # it never falls
        ([1.0, 2.0, 0.0, 1.0], 0.5, 2),
        ([3.0, 2.0, np.nan, 1.0, 2.0], 0.5, -1),
        ([3.0, 2.0, 2.0, 3.0], 0.5, 1),  # the first of two
        ([], 0.5, -1),
    ],
)
def test_a_minimum_is_what_the_curve_climbs_out_of(curve: list[float], rise: float, place: int) -> None:
    assert first_minimum(np.array(curve), rise) == place


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 20, 49])
def test_a_sample_that_is_not_finite_leaves_nothing(wrong: float, place: int) -> None:
    x = np.sin(np.arange(50.0))
    x[place] = wrong
    assert np.isnan(mutual_information(x, 5, 3)).all()


@pytest.mark.parametrize(
    ("longest", "bins", "size"), [(3, 1, 4), (3, 0, 4), (3, -2, 4), (-1, 3, 0), (-7, 3, 0)]
)
def test_what_makes_no_sense_gives_no_number(longest: int, bins: int, size: int) -> None:
    found = mutual_information(np.sin(np.arange(50.0)), longest, bins)
    assert len(found) == size
    assert np.isnan(found).all()


def test_an_empty_series_and_a_constant() -> None:
    assert np.isnan(mutual_information(np.empty(0), 3, 2)).all()
    assert np.array_equal(mutual_information(np.ones(50), 3, 4), np.zeros(4))
