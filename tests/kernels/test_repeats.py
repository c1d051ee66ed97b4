"""Phrases said again: against a twin that forgets nothing, and stories whose answer is plain."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.repeats import LANE, MIX, ROOM, find_repeats
from tests import naive_motif
from tests.naive_motif import Phrase

FOLDED_ALIKE = [(h << 32) | (h ^ 5) for h in range(4)]
"""Words that the rolling hash cannot tell apart."""

lanes_of_words = st.lists(st.integers(0, 3), max_size=60)
# A few blocks in any order: what comes again, with something in between or without.
lanes_of_phrases = st.lists(
    st.sampled_from([(0, 1, 2, 3), (0, 1, 2), (4, 5, 6, 7, 8), (9,), (0,), (4, 5, 6, 7)]), max_size=30
).map(lambda blocks: [word for block in blocks for word in block])
shapes = st.tuples(st.integers(2, 5), st.integers(2, 4), st.integers(0, 20)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[0] * drawn[1] + drawn[2])
)


def told(words: list[int], length: int, least: int, window: int) -> list[Phrase]:
    """The kernel on one lane whose words are one character each, and what is held at its end."""
    bits = (window - 1).bit_length()
    shape = np.array([length, least, window, pow(MIX, length, 1 << 31), 31 - bits])
    lanes, rings = np.zeros(1, LANE), np.zeros((1, 1 << bits), ROOM)
    n = len(words)
    out = np.empty((4, n), np.int64)
    places = np.arange(n)
    columns = (np.zeros(n, np.int32), np.array(words, np.uint64), places, places + 1)
    count = find_repeats(*columns, shape, lanes, rings, *out)
    found = [Phrase(word, times, begin, stop - 1) for word, times, begin, stop in out[:, :count].T.tolist()]
    (lane,) = lanes
    if lane["run"] and not lane["told"]:
        found.append(Phrase(-1, int(lane["times"]), int(lane["begin"]), int(lane["stop"]) - 1))
    return found


@settings(deadline=None)
@given(lanes_of_words | lanes_of_phrases, shapes)
def test_phrases_are_those_of_the_twin(words: list[int], shape: tuple[int, int, int]) -> None:
    assert told(words, *shape) == list(naive_motif.phrases(words, *shape))


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60), shapes)
def test_words_with_the_same_rolling_hash_are_told_apart(
    words: list[int], shape: tuple[int, int, int]
) -> None:
    assert told([FOLDED_ALIKE[word] for word in words], *shape) == told(words, *shape)


@settings(deadline=None)
@given(lanes_of_words | lanes_of_phrases, shapes)
def test_phrases_do_not_overlap_and_repeat_what_was_said(
    words: list[int], shape: tuple[int, int, int]
) -> None:
    length, least, _ = shape
    behind = 0
    for phrase in told(words, *shape):
        assert phrase.first >= behind
        behind = phrase.last + 1
        assert behind - phrase.first >= length
        assert phrase.times >= least
        said = words[phrase.first : behind]
        assert any(words[k : k + len(said)] == said for k in range(phrase.first))


def test_a_phrase_is_reported_with_the_first_word_that_differs() -> None:
    phrase = list(range(9))
    words = [*phrase, 50, 51, *phrase, 52, *phrase, 53, *phrase]
    assert told(words, 8, 3, 256) == [Phrase(30, 3, 21, 29), Phrase(-1, 4, 31, 39)]


def test_a_loop_is_reported_once_and_while_it_goes_on() -> None:
    assert told(list(range(10)) * 50, 8, 3, 256) == [Phrase(29, 3, 20, 29)]
    assert told([7] * 500, 8, 3, 256) == [Phrase(23, 3, 16, 23)]


def test_two_loops_are_two() -> None:
    words = [*([1] * 20), 99, *([2] * 20)]
    assert told(words, 4, 3, 64) == [Phrase(11, 3, 8, 11), Phrase(32, 3, 29, 32)]


def test_an_occurrence_counts_as_long_as_all_of_it_is_in_the_window() -> None:
    phrase = [1, 2, 3]
    within = [*phrase, *range(10, 14), *phrase]
    assert told(within, 3, 2, 10) == [Phrase(-1, 2, 7, 9)]
    assert told(within, 3, 2, 9) == []
