"""Deltas of any number of streams as JSON lines on standard input.

Speaks     lines of ``connectors._deltas``: ``start delta note usage error end``
Direction  source
Emits      :class:`~operators.packet.Packet`
Delivery   at most once: a pipe cannot be read again
Parallel   one partition, read by the first worker
Needs      nothing

Strategy. A line is a delta when its line feed has come, and goes to the slot that its stream lives in. A line
that cannot be read, or is longer than an event may be, is a dead letter of slot 0, with its number in place
of an offset. When the process is asked to end, no more is read, and every whole line that was read is passed
on: it is gone from the pipe. The beginning of a line whose rest was not read is left out, with a word in the
log: it is no line, and not its writer's fault.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._decoder import MAX_EVENT
from connectors._deltas import decode
from connectors._logged import logged
from connectors._pump import Pump
from connectors._standard_input import read_until_stopped
from operators.packet import Dead, Delta, Packet, pack

__all__ = ["NdjsonSource"]

_log = logging.getLogger(__name__)
_POLL = timedelta(microseconds=200)
_TICK = 250_000_000  # nanoseconds of silence after which the slots are told how late it is
_KEPT = 256 * 1024  # bytes of a dead line


class _Partition(StatefulSourcePartition[tuple[str, Packet], None]):
    def __init__(self, source: NdjsonSource) -> None:
        self._source = source
        self._pump = Pump()
        self._feed = self._pump.feed("stdin", read_until_stopped, room=16)
        self._rest: list[bytes] = []
        self._size = 0  # of the line that has not ended
        self._number = 0
        self._told = time.time_ns()

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        for data in self._feed.take(1):
            if data:
                return self._packed(self._lines(data))
            return self._packed([self._line()] if self._size else [])  # the end of the input
        if self._feed.over():
            if self._size:
                _log.warning(
                    "standard input: asked to end within line %d: its first %d bytes are left out",
                    self._number + 1, self._size,
                )  # fmt: skip
            raise StopIteration
        now = time.time_ns()
        if now - self._told < _TICK:
            return []
        self._told = now
        return [(key, pack(slot, [], now=now)) for slot, key in enumerate(self._source.keys)]

    def _lines(self, data: bytes) -> list[tuple[bytes, int]]:
        """The lines that `data` completes, each with its size; of one that is too long its beginning."""
        *ended, rest = data.split(b"\n")
        lines: list[tuple[bytes, int]] = []
        if ended:
            self._add(ended[0])
            lines = [self._line(), *((line, len(line)) for line in ended[1:])]
        self._add(rest)
        return lines

    def _add(self, piece: bytes) -> None:
        if self._size < self._source.event_bytes:  # else it is known to be too long
            self._rest.append(piece)
        self._size += len(piece)

    def _line(self) -> tuple[bytes, int]:
        line = b"".join(self._rest), self._size
        self._rest, self._size = [], 0
        return line

    def _packed(self, lines: Sequence[tuple[bytes, int]]) -> list[tuple[str, Packet]]:
        arrived, now = time.monotonic_ns(), time.time_ns()
        said: dict[int, list[tuple[str, Delta]]] = defaultdict(list)
        dead: list[Dead] = []
        first = self._number
        for line, size in lines:
            self._number += 1
            if not line.strip():
                continue
            try:
                if size > self._source.event_bytes:
                    msg = f"a line of more than {self._source.event_bytes} bytes (limits.event_bytes)"
                    raise ValueError(msg)
                stream, delta, _, _ = decode(line, b"", now)
            except ValueError as error:
                dead.append(Dead(self._number, "", str(error), size, line[:_KEPT]))
                continue
            said[self._source.slot_of(stream)].append((stream, delta))
        self._told = now
        packets = []
        for slot, deltas in said.items():
            for at in range(0, len(deltas), self._source.batch):
                piece = deltas[at : at + self._source.batch]
                packets.append(pack(slot, piece, now=now, arrived=arrived))
        if dead:
            packets.append(pack(0, [], now=now))
            packets[-1].dead = tuple(dead)
        for packet in packets:
            packet.origin = first + 1, self._number
        return [(self._source.keys[packet.slot], packet) for packet in packets]

    @override
    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + _POLL

    @override
    def snapshot(self) -> None:
        return None

    @override
    def close(self) -> None:
        self._pump.close()


class NdjsonSource(FixedPartitionedSource[tuple[str, Packet], None]):
    """Standard input as deltas.

    :arg keys: Key of each slot, in order.

    :arg slot_of: The slot of a stream.

    :arg batch: Deltas in a packet at most.

    :arg event_bytes: Bytes of a line at most.

    :raises ValueError: If standard input is closed.

    """

    def __init__(
        self,
        keys: Sequence[str],
        slot_of: Callable[[str], int],
        *,
        batch: int = 1024,
        event_bytes: int = MAX_EVENT,
    ) -> None:
        if sys.stdin is None:
            msg = "standard input is closed: there is nothing to read"
            raise ValueError(msg)
        self.keys, self.slot_of, self.batch, self.event_bytes = list(keys), slot_of, batch, event_bytes

    @override
    def list_parts(self) -> list[str]:
        return ["ndjson"]

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSourcePartition[tuple[str, Packet], None]:
        return _Partition(self)
