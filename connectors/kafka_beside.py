"""What is said to a running job in topics: orders, and feedback about decisions.

Speaks     JSON: an order as in ``connectors.control``; feedback ``{"type": "feedback", "stream": ..., "seq":
           ..., "rule": ..., "label": "right" | "wrong" | "missed"}``
Direction  beside a source
Emits      :class:`~operators.packet.Packet`: those of the source; the first of each partition behind a
           snapshot carries what came before it, in ``shapes`` and ``feedback``
Delivery   exactly once into the state: what was read, and how far, is part of the partition's position
Parallel   as the source; every slot hears every order, feedback goes to the slot of its stream (partition =
           slot)
Needs      ``pip install midstream[kafka]``

Strategy. That of ``connectors.control``, for its reason: a second input that came before or after the streams
by chance would give a resumed run other numbers. One consumer a process reads the orders from the beginning
of their topic, and keeps them; feedback from where each slot has it. A record that is neither is logged and
passed by. In a topic that was made anew, what it says would be passed by as heard: so one that ends before
what a slot has heard of it, or is another by what the cluster calls it, is refused, while the job runs too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition
from typing_extensions import override

from connectors._deltas import harmless
from connectors._kafka_client import Cluster, KafkaFault, explained
from connectors._kafka_topics import Identity
from connectors._logged import logged
from operators.packet import Feedback, Packet, Shape

__all__ = ["Beside", "BesideSource"]

_log = logging.getLogger(__name__)
_TAKEN = 1000
_MOST_BYTES = 1 << 20
_SAME = 5.0  # seconds between two questions whether the topics are the same


class _Said(msgspec.Struct, tag_field="type", tag="feedback"):
    stream: str
    label: Literal["right", "wrong", "missed"]
    seq: int = -1
    rule: str = ""


_decode = msgspec.json.Decoder(_Said).decode


class Beside:
    """The orders and the feedback of a process.

    :arg cluster: Where.

    :arg slots: The slots of this process.

    :arg group: Consumer group; nothing is committed to it.

    :arg read: Makes a shape of an order, or raises ValueError saying what is wrong with it.

    :raises KafkaFault: If the topics cannot be read, or the orders that are there not in ``cluster.timeout``
        seconds.

    """

    def __init__(
        self, cluster: Cluster, slots: Iterable[int], group: str, read: Callable[[bytes], Shape]
    ) -> None:
        self._cluster, self._read, self._lock = cluster, read, threading.Lock()
        self._consumer = cluster.consumer(group)
        self._control, self._feedback = cluster.topic("control"), cluster.topic("feedback")
        self._identities = tuple(Identity(cluster, topic) for topic in (self._control, self._feedback))
        self._orders: list[tuple[int, Shape]] = []
        self._known = 0
        self._about: dict[int, list[tuple[int, Feedback]]] = {}
        self._begun: dict[int, int] = {}
        self._waiting = set(slots)
        # Asked for before anything is read: a broker answers a connection in order, and a read waits.
        self._ends = {
            slot: cluster.bounds(self._consumer, TopicPartition(self._feedback, slot))[1]
            for slot in self._waiting
        }
        self._read_orders()

    def _read_orders(self) -> None:
        """All orders that are there."""
        place = TopicPartition(self._control, 0)
        place.offset, self._known = self._cluster.bounds(self._consumer, place)
        if place.offset:
            _log.warning(
                "%s begins at offset %d: earlier orders are gone, whoever had not heard them never does "
                "(retention.ms = -1 keeps them)", self._control, place.offset,
            )  # fmt: skip
        for message in self._cluster.between(self._consumer, place, self._known):
            self._take_in(message)

    def begin(self, slot: int, orders: int, feedback: int, called: Iterable[str]) -> None:
        """A slot has had the orders up to offset `orders`, and its feedback up to offset `feedback`, -1 if
        none, of topics that were `called` so.

        :raises KafkaFault: If there never were so many in these topics, or they were made anew.
        """
        with self._lock:
            for identity, then in zip(self._identities, called, strict=False):
                if then:
                    identity.hold(then, f"the position of slot {slot}")
            for topic, heard, holds in (
                (self._control, orders, self._known), (self._feedback, feedback, self._ends[slot]),
            ):  # fmt: skip
                if heard > holds:
                    msg = (
                        f"kafka: slot {slot} has heard {topic} up to offset {heard}, but it ends at {holds}: "
                        f"the topic was made anew; begin with a new recovery directory, and where kafka.start"
                        f" says"
                    )
                    raise KafkaFault(msg)
            self._about[slot], self._begun[slot] = [], feedback
            self._waiting.discard(slot)
            if not self._waiting:
                places = [
                    TopicPartition(self._feedback, slot, at if at >= 0 else OFFSET_BEGINNING)
                    for slot, at in self._begun.items()
                ]
                self._consumer.assign([TopicPartition(self._control, 0, self._known), *places])

    def called(self) -> tuple[str, ...]:
        """What the cluster calls the topics, as far as it has said."""
        return tuple(identity.known for identity in self._identities)

    def take(self, slot: int, orders: int) -> tuple[list[tuple[int, Shape]], list[tuple[int, Feedback]]]:
        """What a slot has not had, each with its offset: orders from offset `orders` on, and feedback.

        :raises KafkaFault: If a topic was made anew.
        """
        with self._lock:
            for identity in self._identities:
                identity.check(_SAME)
            if not self._waiting:
                self._hear()
            about, self._about[slot] = self._about[slot], []
            return [each for each in self._orders if each[0] >= orders], about

    def _hear(self) -> None:
        for message in self._consumer.consume(_TAKEN, 0):
            error = message.error()
            if error is None:
                self._take_in(message)
            elif error.code() != KafkaError._PARTITION_EOF:
                self._go_on(message, error)

    def _take_in(self, message: Message) -> None:
        value, offset = message.value() or b"", message.offset() or 0
        try:
            if len(value) > _MOST_BYTES:
                msg = f"a record of more than {_MOST_BYTES} bytes"
                raise ValueError(msg)
            if message.topic() == self._control:
                self._orders.append((offset, self._read(value)))
            else:
                said = _decode(value)
                about = Feedback(said.stream, said.seq, said.rule, said.label)
                self._about[message.partition() or 0].append((offset, about))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as fault:
            _log.error("%s@%d: %s", message.topic(), offset, harmless(fault))
        except ValueError as fault:
            _log.error("%s@%d: %s", message.topic(), offset, fault)

    def _go_on(self, message: Message, error: KafkaError) -> None:
        """What the topic does not hold any more was not heard: that is said, and the rest is.

        :raises KafkaFault: If it is another topic by now.
        """
        for identity in self._identities:
            identity.settle()
        topic, partition = message.topic() or "", message.partition() or 0
        _log.error("%s", explained(error, f"read {topic}, partition {partition}: some of it was not heard"))
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            place = TopicPartition(topic, partition, OFFSET_BEGINNING)
            self._consumer.incremental_unassign([place])
            self._consumer.incremental_assign([place])

    def finish(self, slot: int) -> None:
        """A slot is done; with the last, the consumer."""
        with self._lock:
            self._begun.pop(slot, None)
            if not self._begun:
                self._consumer.close()


State = tuple[Any, int, int, tuple[Shape, ...], tuple[Feedback, ...], tuple[str, ...]]
_FIELDS = 6


class _Partition(StatefulSourcePartition[tuple[str, Packet], State]):
    def __init__(
        self,
        source: StatefulSourcePartition[tuple[str, Packet], Any],
        beside: Beside,
        slot: int,
        resume: State,
    ) -> None:
        self._source, self._beside, self._slot = source, beside, slot
        _, self._orders, self._heard, self._shapes, self._about, called = resume
        beside.begin(slot, self._orders, self._heard, called)

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        said = list(self._source.next_batch())
        if said and (self._shapes or self._about):
            key, packet = said[0]
            shapes, about = (*packet.shapes, *self._shapes), (*packet.feedback, *self._about)
            said[0] = key, packet.having(shapes=shapes, feedback=about)
            self._shapes, self._about = (), ()
        return said

    @override
    def next_awake(self) -> datetime | None:
        return self._source.next_awake()

    @override
    @logged
    def snapshot(self) -> State:
        self.take()
        place = self._source.snapshot(), self._orders, self._heard
        return *place, self._shapes, self._about, self._beside.called()

    def take(self) -> None:
        """Take what came meanwhile."""
        orders, about = self._beside.take(self._slot, self._orders)
        if orders:
            self._orders = orders[-1][0] + 1
            self._shapes += tuple(shape for _, shape in orders)
        if about:
            self._heard = about[-1][0] + 1
            self._about += tuple(each for _, each in about)

    @override
    def close(self) -> None:
        self._source.close()
        self._beside.finish(self._slot)


class BesideSource(FixedPartitionedSource[tuple[str, Packet], State]):
    """`source`, whose packets carry what the topics say meanwhile.

    :arg source: Where the streams come from: a partition a slot.

    :arg slots: The slot of each partition.

    :arg beside: What is said.

    """

    def __init__(
        self,
        source: FixedPartitionedSource[tuple[str, Packet], Any],
        slots: Mapping[str, int],
        beside: Beside,
    ) -> None:
        self._source, self._slots, self._beside = source, dict(slots), beside

    @override
    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    @override
    @logged
    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSourcePartition[tuple[str, Packet], State]:
        state = resume_state or (None, 0, -1, (), (), ())
        if len(state) < _FIELDS:  # saved before topics were known by more than their names
            state = (*state, ())
        inner = self._source.build_part(step_id, for_part, state[0])
        part = _Partition(inner, self._beside, self._slots[for_part], state)
        if resume_state is None:
            part.take()
        return part
