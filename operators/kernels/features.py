"""What is measured of each delta, and of each word of a lane however deltas were cut.

Strategy. A *word* is a run of white space and the run of other characters behind it, at most 24
characters. It is complete when the next white space begins, with its 24th character, or when the lane
closes: a matter of the text alone, so its samples are the same for any cutting. White space is that of
ASCII; scripts that do without it are cut by the 24 characters.

*Novelty* is the share of word trigrams that the lane had not said before, smoothed over 16 words. White
space does not count in a trigram. What was said is kept as 16-bit tags in 128 buckets of eight, so about
the last thousand trigrams are known; one that is new passes for known with a chance of 1 in 8,000.

The bits of a word come from ``operators.kernels.surprisal``, byte by byte; they are multiplied up as
probabilities, because one logarithm a word is cheaper than one a byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["LANE", "measure"]

_LONGEST = 24  # characters of a word
_HORIZON = 16.0  # words over which novelty is smoothed
_BUCKETS, _WAYS = 128, 8  # of trigrams
_MIX = 0x5BD1E995  # odd, and below 2**31: products with 32-bit values stay inside int64

_TEXT, _CLOSE = 1, 3  # operators.packet.Kind
_GAP, _LENGTH, _LOGPROB, _SURPRISAL, _NOVELTY = np.arange(5)  # operators.packet.Signal; no literals:
# numba compiles a function anew for each literal that it is given

_Int = int | np.signedinteger[Any]

LANE = np.dtype(
    [
        ("last", "i8"),  # ns, of the text delta before ...
        ("heard", "i8"),  # ... if there was one
        ("begin", "i8"),  # where the word began, characters of the lane
        ("chars", "i8"),  # of the word so far; 0 before it begins, and then the next five mean nothing
        ("solid", "i8"),  # whether it has more than white space
        ("hash", "i8"),  # of its bytes but white space, 32 bits
        ("bits", "f8"),  # what its bytes cost, but for ...
        ("likely", "f8"),  # ... the latest, whose probabilities are still being multiplied up
        ("known", "f8"),  # 1 - novelty
        ("words", "i8"),  # complete ones
        ("before", "i8", (2,)),  # hashes of the last two
        ("trigrams", "u2", (_BUCKETS, _WAYS)),  # tags, 0 in a free way
    ],
    align=True,
)
"""What is kept of a lane, 2.1 KiB. A new one is zero."""


@kernel
def measure(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    likely: NDArray[np.float64],
    lanes: NDArray[np.void],
    samples: NDArray[np.void],
) -> _Int:
    """All samples of a packet, ordered by delta.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival; rows below zero and kinds but TEXT and CLOSE are passed by. The whole table
        and read-only: a column of it has another type in a packet of one delta, and would be compiled
        for anew.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    likely : float64[m]
        Probability of each byte of a TEXT delta, above 1e-100.
    lanes : LANE[rows]
        Modified.
    samples : SAMPLE[at least 5 n + m]
        Modified: as many rows as there are samples.

    Returns
    -------
    int
        How many samples there are.

    Notes
    -----
    90 ns a delta of five bytes in which a word ends. Allocates nothing.
    """
    n: _Int = np.int64(0)
    for i in range(len(deltas)):
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0:
            continue
        lane = lanes[row]
        if kind == _CLOSE:
            n = _end_word(lane, samples, n, i, row, lane["begin"] + lane["chars"])
        elif kind == _TEXT:
            at, begin, logprob = deltas[i]["at"], deltas[i]["begin"], deltas[i]["logprob"]
            stop = begin + deltas[i]["chars"]
            if lane["heard"]:
                gap = (at - lane["last"]) * 1e-9 if at >= lane["last"] else np.nan
                n = _put(samples, n, i, row, _GAP, begin, stop, stop, gap)
            lane["heard"], lane["last"] = 1, at
            n = _put(samples, n, i, row, _LENGTH, begin, stop, stop, float(stop - begin))
            if not np.isnan(logprob):
                n = _put(samples, n, i, row, _LOGPROB, begin, stop, stop, 0.0 - logprob)
            n = _read(text, deltas[i]["start"], deltas[i]["end"], likely, lane, begin, samples, n, i, row)
    return n


@inner
def _read(
    text: NDArray[np.uint8],
    start: _Int,
    end: _Int,
    likely: NDArray[np.float64],
    lane: np.void,
    at: _Int,
    samples: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
) -> _Int:
    """Words of the delta ``text[start:end]``, which stands at character `at` of its lane."""
    for k in range(start, end):
        byte = np.int64(text[k])
        blank = byte == 32 or 9 <= byte <= 13
        if blank and lane["chars"] and lane["solid"]:
            n = _end_word(lane, samples, n, delta, row, at + 1)
        if byte & 0xC0 != 0x80:  # the first byte of a character
            if lane["chars"] == 0:
                lane["begin"], lane["solid"], lane["hash"] = at, 0, 0
                lane["bits"], lane["likely"] = 0.0, 1.0
            lane["chars"] += 1
            at += 1
        lane["likely"] *= likely[k]
        if lane["likely"] < 1e-200:
            lane["bits"] -= np.log2(lane["likely"])
            lane["likely"] = 1.0
        if not blank:
            lane["solid"] = 1
            lane["hash"] = _mixed(lane["hash"], byte)
        if lane["chars"] == _LONGEST and (k + 1 == end or text[k + 1] & 0xC0 != 0x80):
            n = _end_word(lane, samples, n, delta, row, at)
    return n


@inner
def _end_word(
    lane: np.void, samples: NDArray[np.void], n: _Int, delta: _Int, row: _Int, decided: _Int
) -> _Int:
    """The two samples of the word so far, if there is one."""
    begin, chars = lane["begin"], lane["chars"]
    if not chars:
        return n
    bits = lane["bits"] - np.log2(lane["likely"])
    n = _put(samples, n, delta, row, _SURPRISAL, begin, begin + chars, decided, bits / chars)
    trigram: _Int = np.int64(0)
    for word in (lane["before"][0], lane["before"][1], lane["hash"]):
        trigram = _mixed(trigram, word)
    lane["known"] += (_know(lane, trigram) - lane["known"]) / _HORIZON
    n = _put(samples, n, delta, row, _NOVELTY, begin, begin + chars, decided, 1.0 - lane["known"])
    lane["before"][0], lane["before"][1] = lane["before"][1], lane["hash"]
    lane["words"] += 1
    lane["chars"] = 0
    return n


@inner
def _mixed(held: _Int, value: _Int) -> _Int:
    """A 32-bit hash of two 32-bit values."""
    product = (held ^ value) * _MIX & 0xFFFFFFFF
    return (product ^ product >> 15) + 1 & 0xFFFFFFFF  # + 1: or zeros would stay zero


@inner
def _know(lane: np.void, trigram: _Int) -> float:
    """1.0 if the trigram of this hash was said before, which it is now.

    In a full bucket any one goes, not the oldest: in a long loop that is the one to come next.
    """
    spread = trigram * _MIX & 0xFFFFFFFF
    bucket, tag = spread >> 25, max(spread >> 9 & 0xFFFF, 1)
    trigrams = lane["trigrams"]
    for way in range(_WAYS):
        if trigrams[bucket, way] == tag:
            return 1.0
        if trigrams[bucket, way] == 0:
            trigrams[bucket, way] = tag
            return 0.0
    trigrams[bucket, lane["words"] % _WAYS] = tag
    return 0.0


@inner
def _put(
    samples: NDArray[np.void],
    n: _Int,
    delta: _Int,
    row: _Int,
    signal: _Int,
    begin: _Int,
    stop: _Int,
    decided: _Int,
    value: float,
) -> _Int:
    samples[n]["delta"] = delta
    samples[n]["row"] = row
    samples[n]["signal"] = signal
    samples[n]["begin"] = begin
    samples[n]["stop"] = stop
    samples[n]["decided"] = decided
    samples[n]["value"] = value
    return n + 1
