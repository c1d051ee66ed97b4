"""A Realtime session on its way to the client: messages in, deltas to be judged out, and messages again.

Strategy. A session says many things at a time: responses, of which several may be under way, and beside them
what the user was heard to say, items, settings, errors. Each response is a stream of its own, and so is
whatever else holds words: a transcript of the user's until it is complete, any other message for itself. Each
stream has a relay (``_relay.py``), and here is the one queue of messages, in the order in which they came:
one leaves when its relay lets it, and none overtakes another.

So no sound leaves before the words that came before it are decided. Once something of an item was masked, its
sound says what its transcript does not: no more of that item's sound leaves, nor of any item of a response
that is blocked. Sound that the provider sends before its transcript has left by then.

A block ends its response and no other: the client gets the last messages of one (``_ending_realtime.py``),
the provider is told to stop (:meth:`RealtimeRelay.take_orders`), and what he still says of it, its own end
included, is dropped. Where a message beside is blocked, an error event stands in its place.

Fails closed: a message that is no JSON object, or one of a response that cannot be understood, ends the
session (:attr:`RealtimeRelay.fault`). No I/O, no clock.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, NamedTuple

import orjson

from connectors._api_errors import api_error
from connectors._decoder import Dialect
from connectors._ending_realtime import RealtimeEnding
from connectors._frames import Frame
from connectors._hub import Covered, Ended, Failed, Released, Told
from connectors._item_ends import ends_of
from connectors._last_frames import Call
from connectors._leaves import leaves
from connectors._relay import Relay, Said, Silent
from connectors.decoders import open_dialect
from operators.packet import Finish

__all__ = ["Message", "RealtimeRelay", "Spoken", "error_event", "parsed"]

Spoken = list[tuple[str, list[Said]]]
"""What streams say, each under the name that the flow knows it by."""

_SOUND = frozenset(("response.output_audio.delta", "response.audio.delta"))
_OVER = "completed", "failed", "done"
_MOST = 64
"""Responses, and transcripts of the user's, that are open at a time."""
_WITHHELD = 4096  # ids of what was blocked


class Message(NamedTuple):
    """One message of a WebSocket."""

    data: bytes
    binary: bool = False


class _Messages:
    """A frame a message."""

    failed = ""

    def receive_data(self, data: bytes) -> list[Frame]:
        return [Frame(data, ("", data))]

    def receive_eof(self) -> list[Frame]:
        return []


class _Stream:
    __slots__ = (
        "blocked", "ending", "items", "left", "name", "number", "over", "reason", "relay", "response",
        "silenced", "waiting",
    )  # fmt: skip

    def __init__(self, name: str, number: int, dialect: Dialect, model: str, response: str) -> None:
        self.name, self.number, self.response = name, number, response
        self.ending = RealtimeEnding(Call(f"{name}_{number}", model))
        self.relay = Relay(_Messages(), dialect, ends_of("realtime" if response else ""), self.ending)
        self.waiting = 0
        """Messages of it in the queue."""
        self.over = False
        """Whether its provider has said its end."""
        self.left = False
        """Whether the client knows its end."""
        self.blocked = False
        self.reason = ""
        self.items: set[str] = set()
        self.silenced: set[str] = set()
        """Items of which no sound leaves any more."""


class _Entry:
    __slots__ = ("item", "kind", "message", "stream")

    def __init__(self, message: Message, stream: _Stream | None, kind: str, item: str) -> None:
        self.message, self.stream, self.kind, self.item = message, stream, kind, item


class RealtimeRelay:
    """One session.

    :arg name: Of its responses, as the flow knows them: the second is ``name#2``. What is said beside them
        has the name ``name/session``.

    :arg vendor: Whom a stream's START names.

    :arg model: That was asked for.

    """

    def __init__(self, name: str, vendor: str, model: str) -> None:
        self._name, self._vendor, self._model = name, vendor, model
        self._queue: deque[_Entry] = deque()
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._count = {name: 0, f"{name}/session": 0}
        self._responses: dict[str, _Stream] = {}
        self._items: dict[str, _Stream] = {}
        self._spoken: dict[tuple[str, str], _Stream] = {}
        """What comes in pieces beside the responses: by the subject of its events, and its item."""
        self._withheld: set[str] = set()
        self._orders: list[bytes] = []
        self._ordered: set[str] = set()
        self._errors = 0
        self._said: Spoken = []
        self.fault = ""
        """Why the session cannot go on."""
        self.size = 0
        """Bytes that wait."""

    @property
    def names(self) -> list[str]:
        """What the flow tells is told under."""
        return list(self._count)

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not self._queue

    # from the provider

    def receive(self, message: Message, *, now: int) -> Spoken:
        """What a message says, to be judged; `now` (ns) is when it came. Never raises on any bytes."""
        event = parsed(message.data)
        if event is None:
            self.fail(f"a message of {len(message.data)} bytes is no JSON object")
            return self._take_said()
        kind = _text(event.get("type"))
        if kind == "error" and _text(_of(event, "error").get("event_id")) in self._ordered:
            return []  # a response that was to be stopped had come to its end
        if kind in ("session.created", "session.updated"):
            self._model = _text(_of(event, "session").get("model")) or self._model
        response, item = _text(event.get("response_id")), _text(event.get("item_id"))
        response = response or _text(_of(event, "response").get("id"))
        item = item or _text(_of(event, "item").get("id"))
        if response in self._withheld or item in self._withheld:
            return []
        stream = self._stream(kind, response, item, event)
        if stream is not None and stream.blocked:
            if self._ends(stream, kind, item):
                self._forget(stream)
            return []
        if self.fault:
            return []
        self._queue.append(_Entry(message, stream, kind, item))
        self.size += len(message.data)
        if stream is not None:
            stream.waiting += 1
            self._say(stream, stream.relay.receive_data(message.data, now=now))
            if self._ends(stream, kind, item):
                self._over(stream, now)
            if stream.relay.fault:
                self.fail(stream.relay.fault)
        return self._take_said()

    def receive_eof(self, *, now: int) -> Spoken:
        """The provider has left: what is open ends as it is."""
        for stream in list(self._streams.values()):
            if not stream.over:
                self._over(stream, now)
        return self._take_said()

    def insert(self, data: bytes) -> None:
        """A message of ours, behind those that wait."""
        self._queue.append(_Entry(Message(data), None, "", ""))
        self.size += len(data)

    def fail(self, reason: str) -> None:
        """The session cannot go on."""
        self.fault = self.fault or reason

    def give_up(self, finish: Finish) -> Spoken:
        """The ENDs of what nobody hears the rest of."""
        return [
            (stream.name, said)
            for stream in self._streams.values()
            if (said := _numbered(stream, stream.relay.give_up(finish)))
        ]

    def _stream(self, kind: str, response: str, item: str, event: dict[str, Any]) -> _Stream | None:
        """Whose a message is; None if it is nobody's, and says nothing."""
        if kind == "response.created" and response and response not in self._responses:
            if len(self._responses) >= _MOST:
                self.fail(f"more than {_MOST} responses at a time")
                return None
            dialect = open_dialect("realtime", self._vendor)
            dialect.receive("", {"type": "session.updated", "session": {"model": self._model}})
            self._responses[response] = self._begin(self._name, dialect, response)
        stream = self._responses.get(response) or self._items.get(item)
        if stream is not None:
            if kind == "response.output_item.added" and item:
                self._items[item] = stream
                stream.items.add(item)
            return stream
        subject, _, step = kind.rpartition(".")
        stream = self._spoken.get((subject, item))
        if stream is None and leaves(event):
            stream = self._begin(f"{self._name}/session", Silent(), "")
            if step == "delta":
                self._spoken[subject, item] = stream
                if len(self._spoken) > _MOST:
                    self.fail(f"more than {_MOST} transcripts at a time")
        return stream

    def _begin(self, name: str, dialect: Dialect, response: str) -> _Stream:
        self._count[name] = number = self._count[name] + 1
        stream = self._streams[name, number] = _Stream(name, number, dialect, self._model, response)
        return stream

    def _ends(self, stream: _Stream, kind: str, item: str) -> bool:
        """Whether a message is the last of its stream."""
        if stream.response:
            return kind == "response.done"
        subject, _, step = kind.rpartition(".")
        return step in _OVER or (subject, item) not in self._spoken

    def _over(self, stream: _Stream, now: int) -> None:
        """Tell the flow at once: nothing more comes of it."""
        stream.over = True
        self._say(stream, stream.relay.receive_eof(now=now))
        self._forget(stream)

    def _forget(self, stream: _Stream) -> None:
        """It is over. What the provider still says of it, which should be nothing, is judged like any
        message; if it was blocked, it is dropped.
        """
        self._responses.pop(stream.response, None)
        for item in stream.items:
            self._items.pop(item, None)
        self._spoken = {key: each for key, each in self._spoken.items() if each is not stream}
        if stream.blocked and stream.response:
            self._withheld |= {stream.response, *stream.items}
            if len(self._withheld) > _WITHHELD:
                self.fail("too much of this session was blocked")

    def _say(self, stream: _Stream, said: list[Said]) -> None:
        if said:
            self._said.append((stream.name, _numbered(stream, said)))

    def _take_said(self) -> Spoken:
        said, self._said = self._said, []
        return said

    # from the flow

    def hear(self, name: str, told: list[Told]) -> None:
        """What became of the streams that `name` begins the names of."""
        for each in told:
            stream = self._streams.get((name, each.answer))
            if stream is None:
                continue
            match each:
                case Released(_, lane, stop):
                    stream.relay.released(1, lane, stop)
                case Covered(_, lane, begin, stop, shown):
                    stream.relay.covered(1, lane, begin, stop, shown)
                case Failed(_, reason):
                    stream.reason = reason
                case Ended(_, Finish.BLOCKED):
                    self._block(stream)
                case Ended() if not stream.over and (stream.response or stream.waiting):
                    self.fail(stream.reason or "it could not be judged")
                case Ended() if not stream.over:  # a transcript that was never completed
                    stream.over = True
                    self._forget(stream)
                    del self._streams[stream.name, stream.number]

    def _block(self, stream: _Stream) -> None:
        stream.blocked = True
        if not stream.response:
            return
        if stream.ending.over and not stream.left:  # blocked before the client heard that it began
            begun = {"id": stream.response, "object": "realtime.response"}
            stream.ending.passed("", {"type": "response.created", "response": begun})
        if not stream.over:
            for order in stream.ending.cancel_upstream():
                own = f"event_{self._name}_cancel_{stream.number}"
                self._ordered.add(own)
                self._orders.append(orjson.dumps(orjson.loads(order) | {"event_id": own}))
        else:
            self._forget(stream)

    # to both

    def take_orders(self) -> list[bytes]:
        """What the provider is to be told."""
        orders, self._orders = self._orders, []
        return orders

    def take(self) -> list[Message]:
        """The messages that may leave now, each once."""
        free: list[Message] = []
        while self._queue:
            entry = self._queue[0]
            stream = entry.stream
            if stream is None:
                free.append(self._pop().message)
                continue
            data = stream.relay.take_frame()
            if data is not None:
                self._pop()
                self._leave(entry, stream, data, free)
            elif stream.relay.fault:
                self.fail(stream.relay.fault)
                break
            elif stream.blocked:
                free += self._end(stream, entry)
            else:
                break
        for stream in [each for each in self._streams.values() if each.blocked and not each.waiting]:
            free += self._end(stream, None)
        return free

    def failed(self) -> list[Message]:
        """The last messages of a session that has failed: its open responses have, too."""
        endings = [stream.ending for stream in self._streams.values() if not stream.ending.over]
        endings = endings or [RealtimeEnding(Call(self._name))]
        return [Message(data) for ending in endings for data in ending.failed(self.fault)]

    def _leave(self, entry: _Entry, stream: _Stream, data: bytes, free: list[Message]) -> None:
        if data is not entry.message.data:
            stream.silenced.add(entry.item)
        if entry.kind == "response.done":
            stream.left = True
        if stream.over and not stream.waiting:
            self._streams.pop((stream.name, stream.number), None)
        if entry.kind in _SOUND and (stream.blocked or entry.item in stream.silenced):
            return
        if entry.kind == "conversation.item.retrieved" and entry.item in stream.silenced:
            data = _without_sound(data)
        free.append(Message(data, entry.message.binary))

    def _pop(self) -> _Entry:
        entry = self._queue.popleft()
        self.size -= len(entry.message.data)
        if entry.stream is not None:
            entry.stream.waiting -= 1
        return entry

    def _end(self, stream: _Stream, entry: _Entry | None) -> list[Message]:
        """The last messages of what was blocked, at the place of `entry`, the first that may not leave."""
        last: list[bytes] = []
        if entry is not None and entry.kind.endswith(".delta"):  # a whole that is cut would pass for a whole
            rest = stream.relay.take_rest()
            last += [rest] if rest else []
        if stream.response:
            last += [] if stream.left else stream.ending.blocked()
        else:
            self._errors += 1
            message = "a message of the session was blocked by policy"
            last.append(error_event(f"{self._name}_{self._errors}", "blocked", message))
        kept = [each for each in self._queue if each.stream is not stream]
        self._queue = deque(kept)
        self.size = sum(len(each.message.data) for each in kept)
        stream.left = True
        del self._streams[stream.name, stream.number]
        return [Message(data) for data in last]


def error_event(name: str, kind: str, message: str, of: object = None) -> bytes:
    """What a client is told of something that is not done; the session goes on.

    :arg name: Makes its ``event_id``.

    :arg kind: One of ``_api_errors.KINDS``.

    :arg of: The ``event_id`` of what the client sent.

    """
    error = orjson.loads(api_error("openai-realtime", 0, kind, message)[1])["error"]
    error["event_id"] = _text(of)[:512] or None
    return orjson.dumps({"type": "error", "event_id": f"event_{name}", "error": error})


def parsed(data: bytes) -> dict[str, Any] | None:
    """A message that is a JSON object; None if it is none."""
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            event = json.loads(data)  # half a surrogate pair in it
        except (ValueError, RecursionError):
            return None
    return event if isinstance(event, dict) else None


def _numbered(stream: _Stream, said: list[Said]) -> list[Said]:
    return [(stream.number, delta) for _, delta in said]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _of(event: dict[str, Any], key: str) -> dict[str, Any]:
    value = event.get(key)
    return value if isinstance(value, dict) else {}


def _without_sound(data: bytes) -> bytes:
    """An item that is shown again, but for its sound."""
    event = orjson.loads(data)
    for part in event["item"].get("content") or ():
        if isinstance(part, dict) and "audio" in part:
            part["audio"] = None
    return orjson.dumps(event)
