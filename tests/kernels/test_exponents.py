"""The exponent of a curve that was kept up is the one that the batch gives for the window."""

from __future__ import annotations

import inspect
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.kernels import exponents, growth, lyapunov
from operators.kernels.exponents import fit_curves, unrelated
from tests import naive_dynamics as naive
from tests import systems
from tests.kernels.test_neighbours import follow

Series = NDArray[np.float64]


def fitted(x: Series, size: int, dim: int, lag: int, theiler: int, steps: int) -> Series:
    curves = follow(x, size, dim, lag, theiler, steps)
    pairs = unrelated(size - (dim - 1) * lag - steps)
    out = np.empty(len(x))
    shape = np.array([size, dim, lag, theiler, steps])
    scratch = np.empty((2, max(size, pairs.shape[1])))
    _, places = naive.alone(x, size)
    fit_curves(places, x, shape, pairs, curves, scratch, out)
    return out


@pytest.mark.parametrize(
    "x",
    [
        systems.logistic(130),
        systems.henon(130) * 1e-9,
        systems.red_noise(130, 0.9, 1),
        np.cumsum(systems.red_noise(130, 0.0, 2)),
        np.random.default_rng(1).geometric(0.3, 130).astype(np.float64),
        np.sin(np.arange(130) / 9),
    ],
    ids=["logistic", "henon", "red noise", "random walk", "whole numbers", "wave"],
)
def test_it_is_that_of_the_window(x: Series) -> None:
    dim, lag, theiler, steps = 3, 1, 4, 9
    out = fitted(x, 100, dim, lag, theiler, steps)
    assert np.isnan(out[:99]).all()
    total, seen = np.empty(steps + 1), np.empty(steps + 1, np.int64)
    for k, window in naive.windows(x, 100)[::5]:
        lyapunov.divergence(window, dim, lag, theiler, steps, total, seen)
        saturation = growth.saturation(window, 100 - (dim - 1) * lag - steps, dim, lag)
        want, _, _ = growth.fit(total / seen, growth.correlation_time(window), saturation)
        assert out[k] == pytest.approx(want, abs=1e-12)


def test_it_is_ln_2_for_the_logistic_map() -> None:
    out = fitted(systems.logistic(320), 300, 2, 1, 5, 12)
    np.testing.assert_allclose(out[299:], np.log(2), rtol=0.12)


def test_a_constant_has_none() -> None:
    assert np.isnan(fitted(np.full(60, 2.0), 40, 2, 1, 2, 5)).all()


def test_this_file_knows_the_file_it_is_built_on() -> None:
    source = Path(inspect.getfile(growth)).read_bytes()
    assert crc32(source) == exponents._BUILT_ON, (
        f"growth.py has changed: set it to {crc32(source):#x} in exponents.py"
    )
