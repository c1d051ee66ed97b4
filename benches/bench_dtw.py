"""Dynamic time warping in batch, side by side with compiled libraries.

``python -m benches.bench_dtw``

Times are medians, of runs that take turns, on one thread and after everything is compiled; an answer that
differs from ours is an error. A library that is not installed has no line. *nearest*: one query of 128 among
10,000 candidates, radius 12: random walks, which bounds tell apart, and noise, which they do not. *search*: a
query of 128 in a series of 200,000, both z-normalised. *memory*: what the process grows by at most while a
distance of 10,000 x 10,000 is computed (Linux).
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.dtw import (
    dtw_distance,
    dtw_distance_absolute,
    dtw_distance_multivariate,
    dtw_distance_symbols,
    dtw_nearest,
    dtw_path,
    dtw_search,
    dtw_self,
)

ROUNDS = (5, 99)
"""At least, and at most when a second allows them."""
PEERS = ("dtaidistance", "aeon", "tslearn", "stumpy")
Series = NDArray[np.float64]
Call = Callable[[], Any]


def medians(calls: dict[str, Call]) -> dict[str, float]:
    """Median seconds of each call, over rounds in which each has at least 2 ms."""
    numbers = {}
    for name, call in calls.items():
        began = time.perf_counter()
        call()
        numbers[name] = max(1, int(2e-3 / (time.perf_counter() - began)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    while len(next(iter(times.values()))) < ROUNDS[0] or (
        time.perf_counter() - began < 1.0 and len(next(iter(times.values()))) < ROUNDS[1]
    ):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(numbers[name]):
                call()
            times[name].append((time.perf_counter() - start) / numbers[name])
    return {name: statistics.median(taken) for name, taken in times.items()}


def peer(name: str) -> Any:
    """The module of that name, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def table(title: str, calls: dict[str, Call], value: Callable[[Any], Any]) -> None:
    """Time each, the first one being ours, after comparing their answers."""
    expected = value(next(iter(calls.values()))())
    for name, call in calls.items():
        np.testing.assert_allclose(value(call()), expected, rtol=1e-6, atol=1e-9, err_msg=name)
    print(f"\n{title}")
    taken = medians(calls)
    ours = next(iter(taken.values()))
    for name, each in taken.items():
        print(f"  {name:<40}{each * 1e6:>14,.2f} us{each / ours:>10.2f} x ours")


def distances(n: int, radius: int) -> Iterator[tuple[str, Call]]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=n), rng.normal(size=n)
    yield "ours", partial(dtw_distance, x, y, radius)
    if dtai := peer("dtaidistance.dtw"):
        yield "dtaidistance distance_fast", lambda: dtai.distance_fast(x, y, window=radius + 1) ** 2
    if aeon := peer("aeon.distances"):
        yield "aeon dtw_distance", partial(aeon.dtw_distance, x, y, window=min(1.0, radius / n))
    if tslearn := peer("tslearn.metrics"):
        sakoe = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
        yield "tslearn dtw", lambda: tslearn.dtw(x, y, **sakoe) ** 2


def paths(n: int) -> Iterator[tuple[str, Call]]:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=n), rng.normal(size=n)
    yield "ours", partial(dtw_path, x, y, n)
    if dtai := peer("dtaidistance.dtw"):
        yield "dtaidistance warping_path_fast", partial(dtai.warping_path_fast, x, y)
    if aeon := peer("aeon.distances"):
        yield "aeon dtw_alignment_path", lambda: aeon.dtw_alignment_path(x, y)[0]
    if tslearn := peer("tslearn.metrics"):
        yield "tslearn dtw_path", lambda: tslearn.dtw_path(x, y)[0]


def cost_of_path(n: int, path: Any) -> float:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=n), rng.normal(size=n)
    places = np.asarray(path)
    return float(((x[places[:, 0]] - y[places[:, 1]]) ** 2).sum())


def matrices(count: int, n: int) -> Iterator[tuple[str, Call]]:
    xs = np.random.default_rng(2).normal(size=(count, n))
    yield "ours", partial(dtw_self, xs, n)
    if dtai := peer("dtaidistance.dtw"):
        yield "dtaidistance distance_matrix_fast", lambda: dtai.distance_matrix_fast(xs, parallel=False) ** 2
    if aeon := peer("aeon.distances"):
        yield "aeon dtw_pairwise_distance", partial(aeon.dtw_pairwise_distance, xs)
    if tslearn := peer("tslearn.metrics"):
        yield "tslearn cdist_dtw", lambda: tslearn.cdist_dtw(xs) ** 2


def nearest(query: Series, candidates: Series, radius: int) -> Iterator[tuple[str, Call]]:
    n = len(query)
    yield "ours", lambda: dtw_nearest(query, candidates, radius, 1)[1]
    if dtai := peer("dtaidistance.dtw"):

        def one_by_one() -> float:
            best = np.inf
            for row in candidates:
                best = min(best, dtai.distance_fast(query, row, window=radius + 1, max_dist=best))
            return float(best**2)

        yield "dtaidistance distance_fast, max_dist", one_by_one
    if aeon := peer("aeon.distances"):
        pairwise = partial(aeon.dtw_pairwise_distance, query[None], candidates, window=radius / n)
        yield "aeon dtw_pairwise_distance", lambda: pairwise().min()
    if tslearn := peer("tslearn.metrics"):
        sakoe = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": radius}
        yield "tslearn cdist_dtw", lambda: tslearn.cdist_dtw(query[None], candidates, **sakoe).min() ** 2


def searches(query: Series, series: Series) -> Iterator[tuple[str, Call]]:
    yield "ours, radius 0", lambda: dtw_search(query, series, 0, 1, 0)[1]
    if stumpy := peer("stumpy"):
        yield "stumpy mass", lambda: stumpy.mass(query, series).min() ** 2


def growth() -> int:
    """Bytes that this process grew by at most while it computed one large distance."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=10_000), rng.normal(size=10_000)
    dtw_distance(x[:10], y[:10], 10)
    ctypes.CDLL(None).malloc_trim(0)  # what is free in the heap would hide what is asked for
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _peak()
    dtw_distance(x, y, 10_000)
    return _peak() - before


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    versions = [
        f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", *PEERS) if peer(name)
    ]
    print(f"{platform.machine()}, Python {platform.python_version()}, {', '.join(versions)}")
    for n, radius in ((128, 128), (128, 12), (1024, 1024)):
        table(f"distance {n} x {n}, radius {radius}", dict(distances(n, radius)), float)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 128))
    a, b = rng.normal(size=(2, 128, 3))
    s, t = rng.integers(0, 9, (2, 128))
    print("\nour other costs, 128 x 128")
    others: dict[str, Call] = {
        "absolute": partial(dtw_distance_absolute, x, y, 128),
        "symbols": partial(dtw_distance_symbols, s, t, 128),
        "3 dimensions": partial(dtw_distance_multivariate, a, b, 128),
    }
    for call in others.values():
        call()
    for name, taken in medians(others).items():
        print(f"  {name:<40}{taken * 1e6:>14,.2f} us")
    for n in (128, 1024):
        table(f"path {n} x {n}", dict(paths(n)), partial(cost_of_path, n))
    table("all pairs of 200 series of 128", dict(matrices(200, 128)), np.asarray)
    for kind, candidates in (
        ("walks", rng.normal(size=(10_001, 128)).cumsum(axis=1)),
        ("noise", rng.normal(size=(10_001, 128))),
    ):
        rows = candidates - candidates.mean(axis=1, keepdims=True)
        rows /= rows.std(axis=1, keepdims=True)
        table(f"nearest of 10,000 {kind}, radius 12", dict(nearest(rows[0], rows[1:], 12)), np.min)
    for kind, series in (
        ("a walk", rng.normal(size=200_000).cumsum()),
        ("noise", rng.normal(size=200_000)),
    ):
        query = series[1000:1128] + rng.normal(size=128) * 0.2
        table(f"search in {kind} of 200,000", dict(searches(query, series)), np.min)
        ours = {f"ours, radius {r}, best 5": partial(dtw_search, query, series, r, 5, 64) for r in (6, 12)}
        for name, taken in medians(ours).items():
            print(f"  {name:<40}{taken * 1e6:>14,.2f} us")
    # A process of its own: what the others have freed would hide what is asked for here.
    call = "from benches.bench_dtw import growth; print(growth())"
    grown = int(subprocess.run([sys.executable, "-c", call], capture_output=True, check=True).stdout)
    print(f"\nmemory of a distance 10,000 x 10,000: {grown / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
