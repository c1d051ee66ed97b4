"""Two sequences: how far apart they are, how similar, and which part of one goes with which of the other.

Strategy. A distance is what the paper of its algorithm defines, and grows with the sequences; a similarity
is from 0 to 1 and does not: symbols count against the most that could differ, numbers against how much the
series themselves vary. Working that out is far dearer than reading both, so what was compared before is known
by its content: a :class:`Cache` keeps answers under the type and shape of both sequences, a digest of all
their values, the algorithm and its options, and never under anything less.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operators.measures import MEASURES, Measure, Options, at_least
from operators.pairs import Given, given

__all__ = ["ALGORITHMS", "Cache", "Comparison", "Options", "Statistics", "compare"]

ALGORITHMS = {name: measure.knows for name, measure in MEASURES.items()}
"""What each algorithm knows of :class:`Options`, beside ``longest``."""
_PLAIN = Options()


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two sequences have to do with each other."""

    algorithm: str
    distance: float
    """As the algorithm defines it (:func:`compare`); 0 for equal sequences, but for ``soft-dtw``."""
    similarity: float
    """From 0 to 1, whatever the lengths; 1 for equal sequences."""
    lengths: tuple[int, int]
    """Values, characters or words of both."""
    alignment: NDArray[np.int64] | None
    """int64[k, 2], if it was wanted: places in the first and in the second sequence that go together, in
    order; of ``edit`` also -1 beside a symbol that is deleted or inserted. Read-only: a cache gives the same
    one to all."""


class Statistics(NamedTuple):
    """What a cache did so far."""

    hits: int
    misses: int
    evictions: int
    size: int
    capacity: int

    @property
    def hit_rate(self) -> float:
        """Hits of all questions; 0 before the first."""
        return self.hits / (self.hits + self.misses or 1)


def compare(
    x: ArrayLike | Sequence[str], y: ArrayLike | Sequence[str], algorithm: str, options: Options = _PLAIN
) -> Comparison:
    r"""Compare two sequences.

    Parameters
    ----------
    x, y : number[n], number[n, d], or str, Sequence[str], integer[n]
        Two series of the same unit, for ``dtw``, ``ddtw``, ``soft-dtw`` and ``euclidean``; or two sequences
        of symbols: characters of a text, words, or integers, for the others. Series are compared as float64.
    algorithm : str
        ``dtw``
            Sum of the costs along the cheapest warping path (dependent over the dimensions), in squared
            units of the series, or in its unit where the cost is ``absolute``.
        ``ddtw``
            Derivative DTW: the same of the slopes, whatever the level (Keogh and Pazzani 2001). Its
            similarity is that of the slopes too.
        ``soft-dtw``
            Soft-DTW (Cuturi and Blondel 2017): at most that of ``dtw``, below 0 for series that are alike.
            Its similarity is that of the soft-DTW divergence. One dimension.
        ``euclidean``
            Root of the sum of squared differences. Needs equal lengths.
        ``edit``
            Levenshtein: fewest insertions, deletions and replacements.
        ``osa``
            Optimal string alignment: these and swaps of neighbours that are not edited again.
        ``damerau``
            Damerau-Levenshtein: these and swaps, unrestricted.
        ``indel``
            Fewest insertions and deletions: ``n + m - 2 * lcs``.
        ``lcs``
            Longest common subsequence: ``max(n, m) - lcs``.
    options : Options
        Those that the algorithm knows.

    Returns
    -------
    Comparison
        Its similarity is, for symbols, ``1 - distance / most`` where `most` is the largest distance of
        sequences as long as these: ``n + m`` for ``indel``, else ``max(n, m)`` [1]_. For series it is
        ``1 / (1 + NRMSE)``: the root of the mean squared difference of the values that go together,
        over the root of the mean variance of both series [2]_. A warping path counts as the ``max(n,
        m)`` pairs that it has at least. For absolute costs it is the mean difference over that root.

    Raises
    ------
    ValueError
        If a sequence is empty, too long, not finite, of magnitude beyond 1e140, constant where it is to
        be normalised, or not of the kind that the algorithm compares; if both differ in kind or in
        dimensions; if `radius` is less than the difference of the lengths, which forbids every path; if
        the algorithm, or what it is told, is not known.

    Notes
    -----
    O(n m) time for ``dtw`` (O(n radius) in a band) and ``damerau``, O(n m / 64) for the other ones of
    symbols.

    References
    ----------
    .. [1] As `rapidfuzz`: normalized similarity of Levenshtein, OSA, DamerauLevenshtein, Indel, LCSseq.
    .. [2] NRMSE: a mean error is comparable over series only in units of their own variation.

    Examples
    --------
    >>> compare("kitten", "sitting", "edit").distance
    3.0
    >>> compare([1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.0], "dtw", Options(alignment=True)).alignment.tolist()
    [[0, 0], [1, 1], [1, 2], [2, 3]]
    """
    return _compared(given(x, y), algorithm, _measure(algorithm), options)


class Cache:
    """Answers of :func:`compare`, kept by what was compared.

    The values themselves are not kept but their SHA-256: an entry has the same size for long sequences as
    for short ones, and two pairs with one digest, which would take 2**128 trials to find, need not be
    feared even where strangers choose the texts. (Half the bits would make that 2**64. BLAKE2b took 1.8
    times as long, on a processor that knows SHA.) Type, shape, algorithm and options are kept as they are.

    Of `capacity` answers the one that was asked for least recently gives way. Threads may share a cache;
    two that ask the same new question at the same time both work it out. Refusals are not kept.

    :param capacity: Answers kept at most. An alignment has 16 bytes for each of its pairs, all else
        together is less than 1 KiB.
    :raises ValueError: If `capacity` is less than 1.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = at_least(1, "capacity", capacity)
        self._kept: OrderedDict[tuple[Any, ...], Comparison] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = self._evictions = 0

    def compare(
        self, x: ArrayLike | Sequence[str], y: ArrayLike | Sequence[str], algorithm: str,
        options: Options = _PLAIN,
    ) -> Comparison:  # fmt: skip
        """As :func:`compare`, but the same question is worked out once."""
        one, other = pair = given(x, y)
        measure = _measure(algorithm)
        digest = sha256(one.content())
        digest.update(other.content())
        key = (algorithm, options, one.kind, one.shape, other.kind, other.shape, digest.digest())
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                self._hits += 1
                return known
            self._misses += 1
        answer = _compared(pair, algorithm, measure, options)
        with self._lock:
            self._kept[key] = answer
            self._kept.move_to_end(key)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
                self._evictions += 1
        return answer

    def clear(self) -> None:
        """Forget all answers; the statistics go on."""
        with self._lock:
            self._kept.clear()

    @property
    def statistics(self) -> Statistics:
        """What it did since it was made."""
        with self._lock:
            return Statistics(self._hits, self._misses, self._evictions, len(self._kept), self._capacity)


def _measure(algorithm: str) -> Measure:
    if not (isinstance(algorithm, str) and algorithm in MEASURES):
        msg = f"no algorithm is named {algorithm!r}; there is {', '.join(MEASURES)}"
        raise ValueError(msg)
    return MEASURES[algorithm]


def _compared(pair: tuple[Given, Given], algorithm: str, how: Measure, options: Options) -> Comparison:
    knows, prepare, measure, align = how
    for option in fields(Options) if options is not _PLAIN else ():
        if option.name not in {*knows, "longest"} and getattr(options, option.name) != option.default:
            msg = f"{algorithm} knows no {option.name}; it knows {', '.join(knows) or 'none'}"
            raise ValueError(msg)
    for each in pair:
        if not 1 <= each.shape[0] <= options.longest:
            msg = f"{each.which} must hold 1 to {options.longest:,} values, not {each.shape[0]:,}"
            raise ValueError(msg)
    x, y = prepare(algorithm, pair, options)
    distance, similarity = measure(x, y, options)
    if not (math.isfinite(distance) and math.isfinite(similarity)):
        msg = f"{algorithm}: the values are too large, or too far apart, for a number to say by how much"
        raise ValueError(msg)
    alignment = None
    if align is not None and options.alignment:
        alignment = align(x, y, options)
        alignment.setflags(write=False)
    return Comparison(algorithm, float(distance), float(similarity), (len(x), len(y)), alignment)
