"""Names become rows. The first stage: whoever comes later trusts the row and keeps no names.

Strategy. A start gives a stream its row, the first delta of a lane gives the lane one; an end closes
every lane that its source has not closed (a CLOSE delta each, inserted before the END) and frees the rows
once the packet has passed, so that a row never means two things in one packet. Time comes in the packets:
what a slot last heard of is how late it is, and a packet may hold nothing else (a tick). Streams that are
silent for longer than somebody wants to know of get a WAIT delta, those that are silent past ``idle`` are
ended, each as of the very time that the limit was passed. Every decision depends on the deltas alone, not on
how they were cut into packets, nor on ticks: these only make it earlier.

What is out of order is said, not dropped in silence: text of a stream that never started opens it,
with an ERROR; a second start is an ERROR and changes nothing; an end or a usage count for a stream
that is not open is an ERROR, and so is a CLOSE for a lane that is not. A stream that breaks a limit gets an
ERROR and an END, and the rest of it is refused.

State: one entry per open stream and lane, kept until its end. Emits: with the packet. Cost: about
0.3 us a delta (``benches.bench_inflight``, as the other stages' costs). Raises: nothing on any input.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from operators.columns import Columns, framed, unframed
from operators.kernels import directory as kernels
from operators.packet import DELTA, OPENED, Finish, Kind, Lane, Packet, Table, copied, empty, joined
from operators.silence import Heard, Silence

__all__ = ["Directory", "Limits"]

_START, _TEXT, _NOTE = int(Kind.START), int(Kind.TEXT), int(Kind.NOTE)
_CLOSE, _USAGE, _ERROR, _END = int(Kind.CLOSE), int(Kind.USAGE), int(Kind.ERROR), int(Kind.END)
_WAIT = int(Kind.WAIT)
_VERSION = 3
_REPLACED = "\ufffd".encode()
_UNNAMED = '{"provider":"","model":""}'


@dataclass(frozen=True)
class Limits:
    """What one stream may take."""

    delta_bytes: int = 64 * 1024
    """UTF-8 bytes of one delta."""
    stream_bytes: int = 16 * 1024 * 1024
    """UTF-8 bytes of one stream, all lanes."""
    stream_lanes: int = 1024
    """Lanes of one stream: choices, content blocks, tool calls."""
    idle: int = 600 * 10**9
    """Nanoseconds without a delta after which a stream is over."""
    undecodable: bool = True
    """Whether a stream goes on with text that holds U+FFFD, as decoders (and some providers) put it for what
    is no character."""
    first: tuple[int, ...] = ()
    """Nanoseconds after its start that are worth a WAIT if nothing was said yet; ascending."""
    later: tuple[int, ...] = ()
    """Nanoseconds of silence that are worth a WAIT behind that; ascending."""


@dataclass(slots=True)
class _Stream(Heard):
    row: int = -1
    lanes: list[Lane] = field(default_factory=list)


class _Rows:
    """Numbers given out smallest first, so that columns stay short."""

    def __init__(self, used: Iterable[int] = ()) -> None:
        taken = set(used)
        self.size = max(taken, default=-1) + 1
        self.free = [row for row in range(self.size) if row not in taken]

    def take(self) -> int:
        if self.free:
            return heapq.heappop(self.free)
        self.size += 1
        return self.size - 1

    def give_back(self, rows: list[int]) -> None:
        for row in rows:
            heapq.heappush(self.free, row)


class _Edit:
    """One packet being rewritten: names and words added, deltas dropped and inserted, rows found."""

    def __init__(self, packet: Packet, rows: dict[Lane, tuple[int, _Stream]]) -> None:
        self.lanes = list(packet.lanes)
        self.text = bytearray()
        self.text_start = len(packet.text)
        self.known = list(map(rows.get, packet.lanes))
        self.dropped: list[int] = []
        self.places: list[int] = []
        self.inserted: list[tuple[Any, ...]] = []
        self.opened: list[tuple[int, int, int]] = []
        self.freed_lanes: list[int] = []
        self.freed_streams: list[int] = []

    def insert(
        self, place: int, kind: int, lane: int, at: int, *, row: int = -1, stream: int = -1,
        finish: int = 0, text: str = "",
    ) -> None:  # fmt: skip
        """Put a delta before the one at `place`."""
        start = self.text_start + len(self.text)
        self.text += text.encode()
        end = self.text_start + len(self.text)
        self.places.append(place)
        self.inserted.append((lane, row, stream, kind, finish, 0, at, start, end, 0, 0, float("nan")))

    def name(self, lane: Lane) -> int:
        """The place of a name that the packet may not hold."""
        self.lanes.append(lane)
        return len(self.lanes) - 1

    def forget_lane(self, row: int) -> None:
        """A lane ended: its row is free after this packet."""
        self.freed_lanes.append(row)
        self.known[:] = [None if known and known[0] == row else known for known in self.known]

    def forget(self, stream: _Stream, rows: Iterable[int]) -> None:
        """A stream ended: its rows are free after this packet."""
        self.freed_lanes.extend(rows)
        self.freed_streams.append(stream.row)
        self.known[:] = [None if known and known[1] is stream else known for known in self.known]

    def table(self, deltas: Table) -> Table:
        """The deltas after the edit."""
        if not self.inserted and not self.dropped:
            return deltas
        keep = np.ones(len(deltas), np.bool_)
        keep[self.dropped] = False
        places = np.concatenate([np.flatnonzero(keep) * 2 + 1, np.array(self.places, np.int64) * 2])
        added = np.array(self.inserted, DELTA)
        edited: Table = joined(deltas[keep], added)[np.argsort(places, kind="stable")]
        return edited


class Directory:
    """The stage. See the module.

    `readers` are the steps that trust its rows: one that has no state of the rows that are open must never
    hear of them, so what was saved for others is refused.
    """

    def __init__(self, limits: Limits | None = None, readers: Iterable[str] = ()) -> None:
        self._limits = limits or Limits()
        self._readers = sorted(readers)
        self._silence = Silence(self._limits.idle, self._limits.first, self._limits.later)
        self._streams: dict[str, _Stream] = {}
        self._rows: dict[Lane, tuple[int, _Stream]] = {}
        self._lane_rows, self._stream_rows = _Rows(), _Rows()
        self._lane_state = Columns(1, offset=(np.int64, ()))
        self._stream_state = Columns(1, count=(np.int64, ()))

    def warm(self) -> None:
        """Compile, on an empty packet; also what every stage's state is dumped and loaded with."""
        self.update(Packet(0, 0, (), np.zeros(0, DELTA), b""))
        fresh = Directory(self._limits, self._readers)
        fresh.load(fresh.dump())

    def update(self, packet: Packet) -> Packet:
        """Rows, offsets and ordinals for every delta; starts, closes and ends where they belong.

        Should it fail, it forgets every stream of the packet: their rows, which no later stage has
        heard of, are not given out again, and what comes next of them begins anew, with an ERROR.
        """
        try:
            return self._update(packet)
        except Exception:
            for name in {lane.stream for lane in packet.lanes} & self._streams.keys():
                for lane in self._streams.pop(name).lanes:
                    self._rows.pop(lane, None)  # it may have failed half way through closing them
            raise

    def _update(self, packet: Packet) -> Packet:
        deltas = copied(packet.deltas)
        edit = _Edit(packet, self._rows)
        rows, streams = [-1] * len(deltas), [-1] * len(deltas)
        delta_bytes, stream_bytes = self._limits.delta_bytes, self._limits.stream_bytes
        columns = zip(
            deltas["lane"].tolist(), deltas["kind"].tolist(), deltas["at"].tolist(),
            (deltas["end"] - deltas["start"]).tolist(), strict=True,
        )  # fmt: skip
        lanes, deadline, broken = edit.known, self._silence.next(), self._broken(packet)
        for i, (lane, kind, at, size) in enumerate(columns):
            if at > deadline:
                self._sweep(edit, i, at)
                deadline = self._silence.next()
            known = lanes[lane]
            if known and kind == _TEXT and size <= delta_bytes and i not in broken:
                rows[i], stream = known
                stream.size += size
                if stream.size <= stream_bytes:
                    stream.last = at
                    streams[i] = stream.row
                    continue
                stream.size -= size
            rows[i], streams[i] = self._place(edit, i, lane, kind, at, size, broken=i in broken)
            deadline = self._silence.next()
        self._sweep(edit, len(deltas), packet.now)
        deltas["row"], deltas["stream"] = rows, streams
        return self._number(packet, edit, edit.table(deltas))

    def _number(self, packet: Packet, edit: _Edit, deltas: Table) -> Packet:
        opened = np.array(edit.opened, OPENED) if edit.opened else empty(OPENED)
        self._lane_state.open(opened["row"])
        kernels.number(deltas, self._lane_state["offset"], self._stream_state["count"])
        if edit.freed_lanes or edit.freed_streams:
            self._lane_state.close(np.array(edit.freed_lanes, np.int64))
            self._stream_state.close(np.array(edit.freed_streams, np.int64))
            self._lane_rows.give_back(edit.freed_lanes)
            self._stream_rows.give_back(edit.freed_streams)
        lanes, text = tuple(edit.lanes), packet.text + bytes(edit.text)
        return packet.having(deltas=deltas, opened=opened, lanes=lanes, text=text)

    def _broken(self, packet: Packet) -> frozenset[int]:
        """The deltas that may not pass for what they hold in place of a character."""
        if self._limits.undecodable or _REPLACED not in packet.text:
            return frozenset()
        spans = zip(packet.deltas["start"].tolist(), packet.deltas["end"].tolist(), strict=True)
        return frozenset(i for i, span in enumerate(spans) if _REPLACED in packet.text[slice(*span)])

    def _place(
        self, edit: _Edit, i: int, lane: int, kind: int, at: int, size: int, *, broken: bool
    ) -> tuple[int, int]:
        """Lane row and stream row of any delta but the next text of a lane known in this packet."""
        name = edit.lanes[lane].stream
        stream = self._streams.get(name)
        if stream is not None and stream.refused:
            if kind not in (_START, _END):
                stream.last = at
                edit.dropped.append(i)
                return -1, -1
            del self._streams[name]
            if kind == _END:
                edit.dropped.append(i)
                return -1, -1
            stream = None
        if kind == _START:
            if stream is None:
                return -1, self._open(name, at).row
            edit.dropped.append(i)
            edit.insert(
                i, _ERROR, lane, at, stream=stream.row, text="started twice: the second start is ignored"
            )
            return -1, -1
        if stream is None:
            if kind == _ERROR:
                return -1, -1
            if kind not in (_TEXT, _NOTE):
                edit.dropped.append(i)
                what = "a token count" if kind == _USAGE else "an end"
                edit.insert(i, _ERROR, lane, at, text=f"{what} for a stream that is not open")
                return -1, -1
            stream = self._open(name, at)
            edit.insert(i, _START, lane, at, stream=stream.row, text=_UNNAMED)
            edit.insert(i, _ERROR, lane, at, stream=stream.row, text="text for a stream that never started")
        stream.last = at
        if kind == _END:
            self._close(edit, i, name, at)
            del self._streams[name]
            return -1, stream.row
        if kind == _CLOSE:
            return self._close_lane(edit, i, lane, stream, at)
        if kind not in (_TEXT, _NOTE):
            return -1, stream.row
        problem = self._problem(stream, edit.lanes[lane], size, broken=broken and kind == _TEXT)
        if problem:
            edit.dropped.append(i)
            edit.insert(i, _ERROR, lane, at, stream=stream.row, text=problem)
            self._close(edit, i, name, at)
            edit.insert(i, _END, lane, at, stream=stream.row, finish=Finish.ERROR)
            stream.refused = True
            return -1, -1
        stream.size += size
        named = edit.lanes[lane]
        known = self._rows.get(named)
        if known is None:
            known = self._rows[named] = self._lane_rows.take(), stream
            stream.lanes.append(named)
            edit.opened.append((known[0], stream.row, lane))
        edit.known[lane] = known
        return known[0], stream.row

    def _problem(self, stream: _Stream, lane: Lane, size: int, *, broken: bool) -> str:
        limits = self._limits
        if broken:
            return "text with U+FFFD, as it stands for what is no character (limits.undecodable)"
        if size > limits.delta_bytes:
            return f"a delta of {size} bytes, limits.delta_bytes is {limits.delta_bytes}"
        if stream.size + size > limits.stream_bytes:
            return f"more than {limits.stream_bytes} bytes of text (limits.stream_bytes)"
        if lane not in self._rows and len(stream.lanes) >= limits.stream_lanes:
            return f"more than {limits.stream_lanes} lanes (limits.stream_lanes)"
        return ""

    def _open(self, name: str, at: int) -> _Stream:
        stream = self._streams[name] = _Stream(at, at, row=self._stream_rows.take())
        self._stream_state.open(np.array([stream.row]))
        self._silence.begin(name, stream, self._streams)
        return stream

    def _close_lane(self, edit: _Edit, i: int, lane: int, stream: _Stream, at: int) -> tuple[int, int]:
        """Row and stream row of the end of a lane that its source says."""
        name = edit.lanes[lane]
        if name not in self._rows:
            edit.dropped.append(i)
            edit.insert(i, _ERROR, lane, at, stream=stream.row, text="an end for a lane that is not open")
            return -1, -1
        row, _ = self._rows.pop(name)
        stream.lanes.remove(name)
        edit.forget_lane(row)
        return row, stream.row

    def _close(self, edit: _Edit, place: int, name: str, at: int) -> None:
        """Close every lane of a stream that ends here."""
        stream = self._streams[name]
        rows = [self._rows.pop(lane)[0] for lane in stream.lanes]
        for lane, row in zip(stream.lanes, rows, strict=True):
            edit.insert(place, _CLOSE, edit.name(lane), at, row=row, stream=stream.row)
        edit.forget(stream, rows)
        stream.lanes = []

    def _sweep(self, edit: _Edit, place: int, now: int) -> None:
        """Tell of what has been silent for long at `now`, and end what has been for longer than ``idle``."""
        for name, at, silent in self._silence.passed(self._streams, now):
            if silent:
                self._wait(edit, place, name, at, silent)
            else:
                self._give_up(edit, place, name, at)

    def _wait(self, edit: _Edit, place: int, name: str, at: int, silent: int) -> None:
        """Say that a stream has been silent: in the lane that came last, if there is one."""
        stream = self._streams[name]
        lane = stream.lanes[-1] if stream.lanes else Lane(name)
        row = self._rows[lane][0] if stream.lanes else -1
        text = orjson.dumps({"silent": silent / 1e9, "first": not stream.size}).decode()
        edit.insert(place, _WAIT, edit.name(lane), at, row=row, stream=stream.row, text=text)

    def _give_up(self, edit: _Edit, place: int, name: str, at: int) -> None:
        """End a stream that has been silent for longer than ``idle``."""
        stream = self._streams[name]
        if not stream.refused:
            lane = edit.name(Lane(name))
            reason = f"silent for more than {self._limits.idle / 1e9:g} s (limits.idle)"
            edit.insert(place, _ERROR, lane, at, stream=stream.row, text=reason)
            self._close(edit, place, name, at)
            edit.insert(place, _END, lane, at, stream=stream.row, finish=Finish.TRUNCATED)
        del self._streams[name]

    def dump(self) -> bytes:
        """Open streams with their lanes, and the columns."""
        streams = [
            [name, s.opened, s.last, s.size, s.refused, s.since, s.told, s.row,
             [[*lane[1:], self._rows[lane][0]] for lane in s.lanes]]
            for name, s in self._streams.items()
        ]  # fmt: skip
        head = orjson.dumps({"version": _VERSION, "readers": self._readers, "streams": streams})
        return framed(head, self._lane_state.dump(), self._stream_state.dump())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave, into a new stage.

        :raises ValueError: If it is of another version, was made for other steps, or is cut or damaged.
        """
        head, lane_state, stream_state = unframed(state)
        known = orjson.loads(head)
        if known["version"] != _VERSION:
            msg = f"directory state of version {known['version']}, this program reads version {_VERSION}"
            raise ValueError(msg)
        if known["readers"] != self._readers:
            msg = (
                f"state of a job with the steps {', '.join(known['readers'])}; this one has "
                f"{', '.join(self._readers)}, and what is open must be known to all of them: go on with the "
                f"policy and the release that made it, or begin with a new recovery directory"
            )
            raise ValueError(msg)
        for name, opened, last, size, refused, since, told, row, lanes in known["streams"]:
            stream = _Stream(opened, last, size, refused, since, told, row=row)
            self._streams[name] = stream
            for channel, choice, item, lane_row in lanes:
                lane = Lane(name, channel, choice, item)
                self._rows[lane] = lane_row, stream
                stream.lanes.append(lane)
            self._silence.begin(name, stream, self._streams)
        self._lane_rows = _Rows(row for row, _ in self._rows.values())
        self._stream_rows = _Rows(s.row for s in self._streams.values() if not s.refused)
        self._lane_state.load(lane_state)
        self._stream_state.load(stream_state)
