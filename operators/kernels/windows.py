"""Patterns found in a stream by their form, whatever its level and scale: z-normalised windows under DTW.

Strategy. The last samples of a lane, as many as the pattern has, are scaled to mean 0 and deviation 1 and
compared under a warping band. Most windows are ruled out by bounds that cost less: LB_Kim looks at both
ends, LB_Keogh adds up how far the window leaves the pattern's envelope, and what is left of that sum lets
the warping itself be given up row by row. Mean and deviation are computed anew from the samples kept, in
two passes: sums that are carried along drift.

Exact over all windows of the pattern's length, and over these only. SPRING (``operators.kernels.spring``)
is exact over subsequences of any length because a path may begin anywhere at no cost; with a mean and
deviation for each beginning that is no longer so, and nothing that costs a column a sample is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["HELD", "PATTERN", "SERIES", "Library", "is_flat", "prepared", "windows_update"]

_FLAT = 1e-9  # of the root mean square: less is what rounding makes of a constant
_SLACK = 1.0 + 1e-9  # a bound and the distance it bounds are rounded apart, 4,096 terms by 1e-12 at most

PATTERN = np.dtype([("length", "<i8"), ("cell", "<i8"), ("radius", "<i8"), ("most", "<f8")])
"""How many values it has, where they begin, how far it may be warped, and the largest distance of a match."""
SERIES = np.dtype([("signal", "<i8"), ("pattern", "<i8"), ("low", "<i8")])
"""A signal, its first pattern, and where its samples begin among those kept of a lane."""
HELD = np.dtype([("distance", "<f8"), ("begin", "<i8"), ("stop", "<i8"), ("left", "<i4"), ("wait", "<i4")])
"""The match to be reported, if `distance` is finite, and after how many more samples; and how many samples
are to come before the first window is full."""


class Library(NamedTuple):
    """Patterns as the kernel reads them. Of a lane, as many samples are kept as the last `low` says."""

    shapes: NDArray[np.float64]
    """``[3, cells]``: normalised patterns one after the other, and their upper and lower envelope."""
    patterns: NDArray[np.void]
    """PATTERN."""
    series: NDArray[np.void]
    """SERIES, one more than there are signals."""


def is_flat(values: Sequence[float]) -> bool:
    """Whether values are constant but for rounding, or too large or too small to say: they have no form.

    >>> is_flat([0.1, 0.1, 0.1]), is_flat([1e-5, 0.0])
    (True, False)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = float(np.mean(values)), float(np.var(values))
    return not _FLAT * _FLAT * (mean * mean + variance) < variance < np.inf


def prepared(
    values: Sequence[Sequence[float]], signals: Sequence[int], radii: Sequence[int], within: Sequence[float]
) -> Library:
    """A library of patterns that are ordered by signal and, within a signal, shortest first.

    Parameters
    ----------
    values, signals, radii, within
        Of each pattern: what to look for, none of them flat, and in which series; the half-width of the
        Sakoe-Chiba band, in samples; and the largest squared distance per value.
    """
    shapes: list[NDArray[np.float64]] = [np.empty((3, 0))]
    patterns: list[tuple[int, int, int, float]] = []
    series: list[tuple[int, int, int]] = []
    cell = low = 0
    for p, each in enumerate(values):
        m = len(each)
        if not p or signals[p] != signals[p - 1]:
            low += len(values[p - 1]) if p else 0
            series.append((signals[p], p, low))
        form = (np.array(each, np.float64) - np.mean(each)) / np.std(each)
        radius = min(radii[p], m - 1)
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(form, radius, constant_values=np.nan), 2 * radius + 1
        )
        shapes.append(np.stack([form, np.nanmax(around, axis=1), np.nanmin(around, axis=1)]))
        patterns.append((m, cell, radius, within[p] * m))
        cell += m
    series.append((-1, len(values), low + (len(values[-1]) if len(values) else 0)))
    return Library(np.concatenate(shapes, axis=1), np.array(patterns, PATTERN), np.array(series, SERIES))


@kernel
def windows_update(
    samples: NDArray[np.void],
    shapes: NDArray[np.float64],
    patterns: NDArray[np.void],
    series: NDArray[np.void],
    recent: NDArray[np.float64],
    recent_begin: NDArray[np.int32],
    held: NDArray[np.void],
    room: NDArray[np.float64],
    tally: NDArray[np.int64],
    matches: NDArray[np.void],
) -> int:
    """Compare the window that each sample completes with all patterns, and report disjoint best matches.

    A window matches when its DTW distance to the pattern, both normalised, is at most ``most``. Of
    matching windows that overlap the nearest is reported, once none that overlaps it can come any more; of
    two that are as near but for rounding, either. A window whose deviation is
    zero but for rounding has no form and matches nothing.

    Parameters
    ----------
    samples : SAMPLE[n]
        Oldest first, the whole table and read-only, so that there is one type to compile for. A value that
        is not finite is no measurement and is passed over.
    shapes, patterns, series
        A :class:`Library`.
    recent, recent_begin : float64[rows, kept], int32[rows, kept]
        The last samples of each series, the newest last, and the character at which each begins. Modified.
    held : HELD[rows, patterns]
        In a new lane ``inf`` as distance and the pattern's length as ``wait``. Modified.
    room : float64[4, longest + 1]
        Room to work. Modified.
    tally : int64[4]
        Windows compared, and how many of them LB_Kim, LB_Keogh and the warping gave up. Modified.
    matches : MATCH[n * patterns of the signal that has most]
        As ``operators.kernels.spring`` defines it. Modified: as many rows as there are matches; by series,
        then by sample, then by pattern.

    Returns
    -------
    int
        How many matches there are.

    Notes
    -----
    A sample costs O(length) for each length that patterns have, and for each pattern between O(1) and
    O(length * radius): for 128 and a radius of 13, 0.5 us on random walks, 1.2 on noise. No allocation.

    References
    ----------
    .. [1] T. Rakthanmanon et al., "Searching and mining trillions of time series subsequences under dynamic
       time warping", KDD 2012.
    .. [2] E. Keogh and C. A. Ratanamahatana, "Exact indexing of dynamic time warping", KAIS 7(3), 2005.
    """
    count = 0
    for s in range(len(series) - 1):
        low, high = series[s]["low"], series[s + 1]["low"]
        for k in range(len(samples)):
            value = samples[k]["value"]
            if samples[k]["signal"] != series[s]["signal"] or not np.isfinite(value):
                continue
            row = samples[k]["row"]
            kept, begins = recent[row, low:high], recent_begin[row, low:high]
            _push(kept, begins, value, samples[k]["begin"])
            scaled, has_form = 0, False
            for p in range(series[s]["pattern"], series[s + 1]["pattern"]):
                pattern, best = patterns[p], held[row, p]
                if best["wait"] > 0:
                    best["wait"] -= 1
                if best["wait"] > 0:
                    continue
                m = pattern["length"]
                if m != scaled:
                    scaled, has_form = m, _scale(kept[len(kept) - m :], room[0])
                if best["distance"] < np.inf:
                    best["left"] -= 1
                if has_form:
                    cutoff = min(pattern["most"], best["distance"])
                    distance = _distance(shapes, pattern, cutoff, room, tally)
                    if distance <= cutoff and distance < best["distance"]:
                        best["distance"], best["left"] = distance, m - 1
                        best["begin"], best["stop"] = begins[len(begins) - m], samples[k]["stop"]
                if best["distance"] < np.inf and best["left"] == 0:
                    match = matches[count]
                    match["sample"], match["pattern"], match["value"] = k, p, best["distance"] / m
                    match["begin"], match["stop"] = best["begin"], best["stop"]
                    count += 1
                    best["distance"] = np.inf
    return count


@inner
def _push(kept: NDArray[np.float64], begins: NDArray[np.int32], value: float, begin: int) -> None:
    """One more sample: the oldest goes. Moved, not a ring: a window is read far more often in one piece."""
    for i in range(np.uint64(len(kept) - 1)):
        kept[i] = kept[i + np.uint64(1)]
        begins[i] = begins[i + np.uint64(1)]
    kept[len(kept) - 1], begins[len(begins) - 1] = value, begin


@inner
def _scale(window: NDArray[np.float64], out: NDArray[np.float64]) -> bool:
    """The window with mean 0 and deviation 1, in `out`; or False, where it has no form."""
    mean = 0.0
    for i in range(len(window)):
        mean += window[i]
    mean /= len(window)
    variance = 0.0
    for i in range(len(window)):
        out[i] = window[i] - mean
        variance += out[i] * out[i]
    variance /= len(window)
    if not _FLAT * _FLAT * (mean * mean + variance) < variance < np.inf:
        return False
    scale = 1.0 / np.sqrt(variance)
    for i in range(np.uint64(len(window))):
        out[i] *= scale
    return True


@inner
def _distance(
    shapes: NDArray[np.float64],
    pattern: Any,
    cutoff: float,
    room: NDArray[np.float64],
    tally: NDArray[np.int64],
) -> float:
    """Banded DTW distance of the window in ``room[0]``; if that is more than `cutoff`, any number that is."""
    m, first = pattern["length"], pattern["cell"]
    form = shapes[0, first : first + m]
    window, tail, limit = room[0, :m], room[1, : m + 1], cutoff * _SLACK
    tally[0] += 1
    start, end = window[0] - form[0], window[m - 1] - form[m - 1]
    if start * start + end * end > limit:
        tally[1] += 1
        return np.inf
    if _leaves(window, shapes[1, first : first + m], shapes[2, first : first + m], limit, tail):
        tally[2] += 1
        return np.inf
    for i in range(m - 1, -1, -1):
        tail[i] += tail[i + 1]
    distance = _warped(window, form, pattern["radius"], limit, tail, room[2], room[3])
    if distance > limit:
        tally[3] += 1
    return distance


@inner
def _leaves(
    window: NDArray[np.float64],
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    limit: float,
    apart: NDArray[np.float64],
) -> bool:
    """LB_Keogh: whether a window leaves an envelope by more than `limit`; in `apart`, by how much where."""
    total = 0.0
    for i in range(len(window)):
        gap = max(window[i] - upper[i], lower[i] - window[i], 0.0)
        apart[i] = gap * gap
        total += apart[i]
        if total > limit:
            return True
    apart[len(window)] = 0.0
    return False


@inner
def _warped(
    window: NDArray[np.float64],
    form: NDArray[np.float64],
    radius: int,
    limit: float,
    tail: NDArray[np.float64],
    above: NDArray[np.float64],
    row: NDArray[np.float64],
) -> float:
    """DTW distance, given up once the nearest path and the least that the rest takes exceed `limit`."""
    m = len(form)
    above[: m + 1], row[: m + 1] = np.inf, np.inf
    above[0] = 0.0
    for i in range(m):
        first, stop = max(0, i - radius), min(m, i + radius + 1)
        row[first] = np.inf
        left, nearest, diagonal = np.inf, np.inf, above[first]
        for j in range(first, stop):
            up = above[j + 1]
            older = diagonal if diagonal < up else up
            gap = window[i] - form[j]
            left = (left if left < older else older) + gap * gap
            row[j + 1] = left
            nearest = left if left < nearest else nearest
            diagonal = up
        if nearest + tail[i + 1] > limit:
            return np.inf
        above, row = row, above
    return float(above[m])
