"""The sockets below HTTP, as asyncio has them (uvloop's loop too).

Strategy. httpcore2 reads through anyio, which opens a cancel scope and waits for an event for every read,
and an answer comes a piece at a time. So its seam for network backends is filled with a protocol of our own:
a read that finds bytes takes them, a write is on its way when it returns, so that a cancelled call cannot
leave half of a TLS record behind, and closing is at once, without a goodbye that somebody would have to wait
for. What comes while nobody has asked (a server's last words on an idle connection) makes the connection
unfit for a next call.

Limits in time are those that httpcore2 hands down, which for reads are none: a call has a timer of its own
(:mod:`connectors._patience`). Who reads slowly stops the reading, which the server feels as back-pressure.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import httpcore2
from typing_extensions import override

__all__ = ["AsyncioBackend"]

_TRY = 2.0  # seconds for each address of a name but the last, so that one that is dead does not take all
_FULL = 1 << 18  # bytes that wait before the socket is left alone


class _Line(asyncio.Protocol):
    """One connection: bytes that came and were not read, and whether it takes more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.waiting: list[bytes] = []
        self._size = 0
        self.over = False
        """Nothing more will come; `error` says why, if not in good order."""
        self.error: Exception | None = None
        self._came: asyncio.Future[None] | None = None
        self._paused = False
        self._drained: asyncio.Future[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    @override
    def data_received(self, data: bytes) -> None:
        self.waiting.append(data)
        self._size += len(data)
        if self._size > _FULL and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake(self._came)

    @override
    def eof_received(self) -> bool:
        self.over = True
        self._wake(self._came)
        return False  # nothing is said to a server that has gone: the transport closes itself

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.over, self.error = True, exc
        self._wake(self._came)
        self._wake(self._drained)

    @override
    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    @override
    def resume_writing(self) -> None:
        self._wake(self._drained)
        self._drained = None

    async def read(self, most: int) -> bytes:
        """What came, up to `most` bytes; none at the end.

        :raises OSError: If the connection was lost.
        """
        while not self.waiting:
            if self.error:
                raise ConnectionResetError from self.error
            if self.over:
                return b""
            self._came = self._loop.create_future()
            await self._came
        data = self.waiting[0] if len(self.waiting) == 1 else b"".join(self.waiting)
        data, rest = data[:most], data[most:]
        self.waiting = [rest] if rest else []
        self._size = len(rest)
        if self._paused and not self.over:
            self._paused = False
            self.transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`; waits while much is waiting to be sent.

        :raises OSError: If the connection was lost.
        """
        if self.over or self.transport.is_closing():
            raise ConnectionResetError
        self.transport.write(data)
        if self._drained:
            await self._drained
            if self.error:
                raise ConnectionResetError from self.error

    @staticmethod
    def _wake(waiter: asyncio.Future[None] | None) -> None:
        if waiter and not waiter.done():
            waiter.set_result(None)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, line: _Line) -> None:
        self._line = line

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            if timeout is None:
                return await self._line.read(max_bytes)
            async with asyncio.timeout(timeout):
                return await self._line.read(max_bytes)
        except TimeoutError:
            raise httpcore2.ReadTimeout from None
        except OSError as error:
            raise httpcore2.ReadError from error

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._line.write(buffer)
        except TimeoutError:
            raise httpcore2.WriteTimeout from None
        except OSError as error:
            raise httpcore2.WriteError from error

    @override
    async def aclose(self) -> None:
        self._line.transport.abort()

    @override
    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        plain = self._line.transport
        try:
            async with asyncio.timeout(timeout):
                secure = await asyncio.get_running_loop().start_tls(
                    plain, self._line, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError:
            plain.abort()
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            plain.abort()
            raise httpcore2.ConnectError from error
        except BaseException:
            plain.abort()
            raise
        if secure is None:  # lost in the meantime
            raise httpcore2.ConnectError
        self._line.transport = secure
        return self

    @override
    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._line.transport.get_extra_info(info)
            case "is_readable":
                return bool(self._line.waiting) or self._line.over or self._line.transport.is_closing()
        return None


async def _reach(host: str, port: int) -> _Line:
    """A connection to the first address of `host` that takes one.

    :raises OSError: If none does.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *first, last = dict.fromkeys(str(address[0]) for *_, address in found)
    for address in first:
        with suppress(OSError):  # a timeout is one
            async with asyncio.timeout(_TRY):
                return (await loop.create_connection(_Line, address, port))[1]
    return (await loop.create_connection(_Line, last, port))[1]


class AsyncioBackend(httpcore2.AsyncNetworkBackend):
    """Connections to TCP servers, on the loop that runs."""

    @override
    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        del local_address, socket_options  # nobody here sets them
        try:
            async with asyncio.timeout(timeout):
                line = await _reach(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            raise httpcore2.ConnectError from error
        return _Stream(line)
