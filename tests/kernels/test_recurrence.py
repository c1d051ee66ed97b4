"""At rest, on its way, periodic, a few lines: each told from the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.recurrence import PLAIN, RETURNS, SETTLED, STUCK, TREND, standardise_and_return
from tests import systems

T = np.arange(128.0)


def measured(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.void]]:
    windows = np.array([x])
    out = np.zeros(1, RETURNS)
    standardise_and_return(windows, out, np.empty(len(x)))
    return windows[0], out[0]


def left_by_fold(z: NDArray[np.float64], period: float) -> float:
    """The same in NumPy: each sample against the line between its neighbours in phase."""
    order = np.argsort(np.arange(len(z)) / period % 1.0, kind="stable")
    phase, y = (np.arange(len(z)) / period % 1.0)[order], z[order]
    back, ahead = (phase - np.roll(phase, 1)) % 1.0, (np.roll(phase, -1) - phase) % 1.0
    share = np.where(back + ahead > 0, back / np.where(back + ahead > 0, back + ahead, 1.0), 0.5)
    rest = y - (1 - share) * np.roll(y, 1) - share * np.roll(y, -1)
    return float(np.mean(rest**2 / (1 + share**2 + (1 - share) ** 2)))


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
        (np.where(T < 20, T, 20.0 + 1e-15 * (-1) ** T), SETTLED),
        (T, TREND),
        (-T + systems.red_noise(128, 0.0, 1) * 5, TREND),
        (T / 128 + 0.2 * systems.red_noise(128, 0.0, 1), TREND),
        (1.02**T, TREND),
        (np.where(T < 64, np.sin(T), 0.0), STUCK),
        (np.where(T < 100, 0.0, 1.0), STUCK),
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
    assert out["bend"] == pytest.approx(4.0 - half[1] / half[0])


@settings(deadline=None, max_examples=25)
@given(st.floats(2.0, 40.0), st.floats(0.0, 6.3), st.floats(0.0, 0.2))
def test_a_period_need_be_no_whole_number(period: float, phase: float, amount: float) -> None:
    noise = np.random.default_rng(3).normal(size=128)
    z, out = measured(np.sin(2 * np.pi * T / period + phase) + 1.5 * np.sin(0.3) + amount * noise)
    if out["sight"] == PLAIN and out["folded"] < 0.1:
        assert out["folded"] == pytest.approx(left_by_fold(z, float(out["period"])), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("period", [2.5, 5.0, 7.3, 13.9, 20.0, 31.7, 40.0])
def test_a_sine_folds_to_nothing_at_its_period(period: float) -> None:
    out = measured(np.sin(2 * np.pi * T / period + 1.0))[1]
    assert out["folded"] < 1e-3
    assert out["period"] == pytest.approx(period, rel=0.01)


def test_noise_on_a_cycle_leaves_its_share_and_the_period() -> None:
    noise = np.random.default_rng(3).normal(0, 0.15, 128)
    out = measured(np.sin(2 * np.pi * T / 16) + noise)[1]
    assert out["period"] == pytest.approx(16.0, rel=0.01)
    assert out["folded"] == pytest.approx(0.15**2 / 0.52, rel=0.5)
    assert abs(out["order"]) < 0.4


def test_two_lines_leave_nothing_of_a_linear_recurrence_and_do_not_fold() -> None:
    out = measured(np.sin(0.5 * T) + np.sin(0.5 * 2**0.5 * T))[1]
    assert out["four_lines"] < 1e-6
    assert out["one_line"] > 1e-2
    assert out["folded"] > 0.01


@pytest.mark.parametrize("x", [systems.logistic(128), systems.henon(128), systems.red_noise(128, 0.7, 4)])
def test_what_never_returns_has_neither_period_nor_lines(x: NDArray[np.float64]) -> None:
    out = measured(x)[1]
    assert out["folded"] > 0.2
    assert out["four_lines"] > 0.05
    assert out["foreseen"] >= out["four_lines"]
