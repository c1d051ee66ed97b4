"""Let vetted text go, masks in place of what they cover, and keep the ledger of what waited.

Strategy. A lane's undecided text is a short queue of bytes in its row. With each delta the queue and
the delta are read as one run: up to the watermark they leave, the rest is queued. Nothing is copied
that leaves with the delta it came in.

Masks that overlap are one covered stretch. What stands in its place is decided once, when the watermark
has passed the end of the stretch's first match: by then every match that overlaps it is known, however
the text was cut, and the queue need not hold the rest of a long stretch.

The ledger keeps an entry for each stream and rule that did something: a chain of entries a stream,
all in one pool, because a stream meets a few of hundreds of rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["count", "release"]

_ROW, _BEGIN, _STOP, _SHOW, _CODE, _RANK, _MORE, _LABEL = range(8)
_OF, _NEXT, _HELD, _HELD_MAX, _WAITED, _MASKED, _MATCHES, _LEAKED = range(8)


@kernel
def release(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    text_kind: int,
    close_kind: int,
    vetted: NDArray[np.void],
    blocks: NDArray[np.int64],
    masks: NDArray[np.int64],
    labels: NDArray[np.uint8],
    label_at: NDArray[np.int32],
    label_chars: NDArray[np.int32],
    starred: NDArray[np.uint8],
    last: NDArray[np.int64],
    ledger: NDArray[np.int64],
    head: NDArray[np.int32],
    pool: NDArray[np.int64],
    free: NDArray[np.int32],
    position: NDArray[np.int64],
    masked: NDArray[np.int64],
    going: NDArray[np.uint8],
    cover: NDArray[np.int32],
    ordinal: NDArray[np.int32],
    length: NDArray[np.int32],
    held: NDArray[np.uint8],
    arrived: NDArray[np.uint16],
    out: NDArray[np.uint8],
    before: NDArray[np.int64],
    releases: NDArray[np.void],
    covered: NDArray[np.void],
) -> tuple[int, int, int, int]:
    """Release what each delta vets.

    Parameters
    ----------
    deltas : DELTA[n]
        Read-only.
    text : uint8[bytes]
        UTF-8 of all deltas.
    text_kind, close_kind : int
        The kinds that bring text, and that end a lane; all others are passed over.
    vetted : VETTED[v]
        Ascending by delta; read-only. A text without one vets nothing.
    blocks : int64[b, 3]
        Deltas that end their stream, the characters with which that was decided, and those of their lane
        that may still leave.
    masks : int64[m, 8]
        What is to be covered, by row, begin and falling stop: row, begin, stop; from which character on
        a starred mask lets its match be seen (its stop: nowhere); code; rank: which of overlapping masks
        names the stretch (the highest); 1 if what begins at its stop belongs to it; which label it
        has. Only masks that begin before the watermark matter.
    labels, label_at, label_chars : uint8[...], int32[k + 1], int32[k]
        UTF-8 of all labels, where each begins, and its length in characters.
    starred : uint8[codes]
        1: a stretch that this code names is shown as one star a character, not as a label; 2: the same, but
        what the masks let be seen is.
    last : int64[streams]
        Nothing of a stream leaves after this delta.
    ledger : int64[streams, 8]
        Text deltas, characters in, characters out, clean characters out, sum and maximum of the
        deltas that a clean character waited, time of the first text and of the first release (valid
        if there was any). Modified.
    head : int32[streams]
        One more than the first entry of the stream's chain, 0 for none. Modified.
    pool : int64[e, 8]
        The entries: code; one more than the next entry; characters held, summed over deltas, and at
        most; deltas after which some were held; characters masked; matches; characters leaked.
        Modified.
    free : int32[e + 1]
        ``free[:free[-1]]`` are the unused entries: there must be one for each delta and mask. Modified.
    position, masked : int64[lanes]
        Characters dealt with; where the covered stretch ends that was last begun. Modified.
    going, cover : uint8[lanes], int32[lanes]
        1: a mask that goes on ends there too; the code that names that stretch. Modified.
    ordinal, length : int32[lanes]
        Text deltas so far; bytes queued. Modified.
    held, arrived : uint8[lanes, bytes], uint16[lanes, characters]
        The queue, and the ordinal of the delta each queued character came with. Modified.
    out : uint8[...]
        Written: released bytes. Needs room for the text, all queues, and a label per mask.
    before : int64[n]
        Written: ``position`` of the delta's lane when it came.
    releases : RELEASE[n]
        Written: delta, row, first byte and end of each release, and the characters that it stands for.
    covered : COVERED[n + 2 m]
        Written: the same of each run of characters in whose place something else is released, or nothing.

    Returns
    -------
    tuple of int
        Releases written; runs written; bytes that the queues grew by; and -1, or the delta at which a queue
        overflowed, after which nothing was looked at.

    Notes
    -----
    O(bytes x masks over one character + deltas x (log masks + entries of a stream)), no allocation.
    """
    size, done, runs, grown, v = 0, 0, 0, 0, 0
    for i in range(deltas.size):
        while v < vetted.size and vetted[v]["delta"] < i:
            v += 1
        row, own, kind, start = deltas[i]["row"], deltas[i]["stream"], deltas[i]["kind"], deltas[i]["start"]
        said = kind == text_kind
        if row < 0 or i > last[own] or not (said or kind == close_kind):
            continue
        upto, holder = 0, -1
        if v < vetted.size and vetted[v]["delta"] == i:
            upto, holder = vetted[v]["upto"], vetted[v]["code"]
        for b in range(blocks.shape[0]):
            if blocks[b, 0] == i:
                upto = min(upto, blocks[b, 2])
        fresh = 0
        if said:
            fresh = deltas[i]["end"] - start
            ordinal[row] += 1
            ledger[own, 0] += 1
            ledger[own, 1] += deltas[i]["chars"]
            if ledger[own, 0] == 1:
                ledger[own, 6] = deltas[i]["at"]
        m, past = 0, len(masks)  # bisect for the first mask of this row
        while m < past:
            middle = (m + past) // 2
            if masks[middle, _ROW] < row:
                m = middle + 1
            else:
                past = middle
        queued, now, begun, shown = length[row], ordinal[row], size, ledger[own, 2]
        at, over, k, taken, hidden, copied, inside = position[row], masked[row], 0, 0, 0, True, False
        before[i] = at
        while k < queued + fresh:
            byte = held[row, k] if k < queued else text[start + k - queued]
            if byte < 0x80 or byte >= 0xC0:  # the first byte of a character
                if at >= upto:
                    break
                mark = size
                while m < len(masks) and masks[m, _ROW] == row and masks[m, _STOP] <= at:
                    if masks[m, _STOP] == over and masks[m, _MORE]:
                        going[row] = 1
                    m += 1
                if m < len(masks) and masks[m, _ROW] == row and masks[m, _BEGIN] <= at:
                    begin, stop = masks[m, _BEGIN], masks[m, _STOP]
                    if begin > over or (begin == over and not going[row]):
                        if upto < stop:
                            break
                        best = _named_by(m, masks)
                        if hidden:
                            pool[_entry(own, cover[row], head, pool, free), _MASKED] += hidden
                            hidden = 0
                        cover[row] = masks[best, _CODE]
                        if not starred[cover[row]]:
                            label = masks[best, _LABEL]
                            for b in range(label_at[label], label_at[label + 1]):
                                out[size] = labels[b]
                                size += 1
                            ledger[own, 2] += label_chars[label]
                    if stop > over:
                        over, going[row] = stop, 0
                copied = at >= over
                if copied:
                    wait = now - arrived[row, taken] & 0xFFFF if k < queued else 0
                    ledger[own, 2] += 1
                    ledger[own, 3] += 1
                    ledger[own, 4] += wait
                    ledger[own, 5] = max(ledger[own, 5], wait)
                elif starred[cover[row]]:
                    copied = starred[cover[row]] == 2 and _is_shown(at, m, masks)
                    ledger[own, 2] += 1
                    if not copied:
                        out[size] = 42  # a star
                        size += 1
                        hidden += 1
                else:
                    hidden += 1
                if copied and inside:
                    covered[runs]["end"], covered[runs]["stop"] = mark, at
                    runs, inside = runs + 1, False
                elif not copied and not inside:
                    covered[runs]["delta"], covered[runs]["row"] = i, row
                    covered[runs]["start"], covered[runs]["begin"] = mark, at
                    inside = True
                at += 1
                taken += 1
            if copied:
                out[size] = byte
                size += 1
            k += 1
        position[row], masked[row] = at, over
        if inside:
            covered[runs]["end"], covered[runs]["stop"] = size, at
            runs += 1
        if hidden:
            pool[_entry(own, cover[row], head, pool, free), _MASKED] += hidden
        if not shown and ledger[own, 2]:
            ledger[own, 7] = deltas[i]["at"]
        if size > begun:
            releases[done]["delta"], releases[done]["row"] = i, row
            releases[done]["start"], releases[done]["end"] = begun, size
            releases[done]["begin"], releases[done]["stop"] = before[i], at
            done += 1
        if i == last[own]:  # the end of a stream by a block: what stays here stays for good
            grown -= queued
            length[row] = 0
            continue
        if queued + fresh - k > held.shape[1]:
            return done, runs, grown, i
        place, letter = 0, 0
        while k < queued + fresh:
            byte = held[row, k] if k < queued else text[start + k - queued]
            if byte < 0x80 or byte >= 0xC0:
                if letter == arrived.shape[1]:
                    return done, runs, grown, i
                arrived[row, letter] = arrived[row, taken + letter] if k < queued else now & 0xFFFF
                letter += 1
            held[row, place] = byte
            place += 1
            k += 1
        length[row] = place
        grown += place - queued
        if letter:
            entry = _entry(own, holder, head, pool, free)
            pool[entry, _HELD] += letter
            pool[entry, _HELD_MAX] = max(pool[entry, _HELD_MAX], letter)
            pool[entry, _WAITED] += 1
    return done, runs, grown, -1


@kernel
def count(
    streams: NDArray[np.int32],
    codes: NDArray[np.int32],
    leaked: NDArray[np.int64],
    head: NDArray[np.int32],
    pool: NDArray[np.int64],
    free: NDArray[np.int32],
) -> None:
    """Enter matches into the ledger: one of ``codes[j]`` in ``streams[j]``, with `leaked` characters of
    it. The rest is as in :func:`release`. O(matches x entries of a stream), no allocation.
    """
    for j in range(streams.size):
        entry = _entry(streams[j], codes[j], head, pool, free)
        pool[entry, _MATCHES] += 1
        pool[entry, _LEAKED] += leaked[j]


@inner
def _named_by(first: int, masks: NDArray[np.int64]) -> int:
    """The highest in rank of the masks that overlap the first of a stretch."""
    best, j = first, first + 1
    while j < len(masks) and masks[j, _ROW] == masks[first, _ROW] and masks[j, _BEGIN] < masks[first, _STOP]:
        if masks[j, _RANK] > masks[best, _RANK]:
            best = j
        j += 1
    return best


@inner
def _is_shown(at: int, first: int, masks: NDArray[np.int64]) -> bool:
    """Whether every mask over this character lets it be seen, and there is one."""
    j, over = first, 0
    while j < len(masks) and masks[j, _ROW] == masks[first, _ROW] and masks[j, _BEGIN] <= at:
        if masks[j, _STOP] > at:
            if at < masks[j, _SHOW]:
                return False
            over += 1
        j += 1
    return over > 0


@inner
def _entry(
    stream: int,
    code: int,
    head: NDArray[np.int32],
    pool: NDArray[np.int64],
    free: NDArray[np.int32],
) -> int:
    """The entry of a code in a stream: the one it has, or a new one."""
    place = head[stream]
    while place and pool[place - 1, _OF] != code:
        place = pool[place - 1, _NEXT]
    if not place:
        free[-1] -= 1
        place = free[free[-1]] + 1
        pool[place - 1] = 0
        pool[place - 1, _OF], pool[place - 1, _NEXT] = code, head[stream]
        head[stream] = place
    entry: int = place - 1
    return entry
