"""The 0-1 test against walks that are laid out, and on series whose nature is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from operators.kernels.zero_one import zero_one
from tests import naive_complexity, systems

JIT = hasattr(zero_one, "py_func")
N = 1000 if JIT else 300
TRIED = 100 if JIT else 11
ANGLES = np.pi * (0.2 + 0.6 * (0.6180339887498949 * np.arange(1, 12) % 1.0))


@pytest.mark.parametrize("tried", [1, 2, 11])
@pytest.mark.parametrize("r", [3.55, 3.97])
def test_it_is_that_of_walks_laid_out(r: float, tried: int) -> None:
    x = systems.logistic(217, r)
    expected = naive_complexity.zero_one(x - x.mean(), ANGLES[:tried])
    assert zero_one(x, tried) == pytest.approx(expected, abs=1e-9)


def test_to_take_the_mean_off_is_what_the_term_of_the_paper_does() -> None:
    for r in (3.55, 3.97):
        x = systems.logistic(400, r)
        assert zero_one(x, 11) == pytest.approx(naive_complexity.zero_one(x, ANGLES), abs=0.02)


@pytest.mark.parametrize("r", [3.97, 4.0])
def test_chaos_has_1(r: float) -> None:
    assert zero_one(systems.logistic(N, r), TRIED) > 0.95


def test_henon_and_a_flow_taken_every_so_manyth_have_1() -> None:
    assert zero_one(systems.henon(N), TRIED) > 0.95
    assert zero_one(systems.lorenz(N, 0.5), TRIED) > 0.9


@pytest.mark.parametrize("r", [3.2, 3.5, 3.55])
def test_what_repeats_has_0(r: float) -> None:
    assert abs(zero_one(systems.logistic(N, r), TRIED)) < 0.1


def test_what_never_repeats_and_is_regular_has_0() -> None:
    t = np.arange(1000.0 if JIT else 500.0)
    assert abs(zero_one(np.sin(t) + np.sin(math.sqrt(2) * t), TRIED)) < 0.1


def test_noise_has_1_as_well() -> None:
    assert zero_one(np.random.default_rng(1).normal(size=N), TRIED) > 0.95


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (3.0, -7.0), (1e300, 0.0), (1.0, 1e6)])
def test_scale_and_offset_do_not_count(scale: float, offset: float) -> None:
    x = systems.logistic(250, 3.7)
    assert zero_one(x * scale + offset, 5) == pytest.approx(zero_one(x, 5), abs=1e-6)


@pytest.mark.parametrize(
    "x",
    [
        np.ones(300),
        np.append(np.arange(300.0), np.nan),
        np.append(np.arange(300.0), np.inf),
        np.arange(199.0),
    ],
    ids=["constant", "nan", "infinity", "too short"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray) -> None:
    assert math.isnan(zero_one(x, 5))


def test_no_frequencies_are_refused() -> None:
    with pytest.raises(ValueError, match="frequencies"):
        zero_one(np.arange(300.0), 0)
