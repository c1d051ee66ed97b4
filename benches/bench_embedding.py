"""Delay, dimension and correlation dimension of a series: what they cost, how right they are, beside others.

``python -m benches.bench_embedding``

*sum*: the correlation sum at 16 radii and a line through it, maximum norm, the same dimension, lag and radii
for all (neurokit2: Euclidean norm, 16 radii of its own). An answer of nolds that differs from ours by more
than 0.1 %, after the pairs of each point with itself that it counts were added to ours, is an error.
*search*: false neighbours, Cao's ratios and mutual information, to 8 dimensions and 50 lags, all options the
other's own. *right*: the correlation dimension of series whose dimension is published, each library at its
own defaults for the radii, with the same embedding: ours with its interval, plain and with 5 % of noise.
Times are the least of several runs, on one thread, after everything is compiled. A library that is not
installed has no column.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import platform
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from operators.embedding import delay, levelled, mean_period, unfolded
from operators.kernels.cao import cao
from operators.kernels.correlation import correlation_dimension, correlation_sum
from operators.kernels.delay import mutual_information
from operators.kernels.false_neighbours import false_neighbours
from tests import systems

Series = NDArray[np.float64]
PEERS = ("nolds", "neurokit2")
LENGTHS = (250, 500, 1000, 2000, 4000, 10_000)
PEERS_TO = 2000
"""Samples at most that others are given: nolds takes a minute for 10,000."""


def peer(name: str) -> Any:
    """The module of that name, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def least(call: Callable[[], object], seconds: float = 1.0) -> float:
    """Seconds of the fastest run, of as many as fit into `seconds`, three at least, after one for nothing."""
    call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 99):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def row(name: str, cells: list[float]) -> None:
    print(f"{name:<34}" + "".join(f"{cell:>12.4g}" for cell in cells))


def slope(x: Series, dim: int, lag: int, radii: Series, alone: float = 0.0) -> float:
    """The dimension that a line through all radii shows; `alone` is added to the sums."""
    sums = correlation_sum(x, dim, lag, 0, radii) + alone
    return float(np.polyfit(np.log(radii[sums > 0]), np.log(sums[sums > 0]), 1)[0])


def sums(nolds: Any, neurokit: Any) -> None:
    print(f"\n{'sum, ms; Lorenz, dim 5, lag 4':<34}" + "".join(f"{n:>12,}" for n in LENGTHS))
    lorenz = systems.lorenz(LENGTHS[-1], 0.05)[-LENGTHS[-1] :]
    ours: list[float] = []
    others: dict[str, list[float]] = {}
    for n in LENGTHS:
        x = lorenz[:n]
        radii = x.std() * 1.2 ** np.arange(-15.0, 1.0)
        ours.append(1e3 * least(partial(slope, x, 5, 4, radii)))
        if n > PEERS_TO:
            continue
        if nolds:
            options = {"lag": 4, "rvals": radii, "dist": nolds.rowwise_chebyshev, "fit": "poly"}
            call = partial(nolds.corr_dim, x, 5, **options)
            np.testing.assert_allclose(call(), slope(x, 5, 4, radii, 1 / (n - 16 - 1)), rtol=1e-3)
            others.setdefault("nolds", []).append(1e3 * least(call))
        if neurokit:
            call = partial(neurokit.fractal_correlation, x, delay=4, dimension=5, radius=16)
            others.setdefault("neurokit2", []).append(1e3 * least(call))
    row("ours", ours)
    for name, times in others.items():
        row(name, times)
        row(f"{name} / ours", [theirs / own for theirs, own in zip(times, ours, strict=False)])
    row(
        "correlation_dimension",
        [1e3 * least(partial(correlation_dimension, lorenz[:n], 5, 4, 33)) for n in LENGTHS],
    )


def searches(neurokit: Any) -> None:
    print(f"\n{'search, ms; Lorenz, lag 4':<34}" + "".join(f"{n:>12,}" for n in LENGTHS[:4]))
    series = [systems.lorenz(n, 0.05)[-n:] for n in LENGTHS[:4]]
    calls: dict[str, tuple[Callable[[Series], Any], Callable[[Series], Any] | None]] = {
        "false neighbours": (lambda x: false_neighbours(x, 8, 4, 0), None),
        "Cao": (lambda x: cao(x, 8, 4, 0), None),
        "mutual information": (lambda x: mutual_information(x, 50, math.isqrt(len(x) // 5)), None),
    }
    if neurokit:
        dimension, lag = neurokit.complexity_dimension, neurokit.complexity_delay
        calls = {
            "false neighbours": (
                calls["false neighbours"][0], lambda x: dimension(x, delay=4, dimension_max=8, method="fnn")
            ),
            "Cao": (calls["Cao"][0], lambda x: dimension(x, delay=4, dimension_max=8, method="afnn")),
            "mutual information": (
                calls["mutual information"][0], lambda x: lag(x, delay_max=50, method="fraser1986")
            ),
        }  # fmt: skip
    for name, (mine, theirs) in calls.items():
        own = [1e3 * least(partial(mine, x)) for x in series]
        row(f"{name}, ours", own)
        if theirs:
            other = [1e3 * least(partial(theirs, x)) for x in series]
            row(f"{name}, neurokit2 / ours", [a / b for a, b in zip(other, own, strict=True)])


def known(n: int) -> dict[str, tuple[Series, float]]:
    """Series and their published or exact dimensions."""
    t = np.arange(n)
    return {
        "Henon": (systems.henon(n), 1.22),
        "logistic r=4": (systems.logistic(n), 1.0),
        "Lorenz, step 0.05": (systems.lorenz(n, 0.05)[-n:], 2.05),
        "Lorenz, step 0.01": (systems.lorenz(n, 0.01)[-n:], 2.05),
        "Roessler, step 0.2": (systems.roessler(n, 0.2)[-n:], 1.99),
        "sine": (np.sin(t * 0.1), 1.0),
        "torus": (np.sin(t / 6) + np.sin(t / 6 * 1.618034), 2.0),
        "white noise": (np.random.default_rng(1).normal(size=n), float("inf")),
        "AR(1) 0.9": (systems.red_noise(n, 0.9, 1), float("inf")),
    }


def right(n: int, noise: float, nolds: Any, neurokit: Any) -> None:
    print(
        f"\n{f'right, n = {n:,}, {noise:.0%} noise':<24}{'delay':>6}{'window':>7}{'FNN':>5}{'Cao':>5}", end=""
    )
    print(f"{'published':>11}{'ours in 5':>11}{'95 %':>16}{'nolds':>8}{'neurokit2':>11}")
    for name, (series, published) in known(n).items():
        x = series + noise * series.std() * np.random.default_rng(2).normal(size=n)
        lag, window = delay(x), mean_period(x)
        unfolds = unfolded(false_neighbours(x, 8, lag, window))
        levels = levelled(*cao(x, 8, lag, window), n - 9 * lag)
        dimension, low, high, _ = correlation_dimension(x, 5, lag, window)
        print(f"{name:<24}{lag:>6}{window:>7}{unfolds or '-':>5}{levels or '-':>5}{published:>11.2f}", end="")
        print(f"{dimension:>11.3f}{f'{low:.2f} .. {high:.2f}':>16}", end="")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(f"{nolds.corr_dim(x, 5, lag=lag, fit='poly') if nolds else np.nan:>8.2f}", end="")
            other = neurokit.fractal_correlation(x, delay=lag, dimension=5)[0] if neurokit else np.nan
            print(f"{other:>11.2f}")


def main() -> None:
    nolds, neurokit = map(peer, PEERS)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", end="")
    print(f", numba {numba.__version__}", end="")
    for name, module in zip(PEERS, (nolds, neurokit), strict=True):
        print(f", {name} {importlib.metadata.version(name) if module else 'not installed'}", end="")
    print()
    sums(nolds, neurokit)
    searches(neurokit)
    right(2000, 0.0, nolds, neurokit)
    right(2000, 0.05, nolds, neurokit)


if __name__ == "__main__":
    main()
