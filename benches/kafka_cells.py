"""What the bench of Kafka runs: a cluster, a log that is filled, and cells on it as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from benches.workloads import words
from connectors._kafka_client import Cluster
from operators.slots import slot_of
from tests.broker import Broker

__all__ = ["SLOTS", "Run", "cluster", "ended", "fill", "sent", "settings", "start"]

SLOTS = 8
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    """What a cell did."""

    deltas: int
    rate: float
    cpu: float
    """Seconds, of all its threads."""
    broker: float


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[Cluster, int]]:
    """A cluster, and the process of its broker if it is ours (else 0)."""
    named = os.environ.get("MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS")
    if named:
        yield Cluster(named, f"bench-{os.getpid()}", SLOTS), 0
        return
    with Broker.start(folder / "broker", heap="1g") as broker:
        yield Cluster(broker.bootstrap, "bench", SLOTS), broker.pid


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process took; 0 for none."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def sent(producer: Producer, topic: str, name: str, record: Mapping[str, Any]) -> None:
    """Queue a record of a stream in its slot."""
    value = orjson.dumps(record)
    while True:
        try:
            producer.produce(topic, value, name.encode(), slot_of(name, SLOTS))
            return
        except BufferError:
            producer.poll(0.01)


def fill(where: Cluster, streams: int, tokens: int) -> int:
    """Streams into the log, 256 at a time by turns; how many deltas."""
    producer = Producer(
        {"bootstrap.servers": where.bootstrap, "linger.ms": 5, "compression.type": "lz4",
         "queue.buffering.max.messages": 500_000}
    )  # fmt: skip
    topic = where.topic("deltas")
    for first in range(0, streams, 256):
        said = {f"s{i}": list(words(i, tokens)) for i in range(first, min(first + 256, streams))}
        for name in said:
            sent(producer, topic, name, {"type": "start", "stream": name, "provider": "p", "model": "m"})
        for k in range(tokens):
            for name, texts in said.items():
                at = time.time_ns()
                sent(producer, topic, name, {"type": "delta", "stream": name, "at": at, "text": texts[k]})
            producer.poll(0)
        for name in said:
            sent(producer, topic, name, {"type": "end", "stream": name})
    if producer.flush(60):
        msg = "the log could not be filled"
        raise RuntimeError(msg)
    return streams * tokens


def settings(where: Cluster, name: str, **kafka: object) -> dict[str, str]:
    """The environment of a cell that reads the log once, into topics of its own."""
    said = {"bootstrap_servers": where.bootstrap, "prefix": f"{where.prefix}-{name}", "until": "end"}
    said |= {"deltas": where.topic("deltas"), **kafka}
    return os.environ | {f"MIDSTREAM_KAFKA__{key.upper()}": str(value) for key, value in said.items()}


def start(
    folder: Path, env: Mapping[str, str], cores: Iterable[int] = (), epoch: int = 1
) -> subprocess.Popen[bytes]:
    """A cell with a store of its own, held to `cores` if there are any."""
    command = [sys.executable, "-m", "flows", "run", "analyze", "-r", str(folder), "-s", str(epoch)]
    held = frozenset(cores)
    return subprocess.Popen(
        command, env=dict(env), stdout=subprocess.PIPE,
        preexec_fn=(lambda: os.sched_setaffinity(0, held)) if held else None,  # noqa: PLW1509
    )  # fmt: skip


def ended(cells: list[subprocess.Popen[bytes]], broker: int) -> list[Run]:
    """What cells did, when all have ended."""
    began = cpu_of(broker)
    found = []
    for cell in cells:
        assert cell.stdout
        said = cell.stdout.read()
        _, status, usage = os.wait4(cell.pid, 0)
        cell.returncode = os.waitstatus_to_exitcode(status)
        if cell.returncode:
            msg = f"a cell ended with status {cell.returncode}"
            raise RuntimeError(msg)
        summary = orjson.loads(said.splitlines()[-1])
        cpu = usage.ru_utime + usage.ru_stime
        found.append(Run(summary["deltas"], summary["tokens_per_s"], cpu, 0.0))
    for run in found:
        run.broker = cpu_of(broker) - began
    return found
