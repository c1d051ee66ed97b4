"""A stage becomes a Bytewax operator. The only module that knows the engine's stateful logic.

Strategy. The Bytewax key is the slot, never the stream: the engine pays 2-3 us a key and activation
and keeps a row for every key it has ever seen, so the keys are few and fixed. Slot ``k`` of a
deployment is always called ``slot_key(k)``, whatever the number of workers; that name is chosen so
that its hash sends it to the worker that also reads partition ``k`` of a source (partitions go round
robin), for every worker count that divides 64. Then nothing crosses workers. The hash is an
implementation detail of Bytewax: :func:`affinity_holds` tries it, and where it ever fails, only
speed is lost.

Every callback logs before it lets anything go (a cluster loses the message). A stage that raises
fails its packet, not the flow: the packet goes on, marked ``failed``. The further stages are shown only
which rows it opens and closes, because later packets speak of these; the last ends every stream in it
and releases nothing.

State: the stage's own, as versioned bytes, per slot. Emits: one packet for each packet, at once.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, cluster_main
from typing_extensions import override

from operators.packet import Kind, Packet

__all__ = ["MAX_SLOTS", "Stage", "affinity_holds", "slot_key", "slot_of", "stage"]

MAX_SLOTS = 64
_OVER = int(Kind.CLOSE), int(Kind.END)
_log = logging.getLogger(__name__)


class Stage(Protocol):
    """One step of the analysis: packet in, packet out, state as bytes. Knows no engine."""

    def update(self, packet: Packet) -> Packet:
        """The packet with what this stage adds."""
        ...

    def dump(self) -> bytes:
        """All state, in a versioned form."""
        ...

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave, into a new stage."""
        ...


def slot_of(stream: str, slots: int) -> int:
    """The slot that a stream lives in: the same on every machine, for the life of a deployment.

    >>> slot_of("chat-01.sse", 8)
    5
    """
    return zlib.crc32(stream.encode()) % slots


@cache
def slot_key(slot: int) -> str:
    """The name of a slot: the first of ``00.0 00.1 ...`` whose hash is the slot modulo 64."""
    suffix = 0
    while _siphash13(f"{slot:02d}.{suffix}".encode() + b"\xff") % MAX_SLOTS != slot:
        suffix += 1
    return f"{slot:02d}.{suffix}"


def stage(
    step_id: str,
    up: KeyedStream[Packet],
    make: Callable[[], Stage],
    *,
    last: bool = False,
) -> KeyedStream[Packet]:
    """Run one stage per slot.

    :arg step_id: Unique ID; part of the address of the state, so never renamed without a migration.

    :arg up: Packets keyed by :func:`slot_key`.

    :arg make: Makes the stage of a slot.

    :arg last: The stage that is shown failed packets too, to end their streams.

    :returns: The packets, in the same order.

    """

    def build(resume: bytes | None) -> _Slot:
        try:
            made = make()
            if resume is not None:
                made.load(resume)
        except Exception:
            _log.exception("%s: cannot build or resume its state", step_id)
            raise
        return _Slot(step_id, made, last)

    return op.stateful_batch(step_id, up, build)


@dataclass
class _Slot(StatefulBatchLogic[Packet, Packet, bytes]):
    step_id: str
    stage: Stage
    last: bool

    @override
    def on_batch(self, values: list[Packet]) -> tuple[list[Packet], bool]:
        try:
            return [self._update(packet) for packet in values], StatefulBatchLogic.RETAIN
        except Exception:
            _log.exception("%s: cannot deal with a failed packet", self.step_id)
            raise

    def _update(self, packet: Packet) -> Packet:
        if not packet.failed:
            try:
                return self.stage.update(packet)
            except Exception as error:
                _log.exception(
                    "%s: slot %d, a packet of %d deltas failed", self.step_id, packet.slot, len(packet.deltas)
                )
                packet = packet.having(failed=f"{self.step_id}: internal error ({type(error).__name__})")
        if self.last:
            return self.stage.update(packet)
        self.stage.update(_rows_only(packet))
        return packet

    @override
    def on_eof(self) -> tuple[list[Packet], bool]:
        return [], StatefulBatchLogic.RETAIN  # also a graceful stop: the state is for the next run

    @override
    def snapshot(self) -> bytes:
        try:
            return self.stage.dump()
        except Exception:
            _log.exception("%s: cannot dump its state", self.step_id)
            raise


def _rows_only(packet: Packet) -> Packet:
    """What opens and closes in a packet and is to be looked for, without a word of it."""
    closing = packet.deltas[np.isin(packet.deltas["kind"], _OVER)]
    closing["start"] = closing["end"] = 0
    return Packet(
        packet.slot, packet.now, packet.lanes, closing, b"", opened=packet.opened, shapes=packet.shapes
    )


def affinity_holds(workers: int) -> bool:
    """Try, in a flow of its own, whether every slot key lands on the worker that reads its partition.

    Takes about 20 ms. False for a number of workers that does not divide 64, and whenever Bytewax
    routes differently from what :func:`slot_key` assumes.
    """
    if workers == 1:
        return True
    seen: list[tuple[str, int]] = []

    @dataclass
    class Spy(StatefulBatchLogic[int, int, None]):
        @override
        def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
            return [threading.get_ident()], StatefulBatchLogic.RETAIN

        @override
        def snapshot(self) -> None:
            return None

    flow = Dataflow("affinity")
    keys = op.input("keys", flow, TestingSource([(slot_key(slot), 0) for slot in range(MAX_SLOTS)]))
    op.output("out", op.stateful_batch("spy", keys, lambda _: Spy()), TestingSink(seen))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)  # type: ignore[no-untyped-call]
    owners: dict[int, set[int]] = {}
    for key, thread in seen:
        owners.setdefault(thread, set()).add(int(key.split(".")[0]) % workers)
    return len(owners) == workers and all(len(residues) == 1 for residues in owners.values())


def _siphash13(data: bytes) -> int:
    """SipHash-1-3 with a zero key (Aumasson and Bernstein, 2012), as Rust's ``DefaultHasher``."""
    mask = (1 << 64) - 1
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]

    def turn(value: int, bits: int) -> int:
        return (value << bits | value >> (64 - bits)) & mask

    def mix() -> None:
        v[0] = (v[0] + v[1]) & mask
        v[2] = (v[2] + v[3]) & mask
        v[1], v[3] = turn(v[1], 13) ^ v[0], turn(v[3], 16) ^ v[2]
        v[0] = (turn(v[0], 32) + v[3]) & mask
        v[2] = (v[2] + v[1]) & mask
        v[3], v[1] = turn(v[3], 21) ^ v[0], turn(v[1], 17) ^ v[2]
        v[2] = turn(v[2], 32)

    tail = len(data) - len(data) % 8
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, tail, 8)]
    words.append(int.from_bytes(data[tail:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        mix()
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        mix()
    return v[0] ^ v[1] ^ v[2] ^ v[3]
