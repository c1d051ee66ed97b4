"""The connection under an ASGI request, for a server that has to misbehave below HTTP.

Strategy. ASGI has no word for "reset the connection", nor for the moment when the other side went away:
``http.disconnect`` comes when the application asks, which may be long after. What a server can do beyond
the protocol belongs into ``scope["extensions"]`` (ASGI specification, "Extensions"), so two subclasses of
uvicorn's protocols put a :class:`Line` there and tell it when the connection is lost. Nothing else of
uvicorn is touched, and an application that does not look there is served as always.

RST is what closing sends when a socket lingers for zero seconds (``SO_LINGER``, socket(7)); a plain close
sends FIN, and the reader sees a body cut short.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from asyncio import BaseTransport, Transport
from collections.abc import Callable, Mapping
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["Line", "LinedHttp", "LinedWebSocket", "line_of"]

_EXTENSION = "midstream.line"
_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: on, zero seconds


class Line:
    """One TCP connection of the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.on_lost: Callable[[int], None] | None = None
        """Called with the time (monotonic ns) at which the other side is found gone."""

    def reset(self) -> None:
        """End it with RST: what is not sent yet is dropped, the other side's reads fail."""
        peer = self._transport.get_extra_info("socket")
        if peer is not None and not self._transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    async def end(self, *, reset: bool) -> None:
        """End it, and wait until it is gone: with RST, or with FIN once everything is sent, however much
        of a body was promised.
        """
        gone = asyncio.Event()
        self.on_lost = lambda _: gone.set()
        if reset:
            self.reset()
        else:
            self._transport.close()
        await gone.wait()

    def lost(self) -> None:
        """The connection is gone, whoever ended it."""
        told, self.on_lost = self.on_lost, None
        if told is not None:
            told(time.monotonic_ns())


class LinedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with a :class:`Line` in each scope."""

    @override
    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Transport, transport))
        self.line = Line(cast(Transport, transport))

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: cast(Any, self.line)}

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.line.lost()


class LinedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with a :class:`Line` in each scope."""

    @override
    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.line = Line(cast(Transport, transport))

    @override
    async def run_asgi(self) -> None:
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[_EXTENSION] = self.line
        await super().run_asgi()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.line.lost()


def line_of(scope: Mapping[str, Any]) -> Line:
    """The connection that a request came over.

    :raises KeyError: If the server is not one of those here.
    """
    line: Line = scope["extensions"][_EXTENSION]
    return line
