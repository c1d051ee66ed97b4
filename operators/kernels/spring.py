"""Patterns found anywhere in a stream, at any speed: SPRING over a whole library in one call.

Strategy. SPRING carries one column of the warping matrix per lane and pattern. Down a column each cell
waits for the one above it, so the vector runs across patterns: 16 of about the same length lie side by
side, down to the end of the shortest, and a *tier* holds the values that they have at one place. Its width
is a constant, so the compiled loop has neither a remainder nor a test whether its arrays overlap, which
together cost more than the cells. What longer patterns have left goes down alone, and so do patterns that
are fewer than 16; two at a time, which hides half of the waiting. Nothing is padded.

A block of 16 sees all samples of a packet before the next block does: its values, and the columns of a lane
that has several samples, stay in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["BLOCK", "HELD", "MATCH", "PATTERN", "WIDTH", "Library", "arranged", "spring_update"]

WIDTH = 16
"""Patterns of a block. 8 would be unrolled, and not made a vector; 32 leave more of a library alone."""

BLOCK = np.dtype([("signal", "<i8"), ("pattern", "<i8"), ("cell", "<i8"), ("tiers", "<i8")])
"""Up to `WIDTH` patterns of one signal: its first pattern, the first cell of its tiers, how many it has."""
PATTERN = np.dtype([("length", "<i8"), ("rest", "<i8"), ("most", "<f8")])
"""How many values it has; the cell of the first behind the tiers; the largest distance of a match."""
HELD = np.dtype([("distance", "<f8"), ("begin", "<i8"), ("last", "<i8"), ("stop", "<i8")])
"""The match to be reported, if `distance` is finite: characters where it begins and ends, and where its last
sample begins."""
MATCH = np.dtype([("sample", "<i8"), ("pattern", "<i8"), ("value", "<f8"), ("begin", "<i8"), ("stop", "<i8")])
"""A match reported: the sample that decided it, and its distance per pattern value."""


class Library(NamedTuple):
    """Patterns as the kernel reads them. A lane has a cell of state for each of `values`."""

    values: NDArray[np.float64]
    blocks: NDArray[np.void]
    """BLOCK, one more than there are blocks."""
    patterns: NDArray[np.void]
    """PATTERN."""

    def cells(self, pattern: int) -> NDArray[np.int64]:
        """Where the values of a pattern lie."""
        block = self.blocks[np.searchsorted(self.blocks["pattern"], pattern, "right") - 1]
        length, rest, _ = self.patterns[pattern].item()
        _, first, cell, tiers = block.item()
        side = cell + pattern - first + WIDTH * np.arange(tiers)
        return np.concatenate([side, np.arange(rest, rest + length - tiers)])


def arranged(values: Sequence[Sequence[float]], signals: Sequence[int], within: Sequence[float]) -> Library:
    """A library of patterns that are ordered by signal and, within a signal, longest first.

    Parameters
    ----------
    values, signals, within
        Of each pattern: what to look for, in which series, and the largest distance per value.

    Examples
    --------
    >>> library = arranged([(1, 2, 3), (7, 8)], [0, 0], [0.1, 0.1])
    >>> library.values, library.cells(1)
    (array([1., 2., 3., 7., 8.]), array([3, 4]))
    """
    blocks: list[tuple[int, int, int, int]] = []
    patterns: list[tuple[int, int, float]] = []
    cells: list[NDArray[np.float64]] = [np.empty(0)]
    first = at = 0
    while first < len(values):
        signal = signals[first]
        known = [q for q in range(first, min(first + WIDTH, len(values))) if signals[q] == signal]
        tiers = len(values[known[-1]]) if len(known) == WIDTH else 0
        blocks.append((signal, first, at, tiers))
        cells.append(np.array([values[q][:tiers] for q in known], np.float64).T.ravel())
        at += len(known) * tiers
        for q in known:
            patterns.append((len(values[q]), at, within[q] * len(values[q])))
            cells.append(np.array(values[q][tiers:], np.float64))
            at += len(values[q]) - tiers
        first += len(known)
    blocks.append((-1, len(values), at, 0))
    return Library(np.concatenate(cells), np.array(blocks, BLOCK), np.array(patterns, PATTERN))


@kernel
def spring_update(
    samples: NDArray[np.void],
    values: NDArray[np.float64],
    blocks: NDArray[np.void],
    patterns: NDArray[np.void],
    distance: NDArray[np.float64],
    start: NDArray[np.int32],
    held: NDArray[np.void],
    edge: NDArray[np.float64],
    edge_start: NDArray[np.int32],
    matches: NDArray[np.void],
) -> int:
    """Advance all patterns of all lanes by the samples of a packet, and report disjoint best matches.

    A subsequence matches when its DTW distance to the pattern is at most ``most``. Of matches that overlap
    the nearest is reported, once no path that begins inside it can still beat it; the paths inside it are
    then forgotten. Exact over all subsequences of any length that end at a sample; nothing is normalised.

    Parameters
    ----------
    samples : SAMPLE[n]
        Oldest first, the whole table and read-only, so that there is one type to compile for. A value that
        is not finite is no measurement and is passed over. Samples of one signal that begin at the same
        character count as one place.
    values, blocks, patterns
        A :class:`Library`.
    distance, start : float64[rows, cells], int32[rows, cells]
        The columns `D` of each lane, ``inf`` in a new one, and `S`: the character at which the path to
        that cell began (an int32 holds lanes of two billion characters). Modified.
    held : HELD[rows, patterns]
        ``inf`` as distance in a new lane. Modified.
    edge, edge_start : float64[2, WIDTH], int32[2, WIDTH]
        Room to work: the last tier of a block as it was before the sample, and as it is. Modified.
    matches : MATCH[n * patterns of the signal that has most]
        Modified: as many rows as there are matches; by block, then by sample, then by pattern.

    Returns
    -------
    int
        How many matches there are.

    Notes
    -----
    O(cells of the signal) a sample, no allocation. On a Xeon with AVX-512 0.6 ns a cell for 1,024 patterns
    of 128 where a lane has several samples, 0.8 for a lone one, which waits for memory; 1.3 ns for patterns
    that are fewer than a block.

    References
    ----------
    .. [1] Y. Sakurai, C. Faloutsos, M. Yamamuro, "Stream monitoring under the time warping
       distance", ICDE 2007.
    """
    count = 0
    for b in range(len(blocks) - 1):
        block = blocks[b]
        first, side, tiers = block["pattern"], blocks[b + 1]["pattern"] - block["pattern"], block["tiers"]
        low, high = block["cell"], block["cell"] + WIDTH * tiers
        for k in range(len(samples)):
            value = samples[k]["value"]
            if samples[k]["signal"] != block["signal"] or not np.isfinite(value):
                continue
            row, begin = samples[k]["row"], samples[k]["begin"]
            column, begun = distance[row], start[row]
            edge[:], edge_start[:] = 0.0, begin
            if tiers:
                _descend(value, begin, values[low:high], column[low:high], begun[low:high], edge, edge_start)
            if patterns[first]["length"] > tiers:
                for place in range(0, side, 2):
                    other = min(place + 1, side - 1)
                    one, two = patterns[first + place], patterns[first + other]
                    shorter = two["length"] - tiers if other > place else 0
                    _descend_alone(
                        value, values, column, begun, edge, edge_start, place, other,
                        one["rest"], two["rest"], shorter, one["length"] - tiers,
                    )  # fmt: skip
            for place in range(side):
                pattern, best = patterns[first + place], held[row, first + place]
                if best["distance"] < np.inf and not _is_alive(
                    column, begun, low + place, tiers, pattern, best
                ):
                    match = matches[count]
                    match["sample"], match["pattern"] = k, first + place
                    match["value"] = best["distance"] / pattern["length"]
                    match["begin"], match["stop"] = best["begin"], best["stop"]
                    count += 1
                    best["distance"] = np.inf
                    for i in range(pattern["length"]):
                        cell = _cell(i, low + place, tiers, pattern["rest"])
                        if begun[cell] <= best["last"]:
                            column[cell] = np.inf
                end = _cell(pattern["length"] - 1, low + place, tiers, pattern["rest"])
                if column[end] <= pattern["most"] and column[end] < best["distance"]:
                    best["distance"], best["begin"] = column[end], begun[end]
                    best["last"], best["stop"] = begin, samples[k]["stop"]
    return count


@inner
def _cell(i: int, first: int, tiers: int, rest: int) -> int:
    """Where value `i` of a pattern lies: in the tiers, the first of them at `first`, or behind them."""
    return first + WIDTH * i if i < tiers else rest + i - tiers


@inner
def _descend(
    value: float,
    begin: int,
    values: NDArray[np.float64],
    column: NDArray[np.float64],
    begun: NDArray[np.int32],
    edge: NDArray[np.float64],
    edge_start: NDArray[np.int32],
) -> None:
    """One sample down all tiers of a block.

    Of equal paths the one that stays on the sample goes first, then the one that stays on the pattern's
    value, then the diagonal, as in the paper. A minimum is written ``a if a < b else b``: one instruction.
    """
    older, older_start = edge[0], edge_start[0]
    width = np.uint64(WIDTH)
    # Unsigned here and below: a signed index costs a test for "counted from the end" in every cell.
    for q in range(width):
        older[q], older_start[q] = column[q], begun[q]
        gap = value - values[q]
        column[q], begun[q] = gap * gap, begin
    for tier in range(width, np.uint64(len(column)), width):
        for q in range(width):
            cell = tier + q
            left, left_start = column[cell], begun[cell]
            diagonal, corner = older[q], older_start[q]
            up, up_start = column[cell - width], begun[cell - width]
            older[q], older_start[q] = left, left_start
            nearest = left if left < diagonal else diagonal
            origin = left_start if left <= diagonal else corner
            origin = up_start if up <= nearest else origin
            nearest = up if up < nearest else nearest
            gap = value - values[cell]
            column[cell], begun[cell] = nearest + gap * gap, origin
    last = np.uint64(len(column)) - width
    for q in range(width):
        edge[1, q], edge_start[1, q] = column[last + q], begun[last + q]


@inner
def _descend_alone(
    value: float,
    values: NDArray[np.float64],
    column: NDArray[np.float64],
    begun: NDArray[np.int32],
    edge: NDArray[np.float64],
    edge_start: NDArray[np.int32],
    place: int,
    other: int,
    low: int,
    low_other: int,
    shorter: int,
    longer: int,
) -> None:
    """One sample down the rest of two columns: `longer` cells from `low`, `shorter` from `low_other` on."""
    diagonal_a, corner_a, up_a, from_a = (
        edge[0, place],
        edge_start[0, place],
        edge[1, place],
        edge_start[1, place],
    )
    diagonal_b, corner_b, up_b, from_b = (
        edge[0, other],
        edge_start[0, other],
        edge[1, other],
        edge_start[1, other],
    )
    for i in range(np.uint64(shorter)):
        cell = np.uint64(low) + i
        left, left_start = column[cell], begun[cell]
        up_a, from_a = _step(value - values[cell], left, diagonal_a, up_a, left_start, corner_a, from_a)
        column[cell], begun[cell] = up_a, from_a
        diagonal_a, corner_a = left, left_start
        cell = np.uint64(low_other) + i
        left, left_start = column[cell], begun[cell]
        up_b, from_b = _step(value - values[cell], left, diagonal_b, up_b, left_start, corner_b, from_b)
        column[cell], begun[cell] = up_b, from_b
        diagonal_b, corner_b = left, left_start
    for i in range(np.uint64(shorter), np.uint64(longer)):
        cell = np.uint64(low) + i
        left, left_start = column[cell], begun[cell]
        up_a, from_a = _step(value - values[cell], left, diagonal_a, up_a, left_start, corner_a, from_a)
        column[cell], begun[cell] = up_a, from_a
        diagonal_a, corner_a = left, left_start


@inner
def _step(
    gap: float,
    left: float,
    diagonal: float,
    up: float,
    left_start: np.int32,
    corner: np.int32,
    up_start: np.int32,
) -> tuple[float, np.int32]:
    """One cell of a column: its distance, and where the path it continues began."""
    nearest = left if left < diagonal else diagonal
    origin = left_start if left <= diagonal else corner
    return (up if up < nearest else nearest) + gap * gap, up_start if up <= nearest else origin


@inner
def _is_alive(
    column: NDArray[np.float64], begun: NDArray[np.int32], first: int, tiers: int, pattern: Any, best: Any
) -> bool:
    """Whether a path that began inside the held match can still become a nearer one."""
    for i in range(pattern["length"]):
        cell = _cell(i, first, tiers, pattern["rest"])
        if column[cell] < best["distance"] and begun[cell] <= best["last"]:
            return True
    return False
