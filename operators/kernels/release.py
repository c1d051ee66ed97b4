"""Let vetted text go, masks in place of what they cover, and keep the ledger of what waited.

Strategy. A lane's undecided text is a short queue of bytes in its row. With each delta the queue and
the delta are read as one run: up to the watermark they leave, the rest is queued. Nothing is copied
that leaves with the delta it came in.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["release"]


@njit(cache=True, nogil=True)
def release(
    rows: NDArray[np.int32],
    streams: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    chars: NDArray[np.int32],
    text: NDArray[np.uint8],
    text_kind: int,
    close_kind: int,
    vetted_delta: NDArray[np.int32],
    vetted_upto: NDArray[np.int64],
    block_delta: NDArray[np.int64],
    block_upto: NDArray[np.int64],
    mask_row: NDArray[np.int32],
    mask_begin: NDArray[np.int64],
    mask_stop: NDArray[np.int64],
    mask_label: NDArray[np.int32],
    labels: NDArray[np.uint8],
    label_at: NDArray[np.int32],
    label_chars: NDArray[np.int32],
    last: NDArray[np.int64],
    ledger: NDArray[np.int64],
    position: NDArray[np.int64],
    masked: NDArray[np.int64],
    ordinal: NDArray[np.int32],
    length: NDArray[np.int32],
    held: NDArray[np.uint8],
    arrived: NDArray[np.int32],
    out: NDArray[np.uint8],
    out_delta: NDArray[np.int32],
    out_row: NDArray[np.int32],
    out_start: NDArray[np.int32],
    out_end: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Release what each delta vets.

    Parameters
    ----------
    rows, streams, kinds, starts, ends, chars : [n]
        Columns of the packet's deltas.
    text : uint8[bytes]
        UTF-8 of all deltas.
    text_kind, close_kind : int
        The kinds that bring text, and that end a lane; all others are passed over.
    vetted_delta, vetted_upto : int32[v], int64[v]
        Which deltas have a watermark, ascending, and that: characters that are decided. A text
        without one vets nothing.
    block_delta, block_upto : int64[b]
        Deltas that end their stream, and the characters of their lane that may still leave.
    mask_row, mask_begin, mask_stop, mask_label : [m]
        What is to be covered, by row and begin. Only masks that begin before the watermark matter.
    labels, label_at, label_chars : uint8[...], int32[k + 1], int32[k]
        UTF-8 of all labels, where each begins, and its length in characters.
    last : int64[streams]
        Nothing of a stream leaves after this delta.
    ledger : int64[streams, 6]
        Text deltas, characters in, characters out, clean characters out, sum and maximum of the
        deltas that a clean character waited. Modified.
    position, masked : int64[lanes]
        Characters dealt with; where the last mask whose label has left ends. Modified.
    ordinal, length : int32[lanes]
        Text deltas so far; bytes queued. Modified.
    held, arrived : uint8[lanes, bytes], int32[lanes, characters]
        The queue, and the ordinal of the delta each queued character came with. Modified.
    out : uint8[...]
        Written: released bytes. Needs room for the text, all queues, and a label per mask.
    out_delta, out_row, out_start, out_end : int32[n]
        Written: delta, row and bytes of each release.

    Returns
    -------
    tuple of int
        Releases written; bytes that the queues grew by; and -1, or the delta at which a queue
        overflowed, after which nothing was looked at.

    Notes
    -----
    O(bytes + deltas x log masks), no allocation.
    """
    size, count, grown, v = 0, 0, 0, 0
    for i in range(rows.size):
        while v < vetted_delta.size and vetted_delta[v] < i:
            v += 1
        row, own = rows[i], streams[i]
        if row < 0 or i > last[own] or (kinds[i] != text_kind and kinds[i] != close_kind):
            continue
        upto = vetted_upto[v] if v < vetted_delta.size and vetted_delta[v] == i else 0
        for b in range(block_delta.size):
            if block_delta[b] == i:
                upto = min(upto, block_upto[b])
        fresh = 0
        if kinds[i] == text_kind:
            fresh = ends[i] - starts[i]
            ordinal[row] += 1
            ledger[own, 0] += 1
            ledger[own, 1] += chars[i]
        m, past = 0, mask_row.size  # bisect for the first mask of this row
        while m < past:
            middle = (m + past) // 2
            if mask_row[middle] < row:
                m = middle + 1
            else:
                past = middle
        queued, now, begun = length[row], ordinal[row], size
        at, over, k, taken = position[row], masked[row], 0, 0
        while k < queued + fresh:
            byte = held[row, k] if k < queued else text[starts[i] + k - queued]
            if byte < 0x80 or byte >= 0xC0:  # the first byte of a character
                if at >= upto:
                    break
                while m < mask_row.size and mask_row[m] == row and mask_stop[m] <= at:
                    m += 1
                if m < mask_row.size and mask_row[m] == row and mask_begin[m] <= at:
                    if over <= mask_begin[m]:
                        label = mask_label[m]
                        for b in range(label_at[label], label_at[label + 1]):
                            out[size] = labels[b]
                            size += 1
                        ledger[own, 2] += label_chars[label]
                    over = max(over, mask_stop[m])
                if at >= over:
                    wait = now - arrived[row, taken] if k < queued else 0
                    ledger[own, 2] += 1
                    ledger[own, 3] += 1
                    ledger[own, 4] += wait
                    ledger[own, 5] = max(ledger[own, 5], wait)
                at += 1
                taken += 1
            if at > over:
                out[size] = byte
                size += 1
            k += 1
        position[row], masked[row] = at, over
        if size > begun:
            out_delta[count], out_row[count] = i, row
            out_start[count], out_end[count] = begun, size
            count += 1
        if i == last[own]:  # the end of a stream by a block: what stays here stays for good
            grown -= queued
            length[row] = 0
            continue
        if queued + fresh - k > held.shape[1]:
            return count, grown, i
        place, letter = 0, 0
        while k < queued + fresh:
            byte = held[row, k] if k < queued else text[starts[i] + k - queued]
            if byte < 0x80 or byte >= 0xC0:
                if letter == arrived.shape[1]:
                    return count, grown, i
                arrived[row, letter] = arrived[row, taken + letter] if k < queued else now
                letter += 1
            held[row, place] = byte
            place += 1
            k += 1
        length[row] = place
        grown += place - queued
    return count, grown, -1
