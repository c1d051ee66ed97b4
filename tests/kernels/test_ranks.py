"""Ranks against their slow twin, and the promise that no distribution changes them, by all permutations."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.ranks import normal_scores, rank_shares, spread_scores
from tests import naive_drift

Series = NDArray[np.float64]
Turns = NDArray[np.int64]


class Ranks:
    """Some lanes, and the intervals of what they are given."""

    def __init__(self, lanes: int, reference: int) -> None:
        self.seen = np.zeros(lanes, np.int64)
        self.edges = np.zeros((lanes, reference), np.float32)
        self.counts = np.zeros((lanes, 2 * reference + 1), np.uint32)

    def take(self, rows: list[int], values: list[float]) -> tuple[Series, Series, Turns]:
        said = np.array(rows, np.int32), np.array(values)
        shares = np.empty(len(rows)), np.empty(len(rows)), np.empty(len(rows), np.int64)
        rank_shares(*said, self.seen, self.edges, self.counts, *shares)
        return shares


def intervals(values: list[float], reference: int) -> tuple[Series, Series, Turns]:
    return Ranks(1, reference).take([0] * len(values), values)


few_values = st.lists(st.integers(-3, 3).map(float) | st.floats(-9, 9, width=32), max_size=40)


@settings(deadline=None)
@given(few_values, st.integers(1, 12))
def test_intervals_are_those_of_the_twin(values: list[float], reference: int) -> None:
    twin = naive_drift.shares(values, reference)
    for low, high, turn, known in zip(*intervals(values, reference), twin, strict=True):
        if known is None:
            assert math.isnan(low)
            assert math.isnan(high)
            assert turn == 0
        else:
            assert (low, high) == pytest.approx(known[0])
            assert turn == known[1]


@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5), (0, 0, 1, 1, 2), (0, 0, 0, 0, 1), (7, 7, 7, 7, 7)])
@pytest.mark.parametrize("reference", [1, 2, 3])
def test_over_all_orders_every_place_is_equally_likely_whatever_came_before(
    values: tuple[int, ...], reference: int
) -> None:
    """What makes the detectors free of distributions: exact, for samples in any order, ties or none."""
    joint = np.zeros((4, 5))
    orders = list(itertools.permutations(map(float, values)))
    for order in orders:
        lows, highs, _ = intervals(list(order), reference)
        chances = [
            np.array([max(0.0, min(high, (j + 1) / n) - max(low, j / n)) / (high - low) for j in range(n)])
            for n, low, high in zip((4, 5), lows[3:], highs[3:], strict=True)
        ]
        joint += np.outer(*chances) / len(orders)
    np.testing.assert_allclose(joint, 1 / 20)


@settings(deadline=None)
@given(few_values, few_values, st.lists(st.integers(0, 20), max_size=4))
def test_lanes_and_packets_do_not_meet(one: list[float], two: list[float], cuts: list[int]) -> None:
    said = [
        (row, v) for pair in itertools.zip_longest(one, two) for row, v in enumerate(pair) if v is not None
    ]
    ranks, parts = Ranks(2, 5), []
    for first, last in itertools.pairwise([0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]):
        parts.append(
            ranks.take(*map(list, zip(*said[first:last], strict=True))) if last > first else ([], [])
        )
    lows = np.concatenate([part[0] for part in parts])
    for row, values in enumerate((one, two)):
        mine = np.array([place for place, (which, _) in enumerate(said) if which == row], np.int64)
        np.testing.assert_array_equal(lows[mine], intervals(values, 5)[0])


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20), max_size=40))
def test_only_the_order_of_values_counts(values: list[int]) -> None:
    for bent in ([math.exp(v) for v in values], [3.0 * v - 5.0 for v in values]):
        np.testing.assert_array_equal(intervals(bent, 6), intervals([*map(float, values)], 6))


def test_what_is_not_finite_is_no_sample_and_what_is_huge_is_one() -> None:
    values = [1.0, math.nan, 2.0, math.inf, 1.5, -math.inf, 1e300, -1e300]
    lows, highs, _ = intervals(values, 2)
    assert np.isnan(lows[[0, 1, 2, 3, 5]]).all()
    assert (lows[4], highs[4]) == (1 / 3, 2 / 3)
    assert (lows[6], highs[6]) == (3 / 4, 1.0)
    assert (lows[7], highs[7]) == (0.0, 1 / 5)


def test_a_constant_has_the_score_0_and_nothing_to_spread_over() -> None:
    lows, highs, turns = intervals([0.25] * 30, 8)
    scores = np.empty(30)
    normal_scores(lows, highs, scores)
    assert np.isnan(scores[:8]).all()
    assert (scores[8:] == 0.0).all()
    spread_scores(lows, highs, turns, scores)
    assert np.isnan(scores).all()


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(1e-6, 1))
def test_a_score_is_the_mean_between_two_quantiles(low: float, width: float) -> None:
    low = min(low, 1.0 - width)
    lows, highs, scores = np.array([low]), np.array([low + width]), np.empty(1)
    normal_scores(lows, highs, scores)
    assert scores[0] == pytest.approx(naive_drift.normal_score((low, low + width)), abs=1e-8)


def test_turns_are_spread_over_their_interval_whichever_of_them_follow_each_other() -> None:
    n = 1000
    lows, highs, scores = np.full(n, 0.6), np.full(n, 0.9), np.empty(n)
    spread_scores(lows, highs, np.arange(n), scores)
    places = np.array([(NormalDist().cdf(score) - 0.6) / 0.3 for score in scores])
    assert places[0] == pytest.approx(0.5)
    assert 0.0 < places.min() < places.max() < 1.0
    for some in (2, 5, 20, 100):
        even = (np.arange(some) + 0.5) / some
        windows = np.sort(np.lib.stride_tricks.sliding_window_view(places, some), axis=1)
        # Kolmogorov's distance of 100 draws by lot is 0.087 on average, of 1,000 windows 0.17 at most.
        assert np.abs(windows - even).max() < (0.6 + 0.35 * math.log(some)) / some


def test_the_last_turn_that_can_be_counted_stays_inside() -> None:
    turns = np.array([2**32 - 1, 2**32 - 2, 2**31], np.int64)
    scores = np.empty(3)
    spread_scores(np.zeros(3), np.full(3, 0.5), turns, scores)
    assert (np.isfinite(scores) & (scores < 0.0)).all()


@pytest.mark.parametrize("share", [1e-300, 1e-30, 1e-9, 0.03, 0.07, 0.0751, 0.5, 0.9249, 0.93, 1 - 1e-9])
def test_quantiles_have_sixteen_digits(share: float) -> None:
    scores = np.empty(1)
    spread_scores(np.array([share]), np.array([share]), np.zeros(1, np.int64), scores)
    assert scores[0] == pytest.approx(NormalDist().inv_cdf(share), rel=1e-14)
