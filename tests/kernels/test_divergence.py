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
    follow_neighbours(np.array([z]), np.array([lag]), out, np.empty((4, len(z))))
    row: NDArray[np.void] = out[0]
    return row


def pairs(z: NDArray[np.float64], dim: int, lag: int, usable: int) -> list[tuple[int, int]]:
    points = np.stack([z[d * lag : d * lag + usable] for d in range(dim)], 1)
    found = []
    for i in range(usable):
        others = [j for j in range(usable) if abs(i - j) > max(3, 2 * lag)]
        found.append((i, min(others, key=lambda j: float(((points[i] - points[j]) ** 2).sum()))))
    return found


def test_errors_and_growth_are_those_of_brute_force() -> None:
    x, lag = systems.red_noise(64, 0.6, seed=1), 2
    z = (x - x.mean()) / x.std()
    usable = len(z) - 3 * lag - 16
    near = pairs(z, 4, lag, usable)
    points = np.stack([z[d * lag : d * lag + len(z) - 3 * lag] for d in range(4)], 1)
    aheads = [16 - 2 * back for back in range(4)]
    logs = {
        k: np.mean([math.log(np.linalg.norm(points[i + k] - points[j + k])) for i, j in near])
        for k in (0, *aheads)
    }
    out = parting(x, lag)

    def error(found: list[tuple[int, int]], ahead: int) -> float:
        both = np.array([(z[i + ahead], z[j + ahead]) for i, j in found])
        means = both - both.mean()
        return float(((both[:, 0] - both[:, 1]) ** 2).sum() / (means**2).sum())

    assert out["soon"] == pytest.approx(error(near, 3 * lag + 1))
    assert out["later"] == pytest.approx(error(near, 4 * lag))
    assert out["mapped"] == pytest.approx(error(pairs(z, 2, 1, usable), 2))
    assert out["far"] == pytest.approx(np.mean([error(near, k + 2 * lag) for k in aheads]))
    assert out["growth"] == pytest.approx(np.mean([logs[k] for k in aheads]) - logs[0])


def test_a_map_is_foreseen_and_parts_at_its_exponent() -> None:
    out = parting(systems.logistic(256), 1)
    assert out["soon"] < 0.03
    assert out["growth"] > 3.0
    assert out["exponent"] == pytest.approx(math.log(2), rel=0.1)


def test_noise_is_not_foreseen() -> None:
    out = parting(systems.red_noise(256, 0.0, seed=2), 1)
    assert 0.7 < out["soon"] < 1.4
    assert 0.7 < out["mapped"] < 1.4
    assert math.isnan(out["exponent"])


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_heavy_tails_are_not_foreseen(power: float) -> None:
    for seed in range(10):
        x = np.random.default_rng(seed).exponential(size=128) ** power
        assert parting(x, 1)["later"] > 0.5


def test_a_torus_stays_together() -> None:
    t = np.arange(512.0)
    out = parting(np.sin(0.5 * t) + np.sin(0.5 * 2**0.5 * t), 3)
    assert out["soon"] < 0.1
    assert out["growth"] < 0.7


def test_equal_points_say_nothing() -> None:
    out = parting(np.tile([0.0, 1.0], 64), 1)
    assert [float(out[name]) for name in ("soon", "far", "growth")] == [0.0, 0.0, 0.0]
