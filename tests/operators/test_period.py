"""Periods and their significance."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.period import LEAST_CYCLES, SHORTEST, period
from tests import systems

T = np.arange(200.0)


@pytest.mark.parametrize("turn", [2.0, 3.3, 5.0, 7.7, 12.3, 20.0, 33.3, 50.0, 60.0])
def test_a_wave_has_its_period(turn: float) -> None:
    found = period(np.cos(2 * np.pi * T / turn + 0.3 * (turn > 2)))
    assert found.period == pytest.approx(turn, rel=1e-3)
    assert found.strength > 0.99
    assert found.p_value < 1e-3


@pytest.mark.parametrize("turn", [3.3, 5.0, 7.7, 12.3, 20.0, 33.3, 50.0])
def test_a_wave_in_noise_has_its_period_to_1_percent(turn: float) -> None:
    noise = np.random.default_rng(1).normal(size=200) * 0.5
    found = period(np.sin(2 * np.pi * T / turn) + noise)
    assert found.period == pytest.approx(turn, rel=0.01)
    # The wave has a variance of 0.5, the noise of 0.25.
    assert found.strength == pytest.approx(2 / 3, abs=0.1)
    assert found.p_value < 0.001


@pytest.mark.parametrize("shape", ["square", "sawtooth", "pulses"])
@pytest.mark.parametrize("turn", [5.0, 12.0, 20.0])
def test_waves_with_jumps_have_their_period_and_not_that_of_a_harmonic(shape: str, turn: float) -> None:
    x = {
        "square": np.sign(np.cos(2 * np.pi * T / turn + 0.1)),
        "sawtooth": T % turn,
        "pulses": (T % turn < 1) * 1.0,
    }[shape]
    found = period(x)
    assert found.period == pytest.approx(turn, rel=0.01)
    assert found.p_value < 1e-6


def test_a_cycle_without_a_first_harmonic_has_its_period() -> None:
    found = period(np.sin(2 * np.pi * 2 * T / 30) + np.sin(2 * np.pi * 3 * T / 30))
    assert found.period == pytest.approx(30.0, rel=0.01)


def test_airline_passengers_have_a_year(data_dir: Path) -> None:
    rows = csv.DictReader((data_dir / "dynamics" / "Airline.csv").read_text().splitlines())
    x = np.array([float(list(row.values())[-1]) for row in rows])
    for series in (x, np.log(x)):
        found = period(series)
        assert found.period == pytest.approx(12.0, rel=0.01)
        assert found.p_value < 1e-10


@pytest.mark.parametrize("memory", [-0.5, 0.0, 0.5, 0.9, 0.98])
def test_red_noise_is_periodic_as_seldom_as_stated(memory: float) -> None:
    values = np.array([period(systems.red_noise(100, memory, seed)).p_value for seed in range(200)])
    # 1 % and 5 % of 200, and four standard deviations.
    assert (values < 0.01).sum() <= 2 + 4 * math.sqrt(2)
    assert (values < 0.05).sum() <= 10 + 4 * math.sqrt(10)


@pytest.mark.parametrize(
    "x",
    [T**2, np.exp(T / 50), (T > 100) * 1.0, np.tanh((T - 100) / 10), np.cumsum(np.sin(T**2))],
    ids=["parabola", "growth", "step", "bend", "walk"],
)
def test_what_goes_one_way_has_no_period(x: np.ndarray) -> None:
    assert not period(x).p_value < 0.05


def test_a_trend_does_not_count() -> None:
    wave = np.sin(2 * np.pi * T / 12.3)
    assert period(wave + T * 3).period == pytest.approx(period(wave).period, rel=1e-3)


@given(st.integers(0, 1000), st.sampled_from([1e-200, 1e-3, 7.0, 1e200]), st.floats(-100, 100))
@settings(max_examples=20)
def test_scale_and_offset_do_not_count(seed: int, scale: float, offset: float) -> None:
    x = systems.red_noise(100, 0.5, seed)
    x += 2 * np.sin(np.arange(100) * 0.7)
    found, other = period(x), period((x + offset) * scale)
    np.testing.assert_allclose(found, other, rtol=1e-4)


def test_no_period_is_told_of_which_the_series_holds_too_few() -> None:
    for seed in range(50):
        found = period(systems.red_noise(90, 0.98, seed))
        assert not found.period > 90 / (LEAST_CYCLES - 0.5)


@pytest.mark.parametrize(
    "x",
    [
        np.ones(100),
        np.arange(100.0),
        np.append(np.sin(T), np.nan),
        np.append(np.sin(T), np.inf),
        np.sin(T[: SHORTEST - 1]),
        np.empty(0),
    ],
    ids=["constant", "line", "nan", "infinity", "too short", "empty"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray) -> None:
    assert np.isnan(period(x)).all()
