"""Rows of mostly zeros as a mask and what is not zero, and back.

Strategy. A row is sized for the longest text, and most streams are short: of the bytes of an open lane 60 to
95 % are zero. Words of 32 bits are looked at in blocks of 64, so that a block is one mask in a machine word,
and a block of zeros, the usual one, costs a scan that the compiler does eight words at a time, and nothing in
the result. Of the masks, again mostly zero, the same is kept: a bit each, and those that are not zero.

The way there has two steps, because between them exactly the memory is taken that the result needs:
:func:`mark` finds the masks, :func:`gather` takes the words that they name. The way back has two as well:
:func:`parse` only looks at what is there, and :func:`scatter` puts rows back, any of them, when they are
wanted; it touches no memory but of words that are not zero. What was not put back yet is *asleep*, and
is squeezed again from where it lies.

Compiled code checks no bound, so :func:`parse` does: it may be given any bytes, and what it gives is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["Asleep", "Squeezed", "gather", "is_wide", "mark", "parse", "restore", "scatter", "squeeze"]

_BLOCK = 64  # words that one mask speaks of; the last block of a row may be shorter
_WORD, _MASK = 4, 8  # bytes
_WIDE = _WORD * _BLOCK
"""Bytes of a row that has masks of its own. Narrower rows stand one behind the other and share them."""
_bits: Any = np.uint64


class Squeezed(NamedTuple):
    """What :func:`squeeze` gives: `parts` are the bits of the masks (uint8), the masks that are not zero
    (uint64) and the words that are not zero (uint32), each filled up to 8 bytes; `sizes` says how many of the
    last two.
    """

    parts: tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint32]]
    sizes: tuple[int, int]


class Asleep(NamedTuple):
    """Rows of a column that were squeezed: `masks` uint64[k, blocks] of each, `kept` uint32[count] the words
    of all, `first` int64[k + 1] where those of each begin.
    """

    masks: NDArray[np.uint64]
    kept: NDArray[np.uint32]
    first: NDArray[np.int64]


def squeeze(
    array: NDArray[Any],
    rows: NDArray[np.int64],
    asleep: Asleep | None = None,
    places: NDArray[np.int64] | None = None,
) -> Squeezed:
    """Some rows of a column without their zeros.

    Parameters
    ----------
    array : [n, ...]
        The column: any type without references, contiguous.
    rows : int64[k]
        Which rows, each below `n`.
    asleep, places
        What :func:`parse` gave, and (int64[k]) which of it each of `rows` is, -1 where it is in `array`.
        None: all of them are.

    Returns
    -------
    Squeezed
        What :func:`parse` takes: the same bytes, whether rows are asleep or not.

    Notes
    -----
    One pass over the rows and one over their blocks that are not all zeros. Takes the memory of the result,
    8 bytes for each 256 of `rows`, and for a column of less than 256 bytes a row a copy of its rows.
    """
    width = _width(array)
    if is_wide(array):
        words, where = _memory(array), rows
    else:
        run = _run(len(rows) * width)
        run[: len(rows) * width] = _bytes(array)[rows].reshape(-1)
        words, where = run.view(np.uint32).reshape(1, -1), np.zeros(1, np.int64)
    masks = np.empty((len(where), _blocks(words.shape[1])), np.uint64)
    if asleep is None or places is None:
        asleep, places = _nothing(masks.shape[1]), np.full(len(where), -1)
    count = int(mark(words, where, places, *asleep, masks))
    kept = np.empty(count + 2, np.uint32)
    gather(words, where, places, *asleep, masks, kept)
    kept[count:] = 0
    marked = masks.reshape(-1) != 0
    held = masks.reshape(-1)[marked]
    bits = np.zeros(_padded(-(-marked.size // 8)), np.uint8)
    bits[: -(-marked.size // 8)] = np.packbits(marked)
    return Squeezed((bits, held, kept[: count + count % 2]), (held.size, count))


def parse(
    data: memoryview, at: int, sizes: Sequence[int], array: NDArray[Any], rows: int
) -> tuple[Asleep, int]:
    """What :func:`squeeze` gave, ready to be put back.

    Parameters
    ----------
    data, at
        The parts one behind the other, and where they begin.
    sizes
        As :func:`squeeze` gave them.
    array : [n, ...]
        A column of that sort.
    rows
        How many rows they are.

    Returns
    -------
    Asleep, int
        The rows, which hold on to `data`, and where the parts end.

    Raises
    ------
    ValueError
        If `data` is cut or does not fit `rows` and `sizes`.
    """
    width = _width(array)
    runs, words = (rows, width // _WORD) if is_wide(array) else (1, len(_run(rows * width)) // _WORD)
    blocks = _blocks(words)
    held, count = sizes
    bits = -(-runs * blocks // 8)
    begin = at + _padded(bits)
    middle = begin + held * _MASK
    end = middle + _padded(count * _WORD)
    if held < 0 or count < 0 or end > len(data):
        msg = f"state is damaged: a column of {held} masks and {count} words at {at} of {len(data)} bytes"
        raise ValueError(msg)
    marked = np.unpackbits(np.frombuffer(data, np.uint8, bits, at), count=runs * blocks).view(np.bool_)
    masks = np.zeros((runs, blocks), np.uint64)
    fits = np.count_nonzero(marked) == held
    if fits:
        masks.reshape(-1)[marked] = np.frombuffer(data, np.uint64, held, begin)
    first = np.zeros(runs + 1, np.int64)
    np.cumsum(np.bitwise_count(masks).sum(axis=1, dtype=np.int64), out=first[1:])
    behind = masks[:, -1] >> _bits((words - 1) % _BLOCK) >> _bits(1) if blocks else masks
    if not fits or first[-1] != count or behind.any():
        msg = f"state is damaged: the masks at {at} do not fit a column of {rows} rows of {width} bytes"
        raise ValueError(msg)
    kept = np.frombuffer(data, np.uint32, count, middle)
    if not kept.flags.aligned:
        kept = kept.copy()
        kept.flags.writeable = False  # or the compiler would take it for another type
    return Asleep(masks, kept, first), end


def restore(asleep: Asleep, places: NDArray[np.int64], array: NDArray[Any], rows: NDArray[np.int64]) -> None:
    """Put rows of a column back.

    Parameters
    ----------
    asleep, places
        What :func:`parse` gave, and (int64[k]) which of its rows; of a column of less than 256 bytes a row
        all of them.
    array : [n, ...]
        The column, contiguous; zero in `rows`. Modified.
    rows : int64[k]
        Where they go, distinct, each in ``0:n``.

    Notes
    -----
    Of a column of 256 bytes a row or more only what is not zero is written.
    """
    if is_wide(array):
        scatter(*asleep, places, rows, _memory(array))
        return
    width = _width(array)
    run = _run(len(rows) * width)
    scatter(*asleep, np.zeros(1, np.int64), np.zeros(1, np.int64), run.view(np.uint32).reshape(1, -1))
    _bytes(array)[rows] = run[: len(rows) * width].reshape(len(rows), width)


def is_wide(array: NDArray[Any]) -> bool:
    """Whether the rows of a column are put back one by one: those of 256 bytes or more."""
    return _width(array) >= _WIDE and _width(array) % _WORD == 0


def _nothing(blocks: int) -> Asleep:
    """No row is asleep."""
    kept = np.frombuffer(b"", np.uint32)
    return Asleep(np.zeros((0, blocks), np.uint64), kept, np.zeros(1, np.int64))


def _width(array: NDArray[Any]) -> int:
    """Bytes of a row."""
    return array.dtype.itemsize * int(np.prod(array.shape[1:]))


def _blocks(words: int) -> int:
    return -(-words // _BLOCK)


def _padded(size: int) -> int:
    """Bytes that `size` bytes take, so that what is behind them is aligned."""
    return -(-size // _MASK) * _MASK


def _run(size: int) -> NDArray[np.uint8]:
    """Zeros for so many bytes, whole words."""
    return np.zeros(-(-size // _WORD) * _WORD, np.uint8)


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """A column as the bytes of its rows: NumPy copies no padding between fields otherwise."""
    return array.reshape(-1).view(np.uint8).reshape(len(array), _width(array))


def _memory(array: NDArray[Any]) -> NDArray[np.uint32]:
    """A column as the words of its rows."""
    return array.reshape(-1).view(np.uint32).reshape(len(array), _width(array) // _WORD)


@kernel
def mark(
    words: NDArray[np.uint32],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    asleep: NDArray[np.uint64],
    kept: NDArray[np.uint32],
    first: NDArray[np.int64],
    masks: NDArray[np.uint64],
) -> int:
    """Find the words that are not zero.

    Parameters
    ----------
    words : uint32[n, width]
        The memory of a column.
    rows : int64[k]
        Which rows to look at, each below `n`.
    places : int64[k]
        Which of those that are asleep each row is; -1 where it is in `words`.
    asleep, kept, first
        An :class:`Asleep`.
    masks : uint64[k, ceil(width / 64)]
        Written: bit ``j`` of mask ``b`` stands for word ``64 b + j`` of the row.

    Returns
    -------
    int
        How many words are not zero.

    Notes
    -----
    O(k width), no allocation.
    """
    width = words.shape[1]
    count = 0
    for i in range(rows.size):
        row, place = rows[i], places[i]
        if place >= 0:
            for block in range(masks.shape[1]):
                masks[i, block] = asleep[place, block]
            count += first[place + 1] - first[place]
            continue
        for block in range(masks.shape[1]):
            begin = block * 64
            end = min(begin + 64, width)
            every = np.uint32(0)
            for at in range(begin, end):
                every |= words[row, at]
            mask = _bits(0)
            if every != 0:
                for at in range(begin, end):
                    one = 1 if words[row, at] != 0 else 0
                    mask |= _bits(one) << _bits(at - begin)
                    count += one
            masks[i, block] = mask
    return count


@kernel
def gather(
    words: NDArray[np.uint32],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    asleep: NDArray[np.uint64],
    kept: NDArray[np.uint32],
    first: NDArray[np.int64],
    masks: NDArray[np.uint64],
    taken: NDArray[np.uint32],
) -> None:
    """Take the words that are not zero, in order.

    Parameters
    ----------
    words, rows, places, asleep, kept, first, masks
        As :func:`mark` had and left them.
    taken : uint32[count + 1]
        Written, as many as :func:`mark` counted; the last one is scratch.

    Notes
    -----
    O(k ceil(width / 64) + words of the blocks that are not zero), no allocation.
    """
    width = words.shape[1]
    count = 0
    for i in range(rows.size):
        row, place = rows[i], places[i]
        if place >= 0:
            for at in range(first[place], first[place + 1]):
                taken[count] = kept[at]
                count += 1
            continue
        for block in range(masks.shape[1]):
            if masks[i, block] == 0:
                continue
            for at in range(block * 64, min(block * 64 + 64, width)):
                word = words[row, at]
                taken[count] = word  # always: the next one takes its place if it is zero
                count += 1 if word != 0 else 0


@kernel
def scatter(
    masks: NDArray[np.uint64],
    kept: NDArray[np.uint32],
    first: NDArray[np.int64],
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    words: NDArray[np.uint32],
) -> None:
    """Put rows back that :func:`gather` took, where zeros are.

    Parameters
    ----------
    masks, kept, first
        An :class:`Asleep`, sound.
    places : int64[k]
        Which of its rows.
    rows : int64[k]
        Where they go, each below `n`.
    words : uint32[n, width]
        Only words that a bit stands for are written, none is read.

    Notes
    -----
    O(k ceil(width / 64) + 64 masks that are not zero), no allocation.
    """
    for i in range(rows.size):
        row, place = rows[i], places[i]
        count = first[place]
        for block in range(masks.shape[1]):
            mask = masks[place, block]
            at = block * 64
            while mask != 0:
                if mask & _bits(1):
                    words[row, at] = kept[count]
                    count += 1
                mask >>= _bits(1)
                at += 1
