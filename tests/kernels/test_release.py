"""The queue: with any watermarks, any masks and any cutting, what leaves is the text in order."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.release import count, release
from operators.packet import COVERED, DELTA, RELEASE, VETTED, frozen
from tests.naive_release import Match, covered, stretches

HOLD = 40
OPEN = np.iinfo(np.int64).max
TEXT, CLOSE = 1, 3
STYLES = ("label", "stars", "last4", "label", "label")
SEVERITIES = (0, 1, 2, 2, 0)
PIECES = st.lists(st.text("aé漢😀", max_size=5), max_size=7)
SPANS = st.lists(
    st.builds(
        lambda begin, size, code, more: Match(
            begin, begin + size, code, STYLES[code], SEVERITIES[code], more
        ),
        st.integers(0, 34), st.integers(1, 16), st.integers(0, 4), st.booleans(),
    ),
    max_size=5,
)  # fmt: skip


class Lane:
    """One lane of one stream, fed delta by delta."""

    def __init__(self, spans: list[Match], last: int = OPEN) -> None:
        spans = sorted(spans, key=lambda m: (m.begin, -m.stop, m.code))
        show = [next((c for c in range(s.begin, s.stop) if s.tells(c)), s.stop) for s in spans]
        rank = [each.severity * 10_000 + (each.stop - each.begin) * 100 - each.code for each in spans]
        columns = [
            (0, each.begin, each.stop, seen, each.code, place, each.more, each.code)
            for each, seen, place in zip(spans, show, rank, strict=True)
        ]
        self.masks = (
            np.array(columns, np.int64).reshape(-1, 8),
            np.frombuffer(b"".join(b"<%d>" % each for each in range(5)), np.uint8),
            np.arange(0, 18, 3, np.int32), np.full(5, 3, np.int32),
            np.array([{"stars": 1, "last4": 2}.get(style, 0) for style in STYLES], np.uint8),
        )  # fmt: skip
        self.last, self.ledger = np.array([last], np.int64), np.zeros((1, 8), np.int64)
        self.pool = (
            np.zeros(1, np.int32), np.zeros((99, 8), np.int64), np.append(np.arange(99), 99).astype(np.int32)
        )  # fmt: skip
        self.said = ""
        self.position, self.masked = np.zeros((2, 1), np.int64)
        self.going, self.cover = np.zeros(1, np.uint8), np.zeros(1, np.int32)
        self.ordinal, self.length = np.zeros((2, 1), np.int32)
        self.held, self.arrived = np.zeros((1, 4 * HOLD), np.uint8), np.zeros((1, HOLD), np.uint16)

    def feed(
        self, pieces: list[tuple[int, str]], marks: list[int], blocks: dict[int, int] | None = None,
        holder: int = 7,
    ) -> tuple[list[str], int]:  # fmt: skip
        """What left with each delta, and the delta at which the queue overflowed."""
        n, m = len(pieces), len(self.masks[0])
        texts = [text.encode() for _, text in pieces]
        deltas, vetted = np.zeros(n, DELTA), np.zeros(n, VETTED)
        deltas["kind"] = [kind for kind, _ in pieces]
        deltas["end"] = list(accumulate(map(len, texts)))
        deltas["start"] = deltas["end"] - [len(text) for text in texts]
        deltas["chars"] = [len(text) for _, text in pieces]
        deltas["at"] = 100 + np.arange(n)
        vetted["delta"], vetted["upto"], vetted["code"] = np.arange(n), marks, holder
        ended = [(delta, 0, upto) for delta, upto in (blocks or {}).items()]
        out = np.zeros(sum(map(len, texts)) + int(self.length[0]) + 3 * m, np.uint8)
        releases, before = np.zeros(n, RELEASE), np.zeros(n, np.int64)
        queued = int(self.length[0])
        covered = np.zeros(n + 2 * m, COVERED)
        done, runs, grown, overflow = release(
            frozen(deltas), np.frombuffer(b"".join(texts), np.uint8), TEXT, CLOSE, frozen(vetted),
            np.array(ended, np.int64).reshape(-1, 3),
            *self.masks, self.last, self.ledger, *self.pool,
            self.position, self.masked, self.going, self.cover, self.ordinal,
            self.length, self.held, self.arrived,
            out, before, releases, covered,
        )  # fmt: skip
        assert overflow >= 0 or grown == self.length[0] - queued
        left = [""] * n
        self.said += "".join(text for _, text in pieces)
        stands = [""] * n  # what left, told by the runs that were covered and the text itself
        for delta, _, _, start, end, begin, stop in releases[:done].tolist():
            left[delta] = out[start:end].tobytes().decode()
            for run in covered[:runs][covered[:runs]["delta"] == delta].tolist():
                stands[delta] += self.said[begin : run[4]] + out[run[2] : run[3]].tobytes().decode()
                begin = run[5]  # noqa: PLW2901
            stands[delta] += self.said[begin:stop]
        assert stands == left
        return left, overflow

    def entries(self) -> dict[int, list[int]]:
        """The ledger of the stream, by code."""
        head, pool, _ = self.pool
        out, place = {}, int(head[0])
        while place:
            code, place, *out[code] = pool[place - 1].tolist()
        return out


def held_at(upto: int, matches: list[Match]) -> int:
    """Where the text stops whose watermark is `upto`: before a stretch whose first match is not over."""
    firsts = [stretch[0] for stretch in stretches(matches)]
    return min([upto, *(first.begin for first in firsts if first.begin < upto < first.stop)])


@settings(max_examples=400, deadline=None)
@given(PIECES, SPANS, st.data())
def test_release_lets_go_exactly_what_the_watermarks_pass(
    pieces: list[str], spans: list[Match], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    spans = [span for span in spans if span.stop <= len(whole)]
    read = list(accumulate(map(len, pieces)))
    marks = list(accumulate((data.draw(st.integers(0, upto)) for upto in read), max))
    cut = data.draw(st.integers(0, len(pieces)))
    deltas = [(TEXT, piece) for piece in pieces] + [(CLOSE, "")]
    lane = Lane(spans)
    said = lane.feed(deltas[:cut], marks[:cut])[0] + lane.feed(deltas[cut:], [*marks, len(whole)][cut:])[0]
    assert "".join(said) == covered(whole, spans)
    for delta, upto in enumerate(marks):
        assert "".join(said[: delta + 1]) == covered(whole, spans, upto)
    assert lane.position[0] == lane.ledger[0, 1] == len(whole)
    assert lane.ledger[0, 2] == len("".join(said))
    assert lane.length[0] == 0


@settings(max_examples=200, deadline=None)
@given(PIECES, SPANS, st.data())
def test_the_ledger_says_what_was_held_and_for_whom(
    pieces: list[str], spans: list[Match], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    spans = [span for span in spans if span.stop <= len(whole)]
    read = list(accumulate(map(len, pieces)))
    marks = list(accumulate((data.draw(st.integers(0, upto)) for upto in read), max))
    lane = Lane(spans)
    said, _ = lane.feed([*((TEXT, piece) for piece in pieces), (CLOSE, "")], [*marks, len(whole)])
    waits = [upto - held_at(mark, spans) for upto, mark in zip(read, marks, strict=True)]
    waits = [wait for wait in waits if wait]
    entries = lane.entries()
    assert entries.pop(7, [0] * 6)[:3] == [sum(waits), max(waits, default=0), len(waits)]
    masked: dict[int, int] = {}
    for stretch in stretches(spans):
        first = stretch[0]
        name = max((m for m in stretch if m.begin < first.stop), key=lambda m: m.rank)
        hidden = {c for m in stretch for c in range(m.begin, m.stop)}
        if name.style == "last4":
            hidden = {c for c in hidden if not all(m.tells(c) for m in stretch if m.begin <= c < m.stop)}
        if hidden:
            masked[name.code] = masked.get(name.code, 0) + len(hidden)
    assert {code: sums[3] for code, sums in entries.items()} == masked
    assert lane.pool[2][-1] == 99 - len(lane.entries())
    if "".join(said):
        assert lane.ledger[0, 6] == 100
        assert lane.ledger[0, 7] == 100 + next(i for i, piece in enumerate(said) if piece)


def test_matches_are_counted_by_stream_and_code() -> None:
    lane = Lane([])
    count(np.zeros(3, np.int32), np.array([4, 2, 4], np.int32), np.array([1, 0, 2], np.int64), *lane.pool)
    assert lane.entries() == {4: [0, 0, 0, 0, 2, 3], 2: [0, 0, 0, 0, 1, 0]}


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
