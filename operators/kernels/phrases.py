"""Phrases found in text with a few errors while it arrives, thousands of phrases at once.

Strategy. Wu and Manber's automaton: at level `d` a bit stands for the first characters of a phrase, and is
set where they end in the text with at most `d` errors. Bits lie across phrases: a word holds one place of 64
of them, so that a step to the next place is the word one row further, no bit is shifted and nothing carried,
and one loop without branches goes through all phrases of a *group* (as many errors, about as long), whatever
the text is. Phrases shorter than the group's rows are matched by anything in the rows above them: there the
bits are always set, which also lets a match begin anywhere, and all phrases end in the last row.

What is looked at phrase by phrase is rare: a match that opens, gets better or ends. Bits do not tell where it
began. That is asked when it is reported, backwards from its end and within the errors it has; then the phrase
starts anew behind that end, over the characters read since. Both cost what a phrase's length allows, once a
match, and matches of a phrase do not overlap: no text makes more of them than it has room for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["BLANK", "CHUNK", "search"]

BLANK = 1
"""The class of white space, a run of which is read as one character. 0: characters of no phrase."""

CHUNK = 64
"""Characters that are read into a group before the next group has its turn."""

_TEXT, _CLOSE = 1, 3  # operators.packet.Kind
_LEVELS, _ROWS, _WORDS, _CELLS, _BITS, _PHRASES, _OPENED, _DUE = range(8)  # of a group
_NEVER = 2**31 - 1
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

_Int = int | np.signedinteger[Any]
_Words = NDArray[np.uint64]
_Arrays = tuple[NDArray[Any], ...]


@kernel
def search(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    tables: _Arrays,
    lanes: _Arrays,
    work: _Arrays,
    most: int,
    found: NDArray[np.int64],
    progress: NDArray[np.int64],
) -> _Int:
    """Matches of a packet. Of those of a phrase that overlap the one with the fewest errors counts.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival; rows below zero and kinds but TEXT and CLOSE are passed by. The whole table
        and read-only, so that there is one type to compile for.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    tables : tuple
        ``classes uint16[c]``, the class of each code point (0 from `c` on). ``groups int64[g, 8]``: levels
        (errors + 1), rows, words of a row, and where its cells, ``bits``, phrases, open matches and words of
        ``due`` begin. ``bits uint64[...]``: for each group ``[classes, rows, words]``, phrase ``64 w + b`` of
        a group at bit `b` of word `w`. ``fresh uint64[...]``, the cells of a new lane. ``letters
        uint16[...]`` and ``bounds int64[p + 1]``: the phrases' classes.
    lanes : tuple, modified
        Of each lane ``cells uint64[rows, ...]`` (for each group ``[levels, rows, words]``), ``open
        uint64[rows, ...]`` (for each group ``[levels, words]``: phrases with a match of at most so many
        errors that is not reported yet), ``due int32[rows, ...]`` (for each word of open matches: when
        the first of them is decided at the latest), ``stop int32[rows, p]`` (where that match ends), ``past
        uint16[rows, keep]`` and ``spots int32[rows, keep]`` (the last characters, and where they stand in the
        lane; at least twice as many as the longest phrase and its errors have), ``read int32[rows]``
        (characters so far, a run of white space counted once, as in ``due`` and ``stop``). An int32 holds
        lanes of two billion characters.
    work : tuple
        Scratch: ``uint64[k]`` twice, as large as the cells of the largest group and a row for each of its
        levels; ``uint16[keep + CHUNK]``, ``int32[keep + CHUNK]``; ``int64[longest phrase + 1]``.
    most : int
        Matches that the phrases can have in CHUNK characters.
    found : int64[at least most, 6]
        Written: delta, phrase, errors, begin and stop (characters of the lane), and how many of those had
        been read when it was decided. By delta, but in no order within one.
    progress : int64[3], modified
        Zero at first: delta, bytes and characters of it that are read. Call again, with `found` taken,
        until ``progress[0]`` is the number of deltas.

    Returns
    -------
    int
        Rows of `found`.

    Notes
    -----
    O(words of the cells) a character, and O(length^2) a match. Allocates nothing.

    References
    ----------
    .. [1] S. Wu, U. Manber, "Fast text searching allowing errors", Comm. ACM 35(10), 1992.
    .. [2] P. Sellers, "The theory and computation of evolutionary distances", J. Algorithms 1(4), 1980.
    """
    classes, groups, bits, fresh, letters, bounds = tables
    cells, opened, due, stops, past, spots, read = lanes
    old, new, recent, where, column = work
    keep = past.shape[1]
    count: _Int = np.int64(0)
    while progress[0] < len(deltas):
        i = progress[0]
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0 or kind not in (_TEXT, _CLOSE):
            progress[0] += 1
            continue
        if count + most > len(found):
            break
        for k in range(keep):
            recent[k], where[k] = past[row, k], spots[row, k]
        begin, end = np.int64(deltas[i]["start"]), np.int64(deltas[i]["end"])
        n: _Int = np.int64(0)
        at: _Int = begin + progress[1]
        place: _Int = np.int64(deltas[i]["begin"]) + progress[2]
        if kind == _TEXT:
            n, at, place = _decode(text, at, end, classes, place, recent, where, keep)
        closes = place if kind == _CLOSE else np.int64(-1)
        before = np.int64(read[row])
        if n or closes >= 0:
            lane = cells[row], opened[row], due[row], stops[row]
            view = recent, where, fresh, letters, bounds, column, found
            for g in range(len(groups)):
                count = _scan(groups[g], bits, lane, old, new, view, keep, before, n, closes, count, i)
            for k in range(keep):
                past[row, k], spots[row, k] = recent[k + n], where[k + n]
            read[row] = before + n
        progress[1], progress[2] = at - begin, place - np.int64(deltas[i]["begin"])
        if closes >= 0 or at >= end:
            progress[0], progress[1], progress[2] = i + 1, 0, 0
    return count


@inner
def _decode(
    text: NDArray[np.uint8], at: _Int, end: _Int, classes: NDArray[np.uint16], place: _Int,
    recent: NDArray[np.uint16], where: NDArray[np.int32], keep: int,
) -> tuple[_Int, _Int, _Int]:  # fmt: skip
    """Read up to CHUNK characters behind the `keep` that are known: how many, and where it goes on in the
    text and in the lane.
    """
    n: _Int = np.int64(0)
    while at < end and n < CHUNK:
        character = np.int64(text[at])
        at += 1
        if character >= 0x80:
            more = 1 if character < 0xE0 else 2 if character < 0xF0 else 3
            character &= 0x3F >> more
            for _ in range(more):
                character = character << 6 | np.int64(text[at]) & 0x3F
                at += 1
        kind = np.int64(classes[character]) if character < len(classes) else np.int64(0)
        if kind != BLANK or recent[keep + n - 1] != BLANK:
            recent[keep + n], where[keep + n] = kind, place
            n += 1
        place += 1
    return n, at, place


@inner
def _scan(
    group: NDArray[np.int64], bits: _Words, lane: _Arrays, old: _Words, new: _Words, view: _Arrays,
    keep: int, before: _Int, n: _Int, closes: _Int, count: _Int, delta: _Int,
) -> _Int:  # fmt: skip
    """The phrases of a group over `n` characters, and the end of the lane if `closes` is its length; the
    number of matches with those it finds.
    """
    cells, opened = lane[0], lane[1]
    recent, where = view[0], view[1]
    # Unsigned: a signed index costs a test for "counted from the end", and nothing would be vectorised.
    levels, words = np.uint64(group[_LEVELS]), np.uint64(group[_WORDS])
    size = np.uint64(group[_ROWS]) * words
    top = levels * (size + words) - words  # the last row of the last level
    loosest = np.uint64(group[_OPENED]) + (levels - _ONE) * words
    first = np.uint64(group[_CELLS])
    for d in range(levels):
        # Above its rows a level has one that is always set: a match may begin anywhere.
        head, source = np.uint64(d) * (size + words), first + np.uint64(d) * size
        for k in range(words):
            old[head + np.uint64(k)] = new[head + np.uint64(k)] = _ALL
        for k in range(size):
            old[head + words + np.uint64(k)] = cells[source + np.uint64(k)]
    last = keep + n
    for x in range(keep, last + (closes >= 0)):
        if x < last:
            _step(old, new, bits, np.uint64(group[_BITS]) + np.uint64(recent[x]) * size, levels, words, size)
            old, new = new, old
        alive = np.uint64(0)
        for k in range(words):
            alive |= old[top + np.uint64(k)] | opened[loosest + np.uint64(k)]
        if alive:
            end, decided = (before + x - keep + 1, where[x] + 1) if x < last else (before + n, closes)
            for k in range(words):
                w = np.uint64(k)
                if old[top + w] | opened[loosest + w]:
                    shift, done = keep - before, x == last
                    count = _judge(group, w, old, lane, view, shift, end, done, count, delta, decided)
    for d in range(levels):
        head, target = np.uint64(d) * (size + words) + words, first + np.uint64(d) * size
        for k in range(size):
            cells[target + np.uint64(k)] = old[head + np.uint64(k)]
    return count


@inner
def _step(
    old: _Words, new: _Words, bits: _Words, at: np.uint64, levels: np.uint64, words: np.uint64,
    size: np.uint64,
) -> None:  # fmt: skip
    """One character, whose bits begin at `at`."""
    for k in range(size):
        i = np.uint64(k)
        new[words + i] = old[i] & bits[at + i]
    for d in range(_ONE, levels):
        less = np.uint64(d - 1) * (size + words)  # where the level of one error less begins
        this = less + size + words
        for k in range(size):
            i = np.uint64(k)
            # It is the next of the phrase, or one too many, or stands for the next, or the next is missing.
            new[this + words + i] = (
                old[this + i] & bits[at + i] | old[less + words + i] | old[less + i] | new[less + i]
            )


@inner
def _judge(
    group: NDArray[np.int64], w: np.uint64, now: _Words, lane: _Arrays, view: _Arrays, shift: _Int,
    end: _Int, closes: bool, count: _Int, delta: _Int, decided: _Int,
) -> _Int:  # fmt: skip
    """What the characters up to `end` mean for the open matches of one word of phrases, all of which are
    reported if the lane `closes`; the number of matches.
    """
    opened, due, stops = lane[1], lane[2], lane[3]
    recent, fresh, letters, bounds, column = view[0], view[2], view[3], view[4], view[5]
    levels, words = np.uint64(group[_LEVELS]), np.uint64(group[_WORDS])
    pitch = np.uint64(group[_ROWS] + 1) * words
    last, least = pitch - words + w, np.uint64(group[_OPENED]) + w  # of level 0
    loosest, slot = least + (levels - _ONE) * words, np.uint64(group[_DUE]) + w
    most = np.int64(levels)
    todo = opened[loosest]
    if end < due[slot] and not closes:
        todo &= ~now[last + (levels - _ONE) * pitch]
    for d in range(levels):
        todo |= now[last + np.uint64(d) * pitch] & ~opened[least + np.uint64(d) * words]
    if not todo:
        return count
    renewed = np.uint64(0)
    while todo:
        bit = todo & (~todo + _ONE)
        todo &= ~bit
        p = group[_PHRASES] + 64 * np.int64(w) + _place(bit)
        phrase = letters[bounds[p] : bounds[p + 1]]
        errors = _level(now, last, pitch, levels, bit)
        best: _Int = _level(opened, least, words, levels, bit)
        if errors < best:
            best, stops[p] = errors, end
        if best < most and (closes or _is_over(errors, best, most, end, np.int64(stops[p]), len(phrase))):
            over, stop = True, np.int64(0)
            while over and best < most:
                stop = stops[p] + shift
                begin = stop - _span(phrase, best, recent, stop, column)
                count = _put(view, count, delta, p, best, begin, stop, decided)
                best, next_stop, over = _search_again(phrase, most, recent, stop, end + shift, column)
                stops[p] = next_stop - shift
                over |= closes
            if stop == end + shift:
                renewed |= bit
            else:
                _resume(group, now, w, bit, column, len(phrase))
        for d in range(levels):
            at = least + np.uint64(d) * words
            opened[at] = opened[at] | bit if best <= np.int64(d) else opened[at] & ~bit
    if renewed:
        _renew(group, now, w, renewed, fresh)
    soonest: _Int = np.int64(_NEVER)
    todo = opened[loosest]
    while todo:
        bit = todo & (~todo + _ONE)
        todo &= ~bit
        p = group[_PHRASES] + 64 * np.int64(w) + _place(bit)
        best = _level(opened, least, words, levels, bit)
        soonest = min(soonest, _latest(np.int64(stops[p]), bounds[p + 1] - bounds[p], best))
    due[slot] = soonest
    return count


@inner
def _put(
    view: _Arrays, count: _Int, delta: _Int, p: _Int, errors: _Int, begin: _Int, stop: _Int, decided: _Int
) -> _Int:
    """Write a match; the number of matches with it."""
    where, found = view[1], view[6]
    found[count, 0], found[count, 1], found[count, 2] = delta, p, errors
    found[count, 3], found[count, 4], found[count, 5] = where[begin], where[stop - 1] + 1, decided
    return count + 1


@inner
def _place(bit: np.uint64) -> np.int64:
    """Which bit of a word it is."""
    place, width = np.uint64(0), np.uint64(32)
    while width:
        if bit >> width:
            place += width
            bit >>= width
        width >>= _ONE
    return np.int64(place)


@inner
def _level(masks: _Words, first: np.uint64, apart: np.uint64, levels: np.uint64, bit: np.uint64) -> np.int64:
    """The first level that has the bit, or as many as there are."""
    for d in range(levels):
        if masks[first + np.uint64(d) * apart] & bit:
            return np.int64(d)
    return np.int64(levels)


@inner
def _latest(stop: _Int, length: _Int, best: _Int) -> _Int:
    """Where a match ends at the latest that overlaps the one up to `stop` and has fewer errors."""
    return stop - 1 + length + best - 1


@inner
def _is_over(errors: _Int, best: _Int, most: _Int, end: _Int, stop: _Int, length: _Int) -> bool:
    """Whether the open match is decided: it has no errors, there are too many now, or nothing that overlaps
    it can have fewer.
    """
    return bool(best == 0 or errors >= most or end >= _latest(stop, length, best))


@inner
def _span(
    phrase: NDArray[np.uint16], errors: _Int, recent: NDArray[np.uint16], stop: _Int,
    column: NDArray[np.int64],
) -> _Int:  # fmt: skip
    """Characters of the shortest text that ends at `stop` and has so many errors, as is known of one."""
    m = np.int64(len(phrase))
    if errors == 0:
        return m
    for k in range(m + 1):
        column[k] = k if k <= errors else errors + 1
    n: _Int = np.int64(0)
    while column[m] != errors and n < m + errors:
        n += 1
        character = recent[stop - n]
        # Outside of this band there are more errors.
        low, high = max(n - errors, np.int64(1)), min(n + errors, m)
        older = column[low - 1]
        left = n if low == 1 else errors + 1
        column[low - 1] = left
        for k in range(np.uint64(low), np.uint64(high + 1)):
            j = np.uint64(k)
            above = older + (phrase[np.uint64(m) - j] != character)
            older = column[j]
            left = min(above, min(older, left) + 1)
            column[j] = left
    return n


@inner
def _search_again(
    phrase: NDArray[np.uint16], most: _Int, recent: NDArray[np.uint16], at: _Int, end: _Int,
    column: NDArray[np.int64],
) -> tuple[_Int, _Int, bool]:  # fmt: skip
    """Look for a phrase from `at` on, as if nothing stood before: errors of its first match, where it ends,
    and whether that is decided. `column` has the errors of each first part of the phrase then, where they
    are below `most`, and `most` or more elsewhere.
    """
    m = np.int64(len(phrase))
    for k in range(m + 1):
        column[k] = min(k, most)
    best, stop = most, at
    deepest = most - 1  # the longest part with fewer errors: one more than that is all that can change
    while at < end:
        character = recent[at]
        at += 1
        older, left = np.int64(0), np.int64(0)
        for k in range(_ONE, np.uint64(min(deepest + 1, m) + 1)):
            j = np.uint64(k)
            above = older + (phrase[j - _ONE] != character)
            older = column[j]
            left = min(above, min(older, left) + 1)
            column[j] = left
        deepest = min(deepest + 1, m)
        while column[deepest] >= most:
            deepest -= 1
        if column[m] < best:
            best, stop = column[m], at
        if best < most and _is_over(column[m], best, most, at, stop, m):
            return best, stop, True
    return best, stop, False


@inner
def _renew(group: NDArray[np.int64], now: _Words, w: np.uint64, bits: np.uint64, fresh: _Words) -> None:
    """Let phrases start anew behind this character."""
    levels, rows, words = np.uint64(group[_LEVELS]), np.uint64(group[_ROWS]), np.uint64(group[_WORDS])
    source = np.uint64(group[_CELLS]) + w
    for d in range(levels):
        target = (np.uint64(d) * (rows + _ONE) + _ONE) * words + w
        for k in range(rows):
            at = target + np.uint64(k) * words
            now[at] = now[at] & ~bits | fresh[source] & bits
            source += words


@inner
def _resume(
    group: NDArray[np.int64], now: _Words, w: np.uint64, bit: np.uint64, column: NDArray[np.int64],
    length: int,
) -> None:  # fmt: skip
    """Let a phrase go on with the errors that each first part of it has."""
    words, rows = np.uint64(group[_WORDS]), np.int64(group[_ROWS])
    for d in range(group[_LEVELS]):
        at = np.uint64(d * (rows + 1) + rows - length + 1) * words + w
        for j in range(_ONE, np.uint64(length + 1)):
            now[at] = now[at] | bit if column[np.uint64(j)] <= d else now[at] & ~bit
            at += words
