"""What leaves: against a slow twin, whatever the cutting, and nothing of what is blocked.

The gate before the stage is one that knows beforehand what it will find (``tests.operators.scripted``).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.directory import Directory
from operators.kernels import release as kernels
from operators.masks import Style
from operators.packet import VERDICT, Action, Delta, Finish, Packet, pack
from operators.policy import Policy
from operators.release import Release
from tests.naive_release import covered, stretches
from tests.operators.scripted import (
    ACTIONS,
    BLOCK,
    PLANS,
    WARN,
    Hasty,
    Plan,
    Planned,
    Script,
    Words,
    guard,
    held,
    mark,
    planned,
    possible,
    script,
)  # fmt: skip
from tests.stages import (
    CLOSE,
    CUTS,
    END,
    START,
    TEXT,
    Make,
    cut,
    lane_of,
    of_version,
    outcomes,
    records,
    released,
    run,
    say,
    whole,
    woven,
)  # fmt: skip

TURNS = st.lists(st.integers(0, 3), max_size=40)
RELOADS = st.sets(st.integers(0, 8))
TEXTS = st.text("aé漢😀 ", max_size=40)


def let_go(text: str, plan: Plan) -> str:
    """What may leave of a text."""
    matches = [p.match for p in plan if ACTIONS[p.match.code] == Action.REDACT]
    fatal = [Planned(m, min(decided, len(text) + 1)) for m, decided in plan if m.code == BLOCK]
    if not fatal:
        return covered(text, matches)
    at = min(p.decided for p in fatal)
    upto = len(text) if at > len(text) else mark(plan, at)
    return covered(text, matches, min([upto, *(m.begin for m, decided in fatal if decided == at)]))


@settings(max_examples=400, deadline=None)
@given(TEXTS, PLANS, CUTS, CUTS, RELOADS)
def test_what_leaves_is_what_a_slow_twin_lets_go(
    text: str, plan: Plan, chunks: list[int], cuts: list[int], reload: set[int]
) -> None:
    plan = possible(text, plan)
    expected = let_go(text, plan)
    make = script({("s", 0): plan})
    for packets in (
        run(make, whole("s", text, chunks), cuts, reload),
        run(make, whole("s", text, range(40))),
        run(make, whole("s", text)),
    ):
        assert "".join(released(packets).values()) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, PLANS, st.integers(0, 1), st.booleans(), CUTS), max_size=4),
    TURNS,
    CUTS,
    RELOADS,
)
def test_every_record_and_its_number_is_the_same_however_packets_are_cut(
    texts: list[tuple[str, Plan, int, bool, list[int]]], turns: list[int], cuts: list[int], reload: set[int]
) -> None:
    plans: dict[tuple[str, int], Plan] = {}
    speeches = []
    for i, (text, plan, item, over, chunks) in enumerate(texts):
        stream = f"s{i % 3}"
        plans.setdefault((stream, item), possible(text, plan))
        speeches.append(
            [(stream, Delta(START, "{}")), *say(stream, text, chunks, item=item)]
            + [(stream, Delta(END))] * over
        )
    make, said = script(plans), woven(speeches, turns)
    once = run(make, said)
    again = run(make, said, cuts, reload)
    assert records(again) == records(once)
    assert released(again) == released(once)
    assert [record[0] for record in records(once)] == list(range(len(records(once))))


@settings(max_examples=200, deadline=None)
@given(TEXTS, PLANS, CUTS, st.lists(st.integers(0, 16), max_size=3), RELOADS)
def test_the_ledgers_count_what_a_slow_twin_counts(
    text: str, plan: Plan, chunks: list[int], cuts: list[int], reload: set[int]
) -> None:
    plan = [p for p in possible(text, plan) if p.match.code != BLOCK]
    covers = [p.match for p in plan if ACTIONS[p.match.code] == Action.REDACT]
    make, pieces = script({("s", 0): plan}), cut(text, chunks)
    (end,) = [r for r in records(run(make, whole("s", text, chunks), cuts, reload)) if "END" in r]
    hidden = {c for match in covers for c in range(match.begin, match.stop)}
    reads = [sum(map(len, pieces[: i + 1])) for i in range(len(pieces))]
    came = [i for i, piece in enumerate(pieces) for _ in piece]
    firsts = [stretch[0] for stretch in stretches(covers)]

    def gone(read: int) -> int:
        upto = mark(plan, read)
        return min([upto, *(first.begin for first in firsts if first.begin < upto < first.stop)])

    left = [
        next((i for i, read in enumerate(reads) if gone(read) > c), len(pieces)) for c in range(len(text))
    ]
    waits = [min(left[c], len(pieces) - 1) - came[c] for c in range(len(text)) if c not in hidden]
    mean = sum(waits) / max(len(waits), 1)
    assert end[5:] == (len(pieces), len(text), len(covered(text, covers)), mean, max(waits, default=0))
    held = [read - gone(read) for read in reads if gone(read) < read]
    stages = make()
    for said in cut(whole("s", text, chunks)[:-1], cuts):
        pass_through(stages, pack(0, said, now=0))
    entries = {entry.code: entry for entry in stages[-1].ledger(0)} if text else {}
    assert (entries[9][1:4] if 9 in entries else (0, 0, 0)) == (sum(held), max(held, default=0), len(held))
    known = [p.match.code for p in plan if p.decided <= len(text)]
    for code in range(9):
        matches, leaked = entries[code][5:] if code in entries else (0, 0)
        assert (matches, leaked) == (known.count(code), 0)


def test_what_had_left_when_it_was_decided_is_counted_as_leaked() -> None:
    """A gate that lets its own match go breaks its promise, and is found out."""

    class Careless(Script):
        def update(self, packet: Packet) -> Packet:
            packet = super().update(packet)
            packet.vetted["upto"] = packet.deltas["begin"][packet.vetted["delta"]] + 3
            return packet

    for code, leaked in ((0, 3), (WARN, 0)):
        plans = {("s", 0): [planned(3, 6, code, 0, False)]}
        directory, _, policy, last = script(plans)()
        assert isinstance(last, Release)
        gate = Careless(plans)
        for said in cut(whole("s", "aaabbbcccddd", range(0, 12, 3))[:-1], range(9)):
            pass_through([directory, gate, policy, last], pack(0, said, now=0))
        (entry,) = (entry for entry in last.ledger(0) if entry.code == code)
        assert (entry.matches, entry.leaked) == (1, leaked)


def test_a_policy_that_only_monitors_changes_nothing_of_the_text() -> None:
    plans = {("s", 0): [planned(2, 4, 7, 0, False), planned(8, 4, 8, 0, False)]}
    packets = run(script(plans), whole("s", "a long sentence", range(15)))
    assert "".join(released(packets).values()) == "a long sentence"
    said = [record[3] for record in records(packets) if record[1] == "verdicts"]
    assert said == [Action.WOULD_REDACT, Action.WOULD_BLOCK]


BLOCKER = guard(["bab", "a b"], [Action.BLOCK, Action.REDACT])


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
    words = ["abcd-x", "d-x"]
    make = guard([words[i] for i in order], [Action.BLOCK, Action.BLOCK])
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
    directory, gate, policy, last = guard(["key!"], [Action.BLOCK])()
    packets = run(lambda: [directory, gate, policy, Analyst(), last], whole("s", "some key! here"))
    assert list(released(packets).values()) == ["some "]
    assert outcomes(packets)[-1] == ("s", "END", "BLOCKED")


def test_text_that_nobody_vetted_is_never_released() -> None:
    packets = run(lambda: [Directory(), Policy([]), Release([], 100)], whole("s", "secret", [2, 4]))
    assert released(packets) == {}
    assert outcomes(packets) == [("s", "START", "NONE"), ("s", "END", "STOP")]


def test_more_held_text_than_promised_is_an_error_and_damages_nothing() -> None:
    stage, directory, gate = Release(["", ""], 4), Directory(), Words([])
    open_lane = gate.update(directory.update(pack(0, say("t", "still here"), now=0)))
    stage.update(open_lane)
    packet = directory.update(pack(0, [*say("s", "123456"), *say("s", "789")], now=0))
    with pytest.raises(RuntimeError, match="more than 8 waiting characters"):
        stage.update(packet)
    failed = stage.update(packet.having(failed="too much"))
    assert outcomes([failed])[-2:] == [("s", "ERROR", "NONE"), ("s", "END", "ERROR")]
    after = stage.update(gate.update(directory.update(pack(0, say("t", "!" * 50), now=0))))
    assert list(released([after]).values()) == ["!" * 50]
    assert stage._queued == stage._lanes["length"].sum()


@pytest.mark.parametrize("cuts", [[], [1], [3], range(20)])
def test_a_failed_packet_releases_nothing_and_ends_its_streams(cuts: list[int]) -> None:
    stages = guard(["ab"], [Action.REDACT])()
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
    make = guard(["a" * 300], [Action.REDACT], 300)
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
        Release([""], 8).load(of_version(Release([""], 8).dump(), 9))


def test_streams_that_ended_leave_no_state() -> None:
    stages = guard(["ab", "b a"], [Action.REDACT, Action.BLOCK])()
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
    make: Make = guard(["ab"], [Action.REDACT])
    stage = make()[-1]
    assert isinstance(stage, Release)
    stage.warm()
    before = len(kernels.release.signatures)
    for text in ("x", "ab", "ab ab ab a"):
        run(make, whole("s", text, [1, 2, 9]), range(9), {1, 2, 3, 4})
    assert len(kernels.release.signatures) == before


def test_finish_and_order_of_the_records_of_one_stream() -> None:
    packets = run(guard(["ab"], [Action.REDACT]), [*whole("s", "x ab y"), *whole("t", "")])
    lane = lane_of(packets[0], 0)
    kinds = [record[1] if record[1] != "outcomes" else record[3] for record in records(packets)]
    assert kinds == ["START", "findings", "verdicts", "releases", "END", "START", "END"]
    assert released(packets) == {lane: "x <0> y"}
    assert outcomes(packets)[1] == ("s", "END", Finish.STOP.name)


def fails(stages: list[Any], said: list[Any], where: int) -> Packet:
    """A packet that the stage numbered `where` could not process, as ``operators.slots`` shows it on."""
    packet = pack(0, said, now=0)
    for number, stage in enumerate(stages):
        if number >= where and stage is not stages[-1]:
            closing = packet.deltas[packet.deltas["kind"] == CLOSE]
            closing["start"] = closing["end"] = 0
            stage.update(Packet(0, 0, packet.lanes, closing, b"", opened=packet.opened))
            packet = packet.having(failed="a stage: internal error (ValueError)")
        else:
            packet = stage.update(packet)
    return packet


@pytest.mark.parametrize("where", [1, 2])
def test_fail_open_lets_the_text_of_a_failed_packet_leave_with_an_error_and_a_warning(
    where: int, caplog: pytest.LogCaptureFixture
) -> None:
    stages = guard(["ab", "key!"], [Action.REDACT, Action.BLOCK], fail_open=True)()
    packets = [pass_through(stages, pack(0, whole("s", "clean ab a")[:-1], now=0))]
    packets.append(fails(stages, [*say("s", "b key! x"), *whole("t", "ab")], where))
    packets.append(pass_through(stages, pack(0, [*say("s", " ab key! y"), *whole("u", "ab")], now=0)))
    packets.append(pass_through(stages, pack(0, [("s", Delta(END)), *whole("s", "ab key! z")], now=0)))
    texts = {lane.stream: text for lane, text in released(packets).items()}
    rest = " ab key! y" if where == 1 else " <0> "
    assert texts == {"s": f"clean <0> ab key! x{rest}<0> ", "t": "ab", "u": "<0>"}
    assert [record for record in outcomes(packets) if record[1] == "ERROR"] == [
        ("s", "ERROR", "NONE"), ("t", "ERROR", "NONE")
    ]  # fmt: skip
    assert packets[1].failed == "a stage: internal error (ValueError); fail_open: the text left unvetted"
    assert "leave unvetted (fail_open)" in caplog.text
    assert "key" not in caplog.text
    assert [r[0] for r in records(packets)] == list(range(len(records(packets))))
    assert not stages[-1]._queued
    assert not len(stages[-1]._streams.live())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 3)), max_size=6), CUTS, st.booleans())
def test_fail_open_loses_and_doubles_nothing(
    parts: list[tuple[str, int]], chunks: list[int], fail_open: bool
) -> None:
    """However often a stage fails: with no rules in the way, what came is what leaves."""
    stages = guard([], [], fail_open=fail_open)()
    packets = [pass_through(stages, pack(0, [("s", Delta(START, "{}"))], now=0))]
    for text, where in parts:
        said = say("s", text, chunks)
        failing = 0 < where < 3 and fail_open
        packets.append(fails(stages, said, where) if failing else pass_through(stages, pack(0, said, now=0)))
    packets.append(pass_through(stages, pack(0, [("s", Delta(END))], now=0)))
    assert "".join(released(packets).values()) == "".join(text for text, _ in parts)
    assert outcomes(packets)[-1] == ("s", "END", "NONE")


def test_what_fails_before_it_has_a_row_or_in_release_itself_fails_closed() -> None:
    stages = guard([], [], 4, fail_open=True)()
    unnamed = stages[-1].update(pack(0, say("s", "secret"), now=0).having(failed="directory: boom"))
    assert outcomes([unnamed]) == [("s", "ERROR", "NONE")]
    gate = Script({("s", 0): [planned(0, 9, 0, 0, False)]})
    said = [("s", Delta(START, "{}")), *say("s", "12345678"), *say("s", "9")]
    packet = gate.update(stages[0].update(pack(0, said, now=0)))
    packet.vetted["upto"] = 0
    with pytest.raises(RuntimeError, match="more than 8 waiting characters"):
        stages[-1].update(packet)
    failed = stages[-1].update(packet.having(failed="release: internal error (RuntimeError)"))
    assert outcomes([failed])[-1] == ("s", "END", "ERROR")
    assert failed.released == b""


def test_a_hash_needs_a_key_and_another_key_is_another_hash() -> None:
    with pytest.raises(ValueError, match="a hash needs a key"):
        guard(["key!"], [Action.REDACT], styles=[Style.HASH, Style.LABEL])()
    seen = set()
    for key in (b"one", b"two", b"one"):
        make = guard(["key!"], [Action.REDACT], styles=[Style.HASH, Style.LABEL], key=key)
        (text,) = released(run(make, whole("s", "a key! and key!", [4]))).values()
        assert re.fullmatch(r"a (<0:[0-9a-f]{12}>) and \1", text)
        assert key not in make()[-1].dump()
        seen.add(text)
    assert len(seen) == 2


def reached(text: str, plan: Plan) -> list[tuple[Planned, int]]:
    """A hasty gate's matches, each cut to what had not been decided before it was, and its ``upto``."""
    out, holds = [], held(plan)
    for match, at in plan:
        known = min(at, len(text) + 1)
        before = mark(holds, known - 1)
        now = len(text) if known > len(text) else mark(holds, known)
        begin = max(match.begin, before)
        out.append((Planned(match._replace(begin=begin), known), max(before, min(now, match.begin))))
    return [each for each in out if each[0].match.begin < each[0].match.stop or each[0].match.code == BLOCK]


def left(text: str, plan: Plan) -> str:
    """What may leave behind a hasty gate."""
    found = reached(text, plan)
    fatal = [(match.decided, upto) for match, upto in found if match.match.code == BLOCK]
    covers = [p.match for p, _ in found if ACTIONS[p.match.code] == Action.REDACT]
    first = min((decided for decided, _ in fatal), default=0)
    return covered(text, covers, min([len(text), *(upto for decided, upto in fatal if decided == first)]))


@settings(max_examples=400, deadline=None)
@given(TEXTS, PLANS, CUTS, CUTS, RELOADS)
def test_a_match_that_is_found_late_reaches_nothing_that_was_decided_however_packets_are_cut(
    text: str, plan: Plan, chunks: list[int], cuts: list[int], reload: set[int]
) -> None:
    plan = possible(text, plan)
    make = script({("s", 0): plan}, Hasty)
    said = whole("s", text, chunks)
    once, again = run(make, said), run(make, said, cuts, reload)
    assert records(again) == records(once)
    assert released(again) == released(once)
    fine = run(make, whole("s", text, range(40)), range(42))
    expected = left(text, plan)
    for packets in (once, fine):
        assert "".join(released(packets).values()) == expected


def test_what_a_late_match_did_not_reach_is_counted_as_leaked_however_packets_are_cut() -> None:
    plans = {("s", 0): [planned(2, 6, 4, 3, False)]}
    for chunks, cuts in (([], []), ([5, 9], []), (range(12), []), (range(12), range(20))):
        stages = script(plans, Hasty)()
        last = stages[-1]
        assert isinstance(last, Release)
        for said in cut(whole("s", "aabbbbbbcccc", chunks)[:-1], cuts):
            pass_through(stages, pack(0, said, now=0))
        (entry,) = (entry for entry in last.ledger(0) if entry.code == 4)
        assert (entry.matches, entry.leaked) == (1, 6)


def test_a_detecting_rule_blocks_from_the_watermark_on_whatever_the_cutting() -> None:
    class Late(Script):
        """Finds a match and has held nothing back for it."""

        def update(self, packet: Packet) -> Packet:
            packet = super().update(packet)
            ends = packet.deltas["begin"] + packet.deltas["chars"]
            packet.vetted["upto"] = ends[packet.vetted["delta"]]
            packet.findings["upto"] = packet.findings["decided"]
            return packet

    plans = {("s", 0): [planned(2, 4, BLOCK, 0, False)]}
    for chunks in ([], range(12), [3], [7]):
        directory, _, policy, last = script(plans)()
        stages = [directory, Late(plans), policy, last]
        packets = [pass_through(stages, pack(0, whole("s", "aabbbbcccc", chunks), now=0))]
        assert list(released(packets).values()) == ["aabbbb"]
