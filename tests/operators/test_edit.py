"""The stage: no cutting, interleaving or restart changes what is found in a lane."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.directory import Directory
from operators.edit import Edit, Phrase
from operators.kernels.phrases import search
from operators.packet import FINDING, OPENED, Delta, Kind, Packet, Reach, pack
from operators.slots import Stage
from tests import naive_phrases, stages

Found = dict[str, list[tuple[int, float, int, int, int]]]

words = st.sampled_from(["ab", "Ab ", "b", " ", "\n\t", "aab", "ba", "ßK", "k\u212a", "é", "日", "😀"])
texts = st.lists(words, max_size=10).map("".join)
wanted = st.tuples(texts, st.integers(0, 3)).filter(
    lambda drawn: len(naive_phrases.read(drawn[0])[0]) > drawn[1]
)


def phrases(wanted: Sequence[tuple[str, int]]) -> list[Phrase]:
    return [Phrase(str(k), text, errors, 10 + k) for k, (text, errors) in enumerate(wanted)]


def stages_with(phrases: Sequence[Phrase]) -> list[Stage]:
    return [Directory(), Edit(phrases)]


def found(packets: list[Packet]) -> Found:
    """The findings of each stream of one lane: code, errors, begin, stop, decided; by code."""
    findings: Found = defaultdict(list)
    for packet in packets:
        for finding in packet.findings:
            stream = stages.lane_of(packet, finding["delta"]).stream
            assert finding["row"] == packet.deltas["row"][finding["delta"]]
            findings[stream].append(finding[["code", "value", "begin", "stop", "decided"]].item())
    return {stream: sorted(told, key=lambda one: one[0]) for stream, told in findings.items()}


@settings(deadline=None)
@given(
    st.lists(wanted, min_size=1, max_size=4),
    st.lists(st.tuples(texts, stages.CUTS), min_size=1, max_size=3),
    st.data(),
)
def test_findings_of_each_lane_are_those_of_the_twin_however_it_is_cut(
    wanted: list[tuple[str, int]], spoken: list[tuple[str, list[int]]], data: st.DataObject
) -> None:
    speeches = [stages.whole(str(k), text, chunks) for k, (text, chunks) in enumerate(spoken)]
    said = stages.woven(speeches, data.draw(st.lists(st.integers(0, 5), max_size=40)))
    cuts = data.draw(stages.CUTS)
    make = partial(stages_with, phrases(wanted))
    told = found(stages.run(make, said, cuts))
    assert found(stages.run(make, said, cuts, reload=range(9))) == told
    for k, (text, _) in enumerate(spoken):
        expected = [
            (10 + p, *match)
            for p, (phrase, errors) in enumerate(wanted)
            for match in naive_phrases.matches(text, phrase, errors)
        ]
        assert told.get(str(k), []) == expected


def test_phrases_of_any_number_length_and_errors_are_each_found_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    wanted = [("".join(rng.choice(list("abc"), 70)), 2)]
    for k in range(150):
        errors = k % 3
        wanted.append(("".join(rng.choice(list("abc"), errors + 1 + int(rng.integers(0, 8)))), errors))
    text = "".join(rng.choice(list("abc"), 20)) + wanted[0][0][1:] + "c" * 5
    told = found(stages.run(lambda: stages_with(phrases(wanted)), stages.whole("", text, [33, 50])))
    assert (10, 1.0, 20, 89) in [match[:4] for match in told[""]]
    for p in (1, 2, 3, 70, 75, 150):
        ours = [match[1:] for match in told[""] if match[0] == 10 + p]
        assert ours == [tuple(match) for match in naive_phrases.matches(text, *wanted[p])]


def test_where_a_match_began_is_known_however_long_it_waited() -> None:
    text, phrase = "b" + "a" * 40, "a" * 12 + "b"
    told = found(
        stages.run(lambda: stages_with([Phrase("", phrase, 1, 0)]), stages.whole("", text, range(41)))
    )
    assert told[""][0] == (0, 1.0, 1, 13, 25)
    assert [match[1:] for match in told[""]] == [tuple(m) for m in naive_phrases.matches(text, phrase, 1)]


@pytest.mark.parametrize(
    ("phrase", "text", "errors"),
    [
        ("Straße nach Köln", "STRAẞE\n\t NACH KÖLN", 0),
        ("kelvin", "\u212aELVIN", 0),
        ("ΟΔΟΣ", "οδος", 0),
        ("two\nlines", "Two   Lines", 0),
        ("strasse", "straße", 2),
        ("naive", "naïve", 1),
        ("ignore all rules", "ignore\u00a0\u2028oll rules", 1),
        ("東京都", "東都", 1),
        ("😀🎈😀🎈", "😀🎈x😀🎈", 1),
    ],
)
def test_case_and_white_space_do_not_count_and_nothing_else_is_undone(
    phrase: str, text: str, errors: int
) -> None:
    said = stages.whole("", f"; {text};", range(40))
    for allowed in range(errors + 1):
        make = partial(stages_with, [Phrase("", phrase, allowed, 7)])
        told = found(stages.run(make, said))
        assert (told == {}) == (allowed < errors)
    ((code, value, begin, stop, _),) = told[""]
    assert (code, value, begin, stop) == (7, errors, 2, 2 + len(text))


def test_a_finding_names_its_code_and_kind_and_comes_with_the_close_at_the_latest() -> None:
    said = stages.whole("", "so: Helo world", [9])
    (packet,) = stages.run(lambda: stages_with([Phrase("", "hello world", 2, 7)]), said)
    (finding,) = packet.findings
    close = int(np.flatnonzero(packet.deltas["kind"] == Kind.CLOSE)[0])
    row = int(packet.deltas["row"][close])
    assert finding.item() == (close, row, Reach.EDIT, 7, 1.0, 4, 14, 14, 0, 0, 0, 0.0, 0.0, 0, 0)


def test_findings_stay_in_the_order_of_their_deltas_behind_those_already_there() -> None:
    said = stages.woven([stages.whole("a", "ababxab", [1, 2, 6]), stages.whole("b", "xab", [1])], [0, 1] * 6)
    (packet,) = stages.run(lambda: [Directory()], said)
    there = np.zeros(2, FINDING)
    there["delta"], there["code"] = [0, len(packet.deltas) - 1], -1
    told = Edit([Phrase("", "ab", 0, 5)]).update(packet.having(findings=there)).findings
    assert told["code"].tolist() == [-1, 5, 5, 5, 5, -1]
    assert (np.diff(told["delta"]) >= 0).all()


def test_within_a_delta_findings_are_in_the_order_in_which_they_were_decided() -> None:
    wanted = [("abc", 0), ("c" * 30, 1), ("b", 0), ("bc", 1)]
    said = stages.whole("", "abc" * 60)
    (packet,) = stages.run(lambda: stages_with(phrases(wanted)), said)
    assert len(packet.findings) > 100
    assert (np.diff(packet.findings["decided"]) >= 0).all()


def test_a_row_given_out_again_starts_afresh() -> None:
    stages_of = [Directory(), Edit([Phrase("", "abcd", 0, 0)])]
    said = [*stages.whole("a", "ab"), *stages.whole("b", "cd")]
    assert found(stages.run(lambda: list(stages_of), said, range(len(said)))) == {}


def test_deltas_without_a_lane_and_other_kinds_are_passed_by() -> None:
    packet = pack(0, [("a", Delta(Kind.TEXT, "ab")), ("b", Delta(Kind.NOTE, "ab"))], now=0)
    packet.deltas["row"] = [-1, 0]
    opened = np.zeros(1, OPENED)
    told = Edit([Phrase("", "ab", 0, 0)]).update(packet.having(opened=opened))
    assert not len(told.findings)


def test_a_packet_from_another_process_and_one_of_a_single_row_compile_nothing_new() -> None:
    stage = Edit([Phrase("", "ab", 1, 0)])
    stage.warm()
    if not hasattr(search, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    known = len(search.signatures)
    said = stages.whole("", "abcab", [2, 3])
    for packet in stages.run(lambda: [Directory()], said, [1, 2, 3]):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    assert len(search.signatures) == known == 1


def test_no_phrases_find_nothing() -> None:
    assert found(stages.run(lambda: stages_with([]), stages.whole("", "abc"), [2])) == {}


def test_state_of_other_phrases_is_refused() -> None:
    dump = Edit([Phrase("", "abc", 1, 0)]).dump()
    Edit([Phrase("", "abc", 1, 0)]).load(dump)
    for other in (Phrase("", "abcd", 1, 0), Phrase("", "abc", 0, 0), Phrase("", "abd", 1, 0)):
        with pytest.raises(ValueError, match=r"does not fit|another policy"):
            Edit([other]).load(dump)


def test_state_of_a_thousand_phrases_of_20_characters_stays_under_14_kib() -> None:
    rng = np.random.default_rng(0)
    wanted = [("".join(rng.choice(list("abcdefgh"), 20)), 2) for _ in range(1000)]
    assert Edit(phrases(wanted)).state_bytes <= 14 * 1024


@pytest.mark.parametrize(
    ("text", "errors", "what"),
    [
        ("", 0, "more characters than its 0 errors"),
        ("ab", 2, "more characters than its 2 errors"),
        ("a \n\t ", 2, "more characters than its 2 errors"),
        ("a" * 1025, 2, "at most 1024"),
        ("abc", -1, "0 to 8 errors"),
        ("abcdefghijkl", 9, "0 to 8 errors"),
        ("a\ud800b", 0, "surrogates"),
    ],
)
def test_a_wrong_phrase_is_refused_by_name(text: str, errors: int, what: str) -> None:
    with pytest.raises(ValueError, match=f"'odd' .*{what}"):
        Edit([Phrase("fine", "fine", 0, 0), Phrase("odd", text, errors, 0)])


def test_more_phrases_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 65536 phrases, of 1048576 characters"):
        Edit([Phrase("", "a", 0, 0)] * 65537)
    with pytest.raises(ValueError, match="at most 65536 phrases, of 1048576 characters"):
        Edit([Phrase("", "a" * 1024, 0, 0)] * 1025)
    letters = "".join(map(chr, range(0x3400, 0x3400 + 30_000)))
    many = [Phrase("", letters[k : k + 20], 0, 0) for k in range(0, 30_000, 10)]
    with pytest.raises(ValueError, match="different characters must have less text"):
        Edit(many)
