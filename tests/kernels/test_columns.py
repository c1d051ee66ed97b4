"""Rows without their zeros, word by word: against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from operators.kernels.columns import Asleep, gather, mark, parse, restore, scatter, squeeze

Words = NDArray[np.uint32]
VALUES = st.sampled_from([0, 0, 0, 1, 1 << 31, (1 << 32) - 1])


@st.composite
def columns(draw: st.DrawFn) -> tuple[Words, NDArray[np.int64]]:
    """A column of words, wide or narrow, and some of its rows in order."""
    shape = draw(st.integers(0, 6)), draw(st.sampled_from([1, 3, 63, 64, 65, 128, 200]))
    words = draw(arrays(np.uint32, shape, elements=VALUES, fill=st.just(0)))
    some = draw(st.sets(st.integers(0, max(shape[0] - 1, 0)))) if shape[0] else set()
    return words, np.array(sorted(some), np.int64)


def bits(words: Words) -> NDArray[np.uint64]:
    """The masks of rows, as NumPy packs bits."""
    k, width = words.shape
    room = np.zeros((k, -(-width // 64) * 64), np.bool_)
    room[:, :width] = words != 0
    return np.packbits(room, axis=1, bitorder="little").view(np.uint64).reshape(k, room.shape[1] // 64)


def bare(k: int, blocks: int) -> tuple[Any, Any, Any, Any]:
    """No row of `k` is asleep."""
    none = np.frombuffer(b"", np.uint32)
    return np.full(k, -1), np.zeros((0, blocks), np.uint64), none, np.zeros(1, np.int64)


@given(columns())
def test_masks_and_words_are_those_of_numpy(column: tuple[Words, NDArray[np.int64]]) -> None:
    words, rows = column
    expected = bits(words[rows])
    masks = np.full_like(expected, 7)
    awake = bare(len(rows), expected.shape[1])
    count = mark(words, rows, *awake, masks)
    assert count == np.count_nonzero(words[rows])
    assert (masks == expected).all()
    taken = np.empty(count + 1, np.uint32)
    gather(words, rows, *awake, masks, taken)
    assert taken[:count].tolist() == words[rows][words[rows] != 0].tolist()


@given(columns(), st.data())
def test_rows_come_back_one_by_one_and_in_any_order(
    column: tuple[Words, NDArray[np.int64]], data: st.DataObject
) -> None:
    words, rows = column
    asleep = slept(words, rows)
    some = data.draw(st.permutations(range(len(rows))))[: data.draw(st.integers(0, len(rows)))]
    again = np.zeros_like(words)
    scatter(*asleep, np.array(some, np.int64), rows[some], again)
    for place, row in enumerate(rows):
        assert (again[row] == (words[row] if place in some else 0)).all()
    # What is back is read where it stands, what is not where it lies: the same either way.
    places = np.array([-1 if place in some else place for place in range(len(rows))], np.int64)
    masks = np.empty_like(asleep.masks)
    assert mark(again, rows, places, *asleep, masks) == asleep.kept.size
    taken = np.empty(asleep.kept.size + 1, np.uint32)
    gather(again, rows, places, *asleep, masks, taken)
    assert (masks == asleep.masks).all()
    assert (taken[:-1] == asleep.kept).all()


def slept(words: Words, rows: NDArray[np.int64]) -> Asleep:
    """The rows as they lie when they are asleep."""
    masks, kept = bits(words[rows]), words[rows][words[rows] != 0]
    kept.flags.writeable = False
    return Asleep(masks, kept, np.append(0, np.cumsum(np.count_nonzero(words[rows], axis=1))))


@given(columns(), st.integers(0, 3))
def test_what_is_squeezed_is_parsed_and_restored(column: tuple[Words, NDArray[np.int64]], shift: int) -> None:
    words, rows = column
    squeezed = squeeze(words, rows)
    data = bytes(8 * shift) + b"".join(part.tobytes() for part in squeezed.parts)
    asleep, end = parse(memoryview(data), 8 * shift, squeezed.sizes, words, len(rows))
    assert end == len(data)
    again = np.zeros_like(words)
    restore(asleep, np.arange(len(rows)), again, rows)
    assert (again[rows] == words[rows]).all()
    others = np.delete(again, rows, axis=0)
    assert not others.any()


def test_words_that_are_not_aligned_are_read_too() -> None:
    words = np.arange(200, dtype=np.uint32).reshape(2, 100)
    squeezed = squeeze(words, np.arange(2))
    data = b"." + b"".join(part.tobytes() for part in squeezed.parts)
    asleep, _ = parse(memoryview(data), 1, squeezed.sizes, words, 2)
    again = np.zeros_like(words)
    restore(asleep, np.arange(2), again, np.arange(2))
    assert (again == words).all()


@pytest.mark.parametrize(("masks", "words"), [(-1, 0), (0, -1), (1 << 60, 0), (0, 1 << 60), (9, 0)])
def test_sizes_that_cannot_be_are_refused(masks: int, words: int) -> None:
    with pytest.raises(ValueError, match="state is damaged"):
        parse(memoryview(bytes(64)), 0, (masks, words), np.zeros((1, 100), np.uint32), 1)
