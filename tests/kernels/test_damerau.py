"""Edits with swaps and with costs, against their matrices."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.kernels import damerau, places
from operators.kernels.damerau import damerau_distance, osa_distance, weighted_edit_distance
from operators.kernels.edit import edit_distance
from operators.kernels.lcs import indel_distance
from tests import naive_edit as naive

Numbers = NDArray[np.int64]
words = st.text("abc", max_size=9)
costs = st.sampled_from((0.0, 0.5, 1.0, 1.5, 3.0))


@pytest.mark.parametrize(
    ("a", "b", "osa", "unrestricted"),
    [
        ("ca", "abc", 3, 2),  # Boytsov, "Indexing methods for approximate dictionary searching", 2011
        ("form", "from", 1, 1),
        ("a cat", "an abct", 4, 3),
        ("kitten", "sitting", 3, 3),
        ("", "ab", 2, 2),
        ("", "", 0, 0),
        ("\N{GREEK SMALL LETTER ALPHA}b", "b\N{GREEK SMALL LETTER ALPHA}", 1, 1),
    ],
)
def test_known_distances(a: str, b: str, osa: int, unrestricted: int) -> None:
    assert osa_distance(a, b) == osa_distance(b, a) == osa
    assert damerau_distance(a, b) == damerau_distance(b, a) == unrestricted


@settings(deadline=None)
@given(naive.pairs())
def test_osa_is_the_last_cell_of_its_matrix(pair: tuple[Numbers, Numbers]) -> None:
    a, b = pair
    assert osa_distance(a, b) == naive.osa_distance(a.tolist(), b.tolist())


@pytest.mark.parametrize("at", [1, 62, 63, 64, 126, 127, 128, 191, 255])
def test_a_swap_is_seen_where_words_meet(at: int) -> None:
    line = np.arange(260)
    swapped = line.copy()
    swapped[[at, at + 1]] = at + 1, at
    swapped[[0, -1]] = -1, -2  # so that no common beginning or end is passed over
    assert osa_distance(line, swapped) == 3


@settings(deadline=None)
@given(naive.pairs((0, 1, 5, 10, 16)))
def test_damerau_is_the_last_cell_of_its_matrix(pair: tuple[Numbers, Numbers]) -> None:
    a, b = pair
    assert damerau_distance(a, b) == naive.damerau_distance(a.tolist(), b.tolist())


def test_damerau_edits_between_what_changes_places() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        a = rng.integers(0, 5, 10)
        b = rng.permutation(a)
        assert damerau_distance(a, b) == naive.damerau_distance(a.tolist(), b.tolist())


@given(words, words, words)
def test_damerau_is_a_metric_and_between_the_others(a: str, b: str, c: str) -> None:
    assert (damerau_distance(a, b) == 0) == (a == b)
    assert damerau_distance(a, b) == damerau_distance(b, a)
    assert damerau_distance(a, c) <= damerau_distance(a, b) + damerau_distance(b, c)
    assert damerau_distance(a, b) <= osa_distance(a, b) <= edit_distance(a, b)


@settings(deadline=None)
@given(naive.pairs((0, 1, 5, 20, 40)), costs, costs, costs)
def test_costs_are_those_of_the_matrix(
    pair: tuple[Numbers, Numbers], insert: float, delete: float, replace: float
) -> None:
    a, b = pair
    found = weighted_edit_distance(a, b, insert, delete, replace)
    assert found == naive.weighted_edit_distance(a.tolist(), b.tolist(), insert, delete, replace)
    assert found == weighted_edit_distance(b, a, delete, insert, replace)


def test_an_edit_of_infinite_cost_is_not_used() -> None:
    assert weighted_edit_distance("kitten", "sitting", replace=np.inf) == indel_distance("kitten", "sitting")
    assert weighted_edit_distance("ab", "abc", insert=np.inf) == np.inf
    assert weighted_edit_distance("abc", "bc", insert=np.inf) == 1
    assert weighted_edit_distance("", "", insert=np.inf, delete=np.inf) == 0


@pytest.mark.parametrize("cost", [-1.0, np.nan])
@pytest.mark.parametrize("name", ["insert", "delete", "replace"])
def test_a_cost_below_zero_is_refused(name: str, cost: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must cost 0 or more, not {cost}"):
        weighted_edit_distance("a", "b", **{name: cost})


@pytest.mark.parametrize("function", [osa_distance, damerau_distance, weighted_edit_distance])
def test_what_is_no_sequence_of_symbols_is_refused(function: type) -> None:
    with pytest.raises(TypeError, match="integers or strings, not float"):
        function([1.5], [1])
    with pytest.raises(ValueError, match="one dimension, not 2"):
        function(np.zeros((1, 1), np.int64), np.zeros(1, np.int64))


def test_it_knows_which_table_of_places_it_is_built_on() -> None:
    source = Path(places.__file__).read_bytes()
    assert crc32(source) == damerau._BUILT_ON, (
        f"places.py has changed: set it to {crc32(source):#x} in damerau.py"
    )
