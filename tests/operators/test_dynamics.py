"""The dynamics of a lane's last samples: the batch's numbers, with every sample, however packets are cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators import dynamics
from operators.dynamics import Dynamics
from operators.kernels import entropy, lyapunov, rqa
from operators.kernels.dynamics import freeze
from operators.packet import Packet, Signal
from tests import naive_dynamics as naive
from tests import systems
from tests.operators.slicing import Said, packets, told

Series = NDArray[np.float64]
compiled = pytest.mark.skipif(
    not hasattr(freeze, "py_func"), reason="thousands of windows of 256: too long without the JIT"
)
ALL = [Signal(signal) for signal in range(Signal.LYAPUNOV, Signal.VELOCITY + 1)]
SMALL = {"window": 40, "dim": 2, "lag": 1, "theiler": 3, "steps": 6, "order": 3, "radius": 0.3}
"""Parameters that leave something to count in a window of 40."""


def stage(measures: Sequence[Signal] = ALL, **more: float) -> Dynamics:
    return Dynamics(4, measures, **(SMALL | more))  # type: ignore[arg-type]


def derived(
    made: Dynamics, said: Sequence[Packet], restart: Dynamics | None = None
) -> list[tuple[int, Signal, int, int, int, float]]:
    """Row, signal, characters and value of what is new; `restart` takes over after each packet, in turn."""
    out = []
    for packet in said:
        if restart is not None:
            restart.load(made.dump())
            made, restart = restart, made
        samples = made.update(packet).samples
        kept = samples[: len(packet.samples)]
        assert kept.tobytes() == packet.samples.tobytes()
        for _, row, signal, *where, value in samples[len(packet.samples) :].tolist():
            out.append((row, Signal(signal), *where, value))
    return out


def series(made: Dynamics, x: Series) -> dict[Signal, dict[int, float]]:
    """Of each measure the value with each sample of a lane alone, by the sample's place."""
    out: dict[Signal, dict[int, float]] = {}
    for _, signal, begin, _, _, value in derived(made, packets(told([x], signal=4), [])):
        out.setdefault(signal, {})[begin // 3] = value
    return out


def batch(x: Series, radius: float) -> dict[Signal, float]:
    """The numbers of one window with the parameters SMALL, from the kernels that know no stream."""
    lines = rqa.quantify(x, 2, 1, 3, radius, 2)
    share, pairs = naive.alike(x, 2, 1, 3, 6)
    lawful = share > 0.65 + 0.8 / math.sqrt(max(pairs, 1))
    return {
        Signal.LYAPUNOV: lyapunov.largest_lyapunov(x, 2, 1, 3, 6) if lawful else math.nan,
        Signal.PERMUTATION: entropy.permutation_entropy(x, 3, 1),
        Signal.COMPLEXITY: entropy.sample_entropy(x, 2, radius),
        Signal.DETERMINISM: lines.determinism,
        Signal.LAMINARITY: lines.laminarity,
        Signal.PATH: float(np.abs(np.diff(x)).sum()),
        Signal.VELOCITY: (x[-1] - x[0]) / (len(x) - 1),
    }


@pytest.mark.parametrize(
    "x",
    [
        systems.logistic(80),
        systems.henon(80) * 1e3,
        systems.red_noise(80, 0.3, 1),
        np.concatenate([systems.red_noise(55, 0.0, 2), 30 + systems.logistic(35)]),
    ],
    ids=["logistic", "henon", "red noise", "a change"],
)
def test_with_every_sample_the_numbers_are_those_of_the_batch(x: Series) -> None:
    found = series(stage(), x)
    radius = 0.3 * naive.scale(x[:40])
    for k, window in naive.windows(x, 40)[::4]:
        for signal, want in batch(window, radius).items():
            got = found.get(signal, {}).get(k, math.nan)
            assert got == pytest.approx(want, rel=1e-12, abs=1e-12, nan_ok=True), (signal, k)


NOISES: dict[str, Callable[[np.random.Generator], Series]] = {
    "white": lambda rng: rng.normal(size=400),
    "AR(1) 0.9": lambda rng: systems.red_noise(400, 0.9, int(rng.integers(1 << 30))),
    "lognormal": lambda rng: rng.lognormal(0.0, 1.2, 400),
    "whole numbers": lambda rng: rng.geometric(0.4, 400).astype(np.float64),
    "walk": lambda rng: np.cumsum(rng.normal(size=400)),
    "a wave and noise": lambda rng: np.sin(np.arange(400) / 5) + 0.05 * rng.normal(size=400),
}


@compiled
@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_an_exponent_as_seldom_as_stated(kind: str) -> None:
    windows = told_of = 0
    for seed in range(20):
        x = NOISES[kind](np.random.default_rng(seed))
        found = series(Dynamics(4, [Signal.LYAPUNOV], 256), x)
        told_of += len(found.get(Signal.LYAPUNOV, {}))
        windows += 145
    assert told_of <= 0.01 * windows


@compiled
@pytest.mark.parametrize(
    ("x", "exponent"),
    [(systems.logistic(400), math.log(2.0)), (systems.henon(400), 0.419)],
    ids=["r 4", "henon"],
)
def test_a_law_has_its_exponent_in_every_window(x: Series, exponent: float) -> None:
    found = series(Dynamics(4, [Signal.LYAPUNOV], 256), x)[Signal.LYAPUNOV]
    assert len(found) == 145
    assert np.median([*found.values()]) == pytest.approx(exponent, rel=0.1)


def test_before_the_window_is_full_there_is_nothing() -> None:
    found = series(stage(), systems.logistic(60, 3.7))
    assert {min(values) for values in found.values()} == {39}
    assert set(found) == set(ALL)
    assert derived(stage(), packets(told([systems.logistic(39)], signal=4), [])) == []


def test_a_constant_has_a_path_and_a_velocity_and_nothing_else() -> None:
    found = series(stage(), np.full(60, 7.0))
    assert set(found) == {Signal.PATH, Signal.VELOCITY}
    assert set(found[Signal.PATH].values()) == set(found[Signal.VELOCITY].values()) == {0.0}


def test_what_begins_constant_gets_its_scale_when_it_varies() -> None:
    x = np.concatenate([np.full(50, 7.0), systems.logistic(80)])
    found = series(stage([Signal.DETERMINISM, Signal.COMPLEXITY]), x)
    assert min(found[Signal.DETERMINISM]) == 50
    radius = 0.3 * naive.scale(x[11:51])
    for k, window in naive.windows(x, 40)[12:]:
        got = found[Signal.DETERMINISM].get(k, math.nan)
        assert got == pytest.approx(rqa.quantify(window, 2, 1, 3, radius, 2).determinism, nan_ok=True)
        got = found[Signal.COMPLEXITY].get(k, math.nan)
        assert got == pytest.approx(entropy.sample_entropy(window, 2, radius), rel=1e-12, nan_ok=True)


LANES = [
    np.concatenate([np.sin(np.arange(35.0)), systems.logistic(20)]),
    np.concatenate([np.full(45, 2.0), systems.red_noise(10, 0.0, 2)]),
    np.random.default_rng(5).geometric(0.4, 50).astype(np.float64),
]


@settings(max_examples=4)
@given(st.lists(st.integers(0, 163), max_size=6), st.permutations(range(3)))
def test_cutting_interleaving_and_restarts_change_nothing(cuts: list[int], order: list[int]) -> None:
    lanes = [LANES[place] for place in order]
    said = told(lanes, signal=4)
    cuts = [min(cut, len(said)) for cut in cuts]
    whole = derived(stage(), packets(said, []))
    assert derived(stage(), packets(said, cuts)) == whole
    assert derived(stage(), packets(said, cuts), restart=stage()) == whole
    for row, lane in enumerate(lanes):
        alone = derived(stage(), packets(told([lane], signal=4), []))
        assert [(row, *found[1:]) for found in alone] == [found for found in whole if found[0] == row]


def test_a_row_that_is_given_out_again_knows_nothing_of_the_lane_before() -> None:
    made = stage()
    first = packets(told([systems.logistic(60)], signal=4), [])
    second = packets(told([systems.henon(60)], signal=4), [])
    derived(made, first)
    assert derived(made, second) == derived(stage(), second)


def test_a_new_sample_stands_behind_the_others_where_its_cause_stands() -> None:
    x = systems.logistic(42)
    said = [Said(0, ((4, float(value)), (0, 1.0))) for value in x]
    (packet,) = packets(said, [])
    samples = stage([Signal.VELOCITY, Signal.PATH]).update(packet).samples
    assert samples[:84].tobytes() == packet.samples.tobytes()
    new = samples[84:]
    assert new["signal"].tolist() == [Signal.VELOCITY, Signal.PATH] * 3
    assert new["delta"].tolist() == [39, 39, 40, 40, 41, 41]
    for name in ("begin", "stop", "decided", "row"):
        assert new[name][::2].tolist() == packet.samples[packet.samples["signal"] == 4][name][39:].tolist()


@pytest.mark.parametrize("what", [math.nan, math.inf, -math.inf, 1e200])
def test_what_is_no_measurement_is_passed_over(what: float) -> None:
    x = systems.henon(60)
    with_gaps = np.insert(x, [3, 30, 45, 45], what)
    values = [found[1:2] + found[5:] for found in derived(stage(), packets(told([x], signal=4), []))]
    gaps = [found[1:2] + found[5:] for found in derived(stage(), packets(told([with_gaps], signal=4), []))]
    assert gaps == values


def test_other_signals_are_passed_over() -> None:
    assert derived(stage(), packets(told([systems.henon(60)], signal=3), [])) == []


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (3.0, -1.0), (1e6, 100.0)])
def test_scale_and_offset_do_not_count_but_for_path_and_velocity(scale: float, offset: float) -> None:
    x = systems.henon(46)
    plain, moved = series(stage(), x), series(stage(), offset * scale + scale * x)
    for signal in ALL:
        unit = scale if signal in {Signal.PATH, Signal.VELOCITY} else 1.0
        assert moved[signal].keys() == plain[signal].keys()
        for k, value in plain[signal].items():
            assert moved[signal][k] == pytest.approx(unit * value, rel=1e-6, abs=1e-6 * unit), signal


@pytest.mark.parametrize("measure", ALL)
def test_only_what_is_asked_for_is_kept_and_it_is_the_same(measure: Signal) -> None:
    x = systems.logistic(50)
    one = stage([measure])
    assert series(one, x)[measure] == series(stage(), x)[measure]
    assert one.state_bytes < stage().state_bytes


def test_state_is_as_small_as_it_says() -> None:
    def size(window: int, *measures: Signal) -> float:
        return Dynamics(0, measures, window).state_bytes / 1024

    assert size(1000, Signal.VELOCITY) == pytest.approx(7.8, abs=0.1)
    assert size(1000, Signal.LYAPUNOV) == pytest.approx(19.7, abs=0.2)
    assert size(1000, *ALL) == pytest.approx(27.8, abs=0.3)
    assert size(256, *ALL) == pytest.approx(7.5, abs=0.2)


def test_a_packet_from_another_process_compiles_nothing_new() -> None:
    names = [name for name in dir(dynamics) if hasattr(getattr(dynamics, name), "signatures")]
    if not names:
        pytest.skip("nothing is compiled without the JIT")
    made = stage()
    made.warm()
    known = {name: len(getattr(dynamics, name).signatures) for name in names}
    assert set(known.values()) == {1}
    for packet in packets(told(LANES, signal=4), range(0, 150, 7)):
        made.update(Packet.from_bytes(packet.to_bytes()))
    assert {name: len(getattr(dynamics, name).signatures) for name in names} == known


def test_state_of_other_parameters_is_refused() -> None:
    made = stage()
    for other in (stage(radius=0.2), stage(theiler=2), stage(order=4), stage(ALL[:-1])):
        with pytest.raises(ValueError, match="state"):
            other.load(made.dump())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"window": 11}, "window must be 12 to 8192"),
        ({"window": 8193}, "window must be"),
        ({"dim": 0}, "1 or more"),
        ({"theiler": -1}, "0 or more"),
        ({"order": 8}, "2 to 7"),
        ({"radius": 0.0}, "above 0"),
        ({"radius": math.nan}, "above 0"),
        ({"measures": [Signal.GAP]}, "measures must be"),
        ({"measures": []}, "measures must be"),
        ({"measures": [Signal.PATH, Signal.PATH]}, "measures must be"),
    ],
)
def test_what_cannot_be_measured_is_refused(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        stage(**more)
