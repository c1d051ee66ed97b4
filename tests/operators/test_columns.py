"""State of a stage: growth, clearing, and its way through bytes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
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


RECORD = np.dtype([("level", "<f8"), ("mark", "u1"), ("past", "<f4", (70,)), ("code", "<i2")], align=True)
"""Of fields with gaps between them."""


def mixed() -> Columns:
    """Columns of every sort: narrow and wide, of odd sizes, of records, of halves of words."""
    return Columns(
        1, one=(np.uint8, ()), odd=(np.uint8, (257,)), half=(np.uint16, (641,)), record=(RECORD, ()),
        grid=(np.float64, (4, 33)), three=(np.int32, (3,)), flags=(np.bool_, (5,)), wide=(np.int64, (32,)),
    )  # fmt: skip


COLUMNS = ["one", "odd", "half", "record", "grid", "three", "flags", "wide"]
BYTES = st.one_of(
    st.just(b"\0"),  # all zero
    st.just(b"\xff"),  # all set: NaN with every bit
    st.sampled_from([np.float64("nan").tobytes(), np.float64(-0.0).tobytes(), np.float32(-0.0).tobytes()]),
    st.binary(min_size=1, max_size=40),
    st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=9)).map(lambda x: bytes(x[0]) + x[1]),
)
"""What a row holds, over and over."""


@st.composite
def states(draw: st.DrawFn) -> Columns:
    """Some rows live, some closed, each with any values in every column."""
    state = mixed()
    which = sorted(draw(st.sets(st.integers(0, 300), max_size=7)))
    state.open(rows(which))
    for name in COLUMNS:
        for row in which:
            cell = state[name][row : row + 1]
            held = (draw(BYTES) * cell.nbytes)[: cell.nbytes]
            cell[:] = np.frombuffer(held, cell.dtype).reshape(cell.shape)  # fields; gaps are no state
    state.close(rows(draw(st.sets(st.sampled_from(which))) if which else set()))
    return state


@given(states())
def test_every_byte_of_a_live_row_comes_back(state: Columns) -> None:
    dump = state.dump()
    again = mixed()
    again.open(rows([3, 5]))
    again["wide"][[3, 5]] = 7  # whatever was there is gone
    again.load(dump)
    assert again.live().tolist() == state.live().tolist()
    for name in COLUMNS:
        for row in range(len(again)):
            ours = again[name][row : row + 1].reshape(-1).view(np.uint8)
            if row in state.live():
                assert ours.tobytes() == state[name][row : row + 1].reshape(-1).view(np.uint8).tobytes()
            else:
                assert not ours.any()
    assert again.dump() == dump


@given(states())
def test_a_loaded_state_goes_on_as_the_other_would(state: Columns) -> None:
    again = mixed()
    again.load(state.dump())
    for each in (state, again):
        each.open(rows([1, 299, 400]))
        each["three"][400] = -1
        each.close(rows([299]))
    assert again.dump() == state.dump()


@given(states(), st.lists(st.tuples(st.sampled_from(["wake", "open", "close", "dump"]), ROWS), max_size=6))
def test_rows_that_are_asleep_are_as_if_they_were_not(
    state: Columns, steps: list[tuple[str, set[int]]]
) -> None:
    asleep, awake = mixed(), mixed()
    asleep.load_asleep(state.dump())
    awake.load(state.dump())
    for what, some in steps:
        which = rows(some)
        if what == "wake":
            asleep.wake(np.concatenate([which[which < len(asleep)], [-1]]))
            for row in set(asleep.live().tolist()) & some:
                for name in COLUMNS:
                    assert asleep[name][row].tobytes() == awake[name][row].tobytes()
        elif what == "dump":
            assert asleep.dump() == awake.dump()
        else:
            for each in (asleep, awake):
                each.open(which)
                each["half"][which] = 7
                if what == "close":
                    each.close(which)
    assert asleep.dump() == awake.dump()
    asleep.wake(asleep.live())
    assert asleep.dump() == awake.dump()


def test_what_is_asleep_takes_no_memory_of_its_column() -> None:
    state = mixed()
    state.open(rows([0, 1]))
    state["wide"][:2] = 5
    again = mixed()
    again.load_asleep(state.dump())
    assert not again["wide"].any()
    again.wake(rows([1, 1]))
    assert np.unique(again["wide"].nonzero()[0]).tolist() == [1]


def test_rows_of_zeros_cost_next_to_nothing() -> None:
    state = mixed()
    state.open(rows(list(range(1000))))
    state["wide"][7, 3] = -1
    assert state.row_bytes * 1000 > 3_000_000
    assert len(state.dump()) < 12_000


def test_a_full_state_costs_a_33rd_more() -> None:
    state = Columns(1, full=(np.uint32, (6400,)))
    state.open(rows([0, 1]))
    state["full"][:2] = 1
    assert len(state.dump()) < state.row_bytes * 2 * 34 / 33 + 300


def test_row_bytes_counts_every_column() -> None:
    assert made().row_bytes == 8 + 3 * 4 + 1


def test_a_state_of_another_shape_is_refused() -> None:
    state = filled({1})
    for other in (made(version=2), made(ring=4), Columns(1, total=(np.int64, ()))):
        with pytest.raises(ValueError, match="does not fit"):
            other.load(state.dump())


@given(states(), st.data())
def test_a_cut_or_damaged_state_is_refused_and_changes_nothing(state: Columns, data: st.DataObject) -> None:
    dump = state.dump()
    wrong = [dump[: data.draw(st.integers(0, len(dump) - 1))], dump + b"\0", b"", bytes(12)]
    damaged = bytearray(dump)
    damaged[data.draw(st.integers(0, len(dump) - 1))] ^= data.draw(st.integers(1, 255))
    for each in (*wrong, bytes(damaged)):
        other = mixed()
        other.open(rows([2]))
        before = other.dump()
        with pytest.raises(ValueError, match="cut or damaged"):
            other.load(each)
        assert other.dump() == before


def parted(dump: bytes) -> tuple[dict[str, Any], list[int], list[int], bytearray]:
    """Head, sizes, rows and columns."""
    end = 4 + int.from_bytes(dump[:4], "little")
    sizes = np.frombuffer(dump, np.uint64, 3, end).tolist()
    held = np.frombuffer(dump, np.uint32, sizes[0], end + 24).tolist()
    begin = end + 24 + 4 * (len(held) + len(held) % 2)
    return orjson.loads(dump[4:end]), sizes, held, bytearray(dump[begin:-4])


def joined(head: dict[str, Any], sizes: list[int], held: list[int], body: bytes | bytearray) -> bytes:
    """A dump whose checksum is right, whatever it holds."""
    written = orjson.dumps(head)
    written += b" " * (-(4 + len(written)) % 8)
    numbers = np.array([*held, *[0] * (len(held) % 2)], np.uint32)
    whole = len(written).to_bytes(4, "little") + written
    whole += np.array(sizes, np.uint64).tobytes() + numbers.tobytes() + body
    return whole + zlib.crc32(whole).to_bytes(4, "little")


@given(states(), st.data())
def test_what_does_not_fit_its_head_never_reaches_the_compiled_loader(
    state: Columns, data: st.DataObject
) -> None:
    head, sizes, held, body = parted(state.dump())
    for _ in range(data.draw(st.integers(1, 4))):
        if body and data.draw(st.booleans()):
            body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            more = data.draw(st.sampled_from([-(1 << 40), -2, -1, 1, 1 << 40]))
            which = data.draw(st.integers(0, 2))
            sizes[which] = (sizes[which] + more) % (1 << 64)
    again = mixed()
    try:
        again.load(joined(head, sizes, held, body))
    except ValueError:
        assert not len(again)
    else:  # a bit of a word, or a mask with as many bits: other values, in the rows that the head names
        assert again.live().tolist() == state.live().tolist()


@given(st.binary(max_size=400))
@example(bytes(24))
def test_any_bytes_behind_the_head_are_refused_or_taken(body: bytes) -> None:
    head, *_ = parted(mixed().dump())
    again = mixed()
    whole = joined(head, [], [], body)
    try:
        again.load(whole)
    except ValueError:
        assert not len(again)
    else:
        assert again.dump()[4:] == whole[4:]


@pytest.mark.parametrize("wrong", [[5, 3], [3, 3], [3]])
def test_rows_that_do_not_ascend_or_do_not_fit_are_refused(wrong: list[int]) -> None:
    state = mixed()
    state.open(rows([3, 5]))
    state["wide"][[3, 5]] = 1
    head, sizes, _, body = parted(state.dump())
    with pytest.raises(ValueError, match="state is damaged"):
        mixed().load(joined(head, [len(wrong), *sizes[1:]], wrong, body))


def test_a_mask_that_names_words_behind_its_row_is_refused() -> None:
    state = Columns(1, odd=(np.uint32, (65,)))
    state.open(rows([0]))
    state["odd"][0, 64] = 9
    head, sizes, held, body = parted(state.dump())
    assert body == b"\x40" + bytes(7) + (1).to_bytes(8, "little") + (9).to_bytes(8, "little")
    again = Columns(1, odd=(np.uint32, (65,)))
    again.load(joined(head, sizes, held, body))
    assert again["odd"][0, 64] == 9
    with pytest.raises(ValueError, match="the masks at"):
        again.load(joined(head, sizes, held, body[:8] + (2).to_bytes(8, "little") + body[16:]))


def test_a_state_of_another_format_is_refused() -> None:
    head, sizes, held, body = parted(filled({1}).dump())
    with pytest.raises(ValueError, match="format 3, this program reads format 4"):
        made().load(joined(head | {"format": 3}, sizes, held, body))
    raw = b'{"version":1,"reads":0,"columns":{},"rows":[]}'  # as it was before there was a number
    with pytest.raises(ValueError, match="another format than 4"):
        made().load(len(raw).to_bytes(4, "little") + raw)


def test_a_part_too_long_for_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="4294967296 bytes"):
        framed(bytes(1 << 32))  # zeros that are never touched take no memory


@pytest.mark.parametrize("head", [b"[]", b"{}", b"null", b"7", b'{"format":4}'])
def test_a_head_that_is_none_is_refused(head: bytes) -> None:
    whole = len(head).to_bytes(4, "little") + head + bytes(24)
    with pytest.raises(ValueError, match=r"format None, this|version None with"):
        made().load(whole + zlib.crc32(whole).to_bytes(4, "little"))


MOST = 1 << 24


@pytest.mark.parametrize("row", [MOST, 1 << 28, (1 << 32) - 1])
def test_a_row_that_no_slot_has_is_refused_before_room_is_taken_for_it(row: int) -> None:
    head, sizes, _, body = parted(filled({5}).dump())
    again = filled({2})
    before = again.dump()
    with pytest.raises(ValueError, match="state is damaged: its rows"):
        again.load(joined(head, sizes, [row], body))
    with pytest.raises(ValueError, match=f"row {row}: a stage has room for {MOST} rows"):
        again.open(np.array([3, row]))
    assert (again.dump(), len(again)) == (before, 16)


def test_a_row_that_the_machine_has_no_room_for_is_refused() -> None:
    state = Columns(1, vast=(np.uint8, (1 << 24,)))  # zeros that are never touched take no memory
    state.open(rows([0]))
    head, sizes, _, body = parted(state.dump())
    again = Columns(1, vast=(np.uint8, (1 << 24,)))
    with pytest.raises(ValueError, match=f"has no {1 << 49} bytes for it"):
        again.load(joined(head, sizes, [MOST - 1], body))
    assert not len(again)


def test_columns_in_another_order_or_records_of_another_layout_are_refused() -> None:
    number: Any = (np.int32, ())
    records = [
        ([("n", "<i4"), ("x", "<f4")], [("x", "<f4"), ("n", "<i4")]),
        ([("n", "<i4"), ("x", "<f4")], [("m", "<i4"), ("x", "<f4")]),
        ([("n", "<i4"), ("x", "<f4", (2,))], [("n", "<i4"), ("x", "<i8")]),
        (
            {"names": ["n"], "formats": ["<i4"], "offsets": [0], "itemsize": 8},
            {"names": ["n"], "formats": ["<i4"], "offsets": [4], "itemsize": 8},
        ),
    ]
    pairs: list[list[dict[str, Any]]] = [[{"a": number, "b": number}, {"b": number, "a": number}]]
    pairs += [[{"a": (np.dtype(each), ())} for each in pair] for pair in records]
    for ours, theirs in pairs:
        state = Columns(1, **ours)
        state.open(rows([0]))
        Columns(1, **ours).load(state.dump())
        with pytest.raises(ValueError, match="does not fit"):
            Columns(1, **theirs).load(state.dump())


def test_tables_that_only_look_alike_when_joined_are_other_tables() -> None:
    state = Columns(1, reads=(1, 23), a=(np.int32, ()))
    Columns(1, reads=(1, 23), a=(np.int32, ())).load(state.dump())
    for reads in ((12, 3), (123,), (1, 23, b"")):
        with pytest.raises(ValueError, match="another policy"):
            Columns(1, reads=reads, a=(np.int32, ())).load(state.dump())


def test_a_dump_does_not_tell_how_the_columns_grew() -> None:
    state = mixed()
    state.open(rows([0]))
    state["record"].view(np.uint8)[: RECORD.itemsize] = 7  # gaps and all
    before = state.dump()
    state.open(rows([500]))
    state.close(rows([500]))
    assert state.dump() == before


@given(st.lists(st.binary(max_size=5)))
def test_framed_parts_come_apart_again(parts: list[bytes]) -> None:
    assert unframed(framed(*parts)) == parts


@given(st.lists(st.binary(max_size=5)), st.data())
def test_a_cut_or_damaged_frame_is_refused(parts: list[bytes], data: st.DataObject) -> None:
    whole = framed(*parts)
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    for each in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0", bytes(damaged)):
        with pytest.raises(ValueError, match="cut or damaged"):
            unframed(each)


@pytest.mark.parametrize("wrong", [b"\1", b"\2\0\0\0\0", b"\0\0\0\0\0"])
def test_a_part_that_ends_behind_its_frame_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="state is damaged"):
        unframed(wrong + zlib.crc32(wrong).to_bytes(4, "little"))
