"""Words, novelty and the signals of a delta: against their twin, and on text of known character."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from numpy.typing import NDArray

from operators.kernels import features
from operators.kernels.features import LANE, measure
from operators.packet import DELTA, SAMPLE, Kind, Signal
from tests import naive_features

PROSE = (Path(__file__).parent.parent / "data" / "prose.txt").read_text()

pieces = st.lists(st.sampled_from(["the ", "cat\n", "x" * 23, " " * 22, "é", "日本", "\t"]), max_size=30)
texts = st.text(max_size=60) | pieces.map("".join)


def table(said: list[str]) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """TEXT deltas of one lane and the CLOSE of it, and their text."""
    deltas = np.zeros(len(said) + 1, DELTA)
    deltas["kind"], deltas["logprob"] = Kind.TEXT, np.nan
    deltas["kind"][-1] = Kind.CLOSE
    deltas["at"] = np.arange(len(deltas)) * 1_000_000
    deltas["chars"][:-1] = [len(text) for text in said]
    deltas["begin"][1:] = np.cumsum(deltas["chars"])[:-1]
    deltas["end"] = np.cumsum([*(len(text.encode()) for text in said), 0])
    deltas["start"][1:] = deltas["end"][:-1]
    return deltas, np.frombuffer("".join(said).encode() or b" ", np.uint8)


def samples(said: list[str], likely: float = 0.5) -> NDArray[np.void]:
    """Samples of a lane whose bytes all cost the same."""
    deltas, text = table(said)
    out = np.zeros(5 * len(deltas) + len(text), SAMPLE)
    count = measure(deltas, text, np.full(len(text), likely), np.zeros(1, LANE), out)
    return out[:count]


def of(signal: Signal, table: NDArray[np.void]) -> NDArray[np.void]:
    return table[table["signal"] == signal]


@given(st.lists(texts, max_size=8))
@settings(max_examples=100, deadline=None)
def test_words_are_those_of_the_twin(said: list[str]) -> None:
    found = of(Signal.SURPRISAL, samples(said))
    assert list(zip(found["begin"], found["stop"], strict=True)) == naive_features.words("".join(said))


@given(st.lists(texts, max_size=8))
@settings(max_examples=100, deadline=None)
def test_novelty_is_that_of_the_twin(said: list[str]) -> None:
    found = of(Signal.NOVELTY, samples(said))
    deltas = [(text, 0, math.nan) for text in said]
    expected = [each.value for each in naive_features.samples(deltas) if each.signal == Signal.NOVELTY]
    np.testing.assert_allclose(found["value"], expected, rtol=1e-12)


def test_word_begins_with_its_white_space_and_ends_before_the_next() -> None:
    found = of(Signal.SURPRISAL, samples(["  a b", "c\nd"]))
    columns = [found[name].tolist() for name in ("begin", "stop", "decided", "delta")]
    assert columns == [[0, 3, 6], [3, 6, 8], [4, 7, 8], [0, 1, 2]]


def test_word_of_24_characters_is_complete_with_the_last() -> None:
    found = of(Signal.SURPRISAL, samples(["日" * 23, "本x"]))
    assert found[["begin", "stop", "decided", "delta"]].tolist() == [(0, 24, 24, 1), (24, 25, 25, 2)]


def test_surprisal_is_bits_a_character_not_a_byte() -> None:
    assert of(Signal.SURPRISAL, samples(["日本 ab"], 0.25))["value"].tolist() == [6.0, 2.0]


def test_cost_of_a_word_may_exceed_what_a_probability_can_hold() -> None:
    assert of(Signal.SURPRISAL, samples(["\U0001f600" * 24], 2.0**-50))["value"].tolist() == [200.0]


def test_novelty_of_a_loop_falls_to_none_and_of_prose_stays_high() -> None:
    assert of(Signal.NOVELTY, samples([PROSE]))["value"][-200:].min() > 0.8
    assert of(Signal.NOVELTY, samples(["I am not sure. " * 40]))["value"][-2] < 0.01
    assert of(Signal.NOVELTY, samples([PROSE * 4]))["value"][-400:].max() < 0.1


def test_new_words_after_a_loop_are_new() -> None:
    value = of(Signal.NOVELTY, samples(["so it goes " * 50 + PROSE]))["value"]
    assert value[140] < 0.01
    assert value[220] > 0.9


def test_gap_length_and_log_probability_are_measured_per_delta() -> None:
    deltas, text = table(["abc", "é"])
    deltas["logprob"][1] = -0.25
    out = np.zeros(30, SAMPLE)
    count = measure(deltas, text, np.ones(len(text)), np.zeros(1, LANE), out)
    found = out[:count][["delta", "signal", "begin", "stop", "decided", "value"]].tolist()
    assert found[:4] == [
        (0, Signal.LENGTH, 0, 3, 3, 3.0),
        (1, Signal.GAP, 3, 4, 4, 0.001),
        (1, Signal.LENGTH, 3, 4, 4, 1.0),
        (1, Signal.LOGPROB, 3, 4, 4, 0.25),
    ]


def test_a_clock_that_goes_back_measures_no_gap() -> None:
    deltas, text = table(["a", "b", "c", "d"])
    deltas["at"] = [5, 3, 4, 4, 4]
    out = np.zeros(40, SAMPLE)
    count = measure(deltas, text, np.ones(4), np.zeros(1, LANE), out)
    gaps = of(Signal.GAP, out[:count])["value"]
    assert np.array_equal(gaps, [math.nan, 1e-9, 0.0], equal_nan=True)


def test_deltas_without_row_or_of_other_kinds_are_passed_by() -> None:
    deltas, text = table(["a ", "b ", "c "])
    deltas["row"][1] = -1
    deltas["kind"][2] = Kind.NOTE
    out = np.zeros(40, SAMPLE)
    count = measure(deltas, text, np.ones(6), np.zeros(1, LANE), out)
    assert set(out[:count]["delta"].tolist()) == {0, 3}


def test_kernel_numbers_are_those_of_the_vocabulary() -> None:
    numbers = (features._GAP, features._LENGTH, features._LOGPROB, features._SURPRISAL, features._NOVELTY)
    assert tuple(Signal)[: len(numbers)] == numbers
    assert (features._TEXT, features._CLOSE) == (Kind.TEXT, Kind.CLOSE)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="2 MB take a minute uncompiled")
def test_novelty_parts_real_loops_from_real_prose(data_dir: Path) -> None:
    loops, prose = [], []
    for path in sorted((data_dir / "outputs").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            value = of(Signal.NOVELTY, samples([record["text"]]))["value"]
            if record["label"] == "loop" and record["period_chars"] < 2000:
                loops.append(value[-1])
            elif record["label"] == "normal" and len(record["text"]) > 1000:
                prose.append(value[-50:].mean())
    assert min(len(loops), len(prose)) > 50
    assert np.median(loops) < 0.01
    assert np.quantile(loops, 0.9) < 0.3
    assert np.quantile(prose, 0.05) > 0.7
