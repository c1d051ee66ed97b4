"""What becomes of neighbours, in chaos and in noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.kernels.divergence import PARTING, follow_neighbours
from tests import systems


def parting(x: NDArray[np.float64], lag: int) -> NDArray[np.void]:
    z = (x - x.mean()) / x.std()
    out = np.zeros(1, PARTING)
    follow_neighbours(np.array([z]), np.array([lag]), out, np.empty((3, len(z))))
    return out[0]


def test_errors_and_growth_are_those_of_brute_force() -> None:
    x, lag = systems.red_noise(64, 0.6, seed=1), 2
    z = (x - x.mean()) / x.std()
    usable = len(z) - 2 * lag - len(z) // 4
    soon, logs = [], []
    points = np.stack([z[d * lag : d * lag + len(z) - 2 * lag] for d in range(3)], 1)
    for i in range(usable):
        others = [j for j in range(usable) if abs(i - j) > max(3, 2 * lag)]
        j = min(others, key=lambda j: float(((points[i] - points[j]) ** 2).sum()))
        soon.append((z[i + 2 * lag + 1] - z[j + 2 * lag + 1]) ** 2 / 2)
        logs.append([math.log(np.linalg.norm(points[i + k] - points[j + k])) for k in (0, len(z) // 4)])
    first, last = np.mean(logs, axis=0)
    out = parting(x, lag)
    assert out["soon"] == pytest.approx(np.mean(soon))
    assert out["growth"] == pytest.approx(last - first)


def test_a_map_is_foreseen_and_parts_at_its_exponent() -> None:
    out = parting(systems.logistic(256), 1)
    assert out["soon"] < 0.02
    assert out["growth"] > 3.0
    assert out["exponent"] == pytest.approx(math.log(2), rel=0.1)


def test_noise_is_not_foreseen() -> None:
    assert 0.7 < parting(systems.red_noise(256, 0.0, seed=2), 1)["soon"] < 1.4


def test_a_torus_stays_together() -> None:
    t = np.arange(512.0)
    out = parting(np.sin(0.5 * t) + np.sin(0.5 * 2**0.5 * t), 3)
    assert out["soon"] < 0.1
    assert out["growth"] < 0.7


def test_equal_points_say_nothing() -> None:
    out = parting(np.tile([0.0, 1.0], 64), 1)
    assert (out["soon"], out["growth"], out["exponent"]) == (0.0, 0.0, 0.0)
