"""Who is told of the loops of a lane: each entry once of a loop, and what loops in a row have wasted.

Strategy. A lane that repeats itself is seen with every copy, at two levels, and by distances that come and
go; who watches wants to hear of it once. So it is kept how far the loop goes that was told last, and what
begins before that is the same one. A loop that begins after it is told anew; if it begins close behind, what
was wasted adds up, since to say each of many sentences seven times wastes as much as to say one all the time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["CHAIN", "FOUND", "tell_copies"]

_NEAR = 300.0  # characters between two loops of which the second goes on with the first one's waste
_SLACK = 1.0  # copies: where a loop begins behind another is known no better

_Int = int | np.signedinteger[Any]

CHAIN = np.dtype(
    [
        ("until", "i8"),  # how far the loop goes that was told last, characters
        ("wasted", "u4"),  # tokens that it has wasted
        ("before", "u4"),  # and those close before it
    ]
)
"""What is kept of the loops of a lane that were told, 16 bytes. A new one is zero."""

FOUND = np.dtype([("copy", "<i8"), ("entry", "<i8"), ("confidence", "<f8"), ("wasted", "<i8")])


@kernel
def tell_copies(
    copies: NDArray[np.void],
    count: int,
    symbols: NDArray[np.void],
    features: NDArray[np.float64],
    sorts: NDArray[np.int64],
    weights: NDArray[np.float64],
    chains: NDArray[np.void],
    told: NDArray[np.uint8],
    least: NDArray[np.float64],
    found: NDArray[np.void],
) -> _Int:
    """Who is to be told of the copies of a packet.

    Parameters
    ----------
    copies : COPY[at least count]
        From ``loop.follow_copies``.
    symbols : SYMBOL[n]
        The symbols that `copies` refers to.
    features, sorts : float64[at least count, f], int64[at least count]
        From ``loop_judge.describe_copies``.
    weights : float64[s, f]
        Of the logistic function of each sort.
    chains : CHAIN[rows]
        Modified.
    told : uint8[rows, e]
        Which entries were told of the loop. Modified.
    least : float64[e, 3]
        Confidence, copies and wasted tokens from which on each entry is told.
    found : FOUND[at least count * e]
        Modified: as many rows as there are findings.

    Returns
    -------
    int
        How many findings there are.
    """
    n: _Int = np.int64(0)
    for i in range(count):
        copy = copies[i]
        row = np.int64(symbols[np.int64(copy["symbol"])]["row"])
        chain, mine = chains[row], told[row]
        begin, size = np.float64(copy["begin"]), np.float64(copy["size"])
        until = np.float64(chain["until"])
        if begin + _SLACK * size >= until:
            is_near = until > 0.0 and begin < until + max(size, _NEAR)
            chain["before"] = np.int64(chain["before"]) + np.int64(chain["wasted"]) if is_near else 0
            chain["wasted"] = 0
            mine[:] = 0
        tokens = np.int64(copy["tokens"])
        wasted = tokens + np.int64(chain["before"])
        confidence = -1.0
        is_told = False
        for e in range(len(mine)):
            is_told |= mine[e] != 0
            if mine[e] or copy["copies"] < least[e, 1] or wasted < least[e, 2]:
                continue
            if confidence < 0.0:
                confidence = _confidence(features[i], weights[sorts[i]])
            if confidence >= least[e, 0]:
                mine[e] = 1
                is_told = True
                found[n]["copy"], found[n]["entry"] = i, e
                found[n]["confidence"], found[n]["wasted"] = confidence, wasted
                n += 1
        if is_told:
            chain["until"] = max(np.int64(chain["until"]), np.int64(copy["alike"]))
            if copy["alike"] == copy["stop"]:
                chain["wasted"] = max(np.int64(chain["wasted"]), tokens)
    return n


@inner
def _confidence(described: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """How likely it is that a copy is one of a loop."""
    odds = 0.0
    for k in range(len(described)):
        odds += weights[k] * described[k]
    return 1.0 / (1.0 + math.exp(-min(max(odds, -30.0), 30.0)))
