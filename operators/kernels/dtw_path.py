"""The alignment of two series under DTW, in linear memory.

Strategy. Hirschberg's: the matrix is filled from the first row down to the middle one and from the last
row up to the one below it (``operators.kernels.warp``), and the best sum of two cells that touch is where
the path passes; then either half is a smaller problem of the same kind. The cells are computed twice in
all. A block that is small enough is filled once with a byte a cell that says where it came from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.warp import MARGIN, fill_squared, lay, lay_backwards

__all__ = ["dtw_path"]

_BLOCK = 1 << 14  # cells, and bytes, of a block that is traced
_BOTH, _UP, _LEFT = 0, 1, 2  # where a path comes from
_LARGE = 1e100
_DEPTH = 128  # halves of an int64 there can be, twice
_BUILT_ON = 0xC6D6E7FD
"""CRC-32 of warp.py (see dtw.py)."""


@allocating
def dtw_path(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> NDArray[np.int64]:
    """Alignment of `x` and `y` with the least sum of squared differences within a Sakoe-Chiba band.

    Parameters
    ----------
    x, y, radius
        As of :func:`~operators.kernels.dtw.dtw_distance`.

    Returns
    -------
    int64[k, 2]
        The places ``(i, j)`` that are aligned, from ``(0, 0)`` to ``(n - 1, m - 1)``; each step adds 1
        to one of them or to both. The sum of their costs is the distance, but for rounding. Without a
        row when a series is empty or a value not finite.

    Notes
    -----
    O(n * radius) time: twice that of the distance for long series, five times for 128 x 128, which is one
    block. O(n + m) memory and a block of 16 KiB.

    References
    ----------
    .. [1] D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences",
       CACM 18(6), 1975.

    Examples
    --------
    >>> dtw_path(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 2.0]), 2).tolist()
    [[0, 0], [0, 1], [1, 2], [2, 3]]
    """
    n, m = len(x), len(y)
    path = np.empty((n + m, 2), np.int64)
    xs, ys = np.empty(n + MARGIN), np.empty(m + 1 + MARGIN)
    x_is_finite = lay(x, xs)
    if not (lay_backwards(y, ys) and x_is_finite) or n == 0 or m == 0:
        return path[:0].copy()
    # Scale leaves the path as it is, and squares of what is left cannot overflow.
    largest = max(np.abs(x).max(), np.abs(y).max())
    scale = 1.0 / largest if largest > _LARGE else 1.0
    a, b = x * scale, y * scale
    half = max(radius, abs(n - m))
    band = np.empty((2, n), np.int64)
    diagonals = np.empty((2, (n + m) // 2 + 5 + MARGIN))
    above, below = np.empty(m), np.empty(m)
    came = np.empty(_BLOCK, np.uint8)
    todo = np.empty((_DEPTH, 4), np.int64)
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = 0, n, 0, m
    waiting, steps = 1, 0
    while waiting:
        waiting -= 1
        first, stop, left, right = todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3]
        width = right - left
        if (stop - first) * width <= _BLOCK or stop - first == 1:
            ahead = left - first
            steps += _trace(a[first:stop], b[left:right], ahead, half, above, came, path[steps:], first, left)
            continue
        middle = (first + stop) // 2
        _limit(first, middle, left, right, half, band)
        lay(a[first:middle], xs[: middle - first + MARGIN])
        lay_backwards(b[left:right], ys[: width + 1 + MARGIN])
        fill_squared(xs, ys, band[:, : middle - first], diagonals, above[:width], np.inf)
        _limit_backwards(middle, stop, left, right, half, band)
        lay_backwards(a[middle:stop], xs[: stop - middle + MARGIN])
        lay(b[left:right], ys[1 : width + 1 + MARGIN])
        fill_squared(xs[1:], ys, band[:, : stop - middle], diagonals, below[:width], np.inf)
        last, next_first = _crossing(above[:width], below[:width])
        todo[waiting, 0], todo[waiting, 1] = middle, stop
        todo[waiting, 2], todo[waiting, 3] = left + next_first, right
        todo[waiting + 1, 0], todo[waiting + 1, 1] = first, middle
        todo[waiting + 1, 2], todo[waiting + 1, 3] = left, left + last + 1
        waiting += 2
    return path[:steps].copy()


@inner
def _limit(first: int, stop: int, left: int, right: int, half: int, band: NDArray[np.int64]) -> None:
    """The part of the band in a block: rows `first` to `stop`, columns `left` to `right`."""
    for i in range(first, stop):
        band[0, i - first] = max(left, i - half) - left
        band[1, i - first] = min(right, i + half + 1) - left


@inner
def _limit_backwards(
    first: int, stop: int, left: int, right: int, half: int, band: NDArray[np.int64]
) -> None:
    """As :func:`_limit` for the block seen from its last cell."""
    for i in range(first, stop):
        band[0, stop - 1 - i] = right - min(right, i + half + 1)
        band[1, stop - 1 - i] = right - max(left, i - half)


@inner
def _crossing(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[int, int]:
    """Where the best path leaves the upper half and enters the lower one; `below` is last column first."""
    end = len(above) - 1
    last, next_first = end, end
    best = above[end] + below[0]
    for j in range(end):
        straight, aslant = below[end - j], below[end - j - 1]
        cost = above[j] + min(straight, aslant)
        if cost < best:
            best, last = cost, j
            next_first = j + 1 if aslant <= straight else j
    return last, next_first


@inner
def _trace(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ahead: int,
    half: int,
    row: NDArray[np.float64],
    came: NDArray[np.uint8],
    path: NDArray[np.int64],
    first: int,
    left: int,
) -> int:
    """Write the best path through a small block, and return its length.

    Column `j` of the block is ``ahead`` places further from the band's middle than row `i` says; ``row``
    and ``came`` are scratch.
    """
    n, m = len(x), len(y)
    for j in range(m):
        row[j] = np.inf
    for i in range(n):
        begin, stop = max(0, i - ahead - half), min(m, i - ahead + half + 1)
        corner = row[begin - 1] if begin > 0 else np.inf
        if i == 0 and begin == 0:
            corner = 0.0
        before = np.inf
        if begin > 0:
            row[begin - 1] = np.inf
        for j in range(begin, stop):
            up = row[j]
            older, source = corner, _BOTH
            if up < older:
                older, source = up, _UP
            if before < older:
                older, source = before, _LEFT
            gap = x[i] - y[j]
            before = older + gap * gap
            row[j] = before
            came[i * m + j] = source
            corner = up
    return _walk_back(came, n, m, path, first, left)


@inner
def _walk_back(
    came: NDArray[np.uint8],
    n: int,
    m: int,
    path: NDArray[np.int64],
    first: int,
    left: int,
) -> int:
    """Follow a block of `n` rows of `m` cells from its last cell, and write the way there in order."""
    i, j, steps = n - 1, m - 1, 0
    while i > 0 or j > 0:
        path[steps, 0], path[steps, 1] = first + i, left + j
        steps += 1
        source = came[i * m + j]
        if source != _LEFT:
            i -= 1
        if source != _UP:
            j -= 1
    path[steps, 0], path[steps, 1] = first, left
    steps += 1
    for k in range(steps // 2):
        for axis in range(2):
            other = path[steps - 1 - k, axis]
            path[steps - 1 - k, axis] = path[k, axis]
            path[k, axis] = other
    return steps
