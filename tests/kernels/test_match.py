"""The matcher against brute force: matches, the character each is decided with, watermarks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.automaton import Rule, compiled
from operators.gate import Gate
from operators.packet import Delta, Kind, Packet, pack
from tests import naive_match as naive
from tests.stages import CUTS, cut

TEXTS = st.text(naive.ALPHABET + "\u200b", max_size=14)
PHRASES = st.text("tT7iI1vgG9т -.\n\u200b", max_size=14)
FOREIGN = str.maketrans("ab", naive.FOREIGN)


class _Part(NamedTuple):
    pattern: str
    shortest: int
    longest: int


def _concat(parts: list[_Part]) -> _Part:
    return _Part(
        "".join(p.pattern for p in parts), sum(p.shortest for p in parts), sum(p.longest for p in parts)
    )


def _either(parts: list[_Part]) -> _Part:
    pattern = "|".join(p.pattern for p in parts)
    return _Part(f"(?:{pattern})", min(p.shortest for p in parts), max(p.longest for p in parts))


def _repeat(drawn: tuple[_Part, int, int]) -> _Part:
    part, least, more = drawn
    pattern = f"(?:{part.pattern}){{{least},{least + more}}}"
    return _Part(pattern, least * part.shortest, (least + more) * part.longest)


def _rules(
    letters: tuple[str, ...], spare: str, shortest: int = 1, *, folded: bool = False
) -> st.SearchStrategy[list[naive.Rule]]:
    """Rules of `shortest` characters and more; what is drawn too short begins with a letter more, what is
    too long is `spare`.
    """
    sizes = {letter: len(letter) if letter.isalpha() else 1 for letter in letters}
    one = st.sampled_from([_Part(letter, size, size) for letter, size in sizes.items()])
    parts = st.recursive(
        one,
        lambda parts: st.one_of(
            st.lists(parts, min_size=2, max_size=3).map(_concat),
            st.lists(parts, min_size=2, max_size=3).map(_either),
            st.tuples(parts, st.integers(0, 1), st.integers(1, 3)).map(_repeat),
        ),
        max_leaves=5,
    )

    def fit(drawn: tuple[_Part, list[_Part], bool]) -> naive.Rule:
        part, more, bounded = drawn
        while part.shortest < shortest:
            part = _concat([more[part.shortest], part])
        return naive.Rule(part.pattern if part.longest <= naive.LONGEST else spare, bounded, folded)

    drawn = st.tuples(parts, st.lists(one, min_size=2, max_size=2), st.booleans()).map(fit)
    return st.lists(drawn, min_size=1, max_size=3)


PLAIN = ("a", "b", " ", "[ab]", "[^a]", ".")
RULES = _rules(PLAIN, "a(?: b)?b")
FOLDED = _rules(("t", "i", "ti", "."), "t(?:i)?i", folded=True)


def gate_of(rules: list[Rule]) -> Gate:
    made = tuple(rules)
    return Gate(compiled(made), made, range(len(made) + 1))


def read(gate: Gate, pieces: list[str]) -> Packet:
    """A lane, told in pieces in one packet, and closed."""
    said = [("s", Delta(Kind.TEXT, piece)) for piece in pieces] + [("s", Delta(Kind.CLOSE))]
    packet = pack(0, said, now=0)
    packet.deltas["row"] = 0
    packet.deltas["begin"] = np.cumsum(packet.deltas["chars"]) - packet.deltas["chars"]
    opened = packet.opened.copy()
    opened.resize(1, refcheck=False)
    return gate.update(packet.having(opened=opened))


def matches(packet: Packet) -> list[naive.Found]:
    """Rule, begin, stop and decision of each finding; what the close decided counts as one later."""
    closing = len(packet.deltas) - 1
    found = packet.findings[["code", "begin", "stop", "decided", "delta"]].tolist()
    return [
        naive.Found(rule, begin, stop, decided + (delta == closing))
        for rule, begin, stop, decided, delta in found
    ]


def rules_of(drawn: list[naive.Rule]) -> list[Rule]:
    return [Rule(str(i), rule.pattern, rule.folded, rule.bounded) for i, rule in enumerate(drawn)]


def told(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, list[int]]]]:
    """A few texts for one automaton, for that is what takes its time, and where to cut each."""
    return st.lists(st.tuples(texts, CUTS), min_size=1, max_size=8)


def is_crowded(found: list[naive.Found]) -> bool:
    """More matches wait at once to be decided than a walker has room for, whose eight places those take too
    that come to nothing: it tells the first too early.
    """
    times = range(max((match.decided for match in found), default=0))
    return any(sum(match.stop <= time < match.decided for match in found) > 4 for time in times)


@settings(max_examples=80)
@given(st.one_of(st.tuples(RULES, told(TEXTS)), st.tuples(FOLDED, told(PHRASES))))
def test_match_finds_what_brute_force_finds(
    drawn: tuple[list[naive.Rule], list[tuple[str, list[int]]]],
) -> None:
    rules, texts = drawn
    gate = gate_of(rules_of(rules))
    for text, cuts in texts:
        found = naive.found(rules, text)
        if is_crowded(found):
            continue
        expected = sorted(match[:3] for match in found)
        coarse, fine = (read(gate, pieces) for pieces in (cut(text, cuts), list(text)))
        assert sorted(match[:3] for match in matches(coarse)) == expected
        names = ["code", "begin", "stop", "decided", "upto", "more"]
        assert coarse.findings[names].tolist() == fine.findings[names].tolist()


def decides_and_vets(rules: list[naive.Rule], text: str, gate: Gate, said: str) -> None:
    expected = naive.found(rules, text)
    if is_crowded(expected):
        return
    packet = read(gate, list(said))
    assert sorted(matches(packet)) == sorted(expected)
    marks = [naive.watermark(rules, text[:read]) for read in range(1, len(text) + 1)]
    assert packet.vetted["upto"].tolist() == [*marks, len(text)]
    assert packet.vetted["delta"].tolist() == list(range(len(text) + 1))
    for finding in packet.findings[packet.findings["delta"] < len(text)]:
        before, now = ([0, *marks][finding["decided"] - back] for back in (1, 0))
        assert finding["upto"] == max(before, min(now, finding["begin"]))


@settings(max_examples=60)
@given(_rules(PLAIN, "a(?: b)?b"), st.lists(TEXTS, min_size=1, max_size=8))
def test_match_decides_and_vets_at_the_first_possible_character(
    drawn: list[naive.Rule], texts: list[str]
) -> None:
    """Told in letters that are in no encoding, so that only the rules hold text back."""
    drawn = [naive.Rule(rule.pattern) for rule in drawn]
    gate = gate_of([Rule(str(i), rule.pattern.translate(FOREIGN)) for i, rule in enumerate(drawn)])
    for text in texts:
        decides_and_vets(drawn, text, gate, text.translate(FOREIGN))


@settings(max_examples=60)
@given(
    _rules(("ж", "я", "жя", "(?:ж|я)"), "ж(?:я)?я", folded=True),
    st.lists(st.text("жЖя ,.\n", max_size=14), min_size=1, max_size=8),
)
def test_match_decides_and_vets_phrases_at_the_first_possible_character(
    drawn: list[naive.Rule], texts: list[str]
) -> None:
    gate = gate_of(rules_of(drawn))
    for text in texts:
        decides_and_vets(drawn, text, gate, text)


@settings(max_examples=60)
@given(st.one_of(st.tuples(RULES, told(TEXTS)), st.tuples(FOLDED, told(PHRASES))))
def test_match_never_vets_the_start_of_what_may_still_match(
    drawn: tuple[list[naive.Rule], list[tuple[str, list[int]]]],
) -> None:
    rules, texts = drawn
    gate = gate_of(rules_of(rules))
    for text, cuts in texts:
        pieces = cut(text, cuts)
        packet = read(gate, pieces)
        marks = packet.vetted["upto"].tolist()
        assert marks == sorted(marks)
        said, later = 0, packet.findings
        for delta, piece in enumerate(pieces):
            said += len(piece)
            later = later[later["delta"] > delta]
            assert marks[delta] <= min([naive.watermark(rules, text[:said]), *later["begin"].tolist()])


LONG_TEXTS = st.lists(st.sampled_from(["a", "b", "ab", " ", "    ", "bbbb", "é"]), max_size=12).map("".join)
UNBOUNDED = [
    ("ab(?: *b)?", False, 3), ("a[b ]{1,}", False, 4), ("[ab]+ b", False, 4), ("a.*b", False, 5),
    ("a[^b]*b|  ", False, 4), ("(?:ab)+", True, 4), ("a *(?:b *)*", False, 3), ("ab|b(?: )+a", False, 3),
]  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from(UNBOUNDED), LONG_TEXTS, CUTS)
def test_match_covers_the_last_part_of_a_match_that_is_too_long(
    drawn: tuple[str, bool, int], text: str, cuts: list[int]
) -> None:
    pattern, bounded, longest = drawn
    pieces = cut(text, cuts)
    packet = read(gate_of([Rule("r", pattern, bounded=bounded, longest=longest)]), pieces)
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
    signs, out, start = naive.plain(text), [], 0
    while start < len(text):
        ends = [0]
        if not (bounded and start and naive.is_word(signs[start - 1], False)):
            ends += [
                stop
                for stop in range(start + 1, len(text) + 1)
                if pattern.fullmatch(text, start, stop)
                and not (bounded and stop < len(text) and naive.is_word(signs[stop], False))
            ]
        if ends[-1]:
            out.append((start, ends[-1]))
        start = ends[-1] or start + 1
    return out


def test_a_match_that_outgrows_its_hold_loses_none_of_its_characters() -> None:
    text = "x sk-" + "a" * 700 + " y"
    for pieces in ([text], list(text)):
        packet = read(gate_of([Rule("key", "sk-[a-z0-9]{20,}", longest=64)]), pieces)
        parts = packet.findings[["begin", "stop", "more"]].tolist()
        assert parts[0][0] == 2
        assert parts[-1][1:] == (len(text) - 2, 0)
        assert all(one[1] == two[0] and one[2] for one, two in pairwise(parts))


def test_an_early_match_that_might_still_grow_is_decided_before_it_leaves() -> None:
    packet = read(gate_of([Rule("r", "ab(?:c*d)?", longest=5)]), list("-abccccccccc-"))
    assert packet.findings[["begin", "stop"]].tolist() == [(1, 3)]
    assert packet.findings["decided"][0] == 7


@pytest.mark.parametrize("mark", ["—", "”", "。", "漢", "é", " ", "-"])
def test_a_bounded_match_may_touch_what_is_no_ascii_word(mark: str) -> None:
    for text in (f"{mark}4111{mark}", f"x{mark}4111{mark}x"):
        begin = text.index("4")
        packet = read(gate_of([Rule("digits", "[0-9]{4}", bounded=True)]), list(text))
        assert packet.findings[["begin", "stop"]].tolist() == [(begin, begin + 4)]
    nothing = "_4111_ a4111 4111b 41112"
    assert not len(read(gate_of([Rule("digits", "[0-9]{4}", bounded=True)]), [nothing]).findings)


def test_only_the_group_is_reported() -> None:
    rule = Rule("password", r"password\s{0,3}[:=]\s{0,3}([^\s]{4,8})")
    packet = read(gate_of([rule]), list("my password = s3cret! ok"))
    assert packet.findings[["begin", "stop"]].tolist() == [(14, 21)]


def test_an_eager_rule_is_decided_at_its_first_end() -> None:
    for eager, end in ((True, 2), (False, 4)):
        packet = read(gate_of([Rule("r", "жя{1,9}", eager=eager)]), list("жяяя."))
        assert packet.findings[["begin", "stop", "decided"]].tolist() == [(0, end, 2 if eager else 5)]


def test_a_detecting_rule_holds_nothing_back() -> None:
    packet = read(gate_of([Rule("r", "жя{1,9}ж", detect=True)]), list("жяяж."))
    assert packet.findings[["begin", "stop"]].tolist() == [(0, 4)]
    assert packet.vetted["upto"].tolist() == [1, 2, 3, 4, 5, 5]
