"""The stage: no cutting, interleaving or restart changes what it says of a lane."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.features import Features
from operators.packet import OPENED, SAMPLE, Delta, Kind, Packet, Signal, pack
from tests import naive_features

lane_texts = st.text(max_size=40) | st.lists(
    st.sampled_from(["the ", "cat sat ", "\n", "word" * 7, "日本語", "😀 "]), max_size=12
).map("".join)
Said = list[tuple[int, Delta]]
"""Deltas and the row of the lane each belongs to."""


@st.composite
def cut_lanes(draw: st.DrawFn) -> list[list[str]]:
    """Some lanes, each a text cut into deltas."""
    lanes = []
    for text in draw(st.lists(lane_texts, min_size=1, max_size=3)):
        at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
        lanes.append([text[i:j] for i, j in zip([0, *at], [*at, len(text)], strict=True)])
    return lanes


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Said, list[int]]:
    """Deltas of several lanes, interleaved, and where to cut them into packets."""
    lanes = draw(cut_lanes())
    order = draw(st.permutations([row for row, texts in enumerate(lanes) for _ in range(len(texts) + 1)]))
    left = [iter([*(Delta(Kind.TEXT, text) for text in texts), Delta(Kind.CLOSE)]) for texts in lanes]
    logprobs = st.just(math.nan) | st.floats(-9, 0)
    said = []
    for at, row in enumerate(order):
        delta = next(left[row])
        said.append((row, Delta(delta.kind, delta.text, logprob=draw(logprobs), at=at * 3_000_000)))
    cuts = draw(st.lists(st.integers(0, len(said)), max_size=4))
    return said, sorted(cuts)


def packets(said: Said, cuts: list[int]) -> list[Packet]:
    """As the directory gives them: with rows, offsets and openings."""
    stands: dict[int, int] = {}
    found = []
    for first, last in zip([0, *cuts], [*cuts, len(said)], strict=True):
        packet = pack(0, [(str(row), delta) for row, delta in said[first:last]], now=last)
        rows = [row for row, _ in said[first:last]]
        packet.deltas["row"] = rows
        opened = sorted(set(rows) - set(stands))
        stands.update(dict.fromkeys(opened, 0))
        for delta, row in zip(packet.deltas, rows, strict=True):
            delta["begin"] = stands[row]
            stands[row] += int(delta["chars"])
        table = np.zeros(len(opened), OPENED)
        table["row"] = opened
        found.append(packet.having(opened=table))
    return found


def by_row(said: Said, cuts: list[int], *, restart: bool = False) -> dict[int, list[tuple[float, ...]]]:
    """Samples of each lane; `delta` counted in the lane."""
    ordinals: dict[int, int] = defaultdict(int)
    place = []
    for row, _ in said:
        place.append(ordinals[row])
        ordinals[row] += 1
    stage, found = Features(), defaultdict(list)
    for packet, first in zip(packets(said, cuts), [0, *cuts], strict=True):
        if restart:
            state, stage = stage.dump(), Features()
            stage.load(state)
        for s in stage.update(packet).samples:
            delta = place[first + int(s["delta"])]
            found[int(s["row"])].append(
                (delta, *(s[name].item() for name in ("signal", "begin", "stop", "decided", "value")))
            )
    return dict(found)


@given(conversations())
@settings(max_examples=50, deadline=None)
def test_samples_of_each_lane_are_those_of_the_twin(case: tuple[Said, list[int]]) -> None:
    said, cuts = case
    found = by_row(said, cuts)
    for row in {row for row, _ in said}:
        deltas = [(d.text, d.at, d.logprob) for lane, d in said if lane == row and d.kind == Kind.TEXT]
        expected = [tuple(sample) for sample in naive_features.samples(deltas)]
        got = found.get(row, [])
        assert [each[:5] for each in got] == [each[:5] for each in expected]
        assert [each[5] for each in got] == pytest.approx([each[5] for each in expected], rel=1e-9)


@given(conversations())
@settings(max_examples=50, deadline=None)
def test_cutting_into_packets_and_restarts_change_nothing(case: tuple[Said, list[int]]) -> None:
    said, cuts = case
    whole = by_row(said, [])
    assert by_row(said, cuts) == by_row(said, cuts, restart=True) == whole
    assert by_row(said, list(range(1, len(said)))) == whole


@given(cut_lanes())
@settings(max_examples=50, deadline=None)
def test_cutting_into_deltas_changes_no_sample_of_a_word(lanes: list[list[str]]) -> None:
    def words(cut: list[str]) -> list[tuple[float, ...]]:
        said = [*((0, Delta(Kind.TEXT, text)) for text in cut), (0, Delta(Kind.CLOSE))]
        return [each[1:] for each in by_row(said, []).get(0, []) if each[1] >= Signal.SURPRISAL]

    for texts in lanes:
        assert words(texts) == words(["".join(texts)]) == words(list("".join(texts)))


def test_samples_are_ordered_by_delta_and_follow_those_already_there() -> None:
    said = [(i % 2, Delta(Kind.TEXT, "one two three ", at=i)) for i in range(6)]
    (packet,) = packets(said, [])
    before = np.zeros(1, SAMPLE)
    before["signal"] = 77
    samples = Features().update(packet.having(samples=before)).samples
    assert samples["signal"][0] == 77
    assert (np.diff(samples["delta"]) >= 0).all()
    assert len(set(samples["delta"].tolist())) == 6


def test_reused_row_knows_nothing_of_the_lane_before() -> None:
    said = [(0, Delta(Kind.TEXT, "again and again and again", at=5)), (0, Delta(Kind.CLOSE))]
    stage = Features()
    first = stage.update(packets(said, [])[0]).samples
    np.testing.assert_array_equal(stage.update(packets(said, [])[0]).samples, first)
    assert Signal.GAP not in first["signal"]


def test_packet_from_another_process_and_packet_of_nothing_are_read_like_any_other() -> None:
    said = [(0, Delta(Kind.TEXT, "some text"))]
    (packet,) = packets(said, [])
    expected = Features().update(packet).samples
    np.testing.assert_array_equal(Features().update(Packet.from_bytes(packet.to_bytes())).samples, expected)
    assert not len(Features().update(pack(0, [], now=0)).samples)


def test_closed_lane_is_not_dumped() -> None:
    stage = Features()
    dumps = []
    for said in ([(0, Delta(Kind.TEXT, "a"))], [(0, Delta(Kind.TEXT, "a")), (0, Delta(Kind.CLOSE))]):
        stage.update(packets(said, [])[0])
        dumps.append(stage.dump())
    assert dumps[0] != dumps[1] == Features().dump()


def test_state_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("operators.features._VERSION", 9)
        state = Features().dump()
    with pytest.raises(ValueError, match="does not fit"):
        Features().load(state)


def test_state_of_a_lane_is_below_ten_kibibytes() -> None:
    stage = Features()
    assert stage._state.row_bytes <= 10 * 1024


def test_warming_up_changes_no_state() -> None:
    stage = Features()
    before = stage.dump()
    stage.warm()
    assert stage.dump() == before
