"""Dynamic time warping: distances of two series under several costs, within a band of the matrix.

Strategy. A function per cost, over one way to fill the matrix (``operators.kernels.warp``), so that none of
them asks in its loop which cost it has. What may be warped is one array of two limits a row, which holds a
Sakoe-Chiba band, an Itakura parallelogram or anything else that does not fall; the plain
functions take a radius and make that array themselves. Memory is linear: 0.6 MB for 10,000 x 10,000.

A value that is not finite has no distance from anything: the answer is NaN, never a number that looks
like one. The alignment is in ``dtw_path``, distances of many series in ``dtw_pairwise``, search in
``dtw_search``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.dtw_pairwise import dtw_pairwise, dtw_self
from operators.kernels.dtw_path import dtw_path
from operators.kernels.dtw_search import dtw_nearest, dtw_search
from operators.kernels.warp import (
    MARGIN,
    fill_absolute,
    fill_euclidean,
    fill_squared,
    fill_unequal,
    lay,
    lay_backwards,
)

__all__ = [
    "derivative",
    "dtw_distance",
    "dtw_distance_absolute",
    "dtw_distance_multivariate",
    "dtw_distance_symbols",
    "dtw_nearest",
    "dtw_pairwise",
    "dtw_path",
    "dtw_per_step",
    "dtw_search",
    "dtw_self",
    "dtw_within",
    "itakura",
    "sakoe_chiba",
]

_ROUNDING = 1e-9  # samples
_BUILT_ON = 0xC6D6E7FD
"""CRC-32 of warp.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_dtw.py`` tells the number)."""


@allocating
def dtw_distance(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> float:
    r"""Banded DTW distance between `x` and `y`, cost squared.

    .. math:: D_{i,j} = (x_i - y_j)^2 + \min(D_{i-1,j-1}, D_{i-1,j}, D_{i,j-1})

    Parameters
    ----------
    x, y : float64[n], float64[m]
        The two series, in the same unit.
    radius : int
        Half-width of the Sakoe-Chiba band ``|i - j| <= radius``, in samples. ``0`` is the squared
        Euclidean distance, ``max(n, m) - 1`` unconstrained DTW. For series of different length the
        band is widened to ``|n - m|``, the least that reaches the corner.

    Returns
    -------
    float
        Squared distance along the optimal warping path; ``0.0`` for two empty series, ``inf`` when
        one is empty, NaN when a value is not finite.

    Notes
    -----
    O(n * radius) time, O(n + m) memory.

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
    return dtw_within(x, y, sakoe_chiba(len(x), len(y), radius), np.inf)


@allocating
def dtw_within(
    x: NDArray[np.float64], y: NDArray[np.float64], band: NDArray[np.int64], cutoff: float
) -> float:
    """DTW distance with squared cost within any band, given up as soon as it must exceed `cutoff`.

    Parameters
    ----------
    x, y : float64[n], float64[m]
        The two series, in the same unit.
    band : int64[2, n]
        Row `i` may be aligned with ``band[0, i]`` up to, and without, ``band[1, i]``: each in 0 to `m`,
        and neither falls from row to row. By :func:`sakoe_chiba` or :func:`itakura`, for example.
    cutoff : float
        Largest distance that is of interest; ``inf`` for any.

    Returns
    -------
    float
        The distance; ``inf`` when it exceeds `cutoff` or the band holds no path; as
        :func:`dtw_distance` for series that are empty or not finite.

    Notes
    -----
    O(cells of the band) time at most, O(n + m) memory. A look whether to give up costs a part of an
    anti-diagonal and is taken every 16th.
    """
    n, m = len(x), len(y)
    xs, ys = np.empty(n + MARGIN), np.empty(m + 1 + MARGIN)
    x_is_finite = lay(x, xs)
    if not (lay_backwards(y, ys) and x_is_finite):
        return np.nan
    if n == 0 or m == 0:
        return 0.0 if n == m else np.inf
    if _holds_no_path(band, m):
        return np.inf
    diagonals = np.empty((2, (n + m) // 2 + 5 + MARGIN))
    return fill_squared(xs, ys, band, diagonals, np.empty(m), cutoff)


@allocating
def dtw_distance_absolute(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> float:
    """As :func:`dtw_distance` with the absolute difference for cost: less is made of single outliers.

    Examples
    --------
    >>> dtw_distance_absolute(np.array([0.0, 3.0]), np.array([0.0, 1.0]), 1)
    2.0
    """
    n, m = len(x), len(y)
    xs, ys = np.empty(n + MARGIN), np.empty(m + 1 + MARGIN)
    x_is_finite = lay(x, xs)
    if not (lay_backwards(y, ys) and x_is_finite):
        return np.nan
    if n == 0 or m == 0:
        return 0.0 if n == m else np.inf
    diagonals = np.empty((2, (n + m) // 2 + 5 + MARGIN))
    return fill_absolute(xs, ys, sakoe_chiba(n, m, radius), diagonals, np.empty(m), np.inf)


@allocating
def dtw_distance_symbols(x: NDArray[np.int64], y: NDArray[np.int64], radius: int) -> float:
    """Banded DTW distance of two sequences of symbols: how many steps of the path join different ones.

    As :func:`dtw_distance` for ``int64`` sequences, with cost 0 for the same symbol and 1 for any other.
    A symbol that is repeated costs nothing, unlike in the edit distance.

    Examples
    --------
    >>> dtw_distance_symbols(np.array([7, 7, 7, 2]), np.array([7, 2, 2]), 3)
    0.0
    """
    n, m = len(x), len(y)
    if n == 0 or m == 0:
        return 0.0 if n == m else np.inf
    xs, ys = np.empty(n + MARGIN, np.int64), np.empty(m + 1 + MARGIN, np.int64)
    lay(x, xs)
    lay_backwards(y, ys)
    diagonals = np.empty((2, (n + m) // 2 + 5 + MARGIN))
    return fill_unequal(xs, ys, sakoe_chiba(n, m, radius), diagonals, np.empty(m), np.inf)


@allocating
def dtw_distance_multivariate(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> float:
    """As :func:`dtw_distance` for series of several dimensions, which are warped together.

    Parameters
    ----------
    x, y : float64[n, d], float64[m, d]
        Samples of `d` dimensions, of comparable scale; the cost is the squared Euclidean distance.
    radius : int
        As there.

    Notes
    -----
    "Dependent" DTW in the words of [1]_; the independent one is the sum of :func:`dtw_distance` over
    the dimensions.

    References
    ----------
    .. [1] M. Shokoohi-Yekta, B. Hu, H. Jin, J. Wang, E. Keogh, "Generalizing DTW to the
       multi-dimensional case requires an adaptive approach", DMKD 31, 2017.
    """
    n, m, dimensions = len(x), len(y), x.shape[1]
    xs, ys = np.empty((dimensions, n + MARGIN)), np.empty((dimensions + 2, m + 1 + MARGIN))
    is_finite = True
    for k in range(dimensions):
        is_finite &= lay(x[:, k], xs[k])
        is_finite &= lay_backwards(y[:, k], ys[k])
    if not is_finite:
        return np.nan
    if n == 0 or m == 0:
        return 0.0 if n == m else np.inf
    diagonals = np.empty((2, (n + m) // 2 + 5 + MARGIN))
    return fill_euclidean(xs, ys, sakoe_chiba(n, m, radius), diagonals, np.empty(m), np.inf)


@allocating
def sakoe_chiba(n: int, m: int, radius: int) -> NDArray[np.int64]:
    """Make the band ``|i - j| <= max(radius, |n - m|)``: int64[2, n], for series of `n` and `m` samples.

    Examples
    --------
    >>> sakoe_chiba(4, 4, 1)
    array([[0, 0, 1, 2],
           [2, 3, 4, 4]])
    """
    half = max(radius, abs(n - m))
    band = np.empty((2, n), np.int64)
    lower, upper = band[0], band[1]
    for i in range(n):
        lower[np.uint64(i)] = max(0, i - half)
        upper[np.uint64(i)] = min(m, i + half + 1)
    return band


@allocating
def itakura(n: int, m: int, slope: float) -> NDArray[np.int64]:
    """Make the Itakura parallelogram: int64[2, n], for series of `n` and `m` samples.

    Parameters
    ----------
    n, m : int
        Lengths of the series, each at least 1.
    slope : float
        How many times faster than on average one series may run through the other, at least 1;
        the slopes of the sides are ``slope`` and ``1 / slope``, times ``(m - 1) / (n - 1)``.

    Returns
    -------
    int64[2, n]
        Limits for :func:`dtw_within`: the samples inside or on the sides, both neighbours of the
        diagonal, and what a row needs to reach the next one, so that there is always a path.

    References
    ----------
    .. [1] F. Itakura, "Minimum prediction residual principle applied to speech recognition", IEEE
       Trans. ASSP 23(1), 1975.
    """
    band = np.empty((2, n), np.int64)
    along = (m - 1) / max(n - 1, 1)
    for i in range(n):
        done, left = i * along, (n - 1 - i) * along
        near = max(done / slope, (m - 1) - slope * left)
        far = min(slope * done, (m - 1) - left / slope)
        # Products of what is a whole number on paper come out beside it.
        band[0, i] = min(np.int64(np.ceil(near - _ROUNDING)), np.int64(np.floor(done + _ROUNDING)))
        band[1, i] = max(np.int64(np.floor(far + _ROUNDING)), np.int64(np.ceil(done - _ROUNDING))) + 1
    for i in range(n - 1):
        band[1, i] = max(band[1, i], band[0, i + 1])
    if n == 1:
        band[1, 0] = m
    return band


def derivative(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the slope at each sample: float64[n], for n >= 3; distances of these are derivative DTW.

    Series are then aligned by where they rise and fall, whatever their level. The slope is the mean of
    that to the left neighbour and that from the left neighbour to the right one; the ends repeat theirs.

    References
    ----------
    .. [1] E. Keogh and M. Pazzani, "Derivative dynamic time warping", SDM 2001.

    Examples
    --------
    >>> derivative(np.array([0.0, 1.0, 4.0, 9.0]))
    array([1.5, 1.5, 3.5, 3.5])
    """
    left, here, right = series[:-2], series[1:-1], series[2:]
    inside = ((here - left) + (right - left) / 2) / 2
    return np.concatenate((inside[:1], inside, inside[-1:]))


def dtw_per_step(x: NDArray[np.float64], y: NDArray[np.float64], radius: int) -> float:
    """Return :func:`dtw_distance` per step of the path it is the cost of, in squared units of the series.

    Comparable over series of different length, as the distance itself is not. Of several optimal paths
    that of :func:`dtw_path` counts. NaN for series that are empty or not finite.

    Examples
    --------
    >>> dtw_per_step(np.array([0.0, 2.0]), np.array([0.0, 1.0]), 1)
    0.5
    """
    steps = len(dtw_path(x, y, radius))
    return dtw_distance(x, y, radius) / steps if steps else np.nan


@inner
def _holds_no_path(band: NDArray[np.int64], m: int) -> bool:
    """Whether a corner of the matrix is outside the band, or a row empty."""
    lower, upper = band[0], band[1]
    empty = lower[0] > 0 or upper[len(upper) - 1] < m
    for i in range(np.uint64(len(lower))):
        empty |= lower[i] >= upper[i]
    return bool(empty)
