"""Windows of interleaved lanes, laid out so that kernels can slide along them.

Strategy. A kernel that keeps up a number over a window needs, with each sample, the window before and behind
it. Rings do not have that in one run of memory, and the lanes of a packet take turns. So each touched lane is
laid out once a packet: its last samples, oldest first, and behind them those that the packet brings. The
window of a sample is then the run that ends with it, one copy serves all kernels, and none of them knows of
rings. A lane whose window is not full by the end of the packet is not laid out: it costs what storing it
costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["freeze", "unroll"]

_NORMAL = 1.3489795003921634
"""Interquartile range of a normal distribution, in its standard deviations."""


@kernel
def unroll(
    rows: NDArray[np.int32],
    values: NDArray[np.float64],
    ring: NDArray[np.float64],
    seen: NDArray[np.int64],
    scratch: NDArray[np.int64],
    places: NDArray[np.int64],
    series: NDArray[np.float64],
) -> None:
    """Lay out each lane that has a full window in this packet.

    Parameters
    ----------
    rows, values : int32[n], float64[n]
        The samples in order: lane and value.
    ring, seen : float64[rows, window], int64[rows]
        The last samples of each lane, and how many it had before this packet.
    scratch : int64[2, rows]
        Room to work, zeros; zeros again afterwards.
    places : int64[n]
        Written: where the window of each sample ends in `series`, and 0 where it is not full. Of a lane that
        had a full window before, the window of the sample before ends one place earlier.
    series : float64[n * (window + 1)] or more
        Written.

    Notes
    -----
    O(n), and O(window) a lane.
    """
    size = ring.shape[1]
    at, begin = scratch[0], scratch[1]
    for k in range(len(rows)):
        at[rows[k]] -= 1
    used = 0
    for k in range(len(rows)):
        row = rows[k]
        if at[row] < 0:
            count = -at[row]
            had = min(seen[row], size)
            at[row] = begin[row] = used
            if had + count >= size:
                oldest = seen[row] % size if had == size else 0
                for i in range(had):
                    series[used + i] = ring[row, oldest + i - (size if oldest + i >= size else 0)]
                at[row] = used + had
                used += had + count
            else:
                begin[row] = -1
        places[k] = 0
        if begin[row] >= 0:
            series[at[row]] = values[k]
            at[row] += 1
            if at[row] - begin[row] >= size:
                places[k] = at[row]
    for k in range(len(rows)):
        at[rows[k]] = begin[rows[k]] = 0


@kernel
def freeze(
    rows: NDArray[np.int32],
    places: NDArray[np.int64],
    series: NDArray[np.float64],
    size: int,
    share: float,
    radius: NDArray[np.float64],
    ordered: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> None:
    """Set the radius of a lane from its first window whose samples are not all equal.

    The scale of that window is its interquartile range over 1.349, which is the standard deviation of a
    normal distribution and does not know of a few samples that are far off. Where half of the samples are
    equal that may be 0: then it is the mean distance from the median times the root of pi / 2.

    Parameters
    ----------
    rows, places, series : int32[n], int64[n], float64[m]
        As :func:`unroll` wrote them.
    size : int
        Samples of a window.
    share : float
        The radius in units of the scale.
    radius : float64[rows]
        Of each lane; 0 before it is set, and never changed afterwards. Modified.
    ordered : float64[size]
        Room to work. Modified.
    radii : float64[n]
        Written: the radius with each sample, 0 where there is none yet.

    Notes
    -----
    O(1) a sample; O(window) while there is none, and a sort of the window once.
    """
    for k in range(len(rows)):
        row = rows[k]
        if places[k] and radius[row] == 0.0 and _varies(series[places[k] - size : places[k]]):
            _copy(series[places[k] - size : places[k]], ordered)
            _sort(ordered)
            radius[row] = share * _scale(ordered)
        radii[k] = radius[row] if places[k] else 0.0


@inner
def _scale(ordered: NDArray[np.float64]) -> float:
    between = _quantile(ordered, 0.75) - _quantile(ordered, 0.25)
    if between > 0.0:
        return float(between / _NORMAL)
    middle = _quantile(ordered, 0.5)
    distance = 0.0
    for i in range(len(ordered)):
        distance += abs(ordered[i] - middle) / len(ordered)
    return float(distance * np.sqrt(np.pi / 2.0))


@inner
def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """Between two samples in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    rest = place - below
    return float(ordered[below] + (rest * (ordered[below + 1] - ordered[below]) if rest > 0.0 else 0.0))


@inner
def _sort(values: NDArray[np.float64]) -> None:
    """Shell's sort: short to compile, and it takes no memory."""
    gap = len(values) // 2
    while gap:
        for i in range(gap, len(values)):
            value = values[i]
            j = i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap = gap // 2 if gap < 5 else int(gap / 2.2)


@inner
def _copy(values: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for i in range(len(out)):
        out[i] = values[i]


@inner
def _varies(x: NDArray[np.float64]) -> bool:
    i = 1
    while i < len(x) and x[i] == x[0]:
        i += 1
    return i < len(x)
