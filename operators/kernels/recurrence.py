"""Whether a series returns: it is at rest, on its way, periodic, or made of a few spectral lines.

Strategy. Everything is measured on the standardised series, so scale and offset do not count. Half the
mean squared difference at each lag is 1 minus the autocorrelation; its minima are candidates for a
period, and a candidate's multiples tell a period from a near-return. A linear recurrence of a few
steps leaves nothing of a few lines, whatever their frequencies. Sums may be reordered (``reassoc``) where
a loop should use vectors; infinities keep their meaning. What it all means is decided by
``operators.attractor``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["PLAIN", "RETURNS", "SETTLED", "TREND", "standardise_and_return"]

Series = NDArray[np.float64]

PLAIN, SETTLED, TREND = 0, 1, 2
"""What a series is at first sight: nothing in particular, at rest, on its way."""
RETURNS = np.dtype(
    [
        ("sight", "<i8"),  # one of the above; if not PLAIN, nothing else was measured
        ("lag", "<i8"),  # correlation time: 1 / e of the autocorrelation, or len // 14 if it lasts
        ("step", "<f8"),  # half the mean squared difference at lag 1
        ("turn", "<f8"),  # and at the correlation time, both as share of the variance
        ("period_error", "<f8"),  # share of the variance that the best short period leaves
        ("repeats", "?"),  # whether it is a period
        ("one_line", "<f8"),  # share that a linear recurrence for one spectral line leaves
        ("three_lines", "<f8"),  # and one for three
    ]
)
_ORDER = 8
"""Coefficients of the longer recurrence: two a line, and one for what the mean missed, rounded up."""
_SUMS = {"reassoc", "contract", "nsz"}


@allocating
def standardise_and_return(windows: NDArray[np.float64], out: NDArray[np.void], scratch: Series) -> None:
    """Standardise each window in place, and measure how it returns.

    Parameters
    ----------
    windows : float64[k, n]
        Series, oldest sample first, finite, of 28 samples or more. Modified: mean 0 and variance 1,
        but for those that are not ``PLAIN`` at sight, which mean nothing afterwards.
    out : RETURNS[k]
        Modified.
    scratch : float64[n]
        Room to work in. Modified.

    Notes
    -----
    O(k * n * n) time, 4 us for 128 samples.
    """
    n = windows.shape[1]
    for k in range(len(windows)):
        z = windows[k]
        sight = _sight(z)
        out[k]["sight"] = sight
        if sight == PLAIN:
            _recurrence(z, scratch, 3 * n // 4)
            lag = 1
            while lag < n // 14 and scratch[lag] < 1.0 - 1.0 / np.e:
                lag += 1
            error, repeats = _period(z, scratch)
            one, three = _linear_errors(z, lag)
            out[k]["lag"] = lag
            out[k]["step"] = scratch[1]
            out[k]["turn"] = scratch[lag]
            out[k]["period_error"] = error
            out[k]["repeats"] = repeats
            out[k]["one_line"] = one
            out[k]["three_lines"] = three


@inner
def _sight(z: Series) -> int:
    """Standardise `z`; recognise a constant, what settles, and a trend on the way."""
    n = len(z)
    low = high = z[0]
    first = previous = np.inf
    settles = True
    for quarter in range(4):
        bottom = top = z[quarter * n // 4]
        for i in range(quarter * n // 4, (quarter + 1) * n // 4):
            bottom = z[i] if z[i] < bottom else bottom
            top = z[i] if z[i] > top else top
        settles &= top - bottom <= 0.5 * previous
        previous = top - bottom
        first = first if quarter else previous
        low = bottom if bottom < low else low
        high = top if top > high else high
    if high - low <= 1e-12 * (abs(low) + abs(high)) or (settles and previous <= 1e-3 * first):
        return SETTLED
    # Of the middle and not of zero: the mean of a small wave on a large offset keeps its digits.
    middle = 0.5 * (low + high)
    mean = path = square = product = 0.0
    road = abs(z[n - 1] - z[0])
    for i in range(n):
        mean += (z[i] - middle) / n
        path += abs(z[i] - z[i - 1]) if i else 0.0
    for i in range(n):
        z[i] = (z[i] - middle) - mean
        square += z[i] * z[i]
        product += z[i] * (i - 0.5 * (n - 1))
    for i in range(n):
        z[i] /= np.sqrt(square / n)
    straight = product * product / (square * n * (n * n - 1.0) / 12.0)
    return TREND if straight > 0.8 or road > 0.9 * path else PLAIN


@inner
def _recurrence(z: Series, out: Series, count: int) -> None:
    """Half the mean squared difference at each lag below `count`: 1 minus the autocorrelation."""
    n = len(z)
    for p in range(count):
        total = 0.0
        later = z[p:]
        for i in range(len(later)):
            gap = later[i] - z[i]
            total += gap * gap
        out[p] = total / (2 * (n - p))


@inner
def _period(z: Series, recurrence: Series) -> tuple[float, bool]:
    """The share of the variance that the best short period leaves, and whether it is a period.

    It is when its multiples fit as well: noise on a cycle costs each the same, a near-return of
    anything else the more the later. Or when few samples carry all that is left: a wave with jumps
    whose period is no whole number misses by a jump now and then.
    """
    n = len(z)
    least = np.inf
    for p in range(2, 3 * n // 8):
        if recurrence[p] <= recurrence[p - 1] and recurrence[p] <= recurrence[p + 1]:
            least = min(least, _vertex(recurrence, p)[1])
    if least == np.inf:
        return np.inf, False
    place, error = 1, np.inf
    while error > 2.0 * least + 0.005:
        place += 1
        if recurrence[place] <= recurrence[place - 1] and recurrence[place] <= recurrence[place + 1]:
            error = _vertex(recurrence, place)[1]
    turn = _vertex(recurrence, place)[0]
    worst = error
    missed = _missed(z, place)
    count = 1
    # Bounded by n, because a place that is no period is dragged back each time.
    for count in range(2, n):
        p = int(turn * count / (count - 1) + 0.5)
        if p >= 3 * n // 4 - 2:
            break
        for q in (p - 1, p + 1):
            if recurrence[q] < recurrence[p]:
                p = q
        turn, rest = _vertex(recurrence, p)
        worst = max(worst, rest)
        missed = max(missed, _missed(z, p))
        if (error >= 0.12 or worst > 2.0 * error + 0.01) and missed >= 0.25:
            return error, False
    allowed = 2.0 * error + 0.01 if count > 5 else 2.0 * error + 0.002
    return error, (error < 0.12 and worst <= allowed) or missed <= min(worst, 0.25)


@inner
def _missed(z: Series, p: int) -> float:
    """Share of the samples that differ by more than 0.2 from the one `p` later."""
    missed = 0
    for i in range(len(z) - p):
        missed += abs(z[i + p] - z[i]) > 0.2
    return missed / (len(z) - p)


@inner
def _vertex(y: Series, p: int) -> tuple[float, float]:
    """Place and value of the parabola's minimum through ``y[p - 1:p + 2]``: periods need be no integers."""
    bend = y[p - 1] - 2.0 * y[p] + y[p + 1]
    if y[p] > y[p - 1] or y[p] > y[p + 1] or bend <= 0.0:
        return float(p), y[p]
    tilt = y[p - 1] - y[p + 1]
    return p + 0.5 * tilt / bend, max(0.0, y[p] - 0.125 * tilt * tilt / bend)


@allocating
def _linear_errors(z: Series, lag: int) -> tuple[float, float]:
    """Share of the variance that linear recurrences of 3 and `_ORDER` steps of `lag` leave.

    A spectral line takes two coefficients, the constant that the mean missed takes one.
    """
    a = np.empty((_ORDER + 1, _ORDER + 1))
    first = _ORDER * lag
    count = len(z) - first
    # Column 0 is one step back, the last one the sample itself.
    for i in range(_ORDER + 1):
        back = first - (i + 1) * lag if i < _ORDER else first
        one = z[back : back + count]
        for j in range(i + 1):
            back = first - (j + 1) * lag if j < _ORDER else first
            other = z[back : back + count]
            total = 0.0
            for t in range(count):
                total += one[t] * other[t]
            a[i, j] = a[j, i] = total
    # Gauss, pivots down the diagonal: the last element is then what the columns so far leave of the
    # sample. A pivot that has vanished brings nothing new.
    whole = a[_ORDER, _ORDER]
    short = whole
    for k in range(_ORDER):
        if a[k, k] > 1e-12 * whole:
            for i in range(k + 1, _ORDER + 1):
                factor = a[i, k] / a[k, k]
                for j in range(k, _ORDER + 1):
                    a[i, j] -= factor * a[k, j]
        if k == 2:
            short = a[_ORDER, _ORDER]
    return short / whole, a[_ORDER, _ORDER] / whole
