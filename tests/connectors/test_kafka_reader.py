"""The one consumer of a process: how much it holds, and how often it complains."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connectors import _kafka_reader
from connectors._kafka_client import Cluster as Ours
from connectors._kafka_reader import Reader
from tests.clusters import Cluster
from tests.kafka_log import Driven, said, source, texts, until, write

pytest_plugins = ["tests.kafka_fixtures"]


def _has_heard(driven: Driven, part: object, last: str) -> bool:
    return driven.poll(part).texts()[-1:] == [last]


def test_a_slot_whose_records_are_large_is_paused_by_their_bytes(
    broker: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltas = f"{prefix}.deltas"
    broker.create_topics({deltas: 2})
    monkeypatch.setattr(_kafka_reader, "_WIDE", 800_000)  # of two slots
    small: dict[str, Any] = {"batch.size": 50_000}
    write(broker, deltas, [said("hot", f"{n:04}" * 5000) for n in range(200)], 0, **small)
    fetch = {
        "queued.max.messages.kbytes": 100, "fetch.message.max.bytes": 50_000, "fetch.queue.backoff.ms": 1
    }  # fmt: skip
    driven = Driven(source(broker, prefix, batch=1, options=fetch))
    hot, cold, reader = driven.parts[0], driven.parts[1], driven.source.reader
    until(lambda: driven.poll(cold) and reader._paused)
    write(broker, deltas, [said("cold", "c")], 1)
    until(partial(_has_heard, driven, cold, "c"))
    assert 400_000 < sum(map(len, reader._queues[0])) == reader._sizes[0] < 1_000_000
    del driven.packets[:]
    until(lambda: driven.poll(hot) and len(driven.packets) == 200)
    assert [int(text[:4]) for text in texts(driven.packets)] == list(range(200))
    assert reader._sizes[0] == 0
    driven.close()


def test_that_no_broker_answers_is_not_said_for_every_attempt(
    prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(Ours("127.0.0.1:1", prefix), prefix, f"{prefix}.deltas", [0])
    away, refused = KafkaError(KafkaError._ALL_BROKERS_DOWN), KafkaError(KafkaError._AUTHENTICATION)
    for error in (away, refused, away, refused):
        reader._complain(error)
    assert len(caplog.messages) == 2
    monkeypatch.setattr(_kafka_reader, "_QUIET", 0.0)
    reader._complain(away)
    assert len(caplog.messages) == 3
    reader.consumer.close()
