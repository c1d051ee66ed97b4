"""False neighbours against brute force and the dimensions of known systems; what jitted code is built on."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import false_neighbours as itself
from operators.kernels import nearest
from operators.kernels.false_neighbours import false_neighbours
from tests import naive_embedding, systems

JIT = hasattr(false_neighbours, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")

series = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).normal(size=40))


@settings(max_examples=25 if JIT else 8)
@given(series, st.integers(1, 3), st.integers(1, 3), st.integers(0, 9))
def test_it_is_what_brute_force_finds(x: NDArray[np.float64], most: int, lag: int, theiler: int) -> None:
    found = false_neighbours(x, most, lag, theiler)
    expected = [naive_embedding.false_neighbours(x, dim, most, lag, theiler) for dim in range(1, most + 1)]
    assert found.tolist() == pytest.approx(expected)


@settings(max_examples=25 if JIT else 8)
@given(st.lists(st.integers(-3, 3).map(float), min_size=12, max_size=40).map(np.array))
def test_equal_points_are_no_neighbours(x: NDArray[np.float64]) -> None:
    found = false_neighbours(x, 2, 1, 1)
    expected = [naive_embedding.false_neighbours(x, dim, 2, 1, 1) for dim in (1, 2)]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("n", [256, 257, 300, 600] if JIT else [300])
def test_the_nearest_may_stand_in_any_block(n: int) -> None:
    """Two points stand alone, far apart in time: it is each other that they must find."""
    for place in (0, n // 3, n - 7):
        x = np.arange(n) * 10.0
        other = (place + n // 2) % (n - 6)
        x[place : place + 3], x[other : other + 3] = (-100.0, -500.0, 7.0), (-101.0, -501.0, 7.5)
        expected = [naive_embedding.false_neighbours(x, dim, 2, 1, 1) for dim in (1, 2)]
        assert false_neighbours(x, 2, 1, 1).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x", "lag", "theiler", "dimension"),
    [
        pytest.param(systems.logistic(300), 1, 4, 1, id="logistic"),
        pytest.param(systems.henon(300), 1, 4, 2, id="Henon"),
        pytest.param(np.sin(np.arange(300) * 2 * np.pi / 61.8), 15, 62, 2, id="sine"),
    ],
)
def test_maps_and_waves_have_their_dimension(
    x: NDArray[np.float64], lag: int, theiler: int, dimension: int
) -> None:
    shares = false_neighbours(x, 4, lag, theiler)
    assert (shares[: dimension - 1] > 0.1).all()
    assert (shares[dimension - 1 :] < 0.01).all()


@compiled
@pytest.mark.parametrize("n", [1000, 3000])
def test_flows_of_three_variables_need_three(n: int) -> None:
    for x, lag, theiler in ((systems.lorenz(n, 0.05)[-n:], 4, 33), (systems.roessler(n, 0.2)[-n:], 7, 30)):
        shares = false_neighbours(x, 4, lag, theiler)
        assert (shares[:2] > 0.03).all()
        assert (shares[2:] < 0.01).all()


def test_noise_is_never_unfolded() -> None:
    n = 1000 if JIT else 250
    assert (false_neighbours(np.random.default_rng(1).normal(size=n), 6, 1, 1) > 0.1).all()


def test_scale_and_offset_do_not_count() -> None:
    x = systems.henon(200)
    assert np.array_equal(false_neighbours(x * 1e6 - 3e6, 4, 1, 2), false_neighbours(x, 4, 1, 2))


def test_rounding_is_no_distance() -> None:
    """A wave of whole samples a turn comes back to itself but for rounding."""
    x = 3.0 + np.sin(np.arange(240) * 2 * np.pi / 24)
    assert (false_neighbours(x, 3, 6, 12)[1:] == 0.0).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 20, 49])
def test_a_sample_that_is_not_finite_leaves_nothing(wrong: float, place: int) -> None:
    x = np.sin(np.arange(50.0))
    x[place] = wrong
    assert np.isnan(false_neighbours(x, 3, 1, 1)).all()


@pytest.mark.parametrize(
    ("x", "lag", "theiler"),
    [
        (np.empty(0), 1, 0), (np.ones(60), 1, 0), (np.sin(np.arange(10.0)), 4, 0),
        (np.sin(np.arange(50.0)), 1, 47), (np.sin(np.arange(50.0)), 0, 1), (np.sin(np.arange(50.0)), -1, 1),
        (np.sin(np.arange(50.0)), 1, -1),
    ],
    ids=["empty", "constant", "too short", "all of one time", "no lag", "negative lag", "negative window"],
)  # fmt: skip
def test_what_is_not_determined_is_nan(x: NDArray[np.float64], lag: int, theiler: int) -> None:
    assert np.isnan(false_neighbours(x, 3, lag, theiler)).all()


def test_no_dimensions_have_no_shares() -> None:
    assert len(false_neighbours(np.sin(np.arange(50.0)), 0, 1, 1)) == 0


def test_it_knows_which_search_it_is_built_on() -> None:
    source = Path(nearest.__file__).read_bytes()
    expected = f"nearest.py has changed: set it to {crc32(source):#x} in false_neighbours.py"
    assert crc32(source) == itself._BUILT_ON, expected
