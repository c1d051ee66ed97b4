"""ADWIN: a window that grows while its mean stays, and an alarm when two parts of it disagree.

Strategy. The window is kept as an exponential histogram: a few buckets of one sample each, a few of two, of
four and so on, the youngest smallest, so a window of n samples takes O(log n) memory and has O(log n) places
to cut at. Every few samples each cut is tried; where the means of the two sides are farther apart than
chance allows, the most telling cut is where the change began. The paper then shortens the window until its
parts agree; here, as in river's detector, a lane begins anew behind an alarm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["ADWIN", "BUCKET", "LEVELS", "MOST", "adwin", "shape"]

_Int = int | np.signedinteger[Any]

ADWIN = np.dtype(
    [
        ("side", "i8"),  # of the alarm: 1 up, -1 down, 0 none
        ("changed", "i8"),  # begin of the first sample of the change
        ("before", "f8"),  # mean value up to there, and from there on
        ("after", "f8"),
        ("count", "i8"),  # samples so far
        ("total", "f8"),  # of their values
        ("tested", "i8"),  # scores so far
        ("width", "i8"),  # of the window: scores ...
        ("sum", "f8"),  # ... their sum
        ("spread", "f8"),  # ... the squares of their deviations
        ("kept", "f8"),  # ... the total of their values
        ("levels", "i8"),  # of buckets in use
        ("fill", "i8", (16,)),  # buckets of each
    ],
    align=True,
)
"""One lane but its buckets, 224 bytes. A new one is zero."""

BUCKET = np.dtype(
    [
        ("sum", "f8"),  # of its scores
        ("spread", "f8"),  # the squares of their deviations
        ("total", "f8"),  # of its values
        ("begin", "i8"),  # of its first sample
    ],
    align=True,
)
"""One bucket, 32 bytes. In level 3, the fourth, it stands for eight samples."""


LEVELS, MOST = 12, 5
"""Levels and buckets of each that a lane has: a window of 20,475 samples at most."""


_CLOCK, _SHORTEST = 4.0, 5.0
_RATES = np.array([4.5e-7, 2.55e-6, 1.22e-5, 5.92e-5, 3.97e-4, 2.64e-3])
_DELTAS = np.array([0.01, 0.03, 0.1, 0.3, 1.0, 2.5])
"""False alarms a sample that were measured with each delta, over scores that are even on 0 to 1
(``benches.bench_drift learn``, 20 million samples in lanes of 20,000)."""


def shape(false_alarm: float) -> NDArray[np.float64]:
    """What :func:`adwin` needs for `false_alarm` expected false alarms a sample, 1e-6 to 2e-3: float64[3].

    The bound of the paper is far from sharp: with a delta of 0.1 one look in 20,000 gives a false alarm. So
    delta is taken from what was measured, and is no probability here: it can exceed 1. Only for scores
    between 0 and 1 of which all of that interval is equally likely.
    """
    delta = np.exp(np.interp(np.log(false_alarm), np.log(_RATES), np.log(_DELTAS)))
    return np.array([delta, _CLOCK, _SHORTEST])


@kernel
def adwin(
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
    values: NDArray[np.float64],
    begins: NDArray[np.int64],
    shape: NDArray[np.float64],
    lanes: NDArray[np.void],
    buckets: NDArray[np.void],
    places: NDArray[np.int64],
) -> int:
    """Advance all lanes by the samples of a packet, and report those whose window has parts that disagree.

    Parameters
    ----------
    rows, scores, values, begins : int32[n], float64[n], float64[n], int64[n]
        The samples, oldest first: lane, what is tested, what is averaged for the report, first character.
        A score that is not finite is not tested; a value that is not finite is no sample.
    shape : float64[3]
        ``delta``, the chance that a look at a window without a change finds one (an upper bound for
        scores between 0 and 1); samples from one look to the next; samples of the shortest side of a cut.
    lanes, buckets : ADWIN[rows], BUCKET[rows, levels, m + 1]
        Up to 16 levels, `m` buckets each; what a full last level cannot take is forgotten. Modified. A lane
        with an alarm rests: until it is a new one, its samples are passed by.
    places : int64[n]
        The samples that raised an alarm. Modified.

    Returns
    -------
    int
        How many alarms there are, one of a lane at most.

    Notes
    -----
    A look is O(levels * m). The bound is that of the paper where the
    shortest side is 1; longer ones count as many samples less, as in MOA and river, whose alarms these are.

    References
    ----------
    .. [1] A. Bifet, R. Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007:
       ADWIN2.
    .. [2] M. Datar et al., "Maintaining stream statistics over sliding windows", SIAM J. Comput. 31, 2002:
       exponential histograms.
    """
    found = 0
    delta, clock, shortest = shape[0], np.int64(shape[1]), np.int64(shape[2])
    for k in range(len(rows)):
        lane, levels = lanes[rows[k]], buckets[rows[k]]
        if lane["side"] or not np.isfinite(values[k]):
            continue
        lane["count"] += 1
        lane["total"] += values[k]
        if not np.isfinite(scores[k]):
            continue
        _insert(lane, levels, scores[k], values[k], begins[k])
        lane["tested"] += 1
        if lane["tested"] % clock:
            continue
        cut = _most_telling_cut(lane, levels, delta, shortest)
        if cut == 0:
            continue
        _tell(lane, levels, cut)
        places[found] = k
        found += 1
    return found


@inner
def _insert(lane: np.void, levels: NDArray[np.void], score: float, value: float, begin: np.int64) -> None:
    """One more sample in the window; where a level holds one bucket too many, its two oldest become one."""
    most = levels.shape[1] - 1
    width = lane["width"]
    if width:
        apart = score - lane["sum"] / width
        lane["spread"] += apart * apart * width / (width + 1)
    lane["width"] += 1
    lane["sum"] += score
    lane["kept"] += value
    _append(lane, levels, 0, score, 0.0, value, begin)
    for level in range(levels.shape[0]):
        if lane["fill"][level] <= most:
            break
        if level + 1 == levels.shape[0]:
            _drop(lane, levels)
            break
        one, two = levels[level][0], levels[level][1]
        apart = (one["sum"] - two["sum"]) / (1 << level)
        spread = one["spread"] + two["spread"] + apart * apart * (1 << level) / 2
        _append(
            lane,
            levels,
            level + 1,
            one["sum"] + two["sum"],
            spread,
            one["total"] + two["total"],
            one["begin"],
        )
        _forget(lane, levels, level, 2)


@inner
def _append(
    lane: np.void,
    levels: NDArray[np.void],
    level: _Int,
    total: float,
    spread: float,
    value: float,
    begin: np.int64,
) -> None:
    bucket = levels[level][lane["fill"][level]]
    bucket["sum"], bucket["spread"], bucket["total"], bucket["begin"] = total, spread, value, begin
    lane["fill"][level] += 1
    lane["levels"] = max(lane["levels"], level + 1)


@inner
def _forget(lane: np.void, levels: NDArray[np.void], level: _Int, count: int) -> None:
    """The oldest `count` buckets of a level."""
    lane["fill"][level] -= count
    for i in range(lane["fill"][level]):
        bucket, later = levels[level][i], levels[level][i + count]
        bucket["sum"], bucket["spread"] = later["sum"], later["spread"]
        bucket["total"], bucket["begin"] = later["total"], later["begin"]


@inner
def _drop(lane: np.void, levels: NDArray[np.void]) -> None:
    """The oldest bucket of the window."""
    level = lane["levels"] - 1
    oldest = levels[level][0]
    size = 1 << level
    lane["width"] -= size
    lane["sum"] -= oldest["sum"]
    lane["kept"] -= oldest["total"]
    apart = oldest["sum"] / size - lane["sum"] / lane["width"]
    lost = oldest["spread"] + apart * apart * size * lane["width"] / (size + lane["width"])
    lane["spread"] = max(lane["spread"] - lost, 0.0)
    _forget(lane, levels, level, 1)
    while lane["fill"][lane["levels"] - 1] == 0:
        lane["levels"] -= 1


@inner
def _most_telling_cut(lane: np.void, levels: NDArray[np.void], delta: float, shortest: _Int) -> int:
    """Samples before the cut whose sides are farthest apart, as a share of what chance allows; 0: none is."""
    width = lane["width"]
    if width < 2 * shortest:
        return 0
    chance = np.log(2.0 * np.log(width) / delta)
    variance = lane["spread"] / width
    farthest, found = 1.0, 0
    before, total = 0, 0.0
    for level in range(lane["levels"] - 1, -1, -1):
        for i in range(lane["fill"][level]):
            before += 1 << level
            total += levels[level][i]["sum"]
            after = width - before
            if after < shortest:
                return found
            if before >= shortest:
                apart = abs(total / before - (lane["sum"] - total) / after)
                inverse = 1.0 / (before - shortest + 1) + 1.0 / (after - shortest + 1)
                allowed = np.sqrt(2.0 * inverse * variance * chance) + 2.0 / 3.0 * inverse * chance
                if apart > farthest * allowed:
                    farthest, found = apart / allowed, before
    return found


@inner
def _tell(lane: np.void, levels: NDArray[np.void], cut: int) -> None:
    """Put down the change that begins `cut` samples behind the window's begin."""
    before, total, value = 0, 0.0, 0.0
    for level in range(lane["levels"] - 1, -1, -1):
        for i in range(lane["fill"][level]):
            if before == cut:
                lane["changed"] = levels[level][i]["begin"]
                later = lane["width"] - cut
                lane["side"] = 1 if (lane["sum"] - total) / later > total / cut else -1
                lane["after"] = (lane["kept"] - value) / later
                earlier = lane["total"] - lane["kept"] + value
                lane["before"] = earlier / (lane["count"] - later)
                return
            before += 1 << level
            total += levels[level][i]["sum"]
            value += levels[level][i]["total"]
