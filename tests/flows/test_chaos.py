"""The durable lane under faults, a few rounds of ``benches.chaos_kafka``; and its check sees what is wrong.

More rounds: ``MIDSTREAM_TEST_ROUNDS=100``; other faults: ``MIDSTREAM_TEST_SEED=2``.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson
import pytest

from benches.chaos_check import Outcome, Written, compare, judge
from benches.chaos_kafka import Chaos
from benches.chaos_load import Stream
from benches.chaos_proxy import Proxy
from tests.kafka_runtime import Runtime

pytest_plugins = ["tests.kafka_fixtures"]

ROUNDS = int(os.environ.get("MIDSTREAM_TEST_ROUNDS", "6"))
SEED = int(os.environ.get("MIDSTREAM_TEST_SEED", "1"))


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("lane", ["exact", "fast"])
def test_nothing_is_lost_or_doubled_whatever_fails(real_kafka: Runtime, tmp_path: Path, lane: str) -> None:
    report = Chaos(tmp_path, lane, ROUNDS, 60, 2, SEED, 300).run()

    assert sum(report.rounds.values()) == ROUNDS
    assert report.analysis.told == []
    assert report.knowledge.told == []
    assert report.right
    assert report.analysis.records > report.deltas > 100 * ROUNDS
    if lane == "exact":
        assert report.analysis.repeats == 0


PLACE = ("releases", 0)


def records(*seqs: int, run: str = "r") -> list[Written]:
    return [Written(seq, run, b"s", b"%d" % seq) for seq in seqs]


def compared(found: list[Written], wanted: list[Written], *, exact: bool) -> Outcome:
    outcome = Outcome()
    compare(outcome, PLACE, found, wanted, exact=exact)
    return outcome


@pytest.mark.parametrize("exact", [True, False])
def test_the_same_records_are_right(exact: bool) -> None:
    outcome = compared(records(0, 1, 4), records(0, 1, 4, run="another"), exact=exact)
    assert outcome.right
    assert outcome.records == 3


def test_a_repeat_is_right_on_the_fast_lane_only() -> None:
    found = records(0, 1, 2, 1, 2, 3)
    fast = compared(found, records(0, 1, 2, 3), exact=False)
    assert fast.right
    assert fast.repeats == 2
    assert compared(found, records(0, 1, 2, 3), exact=True).doubled == 2


WRONG = {
    "lost": records(0, 2),
    "all lost": [],
    "repeated otherwise": [*records(0, 1, 2), Written(2, "r", b"s", b"not 2")],
    "repeated for another stream": [*records(0, 1, 2), Written(2, "r", b"t", b"2")],
    "changed": [*records(0), Written(1, "r", b"s", b"not 1"), *records(2)],
    "of another stream": [*records(0), Written(1, "r", b"t", b"1"), *records(2)],
    "one too many": records(0, 1, 2, 3),
    "out of order": records(2, 0, 1),
    "numbered anew": [*records(0, 1), *records(2, run="q")],
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_seen(what: str, exact: bool) -> None:
    assert not compared(WRONG[what], records(0, 1, 2), exact=exact).right


def test_a_slot_has_one_numbering_in_all_topics() -> None:
    outcome = Outcome()
    compare(outcome, ("findings", 0), records(0), records(0), exact=True)
    compare(outcome, ("findings", 1), records(0, run="q"), records(0), exact=True)
    assert outcome.right
    compare(outcome, ("verdicts", 0), records(1, run="q"), records(1), exact=True)
    assert not outcome.right


def released(*texts: str, ends: int = 1) -> list[list[Written]]:
    said = [{"type": "release", "stream": "s", "text": text} for text in texts]
    said += [{"type": "end", "stream": "s"}] * ends
    return [[Written(seq, "r", b"s", orjson.dumps(each)) for seq, each in enumerate(said)]]


def test_clean_text_must_leave_whole_and_once() -> None:
    stream = Stream("s", 0, "clean", 0.0, ["Once ", "upon"])
    assert judge(released("On", "ce upon"), [stream]).right
    assert judge(released("Once up"), [stream]).changed == 1
    assert judge(released("Once ", "upon", "upon"), [stream]).changed == 1
    assert judge(released("Once upon", ends=0), [stream]).lost == 1
    assert judge(released("Once upon", ends=2), [stream]).doubled == 1


def test_a_secret_must_not_leave() -> None:
    stream = Stream("s", 0, "secret", 0.0, ["I am 1", "23"], secret="123")
    assert judge(released("I am ***"), [stream]).right
    assert judge(released("I am 1", "23"), [stream]).changed == 1


def test_a_network_that_is_paused_passes_on_later_and_one_that_is_cut_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        proxy = Proxy()
        proxy.target = server.getsockname()[1]
        try:
            near = socket.create_connection(("127.0.0.1", proxy.port), 30)
            far, _ = server.accept()
            with near, far:
                near.sendall(b"one")
                assert far.recv(3) == b"one"
                proxy.pause()
                near.sendall(b"two")
                far.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    far.recv(3)
                proxy.mend()
                far.settimeout(30)
                assert far.recv(3) == b"two"
                proxy.cut()
                assert far.recv(3) == near.recv(3) == b""
            with socket.create_connection(("127.0.0.1", proxy.port), 30) as refused:
                assert refused.recv(3) == b""
            proxy.mend()
            with socket.create_connection(("127.0.0.1", proxy.port), 30) as near, server.accept()[0] as far:
                far.sendall(b"three")
                assert near.recv(5) == b"three"
        finally:
            proxy.close()
