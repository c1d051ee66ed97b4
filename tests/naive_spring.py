"""Slow, obvious twins of the streaming matchers, beside ``tests.naive.spring``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.naive import Match, Series, dtw_distance


def normalised(x: Series) -> Series | None:
    """With mean 0 and deviation 1; None for what is constant but for rounding."""
    deviation = float(np.std(x))
    if deviation <= 1e-9 * float(np.sqrt(np.mean(np.square(x)))):
        return None
    return np.array((x - np.mean(x)) / deviation)


def window_distances(x: Series, y: Series, radius: int) -> list[float]:
    """Of each window of `x` that is as long as `y`: its distance, infinity where it has no form."""
    form = normalised(y)
    assert form is not None
    found = []
    for first in range(len(x) - len(y) + 1):
        window = normalised(x[first : first + len(y)])
        found.append(np.inf if window is None else dtw_distance(window, form, radius))
    return found


def windows(x: Series, y: Series, radius: int, threshold: float) -> Iterator[Match]:
    """Disjoint best matches among the windows; one still held at the end is reported with -1."""
    m = len(y)
    best, held = np.inf, 0
    for first, distance in enumerate(window_distances(x, y, radius)):
        if distance <= threshold and distance < best:
            best, held = distance, first
        if best < np.inf and first == held + m - 1:
            yield Match(first + m - 1, best, held, held + m - 1)
            best = np.inf
    if best < np.inf:
        yield Match(-1, best, held, held + m - 1)
