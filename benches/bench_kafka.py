"""The durable lane's speed on a real broker: deltas in, decisions out, both lanes.

``python -m benches.bench_kafka [through] [cells] [produce] [latency] [--streams 2048] [--tokens 400] [--runs
3]``

Starts an Apache Kafka of its own (``tests.broker``: needs Java and Maven), or uses the one that
``MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS`` names. Cells are real processes (``midstream run analyze``, the shipped
policy, a recovery store, an epoch a second) on a topic that was filled before; a rate is what the cell itself
sums up, from its first packet on; a run before that is not counted warms the broker up, whose JVM compiles
for a minute. Four tables. *Through*: one cell in each lane, on any core and held to one; CPU of cell (less
that of a cell that finds an empty log) and broker a delta; beside it a loop of plain confluent-kafka that
takes the same records and writes each to another topic, and analyses nothing. *Cells*: two against one, each
held to a core of its own, which the broker shares. *Produce*: the sink alone, packets from memory, beside
plain confluent-kafka and the same values with no headers. *Latency*: fast lane, 100 streams at a steady rate,
from the delta that completes a match to its verdict: from when the broker took in the one to when it took in
the other, in its milliseconds. The cell is held to one core, the broker and the sender (which fills batches
for 5 ms) to the others; an epoch every second, and every 10 s (the default).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.cimpl import NewTopic

from benches.bench_inflight import stages
from benches.kafka_cells import SLOTS, cluster, ended, fill, sent, settings, start
from benches.workloads import words
from connectors import _kafka_records as records
from connectors._kafka_client import Cluster
from connectors._kafka_topics import ready, sizes
from connectors._records import Recorder
from connectors.kafka_sink import KafkaSink
from flows import policies
from operators.packet import Delta, Kind, Packet, pack
from operators.slots import slot_key

LANES = "fast", "exact"
_WARM = 30  # seconds of a load that is not measured: a broker's JVM compiles meanwhile


def copied(where: Cluster, deltas: int) -> float:
    """Records a second that plain confluent-kafka takes and writes elsewhere."""
    consumer = Consumer(
        {"bootstrap.servers": where.bootstrap, "group.id": "copy", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(where.topic("deltas"), slot, 0) for slot in range(SLOTS)])
    producer = Producer(
        {"bootstrap.servers": where.bootstrap, "enable.idempotence": True, "linger.ms": 2,
         "compression.type": "lz4", "queue.buffering.max.messages": 500_000}
    )  # fmt: skip
    topic, count, began = where.topic("copy"), 0, 0.0
    while count < deltas:
        for message in consumer.consume(2000, 1.0):
            began = began or time.perf_counter()
            while True:
                try:
                    producer.produce(topic, message.value(), message.key(), message.partition() or 0)
                    break
                except BufferError:
                    producer.poll(0.01)
            count += 1
        producer.poll(0)
    producer.flush()
    took = time.perf_counter() - began
    consumer.close()
    return count / took


def through(where: Cluster, broker: int, folder: Path, deltas: int, runs: int) -> None:
    """One cell."""
    ready(where, ["copy"])
    empty = Cluster(where.bootstrap, f"{where.prefix}-empty", SLOTS)
    ready(empty, ["deltas"])
    ended([start(folder / "warm", settings(where, "warm"))], broker)
    idle = ended([start(folder / "idle", settings(empty, "idle"))], broker)[0].cpu
    print(f"\nthrough: {deltas:,} deltas, one cell, one worker, an epoch a second")
    print(f"{'lane':<8} {'cores':<6} {'deltas/s':>10} {'cell us':>8} {'broker us':>10}")
    for lane in LANES:
        for cores in ((), (0,)):
            found = []
            for number in range(runs):
                name = f"{lane}-{len(cores)}-{number}"
                found += ended([start(folder / name, settings(where, name, lane=lane), cores)], broker)
            told = sorted(found, key=lambda run: run.rate)[len(found) // 2]
            print(
                f"{lane:<8} {'one' if cores else 'any':<6} {told.rate:>10,.0f} "
                f"{(told.cpu - idle) / told.deltas * 1e6:>8.1f} {told.broker / told.deltas * 1e6:>10.1f}"
            )
    rates = [copied(where, deltas) for _ in range(runs)]
    print(f"plain confluent-kafka, nothing analysed: {statistics.median(rates):,.0f} records/s")


def cells(where: Cluster, broker: int, folder: Path, runs: int) -> None:
    """Two cells against one."""
    print("\ncells: the same topic, shared; each cell held to a core, the broker on both")
    for lane in LANES:
        rates: dict[int, list[float]] = {1: [], 2: []}
        took: dict[int, list[float]] = {1: [], 2: []}
        for number in range(runs):
            for count in (1, 2):
                name = f"cells-{lane}-{count}-{number}"
                begun = [
                    start(
                        folder / f"{name}-{cell}",
                        settings(where, name, lane=lane, cell=cell, cells=count),
                        cores=(cell,),
                    )
                    for cell in range(count)
                ]
                found = ended(begun, broker)
                total = sum(run.deltas for run in found)
                rates[count].append(total / max(run.deltas / run.rate for run in found))
                took[count].append(found[0].broker / total * 1e6)
        one, two = (statistics.median(rates[count]) for count in (1, 2))
        print(
            f"{lane:<8} one {one:,.0f}, two {two:,.0f} deltas/s: {two / one:.2f} times; the broker takes "
            f"{statistics.median(took[1]):.1f} and {statistics.median(took[2]):.1f} us a delta"
        )


def decided(streams: int, tokens: int) -> list[Packet]:
    """Packets as they leave ``release``."""
    judgement = policies.load(policies.DEFAULT)
    packets = []
    for slot in range(SLOTS):
        made = stages(judgement)
        names = [f"s{i}" for i in range(slot, streams, SLOTS)]
        texts = {name: list(words(i, tokens)) for i, name in enumerate(names)}
        said = [(name, Delta(int(Kind.START), "{}")) for name in names]
        said += [(name, Delta(int(Kind.TEXT), texts[name][k])) for k in range(tokens) for name in names]
        for at in range(0, len(said), 256):
            packet = pack(slot, said[at : at + 256], now=0)
            for stage in made:
                packet = stage.update(packet)
            packets.append(packet)
    return packets


def produce(where: Cluster, runs: int) -> None:
    """The sink alone."""
    packets = decided(512, 200)
    keys = {slot: slot_key(slot) for slot in range(SLOTS)}
    judgement = policies.load(policies.DEFAULT)
    recorder = Recorder(judgement.names, judgement.reasons)
    used = [*records.DECISIONS, "markers", "copy"]
    ready(where, used)
    topics = sizes(where, used, {})
    values = [
        (packet.slot, key, value)
        for packet in packets
        for _, key, _, value, _ in records.Decisions(recorder, "").encode(packet)
    ]
    size = statistics.mean(len(value) for _, _, value in values)
    print(f"\nproduce: {len(values):,} records of {size:.0f} bytes")
    for lane in LANES:
        rates = []
        for number in range(runs):
            sink = KafkaSink(
                where, topics, keys, f"produce-{number}", lambda _: records.Decisions(recorder, ""),
                dict.fromkeys(keys, f"r{number}"), exact=lane == "exact",
            )  # fmt: skip
            parts = {slot: sink.build_part("sink", key, None) for slot, key in keys.items()}
            began = time.perf_counter()
            for packet in packets:
                parts[packet.slot].write_batch([packet])
            for part in parts.values():
                part.snapshot()
            rates.append(len(values) / (time.perf_counter() - began))
            for part in parts.values():
                part.close()
        print(f"{lane:<8} {statistics.median(rates):>10,.0f} records/s")
    rates = []
    for _ in range(runs):
        producer, topic = where.producer(), where.topic("copy")
        began = time.perf_counter()
        for slot, key, value in values:
            while True:
                try:
                    producer.produce(topic, value, key, slot)
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.flush()
        rates.append(len(values) / (time.perf_counter() - began))
    print(f"plain    {statistics.median(rates):>10,.0f} records/s, made before, no headers")


def held(process: int, cores: set[int]) -> None:
    """Hold all threads of a process to `cores`, and those that it makes."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def taken(where: Cluster, name: str, about: bytes) -> dict[bytes, int]:
    """When (ms) the broker took in the first record of each stream in a topic that has `about` in it."""
    consumer = Consumer(
        {"bootstrap.servers": where.bootstrap, "group.id": "latency", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(where.topic(name), slot, 0) for slot in range(SLOTS)])
    found: dict[bytes, int] = {}
    over: set[int | None] = set()
    while len(over) < SLOTS:
        for message in consumer.consume(1000, 0.1):
            if message.error():
                over.add(message.partition())
            elif about in (message.value() or b""):
                found.setdefault(message.key() or b"", message.timestamp()[1])
    consumer.close()
    return found


def stream(name: str, said: int = 0) -> Iterator[dict[str, Any]]:
    """The records of a stream whose last words are redacted; its first `said` deltas are left out."""
    yield {"type": "start", "stream": name}
    for text in list(words(1, 48))[said:]:
        yield {"type": "delta", "stream": name, "text": text}
    yield {"type": "delta", "stream": name, "text": " write to jane.doe@example.com now "}
    yield {"type": "end", "stream": name}


def latency(where: Cluster, broker: int, folder: Path, rate: int, seconds: int, epoch: int) -> None:
    """From the delta that completes a match to its verdict, by the broker's clock."""
    where = Cluster(where.bootstrap, f"{where.prefix}-latency-{epoch}", SLOTS)
    clocked = NewTopic(where.topic("verdicts"), SLOTS, config={"message.timestamp.type": "LogAppendTime"})
    admin = where.admin()
    admin.create_topics([clocked])[where.topic("verdicts")].result()
    ready(where, ["deltas", "verdicts"])
    env = settings(where, "", until="forever", prefix=where.prefix)
    rest = set(range(1, os.cpu_count() or 1)) or {0}
    for process in {broker or os.getpid(), os.getpid()}:
        held(process, rest)
    cell = start(folder / f"latency-{epoch}", env, cores=(0,), epoch=epoch)
    producer = Producer({"bootstrap.servers": where.bootstrap, "linger.ms": 5})
    topic, number = where.topic("deltas"), 0
    while not taken(where, "verdicts", b""):  # until a first stream was judged
        for record in stream(f"first{number}"):
            sent(producer, topic, f"first{number}", record)
        producer.flush()
        number += 1
    running = [(f"w{i}", stream(f"w{i}", i % 48)) for i in range(100)]  # no two in step
    number, count, began = 100, 0, time.perf_counter()
    while count < rate * (seconds + _WARM):
        place = count % 100
        name, coming = running[place]
        following = next(coming, None)
        if following is None:
            name = f"{'l' if count > rate * _WARM else 'w'}{number}"
            running[place] = name, stream(name)
            number += 1
            continue
        sent(producer, topic, name, following)
        producer.poll(0)
        count += 1
        ahead = began + count / rate - time.perf_counter()
        if ahead > 0.0005:
            time.sleep(ahead)
    producer.flush()
    said = {name: at for name, at in taken(where, "deltas", b"jane").items() if name.startswith(b"l")}
    patience = time.perf_counter() + 10
    while said.keys() - (judged := taken(where, "verdicts", b"")).keys() and time.perf_counter() < patience:
        time.sleep(0.1)
    cell.terminate()
    cell.wait()
    waited = [judged[name] - at for name, at in said.items() if name in judged]
    p50, p99, most = np.percentile(waited, [50, 99, 100])
    print(
        f"\nlatency: {rate:,} deltas/s for {seconds} s, epochs of {epoch} s, {len(waited)} of {len(said)} "
        f"verdicts: p50 {p50:.0f}, p99 {p99:.0f}, at most {most:.0f} ms"
    )


def main() -> None:
    """Run what is asked for and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    every = ("through", "cells", "produce", "latency")
    parser.add_argument("tables", nargs="*", default=every)
    parser.add_argument("--streams", type=int, default=2048)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, cluster(Path(place)) as (where, broker):
        folder = Path(place)
        deltas = 0
        if {"through", "cells"} & set(args.tables):
            ready(where, ["deltas"])
            deltas = fill(where, args.streams, args.tokens)
        if "through" in args.tables:
            through(where, broker, folder, deltas, args.runs)
        if "cells" in args.tables:
            cells(where, broker, folder, args.runs)
        if "produce" in args.tables:
            produce(where, args.runs)
        if "latency" in args.tables:
            for epoch in (1, 10):
                latency(where, broker, folder, args.rate, args.seconds, epoch)


if __name__ == "__main__":
    main()
