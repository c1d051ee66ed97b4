"""Distances side by side against one by one, and the error rates that are published for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dtw import dtw_distance, dtw_pairwise, dtw_self
from operators.kernels.dtw_pairwise import LANES

RATES = {"ed": "err_1nn_ed", "learned": "err_1nn_dtw_learned_w", "full": "err_1nn_dtw_w100"}


# Without the JIT each example takes a third of a second.
@settings(max_examples=25)
@given(
    st.integers(1, 3), st.integers(1, 2 * LANES + 1), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9)
)
def test_pairwise_is_each_distance(a: int, b: int, n: int, m: int, radius: int) -> None:
    rng = np.random.default_rng(a + b)
    xs, ys = rng.integers(-12, 12, (a, n)) / 4, rng.integers(-12, 12, (b, m)) / 4
    expected = [[dtw_distance(x, y, radius) for y in ys] for x in xs]
    assert dtw_pairwise(xs, ys, radius).tolist() == expected


@settings(max_examples=10)
@given(st.integers(1, LANES + 3), st.integers(1, 6), st.integers(0, 6))
def test_self_distances_are_the_pairwise_ones(a: int, n: int, radius: int) -> None:
    xs = np.random.default_rng(a).integers(-12, 12, (a, n)) / 4
    assert dtw_self(xs, radius).tolist() == dtw_pairwise(xs, xs, radius).tolist()


@np.errstate(invalid="ignore")  # without the JIT NumPy warns of inf - inf
def test_only_the_pairs_of_a_series_that_is_not_finite_have_no_distance() -> None:
    xs, ys = np.ones((3, 4)), np.zeros((5, 4))
    xs[1, 2], ys[4, 0] = np.nan, np.inf
    expected = np.full((3, 5), 4.0)
    expected[1] = expected[:, 4] = np.nan
    assert np.array_equal(dtw_pairwise(xs, ys, 2), expected, equal_nan=True)
    assert np.array_equal(dtw_self(ys, 2), dtw_pairwise(ys, ys, 2), equal_nan=True)


def test_empty_series_and_empty_sets() -> None:
    assert dtw_pairwise(np.empty((2, 0)), np.empty((3, 0)), 1).tolist() == [[0.0] * 3] * 2
    assert dtw_pairwise(np.empty((2, 0)), np.ones((3, 1)), 1).tolist() == [[np.inf] * 3] * 2
    assert dtw_pairwise(np.empty((0, 4)), np.ones((3, 4)), 1).shape == (0, 3)
    assert dtw_pairwise(np.ones((3, 4)), np.empty((0, 4)), 1).shape == (3, 0)
    assert dtw_self(np.empty((0, 4)), 1).shape == (0, 0)
    assert dtw_self(np.empty((2, 0)), 1).tolist() == [[0.0] * 2] * 2


def _ucr(path: Path) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
    cut = [line.rsplit(":", 1) for line in lines]
    values = np.array([[float(x) for x in values.split(",")] for values, _ in cut])
    return values, np.array([label for _, label in cut])


@pytest.mark.parametrize("name", ["ItalyPowerDemand", "ECG200", "Coffee", "GunPoint", "Beef"])
def test_nearest_neighbour_errs_as_often_as_published(data_dir: Path, name: str) -> None:
    if not hasattr(dtw_pairwise, "py_func"):
        pytest.skip("a million cells a series: too long without the JIT")
    rows = (data_dir / "ucr" / "published-error-rates.csv").read_text().splitlines()
    keys = rows[0].split(",")
    published = next(dict(zip(keys, row.split(","), strict=True)) for row in rows if row.startswith(name))
    train, labels = _ucr(data_dir / "ucr" / f"{name}_TRAIN.ts")
    test, truth = _ucr(data_dir / "ucr" / f"{name}_TEST.ts")
    length = train.shape[1]
    radii = {"ed": 0, "learned": int(float(published["learned_w_percent"]) * length / 100), "full": length}
    for kind, radius in radii.items():
        nearest = dtw_pairwise(test, train, radius).argmin(axis=1)
        rate = float((labels[nearest] != truth).mean())
        assert round(rate, 4) == pytest.approx(float(published[RATES[kind]]), abs=5e-5), kind
