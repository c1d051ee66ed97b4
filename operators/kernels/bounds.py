"""Lower bounds of the DTW distance: what cannot be near is told from far without warping.

Strategy. The minima and maxima around each sample are found by doubling the width of a running extreme:
log2(2 * radius + 1) passes over the series, vectors throughout, where a queue of candidates (Lemire's
streaming extremes) has a branch a sample. Sums are folded in halves for the same reason: the order of a
running sum would forbid vectors. A bound is always taken whole.

All bounds are of squared cost and of series of one length, free of NaN and infinity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner, kernel

__all__ = ["envelope", "lb_improved", "lb_keogh", "lb_kim", "outside", "surround"]

_ONE = np.uint64(1)


@allocating
def envelope(series: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Return the least and the largest value within `radius` samples of each: float64[2, n].

    O(n * log(radius)) time.

    References
    ----------
    .. [1] E. Keogh and C. A. Ratanamahatana, "Exact indexing of dynamic time warping", KAIS 7(3), 2005.

    Examples
    --------
    >>> envelope(np.array([0.0, 3.0, 1.0, 2.0]), 1)
    array([[0., 0., 1., 1.],
           [3., 3., 3., 2.]])
    """
    n = len(series)
    limits = np.empty((2, n))
    reach = max(0, min(radius, n - 1))
    surround(series, reach, limits[0], limits[1], np.empty((2, n + 2 * reach)))
    return limits


@kernel
def lb_kim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Bound the DTW distance of two series by their ends, which every path aligns. O(1) time.

    References
    ----------
    .. [1] T. Rakthanmanon et al., "Searching and mining trillions of time series subsequences under
       dynamic time warping", KDD 2012, section 4.2.1 (``LB_KimFL``).
    """
    first, last = x[0] - y[0], x[-1] - y[-1]
    return float(first * first + last * last if len(x) + len(y) > 2 else first * first)


@allocating
def lb_keogh(x: NDArray[np.float64], limits: NDArray[np.float64]) -> float:
    """Bound the DTW distance of `x` from a series by how far `x` is outside that series' :func:`envelope`.

    The radius is that of the envelope. O(n) time.

    References
    ----------
    .. [1] E. Keogh and C. A. Ratanamahatana, "Exact indexing of dynamic time warping", KAIS 7(3), 2005.
    """
    return outside(x, limits[0], limits[1], np.empty(len(x)))


@allocating
def lb_improved(
    x: NDArray[np.float64], y: NDArray[np.float64], limits: NDArray[np.float64], radius: int
) -> float:
    """Bound the DTW distance by :func:`lb_keogh`, and by what `y` must still cost where `x` was inside.

    Parameters
    ----------
    x, y : float64[n]
        The two series.
    limits : float64[2, n]
        The :func:`envelope` of `y` with this `radius`.
    radius : int
        Half-width of the Sakoe-Chiba band.

    Returns
    -------
    float
        At least :func:`lb_keogh`, at most the distance.

    Notes
    -----
    O(n * log(radius)) time.

    References
    ----------
    .. [1] D. Lemire, "Faster retrieval with a two-pass dynamic-time-warping lower bound", Pattern
       Recognition 42(9), 2009.
    """
    n = len(x)
    lower, upper, nearest, scratch = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(np.uint64(n)):
        nearest[i] = min(max(x[i], limits[0, i]), limits[1, i])
    reach = max(0, min(radius, n - 1))
    surround(nearest, reach, lower, upper, np.empty((2, n + 2 * reach)))
    return outside(x, limits[0], limits[1], scratch) + outside(y, lower, upper, scratch)


@inner
def surround(
    series: NDArray[np.float64],
    reach: int,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> None:
    """Write the extremes within `reach` < n samples; `scratch` is ``float64[2, n + 2 * reach]``."""
    for i in range(np.uint64(len(series))):
        upper[i] = -series[i]
    _least_around(series, reach, lower, scratch)
    _least_around(upper, reach, upper, scratch)
    for i in range(np.uint64(len(series))):
        upper[i] = -upper[i]


@inner
def _least_around(
    series: NDArray[np.float64], reach: int, least: NDArray[np.float64], scratch: NDArray[np.float64]
) -> None:
    """Write the least value within `reach` samples to `least`, which may be `series`."""
    n, r = np.uint64(len(series)), np.uint64(reach)
    size, width = n + r + r, r + r + _ONE
    here, there = scratch[0], scratch[1]
    for k in range(r):
        here[k] = np.inf
        here[size - _ONE - k] = np.inf
    for i in range(n):
        here[r + i] = series[i]
    span = _ONE  # here[k] is the least of this many from k on
    while span + span <= width:
        for k in range(size - span):
            ahead = here[k + span]
            there[k] = here[k] if here[k] < ahead else ahead
        here, there = there, here
        size -= span
        span += span
    for i in range(n):
        ahead = here[i + width - span]
        least[i] = here[i] if here[i] < ahead else ahead


@inner
def outside(
    series: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> float:
    """Sum of the squared distances from `series` to the interval of each sample; `scratch` is n long."""
    n = np.uint64(len(series))
    for i in range(n):
        over, under = series[i] - upper[i], lower[i] - series[i]
        gap = over if over > under else under
        gap = gap if gap > 0.0 else 0.0
        scratch[i] = gap * gap
    while n > _ONE:
        half = n // np.uint64(2)
        rest = n - half  # the middle one of an odd number waits
        for i in range(half):
            scratch[i] += scratch[rest + i]
        n = rest
    return float(scratch[0]) if n else 0.0
