"""Series whose regime is known, other ones with every seed: what confidence is learnt and checked on.

Strategy. A kind is a function of the length and a random generator; amplitudes, periods and phases are drawn.
Where two answers are right (a walk may happen to go one way), both are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from operators.regimes import Regime
from tests import systems

Series = NDArray[np.float64]
Kind = Callable[[int, np.random.Generator], NDArray[np.floating]]

__all__ = ["population", "waves"]

GOLD = (1 + 5**0.5) / 2


def waves(n: int, rng: np.random.Generator, *periods: float) -> Series:
    """A sum of sines, each of its own phase."""
    t = 2 * np.pi * np.arange(n)
    total: Series = np.sum([np.sin(t / period + rng.uniform(0, 2 * np.pi)) for period in periods], axis=0)
    return total


def coloured(n: int, rng: np.random.Generator, slope: float) -> Series:
    """Noise whose power falls with this power of the frequency: 1 is pink."""
    frequency = np.fft.rfftfreq(4 * n)
    frequency[0] = np.inf
    phases = rng.normal(size=len(frequency)) + 1j * rng.normal(size=len(frequency))
    return np.fft.irfft(phases * frequency ** (-slope / 2), 4 * n)[:n]


def autoregressive(n: int, rng: np.random.Generator, *past: float) -> Series:
    """Each value is the last ones times these, and white noise."""
    out = np.zeros(n + 300)
    noise = rng.normal(size=n + 300)
    for i in range(len(past), n + 300):
        out[i] = noise[i] + sum(weight * out[i - 1 - k] for k, weight in enumerate(past))
    return out[300:]


def resonant(n: int, rng: np.random.Generator, damping: float, period: float) -> Series:
    """Noise with a spectral peak."""
    return autoregressive(n, rng, 2 * damping * np.cos(2 * np.pi / period), -(damping**2))


def ikeda(n: int, rng: np.random.Generator) -> Series:
    """The real part of the Ikeda map at u = 0.9."""
    z = complex(rng.uniform(0, 0.2), rng.uniform(0, 0.2))
    out = np.empty(n + 100)
    for i in range(n + 100):
        z = 1.0 + 0.9 * z * np.exp(1j * (0.4 - 6.0 / (1.0 + abs(z) ** 2)))
        out[i] = z.real
    return out[100:]


def standard_map(n: int, rng: np.random.Generator) -> Series:
    """The sine of the angle of Chirikov's map at K = 6."""
    turn, angle = rng.uniform(0, 2 * np.pi, 2)
    out = np.empty(n)
    for i in range(n):
        turn = (turn + 6.0 * np.sin(angle)) % (2 * np.pi)
        angle = (angle + turn) % (2 * np.pi)
        out[i] = np.sin(angle)
    return out


def bursts(n: int, rng: np.random.Generator) -> Series:
    """GARCH(1, 1): independent signs, but a large value is followed by large ones."""
    out, variance = np.zeros(n + 200), 1.0
    for i in range(1, n + 200):
        variance = 0.05 + 0.15 * out[i - 1] ** 2 + 0.82 * variance
        out[i] = np.sqrt(variance) * rng.normal()
    return out[200:]


def buried(wave: Kind, amount: float) -> Kind:
    """A wave with this much noise on it, as share of its deviation."""

    def series(n: int, rng: np.random.Generator) -> Series:
        x = np.asarray(wave(n, rng), np.float64)
        return x + amount * x.std() * rng.normal(size=n)

    return series


def iterated(n: int, step: Callable[[float], float], start: float) -> Series:
    """The orbit of a map of the line, without its beginning."""
    x, out = start, np.empty(n + 200)
    for i in range(n + 200):
        out[i] = x = step(x)
    return out[200:]


def _some(rng: np.random.Generator, n: int) -> float:
    """A period of which there are some turns."""
    return float(rng.uniform(5, min(n / 8, 40)))


def _late(series: Callable[[int], Series], n: int, rng: np.random.Generator) -> Series:
    return series(n + int(rng.integers(0, 400)))[-n:]


_REST: dict[str, Kind] = {
    "constant": lambda n, rng: np.full(n, 10 ** rng.uniform(-6, 6)),
    "constant and dust": lambda n, rng: 10 ** rng.uniform(-6, 6) * (1 + 1e-14 * rng.normal(size=n)),
    "logistic, fixed": lambda n, rng: systems.logistic(n, rng.choice([2.5, 2.7, 2.8, 2.9]), skip=0),
    "decay": lambda n, rng: 3.0 + rng.uniform(0.5, 0.93) ** np.arange(n),
    "damped": lambda n, rng: waves(n, rng, rng.uniform(4, n / 12)) * np.exp(-20.0 * np.arange(n) / n),
}
_WAY: dict[str, Kind] = {
    "ramp": lambda n, rng: rng.choice([-1.0, 1.0]) * n * np.arange(n),
    "ramp and noise": lambda n, rng: np.arange(n) / n + 0.15 * rng.normal(size=n),
    "parabola": lambda n, rng: rng.choice([-1.0, 1.0]) * np.arange(n) ** 2.0,
    "growth": lambda n, rng: np.exp(rng.uniform(1, 6) * np.arange(n) / n),
    "logarithm": lambda n, _: np.log(np.arange(n) + 5.0),
    "ramp and sine": lambda n, rng: 10.0 * np.arange(n) / n + waves(n, rng, _some(rng, n)),
}
_CYCLES: dict[str, Kind] = {
    "sine": lambda n, rng: 10 ** rng.uniform(-3, 6) * waves(n, rng, rng.uniform(3, n / 4)) + rng.normal(),
    "sine, few turns": lambda n, rng: waves(n, rng, n / rng.uniform(3, 5)),
    "sine, fast": lambda n, rng: waves(n, rng, rng.uniform(2.1, 6)),
    "square": lambda n, rng: np.sign(waves(n, rng, rng.uniform(3, n / 4)) + 1e-9),
    "pulse": lambda n, rng: (waves(n, rng, _some(rng, n)) > 0.8) * 1.0,
    "sawtooth": lambda n, rng: (np.arange(n) / _some(rng, n) + rng.uniform()) % 1.0,
    "triangle": lambda n, rng: np.abs((np.arange(n) / _some(rng, n) + rng.uniform()) % 1.0 - 0.5),
    "harmonics": lambda n, rng: waves(n, rng, *(_some(rng, n) / np.array([1, 2, 3]))),
    "pattern": lambda n, rng: np.resize(rng.normal(size=rng.integers(2, 13)), n),
    "logistic, cycle": lambda n, rng: systems.logistic(n, rng.choice([3.2, 3.5, 3.55, 3.83]), skip=2000),
}
_BURIED: dict[str, Kind] = {
    f"{name}, {round(100 * amount)} % noise": buried(_CYCLES[name], amount)
    for name, amount in (
        ("sine", 0.4),
        ("sine", 1.0),
        ("sine, fast", 0.7),
        ("harmonics", 0.7),
        ("triangle", 0.5),
    )
}
_TORI: dict[str, Kind] = {
    "torus, golden": lambda n, rng: waves(n, rng, *(_some(rng, n) / np.array([1, GOLD]))),
    "torus, root 2": lambda n, rng: waves(n, rng, *(_some(rng, n) / np.array([1, 2**0.5]))),
    "torus, root 3": lambda n, rng: waves(n, rng, *(_some(rng, n) / np.array([1, 3**0.5]))),
    "torus, product": lambda n, rng: np.prod(
        [waves(n, rng, p) for p in _some(rng, n) / np.array([1, GOLD / 3])], 0
    ),
    "torus, modulated": lambda n, rng: (1 + 0.6 * waves(n, rng, 20.0)) * waves(n, rng, 10.0 / GOLD),
    "torus, three": lambda n, rng: waves(n, rng, *(_some(rng, n) / np.array([1, GOLD, 2**1.5]))),
}
_NOISES: dict[str, Kind] = {
    "white": lambda n, rng: rng.normal(size=n),
    "uniform": lambda n, rng: rng.uniform(size=n),
    "exponential": lambda n, rng: rng.exponential(size=n),
    "heavy tails": lambda n, rng: rng.standard_t(2, size=n),
    "two values": lambda n, rng: rng.integers(0, 2, n) * 1.0,
    "AR(1) -0.7": lambda n, rng: autoregressive(n, rng, -0.7),
    "AR(1) 0.5": lambda n, rng: autoregressive(n, rng, 0.5),
    "AR(1) 0.9": lambda n, rng: autoregressive(n, rng, 0.9),
    "AR(2), peak at 8": lambda n, rng: resonant(n, rng, 0.9, 8.0),
    "AR(2), peak at 20": lambda n, rng: resonant(n, rng, 0.98, 20.0),
    "pink": lambda n, rng: coloured(n, rng, 1.0),
    "lognormal": lambda n, rng: rng.lognormal(0.0, rng.uniform(0.5, 2.0), n),
    "Pareto": lambda n, rng: rng.pareto(rng.uniform(1.2, 3.0), n),
    "gamma": lambda n, rng: rng.gamma(rng.uniform(0.3, 2.0), size=n),
    "exponential, squared": lambda n, rng: rng.exponential(size=n) ** 2,
    "Poisson": lambda n, rng: rng.poisson(rng.uniform(0.3, 4.0), n) * 1.0,
    "rare": lambda n, rng: (rng.uniform(size=n) < 0.1) * 1.0,
    "Zipf, logarithm": lambda n, rng: np.log2(np.minimum(rng.zipf(1.3, n), 50000) + 1.0),
    "mixture": lambda n, rng: rng.normal(size=n) + 6.0 * (rng.uniform(size=n) < 0.3),
    "outliers": lambda n, rng: rng.normal(size=n) * np.where(rng.uniform(size=n) < 0.05, 10.0, 1.0),
    "bursts": bursts,
    "telegraph": lambda n, rng: np.cumprod(np.where(rng.uniform(size=n) < 0.15, -1.0, 1.0)),
    "moving average": lambda n, rng: np.convolve(rng.normal(size=n + 4), [1, 0.6, -0.4, 0.3, 0.2], "valid"),
}
_WALKS: dict[str, Kind] = {"random walk": lambda n, rng: np.cumsum(rng.normal(size=n))}
_CHAOS: dict[str, Kind] = {
    "logistic, 3.6 to 4": lambda n, rng: systems.logistic(
        n, rng.choice([3.6, 3.65, 3.7, 3.75, 3.8, 3.9, 3.95, 4.0]), rng.uniform(0.1, 0.9)
    ),
    "Henon": lambda n, rng: systems.henon(n, 200 + int(rng.integers(0, 500))),
    "tent": lambda n, rng: iterated(n, lambda x: 1.99 * min(x, 1.0 - x), rng.uniform(0.1, 0.9)),
    "Gauss": lambda n, rng: iterated(n, lambda x: float(np.exp(-6.2 * x * x)) - 0.5, rng.uniform(0, 0.5)),
    "Ikeda": ikeda,
    "standard map": standard_map,
    "Ricker": lambda n, rng: iterated(n, lambda x: x * float(np.exp(2.9 * (1.0 - x))), rng.uniform(0.1, 0.9)),
    "Bernoulli": lambda n, rng: iterated(n, lambda x: (1.9999 * x + 1e-9) % 1.0, rng.uniform(0.1, 0.9)),
    "Lorenz, 0.1": lambda n, rng: _late(lambda m: systems.lorenz(m, 0.1), n, rng),
    "Lorenz, 0.05": lambda n, rng: _late(lambda m: systems.lorenz(m, 0.05), n, rng),
    "Roessler, 0.5": lambda n, rng: _late(lambda m: systems.roessler(m, 0.5), n, rng),
    "Roessler, 0.2": lambda n, rng: _late(lambda m: systems.roessler(m, 0.2), n, rng),
}
_KINDS: tuple[tuple[dict[str, Kind], frozenset[Regime]], ...] = (
    (_REST, frozenset({Regime.FIXED_POINT})),
    (_WAY, frozenset({Regime.TREND})),
    (_CYCLES, frozenset({Regime.LIMIT_CYCLE})),
    (_BURIED, frozenset({Regime.LIMIT_CYCLE})),
    (_TORI, frozenset({Regime.TORUS})),
    (_NOISES, frozenset({Regime.NOISE})),
    (_WALKS, frozenset({Regime.NOISE, Regime.TREND})),
    (_CHAOS, frozenset({Regime.CHAOTIC})),
)


def population(n: int, seed: int, noise: float = 0.0) -> dict[str, tuple[frozenset[Regime], Series]]:
    """One series of each kind: the answers that are right, and float64[n] with as much `noise` on it, as
    share of its deviation. A series at rest, one on its way and one of noise get none: they would be others.
    """
    rng = np.random.default_rng([seed, n])
    made = {}
    for kinds, right in _KINDS:
        for name, kind in kinds.items():
            x: Series = np.asarray(kind(n, rng), np.float64)
            if right & {Regime.LIMIT_CYCLE, Regime.TORUS, Regime.CHAOTIC}:
                x = x + noise * x.std() * rng.normal(size=n)
            made[name] = (right, x)
    return made
