"""Cumulative sums of both sides: the classic detector of a shift of the mean whose level before is known.

Strategy. The sum of what each sample exceeds the level by, less a slack, is held at zero from below; it
leaves zero for good when the mean has moved by more than the slack. For a shift of twice the slack no
detector with as few false alarms is faster (Moustakides). Its last zero is the estimate of when the change
began.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["CUSUM", "SLACK", "cusum", "threshold"]

SLACK = 0.5
"""Deviations: half of the shift of one deviation that is to be found fastest."""
_OVERSHOOT = 1.166
"""Twice what a sum of normal steps is expected to overshoot a far limit by: Siegmund (1985), 2 * 0.583."""

CUSUM = np.dtype(
    [
        ("side", "i8"),  # of the alarm: 1 up, -1 down, 0 none
        ("changed", "i8"),  # begin of the first sample of the change
        ("before", "f8"),  # mean value up to there, and from there on
        ("after", "f8"),
        ("count", "i8"),  # samples so far
        ("total", "f8"),  # of their values
        ("sums", "f8", (2,)),  # up, down; and of the samples since a sum was last zero ...
        ("counts", "i8", (2,)),  # ... how many
        ("totals", "f8", (2,)),  # ... the total of their values
        ("begins", "i8", (2,)),  # ... the begin of the first
    ],
    align=True,
)
"""One lane, 112 bytes. A new one is zero."""


def threshold(false_alarm: float, sides: int, slack: float) -> float:
    """What the sums of standard normal scores may reach, for `false_alarm` expected false alarms a sample.

    By Siegmund's formula for the mean run to a false alarm; with one of the `sides` watched they are half as
    many as with two. The rate that is measured is within 3 % of it (``benches.bench_drift``).

    >>> round(threshold(1 / 370, 2, 0.5), 2), round(threshold(1e-4, 1, 0.5), 2)
    (4.77, 7.35)
    """
    run = sides / false_alarm * 2.0 * slack**2
    low, high = 0.0, 1e3
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        reach = min(2.0 * slack * middle, 700.0)
        low, high = (middle, high) if math.expm1(reach) - reach < run else (low, middle)
    return max(low - _OVERSHOOT, 0.0)


@kernel
def cusum(
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
    values: NDArray[np.float64],
    begins: NDArray[np.int64],
    shape: NDArray[np.float64],
    lanes: NDArray[np.void],
    places: NDArray[np.int64],
) -> int:
    """Advance all lanes by the samples of a packet, and report those whose mean has shifted.

    Parameters
    ----------
    rows, scores, values, begins : int32[n], float64[n], float64[n], int64[n]
        The samples, oldest first: lane, what is tested (level 0 before a change), what is averaged for the
        report, first character. A score that is not finite is not tested; a value that is not finite is no
        sample.
    shape : float64[3]
        Slack, threshold up, threshold down; in units of the scores. An infinite threshold is never reached.
    lanes : CUSUM[rows]
        Modified. A lane with an alarm rests: until its ``side`` is zero again, or it is a new one, its
        samples are passed by.
    places : int64[n]
        The samples that raised an alarm. Modified.

    Returns
    -------
    int
        How many alarms there are, one of a lane at most.

    Notes
    -----
    O(1) a sample, 4 ns. Allocates nothing.

    References
    ----------
    .. [1] E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.
    .. [2] G. Moustakides, "Optimal stopping times for detecting changes in distributions", Ann. Statist.
       14(4), 1986.
    .. [3] D. Siegmund, "Sequential Analysis", Springer 1985: thresholds.
    """
    found = 0
    slack = shape[0]
    for k in range(len(rows)):
        lane = lanes[rows[k]]
        if lane["side"] or not np.isfinite(values[k]):
            continue
        lane["count"] += 1
        lane["total"] += values[k]
        if not np.isfinite(scores[k]):
            continue
        for side in range(2):
            step = scores[k] if side == 0 else -scores[k]
            reached = lane["sums"][side] + step - slack
            if not reached > 0.0:
                lane["sums"][side], lane["counts"][side], lane["totals"][side] = 0.0, 0, 0.0
                continue
            if lane["counts"][side] == 0:
                lane["begins"][side] = begins[k]
            lane["sums"][side] = reached
            lane["counts"][side] += 1
            lane["totals"][side] += values[k]
            if reached > shape[1 + side] and lane["side"] == 0:
                since = lane["counts"][side]
                lane["side"] = 1 - 2 * side
                lane["changed"] = lane["begins"][side]
                lane["after"] = lane["totals"][side] / since
                before = lane["count"] - since
                lane["before"] = (lane["total"] - lane["totals"][side]) / before if before else np.nan
                places[found] = k
                found += 1
    return found
