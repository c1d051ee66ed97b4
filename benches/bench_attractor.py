"""The regime of a signal: what a window costs, what a sample costs in a stream, and how often it is right.

``python -m benches.bench_attractor``

*window*: one ``classify`` of 128 to 2000 samples. *stage*: packets of 256 samples over 64 lanes, window
128 every 32, per sample. *right*: share of the answers over seeds, per kind of series and length; the
rest of the row is undetermined unless it says otherwise. Medians of several runs, all compiled before.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from operators.attractor import Attractor, Regime, classify
from operators.packet import DELTA, OPENED, SAMPLE, Packet
from tests import systems

Series = NDArray[np.float64]
CODES = {regime: place for place, regime in enumerate(Regime)}


def seconds(run: Callable[[], object], runs: int = 15) -> float:
    """Median time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def waves(n: int, *periods: float) -> Series:
    return np.sum([np.sin(2 * np.pi * np.arange(n) / period) for period in periods], axis=0)


def kinds(n: int, seed: int) -> dict[str, Series]:
    """One series of each kind, other with each seed."""
    rng = np.random.default_rng(seed)
    period = rng.uniform(4, n / 4)
    short = rng.uniform(4, 40)
    long_lorenz = systems.lorenz(n + 100 * seed, 0.1)
    long_roessler = systems.roessler(n + 100 * seed, 0.5)
    return {
        "sine": waves(n, period),
        "sine + 10 % noise": waves(n, period) + 0.1 * rng.normal(size=n),
        "square": np.sign(waves(n, period) + 1e-9),
        "torus, golden": waves(n, short, short * 0.6180339887),
        "torus, root 2": waves(n, short, short * 0.7071067812),
        "white noise": rng.normal(size=n),
        "AR(1) 0.5": systems.red_noise(n, 0.5, seed),
        "AR(1) 0.9": systems.red_noise(n, 0.9, seed),
        "ramp + 5 % noise": np.arange(n) + 0.05 * n * rng.normal(size=n),
        "logistic r=4": systems.logistic(n, 4.0, rng.uniform(0.1, 0.9)),
        "Henon": systems.henon(n, 200 + seed),
        "Lorenz, step 0.1": long_lorenz[-n:],
        "Roessler, step 0.5": long_roessler[-n:],
    }


def stage_time(samples: int, lanes: int, series: Series) -> float:
    """Seconds a sample of the stage in the steady state."""
    stage = Attractor(0, 128, 32, CODES)
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    stage.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=opened))
    packets = []
    for first in range(0, len(series) * lanes, samples):
        table = np.zeros(samples, SAMPLE)
        places = np.arange(first, first + samples)
        table["row"] = places % lanes
        table["value"] = series[places // lanes % len(series)]
        packets.append(Packet(0, 0, (), np.zeros(0, DELTA), b"", samples=table))
    return seconds(lambda: [stage.update(packet) for packet in packets], 5) / samples / len(packets)


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    print(f"{'one window, us':<24}" + "".join(f"{n:>10}" for n in (128, 500, 2000)))
    for name in ("white noise", "logistic r=4", "torus, root 2", "sine"):
        series = [kinds(n, 1)[name] for n in (128, 500, 2000)]
        row = [seconds(partial(classify, x)) * 1e6 for x in series]
        print(f"{name:<24}" + "".join(f"{us:>10.1f}" for us in row))
    print(f"\n{'stage, us a sample':<24}")
    for name in ("white noise", "logistic r=4", "sine"):
        print(f"{name:<24}{stage_time(256, 64, kinds(512, 1)[name]) * 1e6:>10.2f}")
    print(f"\n{'answers of 12 seeds':<24}" + "".join(f"{n:>32}" for n in (128, 300, 1000)))
    answers = {
        n: [{k: classify(x) for k, x in kinds(n, s).items()} for s in range(12)] for n in (128, 300, 1000)
    }
    for name in kinds(128, 0):
        row = [Counter(str(seed[name]) for seed in answers[n]).most_common() for n in answers]
        print(f"{name:<24}" + "".join(f"{' '.join(f'{k} {c}' for k, c in cell):>32}" for cell in row))


if __name__ == "__main__":
    main()
