"""The study of one series: numbers where it determines them, and what is missing where it does not."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.attractor import Regime
from operators.kernels.correlation import correlation_sum
from operators.study import Number, Study, study
from tests import systems

JIT = hasattr(correlation_sum, "py_func")
compiled = pytest.mark.skipif(
    not JIT, reason="a thousand points squared, many times: too long without the JIT"
)

Series = NDArray[np.float64]


def numbers(found: Study) -> dict[str, Number]:
    every = {field.name: getattr(found, field.name) for field in fields(found)}
    return {name: each for name, each in every.items() if isinstance(each, Number)}


def assert_each_says_one_thing(found: Study) -> None:
    """A value or what is missing for it, never both and never neither; intervals hold their value."""
    for name, number in numbers(found).items():
        assert math.isnan(number.value) == bool(number.missing), name
        assert math.isfinite(number.value) or math.isnan(number.value), name
        if math.isfinite(number.low):
            assert number.low <= number.value <= number.high, name


def near(number: Number, value: float, rel: float) -> bool:
    return number.value == pytest.approx(value, rel=rel)


@compiled
def test_henon_has_what_is_published_of_it() -> None:
    found = study(systems.henon(2000))
    assert_each_says_one_thing(found)
    assert found.regime is Regime.CHAOTIC
    assert (found.delay.value, found.false_neighbours.value, found.cao.value) == (1, 2, 2)
    assert near(found.rosenstein, 0.419, 0.1)
    assert near(found.kantz, 0.419, 0.1)
    assert near(found.correlation_dimension, 1.22, 0.08)
    assert found.zero_one.value > 0.9
    assert found.nonlinearity.p <= 0.05


@compiled
def test_lorenz_has_what_is_published_of_it() -> None:
    found = study(systems.lorenz(3000, 0.05)[-3000:], np.arange(3000) * 0.05)
    assert_each_says_one_thing(found)
    assert found.regime is Regime.CHAOTIC
    assert found.false_neighbours.value == 3
    assert near(found.rosenstein, 0.906 * found.step, 0.15)
    assert near(found.correlation_dimension, 2.05, 0.1)
    assert found.determinism.value > 0.9


@compiled
def test_the_series_of_nolds_is_that_of_a_lorenz_flow(data_dir: Path) -> None:
    found = study(np.loadtxt(data_dir / "dynamics" / "lorenz-x.txt"))
    assert_each_says_one_thing(found)
    assert found.false_neighbours.value == 3
    assert found.correlation_dimension.low < 2.05 < found.correlation_dimension.high


@compiled
def test_a_wave_is_a_cycle_of_dimension_1() -> None:
    found = study(7.0 + 1e-6 * np.sin(np.arange(1500) * 2 * np.pi / 31.4))
    assert_each_says_one_thing(found)
    assert found.regime is Regime.LIMIT_CYCLE
    assert near(found.period, 31.4, 0.01)
    assert near(found.correlation_dimension, 1.0, 0.05)
    assert near(found.false_neighbours, 2, 0)
    assert found.rosenstein.missing == found.kantz.missing == "limit cycle: neighbours do not part"
    assert found.nonlinearity.missing.startswith("limit cycle: no noise")


@compiled
@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_dimension_and_no_exponent(seed: int) -> None:
    found = study(np.random.default_rng(seed).normal(size=1000))
    assert_each_says_one_thing(found)
    assert found.regime in {Regime.NOISE, Regime.UNDETERMINED}
    for number in (found.false_neighbours, found.cao, found.rosenstein, found.correlation_dimension):
        assert number.missing
    assert found.permutation_entropy.value > 0.95
    assert "noise" in found.rosenstein.missing


@compiled
def test_scale_and_offset_do_not_count() -> None:
    x = systems.henon(600)
    plain, scaled = numbers(study(x)), numbers(study(x * 2.0**200 + 3.0 * 2.0**200))
    for name, number in plain.items():
        assert scaled[name].value == pytest.approx(number.value, rel=1e-3, nan_ok=True), name


@compiled
def test_the_same_series_has_the_same_answer() -> None:
    x = systems.henon(500)
    assert repr(study(x)) == repr(study(x.copy()))


@pytest.mark.parametrize(
    ("x", "missing"),
    [
        ([1.0, 5.0, 2.0] * 3 + [4.0], "needs 50 samples, got 10"),
        ([3.0] * 200, "constant: all 200 samples are 3"),
        ([0.1 + 0.2, 0.3] * 100, "constant: all 200 samples are 0.3"),
        (
            [1.0] * 16 + [np.nan, np.inf, np.nan] + [2.0] * 481,
            "3 of 500 samples are not finite, the first at 17 (nan)",
        ),
        ([1.0, 2.0, -np.inf] + [0.0] * 97, "1 of 100 samples is not finite, the first at 3 (-inf)"),
        ([1.0, 1e200] * 50, "50 of 100 samples are beyond 1e+140, the first at 2 (1e+200)"),
    ],
    ids=["short", "constant", "rounding", "not finite", "infinite", "too large"],
)  # fmt: skip
def test_what_leaves_nothing_to_ask_is_named_everywhere(x: list[float], missing: str) -> None:
    found = study(x)
    assert {number.missing for name, number in numbers(found).items() if name != "confidence"} == {missing}
    assert_each_says_one_thing(found)


def test_a_constant_is_at_rest_all_the_same() -> None:
    assert study(np.full(200, 4.2)).regime is Regime.FIXED_POINT


@compiled
def test_too_few_samples_say_how_many_are_needed() -> None:
    found = study(systems.lorenz(200, 0.01)[-200:])
    assert_each_says_one_thing(found)
    needed = found.rosenstein.missing
    assert needed.startswith("needs ")
    assert needed == found.false_neighbours.missing == found.correlation_dimension.missing
    enough = int(needed.split()[1].replace(",", ""))
    assert enough > 200
    assert "got 200" in needed


@compiled
@settings(max_examples=15)
@given(st.lists(st.floats(-1e300, 1e300) | st.sampled_from([np.nan, 0.0, 1.0]), min_size=1, max_size=120))
def test_any_numbers_have_an_answer(x: list[float]) -> None:
    assert_each_says_one_thing(study(x))


@compiled
@settings(max_examples=15)
@given(st.lists(st.integers(-3, 3), min_size=50, max_size=400))
def test_any_few_values_have_an_answer(x: list[int]) -> None:
    assert_each_says_one_thing(study(x))


@compiled
def test_what_is_missing_is_what_would_be_needed() -> None:
    slow = study(np.repeat([0.0, 1.0], 200))
    assert_each_says_one_thing(slow)
    order = int(slow.permutation_order.value)
    assert slow.permutation_entropy.value == 0.0
    assert 2 * (order - 1) * slow.delay.value + 2 <= 400
    few = study(np.append(np.random.default_rng(1).normal(size=60), 0.0))
    assert few.nonlinearity.missing == "needs 64 samples, got 61"
    two = study((np.random.default_rng(1).random(300) < 0.5) * 1.0)
    assert two.nonlinearity.missing == "needs more than two values, got 2"


@compiled
@pytest.mark.parametrize("turn", [40, 50, 100])
def test_the_walks_of_the_0_1_test_must_hold_a_cycle_several_times(turn: int) -> None:
    found = study((np.arange(400) % turn < 1) * 1.0).zero_one.missing
    assert "6 periods of" in found or "cycle longer than its walks" in found
    enough = study((np.arange(20 * 61) % 20 < 1) * 1.0).zero_one
    assert enough.value < 0.2


@compiled
def test_the_0_1_test_of_one_spike_is_none() -> None:
    spike = np.zeros(400)
    spike[100] = 1.0
    for x in (spike, 30 * spike + np.random.default_rng(0).normal(size=400)):
        assert study(x).zero_one.missing == "one sample has more than half of the variance"


@compiled
@pytest.mark.parametrize(
    "x",
    [np.arange(300.0), np.arange(300.0) + np.random.default_rng(1).normal(size=300)],
    ids=["ramp", "noisy"],
)
def test_a_trend_is_not_tested_against_noise(x: Series) -> None:
    found = study(x)
    assert found.regime is Regime.TREND
    assert found.nonlinearity.missing.startswith("trend: no noise")


def test_times_that_break_leave_the_longest_stretch() -> None:
    at = np.concatenate([np.arange(60.0), np.arange(30.0), 100.0 + np.arange(20)])
    found = study(np.full(110, 2.0), at)
    assert (found.samples, found.first, found.stop, found.step) == (110, 0, 60, 1.0)
    assert found.remarks == (
        "time goes backwards after sample 60", "a gap of 71 (median step 1) after sample 90",
    )  # fmt: skip
    assert "all 60 samples" in found.delay.missing


@pytest.mark.parametrize(
    ("x", "at", "message"),
    [
        ([], None, "x must hold 1 to 10,000 samples, not 0"),
        (np.zeros(10_001), None, "x must hold 1 to 10,000 samples, not 10,001"),
        (np.zeros((5, 2)), None, r"x must be one series of numbers \[n\]"),
        (["a", "b"], None, r"x must be one series of numbers \[n\]"),
        ([[1.0], [1.0, 2.0]], None, r"x must be one series of numbers \[n\]"),
        ([1j, 2.0], None, r"x must be one series of numbers \[n\]"),
        ([1.0, 2.0], [1.0], "at must hold a time for each of 2 samples, not 1"),
        ([1.0, 2.0], ["x", "y"], r"at must be one series of numbers \[n\]"),
    ],
)
def test_what_is_no_series_is_refused(x: object, at: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(x, at)  # type: ignore[arg-type]


def test_as_many_as_allowed_may_be_studied() -> None:
    with pytest.raises(ValueError, match="1 to 99 samples"):
        study(np.zeros(100), longest=99)
    assert study(np.zeros(99), longest=99).samples == 99


def test_times_in_nanoseconds_since_1970_keep_their_digits() -> None:
    at = 1_700_000_000_000_000_000 + np.arange(300) * 100
    found = study(np.sin(np.arange(300) / 3), at)
    assert (found.step, found.remarks) == (100.0, ())
    at[200:] += 5_000
    assert study(np.sin(np.arange(300) / 3), at).remarks == (
        "a gap of 5100 (median step 100) after sample 200",
    )
