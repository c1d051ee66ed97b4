"""Dynamic time warping: the stream's cost per cell, and one distance against its slow twin.

``python -m benches.bench_dtw``

*kernel*: SPRING on one lane, ns per sample and pattern value. *stage*: packets of 256 samples over 64
lanes. *distance*: banded DTW of two series of 256, and its ratio to ``tests.naive`` in the same run.
Medians of several runs; everything is compiled before it is timed.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial

import numba
import numpy as np

from operators.dtw import Dtw, Pattern
from operators.kernels.dtw import dtw_distance
from operators.packet import DELTA, OPENED, SAMPLE, Packet
from tests import naive


def seconds(run: Callable[[], object], runs: int = 15) -> float:
    """Median time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def stage_and_packet(patterns: int, length: int, samples: int, lanes: int) -> tuple[Dtw, Packet]:
    rng = np.random.default_rng(0)
    stage = Dtw([Pattern(str(k), 0, tuple(rng.normal(size=length)), 0.05, k) for k in range(patterns)])
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    stage.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=opened))
    table = np.zeros(samples, SAMPLE)
    table["row"] = rng.integers(0, lanes, samples)
    table["value"] = rng.normal(size=samples)
    table["begin"] = np.arange(samples)
    return stage, Packet(0, 0, (), np.zeros(0, DELTA), b"", samples=table)


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    print(f"{'SPRING':<40}{'ns/cell':>10}{'us/sample':>12}")
    for name, patterns, length, samples, lanes in (
        ("kernel: 8 patterns of 32, 4096 samples", 8, 32, 4096, 1),
        ("kernel: 8 patterns of 128", 8, 128, 4096, 1),
        ("kernel: 7 patterns of 32", 7, 32, 4096, 1),
        ("stage: 256 samples a packet, 64 lanes", 8, 32, 256, 64),
    ):
        stage, packet = stage_and_packet(patterns, length, samples, lanes)
        taken = seconds(partial(stage.update, packet)) / samples
        print(f"{name:<40}{taken / patterns / length * 1e9:>10.2f}{taken * 1e6:>12.3f}")
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=256), rng.normal(size=256)
    print(f"\n{'distance, n = 256':<40}{'us':>10}{'naive / it':>12}")
    for radius in (8, 256):
        ours = seconds(partial(dtw_distance, x, y, radius))
        slow = seconds(partial(naive.dtw_distance, x, y, radius), 3)
        print(f"{f'radius {radius}':<40}{ours * 1e6:>10.1f}{slow / ours:>12.0f}")


if __name__ == "__main__":
    main()
