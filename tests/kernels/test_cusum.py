"""Cumulative sums against sums over all beginnings, and published run lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.cusum import CUSUM, cusum, threshold
from tests import naive_drift
from tests.detectors import alarms, false_alarms, stepwise

scores_of = st.lists(st.floats(-3, 3), max_size=40).map(np.array)


@settings(deadline=None)
@given(scores_of, st.sampled_from([0.0, 0.25, 0.5]), st.sampled_from([1.0, 3.0, 6.0]))
def test_the_first_alarm_is_that_of_the_largest_sum_over_all_beginnings(
    x: np.ndarray[tuple[int], np.dtype[np.float64]], slack: float, reach: float
) -> None:
    shape = np.array([slack, reach + 1e-7, reach + 1e-7])  # sums that are equal but for rounding
    expected = naive_drift.cusum(x.tolist(), slack, reach + 1e-7)
    found = next(alarms(cusum, shape, x, np.zeros(1, CUSUM)), None)
    assert (found is None) == (expected is None)
    if found and expected:
        place, lane = found
        assert (place, int(lane["side"])) == expected[:2]
        begin = lane["changed"]
        side = expected[1]
        assert math.fsum(side * x[begin : place + 1] - slack) == pytest.approx(
            math.fsum(side * x[expected[2] : place + 1] - slack)
        )
        assert lane["after"] == pytest.approx(x[begin : place + 1].mean())
        if begin:
            assert lane["before"] == pytest.approx(x[:begin].mean())
        else:
            assert math.isnan(lane["before"])


@pytest.mark.parametrize("slack", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("reach", [3.0, 5.0, 8.0])
def test_thresholds_have_their_run_length(reach: float, slack: float) -> None:
    """Siegmund's formula is an approximation; the run length by a Markov chain is exact in its limit."""
    run = naive_drift.cusum_run_length(slack, reach)
    assert threshold(1 / run, 1, slack) == pytest.approx(reach, abs=0.06 * slack)
    assert threshold(2 / run, 2, slack) == threshold(1 / run, 1, slack)


def test_the_run_length_of_the_textbook() -> None:
    """NIST/SEMATECH e-Handbook, 6.3.2.3.1: k = 0.5, h = 4 and 5 have runs of 336 and 930 samples."""
    assert naive_drift.cusum_run_length(0.5, 4.0) == pytest.approx(336, rel=0.005)
    assert naive_drift.cusum_run_length(0.5, 5.0) == pytest.approx(930, rel=0.005)


@settings(deadline=None)
@given(st.floats(1e-7, 0.5), st.floats(0.05, 2.0))
def test_rarer_alarms_take_a_higher_threshold(false_alarm: float, slack: float) -> None:
    reached = [threshold(false_alarm / factor, 2, slack) for factor in (1, 2, 10)]
    assert 0.0 <= reached[0] <= reached[1] < reached[2]


@pytest.mark.skipif(not hasattr(cusum, "py_func"), reason="two million samples: too long without the JIT")
@pytest.mark.parametrize(("false_alarm", "slack"), [(1e-3, 0.5), (1e-3, 0.25)])
def test_false_alarms_of_normal_scores_are_as_many_as_asked_for(false_alarm: float, slack: float) -> None:
    x = np.random.default_rng(1).normal(size=(200, 10_000))
    reach = threshold(false_alarm, 2, slack)
    # A lane rests for half a block of 200 samples behind an alarm.
    tested = 1.0 - 100 * false_alarm
    found = false_alarms(cusum, np.array([slack, reach, reach]), x, np.zeros(200, CUSUM))
    assert found / tested == pytest.approx(false_alarm, rel=0.1)


def test_an_alarm_leaves_the_lane_at_rest_and_other_lanes_alone() -> None:
    x = np.full(12, 2.0)
    rows = np.array([0, 1] * 6, np.int32)
    lanes, places = np.zeros(2, CUSUM), np.empty(12, np.int64)
    shape = np.array([0.5, 4.0, np.inf])
    assert cusum(rows, x, x, np.arange(12), shape, lanes, places) == 2
    assert places[:2].tolist() == [4, 5]
    assert lanes["count"].tolist() == [3, 3]
    assert cusum(rows, x, x, np.arange(12), shape, lanes, places) == 0


def test_a_side_that_is_not_watched_says_nothing() -> None:
    x = np.full(20, -3.0)
    assert not list(alarms(cusum, np.array([0.5, 4.0, np.inf]), x, np.zeros(1, CUSUM)))
    assert list(alarms(cusum, np.array([0.5, np.inf, 4.0]), x, np.zeros(1, CUSUM)))


def test_what_is_not_finite_is_passed_by() -> None:
    shape = np.array([0.5, 4.0, 4.0])
    for bad in (np.nan, np.inf, -np.inf):
        lane = np.zeros(1, CUSUM)
        assert not any(stepwise(cusum, shape, np.full(50, bad), lane))
        assert lane.tobytes() == np.zeros(1, CUSUM).tobytes()
    lanes, places = np.zeros(1, CUSUM), np.empty(3, np.int64)
    scores, values = np.array([np.nan, 3.0, 3.0]), np.array([10.0, 20.0, 30.0])
    assert cusum(np.zeros(3, np.int32), scores, values, np.arange(3), shape, lanes, places) == 1
    assert (lanes["before"][0], lanes["after"][0], lanes["changed"][0]) == (10.0, 25.0, 1)
