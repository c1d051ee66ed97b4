"""How to embed a series: the delay, the window that keeps neighbours in time apart, the dimension.

Strategy. Each estimator of chaos asks for these three, and they are where its user goes wrong, so they come
from the series by rules that were chosen on known systems and are the same for all. The delay is the first
minimum of the mutual information, looked for only where coordinates are no longer nearly equal (the cells of
a clean wave make the information flicker from the start), and not taken if it is that of a later fold. The
window is the mean period of the spectrum: over 13 series it was never below the separation from which on
pairs are no closer than later ones (Provenzale's space-time separation), which the autocorrelation's zero
was twice, and a wider one costs few pairs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from operators.kernels.delay import first_minimum, mutual_information

__all__ = ["delay", "levelled", "mean_period", "unfolded"]

Series = NDArray[np.float64]

_NEARLY_EQUAL = 0.8
"""Autocorrelation above which coordinates are nearly the same one."""
_BINS = 32
_PAIRS = 5
"""Pairs of samples in a cell of the table, on average."""
_LATEST = 1.4
"""Times in which the autocorrelation falls to 1 / e, within which the first fold ends."""
_FALSE = 0.01
"""Share of false neighbours that is next to none."""
_LEVEL = 0.85
"""E1 at which distances have stopped to change."""
_LIKE_NOISE = 4.0
"""Deviations by which E2 may differ from 1 in noise."""


def delay(x: Series) -> int:
    """Samples between the coordinates of `x`: 0 if it does not say.

    One sample where neighbours are already correlated by less than 1 / e, as in a map. Else the first
    minimum of the mutual information, if there is one up to 1.4 times the time in which the
    autocorrelation falls to 1 / e, else that time; within a quarter of the series.

    :param x: float64[n], finite, not constant, of 20 samples or more.

    Cost: O(n log n + n * delay), 0.4 ms for 2000 samples of Lorenz at step 0.01.

    >>> delay(np.sin(np.arange(2000) * 2 * np.pi / 40) + np.sin(np.arange(2000) * 2 * np.pi / 24.7))
    8
    """
    correlation = _autocorrelation(x)[: max(len(x) // 4, 2)]
    forgotten = _first(correlation < 1 / math.e)
    latest = int(_LATEST * forgotten)
    bins = min(_BINS, math.isqrt(len(x) // _PAIRS))
    if latest < 2 or bins < 2:
        return forgotten
    begin = _first(correlation < _NEARLY_EQUAL)
    trembles = math.sqrt(2) * (bins - 1) / len(x)  # two deviations
    information = mutual_information(x, min(2 * latest, len(x) // 4), bins)[begin:]
    found = first_minimum(information, trembles)
    if 0 <= found <= latest - begin and information[found] > trembles:
        return begin + found
    return forgotten


def mean_period(x: Series) -> int:
    """Samples of a mean period of `x`, rounded up: 1 / mean frequency of its power spectrum (Rosenstein).

    :param x: float64[n], finite, not constant.

    >>> mean_period(np.sin(np.arange(1000) * 2 * np.pi / 40))
    40
    """
    power = np.abs(np.fft.rfft(x - x.mean())) ** 2
    frequencies = np.fft.rfftfreq(len(x))
    return math.ceil(float(power.sum()) / float(power @ frequencies) - 1e-6)


def unfolded(shares: Series) -> int:
    """The first dimension with next to no false neighbours, below 1 %; 0 if there is none.

    :param shares: What ``operators.kernels.false_neighbours`` gives.
    """
    return _first(np.concatenate(([False], shares < _FALSE)))


def levelled(e1: Series, e2: Series, points: int) -> int:
    """The first dimension in which E1 has come to 0.85; 0 if there is none, or E2 is that of noise in all.

    :param e1, e2: What ``operators.kernels.cao`` gives.
    :param points: Embedded points that they are means over.
    """
    known = e2[np.isfinite(e2)]
    if not len(known) or np.abs(known - 1.0).max() < _LIKE_NOISE / math.sqrt(max(points, 1)):
        return 0
    return _first(np.concatenate(([False], e1 >= _LEVEL)))


def _first(true: NDArray[np.bool_]) -> int:
    """Place of the first that holds; 0 if none does."""
    return int(true.argmax())


def _autocorrelation(x: Series) -> Series:
    deviations = x - x.mean()
    spectrum = np.fft.rfft(deviations, 2 * len(x))
    sums = np.fft.irfft(np.abs(spectrum) ** 2)[: len(x)]
    return np.asarray(sums / sums[0])
