"""The matrix profile of a series: how near each window's nearest other window is, whatever their scale.

Strategy. Two windows are compared by their correlation. Along a diagonal of the matrix of all pairs their
covariance changes by two products a step (SCAMP), so n windows cost O(n^2) and not O(n^2 m), in O(n) memory.
A block of diagonals goes down the matrix side by side: the pairs of a window with the block are a run of
memory, which short loops take in vectors, and a block fits the first cache. Each loop reads and writes few
arrays: with more the compiler does not trust them to be apart, and uses no vectors. The greatest number of a
run is sought among its bits, as integers: a maximum of floats would have to mind NaN, which is never there.

Rounding adds up along a diagonal, so covariances are summed anew every few thousand steps, and the distance
of the nearest pair is measured afresh from its windows. A window that is constant has no scale, and one with
a NaN no distance; both are told by what is added to the correlation, so the loops know no exceptions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["PAIR", "matrix_profile", "motifs", "neighbours"]

Series = NDArray[np.float64]

PAIR = np.dtype([("first", "<i8"), ("second", "<i8"), ("distance", "<f8")])
"""Two windows, by the places where they begin."""

_BLOCK = 256  # diagonals: 2 KiB of each array
_RESTART = 4096  # steps after which covariances are summed anew
# The parts that two windows add to their correlation keep it positive, where bits have the order of numbers.
_PLAIN = 0.0
_CONSTANT = 0.5  # so one constant window is at a correlation of 0.5, which is sqrt(m), and two at 1
_NEVER = -16.0


def matrix_profile(x: ArrayLike, m: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""The distance of each window of `m` samples to its nearest neighbour, and where that is.

    .. math:: d_{i,j} = \lVert z(x_{i..i+m}) - z(x_{j..j+m}) \rVert, \quad |i - j| > \lceil m / 4 \rceil

    with `z` scaled to mean 0 and (population) deviation 1. As in STUMPY two constant windows are at distance
    0, a constant and another at :math:`\sqrt m`, and a window with a NaN or an infinity in it is infinitely
    far from all.

    Parameters
    ----------
    x : float64[n]
        The series. Offset and scale do not count.
    m : int
        Samples of a window, 3 to n.

    Returns
    -------
    float64[n - m + 1], int64[n - m + 1]
        Distance and place of the nearest; ``inf`` and -1 where there is none. Of windows whose correlations
        differ by less than about 1e-12, any may be the nearest.

    Raises
    ------
    ValueError
        If `x` is not one series of `m` numbers or more, or `m` is less than 3.

    Notes
    -----
    O(n^2) time, 0.4 to 1 ns a pair of windows, and O(n) memory, 120 bytes a sample.

    References
    ----------
    .. [1] C.-C. M. Yeh et al., "Matrix Profile I: all pairs similarity joins for time series", ICDM 2016.
    .. [2] Z. Zimmerman et al., "Matrix Profile XIV: scaling time series motif discovery with GPUs to break a
       quintillion pairwise comparisons a day and beyond", SoCC 2019: the recurrence.

    Examples
    --------
    >>> distances, nearest = matrix_profile([0, 1, 3, 2, 9, 9, 9, 5, 7, 11, 9, 0], 4)
    >>> round(float(distances[0]), 6), int(nearest[0])
    (0.0, 7)
    """
    series, stats = _windows(x, m, "matrix_profile")
    count = stats.shape[1]
    best = np.zeros(count)
    nearest = np.full(count, -1, np.int64)
    zone = math.ceil(m / 4)
    odd = np.concatenate([[0], np.cumsum(stats[2] != 0)])
    _join(series, m, zone, stats, odd, np.empty(_BLOCK), np.empty(_BLOCK), best, nearest)
    distances = np.empty(count)
    _measure(series, m, stats, np.arange(count), nearest, distances)
    return distances, nearest


def motifs(x: ArrayLike, m: int, k: int = 3) -> NDArray[np.void]:
    """Pairs of a window and its nearest (:func:`matrix_profile`), nearest first, `k` at most.

    Windows of different pairs are more than a quarter of `m` apart, as those of a pair are. The first
    pair is the nearest of all. A window whose nearest is too near to a pair told before is passed over, and
    not asked for its next nearest. For all that resembles a pair, ask :func:`neighbours` for its first.

    Returns
    -------
    PAIR[k or fewer]
        ``first < second``.

    Raises
    ------
    ValueError
        As :func:`matrix_profile`, and if `k` is less than 1.

    Examples
    --------
    >>> motifs([0, 1, 3, 2, 9, 9, 9, 5, 7, 11, 9, 0], 4, 1)[["first", "second"]].tolist()
    [(0, 7)]
    """
    if k < 1:
        msg = f"motifs: k must be 1 or more, not {k}"
        raise ValueError(msg)
    distances, nearest = matrix_profile(x, m)
    zone = math.ceil(m / 4)
    taken: list[int] = []
    found: list[tuple[int, int, float]] = []
    for i in np.argsort(distances, kind="stable").tolist():
        j = int(nearest[i])
        if j < 0 or len(found) == k:
            break
        if all(abs(i - place) > zone and abs(j - place) > zone for place in taken):
            taken += [i, j]
            found.append((min(i, j), max(i, j), distances[i]))
    return np.array(found, PAIR)


def neighbours(x: ArrayLike, m: int, at: int, within: float) -> NDArray[np.void]:
    """The windows that are `within` a distance of the window at `at`, nearest first.

    Each is more than a quarter of `m` from `at` and from those before it.

    Returns
    -------
    PAIR[k]
        ``first`` is `at`. O(n m) time.

    Raises
    ------
    ValueError
        As :func:`matrix_profile`, and if there is no window at `at`, or `within` is NaN or negative.
    """
    series, stats = _windows(x, m, "neighbours")
    count = stats.shape[1]
    if not 0 <= at < count or not within >= 0:
        msg = f"neighbours: at must be 0 to {count - 1} and within 0 or more, not {at} and {within}"
        raise ValueError(msg)
    distances = np.empty(count)
    _measure(series, m, stats, np.full(count, at), np.arange(count), distances)
    zone = math.ceil(m / 4)
    taken = [at]
    found = []
    for i in np.argsort(distances, kind="stable").tolist():
        if not distances[i] <= within or distances[i] == np.inf:
            break
        if all(abs(i - place) > zone for place in taken):
            taken.append(i)
            found.append((at, i, distances[i]))
    return np.array(found, PAIR)


def _windows(x: ArrayLike, m: int, name: str) -> tuple[Series, Series]:
    """The series in units of its greatest value, and what :func:`_describe` says of its windows."""
    given = np.asarray(x)
    if given.ndim != 1 or given.dtype.kind not in "biuf" or not 3 <= m <= len(given):
        msg = (
            f"{name}: a series of numbers, and windows of 3 samples to all of it, are needed, "
            f"not {given.dtype}{list(given.shape)} and {m}"
        )
        raise ValueError(msg)
    series = np.array(given, np.float64)
    finite = np.isfinite(series)
    greatest = np.abs(series[finite]).max(initial=0.0)
    if greatest > 0:
        series /= greatest
    if finite.any():
        series -= series[finite].mean()
    stats = np.zeros((5, len(series) - m + 1))
    series[~finite] = 0.0
    _describe(series, finite, m, stats)
    return series, stats


@kernel
def _describe(x: Series, finite: NDArray[np.bool_], m: int, stats: Series) -> None:
    """Mean of each window, 1 / norm of its deviations (0 for none), what it adds to a correlation, and the
    two factors of the recurrence: float64[5, windows], zeros before. `x` is 0 where it was not finite.
    """
    known = 0
    equal = 0
    for i in range(len(x)):
        known = known + 1 if finite[i] else 0
        equal = equal + 1 if i and x[i] == x[i - 1] else 1
        first = i - m + 1
        if first < 0:
            continue
        total = 0.0
        for k in range(m):
            total += x[first + k]
        mean = total / m
        square = 0.0
        for k in range(m):
            square += (x[first + k] - mean) ** 2
        stats[0, first] = mean
        stats[2, first] = _CONSTANT if known >= m else _NEVER
        if equal < m and square > 0.0 and known >= m:
            stats[1, first] = 1.0 / math.sqrt(square)
            stats[2, first] = _PLAIN
        if first:
            stats[3, first] = (x[i] - x[first - 1]) / 2
            stats[4, first] = (x[i] - mean) + (x[first - 1] - stats[0, first - 1])


@kernel
def _join(
    x: Series,
    m: int,
    zone: int,
    stats: Series,
    odd: NDArray[np.int64],
    covariances: Series,
    values: Series,
    best: Series,
    nearest: NDArray[np.int64],
) -> None:
    """The greatest correlation of each window, plus 2, and with which; `best` is zeros before.

    ``odd[i]`` counts the windows before `i` that are not plain.
    """
    count = stats.shape[1]
    means, scales, parts, halves, sums = stats[0], stats[1], stats[2], stats[3], stats[4]
    for top in range(0, count - zone - 1, _RESTART):
        bottom = min(top + _RESTART, count - zone - 1)
        for diagonal in range(zone + 1, count - top, _BLOCK):
            for i in range(top, min(bottom, count - diagonal)):
                low = i + diagonal
                high = min(low + _BLOCK, count)
                covariance, value = covariances[: high - low], values[: high - low]
                if i == top:
                    # One step of the recurrence short of the first window, which has none behind it.
                    covariance[:] = 0.0
                    for t in range(m):
                        _add(covariance, x[i + t] - means[i], x[low + t : high + t], means[low:high])
                    _correlate(
                        covariance,
                        value,
                        0.0,
                        0.0,
                        scales[i],
                        halves[low:high],
                        sums[low:high],
                        scales[low:high],
                    )
                else:
                    _correlate(
                        covariance,
                        value,
                        halves[i],
                        sums[i],
                        scales[i],
                        halves[low:high],
                        sums[low:high],
                        scales[low:high],
                    )
                if parts[i] != 0.0 or odd[high] > odd[low]:
                    for k in range(high - low):
                        value[k] += parts[i] + parts[low + k]
                greatest = _improve(value, value.view(np.int64), i, best[low:high], nearest[low:high])
                if greatest > best[i : i + 1].view(np.int64)[0]:
                    for k in range(high - low):
                        if value[k] > best[i]:
                            best[i] = value[k]
                            nearest[i] = low + k


@inner
def _add(covariance: Series, deviation: float, values: Series, means: Series) -> None:
    for k in range(len(covariance)):
        covariance[k] += deviation * (values[k] - means[k])


@inner
def _correlate(
    covariance: Series,
    value: Series,
    half: float,
    total: float,
    scale: float,
    halves: Series,
    sums: Series,
    scales: Series,
) -> None:
    """One step down the diagonals: their covariances, and the correlations plus 2."""
    for k in range(len(value)):
        covariance[k] += half * sums[k] + total * halves[k]
        value[k] = covariance[k] * scale * scales[k] + 2.0


@inner
def _improve(
    value: Series, bits: NDArray[np.int64], i: int, best: Series, nearest: NDArray[np.int64]
) -> np.int64:
    """Note window `i` where it is nearer than the best; the bits of the greatest value."""
    greatest = np.int64(0)
    nearer = np.int64(0)
    for k in range(len(value)):
        nearer |= np.int64(value[k] > best[k])
        greatest = max(greatest, bits[k])
    if nearer:
        for k in range(len(value)):
            better = value[k] > best[k]
            best[k] = value[k] if better else best[k]
            nearest[k] = i if better else nearest[k]
    return greatest


@kernel
def _measure(
    x: Series,
    m: int,
    stats: Series,
    firsts: NDArray[np.int64],
    seconds: NDArray[np.int64],
    distances: Series,
) -> None:
    """The distance of each pair of windows, from their samples; ``inf`` for a second of -1."""
    for p in range(len(firsts)):
        i, j = firsts[p], seconds[p]
        if j < 0 or stats[2, i] < 0 or stats[2, j] < 0:
            distances[p] = np.inf
            continue
        if stats[1, i] == 0.0 or stats[1, j] == 0.0:
            distances[p] = 0.0 if stats[1, i] == stats[1, j] else math.sqrt(m)
            continue
        total = 0.0
        for k in range(m):
            gap = (x[i + k] - stats[0, i]) * stats[1, i] - (x[j + k] - stats[0, j]) * stats[1, j]
            total += gap * gap
        distances[p] = math.sqrt(total * m)
