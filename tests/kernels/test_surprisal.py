"""The byte model: against its twin, as a code, and on text of known character."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from numpy.typing import NDArray

from operators.kernels.surprisal import MODEL, byte_prior, first_trust, surprise
from operators.packet import DELTA, Kind
from tests import naive_features

PROSE = (Path(__file__).parent.parent / "data" / "prose.txt").read_text()

pieces = st.lists(st.sampled_from(["the ", "cat\n", "123", "ab", "é", "日本", "\0", " "]), max_size=60)
texts = st.text(max_size=120) | pieces.map("".join)


def models(rows: int = 1) -> NDArray[np.void]:
    fresh = np.zeros(rows, MODEL)
    fresh["trust"] = first_trust()
    return fresh


def likely(text: bytes, model: NDArray[np.void] | None = None) -> NDArray[np.float64]:
    """Probability of each byte of `text` as one delta of row 0."""
    deltas = np.zeros(1, DELTA)
    deltas["kind"], deltas["end"] = Kind.TEXT, len(text)
    found = np.full(len(text), np.nan)
    given_text = np.frombuffer(text, np.uint8)
    surprise(deltas, given_text, models() if model is None else model, byte_prior(), found)
    return found


def bits(text: str, begin: int = 0, stop: int | None = None) -> float:
    """Bits a byte of ``text[begin:stop]`` (ASCII), with what stands before it known."""
    return float(-np.log2(likely(text.encode()))[begin:stop].mean())


@given(texts)
@settings(max_examples=60, deadline=None)
def test_surprise_gives_what_the_twin_gives(text: str) -> None:
    np.testing.assert_allclose(likely(text.encode()), naive_features.likely(text.encode()), rtol=1e-9)


def test_surprise_gives_what_the_twin_gives_when_its_tables_are_full() -> None:
    generator = random.Random(3)
    noise = bytes(generator.choices(range(256), k=600))
    text = PROSE.encode() + noise + b"again and " * 60 + PROSE.encode()[:900] + b"e " * 200
    np.testing.assert_allclose(likely(text), naive_features.likely(text), rtol=1e-9)


@given(texts)
@settings(max_examples=30, deadline=None)
def test_twin_never_spends_more_than_the_whole_probability(text: str) -> None:
    model = naive_features.Model()
    for byte in text.encode():
        p = model.distribution()
        assert p.min() > 0
        assert p.sum() <= 1 + 1e-9
        model.learn(byte)


@pytest.mark.parametrize("said", [PROSE, "round and " * 90, "x" * 700])
def test_probabilities_of_all_next_bytes_sum_to_at_most_one(said: str) -> None:
    model = models()
    likely(said.encode(), model)
    p = [likely(bytes([byte]), model.copy())[0] for byte in range(256)]
    assert min(p) > 0
    assert 0.5 < sum(p) <= 1 + 1e-9


@pytest.mark.parametrize("unit", ["no ", "I am not sure about that. ", PROSE[:400], PROSE[:1500]])
def test_repeated_text_soon_costs_less_than_half_a_bit(unit: str) -> None:
    known = unit * max(1, 120 // len(unit))
    assert bits(known + unit, len(known)) < 0.5 < bits(unit)


def test_changing_counter_costs_less_than_half_a_bit() -> None:
    text = "".join(f"Step {i}: checking the value once more.\n" for i in range(1, 80))
    assert bits(text, 1000) < 0.5 < bits(text, 0, 200)


def test_noise_costs_more_than_five_bits_throughout() -> None:
    noise = base64.b64encode(random.Random(1).randbytes(3000)).decode()
    assert all(bits(noise, at, at + 500) > 5 for at in range(0, 4000, 500))


def test_prose_costs_two_to_four_and_a_half_bits() -> None:
    assert 2 < bits(PROSE, 1000) < 4.5


def test_fresh_lane_knows_nothing_but_the_prior() -> None:
    assert likely(b"q")[0] == byte_prior()[ord("q")]
    assert byte_prior().sum() == pytest.approx(1)


def test_rows_learn_apart_and_other_deltas_are_passed_by() -> None:
    deltas = np.zeros(5, DELTA)
    deltas["row"] = [0, 1, 0, -1, 0]
    deltas["kind"] = [Kind.TEXT, Kind.TEXT, Kind.NOTE, Kind.TEXT, Kind.TEXT]
    deltas["start"] = [0, 4, 8, 12, 16]
    deltas["end"] = [4, 8, 12, 16, 20]
    found = np.full(20, np.nan)
    text = np.frombuffer(b"one!two!not!nor!one!", np.uint8)
    surprise(deltas, text, models(2), byte_prior(), found)
    np.testing.assert_array_equal(found[[0, 1, 2, 3, 16, 17, 18, 19]], likely(b"one!one!"))
    np.testing.assert_array_equal(found[4:8], likely(b"two!"))
    assert np.isnan(found[8:16]).all()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="2 MB take a minute uncompiled")
def test_real_loops_and_real_prose_lie_far_apart(data_dir: Path) -> None:
    loops, prose = [], []
    for path in sorted((data_dir / "outputs").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            text = record["text"]
            cost = -np.log2(likely(text.encode()))
            if record["label"] == "loop" and len(text) - record["loop_start"] > 3 * record["period_chars"]:
                tail = len(text[record["loop_start"] + 2 * record["period_chars"] :].encode())
                loops.append(cost[-tail:].mean())
            elif record["label"] == "normal" and len(text) > 2000:
                prose.append(cost[1000:2000].mean())
    assert min(len(loops), len(prose)) > 50
    assert np.quantile(loops, 0.9) < 0.5
    assert np.quantile(prose, 0.02) > 2
    assert np.quantile(prose, 0.98) < 4.5
