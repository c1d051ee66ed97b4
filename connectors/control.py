"""Orders to a running job: a file of JSON lines that is followed while the streams of a source run.

Speaks     JSON lines, an order each; what an order may say is the flow's matter
Direction  beside a source
Emits      :class:`~operators.packet.Packet`: those of the source; the first of each partition behind a
           snapshot carries the orders that came before it in ``shapes``
Delivery   exactly once into the state: what was read, and how far, is part of the partition's position
Parallel   as the source; every partition reads the whole file, so every slot hears every order
Needs      a file system that all processes of the job share

Strategy. Nothing is a second input that would have to end when the streams do, or come before or after them
by chance. The file is read when a partition begins and whenever its position is saved, and what was read is
part of what is saved: so a run that resumes hears an order before the very delta that it was heard before,
and numbers its records as the first one did. A line that is no order is logged and passed by; a line without
its line feed is not there yet. The file is for adding to: one in which other bytes stand where the last line
was read is read from its beginning, and what is written over between two looks is never heard.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._logged import logged
from operators.packet import Packet, Shape

__all__ = ["ControlledSource", "Orders", "Place"]

_log = logging.getLogger(__name__)
_MOST_BYTES = 1 << 20  # of a line
_MOST_LINES = 1024  # of one look: a packet is not to wait for a long file
_KNOWN_BY = 64  # bytes


class Place(NamedTuple):
    """How far a file was read: how many bytes, and the last of them, by which it is known again."""

    offset: int = 0
    last: bytes = b""


class Orders:
    """What a file says from a place on.

    :arg path: The file; it need not be there yet. None at all if empty.

    :arg read: Makes a shape of a line, or raises ValueError saying what is wrong with it.

    :arg told: What was complained of: all that read the same file share it, and nothing is said twice.

    """

    def __init__(self, path: str, read: Callable[[bytes], Shape], told: set[str] | None = None) -> None:
        self._path, self._read = path, read
        self._told = set() if told is None else told
        self.place = Place()

    def take(self) -> tuple[Shape, ...]:
        """The orders that came since, in order."""
        found: list[Shape] = []
        if self._path:
            try:
                # A pipe would make the job wait for a writer.
                with open(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                    known = os.fstat(file.fileno())
                    if not stat.S_ISREG(known.st_mode):
                        self._complain("no regular file")
                        return ()
                    offset, last = self.place
                    file.seek(offset - len(last))
                    if file.read(len(last)) != last:
                        self.place = Place()
                        file.seek(0)
                    for _ in range(_MOST_LINES):
                        line, size = _line(file.readline)
                        if not size:
                            break
                        self._hear(line, size, found)
                        offset, last = self.place
                        self.place = Place(offset + size, (last + line)[-_KNOWN_BY:])
            except FileNotFoundError:
                pass
            except OSError as error:
                self._complain(str(error.strerror))
        return tuple(found)

    def _hear(self, line: bytes, size: int, found: list[Shape]) -> None:
        try:
            if size > _MOST_BYTES:
                msg = f"a line of more than {_MOST_BYTES} bytes"
                raise ValueError(msg)
            if line.strip():
                found.append(self._read(line))
        except ValueError as error:
            self._complain(f"byte {self.place.offset}: {error}")

    def _complain(self, wrong: str) -> None:
        if wrong not in self._told:
            self._told.add(wrong)
            _log.error("control %s: %s", self._path, wrong)


def _line(readline: Callable[[int], bytes]) -> tuple[bytes, int]:
    """The next line and the bytes it takes with its line feed, 0 as long as it has none; of one that is too
    long its end.
    """
    line = piece = readline(_MOST_BYTES)
    size = len(line)
    while piece and not piece.endswith(b"\n"):
        piece = readline(_MOST_BYTES)
        line = (line + piece)[-_MOST_BYTES:]
        size += len(piece)
    return line, size if piece else 0


class _Partition(StatefulSourcePartition[tuple[str, Packet], tuple[Any, Place, tuple[Shape, ...]]]):
    def __init__(
        self,
        source: StatefulSourcePartition[tuple[str, Packet], Any],
        orders: Orders,
        shapes: tuple[Shape, ...],
    ) -> None:
        self._source, self._orders, self._shapes = source, orders, shapes

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        said = list(self._source.next_batch())
        if said and self._shapes:
            key, packet = said[0]
            said[0] = key, packet.having(shapes=(*packet.shapes, *self._shapes))
            self._shapes = ()
        return said

    @override
    def next_awake(self) -> datetime | None:
        return self._source.next_awake()

    @override
    @logged
    def snapshot(self) -> tuple[Any, Place, tuple[Shape, ...]]:
        self._shapes += self._orders.take()
        return self._source.snapshot(), self._orders.place, self._shapes

    @override
    def close(self) -> None:
        self._source.close()


class ControlledSource(FixedPartitionedSource[tuple[str, Packet], tuple[Any, Place, tuple[Shape, ...]]]):
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
        self._told: set[str] = set()

    @override
    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: tuple[Any, Place, tuple[Shape, ...]] | None
    ) -> StatefulSourcePartition[tuple[str, Packet], tuple[Any, Place, tuple[Shape, ...]]]:
        orders = Orders(self._path, self._read, self._told)
        if resume_state is None:
            return _Partition(self._source.build_part(step_id, for_part, None), orders, orders.take())
        if not isinstance(resume_state, tuple):
            msg = "state of an older version: begin with a new recovery directory"
            raise ValueError(msg)
        inner, orders.place, shapes = resume_state
        return _Partition(self._source.build_part(step_id, for_part, inner), orders, shapes)
