"""The queue: with any watermarks, any masks and any cutting, what leaves is the text in order."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.release import release
from tests.naive_match import Found, masked

HOLD = 40
OPEN = np.iinfo(np.int64).max
TEXT, CLOSE = 1, 3
PIECES = st.lists(st.text("aé漢😀", max_size=5), max_size=7)
SPANS = st.lists(st.tuples(st.integers(0, 34), st.integers(1, 9)), max_size=4)


class Lane:
    """One lane of one stream, fed delta by delta."""

    def __init__(self, spans: list[tuple[int, int]], last: int = OPEN) -> None:
        begins = sorted((begin, begin + size) for begin, size in spans)
        self.masks = [np.array(column, np.int64) for column in zip(*begins, strict=True)] or [
            np.zeros(0, np.int64)
        ] * 2
        self.last, self.ledger = np.array([last], np.int64), np.zeros((1, 6), np.int64)
        self.position, self.masked = np.zeros((2, 1), np.int64)
        self.ordinal, self.length = np.zeros((2, 1), np.int32)
        self.held, self.arrived = np.zeros((1, 4 * HOLD), np.uint8), np.zeros((1, HOLD), np.int32)

    def feed(
        self, pieces: list[tuple[int, str]], marks: list[int], blocks: dict[int, int] | None = None
    ) -> tuple[list[str], int]:
        """What left with each delta, and the delta at which the queue overflowed."""
        n, m = len(pieces), len(self.masks[0])
        texts = [text.encode() for _, text in pieces]
        ends = np.array(list(accumulate(map(len, texts))), np.int32)
        starts = ends - np.array([len(text) for text in texts], np.int32)
        out = np.zeros(sum(map(len, texts)) + int(self.length[0]) + 3 * m, np.uint8)
        told = np.zeros((4, n), np.int32)
        before = int(self.length[0])
        count, grown, overflow = release(
            np.zeros(n, np.int32), np.zeros(n, np.int32), np.array([kind for kind, _ in pieces], np.uint8),
            starts.astype(np.int32), ends, np.array([len(text) for _, text in pieces], np.int32),
            np.frombuffer(b"".join(texts), np.uint8), TEXT, CLOSE,
            np.arange(n, dtype=np.int32), np.array(marks, np.int64),
            np.array(list(blocks or {}), np.int64), np.array(list((blocks or {}).values()), np.int64),
            np.zeros(m, np.int32), self.masks[0], self.masks[1], np.zeros(m, np.int32),
            np.frombuffer(b"<0>", np.uint8), np.array([0, 3], np.int32), np.array([3], np.int32),
            self.last, self.ledger, self.position, self.masked, self.ordinal,
            self.length, self.held, self.arrived,
            out, told[0], told[1], told[2], told[3],
        )  # fmt: skip
        assert overflow >= 0 or grown == self.length[0] - before
        left = [""] * n
        for delta, _, start, end in told[:, :count].T:
            left[delta] = out[start:end].tobytes().decode()
        return left, overflow


@settings(max_examples=300, deadline=None)
@given(PIECES, SPANS, st.data())
def test_release_lets_go_exactly_what_the_watermarks_pass(
    pieces: list[str], spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    read = list(accumulate(map(len, pieces)))
    marks = list(accumulate((data.draw(st.integers(0, upto)) for upto in read), max))
    cut = data.draw(st.integers(0, len(pieces)))
    deltas = [(TEXT, piece) for piece in pieces] + [(CLOSE, "")]
    lane = Lane(spans)
    said = lane.feed(deltas[:cut], marks[:cut])[0] + lane.feed(deltas[cut:], [*marks, len(whole)][cut:])[0]
    found = [Found(0, begin, begin + size, 0) for begin, size in spans]
    assert "".join(said) == masked(whole, found)
    for delta, upto in enumerate(marks):
        assert "".join(said[: delta + 1]) == masked(whole[:upto], found)
    assert lane.position[0] == lane.ledger[0, 1] == len(whole)
    assert lane.ledger[0, 2] == len("".join(said))
    assert lane.length[0] == 0


@given(st.integers(0, 8), st.integers(0, 8))
def test_release_lets_nothing_go_behind_a_block(mark: int, upto: int) -> None:
    lane = Lane([], last=1)
    said, _ = lane.feed(
        [(TEXT, "abcd"), (TEXT, "efgh" + "z" * 99), (TEXT, "ijkl"), (CLOSE, "")], [0, mark, 12, 12], {1: upto}
    )
    assert said == ["", "abcdefgh"[: min(mark, upto)], "", ""]
    assert lane.length[0] == 0


def test_release_does_not_queue_more_than_there_is_room_for() -> None:
    for text, fits in (
        ("é" * HOLD, True),
        ("é" * (HOLD + 1), False),
        ("😀" * HOLD, True),
        ("😀" * (HOLD + 1), False),
    ):
        said, overflow = Lane([]).feed([(TEXT, text[:7]), (TEXT, text[7:])], [0, 0])
        assert said == ["", ""]
        assert overflow == (-1 if fits else 1)
