"""Motifs of a sequence of symbols: what recurs, how often, and which of all that recurs is worth telling.

Strategy. Everything that recurs is a node of the suffix tree, and a suffix array with the common prefixes of
neighbours walks that tree in a few arrays of int32. (A suffix automaton with a hash table of transitions was
built in a third to two thirds of the time and took two to three times the memory, and it would still have to
gather the occurrences; here those of a node lie side by side.) The array is sorted by doubling, with NumPy's
sort. Places are merged from node to node by a natural merge sort: numba's quicksort took 200 times as long on
text that loops.

Occurrences that overlap are one: *times* is the greatest number of disjoint occurrences, which is what
taking them greedily from the left gives, so it is the same read backwards. Of the strings that recur, those
remain that are as long as they can be and no power of a shorter one; of those, ranked by the symbols they
cover, each that is not merely a part or rotation of better ones. Nothing depends on the order in which
candidates are met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["MOTIF", "occurrences", "recurring"]

Places = NDArray[np.int32]
_Int = int | np.signedinteger[Any]

MOTIF = np.dtype(
    [
        ("first", "<i8"),  # place of its first symbol where it comes first
        ("length", "<i8"),  # symbols
        ("times", "<i8"),  # disjoint occurrences
        ("share", "<f8"),  # of the sequence that they cover, above 0 to 1
    ]
)
"""A motif: the symbols ``first`` to ``first + length``."""

_NODE = np.dtype([("first", "<i4"), ("length", "<i4"), ("times", "<i4"), ("low", "<i4"), ("high", "<i4")])
"""A candidate, and its part of the suffix array."""


def recurring(symbols: ArrayLike, shortest: int = 2, longest: int = 256, least: int = 2) -> NDArray[np.void]:
    """The motifs of a sequence, those that cover most of it first.

    A string of `shortest` to `longest` symbols is a *candidate* if

    - it has `least` disjoint occurrences or more,
    - no string with one more symbol, before or behind, has as many (unless it is longer than `longest`),
    - it is not a shorter string several times over that is long enough with one time less: of ``abab`` and
      ``ab`` the latter, if two symbols are enough.

    Candidates are ranked by the symbols they cover, then by length, then by place. A candidate is a
    *motif* if at least `least` disjoint occurrences touch no occurrence of a better motif (occurrences of a
    motif here are those that greedily taken from the left are disjoint). So ``abcabcabc`` has one motif, and
    ``bca`` and ``abcabc`` are none.

    Parameters
    ----------
    symbols : integers[n]
        Tokens, code points or hashes; only whether two are equal counts. Fewer than 2**31.
    shortest, longest, least : int
        As above: ``1 <= shortest <= longest`` and ``least >= 2``.

    Returns
    -------
    MOTIF[k]
        Best first. ``share`` of a motif is the confidence in it alone: shares of motifs that overlap add up
        to more than 1.

    Raises
    ------
    ValueError
        If `symbols` is not one sequence of integers, or a parameter is out of its range.

    Notes
    -----
    50 bytes a symbol. Sorting takes O(n log n) for each doubling up to the longest repeat; counting takes
    O(n log n) for each level of nested repeats: a few in text, at worst `longest`, for one symbol n times.

    References
    ----------
    .. [1] U. Manber, G. Myers, "Suffix arrays: a new method for on-line string searches", SIAM J. Comput.
       22(5), 1993.
    .. [2] T. Kasai et al., "Linear-time longest-common-prefix computation in suffix arrays and its
       applications", CPM 2001.
    .. [3] A. Apostolico, F. P. Preparata, "Data structures and algorithms for the string statistics
       problem", Algorithmica 15, 1996: disjoint occurrences.

    Examples
    --------
    >>> text = np.frombuffer(b"abcabcabc", np.uint8)
    >>> recurring(text, 2, 4).tolist(), occurrences(text, 0, 3).tolist()
    ([(0, 3, 3, 1.0)], [0, 3, 6])
    """
    if not 1 <= shortest <= longest or least < 2:
        msg = (
            f"recurring: 1 <= shortest <= longest and least >= 2 must hold, not {shortest}, {longest} "
            f"and {least}"
        )
        raise ValueError(msg)
    ranks = _ranks(symbols, "recurring")
    if len(ranks) < 2:
        return np.empty(0, MOTIF)
    order = _sorted_suffixes(ranks)
    nodes = _candidates(ranks, order, shortest, min(longest, len(ranks)), least)
    covered = nodes["times"].astype(np.int64) * nodes["length"]
    nodes = nodes[np.lexsort((nodes["first"], -nodes["length"], -covered))]
    nodes = nodes[_kept(nodes, order, least)]
    found = np.empty(len(nodes), MOTIF)
    for name in ("first", "length", "times"):
        found[name] = nodes[name]
    found["share"] = found["times"] * found["length"] / len(ranks)
    return found


def occurrences(symbols: ArrayLike, first: int, length: int) -> NDArray[np.int64]:
    """Where the `length` symbols from `first` on stand in `symbols`: disjoint, greedily from the left.

    Returns
    -------
    int64[times]
        Ascending. O(n) time.

    Raises
    ------
    ValueError
        If `symbols` is not one sequence of integers, or `first` and `length` name no part of it.
    """
    ranks = _ranks(symbols, "occurrences")
    if first < 0 or length < 1 or first + length > len(ranks):
        msg = (
            f"occurrences: first and length must name a part of {len(ranks)} symbols, "
            f"not {first} and {length}"
        )
        raise ValueError(msg)
    return _searched(ranks, first, length)


def _ranks(symbols: ArrayLike, name: str) -> Places:
    """Symbols as small numbers, in their order."""
    given = np.asarray(symbols)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu") or given.size >= 2**31:
        msg = (
            f"{name}: symbols must be one sequence of fewer than 2**31 integers, "
            f"not {given.dtype}{list(given.shape)}"
        )
        raise ValueError(msg)
    return np.unique(given, return_inverse=True)[1].astype(np.int32)


def _sorted_suffixes(ranks: Places) -> Places:
    """The suffix array: each round orders the suffixes by twice as many symbols."""
    n = len(ranks)
    step = 1
    rank = ranks.astype(np.int64)
    while True:
        key = rank * (n + 1)
        key[:-step] += rank[step:] + 1  # what ends before it comes first
        order = np.argsort(key)
        key = key[order]
        rank[order] = np.cumsum(np.diff(key, prepend=key[:1]) != 0)
        step *= 2
        if rank[order[-1]] == n - 1 or step >= n:
            return order.astype(np.int32)


@allocating
def _candidates(ranks: Places, order: Places, shortest: int, longest: int, least: int) -> NDArray[np.void]:
    """All candidates, as ``_NODE[k]``, in order of their place in the suffix array.

    Where the common prefix of two neighbours falls, the nodes above it are complete. A node stands for all
    strings that begin at its places and are longer than its parent's; they occur equally often, but with
    length more occurrences overlap, so several of them may be candidates.
    """
    n = len(ranks)
    common = _common_prefixes(ranks, order, longest)
    nodes = np.empty(max(n // 4, 16), _NODE)
    by_place = order.copy()  # nodes within a node are sorted first, so that it is but merged from them
    scratch = np.empty(n, np.int32)
    border = np.empty(longest + 1, np.int32)
    tally = np.zeros((2, ranks.max() + 1), np.int32)
    lengths = np.zeros(longest + 2, np.int32)  # of the open nodes, the root's first
    lows = np.zeros(longest + 2, np.int32)
    top = 0
    count = 0
    for i in range(1, n + 1):
        prefix = common[i] if i < n else 0
        low = i - 1
        while lengths[top] > prefix:
            high, longer = lengths[top], max(lengths[top - 1], prefix) + 1
            low = lows[top]
            top -= 1
            if high < shortest or i - low < least:
                continue
            places = by_place[low:i]
            _sort(places, scratch)
            length, lowest = high, max(longer, shortest)
            while length >= lowest:
                times = _disjoint(places, length)
                if times >= least and _is_longest(ranks, places, length, high, longest, times, tally):
                    period = _root(ranks, places[0], length, border)
                    if length - period < shortest or period == length:
                        if count == len(nodes):
                            grown = np.empty(2 * count, _NODE)
                            grown[:count] = nodes
                            nodes = grown
                        node = nodes[count]
                        node["first"], node["length"], node["times"] = places[0], length, times
                        node["low"], node["high"] = low, i
                        count += 1
                length = _shorter(places, lowest, length, times)
        if prefix > lengths[top]:
            top += 1
            lengths[top], lows[top] = prefix, low
    return nodes[:count]


@inner
def _sort(places: Places, scratch: Places) -> None:
    """Sort in place: a natural merge sort, which takes what is sorted as it is."""
    n = len(places)
    begin = 1  # of the second run that was merged last; 0 when there was but one
    while begin:
        begin = 0
        low = 0
        while low < n:
            middle = _run_end(places, low)
            high = _run_end(places, middle)
            if middle < n:
                begin = middle
                _merge(places, low, middle, high, scratch)
            low = high


@inner
def _run_end(places: Places, begin: int) -> int:
    end = begin + 1
    while end < len(places) and places[end - 1] < places[end]:
        end += 1
    return min(end, len(places))


@inner
def _merge(places: Places, low: int, middle: int, high: int, scratch: Places) -> None:
    """Merge two runs that lie side by side: the first makes room for it."""
    count = middle - low
    for i in range(count):
        scratch[i] = places[low + i]
    i, j, k = 0, middle, low
    while i < count:
        if j < high and places[j] < scratch[i]:
            places[k] = places[j]
            j += 1
        else:
            places[k] = scratch[i]
            i += 1
        k += 1


@inner
def _disjoint(places: Places, length: int) -> int:
    """How many of the strings of `length` at `places`, ascending, are disjoint."""
    times = 0
    free = 0
    for place in places:
        if place >= free:
            times += 1
            free = place + length
    return times


@inner
def _shorter(places: Places, lowest: int, length: int, times: int) -> int:
    """The greatest length from `lowest` on that is less than `length` and occurs more often; or 0."""
    if times == len(places) or _disjoint(places, lowest) == times:
        return 0
    low, high = lowest, length
    while high - low > 1:
        middle = (low + high) // 2
        if _disjoint(places, middle) > times:
            low = middle
        else:
            high = middle
    return low


@inner
def _is_longest(
    ranks: Places, places: Places, length: int, high: int, longest: int, times: int, tally: NDArray[np.int32]
) -> bool:
    """Whether no symbol before or behind makes a string that occurs as often.

    Below the node's own length `high` the symbol behind is always the same, and that the string with it
    occurs less often is known.
    """
    if length == longest:
        return True
    if _is_beside(ranks, places, -1, length + 1, times, tally):
        return False
    return length < high or not _is_beside(ranks, places, length, length + 1, times, tally)


@inner
def _is_beside(
    ranks: Places, places: Places, offset: int, length: int, times: int, tally: NDArray[np.int32]
) -> bool:
    """Whether one symbol is at `offset` from `times` places whose strings of `length` are disjoint.

    `tally` has how often, and to where, for each symbol: zeros, before and after.
    """
    found = False
    for place in places:
        at = place + offset
        if 0 <= at < len(ranks):
            symbol = ranks[at]
            if place >= tally[1, symbol]:
                tally[0, symbol] += 1
                tally[1, symbol] = place + length
                if tally[0, symbol] == times:
                    found = True
                    break
    for place in places:
        at = place + offset
        if 0 <= at < len(ranks):
            tally[:, ranks[at]] = 0
    return found


@inner
def _root(ranks: Places, first: int, length: int, border: Places) -> int:
    """The length of the shortest string that the one at `first` is a power of: its own if of none.

    ``border[k]`` is the longest proper prefix of the first `k` symbols that is a suffix of them too.
    """
    border[0], border[1] = -1, 0
    for k in range(1, length):
        shared = border[k]
        while shared >= 0 and ranks[first + shared] != ranks[first + k]:
            shared = border[shared]
        border[k + 1] = shared + 1
    period = length - border[length]
    return period if length % period == 0 else length


@allocating
def _common_prefixes(ranks: Places, order: Places, longest: int) -> Places:
    """Symbols that each suffix has in common with the one before it in `order`, `longest` at most."""
    n = len(ranks)
    place = np.empty(n, np.int32)
    for i in range(n):
        place[order[i]] = i
    common = np.zeros(n, np.int32)
    shared = 0
    for i in range(n):
        if place[i] == 0:
            shared = 0
            continue
        j = order[place[i] - 1]
        while i + shared < n and j + shared < n and ranks[i + shared] == ranks[j + shared]:
            shared += 1
        common[place[i]] = min(shared, longest)
        shared = max(shared - 1, 0)
    return common


@allocating
def _kept(nodes: NDArray[np.void], order: Places, least: int) -> NDArray[np.bool_]:
    """Which of the candidates, best first, are motifs."""
    n = len(order)
    taken = np.zeros(n, np.bool_)
    room = np.empty((2, n), np.int32)
    kept = np.zeros(len(nodes), np.bool_)
    for k in range(len(nodes)):
        length = np.int64(nodes[k]["length"])
        low, high = nodes[k]["low"], nodes[k]["high"]
        places = room[0, : high - low]
        places[:] = order[low:high]
        _sort(places, room[1])
        untouched = 0
        free = np.int64(0)
        for place in places:
            if place >= free and _is_free(taken, place, length):
                untouched += 1
                free = place + length
                if untouched == least:
                    break
        if untouched == least:
            kept[k] = True
            free = np.int64(0)
            for place in places:
                if place >= free:
                    free = place + length
                    taken[place:free] = True
    return kept


@inner
def _is_free(taken: NDArray[np.bool_], place: _Int, length: _Int) -> bool:
    k = place
    while k < place + length and not taken[k]:
        k += 1
    return k == place + length


@allocating
def _searched(ranks: Places, first: int, length: int) -> NDArray[np.int64]:
    """Knuth, Morris and Pratt, who begin anew behind each occurrence."""
    border = np.empty(length + 1, np.int32)
    _root(ranks, first, length, border)
    found = np.empty(len(ranks) // length, np.int64)
    count = 0
    matched = 0
    for i in range(len(ranks)):
        while matched >= 0 and ranks[first + matched] != ranks[i]:
            matched = border[matched]
        matched += 1
        if matched == length:
            found[count] = i + 1 - length
            count += 1
            matched = 0
    return found[:count]
