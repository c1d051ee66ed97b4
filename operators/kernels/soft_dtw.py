"""Soft-DTW: dynamic time warping with a minimum that is smooth, for use as a loss.

Strategy. The recurrence of DTW with a soft minimum, one row of memory. Each cell takes three exponentials and
a logarithm, so there is nothing to gain from anti-diagonals without vectors of those: some 50 ns a cell,
where plain DTW takes 0.3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating

__all__ = ["soft_dtw"]


@allocating
def soft_dtw(x: NDArray[np.float64], y: NDArray[np.float64], gamma: float) -> float:
    r"""Soft-DTW discrepancy of `x` and `y`, cost squared.

    .. math:: R_{i,j} = (x_i - y_j)^2 - \gamma \log \sum_{r} e^{-r / \gamma},
              \quad r \in \{R_{i-1,j-1}, R_{i-1,j}, R_{i,j-1}\}

    Parameters
    ----------
    x, y : float64[n], float64[m]
        The two series, in the same unit.
    gamma : float
        How soft the minimum is, in squared units of the series, above 0; towards 0 it is DTW.

    Returns
    -------
    float
        At most the DTW distance, and below 0 for series that are alike; 0 for two empty series, ``inf``
        when one is empty, NaN when a value is not finite.

    Notes
    -----
    O(n * m) time, O(m) memory.

    References
    ----------
    .. [1] M. Cuturi and M. Blondel, "Soft-DTW: a differentiable loss function for time-series", ICML 2017.
    """
    n, m = len(x), len(y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.nan
    row = np.full(m + 1, np.inf)
    row[0] = 0.0
    for i in range(n):
        corner, left = row[0], np.inf
        row[0] = np.inf
        for j in range(m):
            up = row[j + 1]
            least = min(corner, up, left)
            total = (
                math.exp((least - corner) / gamma)
                + math.exp((least - up) / gamma)
                + math.exp((least - left) / gamma)
            )
            gap = x[i] - y[j]
            left = gap * gap + least - gamma * math.log(total)
            row[j + 1] = left
            corner = up
    return float(row[m])
