"""Entropies, 0-1 test, recurrence quantification, period and surrogate test: cost, beside others, and errors.

``python -m benches.bench_complexity``

*Speed*: the best of short runs that take turns, on one thread, after everything is compiled; each library at
the parameters of ours, and its answer beside ours. A library that is not installed has no line. Answers
agree but for the vertical lines: neurokit2 has those in one half of the plot. *Values*: what known
series have. *Found*: how often noise is taken for periodic or nonlinear, and a law for nonlinear.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.entropy import permutation_entropy, sample_entropy
from operators.kernels.rqa import quantify
from operators.kernels.zero_one import zero_one
from operators.period import period
from operators.surrogates import iaaft, nonlinearity
from tests import systems

PEERS = ("nolds", "neurokit2")
SERIES = 400
Series = NDArray[np.float64]
Call = Callable[[], Any]


def best(calls: dict[str, Call]) -> dict[str, float]:
    """Least seconds of each call, over rounds of a second or so."""
    for call in calls.values():
        call()
    least = dict.fromkeys(calls, np.inf)
    began = time.perf_counter()
    rounds = 0
    while rounds < 3 or time.perf_counter() - began < 1.0:
        rounds += 1
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def peer(name: str) -> Any:
    """The module of that name, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def table(title: str, calls: dict[str, Call]) -> None:
    """Time each, the first one being ours."""
    print(f"\n{title}")
    taken = best(calls)
    ours = next(iter(taken.values()))
    for name, each in taken.items():
        answer = calls[name]()
        print(f"  {name:<34}{each * 1e6:>14,.1f} us{each / ours:>12,.1f} x ours   {answer}")


def permutation_entropies(x: Series, order: int) -> Iterator[tuple[str, Call]]:
    yield "ours", lambda: round(permutation_entropy(x, order, 1), 6)
    if nk := peer("neurokit2"):
        yield (
            "neurokit2 entropy_permutation",
            lambda: round(float(nk.entropy_permutation(x, dimension=order, delay=1)[0]), 6),
        )


def sample_entropies(x: Series) -> Iterator[tuple[str, Call]]:
    radius = 0.2 * float(x.std())
    yield "ours", lambda: round(sample_entropy(x, 2, radius), 6)
    if nolds := peer("nolds"):
        sampen = partial(nolds.sampen, x, emb_dim=2, tolerance=radius, closed=True)
        yield "nolds sampen", lambda: round(float(sampen()), 6)
    if nk := peer("neurokit2"):
        yield (
            "neurokit2 entropy_sample",
            lambda: round(float(nk.entropy_sample(x, delay=1, dimension=2, tolerance=radius)[0]), 6),
        )


def plots(x: Series) -> Iterator[tuple[str, Call]]:
    radius = 0.2 * float(x.std())

    def ours() -> list[float]:
        lines = quantify(x, 1, 1, 0, radius, 2)
        return [round(lines[place], 5) for place in (0, 1, 2, 3, 4, 5)]

    def theirs() -> list[float]:
        found = nk.complexity_rqa(x, dimension=1, delay=1, tolerance=radius)[0]
        names = ("RecurrenceRate", "Determinism", "Laminarity", "L", "Divergence", "LEn")
        numbers = [float(found[name].iloc[0]) for name in names]
        numbers[4] = 1.0 / numbers[4]
        return [round(number, 5) for number in numbers]

    yield "ours", ours
    if nk := peer("neurokit2"):
        yield "neurokit2 complexity_rqa", theirs


def noises(seed: int, n: int) -> dict[str, Series]:
    """Linear noise of several kinds, and one seen through a cube."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n + 200)
    swing = np.zeros(n + 200)
    for i in range(2, n + 200):
        swing[i] = 1.6454 * swing[i - 1] - 0.9025 * swing[i - 2] + noise[i]
    return {
        "white": noise[200:],
        "AR(1) 0.5": systems.red_noise(n, 0.5, seed),
        "AR(1) 0.9": systems.red_noise(n, 0.9, seed),
        "AR(1) 0.98": systems.red_noise(n, 0.98, seed),
        "walk": np.cumsum(noise)[200:],
        "AR(2), 12 samples": swing[200:],
        "its cube": swing[200:] ** 3,
    }


def laws(seed: int, n: int) -> dict[str, Series]:
    """What is not linear noise."""
    rng = np.random.default_rng(seed)
    henon = systems.henon(n, 200 + seed)
    lorenz = systems.lorenz(n + 40 * seed, 0.1)[-n:]
    return {
        "logistic r=4": systems.logistic(n, 4.0, rng.uniform(0.1, 0.9)),
        "Henon": henon,
        "Henon + 30 % noise": henon + 0.3 * henon.std() * rng.normal(size=n),
        "Lorenz": lorenz,
        "Lorenz + 20 % noise": lorenz + 0.2 * lorenz.std() * rng.normal(size=n),
    }


def values() -> None:
    t = np.arange(1000.0)
    known = {
        "logistic r=4": systems.logistic(1000),
        "logistic r=3.97": systems.logistic(1000, 3.97),
        "logistic r=3.55 (period 8)": systems.logistic(1000, 3.55),
        "Henon": systems.henon(1000),
        "Lorenz, step 0.5": systems.lorenz(1000, 0.5),
        "sine": np.sin(t * 0.5),
        "torus": np.sin(t) + np.sin(np.sqrt(2) * t),
        "white noise": np.random.default_rng(0).normal(size=1000),
    }
    names = ("perm 3", "perm 5", "sample", "0-1", "DET", "LAM")
    print(f"\n{'values, 1,000 samples':<30}" + "".join(f"{name:>9}" for name in names))
    for name, x in known.items():
        radius = 0.2 * float(x.std())
        lines = quantify(x, 2, 1, 1, radius, 2)
        row = (permutation_entropy(x, 3, 1), permutation_entropy(x, 5, 1), sample_entropy(x, 2, radius))
        row = (*row, zero_one(x, 100), lines.determinism, lines.laminarity)
        print(f"{name:<30}" + "".join(f"{number:>9.3f}" for number in row))


def alarms() -> None:
    print(f"\n{f'found in {SERIES} series, %':<26}     n   periodic at 1 %   at 5 %   nonlinear at 5 %")
    for n in (64, 256):
        for name in noises(0, n):
            series = [noises(seed, n)[name] for seed in range(SERIES)]
            chances = np.array([period(x).p_value for x in series])
            laws_seen = [nonlinearity(x, np.random.default_rng(9), 19).p_value <= 0.05 for x in series]
            shares = (np.mean(chances < 0.01), np.mean(chances < 0.05), np.mean(laws_seen))
            print(
                f"{name:<26}{n:>6}"
                + "".join(f"{100 * s:>{w}.1f}" for s, w in zip(shares, (18, 9, 19), strict=True))
            )
        for name in laws(0, n):
            found = [
                nonlinearity(laws(seed, n)[name], np.random.default_rng(9), 19).p_value <= 0.05
                for seed in range(20)
            ]
            print(f"{name + ' (20 series)':<26}{n:>6}{'':>27}{100 * np.mean(found):>19.1f}")


def main() -> None:
    present = [name for name in PEERS if peer(name)]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", *present)]
    print(f"{platform.machine()}, Python {platform.python_version()}, {', '.join(versions)}")
    for name in set(PEERS) - set(present):
        print(f"{name} is not installed")
    rng = np.random.default_rng(0)
    for order in (3, 5):
        table(
            f"permutation entropy of 1,000, order {order}",
            dict(permutation_entropies(rng.normal(size=1000), order)),
        )
    for n in (1000, 2000):
        table(f"sample entropy of {n:,}, dim 2, radius 0.2 sd", dict(sample_entropies(rng.normal(size=n))))
    for name, x in (("white noise", rng.normal(size=500)), ("a sine", np.sin(np.arange(500) * 0.3))):
        table(f"recurrence of 500 of {name}, dim 1, radius 0.2 sd", dict(plots(x)))
    lengths = (100, 250, 1000, 4000, 10_000)
    print(f"\n{'ours, us':<34}" + "".join(f"{n:>12,}" for n in lengths))
    curves: dict[str, Callable[[Series], Any]] = {
        "permutation entropy, order 5": lambda x: permutation_entropy(x, 5, 1),
        "sample entropy": lambda x: sample_entropy(x, 2, 0.2),
        "0-1 test, 100 frequencies": lambda x: zero_one(x, 100),
        "recurrence, dim 3": lambda x: quantify(x, 3, 1, 1, 0.2, 2),
        "period": period,
        "IAAFT": lambda x: iaaft(x, np.random.default_rng(1)),
    }
    for name, curve in curves.items():
        row = [best({name: partial(curve, rng.normal(size=n))})[name] for n in lengths]
        print(f"{name:<34}" + "".join(f"{seconds * 1e6:>12,.1f}" for seconds in row))
    values()
    alarms()


if __name__ == "__main__":
    main()
