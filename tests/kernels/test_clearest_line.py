"""The clearest line: by a Fourier transform, of noise and of waves under noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.kernels.clearest_line import clearest_lines
from tests import systems

Series = NDArray[np.float64]
COMPILED = hasattr(clearest_lines, "signatures")
T = np.arange(128.0)


def clearest(series: Series) -> Series:
    """Of each row of `series`."""
    windows = (series - series.mean(1, keepdims=True)) / series.std(1, keepdims=True)
    out = np.empty(len(series))
    clearest_lines(windows, out, np.empty((4, series.shape[1])))
    return out


def clearest_by_transform(z: Series) -> float:
    """The same by a Fourier transform of the series with as many zeros behind it."""
    n = len(z)
    power = np.abs(np.fft.rfft(z - z.mean(), 2 * n))[:n] ** 2
    found = []
    for f in range(8, n):
        beside = [power[f + away] for away in (-12, -10, -8, -6, -4, 4, 6, 8, 10, 12) if 0 < f + away < n]
        found.append(len(beside) * np.log(1.0 + power[f] / np.sum(beside)))
    return float(max(found) - np.log(n))


@pytest.mark.parametrize("n", [32, 100, 129])
def test_it_is_that_of_a_fourier_transform(n: int) -> None:
    noise = systems.red_noise(n, 0.3, seed=5)
    series = np.stack([noise, noise + np.sin(0.9 * np.arange(n)), np.cumsum(noise)])
    np.testing.assert_allclose(clearest(series), [clearest_by_transform(x) for x in series], rtol=1e-6)


def test_noise_seldom_has_one_and_a_wave_under_noise_always() -> None:
    count = 200 if COMPILED else 10
    rng = np.random.default_rng(11)
    noise = rng.normal(size=(count, 128))
    waves = np.sin(rng.uniform(0.0, 6.3, (count, 1)) + T * rng.uniform(0.3, 2.8, (count, 1)))
    assert np.mean(clearest(noise) > 4.0) <= 0.05
    assert np.mean(clearest(np.cumsum(noise, axis=1)) > 4.0) <= 0.05
    assert (clearest(waves + 0.7 * noise) > 4.0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_none(bad: float) -> None:
    z = systems.red_noise(128, 0.3, seed=5)
    z[40] = bad
    out = np.empty(1)
    with np.errstate(invalid="ignore"):
        clearest_lines(z.reshape(1, -1), out, np.empty((4, 128)))
    assert not out[0] > 0.0
