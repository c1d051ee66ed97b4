"""Walk rules over text that arrives in pieces, all starts of all rules alive at once.

Strategy. Each rule is a deterministic automaton over character classes. A *thread* is a start that
may still become a match: its state, where it began, and where the best match from there ended so
far. Every character steps every thread and begins one for each rule it can begin. Threads of one
state have one future, so only the earliest is kept, unless a later one already has a match that the
earlier lacks. A match is decided when its thread cannot grow any more and no earlier start of the
same rule is still alive: leftmost, then longest. The text before the earliest live thread is decided
for good: that is the lane's watermark, and the only text it holds back is what could still match.

A thread older than its rule's ``longest`` does not hold back text for ever. A match that it has is
decided as it stands, before a character of it can leave, and the thread goes on behind it: what it
finds from there is reported as one more piece. Without a match its start slides along behind the
reading position (the merged later starts are in the same state, so what it then reports covers a match
of theirs; it can only cover more, never less).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["DEAD", "advance"]

DEAD = -1
"""In ``move``: no way on. In a thread's state: it stopped growing and waits for an earlier start."""


@njit(cache=True, nogil=True)
def _decide(found: NDArray[np.int64], m: int, delta: int, rule: int, begin: int, stop: int, read: int) -> int:
    """Write one match, its watermark apart; the number of matches with it."""
    found[m, 0], found[m, 1], found[m, 2] = delta, rule, begin
    found[m, 3], found[m, 4], found[m, 5] = stop, read, read
    return m + 1


@njit(cache=True, nogil=True)
def advance(
    rows: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    text: NDArray[np.uint8],
    text_kind: int,
    close_kind: int,
    classes: NDArray[np.uint8],
    word: NDArray[np.uint8],
    move: NDArray[np.int32],
    accept: NDArray[np.uint8],
    final: NDArray[np.uint8],
    rule_of: NDArray[np.int32],
    opens: NDArray[np.int32],
    opening: NDArray[np.int32],
    bounded: NDArray[np.uint8],
    longest: NDArray[np.int32],
    position: NDArray[np.int64],
    previous: NDArray[np.uint8],
    count: NDArray[np.int32],
    state: NDArray[np.int32],
    begin: NDArray[np.int64],
    best: NDArray[np.int64],
    cut: NDArray[np.int64],
    found: NDArray[np.int64],
    upto: NDArray[np.int64],
    first: int,
) -> tuple[int, int]:
    """Read every TEXT delta and close every lane that ends; write matches and watermarks.

    Parameters
    ----------
    rows, kinds, starts, ends : [n]
        Columns of the packet's deltas; byte ranges of `text`.
    text : uint8[bytes]
        UTF-8 of all deltas, whole code points in each.
    text_kind, close_kind : int
        The values of `kinds` that mean text and the end of a lane.
    classes, word : uint8[129]
        Character class; 1 for a character of a word. Entry 128 stands for all beyond ASCII.
    move : int32[states, classes]
        Next state, or DEAD.
    accept, final : uint8[states]
        1 where a match may end; 1 where it must, because nothing can follow.
    rule_of : int32[states]
        The rule a state belongs to; at most 64 rules.
    opens, opening : int32[classes + 1], int32[...]
        ``opening[opens[c]:opens[c + 1]]``: states that a first character of class c leads to.
    bounded, longest : uint8[rules], int32[rules]
        1 if a match must stand between word boundaries; characters that a thread may hold back,
        at least as many as the shortest match takes.
    position, previous, count : int64, uint8, int32 [lanes]
        (``previous`` is 2 after a backslash that escapes what comes.)
        Characters read; 1 if the last was of a word; threads, -1 if they overflowed. Modified.
    state, begin, best : int32, int64, int64 [lanes, threads]
        The threads, earliest first. A state below 0 is a rule's complement: that thread waits.
        ``best`` is where its match ends, -1 without. Modified.
    cut : int64[lanes, rules]
        Where the last match of each rule ended; none begins before it. Modified.
    found : int64[m, 6]
        Written: delta, rule, begin, stop, characters read, watermark. Rule -1: the threads
        overflowed, and the lane stays undecided from the watermark on. m must be more than the
        matches that any one delta can bring: its bytes times the rules, and the threads of a lane.
    upto : int64[n]
        Written: the lane's watermark after each delta.
    first : int
        The delta to begin with.

    Returns
    -------
    tuple of int
        Rows written to `found`; and the delta to go on with once these are taken, n if that was all.

    Notes
    -----
    O(characters x threads); no allocation.
    """
    matches = 0
    for i in range(first, rows.size):
        row = rows[i]
        if row < 0:
            continue
        if matches and matches + (ends[i] - starts[i]) * bounded.size + state.shape[1] >= found.shape[0]:
            return matches, i
        at = position[row]
        if kinds[i] == close_kind:
            if count[row] < 0:
                upto[i] = begin[row, 0]
                continue
            for t in range(count[row]):
                s, stop = state[row, t], best[row, t]
                rule = rule_of[s] if s >= 0 else ~s
                if s >= 0 and accept[s]:
                    stop = at
                if stop >= 0 and begin[row, t] >= cut[row, rule]:
                    cut[row, rule] = stop
                    matches = _decide(found, matches, i, rule, begin[row, t], stop, at)
            count[row] = 0
            upto[i] = at
            continue
        if kinds[i] != text_kind:
            continue
        for k in range(starts[i], ends[i]):
            byte = text[k]
            if 0x80 <= byte < 0xC0:
                continue  # a code point is read with its first byte
            if count[row] < 0:
                at += 1
                continue
            letter = byte if byte < 0x80 else 0x80
            group = classes[letter]
            live, busy, before = 0, 0, matches
            for t in range(count[row]):
                s, start, stop = state[row, t], begin[row, t], best[row, t]
                rule = rule_of[s] if s >= 0 else ~s
                if start < cut[row, rule]:
                    continue
                if s >= 0:
                    if accept[s] and not (bounded[rule] and word[letter]):
                        stop = at
                    s = move[s, group]
                    if s < 0 and stop < 0:
                        continue
                    if s >= 0 and final[s]:
                        s, stop = DEAD, at + 1
                if s < 0:
                    if not busy >> rule & 1:
                        cut[row, rule] = stop
                        matches = _decide(found, matches, i, rule, start, stop, at + 1)
                        continue
                    s = ~rule
                twin = False
                for j in range(live):
                    twin = twin or (s >= 0 and state[row, j] == s and best[row, j] >= stop)
                if twin:
                    continue
                oldest = at + 1 - longest[rule]
                if start < oldest and stop >= 0:
                    cut[row, rule] = stop
                    matches = _decide(found, matches, i, rule, start, stop, at + 1)
                    for j in range(live):  # older ones slid long ago; what they find begins behind it
                        if (rule_of[state[row, j]] if state[row, j] >= 0 else ~state[row, j]) == rule:
                            begin[row, j] = max(begin[row, j], stop)
                    if s < 0:
                        continue
                    start, stop = stop, -1
                state[row, live], best[row, live] = s, stop
                begin[row, live] = max(start, oldest)
                busy |= 1 << rule
                live += 1
            for o in range(opens[group], opens[group + 1]):
                s = opening[o]
                rule = rule_of[s]
                if at < cut[row, rule] or (bounded[rule] and previous[row] == 1):
                    continue
                twin = False
                for j in range(live):
                    twin = twin or state[row, j] == s
                if twin:
                    continue
                if live == state.shape[1]:
                    live = -1
                    break
                state[row, live], begin[row, live], best[row, live] = s, at, -1
                live += 1
            at += 1
            # behind a backslash a letter is an escape of JSON or of code, and belongs to no word
            previous[row] = (
                2 if letter == 0x5C and previous[row] != 2 else word[letter] * (previous[row] != 2)
            )
            if live < 0 or matches > before:
                mark = at
                for t in range(live if live >= 0 else state.shape[1]):
                    mark = min(mark, begin[row, t])
                for m in range(before, matches):
                    found[m, 5] = mark
                if live < 0:
                    matches = _decide(found, matches, i, -1, mark, at, at)
                    found[matches - 1, 5] = begin[row, 0] = mark
            count[row] = live
        position[row] = at
        mark = at if count[row] >= 0 else begin[row, 0]
        for t in range(count[row]):
            mark = min(mark, begin[row, t])
        upto[i] = mark
    return matches, rows.size
