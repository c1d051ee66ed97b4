"""HTTP/1.1 as uvicorn speaks it, with limits on what a client takes before anybody knows who it is.

Strategy. uvicorn waits for ever for the end of a request's head, for the rest of a body that nobody wants any
more and for a reader that does not read, and takes heads of any size, connections in any number and requests
behind an answer without end. Each of these is a way to stop a server from outside. So its protocol is used
with one timer a connection, which is set only while the client owes us something, and with sums that are
looked at where uvicorn is called back anyway. What is too much is answered with a status if no answer has
begun, and the connection is closed; not before a short while in which what the client still sends is thrown
away, for closing at once would make its system forget our answer.

Trailers of a body are dropped: uvicorn adds them to the headers, behind every check of these.

RFC 6585 (431), RFC 9110 (408, 503; 6.5.1 on trailers), RFC 9112, section 9.6 (closing).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connected", "ConnectionLimits", "bounded_http"]

_TEXTS = {
    400: b"this is no HTTP request",
    408: b"the head of the request did not come in time",
    431: b"the head of the request is too long",
    503: b"too many connections",
}
_LINGER = 2.0  # seconds
_PHRASES = {
    400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class ConnectionLimits:
    """What one client may take."""

    head_seconds: float = 10.0
    """From the first byte of a request, or from the connection, to the end of the head; and for the rest of a
    body that came too late to matter."""
    stalled_seconds: float = 60.0
    """In which a client takes something of what is ready for it."""
    head_bytes: int = 64 << 10
    headers: int = 128
    behind: int = 16
    """Requests that wait behind an answer."""
    connections: int = 8192
    """All together. Each needs a file descriptor, and its call to a provider another."""
    connections_each: int = 4096
    """From one address; behind a proxy all come from one."""


@dataclass
class Connected:
    """Who is connected, to one server."""

    addresses: Counter[str] = field(default_factory=Counter)
    total: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """Connections that were closed, by the status that says why."""


class _BoundedHttp(HttpToolsProtocol):
    limits: ConnectionLimits
    connected: Connected

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._address: str | None = None
        self._head = False
        """Whether a head has begun and not ended."""
        self._whole = True
        """Whether no body is under way."""
        self._fed = self._size = self._count = 0
        self._status = 400
        self._over = False
        """Whether it was refused."""

    # the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connected, limits = self.connected, self.limits
        self._address = self.client[0] if self.client else ""
        connected.total += 1
        connected.addresses[self._address] += 1
        each = connected.addresses[self._address]
        if connected.total > limits.connections or each > limits.connections_each:
            self._refuse(503)
        else:
            self._owes()

    def connection_lost(self, exc: Exception | None) -> None:
        self._paid()
        self._flows()
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self.connected.total -= 1
            self.connected.addresses[address] -= 1
            if not self.connected.addresses[address]:
                del self.connected.addresses[address]

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The connection now belongs to another protocol, and is still one.
        protocol = self.transport.get_protocol()
        lost = protocol.connection_lost

        def connection_lost(exc: Exception | None) -> None:
            self._leave()
            lost(exc)

        protocol.connection_lost = connection_lost  # type: ignore[method-assign]

    # what comes

    def data_received(self, data: bytes) -> None:
        if self._over or self.transport.is_closing():
            return
        if self._whole and self._timer is None and not self._answering():
            self._owes()
        if self._head:
            self._fed += len(data)
        super().data_received(data)
        if self._head and self._fed > self.limits.head_bytes:
            self._refuse(431)  # one header, perhaps, that does not end

    def on_message_begin(self) -> None:
        self._head, self._whole = True, False
        self._fed = self._size = self._count = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._add(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        self._add(len(name) + len(value) + 4)
        if self._head:  # else it is a trailer
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head = False
        self._paid()
        if len(self.pipeline) >= self.limits.behind:
            self._status = 503
            raise OverflowError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = True
        self._paid()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not (self._whole or self._answering()):
            self._owes()  # the rest of a body that nobody waits for, or of a head that came early

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does about bytes that are no HTTP, or about what was raised in a callback here."""
        self._refuse(self._status)

    def _add(self, size: int) -> None:
        """Count a part of a head.

        :raises OverflowError: If it is one too many; the parser stops there.
        """
        self._size += size
        if self._size > self.limits.head_bytes or self._count > self.limits.headers:
            self._status = 431
            raise OverflowError

    # what leaves

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stalled_seconds, self._stall)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._flows()

    def _stall(self) -> None:
        self.transport.abort()  # what it has not read by now it will not read

    def _flows(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    # the timer

    def _owes(self) -> None:
        self._paid()
        self._timer = self.loop.call_later(self.limits.head_seconds, self._late)

    def _paid(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._head:
            self._refuse(408)
        else:  # an answer would be taken for that to the next request, which may be on its way
            self.connected.refused[408] += 1
            self.transport.close()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int) -> None:
        if self._over:
            return
        self.connected.refused[status] += 1
        self._over = True
        self._paid()
        if self.transport.is_closing():
            return
        if self._silent():
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # so that nothing is written behind this
            self.cycle.message_event.set()
        text = _TEXTS[status]
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, _PHRASES[status], len(text), text)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER, self.transport.close)

    def _silent(self) -> bool:
        """Whether a status would be taken for a part of another answer, or for a second one."""
        if self.cycle is None:
            return False
        if self.cycle.response_complete:
            return not (self._head or self._whole)  # in the rest of a body that was answered
        return self._head or self.cycle.response_started or bool(self.pipeline)


def bounded_http(limits: ConnectionLimits, connected: Connected) -> type[HttpToolsProtocol]:
    """The protocol of one server, for ``http`` of ``uvicorn.Config``.

    :arg connected: Where its connections are counted.

    """
    return type("BoundedHttp", (_BoundedHttp,), {"limits": limits, "connected": connected})
