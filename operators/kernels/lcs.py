"""Longest common subsequence: the most symbols that two sequences have in common in the same order.

Strategy. From cell to cell of a column the length grows by 0 or 1: one bit says it, a machine word holds 64
cells, and an addition that carries from word to word makes the next column (Hyyro 2004). Two words, 128
cells, are one column here, so the carry between them never leaves the processor's flag; what is carried out
of it waits in the numbers of the symbols for the next 128. The rest is as in :mod:`operators.kernels.edit`.
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

__all__ = ["indel_distance", "lcs_alignment", "lcs_length", "lcs_pairwise", "lcs_similarity"]

_BUILT_ON = 0x13E666E0
"""CRC-32 of places.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_lcs.py`` tells the number)."""

_Symbols = str | bytes | NDArray[np.integer[Any]] | Sequence[int] | Sequence[str]
_Words = NDArray[np.uint64]
_bits: Any = np.uint64


def lcs_length(a: _Symbols, b: _Symbols) -> int:
    """Length of the longest sequence that is left of both when symbols are struck out.

    Parameters
    ----------
    a, b : str, bytes, integers [n] and [m], or sequences of int or str
        Two sequences of symbols. Two ``str``, two ``bytes`` or two int64 arrays, contiguous and writeable,
        are taken as they are; other arrays and lists are copied first, which costs more than to compare a
        hundred symbols.

    Returns
    -------
    int
        At most ``min(n, m)``.

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
    .. [1] H. Hyyro, "Bit-parallel LCS-length computation revisited", AWOCA 2004.

    Examples
    --------
    >>> lcs_length("AGCAT", "GAC"), lcs_length(np.array([1, 2, 3]), np.array([3, 1, 2]))
    (2, 2)
    """
    return _length(*operands(a, b))


def indel_distance(a: _Symbols, b: _Symbols) -> int:
    """Fewest insertions and deletions that make `b` of `a`: ``n + m - 2 * lcs_length(a, b)``.

    Examples
    --------
    >>> indel_distance("kitten", "sitting")
    5
    """
    return len(a) + len(b) - 2 * lcs_length(a, b)


def lcs_similarity(a: _Symbols, b: _Symbols) -> float:
    """Share of the longer sequence that is common, ``lcs_length(a, b) / max(n, m)``: 0 to 1.

    1 for two empty sequences; parameters and errors as :func:`lcs_length`.

    Examples
    --------
    >>> lcs_similarity("AGCAT", "GAC")
    0.4
    """
    longest = max(len(a), len(b))
    return lcs_length(a, b) / longest if longest else 1.0


def lcs_pairwise(a: Sequence[_Symbols], b: Sequence[_Symbols]) -> NDArray[np.int64]:
    """Length of the longest common subsequence of each sequence of `a` with each of `b`.

    Parameters
    ----------
    a, b : sequences of what :func:`lcs_length` takes
        Numbers are the same symbol as the code points or bytes of that number.

    Returns
    -------
    int64[len(a), len(b)]

    Raises
    ------
    TypeError, ValueError
        As :func:`lcs_length`.

    Notes
    -----
    Time as :func:`lcs_length`, without what each call of it takes beside. 64 bytes for each
    symbol.

    Examples
    --------
    >>> lcs_pairwise(["AGCAT", ""], ["GAC", "CAT"])
    array([[2, 3],
           [0, 0]])
    """
    read, stops = joined([*a, *b])
    out = np.zeros((len(a), len(b)), np.int64)
    if out.size:
        _pairwise(np.concatenate(read), stops, out)
    return out


def lcs_alignment(a: _Symbols, b: _Symbols) -> NDArray[np.int64]:
    """Where a longest common subsequence stands in both.

    Parameters
    ----------
    a, b
        As :func:`lcs_length`.

    Returns
    -------
    int64[lcs_length(a, b), 2]
        ``(i, j)`` with ``a[i] == b[j]``, both rising. Which of several longest ones is not defined.

    Raises
    ------
    TypeError, ValueError
        As :func:`lcs_length`.

    Notes
    -----
    Time as two lengths. Memory: O(n + m) words, and 256 KiB.

    References
    ----------
    .. [1] D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences", CACM
       18(6), 1975.

    Examples
    --------
    >>> lcs_alignment("ABCD", "BD").tolist()
    [[1, 0], [3, 1]]
    """
    return aligned(a, b, _ends, _traced)


@inner
def _step(column: Any, equal: Any, carry: Any) -> tuple[Any, Any]:
    """The next column of 64 cells, a 0 where the length grows from cell to cell; and the carry out of it."""
    total = column + (column & equal)
    over = _bits(total < column)
    total += carry
    over |= _bits(total < carry)
    return total | (column & ~equal), over


@inner
def _columns(y: _Words, places: _Words) -> tuple[Any, Any]:
    """The last column of 128 rows, the upper 64 and the lower."""
    column, below = ~_bits(0), ~_bits(0)
    for j in range(_bits(y.size)):
        row = y[j]
        place = row >> _bits(SHIFT)
        column, carry = _step(column, places[place], row & _bits(1))
        below, carry = _step(below, places[place + _bits(1)], carry)
        y[j] = place << _bits(SHIFT) | carry
    return column, below


@inner
def _growth(column: Any, below: Any, cells: int) -> Any:
    """How often the length grows in so many cells of the last column."""
    return count(~column & filled(cells)) + count(~below & filled(cells - 64))


@wrapping
@allocating
def _length(a: Any, b: Any, width: int) -> int:
    """:func:`lcs_length` of what ``places.operands`` returns."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    widen(a, width, memory[:n])
    widen(b, width, memory[n : n + m])
    return int(_between(n, m, memory))


@inner
def _between(n: int, m: int, memory: _Words) -> Any:
    """Length for the sequences that stand at the beginning of memory."""
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    first, last = common(x, y)
    x, y = x[first : n - last], y[first : m - last]
    if x.size < y.size:
        x, y = y, x
    length = first + last
    if not y.size:
        return length
    places = tables[: number(x, y, tables)]
    for row in range(0, x.size, 128):
        if row:
            wipe(x, row - 128, places)
        mark(x, row, places)
        column, below = _columns(y, places)
        length += _growth(column, below, x.size - row)
    return length


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
    """Lengths for sequences that stand one behind the other, in the first n words and behind them."""
    m = starts[-1]
    every, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    places = tables[: number(every, y, tables)]
    for k in range(out.shape[0]):
        x = every[tops[k] : tops[k + 1]]
        for j in range(_bits(m)):
            y[j] = y[j] >> _bits(SHIFT) << _bits(SHIFT)
        for row in range(0, x.size, 128):
            mark(x, row, places)
            for i in range(out.shape[1]):
                column, below = _columns(y[starts[i] : starts[i + 1]], places)
                out[k, i] += _growth(column, below, x.size - row)
            wipe(x, row, places)


@wrapping
@allocating
def _ends(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Minus the length for all of `b` and the first i of `a`, int64[n + 1]."""
    n, m = a.size, b.size
    memory = np.empty(room(n, m), np.uint64)
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    widen(a, 1, x)
    widen(b, 1, y)
    places = tables[: number(x, y, tables)]
    out = np.zeros(n + 1, np.int64)
    for row in range(0, n, 128):
        mark(x, row, places)
        column, below = _columns(y, places)
        wipe(x, row, places)
        for i in range(row, min(row + 128, n)):
            out[i + 1] = out[i] - 1 + at(below if i & 64 else column, i)
    return out


@wrapping
@allocating
def _traced(a: Any, b: Any, width: int) -> NDArray[np.int64]:
    """:func:`lcs_alignment` by way of the whole matrix, a bit a cell."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    widen(a, width, x)
    widen(b, width, y)
    places = tables[: number(x, y, tables)]
    words = (n + 127 >> 7) * 2
    columns = np.empty((words, m), np.uint64)
    for w in range(0, words, 2):
        mark(x, 64 * w, places)
        column, below = ~_bits(0), ~_bits(0)
        for j in range(m):
            place = y[j] >> _bits(SHIFT)
            column, carry = _step(column, places[place], y[j] & _bits(1))
            below, carry = _step(below, places[place + _bits(1)], carry)
            y[j] = place << _bits(SHIFT) | carry
            columns[w, j], columns[w + 1, j] = column, below
        wipe(x, 64 * w, places)
    pairs = np.empty((min(n, m), 2), np.int64)
    k = min(n, m)
    while n and m:
        word = n - 1 >> 6
        if at(columns[word, m - 1], n - 1):
            n -= 1
        elif m > 1 and not at(columns[word, m - 2], n - 1):
            m -= 1
        else:
            n, m, k = n - 1, m - 1, k - 1
            pairs[k, 0], pairs[k, 1] = n, m
    return pairs[k:]
