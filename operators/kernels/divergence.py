"""What becomes of near neighbours: whether the one tells the other's future, and how fast they part.

Strategy. Embed the series in three coordinates, give each point its nearest neighbour in space that is
not one in time, and follow the pairs. The error of that prediction tells a law from noise, the growth
of their distance chaos from order: the method of ``operators.kernels.lyapunov``, at the price that a
stream can pay. One pass finds neighbours for both ends of a pair, and one logarithm serves eight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["PARTING", "follow_neighbours"]

Series = NDArray[np.float64]

PARTING = np.dtype(
    [
        ("soon", "<f8"),  # half the mean squared difference of pairs one sample ahead
        ("later", "<f8"),  # and one lag ahead, both as share of the variance
        ("growth", "<f8"),  # nats by which the pairs parted over a quarter of the series
        ("exponent", "<f8"),  # slope of that, nats per sample
    ]
)
_UNRELATED = 0.7
"""Mean logarithm of the distance of unrelated points in three standardised coordinates, about."""


@kernel
def follow_neighbours(
    windows: NDArray[np.float64], lags: NDArray[np.int64], out: NDArray[np.void], scratch: NDArray[np.float64]
) -> None:
    """Measure prediction and divergence in each window.

    Parameters
    ----------
    windows : float64[k, n]
        Standardised series (mean 0, variance 1), of 28 samples or more.
    lags : int64[k]
        Of the embedding, at most ``n // 14``.
    out : PARTING[k]
        Modified.
    scratch : float64[3, n]
        Room to work in. Modified.

    Notes
    -----
    O(k * n * n) time, 20 us for 128 samples.

    References
    ----------
    .. [1] M. T. Rosenstein, J. J. Collins, C. J. De Luca, "A practical method for calculating
       largest Lyapunov exponents from small data sets", Physica D 65, 1993.
    """
    for k in range(len(windows)):
        z, lag = windows[k], lags[k]
        usable = len(z) - 2 * lag - len(z) // 4
        nearest, curve = scratch[0, :usable], scratch[2]
        _pair(z, lag, nearest, scratch[1, :usable])
        out[k]["soon"] = _error(z, nearest, 2 * lag + 1)
        out[k]["later"] = _error(z, nearest, 3 * lag)
        _part(z, lag, nearest, curve)
        out[k]["growth"] = curve[len(z) // 4] - curve[0]
        out[k]["exponent"] = _slope(curve, lag, len(z) // 4)


@inner
def _pair(z: Series, lag: int, nearest: Series, best: Series) -> None:
    """For each of the first points its nearest neighbour more than a turn away in time, or -1."""
    best[:] = np.inf
    nearest[:] = -1
    usable = len(nearest)
    two, three = z[lag:], z[2 * lag :]
    for i in range(usable):
        for j in range(i + 1 + max(3, 2 * lag), usable):
            square = (z[i] - z[j]) ** 2 + (two[i] - two[j]) ** 2 + (three[i] - three[j]) ** 2
            if square < best[i]:
                best[i], nearest[i] = square, j
            if square < best[j]:
                best[j], nearest[j] = square, i


@inner
def _error(z: Series, nearest: Series, ahead: int) -> float:
    """Half the mean squared difference of the pairs, `ahead` of their first coordinate."""
    pairs = 0
    total = 0.0
    for i in range(len(nearest)):
        j = int(nearest[i])
        if j >= 0:
            pairs += 1
            total += (z[i + ahead] - z[j + ahead]) ** 2
    return 0.5 * total / max(pairs, 1)


@inner
def _part(z: Series, lag: int, nearest: Series, curve: Series) -> None:
    """Mean log distance of the pairs after 0, 1, 2 ... samples; equal points say nothing of it."""
    for k in range(len(z) // 4 + 1):
        one, two, three = z[k:], z[k + lag :], z[k + 2 * lag :]
        total = 0.0
        seen = 0
        product = 1.0
        for i in range(len(nearest)):
            j = int(nearest[i])
            if j >= 0:
                square = (one[i] - one[j]) ** 2 + (two[i] - two[j]) ** 2 + (three[i] - three[j]) ** 2
                if square > 1e-24:
                    product *= square
                    seen += 1
                    if seen % 8 == 0:
                        total += 0.5 * np.log(product)
                        product = 1.0
        curve[k] = (total + 0.5 * np.log(product)) / max(seen, 1)


@inner
def _slope(curve: Series, first: int, horizon: int) -> float:
    """Slope of the mean log distance until 60 % of its way to that of unrelated points."""
    end = curve[first] + 0.6 * (_UNRELATED - curve[first])
    last = min(first + 2, horizon)
    while last < horizon and curve[last] < end:
        last += 1
    centre = 0.5 * (first + last)
    product = square = 0.0
    for k in range(first, last + 1):
        product += (k - centre) * curve[k]
        square += (k - centre) ** 2
    return product / square
