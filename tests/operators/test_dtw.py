"""Patterns as a stage: lanes apart, packets and restarts unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.dtw import Dtw, Pattern
from operators.kernels.dtw import spring_update
from operators.packet import FINDING, Packet, Reach, Signal
from tests import naive
from tests.operators.slicing import Said, findings, packets, told

STEP = Pattern("step", int(Signal.GAP), (0.0, 0.0, 2.0, 2.0), 0.1, 7)
PEAK = Pattern("peak", int(Signal.GAP), (0.0, 2.0, 0.0), 0.1, 8)
WORD = Pattern("word", int(Signal.NOVELTY), (1.0, 0.0), 0.05, 9)
PATTERNS = [PEAK, WORD, STEP]

values = st.sampled_from([0.0, 0.25, 1.0, 2.0, 2.25])
deltas = st.builds(
    Said,
    st.integers(0, 2),
    st.lists(st.tuples(st.sampled_from([int(Signal.GAP), int(Signal.NOVELTY)]), values), max_size=3).map(
        tuple
    ),
    st.just(False),
)


@settings(deadline=None)
@given(st.lists(deltas, max_size=40), st.data())
def test_cutting_interleaving_and_restarts_change_nothing(said: list[Said], data: st.DataObject) -> None:
    said = [*said, *(Said(row, closes=True) for row in sorted({one.row for one in said}))]
    cuts = data.draw(st.lists(st.integers(0, len(said)), max_size=5))
    whole = findings(Dtw(PATTERNS), packets(said, []))
    assert findings(Dtw(PATTERNS), packets(said, cuts)) == whole
    assert findings(Dtw(PATTERNS), packets(said, cuts), restart=Dtw(PATTERNS)) == whole
    for row in range(3):
        alone = findings(Dtw(PATTERNS), packets([one for one in said if one.row == row], cuts[:0]))
        assert alone == [found for found in whole if found[0] == row]


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=40))
def test_findings_are_those_of_the_paper(lane: list[float]) -> None:
    x, pattern = np.array(lane), np.array(STEP.values)
    (packet,) = packets(told([x]), [])
    found = Dtw([STEP]).update(packet).findings
    expected = [
        (len(x) if m.decided < 0 else m.decided, m.distance / 4, 3 * m.first, 3 * m.last + 3)
        for m in naive.spring(x, pattern, STEP.within * 4)
    ]
    assert found[["delta", "value", "begin", "stop"]].tolist() == expected


def test_a_finding_names_its_code_and_kind_and_comes_with_the_close_at_the_latest() -> None:
    said = told([np.array([5.0, 0.0, 0.0, 2.0])])
    (packet,) = packets(said, [])
    (found,) = Dtw(PATTERNS).update(packet).findings
    assert found.item() == (len(said) - 1, 0, Reach.DTW, 7, 0.0, 6, 12, 12, 0, 0, 0)


def test_findings_stay_in_the_order_of_their_deltas_behind_those_already_there() -> None:
    (packet,) = packets(told([np.array([0.0, 2.0, 0.0, 9.0, 9.0, 0.0, 2.0, 0.0])]), [])
    there = np.zeros(3, FINDING)
    there["delta"], there["code"] = [0, 3, 8], -1
    found = Dtw([PEAK]).update(packet.having(findings=there)).findings
    assert found[["delta", "code"]].tolist() == [(0, -1), (3, -1), (3, 8), (8, -1), (8, 8)]


def test_a_row_given_out_again_starts_afresh() -> None:
    stage = Dtw([STEP])
    first = told([np.array([9.0, 0.0, 0.0])])
    second = told([np.array([2.0, 2.0, 9.0])])
    assert findings(stage, packets(first, [])) == []
    assert findings(stage, packets(second, [])) == []


def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Dtw(PATTERNS)
    stage.warm()
    if not hasattr(spring_update, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    known = len(spring_update.signatures)
    for packet in packets(told([np.zeros(5), np.ones(3)]), [1, 2, 4]):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert len(spring_update.signatures) == known == 1


def test_no_patterns_find_nothing() -> None:
    assert findings(Dtw([]), packets(told([np.zeros(4)]), [2])) == []


def test_state_of_eight_patterns_of_32_stays_under_4_kib() -> None:
    stage = Dtw([Pattern(str(k), 0, (1.0,) * 32, 0.1, k) for k in range(8)])
    (packet, *_) = packets(told([np.zeros(4)]), [2])
    empty = len(stage.dump())
    stage.update(packet)
    assert len(stage.dump()) - empty <= 4096


def test_state_of_other_patterns_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Dtw([STEP]).load(Dtw([PEAK]).dump())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"values": ()}, "finite"),
        ({"values": (0.0, float("nan"))}, "finite"),
        ({"signal": 256}, "signal"),
        ({"within": -0.1}, "within"),
        ({"within": float("inf")}, "within"),
    ],
)
def test_a_wrong_pattern_is_refused_by_name(change: dict[str, object], what: str) -> None:
    fields: dict[str, object] = {"name": "odd", "signal": 0, "values": (1.0,), "within": 0.1, "code": 0}
    with pytest.raises(ValueError, match=f"'odd' .*{what}"):
        Dtw([Pattern(**{**fields, **change})])  # type: ignore[arg-type]
