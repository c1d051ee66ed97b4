"""Distances to the orbit of a neighbour instead of to its samples, of many pairs at once.

Strategy. Of a sampled flow the nearest *sample* of another turn lies up to half a step ahead or behind. That
part of the distance does not grow and hides the part that does; where turns are alike (Roessler) it costs a
third of the exponent. So the partner may run ahead or stay behind by up to half a turn, one sample a step,
and what is left along its direction is taken off. All pairs go on by one step together: each has its own
place on its orbit, so a pair alone would be one long chain of decisions, and many are vectors.

Where orbits part on the two sides of a saddle a distance jumps to the size of the attractor, and the mean
logarithm with it: Lorenz comes out 5 to 18 % high, the shorter the series the more. So the tenth of the
pairs that is farthest at each step is left out of the mean, and the nearest tenth with it. More neighbours
a point do not help: they are farther, so more of them jump (two read Lorenz 2 to 8 % higher than one, with
the same scatter).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = [
    "TRIMMED",
    "find_limits",
    "half_turn",
    "in_order",
    "is_flow",
    "middle_logs",
    "move_on",
    "velocities",
]

_SMOOTH = 0.5
"""Of a smooth series the second differences have less than this share of the power of the first: a sine of
nine samples a period or more has, white noise has three times it."""
_MOVES_ON = 0.1
"""Of a series that goes on moving each half has more than this share of the power of the other's steps."""
TRIMMED = 10
"""One in so many pairs is left out at either end. Of 648 readings of Lorenz and Roessler (11 settings of
system, sampling and length, 6 orbits each, dim 3 to 7) 48 % are more than 10 % off without, 29 % with one
in twenty, 27 % with one in ten, 33 % with one in five; of 648 of other orbits 45 % without, 34 % with one
in ten.
"""
_FOLD = 512
"""Mantissas that are multiplied before a logarithm is taken."""
_LN_2 = 0.6931471805599453
_MANTISSA = 0xFFFFFFFFFFFFF
_ONE = 0x3FF0000000000000
_BIAS = 1023


@kernel
def is_flow(x: NDArray[np.float64]) -> bool:
    """Whether `x` looks like samples of a flow: its steps are much like the steps before them.

    And they go on: a series that comes to rest, or runs away, moves along its only orbit, and the
    distances that change are those along it.
    """
    n = len(x)
    bent = 0.0
    early = 0.0
    late = 0.0
    for i in range(2, n):
        step = (x[i] - x[i - 1]) ** 2
        bent += (x[i] - 2.0 * x[i - 1] + x[i - 2]) ** 2
        if 2 * i < n:
            early += step
        else:
            late += step
    return bent < _SMOOTH * (early + late) and min(early, late) > _MOVES_ON * max(early, late)


@inner
def half_turn(correlation: int) -> int:
    """Half a period of the sine with that correlation time: acos(1 / e) is 0.19 of a period."""
    return int(2.6 * correlation)


@inner
def velocities(x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Half of what lies between the sample before and the sample after; 0 at both ends."""
    out[0] = out[-1] = 0.0
    for i in range(1, len(x) - 1):
        out[i] = 0.5 * (x[i + 1] - x[i - 1])


@inner
def find_limits(
    ones: NDArray[np.uint64], others: NDArray[np.int64], theiler: int, reach: int, offs: NDArray[np.int64]
) -> None:
    """Start pairs: write how far ahead each partner is (0), may stay behind, and may run ahead.

    By `reach` samples at most, and it stays more than `theiler` samples away from the point itself,
    which may be the same orbit a turn ago. `offs` is int64[3, pairs].
    """
    for m in range(len(ones)):
        gap = others[m] - np.int64(ones[m])
        offs[0, m] = 0
        offs[1, m] = -reach if gap < 0 else max(-reach, min(0, theiler + 1 - gap))
        offs[2, m] = reach if gap > 0 else min(reach, max(0, -gap - theiler - 1))


@inner
def move_on(
    x: NDArray[np.float64],
    velocity: NDArray[np.float64],
    k: int,
    dim: int,
    lag: int,
    ones: NDArray[np.uint64],
    others: NDArray[np.int64],
    offs: NDArray[np.int64],
    places: NDArray[np.uint64],
    sums: NDArray[np.float64],
) -> None:
    """Write the squared distances of all pairs after `k` samples, and let the partners run or wait.

    Parameters
    ----------
    x, velocity : float64[n]
        The series, and :func:`velocities` of it.
    ones, others : uint64[pairs], int64[pairs]
        Where the points and their partners started.
    offs : int64[3, pairs]
        As :func:`find_limits` and the steps before left them. Modified.
    places : uint64[pairs]
        Scratch.
    sums : float64[3, pairs]
        Written: the squared distances in the first row; the others are scratch.
    """
    count = np.uint64(len(ones))
    off, before, after = offs[0], offs[1], offs[2]
    squares, along, speed = sums[0], sums[1], sums[2]
    last = len(x) - (dim - 1) * lag - 2
    for m in range(count):
        partner = others[m] + k
        off[m] = min(max(off[m], 1 - partner), last - partner)
        places[m] = np.uint64(partner + off[m])
        squares[m] = along[m] = speed[m] = 0.0
    for d in range(dim):
        here, there, ahead = x[k + d * lag :], x[d * lag :], velocity[d * lag :]
        for m in range(count):
            gap = here[ones[m]] - there[places[m]]
            pace = ahead[places[m]]
            squares[m] += gap * gap
            along[m] += gap * pace
            speed[m] += pace * pace
    for m in range(count):
        part = along[m] / speed[m] if speed[m] > 0.0 else 0.0
        part = min(max(part, -1.0), 1.0)
        squares[m] = max(squares[m] - 2.0 * part * along[m] + part * part * speed[m], 0.0)
        off[m] += np.int64(part > 0.5 and off[m] < after[m]) - np.int64(part < -0.5 and off[m] > before[m])


@inner
def middle_logs(
    squares: NDArray[np.float64],
    bits: NDArray[np.int64],
    rounded: NDArray[np.float32],
    keys: NDArray[np.int32],
    without: int,
    totals: NDArray[np.float64],
    seen: NDArray[np.int64],
) -> None:
    """Sums of the logs of distances, `without` so many at either end, by stretches.

    Parameters
    ----------
    squares : float64[pairs]
        Squared distances in the order of time, normal numbers above 0. Used up.
    bits : int64[pairs]
        Those of `squares`.
    rounded, keys : float32[pairs], int32[pairs]
        Scratch, and the bits of it. As these numbers are above 0 their bits have their order.
    without : int
        How many of the least, and of the greatest, are left out; less than half.
    totals, seen : float64[stretches], int64[stretches]
        Written: the sums for equal parts of the pairs, and how many are in them.
    """
    pairs = len(squares)
    for m in range(np.uint64(pairs)):
        rounded[m] = squares[m]
    least = in_order(keys, without)
    most = in_order(keys, pairs - 1 - without)
    for m in range(np.uint64(pairs)):
        bits[m] = bits[m] if least <= keys[m] <= most else _ONE
    for part in range(len(totals)):
        # Of pairs `part` times `pairs` divided by the number of stretches, rounded up.
        first = -(-part * pairs // len(totals))
        after = -(-(part + 1) * pairs // len(totals))
        inside = 0
        powers = 0
        own_keys, own_bits = keys[first:after], bits[first:after]
        for m in range(np.uint64(after - first)):
            inside += least <= own_keys[m] <= most
            powers += (own_bits[m] >> 52) - _BIAS
            own_bits[m] = (own_bits[m] & _MANTISSA) | _ONE
        total = powers * _LN_2
        for start in range(first, after, _FOLD):
            total += np.log(_product(squares[start : min(after, start + _FOLD)]))
        totals[part] = 0.5 * total
        seen[part] = inside


@inner
def in_order(keys: NDArray[np.int32], rank: int) -> int:
    """The bits of the number, above 0, with `rank` others before it.

    Halving finds where they are parted, since to count is one pass of vectors: of 800 after some 14.
    """
    low = np.int32(0)
    high = np.int32(0x7F800000)
    while low < high:
        middle = np.int32(low + (high - low) // 2)
        count = np.int32(0)
        for m in range(np.uint64(len(keys))):
            count += np.int32(keys[m] <= middle)
        if count > rank:
            high = middle
        else:
            low = np.int32(middle + 1)
            if count == rank:
                break
    least = np.int32(0x7FFFFFFF)
    for m in range(np.uint64(len(keys))):
        least = min(least, keys[m] if keys[m] >= low else np.int32(0x7FFFFFFF))
    return int(least)


@inner
def _product(values: NDArray[np.float64]) -> float:
    """The product of `values`, which are used up."""
    count = len(values)
    while count > 1:
        half = count // 2
        upper = values[count - half : count]
        for i in range(half):
            values[i] *= upper[i]
        count -= half
    return float(values[0])
