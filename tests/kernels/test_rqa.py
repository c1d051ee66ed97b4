"""Recurrence quantification against the whole plot, and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.rqa import quantify
from tests import naive_complexity

JIT = hasattr(quantify, "py_func")


@given(
    st.lists(st.integers(-3, 3), min_size=20, max_size=70).map(lambda x: np.array(x, np.float64)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e9]),
    st.integers(2, 5),
)
@settings(max_examples=60 if JIT else 10)
def test_it_is_that_of_the_whole_plot(
    x: np.ndarray, dim: int, lag: int, theiler: int, radius: float, shortest: int
) -> None:
    found = quantify(x, dim, lag, theiler, radius, shortest)
    if np.ptp(x):
        expected = naive_complexity.quantify(x, dim, lag, theiler, radius, shortest)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    else:
        assert np.isnan(found).all()


@pytest.mark.parametrize("n", [126, 127, 128, 129, 258] if JIT else [128])
def test_it_knows_the_ends_of_vectors_and_of_what_a_byte_counts(n: int) -> None:
    x = np.repeat(np.random.default_rng(n).integers(0, 3, n), 2)[:n] * 1.0
    for radius, shortest in ((0.5, 2), (5.0, 2), (5.0, 254)):
        expected = naive_complexity.quantify(x, 1, 1, 0, radius, shortest)
        np.testing.assert_allclose(quantify(x, 1, 1, 0, radius, shortest), expected, rtol=1e-12)


def test_what_repeats_is_made_of_diagonals() -> None:
    lines = quantify(np.tile([0.0, 1.0, 2.0], 20), 1, 1, 0, 0.5, 2)
    assert lines.determinism == 1.0
    assert lines.laminarity == 0.0
    assert math.isnan(lines.trapping_time)
    # Of 60 samples, 57, 54 ... 3 are followed by a copy: 19 lines, each of another length.
    assert lines.longest_diagonal == 57.0
    assert lines.mean_diagonal == 30.0
    assert lines.entropy == pytest.approx(math.log(19))


def test_what_stands_still_by_turns_is_laminar() -> None:
    # 10 levels, 6 samples each, none twice: blocks along the diagonal, which its band cuts in two.
    lines = quantify(np.repeat(np.arange(10.0), 6), 1, 1, 0, 0.5, 2)
    assert lines.recurrence_rate == pytest.approx(10 * 15 / (60 * 59 / 2))
    # A column of a block has k points over the diagonal and 5 - k under it; single points are no lines.
    assert lines.laminarity == pytest.approx((30 - 2) / 30)
    assert lines.trapping_time == pytest.approx((2 * 14) / (2 * 4))
    assert quantify(np.repeat(np.arange(10.0), 6), 1, 1, 5, 0.5, 2).recurrence_rate == 0.0


@pytest.mark.skipif(not JIT, reason="2000 samples squared: too long without the JIT")
@pytest.mark.parametrize("radius", [0.2, 0.5, 1.0])
def test_white_noise_has_the_determinism_of_chance(radius: float) -> None:
    lines = quantify(np.random.default_rng(1).uniform(-1.0, 1.0, 2000), 1, 1, 0, radius, 2)
    # Of two uniform values on an interval of length 2.
    rate = radius - radius * radius / 4
    assert lines.recurrence_rate == pytest.approx(rate, rel=0.03)
    assert lines.determinism == pytest.approx(1 - (1 - lines.recurrence_rate) ** 2, rel=0.02)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-100, 100))
@settings(max_examples=20 if JIT else 5)
def test_scale_and_offset_do_not_count(seed: int, scale: float, offset: int) -> None:
    x = np.random.default_rng(seed).integers(-9, 9, 60) * 1.0
    x[:2] = 0.0, 1.0
    found, other = quantify(x, 2, 1, 1, 1.5, 2), quantify(x * scale + offset, 2, 1, 1, 1.5 * scale, 2)
    np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize(
    ("x", "theiler"),
    [
        (np.ones(50), 0),
        (np.append(np.arange(50.0), np.nan), 0),
        (np.append(np.arange(50.0), -np.inf), 0),
        (np.arange(30.0), 28),
        (np.empty(0), 0),
    ],
    ids=["constant", "nan", "infinity", "too short", "empty"],
)
def test_what_is_not_determined_is_nan(x: np.ndarray, theiler: int) -> None:
    assert np.isnan(quantify(x, 2, 1, theiler, 0.5, 2)).all()


@pytest.mark.parametrize("radius", [0.5, -1.0, math.nan])
def test_where_nothing_recurs_there_are_no_lines(radius: float) -> None:
    lines = quantify(np.arange(40.0), 2, 1, 0, radius, 2)
    assert lines.recurrence_rate == 0.0
    assert np.isnan(lines[1:]).all()


def test_points_without_lines_have_no_mean() -> None:
    # Two equal values, far apart: one point, in no line.
    x = np.array([0.0, 10.0, 20.0, 35.0, 0.0, 55.0])
    lines = quantify(x, 1, 1, 0, 0.5, 2)
    assert lines[1:3] == (0.0, 0.0)
    assert lines.longest_diagonal == 0.0
    assert np.isnan([lines.mean_diagonal, lines.entropy, lines.trapping_time]).all()


def test_parameters_that_cannot_be_are_refused() -> None:
    for parameters in (
        (0, 1, 0, 1.0, 2),
        (1, 0, 0, 1.0, 2),
        (1, 1, -1, 1.0, 2),
        (1, 1, 0, 1.0, 1),
        (1, 1, 0, 1.0, 255),
    ):
        with pytest.raises(ValueError, match="quantify"):
            quantify(np.arange(30.0), *parameters)
