"""A text cut into symbols while it arrives, as the search for loops compares them: words, numbers, signs.

Strategy. What is repeated is compared symbol by symbol, so symbols are small: a word is one, however long,
and so is a number, whose value is kept beside it: that the number changes is what makes a loop a counter.
Blanks are none, and so indentation does not hide a loop. What a reader does not see (zero-width and format
characters, variation selectors, tags, combining accents) is passed over, inside words too. What has no
blanks is cut all the same: an ideograph, an emoji or a sign is a symbol of its own, a run of one letter is
one for each from the fourth on, a run of letters without an end is cut at every 24th, one of digits at every
12th (multiples of most short periods), one of blanks at every 16th, one of unseen characters at every 64th.

A word is complete only with the sign behind it, which is a word too late for a loop of one word. So every
letter of a word also says what the word is so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = [
    "BLANK", "CUT", "GLYPH", "LETTERS", "LINE", "MARK", "NUMBER", "PART", "SIGN", "SYMBOL", "WORD",
    "cut_symbols",
]  # fmt: skip

PART, WORD, NUMBER, GLYPH, MARK, SIGN, LINE, BLANK = range(8)
"""What a symbol is. ``PART``: a word that goes on, as far as it is read. ``GLYPH``: a character that is a
word of its own (an ideograph, an emoji, a letter of a run of one letter). ``MARK``: a sign that prose has.
``LINE``: one or two line breaks. ``BLANK``: 16 blanks in a row."""

LETTERS = 24
"""Letters of a word at most; what follows is another one."""

_DIGITS = 12  # of a number at most
_SPACES = 16
_UNSEEN = 8  # a role, and no symbol
_HIDDEN = 64  # characters since the last symbol, from which on what is not seen makes one
_SAME = 3  # equal letters in a row that may be part of a word
_NUMBERS = 64  # codes below it are those of numbers

# Odd, and below 2**31: products with 32-bit values stay inside int64.
_FIRST, _SECOND = 0x5BD1E995, 0x2C1B3C6D
_SEED = 0x1E3779B9
_ALL = 0xFFFFFFFF

_PICTURES, _TAGS = 0x1F000, 0xE0000

_TEXT, _CLOSE = 1, 3  # operators.packet.Kind

_Int = int | np.signedinteger[Any]

CUT = np.dtype(
    [
        ("hash", "u4"),  # of the word, or the value of the number so far
        ("chars", "u2"),  # since the last symbol, this one's so far included
        ("size", "u2"),  # letters or digits of it so far
        ("last", "i4"),  # the letter before
        ("kind", "u1"),  # WORD or NUMBER while one is read, else 0
        ("same", "u1"),  # how often that letter came in a row
        ("blanks", "u1"),  # in a row
        ("lines", "u1"),  # line breaks since the last other symbol
    ],
    align=True,
)
"""What is kept of a lane, 16 bytes. A new one is zero."""

SYMBOL = np.dtype(
    [
        ("at", "<i8"),  # characters of the lane that had been read when it was complete
        ("delta", "<i4"),
        ("row", "<i4"),
        ("value", "<u2"),  # a hash of it, or the number modulo 65,536
        ("chars", "<u2"),  # since the symbol before it, blanks included
        ("kind", "u1"),
        ("code", "u1"),  # another hash: 1 to 63 of numbers, 64 to 255 of others
        (
            "size",
            "u1",
        ),  # letters or digits; of a MARK 1 if it ends a sentence
        ("free", "u1"),
    ],
    align=True,
)


@kernel
def cut_symbols(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    codes: NDArray[np.int32],
    lanes: NDArray[np.void],
    symbols: NDArray[np.void],
) -> _Int:
    """The symbols of a packet, ordered by delta.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival; rows below zero and kinds but TEXT and CLOSE are passed by. The whole table
        and read-only, so that there is one type to compile for.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    codes : int32[65536]
        What each character of the first plane is read as, read-only (``operators.spelling``): above 1 a
        letter, and the code counts; 1 not seen; below 0 a glyph; else blank or sign. ASCII digits make
        numbers, and the underscore is a sign.
    lanes : CUT[rows]
        Modified.
    symbols : SYMBOL[at least 2 (n + m)]
        Modified: as many rows as there are symbols.

    Returns
    -------
    int
        How many symbols there are.

    Notes
    -----
    Allocates nothing.
    """
    n: _Int = np.int64(0)
    for i in range(len(deltas)):
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0:
            continue
        lane = lanes[row]
        if kind == _CLOSE:
            if lane["kind"]:
                n = _finish(symbols, n, i, row, deltas[i]["begin"], lane, 0)
        elif kind == _TEXT:
            start, end, at = deltas[i]["start"], deltas[i]["end"], deltas[i]["begin"]
            n = _read(text[start:end], codes, lane, at, symbols, n, i, row)
    return n


@inner
def _read(
    text: NDArray[np.uint8],
    codes: NDArray[np.int32],
    lane: np.void,
    at: _Int,
    symbols: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
) -> _Int:
    """Symbols of the delta `text`, which stands at character `at` of its lane."""
    k, end = np.uint64(0), np.uint64(len(text))
    while k < end:
        point, k = _point(text, k)
        at += 1
        kind, code = _role(point, codes)
        if kind == _UNSEEN:
            lane["chars"] = min(lane["chars"] + 1, 0xFFFF)
            if lane["chars"] >= _HIDDEN:
                n = _single(symbols, n, delta, row, at, lane, BLANK, 32, 0)
            continue
        reading = lane["kind"]
        if reading and reading != kind:
            n = _finish(symbols, n, delta, row, at, lane, 0)
        lane["chars"] = min(lane["chars"] + 1, 0xFFFF)
        if kind != BLANK:
            lane["blanks"] = 0
        if kind == WORD:
            n = _letter(symbols, n, delta, row, at, lane, code)
            continue
        lane["same"] = 0
        if kind == NUMBER:
            lane["hash"] = (np.int64(lane["hash"]) * 10 + code) & _ALL if lane["kind"] else code
            lane["size"] = lane["size"] + 1 if lane["kind"] else 1
            lane["kind"], lane["lines"] = NUMBER, 0
            if lane["size"] == _DIGITS:
                n = _finish(symbols, n, delta, row, at, lane, 0)
        elif kind == BLANK:
            lane["blanks"] += 1
            if lane["blanks"] == _SPACES:
                lane["blanks"] = 0
                n = _single(symbols, n, delta, row, at, lane, BLANK, 32, 0)
        elif kind == LINE:
            lines: Any = min(np.int64(lane["lines"]) + 1, 3)
            lane["lines"] = lines
            if lane["lines"] != 2:
                n = _single(symbols, n, delta, row, at, lane, LINE, 10, 0)
        else:
            lane["lines"] = 0
            n = _single(symbols, n, delta, row, at, lane, kind, code, _size(kind, code))
    return n


@inner
def _point(text: NDArray[np.uint8], k: np.uint64) -> tuple[np.signedinteger[Any], np.uint64]:
    """The character that begins at byte `k`, and where the next one begins."""
    one = np.uint64(1)  # unsigned: a signed index costs a test for "counted from the end" each time
    point = np.int64(text[k])
    k += one
    if point < 0x80:
        return point, k
    size = 1 if point < 0xE0 else 2 if point < 0xF0 else 3
    point &= 0x3F >> size
    for _ in range(size):
        point = point << 6 | np.int64(text[k]) & 0x3F
        k += one
    return point, k


@inner
def _role(point: _Int, codes: NDArray[np.int32]) -> tuple[int, _Int]:
    """What kind of symbol a character belongs to, and what it counts as."""
    if point < 0x80:
        if 97 <= point <= 122:
            return WORD, point
        if point in (32, 9):
            return BLANK, point
        if 48 <= point <= 57:
            return NUMBER, point - 48
        if 65 <= point <= 90:
            return WORD, point + 32
        if point in (10, 13):
            return LINE, point
        # ! " ' ( ) , - . : ; ?
        if point in (33, 34) or 39 <= point <= 41 or 44 <= point <= 46:
            return MARK, point
        if point in (58, 59, 63):
            return MARK, point
        return SIGN, point
    if point < len(codes):
        code = np.int64(codes[np.uint64(point)])
        if code == 1 or _is_accent(point):
            return _UNSEEN, point
        if code > 1:
            return WORD, code
        if code < 0:
            return GLYPH, -code
        if point in (0xA0, 0x3000):
            return BLANK, point
        if 0x2010 <= point <= 0x2027 or 0x3001 <= point <= 0x3011 or point in (0x60C, 0x964):
            return MARK, point
        return (SIGN if 0x2190 <= point < 0x2600 else GLYPH), point  # arrows, rulers and boxes; pictures
    if point < _PICTURES:
        return WORD, point
    return (_UNSEEN if _TAGS <= point < _TAGS + 0x1000 else GLYPH), point


@inner
def _is_accent(point: _Int) -> bool:
    """Whether a character is a combining mark of no script of its own (UAX #44, the blocks so named)."""
    if point < 0x1AB0:
        return bool(0x300 <= point < 0x370)
    if point < 0x20D0:
        return bool(point < 0x1B00 or 0x1DC0 <= point < 0x1E00)
    return bool(point < 0x2100 or 0xFE20 <= point < 0xFE30)


@inner
def _size(kind: int, point: _Int) -> int:
    """Of a glyph 1; of a sign, whether it is what sentences end with."""
    if kind == GLYPH:
        return 1
    return 1 if point in (46, 33, 63, 0x3002, 0x964) else 0


@inner
def _letter(
    symbols: NDArray[np.void], n: _Int, delta: _Int, row: _Int, at: _Int, lane: np.void, code: _Int
) -> _Int:
    """One more letter, and what the word is so far."""
    lane["lines"] = 0
    lane["same"] = lane["same"] + 1 if code == lane["last"] and 0 < lane["same"] <= _SAME else 1
    if code == lane["last"] and lane["same"] > _SAME:
        lane["same"] = _SAME  # the next one comes here too
        if lane["kind"]:
            lane["chars"] -= 1
            n = _finish(symbols, n, delta, row, at, lane, 1)
        return _single(symbols, n, delta, row, at, lane, GLYPH, code, 0)
    lane["last"] = code
    if not lane["kind"]:
        lane["kind"], lane["hash"], lane["size"] = WORD, _SEED, 0
    lane["hash"] = (np.int64(lane["hash"]) ^ code) * _FIRST & _ALL
    lane["size"] += 1
    if lane["size"] == LETTERS:
        return _finish(symbols, n, delta, row, at, lane, 0)
    value, mixed = _hashed(np.int64(lane["hash"]))
    return _put(symbols, n, delta, row, at, PART, value, mixed, lane["chars"], lane["size"])


@inner
def _finish(
    symbols: NDArray[np.void], n: _Int, delta: _Int, row: _Int, at: _Int, lane: np.void, left: _Int
) -> _Int:
    """The word or number that is being read is complete; `left` characters behind it belong to the next."""
    kind, size = lane["kind"], lane["size"]
    content: _Int = np.int64(lane["hash"])
    if kind == NUMBER:
        value, code = content & 0xFFFF, (content * _SECOND & _ALL) % (_NUMBERS - 1) + 1
    else:
        value, code = _hashed(content)
    n = _put(symbols, n, delta, row, at, kind, value, code, lane["chars"], size)
    lane["kind"], lane["chars"] = 0, left
    return n


@inner
def _single(
    symbols: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
    at: _Int,
    lane: np.void,
    kind: int,
    point: _Int,
    size: _Int,
) -> _Int:
    """A character that is a symbol."""
    value, code = _hashed((_SEED ^ point + kind) * _FIRST & _ALL)
    n = _put(symbols, n, delta, row, at, kind, value, code, lane["chars"], size)
    lane["chars"] = 0
    return n


@inner
def _hashed(content: _Int) -> tuple[_Int, _Int]:
    """16 bits and a code of 32 bits."""
    mixed = np.int64(content ^ content >> 15) * _SECOND & _ALL
    return mixed >> 16, _NUMBERS + (mixed >> 4 & 0xFFF) % (256 - _NUMBERS)


@inner
def _put(
    symbols: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
    at: _Int,
    kind: int,
    value: _Int,
    code: _Int,
    chars: _Int,
    size: _Int,
) -> _Int:
    symbol = symbols[n]
    symbol["at"] = at
    symbol["delta"] = delta
    symbol["row"] = row
    symbol["value"] = value
    symbol["chars"] = chars
    symbol["kind"] = kind
    symbol["code"] = code
    symbol["size"] = size
    return n + 1
