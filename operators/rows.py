"""Sparse rows share one array: where each row of a table lies, so that no two put a value in one cell.

Strategy. A row is a set of columns, given as the bits of an integer. Rows with the same columns are placed
together, the fullest first; a window of cells is one integer too, so that one shift and one AND per column
test all places of a row in it at once. Full rows only look at the end of what is taken. The others take the
first window with room; one where a row found none is offered again only to rows that are much emptier. What
needs one cell goes into the gaps that are left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["bits_of", "placed"]

_FULL = 16  # columns
_LOOK_BACK = 128  # cells before the last full row that the next may use
_WINDOW = 4096  # cells, or as many as a row is wide
_UNTRIED = 1 << 30


def placed(rows: Sequence[int], width: int) -> tuple[NDArray[np.int32], int]:
    """For each row the place of its column 0, and how many cells all take.

    Cells ``place + column`` of the columns of a row are its own; every ``place + column`` with a column
    below `width` lies within the cells. About 20 us a row with a set of columns of its own.

    :param rows: The columns of each row, as bits.
    """
    places = np.zeros(len(rows), np.int32)
    alike: dict[int, list[int]] = defaultdict(list)
    for row, columns in enumerate(rows):
        if columns:
            alike[columns].append(row)
    groups = sorted(alike, key=lambda columns: (-columns.bit_count(), columns))
    full = [columns for columns in groups if columns.bit_count() > _FULL]
    taken = _append(full, alike, places, width)
    cells = _Cells(taken, width)
    for columns in groups[len(full) :]:
        if columns.bit_count() > 1:
            cells.fill(places, alike[columns], columns)
    ones = [columns for columns in groups if columns.bit_count() == 1]
    gaps = cells.gaps(sum(len(alike[columns]) for columns in ones), width)
    done = 0
    for columns in ones:
        members = alike[columns]
        places[members] = gaps[done : done + len(members)] - (columns.bit_length() - 1)
        done += len(members)
    return places, int(places.max(initial=0)) + width


def bits_of(columns: int) -> list[int]:
    """The places of the bits that are set, ascending."""
    bits = []
    while columns:
        bits.append((columns & -columns).bit_length() - 1)
        columns &= columns - 1
    return bits


def _append(
    groups: list[int], alike: dict[int, list[int]], places: NDArray[np.int32], width: int
) -> NDArray[np.bool_]:
    """Place full rows one behind the other, as close as they go; the cells they take."""
    tail, first = 0, width  # cells from `first` on; a place below 0 is none
    ends = [0]
    reach = (1 << _LOOK_BACK + width + 1) - 1
    for columns in groups:
        bits = bits_of(columns)
        for row in alike[columns]:
            free = reach
            for bit in bits:
                free &= ~(tail >> bit)
            place = (free & -free).bit_length() - 1
            tail |= columns << place
            places[row] = first + place
            on = max(place - _LOOK_BACK, 0)
            first += on
            tail >>= on
        ends.append(first + tail.bit_length())
    taken = np.zeros(max(ends), np.bool_)
    for columns in groups:
        taken[np.add.outer(places[alike[columns]], bits_of(columns))] = True
    return taken


class _Cells:
    """The cells in windows, each an integer of taken cells, and how full a row found no room in it."""

    def __init__(self, taken: NDArray[np.bool_], width: int) -> None:
        raw = np.packbits(taken, bitorder="little").tobytes()
        size = max(_WINDOW, width) // 8 + 1
        self._size = size * 8
        self._taken = [int.from_bytes(raw[at : at + size], "little") for at in range(0, len(raw), size)]
        self._tried = [_UNTRIED] * len(self._taken)

    def fill(self, places: NDArray[np.int32], rows: list[int], columns: int) -> None:
        """Place `rows`, which all have these columns, in the first windows that have room."""
        bits = bits_of(columns)
        low, span = bits[0], columns >> bits[0]
        bits = [bit - low for bit in bits]
        window, rest = 0, rows
        while rest:
            while window + 1 >= len(self._taken):
                self._taken.append(0)
                self._tried.append(_UNTRIED)
            if len(bits) * 4 <= self._tried[window] * 3:
                rest = self._fill(window, places, rest, low, span, bits)
            window += 1

    def _fill(
        self, window: int, places: NDArray[np.int32], rows: list[int], low: int, span: int, bits: list[int]
    ) -> list[int]:
        """Place what goes into a window (its last rows may reach into the next); the rows left over."""
        whole = (1 << self._size) - 1
        taken = self._taken[window] | self._taken[window + 1] << self._size
        first = window * self._size - low
        done = 0
        while done < len(rows):
            free = whole if first >= 0 else whole & -1 << -first
            for bit in bits:
                free &= ~(taken >> bit)
            if not free:
                self._tried[window] = len(bits)
                break
            # One test serves many rows: those that do not overlap the ones before are free all together.
            while free and done < len(rows):
                place = (free & -free).bit_length() - 1
                if taken >> place & span == 0:
                    taken |= span << place
                    places[rows[done]] = first + place
                    done += 1
                free &= -1 << place + 1
        self._taken[window] = taken & whole
        self._taken[window + 1] = taken >> self._size
        return rows[done:]

    def gaps(self, wanted: int, width: int) -> NDArray[np.int64]:
        """The first `wanted` cells from `width` on that nobody has taken."""
        raw = b"".join(taken.to_bytes(self._size // 8, "little") for taken in self._taken)
        raw += bytes((wanted + width) // 8 + 1)
        free = np.flatnonzero(np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little") == 0)
        return free[free >= width][:wanted]
