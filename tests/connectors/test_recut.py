"""Re-cutting keeps each lane, and the turns of the lanes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._recut import Recut
from operators.packet import Delta, Kind

LANES = [(0, 0, 0), (0, 1, 0), (2, 0, 3)]
SAID = st.lists(st.tuples(st.sampled_from(LANES), st.text(min_size=1, max_size=9)), max_size=20)


def _deltas(said: Sequence[tuple[tuple[int, int, int], str]]) -> list[Delta]:
    texts = [Delta(Kind.TEXT, text, *lane, at=at) for at, (lane, text) in enumerate(said)]
    return [Delta(Kind.START), *texts, Delta(Kind.END)]


@given(SAID, st.integers(1, 7))
def test_recutting_keeps_each_lanes_text_and_cuts_it_even(
    said: list[tuple[tuple[int, int, int], str]], size: int
) -> None:
    cut = Recut(size)
    again = [each for delta in _deltas(said) for each in cut.again(delta)]
    assert [delta.kind for delta in (again[0], again[-1])] == [Kind.START, Kind.END]
    turns = [
        (lane, "".join(text for _, text in turn)) for lane, turn in groupby(said, key=lambda each: each[0])
    ]
    pieces = [((d.channel, d.choice, d.item), d.text) for d in again[1:-1]]
    assert pieces == [
        (lane, text[at : at + size]) for lane, text in turns for at in range(0, len(text), size)
    ], "even within each turn of a lane, and the turns in their order"


@given(SAID, st.integers(1, 7))
def test_a_second_stream_starts_with_empty_hands(
    said: list[tuple[tuple[int, int, int], str]], size: int
) -> None:
    cut = Recut(size)
    first = [repr(each) for delta in _deltas(said) for each in cut.again(delta)]
    second = [repr(each) for delta in _deltas(said) for each in cut.again(delta)]
    assert first == second


@pytest.mark.parametrize("kind", [Kind.NOTE, Kind.USAGE, Kind.ERROR, Kind.START])
def test_what_is_no_text_passes_unchanged_and_flushes_nothing(kind: Kind) -> None:
    cut = Recut(4)
    assert list(cut.again(Delta(Kind.TEXT, "ab"))) == []
    delta = Delta(kind, "x", 2, 1, 1)
    assert list(cut.again(delta)) == [delta]
    assert [d.text for d in cut.again(Delta(Kind.TEXT, "cd"))] == ["abcd"]


def test_recut_text_has_the_time_of_the_delta_that_completed_it() -> None:
    cut = Recut(3)
    assert list(cut.again(Delta(Kind.TEXT, "ab", at=5))) == []
    assert [(d.text, d.at) for d in cut.again(Delta(Kind.TEXT, "cd", at=9))] == [("abc", 9)]
