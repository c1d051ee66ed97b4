"""What benches of recovery share: a flow run with a store, in a process of its own, and what it took."""

from __future__ import annotations

import mmap
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from bytewax._bytewax import cli_main
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir

from flows.recovery import PARTS

__all__ = ["TellingSink", "apart", "peak", "run", "size", "told", "touched", "written"]


class _Each(StatelessSinkPartition[Any]):
    def __init__(self, seen: Callable[[int], None]) -> None:
        self._seen = seen

    def write_batch(self, items: list[Any]) -> None:
        self._seen(len(items))


class TellingSink(DynamicSink[Any]):
    """Calls `seen` with the number of items that leave the flow, and keeps none."""

    def __init__(self, seen: Callable[[int], None]) -> None:
        self._seen = seen

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Each:
        return _Each(self._seen)


def run(flow: Dataflow, store: Path, seconds: float) -> None:
    """One worker with a store, made if it is not there; an epoch takes `seconds`."""
    if not any(store.glob("part-*")):
        store.mkdir(parents=True, exist_ok=True)
        init_db_dir(store, PARTS)  # type: ignore[no-untyped-call]
    config = RecoveryConfig(store, timedelta(0))  # type: ignore[no-untyped-call]
    cli_main(flow, epoch_interval=timedelta(seconds=seconds), recovery_config=config)  # type: ignore[no-untyped-call]


def size(store: Path) -> tuple[float, int]:
    """MiB on disk, logs included, and rows of state."""
    taken = sum(path.stat().st_size for path in store.iterdir())
    rows = 0
    for path in store.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows += db.execute("SELECT count(*) FROM snaps").fetchone()[0]
    return taken / 2**20, rows


def peak() -> float:
    """The most memory that this process has used, MiB: of the program, not of the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":") for line in lines)["VmHWM"].split()[0]) / 2**10


def touched() -> float:
    """Seconds to write to each page of 1 GiB of new memory."""
    began = time.perf_counter()
    with mmap.mmap(-1, 1 << 30) as memory:
        for at in range(0, 1 << 30, mmap.PAGESIZE):
            memory[at] = 1
    return time.perf_counter() - began


def written() -> float:
    """MiB that this process has sent to the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"]) / 2**20


def apart(bench: str, part: str, store: Path, count: int) -> tuple[float, str]:
    """Run a part of a bench in a process of its own: when it was started, and what it said."""
    began = time.time()
    return began, "".join(told(bench, part, store, count))


def told(bench: str, part: str, store: Path, count: int) -> Iterator[str]:
    """The lines of a part of a bench in a process of its own, as they come.

    :raises CalledProcessError: If it fails.
    """
    command = [sys.executable, "-m", bench, "--part", part, "--folder", str(store), "--count", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield from process.stdout
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
