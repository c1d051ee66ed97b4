"""How well the neighbours of a state foretell what follows it: the error of the simplest nonlinear forecast.

Strategy. All distances of one state go into a row, in vectors; one look along the row then keeps the few
nearest, which are seldom replaced.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["prediction_error"]


@allocating
def prediction_error(
    x: NDArray[np.float64], dim: int, lag: int, theiler: int, ahead: int, neighbours: int
) -> float:
    """Mean squared error of foretelling `x` by the mean of what followed the nearest states.

    Parameters
    ----------
    x : float64[n]
        The series, equally spaced.
    dim, lag : int
        Delay embedding: how many coordinates, and how many samples between them.
    theiler : int
        Neighbours are more than this many samples apart in time, 0 or more.
    ahead : int
        How far is foretold, in samples from the last coordinate.
    neighbours : int
        How many, 1 or more; the Euclidean norm decides, and of equals the earlier one.

    Returns
    -------
    float
        In the squared unit of `x`; about ``1 + 1 / neighbours`` times the variance for white noise. NaN when
        a state has fewer neighbours than that, and when `x` is not finite throughout.

    Notes
    -----
    O(n^2 dim) time, O(n) memory.

    Examples
    --------
    >>> prediction_error(np.array([0.0, 1.0, 2.0] * 20), 2, 1, 2, 1, 3)
    0.0
    """
    states = len(x) - (dim - 1) * lag - ahead
    if states < 2 * theiler + 1 + neighbours or not np.isfinite(x).all():
        return np.nan
    return _error(x, dim, lag, theiler, ahead, np.empty(states), np.empty(neighbours), np.empty(neighbours))


@inner
def _error(
    x: NDArray[np.float64],
    dim: int,
    lag: int,
    theiler: int,
    ahead: int,
    squares: NDArray[np.float64],
    nearest: NDArray[np.float64],
    followed: NDArray[np.float64],
) -> float:
    states, last = len(squares), len(nearest) - 1
    follows = x[(dim - 1) * lag + ahead :]
    total = 0.0
    for i in range(states):
        squares[:] = 0.0
        for d in range(dim):
            _add_squares(squares, x[d * lag :], x[d * lag + i])
        squares[max(0, i - theiler) : i + theiler + 1] = np.inf
        nearest[:] = np.inf
        followed[:] = 0.0
        for j in range(states):
            if squares[j] < nearest[last]:
                place = last
                while place > 0 and nearest[place - 1] > squares[j]:
                    nearest[place], followed[place] = nearest[place - 1], followed[place - 1]
                    place -= 1
                nearest[place], followed[place] = squares[j], follows[j]
        foretold = 0.0
        for each in followed:
            foretold += each / len(followed)
        total += (follows[i] - foretold) ** 2
    return total / states


@inner
def _add_squares(squares: NDArray[np.float64], x: NDArray[np.float64], value: float) -> None:
    for j in range(len(squares)):
        squares[j] += (x[j] - value) ** 2
