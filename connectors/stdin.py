"""One recording, or one plain text, as it comes in on standard input.

Speaks     any wire format that ``connectors.decoders`` knows, found out from the bytes or named
Direction  source
Emits      :class:`~operators.packet.Packet`
Delivery   at most once: a pipe cannot be read again
Parallel   one partition, read by the first worker
Needs      nothing

What comes is analysed when it comes, at the time it comes. A pipe and a terminal are read on the pump's
loop; a file (``< FILE``), which a loop cannot wait for, is read there piece by piece. When the process
is asked to end, what was not read yet is left: the stream ends as *truncated*.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from msgspec.structs import replace
from typing_extensions import override

from connectors import decoders
from connectors._decoder import MAX_EVENT
from connectors._logged import logged
from connectors._pump import Pump
from connectors._recut import Recut
from connectors._standard_input import read
from connectors._stop import STOP
from operators.packet import Delta, Finish, Kind, Packet, pack

__all__ = ["StdinSource"]

_POLL = timedelta(microseconds=200)
_TICK = 250_000_000  # nanoseconds of silence after which a packet says how late it is
_START, _END = int(Kind.START), int(Kind.END)


class _Partition(StatefulSourcePartition[tuple[str, Packet], None]):
    def __init__(self, source: StdinSource) -> None:
        self._source = source
        self._decoder = decoders.open_decoder(source.api, limit=source.event_bytes)
        self._recut = Recut(source.chunk) if source.chunk else None
        self._pump = Pump()
        self._feed = self._pump.feed("stdin", read, room=16)
        self._waiting: list[Delta] = []
        self._starts = 0
        self._over = False
        self._told = time.time_ns()

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        now = time.time_ns()
        if not self._waiting and not self._over:
            stop = STOP.is_set()  # however much more there would be to read
            for data in [] if stop else self._feed.take(1):
                self._hear(self._decoder.receive_data(data, now=now))
            if not self._waiting and (stop or self._feed.over()):
                self._over = True
                last = self._decoder.receive_eof(now=now)
                if not self._feed.over():  # not its end, only the end of our reading
                    cut = int(Finish.TRUNCATED)
                    last = [replace(each, finish=cut) if each.kind == _END else each for each in last]
                self._hear(last)
        if not self._waiting:
            if self._over:
                raise StopIteration
            if now - self._told < _TICK:
                return []
            self._told = now
            return [(self._source.key, pack(self._source.slot, [], now=now))]
        batch = self._source.batch
        said, self._waiting = self._waiting[:batch], self._waiting[batch:]
        # Not the time of day: more that came as early may be waiting, and it is not late for that.
        self._told = max(delta.at for delta in said)
        packet = pack(
            self._source.slot, [self._named(d) for d in said], now=self._told, arrived=time.monotonic_ns()
        )
        return [(self._source.key, packet)]

    def _hear(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            self._waiting += self._recut.again(delta) if self._recut else (delta,)

    def _named(self, delta: Delta) -> tuple[str, Delta]:
        self._starts += delta.kind == _START
        return (self._source.name if self._starts < 2 else f"{self._source.name}#{self._starts}"), delta

    @override
    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + (timedelta() if self._waiting or self._over else _POLL)

    @override
    def snapshot(self) -> None:
        return None

    @override
    def close(self) -> None:
        self._pump.close()


class StdinSource(FixedPartitionedSource[tuple[str, Packet], None]):
    """Standard input as one recording.

    :arg name: Its stream id.

    :arg key: Key of the slot that the name lives in.

    :arg slot: That slot.

    :arg api: A name of ``decoders.API_NAMES``.

    :arg chunk: Characters of a delta after re-cutting; 0 leaves it as it came.

    :arg batch: Deltas in a packet at most.

    :arg event_bytes: Bytes of one event of the wire format at most.

    :raises ValueError: If the api is not known, or standard input is closed.

    """

    def __init__(
        self, name: str, key: str, slot: int, *, api: str = "auto", chunk: int = 0, batch: int = 1024,
        event_bytes: int = MAX_EVENT,
    ) -> None:  # fmt: skip
        if sys.stdin is None:
            msg = "standard input is closed: there is nothing to read"
            raise ValueError(msg)
        decoders.open_decoder(api)  # a wrong name is refused before anything runs
        self.name, self.key, self.slot = name, key, slot
        self.api, self.chunk, self.batch, self.event_bytes = api, chunk, batch, event_bytes

    @override
    def list_parts(self) -> list[str]:
        return [self.key]

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSourcePartition[tuple[str, Packet], None]:
        return _Partition(self)
