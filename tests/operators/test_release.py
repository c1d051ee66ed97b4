"""What leaves: against brute force, whatever the cutting, and nothing of what is blocked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.automaton import Rule
from operators.directory import Directory
from operators.gate import Gate
from operators.kernels import release as kernels
from operators.packet import VERDICT, Action, Delta, Finish, Packet, pack
from operators.policy import Policy
from operators.release import Release
from tests import naive_match as naive
from tests.stages import (
    CUTS,
    END,
    START,
    TEXT,
    Make,
    cut,
    guard,
    lane_of,
    outcomes,
    records,
    released,
    run,
    say,
    whole,
    woven,
)  # fmt: skip

POOL = [
    ("ab", False), ("a( b)?b", False), ("ba{1,3}", True), ("[^a] [^ ]?b", False), ("aba|ab b", False),
    ("b|ab", False), ("bb", True), ("(a|b) (a|b)", False), ("a b a", False), ("[^b]{3}", False),
]  # fmt: skip
RULES = st.lists(st.sampled_from(POOL), min_size=1, max_size=4, unique=True)
ACTIONS = st.lists(
    st.sampled_from([Action.ALLOW, Action.WARN, Action.REDACT, Action.BLOCK]), min_size=4, max_size=4
)
TEXTS = st.text(naive.ALPHABET, max_size=16)
TURNS = st.lists(st.integers(0, 3), max_size=40)
RELOADS = st.sets(st.integers(0, 8))


def named(rules: list[tuple[str, bool]]) -> list[Rule]:
    return [Rule(str(i), pattern, bounded) for i, (pattern, bounded) in enumerate(rules)]


def which(actions: list[Action], action: Action) -> list[int]:
    return [i for i, each in enumerate(actions) if each == action]


@settings(max_examples=400, deadline=None)
@given(RULES, ACTIONS, TEXTS, CUTS, CUTS, RELOADS)
def test_what_leaves_is_what_brute_force_lets_go(
    rules: list[tuple[str, bool]], actions: list[Action], text: str, chunks: list[int], cuts: list[int],
    reload: set[int],
) -> None:  # fmt: skip
    make = guard(named(rules), actions[: len(rules)])
    known = actions[: len(rules)]
    expected = naive.let_go(rules, text, which(known, Action.REDACT), which(known, Action.BLOCK))
    for packets in (
        run(make, whole("s", text, chunks), cuts, reload),
        run(make, whole("s", text, range(16))),
    ):
        assert "".join(released(packets).values()) == expected


@settings(max_examples=200, deadline=None)
@given(
    RULES,
    ACTIONS,
    st.lists(st.tuples(TEXTS, st.integers(0, 1), st.booleans(), CUTS), max_size=4),
    TURNS,
    CUTS,
    RELOADS,
)
def test_every_record_and_its_number_is_the_same_however_packets_are_cut(
    rules: list[tuple[str, bool]], actions: list[Action], texts: list[tuple[str, int, bool, list[int]]],
    turns: list[int], cuts: list[int], reload: set[int],
) -> None:  # fmt: skip
    make = guard(named(rules), actions[: len(rules)])
    speeches = [
        [("sst"[i % 3], Delta(START, "{}")), *say("sst"[i % 3], text, chunks, item=item)]
        + [("sst"[i % 3], Delta(END))] * over
        for i, (text, item, over, chunks) in enumerate(texts)
    ]
    said = woven(speeches, turns)
    once = run(make, said)
    again = run(make, said, cuts, reload)
    assert records(again) == records(once)
    assert released(again) == released(once)
    assert [record[0] for record in records(once)] == list(range(len(records(once))))


@settings(max_examples=150, deadline=None)
@given(RULES, TEXTS, CUTS, st.lists(st.integers(0, 16), max_size=3))
def test_the_ledger_counts_what_a_slow_twin_counts(
    rules: list[tuple[str, bool]], text: str, chunks: list[int], cuts: list[int]
) -> None:
    actions = [Action.REDACT, Action.WARN, Action.REDACT, Action.ALLOW][: len(rules)]
    (end,) = [
        r for r in records(run(guard(named(rules), actions), whole("s", text, chunks), cuts)) if "END" in r
    ]
    pieces = cut(text, chunks)
    hidden = {
        c
        for m in naive.found(rules, text)
        if actions[m.rule] == Action.REDACT
        for c in range(m.begin, m.stop)
    }
    vetted = run(lambda: [Directory(), Gate(named(rules), range(len(rules) + 1))], whole("s", text, chunks))[
        0
    ].vetted
    came = [i for i, piece in enumerate(pieces) for _ in piece]
    left = [next(i for i, upto in enumerate(vetted["upto"]) if upto > c) for c in range(len(text))]
    waits = [min(left[c], len(pieces) - 1) - came[c] for c in range(len(text)) if c not in hidden]
    shown = naive.let_go(rules, text, which(actions, Action.REDACT), [])
    mean = sum(waits) / max(len(waits), 1)
    assert end[5:] == (len(pieces), len(text), len(shown), mean, max(waits, default=0))


BLOCKER = guard([Rule("0", "bab"), Rule("1", "a b")], [Action.BLOCK, Action.REDACT])


@pytest.mark.parametrize("cuts", [[], range(30)])
def test_a_block_in_one_lane_stops_the_others(cuts: list[int]) -> None:
    said = [
        ("s", Delta(START, "{}")), *say("s", "one ", item=1), *say("s", "xx bab x"), *say("s", "two", item=1),
        *say("s", "a b"), ("s", Delta(END)), *whole("s", "new"), *whole("t", "free"),
    ]  # fmt: skip
    packets = run(BLOCKER, said, cuts)
    texts = {(lane.stream, lane.item): text for lane, text in released(packets).items()}
    assert texts == {("s", 1): "one ", ("s", 0): "xx new", ("t", 0): "free"}
    ends = [o for o in outcomes(packets) if o[1] == "END"]
    assert ends == [("s", "END", "BLOCKED"), ("s", "END", "STOP"), ("t", "END", "STOP")]
    assert sum(record[1] == "findings" for record in records(packets)) == 1


@pytest.mark.parametrize("cuts", [[], range(30)])
@pytest.mark.parametrize("chunks", [[], range(30)])
def test_what_is_found_behind_a_block_has_no_number(chunks: list[int], cuts: list[int]) -> None:
    packets = run(BLOCKER, whole("s", "a b bab bab a b", chunks), cuts)
    assert [r[2:] for r in records(packets) if r[1] == "findings"][1:] == [
        (packets[0].lanes[0], 0, 0, 4, 7)
    ], "the redaction before, the block, nothing behind"
    numbers = [int(seq) for p in packets for t in (p.findings, p.verdicts) for seq in t["seq"]]
    assert numbers.count(-1) == 4


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("chunks", [[], range(30)])
def test_of_two_blocks_decided_at_once_neither_match_leaves(
    order: tuple[int, int], chunks: list[int]
) -> None:
    rules = [Rule("long", "abcd-x"), Rule("short", "d-x")]
    make = guard([rules[i] for i in order], [Action.BLOCK, Action.BLOCK])
    assert list(released(run(make, whole("s", "12abcd-x34", chunks))).values()) == ["12"]


class Analyst:
    """Blocks the lane with the last of its text deltas, as an analysis does: no rule's finding."""

    def update(self, packet: Packet) -> Packet:
        verdict = np.zeros(1, VERDICT)
        verdict["delta"] = np.flatnonzero(packet.deltas["kind"] == TEXT)[-1]
        verdict["row"] = packet.deltas["row"][verdict["delta"]]
        verdict["action"], verdict["finding"], verdict["decided"] = Action.BLOCK, -1, 2
        return packet.having(verdicts=np.concatenate([packet.verdicts, verdict]))

    def dump(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        raise NotImplementedError


def test_a_match_that_blocks_stays_even_if_an_analysis_blocked_before_it() -> None:
    directory, gate, policy, last = guard([Rule("key", "key!")], [Action.BLOCK])()
    packets = run(lambda: [directory, gate, policy, Analyst(), last], whole("s", "some key! here"))
    assert list(released(packets).values()) == ["some "]
    assert outcomes(packets)[-1] == ("s", "END", "BLOCKED")


def test_text_that_nobody_vetted_is_never_released() -> None:
    packets = run(lambda: [Directory(), Policy([]), Release([], 100)], whole("s", "secret", [2, 4]))
    assert released(packets) == {}
    assert outcomes(packets) == [("s", "START", "NONE"), ("s", "END", "STOP")]


def test_more_held_text_than_promised_is_an_error_and_damages_nothing() -> None:
    stage, directory, gate = Release(["", ""], 8), Directory(), Gate([], [0])
    open_lane = gate.update(directory.update(pack(0, say("t", "still here"), now=0)))
    stage.update(open_lane)
    packet = directory.update(pack(0, [*say("s", "123456"), *say("s", "789")], now=0))
    with pytest.raises(RuntimeError, match="more than 8 undecided characters"):
        stage.update(packet)
    failed = stage.update(packet.having(failed="too much"))
    assert outcomes([failed])[-2:] == [("s", "ERROR", "NONE"), ("s", "END", "ERROR")]
    after = stage.update(gate.update(directory.update(pack(0, say("t", "!" * 50), now=0))))
    assert list(released([after]).values()) == ["!" * 50]
    assert stage._queued == stage._lanes["length"].sum()


@pytest.mark.parametrize("cuts", [[], [1], [3], range(20)])
def test_a_failed_packet_releases_nothing_and_ends_its_streams(cuts: list[int]) -> None:
    stages = guard([Rule("0", "ab")], [Action.REDACT])()
    first = pack(0, [*whole("s", "clean a")[:-1], *whole("t", "t a")[:-1]], now=0)
    bad = [("s", Delta(TEXT, "b more")), *whole("u", "new"), *whole("u", "twice"), ("v", Delta(START, "{}"))]
    packets = [pass_through(stages, first)]
    packets += [pass_through(stages, pack(0, piece, now=0), failed="boom") for piece in cut(bad, cuts)]
    assert all(not len(p.releases) and p.released == b"" for p in packets[1:])
    assert all(not len(p.findings) and not len(p.verdicts) for p in packets[1:])
    later = [
        *say("s", "more"),
        *say("t", "b"),
        *say("v", "x"),
        *((n, Delta(END)) for n in "stv"),
        *whole("s", "back"),
    ]
    packets.append(pass_through(stages, pack(0, later, now=0)))
    texts = {lane.stream: text for lane, text in released(packets).items()}
    assert texts == {"s": "clean back", "t": "t <0>"}
    ends = {name: [o[1:] for o in outcomes(packets) if o[0] == name] for name in "stuv"}
    start, error, failed = ("START", "NONE"), ("ERROR", "NONE"), ("END", "ERROR")
    assert ends["s"] == [start, error, failed, start, ("END", "STOP")]
    assert ends["t"] == [start, ("END", "NONE")]
    assert [e for e in ends["u"] if e != error] == [start, failed, start, failed]
    assert ends["v"] == [start, error, failed]
    assert [r[0] for r in records(packets)] == list(range(len(records(packets))))


def pass_through(stages: list[Any], packet: Packet, failed: str = "") -> Packet:
    for stage in stages:
        packet = stage.update(packet)
        if stage is stages[2]:
            packet = packet.having(failed=failed)
    return packet


def test_a_long_queue_leaves_whole_in_a_small_packet_after_a_restart() -> None:
    said = [("s", Delta(START, "{}")), *say("s", "a" * 299 + "!", [299]), ("s", Delta(END))]
    make = guard([Rule("0", "a{300}")], [Action.REDACT])
    assert list(released(run(make, said, [2], {0})).values()) == ["a" * 299 + "!"]


@pytest.mark.parametrize("chunks", [[], range(900)])
def test_however_much_follows_a_block_in_its_delta_the_stream_ends_blocked(chunks: list[int]) -> None:
    said = [*whole("s", "x bab" + "z" * 900, chunks), *whole("t", "not my fault")]
    packets = run(BLOCKER, said)
    assert {lane.stream: text for lane, text in released(packets).items()} == {"s": "x ", "t": "not my fault"}
    assert outcomes(packets)[1] == ("s", "END", "BLOCKED")


def test_state_of_another_promise_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Release([""], 9).load(Release([""], 8).dump())
    with pytest.raises(ValueError, match="release state of version 9"):
        Release([""], 8).load(Release([""], 8).dump().replace(b'"version":1', b'"version":9', 1))


def test_streams_that_ended_leave_no_state() -> None:
    stages = guard([Rule("0", "ab"), Rule("1", "b a")], [Action.REDACT, Action.BLOCK])()
    last = stages[-1]
    assert isinstance(last, Release)
    for text in ("ab x a", "b ab a", "a", ""):
        pass_through(stages, pack(0, whole("s", text, range(9)), now=0))
        assert last._queued == 0
        assert not len(last._masks)
        assert not len(last._lanes.live())
        assert not len(last._streams.live())


def test_release_is_compiled_once_whatever_the_packets() -> None:
    if not hasattr(kernels.release, "signatures"):
        pytest.skip("the JIT is off")
    make: Make = guard([Rule("0", "ab")], [Action.REDACT])
    stage = make()[-1]
    assert isinstance(stage, Release)
    stage.warm()
    before = len(kernels.release.signatures)
    for text in ("x", "ab", "ab ab ab a"):
        run(make, whole("s", text, [1, 2, 9]), range(9), {1, 2, 3, 4})
    assert len(kernels.release.signatures) == before


def test_finish_and_order_of_the_records_of_one_stream() -> None:
    packets = run(guard([Rule("0", "ab")], [Action.REDACT]), [*whole("s", "x ab y"), *whole("t", "")])
    lane = lane_of(packets[0], 0)
    kinds = [record[1] if record[1] != "outcomes" else record[3] for record in records(packets)]
    assert kinds == ["START", "findings", "verdicts", "releases", "END", "START", "END"]
    assert released(packets) == {lane: "x <0> y"}
    assert outcomes(packets)[1] == ("s", "END", Finish.STOP.name)
