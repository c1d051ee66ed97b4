"""Passages against the twin, which fills the matrix for every word and piece of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.passages import LANE, LONGEST, REFERENCE, find_passages
from operators.packet import FINDING, WORD, Reach
from tests import naive_passages

Found = list[tuple[int, int, int, int, float]]
"""Reference, word that decides, first and last word, similarity."""


def key(word: int) -> int:
    """The hash of a word: one of eight places in a table of 128, so that there are collisions."""
    return word << 7 | word % 8


class Known(NamedTuple):
    """References whose words are small numbers."""

    references: Sequence[Sequence[int]]
    windows: Sequence[int]
    needs: Sequence[int]
    """Words of a window that make a finding."""


class Search:
    """The kernel on some lanes; word `w` of a lane stands at characters ``10 w`` to ``10 w + 5``."""

    def __init__(self, known: Known) -> None:
        references, windows, needs = known
        self.known = np.zeros(len(references), REFERENCE)
        self.known["stop"] = np.cumsum([len(reference) for reference in references])
        self.known["begin"][1:] = self.known["stop"][:-1]
        self.known["window"], self.known["need"] = windows, needs
        words = sorted({word for reference in references for word in reference})
        places = {word: place for place, word in enumerate(words, 1)}
        holders = [[r for r, held in enumerate(references) if word in held] for word in words]
        self.keys, self.numbers = np.zeros(128, np.uint64), np.zeros(128, np.int32)
        for word in words:
            slot = word % 8
            while self.keys[slot]:
                slot += 1
            self.keys[slot], self.numbers[slot] = key(word), places[word]
        self.bounds = np.cumsum([0, 0, *map(len, holders)])
        self.holders = np.array([r for held in holders for r in held], np.int32)
        self.members = np.zeros((len(words) + 1, 2), np.uint64)
        for word in words:
            self.members[places[word], 0] = sum(1 << r for r, held in enumerate(references) if word in held)
        self.texts = np.array([places[word] for held in references for word in held], np.uint32)
        self.codes = np.arange(100, 100 + len(references), dtype=np.int32)
        self.masks = np.zeros(len(words) + 1, np.uint64)
        self.lanes, self.counts = np.zeros(3, LANE), np.zeros((3, len(references)), np.int8)

    def say(self, said: Sequence[int], row: int = 0) -> Found:
        first = int(self.lanes["said"][row])
        words = np.zeros(len(said), WORD)
        words["word"] = list(map(key, said))
        words["row"], words["delta"] = row, np.arange(len(said))
        words["begin"] = 10 * np.arange(first, first + len(said))
        words["stop"] = words["begin"] + 5
        words["decided"] = words["begin"] + 6
        words.flags.writeable = False
        findings = np.zeros(len(said) * len(self.codes), FINDING)
        count = find_passages(
            words, self.keys, self.numbers, self.bounds, self.holders, self.members, self.texts, self.known,
            self.codes, self.masks, self.lanes, self.counts, findings,
        )  # fmt: skip
        assert not self.masks.any()
        found = []
        for finding in findings[:count]:
            delta, stop, decided = (int(finding[name]) for name in ("delta", "stop", "decided"))
            assert (finding["row"], finding["kind"]) == (row, Reach.LCS)
            assert decided == 10 * (first + delta) + 6
            assert stop % 10 == 5
            code, begin = int(finding["code"]), int(finding["begin"])
            found.append((code - 100, first + delta, begin // 10, stop // 10, float(finding["value"])))
        return found


def expected(known: Known, said: Sequence[int]) -> Found:
    return sorted(
        (r, *passage)
        for r, (reference, window, need) in enumerate(zip(*known, strict=True))
        for passage in naive_passages.passages(said, reference, window, need / window)
    )


words = st.integers(1, 12)


@st.composite
def searches(draw: st.DrawFn) -> tuple[Known, list[int]]:
    """References, windows, needs, and a lane that quotes from them with gaps and odd words."""
    references = draw(st.lists(st.lists(words, min_size=4, max_size=30), min_size=1, max_size=3))
    windows = [draw(st.integers(4, min(len(reference), 9))) for reference in references]
    needs = [draw(st.integers(1, window)) for window in windows]
    said: list[int] = []
    for _ in range(draw(st.integers(1, 4))):
        quoted = draw(st.sampled_from(references))
        begin = draw(st.integers(0, len(quoted)))
        said += [word for word in quoted[begin : begin + draw(st.integers(1, 12))] if draw(st.integers(0, 5))]
        said += draw(st.lists(st.integers(1, 16), max_size=4))
    return Known(references, windows, needs), said


@given(searches(), st.data())
def test_findings_are_those_of_the_twin(search: tuple[Known, list[int]], data: st.DataObject) -> None:
    known, said = search
    found = expected(known, said)
    assert sorted(Search(known).say(said)) == found
    cutting, at = Search(known), data.draw(st.integers(0, len(said)))
    assert sorted([*cutting.say(said[:at]), *cutting.say(said[at:])]) == found


@pytest.mark.parametrize("window", [4, 31, 32, 62, LONGEST])
@pytest.mark.parametrize("length", [0, 1, 40, 63, 64, 130])
def test_windows_of_any_width_and_references_of_any_length(window: int, length: int) -> None:
    rng = np.random.default_rng(window * 1000 + length)
    reference = rng.integers(1, 20, window + length).tolist()
    quoted = [word for word in reference[length // 2 :] if rng.random() < 0.9]
    said = [*rng.integers(1, 25, 10).tolist(), *quoted, *rng.integers(1, 25, 10).tolist()][: window + 40]
    known = Known([reference], [window], [round(window * 0.6)])
    found = Search(known).say(said)
    assert found == expected(known, said)
    assert found


@pytest.mark.parametrize("window", [4, 62, LONGEST])
def test_the_first_word_of_a_window_counts_as_the_last_does(window: int) -> None:
    text = list(range(1, window + 1))
    assert Search(Known([text], [window], [window])).say([99, *text]) == [(0, window, 1, window, 1.0)]


def test_lanes_know_nothing_of_each_other() -> None:
    search = Search(Known([[1, 2, 3, 4]], [4], [3]))
    assert search.say([1, 2], row=0) == []
    assert search.say([3, 4], row=1) == []
    assert search.say([3], row=0) == [(0, 2, 0, 2, 0.75)]


def test_what_is_left_out_or_put_in_lowers_the_similarity_and_hides_nothing() -> None:
    reference = list(range(1, 11))
    assert Search(Known([reference], [10], [10])).say(reference) == [(0, 9, 0, 9, 1.0)]
    assert Search(Known([reference], [10], [8])).say([1, 2, 4, 5, 6, 7, 8, 9]) == [(0, 7, 0, 7, 0.8)]
    assert Search(Known([reference], [10], [8])).say([1, 50, 2, 3, 4, 5, 50, 6, 7, 8, 9]) == [
        (0, 9, 0, 9, 0.8)
    ]
    assert Search(Known([reference], [10], [8])).say(reference[::-1]) == []


def test_a_passage_stops_at_its_last_word_and_begins_at_its_first() -> None:
    search = Search(Known([[1, 2, 3, 4, 5, 6]], [6], [3]))
    assert search.say([9, 1, 9, 2, 9]) == []
    assert search.say([3]) == [(0, 5, 1, 5, 0.5)]


def test_an_endless_passage_is_found_once_a_window() -> None:
    reference = list(range(1, 50))
    found = Search(Known([reference], [8], [6])).say(reference)
    assert [word for _, word, *_ in found] == [5, 13, 21, 29, 37, 45]
    assert [(first, last) for _, _, first, last, _ in found[1:]] == [
        (word - 7, word) for _, word, *_ in found[1:]
    ]


def test_words_of_one_stretch_of_a_long_reference_count_and_no_others() -> None:
    reference = list(range(1, 61))
    assert Search(Known([reference], [6], [4])).say(reference[::10]) == []
    assert Search(Known([reference], [6], [4])).say(reference[20:32:3]) == [(0, 3, 0, 3, 4 / 6)]
