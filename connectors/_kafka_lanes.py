"""The two ways in which the records of a slot are made sure of: ``connectors.kafka_sink`` says when, and why
two.

Strategy. A :class:`Wire` is a producer whose failures are not lost: a delivery that fails is kept and raised
where the epoch closes. Only failures call back,
and what is neither failed nor still queued was delivered to all replicas.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from msgspec.structs import replace

from connectors._kafka_client import Cluster, KafkaFault, explained
from connectors._kafka_markers import Marker, Markers
from connectors._kafka_records import Counters, Out
from connectors._kafka_topics import Topics

__all__ = ["Exact", "Fast", "Lane", "State", "Wire"]

Headers = list[tuple[str, str | bytes | None]]
_OVERHEAD = 4096  # bytes of a batch, of a record's key and of its headers
_WAITED = frozenset([KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError.CONCURRENT_TRANSACTIONS])
"""That something took too long, not that nobody is there."""
_ROUND = 5.0  # seconds behind a time limit of librdkafka's own


class State(msgspec.Struct):
    """What a part keeps: how far its numbers are, and whose they are."""

    run: str
    lane: str
    counters: Counters
    version: int = 1


class Wire:
    """A producer, and what went wrong with what it took."""

    def __init__(self, cluster: Cluster, topics: Topics, transactional_id: str = "") -> None:
        self.producer: Producer = cluster.producer(transactional_id, self._failed, topics.largest.values())
        self._cluster = cluster
        self._topics = {name: cluster.topic(name) for name in topics.largest}
        self.largest = {name: size - _OVERHEAD for name, size in topics.largest.items()}
        """Bytes of a value that each topic takes."""
        self._fault: KafkaFault | None = None

    def send(self, out: Out, slot: int, headers: Headers) -> None:
        """Queue a record that its topic takes."""
        name, key, seq, value, _ = out
        topic, marked = self._topics[name], [*headers, ("seq", b"%d" % seq)]
        try:
            self.producer.produce(topic, value, key, slot, headers=marked)
        except BufferError:
            self._send_later(topic, value, key, slot, marked)
        except KafkaException as error:
            raise explained(error, f"write to {topic}") from error

    def _send_later(self, topic: str, value: bytes, key: bytes, slot: int, headers: Headers) -> None:
        """The queue is full: wait for room, as long as a delivery may take."""
        patience = time.monotonic() + self._cluster.delivery
        while time.monotonic() < patience:
            self._hear(0.01)
            with suppress(BufferError):
                self.producer.produce(topic, value, key, slot, headers=headers)
                return
        msg = f"kafka: {topic}: nothing was delivered in kafka.delivery_timeout"
        raise KafkaFault(msg)

    def _failed(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._fault is None:
            self._fault = explained(error, f"write to {message.topic()}, partition {message.partition()}")

    def _hear(self, patience: float) -> None:
        try:
            self.producer.poll(patience)
        except KafkaException as error:  # nothing can be written any more: this slot has a new owner, mostly
            raise explained(error, "write") from error

    def check(self) -> None:
        """Hear of what was delivered, and raise for what was not."""
        self._hear(0)
        if self._fault:
            raise self._fault

    def flush(self) -> None:
        """Wait until all is delivered.

        :raises KafkaFault: If something was not.
        """
        try:
            left = self.producer.flush(self._cluster.delivery + _ROUND)
        except KafkaException as error:
            raise explained(error, "write") from error
        self.check()
        if left:
            msg = f"kafka: {left} records were not delivered in kafka.delivery_timeout"
            raise KafkaFault(msg)


class Lane(Protocol):
    """How the records of a slot are made sure of."""

    name: str
    wire: Wire

    def resume(self, saved: State | None, run: str) -> Counters:
        """The numbers up to which records are there already, for a part with that state."""
        ...

    def check(self) -> None:
        """Raise for what went wrong so far."""
        ...

    def begin(self) -> None:
        """A record comes: called before the first of a batch."""
        ...

    def finish(self, state: State) -> None:
        """They are there, or it raises."""
        ...

    def close(self, patience: float) -> None:
        """No more records; wait for at most `patience` seconds."""
        ...


class Fast:
    name = "fast"

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def resume(self, saved: State | None, run: str) -> Counters:
        return Counters()

    def check(self) -> None:
        self.wire.check()

    def begin(self) -> None:
        pass

    def finish(self, state: State) -> None:
        self.wire.flush()

    def close(self, patience: float) -> None:
        pass


class Exact:
    name = "exact"

    def __init__(self, cluster: Cluster, topics: Topics, lane: str, slot: int, markers: Markers) -> None:
        self._cluster, self._lane, self._slot, self._markers = cluster, lane, slot, markers
        self.wire = Wire(cluster, topics, f"{cluster.prefix}-{lane}-{slot}")
        self._there = Counters()
        self._open, self._since = False, 0.0

    def take_over(self) -> None:
        """Fence who had the slot, and have what it left open aborted."""
        try:
            self.wire.producer.init_transactions(self._cluster.timeout)
        except KafkaException as error:
            what = f"take over slot {self._slot} of {self._lane}"
            if error.args[0].code() not in _WAITED:
                raise explained(error, what) from error
            msg = (
                f"kafka: {what}: not done in {self._cluster.timeout:g} s (kafka.timeout): no broker answers, "
                f"or it still ends a transaction that a predecessor left open: try again "
                f"({error.args[0].name()})"
            )
            raise KafkaFault(msg) from error

    def resume(self, saved: State | None, run: str) -> Counters:
        """See :class:`Lane`.

        :raises KafkaFault: If the marker and the state are not of one run.
        """
        there = self._known(saved, run)
        self._there = replace(there)
        return there

    def _known(self, saved: State | None, run: str) -> Counters:
        marker = self._markers.of(self._slot)
        there, whose = (marker.counters, marker.run) if marker else (Counters(), run)
        if saved is None and whose != run:
            msg = (
                f"kafka: slot {self._slot} of {self._lane} was written by run {whose}, up to record "
                f"{there.decided}, and its state is not here: resume it with its recovery folder, or begin "
                f"a run of its own on purpose with another kafka.prefix"
            )
            raise KafkaFault(msg)
        if saved and saved.lane == self.name:
            behind = [
                kind
                for kind in Counters.__struct_fields__
                if getattr(there, kind) < getattr(saved.counters, kind)
            ]
            if behind or whose != saved.run:
                msg = (
                    f"kafka: slot {self._slot} of {self._lane}: the state says that records up to "
                    f"{saved.counters} of run {saved.run} were committed, {self._cluster.topic('markers')} "
                    f"says {there} of run {whose}: the topic lost records, or the state is not its own"
                )
                raise KafkaFault(msg)
        # A run that comes from the fast lane may find the markers of another: these are not its records.
        return there if whose == (saved.run if saved else run) else Counters()

    def check(self) -> None:
        if self._open:
            self._in_time()
        self.wire.check()

    def begin(self) -> None:
        if not self._open:
            self._do(self.wire.producer.begin_transaction)
            self._open, self._since = True, time.monotonic()

    def finish(self, state: State) -> None:
        if not self._open:
            return
        self._in_time()
        # A run that resumed may be behind what is there: in one kind of record longer than in another.
        reached = {
            kind: max(getattr(self._there, kind), getattr(state.counters, kind))
            for kind in Counters.__struct_fields__
        }
        self._there = Counters(**reached)
        marker = Marker(self._lane, self._slot, state.run, self._there)
        out = "markers", self._lane.encode(), self._there.decided, msgspec.json.encode(marker), ""
        self.wire.send(out, self._slot, [])
        self._do(lambda: self.wire.producer.commit_transaction(self._cluster.transaction))
        self.wire.check()
        self._open = False

    def _in_time(self) -> None:
        """Broker and library call it fencing when a transaction was open for too long: say what it is."""
        took = time.monotonic() - self._since
        if took > self._cluster.transaction:
            most = self._cluster.transaction
            msg = (
                f"kafka: an epoch of slot {self._slot} of {self._lane} took {took:.1f} s, a transaction may "
                f"be open for {most:g} s: raise kafka.transaction_timeout, or save more often"
            )
            raise KafkaFault(msg)

    def _do(self, step: Callable[[], None]) -> None:
        """A step of a transaction; what a repeat mends is repeated."""
        patience = time.monotonic() + self._cluster.transaction
        while True:
            try:
                step()
                return
            except KafkaException as error:
                cause = error.args[0]
                if cause.retriable() and time.monotonic() <= patience:
                    continue
                what = f"commit slot {self._slot} of {self._lane}"
                if cause.code() not in _WAITED and not cause.retriable():
                    raise explained(error, what) from error
                msg = (
                    f"kafka: {what}: not done in {self._cluster.transaction:g} s (kafka.transaction_timeout, "
                    f"{cause.name()}): the broker is late, or away"
                )
                raise KafkaFault(msg) from error

    def close(self, patience: float) -> None:
        # The job fails: readers of committed records should not wait for the broker to see it.
        if self._open and patience > 0:
            with suppress(KafkaException):
                self.wire.producer.abort_transaction(patience)
