"""Where each symbol of a sequence stands, 128 places at a time: what bit-parallel kernels look up.

Strategy. A kernel that holds 64 cells of a column in a machine word asks for every symbol of one sequence
where it stands in the other. That is a table of two words a symbol, written for 128 places at a time and
wiped again, so memory is linear even if no symbol comes twice. Symbols are numbered first: small ones are
their own number, others are found by their hash. All of that lies in one piece of memory.

Everything Python can mean by a sequence of symbols becomes 64-bit numbers here (:func:`operands`), by way of
bytes where that is the fastest: numba takes 3 us to accept a ``str``, and NumPy as long to read a list.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numba import config
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = [
    "SHIFT", "aligned", "at", "common", "count", "filled", "joined", "mark", "number", "operands", "room",
    "symbols", "widen", "wipe", "wrapping",
]  # fmt: skip

SHIFT = 3  # bits below the number of a symbol, for what a column hands down to the words below
_SMALL = 256  # rows that a table may always have
_TRACED = 1 << 15  # words, 256 KiB: of a matrix that is kept to walk back through it
_Array, _INT64 = np.ndarray, np.dtype(np.int64)
_numba: Any = config
_bits: Any = np.uint64
"""Numbers are made words where they are read: numba takes a word and a plain number for floats."""

_Symbols = str | bytes | NDArray[np.integer[Any]] | Sequence[int] | Sequence[str]
_Words = NDArray[np.uint64]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def wrapping(function: _Function) -> _Function:
    """Let machine words wrap without the JIT too, where NumPy warns of it."""
    return np.errstate(over="ignore")(function) if _numba.DISABLE_JIT else function


@inner
def room(n: int, m: int) -> int:
    """Words that a kernel needs for sequences of n and m symbols: 8 for each of the longer, and 4 KiB."""
    return 8 * max(n, m) + 2 * _SMALL


def operands(a: Any, b: Any) -> tuple[Any, Any, int]:
    """Both sequences as a kernel takes them (:func:`widen`), and the bytes of a symbol.

    Raises
    ------
    TypeError, ValueError
        As :func:`symbols`.
    """
    kind = type(a)
    if kind is type(b):
        if kind is _Array:
            plain = a.dtype is _INT64 is b.dtype and a.ndim == 1 == b.ndim
            # Read-only or with gaps it would be another type to the compiler: seconds for each pair of types.
            if plain and a.flags.carray and b.flags.carray:
                return a, b, 1
        elif kind is str:
            if a.isascii() and b.isascii():
                return a.encode(), b.encode(), 1
            return _code_points(a), _code_points(b), 4
        elif kind is bytes:
            return a, b, 1
        elif kind is list:
            try:
                return _packer(len(a))(*a), _packer(len(b))(*b), 8
            except struct.error:  # other symbols, or greater ones
                pass
    x, y = symbols(a, b)
    return x, y, 1


def _code_points(text: Any) -> bytes:
    """Four bytes each, behind the mark of their order; Python has a shorter way to these than without it."""
    return bytes(text.encode("utf-32", "surrogatepass")[4:])


@lru_cache
def _packer(n: int) -> Any:
    return struct.Struct(f"{n}q").pack


def symbols(*sequences: _Symbols) -> list[NDArray[np.int64]]:
    """Each sequence as numbers, the same for the same symbol in all of them.

    Parameters
    ----------
    *sequences
        ``str`` (symbols are its code points), ``bytes``, an array of integers or a sequence of ``int`` or
        ``str`` (symbols are its elements).

    Raises
    ------
    TypeError
        If there is a symbol that is neither an integer nor a string.
    ValueError
        If an array has not one dimension.
    """
    read = [_read(sequence) for sequence in sequences]
    if all(isinstance(one, np.ndarray) for one in read):
        return read
    numbers: dict[Any, int] = {}
    lists = [one.tolist() if isinstance(one, np.ndarray) else one for one in read]
    return [np.array([numbers.setdefault(x, len(numbers)) for x in one], np.int64) for one in lists]


def _read(sequence: Any) -> Any:
    """An int64 array, or a list of symbols of which one at least is no int64."""
    if isinstance(sequence, str):
        return np.frombuffer(_code_points(sequence), np.uint32).astype(np.int64)
    if isinstance(sequence, bytes | bytearray):
        return np.frombuffer(sequence, np.uint8).astype(np.int64)
    if isinstance(sequence, np.ndarray) and sequence.ndim != 1:
        msg = f"a sequence must have one dimension, not {sequence.ndim}"
        raise ValueError(msg)
    if isinstance(sequence, np.ndarray) and sequence.dtype.kind in "iub":
        if sequence.dtype != np.uint64 or not sequence.size or sequence.max() < 1 << 63:
            return sequence.astype(np.int64)
        return sequence.tolist()
    listed = list(sequence)
    try:
        return np.frombuffer(_packer(len(listed))(*listed), np.int64).copy()
    except struct.error:
        pass
    for symbol in listed:
        if not isinstance(symbol, int | str | np.integer):
            msg = f"symbols must be integers or strings, not {type(symbol).__name__}"
            raise TypeError(msg)
    return listed


def joined(sequences: Sequence[_Symbols]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Sequences as :func:`symbols`, and where each ends when they stand one behind the other, after a 0."""
    read = symbols(*sequences)
    return read, np.cumsum([0, *map(len, read)], dtype=np.int64)


def aligned(
    a: _Symbols,
    b: _Symbols,
    ends: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]],
    traced: Callable[[Any, Any, int], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """An alignment in linear memory: halve `b`, find where that halves `a`, and so on (Hirschberg 1975).

    Parameters
    ----------
    a, b
        As :func:`symbols`, that says what is raised too.
    ends
        The cost of all of the second sequence with the first i of the first, int64[n + 1].
    traced
        The alignment of what :func:`operands` returns, when the matrix is small: int64[k, 2], -1 for none.
    """
    first, second, width = operands(a, b)
    if _is_small(len(first) // width, len(second) // width):
        return traced(first, second, width)
    x, y = symbols(a, b)
    pieces, open_ = [], [(0, x.size, 0, y.size)]
    while open_:
        top, bottom, left, right = open_.pop()
        if _is_small(bottom - top, right - left):
            piece = traced(x[top:bottom], y[left:right], 1)
            pieces.append(np.where(piece < 0, piece, piece + np.array([top, left])))
            continue
        middle = (left + right) // 2
        before = ends(x[top:bottom], y[left:middle])
        behind = ends(x[top:bottom][::-1].copy(), y[middle:right][::-1].copy())
        cut = top + int(np.argmin(before + behind[::-1]))
        open_ += [(cut, bottom, middle, right), (top, cut, left, middle)]
    return np.concatenate(pieces)


def _is_small(n: int, m: int) -> bool:
    return m <= 1 or (n + 127 >> 6) * m <= _TRACED


@inner
def widen(sequence: Any, width: int, out: _Words) -> None:
    """Write symbols as 64-bit words: the elements of a sequence if `width` is 1, or 4 or 8 bytes together."""
    if width == 1:
        for i in range(_bits(out.size)):
            out[i] = _bits(sequence[i])
    elif width == 4:
        for i in range(_bits(out.size)):
            out[i] = _together(sequence, _bits(4) * i)
    else:
        for i in range(_bits(out.size)):
            at = _bits(8) * i
            out[i] = _together(sequence, at) | _together(sequence, at + _bits(4)) << _bits(32)


@inner
def _together(sequence: Any, at: Any) -> Any:
    """Four bytes as a number; the compiler makes one load of it."""
    low = _bits(sequence[at]) | _bits(sequence[at + _bits(1)]) << _bits(8)
    return low | _bits(sequence[at + _bits(2)]) << _bits(16) | _bits(sequence[at + _bits(3)]) << _bits(24)


@inner
def common(x: _Words, y: _Words) -> tuple[int, int]:
    """How many symbols both begin with, and end with beyond those."""
    least, first, last = min(x.size, y.size), 0, 0
    while first < least and x[first] == y[first]:
        first += 1
    while last < least - first and x[x.size - 1 - last] == y[y.size - 1 - last]:
        last += 1
    return first, last


@inner
def _seek(symbol: Any, keys: _Words, names: _Words) -> Any:
    """Where a symbol is in a hash table, or the free place where it belongs."""
    mask = _bits(keys.size - 1)
    place = symbol * _bits(0x9E3779B97F4A7C15) >> _bits(32) & mask
    while names[place] and keys[place] != symbol:
        place = place + _bits(1) & mask
    return place


@inner
def number(x: _Words, y: _Words, memory: _Words) -> Any:
    """Replace each symbol by its number, shifted by 1 + SHIFT; what stands in `y` only may be 0.

    Parameters
    ----------
    x, y : uint64[n], uint64[m]
        The sequences. Modified.
    memory : uint64[6 max(n, m) + 512]
        Modified.

    Returns
    -------
    int
        Words of a table of where each symbol stands, two for each; `memory` begins with an empty one.
    """
    both = _bits(0)
    for i in range(_bits(x.size)):
        both |= x[i]
    for j in range(_bits(y.size)):
        both |= y[j]
    above = _bits(1 + SHIFT)
    if both < _bits(max(_SMALL, x.size + y.size)):
        for i in range(_bits(x.size)):
            x[i] <<= above
        for j in range(_bits(y.size)):
            y[j] <<= above
        words = 2 * (np.int64(both) + 1)
        memory[:words] = 0
        return words
    size = 4
    while 2 * size < 3 * x.size:
        size *= 2
    keys, names = memory[:size], memory[size : 2 * size]
    names[:] = 0
    last = _bits(0)
    for i in range(_bits(x.size)):
        place = _seek(x[i], keys, names)
        if not names[place]:
            last += _bits(1)
            keys[place], names[place] = x[i], last << above
        x[i] = names[place]
    for j in range(_bits(y.size)):
        y[j] = names[_seek(y[j], keys, names)]
    words = 2 * (np.int64(last) + 1)
    memory[:words] = 0
    return words


@inner
def mark(x: _Words, first: int, places: _Words) -> None:
    """Write where each of 128 numbered symbols stands, a bit each."""
    for i in range(_bits(min(128, x.size - first))):
        places[(x[_bits(first) + i] >> _bits(SHIFT)) + (i >> _bits(6))] |= _bits(1) << (i & _bits(63))


@inner
def wipe(x: _Words, first: int, places: _Words) -> None:
    """Take back what :func:`mark` wrote."""
    for i in range(_bits(min(128, x.size - first))):
        places[(x[_bits(first) + i] >> _bits(SHIFT)) + (i >> _bits(6))] = 0


@inner
def count(word: Any) -> Any:
    """The bits that are set."""
    word -= word >> _bits(1) & _bits(0x5555555555555555)
    word = (word & _bits(0x3333333333333333)) + (word >> _bits(2) & _bits(0x3333333333333333))
    word = word + (word >> _bits(4)) & _bits(0x0F0F0F0F0F0F0F0F)
    return np.int64(word * _bits(0x0101010101010101) >> _bits(56))


@inner
def filled(cells: int) -> Any:
    """The lowest bits of a word, as many as there are cells: none below 0, all from 64."""
    cells = min(max(cells, 0), 64)
    return ~_bits(0) >> _bits(64 - cells) if cells else _bits(0)


@inner
def at(word: Any, i: int) -> Any:
    """Bit i of a word, counted around."""
    return np.int64(word >> _bits(i & 63) & _bits(1))
