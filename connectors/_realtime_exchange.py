"""One Realtime session through the gateway: a WebSocket on either side, what passes judged both ways.

Strategy. The provider is dialled before the client is accepted, so that a session which cannot be had is a
status and an error body. Then three tasks live as long as the session: one reads the client, judges each of
its messages whole and sends it on; one reads the provider; one writes to the client what the judgement lets
go (``_realtime_relay.py``). Whoever leaves first ends the other at once.

Of the client's messages those that hold no words pass as they came: sound is not looked into. A rule that
masks rewrites a message, one that blocks keeps it back, and the client gets an error event. Bytes that are no
JSON object pass where they are a binary message, which may be sound; as text they are an error event too.

The codes of a close that say something are carried over, a reason only if it is a word. A session that fails
ends with an error event, ``response.done`` for each response that was open, and 1011.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from connectors._api_errors import api_error
from connectors._decoder import listed
from connectors._exchange import Bounds
from connectors._frames import WholeBody
from connectors._hub import Hub, Told
from connectors._item_ends import ends_of
from connectors._leaves import leaves
from connectors._passage import Passage, State
from connectors._presented import Pairs, without_keys
from connectors._realtime_relay import Message, RealtimeRelay, Spoken, error_event, parsed
from connectors._realtime_socket import FAILURES, dialled, socket_fault
from connectors._refusal import refusal
from connectors._relay import Nobody, Relay, Silent
from connectors._routes import Route, below
from connectors._upstream import Upstream, own_headers
from operators.packet import Delta, Finish

__all__ = ["RealtimeBounds", "RealtimeSessions"]

_log = logging.getLogger(__name__)

_CARRIED = frozenset((1000, 1001, 1008, 1009, 1011, 1012, 1013))
"""Codes of a close that mean the same on the other side; those of applications, from 3000, do too."""
_NO_CODE, _NORMAL, _AWAY, _BROKEN = 1005, 1000, 1001, 1011
_WAITING = 16 << 20
"""Bytes that may wait before no more is read: sound for minutes, which may wait for the end of a word."""
_OURS = frozenset(
    b"host connection upgrade origin cookie content-length transfer-encoding te trailer expect keep-alive "
    b"proxy-authorization proxy-connection proxy-authenticate".split()
)
_KINDS = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
"""What a provider's status to a handshake means; any other is its failure."""
_REALTIME = "realtime"
"""The subprotocol that browsers offer, and must be given."""
_PROTOCOLS = b"sec-websocket-protocol"


@dataclass(frozen=True)
class RealtimeBounds:
    """What sessions may take."""

    sessions: int = 256
    """That are open at a time."""
    idle: float = 900.0
    """Seconds in which neither side says anything."""
    lasting: float = 3600.0
    """Seconds of one session."""


class _Gone(Exception):
    """The client has gone away."""


class RealtimeSessions:
    """All sessions of a gateway.

    :arg bounds: ``body`` is that of a message, either way.

    """

    def __init__(self, hub: Hub, bounds: Bounds, limits: RealtimeBounds) -> None:
        self._hub, self._bounds, self._limits = hub, bounds, limits
        self._open = 0

    def __len__(self) -> int:
        """Those that are open."""
        return self._open

    async def serve(
        self, upstream: Upstream, route: Route, name: str, query: Sequence[tuple[str, str]],
        scope: Scope, receive: Receive, send: Send, heard: Callable[[Iterable[Delta]], object],
    ) -> None:  # fmt: skip
        """One session, from its handshake to its end (ASGI).

        :arg name: Of its first response, as the flow knows it.

        :arg query: The caller's.

        :arg heard: Is given all deltas.

        """
        await receive()  # websocket.connect
        if self._open >= self._limits.sessions:
            await _refuse(send, name, 0, "overloaded", "too many sessions are open")
            return
        self._open += 1
        try:
            session = _Session(
                self._hub, upstream, route, name, self._bounds, self._limits, receive, send, heard
            )
            await session.run(scope["headers"], query)
        finally:
            self._open -= 1


@dataclass
class _Session:
    hub: Hub
    upstream: Upstream
    route: Route
    name: str
    bounds: Bounds
    limits: RealtimeBounds
    receive: Receive = field(repr=False)
    send: Send = field(repr=False)
    heard: Callable[[Iterable[Delta]], object] = field(repr=False)

    async def run(self, headers: Pairs, query: Sequence[tuple[str, str]]) -> None:
        if self.upstream.key:
            kept, query = without_keys(headers, query)
        else:
            kept = list(headers)
        offered = _protocols(kept)
        path = below(self.upstream.base_url, self.route.path)
        self._relay = RealtimeRelay(self.name, self.upstream.name, dict(query).get("model", "unknown"))
        self._begin()
        try:
            async with dialled(
                self.upstream, path, query, self.bounds.body, headers=self._passed(kept), subprotocols=offered
            ) as socket:
                chosen = socket.subprotocol or (_REALTIME if _REALTIME in _protocols(headers) else None)
                told = [(b"x-midstream-stream", self.name.encode())]
                await self.send({"type": "websocket.accept", "subprotocol": chosen, "headers": told})
                await self._talk(socket)
        except InvalidStatus as error:
            status = error.response.status_code if error.response.status_code >= 400 else 0
            kind = _KINDS.get(status, "upstream_failed")
            said = refusal(error.response.status_code, bytes(error.response.body or b""))
            wait = error.response.headers.get("retry-after", "")
            more = [(b"retry-after", wait.encode())] if listed(wait) == wait and wait else []
            await _refuse(self.send, self.name, status, kind, said, more)
        except FAILURES as error:
            fault = socket_fault(self.upstream.name, error)
            late = fault.kind.startswith("timeout")
            kind = "upstream_timeout" if late else "upstream_failed"
            await _refuse(self.send, self.name, 0, kind, str(fault))

    def _begin(self) -> None:
        self._news, self._drained = asyncio.Event(), asyncio.Event()
        self._drained.set()
        self._moved = self._said = asyncio.get_running_loop().time()
        self._left: tuple[int, str] | None = None
        self._gone = _NO_CODE
        self._messages = 0

    async def _talk(self, socket: ClientConnection) -> None:
        """An open session, to its end. Raises nothing but what is no failure of either side."""
        for name in self._relay.names:
            self.hub.open(name, partial(self._hear, name))
        code, reason = _NORMAL, ""
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(each)
                    for each in (self._from_client(socket), self._from_upstream(socket), self._watch())
                ]
                code, reason = await self._to_client(socket)
                for task in beside:
                    task.cancel()
            await self.send({"type": "websocket.close", "code": code, "reason": reason})
        except* _Gone:
            _log.info("%s: the client has gone away", self.name)
            code = self._gone
        except* OSError:  # of send: the client has gone, and nobody has read it yet
            code = _AWAY
        finally:
            self._say(self._relay.give_up(Finish.TRUNCATED))
            for name in self._relay.names:
                self.hub.close(name)
        await socket.close(_NORMAL if code == _NO_CODE else code if _sendable(code) else _AWAY)

    # from the client

    async def _from_client(self, socket: ClientConnection) -> None:
        while True:
            message = await self.receive()
            if message["type"] == "websocket.disconnect":
                self._gone = message.get("code") or _NO_CODE
                raise _Gone
            self._said = asyncio.get_running_loop().time()
            text = message.get("text")
            data = text.encode("utf-8", "replace") if text is not None else message["bytes"]
            judged = await self._judged(data, binary=text is None)
            if judged is not None:
                await self._order(socket, judged, text=text is not None)

    async def _judged(self, data: bytes, *, binary: bool) -> bytes | None:
        """A message as it may be sent on; None if it may not be."""
        event = parsed(data)
        if event is None:
            if not binary:
                self._object("bad_request", "a message is a JSON object")
            return data if binary else None
        if not leaves(event):
            return data
        self._messages += 1
        relay = Relay(WholeBody(self.bounds.body), Silent(), ends_of(""), Nobody())
        name = f"{self.name}/request-{self._messages}"
        passage = Passage(self.hub, name, relay, self.bounds.judging, self.heard)
        try:
            judged = await passage.whole(data)
        finally:
            passage.close()
        if passage.state is State.DONE:
            return judged
        if passage.state is State.BLOCKED:
            self._object("blocked", "the message was blocked by policy", event.get("event_id"))
        else:
            why = f"the message cannot be judged: {passage.reason}"
            self._object("bad_request", why, event.get("event_id"))
        return None

    def _object(self, kind: str, why: str, of: object = None) -> None:
        self._relay.insert(error_event(f"{self.name}_{self._messages}", kind, why, of))
        self._news.set()

    async def _order(self, socket: ClientConnection, data: bytes, *, text: bool = True) -> None:
        """Send to the provider."""
        try:
            async with asyncio.timeout(self.upstream.timeouts.write):
                await socket.send(data, text=text)
        except ConnectionClosed:
            return  # who reads it hears why
        except TimeoutError:
            self._fail(f"{self.upstream.name}: it takes no more messages")

    # from the provider

    async def _from_upstream(self, socket: ClientConnection) -> None:
        try:
            while not self._relay.fault:
                said = await socket.recv()
                message = Message(said.encode()) if isinstance(said, str) else Message(said, binary=True)
                await self._drained.wait()
                await self.hub.room(self.name)
                self._said = asyncio.get_running_loop().time()
                self._say(self._relay.receive(message, now=time.time_ns()))
                self._look()
        except ConnectionClosed as closed:
            frame = closed.rcvd
            code = frame.code if frame else 0
            if _sendable(code) or code == _NO_CODE:
                self._say(self._relay.receive_eof(now=time.time_ns()))
                word = listed(frame.reason) if frame else ""
                self._left = _NORMAL if code == _NO_CODE else code, "" if word == "unlisted" else word
                self._look()
            else:
                self._fail(str(socket_fault(self.upstream.name, closed)))

    def _hear(self, name: str, told: list[Told]) -> None:
        self._moved = asyncio.get_running_loop().time()
        self._relay.hear(name, told)
        self._news.set()

    # to the client

    async def _to_client(self, socket: ClientConnection) -> tuple[int, str]:
        """All that may leave; how the session is to be closed, when it is over."""
        relay = self._relay
        while True:
            await self._news.wait()
            self._news.clear()
            for order in relay.take_orders():
                await self._order(socket, order)
            await self._tell(relay.take())
            if relay.size < _WAITING:
                self._drained.set()
            if relay.fault:
                _log.warning("%s: the session was ended: %s", self.name, relay.fault)
                await self._tell(relay.failed())
                return _BROKEN, ""
            if self._left and relay.empty:
                return self._left

    async def _tell(self, messages: list[Message]) -> None:
        for data, binary in messages:
            if binary:
                await self.send({"type": "websocket.send", "bytes": data})
            else:
                await self.send({"type": "websocket.send", "text": data.decode()})

    async def _watch(self) -> None:
        """See that what waits is judged, and that a session which is not used ends."""
        loop = asyncio.get_running_loop()
        began, patience = loop.time(), self.bounds.judging
        while True:
            await asyncio.sleep(min(patience, self.limits.idle, self.limits.lasting) / 2)
            now = loop.time()
            if self._relay.empty:
                self._moved = now
            elif now - self._moved > patience:
                self._fail("it was not judged in time")
            if now - began > self.limits.lasting or now - self._said > self.limits.idle:
                self._left = self._left or (_AWAY, "")
                self._say(self._relay.receive_eof(now=time.time_ns()))
                self._look()

    def _say(self, spoken: Spoken) -> None:
        for name, said in spoken:
            self.heard(delta for _, delta in said)
            self.hub.say(name, said)

    def _fail(self, reason: str) -> None:
        self._relay.fail(reason)
        self._say(self._relay.give_up(Finish.ERROR))
        self._look()

    def _look(self) -> None:
        if self._relay.size >= _WAITING:
            self._drained.clear()
        self._news.set()

    def _passed(self, headers: Pairs) -> list[tuple[str, str]]:
        """The caller's headers that are for the provider."""
        ours = _OURS | {name.encode() for name, _ in own_headers(self.upstream)}
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in headers
            if name.lower() not in ours and not name.lower().startswith(b"sec-websocket-")
        ]


async def _refuse(
    send: Send, name: str, status: int, kind: str, message: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """A handshake that is not accepted."""
    status, body = api_error("openai-realtime", status, kind, message)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(b"x-midstream-stream", name.encode()), *more]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _protocols(headers: Pairs) -> list[str]:
    """What a handshake offers to speak."""
    return [
        each.strip().decode("latin-1")
        for name, value in headers
        if name.lower() == _PROTOCOLS
        for each in value.split(b",")
        if each.strip()
    ]


def _sendable(code: int) -> bool:
    return code in _CARRIED or 3000 <= code < 5000
