"""Slow, obvious twins of the change detectors: everything is kept, and every sum is taken anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

__all__ = [
    "Adwin",
    "Runs",
    "cusum",
    "cusum_run_length",
    "deviations",
    "normal_score",
    "page_hinkley",
    "shares",
]

Interval = tuple[float, float]


def shares(values: Sequence[float], reference: int) -> list[tuple[Interval, int] | None]:
    """Where each value stands among those before it, as far as that is known from the first `reference`.

    With it, how many of those before it stood in the same interval.
    """
    edges = values[:reference]

    def cell(value: float) -> tuple[int, bool]:
        return sum(edge < value for edge in edges), value in edges

    found: list[tuple[Interval, int] | None] = []
    for place, value in enumerate(values):
        cells = [cell(other) for other in values[:place]]
        below, equal = sum(other < cell(value) for other in cells), cells.count(cell(value))
        known = (below / (place + 1), (below + equal + 1) / (place + 1))
        found.append((known, equal) if place >= reference else None)
    return found


def normal_score(interval: Interval) -> float:
    """Mean of the normal distribution between two quantiles."""
    normal = NormalDist()
    heights = [normal.pdf(normal.inv_cdf(share)) if 0.0 < share < 1.0 else 0.0 for share in interval]
    return (heights[0] - heights[1]) / (interval[1] - interval[0])


def cusum(x: Sequence[float], slack: float, reach: float) -> tuple[int, int, int] | None:
    """First alarm: the sample, the side, and where the largest sum up to it begins."""
    for place in range(len(x)):
        for side in (1, -1):
            sums = [
                math.fsum(side * value - slack for value in x[first : place + 1])
                for first in range(place + 1)
            ]
            largest = max(sums)
            if largest > reach:
                return place, side, sums.index(largest)
    return None


def cusum_run_length(slack: float, reach: float, states: int = 300) -> float:
    """Mean samples to an alarm of one side over standard normal scores: Brook and Evans, Biometrika 59, 1972.

    The sum is one of `states` steps from zero, each of which stands for the values around it.
    """
    step = 2.0 * reach / (2 * states - 1)
    below = np.vectorize(NormalDist().cdf)
    start, end = np.meshgrid(np.arange(states), np.arange(states), indexing="ij")
    moves = below((end - start + 0.5) * step + slack)
    moves[:, 1:] -= below((end - start - 0.5) * step + slack)[:, 1:]
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


def deviations(x: Sequence[float]) -> list[float]:
    """Of each value from the mean of all up to it."""
    return [value - math.fsum(x[: place + 1]) / (place + 1) for place, value in enumerate(x)]


def page_hinkley(x: Sequence[float], tolerance: float, reach: float) -> tuple[int, int] | None:
    """First alarm of Page's test as Hinkley wrote it: the sample and the side."""
    apart = deviations(x)
    for place in range(len(x)):
        up = np.cumsum([each - tolerance for each in apart[: place + 1]])
        down = np.cumsum([each + tolerance for each in apart[: place + 1]])
        if up[-1] - up.min() > reach:
            return place, 1
        if down.max() - down[-1] > reach:
            return place, -1
    return None


class Adwin:
    """A window of buckets that hold their samples."""

    def __init__(self, delta: float, clock: int, shortest: int, levels: int, most: int) -> None:
        self.delta, self.clock, self.shortest, self.most = delta, clock, shortest, most
        self.levels: list[list[list[float]]] = [[] for _ in range(levels)]
        self.seen = 0

    def window(self) -> list[list[float]]:
        """Buckets, oldest first."""
        return [bucket for level in reversed(self.levels) for bucket in level]

    def cut(self) -> int:
        """Samples before the most telling cut, 0 if there is none."""
        buckets = self.window()
        samples = [value for bucket in buckets for value in bucket]
        n, best, found = len(samples), 1.0, 0
        before = 0
        for bucket in buckets[:-1]:
            before += len(bucket)
            sizes = (before, n - before)
            if min(sizes) < self.shortest:
                continue
            m = 1.0 / sum(1.0 / (size - self.shortest + 1) for size in sizes)
            chance = math.log(2.0 * math.log(n) / self.delta)
            allowed = math.sqrt(2.0 / m * float(np.var(samples)) * chance) + 2.0 / (3.0 * m) * chance
            apart = abs(float(np.mean(samples[:before]) - np.mean(samples[before:])))
            if apart > best * allowed:
                best, found = apart / allowed, before
        return found

    def take(self, value: float) -> int | None:
        """One more sample: if it raises an alarm, the samples behind the most telling cut."""
        self.seen += 1
        self.levels[0].append([value])
        for level, above in zip(self.levels, [*self.levels[1:], None], strict=True):
            if len(level) > self.most:
                if above is None:
                    level.pop(0)
                else:
                    above.append(level.pop(0) + level.pop(0))
        cut = self.cut() if self.seen % self.clock == 0 else 0
        return sum(map(len, self.window())) - cut if cut else None


class Runs:
    """Adams and MacKay's posterior of the run that goes on, from the samples of each hypothesis."""

    def __init__(
        self, chance: float, prior: tuple[float, float, float, float], most: int | None = None
    ) -> None:
        self.chance, self.prior, self.most = chance, prior, most
        self.runs: list[tuple[int, float, list[float]]] = [(0, 1.0, [])]
        """First sample, probability, samples; the one without a change first."""
        self.likeliest = 0
        """First sample of the likeliest run but the one without a change."""
        self.seen = 0

    def density(self, samples: Sequence[float], value: float) -> float:
        """Of a value under Student's distribution, given the samples of a run."""
        mu, kappa, alpha, beta = self.prior
        n = len(samples)
        mean = math.fsum(samples) / n if n else 0.0
        beta += 0.5 * math.fsum((each - mean) ** 2 for each in samples)
        beta += 0.5 * kappa * n * (mean - mu) ** 2 / (kappa + n)
        mu = (kappa * mu + n * mean) / (kappa + n)
        kappa, alpha = kappa + n, alpha + n / 2
        degrees, scale = 2 * alpha, math.sqrt(beta * (kappa + 1) / (alpha * kappa))
        z = (value - mu) / scale
        height = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
        height -= 0.5 * math.log(degrees * math.pi) + math.log(scale)
        return math.exp(height - (degrees + 1) / 2 * math.log1p(z * z / degrees))

    def take(self, value: float) -> bool:
        """One more sample: whether a change is likelier than none."""
        runs = [(first, p * self.density(held, value), [*held, value]) for first, p, held in self.runs]
        evidence = sum(p for _, p, _ in runs)
        runs = [(first, p / evidence, held) for first, p, held in runs]
        self.seen += 1
        alarm = runs[0][1] < 0.5
        self.likeliest = max(runs[1:], key=lambda run: run[1])[0] if runs[1:] else 0
        runs = [(first, p * (1.0 - self.chance), held) for first, p, held in runs]
        if self.most is not None and len(runs) == self.most:
            runs.remove(min(runs[1:], key=lambda run: run[1]))
        self.runs = [*runs, (self.seen, self.chance, [])]
        return alarm
