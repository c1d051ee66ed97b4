"""Cao's embedding dimension: by how much nearest neighbours part when one more dimension is looked at.

Strategy. No threshold says when a neighbour is false; the mean ratio of the distances before and after is
followed over the dimensions, and stops changing where the attractor is unfolded. As with false neighbours the
distances of a point to all others stay in a row and one more dimension is one more loop over it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating
from operators.kernels.nearest import nearest

__all__ = ["cao"]

_BUILT_ON = 0x90786C4C
"""CRC-32 of nearest.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_cao.py`` tells the number)."""
_EQUAL = 1e-12
"""Points closer than this share of the largest values differ by rounding."""


@allocating
def cao(
    x: NDArray[np.float64], most: int, lag: int, theiler: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Cao's E1 and E2 for 1, 2 ... `most` dimensions.

    .. math:: E_1(d) = \frac{E(d + 1)}{E(d)}, \quad
              E(d) = \left\langle \frac{\|X^{d+1}_i - X^{d+1}_{j(i, d)}\|}{\|X^d_i - X^d_{j(i, d)}\|}
              \right\rangle_i

    with j(i, d) the nearest neighbour in d dimensions, maximum norm. E2 is the same ratio of the mean
    distances of the next coordinates alone.

    Parameters
    ----------
    x : float64[n]
        The series, equally spaced.
    most : int
        The largest dimension.
    lag : int
        Samples between coordinates.
    theiler : int
        Neighbours are more than this many samples apart in time; Cao: 0.

    Returns
    -------
    E1, E2 : float64[most]
        E1 comes to stay near 1 one dimension before the attractor is unfolded. E2 is 1 in every dimension for
        independent noise, and differs from 1 in some dimension where there is a law. NaN where there are
        no neighbours or they do not part at all, and everywhere if a sample is not finite. Points that
        are equal are no neighbours.

    Notes
    -----
    O(n * n * most) time, 3 ms for 1000 samples and 8 dimensions, 13 ms for 2000; O(n) memory.
    The same ``n - (most + 1) * lag`` points in every dimension.

    References
    ----------
    .. [1] L. Cao, "Practical method for determining the minimum embedding dimension of a scalar time series",
       Physica D 110, 1997.

    Examples
    --------
    >>> x = np.empty(500); x[:2] = 0.1
    >>> for i in range(498): x[i + 2] = 1.0 - 1.4 * x[i + 1] ** 2 + 0.3 * x[i]
    >>> [round(float(ratio), 2) for ratio in cao(x, 3, 1, 0)[0]]
    [0.0, 0.98, 0.99]
    """
    e1, e2 = np.full(most, np.nan), np.full(most, np.nan)
    count = len(x) - (most + 1) * lag
    if most < 1 or lag < 1 or theiler < 0 or count < theiler + 2 or not np.isfinite(x).all():
        return e1, e2
    seen = np.zeros(most + 1, np.int64)
    ratios, gaps = np.zeros(most + 1), np.zeros(most + 1)
    distances = np.empty(count)
    bits = distances.view(np.int64)
    least = np.array([max(_EQUAL * np.abs(x).max(), np.finfo(np.float64).tiny)])
    zero = least.view(np.int64)[0]
    for i in range(count):
        distances[:] = 0.0
        for d in range(most + 1):
            coordinate = x[d * lag : d * lag + count]
            here = coordinate[i]
            for j in range(count):
                gap = abs(coordinate[j] - here)
                distances[j] = gap if gap > distances[j] else distances[j]
            found = nearest(bits, i, theiler, zero)
            if found >= 0:
                gap = abs(x[i + (d + 1) * lag] - x[found + (d + 1) * lag])
                seen[d] += 1
                ratios[d] += max(gap / distances[found], 1.0)
                gaps[d] += gap
    for d in range(most):
        if seen[d] and seen[d + 1]:
            e1[d] = ratios[d + 1] / seen[d + 1] / (ratios[d] / seen[d])
            if gaps[d] > 0.0:
                e2[d] = gaps[d + 1] / seen[d + 1] / (gaps[d] / seen[d])
    return e1, e2
