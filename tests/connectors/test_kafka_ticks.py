"""Silence, as the source tells it: only what the log proves, in the same place for a run that resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from tests.broker import Broker
from tests.clusters import Cluster
from tests.conftest import ROOT
from tests.kafka_log import Driven, said, source, until, write

pytest_plugins = ["tests.kafka_fixtures"]

SECOND = 1_000_000_000
QUICK = {"fetch.wait.max.ms": 10}


@pytest.fixture
def deltas(broker: Cluster, prefix: str) -> str:
    broker.create_topics({f"{prefix}.deltas": 2})
    return f"{prefix}.deltas"


def heard(driven: Driven, slot: int = 0) -> int:
    """The next tick of a slot; epochs close all the time."""
    found: list[int] = []

    def tick() -> bool:
        driven.parts[slot].snapshot()
        before = len(driven.packets)
        found.extend(packet.now for packet in driven.poll().packets[before:] if packet.slot == slot)
        return bool(found)

    until(tick)
    return found[0]


def _has_heard(driven: Driven, wanted: list[str]) -> bool:
    return driven.poll().texts() == wanted


def test_silence_is_told_while_nothing_comes_in_time_of_the_log(
    broker: Cluster, prefix: str, deltas: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 1_700_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: 0)  # the time of day of this machine is wrong
    monkeypatch.setattr(time, "time", lambda: 0.0)
    write(broker, deltas, [said("a", "x", at=taken * 1_000_000)], at_ms=taken)
    driven = Driven(source(broker, prefix, options=QUICK))
    began = time.monotonic_ns()
    until(lambda: driven.poll().packets)
    came = time.monotonic_ns()
    ticks = [heard(driven) - taken * 1_000_000 for _ in range(3)]
    now = time.monotonic_ns()
    assert driven.packets[-1].deltas.size == 0
    assert SECOND // 4 <= ticks[0] < ticks[1] < ticks[2] <= now - began
    assert all(after - before >= SECOND // 4 for before, after in pairwise(ticks))
    write(broker, deltas, [said("a", "y", at=taken * 1_000_000 + SECOND)], at_ms=taken + 1000)
    until(lambda: driven.poll().texts() == ["x", "y"])
    assert came > began
    driven.close()


def test_a_slot_that_never_heard_anything_has_no_time_to_tell(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [said("a", "x")], 1)
    driven = Driven(source(broker, prefix, options=QUICK))
    until(lambda: driven.poll().packets)
    heard(driven, slot=1)
    assert orjson.loads(driven.parts[0].snapshot())["tick"] == 0
    assert all(packet.slot == 1 for packet in driven.packets)
    driven.close()


def test_there_is_no_tick_while_the_log_holds_more(broker: Cluster, prefix: str, deltas: str) -> None:
    driven = Driven(source(broker, prefix, batch=1, options=QUICK))
    write(broker, deltas, [said("a", str(n)) for n in range(5)])
    until(lambda: driven.poll().packets)
    # The other slot sees the end of the log; this one has four records yet to hear.
    until(lambda: driven.poll(driven.parts[1]) and driven.source.reader.silent_until(1))
    time.sleep(0.6)  # as a slow flow would let it
    assert orjson.loads(driven.parts[0].snapshot())["tick"] == 0
    until(lambda: driven.poll().texts() == list("01234"))
    driven.close()


def test_a_run_that_resumes_hears_the_same_tick_first(broker: Cluster, prefix: str, deltas: str) -> None:
    write(broker, deltas, [said("a", "x")])
    first = Driven(source(broker, prefix, options=QUICK))
    until(lambda: first.poll().packets)
    states: list[bytes] = []

    def told() -> bool:
        first.poll(first.parts[1])
        first.packets += [packet for _, packet in first.parts[0].next_batch()]
        states.append(first.parts[0].snapshot())
        return bool(orjson.loads(states[-1])["tick"])

    until(told)
    first.poll()
    tick = first.packets[-1].now
    write(broker, deltas, [said("a", "y")])
    for _ in range(2):
        again = Driven(source(broker, prefix), {0: states[-1]})
        until(partial(_has_heard, again, ["y"]))
        assert again.packets[0].now == tick
        assert again.packets[0].deltas.size == 0
        again.close()
    first.close()


def stood_still(process: subprocess.Popen[bytes], broker: Cluster, topic: str) -> list[list[str]]:
    """What a process said while it was stopped three times, for longer each time than it may take."""
    assert process.stdout
    write(broker, topic, [said("a", "first")])
    assert process.stdout.readline().endswith(b" first\n")
    process.stdout.readline()  # a tick: it has seen the end
    for _ in range(3):
        os.kill(process.pid, signal.SIGSTOP)
        for n in range(15):
            write(broker, topic, [said("a", str(n))])
            time.sleep(0.1)  # the streams go on while it stands still
        os.kill(process.pid, signal.SIGCONT)
    write(broker, topic, [said("a", "last")])
    return [line.split() for line in process.stdout.read().decode().splitlines()]


STANDING = """
import sys, orjson
from connectors._kafka_client import Cluster
from connectors.kafka import KafkaSource
source = KafkaSource(Cluster(sys.argv[1], sys.argv[2], 1), {0: "00.0"}, "g", batch=1)
part = source.build_part("source", "00.0", None)
while True:
    part.snapshot()
    for _, packet in part.next_batch():
        text = packet.text.decode()
        print(packet.now, text, flush=True)
        if text == "last":
            raise SystemExit
"""


def test_a_process_that_stood_still_does_not_take_it_for_silence(broker: Cluster, prefix: str) -> None:
    """Nothing was missing from the log, so a tick may not be later than the record that comes behind it."""
    broker.create_topics({f"{prefix}.deltas": 1})
    process = subprocess.Popen(
        [sys.executable, "-c", STANDING, broker.bootstrap, prefix], cwd=ROOT, stdout=subprocess.PIPE
    )
    with process:
        lines = stood_still(process, broker, f"{prefix}.deltas")
    assert process.returncode == 0
    gaps = [(int(after[0]) - int(before[0])) / SECOND for before, after in pairwise(lines) if len(after) == 1]
    assert max(gaps, default=0.0) < 1.0, "a stand-still of 1.5 s was told as silence"
    times = [int(words[0]) for words in lines]
    assert times == sorted(times)


def wait_for(driven: Driven, seconds: float, condition: Callable[[], object]) -> None:
    """Poll, epochs closing, for so long; `condition` holds all the time."""
    before = time.monotonic() + seconds
    while time.monotonic() < before:
        driven.poll()
        for part in driven.parts.values():
            part.snapshot()
        assert condition()
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_while_no_broker_answers_nobody_knows_of_silence(
    real_broker: Broker, prefix: str, how: str, tmp_path: Path
) -> None:
    real_broker.create_topics({f"{prefix}.deltas": 1})
    write(real_broker, f"{prefix}.deltas", [said("a", "x")])
    driven = Driven(source(real_broker, prefix, slots=1))
    until(lambda: driven.poll().packets)
    heard(driven)
    getattr(real_broker, how)()
    wait_for(driven, 1.0, lambda: True)  # what was on its way
    told = len(driven.packets)
    wait_for(driven, 2.0, lambda: len(driven.packets) == told)
    real_broker.revive()
    heard(driven)
    write(real_broker, f"{prefix}.deltas", [said("a", "y")])
    until(lambda: driven.poll().texts() == ["x", "y"])
    driven.close()
