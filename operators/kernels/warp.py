"""The warping matrix of two series, filled along its anti-diagonals: what distances and paths share.

Strategy. Down a row each cell waits for its left neighbour; the cells of one anti-diagonal wait for none
of each other, so a vector of them is one step. Even and odd anti-diagonals have a buffer each in which
cell (i, j) lies at ``i - (i + j) // 2``: its older diagonal neighbour lay where it will lie itself, and
the other two at the same place, or one beside it, in the other buffer. One series is laid backwards, so
both are read forwards. Two anti-diagonals are made in one pass (the second takes the first from
registers: 7.7 -> 6.8 us for 128 x 128), and passes are of whole vectors: what is computed past the end
of an anti-diagonal is overwritten with infinity where a later one could read it.

There is one function per cost, each made by closing over the cost of a cell: none has a question in its loop.
(A compiled function that is handed over as an argument would keep its caller out of numba's cache.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = [
    "MARGIN",
    "fill_absolute",
    "fill_euclidean",
    "fill_squared",
    "fill_unequal",
    "lay",
    "lay_backwards",
]

_Function = Callable[..., Any]
MARGIN = 8
"""Places behind a series that was laid, so that passes may be of whole vectors."""
_ONE = np.uint64(1)
_INTERVAL = 8  # passes between two looks whether to abandon


@inner
def lay(series: NDArray[Any], target: NDArray[Any]) -> bool:
    """Copy `series` to the front of `target`, zeros behind it; return whether all of it is finite."""
    n = np.uint64(len(series))
    wrong = False
    for i in range(n):
        value = series[i]
        wrong |= not abs(value) < np.inf
        target[i] = value
    for i in range(n, np.uint64(len(target))):
        target[i] = 0
    return not wrong


@inner
def lay_backwards(series: NDArray[Any], target: NDArray[Any]) -> bool:
    """As :func:`lay`, the last value first and one zero before it."""
    n = np.uint64(len(series))
    wrong = False
    target[0] = 0
    for i in range(n):
        value = series[i]
        wrong |= not abs(value) < np.inf
        target[n - i] = value
    for i in range(n + _ONE, np.uint64(len(target))):
        target[i] = 0
    return not wrong


@inner
def _squared(xs: NDArray[Any], ys: NDArray[Any], i: np.uint64, j: np.uint64) -> float:
    """Cost of a cell: the squared difference."""
    gap = xs[i] - ys[j]
    return float(gap * gap)


@inner
def _absolute(xs: NDArray[Any], ys: NDArray[Any], i: np.uint64, j: np.uint64) -> float:
    """Cost of a cell: the absolute difference."""
    return float(abs(xs[i] - ys[j]))


@inner
def _unequal(xs: NDArray[Any], ys: NDArray[Any], i: np.uint64, j: np.uint64) -> float:
    """Cost of a cell: 0 for the same symbol, 1 for any other."""
    return 0.0 if xs[i] == ys[j] else 1.0


@inner
def _euclidean(xs: NDArray[Any], ys: NDArray[Any], i: np.uint64, j: np.uint64) -> float:
    """Cost of a cell of series of several dimensions, ``float64[d, n]``: the squared Euclidean distance."""
    total = 0.0
    for dimension in range(len(xs)):
        gap = xs[dimension, i] - ys[dimension, j]
        total += gap * gap
    return total


@inner
def _given(xs: NDArray[Any], ys: NDArray[Any], i: np.uint64, j: np.uint64) -> float:
    """Cost of a cell that :func:`several` has summed."""
    return float(ys[j])


def _sweeping(cell: _Function) -> _Function:
    """Make the pass over two anti-diagonals for a cost."""

    @inner
    def sweep(
        xs: NDArray[Any],
        ys: NDArray[Any],
        even: NDArray[np.float64],
        odd: NDArray[np.float64],
        i: np.uint64,
        j: np.uint64,
        next_j: np.uint64,
        slot: np.uint64,
        width: np.uint64,
    ) -> None:
        """Two anti-diagonals from row `i` on: the first reads `ys` from `j` on, the second from `next_j`."""
        # The reads of `odd` one place ahead, and `before` in a variable, let LLVM make vectors of this loop.
        before = np.inf
        for k in range(width):
            cost, next_cost = cell(xs, ys, i + k, j + k), cell(xs, ys, i + k, next_j + k)
            corner, left = odd[slot + k], odd[slot + k + _ONE]
            older = corner if corner < left else left
            start = even[slot + k]
            here = cost + (start if start < older else older)
            even[slot + k] = here
            older = before if before < here else here
            odd[slot + k] = next_cost + (corner if corner < older else older)
            before = here

    return sweep


_sweep_given = _sweeping(_given)


@inner
def _several(
    xs: NDArray[Any],
    ys: NDArray[Any],
    even: NDArray[np.float64],
    odd: NDArray[np.float64],
    i: np.uint64,
    j: np.uint64,
    next_j: np.uint64,
    slot: np.uint64,
    width: np.uint64,
) -> None:
    """Make the pass for series of several dimensions; `ys` has two rows more, where costs are summed.

    The dimensions are the outer loop, which leaves the inner one a vector.
    """
    count = len(xs)
    costs, next_costs = ys[count], ys[count + 1]
    for k in range(width):
        costs[k] = 0.0
        next_costs[k] = 0.0
    for dimension in range(count):
        x, y = xs[dimension], ys[dimension]
        for k in range(width):
            costs[k] += _squared(x, y, i + k, j + k)
            next_costs[k] += _squared(x, y, i + k, next_j + k)
    both = ys[count:].reshape(-1)
    _sweep_given(xs, both, even, odd, i, np.uint64(0), np.uint64(len(costs)), slot, width)


@inner
def _is_within(
    even: NDArray[np.float64], odd: NDArray[np.float64], slot: np.uint64, width: np.uint64, cutoff: float
) -> bool:
    """Whether a cell of the two anti-diagonals is at most `cutoff`."""
    within = False
    for k in range(slot, slot + width):
        within |= even[k] <= cutoff
        within |= odd[k] <= cutoff
    return within


def _filling(sweep: _Function, cell: _Function) -> Callable[..., float]:
    """Make the function that fills a matrix with a cost, from a pass and the cost of a cell."""

    @inner
    def fill(
        xs: NDArray[Any],
        ys: NDArray[Any],
        band: NDArray[np.int64],
        diagonals: NDArray[np.float64],
        last: NDArray[np.float64],
        cutoff: float,
    ) -> float:
        """Fill the matrix of `xs` and `ys`; return its last cell, or ``inf`` when that exceeds `cutoff`.

        Parameters
        ----------
        xs, ys : [n + MARGIN], [m + 1 + MARGIN]
            The series, by :func:`lay` and :func:`lay_backwards`; with an axis for dimensions before that
            when there are several. Of `ys` nothing else is read.
        band : int64[2, n]
            Row `i` of the matrix is computed from column ``band[0, i]`` up to ``band[1, i]``; no row is
            empty, the first begins at 0, and neither limit falls from row to row.
        diagonals, last : float64[2, (n + m) // 2 + 5 + MARGIN], float64[m]
            Scratch, and the last row of the matrix. Modified.
        cutoff : float
            It is given up once every path is seen to cost more.

        Returns
        -------
        float
            The cost of the best path; ``inf`` when the band holds no path, or none within `cutoff`.
        """
        n, m = band.shape[1], len(last)
        lower, upper = band[0], band[1]
        even, odd = diagonals[0], diagonals[1]
        for k in range(np.uint64(len(even))):
            even[k] = np.inf
            odd[k] = np.inf
        for k in range(np.uint64(m)):
            last[k] = np.inf
        middle = m // 2 + 2
        even[middle] = 0.0
        begin = stop = 0  # rows that have a cell on the anti-diagonal
        for step in range((n + m) // 2):
            diagonal = 2 * step
            begin += begin < n and begin + upper[np.uint64(begin)] <= diagonal
            stop += stop < n and stop + lower[np.uint64(stop)] <= diagonal
            slot = np.uint64(begin - step + middle)
            width = np.uint64(stop - begin)
            j = np.uint64(m - diagonal + begin)
            corner = odd[slot + width]
            vectors = (width + np.uint64(MARGIN - 1)) // np.uint64(MARGIN)
            sweep(xs, ys, even, odd, np.uint64(begin), j, j - _ONE, slot, vectors * np.uint64(MARGIN))
            even[slot - _ONE] = np.inf
            even[slot + width] = np.inf
            if stop == n and diagonal + 1 >= n:
                last[np.uint64(diagonal + 1 - n)] = even[slot + width - _ONE]
            diagonal += 1
            first = slot
            if begin < n and begin + upper[np.uint64(begin)] <= diagonal:
                begin += 1
                first += _ONE
            if stop < n and stop + lower[np.uint64(stop)] <= diagonal:
                # The pass ends below this row, whose cell on the even anti-diagonal is outside the matrix.
                up = even[slot + width - _ONE]
                cost = cell(xs, ys, np.uint64(stop), j + width - _ONE)
                odd[slot + width] = cost + (corner if corner < up else up)
                stop += 1
                width += _ONE
            odd[first - _ONE] = np.inf
            odd[slot + width] = np.inf
            if stop == n and n <= diagonal + 1 < n + m:
                last[np.uint64(diagonal + 1 - n)] = odd[slot + width - _ONE]
            # A path has a cell on at least one of any two anti-diagonals that follow each other.
            if cutoff < np.inf and step % _INTERVAL == 0 and not _is_within(even, odd, slot, width, cutoff):
                return np.inf
        return float(last[m - 1]) if last[m - 1] <= cutoff else np.inf

    return fill


fill_squared = _filling(_sweeping(_squared), _squared)
"""Cost: the squared difference. `xs` and `ys` are float64."""
fill_absolute = _filling(_sweeping(_absolute), _absolute)
"""Cost: the absolute difference. `xs` and `ys` are float64."""
fill_unequal = _filling(_sweeping(_unequal), _unequal)
"""Cost: 0 for the same symbol, 1 for any other. `xs` and `ys` are int64."""
fill_euclidean = _filling(_several, _euclidean)
"""Cost: the squared Euclidean distance. `xs` and `ys` are float64[d, n + MARGIN], [d + 2, m + 1 + MARGIN]."""
