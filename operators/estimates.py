"""All numbers of one sound series, each estimator with parameters that come from the series.

Strategy. The kernels trust their input and answer NaN; why they do is known here. Each estimator gets its
parameters from the series itself (``operators.embedding``), in order: delay, window, dimension, and what is
built on those. An estimator whose condition does not hold is not run, and says the condition. Noise has no
dimension, so nothing that needs one gives a number for it, and that is most of what a wrong number could come
from; the regime says where a number that could be had would mean nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.attractor import Regime
from operators.embedding import delay, levelled, mean_period, unfolded
from operators.kernels.cao import cao
from operators.kernels.correlation import correlation_dimension, correlation_sum
from operators.kernels.entropy import permutation_entropy, sample_entropy
from operators.kernels.false_neighbours import false_neighbours
from operators.kernels.kantz import kantz
from operators.kernels.lyapunov import rosenstein
from operators.kernels.rqa import quantify
from operators.kernels.zero_one import zero_one
from operators.period import LEAST_CYCLES, Period, period
from operators.surrogates import SHORTEST as FOR_SURROGATES
from operators.surrogates import nonlinearity

__all__ = ["Number", "estimates"]

Series = NDArray[np.float64]

_EMBEDDED = 100
"""Samples without which no embedding is asked,"""
_PERIODS = 6
"""and mean periods: with fewer, neighbours are of few turns, and Lorenz was found to be flat."""
_MOST = 8
"""Dimensions that are tried."""
_FEW_FALSE = 0.05
"""Share of false neighbours up to which Cao's dimension is believed where Kennel's finds none. Of noise it
is 0.09 and more."""
_NEIGHBOURS = 30
"""Points in the radius of Kantz, on average: five are needed of most, and each costs time."""
_RECURRENT = 0.05
"""Share of the pairs that recur, in a recurrence plot."""
_GROWS = 0.1
"""Share by which a dimension may grow with one more coordinate."""
_TURNS = 6
"""Mean periods that neighbours are followed."""
_LINE = 2
"""Points of a line in a recurrence plot at least."""
_ORDERS = (6, 5, 4, 3)
_PER_PATTERN = 5
"""Patterns of the chosen order are as many as to have so many samples each."""
_PASSAGE = 2
_ALIKE = 0.2
"""Samples of a passage of the sample entropy, and the deviations in which they are alike."""
_SURE = 0.01
"""Chance that AR(1) noise has such a period, above which it is none."""
_ZERO_ONE = 200
_IN_WALK = 6
"""Periods that a walk of the 0-1 test, a tenth of the series, must hold. Pulses have a K of 1 with one or two
of them, 0.7 with three, 0.2 with four, and less than 0.1 with six."""
_FREQUENCIES = 100


@dataclass(frozen=True, slots=True)
class Number:
    """One answer: a value, or what is missing for one."""

    value: float = math.nan
    """NaN if, and only if, something is missing."""
    low: float = math.nan
    high: float = math.nan
    """Nominal 95 % interval, where there is one: it has been found to hold the truth less often."""
    r2: float = math.nan
    """Share of the variance that the fitted line explains, where there is one."""
    p: float = math.nan
    """How likely the like of it is by chance, where that is known."""
    missing: str = ""
    """Why there is no value."""


def estimates(x: Series, regime: Regime, turn: float, seed: int) -> dict[str, Number]:
    """All numbers of `x`, by the names of their fields in ``operators.study.Study``.

    :param x: float64[n] of mean 0 and deviation 1, 50 samples or more.
    :param regime: Of `x`.
    :param turn: Its period if it is a cycle, else NaN.
    :param seed: Of the surrogates.
    """
    cycle = period(x)
    # Lines stand out of chaos too (Henon's, of AR(1) noise), and are no cycle.
    known = regime in _REGULAR and cycle.p_value < _SURE
    repeats = max(0.0 if math.isnan(turn) else turn, cycle.period if known else 0.0)
    return {**_of_time(x, cycle, regime, seed), **_of_space(x, repeats, regime)}


def _of_time(x: Series, cycle: Period, regime: Regime, seed: int) -> dict[str, Number]:
    """What needs no embedding."""
    sure = cycle.p_value < _SURE
    none = f"needs {LEAST_CYCLES} cycles of one"
    if not sure and math.isfinite(cycle.period):
        none = f"none stands out of AR(1) noise; the best is {cycle.period:.4g}, p {cycle.p_value:.2g}"
    return {
        "period": _number(cycle.period if sure else math.nan, none, p=cycle.p_value),
        "period_strength": _number(cycle.strength if sure else math.nan, none),
        "sample_entropy": _number(
            sample_entropy(x, _PASSAGE, _ALIKE),
            f"no {_PASSAGE + 1} samples are within {_ALIKE} deviations of any others",
        ),
        "nonlinearity": _nonlinear(x, regime, seed),
    }


def _nonlinear(x: Series, regime: Regime, seed: int) -> Number:
    """The test against linear noise, where the series could be noise at all."""
    if regime in _REGULAR:
        return Number(
            missing=f"{_called(regime)}: no noise, and surrogates of its lines differ at the ends only"
        )
    if len(x) < FOR_SURROGATES:
        return Number(missing=f"needs {FOR_SURROGATES} samples, got {len(x):,}")
    if len(np.unique(x)) <= 2:
        return Number(missing="needs more than two values, got 2")
    p_value, deviations = nonlinearity(x, np.random.default_rng(seed))
    return _number(deviations, "its surrogates are all alike, or a linear law leaves nothing", p=p_value)


def _of_space(x: Series, repeats: float, regime: Regime) -> dict[str, Number]:
    """What is built on a delay, and in turn on the dimension."""
    lag, window = delay(x), mean_period(x)
    if not lag:
        forgets = f"its autocorrelation stays above 1 / e for a quarter of its {len(x):,} samples"
        return {name: Number(missing=forgets) for name in (*_BY_LAG, *_BY_DIMENSION)}
    numbers = {"delay": Number(lag), "window": Number(window), **_by_lag(x, lag, repeats, regime)}
    needed = max(_EMBEDDED, _PERIODS * window) + (_MOST + 1) * lag
    if len(x) < needed:
        short = f"needs {needed:,} samples, got {len(x):,} (mean period {window:,}, delay {lag:,})"
        return numbers | {name: Number(missing=short) for name in _BY_DIMENSION}
    shares = false_neighbours(x, _MOST, lag, window)
    kennel, other = unfolded(shares), levelled(*cao(x, _MOST, lag, window), len(x) - (_MOST + 1) * lag)
    least = float(np.nanmin(shares, initial=1.0))
    numbers["false_neighbours"] = _number(
        kennel or math.nan,
        f"{least:.1%} of the neighbours are false in every one of {_MOST} dimensions or more",
    )
    numbers["cao"] = _number(other or math.nan, f"like noise, or not unfolded in {_MOST} dimensions")
    dim = kennel or (other if least < _FEW_FALSE else 0)
    if not dim:
        flat = f"no embedding in up to {_MOST} dimensions: noise, or too few samples for its law"
        return numbers | {name: Number(missing=flat) for name in _BY_DIMENSION if name not in numbers}
    return numbers | _exponents(x, dim, lag, window, regime) | _by_dimension(x, dim, lag, window)


_REGULAR = {Regime.FIXED_POINT, Regime.LIMIT_CYCLE, Regime.TORUS, Regime.TREND}
_BY_LAG = ("delay", "window", "permutation_entropy", "permutation_order", "zero_one")
_BY_DIMENSION = (
    "false_neighbours", "cao", "rosenstein", "kantz", "correlation_dimension",
    "recurrence_radius", "recurrence_rate", "determinism", "laminarity", "mean_diagonal", "longest_diagonal",
    "diagonal_entropy", "trapping_time",
)  # fmt: skip


def _by_lag(x: Series, lag: int, repeats: float, regime: Regime) -> dict[str, Number]:
    needs = {m: max(_PER_PATTERN * math.factorial(m) + (m - 1) * lag, 2 * (m - 1) * lag + 2) for m in _ORDERS}
    order = next((m for m in _ORDERS if len(x) >= needs[m]), 0)
    few = f"needs {needs[_ORDERS[-1]]:,} samples, got {len(x):,} (delay {lag:,})"
    return {
        "permutation_entropy": _number(permutation_entropy(x, order, lag) if order else math.nan, few),
        "permutation_order": _number(order or math.nan, few),
        "zero_one": _walk(x, lag, repeats, regime),
    }


def _walk(x: Series, lag: int, repeats: float, regime: Regime) -> Number:
    """The 0-1 test of samples a delay apart, if there are enough to see a cycle or a spike for what it is."""
    apart = np.ascontiguousarray(x[::lag])
    if len(apart) < _ZERO_ONE:
        return Number(
            missing=f"needs {_ZERO_ONE * lag:,} samples, {_ZERO_ONE} of them a delay apart, got {len(x):,}"
        )
    turns = math.ceil(10 * _IN_WALK * repeats)
    if len(x) < turns:
        return Number(
            missing=f"needs {turns:,} samples, a tenth of them {_IN_WALK} periods of {repeats:.4g}, "
            f"got {len(x):,}"
        )
    squares = (apart - apart.mean()) ** 2
    if squares.max() > 0.5 * squares.sum():
        return Number(missing="one sample has more than half of the variance")
    if regime is Regime.UNDETERMINED:
        return Number(missing="of no known regime: a cycle longer than its walks would look like chaos")
    return _number(zero_one(apart, _FREQUENCIES), "samples a delay apart are all equal")


def _exponents(x: Series, dim: int, lag: int, window: int, regime: Regime) -> dict[str, Number]:
    if regime in _REGULAR or regime is Regime.NOISE:
        do = "part by chance" if regime is Regime.NOISE else "do not part"
        return dict.fromkeys(("rosenstein", "kantz"), Number(missing=f"{_called(regime)}: neighbours {do}"))
    steps = min(_TURNS * window, len(x) // 4)
    parted = "neighbours do not part along a line"
    near = _radius(x, dim, lag, window, _NEIGHBOURS / len(x))
    fitted = {
        "rosenstein": rosenstein(x, dim, lag, window, steps),
        "kantz": kantz(x, dim, lag, window, steps, near),
    }
    return {
        name: _number(exponent, parted, low, high, r2)
        for name, (exponent, low, high, r2, *_) in fitted.items()
    }


def _by_dimension(x: Series, dim: int, lag: int, window: int) -> dict[str, Number]:
    far = _radius(x, dim, lag, window, _RECURRENT)
    numbers = {"correlation_dimension": _saturated(x, dim, lag, window), "recurrence_radius": Number(far)}
    lines = quantify(x, dim, lag, window, far, _LINE)
    names = _BY_DIMENSION[-len(lines) :]
    return numbers | {
        name: _number(value, "no lines of that kind") for name, value in zip(names, lines, strict=True)
    }


def _saturated(x: Series, dim: int, lag: int, window: int) -> Number:
    """The correlation dimension, if one more coordinate does not make it more."""
    lower, _, _, _ = correlation_dimension(x, dim + 1, lag, window)
    dimension, low, high, r2 = correlation_dimension(x, dim + 2, lag, window)
    if not (math.isfinite(lower) and math.isfinite(dimension)):
        return Number(missing="log C(r) has no straight part: too few samples, or no fractal")
    if dimension - lower > max(_GROWS * lower, high - dimension):
        return Number(
            missing=f"it grows with the embedding, {lower:.2f} in {dim + 1} and {dimension:.2f} in {dim + 2}"
        )
    return Number(dimension, low, high, r2)


def _radius(x: Series, dim: int, lag: int, window: int, share: float) -> float:
    """The distance within which that share of all pairs lie."""
    radii = np.ptp(x) * 2.0 ** (-np.arange(48) / 4)
    sums = correlation_sum(x, dim, lag, window, radii)
    return float(radii[max(int((sums >= share).sum()) - 1, 0)])


def _called(regime: Regime) -> str:
    return regime.value.replace("_", " ")


def _number(
    value: float, missing: str, low: float = math.nan, high: float = math.nan, r2: float = math.nan,
    p: float = math.nan,
) -> Number:  # fmt: skip
    """The answer of a kernel, or, if that is NaN, what is missing."""
    if not math.isfinite(value):
        return Number(missing=missing, p=p)
    return Number(float(value), float(low), float(high), float(r2), float(p))
