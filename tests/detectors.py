"""Running a detector kernel as its caller does: on from each alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["alarms", "false_alarms", "stepwise"]

Series = NDArray[np.float64]
Kernel = Callable[..., int]


def alarms(
    kernel: Kernel, shape: Series, scores: Series, *kept: NDArray[Any]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Sample and lane of every alarm; a sample's value is its score, its begin its place.

    Behind an alarm the lane is a new one.
    """
    at = 0
    while at < len(scores):
        rest = scores[at:]
        places = np.empty(len(rest), np.int64)
        rows, begins = np.zeros(len(rest), np.int32), np.arange(at, len(scores))
        if not kernel(rows, rest, rest, begins, shape, *kept, places):
            return
        at += int(places[0]) + 1
        yield at - 1, kept[0][0].copy()
        for table in kept:
            table[0] = 0


def stepwise(kernel: Kernel, shape: Series, scores: Series, *kept: NDArray[Any]) -> Iterator[int]:
    """How many alarms each sample raises, one at a time."""
    places, row = np.empty(1, np.int64), np.zeros(1, np.int32)
    for place in range(len(scores)):
        score = scores[place : place + 1].copy()
        yield kernel(row, score, score, np.array([place]), shape, *kept, places)


def false_alarms(kernel: Kernel, shape: Series, scores: Series, *kept: NDArray[Any]) -> float:
    """Alarms a sample of the lanes ``scores[lane]``, taking turns; each begins anew behind an alarm."""
    lanes, length = scores.shape
    block = length // 50
    rows = np.tile(np.arange(lanes, dtype=np.int32), block)
    begins, places = np.zeros(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = 0
    for first in range(0, length, block):
        part = scores[:, first : first + block].T.ravel()
        found = kernel(rows, part, part, begins, shape, *kept, places)
        for table in kept:
            table[rows[places[:found]]] = 0
        count += found
    return count / scores.size
