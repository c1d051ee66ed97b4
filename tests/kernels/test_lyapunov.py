"""The largest exponent against published values, and Rosenstein by brute force."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from operators.kernels.lyapunov import largest_lyapunov
from tests import naive_lyapunov, systems

JIT = hasattr(largest_lyapunov, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")


@pytest.mark.parametrize(("dim", "lag", "theiler"), [(1, 1, 0), (2, 3, 0), (2, 3, 6), (3, 1, 20)])
def test_two_steps_give_the_slope_of_the_curve_by_brute_force(dim: int, lag: int, theiler: int) -> None:
    x = systems.red_noise(90, 0.95, seed=1)
    curve = naive_lyapunov.log_distances(x, dim, lag, theiler, 2)
    assert largest_lyapunov(x, dim, lag, theiler, 2) == pytest.approx((curve[2] - curve[0]) / 2)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("steps", [10, 15, 30])
def test_logistic_map_has_ln_2(dim: int, steps: int) -> None:
    x = systems.logistic(500 if JIT else 200)
    assert largest_lyapunov(x, dim, 1, 5, steps) == pytest.approx(math.log(2), rel=0.1)


@compiled
@pytest.mark.parametrize("dim", [2, 3, 4])
def test_henon_map_has_its_published_value(dim: int) -> None:
    assert largest_lyapunov(systems.henon(2000), dim, 1, 5, 20) == pytest.approx(0.419, rel=0.1)


@compiled
@pytest.mark.parametrize(
    ("step", "n", "lag", "steps"), [(0.1, 2000, 1, 40), (0.05, 3000, 3, 80), (0.02, 4000, 5, 150)]
)
def test_lorenz_flow_has_its_published_value_at_any_sampling(
    step: float, n: int, lag: int, steps: int
) -> None:
    exponent = largest_lyapunov(systems.lorenz(n, step), 3, lag, round(1 / step), steps) / step
    assert exponent == pytest.approx(0.906, rel=0.1)


@compiled
def test_lorenz_flow_of_rosenstein_has_1_5(data_dir: Path) -> None:
    rows = csv.DictReader((data_dir / "dynamics" / "known-values.csv").read_text().splitlines())
    (published,) = (float(row["value"]) for row in rows if row["system"] == "lorenz")
    x = systems.lorenz(5000, 0.01, 16.0, 45.92, 4.0)
    assert largest_lyapunov(x, 3, 11, 50, 200) / 0.01 == pytest.approx(published, rel=0.1)


@compiled
def test_roessler_flow_has_its_published_value() -> None:
    assert largest_lyapunov(systems.roessler(5000, 0.2), 3, 7, 40, 120) / 0.2 == pytest.approx(
        0.0714, rel=0.1
    )


@pytest.mark.parametrize(("r", "sign"), [(2.5, -1), (3.4, -1), (3.7, 1), (4.0, 1)])
def test_sign_tells_a_logistic_map_that_settles_from_a_chaotic_one(r: float, sign: int) -> None:
    x = systems.logistic(100, r, 0.1, skip=0)
    assert np.sign(largest_lyapunov(x, 6, 2, 10, 10)) == sign


def test_a_linear_map_has_the_logarithm_of_its_factor() -> None:
    assert largest_lyapunov(0.9 ** np.arange(120.0), 1, 1, 5, 20) == pytest.approx(math.log(0.9), abs=1e-9)


def test_a_wave_has_none() -> None:
    wave = np.sin(np.arange(300) * 0.1)
    assert abs(largest_lyapunov(wave, 3, 15, 60, 30)) < 1e-3


def test_scale_and_offset_do_not_count() -> None:
    x = systems.logistic(200)
    assert largest_lyapunov(x * 1e6 - 3e6, 2, 1, 5, 12) == pytest.approx(
        largest_lyapunov(x, 2, 1, 5, 12), rel=1e-6
    )


@pytest.mark.parametrize(
    ("x", "steps"),
    [(np.ones(100), 5), (np.arange(8.0), 8), (np.empty(0), 3), (np.arange(100.0), 0)],
    ids=["constant", "too short", "empty", "no steps"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray[tuple[int], np.dtype[np.float64]], steps: int) -> None:
    assert math.isnan(largest_lyapunov(x, 2, 1, 1, steps))
