"""Findings, verdicts and released text as JSON, one object a line, on standard output.

Speaks     the record contract: ``start release finding verdict error end summary``, and ``ledger``
Direction  sink
Takes      :class:`~operators.packet.Packet` behind ``release``
Delivery   at least once; ``seq`` is the record's number in its slot, the same after a replay
Parallel   one part per worker; lines of several workers never mix within a line
Needs      nothing

Strategy. A packet becomes one write of whole lines; what the records are is ``connectors._records``.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

import msgspec
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from typing_extensions import override

from connectors._logged import logged
from connectors._records import Recorder
from connectors._stop import STOP
from connectors._tally import Tally
from operators.packet import Packet

__all__ = ["NdjsonEncoder", "NdjsonSink"]

_log = logging.getLogger(__name__)


class NdjsonEncoder:
    """Packets in, lines out. `names` and `reasons` say what each code of the policy is and means; `ledger`
    asks for the ledgers too.
    """

    def __init__(self, names: Sequence[str], reasons: Sequence[str], *, ledger: bool = False) -> None:
        self._recorder = Recorder(names, reasons, ledger=ledger)
        self._encode = msgspec.json.Encoder().encode_lines

    def encode(self, packet: Packet) -> bytes:
        """All records of a packet, each with a line feed, in order of ``seq``."""
        return self._encode(self._recorder.records(packet))


class _Partition(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, sink: NdjsonSink) -> None:
        self._sink = sink
        self._encoder = NdjsonEncoder(sink.names, sink.reasons, ledger=sink.ledger)

    @override
    @logged
    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        lines = []
        for _, packet in items:
            lines.append(self._encoder.encode(packet))
            self._sink.tally.add(packet)
        self._sink.write(b"".join(lines))

    @override
    def close(self) -> None:
        self._sink.part_closed()


class NdjsonSink(DynamicSink[tuple[str, Packet]]):
    """Writes to a file descriptor; the last part to close writes the summary.

    :arg names: What each code of the policy is called.

    :arg reasons: What each code means, for a person.

    :arg tally: Counts what passes.

    :arg write: Takes whole lines; standard output by default. A reader that has gone away
        (``BrokenPipeError``) ends the flow in order.

    :arg ledger: Write the ledgers too.

    """

    def __init__(
        self,
        names: Sequence[str],
        reasons: Sequence[str],
        tally: Tally,
        write: Callable[[bytes], None] | None = None,
        *,
        ledger: bool = False,
    ) -> None:
        self.names, self.reasons, self.tally, self.ledger = names, reasons, tally, ledger
        if write is None:
            _stdout()
        self._write = write or _to_stdout
        self._lock = threading.Lock()
        self._parts = 0

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Partition:
        with self._lock:
            self._parts += 1
        return _Partition(self)

    def write(self, lines: bytes) -> None:
        """Write lines of one worker, not mixed with those of another."""
        if not lines:
            return
        with self._lock:
            try:
                self._write(lines)
            except BrokenPipeError:
                self._write = _nowhere
                STOP.set()

    def part_closed(self) -> None:
        """One worker is done; after the last, the summary."""
        with self._lock:
            self._parts -= 1
            last = not self._parts
        if last:
            try:
                self.write(msgspec.json.encode(self.tally.summary()) + b"\n")
            except OSError:  # the engine aborts the process when a part cannot be closed
                _log.exception("the summary could not be written")


@cache
def _stdout() -> int:
    """Standard output, from now on for records alone: what others print there goes to standard error
    (a process of several tells there, through the engine, which of the others it cannot reach yet).
    """
    ours = os.dup(1)
    with suppress(OSError):  # standard error is closed: nobody wants to read it
        os.dup2(2, 1)
    return ours


def _to_stdout(lines: bytes) -> None:
    view, out = memoryview(lines), _stdout()
    while view:
        try:
            view = view[os.write(out, view) :]
        except BlockingIOError:  # whoever gave us standard output made it so
            select.select([], [out], [])


def _nowhere(lines: bytes) -> None:
    del lines
