"""Topics as a test sees them, through plain clients of librdkafka: what is written, what is read; and our own
source, driven without an engine. What our connectors say is held against what others see.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from connectors._kafka_client import Cluster as Ours
from connectors._kafka_records import Deltas
from connectors._kafka_topics import Topics
from connectors.kafka import KafkaSource
from connectors.kafka_sink import KafkaSink
from operators.packet import Dead, Delta, Kind, Packet, pack
from operators.slots import slot_key
from tests.clusters import PATIENCE_S, Cluster

__all__ = [
    "Driven",
    "Record",
    "consume",
    "packet_of",
    "said",
    "sink",
    "source",
    "texts",
    "until",
    "view",
    "write",
]


class Record(NamedTuple):
    """What a topic holds at one place."""

    partition: int
    offset: int
    key: str
    value: dict[str, Any]
    headers: dict[str, str]


def view(broker: Cluster, prefix: str, slots: int = 2, **more: Any) -> Ours:
    """Our connectors' view of a cluster."""
    options = broker.client | broker.without | more.pop("options", {})
    bootstrap = options.pop("bootstrap.servers")
    return Ours(bootstrap, prefix, slots, **{"timeout": PATIENCE_S, "options": options} | more)


def said(stream: str, text: str = "", **more: Any) -> dict[str, Any]:
    """A record of the topic ``deltas``: a start, or some text."""
    if not text:
        return {"type": "start", "stream": stream} | more
    return {"type": "delta", "stream": stream, "text": text} | more


def write(
    broker: Cluster, topic: str, values: Iterable[object], partition: int = 0, key: str = "", **options: Any
) -> None:
    """Have `values` in a partition: bytes, None, or what JSON can say; keyed by their stream if by nothing
    else. Returns when the broker has them.
    """
    wrong: list[KafkaError] = []
    at = options.pop("at_ms", 0)
    client = Producer(broker.client | options)
    for value in values:
        name = key or (value.get("stream", "") if isinstance(value, dict) else "")
        plain = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        while True:
            try:
                client.produce(
                    topic, plain, name.encode() or None, partition, timestamp=at,
                    on_delivery=lambda error, _: wrong.append(error) if error else None,
                )  # fmt: skip
                break
            except BufferError:
                client.poll(0.01)
    assert client.flush(PATIENCE_S) == 0
    assert not wrong


def consume(
    broker: Cluster, topic: str, partitions: int = 2, isolation: str = "read_committed"
) -> list[Record]:
    """All that a topic holds, partition by partition."""
    client = Consumer(
        broker.client
        | {"group.id": f"{topic}-test", "isolation.level": isolation, "enable.partition.eof": True}
        | {"fetch.wait.max.ms": 10}
    )
    client.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found: list[Record] = []
    going = set(range(partitions))
    try:
        while going:
            message = client.poll(PATIENCE_S)
            assert message is not None, f"{topic} has no end"
            error = message.error()
            if error is None:
                headers = {
                    name: (value or b"").decode() for name, value in list[Any](message.headers() or [])
                }
                found.append(
                    Record(
                        message.partition() or 0,
                        message.offset() or 0,
                        (message.key() or b"").decode(),
                        json.loads(message.value() or b"null"),
                        headers,
                    )
                )
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                going.discard(message.partition() or 0)
    finally:
        client.close()
    return sorted(found, key=lambda record: record[:2])


def until(condition: Callable[[], object], patience: float = PATIENCE_S) -> None:
    """Ask `condition` until it holds, for so many seconds."""
    before = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < before, "it never came true"
        time.sleep(0.005)


def source(
    broker: Cluster, prefix: str, *, slots: int = 2, own: Iterable[int] | None = None,
    options: Mapping[str, Any] | None = None, **more: Any,
) -> KafkaSource:  # fmt: skip
    """Our source of the slots `own`, all if none are named."""
    keys = {slot: slot_key(slot) for slot in (range(slots) if own is None else own)}
    where = view(broker, prefix, slots, options=dict(options or {}))
    return KafkaSource(where, keys, f"{prefix}-group", **more)


class Driven:
    """A source whose partitions a test polls, as one worker would."""

    def __init__(self, source: KafkaSource, resume: Mapping[int, bytes] | None = None) -> None:
        self.source, self.packets = source, list[Packet]()
        states = resume or {}
        self.parts = {
            slot: source.build_part("source", key, states.get(slot)) for slot, key in source.keys.items()
        }

    def poll(self, *parts: Any) -> Self:
        """Ask once each of `parts`, or all that are not over; packets are kept."""
        for slot, part in list(self.parts.items()):
            if parts and part not in parts:
                continue
            try:
                self.packets += [packet for _, packet in part.next_batch()]
            except StopIteration:
                del self.parts[slot]
                part.close()
        return self

    def rest(self) -> Self:
        """Poll until all is over."""
        until(lambda: not self.poll().parts)
        return self

    def close(self) -> None:
        """As a worker does that ends."""
        while self.parts:
            self.parts.popitem()[1].close()

    def texts(self, kind: Kind = Kind.TEXT) -> list[str]:
        """What was said, in order."""
        return texts(self.packets, kind)

    def dead(self) -> list[Dead]:
        """The dead letters, in order."""
        return [letter for packet in self.packets for letter in packet.dead]


def texts(packets: Iterable[Packet], kind: Kind = Kind.TEXT) -> list[str]:
    """The texts of all deltas of a kind, in order."""
    return [
        packet.text[delta["start"] : delta["end"]].decode()
        for packet in packets
        for delta in packet.deltas
        if delta["kind"] == kind
    ]


_LARGEST = 1_048_588


def sink(
    broker: Cluster, prefix: str, *, slots: int = 2, run: str | None = "run", lane: str = "job",
    exact: bool = False, largest: Mapping[str, int] | None = None, **more: Any,
) -> KafkaSink:  # fmt: skip
    """Our sink of deltas; their topics, and that of markers, are there."""
    names = ("deltas", "dead", *(("markers",) if exact else ()))
    known = Topics(dict.fromkeys(names, _LARGEST) | dict(largest or {}))
    keys = {slot: slot_key(slot) for slot in range(slots)}
    where = view(broker, prefix, slots, **more)
    runs = None if run is None else dict.fromkeys(keys, run)
    return KafkaSink(where, known, keys, lane, lambda run: Deltas("test", run), runs, exact=exact)


def packet_of(stream: str, *said: str, slot: int = 0) -> Packet:
    """A packet of texts of a stream."""
    return pack(slot, [(stream, Delta(Kind.TEXT, text, at=1)) for text in said], now=1)
