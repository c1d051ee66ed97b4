"""Bayesian on-line detection against the posterior from all samples of all runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.bocpd import BOCPD, MOST, RUN, bocpd, shape
from tests import naive_drift
from tests.detectors import alarms, false_alarms, stepwise


def lane(most: int = MOST) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.zeros(1, BOCPD), np.zeros((1, most), RUN)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999), st.sampled_from([1e-4, 1e-2, 0.2]), st.sampled_from([2, 5, 100]))
def test_posterior_and_alarms_are_those_of_the_twin(seed: int, false_alarm: float, most: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate(
        [rng.normal(rng.uniform(-3, 3), rng.uniform(0.1, 2), rng.integers(1, 25)) for _ in range(2)]
    )
    settled = shape(false_alarm)
    twin = naive_drift.Runs(settled[0], tuple(settled[1:5]), most)
    kept = lane(most)
    for place, alarm in enumerate(stepwise(bocpd, settled, x, *kept)):
        told = twin.take(float(x[place]))
        held = kept[1][0][: kept[0]["runs"][0]]
        ours = {int(r["begin"]) if r["count"] else place + 1: float(r["weight"]) for r in held}
        theirs = {first: p for first, p, _ in twin.runs}
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-12)
        assert bool(alarm) == told
        if told:
            begin = kept[0]["changed"][0]
            assert begin == twin.likeliest
            assert kept[0]["after"][0] == pytest.approx(x[begin : place + 1].mean())
            assert kept[0]["before"][0] == pytest.approx(x[:begin].mean())
            return


@pytest.mark.parametrize("side", [1, -1])
def test_a_shift_is_told_with_its_begin_and_side(side: int) -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=100), rng.normal(4 * side, 1, 30)])
    place, held = next(alarms(bocpd, shape(1e-4), x, *lane()))
    assert 100 <= place < 108
    assert (int(held["side"]), int(held["changed"])) == (side, 100)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_change_of_the_spread_alone_is_told(factor: float) -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(size=100), factor * rng.normal(size=40)])
    place, held = next(alarms(bocpd, shape(1e-4), x, *lane()))
    assert 100 <= place < 130
    assert abs(held["changed"] - 100) <= 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_passed_by(bad: float) -> None:
    kept = lane()
    assert not any(stepwise(bocpd, shape(1e-4), np.full(50, bad), *kept))
    assert kept[0].tobytes() == np.zeros(1, BOCPD).tobytes()


@pytest.mark.parametrize(
    "x", [np.full(400, 0.7), np.full(400, 1e150), np.array([0.0, 1e200, -1e200, 0.0] * 20)]
)
def test_extremes_leave_probabilities(x: NDArray[np.float64]) -> None:
    kept = lane()
    list(stepwise(bocpd, shape(1e-4), x, *kept))
    weights = kept[1][0]["weight"][: kept[0]["runs"][0]]
    assert np.isfinite(weights).all()


@pytest.mark.skipif(not hasattr(bocpd, "py_func"), reason="a million samples: too long without the JIT")
def test_false_alarms_of_normal_scores_are_as_many_as_asked_for() -> None:
    x = np.random.default_rng(1).normal(size=(1000, 1000))
    kept = np.zeros(1000, BOCPD), np.zeros((1000, MOST), RUN)
    assert false_alarms(bocpd, shape(1e-3), x, *kept) == pytest.approx(1e-3, rel=0.2)
