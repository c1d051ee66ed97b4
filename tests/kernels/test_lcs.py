"""Longest common subsequences against their matrix, with their places in both sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import lcs, places
from operators.kernels.lcs import indel_distance, lcs_alignment, lcs_length, lcs_pairwise, lcs_similarity
from tests import naive_edit as naive

Numbers = NDArray[np.int64]


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [
        ("AGCAT", "GAC", 2),
        ("ABCBDAB", "BDCABA", 4),  # Cormen et al., "Introduction to algorithms", 15.4
        ("ACCGGTCGAGTGCGCGGAAGCCGGCCGAA", "GTCGTTCGGAATGCCGTTGCTCTGTAAA", 20),  # the same
        ("", "abc", 0),
        ("", "", 0),
        ("\N{GREEK SMALL LETTER ALPHA}b", "ab", 1),
        ("\ud800x", "\ud801x", 1),  # halves of a pair that stand alone
    ],
)
def test_known_lengths(a: str, b: str, length: int) -> None:
    assert lcs_length(a, b) == lcs_length(b, a) == length
    assert indel_distance(a, b) == len(a) + len(b) - 2 * length


@settings(deadline=None)
@given(naive.pairs())
def test_it_is_the_last_cell_of_the_matrix(pair: tuple[Numbers, Numbers]) -> None:
    a, b = pair
    assert lcs_length(a, b) == naive.lcs_length(a.tolist(), b.tolist())


@settings(deadline=None)
@given(naive.pairs((0, 1, 20, 64, 65, 129)))
def test_edits_without_replacement_are_what_is_not_common(pair: tuple[Numbers, Numbers]) -> None:
    a, b = pair
    assert indel_distance(a, b) == naive.weighted_edit_distance(a.tolist(), b.tolist(), replace=2)


@given(st.lists(st.integers(0, 120), max_size=9), st.lists(st.integers(0, 120), max_size=9))
def test_a_sequence_is_the_same_in_whatever_it_comes(a: list[int], b: list[int]) -> None:
    length = naive.lcs_length(a, b)
    forms: list[Any] = [list, tuple, bytes, bytearray, lambda x: "".join(map(chr, x))]
    forms += [lambda x, kind=kind: np.array(x, kind) for kind in "bBhHiIlLqQ"]
    forms.append(lambda x: np.array(x, np.int64).repeat(2)[::2])
    for form in forms:
        assert lcs_length(form(a), form(b)) == length
        assert lcs_length(form(a), np.array(b, np.int64)) == length


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (np.zeros((2, 2), np.int64), ValueError, "one dimension, not 2"),
        (np.array([1.0]), TypeError, "integers or strings, not float"),
        ([1, 2.0], TypeError, "integers or strings, not float"),
    ],
)
def test_what_is_no_sequence_of_symbols_is_refused(a: Any, error: type[Exception], message: str) -> None:
    for function in (lcs_length, lcs_similarity, lcs_alignment, indel_distance):
        with pytest.raises(error, match=message):
            function(a, a)
    with pytest.raises(error, match=message):
        lcs_pairwise([a], [a])


def test_similarity_is_the_common_share_of_the_longer() -> None:
    assert lcs_similarity("AGCAT", "GAC") == 2 / 5
    assert lcs_similarity("", "") == lcs_similarity("a", "a") == 1.0
    assert lcs_similarity("a", "") == 0.0


@given(st.lists(naive.pairs((0, 1, 30, 64, 129, 200)), max_size=4))
@settings(deadline=None, max_examples=30)
def test_pairwise_is_each_with_each(pairs: list[tuple[Numbers, Numbers]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs] + [np.arange(3)]
    found = lcs_pairwise(first, second)
    assert found.shape == (len(first), len(second))
    assert found.tolist() == [[lcs_length(a, b) for b in second] for a in first]


@settings(deadline=None)
@given(naive.pairs(), st.sampled_from((4, 20, 1 << 15)))
def test_an_alignment_is_a_longest_one(pair: tuple[Numbers, Numbers], traced: int) -> None:
    a, b = pair
    with mock.patch.object(places, "_TRACED", traced):
        found = lcs_alignment(a, b)
    assert found.dtype == np.int64
    assert found.shape == (lcs_length(a, b), 2)
    assert (np.diff(found, axis=0) > 0).all()
    assert (a[found[:, 0]] == b[found[:, 1]]).all()


def test_it_knows_which_table_of_places_it_is_built_on() -> None:
    source = Path(places.__file__).read_bytes()
    assert crc32(source) == lcs._BUILT_ON, f"places.py has changed: set it to {crc32(source):#x} in lcs.py"
