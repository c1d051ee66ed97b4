"""Edit distance and longest common subsequence beside rapidfuzz, in the same run.

``pip install rapidfuzz`` and ``python -m benches.bench_edit``

Microseconds for two unrelated sequences over 26 symbols (*tokens*: over 50,000), in what they come to whom: a
user of ours has arrays, rapidfuzz is fastest on lists of int and slow on arrays, and both take strings. The
ratio is rapidfuzz by ours: below 1 it wins. *lists / arrays* is its fastest form of integers by ours. Each
cell is the median of runs that alternate between the two; *pairwise* is per pair of 100 x 100. Memory is what
a new process takes at its peak for one call, beyond what it took before (Linux).
"""

from __future__ import annotations

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
from rapidfuzz.distance import OSA, DamerauLevenshtein, LCSseq, Levenshtein
from rapidfuzz.process import cdist

from operators.kernels.damerau import damerau_distance, osa_distance, weighted_edit_distance
from operators.kernels.edit import edit_alignment, edit_distance, edit_pairwise
from operators.kernels.lcs import lcs_alignment, lcs_length, lcs_pairwise

Call = Callable[[Any, Any], Any]

LENGTHS = (16, 128, 1_000, 10_000)
SLOW = 1_000  # the longest that is tried with one cell at a time
SINGLE: tuple[tuple[str, Call, Call, int], ...] = (
    ("edit", edit_distance, Levenshtein.distance, 10_000),
    ("lcs", lcs_length, LCSseq.similarity, 10_000),
    ("osa", osa_distance, OSA.distance, 10_000),
    ("damerau", damerau_distance, DamerauLevenshtein.distance, SLOW),
    (
        "weighted",
        lambda a, b: weighted_edit_distance(a, b, 1.0, 2.0, 2.5),
        lambda a, b: Levenshtein.distance(a, b, weights=(2, 4, 5)),
        SLOW,
    ),
    ("edit alignment", edit_alignment, Levenshtein.editops, 10_000),
    ("lcs alignment", lcs_alignment, LCSseq.editops, 10_000),
)
MANY: tuple[tuple[str, Call, Call], ...] = (
    ("edit pairwise", edit_pairwise, lambda a, b: cdist(a, b, scorer=Levenshtein.distance)),
    ("lcs pairwise", lcs_pairwise, lambda a, b: cdist(a, b, scorer=LCSseq.similarity)),
)


def medians(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Microseconds a call of each: both in turn, so that what else the machine does meets both.

    Half a millisecond at a time: a longer turn would rarely be undisturbed where others work too.
    """
    ours(), theirs()
    began = time.perf_counter()
    ours(), theirs()
    calls = max(1, min(2_000, int(5e-4 / (time.perf_counter() - began))))
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(101 if calls > 1 else 9):
        for run, times in zip((ours, theirs), taken, strict=True):
            began = time.perf_counter()
            for _ in range(calls):
                run()
            times.append((time.perf_counter() - began) / calls * 1e6)
    return statistics.median(taken[0]), statistics.median(taken[1])


def forms(length: int, seed: int) -> Iterator[tuple[str, Any, Any]]:
    """A sequence in each form: ours, and theirs."""
    rng = np.random.default_rng(seed)
    numbers, tokens = rng.integers(0, 26, length), rng.integers(0, 50_000, length)
    text = "".join(map(chr, 97 + numbers))
    wide = "".join(map(chr, 0x4E00 + numbers))
    yield "str", text, text
    yield "str, wide", wide, wide
    yield "arrays", numbers, numbers
    yield "lists", numbers.tolist(), numbers.tolist()
    yield "lists / arrays", numbers, numbers.tolist()
    yield "tokens: lists / arrays", tokens, tokens.tolist()


def row(name: str, form: str, length: int, times: tuple[float, float]) -> None:
    ours, theirs = times
    print(f"{name:<16}{form:<24}{length:>7,}{ours:>14,.2f}{theirs:>14,.2f}{theirs / ours:>9.2f}")


def peak(name: str, length: int) -> int:
    """KiB that one call takes at its peak, in a process of its own."""
    code = f"from benches.bench_edit import grown; grown({name!r}, {length})"
    command = [sys.executable, "-c", code]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def grown(name: str, length: int) -> None:
    run = {"edit": edit_distance, "lcs": lcs_length, "edit alignment": edit_alignment}[name]
    few, a = np.arange(3), np.random.default_rng(0).permutation(length) << 30
    b = a[::-1].copy()
    run(few, few[:2])
    run(a[:300], b[:300])
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of the compiler, is forgotten
    before = high_water()
    run(a, b)
    print(high_water() - before)


def high_water() -> int:
    """The most memory that this process has had, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", "rapidfuzz"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {', '.join(versions)}\n")
    print(f"{'':<16}{'':<24}{'symbols':>7}{'ours us':>14}{'rapidfuzz us':>14}{'ratio':>9}")
    for name, ours, theirs, longest in SINGLE:
        for length in LENGTHS:
            if length > longest:
                continue
            for (form, a, x), (_, b, y) in zip(forms(length, 0), forms(length, 1), strict=True):
                row(name, form, length, medians(partial(ours, a, b), partial(theirs, x, y)))
    for name, ours, theirs in MANY:
        for length in (16, 128, 1_000):
            for form in zip(*(forms(length, k) for k in range(200)), strict=True):
                a, x = [one[1] for one in form], [one[2] for one in form]
                both = medians(partial(ours, a[:100], a[100:]), partial(theirs, x[:100], x[100:]))
                row(name, form[0][0], length, (both[0] / 1e4, both[1] / 1e4))
    print("\n10,000 x 10,000 of 10,000 different symbols, KiB at the peak")
    for name in ("edit", "lcs", "edit alignment"):
        print(f"{name:<16}{peak(name, 10_000):>8,}")


if __name__ == "__main__":
    main()
