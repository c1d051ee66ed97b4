"""The tables of an automaton as arrays: how states and their ways out are laid down, and kept in a file.

Strategy. Where most symbols lead is said once for each state; the others are cells of a double array: the
rows of all states share one array (``operators.rows``), and each cell says whose it is. A kernel looks
nothing up twice, so what comes from a file is checked whole before it is used.
"""

from __future__ import annotations

import io
import zipfile
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators import alphabet
from operators.rows import bits_of, placed
from operators.symbols import FIRST_CLASS

__all__ = [
    "CHECKED", "DEAD", "FINAL", "LATER", "NOW", "Automaton", "Ways", "double_array", "listed", "openings",
    "packed", "unpacked",
]  # fmt: skip

NOW, LATER, CHECKED, FINAL = 1, 2, 4, 8
"""Flags of a state."""

DEAD = -1
"""No state."""


class Ways(NamedTuple):
    """The ways out of states, flat lists of integers: nothing for the garbage collector to follow."""

    at: list[int]
    """State s has the ways ``at[s]:at[s + 1]``."""
    sets: list[int]
    """The symbols of each, as bits; those of one state exclude each other."""
    targets: list[int]
    """The state each leads to."""


class Automaton(NamedTuple):
    """The tables, arrays only. Rules are numbered as they were given."""

    plain_of: NDArray[np.uint16]
    """[0x110000] Symbol of each code point in the form ``plain``."""
    letter_of: NDArray[np.uint16]
    """[0x110000] Symbol of each code point in the form ``letters``."""
    spelt_at: NDArray[np.int32]
    """[k] The code points that are read as several characters (SPELT in both tables), ascending."""
    spelt: NDArray[np.int32]
    """[k, 4] These characters, padded with -1."""
    word: NDArray[np.uint8]
    """[2, symbols] 1 for a word character: of ASCII in plain, of a script with spaces in letters."""
    bank_at: NDArray[np.int32]
    """[5] Machines ``bank_at[b]:bank_at[b + 1]`` are bank b: plain, folded, plain and folded detect-only."""
    starts: NDArray[np.int32]
    """[machines, 2] The state before the first character, after a word character and after none. DEAD where
    nothing can begin."""
    opening_at: NDArray[np.int32]
    """[4, 2, symbols + 1] ``opening[opening_at[b, n, c]:opening_at[b, n, c + 1]]``: the states of all the
    machines of bank b after a first character c, behind a word character (n = 0) or none (1)."""
    opening: NDArray[np.int32]
    states: NDArray[np.int32]
    """[states, 4] `base`, `other`, `flags` and `hold` of each state, side by side: a step reads all four."""
    cells: NDArray[np.int32]
    """[cells, 2] `check` and `next` of each cell."""
    now_at: NDArray[np.int32]
    now: NDArray[np.int32]
    """``now[now_at[s]:now_at[s + 1]]``: rules that match as soon as s is reached, ascending."""
    later_at: NDArray[np.int32]
    later: NDArray[np.int32]
    """Likewise, rules that match in s if the symbol after it allows: `edge` and `checked` ones."""
    lead: NDArray[np.int32]
    """[states] The lowest rule that matches in it or can still match from it."""
    edge: NDArray[np.uint8]
    """[rules] 1: the symbol after a match must be no word character."""
    checked: NDArray[np.uint8]
    """[rules] 1: something looks at each match before it counts; 2: at where it begins."""
    eager: NDArray[np.uint8]
    """[rules] 1: the first end counts."""
    longest: NDArray[np.int32]
    """[rules] Normalised characters that the rule holds back at worst. 0: detect-only, and without bound."""

    @property
    def base(self) -> NDArray[np.int32]:
        """A state s goes with symbol c to ``next[base[s] + c]`` if ``check[base[s] + c] == s``."""
        return self.states[:, 0]

    @property
    def other(self) -> NDArray[np.int32]:
        """Where it goes else: where most symbols lead."""
        return self.states[:, 1]

    @property
    def flags(self) -> NDArray[np.int32]:
        """NOW, LATER: it has such rules; CHECKED: one of the later has a check; FINAL: no way on."""
        return self.states[:, 2]

    @property
    def hold(self) -> NDArray[np.int32]:
        """Characters that a thread may grow to before it is decided in pieces: the most over the rules
        still alive in it; beyond all bounds for one that ends by itself. Of detect-only rules too.
        """
        return self.states[:, 3]

    @property
    def check(self) -> NDArray[np.int32]:
        """Whose each cell is, DEAD where it is free."""
        return self.cells[:, 0]

    @property
    def next(self) -> NDArray[np.int32]:
        """Where it leads."""
        return self.cells[:, 1]


def packed(tables: Automaton) -> bytes:
    """The tables as a file (npz)."""
    file = io.BytesIO()
    np.savez(file, **tables._asdict())
    return file.getvalue()


def unpacked(file: bytes) -> Automaton:
    """The tables that :func:`packed` wrote.

    :raises ValueError: If `file` is anything else, or damaged: a kernel looks nothing up twice.
    """
    try:
        with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
            tables = Automaton(**arrays)
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, OSError, EOFError) as error:
        msg = f"no tables of rules: {error}"
        raise ValueError(msg) from error
    _check(tables)
    return tables


def _check(tables: Automaton) -> None:
    """:raises ValueError: If a walk over the tables could leave them."""
    states, rules, width = len(tables.states), len(tables.longest), tables.word.shape[1]
    cells = len(tables.cells)
    narrow = {"plain_of": np.uint16, "letter_of": np.uint16} | dict.fromkeys(
        ("word", "edge", "checked", "eager"), np.uint8
    )
    fits = (
        all(column.dtype == narrow.get(name, np.int32) for name, column in tables._asdict().items())
        and all(table.shape == (alphabet.CODES,) for table in tables[:2])
        and tables.word.shape == (2, width)
        and tables.starts.ndim == 2
        and tables.starts.shape[1] == 2
        and tables.opening_at.shape == (4, 2, width + 1)
        and tables.spelt.shape == (len(tables.spelt_at), 4)
        and tables.states.shape[1:] == (4,)
        and tables.cells.shape[1:] == (2,)
        and len(tables.lead) == states
        and all(len(column) == rules for column in (tables.edge, tables.checked, tables.eager))
        and _within(tables.starts, DEAD, states)
        and _within(tables.base, 0, cells - width + 1)
        and _within(tables.next, DEAD, states)
        and _within(tables.other, DEAD, states)
        and tables.bank_at.shape == (5,)
        and _within(tables.bank_at, 0, len(tables.starts) + 1)
        and _within(tables.opening, 0, states)
        and _within(tables.opening_at, 0, len(tables.opening) + 1)
        and bool((np.diff(tables.opening_at) >= 0).all())
        and _lists(tables.now_at, tables.now, states, rules)
        and _lists(tables.later_at, tables.later, states, rules)
    )
    if not fits:
        msg = "no tables of rules: of other shape, or a place out of range"
        raise ValueError(msg)


def _within(column: NDArray[np.int32], low: int, stop: int) -> bool:
    return column.size == 0 or (int(column.min()) >= low and int(column.max()) < stop)


def _lists(places: NDArray[np.int32], items: NDArray[np.int32], count: int, rules: int) -> bool:
    edges = len(places) == count + 1 and places[0] == 0 and places[-1] == len(items)
    return bool(edges) and bool((np.diff(places) >= 0).all()) and _within(items, 0, rules)


def openings(
    bank_at: list[int], starts: list[list[int]], ways: Ways, width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The states that each first character leads to, by bank and what stands before it."""
    lists: list[tuple[int, ...]] = []
    for bank in range(4):
        for edge in (0, 1):
            reached: list[list[int]] = [[] for _ in range(width + 1)]
            for machine in starts[bank_at[bank] : bank_at[bank + 1]]:
                state = machine[edge]
                for way in range(ways.at[state], ways.at[state + 1]) if state != DEAD else ():
                    for symbol in bits_of(ways.sets[way]):
                        reached[symbol].append(ways.targets[way])
            lists += map(tuple, reached)
    places, opening = listed(lists)
    return places[:-1].reshape(4, 2, width + 1), opening


def double_array(
    ways: Ways, widths: list[int], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Base, other, check and next of all ways (:class:`Automaton`). About 10 us a state.

    :param widths: For each state the symbols that its form has.
    :param width: The most of them.
    """
    others: list[int] = []
    rows: list[int] = []
    kept: list[int] = []  # ways that need cells
    stop = 0
    for own, end in zip(widths, ways.at[1:], strict=True):
        begin, stop = stop, end
        row = sum(ways.sets[begin:stop])
        most, other, every = 0, DEAD, (1 << own) - (1 << FIRST_CLASS)
        for way in range(begin, stop):
            breadth = ways.sets[way].bit_count()
            if breadth > most:
                most, other = breadth, ways.targets[way]
        if most < every.bit_count() - row.bit_count():
            other = DEAD
        else:
            row = every
        for way in range(begin, stop):
            if ways.targets[way] == other:
                row ^= ways.sets[way]
            else:
                kept.append(way)
        others.append(other)
        rows.append(row)
    base, cells = placed(rows, width)
    check = np.full(cells, DEAD, np.int32)
    follower = np.full(cells, DEAD, np.int32)
    which, symbols = _each(rows)
    check[base[which] + symbols] = which
    chosen = np.array(kept, np.int32)
    owners = np.repeat(np.arange(len(rows)), np.diff(ways.at))[chosen]
    which, symbols = _each([ways.sets[way] for way in kept])
    follower[base[owners[which]] + symbols] = np.array(ways.targets, np.int32)[chosen[which]]
    return base, np.array(others, np.int32), check, follower


def _each(sets: list[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which set, and symbol, of all symbols of all sets."""
    number: dict[int, int] = {}
    chosen = np.array([number.setdefault(symbols, len(number)) for symbols in sets], np.int32)
    places, symbols = listed([tuple(bits_of(symbols)) for symbols in number])
    counts = np.diff(places)[chosen]
    skipped = places[:-1][chosen] - (np.cumsum(counts) - counts)
    which = np.repeat(np.arange(len(sets), dtype=np.int32), counts)
    return which, symbols[skipped[which] + np.arange(len(which))]


def listed(lists: list[tuple[int, ...]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where each list begins, and all of them one after the other."""
    places = np.array([0, *accumulate(map(len, lists))], np.int32)
    return places, np.fromiter(chain.from_iterable(lists), np.int32, places[-1])
