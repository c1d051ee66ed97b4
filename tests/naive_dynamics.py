"""Slow, obvious twins of the numbers that are kept up over a stream: each of one window, as it is defined."""

from __future__ import annotations

import math
from collections import Counter
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Ints = NDArray[np.int64]


def alone(x: Series, size: int) -> tuple[NDArray[np.int32], Ints]:
    """Rows, and where the windows end, of a series that is one lane and laid out as it is."""
    ends = np.arange(1, len(x) + 1)
    return np.zeros(len(x), np.int32), np.where(ends >= size, ends, 0)


def windows(x: Series, size: int) -> list[tuple[int, Series]]:
    """Each full window of a series, oldest sample first, and the place of its last sample."""
    return [(end - 1, x[end - size : end].copy()) for end in range(size, len(x) + 1)]


def embedded(x: Series, dim: int, lag: int) -> Series:
    """The points of a series, one a line."""
    count = len(x) - (dim - 1) * lag
    return np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)


def divergence(x: Series, dim: int, lag: int, theiler: int, steps: int) -> Series:
    """Rosenstein's curve: mean log distance of each point and its nearest after 0, 1 ... `steps` samples."""
    points = embedded(x, dim, lag)
    usable = len(points) - steps
    logs: list[list[float]] = [[] for _ in range(steps + 1)]
    for i in range(usable):
        squares = ((points[:usable] - points[i]) ** 2).sum(axis=1)
        far = [j for j in range(usable) if abs(i - j) > theiler]
        j = min(far, key=lambda j: (squares[j], abs(i - j), j)) if far else i
        if squares[j] > 0:
            for k in range(steps + 1):
                distance = float(np.linalg.norm(points[i + k] - points[j + k]))
                if distance > 0:
                    logs[k].append(math.log(distance))
    return np.array([np.mean(each) if each else math.nan for each in logs])


def alike(x: Series, dim: int, lag: int, theiler: int, steps: int) -> tuple[float, int]:
    """How often what a linear forecast leaves is nearer for a neighbour than for the point half way round,
    of the last 256 points that have a neighbour which is not equal; and how many those are."""
    points = embedded(x, dim, lag)
    points = points[: len(points) - steps]
    count = min(len(points), len(x) - dim * lag)
    late = np.arange(max(0, count - 256), count)
    columns = np.hstack([points[late], np.ones((len(late), 1))])
    weights = np.linalg.lstsq(columns, x[late + dim * lag], rcond=1e-9)[0]
    rests = [x[i + dim * lag] - points[i] @ weights[:-1] for i in range(count)]
    wins = []
    for place, i in enumerate(late.tolist()):
        squares = ((points - points[i]) ** 2).sum(axis=1)
        far = [j for j in range(len(points)) if abs(i - j) > theiler]
        j = min(far, key=lambda j: (squares[j], abs(i - j), j)) if far else i
        if j < count and squares[j] > 0:
            other = int(late[(place + len(late) // 2) % len(late)])
            gap = abs(rests[i] - rests[other]) - abs(rests[i] - rests[j])
            wins.append(0.5 if abs(gap) <= 1e-9 * x.std() else float(gap > 0))
    return (float(np.mean(wins)) if wins else math.nan), len(wins)


def scale(x: Series) -> float:
    """The interquartile range as a standard deviation; where it is 0, the mean distance from the median."""
    lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75])
    if upper > lower:
        return float(upper - lower) / 1.3489795003921634
    return float(np.abs(x - median).mean() * math.sqrt(math.pi / 2))


def permutation_entropy(x: Series, order: int, lag: int) -> float:
    """Entropy of the orders of `order` values `lag` apart, as a share of that of all orders alike."""
    if (x == x[0]).all():
        return math.nan
    span = (order - 1) * lag + 1
    patterns = Counter(
        tuple(np.argsort(x[i : i + span : lag], kind="stable")) for i in range(len(x) - span + 1)
    )
    shares = [count / patterns.total() for count in patterns.values()]
    return -sum(share * math.log(share) for share in shares) / math.log(math.factorial(order))


def sample_entropy(x: Series, dim: int, radius: float) -> float:
    """What of the pairs of templates that match still do with one sample more, as a logarithm."""
    counts = [0, 0]
    for i in range(len(x) - dim):
        for j in range(i):
            for more in (0, 1):
                counts[more] += np.abs(x[i : i + dim + more] - x[j : j + dim + more]).max() <= radius
    return math.log(counts[0] / counts[1]) if counts[1] and (x != x[0]).any() else math.nan


def recurrences(
    x: Series, dim: int, lag: int, theiler: int, radius: float, shortest: int
) -> tuple[int, int, int]:
    """Pairs that recur, those of them in diagonal lines, and points of the whole plot in vertical lines."""
    points = embedded(x, dim, lag)
    plot = np.abs(points[:, None] - points).max(axis=2) <= radius
    plot &= np.abs(np.subtract.outer(range(len(points)), range(len(points)))) > theiler
    diagonals = [np.diagonal(plot, gap) for gap in range(1, len(points))]
    return (
        int(plot.sum()) // 2,
        sum(_lined(d, shortest) for d in diagonals),
        sum(_lined(c, shortest) for c in plot),
    )


def _lined(cells: NDArray[np.bool_], shortest: int) -> int:
    runs = [len(list(run)) for set_, run in groupby(cells.tolist()) if set_]
    return sum(run for run in runs if run >= shortest)
