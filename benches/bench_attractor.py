"""The regime of a signal: what a look costs, what a sample costs in a stream, and how often it is right.

``python -m benches.bench_attractor [folder of *.npy]``

*window*: one ``describe`` of 128 to 2000 samples. *stage*: packets of 256 samples over 64 lanes, per sample,
for several windows with a look every quarter of them. *right*: answers over seeds as right, undetermined,
wrong, for the kinds of ``tests.regime_population`` that are not always right; and for the chaotic series in
the folder, if one is given (first coordinates of flows of ``dysts``). *trust*: what share of
the answers of some confidence is right. Least times of several runs, all compiled before.
"""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from operators.attractor import Attractor, Regime, describe
from operators.packet import DELTA, OPENED, SAMPLE, Packet
from tests.regime_population import population

Series = NDArray[np.float64]
CODES = {regime: place for place, regime in enumerate(Regime)}
LENGTHS = {128: 6, 300: 6, 1000: 3, 2000: 1}
"""And how many seeds of each."""


def seconds(run: Callable[[], object], runs: int) -> float:
    """Least time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def stage_time(window: int, every: int, series: Series, samples: int = 256, lanes: int = 64) -> float:
    """Seconds a sample of the stage in the steady state."""
    stage = Attractor(0, window, every, CODES)
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    stage.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=opened))
    packets = []
    for first in range(0, 2 * window * lanes, samples):
        table = np.zeros(samples, SAMPLE)
        places = np.arange(first, first + samples)
        table["row"] = places % lanes
        table["value"] = series[places // lanes % len(series)]
        packets.append(Packet(0, 0, (), np.zeros(0, DELTA), b"", samples=table))
    return seconds(lambda: [stage.update(packet) for packet in packets], 7) / samples / len(packets)


def cases(n: int, noise: float, folder: Path | None) -> Iterator[tuple[str, frozenset[Regime], Series]]:
    """Name, right answers and series, of all that there are."""
    for seed in range(LENGTHS[n]):
        for name, (right, x) in population(n, 7000 + seed, noise).items():
            yield name, right, x
    rng = np.random.default_rng(n)
    for path in sorted(folder.glob("*.npy")) if folder else []:
        x = np.load(path)[:n]
        yield "flows of dysts", frozenset({Regime.CHAOTIC}), x + noise * x.std() * rng.normal(size=len(x))


def right(folder: Path | None) -> None:
    """Print the table of answers, and that of their confidence."""
    tables: dict[str, dict[tuple[float, int], Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    trust: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for noise in (0.0, 0.05):
        for n in LENGTHS:
            for name, truth, x in cases(n, noise, folder):
                found = describe(x)
                sure = found.regime is not Regime.UNDETERMINED
                answer = "wrong" if sure and found.regime not in truth else "right" if sure else "unsure"
                tables[name][noise, n][answer] += 1
                tables["all"][noise, n][answer] += 1
                if sure:
                    trust[int(found.confidence * 20)].append((found.confidence, answer == "right"))
    columns = [(noise, n) for noise in (0.0, 0.05) for n in LENGTHS]
    print(
        "\nright/undetermined/wrong" + "".join(f"{f'{n}, {100 * noise:.0f} %':>13}" for noise, n in columns)
    )
    for name, row in tables.items():
        if any(cell["wrong"] or cell["unsure"] for cell in row.values()):
            cells = [f"{row[c]['right']}/{row[c]['unsure']}/{row[c]['wrong']}" for c in columns]
            print(f"{name:<24}" + "".join(f"{cell:>13}" for cell in cells))
    print("\nconfidence: claimed, right, of how many")
    for _, answers in sorted(trust.items()):
        claimed, held = np.mean(answers, axis=0)
        print(f"{claimed:.3f} {held:.3f} {len(answers)}")


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    lengths = (128, 300, 500, 1000, 2000)
    print(f"{'one look, us':<24}" + "".join(f"{n:>10}" for n in lengths))
    for name in ("white", "logistic, 3.6 to 4", "torus, golden", "sine", "random walk"):
        row = [seconds(partial(describe, population(n, 1)[name][1]), 40000 // n) * 1e6 for n in lengths]
        print(f"{name:<24}" + "".join(f"{us:>10.1f}" for us in row))
    windows = ((128, 32), (300, 75), (1000, 250))
    print(f"\n{'stage, us a sample':<24}" + "".join(f"{f'{n} every {every}':>16}" for n, every in windows))
    for name in ("white", "logistic, 3.6 to 4", "sine"):
        series = population(1000, 1)[name][1]
        row = [stage_time(n, every, series) * 1e6 for n, every in windows]
        print(f"{name:<24}" + "".join(f"{us:>16.2f}" for us in row))
    right(Path(sys.argv[1]) if len(sys.argv) > 1 else None)


if __name__ == "__main__":
    main()
