"""Remember how sets of threads step: the automaton of all starts at once, made as text asks for it.

Strategy. In nearly all text the threads of a walker stand in a few thousand sets of states, again and
again. The set that a set leads to with a symbol is worked out once and kept: a step is then one look at a
table (the lazy subset construction of RE2 and grep). Threads that began together are a *group*; each way
says which group of the set that it leads to was which of the set that it comes from, and the few begins
move along, as the registers of a tagged automaton (Laurikari 2000) do. Only a step in which nothing is told
is kept. Where a rule may match, a thread may have grown too old, or there are many, `kernels.match` steps
thread by thread, and its answer is the same.

What is kept changes the cost and nothing else. It is no part of a lane's state, all lanes that one
thread of the process walks have it in common, and when it is full it is forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = ["memory", "stride"]

_SETS, _DENSE, _FAR = 1 << 15, 128, 1 << 15  # sets; symbols with a place in each set's row; ways for others
_MOST, _GROUPS = 27, 6  # threads and groups of a set that is kept
_NONE, _FRESH = _GROUPS, 7  # in the place of a group: there is none; it begins here
_MAY, _TO = 1 << _GROUPS + 1, _GROUPS + 2  # of a way: something may match there; where the set stands
_COUNT, _BANK, _LATER_THAN, _STATES = range(4)  # of a set
_REACHED, _LEAST_HOLD = _STATES + _MOST, _STATES + _MOST + 1
_BASE, _OTHER, _FLAGS, _HOLD = range(4)  # of a state
_NOW, _LATER, _FINAL = 1, 2, 8
_BREAK, _EDGE, _REPEAT = 1, 2, 0xFFFE
_ALONE = -1  # a way that the threads must take one by one
_Int = int | np.signedinteger[Any]
_wide: Any = np.int64
"""Numbers are widened where they are read, so that every function is compiled for one type of them."""
_NOWHERE = 2**31 - 1
_SOON = 16  # characters; a younger thread is not asked what it may hold, and none in a set holds less


def _origins(lives: int) -> int:
    was = [group for group in range(_GROUPS) if lives >> group & 1] + [_FRESH] * (lives >> _GROUPS)
    return sum(each << 3 * group for group, each in enumerate((was + [_NONE] * _GROUPS)[:_GROUPS]))


def memory() -> tuple[NDArray[Any], ...]:
    """An empty memory: 21 MiB, of which the system gives what is used.

    Returns
    -------
    tuple
        ``sets`` int32[sets, 32]: threads; 1 behind a word character, bank (2), room for threads; a bit for
        each thread that began later than the one before it; the states; at the end the flags of all states,
        and the least that one of them holds. ``heads`` int32[2 sets]: sets by their hash. ``ways``
        int32[sets, 128]: from each set with each of the first symbols, and ``far`` int64[32768, 2] with
        others, by hash. A way, from the lowest bit: the groups that live on (6), 1 if one begins, 1 if
        something may match then, the set; 0 if it is not known yet. ``origins`` int32[128]: for the groups
        that live on and a new one, what each was (3 each). ``begins`` int64[8]: of the groups. ``used``
        int64[2]: sets and far ways.
    """
    return (
        np.zeros((_SETS, _LEAST_HOLD + 1), np.int32),
        np.zeros(2 * _SETS, np.int32),
        np.zeros((_SETS, _DENSE), np.int32),
        np.zeros((_FAR, 2), np.int64),
        np.array([_origins(lives) for lives in range(2 << _GROUPS)], np.int32),
        np.zeros(_FRESH + 1, np.int64),
        np.zeros(2, np.int64),
    )


@inner
def _known(sets: NDArray[np.int32], heads: NDArray[np.int32], used: NDArray[np.int64]) -> Any:
    """The number of the set that is written behind the last one; it stays there if it is new."""
    new = _wide(used[0] + 1)
    size = _STATES + sets[new, _COUNT]
    mixed = _wide(0)
    for field in range(size):
        mixed = (mixed ^ _wide(sets[new, field])) * 0x01000193 & 0xFFFFFFFF
        mixed ^= mixed >> 13
    mask = heads.size - 1
    at = mixed & mask
    while heads[at]:
        old, same = _wide(heads[at]), True
        for field in range(size):
            same &= sets[old, field] == sets[new, field]
        if same:
            return old
        at = at + 1 & mask
    heads[at] = new
    used[0] = new
    return new


@inner
def _describe(sets: NDArray[np.int32], here: _Int, about: NDArray[np.int32]) -> None:
    """What the states of a new set have in common."""
    sets[here, _REACHED], sets[here, _LEAST_HOLD] = 0, _NOWHERE
    for t in range(sets[here, _COUNT]):
        s = sets[here, _STATES + t]
        sets[here, _REACHED] |= about[s, _FLAGS]
        sets[here, _LEAST_HOLD] = min(sets[here, _LEAST_HOLD], about[s, _HOLD])


@inner
def _learnt(
    here: _Int, symbol: _Int, words: NDArray[np.uint8], opens: NDArray[np.int32],
    opening: NDArray[np.int32], about: NDArray[np.int32], moves: NDArray[np.int32],
    sets: NDArray[np.int32], heads: NDArray[np.int32], used: NDArray[np.int64],
) -> Any:  # fmt: skip
    """The way from set `here` with `symbol`, as :func:`memory` describes ways; `_ALONE` if the threads must
    take it one by one: something is told at once, too many threads or groups, a state that holds less than
    `_SOON`; or the matcher must know of the symbol. The set it leads to is kept if it is new.
    """
    if symbol == _REPEAT:
        return _wide(_ALONE)
    new = used[0] + 1
    count, free = _wide(sets[here, _COUNT]), 1 - (sets[here, _BANK] & 1)
    fresh = _wide(0)
    groups, was, whose, bits = _wide(0), _wide(0), _wide(-1), _wide(0)
    group, lives = _wide(-1), _wide(0)
    begins = opens[free, symbol] - count
    stepping = symbol > _EDGE
    for t in range(opens[free, symbol + 1] - begins if stepping else count * (symbol == _EDGE)):
        if t < count:
            group += t == 0 or sets[here, _LATER_THAN] >> t & 1
            was, s = group, _wide(sets[here, _STATES + t])
            if stepping:
                way = about[s, _BASE] + symbol
                s = _wide(moves[way, 1] if moves[way, 0] == s else about[s, _OTHER])
            if s < 0:
                continue
        else:
            was, s = _wide(_FRESH), _wide(opening[begins + t])
        flag = about[s, _FLAGS]
        if flag & _NOW and stepping:
            return _wide(_ALONE)
        if flag & _FINAL and not (flag & _LATER and stepping):
            continue
        twin = False
        for q in range(fresh):
            twin |= sets[new, _STATES + q] == s
        if twin:  # begins ascend: the first is the earliest
            continue
        if was != whose:
            if groups == _GROUPS:
                return _wide(_ALONE)
            lives |= _wide(1) << min(was, _wide(_GROUPS))
            bits |= _wide(groups > 0) << fresh
            groups, whose = groups + 1, was
        if fresh == sets[here, _BANK] >> 3 or about[s, _HOLD] < _SOON:
            return _wide(_ALONE)
        sets[new, _STATES + fresh] = s
        fresh += 1
    word = _wide(words[symbol]) if stepping else _wide(0)
    sets[new, _COUNT], sets[new, _BANK] = fresh, sets[here, _BANK] & ~1 | word
    sets[new, _LATER_THAN] = bits
    target = _known(sets, heads, used)
    if target == new:
        _describe(sets, target, about)
    return lives | (_MAY if sets[target, _REACHED] & _LATER else 0) | target << _TO


@inner
def stride(
    symbols: NDArray[np.int32], k: _Int, past: _Int, bank: _Int, words: NDArray[np.uint8],
    opens: NDArray[np.int32], opening: NDArray[np.int32], about: NDArray[np.int32], moves: NDArray[np.int32],
    sets: NDArray[np.int32], heads: NDArray[np.int32], ways: NDArray[np.int32], far: NDArray[np.int64],
    origins: NDArray[np.int32], begins: NDArray[np.int64], used: NDArray[np.int64],
    state: NDArray[np.int32], start: NDArray[np.int32], count: _Int, before: _Int,
    loosely: _Int, last_stop: _Int, holds: _Int, marks: NDArray[np.int32], j: _Int,
) -> tuple[Any, Any, Any, Any, Any, Any]:  # fmt: skip
    """Step all threads of a walker, symbol by symbol, as long as nothing is told.

    Parameters
    ----------
    symbols, k, past
        As ``match.advance`` has them: rows k to past are to be read.
    bank, words, opens, opening, about, moves
        The walker's bank, which characters are of words, and the tables that it walks.
    sets, heads, ways, far, origins, begins, used
        From :func:`memory`. Modified.
    state, start, count, before, loosely, last_stop
        The walker's threads and what it knows of the symbol before. There must be no entries, and no thread
        that has reached a match. Modified.
    holds, marks, j
        Whether it holds text back; the watermarks, written from place j on.

    Returns
    -------
    tuple of int
        k of the next symbol, count, before, loosely, last_stop and j, as they are then.

    Notes
    -----
    O(symbols + threads). A new way costs the square of its threads. When the memory is full, the next call
    wipes it first (up to 17 MiB written): at most once for 32,000 new sets or 16,000 far ways.
    """
    if used[0] > _SETS - 4 or 2 * used[1] > _FAR:
        for old in range(_wide(used[0]) + 1):
            for symbol in range(_DENSE):
                ways[old, symbol] = 0
        for place in range(heads.size):
            heads[place] = 0
        for place in range(_FAR):
            far[place, 0] = far[place, 1] = 0
        used[0] = used[1] = 0
    new, groups, bits = used[0] + 1, _wide(0), _wide(0)
    for t in range(min(count, _MOST)):
        sets[new, _STATES + t] = state[t]
        if t == 0 or start[t] > start[t - 1]:
            bits |= _wide(t > 0) << t
            begins[min(groups, _GROUPS)] = start[t]
            groups += 1
        elif start[t] < start[t - 1]:
            groups = _wide(_GROUPS + 1)
    if count > _MOST or groups > _GROUPS:
        return k, count, before, loosely, last_stop, j
    for group in range(_FRESH):
        begins[group] = begins[group] if group < groups else _NOWHERE
    sets[new, _COUNT], sets[new, _BANK] = count, min(state.size, _MOST) << 3 | bank << 1 | before
    sets[new, _LATER_THAN] = bits
    here = _known(sets, heads, used)
    if here == new:
        _describe(sets, here, about)
    low = begins[0]
    while k < past:
        u = np.uint64(k)
        symbol = _wide(symbols[u, 0])
        key, slot = here << 16 | symbol, _wide(0)
        if symbol < _DENSE:
            way = _wide(ways[np.uint64(here), np.uint64(symbol)])
        else:
            slot = key * 0x9E3779B1 >> 15 & _FAR - 1
            while far[slot, 0] and far[slot, 0] != key:
                slot = slot + 1 & _FAR - 1
            way = _wide(far[slot, 1])
        if not way:
            if used[0] > _SETS - 4 or 2 * used[1] > _FAR:
                break
            way = _learnt(here, symbol, words, opens, opening, about, moves, sets, heads, used)
            if symbol < _DENSE:
                ways[here, symbol] = way
            else:
                far[slot, 0], far[slot, 1] = key, way
                used[1] += 1
        if way < 0:
            break
        stop, at = _wide(symbols[u, 2]), _wide(symbols[u, 3])
        begins[_FRESH] = symbols[u, 1]
        was, target = _wide(origins[way & _MAY - 1]), way >> _TO
        if stop - begins[was & 7] > _SOON and stop - begins[was & 7] > sets[target, _LEAST_HOLD]:
            group, old = _wide(0), False
            for t in range(sets[target, _COUNT]):
                group += sets[target, _LATER_THAN] >> t & 1
                old |= stop - begins[was >> 3 * group & 7] > about[sets[target, _STATES + t], _HOLD]
            if old:
                break
        read = _wide(symbol > _EDGE)  # without branches: where words end cannot be foreseen
        gap = max(stop - last_stop - 1, _wide(0)) * read
        loosely = (loosely + gap) * ((low != _NOWHERE) | (1 - read))
        last_stop += (stop - last_stop) * read
        if holds:
            for c in range(j, at):
                marks[c] = min(marks[c], low)
        j = at
        for g in range(_GROUPS):
            begins[g] = begins[was >> 3 * g & 7]
        low = begins[0]
        here = target
        k += 1
        if way & _MAY:
            break
    count, groups = _wide(sets[here, _COUNT]), _wide(0)
    for t in range(count):
        groups += sets[here, _LATER_THAN] >> t & 1
        state[t], start[t] = sets[here, _STATES + t], begins[groups]
    return k, count, _wide(sets[here, _BANK] & 1), loosely, last_stop, j
