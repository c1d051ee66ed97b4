"""What measures of a series say of its regime, and how sure that is.

Strategy. Two questions decide: does the series return (``kernels.recurrence``: at rest, on its way,
periodic, a few spectral lines), and if not, what becomes of near neighbours (``kernels.divergence``: they
tell nothing of each other's future in noise, they tell it and part in chaos). The test against noise is a
race: one lag ahead, a nearest neighbour against the best linear prediction from the same samples. Nothing
beats the linear one where there is nothing but correlation, and almost anything does where there is a law.
Noise has no spectral line either (``kernels.clearest_line``): if there is one, a cycle may be under it.
What lies between two answers is undetermined, with what was wanting: a wrong answer costs more than none.

Each answer comes with the distance from its threshold, and a logistic function of that and of the length
gives the confidence: the share of such answers that were right on simulated series (see ``_TRUST``).
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from operators.kernels.recurrence import SETTLED, SPIKE, STUCK, TREND

__all__ = ["Judgement", "Parting", "Regime", "Returns", "judge"]


class Regime(StrEnum):
    """What a series does."""

    FIXED_POINT = "fixed_point"
    """It stands still, or comes to."""
    LIMIT_CYCLE = "limit_cycle"
    """It repeats itself."""
    TORUS = "torus"
    """It is regular and never repeats: two frequencies without a common measure."""
    CHAOTIC = "chaotic"
    """It has a law, and what was almost equal becomes different."""
    NOISE = "noise"
    """Its past tells no more of its future than correlation does. A random walk is noise, or a trend where it
    happens to go one way."""
    TREND = "trend"
    """It goes one way."""
    UNDETERMINED = "undetermined"
    """It is too short, or between two of these."""


class Returns(NamedTuple):
    """A row of ``kernels.recurrence.RETURNS``, with its names."""

    sight: int
    lag: int
    straight: float
    step: float
    bend: float
    period: float
    folded: float
    order: float
    missed: float
    short: float
    long: float
    one_line: float
    foreseen: float
    four_lines: float


class Parting(NamedTuple):
    """A row of ``kernels.divergence.PARTING``, with its names; of zeros where nobody looked."""

    soon: float = 0.0
    later: float = 0.0
    mapped: float = 0.0
    far: float = 0.0
    growth: float = 0.0
    exponent: float = 0.0


class Judgement(NamedTuple):
    """An answer."""

    regime: Regime
    confidence: float = 0.0
    missing: str = ""
    """Of an undetermined series: what it would need."""


_TRUST = {
    Regime.FIXED_POINT: (2.98, 0.0, 0.0),
    Regime.TREND: (2.57, 0.07, 0.23),
    Regime.LIMIT_CYCLE: (2.42, 0.18, 0.0),
    Regime.TORUS: (1.6, 0.15, -0.13),
    Regime.CHAOTIC: (4.53, 0.0, 0.0),
    Regime.NOISE: (2.81, -0.39, 0.2),
}
"""Of the logistic function: constant, weight of the margin, weight of log2(n / 128).

Learnt by logistic regression from 8,500 answers, every kind with the same weight: all kinds of
``tests.regime_population`` with 0, 5 and 15 % noise and, with a quarter of the weight, 69 flows of the
collection ``dysts`` (Gilpin 2021; left out: ForcedVanDerPol and SprottDelay, whose first coordinate is
periodic) at 15 and 30 samples a period; 64 to 2000 samples. A quarter of a kind that is always wrong was
added to each regime, because the next series may be of none of these kinds. Learnt on one half of the
kinds and asked of the other, twenty times: 0.932 claimed, 0.975 right. Of 49 more kinds that nothing was
learnt from: 0.953 claimed, 0.985 right. (The thresholds of the decisions were set by hand, with sight of most
kinds.) What was wrong: high-dimensional flows and Chirikov's map, which look like noise, and tori
with a near-return, which look like cycles.
"""
_CLEAR = 4.0
"""Nats: one series of noise in fifty has a clearer line."""


def judge(size: int, returns: Returns, parting: Parting, line: float) -> Judgement:
    """The regime of a series of `size` samples, by the first test that it passes; `line` is what
    ``kernels.clearest_line`` says of it.
    """
    if returns.sight == SETTLED:
        return _sure(Regime.FIXED_POINT, 0.0, size)
    if returns.sight == TREND:
        return _sure(Regime.TREND, returns.straight, size)
    if returns.sight == STUCK:
        return _unsure("one regime: it stands still for more than three eighths of the samples")
    if returns.sight == SPIKE:
        return _unsure("a longer series: one sample has more than half of the variance")
    # How much the line between two neighbours in phase misses of a smooth wave, about.
    coarse = 0.6 * (12.0 / size) ** 2
    # One line with noise on it leaves some too, but not without noise.
    two = 1e-3 if returns.four_lines < 1e-6 else 0.02
    lines = returns.one_line > max(two, 3.0 * returns.four_lines) and returns.four_lines < 0.02
    # What noise leaves has no order: about 1 / sqrt(n).
    noisy = returns.order < min(0.4, 4.0 / math.sqrt(size)) and (
        returns.folded < 0.12 or returns.missed < 0.25
    )
    # Jumps miss each other where the period is no whole number, but few samples are at a jump.
    jumps = returns.missed < 0.1 and returns.period < 0.125 * size
    if noisy or jumps or returns.folded < coarse / 6.0:
        # Few turns, and of more than one line: a near-return of a torus or of a flow, as likely.
        seldom = returns.period > 0.25 * size and returns.one_line > max(0.03, 4.0 * returns.folded)
        often = returns.period > max(8.0 * returns.lag, size / 12.0)
        if seldom or (often and returns.folded > 0.01 and returns.one_line > 0.1 and returns.missed >= 0.1):
            return _unsure("more turns: a cycle, or a near-return of what has none")
        # With noise on it a torus has periods too, long ones: its near-returns.
        known = coarse if returns.period > 0.1 * size else max(0.8 * returns.four_lines, coarse)
        if not lines or returns.folded <= known:
            return _cycle(size, returns, parting)
        if returns.folded <= 2.5 * returns.four_lines + coarse:
            return _unsure("more turns: a limit cycle or a torus")
    turns = size / returns.lag
    if returns.lag >= size // 14:
        return _unsure("more turns: three at least, or a trend that is clearer")
    if returns.one_line < 1e-3:
        return _sure(Regime.LIMIT_CYCLE, 0.0, size)
    if lines and (returns.four_lines < 1e-3 or parting.far < 0.1):
        again = returns.long < min(0.01, 0.2 * returns.short)
        if turns < 25 or (turns < 60 and again) or returns.folded <= 2.5 * returns.four_lines + coarse:
            return _unsure("more turns: a limit cycle or a torus")
        margin = math.log(returns.folded / max(returns.four_lines, 1e-4))
        return _sure(Regime.TORUS, min(margin, 5.0), size)
    return _law(size, turns, returns, parting, line)


def _cycle(size: int, returns: Returns, parting: Parting) -> Judgement:
    """Of what folds to a cycle: a chaotic band does too, but neighbours know more of it than the period."""
    left = min(returns.folded, returns.short)
    known = min(parting.soon, parting.mapped)
    if parting.growth > 1.0 and known < 0.4 * left:
        return _sure(Regime.CHAOTIC, min(math.log(left / max(known, 1e-9)), 3.0), size)
    if returns.folded > 0.02 and parting.far > 0.25:
        return _unsure("a clearer series: a cycle that does not last, or noise")
    return _sure(Regime.LIMIT_CYCLE, min(math.log(0.12 / max(returns.folded, 1e-9)), 5.0), size)


def _law(size: int, turns: float, returns: Returns, parting: Parting, line: float) -> Judgement:
    """Noise or chaos: by what neighbours leave open, as share of what linear prediction does."""
    ratio = min(parting.later / max(returns.foreseen, 1e-9), parting.mapped / _two_steps(returns))
    if ratio < (0.5 if size < 250 else 0.6):
        if turns <= 25.0:
            return _unsure("more turns: some eight of what seems chaotic")
        if parting.growth > 1.1 and parting.far > 2.0 * min(parting.later, parting.mapped):
            return _sure(Regime.CHAOTIC, min(-math.log(max(ratio, 1e-9)), 3.0), size)
        return _unsure("a longer series: neighbours part too slowly to tell chaos from a torus")
    # Of white noise one series in a hundred, about, has less.
    # Of white noise one series in a hundred, about, has less.
    if ratio <= max(0.75, 1.0 - 3.5 / math.sqrt(size)):
        return _unsure("a longer series: between noise and chaos")
    # A flow that is sampled finely, for few turns, is as unforeseen as noise; but it is smooth.
    smooth = (returns.bend < 1.5 and turns < 150.0) or returns.step < 0.03 or returns.one_line < 0.03
    if smooth or parting.far < 0.5:
        return _unsure("a longer series: noise, or a smooth flow of few turns")
    if line > _CLEAR:
        return _unsure("a clearer series: noise, or a cycle under noise")
    return _sure(Regime.NOISE, min(ratio, 1.5), size)


def _two_steps(returns: Returns) -> float:
    """What the best linear prediction from two samples leaves of the next."""
    one = 1.0 - returns.step
    two = 1.0 - (4.0 - returns.bend) * returns.step
    explained = (one * one + two * two - 2.0 * one * one * two) / max(1.0 - one * one, 1e-9)
    return max(1.0 - explained, 1e-9)


def _sure(regime: Regime, margin: float, size: int) -> Judgement:
    constant, steep, length = _TRUST[regime]
    score = constant + steep * margin + length * math.log2(size / 128.0)
    return Judgement(regime, 1.0 / (1.0 + math.exp(-score)))


def _unsure(missing: str) -> Judgement:
    return Judgement(Regime.UNDETERMINED, missing=missing)
