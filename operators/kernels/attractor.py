"""Windows over the lanes of a slot: the last samples of each, handed out every so many of them.

Strategy. A ring per lane, one pass over the samples of a packet. When a lane is due, its window is
copied out oldest first, so that what looks at it needs to know neither of rings nor of lanes. Counting
is per lane and sample: how samples are cut into packets changes nothing. Where a window begins in the
text is asked of its first sample only, and those are known beforehand, so no other sample keeps it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["attractor_update"]


@kernel
def attractor_update(
    rows: NDArray[np.int32],
    values: NDArray[np.float64],
    begins: NDArray[np.int64],
    every: int,
    ring: NDArray[np.float64],
    ring_begin: NDArray[np.int64],
    seen: NDArray[np.int64],
    windows: NDArray[np.float64],
    places: NDArray[np.int64],
    window_begins: NDArray[np.int64],
) -> int:
    """Take in the samples of a packet, and give out the windows that are due.

    Parameters
    ----------
    rows, values, begins : int32[n], float64[n], int64[n]
        The samples of one signal, oldest first: lane, value, first character. A value that is not
        finite is no measurement and is passed over.
    every : int
        Samples from one window to the next; the first is due when the ring is full.
    ring, ring_begin, seen : float64[rows, window], int64[rows, (window - 1) // every + 1], int64[rows]
        The last samples of each lane, where each of them began whose number is a multiple of `every`, and
        how many samples it had. Modified.
    windows, places, window_begins : float64[n, window], int64[n], int64[n]
        Windows that are due, oldest sample first; the sample that completed each, and the first
        character it covers. Modified.

    Returns
    -------
    int
        How many windows were written.

    Notes
    -----
    O(1) a sample and O(window) a window, no allocation.
    """
    size = ring.shape[1]
    kept = ring_begin.shape[1]
    count = 0
    for k in range(len(rows)):
        if not np.isfinite(values[k]):
            continue
        row = rows[k]
        number = seen[row]
        ring[row, number % size] = values[k]
        if number % every == 0:
            ring_begin[row, number // every % kept] = begins[k]
        seen[row] = number + 1
        first = number + 1 - size
        if first >= 0 and first % every == 0:
            for i in range(size):
                windows[count, i] = ring[row, (first + i) % size]
            places[count] = k
            window_begins[count] = ring_begin[row, first // every % kept]
            count += 1
    return count
