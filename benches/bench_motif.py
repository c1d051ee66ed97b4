"""Motifs: of symbols beside a dictionary of all substrings, of series beside STUMPY, of words as a stage.

``NUMBA_NUM_THREADS=1 python -m benches.bench_motif [TEXT]``

*symbols*: all motifs of 4 to 16 symbols in bytes of a text (or of the file TEXT), and of its words; the
dictionary is what the original system did: every substring of every length, overlaps counted. Memory is the
peak above what stood before, of the process for ours, of Python's allocations for the dictionary. *errors*:
groups of passages of 12 words with up to 2 edits. *series*: a random walk; STUMPY where it is installed, on
one thread as ours. *stage*: packets of 256 words over 64 lanes.

The least of several runs; everything is compiled before it is timed.
"""

from __future__ import annotations

import importlib.util
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.motif import recurring
from operators.kernels.profile import matrix_profile
from operators.kernels.resembling import resembling
from operators.motif import Motif
from operators.packet import DELTA, OPENED, WORD, Packet

PROSE = Path(__file__).parents[1] / "tests" / "data" / "prose.txt"


def seconds(run: Callable[[], object], runs: int) -> float:
    """Least time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def all_substrings(symbols: Sequence[int], shortest: int, longest: int) -> dict[tuple[int, ...], int]:
    """How often each substring occurs, as the original counted: owned copies in a dictionary."""
    seen: dict[tuple[int, ...], int] = {}
    for length in range(shortest, longest + 1):
        for first in range(len(symbols) - length + 1):
            part = tuple(symbols[first : first + length])
            seen[part] = seen.get(part, 0) + 1
    return {part: times for part, times in seen.items() if times > 1}


def peak(run: Callable[[], object]) -> float:
    """MB of Python's allocations."""
    tracemalloc.start()
    run()
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return size / 1e6


def growth(run: Callable[[], object]) -> float:
    """MB by which the greatest size of the process grows: right only for the greatest run so far."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3


def symbols(text: bytes) -> None:
    numbers: dict[bytes, int] = {}
    words = np.array([numbers.setdefault(word, len(numbers)) for word in text.split()])
    recurring(words[:100])
    print(f"{'symbols, 4 to 16':<24}{'n':>10}{'ms':>10}{'MB':>8}{'dict ms':>10}{'dict MB':>9}{'motifs':>8}")
    tables: list[tuple[str, NDArray[Any]]] = [
        ("bytes", np.frombuffer(text[:10_000], np.uint8)),
        ("bytes", np.frombuffer(text[:100_000], np.uint8)),
        ("words", words),
        ("bytes", np.frombuffer(text[:1_000_000], np.uint8)),
    ]
    sizes, grown = [], 0.0  # before the dictionaries make the process greater than ours ever do
    for _, table in tables:
        grown += growth(partial(recurring, table, 4, 16))
        sizes.append(grown)
    for (name, table), size in zip(tables, sizes, strict=True):
        taken = seconds(partial(recurring, table, 4, 16), 5)
        listed, theirs = table.tolist(), ""
        if len(table) <= 300_000:
            slow = seconds(partial(all_substrings, listed, 4, 16), 1)
            theirs = f"{slow * 1e3:>10.0f}{peak(partial(all_substrings, listed, 4, 16)):>9.0f}"
        count = len(recurring(table, 4, 16))
        print(f"{name:<24}{len(table):>10}{taken * 1e3:>10.1f}{size:>8.0f}{theirs:>19}{count:>8}")
    print(f"\n{'errors: 12 words, 2':<24}{'n':>10}{'ms':>10}")
    for n in (1000, 4000):
        taken = seconds(partial(resembling, words[:n], 12, 2), 3)
        print(f"{'words':<24}{n:>10}{taken * 1e3:>10.1f}")


def series() -> None:
    rng = np.random.default_rng(0)
    stump = None
    if importlib.util.find_spec("stumpy"):
        import stumpy  # noqa: PLC0415

        stump = stumpy.stump
    print(
        f"\n{'matrix profile':<24}{'n':>10}{'ms':>10}{'ns/pair':>10}{'stumpy':>10}{'ratio':>8}{'differ':>10}"
    )
    for n, m, runs in ((1000, 50, 30), (5000, 100, 10), (20_000, 100, 3)):
        x = rng.normal(size=n).cumsum()
        ours = seconds(partial(matrix_profile, x, m), runs)
        line = f"{f'm = {m}':<24}{n:>10}{ours * 1e3:>10.2f}{ours / (n * n / 2) * 1e9:>10.2f}"
        if stump:
            theirs = seconds(partial(stump, x, m), min(runs, 5))
            differ = np.abs(stump(x, m)[:, 0].astype(float) - matrix_profile(x, m)[0]).max()
            line += f"{theirs * 1e3:>10.2f}{theirs / ours:>8.1f}{differ:>10.1e}"
        print(line)


def stage(text: bytes) -> None:
    print(f"\n{'stage: 256 words, 64 lanes':<34}{'us/packet':>10}{'ns/word':>10}")
    lanes, count = 64, 256
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    rng = np.random.default_rng(0)
    spoken = [hash(word) % 2**64 for word in islice(cycle(text.split()), 64 * count)]
    for name, hashes in (
        ("no word twice", rng.integers(0, 2**63, 64 * count).tolist()),
        ("text", spoken),
        ("a loop of 13 words", list(islice(cycle(spoken[:13]), 64 * count))),
    ):
        motif = Motif(0)
        motif.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=opened))
        packets = []
        for k in range(64):
            # A lane says the words one after the other: 4 of each lane in a packet.
            table = np.zeros(count, WORD)
            table["row"] = np.arange(count) % lanes
            table["word"] = np.repeat(np.array(hashes[4 * k : 4 * k + 4], np.uint64), lanes)
            table["delta"] = np.arange(count)
            packets.append(Packet(0, 0, (), np.zeros(0, DELTA), b"", words=table))
        taken = seconds(lambda packets=packets, motif=motif: [motif.update(each) for each in packets], 20)
        print(f"{name:<34}{taken / 64 * 1e6:>10.1f}{taken / 64 / count * 1e9:>10.1f}")
    print(f"{'state of a lane, bytes':<34}{Motif(0).state_bytes:>10}")


def main() -> None:
    text = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else PROSE.read_bytes()
    symbols(text)
    series()
    stage(text)


if __name__ == "__main__":
    main()
