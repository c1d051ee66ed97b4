"""Permutation entropy over a stream: of the order in which a few values follow each other.

Strategy. With a sample one pattern enters and one leaves, so two counts change. The entropy is a sum of
``c ln c`` over the counts, and that is kept up as well: its parts are whole numbers from a table, rounded
once, so what is taken away is what was added, and nothing drifts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["follow_patterns", "weights"]

_UNIT = 2.0**44
"""Of the parts of the sum: that of 8,192 patterns fits in 63 bits."""


def weights(patterns: int) -> NDArray[np.int64]:
    """What 0, 1 ... `patterns` equal patterns weigh: ``c ln c`` in 2**-44, int64[patterns + 1]."""
    counts = np.arange(patterns + 1)
    weigh: NDArray[np.int64] = np.rint(counts * np.log(np.maximum(counts, 1)) * _UNIT).astype(np.int64)
    return weigh


@kernel
def follow_patterns(
    rows: NDArray[np.int32],
    places: NDArray[np.int64],
    series: NDArray[np.float64],
    shape: NDArray[np.int64],
    weight: NDArray[np.int64],
    counts: NDArray[np.int32],
    total: NDArray[np.int64],
    started: NDArray[np.uint8],
    entropies: NDArray[np.float64],
) -> None:
    r"""Permutation entropy of the window of each sample, as a share of the most that is possible.

    .. math:: -\frac{1}{\ln m!} \sum_\pi p(\pi) \ln p(\pi)

    Parameters
    ----------
    rows, places, series : int32[n], int64[n], float64[m]
        Lane and window of each sample (``operators.kernels.dynamics``).
    shape : int64[3]
        Samples of a window; order, the values of a pattern; lag, samples from one of them to the next. Equal
        values count as rising.
    weight : int64[window - (order - 1) * lag + 1]
        :func:`weights` of as many patterns as there are in a window.
    counts, total : int32[rows, order!], int64[rows]
        How often each pattern stands in the last window of a lane, and the sum of their weights. Modified.
    started : uint8[rows]
        Whether these are of the last window. Modified.
    entropies : float64[n]
        Written: 0 to 1, within 1e-13; NaN where there is no window, or it is constant.

    Notes
    -----
    O(order * order) a sample, and O(window) while there is one pattern only, to see whether it is constant.

    References
    ----------
    .. [1] C. Bandt, B. Pompe, "Permutation entropy: a natural complexity measure for time series", Physical
       Review Letters 88, 2002.
    """
    size, order, lag = shape[0], shape[1], shape[2]
    span = (order - 1) * lag + 1
    most = weight[len(weight) - 1]
    unit = _UNIT * (len(weight) - 1) * np.log(float(counts.shape[1]))
    for k in range(len(rows)):
        entropies[k] = np.nan
        if not places[k]:
            continue
        row = rows[k]
        x = series[places[k] - size : places[k]]
        if started[row]:
            leaving = series[places[k] - size - 1 :]
            total[row] += _change(_pattern(leaving, order, lag), weight, counts[row], -1)
            total[row] += _change(_pattern(x[size - span :], order, lag), weight, counts[row], 1)
        else:
            counts[row] = 0
            total[row] = 0
            for i in range(size - span + 1):
                total[row] += _change(_pattern(x[i:], order, lag), weight, counts[row], 1)
            started[row] = 1
        if total[row] < most or _varies(x):
            entropies[k] = (most - total[row]) / unit


@inner
def _pattern(x: NDArray[np.float64], order: int, lag: int) -> int:
    """The number of the first pattern of `x`: digit b, worth b!, is how many of the earlier are higher."""
    number = 0
    worth = 1
    for b in range(1, order):
        worth *= b
        for a in range(b):
            if x[a * lag] > x[b * lag]:
                number += worth
    return number


@inner
def _change(pattern: int, weight: NDArray[np.int64], counts: NDArray[np.int32], by: int) -> int:
    """Count a pattern once more or less; what that changes in the sum."""
    before: int = weight[counts[pattern]]
    counts[pattern] += by
    after: int = weight[counts[pattern]]
    return after - before


@inner
def _varies(x: NDArray[np.float64]) -> bool:
    i = 1
    while i < len(x) and x[i] == x[0]:
        i += 1
    return i < len(x)
