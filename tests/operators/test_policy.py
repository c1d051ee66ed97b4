"""Verdicts: one look-up for a finding, one word per crossing for a signal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.directory import Directory
from operators.packet import FINDING, SAMPLE, Action, Packet, Reach, joined
from operators.policy import Policy, Threshold
from tests.stages import CUTS, TEXT, lane_of, run, whole, woven

ACTIONS = [Action.ALLOW, Action.WARN, Action.BLOCK, Action.STEER, Action.REDACT]
LOOP = Threshold("loop", 1, signal=4, below=0.3, after=3)
STALL = Threshold("stall", 2, signal=0, above=0.7)
BOTH = Threshold("band", 3, signal=4, above=0.8, below=0.1)
QUIET = Threshold("quiet", 0, signal=4, above=0.5)


class Meter:
    """A detector for tests: every text is a number of ten, measured as signals 4 and 0; a 7 is a finding."""

    def update(self, packet: Packet) -> Packet:
        samples, findings = [], []
        for i, delta in enumerate(packet.deltas):
            text = packet.text[delta["start"] : delta["end"]].decode()
            if delta["kind"] == TEXT:
                value = int(text) / 10 if text.isdigit() else math.nan
                stop = delta["begin"] + 1
                samples += [(i, delta["row"], signal, delta["begin"], stop, stop, value) for signal in (4, 0)]
                rest = 0, 1, stop, 0, 0, 0, 0.0, 0.0, 0, 0
                findings += [(i, delta["row"], Reach.RULE, c, 1.0, *rest) for c in range(5)] * (text == "7")
        return packet.having(
            samples=np.array(samples, SAMPLE), findings=joined(packet.findings, np.array(findings, FINDING))
        )

    def dump(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        assert state == b""


def stages() -> list[Any]:
    return [Directory(), Meter(), Policy(ACTIONS, [LOOP, STALL, BOTH, QUIET])]


def verdicts(packets: list[Packet]) -> list[tuple[Any, ...]]:
    """Lane, place in it, action, code and value of the verdicts on signals."""
    return [
        (lane_of(p, v["delta"]), int(v["decided"]), int(v["action"]), int(v["code"]), float(v["value"]))
        for p in packets
        for v in p.verdicts
        if v["finding"] < 0
    ]


def spoken(numbers: str) -> list[tuple[int, int]]:
    """Place and code of the verdicts on one lane."""
    return [(v[1], v[3]) for v in verdicts(run(stages, whole("s", numbers, range(40))))]


def test_a_threshold_speaks_once_until_the_signal_has_come_back() -> None:
    assert [place for place, code in spoken("5998989595") if code == 2] == [2, 9]


def test_the_limit_itself_is_not_beyond_it() -> None:
    assert not [code for _, code in spoken("3333") if code == 1]
    assert [place for place, code in spoken("33332") if code == 1] == [5]


def test_nothing_is_judged_before_enough_of_the_lane_has_passed() -> None:
    assert [place for place, code in spoken("1111") if code == 1] == [4]
    assert [place for place, code in spoken("1141") if code == 1] == [4]


def test_both_sides_of_a_band_are_one_crossing() -> None:
    assert [place for place, code in spoken("590955") if code == 3] == [2]
    assert [place for place, code in spoken("590509") if code == 3] == [2, 5]


def test_what_is_no_number_is_beyond_nothing() -> None:
    assert not spoken("xxxx")


def test_what_the_policy_allows_is_not_said() -> None:
    assert not [code for _, code in spoken("9090") if code == 0]


def slow(numbers: str, threshold: Threshold) -> list[int]:
    """Places where a signal crosses, found one by one."""
    out, beyond = [], False
    for place, number in enumerate(numbers):
        if place >= threshold.after:
            was, beyond = beyond, not threshold.below <= int(number) / 10 <= threshold.above
            out += [place + 1] * (beyond and not was)
    return out


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(*[st.text("0123456789", max_size=12)] * 2),
    st.lists(st.integers(0, 1)),
    CUTS,
    st.sets(st.integers(0, 6)),
)
def test_packets_and_restarts_do_not_change_a_verdict(
    texts: tuple[str, str], turns: list[int], cuts: list[int], reload: set[int]
) -> None:
    said = woven([whole(name, text, range(12)) for name, text in zip("st", texts, strict=True)], turns)
    got = verdicts(run(stages, said, cuts, reload))
    assert got == verdicts(run(stages, said))
    for name, text in zip("st", texts, strict=True):
        for threshold in (LOOP, STALL, BOTH):
            places = [v[1] for v in got if v[0].stream == name and v[3] == threshold.code]
            assert places == slow(text, threshold)


def test_a_row_given_to_another_lane_has_crossed_nothing_yet() -> None:
    packets = run(stages, [*whole("s", "99", [1]), *whole("t", "9")], [4])
    assert packets[0].opened["row"].tolist() == packets[1].opened["row"].tolist()
    assert [v[0].stream for v in verdicts(packets) if v[3] == 2] == ["s", "t"]


def test_a_finding_is_judged_by_its_code_alone() -> None:
    (packet,) = run(stages, whole("s", "57", [1]))
    judged = packet.verdicts[packet.verdicts["finding"] >= 0]
    assert judged["code"].tolist() == [1, 2, 3, 4]
    assert judged["action"].tolist() == ACTIONS[1:]
    for verdict in judged:
        finding = packet.findings[verdict["finding"]]
        assert all(verdict[name] == finding[name] for name in ("delta", "row", "code", "value", "decided"))


def test_what_is_only_monitored_is_judged_like_the_rest() -> None:
    would = [Action.WOULD_REDACT, Action.WOULD_BLOCK, Action.ALLOW, Action.WOULD_BLOCK, Action.ALLOW]
    packets = run(lambda: [Directory(), Meter(), Policy(would, [LOOP, STALL, BOTH])], whole("s", "57", [1]))
    told = [(int(v["code"]), int(v["action"]), v["finding"] < 0) for v in packets[0].verdicts]
    rules = [(0, Action.WOULD_REDACT, False), (1, Action.WOULD_BLOCK, False), (3, Action.WOULD_BLOCK, False)]
    assert told == rules


def test_an_empty_policy_judges_nothing() -> None:
    packets = run(lambda: [Directory(), Meter(), Policy([Action.ALLOW] * 5)], whole("s", "5790", range(9)))
    assert not any(len(packet.verdicts) for packet in packets)


def test_a_threshold_without_a_limit_or_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold 'x' must have `above` or `below`"):
        Policy([1], [Threshold("x", 0, 0)])
    with pytest.raises(ValueError, match="65 thresholds, a lane keeps track of 64"):
        Policy([1], [STALL] * 65)


def test_the_64th_threshold_has_a_bit_of_its_own() -> None:
    last = Threshold("last", 1, 4, above=0.5)
    many = [Threshold("high", 2, 4, above=99.0)] * 63
    packets = run(
        lambda: [Directory(), Meter(), Policy(ACTIONS, [*many, last])], whole("s", "6696", range(9))
    )
    assert [v[1] for v in verdicts(packets)] == [1]
