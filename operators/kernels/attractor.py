"""The regime of a series, from the shape it draws in delay space; for a whole series or a stream.

Strategy. Everything is measured on the standardised series, so scale and offset do not count. In
order, the first that holds: a constant or what settles to one is a *fixed point*; a line or a one-way
road a *trend*; what repeats with a period, at all of its multiples alike, a *limit cycle*; what a
short linear recurrence predicts (a few spectral lines) without repeating a *torus*. The rest is judged
by nearest neighbours in an embedding of three coordinates: *noise* if they predict the next sample no
better than linear correlation does, *chaotic* if they do and then part, *torus* if they stay together.
What lies between two of these is undetermined, and that is an answer: short windows often are.

The thresholds were set on 35 kinds of series at lengths 128 to 2000 (``tests/kernels/test_attractor``
holds a part of them). Sums may be reordered (``reassoc``), infinities and NaN keep their meaning.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["CHAOTIC", "CYCLE", "FIXED", "NOISE", "SHORTEST", "TORUS", "TREND", "UNDETERMINED"]
__all__ += ["attractor_update", "classify_series"]

UNDETERMINED, FIXED, CYCLE, TORUS, CHAOTIC, NOISE, TREND = range(7)

SHORTEST = 32
"""Samples below which nothing is determined."""
_DIM = 3
_UNRELATED = 0.7
"""Mean logarithm of the distance of unrelated points in three standardised coordinates, about."""
_ORDER = 6
"""Coefficients of the linear recurrence: three spectral lines."""
_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True)
def classify_series(
    x: NDArray[np.float64], scratch: NDArray[np.float64], nearest: NDArray[np.int64]
) -> tuple[int, float]:
    """The regime of `x`, as one of this module's numbers, and its largest Lyapunov exponent.

    Parameters
    ----------
    x : float64[n]
        The series, oldest first, finite.
    scratch, nearest : float64[4, n], int64[n]
        Room to work in. Modified.

    Returns
    -------
    int, float
        The exponent is in nats per sample: a coarse one, of as many points as `x` has, by the method
        of ``operators.kernels.lyapunov``. 0.0 for the regimes that have none above zero.

    Notes
    -----
    O(n * n) time; 35 us for 128 samples, 5 ms for 2000.
    """
    n = len(x)
    if n < SHORTEST:
        return UNDETERMINED, 0.0
    z, recurrence = scratch[0], scratch[1]
    plain = _plain(x, z)
    if plain != UNDETERMINED:
        return plain, 0.0
    _recurrence(z, recurrence, 3 * n // 4)
    lag = 1
    while lag < n // 12 and recurrence[lag] < 1.0 - 1.0 / np.e:
        lag += 1
    next_error, growth, exponent = _follow(z, lag, nearest, scratch[2], scratch[3])
    period_error, worst = _period(recurrence, n)
    if period_error < 0.12 and worst <= 2.0 * period_error + 0.01:
        if next_error < 0.5 * period_error and growth > 1.0:
            return CHAOTIC, exponent
        return CYCLE, 0.0
    if lag == n // 12:
        return UNDETERMINED, 0.0
    if _linear_error(z, lag) < 1e-3:
        return TORUS, 0.0
    # What correlation alone leaves open one sample ahead: for red noise its step, for blue its rest.
    correlation = 1.0 - recurrence[1]
    unexplained = next_error / min(recurrence[1], 1.0 - correlation * correlation)
    if unexplained > 0.5:
        return NOISE, exponent
    if unexplained < 0.35 and growth > 1.0:
        return CHAOTIC, exponent
    if unexplained < 0.35 and growth < 0.7:
        return TORUS, 0.0
    return UNDETERMINED, 0.0


@njit(cache=True, nogil=True)
def _plain(x: NDArray[np.float64], z: NDArray[np.float64]) -> int:
    """Standardise `x` into `z`; recognise a constant, what settles, and a trend on the way."""
    n = len(x)
    low = high = x[0]
    path = 0.0
    for i in range(1, n):
        low, high = min(low, x[i]), max(high, x[i])
        path += abs(x[i] - x[i - 1])
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        return FIXED
    ranges = np.empty(4)
    for quarter in range(4):
        bottom, top = np.inf, -np.inf
        for i in range(quarter * n // 4, (quarter + 1) * n // 4):
            bottom, top = min(bottom, x[i]), max(top, x[i])
        ranges[quarter] = top - bottom
    settles = ranges[3] <= 1e-3 * ranges[0]
    for quarter in range(3):
        settles &= ranges[quarter + 1] <= 0.5 * ranges[quarter]
    if settles:
        return FIXED
    # Of the middle and not of zero: the mean of a small wave on a large offset keeps its digits.
    middle = 0.5 * (low + high)
    total = 0.0
    for i in range(n):
        total += x[i] - middle
    square = product = 0.0
    for i in range(n):
        z[i] = (x[i] - middle) - total / n
        square += z[i] * z[i]
        product += z[i] * (i - 0.5 * (n - 1))
    for i in range(n):
        z[i] /= np.sqrt(square / n)
    straight = product * product / (square * n * (n * n - 1.0) / 12.0)
    if straight > 0.8 or abs(x[n - 1] - x[0]) > 0.9 * path:
        return TREND
    return UNDETERMINED


@njit(cache=True, nogil=True, fastmath=_SUMS)
def _recurrence(z: NDArray[np.float64], out: NDArray[np.float64], count: int) -> None:
    """Half the mean squared difference at each lag below `count`: 1 minus the autocorrelation."""
    n = len(z)
    for p in range(count):
        total = 0.0
        later = z[p:]
        for i in range(len(later)):
            gap = later[i] - z[i]
            total += gap * gap
        out[p] = total / (2 * (n - p))


@njit(cache=True, nogil=True)
def _period(recurrence: NDArray[np.float64], n: int) -> tuple[float, float]:
    """What is left of the variance after the best short period, and after the worst of its multiples.

    Noise on a cycle costs each multiple the same, a near-return of anything else the more the later.
    """
    least = np.inf
    for p in range(2, 2 * n // 5):
        if recurrence[p] <= recurrence[p - 1] and recurrence[p] <= recurrence[p + 1]:
            least = min(least, _vertex(recurrence, p)[1])
    if least == np.inf:
        return np.inf, np.inf
    place, error = 2, np.inf
    while error > 2.0 * least + 0.005:
        if recurrence[place] <= recurrence[place - 1] and recurrence[place] <= recurrence[place + 1]:
            error = _vertex(recurrence, place)[1]
        place += 1
    period = _vertex(recurrence, place - 1)[0]
    worst = 0.0
    turn = period
    while turn + period < 3 * n // 4 - 2:
        p = int(turn + period + 0.5)
        for q in (p - 1, p + 1):
            if recurrence[q] < recurrence[p]:
                p = q
        turn, rest = _vertex(recurrence, p)
        worst = max(worst, rest)
    # A period that was seen twice only has no multiple to vouch for it: it must be exact.
    return error, worst if worst > 0.0 or error < 0.002 else np.inf


@njit(cache=True, nogil=True)
def _vertex(y: NDArray[np.float64], p: int) -> tuple[float, float]:
    """Place and value of the parabola's minimum through ``y[p - 1:p + 2]``: periods need be no integers."""
    bend = y[p - 1] - 2.0 * y[p] + y[p + 1]
    if y[p] > y[p - 1] or y[p] > y[p + 1] or bend <= 0.0:
        return float(p), y[p]
    tilt = y[p - 1] - y[p + 1]
    return p + 0.5 * tilt / bend, max(0.0, y[p] - 0.125 * tilt * tilt / bend)


@njit(cache=True, nogil=True)
def _linear_error(z: NDArray[np.float64], lag: int) -> float:
    """Share of the variance that the best linear recurrence of `_ORDER` steps of `lag` leaves."""
    a = np.empty((_ORDER + 1, _ORDER + 1))
    n = len(z)
    first = _ORDER * lag
    for i in range(_ORDER + 1):
        for j in range(i + 1):
            total = 0.0
            for t in range(first, n):
                total += z[t - i * lag] * z[t - j * lag]
            a[_ORDER - i, _ORDER - j] = a[_ORDER - j, _ORDER - i] = total
    # Gauss, pivots down the diagonal: what is left in the last one is the residual of the last
    # column (the sample itself) on the others. A pivot that vanished adds nothing new.
    whole = a[_ORDER, _ORDER]
    for k in range(_ORDER):
        if a[k, k] > 1e-12 * whole:
            for i in range(k + 1, _ORDER + 1):
                factor = a[i, k] / a[k, k]
                for j in range(k, _ORDER + 1):
                    a[i, j] -= factor * a[k, j]
    return a[_ORDER, _ORDER] / whole


@njit(cache=True, nogil=True)
def _follow(
    z: NDArray[np.float64],
    lag: int,
    nearest: NDArray[np.int64],
    best: NDArray[np.float64],
    curve: NDArray[np.float64],
) -> tuple[float, float, float]:
    """Give each embedded point its nearest neighbour and follow the pairs for a quarter of the series.

    Returns half the mean squared difference one sample ahead, by how many nats the pairs parted, and
    the slope of that in nats per sample.
    """
    horizon = len(z) // 4
    span = (_DIM - 1) * lag
    usable = len(z) - span - horizon
    best[:usable] = np.inf
    nearest[:usable] = -1
    for i in range(usable):
        for j in range(i + 1 + max(3, 2 * lag), usable):
            square = (z[i] - z[j]) ** 2 + (z[i + lag] - z[j + lag]) ** 2 + (z[i + span] - z[j + span]) ** 2
            if square < best[i]:
                best[i], nearest[i] = square, j
            if square < best[j]:
                best[j], nearest[j] = square, i
    pairs = 0
    error = 0.0
    for i in range(usable):
        if nearest[i] >= 0:
            pairs += 1
            error += 0.5 * (z[i + span + 1] - z[nearest[i] + span + 1]) ** 2
    for k in range(horizon + 1):
        curve[k] = 0.0
        seen = 0
        product = 1.0
        for i in range(usable):
            j = nearest[i]
            if j >= 0:
                a, b, c = z[i + k] - z[j + k], z[i + k + lag] - z[j + k + lag], z[i + k + span] - z[j + k + span]
                square = a * a + b * b + c * c
                if square > 1e-24:
                    product *= square
                    seen += 1
                    # One logarithm for eight factors: it costs as much as all the rest of a pair.
                    if seen % 8 == 0:
                        curve[k] += 0.5 * np.log(product)
                        product = 1.0
        curve[k] = (curve[k] + 0.5 * np.log(product)) / max(seen, 1)
    return error / max(pairs, 1), curve[horizon] - curve[0], _slope(curve, lag, horizon)


@njit(cache=True, nogil=True)
def _slope(curve: NDArray[np.float64], first: int, horizon: int) -> float:
    """Slope of the mean log distance until 60 % of its way to that of unrelated points."""
    end = curve[first] + 0.6 * (_UNRELATED - curve[first])
    last = min(first + 2, horizon)
    while last < horizon and curve[last] < end:
        last += 1
    centre = 0.5 * (first + last)
    product = square = 0.0
    for k in range(first, last + 1):
        product += (k - centre) * curve[k]
        square += (k - centre) ** 2
    return product / square
