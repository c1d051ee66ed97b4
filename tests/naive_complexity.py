"""Slow, obvious twins of the entropies, the 0-1 test, recurrence quantification and prediction."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def permutation_entropy(x: Series, order: int, lag: int) -> float:
    """By sorting each window; a stable sort keeps equal values in the order of their appearance."""
    windows = [x[i : i + (order - 1) * lag + 1 : lag] for i in range(len(x) - (order - 1) * lag)]
    patterns = Counter(tuple(np.argsort(window, kind="stable")) for window in windows)
    shares = [count / len(windows) for count in patterns.values()]
    return -sum(p * math.log(p) for p in shares) / math.log(math.factorial(order))


def sample_entropy(x: Series, dim: int, radius: float) -> float:
    """Both counts pair by pair."""
    matches = []
    for length in (dim, dim + 1):
        passages = [x[i : i + length] for i in range(len(x) - dim)]
        matches.append(
            sum(
                np.abs(passages[i] - passages[j]).max() <= radius
                for i in range(len(passages))
                for j in range(i + 1, len(passages))
            )
        )
    return -math.log(matches[1] / matches[0]) if matches[1] else math.nan


def plot(x: Series, dim: int, lag: int, theiler: int, radius: float) -> NDArray[np.bool_]:
    """The recurrence plot."""
    count = len(x) - (dim - 1) * lag
    states = np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)
    recurs = np.abs(states[:, None] - states[None]).max(axis=2) <= radius
    places = np.arange(count)
    return np.asarray(recurs & (np.abs(places[:, None] - places) > theiler))


def runs(row: Iterable[np.bool_]) -> list[int]:
    """Lengths of the runs of True."""
    lengths, run = [], 0
    for each in [*row, False]:
        if each:
            run += 1
        elif run:
            lengths.append(run)
            run = 0
    return lengths


def quantify(x: Series, dim: int, lag: int, theiler: int, radius: float, shortest: int) -> tuple[float, ...]:
    """All of the plot, both halves: rate, determinism, laminarity, mean, longest, entropy, trapping time."""
    recurs = plot(x, dim, lag, theiler, radius)
    count = len(recurs)
    points = int(recurs.sum())
    pairs = (count - theiler) * (count - theiler - 1)
    if points == 0:
        return (0.0, *[math.nan] * 6)
    diagonals = [run for k in range(1 - count, count) for run in runs(np.diagonal(recurs, k))]
    verticals = [run for column in recurs.T for run in runs(column)]
    diagonals = [run for run in diagonals if run >= shortest]
    verticals = [run for run in verticals if run >= shortest]
    shares = [number / len(diagonals) for number in Counter(diagonals).values()]
    return (
        points / pairs,
        sum(diagonals) / points,
        sum(verticals) / points,
        float(np.mean(diagonals)) if diagonals else math.nan,
        float(max(diagonals, default=0)),
        -sum(p * math.log(p) for p in shares) if diagonals else math.nan,
        float(np.mean(verticals)) if verticals else math.nan,
    )


def zero_one(x: Series, angles: Iterable[float]) -> float:
    """With the walks laid out, and the term of the paper for what the mean does."""
    longest = len(x) // 10
    steps = np.arange(1, longest + 1)
    found = []
    for c in angles:
        turn = np.arange(1, len(x) + 1) * c
        p, q = (np.cumsum([0.0, *(x * wave)]) for wave in (np.cos(turn), np.sin(turn)))
        starts = np.arange(len(x) - longest)
        displaced = [
            float(np.mean((p[starts + k] - p[starts]) ** 2 + (q[starts + k] - q[starts]) ** 2)) for k in steps
        ]
        regular = x.mean() ** 2 * (1 - np.cos(steps * c)) / (1 - math.cos(c))
        found.append(float(np.corrcoef(steps, displaced - regular)[0, 1]))
    return float(np.median(found))


def prediction_error(x: Series, dim: int, lag: int, theiler: int, ahead: int, neighbours: int) -> float:
    """By sorting all distances of each state."""
    count = len(x) - (dim - 1) * lag - ahead
    states = np.stack([x[d * lag : d * lag + count] for d in range(dim)], axis=1)
    follows = x[(dim - 1) * lag + ahead :]
    errors = []
    for i in range(count):
        squares = ((states - states[i]) ** 2).sum(axis=1)
        squares[max(0, i - theiler) : i + theiler + 1] = np.inf
        errors.append(follows[i] - follows[np.argsort(squares, kind="stable")[:neighbours]].mean())
    return float(np.mean(np.square(errors)))
