"""The kernel against the whole matrix, on tables that are made bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels.phrases import BLANK, CHUNK, search
from operators.packet import DELTA, Kind
from tests import naive_phrases
from tests.naive_phrases import Match

CLASSES = {" ": BLANK, "a": 2, "b": 3, "é": 4, "日": 5, "😀": 6}
"""Other characters are in no phrase: the x is one that no table knows, the ~ one that has class 0."""
WORDS = 2

characters = st.sampled_from([*CLASSES, "x", "~"])
texts = st.text(characters, max_size=24)


class Lane:
    """The kernel on one lane and one group: a phrase at every 40th bit, so that a row has two words."""

    def __init__(self, phrases: Sequence[str], errors: int, room: int = 0) -> None:
        levels, rows, kinds = errors + 1, max(map(len, phrases)), len(CLASSES) + 1
        self.names = {40 * k: phrase for k, phrase in enumerate(phrases)}
        bits = np.zeros((kinds, rows, WORDS), np.uint64)
        fresh = np.zeros((levels, rows, WORDS), np.uint64)
        for place, phrase in self.names.items():
            word, bit = place // 64, np.uint64(1) << np.uint64(place % 64)
            above = rows - len(phrase)
            bits[:, :above, word] |= bit
            for j, character in enumerate(phrase):
                bits[CLASSES[character], above + j, word] |= bit
            for d in range(levels):
                fresh[d, : above + d, word] |= bit
        letters = [
            np.array([CLASSES[c] for c in self.names.get(p, "")], np.uint16) for p in range(64 * WORDS)
        ]
        classes = np.zeros(max(map(ord, CLASSES)) + 1, np.uint16)
        classes[[*map(ord, CLASSES)]] = [*CLASSES.values()]
        group = [levels, rows, WORDS, 0, 0, 0, 0, 0]
        bounds = np.cumsum([0, *map(len, letters)])
        self.tables = (
            classes,
            np.array([group]),
            bits.ravel(),
            fresh.ravel(),
            np.concatenate(letters),
            bounds,
        )
        keep = 2 * (rows + errors) + 1
        self.lanes: tuple[NDArray[Any], ...] = (
            fresh.reshape(1, -1).copy(),
            np.zeros((1, levels * WORDS), np.uint64),
            np.zeros((1, WORDS), np.int32),
            np.zeros((1, 64 * WORDS), np.int32),
            np.zeros((1, keep), np.uint16),
            np.zeros((1, keep), np.int32),
            np.zeros(1, np.int32),
        )
        size = levels * (rows + 1) * WORDS
        cells = np.zeros((2, size), np.uint64)
        self.work = (*cells, np.zeros(keep + CHUNK, np.uint16), np.zeros(keep + CHUNK, np.int32),
                     np.zeros(rows + 1, np.int64))  # fmt: skip
        self.most = sum((CHUNK + len(p) + errors) // (len(p) - errors) + 1 for p in phrases)
        self.found = np.zeros((self.most + room, 6), np.int64)
        self.calls = 0

    def feed(self, pieces: Sequence[str], *, closes: bool = True) -> dict[str, list[Match]]:
        """What is found of each phrase in a lane that says `pieces`."""
        deltas = np.zeros(len(pieces) + closes, DELTA)
        ends = np.cumsum([len(piece.encode()) for piece in pieces])
        chars = np.cumsum([0, *map(len, pieces)])
        deltas["kind"] = Kind.TEXT
        deltas["end"][: len(pieces)] = ends
        deltas["start"][1:] = deltas["end"][:-1]
        deltas["begin"] = chars[: len(deltas)]
        if closes:
            deltas["kind"][-1], deltas["begin"][-1], deltas["end"][-1] = Kind.CLOSE, chars[-1], ends[-1]
        deltas.flags.writeable = False
        text = np.frombuffer("".join(pieces).encode(), np.uint8)
        found: dict[str, list[Match]] = {phrase: [] for phrase in self.names.values()}
        progress = np.zeros(3, np.int64)
        while progress[0] < len(deltas):
            count = search(deltas, text, self.tables, self.lanes, self.work, self.most, self.found, progress)
            self.calls += 1
            for delta, p, *match in self.found[:count].tolist():
                found[self.names[p]].append(Match(*match))
                decided = deltas["begin"][delta] + (len(pieces[delta]) if delta < len(pieces) else 0)
                assert deltas["begin"][delta] <= match[-1] <= decided
        return found


@st.composite
def wanted(draw: st.DrawFn) -> tuple[list[str], int]:
    """Phrases as they are compared, longer than their errors."""
    errors = draw(st.integers(0, 3))
    drawn = draw(st.lists(st.text(st.sampled_from(list(CLASSES)), max_size=8), min_size=1, max_size=3))
    phrases = ["".join(naive_phrases.read(phrase + "ab" * errors + "a")[0]) for phrase in drawn]
    return list(dict.fromkeys(phrases)), errors


@settings(deadline=None)
@given(wanted(), st.lists(texts, min_size=1, max_size=4), st.booleans())
@example((["aab"], 1), ["aaaaaaaaaa"], True)
@example((["abab"], 2), ["babababa bab"], False)
def test_matches_are_those_of_the_whole_matrix(
    wanted: tuple[list[str], int], pieces: list[str], closes: bool
) -> None:
    phrases, errors = wanted
    found = Lane(phrases, errors).feed(pieces, closes=closes)
    text = "".join(pieces)
    for phrase in phrases:
        assert found[phrase] == naive_phrases.matches(text, phrase, errors, closes=closes)


@settings(deadline=None, max_examples=30)
@given(wanted(), st.text(st.sampled_from("ab "), min_size=CHUNK, max_size=3 * CHUNK))
def test_a_delta_longer_than_a_chunk_is_no_other_text_and_nothing_is_lost_for_want_of_room(
    wanted: tuple[list[str], int], text: str
) -> None:
    short = Lane(*wanted)
    found = short.feed([text])
    assert found == Lane(*wanted, room=10_000).feed(list(text))
    for matches in found.values():
        stops = [match.stop for match in matches]
        assert all(before <= match.begin for before, match in zip(stops, matches[1:], strict=False))


def test_a_full_table_stops_the_kernel_and_it_goes_on() -> None:
    small, large = Lane(["a"], 0), Lane(["a"], 0, room=10_000)
    assert small.feed(["a" * 5 * CHUNK]) == large.feed(["a" * 5 * CHUNK])
    assert (small.calls, large.calls) == (6, 1)


def test_survey_in_surgery_as_published() -> None:
    """G. Navarro, "A guided tour to approximate string matching", ACM Comp. Surv. 33(1), 2001, figure 2: with
    two errors `survey` ends at the fifth, sixth and seventh character of `surgery`.
    """
    letters = {"s": "a", "u": "b", "r": "é", "v": "日", "e": "😀", "y": " ", "g": "x"}
    phrase, text = ("".join(letters[c] for c in word) for word in ("survey", "surgery"))
    assert Lane([phrase], 2).feed([text])[phrase] == [Match(2, 0, 5, 7)]
    assert Lane([phrase], 1).feed([text])[phrase] == []
    assert [naive_phrases.least("survey", "surgery")[end] <= 2 for end in range(8)] == [False] * 5 + [
        True
    ] * 3


def test_every_error_counts_one_wherever_it_is() -> None:
    phrase = "abéab日"
    for text, errors in (("abab日", 1), ("abéaab日", 1), ("axéab日", 1), ("béab日", 1), ("béab😀", 2)):
        (match,) = Lane([phrase], 2).feed([f"~~~{text}~~~"])[phrase]
        assert (match.errors, match.begin) == (errors, 3)
        assert naive_phrases.distance(phrase, text) == errors


def test_the_better_of_two_that_overlap_is_reported_and_the_next_begins_behind_it() -> None:
    assert Lane(["abab"], 1).feed(["bababab"])["abab"] == [Match(0, 1, 5, 5)]
    assert Lane(["abab"], 1).feed(["abababab"])["abab"] == [Match(0, 0, 4, 4), Match(0, 4, 8, 8)]


def test_what_no_overlapping_match_can_better_waits_no_longer() -> None:
    # Up to the second character there is one error; without any it would have to end at the fourth.
    (first, *_) = Lane(["aab"], 1).feed(["a" * 9], closes=False)["aab"]
    assert first == Match(1, 0, 2, 4)


def test_white_space_is_read_once_however_long_and_however_cut() -> None:
    assert Lane(["a b"], 0).feed(["a ", "   ", " b"])["a b"] == [Match(0, 0, 7, 7)]
    assert Lane(["a b"], 1).feed(["  ab  "])["a b"] == [Match(1, 2, 4, 5)]


@given(st.text("ab", max_size=4), st.text("ab", max_size=6))
def test_the_matrix_of_the_twin_is_the_least_of_all_distances(phrase: str, text: str) -> None:
    for end, errors in enumerate(naive_phrases.least(phrase, text)):
        assert errors == min(naive_phrases.distance(phrase, text[begin:end]) for begin in range(end + 1))
