"""Neighbours share what a law leaves of a linear forecast, and nothing of what chance does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import naive_dynamics as naive
from tests import systems
from tests.kernels.test_neighbours import followed

Series = NDArray[np.float64]


def last(x: Series, dim: int = 2, lag: int = 1, theiler: int = 3, steps: int = 4) -> tuple[float, int]:
    """The share and the pairs of the whole series."""
    share, pairs = followed(x, len(x), dim, lag, theiler, steps)[1][:, -1]
    return float(share), int(pairs)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(0, 3).map(float), min_size=45, max_size=45),
        st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).normal(size=45).tolist()),
    ),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 6),
)
def test_the_share_is_that_of_forecasts_by_least_squares(
    values: list[float], dim: int, lag: int, theiler: int, steps: int
) -> None:
    x = np.array(values)
    _, shares = followed(x, 40, dim, lag, theiler, steps)
    assert np.isnan(shares[:, :39]).all()
    for k, window in naive.windows(x, 40):
        share, pairs = naive.alike(window, dim, lag, theiler, steps)
        np.testing.assert_allclose(shares[:, k], (share, pairs), rtol=0, atol=1e-12)


def test_of_a_long_window_the_last_points_are_asked_and_all_are_neighbours() -> None:
    x = np.concatenate([systems.henon(280), systems.red_noise(30, 0.5, 1)])
    share, pairs = last(x)
    assert (share, pairs) == pytest.approx(naive.alike(x, 2, 1, 3, 4))
    assert pairs == 256


@pytest.mark.parametrize("x", [systems.logistic(200), systems.henon(200)], ids=["logistic", "henon"])
def test_a_law_is_shared(x: Series) -> None:
    assert last(x)[0] > 0.9


@pytest.mark.parametrize("memory", [-0.7, 0.0, 0.5, 0.9, 1.0])
def test_correlation_is_no_law(memory: float) -> None:
    shares = [last(systems.red_noise(120, memory, seed))[0] for seed in range(20)]
    assert abs(np.mean(shares) - 0.5) < 0.04
    assert max(shares) < 0.67


def test_a_pure_wave_leaves_ties_alone() -> None:
    assert last(np.sin(np.arange(120) / 5)) == (0.5, 115)


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (-3.0, 7.0), (1e6, 1e3)])
def test_scale_and_offset_do_not_count(scale: float, offset: float) -> None:
    x = systems.red_noise(120, 0.5, 3)
    assert last(x * scale + offset) == last(x)


def test_where_the_next_sample_is_beyond_the_window_nothing_is_told() -> None:
    # One point has a sample a lag of 30 after it: there is none to compare it with.
    share, pairs = last(np.random.default_rng(1).normal(size=61), lag=30, theiler=0, steps=1)
    assert np.isnan(share)
    assert pairs == 0
