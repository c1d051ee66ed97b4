"""At rest, on its way, periodic, a few lines: each told from the others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.kernels.recurrence import PLAIN, RETURNS, SETTLED, TREND, standardise_and_return
from tests import systems

T = np.arange(128.0)


def measured(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.void]]:
    windows = np.array([x])
    out = np.zeros(1, RETURNS)
    standardise_and_return(windows, out, np.empty(len(x)))
    return windows[0], out[0]


def test_windows_are_standardised_in_place() -> None:
    x = systems.red_noise(128, 0.5, seed=1)
    z, _ = measured(x * 1e-7 + 12.0)
    np.testing.assert_allclose(z, (x - x.mean()) / x.std(), atol=1e-6)


@pytest.mark.parametrize(
    ("x", "sight"),
    [
        (np.full(128, 1e9), SETTLED),
        (np.zeros(128), SETTLED),
        (3.0 + 0.8**T, SETTLED),
        (T, TREND),
        (-T + systems.red_noise(128, 0.0, 1) * 5, TREND),
        (1.02**T, TREND),
        (systems.red_noise(128, 0.0, 1), PLAIN),
        (np.sin(T), PLAIN),
    ],
)
def test_first_sight_tells_rest_from_a_way(x: NDArray[np.float64], sight: int) -> None:
    assert measured(x)[1]["sight"] == sight


def test_lag_and_differences_are_those_of_the_autocorrelation() -> None:
    z, out = measured(systems.red_noise(128, 0.8, seed=2))
    half = [((z[p:] - z[:-p]) ** 2).mean() / 2 for p in range(1, 10)]
    lag = next((p for p in range(1, 9) if half[p - 1] >= 1 - np.exp(-1)), 9)
    assert out["lag"] == lag
    assert out["step"] == pytest.approx(half[0])
    assert out["turn"] == pytest.approx(half[lag - 1])


@pytest.mark.parametrize("period", [2.0, 5.0, 7.3, 13.9, 20.0, 31.7, 40.0])
def test_a_period_need_be_no_whole_number(period: float) -> None:
    out = measured(np.sin(2 * np.pi * T / period + 1.0))[1]
    assert out["repeats"] or out["one_line"] < 1e-3


def test_noise_on_a_cycle_leaves_its_share_and_the_period() -> None:
    noise = np.random.default_rng(3).normal(0, 0.15, 128)
    out = measured(np.sin(2 * np.pi * T / 16) + noise)[1]
    assert out["repeats"]
    assert out["period_error"] == pytest.approx(0.15**2 / 0.52, rel=0.5)


def test_two_lines_leave_nothing_of_a_linear_recurrence_and_have_no_period() -> None:
    out = measured(np.sin(0.5 * T) + np.sin(0.5 * 2**0.5 * T))[1]
    assert not out["repeats"]
    assert out["three_lines"] < 1e-6
    assert out["one_line"] > 1e-2


@pytest.mark.parametrize("x", [systems.logistic(128), systems.henon(128), systems.red_noise(128, 0.7, 4)])
def test_what_never_returns_has_neither_period_nor_lines(x: NDArray[np.float64]) -> None:
    out = measured(x)[1]
    assert not out["repeats"]
    assert out["three_lines"] > 0.05
