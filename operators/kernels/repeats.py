"""Phrases that a lane says again: the same run of words, for the n-th time among its last words.

Strategy. What the field does to find repeats in a sliding window is the hash chain of DEFLATE: a table of
slots holds the latest place of each phrase of ``words`` words, and every place holds the one before it in
its slot. Places grow along a chain, so what has left the window ends the walk, and nothing is ever deleted:
a lane takes a fixed number of bytes. A slot is only a hint; a phrase counts when its words are the same.

A phrase of exactly ``words`` words that comes for the n-th time begins a *run*, which grows while each
further word is that of the occurrence before. So a long phrase is one finding and not one for each of its
words. A run that has grown to the distance between the two is a loop, which may never end: it is reported at
that word, and not again while it goes on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["LANE", "MIX", "ROOM", "find_repeats"]

MIX = 0x5BD1E995
"""Base of the rolling hash: odd and below 2**31, so that products of 31-bit values stay inside int64."""

_ALL = 0x7FFFFFFF
_HIGH = np.uint64(32)

LANE = np.dtype(
    [
        ("seen", "i8"),  # words so far
        ("hash", "i8"),  # of the last `words` of them, 31 bits
        ("run", "i8"),  # words of the phrase that is being said again, 0 if none is
        ("apart", "i8"),  # words between its occurrence before and this one, from begin to begin
        ("times", "i8"),  # how often it was said when the run began, this one included
        ("begin", "i8"),  # characters of this one so far
        ("stop", "i8"),
        ("told", "i8"),  # 1: it was reported, as a loop
        ("spent", "i8"),  # ordinal of the last word of the run before this one
    ],
    align=True,
)
"""What is kept of a lane beside its words, 72 bytes. A new one is zero."""

ROOM = np.dtype(
    [
        ("word", "u8"),
        ("begin", "i4"),  # characters; an int32 holds lanes of two billion
        ("before", "i4"),  # the place before this one in its slot, if a phrase that counts ends here
        ("latest", "i4"),  # of the slot with this number: the place where such a phrase last ended
        ("free", "i4"),  # 0: a gap would be dumped with whatever lies in it
    ],
    align=True,
)
"""A word of the window, at its ordinal (from 1) modulo the ring; and a slot. 24 bytes. A new one is zero."""


@kernel
def find_repeats(
    rows: NDArray[np.int32],
    words: NDArray[np.uint64],
    begins: NDArray[np.int64],
    stops: NDArray[np.int64],
    shape: NDArray[np.int64],
    lanes: NDArray[np.void],
    rings: NDArray[np.void],
    out_word: NDArray[np.int64],
    out_times: NDArray[np.int64],
    out_begin: NDArray[np.int64],
    out_stop: NDArray[np.int64],
) -> int:
    """Advance all lanes by the words of a packet, and report the phrases that they say again.

    Occurrences are counted for phrases of ``words`` words and do not overlap: one that begins inside the
    last counted one of the same phrase is passed over. A run begins behind the last word of the run before
    it, so the phrases reported of a lane do not overlap either.

    Parameters
    ----------
    rows, words, begins, stops : int32[n], uint64[n], int64[n], int64[n]
        The words, oldest first: lane, hash, and characters. Words are the same when their hashes are.
    shape : int64[5]
        Words of a phrase (2 or more); how often it must be said; words of the window, at least their
        product; ``MIX ** words`` modulo 2**31; 31 less the binary logarithm of the ring.
    lanes : LANE[rows]
        Modified.
    rings : ROOM[rows, ring]
        The last words of each lane; the ring is a power of two, as long as the window or longer. Modified.
    out_word, out_times, out_begin, out_stop : int64[n]
        Findings in order of word: which word decided, occurrences in the window, characters of the latest.
        Modified.

    Returns
    -------
    int
        How many findings were written.

    Notes
    -----
    A word is a step of the hash and one look into the table; where it ends a phrase that was said before,
    its words are compared, and where a run begins, the chain is walked once. The chain of a slot is as
    long as the window at worst, whatever the text. No allocation.

    References
    ----------
    .. [1] R. Karp and M. Rabin, "Efficient randomized pattern-matching algorithms", IBM J. Res. Dev.
       31(2), 1987.
    .. [2] P. Deutsch, "DEFLATE compressed data format specification", RFC 1951, section 4.
    """
    length, least, window, power, shift = shape
    mask = rings.shape[1] - 1
    count = 0
    for k in range(len(rows)):
        lane, ring = lanes[rows[k]], rings[rows[k]]
        last = lane["seen"] + 1
        lane["seen"] = last
        rolled = lane["hash"] * MIX + _folded(words[k])
        if last > length:
            rolled -= _folded(ring[(last - length) & mask]["word"]) * power
        lane["hash"] = rolled & _ALL
        place = ring[last & mask]
        place["word"], place["begin"] = words[k], begins[k]
        if lane["run"]:
            if ring[(last - lane["apart"]) & mask]["word"] == words[k]:
                lane["run"] += 1
                lane["stop"] = stops[k]
            else:
                if not lane["told"]:
                    count = _report(lane, k, count, out_word, out_times, out_begin, out_stop)
                lane["run"], lane["told"], lane["spent"] = 0, 0, last - 1
        if last >= length:
            # Ends of phrases that lie in the window as a whole come behind this.
            oldest = max(last - window, 0) + length - 1
            slot = ring[((lane["hash"] * MIX) & _ALL) >> shift]
            before = _said_before(ring, mask, slot["latest"], last, length, oldest)
            if before == 0 or last - before >= length:
                place["before"], slot["latest"] = slot["latest"], last
                if before and lane["run"] == 0 and last - length >= lane["spent"]:
                    times = 1
                    said = before
                    while said:
                        times += 1
                        said = _said_before(ring, mask, ring[said & mask]["before"], last, length, oldest)
                    if times >= least:
                        lane["run"], lane["apart"], lane["times"] = length, last - before, times
                        lane["begin"], lane["stop"] = ring[(last - length + 1) & mask]["begin"], stops[k]
        if lane["run"] >= lane["apart"] and lane["run"] and not lane["told"]:
            count = _report(lane, k, count, out_word, out_times, out_begin, out_stop)
            lane["told"] = 1
    return count


@inner
def _folded(word: np.uint64) -> np.int64:
    return np.int64(word ^ (word >> _HIGH)) & _ALL


@inner
def _said_before(
    ring: NDArray[np.void], mask: int, place: int, last: int, length: int, oldest: int
) -> np.int64:
    """From `place` back, the first end of the words that end at `last`; 0 if the window has none."""
    found: np.int64 = np.int64(place)
    while found > oldest:
        same = 0
        while same < length and ring[(found - same) & mask]["word"] == ring[(last - same) & mask]["word"]:
            same += 1
        if same == length:
            return found
        found = np.int64(ring[found & mask]["before"])
    return np.int64(0)


@inner
def _report(
    lane: NDArray[np.void],
    word: int,
    count: int,
    out_word: NDArray[np.int64],
    out_times: NDArray[np.int64],
    out_begin: NDArray[np.int64],
    out_stop: NDArray[np.int64],
) -> int:
    out_word[count] = word
    out_times[count] = lane["times"]
    out_begin[count] = lane["begin"]
    out_stop[count] = lane["stop"]
    return count + 1
