"""A small job that keeps its state by slots: each slot counts the characters it hears, and says so.

``python -m tests.flows.counting DIRECTORY OUT --cell K --cells N --items N [--pace SECONDS]`` runs cell K of
N on a recovery directory, as ``midstream run`` would: it holds the directory, settles it, and writes a line
``slot seq total`` for every packet to a file of each slot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main
from typing_extensions import override

from flows import stores
from operators.packet import Delta, Kind, Packet, pack
from operators.slots import slot_key, stage

SLOTS = 8
CRASH = "!"
"""In a script: here the source fails."""

Script = Mapping[int, Sequence[str]]
"""What each slot hears, a packet each; nothing at all where a text is empty."""


def script(items: int, slots: Iterable[int] = range(SLOTS)) -> dict[int, list[str]]:
    """A script that tells every packet from every other by what is counted."""
    return {slot: ["x" * (1 + (7 * item + slot) % 11) for item in range(items)] for slot in slots}


def said(heard: Script) -> dict[int, list[str]]:
    """The lines of each slot when nothing goes wrong."""
    lines: dict[int, list[str]] = {}
    for slot, texts in heard.items():
        total = 0
        for seq, text in enumerate(filter(None, texts), 1):
            total += len(text)
            lines.setdefault(slot, []).append(f"{slot} {seq} {total}")
    return lines


class _Partition(StatefulSourcePartition[tuple[str, Packet], int]):
    def __init__(self, slot: int, texts: Sequence[str], at: int, pace: float) -> None:
        self._slot, self._texts, self._at, self._pace = slot, texts, at, pace

    @override
    def next_batch(self) -> list[tuple[str, Packet]]:
        if self._at == len(self._texts):
            raise StopIteration
        text = self._texts[self._at]
        if text == CRASH:
            msg = "the script says so"
            raise RuntimeError(msg)
        self._at += 1
        if not text:
            return []
        return [(slot_key(self._slot), pack(self._slot, [("s", Delta(Kind.TEXT, text))], now=self._at))]

    @override
    def next_awake(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._pace)

    @override
    def snapshot(self) -> int:
        return self._at


class _Source(FixedPartitionedSource[tuple[str, Packet], int]):
    def __init__(self, heard: Script, pace: float) -> None:
        self._heard = {slot_key(slot): (slot, texts) for slot, texts in heard.items()}
        self._pace = pace

    @override
    def list_parts(self) -> list[str]:
        return list(self._heard)

    @override
    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Partition:
        return _Partition(*self._heard[for_part], resume_state or 0, self._pace)


class Count:
    """The stage."""

    def __init__(self) -> None:
        self._seq = self._total = 0

    def update(self, packet: Packet) -> Packet:
        self._seq += 1
        self._total += len(packet.text)
        return packet.having(released=f"{packet.slot} {self._seq} {self._total}\n".encode())

    def dump(self) -> bytes:
        return json.dumps({"version": 1, "seq": self._seq, "total": self._total}).encode()

    def load(self, state: bytes) -> None:
        known = json.loads(state)
        self._seq, self._total = known["seq"], known["total"]


class _File(StatefulSinkPartition[Packet, int]):
    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    @override
    def write_batch(self, values: list[Packet]) -> None:
        for packet in values:
            self._file.write(packet.released)

    @override
    def snapshot(self) -> int:
        return self._file.tell()

    @override
    def close(self) -> None:
        self._file.close()


class _Sink(FixedPartitionedSink[Packet, int]):
    def __init__(self, folder: Path, slots: Iterable[int]) -> None:
        self._folder, self._keys = folder, [slot_key(slot) for slot in slots]

    @override
    def list_parts(self) -> list[str]:
        return self._keys

    @override
    def part_fn(self, item_key: str) -> int:
        return sorted(self._keys).index(item_key)

    @override
    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _File:
        return _File(self._folder / for_part)


def counting(heard: Script, out: Path, pace: float = 0.0, step: str = "count") -> Dataflow:
    """The job, of the slots of a script."""
    flow = Dataflow("counting")
    packets = op.input("source", flow, _Source(heard, pace))
    packets = stage(step, packets, Count)
    op.output("sink", packets, _Sink(out, heard))
    return flow


def made(directory: Path, parts: int = 4) -> Path:
    """A recovery directory as ``midstream run`` makes it."""
    directory.mkdir(parents=True)
    init_db_dir(directory, parts)  # type: ignore[no-untyped-call]
    (directory / "slots").write_text(str(SLOTS))
    return directory


def run(flow: Dataflow, directory: Path, epoch: float = 0.0, workers: int = 1) -> None:
    """Run it to its end, or to where the script fails."""
    cluster_main(  # type: ignore[no-untyped-call]
        flow, [], 0, worker_count_per_proc=workers, epoch_interval=timedelta(seconds=epoch),
        recovery_config=RecoveryConfig(directory),  # type: ignore[no-untyped-call]
    )  # fmt: skip


def lines(out: Path) -> dict[int, list[str]]:
    """What each slot said, each number once; asserts that repeats agree, and that none is missing."""
    found: dict[int, list[str]] = {}
    for file in out.iterdir():
        numbered: dict[int, str] = {}
        for line in file.read_text().splitlines():
            slot, seq, _ = map(int, line.split())
            assert numbered.setdefault(seq, line) == line, "two lines of one number"
            found[slot] = [numbered[each] for each in sorted(numbered)]
        assert sorted(numbered) == list(range(1, len(numbered) + 1))
    return found


def main() -> None:
    """Run one cell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cell", type=int, required=True)
    parser.add_argument("--cells", type=int, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--pace", type=float, default=0.0)
    given = parser.parse_args()
    slots = [slot for slot in range(SLOTS) if slot % given.cells == given.cell]
    with stores.locked(given.directory):
        stores.settle(given.directory)
        run(counting(script(given.items, slots), given.out, given.pace), given.directory, 0.02)


if __name__ == "__main__":
    main()
