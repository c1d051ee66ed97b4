"""Findings, verdicts and released text as JSON, one object a line, on standard output.

Speaks     the record contract: ``start release finding verdict error end summary``
Direction  sink
Takes      :class:`~operators.packet.Packet` behind ``release``
Delivery   at least once; ``seq`` is the record's number in its slot, the same after a replay
Parallel   one part per worker; lines of several workers never mix within a line
Needs      nothing

Strategy. A packet becomes one write. Releases are nearly all of the records, so the constant part of
a release line is kept per lane and the text is the only thing encoded anew. A packet's records are
written in the order of their ``seq``.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import orjson
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from typing_extensions import override

from connectors._stop import STOP
from connectors._tally import Tally
from operators.packet import Action, Channel, Finish, Kind, Lane, Packet, Reach

__all__ = ["NdjsonEncoder", "NdjsonSink"]

_START, _ERROR = int(Kind.START), int(Kind.ERROR)
_CHANNEL = {int(channel): channel.name.lower() for channel in Channel}
_REACH = {int(kind): kind.name.lower() for kind in Reach}
_ACTION = {int(action): action.name.lower() for action in Action}
_FINISH = {int(finish): finish.name.lower() for finish in Finish}
_LANES_KEPT = 65_536
_log = logging.getLogger(__name__)


class NdjsonEncoder:
    """Packets in, lines out. `names` and `reasons` say what each code of the policy is and means."""

    def __init__(self, names: Sequence[str], reasons: Sequence[str]) -> None:
        self._names, self._reasons = list(names), list(reasons)
        self._heads: dict[Lane, bytes] = {}

    def encode(self, packet: Packet) -> bytes:
        """All records of a packet, each with a line feed, in order of ``seq``."""
        lines = self._releases(packet)
        rest = [*self._outcomes(packet), *self._judgements(packet)]
        if rest:
            lines += [(seq, orjson.dumps(record) + b"\n") for seq, record in rest]
            lines.sort(key=_by_seq)
        return b"".join([line for _, line in lines])

    def _releases(self, packet: Packet) -> list[tuple[int, bytes]]:
        releases = packet.releases
        places = packet.deltas["lane"][releases["delta"]].tolist()
        lanes, released, heads = packet.lanes, packet.released, self._heads
        lines = []
        columns = zip(
            places,
            releases["seq"].tolist(),
            releases["start"].tolist(),
            releases["end"].tolist(),
            strict=True,
        )
        for place, seq, start, end in columns:
            lane = lanes[place]
            head = heads.get(lane) or self._head(lane)
            text = orjson.dumps(released[start:end].decode())
            lines.append((seq, b'%b%d,"text":%b}\n' % (head, seq, text)))
        return lines

    def _head(self, lane: Lane) -> bytes:
        record = {
            "type": "release", "stream": lane.stream, "lane": _CHANNEL[lane.channel],
            "choice": lane.choice, "item": lane.item, "seq": 0,
        }  # fmt: skip
        if len(self._heads) >= _LANES_KEPT:
            self._heads.clear()
        head = self._heads[lane] = orjson.dumps(record)[:-2]
        return head

    def _outcomes(self, packet: Packet) -> list[tuple[int, dict[str, Any]]]:
        records = []
        for outcome in packet.outcomes:
            delta = packet.deltas[outcome["delta"]]
            stream = packet.lanes[delta["lane"]].stream
            said = packet.text[delta["start"] : delta["end"]].decode()
            seq = int(outcome["seq"])
            record: dict[str, Any]
            if outcome["kind"] == _START:
                head = orjson.loads(said) if delta["kind"] == _START else {}
                record = {
                    "type": "start", "stream": stream,
                    "provider": head.get("provider", ""), "model": head.get("model", ""),
                }  # fmt: skip
            elif outcome["kind"] == _ERROR:
                record = {"type": "error", "stream": stream, "seq": seq, "reason": packet.failed or said}
            else:
                record = {
                    "type": "end", "stream": stream, "finish": _FINISH[int(outcome["finish"])],
                    "deltas": int(outcome["deltas"]), "chars": int(outcome["chars"]),
                    "released": int(outcome["released"]),
                    "held_mean": round(float(outcome["held_mean"]), 4), "held_max": int(outcome["held_max"]),
                }  # fmt: skip
            records.append((seq, record))
        return records

    def _judgements(self, packet: Packet) -> list[tuple[int, dict[str, Any]]]:
        records: list[tuple[int, dict[str, Any]]] = []
        for finding in packet.findings:
            lane = packet.lanes[packet.deltas["lane"][finding["delta"]]]
            record: dict[str, Any] = {
                "type": "finding", "stream": lane.stream, "lane": _CHANNEL[lane.channel],
                "seq": int(finding["seq"]), "kind": _REACH[int(finding["kind"])],
                "name": self._names[finding["code"]], "value": round(float(finding["value"]), 6),
                "start": int(finding["begin"]), "end": int(finding["stop"]),
            }  # fmt: skip
            records.append((record["seq"], record))
        for verdict in packet.verdicts:
            lane = packet.lanes[packet.deltas["lane"][verdict["delta"]]]
            record = {
                "type": "verdict", "stream": lane.stream, "seq": int(verdict["seq"]),
                "action": _ACTION[int(verdict["action"])], "reason": self._reasons[verdict["code"]],
                "rule": self._names[verdict["code"]],
            }  # fmt: skip
            records.append((record["seq"], record))
        return [(seq, record) for seq, record in records if seq >= 0]


def _by_seq(line: tuple[int, bytes]) -> int:
    return line[0]


class _Partition(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, sink: NdjsonSink) -> None:
        self._sink = sink
        self._encoder = NdjsonEncoder(sink.names, sink.reasons)

    @override
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

    """

    def __init__(
        self,
        names: Sequence[str],
        reasons: Sequence[str],
        tally: Tally,
        write: Callable[[bytes], None] | None = None,
    ) -> None:
        self.names, self.reasons, self.tally = names, reasons, tally
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
                self.write(orjson.dumps(self.tally.summary()) + b"\n")
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
