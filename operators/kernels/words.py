"""A text cut into words while it arrives, each of them a number.

Strategy. A word is a matter of the text alone: it is complete when the character behind it is read, so no
cutting into deltas or packets changes it. What a character does to a word is one entry of a table; there
is no rule about neighbours, and so a lane keeps no more than the word it is in. The number is hashed while
the word is read, in two halves of 32 bits whose products fit an int64: the run without the JIT would
complain of an overflow. The second half is fed by the upper bits of the first, or the lowest bits of both
would be the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["LANE", "LONGEST", "UNSEEN", "cut"]

LONGEST = 64
"""Characters of a word. What follows is another one."""

UNSEEN = 1
"""What a character is read as that is passed over."""

# Odd, and below 2**31: products with 32-bit values stay inside int64.
_FIRST, _SECOND, _LAST = 0x5BD1E995, 0x2C1B3C6D, 0x297A2D39
_SEED = 0x9E3779B9
_ALL = 0xFFFFFFFF

_SYMBOLS, _IDEOGRAPHS, _PLANES = 0x1F000, 0x20000, 0x40000  # where they begin, and where ideographs stop

_TEXT, _CLOSE = 1, 3  # operators.packet.Kind

_Int = int | np.signedinteger[Any]

LANE = np.dtype(
    [
        ("begin", "i8"),  # where the word began, characters of the lane
        ("stop", "i8"),  # behind its last character so far
        ("chars", "i8"),  # of the word so far; 0 before it begins, and then the others mean nothing
        ("first", "i8"),  # the halves of its hash, 32 bits each
        ("second", "i8"),
    ],
    align=True,
)
"""What is kept of a lane, 40 bytes. A new one is zero."""


@kernel
def cut(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    codes: NDArray[np.int32],
    lanes: NDArray[np.void],
    words: NDArray[np.void],
) -> _Int:
    """The words of a packet, ordered by delta.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival; rows below zero and kinds but TEXT and CLOSE are passed by. The whole table
        and read-only, so that there is one type to compile for.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    codes : int32[65536]
        What each character of the first plane is read as, read-only: above ``UNSEEN`` it is part of a
        word, and the code counts; below 0 it is a word of its own; 0 separates; ``UNSEEN`` is passed over,
        as if it did not stand there. In the planes behind, what Unicode has as not to be seen is passed
        over (controls of shorthand and of music, U+E0000 to U+E0FFF: tags, variation selectors); else
        everything before U+1F000 is part of a word, U+20000 to U+3FFFF are words of their own, and the rest
        separates.
    lanes : LANE[rows]
        Modified.
    words : WORD[at least n + m]
        Modified: as many rows as there are words.

    Returns
    -------
    int
        How many words there are.

    Notes
    -----
    4 ns a byte of English. Allocates nothing.
    """
    n: _Int = np.int64(0)
    for i in range(len(deltas)):
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0:
            continue
        lane = lanes[row]
        if kind == _CLOSE:
            if lane["chars"]:
                first, second = lane["first"], lane["second"]
                begin, stop = lane["begin"], lane["stop"]
                n = _put(words, n, i, row, begin, stop, deltas[i]["begin"], first, second)
        elif kind == _TEXT:
            start, end, at = deltas[i]["start"], deltas[i]["end"], deltas[i]["begin"]
            n = _read(text[start:end], codes, lane, at, words, n, i, row)
    return n


@inner
def _read(
    text: NDArray[np.uint8],
    codes: NDArray[np.int32],
    lane: np.void,
    at: _Int,
    words: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
) -> _Int:
    """Words of the delta `text`, which stands at character `at` of its lane."""
    begin, stop, chars = lane["begin"], lane["stop"], lane["chars"]
    first, second = lane["first"], lane["second"]
    k, end = np.uint64(0), np.uint64(len(text))
    while k < end:
        code, k = _code(text, k, codes)
        at += 1
        if code > UNSEEN:
            if chars == 0:
                begin, first, second = at - 1, np.int64(_SEED), np.int64(0)
            first, second = _mixed(first, second, code)
            stop = at
            chars += 1
            if chars == LONGEST:
                n = _put(words, n, delta, row, begin, stop, at, first, second)
                chars = np.int64(0)
        elif code < UNSEEN:
            if chars:
                n = _put(words, n, delta, row, begin, stop, at, first, second)
                chars = np.int64(0)
            if code < 0:
                alone, mixed = _mixed(np.int64(_SEED), np.int64(0), -code)
                n = _put(words, n, delta, row, at - 1, at, at, alone, mixed)
    lane["begin"], lane["stop"], lane["chars"] = begin, stop, chars
    lane["first"], lane["second"] = first, second
    return n


@inner
def _code(
    text: NDArray[np.uint8], k: np.uint64, codes: NDArray[np.int32]
) -> tuple[np.signedinteger[Any], np.uint64]:
    """What the character that begins at byte `k` is read as, and where the next one begins."""
    one = np.uint64(1)  # unsigned: a signed index costs a test for "counted from the end" each time
    character = np.int64(text[k])
    k += one
    if character < 0x80:
        return np.int64(codes[np.uint64(character)]), k
    size = 1 if character < 0xE0 else 2 if character < 0xF0 else 3
    character &= 0x3F >> size
    for _ in range(size):
        character = character << 6 | np.int64(text[k]) & 0x3F
        k += one
    if character < len(codes):
        return np.int64(codes[np.uint64(character)]), k
    if _is_hidden(character):
        return np.int64(UNSEEN), k
    if character < _SYMBOLS:
        return character, k
    if _IDEOGRAPHS <= character < _PLANES:
        return -character, k
    return np.int64(0), k


@inner
def _is_hidden(character: _Int) -> bool:
    """Whether a character behind the first plane is one of Unicode's Default_Ignorable_Code_Point."""
    if character < 0xE0000:
        return bool(0x1BCA0 <= character <= 0x1BCA3 or 0x1D173 <= character <= 0x1D17A)
    return bool(character <= 0xE0FFF)


@inner
def _mixed(first: _Int, second: _Int, code: _Int) -> tuple[_Int, _Int]:
    """The halves of a hash and one more character."""
    first = (first ^ code) * _FIRST & _ALL
    return first, (second ^ first >> 11) * _SECOND & _ALL


@inner
def _put(
    words: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
    begin: _Int,
    stop: _Int,
    decided: _Int,
    first: _Int,
    second: _Int,
) -> _Int:
    """A word. Its hash is mixed once more, in steps that can be undone: no two become one here."""
    first ^= second >> 15
    second = (second ^ first) * _LAST & _ALL
    first = (first ^ second >> 13) * _FIRST & _ALL
    second ^= first >> 16
    words[n]["delta"] = delta
    words[n]["row"] = row
    words[n]["begin"] = begin
    words[n]["stop"] = stop
    words[n]["decided"] = decided
    words[n]["word"] = np.uint64(first) << np.uint64(32) | np.uint64(max(second, 1))
    return n + 1
