"""Slow, obvious twins of the kernels: what they compute, written so that it can be read off.

Plain NumPy and Python, full matrices, no state carried over. Nothing here is fast or clever, and
nothing in the product imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def dtw_distance(x: Series, y: Series, radius: int) -> float:
    """The whole warping matrix, with infinity outside the band."""
    n, m = len(x), len(y)
    band = max(radius, abs(n - m))
    cost = np.full((n + 1, m + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            if abs(i - j) <= band:
                older = min(cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1])
                cost[i, j] = (x[i - 1] - y[j - 1]) ** 2 + older
    return float(cost[n, m])


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


def log_distances(x: Series, dim: int, lag: int, theiler: int, steps: int) -> Series:
    """Rosenstein's curve: mean log distance of nearest neighbours after 0, 1, 2 ... `steps` samples."""
    count = len(x) - (dim - 1) * lag
    points = np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)
    curves = []
    for i in range(count - steps):
        distances = np.linalg.norm(points[: count - steps] - points[i], axis=1)
        distances[max(0, i - theiler) : i + theiler + 1] = np.inf
        j = int(np.argmin(distances))
        curves.append([np.log(np.linalg.norm(points[i + k] - points[j + k])) for k in range(steps + 1)])
    return np.array(np.mean(curves, axis=0))
