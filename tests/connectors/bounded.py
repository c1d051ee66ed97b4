"""A server that takes no more of a client than it must, on a thread; and what a client hears from it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

uvicorn = pytest.importorskip("uvicorn")
uvloop = pytest.importorskip("uvloop")

from connectors._bounded_http import Connected, ConnectionLimits, bounded_http  # noqa: E402  # needs uvicorn

QUICK = ConnectionLimits(head_seconds=0.3, stalled_seconds=0.3)
GET = b"GET /small HTTP/1.1\r\nhost: a\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n"


class App:
    """Answers by path; knows what it was sent."""

    def __init__(self) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []
        self.paths: list[str] = []
        self.go_on = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        self.paths.append(scope["path"])
        if scope["path"] == "/reading":
            while (await receive()).get("more_body"):
                pass
        self.heads.append(list(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/long":
            while not self.go_on.is_set():
                await send({"type": "http.response.body", "body": b"tick ", "more_body": True})
                await asyncio.sleep(0.05)
        if scope["path"] == "/much":
            for _ in range(400):
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await send({"type": "http.response.body", "body": b"said", "more_body": False})


class Running:
    def __init__(self, limits: ConnectionLimits, tls: ssl.SSLContext | None = None) -> None:
        self.app, self.connected = App(), Connected()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            self.app, lifespan="off", log_config=None, access_log=False, proxy_headers=False,
            http=bounded_http(limits, self.connected), ws="websockets-sansio",
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the gateway's
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self.server.serve(sockets=[self.socket])

    def open(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def ask(self, *parts: bytes) -> bytes:
        """All that a client which sends `parts`, and then nothing, is answered until it is hung up on."""
        with self.open() as client:
            for part in parts:
                client.sendall(part)
            return everything(client)


def everything(client: socket.socket) -> bytes:
    said = b""
    while data := client.recv(65_536):
        said += data
    return said


@contextmanager
def running(limits: ConnectionLimits = QUICK, tls: ssl.SSLContext | None = None) -> Iterator[Running]:
    started = Running(limits, tls)
    started.thread.start()
    try:
        until(lambda: started.server.started)
        yield started
    finally:
        started.app.go_on.set()
        started.server.should_exit = True
        started.thread.join(timeout=10)
        started.socket.close()
        assert not started.thread.is_alive()
        assert not started.connected.total
        assert not started.connected.addresses


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
