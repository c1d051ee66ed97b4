"""One series, studied: all that its dynamics can be asked, each answer with its interval or what it lacks.

Strategy. What can be wrong with a series is found first and named once: samples that are no numbers, a
constant, times that break. What is left is judged (``operators.attractor``), because not every number means
something of every regime, and then measured (``operators.estimates``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from operators.attractor import Regime, describe
from operators.estimates import Number, estimates
from operators.spacing import Spacing, spacing

__all__ = ["LONGEST", "Number", "Study", "study"]

Series = NDArray[np.float64]

LONGEST = 10_000
"""Samples that are studied unless more are allowed: most of it takes n * n time, 9 to 12 s for so many of
Lorenz, Henon or white noise, and 1.4 s for a wave."""
_LARGEST = 1e140
_EQUAL = 1e-12
"""Share of the largest value that a series must vary by: less may be rounding."""
_SHORTEST = 50
"""Samples without which nothing is asked."""


@dataclass(frozen=True, slots=True)
class Study:
    """What :func:`study` finds. Times are in samples, entropies and exponents in nats (a sample)."""

    samples: int
    """That were given."""
    first: int
    stop: int
    """The stretch that was studied, ``x[first:stop]``: all, unless its times break."""
    step: float
    """Median time between two samples; NaN if no times were given."""
    remarks: tuple[str, ...]
    """What was wrong with the times."""
    regime: Regime
    confidence: Number
    """That it is this regime."""
    period: Number
    """With the chance that AR(1) noise has one as strong. Noise with another spectrum has one more often."""
    period_strength: Number
    delay: Number
    """Between the coordinates of the embedding."""
    window: Number
    """Neighbours nearer in time do not count (Theiler); a mean period."""
    false_neighbours: Number
    """Dimension of the embedding by false nearest neighbours."""
    cao: Number
    """And by Cao's method."""
    rosenstein: Number
    """Largest Lyapunov exponent, of nearest neighbours. Not of a series that is at rest, goes round or one
    way, or is noise: what a fit gives there is no growth."""
    kantz: Number
    """And of all neighbours in a radius."""
    correlation_dimension: Number
    permutation_entropy: Number
    """From 0 to 1, of samples a delay apart."""
    permutation_order: Number
    """Samples of its patterns: the more the longer the series, up to 6."""
    sample_entropy: Number
    zero_one: Number
    """K of the 0-1 test: about 0 for regular series, about 1 for chaos, and for noise. Not of a series
    whose walks, a tenth of it, hold fewer than six of its periods, or of which the regime is not known:
    walks that see no end of a cycle go as in chaos."""
    nonlinearity: Number
    """Deviations from what linear noise with the same spectrum and values has, with the chance of that, which
    is 1 / 40 at least (it is by rank among 39 surrogates): that much or less. Not of a cycle, torus, trend or
    rest, which are no noise, and of which surrogates say so for their ends alone."""
    recurrence_radius: Number
    """Distance within which states recur, in deviations: it holds about 5 % of the pairs."""
    recurrence_rate: Number
    determinism: Number
    laminarity: Number
    mean_diagonal: Number
    longest_diagonal: Number
    diagonal_entropy: Number
    trapping_time: Number


def study(x: ArrayLike, at: ArrayLike | None = None, longest: int = LONGEST, seed: int = 0) -> Study:
    """All of the dynamics of one series.

    Parameters
    ----------
    x : number[n]
        The series, equally spaced. Scale and offset do not count.
    at : number[n], optional
        When each sample was taken, in any unit. Where time goes backwards, or a gap is more than 3 times the
        median step, the series breaks: the longest stretch is studied, and ``remarks`` say so.
    longest : int
        Samples at most.
    seed : int
        Of the surrogates, which are drawn. The same series and seed have the same answer.

    Returns
    -------
    Study
        A sample that is not finite, a constant, and too few samples leave answers without a value; they
        say so.

    Raises
    ------
    ValueError
        If `x` is not one series of numbers, empty or longer than `longest`, or `at` no time for each sample.

    Notes
    -----
    O(n * n) time: 0.05 s for 250 samples, 0.8 s for 2000, 4 s for 5000 and 9 s for 10,000 of Lorenz, of which
    the 39 surrogates and Kantz's neighbours take most. Time of the processor, one run each, others running.

    Examples
    --------
    >>> found = study(np.sin(np.arange(600) / 5))
    >>> found.regime, round(found.period.value, 1), round(found.correlation_dimension.value, 1)
    (<Regime.LIMIT_CYCLE: 'limit_cycle'>, 31.4, 1.0)
    >>> study(np.arange(12) % 5).delay.missing
    'needs 50 samples, got 12'
    """
    series = _numbers("x", x)
    if not 1 <= len(series) <= longest:
        msg = f"x must hold 1 to {longest:,} samples, not {len(series):,}"
        raise ValueError(msg)
    when = Spacing(0, len(series), math.nan, ())
    if at is not None:
        times = _numbers("at", _since(at))
        if len(times) != len(series):
            msg = f"at must hold a time for each of {len(series):,} samples, not {len(times):,}"
            raise ValueError(msg)
        when = spacing(times)
    stretch = series[when.first : when.stop]
    wrong = _wrong(stretch)
    numbers = [field.name for field in fields(Study) if field.type == "Number"]
    regime, confidence, turn = _judged(stretch, wrong)
    found = {} if wrong else estimates(_standardised(stretch), regime, turn, seed)
    answers = {name: Number(missing=wrong) for name in numbers} | found | {"confidence": confidence}
    return Study(len(series), when.first, when.stop, when.step, when.remarks, regime, **answers)


def _numbers(name: str, values: ArrayLike) -> Series:
    """One series, as float64."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf" or array.ndim != 1:
        msg = f"{name} must be one series of numbers [n]"
        raise ValueError(msg)
    with np.errstate(over="ignore"):  # of a wider type: infinite then, and said to be
        return np.ascontiguousarray(array, np.float64)


def _since(at: ArrayLike) -> ArrayLike:
    """Whole numbers from their first on: nanoseconds since 1970 have more digits than a float64."""
    if not (isinstance(at, np.ndarray) and at.dtype.kind in "iu" and at.ndim == 1):
        return at
    times = at.tolist()
    return [time - times[0] for time in times]


def _wrong(x: Series) -> str:
    """Why nothing can be asked of `x`, if that is so."""
    wrong = ~(np.abs(x) <= _LARGEST)
    if wrong.any():
        place, count = int(wrong.argmax()), int(wrong.sum())
        what = "not finite" if not np.isfinite(x[place]) else f"beyond {_LARGEST:g}"
        be = "is" if count == 1 else "are"
        return f"{count:,} of {len(x):,} samples {be} {what}, the first at {place + 1:,} ({x[place]:g})"
    if len(x) < _SHORTEST:
        return f"needs {_SHORTEST} samples, got {len(x)}"
    if np.ptp(x) <= _EQUAL * np.abs(x).max():
        return f"constant: all {len(x):,} samples are {x[0]:g}"
    return ""


def _standardised(x: Series) -> Series:
    """Mean 0, deviation 1, by way of a range of 1, whose squares neither vanish nor overflow."""
    scaled = (x - x.min()) / np.ptp(x)
    return np.asarray((scaled - scaled.mean()) / scaled.std())


def _judged(x: Series, wrong: str) -> tuple[Regime, Number, float]:
    """The regime, its confidence and its period. A constant has a regime: it is at rest."""
    if not (np.abs(x) <= _LARGEST).all():
        return Regime.UNDETERMINED, Number(missing=wrong), math.nan
    assessment = describe(x)
    if assessment.regime is Regime.UNDETERMINED:
        return Regime.UNDETERMINED, Number(missing=f"needs {assessment.missing}"), math.nan
    return assessment.regime, Number(assessment.confidence), assessment.period
