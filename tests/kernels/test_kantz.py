"""Kantz's exponent against published values and by brute force."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels import growth, orbits
from operators.kernels import kantz as kernel
from operators.kernels.growth import correlation_time
from operators.kernels.kantz import kantz
from tests import naive_lyapunov, systems

Series = np.ndarray[tuple[int], np.dtype[np.float64]]
JIT = hasattr(kantz, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")
UNDETERMINED = (math.nan, math.nan, math.nan, math.nan, -1, -1)


def test_it_carries_the_sums_of_the_files_it_is_built_on() -> None:
    now = tuple(zlib.crc32(Path(file.__file__).read_bytes()) for file in (growth, orbits))
    assert now == kernel._BUILT_ON, f"set _BUILT_ON to {', '.join(f'0x{n:08X}' for n in now)}"


@pytest.mark.parametrize(
    ("dim", "lag", "theiler", "steps", "radius"), [(1, 1, 0, 6, 0.3), (2, 1, 4, 8, 0.9), (2, 3, 2, 5, 1.2)]
)
def test_line_is_that_of_the_curve_by_brute_force(
    dim: int, lag: int, theiler: int, steps: int, radius: float
) -> None:
    x = systems.red_noise(110, 0.3, seed=4)
    exponent, _, _, r2, first, last = kantz(x, dim, lag, theiler, steps, radius)
    curve = naive_lyapunov.log_widths(x, dim, lag, theiler, steps, radius).mean(axis=0)
    assert (exponent, r2) == pytest.approx(naive_lyapunov.line(curve, first, last))


@pytest.mark.parametrize(("dim", "lag", "steps", "radius"), [(2, 2, 10, 3.0), (3, 2, 20, 6.0)])
def test_a_flow_gives_the_line_of_the_median_distances_to_orbits(
    dim: int, lag: int, steps: int, radius: float
) -> None:
    x = systems.lorenz(110, 0.06)[-110:]
    exponent, _, _, r2, first, last = kantz(x, dim, lag, 12, steps, radius)
    reach = int(2.6 * correlation_time(x))
    rows = naive_lyapunov.middle(naive_lyapunov.log_widths_of_orbits(x, dim, lag, 12, steps, radius, reach))
    curve = np.nanmean(rows, axis=0)
    assert (exponent, r2) == pytest.approx(naive_lyapunov.line(curve, first, last), rel=1e-5)


@pytest.mark.parametrize("dim", [1, 2, pytest.param(3, marks=compiled)])
def test_logistic_map_has_ln_2_within_its_interval(dim: int) -> None:
    exponent, low, high, r2, _, _ = kantz(systems.logistic(600 if JIT else 150), dim, 1, 5, 10, 0.05)
    assert exponent == pytest.approx(math.log(2), rel=0.1)
    assert low < exponent < high < 1.2 * exponent
    assert r2 > 0.98


@compiled
@pytest.mark.parametrize("dim", [2, 3, 4])
def test_henon_map_has_its_published_value(dim: int) -> None:
    assert kantz(systems.henon(3000), dim, 1, 5, 20, 0.05)[0] == pytest.approx(0.419, rel=0.1)


@compiled
@pytest.mark.parametrize("dim", [3, 5])
@pytest.mark.parametrize(
    ("flow", "step", "lag", "theiler", "truth"),
    [(systems.lorenz, 0.05, 3, 15, 0.906), (systems.roessler, 0.2, 5, 30, 0.0714)],
    ids=["Lorenz", "Roessler"],
)
def test_flows_have_their_published_values(
    flow: Callable[[int, float], Series], step: float, lag: int, theiler: int, truth: float, dim: int
) -> None:
    x = flow(5000, step)[-5000:]
    radius = 0.1 * float(x.std()) * math.sqrt(dim)
    assert kantz(x, dim, lag, theiler, 2 * theiler, radius)[0] / step == pytest.approx(truth, rel=0.1)


def test_what_comes_to_rest_has_the_logarithm_of_its_factor() -> None:
    assert kantz(0.9 ** np.arange(120.0), 1, 1, 0, 20, 0.1)[0] == pytest.approx(math.log(0.9), abs=1e-9)


@pytest.mark.parametrize("period", [2, 3, 8, 20])
def test_what_repeats_exactly_is_not_determined(period: int) -> None:
    for x in (
        np.tile(np.random.default_rng(period).normal(size=period), 12),
        np.sin(2 * np.pi * np.arange(12.0 * period) / period + 0.1),
    ):
        assert kantz(x, 2, 1, 1, 5, 10.0) == pytest.approx(UNDETERMINED, nan_ok=True)


@given(st.floats(1e-9, 1e9), st.floats(-1e3, 1e3))
@settings(deadline=None, max_examples=30 if JIT else 3)
def test_scale_and_offset_do_not_count(scale: float, offset: float) -> None:
    x = systems.logistic(100)
    # No pair is as far apart as the radius to within rounding.
    assert kantz((x + offset) * scale, 2, 1, 3, 6, 0.2 * scale) == pytest.approx(
        kantz(x, 2, 1, 3, 6, 0.2), rel=1e-5, abs=1e-5
    )


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, 1e-9])
def test_a_radius_that_holds_nobody_determines_nothing(radius: float) -> None:
    assert kantz(systems.logistic(100), 2, 1, 3, 6, radius) == pytest.approx(UNDETERMINED, nan_ok=True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_leaves_nothing(bad: float) -> None:
    x = systems.logistic(100)
    x[70] = bad
    assert kantz(x, 2, 1, 3, 6, 0.2) == pytest.approx(UNDETERMINED, nan_ok=True)


@pytest.mark.parametrize(
    ("x", "dim", "lag", "theiler", "steps"),
    [
        (np.ones(100), 2, 1, 1, 5),
        (np.empty(0), 2, 1, 1, 5),
        (np.arange(9.0), 2, 1, 1, 5),
        (systems.logistic(60), 0, 1, 1, 5),
        (systems.logistic(60), 2, -4, 1, 5),
        (systems.logistic(60), 2, 1, -1, 5),
        (systems.logistic(60), 2, 1, 1, 0),
        (systems.logistic(60), 30, 30, 1, 5),
    ],
    ids=["constant", "empty", "short", "dim", "lag", "theiler", "steps", "wide"],
)
def test_what_is_not_determined_is_nan(x: Series, dim: int, lag: int, theiler: int, steps: int) -> None:
    assert kantz(x, dim, lag, theiler, steps, 0.5) == pytest.approx(UNDETERMINED, nan_ok=True)
