"""What came out of a disturbed job, held against the same job that nobody disturbed.

Strategy. The log of deltas is copied into topics of another prefix, record by record with its place and its
time, and a job without faults, without state and without a second life reads it to its end. Its records are
what ought to be there: of every topic and slot the same values under the same numbers. Beside that stands
what the load knows of its own streams, which needs no analysis at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TIMESTAMP_LOG_APPEND_TIME, NewTopic

from benches.chaos_load import Stream

__all__ = ["TOPICS", "Outcome", "Place", "Written", "compare", "copy_log", "judge", "read"]

TOPICS = ("findings", "verdicts", "releases", "samples", "dead", "audit")
_CLEAN = frozenset(["clean", "long", "silent"])
_SHOWN = 10
_FLUSHED = 10_000  # records that are copied at a time

Place = tuple[str, int]
"""Topic (short name) and slot."""


class Written(NamedTuple):
    """A record of a topic."""

    seq: int
    run: str
    key: bytes
    value: bytes


@dataclass
class Outcome:
    """What a comparison found."""

    records: int = 0
    repeats: int = 0
    """Of the same number and value."""
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    disordered: int = 0
    runs: dict[int, set[str]] = field(default_factory=dict)
    """The numberings of each slot."""
    told: list[str] = field(default_factory=list)
    """The first faults."""

    @property
    def right(self) -> bool:
        """Whether all is as it ought to be."""
        return not (self.lost or self.doubled or self.changed or self.disordered or self.told)

    def tell(self, fault: str) -> None:
        """Keep a fault, if there are not many yet."""
        if len(self.told) < _SHOWN:
            self.told.append(fault)


def _messages(client: Mapping[str, Any], topic: str, partition: int) -> Iterator[Message]:
    """All committed records of a partition."""
    consumer = Consumer(
        {**client, "group.id": "chaos", "enable.partition.eof": True, "isolation.level": "read_committed",
         "enable.auto.commit": False}
    )  # fmt: skip
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while True:
            message = consumer.poll(60)
            if message is None:
                problem = f"{topic}, partition {partition}: not read to its end in a minute"
                raise RuntimeError(problem)
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise RuntimeError(str(error))
    finally:
        consumer.close()


def read(client: Mapping[str, Any], prefix: str, place: Place) -> list[Written]:
    """All committed records of a job's output in a topic and slot, in the order of the log.

    :raises RuntimeError: If they cannot be read.
    """
    name, slot = place
    found = []
    for message in _messages(client, f"{prefix}.{name}", slot):
        heads: dict[str, Any] = dict(message.headers() or [])
        value = message.value() or b""
        if name == "dead":  # says which topic the record was in
            value = value.replace(f'"{prefix}.deltas"'.encode(), b'"deltas"')
        assert int(heads["slot"]) == slot
        found.append(Written(int(heads["seq"]), str(heads["run"], "ascii"), message.key() or b"", value))
    return found


def copy_log(client: Mapping[str, Any], source: str, target: str, slots: int) -> int:
    """Copy a topic of deltas into a new one, each record in its place, with its time; how many.

    :raises RuntimeError: If an offset is not the same.
    """
    kept = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(1 << 60)}
    admin = AdminClient(dict(client))
    admin.create_topics([NewTopic(target, slots, config=kept)])[target].result(30)
    wrong: list[str] = []
    expected = [0] * slots

    def heard(error: KafkaError | None, message: Message) -> None:
        slot = message.partition() or 0
        if error is not None or message.offset() != expected[slot]:
            wrong.append(f"{target}, partition {slot}: {error or message.offset()}, not {expected[slot]}")
        expected[slot] += 1

    producer = Producer({**client, "enable.idempotence": True})
    copied = 0
    for slot in range(slots):
        for message in _messages(client, source, slot):
            kind, time = message.timestamp()
            assert kind == TIMESTAMP_LOG_APPEND_TIME
            producer.produce(
                target, message.value(), message.key(), slot, on_delivery=heard, timestamp=time
            )  # fmt: skip
            copied += 1
            if not copied % _FLUSHED:
                producer.flush(120)
    producer.flush(120)
    if wrong or sum(expected) != copied:
        problem = f"the log could not be copied: {wrong[:1] or 'not all was delivered'}"
        raise RuntimeError(problem)
    return copied


def compare(
    outcome: Outcome, place: Place, found: list[Written], wanted: list[Written], *, exact: bool
) -> None:
    """Hold what a disturbed job wrote to a topic and slot against what ought to be there."""
    first: dict[int, Written] = {}
    last = -1
    for written in found:
        outcome.records += 1
        known = first.setdefault(written.seq, written)
        if known is not written:
            if exact or known != written:
                outcome.doubled += 1
                outcome.tell(f"{place}: {written} came again, after {known}")
            else:
                outcome.repeats += 1
            continue
        if written.seq < last:
            outcome.disordered += 1
            outcome.tell(f"{place}: {written.seq} came first after {last}")
        last = max(last, written.seq)
    runs = outcome.runs.setdefault(place[1], set())
    before = len(runs)
    runs |= {written.run for written in found}
    if len(runs) > max(before, 1):
        outcome.tell(f"{place}: {len(runs)} numberings, where one store has one: {sorted(runs)}")
    right = {written.seq: written for written in wanted}
    for seq in sorted(right.keys() | first.keys()):
        have, ought = first.get(seq), right.get(seq)
        if have is None:
            outcome.lost += 1
            outcome.tell(f"{place}: {seq} is not there: {ought}")
        elif ought is None:
            outcome.changed += 1
            outcome.tell(f"{place}: {seq} ought not to be there: {have}")
        elif (have.key, have.value) != (ought.key, ought.value):
            outcome.changed += 1
            outcome.tell(f"{place}: {seq} is {have.value!r}, ought to be {ought.value!r}")


def judge(releases: Iterable[Sequence[Written]], streams: Iterable[Stream]) -> Outcome:
    """Hold what left of each slot against what the load said, with no other analysis to compare with. Every
    stream must have one end; clean text must leave as it came, once; a secret must not leave.
    """
    outcome = Outcome()
    texts: dict[str, list[str]] = defaultdict(list)
    ends: Counter[str] = Counter()
    for records in releases:
        for written in {each.seq: each for each in records}.values():
            record = orjson.loads(written.value)
            outcome.records += 1
            if record["type"] == "release":
                texts[record["stream"]].append(record["text"])
            ends[record["stream"]] += record["type"] == "end"
    for stream in streams:
        said, left = "".join(stream.said), "".join(texts[stream.name])
        if ends[stream.name] != 1:
            outcome.lost += not ends[stream.name]
            outcome.doubled += max(ends[stream.name] - 1, 0)
            outcome.tell(f"{stream.name} has {ends[stream.name]} ends")
        if stream.kind in _CLEAN and left != said:
            outcome.changed += 1
            outcome.tell(f"{stream.name}: said {said!r}, but {left!r} left")
        if stream.secret and stream.secret in left:
            outcome.changed += 1
            outcome.tell(f"{stream.name}: its secret left")
    return outcome
