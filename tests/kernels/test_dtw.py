"""DTW against the full matrix and published error rates; SPRING against its paper, word for word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.dtw import dtw_distance, spring_update
from tests import naive

# Quarters add up without rounding, so that two orders of summation agree to the last bit.
quarters = st.integers(-12, 12).map(lambda n: n / 4)
series = st.lists(quarters, min_size=1, max_size=12).map(np.array)
first_call_compiles = settings(deadline=None)
RATES = {"ed": "err_1nn_ed", "learned": "err_1nn_dtw_learned_w", "full": "err_1nn_dtw_w100"}


@first_call_compiles
@given(series, series, st.integers(0, 12))
def test_distance_is_that_of_the_full_matrix(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: int
) -> None:
    assert dtw_distance(x, y, radius) == naive.dtw_distance(x, y, radius)


@first_call_compiles
@given(series, series, st.integers(0, 12))
def test_distance_is_symmetric_and_falls_as_the_band_widens(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: int
) -> None:
    assert dtw_distance(x, y, radius) == dtw_distance(y, x, radius)
    assert dtw_distance(x, y, radius + 1) <= dtw_distance(x, y, radius)


@first_call_compiles
@given(series)
def test_radius_0_is_squared_euclidean_distance(x: NDArray[np.float64]) -> None:
    y = x[::-1].copy()
    assert dtw_distance(x, y, 0) == ((x - y) ** 2).sum()


def test_an_empty_series_is_infinitely_far_from_any_but_an_empty_one() -> None:
    nothing = np.empty(0)
    assert dtw_distance(nothing, nothing, 3) == 0.0
    assert dtw_distance(nothing, np.zeros(2), 3) == dtw_distance(np.zeros(2), nothing, 3) == np.inf


def _ucr(path: Path) -> tuple[NDArray[np.float64], list[str]]:
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
    cut = [line.rsplit(":", 1) for line in lines]
    return np.array([[float(x) for x in values.split(",")] for values, _ in cut]), [label for _, label in cut]


@pytest.mark.parametrize("name", ["ItalyPowerDemand", "ECG200", "Coffee", "GunPoint", "Beef"])
def test_nearest_neighbour_errs_as_often_as_published(data_dir: Path, name: str) -> None:
    if not hasattr(dtw_distance, "py_func"):
        pytest.skip("a million cells a series: too long without the JIT")
    rows = (data_dir / "ucr" / "published-error-rates.csv").read_text().splitlines()
    keys = rows[0].split(",")
    published = next(dict(zip(keys, row.split(","), strict=True)) for row in rows if row.startswith(name))
    train, labels = _ucr(data_dir / "ucr" / f"{name}_TRAIN.ts")
    test, truth = _ucr(data_dir / "ucr" / f"{name}_TEST.ts")
    length = train.shape[1]
    radii = {"ed": 0, "learned": int(float(published["learned_w_percent"]) * length / 100), "full": length}
    for kind, radius in radii.items():
        wrong = 0
        for x, label in zip(test, truth, strict=True):
            nearest = int(np.argmin([dtw_distance(x, y, radius) for y in train]))
            wrong += labels[nearest] != label
        assert round(wrong / len(test), 4) == pytest.approx(float(published[RATES[kind]]), abs=5e-5), kind


class Lane:
    """The kernel on one lane and some patterns of one signal."""

    def __init__(self, patterns: list[NDArray[np.float64]], within: float) -> None:
        patterns = sorted(patterns, key=len)
        count, cells = len(patterns), sum(map(len, patterns))
        groups = np.full(257, count)
        groups[0] = 0
        self.patterns = (
            np.concatenate(patterns),
            np.cumsum([0, *map(len, patterns)]),
            groups,
            np.full(count, within),
        )
        self.distance = np.full((1, cells), np.inf)
        self.start = np.zeros((1, cells), np.int32)
        self.best = np.full((1, count), np.inf)
        self.places = [np.zeros((1, count), np.int64) for _ in range(3)]

    def feed(self, x: NDArray[np.float64]) -> list[tuple[int, int, float, int, int]]:
        """Samples of one character each, from 0 on: (decided, pattern, value, begin, stop)."""
        n = len(x)
        size = n * len(self.best[0])
        out = [np.empty(size, t) for t in (np.int64, np.int64, np.float64, np.int64, np.int64)]
        places = np.arange(n)
        columns = (np.zeros(n, np.int32), np.zeros(n, np.uint8), x, places, places + 1)
        state = (self.distance, self.start, self.best, *self.places)
        count = spring_update(*columns, *self.patterns, *state, *out)
        return list(zip(*(column[:count].tolist() for column in out), strict=True))


@first_call_compiles
@given(
    st.lists(quarters, min_size=1, max_size=40), st.lists(series, min_size=1, max_size=3), quarters.map(abs)
)
def test_spring_reports_what_the_paper_does(
    values: list[float], patterns: list[NDArray[np.float64]], within: float
) -> None:
    x = np.array(values)
    lane = Lane(patterns, within)
    found = lane.feed(x)
    for p, pattern in enumerate(sorted(patterns, key=len)):
        expected = list(naive.spring(x, pattern, within * len(pattern)))
        held = [match for match in expected if match.decided < 0]
        said = [match for match in expected if match.decided >= 0]
        assert [(t, v, b, s) for t, q, v, b, s in found if q == p] == [
            (m.decided, m.distance / len(pattern), m.first, m.last + 1) for m in said
        ]
        best, begin, stop = lane.best[0, p], lane.places[0][0, p], lane.places[2][0, p]
        assert [(m.distance, m.first, m.last + 1) for m in held] == (
            [(best, begin, stop)] if best < np.inf else []
        )


@first_call_compiles
@given(st.lists(quarters, min_size=1, max_size=10), series)
def test_a_column_ends_in_the_nearest_of_all_subsequences(
    values: list[float], pattern: NDArray[np.float64]
) -> None:
    x = np.array(values)
    lane = Lane([pattern], 0.0)
    lane.patterns[3][:] = -1.0  # nothing matches, so nothing is forgotten
    for end, (distance, _) in enumerate(naive.nearest_subsequence(x, pattern)):
        lane.distance[:] = np.inf
        lane.feed(x[: end + 1])
        assert lane.distance[0, -1] == distance
        begin = int(lane.start[0, -1])
        assert naive.dtw_distance(x[begin : end + 1], pattern, len(x) + len(pattern)) == distance


def test_a_pattern_is_found_at_half_speed_and_in_noise() -> None:
    rng = np.random.default_rng(1)
    pattern = np.sin(np.linspace(0, 2 * np.pi, 20))
    x = np.concatenate([np.full(30, 3.0), np.repeat(pattern, 2), np.full(30, 3.0)])
    (match,) = Lane([pattern], 0.1).feed(x + rng.normal(0, 0.05, len(x)))
    _, _, value, begin, stop = match
    assert value < 0.05
    assert abs(begin - 30) <= 2
    assert abs(stop - 70) <= 2


def test_a_value_that_is_not_finite_is_passed_over() -> None:
    pattern = np.array([0.0, 1.0, 0.0])
    x = np.array([5.0, 0.0, np.nan, 1.0, np.inf, 0.0, 5.0, 5.0])
    ((_, _, value, begin, stop),) = Lane([pattern], 0.0).feed(x)
    assert (value, begin, stop) == (0.0, 1, 6)
