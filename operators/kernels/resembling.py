"""Motifs that recur with errors: groups of passages that are at most a few edits from one of them.

Strategy. Each window of the given length is the *centre* of a group: what resembles it behind it, found by
going forwards through the text, and before it, found in the same way by going backwards. So a group is the
mirror image of the one in the text read backwards, and does not depend on what was looked at before. The
distance of all passages that end at a symbol is one step of Myers' algorithm, whose columns are the bits of
an integer, so all groups take n steps for each of n windows, but for those of which no piece comes
again. Only the sizes are kept; the groups that are worth telling are then chosen by a total order, best
first, and gone through again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["GROUP", "PASSAGE", "passages", "resembling"]

Places = NDArray[np.int32]

GROUP = np.dtype(
    [
        ("first", "<i8"),  # place of the centre
        ("length", "<i8"),  # its symbols
        ("times", "<i8"),  # passages, the centre among them
        ("errors", "<i8"),  # edits between them and the centre, all together
        ("share", "<f8"),  # of the sequence that they cover, above 0 to 1
    ]
)
PASSAGE = np.dtype([("begin", "<i8"), ("stop", "<i8"), ("errors", "<i8")])
"""A passage, and how many edits make the centre of it."""

_WIDEST = 62  # symbols: bits of an int64 without its sign, and one for the carry


def resembling(symbols: ArrayLike, length: int, errors: int, least: int = 2) -> NDArray[np.void]:
    """Groups of passages that resemble each other, the greatest group first.

    A group is what :func:`passages` finds for its centre. Groups are ranked by their number of passages,
    then by the fewest edits, then by the place of the centre; a group is told if its centre and, with that,
    `least` of its passages touch no passage of a better one.

    Parameters
    ----------
    symbols : integers[n]
        Tokens, code points or hashes; only whether two are equal counts.
    length, errors : int
        Symbols of a centre, at most 62 and n, and edits up to which a passage resembles it: replaced,
        inserted or missing symbols, fewer than `length`.
    least : int
        Passages of the smallest group, 2 or more.

    Returns
    -------
    GROUP[k]
        Best first.

    Raises
    ------
    ValueError
        If `symbols` is not one sequence of integers, or a parameter is out of its range.

    Notes
    -----
    O(n^2) time, 4 to 8 ns a step, so ten thousand symbols are a matter of a second; O(n) memory.

    References
    ----------
    .. [1] G. Myers, "A fast bit-vector algorithm for approximate string matching based on dynamic
       programming", J. ACM 46(3), 1999.
    .. [2] P. H. Sellers, "The theory and computation of evolutionary distances: pattern recognition",
       J. Algorithms 1(4), 1980.

    Examples
    --------
    >>> text = np.frombuffer(b"kitten, sitting; mitten", np.uint8)
    >>> group = resembling(text, 6, 2)[0]
    >>> group[["first", "times", "errors"]].item()
    (0, 3, 3)
    >>> [text[b:s].tobytes().decode() for b, s, _ in passages(text, 0, 6, 2)]
    ['kitten', 'sittin', 'mitten']
    """
    if least < 2:
        msg = f"resembling: least must be 2 or more, not {least}"
        raise ValueError(msg)
    ranks = _ranks(symbols, length, errors, "resembling")
    n = len(ranks)
    times, edits = _sizes(ranks, _may_recur(ranks, length, errors), length, errors)
    taken = np.zeros(n, np.bool_)
    found = []
    order = np.lexsort((edits, -times))  # stable: of equal ones the first place comes first
    for first in order[: int((times >= least).sum())].tolist():
        if taken[first : first + length].any():
            continue
        group = _gathered(ranks, first, length, errors)
        if sum(not taken[begin:stop].any() for begin, stop, _ in group.tolist()) < least:
            continue
        for begin, stop, _ in group.tolist():
            taken[begin:stop] = True
        covered = int((group["stop"] - group["begin"]).sum())
        found.append((first, length, len(group), int(group["errors"].sum()), covered / n))
    return np.array(found, GROUP)


def passages(symbols: ArrayLike, first: int, length: int, errors: int) -> NDArray[np.void]:
    """What resembles the `length` symbols from `first` on, the centre; and the centre.

    Forwards from the end of the centre: the first place where a passage ends that is within `errors` edits
    is noted, and as many more symbols are looked at as it has edits; where the fewest were first, a passage
    ends, and the search begins anew behind it. Of the passages that end there with as few edits the one
    whose length is nearest to `length`, the shorter of two, is taken. Backwards from the begin of the
    centre likewise, mirrored. So passages are disjoint.

    Returns
    -------
    PASSAGE[k]
        In order of place. O(n) time.

    Raises
    ------
    ValueError
        As :func:`resembling`, and if there is no window at `first`.
    """
    ranks = _ranks(symbols, length, errors, "passages")
    if not 0 <= first <= len(ranks) - length:
        msg = f"passages: first must be 0 to {len(ranks) - length}, not {first}"
        raise ValueError(msg)
    return _gathered(ranks, first, length, errors)


def _ranks(symbols: ArrayLike, length: int, errors: int, name: str) -> Places:
    given = np.asarray(symbols)
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.size >= 2**31:
        msg = (
            f"{name}: symbols must be one sequence of fewer than 2**31 integers, "
            f"not {given.dtype}{list(given.shape)}"
        )
        raise ValueError(msg)
    if not 0 <= errors < length <= min(_WIDEST, len(given)):
        msg = (
            f"{name}: 0 <= errors < length <= {min(_WIDEST, len(given))} must hold, not {errors} and {length}"
        )
        raise ValueError(msg)
    return np.unique(given, return_inverse=True)[1].astype(np.int32)


def _may_recur(ranks: Places, length: int, errors: int) -> NDArray[np.bool_]:
    """The windows of which a piece comes again: of ``errors + 1`` pieces that many edits leave one whole."""
    size = length // (errors + 1)
    grams = ranks.astype(np.int64)
    for k in range(1, size):
        grams = np.unique(grams[:-1] * len(ranks) + ranks[k:], return_inverse=True)[1]
    recurs = np.bincount(grams)[grams] > 1
    count = len(ranks) - length + 1
    pieces = [recurs[size * piece : size * piece + count] for piece in range(errors + 1)]
    may: NDArray[np.bool_] = np.logical_or.reduce(pieces)
    return may


def _gathered(ranks: Places, first: int, length: int, errors: int) -> NDArray[np.void]:
    """The group of one centre."""
    n = len(ranks)
    room = np.empty((2, n // (length - errors) + 1), PASSAGE)
    behind = _passages(ranks, first, length, errors, room[0])
    before = _passages(ranks[::-1].copy(), n - first - length, length, errors, room[1])
    mirrored = before[::-1].copy()
    mirrored["begin"], mirrored["stop"] = n - before["stop"][::-1], n - before["begin"][::-1]
    return np.concatenate([mirrored, np.array([(first, first + length, 0)], PASSAGE), behind])


@allocating
def _sizes(
    ranks: Places, may: NDArray[np.bool_], length: int, errors: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many passages the group of each window has, and how many edits, where it `may` recur."""
    n = len(ranks)
    backwards = ranks[::-1].copy()
    bits = np.zeros(ranks.max() + 1, np.int64)
    times = np.ones(n - length + 1, np.int64)
    edits = np.zeros(n - length + 1, np.int64)
    for first in range(len(may)):
        if not may[first]:
            continue
        for text, at in ((ranks, first), (backwards, n - first - length)):
            _note(text, at, length, bits)
            stop = at + length
            while stop < n:
                stop, found = _next(text, stop, length, errors, bits)
                if found >= 0:
                    times[first] += 1
                    edits[first] += found
            _forget(text, at, length, bits)
    return times, edits


@allocating
def _passages(ranks: Places, first: int, length: int, errors: int, out: NDArray[np.void]) -> NDArray[np.void]:
    """The passages behind one centre, in order."""
    bits = np.zeros(ranks.max() + 1, np.int64)
    row = np.empty(length + errors + 1, np.int64)
    _note(ranks, first, length, bits)
    count = 0
    stop = first + length
    while stop < len(ranks):
        free = stop
        stop, found = _next(ranks, stop, length, errors, bits)
        if found >= 0:
            passage = out[count]
            passage["begin"] = stop - _extent(ranks, first, length, free, stop, row)
            passage["stop"], passage["errors"] = stop, found
            count += 1
    return out[:count]


@inner
def _note(ranks: Places, first: int, length: int, bits: NDArray[np.int64]) -> None:
    """For each symbol, where the centre has it."""
    for k in range(length):
        bits[ranks[first + k]] |= np.int64(1) << k


@inner
def _forget(ranks: Places, first: int, length: int, bits: NDArray[np.int64]) -> None:
    for k in range(length):
        bits[ranks[first + k]] = 0


@inner
def _next(ranks: Places, begin: int, length: int, errors: int, bits: NDArray[np.int64]) -> tuple[int, int]:
    """Where the next passage from `begin` on ends, and its edits; the end of the text and -1 if none does."""
    full = (np.int64(1) << length) - 1
    last = np.int64(1) << (length - 1)
    up, down = full, np.int64(0)  # vertical steps of the column: +1 and -1
    distance = length
    stop, least, until = len(ranks), -1, len(ranks)
    for j in range(begin, len(ranks)):
        equal = bits[ranks[j]]
        vertical = equal | down
        across = (((equal & up) + up) ^ up) | equal
        rises = down | (full & ~(across | up))
        falls = up & across
        if rises & last:
            distance += 1
        elif falls & last:
            distance -= 1
        rises <<= 1
        up = (falls << 1 | ~(vertical | rises)) & full
        down = rises & vertical & full
        if distance <= errors and (least < 0 or distance < least):
            if least < 0:
                until = j + distance
            stop, least = j + 1, distance
        if j >= until:
            break
    return stop, least


@inner
def _extent(ranks: Places, first: int, length: int, free: int, stop: int, row: NDArray[np.int64]) -> int:
    """Symbols of the passage from `free` or later to `stop`; ``row[l]`` will be the edits of the last `l`."""
    longest = min(len(row) - 1, stop - free)
    for extent in range(longest + 1):
        row[extent] = extent
    for k in range(1, length + 1):
        symbol = ranks[first + length - k]
        diagonal = row[0]
        row[0] = k
        for extent in range(1, longest + 1):
            replaced = diagonal + (ranks[stop - extent] != symbol)
            diagonal = row[extent]
            row[extent] = min(replaced, min(diagonal, row[extent - 1]) + 1)
    best = 0
    for extent in range(1, longest + 1):
        nearer = abs(extent - length) < abs(best - length)
        if row[extent] < row[best] or (row[extent] == row[best] and nearer):
            best = extent
    return best
