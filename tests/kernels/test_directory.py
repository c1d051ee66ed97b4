"""Ordinals and offsets against a dictionary."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.directory import number
from operators.packet import DELTA

DELTAS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2), st.integers(0, 9)), max_size=30)


@given(DELTAS, st.integers(0, 30))
def test_number_counts_on_from_where_the_last_call_stopped(
    deltas: list[tuple[int, int, int]], cut: int
) -> None:
    offset, count = np.zeros(4, np.int64), np.zeros(3, np.int64)
    begins, seqs = [], []
    for part in (deltas[:cut], deltas[cut:]):
        table = np.zeros(len(part), DELTA)
        table["row"], table["stream"], table["chars"] = np.array(part, np.int32).reshape(-1, 3).T
        table["begin"] = table["seq"] = 7  # whatever stood there
        number(table, offset, count)
        begins += table["begin"].tolist()
        seqs += table["seq"].tolist()
    read: Counter[int] = Counter()
    heard: Counter[int] = Counter()
    for (row, stream, chars), begin, seq in zip(deltas, begins, seqs, strict=True):
        assert begin == (read[row] if row >= 0 else 0)
        assert seq == (heard[stream] if stream >= 0 else 0)
        read[row] += chars
        heard[stream] += 1
    assert offset.tolist() == [read[row] for row in range(4)]
    assert count.tolist() == [heard[stream] for stream in range(3)]
