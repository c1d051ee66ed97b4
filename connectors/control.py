"""Orders to a running job: a file of JSON lines that is followed while the streams of a source run.

Speaks     JSON lines, an order each; what an order may say is the flow's matter
Direction  beside a source
Emits      :class:`~operators.packet.Packet`: those of the source; the first of each partition behind an
           order carries it in ``shapes``
Delivery   exactly once into the state: how far the file was read is part of the partition's position
Parallel   as the source; every partition reads the whole file, so every slot hears every order
Needs      a file system that all processes of the job share

After a crash an order may be heard by an earlier packet than before: it is in the file already.

Strategy. Nothing is a second input that would have to end when the streams do, or come before or after them
by chance: an order rides on the packet behind it. A line that is no order is logged and passed by; a line
without its line feed is not there yet.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._logged import logged
from operators.packet import Packet, Shape

__all__ = ["ControlledSource", "Orders"]

_log = logging.getLogger(__name__)
_PAUSE = 0.25  # seconds between two looks at the file
_MOST_BYTES = 1 << 20  # of a line
_MOST_LINES = 256  # of one look: a packet is not to wait for a long file


class Orders:
    """What a file says from `position` (bytes) on.

    :arg path: The file; it need not be there yet. None at all if empty.

    :arg read: Makes a shape of a line, or raises ValueError saying what is wrong with it.

    """

    def __init__(self, path: str, read: Callable[[bytes], Shape], position: int = 0) -> None:
        self._path, self._read = path, read
        self._looked = 0.0
        self.position = position

    def due(self) -> bool:
        """Whether it is time to look."""
        return bool(self._path) and time.monotonic() - self._looked >= _PAUSE

    def take(self) -> tuple[Shape, ...]:
        """The orders that came since, in order; a fault is logged with its place."""
        self._looked = time.monotonic()
        found: list[Shape] = []
        try:
            size = os.stat(self._path).st_size
            if size < self.position:
                _log.warning("control %s: shorter than it was: read again from its beginning", self._path)
                self.position = 0
            if size > self.position:
                with open(self._path, "rb") as file:
                    file.seek(self.position)
                    for _ in range(_MOST_LINES):
                        line = file.readline(_MOST_BYTES)
                        if not line.endswith(b"\n") and len(line) < _MOST_BYTES:
                            break
                        self._hear(line, found)
                        self.position += len(line)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.error("control %s: %s", self._path, error.strerror)
        return tuple(found)

    def _hear(self, line: bytes, found: list[Shape]) -> None:
        if not line.strip():
            return
        try:
            found.append(self._read(line))
        except ValueError as error:
            _log.error("control %s, byte %d: %s", self._path, self.position, error)


class _Partition(StatefulSourcePartition[tuple[str, Packet], tuple[Any, int]]):
    def __init__(self, source: StatefulSourcePartition[tuple[str, Packet], Any], orders: Orders) -> None:
        self._source, self._orders = source, orders

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        said = list(self._source.next_batch())
        if said and self._orders.due():
            shapes = self._orders.take()
            if shapes:
                key, packet = said[0]
                said[0] = key, packet.having(shapes=(*packet.shapes, *shapes))
        return said

    @override
    def next_awake(self) -> datetime | None:
        return self._source.next_awake()

    @override
    @logged
    def snapshot(self) -> tuple[Any, int]:
        return self._source.snapshot(), self._orders.position

    @override
    def close(self) -> None:
        self._source.close()


class ControlledSource(FixedPartitionedSource[tuple[str, Packet], tuple[Any, int]]):
    """`source`, whose packets carry the orders that the file `path` says meanwhile.

    :arg source: Where the streams come from.

    :arg path: The file of orders; none if empty.

    :arg read: Makes a shape of a line, or raises ValueError saying what is wrong with it.

    """

    def __init__(
        self,
        source: FixedPartitionedSource[tuple[str, Packet], Any],
        path: str,
        read: Callable[[bytes], Shape],
    ) -> None:
        self._source, self._path, self._read = source, path, read

    @override
    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: tuple[Any, int] | None
    ) -> StatefulSourcePartition[tuple[str, Packet], tuple[Any, int]]:
        inner, position = resume_state or (None, 0)
        made = self._source.build_part(step_id, for_part, inner)
        return _Partition(made, Orders(self._path, self._read, position))
