"""Keep the last bytes of each lane in a ring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["remember"]


@kernel
def remember(
    rows: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    text: NDArray[np.uint8],
    text_kind: int,
    ring: NDArray[np.uint8],
    written: NDArray[np.int64],
) -> None:
    """Append the text of every delta to its lane's ring.

    Parameters
    ----------
    rows, kinds, starts, ends : [n]
        Columns of the packet's deltas; byte ranges of `text`.
    text : uint8[bytes]
        UTF-8 of all deltas.
    text_kind : int
        The value of `kinds` that means text.
    ring : uint8[lanes, size]
        The last bytes; byte k of a lane stands at ``k % size``. Modified.
    written : int64[lanes]
        Bytes so far. Modified.

    Notes
    -----
    O(deltas + bytes kept), no allocation.
    """
    size = ring.shape[1]
    for i in range(rows.size):
        row = rows[i]
        if row < 0 or kinds[i] != text_kind:
            continue
        begin = ends[i] - min(ends[i] - starts[i], size)
        written[row] += ends[i] - starts[i]
        at = (written[row] - ends[i] + begin) % size
        for k in range(begin, ends[i]):
            ring[row, at] = text[k]
            at = 0 if at + 1 == size else at + 1
