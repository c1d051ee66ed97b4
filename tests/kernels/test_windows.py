"""Windows under DTW against brute force over all of them, and what it means that they are normalised."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.spring import MATCH
from operators.kernels.windows import HELD, is_flat, prepared, windows_update
from operators.packet import SAMPLE
from tests import naive_spring

Found = tuple[int, int, float, int, int]

steps = st.sampled_from([0.0, 0.5, 1.0, 1.75, 4.0])
series = st.lists(steps, min_size=2, max_size=8).filter(lambda values: len(set(values)) > 1).map(np.array)
first_call_compiles = settings(deadline=None)


class Lane:
    """The kernel on one lane. Patterns keep the number that they have in the list."""

    def __init__(self, patterns: list[NDArray[np.float64]], within: float, radius: int = 2) -> None:
        self.order = sorted(range(len(patterns)), key=lambda p: len(patterns[p]))
        known = [patterns[p].tolist() for p in self.order]
        count = len(known)
        self.library = prepared(known, [0] * count, [radius] * count, [within] * count)
        kept = len(known[-1])
        self.recent, self.recent_begin = np.zeros((1, kept)), np.zeros((1, kept), np.int32)
        self.held = np.zeros((1, count), HELD)
        self.held["distance"], self.held["wait"] = np.inf, [len(each) for each in known]
        self.tally = np.zeros(4, np.int64)
        self.said = 0

    def feed(self, values: NDArray[np.float64]) -> list[Found]:
        """(decided, pattern, value, begin, stop) of samples of one character each, in that order."""
        samples = np.zeros(len(values), SAMPLE)
        samples["value"] = values
        samples["begin"] = self.said + np.arange(len(values))
        samples["stop"] = samples["begin"] + 1
        samples.flags.writeable = False
        matches = np.zeros(len(samples) * len(self.order), MATCH)
        room = np.full((4, self.recent.shape[1] + 1), np.nan)
        count = windows_update(
            samples, *self.library, self.recent, self.recent_begin, self.held, room, self.tally, matches
        )
        first, self.said = self.said, self.said + len(values)
        return sorted((first + t, self.order[p], v, b, s) for t, p, v, b, s in matches[:count].tolist())

    def left(self, pattern: int) -> list[tuple[float, int, int]]:
        """(distance, begin, stop) of the match still held, if there is one."""
        one = self.held[0, self.order.index(pattern)]
        return [(one["distance"], one["begin"], one["stop"])] if one["distance"] < np.inf else []


def is_clear(distances: list[float], threshold: float) -> bool:
    """Whether rounding decides nothing: no two that matter are equal but for it, none is at the threshold."""
    known = sorted([*(d for d in distances if d < np.inf), threshold])
    return bool(np.all(np.diff(known) > 1e-9))


@first_call_compiles
@given(
    st.lists(st.floats(-4, 4), min_size=1, max_size=30).map(np.array),
    st.lists(series, min_size=1, max_size=3),
    st.integers(0, 9),
    st.floats(0.01, 2),
    st.integers(0, 30),
)
def test_windows_are_reported_as_by_brute_force(
    x: NDArray[np.float64], patterns: list[NDArray[np.float64]], radius: int, within: float, cut: int
) -> None:
    for pattern in patterns:
        assume(is_clear(naive_spring.window_distances(x, pattern, radius), within * len(pattern)))
    lane = Lane(patterns, within, radius)
    found = [*lane.feed(x[:cut]), *lane.feed(x[cut:])]
    for p, pattern in enumerate(patterns):
        m = len(pattern)
        expected = list(naive_spring.windows(x, pattern, radius, within * m))
        said = [each for each in expected if each.decided >= 0]
        mine = [each for each in found if each[1] == p]
        assert [(t, b, s) for t, _, _, b, s in mine] == [(e.decided, e.first, e.last + 1) for e in said]
        assert [v for _, _, v, _, _ in mine] == pytest.approx([e.distance / m for e in said], abs=1e-9)
        assert [(b, s) for _, b, s in lane.left(p)] == [
            (e.first, e.last + 1) for e in expected if e.decided < 0
        ]


@first_call_compiles
@given(st.lists(steps, min_size=2, max_size=40).map(np.array), series, st.floats(0.01, 2))
def test_reports_are_disjoint_and_whatever_matches_overlaps_one_as_near(
    x: NDArray[np.float64], pattern: NDArray[np.float64], within: float
) -> None:
    m = len(pattern)
    lane = Lane([pattern], within)
    reported = [(v * m, b) for _, _, v, b, _ in lane.feed(x)] + [(d, b) for d, b, _ in lane.left(0)]
    begins = [begin for _, begin in reported]
    assert all(later - earlier >= m for earlier, later in pairwise(begins))
    distances = naive_spring.window_distances(x, pattern, 2)
    for begin, distance in enumerate(distances):
        if distance <= within * m - 1e-9 and begin not in begins:
            around = range(max(0, begin - m + 1), min(len(distances), begin + m))
            assert any(distances[other] <= distance + 1e-9 for other in around if other != begin)


@first_call_compiles
@given(st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_level_and_scale_make_no_difference(scale: float, level: float) -> None:
    pattern = np.array([0.0, 1.0, 3.0, 1.0, 0.0, -1.0])
    x = np.concatenate([np.arange(9.0) % 2, pattern, np.arange(9.0) % 2])
    ((_, _, value, begin, stop),) = Lane([pattern], 0.01).feed(x * scale + level)
    assert value == pytest.approx(0, abs=1e-12)
    assert (begin, stop) == (9, 15)


def test_of_two_windows_as_near_the_first_is_reported() -> None:
    lane = Lane([np.array([0.0, 1.0, 0.0])], 0.1, 0)
    ((decided, _, value, begin, stop),) = lane.feed(np.array([0.0, 1.0, 0.0, 1.0, 0.0]))
    assert value == pytest.approx(0, abs=1e-12)
    assert (decided, begin, stop) == (4, 0, 3)


def test_what_is_constant_but_for_rounding_has_no_form() -> None:
    pattern = np.array([0.0, 1.0, 0.0])
    rng = np.random.default_rng(0)
    for level in (0.0, 0.1, 1e9):
        lane = Lane([pattern], 100.0)
        assert lane.feed(level * (1 + 1e-15 * rng.normal(size=50))) == []
        assert lane.left(0) == []
        assert lane.tally[0] == 0


def test_deviations_do_not_drift_in_a_long_lane() -> None:
    pattern = np.array([0.0, 1.0, 0.5, 2.0])
    lane = Lane([pattern], 1e-6)
    lane.feed(np.resize([1e12, -1e12, 3e12], 500))
    found = lane.feed(np.concatenate([pattern / 1e6, np.full(8, 0.0)]))
    assert [(b, s) for _, _, _, b, s in found] == [(500, 504)]


def test_a_value_that_is_not_finite_is_passed_over() -> None:
    pattern = np.array([0.0, 1.0, 0.0])
    x = np.array([7.0, 7.0, 5.0, np.nan, 9.0, np.inf, 5.0, 5.0, 5.0])
    ((_, _, value, begin, stop),) = Lane([pattern], 0.01, 0).feed(x)
    assert value == pytest.approx(0, abs=1e-12)
    assert (begin, stop) == (2, 7)


def test_each_bound_rules_something_out() -> None:
    rng = np.random.default_rng(4)
    lane = Lane([np.sin(np.linspace(0, 6, 24)), rng.normal(size=24).cumsum()], 0.3)
    lane.feed(rng.normal(size=300).cumsum())
    compared, *given_up = lane.tally.tolist()
    assert compared == 2 * (300 - 23)
    assert all(count > 0 for count in given_up)
    assert sum(given_up) < compared


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.1] * 7, [1e9, 1e9 + 1e-6], [1e200, -1e200], [1e-200, 0.0]])
def test_flat_values_are_known(values: list[float]) -> None:
    assert is_flat(values)


@pytest.mark.parametrize("values", [[0.0, 1.0], [1e9, 1e9 + 1e3], [1e100, -1e100], [1e-100, 0.0]])
def test_values_with_a_form_are_not_flat(values: list[float]) -> None:
    assert not is_flat(values)
