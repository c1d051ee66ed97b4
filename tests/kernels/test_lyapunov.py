"""The largest exponent against published values, and Rosenstein by brute force."""

from __future__ import annotations

import csv
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels import growth, lyapunov, orbits
from operators.kernels.growth import correlation_time
from operators.kernels.lyapunov import divergence, largest_lyapunov, rosenstein
from operators.kernels.orbits import is_flow
from tests import naive_lyapunov, systems

Series = np.ndarray[tuple[int], np.dtype[np.float64]]
JIT = hasattr(largest_lyapunov, "py_func")
compiled = pytest.mark.skipif(not JIT, reason="thousands of points squared: too long without the JIT")
UNDETERMINED = (math.nan, math.nan, math.nan, math.nan, -1, -1)


def published(data_dir: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((data_dir / "dynamics" / "known-values.csv").read_text().splitlines()))


def test_it_carries_the_sums_of_the_files_it_is_built_on() -> None:
    now = tuple(zlib.crc32(Path(file.__file__).read_bytes()) for file in (growth, orbits))
    assert now == lyapunov._BUILT_ON, f"set _BUILT_ON to {', '.join(f'0x{n:08X}' for n in now)}"


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=40)
    | st.lists(st.floats(-100, 100), min_size=1, max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=150 if JIT else 25)
def test_divergence_is_the_curve_by_brute_force(
    values: list[float], dim: int, lag: int, theiler: int, steps: int
) -> None:
    x = np.array(values, np.float64)
    total, seen = np.full(steps + 1, 7.0), np.full(steps + 1, 7)
    divergence(x, dim, lag, theiler, steps, total, seen)
    if len(x) - (dim - 1) * lag - steps < 1:
        assert not seen.any()
        return
    rows = naive_lyapunov.log_distances(x, dim, lag, theiler, steps)
    kept = np.where(np.isfinite(rows), rows, 0.0)
    # Squares of very small gaps are 0 here, which no norm is.
    if np.isfinite(rows).any() and rows[np.isfinite(rows)].min() < -300:
        return
    np.testing.assert_array_equal(seen, np.isfinite(rows).sum(axis=0))
    np.testing.assert_allclose(total, kept.sum(axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("dim", "lag", "theiler", "steps"), [(1, 1, 0, 6), (2, 3, 6, 12), (3, 1, 20, 9)])
def test_pairs_of_samples_give_line_and_interval_of_the_curve_by_brute_force(
    dim: int, lag: int, theiler: int, steps: int
) -> None:
    x = systems.red_noise(110, 0.6, seed=1)
    exponent, low, high, r2, first, last = rosenstein(x, dim, lag, theiler, steps)
    rows = naive_lyapunov.log_distances(x, dim, lag, theiler, steps)
    slope, straightness = naive_lyapunov.line(rows.mean(axis=0), first, last)
    parts = np.arange(len(rows)) * 12 // len(rows)
    half = naive_lyapunov.half_interval(rows, parts, first, last)
    assert (exponent, r2) == pytest.approx((slope, straightness))
    assert (low, high) == pytest.approx((slope - half, slope + half))


@pytest.mark.parametrize(("dim", "lag", "steps"), [(2, 2, 10), (3, 2, 20), (4, 3, 8)])
def test_a_flow_gives_line_and_interval_of_the_distances_to_orbits(dim: int, lag: int, steps: int) -> None:
    x = systems.lorenz(110, 0.06)[-110:]
    assert is_flow(x)
    exponent, low, high, r2, first, last = rosenstein(x, dim, lag, 12, steps)
    reach = int(2.6 * correlation_time(x))
    rows = naive_lyapunov.middle(naive_lyapunov.log_distances_of_orbits(x, dim, lag, 12, steps, reach))
    slope, straightness = naive_lyapunov.line(np.nanmean(rows, axis=0), first, last)
    parts = np.arange(len(rows)) * 12 // len(rows)
    half = naive_lyapunov.half_interval(rows, parts, first, last)
    assert first == 0
    assert (exponent, r2) == pytest.approx((slope, straightness), rel=1e-6)
    assert (low, high) == pytest.approx((slope - half, slope + half), rel=1e-6)


def test_pairs_of_a_flow_that_meet_are_left_out() -> None:
    x = np.sin(2 * np.pi * np.arange(240) / 25 + 0.3)
    for start, length, height in ((90, 50, 0.3), (180, 30, 0.1)):
        x[start : start + length] += height * np.sin(np.pi * np.arange(length) / length) ** 2
    exponent, _, _, _, first, last = rosenstein(x, 2, 6, 10, 8)
    rows = naive_lyapunov.log_distances_of_orbits(x, 2, 6, 10, 8, int(2.6 * correlation_time(x)))
    apart = rows.min(axis=1) > np.log(1e-12 * np.ptp(x))
    assert not apart.all()
    curve = np.nanmean(naive_lyapunov.middle(rows[apart]), axis=0)
    assert exponent == pytest.approx(naive_lyapunov.line(curve, first, last)[0], rel=1e-6)


@pytest.mark.parametrize("dim", [1, 2, 3, pytest.param(5, marks=compiled)])
@pytest.mark.parametrize("steps", [5, 10, 30])
def test_logistic_map_has_ln_2(dim: int, steps: int) -> None:
    x = systems.logistic(600 if JIT else 200)
    assert largest_lyapunov(x, dim, 1, 5, steps) == pytest.approx(math.log(2), rel=0.1)


@compiled
@pytest.mark.parametrize("dim", [2, 3, 4, 5])
@pytest.mark.parametrize(("theiler", "steps"), [(1, 6), (5, 20), (20, 30)])
def test_henon_map_has_its_published_value(dim: int, theiler: int, steps: int) -> None:
    assert largest_lyapunov(systems.henon(1500), dim, 1, theiler, steps) == pytest.approx(0.419, rel=0.1)


@compiled
@pytest.mark.parametrize(("step", "n", "lag"), [(0.05, 4000, 3), (0.02, 5000, 8)])
@pytest.mark.parametrize("dim", [5, 7])
@pytest.mark.parametrize("time", [1, 3, 10])
def test_lorenz_flow_has_its_published_value_at_any_sampling_dimension_and_length(
    step: float, n: int, lag: int, dim: int, time: int
) -> None:
    exponent = largest_lyapunov(
        systems.lorenz(n, step)[-n:], dim, lag, round(0.75 / step), round(time / step)
    )
    assert exponent / step == pytest.approx(0.906, rel=0.1)


@compiled
@pytest.mark.parametrize(("dim", "steps"), [(3, 100), (3, 300), (5, 200)])
def test_lorenz_flow_of_rosenstein_has_1_5(data_dir: Path, dim: int, steps: int) -> None:
    (value,) = (float(row["value"]) for row in published(data_dir) if row["system"] == "lorenz")
    x = systems.lorenz(5000, 0.01, 16.0, 45.92, 4.0)[-5000:]
    assert largest_lyapunov(x, dim, 11, 50, steps) / 0.01 == pytest.approx(value, rel=0.1)


@compiled
@pytest.mark.parametrize("dim", [3, 5, 7])
@pytest.mark.parametrize("turns", [1, 3, 10])
def test_roessler_flow_has_its_published_value(dim: int, turns: int) -> None:
    exponent = largest_lyapunov(systems.roessler(6000, 0.2)[-6000:], dim, 7, 30, 30 * turns) / 0.2
    assert exponent == pytest.approx(0.0714, rel=0.1)


@pytest.mark.parametrize(("r", "sign"), [(2.5, -1), (3.4, -1), (3.7, 1), (4.0, 1)])
def test_sign_tells_a_logistic_map_that_settles_from_a_chaotic_one(r: float, sign: int) -> None:
    x = systems.logistic(100, r, 0.1, skip=0)
    assert np.sign(largest_lyapunov(x, 6, 2, 10, 10)) == sign


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_what_comes_to_rest_has_the_logarithm_of_its_factor(dim: int) -> None:
    assert largest_lyapunov(0.9 ** np.arange(120.0), dim, 1, 5, 20) == pytest.approx(math.log(0.9), abs=1e-9)
    decay = np.exp(-0.9 * 0.05 * np.arange(150.0))
    assert largest_lyapunov(decay, dim, 2, 5, 20) / 0.05 == pytest.approx(-0.9, abs=1e-9)


def test_the_interval_holds_the_exponent_of_most_orbits() -> None:
    starts = np.random.default_rng(2).uniform(0.1, 0.9, 30 if JIT else 8)
    held = 0
    for start in starts:
        _, low, high, r2, _, _ = rosenstein(systems.logistic(300 if JIT else 120, x=start), 2, 1, 3, 8)
        held += low <= math.log(2) <= high
        assert high - low < 0.2
        assert r2 > 0.98
    assert held >= 0.75 * len(starts)


def test_longer_series_have_narrower_intervals() -> None:
    widths = []
    for n in (150, 600) if JIT else (80, 240):
        _, low, high, _, _, _ = rosenstein(systems.logistic(n), 2, 1, 3, 8)
        widths.append(high - low)
    assert widths[1] < 0.8 * widths[0]


def test_a_wave_has_none() -> None:
    wave = np.sin(np.arange(300) * 0.1)
    exponent, low, high, _, _, _ = rosenstein(wave, 3, 15, 60, 30)
    assert abs(exponent) < 1e-3
    assert low <= 0.0 <= high


@pytest.mark.parametrize("period", [2, 3, 8, 20])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_what_repeats_exactly_is_not_determined(period: int, dim: int) -> None:
    rng = np.random.default_rng(period)
    for x in (
        np.tile(rng.normal(size=period), 12),
        np.sin(2 * np.pi * np.arange(12.0 * period) / period + 0.1),
    ):
        assert rosenstein(x, dim, 1, period, 5) == pytest.approx(UNDETERMINED, nan_ok=True)


@given(
    st.floats(1e-9, 1e9),
    st.floats(-1e3, 1e3),
    st.sampled_from([systems.logistic(120), systems.lorenz(120, 0.05)]),
)
@settings(deadline=None, max_examples=40 if JIT else 2)
def test_scale_and_offset_do_not_count(scale: float, offset: float, x: Series) -> None:
    moved = (x + offset) * scale
    assert rosenstein(moved, 2, 1, 5, 12) == pytest.approx(rosenstein(x, 2, 1, 5, 12), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_ends_of_the_numbers_are_no_matter(scale: float) -> None:
    x = systems.logistic(120)
    assert largest_lyapunov(x * scale, 2, 1, 5, 8) == pytest.approx(largest_lyapunov(x, 2, 1, 5, 8), rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_value_that_is_not_finite_leaves_nothing(bad: float, place: int) -> None:
    x = systems.logistic(100)
    x[place] = bad
    assert rosenstein(x, 2, 1, 1, 5) == pytest.approx(UNDETERMINED, nan_ok=True)


@pytest.mark.parametrize(
    ("x", "steps"),
    [(np.ones(100), 5), (np.arange(8.0), 8), (np.empty(0), 3), (np.arange(100.0), 0), (np.arange(14.0), 5)],
    ids=["constant", "too short", "empty", "no steps", "few pairs"],
)
def test_what_is_not_determined_is_nan(x: Series, steps: int) -> None:
    assert math.isnan(largest_lyapunov(x, 2, 1, 1, steps))


@pytest.mark.parametrize(
    ("dim", "lag", "theiler"), [(0, 1, 1), (2, 0, 1), (2, -3, 1), (2, 1, -1), (90, 90, 1)]
)
def test_parameters_out_of_range_determine_nothing(dim: int, lag: int, theiler: int) -> None:
    assert math.isnan(largest_lyapunov(systems.logistic(100), dim, lag, theiler, 5))


@given(
    st.lists(st.floats(allow_subnormal=False) | st.sampled_from([0.0, 1.0, 2.0]), max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(1, 6),
)
@settings(deadline=None, max_examples=200 if JIT else 20)
def test_any_series_gives_an_interval_about_its_number_or_nothing(
    values: list[float], dim: int, lag: int, theiler: int, steps: int
) -> None:
    exponent, low, high, r2, first, last = rosenstein(np.array(values, np.float64), dim, lag, theiler, steps)
    if math.isnan(exponent):
        assert (first, last) == (-1, -1)
        return
    assert all(map(math.isfinite, values))
    assert low <= exponent <= high or math.isnan(low)
    assert 0 <= first < last <= steps
    assert math.isnan(r2) or -1e-9 <= r2 <= 1 + 1e-9
