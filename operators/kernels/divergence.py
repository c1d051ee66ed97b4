"""What becomes of near neighbours: whether the one tells the other's future, and how fast they part.

Strategy. Embed the series in four coordinates, give each point its nearest neighbour in space that is
not one in time, and follow the pairs. The error of that prediction tells a law from noise, the growth
of their distance chaos from order: the method of ``operators.kernels.lyapunov``, at the price that a
stream can pay. In a short window of a map four coordinates leave no neighbour near enough, so where the
series has no memory to speak of, two are tried as well. Each point is offered to all others at once, which
is a loop without a carried sum and so one of vectors; and one logarithm serves eight distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["PARTING", "follow_neighbours"]

Series = NDArray[np.float64]

PARTING = np.dtype(
    [
        ("soon", "<f8"),  # how much pairs differ one sample ahead: 0 not at all, 1 as if unrelated
        ("later", "<f8"),  # one lag ahead
        ("mapped", "<f8"),  # one sample ahead, of pairs near in two coordinates; 1 where nobody looked
        ("far", "<f8"),  # about a quarter of the series ahead
        ("growth", "<f8"),  # nats by which the pairs parted until then
        ("exponent", "<f8"),  # slope of that, nats per sample; NaN where nobody looked
    ]
)
_UNRELATED = 0.85
"""Mean logarithm of the distance of unrelated points in four standardised coordinates, about."""
_MAP = 4
"""Lags up to which a series may be that of a map."""
_FAR = 4
"""How many distances the distant future is the mean of, a lag apart: one alone may be a near-return."""
_KNOWN = 0.6
"""Errors above this are those of noise, whatever the linear prediction leaves."""


@kernel
def follow_neighbours(
    windows: NDArray[np.float64], lags: NDArray[np.int64], out: NDArray[np.void], scratch: NDArray[np.float64]
) -> None:
    """Measure prediction and divergence in each window.

    Parameters
    ----------
    windows : float64[k, n]
        Standardised series (mean 0, variance 1), of 32 samples or more.
    lags : int64[k]
        Of the embedding, at most ``n // 14``.
    out : PARTING[k]
        Modified.
    scratch : float64[4, n]
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
        horizon = len(z) // 4
        usable = len(z) - 3 * lag - horizon
        nearest = scratch[0, :usable]
        _pair(z, 4, lag, nearest, scratch[1, :usable], scratch[2, :usable])
        soon, later = _error(z, nearest, 3 * lag + 1), _error(z, nearest, 4 * lag)
        far = growth = 0.0
        for back in range(_FAR):
            ahead = horizon - back * min(lag, horizon // (2 * _FAR))
            far += _error(z, nearest, ahead + 2 * lag) / _FAR
            growth += _apart(z, lag, nearest, ahead) / _FAR
        growth -= _apart(z, lag, nearest, 0)
        mapped, exponent = 1.0, np.nan
        if later < _KNOWN and growth > 0.0:
            exponent = _slope(z, lag, nearest, scratch[3, : horizon + 1])
        if later > 0.5 * _KNOWN and lag <= _MAP:
            _pair(z, 2, 1, nearest, scratch[1, :usable], scratch[2, :usable])
            mapped = _error(z, nearest, 2)
            if mapped < _KNOWN and growth > 0.0:
                exponent = _slope(z, 1, nearest, scratch[3, : horizon + 1])
        out[k]["soon"] = soon
        out[k]["later"] = later
        out[k]["mapped"] = mapped
        out[k]["far"] = far
        out[k]["growth"] = growth
        out[k]["exponent"] = exponent


@inner
def _pair(z: Series, dim: int, lag: int, nearest: Series, best: Series, square: Series) -> None:
    """For each of the first points its nearest neighbour more than a turn away in time, or -1."""
    apart = max(3, 2 * lag)
    best[:] = np.inf
    nearest[:] = -1.0
    for i in range(len(nearest)):
        square[:] = 0.0
        for d in range(dim):
            here, there = z[i + d * lag], z[d * lag :]
            for j in range(len(square)):
                square[j] += (there[j] - here) ** 2
        square[max(0, i - apart) : i + apart + 1] = np.inf
        for j in range(len(square)):
            closer = square[j] < best[j]
            best[j] = square[j] if closer else best[j]
            nearest[j] = i if closer else nearest[j]


@inner
def _error(z: Series, nearest: Series, ahead: int) -> float:
    """1 minus the concordance of the pairs, `ahead` of their first coordinate.

    By the variance of the pairs and not that of the series: the neighbours are not a fair sample. In noise
    with heavy tails hardly any of them is an outlier, and to be never so far off is no knowledge.
    """
    pairs = 0
    apart = square = total = 0.0
    for i in range(len(nearest)):
        j = int(nearest[i])
        if j >= 0:
            one, other = z[i + ahead], z[j + ahead]
            pairs += 1
            apart += (one - other) ** 2
            square += one * one + other * other
            total += one + other
    spread = square - 0.5 * total * total / max(pairs, 1)
    return float(apart / spread) if spread > 0.0 else 0.0


@inner
def _apart(z: Series, lag: int, nearest: Series, ahead: int) -> float:
    """Mean log distance of the pairs, `ahead` of where they were near; equal points say nothing of it."""
    one, two = z[ahead:], z[ahead + lag :]
    three, four = z[ahead + 2 * lag :], z[ahead + 3 * lag :]
    total = 0.0
    seen = 0
    product = 1.0
    for i in range(len(nearest)):
        j = int(nearest[i])
        if j >= 0:
            square = (one[i] - one[j]) ** 2 + (two[i] - two[j]) ** 2
            square += (three[i] - three[j]) ** 2 + (four[i] - four[j]) ** 2
            if square > 1e-24:
                product *= square
                seen += 1
                if seen % 8 == 0:
                    total += 0.5 * np.log(product)
                    product = 1.0
    return float((total + 0.5 * np.log(product)) / max(seen, 1))


@inner
def _slope(z: Series, lag: int, nearest: Series, curve: Series) -> float:
    """Slope of the mean log distance, from a lag on, until 60 % of its way to that of unrelated points."""
    curve[lag] = _apart(z, lag, nearest, lag)
    end = curve[lag] + 0.6 * (_UNRELATED - curve[lag])
    last = lag
    while last < len(curve) - 1 and (last < lag + 2 or curve[last] < end):
        last += 1
        curve[last] = _apart(z, lag, nearest, last)
    centre = 0.5 * (lag + last)
    product = square = 0.0
    for k in range(lag, last + 1):
        product += (k - centre) * curve[k]
        square += (k - centre) ** 2
    return product / square
