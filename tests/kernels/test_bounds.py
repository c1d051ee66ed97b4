"""Envelopes against minima and maxima, and bounds against the distance they bound."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.bounds import envelope, lb_improved, lb_keogh, lb_kim
from tests import naive_dtw

quarters = st.integers(-12, 12).map(lambda n: n / 4)
pairs = st.lists(st.tuples(quarters, quarters), min_size=1, max_size=24).map(
    lambda values: np.array(values).T.copy()
)
radii = st.integers(0, 26)


@given(pairs, radii)
def test_an_envelope_is_of_all_values_within_the_radius(both: NDArray[np.float64], radius: int) -> None:
    series = both[0]
    lower, upper = envelope(series, radius)
    around = [series[max(0, i - radius) : i + radius + 1] for i in range(len(series))]
    assert lower.tolist() == [values.min() for values in around]
    assert upper.tolist() == [values.max() for values in around]


@given(pairs, radii)
def test_no_bound_exceeds_the_distance(both: NDArray[np.float64], radius: int) -> None:
    x, y = both
    limits = envelope(y, radius)
    distance = naive_dtw.dtw_distance(x, y, radius)
    assert lb_kim(x, y) <= distance
    assert lb_keogh(x, limits) <= lb_improved(x, y, limits, radius) <= distance


@given(pairs)
def test_within_a_radius_of_0_the_bound_is_the_distance(both: NDArray[np.float64]) -> None:
    x, y = both
    assert lb_keogh(x, envelope(y, 0)) == ((x - y) ** 2).sum()


def test_values_worked_out_by_hand() -> None:
    x, y = np.array([0.0, 5.0, 1.0, 4.0]), np.array([1.0, 2.0, 2.0, 2.0])
    limits = envelope(y, 1)
    assert limits.tolist() == [[1.0, 1.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0]]
    assert lb_kim(x, y) == 1.0 + 4.0
    assert lb_keogh(x, limits) == 1.0 + 9.0 + 1.0 + 4.0
    assert lb_kim(x[:1], y[:1]) == 1.0
    # Nothing of x is outside, but y has 2 where x has nothing near it.
    inside, wide = np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.0, 1.0, 3.0, 1.0])
    limits = envelope(wide, 1)
    assert lb_keogh(inside, limits) == 0.0
    assert lb_improved(inside, wide, limits, 1) == 4.0
