"""Dead letters: what there is in topic ``<prefix>.dead``, and how it comes back into the log.

Speaks     ``dead`` and ``replayed`` records; partition = slot
Direction  reads the letters, writes what they hold into ``<prefix>.deltas``
Emits      :class:`Letter`
Delivery   exactly once for readers of committed records
Parallel   one process: a second one that puts back fences the first
Needs      ``pip install midstream[kafka]``

Strategy. A letter is not taken out of its topic when it was put back: a ``replayed`` record is added behind
it, in the very transaction that puts its records into the log. So either both are there or neither, whatever
happens in between, and which letters were put back can be told by any choice of them, in any order; a
position in the topic could only say "all up to here".

A record comes back as it was, under its key and in its slot, but without ``run`` and ``seq``: the source has
read later numbers of that run, and would take it for a repeat. It comes behind what the log holds by then,
not where it was. A letter that holds only the beginning of its record, or does not know its key, names the
place in the log where the whole of it is, for as long as the log is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from connectors._kafka_client import Cluster, explained
from connectors._kafka_topics import present
from connectors._records import Dead, Record

__all__ = ["DeadLetters", "Letter", "LostError", "PutBack", "Replayed"]

_log = logging.getLogger(__name__)
_LETTERS = 100  # of one transaction
_CLOSING = 5.0  # seconds


class Replayed(Record, frozen=True, gc=False):
    """A dead letter's records were put back into the log."""

    stream: str
    slot: int
    offset: int
    """The letter's place in its partition of the topic ``dead``."""
    at: int
    """Nanoseconds since 1970."""


class Letter(NamedTuple):
    """A dead letter, and what the topic says about it."""

    slot: int
    place: int
    """Its offset in the partition of the topic ``dead``."""
    when: int
    """When the topic took it in: milliseconds since 1970."""
    said: Dead
    replayed: bool
    """Whether it was put back before."""


class LostError(Exception):
    """Why a letter cannot be put back."""


_decode = msgspec.json.Decoder(Dead | Replayed).decode


class DeadLetters:
    """The dead letters of a deployment.

    :arg cluster: Where.

    :raises KafkaFault: If the topics ``dead`` and ``deltas`` are not there, or have other partitions than
        there are slots.

    """

    def __init__(self, cluster: Cluster) -> None:
        present(cluster, ["dead", "deltas"])
        self._cluster = cluster
        self._dead, self._deltas = cluster.topic("dead"), cluster.topic("deltas")
        self._letters = cluster.consumer(f"{cluster.prefix}-dlq")
        self._originals = cluster.consumer(f"{cluster.prefix}-dlq")
        self.strange = 0
        """Records of the topic that are no dead letters, as far as it was read."""

    def letters(self, slots: range) -> Iterator[Letter]:
        """The letters that are there now, by slot and in their order. Each partition is read twice: which
        were put back is known at its end. Holds one letter, and a number for each that was put back.

        :raises KafkaFault: If the topic cannot be read.
        """
        for slot in slots:
            bounds = self._cluster.bounds(self._letters, TopicPartition(self._dead, slot))
            replayed = {
                said.offset for _, said in self._said(slot, bounds, aloud=True) if isinstance(said, Replayed)
            }
            for message, said in self._said(slot, bounds, aloud=False):
                if isinstance(said, Dead):
                    place = message.offset() or 0
                    yield Letter(slot, place, message.timestamp()[1], said, place in replayed)

    def records(self, letter: Letter) -> list[tuple[bytes | None, bytes]]:
        """What a letter puts back: keys and values, in order.

        :raises LostError: If it is not all there any more, never was, or could not be read at all.

        :raises KafkaFault: If the log cannot be read.
        """
        said = letter.said
        if said.topic != self._deltas:
            msg = f"it came from {said.topic or 'a source without a log'}, not out of {self._deltas}"
            raise LostError(msg)
        if not said.size:
            msg = f"nothing of it could be read: {said.cause}"
            raise LostError(msg)
        whole = said.size == len(said.data)
        if said.offset != said.last:  # a packet's deltas
            if not whole:
                where = f"offsets {said.offset} to {said.last} of partition {letter.slot}"
                msg = f"the letter holds {len(said.data)} of {said.size} bytes out of {where}"
                raise LostError(msg)
            return [(said.stream.encode(), line) for line in said.data.split(b"\n") if line]
        if said.stream and whole:
            return [(said.stream.encode(), _unnumbered(said.data))]
        message = self._original(letter)
        return [(message.key(), _unnumbered(message.value() or b""))]

    def _original(self, letter: Letter) -> Message:
        """The record that a letter is about, out of the log."""
        said, place = letter.said, TopicPartition(self._deltas, letter.slot, letter.said.offset)
        what = f"the letter holds {len(said.data)} of its {said.size} bytes, and {self._deltas}"
        low, high = self._cluster.bounds(self._originals, place)
        if low <= said.offset < high:
            for message in self._cluster.between(self._originals, place, said.offset + 1):
                value = message.value() or b""
                if len(value) == said.size and value.startswith(said.data):
                    return message
        msg = f"{what}, partition {letter.slot}, does not hold offset {said.offset} any more"
        raise LostError(msg)

    def close(self) -> None:
        """Leave the cluster."""
        self._letters.close()
        self._originals.close()

    def _said(
        self, slot: int, bounds: tuple[int, int], *, aloud: bool
    ) -> Iterator[tuple[Message, Dead | Replayed]]:
        """The records between two offsets; what is none is told of, if `aloud`."""
        low, high = bounds
        for message in self._cluster.between(self._letters, TopicPartition(self._dead, slot, low), high):
            try:
                yield message, _decode(message.value() or b"")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if aloud:
                    self.strange += 1
                    _log.error("%s/%d@%d: no dead letter", self._dead, slot, message.offset() or 0)


class PutBack:
    """Puts letters back, some in a transaction. Make it before the letters are read: that fences whoever else
    puts back, so that what is read says all that was put back.

    :arg cluster: Where.

    :raises KafkaFault: If the cluster does not let us.

    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._dead, self._deltas = cluster.topic("dead"), cluster.topic("deltas")
        self._producer = cluster.producer(transactional_id=f"{cluster.prefix}-dlq", failed=_failed)
        self._waiting = self._records = 0
        self.letters = self.records = 0
        """What is committed."""
        try:
            self._producer.init_transactions(cluster.timeout)
        except KafkaException as error:
            raise explained(error, "begin to put back") from error

    def put(self, letter: Letter, records: list[tuple[bytes | None, bytes]]) -> None:
        """Put a letter's records into the log; it is done when they are committed.

        :raises KafkaFault: If they, or earlier ones, could not be written.
        """
        mark = Replayed(letter.said.stream, letter.slot, letter.place, time.time_ns())
        origin = [
            ("slot", b"%d" % letter.slot),
            ("replayed-from", f"{self._dead}/{letter.slot}@{letter.place}".encode()),
        ]
        try:
            if not self._waiting:
                self._producer.begin_transaction()
            for key, value in records:
                self._send(self._deltas, letter.slot, key, value, origin)
            self._send(self._dead, letter.slot, letter.said.stream.encode(), msgspec.json.encode(mark), [])
        except KafkaException as error:
            what = f"put {self._dead}, partition {letter.slot}, offset {letter.place} back"
            raise explained(error, what) from error
        self._waiting += 1
        self._records += len(records)
        if self._waiting == _LETTERS:
            self.commit()

    def _send(
        self, topic: str, slot: int, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        try:
            self._producer.produce(topic, value, key, slot, headers=[*headers])
        except BufferError:  # what is queued goes out first; what then does not fit is larger than the queue
            self._producer.flush(self._cluster.delivery)
            self._producer.produce(topic, value, key, slot, headers=[*headers])

    def commit(self) -> None:
        """Make sure of what was put.

        :raises KafkaFault: If it is not known to be written. All of it is there or none: to begin again is
            safe.
        """
        if not self._waiting:
            return
        try:
            self._producer.commit_transaction(self._cluster.transaction)
        except KafkaException as error:
            raise explained(error, "commit what was put back") from error
        self.letters += self._waiting
        self.records += self._records
        self._waiting = self._records = 0

    def close(self) -> None:
        """Take back what was not committed: readers of committed records would wait for it."""
        if self._waiting:
            try:
                self._producer.abort_transaction(_CLOSING)
            except KafkaException as error:
                _log.warning("%s", explained(error, "abort"))


def _failed(error: KafkaError | None, message: Message) -> None:
    """A record was not delivered; the commit of its transaction fails, and says no more than that."""
    if error is not None:
        _log.error("%s", explained(error, f"write to {message.topic()}, partition {message.partition()}"))


def _unnumbered(value: bytes) -> bytes:
    """A record without ``run`` and ``seq``, the rest of it as it stands; what is no record as it is."""
    try:
        said = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value
    if not said.keys() & {"run", "seq"}:
        return value
    return msgspec.json.encode({name: each for name, each in said.items() if name not in {"run", "seq"}})
