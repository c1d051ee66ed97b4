"""What a comparison means, as its definition says it: recursions over prefixes, path by path."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

__all__ = ["damerau", "edit", "lcs", "osa", "warped"]


def warped(x: Sequence[Any], y: Sequence[Any], radius: int, cost: Callable[[Any, Any], float]) -> float:
    """Cost of the cheapest warping path, with a band in which |i - j| <= radius."""

    @cache
    def best(i: int, j: int) -> float:
        if i < 0 or j < 0 or abs(i - j) > radius:
            return math.inf
        here = cost(x[i], y[j])
        return here if i == j == 0 else here + min(best(i - 1, j), best(i, j - 1), best(i - 1, j - 1))

    return best(len(x) - 1, len(y) - 1)


def edit(x: Sequence[Any], y: Sequence[Any]) -> int:
    """Insertions, deletions, replacements."""

    @cache
    def fewest(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        return min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, fewest(i - 1, j - 1) + (x[i - 1] != y[j - 1]))

    return fewest(len(x), len(y))


def osa(x: Sequence[Any], y: Sequence[Any]) -> int:
    """And swaps of neighbours."""

    @cache
    def fewest(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        least = min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, fewest(i - 1, j - 1) + (x[i - 1] != y[j - 1]))
        if i > 1 and j > 1 and x[i - 1] == y[j - 2] and x[i - 2] == y[j - 1]:
            least = min(least, fewest(i - 2, j - 2) + 1)
        return least

    return fewest(len(x), len(y))


def damerau(x: Sequence[Any], y: Sequence[Any]) -> int:
    """And swaps of two symbols with whatever was deleted or inserted between them."""

    @cache
    def fewest(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        least = min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, fewest(i - 1, j - 1) + (x[i - 1] != y[j - 1]))
        for k in range(1, i):
            for m in range(1, j):
                if x[k - 1] == y[j - 1] and x[i - 1] == y[m - 1]:
                    least = min(least, fewest(k - 1, m - 1) + (i - k - 1) + 1 + (j - m - 1))
        return least

    return fewest(len(x), len(y))


def lcs(x: Sequence[Any], y: Sequence[Any]) -> int:
    """Length of the longest common subsequence."""

    @cache
    def most(i: int, j: int) -> int:
        if not (i and j):
            return 0
        if x[i - 1] == y[j - 1]:
            return most(i - 1, j - 1) + 1
        return max(most(i - 1, j), most(i, j - 1))

    return most(len(x), len(y))
