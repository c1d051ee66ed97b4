"""Dynamic time warping: the distance of two series, and a pattern found anywhere in a stream (SPRING).

Strategy. A cell of the warping matrix needs its three older neighbours only, so two rows of memory do
for :func:`dtw_distance`, and one column per pattern for the stream: :func:`spring_update` carries each
lane's columns from sample to sample and never looks back. A chain of minima runs down a column and
makes its cells wait for each other; two patterns side by side fill the gaps (1.7 -> 1.35 ns a cell on
an EPYC with AVX2; lanes over more patterns were slower, for want of a vectorised select). Both minima
are written ``a if a < b else b``: that is one ``minsd``, ``<=`` is a compare and a blend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner, kernel

__all__ = ["dtw_distance", "spring_update"]


@allocating
def dtw_distance(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> float:
    r"""Banded DTW distance between `x` and `y`.

    .. math:: D_{i,j} = (x_i - y_j)^2 + \min(D_{i-1,j-1}, D_{i-1,j}, D_{i,j-1})

    Parameters
    ----------
    x, y : float64[n], float64[m]
        The two series, in the same unit and free of NaN.
    radius : int
        Half-width of the Sakoe-Chiba band ``|i - j| <= radius``, in samples. ``0`` is the squared
        Euclidean distance, ``max(n, m) - 1`` unconstrained DTW. For series of different length the
        band is widened to ``|n - m|``, the least that reaches the corner.

    Returns
    -------
    float
        Squared distance along the optimal warping path; ``0.0`` for two empty series, ``inf`` when
        one is empty.

    Notes
    -----
    O(n * radius) time, O(m) memory, two allocations.

    References
    ----------
    .. [1] H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word
       recognition", IEEE Trans. ASSP 26(1), 1978.

    Examples
    --------
    >>> a, b = np.array([0.0, 1.0, 2.0, 1.0]), np.array([0.0, 0.0, 1.0, 2.0])
    >>> dtw_distance(a, b, 0), dtw_distance(a, b, 1)
    (3.0, 1.0)
    """
    n = len(x)
    m = len(y)
    band = max(radius, abs(n - m))
    above = np.full(m + 1, np.inf)
    row = np.full(m + 1, np.inf)
    above[0] = 0.0
    for i in range(n):
        first = max(0, i - band)
        stop = min(m, i + band + 1)
        # Of the row before last, only the cells beside the new band could still be read.
        row[first] = np.inf
        left = np.inf
        diagonal = above[first]
        for j in range(first, stop):
            up = above[j + 1]
            older = diagonal if diagonal < up else up
            gap = x[i] - y[j]
            left = (left if left < older else older) + gap * gap
            row[j + 1] = left
            diagonal = up
        above, row = row, above
        if stop < m:
            above[stop + 1] = np.inf
    return float(above[m])


@kernel
def spring_update(
    rows: NDArray[np.int32],
    signals: NDArray[np.uint8],
    values: NDArray[np.float64],
    begins: NDArray[np.int64],
    stops: NDArray[np.int64],
    patterns: NDArray[np.float64],
    bounds: NDArray[np.int64],
    groups: NDArray[np.int64],
    within: NDArray[np.float64],
    distance: NDArray[np.float64],
    start: NDArray[np.int32],
    best: NDArray[np.float64],
    best_begin: NDArray[np.int64],
    best_last: NDArray[np.int64],
    best_stop: NDArray[np.int64],
    out_sample: NDArray[np.int64],
    out_pattern: NDArray[np.int64],
    out_value: NDArray[np.float64],
    out_begin: NDArray[np.int64],
    out_stop: NDArray[np.int64],
) -> int:
    """Advance all patterns of all lanes by the samples of a packet, and report disjoint best matches.

    A subsequence matches when its DTW distance to the pattern, divided by the pattern's length, is at
    most ``within``. Of matches that overlap the nearest is reported, once no path that begins inside
    it can still beat it; the paths inside it are then forgotten.

    Parameters
    ----------
    rows, signals, values, begins, stops : int32[n], uint8[n], float64[n], int64[n], int64[n]
        The samples, oldest first: lane, series, measured value, and the characters it was measured
        from. A value that is not finite is no measurement and is passed over. Samples of one signal
        that begin at the same character count as one place.
    patterns : float64[cells]
        The patterns' values one after the other: by signal, shortest first within a signal.
    bounds : int64[patterns + 1]
        Pattern `p` is ``patterns[bounds[p]:bounds[p + 1]]``.
    groups : int64[257]
        The patterns of signal `s` are ``groups[s]`` to ``groups[s + 1]``.
    within : float64[patterns]
        Largest distance per pattern value, in squared units of the signal.
    distance, start : float64[rows, cells], int32[rows, cells]
        The column `D` of each lane, ``inf`` in a new one, and `S`: the character at which the path to
        that cell began (an int32 holds lanes of two billion characters). Modified.
    best, best_begin, best_last, best_stop : [rows, patterns] of float64 and int64
        The match to be reported: its distance (``inf`` for none), first character, first character
        of its last sample, and end. Modified.
    out_sample, out_pattern, out_value, out_begin, out_stop : [n * widest group]
        Matches in order of sample: which sample decided, pattern, distance per pattern value,
        characters. Modified.

    Returns
    -------
    int
        How many matches were written.

    Notes
    -----
    O(cells of the signal) a sample, no allocation.

    References
    ----------
    .. [1] Y. Sakurai, C. Faloutsos, M. Yamamuro, "Stream monitoring under the time warping
       distance", ICDE 2007.
    """
    count = 0
    for k in range(len(rows)):
        value = values[k]
        if not np.isfinite(value):
            continue
        row = rows[k]
        first, stop = groups[signals[k]], groups[signals[k] + 1]
        column, begun = distance[row], start[row]
        odd = (stop - first) % 2
        if odd:
            low, high = bounds[first], bounds[first + 1]
            _advance_pair(value, begins[k], patterns, column, begun, low, low, high)
        for p in range(first + odd, stop, 2):
            low, middle, high = bounds[p], bounds[p + 1], bounds[p + 2]
            _advance_pair(value, begins[k], patterns, column, begun, low, middle, high)
        for p in range(first, stop):
            low, high = bounds[p], bounds[p + 1]
            last = best_last[row, p]
            if best[row, p] < np.inf and not _is_alive(column[low:high], begun[low:high], best[row, p], last):
                out_sample[count] = k
                out_pattern[count] = p
                out_value[count] = best[row, p] / (high - low)
                out_begin[count] = best_begin[row, p]
                out_stop[count] = best_stop[row, p]
                count += 1
                best[row, p] = np.inf
                for i in range(low, high):
                    if begun[i] <= last:
                        column[i] = np.inf
            if column[high - 1] <= within[p] * (high - low) and column[high - 1] < best[row, p]:
                best[row, p] = column[high - 1]
                best_begin[row, p] = begun[high - 1]
                best_last[row, p] = begins[k]
                best_stop[row, p] = stops[k]
    return count


@inner
def _step(
    gap: float,
    left: float,
    diagonal: float,
    up: float,
    left_start: np.int32,
    diagonal_start: np.int32,
    up_start: np.int32,
) -> tuple[float, np.int32]:
    """One cell of a column: its distance, and where the path it continues began.

    Of equal paths the one that stays on the sample goes first, then the one that stays on the
    pattern's value, then the diagonal, as in the paper.
    """
    older_start = left_start if left <= diagonal else diagonal_start
    older = left if left < diagonal else diagonal
    start = up_start if up <= older else older_start
    return (up if up < older else older) + gap * gap, start


@inner
def _advance_pair(
    value: float,
    begin: np.int64,
    patterns: NDArray[np.float64],
    distance: NDArray[np.float64],
    start: NDArray[np.int32],
    low: np.int64,
    middle: np.int64,
    high: np.int64,
) -> None:
    """One sample down two columns, ``low:middle`` and ``middle:high``; the first is not the longer."""
    up_a = up_b = diagonal_a = diagonal_b = 0.0
    from_a = from_b = corner_a = corner_b = np.int32(begin)
    both = np.uint64(middle - low)
    # Unsigned: a signed index costs a test for "counted from the end" in every cell.
    for k in range(both):
        i = np.uint64(low) + np.uint64(k)
        left, left_start = distance[i], start[i]
        up_a, from_a = _step(value - patterns[i], left, diagonal_a, up_a, left_start, corner_a, from_a)
        distance[i], start[i] = up_a, from_a
        diagonal_a, corner_a = left, left_start
        i = np.uint64(middle) + np.uint64(k)
        left, left_start = distance[i], start[i]
        up_b, from_b = _step(value - patterns[i], left, diagonal_b, up_b, left_start, corner_b, from_b)
        distance[i], start[i] = up_b, from_b
        diagonal_b, corner_b = left, left_start
    for k in range(np.uint64(middle) + both, np.uint64(high)):
        left, left_start = distance[k], start[k]
        up_b, from_b = _step(value - patterns[k], left, diagonal_b, up_b, left_start, corner_b, from_b)
        distance[k], start[k] = up_b, from_b
        diagonal_b, corner_b = left, left_start


@inner
def _is_alive(
    column: NDArray[np.float64], begun: NDArray[np.int32], best: np.float64, last: np.int64
) -> bool:
    """Whether a path that began inside the captured match can still become a nearer one."""
    alive = False
    for i in range(len(column)):
        alive |= column[i] < best and begun[i] <= last
    return alive
