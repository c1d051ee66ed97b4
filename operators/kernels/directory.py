"""Number the deltas of a packet: ordinal in the stream, character offset in the lane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["number"]


@kernel
def number(deltas: NDArray[np.void], offset: NDArray[np.int64], count: NDArray[np.int64]) -> None:
    """Fill ``begin`` and ``seq`` of every delta, in order.

    Parameters
    ----------
    deltas : DELTA[n]
        Rows of a packet's table with lane row and stream row (-1 where they have none), and length in
        characters. Written: offset in the lane, ordinal in the stream; 0 where there is no row.
    offset : int64[lanes]
        Characters each lane has had so far. Modified.
    count : int64[streams]
        Deltas each stream has had so far. Modified.

    Notes
    -----
    O(n), no allocation.
    """
    for i in range(deltas.size):
        row, stream = deltas[i]["row"], deltas[i]["stream"]
        deltas[i]["begin"] = deltas[i]["seq"] = 0
        if row >= 0:
            deltas[i]["begin"] = offset[row]
            offset[row] += deltas[i]["chars"]
        if stream >= 0:
            deltas[i]["seq"] = count[stream]
            count[stream] += 1
