"""Windows of interleaved lanes come out in one run each, however the samples are cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dynamics import freeze, unroll
from operators.kernels.trajectory import advance
from tests import naive_dynamics as naive

Series = NDArray[np.float64]


@given(st.lists(st.integers(0, 2), max_size=50), st.integers(2, 8), st.lists(st.integers(0, 50), max_size=4))
def test_the_window_of_a_sample_ends_with_it_and_follows_the_one_before(
    lanes: list[int], size: int, cuts: list[int]
) -> None:
    rows = np.array(lanes, np.int32)
    values = np.asarray(np.arange(len(rows)) + 0.5, np.float64)
    ring, seen = np.zeros((3, size)), np.zeros(3, np.int64)
    scratch = np.zeros((2, 3), np.int64)
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    for first, last in pairwise(edges):
        piece, given_ = rows[first:last], values[first:last]
        places = np.empty(len(piece), np.int64)
        series = np.full(len(piece) * (size + 1), np.nan)
        unroll(piece, given_, ring, seen, scratch, places, series)
        assert not scratch.any()
        for k, place in enumerate(places.tolist()):
            own = values[: first + k + 1][rows[: first + k + 1] == piece[k]]
            assert (place > 0) == (len(own) >= size)
            if place:
                # With the sample that left, where there is one.
                more = min(size + 1, len(own))
                assert series[place - more : place].tolist() == own[-more:].tolist()
        advance(piece, given_, ring, seen, np.empty(len(piece), np.int64), np.empty(len(piece)))


def frozen(x: Series, places: list[int], size: int, share: float) -> Series:
    radius, radii = np.zeros(1), np.empty(len(places))
    ends = np.array(places)
    freeze(np.zeros(len(ends), np.int32), ends, x, size, share, radius, np.empty(size), radii)
    assert radius[0] == radii[-1]
    return radii


def test_the_radius_is_of_the_first_window_that_is_not_constant() -> None:
    x = np.array([5.0, 5.0, 5.0, 5.0, 6.0, 9.0, 1e6])
    expected = 0.2 * naive.scale(np.array([5.0, 5.0, 6.0]))
    radii = frozen(x, [0, 0, 3, 4, 5, 6, 7], 3, 0.2)
    assert radii.tolist() == pytest.approx([0, 0, 0, 0, expected, expected, expected])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_the_scale_is_that_of_the_quartiles(values: list[float]) -> None:
    x = np.array(values)
    assert frozen(x, [len(x)], len(x), 0.5)[0] == pytest.approx(0.5 * naive.scale(x), rel=1e-9)


def test_a_normal_distribution_has_its_standard_deviation() -> None:
    x = np.random.default_rng(1).normal(3.0, 2.0, 4000)
    assert frozen(x, [len(x)], len(x), 1.0)[0] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("rare", [False, True], ids=["noise", "mostly equal"])
def test_one_long_gap_does_not_make_everything_near(rare: bool) -> None:
    rng = np.random.default_rng(2)
    x: Series = np.where(rng.random(256) < 0.2, 0.1, 0.0) if rare else rng.exponential(0.02, 256)
    with_gap = np.append(x[:-1], 30.0)
    assert frozen(with_gap, [256], 256, 0.2)[0] < 0.1 * 0.2 * np.std(with_gap)
    if not rare:
        assert frozen(with_gap, [256], 256, 0.2)[0] == pytest.approx(frozen(x, [256], 256, 0.2)[0], rel=0.1)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_the_radius_follows_the_scale_and_not_the_offset(offset: float, scale: float) -> None:
    x = np.array([0.0, 1.0, -1.0, 3.0])
    assert frozen(offset + scale * x, [4], 4, 1.0)[0] == pytest.approx(scale * naive.scale(x), rel=1e-6)
