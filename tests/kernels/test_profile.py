"""The matrix profile against all pairs of windows, and what is known of series with a planted motif."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import profile
from operators.kernels.profile import matrix_profile, motifs, neighbours
from tests import naive_motif

values = st.integers(-8, 8).map(lambda n: n / 4) | st.sampled_from([0.0, 0.0, 0.0, np.nan, np.inf])
series = st.lists(values, min_size=3, max_size=30).map(np.array)
rough = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=36))


def planted(n: int = 400, m: int = 30) -> NDArray[np.float64]:
    """Noise with the same wave at 50, 180 and, ten times as high and lower down, at 300."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    wave = np.sin(np.linspace(0, 9, m)) * np.linspace(1, 3, m)
    for at, scale, offset in ((50, 1.0, 0.0), (180, 1.0, 4.0), (300, 10.0, -7.0)):
        x[at : at + m] = scale * wave + offset
    x[180:210] += rng.normal(0, 0.01, m)
    return x


@settings(deadline=None, max_examples=50)
@given(series | rough, st.integers(3, 12))
def test_profile_is_the_least_of_all_distances(x: NDArray[np.float64], m: int) -> None:
    m = min(m, len(x))
    found, nearest = matrix_profile(x, m)
    all_of_them = naive_motif.distances(x, m)
    expected = all_of_them.min(axis=1)
    # Correlations that differ by 1e-12 are distances that differ by sqrt(2e-12 m).
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(nearest < 0, ~np.isfinite(expected))
    for i in np.flatnonzero(nearest >= 0):
        assert found[i] == pytest.approx(all_of_them[i, nearest[i]], abs=1e-12)


@pytest.mark.parametrize("restart", [7, 64])
def test_where_covariances_are_summed_anew_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, restart: int
) -> None:
    if hasattr(profile._join, "py_func"):
        pytest.skip("constants are compiled in")
    x = np.random.default_rng(0).normal(size=90).cumsum()
    whole = matrix_profile(x, 8)
    monkeypatch.setattr(profile, "_RESTART", restart)
    monkeypatch.setattr(profile, "_BLOCK", 16)
    for ours, other in zip(whole, matrix_profile(x, 8), strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-9)


@pytest.mark.skipif(
    not hasattr(profile._join, "py_func"), reason="18 million pairs: too long without the JIT"
)
def test_a_long_series_is_exact_beyond_a_restart_and_across_a_jump() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=6000)
    x[3000:] += 1e6
    x[5200:5260] = x[400:460] * 3 + 5
    found, nearest = matrix_profile(x, 60)
    assert (int(nearest[400]), int(nearest[5200])) == (5200, 400)
    assert found[400] == found[5200] < 1e-5
    for i in rng.integers(0, len(found), 20).tolist():
        windows = np.lib.stride_tricks.sliding_window_view(x, 60)
        scaled = (windows - windows.mean(axis=1, keepdims=True)) / windows.std(axis=1, keepdims=True)
        gaps = np.linalg.norm(scaled - scaled[i], axis=1)
        gaps[max(0, i - 15) : i + 16] = np.inf
        assert found[i] == pytest.approx(gaps.min(), abs=1e-4)


@settings(deadline=None)
@given(rough, st.integers(3, 10), st.floats(0.01, 100), st.floats(-100, 100))
def test_offset_and_scale_of_the_series_do_not_count(
    x: NDArray[np.float64], m: int, scale: float, offset: float
) -> None:
    np.testing.assert_allclose(matrix_profile(x * scale + offset, m)[0], matrix_profile(x, m)[0], atol=1e-5)


@settings(deadline=None)
@given(rough, st.integers(3, 10))
def test_the_profile_read_backwards_is_the_profile_of_the_series_read_backwards(
    x: NDArray[np.float64], m: int
) -> None:
    np.testing.assert_allclose(matrix_profile(x[::-1], m)[0][::-1], matrix_profile(x, m)[0], atol=1e-5)


def test_constant_windows_are_near_each_other_and_windows_with_a_nan_near_none() -> None:
    x = np.array([1.0, 1, 1, 1, 5, 2, 7, 3, 3, 3, 3, np.nan, 6, 2, 8, 4])
    found, nearest = matrix_profile(x, 4)
    assert (found[0], nearest[0], found[7], nearest[7]) == (0.0, 7, 0.0, 0)
    assert found[8:12].tolist() == [np.inf] * 4
    assert nearest[8:12].tolist() == [-1] * 4
    assert np.isfinite(found[12])


def test_one_window_without_distances_is_nobodys_nearest() -> None:
    x = np.random.default_rng(2).normal(size=30)
    x[-1] = np.nan
    found, nearest = matrix_profile(x, 5)
    assert (found[-1], nearest[-1]) == (np.inf, -1)
    assert (nearest[:-1] >= 0).all()
    assert (nearest != len(nearest) - 1).all()


def test_values_near_the_limits_of_a_float_are_compared_like_any_other() -> None:
    x = np.random.default_rng(5).normal(size=60)
    expected = matrix_profile(x, 6)[0]
    for scale in (1e-300, 1e307 / np.abs(x).max()):
        np.testing.assert_allclose(matrix_profile(x * scale, 6)[0], expected, atol=1e-6)


def test_motifs_are_the_planted_ones_whatever_their_height() -> None:
    x = planted()
    first, second = motifs(x, 30, 2)
    assert first[["first", "second"]].item() == (50, 300)
    assert first["distance"] < 1e-6
    assert second["distance"] > 1
    found = neighbours(x, 30, 50, 0.5)
    assert found[["first", "second"]].tolist() == [(50, 300), (50, 180)]
    assert (np.diff(found["distance"]) > 0).all()


@settings(deadline=None, max_examples=50)
@given(series | rough, st.integers(3, 8), st.integers(1, 5))
def test_motifs_are_windows_with_their_nearest_and_apart(x: NDArray[np.float64], m: int, k: int) -> None:
    m = min(m, len(x))
    found = motifs(x, m, k)
    assert len(found) <= k
    assert (np.diff(found["distance"]) >= 0).all()
    all_of_them, zone = naive_motif.distances(x, m), -(-m // 4)
    if len(found):
        assert found["distance"][0] == pytest.approx(all_of_them.min(), abs=1e-5)
    else:
        assert all_of_them.min() == np.inf
    places = sorted([*found["first"].tolist(), *found["second"].tolist()])
    assert all(later - earlier > zone for earlier, later in pairwise(places))
    for pair in found:
        i, j = pair["first"], pair["second"]
        assert all_of_them[i, j] == pytest.approx(pair["distance"], abs=1e-9)
        # One of both at least is the other's nearest; the nearest of the other may be nearer.
        assert max(all_of_them[i].min(), all_of_them[j].min()) == pytest.approx(pair["distance"], abs=1e-5)
    if len(found) < k:
        nearest = matrix_profile(x, m)[1]
        free = {i for i in range(len(nearest)) if all(abs(i - place) > zone for place in places)}
        assert not any(nearest[i] in free for i in free)


def test_a_window_whose_nearest_is_told_is_not_asked_for_its_next() -> None:
    rng = np.random.default_rng(2)
    wave, changes = 3 * rng.normal(size=8), rng.normal(size=(3, 13))
    copies = [wave, wave, wave + 0.05 * rng.normal(size=8), wave + 0.08 * rng.normal(size=8)]
    x = np.concatenate(
        [*(np.concatenate(both) for both in zip(copies, changes[:, :5], strict=False)), copies[3]]
    )
    found, all_of_them = motifs(x, 8, 99), naive_motif.distances(x, 8)
    assert found[0][["first", "second"]].item() == (0, 13)
    assert all_of_them[[26, 39]].argmin(axis=1).tolist() == [0, 0]
    assert all_of_them[26, 39] < found[1]["distance"]


@settings(deadline=None, max_examples=50)
@given(series | rough, st.integers(3, 8), st.data())
def test_neighbours_are_those_of_the_twin(x: NDArray[np.float64], m: int, data: st.DataObject) -> None:
    m = min(m, len(x))
    at = data.draw(st.integers(0, len(x) - m))
    within = data.draw(st.sampled_from([0.0, 1.0, 2.5, np.inf]))
    gaps = [naive_motif.distance(x[at : at + m], x[i : i + m]) for i in range(len(x) - m + 1)]
    found = neighbours(x, m, at, within)
    places = [at, *found["second"].tolist()]
    zone = -(-m // 4)
    assert (found["distance"] <= within).all()
    for place, gap in zip(places[1:], found["distance"], strict=True):
        assert gap == pytest.approx(gaps[place], abs=1e-9)
    assert all(abs(a - b) > zone for k, a in enumerate(places) for b in places[:k])
    for i, gap in enumerate(gaps):
        near = [found["distance"][k - 1] if k else 0.0 for k, p in enumerate(places) if abs(i - p) <= zone]
        assert not np.isfinite(gap) or gap > within - 1e-9 or (near and min(near) <= gap + 1e-9)


@pytest.mark.parametrize(
    ("x", "m"), [([[1.0, 2, 3]], 3), ([1.0, 2, 3], 4), ([1.0, 2, 3], 2), (["a", "b", "c"], 3), ([], 3)]
)
def test_what_is_no_series_with_windows_is_refused(x: list[float], m: int) -> None:
    with pytest.raises(ValueError, match=r"matrix_profile: a series .* needed"):
        matrix_profile(x, m)


def test_motifs_and_neighbours_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="motifs: k must be 1 or more, not 0"):
        motifs([1.0, 2, 3, 4], 3, 0)
    for at, within in ((-1, 1.0), (2, 1.0), (0, -1.0), (0, np.nan)):
        with pytest.raises(ValueError, match="neighbours: at must be 0 to 1"):
            neighbours([1.0, 2, 3, 4], 3, at, within)
