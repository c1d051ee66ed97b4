"""How fast distances grow: the line in a curve of mean log distances, and how sure it is.

Strategy. Where the line is fitted decides an exponent, so nobody is asked. It begins when pairs have turned
into the unstable direction and ends when they have covered a share of the way to the distance of unrelated
points, in logarithms; beyond that the curve bends. How sure it is comes from the series itself: the curve
is kept by stretches of it, and left out one after the other they say what another series of its kind would
have given (jackknife). Single pairs would not do, neighbours of neighbours being the same again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = [
    "EQUAL",
    "FEWEST",
    "STRETCHES",
    "add_up",
    "correlation_time",
    "fit",
    "fit_orbits",
    "follow_samples",
    "interval",
    "mean_curve",
    "saturation",
    "saturation_of_orbits",
    "scaled",
]

EQUAL = 1e-24
"""Squared distance, the spread of the series being 1, that is rounding: of a wave that repeats exactly."""
FEWEST = 10
"""Pairs below which nothing is determined."""
STRETCHES = 12
"""Parts of the series that are left out in turn."""
_STUDENT = 2.201
"""97.5 % point of Student's t with ``STRETCHES - 1`` degrees of freedom."""
_SKIP = 1.5
"""Correlation times until a pair of samples grows at the largest exponent. Over 28 Lorenz runs the mean
error is +7 % with 1, -1 % with 1.5, -5 % with 2."""
_RISE = 0.6
"""Share of the logarithmic way to saturation over which growth is a line."""
_RISE_OF_ORBITS = 0.35
"""The same between orbits. Of 648 readings of Lorenz and Roessler (11 settings of system, sampling and
length, 6 orbits each, dim 3 to 7, delays, steps) 0.3 leaves 27 % more than 10 % off, 0.4 28 %, 0.5 29 %."""
_PAIRS = 300
"""Unrelated points that the distance of saturation is measured on."""
_MANTISSA = 0xFFFFFFFFFFFFF
_ONE = 0x3FF0000000000000
_BIAS = 1023


@kernel
def correlation_time(x: NDArray[np.float64]) -> int:
    """Samples until the autocorrelation of `x` falls below 1 / e; half its length if it does not.

    `x` is float64[n], n >= 2. NaN in it is for the caller to keep out. O(n) for each of these samples.
    """
    n = len(x)
    mean = 0.0
    for i in range(n):
        mean += x[i] / n
    variance = 0.0
    for i in range(n):
        variance += (x[i] - mean) ** 2 / n
    for p in range(1, n // 2):
        covariance = 0.0
        for i in range(n - p):
            covariance += (x[i] - mean) * (x[i + p] - mean) / (n - p)
        if covariance < variance / np.e:
            return p
    return n // 2


@kernel
def saturation(x: NDArray[np.float64], usable: int, dim: int, lag: int) -> float:
    """Mean log distance of unrelated points among the first `usable`; infinite if none differ.

    Pairs are places in a low-discrepancy sequence, so there is no seed; pairs of equal points are left out.
    """
    return _unrelated(x, usable, dim, lag, 0)


@kernel
def saturation_of_orbits(x: NDArray[np.float64], usable: int, dim: int, lag: int, reach: int) -> float:
    """As :func:`saturation`, from each first point to the nearest of those `reach` samples about the second.

    Points that follow the same flow never part as far as two that are drawn at random: they meet on the
    same turn.
    """
    return _unrelated(x, usable, dim, lag, reach)


@kernel
def fit(curve: NDArray[np.float64], correlation: int, saturation: float) -> tuple[float, int, int]:
    """Slope of a mean log distance where it is a line, and the steps where that begins and ends.

    Parameters
    ----------
    curve : float64[steps + 1]
        Mean log distance after 0, 1 ... `steps` samples, free of NaN; steps >= 1.
    correlation : int
        Samples until the autocorrelation of the series falls below 1 / e. A third of `steps` or more is
        all the same.
    saturation : float
        Mean log distance of unrelated points.

    Returns
    -------
    float, int, int
        Nats per sample; first and last step of the region.

    Notes
    -----
    O(steps), nothing is allocated.
    """
    first = min(int(_SKIP * correlation), (len(curve) - 1) // 3)
    return _line(curve, first, 2, _RISE, saturation)


@kernel
def fit_orbits(curve: NDArray[np.float64], reach: int, saturation: float) -> tuple[float, int, int]:
    """As :func:`fit`, for distances between orbits, which grow from the start, over half a turn or more.

    `reach` is half a turn in samples, `saturation` from :func:`saturation_of_orbits`.
    """
    return _line(curve, 0, max(2, reach), _RISE_OF_ORBITS, saturation)


@inner
def _line(
    curve: NDArray[np.float64], first: int, least: int, rise: float, saturation: float
) -> tuple[float, int, int]:
    """Slope from `first` on over `least` steps, or until a share `rise` of the way to saturation is gone."""
    steps = len(curve) - 1
    end = curve[first] + rise * (saturation - curve[first])
    last = min(first + least, steps)
    while last < steps and (curve[last] < end or end <= curve[first]):
        last += 1
    return _slope(curve, first, last), first, last


@kernel
def scaled(x: NDArray[np.float64], out: NDArray[np.float64]) -> float:
    """Write `x` to `out`, moved and stretched to 0 .. 1, and give its spread; 0 if it has none."""
    least = np.inf
    most = -np.inf
    for i in range(len(x)):
        if not np.isfinite(x[i]):
            return 0.0
        least = min(least, x[i])
        most = max(most, x[i])
    # Halves, because the difference of two finite numbers may be none.
    spread = most / 2 - least / 2
    if not spread > 0.0:
        return 0.0
    for i in range(len(x)):
        out[i] = (x[i] / 2 - least / 2) / spread
    return 2.0 * spread


@inner
def follow_samples(
    x: NDArray[np.float64], i: int, j: int, dim: int, lag: int, squares: NDArray[np.float64]
) -> None:
    """Squared distances of two points after 0, 1 ... samples."""
    squares[:] = 0.0
    for d in range(dim):
        here, there = x[i + d * lag :], x[j + d * lag :]
        for k in range(np.uint64(len(squares))):
            squares[k] += (here[k] - there[k]) * (here[k] - there[k])


@inner
def add_up(
    squares: NDArray[np.float64],
    bits: NDArray[np.int64],
    products: NDArray[np.float64],
    exponents: NDArray[np.int64],
) -> None:
    """Take in the squared distances of one pair, all normal numbers above 0, without a logarithm.

    `bits` are those of `squares`, which are used up. Products of 1000 mantissas fit in a number.
    """
    for k in range(np.uint64(len(squares))):
        exponents[k] += (bits[k] >> 52) - _BIAS
        bits[k] = (bits[k] & _MANTISSA) | _ONE
        products[k] *= squares[k]


@inner
def mean_curve(
    totals: NDArray[np.float64], seen: NDArray[np.int64], without: int, curve: NDArray[np.float64]
) -> int:
    """Mean of the rows of `totals` but one (-1: of all), `seen` being how many made each; and of how many."""
    count = 0
    for k in range(len(curve)):
        total = 0.0
        count = 0
        for part in range(len(seen)):
            if part != without:
                total += totals[part, k]
                count += seen[part, k]
        curve[k] = total / max(count, 1)
    return count


@inner
def interval(
    totals: NDArray[np.float64], seen: NDArray[np.int64], first: int, last: int, curve: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Slope of the mean curve from `first` to `last`, limits of its 95 % interval, and r2 of the line.

    Parameters
    ----------
    totals, seen : float64[STRETCHES, steps + 1], int64[STRETCHES, steps + 1]
        Sums of log distances of the pairs of each stretch of the series, and how many pairs: of all
        stretches together as many at each step.
    first, last : int
        The region of the line.
    curve : float64[steps + 1]
        Scratch.

    Returns
    -------
    float, float, float, float
        The limits are NaN when fewer than three stretches have pairs.
    """
    parts = 0
    middle = 0.0
    square = 0.0
    for part in range(len(seen)):
        if seen[part, first]:
            mean_curve(totals, seen, part, curve)
            slope = _slope(curve, first, last)
            parts += 1
            step = slope - middle
            middle += step / parts
            square += step * (slope - middle)
    mean_curve(totals, seen, -1, curve)
    slope = _slope(curve, first, last)
    if parts < 3:
        return slope, np.nan, np.nan, _straightness(curve, first, last, slope)
    middle_step = (first + last) // 2
    bend = 0.0
    if last - first >= 4:
        bend = 0.5 * (_slope(curve, first, middle_step) - _slope(curve, middle_step, last))
    half = np.sqrt(_STUDENT**2 * square * (parts - 1) / parts + bend**2)
    return slope, slope - half, slope + half, _straightness(curve, first, last, slope)


@inner
def _unrelated(x: NDArray[np.float64], usable: int, dim: int, lag: int, reach: int) -> float:
    """Mean log of the least distance from a point to a stretch about another one."""
    total = 0.0
    seen = 0
    for k in range(_PAIRS):
        # R2 sequence: powers of the inverse of the plastic number, 1.3247.
        i = int(k * 0.7548776662466927 % 1.0 * usable)
        middle = int(k * 0.5698402909980532 % 1.0 * usable)
        if abs(i - middle) <= 2 * reach:
            continue
        least = np.inf
        for j in range(max(0, middle - reach), min(usable, middle + reach + 1)):
            square = 0.0
            for d in range(dim):
                gap = x[i + d * lag] - x[j + d * lag]
                square += gap * gap
            least = min(least, square)
        if 0.0 < least < np.inf:
            total += 0.5 * np.log(least)
            seen += 1
    return total / seen if seen else np.inf


@inner
def _slope(y: NDArray[np.float64], first: int, last: int) -> float:
    """Least-squares slope of ``y[first:last + 1]`` per place."""
    centre = 0.5 * (first + last)
    product = 0.0
    square = 0.0
    for k in range(first, last + 1):
        product += (k - centre) * y[k]
        square += (k - centre) ** 2
    return product / square


@inner
def _straightness(y: NDArray[np.float64], first: int, last: int, slope: float) -> float:
    """Share of the variance of ``y[first:last + 1]`` that a line of `slope` explains."""
    mean = 0.0
    for k in range(first, last + 1):
        mean += y[k] / (last - first + 1)
    total = 0.0
    rest = 0.0
    for k in range(first, last + 1):
        total += (y[k] - mean) ** 2
        rest += (y[k] - mean - slope * (k - 0.5 * (first + last))) ** 2
    return 1.0 - rest / total if total > 0.0 else np.nan
