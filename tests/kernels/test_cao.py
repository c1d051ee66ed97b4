"""Cao's ratios against brute force, and the dimensions of known systems; what jitted code is built on."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import cao as itself
from operators.kernels import nearest
from operators.kernels.cao import cao
from tests import naive_embedding, systems

JIT = hasattr(cao, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")

series = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).normal(size=40))


@settings(max_examples=25 if JIT else 8)
@given(series, st.integers(1, 3), st.integers(1, 3), st.integers(0, 9))
def test_they_are_what_brute_force_finds(x: NDArray[np.float64], most: int, lag: int, theiler: int) -> None:
    e1, e2 = cao(x, most, lag, theiler)
    both = [naive_embedding.cao(x, dim, most, lag, theiler) for dim in range(1, most + 2)]
    ratios, gaps = np.array(both).T
    assert e1.tolist() == pytest.approx((ratios[1:] / ratios[:-1]).tolist())
    assert e2.tolist() == pytest.approx((gaps[1:] / gaps[:-1]).tolist())


@pytest.mark.parametrize(
    ("x", "lag", "theiler", "dimension"),
    [
        pytest.param(systems.logistic(300), 1, 4, 1, id="logistic"),
        pytest.param(systems.henon(300), 1, 4, 2, id="Henon"),
        pytest.param(np.sin(np.arange(300) * 2 * np.pi / 61.8), 15, 62, 2, id="sine"),
    ],
)
def test_e1_stays_near_1_where_the_dimension_is_reached(
    x: NDArray[np.float64], lag: int, theiler: int, dimension: int
) -> None:
    e1, _ = cao(x, 4, lag, theiler)
    assert (e1[: dimension - 1] < 0.7).all()
    assert e1[dimension - 1 :] == pytest.approx(1.0, abs=0.15)


@compiled
@pytest.mark.parametrize("n", [2000, 4000])
def test_flows_of_three_variables_need_three(n: int) -> None:
    for x, lag, theiler in ((systems.lorenz(n, 0.05)[-n:], 4, 33), (systems.roessler(n, 0.2)[-n:], 7, 30)):
        e1, _ = cao(x, 5, lag, theiler)
        assert (e1[:2] < 0.7).all()
        assert e1[2:] == pytest.approx(1.0, abs=0.2)


def test_e2_is_1_for_noise_and_not_for_what_has_a_law() -> None:
    n = 1000 if JIT else 200
    noise = np.random.default_rng(5).normal(size=n)
    assert cao(noise, 4, 1, 1)[1] == pytest.approx(1.0, abs=4 / np.sqrt(n))
    for x in (systems.henon(n), systems.logistic(n)):
        assert np.abs(cao(x, 4, 1, 1)[1] - 1.0).max() > 0.3


def test_scale_and_offset_do_not_count() -> None:
    x = systems.henon(200)
    for scaled, plain in zip(cao(x * 1e6 - 3e6, 4, 1, 2), cao(x, 4, 1, 2), strict=True):
        assert scaled == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 20, 49])
def test_a_sample_that_is_not_finite_leaves_nothing(wrong: float, place: int) -> None:
    x = np.sin(np.arange(50.0))
    x[place] = wrong
    assert np.isnan(np.concatenate(cao(x, 3, 1, 1))).all()


@pytest.mark.parametrize(
    ("x", "lag", "theiler"),
    [
        (np.empty(0), 1, 0), (np.ones(60), 1, 0), (np.sin(np.arange(10.0)), 4, 0),
        (np.sin(np.arange(50.0)), 1, 46), (np.sin(np.arange(50.0)), 0, 1), (np.sin(np.arange(50.0)), -1, 1),
        (np.sin(np.arange(50.0)), 1, -1),
    ],
    ids=["empty", "constant", "too short", "all of one time", "no lag", "negative lag", "negative window"],
)  # fmt: skip
def test_what_is_not_determined_is_nan(x: NDArray[np.float64], lag: int, theiler: int) -> None:
    assert np.isnan(np.concatenate(cao(x, 3, lag, theiler))).all()


def test_it_knows_which_search_it_is_built_on() -> None:
    source = Path(nearest.__file__).read_bytes()
    expected = f"nearest.py has changed: set it to {crc32(source):#x} in cao.py"
    assert crc32(source) == itself._BUILT_ON, expected
