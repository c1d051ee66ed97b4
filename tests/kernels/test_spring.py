"""SPRING against its paper, word for word, and against brute force over all subsequences."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.spring import HELD, MATCH, WIDTH, arranged, spring_update
from operators.packet import SAMPLE
from tests import naive_dtw, naive_spring

Found = tuple[int, int, float, int, int]

# Quarters add up without rounding, so that two orders of summation agree to the last bit.
quarters = st.integers(-12, 12).map(lambda n: n / 4)
coarse = st.sampled_from([0.0, 0.5, 1.0])  # many paths of the same length
series = st.lists(quarters, min_size=1, max_size=9).map(np.array)
first_call_compiles = settings(deadline=None)


def table(values: NDArray[np.float64], signals: NDArray[np.uint8] | int = 0) -> NDArray[np.void]:
    """Samples of lane 0, one character each, as a packet from another process has them."""
    samples = np.zeros(len(values), SAMPLE)
    samples["value"], samples["signal"] = values, signals
    samples["begin"] = np.arange(len(values))
    samples["stop"] = samples["begin"] + 1
    samples.flags.writeable = False
    return samples


class Lane:
    """The kernel on one lane. Patterns keep the number that they have in the list."""

    def __init__(
        self, patterns: list[NDArray[np.float64]], within: float, signals: list[int] | None = None
    ) -> None:
        signals = signals or [0] * len(patterns)
        self.order = sorted(range(len(patterns)), key=lambda p: (signals[p], -len(patterns[p])))
        self.library = arranged(
            [patterns[p].tolist() for p in self.order],
            [signals[p] for p in self.order],
            [within] * len(patterns),
        )
        cells = len(self.library.values)
        self.distance, self.start = np.full((1, cells), np.inf), np.zeros((1, cells), np.int32)
        self.held = np.zeros((1, len(patterns)), HELD)
        self.held["distance"] = np.inf

    def feed(self, samples: NDArray[np.void]) -> list[Found]:
        """(decided, pattern, value, begin, stop), in that order."""
        matches = np.zeros(len(samples) * len(self.order), MATCH)
        edge = np.empty((2, WIDTH)), np.empty((2, WIDTH), np.int32)
        count = spring_update(samples, *self.library, self.distance, self.start, self.held, *edge, matches)
        found = [(t, self.order[p], v, b, s) for t, p, v, b, s in matches[:count].tolist()]
        return sorted(found)

    def left(self, pattern: int) -> list[tuple[float, int, int]]:
        """(distance, begin, stop) of the match still held, if there is one."""
        one = self.held[0, self.order.index(pattern)]
        return [(one["distance"], one["begin"], one["stop"])] if one["distance"] < np.inf else []


@first_call_compiles
@given(
    st.lists(quarters, min_size=1, max_size=30) | st.lists(coarse, min_size=1, max_size=30),
    st.lists(series | st.lists(coarse, min_size=1, max_size=9).map(np.array), min_size=1, max_size=3),
    # As they are; a full block; full blocks with long and short patterns, and a rest.
    st.sampled_from([1, WIDTH, WIDTH + 1]),
    quarters.map(abs),
)
@example([0.0, 1.0, 0.5, 0.0, 0.0, 1.0], [np.array([1.0, 0.0, 0.0])], WIDTH, 0.5)  # a tie that shows
def test_spring_reports_what_the_paper_does(
    values: list[float], few: list[NDArray[np.float64]], times: int, within: float
) -> None:
    x = np.array(values)
    lane = Lane(few * times, within)
    found = lane.feed(table(x))
    for p, pattern in enumerate(few):
        expected = list(naive_spring.spring(x, pattern, within * len(pattern)))
        for q in range(p, len(few) * times, len(few)):
            assert [(t, v, b, s) for t, each, v, b, s in found if each == q] == [
                (m.decided, m.distance / len(pattern), m.first, m.last + 1)
                for m in expected
                if m.decided >= 0
            ]
            assert lane.left(q) == [(m.distance, m.first, m.last + 1) for m in expected if m.decided < 0]


@first_call_compiles
@given(st.lists(quarters, min_size=1, max_size=10), series, st.sampled_from([1, WIDTH]))
def test_a_column_ends_in_the_nearest_of_all_subsequences(
    values: list[float], pattern: NDArray[np.float64], times: int
) -> None:
    x = np.array(values)
    for end, (distance, _) in enumerate(naive_spring.nearest_subsequence(x, pattern)):
        lane = Lane([pattern] * times, 0.0)
        lane.library.patterns["most"] = -1.0  # nothing matches, so nothing is forgotten
        lane.feed(table(x[: end + 1]))
        for p in range(times):
            cell = lane.library.cells(p)[-1]
            assert lane.distance[0, cell] == distance
            begin = int(lane.start[0, cell])
            assert naive_dtw.dtw_distance(x[begin : end + 1], pattern, len(x) + len(pattern)) == distance


@first_call_compiles
@given(st.lists(st.tuples(st.sampled_from([0, 3, 255]), quarters), max_size=30), st.data())
def test_signals_and_cuts_know_nothing_of_each_other(
    said: list[tuple[int, float]], data: st.DataObject
) -> None:
    patterns = [np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0])]
    signals, values = np.array([s for s, _ in said], np.uint8), np.array([v for _, v in said])
    samples = table(values, signals)
    whole = Lane([*patterns, *patterns], 0.25, [0, 0, 255, 255]).feed(samples)
    for offset, signal in ((0, 0), (2, 255)):
        alone = Lane(patterns, 0.25).feed(table_of(samples, signal))
        places = np.flatnonzero(signals == signal)
        assert [found for found in whole if found[1] // 2 == offset // 2] == [
            (int(places[t]), p + offset, *rest) for t, p, *rest in alone
        ]
    cut = data.draw(st.integers(0, len(said)))
    lane = Lane([*patterns, *patterns], 0.25, [0, 0, 255, 255])
    first, second = lane.feed(samples[:cut]), lane.feed(samples[cut:])
    assert [*first, *((t + cut, *rest) for t, *rest in second)] == whole


def table_of(samples: NDArray[np.void], signal: int) -> NDArray[np.void]:
    """Those of one signal, told as signal 0."""
    alone = samples[samples["signal"] == signal].copy()
    alone["signal"] = 0
    alone.flags.writeable = False
    return alone


def test_every_value_of_a_library_has_a_cell_of_its_own() -> None:
    rng = np.random.default_rng(2)
    for count in (0, 1, WIDTH - 1, WIDTH, 3 * WIDTH + 5):
        signals = np.sort(rng.integers(0, 2, count)).tolist()
        known = [
            (signal, int(length)) for signal, length in zip(signals, rng.integers(1, 40, count), strict=True)
        ]
        known.sort(key=lambda each: (each[0], -each[1]))
        values = [rng.normal(size=length).tolist() for _, length in known]
        library = arranged(values, [signal for signal, _ in known], [0.0] * count)
        cells = [library.cells(p) for p in range(count)]
        assert sorted(np.concatenate([*cells, np.empty(0, np.int64)]).tolist()) == list(
            range(len(library.values))
        )
        assert [library.values[each].tolist() for each in cells] == values


def test_a_pattern_is_found_at_half_speed_and_in_noise() -> None:
    rng = np.random.default_rng(1)
    pattern = np.sin(np.linspace(0, 2 * np.pi, 20))
    x = np.concatenate([np.full(30, 3.0), np.repeat(pattern, 2), np.full(30, 3.0)])
    (match,) = Lane([pattern], 0.1).feed(table(x + rng.normal(0, 0.05, len(x))))
    _, _, value, begin, stop = match
    assert value < 0.05
    assert abs(begin - 30) <= 2
    assert abs(stop - 70) <= 2


def test_a_value_that_is_not_finite_is_passed_over() -> None:
    pattern = np.array([0.0, 1.0, 0.0])
    x = np.array([5.0, 0.0, np.nan, 1.0, np.inf, 0.0, 5.0, 5.0])
    ((_, _, value, begin, stop),) = Lane([pattern], 0.0).feed(table(x))
    assert (value, begin, stop) == (0.0, 1, 6)
