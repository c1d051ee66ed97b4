"""Packets of samples for stages that read nothing else: one conversation, cut in any way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from operators.packet import DELTA, OPENED, SAMPLE, Kind, Packet, Table


class Said(NamedTuple):
    """A delta of a lane: its samples as (signal, value), or its end."""

    row: int
    samples: tuple[tuple[int, float], ...] = ()
    closes: bool = False


class Stage(Protocol):
    def update(self, packet: Packet) -> Packet: ...
    def dump(self) -> bytes: ...
    def load(self, state: bytes) -> None: ...


def told(lanes: Sequence[NDArray[np.float64]], signal: int = 0) -> list[Said]:
    """Each lane's values as deltas of one sample, taking turns, and its end."""
    longest = max(map(len, lanes))
    said = []
    for k in range(longest + 1):
        for row, values in enumerate(lanes):
            if k < len(values):
                said.append(Said(row, ((signal, float(values[k])),)))
            elif k == len(values):
                said.append(Said(row, closes=True))
    return said


def packets(said: Sequence[Said], cuts: Iterable[int]) -> list[Packet]:
    """Samples of three characters each; a lane opens with its first delta."""
    at = [0, *sorted(cuts), len(said)]
    seen: dict[int, int] = {}
    return [_packet(said[first:last], seen) for first, last in pairwise(at)]


def findings(stage: Stage, told: Iterable[Packet], restart: Stage | None = None) -> list[tuple[object, ...]]:
    """Rows of all findings but ``delta``, which is about the cutting; with a dump and load halfway."""
    rows: list[tuple[object, ...]] = []
    for place, packet in enumerate(told):
        if restart is not None and place % 2:
            restart.load(stage.dump())
            stage, restart = restart, None
        found: Table = stage.update(packet).findings
        rows += [tuple(row.item())[1:] for row in found]
    return rows


def _packet(said: Sequence[Said], seen: dict[int, int]) -> Packet:
    deltas = np.zeros(len(said), DELTA)
    deltas["row"] = [one.row for one in said]
    deltas["kind"] = [Kind.CLOSE if one.closes else Kind.TEXT for one in said]
    opened = [(row, 0, 0) for row in dict.fromkeys(one.row for one in said) if row not in seen]
    samples = []
    for place, one in enumerate(said):
        begin = seen.setdefault(one.row, 0)
        deltas[place]["begin"] = begin
        samples += [
            (place, one.row, signal, begin, begin + 3, begin + 3, value) for signal, value in one.samples
        ]
        seen[one.row] += 3
    return Packet(0, 0, (), deltas, b"", opened=np.array(opened, OPENED), samples=np.array(samples, SAMPLE))
