"""The durable lane out: records of packets into Kafka topics, in one of two ways.

Speaks     the records of ``connectors._kafka_records``; partition = slot, key = the stream's name, headers
           ``slot seq run``
Direction  sink
Takes      :class:`~operators.packet.Packet`
Delivery   *fast*: at least once, at once; what comes again has the same run, slot, seq and topic.
           *exact*: exactly once for readers of committed records, when an epoch closes
Parallel   one part per slot; a cell writes its own slots
Needs      ``pip install midstream[kafka]``
Reference  https://kafka.apache.org/documentation/#semantics

Strategy. Bytewax calls ``snapshot`` of every part that was written to when an epoch closes, and saves the
epoch only if none raises: so that is where records are made sure of. A replay after a crash makes the same
records with the same numbers again; a name for the numbering (``run``) goes with them, so that a job that
begins anew is not mistaken for one that repeats itself. What comes from where nothing can be read again has
a new name in every life: its records are never repeats, whatever the state says.

*Fast*: one idempotent producer for the process. Records go out as they come; at the end of the epoch what is
not acknowledged by all replicas is waited for, and what failed ends the job.

*Exact*: one transactional producer a slot, so that whoever takes a slot over fences who had it before,
whichever cell that was. A transaction is an epoch, its last record a marker (``_kafka_markers``); what the
marker says is there is not written again. Slots are committed side by side: a commit is a few round trips of
waiting.

A record that its topic does not take is a dead letter, known before it is sent: one that the broker refuses
would be refused again after every restart.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from typing_extensions import override

from connectors._kafka_client import Cluster
from connectors._kafka_lanes import Exact, Fast, Headers, Lane, State, Wire
from connectors._kafka_markers import Markers
from connectors._kafka_records import Counters, Encoder, Out, oversized
from connectors._kafka_topics import Topics
from connectors._logged import logged
from operators.packet import Packet

__all__ = ["KafkaSink"]

_log = logging.getLogger(__name__)
_LEAVING = 5.0  # seconds


class _Partition(StatefulSinkPartition[Packet, bytes]):
    def __init__(
        self, sink: KafkaSink, slot: int, lane: Lane, encoder: Encoder, run: str, there: Counters
    ) -> None:
        self._sink, self._slot, self._lane, self._encoder, self._run = sink, slot, lane, encoder, run
        self._there = {kind: getattr(there, kind) for kind in Counters.__struct_fields__}
        self._headers: Headers = [("slot", b"%d" % slot), ("run", run.encode())]
        self._worker = threading.get_ident()
        self._ending: Future[None] | None = None
        self.touched = False

    @override
    @logged
    def write_batch(self, values: list[Packet]) -> None:
        there, slot, headers = self._there, self._slot, self._headers
        send, largest = self._lane.wire.send, self._lane.wire.largest
        self._lane.check()
        self.touched, begun = True, False
        for packet in values:
            for out in self._encoder.encode(packet):
                if len(out[3]) > largest[out[0]]:
                    out = self._buried(out)  # noqa: PLW2901 - it stands in its place
                if out[2] > there[out[4]]:  # else it is there since before a crash
                    if not begun:
                        self._lane.begin()
                        begun = True
                    send(out, slot, headers)
            self._sink.seen(packet)
        self._lane.wire.check()

    def _buried(self, out: Out) -> Out:
        """A record that its topic does not take, as a dead letter."""
        topic, _, seq, value, _ = out
        _log.error("slot %d, record %d for %s: %d bytes are too many", self._slot, seq, topic, len(value))
        return oversized(out, self._encoder.counters, self._slot)

    @override
    @logged
    def snapshot(self) -> bytes:
        self._sink.finish(self._worker)
        ending, self._ending = self._ending, None
        if ending:
            ending.result()
        return msgspec.json.encode(self._state())

    def _state(self) -> State:
        return State(self._run, self._lane.name, self._encoder.counters)

    def finish_in(self, pool: ThreadPoolExecutor, worker: int) -> None:
        """Have what was written made sure of, if this is a part of `worker`."""
        if self.touched and self._worker == worker:
            self.touched = False
            self._ending = pool.submit(self._lane.finish, self._state())

    @override
    def close(self) -> None:
        self._lane.close(self._sink.patience())
        self._sink.part_closed()


class KafkaSink(FixedPartitionedSink[Packet, bytes]):
    """Writes the packets of a cell's slots.

    :arg cluster: Where.

    :arg topics: The topics that `encoder` writes to, and ``markers`` for an exact lane.

    :arg keys: Key of each slot that is this cell's own.

    :arg lane: Its name among all that write here; who writes under the same name takes over.

    :arg encoder: Makes what makes the records of a slot.

    :arg runs: The name of each slot's numbering, where it has no state. None: what is written does not come
        again after a crash, so nothing of it is a repeat, and every life of the job has a numbering of its
        own.

    :arg exact: A transaction an epoch; else records go out at once.

    :arg seen: Hears of every packet, behind its records.

    :raises KafkaFault: If the cluster does not let us.

    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        keys: Mapping[int, str],
        lane: str,
        encoder: Callable[[str], Encoder],
        runs: Mapping[int, str] | None,
        *,
        exact: bool,
        seen: Callable[[Packet], None] = lambda packet: None,
    ) -> None:
        self._encoder, self._runs, self.seen = encoder, runs, seen
        self._life = secrets.token_hex(8)
        self._slots = {key: slot for slot, key in keys.items()}
        self._places = {key: place for place, key in enumerate(sorted(self._slots))}
        self._pool = ThreadPoolExecutor(min(len(keys), 16), "kafka-commit")
        self._lanes: dict[int, Lane]
        self._markers: Markers | None = None
        if exact:
            markers = self._markers = Markers(cluster, lane, keys)
            taken = {slot: Exact(cluster, topics, lane, slot, markers) for slot in keys}
            list(self._pool.map(Exact.take_over, taken.values()))
            self._lanes = dict(taken)
        else:
            wire = Wire(cluster, topics)
            self._lanes = {slot: Fast(wire) for slot in keys}
        self._parts: list[_Partition] = []
        self._closed, self._leaving = 0, 0.0
        self._lock = threading.Lock()

    @override
    @logged
    def list_parts(self) -> list[str]:
        # The engine asks when every lane of the job has fenced who was there, and before one of them writes.
        if self._markers:
            self._markers.read()
        return list(self._places)

    @override
    def part_fn(self, item_key: str) -> int:
        return self._places[item_key]

    @override
    @logged
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _Partition:
        slot = self._slots[for_part]
        saved = msgspec.json.decode(resume_state, type=State) if resume_state is not None else None
        if saved and saved.version != 1:
            msg = f"sink state of version {saved.version}, this program reads version 1"
            raise ValueError(msg)
        lane, there = self._lanes[slot], Counters()
        if self._runs is None:
            run = self._life
            encoder = self._encoder(run)
        else:
            run = saved.run if saved else self._runs[slot]
            encoder = self._encoder(run)
            if saved:
                encoder.counters = saved.counters
            there = lane.resume(saved, run)
        part = _Partition(self, slot, lane, encoder, run, there)
        with self._lock:
            self._parts.append(part)
        return part

    def finish(self, worker: int) -> None:
        """An epoch closes: have all that the parts of `worker` wrote in it made sure of, side by side."""
        with self._lock:
            parts = list(self._parts)
        for part in parts:
            part.finish_in(self._pool, worker)

    def patience(self) -> float:
        """Seconds that are left to close what is still open, from the first part on."""
        now = time.monotonic()
        self._leaving = self._leaving or now + _LEAVING
        return self._leaving - now

    def part_closed(self) -> None:
        """With the last part, the threads."""
        with self._lock:
            self._closed += 1
            last = self._closed == len(self._parts)
        if last:
            self._pool.shutdown(wait=False)
