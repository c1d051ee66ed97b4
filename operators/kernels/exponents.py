"""The largest Lyapunov exponent of each of many windows, from the curves that were kept up for them.

Strategy. Where a curve is a line is asked of ``operators.kernels.growth``, so that an exponent means the
same in a stream and in a batch. What that must know of the window is measured here, in vectors: the distance
of unrelated points over the same list of pairs, made once, with one logarithm for all (the exponents of the
squares are added, the rest is multiplied, which for a few hundred numbers below 2 stays in range), and the
correlation time no further than it counts. Sums and products are folded in halves, because the order of a
running sum would forbid vectors.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel
from operators.kernels.growth import fit

__all__ = ["fit_curves", "unrelated"]

_BUILT_ON = 0xA5DC1F16
"""CRC-32 of growth.py, so that this file changes with that one, and numba takes no old machine code from
its cache (``tests/kernels/test_exponents.py`` tells the number)."""

Series = NDArray[np.float64]

_PAIRS = 300
_LN2 = math.log(2.0)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)
"""The bits of 1.0."""
_TINY = np.int64(0x0010000000000000)
"""And of the least normal number: a square below it counts as zero."""


def unrelated(usable: int) -> NDArray[np.uint64]:
    """Pairs of places below `usable` that ``growth.saturation`` measures, uint64[2, pairs]."""
    k = np.arange(_PAIRS)
    places = [k * ratio % 1.0 * usable for ratio in (0.7548776662466927, 0.5698402909980532)]
    return np.array(places).astype(np.uint64)


@kernel
def fit_curves(
    places: NDArray[np.int64],
    series: Series,
    shape: NDArray[np.int64],
    pairs: NDArray[np.uint64],
    curves: Series,
    scratch: Series,
    exponents: Series,
) -> None:
    """Largest Lyapunov exponent of the window of each sample.

    Parameters
    ----------
    places, series : int64[n], float64[m]
        Window of each sample (``operators.kernels.dynamics``).
    shape : int64[5]
        Samples of a window, dim, lag, theiler, steps.
    pairs : uint64[2, p]
        :func:`unrelated` of ``window - (dim - 1) * lag - steps``.
    curves : float64[n, steps + 1]
        Mean log distance of neighbours (``operators.kernels.neighbours``).
    scratch : float64[2, max(window, p)]
        Room to work. Modified.
    exponents : float64[n]
        Written: nats a sample; NaN where there is no window, or a curve has a NaN.

    Notes
    -----
    O(p * dim + window * c) a sample, with the correlation time c, `steps` at most.
    """
    size, dim, lag, steps = shape[0], shape[1], shape[2], shape[4]
    for k in range(len(places)):
        exponents[k] = np.nan
        curve = curves[k]
        if places[k] and _is_finite(curve):
            x = series[places[k] - size : places[k]]
            correlation = _correlation_time(x, min(steps, size // 2), scratch[0, :size], scratch[1])
            saturation = _saturation(x, dim, lag, pairs, scratch[0, : pairs.shape[1]], scratch[1])
            exponents[k], _, _ = fit(curve, correlation, saturation)


@inner
def _is_finite(curve: Series) -> bool:
    finite = True
    for s in range(len(curve)):
        finite &= np.isfinite(curve[s])
    return finite


@inner
def _correlation_time(x: Series, most: int, deviations: Series, products: Series) -> int:
    """Samples until the autocorrelation falls below 1 / e, `most` at most."""
    n = len(x)
    for i in range(n):
        deviations[i] = products[i] = x[i] - x[0]
    mean = _sum(products[:n]) / n
    for i in range(n):
        deviations[i] -= mean
    _multiply(deviations, deviations, products[:n])
    enough = _sum(products[:n]) / n / np.e
    for p in range(1, most):
        _multiply(deviations, deviations[p:], products[: n - p])
        if _sum(products[: n - p]) / (n - p) < enough:
            return p
    return most


@inner
def _saturation(
    x: Series, dim: int, lag: int, pairs: NDArray[np.uint64], squares: Series, rests: Series
) -> float:
    """Mean log distance of the pairs; a distance of zero is not counted, and infinity if all are."""
    squares[:] = 0.0
    for d in range(dim):
        _add_squares(x[d * lag :], pairs[0], pairs[1], squares)
    return _mean_logarithm(
        squares.view(np.int64), rests[: len(squares)], rests[: len(squares)].view(np.int64)
    )


@inner
def _add_squares(x: Series, ones: NDArray[np.uint64], others: NDArray[np.uint64], squares: Series) -> None:
    for k in range(len(squares)):
        gap = x[ones[k]] - x[others[k]]
        squares[k] += gap * gap


@inner
def _mean_logarithm(bits: NDArray[np.int64], rests: Series, rest_bits: NDArray[np.int64]) -> float:
    """Half the mean of the logarithms of squares, given as their bits."""
    seen = np.int64(0)
    exponents = np.int64(0)
    for k in range(len(bits)):
        seen += np.int64(bits[k] >= _TINY)
        exponents += (bits[k] >> 52) - 1023 if bits[k] >= _TINY else 0
    for k in range(len(bits)):
        rest_bits[k] = (bits[k] & _MANTISSA) | _ONE if bits[k] >= _TINY else _ONE
    return 0.5 * (exponents * _LN2 + np.log(_product(rests))) / seen if seen else np.inf


@inner
def _multiply(one: Series, other: Series, products: Series) -> None:
    for i in range(len(products)):
        products[i] = one[i] * other[i]


@inner
def _sum(values: Series) -> float:
    """The sum of `values`, which are used up."""
    count = len(values)
    while count > 1:
        half = count // 2
        upper = values[count - half : count]
        for i in range(half):
            values[i] += upper[i]
        count -= half
    return float(values[0])


@inner
def _product(values: Series) -> float:
    """The product of `values`, which are used up."""
    count = len(values)
    while count > 1:
        half = count // 2
        upper = values[count - half : count]
        for i in range(half):
            values[i] *= upper[i]
        count -= half
    return float(values[0])
