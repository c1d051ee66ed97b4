"""Edit distance against its matrix, in all that a sequence can be, and with its alignment."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from numpy.typing import NDArray

from operators.kernels import damerau, edit, lcs, places
from operators.kernels.edit import edit_alignment, edit_distance, edit_pairwise, edit_similarity
from tests import naive_edit as naive

Numbers = NDArray[np.int64]
words = st.text("abc", max_size=12)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("kitten", "sitting", 3),
        ("intention", "execution", 5),  # Jurafsky and Martin, "Speech and Language Processing", 2.5
        ("saturday", "sunday", 3),
        ("survey", "surgery", 2),  # Navarro, "A guided tour to approximate string matching"
        ("", "abc", 3),
        ("", "", 0),
        ("\N{GREEK SMALL LETTER ALPHA}b", "ab", 1),
        ("\N{FACE WITH TEARS OF JOY}!", "\N{LOUDLY CRYING FACE}!?", 2),
        ("\ud800x", "\ud801x", 1),  # halves of a pair that stand alone
    ],
)
def test_known_distances(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == distance


@settings(deadline=None)
@given(naive.pairs())
def test_it_is_the_last_cell_of_the_matrix(pair: tuple[Numbers, Numbers]) -> None:
    a, b = pair
    assert edit_distance(a, b) == naive.edit_distance(a.tolist(), b.tolist())


@given(words, words, words)
def test_it_is_a_metric(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@given(st.lists(st.integers(0, 120), max_size=9), st.lists(st.integers(0, 120), max_size=9))
def test_a_sequence_is_the_same_in_whatever_it_comes(a: list[int], b: list[int]) -> None:
    distance = naive.edit_distance(a, b)
    forms: list[Any] = [list, tuple, bytes, bytearray, lambda x: "".join(map(chr, x))]
    forms += [lambda x, kind=kind: np.array(x, kind) for kind in "bBhHiIlLqQ"]
    forms.append(lambda x: np.array(x, np.int64).repeat(2)[::2])
    for form in forms:
        assert edit_distance(form(a), form(b)) == distance
        assert edit_distance(form(a), np.array(b, np.int64)) == distance
    frozen = np.array(a, np.int64)
    frozen.flags.writeable = False
    assert edit_distance(frozen, np.array(b, np.int64)) == distance


def _frozen(values: Numbers) -> Numbers:
    values = values.copy()
    values.flags.writeable = False
    return values


LAYOUTS = (np.copy, _frozen, lambda x: x.repeat(2)[::2], lambda x: x[::-1], lambda x: np.broadcast_to(x, 3))


@pytest.mark.parametrize(
    ("kernel", "ask"),
    [
        (edit._distance, edit_distance),
        (edit._traced, edit_alignment),
        (lcs._length, lcs.lcs_length),
        (damerau._osa, damerau.osa_distance),
    ],
)
def test_arrays_of_any_layout_are_one_type_to_the_compiler(kernel: Any, ask: Any) -> None:
    for first, second in product(LAYOUTS, repeat=2):
        a, b, width = places.operands(first(np.arange(3)), second(np.arange(3)))
        assert (a.flags.carray, b.flags.carray, width) == (True, True, 1)
        ask(first(np.arange(3)), second(np.arange(3)))
    if not hasattr(kernel, "signatures"):
        pytest.skip("nothing is compiled")
    assert sum(isinstance(each, types.Array) for each, *_ in kernel.signatures) == 1


def test_a_plain_array_is_not_copied() -> None:
    a, b = np.arange(3), np.arange(4)
    assert places.operands(a, b)[0] is a
    assert places.operands(a, b)[1] is b


@given(st.text(max_size=12), st.text(max_size=12))
def test_text_is_its_code_points(a: str, b: str) -> None:
    assert edit_distance(a, b) == naive.edit_distance(a, b)
    assert edit_distance(a, [ord(c) for c in b]) == naive.edit_distance(a, b)


@pytest.mark.parametrize("bit", range(63))
def test_every_bit_of_a_symbol_counts(bit: int) -> None:
    a, b = [-1, 0, 1 << bit], [-1, 0, 0]
    assert edit_distance(a, b) == edit_distance(tuple(a), b) == 1
    assert edit_distance(np.array(a), np.array(b)) == 1
    if bit <= 20:
        assert edit_distance("\u4e00" + chr(1 << bit), "\u4e00\0") == 1


def test_great_numbers_and_words_are_symbols() -> None:
    assert edit_distance([2**70, 1, 2], [2**70, 2, 2]) == 1
    assert edit_distance(["the", "cat", "sat"], ["the", "sat"]) == 1
    unsigned = np.array([2**64 - 1, 5], np.uint64)
    assert edit_distance(unsigned, np.array([-1, 5])) == 1
    assert edit_distance(unsigned, unsigned[:1]) == 1


def test_one_symbol_in_every_place_takes_no_more_memory() -> None:
    a, b = np.arange(10_000) << 20, (np.arange(10_000) + 5) << 20
    room = getattr(places.room, "py_func", places.room)
    assert 8 * room(a.size, b.size) < 1 << 20
    assert edit_distance(a[:600], b[:600]) == 10


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (np.zeros((2, 2), np.int64), ValueError, "one dimension, not 2"),
        (np.array([1.0]), TypeError, "integers or strings, not float"),
        ([1, 2.0], TypeError, "integers or strings, not float"),
        ([None], TypeError, "integers or strings, not NoneType"),
    ],
)
def test_what_is_no_sequence_of_symbols_is_refused(a: Any, error: type[Exception], message: str) -> None:
    for function in (edit_distance, edit_similarity, edit_alignment):
        with pytest.raises(error, match=message):
            function(a, a)
        with pytest.raises(error, match=message):
            function(np.array([1]), a)
    with pytest.raises(error, match=message):
        edit_pairwise([a], [a])


def test_similarity_is_the_share_that_is_not_edited() -> None:
    assert edit_similarity("kitten", "sitting") == 1 - 3 / 7
    assert edit_similarity("", "") == edit_similarity("a", "a") == 1.0
    assert edit_similarity("a", "") == 0.0


@given(st.lists(naive.pairs((0, 1, 30, 64, 129, 200)), max_size=4))
@settings(deadline=None, max_examples=30)
def test_pairwise_is_each_with_each(pairs: list[tuple[Numbers, Numbers]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs] + [np.arange(3)]
    found = edit_pairwise(first, second)
    assert found.shape == (len(first), len(second))
    assert found.tolist() == [[edit_distance(a, b) for b in second] for a in first]


def test_pairwise_of_words() -> None:
    assert edit_pairwise(["kitten", "sitting"], ["kitten", "", "kit"]).tolist() == [[0, 6, 3], [3, 7, 5]]
    assert edit_pairwise([["a", "b"]], [["b"], ["c", "d"]]).tolist() == [[1, 2]]
    assert edit_pairwise([], ["a"]).shape == (0, 1)


@settings(deadline=None)
@given(naive.pairs(), st.sampled_from((4, 20, 1 << 15)))
def test_an_alignment_is_a_shortest_way(pair: tuple[Numbers, Numbers], traced: int) -> None:
    a, b = pair
    with mock.patch.object(places, "_TRACED", traced):
        steps = edit_alignment(a, b)
    assert steps.dtype == np.int64
    assert steps.shape[1] == 2
    assert steps[steps[:, 0] >= 0, 0].tolist() == list(range(len(a)))
    assert steps[steps[:, 1] >= 0, 1].tolist() == list(range(len(b)))
    assert (steps.max(1, initial=0) >= 0).all()
    edits = sum(i < 0 or j < 0 or a[i] != b[j] for i, j in steps.tolist())
    assert edits == edit_distance(a, b)


def test_it_knows_which_table_of_places_it_is_built_on() -> None:
    source = Path(places.__file__).read_bytes()
    assert crc32(source) == edit._BUILT_ON, f"places.py has changed: set it to {crc32(source):#x} in edit.py"
