"""Sample entropy over a stream: how surely a stretch that resembles another is followed alike.

Strategy. It is a matter of two counts, the pairs of templates that match over `dim` samples and those that
still match with one more. With a sample one template enters and one leaves: each is compared with all others,
coordinate by coordinate, in vectors over a row of flags. The counts are whole numbers, so what is kept up is
what a batch would count, for ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["follow_templates"]


@kernel
def follow_templates(
    rows: NDArray[np.int32],
    places: NDArray[np.int64],
    series: NDArray[np.float64],
    radii: NDArray[np.float64],
    size: int,
    dim: int,
    matches: NDArray[np.int64],
    started: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    entropies: NDArray[np.float64],
) -> None:
    r"""Sample entropy of the window of each sample.

    .. math:: \ln \frac{B}{A}

    with B pairs of different templates whose first `dim` samples differ by at most the radius, one by one,
    and A those of them whose next sample does so as well; ``size - dim`` templates for both.

    Parameters
    ----------
    rows, places, series, radii : int32[n], int64[n], float64[m], float64[n]
        Lane, window and radius of each sample (``operators.kernels.dynamics``).
    size, dim : int
        Samples of a window, more than ``dim + 1``; samples of a template, 1 or more.
    matches, started : int64[rows, 2], uint8[rows]
        B and A of each lane, and whether they are those of its last window. Modified.
    flags : uint8[size]
        Room to work. Modified.
    entropies : float64[n]
        Written: nats; NaN where there is no window or no radius, no match over ``dim + 1``, or the
        window is constant.

    Notes
    -----
    O(size * dim) a sample, O(size * size * dim) with the first window of a lane. Equal to the batch.

    References
    ----------
    .. [1] J. S. Richman, J. R. Moorman, "Physiological time-series analysis using approximate entropy and
       sample entropy", American Journal of Physiology 278, 2000.
    """
    count = size - dim
    for k in range(len(rows)):
        entropies[k] = np.nan
        if radii[k] == 0.0:
            continue
        counts = matches[rows[k]]
        if started[rows[k]]:
            x = series[places[k] - size - 1 : places[k]]
            _count(x, 0, x[1:], dim, radii[k], flags[: count - 1], counts, -1)
            _count(x, count, x[1:], dim, radii[k], flags[: count - 1], counts, 1)
        else:
            x = series[places[k] - size : places[k]]
            counts[:] = 0
            for i in range(1, count):
                _count(x, i, x, dim, radii[k], flags[:i], counts, 1)
            started[rows[k]] = 1
        if counts[1] and (counts[1] < counts[0] or _varies(series[places[k] - size : places[k]])):
            entropies[k] = np.log(counts[0] / counts[1])


@inner
def _count(
    x: NDArray[np.float64],
    i: int,
    others: NDArray[np.float64],
    dim: int,
    radius: float,
    flags: NDArray[np.uint8],
    counts: NDArray[np.int64],
    sign: int,
) -> None:
    """Add or take the matches of the template at `i` with the first of `others`, as many as flags."""
    flags[:] = 1
    for d in range(dim + 1):
        if d == dim:
            counts[0] += sign * _sum(flags)
        _keep_near(x[i + d], others[d:], radius, flags)
    counts[1] += sign * _sum(flags)


@inner
def _keep_near(value: float, others: NDArray[np.float64], radius: float, flags: NDArray[np.uint8]) -> None:
    """Clear the flags of those of `others` that are further than `radius` from `value`."""
    for j in range(len(flags)):
        flags[j] &= np.uint8(abs(others[j] - value) <= radius)


@inner
def _sum(flags: NDArray[np.uint8]) -> int:
    """The sum of bytes. In 32 bits, which is twice as fast as in 64."""
    total = np.int32(0)
    for j in range(len(flags)):
        total = np.int32(total + np.int32(flags[j]))
    return int(total)


@inner
def _varies(x: NDArray[np.float64]) -> bool:
    i = 1
    while i < len(x) and x[i] == x[0]:
        i += 1
    return i < len(x)
