"""The symbols and the alignment against their twins; calls and judgements by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels import loop, loop_track
from operators.kernels.loop import COPY, LANE, LINES, PERIODS, ROOM, SCORES, follow_copies
from operators.kernels.loop_judge import FEATURES, SORTS, describe_copies
from operators.kernels.loop_symbols import CUT, MARK, NUMBER, PART, SIGN, SYMBOL, WORD, cut_symbols
from operators.kernels.loop_tell import CHAIN, FOUND, tell_copies
from operators.kernels.loop_track import TRACK, standing
from operators.packet import DELTA, Kind, Table
from operators.spelling import codes
from tests import naive_loop as naive

PIECES = [
    "word ",
    "Word",
    "x",
    "aaaaa",
    "b" * 60,
    "12",
    "7" * 30,
    " " * 20,
    "\n",
    "\r\n\n\n",
    "...",
    "- ",
    "{}`",
    "\t",
]
texts = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def cut(text: str, chunk: int = 10**6) -> Any:
    """The symbols of one lane that says `text` in chunks of so many characters, and closes."""
    parts = [text[k : k + chunk] for k in range(0, len(text), chunk)]
    data = [part.encode() for part in parts]
    deltas = np.zeros(len(parts) + 1, DELTA)
    ends, chars = np.cumsum([0, *map(len, data)]), np.cumsum([0, *map(len, parts)])
    deltas["kind"] = [Kind.TEXT] * len(parts) + [Kind.CLOSE]
    deltas["start"][:-1], deltas["end"][:-1], deltas["begin"] = ends[:-1], ends[1:], chars
    deltas.flags.writeable = False
    joined = np.frombuffer(b"".join(data), np.uint8)
    symbols = np.zeros(2 * (len(deltas) + len(joined)), SYMBOL)
    count = cut_symbols(deltas, joined, codes(), np.zeros(1, CUT), symbols)
    return symbols[:count]


def follow(symbols: Table) -> tuple[Table, dict[str, Any]]:
    """The copies of one lane, and its state behind them."""
    state: dict[str, Any] = {
        "lane": np.zeros(1, LANE),
        "track": np.zeros((1, 2), TRACK),
        "codes": np.zeros((1, ROOM), np.uint8),
        "values": np.zeros((1, ROOM), np.uint16),
        "chars": np.zeros((1, ROOM), np.uint16),
        "kinds": np.zeros((1, ROOM), np.uint8),
        "scores": np.zeros((1, SCORES), np.uint8),
    }
    copies = np.zeros(2 * len(symbols) + 1, COPY)
    scratch = np.empty(PERIODS, np.uint8)
    kernel: Any = follow_copies  # more arguments than the checker can count
    count = kernel(symbols, len(symbols), *state.values(), standing(PERIODS), scratch, copies)
    return copies[:count], state


def whole(symbols: Table) -> Any:
    return symbols[symbols["kind"] != PART]


@settings(max_examples=50)
@given(texts)
def test_symbols_are_those_of_the_twin(text: str) -> None:
    symbols = whole(cut(text))
    pieces = naive.pieces(text)
    assert len(symbols) == len(pieces)
    ends = np.cumsum(symbols["chars"])
    for piece, symbol, end in zip(pieces, symbols, ends, strict=True):
        assert symbol["at"] >= end
        if piece.isalpha() and len(piece) > 1:
            assert (symbol["kind"], symbol["size"]) == (WORD, len(piece))
            assert text[end - len(piece) : end] == piece
        elif piece.isdigit():
            assert (symbol["kind"], symbol["value"]) == (NUMBER, int(piece) % 2**32 % 2**16)
        elif piece in naive.MARKS:
            assert symbol["kind"] == MARK
        elif not piece.isalnum() and piece not in "\n ":
            assert symbol["kind"] == SIGN


@settings(max_examples=40)
@given(texts | st.text(max_size=40), st.integers(1, 7))
def test_no_cutting_changes_the_symbols(text: str, chunk: int) -> None:
    names = ["at", "value", "chars", "kind", "code", "size"]
    assert cut(text, chunk)[names].tolist() == cut(text)[names].tolist()


def test_a_word_says_what_it_is_so_far() -> None:
    symbols = cut("low lower")
    assert symbols["kind"].tolist() == [PART] * 3 + [WORD] + [PART] * 5 + [WORD]
    low, longer = symbols[3], symbols[4:9]
    assert (longer["value"] == low["value"]).tolist() == [False, False, True, False, False]
    assert symbols["at"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_equal_words_are_equal_and_others_are_not() -> None:
    symbols = whole(cut("Straße STRASSE strasse 007 7 Дом дом"))
    first, upper, lower, *numbers, big, small = symbols["value"].tolist()
    assert upper == lower != first
    assert numbers == [7, 7]
    assert big == small


@settings(max_examples=12)
@given(st.lists(st.sampled_from([3, 7, 70, 80, 90, 200]), max_size=30), st.integers(1, 30))
def test_scores_are_those_of_the_twin(wanted: list[int], times: int) -> None:
    expected = naive.scores(wanted * (times % 4 + 1), PERIODS)
    symbols = np.zeros(len(expected), SYMBOL)
    symbols["code"], symbols["kind"], symbols["chars"] = wanted * (times % 4 + 1), SIGN, 1
    _, state = follow(symbols)
    last = expected[-1] if expected else [0] * PERIODS
    if expected and max(last) >= naive.TOP:
        last = [score // 2 for score in last]
    assert state["scores"][0, 1 : PERIODS + 1][::-1].tolist() == last


@pytest.mark.parametrize("sign", ["-", "ab ", "7 ", "\n"])
def test_scores_never_overflow(sign: str) -> None:
    _, state = follow(whole(cut(sign * 300)))
    assert state["scores"].max() < naive.TOP
    assert state["track"]["period"][0, 0] >= 1


def test_copies_of_a_sentence_are_counted_where_they_end() -> None:
    sentence = "One two three four five six. "
    copies, _ = follow(cut(sentence * 5))
    rows = [(c["begin"], c["stop"], c["copies"], c["size"], c["period"]) for c in copies if c["copies"] > 2]
    ends = [len(sentence) * k - 1 for k in (3, 4, 5)]
    assert [(begin, stop, count) for begin, stop, count, _, _ in rows] == [
        (0, end, count) for end, count in zip(ends, (3, 4, 5), strict=True)
    ]
    assert all(period == 7 and size == pytest.approx(29, abs=0.5) for *_, size, period in rows)


def test_the_last_word_of_a_copy_is_known_before_the_sign_behind_it() -> None:
    copies, _ = follow(cut("no no no no")[:-1])  # without the word that the CLOSE completes
    assert copies[-1][["copies", "begin", "stop"]].item() == (4, 0, 11)


def test_numbers_that_count_are_steady_and_others_are_not() -> None:
    steps, _ = follow(cut("".join(f"Step {k} of the plan is done.\n" for k in range(5, 12))))
    others, _ = follow(cut("".join(f"Step {k * k % 31} of the plan is done.\n" for k in range(5, 12))))
    assert steps[-1]["steady"] >= 5
    assert steps[-1]["other"] == 0
    assert others[-1]["steady"] <= 2
    assert others[-1]["other"] >= 3


def test_an_inserted_word_moves_the_period() -> None:
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa. "
    copies, state = follow(cut(words * 3 + words.replace("eta ", "eta extra ", 1) + words * 2))
    assert copies[-1]["copies"] >= 5
    assert copies[-1]["begin"] == 0
    assert state["track"]["period"][0, 0] in {10, 11, 12}


def test_long_blocks_are_found_among_lines() -> None:
    rng = np.random.default_rng(3)
    block = "".join(" ".join(map("w{:x}".format, rng.integers(0, 10**6, 4))) + "\n" for _ in range(60))
    copies, _ = follow(cut(block * 4))
    lines = copies[copies["level"] == 1]
    assert lines["copies"].max() >= 3
    assert lines[-1]["period"] == 60
    assert lines[-1]["size"] == pytest.approx(len(block), rel=0.01)
    assert LINES >= 60


def test_long_blocks_are_found_in_prose_without_line_breaks() -> None:
    rng = np.random.default_rng(5)
    words = rng.integers(97, 123, (25, 12, 5)).astype(np.uint8)
    block = "".join(" ".join(bytes(word).decode() for word in one) + ". " for one in words)
    copies, _ = follow(cut(block * 4))
    lines = copies[copies["level"] == 1]
    assert lines["copies"].max() >= 3
    assert lines["size"] == pytest.approx(len(block), rel=0.02)


def judged(told: list[int], begins: list[int]) -> list[tuple[int, int]]:
    """Copies of one lane, as (copy, entry) that was told, where a constant is all of the evidence."""
    copies = np.zeros(len(told), COPY)
    copies["copies"], copies["begin"], copies["stop"] = told, begins, np.array(begins) + 10 * np.array(told)
    copies["alike"], copies["size"] = copies["stop"], 10.0
    least = np.array([[0.8, 3, 0], [0.8, 5, 0], [0.9, 3, 0]])
    features, sorts, weights = np.ones((len(told), 1)), np.zeros(len(told), np.int64), np.array([[2.0]])
    found = np.zeros(3 * len(told), FOUND)
    state = np.zeros(1, CHAIN), np.zeros((1, 3), np.uint8)
    kernel: Any = tell_copies  # more arguments than the checker can count
    count = kernel(copies, len(told), np.zeros(1, SYMBOL), features, sorts, weights, *state, least, found)
    return [(int(row["copy"]), int(row["entry"])) for row in found[:count]]


def test_each_entry_is_told_once_of_a_loop_and_anew_of_the_next() -> None:
    assert judged([2, 3, 4, 5, 6], [0] * 5) == [(1, 0), (3, 1)]
    assert judged([3, 4, 3, 5], [0, 0, 45, 45]) == [(0, 0), (2, 0), (3, 1)]
    assert judged([3, 4, 3], [0, 0, 29]) == [(0, 0)]  # it begins in the one that was told
    assert judged([3, 4, 3], [0, 0, 30]) == [(0, 0), (2, 0)]  # a copy aside


def test_a_loop_that_counts_goes_on_where_its_month_ends() -> None:
    days = [(day, 3) for day in range(24, 32)] + [(day, 4) for day in range(1, 9)]
    copies, _ = follow(cut("".join(f"- {day}/{month}/2024: the gate was shut\n" for day, month in days)))
    assert copies[-1]["copies"] >= len(days) - 1
    assert copies[-1]["begin"] == 0


def test_a_part_of_the_period_that_is_repeated_exactly_is_taken_up() -> None:
    lines = [
        f"{who} draws a line of some size, and turns. " for who in ("a red ant", "the old bee", "one big cat")
    ]
    copies, _ = follow(cut("".join(lines) * 3 + lines[0] * 6))
    assert copies[-1]["period"] == 13
    assert copies[-1]["copies"] == 6
    assert copies[-1]["begin"] == pytest.approx(len("".join(lines) * 3), abs=len(lines[0]))


def described(text: str) -> tuple[str, dict[str, float]]:
    """The last copy of a text, as who learns the weights is told of it."""
    copies, _ = follow(cut(text))
    features, sorts = np.zeros((1, len(FEATURES))), np.zeros(1, np.int64)
    describe_copies(copies[-1:], 1, features, sorts)
    return SORTS[sorts[0]], dict(zip(FEATURES, features[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("It is late, and the bus has left. " * 5, "exact"),
        (
            "".join(f"It is {word}, and the bus has left. " for word in ("late", "dark", "cold", "wet")),
            "changing",
        ),
        ("".join(f"Step {k} of the plan is done.\n" for k in range(5, 12)), "counting"),
        ("| 0 | 0 |\n" * 9, "bare"),
        ("-" * 90, "run"),
        ("a" * 90, "run"),
        ("very " * 9, "exact"),
    ],
)
def test_sorts_of_repetition_are_told_apart(text: str, sort: str) -> None:
    found, features = described(text)
    assert found == sort
    assert features["one"] == 1.0
    assert all(np.isfinite(list(features.values())))


def test_features_are_what_they_are_said_to_be() -> None:
    before = "The plan was agreed on in May, and nobody had asked who would pay for it. "
    sentence = "It is late, and the bus has left. "
    _, features = described(before + sentence * 5)
    assert features["copies"] == 0.0
    assert features["letters"] == pytest.approx(np.log(1 + 24), abs=0.15)
    assert features["size"] == pytest.approx(np.log(len(sentence)), abs=0.05)
    assert features["clean"] == pytest.approx(np.log(1 + 4), abs=0.05)
    assert features["words"] == pytest.approx(8 / 10, abs=0.05)
    assert 0.7 < features["prose"] < 1.0
    assert 0.7 < features["usual"] < 1.0
    assert features["place"] == pytest.approx(np.log(1 + len(before) / 1000), abs=0.005)
    assert features["prose clean"] == pytest.approx(features["prose"] * features["clean"])
    assert features["usual clean"] == pytest.approx(features["usual"] * features["clean"])
    assert features["clean size"] == pytest.approx(features["clean"] * features["size"])
    changed = [features[name] for name in ("same", "steady", "changed", "other", "lines", "single", "long")]
    assert changed == [0.0] * 7
    _, run = described("-" * 3000)
    assert run["long"] == pytest.approx(np.log(3), abs=0.05)
    assert run["single"] == 1.0


def test_the_alignment_knows_the_kinds_of_the_symbols() -> None:
    assert (loop._PART, loop._WORD, loop._NUMBER, loop._MARK, loop._SIGN) == (PART, WORD, NUMBER, MARK, SIGN)
    assert (loop_track._WORD, loop_track._NUMBER, loop_track._SIGN) == (WORD, NUMBER, SIGN)


def test_it_knows_which_tracks_it_is_built_on() -> None:
    source = Path(loop_track.__file__).read_bytes()
    assert crc32(source) == loop._BUILT_ON, (
        f"loop_track.py has changed: set it to {crc32(source):#x} in loop.py"
    )
