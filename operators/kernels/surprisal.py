"""How surprising each byte of a lane is: its probability under a model of what the lane said before.

Strategy. A chain of mixtures, from the least to the most specific: a static prior, order-0 counts,
order-1 counts with the escape of PPM method C (its weight is the number of distinct successors), then
three guessers that each name *one* byte and are trusted as often as they were right when equally sure:
the usual successor of the last two bytes, that of the last three, and what came the last time after
the same five bytes or more (the match model of lpaq). A guesser turns ``p`` into ``trust [byte = guess]
+ (1 - trust) p``. So the probabilities of all 256 bytes never sum to more than 1: ``-log2 p`` is a code
length (Kraft), not a score. Everything is bounded; what does not fit is forgotten, and costs bits.

Only the byte that came is looked at, once per link of the chain: 45 ns a byte, 55 where many lanes take
turns. Binary decomposition with logistic mixing (lpaq) mixes eight times a byte; it was tried, took
220 ns, and in as much memory compressed model prose no better (3.25 against 3.26 bits a character from
1 to 2 KB).

The model is of bytes, so it knows every script; a character of three bytes costs what its bytes cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["MODEL", "byte_prior", "first_trust", "surprise"]

_PRIOR_WEIGHT = 16  # bytes of evidence that the prior is worth
_ORDER0_FULL = 4096  # bytes counted before all counts are halved
_ORDER1_FULL = 255  # successors of one byte counted before all counts are halved
_PAIRS = 1024  # counts of order 1: 6 bits of tag, 10 of count
_GUESSES = 512  # of each order: 4 bits of tag, 4 of confidence, 8 of successor
_RING = 2048  # bytes of the past that the match model can see
_PLACES = 256  # where the last five bytes of this hash ended
_SHORTEST = 5  # bytes that make a match
_PATIENCE = 4  # wrong guesses in a row that end one
_MIX = 0x5BD1E995  # odd, and below 2**31: products with 32-bit values stay inside int64

_TEXT = 1  # operators.packet.Kind
_ORDER2, _ORDER3, _MATCH = np.arange(3)  # no literals: numba compiles a function anew for each it is given

_Int = int | np.signedinteger[Any]

MODEL = np.dtype(
    [
        ("past", "i8"),  # the last five bytes
        ("said", "i8"),  # bytes so far
        ("total", "i8"),  # sum of order0
        ("lag", "i8"),  # how far back the match model reads, 0 while it has no match
        ("run", "i8"),  # how often in a row it was right; below 0: wrong
        ("order0", "u2", (256,)),
        ("order1", "u1", (256, 2)),  # per byte: successors counted, distinct ones
        ("pairs", "u2", (_PAIRS,)),
        ("guesses", "u2", (2, _GUESSES)),
        ("trust", "u2", (3, 32)),  # [order 2, order 3, match; confidence], 65536ths
        ("places", "u2", (_PLACES,)),
        ("ring", "u1", (_RING,)),
    ],
    align=True,
)
"""One lane's model, 7.7 KiB in one run of memory. A new one is zero but for ``trust``
(:func:`first_trust`).
"""


def byte_prior() -> NDArray[np.float64]:
    """What is believed of a byte before anything was said: float64[256], sums to 1.

    Rough on purpose: space, small letters, other printable ASCII, the line end, the rest.
    """
    weight = np.full(256, 0.2)
    weight[32:127] = 1.5
    weight[97:123] = 6.0
    weight[10] = 3.0
    weight[32] = 30.0
    share: NDArray[np.float64] = weight / weight.sum()
    return share


def first_trust() -> NDArray[np.uint16]:
    """Trust before experience: uint16[3, 32], 65536ths, by guesser and confidence."""
    sure = np.arange(32.0)
    share = np.stack([sure / (sure + 2), sure / (sure + 1), (sure + 0.5) / (sure + 1)])
    return (share * 65535).astype(np.uint16)


@kernel
def surprise(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    models: NDArray[np.void],
    prior: NDArray[np.float64],
    likely: NDArray[np.float64],
) -> None:
    """Probability of every byte of a packet's TEXT deltas, given those of its lane before it.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival. Rows below zero and other kinds are passed by. The whole table and read-only:
        a column of it has another type in a packet of one delta, and would be compiled for anew.
    text : uint8[m]
        ``Packet.text``, read-only.
    models : MODEL[rows]
        Modified.
    prior : float64[256]
        :func:`byte_prior`.
    likely : float64[m]
        Modified: the probabilities, 0 < p <= 1; bytes of other deltas keep what they were.

    Notes
    -----
    45 ns a byte, 55 where many lanes take turns. Allocates nothing.

    References
    ----------
    .. [1] J. Cleary, I. Witten, "Data compression using adaptive coding and partial string matching",
       IEEE Trans. Communications 32(4), 1984: prediction by partial matching.
    .. [2] A. Moffat, "Implementing the PPM data compression scheme", IEEE Trans. Communications 38(11),
       1990: method C.
    .. [3] C. Bloom, "Solving the problems of context modeling", 1998: escapes learned from experience.
    .. [4] M. Mahoney, "Adaptive weighing of context models for lossless data compression", Florida Tech.
       CS-2005-16, 2005, and lpaq1, 2007.
    """
    for i in range(len(deltas)):
        if deltas[i]["kind"] == _TEXT and deltas[i]["row"] >= 0:
            model = models[deltas[i]["row"]]
            for k in range(deltas[i]["start"], deltas[i]["end"]):
                likely[k] = _learn(model, np.int64(text[k]), prior)


@inner
def _learn(model: np.void, byte: _Int, prior: NDArray[np.float64]) -> float:
    """Probability that was given to `byte`; `model` (modified) then learns it."""
    past, order0, total = model["past"], model["order0"], model["total"]
    p = (np.int64(order0[byte]) + _PRIOR_WEIGHT * prior[byte]) / (total + _PRIOR_WEIGHT)
    p = _count(model, past & 0xFF, byte, p)
    p = _guess(model, _ORDER2, past & 0xFFFF, byte, p)
    p = _guess(model, _ORDER3, past & 0xFFFFFF, byte, p)
    p = _match(model, byte, p)

    order0[byte] += 1
    total += 1
    if total == _ORDER0_FULL:  # halve all: what was said lately counts more
        total = 0
        for k in range(256):
            order0[k] >>= 1
            total += np.int64(order0[k])
    model["total"] = total
    return p


@inner
def _count(model: np.void, context: _Int, byte: _Int, p: float) -> float:
    """Order 1 over `p`. Tag and cell are a bijection of (context, byte): counts are never mixed up,
    only lost, so that those of a context never sum to more than ``order1[context, 0]``.
    """
    order1, pairs = model["order1"], model["pairs"]
    seen, distinct = np.int64(order1[context, 0]), np.int64(order1[context, 1])
    key = (context << 8 | byte) * _MIX & 0xFFFF
    cell, tag = key >> 6, (key & 63) << 10
    held = np.int64(pairs[cell])
    count = held & 1023 if held & 0xFC00 == tag else 0
    if seen:
        p = (count + distinct * p) / (seen + distinct)
    if count:
        pairs[cell] = held + 1
    else:
        # an old pair gives way in steps, or a rare one would cost a common one
        pairs[cell] = tag | 1 if held & 1023 < 2 else _halved(held)
        distinct += 1
    order1[context, 0], order1[context, 1] = seen + 1, distinct
    if seen + 1 == _ORDER1_FULL:
        for k in range(_PAIRS):
            pairs[k] = _halved(np.int64(pairs[k]))
        for k in range(256):
            order1[k, 0] -= order1[k, 0] >> 1
            order1[k, 1] -= order1[k, 1] >> 1
    return p


@inner
def _halved(pair: _Int) -> _Int:
    return pair & 0xFC00 | (pair & 1023) >> 1


@inner
def _guess(model: np.void, guesser: _Int, context: _Int, byte: _Int, p: float) -> float:
    """The usual successor of `context` over `p`."""
    mixed = context * _MIX & 0xFFFFFFFF
    cell, tag = mixed >> 23, (mixed >> 19 & 15) << 12
    held = np.int64(model["guesses"][guesser, cell])
    guess, sure = held & 0xFF, held >> 8 & 15
    right = guess == byte and held & 0xF000 == tag
    if sure and held & 0xF000 == tag:
        p = _blend(model, guesser, sure, right, p)
    if not right:
        sure >>= 1
    elif sure < 15:
        sure += 1
    if sure:  # a guess gives way in steps, be it wrong or that of another context
        model["guesses"][guesser, cell] = held & 0xF0FF | sure << 8
    else:
        model["guesses"][guesser, cell] = tag | 1 << 8 | byte
    return p


@inner
def _match(model: np.void, byte: _Int, p: float) -> float:
    """What followed the last time over `p`; then note `byte`, and look for a match if there is none."""
    ring, said, lag, run = model["ring"], model["said"], model["lag"], model["run"]
    if lag:
        right = np.int64(ring[said - lag & _RING - 1]) == byte
        p = _blend(model, _MATCH, max(0, min(run, 31)), right, p)
        if right:
            run = max(run, 0) + 1
        elif run > -_PATIENCE:
            run = min(run, 0) - 1  # a counter may have changed inside a repetition: stay a while
        else:
            lag = run = 0
    ring[said & _RING - 1] = byte
    past = (model["past"] << 8 | byte) & 0xFFFFFFFFFF
    mixed = ((past & 0xFFFFFFFF) * _MIX & 0xFFFFFFFF) ^ (past >> 32) * 0x01000193
    place = (mixed * _MIX & 0xFFFFFFFF) >> 24
    if run <= 0:
        back = (said - np.int64(model["places"][place])) & 0xFFFF
        if 0 < back < _RING - 16:
            same = 0
            while same < 16 and ring[said - same & _RING - 1] == ring[said - back - same & _RING - 1]:
                same += 1
            if same >= _SHORTEST:
                lag, run = back, same - _SHORTEST + 1
    model["places"][place] = said & 0xFFFF
    model["lag"], model["run"], model["past"], model["said"] = lag, run, past, said + 1
    return p


@inner
def _blend(model: np.void, guesser: _Int, sure: _Int, right: bool | np.bool, p: float) -> float:
    """A guess over `p`, trusted as often as guesses like it were right."""
    held = np.int64(model["trust"][guesser, sure])
    share = held / 65536.0
    if right:
        model["trust"][guesser, sure] = held + ((65535 - held) >> 5)
        return share + (1.0 - share) * p
    model["trust"][guesser, sure] = held - (held >> 5)
    return (1.0 - share) * p
