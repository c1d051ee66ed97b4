"""Columns without their zeros, as masks and what is not zero, and back.

Strategy. A row is sized for the longest text, and most streams are short: of the bytes of an open lane 60 to
95 % are zero. Words of 32 bits are looked at in blocks of 64, so that a block is one mask in a machine word,
and a block of zeros, the usual one, costs a scan that the compiler does eight words at a time, and nothing in
the result. Of the masks, again mostly zero, the same is kept: a bit each, and those that are not zero.

All columns of a state lie in one piece of memory (:class:`Laid`), so that one call takes all there is of any
rows, however many columns they have: with a few rows calls are what it costs. Narrow columns stand one behind
the other as one run, wide ones row by row, so that a row can be put back alone.

:func:`gather` goes there in one pass. The way back has two steps: :func:`parse` only looks at what is there,
and :func:`scatter` puts rows back, any of them, when they are wanted; it touches no memory but of words that
are not zero. What was not put back yet is *asleep*, and is squeezed again from where it lies.

Compiled code checks no bound, so :func:`parse` does: it may be given any bytes, and what it gives is sound.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = [
    "Asleep", "Laid", "Parsed", "Squeezed", "clear", "gather", "is_wide", "lay", "nothing", "parse",
    "restore", "restore_run", "scatter", "squeeze",
]  # fmt: skip

_BLOCK = 64  # words that one mask speaks of; the last block of a row may be shorter
_WORD, _MASK = 4, 8  # bytes
_LINE = 64  # bytes; columns begin at a line of the cache
_LARGE = 4 << 20  # bytes
_WIDE = _WORD * _BLOCK
"""Bytes of a row that has masks of its own. Narrower rows stand one behind the other and share them."""
_bits: Any = np.uint64


class Laid(NamedTuple):
    """Where columns of so many `rows` lie: `memory` uint8[size] and the same as `words` uint32[size / 4];
    `spans` int64[columns, 2], the byte at which each begins, and the bytes of a row; the same of the `narrow`
    ones, and of the `wide` ones in words; `beyond` uint64[blocks], the bits of a row's masks that stand for
    no word.
    """

    memory: NDArray[np.uint8]
    words: NDArray[np.uint32]
    spans: NDArray[np.int64]
    narrow: NDArray[np.int64]
    wide: NDArray[np.int64]
    beyond: NDArray[np.uint64]
    rows: int


class Squeezed(NamedTuple):
    """What :func:`squeeze` gives: `parts` are the bits of the masks (uint8), the masks that are not zero
    (uint64) and the words that are not zero (uint32), each filled up to 8 bytes; `sizes` says how many of the
    last two.
    """

    parts: tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint32]]
    sizes: tuple[int, int]


class Asleep(NamedTuple):
    """Rows that were squeezed: `masks` uint64[k, blocks] of each, `kept` uint32[count] the words of all, and
    `first` int64[k + 1] where those of each begin.
    """

    masks: NDArray[np.uint64]
    kept: NDArray[np.uint32]
    first: NDArray[np.int64]


class Parsed(NamedTuple):
    """What :func:`parse` gives: the narrow columns of all rows as one, and the wide ones row by row."""

    run: Asleep
    wide: Asleep


def lay(widths: Sequence[int], rows: int) -> Laid:
    """Zeroed memory for columns whose rows have so many bytes.

    Notes
    -----
    The system commits it when it is first written.
    """
    spans, size = np.zeros((len(widths), 2), np.int64), 0
    for place, width in enumerate(widths):
        spans[place] = size, width
        size += -(-rows * width // _LINE) * _LINE
    memory = _zeros(size)
    wide = np.array([is_wide(width) for width in widths], np.bool_)
    beyond = [_beyond(width // _WORD) for width in widths if is_wide(width)]
    return Laid(
        memory,
        memory.view(np.uint32),
        spans,
        spans[~wide],
        spans[wide] // _WORD,
        np.concatenate([np.zeros(0, np.uint64), *beyond]),
        rows,
    )


def _zeros(size: int) -> NDArray[np.uint8]:
    """Memory that is committed page by page. NumPy asks for pages of 2 MiB where it takes 4 MiB or more: each
    row that is written first would then cost the zeros of hundreds that nobody speaks in.
    """
    if size < _LARGE:
        return np.zeros(size, np.uint8)
    return np.frombuffer(mmap.mmap(-1, size, access=mmap.ACCESS_COPY), np.uint8)  # private, of no file


def is_wide(width: int) -> bool:
    """Whether rows of so many bytes are put back one by one: 256 or more."""
    return width >= _WIDE and width % _WORD == 0


def nothing(laid: Laid) -> Asleep:
    """No row is asleep."""
    kept = np.frombuffer(b"", np.uint32)
    return Asleep(np.zeros((0, len(laid.beyond)), np.uint64), kept, np.zeros(1, np.int64))


def squeeze(laid: Laid, rows: NDArray[np.int64], asleep: Asleep, places: NDArray[np.int64]) -> Squeezed:
    """Some rows of all columns without their zeros.

    Parameters
    ----------
    laid
        The columns.
    rows : int64[k]
        Which rows, each in the columns.
    asleep, places
        What :func:`parse` gave as `wide`, and (int64[k]) which of it each of `rows` is, -1 where it is in
        `laid`.

    Returns
    -------
    Squeezed
        What :func:`parse` takes: the same bytes, whether rows are asleep or not.

    Notes
    -----
    One pass over the rows. Takes the memory of the result, 8 bytes for each 256 of `rows` and a copy of their
    narrow columns; and addresses, not memory, as for all words of `rows`.
    """
    run = _run(laid, len(rows))
    masks = np.empty(_blocks(run.size) + len(rows) * len(laid.beyond), np.uint64)
    kept = np.empty(run.size + len(rows) * int(laid.wide[:, 1].sum()) + 2, np.uint32)
    count = int(
        gather(
            laid.memory, laid.narrow, laid.words, laid.wide, rows, places, *asleep,
            run.view(np.uint8), run, masks, kept,
        )
    )  # fmt: skip
    kept[count] = 0
    marked = masks != 0
    held = masks[marked]
    bits = np.packbits(marked)
    bits.resize(_padded(bits.size), refcheck=False)
    return Squeezed((bits, held, kept[: count + count % 2]), (held.size, count))


def parse(data: memoryview, at: int, sizes: Sequence[int], laid: Laid, rows: int) -> tuple[Parsed, int]:
    """What :func:`squeeze` gave, ready to be put back.

    Parameters
    ----------
    data, at
        The parts one behind the other, and where they begin.
    sizes
        As :func:`squeeze` gave them, none below 0.
    laid
        Columns as they were, of any number of rows.
    rows
        How many rows they are.

    Returns
    -------
    Parsed, int
        The rows, which hold on to `data`, and where the parts end.

    Raises
    ------
    ValueError
        If `data` is cut or does not fit `rows` and `sizes`.
    """
    words = _run_words(laid, rows)
    shared, blocks = _blocks(words), len(laid.beyond)
    held, count = sizes
    size = -(-(shared + rows * blocks) // 8)
    begin = at + _padded(size)
    middle = begin + held * _MASK
    end = middle + _padded(count * _WORD)
    if end > len(data):
        msg = f"state is damaged: {held} masks and {count} words at {at} of {len(data)} bytes"
        raise ValueError(msg)
    marked = np.unpackbits(np.frombuffer(data, np.uint8, size, at), count=shared + rows * blocks)
    masks = np.zeros(marked.size, np.uint64)
    fits = np.count_nonzero(marked) == held
    if fits:
        masks[marked.view(np.bool_)] = np.frombuffer(data, np.uint64, held, begin)
    run, wide = masks[:shared].reshape(1, shared), masks[shared:].reshape(rows, blocks)
    before = np.bitwise_count(run).sum(dtype=np.int64)
    first = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bitwise_count(wide).sum(axis=1, dtype=np.int64), out=first[1:])
    behind = (run & _beyond(words)).any() or (wide & laid.beyond).any()
    if not fits or before + first[-1] != count or behind:
        msg = f"state is damaged: the masks at {at} do not fit {rows} rows"
        raise ValueError(msg)
    kept = np.frombuffer(data, np.uint32, count, middle)
    if not kept.flags.aligned:
        kept = kept.copy()
        kept.flags.writeable = False  # or the compiler would take it for another type
    return Parsed(Asleep(run, kept[:before], np.array([0, before])), Asleep(wide, kept[before:], first)), end


def restore(asleep: Asleep, places: NDArray[np.int64], laid: Laid, rows: NDArray[np.int64]) -> None:
    """Put the wide columns of rows back.

    Parameters
    ----------
    asleep, places
        What :func:`parse` gave as `wide`, and (int64[k]) which of its rows.
    laid
        The columns; the wide ones zero in `rows`. Modified.
    rows : int64[k]
        Where they go, distinct, each in the columns.

    Notes
    -----
    Only what is not zero is written.
    """
    scatter(*asleep, places, laid.wide, rows, laid.words)


def restore_run(asleep: Asleep, laid: Laid, rows: NDArray[np.int64]) -> None:
    """Put the narrow columns of rows back: of all that were parsed.

    Parameters
    ----------
    asleep
        What :func:`parse` gave as `run`.
    laid
        The columns. Modified.
    rows : int64[k]
        Where they go, as many as were parsed, distinct, each in the columns.
    """
    run, one, at = _run(laid, len(rows)), np.zeros(1, np.int64), 0
    scatter(*asleep, one, np.array([[0, run.size]]), one, run)
    for begin, width in laid.narrow.tolist():
        column = laid.memory[begin : begin + laid.rows * width].reshape(laid.rows, width)
        size = len(rows) * width
        column[rows] = run.view(np.uint8)[at : at + size].reshape(len(rows), width)
        at += size


def _run(laid: Laid, rows: int) -> NDArray[np.uint32]:
    """Zeros for the narrow columns of so many rows."""
    return np.zeros(_run_words(laid, rows), np.uint32)


def _run_words(laid: Laid, rows: int) -> int:
    return -(-rows * int(laid.narrow[:, 1].sum()) // _WORD)


def _blocks(words: int) -> int:
    return -(-words // _BLOCK)


def _beyond(words: int) -> NDArray[np.uint64]:
    """Of the masks of so many words the bits that stand for none."""
    bits = np.zeros(_blocks(words), np.uint64)
    if words % _BLOCK:
        bits[-1] = ~_bits(0) << _bits(words % _BLOCK)
    return bits


def _padded(size: int) -> int:
    """Bytes that `size` bytes take, so that what is behind them is aligned."""
    return -(-size // _MASK) * _MASK


@kernel
def clear(memory: NDArray[np.uint8], spans: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """Make rows of all columns zero.

    Parameters
    ----------
    memory, spans
        As in :class:`Laid`; `memory` is modified.
    rows : int64[k]
        Which rows, each in the columns.

    Notes
    -----
    O(k bytes of a row), no allocation.
    """
    for column in range(len(spans)):
        begin, width = spans[column]
        for row in rows:
            memory[begin + row * width : begin + (row + 1) * width] = 0


@kernel
def gather(
    memory: NDArray[np.uint8],
    narrow: NDArray[np.int64],
    words: NDArray[np.uint32],
    wide: NDArray[np.int64],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    asleep: NDArray[np.uint64],
    kept: NDArray[np.uint32],
    first: NDArray[np.int64],
    side: NDArray[np.uint8],
    run: NDArray[np.uint32],
    masks: NDArray[np.uint64],
    taken: NDArray[np.uint32],
) -> int:
    """Take the words of rows that are not zero: first those of the run, then those of each row in order.

    Parameters
    ----------
    memory, narrow, words, wide
        As in :class:`Laid`.
    rows : int64[k]
        Which rows, each in the columns.
    places : int64[k]
        Which of those that are asleep each row is; -1 where it is in `words`.
    asleep, kept, first
        An :class:`Asleep`.
    side : uint8[4 n]
        The bytes of `run`.
    run : uint32[n]
        Written: the narrow columns of the rows; zero behind them.
    masks : uint64[ceil(n / 64) + k blocks]
        Written: bit ``j`` of a mask stands for the word ``j`` of its block.
    taken : uint32[count + 1]
        Written; the last one is scratch.

    Returns
    -------
    int
        How many words are not zero.

    Notes
    -----
    O(k bytes of a row), no allocation.
    """
    at = 0
    for column in range(len(narrow)):
        begin, width = narrow[column]
        for row in rows:
            source = memory[begin + row * width : begin + (row + 1) * width]
            target = side[at : at + width]
            for byte in range(width):
                target[byte] = source[byte]
            at += width
    count = _squeeze(run, masks, taken, 0)
    at = -(-run.size // 64)
    for i in range(rows.size):
        place = places[i]
        if place >= 0:
            for block in range(asleep.shape[1]):
                masks[at + block] = asleep[place, block]
            at += asleep.shape[1]
            for word in range(first[place], first[place + 1]):
                taken[count] = kept[word]
                count += 1
            continue
        for column in range(len(wide)):
            begin, width = wide[column]
            begin += rows[i] * width
            count = _squeeze(words[begin : begin + width], masks[at:], taken, count)
            at += -(-width // 64)
    return count


@inner
def _squeeze(
    words: NDArray[np.uint32], masks: NDArray[np.uint64], taken: NDArray[np.uint32], count: int
) -> int:
    """Masks of some words, and the words that are not zero, behind the `count` taken; how many are then."""
    for block in range(-(-words.size // 64)):
        some = words[block * 64 : block * 64 + 64]
        every = np.uint32(0)
        for at in range(some.size):
            every |= some[at]
        mask = _bits(0)
        if every != 0:
            for at in range(some.size):
                word = some[at]
                one = 1 if word != 0 else 0
                mask |= _bits(one) << _bits(at)
                taken[count] = word  # always: the next one takes its place if it is zero
                count += one
        masks[block] = mask
    return count


@kernel
def scatter(
    masks: NDArray[np.uint64],
    kept: NDArray[np.uint32],
    first: NDArray[np.int64],
    places: NDArray[np.int64],
    wide: NDArray[np.int64],
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
    wide : int64[columns, 2]
        In which word each column begins, and how many a row has.
    rows : int64[k]
        Where they go, each in the columns.
    words : uint32[size]
        Only words that a bit stands for are written, none is read.

    Notes
    -----
    O(k blocks + 64 masks that are not zero), no allocation.
    """
    for i in range(rows.size):
        row, place = rows[i], places[i]
        count, at = first[place], 0
        for column in range(len(wide)):
            begin, width = wide[column]
            begin += row * width
            for block in range(begin, begin + width, 64):
                mask = masks[place, at]
                at += 1
                word = block
                while mask != 0:
                    if mask & _bits(1):
                        words[word] = kept[count]
                        count += 1
                    mask >>= _bits(1)
                    word += 1
