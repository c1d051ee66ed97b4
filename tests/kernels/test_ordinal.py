"""Permutation entropy that is kept up is that of the window."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import entropy
from operators.kernels.ordinal import follow_patterns, weights
from tests import naive_dynamics as naive

Series = NDArray[np.float64]


def follow(x: Series, size: int, order: int, lag: int) -> Series:
    span = (order - 1) * lag + 1
    counts, total = np.zeros((1, math.factorial(order)), np.int32), np.zeros(1, np.int64)
    out = np.empty(len(x))
    shape = np.array([size, order, lag])
    weight = weights(size - span + 1)
    rows, places = naive.alone(x, size)
    follow_patterns(rows, places, x, shape, weight, counts, total, np.zeros(1, np.uint8), out)
    return out


@given(
    st.one_of(
        st.lists(st.integers(0, 3).map(float), min_size=20, max_size=50),
        st.lists(st.floats(-5, 5), min_size=20, max_size=50),
    ),
    st.integers(2, 4),
    st.integers(1, 3),
)
def test_it_is_that_of_the_window(values: list[float], order: int, lag: int) -> None:
    x = np.array(values)
    size = 20
    out = follow(x, size, order, lag)
    assert np.isnan(out[: size - 1]).all()
    for k, window in naive.windows(x, size):
        want = naive.permutation_entropy(window, order, lag)
        assert out[k] == pytest.approx(want, abs=1e-13, nan_ok=True)
        assert out[k] == pytest.approx(
            entropy.permutation_entropy(window, order, lag), abs=1e-13, nan_ok=True
        )


def test_one_pattern_is_exactly_0_and_a_constant_is_nothing() -> None:
    out = follow(np.concatenate([np.arange(30.0), np.full(20, 40.0)]), 20, 3, 1)
    assert (out[19:48] == 0.0).all()
    assert np.isnan(out[49:]).all()


def test_the_example_of_bandt_and_pompe() -> None:
    x = np.array([4.0, 7.0, 9.0, 10.0, 6.0, 11.0, 3.0])
    assert follow(x, 7, 2, 1)[-1] == pytest.approx(0.918, abs=5e-4)


def test_nothing_drifts() -> None:
    x = np.random.default_rng(1).normal(size=3000)
    out = follow(x, 50, 4, 1)
    assert out[-1] == pytest.approx(naive.permutation_entropy(x[-50:], 4, 1), abs=1e-13)
    assert out[-1] == follow(x[-50:], 50, 4, 1)[-1]
