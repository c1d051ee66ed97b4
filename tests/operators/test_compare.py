"""Comparing two sequences: what is meant, what is refused, and that a cache never mixes up two questions."""

from __future__ import annotations

import math
import re
import threading
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.compare import ALGORITHMS, Cache, Comparison, Options, compare
from tests import naive_compare as naive

PLAIN = Options()
SYMBOLS = ("edit", "osa", "damerau", "indel", "lcs")
MEANT: dict[str, Any] = {
    "edit": naive.edit,
    "osa": naive.osa,
    "damerau": naive.damerau,
    "indel": lambda x, y: len(x) + len(y) - 2 * naive.lcs(x, y),
    "lcs": lambda x, y: max(len(x), len(y)) - naive.lcs(x, y),
}
VALUES = st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6)
SERIES = st.lists(VALUES, min_size=1, max_size=12)
TEXTS = st.text("ab😀", min_size=1, max_size=9)
WORDS = st.lists(st.sampled_from(["a", "b", "ab", "a', 'b", ""]), min_size=1, max_size=6)
CODES = st.lists(st.integers(-2, 2), min_size=1, max_size=9)
PAIRS = st.one_of(*(st.tuples(each, each) for each in (TEXTS, WORDS, CODES)))


@pytest.mark.parametrize(
    ("x", "y", "algorithm", "distance", "similarity"),
    [
        ("kitten", "sitting", "edit", 3, 1 - 3 / 7),
        ("AGCAT", "GAC", "lcs", 3, 2 / 5),
        ("AGCAT", "GAC", "indel", 4, 1 - 4 / 8),
        ([1, 2, 3, 4], [1, 3, 4], "lcs", 1, 3 / 4),
        ("ca", "abc", "osa", 3, 0),
        ("ca", "abc", "damerau", 2, 1 / 3),
        ("abc", "xyz", "edit", 3, 0),
        (["the", "old", "cat"], ["the", "cat"], "edit", 1, 2 / 3),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "dtw", 0, 1),
        ([0.0, 1.0, 2.0, 1.0], [0.0, 0.0, 1.0, 2.0], "dtw", 1, None),
        ([3.0, 0.0], [0.0, 4.0], "euclidean", 5, None),
        ([5.0], [5.0], "euclidean", 0, 1),
        ([5.0], [6.0], "euclidean", 1, 0),
    ],
)
def test_known_answers(x: Any, y: Any, algorithm: str, distance: float, similarity: float | None) -> None:
    found = compare(x, y, algorithm)
    assert (found.algorithm, found.distance, found.lengths) == (algorithm, distance, (len(x), len(y)))
    assert found.alignment is None
    if similarity is not None:
        assert found.similarity == pytest.approx(similarity)


@given(PAIRS, st.sampled_from(SYMBOLS))
def test_symbols_are_compared_as_the_definitions_say(pair: tuple[Any, Any], algorithm: str) -> None:
    x, y = pair
    found = compare(x, y, algorithm)
    distance = MEANT[algorithm](x, y)
    most = len(x) + len(y) if algorithm == "indel" else max(len(x), len(y))
    assert found.distance == distance
    assert found.similarity == pytest.approx(1 - distance / most)


@given(SERIES, SERIES, st.integers(0, 12), st.sampled_from(["squared", "absolute"]))
def test_dtw_is_what_its_definition_says(x: list[float], y: list[float], more: int, cost: str) -> None:
    radius = abs(len(x) - len(y)) + more
    found = compare(x, y, "dtw", Options(radius, cost))
    meant = naive.warped(x, y, radius, lambda a, b: (a - b) ** 2 if cost == "squared" else abs(a - b))
    assert found.distance == pytest.approx(meant)
    mean = meant / max(len(x), len(y))
    error = math.sqrt(mean) if cost == "squared" else mean
    deviation = math.sqrt((np.var(x) + np.var(y)) / 2)
    assert found.similarity == pytest.approx(1 / (1 + error / deviation) if deviation else float(not error))


@pytest.mark.parametrize("radius", [2, 1000, 10**30])
def test_a_radius_beyond_the_lengths_allows_every_path(radius: int) -> None:
    assert compare([0.0, 1.0, 2.0], [0.0, 0.0, 2.0], "dtw", Options(radius)).distance == 1


@given(st.data(), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3))
def test_series_of_several_dimensions_are_warped_together(drawn: Any, n: int, m: int, d: int) -> None:
    rows = [drawn.draw(st.lists(st.tuples(*[VALUES] * d), min_size=k, max_size=k)) for k in (n, m)]
    meant = naive.warped(*rows, 8, lambda a, b: sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))
    assert compare(*rows, "dtw").distance == pytest.approx(meant)
    same = compare(rows[0], rows[0][::-1], "euclidean").distance
    assert same == pytest.approx(math.dist(np.ravel(rows[0]), np.ravel(rows[0][::-1])))


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=20),
    st.integers(1, 5), st.sampled_from([0.25, 1024.0]), st.integers(-99, 99),
)  # fmt: skip
def test_the_similarity_of_series_does_not_depend_on_their_length_unit_or_zero(
    pairs: list[tuple[int, int]], times: int, unit: float, zero: int
) -> None:
    x, y = np.array(pairs).T
    for algorithm, options in (("euclidean", PLAIN), ("dtw", Options(radius=0))):
        once = compare(x, y, algorithm, options).similarity
        again = compare(
            np.tile(x, times) * unit + zero, np.tile(y, times) * unit + zero, algorithm, options
        ).similarity
        assert again == pytest.approx(once)
        assert 0 <= once <= 1
        assert (once == 1) == (pairs == [(value, value) for value, _ in pairs])


@given(st.lists(VALUES, min_size=3, max_size=9), st.lists(VALUES, min_size=3, max_size=9))
def test_derivative_dtw_warps_slopes(x: list[float], y: list[float]) -> None:
    slopes = []
    for values in (x, y):
        inner = [((b - a) + (c - a) / 2) / 2 for a, b, c in zip(values, values[1:], values[2:], strict=False)]
        slopes.append([inner[0], *inner, inner[-1]])
    meant = naive.warped(*slopes, 9, lambda a, b: (a - b) ** 2)
    assert compare(x, y, "ddtw").distance == pytest.approx(meant)
    assert compare(x, y, "ddtw").similarity == pytest.approx(compare(*slopes, "dtw").similarity)
    both = np.array([x, x[::-1]]).T, np.array([x[::-1], x]).T
    assert compare(*both, "ddtw").lengths == (len(x), len(x))


def test_soft_dtw_is_dtw_where_its_minimum_is_hard_and_says_how_alike_series_are() -> None:
    x, y = [0.0, 1.0, 2.0, 1.0], [0.0, 0.5, 2.0]
    hard, warped = compare(x, y, "soft-dtw", Options(gamma=1e-6)), compare(x, y, "dtw")
    assert (hard.distance, hard.similarity) == pytest.approx((warped.distance, warped.similarity), abs=1e-3)
    soft = compare(x, y, "soft-dtw")
    assert soft.distance < warped.distance
    assert 0 < soft.similarity < 1
    assert compare(x, x, "soft-dtw").similarity == 1
    # One path for series of one value; three of cost 0 for two equal ones of two.
    assert compare([1.0], [3.0], "soft-dtw").distance == 4
    assert compare([1.0, 1.0], [1.0, 1.0], "soft-dtw", Options(gamma=2)).distance == pytest.approx(
        -2 * math.log(3)
    )


def test_normalising_takes_offset_and_scale_away() -> None:
    x = np.sin(np.arange(40) / 5)
    y = 100 + 3 * x
    assert compare(x, y, "dtw").similarity < 0.2
    for algorithm in ("dtw", "euclidean"):
        assert compare(x, y, algorithm, Options(normalise=True)).similarity == pytest.approx(1)
    # Of two normalised series the squared distance is 2 n (1 - correlation).
    z = np.cos(np.arange(40) / 7)
    distance = compare(x, z, "euclidean", Options(normalise=True)).distance
    assert distance**2 == pytest.approx(2 * 40 * (1 - np.corrcoef(x, z)[0, 1]))


@given(SERIES, SERIES, st.integers(0, 12))
def test_the_alignment_of_series_is_a_path_of_that_distance(
    x: list[float], y: list[float], more: int
) -> None:
    options = Options(abs(len(x) - len(y)) + more, alignment=True)
    found = compare(x, y, "dtw", options)
    path = _pairs(found)
    assert path[0] == [0, 0]
    assert path[-1] == [len(x) - 1, len(y) - 1]
    assert all((k - i, m - j) in {(0, 1), (1, 0), (1, 1)} for (i, j), (k, m) in pairwise(path))
    assert sum((x[i] - y[j]) ** 2 for i, j in path) == pytest.approx(found.distance, rel=1e-12, abs=1e-9)


@given(PAIRS, st.sampled_from(["lcs", "indel"]))
def test_the_alignment_of_a_common_subsequence_holds_all_of_it(pair: tuple[Any, Any], algorithm: str) -> None:
    x, y = pair
    pairs = _pairs(compare(x, y, algorithm, Options(alignment=True)))
    assert len(pairs) == naive.lcs(x, y)
    assert all(x[i] == y[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))


@given(PAIRS)
def test_the_alignment_of_an_edit_distance_holds_every_symbol_and_costs_that_distance(
    pair: tuple[Any, Any],
) -> None:
    x, y = pair
    found = compare(x, y, "edit", Options(alignment=True))
    pairs = _pairs(found)
    assert [i for i, _ in pairs if i != -1] == list(range(len(x)))
    assert [j for _, j in pairs if j != -1] == list(range(len(y)))
    assert sum(-1 in {i, j} or x[i] != y[j] for i, j in pairs) == found.distance


def _pairs(found: Comparison) -> list[list[int]]:
    assert found.alignment is not None
    assert found.alignment.dtype == np.int64
    assert not found.alignment.flags.writeable
    return found.alignment.reshape(-1, 2).tolist()  # type: ignore[no-any-return]


FIRST, SECOND = "x, the first sequence, must", "y, the second sequence, must"
KNOWN = ", ".join(ALGORITHMS)
NORMAL, ALIGNED = Options(normalise=True), Options(alignment=True)
WRONG: list[tuple[Any, Any, str, Options, str]] = [
    ([1.0], [1.0], "telepathy", PLAIN, f"no algorithm is named 'telepathy'; there is {KNOWN}"),
    ([1.0], [1.0], ["dtw"], PLAIN, f"no algorithm is named ['dtw']; there is {KNOWN}"),  # type: ignore[list-item]
    ([], [1.0], "dtw", PLAIN, f"{FIRST} hold 1 to 100,000 values, not 0"),
    ([1.0], [], "euclidean", PLAIN, f"{SECOND} hold 1 to 100,000 values, not 0"),
    ("", "a", "edit", PLAIN, f"{FIRST} hold 1 to 100,000 values, not 0"),
    ("a", "a" * 11, "edit", Options(longest=10), f"{SECOND} hold 1 to 10 values, not 11"),
    ([1.0, math.nan], [1.0], "dtw", PLAIN, f"{FIRST} hold finite numbers up to 1e+140, not nan at 1"),
    ([1.0], [0, -math.inf], "dtw", PLAIN, f"{SECOND} hold finite numbers up to 1e+140, not -inf at 1"),
    ([[1.0, 2.0], [math.inf, 0.0]], [[1.0, 2.0]], "dtw", PLAIN, f"{FIRST} hold finite numbers up to 1e+140"),
    ([1e141], [1.0], "dtw", PLAIN, "not 1e+141 at 0"),
    ([np.longdouble("1e400")], [1.0], "dtw", PLAIN, f"{FIRST} hold finite numbers"),
    ([[1.0, 2.0]], [[1.0]], "dtw", PLAIN, "x and y must have the same dimensions, not 2 and 1"),
    ([[1.0, 2.0]], [1.0, 2.0], "dtw", PLAIN, "x and y must have the same dimensions, not 2 and 1"),
    ([[1.0, 2.0], [3.0]], [1.0], "dtw", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    ([[[1.0]]], [1.0], "dtw", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    ([[]], [[]], "dtw", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    (1.0, [1.0], "dtw", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    ([1.0], [1j], "dtw", PLAIN, f"{SECOND} be a text, words, or numbers [n] or [n, d]"),
    ([None], [1], "edit", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    (b"abc", b"abc", "edit", PLAIN, f"{FIRST} be a text, words, or numbers [n] or [n, d]"),
    (["a", 1], ["a"], "edit", PLAIN, f"{FIRST} hold words or numbers, not both"),
    ([0] * 5, [1] * 8, "dtw", Options(2), "radius must be the difference of the lengths or more, 3, not 2"),
    ([1.0, 2.0], [1.0], "euclidean", PLAIN, "x and y must be of the same length for euclidean, not 2 and 1"),
    ([0.1] * 3, [1.0, 2.0], "dtw", NORMAL, f"{FIRST} not be constant"),
    ([1.0, 2.0], [4], "dtw", NORMAL, f"{SECOND} not be constant"),
    ([[1, 2], [1, 3]], [[1, 2], [2, 3]], "dtw", NORMAL, f"{FIRST} not be constant"),
    (
        [[1, 2]],
        [[1, 2]],
        "dtw",
        Options(cost="absolute"),
        "x and y must have one dimension for absolute costs",
    ),
    ([[1, 2]], [[1, 2]], "soft-dtw", PLAIN, "x and y must have one dimension for soft-dtw, not 2"),
    ([1], [1], "dtw", Options(gamma=2), "dtw knows no gamma; it knows radius, cost, normalise, alignment"),
    ([[1, 2]], [[1, 2]], "dtw", ALIGNED, "x and y must have one dimension for a warping path, not 2"),
    ([1], [2], "dtw", Options(cost="absolute", alignment=True), "the alignment is known for squared costs"),
    ([1, 2], [1, 2, 3], "ddtw", PLAIN, f"{FIRST} hold 3 values or more: ddtw compares slopes"),
    ("abc", "abc", "ddtw", PLAIN, f"{FIRST} hold numbers: ddtw compares no text"),
    ("abc", [1.0], "dtw", PLAIN, f"{FIRST} hold numbers: dtw compares no text"),
    ([1.0], ["a"], "euclidean", PLAIN, f"{SECOND} hold numbers: euclidean compares no words"),
    ([1.5], [1], "edit", PLAIN, f"{FIRST} be a text, words, or integers [n]: edit compares symbols"),
    ([1], [[1]], "lcs", PLAIN, f"{SECOND} be a text, words, or integers [n]: lcs compares symbols"),
    ("a", [97], "edit", PLAIN, "x and y must be of the same kind, not text and integers"),
    ("a", ["a"], "edit", PLAIN, "x and y must be of the same kind, not text and words"),
    ("a", "a", "edit", Options(radius=3), "edit knows no radius; it knows alignment"),
    ([1.0], [1.0], "euclidean", ALIGNED, "euclidean knows no alignment; it knows normalise"),
    ("a", "a", "osa", ALIGNED, "osa knows no alignment; it knows none"),
    ("a", "a", "lcs", Options(cost="absolute"), "lcs knows no cost; it knows alignment"),
]


@pytest.mark.parametrize(("x", "y", "algorithm", "options", "message"), WRONG)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    x: Any, y: Any, algorithm: str, options: Options, message: str
) -> None:
    cache = Cache(1)
    for ask in (compare, cache.compare):
        with pytest.raises(ValueError, match=re.escape(message)):
            ask(x, y, algorithm, options)
    assert cache.statistics.size == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -1}, "radius must be a whole number of 0 or more, not -1"),
        ({"radius": 1.0}, "radius must be a whole number of 0 or more, not 1.0"),
        ({"longest": 0}, "longest must be a whole number of 1 or more, not 0"),
        ({"gamma": 0}, "gamma must be a finite number above 0, not 0"),
        ({"gamma": math.nan}, "gamma must be a finite number above 0, not nan"),
        ({"gamma": "x"}, "gamma must be a finite number above 0, not 'x'"),
        ({"gamma": None}, "gamma must be a finite number above 0, not None"),
        ({"gamma": 10**400}, f"gamma must be a finite number above 0, not 1{'0' * 39}"),
        ({"gamma": -math.inf}, "gamma must be a finite number above 0, not -inf"),
        ({"gamma": [1.0]}, "gamma must be a finite number above 0, not [1.0]"),
        ({"radius": "3"}, "radius must be a whole number of 0 or more, not '3'"),
        ({"cost": ["squared"]}, "cost must be one of squared, absolute, not ['squared']"),
        ({"normalise": "no"}, "normalise must be true or false, not 'no'"),
        ({"alignment": None}, "alignment must be true or false, not None"),
        ({"cost": "cubic"}, "cost must be one of squared, absolute, not 'cubic'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        Options(**options)
    assert str(refused.value) == message


def test_numbers_of_any_type_are_the_same_option() -> None:
    options = Options(np.int64(2), gamma=np.float32(0.5), longest=np.array(9))  # type: ignore[arg-type]
    assert options == Options(2, gamma=0.5, longest=9)
    assert hash(options) == hash(Options(2, gamma=0.5, longest=9))


# Sequences that are easily taken for each other: one content with several types, shapes, and ends.
ALIKE: list[Any] = [
    "ab", "a", "b", "ba", "aba",
    ["ab"], ["a", "b"], ["a','b"], ["a", ""], ["", "a"], ["'a'"],
    np.array([97, 98], np.uint32), np.array([97, 98], np.int32), np.array([97, 98]), np.array([97.0, 98.0]),
    np.array([97], np.int64), np.array([97, 0], np.int32), np.array([97, 0, 0, 0], np.int16),
    np.array([97, 0], ">i4"), np.array([98, 97]), np.array([98.0, 97.0]), np.array([97.0, 98.0], np.float32),
    np.array([[97.0, 98.0]]), np.array([[97.0], [98.0]]), np.array([[97, 98], [98, 97]]),
    np.array([97, 98, 98, 97]), np.array([True, False]),
    np.array([1, 0], np.uint8), np.array([0.0, 1.0]), np.array([-0.0, 1.0]), np.array([]), "",
]  # fmt: skip
OPTIONS = [
    PLAIN, NORMAL, ALIGNED,
    Options(radius=0), Options(radius=1), Options(cost="absolute"), Options(gamma=0.5),
]  # fmt: skip
QUESTIONS = st.tuples(
    st.sampled_from(ALIKE),
    st.sampled_from(ALIKE),
    st.sampled_from(list(ALGORITHMS)),
    st.sampled_from(OPTIONS),
)
OWN = st.one_of(
    st.tuples(SERIES, SERIES, st.sampled_from(["dtw", "ddtw", "soft-dtw", "euclidean"]), st.just(PLAIN)),
    st.tuples(CODES, CODES, st.sampled_from(SYMBOLS), st.just(PLAIN)),
)


def _said(ask: Any, question: tuple[Any, Any, str, Options]) -> Any:
    try:
        found = ask(*question)
    except ValueError as error:
        return str(error)
    aligned = None if found.alignment is None else found.alignment.tolist()
    return found.algorithm, found.distance, found.similarity, found.lengths, aligned


@given(st.lists(QUESTIONS | OWN, min_size=1, max_size=30), st.integers(1, 40))
def test_two_questions_never_share_an_answer(questions: list[Any], capacity: int) -> None:
    cache = Cache(capacity)
    for question in questions + questions[::-1]:
        assert _said(cache.compare, question) == _said(compare, question)
    assert cache.statistics.size <= capacity


def test_each_way_of_writing_the_same_values_is_a_question_of_its_own() -> None:
    cache = Cache(10_000)
    answers = 0
    for x, y, algorithm in product(ALIKE, ALIKE, ALGORITHMS):
        answers += not isinstance(_said(cache.compare, (x, y, algorithm, PLAIN)), str)
    assert answers > 500
    assert cache.statistics.size == answers
    assert cache.statistics.hits == 0


def test_another_algorithm_or_option_is_another_question() -> None:
    cache = Cache()
    x, y = [0.0, 0.0, 0.0, 4.0, 1.0, 2.0], [0.0, 4.0, 1.0, 1.0, 2.0, 3.0]
    questions = [(x, y, algorithm, each) for algorithm in ALGORITHMS for each in OPTIONS]
    meant = [_said(compare, question) for question in questions]
    known = [one for one in meant if not isinstance(one, str)]
    assert [_said(cache.compare, question) for question in questions] == meant
    assert [_said(cache.compare, question) for question in questions[::-1]] == meant[::-1]
    assert cache.statistics.size == cache.statistics.hits == len(known) > len(OPTIONS)
    assert len({str(one) for one in known}) == len(known)


def test_how_values_lie_in_memory_is_no_part_of_the_question() -> None:
    cache = Cache()
    table = np.arange(12.0).reshape(4, 3)
    first = cache.compare(table, table[::-1], "dtw")
    assert cache.compare(np.asfortranarray(table), table[::-1].copy(), "dtw") is first
    assert cache.compare(table.tolist(), table[::-1].tolist(), "dtw") is first
    assert cache.compare(np.repeat(table, 2, axis=0)[::2], table[::-1], "dtw") is first


def test_values_that_changed_in_place_are_another_question() -> None:
    cache = Cache()
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])
    assert cache.compare(x, y, "dtw").distance == 0
    x[1] = 5
    assert cache.compare(x, y, "dtw").distance == 5
    x[1] = 2
    assert cache.compare(x, y, "dtw").distance == 0
    assert cache.statistics[:4] == (1, 2, 0, 2)


def test_the_answer_asked_for_least_recently_gives_way() -> None:
    cache = Cache(2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cache.compare(text, "x", "edit")
    # "a" was asked for after "b", so "c" drove "b" out, and then "b" drove "c" out.
    assert cache.statistics == (2, 4, 2, 2, 2)
    assert cache.statistics.hit_rate == pytest.approx(2 / 6)
    cache.clear()
    assert cache.statistics == (2, 4, 2, 0, 2)
    cache.compare("a", "x", "edit")
    assert cache.statistics == (2, 5, 2, 1, 2)


def test_the_same_question_gets_the_same_answer_and_an_unused_cache_has_no_rate() -> None:
    cache = Cache()
    assert (cache.statistics.hit_rate, cache.statistics.capacity) == (0, 1000)
    first = cache.compare([1.0, 2.0], [1.0, 3.0], "dtw", Options(alignment=True))
    assert cache.compare(np.array([1.0, 2.0]), (1.0, 3.0), "dtw", Options(alignment=True)) is first
    assert cache.compare([1.0, 3.0], [1.0, 2.0], "dtw", Options(alignment=True)) is not first


@pytest.mark.parametrize("capacity", [0, -1, 1.5])
def test_a_cache_for_nothing_is_refused(capacity: Any) -> None:
    with pytest.raises(ValueError, match=f"capacity must be a whole number of 1 or more, not {capacity}"):
        Cache(capacity)


def test_threads_share_a_cache() -> None:
    cache = Cache(7)
    wrong: list[Any] = []

    def ask(begin: int) -> None:
        for number in range(begin, begin + 300):
            x = [float(number % 11), 0.0]
            if cache.compare(x, [0.0, 0.0], "euclidean").distance != number % 11:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(begin,)) for begin in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = cache.statistics
    assert not wrong
    assert known.hits + known.misses == 1800
    assert known.size == 7


def test_what_no_number_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="soft-dtw: the values are too large"):
        compare([1.0, 2.0] * 8, [2.0, 3.0] * 8, "soft-dtw", Options(gamma=1e308))
