"""Names to rows: what is said of a stream's life, in order and out of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.directory import Directory, Limits
from operators.packet import Delta, Finish, Kind, Packet, pack
from tests.stages import CUTS, END, START, TEXT, Said, lane_of, of_version, run, say, whole

SMALL = Limits(delta_bytes=6, stream_bytes=16, stream_lanes=2, idle=100)
WAITING = replace(SMALL, first=(20, 60), later=(30, 90, 101))
CLOSE, ERROR, NOTE, USAGE = Kind.CLOSE, Kind.ERROR, Kind.NOTE, Kind.USAGE


@st.composite
def _speech(draw: st.DrawFn) -> list[Said]:
    """Anything in any order, time running on, now and then by far."""
    said, now = [], 0
    for _ in range(draw(st.integers(0, 30))):
        now += draw(st.sampled_from([0, 1, 1, 30, 99, 100, 101, 250]))
        kind = draw(st.sampled_from([START, TEXT, TEXT, TEXT, TEXT, NOTE, CLOSE, USAGE, ERROR, END]))
        text = draw(st.sampled_from(["", "a", "héé", "sixsix", "seven77"])) if kind == TEXT else "{}"
        item = draw(st.integers(0, 2)) if kind in (TEXT, NOTE, CLOSE) else 0
        said.append((draw(st.sampled_from("xyz")), Delta(kind, text, item=item, at=now)))
    return said


def told(packets: list[Packet]) -> list[tuple[Any, ...]]:
    """Every delta without its rows."""
    return [
        (
            lane_of(packet, i), Kind(int(d["kind"])).name, int(d["seq"]), int(d["begin"]), int(d["chars"]),
            int(d["at"]), int(d["finish"]), packet.text[d["start"] : d["end"]].decode(),
        )
        for packet in packets
        for i, d in enumerate(packet.deltas)
    ]  # fmt: skip


def short(said: list[Said], limits: Limits = SMALL) -> list[tuple[str, str]]:
    """Kind and text of every delta of one packet."""
    return [(kind, text) for _, kind, *_, text in told(run(lambda: [Directory(limits)], said))]


@settings(max_examples=300, deadline=None)
@given(_speech(), CUTS, st.sets(st.integers(0, 8)))
def test_neither_packets_nor_a_restart_show(said: list[Said], cuts: list[int], reload: set[int]) -> None:
    def make() -> list[Any]:
        return [Directory(WAITING)]

    assert told(run(make, said, cuts, reload)) == told(run(make, said))


@settings(max_examples=300, deadline=None)
@given(_speech(), CUTS)
def test_a_row_means_one_thing_in_a_packet_and_until_its_close(said: list[Said], cuts: list[int]) -> None:
    rows: dict[int, Any] = {}
    streams: dict[int, str] = {}
    for packet in run(lambda: [Directory(WAITING)], said, cuts):
        opened = packet.opened["row"].tolist()
        assert len(set(opened)) == len(opened)
        assert not set(opened) & set(rows), "reused while open, or in the packet in which it closed"
        rows |= {o["row"]: packet.lanes[o["lane"]] for o in packet.opened}
        gone = []
        for i, delta in enumerate(packet.deltas):
            name = lane_of(packet, i)
            if delta["kind"] == START:
                assert delta["stream"] not in streams
                streams[delta["stream"]] = name.stream
            if delta["kind"] != Kind.WAIT:
                assert (delta["kind"] in (TEXT, NOTE, CLOSE)) == (delta["row"] >= 0)
            if delta["row"] >= 0:
                assert rows[delta["row"]] == name
            assert delta["stream"] >= 0 or delta["kind"] == ERROR
            if delta["stream"] >= 0:
                assert streams[delta["stream"]] == name.stream
            if delta["kind"] == CLOSE:
                gone.append(delta["row"])
            if delta["kind"] == END:
                gone.append(~delta["stream"])
        assert packet.closed_rows().tolist() == [row for row in gone if row >= 0]
        for row in gone:
            del (rows if row >= 0 else streams)[row if row >= 0 else ~row]


@settings(max_examples=200, deadline=None)
@given(_speech())
def test_every_stream_begins_once_closes_its_lanes_and_ends_last(said: list[Said]) -> None:
    life: dict[str, tuple[int, dict[Any, int]]] = {}
    for lane, kind, seq, begin, chars, *_ in told(run(lambda: [Directory(SMALL)], said)):
        if lane.stream not in life:
            assert kind in ("START", "ERROR")
            if kind == "START":
                assert seq == 0
                life[lane.stream] = 1, {}
            continue
        count, lanes = life[lane.stream]
        assert seq == count
        life[lane.stream] = count + 1, lanes
        if kind in ("TEXT", "NOTE", "CLOSE"):
            assert begin == lanes.get(lane, 0)
            lanes[lane] = begin + chars
        if kind == "CLOSE":
            del lanes[lane]
        if kind == "END":
            assert not lanes
            del life[lane.stream]


def test_text_before_a_start_opens_the_stream_with_an_error() -> None:
    assert short([("s", Delta(TEXT, "hi"))]) == [
        ("START", '{"provider":"","model":""}'),
        ("ERROR", "text for a stream that never started"),
        ("TEXT", "hi"),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "what"), [(END, "an end"), (CLOSE, "an end"), (USAGE, "a token count")])
def test_what_comes_for_no_open_stream_becomes_an_error(kind: Kind, what: str) -> None:
    reason = f"{what} for a stream that is not open"
    assert short([("s", Delta(kind, "{}"))]) == [("ERROR", reason)]
    assert short([*whole("s", "x"), ("s", Delta(kind, "{}"))])[-1] == ("ERROR", reason)


def test_a_lane_that_its_source_ends_is_decided_there_and_may_begin_anew() -> None:
    said = [*whole("s", "abc")[:-1], ("s", Delta(CLOSE)), ("s", Delta(TEXT, "d")), ("s", Delta(END))]
    (packet,) = run(lambda: [Directory(SMALL)], said)
    assert [(Kind(int(d["kind"])), int(d["begin"])) for d in packet.deltas] == [
        (START, 0), (TEXT, 0), (CLOSE, 3), (TEXT, 0), (CLOSE, 1), (END, 0),
    ]  # fmt: skip
    assert len(set(packet.opened["row"].tolist())) == 2


def test_the_end_of_a_lane_that_is_not_open_is_an_error() -> None:
    said = [*whole("s", "abc")[:-1], ("s", Delta(CLOSE, item=1))]
    assert short(said)[-1] == ("ERROR", "an end for a lane that is not open")


def test_a_second_start_is_an_error_and_changes_nothing() -> None:
    said = [
        ("s", Delta(START, "{}")),
        ("s", Delta(TEXT, "ab")),
        ("s", Delta(START, "{}")),
        ("s", Delta(TEXT, "c")),
    ]
    (packet,) = run(lambda: [Directory()], said)
    assert [Kind(k).name for k in packet.deltas["kind"]] == ["START", "TEXT", "ERROR", "TEXT"]
    assert packet.deltas["begin"].tolist() == [0, 0, 0, 2]


def test_a_stream_restarted_in_one_packet_is_two_streams() -> None:
    said = [*whole("s", "ab"), *whole("s", "cd"), ("s", Delta(TEXT, "e"))]
    packet, after = run(lambda: [Directory()], said, [6])
    texts = packet.deltas[packet.deltas["kind"] == TEXT]
    assert len(set(texts["row"])) == len(set(texts["stream"])) == 2
    assert texts["begin"].tolist() == [0, 0]
    assert [kind for _, kind, *_ in told([after])] == ["START", "ERROR", "TEXT"]
    assert after.opened["row"].tolist() == [0], "rows of the first packet are free again"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([(0, "sixsix"), (0, "sixsix"), (0, "four")], ""),
        ([(0, "seven77")], "a delta of 7 bytes, limits.delta_bytes is 6"),
        ([(0, "x"), (0, "éééé")], "a delta of 8 bytes, limits.delta_bytes is 6"),
        ([(0, "sixsix"), (0, "sixsix"), (0, "five5")], "more than 16 bytes of text (limits.stream_bytes)"),
        ([(0, "a"), (1, "b")], ""),
        ([(0, "a"), (1, "b"), (2, "c")], "more than 2 lanes (limits.stream_lanes)"),
    ],
)
def test_a_broken_limit_ends_the_stream_and_refuses_the_rest(
    pieces: list[tuple[int, str]], reason: str
) -> None:
    texts = [("s", Delta(TEXT, text, item=item)) for item, text in pieces]
    said: list[Said] = [("s", Delta(START, "{}")), *texts]
    heard = short(said)
    if not reason:
        assert [kind for kind, _ in heard] == ["START", *["TEXT"] * len(pieces)]
        return
    assert ("ERROR", reason) in heard
    assert heard[-1][0] == "END"
    late = [("s", Delta(TEXT, "x")), ("s", Delta(USAGE, "{}")), ("s", Delta(ERROR, "e")), ("s", Delta(END))]
    assert short([*said, *late]) == heard
    again = short([*said, *late[:2], *whole("s", "back")])
    assert [kind for kind, _ in again[len(heard) :]] == ["START", "TEXT", "CLOSE", "END"]
    assert short([*said, *late, late[-1]])[-1] == ("ERROR", "an end for a stream that is not open")


@pytest.mark.parametrize("undecodable", [True, False])
def test_what_could_not_be_decoded_passes_or_ends_its_stream(undecodable: bool) -> None:
    said = whole("s", "a b\ufffd c d", range(2, 8, 2))
    heard = short(said, Limits(undecodable=undecodable))
    texts = [text for kind, text in heard if kind == "TEXT"]
    errors = [text for kind, text in heard if kind == "ERROR"]
    if undecodable:
        assert "".join(texts) == "a b\ufffd c d"
        assert not errors
    else:
        assert "".join(texts) == "a "
        assert errors == ["text with U+FFFD, as it stands for what is no character (limits.undecodable)"]


def test_the_1025th_lane_is_one_too_many() -> None:
    said = [("s", Delta(START, "{}")), *(("s", Delta(TEXT, "x", item=item)) for item in range(1024))]
    heard = short(said, Limits())
    assert [kind for kind, _ in heard[1:]] == ["TEXT"] * 1024
    heard = short([*said, ("s", Delta(TEXT, "x", item=1024))], Limits())
    assert [kind for kind, _ in heard[1025:]] == ["ERROR", *["CLOSE"] * 1024, "END"]


@pytest.mark.parametrize(("at", "ended"), [(150, False), (151, True), (10**18, True)])
def test_silence_ends_a_stream_after_exactly_the_idle_time(at: int, ended: bool) -> None:
    said = [("s", Delta(START, "{}", at=0)), ("s", Delta(TEXT, "a", at=50)), ("t", Delta(START, "{}", at=at))]
    heard = told(run(lambda: [Directory(SMALL)], said))
    kinds = [kind for lane, kind, *_ in heard if lane.stream == "s"]
    assert kinds == ["START", "TEXT", *(["ERROR", "CLOSE", "END"] if ended else [])]
    if ended:
        assert heard[-2][6] == Finish.TRUNCATED
        assert [h[7] for h in heard if h[1] == "ERROR"] == ["silent for more than 1e-07 s (limits.idle)"]


def test_an_empty_packet_sweeps_too() -> None:
    stage = Directory(SMALL)
    stage.update(pack(0, [("s", Delta(START, "{}", at=0))], now=0))
    assert not len(stage.update(pack(0, [], now=100)).deltas)
    assert [kind for _, kind, *_ in told([stage.update(pack(0, [], now=101))])] == ["ERROR", "END"]


@settings(max_examples=300, deadline=None)
@given(_speech(), st.lists(st.integers(0, 900), max_size=12))
def test_ticks_change_nothing_but_when_it_is_told(said: list[Said], ticks: list[int]) -> None:
    stage, packets = Directory(WAITING), []
    end = max((delta.at for _, delta in said), default=0)
    events = [(delta.at, 0, [(name, delta)]) for name, delta in said]
    for now, _, one in sorted(
        [*events, *((tick, 1, []) for tick in ticks if tick <= end)], key=lambda e: e[:2]
    ):
        packets.append(stage.update(pack(0, one, now=now)))
    assert told(packets) == told(run(lambda: [Directory(WAITING)], said))


def silences(said: list[Said], now: int) -> list[tuple[str, int, str]]:
    """Stream, time and text of every WAIT, the slot's time running up to `now`."""
    stage = Directory(WAITING)
    heard = told([stage.update(pack(0, said, now=0)), stage.update(pack(0, [], now=now))])
    return [(lane.stream, at, text) for lane, kind, _, _, _, at, _, text in heard if kind == "WAIT"]


def test_a_silent_stream_is_told_of_at_each_limit_as_of_its_time() -> None:
    start, text = Delta(START, "{}", at=0), Delta(TEXT, "a", at=10)
    first, second = '{"silent":2e-8,"first":true}', '{"silent":6e-8,"first":true}'
    assert silences([("s", start)], 20) == []
    assert silences([("s", start)], 21) == [("s", 20, first)]
    assert silences([("s", start)], 500) == [("s", 20, first), ("s", 60, second)]
    later = [(40, '{"silent":3e-8,"first":false}'), (100, '{"silent":9e-8,"first":false}')]
    assert silences([("s", start), ("s", text)], 105) == [("s", at, said) for at, said in later]
    again = [*later[:1], (75, later[0][1])]
    assert silences([("s", start), ("s", text), ("s", Delta(TEXT, "b", at=45))], 80) == [
        ("s", at, said) for at, said in again
    ]
    both = silences([("s", start), ("t", Delta(START, "{}", at=5)), ("s", text)], 66)
    assert [(name, at) for name, at, _ in both] == [("t", 25), ("s", 40), ("t", 65)]


def test_who_is_over_or_refused_is_not_waited_for() -> None:
    over = [("s", Delta(START, "{}", at=0)), ("s", Delta(END, at=5))]
    assert silences(over, 500) == []
    refused = [("s", Delta(START, "{}", at=0)), ("s", Delta(TEXT, "seven77", at=5))]
    assert silences(refused, 500) == []


def test_a_wait_stands_in_a_lane_if_there_is_one() -> None:
    stage = Directory(WAITING)
    stage.update(pack(0, [("s", Delta(START, "{}", at=0))], now=0))
    packet = stage.update(pack(0, [], now=30))
    (wait,) = packet.deltas
    assert (wait["row"], wait["stream"], len(packet.opened)) == (-1, 0, 0)
    packet = stage.update(pack(0, [("s", Delta(TEXT, "a", item=1, at=31))], now=31))
    packet = stage.update(pack(0, [], now=62))
    assert packet.deltas["row"].tolist() == [0]
    assert not len(packet.opened)


def test_a_run_with_other_limits_tells_by_these() -> None:
    before, after = Directory(SMALL), Directory(WAITING)
    before.update(pack(0, [("s", Delta(START, "{}", at=0)), ("s", Delta(TEXT, "a", at=10))], now=10))
    after.load(before.dump())
    heard = [after.update(pack(0, [], now=now)) for now in (40, 41, 105)]
    assert [[at for *_, at, _, _ in told([packet])] for packet in heard] == [[], [40], [100]]
    again = Directory(replace(SMALL, later=(50,)))
    again.load(after.dump())
    assert [kind for _, kind, *_ in told([again.update(pack(0, [], now=109))])] == []


def test_a_wait_takes_no_room_among_the_lanes() -> None:
    stage = Directory(replace(WAITING, stream_lanes=1))
    stage.update(pack(0, [("s", Delta(START, "{}", at=0))], now=50))
    packet = stage.update(pack(0, [("s", Delta(TEXT, "a", channel=1, at=51))], now=51))
    assert [kind for _, kind, *_ in told([packet])] == ["TEXT"]


def test_a_stream_is_looked_at_once_in_the_shortest_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Directory(Limits(later=(10**9,)))
    looks = []
    real = stage._silence._due
    monkeypatch.setattr(stage._silence, "_due", lambda stream: looks.append(1) or real(stream))
    said = [("s", Delta(START, "{}", at=0)), *(("s", Delta(TEXT, "x", at=at * 10**7)) for at in range(1000))]
    for piece in pairwise(range(0, 1002, 7)):
        stage.update(pack(0, said[slice(*piece)], now=said[piece[1] - 1][1].at))
    assert 5 <= len(looks) <= 12


def test_short_streams_leave_nothing_behind() -> None:
    stage = Directory()
    fresh = len(stage.dump())
    for number in range(10_000):
        packet = stage.update(pack(0, whole(f"s{number}", "x"), now=0))
        assert packet.opened["row"].tolist() == [0]
    assert len(stage.dump()) == fresh
    assert len(stage._lane_state) == len(stage._stream_state) == 16
    assert len(stage._silence) < 1100
    assert not stage._rows


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="directory state of version 9"):
        Directory().load(of_version(Directory().dump(), 9))


@pytest.mark.parametrize("others", [["gate", "loop"], ["gate"], ["drift", "gate", "loop"], []])
def test_rows_that_other_steps_know_are_refused(others: list[str]) -> None:
    """A step that has no state of an open row would read and write behind its columns."""
    stage = Directory(SMALL, ["gate", "drift"])
    stage.update(pack(0, say("s", "a"), now=0))
    with pytest.raises(ValueError, match="the steps drift, gate; this one has ") as refusal:
        Directory(SMALL, others).load(stage.dump())
    assert ", ".join(others) in str(refusal.value)
    again = Directory(SMALL, ["drift", "gate"])  # in whatever order
    again.load(stage.dump())
    assert again.dump() == stage.dump()


def test_a_packet_from_another_process_is_left_as_it_was() -> None:
    packet = Packet.from_bytes(pack(0, whole("s", "x"), now=0).to_bytes())
    Directory().update(packet)
    assert np.all(packet.deltas["row"] == -1)


def test_a_failure_forgets_the_streams_of_its_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that no later stage heard of would lie outside its columns."""
    stage = Directory()
    before = stage.update(pack(0, [("kept", Delta(Kind.TEXT, "a"))], now=0))
    with monkeypatch.context() as broken:
        broken.setattr(stage, "_number", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stage.update(pack(0, [("new", Delta(Kind.TEXT, "b")), ("new2", Delta(Kind.TEXT, "b"))], now=0))
    after = stage.update(pack(0, [("new", Delta(Kind.TEXT, "c")), ("kept", Delta(Kind.TEXT, "d"))], now=0))
    opened = after.opened["row"].tolist()
    texts = after.deltas[after.deltas["kind"] == Kind.TEXT]
    assert texts["row"].tolist() == [opened[0], before.opened["row"][0]]
    assert len(opened) == 1
