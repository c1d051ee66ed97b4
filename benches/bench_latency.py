"""From socket to sink: how long a delta takes when streams come in over TCP at a steady rate.

``python -m benches.bench_latency [--rate 2000] [--streams 64] [--seconds 10]``

A second process sends Chat Completions streams over loopback, one event a write, each stream on its own
connection, `rate` events a second in all at even distances. This process reads them on the pump's thread
and runs the whole job, one worker, 8 slots, into the NDJSON encoder. Measured per delta: from the return
of the socket's read to the moment its packet is encoded.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from benches.workloads import chat_events
from connectors._pump import Feed, Pump
from connectors.decoders import open_decoder
from connectors.ndjson import NdjsonEncoder
from flows import policies
from flows.inflight import inflight
from flows.start import warm
from operators.directory import Limits
from operators.packet import Delta, Kind, Packet, pack
from operators.slots import slot_key

SLOTS = 8
_TEXT = int(Kind.TEXT)


def send(port: multiprocessing.Queue[int], streams: int, rate: float, seconds: float) -> None:
    """The other process: serve `streams` connections, then pace one event at a time over them."""

    async def serve() -> None:
        writers: list[asyncio.StreamWriter] = []
        ready = asyncio.Event()

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            if len(writers) == streams:
                ready.set()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await ready.wait()
        scripts = [chat_events(i, int(rate * seconds / streams)) for i in range(streams)]
        began, sent = time.perf_counter(), 0
        for events in zip(*scripts, strict=True):
            for writer, event in zip(writers, events, strict=True):
                writer.write(event)
                sent += 1
                ahead = began + sent / rate - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        server.close()

    asyncio.run(serve())


class _Sockets(StatefulSourcePartition[tuple[str, Packet], None]):
    def __init__(self, pump: Pump, slot: int, port: int, streams: int) -> None:
        self._slot = slot
        names = [f"s{i}" for i in range(slot, streams, SLOTS)]
        self._decoders = {name: open_decoder("openai-chat") for name in names}
        self._feeds = [pump.feed(name, partial(self._read, name, port)) for name in names]

    @staticmethod
    async def _read(name: str, port: int, feed: Feed[tuple[str, bytes, int]]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while data := await reader.read(1 << 16):
            await feed.put((name, data, time.monotonic_ns()))
        writer.close()

    def next_batch(self) -> list[tuple[str, Packet]]:
        said: list[tuple[str, Delta]] = []
        arrived = 0
        for feed in self._feeds:
            for name, data, at in feed.take(16):
                arrived = min(arrived or at, at)
                said += [(name, delta) for delta in self._decoders[name].receive_data(data, now=at)]
        if not said and all(feed.over() for feed in self._feeds):
            raise StopIteration
        return [(slot_key(self._slot), pack(self._slot, said, now=arrived, arrived=arrived))] if said else []

    def next_awake(self) -> datetime:
        return datetime.now(UTC) + timedelta(microseconds=200)

    def snapshot(self) -> None:
        return None


class _Source(FixedPartitionedSource[tuple[str, Packet], None]):
    def __init__(self, port: int, streams: int) -> None:
        self._pump, self._port, self._streams = Pump(), port, streams

    def list_parts(self) -> list[str]:
        return [slot_key(slot) for slot in range(SLOTS)]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Sockets:
        return _Sockets(self._pump, self.list_parts().index(for_part), self._port, self._streams)


class _Clock(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, encoder: NdjsonEncoder, waits: list[int]) -> None:
        self._encoder, self._waits = encoder, waits

    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        for _, packet in items:
            self._encoder.encode(packet)
            waited = time.monotonic_ns() - packet.arrived
            self._waits += [waited] * int((packet.deltas["kind"] == _TEXT).sum())


class _Sink(DynamicSink[tuple[str, Packet]]):
    def __init__(self, encoder: NdjsonEncoder) -> None:
        self.encoder, self.waits = encoder, list[int]()

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Clock:
        return _Clock(self.encoder, self.waits)


def main() -> None:
    """Run both processes and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    judgement = policies.load(policies.DEFAULT)
    warm(judgement)
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    sender = context.Process(target=send, args=(port, args.streams, args.rate, args.seconds))
    sender.start()
    sink = _Sink(NdjsonEncoder(judgement.names, judgement.reasons))
    source = _Source(port.get(timeout=30), args.streams)
    began = time.perf_counter()
    run_main(inflight(source, sink, judgement, Limits()))
    elapsed = time.perf_counter() - began
    sender.join(timeout=10)
    waits = np.array(sink.waits) / 1e6
    print(
        f"{len(waits):,} deltas of {args.streams} streams in {elapsed:.1f} s, {len(waits) / elapsed:,.0f}/s"
    )
    for share in (50, 90, 99, 99.9):
        print(f"p{share:<5} {np.percentile(waits, share):7.3f} ms")


if __name__ == "__main__":
    main()
