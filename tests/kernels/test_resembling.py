"""Motifs with errors against every substring; their groups do not depend on any order."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.motif import recurring
from operators.kernels.resembling import passages, resembling
from tests import naive_motif

texts = st.lists(st.integers(0, 1), min_size=1, max_size=24) | st.lists(
    st.integers(0, 5), min_size=1, max_size=24
)
shapes = st.integers(1, 6).flatmap(lambda length: st.tuples(st.just(length), st.integers(0, length - 1)))


@settings(deadline=None)
@given(texts, shapes, st.data())
def test_passages_are_those_of_the_twin(text: list[int], shape: tuple[int, int], data: st.DataObject) -> None:
    length, errors = min(shape[0], len(text)), min(shape[1], len(text) - 1)
    first = data.draw(st.integers(0, len(text) - length))
    found = passages(text, first, length, errors)
    assert found.tolist() == naive_motif.passages(text, first, length, errors)
    assert (found["begin"][1:] >= found["stop"][:-1]).all()
    for begin, stop, edits in found.tolist():
        assert naive_motif.edits(text[begin:stop], text[first : first + length]) == edits <= errors


@settings(deadline=None)
@given(texts, shapes, st.data())
def test_passages_are_mirrored_with_the_text(
    text: list[int], shape: tuple[int, int], data: st.DataObject
) -> None:
    n, length, errors = len(text), min(shape[0], len(text)), min(shape[1], len(text) - 1)
    first = data.draw(st.integers(0, n - length))
    back = passages(text[::-1], n - first - length, length, errors)
    mirrored = [(n - stop, n - begin, edits) for begin, stop, edits in reversed(back.tolist())]
    assert passages(text, first, length, errors).tolist() == mirrored


@settings(deadline=None, max_examples=40)
@given(texts, shapes, st.integers(2, 3), st.randoms(use_true_random=False))
def test_groups_are_those_of_the_twin_in_whatever_order_it_meets_them(
    text: list[int], shape: tuple[int, int], least: int, rng: random.Random
) -> None:
    length, errors = min(shape[0], len(text)), min(shape[1], len(text) - 1)
    found = resembling(text, length, errors, least)
    expected = naive_motif.resembling(text, length, errors, least, rng)
    assert found[["first", "times", "errors"]].tolist() == expected
    for group in found:
        spans = passages(text, int(group["first"]), length, errors)
        assert group["share"] * len(text) == pytest.approx((spans["stop"] - spans["begin"]).sum())


@settings(deadline=None)
@given(texts, shapes)
def test_the_greatest_group_is_as_great_read_backwards(text: list[int], shape: tuple[int, int]) -> None:
    length, errors = min(shape[0], len(text)), min(shape[1], len(text) - 1)
    forth, back = resembling(text, length, errors)[:1], resembling(text[::-1], length, errors)[:1]
    assert forth[["times", "errors"]].tolist() == back[["times", "errors"]].tolist()


@settings(deadline=None)
@given(texts, shapes)
def test_only_equality_of_symbols_counts(text: list[int], shape: tuple[int, int]) -> None:
    length, errors = min(shape[0], len(text)), min(shape[1], len(text) - 1)
    hashes = np.array([7919 * (5 - symbol) % 31 + 2**40 for symbol in text])
    np.testing.assert_array_equal(resembling(hashes, length, errors), resembling(text, length, errors))


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ([1, 2, 3, 1, 0, 2, 0, 3, 1], (0, 4, 2), [(0, 4, 0), (5, 9, 2)]),  # five symbols are as near
        ([0, 2, 1, 2, 1, 0, 1, 0, 0, 0, 2, 1, 1, 0], (10, 4, 1), [(3, 6, 1), (10, 14, 0)]),
    ],
)
def test_of_passages_with_as_few_edits_the_one_nearest_in_length_is_taken(
    text: list[int], shape: tuple[int, int, int], expected: list[tuple[int, int, int]]
) -> None:
    assert passages(text, *shape).tolist() == naive_motif.passages(text, *shape) == expected


def test_a_group_whose_centre_belongs_to_a_better_one_is_not_told() -> None:
    found = resembling([1, 1, 0, 2, 0, 2, 2, 1, 0], 2, 1)
    assert found[["first", "times", "errors"]].tolist() == [(3, 5, 4)]


def test_longest_centre_and_all_its_bits() -> None:
    rng = np.random.default_rng(0)
    centre = rng.integers(0, 50, 62)
    changed = np.concatenate([centre[:20], [77, 78], centre[20:61]])
    text = np.concatenate([rng.integers(100, 200, 30), centre, rng.integers(200, 300, 9), changed])
    assert passages(text, 30, 62, 3).tolist() == [(30, 92, 0), (101, 164, 3)]


def test_without_errors_groups_are_exact_motifs() -> None:
    text = np.frombuffer(b"one two three, one two four", np.uint8)
    (group,) = resembling(text, 8, 0)
    assert group[["first", "times"]].item() == (0, 2)
    assert recurring(text, 8, 8)[["first", "times"]].tolist() == [(0, 2)]


def test_the_originals_example_groups_what_it_only_said_it_did() -> None:
    (group,) = resembling([1, 2, 3, 1, 2, 4, 1, 2, 3], 3, 1)
    assert group[["first", "times", "errors"]].item() == (0, 3, 1)


@pytest.mark.parametrize(
    ("symbols", "shape", "what"),
    [
        ([[1]], (1, 0, 2), "one sequence"),
        ([0.5], (1, 0, 2), "one sequence"),
        ([], (1, 0, 2), "resembling: "),
        ([1, 2], (3, 0, 2), "<= 2 must hold, not 0 and 3"),
        ([1, 2], (2, 2, 2), "not 2 and 2"),
        ([1, 2], (2, -1, 2), "not -1 and 2"),
        (list(range(99)), (63, 0, 2), "<= 62 must hold"),
        ([1, 2], (2, 1, 1), "least must be 2"),
    ],
)
def test_what_cannot_be_is_refused(symbols: list[int], shape: tuple[int, int, int], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        resembling(symbols, *shape)


@pytest.mark.parametrize("first", [-1, 2])
def test_a_centre_that_is_no_window_is_refused(first: int) -> None:
    with pytest.raises(ValueError, match="first must be 0 to 1"):
        passages([1, 2, 3], first, 2, 1)
