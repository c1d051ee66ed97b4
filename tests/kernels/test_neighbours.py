"""The divergence of neighbours that is kept up is that of the window."""

from __future__ import annotations

import inspect
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import law, lyapunov, neighbours
from operators.kernels.neighbours import follow_pairs
from tests import naive_dynamics as naive
from tests import systems

Series = NDArray[np.float64]


def follow(x: Series, size: int, dim: int, lag: int, theiler: int, steps: int) -> Series:
    return followed(x, size, dim, lag, theiler, steps)[0]


def followed(x: Series, size: int, dim: int, lag: int, theiler: int, steps: int) -> tuple[Series, Series]:
    points = size - (dim - 1) * lag - steps
    curves, shares = np.empty((len(x), steps + 1)), np.empty((2, len(x)))
    state = np.zeros((1, points)), np.zeros((1, points), np.int32), np.zeros((1, 3, steps + 1), np.int64)
    shape = np.array([size, dim, lag, theiler, steps])
    rows, places = naive.alone(x, size)
    room, moments = (np.empty((3, size)), np.empty((3, size), np.int64)), np.empty((dim + 2, dim + 1))
    follow_pairs(rows, places, x, shape, *state, np.zeros(1, np.uint8), *room, moments, curves, shares)
    return curves, shares


@settings(max_examples=60)
@given(
    st.one_of(
        st.lists(st.integers(0, 3).map(float), min_size=45, max_size=45),
        st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).normal(size=45).tolist()),
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(0, 15),
)
def test_the_curve_is_that_of_the_window(
    values: list[float], dim: int, lag: int, theiler: int, steps: int, more: int
) -> None:
    x = np.array(values)
    size = (dim - 1) * lag + steps + theiler + 2 + more
    curves = follow(x, size, dim, lag, theiler, steps)
    assert np.isnan(curves[: size - 1]).all()
    total, seen = np.empty(steps + 1), np.empty(steps + 1, np.int64)
    for k, window in naive.windows(x, size)[::4]:
        want = naive.divergence(window, dim, lag, theiler, steps)
        np.testing.assert_allclose(curves[k], want, rtol=0, atol=1e-13)
        lyapunov.divergence(window, dim, lag, theiler, steps, total, seen)
        np.testing.assert_array_equal(np.isnan(curves[k]), seen == 0)
        np.testing.assert_allclose(curves[k][seen > 0], total[seen > 0] / seen[seen > 0], rtol=0, atol=1e-13)


def test_nothing_drifts_and_what_came_before_does_not_count() -> None:
    x = np.random.default_rng(2).normal(size=600)
    x[100] = 1e9
    late = follow(x, 60, 2, 1, 3, 5)[-1]
    np.testing.assert_array_equal(late, follow(x[-60:], 60, 2, 1, 3, 5)[-1])
    np.testing.assert_allclose(late, naive.divergence(x[-60:], 2, 1, 3, 5), rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-60, 1.0, 1e60])
def test_a_scale_moves_the_curve_by_its_logarithm(scale: float) -> None:
    x = systems.henon(90)
    np.testing.assert_allclose(
        follow(x * scale, 70, 2, 1, 3, 5)[69:], follow(x, 70, 2, 1, 3, 5)[69:] + np.log(scale), atol=1e-12
    )


def test_a_constant_has_no_pair() -> None:
    assert np.isnan(follow(np.full(40, 3.0), 30, 2, 1, 2, 4)).all()


def test_this_file_knows_the_file_it_is_built_on() -> None:
    source = Path(inspect.getfile(law)).read_bytes()
    assert crc32(source) == neighbours._BUILT_ON, (
        f"law.py has changed: set it to {crc32(source):#010X} in neighbours.py"
    )
