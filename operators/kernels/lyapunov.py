"""The largest Lyapunov exponent of a series: how fast what was almost equal becomes different.

Strategy. Rosenstein's method: embed the series, give each point its nearest neighbour in space that is
not one in time, follow the pairs, and fit a line to the mean logarithm of their distance
(:mod:`operators.kernels.growth` says where).

When the series is smooth, distances are taken to the neighbour's orbit instead of to its sample, and the
nearest and the farthest tenth of them are left out (:mod:`operators.kernels.orbits` says why). Growth is then
a line from the start. The pairs are the same.

Neighbours are sought a delay at a time, all points at once, so that the loops have no branches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating
from operators.kernels.growth import (
    EQUAL,
    FEWEST,
    STRETCHES,
    add_up,
    correlation_time,
    fit,
    fit_orbits,
    follow_samples,
    interval,
    mean_curve,
    saturation,
    saturation_of_orbits,
    scaled,
)
from operators.kernels.orbits import (
    TRIMMED,
    find_limits,
    half_turn,
    is_flow,
    middle_logs,
    move_on,
    velocities,
)

__all__ = ["correlation_time", "divergence", "fit", "largest_lyapunov", "rosenstein", "saturation"]

_BUILT_ON = 0xA5DC1F16, 0xFE7AD797
"""CRC-32 of growth.py and orbits.py, so that this file changes with them, and numba takes no old machine code
from its cache (``tests/kernels/test_lyapunov.py`` tells the numbers)."""

_FOLD = 512
"""Mantissas that are multiplied before a logarithm is taken."""
_LN_2 = 0.6931471805599453


@allocating
def largest_lyapunov(x: NDArray[np.float64], dim: int, lag: int, theiler: int, steps: int) -> float:
    r"""Largest Lyapunov exponent of `x`, after Rosenstein: the first of what :func:`rosenstein` says.

    Nats per sample; negative when neighbours converge, NaN when `x` does not determine it.

    Examples
    --------
    >>> x = np.empty(500); x[0] = 0.3
    >>> for i in range(499): x[i + 1] = 4.0 * x[i] * (1.0 - x[i])
    >>> bool(abs(largest_lyapunov(x, 2, 1, 5, 12) - np.log(2.0)) < 0.05)
    True
    """
    return rosenstein(x, dim, lag, theiler, steps)[0]


@allocating
def rosenstein(
    x: NDArray[np.float64], dim: int, lag: int, theiler: int, steps: int
) -> tuple[float, float, float, float, int, int]:
    r"""Largest Lyapunov exponent of `x`, after Rosenstein, and how sure it is.

    .. math:: \lambda \approx \frac{d}{dk} \left\langle \ln \| X_{i+k} - X_{j(i)+k} \| \right\rangle_i

    Parameters
    ----------
    x : float64[n]
        The series, equally spaced.
    dim, lag : int
        Delay embedding: how many coordinates, and how many samples between them. A map: lag 1;
        a flow: about a quarter of its period, and dim 2 or more.
    theiler : int
        Neighbours must be more than this many samples apart in time: about a period of a flow.
    steps : int
        How far pairs are followed, in samples: some times 1 / exponent, or a period or more. More than
        the linear region is harmless to the fit, but takes points from the end of the series.

    Returns
    -------
    exponent : float
        Nats per sample; negative when neighbours converge.
    low, high : float
        95 % confidence interval of it, for other series of the same length from the same source.
    r2 : float
        Share of the variance of the mean curve that the line explains, in the region.
    first, last : int
        The region the line was fitted in, in steps.

        All NaN, and -1, when `x` does not determine them: fewer than ten pairs of points that differ for
        `dim`, `lag`, `theiler` and `steps`, a value that is not finite, a parameter out of range. A series
        that repeats exactly has no such pairs: a point whose nearest neighbour is equal to it, to 1e-12 of
        the spread, says nothing of growth and is passed over, and so is a pair that meets later on.

    Notes
    -----
    O(n * n * dim + n * steps * dim) time, O(n + steps) memory: 0.07 ms for 250 points of a map (dim 3, 20
    steps), 0.6 ms for 1000, 17 ms for 5000; 1.9 ms for 1000 points of a flow (dim 5, 100 steps; 2.3 ms with
    dim 7), 29 ms for 5000.

    Logistic and Henon maps come out within 10 % of the published value from 500 points on (270 readings
    each, dim 2, 5 to 30 steps: all, and 97 %). Flows, 24 orbits each, dim 3 to 7, 1.5 and 4 turns followed:
    Lorenz in 98 % of readings with 65 turns (5000 points, step 0.01), 68 % with 40, 100 % with 130 or more.
    Roessler in 38, 46 and 71 % with 33, 66 and 166 turns, as the orbits themselves do not hold it: their
    own exponents, from the equations, are within 10 % of it in 42, 58 and 83 %. Less than a turn of `steps`
    reads low, most so with a wide window. A transient counts as any other part of the series: 3000 to 5000
    samples (step 0.01) from (1, 1, 1) on, which Lorenz spends turning about one point, have an exponent of
    their own of 0.5 to 0.7.

    The interval knows the scatter of orbits and the bend of the curve. It held the true value in 97 to 100 %
    of the Lorenz readings above and 83 to 88 % of the Roessler ones.

    Of 25 systems of the dysts collection whose published value the equations confirm (5000 samples, 30 a
    period, parameters by the rule in ``benches/bench_lyapunov.py``) 48 % come out within 10 %, with a
    median error of 10 %; nolds at the same parameters 24 % and 17 %. With noise of 5 % it is 12 % and 29 %,
    nolds 8 % and 31 %.

    Noise has no exponent, but a curve that rises: white noise, whose neighbours part in one step, reads
    anything up to 0.4 with an r2 that is low, red noise its decay of correlation with an r2 near 1. Ask for
    the regime (``operators.attractor``) first. Noise of 5 % on a flow of 30 samples a period hides all but
    the end of the growth, and the exponent is read low.

    References
    ----------
    .. [1] M. T. Rosenstein, J. J. Collins, C. J. De Luca, "A practical method for calculating
       largest Lyapunov exponents from small data sets", Physica D 65, 1993.
    .. [2] M. H. Quenouille, "Notes on bias in estimation", Biometrika 43, 1956 (the jackknife).
    """
    usable = len(x) - (dim - 1) * lag - steps
    nothing = (np.nan, np.nan, np.nan, np.nan, -1, -1)
    if dim < 1 or lag < 1 or theiler < 0 or steps < 1 or usable < theiler + FEWEST:
        return nothing
    series = np.empty(len(x))
    if not scaled(x, series) > 0.0:
        return nothing
    nearest = np.empty(usable, np.int64)
    _find_nearest(series, dim, lag, theiler, EQUAL, nearest)
    across = dim > 1 and is_flow(series)
    correlation = correlation_time(series)
    reach = half_turn(correlation)
    totals = np.zeros((STRETCHES, steps + 1))
    seen = np.zeros((STRETCHES, steps + 1), np.int64)
    if across:
        _follow_orbits(series, nearest, dim, lag, theiler, reach, totals, seen)
    else:
        _follow_samples(series, nearest, dim, lag, totals, seen)
    curve = np.empty(steps + 1)
    if mean_curve(totals, seen, -1, curve) < FEWEST:
        return nothing
    if across:
        level = saturation_of_orbits(series, usable, dim, lag, reach)
        _, first, last = fit_orbits(curve, reach, level)
    else:
        _, first, last = fit(curve, correlation, saturation(series, usable, dim, lag))
    exponent, low, high, r2 = interval(totals, seen, first, last, curve)
    return exponent, low, high, r2, first, last


@allocating
def divergence(
    x: NDArray[np.float64],
    dim: int,
    lag: int,
    theiler: int,
    steps: int,
    total: NDArray[np.float64],
    seen: NDArray[np.int64],
) -> None:
    """Follow each point and its nearest neighbour: sums of the logarithm of their distance, per step.

    Rosenstein's curve as he gave it, distances from sample to sample, for streams and for comparison.

    Parameters
    ----------
    x, dim, lag, theiler, steps
        As for :func:`rosenstein`, in any unit; finite.
    total, seen : float64[steps + 1], int64[steps + 1]
        Sums of the log distances after 0, 1 ... `steps` samples, and of how many pairs. A point whose
        nearest neighbour is equal to it has no pair; a distance of zero later on is not counted in that
        step. Modified; zeros when there are no two points more than `theiler` apart.

    Notes
    -----
    Of several nearest neighbours the nearest in time, of two of these the earlier one.
    """
    total[:] = 0.0
    seen[:] = 0
    usable = len(x) - (dim - 1) * lag - steps
    if usable < 1:
        return
    nearest = np.empty(usable, np.int64)
    _find_nearest(x, dim, lag, theiler, 0.0, nearest)
    squares = np.empty(steps + 1)
    for i in range(usable):
        if nearest[i] >= 0:
            follow_samples(x, i, nearest[i], dim, lag, squares)
            for k in range(steps + 1):
                if squares[k] > 0.0:
                    total[k] += 0.5 * np.log(squares[k])
                    seen[k] += 1


@allocating
def _find_nearest(
    x: NDArray[np.float64], dim: int, lag: int, theiler: int, equal: float, nearest: NDArray[np.int64]
) -> None:
    """Write the nearest neighbour of each point, -1 where there is none farther than `equal`, squared."""
    usable = len(nearest)
    squares = np.empty(usable)
    ahead, behind = np.full(usable, np.inf), np.full(usable, np.inf)
    ahead_by, behind_by = np.zeros(usable, np.int64), np.zeros(usable, np.int64)
    for p in range(theiler + 1, usable):
        count = np.uint64(usable - p)
        later, later_behind, later_behind_by = x[p:], behind[p:], behind_by[p:]
        for i in range(count):
            squares[i] = (later[i] - x[i]) * (later[i] - x[i])
        for d in range(1, dim):
            here, there = x[d * lag :], x[p + d * lag :]
            for i in range(count):
                squares[i] += (there[i] - here[i]) * (there[i] - here[i])
        for i in range(count):
            square = squares[i]
            nearer = square < ahead[i]
            ahead[i] = square if nearer else ahead[i]
            ahead_by[i] = p if nearer else ahead_by[i]
        for i in range(count):
            square = squares[i]
            nearer = square < later_behind[i]
            later_behind[i] = square if nearer else later_behind[i]
            later_behind_by[i] = p if nearer else later_behind_by[i]
    for i in range(usable):
        is_behind = behind[i] < ahead[i] or (behind[i] == ahead[i] and behind_by[i] <= ahead_by[i])
        found = i - behind_by[i] if is_behind else i + ahead_by[i]
        nearest[i] = found if equal < min(ahead[i], behind[i]) < np.inf else -1


@allocating
def _follow_samples(
    x: NDArray[np.float64],
    nearest: NDArray[np.int64],
    dim: int,
    lag: int,
    totals: NDArray[np.float64],
    seen: NDArray[np.int64],
) -> None:
    """Sums of log distances of the pairs that never meet, in stretches with about as many pairs each.

    A pair that meets would leave the mean, and move it.
    """
    steps = totals.shape[1] - 1
    squares = np.empty(steps + 1)
    bits = squares.view(np.int64)
    products = np.ones(steps + 1)
    exponents = np.zeros(steps + 1, np.int64)
    pairs = 0
    for i in range(len(nearest)):
        pairs += nearest[i] >= 0
    done = 0
    held = 0
    for i in range(len(nearest)):
        if nearest[i] < 0:
            continue
        part = done * STRETCHES // pairs
        done += 1
        follow_samples(x, i, nearest[i], dim, lag, squares)
        if squares.min() > EQUAL:
            add_up(squares, bits, products, exponents)
            seen[part] += 1
            held += 1
        if held == _FOLD or done * STRETCHES // pairs != part:
            for k in range(steps + 1):
                totals[part, k] += 0.5 * (np.log(products[k]) + exponents[k] * _LN_2)
            products[:] = 1.0
            exponents[:] = 0
            held = 0


@allocating
def _follow_orbits(
    x: NDArray[np.float64],
    nearest: NDArray[np.int64],
    dim: int,
    lag: int,
    theiler: int,
    reach: int,
    totals: NDArray[np.float64],
    seen: NDArray[np.int64],
) -> None:
    """Sums of log distances to the neighbour's orbit, of the middle of the pairs that never meet."""
    ones = np.flatnonzero(nearest >= 0)
    velocity = np.empty(len(x))
    velocities(x, velocity)
    while len(ones) >= FEWEST:
        pairs = len(ones)
        others, points, places = nearest[ones], ones.astype(np.uint64), np.empty(pairs, np.uint64)
        offs, sums, rounded = (
            np.empty((3, pairs), np.int64),
            np.empty((3, pairs)),
            np.empty(pairs, np.float32),
        )
        squares = sums[0]
        bits, keys = squares.view(np.int64), rounded.view(np.int32)
        least = np.full(pairs, np.inf)
        find_limits(points, others, theiler, reach, offs)
        for k in range(totals.shape[1]):
            move_on(x, velocity, k, dim, lag, points, others, offs, places, sums)
            for m in range(np.uint64(pairs)):
                least[m] = min(least[m], squares[m])
                squares[m] = max(squares[m], EQUAL)
            middle_logs(squares, bits, rounded, keys, pairs // TRIMMED, totals[:, k], seen[:, k])
        apart = least > EQUAL
        if apart.all():
            return
        ones = ones[apart]
    seen[:] = 0
