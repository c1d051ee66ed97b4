"""Motifs against every substring; the answers that the original system promises."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.motif import MOTIF, occurrences, recurring
from tests import naive_motif

texts = st.text("ab", max_size=18) | st.text("abc", max_size=18) | st.text("abcdef", max_size=24)
# Rotations, powers and neighbours of a few strings.
periodic = st.lists(
    st.tuples(st.sampled_from(["a", "ab", "aab", "abc", "aabaa", "x", "y"]), st.integers(1, 5)), max_size=4
).map(lambda parts: "".join(part * times for part, times in parts))
shapes = st.tuples(st.integers(1, 4), st.integers(0, 12), st.integers(2, 4)).map(
    lambda drawn: (drawn[0], drawn[0] + drawn[1], drawn[2])
)


def codes(text: str) -> list[int]:
    return [ord(character) for character in text]


def told(text: str, *shape: int) -> list[tuple[str, int]]:
    found = recurring(np.array(codes(text), np.int64), *shape)
    return [(text[m["first"] : m["first"] + m["length"]], int(m["times"])) for m in found]


@settings(deadline=None, max_examples=200)
@given(texts | periodic, shapes, st.randoms(use_true_random=False))
def test_motifs_are_those_of_the_twin(text: str, shape: tuple[int, int, int], rng: random.Random) -> None:
    found = recurring(np.array(codes(text), np.int64), *shape)
    assert found[["first", "length", "times"]].tolist() == naive_motif.recurring(codes(text), *shape, rng)


@settings(deadline=None)
@given(texts | periodic, shapes)
def test_occurrences_are_as_many_as_told_disjoint_and_the_same(
    text: str, shape: tuple[int, int, int]
) -> None:
    symbols = np.array(codes(text), np.int64)
    for motif in recurring(symbols, *shape):
        first, length, times, share = motif.item()
        places = occurrences(symbols, first, length)
        assert len(places) == times
        assert places[0] == first
        assert (np.diff(places) >= length).all()
        assert all(text[place : place + length] == text[first : first + length] for place in places)
        assert share == times * length / len(text)


@settings(deadline=None)
@given(texts | periodic, shapes)
def test_only_equality_of_symbols_counts(text: str, shape: tuple[int, int, int]) -> None:
    hashes = {character: np.uint64(hash((character, 7)) % 2**64) for character in text}
    symbols = np.array([hashes[character] for character in text], np.uint64)
    np.testing.assert_array_equal(recurring(symbols, *shape), recurring(np.array(codes(text), int), *shape))


@settings(deadline=None)
@given(texts | periodic, st.integers(2, 4))
def test_the_best_motif_covers_as_much_read_backwards(text: str, least: int) -> None:
    forth, back = told(text, 1, 30, least), told(text[::-1], 1, 30, least)
    assert len(forth[:1]) == len(back[:1])
    for (string, times), (other, others) in zip(forth[:1], back[:1], strict=True):
        assert (len(string), times) == (len(other), others)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("abcabcabc", (2, 4), [("abc", 3)]),  # the original's known answer, and nothing beside it
        ("abcabcabc", (1, 9), [("abc", 3)]),
        ("abcabcab", (2, 8), [("abc", 2)]),
        ("aaaaaaaaaa", (1, 9), [("a", 10)]),
        ("aaaaaaaaaa", (3, 9), [("aaa", 3)]),  # no shorter string is long enough
        ("the cat. the dog. the cat.", (4, 20), [("the cat.", 2)]),
        ("abXabYab", (2, 9), [("ab", 3)]),
        ("abcdXabcdYabcd-ab-ab", (2, 9), [("abcd", 3), ("ab", 5)]),  # a part may also stand on its own
        ("abcdefgh", (1, 9), []),
        ("", (1, 9), []),
        ("a", (1, 9), []),
    ],
)
def test_known_answers(text: str, shape: tuple[int, int], expected: list[tuple[str, int]]) -> None:
    assert told(text, *shape) == expected


def test_a_repeat_longer_than_the_longest_is_told_in_pieces() -> None:
    assert told("abcdefXabcdef", 2, 3) == [("abc", 2), ("def", 2)]


def test_what_is_as_frequent_with_a_symbol_more_is_none_though_better_ones_touch_the_longer() -> None:
    symbols = [1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0]
    assert recurring(symbols, 3, 14, 2)[["first", "length", "times"]].tolist() == [(3, 5, 2)]


def test_nothing_is_a_table_of_no_motifs() -> None:
    assert recurring([]).dtype == MOTIF


@pytest.mark.parametrize(
    ("symbols", "shape"),
    [
        ([[1]], (1, 2, 2)),
        ([0.5], (1, 2, 2)),
        ([1, 2], (0, 2, 2)),
        ([1, 2], (3, 2, 2)),
        ([1, 2], (1, 2, 1)),
    ],
)
def test_what_cannot_be_is_refused(symbols: list[int], shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="recurring: "):
        recurring(symbols, *shape)


@pytest.mark.parametrize(("first", "length"), [(-1, 1), (0, 0), (2, 2), (3, 1)])
def test_occurrences_of_no_part_are_refused(first: int, length: int) -> None:
    with pytest.raises(ValueError, match="name a part of 3 symbols"):
        occurrences([1, 2, 3], first, length)
