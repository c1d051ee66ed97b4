"""Stages inside the engine: routing, failures that stay small, and exact resumption."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import numpy as np
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, TestingSource, run_main

from operators.automaton import Rule
from operators.columns import Columns
from operators.packet import Action, Delta, Packet, pack
from operators.slots import MAX_SLOTS, Stage, affinity_holds, slot_key, slot_of, stage
from tests.stages import END, TEXT, Said, guard, outcomes, records, released, say, whole

MAKE = guard([Rule("0", "ab"), Rule("1", "b b")], [Action.REDACT, Action.BLOCK])


def places(position: int) -> Any:
    """Makes the stage at `position` of the chain, as a flow does for each slot."""
    return lambda: MAKE()[position]


def flow(items: list[Any], seen: list[Any], extra: Any = None) -> Dataflow:
    """Directory, a stage of the test's, gate, policy, release."""
    made = Dataflow("test")
    packets = op.input("source", made, TestingSource(items, batch_size=1))
    packets = stage("directory", packets, places(0))
    if extra is not None:
        packets = stage("extra", packets, extra)
    for position, name in ((1, "gate"), (2, "policy"), (3, "release")):
        packets = stage(name, packets, places(position), last=name == "release")
    op.output("sink", packets, TestingSink(seen))
    return made


def items(said: list[Said], size: int, slot: int = 0) -> list[Any]:
    """Packets of `size` deltas under the slot's key."""
    return [(slot_key(slot), pack(slot, said[at : at + size], now=0)) for at in range(0, len(said), size)]


def test_slot_keys_never_change() -> None:
    assert [slot_key(slot) for slot in (0, 1, 2, 7, 63)] == ["00.75", "01.104", "02.222", "07.129", "63.129"]
    assert len({slot_key(slot) for slot in range(MAX_SLOTS)}) == MAX_SLOTS


def test_streams_never_move_to_another_slot() -> None:
    assert [slot_of(name, 8) for name in ("", "a", "chat-01.sse", "日本", "x" * 1000)] == [0, 3, 5, 4, 6]
    assert all(slot_of("a", 64) % n == slot_of("a", n) for n in (1, 2, 4, 8, 16, 32, 64))


def test_streams_spread_over_slots() -> None:
    counts = np.bincount([slot_of(f"stream-{i}", 8) for i in range(8000)])
    assert counts.min() > 850
    assert counts.max() < 1150


@pytest.mark.parametrize(("workers", "holds"), [(1, True), (2, True), (4, True), (8, True), (3, False)])
def test_every_slot_stays_with_the_worker_that_reads_it(workers: int, holds: bool) -> None:
    assert affinity_holds(workers) is holds


def test_a_flow_gives_what_the_stages_give() -> None:
    said = [*whole("s", "x ab y", [1, 3]), *whole("t", "a b b a", [2, 4])]
    seen: list[Any] = []
    run_main(flow(items(said, 2), seen))
    assert [key for key, _ in seen] == [slot_key(0)] * len(items(said, 2))
    packets = [packet for _, packet in seen]
    assert {lane.stream: text for lane, text in released(packets).items()} == {"s": "x <0> y", "t": "a "}


def test_slots_share_no_state() -> None:
    said = whole("s", "x ab y", [1, 3])
    seen: list[Any] = []
    two = [item for pair in zip(items(said, 2, 0), items(said, 2, 1), strict=True) for item in pair]
    run_main(flow(two, seen))
    one, other = ([p for _, p in seen if p.slot == slot] for slot in (0, 1))
    assert records(one) == records(other)
    assert [record[0] for record in records(one)] == list(range(len(records(one))))


@dataclass
class Poison:
    """Fails on one word; counts characters of each row, so that a row nobody opened would show."""

    word: bytes

    def __post_init__(self) -> None:
        self.columns = Columns(1, chars=(np.int64, ()))

    def update(self, packet: Packet) -> Packet:
        if self.word in packet.text:
            msg = "poison"
            raise OverflowError(msg)
        self.columns.open(packet.opened["row"])
        for delta in packet.deltas[packet.deltas["kind"] == TEXT]:
            self.columns["chars"][delta["row"]] += delta["chars"]
        self.columns.close(packet.closed_rows())
        return packet

    def dump(self) -> bytes:
        return self.columns.dump()

    def load(self, state: bytes) -> None:
        self.columns.load(state)


def test_a_stage_that_fails_loses_its_packet_and_not_the_flow(caplog: pytest.LogCaptureFixture) -> None:
    many = [(f"n{i}", Delta(TEXT, "poison")) for i in range(100)]
    later = [d for i in range(100) for d in (*say(f"n{i}", "late ab"), (f"n{i}", Delta(END)))]
    packets = [
        pack(0, [*whole("before", "ab"), *whole("s", "good,")[:-1]], now=0),
        pack(0, [*say("s", "bad"), *many], now=0),
        pack(0, [*say("s", "lost"), *whole("after", "fine ab")], now=0),
        pack(0, later, now=0),
        pack(0, [("s", Delta(END)), *whole("s", " again")], now=0),
    ]
    seen: list[Any] = []
    with caplog.at_level(logging.ERROR):
        run_main(flow([(slot_key(0), packet) for packet in packets], seen, lambda: Poison(b"poison")))
    out = [packet for _, packet in seen]
    assert [packet.failed for packet in out] == ["", "extra: internal error (OverflowError)", "", "", ""]
    assert "extra: slot 0, a packet of" in caplog.text
    assert "poison" in caplog.text
    texts = {lane.stream: text for lane, text in released(out).items()}
    assert texts == {"before": "<0>", "s": "good, again", "after": "fine <0>"}
    assert [o for o in outcomes(out) if o[0] == "n99"] == [
        ("n99", "START", "NONE"), ("n99", "ERROR", "NONE"), ("n99", "END", "ERROR"),
    ]  # fmt: skip


def test_a_stage_that_cannot_be_built_says_so_before_it_stops_the_flow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Stage:
        msg = "no such thing"
        raise ValueError(msg)

    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="no such thing"):
        run_main(flow(items(whole("s", "x"), 1), [], broken))
    assert "extra: cannot build or resume its state" in caplog.text


@pytest.fixture
def recovery(tmp_path: Path) -> RecoveryConfig:
    init_db_dir(tmp_path, 1)
    return RecoveryConfig(str(tmp_path))


@pytest.mark.parametrize("crash", [1, 3, 6])
def test_a_flow_that_crashed_goes_on_as_if_nothing_had_happened(crash: int, recovery: RecoveryConfig) -> None:
    said = [*whole("s", "x ab a y", [1, 3, 4, 6]), *whole("t", "a b b a", [2, 4]), *whole("u", "b", [])]
    undisturbed: list[Any] = []
    run_main(flow(items(said, 2), undisturbed))
    source = items(said, 2)
    source.insert(crash, TestingSource.ABORT())
    seen: list[Any] = []
    for _ in range(2):
        run_main(flow(source, seen), epoch_interval=timedelta(0), recovery_config=recovery)
    got = {record[0]: record for record in records(p for _, p in seen)}
    assert list(got.values()) == records(p for _, p in undisturbed)


def test_stages_run_without_the_engine() -> None:
    names = "operators.directory, operators.gate, operators.policy, operators.release"
    code = f"import sys, {names}; assert 'bytewax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
