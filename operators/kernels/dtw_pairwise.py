"""DTW distances of many series of one length at once.

Strategy. A vector of series instead of a vector of cells: ``LANES`` series are laid side by side, sample by
sample, and one walk over the cells of the matrix computes them all against the same other series. Nothing
waits, and a narrow band costs no more a cell than the whole matrix (radius 12 of 128: 0.7 us a pair, where
one pair along its anti-diagonals takes 4). Lanes left over at the end repeat the last series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["LANES", "across", "dtw_pairwise", "dtw_self"]

LANES = 32
"""Series side by side: 8 -> 32 of them halve the time a cell, more do not lower it."""
_LANES = np.uint64(LANES)
_INTERVAL = 8  # rows between two looks whether to abandon


@allocating
def dtw_pairwise(xs: NDArray[np.float64], ys: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """DTW distances, cost squared, of each of `xs` to each of `ys`.

    Parameters
    ----------
    xs, ys : float64[a, n], float64[b, m]
        Series in rows, in the same unit.
    radius : int
        Half-width of the Sakoe-Chiba band, in samples; widened to ``|n - m|``.

    Returns
    -------
    float64[a, b]
        As :func:`~operators.kernels.dtw.dtw_distance` of each pair: NaN where a value is not finite.

    Notes
    -----
    O(a * b * n * radius) time; 512 bytes of memory a sample of `xs` and 256 of `ys`, so that series of some
    thousand samples leave the processor's cache.
    """
    a, n = xs.shape
    b, m = ys.shape
    distances = np.empty((a, b))
    if n == 0 or m == 0:
        distances[:] = 0.0 if n == m else np.inf
        return distances
    half = max(radius, abs(n - m))
    block, rows, found = np.empty(m * LANES), np.empty((2, (n + 1) * LANES)), np.empty(LANES)
    for first in range(0, b, LANES):
        _lay_side_by_side(ys, first, block)
        for i in range(a):
            across(block, xs[i], half, block, np.inf, rows, found)
            for k in range(min(LANES, b - first)):
                distances[i, first + k] = found[k]
    _spoil(distances, xs, ys)
    return distances


@allocating
def dtw_self(xs: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """DTW distances, cost squared, of each of `xs` to each other: float64[a, a], symmetric, 0 from itself.

    As ``dtw_pairwise(xs, xs, radius)`` in about half the time.
    """
    a, n = xs.shape
    distances = np.zeros((a, a))
    if n == 0:
        return distances
    block, rows, found = np.empty(n * LANES), np.empty((2, (n + 1) * LANES)), np.empty(LANES)
    for first in range(0, a, LANES):
        _lay_side_by_side(xs, first, block)
        stop = min(first + LANES, a)
        for i in range(stop - 1):
            across(block, xs[i], max(radius, 0), block, np.inf, rows, found)
            for j in range(max(first, i + 1), stop):
                distances[i, j] = distances[j, i] = found[j - first]
    _spoil(distances, xs, xs)
    return distances


@inner
def across(
    block: NDArray[np.float64],
    series: NDArray[np.float64],
    half: int,
    tails: NDArray[np.float64],
    cutoff: float,
    rows: NDArray[np.float64],
    found: NDArray[np.float64],
) -> None:
    """Distances of the series in `block` to another one, given up once all of them must exceed `cutoff`.

    Parameters
    ----------
    block : float64[n * LANES]
        Sample `i` of lane `k` is ``block[i * LANES + k]``.
    series : float64[m]
        The other one.
    half : int
        Half-width of the band, at least ``|n - m|``.
    tails : float64[n * LANES]
        What samples after `i` of a lane will cost at least, laid as `block`; not read when `cutoff`
        is ``inf``.
    cutoff : float
        Largest distance that is of interest.
    rows, found : float64[2, (m + 1) * LANES], float64[LANES]
        Scratch, and the distances: exact where they are at most `cutoff`, else anything above it. Modified.
    """
    n, m = len(block) // LANES, len(series)
    above, row = rows[0], rows[1]
    for k in range(np.uint64(len(row))):
        above[k] = np.inf
        row[k] = np.inf
    for k in range(_LANES):
        above[k] = 0.0
    for i in range(n):
        first, stop = max(0, i - half), min(m, i + half + 1)
        own = np.uint64(i) * _LANES
        # The row before last has a distance there, and it is outside the band now.
        for k in range(_LANES):
            row[np.uint64(first) * _LANES + k] = np.inf
        for j in range(np.uint64(first), np.uint64(stop)):
            value, at = series[j], j * _LANES
            to = at + _LANES
            for k in range(_LANES):
                gap = block[own + k] - value
                corner, up, left = above[at + k], above[to + k], row[at + k]
                older = corner if corner < up else up
                row[to + k] = gap * gap + (left if left < older else older)
        above, row = row, above
        if cutoff < np.inf and i % _INTERVAL == _INTERVAL - 1:
            cells = above[(first + 1) * LANES : (stop + 1) * LANES]
            if not _is_within(cells, tails[i * LANES : (i + 1) * LANES], cutoff):
                found[:] = np.inf
                return
    for k in range(_LANES):
        found[k] = above[np.uint64(m) * _LANES + k]


@inner
def _is_within(cells: NDArray[np.float64], tails: NDArray[np.float64], cutoff: float) -> bool:
    """Whether a path through one of these cells can still cost no more than `cutoff`."""
    within = False
    for j in range(np.uint64(len(cells)) // _LANES):
        for k in range(_LANES):
            within |= cells[j * _LANES + k] + tails[k] <= cutoff
    return within


@inner
def _lay_side_by_side(series: NDArray[np.float64], first: int, block: NDArray[np.float64]) -> None:
    """Lay ``LANES`` series from the `first` on side by side; the last one is repeated."""
    for k in range(LANES):
        source = series[min(first + k, len(series) - 1)]
        for i in range(np.uint64(len(source))):
            block[i * _LANES + np.uint64(k)] = source[i]


@inner
def _spoil(distances: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> None:
    """Write NaN for each series that is not finite."""
    for i in range(len(xs)):
        if not _is_finite(xs[i]):
            distances[i] = np.nan
    for j in range(len(ys)):
        if not _is_finite(ys[j]):
            distances[:, j] = np.nan


@inner
def _is_finite(series: NDArray[np.float64]) -> bool:
    finite = True
    for i in range(np.uint64(len(series))):
        finite &= abs(series[i]) < np.inf
    return finite
