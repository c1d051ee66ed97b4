"""The ring of samples, and which windows are due."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.attractor import attractor_update


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats()), max_size=60),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_windows_are_the_last_samples_of_each_lane(
    said: list[tuple[int, float]], size: int, every: int
) -> None:
    n = len(said)
    rows = np.array([row for row, _ in said], np.int32)
    values = np.array([value for _, value in said], np.float64)
    ring = np.zeros((3, size)), np.zeros((3, (size - 1) // every + 1), np.int64), np.zeros(3, np.int64)
    windows, places, begins = np.empty((n, size)), np.empty(n, np.int64), np.empty(n, np.int64)
    count = attractor_update(rows, values, np.arange(n) * 10, every, *ring, windows, places, begins)
    expected = []
    lanes: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for place, (row, value) in enumerate(said):
        if np.isfinite(value):
            lanes[row].append(place)
            if len(lanes[row]) >= size and (len(lanes[row]) - size) % every == 0:
                last = lanes[row][-size:]
                expected.append((place, last[0] * 10, [said[k][1] for k in last]))
    found = zip(places.tolist(), begins.tolist(), windows.tolist(), strict=True)
    assert list(found)[:count] == expected
