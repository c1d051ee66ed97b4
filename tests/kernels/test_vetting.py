"""What the gate's kernels read and say, against the columns of the tables."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.vetting import lay_out, vet
from operators.packet import DELTA, VETTED, frozen

TEXT, CLOSE = 1, 3
SAID = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 7), st.integers(0, 9)), max_size=12)


@given(SAID)
def test_each_character_of_a_lane_has_a_place_and_each_close_one(said: list[tuple[int, int, int]]) -> None:
    deltas = np.zeros(len(said), DELTA)
    deltas["row"], deltas["kind"], deltas["chars"] = np.array(said, np.int64).reshape(-1, 3).T
    deltas["end"] = np.cumsum(2 * deltas["chars"])
    deltas["start"] = deltas["end"] - 2 * deltas["chars"]
    deltas["begin"] = 5 + np.arange(len(said))
    columns, kinds = np.empty((7, len(said)), np.int32), np.empty(len(said), np.uint8)
    lengths = np.empty(len(said), np.int64)
    told, longest = lay_out(frozen(deltas), TEXT, CLOSE, columns, kinds, lengths)
    rows, starts, ends, places, char_at, upto, leads = columns.tolist()
    for ours, name in ((rows, "row"), (starts, "start"), (ends, "end"), (kinds, "kind"), (lengths, "begin")):
        assert list(ours) == deltas[name].tolist()
    due = [
        -1 if row < 0 else chars if kind == TEXT else 1 if kind == CLOSE else -1 for row, kind, chars in said
    ]
    assert places == due
    assert char_at == [sum(max(each, 0) for each in due[:i]) for i in range(len(due))]
    assert told == sum(max(each, 0) for each in due)
    assert longest == max((2 * chars for _, _, chars in said), default=0)
    assert upto == leads == [-1] * len(said)


@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 2)), max_size=12))
def test_watermarks_are_told_of_what_has_one(marks: list[tuple[int, int]]) -> None:
    upto, leads = np.array(marks, np.int32).reshape(-1, 2).T.copy()
    rows, codes = np.arange(len(marks), dtype=np.int32), np.array([10, 11, 12, 13], np.int32)
    table = np.empty(len(marks), VETTED)
    count = vet(rows, upto, leads, codes, table)
    due = [(i, i, mark, -1 if lead < 0 else 10 + lead) for i, (mark, lead) in enumerate(marks) if mark >= 0]
    assert table[:count].tolist() == due
