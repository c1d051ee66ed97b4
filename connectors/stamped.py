"""Recordings that go into a log bear the time at which they go: others write to it, and its time is the
day's.

Direction  around a source
Emits      :class:`~operators.packet.Packet`: those of the source, ``at`` of what is in them the time of day
Delivery   the source's
Parallel   as the source

Strategy. A tape's time begins at 0. In a log that live streams share, half a century of silence would lie
between the two, and whoever keeps time there would end every stream. Played at a speed, a recording keeps its
pauses; played as fast as possible, it has none.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._logged import logged
from operators.packet import Packet

__all__ = ["StampedSource"]


class _Partition(StatefulSourcePartition[tuple[str, Packet], Any]):
    def __init__(self, source: StatefulSourcePartition[tuple[str, Packet], Any]) -> None:
        self._source = source

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        said = list(self._source.next_batch())
        now = time.time_ns()
        for _, packet in said:  # ours alone: nobody has seen them yet
            packet.deltas["at"] = packet.now = now
        return said

    @override
    def next_awake(self) -> datetime | None:
        return self._source.next_awake()

    @override
    @logged
    def snapshot(self) -> Any:
        return self._source.snapshot()

    @override
    def close(self) -> None:
        self._source.close()


class StampedSource(FixedPartitionedSource[tuple[str, Packet], Any]):
    """`source`, at the time of day."""

    def __init__(self, source: FixedPartitionedSource[tuple[str, Packet], Any]) -> None:
        self._source = source

    @override
    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: Any
    ) -> StatefulSourcePartition[tuple[str, Packet], Any]:
        return _Partition(self._source.build_part(step_id, for_part, resume_state))
