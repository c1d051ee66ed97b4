"""Read characters as the symbols that rules are made of: as they stand, and as letters alone.

Strategy. A character is looked up once in either form's table. *Plain* is the text without what nobody
sees; in *letters* all that stands between two words is one edge, and a sentence's end or an empty line is
a break, which nothing matches across. The symbols of the two forms grow in two halves of one room, in one
walk over the characters. Letters and single spaces take a path without a branch that depends on them: a
processor cannot foresee where words end.

A matcher waits for the next symbol with what it holds back, and a text may go on for ever without one.
So a break is read into it: in both forms with every `UNSEEN` characters in a row that are not seen, in
letters with every `BARE` in a row that are none.

Where a decoder says what stands before the first escape once more, the matcher must know how far that goes: a
symbol of its own, a break as well, tells it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["BARE", "BREAK", "EDGE", "REPEAT", "SPELT", "UNSEEN", "read"]

UNSEEN = 64
"""Characters in a row that are not seen, before a break is read in both forms."""

BARE = 256
"""Characters in a row that are no letters, seen or not, before a break is read in the form letters."""

BREAK, EDGE, REPEAT, SPELT = 1, 2, 0xFFFE, 0xFFFF
"""Symbols: nothing matches across it; between words; a break, and what follows up to its stop has been said
by the layer's parent; several characters. 0 is not seen."""

_WHITE = np.array([code for code in range(0x3001) if chr(code).isspace()])
_FULL = np.array([0x3002, 0xFF01, 0xFF1F, 0xFF61])
"""Full stops of scripts without spaces: they break at once, others with the white space behind them."""

_wide: Any = np.int64
"""Numbers are widened where they are read, so that every function is compiled for one type of them."""

_AGAIN = -2  # of `kernels.decoding`
_BREAK, _BEHIND_BREAK, _NONE = _wide(BREAK), _wide(2), _wide(0)


@inner
def _put(symbols: NDArray[np.int32], k: int, symbol: int, begin: int, stop: int, place: int) -> int:
    """Write a symbol to row k; the next row, k if the symbol is 0."""
    u = np.uint64(k)
    symbols[u, 0], symbols[u, 1], symbols[u, 2], symbols[u, 3] = symbol, begin, stop, place
    return k + (symbol != 0)


@inner
def _between(state: int, code: int, broken: bool) -> tuple[int, int]:
    """What stands between letters: the symbol to write (0: none), and the state behind it.

    State: 1 after an edge or 2 after a break, + 4 for each letter of the word (at most two), + 16 after a
    sentence's end, + 32 in a line that is blank so far.
    """
    last, ends, blank = state & 3, state & 16, state & 32
    if code == 10:
        broken |= blank != 0
        blank = 32
    elif code not in (32, 9, 13):
        blank = 0
    if code in (33, 46, 63):
        ends = 16 if ends or state & 8 else 0
    elif ends:
        for white in _WHITE:
            broken |= code == white
        ends = 0
    for full in _FULL:
        broken |= code == full
    if broken:
        return (0 if last == 2 else BREAK), 2 | blank
    return (0 if last else EDGE), max(last, 1) | ends | blank


@inner
def _spelling(spelt_at: NDArray[np.int32], code: int) -> int:
    """The row of a code point that is read as several characters."""
    lo, hi = 0, spelt_at.size - 1
    while lo < hi:
        middle = (lo + hi) >> 1
        if spelt_at[middle] < code:
            lo = middle + 1
        else:
            hi = middle
    return lo


@kernel
def read(
    rows: NDArray[np.int32],
    chars: NDArray[np.int32],
    spans: NDArray[np.int32],
    tables: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int32], NDArray[np.int32]],
    state: NDArray[np.int32],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    symbols: NDArray[np.int32],
) -> None:
    """Write characters as the symbols of their readings, delta by delta and layer by layer.

    Reading ``2 * layer`` is a layer in the form plain, ``2 * layer + 1`` in the form letters. In letters an
    edge is not written behind another edge or a break, nor a break behind a break. How a text is cut into
    deltas changes nothing.

    Parameters
    ----------
    rows : int32[n]
        The lane of each of the packet's deltas.
    chars : int32[m, 4]
        Code point (negative: nothing goes on across it), begin, stop and place of the characters.
    spans : int32[k, 4]
        Delta, layer, and the rows of `chars`, from and to, that it brings to the layer. Layer -1: the lane
        ends.
    tables : tuple
        ``plain_of``, ``letter_of`` uint16[0x110000]: the symbol of a code point in either form: 0 not
        seen, BREAK, EDGE, SPELT, others; SPELT in both or in none. ``spelt_at`` int32[k], ``spelt``
        int32[k, 4]: code points that are read as several, ascending, and as which (-1 behind the last).
    state : int32[lanes, layers]
        Where in a word or between words each layer is; 0 in a new lane, and again after its end. Modified.
    first, last : int32[n, 2 * layers]
        Written where there is a span: the symbols of delta i in reading r are rows ``first[i, r]`` to
        ``last[i, r]``.
    symbols : int32[s, 4]
        Written: symbol, and begin, stop and place of its character. s must be at least 8 for each character.

    Notes
    -----
    Linear in the characters. No allocation.
    """
    plain_of, letter_of, spelt_at, spelt = tables
    p, q = _wide(0), symbols.shape[0] >> 1
    for r in range(spans.shape[0]):
        i, layer = spans[r, 0], spans[r, 1]
        row = rows[i]
        if layer < 0:
            for k in range(state.shape[1]):
                state[row, k] = 0
            continue
        first[i, 2 * layer], first[i, 2 * layer + 1] = p, q
        packed = _wide(state[row, layer])
        word, unseen, bare = packed & 63, packed >> 6 & 63, packed >> 12
        for j in range(spans[r, 2], spans[r, 3]):
            v = np.uint64(j)
            code, begin, stop, place = _wide(chars[v, 0]), chars[v, 1], chars[v, 2], chars[v, 3]
            plain = letter = _BREAK
            if code >= 0:
                plain, letter = _wide(plain_of[code]), _wide(letter_of[code])
            elif code == _AGAIN:
                p = _put(symbols, p, REPEAT, begin, stop, place)
                q = _put(symbols, q, REPEAT, begin, stop, place)
                word, unseen, bare = _BEHIND_BREAK, _NONE, _NONE
                continue
            worded = letter > EDGE
            if (plain > 0) & (plain < SPELT) & (worded | (code == 32)) & (word < 16) & (bare < BARE - 1):
                apart = word & 3
                inside, outside = 8 if word & 12 else 4, apart | (apart == 0)
                p = _put(symbols, p, plain, begin, stop, place)
                q = _put(symbols, q, letter * (worded | (apart == 0)), begin, stop, place)
                word = inside if worded else outside
                bare = 0 if worded else bare + 1
                unseen = 0
                continue
            at, turn = 0, 4
            if plain == SPELT:
                at, turn = _spelling(spelt_at, code), 0
            while True:
                if turn < 4:
                    code = _wide(spelt[at, turn])
                    plain, letter = _wide(plain_of[code]), _wide(letter_of[code])
                unseen = unseen + 1 if plain == 0 else 0
                if unseen == UNSEEN:
                    plain = letter = _BREAK
                    unseen = 0
                bare += 1
                if letter > EDGE:
                    word, bare = 8 if word & 12 else 4, 0
                else:
                    if bare == BARE:
                        letter, bare = _BREAK, 0
                    if letter:
                        letter, word = _between(word, code, letter == BREAK)
                p = _put(symbols, p, plain, begin, stop, place)
                q = _put(symbols, q, letter, begin, stop, place)
                turn += 1
                if turn >= 4 or spelt[at, turn] < 0:
                    break
        state[row, layer] = bare << 12 | unseen << 6 | word
        last[i, 2 * layer], last[i, 2 * layer + 1] = p, q
