"""Packets become records of topics: which topic, under which key, with which number, in which bytes.

Strategy. A record is the JSON object of the contract (``connectors._records``, ``connectors._deltas``) plus
``slot`` and ``seq``, spliced into its bytes, where a second set of structs would say everything
twice. Numbers come from three counters: ``release`` numbers what was decided; samples and dead letters are
counted here, deltas are where they are written first. The counters are state: they travel with the sink's, so
that a replay numbers the same record the same. Each topic is fed from one counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol

import msgspec
import orjson

from connectors._deltas import encode
from connectors._records import Dead, End, Error, Finding, Record, Recorder, Release, Start, Verdict
from operators.packet import Packet

__all__ = [
    "AUDIT",
    "DECISIONS",
    "DELTAS",
    "AuditRecords",
    "Counters",
    "Decisions",
    "Deltas",
    "Encoder",
    "Out",
    "oversized",
]

DECISIONS = ("findings", "verdicts", "releases", "samples", "dead")
"""The topics that :class:`Decisions` writes to (short names), so are the next."""
DELTAS = ("deltas", "dead")
AUDIT = ("audit",)

_TOPIC = {
    Start: "releases", Release: "releases", Error: "releases", End: "releases",
    Finding: "findings", Verdict: "verdicts",
}  # fmt: skip
_CHUNK = 256 * 1024  # bytes of a packet's deltas in one dead letter, or of a record's beginning
LETTER = 400_000
"""Bytes that a dead letter takes at most."""
_encode = msgspec.json.Encoder().encode


class Counters(msgspec.Struct):
    """The last number of each kind of record in a slot; -1: none yet."""

    decided: int = -1
    samples: int = -1
    dead: int = -1
    deltas: int = -1


Out = tuple[str, bytes, int, bytes, str]
"""A record on its way: topic (short name), key, number, value, and the counter that the number is of. A bare
tuple: one is made for each."""


class Encoder(Protocol):
    """Makes the records of a slot's packets."""

    counters: Counters

    def encode(self, packet: Packet) -> Iterator[Out]:
        """The records of a packet, in order; each kind's numbers ascend, from one packet to the next too."""
        ...


def _numbered(record: Record, seq: int, slot: int) -> bytes:
    """A record that lacks its number, with it."""
    return b'%b,"seq":%d,"slot":%d}' % (_encode(record)[:-1], seq, slot)


class Decisions:
    """Findings, verdicts, released text, samples if they are wanted; and what broke a stage.

    :arg recorder: Makes the records of the contract.

    :arg source: The topic that dead letters came from.

    :arg samples: Whether samples are wanted.

    """

    def __init__(self, recorder: Recorder, source: str, *, samples: bool = False) -> None:
        self._recorder, self._source, self._samples = recorder, source, samples
        self.counters = Counters()

    def encode(self, packet: Packet) -> Iterator[Out]:
        """The records of a packet."""
        slot, tail = packet.slot, b',"slot":%d}' % packet.slot
        for seq, record in self._recorder.numbered(packet):
            kind = record.__class__
            bare = kind is Start or kind is End
            value = _numbered(record, seq, slot) if bare else _encode(record)[:-1] + tail
            yield _TOPIC[kind], record.stream.encode(), seq, value, "decided"  # type: ignore[attr-defined]
            self.counters.decided = seq
        if self._samples:
            for sample in self._recorder.samples(packet):
                self.counters.samples += 1
                number = self.counters.samples
                yield ("samples", sample.stream.encode(), number, _numbered(sample, number, slot), "samples")
        yield from _dead(packet, self._source, self.counters)


class Deltas:
    """Deltas as a source said them, on their way into the log.

    :arg source: Where they came from, for dead letters.

    """

    def __init__(self, source: str, run: str) -> None:
        self._source, self._run = source, run
        self.counters = Counters()

    def encode(self, packet: Packet) -> Iterator[Out]:
        """The records of a packet."""
        for stream, record in encode(packet):
            self.counters.deltas += 1
            record.run, record.seq, record.slot = self._run, self.counters.deltas, packet.slot
            record.at = max(record.at, 1)  # 0, where a tape begins, would be no time at all in the log
            yield ("deltas", stream.encode(), record.seq, _encode(record), "deltas")
        yield from _dead(packet, self._source, self.counters)


class AuditRecords:
    """The lines of the stage ``audit``, as they stand."""

    def __init__(self) -> None:
        self.counters = Counters()

    def encode(self, packet: Packet) -> Iterator[Out]:
        """The records of a packet."""
        for line in packet.released.splitlines():
            said = orjson.loads(line)
            self.counters.decided = said["seq"]
            yield ("audit", said["stream"].encode(), said["seq"], line, "decided")


def _dead(packet: Packet, source: str, counters: Counters) -> Iterator[Out]:
    """The dead letters of a packet: records that could not be read, and all of it if it broke a stage."""
    letters = [
        Dead(each.stream, each.cause, source, each.offset, each.offset, each.size, each.data)
        for each in packet.dead
    ]
    if packet.failed:
        first, last = packet.origin
        letters += [
            Dead(stream, packet.failed, source, first, last, len(data), data[:_CHUNK])
            for stream, data in _chunks(packet)
        ]
    for letter in letters:
        counters.dead += 1
        value = _numbered(letter, counters.dead, packet.slot)
        yield ("dead", letter.stream.encode(), counters.dead, value, "dead")


def _chunks(packet: Packet) -> Iterator[tuple[str, bytes]]:
    """The deltas of a packet by stream, as records a line, in pieces that a topic takes."""
    said: Sequence[tuple[str, object]] = sorted(encode(packet), key=lambda each: each[0])
    for stream, records in groupby(said, key=lambda each: each[0]):
        lines: list[bytes] = []
        size = 0
        for _, record in records:
            line = _encode(record) + b"\n"
            if lines and size + len(line) > _CHUNK:
                yield stream, b"".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        yield stream, b"".join(lines)


def oversized(out: Out, counters: Counters, slot: int) -> Out:
    """A dead letter in place of a record that its topic does not take: its beginning, and its size."""
    counters.dead += 1
    topic, key, _, value, _ = out
    size = len(value)
    cause = f"a record of {size} bytes: {topic} does not take it"
    letter = Dead(key.decode(), cause, topic, -1, -1, size, value[:_CHUNK])
    return "dead", key, counters.dead, _numbered(letter, counters.dead, slot), "dead"
