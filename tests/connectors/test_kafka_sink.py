"""The sink's fast lane, and what both lanes have in common; the exact one is in test_kafka_exact.py."""

from __future__ import annotations

from typing import Any

import pytest

from connectors._kafka_client import KafkaFault
from connectors.kafka_sink import KafkaSink
from operators.packet import Delta, Finish, Kind, Packet, pack
from operators.slots import slot_key
from tests.clusters import Cluster, MockBroker
from tests.kafka_log import consume, packet_of, sink

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def topics(broker: Cluster, prefix: str) -> Cluster:
    broker.create_topics({f"{prefix}.deltas": 2, f"{prefix}.dead": 2})
    return broker


def begun(sink: KafkaSink, slot: int = 0, state: bytes | None = None) -> Any:
    return sink.build_part("sink", slot_key(slot), state)


def test_records_bear_key_number_and_headers_and_are_there_when_the_epoch_closes(
    topics: Cluster, prefix: str
) -> None:
    part = begun(sink(topics, prefix, run="r1"), 1)
    part.write_batch([packet_of("a", "one", "two", slot=1), packet_of("b", "three", slot=1)])
    part.snapshot()
    found = consume(topics, f"{prefix}.deltas")
    assert [(record.key, record.value["text"]) for record in found] == [
        ("a", "one"), ("a", "two"), ("b", "three"),
    ]  # fmt: skip
    for seq, record in enumerate(found):
        assert record.partition == record.value["slot"] == 1
        assert record.value["seq"] == seq
        assert record.headers == {"slot": "1", "run": "r1", "seq": str(seq)}
    part.close()


def test_every_slot_counts_for_itself(topics: Cluster, prefix: str) -> None:
    made = sink(topics, prefix)
    parts = [begun(made, slot) for slot in range(2)]
    for slot, part in enumerate(parts):
        part.write_batch([packet_of("a", *"xyz"[slot:], slot=slot)])
    for part in parts:
        part.snapshot()
        part.close()
    found = consume(topics, f"{prefix}.deltas")
    assert [(record.partition, record.value["seq"]) for record in found] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1),
    ]  # fmt: skip


def test_a_run_that_resumes_goes_on_with_its_number_and_its_name(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, run="r1"))
    first.write_batch([packet_of("a", "0", "1")])
    state = first.snapshot()
    first.write_batch([packet_of("a", "2")])  # never saved: it will come again
    first.snapshot()
    first.close()
    again = begun(sink(topics, prefix, run="r2"), state=state)
    again.write_batch([packet_of("a", "2", "3")])
    again.snapshot()
    again.close()
    found = consume(topics, f"{prefix}.deltas")
    assert [(record.value["text"], record.value["seq"], record.headers["run"]) for record in found] == [
        ("0", 0, "r1"), ("1", 1, "r1"), ("2", 2, "r1"), ("2", 2, "r1"), ("3", 3, "r1"),
    ]  # fmt: skip
    assert found[2].value == found[3].value


def test_a_queue_that_is_full_is_waited_for(topics: Cluster, prefix: str) -> None:
    options = {"queue.buffering.max.messages": 5, "linger.ms": 1}
    part = begun(sink(topics, prefix, options=options))
    wanted = [str(n) for n in range(500)]
    part.write_batch([packet_of("a", *wanted)])
    part.snapshot()
    part.close()
    assert [record.value["text"] for record in consume(topics, f"{prefix}.deltas")] == wanted


@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
def test_a_record_that_its_topic_does_not_take_is_a_dead_letter(
    broker: Cluster, prefix: str, exact: bool
) -> None:
    broker.create_topics({f"{prefix}.{name}": 2 for name in ("deltas", "dead", "markers")})
    part = begun(sink(broker, prefix, exact=exact, largest={"deltas": 6000}))
    part.write_batch([packet_of("a", "small", "x" * 5000, "small too")])
    part.snapshot()
    part.close()
    found = consume(broker, f"{prefix}.deltas")
    assert [(record.value["text"], record.value["seq"]) for record in found] == [
        ("small", 0), ("small too", 2),
    ]  # fmt: skip
    (letter,) = consume(broker, f"{prefix}.dead")
    assert letter.key == letter.value["stream"] == "a"
    assert letter.value["cause"].endswith("bytes: deltas does not take it")
    assert letter.value["size"] > 5000


def test_what_cannot_be_delivered_ends_the_job(prefix: str) -> None:
    with MockBroker() as lost:
        lost.create_topics({f"{prefix}.deltas": 2, f"{prefix}.dead": 2})
        part = begun(sink(lost, prefix, delivery=4.0))
        part.write_batch([packet_of("a", "x")])
        part.snapshot()
    part.write_batch([packet_of("a", "y")])
    match = r"write to .*\.deltas, partition 0: it could not be delivered in kafka.delivery_timeout"
    with pytest.raises(KafkaFault, match=match):
        part.snapshot()
    with pytest.raises(KafkaFault, match=match):
        part.write_batch([packet_of("a", "z")])
    part.close()


def test_a_queue_that_stays_full_ends_the_job(prefix: str) -> None:
    with MockBroker() as lost:
        lost.create_topics({f"{prefix}.deltas": 2, f"{prefix}.dead": 2})
        options = {"queue.buffering.max.messages": 2}
        part = begun(sink(lost, prefix, delivery=1.0, options=options))
    with pytest.raises(KafkaFault, match=r"kafka.delivery_timeout"):
        part.write_batch([packet_of("a", *map(str, range(100)))])
    part.close()


def test_what_the_broker_refuses_ends_the_job(broker: Cluster, prefix: str) -> None:
    if not broker.real:
        pytest.skip("the mock takes records of any size")
    # The sink believes that a megabyte may pass, as if nobody had been allowed to ask.
    broker.create_topics({f"{prefix}.deltas": 2, f"{prefix}.dead": 2}, {"max.message.bytes": "1000"})
    part = begun(sink(broker, prefix, options={"compression.type": "none"}))
    part.write_batch([packet_of("a", "x" * 5000)])
    with pytest.raises(KafkaFault, match=r"deltas, partition 0: the record is larger than the topic takes"):
        part.snapshot()
    part.close()


def test_a_state_of_another_version_is_refused(topics: Cluster, prefix: str) -> None:
    made = sink(topics, prefix)
    state = b'{"run":"r","lane":"fast","counters":{},"version":2}'
    with pytest.raises(ValueError, match="sink state of version 2, this program reads version 1"):
        begun(made, state=state)


def test_ends_and_starts_of_streams_are_written_as_they_were_said(topics: Cluster, prefix: str) -> None:
    part = begun(sink(topics, prefix))
    start = Delta(Kind.START, '{"provider":"p","model":"m"}', at=5)
    end = Delta(Kind.END, finish=int(Finish.LENGTH), at=7)
    packets: list[Packet] = [pack(0, [("a", start), ("a", end)], now=7)]
    part.write_batch(packets)
    part.snapshot()
    part.close()
    first, last = (record.value for record in consume(topics, f"{prefix}.deltas"))
    assert (first["type"], first["provider"], first["model"], first["at"]) == ("start", "p", "m", 5)
    assert (last["type"], last["finish"], last["at"]) == ("end", "length", 7)
