"""Comparing: what it costs to ask, to check what was given, and to know that it was asked before.

``python -m benches.bench_compare``

*kernel*: the kernel alone, given what it takes. *compare*: with everything around it. *cached*: the same
question again, read and hashed. *lists*: the same question in Python lists of numbers, or of words.
Microseconds, medians of batches of calls; everything is compiled before it is timed.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from operators.compare import Cache, compare
from operators.kernels.dtw import dtw_distance
from operators.kernels.edit import edit_distance

_BATCH = 2e-3  # seconds of one measurement at least


def microseconds(run: Callable[[], object], times: int = 31) -> float:
    """Median time of a call, over batches of calls that are long enough to be timed."""
    run()
    began = time.perf_counter()
    run()
    calls = max(1, int(_BATCH / (time.perf_counter() - began)))
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        for _ in range(calls):
            run()
        taken.append((time.perf_counter() - began) / calls)
    return statistics.median(taken) * 1e6


def row(name: str, algorithm: str, kernel: Callable[[], object], x: Any, y: Any, as_list: Any) -> None:
    """Time one pair in all ways, and print it."""
    cache = Cache()
    ways: list[Callable[[], object]] = [
        kernel,
        partial(compare, x, y, algorithm),
        partial(cache.compare, x, y, algorithm),
        partial(cache.compare, as_list(x), as_list(y), algorithm),
    ]
    print(f"{name:<32}" + "".join(f"{microseconds(way):>12,.1f}" for way in ways))
    known = cache.statistics
    assert known.hits > known.misses


def main() -> None:
    """The table."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ", end="")
    print(f"numba {numba.__version__}, NumPy {np.__version__}\n")
    print(f"{'us a call':<32}{'kernel':>12}{'compare':>12}{'cached':>12}{'lists':>12}")
    rng = np.random.default_rng(0)
    for n in (16, 128, 1024, 8192):
        x, y = rng.normal(size=n), rng.normal(size=n)
        row(f"dtw, float64[{n:,}]", "dtw", partial(dtw_distance, x, y, n), x, y, np.ndarray.tolist)
    for n in (16, 128, 1024, 8192):
        a, b = ("".join(rng.choice(list("the old cat"), n)) for _ in "ab")
        row(f"edit, {n:,} characters", "edit", partial(edit_distance, a, b), a, b, list)
    for n in (128, 1024):
        i, j = rng.integers(0, 1000, (2, n))
        row(f"edit, int64[{n:,}]", "edit", partial(edit_distance, i, j), i, j, np.ndarray.tolist)


if __name__ == "__main__":
    main()
