"""Audit records, appended to a file.

Speaks     lines of JSON, each with the hash of the one before it (``operators.audit``)
Direction  sink
Takes      :class:`~operators.packet.Packet` behind the stage ``audit``: its ``released`` bytes
Delivery   at least once, on the disk when an epoch closes; a line that is there twice is the same line
Parallel   one part per slot, one file for all; processes of one machine may share it
Needs      a file system with locks

Strategy. A packet's lines are one append, under a lock, so that lines of several processes never mix. What a
crash left of a line is cut off when the file is opened: the replay writes it again. A line that cannot be
written is an error that ends the flow: what is not on record must not go on.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from typing_extensions import override

from connectors._logged import logged
from operators.packet import Packet

__all__ = ["AuditSink"]

_BLOCK = 1 << 16


class _File:
    """The file of one process, shared by its parts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._parts, self._end, self._dirty = 0, -1, False

    def open(self) -> None:
        with self._lock:
            if not self._parts:
                self._end = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._mend()
            self._parts += 1

    def _mend(self) -> None:
        """Cut off a line that has no end."""
        fcntl.flock(self._end, fcntl.LOCK_EX)
        try:
            size = end = os.fstat(self._end).st_size
            while end:
                begin = max(end - _BLOCK, 0)
                newline = os.pread(self._end, end - begin, begin).rfind(b"\n")
                if newline >= 0:
                    end = begin + newline + 1
                    break
                end = begin
            if end < size:
                os.ftruncate(self._end, end)
        finally:
            fcntl.flock(self._end, fcntl.LOCK_UN)

    def write(self, lines: bytes) -> None:
        view = memoryview(lines)
        with self._lock:
            fcntl.flock(self._end, fcntl.LOCK_EX)
            try:
                while view:
                    view = view[os.write(self._end, view) :]
                    self._dirty = True
            finally:
                fcntl.flock(self._end, fcntl.LOCK_UN)

    def sync(self) -> None:
        with self._lock:
            if self._dirty:
                os.fsync(self._end)
                self._dirty = False

    def close(self) -> None:
        self.sync()
        with self._lock:
            self._parts -= 1
            if not self._parts:
                os.close(self._end)


class _Partition(StatefulSinkPartition[Packet, None]):
    def __init__(self, file: _File) -> None:
        self._file = file
        file.open()

    @override
    @logged
    def write_batch(self, values: list[Packet]) -> None:
        lines = b"".join([packet.released for packet in values])
        if lines:
            self._file.write(lines)

    @override
    @logged
    def snapshot(self) -> None:
        self._file.sync()

    @override
    @logged
    def close(self) -> None:
        self._file.close()


class AuditSink(FixedPartitionedSink[Packet, None]):
    """Appends to one file.

    :arg path: The file; made if it is not there, readable by its owner alone.

    :arg slots: The keys of all slots, in order.

    :raises OSError: If the file cannot be written to.

    """

    def __init__(self, path: str, slots: Sequence[str]) -> None:
        self._slots = list(slots)
        self._file = _File(Path(path))
        self._file.open()
        self._file.close()

    @override
    def list_parts(self) -> list[str]:
        return self._slots

    @override
    def part_fn(self, item_key: str) -> int:
        return self._slots.index(item_key)

    @override
    @logged
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Partition:
        return _Partition(self._file)
