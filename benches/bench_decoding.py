"""Decoding: what it costs to find the characters of a text and of what is hidden in it, and to compile that.

``python -m benches.bench_decoding``

Nanoseconds of processor time per byte of UTF-8, for deltas of 4, 64 and 4096 characters, and per delta of
4. *prose*: nothing is hidden, as nearly always; then text that is hidden, text that looks as if it were, and
text made to be slow. The last table is one such text at three lengths: twice the length takes twice the
time. Best of several runs; everything is compiled before it is timed. Compiling is timed once, on an empty
cache, behind a kernel of one line: what numba itself needs to begin with is not in it.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from benches.workloads import words
from operators.kernels import decoding
from operators.kernels.decoding import ROOM, decode
from operators.reading import LAYERS, STATE

SIZE = 1 << 17
SIZES = 4, 64, 4096

COMPILING = """
import time
from benches.{bench} import compiled
import numpy as np
from numba import njit
njit(lambda numbers: numbers[0])(np.zeros(1))
began = time.process_time()
compiled()
print(time.process_time() - began)
"""


class Decoding:
    """A text in deltas of `size` characters, and rooms as small as an operator would keep them."""

    def __init__(self, text: str, size: int) -> None:
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        self.deltas = len(parts)
        ends = np.cumsum([len(part.encode()) for part in parts]).astype(np.int32)
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int32)
        self.rows, kinds = np.zeros(self.deltas, np.int32), np.ones(self.deltas, np.uint8)
        self._columns = self.rows, kinds, starts, ends, np.frombuffer(text.encode(), np.uint8)
        self._char_at = (np.arange(self.deltas) * size).astype(np.int32)
        self.chars = np.zeros((max(1 << 14, 8 * int((ends - starts).max()) + ROOM), 4), np.int32)
        self._spans, self._marks = np.zeros((1 << 12, 4), np.int32), np.zeros(len(text), np.int32)

    def spans(self) -> Iterator[NDArray[np.int32]]:
        """Decode the text, call by call: the spans of `chars` that each has written."""
        position, state = np.zeros(1, np.int32), np.zeros((1, STATE), np.int32)
        resume = 0
        while resume < self.deltas:
            resume, told = decode(
                *self._columns, 1, 2, LAYERS, position, state, self._char_at,
                self.chars, self._spans, self._marks, resume,
            )  # fmt: skip
            yield self._spans[:told]

    def run(self) -> None:
        """What is timed."""
        for _ in self.spans():
            pass


class Timed(Protocol):
    """A text and what is done to it."""

    def run(self) -> None: ...


def best(timed: Timed, times: int = 5) -> float:
    """The least processor time that it takes."""
    least = float("inf")
    for _ in range(times):
        began = time.process_time()
        timed.run()
        least = min(least, time.process_time() - began)
    return least


def texts() -> dict[str, str]:
    """What is decoded, by name, each about as long as SIZE."""
    seeded = random.Random(0)
    prose = "".join(words(0, SIZE // 4))
    source = Path(decoding.__file__).read_text()
    return {
        "prose": prose,
        "Russian prose": "Простой русский текст, который никто не прячет. " * (SIZE // 90),
        "source code": source * (SIZE // len(source) + 1),
        "JSON in tool arguments": json.dumps(source * (SIZE // len(source) + 1)),
        "numbers": "".join(f"{seeded.randint(10, 99999)}, " for _ in range(SIZE // 6)),
        "base64 of prose": base64.b64encode(prose.encode()).decode(),
        "base64 of noise": base64.b64encode(seeded.randbytes(SIZE * 3 // 4)).decode(),
        "hex of prose": prose.encode().hex(),
        "base64 of base64": base64.b64encode(base64.b64encode(prose[: SIZE // 2].encode())).decode(),
        "escapes of escapes": r"\\u0041\\n\u005cx41 " * (SIZE // 20),
        "not seen": "\u200b\ufffd" * (SIZE // 6),
        "per cent": "%" * SIZE,
        "0x0x": "0x" * (SIZE // 2),
    }


def compiling(bench: str) -> float:
    """Processor time to compile what `bench` runs, in a process of its own without a cache."""
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "NUMBA_CACHE_DIR": empty}
        script = COMPILING.format(bench=bench)
        told = subprocess.run(
            [sys.executable, "-c", script], env=environment, check=True, capture_output=True
        )
    return float(told.stdout)


def compiled() -> None:
    """Compile what is timed here."""
    Decoding("a", 1).run()


def table(kind: Callable[[str, int], Timed]) -> None:
    """Print what each text takes, and how one grows."""
    print(f"{'ns/byte':<26}" + "".join(f"{f'by {size}':>10}" for size in SIZES) + f"{'ns/delta of 4':>16}")
    for name, whole in texts().items():
        text = whole[:SIZE]
        took = {size: best(kind(text, size)) for size in SIZES}
        row = "".join(f"{took[size] / len(text.encode()) * 1e9:>10.1f}" for size in SIZES)
        print(f"{name:<26}{row}{took[4] / (len(text) / 4) * 1e9:>16.0f}")
    print(f"\n{'base64 of base64, by 4096':<26}{'ms':>10}")
    for times in (1, 2, 4):
        text = texts()["base64 of base64"] * times
        print(f"{f'{len(text):,} bytes':<26}{best(kind(text, 4096), 3) * 1e3:>10.1f}")


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}, {STATE * 4 + 4} bytes of state a lane")
    print(f"compiled in {compiling('bench_decoding'):.1f} s\n")
    table(Decoding)


if __name__ == "__main__":
    main()
