"""A question to a provider, and its answer while it is spoken.

Speaks     Chat Completions, Responses, Anthropic Messages, Gemini generateContent, over HTTP; OpenAI Realtime
           over a WebSocket, text only
Direction  source
Emits      :class:`~operators.packet.Packet` of one slot, at most `batch` deltas each
Delivery   at most once: a live answer cannot be read again. Exactly once for an answer of the Responses API
           in the background, which is read again from its beginning, and what was emitted is passed over
Parallel   one partition, read by one worker: a question is asked once, however many workers there are
Needs      the extra ``gateway`` (httpx2, websockets)

What goes wrong is in the stream, an ERROR before its END. When the process is asked to end, or the answer is
not wanted any more, the connection is closed, which is what makes a provider stop.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._asking import Question
from connectors._decoder import MAX_EVENT, short
from connectors._hearing import Heard, Hearing
from connectors._logged import logged
from connectors._pump import Pump
from connectors._stop import STOP
from connectors._upstream import Provider, Upstream
from operators.packet import Delta, Finish, Kind, Packet, pack

__all__ = ["LiveSource", "Question", "Told"]

_POLL = timedelta(microseconds=200)
_TICK = 250_000_000  # nanoseconds of silence after which a packet says how late it is
_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)


class Told(TypedDict):
    """How far an answer was emitted when state was saved."""

    response: str
    """Name of the answer in the background; empty if there is none."""
    deltas: int
    over: bool


class _Partition(StatefulSourcePartition[tuple[str, Packet], Told]):
    def __init__(self, source: LiveSource, resumed: Told | None) -> None:
        self._source = source
        self._waiting: list[Delta] = []
        self._told = time.time_ns()
        self._arrived = 0
        self._emitted = resumed["deltas"] if resumed else 0
        self._ended = self._over = bool(resumed and resumed["over"])
        response = resumed["response"] if resumed else ""
        self._repeated = self._emitted if response else 0
        """Deltas still to come that were emitted before."""
        self._hearing = Hearing(
            source.upstream, source.question, response=response, event_bytes=source.event_bytes
        )
        self._pump = Pump()
        self._feed = None
        if resumed is None or (response and not self._over):
            self._feed = self._pump.feed(source.name, self._hearing.receive, room=256)
        elif not self._over:
            self._waiting = self._lost()

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        now = time.time_ns()
        unwanted = self._source.unwanted.is_set()
        if not self._waiting and not self._over and self._feed:
            if unwanted or STOP.is_set():
                self._leave(unwanted=unwanted)
            else:
                for heard in self._feed.take(16):
                    self._take(heard)
                if not self._waiting and self._feed.over():
                    self._over = True
        if not self._waiting:
            if self._over or self._feed is None:
                self._over = True
                raise StopIteration
            if now - self._told < _TICK:
                return []
            self._told = now
            return [(self._source.key, pack(self._source.slot, [], now=now))]
        batch = self._source.batch
        said, self._waiting = self._waiting[:batch], self._waiting[batch:]
        self._emitted += len(said)
        self._ended = self._ended or any(delta.kind == _END for delta in said)
        # Not the time of day: more that came as early may be waiting, and it is not late for that.
        self._told = max(delta.at for delta in said)
        name = self._source.name
        packet = pack(
            self._source.slot, [(name, delta) for delta in said], now=self._told, arrived=self._arrived
        )
        return [(self._source.key, packet)]

    def _take(self, heard: Heard) -> None:
        arrived, deltas = heard
        passed = min(self._repeated, len(deltas))
        self._repeated -= passed
        if not self._waiting:
            self._arrived = arrived
        self._waiting += deltas[passed:]

    def _leave(self, *, unwanted: bool) -> None:
        """Close the connection; what was not read of the answer is left."""
        self._over = True
        self._ended = self._ended or unwanted
        self._hearing.unwanted = unwanted
        self._pump.close()
        if self._emitted and not self._ended and not self._hearing.response:
            self._waiting = [Delta(_END, finish=int(Finish.TRUNCATED), at=time.time_ns())]

    def _lost(self) -> list[Delta]:
        """The end of an answer that an earlier process was listening to."""
        now = time.time_ns()
        reason = "the process ended while this was answered, and the answer cannot be had again"
        source = self._source
        vendor = source.upstream.api.partition("-")[0]
        head = json.dumps({"provider": vendor, "model": short(source.question.model, 100)})
        began = [] if self._emitted else [Delta(_START, head, at=now)]
        return [*began, Delta(_ERROR, reason, at=now), Delta(_END, finish=int(Finish.TRUNCATED), at=now)]

    @override
    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + (timedelta() if self._waiting or self._over else _POLL)

    @override
    def snapshot(self) -> Told:
        response = self._hearing.response if self._source.question.background else ""
        return Told(response=response, deltas=self._emitted, over=self._ended)

    @override
    def close(self) -> None:
        self._pump.close()


class LiveSource(FixedPartitionedSource[tuple[str, Packet], Told]):
    """One question as one stream.

    :arg name: Its stream id.

    :arg key: Key of the slot that the name lives in.

    :arg slot: That slot.

    :arg upstream: Who is asked.

    :arg question: What.

    :arg batch: Deltas in a packet at most.

    :arg event_bytes: Bytes of one event of the wire format at most.

    :raises ValueError: If the question cannot be asked in the provider's API, or the provider not be called.

    """

    def __init__(
        self, name: str, key: str, slot: int, upstream: Upstream, question: Question, *,
        batch: int = 1024, event_bytes: int = MAX_EVENT,
    ) -> None:  # fmt: skip
        Hearing(upstream, question)  # what cannot be asked, or called, is refused before anything runs
        Provider(upstream)
        self.name, self.key, self.slot = name, key, slot
        self.upstream, self.question = upstream, question
        self.batch, self.event_bytes = batch, event_bytes
        self.unwanted = threading.Event()
        """Set by whoever sees that nothing more of the answer may leave."""

    @override
    def list_parts(self) -> list[str]:
        return [self.key]

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: Told | None
    ) -> StatefulSourcePartition[tuple[str, Packet], Told]:
        return _Partition(self, resume_state)
