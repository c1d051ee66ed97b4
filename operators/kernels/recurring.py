"""Recurrence quantification over a stream: what share of the returns belong to lines.

Strategy. A run of n returns holds n - l + 1 stretches of l and n - l of l + 1. So the returns in runs of l or
more number l times the stretches of l less l - 1 times those of l + 1: lines need not be followed, only
counted over a fixed length, and what a point that enters or leaves does to the counts lies within l + 1 of
the border. In the maximum norm a pair recurs if each coordinate does; so the few samples at the border are
compared with all others once, which gives a row of flags each, and all stretches are rows of flags laid upon
each other in vectors of bytes. The counts are whole numbers: what is kept up is what a batch would count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["follow_recurrences"]

Series = NDArray[np.float64]
Flags = NDArray[np.uint8]


@kernel
def follow_recurrences(
    rows: NDArray[np.int32],
    places: NDArray[np.int64],
    series: Series,
    radii: NDArray[np.float64],
    shape: NDArray[np.int64],
    counts: NDArray[np.int64],
    started: NDArray[np.uint8],
    flags: Flags,
    shares: NDArray[np.float64],
) -> None:
    """Determinism and laminarity of the window of each sample.

    Two embedded points more than ``theiler`` apart in time recur when no coordinate differs by more than the
    radius. Determinism is the share of these pairs that stand in diagonal lines of ``shortest`` or more of
    the recurrence plot, laminarity of those in vertical lines.

    Parameters
    ----------
    rows, places, series, radii : int32[n], int64[n], float64[m], float64[n]
        Lane, window and radius of each sample (``operators.kernels.dynamics``).
    shape : int64[5]
        Samples of a window, dim, lag, theiler, shortest line (2 to 127).
    counts, started : int64[rows, 3], uint8[rows]
        Of each lane: pairs, pairs in diagonal lines, twice the pairs in vertical lines (a pair stands in two
        columns); and whether they are those of its last window. Modified.
    flags : uint8[shortest + (dim - 1) * lag + 4, window]
        Room to work. Modified.
    shares : float64[2, n]
        Written: determinism and laminarity, 0 to 1; NaN where there is no window or no radius, no pair
        recurs, or the window is constant.

    Notes
    -----
    O(window * (dim + shortest)) a sample, with the first window of a lane O(window) times that. Equal to the
    batch.

    References
    ----------
    .. [1] J. P. Zbilut, C. L. Webber, "Embeddings and delays as derived from quantification of recurrence
       plots", Physics Letters A 171, 1992.
    .. [2] N. Marwan et al., "Recurrence-plot-based measures of complexity and their application to
       heart-rate-variability data", Physical Review E 66, 2002: laminarity.
    """
    size, dim, lag, theiler = shape[0], shape[1], shape[2], shape[3]
    points = size - (dim - 1) * lag
    pairs = (points - theiler) * (points - theiler - 1) // 2
    for k in range(len(rows)):
        shares[0, k] = shares[1, k] = np.nan
        if radii[k] == 0.0:
            continue
        row, begin = rows[k], places[k] - size
        # Points that enter one after the other, all or the last; before that one, the first of before leaves.
        # One call for all, because each is compiled on its own.
        first = points - 1 if started[row] else theiler + 1
        if not started[row]:
            counts[row] = 0
        for i in range(first - np.int64(started[row]), points):
            if i < first:
                x = series[begin - 1 : begin - 1 + size]
                border, low, high, way = 0, theiler + 1, points, 1
            else:
                x = series[begin : begin + i + size - points + 1]
                border, low, high, way = len(x) - 1, 0, i - theiler, -1
            _count(x, border, low, high, way, shape, radii[k], flags, counts[row])
        started[row] = 1
        if counts[row, 0] and (counts[row, 0] < pairs or _varies(series[places[k] - size : places[k]])):
            shares[0, k] = counts[row, 1] / counts[row, 0]
            shares[1, k] = counts[row, 2] / (2 * counts[row, 0])


@inner
def _count(
    x: Series,
    border: int,
    low: int,
    high: int,
    way: int,
    shape: NDArray[np.int64],
    radius: float,
    flags: Flags,
    counts: NDArray[np.int64],
) -> None:
    """Take what the first point brings to the counts, or add what the last one does.

    `border` is the sample that begins or ends it, `low` to `high` are the points that are far enough in
    time, and `way` says where lines go on: 1 from the first, -1 from the last. A flag is 255 or 0.
    """
    dim, lag, shortest = shape[1], shape[2], shape[4]
    recurs, runs, found, near = flags[0], flags[1], flags[2], flags[3:]
    # near[t, v]: whether the sample t from the border recurs at v. Point j begins at sample j, so where the
    # border is an end, the sample that belongs to it is that much later.
    later = 0 if way > 0 else (dim - 1) * lag
    for k in range(dim):
        for s in range(shortest + 1):
            t = s + k * lag
            if t < len(x) and (s < lag or k == dim - 1):
                _compare(x[border + way * t], x, radius, near[t, : len(x)])
    recurs[low:high] = 255
    for k in range(dim):
        _and(recurs[low:high], near[k * lag, low + later + way * k * lag :])
    found[low:high] = 0
    _add(found[low:high], recurs[low:], 1)
    pairs = _sum(found[low:high])
    if pairs:
        counts[0] += -way * pairs
        found[low:high] = 0
        _add_diagonals(near, recurs, runs, found, low, high, way, later, dim, lag, shortest)
        counts[1] += -way * _sum(found[low:high])
        found[low:high] = 0
        _add_own_column(recurs[low:high], runs, found[low:high], shortest)
        _add_columns(near, recurs, runs, found, low, high, way, later, dim, lag, shortest)
        counts[2] += -way * _sum(found[low:high])


@inner
def _add_diagonals(
    near: Flags,
    recurs: Flags,
    runs: Flags,
    found: Flags,
    low: int,
    high: int,
    way: int,
    later: int,
    dim: int,
    lag: int,
    shortest: int,
) -> None:
    """Add the pairs in the diagonals that go on from those that recur, more by those than without them.

    A pair that makes a line long enough brings the whole line, one that lengthens it itself.
    """
    _copy(runs[low:high], recurs[low:high])
    for s in range(1, shortest + 1):
        # The pairs s further: at the border of the window there are none.
        if way > 0:
            high -= 1
        else:
            low += 1
        if low >= high:
            return
        for k in range(dim):
            # The others were laid on with an earlier pair of the diagonal.
            if s < lag or k == dim - 1:
                t = s + k * lag
                _and(runs[low:high], near[t, low + later + way * t :])
        if s == shortest - 1:
            _add(found[low:high], runs[low:], shortest)
        elif s == shortest:
            _subtract(found[low:high], runs[low:], shortest - 1)


@inner
def _add_columns(
    near: Flags,
    recurs: Flags,
    runs: Flags,
    found: Flags,
    low: int,
    high: int,
    way: int,
    later: int,
    dim: int,
    lag: int,
    shortest: int,
) -> None:
    """As :func:`_add_diagonals`, along the column of each other point."""
    _copy(runs[low:high], recurs[low:high])
    for s in range(1, shortest + 1):
        # The pairs s further are nearer in time, and one of them is too near.
        if way > 0:
            low += 1
        else:
            high -= 1
        if low >= high:
            return
        for k in range(dim):
            _and(runs[low:high], near[s + k * lag, low + later + way * k * lag :])
        if s == shortest - 1:
            _add(found[low:high], runs[low:], shortest)
        elif s == shortest:
            _subtract(found[low:high], runs[low:], shortest - 1)


@inner
def _add_own_column(recurs: Flags, runs: Flags, found: Flags, shortest: int) -> None:
    """Add the pairs of the point's own column that stand in its runs."""
    _copy(runs[: len(recurs)], recurs)
    for s in range(1, shortest + 1):
        count = len(recurs) - s
        if count <= 0:
            return
        _and(runs[:count], recurs[s:])
        if s == shortest - 1:
            _add(found[:count], runs, shortest)
        elif s == shortest:
            _subtract(found[:count], runs, shortest - 1)


@inner
def _compare(value: float, x: Series, radius: float, flags: Flags) -> None:
    """Flag what is within `radius` of a value."""
    for j in range(len(flags)):
        flags[j] = 255 if abs(x[j] - value) <= radius else 0


@inner
def _copy(flags: Flags, other: Flags) -> None:
    for j in range(len(flags)):
        flags[j] = other[j]


@inner
def _and(flags: Flags, other: Flags) -> None:
    for j in range(len(flags)):
        flags[j] &= other[j]


@inner
def _add(found: Flags, flags: Flags, weight: int) -> None:
    """Add a weight, 255 at most, where flags are set."""
    small = np.uint8(weight)
    for j in range(len(found)):
        found[j] += flags[j] & small


@inner
def _subtract(found: Flags, flags: Flags, weight: int) -> None:
    small = np.uint8(weight)
    for j in range(len(found)):
        found[j] -= flags[j] & small


@inner
def _sum(found: Flags) -> int:
    """The sum of bytes. In 32 bits, which is twice as fast as in 64."""
    total = np.int32(0)
    for j in range(len(found)):
        total = np.int32(total + np.int32(found[j]))
    return int(total)


@inner
def _varies(x: Series) -> bool:
    i = 1
    while i < len(x) and x[i] == x[0]:
        i += 1
    return i < len(x)
