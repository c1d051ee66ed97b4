"""Whether a series returns: it is at rest, on its way, periodic, or made of a few spectral lines.

Strategy. Everything is measured on the standardised series, so scale and offset do not count. Half the
mean squared difference at each lag is 1 minus the autocorrelation; its first deep minimum is a candidate
for a period, refined by its multiples. Whether it is one, is seen by folding: samples in the order of
their phase, each against the line between its two neighbours there. That asks nothing of the period (it
need be no whole number) nor of the wave (which may jump), and what is left is noise on a cycle if it
has no order in time, and no cycle if it has. A linear recurrence of a few steps leaves nothing of a few
lines, whatever their frequencies. What it all means is decided by ``operators.regimes``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["PLAIN", "RETURNS", "SETTLED", "SPIKE", "STUCK", "TREND", "standardise_and_return"]

Series = NDArray[np.float64]

PLAIN, SETTLED, TREND, STUCK, SPIKE = 0, 1, 2, 3, 4
"""What a series is at first sight: nothing in particular, at rest, on its way, at rest for a part, or with
more than half of its variance in one sample."""
RETURNS = np.dtype(
    [
        ("sight", "<i8"),  # one of the above; if not PLAIN, only `straight` was measured
        ("lag", "<i8"),  # correlation time: 1 / e of the autocorrelation, or len // 14 if it lasts
        ("straight", "<f8"),  # share of the variance that a line explains, or of the road that is way
        ("step", "<f8"),  # half the mean squared difference at lag 1, as share of the variance
        ("bend", "<f8"),  # mean square of second differences by that of first: 3 white, 2 a walk, 0 smooth
        ("period", "<f8"),  # candidate, samples; NaN if there is none
        ("folded", "<f8"),  # share of the variance that the fold at this period leaves
        ("order", "<f8"),  # autocorrelation of what it leaves, from one sample to the next
        ("missed", "<f8"),  # share of samples that differ from the one a period, or some, later
        ("short", "<f8"),  # the least half squared difference at a lag up to 3/8 of the series
        ("long", "<f8"),  # and at one from there to 3/4
        ("one_line", "<f8"),  # share that a linear recurrence of 3 steps leaves: nothing of one line
        ("foreseen", "<f8"),  # and one of 4: the linear prediction, one lag ahead
        ("four_lines", "<f8"),  # and one of 8
    ]
)
_SHORT = 8.0
"""Samples of a period below which three lags do not show where it is."""
_ORDER = 8
"""Coefficients of the longest recurrence: two a line."""


@allocating
def standardise_and_return(windows: NDArray[np.float64], out: NDArray[np.void], scratch: Series) -> None:
    """Standardise each window in place, and measure how it returns.

    Parameters
    ----------
    windows : float64[k, n]
        Series, oldest sample first, finite, of 32 samples or more. Modified: mean 0 and variance 1,
        but for those that are not ``PLAIN`` at sight, which mean nothing afterwards.
    out : RETURNS[k]
        Modified.
    scratch : float64[n]
        Room to work in. Modified.

    Notes
    -----
    O(k * n * n) time, 10 us for 128 samples.

    References
    ----------
    .. [1] R. F. Stellingwerf, "Period determination using phase dispersion minimization",
       Astrophysical Journal 224, 1978: the fold.
    """
    n = windows.shape[1]
    recurrence = scratch[: 3 * n // 4]
    for k in range(len(windows)):
        z = windows[k]
        sight, straight = _sight(z)
        out[k]["sight"] = sight
        out[k]["straight"] = straight
        if sight == PLAIN:
            _recur(z, recurrence)
            lag = 1
            while lag < n // 14 and recurrence[lag] < 1.0 - 1.0 / np.e:
                lag += 1
            out[k]["lag"] = lag
            out[k]["step"] = recurrence[1]
            out[k]["bend"] = 4.0 - recurrence[2] / recurrence[1]
            one_line, foreseen, four_lines = _linear_errors(z, lag)
            out[k]["one_line"], out[k]["foreseen"], out[k]["four_lines"] = one_line, foreseen, four_lines
            middle = 3 * n // 8
            short, long = _least(recurrence, 2, middle), _least(recurrence, middle, len(recurrence) - 1)
            period, missed = _period(z, recurrence, 2.0 * short + 0.005)
            folded, order = np.inf, 1.0
            if short < 0.25 or missed < 0.25:
                folded, order = _fold(z, period)
            if folded > 1e-4 and 2.0 * short < 0.001:
                # Almost a period, and there is a better one: a cycle that has doubled.
                whole, some = _period(z, recurrence, 2.0 * short + 1e-4)
                left, in_order = _fold(z, whole)
                if left < 0.3 * folded:
                    period, missed, folded, order = whole, some, left, in_order
            rough = order > 0.4 or (period < _SHORT and folded > 1.5 * short) or four_lines < 1e-6
            if rough and 60.0 / (n * n) < folded < 0.3:
                period, folded, order = _refined(z, period, folded, order)
            if folded < 0.12 and one_line < 0.05:
                share = period / _line(z, lag)
                parts = int(share + 0.5)
                if parts > 1 and abs(share - parts) < 0.02 * parts:
                    left, in_order = _fold(z, period / parts)
                    if left <= 1.2 * folded + 60.0 / (n * n):
                        period, folded, order = period / parts, left, in_order
            out[k]["period"] = period
            out[k]["folded"] = folded
            out[k]["order"] = order
            out[k]["missed"] = missed
            out[k]["short"] = short
            out[k]["long"] = long


@inner
def _sight(z: Series) -> tuple[int, float]:
    """Standardise `z`; recognise a constant, what settles, and a trend on the way."""
    n = len(z)
    low = high = z[0]
    first = previous = np.inf
    settles = True
    run = longest = 1
    for i in range(1, n):
        run = run + 1 if z[i] == z[i - 1] else 1
        longest = max(longest, run)
    for quarter in range(4):
        bottom = top = z[quarter * n // 4]
        for i in range(quarter * n // 4, (quarter + 1) * n // 4):
            bottom = z[i] if z[i] < bottom else bottom
            top = z[i] if z[i] > top else top
        # Halves, because the range of finite numbers need not be finite.
        reach = 0.5 * top - 0.5 * bottom
        first = first if quarter else reach
        # At rest its last digits may flip for ever.
        settles &= reach <= max(0.5 * previous, 1e-3 * first)
        previous = reach
        low = bottom if bottom < low else low
        high = top if top > high else high
    if 0.5 * high - 0.5 * low <= 5e-13 * max(abs(low), abs(high)) or (settles and previous <= 1e-3 * first):
        return SETTLED, 0.0
    if longest > 3 * n // 8:
        return STUCK, 0.0
    # Of the middle and not of zero: the mean of a small wave on a large offset keeps its digits. In units of
    # the range: no square can overflow or vanish.
    middle = 0.5 * low + 0.5 * high
    mean = path = square = product = 0.0
    for i in range(n):
        z[i] = (z[i] - middle) / (0.5 * high - 0.5 * low)
        mean += z[i] / n
        path += abs(z[i] - z[i - 1]) if i else 0.0
    for i in range(n):
        z[i] -= mean
        square += z[i] * z[i]
        product += z[i] * (i - 0.5 * (n - 1))
    slope = product / (n * (n * n - 1.0) / 12.0)
    straight = slope * product / square
    road = abs(z[n - 1] - z[0]) / path
    jitter = 0.0
    for i in range(1, n):
        jitter += 0.5 * (z[i] - z[i - 1] - slope) ** 2
    # What a line leaves of a ramp with noise on it is noise, but what it leaves of a walk is a walk.
    if straight > 0.5 and jitter > 0.6 * (square - slope * product):
        straight = max(straight, 0.81)
    most = 0.0
    for i in range(n):
        z[i] /= np.sqrt(square / n)
        most = max(most, z[i] * z[i])
    if straight > 0.8 or road > 0.9:
        return TREND, max(straight, road)
    return (SPIKE if most > 0.5 * n else PLAIN), 0.0


@inner
def _recur(z: Series, out: Series) -> None:
    """Half the mean squared difference at each lag: 1 minus the autocorrelation."""
    n = len(z)
    out[:] = 0.0
    for i in range(n):
        later, here = z[i:], z[i]
        # All lags of one sample, and not all samples of one lag: no sum is carried, so it takes vectors.
        for p in range(min(len(out), n - i)):
            gap = later[p] - here
            out[p] += gap * gap
    for p in range(len(out)):
        out[p] /= 2 * (n - p)


@inner
def _low(y: Series, p: int) -> bool:
    """Whether there is a minimum at `p`."""
    return bool(y[p] <= y[p - 1] and y[p] <= y[p + 1])


@inner
def _vertex(y: Series, p: int) -> tuple[float, float]:
    """Place and value of the parabola's minimum through ``y[p - 1:p + 2]``: periods need be no integers."""
    bend = y[p - 1] - 2.0 * y[p] + y[p + 1]
    if bend <= 0.0:
        return float(p), y[p]
    tilt = y[p - 1] - y[p + 1]
    return p + 0.5 * tilt / bend, max(0.0, y[p] - 0.125 * tilt * tilt / bend)


@inner
def _least(recurrence: Series, first: int, last: int) -> float:
    """The deepest minimum from `first` to before `last`; infinity if there is none."""
    least = np.inf
    for p in range(first, last):
        if _low(recurrence, p):
            least = min(least, _vertex(recurrence, p)[1])
    return least


@inner
def _period(z: Series, recurrence: Series, depth: float) -> tuple[float, float]:
    """The first minimum not above `depth`, refined by its multiples; and what they miss at most."""
    if depth == np.inf:
        return np.nan, 1.0
    place, error, turn = 1, np.inf, 0.0
    while error > depth:
        place += 1
        if _low(recurrence, place):
            turn, error = _vertex(recurrence, place)
    missed = _missed(z, place)
    count = 1
    while True:
        # The error of a period grows with its multiples: not faster than by half from one to the next.
        step = max(1, count // 2)
        p = int(turn * (count + step) + 0.5)
        if p >= len(recurrence) - 2:
            return turn, missed
        for q in (p - 1, p + 1):
            if recurrence[q] < recurrence[p]:
                p = q
        if p <= place or not _low(recurrence, p):
            return turn, 1.0
        place = p
        count += step
        turn = _vertex(recurrence, p)[0] / count
        missed = max(missed, _missed(z, p))


@inner
def _missed(z: Series, p: int) -> float:
    """Share of the samples that differ by more than 0.2 from the one `p` later."""
    missed = 0
    for i in range(len(z) - p):
        missed += abs(z[i + p] - z[i]) > 0.2
    return missed / (len(z) - p)


@allocating
def _fold(z: Series, period: float) -> tuple[float, float]:
    """What `z` leaves of its variance when it is folded, and the autocorrelation of that from one
    sample to the next.
    """
    n = len(z)
    phase, rest = np.empty(n), np.empty(n)
    order = np.arange(n)
    for i in range(n):
        phase[i] = i / period % 1.0
    # Shell's sort: NumPy's would be compiled for half a second.
    gap = n // 2
    while gap > 0:
        for i in range(gap, n):
            item, j = order[i], i
            while j >= gap and phase[order[j - gap]] > phase[item]:
                order[j] = order[j - gap]
                j -= gap
            order[j] = item
        gap = 1 if gap == 2 else int(gap / 2.2)
    total = cross = square = 0.0
    for k in range(n):
        before, here, after = order[k - 1], order[k], order[(k + 1) % n]
        back, ahead = (phase[here] - phase[before]) % 1.0, (phase[after] - phase[here]) % 1.0
        share = back / (back + ahead) if back + ahead > 0.0 else 0.5
        rest[here] = z[here] - (1.0 - share) * z[before] - share * z[after]
        # Noise on the two neighbours counts as well.
        total += rest[here] ** 2 / (1.0 + share * share + (1.0 - share) ** 2)
    for i in range(n - 1):
        cross += rest[i] * rest[i + 1]
        square += rest[i] ** 2
    return total / n, cross / square if square > 0.0 else 0.0


@allocating
def _refined(z: Series, period: float, folded: float, order: float) -> tuple[float, float, float]:
    """The period nearby that leaves least, with what it leaves: a few turns give its lag only roughly."""
    reach = 0.1 * period * period / len(z)
    while reach > 1e-3 * period * period / len(z):
        better = False
        for tried in (period - reach, period + reach):
            left, in_order = _fold(z, tried)
            if left < folded:
                period, folded, order, better = tried, left, in_order, True
        reach = reach if better else 0.5 * reach
    return period, folded, order


@inner
def _line(z: Series, lag: int) -> float:
    """The period of the one line of which `z` is: that of 3.3 samples returns first after 33."""
    product = square = 0.0
    for t in range(lag, len(z) - lag):
        product += z[t] * (z[t - lag] + z[t + lag])
        square += z[t] * z[t]
    return float(2.0 * np.pi * lag / np.arccos(max(-1.0, min(0.999, 0.5 * product / square))))


@inner
def _dot(one: Series, other: Series) -> float:
    """Their inner product; four sums, so that no addition waits for the one before."""
    a = b = c = d = 0.0
    whole = len(one) // 4 * 4
    for t in range(0, whole, 4):
        a += one[t] * other[t]
        b += one[t + 1] * other[t + 1]
        c += one[t + 2] * other[t + 2]
        d += one[t + 3] * other[t + 3]
    for t in range(whole, len(one)):
        a += one[t] * other[t]
    return (a + b) + (c + d)


@allocating
def _linear_errors(z: Series, lag: int) -> tuple[float, float, float]:
    """Share of the variance that linear recurrences of 3, 4 and `_ORDER` steps of `lag` leave.

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
            a[i, j] = a[j, i] = _dot(one, z[back : back + count])
    # Gauss, pivots down the diagonal: the last element is then what the columns so far leave of the
    # sample. A pivot that has vanished brings nothing new.
    whole = a[_ORDER, _ORDER]
    three = four = whole
    for k in range(_ORDER):
        if a[k, k] > 1e-12 * whole:
            for i in range(k + 1, _ORDER + 1):
                factor = a[i, k] / a[k, k]
                for j in range(k, _ORDER + 1):
                    a[i, j] -= factor * a[k, j]
        if k == 2:
            three = a[_ORDER, _ORDER]
        elif k == 3:
            four = a[_ORDER, _ORDER]
    return three / whole, four / whole, max(0.0, a[_ORDER, _ORDER]) / whole
