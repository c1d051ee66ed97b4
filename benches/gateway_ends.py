"""The two ends of the bench of the gateway: a provider that stamps what it sends, clients that read stamps.

``python -m benches.gateway_ends provider`` serves Chat Completions streams; ``... clients`` asks for them and
prints what came, as JSON. Both are as plain as can be, on one loop, because they share a core: HTTP is
written by hand and read by searching. A stamp is the monotonic clock of the machine, one for all processes,
in a field that no rule looks at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from typing import ClassVar

import numpy as np
import orjson

from benches.workloads import words

_STAMP = re.compile(rb'"system_fingerprint":"fp_(\d+)"')
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_ASK = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer k\r\n"
)
_SCRIPTS = 64


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """A chunk of Chat Completions without its stamp."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }
    )[:-1]


def script(seed: int, deltas: int) -> list[bytes]:
    """The chunks of an answer."""
    said = words(seed, deltas)
    return [chunk({"role": "assistant"}), *(chunk({"content": word}) for word in said), chunk({}, "stop")]


def framed(data: bytes) -> bytes:
    """An event with its stamp, as a chunk of HTTP."""
    event = b'data: %s,"system_fingerprint":"fp_%d"}\n\n' % (data, time.monotonic_ns())
    return b"%x\r\n%s\r\n" % (len(event), event)


class Provider(asyncio.Protocol):
    """One connection: each request is answered with so many deltas, one every `gap` seconds, 0 as fast as it
    takes them.
    """

    gone: ClassVar[dict[int, int]] = {}
    """Monotonic ns at which those were left that did not come to their end, by seed."""

    def __init__(self, scripts: dict[int, list[list[bytes]]]) -> None:
        self._scripts = scripts
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._free = asyncio.Event()
        self._free.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(1 << 16)

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.startswith(b"GET /gone/") and self._data.endswith(b"\r\n\r\n"):
            seed = int(self._data[10:].split(b" ")[0])
            self._transport.write(b"%d" % self.gone.pop(seed, 0))
            self._transport.close()
            return
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1]) if found else 1
        if len(body) < length:
            return
        self._data = b""
        asked = orjson.loads(body)
        seed, deltas, gap = asked["seed"], asked["deltas"], asked["gap"]
        if deltas not in self._scripts:
            self._scripts[deltas] = [script(each, deltas) for each in range(_SCRIPTS)]
        chunks, self._seed = self._scripts[deltas][seed % _SCRIPTS], seed
        self._task = asyncio.get_running_loop().create_task(self._say(chunks, gap))

    async def _say(self, chunks: list[bytes], gap: float) -> None:
        write, loop = self._transport.write, asyncio.get_running_loop()
        write(_HEAD)
        began = loop.time()
        for number, each in enumerate(chunks):
            if gap:
                await asyncio.sleep(max(began + number * gap - loop.time(), 0))
            elif number % 16 == 0:
                await asyncio.sleep(0)
            await self._free.wait()
            write(framed(each))
        done = b"data: [DONE]\n\n"
        write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(done), done))
        self._task = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._task:
            self._task.cancel()
            self.gone[self._seed] = time.monotonic_ns()


class Client(asyncio.Protocol):
    """One call: notes when each delta came."""

    def __init__(self, asked: bytes, delays: list[int], done: asyncio.Future[None]) -> None:
        self._asked, self._delays, self._done = asked, delays, done
        self._rest = b""
        self.first = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.began = time.monotonic_ns()
        transport.write(_ASK + b"content-length: %d\r\n\r\n%s" % (len(self._asked), self._asked))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._rest + data
        end = 0
        for stamp in _STAMP.finditer(data):
            self.first = self.first or now
            self._delays.append(now - int(stamp[1]))
            end = stamp.end()
        self._rest = data[end:][-4096:]
        if b"0\r\n\r\n" in data[-64:] and b"[DONE]" in data[-128:]:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed before the end"))


async def provide() -> None:
    """Serve until the process is ended."""
    scripts: dict[int, list[list[bytes]]] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(scripts), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def ask(port: int, streams: int, deltas: int, gap: float, ramp: float) -> dict[str, float]:
    """`streams` calls at once, begun at random over `ramp` seconds: evenly, deltas would fall together."""
    loop = asyncio.get_running_loop()
    delays: list[int] = []
    clients: list[Client] = []
    waits = []
    began = time.monotonic()
    starts = np.sort(np.random.default_rng(1).uniform(0, ramp, streams))
    for seed in range(streams):
        await asyncio.sleep(max(began + starts[seed] - time.monotonic(), 0))
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "go on"}], "stream": True,
                           "seed": seed, "deltas": deltas, "gap": gap}).encode()  # fmt: skip
        done = loop.create_future()
        _, client = await loop.create_connection(
            lambda b=body, d=done: Client(b, delays, d), "127.0.0.1", port
        )
        clients.append(client)
        waits.append(done)
    failed = sum(isinstance(each, Exception) for each in await asyncio.gather(*waits, return_exceptions=True))
    took = time.monotonic() - began
    ms = np.array(delays) / 1e6
    first = np.array([client.first - client.began for client in clients if client.first]) / 1e6
    return {
        "deltas": len(delays), "seconds": took, "failed": failed,
        "p50": float(np.percentile(ms, 50)), "p99": float(np.percentile(ms, 99)), "max": float(ms.max()),
        "first_p50": float(np.percentile(first, 50)), "first_p99": float(np.percentile(first, 99)),
    }  # fmt: skip


async def leave(port: int, provider: int, count: int, at_once: int = 50) -> list[float]:
    """`count` calls by way of `port`, each left after its first delta: for how many ms the provider went on.

    :arg provider: Its own port, where it tells when it was left.
    """
    seeds, waits = iter(range(count)), []

    async def some() -> None:
        for seed in seeds:
            left = await _left(port, seed)
            gone = 0
            while not gone:
                await asyncio.sleep(0.01)
                reader, writer = await asyncio.open_connection("127.0.0.1", provider)
                writer.write(b"GET /gone/%d HTTP/1.1\r\n\r\n" % seed)
                gone = int(await reader.read(64))
                writer.close()
            waits.append((gone - left) / 1e6)

    await asyncio.gather(*(some() for _ in range(at_once)))
    return sorted(waits)


async def _left(port: int, seed: int) -> int:
    asked = {"model": "m", "messages": [], "stream": True, "seed": seed, "deltas": 1000, "gap": 0.01}
    body = json.dumps(asked).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_ASK + b"content-length: %d\r\n\r\n%s" % (len(body), body))
    await reader.readuntil(b'"content":')
    left = time.monotonic_ns()
    writer.transport.abort()
    return left


def main() -> None:
    """One end, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("end", choices=("provider", "clients"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--deltas", type=int, default=500)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--ramp", type=float, default=1.0)
    said = parser.parse_args()
    import uvloop  # noqa: PLC0415  # only here: the provider and the clients share a core

    if said.end == "provider":
        uvloop.run(provide())
    else:
        print(json.dumps(uvloop.run(ask(said.port, said.streams, said.deltas, said.gap, said.ramp))))


if __name__ == "__main__":
    main()
