"""Motifs as a stage: lanes apart, packets and restarts unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.repeats import find_repeats
from operators.motif import Motif
from operators.packet import DELTA, FINDING, OPENED, WORD, Kind, Packet, Reach
from tests import naive_motif
from tests.operators.slicing import findings

SHAPE = (3, 2, 12)


class Said(NamedTuple):
    """A delta of a lane: the words that are complete with it, and whether it is the lane's end."""

    row: int
    words: tuple[int, ...] = ()
    closes: bool = False


def spoken(said: Sequence[Said], cuts: Iterable[int]) -> list[Packet]:
    """Words of five characters each; a lane opens with its first delta."""
    packets = []
    seen: dict[int, int] = {}
    for first, last in pairwise([0, *sorted(cuts), len(said)]):
        deltas, opened, words = np.zeros(last - first, DELTA), [], []
        for place, one in enumerate(said[first:last]):
            if one.row not in seen:
                opened.append((one.row, 0, 0))
            begin = seen.get(one.row, 0)
            deltas[place]["row"] = one.row
            deltas[place]["kind"] = Kind.CLOSE if one.closes else Kind.TEXT
            seen[one.row] = begin + 5 * len(one.words)
            deltas[place]["begin"] = seen[one.row] if one.closes else begin
            for k, word in enumerate(one.words):
                at = begin + 5 * k
                words.append((place, one.row, at, at + 5, at + 6, word))
        tables = {"opened": np.array(opened, OPENED), "words": np.array(words, WORD)}
        packets.append(Packet(0, 0, (), deltas, b"", **tables))
    return packets


def lane(words: Sequence[int], row: int = 0) -> list[Said]:
    """A word a delta, and the end."""
    return [*(Said(row, (word,)) for word in words), Said(row, closes=True)]


deltas = st.builds(
    Said, st.integers(0, 2), st.lists(st.integers(0, 2), max_size=6).map(tuple), st.just(False)
)


@settings(deadline=None)
@given(st.lists(deltas, max_size=30), st.data())
def test_cutting_interleaving_and_restarts_change_nothing(said: list[Said], data: st.DataObject) -> None:
    said = [*said, *(Said(row, closes=True) for row in sorted({one.row for one in said}))]
    cuts = data.draw(st.lists(st.integers(0, len(said)), max_size=5))
    whole = findings(Motif(7, *SHAPE), spoken(said, []))
    assert findings(Motif(7, *SHAPE), spoken(said, cuts)) == whole
    assert findings(Motif(7, *SHAPE), spoken(said, cuts), restart=Motif(7, *SHAPE)) == whole
    for row in range(3):
        alone = findings(Motif(7, *SHAPE), spoken([one for one in said if one.row == row], []))
        assert alone == [found for found in whole if found[0] == row]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), max_size=40))
def test_findings_are_the_phrases_of_the_twin(words: list[int]) -> None:
    (packet,) = spoken(lane(words), [])
    found = Motif(7, *SHAPE).update(packet).findings
    expected = [
        (len(words) if p.decided < 0 else p.decided, p.times, 5 * p.first, 5 * p.last + 5)
        for p in naive_motif.phrases(words, *SHAPE)
    ]
    assert found[["delta", "value", "begin", "stop"]].tolist() == expected


def test_a_finding_names_its_code_and_kind_and_when_it_was_decided() -> None:
    words = [1, 2, 3, 9, 1, 2, 3]
    (packet,) = spoken(lane([*words, 8]), [])
    (found,) = Motif(7, *SHAPE).update(packet).findings
    assert found.item() == (7, 0, Reach.MOTIF, 7, 2.0, 20, 35, 41, 0, 0, 0, 0.0, 0.0, 0, 0)
    (packet,) = spoken(lane(words), [])
    (found,) = Motif(7, *SHAPE).update(packet).findings
    assert found.item() == (7, 0, Reach.MOTIF, 7, 2.0, 20, 35, 35, 0, 0, 0, 0.0, 0.0, 0, 0)


def test_the_last_words_of_a_lane_may_come_with_its_close() -> None:
    (packet,) = spoken([Said(0, (1, 2, 3, 9, 1, 2)), Said(0, (3,), closes=True)], [])
    (found,) = Motif(7, *SHAPE).update(packet).findings
    assert found[["delta", "begin", "stop", "decided"]].item() == (1, 20, 35, 35)


def test_findings_stay_in_the_order_of_their_deltas_behind_those_already_there() -> None:
    (packet,) = spoken(lane([1, 2, 3, 1, 2, 3, 9]), [])
    there = np.zeros(3, FINDING)
    there["delta"], there["code"] = [0, 5, 6], -1
    found = Motif(7, *SHAPE).update(packet.having(findings=there)).findings
    assert found[["delta", "code"]].tolist() == [(0, -1), (5, -1), (5, 7), (6, -1)]


def test_a_row_given_out_again_starts_afresh() -> None:
    stage = Motif(7, *SHAPE)
    assert findings(stage, spoken(lane([1, 2, 3, 8]), [])) == []
    assert findings(stage, spoken(lane([1, 2, 3, 9]), [])) == []


def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Motif(7, *SHAPE)
    stage.warm()
    if not hasattr(find_repeats, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    known = len(find_repeats.signatures)
    for packet in spoken([*lane([1, 2, 3]), *lane([4, 5], 1)], [1, 2, 4]):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert len(find_repeats.signatures) == known == 1


def test_warming_up_changes_no_state_and_a_packet_of_nothing_passes() -> None:
    stage = Motif(7)
    before = stage.dump()
    stage.warm()
    assert stage.dump() == before
    (packet,) = spoken([], [])
    assert stage.update(packet) is packet


def test_state_of_256_words_stays_under_7_kib_and_goes_with_its_lane() -> None:
    stage = Motif(7)
    empty = len(stage.dump())
    stage.update(spoken([Said(0, (1, 2, 3))], [])[0])
    assert 0 < len(stage.dump()) - empty <= 7 * 1024
    assert stage.state_bytes <= 7 * 1024
    stage = Motif(7)
    stage.update(spoken(lane([1, 2, 3]), [])[0])
    assert len(stage.dump()) == empty


def test_state_of_other_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="another policy"):
        Motif(7, 4, 3, 200).load(Motif(7, 4, 3, 201).dump())


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ((1, 3, 256), "words and times must be 2 or more, not 1 and 3"),
        ((8, 1, 256), "words and times must be 2 or more, not 8 and 1"),
        ((8, 3, 23), "24 to 1048576, not 23"),
        ((8, 3, (1 << 20) + 1), "24 to 1048576"),
    ],
)
def test_parameters_that_cannot_be_are_refused(shape: tuple[int, int, int], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Motif(7, *shape)
