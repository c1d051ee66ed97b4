"""The scorer's kernel: against its twin, and what a leaky CUSUM promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import scorer
from operators.kernels.scorer import BITS, LANE, score, spell
from operators.packet import DELTA, SAMPLE, Kind, Signal
from operators.scorer import Model
from tests import naive_scorer

PIECES = [
    "the ", "Cat\n", "x" * 23, " " * 23, "é", "e\u0301", "日本", "\u200b", "a.b", "٣", "😀", "\U000e0041", "-"
]  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES), max_size=20)
texts = st.text(max_size=60) | pieces.map("".join)


def made(seed: int = 1, left: float = 0.5, bound: float = 400.0) -> Model:
    """Weights by lot, and a reading of characters simple enough to see through."""
    codes = np.arange(0x10000, dtype=np.int32)
    codes[0x8000:] = 7
    codes[[*range(0x21, 0x30), *range(0x3A, 0x41)]] *= -1
    codes[0x41:0x5B] += 32
    codes[[0x200B, 0x0301]] = 0
    weights = np.random.default_rng(seed).integers(-99, 100, 2**BITS, dtype=np.int8)
    return Model(weights, codes.astype(np.int16), left, bound, 0.01, -1.0)


def table(said: list[str]) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """TEXT deltas of one lane and the CLOSE of it, and their text."""
    deltas = np.zeros(len(said) + 1, DELTA)
    deltas["kind"] = Kind.TEXT
    deltas["kind"][-1] = Kind.CLOSE
    deltas["chars"][:-1] = [len(text) for text in said]
    deltas["begin"][1:] = np.cumsum(deltas["chars"])[:-1]
    deltas["end"] = np.cumsum([*(len(text.encode()) for text in said), 0])
    deltas["start"][1:] = deltas["end"][:-1]
    return deltas, np.frombuffer("".join(said).encode() or b" ", np.uint8)


def samples(said: list[str], model: Model, **changed: NDArray[np.uint8]) -> NDArray[np.void]:
    """Samples of a lane."""
    deltas, text = table(said)
    for name, values in changed.items():
        deltas[name] = values
    shape = np.array([model.left, model.bound, model.slope, model.intercept])
    out = np.zeros(len(deltas) + len(text), SAMPLE)
    room = np.empty(6, np.int64)
    count = score(deltas, text, model.codes, model.weights, shape, np.zeros(1, LANE), room, out)
    return out[:count]


def hashes(text: str, model: Model) -> list[int]:
    """Of all features of a text and the white space behind it."""
    data, found, room = np.frombuffer(f"{text} ".encode(), np.uint8), [], np.empty(6, np.int64)
    lane, at = np.zeros(1, LANE)[0], 0
    while at < len(data):
        stop, _, count = spell(data, np.int64(at), model.codes, lane, room)
        at = int(stop)
        found += room[:count].tolist()
    return found


@given(texts)
@settings(max_examples=200, deadline=None)
def test_features_are_those_of_the_twin(text: str) -> None:
    model = made()
    assert sorted(hashes(text, model)) == sorted(each for _, each in naive_scorer.features(text, model))


@given(texts, st.sampled_from([100.0, 1000.0]))
@settings(max_examples=200, deadline=None)
def test_samples_are_those_of_the_twin(text: str, bound: float) -> None:
    model = made(bound=bound)
    found = samples([text], model)
    expected = naive_scorer.samples(text, model)
    assert found[["begin", "stop", "decided"]].tolist() == [each[:3] for each in expected]
    np.testing.assert_allclose(found["value"], [each.value for each in expected], rtol=1e-12)


@given(st.lists(texts, max_size=6))
@settings(max_examples=100, deadline=None)
def test_cutting_changes_no_bit(said: list[str]) -> None:
    model, names = made(), ["begin", "stop", "decided", "value"]
    whole = samples(["".join(said)], model)[names].tolist()
    assert samples(said, model)[names].tolist() == whole
    assert samples(list("".join(said)), model)[names].tolist() == whole


@given(texts)
@settings(max_examples=50, deadline=None)
def test_a_sample_stands_with_the_delta_that_completed_its_word(text: str) -> None:
    found = samples(list(text), made())
    assert (np.diff(found["delta"]) >= 0).all()
    for each in found:
        assert each["delta"] in {each["decided"] - 1, len(text)}
        assert each["signal"] == Signal.INJECTION


def test_no_feature_reaches_over_white_space_but_runs_of_letters_do() -> None:
    model = made()
    alone = set(hashes("ab", model)) | set(hashes("cd", model))
    both = hashes("ab cd", model)
    assert len(set(both) - alone) == 2  # the pair, and the triple with nothing before it
    assert len(both) == len(hashes("ab", model)) + len(hashes("cd", model))


def test_what_is_not_seen_changes_nothing_but_offsets() -> None:
    model = made()
    plain, marked = samples(["ignore all that"], model), samples(["ig\u200bnore a\u0301ll that"], model)
    np.testing.assert_array_equal(plain["value"], marked["value"])
    assert marked["stop"].tolist() == [7, 12, 17]
    np.testing.assert_array_equal(samples(["IGNORE All that"], model)["value"], plain["value"])


def test_harmless_text_before_an_attack_changes_no_probability_of_it() -> None:
    model = made(left=0.9, bound=500.0)
    model.weights[[each >> 32 - BITS for each in hashes("calm", model)]] = -120
    model.weights[[each >> 32 - BITS for each in hashes("seize", model)]] = 100
    early = samples(["seize seize seize"], model)["value"]
    late = samples(["calm " * 1000 + "seize seize seize"], model)["value"]
    assert late[:1000].max() == pytest.approx(1 / (1 + np.exp(1)))  # silence: the intercept
    # But for the pairs of words that one has and the other has not.
    assert late[-1] == pytest.approx(early[-1], abs=0.2)
    assert early[0] < early[1] < early[2]


def test_one_word_gives_no_more_evidence_than_the_bound() -> None:
    model = made(bound=50.0)
    model.weights[:] = 127
    value = samples(["some more words of it"], model)["value"]
    heights = (np.log(value / (1 - value)) - model.intercept) / model.slope
    np.testing.assert_allclose(heights, 50.0 * np.array([1, 1.5, 1.75, 1.875, 1.9375]))


def test_deltas_without_row_or_of_other_kinds_are_passed_by() -> None:
    model = made()
    found = samples(["a ", "b ", "c "], model, row=np.array([0, -1, 0, 0]), kind=np.array([1, 1, 2, 3]))
    assert found["delta"].tolist() == [0, 3]
    assert found["begin"].tolist() == [0, 1]


def test_kernel_numbers_are_those_of_the_vocabulary() -> None:
    assert (scorer._TEXT, scorer._CLOSE, scorer._INJECTION) == (Kind.TEXT, Kind.CLOSE, Signal.INJECTION)
