"""Regimes of known systems, and a stage that no cutting into packets changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators import attractor
from operators.attractor import Assessment, Attractor, Regime, classify, describe
from operators.kernels.attractor import attractor_update
from operators.kernels.clearest_line import clearest_lines
from operators.kernels.divergence import follow_neighbours
from operators.kernels.recurrence import standardise_and_return
from operators.packet import Packet, Reach
from tests import systems
from tests.operators.slicing import findings, packets, told
from tests.regime_population import population

Series = NDArray[np.float64]
CODES = {regime: 10 + place for place, regime in enumerate(Regime)}
COMPILED = hasattr(attractor_update, "signatures")
LENGTHS = [128, 300] if COMPILED else [128]
GOLD = (1 + 5**0.5) / 2


def waves(n: int, *periods: float) -> Series:
    total: Series = np.sum([np.sin(2 * np.pi * np.arange(n) / period + 1.0) for period in periods], axis=0)
    return total


def square(n: int, period: float) -> Series:
    return np.sign(waves(n, period))


def noise(n: int, seed: int = 7) -> Series:
    return np.random.default_rng(seed).normal(size=n)


def tent(n: int) -> Series:
    # The slope is not 2, with which doubles run out of digits after 50 steps.
    x, out = 0.3, np.empty(n)
    for i in range(n):
        out[i] = x = 1.99 * min(x, 1.0 - x)
    return out


def ikeda(n: int) -> Series:
    z, out = 0.1 + 0.1j, np.empty(n + 100)
    for i in range(n + 100):
        z = 1.0 + 0.9 * z * np.exp(1j * (0.4 - 6.0 / (1.0 + abs(z) ** 2)))
        out[i] = z.real
    return out[100:]


KNOWN: dict[str, tuple[Callable[[int], NDArray[np.generic]], Regime]] = {
    "constant": (lambda n: np.full(n, 0.1), Regime.FIXED_POINT),
    "constant and dust": (lambda n: 7.0 + 1e-14 * noise(n), Regime.FIXED_POINT),
    "logistic 2.8": (lambda n: systems.logistic(n, 2.8, skip=0), Regime.FIXED_POINT),
    "logistic 2.9": (lambda n: systems.logistic(n, 2.9, skip=0), Regime.FIXED_POINT),
    "damped": (lambda n: waves(n, 9.0) * np.exp(-20 * np.arange(n) / n), Regime.FIXED_POINT),
    "ramp": (lambda n: np.arange(n) * 1.0, Regime.TREND),
    "ramp and noise": (lambda n: np.arange(n) / n + 0.15 * noise(n), Regime.TREND),
    "parabola": (lambda n: np.arange(n) ** 2.0, Regime.TREND),
    "growth": (lambda n: np.exp(-5 * np.arange(n) / n), Regime.TREND),
    "logistic 3.2": (lambda n: systems.logistic(n, 3.2), Regime.LIMIT_CYCLE),
    "logistic 3.55": (lambda n: systems.logistic(n, 3.55, skip=2000), Regime.LIMIT_CYCLE),
    "logistic 3.83": (lambda n: systems.logistic(n, 3.83, skip=2000), Regime.LIMIT_CYCLE),
    "sine": (lambda n: waves(n, 7.3), Regime.LIMIT_CYCLE),
    "sine, 3 turns": (lambda n: waves(n, n / 3), Regime.LIMIT_CYCLE),
    "sine and noise": (lambda n: waves(n, 12.0) + noise(n) / 10, Regime.LIMIT_CYCLE),
    "sine and noise, few turns": (lambda n: waves(n, n / 4) + noise(n) / 20, Regime.LIMIT_CYCLE),
    "harmonics": (lambda n: waves(n, 20.7, 20.7 / 3, 20.7 / 2), Regime.LIMIT_CYCLE),
    "square, 8": (lambda n: square(n, 8.0), Regime.LIMIT_CYCLE),
    "square, 20.9": (lambda n: square(n, 20.9), Regime.LIMIT_CYCLE),
    "sawtooth": (lambda n: np.arange(n) / 13.7 % 1.0, Regime.LIMIT_CYCLE),
    "triangle": (lambda n: np.abs(np.arange(n) / 13.7 % 1.0 - 0.5), Regime.LIMIT_CYCLE),
    "torus, golden": (lambda n: waves(n, 11.0, 11.0 / GOLD), Regime.TORUS),
    "torus, root 2": (lambda n: waves(n, 9.0, 9.0 / 2**0.5), Regime.TORUS),
    "torus, modulated": (lambda n: (1.5 + waves(n, 17.0)) * waves(n, 17.0 / 2 / GOLD), Regime.TORUS),
    "white noise": (noise, Regime.NOISE),
    "uniform noise": (lambda n: np.random.default_rng(3).uniform(size=n), Regime.NOISE),
    "red noise": (lambda n: systems.red_noise(n, 0.7, 8), Regime.NOISE),
    "blue noise": (lambda n: systems.red_noise(n, -0.7, 9), Regime.NOISE),
    "two values": (lambda n: np.random.default_rng(3).integers(0, 2, n), Regime.NOISE),
    "logistic 4": (systems.logistic, Regime.CHAOTIC),
    "logistic 3.7": (lambda n: systems.logistic(n, 3.7), Regime.CHAOTIC),
    "Henon": (systems.henon, Regime.CHAOTIC),
    "tent": (tent, Regime.CHAOTIC),
}


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", KNOWN)
def test_a_known_series_has_its_regime(n: int, name: str) -> None:
    series, regime = KNOWN[name]
    assert describe(series(n).astype(np.float64)).regime is regime


@pytest.mark.skipif(not COMPILED, reason="a second each without the JIT")
@pytest.mark.parametrize(
    "x",
    [
        systems.lorenz(500, 0.1),
        systems.lorenz(800, 0.05),
        systems.roessler(500, 0.5),
        systems.roessler(800, 0.2),
        ikeda(400),
    ],
    ids=["lorenz 50", "lorenz 50, finer", "roessler 250", "roessler 160", "ikeda"],
)
def test_a_chaotic_flow_is_known_after_some_thirty_turns(x: Series) -> None:
    assert classify(x) is Regime.CHAOTIC
    assert classify(x + 0.05 * x.std() * noise(len(x))) is Regime.CHAOTIC


@pytest.mark.parametrize("n", [128])
@pytest.mark.parametrize("step", [0.02, 0.05])
def test_a_flow_of_few_turns_is_not_taken_for_something_regular(n: int, step: float) -> None:
    for seed in range(3):
        x = systems.lorenz(n + 40 * seed, step)[-n:]
        assert classify(x) in {Regime.CHAOTIC, Regime.UNDETERMINED}


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.8, 0.9, 0.95])
def test_coloured_noise_is_never_regular_and_hardly_ever_chaotic(correlation: float) -> None:
    said = [classify(systems.red_noise(128, correlation, seed)) for seed in range(60 if COMPILED else 4)]
    assert not set(said) & {Regime.LIMIT_CYCLE, Regime.TORUS, Regime.FIXED_POINT}
    assert said.count(Regime.CHAOTIC) <= 1


TAILS: dict[str, Callable[[np.random.Generator, int], Series]] = {
    "lognormal": lambda rng, n: rng.lognormal(0.0, 1.2, n),
    "lognormal, wide": lambda rng, n: rng.lognormal(0.0, 2.0, n),
    "Pareto": lambda rng, n: rng.pareto(1.5, n),
    "exponential, squared": lambda rng, n: rng.exponential(size=n) ** 2,
    "Poisson": lambda rng, n: rng.poisson(0.7, n) * 1.0,
}


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("n", LENGTHS)
def test_noise_with_heavy_tails_is_hardly_ever_anything_else(name: str, n: int) -> None:
    count = 100 if COMPILED else 4
    said = [classify(TAILS[name](np.random.default_rng(seed), n)) for seed in range(count)]
    assert set(said) <= {Regime.NOISE, Regime.UNDETERMINED, Regime.CHAOTIC}
    assert said.count(Regime.CHAOTIC) <= 1
    assert said.count(Regime.NOISE) >= 0.25 * count


@pytest.mark.parametrize("amount", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("n", LENGTHS)
def test_a_cycle_under_strong_noise_is_not_called_noise(amount: float, n: int) -> None:
    count = 100 if COMPILED else 4
    rng = np.random.default_rng(3)
    said = [classify(waves(n, rng.uniform(5, 20)) + amount * noise(n, seed)) for seed in range(count)]
    assert set(said) <= {Regime.NOISE, Regime.UNDETERMINED, Regime.LIMIT_CYCLE}
    assert said.count(Regime.NOISE) <= (0 if amount < 1.0 else 0.05 * count)


@pytest.mark.parametrize("period", [2.0, 3.3, 8.0, 17.9, 40.0])
@pytest.mark.parametrize("amount", [0.0, 0.05])
def test_a_cycle_is_told_with_its_period(period: float, amount: float) -> None:
    found = describe(waves(128, period) + amount * noise(128))
    assert found.regime is Regime.LIMIT_CYCLE
    assert found.period == pytest.approx(period, rel=0.02)
    assert math.isnan(found.exponent)


def test_a_doubled_cycle_has_the_longer_period() -> None:
    assert describe(systems.logistic(128, 3.5, skip=2000)).period == pytest.approx(4.0, rel=0.01)
    assert describe(systems.logistic(128, 3.55, skip=2000)).period == pytest.approx(8.0, rel=0.01)


def test_chaos_is_told_with_its_exponent() -> None:
    found = describe(systems.logistic(400))
    assert found.exponent == pytest.approx(math.log(2), rel=0.15)
    assert math.isnan(found.period)


@settings(deadline=None, max_examples=40 if COMPILED else 4)
@given(st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([-1.0, 0.0, 1e3]), st.floats(4, 32))
def test_scale_and_offset_do_not_count(scale: float, offset: float, period: float) -> None:
    for x in (waves(128, period), systems.logistic(128), systems.red_noise(128, 0.5, 3)):
        assert classify(offset + scale * x) is classify(x)
    assert classify(offset + scale * waves(128, period)) is Regime.LIMIT_CYCLE


@settings(deadline=None, max_examples=60 if COMPILED else 20)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=30, max_size=48))
def test_nothing_crashes_and_nothing_is_sure_without_confidence(x: list[float]) -> None:
    found = describe(np.array(x))
    assert (found.regime is Regime.UNDETERMINED) == (found.confidence == 0.0) == bool(found.missing)
    assert 0.0 <= found.confidence <= 1.0
    if not np.isfinite(x).all() or len(x) < 32:
        assert found.regime is Regime.UNDETERMINED


@pytest.mark.parametrize(
    ("x", "missing"),
    [
        (np.zeros(0), "32 samples, got 0"),
        (np.ones(10), "32 samples, got 10"),
        (np.array([math.nan] * 64), "finite values: 64 of 64 are not, the first is number 0"),
        (np.array([0.0, math.inf] + [0.0] * 62), "finite values: 1 of 64 are not, the first is number 1"),
        (
            np.r_[noise(60), np.zeros(60)],
            "one regime: it stands still for more than three eighths of the samples",
        ),
        (waves(128, 60.0), "more turns: three at least, or a trend that is clearer"),
    ],
)
def test_what_is_missing_is_named(x: Series, missing: str) -> None:
    found = describe(x)
    assert (found.regime, found.confidence, found.missing) == (Regime.UNDETERMINED, 0.0, missing)
    assert math.isnan(found.period)
    assert math.isnan(found.exponent)


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not an array of shape \(8, 8\)"):
        classify(np.zeros((8, 8)))


def test_the_largest_and_smallest_numbers_are_no_trouble() -> None:
    assert classify(np.array([1e308, -1e308] * 32)) is Regime.LIMIT_CYCLE
    assert classify(1e-300 * waves(128, 9.0)) is Regime.LIMIT_CYCLE


def test_describing_leaves_its_argument_alone() -> None:
    x = systems.logistic(128)
    kept = x.copy()
    describe(x)
    assert (x == kept).all()


@pytest.mark.skipif(not COMPILED, reason="500 answers take minutes without the JIT")
def test_confidence_is_the_share_of_right_answers() -> None:
    answers = []
    for n in (128, 300):
        for seed in range(900, 906):
            for truth, x in population(n, seed, 0.05 * (seed % 2)).values():
                found = describe(x)
                if found.regime is not Regime.UNDETERMINED:
                    answers.append((found.confidence, found.regime in truth))
    sure = [right for confidence, right in answers if confidence >= 0.97]
    rest = [(confidence, right) for confidence, right in answers if confidence < 0.97]
    assert len(sure) > 100
    assert len(rest) > 100
    assert np.mean(sure) >= 0.97
    claimed, right = np.mean(rest, axis=0)
    assert claimed == pytest.approx(right, abs=0.1)


LANES = [
    np.concatenate([waves(90, 8.0), systems.logistic(90)]),
    np.concatenate([systems.red_noise(70, 0.0, 2), np.full(80, 2.0)]),
    np.arange(100.0),
]


@settings(deadline=None, max_examples=30 if COMPILED else 4)
@given(st.lists(st.integers(0, 440), max_size=6), st.permutations(range(3)))
def test_cutting_interleaving_and_restarts_change_nothing(cuts: list[int], order: list[int]) -> None:
    lanes = [LANES[place] for place in order]
    said = told(lanes, signal=4)
    cuts = [min(cut, len(said)) for cut in cuts]
    whole = findings(Attractor(4, 40, 7, CODES), packets(said, []))
    assert len({found[0] for found in whole}) == 3
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
    cycle, chaos = Attractor(0, 128, 32, CODES).update(packet).findings
    assert cycle[["delta", "row", "kind", "code", "value", "begin", "stop", "decided"]].item() == (
        159, 0, Reach.REGIME, CODES[Regime.LIMIT_CYCLE], 0.0, 3 * 32, 3 * 160, 3 * 160,
    )  # fmt: skip
    assert cycle["period"] == pytest.approx(8.0, rel=0.001)
    assert cycle["confidence"] > 0.9
    assert chaos["code"] == CODES[Regime.CHAOTIC]
    assert chaos["value"] > 0.2  # part of its window may still be the cycle
    assert chaos["period"] == 0.0
    assert chaos["stop"] - chaos["begin"] == 3 * 128


def looking(monkeypatch: pytest.MonkeyPatch, looks: list[tuple[Regime, float]]) -> list[str]:
    """What a stage tells that sees these, one after the other."""
    rest = iter(looks)
    monkeypatch.setattr(
        attractor, "_assessed", lambda windows: [Assessment(*next(rest)) for _ in range(len(windows))]
    )
    lane = np.zeros(31 + len(looks))
    codes = {code: regime for regime, code in CODES.items()}
    return [codes[found[2]] for found in findings(Attractor(0, 32, 1, CODES), packets(told([lane]), []))]  # type: ignore[index]


A, B, NOTHING = (Regime.LIMIT_CYCLE, 0.9), (Regime.CHAOTIC, 0.9), (Regime.UNDETERMINED, 0.0)


@pytest.mark.parametrize(
    ("looks", "findings"),
    [
        ([A], []),
        ([A, A, A], [A]),
        ([A, NOTHING, A], [A]),
        ([A, A, NOTHING, B, NOTHING, NOTHING, B], [A, B]),
        ([A, B] * 20, []),
        ([A, A, *[B, A] * 20], [A]),
        ([A, A, B, B] * 10, [A, B]),
        ([A, A, B, B, A, A, A], [A, B, A]),
        ([(Regime.NOISE, 0.3)] * 3, []),
        ([(Regime.NOISE, 0.3)] * 7, []),
        ([(Regime.NOISE, 0.3)] * 8, [(Regime.NOISE, 0.3)]),
        ([A, *[NOTHING] * 3, A], [A]),
        ([A, *[NOTHING] * 4, A], []),
        ([A, A, *[*[NOTHING] * 7, B] * 50], [A]),
    ],
)
def test_a_change_takes_evidence_and_flicker_is_none(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[Regime, float]], findings: list[tuple[Regime, float]]
) -> None:
    assert looking(monkeypatch, looks) == [regime for regime, _ in findings]


def test_a_chaotic_lane_is_told_with_its_exponent() -> None:
    ((_, _, code, exponent, *_),) = findings(
        Attractor(0, codes=CODES), packets(told([systems.logistic(200)]), [])
    )
    assert code == CODES[Regime.CHAOTIC]
    assert exponent == pytest.approx(math.log(2), rel=0.2)


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
    for kernel in ("attractor_update", "clearest_lines", "follow_neighbours", "standardise_and_return"):
        real = getattr(attractor, kernel)

        def noted(*given: object, name: str = kernel, real: Callable[..., object] = real) -> object:
            called.append(name)
            return real(*given)

        monkeypatch.setattr(attractor, kernel, noted)
    Attractor(0, codes=CODES).warm()
    assert set(called) == {
        "attractor_update",
        "clearest_lines",
        "follow_neighbours",
        "standardise_and_return",
    }


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled without the JIT")
def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Attractor(0, 32, 4, CODES)
    stage.warm()
    kernels: list[Any] = [attractor_update, clearest_lines, follow_neighbours, standardise_and_return]
    known = [len(kernel.signatures) for kernel in kernels]
    for packet in packets(told([systems.logistic(80)]), range(0, 60, 7)):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert [len(kernel.signatures) for kernel in kernels] == known == [1, 1, 1, 1]


def test_state_of_a_lane_is_what_is_said() -> None:
    assert Attractor(0, codes=CODES).state_bytes == 128 * 8 + 4 * 8 + 15
    assert Attractor(0, 128, 1, CODES).state_bytes == 128 * 16 + 15


@pytest.mark.parametrize(("window", "every"), [(31, 8), (128, 0)])
def test_a_window_that_is_too_small_is_refused(window: int, every: int) -> None:
    with pytest.raises(ValueError, match="32 samples or more"):
        Attractor(0, window, every, CODES)


@pytest.mark.parametrize("r", [3.2, 3.5, 3.55, 3.83])
@pytest.mark.parametrize("n", [300, 1000])
def test_what_comes_to_a_cycle_is_a_cycle_from_wherever_it_begins(r: float, n: int) -> None:
    starts = np.linspace(0.05, 0.95, 10)
    assert {classify(systems.logistic(n, r, x, skip=0)) for x in starts} == {Regime.LIMIT_CYCLE}


@pytest.mark.parametrize("n", [300, 1000])
def test_a_chirp_is_not_chaos(n: int) -> None:
    found = describe(np.sin((np.arange(n) / 12) ** 1.5))
    assert (found.regime, found.missing) == (
        Regime.UNDETERMINED, "a steady pace: it becomes faster or slower",
    )  # fmt: skip
