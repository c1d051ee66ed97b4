"""The stage: no cutting, interleaving or restart changes the words of a lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.directory import Directory
from operators.kernels.words import cut
from operators.packet import OPENED, WORD, Delta, Kind, Packet, pack
from operators.slots import Stage
from operators.words import Words
from tests import naive_words, stages

texts = st.text(max_size=30) | st.lists(
    st.sampled_from(["One ", "two", ", three.\n", "東京", "é", "x" * 40, "\u200b"]), max_size=12
).map("".join)


def make() -> list[Stage]:
    return [Directory(), Words()]


def words(packets: list[Packet]) -> dict[str, list[tuple[int, ...]]]:
    """The words of each stream of one lane: begin, stop, decided, hash."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for packet in packets:
        for word in packet.words:
            stream = stages.lane_of(packet, word["delta"]).stream
            assert word["row"] == packet.deltas["row"][word["delta"]]
            found.setdefault(stream, []).append(word[["begin", "stop", "decided", "word"]].item())
    return found


@given(st.lists(st.tuples(texts, stages.CUTS), min_size=1, max_size=3), st.data())
def test_words_of_each_lane_are_those_of_the_twin_however_it_is_cut(
    spoken: list[tuple[str, list[int]]], data: st.DataObject
) -> None:
    speeches = [stages.whole(str(k), text, chunks) for k, (text, chunks) in enumerate(spoken)]
    said = stages.woven(speeches, data.draw(st.lists(st.integers(0, 5), max_size=40)))
    cuts = data.draw(stages.CUTS)
    found = words(stages.run(make, said, cuts))
    assert words(stages.run(make, said, cuts, reload=range(9))) == found
    for k, (text, _) in enumerate(spoken):
        whole = words(stages.run(make, stages.whole(str(k), text)))
        assert found.get(str(k)) == whole.get(str(k))
        expected = [tuple(word[:3]) for word in naive_words.words(text)]
        assert [word[:3] for word in found.get(str(k), [])] == expected


def test_a_note_is_no_text() -> None:
    note = ("a", Delta(Kind.NOTE, '{"name": "search"}'))
    found = words(stages.run(make, [*stages.say("a", "one t"), note, *stages.say("a", "wo ")]))
    assert [word[:3] for word in found["a"]] == [(0, 3, 4), (4, 7, 8)]


def test_words_are_ordered_by_delta_and_follow_those_already_there() -> None:
    said = stages.woven(
        [stages.whole("a", "one two three", [5, 9]), stages.whole("b", "four five")], [0, 1] * 4
    )
    (packet,) = stages.run(lambda: [Directory()], said)
    there = np.zeros(1, WORD)
    there["word"] = 77
    found = Words().update(packet.having(words=there)).words
    assert found["word"][0] == 77
    assert (np.diff(found["delta"][1:]) >= 0).all()
    assert len(found) == 6


def test_a_row_given_out_again_begins_with_no_word() -> None:
    packet = pack(0, [("a", Delta(Kind.TEXT, "half")), ("a", Delta(Kind.CLOSE))], now=0)
    packet.deltas["row"] = 0
    packet.deltas["begin"][1] = 4
    stage, opened = Words(), np.zeros(1, OPENED)
    first = stage.update(packet.having(opened=opened)).words
    np.testing.assert_array_equal(stage.update(packet.having(opened=opened)).words, first)
    assert len(first) == 1
    assert stage.dump() == Words().dump()


def test_a_packet_from_another_process_and_one_of_nothing_compile_nothing_new() -> None:
    if not hasattr(cut, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    stage = Words()
    stage.warm()
    known = len(cut.signatures)
    for packet in stages.run(lambda: [Directory()], stages.whole("a", "some text"), [1, 2]):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    stage.update(pack(0, [], now=0))
    assert len(cut.signatures) == known == 1


def test_warming_up_changes_no_state() -> None:
    stage = Words()
    before = stage.dump()
    stage.warm()
    assert stage.dump() == before


def test_a_lane_keeps_40_bytes() -> None:
    assert Words().state_bytes == 40


def test_state_read_with_other_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dumped = Words().dump()

    def others() -> Any:
        return np.zeros(0x10000, np.int32)

    monkeypatch.setattr("operators.words.codes", others)
    with pytest.raises(ValueError, match="another policy"):
        Words().load(dumped)
