"""The durable lane in: deltas of streams from a Kafka topic, one partition a slot.

Speaks     records of ``connectors._deltas`` in topic ``<prefix>.deltas``; key: the stream's name
Direction  source
Emits      :class:`~operators.packet.Packet`
Delivery   exactly once into the state; repeats that a writer's crash left in the log are dropped by run and
           seq
Parallel   one partition per slot, one consumer per process; a cell reads the slots that are its own
Needs      ``pip install midstream[kafka]``
Reference  https://kafka.apache.org/documentation/

Strategy. Which slots a process reads is said, not negotiated: there is no rebalance, and a cell that dies
stops nobody else. The offset behind the last record is the position in Bytewax's state; a run that resumes
goes on there, or not at all if the log does not hold it any more. A topic that was deleted and made anew is
another log, however long it is: who resumes is refused, and a job that reads it ends within seconds. The
offsets of the *last saved* position are committed to the group as well, for tools that show lag; nothing
reads them here but ``start = "committed"``.

The log is the truth, and so is its time: a record says when it came (``at``), but not later than the broker
took it in, and not earlier than what stands before it in its slot. What has no time between 1970 and 2200 is
no record. A topic whose time its writers give (``message.timestamp.type=CreateTime``; ours is made with
``LogAppendTime``) is believed, and one wrong clock among them holds all later records of its slot at its own
time: that is told once in the log, at level info. Silence is told by ticks, which are no
part of the log: so they are made when the position is saved, and are part of it, and a resumed run hears them
in the very same place. A tick says the time of the slot's last record and for how long after it the log is
known to have held no more, by our monotonic clock, never by the time of day of this machine; there is none
while it holds more, or nobody can say.

What cannot be decoded is a dead letter (``Packet.dead``) and an ERROR of its stream, which goes on. What the
broker's disk has damaged is a dead letter as well, one for the piece: whose it was nobody can tell. A record
without a value (a tombstone) says nothing and is counted, and so is a repeat.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaException, Message, TopicPartition
from typing_extensions import override

from connectors._deltas import LATEST, MAX_NAME, decode
from connectors._kafka_client import Cluster, KafkaFault, explained
from connectors._kafka_damage import Unreadable
from connectors._kafka_reader import Reader
from connectors._kafka_skipped import SKIPPED
from connectors._logged import logged
from connectors._stop import STOP
from operators.packet import Dead, Delta, Kind, Packet, pack

__all__ = ["KafkaSource", "Start"]

_log = logging.getLogger(__name__)
_ERROR = int(Kind.ERROR)
_TICK = 250_000_000  # nanoseconds
_RUNS = 64  # writers of a slot that are remembered
_KEPT = 256 * 1024  # bytes of a dead record


@dataclass(frozen=True)
class Start:
    """Where a job begins that has no state: ``earliest latest committed``, a time (ms) or an offset."""

    where: str = "earliest"
    time: int = -1
    offset: int = -1


class _Partition(StatefulSourcePartition[tuple[str, Packet], bytes]):
    def __init__(self, source: KafkaSource, slot: int, offset: int, resume: Mapping[str, Any]) -> None:
        self._source, self._slot, self._key = source, slot, source.keys[slot]
        self._offset, self._saved = offset, -1
        self._runs: dict[str, int] = dict(resume.get("runs", {}))
        self._repeating: set[str] = set()  # runs that somebody was told of
        self._reached: int = resume.get("reached", 0)
        self._tick: int = resume.get("tick", 0)
        self._heard = time.monotonic_ns()
        self._told = self._heard
        self._over = False
        source.reader.begin(slot, offset)

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        if STOP.is_set():
            self._over = True
            raise StopIteration
        if self._tick:
            tick, self._tick = self._tick, 0
            return [(self._key, pack(self._slot, [], now=tick))]
        taken = self._source.reader.take(self._slot, self._source.batch)
        if isinstance(taken, Unreadable):
            return [(self._key, self._lost(taken))]
        if taken:
            return [(self._key, self._packed(taken))]
        self._offset = self._source.reader.place(self._slot)
        if self._source.over(self._slot, self._offset):
            self._over = True
            raise StopIteration
        return []

    def _packed(self, messages: list[Message]) -> Packet:
        arrived = time.monotonic_ns()
        said: list[tuple[str, Delta]] = []
        dead: list[Dead] = []
        largest, skew = self._source.event_bytes, self._source.skew
        tombstones = 0
        repeats: Counter[str] = Counter()
        for message in messages:
            value = message.value()
            if value is None:
                tombstones += 1
                continue
            try:
                if len(value) > largest:
                    msg = f"a record of {len(value)} bytes, limits.event_bytes is {largest}"
                    raise ValueError(msg)
                # The broker's time is in milliseconds: a record is not from the future within one.
                taken = message.timestamp()[1] * 1_000_000 + 999_999
                if not 0 <= taken < LATEST:
                    msg = "the topic says that it came before 1970, or after 2199"
                    raise ValueError(msg)
                stream, delta, run, seq = decode(value, message.key() or b"", taken, skew)
            except ValueError as error:
                self._bury(message, str(error), said, dead)
                continue
            if not run or self._fresh(run, seq):
                said.append((stream, delta))
            else:
                repeats[run] += 1
        if tombstones or repeats:
            self._skip(tombstones, repeats)
        self._source.believe(messages[0])
        first, last = messages[0].offset() or 0, messages[-1].offset() or 0
        self._offset = self._source.reader.place(self._slot)
        packet = pack(self._slot, said, now=self._reached, arrived=arrived)
        self._keep_time(packet, arrived)
        packet.origin, packet.dead = (first, last), tuple(dead)
        return packet

    def _lost(self, piece: Unreadable) -> Packet:
        """A piece of the log that is damaged, as one dead letter: of no size, as nothing of it can be kept,
        and of no stream, as its keys are gone as well.
        """
        last = piece.end - 1
        cause = f"offsets {piece.first} to {last}: {piece.cause}"
        _log.error("%s/%d@%d: %s", self._source.topic, self._slot, piece.first, cause)
        self._offset = self._source.reader.place(self._slot)
        packet = pack(self._slot, [], now=self._reached, arrived=time.monotonic_ns())
        packet.origin, packet.dead = (piece.first, last), (Dead(piece.first, "", cause, 0, b""),)
        return packet

    def _keep_time(self, packet: Packet, arrived: int) -> None:
        """Time never goes back in a slot, whatever clocks its writers have: what somebody is told of silence
        must not depend on where a packet ends.
        """
        at = packet.deltas["at"]
        at[:] = np.maximum.accumulate(np.maximum(at, self._reached))
        if len(at) and at[-1] > self._reached:
            packet.now = self._reached = int(at[-1])
            self._heard = arrived
        self._told = arrived

    def _fresh(self, run: str, seq: int) -> bool:
        """Whether a record of a run was not there before."""
        known = self._runs.get(run)
        if known is None:
            if len(self._runs) == _RUNS:
                del self._runs[next(iter(self._runs))]
        elif seq <= known:
            return False
        elif len(self._runs) > 1:
            del self._runs[run]  # the last one that wrote is the last one to be forgotten
        self._runs[run] = seq
        return True

    def _skip(self, tombstones: int, repeats: Counter[str]) -> None:
        """Count what says nothing; a run that repeats itself is told of once."""
        SKIPPED.add(tombstones, repeats.total())
        for run in repeats.keys() - self._repeating:
            self._repeating.add(run)
            _log.warning(
                "%s/%d: records that were there before are left out: %d so far of a run that was begun again "
                "after a crash; of all later ones topic metrics tells (repeats)",
                self._source.topic, self._slot, repeats[run],
            )  # fmt: skip

    def _bury(self, message: Message, cause: str, said: list[tuple[str, Delta]], dead: list[Dead]) -> None:
        value, offset = message.value() or b"", message.offset() or 0
        stream = (message.key() or b"").decode(errors="replace")
        stream = "" if len(stream) > MAX_NAME else stream  # cut short it might be another's
        _log.error("%s/%d@%d: %s", self._source.topic, self._slot, offset, cause)
        dead.append(Dead(offset, stream, cause, len(value), value[:_KEPT]))
        when = self._reached or (said[-1][1].at if said else message.timestamp()[1] * 1_000_000)
        if stream and 0 < when < LATEST:  # else there is no time yet in this slot to say it at
            reason = f"a record that cannot be read (offset {offset}): {cause}"
            said.append((stream, Delta(_ERROR, reason, at=when)))

    @override
    @logged
    def snapshot(self) -> bytes:
        if self._saved >= 0:  # Bytewax has it by now: it begins no epoch before the last is saved
            self._source.reader.commit(self._slot, self._saved)
        self._saved = self._offset
        silent = self._source.reader.silent_until(self._slot)
        if self._reached and not self._tick and silent - self._told >= _TICK:
            self._tick, self._told = self._reached + silent - self._heard, silent
        return orjson.dumps(
            {
                "version": 1, "topic": self._source.topic, "offset": self._offset, "runs": self._runs,
                "reached": self._reached, "tick": self._tick,
                "id": self._source.reader.identity.known,
            }
        )  # fmt: skip

    @override
    def close(self) -> None:
        if self._over:  # a job that fails does not wait for a broker that may be gone: see Consumer.close
            self._source.reader.finish(self._slot)


class KafkaSource(FixedPartitionedSource[tuple[str, Packet], bytes]):
    """Reads the slots of a cell.

    :arg cluster: Where.

    :arg keys: Key of each slot that is this cell's own.

    :arg group: Consumer group that offsets are committed to.

    :arg start: Where a slot begins that has no state.

    :arg to_end: End when every slot was read to where its log ended at the start; else never.

    :arg batch: Deltas in a packet at most.

    :arg event_bytes: Bytes of a record at most; a larger one is a dead letter.

    :arg skew: Seconds that a record may be from the future.

    :raises KafkaFault: If the topic cannot be read.

    """

    def __init__(
        self,
        cluster: Cluster,
        keys: Mapping[int, str],
        group: str,
        *,
        start: Start | None = None,
        to_end: bool = False,
        batch: int = 1024,
        event_bytes: int = 1 << 20,
        skew: float = 300.0,
    ) -> None:
        self.keys, self.topic = dict(keys), cluster.topic("deltas")
        self.batch, self.event_bytes, self.skew = batch, event_bytes, int(skew * 1e9)
        self._believed = False
        self.reader = Reader(cluster, group, self.topic, keys)
        self._cluster, self._start, self._to_end = cluster, start or Start(), to_end
        self._bounds = {
            slot: cluster.bounds(self.reader.consumer, TopicPartition(self.topic, slot)) for slot in keys
        }
        self._begins = self._places()

    @override
    def list_parts(self) -> list[str]:
        return list(self.keys.values())

    @override
    @logged
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _Partition:
        slot = next(slot for slot, key in self.keys.items() if key == for_part)
        if resume_state is None:
            return _Partition(self, slot, self._begins[slot], {})
        resume = orjson.loads(resume_state)
        if resume["version"] != 1:
            msg = (
                f"the position of slot {slot} is of version {resume['version']}, this program reads version 1"
            )
            raise ValueError(msg)
        if resume["topic"] != self.topic:
            msg = (
                f"the position of slot {slot} is one in {resume['topic']}, not in {self.topic}: take the "
                f"kafka.prefix that it was saved with, or a new recovery directory"
            )
            raise KafkaFault(msg)
        if resume.get("id"):
            self.reader.identity.hold(resume["id"], f"the position of slot {slot}")
        (low, high), offset = self._bounds[slot], resume["offset"]
        if not low <= offset <= high:
            gone = f"{low - offset} records are gone" if offset < low else "the topic was made anew"
            msg = (
                f"kafka: slot {slot} was read up to offset {offset}, but {self.topic} now holds {low} to "
                f"{high}: {gone}; begin with a new recovery directory, and where kafka.start says"
            )
            raise KafkaFault(msg)
        return _Partition(self, slot, offset, resume)

    def over(self, slot: int, offset: int) -> bool:
        """Whether a slot whose queue is empty, read up to `offset`, is done."""
        end: int = self._bounds[slot][1]
        return self._to_end and offset >= end

    def believe(self, message: Message) -> None:
        """Say once if it is the writers that give the topic its time."""
        if not self._believed and message.timestamp()[0] != TIMESTAMP_LOG_APPEND_TIME:
            self._believed = True
            _log.info("%s: its writers say when records came: see that their clocks are right", self.topic)

    def _places(self) -> dict[int, int]:
        """Where each slot begins that has no state."""
        start, bounds = self._start, self._bounds
        if start.where in {"earliest", "latest"}:
            return {slot: bound[start.where == "latest"] for slot, bound in bounds.items()}
        if start.where == "offset":
            for slot, (low, high) in bounds.items():
                if not low <= start.offset <= high:
                    msg = f"kafka.start: {self.topic}, partition {slot} holds offsets {low} to {high}"
                    raise KafkaFault(msg)
            return dict.fromkeys(bounds, start.offset)
        consumer, timeout = self.reader.consumer, self._cluster.timeout
        asked = [TopicPartition(self.topic, slot, max(start.time, 0)) for slot in bounds]
        try:
            known = (
                consumer.committed(asked, timeout=timeout)
                if start.where == "committed"
                else consumer.offsets_for_times(asked, timeout=timeout)
            )
        except KafkaException as error:
            raise explained(error, f"ask where to start in {self.topic}") from error
        for place in known:
            if place.error:
                raise explained(place.error, f"start in {self.topic}, partition {place.partition}")
        # Nothing committed: all of it. Nothing that late: what is to come.
        missing = 0 if start.where == "committed" else 1
        return {
            place.partition: place.offset if place.offset >= 0 else bounds[place.partition][missing]
            for place in known
        }
