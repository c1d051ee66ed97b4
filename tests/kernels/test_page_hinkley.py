"""Page-Hinkley, of deviations and their sums, against the textbook's form and river's alarms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.cusum import CUSUM, cusum
from operators.kernels.page_hinkley import LEVEL, deviations
from tests import naive_drift

Series = NDArray[np.float64]


def of(x: Series) -> Series:
    apart = np.empty(len(x))
    deviations(np.zeros(len(x), np.int32), x, np.zeros(1, LEVEL), apart)
    return apart


def alarms(x: Series, tolerance: float, reach: float) -> list[tuple[int, int]]:
    """Sample and side of each; behind it everything begins anew."""
    found: list[tuple[int, int]] = []
    at, shape = 0, np.array([tolerance, reach, reach])
    while True:
        rest, lane = x[at:], np.zeros(1, CUSUM)
        places = np.empty(len(rest), np.int64)
        rows, begins = np.zeros(len(rest), np.int32), np.arange(len(rest))
        if not cusum(rows, of(rest), rest, begins, shape, lane, places):
            return found
        found.append((at + int(places[0]), int(lane["side"][0])))
        at = found[-1][0] + 1


@settings(deadline=None)
@given(st.lists(st.floats(-9, 9), max_size=40))
def test_deviations_are_those_of_the_mean_so_far(values: list[float]) -> None:
    assert of(np.array(values)).tolist() == pytest.approx(naive_drift.deviations(values), abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 999), st.floats(-2, 2), st.sampled_from([0.0, 0.1, 0.25]), st.sampled_from([2.0, 6.0]))
def test_the_first_alarm_is_that_of_the_textbook(
    seed: int, shift: float, tolerance: float, reach: float
) -> None:
    x = np.random.default_rng(seed).normal(size=80)
    x[40:] += shift
    expected = naive_drift.page_hinkley(x.tolist(), tolerance, reach)
    assert next(iter(alarms(x, tolerance, reach)), None) == expected


def test_alarms_are_those_of_river() -> None:
    """river 0.26: PageHinkley(min_instances=1, delta=0.25, threshold=12, alpha=1), on this series."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 500), rng.normal(1, 1, 300), rng.normal(-1, 2, 400)])
    assert [place for place, _ in alarms(x, 0.25, 12.0)] == [512, 802, 860, 918, 1014, 1043, 1160]


def test_lanes_do_not_meet_and_what_is_not_finite_does_not_count() -> None:
    rows = np.array([0, 1, 0, 1, 0], np.int32)
    levels, apart = np.zeros(2, LEVEL), np.empty(5)
    deviations(rows, np.array([1.0, 5.0, np.nan, np.inf, 2.0]), levels, apart)
    np.testing.assert_array_equal(apart, [0.0, 0.0, np.nan, np.nan, 0.5])
    assert levels["count"].tolist() == [2, 1]
