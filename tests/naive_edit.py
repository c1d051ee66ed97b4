"""Slow, obvious twins of the kernels in ``edit``, ``lcs`` and ``damerau``, and the sequences to try them on.

Whole matrices in plain Python, as the papers define them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Symbols = Sequence[Any] | NDArray[np.int64]

LENGTHS = (0, 1, 2, 5, 20, 63, 64, 65, 127, 128, 129, 130, 200, 257)
"""Around the edges of a machine word and of the 128 cells that kernels take at once."""

_ALPHABETS = (
    np.arange(2),
    np.arange(26),
    np.arange(-3, 3),
    np.arange(300, 330),
    np.arange(0, 200_000, 997),
    np.array([np.iinfo(np.int64).min, -(2**32), -1, 0, 2**31, 2**32, 2**32 + 1, np.iinfo(np.int64).max]),
    np.arange(500) << 32,
    np.arange(500) * (2**32 + 1),
)


@st.composite
def pairs(draw: st.DrawFn, lengths: Sequence[int] = LENGTHS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two sequences of int64: of unrelated symbols, or the second an edited copy of the first."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    alphabet = draw(st.sampled_from(_ALPHABETS))
    a = rng.choice(alphabet, draw(st.sampled_from(lengths)))
    if not draw(st.booleans()):
        return a, rng.choice(alphabet, draw(st.sampled_from(lengths)))
    b = a.tolist()
    for _ in range(draw(st.integers(0, 12))):
        at = int(rng.integers(len(b) + 1))
        edit = rng.integers(4)
        if edit == 0:
            b.insert(at, int(rng.choice(alphabet)))
        elif edit == 1:
            del b[at : at + 1]
        elif edit == 2:
            b[at : at + 1] = [int(rng.choice(alphabet))]
        else:
            b[at : at + 2] = b[at : at + 2][::-1]
    return a, np.array(b, np.int64)


def weighted_edit_distance(
    a: Symbols, b: Symbols, insert: float = 1, delete: float = 1, replace: float = 1
) -> float:
    """Wagner and Fischer's matrix: the least of the three ways to each cell."""
    cost = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            ways = []
            if i:
                ways.append(cost[i - 1][j] + delete)
            if j:
                ways.append(cost[i][j - 1] + insert)
            if i and j:
                ways.append(cost[i - 1][j - 1] + (0 if a[i - 1] == b[j - 1] else replace))
            if ways:
                cost[i][j] = min(ways)
    return cost[-1][-1]


def edit_distance(a: Symbols, b: Symbols) -> int:
    """All edits cost 1."""
    return int(weighted_edit_distance(a, b))


def lcs_length(a: Symbols, b: Symbols) -> int:
    """One more behind equal symbols, else the longer of what is left without one of them."""
    length = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            if a[i - 1] == b[j - 1]:
                length[i][j] = length[i - 1][j - 1] + 1
            else:
                length[i][j] = max(length[i - 1][j], length[i][j - 1])
    return length[-1][-1]


def osa_distance(a: Symbols, b: Symbols) -> int:
    """Optimal string alignment: the edit distance's three ways, and back over two swapped neighbours."""
    cost = [[max(i, j) for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = int(a[i - 1] != b[j - 1])
            cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + same)
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                cost[i][j] = min(cost[i][j], cost[i - 2][j - 2] + 1)
    return cost[-1][-1]


def damerau_distance(a: Symbols, b: Symbols) -> int:
    """Back over every two symbols that could have changed places, with all between them edited.

    Lowrance and Wagner's recurrence, without their remark that the last two will do.
    """
    cost = [[max(i, j) for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = int(a[i - 1] != b[j - 1])
            cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + same)
            for k in range(1, i):
                for m in range(1, j):
                    if a[k - 1] == b[j - 1] and a[i - 1] == b[m - 1]:
                        between = (i - k - 1) + (j - m - 1)
                        cost[i][j] = min(cost[i][j], cost[k - 1][m - 1] + between + 1)
    return cost[-1][-1]
