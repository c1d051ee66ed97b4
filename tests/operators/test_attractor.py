"""Regimes of known systems, and a stage that no cutting into packets changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators import attractor
from operators.attractor import Attractor, Regime, classify
from operators.kernels.attractor import attractor_update
from operators.kernels.divergence import follow_neighbours
from operators.kernels.recurrence import standardise_and_return
from operators.packet import Packet, Reach
from tests import systems
from tests.operators.slicing import findings, packets, told

Series = NDArray[np.float64]
CODES = {regime: 10 + place for place, regime in enumerate(Regime)}
LENGTHS = [128, 300, 1000]
GOLD = (1 + 5**0.5) / 2


def waves(n: int, *periods: float) -> Series:
    return np.sum([np.sin(2 * np.pi * np.arange(n) / period + 1.0) for period in periods], axis=0)


def square(n: int, period: float) -> Series:
    return np.sign(waves(n, period))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(
    ("series", "regime"),
    [
        (lambda n: np.full(n, 0.1), Regime.FIXED_POINT),
        (lambda n: systems.logistic(n, 2.8, skip=0), Regime.FIXED_POINT),
        (lambda n: np.arange(n) * 1.0, Regime.TREND),
        (lambda n: np.arange(n) + systems.red_noise(n, 0.0, 5) * n / 20, Regime.TREND),
        (lambda n: systems.logistic(n, 3.2), Regime.LIMIT_CYCLE),
        (lambda n: systems.logistic(n, 3.5), Regime.LIMIT_CYCLE),
        (lambda n: waves(n, 7.3), Regime.LIMIT_CYCLE),
        (lambda n: waves(n, n / 4), Regime.LIMIT_CYCLE),
        (lambda n: waves(n, 12.0) + systems.red_noise(n, 0.0, 6) / 10, Regime.LIMIT_CYCLE),
        (lambda n: square(n, 8.0), Regime.LIMIT_CYCLE),
        (lambda n: square(n, 20.9), Regime.LIMIT_CYCLE),
        (lambda n: waves(n, 11.0, 11.0 / GOLD), Regime.TORUS),
        (lambda n: waves(n, 9.0, 9.0 / 2**0.5), Regime.TORUS),
        (lambda n: systems.red_noise(n, 0.0, 7), Regime.NOISE),
        (lambda n: systems.red_noise(n, 0.7, 8), Regime.NOISE),
        (lambda n: systems.red_noise(n, -0.7, 9), Regime.NOISE),
        (lambda n: np.exp(systems.red_noise(n, 0.0, 7)), Regime.NOISE),
        (systems.logistic, Regime.CHAOTIC),
        (lambda n: systems.logistic(n, 3.7), Regime.CHAOTIC),
        (systems.henon, Regime.CHAOTIC),
    ],
)
def test_a_known_series_has_its_regime(n: int, series: type[np.ndarray[tuple[int]]], regime: Regime) -> None:
    assert classify(series(n)) is regime  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize(
    "x",
    [
        systems.lorenz(500, 0.1),
        systems.lorenz(1000, 0.05),
        systems.roessler(500, 0.5),
        systems.roessler(1000, 0.2),
    ],
    ids=["lorenz 50", "lorenz 50, finer", "roessler 250", "roessler 200"],
)
def test_a_chaotic_flow_is_known_after_some_forty_turns(x: Series) -> None:
    assert classify(x) is Regime.CHAOTIC


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.8, 0.9, 0.95])
def test_coloured_noise_is_never_chaotic_nor_regular(correlation: float) -> None:
    said = {classify(systems.red_noise(128, correlation, seed)) for seed in range(100)}
    assert not said & {Regime.CHAOTIC, Regime.LIMIT_CYCLE, Regime.TORUS}


@settings(deadline=None)
@given(st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([-1.0, 0.0, 1e3]), st.floats(4, 32))
def test_scale_and_offset_do_not_count(scale: float, offset: float, period: float) -> None:
    for x in (waves(128, period), systems.logistic(128), systems.red_noise(128, 0.5, 3)):
        assert classify(offset + scale * x) is classify(x)
    assert classify(offset + scale * waves(128, period)) is Regime.LIMIT_CYCLE


@pytest.mark.parametrize("x", [[], [1.0] * 31])
def test_a_short_series_is_undetermined(x: list[float]) -> None:
    assert classify(np.array(x)) is Regime.UNDETERMINED


@pytest.mark.parametrize(
    "x", [np.array([math.nan] * 64), np.array([math.inf] + [0.0] * 63), np.zeros((8, 8))]
)
def test_what_is_no_series_of_numbers_is_refused(x: Series) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        classify(x)


def test_classify_leaves_its_argument_alone() -> None:
    x = systems.logistic(128)
    kept = x.copy()
    classify(x)
    assert (x == kept).all()


LANES = [
    np.concatenate([waves(90, 8.0), systems.logistic(90)]),
    np.concatenate([systems.red_noise(70, 0.0, 2), np.full(80, 2.0)]),
    np.arange(100.0),
]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 440), max_size=6), st.permutations(range(3)))
def test_cutting_interleaving_and_restarts_change_nothing(cuts: list[int], order: list[int]) -> None:
    lanes = [LANES[place] for place in order]
    said = told(lanes, signal=4)
    cuts = [min(cut, len(said)) for cut in cuts]
    whole = findings(Attractor(4, 40, 7, CODES), packets(said, []))
    assert findings(Attractor(4, 40, 7, CODES), packets(said, cuts)) == whole
    assert (
        findings(Attractor(4, 40, 7, CODES), packets(said, cuts), restart=Attractor(4, 40, 7, CODES)) == whole
    )
    for row, lane in enumerate(lanes):
        alone = [
            (row, *found[1:]) for found in findings(Attractor(4, 40, 7, CODES), packets(told([lane], 4), []))
        ]
        assert alone == [found for found in whole if found[0] == row]


def test_a_change_is_told_once_by_the_second_window_that_says_it() -> None:
    lane = np.concatenate([waves(256, 8.0), systems.logistic(256)])
    (packet,) = packets(told([lane]), [])
    found = Attractor(0, 128, 32, CODES).update(packet).findings
    cycle, chaos = found
    assert cycle[["delta", "row", "kind", "code", "value", "begin", "stop", "decided"]].item() == (
        159, 0, Reach.REGIME, CODES[Regime.LIMIT_CYCLE], 0.0, 3 * 32, 3 * 160, 3 * 160,
    )  # fmt: skip
    assert chaos["code"] == CODES[Regime.CHAOTIC]
    assert chaos["value"] > 0.2  # part of its window is still the cycle
    assert chaos["stop"] - chaos["begin"] == 3 * 128


def test_a_chaotic_lane_is_told_with_its_exponent() -> None:
    ((_, _, code, exponent, *_),) = findings(
        Attractor(0, codes=CODES), packets(told([systems.logistic(200)]), [])
    )
    assert code == CODES[Regime.CHAOTIC]
    assert exponent == pytest.approx(math.log(2), rel=0.15)


def test_other_signals_and_values_that_are_not_finite_are_passed_over() -> None:
    lane = np.full(80, math.nan)
    lane[::2] = waves(40, 8.0)
    assert findings(Attractor(1, 32, 1, CODES), packets(told([lane], signal=0), [])) == []
    ((_, _, code, _, begin, stop, *_),) = findings(Attractor(0, 32, 1, CODES), packets(told([lane]), []))
    assert (code, begin, stop) == (CODES[Regime.LIMIT_CYCLE], 3 * 2, 3 * 65)


def test_a_regime_without_a_code_is_not_told() -> None:
    said = packets(told([waves(128, 8.0)]), [])
    assert findings(Attractor(0, 64, 8, {Regime.CHAOTIC: 1}), said) == []


def test_warming_calls_every_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    for kernel in ("attractor_update", "follow_neighbours", "standardise_and_return"):
        real = getattr(attractor, kernel)
        monkeypatch.setattr(attractor, kernel, lambda *a, k=kernel, r=real: (called.append(k), r(*a))[1])
    Attractor(0, codes=CODES).warm()
    assert set(called) == {"attractor_update", "follow_neighbours", "standardise_and_return"}


def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Attractor(0, 32, 4, CODES)
    stage.warm()
    kernels = (attractor_update, follow_neighbours, standardise_and_return)
    if not hasattr(attractor_update, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    known = [len(kernel.signatures) for kernel in kernels]
    for packet in packets(told([systems.logistic(80)]), range(0, 60, 7)):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert [len(kernel.signatures) for kernel in kernels] == known == [1, 1, 1]


def test_state_stays_under_3_kib() -> None:
    stage = Attractor(0, codes=CODES)
    empty = len(stage.dump())
    stage.update(packets(told([np.zeros(4)]), [2])[0])
    assert len(stage.dump()) - empty <= 3 * 1024


@pytest.mark.parametrize(("window", "every"), [(31, 8), (128, 0)])
def test_a_window_that_is_too_small_is_refused(window: int, every: int) -> None:
    with pytest.raises(ValueError, match="32 samples or more"):
        Attractor(0, window, every, CODES)
