"""Slow twins of the DTW kernels: whole matrices, all windows, no bound and no cutoff."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Cost = Callable[[int, int], float]


def matrix_distance(n: int, m: int, is_allowed: Callable[[int, int], bool], cost: Cost) -> float:
    """The whole matrix, with infinity where it is not allowed."""
    cells = np.full((n + 1, m + 1), np.inf)
    cells[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            if is_allowed(i, j):
                cells[i + 1, j + 1] = cost(i, j) + min(cells[i, j], cells[i, j + 1], cells[i + 1, j])
    return float(cells[n, m])


def banded_distance(n: int, m: int, radius: int, cost: Cost) -> float:
    """A distance with any cost in a Sakoe-Chiba band."""
    half = max(radius, abs(n - m))
    return matrix_distance(n, m, lambda i, j: abs(i - j) <= half, cost)


def dtw_distance(x: Series, y: Series, radius: int) -> float:
    """The distance with squared cost."""
    return banded_distance(len(x), len(y), radius, lambda i, j: float((x[i] - y[j]) ** 2))


def soft_dtw(x: Series, y: Series, gamma: float) -> float:
    """The sum over all alignments, each written out, that soft-DTW is defined as."""

    def total(i: int, j: int, so_far: float) -> float:
        so_far += float((x[i] - y[j]) ** 2)
        if (i, j) == (len(x) - 1, len(y) - 1):
            return float(np.exp(-so_far / gamma))
        steps = ((i + 1, j), (i, j + 1), (i + 1, j + 1))
        return sum(total(a, b, so_far) for a, b in steps if a < len(x) and b < len(y))

    return float(-gamma * np.log(total(0, 0, 0.0)))


def is_path(path: NDArray[np.int64], n: int, m: int, radius: int) -> bool:
    """Whether it leads from corner to corner by allowed steps within the band."""
    places = [tuple(place) for place in path.tolist()]
    half = max(radius, abs(n - m))
    return (
        places[0] == (0, 0)
        and places[-1] == (n - 1, m - 1)
        and all(abs(i - j) <= half for i, j in places)
        and all((c - a, d - b) in {(0, 1), (1, 0), (1, 1)} for (a, b), (c, d) in pairwise(places))
    )


def nearest(query: Series, candidates: Series, radius: int, k: int) -> list[tuple[int, float]]:
    """The nearest rows of all that are finite, by their places in the order of distance."""
    found = [
        (dtw_distance(query, row, radius), place)
        for place, row in enumerate(candidates)
        if np.isfinite(row).all()
    ]
    return [(place, distance) for distance, place in sorted(found)[:k]]


def search(query: Series, series: Series, radius: int, k: int, exclusion: int) -> list[tuple[int, float]]:
    """The best window of all, then the best of those it does not exclude, and so on."""
    found = []
    for place in range(len(series) - len(query) + 1):
        window = series[place : place + len(query)]
        if np.isfinite(window).all() and np.ptp(window) > 0:
            found.append((dtw_distance(normalised(query), normalised(window), radius), place))
    best: list[tuple[int, float]] = []
    for distance, place in sorted(found):
        if len(best) < k and all(abs(place - other) > exclusion for other, _ in best):
            best.append((place, distance))
    return best


def normalised(series: Series) -> Series:
    """Mean 0 and population deviation 1."""
    return (series - series.mean()) / series.std()
