"""Slow, obvious twin of Rosenstein's estimate of the largest Lyapunov exponent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def log_distances(x: Series, dim: int, lag: int, theiler: int, steps: int) -> Series:
    """Rosenstein's curve: mean log distance of nearest neighbours after 0, 1, 2 ... `steps` samples."""
    count = len(x) - (dim - 1) * lag
    points = np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)
    curves = []
    for i in range(count - steps):
        distances = np.linalg.norm(points[: count - steps] - points[i], axis=1)
        distances[max(0, i - theiler) : i + theiler + 1] = np.inf
        j = int(np.argmin(distances))
        curves.append([np.log(np.linalg.norm(points[i + k] - points[j + k])) for k in range(steps + 1)])
    return np.array(np.mean(curves, axis=0))
