"""The rules that choose an embedding: right on known systems, silent on noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.embedding import delay, levelled, mean_period, unfolded
from operators.kernels.cao import cao
from operators.kernels.delay import mutual_information
from operators.kernels.false_neighbours import false_neighbours
from tests import systems

JIT = hasattr(mutual_information, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points: too long without the JIT")

Series = NDArray[np.float64]


def wave(n: int, period: float) -> Series:
    return np.sin(np.arange(n) * 2 * np.pi / period)


@compiled
@pytest.mark.parametrize(
    ("x", "low", "high"),
    [
        pytest.param(systems.lorenz(3000, 0.01)[-3000:], 16, 20, id="Lorenz, published: 16 to 18"),
        pytest.param(systems.roessler(3000, 0.1)[-3000:], 12, 15, id="Roessler, a quarter turn is 14.6"),
        pytest.param(wave(2000, 12.3), 2, 4, id="short wave"),
        pytest.param(wave(2000, 61.8), 7, 16, id="wave"),
        pytest.param(wave(2000, 40) + wave(2000, 24.7), 7, 13, id="torus"),
        pytest.param(systems.red_noise(3000, 0.9, 1), 8, 14, id="red noise, 1 / e after 9.5"),
    ],
)
def test_the_delay_opens_the_attractor(x: Series, low: int, high: int) -> None:
    assert low <= delay(x) <= high


def test_maps_and_noise_have_delay_1() -> None:
    for x in (systems.henon(300), systems.logistic(300), np.random.default_rng(1).normal(size=300)):
        assert delay(x) == 1


def test_a_series_that_never_forgets_has_no_delay() -> None:
    assert delay(np.arange(30.0)) == 0


@pytest.mark.parametrize("period", [4.0, 12.5, 40.0, 61.8])
def test_the_mean_period_of_a_wave_is_its_period(period: float) -> None:
    assert mean_period(wave(4000, period)) == pytest.approx(period, rel=0.05, abs=1)


def test_the_mean_period_of_white_noise_is_4() -> None:
    assert mean_period(np.random.default_rng(2).normal(size=5000)) in {4, 5}


def test_scale_and_offset_do_not_count() -> None:
    x = systems.red_noise(400, 0.95, 4)
    assert delay(x * 1e-3 + 50.0) == delay(x)
    assert mean_period(x * 1e-3 + 50.0) == mean_period(x)


@pytest.mark.parametrize(
    ("shares", "dimension"), [([0.5, 0.009, 0.2], 2), ([0.0], 1), ([0.4, 0.01], 0), ([np.nan, np.nan], 0)]
)
def test_unfolded_where_next_to_none_are_false(shares: list[float], dimension: int) -> None:
    assert unfolded(np.array(shares)) == dimension


@pytest.mark.parametrize(
    ("e1", "e2", "points", "dimension"),
    [
        ([0.1, 0.86, 0.9], [0.4, 1.2, 1.1], 1000, 2),
        ([0.1, 0.86, 0.9], [0.95, 1.02, 1.1], 1000, 0),  # E2 of noise
        ([0.1, 0.86, 0.9], [0.95, 1.02, 1.2], 1000, 2),
        ([0.1, 0.5, 0.7], [0.4, 1.2, 1.1], 1000, 0),
        ([np.nan, np.nan], [np.nan, np.nan], 1000, 0),
        ([0.9, 0.9], [0.4, 0.4], 0, 0),
    ],
)
def test_levelled_where_e1_has_come_to_stay(
    e1: list[float], e2: list[float], points: int, dimension: int
) -> None:
    assert levelled(np.array(e1), np.array(e2), points) == dimension


@compiled
@pytest.mark.parametrize("n", [1000, 3000])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_systems_are_unfolded_in_their_dimension_or_with_noise_a_little_more(n: int, noise: float) -> None:
    for clean, least in (
        (systems.henon(n), 2), (systems.lorenz(n, 0.05)[-n:], 3), (systems.roessler(n, 0.2)[-n:], 3),
    ):  # fmt: skip
        x = clean + noise * clean.std() * np.random.default_rng(3).normal(size=n)
        lag, window = delay(x), mean_period(x)
        kennel = unfolded(false_neighbours(x, 8, lag, window))
        level = levelled(*cao(x, 8, lag, window), n)
        assert least <= kennel <= least + (2 if noise else 0)
        assert least <= level <= least + (4 if noise else 1)


@compiled
@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_dimension(seed: int) -> None:
    for x in (np.random.default_rng(seed).normal(size=600), systems.red_noise(600, 0.5, seed)):
        lag, window = delay(x), mean_period(x)
        assert unfolded(false_neighbours(x, 8, lag, window)) == 0
        assert levelled(*cao(x, 8, lag, window), 600 - 9 * lag) == 0
