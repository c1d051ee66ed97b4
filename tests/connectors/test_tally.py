"""The sums of a process, and percentiles within their bins."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import _tally
from connectors._records import Summary
from connectors._tally import Tally
from operators.packet import FINDING, OUTCOME, VERDICT, Action, Delta, Finish, Kind, Packet, Reach, pack


def _packet(texts: int = 1, arrived: int = 0, **tables: object) -> Packet:
    packet = pack(0, [("s", Delta(Kind.TEXT, "x")) for _ in range(texts)], now=0, arrived=arrived)
    return packet.having(**tables)


def test_an_empty_tally_has_a_summary_too() -> None:
    assert Tally().summary() == Summary(0, 0, 0.0, {}, {}, {"p50": 0.0, "p99": 0.0})


def test_only_what_left_the_flow_is_counted() -> None:
    findings, verdicts = np.zeros(3, FINDING), np.zeros(2, VERDICT)
    findings["kind"] = Reach.RULE, Reach.RULE, Reach.DTW
    findings["seq"] = 0, -1, 2
    verdicts["action"] = Action.REDACT, Action.WARN
    verdicts["seq"] = 1, -1
    outcomes = np.zeros(3, OUTCOME)
    outcomes["kind"] = Kind.START, Kind.ERROR, Kind.END
    outcomes["finish"] = 0, 0, Finish.BLOCKED
    tally = Tally()
    tally.add(_packet(5, findings=findings, verdicts=verdicts, outcomes=outcomes))
    summary = tally.summary()
    assert (summary.streams, summary.deltas) == (1, 5)
    assert summary.findings == {"rule": 1, "dtw": 1}
    assert summary.verdicts == {"redact": 1}
    assert tally.finishes == {"blocked": 1}


@given(st.lists(st.integers(1024, 10**11), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_of_the_latencies_is_right_to_four_percent(waits: list[int], share: float) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0, monotonic_ns=lambda: 10**12)
    tally = Tally()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tally, "time", clock)
        for wait in waits:
            tally.add(_packet(1, arrived=10**12 - wait))
    rank = next(i for i in range(1, len(waits) + 1) if i >= share * len(waits))
    exact = sorted(waits)[rank - 1] / 1e6
    assert tally.latency(share) == pytest.approx(exact, rel=0.04)


def test_the_rate_counts_from_the_first_arrival_not_from_the_start_of_the_program() -> None:
    tally = Tally()
    time.sleep(0.2)
    tally.add(_packet(100, arrived=time.monotonic_ns() - 10**7))
    assert tally.summary().tokens_per_s > 1000


def test_several_workers_may_count_at_once() -> None:
    tally, packet = Tally(), _packet(3)

    def work() -> None:
        for _ in range(300):
            tally.add(packet)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.deltas == 4 * 300 * 3
