"""Passages of known texts in what lanes say: the longest common subsequence of a text and the last words.

Strategy. One bit a word of the window: a step of the bit-parallel recurrence takes in one word of the
reference, whatever the window. A long reference has nearly every common word somewhere, and so nearly half of
any sentence in its order; it is compared piece by piece, each two windows long and one window behind the one
before: every stretch of a window and one word lies in a piece. All pieces take one pass, because no more than
two of them overlap: their two vectors share each word's mask, and neither waits for the other.

Few words need that pass. With a word that the reference does not have its likeness cannot rise, with any
other by one at most: from the last value a count of such words says when the threshold could be reached. If
so, the words of the window that the reference has are counted first, in any order, and only if they are
enough likeness is computed. After a finding the same count, begun a window lower, keeps the reference silent
until a whole new window of its words was said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["LANE", "LONGEST", "REFERENCE", "find_passages"]

LONGEST = 63
"""Words of a window: a bit less than a vector has, so that its sums have room for what they carry."""

_RING = 64
_bits: Any = np.uint64
_ONE = _bits(1)
_PAIRS, _FOURS, _BYTES = _bits(0x5555555555555555), _bits(0x3333333333333333), _bits(0x0F0F0F0F0F0F0F0F)

_LCS = 3  # operators.packet.Reach

_Int = int | np.signedinteger[Any]

REFERENCE = np.dtype(
    [
        ("begin", "i8"),  # its words are texts[begin:stop]
        ("stop", "i8"),
        ("window", "i8"),  # words
        ("need", "i8"),  # words of the window that make a finding
    ]
)

LANE = np.dtype(
    [
        ("said", "i8"),  # words
        ("words", "i4", (_RING,)),  # the last ones; 0 for one of no reference
        ("begins", "i4", (_RING,)),  # their characters: an int32 holds lanes of two billion
        ("stops", "i4", (_RING,)),
    ],
    align=True,
)
"""What is kept of a lane beside a byte per reference, 776 bytes. A new one is zero."""


@kernel
def find_passages(
    words: NDArray[np.void],
    keys: NDArray[np.uint64],
    numbers: NDArray[np.int32],
    bounds: NDArray[np.int64],
    holders: NDArray[np.int32],
    members: NDArray[np.uint64],
    texts: NDArray[np.uint32],
    references: NDArray[np.void],
    codes: NDArray[np.int32],
    masks: NDArray[np.uint64],
    lanes: NDArray[np.void],
    counts: NDArray[np.int8],
    findings: NDArray[np.void],
) -> _Int:
    """The references that lanes repeat with the words of a packet, ordered by delta.

    Parameters
    ----------
    words : WORD[n]
        In order of arrival, read-only.
    keys, numbers : uint64[2**k], int32[2**k]
        The words of all references, each numbered from 1: a hash table with open addressing, in which 0 is
        no key.
    bounds, holders : int64[words + 2], int32[m]
        Word `w` occurs in the references ``holders[bounds[w]:bounds[w + 1]]``, each named once.
    members : uint64[words + 1, m]
        The same once more: bit ``r % 64`` of ``members[w, r // 64]`` is 1 if reference `r` has word `w`.
    texts : uint32[total]
        The words of the references, one after the other.
    references : REFERENCE[references]
    codes : int32[references]
        The ``code`` of their findings.
    masks : uint64[words + 1]
        Room to work: zero, and so again afterwards.
    lanes, counts : LANE[rows], int8[rows, references]
        State: the last words, and how like each reference they can be at most, in words; less while it
        is silent. Modified.
    findings : FINDING[at least n * references]
        Modified: as many rows as there are findings; their ``upto``, ``more`` and ``seq`` are left alone.

    Returns
    -------
    int
        How many findings there are.

    Notes
    -----
    O(references that have it) a word, and where it could be a finding O(window), seldom O(words of the
    reference). Allocates nothing.

    References
    ----------
    .. [1] H. Hyyro, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    n: _Int = np.int64(0)
    for i in range(len(words)):
        row = np.int64(words[i]["row"])
        lane = lanes[row]
        word = _number(words[i]["word"], keys, numbers)
        said = lane["said"]
        place = said & _RING - 1
        lane["words"][place], lane["said"] = word, said + 1
        lane["begins"][place], lane["stops"][place] = words[i]["begin"], words[i]["stop"]
        marked = False
        for h in range(bounds[word], bounds[word + 1]):
            r = np.int64(holders[h])
            count: _Int = np.int64(counts[row, r]) + 1
            window, need = references[r]["window"], references[r]["need"]
            if count >= need:
                count = _held(lane["words"], said, window, r, members)
            if count >= need:
                if not marked:
                    _mark(lane["words"], said, masks)
                    marked = True
                text = texts[references[r]["begin"] : references[r]["stop"]]
                count, best = _liken(text, window, masks)
                if count >= need:
                    first, last = _extent(text[best : best + 2 * window], window, count, masks)
                    findings[n]["delta"] = words[i]["delta"]
                    findings[n]["row"] = row
                    findings[n]["kind"] = _LCS
                    findings[n]["code"] = codes[r]
                    findings[n]["value"] = count / window
                    findings[n]["begin"] = lane["begins"][said - first & _RING - 1]
                    findings[n]["stop"] = lane["stops"][said - last & _RING - 1]
                    findings[n]["decided"] = words[i]["decided"]
                    n += 1
                    count = need - window
            counts[row, r] = count
        if marked:
            _unmark(lane["words"], masks)
    return n


@inner
def _number(key: np.uint64, keys: NDArray[np.uint64], numbers: NDArray[np.int32]) -> _Int:
    """The number of a word, 0 if no reference has it."""
    mask = _bits(len(keys) - 1)
    slot = key & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = slot + _ONE & mask
    return np.int64(numbers[slot])


@inner
def _held(
    ring: NDArray[np.int32], said: _Int, window: _Int, reference: _Int, members: NDArray[np.uint64]
) -> _Int:
    """How many words of the window the reference has."""
    part, bit = reference // 64, _bits(reference % 64)
    held = _bits(0)
    for age in range(window):
        held += members[ring[said - age & _RING - 1], part] >> bit & _ONE
    return np.int64(held)


@inner
def _mark(ring: NDArray[np.int32], said: _Int, masks: NDArray[np.uint64]) -> None:
    """Where in the longest window each word stands: the word before ``said`` others in the highest bit."""
    for age in range(LONGEST):
        word = ring[said - age & _RING - 1]
        if word:
            masks[word] |= _ONE << _bits(LONGEST - 1 - age)


@inner
def _unmark(ring: NDArray[np.int32], masks: NDArray[np.uint64]) -> None:
    for word in ring:
        masks[word] = 0


@inner
def _liken(text: NDArray[np.uint32], window: _Int, masks: NDArray[np.uint64]) -> tuple[_Int, _Int]:
    """The longest common subsequence of the window and a piece of `text`, and where the first best begins."""
    whole = (_ONE << _bits(LONGEST)) - (_ONE << _bits(LONGEST - window))
    older = newer = whole
    most: _Int = np.int64(-1)
    best: _Int = np.int64(0)
    for start in range(0, len(text), window):
        for word in text[start : start + window]:
            mask = masks[word]
            older, newer = _step(older, mask, whole), _step(newer, mask, whole)
        count = _zeros(older, whole)
        if count > most:
            most, best = count, np.int64(max(start - window, 0))
        older, newer = newer, whole
    return most, best


@inner
def _extent(
    piece: NDArray[np.uint32], window: _Int, count: _Int, masks: NDArray[np.uint64]
) -> tuple[_Int, _Int]:
    """Ages of the first and last words of the shortest part of the window that is as like `piece` as it is.

    Of all such parts it is the one that ends first. Found by halving: with fewer words the subsequence is
    never longer.
    """
    oldest = np.int64(LONGEST - window)
    low: _Int = oldest
    high: _Int = np.int64(LONGEST - 1)
    while low < high:
        middle = (low + high) // 2
        if _common(piece, oldest, middle, masks) < count:
            low = middle + 1
        else:
            high = middle
    last = low
    low = oldest
    while low < high:
        middle = (low + high + 1) // 2
        if _common(piece, middle, last, masks) < count:
            high = middle - 1
        else:
            low = middle
    return LONGEST - 1 - low, LONGEST - 1 - last


@inner
def _common(piece: NDArray[np.uint32], first: _Int, last: _Int, masks: NDArray[np.uint64]) -> _Int:
    """The longest common subsequence of `piece` and the words at bits `first` to `last`."""
    whole = (_ONE << _bits(last + 1)) - (_ONE << _bits(first))
    vector = whole
    for word in piece:
        vector = _step(vector, masks[word], whole)
    return _zeros(vector, whole)


@inner
def _step(vector: np.uint64, mask: np.uint64, whole: np.uint64) -> np.uint64:
    """One more word of the reference: a bit turns 0 where the subsequence grew by the word of the window."""
    stepped: np.uint64 = (vector + (vector & mask) & whole) | (vector & ~mask)
    return stepped


@inner
def _zeros(vector: np.uint64, whole: np.uint64) -> _Int:
    """How many bits of `whole` are 0 in `vector`, which has no others."""
    left = vector ^ whole
    left -= left >> _ONE & _PAIRS
    left = (left & _FOURS) + (left >> _bits(2) & _FOURS)
    left = left + (left >> _bits(4)) & _BYTES
    for shift in (8, 16, 32):
        left += left >> _bits(shift)
    return np.int64(left & _bits(127))
