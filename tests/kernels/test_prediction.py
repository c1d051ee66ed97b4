"""The forecast by neighbours, against all distances sorted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.prediction import prediction_error
from tests import naive_complexity, systems

JIT = hasattr(prediction_error, "py_func")


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), st.integers(1, 4))
@settings(max_examples=40 if JIT else 15)
def test_it_is_that_of_all_distances_sorted(
    seed: int, dim: int, lag: int, theiler: int, neighbours: int
) -> None:
    x = np.random.default_rng(seed).normal(size=60)
    expected = naive_complexity.prediction_error(x, dim, lag, theiler, 2, neighbours)
    assert prediction_error(x, dim, lag, theiler, 2, neighbours) == pytest.approx(expected)


def test_white_noise_has_the_variance_of_a_difference() -> None:
    x = np.random.default_rng(1).normal(size=2000 if JIT else 300)
    assert prediction_error(x, 2, 1, 1, 1, 3) == pytest.approx(1 + 1 / 3, rel=0.1 if JIT else 0.3)


def test_a_law_is_found() -> None:
    x = systems.henon(300)
    assert prediction_error(x, 2, 1, 1, 1, 3) < 0.05 * x.var()


@pytest.mark.parametrize(
    "x",
    [np.arange(9.0), np.empty(0), np.append(np.arange(50.0), np.nan), np.append(np.arange(50.0), np.inf)],
    ids=["too short", "empty", "nan", "infinity"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray) -> None:
    assert math.isnan(prediction_error(x, 2, 1, 2, 1, 3))
