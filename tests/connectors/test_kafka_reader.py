"""The one consumer of a process: how much it holds, and how often it complains."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer

from connectors import _kafka_reader
from connectors._kafka_client import Cluster as Ours
from connectors._kafka_damage import Unreadable
from connectors._kafka_reader import Reader
from tests.clusters import PATIENCE_S, Cluster
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
    held = sum(len(message) + len(message.key() or b"") for message in reader._queues[0])
    assert 400_000 < held == reader._sizes[0] < 1_000_000
    del driven.packets[:]
    until(lambda: driven.poll(hot) and len(driven.packets) == 200)
    assert [int(text[:4]) for text in texts(driven.packets)] == list(range(200))
    assert reader._sizes[0] == 0
    driven.close()


@pytest.mark.parametrize("large", ["key", "headers"])
def test_keys_and_headers_weigh_as_well(
    broker: Cluster, prefix: str, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltas = f"{prefix}.deltas"
    broker.create_topics({deltas: 2})
    monkeypatch.setattr(_kafka_reader, "_WIDE", 400_000)  # of two slots
    client = Producer(broker.client | {"batch.size": 50_000})
    for n in range(100):
        weight = b"x" * 20_000
        key, header = (weight, b"") if large == "key" else (b"", weight)
        client.produce(deltas, json.dumps(said("", f"{n}")), key, 0, headers=[("h", header)])
    assert client.flush(PATIENCE_S) == 0
    fetch = {
        "queued.max.messages.kbytes": 100, "fetch.message.max.bytes": 50_000, "fetch.queue.backoff.ms": 1
    }  # fmt: skip
    reader = source(broker, prefix, options=fetch).reader
    for slot in range(2):
        reader.begin(slot, 0)
    until(lambda: reader.take(1, 1) == [] and reader._paused == {0})
    waiting = len(reader._queues[0])
    assert waiting > 9
    assert 20_000 * waiting < reader._sizes[0] < 20_100 * waiting
    taken = list[Message]()

    def all_of_it() -> bool:
        taken.extend(heard(reader.take(0, 1)))
        return len(taken) == 100

    until(all_of_it)
    assert [message.offset() for message in taken] == list(range(100))
    assert reader._sizes[0] == 0
    reader.consumer.close()


def test_no_more_than_two_shares_of_a_slot_wait(
    broker: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltas, share = f"{prefix}.deltas", 50
    broker.create_topics({deltas: 4})
    monkeypatch.setattr(_kafka_reader, "_LONG", 4 * share)
    for slot in range(3):
        write(broker, deltas, [said("a", f"{n}") for n in range(1000)], slot)
    reader = source(broker, prefix, slots=4).reader
    for slot in range(4):
        reader.begin(slot, 0)
    until(lambda: reader.take(3, 1) == [] and reader._paused == {0, 1, 2})
    for _ in range(100):
        reader.take(3, 1)
    assert all(share < len(reader._queues[slot]) <= 2 * share for slot in range(3))
    reader.consumer.close()


def heard(taken: list[Message] | Unreadable) -> list[Message]:
    assert isinstance(taken, list)
    return taken


def test_that_no_broker_answers_is_not_said_for_every_attempt(
    prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(Ours("127.0.0.1:1", prefix), prefix, f"{prefix}.deltas", [0])
    away, refused = KafkaError(KafkaError._ALL_BROKERS_DOWN), KafkaError(KafkaError._AUTHENTICATION)

    def complaints() -> list[str]:
        return [each.getMessage() for each in caplog.records if each.name == "connectors._kafka_reader"]

    for error in (away, refused, away, refused):
        reader._complain(error)
    assert len(complaints()) == 2
    monkeypatch.setattr(_kafka_reader, "_QUIET", 0.0)
    reader._complain(away)
    assert len(complaints()) == 3
    reader.consumer.close()
