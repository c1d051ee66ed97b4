"""What a key a stream costs in the engine; a key a slot with columns is in ``bench_recovery``.

``python -m benches.bench_keys [--keys 40000]``

A flow that keeps a count of 8 bytes for each stream, under the stream's own key, epochs of a second. The
streams end, or stay open. The store afterwards, and how long a process takes to go on from it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic

from benches.stores import TellingSink, apart, run, size

_BENCH = "benches.bench_keys"
_BATCH = 256


class _Count(StatefulBatchLogic[int, int, int]):
    def __init__(self, count: int) -> None:
        self._count = count

    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        self._count += len(values)
        return [self._count], 0 in values  # an end discards the state

    def on_eof(self) -> tuple[list[int], bool]:
        return [], False

    def snapshot(self) -> int:
        return self._count


class _Keys(StatefulSourcePartition[tuple[str, int], int]):
    def __init__(self, keys: int, said: tuple[int, ...], at: int) -> None:
        self._keys, self._said, self._at = keys, said, at

    def next_batch(self) -> list[tuple[str, int]]:
        if self._at > self._keys:
            raise StopIteration
        batch = range(self._at, min(self._at + _BATCH, self._keys))
        self._at = batch.stop if batch else self._keys + 1  # one more, when it goes on
        return [(f"chatcmpl-{i:08x}", value) for i in batch or (0,) for value in self._said]

    def snapshot(self) -> int:
        return min(self._at, self._keys)


@dataclass
class KeySource(FixedPartitionedSource[tuple[str, int], int]):
    """As many streams, each a key; each says `said`, where 0 is its end."""

    keys: int
    said: tuple[int, ...]

    def list_parts(self) -> list[str]:
        return ["keys"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Keys:
        return _Keys(self.keys, self.said, resume_state or 0)


def _counting(keys: int, said: tuple[int, ...], seen: Callable[[int], None]) -> Dataflow:
    """A flow that keeps a count for each stream, under the stream's own key."""
    flow = Dataflow("peer")
    values = op.input("source", flow, KeySource(keys, said))
    counted = op.stateful_batch("count", values, lambda state: _Count(state or 0))
    op.output("sink", counted, TellingSink(seen))
    return flow


def peer(store: Path, keys: int, said: tuple[int, ...]) -> None:
    """Run `keys` streams as keys of the engine; print the seconds."""
    began = time.perf_counter()
    run(_counting(keys, said, lambda items: None), store, 1.0)
    print(time.perf_counter() - began)


def peer_resumed(store: Path, keys: int) -> None:
    """Go on from what that left; print the seconds to the first item out."""
    began = time.perf_counter()

    def seen(items: int) -> None:
        print(time.perf_counter() - began, flush=True)
        os._exit(0)

    run(_counting(keys, (1,), seen), store, 1.0)


def show(folder: Path, keys: int) -> None:
    """The table."""
    print(f"{'streams':<8} {'keys':>8} {'run s':>8} {'store MiB':>10} {'rows':>8} {'resume s':>9}")
    for count in (keys // 4, keys // 2, keys):
        for what in ("ended", "open"):
            store = folder / f"{count}-{what}"
            took = float(apart(_BENCH, what, store, count)[1])
            mib, rows = size(store)
            again = float(apart(_BENCH, "resumed", store, count)[1])
            print(f"{what:<8} {count:8,} {took:8.2f} {mib:10.1f} {rows:8,} {again:9.2f}", flush=True)


_PARTS: dict[str, Callable[[Path, int], None]] = {
    "ended": lambda store, keys: peer(store, keys, (1, 2, 0)),
    "open": lambda store, keys: peer(store, keys, (1, 2, 3)),
    "resumed": peer_resumed,
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keys", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        _PARTS[args.part](args.folder, args.count)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as made:
        show(Path(made), args.keys)


if __name__ == "__main__":
    main()
