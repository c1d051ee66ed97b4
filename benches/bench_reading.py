"""Reading: what it costs to turn text into the symbols of its twenty readings, and to compile that.

``python -m benches.bench_reading``

Both kernels one after the other, as the gate calls them; the texts and the way to measure are those of
:mod:`benches.bench_decoding`. Nanoseconds of processor time per byte of UTF-8, for deltas of 4, 64 and 4096
characters, and per delta of 4.
"""

from __future__ import annotations

import platform
from typing import Any

import numba
import numpy as np

from benches.bench_decoding import Decoding, compiling, table
from operators.kernels.reading import EDGE, read
from operators.reading import LAYERS, READINGS


def tables() -> tuple[Any, ...]:
    """Every character a symbol, but a few that are not seen; letters and digits in the second form."""
    plain = np.minimum(np.arange(0x110000) + 3, 0xFFFE).astype(np.uint16)
    letters = np.full(0x110000, EDGE, np.uint16)
    known = [code for code in range(0x3000) if chr(code).isalnum()]
    letters[known] = plain[known]
    plain[[0x200B, 0xFFFD]] = letters[[0x200B, 0xFFFD]] = 0
    return plain, letters, np.zeros(0, np.int32), np.zeros((0, 4), np.int32)


TABLES = tables()


class Reading(Decoding):
    """A text that is decoded and read."""

    def __init__(self, text: str, size: int) -> None:
        super().__init__(text, size)
        self._first, self._last = np.zeros((2, self.deltas, READINGS), np.int32)
        self._symbols = np.zeros((8 * len(self.chars), 4), np.int32)

    def run(self) -> None:
        """What is timed."""
        state = np.zeros((1, len(LAYERS)), np.int32)
        for spans in self.spans():
            read(self.rows, self.chars, spans, TABLES, state, self._first, self._last, self._symbols)


def compiled() -> None:
    """Compile what is timed here."""
    Reading("a", 1).run()


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ", end="")
    print(f"numba {numba.__version__}, compiled in {compiling('bench_reading'):.1f} s\n")
    table(Reading)


if __name__ == "__main__":
    main()
