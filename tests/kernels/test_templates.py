"""Sample entropy that is kept up is that of the window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import entropy
from operators.kernels.templates import follow_templates
from tests import naive_dynamics as naive

Series = NDArray[np.float64]


def follow(x: Series, size: int, dim: int, radius: float) -> Series:
    out = np.empty(len(x))
    rows, places = naive.alone(x, size)
    radii = np.where(places > 0, radius, 0.0)
    matches, started = np.zeros((1, 2), np.int64), np.zeros(1, np.uint8)
    follow_templates(rows, places, x, radii, size, dim, matches, started, np.empty(size, np.uint8), out)
    return out


@settings(max_examples=40)
@given(
    st.one_of(
        st.lists(st.integers(0, 2).map(float), min_size=14, max_size=30),
        st.lists(st.floats(-2, 2), min_size=14, max_size=30),
    ),
    st.integers(1, 3),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_it_is_that_of_the_window(values: list[float], dim: int, radius: float) -> None:
    x = np.array(values)
    out = follow(x, 14, dim, radius)
    assert np.isnan(out[:13]).all()
    for k, window in naive.windows(x, 14):
        assert out[k] == pytest.approx(naive.sample_entropy(window, dim, radius), abs=1e-14, nan_ok=True)
        assert out[k] == pytest.approx(entropy.sample_entropy(window, dim, radius), abs=1e-14, nan_ok=True)


def test_regular_is_0_and_a_constant_or_no_match_is_nothing() -> None:
    x = np.concatenate([np.arange(40.0) % 4, np.full(30, 1.0), 2.0 ** np.arange(30)])
    out = follow(x, 20, 2, 0.1)
    assert out[30] == 0.0
    assert np.isnan(out[65])
    assert np.isnan(out[-1])


def test_noise_has_more_than_a_wave() -> None:
    noise = follow(np.random.default_rng(1).normal(size=150), 100, 2, 0.3)
    wave = follow(np.sin(np.arange(150) / 3), 100, 2, 0.3)
    assert np.nanmin(noise) > 2 * np.nanmax(wave)
