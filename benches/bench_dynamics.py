"""Dynamics over a stream: what a sample costs, over windows and lanes, measure by measure and all together.

``python -m benches.bench_dynamics``

*windows*: one lane, packets of 100 samples. *lanes*: 1 to 1,024 that take turns, packets of 256 samples.
*batch*: the same number from the kernel that knows no stream, once a window, which is what each sample would
cost without this. *first*: what the first full window of a lane costs, once. *few values*: the median and the
worst packet of whole numbers, whose points are often as near as each other. *state*: KiB a lane. Least of
many short runs in time of the processor, because the machine is shared; the median is beside it.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from operators.dynamics import Dynamics
from operators.kernels.entropy import permutation_entropy, sample_entropy
from operators.kernels.lyapunov import largest_lyapunov
from operators.kernels.rqa import quantify
from operators.packet import DELTA, OPENED, SAMPLE, Packet, Signal, empty
from tests import systems

Series = NDArray[np.float64]

ALL = tuple(Signal(signal) for signal in range(Signal.LYAPUNOV, Signal.VELOCITY + 1))
SETS = {
    "Lyapunov": (Signal.LYAPUNOV,),
    "permutation": (Signal.PERMUTATION,),
    "sample entropy": (Signal.COMPLEXITY,),
    "determinism": (Signal.DETERMINISM,),
    "laminarity": (Signal.LAMINARITY,),
    "path": (Signal.PATH,),
    "velocity": (Signal.VELOCITY,),
    "all": ALL,
}
WINDOWS = (64, 256, 1000, 4096)
LANES = (1, 16, 128, 1024)


def packets(series: Series, lanes: int, each: int, opens: bool) -> list[Packet]:
    """The series in each of the lanes, which take turns, `each` samples a packet."""
    table = np.zeros(len(series) * lanes, SAMPLE)
    table["row"] = np.tile(np.arange(lanes), len(series))
    # Every lane is somewhere else in the series, or all would change neighbours together.
    places = np.repeat(np.arange(len(series)), lanes) + 37 * table["row"]
    table["value"] = series[places % len(series)]
    opened = np.zeros(lanes if opens else 0, OPENED)
    opened["row"] = np.arange(len(opened))
    tables = [table[k : k + each] for k in range(0, len(table), each)]
    return [
        Packet(0, 0, (), empty(DELTA), b"", opened=opened if k == 0 else opened[:0], samples=samples)
        for k, samples in enumerate(tables)
    ]


def microseconds(run: Callable[[], object]) -> float:
    began = time.thread_time()
    run()
    return 1e6 * (time.thread_time() - began)


def costs(
    measures: Sequence[Signal], window: int, series: Series, lanes: int = 1, each: int = 100
) -> list[float]:
    """Microseconds a sample of each packet, once the windows are full."""
    stage = Dynamics(0, measures, window)
    (filling,) = packets(series[:window], lanes, window * lanes, True)
    stage.update(filling)
    later = packets(series[window:], lanes, each, False)
    return [microseconds(partial(stage.update, packet)) / len(packet.samples) for packet in later]


def batches(x: Series) -> dict[str, Callable[[], object]]:
    """What each number of one window takes from scratch, with the stage's parameters."""
    radius = 0.2 * float(np.std(x))
    return {
        "Lyapunov": lambda: largest_lyapunov(x, 3, 1, 8, 16),
        "permutation": lambda: permutation_entropy(x, 4, 1),
        "sample entropy": lambda: sample_entropy(x, 3, radius),
        "determinism": lambda: quantify(x, 3, 1, 8, radius, 2),
        "laminarity": lambda: quantify(x, 3, 1, 8, radius, 2),
        "path": lambda: np.abs(np.diff(x)).sum(),
    }


def main() -> None:
    for measures in SETS.values():
        Dynamics(0, measures).warm()
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    series = systems.logistic(max(WINDOWS) + 1000)
    head = "".join(f"{window:>16}" for window in WINDOWS)
    print(f"{'us a sample: least (median)':<28}{head}   over windows, one lane")
    for name, measures in SETS.items():
        row = [costs(measures, window, series[: window + 1000]) for window in WINDOWS]
        print(f"{name:<28}" + "".join(f"{min(c):>7.2f} ({statistics.median(c):>6.2f})" for c in row))
    print(f"\n{'batch, us a window: least':<28}{head}")
    for name in batches(series):
        row = []
        for window in WINDOWS:
            run = batches(series[:window])[name]
            row.append([min(microseconds(run) for _ in range(20))])
        print(f"{name:<28}" + "".join(f"{min(c):>16.1f}" for c in row))
    print(f"\n{'first window, us':<28}{head}")
    for name in ("Lyapunov", "sample entropy", "determinism", "all"):
        row = []
        for window in WINDOWS:
            (filling,) = packets(series[:window], 1, window, True)
            runs = [partial(Dynamics(0, SETS[name], window).update, filling) for _ in range(5)]
            row.append([min(map(microseconds, runs))])
        print(f"{name:<28}" + "".join(f"{min(c):>16.1f}" for c in row))
    for window in (256, 1000):
        print(
            f"\n{f'us a sample, window {window}':<28}"
            + "".join(f"{lanes:>16}" for lanes in LANES)
            + "   over lanes"
        )
        for name in ("Lyapunov", "path", "all"):
            row = [
                costs(SETS[name], window, series[: window + max(8, 5000 // lanes)], lanes, 256)
                for lanes in LANES
            ]
            print(f"{name:<28}" + "".join(f"{min(c):>7.2f} ({statistics.median(c):>6.2f})" for c in row))
    print(f"\n{'few values, window 1000: least, median and worst packet, us a sample of Lyapunov':<28}")
    rng = np.random.default_rng(1)
    few = {
        "whole numbers, geometric": rng.geometric(0.3, 5000).astype(np.float64),
        "0 and 1": rng.integers(0, 2, 5000).astype(np.float64),
        "period 8": np.arange(5000.0) % 8,
        "0, and 1 once in 500": (np.arange(5000) % 500 == 0).astype(np.float64),
        "random walk": np.cumsum(rng.normal(size=5000)),
        "sine": np.sin(np.arange(5000) / 20),
    }
    for name, values in few.items():
        c = costs(SETS["Lyapunov"], 1000, values, each=20)
        print(f"{name:<28}{min(c):>16.2f}{statistics.median(c):>16.2f}{max(c):>16.2f}")
    print(f"\n{'state, KiB a lane':<28}{head}")
    for name, measures in SETS.items():
        row = [[Dynamics(0, measures, window).state_bytes / 1024] for window in WINDOWS]
        print(f"{name:<28}" + "".join(f"{min(c):>16.1f}" for c in row))


if __name__ == "__main__":
    main()
