"""The correlation sum against counting every pair, and dimensions against published ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.correlation import correlation_dimension, correlation_sum
from tests import naive_embedding, systems

JIT = hasattr(correlation_sum, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")

Series = NDArray[np.float64]
# Few values, so that many distances equal a radius.
series = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=45).map(np.array)
radii = st.lists(st.integers(0, 11).map(float), max_size=6).map(np.array)


@settings(max_examples=60 if JIT else 25)
@given(series, st.integers(1, 4), st.integers(1, 4), st.integers(0, 8), radii)
def test_it_is_the_share_of_all_pairs(x: Series, dim: int, lag: int, theiler: int, radii: Series) -> None:
    found = correlation_sum(x, dim, lag, theiler, radii)
    if len(x) - (dim - 1) * lag < theiler + 2:
        assert np.isnan(found).all()
    else:
        expected = [naive_embedding.correlation_sum(x, dim, lag, theiler, radius) for radius in radii]
        assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_radii_come_in_any_order_and_may_be_absurd() -> None:
    x = systems.henon(60)
    radii = np.array([0.1, np.inf, 0.5, np.nan, 0.0, -1.0, 0.5])
    found = correlation_sum(x, 2, 1, 1, radii)
    assert found[1] == 1.0
    assert math.isnan(found[3])
    assert found[2] == found[6] > found[0] > found[4] == found[5] == 0.0


def test_uniform_noise_has_its_closed_form() -> None:
    """Two numbers from 0 to 1 are within r of each other with probability 2 r - r * r; pairs of them both."""
    x = np.random.default_rng(3).uniform(size=3000 if JIT else 250)
    radii = np.array([0.05, 0.1, 0.3, 0.8])
    one = 2 * radii - radii**2
    tolerance = 0.03 if JIT else 0.1
    assert correlation_sum(x, 1, 1, 0, radii) == pytest.approx(one, rel=tolerance)
    assert correlation_sum(x, 2, 5, 9, radii) == pytest.approx(one**2, rel=2 * tolerance)


@compiled
@pytest.mark.parametrize("n", [1000, 4000])
@pytest.mark.parametrize(
    ("make", "dim", "lag", "theiler", "published", "tolerance"),
    [
        pytest.param(systems.henon, 2, 1, 5, 1.22, 0.06, id="Henon, GP 1983: 1.25 +- 0.02, 1.22 corrected"),
        pytest.param(systems.henon, 4, 1, 5, 1.22, 0.06, id="Henon in 4"),
        pytest.param(systems.logistic, 3, 1, 5, 1.0, 0.06, id="logistic map, r = 4: an interval"),
        pytest.param(lambda n: systems.lorenz(n, 0.05)[-n:], 5, 4, 33, 2.05, 0.12, id="Lorenz"),
        pytest.param(lambda n: systems.roessler(n, 0.2)[-n:], 5, 7, 30, 1.99, 0.2, id="Roessler"),
        pytest.param(lambda n: np.sin(np.arange(n) * 0.1), 4, 15, 63, 1.0, 0.03, id="sine"),
        pytest.param(
            lambda n: np.sin(np.arange(n) / 6) + np.sin(np.arange(n) / 6 * 1.618034), 4, 9, 38, 2.0, 0.4,
            id="torus",
        ),
    ],
)  # fmt: skip
def test_attractors_have_their_published_dimension(
    make: Callable[[int], Series],
    n: int,
    dim: int,
    lag: int,
    theiler: int,
    published: float,
    tolerance: float,
) -> None:
    dimension, low, high, r2 = correlation_dimension(make(n), dim, lag, theiler)
    assert dimension == pytest.approx(published, abs=tolerance)
    assert low < dimension < high
    assert low < published + 0.1
    assert high > published - 0.1
    assert r2 > 0.995


@compiled
def test_noise_fills_every_dimension() -> None:
    x = np.random.default_rng(6).normal(size=3000)
    found = [correlation_dimension(x, dim, 1, 1)[0] for dim in (1, 2, 3, 4)]
    assert found == pytest.approx([1, 2, 3, 4], rel=0.1)


@compiled
def test_neighbours_in_time_alone_would_lower_it() -> None:
    """Theiler's point: a slow noise looks like a curve if a sample may be its own neighbour."""
    x = systems.red_noise(2000, 0.99, seed=3)
    naive, honest = (correlation_dimension(x, 5, 30, theiler)[0] for theiler in (0, 200))
    assert naive < honest - 0.5


@compiled
def test_points_cannot_show_more_than_twice_the_logarithm_of_their_number() -> None:
    x = np.random.default_rng(7).normal(size=400)  # 5.2
    assert math.isnan(correlation_dimension(x, 8, 1, 1)[0])


@compiled
def test_intervals_hold_what_other_series_of_the_system_give() -> None:
    found = [correlation_dimension(systems.henon(1000, 200 + 977 * s), 3, 1, 5) for s in range(10)]
    mean = np.mean([dimension for dimension, *_ in found])
    assert sum(low < mean < high for _, low, high, _ in found) >= 9
    assert all(high - low < 0.5 for _, low, high, _ in found)


@pytest.mark.parametrize("dim", [1, 2] if JIT else [2])
def test_scale_and_offset_do_not_count(dim: int) -> None:
    x = systems.logistic(700 if JIT else 120)
    scaled = correlation_dimension(x * 2.0**20 - 3e6, dim, 1, 2)
    assert scaled == pytest.approx(correlation_dimension(x, dim, 1, 2), rel=1e-3)
    assert math.isfinite(scaled[0])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 20, 49])
def test_a_sample_that_is_not_finite_leaves_nothing(wrong: float, place: int) -> None:
    x = np.sin(np.arange(50.0))
    x[place] = wrong
    assert np.isnan(correlation_sum(x, 2, 1, 1, np.array([0.1, 1.0]))).all()
    assert np.isnan(correlation_dimension(x, 2, 1, 1)).all()


@pytest.mark.parametrize(
    ("x", "dim", "lag", "theiler"),
    [
        (np.empty(0), 2, 1, 0), (np.ones(200), 2, 1, 0), (np.sin(np.arange(20.0)), 2, 1, 0),
        (np.tile(np.arange(10.0), 20), 2, 1, 10), (np.sign(np.sin(np.arange(200.0))), 2, 1, 0),
        (np.sin(np.arange(50.0)), 0, 1, 0), (np.sin(np.arange(50.0)), 2, 0, 0),
        (np.sin(np.arange(50.0)), 2, 1, -1), (np.sin(np.arange(50.0)), 2, 1, 49),
        (np.sin(np.arange(50.0)) * 1e308, 2, 1, 0),
    ],
    ids=[
        "empty", "constant", "too short", "points that repeat", "two values", "no dimension", "no lag",
        "negative window", "all of one time", "beyond the largest number",
    ],
)  # fmt: skip
def test_where_there_is_no_scaling_there_is_no_dimension(x: Series, dim: int, lag: int, theiler: int) -> None:
    with np.errstate(over="ignore", invalid="ignore"):  # without the JIT NumPy warns of what is too large
        found = correlation_dimension(x, dim, lag, theiler)
    assert np.isnan(found).all()
