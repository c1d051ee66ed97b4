"""Edit distances with other edits: neighbours that change places (Damerau), and edits with costs.

Strategy. If no symbol that changed its place is edited again (*optimal string alignment*, OSA), 64 cells of a
column fit in a machine word, as in :mod:`operators.kernels.edit`, and one more bit says which rows could have
changed places with the one above (Hyyro 2003). The Damerau distance proper may edit between two symbols
that change places. It needs where each symbol stood last: one column of numbers, and of each column's rows
the few that a change of places can go back to (Zhao and Sahinalp 2020). Costs need one row of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner
from operators.kernels.places import (
    SHIFT,
    common,
    count,
    filled,
    mark,
    number,
    operands,
    room,
    widen,
    wipe,
    wrapping,
)

__all__ = ["damerau_distance", "osa_distance", "weighted_edit_distance"]

_BUILT_ON = 0x13E666E0
"""CRC-32 of places.py, so that this file changes with that one, and numba takes no old machine code from its
cache (``tests/kernels/test_damerau.py`` tells the number)."""

_Symbols = str | bytes | NDArray[np.integer[Any]] | Sequence[int] | Sequence[str]
_Words = NDArray[np.uint64]
_bits: Any = np.uint64
_wide: Any = np.int64


def osa_distance(a: _Symbols, b: _Symbols) -> int:
    """Fewest insertions, deletions, replacements and swaps of neighbours, if no part is edited twice.

    Parameters
    ----------
    a, b : str, bytes, integers [n] and [m], or sequences of int or str
        Two sequences of symbols, as in :func:`operators.kernels.edit.edit_distance`.

    Returns
    -------
    int
        At most the edit distance. No metric: ``"ca"`` to ``"abc"`` is 3, by way of ``"ac"`` 2.

    Raises
    ------
    TypeError
        If there are symbols that are neither integers nor strings.
    ValueError
        If an array has not one dimension.

    Notes
    -----
    O(n m / 64) time. Memory: 64 bytes for each symbol of the longer one and 4 KiB.

    References
    ----------
    .. [1] H. Hyyro, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic
       Journal of Computing 10, 2003.

    Examples
    --------
    >>> osa_distance("form", "from"), osa_distance("ca", "abc")
    (1, 3)
    """
    return _osa(*operands(a, b))


def damerau_distance(a: _Symbols, b: _Symbols) -> int:
    """Fewest insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.

    Parameters
    ----------
    a, b
        As :func:`osa_distance`.

    Returns
    -------
    int
        A metric; at most ``osa_distance(a, b)``.

    Raises
    ------
    TypeError, ValueError
        As :func:`osa_distance`.

    Notes
    -----
    O(n m) time, a cell at a time. Memory: 88 bytes for each symbol of the longer one and 4 KiB.

    References
    ----------
    .. [1] C. Zhao and S. Sahinalp, "Linear space string correction algorithm using the Damerau-Levenshtein
       distance", BMC Bioinformatics 21, 2020.

    Examples
    --------
    >>> damerau_distance("form", "from"), damerau_distance("ca", "abc")
    (1, 2)
    """
    return _damerau(*operands(a, b))


def weighted_edit_distance(
    a: _Symbols, b: _Symbols, insert: float = 1.0, delete: float = 1.0, replace: float = 1.0
) -> float:
    """Least cost of insertions, deletions and replacements that make `b` of `a`.

    Parameters
    ----------
    a, b
        As :func:`osa_distance`.
    insert, delete, replace : float
        Cost of one edit, at least 0; ``inf`` for one that may not be used. To keep a symbol costs nothing.

    Returns
    -------
    float
        ``inf`` if no edits that may be used make `b` of `a`.

    Raises
    ------
    TypeError
        As :func:`osa_distance`.
    ValueError
        As :func:`osa_distance`, or if a cost is negative or NaN.

    Notes
    -----
    O(n m) time, a cell at a time. Memory: 8 bytes for each symbol of `a`, 16 for each of `b`.

    References
    ----------
    .. [1] R. A. Wagner and M. J. Fischer, "The string-to-string correction problem", JACM 21(1), 1974.

    Examples
    --------
    >>> weighted_edit_distance("kitten", "sitting", replace=1.5)
    4.0
    """
    for name, cost in (("insert", insert), ("delete", delete), ("replace", replace)):
        if not cost >= 0:
            msg = f"{name} must cost 0 or more, not {cost}"
            raise ValueError(msg)
    return _weighted(*operands(a, b), float(insert), float(delete), float(replace))


@inner
def _step(up: Any, down: Any, level: Any, equal: Any, before: Any, row: Any) -> tuple[Any, Any, Any, Any]:
    """The next column of 64 cells: where it goes up and down, and which cells are as the one diagonally
    before. `before` is `equal` of the last column. The three bits of `row`, in and out: the cell above is
    not more than the one before it; is less; could change places with this.
    """
    one = _bits(1)
    away = ~level & equal
    falls = row >> one & one
    equal |= falls
    total = (equal & up) + up
    equal |= (away << one | row >> _bits(2) & one) & before
    flat = (total | (up | equal)) & ~down
    drop = (up & ~total) | (up & equal)
    level = (total ^ up) | equal | down
    bits = flat >> _bits(63) | drop >> _bits(63) << one | away >> _bits(63) << _bits(2)
    right = flat << one | row & one
    return (drop << one | falls) | (right & ~level), level & ~right, level, bits


@wrapping
@allocating
def _osa(a: Any, b: Any, width: int) -> int:
    """:func:`osa_distance` of what ``places.operands`` returns."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    widen(a, width, memory[:n])
    widen(b, width, memory[n : n + m])
    return int(_aligned(n, m, memory))


@inner
def _aligned(n: int, m: int, memory: _Words) -> Any:
    """OSA distance of the sequences that stand at the beginning of memory."""
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
        up, down, level, before = ~_bits(0), _bits(0), _bits(0), _bits(0)
        below_up, below_down, below_level, below_before = up, down, level, before
        for j in range(_bits(y.size)):
            place = y[j] >> _bits(SHIFT)
            equal, below_equal = places[place], places[place + _bits(1)]
            up, down, level, bits = _step(up, down, level, equal, before, y[j])
            below_up, below_down, below_level, bits = _step(
                below_up, below_down, below_level, below_equal, below_before, bits
            )
            before, below_before = equal, below_equal
            y[j] = place << _bits(SHIFT) | bits
        some, more = filled(x.size - row), filled(x.size - row - 64)
        score += count(up & some) - count(down & some) + count(below_up & more) - count(below_down & more)
    return score


@wrapping
@allocating
def _damerau(a: Any, b: Any, width: int) -> int:
    """:func:`damerau_distance` of what ``places.operands`` returns."""
    n, m = len(a) // width, len(b) // width
    memory = np.empty(room(n, m), np.uint64)
    widen(a, width, memory[:n])
    widen(b, width, memory[n : n + m])
    rows = np.zeros((3, m + 2), np.int64)
    return int(_last(n, m, memory, rows))


@inner
def _last(n: int, m: int, memory: _Words, rows: NDArray[np.int64]) -> Any:
    """Damerau distance of the sequences that stand at the beginning of memory; rows begin with column -1.

    Over a gap in one of the sequences only, as they prove. ``corners[j]`` is the cell (k - 1, j - 2) for the
    last row k that had the symbol of column j; `corner` is the cell (i - 2, match - 1).
    """
    x, y, tables = memory[:n], memory[n : n + m], memory[n + m :]
    seen = tables[: number(x, y, tables)]  # the last row of `x` that had a symbol, from 1
    row, above, corners = rows[0], rows[1], rows[2]
    for j in range(m + 1):
        row[j + 1] = j
    for i in range(1, n + 1):
        row, above = above, row
        match, corner = _wide(0), _wide(0)  # match: the last column that had the symbol of this row, from 1
        before = row[1]
        row[1] = left = i
        symbol = x[i - 1] >> _bits(SHIFT)
        for k in range(_bits(m)):
            j = _wide(k) + 1
            other = y[k] >> _bits(SHIFT)
            old = row[k + _bits(2)]
            if symbol == other:
                least = above[k + _bits(1)]  # neighbours of it are less by one at most
                match = j
                corners[k + _bits(1)] = above[k]
                corner = before
            else:
                least = min(above[k + _bits(1)], left, above[k + _bits(2)]) + 1
                past = np.int64(seen[other])
                if match == j - 1:
                    if match and past:
                        least = min(least, corners[k + _bits(1)] + i - past)
                elif past == i - 1 and past and match:
                    least = min(least, corner + j - match)
            before, left = old, least
            row[k + _bits(2)] = least
        seen[symbol] = _bits(i)
    return row[m + 1]


@wrapping
@allocating
def _weighted(a: Any, b: Any, width: int, insert: float, delete: float, replace: float) -> float:
    """:func:`weighted_edit_distance` of what ``places.operands`` returns."""
    n, m = len(a) // width, len(b) // width
    x, y, row = np.empty(n, np.uint64), np.empty(m, np.uint64), np.empty(m + 1)
    widen(a, width, x)
    widen(b, width, y)
    row[0] = 0.0
    for j in range(m):
        row[j + 1] = row[j] + insert
    for i in range(n):
        diagonal = row[0]
        left = diagonal + delete
        row[0] = left
        for j in range(m):
            up = row[j + 1]
            best = diagonal if x[i] == y[j] else diagonal + replace
            best = min(best, up + delete)
            left += insert
            left = left if left < best else best
            row[j + 1] = left
            diagonal = up
    return float(row[m])
