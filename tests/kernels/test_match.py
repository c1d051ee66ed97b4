"""The matcher against brute force: matches, the character each is decided with, watermarks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.automaton import Rule
from operators.gate import Gate
from operators.packet import Delta, Kind, Packet, pack
from tests import naive_match as naive
from tests.stages import CUTS, cut

TEXTS = st.text(naive.ALPHABET, max_size=14)


class _Part(NamedTuple):
    pattern: str
    shortest: int
    longest: int


_LETTERS = st.sampled_from([_Part(p, 1, 1) for p in ("a", "b", " ", "[ab]", "[^a]", ".")])


def _concat(parts: list[_Part]) -> _Part:
    return _Part(
        "".join(p.pattern for p in parts), sum(p.shortest for p in parts), sum(p.longest for p in parts)
    )


def _either(parts: list[_Part]) -> _Part:
    pattern = "|".join(p.pattern for p in parts)
    return _Part(f"({pattern})", min(p.shortest for p in parts), max(p.longest for p in parts))


def _repeat(drawn: tuple[_Part, int, int]) -> _Part:
    part, least, more = drawn
    pattern = f"({part.pattern}){{{least},{least + more}}}"
    return _Part(pattern, least * part.shortest, (least + more) * part.longest)


_PARTS = st.recursive(
    _LETTERS,
    lambda parts: st.one_of(
        st.lists(parts, min_size=2, max_size=3).map(_concat),
        st.lists(parts, min_size=2, max_size=3).map(_either),
        st.tuples(parts, st.integers(0, 1), st.integers(1, 3)).map(_repeat),
    ),
    max_leaves=5,
)


def _rules(shortest: int) -> st.SearchStrategy[list[tuple[str, bool]]]:
    """Rules of `shortest` characters and more; what is drawn too short begins with a letter more."""

    def fit(drawn: tuple[_Part, list[_Part]]) -> str:
        part, letters = drawn
        while part.shortest < shortest:
            part = _concat([letters[part.shortest], part])
        return part.pattern if part.longest <= naive.LONGEST else "a( b)?b"

    patterns = st.tuples(_PARTS, st.lists(_LETTERS, min_size=2, max_size=2)).map(fit)
    return st.lists(st.tuples(patterns, st.booleans()), min_size=1, max_size=3)


RULES = _rules(1)


def read(rules: list[Rule], pieces: list[str]) -> Packet:
    """A lane, told in pieces in one packet, and closed."""
    said = [("s", Delta(Kind.TEXT, piece)) for piece in pieces] + [("s", Delta(Kind.CLOSE))]
    packet = pack(0, said, now=0)
    packet.deltas["row"] = 0
    opened = packet.opened.copy()
    opened.resize(1, refcheck=False)
    return Gate(rules, range(len(rules) + 1)).update(packet.having(opened=opened))


def matches(packet: Packet) -> list[naive.Found]:
    """Rule, begin, stop and decision of each finding; what the close decided counts as one later."""
    closing = len(packet.deltas) - 1
    return [
        naive.Found(
            *(int(f[name]) for name in ("code", "begin", "stop")), int(f["decided"] + (f["delta"] == closing))
        )
        for f in packet.findings
    ]


def rules_of(drawn: list[tuple[str, bool]]) -> list[Rule]:
    return [Rule(str(i), pattern, bounded) for i, (pattern, bounded) in enumerate(drawn)]


@settings(max_examples=300, deadline=None)
@given(RULES, TEXTS, CUTS)
def test_match_finds_what_brute_force_finds(
    drawn: list[tuple[str, bool]], text: str, cuts: list[int]
) -> None:
    got = matches(read(rules_of(drawn), cut(text, cuts)))
    assert sorted(m[:3] for m in got) == sorted(m[:3] for m in naive.found(drawn, text))


@settings(max_examples=200, deadline=None)
@given(_rules(2), TEXTS)  # a match of one character is decided with the next, one later than it might be
def test_match_decides_and_vets_at_the_first_possible_character(
    drawn: list[tuple[str, bool]], text: str
) -> None:
    packet = read(rules_of(drawn), list(text))
    assert sorted(matches(packet)) == sorted(naive.found(drawn, text))
    marks = [naive.watermark(drawn, text[:read]) for read in range(1, len(text) + 1)]
    assert packet.vetted["upto"].tolist() == [*marks, len(text)]
    assert packet.vetted["delta"].tolist() == list(range(len(text) + 1))
    for finding in packet.findings[packet.findings["delta"] < len(text)]:
        assert finding["upto"] == marks[finding["decided"] - 1]


@settings(max_examples=200, deadline=None)
@given(RULES, TEXTS, CUTS)
def test_match_never_vets_the_start_of_what_may_still_match(
    drawn: list[tuple[str, bool]], text: str, cuts: list[int]
) -> None:
    pieces = cut(text, cuts)
    packet = read(rules_of(drawn), pieces)
    marks = packet.vetted["upto"].tolist()
    assert marks == sorted(marks)
    said, later = 0, packet.findings
    for delta, piece in enumerate(pieces):
        said += len(piece)
        later = later[later["delta"] > delta]
        assert marks[delta] <= min([naive.watermark(drawn, text[:said]), *later["begin"].tolist()])


@settings(max_examples=100, deadline=None)
@given(RULES, TEXTS, CUTS)
def test_match_does_not_see_how_text_was_cut(
    drawn: list[tuple[str, bool]], text: str, cuts: list[int]
) -> None:
    coarse, fine = (read(rules_of(drawn), pieces) for pieces in (cut(text, cuts), list(text)))
    names = ["code", "begin", "stop", "decided", "upto"]
    assert coarse.findings[names].tolist() == fine.findings[names].tolist()


LONG_TEXTS = st.lists(st.sampled_from(["a", "b", "ab", " ", "    ", "bbbb", "é"]), max_size=12).map("".join)
UNBOUNDED = [
    ("ab( *b)?", False, 3), ("a[b ]{1,}", False, 4), ("[ab]+ b", False, 4), ("a.*b", False, 5),
    ("a[^b]*b|  ", False, 4), ("(ab)+", True, 4), ("a *(b *)*", False, 3), ("ab|b( )+a", False, 3),
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(UNBOUNDED), LONG_TEXTS, CUTS)
def test_match_covers_the_last_part_of_a_match_that_is_too_long(
    drawn: tuple[str, bool, int], text: str, cuts: list[int]
) -> None:
    pattern, bounded, longest = drawn
    pieces = cut(text, cuts)
    packet = read([Rule("r", pattern, bounded, longest)], pieces)
    covered = set()
    for finding in packet.findings:
        assert 0 <= finding["begin"] < finding["stop"] <= len(text)
        covered |= set(range(finding["begin"], finding["stop"]))
    marks = packet.vetted["upto"].tolist()
    assert marks == sorted(marks)
    for begin, stop in _true_matches(re.compile(pattern), bounded, text):
        assert set(range(max(begin, stop - longest), stop)) <= covered
    assert all(marks[f["delta"] - 1] <= f["begin"] for f in packet.findings if f["delta"] > 0), (
        "vetted before it was decided"
    )


def _true_matches(pattern: re.Pattern[str], bounded: bool, text: str) -> list[tuple[int, int]]:
    out, start = [], 0
    while start < len(text):
        ends = [0]
        if not (bounded and start and naive.is_word(text[start - 1])):
            ends += [
                stop
                for stop in range(start + 1, len(text) + 1)
                if pattern.fullmatch(text, start, stop)
                and not (bounded and stop < len(text) and naive.is_word(text[stop]))
            ]
        if ends[-1]:
            out.append((start, ends[-1]))
        start = ends[-1] or start + 1
    return out


def test_a_match_that_outgrows_its_hold_loses_none_of_its_characters() -> None:
    text = "x sk-" + "a" * 700 + " y"
    for pieces in ([text], list(text)):
        packet = read([Rule("key", "sk-[a-z0-9]{20,}", longest=64)], pieces)
        spans = packet.findings[["begin", "stop"]].tolist()
        assert spans[0][0] == 2
        assert spans[-1][1] == len(text) - 2
        assert all(one[1] == two[0] for one, two in pairwise(spans))


def test_an_early_match_that_might_still_grow_is_decided_before_it_leaves() -> None:
    packet = read([Rule("r", "ab(c*d)?", longest=5)], list("-abccccccccc-"))
    assert packet.findings[["begin", "stop"]].tolist() == [(1, 3)]
    assert packet.findings["decided"][0] == 7


@pytest.mark.parametrize("mark", ["—", "”", "。", "漢", "é", " ", "-"])
def test_a_bounded_match_may_touch_what_is_no_ascii_word(mark: str) -> None:
    for text in (f"{mark}4111{mark}", f"x{mark}4111{mark}x"):
        begin = text.index("4")
        packet = read([Rule("digits", "[0-9]{4}", bounded=True)], list(text))
        assert packet.findings[["begin", "stop"]].tolist() == [(begin, begin + 4)]
    assert not len(read([Rule("digits", "[0-9]{4}", bounded=True)], ["_4111_ a4111 4111b 41112"]).findings)
