"""When the samples of a series were taken: how far apart, and where that is broken.

Strategy. Estimators count in samples, so a gap or a step back in time would be taken for something that the
system did. Nothing is filled in or sorted: the series is cut where its times break, what was found there is
said, and the longest stretch is what can be studied.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spacing", "spacing"]

_GAP = 3.0
"""Median steps that are a gap."""


class Spacing(NamedTuple):
    """The longest stretch of a series without a break in time."""

    first: int
    stop: int
    """It is ``x[first:stop]``; of several the first."""
    step: float
    """Median time from a sample to the next, over the whole series; NaN if none comes after another."""
    remarks: tuple[str, ...]
    """What was wrong with the times, if anything was."""


def spacing(at: NDArray[np.float64]) -> Spacing:
    """Look for breaks in the times `at` of samples: a step back, more than 3 median steps, or no time at all.

    :param at: float64[n], in any unit.

    >>> spacing(np.array([0.0, 1, 2, 1, 2, 3, 4, 9])).remarks
    ('time goes backwards after sample 3', 'a gap of 5 (median step 1) after sample 7')
    """
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(at)
    forward = steps[np.isfinite(steps) & (steps >= 0)]
    median = float(np.median(forward)) if len(forward) else float("nan")
    with np.errstate(invalid="ignore"):
        back, gap = steps < 0, steps > _GAP * median
    remarks = []
    if (wrong := ~np.isfinite(at)).any():
        remarks.append(_told("no finite time", wrong, "at"))
    if back.any():
        remarks.append(_told("time goes backwards", back, "after"))
    if median == 0.0:
        remarks.append("most samples have the time of the one before: gaps cannot be told")
        gap[:] = False
    elif gap.any():
        size = steps[int(gap.argmax())]
        remarks.append(_told(f"a gap of {size:.6g} (median step {median:.6g})", gap, "after"))
    breaks = np.flatnonzero(back | gap | ~np.isfinite(steps)) + 1
    edges = np.concatenate(([0], breaks, [len(at)]))
    longest = int(np.diff(edges).argmax())
    return Spacing(int(edges[longest]), int(edges[longest + 1]), median, tuple(remarks))


def _told(what: str, where: NDArray[np.bool_], preposition: str) -> str:
    """One line for all places, counted from 1."""
    place, more = int(where.argmax()) + 1, int(where.sum()) - 1
    return f"{what} {preposition} sample {place:,}" + (f", and {more:,} times more" if more else "")
