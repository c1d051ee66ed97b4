"""Loops of a lane, found while it arrives: the lane aligned with itself, at all distances at once.

Strategy. A loop of period p is a text that resembles what stood p symbols before, for longer than p. So
every symbol that comes is compared with each of the last ``PERIODS``, and for each distance a score rises
where they are equal and falls where they are not: the local alignment of Smith and Waterman [1]_ of the
lane with its own past, kept as one row of scores, a byte each. A score also passes to the distance beside
it, at a cost, which is an inserted or a left-out word; so copies that change are found as exact ones are. A
row of bytes is a few vector operations.

What stands out is *followed*: one distance at a time, of which is counted what agreed, what changed, and
how its numbers go, for whoever judges it at the end of each copy (``loop_judge``). Copies that have become
exact are counted anew: what was before them was something else. Periods beyond that are found by the same
steps one level up, where a line (in prose without line breaks, a sentence) is one symbol: its digits do not
count there.

References ---------- .. [1] T. F. Smith, M. S. Waterman, "Identification of common molecular subsequences",
J. Mol. Biol. 147, 1981.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel
from operators.kernels.loop_track import align, put, step

__all__ = ["COPY", "LANE", "LINES", "PERIODS", "ROOM", "SCORES", "follow_copies"]

_BUILT_ON = 0xA496E540
"""CRC-32 of loop_track.py, so that this file changes with that one, and numba takes no old machine code
from its cache (``tests/kernels/test_loop.py`` tells the number)."""

PERIODS = 224
"""Symbols of the longest period."""

LINES = 96
"""Lines of the longest period."""

_SLACK, _LINE_SLACK = 32, 16  # symbols, lines that are written before the ring is moved back
_BASE = PERIODS + _SLACK  # where the ring of lines begins
_SCORE_BASE = PERIODS + 2  # scores have a zero at either side

ROOM = _BASE + LINES + _LINE_SLACK
"""Symbols and lines that are kept of a lane."""

SCORES = _SCORE_BASE + LINES + 2

_OFTEN = 16  # copies without a change from which on only every eighth is judged
_EMPHASIS = 4  # copies of a single symbol below which nothing is said: very, very, very
_SENTENCES = 4  # about so many are a line: those that end with every so manieth word, so lines repeat
_LONGEST = 160  # symbols of a line from which on any sentence ends it
_EARLY = 100  # tokens of a lane, up to which what is usual is what came last
_LONG = 400  # characters: a period of lines below it is left to the symbols

_PART, _WORD, _NUMBER, _GLYPH, _MARK, _SIGN, _LINE = range(7)  # loop_symbols
_NUMBERS = 64
_MIX, _ALL = 0x5BD1E995, 0xFFFFFFFF

_Int = int | np.signedinteger[Any]
_Bytes = NDArray[np.uint8]
LANE = np.dtype(
    [
        ("stop", "i8"),  # characters up to the end of the last symbol
        ("tokens", "i8"),  # so far
        ("fold", "u4"),  # hash of the line so far, all numbers alike
        ("exact", "u4"),  # and as it is
        ("chars", "u4"),  # of the line so far
        ("symbols", "u2"),
        ("letters", "u2"),
        ("line_tokens", "u2"),
        ("odd", "u2"),  # share of other symbols than words among the last 32, of 65,535
        ("usual", "u2"),  # the same of the last 256
        ("fill", "u1", (2,)),  # symbols, lines since the ring was moved back
    ],
    align=True,
)
"""What is kept of a lane beside its rings and tracks. A new one is zero."""

COPY = np.dtype(
    [
        ("symbol", "<i8"),  # place of the symbol with which it was complete
        ("begin", "<i8"),  # character where the first copy began
        ("stop", "<i8"),  # and where this one ends
        ("size", "<f8"),  # characters of a copy, on average
        ("tokens", "<i8"),  # since the first copy ended
        ("alike", "<i8"),  # character up to which it is one loop
        ("copies", "<u4"),
        ("length", "<u4"),  # these, and down to "signs", as in TRACK
        ("words", "<u4"),
        ("letters", "<u4"),
        ("changed", "<u4"),
        ("wrong", "<u4"),
        ("same", "<u4"),
        ("steady", "<u4"),
        ("other", "<u4"),
        ("signs", "<u4"),
        ("clean", "<u4"),
        ("period", "<u2"),
        ("odd", "<u2"),
        ("usual", "<u2"),
        ("level", "<u2"),  # 0: of symbols, 1: of lines
    ],
    align=True,
)
"""A copy of what is followed that is complete, for ``loop_judge.describe_copies``."""


@kernel
def follow_copies(
    symbols: NDArray[np.void],
    count: int,
    lanes: NDArray[np.void],
    tracks: NDArray[np.void],
    codes: NDArray[np.uint8],
    values: NDArray[np.uint16],
    chars: NDArray[np.uint16],
    kinds: NDArray[np.uint8],
    scores: NDArray[np.uint8],
    enough: NDArray[np.uint8],
    scratch: NDArray[np.uint8],
    copies: NDArray[np.void],
) -> _Int:
    """Advance the lanes by the symbols of a packet.

    Parameters
    ----------
    symbols : SYMBOL[at least count]
        From ``loop_symbols.cut_symbols``.
    lanes, tracks : LANE[rows], TRACK[rows, 2]
        Modified.
    codes, values, chars, kinds : uint8[rows, ROOM], uint16, uint16, uint8
        The rings. Modified.
    scores : uint8[rows, SCORES]
        Modified.
    enough : uint8[PERIODS]
        ``loop_track.standing(PERIODS)``.
    scratch : uint8[PERIODS]
        Overwritten.
    copies : COPY[at least 2 * count]
        Modified: as many rows as copies are complete; of a loop that has gone on for long without a change,
        every eighth.

    Returns
    -------
    int
        How many rows that are.
    """
    n: _Int = np.int64(0)
    for i in range(count):
        symbol = symbols[i]
        row = np.int64(symbol["row"])
        lane, track = lanes[row], tracks[row, 0]
        code, value, size = symbol["code"], symbol["value"], symbol["chars"]
        if symbol["kind"] == _PART:
            period = np.int64(track["period"])
            if period and track["phase"] == period - 1:
                old = np.int64(lane["fill"][0]) + PERIODS - period
                if values[row, old] == value and codes[row, old] == code:
                    n = _say(copies, n, i, lane, track, 0, size, 1)
            continue
        kind = symbol["kind"] | min(symbol["size"], 15) << 4
        tokens = _tokens(symbol["kind"], symbol["size"])
        lane["stop"] += size
        lane["tokens"] += tokens
        fill: _Int = np.int64(lane["fill"][0])
        ring = codes[row, :_BASE], values[row, :_BASE], chars[row, :_BASE], kinds[row, :_BASE]
        fill = put(ring, PERIODS, fill, code, value, size, kind)
        lane["fill"][0] = fill
        row_scores = scores[row, :_SCORE_BASE]
        top, stands = align(ring[0][fill - 1 : fill - 1 + PERIODS], code, row_scores, enough, scratch)
        if step(lane, track, ring, PERIODS, fill, row_scores, top, stands, tokens):
            n = _say(copies, n, i, lane, track, 0, 0, 0)
        if not _ends_line(lane, symbol, values[row, fill + PERIODS - 2]):
            continue
        track = tracks[row, 1]
        fill = np.int64(lane["fill"][1])
        ring = codes[row, _BASE:], values[row, _BASE:], chars[row, _BASE:], kinds[row, _BASE:]
        size, tokens, kind = lane["chars"], lane["line_tokens"], _WORD | min(lane["letters"] // 4, 15) << 4
        code, value = _NUMBERS + (lane["fold"] >> 8) % (256 - _NUMBERS), lane["exact"] >> 16
        lane["chars"], lane["line_tokens"], lane["letters"], lane["symbols"] = 0, 0, 0, 0
        lane["fold"], lane["exact"] = 0, 0
        fill = put(ring, LINES, fill, code, value, size, kind)
        lane["fill"][1] = fill
        row_scores = scores[row, _SCORE_BASE:]
        few = enough[PERIODS - LINES :]
        top, stands = align(ring[0][fill - 1 : fill - 1 + LINES], code, row_scores, few, scratch)
        if step(lane, track, ring, LINES, fill, row_scores, top, stands, tokens):
            n = _say(copies, n, i, lane, track, 1, 0, 0)
    return n


@inner
def _tokens(kind: _Int, size: _Int) -> _Int:
    """How many tokens a symbol is, by estimate: one for every six letters, or three digits, begun."""
    if kind == _WORD:
        return (size + 5) // 6
    if kind == _NUMBER:
        return (size + 2) // 3
    return np.int64(1)


@inner
def _ends_line(lane: np.void, symbol: np.void, before: np.uint16) -> bool:
    """Take a symbol, and the value of the one `before` it, into the line that is being read, and say
    whether the line is complete with it.
    """
    kind, size = symbol["kind"], symbol["size"]
    is_word = kind in (_WORD, _GLYPH)
    odd = 0 if is_word else 0xFFFF
    lane["odd"] += (odd - np.int64(lane["odd"])) >> 5
    lane["usual"] += (odd - np.int64(lane["usual"])) >> (5 if lane["tokens"] < _EARLY else 8)
    lane["chars"] = min(lane["chars"] + symbol["chars"], 0xFFFF)
    lane["line_tokens"] = min(lane["line_tokens"] + _tokens(kind, size), 0xFFFF)
    if kind == _LINE:
        return bool(lane["symbols"] > 0)
    if is_word:
        lane["letters"] = min(lane["letters"] + size, 0xFFFF)
    lane["symbols"] = min(lane["symbols"] + 1, 0xFFFF)
    exact = (np.int64(lane["exact"]) ^ symbol["value"]) * _MIX & _ALL
    lane["exact"] = exact ^ exact >> 15
    fold = (np.int64(lane["fold"]) ^ (0 if kind == _NUMBER else np.int64(symbol["value"]))) * _MIX & _ALL
    lane["fold"] = fold ^ fold >> 15
    if kind != _MARK or size == 0:
        return False
    return bool(before % _SENTENCES == 0 or lane["symbols"] >= _LONGEST)


@inner
def _say(
    copies: NDArray[np.void],
    n: _Int,
    i: _Int,
    lane: np.void,
    track: np.void,
    level: int,
    ahead: _Int,
    extra: int,
) -> _Int:
    """A copy that is complete, or (`extra` 1) is so with the word that is being read, of `ahead`
    characters.
    """
    count, period = np.int64(track["copies"]) + extra, np.int64(track["period"])
    if period == 1 and count < _EMPHASIS:
        return n
    if count & 7 and track["clean"] > _OFTEN * period:
        return n
    stop = lane["stop"] + ahead
    turns = count + (0.0 if extra else np.float64(track["phase"]) / period)
    size = (stop - track["begin"]) / turns
    if level and size < _LONG:
        return n
    one = copies[n]
    one["symbol"], one["level"], one["copies"], one["period"] = i, level, count, period
    one["begin"], one["stop"], one["size"], one["tokens"] = track["begin"], stop, size, track["tokens"]
    one["alike"] = stop if extra and not track["is_over"] else track["begin"] + track["alike"]
    one["length"], one["clean"], one["odd"] = track["length"], track["clean"], track["odd"]
    one["usual"] = track["usual"]
    one["words"], one["letters"], one["signs"] = track["words"], track["letters"], track["signs"]
    one["changed"], one["wrong"] = track["changed"], track["wrong"]
    one["same"], one["steady"], one["other"] = track["same"], track["steady"], track["other"]
    return n + 1
