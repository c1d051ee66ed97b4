"""Patterns in a stream: SPRING's cost per cell, windows' cost per sample, and how each grows.

``python -m benches.bench_spring``

*kernel*: one call of 16 or more samples in one lane, ns per sample and pattern value. *lone*: one sample a
call, of many lanes in turn: each finds its columns outside the cache. *stage*: packets through
``operators.dtw``. *windows*: 100 normalised patterns of 128 under a band of 13, on a random walk and on
noise, which bounds rule out worst; with the share of windows that each bound, the warping and nothing gave
up. Peers run in the same process where they are installed: stumpy's ``mass`` has the whole series at once
and no warping, its ``stumpi`` compares the stream with its own past and no library. Medians.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from operators.dtw import Dtw, Pattern
from operators.kernels import spring, windows
from operators.packet import DELTA, OPENED, SAMPLE, Packet, Table

try:
    import stumpy
except ImportError:
    stumpy = None

Series = NDArray[np.float64]


def seconds(run: Callable[[], object], runs: int = 41) -> float:
    """Median time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def samples_of(values: Series, lanes: int = 1) -> Table:
    table = np.zeros(len(values), SAMPLE)
    table["value"], table["row"] = values, np.arange(len(values)) % lanes
    table["begin"], table["stop"] = np.arange(len(values)), np.arange(len(values)) + 1
    table.flags.writeable = False
    return table


def spring_call(lengths: list[int], samples: Table, lanes: int) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    count = len(lengths)
    library = spring.arranged([rng.normal(size=n).tolist() for n in lengths], [0] * count, [0.05] * count)
    columns = np.full((lanes, sum(lengths)), np.inf), np.zeros((lanes, sum(lengths)), np.int32)
    held = np.zeros((lanes, count), spring.HELD)
    held["distance"] = np.inf
    edge = np.empty((2, spring.WIDTH)), np.empty((2, spring.WIDTH), np.int32)
    matches = np.empty(len(samples) * count, spring.MATCH)
    return partial(spring.spring_update, samples, *library, *columns, held, *edge, matches)


def windows_call(
    patterns: list[Series], samples: Table, radius: int, tally: NDArray[np.int64]
) -> partial[int]:
    count, length = len(patterns), len(patterns[0])
    library = windows.prepared([p.tolist() for p in patterns], [0] * count, [radius] * count, [0.1] * count)
    held = np.zeros((1, count), windows.HELD)
    held["distance"], held["wait"] = np.inf, length
    recent = np.zeros((1, length)), np.zeros((1, length), np.int32)
    matches = np.empty(len(samples) * count, spring.MATCH)
    return partial(
        windows.windows_update, samples, *library, *recent, held, np.empty((4, length + 1)), tally, matches
    )


def all_masses(patterns: list[Series], x: Series) -> list[Series]:
    return [stumpy.mass(pattern, x) for pattern in patterns]


def stage_and_packet(patterns: int, length: int, samples: int, lanes: int) -> tuple[Dtw, Packet]:
    rng = np.random.default_rng(0)
    stage = Dtw([Pattern(str(k), 0, tuple(rng.normal(size=length)), 0.05, k) for k in range(patterns)])
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    stage.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=opened))
    return stage, Packet(
        0, 0, (), np.zeros(0, DELTA), b"", samples=samples_of(rng.normal(size=samples), lanes)
    )


def bench_spring() -> None:
    rng = np.random.default_rng(1)
    ragged = sorted(rng.integers(8, 129, 1024).tolist(), reverse=True)
    print(f"{'SPRING':<44}{'ns/cell':>10}{'us/sample':>12}")
    for name, lengths, count, lanes in (
        ("kernel: 1 pattern of 8", [8], 4096, 1),
        ("kernel: 8 of 32", [32] * 8, 1024, 1),
        ("kernel: 64 of 64", [64] * 64, 128, 1),
        ("kernel: 1,024 of 128", [128] * 1024, 16, 1),
        ("kernel: 1,024 of 8 to 128", ragged, 16, 1),
        ("kernel: 1,024 of 128, 16 lanes", [128] * 1024, 16, 16),
        ("lone: 1,024 of 128", [128] * 1024, 1, 1),
    ):
        run = spring_call(lengths, samples_of(rng.normal(size=count), lanes), lanes)
        taken = seconds(run) / count
        print(f"{name:<44}{taken / sum(lengths) * 1e9:>10.2f}{taken * 1e6:>12.3f}")
    for name, patterns, length, count, lanes in (
        ("stage: 1 pattern of 8, a packet of 1", 1, 8, 1, 1),
        ("stage: 8 of 32, 256 samples, 64 lanes", 8, 32, 256, 64),
        ("stage: 1,024 of 128, 64 samples, 4 lanes", 1024, 128, 64, 4),
    ):
        stage, packet = stage_and_packet(patterns, length, count, lanes)
        taken = seconds(partial(stage.update, packet)) / count
        print(f"{name:<44}{taken / patterns / length * 1e9:>10.2f}{taken * 1e6:>12.3f}")


def bench_windows() -> None:
    rng = np.random.default_rng(2)
    print(f"\n{'windows: 100 of 128':<44}{'us/sample':>10}{'kim':>8}{'keogh':>8}{'warped':>8}{'left':>8}")
    for name, made in (
        ("walk", lambda n: rng.normal(size=n).cumsum()),
        ("noise", lambda n: rng.normal(size=n)),
    ):
        patterns, x = [made(128) for _ in range(100)], made(512)
        for radius in (13, 0):
            tally = np.zeros(4, np.int64)
            taken = seconds(windows_call(patterns, samples_of(x), radius, tally), 15) / len(x)
            compared, *given_up = tally.tolist()
            shares = [*given_up, compared - sum(given_up)]
            row = "".join(f"{share / compared:>8.1%}" for share in shares)
            print(f"{f'ours, {name}, radius {radius}':<44}{taken * 1e6:>10.1f}{row}")
        if stumpy is not None:
            taken = seconds(partial(all_masses, patterns, x), 15) / len(x)
            print(f"{f'stumpy.mass, {name}, whole series at once':<44}{taken * 1e6:>10.1f}")
            stream = stumpy.stumpi(x, 128, egress=True)
            taken = seconds(partial(stream.update, 0.5), 101)
            print(f"{'stumpy.stumpi.update, no library, 512 past':<44}{taken * 1e6:>10.1f}")


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    versions += f", stumpy {stumpy.__version__}" if stumpy is not None else ", no stumpy"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    numba.set_num_threads(1)  # stumpy would take all cores
    bench_spring()
    bench_windows()


if __name__ == "__main__":
    main()
