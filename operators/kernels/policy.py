"""Compare samples with thresholds, and speak once per crossing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["cross"]


@kernel
def cross(
    rows: NDArray[np.int32],
    signals: NDArray[np.uint8],
    begins: NDArray[np.int64],
    values: NDArray[np.float64],
    signal: NDArray[np.uint8],
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    after: NDArray[np.int64],
    beyond: NDArray[np.uint64],
    crossings: NDArray[np.int32],
) -> int:
    """Find the samples with which a lane goes beyond a threshold it was not beyond.

    Parameters
    ----------
    rows, signals, begins, values : [n]
        Columns of the packet's samples, in order.
    signal, above, below, after : [k]
        The thresholds, at most 64: the signal each looks at, its limits in the signal's unit, and
        the characters of the lane that must have passed.
    beyond : uint64[lanes]
        Bit j: the lane is beyond threshold j. Modified.
    crossings : int32[n * k, 2]
        Written: sample and threshold of each crossing.

    Returns
    -------
    int
        Number of crossings. A NaN is beyond nothing.

    Notes
    -----
    O(n x k), no allocation.
    """
    count = 0
    for i in range(rows.size):
        for j in range(signal.size):
            if signals[i] != signal[j] or begins[i] < after[j]:
                continue
            bit = np.uint64(1) << np.uint64(j)
            if not (values[i] > above[j] or values[i] < below[j]):
                beyond[rows[i]] &= ~bit
            elif not beyond[rows[i]] & bit:
                beyond[rows[i]] |= bit
                crossings[count, 0], crossings[count, 1] = i, j
                count += 1
    return count
