"""The packet as a value and as bytes."""

from __future__ import annotations

import pickle
import struct
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.automaton import Rule
from operators.packet import (
    DELTA,
    FINDING,
    Called,
    Channel,
    Dead,
    Delta,
    Feedback,
    Kind,
    Lane,
    Packet,
    Shape,
    column,
    copied,
    empty,
    frozen,
    joined,
    pack,
)
from tests.stages import CUTS, Said, cut, guard, run, whole

DELTAS = st.builds(
    Delta,
    kind=st.sampled_from(list(Kind)),
    text=st.text(max_size=8),
    channel=st.sampled_from(list(Channel)),
    choice=st.integers(0, 3),
    item=st.integers(0, 65_535),
    logprob=st.floats(-20, 0),
    finish=st.integers(0, 7),
    at=st.integers(0, 2**62),
)
SAID = st.lists(st.tuples(st.text("ab/é", max_size=3), DELTAS), max_size=12)


def full() -> Packet:
    """A packet with rows in most of its tables."""
    (packet,) = run(guard([Rule("r", "ab")], [2]), whole("é", "xx abab ü", [3]))
    shape = Shape("dip", 3, (4.0, 1.5), 0.1, normalised=True, radius=2, action=1, reason="a dip")
    called = Called(1 << 20, "dip", "a dip", 1)
    dead = Dead(41, "é", "not UTF-8", 3, b"\xff\x00\xfe")
    return packet.having(
        failed="why not", arrived=77, shapes=(shape,), called=(called,), origin=(40, 42), dead=(dead,),
        feedback=(Feedback("é", 7, "r", "wrong"),),
    )  # fmt: skip


def same(one: Packet, two: Packet) -> bool:
    """Every field, tables byte by byte."""
    pairs = ((getattr(one, f.name), getattr(two, f.name)) for f in fields(Packet))
    return all(
        (a.dtype == b.dtype and a.tobytes() == b.tobytes()) if isinstance(a, np.ndarray) else a == b
        for a, b in pairs
    )


PLACES = st.integers(-1, 2**63 - 1)
DEAD = st.builds(Dead, PLACES, st.text(max_size=4), st.text(max_size=9), PLACES, st.binary(max_size=40))
FEEDBACK = st.builds(Feedback, st.text(max_size=4), PLACES, st.text(max_size=4), st.text(max_size=5))


@given(st.tuples(PLACES, PLACES), st.lists(DEAD, max_size=4), st.lists(FEEDBACK, max_size=4))
def test_what_a_log_adds_survives_bytes_and_pickle(
    origin: tuple[int, int], dead: list[Dead], feedback: list[Feedback]
) -> None:
    packet = pack(3, [("s", Delta(1, "x"))], now=5)
    packet = packet.having(origin=origin, dead=tuple(dead), feedback=tuple(feedback))
    for again in (Packet.from_bytes(packet.to_bytes()), pickle.loads(pickle.dumps(packet))):
        assert same(again, packet)
        assert {type(each) for each in again.dead} <= {Dead}
        assert {type(each) for each in again.feedback} <= {Feedback}
        assert all(type(each.data) is bytes for each in again.dead)


def test_a_packet_comes_from_no_log_unless_it_says_so() -> None:
    packet = pack(0, [("s", Delta(1, "x"))], now=0)
    assert (packet.origin, packet.dead, packet.feedback) == ((-1, -1), (), ())


@given(SAID, st.integers(0, 63), st.text(max_size=5))
def test_a_packet_survives_bytes_and_pickle(said: list[Said], slot: int, failed: str) -> None:
    packet = pack(slot, said, now=5, arrived=6).having(failed=failed)
    assert same(Packet.from_bytes(packet.to_bytes()), packet)
    assert same(pickle.loads(pickle.dumps(packet)), packet)


def test_a_packet_with_everything_in_it_survives_bytes() -> None:
    packet = full()
    assert all(
        len(getattr(packet, name)) for name in ("opened", "findings", "vetted", "verdicts", "releases")
    )
    assert same(Packet.from_bytes(packet.to_bytes()), packet)
    assert not Packet.from_bytes(packet.to_bytes()).deltas.flags.writeable


def test_every_cut_packet_is_refused() -> None:
    data = full().to_bytes()
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"not a MidStream packet|its header promises"):
            Packet.from_bytes(data[:size])
    with pytest.raises(ValueError, match="its header promises"):
        Packet.from_bytes(data + b"\0")


def test_another_version_is_refused_by_name() -> None:
    data = full().to_bytes()
    with pytest.raises(ValueError, match="packet version 8, this program reads version 7"):
        Packet.from_bytes(data[:4] + struct.pack("<H", 8) + data[6:])
    with pytest.raises(ValueError, match="must begin with b'MSPK'"):
        Packet.from_bytes(b"MSPX" + data[4:])


@settings(max_examples=300)
@given(st.integers(6, 90), st.integers(0, 255))
def test_a_damaged_head_is_refused_or_changes_only_numbers(place: int, byte: int) -> None:
    data = bytearray(full().to_bytes())
    data[place] = byte
    try:
        packet = Packet.from_bytes(bytes(data))
    except ValueError:
        return
    assert len(packet.to_bytes()) == len(data)


def _named(names: bytes) -> bytes:
    """A packet whose names are these bytes."""
    long = pack(0, [("s" * 99, Delta(1, "x"))], now=0).to_bytes()
    at = long.index(b'[[["s')
    size = len(b'[[["",0,0,0]],[],[],[],[]]') + 99
    return long[:at] + names.ljust(size) + long[at + size :]


def test_names_that_are_not_damaged_are_read() -> None:
    packet = Packet.from_bytes(
        _named(b'[[["s",1,0,2]],[],[],[[1,"s","why",2,"eHk="]],[["s",3,"r","wrong"]]]')
    )
    assert packet.lanes == (Lane("s", 1, 0, 2),)
    assert packet.dead == (Dead(1, "s", "why", 2, b"xy"),)
    assert packet.feedback == (Feedback("s", 3, "r", "wrong"),)


@pytest.mark.parametrize(
    "names",
    [
        b'[[["s",0,0,0]],[],[],[],[]',
        b'[[["s",0,0,0,0]],[],[],[],[]]',
        b'[[["s",0,0,0]],[["x"]],[],[],[]]',
        b'[[["s",0,0,0]],[],[[1]],[],[]]',
        b'[[["s",0,0,0]],[],[],[[1,"","",2]],[]]',
        b'[[["s",0,0,0]],[],[],[[1,"","",2,"x"]],[]]',
        b'[[["s",0,0,0]],[],[],[[1,"","",2,3]],[]]',
        b'[[["s",0,0,0]],[],[],[],[[1]]]',
        b'[[["s",0,0,0]],[],[],[]]',
        b"[1]",
        b"7",
        b'["\xff\xff"]',
    ],
)
def test_damaged_names_are_refused(names: bytes) -> None:
    with pytest.raises(ValueError, match="damaged names"):
        Packet.from_bytes(_named(names))


@given(SAID)
def test_pack_keeps_every_word_and_number(said: list[Said]) -> None:
    packet = pack(3, said, now=9)
    assert len(set(packet.lanes)) == len(packet.lanes)
    for (stream, delta), row in zip(said, packet.deltas, strict=True):
        assert packet.lanes[row["lane"]] == Lane(stream, delta.channel, delta.choice, delta.item)
        assert packet.text[row["start"] : row["end"]].decode() == delta.text
        assert row["chars"] == (len(delta.text) if delta.kind == Kind.TEXT else 0)
        assert (row["kind"], row["finish"], row["at"]) == (delta.kind, delta.finish, delta.at)
        assert (row["row"], row["stream"], row["logprob"]) == (-1, -1, delta.logprob)


def test_having_leaves_the_first_packet_alone() -> None:
    packet = pack(0, [("s", Delta(1, "x"))], now=1)
    other = packet.having(failed="x", now=2)
    assert (packet.failed, packet.now, other.failed, other.now) == ("", 1, "x", 2)
    assert other.deltas is packet.deltas


def test_having_refuses_what_a_packet_has_not() -> None:
    with pytest.raises(TypeError, match="rows"):
        pack(0, [], now=1).having(rows=empty(DELTA))


@given(SAID)
def test_the_kinds_of_a_packet_are_those_of_its_deltas(said: list[Said]) -> None:
    packet = pack(0, said, now=9)
    assert list(packet.kinds()) == [delta.kind for _, delta in said]
    closed = [-1 for _, delta in said if delta.kind == Kind.CLOSE]
    assert packet.closed_rows().tolist() == closed


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_copy_is_written_to_and_what_is_frozen_is_not(size: int) -> None:
    table = np.zeros(size, FINDING)
    ours, shown = copied(table), frozen(table)
    ours["delta"] = 3
    assert table["delta"].tolist() == shown["delta"].tolist() == [0] * size
    with pytest.raises(ValueError, match="read-only"):
        shown["delta"] = 3


@given(st.integers(0, 9), CUTS)
def test_joined_is_concatenation(size: int, cuts: list[int]) -> None:
    table = np.zeros(size, FINDING)
    table["delta"] = range(size)
    whole_again = joined(empty(FINDING), *cut(table, cuts)) if size else joined(empty(FINDING))
    assert whole_again.tolist() == table.tolist()


@pytest.mark.parametrize("size", [0, 1, 2, 9])
def test_a_column_lies_in_memory_the_same_way_whatever_its_length(size: int) -> None:
    assert column(np.zeros(size, DELTA), "row").flags.c_contiguous


def test_a_code_is_called_what_the_policy_calls_it_and_then_what_its_packet_does() -> None:
    packet = full()
    names, reasons = ["ssn", "stall"], ["a number", "silence"]
    assert packet.meaning(1, names, reasons) == ("stall", "silence")
    assert packet.meaning(1 << 20, names, reasons) == ("dip", "a dip")
