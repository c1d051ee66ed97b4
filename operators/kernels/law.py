"""Whether a series has a law that neighbours share, or whether all it has is correlation: noise.

Strategy. What the best linear forecast leaves of the next sample is, in linear noise, chance: that of a point
and that of its nearest neighbour are as different as those of any two points. Where there is a law they are
the same function of almost the same state. So it is counted how often the neighbour's is nearer than an
unrelated one, which is a half in noise whatever its spectrum; counts do not care for its distribution, as
squares would. The moments that the forecast needs are taken once for each lag, and corrected at the ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = ["alike"]

Series = NDArray[np.float64]

_LATEST = 256
"""Points at the end of the series that are asked, at most: they tell enough, and cost the same."""
_SINGULAR = 1e-12
"""Share of its variance that earlier values leave of one, below which it tells nothing new."""
_SAME = 1e-9
"""Differences are the same that differ by less, in deviations of the series: rounding is no law."""


@inner
def alike(
    x: Series,
    dim: int,
    lag: int,
    best: Series,
    ahead: NDArray[np.int32],
    least: float,
    moments: Series,
    deviations: Series,
    rests: Series,
) -> tuple[float, int]:
    """How often neighbours are followed alike, but for what is linear.

    Parameters
    ----------
    x : float64[n]
        The series, finite.
    dim, lag : int
        Of the embedding. The forecast is linear in the coordinates, one lag ahead.
    best, ahead : float64[points], int32[points]
        Squared distance of the nearest neighbour of each point, and how many points further it is, 0 if there
        is none.
    least : float
        Pairs nearer than this (squared) are passed over: equal points say nothing of growth.
    moments : float64[dim + 2, dim + 1]
        Room to work. Modified.
    deviations, rests : float64[n], float64[n]
        The same. Modified.

    Returns
    -------
    float, int
        Share of the last 256 points for which the rest of the neighbour is nearer than that of another one
        of them, half of them away; ties count half. And how many had a neighbour: NaN and 0 if none.

    Notes
    -----
    O(dim (points + dim (dim + lag))). What a linear law foretells exactly leaves nothing but ties: a
    pure wave has a half.
    """
    usable = min(len(best), len(x) - dim * lag)
    first = max(0, usable - _LATEST)
    count = usable - first
    if count < 2:
        return np.nan, 0
    late = x[first : usable + dim * lag]
    _copy(late, rests)
    mean = _sum(rests[: len(late)]) / len(late)
    for i in range(len(late)):
        deviations[i] = late[i] - mean
    size = np.sqrt(_product(deviations[: len(late)], deviations, rests) / len(late))
    _fill(deviations, dim, lag, count, moments, rests)
    _eliminate(moments, dim)
    _copy(x[dim * lag : dim * lag + usable], rests)
    for d in range(dim):
        _subtract(rests[:usable], x[d * lag :], moments[d, dim])
    here, places = ahead[first:usable], deviations[:count].view(np.int64)
    for i in range(len(here)):
        j = first + i + here[i]
        places[i] = j if here[i] and j < usable else first + i
    return _compared(rests[:usable], first, places, best[first:usable], least, _SAME * size)


@inner
def _compared(
    rests: Series, first: int, neighbours: NDArray[np.int64], squares: Series, least: float, same: float
) -> tuple[float, int]:
    """How often the rest of the neighbour is nearer than that of another, of points from `first` on."""
    late = rests[first:]
    half = len(late) // 2
    nearer = np.int64(0)
    pairs = np.int64(0)
    for i in range(len(neighbours)):
        other = i + half if i + half < len(late) else i + half - len(late)
        gap = abs(late[i] - late[np.uint64(other)]) - abs(late[i] - rests[np.uint64(neighbours[i])])
        counts = np.int64(neighbours[i] != first + i) & np.int64(squares[i] >= least)
        nearer += counts * (np.int64(gap > same) + np.int64(gap >= -same))
        pairs += counts
    return (0.5 * nearer / pairs if pairs else np.nan), int(pairs)


@inner
def _fill(x: Series, dim: int, lag: int, count: int, moments: Series, room: Series) -> None:
    """Covariances of the coordinates and the one after them: from one to the next only the ends change."""
    sums = moments[dim + 1]
    _copy(x[:count], room)
    total = _sum(room[:count])
    for d in range(dim + 1):
        sums[d] = total
        if d < dim:
            for i in range(d * lag, (d + 1) * lag):
                total += x[i + count] - x[i]
    for gap in range(dim + 1):
        later = x[gap * lag :]
        product = _product(x[:count], later, room)
        for d in range(dim + 1 - gap):
            moments[d, d + gap] = moments[d + gap, d] = product - sums[d] * sums[d + gap] / count
            if d < dim - gap:
                for i in range(d * lag, (d + 1) * lag):
                    product += x[i + count] * later[i + count] - x[i] * later[i]


@inner
def _eliminate(moments: Series, dim: int) -> None:
    """Put the weights of the best linear forecast into the last column (Gauss)."""
    least = _SINGULAR * moments[0, 0]
    for d in range(dim):
        whole = moments[d, d]
        if whole <= least:
            moments[d, d] = 0.0
            continue
        for e in range(d + 1, dim):
            share = moments[e, d] / whole
            for f in range(d, dim + 1):
                moments[e, f] -= share * moments[d, f]
    for d in range(dim - 1, -1, -1):
        weight = moments[d, dim]
        for e in range(d + 1, dim):
            weight -= moments[d, e] * moments[e, dim]
        moments[d, dim] = weight / moments[d, d] if moments[d, d] > 0.0 else 0.0


@inner
def _copy(values: Series, out: Series) -> None:
    for i in range(len(values)):
        out[i] = values[i]


@inner
def _subtract(out: Series, values: Series, weight: float) -> None:
    for i in range(len(out)):
        out[i] -= weight * values[i]


@inner
def _product(one: Series, other: Series, room: Series) -> float:
    """The sum of the products of `one` with what stands in `other`."""
    for i in range(len(one)):
        room[i] = one[i] * other[i]
    return _sum(room[: len(one)])


@inner
def _sum(values: Series) -> float:
    """The sum of `values`, which are used up: in halves, as the order of a running sum forbids vectors."""
    count = len(values)
    while count > 1:
        half = count // 2
        upper = values[count - half : count]
        for i in range(half):
            values[i] += upper[i]
        count -= half
    return float(values[0])
