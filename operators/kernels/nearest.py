"""Which of many distances is the least: the nearest neighbour of a point, itself and its own time left out.

Strategy. Numbers of 0 and more are in the order of their bits, and the minimum of integers is one that the
compiler may take of whole vectors at once, in any order. The place is looked for afterwards, in the one
block that the minimum came from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner

__all__ = ["nearest"]

_BLOCK = 256
_INFINITE = 0x7FF0_0000_0000_0000
"""The bits of infinity: no finite distance has as many."""


@inner
def nearest(bits: NDArray[np.int64], i: int, theiler: int, zero: int) -> int:
    """Place of the least distance of a point, the first of several; -1 if there is none.

    Parameters
    ----------
    bits : int64[n]
        Distances of point `i` to all points, or their squares, float64 seen as integers.
    i, theiler : int
        Places up to `theiler` from `i` are left out.
    zero : int
        The bits of the least distance that counts. Points closer than that are equal, and left out.

    Notes
    -----
    O(n).
    """
    found = -1
    least = _INFINITE
    for side in range(2):
        stop = len(bits) if side else i - theiler
        for first in range(i + theiler + 1 if side else 0, stop, _BLOCK):
            block = bits[first : min(first + _BLOCK, stop)]
            lowest = _INFINITE
            for j in range(len(block)):
                distance = block[j] if block[j] >= zero else _INFINITE
                lowest = min(distance, lowest)
            if lowest < least:
                least = lowest
                found = first
                while bits[found] != least:
                    found += 1
    return found
