"""Surrogates share what they must, and the test tells a law from linear noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from operators.kernels.prediction import prediction_error
from operators.surrogates import SHORTEST, iaaft, nonlinearity, phase_randomised
from tests import systems

JIT = hasattr(prediction_error, "py_func")


@pytest.mark.parametrize("n", [100, 101])
def test_phase_randomised_series_have_the_spectrum(n: int) -> None:
    x = systems.logistic(n) + 5.0
    y = phase_randomised(x, np.random.default_rng(1))
    np.testing.assert_allclose(np.abs(np.fft.rfft(y)), np.abs(np.fft.rfft(x)), atol=1e-9)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.5


@pytest.mark.parametrize("n", [256, 401])
def test_iaaft_has_the_values_exactly_and_the_spectrum_nearly(n: int) -> None:
    x = np.exp(systems.red_noise(n, 0.8, seed=1) * 0.5)
    y = iaaft(x, np.random.default_rng(2))
    np.testing.assert_array_equal(np.sort(y), np.sort(x))
    assert not np.array_equal(y, x)
    wanted, found = np.abs(np.fft.rfft(x))[1:], np.abs(np.fft.rfft(y))[1:]
    assert np.sqrt(((wanted - found) ** 2).sum() / (wanted**2).sum()) < 0.05
    shuffled = np.abs(np.fft.rfft(np.random.default_rng(3).permutation(x)))[1:]
    assert np.sqrt(((wanted - shuffled) ** 2).sum() / (wanted**2).sum()) > 0.5


@pytest.mark.parametrize("make", [phase_randomised, iaaft])
def test_the_seed_decides(make: Callable[..., np.ndarray]) -> None:
    x = systems.red_noise(128, 0.5, seed=1)
    first, again, other = (make(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("make", [phase_randomised, iaaft])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_of_what_is_not_finite_there_is_no_surrogate(make: Callable[..., np.ndarray], bad: float) -> None:
    x = np.append(np.arange(50.0), bad)
    assert np.isnan(make(x, np.random.default_rng(1))).all()
    assert len(make(np.empty(0), np.random.default_rng(1))) == 0


def test_a_constant_is_its_own_surrogate() -> None:
    for make in (phase_randomised, iaaft):
        np.testing.assert_allclose(make(np.full(50, 3.0), np.random.default_rng(1)), 3.0)


@pytest.mark.parametrize("name", ["logistic", "henon", "noisy henon", "lorenz"] if JIT else ["logistic"])
def test_a_law_is_found(name: str) -> None:
    n = 256 if JIT else 80
    x = {
        "logistic": systems.logistic(n),
        "henon": systems.henon(n),
        "noisy henon": systems.henon(n) + np.random.default_rng(1).normal(size=n) * 0.15,
        "lorenz": systems.lorenz(n, 0.1),
    }[name]
    found = nonlinearity(x, np.random.default_rng(2), 19)
    assert found.p_value == pytest.approx(0.05)
    assert found.z > 2.0


@pytest.mark.skipif(not JIT, reason="thousands of forecasts: too long without the JIT")
@pytest.mark.parametrize("kind", ["red", "swinging", "cubed"])
def test_linear_noise_is_taken_for_a_law_as_seldom_as_stated(kind: str) -> None:
    alarms = 0
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=500)
        x = np.zeros(500)
        turns = (0.8, 0.0) if kind == "red" else (1.3, -0.7)
        for i in range(2, 500):
            x[i] = turns[0] * x[i - 1] + turns[1] * x[i - 2] + noise[i]
        x = x[-128:] ** 3 if kind == "cubed" else x[-128:]
        alarms += nonlinearity(x, np.random.default_rng(1000 + seed), 19).p_value <= 0.05
    # 5 % of 40, and four standard deviations.
    assert alarms <= 2 + 4 * math.sqrt(2)


def test_monotone_functions_do_not_count() -> None:
    x = systems.red_noise(128, 0.5, seed=3)
    found, other = (nonlinearity(y, np.random.default_rng(1), 5) for y in (x, np.exp(2 * x)))
    assert found == other


@pytest.mark.parametrize(
    "x",
    [
        np.ones(100),
        np.tile([0.0, 1.0], 50),
        np.append(np.arange(100.0), np.nan),
        np.append(np.arange(100.0), np.inf),
        np.sin(np.arange(SHORTEST - 1.0)),
    ],
    ids=["constant", "two values", "nan", "infinity", "too short"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray) -> None:
    assert np.isnan(nonlinearity(x, np.random.default_rng(1))).all()


def test_parameters_that_cannot_be_are_refused() -> None:
    for surrogates, dim in ((0, 3), (19, 0)):
        with pytest.raises(ValueError, match="nonlinearity"):
            nonlinearity(np.arange(100.0), np.random.default_rng(1), surrogates, dim)
