"""The one consumer of a process, shared by its slots.

Strategy. librdkafka's threads fetch; a worker only takes what is there (``consume`` with no time limit) and
sorts it into one queue a slot. A slot whose queue is long, in records or in bytes, is paused, so that memory
is bounded however slow the flow is: by that, and by what librdkafka has fetched already (a fetch is a
mebibyte as it was compressed, and may be many when it is read). A pause is for slots that are far behind:
what librdkafka has fetched of a partition that pauses, it forgets and fetches again. Where a log was read to
its end is known from the broker's own word (end of partition), which librdkafka gives once for each end; it
is behind what transactions leave in the log, which is no record and nobody is given. A slot that is silent
asks for it again and again: what a broker says now proves that nothing had come when it was asked, and
nothing about the time since. So a process that stood still, or was cut off, never takes its own absence for
silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from connectors._kafka_client import Cluster, KafkaFault, explained

__all__ = ["Reader"]

_log = logging.getLogger(__name__)
_TAKEN = 10_000  # messages of one look
_LONG, _WIDE = 262_144, 64 << 20  # messages and bytes that wait for all slots together
_LITTLE = 4  # a slot that is paused goes on when this part of its share is left
_QUIET = 10.0  # seconds for which a complaint is not repeated
_GONE = (
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)  # fmt: skip
_AGAIN = 250_000_000  # nanoseconds after which a silent slot is asked for its end again


class Reader:
    """The consumer, and a queue for each slot. A lock guards both: workers are threads.

    :arg cluster: Where.

    :arg group: Consumer group that is told of positions.

    :arg topic: The log; partition = slot.

    :arg slots: Those of this process.

    """

    def __init__(self, cluster: Cluster, group: str, topic: str, slots: Iterable[int]) -> None:
        self.consumer = cluster.consumer(group, self._complain)
        self._topic, self._patience = topic, cluster.timeout
        self._gone = 0.0
        self._complained: dict[int, float] = {}
        self._lock = threading.Lock()
        self._queues: dict[int, deque[Message]] = {slot: deque() for slot in slots}
        self._long, self._wide = _LONG // len(self._queues), _WIDE // len(self._queues)
        self._sizes = dict.fromkeys(self._queues, 0)
        self._paused: set[int] = set()
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._waiting = set(self._queues)
        self._asked: dict[int, int] = {}
        self._silent: dict[int, int] = {}

    def begin(self, slot: int, offset: int) -> None:
        """Read a slot from `offset` on; reading begins when every slot has said where."""
        with self._lock:
            self._next[slot] = offset
            self._waiting.discard(slot)
            if not self._waiting:
                self._asked = dict.fromkeys(self._next, time.monotonic_ns())
                self.consumer.assign([TopicPartition(self._topic, *place) for place in self._next.items()])

    def take(self, slot: int, most: int) -> list[Message]:
        """Up to `most` records of a slot, what is there; none while nothing is."""
        queue = self._queues[slot]
        with self._lock:
            if not queue and not self._waiting:
                self._look()
                if not queue:
                    self._ask_again(slot)
            taken = [queue.popleft() for _ in range(min(len(queue), most))]
            if taken:
                self._sizes[slot] -= sum(map(len, taken))
                self._next[slot] = (taken[-1].offset() or 0) + 1
                self._pass_end(slot)
            if slot in self._paused and self._is_little(slot):
                self.consumer.resume([TopicPartition(self._topic, slot)])
                self._paused.discard(slot)
        return taken

    def _is_little(self, slot: int) -> bool:
        return max(len(self._queues[slot]) / self._long, self._sizes[slot] / self._wide) < 1 / _LITTLE

    def place(self, slot: int) -> int:
        """The offset up to which a slot's log was taken: behind its last record, or where its end is known to
        be if that is all of it.
        """
        with self._lock:
            return self._next[slot]

    def _pass_end(self, slot: int) -> None:
        """Go where the log ended, if what was before it was taken: what is between is no record."""
        if slot in self._next and not self._queues[slot]:
            self._next[slot] = max(self._next[slot], self._ends.get(slot, 0))

    def _complain(self, error: KafkaError) -> None:
        """Brokers come back; a topic that is not there for long does not. The same is said once in a while:
        librdkafka says it for every attempt to connect.
        """
        now = time.monotonic()
        if now - self._complained.get(error.code(), -_QUIET) >= _QUIET:
            self._complained[error.code()] = now
            _log.warning("%s", explained(error, f"read {self._topic}"))
        if error.code() in _GONE:
            self._gone = self._gone or now

    def _look(self) -> None:
        queues, sizes, found = self._queues, self._sizes, self.consumer.consume(_TAKEN, 0)
        if found:
            self._gone = 0.0
        elif self._gone and time.monotonic() - self._gone > self._patience:
            msg = f"kafka: {self._topic} is not there any more: it was deleted while it was read"
            raise KafkaFault(msg)
        for message in found:
            error, slot = message.error(), message.partition() or 0
            if error is None:
                queues[slot].append(message)
                sizes[slot] += len(message)  # of its value
                continue
            offset = message.offset() or 0
            if error.code() != KafkaError._PARTITION_EOF:
                raise explained(error, f"read {self._topic}, partition {slot}, offset {offset}")
            self._ends[slot] = offset
            self._silent[slot] = self._asked[slot]
            self._pass_end(slot)
        for slot, queue in queues.items():
            if (len(queue) > self._long or sizes[slot] > self._wide) and slot not in self._paused:
                self.consumer.pause([TopicPartition(self._topic, slot)])
                self._paused.add(slot)

    def _ask_again(self, slot: int) -> None:
        """Have the end of a slot told once more."""
        now = time.monotonic_ns()
        if slot in self._ends and now - self._asked[slot] >= _AGAIN:
            del self._ends[slot]
            self._asked[slot] = now
            self.consumer.seek(TopicPartition(self._topic, slot, self._next[slot]))

    def silent_until(self, slot: int) -> int:
        """Up to when (monotonic, ns) the log is known to have had no more than was taken; 0: not known."""
        with self._lock:
            return 0 if self._queues[slot] else self._silent.get(slot, 0)

    def commit(self, slot: int, offset: int) -> None:
        """Tell the group where a slot is saved. For others to look at: no loss if it fails."""
        try:
            self.consumer.commit(offsets=[TopicPartition(self._topic, slot, offset)], asynchronous=True)
        except KafkaException as error:
            _log.warning("%s", explained(error, "commit to the group"))

    def finish(self, slot: int) -> None:
        """A slot is done; with the last, the consumer."""
        with self._lock:
            self._next.pop(slot, None)
            self._ends.pop(slot, None)
            if self._next:
                self.consumer.pause([TopicPartition(self._topic, slot)])
            else:
                self.consumer.close()
