"""A linear model over hashed n-grams, carried from character to character: what the last words say.

Strategy. A word is the word of ``operators.kernels.features``: a run of white space and the characters
behind it, at most 24, so its sample is a matter of the text alone. While a word is read, each n-gram of
2 to 4 characters that ends in it, and each run of letters alone, with the one and with the two before it,
is hashed; the weights of their buckets add up to the *evidence* of the word, in whole numbers. The evidence
is bounded, or a line of noise would outweigh a sentence.

The score of a lane is the evidence of its words, worth less the longer ago they were said, and it never
falls below zero: a leaky CUSUM. Harmless text takes it down to zero and no further, so an attack weighs
the same in the first line and after an hour of harmless text, and a threshold means the same there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["BITS", "LANE", "score", "spell"]

BITS = 16
"""Of a hash, from the top: the number of its bucket."""

_LONGEST = 24  # characters of a word
_MIX = 0x5BD1E995  # odd, and below 2**31: products with 32-bit values stay inside int64
_SEED = 0x9E3779B9
_ALL = 0xFFFFFFFF
_SHIFT = 32 - BITS

_TEXT, _CLOSE = 1, 3  # operators.packet.Kind
_INJECTION = 5  # operators.packet.Signal

_Int = int | np.signedinteger[Any]

LANE = np.dtype(
    [
        ("begin", "i8"),  # where the word began, characters of the lane
        ("chars", "i8"),  # of the word so far; 0 before it begins
        ("solid", "i8"),  # whether it has more than white space
        ("past", "i8"),  # the last three characters since white space, 15 bits each, the latest lowest
        ("deep", "i8"),  # how many of them there are
        ("run", "i8"),  # hash of the run of letters so far, 32 bits; 0 before it begins
        ("before", "i8", (2,)),  # hashes of the last two
        ("evidence", "i8"),  # of the word so far
        ("score", "f8"),  # behind the last word
    ],
    align=True,
)
"""What is kept of a lane, 80 bytes. A new one is zero."""


@kernel
def score(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    codes: NDArray[np.int16],
    weights: NDArray[np.int8],
    shape: NDArray[np.float64],
    lanes: NDArray[np.void],
    found: NDArray[np.int64],
    samples: NDArray[np.void],
) -> _Int:
    """The sample of each word of a packet, ordered by delta.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival; rows below zero and kinds but TEXT and CLOSE are passed by. The whole table
        and read-only, so that there is one type to compile for.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    codes : int16[characters]
        What a character is read as: above 0 a letter or digit, below 0 any other, 0 not at all. A
        character behind the end of the table is read as one of the others.
    weights : int8[2**BITS]
        Of the buckets.
    shape : float64[4]
        The share of the score that is left after a word; the bound of a word's evidence; slope and
        intercept of the log odds over the score.
    lanes : LANE[rows]
        Modified.
    found : int64[6]
        Room to work. Modified.
    samples : SAMPLE[at least n + m]
        Modified: as many rows as there are samples. The value is a probability.

    Returns
    -------
    int
        How many samples there are.

    Notes
    -----
    50 ns a character of English in deltas of four: what the byte model takes. Allocates nothing.

    References
    ----------
    .. [1] E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.
    .. [2] K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    """
    n: _Int = np.int64(0)
    for i in range(len(deltas)):
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0:
            continue
        lane = lanes[row]
        if kind == _CLOSE:
            if lane["chars"]:
                _weigh(_spell_code(np.int64(0), lane, found), lane, weights, found)
                n = _end_word(lane, lane["chars"], shape, samples, n, i, row, lane["begin"] + lane["chars"])
                lane["chars"] = 0
        elif kind == _TEXT:
            at, end = deltas[i]["begin"], deltas[i]["end"]
            k: _Int = np.int64(deltas[i]["start"])
            chars, solid = lane["chars"], lane["solid"]
            while k < end:
                k, blank, count = spell(text, k, codes, lane, found)
                _weigh(count, lane, weights, found)
                if blank and chars and solid:
                    n = _end_word(lane, chars, shape, samples, n, i, row, at + 1)
                    chars = np.int64(0)
                if chars == 0:
                    lane["begin"], solid = at, np.int64(0)
                chars += 1
                at += 1
                if not blank:
                    solid = np.int64(1)
                if chars == _LONGEST:
                    n = _end_word(lane, chars, shape, samples, n, i, row, at)
                    chars = np.int64(0)
            lane["chars"], lane["solid"] = chars, solid
    return n


@kernel
def spell(
    text: NDArray[np.uint8], k: _Int, codes: NDArray[np.int16], lane: np.void, found: NDArray[np.int64]
) -> tuple[_Int, bool, _Int]:
    """Read the character that begins at byte `k`, and hash the features that end with it.

    `lane` is a row of LANE; it and `found` are modified. A bucket is a hash without its lowest
    ``32 - BITS`` bits. Where the character is white space, they are features of the word before it.

    Returns
    -------
    k, blank, count : int, bool, int
        Where the next character begins, whether this one is ASCII white space, and how many hashes
        stand in `found`.
    """
    character = np.int64(text[k])
    k += 1
    if character >= 0x80:
        size = 1 if character < 0xE0 else 2 if character < 0xF0 else 3
        character &= 0x3F >> size
        for _ in range(size):
            character = character << 6 | np.int64(text[k]) & 0x3F
            k += 1
    blank = bool(character == 32 or 9 <= character <= 13)
    code = np.int64(codes[character]) if character < len(codes) else -(character & 0x7FFF)
    if blank:
        code = np.int64(0)
    elif code == 0:
        return k, False, code
    return k, blank, _spell_code(code, lane, found)


@inner
def _spell_code(code: _Int, lane: np.void, found: NDArray[np.int64]) -> _Int:
    """How many features end with `code`, 0 for white space. Their hashes are in `found`."""
    deep, past = lane["deep"], lane["past"]
    if code == 0 and deep == 0:
        return np.int64(0)
    sign: _Int = max(code, -code)
    mixed = (_SEED ^ sign) * _MIX & _ALL  # the character alone is no feature
    for size in range(3):  # all three, though fewer may count: a loop of fixed length is unrolled
        mixed = (mixed ^ past >> 15 * size & 0x7FFF) * _MIX & _ALL  # 0 where white space stood
        found[size] = mixed
    n: _Int = min(deep, 2) + 1
    if code:
        lane["past"] = (lane["past"] & (1 << 30) - 1) << 15 | sign
        lane["deep"] = min(deep + 1, 3)
    else:
        lane["past"] = lane["deep"] = 0
    run = lane["run"]
    if code > 0:
        lane["run"] = _mixed(run, sign)
    elif run:
        last, older = lane["before"][0], lane["before"][1]
        pair = _mixed(_mixed(2, last), run)
        found[n], found[n + 1], found[n + 2] = _mixed(1, run), pair, _mixed(_mixed(3, older), pair)
        n += 3
        lane["before"][0], lane["before"][1] = run, last
        lane["run"] = 0
    return n


@inner
def _mixed(held: _Int, value: _Int) -> _Int:
    """A 32-bit hash of two 32-bit values, never 0."""
    product = (held ^ value) * _MIX & _ALL
    return max(product ^ product >> 15, 1)


@inner
def _weigh(count: _Int, lane: np.void, weights: NDArray[np.int8], found: NDArray[np.int64]) -> None:
    """Add the weights of the first `count` hashes to the evidence of the word."""
    for j in range(count):
        lane["evidence"] += weights[found[j] >> _SHIFT]


@inner
def _end_word(
    lane: np.void,
    chars: _Int,
    shape: NDArray[np.float64],
    samples: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
    decided: _Int,
) -> _Int:
    """The sample of the word so far."""
    bound = shape[1]
    evidence = min(max(float(lane["evidence"]), -bound), bound)
    total = max(lane["score"] * shape[0] + evidence, 0.0)
    samples[n]["delta"] = delta
    samples[n]["row"] = row
    samples[n]["signal"] = _INJECTION
    samples[n]["begin"] = lane["begin"]
    samples[n]["stop"] = lane["begin"] + chars
    samples[n]["decided"] = decided
    samples[n]["value"] = 1.0 / (1.0 + np.exp(-(shape[2] * total + shape[3])))
    lane["score"] = total
    lane["evidence"] = 0
    return n + 1
