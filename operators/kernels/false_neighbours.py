"""False nearest neighbours: how many points are close only because they are seen in too few dimensions.

Strategy. The squared distances of a point to all others are kept in a row; one more dimension adds one term
to each of them, so that all dimensions together cost as much as the last one alone, and every loop is
over neighbours in memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating
from operators.kernels.nearest import nearest

__all__ = ["false_neighbours"]

_BUILT_ON = 0x90786C4C
"""CRC-32 of nearest.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_false_neighbours.py`` tells the number)."""
_STRETCH = 15.0
"""A neighbour is false if the next coordinate parts it from the point by more than so many times their
distance (Kennel: 10 and more make no difference),"""
_FAR = 2.0
"""or if it is then farther than so many deviations of the series (of noise the nearest is not near)."""
_EQUAL = 1e-12
"""Points closer than this share of the largest values differ by rounding."""


@allocating
def false_neighbours(x: NDArray[np.float64], most: int, lag: int, theiler: int) -> NDArray[np.float64]:
    """Share of false nearest neighbours in 1, 2 ... `most` dimensions, both criteria of Kennel.

    Parameters
    ----------
    x : float64[n]
        The series, equally spaced.
    most : int
        The largest dimension.
    lag : int
        Samples between coordinates.
    theiler : int
        Neighbours are more than this many samples apart in time.

    Returns
    -------
    float64[most]
        From 0 to 1, Euclidean distance. The dimension is enough where next to none are left (Kennel: 1 %).
        The same ``n - most * lag`` points in every dimension. NaN where no point has a neighbour, and
        everywhere if a sample is not finite. Points that are equal are no neighbours.

    Notes
    -----
    O(n * n * most) time, 3 ms for 1000 samples and 8 dimensions, 12 ms for 2000; O(n) memory.

    References
    ----------
    .. [1] M. B. Kennel, R. Brown, H. D. I. Abarbanel, "Determining embedding dimension for phase-space
       reconstruction using a geometrical construction", Physical Review A 45, 1992.

    Examples
    --------
    >>> x = np.empty(500); x[:2] = 0.1
    >>> for i in range(498): x[i + 2] = 1.0 - 1.4 * x[i + 1] ** 2 + 0.3 * x[i]
    >>> [round(float(share), 2) for share in false_neighbours(x, 3, 1, 2)]
    [0.57, 0.0, 0.0]
    """
    out = np.full(most, np.nan)
    count = len(x) - most * lag
    if most < 1 or lag < 1 or theiler < 0 or count < theiler + 2 or not np.isfinite(x).all():
        return out
    false, seen = np.zeros(most, np.int64), np.zeros(most, np.int64)
    squares = np.empty(count)
    bits = squares.view(np.int64)
    far = (_FAR * np.std(x)) ** 2
    least = np.array([max((_EQUAL * np.abs(x).max()) ** 2, np.finfo(np.float64).tiny)])
    zero = least.view(np.int64)[0]
    for i in range(count):
        squares[:] = 0.0
        for d in range(most):
            coordinate = x[d * lag : d * lag + count]
            here = coordinate[i]
            for j in range(count):
                gap = coordinate[j] - here
                squares[j] += gap * gap
            found = nearest(bits, i, theiler, zero)
            if found >= 0:
                gap = x[i + (d + 1) * lag] - x[found + (d + 1) * lag]
                seen[d] += 1
                stretched = gap * gap > _STRETCH * _STRETCH * squares[found]
                false[d] += stretched or squares[found] + gap * gap > far
    for d in range(most):
        if seen[d]:
            out[d] = false[d] / seen[d]
    return out
