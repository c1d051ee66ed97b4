"""Columns without their zeros, word by word: against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from operators.kernels.columns import (
    Laid,
    Squeezed,
    clear,
    is_wide,
    lay,
    nothing,
    parse,
    restore,
    restore_run,
    squeeze,
)

Rows = NDArray[np.int64]
VALUES = st.sampled_from([0, 0, 0, 1, 1 << 31, (1 << 32) - 1])
WIDTHS = [0, 1, 2, 4, 7, 255, 256, 257, 260, 508, 512, 516, 800]  # bytes, around those of a block


@st.composite
def columns(draw: st.DrawFn) -> tuple[Laid, Rows]:
    """Columns, narrow and wide, with any words in them, and some of their rows in order."""
    widths = draw(st.lists(st.sampled_from(WIDTHS), max_size=4))
    laid = lay(widths, draw(st.integers(0, 6)))
    laid.words[:] = draw(arrays(np.uint32, laid.words.shape, elements=VALUES, fill=st.just(0)))
    rows = draw(st.sets(st.integers(0, laid.rows - 1))) if laid.rows else set()
    return laid, np.array(sorted(rows), np.int64)


def column(laid: Laid, begin: int, width: int) -> NDArray[np.uint8]:
    return laid.memory[begin : begin + laid.rows * width].reshape(laid.rows, width)


def blocks(words: NDArray[np.uint32]) -> tuple[list[int], list[int]]:
    """The masks of some words, as NumPy packs bits, and the words that are not zero."""
    room = np.zeros(-(-len(words) // 64) * 64, np.bool_)
    room[: len(words)] = words != 0
    return np.packbits(room, bitorder="little").view(np.uint64).tolist(), words[words != 0].tolist()


def awake(laid: Laid, rows: Rows) -> Squeezed:
    """The rows squeezed from where the columns are."""
    return squeeze(laid, rows, nothing(laid), np.full(len(rows), -1))


def written(squeezed: Squeezed) -> bytes:
    return b"".join(part.tobytes() for part in squeezed.parts)


@given(columns())
def test_masks_and_words_are_those_of_numpy(made: tuple[Laid, Rows]) -> None:
    laid, rows = made
    spans = laid.spans.tolist()
    side = b"".join(column(laid, *span)[rows].tobytes() for span in spans if not is_wide(span[1]))
    masks, words = blocks(np.frombuffer(side + bytes(-len(side) % 4), np.uint32))
    for row in rows:
        for span in spans:
            if is_wide(span[1]):
                more, others = blocks(column(laid, *span)[row].view(np.uint32))
                masks, words = masks + more, words + others
    bits, held, taken = awake(laid, rows).parts
    assert np.unpackbits(bits)[: len(masks)].tolist() == [mask != 0 for mask in masks]
    assert held.tolist() == [mask for mask in masks if mask]
    assert taken.tolist() == words + [0] * (len(words) % 2)
    assert bits.nbytes % 8 == taken.nbytes % 8 == 0


@given(columns(), st.data())
def test_rows_come_back_one_by_one_and_in_any_order(made: tuple[Laid, Rows], data: st.DataObject) -> None:
    laid, rows = made
    squeezed = awake(laid, rows)
    whole = written(squeezed)
    again = lay(laid.spans[:, 1].tolist(), laid.rows)
    (run, asleep), end = parse(memoryview(whole), 0, squeezed.sizes, again, len(rows))
    assert end == len(whole)
    restore_run(run, again, rows)
    some = data.draw(st.permutations(range(len(rows))))[: data.draw(st.integers(0, len(rows)))]
    restore(asleep, np.array(some, np.int64), again, rows[some])
    for span in laid.spans.tolist():
        ours, theirs = column(again, *span), column(laid, *span)
        assert not np.delete(ours, rows, axis=0).any()
        for place, row in enumerate(rows):
            back = place in some or not is_wide(span[1])
            assert (ours[row] == (theirs[row] if back else 0)).all()
    # What is back is read where it stands, what is not where it lies: the same either way.
    places = np.array([-1 if place in some else place for place in range(len(rows))], np.int64)
    assert written(squeeze(again, rows, asleep, places)) == whole


@given(columns())
def test_rows_that_are_cleared_are_zero_and_no_others(made: tuple[Laid, Rows]) -> None:
    laid, rows = made
    before = laid.memory.copy()
    clear(laid.memory, laid.spans, rows)
    for begin, width in laid.spans.tolist():
        now = column(laid, begin, width)
        was = before[begin : begin + laid.rows * width].reshape(laid.rows, width)
        assert not now[rows].any()
        assert (np.delete(now, rows, axis=0) == np.delete(was, rows, axis=0)).all()


@given(columns(), st.integers(0, 9))
def test_parts_are_read_wherever_they_begin(made: tuple[Laid, Rows], shift: int) -> None:
    laid, rows = made
    squeezed = awake(laid, rows)
    whole = bytes(shift) + written(squeezed)
    again = lay(laid.spans[:, 1].tolist(), laid.rows)
    (run, asleep), end = parse(memoryview(whole), shift, squeezed.sizes, again, len(rows))
    assert end == len(whole)
    restore_run(run, again, rows)
    restore(asleep, np.arange(len(rows)), again, rows)
    assert written(awake(again, rows)) == written(squeezed)


@pytest.mark.parametrize("sizes", [(1 << 60, 0), (0, 1 << 60), (9, 0), (1, 0), (0, 1)])
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="state is damaged"):
        parse(memoryview(bytes(64)), 0, sizes, lay([400, 3], 1), 1)


@given(st.binary(max_size=80), st.tuples(st.integers(0, 9), st.integers(0, 9)), st.integers(0, 3))
def test_any_bytes_are_refused_or_written_into_their_rows(
    data: bytes, sizes: tuple[int, int], count: int
) -> None:
    laid, rows = lay([400, 3, 260], 4), np.arange(count)
    try:
        parsed, _ = parse(memoryview(data), 0, sizes, laid, count)
    except ValueError:
        return
    restore_run(parsed.run, laid, rows)
    restore(parsed.wide, rows, laid, rows)
    for begin, width in laid.spans.tolist():
        assert not column(laid, begin, width)[count:].any()
        column(laid, begin, width)[:] = 0
    assert not laid.memory.any()
