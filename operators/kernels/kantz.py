"""The largest Lyapunov exponent after Kantz: how fast whole neighbourhoods spread.

Strategy. As in :mod:`operators.kernels.lyapunov`, but each point has all neighbours within a radius, and
the logarithm is of their mean distance. That needs a radius and more pairs; single pairs that are close by
chance count less. Where the line is fitted, how distances of a flow are taken and how sure the slope is are
the same (:mod:`operators.kernels.growth`, :mod:`operators.kernels.orbits`).

Of a flow it is the median distance instead of the mean. One neighbour in a crowd that passes on the other
side of a saddle is enough to make the mean that of the attractor: read so, Lorenz comes out 1.5 to 2.3 times
too high, the wider the radius the more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.growth import (
    EQUAL,
    FEWEST,
    STRETCHES,
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
    in_order,
    is_flow,
    middle_logs,
    move_on,
    velocities,
)

__all__ = ["kantz"]

_BUILT_ON = 0xA5DC1F16, 0xFE7AD797
"""CRC-32 of growth.py and orbits.py, so that this file changes with them, and numba takes no old machine code
from its cache (``tests/kernels/test_kantz.py`` tells the numbers)."""

_CROWD = 5
"""Neighbours below which a point has no neighbourhood."""


@allocating
def kantz(
    x: NDArray[np.float64], dim: int, lag: int, theiler: int, steps: int, radius: float
) -> tuple[float, float, float, float, int, int]:
    r"""Largest Lyapunov exponent of `x`, after Kantz, and how sure it is.

    .. math:: S(k) = \left\langle \ln \frac{1}{|U_i|} \sum_{j \in U_i} \| X_{i+k} - X_{j+k} \| \right\rangle_i

    Parameters
    ----------
    x, dim, lag, theiler, steps
        As for :func:`operators.kernels.lyapunov.rosenstein`.
    radius : float
        Points within this Euclidean distance are neighbours, in the unit of `x`: as small as leaves
        most points the five that are needed, say a tenth of the standard deviation times ``sqrt(dim)``.

    Returns
    -------
    float, float, float, float, int, int
        As from :func:`operators.kernels.lyapunov.rosenstein`; undetermined also when fewer than ten
        points have five neighbours within `radius`. A point with a neighbour that is equal to it is
        passed over.

    Notes
    -----
    O(n * n * dim) time to find neighbours and O(steps * dim) for each pair of them, so a wide radius is
    slow: 0.15 to 0.3 s for 5000 points at 15 to 30 samples a turn with the tenth named above, 1.5 s at 75.
    O(n * steps) memory.

    Within 10 % for logistic and Henon maps (2000 and 3000 points). Flows of 5000 points (8 orbits, dim 3
    and 5, one and three turns followed) with a radius of a tenth of the standard deviation times
    ``sqrt(dim)``: Lorenz 3 to 6 % low in the mean, within 10 % in 100 % of the readings at step 0.05, 69 to
    78 % at 0.02 and 0.01; Roessler 3 % high, within 10 % in 81 % (step 0.1) and 66 % (0.2). Half that radius
    leaves too few neighbours for Roessler (5 to 8 % high, 41 to 50 % within 10 %). The interval held the true
    value in 62 to 100 %: it knows the scatter of orbits, not the bias.

    References
    ----------
    .. [1] H. Kantz, "A robust method to estimate the maximal Lyapunov exponent of a time series",
       Physics Letters A 185, 1994.
    """
    usable = len(x) - (dim - 1) * lag - steps
    nothing = (np.nan, np.nan, np.nan, np.nan, -1, -1)
    if dim < 1 or lag < 1 or theiler < 0 or steps < 1 or usable < theiler + FEWEST or not radius > 0.0:
        return nothing
    series = np.empty(len(x))
    spread = scaled(x, series)
    if not spread > 0.0:
        return nothing
    across = dim > 1 and is_flow(series)
    correlation = correlation_time(series)
    reach = half_turn(correlation)
    squares = np.empty((steps + 1, usable))
    points = _spread(series, dim, lag, theiler, (radius / spread) ** 2, reach if across else -1, squares)
    if points < FEWEST:
        return nothing
    totals = np.empty((STRETCHES, steps + 1))
    seen = np.empty((STRETCHES, steps + 1), np.int64)
    bits = squares.view(np.int64)
    rounded = np.empty(points, np.float32)
    keys = rounded.view(np.int32)
    without = points // TRIMMED if across else 0
    for k in range(steps + 1):
        middle_logs(squares[k][:points], bits[k][:points], rounded, keys, without, totals[:, k], seen[:, k])
    curve = np.empty(steps + 1)
    mean_curve(totals, seen, -1, curve)
    if across:
        level = saturation_of_orbits(series, usable, dim, lag, reach)
        _, first, last = fit_orbits(curve, reach, level)
    else:
        _, first, last = fit(curve, correlation, saturation(series, usable, dim, lag))
    exponent, low, high, r2 = interval(totals, seen, first, last, curve)
    return exponent, low, high, r2, first, last


@allocating
def _spread(
    x: NDArray[np.float64],
    dim: int,
    lag: int,
    theiler: int,
    within: float,
    reach: int,
    out: NDArray[np.float64],
) -> int:
    """Write how wide the neighbourhood of each point is after each step, squared; how many points have one.

    The mean distance of samples, or, where `reach` is not negative, the median distance to orbits.
    """
    steps, usable = out.shape[0] - 1, out.shape[1]
    squares, along_steps = np.empty(usable), np.empty(steps + 1)
    widths = np.empty(steps + 1)
    near, ones, places = np.empty(usable, np.int64), np.empty(usable, np.uint64), np.empty(usable, np.uint64)
    offs, sums = np.empty((3, usable), np.int64), np.empty((3, usable))
    rounded = np.empty(usable, np.float32)
    keys = rounded.view(np.int32)
    middle = np.empty(1, np.int32)
    width = middle.view(np.float32)
    velocity = np.empty(len(x))
    velocities(x, velocity)
    points = 0
    for i in range(usable):
        _measure(x, i, dim, lag, squares)
        crowd = 0
        for j in range(usable):
            if squares[j] <= within and abs(i - j) > theiler:
                if squares[j] <= EQUAL:
                    crowd = 0
                    break
                near[crowd] = j
                ones[crowd] = np.uint64(i)
                crowd += 1
        if crowd < _CROWD:
            continue
        if reach >= 0:
            find_limits(ones[:crowd], near, theiler, reach, offs)
            for k in range(steps + 1):
                move_on(x, velocity, k, dim, lag, ones[:crowd], near, offs, places, sums)
                for m in range(np.uint64(crowd)):
                    rounded[m] = sums[0, m]
                middle[0] = in_order(keys[:crowd], crowd // 2)
                widths[k] = width[0]
        else:
            widths[:] = 0.0
            for m in range(crowd):
                follow_samples(x, i, near[m], dim, lag, along_steps)
                for k in range(steps + 1):
                    widths[k] += np.sqrt(along_steps[k])
            for k in range(steps + 1):
                widths[k] = (widths[k] / crowd) ** 2
        if widths.min() > EQUAL:
            out[:, points] = widths
            points += 1
    return points


@inner
def _measure(x: NDArray[np.float64], i: int, dim: int, lag: int, squares: NDArray[np.float64]) -> None:
    """Squared distances of all points from one."""
    squares[:] = 0.0
    for d in range(dim):
        here = x[i + d * lag]
        there = x[d * lag :]
        for j in range(np.uint64(len(squares))):
            squares[j] += (there[j] - here) * (there[j] - here)
