"""The largest Lyapunov exponent: what it costs, how far from known values, beside nolds and neurokit2.

``python -m benches.bench_lyapunov``, from where the peers and dysts are installed; what is not is named.

*cost*: one call on a logistic map or a Lorenz flow, least processor time of many runs in turn, all compiled
before; the peers at equal parameters on the same series. *known systems*: relative error over orbits,
dimensions, steps and delays. *dysts*: every system that can be integrated, its first coordinate at 30
samples a period, plain and with noise of 5 % of its standard deviation. Parameters come from the series
alone, by one rule: dim 5, delay a quarter and Theiler window the whole of the mean period, pairs followed
for three (nolds and neurokit2 at their defaults as well). The truth is ``maximum_lyapunov_estimated``; where
it and ``maximum_lyapunov_qr`` of the same table are more than 15 % apart at least one is wrong, so the
systems where they are not are counted apart. A reading that fails, or is undetermined, is none within any
limit.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import signal
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from operators.kernels.kantz import kantz
from operators.kernels.lyapunov import largest_lyapunov, rosenstein
from tests import systems

Series = NDArray[np.float64]
Reading = Callable[[], float]
DATA = Path(os.environ.get("MIDSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
SAMPLES = 2000
A_PERIOD = 30
AGREE = 0.15
SECONDS = 60
"""After which a system is given up."""


def peer(name: str) -> Any:
    """The module of that name, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"({name} is not installed)")
        return None


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def least(calls: dict[str, Callable[[], Any]], budget: float = 2.0) -> dict[str, float]:
    """Least processor seconds of each call, taking turns, after one that does not count."""
    for call in calls.values():
        call()
    best = dict.fromkeys(calls, np.inf)
    began = time.perf_counter()
    while time.perf_counter() - began < budget:
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - start)
    return best


def peers_at(
    x: Series, dim: int, lag: int, theiler: int, steps: int, modules: dict[str, Any]
) -> dict[str, Any]:
    """The peers at our parameters."""
    calls: dict[str, Callable[[], Any]] = {}
    if nolds := modules["nolds"]:
        given = {"emb_dim": dim, "lag": lag, "min_tsep": theiler, "trajectory_len": steps + 1, "fit": "poly"}
        calls["nolds"] = partial(nolds.lyap_r, x, **given)
    if neurokit := modules["neurokit2"]:
        calls["neurokit2"] = lambda: neurokit.complexity_lyapunov(
            x, delay=lag, dimension=dim, separation=theiler, len_trajectory=steps + 1
        )[0]
    return calls


def cost(modules: dict[str, Any]) -> None:
    print(f"\n{'one call, ms':<32}" + "".join(f"{n:>10}" for n in (250, 500, 1000, 2000, 5000, 10000)))
    for name, make, rest in (
        ("logistic, dim 3, 20 steps", systems.logistic, (3, 1, 10, 20)),
        ("Lorenz, dim 5, 100 steps", partial(systems.lorenz, step=0.05), (5, 3, 15, 100)),
    ):
        long = make(10000)[-10000:]
        times = [
            least({"": partial(rosenstein, long[:n].copy(), *rest)}, 1.0)[""] * 1e3
            for n in (250, 500, 1000, 2000, 5000, 10000)
        ]
        print(f"{name:<32}" + "".join(f"{ms:>10.3f}" for ms in times))
    print(f"\n{'1000 points, equal parameters':<32}{'ms':>10}{'x ours':>10}")
    for name, x, rest in (
        ("logistic, dim 3, 20 steps", systems.logistic(1000), (3, 1, 10, 20)),
        ("Lorenz, dim 5, 50 steps", systems.lorenz(1000, 0.05)[-1000:], (5, 3, 15, 50)),
        ("Lorenz, dim 7, 100 steps", systems.lorenz(1000, 0.05)[-1000:], (7, 3, 15, 100)),
    ):
        ours: dict[str, Callable[[], Any]] = {"ours": partial(rosenstein, x, *rest)}
        taken = least(ours | peers_at(x, *rest, modules), 8.0)
        for who, seconds in taken.items():
            print(f"{name + ', ' + who:<32}{seconds * 1e3:>10.3f}{seconds / taken['ours']:>10.1f}")


def known() -> None:
    """Error over orbits and parameters of the four systems with textbook values."""
    print(
        f"\n{'known systems':<32}{'readings':>10}{'<= 10 %':>10}{'<= 25 %':>10}{'median':>10}{'|median|':>10}"
    )
    ratios: dict[str, list[float]] = defaultdict(list)
    for n in (1000, 3000):
        for start in (0.2, 0.3, 0.41):
            for dim in (2, 3, 5):
                for steps in (6, 12, 30):
                    rest = (dim, 1, 5, steps)
                    logistic, henon = systems.logistic(n, x=start), systems.henon(n, round(1000 * start))
                    ratios[f"logistic r=4, n {n}"].append(largest_lyapunov(logistic, *rest) / np.log(2))
                    ratios[f"Henon, n {n}"].append(largest_lyapunov(henon, *rest) / 0.419)
    flows = (
        ("Lorenz, step 0.02", systems.lorenz, 0.02, 0.75, 0.906),
        ("Lorenz, step 0.05", systems.lorenz, 0.05, 0.75, 0.906),
        ("Roessler, step 0.1", systems.roessler, 0.1, 6.0, 0.0714),
        ("Roessler, step 0.2", systems.roessler, 0.2, 6.0, 0.0714),
    )
    for name, flow, step, period, truth in flows:
        orbit = flow(12000, step)[-12000:]
        for n in (2000, 5000):
            for x in (orbit[k : k + n].copy() for k in range(0, len(orbit) - n + 1, n)):
                for dim in (3, 5, 7):
                    for turns in (1, 3, 10):
                        rest = (
                            dim,
                            round(period / 5 / step),
                            round(period / step),
                            round(turns * period / step),
                        )
                        ratios[f"{name}, n {n}"].append(largest_lyapunov(x, *rest) / step / truth)
    for name, values in ratios.items():
        show(name, np.array(values))


def show(name: str, ratios: Series) -> None:
    errors = np.abs(ratios - 1)
    told = np.isfinite(errors)
    within10, within25 = (np.mean(told & (errors <= limit)) for limit in (0.1, 0.25))
    median, typical = np.median(ratios[told]) - 1, np.median(np.where(told, errors, np.inf))
    print(f"{name:<32}{len(ratios):>10}{within10:>10.2f}{within25:>10.2f}{median:>+10.2f}{typical:>10.2f}")


def coordinate(system: Any) -> Series:
    """The first coordinate at 30 samples a period, ten periods thrown away."""
    skipped = 10 * A_PERIOD
    if system.metadata.get("delay"):
        return np.array(system.make_trajectory(SAMPLES, pts_per_period=A_PERIOD)[:, 0], np.float64)
    integrate = importlib.import_module("scipy.integrate")
    times = np.arange(SAMPLES + skipped) * system.period / A_PERIOD
    tolerance = 1e-10 * (np.abs(np.asarray(system.std)) + 1e-3)
    solved = integrate.solve_ivp(
        lambda t, v: np.asarray(system.rhs(v, t)),
        (0, times[-1]),
        np.asarray(system.ic, np.float64).reshape(-1, len(system.std))[0],
        t_eval=times,
        method="LSODA",
        rtol=1e-9,
        atol=tolerance,
    ).y
    if solved.shape[1] != len(times):
        msg = f"{system.name} cannot be integrated"
        raise ArithmeticError(msg)
    if hasattr(system, "_postprocessing"):
        solved = np.array(system._postprocessing(*solved))
    return np.array(solved[0, skipped:], np.float64)


def mean_period(x: Series) -> int:
    """One over the mean frequency of the power spectrum, in samples."""
    power = np.abs(np.fft.rfft(x - x.mean())) ** 2
    return max(4, round(float(len(x) * power.sum() / (np.arange(len(power)) * power).sum())))


def readings(x: Series, modules: dict[str, Any]) -> dict[str, Reading]:
    period = min(mean_period(x), len(x) // 10)
    rest = (5, max(1, period // 4), period, 3 * period)
    radius = 0.1 * x.std() * np.sqrt(5)
    calls: dict[str, Reading] = {
        "ours": partial(largest_lyapunov, x, *rest),
        "ours, Kantz": lambda: kantz(x, *rest, radius)[0],
    }
    calls |= peers_at(x, *rest, modules)
    if nolds := modules["nolds"]:
        calls["nolds, defaults"] = partial(nolds.lyap_r, x)
    if neurokit := modules["neurokit2"]:
        calls["neurokit2, defaults"] = lambda: neurokit.complexity_lyapunov(x)[0]
    return calls


def read(call: Reading) -> float:
    """What it says; NaN if it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with within(SECONDS):
                return float(call())
        except Exception:  # a peer that fails on a series has no reading of it
            return np.nan


def dysts(modules: dict[str, Any]) -> None:
    flows = peer("dysts.flows")
    path = DATA / "dynamics" / "dysts-systems-1.json"
    if flows is None or not path.exists():
        return
    table = json.loads(path.read_text())
    ratios: dict[tuple[str, float, bool], list[float]] = defaultdict(list)
    given_up = []
    for name, facts in table.items():
        estimated, qr = facts["maximum_lyapunov_estimated"], facts["maximum_lyapunov_qr"]
        try:
            with within(SECONDS):
                system = getattr(flows, name)()
                x = coordinate(system)
        except Exception:  # whatever keeps it from being integrated
            given_up.append(name)
            continue
        agreed = qr is not None and abs(qr - estimated) <= AGREE * estimated
        for noise in (0.0, 0.05):
            series = x + noise * x.std() * np.random.default_rng(0).normal(size=len(x))
            for who, call in readings(series, modules).items():
                ratio = read(call) / (estimated * system.period / A_PERIOD)
                for subset in (False, True)[: 1 + agreed]:
                    ratios[who, noise, subset].append(ratio)
    print(f"\ndysts, {SAMPLES} samples; given up: {', '.join(given_up) or 'none'}")
    for subset in (False, True):
        for noise in (0.0, 0.05):
            title = f"{'agreed' if subset else 'all'}, noise {noise:.0%}"
            print(f"{title:<32}{'systems':>10}{'<= 10 %':>10}{'<= 25 %':>10}{'median':>10}{'|median|':>10}")
            for (who, with_noise, of), values in ratios.items():
                if with_noise == noise and of == subset:
                    show(who, np.array(values))


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    modules = {name: peer(name) for name in ("nolds", "neurokit2")}
    cost(modules)
    known()
    dysts(modules)


if __name__ == "__main__":
    main()
