"""What the gate's kernels read of a packet, as columns, and its watermarks as rows of a table.

Strategy. A gate calls several kernels for a packet, each of which needs some columns of the deltas, and
places for what it says of each character. All of them are written in one call: of a short packet most of
the time would go into what NumPy takes for each, however short it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["lay_out", "vet"]


@kernel
def lay_out(
    deltas: NDArray[np.void],
    text_kind: int,
    close_kind: int,
    columns: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    lengths: NDArray[np.int64],
) -> tuple[int, int]:
    """Write the columns of a packet's deltas.

    Parameters
    ----------
    deltas : DELTA[n]
        Read-only.
    text_kind, close_kind : int
        The kinds that bring text, and that end a lane.
    columns : int32[7, n]
        Written: row, start and end; how many characters it is told of (those of a text, 1 for a close, -1 for
        what is neither or has no row), and the place of the first of them; and -1 twice, for the watermark
        and for the rule that holds back what follows it.
    kinds, lengths : uint8[n], int64[n]
        Written: kind, and characters of the lane before it.

    Returns
    -------
    tuple of int
        Characters that are told of, and the bytes of the longest delta.

    Notes
    -----
    O(n), no allocation.
    """
    told, longest = 0, 0
    for i in range(deltas.size):
        row, kind = deltas[i]["row"], deltas[i]["kind"]
        start, end, places = deltas[i]["start"], deltas[i]["end"], -1
        if row >= 0 and kind == text_kind:
            places = deltas[i]["chars"]
        elif row >= 0 and kind == close_kind:
            places = 1
        columns[0, i], columns[1, i], columns[2, i], columns[3, i] = row, start, end, places
        columns[4, i], columns[5, i], columns[6, i] = told, -1, -1
        kinds[i], lengths[i] = kind, deltas[i]["begin"]
        told += max(places, 0)
        longest = max(longest, end - start)
    return told, longest


@kernel
def vet(
    rows: NDArray[np.int32],
    upto: NDArray[np.int32],
    leads: NDArray[np.int32],
    codes: NDArray[np.int32],
    vetted: NDArray[np.void],
) -> int:
    """Write the watermarks of a packet.

    Parameters
    ----------
    rows, upto, leads : int32[n]
        Of each delta: row, watermark (-1: none), and the rule that holds back what follows it, or -1.
    codes : int32[rules + 1]
        Code of each rule.
    vetted : VETTED[n]
        Written: a row for each watermark.

    Returns
    -------
    int
        How many rows.

    Notes
    -----
    O(n), no allocation.
    """
    count = 0
    for i in range(rows.size):
        if upto[i] >= 0:
            vetted[count]["delta"], vetted[count]["row"], vetted[count]["upto"] = i, rows[i], upto[i]
            vetted[count]["code"] = codes[leads[i]] if leads[i] >= 0 else -1
            count += 1
    return count
