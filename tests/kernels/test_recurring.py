"""Determinism and laminarity that are kept up are those of the window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.recurring import follow_recurrences
from operators.kernels.rqa import quantify
from tests import naive_dynamics as naive
from tests import systems

Series = NDArray[np.float64]


def follow(x: Series, size: int, dim: int, lag: int, theiler: int, radius: float, shortest: int) -> Series:
    """Determinism and laminarity with each sample, and the counts behind the last."""
    out = np.empty((2, len(x)))
    counts = np.zeros((1, 3), np.int64)
    rows, places = naive.alone(x, size)
    radii = np.where(places > 0, radius, 0.0)
    shape = np.array([size, dim, lag, theiler, shortest])
    flags = np.empty((shortest + (dim - 1) * lag + 4, size), np.uint8)
    follow_recurrences(rows, places, x, radii, shape, counts, np.zeros(1, np.uint8), flags, out)
    return out


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 2).map(float), min_size=40, max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.sampled_from([0.5, 1.0]),
    st.integers(2, 5),
    st.integers(0, 12),
)
def test_they_are_those_of_the_window(
    values: list[float], dim: int, lag: int, theiler: int, radius: float, shortest: int, more: int
) -> None:
    x = np.array(values)
    size = (dim - 1) * lag + theiler + 2 + more
    out = follow(x, size, dim, lag, theiler, radius, shortest)
    assert np.isnan(out[:, : size - 1]).all()
    for k, window in naive.windows(x, size)[::5]:
        pairs, diagonal, vertical = naive.recurrences(window, dim, lag, theiler, radius, shortest)
        if pairs and (window != window[0]).any():
            assert out[:, k].tolist() == [diagonal / pairs, vertical / (2 * pairs)]
        else:
            assert np.isnan(out[:, k]).all()
        batch = quantify(window, dim, lag, theiler, radius, shortest)
        np.testing.assert_array_equal(out[:, k], [batch.determinism, batch.laminarity])


def test_a_cycle_is_determined_and_a_staircase_laminar() -> None:
    cycle = follow(np.arange(80.0) % 5, 60, 1, 1, 1, 0.1, 2)
    stairs = follow(np.repeat(np.arange(20.0) % 5, 4), 60, 1, 1, 1, 0.1, 2)
    assert (cycle[:, 59:] == [[1.0], [0.0]]).all()
    assert (stairs[1, 59:] > 0.9).all()


def test_chaos_is_more_determined_than_noise() -> None:
    chaos = follow(systems.logistic(130), 100, 1, 1, 1, 0.05, 3)
    noise = follow(np.random.default_rng(1).uniform(size=130), 100, 1, 1, 1, 0.05, 3)
    assert chaos[0, 99:].min() > 2 * noise[0, 99:].max()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_does_not_count_where_the_radius_has_it(scale: float) -> None:
    x = systems.logistic(60)
    np.testing.assert_array_equal(
        follow(x, 50, 2, 1, 2, 0.1, 2), follow(x * scale, 50, 2, 1, 2, 0.1 * scale, 2)
    )
