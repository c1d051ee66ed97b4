"""State of a stage: growth, clearing, and its way through bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.columns import Columns, framed, unframed

ROWS = st.sets(st.integers(0, 70), max_size=12)


def made(version: int = 1, ring: int = 3) -> Columns:
    return Columns(version, total=(np.int64, ()), ring=(np.float32, (ring,)), flag=(np.bool_, ()))


def rows(which: set[int] | list[int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(sorted(which), np.int32)


def filled(which: set[int]) -> Columns:
    state = made()
    state.open(rows(which))
    for row in which:
        state["total"][row], state["ring"][row], state["flag"][row] = row + 1, [row, 0.5, -row], True
    return state


@given(ROWS, ROWS)
def test_growing_keeps_what_was_there(first: set[int], second: set[int]) -> None:
    state = filled(first)
    state.open(rows(second - first))
    for row in first:
        assert state["total"][row] == row + 1
        assert state["ring"][row].tolist() == [row, 0.5, -row]
    assert state.live().tolist() == sorted(first | second)
    assert len(state) >= max(first | second, default=-1) + 1


@given(ROWS, ROWS)
def test_opening_clears_whatever_a_row_meant_before(first: set[int], second: set[int]) -> None:
    state = filled(first)
    state.close(rows(first & second))
    state.open(rows(second))
    for row in second:
        assert not state["total"][row]
        assert not state["flag"][row]
        assert not state["ring"][row].any()


def test_rows_grow_by_doubling() -> None:
    state = made()
    sizes = set()
    for row in range(1000):
        state.open(rows([row]))
        sizes.add(len(state))
    assert sizes == {16, 32, 64, 128, 256, 512, 1024}


@given(ROWS, ROWS)
def test_a_dump_carries_the_live_rows_and_no_others(opened: set[int], closed: set[int]) -> None:
    state = filled(opened)
    state.close(rows(closed & opened))
    live = opened - closed
    again = made()
    again.load(state.dump())
    assert again.live().tolist() == sorted(live)
    assert again["total"].sum() == sum(row + 1 for row in live)
    for row in live:
        assert again["ring"][row].tolist() == [row, 0.5, -row]
    assert again.dump() == state.dump()
    names = len(made().dump())
    assert len(state.dump()) <= names + len(live) * (state.row_bytes + 3)


def test_row_bytes_counts_every_column() -> None:
    assert made().row_bytes == 8 + 3 * 4 + 1


def test_a_state_of_another_shape_is_refused() -> None:
    state = filled({1})
    for other in (made(version=2), made(ring=4), Columns(1, total=(np.int64, ()))):
        with pytest.raises(ValueError, match="does not fit"):
            other.load(state.dump())


@given(ROWS, st.data())
def test_a_cut_state_is_refused(opened: set[int], data: st.DataObject) -> None:
    dump = filled(opened).dump()
    size = data.draw(st.integers(0, len(dump) - 1))
    with pytest.raises(ValueError, match=r"state is cut|its head promises"):
        made().load(dump[:size])
    with pytest.raises(ValueError, match="its head promises"):
        made().load(dump + b"\0")


@given(st.lists(st.binary(max_size=5)))
def test_framed_parts_come_apart_again(parts: list[bytes]) -> None:
    assert unframed(framed(*parts)) == parts


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1))
def test_a_cut_frame_is_refused(parts: list[bytes]) -> None:
    whole = framed(*parts)
    for size in range(len(whole) - len(parts[-1]) - 3, len(whole)):
        with pytest.raises(ValueError, match="state is cut"):
            unframed(whole[:size])
