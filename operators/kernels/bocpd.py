"""Bayesian on-line change-point detection: how likely it is that the level or the spread has changed.

Strategy. Every sample may be the last before a change, with a constant chance; each such *run* is a
hypothesis with a normal distribution of its own, whose mean and variance it learns, and a weight: the
probability that it is the present one, given all samples. There is one more with each sample, so a lane has
room for a stated number and the least likely gives way; the first, that nothing has changed since the lane
was new, never does. An alarm is when that one is less likely than the others together.

The ratio of gamma functions that the density of a run needs is not computed, but kept: half a degree of
freedom later it is ``alpha / ratio``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["BOCPD", "MOST", "RUN", "bocpd", "shape"]

BOCPD = np.dtype(
    [
        ("side", "i8"),  # of the alarm: 1 up, -1 down, 0 none
        ("changed", "i8"),  # begin of the first sample of the change
        ("before", "f8"),  # mean value up to there, and from there on
        ("after", "f8"),
        ("count", "i8"),  # samples so far
        ("total", "f8"),  # of their values
        ("runs", "i8"),  # hypotheses
    ],
    align=True,
)
"""One lane but its hypotheses, 56 bytes. A new one is zero."""

RUN = np.dtype(
    [
        ("weight", "f8"),  # its probability
        ("count", "i8"),  # samples of it
        ("mean", "f8"),  # mu of its normal-gamma distribution
        ("beta", "f8"),
        ("ratio", "f8"),  # of the gamma functions of alpha + 1/2 and alpha
        ("total", "f8"),  # of the values of its samples
        ("begin", "i8"),  # of its first sample
    ],
    align=True,
)
"""One hypothesis, 56 bytes."""


MOST = 16
"""Hypotheses that a lane has room for."""
_FARTHEST = 1e90
"""What scores are held to, or no run would explain them with more than zero."""


_SHARE = 0.36
"""False alarms a sample, as a share of the chance of a change that is assumed: 0.32 to 0.42 was measured for
chances of 5e-3 to 1e-5 (``benches.bench_drift learn``)."""
_KAPPA, _ALPHA, _BETA = 1.0, 1.0, 1.0


def shape(false_alarm: float) -> NDArray[np.float64]:
    """What :func:`bocpd` needs for `false_alarm` expected false alarms a sample, 1e-6 to 2e-3: float64[6].

    Only for standard normal scores. A run begins with a mean and a variance that are worth one sample.
    """
    ratio = math.gamma(_ALPHA + 0.5) / math.gamma(_ALPHA)
    return np.array([false_alarm / _SHARE, 0.0, _KAPPA, _ALPHA, _BETA, ratio])


@kernel
def bocpd(
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
    values: NDArray[np.float64],
    begins: NDArray[np.int64],
    shape: NDArray[np.float64],
    lanes: NDArray[np.void],
    runs: NDArray[np.void],
    places: NDArray[np.int64],
) -> int:
    """Advance all lanes by the samples of a packet, and report those that have probably changed.

    Parameters
    ----------
    rows, scores, values, begins : int32[n], float64[n], float64[n], int64[n]
        The samples, oldest first: lane, what is tested, what is averaged for the report, first character.
        A score that is not finite is not tested; a value that is not finite is no sample.
    shape : float64[6]
        Chance of a change after each sample; mu, kappa, alpha, beta of the normal-gamma distribution that a
        run begins with; the ratio of the gamma functions of alpha + 1/2 and alpha.
    lanes, runs : BOCPD[rows], RUN[rows, most]
        Modified. A lane with an alarm rests: until it is a new one, its samples are passed by.
    places : int64[n]
        The samples that raised an alarm. Modified.

    Returns
    -------
    int
        How many alarms there are, one of a lane at most.

    Notes
    -----
    O(most) a sample, 0.6 us with 16. As long as a lane had fewer samples than `most`, nothing is left out.
    The size of the change and its begin are those of the likeliest run. Allocates nothing.

    References
    ----------
    .. [1] R. P. Adams, D. J. C. MacKay, "Bayesian online changepoint detection", arXiv:0710.3742, 2007.
    .. [2] R. Alami, O. Maillard, R. Feraud, "Restarted Bayesian online change-point detector achieves
       optimal detection delay", ICML 2020: the alarm.
    .. [3] K. P. Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007.
    """
    found = 0
    for k in range(len(rows)):
        lane, run = lanes[rows[k]], runs[rows[k]]
        if lane["side"] or not np.isfinite(values[k]):
            continue
        lane["count"] += 1
        lane["total"] += values[k]
        if not np.isfinite(scores[k]):
            continue
        if lane["runs"] == 0:
            _begin(run[0], 1.0, shape)
            lane["runs"] = 1
        held = lane["runs"]
        evidence = 0.0
        for i in range(held):
            if run[i]["count"] == 0:
                run[i]["begin"] = begins[k]
            run[i]["total"] += values[k]
            run[i]["weight"] *= _learn(run[i], min(max(scores[k], -_FARTHEST), _FARTHEST), shape)
            evidence += run[i]["weight"]
        likeliest, least = 0, 0
        for i in range(held):
            run[i]["weight"] *= (1.0 - shape[0]) / evidence
            if i and (likeliest == 0 or run[i]["weight"] > run[likeliest]["weight"]):
                likeliest = i
            if i and (least == 0 or run[i]["weight"] < run[least]["weight"]):
                least = i
        if likeliest and run[0]["weight"] < 0.5 * (1.0 - shape[0]):
            later = run[likeliest]
            before = lane["count"] - later["count"]
            lane["side"] = 1 if later["mean"] > run[0]["mean"] else -1
            lane["changed"] = later["begin"]
            lane["after"] = later["total"] / later["count"]
            lane["before"] = (lane["total"] - later["total"]) / before
            places[found] = k
            found += 1
        if held < len(run):
            least = held
            lane["runs"] += 1
        _begin(run[least], shape[0], shape)
    return found


@inner
def _begin(run: np.void, weight: float, shape: NDArray[np.float64]) -> None:
    run["weight"], run["count"], run["total"] = weight, 0, 0.0
    run["mean"], run["beta"], run["ratio"] = shape[1], shape[4], shape[5]


@inner
def _learn(run: np.void, score: float, shape: NDArray[np.float64]) -> float:
    """The density of a score under a run (Student's t), which then knows of it."""
    kappa = shape[2] + run["count"]
    alpha = shape[3] + 0.5 * run["count"]
    apart = score - run["mean"]
    scale = 2.0 * run["beta"] * (kappa + 1.0) / kappa
    density = run["ratio"] / np.sqrt(np.pi * scale) * (1.0 + apart * apart / scale) ** -(alpha + 0.5)
    run["count"] += 1
    run["mean"] += apart / (kappa + 1.0)
    run["beta"] += 0.5 * kappa * apart * apart / (kappa + 1.0)
    run["ratio"] = alpha / run["ratio"]
    return float(density)
