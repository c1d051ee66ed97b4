"""One distance of a lane to its own past: the alignment of all of them, and the one that is followed.

Strategy. For each distance a score rises where a symbol is what stood there before and falls where it is
not: the local alignment of Smith and Waterman of a text with itself, of which one row is kept, a byte for
each distance. So a symbol costs a few vector operations, however long the periods are. A score also passes
to the distance beside it, at a cost, which is an inserted or a left-out symbol.

The distance that stands out is *followed*: it is counted what agreed, what changed, and how its numbers go.
It moves with insertions, gives way to a distance that agrees much better, and is given up when too much of
late did not fit. Copies that have become exact are counted anew: what was before them was something else.
See ``loop``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = ["TRACK", "align", "put", "standing", "step"]

_GAIN, _LOSS, _NUMBER_LOSS, _SHIFT, _TOP = 2, 2, 1, 3, 250
_FIRST, _MOST = 4, 56  # score that stands out at period 1, and how much more at long ones
_BETTER = 12  # by what another distance must score more than the one that is followed
_STRAIN, _PATIENCE = 3, 36  # what a change adds to the strain, and the strain under which a loop is over
_LOOKS = 16  # unchanged symbols of a changing loop after which shorter periods are tried
_SURE = 100  # score that is enough for them
_NUMBERS = 64  # codes below it are those of numbers

_WORD, _NUMBER, _GLYPH, _SIGN = 1, 2, 3, 5  # loop_symbols

_Int = int | np.signedinteger[Any]
_Bytes = NDArray[np.uint8]

TRACK = np.dtype(
    [
        ("begin", "i8"),  # character where the first copy began
        ("tokens", "i8"),  # since that ended
        ("copies", "u4"),
        ("length", "u4"),  # symbols since the first copy ended
        ("words", "u4"),  # of them: words that are as they were
        ("letters", "u4"),
        ("changed", "u4"),  # words that are not
        ("wrong", "u4"),  # others that are not
        ("same", "u4"),  # numbers that are
        ("steady", "u4"),  # numbers that go on by the same step
        ("other", "u4"),  # numbers that do neither
        ("signs", "u4"),
        ("clean", "u4"),  # the last of them, since something changed otherwise than a number by its step
        ("alike", "u4"),  # characters up to which it is one loop: behind them a whole copy was another
        ("period", "u2"),  # symbols; 0: nothing is followed
        ("phase", "u2"),  # symbols of the copy that is coming
        ("step", "u2"),  # between the last two numbers, modulo 65,536
        ("odd", "u2"),  # of the lane when it began
        ("strain", "u2"),  # what did not fit of late
        ("usual", "u2"),  # of the lane when it began
        ("fresh", "u2"),  # symbols of the coming copy that are not as they were, numbers aside
        ("is_over", "u2"),  # 1: behind it a whole copy was another
    ],
    align=True,
)
"""The distance that is followed among symbols, or among lines, 76 bytes. A new one is zero."""

_Ring = tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]
"""Codes, values, characters and kinds of symbols."""


def standing(longest: int) -> NDArray[np.uint8]:
    """The score of each period, the longest first, beyond which it stands out: long ones have more
    chances.
    """
    periods = np.arange(longest, 0, -1)
    return (_FIRST - 1 + np.minimum((periods - 1) // 2, _MOST)).astype(np.uint8)


@inner
def put(ring: _Ring, periods: int, fill: _Int, code: _Int, value: _Int, size: _Int, kind: _Int) -> _Int:
    """A new symbol, behind the `periods` before it; the ring is moved back where it is full."""
    codes, values, chars, kinds = ring
    if fill + periods == len(codes):
        for k in range(periods):
            codes[k] = codes[k + fill]
            values[k] = values[k + fill]
            chars[k] = chars[k + fill]
            kinds[k] = kinds[k + fill]
        fill = np.int64(0)
    codes[fill + periods] = code
    values[fill + periods] = value
    chars[fill + periods] = size
    kinds[fill + periods] = kind
    return fill + 1


@inner
def align(past: _Bytes, code: _Int, scores: _Bytes, enough: _Bytes, scratch: _Bytes) -> tuple[_Int, bool]:
    """One more symbol against each of the past: the highest score, and whether one stands out.

    Place k is period ``n - k``. All of it in bytes, so that the compiler takes as many at a time as the
    processor has.
    """
    n, one, two = np.uint64(len(past)), np.uint64(1), np.uint64(2)
    new = np.uint8(code)
    numbers = np.uint8(_NUMBERS if code < _NUMBERS else 0)
    for k in range(n):
        beside = max(scores[k], scores[k + two])
        beside = np.uint8(beside - min(beside, np.uint8(_SHIFT)))
        best = max(scores[k + one], beside)
        loss = np.uint8(_NUMBER_LOSS) if past[k] < numbers else np.uint8(_LOSS)
        worse = np.uint8(best - min(best, loss))
        better = np.uint8(best + np.uint8(_GAIN))
        scratch[k] = better if past[k] == new else worse
    top, beyond = np.uint8(0), np.uint8(0)
    for k in range(n):
        scores[k + one] = scratch[k]
        top = max(top, scratch[k])
        beyond = max(beyond, np.uint8(scratch[k] - min(scratch[k], enough[k])))
    if top >= _TOP:
        for k in range(n):
            scores[k + one] = scores[k + one] >> one
    return np.int64(top), bool(beyond > 0)


@inner
def step(
    lane: np.void,
    track: np.void,
    ring: _Ring,
    periods: int,
    fill: _Int,
    scores: _Bytes,
    top: _Int,
    stands: bool,
    tokens: _Int,
) -> bool:
    """Go on with the distance that is followed, or take up another; says whether a copy is complete."""
    newest = periods + fill - 1
    period = np.int64(track["period"])
    if period:
        place = periods - period + 1
        is_same = _count(track, ring, newest, period)
        track["tokens"] += tokens
        track["phase"] += 1
        strain = np.int64(track["strain"])
        strain = strain + _STRAIN if track["clean"] == 0 else strain - (strain > 0)
        track["strain"] = strain
        if track["strain"] > _PATIENCE:
            track["period"] = 0
            track["strain"] = 0
            for k in range(len(scores)):
                scores[k] = scores[k] >> np.uint8(3)
            return False
        if not is_same:
            own = scores[place]
            if scores[place - 1] > own and period < periods:
                period += 1
            elif scores[place + 1] > own and period > 1:
                period -= 1
            track["period"] = period
            own = max(own, scores[periods - period + 1])
            if own == 0:
                track["period"] = period = np.int64(0)
            if (
                stands
                and top > own + _BETTER
                and _take_up(lane, track, ring, periods, newest, scores, own + _BETTER)
            ):
                return bool(track["copies"] > 1)
            if period == 0:
                return False
        elif track["clean"] % _LOOKS == 0 and period >= _LOOKS and _is_mixed(track):
            shorter = _shorter(ring, period, newest, scores, periods)
            if shorter:
                return _follow(lane, track, ring, newest, shorter, 0) and track["copies"] > 1
        if track["phase"] >= period:
            track["phase"] = 0
            track["copies"] += 1
            _compare(lane, track, period)
            is_exact = track["length"] > track["clean"] >= 2 * period - 1 and not _is_counting(track)
            if is_exact and _is_mixed(track):
                _begin_anew(lane, track, ring, newest, period)
            return True
        return False
    if not stands:
        return False
    return _take_up(lane, track, ring, periods, newest, scores, 0) and track["copies"] > 1


@inner
def _take_up(
    lane: np.void, track: np.void, ring: _Ring, periods: int, newest: _Int, scores: _Bytes, above: _Int
) -> bool:
    """Follow the distance with the highest score, the shortest of equals, if it stands out."""
    best: _Int = above
    place: _Int = 0
    for k in range(1, periods + 1):
        score = np.int64(scores[k])
        if score >= best and score > max(above, _FIRST - 1 + min((periods - k) // 2, _MOST)):
            best, place = score, np.int64(k)
    if place == 0:
        return False
    return _follow(lane, track, ring, newest, periods + 1 - place, best)


@inner
def _shorter(ring: _Ring, period: _Int, newest: _Int, scores: _Bytes, periods: int) -> _Int:
    """A part of the period that the last symbols repeat exactly, twice at least; 0 without one."""
    codes, values, _, _ = ring
    for k in range(2, period // 2 + 1):
        if scores[periods + 1 - k] < min(2 * _GAIN * k, _SURE):
            continue
        same: _Int = np.int64(0)
        while same < 2 * k and same < periods - k:
            at = newest - same
            if codes[at] != codes[at - k] or values[at] != values[at - k]:
                break
            same += 1
        if same == 2 * k:
            return np.int64(k)
    return np.int64(0)


@inner
def _follow(lane: np.void, track: np.void, ring: _Ring, newest: _Int, period: _Int, score: _Int) -> bool:
    """Follow that distance from where it began to agree, which the ring and the score tell."""
    codes, _, chars, _ = ring
    _clear(track)
    run: _Int = np.int64(0)
    misses: Any = np.int64(0)
    at: Any = np.int64(newest)
    while at >= period and codes[at - period] and misses < 2:
        misses = 0 if codes[at] == codes[at - period] else misses + 1
        at -= 1
        if misses == 0:
            run = newest - at
    if run == 0:
        return False
    size = np.int64(0)
    for k in range(newest - run + 1, newest + 1):
        _count(track, ring, k, period)
        size += chars[k]
    first = np.int64(0)
    for k in range(newest - run - period + 1, newest - run + 1):
        first += chars[k]
    missing: Any = max(score // _GAIN - run, 0)  # what agreed, by the score, before what the ring still holds
    size += missing * first // period
    run += missing
    track["begin"] = max(lane["stop"] - size - first, 0)
    track["tokens"] = size * lane["tokens"] // max(lane["stop"], 1)
    track["period"], track["length"] = period, run
    track["copies"], track["phase"] = 1 + run // period, run % period
    track["odd"], track["usual"], track["strain"] = lane["odd"], lane["usual"], 0
    track["alike"], track["fresh"], track["is_over"] = lane["stop"] - track["begin"], 0, 0
    return True


@inner
def _compare(lane: np.void, track: np.void, period: _Int) -> None:
    """A copy is complete: see whether it is one of the loop, or begins another of the same period."""
    if 2 * np.int64(track["fresh"]) > period:
        track["is_over"] = 1
    if not track["is_over"]:
        track["alike"] = lane["stop"] - track["begin"]
    track["fresh"] = 0


@inner
def _is_mixed(track: np.void) -> bool:
    """Whether something changed in the loop that is followed."""
    return bool(track["changed"] + track["wrong"] + track["other"] > 0)


@inner
def _is_counting(track: np.void) -> bool:
    """Whether a number goes on by its step in every other copy, at least: months end, and it is one loop."""
    return bool(2 * track["steady"] >= track["copies"])


@inner
def _begin_anew(lane: np.void, track: np.void, ring: _Ring, newest: _Int, period: _Int) -> None:
    """Forget what was before the copies became alike: it was another text, or another loop."""
    clean = np.int64(track["clean"])
    _clear(track)
    size = np.int64(0)
    for k in range(newest - period + 1, newest + 1):
        _count(track, ring, k, period)
        size += ring[2][k]
    track["words"] = track["words"] * clean // period  # all copies are as the last one
    track["letters"] = track["letters"] * clean // period
    track["same"] = track["same"] * clean // period
    track["steady"] = track["steady"] * clean // period
    track["signs"] = track["signs"] * clean // period
    track["length"], track["clean"] = clean, clean
    track["begin"] = max(lane["stop"] - size * (clean + period) // period, 0)
    track["tokens"] = size * clean // period * lane["tokens"] // max(lane["stop"], 1)
    track["copies"], track["phase"] = 1 + clean // period, clean % period
    track["alike"], track["fresh"], track["is_over"] = lane["stop"] - track["begin"], 0, 0


@inner
def _clear(track: np.void) -> None:
    track["words"], track["letters"], track["changed"], track["wrong"] = 0, 0, 0, 0
    track["same"], track["steady"], track["other"], track["step"] = 0, 0, 0, 0
    track["signs"], track["clean"], track["length"] = 0, 0, 0


@inner
def _count(track: np.void, ring: _Ring, k: _Int, period: _Int) -> bool:
    """Whether symbol `k` of the ring is what stood a period before; counted, as what it is."""
    codes, values, _, kinds = ring
    old = k - period
    track["length"] += 1
    track["clean"] += 1
    kind, size = kinds[k] & 15, np.int64(kinds[k] >> 4)
    if kind == _NUMBER and kinds[old] & 15 == _NUMBER:
        step = (np.int64(values[k]) - np.int64(values[old])) & 0xFFFF
        if step == 0:
            track["same"] += 1
            return True
        is_first = track["length"] <= period  # in the second copy: no step is known
        before = step if is_first else np.int64(track["step"])
        if not is_first and old >= period and kinds[old - period] & 15 == _NUMBER:
            before = (np.int64(values[old]) - np.int64(values[old - period])) & 0xFFFF
        if step == before:
            track["steady"] += 1
        else:
            track["other"] += 1
            track["clean"] = 0
        track["step"] = step
        return False
    if codes[k] == codes[old] and values[k] == values[old]:
        if kind in (_WORD, _GLYPH):
            track["words"] += 1
            track["letters"] += size
        elif kind == _SIGN:
            track["signs"] += 1
        return True
    track["clean"] = 0
    track["fresh"] += 1
    if kind in (_WORD, _GLYPH):
        track["changed"] += 1
    else:
        track["wrong"] += 1
    return False
