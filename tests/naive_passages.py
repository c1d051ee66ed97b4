"""A slow, obvious twin of ``operators.kernels.passages``: every word, every piece, the whole matrix."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

Words = Sequence[Hashable]


class Passage(NamedTuple):
    word: int
    """The one that decides it."""
    first: int
    last: int
    value: float


def lcs_length(x: Words, y: Words) -> int:
    """The length of the longest common subsequence, by the matrix of the textbooks."""
    table = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def pieces(reference: Words, window: int) -> list[Words]:
    """Two windows long; one begins every window, as long as more than a window is left."""
    begins = [begin for begin in range(0, len(reference), window) if begin + window < len(reference)]
    return [reference[begin : begin + 2 * window] for begin in begins or [0]]


def passages(said: Words, reference: Words, window: int, similarity: float) -> Iterator[Passage]:
    """The findings of one reference in one lane."""
    rest = 0  # words of the reference until it is looked at again
    for now, word in enumerate(said):
        rest = max(rest - (word in reference), 0)
        begin = max(now + 1 - window, 0)
        likeness = [lcs_length(said[begin : now + 1], piece) for piece in pieces(reference, window)]
        most = max(likeness)
        if rest or most / window < similarity:
            continue
        piece = pieces(reference, window)[likeness.index(most)]
        last = next(j for j in range(begin, now + 1) if lcs_length(said[begin : j + 1], piece) == most)
        first = next(i for i in range(last, begin - 1, -1) if lcs_length(said[i : last + 1], piece) == most)
        yield Passage(now, first, last, most / window)
        rest = window
