"""How long a newcomer waits: from the command to its first record.

``python -m benches.bench_start [--runs 3]``

*cold*: the kernels' cache is empty, everything is compiled. *warm*: the second start and all after it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

__all__ = ["first_record"]


def first_record(cache: str) -> float:
    """Seconds until ``midstream run --json`` has said its first line, with its kernels in `cache`."""
    began = time.perf_counter()
    job = subprocess.Popen(
        [sys.executable, "-m", "flows", "run", "--json"],
        stdout=subprocess.PIPE, env=os.environ | {"NUMBA_CACHE_DIR": cache},
    )  # fmt: skip
    assert job.stdout is not None
    assert job.stdout.readline()
    took = time.perf_counter() - began
    job.terminate()
    job.communicate()
    return took


def main() -> None:
    """Cold and warm starts by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(first_record(cache))
            warm.append(first_record(cache))
    cold_start, warm_start = statistics.median(cold), statistics.median(warm)
    print(f"first record, median of {runs}: cold {cold_start:.1f} s, warm {warm_start:.1f} s")


if __name__ == "__main__":
    main()
