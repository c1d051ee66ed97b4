"""Find the characters of a text and of what is hidden in it: base64, hex and escapes, two levels deep.

Strategy. Layer 0 is the lane's text. Every other layer is what one decoder finds in the characters of
its parent, and has characters of its own: a code point, the stretch of the ORIGINAL text that carries
its bits, and the place of the original character with which it became known. A delta is decoded layer by
layer, parents first, and all characters go to one arena, so that nothing recurses. What a decoder has to
remember between deltas is a few numbers and a ring of the last characters.

A decoder speaks only when it is sure enough: base64 and hex after 16 digits in a row that decode to
text, escapes with the first complete one. Until then it holds back what may still become such a run.
Base64 is tried at all four alignments and hex at both, because a secret follows ``path/`` or ``key-``
without a seam; the alignment that first made 16 digits of text speaks until its first byte of no text.
In ordinary text nearly every word ends before that, so the text itself is scanned once for its runs, and
the decoders see only what is left: long runs, numbers with separators, and the end of a delta.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["AGAIN", "ENDED", "ROOM", "SLOTS", "decode"]

ROOM = 2048
"""Characters that a delta may bring beyond 8 for each of its bytes: what the decoders had buffered."""

SLOTS = 14
"""Numbers of state per layer, before its ring."""

# Slots: the mark that is asked for + 1; bytes of UTF-8 that are still to come, the code point so far
# (negative: a high surrogate) and where it began; 1 if anything was said since the last break, + 2 if the
# last byte was an ASCII character.
# Digits: how many; for each alignment where its text begins; for those of hex what stands between bytes; the
# last byte of each alignment; the one that speaks + 1; what stands here.
# Escapes: what is open, its length, value and begin; of the ring the begin of the oldest and the newest, the
# size; characters until it is calm (0: nothing is said); entries written.
_HOLD, _NEED, _VALUE, _FIRST, _SPOKEN = 0, 1, 2, 3, 4
_COUNT, _START, _STYLE, _SEEN, _LANE, _GAP = 5, 6, 8, 10, 11, 12
_MODE, _SUM, _BEGAN, _OLDEST, _NEWEST, _KEPT, _LEFT, _TURN, _HELD = 5, 6, 7, 8, 9, 10, 11, 12, 13

_SURE = 16
"""Digits in a row that decode to text, before base64 or hex is believed."""
_CALM = 256
"""Characters without an escape, after which white space ends escaped text."""
_WAIT = 10
"""Characters of an escape that is not complete: with one more it is text."""
_MEANT = 62
"""States of :func:`_steps` from here on are escapes that are complete."""

_wide: Any = np.int64
"""Numbers are widened where they are read, so that every function is compiled for one type of them."""

_BYTE, _UNIT, _CHARACTER = _wide(-1), _wide(-2), _wide(-3)
"""What :func:`_speak` is given: a byte of UTF-8, a code point of an escape, a character as it stands."""

_ONE = _wide(1)
"""Typed as well: a literal in a call is one more type."""

ENDED = _wide(-1)
"""In place of a code point: the run has ended, and nothing goes on across it."""

AGAIN = _wide(-2)
"""In place of a code point: escaped text begins, and what follows up to where this stops stands before its
first escape. The layer's parent has said that already."""


def _digits_of() -> NDArray[np.uint8]:
    """Row 1 base64, row 2 hex: value of a digit; 64 none; 65 ``=``, 66 line feed, 67 carriage return; 80
    ``x``, 81 and on what else may stand between two bytes of hex. The last column is all the rest.
    """
    table = np.full((3, 129), 64, np.uint8)
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    table[1, np.frombuffer(digits, np.uint8)] = np.arange(64)
    table[1, np.frombuffer(b"-_=\n\r", np.uint8)] = 62, 63, 65, 66, 67
    for digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
        table[2, np.frombuffer(digits, np.uint8)] = np.arange(16)
    table[2, np.frombuffer(b"xX :-,\\%&#;", np.uint8)] = 80, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89
    return table


def _traits() -> NDArray[np.uint8]:
    """Of each byte: 1 digit of base64, 2 digit of hex, 4 may stand between bytes, 8 begins an escape."""
    traits = np.zeros(256, np.uint8)
    traits[:129] = (_DIGITS[1] < 64) + 2 * (_DIGITS[2] < 64) + 4 * (_DIGITS[2] >= 80)
    traits[np.frombuffer(b"\\%&", np.uint8)] |= 8
    return traits


def _kinds() -> NDArray[np.uint8]:
    """What a byte is in UTF-8 text: 1 character, 2 lead, 4 continuation, 8 NUL (UTF-16), 0 no text."""
    byte = np.arange(256)
    kinds = np.where((byte >= 32) & (byte < 127) | np.isin(byte, (9, 10, 13)), 1, 0)
    kinds[0xC2:0xF5] = 2
    kinds[0x80:0xC0] = 4
    kinds[0] = 8
    return kinds.astype(np.uint8)


def _steps() -> NDArray[np.int32]:
    """Escapes as a machine: a row for each state, a column for each character.

    A cell is the next state (0: no escape; 63 a byte, 62 a code point), by what the value is multiplied
    (from bit 6 on), and what is added (from bit 11 on). Row 0 is the beginning. The states come from the
    spellings: ``H`` is a digit of hex, ``D`` one of decimal, ``+`` any number of them.
    """
    digits = {"H": "0123456789abcdefABCDEF", "D": "0123456789"}
    short = {"n": 10, "r": 13, "t": 9, "b": 8, "f": 12} | {char: ord(char) for char in "\"'/\\"}
    names = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
    spellings: dict[str, int | None] = {"\\" + char: code for char, code in short.items()}
    spellings |= {f"&{name};": ord(char) for name, char in names.items()}
    spellings |= dict.fromkeys(("\\xHH", "%HH", "\\uHHHH", "&#D+;", "&#xH+;", "&#XH+;"))
    states, cells = {"": 0}, np.zeros((62, 129), np.int32)
    for spelling, constant in spellings.items():
        here = 0
        for place, sign in enumerate(spelling, 1):
            last = place == len(spelling)
            after = here if sign == "+" else states.setdefault(spelling[:place], len(states))
            if last:
                after = 63 if spelling.endswith("HH") and "u" not in spelling else 62
            meant = digits.get(spelling[place - 2] if sign == "+" else sign)
            for char in meant or sign:
                add = int(char, 16) if meant else constant or 0 if last else 0
                times = (16 if len(meant) > 10 else 10) if meant else int(last and constant is None)
                cells[here, ord(char)] = after | times << 6 | add << 11
            here = after
    return cells[: len(states)]


_DIGITS, _KINDS, _STEPS = _digits_of(), _kinds(), _steps()
_TRAITS = _traits()


@inner
def _put(chars: NDArray[np.int32], out: int, code: int, begin: int, stop: int, place: int) -> int:
    """Append a character to the arena; its length then."""
    row = np.uint64(out)
    chars[row, 0] = code
    chars[row, 1] = begin
    chars[row, 2] = stop
    chars[row, 3] = place
    return out + 1


@inner
def _end(s: NDArray[np.int32], chars: NDArray[np.int32], out: int, begin: int, place: int) -> int:
    """End what the layer says, if anything was said since it last ended, and forget half a character."""
    if s[_SPOKEN] & 1:
        out = _put(chars, out, ENDED, begin, begin, place)
    s[_NEED] = s[_VALUE] = s[_SPOKEN] = 0
    return out


@inner
def _speak(
    s: NDArray[np.int32],
    chars: NDArray[np.int32],
    out: int,
    what: int,
    code: int,
    begin: int,
    stop: int,
    place: int,
) -> int:
    """Append a decoded byte, code point or character to the arena; its length then, ~length after junk.

    Junk is what is no text. Like half a character before a whole one it ends what was said.
    """
    need, value = _wide(s[_NEED]), _wide(s[_VALUE])
    good = True
    if what == _BYTE and need and code & 0xC0 == 0x80:
        code = value << 6 | code & 63
        need -= 1
        s[_NEED], s[_VALUE] = need, code
        if need & 3:
            return out
        s[_NEED] = 0
        begin = _wide(s[_FIRST])
        least = 0xA0 if need == 4 else 0x800 if need == 8 else 0x10000
        good = least <= code and (code < 0xD800 or 0xE000 <= code <= 0x10FFFF)
        what = _CHARACTER
    elif what == _UNIT and value < 0 and code & ~0x3FF == 0xDC00:
        code += 0x10000 - 0xDC00 + (-value - 0xD800 << 10)
        begin = _wide(s[_FIRST])
        s[_VALUE] = 0
    else:
        if need or value < 0:
            out = _end(s, chars, out, begin, place)
        if what == _BYTE:
            kind = _KINDS[code]
            if kind == 2:
                more = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
                s[_NEED], s[_VALUE], s[_FIRST] = more << 2 | more, code & (0x3F >> more), begin
                return out
            if kind == 8 and s[_SPOKEN] & 2:
                s[_SPOKEN] = 1
                return out
            good = kind == 1
        elif what == _UNIT:
            if code & ~0x3FF == 0xD800:
                s[_VALUE], s[_FIRST] = -code, begin
                return out
            good = _KINDS[min(code, 128)] == 1 or 160 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF
    if not good:
        return int(~_end(s, chars, out, begin, place))
    s[_SPOKEN] = 3 if what == _BYTE else 1
    return int(_put(chars, out, code, begin, stop, place))


@inner
def _hold(marks: NDArray[np.int32], here: int, beyond: int, mark: int) -> None:
    """Lower the marks of places here..beyond to `mark`."""
    for place in range(here, beyond):
        marks[place] = min(marks[place], mark)


@inner
def _joined(decoder: int, phase: int, above: int, entry: int) -> int:
    """The byte that ends in the digit `entry`, at place `phase` of its group."""
    above, entry = above >> 14 & 63, entry >> 14 & 63
    if decoder == 2:
        return above << 4 | entry
    return (above << 6 | entry) >> 6 - 2 * phase & 255


@inner
def _weigh(s: NDArray[np.int32], decoder: int, fed: int, count: int) -> None:
    """Follow digits fed..count of the ring at every alignment, and note where its text begins.

    Alignment a has its groups at digits a, a + 4, ... (hex: a + 2). What a byte is comes from itself and
    the byte before; the last word on UTF-8 is :func:`_speak`'s. With `fed` 1 it begins anew.
    """
    last = 5 - 2 * decoder
    if fed == 1:
        s[_SEEN] = 0
        for lane in range(last + 1):
            s[_START + lane] = lane == 1  # there, a group ends with the first digit
    for turn in range(fed, count):
        entry, above = _wide(s[SLOTS + (turn & 15)]), _wide(s[SLOTS + (turn - 1 & 15)])
        for lane in range(last + 1):
            phase = turn - lane & last
            if phase == 0:
                continue
            start, seen = _wide(s[_START + lane]), s[_SEEN] >> 4 * lane & 15
            kind = _wide(_KINDS[_joined(decoder, phase, above, entry)])
            if decoder == 2:
                if turn - start == 3:
                    s[_STYLE + lane] = above & 1023
                elif turn - start > 3 and s[_STYLE + lane] != above & 1023:
                    start, seen = turn - 1, 0
                if entry & 1023:
                    kind = seen = 0
            own = kind & 3
            if not ((own and not seen & 2) or (kind & 4 and seen & 6) or (kind & 8 and seen & 1)):
                start = turn - 1 if own else turn if phase < last else turn + 1
                kind = own
            s[_START + lane] = start
            s[_SEEN] = s[_SEEN] & ~(15 << 4 * lane) | kind << 4 * lane


@inner
def _fits(chars: NDArray[np.int32], i: int, traits: int) -> int:
    """Which of `traits` character i of the arena has."""
    return int(_TRAITS[min(chars[i, 0], 128)] & traits)


@inner
def _digits(
    decoder: int,
    listed: int,
    bottom: int,
    tail: int,
    s: NDArray[np.int32],
    chars: NDArray[np.int32],
    lo: int,
    hi: int,
    out: int,
    marks: NDArray[np.int32],
    here: int,
    beyond: int,
) -> int:
    """Decode base64 (1) or hex (2) in characters lo..hi of the arena, and mark places here..beyond.

    An entry of the ring is where the digit begins (12 bits), its value (6), its length (4), and what stands
    before it (10, a hash): between the bytes of hex that must stay the same. In rows `listed` to `bottom` of
    the arena, downwards, stands what is worth a look, as :func:`decode` found it; behind that, the run
    that begins at `tail`.
    """
    last, text = 5 - 2 * decoder, listed > 0
    hold, count, gap, lane = _wide(s[_HOLD]), _wide(s[_COUNT]), _wide(s[_GAP]), _wide(s[_LANE]) - 1
    i, upto = lo, lo
    while i < hi:
        if count == 0 and i >= upto:
            if listed == bottom:
                i, upto = max(i, tail), hi
                continue
            start, upto = _wide(chars[listed, 0]), _wide(chars[listed, 1])
            listed -= 1
            if upto - start < _SURE - 2 and (
                decoder == 1 or (upto + 1 < hi and not _fits(chars, upto + 1, 6))
            ):
                if decoder == 2 and upto > i:  # two digits, a separator, and no third
                    start = upto
                    while start > i and _fits(chars, start - 1, 2):
                        start -= 1
                    place = _wide(chars[upto, 3])
                    _hold(marks, place, place + 1, _wide(chars[start, 1]))
                upto = i
            i = max(i, min(start, upto))
            continue
        code, begin, place = _wide(chars[i, 0]), _wide(chars[i, 1]), _wide(chars[i, 3])
        length = min(_wide(chars[i, 2]) - begin, 15)
        i += 1
        if hold:
            _hold(marks, here, place, hold - 1)
        here = place
        kind = _wide(_DIGITS[decoder, min(code, 128)])
        # its upper bits signed, because it is kept as int32
        entry = ((begin & 0xFFF ^ 0x800) - 0x800) << 20 | kind << 14 | length << 10
        above = _wide(s[SLOTS + (count - 1 & 15)])
        ended = padded = False
        fresh = count
        if count == 0 and kind >= 64:
            continue
        if kind < 64:
            if decoder == 2:
                entry |= gap & 1023
                if lane >= 0 and count - lane & 1:
                    ended = entry & 1023 != 0 or above & 1023 != s[_STYLE + lane]
                    fresh += ended
            elif text:  # it may be marked as of a run that began behind a line break
                marks[place] = begin + 1
            s[SLOTS + (count & 15)] = entry
            count += 1
            gap = 0
            if count == 1:
                hold = begin + 1
        elif kind == 80 and gap == 0 and above >> 14 & 63 == 0:
            count -= 1  # this 0 was the beginning of 0x
            fresh = count
            gap = 1024 | ((above & 1023) * 11 + 12) % 1021 + 1
            ended = count == 0
        elif kind >= 80:
            ended = gap >= 5 << 10 or (gap == 0 and (count == 1 or above & 1023 != 0))
            gap = (gap & ~1023) + 1024 | ((gap & 1023) * 11 + kind) % 1021 + 1
        elif lane >= 0 and ((kind == 66 and gap < 2) or (kind == 67 and gap == 0)):
            gap = 68 - kind
        else:
            padded = kind == 65 and lane < 0 and count >= _SURE - 2
            ended = True
        if lane < 0 and (padded or (kind < 64 and count >= _SURE)):
            _weigh(s, decoder, _ONE if count <= _SURE else count - 1 + padded, count)
            oldest = count - 1
            for each in range(last + 1):
                start = _wide(s[_START + each])
                oldest = min(oldest, start)
                group = count - 1 - each & 3
                wanted = _SURE - (3 - group if padded and 0 < group < 3 else 0)
                if count - start >= wanted and lane < 0:
                    lane = each
                    fresh = start + 1
            hold = begin - (begin - (_wide(s[SLOTS + (oldest & 15)]) >> 20) & 0xFFF) + 1
        if lane >= 0:
            for turn in range(fresh, count):
                phase = turn - lane & last
                if phase:
                    entry, above = _wide(s[SLOTS + (turn & 15)]), _wide(s[SLOTS + (turn - 1 & 15)])
                    since = begin - (begin - (above >> 20) & 0xFFF)
                    until = begin - (begin - (entry >> 20) & 0xFFF) + (entry >> 10 & 15)
                    byte = _joined(decoder, phase, above, entry)
                    out = _speak(s, chars, out, _BYTE, byte, since, until, place)
                    if out < 0:
                        out = ~out
                        ended |= fresh == count - 1
            if kind < 64:
                hold = 0
                if s[_NEED]:
                    hold = _wide(s[_FIRST]) + 1
                elif count - 1 - lane & last != last:
                    hold = begin + 1
        if ended:
            out = _end(s, chars, out, begin, place)
            count = hold = gap = 0
            lane = -1
            if kind < 64:  # it was no text: another run may begin with this digit
                s[SLOTS] = entry & ~1023
                count, hold = 1, begin + 1
    if hold:
        _hold(marks, here, beyond, hold - 1)
    s[_HOLD], s[_COUNT], s[_GAP], s[_LANE] = hold, count, gap, lane + 1
    return out


@inner
def _keep(s: NDArray[np.int32], code: int, begin: int, stop: int) -> None:
    """Put a character into the ring of escapes; the oldest is forgotten when it is full.

    An entry is the character (21 bits), how far it begins behind the one before (6), its length (5).
    """
    mask, turn, kept = s.size - SLOTS - 1, _wide(s[_TURN]), _wide(s[_KEPT])
    s[SLOTS + (turn & mask)] = code | min(begin - s[_NEWEST], 63) << 21 | min(stop - begin, 31) << 27
    if kept == 0:
        s[_OLDEST] = begin
    if kept > mask:
        s[_OLDEST] += s[SLOTS + (turn + 1 & mask)] >> 21 & 63
    else:
        s[_KEPT] = kept + 1
    s[_NEWEST] = begin
    s[_TURN] = turn + 1 & 0xFFFFFF


@inner
def _flush(s: NDArray[np.int32], chars: NDArray[np.int32], out: int, count: int, place: int) -> int:
    """Say the oldest `count` characters of the ring of escapes, and empty it."""
    mask, turn, begin = s.size - SLOTS - 1, _wide(s[_TURN]) - s[_KEPT], _wide(s[_OLDEST])
    for each in range(count):
        entry = _wide(s[SLOTS + (turn + each & mask)])
        if each:
            begin += entry >> 21 & 63
        out = _speak(s, chars, out, _CHARACTER, entry & 0x1FFFFF, begin, begin + (entry >> 27 & 31), place)
    s[_KEPT] = 0
    return out


@inner
def _escapes(
    s: NDArray[np.int32],
    chars: NDArray[np.int32],
    lo: int,
    hi: int,
    out: int,
    marks: NDArray[np.int32],
    here: int,
    beyond: int,
) -> int:
    """Undo the escapes in characters lo..hi of the arena, and mark places here..beyond.

    Text that has shown an escape is said as a whole, from the ring before the first one until white space
    more than `_CALM` characters behind the last: text in JSON has escapes for its line feeds, and a phrase
    goes on across them.
    """
    hold, mode, left = _wide(s[_HOLD]), _wide(s[_MODE]), _wide(s[_LEFT])
    for i in range(lo, hi):
        code, begin, stop, place = (
            _wide(chars[i, 0]), _wide(chars[i, 1]), _wide(chars[i, 2]), _wide(chars[i, 3]),
        )  # fmt: skip
        sign = min(code, 128)
        if hold == 0 and left != 1 and code >= 0 and _TRAITS[sign] & 8 == 0:
            if left:
                out = _put(chars, out, code, begin, stop, place)
                s[_SPOKEN] = 1
                left -= 1
            else:
                _keep(s, code, begin, stop)
            continue
        if hold:
            _hold(marks, here, place, hold - 1)
        here = place
        cell = _wide(_STEPS[mode, sign])
        if mode and (cell == 0 or (s[_HELD] == _WAIT and cell & 63 < _MEANT)):
            mode = 0  # it was none
            cell = _wide(_STEPS[0, sign])
            if left:
                out = _flush(s, chars, out, _wide(s[_KEPT]), place)
        if mode == 0:
            s[_BEGAN], s[_HELD] = begin, 0
        value = _wide(s[_SUM]) * (cell >> 6 & 31) + (cell >> 11)
        mode = cell & 63
        hold = 0
        if mode >= _MEANT:
            kept, again = _wide(s[_KEPT]) - s[_HELD], out
            if left == 0 and kept:
                out = _put(chars, out, AGAIN, _wide(s[_OLDEST]), _wide(s[_OLDEST]), place)
            out = _flush(s, chars, out, kept, place)
            if left == 0 and kept:
                chars[again, 2] = chars[out - 1, 2]
            out = _speak(s, chars, out, mode - 64, value, _wide(s[_BEGAN]), stop, place)
            out = max(out, ~out)
            mode, left = 0, _CALM
            if s[_NEED] or s[_VALUE] < 0:
                hold = _wide(s[_FIRST]) + 1
        elif mode:
            s[_SUM] = value
            s[_HELD] += 1
            _keep(s, code, begin, stop)
            half = s[_NEED] or s[_VALUE] < 0
            hold = _wide(s[_FIRST] if half else s[_BEGAN] if left else s[_OLDEST]) + 1
        elif code < 0:
            out = _end(s, chars, out, begin, place)
            s[_KEPT] = left = 0
        elif left == 0:
            _keep(s, code, begin, stop)
        else:
            out = _speak(s, chars, out, _CHARACTER, code, begin, stop, place)
            if left > 1:
                left -= 1
            elif code <= 32:
                out = _end(s, chars, out, stop, place)
                left = 0
    if hold:
        _hold(marks, here, beyond, hold - 1)
    s[_HOLD], s[_MODE], s[_LEFT] = hold, mode, left
    return out


@kernel
def decode(
    rows: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    text: NDArray[np.uint8],
    text_kind: int,
    close_kind: int,
    layers: NDArray[np.int32],
    position: NDArray[np.int32],
    state: NDArray[np.int32],
    char_at: NDArray[np.int32],
    chars: NDArray[np.int32],
    spans: NDArray[np.int32],
    marks: NDArray[np.int32],
    resume: int,
) -> tuple[int, int]:
    """Write the characters that every TEXT delta brings to each layer, and end what is open at a CLOSE.

    How a text is cut into deltas changes neither the characters nor the marks.

    Parameters
    ----------
    rows, kinds, starts, ends : [n]
        Columns of the packet's deltas; byte ranges of `text`.
    text : uint8[bytes]
        UTF-8 of all deltas, whole code points in each.
    text_kind, close_kind : int
        The values of `kinds` that mean text and the end of a lane.
    layers : int32[layers, 4]
        Parent, decoder (1 base64, 2 hex, 3 escapes), and place and size of its numbers in a row of `state`:
        SLOTS and a ring. Row 0 is the text, rows 1, 2, 3 its three decoders; a parent stands before its
        children.
    position : int32[lanes]
        Characters read; stays after a CLOSE. Modified.
    state : int32[lanes, numbers]
        What the decoders remember; all 0 in a new lane, and again after its CLOSE. Modified.
    char_at : int32[n]
        Place in `marks` of each delta's first character; a CLOSE has one place.
    chars : int32[m, 4]
        Written: code point, ENDED where nothing goes on, or AGAIN; the characters of the lane's text that
        carry it, begin and stop; the place in `marks` of the character with which it became known, ascending
        within a delta and layer. The last rows are scratch. m must be at least 8 for each byte of the
        longest delta, and ROOM.
    spans : int32[k, 4]
        Written: delta, layer, and the rows of `chars`, from and to, that are what the delta brings to the
        layer, for each that brings any, in order; at a CLOSE, behind them, delta and -1. k must be at least
        the number of layers.
    marks : int32[places]
        Written: after each character, the first one of the lane that a decoder may still speak for;
        otherwise the number read. It may fall back: a run of escapes goes back to text before it.
    resume : int
        The delta to begin with.

    Returns
    -------
    tuple of int
        The delta to go on with once the characters are taken, n if that was all; and how many spans there
        are.

    Notes
    -----
    Linear in the bytes: no layer can say more characters than its parent. No allocation.

    Not covered: base64 in groups with spaces or lines of less than 16 characters before it is believed; an
    alignment of which another, that speaks, hides the beginning; more than two levels.

    References
    ----------
    .. [1] RFC 4648, base64 and its alphabets; RFC 3629, UTF-8; RFC 3986 section 2.1, percent-encoding;
       RFC 8259 section 7, strings of JSON; HTML, section 13.5, character references.
    """
    out, told, top = _wide(0), _wide(0), chars.shape[0] - layers.shape[0] - 1
    for i in range(resume, rows.size):
        row, closing = rows[i], kinds[i] == close_kind
        if row < 0 or not (closing or kinds[i] == text_kind):
            continue
        j, size = _wide(starts[i]), _wide(starts[i] if closing else ends[i])
        if out + 8 * (size - j) + ROOM > chars.shape[0] or told + layers.shape[0] > spans.shape[0]:
            return i, told
        here, now, first = _wide(char_at[i]), _wide(position[row]), out
        shift = here - first
        # of runs of base64 where this one begins; what is worth a look; two traits before
        run, bottom = now - state[row, layers[1, 2] + _COUNT], top
        traits, before, above = _wide(0), _wide(0), _wide(0)
        while j < size:
            code = _wide(text[np.uint64(j)])
            trait = _wide(_TRAITS[code])
            j += 1
            if code >= 0x80:
                more = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
                code &= 0x3F >> more
                for _ in range(more):
                    code = code << 6 | text[j] & 63
                    j += 1
            # A run of base64 that is long enough has ended, or a separator follows two digits of hex. No
            # branch for what nobody can foresee: it is written each time, and kept if it is so.
            length = now - run
            if (length >= _SURE - 2) & ~trait | (trait & 4) * (before & above & 2):
                chars[bottom, 0], chars[bottom, 1] = out - length, out
                bottom -= 1
            traits, above, before = traits | trait, before, trait
            now += 1
            run = run if trait & 1 else now
            marks[np.uint64(shift + out)] = run if now - run < _SURE else now
            out = _put(chars, out, code, now - 1, now, shift + out)
        position[row] = now
        if closing:
            out = _put(chars, out, ENDED, now, now, here)
            run = marks[here] = now
        front, beyond, believed = out, shift + out, state[row, layers[1, 2] + _LANE]
        if first < front and not closing:
            spans[told, 0], spans[told, 1], spans[told, 2], spans[told, 3] = i, 0, first, front
            told += 1
        for layer in range(1, layers.shape[0]):
            parent, decoder, at = layers[layer, 0], _wide(layers[layer, 1]), layers[layer, 2]
            lo, hi, begun = first, front, out
            tail, listed, ends_at = max(first, front - (now - run)), top, bottom
            if parent:
                lo, hi = _wide(chars[top + 1 + parent, 0]), _wide(chars[top + 1 + parent, 1])
                tail, listed, ends_at = lo, _wide(0), _wide(0)
            elif decoder == 1:
                if tail > lo and bottom == top and not closing:
                    state[row, at + _COUNT] = state[row, at + _HOLD] = 0  # that run came to nothing
            elif decoder == 3 or believed or front < out:  # base64 has unmarked what it said
                tail, listed = lo, ends_at
            elif now - run < _SURE - 2:
                tail = front
                while tail > lo and _fits(chars, tail - 1, 2):
                    tail -= 1
            if tail < hi or listed > ends_at or state[row, at + _HOLD] or state[row, at + _COUNT]:
                s = state[row, at : at + layers[layer, 3]]
                if decoder < 3:
                    out = _digits(decoder, listed, ends_at, tail, s, chars, lo, hi, out, marks, here, beyond)
                elif layer > 3 or traits & 8 or closing or s[_HOLD] or s[_LEFT]:
                    out = _escapes(s, chars, lo, hi, out, marks, here, beyond)
                else:
                    if hi - lo > s.size - SLOTS:  # more than the ring keeps
                        lo = hi - s.size + SLOTS
                        s[_KEPT] = 0
                    for j in range(lo, hi):
                        _keep(s, _wide(chars[j, 0]), _wide(chars[j, 1]), _wide(chars[j, 2]))
            chars[top + 1 + layer, 0], chars[top + 1 + layer, 1] = begun, out
            if begun < out:
                spans[told, 0], spans[told, 1], spans[told, 2], spans[told, 3] = i, layer, begun, out
                told += 1
        if closing:
            spans[told, 0], spans[told, 1] = i, -1
            told += 1
            for j in range(state.shape[1]):
                state[row, j] = 0
    return rows.size, told
