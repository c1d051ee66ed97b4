"""Markers: what an exact lane has written, said in the very transaction that wrote it.

Strategy. A transaction's last record is a marker in topic ``<prefix>.markers``, partition = slot, key = the
lane's name: the last numbers that are committed with it. Either all of it is there or nothing, so a run that
resumes reads the last marker and knows which of the records that it makes again are there already; Kafka may
be an epoch ahead of Bytewax's state, never behind it. The topic is compacted, and read from its end in
growing steps: the marker of a lane that wrote lately is among the last records.

A reader of committed records is shown nothing behind the first transaction that is open, of whichever lane.
So where the log really ends is asked as a reader who sees everything, and what is open before it is waited
for: a marker that was not seen would have its records written twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Annotated

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from connectors._deltas import harmless
from connectors._kafka_client import Cluster, KafkaFault
from connectors._kafka_records import Counters

__all__ = ["Marker", "Markers", "last_markers"]

_STEP = 64  # records
_LONGEST = 512  # characters of a name
_OPEN = (
    ": a transaction of another process is open before it. It ends when that process goes on, or its "
    "kafka.transaction_timeout after it died: start again then"
)


class Marker(msgspec.Struct, frozen=True, tag_field="type", tag="marker"):
    """What a lane has committed of a slot."""

    lane: str
    slot: int
    run: Annotated[str, msgspec.Meta(max_length=_LONGEST)]
    counters: Counters


class Markers:
    """The markers of a lane, read once: when all lanes of the job have fenced who was there, so that none
    waits for what another's predecessor left open, and before one of them opens a transaction of its own.
    """

    def __init__(self, cluster: Cluster, lane: str, slots: Iterable[int]) -> None:
        self._cluster, self._lane, self._slots = cluster, lane, list(slots)
        self._known: dict[int, Marker] | None = None
        self._lock = threading.Lock()

    def of(self, slot: int) -> Marker | None:
        """The last one of a slot; see :func:`last_markers`."""
        return self.read().get(slot)

    def read(self) -> dict[int, Marker]:
        """Those of all slots, as they were at the first call."""
        with self._lock:
            if self._known is None:
                self._known = last_markers(self._cluster, self._lane, self._slots)
            return self._known


def last_markers(cluster: Cluster, lane: str, slots: Iterable[int]) -> dict[int, Marker]:
    """The last committed marker of `lane` in each slot that has one. Call it when earlier owners of the slots
    are fenced: their transactions are over then.

    :raises KafkaFault: If it cannot be read, somebody else's transaction stays open in front of the end for
        ``cluster.timeout`` seconds, or what is there is no marker.
    """
    reader = cluster.consumer(f"{cluster.prefix}-markers")
    asker = cluster.consumer(f"{cluster.prefix}-markers", isolation="read_uncommitted")
    try:
        found = ((slot, _last(reader, asker, cluster, lane, slot)) for slot in slots)
        return {slot: marker for slot, marker in found if marker}
    finally:
        reader.close()
        asker.close()


def _last(reader: Consumer, asker: Consumer, cluster: Cluster, lane: str, slot: int) -> Marker | None:
    place = TopicPartition(cluster.topic("markers"), slot)
    low, high = cluster.bounds(asker, place)
    step, end = _STEP, high
    while end > low:
        begin = max(end - step, low)
        records = cluster.between(reader, TopicPartition(place.topic, slot, begin), end, _OPEN)
        ours = [message for message in records if message.key() == lane.encode()]
        if ours:
            return _marker(ours[-1], lane, slot)
        step, end = step * 8, begin
    return None


def _marker(message: Message, lane: str, slot: int) -> Marker:
    """What a record under our key says, if it is ours; of what is not, no word is repeated."""
    try:
        marker = msgspec.json.decode(message.value() or b"", type=Marker)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wrong = harmless(error)
    else:
        if (marker.lane, marker.slot) == (lane, slot):
            return marker
        wrong = "it is of another lane or slot"
    msg = (
        f"kafka: {message.topic()}, partition {slot}, offset {message.offset()}: no marker of {lane}: "
        f"{wrong}. Somebody else writes to this topic, and how far the lane is cannot be told: resume with "
        f"kafka.lane=fast (at least once), or begin a run of its own with another kafka.prefix"
    )
    raise KafkaFault(msg)
