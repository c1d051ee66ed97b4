"""Slow, obvious twins of the estimates of the largest Lyapunov exponent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
EQUAL = 1e-12
"""Of the spread of the series: what is nearer than that is the same."""


def embedded(x: Series, dim: int, lag: int) -> Series:
    """The points of the delay embedding, a row each."""
    count = len(x) - (dim - 1) * lag
    return np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)


def neighbours(points: Series, usable: int, theiler: int, equal: float) -> list[tuple[int, int]]:
    """Each point and its nearest neighbour, nearest in time of several, the earlier of two; none if equal."""
    pairs = []
    for i in range(usable):
        gaps = np.sum((points[:usable] - points[i]) ** 2, axis=1)
        gaps[max(0, i - theiler) : i + theiler + 1] = np.inf
        j = min(np.flatnonzero(gaps == gaps.min()), key=lambda j: (abs(i - j), j))
        if equal < np.sqrt(gaps[j]) < np.inf:
            pairs.append((i, int(j)))
    return pairs


def log_distances(x: Series, dim: int, lag: int, theiler: int, steps: int) -> Series:
    """Log distances of nearest neighbours after 0, 1, 2 ... `steps` samples, a row a pair."""
    points = embedded(x, dim, lag)
    pairs = neighbours(points, len(points) - steps, theiler, 0.0)
    rows = [[np.linalg.norm(points[i + k] - points[j + k]) for k in range(steps + 1)] for i, j in pairs]
    with np.errstate(divide="ignore"):
        return np.array(np.log(np.array(rows).reshape(-1, steps + 1)))


def log_distances_of_orbits(x: Series, dim: int, lag: int, theiler: int, steps: int, reach: int) -> Series:
    """The same to the neighbour's orbit, on which it runs after the point it is compared with."""
    points = embedded(x, dim, lag)
    pairs = neighbours(points, len(points) - steps, theiler, EQUAL * float(np.ptp(x)))
    rows = [distances_of_orbits(points, i, j, theiler, steps, reach) for i, j in pairs]
    with np.errstate(divide="ignore"):
        return np.array(np.log(rows))


def distances_of_orbits(points: Series, i: int, j: int, theiler: int, steps: int, reach: int) -> list[float]:
    """Distances of one point from the orbit of another after 0, 1 ... `steps` samples."""
    velocity = (points[2:] - points[:-2]) / 2  # of points 1 to the last but one
    row, off = [], 0
    for k in range(steps + 1):
        off = int(np.clip(off, 1 - j - k, len(points) - 2 - j - k))
        gap, along = points[i + k] - points[j + k + off], velocity[j + k + off - 1]
        ahead = float(np.clip(gap @ along / (along @ along), -1, 1))
        row.append(float(np.linalg.norm(gap - ahead * along)))
        further = off + int(np.sign(ahead))
        if abs(ahead) > 0.5 and abs(further) <= reach and abs(j + further - i) > theiler:
            off = further
    return row


def middle(rows: Series) -> Series:
    """NaN instead of the tenth of each column that is least, and the tenth that is greatest."""
    ranks = rows.argsort(axis=0).argsort(axis=0)
    without = len(rows) // 10
    return np.where((ranks < without) | (ranks >= len(rows) - without), np.nan, rows)


def log_widths(x: Series, dim: int, lag: int, theiler: int, steps: int, radius: float) -> Series:
    """Kantz: log of the mean distance from a point to its neighbours within `radius`, a row a point."""
    points = embedded(x, dim, lag)
    rows = []
    for i, near in crowds(points, len(points) - steps, theiler, radius):
        gaps = [[np.linalg.norm(points[i + k] - points[j + k]) for k in range(steps + 1)] for j in near]
        rows.append(np.log(np.mean(gaps, axis=0)))
    return np.array(rows)


def log_widths_of_orbits(
    x: Series, dim: int, lag: int, theiler: int, steps: int, radius: float, reach: int
) -> Series:
    """The same with the median (of an even number the upper one) of the distances to orbits."""
    points = embedded(x, dim, lag)
    rows = []
    for i, near in crowds(points, len(points) - steps, theiler, radius):
        gaps = np.sort([distances_of_orbits(points, i, j, theiler, steps, reach) for j in near], axis=0)
        rows.append(np.log(gaps[len(near) // 2]))
    return np.array(rows)


def crowds(points: Series, usable: int, theiler: int, radius: float) -> list[tuple[int, list[int]]]:
    """Points with five or more neighbours within `radius`, and these."""
    found = []
    for i in range(usable):
        gaps = np.linalg.norm(points[:usable] - points[i], axis=1)
        near = [int(j) for j in np.flatnonzero(gaps <= radius) if abs(i - j) > theiler]
        if len(near) >= 5:
            found.append((i, near))
    return found


def line(curve: Series, first: int, last: int) -> tuple[float, float]:
    """Slope of the line through part of a curve, and r2."""
    k = np.arange(first, last + 1)
    part = curve[first : last + 1]
    return float(np.polyfit(k, part, 1)[0]), float(np.corrcoef(k, part)[0, 1] ** 2)


def half_interval(rows: Series, parts: NDArray[np.int64], first: int, last: int) -> float:
    """Half the 95 % interval of the slope: parts left out in turn, and how the curve bends."""
    left_out = [line(np.nanmean(rows[parts != part], axis=0), first, last)[0] for part in np.unique(parts)]
    variance = (len(left_out) - 1) * np.var(left_out)
    bend = 0.0
    if last - first >= 4:
        mean, half = np.nanmean(rows, axis=0), (first + last) // 2
        bend = (line(mean, first, half)[0] - line(mean, half, last)[0]) / 2
    return float(np.sqrt(2.201**2 * variance + bend**2))
