"""Slow, obvious twins: mutual information, false neighbours, Cao's ratios, the correlation sum."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def mutual_information(x: Series, lag: int, bins: int) -> float:
    """Entropies of the cells of both samples less that of the pairs, less the bias to first order."""
    cells = [sum(1 for other in x if other < one) * bins // len(x) for one in x]
    pairs = list(zip(cells, cells[lag:], strict=False))
    joint, now, later = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    bias = (len(joint) - len(now) - len(later) + 1) / (2 * len(pairs))
    return _entropy(now) + _entropy(later) - _entropy(joint) - bias


def _entropy(counts: Counter[int] | Counter[tuple[int, int]]) -> float:
    shares = [count / counts.total() for count in counts.values()]
    return -sum(share * math.log(share) for share in shares)


def points(x: Series, dim: int, lag: int, count: int) -> Series:
    """The first `count` points of the embedding, one a row."""
    return np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)


def _neighbours(distances: Series, i: int, theiler: int) -> int:
    """The nearest that is neither equal nor of one time with `i`; -1 if there is none."""
    allowed = [j for j in range(len(distances)) if abs(i - j) > theiler and distances[j] > 0]
    return min(allowed, key=lambda j: distances[j], default=-1)


def false_neighbours(x: Series, dim: int, most: int, lag: int, theiler: int) -> float:
    """Share of the neighbours in `dim` dimensions that both criteria of Kennel call false."""
    count = len(x) - most * lag
    here, beside = points(x, dim, lag, count), points(x, dim + 1, lag, count)
    false = []
    for i in range(count):
        distances = np.linalg.norm(here - here[i], axis=1)
        j = _neighbours(distances, i, theiler)
        if j >= 0:
            new = abs(beside[i, dim] - beside[j, dim])
            far = np.linalg.norm(beside[i] - beside[j]) / x.std()
            false.append(bool(new / distances[j] > 15 or far > 2))
    return sum(false) / len(false) if false else math.nan


def cao(x: Series, dim: int, most: int, lag: int, theiler: int) -> tuple[float, float]:
    """E and E* of Cao in `dim` dimensions; his E1 and E2 are their ratios from one to the next."""
    count = len(x) - (most + 1) * lag
    here, beside = points(x, dim, lag, count), points(x, dim + 1, lag, count)
    ratios, gaps = [], []
    for i in range(count):
        distances = np.abs(here - here[i]).max(axis=1)
        j = _neighbours(distances, i, theiler)
        if j >= 0:
            ratios.append(np.abs(beside[i] - beside[j]).max() / distances[j])
            gaps.append(abs(beside[i, dim] - beside[j, dim]))
    return float(np.mean(ratios)), float(np.mean(gaps))


def correlation_sum(x: Series, dim: int, lag: int, theiler: int, radius: float) -> float:
    """Share of the pairs more than `theiler` apart in time that are no more than `radius` apart in space."""
    embedded = points(x, dim, lag, len(x) - (dim - 1) * lag)
    close = [
        np.abs(embedded[i] - embedded[j]).max() <= radius
        for i in range(len(embedded))
        for j in range(i + theiler + 1, len(embedded))
    ]
    return float(np.mean(close)) if close else math.nan
