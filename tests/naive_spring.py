"""Slow, obvious twins of the streaming matchers: SPRING as its paper states it, and all windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.naive_dtw import Series, dtw_distance


def nearest_subsequence(x: Series, y: Series) -> list[tuple[float, int]]:
    """For each end in `x`: the least DTW distance of a subsequence that ends there, and a start of one."""
    found = []
    for end in range(1, len(x) + 1):
        distances = [dtw_distance(x[start:end], y, len(x) + len(y)) for start in range(end)]
        start = int(np.argmin(distances))
        found.append((distances[start], start))
    return found


class Match(NamedTuple):
    """A reported subsequence: places of its first and last sample, both in it."""

    decided: int
    distance: float
    first: int
    last: int


def spring(x: Series, y: Series, threshold: float) -> Iterator[Match]:
    """SPRING as the paper states it, on lists; a match still held at the end is reported with -1."""
    m = len(y)
    distance, start = [0.0] + [np.inf] * m, [0] * (m + 1)
    best, first, last = np.inf, 0, 0
    for t, value in enumerate(x):
        older, older_start = distance, start
        distance, start = [0.0], [t]
        for i in range(1, m + 1):
            choices = [
                (distance[i - 1], start[i - 1]),
                (older[i], older_start[i]),
                (older[i - 1], older_start[i - 1]),
            ]
            nearest = min(choices, key=lambda choice: choice[0])
            distance.append(float((value - y[i - 1]) ** 2) + nearest[0])
            start.append(nearest[1])
        cells = range(1, m + 1)
        if best < np.inf and all(distance[i] >= best or start[i] > last for i in cells):
            yield Match(t, best, first, last)
            best = np.inf
            for i in cells:
                if start[i] <= last:
                    distance[i] = np.inf
        if distance[m] <= threshold and distance[m] < best:
            best, first, last = distance[m], start[m], t
    if best < np.inf:
        yield Match(-1, best, first, last)


def normalised(x: Series) -> Series | None:
    """With mean 0 and deviation 1; None for what is constant but for rounding."""
    deviation = float(np.std(x))
    if deviation <= 1e-9 * float(np.sqrt(np.mean(np.square(x)))):
        return None
    return np.array((x - np.mean(x)) / deviation)


def window_distances(x: Series, y: Series, radius: int) -> list[float]:
    """Of each window of `x` that is as long as `y`: its distance, infinity where it has no form."""
    form = normalised(y)
    assert form is not None
    found = []
    for first in range(len(x) - len(y) + 1):
        window = normalised(x[first : first + len(y)])
        found.append(np.inf if window is None else dtw_distance(window, form, radius))
    return found


def windows(x: Series, y: Series, radius: int, threshold: float) -> Iterator[Match]:
    """Disjoint best matches among the windows; one still held at the end is reported with -1."""
    m = len(y)
    best, held = np.inf, 0
    for first, distance in enumerate(window_distances(x, y, radius)):
        if distance <= threshold and distance < best:
            best, held = distance, first
        if best < np.inf and first == held + m - 1:
            yield Match(first + m - 1, best, held, held + m - 1)
            best = np.inf
    if best < np.inf:
        yield Match(-1, best, held, held + m - 1)
