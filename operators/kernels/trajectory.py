"""How far and which way a series went over its last samples: O(1) a sample, whatever the window.

Strategy. Velocity needs the two ends of the window, so a ring of samples is all that is kept for it. The path
is a running sum of steps, and a sum that is added to and taken from gathers rounding errors, for ever after
one large value. So nothing is taken from it: the ring of steps is one block; when it has been filled, its
steps are replaced by the sums from each to the end of the block, and from then on a window is what is left of
the last block and a sum over the new one (the queue of two stacks).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import kernel

__all__ = ["advance", "lengths"]


@kernel
def advance(
    rows: NDArray[np.int32],
    values: NDArray[np.float64],
    ring: NDArray[np.float64],
    seen: NDArray[np.int64],
    ordinals: NDArray[np.int64],
    velocities: NDArray[np.float64],
) -> None:
    """Take in samples, and tell the mean change a sample over the window of each.

    Parameters
    ----------
    rows, values : int32[n], float64[n]
        The samples in order: lane and value, finite.
    ring, seen : float64[rows, window], int64[rows]
        The last samples of each lane, and how many it had. Modified.
    ordinals : int64[n]
        Written: the how many-th of its lane each is, from 1.
    velocities : float64[n]
        Written: last minus first sample of the window, over ``window - 1``; NaN while it is not full. Exact
        but for the rounding of the difference and the quotient.

    Notes
    -----
    O(1) a sample.
    """
    size = ring.shape[1]
    for k in range(len(rows)):
        row = rows[k]
        ring[row, seen[row] % size] = values[k]
        seen[row] += 1
        ordinals[k] = seen[row]
        velocities[k] = np.nan
        if seen[row] >= size:
            velocities[k] = (values[k] - ring[row, seen[row] % size]) / (size - 1)


@kernel
def lengths(
    rows: NDArray[np.int32],
    values: NDArray[np.float64],
    ordinals: NDArray[np.int64],
    steps: NDArray[np.float64],
    last: NDArray[np.float64],
    running: NDArray[np.float64],
    paths: NDArray[np.float64],
) -> None:
    """The sum of the steps, without their signs, over the window of each sample.

    Parameters
    ----------
    rows, values, ordinals : int32[n], float64[n], int64[n]
        The samples in order: lane, value, and the how many-th of its lane it is, from 1.
    steps : float64[rows, window]
        Of the block that is being filled, and behind them what the last block left: of each place the sum
        from there to the end. Modified.
    last, running : float64[rows], float64[rows]
        The last sample of each lane, and the sum over the new block but for its first step. Modified.
    paths : float64[n]
        Written: NaN while the window is not full. Within ``window`` roundings of the sum of the steps.

    Notes
    -----
    O(1) a sample, and O(window) with every ``window``-th: 1.4 us for 1,000.
    """
    size = steps.shape[1]
    for k in range(len(rows)):
        row = rows[k]
        at = (ordinals[k] - 1) % size
        step = abs(values[k] - last[row]) if ordinals[k] > 1 else 0.0
        last[row] = values[k]
        steps[row, at] = step
        running[row] = running[row] + step if at else 0.0
        paths[k] = np.nan
        if at == size - 1:
            # The window is this block: the step to its first sample is outside.
            paths[k] = running[row]
            for i in range(size - 2, -1, -1):
                steps[row, i] += steps[row, i + 1]
        elif ordinals[k] > size:
            left = steps[row, at + 2] if at + 2 < size else 0.0
            paths[k] = running[row] + (steps[row, 0] + left)
