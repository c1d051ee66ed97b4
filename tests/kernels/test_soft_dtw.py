"""Soft-DTW against the sum over all alignments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dtw import dtw_distance
from operators.kernels.soft_dtw import soft_dtw
from tests import naive_dtw

values = st.floats(-3, 3)
series = st.lists(values, min_size=1, max_size=5).map(np.array)


@settings(max_examples=40)
@given(series, series, st.sampled_from([0.5, 1.0, 10.0]))
def test_it_is_the_soft_minimum_over_all_alignments(
    x: NDArray[np.float64], y: NDArray[np.float64], gamma: float
) -> None:
    assert soft_dtw(x, y, gamma) == pytest.approx(naive_dtw.soft_dtw(x, y, gamma), abs=1e-9)


def test_values_that_tslearn_computes() -> None:
    assert soft_dtw(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3]), 1.0) == pytest.approx(
        -1.5812803126774937
    )
    x, y = np.array([1.0, 2, 3, 3]), np.array([1.0, 2, 2.1, 3.2])
    assert soft_dtw(x, y, 0.01) == pytest.approx(0.09)


def test_it_is_dtw_when_the_minimum_is_hard() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), rng.normal(size=25)
    assert soft_dtw(x, y, 1e-6) == pytest.approx(dtw_distance(x, y, 30), abs=1e-4)


def test_series_that_are_empty_or_not_finite() -> None:
    nothing, one = np.empty(0), np.ones(1)
    assert soft_dtw(nothing, nothing, 1.0) == 0.0
    assert soft_dtw(nothing, one, 1.0) == soft_dtw(one, nothing, 1.0) == np.inf
    assert np.isnan(soft_dtw(np.array([0.0, np.nan]), one, 1.0))
    assert np.isnan(soft_dtw(one, np.array([np.inf]), 1.0))
