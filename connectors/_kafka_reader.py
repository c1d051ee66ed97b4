"""The one consumer of a process, shared by its slots.

Strategy. librdkafka's threads fetch; a worker only takes what is there (``consume`` with no time limit) and
sorts it into one queue a slot. A slot whose queue is longer than its share, in records or in bytes, is
paused, and no look takes more records than a share: so no more than two shares of each slot wait here,
however slow the flow is, and behind them what librdkafka has fetched already (a share, and one fetch: a
mebibyte as it was compressed, and may be many when it is read). A pause is for slots that are far behind:
what librdkafka has fetched of a partition that pauses, it forgets and fetches again. Where a log was read to
its end is known from the broker's own word (end of partition), which librdkafka gives once for each end; it
is behind what transactions leave in the log, which is no record and nobody is given. A slot that is silent
asks for it again and again: what a broker says now proves that nothing had come when it was asked, and
nothing about the time since. So a process that stood still, or was cut off, never takes its own absence for
silence.

What the broker's disk has damaged stands in the queue as the piece that it is (``connectors._kafka_damage``),
and the records behind it are read. That the topic is still the same is asked beside.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from connectors._kafka_client import Cluster, KafkaFault, explained
from connectors._kafka_damage import Search, Unreadable
from connectors._kafka_topics import Identity

__all__ = ["Reader"]

_log = logging.getLogger(__name__)
_TAKEN = 10_000  # messages of one look, at most
_LONG, _WIDE = 131_072, 64 << 20  # messages and bytes of which each slot has an equal share
_HEADERS = 256  # records, of which one has its headers weighed: they cost more to look at than all the rest
_LITTLE = 4  # a slot that is paused goes on when this part of its share is left
_QUIET = 10.0  # seconds for which a complaint is not repeated
_GONE = (
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)  # fmt: skip
_DAMAGED = frozenset([KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION])
_LOST = frozenset([KafkaError._NOT_IMPLEMENTED, KafkaError._AUTO_OFFSET_RESET])
"""What librdkafka also says where it took the middle of something for a batch."""
_AGAIN = 250_000_000  # nanoseconds after which a silent slot is asked for its end again
_SAME, _SAME_SOON = 5.0, 0.5  # seconds between two questions whether the topic is the same; when it is missed


class Reader:
    """The consumer, and a queue for each slot. A lock guards both: workers are threads.

    :arg cluster: Where.

    :arg group: Consumer group that is told of positions.

    :arg topic: The log; partition = slot.

    :arg slots: Those of this process.

    """

    def __init__(self, cluster: Cluster, group: str, topic: str, slots: Iterable[int]) -> None:
        self._topic, self._patience = topic, cluster.timeout
        self._gone = 0.0
        self._complained: dict[int, float] = {}
        self._lock = threading.Lock()
        self._queues: dict[int, deque[Message]] = {slot: deque() for slot in slots}
        self._long, self._wide = _LONG // len(self._queues), _WIDE // len(self._queues)
        self.identity = Identity(cluster, topic)
        self.consumer = cluster.consumer(group, self._complain, ahead=(self._long, self._wide))
        self._weights: dict[int, deque[int]] = {slot: deque() for slot in self._queues}
        self._sizes = dict.fromkeys(self._queues, 0)
        self._sought: dict[int, Search] = {}
        self._moved: set[int] = set()
        self._lost: dict[int, deque[Unreadable]] = {slot: deque() for slot in self._queues}
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

    def take(self, slot: int, most: int) -> list[Message] | Unreadable:
        """Up to `most` records of a slot, what is there, or a piece of its log that cannot be read; no
        records while nothing is there.
        """
        queue, lost = self._queues[slot], self._lost[slot]
        with self._lock:
            if not queue and not lost and not self._waiting:
                self._look()
                if not queue:
                    self._ask_again(slot)
            if lost:
                most = sum((message.offset() or 0) < lost[0].first for message in islice(queue, most))
                if not most:
                    self._next[slot] = lost[0].end
                    self._pass_end(slot)
                    return lost.popleft()
            weights = self._weights[slot]
            taken = [queue.popleft() for _ in range(min(len(queue), most))]
            if taken:
                self._sizes[slot] -= sum([weights.popleft() for _ in taken])
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
        if slot in self._next and not self._queues[slot] and not self._lost[slot]:
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
        self.identity.check(_SAME_SOON if self._gone else _SAME)
        queues, found = self._queues, self.consumer.consume(min(_TAKEN, self._long), 0)
        if found:
            self._gone = 0.0
        elif self._gone and time.monotonic() - self._gone > self._patience:
            msg = f"kafka: {self._topic} is not there any more: it was deleted while it was read"
            raise KafkaFault(msg)
        self._moved.clear()
        sought, moved, headers = self._sought, self._moved, 0
        for place, message in enumerate(found):
            error, slot = message.error(), message.partition() or 0
            if slot in sought:
                self._hear(slot, message, error)
            elif error is not None:
                if slot not in moved:
                    self._stop_at(slot, message, error)
            elif slot not in moved:
                if place % _HEADERS == 0:
                    headers = _weight(message)
                size = len(message) + len(message.key() or b"") + headers
                queues[slot].append(message)
                self._weights[slot].append(size)
                self._sizes[slot] += size
        for slot, queue in queues.items():
            long = len(queue) > self._long or self._sizes[slot] > self._wide
            if long and slot not in self._paused and slot not in sought:
                self.consumer.pause([TopicPartition(self._topic, slot)])
                self._paused.add(slot)

    def _stop_at(self, slot: int, message: Message, error: KafkaError) -> None:
        """What stands in the log instead of a record: its end, or what cannot be read."""
        offset, ahead = message.offset() or 0, self._ahead(slot)
        if error.code() == KafkaError._PARTITION_EOF:
            self._ends[slot] = offset
            self._silent[slot] = self._asked[slot]
            self._pass_end(slot)
        elif error.code() in _DAMAGED:
            self._ends.pop(slot, None)
            _, end = self.consumer.get_watermark_offsets(TopicPartition(self._topic, slot), cached=True)
            if end > max(offset, ahead):  # else what is known of the end is of before
                cause = f"damaged in the broker's log: {error.str()}"
                search = self._sought[slot] = Search(offset, ahead, end, cause)
                ahead = search.place
            self._move(slot, ahead)
        elif error.code() in _LOST and offset != ahead:
            self._move(slot, ahead)
        else:
            self._refuse(slot, offset, error)

    def _ahead(self, slot: int) -> int:
        """The offset behind all that is known of a slot's log."""
        queue, lost = self._queues[slot], self._lost[slot]
        read = (queue[-1].offset() or 0) + 1 if queue else 0
        return max(self._next[slot], read, lost[-1].end if lost else 0)

    def _hear(self, slot: int, message: Message, error: KafkaError | None) -> None:
        """What there is where the end of a damaged batch is sought."""
        search, offset = self._sought[slot], message.offset() or 0
        if slot in self._moved:
            return
        if error is not None and error.code() in _DAMAGED:
            search.hear(offset)
        elif error is None or error.code() == KafkaError._PARTITION_EOF:
            search.hear(None)
        elif error.code() not in _LOST or offset == search.place:
            self._refuse(slot, offset, error)
        self._move(slot, search.place)
        if piece := search.found:
            del self._sought[slot]
            if piece.first < piece.end:
                self._lost[slot].append(piece)

    def _move(self, slot: int, offset: int) -> None:
        """Read a slot from somewhere else on; what else this look brought of it is of before. It is no seek:
        behind a damaged batch librdkafka takes what it finds for another, and may have stopped for good.
        """
        self._moved.add(slot)
        place = TopicPartition(self._topic, slot, offset)
        self.consumer.incremental_unassign([place])
        self.consumer.incremental_assign([place])

    def _refuse(self, slot: int, offset: int, error: KafkaError) -> None:
        """An error that no waiting mends; where an offset is not there, the topic may be another by now."""
        self.identity.settle()
        raise explained(error, f"read {self._topic}, partition {slot}, offset {offset}")

    def _ask_again(self, slot: int) -> None:
        """Have the end of a slot told once more."""
        now = time.monotonic_ns()
        if slot in self._ends and now - self._asked[slot] >= _AGAIN:
            with suppress(KafkaException):  # it is not read just now, as the topic is away: that is told of
                self.consumer.seek(TopicPartition(self._topic, slot, self._next[slot]))
                self._asked[slot] = now
                del self._ends[slot]

    def silent_until(self, slot: int) -> int:
        """Up to when (monotonic, ns) the log is known to have had no more than was taken; 0: not known."""
        with self._lock:
            more = self._queues[slot] or self._lost[slot] or slot in self._sought
            return 0 if more else self._silent.get(slot, 0)

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


def _weight(message: Message) -> int:
    """Bytes of its headers."""
    said = list[Any](message.headers() or ())
    return sum(len(name) + len(value or b"") for name, value in said)
