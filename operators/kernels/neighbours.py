"""The mean divergence of nearest neighbours over a stream: Rosenstein's curve, kept up sample by sample.

Strategy. Each point of the window keeps its nearest neighbour. With a sample one point enters: one pass in
vectors measures it against all, finds its neighbour, and tells the points that it is nearer to than theirs
was. One point leaves, and those whose neighbour it was look for another; on average that is one. Only these
pairs change the sums. A neighbour is kept as so many points further, so that nothing but its place changes as
the window slides; minima are sought among the bits of squares, which as integers have the order of numbers.

The sums are whole numbers: exponents of squared distances, and the logarithms of what those leave, rounded
to 2**-50. What is taken away is what was added, so nothing drifts, and the curve is a matter of the window
alone, whatever came before it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel
from operators.kernels.law import alike

__all__ = ["follow_pairs"]

_BUILT_ON = 0x8152AEAD
"""CRC-32 of law.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_neighbours.py`` tells the number)."""

Series = NDArray[np.float64]
Counts = NDArray[np.int64]
Places = NDArray[np.int32]

_UNIT = 2.0**50
"""Of the sum of what exponents leave, per nat: that of 16,000 pairs fits in 63 bits."""
_LEAST = 2.0**-1022
_TINY = np.int64(0x0010000000000000)
"""The least normal number, and its bits: a square below it counts as zero."""
_ROOT = np.int64(0x3FE6A09E667F3BCD)
"""The bits of the root of one half."""
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_LN2 = math.log(2.0)
_MAGIC = 1.5 * 2.0**52
_MAGIC_BITS = np.int64(0x4338000000000000)
"""A number to which numbers below 2**51 are added as whole numbers, in its lowest bits; and its bits."""
_BLOCK = 64
"""Points that are looked at together."""


@kernel
def follow_pairs(
    rows: NDArray[np.int32],
    places: Counts,
    series: Series,
    shape: Counts,
    best: Series,
    ahead: Places,
    sums: Counts,
    started: NDArray[np.uint8],
    scratch: Series,
    changes: Counts,
    moments: Series,
    curves: Series,
    shares: Series,
) -> None:
    r"""Rosenstein's curve of the window of each sample.

    .. math:: c_k = \left\langle \ln \| X_{i+k} - X_{j(i)+k} \| \right\rangle_i

    with j(i) the nearest point more than ``theiler`` from i in time; of several the nearest in time, and of
    two the earlier. A point whose nearest is equal to it says nothing of growth and is passed over.

    Parameters
    ----------
    rows, places, series : int32[n], int64[n], float64[m]
        Lane and window of each sample (``operators.kernels.dynamics``).
    shape : int64[5]
        Samples of a window, dim, lag, theiler, steps. ``points = window - (dim - 1) * lag - steps``.
    best, ahead : float64[rows, points], int32[rows, points]
        Squared distance of the neighbour of each point, and how many points further that is: less than 0 if
        it came before, 0 if there is none. Modified.
    sums : int64[rows, 3, steps + 1]
        Of the pairs after 0, 1 ... `steps` samples: the logarithms of what the exponents of the squared
        distances leave, in 2**-50 nats, the exponents, and how many pairs. A distance of zero is not counted.
        Modified.
    started : uint8[rows]
        Whether these are of the last window. Modified.
    scratch, changes : float64[3, window], int64[3, window]
        Room to work. Modified.
    moments : float64[dim + 2, dim + 1]
        The same. Modified.
    curves : float64[n, steps + 1]
        Written: nats, within 1e-14 of the mean of the logarithms; NaN where there is no window, or nothing
        was counted.
    shares : float64[2, n]
        Written: how often the pairs are followed alike, but for what is linear, and how many they are
        (``operators.kernels.law``); NaN where there is no pair, or no window.

    Notes
    -----
    O(points * dim) a sample for each neighbour that is sought, which is two on average: the new point's, and
    that of a point whose own left. At worst all points had the one that left, O(points * points * dim). The
    first window of a lane takes that as well: 1.4 ms for 1,000 samples.

    References
    ----------
    .. [1] M. T. Rosenstein, J. J. Collins, C. J. De Luca, "A practical method for calculating
       largest Lyapunov exponents from small data sets", Physica D 65, 1993.
    """
    size = shape[0]
    for k in range(len(rows)):
        curve = curves[k]
        curve[:] = np.nan
        shares[:, k] = np.nan
        if not places[k]:
            continue
        row = rows[k]
        if started[row]:
            x = series[places[k] - size - 1 : places[k]]
            count = _slide(x, shape, best[row], ahead[row], changes, scratch[0])
        else:
            x = series[places[k] - size : places[k]]
            sums[row] = 0
            count = _begin(best[row], ahead[row], changes)
            started[row] = 1
        for c in range(count):
            _change(x, len(x) - size, changes, c, shape, best[row], ahead[row], sums[row], scratch)
        for s in range(len(curve)):
            if sums[row, 2, s]:
                total = sums[row, 0, s] / _UNIT + sums[row, 1, s] * _LN2
                curve[s] = 0.5 * total / sums[row, 2, s]
        shares[0, k], shares[1, k] = alike(
            x[len(x) - size :], shape[1], shape[2], best[row], ahead[row], _LEAST, moments,
            scratch[0], scratch[1],
        )  # fmt: skip


@inner
def _begin(best: Series, ahead: Places, changes: Counts) -> int:
    """List all points of a first window: they have to look for a neighbour, and had none."""
    best[:] = 0.0
    ahead[:] = 0
    for i in range(len(best)):
        changes[0, i], changes[1, i], changes[2, i] = i, 0, 1
    return len(best)


@inner
def _slide(x: Series, shape: Counts, best: Series, ahead: Places, changes: Counts, squares: Series) -> int:
    """Take the first point out and another in, and list what changes; `x` begins with what leaves.

    A change is a point, by its place in the new window, how far ahead its neighbour was, and whether it has
    to look for another.
    """
    last = len(best) - 1
    changes[0, 0], changes[1, 0], changes[2, 0] = -1, ahead[0], 0
    _shift(best)
    _shift(ahead)
    far = max(0, last - shape[3])
    _measure(x[1:], last, 0, shape, squares[:far])
    squares[far:last] = np.inf
    best[last], ahead[last] = _nearest_before(last, 0, squares[:far], squares[:far].view(np.int64))
    changes[0, 1], changes[1, 1], changes[2, 1] = last, 0, 0
    count = 2
    for first in range(0, last, _BLOCK):
        stop = min(first + _BLOCK, last)
        if not _may_change(first, squares[first:stop], best[first:stop], ahead[first:stop]):
            continue
        for i in range(first, stop):
            nearer = _is_nearer(squares[i], last - i, best[i], ahead[i])
            lost = i + ahead[i] < 0
            if nearer or lost:
                changes[0, count], changes[1, count], changes[2, count] = i, ahead[i], int(not nearer)
                count += 1
            if nearer:
                best[i], ahead[i] = squares[i], last - i
    return count


@inner
def _change(
    x: Series,
    begin: int,
    changes: Counts,
    c: int,
    shape: Counts,
    best: Series,
    ahead: Places,
    sums: Counts,
    scratch: Series,
) -> None:
    """Look for a neighbour where that has to be, take the old pair from the sums and add the new one.

    The window begins at `begin` of `x`; the point -1 has left.
    """
    i = changes[0, c]
    if changes[2, c]:
        best[i], ahead[i] = _sought(x[begin:], i, len(best), best[i], shape, scratch[0])
    for sign in (-1, 1):
        to = changes[1, c] if sign < 0 else ahead[i] if i >= 0 else 0
        if to:
            _count(x, begin + i, to, shape, sums, scratch, sign)


@inner
def _is_nearer(square: float, gap: int, best: float, ahead: int) -> bool:
    """Whether a point `gap` later is nearer than the neighbour, or as near and nearer in time."""
    return square < best or (square == best and ahead + gap < 0)


@inner
def _shift(values: Any) -> None:
    for i in range(len(values) - 1):
        values[i] = values[i + 1]


@inner
def _may_change(first: int, squares: Series, best: Series, ahead: Places) -> bool:
    """Whether the new point is as near as the neighbour of a point from `first` on, or one lost its own."""
    near = False
    for i in range(len(squares)):
        near |= bool(squares[i] <= best[i])
    lost = np.int32(0)
    for i in range(len(ahead)):
        lost = min(lost, np.int32(np.int32(first + i) + ahead[i]))
    return near or bool(lost < 0)


@inner
def _sought(
    x: Series, i: int, points: int, bound: float, shape: Counts, scratch: Series
) -> tuple[float, int]:
    """Squared distance of the neighbour of `i`, and how far ahead it is; no point is nearer than `bound`.

    Outwards from `i` to both sides, so that the first that is as near as the bound is the one.
    """
    best, ahead = np.inf, 0
    gap = shape[3] + 1
    while best > bound and (gap <= i or i + gap < points):
        low, high = max(0, i - gap - _BLOCK + 1), min(points, i + gap + _BLOCK)
        if gap <= i:
            squares = scratch[: i - gap + 1 - low]
            _measure(x, i, low, shape, squares)
            square, place = _nearest_before(i, low, squares, squares.view(np.int64))
            if square < best:
                best, ahead = square, place
        if i + gap < high:
            squares = scratch[: high - i - gap]
            _measure(x, i, i + gap, shape, squares)
            square, place = _nearest_behind(gap, squares, squares.view(np.int64))
            if square < best or (square == best and place < -ahead):
                best, ahead = square, place
        gap += _BLOCK
    return best, ahead


@inner
def _measure(x: Series, i: int, first: int, shape: Counts, squares: Series) -> None:
    """Squared distance of point `i` to those from `first` on."""
    lag = shape[2]
    for d in range(shape[1]):
        value, others = x[i + d * lag], x[first + d * lag :]
        if d == 0:
            for j in range(len(squares)):
                squares[j] = (value - others[j]) * (value - others[j])
        else:
            for j in range(len(squares)):
                squares[j] += (value - others[j]) * (value - others[j])


@inner
def _nearest_before(i: int, first: int, squares: Series, bits: Counts) -> tuple[float, int]:
    """The least of the squares of points from `first` on, all before `i`, and how far ahead the last is."""
    if not len(bits):
        return np.inf, 0
    least = _least(bits)
    j = len(bits)
    while j > _BLOCK and not _holds(bits[j - _BLOCK : j], least):
        j -= _BLOCK
    j -= 1
    while bits[j] != least:
        j -= 1
    return squares[j], first + j - i


@inner
def _nearest_behind(gap: int, squares: Series, bits: Counts) -> tuple[float, int]:
    """The least of the squares of points from `gap` ahead on, and how far ahead the first is."""
    least = _least(bits)
    j = 0
    while bits[j] != least:
        j += 1
    return squares[j], gap + j


@inner
def _least(bits: Counts) -> int:
    least: int = bits[0]
    for j in range(len(bits)):
        least = min(least, bits[j])
    return least


@inner
def _holds(bits: Counts, value: int) -> bool:
    found = False
    for j in range(len(bits)):
        found |= bool(bits[j] == value)
    return found


@inner
def _count(x: Series, i: int, ahead: int, shape: Counts, sums: Counts, scratch: Series, sign: int) -> None:
    """Add or take (`sign`) the logarithms of a pair, unless its points are equal."""
    dim, lag, steps = shape[1], shape[2], shape[4]
    one, other = x[i:], x[i + ahead :]
    squares, gaps = scratch[1, : steps + 1], scratch[2]
    for s in range(steps + (dim - 1) * lag + 1):
        gaps[s] = (one[s] - other[s]) * (one[s] - other[s])
    for s in range(steps + 1):
        squares[s] = gaps[s]
    for d in range(1, dim):
        later = gaps[d * lag :]
        for s in range(steps + 1):
            squares[s] += later[s]
    if squares[0] < _LEAST:
        return
    rest = gaps[: steps + 1]
    _take_logarithms(squares.view(np.int64), rest, rest.view(np.int64))
    _add(squares.view(np.int64), rest.view(np.int64), sums[0], sums[1], sums[2], sign)


@inner
def _take_logarithms(bits: Counts, rest: Series, rest_bits: Counts) -> None:
    """Write the logarithm of what the exponent of each square leaves, in `_UNIT`, as bits above `_MAGIC`.

    That is within the root of 2 of 1, and goes into the series of the area tangent: ten terms, exact to the
    last bit or two.
    """
    for s in range(len(bits)):
        rest_bits[s] = ((bits[s] - _ROOT) & _MANTISSA) + _ROOT
    for s in range(len(rest)):
        # Not `/`, which would look for a divisor of 0 and stop vectors.
        f = np.divide(rest[s] - 1.0, rest[s] + 1.0)
        g = f * f
        high = 1 / 11 + g * (1 / 13 + g * (1 / 15 + g * (1 / 17 + g * (1 / 19))))
        tangent = f + f * g * (1 / 3 + g * (1 / 5 + g * (1 / 7 + g * (1 / 9 + g * high))))
        rest[s] = (2.0 * _UNIT) * tangent + _MAGIC


@inner
def _add(bits: Counts, rest: Counts, rests: Counts, exponents: Counts, seen: Counts, sign: int) -> None:
    """Add or take the logarithms of those squares that are not zero."""
    for s in range(len(bits)):
        rests[s] += sign * (rest[s] - _MAGIC_BITS) if bits[s] >= _TINY else 0
    for s in range(len(bits)):
        exponents[s] += sign * ((bits[s] - _ROOT) >> 52) if bits[s] >= _TINY else 0
    for s in range(len(bits)):
        seen[s] += sign if bits[s] >= _TINY else 0
