"""Changes and silences as a stage: lanes apart, packets and restarts unseen, one finding a change."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators import drift
from operators.drift import Change, Drift, Wait
from operators.features import Features
from operators.kernels import adwin, bocpd, cusum, page_hinkley
from operators.packet import DELTA, FINDING, Delta, Kind, Packet, Reach, Signal, pack
from tests.operators import slicing
from tests.operators.slicing import Said, packets, told

Series = NDArray[np.float64]
METHODS = ("cusum", "page_hinkley", "adwin", "bocpd")
JIT = hasattr(cusum.cusum, "py_func")


def findings(stage: Drift, said: Iterable[Packet], restart: Drift | None = None) -> list[Any]:
    """Rows but their delta: lane, kind, code, value, begin, stop, decided and what follows."""
    return slicing.findings(stage, said, restart)


def change(
    method: str = "cusum", direction: str = "both", reference: int = 16, false_alarm: float = 1e-4
) -> Change:
    return Change("slower", 7, Signal.GAP, method, false_alarm, direction, reference)


def steps(*parts: tuple[int, float], seed: int = 2) -> Series:
    """Log-normal waiting times: so many, of such a median."""
    rng = np.random.default_rng(seed)
    return np.concatenate([median * rng.lognormal(0.0, 0.5, count) for count, median in parts])


LANES = [steps((60, 0.02), (60, 0.2)), steps((50, 1.0), (40, 0.1), (50, 3.0), seed=1), np.full(70, 0.25)]


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=12)
@given(cuts=st.lists(st.integers(0, 330), max_size=6), order=st.permutations(range(3)))
def test_cutting_interleaving_and_restarts_change_nothing(
    method: str, cuts: list[int], order: list[int]
) -> None:
    said = told([LANES[place] for place in order])
    cuts = [min(cut, len(said)) for cut in cuts]

    def make() -> Drift:
        return Drift([change(method, false_alarm=1e-3), change("cusum", "up", 8, 1e-3)])

    whole = findings(make(), packets(said, []))
    assert {found[0] for found in whole} == {row for row in range(3) if order[row] != 2}
    assert findings(make(), packets(said, cuts)) == whole
    assert findings(make(), packets(said, cuts), restart=make()) == whole
    for row in range(3):
        alone = findings(make(), packets(told([LANES[order[row]]]), []))
        assert [(row, *found[1:]) for found in alone] == [found for found in whole if found[0] == row]


@pytest.mark.parametrize("method", METHODS)
def test_a_change_is_told_once_with_its_size_and_begin(method: str) -> None:
    lane = steps((200, 0.02), (100, 0.2))
    ((row, kind, code, value, begin, stop, decided, *rest),) = findings(
        Drift([change(method)]), packets(told([lane]), [])
    )
    assert (row, kind, code) == (0, Reach.DRIFT, 7)
    assert stop == decided
    assert 3 * 200 < stop < 3 * 220
    assert 3 * (180 if method == "adwin" else 190) <= begin <= 3 * 203  # buckets of up to 32
    first, last = begin // 3, stop // 3
    assert value == pytest.approx(lane[first:last].mean() - lane[:first].mean())
    assert rest[3:] == [0.0, 0.0, 0, 0]  # confidence and what a loop has: not told


@pytest.mark.parametrize("method", METHODS)
def test_behind_a_change_the_new_level_is_learnt_and_the_next_one_told(method: str) -> None:
    lane = steps((200, 1.0), (200, 6.0), (200, 1.0))
    up, down = findings(Drift([change(method)]), packets(told([lane]), []))
    assert up[3] > 1.5
    assert down[3] < -1.5
    assert 3 * 390 < down[4] < 3 * 410


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("direction", "expected"), [("up", [1]), ("down", [-1]), ("both", [1, -1])])
def test_only_changes_in_the_asked_direction_are_told(
    method: str, direction: str, expected: list[int]
) -> None:
    lane = steps((150, 1.0), (150, 8.0), (150, 1.0))
    found = findings(Drift([change(method, direction)]), packets(told([lane]), []))
    assert [int(np.sign(row[3])) for row in found] == expected


@pytest.mark.parametrize("method", METHODS)
def test_only_the_order_of_values_decides(method: str) -> None:
    lane = steps((80, 1.0), (60, 4.0))
    plain, bent = (
        findings(Drift([change(method)]), packets(told([x]), [])) for x in (lane, np.log(lane) * 7 - 3)
    )
    assert len(plain) == 1
    assert [row[4:7] for row in plain] == [row[4:7] for row in bent]


def test_values_that_are_not_finite_and_other_signals_are_passed_over() -> None:
    lane = steps((60, 1.0), (30, 9.0))
    holed = np.full(2 * len(lane), math.nan)
    holed[::2] = lane
    holed[1::4] = math.inf
    plain = findings(Drift([change()]), packets(told([lane]), []))
    ((_, *found),) = findings(Drift([change()]), packets(told([holed]), []))
    assert found[2] == pytest.approx(plain[0][3])
    assert found[3] == 2 * plain[0][4]
    assert not findings(Drift([change()]), packets(told([lane], signal=Signal.LENGTH), []))


@pytest.mark.parametrize("method", METHODS)
def test_a_lane_with_fewer_samples_than_the_reference_is_not_judged(method: str) -> None:
    lane = steps((20, 1.0), (20, 1000.0))
    assert not findings(Drift([change(method, reference=40)]), packets(told([lane]), []))


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_and_a_lane_of_rare_others_have_no_alarm(method: str) -> None:
    rare = np.full(300, 4.0)
    rare[[120, 250]] = 9.0
    assert not findings(Drift([change(method)]), packets(told([np.zeros(300), rare]), []))


@pytest.mark.skipif(not JIT, reason="many samples: too long without the JIT")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", ["normal", "pareto", "few"])
def test_false_alarms_are_no_more_than_asked_for(method: str, values: str) -> None:
    rng = np.random.default_rng(3)
    shape = 100, 1000
    x = {"normal": rng.normal(size=shape), "pareto": rng.pareto(1.1, shape), "few": rng.poisson(4.0, shape)}
    found = findings(
        Drift([change(method, reference=32, false_alarm=1e-3)]), packets(told(list(x[values] * 1.0)), [])
    )
    # 100 are asked for; 136 would be exceeded by chance three times in 10,000.
    assert 50 < len(found) < 136


@pytest.mark.skipif(not JIT, reason="many samples: too long without the JIT")
@pytest.mark.parametrize("method", METHODS)
def test_lanes_of_one_value_and_rare_others_do_not_alarm_together(method: str) -> None:
    """What is made of equal values is made of nothing but the lane's own: equal begins do not matter."""
    x = (np.random.default_rng(8).random((100, 1000)) < 0.01) * 1.0
    found = findings(Drift([change(method, reference=32, false_alarm=1e-3)]), packets(told(list(x)), []))
    assert len(found) < 50
    assert all(count < 5 for count in Counter(row[5] for row in found).values())


def test_time_that_goes_back_raises_no_alarm() -> None:
    """Such a delta's gap is no number and passed over, and the clock goes on from there."""
    rng = np.random.default_rng(5)
    at = np.cumsum(rng.lognormal(0.0, 0.3, 300) * 2e7).astype(np.int64)
    for back in range(100, 300, 50):
        at[back:] -= 10**10
    said = [("s", Delta(Kind.TEXT, "word ", at=int(when) + 10**12)) for when in at]
    packet = pack(0, said, now=10**13)
    packet.deltas["row"] = 0
    packet.deltas["begin"] = 5 * np.arange(300)
    opened = np.zeros(1, [("row", "<i4"), ("stream", "<i4"), ("lane", "<i4")])
    stage = Drift([Change(method, 1, Signal.GAP, method, 1e-4, reference=32) for method in METHODS])
    told = Features().update(packet.having(opened=opened))
    assert np.isnan(told.samples["value"][told.samples["signal"] == Signal.GAP]).sum() == 4
    assert not len(stage.update(told).findings)


def silences(*said: tuple[int, float, bool]) -> Packet:
    """A packet of WAIT deltas: lane, seconds, whether there was no text yet."""
    deltas = np.zeros(len(said), DELTA)
    texts = [json.dumps({"silent": silent, "first": first}).encode() for _, silent, first in said]
    ends = np.cumsum([len(text) for text in texts])
    deltas["row"] = [row for row, _, _ in said]
    deltas["kind"], deltas["begin"] = Kind.WAIT, 11
    deltas["end"], deltas["start"] = ends, ends - [len(text) for text in texts]
    return Packet(0, 0, (), deltas, b"".join(texts))


def test_a_silence_is_told_by_the_entry_of_its_limit() -> None:
    waits = [Wait("no first token", 3, 5.0, first=True), Wait("stalled", 4, 2.5), Wait("dead", 5, 30.0)]
    stage = Drift([], waits)
    said = silences(
        (0, 5.0, True), (1, 2.5, False), (1, 5.0, False), (2, 2.5, True), (1, 30.000000001, False)
    )
    found = stage.update(said).findings
    names = ["delta", "row", "kind", "code", "value", "begin", "stop", "decided", "confidence"]
    assert found[names].tolist() == [
        (0, 0, Reach.DRIFT, 3, 5.0, 11, 11, 11, 1.0),
        (1, 1, Reach.DRIFT, 4, 2.5, 11, 11, 11, 1.0),
        (4, 1, Reach.DRIFT, 5, 30.000000001, 11, 11, 11, 1.0),
    ]
    assert stage.state_bytes == 0
    stage.load(stage.dump())


def test_findings_of_changes_and_silences_come_in_order_behind_those_that_were_there() -> None:
    said = told([steps((60, 1.0), (30, 9.0))])
    (packet,) = packets(said, [])
    wait = silences((0, 1.0, False))
    deltas = packet.deltas.copy()
    deltas[40] = wait.deltas[0]
    earlier = np.zeros(1, FINDING)
    earlier["delta"], earlier["code"] = 2, 99
    stage = Drift([change()], [Wait("stalled", 4, 1.0)])
    out = stage.update(packet.having(deltas=deltas, text=wait.text, findings=earlier)).findings
    assert out["code"].tolist() == [99, 4, 7]
    assert (np.diff(out["delta"]) > 0).all()


def test_a_packet_without_news_is_the_same_packet() -> None:
    (packet,) = packets([Said(0, ((Signal.GAP, 1.0),))], [])
    assert Drift([change()], [Wait("stalled", 4, 1.0)]).update(packet) is packet


def opened_bytes(stage: Drift) -> int:
    stage.update(packets(told([np.zeros(4)]), [2])[0])
    return len(stage.dump())


def test_the_default_takes_600_bytes_a_lane_at_most() -> None:
    stage = Drift([Change("slower", 0, Signal.GAP)])
    assert stage.state_bytes <= 600
    empty = len(stage.dump())
    assert opened_bytes(stage) - empty <= 600 + 8


def test_a_dump_fits_its_own_settings_only() -> None:
    dump = Drift([change()]).dump()
    for other in ([], [change("bocpd")], [change(direction="up")], [change(reference=32)], [change()] * 2):
        with pytest.raises(ValueError, match="state"):
            Drift(other).load(dump)
    Drift([Change("renamed", 9, Signal.GAP, "cusum", 1e-4, "both", 16)]).load(dump)


def kernels() -> Iterable[tuple[Any, str]]:
    yield from ((drift, name) for name in ("rank_shares", "normal_scores", "spread_scores"))
    yield from [(cusum, "cusum"), (page_hinkley, "deviations"), (adwin, "adwin"), (bocpd, "bocpd")]


def test_warming_calls_every_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            called.append(name)
            return real(*arguments)

        return call

    for module, name in kernels():
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    Drift([change(method) for method in METHODS]).warm()
    assert set(called) == {name for _, name in kernels()}


@pytest.mark.skipif(not JIT, reason="nothing is compiled without the JIT")
def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Drift([change(method) for method in METHODS])
    stage.warm()
    compiled = [getattr(module, name) for module, name in kernels()]
    known = [1] * len(compiled)
    for packet in packets(told([LANES[0]]), range(0, 120, 7)):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert [len(kernel.signatures) for kernel in compiled] == known


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "guess"},
        {"direction": "sideways"},
        {"false_alarm": 0.0},
        {"false_alarm": 0.1},
        {"false_alarm": math.nan},
        {"reference": 7},
        {"reference": 2000},
    ],
)
def test_a_change_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"drift 'x': {next(iter(settings))}"):
        Change("x", 0, Signal.GAP, **settings)


@pytest.mark.parametrize("after", [0.0, -1.0, math.inf, math.nan])
def test_a_silence_of_no_length_is_refused(after: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Wait("x", 0, after)
