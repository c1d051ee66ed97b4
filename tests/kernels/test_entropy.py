"""Permutation and sample entropy against their definitions, published values and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.entropy import permutation_entropy, sample_entropy
from tests import naive_complexity, systems

JIT = hasattr(permutation_entropy, "py_func")
BANDT_POMPE = np.array([4.0, 7.0, 9.0, 10.0, 6.0, 11.0, 3.0])
REPEATED = st.lists(st.integers(-4, 4), min_size=16, max_size=60).map(lambda x: np.array(x, np.float64))
"""Many of the values are equal."""


@given(REPEATED, st.integers(2, 5), st.integers(1, 2))
@settings(max_examples=60 if JIT else 15)
def test_permutation_entropy_is_that_of_sorted_windows(x: np.ndarray, order: int, lag: int) -> None:
    if np.ptp(x) and len(x) >= 2 * ((order - 1) * lag + 1):
        expected = naive_complexity.permutation_entropy(x, order, lag)
        assert permutation_entropy(x, order, lag) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(permutation_entropy(x, order, lag))


def test_permutation_entropy_of_long_series_is_that_of_sorted_windows() -> None:
    x = np.random.default_rng(1).normal(size=1300)
    for order in (3, 7):
        expected = naive_complexity.permutation_entropy(x, order, 2)
        assert permutation_entropy(x, order, 2) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("order", "bits"), [(2, 0.918), (3, 1.522)])
def test_the_example_of_bandt_and_pompe_has_its_published_value(order: int, bits: float) -> None:
    found = permutation_entropy(BANDT_POMPE, order, 1) * math.log2(math.factorial(order))
    assert found == pytest.approx(bits, abs=5e-4)


@pytest.mark.parametrize("order", range(2, 8))
def test_what_rises_or_falls_throughout_has_none(order: int) -> None:
    x = np.arange(50.0) ** 3
    assert permutation_entropy(x, order, 1) == permutation_entropy(-x, order, 1) == 0.0
    assert not math.copysign(1.0, permutation_entropy(x, order, 1)) < 0


def test_white_noise_has_all() -> None:
    x = np.random.default_rng(2).normal(size=4000)
    assert permutation_entropy(x, 3, 1) == pytest.approx(1.0, abs=2e-3)
    assert permutation_entropy(np.exp(x), 3, 1) == permutation_entropy(x, 3, 1)


def test_the_logistic_map_has_its_closed_form() -> None:
    # At r = 4, x = sin^2(pi t / 2) makes it a tent of t, which is uniform. The order of x, f(x) and f(f(x))
    # changes where two of them are equal: at t = 1/3, 2/5, 2/3, 4/5. To fall twice in a row is impossible.
    shares = np.diff([0.0, 1 / 3, 2 / 5, 2 / 3, 4 / 5, 1.0])
    expected = -(shares @ np.log(shares)) / math.log(6)
    found = permutation_entropy(systems.logistic(20_000 if JIT else 4000), 3, 1)
    assert found == pytest.approx(expected, abs=0.002 if JIT else 0.01)


@given(REPEATED, st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e9]))
@settings(max_examples=60 if JIT else 15)
def test_sample_entropy_is_that_of_counted_pairs(x: np.ndarray, dim: int, radius: float) -> None:
    if np.ptp(x):
        expected = naive_complexity.sample_entropy(x, dim, radius)
        assert sample_entropy(x, dim, radius) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    else:
        assert math.isnan(sample_entropy(x, dim, radius))


@pytest.mark.parametrize("n", [125, 126, 127, 128, 129, 130, 131, 258] if JIT else [127, 128])
def test_sample_entropy_knows_the_ends_of_vectors(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n)
    for radius in (0.4, 100.0):
        expected = naive_complexity.sample_entropy(x, 2, radius)
        assert sample_entropy(x, 2, radius) == pytest.approx(expected, abs=1e-12)


@pytest.mark.skipif(not JIT, reason="4000 samples squared: too long without the JIT")
def test_white_noise_has_the_sample_entropy_of_its_distribution() -> None:
    # Two independent normal values are within r with probability erf(r / 2).
    x = np.random.default_rng(3).normal(size=4000)
    assert sample_entropy(x, 2, 0.2) == pytest.approx(-math.log(math.erf(0.1)), rel=0.02)


def test_what_repeats_has_no_sample_entropy() -> None:
    assert sample_entropy(np.tile([0.0, 1.0, 5.0], 20), 2, 0.1) == 0.0


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e3), st.floats(-1e3, 1e3))
@settings(max_examples=20 if JIT else 5)
def test_scale_and_offset_do_not_count(seed: int, scale: float, offset: float) -> None:
    x = np.random.default_rng(seed).integers(-50, 50, 60) * 1.0
    x[:2] = 0.0, 1.0
    y = x * scale + offset
    assert permutation_entropy(y, 3, 1) == permutation_entropy(x, 3, 1)
    assert sample_entropy(y, 2, 10.5 * scale) == pytest.approx(sample_entropy(x, 2, 10.5), nan_ok=True)


@pytest.mark.parametrize(
    "x",
    [np.ones(50), np.full(50, np.nan), np.append(np.arange(50.0), np.inf), np.arange(2.0), np.empty(0)],
    ids=["constant", "nan", "infinity", "too short", "empty"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray) -> None:
    assert math.isnan(permutation_entropy(x, 2, 1))
    assert math.isnan(sample_entropy(x, 1, 0.5))


def test_without_a_match_sample_entropy_is_nan() -> None:
    assert math.isnan(sample_entropy(np.arange(20.0), 2, 0.5))
    assert math.isnan(sample_entropy(np.arange(20.0), 2, math.nan))


def test_parameters_that_cannot_be_are_refused() -> None:
    for order, lag in ((1, 1), (8, 1), (3, 0)):
        with pytest.raises(ValueError, match="order must be 2 to 7"):
            permutation_entropy(BANDT_POMPE, order, lag)
    with pytest.raises(ValueError, match="dim"):
        sample_entropy(BANDT_POMPE, 0, 1.0)
