"""Patterns as a stage: lanes apart, packets and restarts unseen, and patterns that come while it runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.dtw import Dtw, Pattern
from operators.kernels import spring, windows
from operators.kernels.spring import spring_update
from operators.kernels.windows import windows_update
from operators.packet import FINDING, Called, Packet, Reach, Shape, Signal
from tests import naive_spring
from tests.operators.slicing import Said, findings, packets, told
from tests.stages import of_version

GAP, NOVELTY = int(Signal.GAP), int(Signal.NOVELTY)
STEP = Pattern("step", GAP, (0.0, 0.0, 2.0, 2.0), 0.1, 7)
PEAK = Pattern("peak", GAP, (0.0, 2.0, 0.0), 0.1, 8)
WORD = Pattern("word", NOVELTY, (1.0, 0.0), 0.05, 9)
FORM = Pattern("form", GAP, (0.0, 1.0, 0.0, 0.0), 0.2, 10, normalised=True)
FALL = Pattern("fall", GAP, (5.0, 3.0), 0.2, 11, normalised=True)
PATTERNS = [PEAK, FORM, WORD, STEP, FALL]
ERROR, LIVE = 12, 1 << 20

values = st.sampled_from([0.0, 0.25, 1.0, 2.0, 2.25, float("nan")])
samples = st.lists(st.tuples(st.sampled_from([GAP, NOVELTY]), values), max_size=3)
deltas = st.lists(st.builds(Said, st.integers(0, 2), samples.map(tuple), st.just(False)), max_size=40)
few_examples = settings(deadline=None, max_examples=50)


def shape(pattern: Pattern, name: str = "") -> Shape:
    """What orders a running stage to look for `pattern`."""
    fields = pattern.signal, pattern.values, pattern.within, pattern.normalised, pattern.radius
    return Shape(name or pattern.name, *fields, action=1, reason="why not")


def closed(said: Sequence[Said]) -> list[Said]:
    return [*said, *(Said(row, closes=True) for row in sorted({one.row for one in said}))]


def run(stage: Dtw, told: Sequence[Packet], restart: int = -1) -> list[Packet]:
    """The packets behind the stage; before the one numbered `restart`, a new one takes over."""
    out = []
    for place, packet in enumerate(told):
        if place == restart:
            dumped = stage.dump()
            stage = Dtw(PATTERNS, ERROR, LIVE)
            stage.load(dumped)
        out.append(stage.update(packet))
    return out


def rows(told: Sequence[Packet]) -> list[tuple[object, ...]]:
    return [tuple(row.item()) for packet in told for row in packet.findings]


@few_examples
@given(deltas, st.data())
def test_cutting_interleaving_and_restarts_change_nothing(said: list[Said], data: st.DataObject) -> None:
    said = closed(said)
    cuts = data.draw(st.lists(st.integers(0, len(said)), max_size=5))
    whole = findings(Dtw(PATTERNS, ERROR), packets(said, []))
    assert findings(Dtw(PATTERNS, ERROR), packets(said, cuts)) == whole
    assert findings(Dtw(PATTERNS, ERROR), packets(said, cuts), restart=Dtw(PATTERNS, ERROR)) == whole
    for row in range(3):
        alone = findings(Dtw(PATTERNS, ERROR), packets([one for one in said if one.row == row], []))
        assert alone == [found for found in whole if found[0] == row]


@few_examples
@given(st.lists(values, min_size=1, max_size=40), st.sampled_from([STEP, FORM]))
def test_findings_are_those_of_the_slow_twins(lane: list[float], pattern: Pattern) -> None:
    x, y = np.array(lane), np.array(pattern.values)
    places = np.flatnonzero(np.isfinite(x))
    (packet,) = packets(told([x]), [])
    found = Dtw([pattern]).update(packet).findings
    matches = (
        naive_spring.windows(x[places], y, 1, pattern.within * 4)
        if pattern.normalised
        else naive_spring.spring(x[places], y, pattern.within * 4)
    )
    expected = [
        (
            len(x) if m.decided < 0 else places[m.decided],
            3 * places[m.first],
            3 * places[m.last] + 3,
            m.distance,
        )
        for m in matches
    ]
    assert found[["delta", "begin", "stop"]].tolist() == [each[:3] for each in expected]
    assert found["value"].tolist() == pytest.approx([each[3] / 4 for each in expected], abs=1e-9)


@few_examples
@given(deltas, st.integers(0, 40), st.integers(0, 40), st.sampled_from([STEP, PEAK, FORM, FALL]), st.data())
def test_a_pattern_that_comes_begins_empty_and_the_others_go_on(
    said: list[Said], first: int, second: int, pattern: Pattern, data: st.DataObject
) -> None:
    said = closed(said)
    cuts = sorted(min(cut, len(said)) for cut in (first, second))
    packed = packets(said, cuts)
    packed[1] = packed[1].having(shapes=(shape(pattern, "live"),))
    out = run(Dtw(PATTERNS, ERROR, LIVE), packed, restart=data.draw(st.integers(-1, 2)))
    without = run(Dtw(PATTERNS, ERROR, LIVE), packets(said, cuts))
    assert [row for row in rows(out) if row[3] < LIVE] == rows(without)
    # As if the lanes had begun with that packet: what a stage finds that has seen nothing of the first.
    other = Dtw([pattern])
    opening = packed[0].having(samples=packed[0].samples[:0])
    alone = run(other, [opening, *packets(said, cuts)[1:]])
    assert [row[:3] + row[4:] for row in rows(out) if row[3] == LIVE] == [r[:3] + r[4:] for r in rows(alone)]


def test_findings_of_a_pattern_that_came_are_called_by_its_name() -> None:
    first, second = packets(told([np.array([9.0, 0.0, 2.0, 0.0, 9.0, 9.0])]), [3])
    stage = Dtw([], ERROR, LIVE)
    there = (Called(5, "of another stage", "", 2),)
    first = stage.update(first.having(shapes=(shape(WORD), shape(PEAK)), called=there))
    assert (len(first.findings), first.called) == (0, there)
    second = stage.update(second.having(called=there))
    assert second.findings["code"].tolist() == [LIVE + 1]
    assert second.called == (*there, Called(LIVE + 1, "peak", "why not", 1))


def test_a_shape_of_a_name_already_there_takes_its_place_and_begins_anew() -> None:
    x = np.array([9.0, 0.0, 2.0, 0.0, 9.0, 0.0, 2.0, 0.0, 9.0])
    begun, rest = packets(told([x]), [3])  # in the midst of the first peak
    stage = Dtw([], ERROR, LIVE)
    stage.update(begun.having(shapes=(shape(WORD), shape(PEAK))))
    other = shape(PEAK)._replace(within=PEAK.within / 2)
    found = stage.update(rest.having(shapes=(other,))).findings
    assert found[["code", "begin"]].tolist() == [(LIVE + 2, 15)]


def test_a_shape_that_is_looked_for_already_changes_nothing() -> None:
    x = np.array([9.0, 0.0, 2.0, 0.0, 9.0, 0.0, 2.0, 0.0, 9.0])
    begun, rest = packets(told([x]), [3])
    stage = Dtw([], ERROR, LIVE)
    stage.update(begun.having(shapes=(shape(WORD), shape(PEAK))))
    found = stage.update(rest.having(shapes=(shape(PEAK),))).findings
    assert found[["code", "begin"]].tolist() == [(LIVE + 1, 3), (LIVE + 1, 15)]
    assert stage.state_bytes == Dtw([WORD, PEAK]).state_bytes


def test_patterns_that_came_survive_a_restart_with_their_codes() -> None:
    stage = Dtw(PATTERNS, ERROR, LIVE)
    stage.update(packets(told([np.zeros(2)]), [])[0].having(shapes=(shape(PEAK, "a"), shape(FORM, "b"))))
    again = Dtw(PATTERNS, ERROR, LIVE)
    again.load(stage.dump())
    assert again.dump() == stage.dump()
    (packet,) = packets(told([np.array([9.0, 0.0, 2.0, 0.0, 9.0, 9.0])]), [])
    for each in (stage, again):
        out = each.update(packet.having(shapes=(shape(PEAK, "c"),)))
        assert {LIVE, LIVE + 2} <= set(out.findings["code"].tolist())
        assert [(called.code, called.name) for called in out.called if called.name != "b"] == [
            (LIVE, "a"),
            (LIVE + 2, "c"),
        ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"values": ()}, "2 to 4096 values"),
        ({"values": (0.0, float("inf"))}, "finite"),
        ({"values": (0.0, None)}, "float"),
        ({"values": (0.0, 10**400)}, "too large"),
        ({"values": (0.0, 1.0) * 257}, "512 values at most, not 514"),
        ({"values": (1.0, 1.0), "normalised": True}, "vary"),
        ({"within": -1.0}, "within"),
        ({"within": None}, "real number"),
        ({"signal": 99}, "signal that is known, not 99"),
        ({"signal": -1}, "signal of 0 to 255"),
        ({"name": "word"}, "a name that no pattern of the policy has"),
    ],
)
def test_a_shape_that_is_wrong_is_logged_and_passed_by(
    change: dict[str, object], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Dtw([WORD], ERROR, LIVE)
    (packet,) = packets(told([np.array([0.0, 2.0, 0.0, 9.0])]), [])
    wrong = shape(PEAK, "odd")._replace(**change)
    with caplog.at_level(logging.ERROR):
        found = stage.update(packet.having(shapes=(wrong, shape(PEAK)))).findings
    assert found["code"].tolist() == [LIVE]
    (record,) = caplog.records
    assert what in record.getMessage()


def test_so_many_patterns_may_come_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    many = tuple(shape(WORD, str(k)) for k in range(1025))
    stage = Dtw([], ERROR, LIVE)
    stage.update(packets(told([np.zeros(1)]), [])[0].having(shapes=many))
    assert stage.state_bytes == 1024 * (12 * 2 + 32) + 1
    assert ["'1024'" in record.getMessage() for record in caplog.records] == [True]
    stage.update(packets(told([np.zeros(1)]), [])[0].having(shapes=(shape(STEP, "7"),)))
    assert stage.state_bytes == 1024 * (12 * 2 + 32) + 1 + 12 * 2


def test_the_first_sample_of_a_lane_that_is_not_finite_is_an_error() -> None:
    nan, inf = float("nan"), float("inf")
    said = told([np.array([0.0, nan, inf, 0.0]), np.array([-inf, 0.0])])
    for cuts in ([], [3], range(len(said))):
        out = run(Dtw([STEP], ERROR), packets(said, cuts))
        kinds = [(row[1], *row[2:8]) for row in rows(out)]
        assert kinds == [(1, Reach.ERROR, ERROR, 0.0, 0, 3, 3), (0, Reach.ERROR, ERROR, 0.0, 3, 6, 6)]
    assert rows(run(Dtw([STEP]), packets(said, []))) == []


def test_a_finding_names_its_code_and_kind_and_comes_with_the_close_at_the_latest() -> None:
    said = told([np.array([5.0, 0.0, 0.0, 2.0])])
    (packet,) = packets(said, [])
    (found,) = Dtw([PEAK, WORD, STEP]).update(packet).findings
    assert found.item() == (len(said) - 1, 0, Reach.DTW, 7, 0.0, 6, 12, 12, 0, 0, 0, 0.0, 0.0, 0, 0)


def test_findings_stay_in_the_order_of_their_deltas_behind_those_already_there() -> None:
    (packet,) = packets(told([np.array([0.0, 2.0, 0.0, 9.0, 9.0, 0.0, 2.0, 0.0])]), [])
    there = np.zeros(3, FINDING)
    there["delta"], there["code"] = [0, 3, 8], -1
    found = Dtw([PEAK]).update(packet.having(findings=there)).findings
    assert found[["delta", "code"]].tolist() == [(0, -1), (3, -1), (3, 8), (8, -1), (8, 8)]


def test_within_a_delta_findings_stay_in_the_order_of_their_decision() -> None:
    said = [Said(0, ((GAP, 9.0), (GAP, 0.0), (GAP, 9.0), (GAP, 7.0), (GAP, 9.0), (GAP, 9.0)))]
    (packet,) = packets(closed(said), [])
    packet.samples["begin"] = np.arange(6)
    packet.samples["decided"] = packet.samples["stop"] = 1 + np.arange(6)
    flat = [Pattern(str(k), GAP, (7.0 * (k % 2),) * 2, 0.0, k) for k in range(40)]
    found = Dtw(flat).update(packet).findings
    assert found["decided"].tolist() == sorted(found["decided"].tolist())
    assert found["code"].tolist() == [*range(0, 40, 2), *range(1, 40, 2)]


def test_lanes_that_closed_are_not_dumped() -> None:
    stage = Dtw(PATTERNS, ERROR)
    empty = stage.dump()
    run(stage, packets(told([np.zeros(4), np.ones(2)]), [3]))
    assert stage.dump() == empty


def test_a_row_given_out_again_starts_afresh() -> None:
    stage = Dtw([STEP, FORM], ERROR)
    first = told([np.array([9.0, 0.0, 0.0])])
    second = told([np.array([2.0, 2.0, 9.0])])
    assert findings(stage, packets(first, [])) == []
    assert findings(stage, packets(second, [])) == []
    odd = told([np.array([float("nan")])])
    assert len(findings(stage, packets(odd, []))) == len(findings(stage, packets(odd, []))) == 1


def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Dtw(PATTERNS)
    stage.warm()
    if not hasattr(spring_update, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    known = len(spring_update.signatures), len(windows_update.signatures)
    for place, packet in enumerate(packets(told([np.zeros(5), np.ones(3)]), [1, 2, 4])):
        shapes = (shape(FORM, str(place)), shape(PEAK, f"{place}-too"))
        stage.update(Packet.from_bytes(packet.having(shapes=shapes).to_bytes()))
    assert (len(spring_update.signatures), len(windows_update.signatures)) == known == (1, 1)


def test_windows_are_compiled_only_where_a_pattern_may_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for module in (spring, windows):
        name = f"{module.__name__.rsplit('.', 1)[1]}_update"
        kernel = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, name=name, kernel=kernel: called.append(name) or kernel(*a)
        )
    for warm, expected in (
        (Dtw([]).warm, []),
        (Dtw([STEP]).warm, ["spring_update"]),
        (Dtw([FORM]).warm, ["windows_update"]),
        (Dtw(PATTERNS).warm, ["spring_update", "windows_update"]),
        (Dtw([]).warm_for_shapes, ["spring_update", "windows_update"]),
    ):
        called.clear()
        warm()
        assert called == expected


def test_no_patterns_find_nothing() -> None:
    assert findings(Dtw([]), packets(told([np.zeros(4)]), [2])) == []


def test_state_of_a_lane_is_12_bytes_a_value_and_32_a_pattern() -> None:
    assert Dtw([]).state_bytes == 1
    assert (
        Dtw([Pattern(str(k), 0, (1.0,) * 32, 0.1, k) for k in range(8)]).state_bytes == 8 * (12 * 32 + 32) + 1
    )
    normalised = [Pattern(str(k), 0, (1.0,) * k + (2.0,), 0.1, k, normalised=True) for k in range(1, 32)]
    assert Dtw(normalised).state_bytes == 31 * 32 + 12 * 32 + 1
    stage = Dtw([STEP])
    (packet, *_) = packets(told([np.zeros(4)]), [2])
    empty = len(stage.dump())
    stage.update(packet)
    assert len(stage.dump()) - empty <= stage.state_bytes + 24


@pytest.mark.parametrize("other", [[PEAK], [FORM], [Pattern("step", GAP, (0.0, 0.0, 2.0, 3.0), 0.1, 7)]])
def test_state_of_other_patterns_is_refused(other: list[Pattern]) -> None:
    with pytest.raises(ValueError, match=r"does not fit|another policy"):
        Dtw([STEP]).load(Dtw(other).dump())


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="state of version 9"):
        Dtw([STEP]).load(of_version(Dtw([STEP]).dump(), 9))
