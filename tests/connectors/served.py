"""Small servers inside a test's own event loop, to be an upstream that does what no good one does.

Each is started by an ``async with`` that gives its port; what it was asked is in `asked`, and `gone` is set
when a client has closed its connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(status: int, body: bytes = b"", *headers: tuple[str, str]) -> bytes:
    """A whole answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} X\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Served:
    """A server that runs."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    """Heads of the requests, and their bodies where they say how long these are."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    async def left(self, within: float = 0.1) -> None:
        """Wait for `gone`, so many seconds and as many more as the loop stood still in the meantime."""
        loop = asyncio.get_running_loop()
        began, stood = loop.time(), 0.0
        while not self.gone.is_set():
            before = loop.time()
            await asyncio.sleep(0.002)
            stood += max(0.0, loop.time() - before - 0.004)
            assert loop.time() - began - stood < within, "the client has not gone"


Respond = Callable[[Served, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def http1(respond: Respond, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """A server that reads a request, calls `respond`, and waits for the next."""

    async def connected(served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _request(reader):
                served.asked.append(head)
                await respond(served, writer)
        finally:
            served.gone.set()

    async with _listening(connected, tls) as served:
        yield served


Connected = Callable[[Served, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(connected: Connected, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    served = Served()
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        try:
            with suppress(ConnectionError, ssl.SSLError):
                await connected(served, reader, writer)
        finally:
            writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close in a later turn of the loop


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            head += await reader.readexactly(int(line.split(b":")[1]))
    return head


@asynccontextmanager
async def deaf() -> AsyncIterator[Served]:
    """A server that takes connections and reads nothing."""

    async def connected(served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del served, reader, writer
        await asyncio.Event().wait()

    async with _listening(connected) as served:
        yield served


@asynccontextmanager
async def http2(pieces: int, tls: ssl.SSLContext) -> AsyncIterator[Served]:
    """An HTTP/2 server that answers with so many pieces of 1 KiB, then leaves the stream open; ``/whole``
    ends it, ``/mute`` gets no answer.
    """

    async def connected(served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        writer.write(state.data_to_send())
        try:
            while data := await reader.read(65536):
                for event in state.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        headers = dict(event.headers)
                        served.asked.append(headers[b":path"])
                        if headers[b":path"] != b"/mute":
                            state.send_headers(event.stream_id, [(":status", "200")])
                            for _ in range(pieces):
                                state.send_data(event.stream_id, b"x" * 1024)
                        if headers[b":path"] == b"/whole":
                            state.end_stream(event.stream_id)
                writer.write(state.data_to_send())
        finally:
            served.gone.set()

    async with _listening(connected, tls) as served:
        yield served


@asynccontextmanager
async def proxy(status: int = 200) -> AsyncIterator[Served]:
    """A proxy that answers CONNECT with `status` and then carries bytes both ways."""

    async def connected(served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _request(reader)
        served.asked.append(head)
        writer.write(b"HTTP/1.1 %d X\r\n\r\n" % status)
        if status == 200:
            host, port = head.split()[1].decode().rsplit(":", 1)
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_carry(reader, back), _carry(there, writer))

    async with _listening(connected) as served:
        yield served


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
