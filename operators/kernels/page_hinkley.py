"""Page-Hinkley: a shift of the mean whose level before is not known, but learnt as the samples come.

Strategy. The test sums how far each sample is from the mean of all so far, that sample included, less a
tolerance, and alarms when the sum has risen far enough above its lowest. Its rise above its lowest is that
same sum held at zero from below, so the test is a cumulative sum of deviations: this file makes the
deviations, and ``operators.kernels.cusum`` does the rest, with the tolerance as its slack.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["LEVEL", "TOLERANCE", "deviations"]

TOLERANCE = 0.25
"""Deviations: half of the shift of half a deviation that is to be found fastest."""

LEVEL = np.dtype([("count", "i8"), ("mean", "f8")], align=True)
"""Scores of one lane so far, and their mean. 16 bytes. A new one is zero."""


@kernel
def deviations(
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
    levels: NDArray[np.void],
    apart: NDArray[np.float64],
) -> None:
    """How far each score is from the mean of its lane so far.

    Parameters
    ----------
    rows, scores : int32[n], float64[n]
        The samples of a packet, oldest first. A score that is not finite does not count.
    levels : LEVEL[rows]
        Modified.
    apart : float64[n]
        The deviations; NaN for what does not count. Modified.

    Notes
    -----
    O(1) a sample, 2 ns. Allocates nothing.

    References
    ----------
    .. [1] E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.
    .. [2] D. V. Hinkley, "Inference about the change-point from cumulative sum tests", Biometrika 58, 1971.
    """
    for k in range(len(rows)):
        apart[k] = np.nan
        if np.isfinite(scores[k]):
            level = levels[rows[k]]
            level["count"] += 1
            level["mean"] += (scores[k] - level["mean"]) / level["count"]
            apart[k] = scores[k] - level["mean"]
