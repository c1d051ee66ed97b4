"""Number the deltas of a packet: ordinal in the stream, character offset in the lane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["number"]


@kernel
def number(
    rows: NDArray[np.int32],
    streams: NDArray[np.int32],
    chars: NDArray[np.int32],
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    begin: NDArray[np.int64],
    seq: NDArray[np.int64],
) -> None:
    """Fill `begin` and `seq` for every delta, in order.

    Parameters
    ----------
    rows, streams, chars : int32[n]
        Lane row and stream row of each delta (-1 where it has none) and its length in characters.
    offset : int64[lanes]
        Characters each lane has had so far. Modified.
    count : int64[streams]
        Deltas each stream has had so far. Modified.
    begin, seq : int64[n]
        Written: offset in the lane, ordinal in the stream.

    Notes
    -----
    O(n), no allocation.
    """
    for i in range(rows.size):
        row = rows[i]
        if row >= 0:
            begin[i] = offset[row]
            offset[row] += chars[i]
        stream = streams[i]
        if stream >= 0:
            seq[i] = count[stream]
            count[stream] += 1
