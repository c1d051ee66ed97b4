"""Walk rules over the readings of text that arrives in pieces, all starts of all rules alive at once.

Strategy. All rules of a bank are one anchored automaton. A *thread* is a start that may still become a
match: the automaton's state and where it began. Every symbol steps every thread of its walker and
begins one more; threads of one state have one future, so only the earliest lives on, and a few are
alive at a time. A state that accepts makes an *entry*: rule, begin, stop. Per rule entries are
leftmost, then longest, and an entry is decided when no thread is alive that began as early as it did:
then nothing can extend it or come before it. The text before the earliest live thread is decided for
good. That is the walker's watermark, and the only text it holds back is what could still match; the
lane's is the least of its walkers'.

A *walker* is one reading of the lane's text (the text itself, its letters, what a decoder found in it)
with the bank of rules that belongs to it. Begins and stops are characters of the original text in all
of them.

Two threads of one state are both kept where an entry lies between their begins: the earlier one
overlaps it and cannot match that rule again, the later one can.

A thread that grows older than its state may hold back slides along behind the reading position. An
entry it leaves behind is decided as it stands (*open*), before a character of it can leave, and what
the thread accepts from there on is a further entry that begins where the open one stopped.

Escaped text is walked from some way before its first escape, where nobody knows what began earlier. What ends
before the escape has been told by the walkers of the text as it stands, who do; it is walked, but not told
again, and gives way to what begins within it and goes on.

Where a rule's match must be checked outside (a checksum, words before it), the kernel stops before
the symbol that would accept it, and is called again with the answers: nothing has been changed by then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel
from operators.kernels.lazy import stride

__all__ = ["advance"]

_BREAK, _EDGE, _REPEAT = 1, 2, 0xFFFE
_NOW, _LATER, _FINAL = 1, 2, 8
_RULE, _BEGIN, _STOP, _STATUS = range(4)  # of an entry
_BASE, _OTHER, _FLAGS, _HOLD = range(4)  # of a state
_PENDING, _CLOSED, _OPEN, _REFUSED = 0, 1, 2, 3
_NO, _YES, _NEVER = 0, 1, 2  # answers
_ONCE = 2  # checked: the answer is one for all ends of a begin
_NOWHERE = 2**31 - 1
_MARGIN = 64  # below `limit`, as far as a thread of an open rule is let grow by what is no symbol
_BUILT_ON = 0xBCF4F4B3
"""CRC-32 of lazy.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_lazy.py`` tells the number)."""


@inner
def _tell(
    found: NDArray[np.int32],
    m: np.int64,
    where: NDArray[np.int64],
    rule: np.int64,
    begin: np.int64,
    stop: np.int64,
    more: np.int64,
) -> np.int64:
    """Write one match, but for one that another walker has told; the number of matches with it."""
    if rule >= 0 and stop <= where[3]:
        return m
    found[m, 0], found[m, 1], found[m, 2], found[m, 3] = where[0], rule, begin, stop
    found[m, 4], found[m, 5], found[m, 6], found[m, 7] = where[1], more, where[2], where[4]
    return m + 1


@inner
def _move(entries: NDArray[np.int32], source: np.int64, target: np.int64) -> None:
    """Put an entry in the place of another."""
    for field in range(4):
        entries[target, field] = entries[source, field]


@inner
def _span(entries: NDArray[np.int32], e: np.int64) -> tuple[np.int64, np.int64, np.int64]:
    """Rule, begin and stop of an entry."""
    return np.int64(entries[e, _RULE]), np.int64(entries[e, _BEGIN]), np.int64(entries[e, _STOP])


@inner
def _taken(
    rule: np.int64, begin: np.int64, stop: np.int64, entries: NDArray[np.int32], n: np.int64, again: np.int64
) -> bool:
    """Whether a match of the rule overlaps one that was closed, or one further left; what ends up to `again`
    counts against its like alone.
    """
    for e in range(n):
        older = entries[e, _STATUS] == _CLOSED or (
            entries[e, _STATUS] == _PENDING and entries[e, _BEGIN] < begin
        )
        gives_way = entries[e, _STOP] <= again < stop and entries[e, _BEGIN] < begin
        if older and not gives_way and entries[e, _RULE] == rule and begin < entries[e, _STOP]:
            return True
    return False


@inner
def _allowed(hold: np.int32, loose: np.int64, most: np.int64) -> np.int64:
    """Characters of the text that a thread may grow to: what it may hold, and those that were no symbol."""
    return max(min(np.int64(hold) + loose, most), np.int64(hold))


@inner
def _accept(
    found: NDArray[np.int32], m: np.int64, where: NDArray[np.int64], eager: np.int64, late: np.int64,
    rule: np.int64, begin: np.int64, stop: np.int64, entries: NDArray[np.int32], n: np.int64,
    checked: NDArray[np.uint8],
) -> tuple[np.int64, np.int64]:  # fmt: skip
    """Enter a match; the numbers of matches told and of entries. A `late` one is of a thread that has
    slid: what comes next may be a part of it or a match of its own, and must be covered either way.
    """
    for e in range(n * late):  # it has slid into what it left behind itself
        ours = entries[e, _RULE] == rule and entries[e, _STATUS] == _PENDING
        if ours and entries[e, _BEGIN] < begin <= entries[e, _STOP]:
            entries[e, _STOP] = max(stop, np.int64(entries[e, _STOP]))
            return m, n
    if _taken(rule, begin, stop, entries, n, where[3]):
        return m, n
    for e in range(n):
        ours = entries[e, _RULE] == rule and entries[e, _STATUS] == _OPEN
        if ours and begin <= entries[e, _STOP] <= where[3] < stop:  # it was not told: it is told with this
            begin, late = min(begin, np.int64(entries[e, _BEGIN])), np.int64(0)
            entries[e, _STATUS] = _PENDING
        elif ours and begin <= entries[e, _STOP]:
            begin, late = np.int64(entries[e, _STOP]), np.int64(0)  # a further part of that
    if begin >= stop:
        return m, n
    kept = np.int64(0)
    for e in range(n):  # what it overlaps further right is no match of its own; itself may have been shorter
        if (
            entries[e, _RULE] != rule
            or entries[e, _STATUS] != _PENDING
            or not begin <= entries[e, _BEGIN] < stop
        ):
            _move(entries, np.int64(e), kept)
            kept += 1
        elif entries[e, _BEGIN] == begin:
            stop = max(stop, entries[e, _STOP])
    if kept == entries.shape[0]:  # the leftmost has waited longest, but what was asked must stay known
        oldest, own = np.int64(-1), np.int64(-1)
        for e in range(kept):
            lives = entries[e, _STATUS] == _PENDING or entries[e, _STATUS] == _OPEN
            if lives and checked[entries[e, _RULE]]:
                if entries[e, _RULE] == rule and entries[e, _STATUS] == _OPEN:
                    own = np.int64(e)
            elif oldest < 0 or entries[e, _BEGIN] < entries[oldest, _BEGIN]:
                oldest = np.int64(e)
        if oldest < 0:
            if own >= 0:
                entries[own, _STOP] = max(stop, np.int64(entries[own, _STOP]))
            return _tell(found, m, where, rule, begin, stop, np.int64(1)), kept
        if entries[oldest, _STATUS] == _PENDING:
            m = _tell(found, m, where, *_span(entries, oldest), np.int64(1))
        kept -= 1
        _move(entries, kept, oldest)
    entries[kept, _RULE], entries[kept, _BEGIN], entries[kept, _STOP] = rule, begin, stop
    entries[kept, _STATUS] = _PENDING
    if eager or late:
        entries[kept, _STATUS] = _CLOSED if eager else _OPEN
        m = _tell(found, m, where, rule, begin, stop, late)
    return m, kept + 1


@inner
def _settle(
    found: NDArray[np.int32], m: np.int64, where: NDArray[np.int64], low: np.int64, slid: np.int64,
    entries: NDArray[np.int32], n: np.int64,
) -> tuple[np.int64, np.int64]:  # fmt: skip
    """Decide the entries that no thread is as early as; forget those that no thread overlaps."""
    kept = np.int64(0)
    for e in range(n):
        if entries[e, _STATUS] == _PENDING and low > entries[e, _BEGIN]:
            entries[e, _STATUS] = _OPEN if slid else _CLOSED
            m = _tell(found, m, where, *_span(entries, np.int64(e)), slid)
        if entries[e, _STATUS] == _PENDING or low < entries[e, _STOP]:
            _move(entries, np.int64(e), kept)
            kept += 1
    return m, kept


@kernel
def advance(
    rows: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    places: NDArray[np.int32],
    char_at: NDArray[np.int32],
    lengths: NDArray[np.int64],
    close_kind: int,
    limit: int,
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    symbols: NDArray[np.int32],
    tables: tuple[NDArray[Any], ...],
    memory: tuple[NDArray[Any], ...],
    lanes: tuple[NDArray[Any], ...],
    marks: NDArray[np.int32],
    upto: NDArray[np.int32],
    leads: NDArray[np.int32],
    found: NDArray[np.int32],
    asked: NDArray[np.int32],
    answers: NDArray[np.uint8],
    events: NDArray[np.int64],
    progress: NDArray[np.int64],
) -> tuple[np.int64, int]:
    """Read every delta from ``progress[0]`` up to ``progress[1]``; write matches and watermarks.

    Parameters
    ----------
    rows, kinds : [n]
        Columns of the packet's deltas.
    places, char_at : int32[n]
        How many places of `marks` a delta has (its characters, 1 for the close of a lane, -1 for what is
        neither), and the first of them.
    lengths : int64[n]
        Characters of the lane before each delta.
    close_kind : int
        The value of `kinds` that means the end of a lane.
    limit : int
        Characters that a lane may hold back. One that would hold back more cannot be decided.
    first, last : int32[n, readings]
        The symbols of each delta in each reading.
    symbols : int32[s, 4]
        From `kernels.reading`: what is read; begin and stop of the characters of the lane it stands for; the
        place in `marks` of the character with which it was known.
    tables : tuple
        ``walkers int32[w, 7]`` (reading, bank, 1 if it holds text back, begin and end of its threads, begin
        and end of its entries); ``word``, ``opening_at``, ``opening``, ``states``, ``cells`` of
        :class:`operators.automaton.Automaton`; then its ``now_at now later_at later lead edge checked
        eager``. A step touches two lines of the cache.
    memory : tuple, modified
        From :func:`operators.kernels.lazy.memory`.
    lanes : tuple, modified
        ``stuck uint8[lanes]``, ``vetted int32[lanes]``, and per walker ``previous uint8[lanes, w]``,
        ``ended int32[lanes, w]`` (where the last symbol stopped), ``loose int32[lanes, w]`` (characters that
        were no symbol of their own since threads are alive), ``again int32[lanes, w]`` (where the text ends
        that the parent of its layer has said), ``live int16[lanes, w]`` (threads), ``entered int16[lanes,
        w]`` (entries), and of all walkers ``state int32[lanes, threads]``, ``start int32[lanes, threads]``,
        ``entry int32[lanes, entries, 4]`` (rule, begin, stop, status).
    marks : int32[places], modified
        Watermarks as far as the readings hold back; on return, the lane's after each character.
    upto, leads : int32[n]
        Written: the lane's watermark after each text and close, else -1; and the lowest rule of those
        that hold back what follows it, or -1.
    found : int32[m, 8]
        Written: delta, rule, begin, stop, place in `marks` at which it was decided, 1 if it was still
        growing, walker, the lane's watermark before the delta. Rule -1: more threads than there is room for,
        or more text than `limit`; the lane stays undecided from there on.
    asked : int32[a, 5]
        Written: delta, walker, rule, begin and stop of the matches to check. a is at least the threads
        of a walker, and one, times the most rules that one state accepts, and m more than 2 a + e + 2.
    answers : uint8[a]
        The answers to what was asked last: 0 no, 1 yes, 2 no, whatever the stop. Where ``checked`` is 2 a
        yes goes for all stops.
    events : int64[a, 5]
        Scratch.
    progress : int64[6], modified
        Delta and end of deltas; within the delta, walker and symbol (counted from 1; 0: its first) to go
        on with; answers for that symbol, counted from 1 (0: nothing was asked); place from which on the
        lane is frozen, counted from 1.

    Returns
    -------
    tuple of int
        Rows of `found`, rows of `asked`. Call again, with the answers and `found` taken, until
        ``progress[0] == progress[1]``.

    Notes
    -----
    O(symbols) where it is known how the threads step (:func:`lazy.stride`); else O(symbols x threads), times
    the entries where threads meet in a state. No allocation.
    """
    walkers, word, opening_at, opening, about, moves = tables[:6]
    now_at, now, later_at, later, lead, edge, checked, eager = tables[6:]
    sets, heads, ways, far, origins, begins, used = memory
    stuck, vetted, previous, ended, loose, again, live, entered, states, begun, entry = lanes
    most = np.int64(limit - _MARGIN)
    room = found.shape[0] - 2 * asked.shape[0] - entry.shape[1] - 2
    where = events[events.shape[0] - 1]
    m = np.int64(0)
    while progress[0] < progress[1]:
        i = progress[0]
        row = rows[i]
        if row < 0 or places[i] < 0:
            progress[0] += 1
            continue
        closing = kinds[i] == close_kind
        place, behind = np.int64(char_at[i]), np.int64(char_at[i] + places[i])
        if stuck[row]:
            for c in range(place, behind):
                marks[c] = vetted[row]
            upto[i] = vetted[row]
            progress[0] += 1
            continue
        for w in range(progress[2], walkers.shape[0]):
            reading, bank, holds = walkers[w, 0], walkers[w, 1], walkers[w, 2]
            ours, past = first[i, reading], last[i, reading]
            if ours == past and live[row, w] == 0:
                continue
            words, opens = word[reading & 1], opening_at[bank]
            loosely, last_stop = np.int64(loose[row, w]), np.int64(ended[row, w])
            own, beyond = walkers[w, 3], walkers[w, 4]
            state, start = states[row, own:beyond], begun[row, own:beyond]
            entries = entry[row, walkers[w, 5] : walkers[w, 6]]
            count, n, before = np.int64(live[row, w]), np.int64(entered[row, w]), np.int64(previous[row, w])
            low, reached = _NOWHERE, 0
            for t in range(count):
                low = min(low, start[t])
                reached |= about[state[t], _FLAGS]
            where[3], where[4] = again[row, w], vetted[row]
            over = False
            k = ours
            j = place
            if progress[3]:
                k = progress[3] - 1
                j = np.int64(symbols[k, 3]) if k < past else behind - 1
            where[0], where[2] = i, w
            while k < past + closing:
                if not n and not reached & _LATER and not progress[4]:
                    k, count, before, loosely, last_stop, j = stride(
                        symbols, k, past, bank, words, opens, opening, about, moves, sets, heads, ways, far,
                        origins, begins, used, state, start, count, before, loosely, last_stop, holds, marks,
                        j,
                    )  # fmt: skip
                    low, reached = _NOWHERE, 0
                    for t in range(count):
                        low = min(low, start[t])
                        reached |= about[state[t], _FLAGS]
                    if k == past + closing:
                        break
                symbol, at, stop = np.int64(_BREAK), np.int64(behind - 1), last_stop
                if k < past:
                    symbol, at = np.int64(symbols[k, 0]), np.int64(symbols[k, 3])
                if symbol == _REPEAT:
                    symbol, where[3] = np.int64(_BREAK), symbols[k, 2]
                where[1] = at
                if holds:
                    for c in range(j, at):
                        marks[c] = min(marks[c], low)
                j = at
                boundary = symbol <= _EDGE or not words[symbol]
                # what the threads have reached counts, if what comes lets it
                asks, heard = 0, 0
                if reached & _LATER or m > room:
                    for t in range(count):
                        for a in range(later_at[state[t]], later_at[state[t] + 1]):
                            rule, begin = np.int64(later[a]), np.int64(start[t])
                            if edge[rule] and not boundary:
                                continue
                            late = begin <= stop - _allowed(about[state[t], _HOLD], loosely, most)
                            yes, refused = checked[rule] == 0, late  # where it began is not known any more
                            for e in range(n * (not yes)):
                                if entries[e, _RULE] == rule and entries[e, _BEGIN] == begin:
                                    refused |= entries[e, _STATUS] == _REFUSED
                                    yes |= entries[e, _STATUS] == _PENDING and checked[rule] == _ONCE
                                elif entries[e, _RULE] == rule and entries[e, _STATUS] == _OPEN:
                                    yes |= begin <= entries[e, _STOP]
                                elif entries[e, _RULE] == rule and entries[e, _STATUS] == _PENDING and late:
                                    yes |= entries[e, _BEGIN] < begin <= entries[e, _STOP]
                            for q in range(progress[4] - 1):
                                if asked[q, 2] == rule and asked[q, 3] == begin:
                                    yes = answers[q] == _YES
                                    refused |= answers[q] == _NEVER
                                    if answers[q] == _NEVER and 2 * n < entries.shape[0]:
                                        entries[n, _RULE], entries[n, _BEGIN] = rule, begin
                                        entries[n, _STOP], entries[n, _STATUS] = begin + 1, _REFUSED
                                        n += 1
                            if yes:
                                events[heard, 0], events[heard, 1], events[heard, 2] = rule, begin, stop
                                events[heard, 3] = late
                                heard += 1
                            elif (
                                not refused
                                and not progress[4]
                                and not _taken(rule, begin, stop, entries, n, where[3])
                            ):
                                asked[asks, 0], asked[asks, 1], asked[asks, 2] = i, w, rule
                                asked[asks, 3], asked[asks, 4] = begin, stop
                                asks += 1
                    if asks or m > room:
                        live[row, w], entered[row, w], previous[row, w] = count, n, before
                        loose[row, w], ended[row, w], again[row, w] = loosely, last_stop, where[3]
                        progress[2], progress[3], progress[4] = w, k + 1, 0
                        return m, asks
                progress[4] = 0
                slid, stepped = np.int64(0), False
                while True:
                    for h in range(heard):
                        rule, begin = events[h, 0], events[h, 1]
                        at_once = np.int64(eager[rule])
                        m, n = _accept(
                            found, m, where, at_once, events[h, 3], rule, begin, events[h, 2], entries, n,
                            checked,
                        )  # fmt: skip
                    if stepped:
                        break
                    heard, fresh, reached, stepped = 0, np.int64(0), 0, True
                    if symbol == _BREAK:
                        count = before = np.int64(0)
                        continue
                    if symbol == _EDGE:
                        before = np.int64(0)
                        for t in range(count):
                            flag = about[state[t], _FLAGS]
                            if not flag & _FINAL:
                                state[fresh], start[fresh] = state[t], start[t]
                                reached |= flag
                                fresh += 1
                        count = fresh
                        continue
                    stop = np.int64(symbols[k, 2])
                    loosely = loosely + max(stop - last_stop - 1, np.int64(0)) if count else np.int64(0)
                    free = 0 if before else 1
                    behind_these = opens[free, symbol] - count
                    for t in range(opens[free, symbol + 1] - behind_these):
                        if t < count:
                            s, b = np.int64(state[t]), np.int64(start[t])
                            way = about[s, _BASE] + symbol
                            s = np.int64(moves[way, 1] if moves[way, 0] == s else about[s, _OTHER])
                            if s < 0:
                                continue
                        else:
                            s, b = np.int64(opening[behind_these + t]), np.int64(symbols[k, 1])
                        flag = about[s, _FLAGS]
                        allowed = _allowed(about[s, _HOLD], loosely, most)
                        if flag & _NOW:
                            for a in range(now_at[s], now_at[s + 1]):
                                events[heard, 0], events[heard, 1], events[heard, 2] = now[a], b, stop
                                events[heard, 3] = b < stop - allowed
                                heard += 1
                        if flag & _FINAL and not flag & _LATER:
                            continue
                        if b < stop - allowed:
                            for a in range(
                                later_at[s], later_at[s + 1]
                            ):  # before a character of it can leave
                                sure = checked[later[a]] == 0
                                for e in range(n):
                                    known = entries[e, _STATUS] == _PENDING and (
                                        entries[e, _BEGIN] <= b <= entries[e, _STOP]
                                    )
                                    known |= entries[e, _STATUS] == _OPEN and b <= entries[e, _STOP]
                                    sure |= known and entries[e, _RULE] == later[a]
                                if sure:
                                    events[heard, 0], events[heard, 1], events[heard, 2] = later[a], b, stop
                                    events[heard, 3] = 1
                                    heard += 1
                            slid, b = np.int64(1), stop - allowed
                        twin = -1
                        for q in range(fresh):
                            if state[q] == s:
                                one, two, apart = min(b, start[q]), max(b, start[q]), False
                                for e in range(n):
                                    apart |= entries[e, _BEGIN] <= one < entries[e, _STOP] <= two
                                if not apart:
                                    twin = q
                        if twin >= 0:
                            start[twin] = min(start[twin], b)
                        elif fresh == state.size:
                            over = holds == 1  # what is only detected may be missed, what is held may not
                            break
                        else:
                            state[fresh], start[fresh] = s, b
                            reached |= flag
                            fresh += 1
                    count = fresh
                    before = np.int64(words[symbol])
                    last_stop = stop
                low = _NOWHERE
                for t in range(count):
                    low = min(low, start[t])
                if n:
                    m, n = _settle(found, m, where, np.int64(low), slid, entries, n)
                if over:
                    m = _tell(found, m, where, np.int64(-1), np.int64(low), stop, np.int64(0))
                    if not progress[5] or at < progress[5]:
                        progress[5] = at + 1
                    break
                k += 1
            live[row, w], entered[row, w], previous[row, w] = count, n, before
            loose[row, w], ended[row, w], again[row, w] = loosely, last_stop, where[3]
            if holds and not over:
                for c in range(j, behind):
                    marks[c] = min(marks[c], low)
            progress[3] = 0
        progress[2] = progress[3] = 0
        undecided = progress[5] > 0
        frozen = progress[5] - 1 if undecided else behind
        progress[5] = 0
        mark = vetted[row]
        for c in range(place, frozen):
            mark = max(mark, marks[c])
            marks[c] = mark
            if (
                lengths[i] + c - place - mark >= limit
            ):  # only what is stuffed with unseen characters is so long
                where[0], where[1], where[4] = i, c, vetted[row]
                m = _tell(found, m, where, np.int64(-1), np.int64(mark), np.int64(mark), np.int64(0))
                undecided, frozen = True, c + 1
                break
        for c in range(frozen, behind):
            marks[c] = mark
        stuck[row] = undecided
        vetted[row] = upto[i] = mark
        leads[i] = -1
        for w in range(walkers.shape[0]):
            if walkers[w, 2]:
                for t in range(walkers[w, 3], walkers[w, 3] + live[row, w]):
                    if begun[row, t] <= mark and (leads[i] < 0 or lead[states[row, t]] < leads[i]):
                        leads[i] = lead[states[row, t]]
        progress[0] += 1
    return m, 0
