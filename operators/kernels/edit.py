"""Edit distance: how many insertions, deletions and replacements make one sequence of another (Levenshtein).

Strategy. From cell to cell of its matrix the distance changes by -1, 0 or 1: two bits say it, and a machine
word holds 64 cells of a column (Myers 1999; words below one another, Hyyro 2003). Two words are carried
along together, 128 cells, because each operation of a column waits for the one before it and two chains fill
the gaps. The operations are arranged for the shortest chain: seven from column to column, where the papers
have eleven. What leaves the lowest row of 128 waits in the numbers of the symbols for the next 128.

What both sequences begin and end with is passed over. An alignment takes the matrix apart until a piece of it
fits in 512 KiB. :mod:`operators.kernels.damerau` has the distances with other edits or costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.places import (
    SHIFT,
    aligned,
    at,
    common,
    count,
    filled,
    joined,
    mark,
    number,
    operands,
    room,
    widen,
    wipe,
    wrapping,
)

__all__ = ["edit_alignment", "edit_distance", "edit_pairwise", "edit_similarity"]

_BUILT_ON = 0x13E666E0
"""CRC-32 of places.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_edit.py`` tells the number)."""

_Symbols = str | bytes | NDArray[np.integer[Any]] | Sequence[int] | Sequence[str]
_Words = NDArray[np.uint64]
_bits: Any = np.uint64


def edit_distance(a: _Symbols, b: _Symbols) -> int:
    """Fewest insertions, deletions and replacements of a symbol that make `b` of `a`.

    Parameters
    ----------
    a, b : str, bytes, integers [n] and [m], or sequences of int or str
        Two sequences of symbols. Two ``str``, two ``bytes`` or two int64 arrays, contiguous and writeable,
        are taken as they are; other arrays and lists are copied first, which costs more than to compare a
        hundred symbols.

    Returns
    -------
    int
        0 for equal sequences, at most ``max(n, m)``.

    Raises
    ------
    TypeError
        If there are symbols that are neither integers nor strings.
    ValueError
        If an array has not one dimension.

    Notes
    -----
    O(n m / 64) time. Memory: 64 bytes for each symbol of the longer one and 4 KiB, whatever the symbols.

    References
    ----------
    .. [1] G. Myers, "A fast bit-vector algorithm for approximate string matching based on dynamic
       programming", JACM 46(3), 1999.
    .. [2] H. Hyyro, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic
       Journal of Computing 10, 2003.

    Examples
    --------
    >>> edit_distance("kitten", "sitting"), edit_distance(np.array([1, 2, 3]), np.array([2, 3, 4]))
    (3, 2)
    """
    return _distance(*operands(a, b))


def edit_similarity(a: _Symbols, b: _Symbols) -> float:
    """Share of the longer sequence that is not edited, ``1 - edit_distance(a, b) / max(n, m)``: 0 to 1.

    1 for two empty sequences; parameters and errors as :func:`edit_distance`.

    Examples
    --------
    >>> edit_similarity("kitten", "kitchen")
    0.7142857142857143
    """
    longest = max(len(a), len(b))
    return 1.0 - edit_distance(a, b) / longest if longest else 1.0


def edit_pairwise(a: Sequence[_Symbols], b: Sequence[_Symbols]) -> NDArray[np.int64]:
    """Edit distance of each sequence of `a` to each of `b`.

    Parameters
    ----------
    a, b : sequences of what :func:`edit_distance` takes
        Numbers are the same symbol as the code points or bytes of that number.

    Returns
    -------
    int64[len(a), len(b)]

    Raises
    ------
    TypeError, ValueError
        As :func:`edit_distance`.

    Notes
    -----
    Time as :func:`edit_distance`, without what each call of it takes beside. 64 bytes for each symbol.

    Examples
    --------
    >>> edit_pairwise(["kitten", ""], ["sitting", "kit"])
    array([[3, 3],
           [7, 3]])
    """
    read, stops = joined([*a, *b])
    out = np.empty((len(a), len(b)), np.int64)
    if out.size:
        _pairwise(np.concatenate(read), stops, out)
    return out


def edit_alignment(a: _Symbols, b: _Symbols) -> NDArray[np.int64]:
    """A shortest way to make `b` of `a`, edit by edit.

    Parameters
    ----------
    a, b
        As :func:`edit_distance`.

    Returns
    -------
    int64[k, 2]
        ``(i, j)``: ``a[i]`` is kept as, or replaced by, ``b[j]``. ``(i, -1)``: ``a[i]`` is deleted. ``(-1,
        j)``: ``b[j]`` is inserted. Each i and each j stands in one row, both in rising order; rows with a -1
        or with unequal symbols number ``edit_distance(a, b)``. Which of several shortest ways is not defined.

    Raises
    ------
    TypeError, ValueError
        As :func:`edit_distance`.

    Notes
    -----
    Time as two distances. Memory: O(n + m) words, and 512 KiB.

    References
    ----------
    .. [1] D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences", CACM
       18(6), 1975.

    Examples
    --------
    >>> edit_alignment("abc", "bcd").tolist()
    [[0, -1], [1, 0], [2, 1], [-1, 2]]
    """
    return aligned(a, b, _ends, _traced)


@inner
def _step(up: Any, down: Any, equal: Any, stays: Any, falls: Any) -> tuple[Any, Any, Any, Any]:
    """The next column of 64 cells: where it goes up and down from cell to cell.

    `stays` and `falls` say of the cell above that it is not more, or is less, than the one before it: and of
    the lowest cell, behind the two words of the column.
    """
    level = equal | down
    equal |= falls
    total = (equal & up) + up
    flat = (total | (up | equal)) & ~down
    drop = (up & ~total) | (up & equal)
    right = (flat << _bits(1)) | stays
    up = ((drop << _bits(1)) | falls) | (right & ~level)
    return up, level & ~right, flat >> _bits(63), drop >> _bits(63)


@inner
def _columns(y: _Words, places: _Words) -> tuple[Any, Any, Any, Any]:
    """The last column of 128 rows: where it goes up and down in the upper 64 and in the lower."""
    up, down, below_up, below_down = ~_bits(0), _bits(0), ~_bits(0), _bits(0)
    for j in range(_bits(y.size)):
        row = y[j]
        place = row >> _bits(SHIFT)
        up, down, stays, falls = _step(up, down, places[place], row & _bits(1), row >> _bits(1) & _bits(1))
        below_up, below_down, stays, falls = _step(
            below_up, below_down, places[place + _bits(1)], stays, falls
        )
        y[j] = place << _bits(SHIFT) | stays | falls << _bits(1)
    return up, down, below_up, below_down


@inner
def _climb(up: Any, down: Any, cells: int) -> Any:
    """How much the last of so many cells of a word is above the cell before the first."""
    some = filled(cells)
    return count(up & some) - count(down & some)


@wrapping
@allocating
def _distance(a: Any, b: Any, width: int) -> int:
    """:func:`edit_distance` of what ``places.operands`` returns."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    widen(a, width, memory[:n])
    widen(b, width, memory[n : n + m])
    return int(_between(n, m, memory))


@inner
def _between(n: int, m: int, memory: _Words) -> Any:
    """Edit distance of the sequences that stand at the beginning of memory."""
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    first, last = common(x, y)
    x, y = x[first : n - last], y[first : m - last]
    if x.size < y.size:
        x, y = y, x
    score = y.size
    if not score:
        return x.size
    places = tables[: number(x, y, tables)]
    for row in range(0, x.size, 128):
        if row:
            wipe(x, row - 128, places)
        mark(x, row, places)
        up, down, below_up, below_down = _columns(y, places)
        score += _climb(up, down, x.size - row) + _climb(below_up, below_down, x.size - row - 64)
    return score


@wrapping
@allocating
def _pairwise(both: NDArray[np.int64], stops: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Each of ``out.shape[0]`` sequences with each of the others, that stand behind them in `both`."""
    rows = out.shape[0]
    n = int(stops[rows])
    memory = np.empty(room(n, both.size - n), np.uint64)
    widen(both, 1, memory[: both.size])
    _between_all(n, stops[: rows + 1], stops[rows:] - n, memory, out)


@inner
def _between_all(
    n: int, tops: NDArray[np.int64], starts: NDArray[np.int64], memory: _Words, out: NDArray[np.int64]
) -> None:
    """Edit distances of sequences that stand one behind the other, in the first n words and behind them."""
    m = starts[-1]
    every, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    places = tables[: number(every, y, tables)]
    for k in range(out.shape[0]):
        x = every[tops[k] : tops[k + 1]]
        for i in range(out.shape[1]):
            out[k, i] = starts[i + 1] - starts[i]
        for j in range(_bits(m)):
            y[j] = y[j] >> _bits(SHIFT) << _bits(SHIFT)
        for row in range(0, x.size, 128):
            mark(x, row, places)
            for i in range(out.shape[1]):
                up, down, below_up, below_down = _columns(y[starts[i] : starts[i + 1]], places)
                out[k, i] += _climb(up, down, x.size - row) + _climb(below_up, below_down, x.size - row - 64)
            wipe(x, row, places)


@wrapping
@allocating
def _ends(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edit distance of all of `b` to the first i of `a`, int64[n + 1]."""
    n, m = a.size, b.size
    memory = np.empty(room(n, m), np.uint64)
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    widen(a, 1, x)
    widen(b, 1, y)
    places = tables[: number(x, y, tables)]
    out = np.empty(n + 1, np.int64)
    out[0] = m
    for row in range(0, n, 128):
        mark(x, row, places)
        up, down, below_up, below_down = _columns(y, places)
        wipe(x, row, places)
        for i in range(row, min(row + 128, n)):
            rises, falls = (below_up, below_down) if i & 64 else (up, down)
            out[i + 1] = out[i] + at(rises, i) - at(falls, i)
    return out


@wrapping
@allocating
def _traced(a: Any, b: Any, width: int) -> NDArray[np.int64]:
    """:func:`edit_alignment` by way of the whole matrix, two bits a cell."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    widen(a, width, x)
    widen(b, width, y)
    places = tables[: number(x, y, tables)]
    words = (n + 127 >> 7) * 2
    ups, downs = np.empty((words, m), np.uint64), np.empty((words, m), np.uint64)
    for w in range(0, words, 2):
        mark(x, 64 * w, places)
        up, down, below_up, below_down = ~_bits(0), _bits(0), ~_bits(0), _bits(0)
        for j in range(m):
            place = y[j] >> _bits(SHIFT)
            up, down, stays, falls = _step(
                up, down, places[place], y[j] & _bits(1), y[j] >> _bits(1) & _bits(1)
            )
            below_up, below_down, stays, falls = _step(
                below_up, below_down, places[place + _bits(1)], stays, falls
            )
            y[j] = place << _bits(SHIFT) | stays | falls << _bits(1)
            ups[w, j], downs[w, j], ups[w + 1, j], downs[w + 1, j] = up, down, below_up, below_down
        wipe(x, 64 * w, places)
    steps = np.empty((n + m, 2), np.int64)
    k = n + m
    while n or m:
        k -= 1
        word = n - 1 >> 6
        if not m or (n and at(ups[word, m - 1], n - 1)):
            n -= 1
            steps[k, 0], steps[k, 1] = n, -1
        elif not n or (m > 1 and at(downs[word, m - 2], n - 1)):
            m -= 1
            steps[k, 0], steps[k, 1] = -1, m
        else:
            n, m = n - 1, m - 1
            steps[k, 0], steps[k, 1] = n, m
    return steps[k:]
