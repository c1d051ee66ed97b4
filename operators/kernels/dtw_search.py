"""The nearest of many series under DTW, and the best places of a query in a long series.

Strategy. First a lower bound of everything (LB_Keogh, with the ends of LB_Kim), which is one vectorised pass
without a cutoff; then what could be near is visited from the lowest bound up. The cutoff is thus about as low
as it will be after the first visits, and the search is over when a bound exceeds it; the order in which
the UCR suite reads its data would begin with a high one. What is visited must pass a second, tighter bound
(LB_Improved), and is warped ``LANES`` at once, abandoned when all lanes plus the least their remaining
samples cost exceed the cutoff. The answers are those of a search without bounds.

Windows are z-normalised one by one, from their own mean and deviation in two passes: running sums
drift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.bounds import outside, surround
from operators.kernels.dtw_pairwise import LANES, across

__all__ = ["dtw_nearest", "dtw_search"]

_LANES = np.uint64(LANES)
_WINDOWS = 64  # whose bounds are computed side by side
_CONSTANT = 1e-12  # a window that deviates less, in units of its mean, is one value and rounding
_SLACK = 1 + 1e-9  # a bound is summed in another order than the distance, and may come out above it
_LARGEST = np.finfo(np.float64).max
_BUILT_ON = 0x643926B1, 0x71FFA984
"""CRC-32 of bounds.py and dtw_pairwise.py (see dtw.py)."""


def dtw_nearest(
    query: NDArray[np.float64], candidates: NDArray[np.float64], radius: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the `k` of `candidates` that are nearest to `query`.

    Parameters
    ----------
    query : float64[n]
        At least one sample, none of them NaN or infinite.
    candidates : float64[c, n]
        Series in rows, in the same unit. One that is not finite is never near.
    radius : int
        Half-width of the Sakoe-Chiba band, in samples.
    k : int
        How many are wanted, at least 1.

    Returns
    -------
    int64[f], float64[f]
        Rows of `candidates` and their distances (cost squared), nearest first, of equal ones the first;
        ``f`` is `k`, or fewer when there are no more.

    Notes
    -----
    O(c * n) time for the bounds and O(n * radius) for each candidate they do not exclude; 40 bytes a
    candidate.
    """
    count, n = candidates.shape
    bounds = np.empty(count)
    _bound_rows(query, candidates, radius, bounds)
    order = np.argsort(bounds)
    distances = np.full(count, np.inf)
    series = np.ascontiguousarray(candidates).reshape(-1)
    _visit(query, series, n, np.zeros(count), np.ones(count), order, bounds, radius, k, 0, distances)
    return _best(distances, k, 0)


def dtw_search(
    query: NDArray[np.float64], series: NDArray[np.float64], radius: int, k: int, exclusion: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the `k` windows of a long series that are nearest to `query`, both z-normalised.

    Parameters
    ----------
    query : float64[m]
        What is looked for: finite, and not constant.
    series : float64[n]
        Where it is looked for. A window that is constant has no shape, and one that is not finite no
        distance: they are passed over.
    radius : int
        Half-width of the Sakoe-Chiba band, in samples; ``0`` is the z-normalised Euclidean distance.
    k : int
        How many windows are wanted, at least 1.
    exclusion : int
        Of two windows that begin at most this many samples apart, only the better is reported; of
        equal ones the first. ``0`` reports all, ``m - 1`` windows without a common sample.

    Returns
    -------
    int64[f], float64[f]
        First samples of the windows and their distances (cost squared, in units of squared deviations),
        nearest first: the best window, then the best of those it does not exclude, and so on.

    Notes
    -----
    O(n * m) time for the bounds and O(m * radius) for each window they do not exclude; 40 bytes a
    window.

    References
    ----------
    .. [1] T. Rakthanmanon et al., "Searching and mining trillions of time series subsequences under
       dynamic time warping", KDD 2012.
    """
    m = len(query)
    count = max(0, len(series) - m + 1)
    bounds, means, inverses = np.empty(count), np.empty(count), np.empty(count)
    shape = (query - query.mean()) / query.std()
    _bound_windows(shape, series, radius, means, inverses, bounds)
    order = np.argsort(bounds)
    distances = np.full(count, np.inf)
    _visit(shape, series, 1, means, inverses, order, bounds, radius, k, 2 * exclusion, distances)
    return _best(distances, k, exclusion)


def _best(
    distances: NDArray[np.float64], k: int, exclusion: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `k` least distances, each the least that those before do not exclude. `distances` is modified."""
    places: list[int] = []
    found: list[float] = []
    for _ in range(min(k, len(distances))):
        place = int(np.argmin(distances))
        if distances[place] == np.inf:
            break
        places.append(place)
        found.append(float(distances[place]))
        distances[max(0, place - exclusion) : place + exclusion + 1] = np.inf
    return np.array(places, np.int64), np.array(found)


@allocating
def _bound_rows(
    query: NDArray[np.float64], candidates: NDArray[np.float64], radius: int, bounds: NDArray[np.float64]
) -> None:
    """Write a lower bound for each row; ``inf`` for one that is not finite."""
    limits, scratch = _pinned(query, radius), np.empty(len(query))
    for c in range(len(candidates)):
        finite = True
        for i in range(np.uint64(len(query))):
            finite &= abs(candidates[c, i]) < np.inf
        bounds[c] = outside(candidates[c], limits[0], limits[1], scratch) if finite else np.inf


@allocating
def _bound_windows(
    query: NDArray[np.float64],
    series: NDArray[np.float64],
    radius: int,
    means: NDArray[np.float64],
    inverses: NDArray[np.float64],
    bounds: NDArray[np.float64],
) -> None:
    """Write mean, inverse of the deviation and a lower bound of each window; ``inf`` for none to consider."""
    m = len(query)
    share = 1.0 / m
    limits = _pinned(query, radius)
    for first in range(0, len(bounds), _WINDOWS):
        stop = min(first + _WINDOWS, len(bounds))
        mean, inverse, bound = means[first:stop], inverses[first:stop], bounds[first:stop]
        width = np.uint64(stop - first)
        mean[:] = 0.0
        for i in range(m):
            values = series[first + i :]
            for k in range(width):
                mean[k] += values[k]
        for k in range(width):
            mean[k] *= share
        inverse[:] = 0.0
        for i in range(m):
            values = series[first + i :]
            for k in range(width):
                gap = values[k] - mean[k]
                inverse[k] += gap * gap
        for k in range(width):
            deviation = np.sqrt(inverse[k] * share)
            inverse[k] = 1.0 / deviation if deviation > _CONSTANT * abs(mean[k]) else 0.0
        bound[:] = 0.0
        for i in range(m):
            values, lower, upper = series[first + i :], limits[0, i], limits[1, i]
            for k in range(width):
                value = (values[k] - mean[k]) * inverse[k]
                over, under = value - upper, lower - value
                gap = over if over > under else under
                gap = gap if gap > 0.0 else 0.0
                bound[k] += gap * gap
        for k in range(width):
            bound[k] = bound[k] if inverse[k] > 0.0 else np.inf


@allocating
def _pinned(query: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """The envelope of `query`, but for its ends, which every path aligns with the ends of the other."""
    n = len(query)
    reach = max(0, min(radius, n - 1))
    limits = np.empty((2, n))
    surround(query, reach, limits[0], limits[1], np.empty((2, n + 2 * reach)))
    for end in (0, n - 1):
        limits[0, end] = limits[1, end] = query[end]
    return limits


@allocating
def _visit(
    query: NDArray[np.float64],
    series: NDArray[np.float64],
    stride: int,
    means: NDArray[np.float64],
    inverses: NDArray[np.float64],
    order: NDArray[np.int64],
    bounds: NDArray[np.float64],
    radius: int,
    k: int,
    apart: int,
    distances: NDArray[np.float64],
) -> int:
    """Compute the distances that can be among the `k` best; return how many were computed.

    Window `c` begins at ``series[c * stride]``. `order` has the windows by rising bound. `distances` is
    ``inf`` before, and after for windows that are not among the best.

    The cutoff is the worst of `k` windows that are more than `apart`, twice the exclusion zone, from each
    other: a better window excludes at most one of them, so that the k-th best is never beyond it.
    """
    n = len(query)
    reach = max(0, min(radius, n - 1))
    limits, near, scratch = np.empty((4, n)), np.empty((2, n)), np.empty(n)
    wide = np.empty((2, n + 2 * reach))
    surround(query, reach, limits[0], limits[1], wide)
    block, tails = np.empty(n * LANES), np.empty(n * LANES)
    rows, found, lanes = np.empty((2, (n + 1) * LANES)), np.empty(LANES), np.empty(LANES, np.int64)
    kept, costs = np.empty(k, np.int64), np.empty(k)
    cutoff, count, filled, warped = np.inf, 0, 0, 0
    block[:] = 0.0
    for at in range(len(order) + 1):
        is_over = at == len(order) or not (
            bounds[order[at]] <= cutoff * _SLACK and bounds[order[at]] < np.inf
        )
        if not is_over:
            window = order[at]
            value, nearest = near[0], near[1]
            source = series[window * stride : window * stride + n]
            for i in range(np.uint64(n)):
                value[i] = (source[i] - means[window]) * inverses[window]
                nearest[i] = min(max(value[i], limits[0, i]), limits[1, i])
            if cutoff < np.inf:
                surround(nearest, reach, limits[2], limits[3], wide)
                bound = outside(value, limits[0], limits[1], scratch)
                bound += outside(query, limits[2], limits[3], scratch)
                if bound > cutoff * _SLACK:
                    continue
            for i in range(np.uint64(n)):
                block[i * _LANES + np.uint64(filled)] = value[i]
            lanes[filled] = window
            filled += 1
        if filled == LANES or is_over:
            if cutoff < np.inf:
                _add_up(block, limits, filled, tails)
            across(block, query, reach, tails, cutoff * _SLACK, rows, found)
            warped += filled
            for lane in range(filled):
                if found[lane] <= cutoff:
                    distances[lanes[lane]] = found[lane]
                    count = _keep(lanes[lane], found[lane], apart, kept, costs, count)
                    cutoff = costs.max() if count == k else np.inf
            filled = 0
        if is_over:
            break
    return warped


@inner
def _add_up(
    block: NDArray[np.float64], limits: NDArray[np.float64], filled: int, tails: NDArray[np.float64]
) -> None:
    """Write what the samples after each cost at least: their distance from the query's envelope.

    It is infinite for lanes that are not filled, so that nothing is computed for them alone.
    """
    n = limits.shape[1]
    for lane in range(_LANES):
        tails[np.uint64(n - 1) * _LANES + lane] = 0.0 if lane < np.uint64(filled) else np.inf
    for i in range(n - 1, 0, -1):
        at, lower, upper = np.uint64(i) * _LANES, limits[0, i], limits[1, i]
        for lane in range(_LANES):
            over, under = block[at + lane] - upper, lower - block[at + lane]
            gap = over if over > under else under
            gap = gap if gap > 0.0 else 0.0
            tails[at - _LANES + lane] = tails[at + lane] + gap * gap


@inner
def _keep(
    window: int,
    cost: float,
    apart: int,
    kept: NDArray[np.int64],
    costs: NDArray[np.float64],
    count: int,
) -> int:
    """Put a window among the kept ones, which stay apart, if that makes their worst no worse."""
    beside, place = 0, count
    for i in range(count):
        if abs(kept[i] - window) <= apart:
            beside += 1
            place = i
    if beside > 1:
        return count
    if beside == 0 and count == len(kept):
        place = int(np.argmax(costs))
    if place < count and costs[place] <= cost:
        return count
    kept[place], costs[place] = window, cost
    return max(count, place + 1)
