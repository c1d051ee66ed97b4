"""The main job's speed on one core: wire bytes in memory to NDJSON, everything on.

``python -m benches.bench_inflight [--streams 512] [--tokens 400] [--batch 1024] [--reads 16]``

Three tables. *Split*: the stages called one after the other with no engine, to see where the time
goes (decode, pack, each stage, encode). *Flow*: the same under Bytewax on one worker, from a source that
holds the wire bytes, 8 slots. *State*: bytes per open lane and the memory of 20,000 open streams. Medians of
several runs; nothing is timed before all is compiled. ``--reads`` says how many events one read of a
socket brings: 16 fill a read of 4 KiB; 1 is the hardest, a decoder call per token.
"""

from __future__ import annotations

import argparse
import gc
import platform
import resource
import statistics
import time
import timeit
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import orjson
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from benches.workloads import chat_events, words
from connectors.decoders import open_decoder
from connectors.ndjson import NdjsonEncoder
from flows import policies
from flows.inflight import inflight
from flows.judgement import Judgement
from operators.directory import Limits
from operators.features import Features
from operators.packet import Delta, Kind, Packet, pack
from operators.slots import Stage, slot_key

SLOTS = 8
Reads = list[tuple[str, bytes]]


def wire(streams: int, tokens: int, reads: int) -> list[Reads]:
    """For each slot its reads in order: the streams of the slot take turns, `reads` events at a time."""
    slots: list[Reads] = [[] for _ in range(SLOTS)]
    for slot in range(SLOTS):
        scripts = {f"s{i}": chat_events(i, tokens) for i in range(slot, streams, SLOTS)}
        for at in range(0, tokens + 4, reads):
            for name, events in scripts.items():
                slots[slot].append((name, b"".join(events[at : at + reads])))
    return slots


def decoded(reads: Reads, batch: int) -> Iterator[list[tuple[str, Delta]]]:
    """What a source does: feed each read to its stream's decoder, collect `batch` deltas."""
    decoders = {name: open_decoder("openai-chat") for name in dict.fromkeys(name for name, _ in reads)}
    said: list[tuple[str, Delta]] = []
    for name, data in reads:
        for delta in decoders[name].receive_data(data, now=0):
            said.append((name, delta))  # noqa: PERF401 - a comprehension of one costs twice as much
        if len(said) >= batch:
            yield said
            said = []
    if said:
        yield said


def stages(judgement: Judgement) -> list[Stage]:
    """All stages of the main job, in order."""
    analyses = [make() for _, make in judgement.analyses]
    return [
        judgement.directory(Limits()), judgement.gate(), Features(), *analyses, judgement.policy(),
        judgement.release(),
    ]  # fmt: skip


def split(slots: list[Reads], batch: int, judgement: Judgement) -> dict[str, float]:
    """Seconds in each part, one slot after the other, no engine."""
    spent: dict[str, float] = defaultdict(float)
    encoder = NdjsonEncoder(judgement.names, judgement.reasons)
    for slot, reads in enumerate(slots):
        made = stages(judgement)
        source = decoded(reads, batch)
        while True:
            began = time.perf_counter()
            said = next(source, None)
            spent["decode"] += time.perf_counter() - began
            if said is None:
                break
            began = time.perf_counter()
            packet = pack(slot, said, now=0)
            spent["pack"] += time.perf_counter() - began
            for each in made:
                began = time.perf_counter()
                packet = each.update(packet)
                spent[type(each).__name__.lower()] += time.perf_counter() - began
            began = time.perf_counter()
            encoder.encode(packet)
            spent["encode"] += time.perf_counter() - began
    return spent


def state_bytes(judgement: Judgement) -> dict[str, int]:
    """Bytes of state that one open lane takes in each stage; the policy and the directory take a few."""
    analyses = {step: make() for step, make in judgement.analyses}
    made: dict[str, Any] = {"gate": judgement.gate(), "features": Features(), **analyses}
    made |= {"policy": judgement.policy(), "release": judgement.release()}
    sizes = {name: stage.state_bytes for name, stage in made.items()}
    return sizes | {"all": sum(sizes.values())}


def crowd(judgement: Judgement, streams: int) -> tuple[float, float, int]:
    """Open `streams` streams, say 20 tokens in each by turns, end none: MiB, deltas a second, bytes
    dumped.
    """
    made = [stages(judgement) for _ in range(SLOTS)]
    names = [[f"c{i}" for i in range(slot, streams, SLOTS)] for slot in range(SLOTS)]
    said = 0
    before, began = _resident(), time.perf_counter()
    for token in [None, *words(1, 20)]:
        delta = Delta(int(Kind.START), "{}") if token is None else Delta(int(Kind.TEXT), token)
        for slot in range(SLOTS):
            for at in range(0, len(names[slot]), 256):
                packet = pack(slot, [(name, delta) for name in names[slot][at : at + 256]], now=0)
                for stage in made[slot]:
                    packet = stage.update(packet)
                said += len(packet.deltas)
    elapsed = time.perf_counter() - began
    grown = _resident() - before
    return grown, said / elapsed, sum(len(stage.dump()) for stages in made for stage in stages)


def _resident() -> float:
    """MiB of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


class _Memory(StatefulSourcePartition[tuple[str, Packet], None]):
    def __init__(self, key: str, slot: int, reads: Reads, batch: int) -> None:
        self._key, self._slot = key, slot
        self._said = decoded(reads, batch)

    def next_batch(self) -> list[tuple[str, Packet]]:
        said = next(self._said, None)
        if said is None:
            raise StopIteration
        return [(self._key, pack(self._slot, said, now=0, arrived=time.monotonic_ns()))]

    def snapshot(self) -> None:
        return None


class MemorySource(FixedPartitionedSource[tuple[str, Packet], None]):
    """Wire bytes in memory, one partition a slot."""

    def __init__(self, slots: list[Reads], batch: int) -> None:
        self._slots, self._batch = slots, batch

    def list_parts(self) -> list[str]:
        return [slot_key(slot) for slot in range(SLOTS)]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Memory:
        slot = self.list_parts().index(for_part)
        return _Memory(for_part, slot, self._slots[slot], self._batch)


class _Encode(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, judgement: Judgement) -> None:
        self._encoder = NdjsonEncoder(judgement.names, judgement.reasons)

    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        for _, packet in items:
            self._encoder.encode(packet)


class EncodeSink(DynamicSink[tuple[str, Packet]]):
    """Encodes every record and drops the bytes."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Encode:
        return _Encode(self._judgement)


def main() -> None:
    """Run all three and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--reads", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--crowd", type=int, default=20_000)
    args = parser.parse_args()
    judgement = policies.load(policies.DEFAULT)
    slots = wire(args.streams, args.tokens, args.reads)
    gc.freeze()  # the workload lies in memory only because this is a bench; the collector need not visit it
    deltas = args.streams * args.tokens
    split([reads[:2000] for reads in slots[:1]], args.batch, judgement)  # compile
    print(
        f"{args.streams} streams x {args.tokens} tokens, {args.batch} deltas a packet, "
        f"{args.reads} events a read"
    )
    chunk = chat_events(0, 2)[1][6:-2]
    timed = min(timeit.repeat(lambda: orjson.loads(chunk), number=10_000, repeat=7)) * 1e5
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, numba {numba.__version__}; orjson.loads of one chunk {timed:.0f} ns"
    )
    grown, rate, dumped = crowd(judgement, args.crowd)  # first, while no memory lies about to be used again
    runs = [split(slots, args.batch, judgement) for _ in range(args.runs)]
    print(f"\n{'split':<12} {'ns/delta':>9}")
    for part in runs[0]:
        print(f"{part:<12} {statistics.median(run[part] for run in runs) / deltas * 1e9:9.0f}")
    total = statistics.median(sum(run.values()) for run in runs)
    print(f"{'all':<12} {total / deltas * 1e9:9.0f}   {deltas / total:,.0f} deltas/s")
    spent = []
    for _ in range(args.runs):
        flow = inflight(MemorySource(slots, args.batch), EncodeSink(judgement), judgement, Limits())
        began = time.perf_counter()
        run_main(flow)
        spent.append(time.perf_counter() - began)
    print(f"\nflow, 1 worker: {deltas / statistics.median(spent):,.0f} deltas/s (median of {args.runs})")
    print("\nstate: bytes per open lane")
    for name, count in state_bytes(judgement).items():
        print(f"{name:<12} {count:9,}")
    print(f"{args.crowd:,} streams open at once: {grown:,.0f} MiB, {rate:,.0f} deltas/s")
    print(f"their state, dumped: {dumped / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
