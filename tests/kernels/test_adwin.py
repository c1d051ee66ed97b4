"""ADWIN against buckets that hold their samples, and river's alarms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.adwin import ADWIN, BUCKET, LEVELS, MOST, adwin, shape
from tests import naive_drift
from tests.detectors import alarms, false_alarms, stepwise


def lane(levels: int = LEVELS, most: int = MOST) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.zeros(1, ADWIN), np.zeros((1, levels, most + 1), BUCKET)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 9999),
    st.sampled_from([(0.3, 4, 5), (0.002, 8, 5), (0.3, 1, 1), (2.0, 2, 3)]),
    st.sampled_from([(12, 5), (3, 2), (1, 4), (2, 3)]),
)
def test_windows_and_the_first_alarm_are_those_of_the_twin(
    seed: int, settings: tuple[float, int, int], room: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(rng.uniform(-3, 3), rng.uniform(0.1, 1), rng.integers(1, 60)) for _ in range(3)]
    x = np.concatenate(parts)
    twin = naive_drift.Adwin(*settings, *room)
    kept = lane(*room)
    for place, alarm in enumerate(stepwise(adwin, np.array(settings, np.float64), x, *kept)):
        behind = twin.take(float(x[place]))
        assert bool(alarm) == (behind is not None)
        held = kept[0][0]
        samples = [value for bucket in twin.window() for value in bucket]
        assert held["width"] == len(samples)
        assert held["sum"] == pytest.approx(sum(samples), abs=1e-9)
        assert held["spread"] == pytest.approx(np.var(samples) * len(samples), abs=1e-9)
        if behind is not None:
            assert place + 1 - held["changed"] == behind
            assert held["after"] == pytest.approx(x[place + 1 - behind : place + 1].mean())
            assert held["before"] == pytest.approx(x[: place + 1 - behind].mean())
            return


def moved(seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random(700) * 0.5, 0.3 + 0.5 * rng.random(400), rng.random(900) ** 3])


@pytest.mark.parametrize(
    ("seed", "delta", "clock", "river"),
    [(0, 0.002, 32.0, [735, 1151]), (1, 0.002, 32.0, [767, 1183]), (2, 0.3, 4.0, [723, 1127])],
)
def test_alarms_are_those_of_river(seed: int, delta: float, clock: float, river: list[int]) -> None:
    """river 0.26: ADWIN(delta, clock), which begins anew behind an alarm."""
    found = alarms(adwin, np.array([delta, clock, 5.0]), moved(seed), *lane())
    assert [place for place, _ in found] == river


def test_the_change_is_told_from_the_most_telling_cut() -> None:
    """To a bucket: the youngest cut lies some samples back, where buckets of two and four begin."""
    x = np.concatenate([np.full(96, 0.2), np.full(40, 0.8)])
    place, held = next(alarms(adwin, shape(1e-4), x, *lane()))
    assert 96 < place < 112
    assert 88 <= held["changed"] <= 96
    assert held["side"] == 1
    assert held["before"] == pytest.approx(0.2)
    assert 0.6 < held["after"] < 0.81


def test_a_lane_with_an_alarm_rests_until_it_is_a_new_one() -> None:
    kept = lane()
    said = [bool(alarm) for alarm in stepwise(adwin, shape(1e-4), np.repeat([0.2, 0.8, 0.4], 200), *kept)]
    assert sum(said) == 1
    assert kept[0]["count"] == said.index(True) + 1


def test_a_window_that_is_full_forgets_its_oldest() -> None:
    kept = lane(2, 2)
    assert not any(stepwise(adwin, np.array([1e-9, 4.0, 5.0]), np.arange(100.0), *kept))
    assert kept[0]["width"][0] <= 3 + 2 * 3
    assert kept[1][0, 1, 0]["begin"] >= 90


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_passed_by(bad: float) -> None:
    kept = lane()
    assert not any(stepwise(adwin, shape(1e-4), np.full(50, bad), *kept))
    assert kept[0].tobytes() == np.zeros(1, ADWIN).tobytes()


def test_a_constant_has_no_alarm() -> None:
    assert not list(alarms(adwin, shape(1e-3), np.full(1000, 0.5), *lane()))


@pytest.mark.skipif(not hasattr(adwin, "py_func"), reason="two million samples: too long without the JIT")
def test_false_alarms_of_even_scores_are_as_many_as_asked_for() -> None:
    x = np.random.default_rng(1).random((1000, 2000))
    kept = np.zeros(1000, ADWIN), np.zeros((1000, LEVELS, MOST + 1), BUCKET)
    assert false_alarms(adwin, shape(1e-3), x, *kept) == pytest.approx(1e-3, rel=0.15)
